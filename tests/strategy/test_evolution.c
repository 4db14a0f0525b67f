/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"
#include "tables.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <uboost/strategy.h>

/* Evolution, NSGA-II and random search on NAS-Bench-201: they are led by the
 * accuracy after 12 epochs, and judged by that after 200. */

static const int32_t operators[] = { 5, 5, 5, 5, 5, 5 };
static const ub_decisions cell = { .size = sizeof(cell),
                                   .n = NB201_EDGES,
                                   .choices = operators };

typedef struct evaluator {
    const double *signal; /* by code */
    double objectives[2]; /* the signal; multiply-accumulates */
} evaluator;

static ub_status evaluate(void *user, const ub_candidate *candidate,
                          ub_result *result)
{
    evaluator *e = user;

    e->objectives[0] = e->signal[nb201_code(candidate->choices)];
    e->objectives[1] = nb201_macs(candidate->choices);
    result->objectives = e->objectives;
    return UB_OK;
}

/* The mean over so many seeds of what is found with 300 evaluations. */
static double mean_found(ub_context *context, const struct nb201 *tables,
                         int32_t kind, int seeds)
{
    const int32_t maximize = UB_MAXIMIZE;
    ub_strategy_options options;
    double sum = 0.0;

    ub_strategy_options_init(&options, sizeof(options));
    options.kind = kind;
    options.budget = 300;
    options.directions = &maximize;
    for (int i = 0; i < seeds; i++) {
        evaluator e = { .signal = tables->val12[NB201_CIFAR10] };
        ub_strategy *strategy = NULL;
        int32_t best[NB201_EDGES];
        int64_t n;

        options.seed = (uint64_t) i;
        assert_int_equal(
            ub_strategy_create(context, &cell, &options, &strategy), UB_OK);
        assert_int_equal(ub_strategy_run(strategy, evaluate, &e), UB_OK);
        assert_int_equal(ub_strategy_best(strategy, 1, best, NULL, &n), UB_OK);
        assert_int_equal(n, 1);
        sum += tables->test200[NB201_CIFAR10][nb201_code(best)];
        ub_strategy_destroy(&strategy);
    }
    return sum / seeds;
}

static const double *compared;

static int by_signal(const void *a, const void *b)
{
    const double x = compared[*(const int64_t *) a];
    const double y = compared[*(const int64_t *) b];

    return (x < y) - (x > y);
}

/* What the best of 300 draws is worth on average: the cell of rank r by its
 * signal is found when none of the better ones is drawn, and itself is. */
static double expected_of_random(const struct nb201 *tables)
{
    static int64_t order[NB201_CELLS];
    double sum = 0.0;

    for (int64_t i = 0; i < NB201_CELLS; i++)
        order[i] = i;
    compared = tables->val12[NB201_CIFAR10];
    qsort(order, NB201_CELLS, sizeof(order[0]), by_signal);
    for (int64_t r = 0; r < NB201_CELLS; r++) {
        const double none = pow(1.0 - (double) r / NB201_CELLS, 300);
        const double all = pow(1.0 - (double) (r + 1) / NB201_CELLS, 300);

        sum += (none - all) * tables->test200[NB201_CIFAR10][order[r]];
    }
    return sum;
}

/* The standard deviation of random search is 0.22, that of a mean of 200 is
 * 0.016; four of them. Known of regularized evolution: 94.31. */
static void test_accuracy(void **state)
{
    ub_context *context = test_context(1);
    struct nb201 *tables = nb201_read();
    double random, evolution;

    (void) state;
    if (tables == NULL) {
        ub_context_destroy(&context);
        skip();
    }
    random = mean_found(context, tables, UB_STRATEGY_RANDOM, 200);
    evolution = mean_found(context, tables, UB_STRATEGY_EVOLUTION, 200);
    print_message("random %.3f (exactly %.3f), evolution %.3f\n", random,
                  expected_of_random(tables), evolution);
    assert_close(random, expected_of_random(tables), 0.065);
    assert_true(evolution >= 94.2);
    assert_true(evolution >= random + 0.3);
    free(tables);
    ub_context_destroy(&context);
}

/* -- NSGA-II -------------------------------------------------------------- */

#define MAX_FRONT 200

static const int32_t directions[] = { UB_MAXIMIZE, UB_MINIMIZE };

static void all_metrics(const double *accuracy, double *values)
{
    for (int64_t code = 0; code < NB201_CELLS; code++) {
        int32_t choices[NB201_EDGES];

        nb201_choices(code, choices);
        values[2 * code] = accuracy[code];
        values[2 * code + 1] = nb201_macs(choices);
    }
}

