/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "layers.h"

static char *read_text(ub_context *context, const char *path)
{
    void *data;
    size_t size;

    if (ub__file_read(context, path, (size_t) 1 << 26, &data, &size) != UB_OK)
        fail_msg("%s", ub_context_last_error(context));
    return data;
}

/* -- the header's table, one element at a time ---------------------------- */

struct schedule {
    const struct test_layer *layer;
    const ub_hardware *h;
    const ub_systolic_options *o;
    int32_t operand;
    int64_t offset;
    ub_gemm g;
    int64_t fold_cycles;
    struct test_table table;
};

static void ask(struct schedule *s, int64_t product, int64_t cycle,
                int64_t lane, int64_t row, int64_t column)
{
    const int64_t rows = s->operand == UB_SYSTOLIC_WEIGHTS ? s->g.k : s->g.m;
    const int64_t columns = s->operand == UB_SYSTOLIC_INPUT ? s->g.k : s->g.n;
    int64_t address;

    if (row >= rows || column >= columns)
        return;
    address = test_address(s->layer, s->operand, product, row, column);
    test_table_set(&s->table, cycle, lane,
                   address < 0 ? -1 : address + s->offset);
}

/* f: first cycle; i, j: first row and column of the fold */
static void fold_fixed(struct schedule *s, int64_t p, int64_t f, int64_t i,
                       int64_t j)
{
    const int64_t R = s->h->rows, C = s->h->columns;
    const int is = s->h->dataflow == UB_DATAFLOW_IS;
    const int64_t T = is ? s->g.n : s->g.m;
    const int32_t fixed = is ? UB_SYSTOLIC_INPUT : UB_SYSTOLIC_WEIGHTS;

    for (int64_t u = 0; u < R && s->operand == fixed; u++) {
        for (int64_t c = 0; c < C; c++)
            ask(s, p, f + u, c, is ? j + c : i + R - 1 - u,
                is ? i + R - 1 - u : j + c);
    }
    for (int64_t t = 0; t < T && s->operand != fixed; t++) {
        if (s->operand == UB_SYSTOLIC_OUTPUT) {
            for (int64_t c = 0; c < C; c++)
                ask(s, p, f + 2 * R - 1 + t + c, c, is ? j + c : t,
                    is ? t : j + c);
        } else {
            for (int64_t r = 0; r < R; r++)
                ask(s, p, f + R + t + r, r, is ? i + r : t, is ? t : i + r);
        }
    }
}

static void fold_outputs(struct schedule *s, int64_t p, int64_t f, int64_t i,
                         int64_t j)
{
    const int64_t R = s->h->rows, C = s->h->columns, k = s->g.k;
    const int tool = s->o->compat == UB_SYSTOLIC_COMPAT_SCALESIM;

    for (int64_t t = 0; t < k; t++) {
        for (int64_t r = 0; r < R && s->operand == UB_SYSTOLIC_INPUT; r++)
            ask(s, p, f + t + r, r, i + r, t);
        for (int64_t c = 0; c < C && s->operand == UB_SYSTOLIC_WEIGHTS; c++)
            ask(s, p, f + t + c, c, t, j + c);
    }
    for (int64_t u = 0; u < R && s->operand == UB_SYSTOLIC_OUTPUT; u++) {
        for (int64_t c = 0; c < C; c++) {
            if (s->o->os_drain)
                ask(s, p, f + k - 1 + R + u + c, c, i + R - 1 - u, j + c);
            else
                ask(s, p, f + k - 1 + u + c, c, tool ? i + R - 1 - u : i + u,
                    j + c);
        }
    }
}

static void make_table(struct schedule *s)
{
    const int64_t R = s->h->rows, C = s->h->columns;
    const int os = s->h->dataflow == UB_DATAFLOW_OS;
    const int is = s->h->dataflow == UB_DATAFLOW_IS;
    const int by_rows = s->operand == UB_SYSTOLIC_INPUT     ? !is
                        : s->operand == UB_SYSTOLIC_WEIGHTS ? is
                                                            : 0;
    const int64_t down = os ? s->g.m : s->g.k, across = is ? s->g.m : s->g.n;
    const int64_t stream = os ? s->g.k : is ? s->g.n : s->g.m;
    const int64_t folds = ((down + R - 1) / R) * ((across + C - 1) / C);
    int64_t f = 0;

    s->fold_cycles = R + C + stream - 2 + (!os || s->o->os_drain ? R : 0);
    test_table_init(&s->table, folds * s->fold_cycles * s->g.count,
                    by_rows ? R : C);
    for (int64_t p = 0; p < s->g.count; p++) {
        for (int64_t j = 0; j < across; j += C) {
            for (int64_t i = 0; i < down; i += R, f += s->fold_cycles) {
                if (os)
                    fold_outputs(s, p, f, i, j);
                else
                    fold_fixed(s, p, f, i, j);
            }
        }
    }
}

