/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <math.h>
#include <string.h>
#include <uboost/strategy.h>

#define MOST_CANDIDATES 120
#define MOST_METRICS    5

static const int32_t accuracy_latency[] = { UB_MAXIMIZE, UB_MINIMIZE };

/* -- best within limits --------------------------------------------------- */

static int64_t best(ub_context *context, const double *limits, int64_t metric)
{
    static const double values[] = { 0.90, 5.0, 0.95, 9.0, NAN,  1.0,
                                     0.92, 5.0, 0.92, 7.0, 0.99, NAN };
    int64_t out = 7;

    assert_int_equal(ub_best_within(context, 6, 2, values, accuracy_latency,
                                    limits, metric, &out),
                     UB_OK);
    return out;
}

static void best_within(void **state)
{
    const double fast[] = { NAN, 7.0 }, faster[] = { NAN, 4.0 };
    const double accurate[] = { 0.92, NAN };
    ub_context *context = test_context(1);
    int64_t out = 7;

    (void) state;
    /* without limits an unknown latency does not matter */
    assert_int_equal(best(context, NULL, 0), 5);
    assert_int_equal(best(context, NULL, 1), 2);
    /* the first of two, at the limit or not; unknown keeps to no limit */
    assert_int_equal(best(context, fast, 0), 3);
    assert_int_equal(best(context, faster, 0), -1);
    assert_int_equal(best(context, accurate, 1), 3);
    assert_int_equal(ub_best_within(context, 0, 1, NULL, NULL, NULL, 0, &out),
                     UB_OK);
    assert_int_equal(out, -1);
    ub_context_destroy(&context);
}

/* -- front and ranks ------------------------------------------------------ */

static void front_by_hand(void **state)
{
    /* 1 and 4 are equal, 2 is dominated, 3 is unknown, 6 ties 0 in accuracy */
    const double values[] = { 0.80, 1.0,  0.90, 2.0,  0.85, 3.0,  0.99,
                              NAN,  0.90, 2.0,  0.95, 5.0,  0.80, 1.5 };
    const int64_t expected[] = { 5, 1, 4, 0 };
    const int64_t expected_ranks[] = { 0, 0, 1, -1, 0, 0, 1 };
    ub_context *context = test_context(1);
    int64_t front[7], ranks[7], n = 0;

    (void) state;
    assert_int_equal(
        ub_pareto_front(context, 7, 2, values, accuracy_latency, front, &n),
        UB_OK);
    assert_int_equal(n, 4);
    assert_memory_equal(front, expected, sizeof(expected));
    assert_int_equal(
        ub_pareto_ranks(context, 7, 2, values, accuracy_latency, ranks), UB_OK);
    assert_memory_equal(ranks, expected_ranks, sizeof(ranks));
    /* one metric: the best and those equal to it */
    assert_int_equal(ub_pareto_front(context, 7, 1, values, NULL, front, &n),
                     UB_OK);
    assert_int_equal(n, 1);
    ub_context_destroy(&context);
}

static int dominates(int64_t m, const double *a, const double *b,
                     const int32_t *directions)
{
    int better = 0;

    for (int64_t k = 0; k < m; k++) {
        const double sign = directions[k] == UB_MAXIMIZE ? -1.0 : 1.0;

        if (isnan(a[k]) || isnan(b[k]) || sign * a[k] > sign * b[k])
            return 0;
        better |= sign * a[k] < sign * b[k];
    }
    return better;
}

static int known(int64_t m, const double *row)
{
    for (int64_t k = 0; k < m; k++) {
        if (isnan(row[k]))
            return 0;
    }
    return 1;
}

/* By the definition: peel off fronts until nothing is left. */
static void plain_ranks(int64_t n, int64_t m, const double *values,
                        const int32_t *directions, int64_t *ranks)
{
    int64_t left = 0;

    for (int64_t i = 0; i < n; i++) {
        ranks[i] = known(m, values + i * m) ? INT64_MAX : -1;
        left += ranks[i] >= 0;
    }
    for (int64_t rank = 0; left > 0; rank++) {
        for (int64_t i = 0; i < n; i++) {
            int dominated = ranks[i] < rank;

            for (int64_t k = 0; k < n && !dominated; k++)
                dominated = ranks[k] >= rank &&
                            dominates(m, values + k * m, values + i * m,
                                      directions);
            if (!dominated) {
                ranks[i] = rank;
                left--;
            }
        }
    }
}

