/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"
#include "tables.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What is published of HW-NAS-Bench, and what was computed from it before by
 * other means. */

#define CELLS    UB_NASBENCH201_CELLS

/* Of closed forms: a few units in the last place. */
#define RELATIVE 1e-14

/* The tables of a test: NULL where there are none. */
static struct {
    ub_context *context;
    ub_hwbench *bench;
} published;

static int open_tables(int32_t space)
{
    const char *path = test_data("hwnas");

    published.context = test_context(1);
    if (path != NULL && ub_hwbench_open(published.context, path, space,
                                        &published.bench) != UB_OK)
        fail_msg("%s", ub_context_last_error(published.context));
    return 0;
}

static int open_cells(void **state)
{
    (void) state;
    return open_tables(UB_HWBENCH_NASBENCH201);
}

static int open_fbnet(void **state)
{
    (void) state;
    return open_tables(UB_HWBENCH_FBNET);
}

static int close_tables(void **state)
{
    (void) state;
    ub_hwbench_destroy(&published.bench);
    ub_context_destroy(&published.context);
    return 0;
}

static const ub_hwbench *need_tables(void)
{
    if (published.bench == NULL)
        skip();
    return published.bench;
}

static json_t *need_notebook(void)
{
    const char *path = test_golden("hwnasbench_notebook_golden.json");
    json_t *root = NULL;

    if (path == NULL)
        skip();
    assert_int_equal(ub__json_read(published.context, path, &root), UB_OK);
    return root;
}

/* -- the notebook ---------------------------------------------------------- */

static int is_measured(const char *name)
{
    return strstr(name, "eyeriss") == NULL && strstr(name, "fpga") == NULL &&
           strcmp(name, "average_hw_metric") != 0;
}

static void assert_relative(double got, double expected, const char *what)
{
    if (!(fabs(got - expected) <= RELATIVE * fabs(expected)))
        fail_msg("%s: %.17g, not %.17g", what, got, expected);
}

/* On CIFAR-10 everything; elsewhere the closed forms, where there are any. */
static int check_cell(const ub_hwbench *bench, int32_t dataset, int64_t index,
                      const char *name, double expected)
{
    const ub_hwbench_value v = tables_get(bench, dataset, name, index);
    const int is_form = strstr(name, "eyeriss") != NULL ||
                        (strstr(name, "fpga") != NULL &&
                         dataset == UB_HWBENCH_CIFAR100);

    if (dataset != UB_HWBENCH_CIFAR10 && !is_form) {
        assert_int_equal(v.state, UB_HWBENCH_UNKNOWN);
        assert_true(isnan(v.value));
        return 0;
    }
    assert_int_equal(v.state, UB_HWBENCH_KNOWN);
    if (is_measured(name))
        assert_true(v.value == expected);
    else
        assert_relative(v.value, expected, name);
    return 1;
}

static void notebook_cells(void **state)
{
    const ub_hwbench *bench = need_tables();
    json_t *root = need_notebook(), *query, *metric;
    int known = 0, all = 0;
    size_t i;

    (void) state;
    json_array_foreach(json_object_get(root, "nasbench201"), i, query)
    {
        const int32_t dataset = ub_hwbench_dataset_find(
            json_string_value(json_object_get(query, "dataset")));
        const int64_t index = json_integer_value(
            json_object_get(query, "arch"));
        const char *name;

        json_object_foreach(json_object_get(query, "metrics"), name, metric)
        {
            known += check_cell(bench, dataset, index, name,
                                json_number_value(metric));
            all++;
        }
    }
    assert_int_equal(all, 9 * 11);
    assert_int_equal(known, 3 * 11 + 3 * 5 + 3 * 3);
    json_decref(root);
}

