/* SPDX-License-Identifier: BSD-2-Clause */
#include "pareto_cifar10/claims.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* What has to be reached. */
#define SPEEDUP     2.8
#define HYPERVOLUME 2.0
#define NEAR_CHANCE 2.0

/* U-Boost NAS, table of CIFAR-10, by ub_search_hardware. */
static const double paper_lambdas[] = { 0.1, 0.5, 1.0, 5.0 };

static const struct {
    double accuracy[4], run_time[4];
} paper[PARETO_JUDGED] = {
    [UB_SEARCH_SYSTOLIC] = { { 90.9, 91.4, 91.3, 89.5 }, { 73, 51, 39, 30 } },
    [UB_SEARCH_FLOPS] = { { 90.0, 88.4, 84.0, 87.0 }, { 235, 320, 251, 159 } },
    [UB_SEARCH_ROOFLINE] = { { 91.7, 89.2, 88.7, 87.6 },
                             { 214, 175, 137, 252 } },
    [UB_SEARCH_BLACKBOX] = { { 91.4, 90.2, 91.3, 90.4 },
                             { 209, 155, 147, 122 } },
};

const double pareto_paper_hypervolumes[PARETO_JUDGED] = {
    [UB_SEARCH_SYSTOLIC] = 0.39,
    [UB_SEARCH_FLOPS] = 2.68,
    [UB_SEARCH_ROOFLINE] = 1.86,
    [UB_SEARCH_BLACKBOX] = 1.47,
};

int pareto_paper(int32_t method, double lambda, double *accuracy,
                 double *run_time)
{
    for (int i = 0; i < 4 && method < PARETO_JUDGED; i++) {
        if (fabs(lambda - paper_lambdas[i]) > 1e-9)
            continue;
        *accuracy = paper[method].accuracy[i];
        *run_time = paper[method].run_time[i];
        return 1;
    }
    return 0;
}

const char *pareto_verdict_name(pareto_verdict verdict)
{
    static const char *const names[] = {
        [PARETO_HOLDS] = "holds",
        [PARETO_PARTLY] = "holds in part",
        [PARETO_FAILS] = "does not hold",
        [PARETO_OPEN] = "runs are missing",
        [PARETO_TOLD] = "-",
    };

    return names[verdict];
}

const pareto_method *pareto_find(const pareto_summary *summary, int32_t method)
{
    for (int64_t i = 0; i < summary->n_methods; i++) {
        if (summary->methods[i].method == method &&
            summary->methods[i].label[0] == '\0')
            return &summary->methods[i];
    }
    return NULL;
}

static int is_first_of_lambda(const pareto_summary *s, int64_t index)
{
    for (int64_t i = 0; i < index; i++) {
        if (s->points[i].lambda >= s->points[index].lambda &&
            s->points[i].lambda <= s->points[index].lambda)
            return 0;
    }
    return 1;
}

void pareto_count(const pareto_summary *s, int64_t *runs, int64_t *wanted,
                  int64_t *lambdas, int64_t *seeds)
{
    *runs = *lambdas = *seeds = 0;
    for (int64_t i = 0; i < s->n_points; i++) {
        if (s->points[i].method >= PARETO_JUDGED ||
            s->points[i].label[0] != '\0')
            continue; /* sorted: behind the judged ones */
        *runs += s->points[i].n;
        *lambdas += is_first_of_lambda(s, i);
        if (s->points[i].n > *seeds)
            *seeds = s->points[i].n;
    }
    *wanted = PARETO_JUDGED * (*lambdas > s->lambdas ? *lambdas : s->lambdas) *
              (*seeds > s->seeds ? *seeds : s->seeds);
}

/* -- the claims -------------------------------------------------------------
 */

#define SET(text, ...) snprintf(text, sizeof(text), __VA_ARGS__)

static void judge_speed(const pareto_summary *s, int32_t method,
                        pareto_claim *c)
{
    const pareto_method *m = pareto_find(s, method);
    double ratio;
    int64_t none;

    SET(c->name, "faster than %s at similar accuracy",
        ub_search_hardware_name(method));
    SET(c->paper, "2.8 to 4 times (to hold: %.1f)", SPEEDUP);
    if (m == NULL || pareto_find(s, UB_SEARCH_SYSTOLIC) == NULL)
        return;
    ratio = m->speedup[PARETO_BATCH_1];
    none = m->unmatched[PARETO_BATCH_1];
    if (m->compared[PARETO_BATCH_1] == 0) {
        SET(c->ours,
            "none of the %" PRId64 " points of its front has a systolic point "
            "of similar accuracy",
            none);
        c->verdict = PARETO_FAILS;
        return;
    }
    SET(c->ours,
        "%.2f times, geometric mean over %" PRId64 " points of its front; "
        "%" PRId64 " more without a systolic point of similar accuracy; %.2f "
        "times against the fastest of any accuracy",
        ratio, m->compared[PARETO_BATCH_1], none,
        m->speedup_any[PARETO_BATCH_1]);
    c->verdict = ratio < SPEEDUP ? PARETO_FAILS
                 : none > 0      ? PARETO_PARTLY
                                 : PARETO_HOLDS;
}

