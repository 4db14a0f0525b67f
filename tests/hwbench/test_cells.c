/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"
#include "tables.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* NAS-Bench-201 without any file. */

#define CELLS UB_NASBENCH201_CELLS

static const char first_cell[] =
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|"
    "skip_connect~1|skip_connect~2|";

static void standard_metrics(void **state)
{
    static const char *const names[] = {
        "edgegpu_latency",
        "edgegpu_energy",
        "raspi4_latency",
        "edgetpu_latency",
        "pixel3_latency",
        "eyeriss_latency",
        "eyeriss_energy",
        "eyeriss_arithmetic_intensity",
        "fpga_latency",
        "fpga_energy",
        "average_hw_metric",
        "params",
        "flops",
        "test_accuracy",
        "valid_accuracy",
        "test_accuracy_12",
        "valid_accuracy_12",
        "train_seconds_per_epoch",
    };
    ub_context *context = test_context(1);
    ub_hwbench *bench = tables_forms(context, UB_HWBENCH_NASBENCH201);

    (void) state;
    assert_int_equal(ub_hwbench_space_of(bench), UB_HWBENCH_NASBENCH201);
    assert_non_null(ub_hwbench_order(bench));
    assert_int_equal(ub_hwbench_metrics(bench), 3 * 18);
    for (int32_t d = 0; d < 3; d++) {
        for (int32_t i = 0; i < 18; i++) {
            const int64_t metric = ub_hwbench_find(bench, d, names[i]);
            ub_hwbench_metric m = { .size = sizeof(m) };

            assert_int_equal(metric, d * 18 + i);
            assert_int_equal(ub_hwbench_find_standard(bench, d, i), metric);
            assert_int_equal(ub_hwbench_get_metric(bench, metric, &m), UB_OK);
            assert_string_equal(m.name, names[i]);
            assert_int_equal(m.dataset, d);
            assert_int_equal(m.standard, i);
            assert_int_equal(m.direction, strstr(m.name, "accuracy") != NULL ||
                                              strstr(m.name, "intensity"));
            assert_int_equal(m.failed, 0);
            assert_int_equal(m.source, m.known > 0 ? UB_HWBENCH_COMPUTED
                                                   : UB_HWBENCH_NOWHERE);
        }
    }
    assert_int_equal(ub_hwbench_find(bench, 3, "flops"), -1);
    assert_int_equal(ub_hwbench_find(bench, 0, "flop"), -1);
    assert_int_equal(ub_hwbench_find(bench, 0, NULL), -1);
    assert_int_equal(ub_hwbench_find_standard(bench, 3, 0), -1);
    assert_int_equal(ub_hwbench_find_standard(bench, 0, 18), -1);
    ub_hwbench_destroy(&bench);
    assert_null(bench);
    ub_hwbench_destroy(&bench);
    ub_context_destroy(&context);
}

static double value_of(const ub_hwbench *bench, int32_t dataset,
                       int32_t standard, int64_t index)
{
    ub_hwbench_value v;

    assert_int_equal(
        ub_hwbench_get(bench,
                       ub_hwbench_find_standard(bench, dataset, standard),
                       index, &v),
        UB_OK);
    assert_int_equal(v.state,
                     isnan(v.value) ? UB_HWBENCH_UNKNOWN : UB_HWBENCH_KNOWN);
    return v.value;
}