static void notebook_fbnet(void **state)
{
    const ub_hwbench *bench = need_tables();
    json_t *root = need_notebook(), *query, *metric, *op;
    size_t i, k;
    int all = 0;

    (void) state;
    json_array_foreach(json_object_get(root, "fbnet"), i, query)
    {
        const int32_t dataset = ub_hwbench_dataset_find(
            json_string_value(json_object_get(query, "dataset")));
        int32_t operators[UB_HWBENCH_FBNET_LAYERS];
        const char *name;

        json_array_foreach(json_object_get(query, "arch"), k, op)
            operators[k] = (int32_t) json_integer_value(op);
        json_object_foreach(json_object_get(query, "metrics"), name, metric)
        {
            ub_hwbench_value v;

            assert_int_equal(
                ub_hwbench_get_fbnet(bench, tables_find(bench, dataset, name),
                                     operators, &v),
                UB_OK);
            assert_int_equal(v.state, UB_HWBENCH_KNOWN);
            if (v.value != json_number_value(metric))
                fail_msg("%s: %.17g, not %.17g", name, v.value,
                         json_number_value(metric));
            all++;
        }
    }
    assert_int_equal(all, 6 * 9);
    json_decref(root);
}

/* -- closed forms and what the tables hold --------------------------------- */

/* The table was fitted with all its values but for 5e-15. */
static void forms_are_those_of_the_table(void **state)
{
    static const char *const names[] = { "eyeriss_latency", "eyeriss_energy",
                                         "eyeriss_arithmetic_intensity",
                                         "fpga_latency", "fpga_energy" };
    const ub_hwbench *bench = need_tables();
    ub_hwbench *form = tables_forms(published.context, UB_HWBENCH_NASBENCH201);

    (void) state;
    for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
        const int64_t metric = tables_find(bench, UB_HWBENCH_CIFAR10, names[k]);
        ub_hwbench_metric m = { .size = sizeof(m) };

        /* Or the form would be compared with itself. */
        assert_int_equal(ub_hwbench_get_metric(bench, metric, &m), UB_OK);
        assert_int_equal(m.source, UB_HWBENCH_TABLE);
        for (int64_t i = 0; i < CELLS; i++)
            assert_relative(
                tables_get(form, UB_HWBENCH_CIFAR10, names[k], i).value,
                tables_get(bench, UB_HWBENCH_CIFAR10, names[k], i).value,
                names[k]);
    }
    ub_hwbench_destroy(&form);
}

static void assert_counts(const ub_hwbench *bench, int32_t dataset,
                          const char *name, int64_t known, int64_t failed)
{
    ub_hwbench_metric m = { .size = sizeof(m) };

    assert_int_equal(
        ub_hwbench_get_metric(bench, tables_find(bench, dataset, name), &m),
        UB_OK);
    if (m.known != known || m.failed != failed)
        fail_msg("%s: %lld known, %lld failed", name, (long long) m.known,
                 (long long) m.failed);
}

static void what_is_known(void **state)
{
    static const int32_t c10 = UB_HWBENCH_CIFAR10, c100 = UB_HWBENCH_CIFAR100,
                         i16 = UB_HWBENCH_IMAGENET16_120;
    const ub_hwbench *bench = need_tables();

    (void) state;
    assert_counts(bench, c10, "edgegpu_latency", 12933, 0);
    assert_counts(bench, c10, "edgegpu_energy", 12555, 0);
    assert_counts(bench, c10, "edgetpu_latency", 12933 - 3825, 3825);
    assert_counts(bench, c10, "raspi4_latency", CELLS, 0);
    assert_counts(bench, c10, "eyeriss_energy", CELLS, 0);
    assert_counts(bench, c10, "test_accuracy", CELLS, 0);
    assert_counts(bench, c10, "valid_accuracy", 0, 0);
    assert_counts(bench, c10, "titanxp_32", CELLS, 0);
    assert_counts(bench, c10, "eyeriss", CELLS, 0);
    assert_counts(bench, c10, "train_seconds_per_epoch", CELLS, 0);
    assert_counts(bench, c100, "raspi4_latency", 0, 0);
    assert_counts(bench, c100, "valid_accuracy", CELLS, 0);
    assert_counts(bench, c100, "fpga_energy", CELLS, 0);
    assert_counts(bench, i16, "fpga_energy", 0, 0);
    assert_counts(bench, i16, "test_accuracy", CELLS, 0);
    assert_counts(bench, i16, "valid_accuracy_12", CELLS, 0);
    assert_int_equal(ub_hwbench_metrics(bench), 3 * 18 + 27);
    assert_true(tables_get(bench, c10, "test_accuracy_12", 1).value == 88.22);
    assert_true(tables_get(bench, i16, "valid_accuracy_12", 0).value ==
                18.466666661580405);
    assert_true(tables_get(bench, c10, "samsung_s7", 2).value == 40.0);
}