static int64_t some_offset(ub_rng *rng)
{
    static const int64_t offsets[] = { 0,
                                       90,
                                       9990,
                                       10000000,
                                       99999950,
                                       999999999999990,
                                       9999999999999900,
                                       ((int64_t) 1 << 62) - 100000 };

    return offsets[ub_rng_below(rng, sizeof(offsets) / sizeof(offsets[0]))];
}

/* The text of the table as printf() would have it. */
static void compare_text(ub_context *context, const struct schedule *s,
                         const char *path)
{
    const int64_t delay = s->operand == UB_SYSTOLIC_OUTPUT ? 0 : 1;
    char *text = read_text(context, path), *at = text;

    for (int64_t i = 0; i < s->table.cycles; i++) {
        for (int64_t l = -1; l < s->table.lanes; l++) {
            const long long value =
                l < 0 ? i + delay : s->table.address[i * s->table.lanes + l];
            char number[32];
            const int n = snprintf(number, sizeof(number), "%s%lld",
                                   l < 0 ? "" : ",", value);

            if (strncmp(at, number, (size_t) n) != 0)
                fail_msg("cycle %lld: %.30s is not %s", (long long) i, at,
                         number);
            at += n;
        }
        assert_true(*at++ == '\n');
    }
    assert_true(*at == '\0');
    ub__free(context, text);
}

static void compare_schedule(ub_context *context, struct schedule *s)
{
    const char *path = test_path("random.csv");

    make_table(s);
    if (ub_systolic_trace(context, &s->layer->info, s->h, s->o, s->operand,
                          s->offset, test_table_compare, &s->table) != UB_OK)
        fail_msg("%s", ub_context_last_error(context));
    assert_int_equal(s->table.seen, s->table.cycles);
    assert_int_equal(s->table.wrong, 0);
    if (ub_systolic_trace_write(context, &s->layer->info, s->h, s->o,
                                s->operand, s->offset, path) != UB_OK)
        fail_msg("%s", ub_context_last_error(context));
    compare_text(context, s, path);
    free(s->table.address);
}

static void random_layers(void **state)
{
    ub_context *context = test_context(1);
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 3, 0);
    for (int i = 0; i < 150; i++) {
        struct test_layer layer;
        struct schedule s = { .layer = &layer };
        ub_systolic_options o;
        ub_hardware h;

        test_random_layer(&layer, &rng);
        ub_hardware_init(&h, sizeof(h));
        ub_systolic_options_init(&o, sizeof(o));
        h.rows = 1 + (int64_t) ub_rng_below(&rng, 9);
        h.columns = 1 + (int64_t) ub_rng_below(&rng, 9);
        o.batch = layer.batch;
        o.os_drain = (int32_t) ub_rng_below(&rng, 2);
        o.compat = (int32_t) ub_rng_below(&rng, 2);
        s.h = &h;
        s.o = &o;
        s.offset = some_offset(&rng);
        s.g.size = sizeof(s.g);
        assert_int_equal(ub_layer_gemm(&layer.info, o.batch, &s.g), UB_OK);
        for (h.dataflow = 0; h.dataflow < 3; h.dataflow++) {
            for (s.operand = 0; s.operand < 3; s.operand++)
                compare_schedule(context, &s);
        }
    }
    ub_context_destroy(&context);
}

/* More rows than a block has, and more text than a buffer holds. */
static void long_and_wide(void **state)
{
    static const int64_t arrays[][2] = {
        { 1, 1 }, { 1, 40 }, { 60, 2 }, { 17, 600 }
    };
    ub_context *context = test_context(1);
    struct test_layer layer;
    ub_systolic_options o;
    ub_hardware h;

    (void) state;
    test_conv(&layer, 3, 23, 19, 24);
    layer.layer.kernel_height = layer.layer.kernel_width = 3;
    layer.layer.pad_height = layer.layer.pad_width = 1;
    test_conv_finish(&layer);
    ub_systolic_options_init(&o, sizeof(o));
    ub_hardware_init(&h, sizeof(h));
    for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++) {
        struct schedule s = { .layer = &layer, .h = &h, .o = &o, .offset = 7 };

        s.g.size = sizeof(s.g);
        assert_int_equal(ub_layer_gemm(&layer.info, 1, &s.g), UB_OK);
        h.rows = arrays[i][0];
        h.columns = arrays[i][1];
        h.dataflow = (int32_t) (i % 3);
        for (s.operand = 0; s.operand < 3; s.operand++)
            compare_schedule(context, &s);
    }
    ub_context_destroy(&context);
}