static void check_front(ub_context *context, int64_t n, int64_t m,
                        const double *values, const int32_t *directions,
                        const int64_t *ranks)
{
    const double sign = directions[0] == UB_MAXIMIZE ? -1.0 : 1.0;
    int64_t front[MOST_CANDIDATES], size = -1, expected = 0;

    assert_int_equal(
        ub_pareto_front(context, n, m, values, directions, front, &size),
        UB_OK);
    for (int64_t i = 0; i < n; i++)
        expected += ranks[i] == 0;
    assert_int_equal(size, expected);
    for (int64_t at = 0; at < size; at++) {
        assert_int_equal(ranks[front[at]], 0);
        if (at > 0)
            assert_true(sign * values[front[at - 1] * m] <=
                        sign * values[front[at] * m]);
    }
}

static void as_by_definition(void **state)
{
    ub_context *context = test_context(1);
    double values[MOST_CANDIDATES * MOST_METRICS];
    int64_t ranks[MOST_CANDIDATES], expected[MOST_CANDIDATES];
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 3, 0);
    for (int round = 0; round < 200; round++) {
        const int64_t n = (int64_t) ub_rng_below(&rng, MOST_CANDIDATES + 1);
        const int64_t m = 1 + round % MOST_METRICS;
        const uint64_t numbers = 2 + ub_rng_below(&rng, 50);
        int32_t directions[MOST_METRICS];

        for (int64_t k = 0; k < m; k++)
            directions[k] = (int32_t) ub_rng_below(&rng, 2);
        /* few numbers make ties and equal candidates */
        for (int64_t i = 0; i < n * m; i++)
            values[i] = ub_rng_below(&rng, 60) == 0
                            ? NAN
                            : (double) ub_rng_below(&rng, numbers) - 5.0;
        plain_ranks(n, m, values, directions, expected);
        assert_int_equal(
            ub_pareto_ranks(context, n, m, values, directions, ranks), UB_OK);
        assert_memory_equal(ranks, expected, (size_t) n * sizeof(*ranks));
        check_front(context, n, m, values, directions, ranks);
    }
    ub_context_destroy(&context);
}

/* -- hypervolume ---------------------------------------------------------- */

static const double ideal[] = { 100.0, 0.0 };

static double to_ideal(ub_context *context, int64_t n, const double *values)
{
    double out = -1.0;

    assert_int_equal(
        ub_hypervolume_ideal(context, n, values, accuracy_latency, ideal, &out),
        UB_OK);
    return out;
}

/* The tables of U-Boost NAS: accuracy in %, run time. ImageNet-100's areas
 * follow from its table; CIFAR-10's printed means give other areas than the
 * printed ones, those here. */
static void as_published(void **state)
{
    const double imagenet[4][4] = {
        { 87.5, 4.8, 87.8, 4.05 },
        { 86.5, 4.7, 84.0, 3.5 },
        { 87.2, 6.1, 78.4, 3.4 },
        { 87.8, 2.2, 87.9, 1.05 },
    };
    const double imagenet_areas[] = { 49.4, 72.2, 108.0, 12.7 };
    const double cifar[4][8] = {
        { 91.4, 0.209, 90.2, 0.155, 91.3, 0.147, 90.4, 0.122 },
        { 91.7, 0.214, 89.2, 0.175, 88.7, 0.137, 87.6, 0.252 },
        { 90.0, 0.235, 88.4, 0.320, 84.0, 0.251, 87.0, 0.159 },
        { 90.9, 0.073, 91.4, 0.051, 91.3, 0.039, 89.5, 0.030 },
    };
    const double cifar_areas[] = { 1.92, 2.28, 2.83, 0.50 };
    ub_context *context = test_context(1);

    (void) state;
    for (int i = 0; i < 4; i++) {
        /* half a unit of the last digit printed */
        assert_close(to_ideal(context, 2, imagenet[i]), imagenet_areas[i],
                     0.05);
        assert_close(to_ideal(context, 4, cifar[i]), cifar_areas[i], 0.005);
    }
    ub_context_destroy(&context);
}