/* -- analysis -------------------------------------------------------------- */

static void assert_tau(const ub_hwbench *bench, const char *a, const char *b,
                       double expected)
{
    const int64_t metrics[2] = { tables_find(bench, UB_HWBENCH_CIFAR10, a),
                                 tables_find(bench, UB_HWBENCH_CIFAR10, b) };
    double tau[4];

    assert_int_equal(ub_hwbench_kendall_tau(bench, 2, metrics, 0, tau), UB_OK);
    test_close(tau[1], expected, 0.6e-4, a, __FILE__, __LINE__);
    assert_close(tau[0], 1.0, 1e-15);
    assert_true(tau[1] == tau[2]);
}

/* Four digits are known. */
static void known_taus(void **state)
{
    const ub_hwbench *bench = need_tables();

    (void) state;
    assert_tau(bench, "flops", "raspi4_latency", .7394);
    assert_tau(bench, "flops", "pixel3_latency", .6823);
    assert_tau(bench, "flops", "eyeriss_latency", .4179);
    assert_tau(bench, "flops", "eyeriss_energy", .5361);
    assert_tau(bench, "flops", "fpga_latency", .8313);
    assert_tau(bench, "flops", "test_accuracy", .5778);
    assert_tau(bench, "raspi4_latency", "pixel3_latency", .8462);
    assert_tau(bench, "raspi4_latency", "test_accuracy", .4853);
    assert_tau(bench, "pixel3_latency", "fpga_latency", .7034);
    assert_tau(bench, "eyeriss_latency", "eyeriss_energy", .8903);
    assert_tau(bench, "eyeriss_latency", "test_accuracy", .1638);
    assert_tau(bench, "fpga_latency", "eyeriss_energy", .6844);
    assert_tau(bench, "edgetpu_latency", "flops", .2095);
    assert_tau(bench, "edgetpu_latency", "raspi4_latency", .4172);
    assert_tau(bench, "edgetpu_latency", "eyeriss_latency", .6591);
    assert_tau(bench, "edgegpu_energy", "flops", .4054);
    assert_tau(bench, "edgegpu_latency", "edgegpu_energy", .9303);
}

/* What costs the same is only a tie where it is rounded. */
static void rounding_finds_ties(void **state)
{
    const ub_hwbench *bench = need_tables();
    ub_hwbench *form = tables_forms(published.context, UB_HWBENCH_NASBENCH201);
    int64_t metrics[2];
    double raw[4], tied[4], exact[4];

    (void) state;
    metrics[0] = tables_find(bench, UB_HWBENCH_CIFAR10, "eyeriss_latency");
    metrics[1] = tables_find(bench, UB_HWBENCH_CIFAR10, "flops");
    assert_int_equal(ub_hwbench_kendall_tau(bench, 2, metrics, 0, raw), UB_OK);
    assert_int_equal(ub_hwbench_kendall_tau(bench, 2, metrics, 40, tied),
                     UB_OK);
    assert_int_equal(ub_hwbench_kendall_tau(form, 2, metrics, 40, exact),
                     UB_OK);
    assert_true(raw[1] != tied[1]);
    assert_true(tied[1] == exact[1]);
    ub_hwbench_destroy(&form);
}

static int64_t best(const ub_hwbench *bench, int32_t dataset,
                    const char *device, double limit)
{
    const int64_t metrics[2] = { tables_find(bench, dataset, "test_accuracy"),
                                 tables_find(bench, dataset, device) };
    const double limits[2] = { NAN, limit };
    int64_t index = -2;

    assert_int_equal(ub_hwbench_best(bench, 2, metrics, limits, &index), UB_OK);
    return index;
}