/* -- calls ---------------------------------------------------------------- */

static int stop_at(void *user, int64_t cycle, int64_t *addresses, int64_t n)
{
    (void) addresses;
    (void) n;
    return cycle == *(const int64_t *) user;
}

/* A layer that nobody waits for, with the memory of a small one. */
static void stopped(void **state)
{
    ub_context *context = test_context(1);
    struct test_layer layer;
    ub_hardware h;
    int64_t last = 5000;

    (void) state;
    test_conv(&layer, 512, 2048, 2048, 1024);
    layer.layer.kernel_height = layer.layer.kernel_width = 3;
    test_conv_finish(&layer);
    ub_hardware_init(&h, sizeof(h));
    assert_int_equal(ub_systolic_trace(context, &layer.info, &h, NULL,
                                       UB_SYSTOLIC_OUTPUT, 0, stop_at, &last),
                     UB_ERR_INTERRUPTED);
    assert_non_null(strstr(ub_context_last_error(context), "5000"));
    ub_context_destroy(&context);
}

static int stop_progress(void *user, const ub_progress *progress)
{
    ++*(int *) user;
    return progress->step > 0;
}

static void interrupted(void **state)
{
    const char *path = test_path("interrupted.csv");
    struct test_layer layer;
    int calls = 0;
    ub_context *context = test_progress_context(1, stop_progress, &calls);

    (void) state;
    test_linear(&layer, 1, 5000, 5000);
    assert_int_equal(
        ub_systolic_trace_write(context, &layer.info,
                                &(ub_hardware){ .size = sizeof(ub_hardware) },
                                NULL, 0, 0, path),
        UB_ERR_INVALID);
    {
        ub_hardware h;

        ub_hardware_init(&h, sizeof(h));
        assert_int_equal(
            ub_systolic_trace_write(context, &layer.info, &h, NULL, 0, 0, path),
            UB_ERR_INTERRUPTED);
    }
    assert_int_equal(calls, 1);
    assert_false(ub__file_exists(path));
    ub_context_destroy(&context);
}

/* A device stays what it is, and a pipe gets the text. */
static void devices(void **state)
{
    ub_context *context = test_context(1);
    const char *path = test_path("pipe");
    struct test_layer layer;
    struct stat info;
    ub_hardware h;
    char text[64] = "";
    FILE *file;

    (void) state;
    test_linear(&layer, 1, 1, 1);
    ub_hardware_init(&h, sizeof(h));
    h.rows = h.columns = 1;
    assert_int_equal(ub_systolic_trace_write(context, &layer.info, &h, NULL, 0,
                                             0, "/dev/null"),
                     UB_OK);
    assert_int_equal(stat("/dev/null", &info), 0);
    assert_true(S_ISCHR(info.st_mode));
    assert_int_equal(mkfifo(path, 0600), 0);
    /* open both ways, so that neither waits for the other */
    file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(
        ub_systolic_trace_write(context, &layer.info, &h, NULL, 0, 41, path),
        UB_OK);
    assert_non_null(fgets(text, sizeof(text), file));
    assert_string_equal(text, "1,-1\n");
    assert_non_null(fgets(text, sizeof(text), file));
    assert_string_equal(text, "2,41\n");
    fclose(file);
    assert_int_equal(ub_systolic_trace_write(context, &layer.info, &h, NULL, 0,
                                             0, "/nowhere/at/all"),
                     UB_ERR_IO);
    ub_context_destroy(&context);
}

static ub_status try_trace(ub_context *context, const ub_layer_info *info,
                           const ub_hardware *h, const ub_systolic_options *o,
                           int32_t operand, int64_t offset)
{
    int64_t last = 0;

    return ub_systolic_trace(context, info, h, o, operand, offset, stop_at,
                             &last);
}

