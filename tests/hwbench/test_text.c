/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"
#include "tables.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Text tables, made up here. */

#define CELL0                                                           \
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|" \
    "skip_connect~1|skip_connect~2|"
#define CELL9                                                  \
    "|avg_pool_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|" \
    "nor_conv_3x3~2|"

static ub_status read_text(ub_hwbench *bench, int32_t dataset, const char *text)
{
    const char *path = test_path("made_up.csv");

    test_file_write(path, text, strlen(text));
    return ub_hwbench_read(bench, dataset, path);
}

static void columns_by_index(void **state)
{
    static const char text[] = "index,my_board,edgetpu_latency,measured_source,"
                               "raspi4_latency\n"
                               "3,1.5,-1,G,0.1\r\n"
                               "\n"
                               "0,,2,x,1e-3\n"
                               "15624,nan,,,25.73720932006836\n";
    ub_context *context = test_context(1);
    ub_hwbench *bench = tables_forms(context, UB_HWBENCH_NASBENCH201);
    ub_hwbench_metric m = { .size = sizeof(m) };

    (void) state;
    assert_int_equal(read_text(bench, UB_HWBENCH_CIFAR100, text), UB_OK);
    assert_int_equal(ub_hwbench_metrics(bench), 55);
    tables_expect(bench, 1, "my_board", 3, UB_HWBENCH_KNOWN, 1.5);
    tables_expect(bench, 1, "my_board", 0, UB_HWBENCH_UNKNOWN, NAN);
    tables_expect(bench, 1, "my_board", 15624, UB_HWBENCH_UNKNOWN, NAN);
    tables_expect(bench, 1, "my_board", 77, UB_HWBENCH_UNKNOWN, NAN);
    tables_expect(bench, 1, "edgetpu_latency", 3, UB_HWBENCH_FAILED, -1.0);
    tables_expect(bench, 1, "edgetpu_latency", 0, UB_HWBENCH_KNOWN, 2.0);
    tables_expect(bench, 1, "raspi4_latency", 0, UB_HWBENCH_KNOWN, 1e-3);
    tables_expect(bench, 1, "raspi4_latency", 15624, UB_HWBENCH_KNOWN,
                  25.73720932006836);
    tables_expect(bench, 0, "raspi4_latency", 0, UB_HWBENCH_UNKNOWN, NAN);
    assert_int_equal(
        ub_hwbench_get_metric(bench, ub_hwbench_find(bench, 1, "my_board"), &m),
        UB_OK);
    assert_string_equal(m.unit, "ms");
    assert_int_equal(m.source, UB_HWBENCH_TABLE);
    ub_hwbench_destroy(&bench);
    ub_context_destroy(&context);
}

static void columns_by_text(void **state)
{
    static const char text[] = "\xef\xbb\xbf"
                               "cellstr\tb\tcifar100-val\tindex\n" CELL9
                               "\t2\t3\t9\n" CELL0 "\t4\t5.5\t0\n";
    ub_context *context = test_context(1);
    ub_hwbench *bench = tables_forms(context, UB_HWBENCH_NASBENCH201);

    (void) state;
    assert_int_equal(read_text(bench, UB_HWBENCH_CIFAR10, text), UB_OK);
    tables_expect(bench, 0, "b", 9, UB_HWBENCH_KNOWN, 2.0);
    tables_expect(bench, 0, "b", 0, UB_HWBENCH_KNOWN, 4.0);
    tables_expect(bench, 1, "valid_accuracy_12", 0, UB_HWBENCH_KNOWN, 5.5);
    ub_hwbench_destroy(&bench);
    ub_context_destroy(&context);
}

/* A table is right about what it knows; what it leaves out is computed. */
static void holes_are_filled(void **state)
{
    ub_context *context = test_context(1);
    ub_hwbench *bench = tables_forms(context, UB_HWBENCH_NASBENCH201);
    const double form = tables_get(bench, 0, "eyeriss_latency", 1).value;
    const char *path = test_path("holes.table");

    (void) state;
    assert_int_equal(read_text(bench, 0, "index,eyeriss_latency\n0,7.5\n1,\n"),
                     UB_OK);
    for (int i = 0; i < 2; i++) {
        tables_expect(bench, 0, "eyeriss_latency", 0, UB_HWBENCH_KNOWN, 7.5);
        tables_expect(bench, 0, "eyeriss_latency", 1, UB_HWBENCH_KNOWN, form);
        if (i == 1)
            break;
        assert_int_equal(
            ub_hwbench_write((const ub_hwbench *const *) &bench, 1, path),
            UB_OK);
        ub_hwbench_destroy(&bench);
        assert_int_equal(
            ub_hwbench_open(context, path, UB_HWBENCH_NASBENCH201, &bench),
            UB_OK);
    }
    ub_hwbench_destroy(&bench);
    ub_context_destroy(&context);
}