static double hypervolume(ub_context *context, int64_t n, const double *values)
{
    const double reference[] = { 0.0, 240.0 };
    double volume;

    assert_int_equal(ub_hypervolume_dominated(context, n, values, directions,
                                              reference, &volume),
                     UB_OK);
    return volume;
}

typedef struct score {
    double volume; /* share of the true front's */
    double points; /* of the true front */
} score;

static int64_t count_points(const double *found, int64_t n, const double *all,
                            const int64_t *front, int64_t front_n)
{
    int64_t count = 0;

    for (int64_t i = 0; i < front_n; i++) {
        const double *point = all + 2 * front[i];
        int hit = 0;

        for (int64_t k = 0; k < n; k++)
            hit |= found[2 * k] == point[0] && found[2 * k + 1] == point[1];
        count += hit;
    }
    return count;
}

/* Equal candidates, which stand side by side, are one point. */
static int64_t without_equals(int64_t *front, int64_t n, const double *all)
{
    int64_t kept = 0;

    for (int64_t i = 0; i < n; i++) {
        if (kept == 0 || memcmp(all + 2 * front[i], all + 2 * front[kept - 1],
                                2 * sizeof(*all)) != 0)
            front[kept++] = front[i];
    }
    return kept;
}

static int64_t run(ub_context *context, const double *accuracy,
                   const ub_strategy_options *options, double *found)
{
    evaluator e = { .signal = accuracy };
    ub_strategy *strategy = NULL;
    int32_t choices[MAX_FRONT * NB201_EDGES];
    int64_t n;

    assert_int_equal(ub_strategy_create(context, &cell, options, &strategy),
                     UB_OK);
    assert_int_equal(ub_strategy_run(strategy, evaluate, &e), UB_OK);
    assert_int_equal(ub_strategy_best(strategy, MAX_FRONT, choices, found, &n),
                     UB_OK);
    ub_strategy_destroy(&strategy);
    return n < MAX_FRONT ? n : MAX_FRONT;
}

static score mean_score(ub_context *context, const double *accuracy,
                        int32_t kind, int seeds)
{
    static double all[2 * NB201_CELLS], found[2 * NB201_CELLS];
    static int64_t front[NB201_CELLS];
    int64_t front_n;
    ub_strategy_options options;
    score total = { 0.0, 0.0 };

    all_metrics(accuracy, all);
    assert_int_equal(ub_pareto_front(context, NB201_CELLS, 2, all, directions,
                                     front, &front_n),
                     UB_OK);
    front_n = without_equals(front, front_n, all);
    ub_strategy_options_init(&options, sizeof(options));
    options.kind = kind;
    options.budget = 1000;
    options.objectives = 2;
    options.directions = directions;
    for (int i = 0; i < seeds; i++) {
        int64_t n;

        options.seed = (uint64_t) i;
        n = run(context, accuracy, &options, found);
        total.volume += hypervolume(context, n, found) /
                        hypervolume(context, NB201_CELLS, all) / seeds;
        total.points += (double) count_points(found, n, all, front, front_n) /
                        seeds;
    }
    print_message("%s: %.5f of the volume, %.1f of %d points\n",
                  ub_strategy_kind_name(kind), total.volume, total.points,
                  (int) front_n);
    return total;
}

/* With 1,000 evaluations NSGA-II misses less than a fifth of what random search
 * misses of the volume under the true front of accuracy and operations, and
 * finds several times as many of its points. */
static void test_front(void **state)
{
    ub_context *context = test_context(1);
    struct nb201 *tables = nb201_read();
    score random, nsga2;

    (void) state;
    if (tables == NULL) {
        ub_context_destroy(&context);
        skip();
    }
    for (int k = 0; k < NB201_DATASETS; k++) {
        random = mean_score(context, tables->test200[k], UB_STRATEGY_RANDOM,
                            20);
        nsga2 = mean_score(context, tables->test200[k], UB_STRATEGY_NSGA2, 20);
        assert_true(1.0 - nsga2.volume < (1.0 - random.volume) / 5.0);
        assert_true(nsga2.points > 5.0 * random.points);
    }
    free(tables);
    ub_context_destroy(&context);
}

/* -- survival ------------------------------------------------------------- */

/* Results of two generations of four, both objectives to be minimised, and
 * which of the eight must not have children then. */
typedef struct generations {
    double objectives[8][2];
    double violations[8];
    int dies[8];
} generations;