static void judge_hypervolume(const pareto_summary *s, pareto_claim *c)
{
    const pareto_method *systolic = pareto_find(s, UB_SEARCH_SYSTOLIC);
    const pareto_method *best = NULL;
    double ratio;

    SET(c->name, "smallest hypervolume");
    SET(c->paper, "%.2f against %.2f of blackbox, 3.8 times (to hold: %g)",
        pareto_paper_hypervolumes[UB_SEARCH_SYSTOLIC],
        pareto_paper_hypervolumes[UB_SEARCH_BLACKBOX], HYPERVOLUME);
    for (int32_t i = 1; i < PARETO_JUDGED; i++) {
        const pareto_method *m = pareto_find(s, i);

        if (m == NULL)
            return;
        if (best == NULL ||
            m->hypervolume[PARETO_BATCH_1] < best->hypervolume[PARETO_BATCH_1])
            best = m;
    }
    if (systolic == NULL || best == NULL)
        return;
    ratio = best->hypervolume[PARETO_BATCH_1] /
            systolic->hypervolume[PARETO_BATCH_1];
    SET(c->ours, "%.3g against %.3g of %s, %.2f times",
        systolic->hypervolume[PARETO_BATCH_1],
        best->hypervolume[PARETO_BATCH_1],
        ub_search_hardware_name(best->method), ratio);
    c->verdict = ratio >= HYPERVOLUME ? PARETO_HOLDS : PARETO_FAILS;
}

static void judge_widths(const pareto_summary *s, pareto_claim *c)
{
    const pareto_method *systolic = pareto_find(s, UB_SEARCH_SYSTOLIC);
    double most = 0.0;

    SET(c->name, "widths gather at multiples of the array");
    SET(c->paper, "at 128 and 256 (to hold: %g times chance, above all others)",
        NEAR_CHANCE);
    for (int32_t i = 1; i < PARETO_JUDGED; i++) {
        const pareto_method *m = pareto_find(s, i);

        if (m == NULL)
            return;
        most = fmax(most, m->near_share);
    }
    if (systolic == NULL)
        return;
    SET(c->ours,
        "%.1f %% within a step of one; by chance %.1f %%; at most %.1f %% "
        "of the others",
        100.0 * systolic->near_share, 100.0 * s->near_chance, 100.0 * most);
    c->verdict = systolic->near_share >= NEAR_CHANCE * s->near_chance &&
                         systolic->near_share > most
                     ? PARETO_HOLDS
                     : PARETO_FAILS;
}

static void judge_operators(const pareto_summary *s, pareto_claim *c)
{
    const pareto_method *systolic = pareto_find(s, UB_SEARCH_SYSTOLIC);
    const pareto_method *flops = pareto_find(s, UB_SEARCH_FLOPS);

    SET(c->name, "fewer depthwise operators than flops");
    SET(c->paper, "standard and dilated convolutions; flops: depthwise "
                  "separable ones");
    if (systolic == NULL || flops == NULL)
        return;
    SET(c->ours, "%.1f %% of the convolutions, flops %.1f %%",
        100.0 * systolic->depthwise_share, 100.0 * flops->depthwise_share);
    c->verdict = systolic->depthwise_share < flops->depthwise_share
                     ? PARETO_HOLDS
                     : PARETO_FAILS;
}

static void tell_prediction(const pareto_summary *s, pareto_claim *c)
{
    const pareto_prediction *own = &s->predictions[0][PARETO_HW_BATCH];
    const pareto_prediction *roofline = &s->predictions[3][PARETO_HW_BATCH];

    SET(c->name, "the model predicts the array");
    SET(c->paper, "utilization of a TPU v2: 2 %% off at most, the roofline up "
                  "to 40 %%");
    if (own->n == 0)
        return;
    SET(c->ours,
        "latency of the simulator, batch %" PRId64 ": %.1f %% off in the "
        "mean, the roofline %.1f %%",
        s->results->hw_batch, 100.0 * own->error, 100.0 * roofline->error);
    c->verdict = PARETO_TOLD;
}

void pareto_judge(const pareto_summary *summary,
                  pareto_claim claims[PARETO_CLAIMS])
{
    int64_t runs, wanted, lambdas, seeds;

    memset(claims, 0, PARETO_CLAIMS * sizeof(*claims));
    for (int i = 0; i < PARETO_CLAIMS; i++) {
        claims[i].verdict = PARETO_OPEN;
        SET(claims[i].ours, "-");
    }
    for (int32_t i = 1; i < PARETO_JUDGED; i++)
        judge_speed(summary, i, &claims[i - 1]);
    judge_hypervolume(summary, &claims[3]);
    judge_widths(summary, &claims[4]);
    judge_operators(summary, &claims[5]);
    tell_prediction(summary, &claims[6]);
    pareto_count(summary, &runs, &wanted, &lambdas, &seeds);
    for (int i = 0; i < PARETO_CLAIMS && runs < wanted; i++) {
        if (claims[i].verdict != PARETO_TOLD)
            claims[i].verdict = PARETO_OPEN;
    }
}
