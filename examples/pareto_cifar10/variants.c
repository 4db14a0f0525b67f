/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs with a label beside the main runs of the same method, lambda, seed. */
#include "pareto_cifar10/variants.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Runs of a row, and for each the main run, or NULL. */
typedef struct pairs {
    const pareto_results *results;
    int64_t n;
    const pareto_run **main, **other;
    double *room; /* for twice as many numbers */
} pairs;

static int equal(double a, double b)
{
    return a <= b && a >= b;
}

static const pareto_run *main_of(const pareto_results *r, const pareto_run *run)
{
    for (int64_t i = 0; i < r->n_main; i++) {
        const pareto_run *other = &r->runs[i];

        if (other->method == run->method && other->seed == run->seed &&
            equal(other->lambda, run->lambda))
            return other;
    }
    return NULL;
}

static const pareto_run *base_of(const pareto_results *r, const pareto_run *run)
{
    for (int64_t i = r->n; i < r->n + r->n_bases; i++) {
        if (r->runs[i].method == run->method && r->runs[i].seed == run->seed)
            return &r->runs[i];
    }
    return NULL;
}

static void find_pairs(pairs *p, const char *label, int32_t method,
                       const double *lambda)
{
    const pareto_results *r = p->results;

    p->n = 0;
    for (int64_t i = r->n_main; i < r->n; i++) {
        const pareto_run *run = &r->runs[i], *other;

        if (run->method != method || strcmp(run->label, label) != 0 ||
            (lambda != NULL && !equal(run->lambda, *lambda)))
            continue;
        other = main_of(r, run);
        if (other == NULL)
            continue;
        p->main[p->n] = other;
        p->other[p->n++] = run;
    }
}

/* -- differences ------------------------------------------------------------
 */

static double latency_change(const pareto_run *run, const pareto_run *other)
{
    return other->latency_ms[PARETO_BATCH_1] / run->latency_ms[PARETO_BATCH_1] -
           1.0;
}

static double accuracy_change(const pareto_run *run, const pareto_run *other)
{
    return other->accuracy - run->accuracy;
}

static double utilization_change(const pareto_run *run, const pareto_run *other)
{
    return other->utilization[PARETO_BATCH_1] -
           run->utilization[PARETO_BATCH_1];
}

static pareto_moments change(const pairs *p, double (*of)(const pareto_run *,
                                                          const pareto_run *))
{
    for (int64_t i = 0; i < p->n; i++)
        p->room[i] = of(p->main[i], p->other[i]);
    return pareto_find_moments(p->room, p->n);
}

/* Means of one side. */
static void fill_side(const pairs *p, int side, pareto_comparison *c)
{
    const pareto_run *const *runs = side ? p->other : p->main;
    int64_t near = 0, widths = 0;

    for (int64_t i = 0; i < p->n; i++) {
        p->room[i] = runs[i]->latency_ms[PARETO_BATCH_1];
        widths += runs[i]->n_widths;
        near += pareto_count_near(p->results, runs[i]);
    }
    c->latency_ms[side] = pareto_find_moments(p->room, p->n).mean;
    c->near_share[side] = widths ? (double) near / (double) widths : NAN;
}

static void fill_comparison(const pairs *p, pareto_comparison *c)
{
    c->n = p->n;
    fill_side(p, 0, c);
    fill_side(p, 1, c);
    c->latency_change = change(p, latency_change);
    c->accuracy_change = change(p, accuracy_change);
    c->utilization_change = change(p, utilization_change);
    for (int64_t i = 0; i < p->n; i++)
        p->room[i] = (double) p->other[i]->moves;
    c->moves = pareto_find_moments(p->room, p->n).mean;
}

/* -- shared searches --------------------------------------------------------
 */

static double search_seconds(const pareto_run *run)
{
    return run->seconds[0] + run->seconds[1];
}

/* Leaves only pairs whose base is there. */
static void keep_based(pairs *p)
{
    int64_t kept = 0;

    for (int64_t i = 0; i < p->n; i++) {
        if (base_of(p->results, p->other[i]) == NULL)
            continue;
        p->main[kept] = p->main[i];
        p->other[kept++] = p->other[i];
    }
    p->n = kept;
}

/* A base counts once. */
static double base_seconds(const pairs *p)
{
    const pareto_results *r = p->results;
    double sum = 0.0;

    for (int64_t i = r->n; i < r->n + r->n_bases; i++) {
        int used = 0;

        for (int64_t j = 0; j < p->n && !used; j++)
            used = base_of(r, p->other[j]) == &r->runs[i];
        if (used)
            sum += search_seconds(&r->runs[i]);
    }
    return sum;
}

static int side_hypervolume(ub_context *context, const pairs *p, int side,
                            double *out)
{
    const pareto_run *const *runs = side ? p->other : p->main;

    for (int64_t i = 0; i < p->n; i++) {
        p->room[2 * i] = runs[i]->latency_ms[PARETO_BATCH_1];
        p->room[2 * i + 1] = 100.0 * runs[i]->accuracy;
    }
    return pareto_hypervolume(context, p->n, p->room, out);
}

static int fill_saving(ub_context *context, pairs *p, pareto_saving *s)
{
    keep_based(p);
    s->n = p->n;
    s->shared_seconds = base_seconds(p);
    for (int64_t i = 0; i < p->n; i++) {
        s->separate_seconds += search_seconds(p->main[i]);
        s->shared_seconds += search_seconds(p->other[i]);
    }
    return p->n == 0 || (side_hypervolume(context, p, 0, &s->hypervolume[0]) &&
                         side_hypervolume(context, p, 1, &s->hypervolume[1]));
}

/* -- all --------------------------------------------------------------------
 */

/* What runs of a row say of their options, if all say the same. */
static const char *common_options(const pareto_results *r,
                                  const pareto_method *m)
{
    const char *common = NULL;

    for (int64_t i = r->n_main; i < r->n; i++) {
        const pareto_run *run = &r->runs[i];

        if (run->method != m->method || strcmp(run->label, m->label) != 0)
            continue;
        if (common != NULL && strcmp(common, run->differing) != 0)
            return "not the same in all of its runs";
        common = run->differing;
    }
    return common;
}

static int compare_all(ub_context *context, pairs *p, pareto_summary *s)
{
    for (int64_t i = 0; i < s->n_points; i++) {
        pareto_point *point = &s->points[i];

        find_pairs(p, point->label, point->method, &point->lambda);
        fill_comparison(p, &point->comparison);
    }
    for (int64_t i = 0; i < s->n_methods; i++) {
        pareto_method *m = &s->methods[i];

        find_pairs(p, m->label, m->method, NULL);
        fill_comparison(p, &m->comparison);
        m->differing = common_options(s->results, m);
        if (strcmp(m->label, PARETO_SHARED) == 0 &&
            !fill_saving(context, p, &m->saving))
            return 0;
    }
    return 1;
}

int pareto_compare(ub_context *context, pareto_summary *summary)
{
    const size_t n = (size_t) summary->results->n + 1;
    pairs p = { .results = summary->results };
    int good;

    p.main = calloc(n, sizeof(*p.main));
    p.other = calloc(n, sizeof(*p.other));
    p.room = calloc(2 * n, sizeof(*p.room));
    good = p.main != NULL && p.other != NULL && p.room != NULL;
    if (good)
        good = compare_all(context, &p, summary);
    else
        fputs("out of memory\n", stderr);
    free(p.main);
    free(p.other);
    free(p.room);
    return good;
}