/* Cell 0 has two 1x1 convolutions and a pool; published values. */
static void closed_forms(void **state)
{
    static const struct {
        int32_t dataset, standard;
        double value;
    } known[] = {
        { 0, UB_HWBENCH_EYERISS_LATENCY, 3.645620000000001 },
        { 0, UB_HWBENCH_EYERISS_ENERGY, 0.6872827644999999 },
        { 0, UB_HWBENCH_EYERISS_ARITHMETIC_INTENSITY, 6.289297634665844 },
        { 0, UB_HWBENCH_FPGA_LATENCY, 2.57296 },
        { 0, UB_HWBENCH_FPGA_ENERGY, 18.01072 },
        { 0, UB_HWBENCH_PARAMS, 0.129306 },
        { 0, UB_HWBENCH_FLOPS, 15.64737 },
        { 1, UB_HWBENCH_EYERISS_LATENCY, 3.648640000000001 },
        { 1, UB_HWBENCH_EYERISS_ENERGY, 0.6874206219999999 },
        { 1, UB_HWBENCH_EYERISS_ARITHMETIC_INTENSITY, 6.267465213714637 },
        { 1, UB_HWBENCH_FPGA_LATENCY, 2.57296 },
        { 1, UB_HWBENCH_PARAMS, 0.135156 },
        { 1, UB_HWBENCH_FLOPS, 15.65322 },
        { 2, UB_HWBENCH_EYERISS_LATENCY, 0.9145600000000003 },
        { 2, UB_HWBENCH_EYERISS_ENERGY, 0.17677097200000003 },
        { 2, UB_HWBENCH_EYERISS_ARITHMETIC_INTENSITY, 2.2148960216998193 },
        { 2, UB_HWBENCH_PARAMS, 0.136456 },
        { 2, UB_HWBENCH_FLOPS, 3.91948 },
    };
    ub_context *context = test_context(1);
    ub_hwbench *bench = tables_forms(context, UB_HWBENCH_NASBENCH201);

    (void) state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        assert_close(value_of(bench, known[i].dataset, known[i].standard, 0),
                     known[i].value, 1e-14 * known[i].value);
    assert_true(isnan(value_of(bench, 2, UB_HWBENCH_FPGA_LATENCY, 0)));
    assert_true(isnan(value_of(bench, 2, UB_HWBENCH_FPGA_ENERGY, 0)));
    assert_true(isnan(value_of(bench, 0, UB_HWBENCH_RASPI4_LATENCY, 0)));
    assert_true(isnan(value_of(bench, 0, UB_HWBENCH_AVERAGE_HW_METRIC, 0)));
    ub_hwbench_destroy(&bench);
    ub_context_destroy(&context);
}

static void queries_by_text(void **state)
{
    ub_context *context = test_context(1);
    ub_hwbench *bench = tables_forms(context, UB_HWBENCH_NASBENCH201);
    const int64_t flops = ub_hwbench_find(bench, 0, "flops");
    ub_hwbench_value v = { 1.0, 77, 0 };

    (void) state;
    assert_int_equal(ub_hwbench_get_cell(bench, flops, first_cell, &v), UB_OK);
    assert_true(v.value == 15.64737);
    v.state = 77;
    assert_int_equal(ub_hwbench_get_cell(bench, flops, "|none~0|", &v),
                     UB_ERR_INVALID);
    assert_string_equal(ub_context_last_error(context),
                        "hwbench: '|none~0|' is no cell");
    assert_int_equal(ub_hwbench_get_cell(bench, flops, NULL, &v),
                     UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_get_cell(bench, -1, first_cell, &v),
                     UB_ERR_INVALID);
    assert_int_equal(v.state, 77);
    ub_hwbench_destroy(&bench);
    ub_context_destroy(&context);
}

static void wrong_queries(void **state)
{
    const int32_t none[UB_HWBENCH_FBNET_LAYERS] = { 0 };
    const int64_t wrong[2] = { 0, 54 };
    ub_context *context = test_context(1);
    ub_hwbench *bench = tables_forms(context, UB_HWBENCH_NASBENCH201),
               *other = NULL;
    ub_hwbench_value v = { 1.0, 77, 0 };
    ub_hwbench_metric m = { .size = sizeof(m), .dataset = 5 };
    double values[1] = { 5.0 };
    int64_t out = 5;
    int32_t operators[UB_HWBENCH_FBNET_LAYERS];

    (void) state;
    assert_int_equal(ub_hwbench_get(NULL, 0, 0, &v), UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_get(bench, -1, 0, &v), UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_get(bench, 54, 0, &v), UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_get(bench, 0, -1, &v), UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_get(bench, 0, CELLS, &v), UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_get(bench, 0, 0, NULL), UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_get_fbnet(bench, 0, none, &v), UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_get_block(bench, 0, 0, 0, &v), UB_ERR_INVALID);
    assert_int_equal(
        ub_hwbench_fbnet_extreme(bench, 0, UB_MINIMIZE, operators, &v),
        UB_ERR_INVALID);
    assert_int_equal(v.state, 77);
    assert_int_equal(ub_hwbench_get_metric(bench, 54, &m), UB_ERR_INVALID);
    assert_int_equal(m.dataset, 5);
    assert_int_equal(ub_hwbench_get_metric(bench, 0, NULL), UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_values(bench, 2, wrong, values),
                     UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_values(bench, 0, wrong, values),
                     UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_values(bench, 65, wrong, values),
                     UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_values(bench, 1, wrong, NULL), UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_best(bench, 1, NULL, NULL, &out),
                     UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_best(NULL, 1, wrong, NULL, &out),
                     UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_kendall_tau(bench, 1, wrong, 54, values),
                     UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_kendall_tau(bench, 1, wrong, -1, values),
                     UB_ERR_INVALID);
    assert_true(values[0] == 5.0 && out == 5);
    assert_int_equal(ub_hwbench_open(context, NULL, 3, &other), UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_open(context, NULL, 1, NULL), UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_open(NULL, NULL, 1, &other), UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_open(context, test_path("none"), 1, &other),
                     UB_ERR_IO);
    assert_null(other);
    ub_hwbench_destroy(&bench);
    ub_context_destroy(&context);
}

