/* SPDX-License-Identifier: BSD-2-Clause */
#include "pickle_show.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What make_pickle.py has Python write. */

enum { CELLS = 300, DATASETS = 3, METRICS = 10, KEYS = 225, FBNET_METRICS = 8 };

static const char *const metrics[METRICS] = {
    "edgegpu_latency", "edgegpu_energy",
    "raspi4_latency",  "edgetpu_latency",
    "pixel3_latency",  "eyeriss_latency",
    "eyeriss_energy",  "eyeriss_arithmetic_intensity",
    "fpga_latency",    "fpga_energy",
};
static const char *const datasets[DATASETS] = { "cifar10", "cifar100",
                                                "ImageNet16-120" };

static int command(const char *format, ...) UB__PRINTF(1, 2);

static int command(const char *format, ...)
{
    char text[2048];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return system(text);
}

/* A Python that has the module, or the test is skipped. */
static const char *python_with(const char *module)
{
    static const char *const pythons[] = { "python3", "/usr/bin/python3" };

    for (size_t i = 0; i < sizeof(pythons) / sizeof(*pythons); i++) {
        if (command("%s -c 'import %s' >/dev/null 2>&1", pythons[i], module) ==
            0)
            return pythons[i];
    }
    print_message("no Python with the module %s\n", module);
    skip();
    return NULL;
}

static const char *make(const char *python, const char *what, const char *name)
{
    const char *folder = test_path(name);
    const char *tests = getenv("UBOOST_TESTS");

    if (tests == NULL) {
        print_message("UBOOST_TESTS does not name the folder of the tests\n");
        skip();
    }
    assert_int_equal(mkdir(folder, 0777), 0);
    assert_int_equal(command("%s %s/hwbench/make_pickle.py %s %s", python,
                             tests, what, folder),
                     0);
    return folder;
}

static char *read_all(const char *path, size_t *out_n)
{
    struct stat info;

    assert_int_equal(stat(path, &info), 0);
    *out_n = (size_t) info.st_size;
    return test_file_read(path);
}

/* -- samples -------------------------------------------------------------- */

static int compare(ub_context *context, const char *path)
{
    const size_t stem = strlen(path) - strlen(".pickle");
    char *bytes, *shown = NULL, *expected, text[2048];
    size_t n;

    if (strcmp(path + stem, ".pickle") != 0)
        return 0;
    snprintf(text, sizeof(text), "%.*s.txt", (int) stem, path);
    bytes = read_all(path, &n);
    expected = test_file_read(text);
    if (pickle_read(context, bytes, n, NULL, &shown) != UB_OK)
        fail_msg("%s: %s", path, ub_context_last_error(context));
    if (strcmp(shown, expected) != 0)
        fail_msg("%s: %.2000s, where %.2000s was expected", path, shown,
                 expected);
    free(bytes);
    free(expected);
    free(shown);
    return 1;
}

static void samples(void **state)
{
    const char *folder = make(python_with("pickle"), "--plain --samples",
                              "samples");
    ub_context *context = test_context(1);

    (void) state;
    assert_int_equal(test_files(context, folder, compare), 13 * 6);
    ub_context_destroy(&context);
}

static void numpy_samples(void **state)
{
    const char *folder = make(python_with("numpy"), "--samples", "numpy");
    ub_context *context = test_context(1);

    (void) state;
    assert_int_equal(test_files(context, folder, compare), (13 + 12) * 6);
    ub_context_destroy(&context);
}

/* -- the benchmark's structure -------------------------------------------- */

static double number(int dataset, int metric, int cell)
{
    if (metric == 3 && cell % 4 == 0)
        return -1.0;
    return (cell * 10 + metric + 1) / 7.0 + dataset * 1000.25;
}

static double key_number(int metric, int key)
{
    return (key * 8 + metric) / 16.0 + 0.1;
}

