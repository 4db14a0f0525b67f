/* SPDX-License-Identifier: BSD-2-Clause */
/* What is computed of the runs of a grid. */
#include "pareto_cifar10/variants.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const pareto_operators[PARETO_OPERATORS] = {
    "conv3x3",    "conv5x5",    "separable3x3", "separable5x5",
    "dilated3x3", "dilated5x5", "identity",     "zero"
};

enum { SEPARABLE_3 = 2, SEPARABLE_5 = 3 };

/* How much lower an accuracy may be and still count as similar. */
#define SIMILAR 0.01

static int no_memory(void)
{
    fputs("out of memory\n", stderr);
    return 0;
}

static int complain(ub_context *context)
{
    fprintf(stderr, "summary: %s\n", ub_context_last_error(context));
    return 0;
}

/* -- points -----------------------------------------------------------------
 */

pareto_moments pareto_find_moments(const double *x, int64_t n)
{
    pareto_moments m = { 0.0, NAN };
    double squares = 0.0;

    if (n == 0)
        return (pareto_moments){ NAN, NAN };
    for (int64_t i = 0; i < n; i++)
        m.mean += x[i] / (double) n;
    for (int64_t i = 0; i < n; i++)
        squares += (x[i] - m.mean) * (x[i] - m.mean);
    if (n > 1)
        m.deviation = sqrt(squares / (double) (n - 1));
    return m;
}

/* `room` is for n numbers. */
static void fill_point(pareto_point *p, const pareto_run *runs, int64_t n,
                       double *room)
{
    memset(p, 0, sizeof(*p));
    memcpy(p->label, runs[0].label, sizeof(p->label));
    p->method = runs[0].method;
    p->lambda = runs[0].lambda;
    p->n = n;
    for (int64_t i = 0; i < n; i++)
        room[i] = runs[i].accuracy;
    p->accuracy = pareto_find_moments(room, n);
    for (int64_t i = 0; i < n; i++)
        room[i] = runs[i].seconds[0] + runs[i].seconds[1] + runs[i].seconds[2];
    p->seconds = pareto_find_moments(room, n);
    for (int b = 0; b < PARETO_BATCHES; b++) {
        for (int64_t i = 0; i < n; i++)
            room[i] = runs[i].latency_ms[b];
        p->latency_ms[b] = pareto_find_moments(room, n);
        for (int64_t i = 0; i < n; i++)
            room[i] = runs[i].utilization[b];
        p->utilization[b] = pareto_find_moments(room, n);
        p->speedup[b] = NAN;
    }
}

/* Runs are sorted by label, method, lambda and seed. */
static int make_points(const pareto_results *r, pareto_summary *s)
{
    double *room = calloc((size_t) r->n, sizeof(*room));
    int64_t end;

    s->points = calloc((size_t) r->n, sizeof(*s->points));
    if (room == NULL || s->points == NULL) {
        free(room);
        return no_memory();
    }
    for (int64_t at = 0; at < r->n; at = end) {
        const pareto_run *first = &r->runs[at];

        for (end = at + 1; end < r->n; end++) {
            if (r->runs[end].method != first->method ||
                strcmp(r->runs[end].label, first->label) != 0 ||
                r->runs[end].lambda > first->lambda)
                break;
        }
        fill_point(&s->points[s->n_points++], first, end - at, room);
    }
    free(room);
    return 1;
}

/* -- methods ----------------------------------------------------------------
 */

static int add_methods(pareto_summary *s)
{
    s->methods = calloc((size_t) s->n_points + 1, sizeof(*s->methods));
    if (s->methods == NULL)
        return no_memory();
    for (int64_t i = 0; i < s->n_points; i++) {
        const pareto_point *p = &s->points[i];
        pareto_method *m = s->n_methods ? &s->methods[s->n_methods - 1] : NULL;

        if (m == NULL || m->method != p->method ||
            strcmp(m->label, p->label) != 0) {
            m = &s->methods[s->n_methods++];
            m->method = p->method;
            memcpy(m->label, p->label, sizeof(m->label));
            m->first = i;
            s->n_main += m->label[0] == '\0';
        }
        m->n++;
        m->n_runs += p->n;
    }
    return 1;
}