static const generations lives[] = {
    /* On one front, four closer to each other than the rest. */
    { { { 0, 0 },
        { 10, -10 },
        { 1, -1 },
        { 1.1, -1.1 },
        { 1.2, -1.2 },
        { 5, -5 },
        { 1.05, -1.05 },
        { 1.15, -1.15 } },
      { 0 },
      { 0, 0, 1, 1, 0, 0, 1, 1 } },
    /* Two fronts, the second one far apart. */
    { { { 1, 9 },
        { 2, 8 },
        { 100, 9 },
        { 3, 7 },
        { 2, 90 },
        { 4, 6 },
        { 50, 50 },
        { 70, 20 } },
      { 0 },
      { 0, 0, 1, 0, 1, 0, 1, 1 } },
    /* Violations come first; behind the feasible ones the least of them. */
    { { { 1, 1 },
        { 50, 50 },
        { 2, 2 },
        { 60, 60 },
        { 3, 3 },
        { 70, 70 },
        { 4, 4 },
        { 5, 5 } },
      { 3, 0, 2, 0, 1, 0, 9, 8 },
      { 1, 0, 1, 0, 0, 0, 1, 1 } },
    /* So do failures. */
    { { { 1, 1 },
        { NAN, 2 },
        { 2, 2 },
        { 3, 3 },
        { NAN, 0 },
        { 0, INFINITY },
        { 4, 4 },
        { NAN, NAN } },
      { 5, 0, 6, 7, 0, 0, 8, 0 },
      { 0, 1, 0, 0, 1, 1, 0, 1 } },
};

static void check_survival(ub_context *context, const generations *g,
                           uint64_t seed)
{
    ub_strategy_options options;
    ub_strategy *strategy = NULL;
    ub_candidate c = { .size = sizeof(c) };
    int64_t n;

    ub_strategy_options_init(&options, sizeof(options));
    options.kind = UB_STRATEGY_NSGA2;
    options.objectives = 2;
    options.population = 4;
    options.budget = 12;
    options.seed = seed;
    assert_int_equal(ub_strategy_create(context, &cell, &options, &strategy),
                     UB_OK);
    for (int i = 0; i < 12; i++) {
        ub_result result;

        assert_int_equal(ub_strategy_ask(strategy, 1, &c, &n), UB_OK);
        assert_int_equal(n, 1);
        assert_true(i >= 4 || c.parent == -1);
        assert_true(i < 8 || (c.parent >= 0 && !g->dies[c.parent]));
        ub_result_init(&result, sizeof(result), c.id);
        result.objectives = g->objectives[i % 8];
        result.violation = g->violations[i % 8];
        assert_int_equal(ub_strategy_tell(strategy, 1, &result), UB_OK);
    }
    ub_strategy_destroy(&strategy);
}

static void test_survival(void **state)
{
    ub_context *context = test_context(1);

    (void) state;
    for (size_t i = 0; i < sizeof(lives) / sizeof(lives[0]); i++) {
        for (uint64_t seed = 0; seed < 20; seed++)
            check_survival(context, &lives[i], seed);
    }
    ub_context_destroy(&context);
}

/* The oldest dies, also if it is the best: with two members every parent is one
 * of the last two that have a result. */
static void test_age(void **state)
{
    ub_context *context = test_context(1);
    ub_strategy_options options;
    ub_strategy *strategy = NULL;
    ub_candidate c = { .size = sizeof(c) };
    int64_t n, last = -1, before = -1;

    (void) state;
    ub_strategy_options_init(&options, sizeof(options));
    options.population = 2;
    options.budget = 100;
    assert_int_equal(ub_strategy_create(context, &cell, &options, &strategy),
                     UB_OK);
    for (int i = 0; i < 100; i++) {
        const double objective = i;
        ub_result result;

        assert_int_equal(ub_strategy_ask(strategy, 1, &c, &n), UB_OK);
        if (before < 0)
            assert_int_equal(c.parent, -1);
        else
            assert_true(c.parent == last || c.parent == before);
        ub_result_init(&result, sizeof(result), c.id);
        result.objectives = &objective;
        result.failed = i % 3 == 1;
        assert_int_equal(ub_strategy_tell(strategy, 1, &result), UB_OK);
        if (!result.failed) {
            before = last;
            last = c.id;
        }
    }
    ub_strategy_destroy(&strategy);
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accuracy),
        cmocka_unit_test(test_front),
        cmocka_unit_test(test_survival),
        cmocka_unit_test(test_age),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