static void check_config(const ub__pickle *p, ub__pickle_node config)
{
    ub__pickle_node node = ub__pickle_get(p, config, "arch_str");
    int64_t value = 0;
    size_t length;

    assert_int_equal(ub__pickle_length(p, config), 5);
    assert_true(
        ub__pickle_text_is(p, ub__pickle_get(p, config, "name"), "infer.tiny"));
    assert_int_equal(ub__pickle_int(p, ub__pickle_get(p, config, "C"), &value),
                     UB_OK);
    assert_int_equal(value, 16);
    assert_non_null(ub__pickle_text(p, node, &length));
    assert_true(length > 30 && ub__pickle_text(p, node, &length)[0] == '|');
}

static void check_dataset(const ub__pickle *p, ub__pickle_node root,
                          int dataset)
{
    ub__pickle_node part, config;
    size_t wrong = 0;

    part = ub__pickle_get(p, ub__pickle_get(p, root, "nasbench201"),
                          datasets[dataset]);
    assert_int_equal(ub__pickle_length(p, part), 1 + METRICS);
    config = ub__pickle_get(p, part, "config");
    assert_int_equal(ub__pickle_length(p, config), CELLS);
    for (int i = 0; i < CELLS; i++)
        check_config(p, ub__pickle_item(p, config, (size_t) i));
    for (int m = 0; m < METRICS; m++) {
        const ub__pickle_node values = ub__pickle_get(p, part, metrics[m]);

        assert_int_equal(ub__pickle_length(p, values), CELLS);
        for (int i = 0; i < CELLS; i++) {
            double x = 0.0;

            assert_int_equal(ub__pickle_number(p, values, (size_t) i, &x),
                             UB_OK);
            wrong += x != number(dataset, m, i);
        }
    }
    assert_int_equal(wrong, 0);
}

static void check_fbnet(const ub__pickle *p, ub__pickle_node root)
{
    const ub__pickle_node fbnet = ub__pickle_get(p, root, "fbnet");

    assert_int_equal(ub__pickle_length(p, fbnet), FBNET_METRICS);
    for (int m = 0; m < FBNET_METRICS; m++) {
        const ub__pickle_node keys = ub__pickle_item(p, fbnet, (size_t) m);
        size_t wrong = 0;

        assert_int_equal(ub__pickle_length(p, keys), KEYS);
        for (int k = 0; k < KEYS; k++) {
            double x = 0.0;

            assert_int_equal(
                ub__pickle_kind_of(p, ub__pickle_key(p, keys, (size_t) k)),
                UB__PICKLE_TEXT);
            assert_int_equal(
                ub__pickle_double(p, ub__pickle_item(p, keys, (size_t) k), &x),
                UB_OK);
            wrong += x != key_number(m, k);
        }
        assert_int_equal(wrong, 0);
    }
    assert_int_equal(
        ub__pickle_length(p, ub__pickle_get(p, fbnet, "pixel3_latency")), KEYS);
    assert_int_equal(ub__pickle_get(p, fbnet, "edgetpu_latency"),
                     UB__PICKLE_ABSENT);
}

static int check_table(ub_context *context, const char *path)
{
    ub__pickle *p = NULL;
    size_t n;
    char *bytes = read_all(path, &n);

    if (ub__pickle_parse(context, bytes, n, NULL, &p) != UB_OK)
        fail_msg("%s: %s", path, ub_context_last_error(context));
    assert_int_equal(ub__pickle_used(p), n);
    for (int d = 0; d < DATASETS; d++)
        check_dataset(p, ub__pickle_root(p), d);
    check_fbnet(p, ub__pickle_root(p));
    ub__pickle_destroy(&p);
    free(bytes);
    return 1;
}

static void tables(void **state)
{
    const char *folder = make(python_with("pickle"),
                              "--plain --all --cells 300", "tables");
    ub_context *context = test_context(1);

    (void) state;
    assert_int_equal(test_files(context, folder, check_table), 6);
    ub_context_destroy(&context);
}

static void numpy_tables(void **state)
{
    const char *folder = make(python_with("numpy"), "--all --cells 300",
                              "numpy_tables");
    ub_context *context = test_context(1);

    (void) state;
    assert_int_equal(test_files(context, folder, check_table), 3 * 6);
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples),
        cmocka_unit_test(numpy_samples),
        cmocka_unit_test(tables),
        cmocka_unit_test(numpy_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