/* Each is refused with its line, and changes nothing. */
static void refused_texts(void **state)
{
    static const struct {
        const char *text, *where, *what;
    } cases[] = {
        { "", "", "empty" },
        { "\n\n", "", "empty" },
        { "index,a", ":1:", "ends within" },
        { "a,b\n1,2\n", ":1:", "no column is called 'index'" },
        { "index,\n", ":1:", "name of column 2" },
        { "index,a,a\n", ":1:", "there is a metric 'a' already" },
        { "index,average_hw_metric\n", ":1:", "already" },
        { "index,a\n1\n", ":2:", "1 fields, the first line has 2" },
        { "index,a\n1,2,3\n", ":2:", "more than 2 fields" },
        { "index,a\n1,2\n\n1,3\n", ":4:", "was in a line before" },
        { "index,a\n15625,2\n", ":2:", "'15625' is no cell" },
        { "index,a\n-1,2\n", ":2:", "is no cell" },
        { "index,a\n,2\n", ":2:", "is no cell" },
        { "index,a\n1.0,2\n", ":2:", "is no cell" },
        { "index,a\n99999999999999999999999,2\n", ":2:", "is no cell" },
        { "arch,a\n|none~0|,2\n", ":2:", "is no cell" },
        { "index,arch_str,a\n1," CELL0 ",2\n", ":2:", "cell 1 is not cell 0" },
        { "index,a\n1,x\n", ":2:", "'x' of 'a' is no number" },
        { "index,a\n1, 2\n", ":2:", "is no number" },
        { "index,a\n1,2 \n", ":2:", "is no number" },
        { "index,a\n1,0x10\n", ":2:", "is no number" },
        { "index,a\n1,inf\n", ":2:", "is no number" },
        { "index,a\n1,1e999\n", ":2:", "too large" },
        { "index,a\n1,\"2\"\n", ":2:", "is no number" },
        { "index,a\n1,2\n3,4", ":3:", "ends within" },
    };
    ub_context *context = test_context(1);
    ub_hwbench *bench = tables_forms(context, UB_HWBENCH_NASBENCH201);

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *error;

        if (read_text(bench, 0, cases[i].text) != UB_ERR_FORMAT)
            fail_msg("accepted: %s", cases[i].text);
        error = ub_context_last_error(context);
        if (strstr(error, cases[i].where) == NULL ||
            strstr(error, cases[i].what) == NULL)
            fail_msg("%s: %s", cases[i].text, error);
        assert_int_equal(ub_hwbench_metrics(bench), 54);
    }
    assert_int_equal(read_text(bench, 3, "index\n"), UB_ERR_INVALID);
    assert_int_equal(read_text(bench, -1, "index\n"), UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_read(bench, 0, NULL), UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_read(NULL, 0, "x"), UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_read(bench, 0, test_path("none")), UB_ERR_IO);
    ub_hwbench_destroy(&bench);
    ub_context_destroy(&context);
}

static void nothing_is_told_twice(void **state)
{
    ub_context *context = test_context(1);
    ub_hwbench *bench = tables_forms(context, UB_HWBENCH_NASBENCH201);

    (void) state;
    assert_int_equal(read_text(bench, 0, "index,a\n0,1\n"), UB_OK);
    assert_int_equal(read_text(bench, 0, "index,a\n1,2\n"), UB_ERR_FORMAT);
    assert_int_equal(read_text(bench, 1, "index,a\n1,2\n"), UB_OK);
    assert_int_equal(read_text(bench, 0, "index,flops\n1,2\n"), UB_OK);
    assert_int_equal(read_text(bench, 0, "index,flops\n1,2\n"), UB_ERR_FORMAT);
    ub_hwbench_destroy(&bench);
    ub_context_destroy(&context);
}

/* 1,025 names are too many for a line; 502 on two data sets, with 22 standard
 * ones, are too many for the table. */
static void too_many_columns(void **state)
{
    static const struct {
        int columns;
        ub_status status;
    } cases[] = { { 1025, UB_ERR_FORMAT },
                  { 502, UB_ERR_RANGE },
                  { 501, UB_OK } };
    ub_context *context = test_context(1);
    ub_hwbench *bench = tables_forms(context, UB_HWBENCH_FBNET);

    (void) state;
    for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        char text[16384];
        int at = sprintf(text, "key");

        for (int i = 0; i < cases[k].columns; i++)
            at += sprintf(text + at, ",m%d", i);
        sprintf(text + at, "\n");
        assert_int_equal(read_text(bench, 1, text), cases[k].status);
    }
    ub_hwbench_destroy(&bench);
    ub_context_destroy(&context);
}

