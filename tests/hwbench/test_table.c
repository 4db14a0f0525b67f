/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"
#include "tables.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* The binary table: a header of 64 bytes, records of 128, values. */

#define CELLS  UB_NASBENCH201_CELLS
#define ROWS   (UB_HWBENCH_FBNET_BLOCKS * UB_HWBENCH_FBNET_OPERATORS)
#define RECORD 64

static double value_at(int64_t i, int64_t column)
{
    return i % 7 == 3 ? NAN : i % 7 == 4 ? -1.0 : 1.0 / (double) (i + column);
}

static void append(ub_hwbench *bench, const char *name, const char *unit,
                   int32_t direction, int64_t n, int64_t column)
{
    double *values = malloc((size_t) n * sizeof(*values));

    assert_non_null(values);
    for (int64_t i = 0; i < n; i++)
        values[i] = value_at(i, column);
    tables_append(bench, name, unit, direction, n, values);
    free(values);
}

/* Two columns of cells, one of blocks. */
static const char *write_both(ub_context *context)
{
    const char *path = test_path("both.table");
    ub_hwbench *benches[2] = { tables_forms(context, UB_HWBENCH_NASBENCH201),
                               tables_forms(context, UB_HWBENCH_FBNET) };

    append(benches[0], "raspi4_latency", "ms", UB_MINIMIZE, CELLS, 1);
    append(benches[0], "score", "points", UB_MAXIMIZE, CELLS, 2);
    append(benches[1], "board", "mJ", UB_MINIMIZE, ROWS, 3);
    assert_int_equal(
        ub_hwbench_write((const ub_hwbench *const *) benches, 2, path), UB_OK);
    ub_hwbench_destroy(&benches[0]);
    ub_hwbench_destroy(&benches[1]);
    return path;
}

static void assert_cells(const ub_hwbench *bench, const char *name,
                         int64_t column)
{
    const int64_t metric = ub_hwbench_find(bench, UB_HWBENCH_CIFAR100, name);

    for (int64_t i = 0; i < CELLS; i++) {
        const double expected = value_at(i, column);
        ub_hwbench_value v;

        assert_int_equal(ub_hwbench_get(bench, metric, i, &v), UB_OK);
        assert_true(isnan(expected) ? isnan(v.value) : v.value == expected);
    }
}

static void round_trip(void **state)
{
    ub_context *context = test_context(1);
    const char *path = write_both(context);
    ub_hwbench *bench = NULL;
    ub_hwbench_metric m = { .size = sizeof(m) };
    ub_hwbench_value v;

    (void) state;
    assert_int_equal(
        ub_hwbench_open(context, path, UB_HWBENCH_NASBENCH201, &bench), UB_OK);
    assert_int_equal(ub_hwbench_metrics(bench), 55);
    assert_cells(bench, "raspi4_latency", 1);
    assert_cells(bench, "score", 2);
    assert_int_equal(ub_hwbench_get_metric(bench, 54, &m), UB_OK);
    assert_string_equal(m.name, "score");
    assert_string_equal(m.unit, "points");
    assert_int_equal(m.direction, UB_MAXIMIZE);
    assert_int_equal(m.source, UB_HWBENCH_TABLE);
    assert_int_equal(m.failed, 0);
    ub_hwbench_destroy(&bench);
    assert_int_equal(ub_hwbench_open(context, path, UB_HWBENCH_FBNET, &bench),
                     UB_OK);
    assert_int_equal(ub_hwbench_metrics(bench), 23);
    assert_int_equal(ub_hwbench_get_block(bench, 22, 1, 2, &v), UB_OK);
    assert_true(v.value == value_at(11, 3) && v.state == UB_HWBENCH_FAILED);
    assert_int_equal(ub_hwbench_get_block(bench, 22, 0, 0, &v), UB_OK);
    assert_true(v.value == value_at(0, 3) && v.state == UB_HWBENCH_KNOWN);
    ub_hwbench_destroy(&bench);
    ub_context_destroy(&context);
}

