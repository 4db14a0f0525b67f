/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables of runs with a label beside the main ones. */
#include "pareto_cifar10/markdown.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static int is_ablation(const char *label)
{
    return pareto_label_order(label, PARETO_SHARED) > 0;
}

static int is_polished(const char *label)
{
    return strcmp(label, PARETO_POLISHED) == 0;
}

static int is_shared(const char *label)
{
    return strcmp(label, PARETO_SHARED) == 0;
}

/* Whether a row of that sort has main runs to stand beside, or with `alone`
 * any runs. */
static int is_there(const pareto_summary *s, int (*sort)(const char *),
                    int alone)
{
    for (int64_t i = 0; i < s->n_methods; i++) {
        if (sort(s->methods[i].label) &&
            (alone || s->methods[i].comparison.n > 0))
            return 1;
    }
    return 0;
}

/* "+1.2 ± 0.3" */
static void put_change(FILE *f, const pareto_moments *m, int digits, int64_t n)
{
    if (isfinite(m->mean) && m->mean >= 0.0)
        fputc('+', f);
    if (isfinite(m->mean))
        pareto_put_moments(f, m, 100.0, digits, n);
    else
        fputc('-', f);
}

static void put_lambda(FILE *f, const double *lambda)
{
    if (lambda != NULL)
        fprintf(f, " | %g", *lambda);
    else
        fputs(" | all", f);
}

/* -- one table of differences -----------------------------------------------
 */

/* What is said of each lambda of a method, and of all; with `moves` also how
 * many there were. */
static void put_comparison(FILE *f, int32_t method, const double *lambda,
                           const pareto_comparison *c, int moves)
{
    fprintf(f, "| %s", ub_search_hardware_name(method));
    put_lambda(f, lambda);
    fprintf(f, " | %" PRId64 " | %.1f | %.1f | ", c->n,
            PARETO_US(c->latency_ms[0]), PARETO_US(c->latency_ms[1]));
    put_change(f, &c->latency_change, 1, c->n);
    fputs(" | ", f);
    put_change(f, &c->accuracy_change, 2, c->n);
    fputs(" | ", f);
    put_change(f, &c->utilization_change, 1, c->n);
    if (moves)
        fprintf(f, " | %.1f", c->moves);
    fputs(" |\n", f);
}

static void put_comparisons(FILE *f, const pareto_summary *s,
                            int (*sort)(const char *), int moves)
{
    fprintf(f,
            "| method | lambda | pairs | us | us %s | latency %% | accuracy, "
            "points | utilization, points |%s\n"
            "|---|---:|---:|---:|---:|---:|---:|---:|%s\n",
            moves ? "polished" : "shared", moves ? " moves |" : "",
            moves ? "---:|" : "");
    for (int64_t i = 0; i < s->n_methods; i++) {
        const pareto_method *m = &s->methods[i];

        if (!sort(m->label) || m->comparison.n == 0)
            continue;
        for (int64_t j = m->first; j < m->first + m->n; j++) {
            const pareto_point *p = &s->points[j];

            if (p->comparison.n > 0)
                put_comparison(f, p->method, &p->lambda, &p->comparison, moves);
        }
        put_comparison(f, m->method, NULL, &m->comparison, moves);
    }
}

/* -- the tables -------------------------------------------------------------
 */

static void put_polished(FILE *f, const pareto_summary *s)
{
    if (!is_there(s, is_polished, 0))
        return;
    fputs("\n## polished\n\nThe same searches, polished before final training, "
          "against those without, by pairs of the same lambda and seed: "
          "simulated latency at batch 1 in the mean; mean and standard "
          "deviation of its change and of those of accuracy and utilization; "
          "moves.\n\n",
          f);
    put_comparisons(f, s, is_polished, 1);
}

static void put_saving(FILE *f, const pareto_method *m)
{
    const pareto_saving *c = &m->saving;
    const double n = (double) c->n;

    if (c->n == 0)
        return;
    fprintf(f,
            "| %s | %" PRId64 " | %.1f | %.1f | %.1f | %.1f | %.2f | %.4g | "
            "%.4g | %s |\n",
            ub_search_hardware_name(m->method), c->n, c->separate_seconds / n,
            c->shared_seconds / n, c->separate_seconds, c->shared_seconds,
            c->separate_seconds / c->shared_seconds, c->hypervolume[0],
            c->hypervolume[1], m->differing);
}

static void put_shared(FILE *f, const pareto_summary *s)
{
    if (!is_there(s, is_shared, 0))
        return;
    fputs("\n## shared\n\nOne micro search and one supernet for all lambdas, "
          "against searches of their own, by pairs of the same lambda and "
          "seed: seconds of search, those of what is shared included; "
          "hypervolume of the pairs' runs at batch 1, in ms * percentage "
          "points (smaller is better). Then the differences.\n\n"
          "| method | pairs | s a point, separate | s a point, shared | s in "
          "all, separate | s in all, shared | times as fast | hypervolume, "
          "separate | hypervolume, shared | options that differ |\n"
          "|---|---:|---:|---:|---:|---:|---:|---:|---:|---|\n",
          f);
    for (int64_t i = 0; i < s->n_methods; i++)
        put_saving(f, &s->methods[i]);
    fputs("\n", f);
    put_comparisons(f, s, is_shared, 0);
}

static void put_ablation(FILE *f, const pareto_point *p, const pareto_method *m)
{
    const pareto_comparison *c = &p->comparison;

    fprintf(f, "| %s | %s | %g | %" PRId64 " | ",
            pareto_row_name(p->method, p->label).text,
            m->differing[0] ? m->differing : "-", p->lambda, p->n);
    pareto_put_moments(f, &p->accuracy, 100.0, 2, p->n);
    fputs(" | ", f);
    pareto_put_moments(f, &p->latency_ms[PARETO_BATCH_1], PARETO_US(1), 1,
                       p->n);
    fputs(" | ", f);
    pareto_put_moments(f, &p->utilization[PARETO_BATCH_1], 100.0, 1, p->n);
    fprintf(f, " | %.1f | %" PRId64 " | ", 100.0 * m->near_share, c->n);
    put_change(f, &c->accuracy_change, 2, c->n);
    fputs(" | ", f);
    put_change(f, &c->latency_change, 1, c->n);
    fputs(" | ", f);
    put_change(f, &c->utilization_change, 1, c->n);
    fputs(" | ", f);
    pareto_put_number(f, "%.1f", 100.0 * m->comparison.near_share[0]);
    fputs(" |\n", f);
}

static void put_ablations(FILE *f, const pareto_summary *s)
{
    if (!is_there(s, is_ablation, 1))
        return;
    fputs("\n## ablations\n\nRuns with other options than the main runs of the "
          "same method, lambda and seed: which; what they reach at batch 1; "
          "widths within one step of a multiple of their array's columns, in "
          "all lambdas of the row; and the difference to the main runs, by "
          "pairs.\n\n"
          "| runs | options that differ | lambda | runs | accuracy % | us | "
          "utilization % | near % | pairs | accuracy, points | latency % "
          "| utilization, points | near % of the main runs |\n"
          "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
          "\n",
          f);
    for (int64_t i = 0; i < s->n_methods; i++) {
        const pareto_method *m = &s->methods[i];

        if (!is_ablation(m->label))
            continue;
        for (int64_t j = m->first; j < m->first + m->n; j++)
            put_ablation(f, &s->points[j], m);
    }
}

void pareto_put_variants(FILE *f, const pareto_summary *s)
{
    put_polished(f, s);
    put_shared(f, s);
    put_ablations(f, s);
}