static void known_optima(void **state)
{
    static const int32_t c10 = UB_HWBENCH_CIFAR10;
    const ub_hwbench *bench = need_tables();

    (void) state;
    assert_int_equal(best(bench, c10, "raspi4_latency", 9.89891), 3960);
    assert_int_equal(best(bench, c10, "raspi4_latency", 24.7303), 12043);
    assert_int_equal(best(bench, c10, "raspi4_latency", 49.4494), 5111);
    assert_int_equal(best(bench, c10, "pixel3_latency", 9.19408), 13171);
    assert_int_equal(best(bench, c10, "eyeriss_latency", 3.89138), 13987);
    assert_int_equal(best(bench, c10, "fpga_latency", 3.01936), 4659);
    assert_int_equal(best(bench, c10, "fpga_latency", 4.90576), 10154);
    assert_int_equal(best(bench, c10, "flops", NAN), 6111);
    assert_int_equal(best(bench, UB_HWBENCH_CIFAR100, "flops", NAN), 9930);
    assert_int_equal(best(bench, UB_HWBENCH_IMAGENET16_120, "flops", NAN), 857);
    assert_int_equal(best(bench, c10, "raspi4_latency", 0.0), -1);
}

/* Points; more than one cell can be at one. */
static void assert_front(const ub_hwbench *bench, const char *device,
                         int64_t expected)
{
    const int64_t metrics[2] = {
        tables_find(bench, UB_HWBENCH_CIFAR10, "test_accuracy"),
        tables_find(bench, UB_HWBENCH_CIFAR10, device)
    };
    int64_t *front = calloc(CELLS, sizeof(*front)), n = -1, points = 1;

    assert_non_null(front);
    assert_int_equal(ub_hwbench_pareto_front(bench, 2, metrics, front, &n),
                     UB_OK);
    for (int64_t i = 1; i < n; i++)
        points +=
            tables_get(bench, UB_HWBENCH_CIFAR10, device, front[i]).value !=
            tables_get(bench, UB_HWBENCH_CIFAR10, device, front[i - 1]).value;
    assert_int_equal(points, expected);
    assert_int_equal(front[0], 6111);
    free(front);
}

static void known_fronts(void **state)
{
    const ub_hwbench *bench = need_tables();

    (void) state;
    assert_front(bench, "raspi4_latency", 43);
    assert_front(bench, "pixel3_latency", 44);
    assert_front(bench, "eyeriss_latency", 19);
    assert_front(bench, "fpga_latency", 13);
}

/* -- FBNet ----------------------------------------------------------------- */

static void assert_extreme(const ub_hwbench *bench, int32_t dataset,
                           const char *name, int32_t direction,
                           const char *digits, double expected)
{
    int32_t operators[UB_HWBENCH_FBNET_LAYERS];
    ub_hwbench_value v;

    assert_int_equal(ub_hwbench_fbnet_extreme(bench,
                                              tables_find(bench, dataset, name),
                                              direction, operators, &v),
                     UB_OK);
    for (int i = 0; digits != NULL && i < UB_HWBENCH_FBNET_LAYERS; i++)
        assert_int_equal(operators[i], digits[i] - '0');
    test_close(v.value, expected, 0.6e-6, name, __FILE__, __LINE__);
}