static void dataset_names(void **state)
{
    (void) state;
    for (int32_t i = 0; i < 4; i++)
        assert_int_equal(ub_hwbench_dataset_find(ub_hwbench_dataset_name(i)),
                         i);
    assert_string_equal(ub_hwbench_dataset_name(UB_HWBENCH_IMAGENET16_120),
                        "ImageNet16-120");
    assert_null(ub_hwbench_dataset_name(4));
    assert_null(ub_hwbench_dataset_name(-1));
    assert_int_equal(ub_hwbench_dataset_find("Cifar10"), -1);
    assert_int_equal(ub_hwbench_dataset_find(NULL), -1);
}

/* -- more columns ---------------------------------------------------------- */

/* Known, not compiled and unknown in turn. */
static double *made_up_values(void)
{
    double *values = calloc(CELLS, sizeof(*values));

    assert_non_null(values);
    for (int i = 0; i < CELLS; i++)
        values[i] = i % 3 == 0 ? i + 0.5 : i % 3 == 1 ? -1.0 : NAN;
    return values;
}

static void appended_column(void **state)
{
    ub_context *context = test_context(1);
    ub_hwbench *bench = tables_forms(context, UB_HWBENCH_NASBENCH201);
    double *values = made_up_values();
    ub_hwbench_metric m;
    ub_hwbench_value v;
    int64_t metric = -1;

    (void) state;
    ub_hwbench_metric_init(&m, sizeof(m));
    m.name = "array_latency";
    m.dataset = UB_HWBENCH_CIFAR100;
    assert_int_equal(ub_hwbench_append(bench, &m, CELLS, values, &metric),
                     UB_OK);
    values[0] = 9.0; /* copied */
    assert_int_equal(metric, 54);
    assert_int_equal(ub_hwbench_find(bench, UB_HWBENCH_CIFAR100, m.name), 54);
    assert_int_equal(ub_hwbench_find(bench, UB_HWBENCH_CIFAR10, m.name), -1);
    assert_int_equal(ub_hwbench_get_metric(bench, metric, &m), UB_OK);
    assert_string_equal(m.unit, "ms");
    assert_int_equal(m.source, UB_HWBENCH_APPENDED);
    assert_int_equal(m.standard, -1);
    assert_int_equal(m.known, (CELLS + 2) / 3);
    assert_int_equal(m.failed, (CELLS + 1) / 3);
    assert_int_equal(ub_hwbench_get(bench, metric, 0, &v), UB_OK);
    assert_true(v.state == UB_HWBENCH_KNOWN && v.value == 0.5);
    assert_int_equal(ub_hwbench_get(bench, metric, 1, &v), UB_OK);
    assert_true(v.state == UB_HWBENCH_FAILED && v.value == -1.0);
    assert_int_equal(ub_hwbench_get(bench, metric, 2, &v), UB_OK);
    assert_true(v.state == UB_HWBENCH_UNKNOWN && isnan(v.value));
    free(values);
    ub_hwbench_destroy(&bench);
    ub_context_destroy(&context);
}

/* Negative values are as good as others where they are no cost. */
static void units_and_directions(void **state)
{
    ub_context *context = test_context(1);
    ub_hwbench *bench = tables_forms(context, UB_HWBENCH_NASBENCH201);
    double *values = made_up_values();
    int64_t metrics[2] = { -1, -1 }, index = -1;
    ub_hwbench_metric m;
    ub_hwbench_value v;

    (void) state;
    ub_hwbench_metric_init(&m, sizeof(m));
    m.name = "score";
    m.unit = "";
    m.direction = UB_MAXIMIZE;
    assert_int_equal(ub_hwbench_append(bench, &m, CELLS, values, &metrics[0]),
                     UB_OK);
    assert_int_equal(ub_hwbench_get(bench, metrics[0], 1, &v), UB_OK);
    assert_true(v.state == UB_HWBENCH_KNOWN && v.value == -1.0);
    assert_int_equal(ub_hwbench_best(bench, 1, metrics, NULL, &index), UB_OK);
    assert_int_equal(index, 15624);
    m.name = "score_ms";
    m.unit = "ms";
    m.direction = UB_MINIMIZE;
    assert_int_equal(ub_hwbench_append(bench, &m, CELLS, values, &metrics[1]),
                     UB_OK);
    assert_int_equal(ub_hwbench_best(bench, 1, metrics + 1, NULL, &index),
                     UB_OK);
    assert_int_equal(index, 0);
    free(values);
    ub_hwbench_destroy(&bench);
    ub_context_destroy(&context);
}