static void hostile_calls(void **state)
{
    ub_context *context = test_context(1);
    struct test_layer t;
    ub_systolic_options o;
    ub_hardware h;

    (void) state;
    ub_hardware_init(&h, sizeof(h));
    ub_systolic_options_init(&o, sizeof(o));
    test_conv(&t, 4, 8, 8, 4);
    test_conv_finish(&t);
    assert_int_equal(try_trace(NULL, &t.info, &h, &o, 0, 0), UB_ERR_INVALID);
    assert_int_equal(try_trace(context, NULL, &h, &o, 0, 0), UB_ERR_INVALID);
    assert_int_equal(try_trace(context, &t.info, NULL, &o, 0, 0),
                     UB_ERR_INVALID);
    assert_int_equal(try_trace(context, &t.info, &h, &o, 3, 0), UB_ERR_INVALID);
    assert_int_equal(try_trace(context, &t.info, &h, &o, -1, 0),
                     UB_ERR_INVALID);
    assert_int_equal(try_trace(context, &t.info, &h, &o, 0, -1),
                     UB_ERR_INVALID);
    assert_int_equal(try_trace(context, &t.info, &h, &o, 0, INT64_MAX),
                     UB_ERR_RANGE);
    assert_int_equal(
        ub_systolic_trace(context, &t.info, &h, &o, 0, 0, NULL, NULL),
        UB_ERR_INVALID);
    assert_int_equal(
        ub_systolic_trace_write(context, &t.info, &h, &o, 0, 0, NULL),
        UB_ERR_INVALID);
    o.os_drain = 2;
    assert_int_equal(try_trace(context, &t.info, &h, &o, 0, 0), UB_ERR_INVALID);
    o.os_drain = 0;
    o.batch = 0;
    assert_int_equal(try_trace(context, &t.info, &h, &o, 0, 0), UB_ERR_INVALID);
    o.batch = INT64_MAX;
    assert_int_equal(try_trace(context, &t.info, &h, &o, 0, 0), UB_ERR_RANGE);
    o.batch = 1;
    o.compat = UB_SYSTOLIC_COMPAT_CSIM;
    assert_int_equal(try_trace(context, &t.info, &h, &o, 0, 0),
                     UB_ERR_UNSUPPORTED);
    o.compat = 0;
    h.arrays = 2;
    assert_int_equal(try_trace(context, &t.info, &h, &o, 0, 0),
                     UB_ERR_UNSUPPORTED);
    h.arrays = 1;
    t.layer.sparse_block = 4;
    t.layer.sparse_keep = 2;
    assert_int_equal(try_trace(context, &t.info, &h, &o, 0, 0),
                     UB_ERR_UNSUPPORTED);
    o.sparsity = UB_SYSTOLIC_DENSE;
    assert_int_equal(try_trace(context, &t.info, &h, &o, 0, 0),
                     UB_ERR_INTERRUPTED);
    t.info.out_height = 12;
    assert_int_equal(try_trace(context, &t.info, &h, &o, 0, 0), UB_ERR_INVALID);
    t.info.out_height = 8;
    t.layer.groups = 3;
    assert_int_equal(try_trace(context, &t.info, &h, &o, 0, 0), UB_ERR_INVALID);
    t.layer.groups = 1;
    t.layer.kind = UB_LAYER_MATMUL;
    assert_int_equal(try_trace(context, &t.info, &h, &o, 0, 0),
                     UB_ERR_UNSUPPORTED);
    t.layer.kind = UB_LAYER_RELU;
    assert_int_equal(try_trace(context, &t.info, &h, &o, 0, 0), UB_OK);
    assert_int_equal(ub_systolic_trace_write(context, &t.info, &h, &o, 0, 0,
                                             test_path("empty.csv")),
                     UB_OK);
    ub_context_destroy(&context);
}

static ub_status trace_scenario(ub_context *context, void *arg)
{
    struct test_layer layer;
    ub_hardware h;
    int64_t never = -1;
    ub_status status;

    (void) arg;
    test_linear(&layer, 3, 4, 5);
    ub_hardware_init(&h, sizeof(h));
    h.rows = h.columns = 2;
    status = ub_systolic_trace(context, &layer.info, &h, NULL, 0, 0, stop_at,
                               &never);
    if (status == UB_OK)
        status = ub_systolic_trace_write(context, &layer.info, &h, NULL, 2, 0,
                                         "/dev/null");
    if (status == UB_OK)
        status = ub_systolic_trace_write(context, &layer.info, &h, NULL, 2, 0,
                                         test_path("oom.csv"));
    return status;
}

static void failing_allocations(void **state)
{
    (void) state;
    assert_survives_oom(trace_scenario, 1, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_layers),
        cmocka_unit_test(long_and_wide),
        cmocka_unit_test(stopped),
        cmocka_unit_test(interrupted),
        cmocka_unit_test(devices),
        cmocka_unit_test(hostile_calls),
        cmocka_unit_test(failing_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
