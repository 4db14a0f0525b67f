/* SPDX-License-Identifier: BSD-2-Clause */
/* What the logits are told that a choice costs, by the interval. */
#include "../search/runs.h"
#include "tiny.h"

#include <math.h>
#include <stdio.h>

enum { CELLS = 3, OPERATORS = 3, WIDTHS = 2 };

struct fixture {
    ub_context *context;
    ub_space *space;
    ub_cosearch_options options;
    ub__joint_price price;
};

static void open_fixture(struct fixture *f, double dsp_limit)
{
    f->context = test_context(1);
    tiny_options(&f->options);
    f->options.cost = UB_COSEARCH_INTERVAL;
    f->options.dsp_limit = dsp_limit;
    assert_int_equal(tiny_space(f->context, &f->space), UB_OK);
    assert_int_equal(
        ub__joint_price_open(f->context, f->space, &f->options, &f->price),
        UB_OK);
}

static void close_fixture(struct fixture *f)
{
    ub__joint_price_close(&f->price);
    ub_space_destroy(&f->space);
    ub_context_destroy(&f->context);
}

/* Cycles of the slowest chunk of the network of a path, made anew; infinite
 * where no accelerator is within the limits. */
static double interval_of(const struct fixture *f, const ub__joint_path *path)
{
    int32_t configuration[WIDTHS * UB_CHUNK_FAMILIES * UB_CHUNK_FIELDS];
    ub_accelerator_result r = { .size = sizeof(r) };
    const ub_status status = ub__joint_price_best(
        &f->price, path, UB_ENGINE_EXACT, 1, NULL, configuration, &r);

    if (status == UB_ERR_RANGE)
        return (double) INFINITY;
    assert_int_equal(status, UB_OK);
    return r.bottleneck;
}

static double entry(const struct fixture *f, int cell, int op, int width)
{
    return f->price.cycles[(cell * OPERATORS + op) * WIDTHS + width];
}

/* Cells of a path sum up to its interval; each other choice differs from the
 * path's own by what it does to the interval. Intervals are whole numbers far
 * below 2^53 and thirds of one: rounding only. */
static void check_table(const struct fixture *f, const ub__joint_path *path)
{
    const double base = interval_of(f, path);
    double longest = base;

    assert_close(ub__joint_price_cycles(&f->price, path), base, 1e-9 * base);
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < CELLS * OPERATORS * WIDTHS; i++) {
            const int cell = i / (OPERATORS * WIDTHS);
            const int op = i / WIDTHS % OPERATORS, width = i % WIDTHS;
            ub__joint_path other = *path;
            double cycles;

            other.operators[cell] = op;
            other.widths[cell] = width;
            cycles = interval_of(f, &other);
            if (pass == 0 && !isinf(cycles))
                longest = fmax(longest, cycles);
            if (isinf(cycles))
                cycles = 2.0 * longest;
            if (pass == 1)
                assert_close(entry(f, cell, op, width) -
                                 entry(f, cell, path->operators[cell],
                                       path->widths[cell]),
                             cycles - base, 1e-9 * longest);
        }
    }
}

static void test_table(void **state)
{
    static const ub__joint_path paths[] = {
        { { 0, 0, 0 }, { 0, 0, 0 } },
        { { 1, 0, 1 }, { 0, 1, 0 } },
        { { 2, 1, 2 }, { 1, 1, 1 } },
    };
    struct fixture f;

    (void) state;
    open_fixture(&f, 220.0);
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        assert_int_equal(ub__joint_price_refresh(&f.price, &paths[i], 1),
                         UB_OK);
        check_table(&f, &paths[i]);
    }
    close_fixture(&f);
}

/* Two DSPs are enough for one width only: another one in any cell fits no
 * accelerator, and costs twice what the slowest that fits does. A path of both
 * leaves the table as it was, at first zeros. */
static void test_no_accelerator(void **state)
{
    const ub__joint_path fits[] = { { .widths = { 0 } },
                                    { .widths = { 1, 1, 1 } } };
    const ub__joint_path too_large = { .widths = { 0, 0, 1 } };
    struct fixture f;

    (void) state;
    open_fixture(&f, 2.0);
    assert_true(isinf(interval_of(&f, &too_large)));
    assert_int_equal(ub__joint_price_refresh(&f.price, &too_large, 1), UB_OK);
    assert_close(ub__joint_price_cycles(&f.price, &too_large), 0.0, 0.0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ub__joint_price_refresh(&f.price, &fits[i], 1), UB_OK);
        check_table(&f, &fits[i]);
        assert_int_equal(ub__joint_price_refresh(&f.price, &too_large, 1),
                         UB_OK);
        check_table(&f, &fits[i]);
    }
    close_fixture(&f);
}