/* The published tables, through the binary one: the same to the last bit. */
static void published_round_trip(void **state)
{
    const char *folder = test_data("hwnas"), *path = test_path("all.table");
    ub_context *context;
    ub_hwbench *first = NULL, *second = NULL;

    (void) state;
    if (folder == NULL)
        skip();
    context = test_context(1);
    assert_int_equal(
        ub_hwbench_open(context, folder, UB_HWBENCH_NASBENCH201, &first),
        UB_OK);
    assert_int_equal(
        ub_hwbench_write((const ub_hwbench *const *) &first, 1, path), UB_OK);
    assert_int_equal(
        ub_hwbench_open(context, path, UB_HWBENCH_NASBENCH201, &second), UB_OK);
    assert_int_equal(ub_hwbench_metrics(first), ub_hwbench_metrics(second));
    for (int64_t m = 0; m < ub_hwbench_metrics(first); m++) {
        ub_hwbench_metric a = { .size = sizeof(a) }, b = { .size = sizeof(b) };
        int64_t other;

        assert_int_equal(ub_hwbench_get_metric(first, m, &a), UB_OK);
        other = ub_hwbench_find(second, a.dataset, a.name);
        assert_int_equal(ub_hwbench_get_metric(second, other, &b), UB_OK);
        assert_int_equal(a.known, b.known);
        assert_int_equal(a.failed, b.failed);
        assert_int_equal(a.direction, b.direction);
        for (int64_t i = 0; i < CELLS; i++) {
            ub_hwbench_value x, y;

            assert_int_equal(ub_hwbench_get(first, m, i, &x), UB_OK);
            assert_int_equal(ub_hwbench_get(second, other, i, &y), UB_OK);
            assert_int_equal(x.state, y.state);
            assert_true(x.value == y.value || x.state == UB_HWBENCH_UNKNOWN);
        }
    }
    ub_hwbench_destroy(&first);
    ub_hwbench_destroy(&second);
    ub_context_destroy(&context);
}

static void wrong_writes(void **state)
{
    ub_context *context = test_context(1);
    ub_hwbench *bench = tables_forms(context, UB_HWBENCH_FBNET);
    const ub_hwbench *twice[2] = { bench, bench }, *half[2] = { bench, NULL };
    const char *path = test_path("never.table");

    (void) state;
    assert_int_equal(ub_hwbench_write(NULL, 1, path), UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_write(twice, 0, path), UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_write(twice, 2, path), UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_write(half, 2, path), UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_write(twice, 3, path), UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_write(twice, 1, NULL), UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_write(twice, 1, test_path("none/x.table")),
                     UB_ERR_IO);
    assert_false(ub__file_exists(path));
    ub_hwbench_destroy(&bench);
    ub_context_destroy(&context);
}

/* -- damage ---------------------------------------------------------------- */

/* FBNet's only: small enough to be damaged in many ways. */
static char *small_table(ub_context *context, size_t *out_size)
{
    const char *path = test_path("small.table");
    ub_hwbench *bench = tables_forms(context, UB_HWBENCH_FBNET);
    void *data;

    append(bench, "board", "ms", UB_MINIMIZE, ROWS, 1);
    append(bench, "raspi4_latency", "ms", UB_MINIMIZE, ROWS, 2);
    assert_int_equal(
        ub_hwbench_write((const ub_hwbench *const *) &bench, 1, path), UB_OK);
    ub_hwbench_destroy(&bench);
    assert_int_equal(ub__file_read(context, path, 1 << 20, &data, out_size),
                     UB_OK);
    return data;
}

static void damaged_tables(void **state)
{
    const struct test_damage every = { 7, 13 };
    ub_context *context = test_context(1);
    struct test_damage accepted;
    size_t size;
    char *data = small_table(context, &size);

    (void) state;
    assert_int_equal(size, 64 + 2 * 128 + 2 * ROWS * 8);
    accepted = test_damaged(context, "damaged.table", data, size, every,
                            tables_read);
    assert_int_equal(accepted.prefixes, 0);
    assert_int_equal(accepted.flips, 0);
    ub__free(context, data);
    ub_context_destroy(&context);
}

/* With the checksum made right again. */
static ub_status read_patched(ub_context *context, const char *data,
                              size_t size, size_t at, const void *patch,
                              size_t patch_size)
{
    const char *path = test_path("patched.table");
    char *copy = malloc(size);
    ub_hwbench *bench = NULL;
    uint32_t crc = 0;
    ub_status status;

    assert_non_null(copy);
    memcpy(copy, data, size);
    memcpy(copy + at, patch, patch_size);
    memcpy(copy + 28, &crc, 4);
    crc = (uint32_t) crc32(0, (const Bytef *) copy, (uInt) size);
    memcpy(copy + 28, &crc, 4);
    test_file_write(path, copy, size);
    free(copy);
    status = ub_hwbench_open(context, path, UB_HWBENCH_FBNET, &bench);
    assert_int_equal(bench != NULL, status == UB_OK);
    ub_hwbench_destroy(&bench);
    return status;
}