static void areas_by_hand(void **state)
{
    const double values[] = { 1.0, 3.0, 2.0, 2.0, NAN, 0.0,
                              3.0, 1.0, 3.0, 3.0, 9.0, 0.5 };
    const double zero[] = { 0.0, 0.0 }, reference[] = { 4.0, 4.0 };
    ub_context *context = test_context(1);
    double out = -1.0;

    (void) state;
    assert_int_equal(ub_hypervolume_ideal(context, 5, values, NULL, zero, &out),
                     UB_OK);
    assert_close(out, 3.0 + 2.0 + 1.0, 1e-15);
    /* the last candidate is on the front, beyond the reference */
    assert_int_equal(
        ub_hypervolume_dominated(context, 6, values, NULL, reference, &out),
        UB_OK);
    assert_close(out, 3.0 + 2.0 + 1.0, 1e-15);
    assert_int_equal(
        ub_hypervolume_dominated(context, 0, NULL, NULL, reference, &out),
        UB_OK);
    assert_close(out, 0.0, 0.0);
    assert_int_equal(ub_hypervolume_ideal(context, 0, NULL, NULL, zero, &out),
                     UB_OK);
    assert_true(isnan(out));
    ub_context_destroy(&context);
}

/* Unit cells of a grid that a rectangle between a candidate and the corner
 * (side 1: the far one, at 20; -1: the origin) covers. */
static double count_cells(int64_t n, const int64_t *candidates,
                          const double *values, int side)
{
    double cells = 0.0;

    for (int cell = 0; cell < 400; cell++) {
        const double x = cell % 20 + 0.5, y = cell / 20 + 0.5;
        int covered = 0;

        for (int64_t at = 0; at < n; at++) {
            const double *p = values + 2 * candidates[at];

            covered |= (x - p[0]) * side > 0.0 && (y - p[1]) * side > 0.0;
        }
        cells += covered;
    }
    return cells;
}

static void areas_by_counting(void **state)
{
    const double zero[] = { 0.0, 0.0 }, reference[] = { 20.0, 20.0 };
    ub_context *context = test_context(1);
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 9, 0);
    for (int round = 0; round < 100; round++) {
        double values[24], area = -1.0;
        int64_t front[12], size = 0;

        for (int i = 0; i < 24; i++)
            values[i] = (double) ub_rng_below(&rng, 25);
        assert_int_equal(
            ub_pareto_front(context, 12, 2, values, NULL, front, &size), UB_OK);
        assert_int_equal(ub_hypervolume_dominated(context, 12, values, NULL,
                                                  reference, &area),
                         UB_OK);
        assert_close(area, count_cells(size, front, values, 1), 0.0);
        /* all within the grid */
        for (int i = 0; i < 24; i++)
            values[i] = fmin(values[i], 20.0);
        assert_int_equal(
            ub_pareto_front(context, 12, 2, values, NULL, front, &size), UB_OK);
        assert_int_equal(
            ub_hypervolume_ideal(context, 12, values, NULL, zero, &area),
            UB_OK);
        assert_close(area, count_cells(size, front, values, -1), 0.0);
    }
    ub_context_destroy(&context);
}

/* -- errors --------------------------------------------------------------- */

static void front_refused(void **state)
{
    const double values[] = { 1.0, 2.0 };
    const int32_t wrong[] = { 0, 2 };
    ub_context *context = test_context(1);
    int64_t out = 7, n = 7;

    (void) state;
    assert_int_equal(ub_pareto_front(NULL, 1, 2, values, NULL, &out, &n),
                     UB_ERR_INVALID);
    assert_int_equal(ub_pareto_front(context, 1, 2, values, wrong, &out, &n),
                     UB_ERR_INVALID);
    assert_int_equal(ub_pareto_front(context, 1, 2, NULL, NULL, &out, &n),
                     UB_ERR_INVALID);
    assert_non_null(strstr(ub_context_last_error(context), "no values"));
    assert_int_equal(ub_pareto_front(context, 1, 2, values, NULL, NULL, &n),
                     UB_ERR_INVALID);
    assert_int_equal(ub_pareto_front(context, 1, 2, values, NULL, &out, NULL),
                     UB_ERR_INVALID);
    assert_int_equal(
        ub_pareto_front(context, INT64_MAX, 2, values, NULL, &out, &n),
        UB_ERR_INVALID);
    assert_int_equal(
        ub_pareto_front(context, 1, INT64_MAX, values, NULL, &out, &n),
        UB_ERR_INVALID);
    assert_int_equal(ub_pareto_ranks(NULL, 1, 2, values, NULL, &out),
                     UB_ERR_INVALID);
    assert_int_equal(ub_pareto_ranks(context, -1, 2, values, NULL, &out),
                     UB_ERR_INVALID);
    assert_int_equal(ub_pareto_ranks(context, 1, 2, values, NULL, NULL),
                     UB_ERR_INVALID);
    assert_int_equal(ub_best_within(context, 1, 2, values, NULL, NULL, 2, &out),
                     UB_ERR_INVALID);
    assert_int_equal(
        ub_best_within(context, 1, 2, values, wrong, NULL, 1, &out),
        UB_ERR_INVALID);
    assert_int_equal(ub_best_within(context, 1, 2, values, NULL, NULL, 1, NULL),
                     UB_ERR_INVALID);
    assert_int_equal(ub_best_within(NULL, 1, 2, values, NULL, NULL, 1, &out),
                     UB_ERR_INVALID);
    assert_int_equal(out, 7);
    assert_int_equal(n, 7);
    ub_context_destroy(&context);
}

