/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * What strategies cost beside the evaluations: whole runs of each kind on a
 * made-up table of 15,625 cells with two metrics, one thread, and the time per
 * candidate. NSGA-II's run has 1,000 evaluations. A JSON line for each.
 */
#include "bench.h"

enum { DECISIONS = 6, CHOICES = 5, CELLS = 15625, BUDGET = 1000 };

typedef struct run {
    bench *bench;
    const ub_decisions *decisions;
    ub_strategy_options options;
    const double *table; /* CELLS x 2 */
    double gradient[DECISIONS * CHOICES];
    int64_t evaluated;
} run;

static ub_status evaluate(void *user, const ub_candidate *candidate,
                          ub_result *result)
{
    run *r = user;
    int64_t code = 0;

    for (int d = 0; d < DECISIONS; d++)
        code = code * CHOICES + candidate->choices[d];
    result->objectives = r->table + 2 * code;
    if (candidate->weights != NULL)
        result->gradient = r->gradient;
    r->evaluated++;
    return UB_OK;
}

static void pass(void *user)
{
    run *r = user;
    ub_strategy *strategy = NULL;

    r->evaluated = 0;
    bench_check(r->bench, ub_strategy_create(r->bench->context, r->decisions,
                                             &r->options, &strategy));
    bench_check(r->bench, ub_strategy_run(strategy, evaluate, r));
    ub_strategy_destroy(&strategy);
}

/* Each cell's sum of what its choices are worth, and noise. */
static void make_table(double *table)
{
    ub_rng rng;

    ub_rng_init(&rng, 1, 0);
    for (int64_t code = 0; code < CELLS; code++) {
        int64_t rest = code;

        table[2 * code] = 10.0 * ub_rng_uniform(&rng);
        table[2 * code + 1] = 0.0;
        for (int d = 0; d < DECISIONS; d++, rest /= CHOICES) {
            table[2 * code] += 3.0 * (double) (rest % CHOICES);
            table[2 * code + 1] += (double) (rest % CHOICES * (d + 1));
        }
    }
}

static void run_kind(run *r, int32_t kind)
{
    bench_times t;

    r->options.kind = kind;
    bench_measure(r->bench, pass, r, &t);
    bench_report(r->bench, &t, "ms",
                 "\"strategy\": \"%s\", \"evaluations\": %lld, "
                 "\"us_per_candidate\": %.3f",
                 ub_strategy_kind_name(kind), (long long) r->evaluated,
                 t.median / (double) r->evaluated * 1e6);
}

int main(int argc, char **argv)
{
    static const int32_t choices[DECISIONS] = { 5, 5, 5, 5, 5, 5 };
    static const int32_t directions[] = { UB_MAXIMIZE, UB_MINIMIZE };
    static double table[2 * CELLS];
    const ub_decisions decisions = { .size = sizeof(decisions),
                                     .n = DECISIONS,
                                     .choices = choices };
    bench b = {
        .name = "strategy", .runs = 5, .seconds = 0.2, .one_thread = 1
    };
    run r = { .bench = &b, .decisions = &decisions, .table = table };

    bench_open(&b, NULL, argc, argv);
    make_table(table);
    ub_strategy_options_init(&r.options, sizeof(r.options));
    r.options.budget = BUDGET;
    r.options.objectives = 2;
    r.options.directions = directions;
    for (int32_t kind = 0; ub_strategy_kind_name(kind) != NULL; kind++)
        run_kind(&r, kind);
    bench_close(&b);
    return 0;
}