static void hostile_tables(void **state)
{
    static const double infinite = INFINITY;
    static const struct {
        size_t at, size;
        uint64_t value;
        ub_status status;
        const char *what;
    } patches[] = {
        { 0, 1, 'x', UB_ERR_FORMAT, "neither a folder" },
        { 8, 4, 2, UB_ERR_UNSUPPORTED, "version 2" },
        { 12, 4, 0x04030201, UB_ERR_UNSUPPORTED, "byte order" },
        { 16, 8, 1, UB_ERR_FORMAT, "should have 1" },
        { 24, 4, 0, UB_ERR_IO, "no table of FBNet" },
        { 24, 4, 3, UB_ERR_FORMAT, "makes no sense" },
        { 24, 4, UINT32_MAX, UB_ERR_FORMAT, "no room" },
        { RECORD, 1, 0, UB_ERR_FORMAT, "column 0 makes no sense" },
        { RECORD, 1, 10, UB_ERR_FORMAT, "column 0 makes no sense" },
        { RECORD, 6, 0x6472616f62, UB_ERR_FORMAT, "two columns" },
        { RECORD + 80, 4, 1, UB_OK, "" },
        { RECORD + 80, 4, 3, UB_ERR_FORMAT, "makes no sense" },
        { RECORD + 84, 4, 0, UB_ERR_FORMAT, "makes no sense" },
        { RECORD + 84, 4, UINT32_MAX, UB_ERR_FORMAT, "makes no sense" },
        { RECORD + 88, 4, 2, UB_ERR_FORMAT, "makes no sense" },
        { RECORD + 96, 8, 1, UB_ERR_FORMAT, "makes no sense" },
        { RECORD + 96, 8, 4064, UB_ERR_FORMAT, "makes no sense" },
        { RECORD + 96, 8, UINT64_MAX - 7, UB_ERR_FORMAT, "makes no sense" },
        { RECORD + 104, 8, 0, UB_ERR_FORMAT, "makes no sense" },
        { RECORD + 104, 8, UINT64_MAX, UB_ERR_FORMAT, "makes no sense" },
    };
    ub_context *context = test_context(1);
    char full[128];
    size_t size;
    char *data = small_table(context, &size);

    (void) state;
    for (size_t i = 0; i < sizeof(patches) / sizeof(patches[0]); i++) {
        const ub_status status = read_patched(context, data, size,
                                              patches[i].at, &patches[i].value,
                                              patches[i].size);

        if (status != patches[i].status)
            fail_msg("patch %zu: %s", i, ub_status_str(status));
        if (status != UB_OK &&
            strstr(ub_context_last_error(context), patches[i].what) == NULL)
            fail_msg("patch %zu: %s", i, ub_context_last_error(context));
    }
    memset(full, 'x', sizeof(full));
    assert_int_equal(read_patched(context, data, size, RECORD, full, 64),
                     UB_ERR_FORMAT);
    assert_int_equal(read_patched(context, data, size, RECORD + 64, full, 16),
                     UB_ERR_FORMAT);
    assert_int_equal(read_patched(context, data, size, size - 8, &infinite, 8),
                     UB_ERR_FORMAT);
    ub__free(context, data);
    ub_context_destroy(&context);
}

static void other_space(void **state)
{
    ub_context *context = test_context(1);
    ub_hwbench *bench = NULL;
    size_t size;
    char *data = small_table(context, &size);

    (void) state;
    assert_int_equal(ub_hwbench_open(context, test_path("small.table"),
                                     UB_HWBENCH_NASBENCH201, &bench),
                     UB_ERR_IO);
    assert_non_null(
        strstr(ub_context_last_error(context), "no table of NAS-Bench-201"));
    ub__free(context, data);
    ub_context_destroy(&context);
}

/* -- memory ---------------------------------------------------------------- */

static ub_status open_and_write(ub_context *context, void *arg)
{
    ub_hwbench *bench = NULL;
    ub_status status = ub_hwbench_open(context, arg, UB_HWBENCH_FBNET, &bench);

    if (status == UB_OK)
        status = ub_hwbench_write((const ub_hwbench *const *) &bench, 1,
                                  test_path("again.table"));
    ub_hwbench_destroy(&bench);
    return status;
}

static void out_of_memory(void **state)
{
    ub_context *context = test_context(1);
    const char *path = write_both(context);

    (void) state;
    assert_survives_oom(open_and_write, 1, (void *) path);
    assert_survives_oom(tables_open_cells, 1, (void *) path);
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(published_round_trip),
        cmocka_unit_test(wrong_writes),
        cmocka_unit_test(damaged_tables),
        cmocka_unit_test(hostile_tables),
        cmocka_unit_test(other_space),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