static int is_of(const pareto_run *run, const pareto_method *m)
{
    return run->method == m->method && strcmp(run->label, m->label) == 0;
}

/* Of latency and accuracy. */
static const int32_t directions[2] = { UB_MINIMIZE, UB_MAXIMIZE };

/* Points of the method that none of its others dominates. */
static int find_front(ub_context *context, pareto_summary *s,
                      const pareto_method *m, int batch)
{
    pareto_point *points = &s->points[m->first];
    double *values = calloc((size_t) m->n, 2 * sizeof(*values));
    int64_t *front = calloc((size_t) m->n, sizeof(*front));
    int64_t n = 0;
    ub_status status;

    if (values == NULL || front == NULL) {
        free(values);
        free(front);
        return no_memory();
    }
    for (int64_t i = 0; i < m->n; i++) {
        values[2 * i] = points[i].latency_ms[batch].mean;
        values[2 * i + 1] = points[i].accuracy.mean;
    }
    status = ub_pareto_front(context, m->n, 2, values, directions, front, &n);
    for (int64_t i = 0; i < n; i++)
        points[front[i]].on_front[batch] = 1;
    free(values);
    free(front);
    return status == UB_OK || complain(context);
}

int pareto_hypervolume(ub_context *context, int64_t n, const double *values,
                       double *out)
{
    static const double ideal[2] = { 0.0, 100.0 };

    return ub_hypervolume_ideal(context, n, values, directions, ideal, out) ==
               UB_OK ||
           complain(context);
}

static int find_dominated(ub_context *context, const pareto_results *r,
                          int64_t n, const double *values, int batch,
                          double *out)
{
    double worst[2] = { 0.0, 100.0 }, area = 0.0;
    ub_status status;

    for (int64_t i = 0; i < r->n_main; i++) {
        worst[0] = fmax(worst[0], r->runs[i].latency_ms[batch]);
        worst[1] = fmin(worst[1], 100.0 * r->runs[i].accuracy);
    }
    status = ub_hypervolume_dominated(context, n, values, directions, worst,
                                      &area);
    *out = r->n_main > 0 ? area / (worst[0] * (100.0 - worst[1])) : NAN;
    return status == UB_OK || complain(context);
}

/* The runs themselves, of all seeds and lambdas. */
static int find_hypervolume(ub_context *context, const pareto_results *r,
                            pareto_method *m, int batch)
{
    double *values = calloc((size_t) m->n_runs, 2 * sizeof(*values));
    int64_t n = 0;
    int good;

    if (values == NULL)
        return no_memory();
    for (int64_t i = 0; i < r->n; i++) {
        if (!is_of(&r->runs[i], m))
            continue;
        values[2 * n] = r->runs[i].latency_ms[batch];
        values[2 * n + 1] = 100.0 * r->runs[i].accuracy;
        n++;
    }
    good = pareto_hypervolume(context, n, values, &m->hypervolume[batch]) &&
           find_dominated(context, r, n, values, batch, &m->dominated[batch]);
    free(values);
    return good;
}

static void choose_shown(const pareto_results *r, pareto_method *m)
{
    double least = INFINITY;

    for (int64_t i = 0; i < r->n; i++) {
        const pareto_run *run = &r->runs[i];
        const double size = run->latency_ms[PARETO_BATCH_1] *
                            (1.0 - run->accuracy);

        if (is_of(run, m) && size < least) {
            least = size;
            m->shown = (int32_t) i;
        }
    }
}

/* -- speed at similar accuracy ----------------------------------------------
 */