/* The shortest interval of all paths. */
static double shortest_of(const struct fixture *f)
{
    double shortest = (double) INFINITY;

    for (int i = 0; i < 6 * 6 * 6; i++) {
        const ub__joint_path path = { { i % 3, i / 6 % 3, i / 36 % 3 },
                                      { i / 3 % 2, i / 18 % 2, i / 108 % 2 } };

        shortest = fmin(shortest, interval_of(f, &path));
    }
    return shortest;
}

/* Nothing but the cost counts, and no cell can be skipped for nothing: by the
 * interval, it becomes the shortest there is, with cells of several widths on
 * chunks side by side; by latency, it does not. */
static void test_shortest(void **state)
{
    static const char *const names[] = { "by-latency", "by-interval" };

    (void) state;
    for (int32_t i = 0; i < 2; i++) {
        struct fixture f;
        ub_cosearch_result r;
        char folder[512];
        double shortest;

        open_fixture(&f, 220.0);
        f.space->operators[2].residual = UB_RESIDUAL_NONE;
        ub__joint_price_close(&f.price);
        assert_int_equal(
            ub__joint_price_open(f.context, f.space, &f.options, &f.price),
            UB_OK);
        shortest = shortest_of(&f);
        f.options.cost = i;
        f.options.lambda = 1e6;
        f.options.warmup_epochs = 0;
        f.options.search_epochs = 40;
        f.options.architecture_rate = 0.1;
        f.options.refresh = 1;
        snprintf(folder, sizeof(folder), "%s", runs_folder(names[i]));
        if (tiny_run(f.context, &f.options, f.space, folder, 0, &r) != UB_OK)
            fail_msg("%s", ub_context_last_error(f.context));
        if (i == UB_COSEARCH_INTERVAL) {
            assert_close(r.bottleneck, shortest, 0.0);
            assert_true(r.mean_bits > 4.0 && r.mean_bits < 8.0);
        } else {
            assert_true(r.bottleneck > shortest && r.mean_bits == 4.0);
        }
        close_fixture(&f);
    }
}

/* -- damage --------------------------------------------------------------- */

/* A checkpoint with one number of the accelerator's state replaced. */
static void replace(ub_context *context, const char *path, int64_t from_end,
                    float value, float *before)
{
    ub_archive *archive;
    ub_tensor *state;
    float *number;

    assert_int_equal(ub_archive_read(context, path, &archive), UB_OK);
    state = ub_archive_find(archive, "accelerator");
    assert_non_null(state);
    number = ub_tensor_data(state) + ub_tensor_count(state) - from_end;
    *before = *number;
    *number = value;
    assert_int_equal(ub_archive_write(archive, path), UB_OK);
    ub_archive_destroy(&archive);
}

/* The path is the last of the state: an operator and a width of each cell. */
static void test_damaged_path(void **state)
{
    static const struct {
        int64_t from_end;
        float value;
    } lies[] = {
        { 1, -1.0f }, { 1, WIDTHS },    { 1, 0.5f },
        { 2, -1.0f }, { 2, OPERATORS }, { 6, NAN },
    };
    struct runs_stop once = { 5, 0 };
    ub_context *context = runs_context(&once, 1);
    ub_cosearch_options o;
    ub_cosearch_result r;
    char folder[512], path[600];
    float before;

    (void) state;
    tiny_options(&o);
    o.cost = UB_COSEARCH_INTERVAL;
    o.search_epochs = 9;
    snprintf(folder, sizeof(folder), "%s", runs_folder("damaged"));
    snprintf(path, sizeof(path), "%s/checkpoint.safetensors", folder);
    assert_int_equal(tiny_run(context, &o, NULL, folder, 0, &r),
                     UB_ERR_INTERRUPTED);
    ub_context_destroy(&context);
    context = test_context(1);
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        replace(context, path, lies[i].from_end, lies[i].value, &before);
        assert_int_equal(tiny_run(context, &o, NULL, folder, 1, &r),
                         UB_ERR_FORMAT);
        replace(context, path, lies[i].from_end, before, &before);
    }
    assert_int_equal(tiny_run(context, &o, NULL, folder, 1, &r), UB_OK);
    ub_context_destroy(&context);
}

static ub_status open_scenario(ub_context *context, void *arg)
{
    ub_cosearch_options o;
    ub_space *space = NULL;
    ub__joint_price price;
    ub_status status = tiny_space(context, &space);

    (void) arg;
    tiny_options(&o);
    o.cost = UB_COSEARCH_INTERVAL;
    o.bit_widths = 1;
    o.bits[1] = 0;
    o.dsp_limit = 2.0;
    if (status == UB_OK)
        status = ub__joint_price_open(context, space, &o, &price);
    if (status == UB_OK)
        ub__joint_price_close(&price);
    ub_space_destroy(&space);
    return status;
}

static void test_out_of_memory(void **state)
{
    (void) state;
    assert_survives_oom(open_scenario, 1, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_no_accelerator),
        cmocka_unit_test(test_shortest),
        cmocka_unit_test(test_damaged_path),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests_name("cosearch cost", tests, NULL, NULL);
}