/* The product appears when all its factors are there, and multiplies what did
 * not compile as -1. */
static void product_of_appended(void **state)
{
    static const char *const names[] = { "edgegpu_latency", "edgegpu_energy",
                                         "raspi4_latency", "edgetpu_latency",
                                         "pixel3_latency" };
    ub_context *context = test_context(1);
    ub_hwbench *bench = tables_forms(context, UB_HWBENCH_NASBENCH201);
    double *values = calloc(CELLS, sizeof(*values));
    const int64_t product = ub_hwbench_find(bench, 0, "average_hw_metric");
    double expected = 1.0;
    ub_hwbench_metric m;
    ub_hwbench_value v;

    (void) state;
    assert_non_null(values);
    for (int k = 0; k < 5; k++) {
        assert_int_equal(ub_hwbench_get(bench, product, 7, &v), UB_OK);
        assert_int_equal(v.state, UB_HWBENCH_UNKNOWN);
        for (int i = 0; i < CELLS; i++)
            values[i] = 1.0 / (3.0 + i + k);
        if (k == 3)
            values[8] = -1.0;
        expected *= values[7];
        ub_hwbench_metric_init(&m, sizeof(m));
        m.name = names[k];
        assert_int_equal(ub_hwbench_append(bench, &m, CELLS, values, NULL),
                         UB_OK);
    }
    expected *= value_of(bench, 0, UB_HWBENCH_EYERISS_LATENCY, 7);
    expected *= value_of(bench, 0, UB_HWBENCH_EYERISS_ENERGY, 7);
    expected *= value_of(bench, 0, UB_HWBENCH_FPGA_LATENCY, 7);
    expected *= value_of(bench, 0, UB_HWBENCH_FPGA_ENERGY, 7);
    assert_int_equal(ub_hwbench_get(bench, product, 7, &v), UB_OK);
    assert_true(v.state == UB_HWBENCH_KNOWN && v.value == expected);
    assert_int_equal(ub_hwbench_get(bench, product, 8, &v), UB_OK);
    assert_true(v.state == UB_HWBENCH_FAILED && v.value < 0.0);
    assert_int_equal(ub_hwbench_get_metric(bench, product, &m), UB_OK);
    assert_int_equal(m.known, CELLS - 1);
    assert_int_equal(m.failed, 1);
    assert_int_equal(m.source, UB_HWBENCH_COMPUTED);
    assert_int_equal(ub_hwbench_metrics(bench), 54);
    free(values);
    ub_hwbench_destroy(&bench);
    ub_context_destroy(&context);
}

static void refuse(ub_hwbench *bench, const ub_hwbench_metric *m, int64_t n,
                   const double *values, ub_status expected)
{
    const int64_t before = ub_hwbench_metrics(bench);
    int64_t out = -7;

    assert_int_equal(ub_hwbench_append(bench, m, n, values, &out), expected);
    assert_int_equal(ub_hwbench_metrics(bench), before);
    assert_int_equal(out, -7);
}