/* Of the fastest systolic point of at least that accuracy; infinite if there is
 * none. A point less is a point less: 1e-9 forgives the last digits of a
 * mean. */
static double systolic_latency(const pareto_summary *s, double accuracy,
                               int batch)
{
    double fastest = INFINITY;

    for (int64_t i = 0; i < s->n_points; i++) {
        const pareto_point *q = &s->points[i];

        if (q->label[0] == '\0' && q->method == UB_SEARCH_SYSTOLIC &&
            q->accuracy.mean >= accuracy - 1e-9)
            fastest = fmin(fastest, q->latency_ms[batch].mean);
    }
    return fastest;
}

static void compare_speed(pareto_summary *s, pareto_method *m, int batch)
{
    const double fastest_of_all = systolic_latency(s, 0.0, batch);
    double logs = 0.0, logs_any = 0.0;
    int64_t n;

    m->speedup[batch] = m->speedup_any[batch] = NAN;
    if (m->method == UB_SEARCH_SYSTOLIC || m->method >= PARETO_JUDGED ||
        m->label[0] != '\0')
        return;
    for (int64_t i = m->first; i < m->first + m->n; i++) {
        pareto_point *p = &s->points[i];
        const double fastest = systolic_latency(s, p->accuracy.mean - SIMILAR,
                                                batch);

        if (!p->on_front[batch])
            continue;
        logs_any += log(p->latency_ms[batch].mean / fastest_of_all);
        if (isinf(fastest)) {
            m->unmatched[batch]++;
            continue;
        }
        p->speedup[batch] = p->latency_ms[batch].mean / fastest;
        logs += log(p->speedup[batch]);
        m->compared[batch]++;
    }
    if (m->compared[batch] > 0)
        m->speedup[batch] = exp(logs / (double) m->compared[batch]);
    n = m->compared[batch] + m->unmatched[batch];
    if (n > 0 && isfinite(fastest_of_all))
        m->speedup_any[batch] = exp(logs_any / (double) n);
}

/* -- widths, operators, cycles
 * ---------------------------------------------------
 */

/* 0 is no multiple. */
static int is_near(const pareto_results *r, int64_t columns, int64_t width)
{
    const int64_t step = r->widths.step * r->cost_scale;
    const int64_t above = (width + columns - 1) / columns * columns;
    const int64_t below = above - columns;

    return above - width <= step || (below > 0 && width - below <= step);
}

int64_t pareto_count_near(const pareto_results *r, const pareto_run *run)
{
    int64_t near = 0;

    for (int64_t i = 0; i < run->n_widths; i++)
        near += is_near(r, run->columns, run->widths[i]);
    return near;
}

static void set_bins(const pareto_results *r, pareto_summary *s)
{
    int64_t near = 0;

    s->bin_low = r->widths.low * r->cost_scale;
    s->bin_step = r->widths.step * r->cost_scale;
    s->n_bins = (r->widths.high - r->widths.low) / r->widths.step + 1;
    for (int64_t i = 0; i < s->n_bins; i++)
        near += is_near(r, r->columns, s->bin_low + i * s->bin_step);
    s->near_chance = (double) near / (double) s->n_bins;
}

/* A width that is none of the range's goes to the nearest bin. */
static int64_t bin_of(const pareto_summary *s, int64_t width)
{
    const int64_t bin = (width - s->bin_low + s->bin_step / 2) / s->bin_step;

    if (width < s->bin_low)
        return 0;
    return bin < s->n_bins ? bin : s->n_bins - 1;
}

static void add_shares(const pareto_results *r, pareto_method *m)
{
    for (int64_t i = 0; i < r->n; i++) {
        for (int b = 0; is_of(&r->runs[i], m) && b < PARETO_BATCHES; b++) {
            for (int j = 0; j < PARETO_SHARES; j++)
                m->shares[b][j] += r->runs[i].shares[b][j] / (double) m->n_runs;
        }
    }
}

