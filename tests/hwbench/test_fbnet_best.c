/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"
#include "tables.h"

#include <math.h>
#include <string.h>

/* The best FBNet within a limit. */

#define LAYERS    UB_HWBENCH_FBNET_LAYERS
#define OPERATORS UB_HWBENCH_FBNET_OPERATORS
#define BLOCKS    UB_HWBENCH_FBNET_BLOCKS
#define ROWS      (BLOCKS * OPERATORS)
#define MAX_LOAD  (BLOCKS * 9 + 1)

static int is_layer(int64_t block)
{
    return block >= 1 && block <= LAYERS;
}

/* The least cost of every whole load; INFINITY where there is none. */
static void least_costs(const double *cost, const double *load,
                        double table[MAX_LOAD])
{
    double next[MAX_LOAD];

    for (int i = 0; i < MAX_LOAD; i++)
        table[i] = i == 0 ? 0.0 : INFINITY;
    for (int64_t block = 0; block < BLOCKS; block++) {
        for (int i = 0; i < MAX_LOAD; i++)
            next[i] = INFINITY;
        for (int op = 0; op < (is_layer(block) ? OPERATORS : 1); op++) {
            const int l = (int) load[block * OPERATORS + op];

            for (int i = 0; i + l < MAX_LOAD; i++)
                next[i + l] = fmin(next[i + l],
                                   table[i] + cost[block * OPERATORS + op]);
        }
        memcpy(table, next, sizeof(next));
    }
}

/* Loads are whole numbers, so that there is a table of all of them; they are
 * limited from above, or their negatives, where more is better, from below.
 * Costs are maximised or minimised. */
static void check_best(int32_t direction, uint64_t seed)
{
    double cost[ROWS], minimised[ROWS], load[ROWS], spare[ROWS];
    double table[MAX_LOAD];
    ub_context *context = test_context(1);
    ub_hwbench *bench = tables_forms(context, UB_HWBENCH_FBNET);
    double expected = INFINITY;
    int64_t metrics[3];
    int solved = 0;
    ub_rng rng;

    ub_rng_init(&rng, seed, 0);
    for (int i = 0; i < ROWS; i++) {
        load[i] = (double) ub_rng_below(&rng, 10);
        cost[i] = ub_rng_uniform(&rng) - 0.25 * load[i];
        minimised[i] = direction == UB_MAXIMIZE ? -cost[i] : cost[i];
        spare[i] = -load[i];
    }
    metrics[0] = tables_append(bench, "cost", "", UB_MINIMIZE, ROWS, cost);
    metrics[1] = tables_append(bench, "load", "", UB_MINIMIZE, ROWS, load);
    metrics[2] = tables_append(bench, "spare", "", UB_MAXIMIZE, ROWS, spare);
    least_costs(minimised, load, table);
    for (int limit = 0; limit < MAX_LOAD; limit++) {
        int32_t operators[LAYERS];
        ub_hwbench_value v, other;
        ub_status status;

        expected = fmin(expected, table[limit]);
        status = ub_hwbench_fbnet_best(bench, metrics[0], direction, metrics[1],
                                       limit, operators, &v);
        assert_int_equal(status, isinf(expected) ? UB_ERR_INVALID : UB_OK);
        if (status != UB_OK)
            continue;
        solved++;
        assert_true(v.value ==
                    (direction == UB_MAXIMIZE ? -expected : expected));
        assert_int_equal(
            ub_hwbench_get_fbnet(bench, metrics[0], operators, &other), UB_OK);
        assert_true(other.value == v.value);
        assert_int_equal(
            ub_hwbench_get_fbnet(bench, metrics[1], operators, &other), UB_OK);
        assert_true(other.value <= limit);
        assert_int_equal(ub_hwbench_fbnet_best(bench, metrics[0], direction,
                                               metrics[2], -limit, operators,
                                               &other),
                         UB_OK);
        assert_true(other.value == v.value);
    }
    assert_in_range(solved, MAX_LOAD / 2, MAX_LOAD);
    ub_hwbench_destroy(&bench);
    ub_context_destroy(&context);
}

static void best_within(void **state)
{
    (void) state;
    check_best(UB_MINIMIZE, 1);
    check_best(UB_MAXIMIZE, 2);
}

/* What one costs less it loads more: all networks are as good as each other.
 * With whole loads they share few sums; with others all are different. */
