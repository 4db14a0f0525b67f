/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"
#include "tables.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <uboost/strategy.h>

/* Neighbourhood-aware search on NAS-Bench-201: every cell has 24 neighbours
 * that differ in one edge. The signal is the validation accuracy after 12
 * epochs, the judge the test accuracy after 200. */

#define NEIGHBOURS 24

static const int32_t five[] = { 5, 5, 5, 5, 5, 5 };
static const int32_t maximize = UB_MAXIMIZE;

static void neighbours_of(int64_t code, int64_t *out)
{
    int64_t place = 1, n = 0;

    for (int e = 0; e < NB201_EDGES; e++, place *= NB201_OPERATORS) {
        const int64_t digit = code / place % NB201_OPERATORS;

        for (int64_t op = 0; op < NB201_OPERATORS; op++) {
            if (op != digit)
                out[n++] = code + (op - digit) * place;
        }
    }
    assert_int_equal(n, NEIGHBOURS);
}

/* (V + sum of V over the neighbours) / 25 */
static void smooth(const double *table, double *out)
{
    for (int64_t code = 0; code < NB201_CELLS; code++) {
        int64_t near[NEIGHBOURS];
        double sum = table[code];

        neighbours_of(code, near);
        for (int i = 0; i < NEIGHBOURS; i++)
            sum += table[near[i]];
        out[code] = sum / (NEIGHBOURS + 1);
    }
}

/* NA-1: the mean of a neighbourhood ranks cells better than the cell alone. */
static void test_ranks(void **state)
{
    struct nb201 *tables = nb201_read();
    double *smoothed = malloc(NB201_CELLS * sizeof(*smoothed));
    ub_context *context;

    (void) state;
    if (tables == NULL) {
        free(smoothed);
        skip();
    }
    context = test_context(1);
    for (int k = 0; k < NB201_DATASETS; k++) {
        double alone, together;

        smooth(tables->val12[k], smoothed);
        assert_int_equal(ub_kendall_tau(context, NB201_CELLS, tables->val12[k],
                                        tables->test200[k], &alone),
                         UB_OK);
        assert_int_equal(ub_kendall_tau(context, NB201_CELLS, smoothed,
                                        tables->test200[k], &together),
                         UB_OK);
        print_message("tau %.4f -> %.4f\n", alone, together);
        assert_true(together >= alone + 0.02);
    }
    ub_context_destroy(&context);
    free(smoothed);
    free(tables);
}

/* An evaluator as unreliable as shared weights: normal noise of a standard
 * deviation of 5 points on the signal, the same whenever a cell comes. */
struct noisy {
    const double *signal;
    uint64_t seed;
    double value;
};

static ub_status evaluate(void *user, const ub_candidate *candidate,
                          ub_result *result)
{
    struct noisy *noisy = user;
    const int64_t code = nb201_code(candidate->choices);
    ub_rng rng;

    ub_rng_init(&rng, noisy->seed, (uint64_t) code);
    noisy->value = noisy->signal[code] + 5.0 * ub_rng_normal(&rng);
    result->objectives = &noisy->value;
    return UB_OK;
}

/* The cell a random search answers with. */
static int64_t found(ub_context *context, const double *signal, uint64_t seed,
                     int64_t centres, int64_t neighbours)
{
    const ub_decisions decisions = { .size = sizeof(decisions),
                                     .n = NB201_EDGES,
                                     .choices = five };
    struct noisy noisy = { .signal = signal, .seed = seed + 1000000 };
    ub_strategy_options options;
    ub_strategy *strategy = NULL;
    int32_t best[NB201_EDGES];
    int64_t n;

    ub_strategy_options_init(&options, sizeof(options));
    options.kind = UB_STRATEGY_RANDOM;
    options.seed = seed;
    options.directions = &maximize;
    options.neighbours = neighbours;
    options.batch = centres;
    options.budget = centres * (1 + neighbours);
    assert_int_equal(
        ub_strategy_create(context, &decisions, &options, &strategy), UB_OK);
    assert_int_equal(ub_strategy_run(strategy, evaluate, &noisy), UB_OK);
    assert_int_equal(ub_strategy_best(strategy, 1, best, NULL, &n), UB_OK);
    ub_strategy_destroy(&strategy);
    return nb201_code(best);
}

/* Standard deviation of the test accuracy among the neighbours of a cell. */
static double spread(const double *test, int64_t code)
{
    int64_t near[NEIGHBOURS];
    double sum = 0.0, squares = 0.0;

    neighbours_of(code, near);
    for (int i = 0; i < NEIGHBOURS; i++)
        sum += test[near[i]] / NEIGHBOURS;
    for (int i = 0; i < NEIGHBOURS; i++)
        squares += (test[near[i]] - sum) * (test[near[i]] - sum);
    return sqrt(squares / NEIGHBOURS);
}

/* NA-2, seeds 1 to 1000: at equal evaluations no worse than random search, at
 * as many candidates better by half a point, and flatter by a tenth. */
static void test_random_search(void **state)
{
    static const int64_t centres[] = { 100, 1100, 100 };
    static const int64_t neighbours[] = { 0, 0, 10 };
    struct nb201 *tables = nb201_read();
    const uint64_t seeds = 1000;
    ub_context *context;

    (void) state;
    if (tables == NULL)
        skip();
    context = test_context(1);
    for (int k = 0; k < NB201_DATASETS; k++) {
        double accuracy[3] = { 0.0 }, flatness[3] = { 0.0 };

        for (uint64_t seed = 1; seed <= seeds; seed++) {
            for (int i = 0; i < 3; i++) {
                const int64_t code = found(context, tables->val12[k], seed,
                                           centres[i], neighbours[i]);

                accuracy[i] += tables->test200[k][code] / (double) seeds;
                flatness[i] += spread(tables->test200[k], code) /
                               (double) seeds;
            }
        }
        print_message("accuracy %.3f, %.3f, with neighbours %.3f; spread %.3f, "
                      "%.3f, %.3f\n",
                      accuracy[0], accuracy[1], accuracy[2], flatness[0],
                      flatness[1], flatness[2]);
        assert_true(accuracy[2] >= accuracy[1]);
        assert_true(accuracy[2] >= accuracy[0] + 0.5);
        assert_true(flatness[2] <= 0.9 * flatness[0]);
    }
    ub_context_destroy(&context);
    free(tables);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranks),
        cmocka_unit_test(test_random_search),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