/* -- folders --------------------------------------------------------------- */

static void put(const char *folder, const char *name, const char *text)
{
    char path[1200];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    test_file_write(path, text, strlen(text));
}

static void folders(void **state)
{
    ub_context *context = test_context(1);
    char folder[1024];
    ub_hwbench *bench = NULL;

    (void) state;
    snprintf(folder, sizeof(folder), "%s", test_path("tables"));
    assert_int_equal(mkdir(folder, 0777), 0);
    assert_int_equal(
        ub_hwbench_open(context, folder, UB_HWBENCH_NASBENCH201, &bench),
        UB_ERR_IO);
    assert_non_null(
        strstr(ub_context_last_error(context), "no table of NAS-Bench-201"));
    put(folder, "nb201_hwnasbench_ImageNet16-120.csv",
        "index,raspi4_latency\n4,0.5\n");
    put(folder, "nb201_help_latency_ms.csv", "index,raspi4\n4,6\n");
    assert_int_equal(
        ub_hwbench_open(context, folder, UB_HWBENCH_NASBENCH201, &bench),
        UB_OK);
    tables_expect(bench, 2, "raspi4_latency", 4, UB_HWBENCH_KNOWN, 0.5);
    tables_expect(bench, 0, "raspi4_latency", 4, UB_HWBENCH_UNKNOWN, NAN);
    tables_expect(bench, 0, "raspi4", 4, UB_HWBENCH_KNOWN, 6.0);
    ub_hwbench_destroy(&bench);
    put(folder, "nb201_accuracy.csv", "index,cifar10_test\n4,6\n5,x\n");
    assert_int_equal(
        ub_hwbench_open(context, folder, UB_HWBENCH_NASBENCH201, &bench),
        UB_ERR_FORMAT);
    assert_non_null(
        strstr(ub_context_last_error(context), "nb201_accuracy.csv:3:"));
    assert_int_equal(ub_hwbench_open(context, folder, UB_HWBENCH_FBNET, &bench),
                     UB_ERR_IO);
    assert_null(bench);
    ub_context_destroy(&context);
}

/* -- damage ---------------------------------------------------------------- */

/* Stays as it is until a text is accepted. */
static ub_hwbench *untouched;

static int read_damaged(ub_context *context, const char *path)
{
    ub_status status;

    if (untouched == NULL)
        untouched = tables_forms(context, UB_HWBENCH_NASBENCH201);
    status = ub_hwbench_read(untouched, 0, path);
    if (status != UB_OK) {
        assert_int_equal(ub_hwbench_metrics(untouched), 54);
        return 0;
    }
    assert_true(ub_hwbench_metrics(untouched) > 54);
    ub_hwbench_destroy(&untouched);
    return 1;
}

/* All but those that end with a line; flips may make another number. */
static void damaged_texts(void **state)
{
    static const char text[] = "index,arch_str,a,b\n0," CELL0 ",1.5,-2e3\n";
    const struct test_damage every = { 1, 3 };
    ub_context *context = test_context(1);
    struct test_damage accepted;

    (void) state;
    accepted = test_damaged(context, "damaged.csv", text, sizeof(text) - 1,
                            every, read_damaged);
    assert_int_equal(accepted.prefixes, 1);
    assert_in_range(accepted.flips, 1, 30);
    ub_hwbench_destroy(&untouched);
    ub_context_destroy(&context);
}

static ub_status scenario(ub_context *context, void *arg)
{
    ub_hwbench *bench = NULL;
    ub_status status = ub_hwbench_open(context, NULL, UB_HWBENCH_NASBENCH201,
                                       &bench);

    if (status == UB_OK)
        status = ub_hwbench_read(bench, 0, arg);
    ub_hwbench_destroy(&bench);
    return status;
}

static void out_of_memory(void **state)
{
    static const char text[] = "index,a,raspi4_latency\n0,1,2\n";
    const char *path = test_path("memory.csv");

    (void) state;
    test_file_write(path, text, sizeof(text) - 1);
    assert_survives_oom(scenario, 1, (void *) path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_by_index),
        cmocka_unit_test(columns_by_text),
        cmocka_unit_test(holes_are_filled),
        cmocka_unit_test(refused_texts),
        cmocka_unit_test(nothing_is_told_twice),
        cmocka_unit_test(too_many_columns),
        cmocka_unit_test(folders),
        cmocka_unit_test(damaged_texts),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