/* Six digits behind the point are known. */
static void known_extremes(void **state)
{
    static const char skips[] = "8888888888888888888888";
    static const char sevens[] = "7777777777777777777777";
    static const int32_t c = UB_HWBENCH_CIFAR100, i = UB_HWBENCH_IMAGENET;
    const ub_hwbench *b = need_tables();

    (void) state;
    assert_extreme(b, c, "edgegpu_latency", UB_MINIMIZE, skips, 5.117425);
    assert_extreme(b, c, "edgegpu_energy", UB_MINIMIZE, skips, 28.214537);
    assert_extreme(b, c, "raspi4_latency", UB_MINIMIZE, skips, 7.798226);
    assert_extreme(b, c, "pixel3_latency", UB_MINIMIZE, skips, 2.838628);
    assert_extreme(b, c, "eyeriss_latency", UB_MINIMIZE, skips, 2.788352);
    assert_extreme(b, c, "eyeriss_energy", UB_MINIMIZE, skips, 2.727318);
    assert_extreme(b, c, "fpga_latency", UB_MINIMIZE, skips, 0.0);
    assert_extreme(b, c, "edgegpu_latency", UB_MAXIMIZE,
                   "1577711111777555551115", 29.768240);
    assert_extreme(b, c, "raspi4_latency", UB_MAXIMIZE, sevens, 79.221628);
    assert_extreme(b, c, "pixel3_latency", UB_MAXIMIZE, sevens, 47.091801);
    assert_extreme(b, c, "eyeriss_latency", UB_MAXIMIZE, sevens, 9.787456);
    assert_extreme(b, c, "eyeriss_energy", UB_MAXIMIZE, sevens, 6.752548);
    assert_extreme(b, c, "fpga_latency", UB_MAXIMIZE, NULL, 60.875520);
    assert_extreme(b, i, "edgegpu_latency", UB_MAXIMIZE, NULL, 29.288447);
    assert_extreme(b, i, "raspi4_latency", UB_MAXIMIZE, NULL, 288.942561);
    assert_extreme(b, i, "pixel3_latency", UB_MAXIMIZE, NULL, 178.892987);
    assert_extreme(b, i, "eyeriss_latency", UB_MAXIMIZE, NULL, 32.876112);
    assert_extreme(b, i, "fpga_latency", UB_MAXIMIZE, NULL, 167.644800);
}

/* The most FLOPs within a latency are more than those of any other operator
 * everywhere, and the limit is nearly used up. */
static void most_flops_within(void **state)
{
    static const char *const names[] = { "raspi4_latency", "edgegpu_latency",
                                         "pixel3_latency", "eyeriss_energy",
                                         "fpga_latency" };
    const ub_hwbench *b = need_tables();

    (void) state;
    for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
        const int64_t flops = tables_find(b, UB_HWBENCH_IMAGENET, "flops"),
                      device = tables_find(b, UB_HWBENCH_IMAGENET, names[k]);
        int32_t operators[UB_HWBENCH_FBNET_LAYERS];
        ub_hwbench_value low, high, most, used;

        assert_int_equal(
            ub_hwbench_fbnet_extreme(b, device, UB_MINIMIZE, operators, &low),
            UB_OK);
        assert_int_equal(
            ub_hwbench_fbnet_extreme(b, device, UB_MAXIMIZE, operators, &high),
            UB_OK);
        for (int part = 1; part < 10; part++) {
            const double limit = low.value +
                                 (high.value - low.value) * part / 10.0;

            if (ub_hwbench_fbnet_best(b, flops, UB_MAXIMIZE, device, limit,
                                      operators, &most) != UB_OK)
                fail_msg("%s: %s", names[k],
                         ub_context_last_error(published.context));
            assert_int_equal(ub_hwbench_get_fbnet(b, device, operators, &used),
                             UB_OK);
            assert_true(used.value <= limit);
            assert_true(used.value > limit - 0.05 * (high.value - low.value));
            for (int op = 0; op < UB_HWBENCH_FBNET_OPERATORS; op++) {
                ub_hwbench_value v;

                for (int i = 0; i < UB_HWBENCH_FBNET_LAYERS; i++)
                    operators[i] = op;
                assert_int_equal(
                    ub_hwbench_get_fbnet(b, device, operators, &used), UB_OK);
                assert_int_equal(ub_hwbench_get_fbnet(b, flops, operators, &v),
                                 UB_OK);
                assert_true(used.value > limit || v.value <= most.value);
            }
        }
    }
}

#define TEST_CELLS(name) \
    cmocka_unit_test_setup_teardown(name, open_cells, close_tables)
#define TEST_FBNET(name) \
    cmocka_unit_test_setup_teardown(name, open_fbnet, close_tables)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_CELLS(notebook_cells),
        TEST_FBNET(notebook_fbnet),
        TEST_CELLS(forms_are_those_of_the_table),
        TEST_CELLS(what_is_known),
        TEST_CELLS(known_taus),
        TEST_CELLS(rounding_finds_ties),
        TEST_CELLS(known_optima),
        TEST_CELLS(known_fronts),
        TEST_FBNET(known_extremes),
        TEST_FBNET(most_flops_within),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