static int count_choices(const pareto_results *r, const pareto_summary *s,
                         pareto_method *m)
{
    int64_t near = 0, convolutions = 0;

    m->histogram = calloc((size_t) s->n_bins, sizeof(*m->histogram));
    if (m->histogram == NULL)
        return no_memory();
    for (int64_t i = 0; i < r->n; i++) {
        const pareto_run *run = &r->runs[i];

        if (!is_of(run, m))
            continue;
        near += pareto_count_near(r, run);
        for (int64_t j = 0; j < run->n_widths; j++)
            m->histogram[bin_of(s, run->widths[j])]++;
        m->n_widths += run->n_widths;
        for (int j = 0; j < PARETO_EDGES; j++)
            m->operators[run->operators[j]]++;
    }
    for (int i = 0; i < PARETO_CONVOLUTIONS; i++)
        convolutions += m->operators[i];
    add_shares(r, m);
    if (m->n_widths > 0)
        m->near_share = (double) near / (double) m->n_widths;
    if (convolutions > 0)
        m->depthwise_share = (double) (m->operators[SEPARABLE_3] +
                                       m->operators[SEPARABLE_5]) /
                             (double) convolutions;
    return 1;
}

/* -- predictions ------------------------------------------------------------
 */

static int judge_model(ub_context *context, const pareto_results *r, int model,
                       int batch, double *room, pareto_prediction *out)
{
    double *predicted = room, *simulated = room + r->n_main, sum = 0.0;

    out->n = 0;
    for (int64_t i = 0; i < r->n_main; i++) {
        predicted[i] = r->runs[i].predicted_ms[model][batch];
        simulated[i] = r->runs[i].latency_ms[batch];
        if (isnan(predicted[i]))
            continue;
        sum += fabs(predicted[i] - simulated[i]) / simulated[i];
        out->n++;
    }
    out->error = out->n ? sum / (double) out->n : NAN;
    return ub_kendall_tau(context, r->n_main, predicted, simulated,
                          &out->tau) == UB_OK ||
           complain(context);
}

static int judge_models(ub_context *context, const pareto_results *r,
                        pareto_summary *s)
{
    double *room = calloc((size_t) r->n_main + 1, 2 * sizeof(*room));
    int good = room != NULL || no_memory();

    for (int m = 0; m < PARETO_MODELS; m++) {
        for (int b = 0; b < PARETO_BATCHES && good; b++)
            good = judge_model(context, r, m, b, room, &s->predictions[m][b]);
    }
    free(room);
    return good;
}

static int judge_method(ub_context *context, const pareto_results *r,
                        pareto_summary *s, pareto_method *m)
{
    choose_shown(r, m);
    for (int b = 0; b < PARETO_BATCHES; b++) {
        if (!find_front(context, s, m, b) ||
            !find_hypervolume(context, r, m, b))
            return 0;
        compare_speed(s, m, b);
    }
    return count_choices(r, s, m);
}

int pareto_summarize(ub_context *context, const pareto_results *results,
                     int64_t lambdas, int64_t seeds, pareto_summary *summary)
{
    int good;

    memset(summary, 0, sizeof(*summary));
    summary->results = results;
    summary->lambdas = lambdas;
    summary->seeds = seeds;
    good = make_points(results, summary) && add_methods(summary);
    if (good)
        set_bins(results, summary);
    for (int64_t i = 0; i < summary->n_methods && good; i++)
        good = judge_method(context, results, summary, &summary->methods[i]);
    good = good && judge_models(context, results, summary) &&
           pareto_compare(context, summary);
    if (!good)
        pareto_summary_free(summary);
    return good;
}

void pareto_summary_free(pareto_summary *summary)
{
    for (int64_t i = 0; i < summary->n_methods; i++)
        free(summary->methods[i].histogram);
    free(summary->methods);
    free(summary->points);
    memset(summary, 0, sizeof(*summary));
}