static void wrong_columns(void **state)
{
    ub_context *context = test_context(1);
    ub_hwbench *bench = tables_forms(context, UB_HWBENCH_NASBENCH201);
    double *values = made_up_values();
    ub_hwbench_metric m, w;
    char name[UB_HWBENCH_NAME + 1];

    (void) state;
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    ub_hwbench_metric_init(&m, sizeof(m));
    refuse(bench, &m, CELLS, values, UB_ERR_INVALID); /* no name */
    m.name = "new";
    refuse(bench, NULL, CELLS, values, UB_ERR_INVALID);
    refuse(bench, &m, CELLS, NULL, UB_ERR_INVALID);
    refuse(bench, &m, CELLS - 1, values, UB_ERR_INVALID);
    w = m;
    w.name = name;
    refuse(bench, &w, CELLS, values, UB_ERR_INVALID);
    w.name = "";
    refuse(bench, &w, CELLS, values, UB_ERR_INVALID);
    w.name = "a\nb";
    refuse(bench, &w, CELLS, values, UB_ERR_INVALID);
    w = m;
    w.unit = "0123456789abcdef";
    refuse(bench, &w, CELLS, values, UB_ERR_INVALID);
    w.unit = NULL;
    refuse(bench, &w, CELLS, values, UB_ERR_INVALID);
    w = m;
    w.dataset = UB_HWBENCH_IMAGENET;
    refuse(bench, &w, CELLS, values, UB_ERR_INVALID);
    w = m;
    w.direction = 2;
    refuse(bench, &w, CELLS, values, UB_ERR_INVALID);
    w = m;
    w.size = 8;
    refuse(bench, &w, CELLS, values, UB_ERR_INVALID);
    w = m;
    w.name = "average_hw_metric";
    refuse(bench, &w, CELLS, values, UB_ERR_INVALID);
    values[9] = INFINITY;
    refuse(bench, &m, CELLS, values, UB_ERR_NUMERIC);
    values[9] = 9.0;
    assert_int_equal(ub_hwbench_append(bench, &m, CELLS, values, NULL), UB_OK);
    refuse(bench, &m, CELLS, values, UB_ERR_INVALID); /* there already */
    assert_int_equal(ub_hwbench_append(NULL, &m, CELLS, values, NULL),
                     UB_ERR_INVALID);
    free(values);
    ub_hwbench_destroy(&bench);
    ub_context_destroy(&context);
}

static void matrix(void **state)
{
    ub_context *context = test_context(1);
    ub_hwbench *bench = tables_forms(context, UB_HWBENCH_NASBENCH201);
    double *values = made_up_values();
    double *m = calloc(2 * CELLS, sizeof(*m));
    double exact[4], rounded[4];
    int64_t metrics[2] = { ub_hwbench_find(bench, 0, "flops"), -1 };
    ub_hwbench_metric metric;

    (void) state;
    assert_non_null(m);
    ub_hwbench_metric_init(&metric, sizeof(metric));
    metric.name = "x";
    assert_int_equal(
        ub_hwbench_append(bench, &metric, CELLS, values, &metrics[1]), UB_OK);
    assert_int_equal(ub_hwbench_values(bench, 2, metrics, m), UB_OK);
    for (int i = 0; i < CELLS; i++) {
        assert_true(m[2 * i] == value_of(bench, 0, UB_HWBENCH_FLOPS, i));
        assert_true(i % 3 == 0 ? m[2 * i + 1] == i + 0.5 : isnan(m[2 * i + 1]));
    }
    /* All that is known has few bits, and what is not stays so. */
    assert_int_equal(ub_hwbench_kendall_tau(bench, 2, metrics, 0, exact),
                     UB_OK);
    assert_int_equal(ub_hwbench_kendall_tau(bench, 2, metrics, 40, rounded),
                     UB_OK);
    assert_true(fabs(exact[1]) < 1.0 && rounded[1] == exact[1]);
    free(m);
    free(values);
    ub_hwbench_destroy(&bench);
    ub_context_destroy(&context);
}

/* -- memory ---------------------------------------------------------------- */

static ub_status scenario(ub_context *context, void *arg)
{
    double *values = arg, tau[4];
    int64_t metrics[2] = { 12, 5 }, index, n;
    ub_hwbench *bench = NULL;
    ub_hwbench_metric m;
    int64_t *front = calloc(CELLS, sizeof(*front));
    ub_status status = ub_hwbench_open(context, NULL, UB_HWBENCH_NASBENCH201,
                                       &bench);

    ub_hwbench_metric_init(&m, sizeof(m));
    m.name = "new";
    if (status == UB_OK)
        status = ub_hwbench_append(bench, &m, CELLS, values, NULL);
    if (status == UB_OK)
        status = ub_hwbench_best(bench, 2, metrics, NULL, &index);
    if (status == UB_OK)
        status = ub_hwbench_pareto_front(bench, 2, metrics, front, &n);
    if (status == UB_OK)
        status = ub_hwbench_kendall_tau(bench, 2, metrics, 40, tau);
    ub_hwbench_destroy(&bench);
    free(front);
    return status;
}

static void out_of_memory(void **state)
{
    double *values = made_up_values();

    (void) state;
    assert_survives_oom(scenario, 1, values);
    free(values);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(standard_metrics),
        cmocka_unit_test(closed_forms),
        cmocka_unit_test(queries_by_text),
        cmocka_unit_test(wrong_queries),
        cmocka_unit_test(dataset_names),
        cmocka_unit_test(appended_column),
        cmocka_unit_test(units_and_directions),
        cmocka_unit_test(product_of_appended),
        cmocka_unit_test(wrong_columns),
        cmocka_unit_test(matrix),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