static void area_refused(void **state)
{
    const double values[] = { 1.0, 2.0 }, infinite[] = { 1.0, -INFINITY };
    const double huge[] = { 1e308, 1e308 }, zero[] = { 0.0, 0.0 };
    const double unknown[] = { NAN, 0.0 };
    ub_context *context = test_context(1);
    double out = 7.0;

    (void) state;
    assert_int_equal(ub_hypervolume_ideal(NULL, 1, values, NULL, zero, &out),
                     UB_ERR_INVALID);
    assert_int_equal(ub_hypervolume_ideal(context, 1, values, NULL, NULL, &out),
                     UB_ERR_INVALID);
    assert_int_equal(ub_hypervolume_ideal(context, 1, values, NULL, zero, NULL),
                     UB_ERR_INVALID);
    assert_int_equal(ub_hypervolume_ideal(context, 1, values, NULL, huge, &out),
                     UB_ERR_INVALID);
    assert_int_equal(
        ub_hypervolume_ideal(context, 1, values, NULL, unknown, &out),
        UB_ERR_NUMERIC);
    assert_int_equal(
        ub_hypervolume_ideal(context, 1, infinite, NULL, zero, &out),
        UB_ERR_NUMERIC);
    assert_int_equal(ub_hypervolume_ideal(context, 1, huge, NULL, zero, &out),
                     UB_ERR_NUMERIC);
    assert_int_equal(
        ub_hypervolume_dominated(NULL, 1, values, NULL, zero, &out),
        UB_ERR_INVALID);
    assert_int_equal(
        ub_hypervolume_dominated(context, -1, values, NULL, zero, &out),
        UB_ERR_INVALID);
    assert_int_equal(
        ub_hypervolume_dominated(context, 1, values, NULL, huge, &out),
        UB_ERR_NUMERIC);
    assert_close(out, 7.0, 0.0);
    ub_context_destroy(&context);
}

static ub_status all(ub_context *context, void *arg)
{
    const double values[] = { 1.0, 2.0, 2.0, 1.0 }, zero[] = { 0.0, 0.0 };
    int64_t front[2], n;
    double area;
    ub_status status;

    (void) arg;
    status = ub_pareto_front(context, 2, 2, values, NULL, front, &n);
    if (status == UB_OK)
        status = ub_pareto_ranks(context, 2, 2, values, NULL, front);
    if (status == UB_OK)
        status = ub_hypervolume_ideal(context, 2, values, NULL, zero, &area);
    if (status == UB_OK)
        status = ub_hypervolume_dominated(context, 2, values, NULL, zero,
                                          &area);
    return status;
}

static void out_of_memory(void **state)
{
    (void) state;
    assert_survives_oom(all, 1, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(best_within),      cmocka_unit_test(front_by_hand),
        cmocka_unit_test(as_by_definition), cmocka_unit_test(as_published),
        cmocka_unit_test(areas_by_hand),    cmocka_unit_test(areas_by_counting),
        cmocka_unit_test(front_refused),    cmocka_unit_test(area_refused),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests_name("strategy_pareto", tests, NULL, NULL);
}