static void equal_networks(void **state)
{
    double cost[ROWS], load[ROWS];
    ub_context *context = test_context(1);
    ub_hwbench *bench = tables_forms(context, UB_HWBENCH_FBNET);
    int32_t operators[LAYERS] = { 77 };
    ub_hwbench_value v = { 1.0, 77, 0 };
    int64_t metrics[2];
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 4, 0);
    for (int i = 0; i < ROWS; i++) {
        load[i] = ub_rng_uniform(&rng);
        cost[i] = -load[i];
    }
    metrics[0] = tables_append(bench, "cost", "", UB_MINIMIZE, ROWS, cost);
    metrics[1] = tables_append(bench, "load", "", UB_MINIMIZE, ROWS, load);
    assert_int_equal(ub_hwbench_fbnet_best(bench, metrics[0], UB_MINIMIZE,
                                           metrics[1], 12.0, operators, &v),
                     UB_ERR_RANGE);
    assert_true(operators[0] == 77 && v.state == 77);
    for (int i = 0; i < ROWS; i++) {
        load[i] = (double) ub_rng_below(&rng, 1000);
        cost[i] = -load[i];
    }
    metrics[0] = tables_append(bench, "whole cost", "", UB_MINIMIZE, ROWS,
                               cost);
    metrics[1] = tables_append(bench, "whole load", "", UB_MINIMIZE, ROWS,
                               load);
    assert_int_equal(ub_hwbench_fbnet_best(bench, metrics[0], UB_MINIMIZE,
                                           metrics[1], 12345.0, operators, &v),
                     UB_OK);
    assert_true(v.value == -12345.0);
    ub_hwbench_destroy(&bench);
    ub_context_destroy(&context);
}

static void best_without_limit(void **state)
{
    double values[ROWS];
    ub_context *context = test_context(1);
    ub_hwbench *bench = tables_forms(context, UB_HWBENCH_FBNET);
    const int64_t flops = tables_find(bench, UB_HWBENCH_CIFAR100, "flops");
    int64_t latency;
    int32_t best[LAYERS], extreme[LAYERS];
    ub_hwbench_value a, b;
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 5, 0);
    for (int i = 0; i < ROWS; i++)
        values[i] = ub_rng_uniform(&rng);
    latency = tables_append(bench, "latency", "ms", UB_MINIMIZE, ROWS, values);
    assert_int_equal(ub_hwbench_fbnet_best(bench, latency, UB_MINIMIZE, flops,
                                           INFINITY, best, &a),
                     UB_OK);
    assert_int_equal(
        ub_hwbench_fbnet_extreme(bench, latency, UB_MINIMIZE, extreme, &b),
        UB_OK);
    assert_true(a.value == b.value);
    assert_int_equal(ub_hwbench_fbnet_best(bench, latency, UB_MINIMIZE, flops,
                                           -INFINITY, best, &a),
                     UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_fbnet_best(bench, latency, UB_MINIMIZE, flops,
                                           NAN, best, &a),
                     UB_ERR_INVALID);
    assert_int_equal(
        ub_hwbench_fbnet_best(bench, -1, UB_MINIMIZE, flops, 1.0, best, &a),
        UB_ERR_INVALID);
    assert_int_equal(
        ub_hwbench_fbnet_best(bench, latency, UB_MINIMIZE, 99, 1.0, best, &a),
        UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_fbnet_best(bench, latency, UB_MINIMIZE, flops,
                                           1.0, NULL, &a),
                     UB_ERR_INVALID);
    assert_int_equal(
        ub_hwbench_fbnet_best(bench, latency, 2, flops, 1.0, best, &a),
        UB_ERR_INVALID);
    assert_true(a.value == b.value);
    ub_hwbench_destroy(&bench);
    ub_context_destroy(&context);
}

static ub_status scenario(ub_context *context, void *arg)
{
    const int64_t *metrics = arg;
    int32_t operators[LAYERS];
    ub_hwbench *bench = NULL;
    ub_status status = ub_hwbench_open(context, NULL, UB_HWBENCH_FBNET, &bench);

    if (status == UB_OK)
        status = ub_hwbench_fbnet_best(bench, metrics[0], UB_MAXIMIZE,
                                       metrics[1], 2.0, operators, NULL);
    ub_hwbench_destroy(&bench);
    return status;
}

/* The most FLOPs with so many parameters. */
static void out_of_memory(void **state)
{
    ub_context *context = test_context(1);
    ub_hwbench *bench = tables_forms(context, UB_HWBENCH_FBNET);
    int64_t metrics[2];

    (void) state;
    metrics[0] = tables_find(bench, UB_HWBENCH_CIFAR100, "flops");
    metrics[1] = tables_find(bench, UB_HWBENCH_CIFAR100, "params");
    ub_hwbench_destroy(&bench);
    ub_context_destroy(&context);
    assert_survives_oom(scenario, 1, metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(best_within),
        cmocka_unit_test(equal_networks),
        cmocka_unit_test(best_without_limit),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
