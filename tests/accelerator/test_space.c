/* SPDX-License-Identifier: BSD-2-Clause */
#include "accelerator/accelerator.h"
#include "support.h"

#include <math.h>
#include <string.h>

enum { FIELDS = UB__MAX_CHUNKS * UB_CHUNK_FIELDS };

static ub_workload *layers_of(ub_context *context, int64_t side, int32_t bits)
{
    ub_workload_block block;
    ub_workload *w;

    assert_int_equal(ub_workload_create(context, &w), UB_OK);
    ub_workload_block_init(&block, sizeof(block));
    block.in_channels = 8;
    block.out_channels = 8;
    block.height = block.width = side;
    block.op = UB_FBNET_K3_E3;
    block.bits = bits;
    assert_int_equal(ub_workload_add_block(w, &block), UB_OK);
    return w;
}

/* The published spaces have as many configurations as the paper's code. */
static void test_sizes(void **state)
{
    const int64_t pairs[] = { 22500, 15876, 2250, 756 };
    ub_accelerator_options o;

    (void) state;
    for (int32_t preset = 0; preset < 2; preset++) {
        ub_accelerator_options_init(&o, sizeof(o), preset);
        for (int f = 0; f < UB_CHUNK_FAMILIES; f++) {
            int64_t n = 1;

            for (int d = 0; d < 4; d++)
                n *= (int64_t) o.families[f].lengths[d] *
                     (o.families[f].lengths[d] + 1) / 2;
            assert_int_equal(n, pairs[f]);
            assert_int_equal(o.families[f].modes, f < 2 ? 7 : 3);
        }
    }
    ub_accelerator_options_init(&o, sizeof(o), UB_ACCELERATOR_EDD);
    assert_int_equal(o.families[0].values[2][0], 16);
    assert_int_equal(o.families[2].values[2][0], 16);
    assert_int_equal(o.families[0].values[0][0], 28);
    ub_accelerator_options_fix_mode(&o, 2);
    assert_int_equal(o.families[0].modes, 4);
    assert_int_equal(o.families[2].modes, 3);
}

static void test_names(void **state)
{
    const char *const names[] = { "a0q4", "a1q4", "dwa0q4", "dwa1q4",
                                  "a0q6", "a1q6", "dwa0q6", "dwa1q6",
                                  "a0q8", "a1q8", "dwa0q8", "dwa1q8" };
    ub_context *context = test_context(1);
    ub_chunk_info info = { .size = sizeof(info) };
    ub_accelerator *a;

    (void) state;
    assert_int_equal(ub_accelerator_create(context, NULL, &a), UB_OK);
    assert_int_equal(ub_accelerator_chunks(a), 12);
    for (int64_t c = 0; c < 12; c++) {
        assert_int_equal(ub_accelerator_chunk(a, c, &info), UB_OK);
        assert_string_equal(info.name, names[c]);
    }
    assert_int_equal(ub_accelerator_chunk(a, 12, &info), UB_ERR_INVALID);
    assert_int_equal(ub_accelerator_chunk(a, -1, &info), UB_ERR_INVALID);
    ub_accelerator_destroy(&a);
    ub_context_destroy(&context);
}

/* Choices to configuration and back, of used chunks only and of all. */
static void check_round_trip(const ub_accelerator *a, const ub_workload *w,
                             int64_t expected)
{
    int32_t choices[FIELDS], groups[FIELDS], ordered[FIELDS];
    int32_t picked[FIELDS], back[FIELDS], configuration[FIELDS];
    ub_rng rng;
    int64_t n;

    assert_int_equal(
        ub_accelerator_decisions(a, w, FIELDS, choices, groups, ordered, &n),
        UB_OK);
    assert_int_equal(n, expected);
    for (int64_t i = 0; i < n; i++) {
        assert_int_equal(groups[i], i / UB_CHUNK_FIELDS);
        assert_int_equal(ordered[i], i % UB_CHUNK_FIELDS != 0);
        assert_in_range(choices[i], 1, UB_CHUNK_MAX_VALUES);
    }
    ub_rng_init(&rng, 3, 0);
    for (int round = 0; round < 50; round++) {
        for (int64_t i = 0; i < n; i++)
            picked[i] = (int32_t) ub_rng_below(&rng, (uint64_t) choices[i]);
        assert_int_equal(ub_accelerator_decode(a, w, picked, configuration),
                         UB_OK);
        assert_int_equal(ub_accelerator_encode(a, w, configuration, back),
                         UB_OK);
        assert_memory_equal(picked, back, (size_t) n * sizeof(*picked));
    }
    picked[0] = choices[0];
    assert_int_equal(ub_accelerator_decode(a, w, picked, configuration),
                     UB_ERR_INVALID);
    configuration[UB_CHUNK_TILE_ROWS] = 3;
    assert_int_equal(ub_accelerator_encode(a, NULL, configuration, back),
                     UB_ERR_INVALID);
}

static void test_decisions(void **state)
{
    ub_context *context = test_context(1);
    ub_workload *w = layers_of(context, 20, 6);
    ub_accelerator *a;

    (void) state;
    assert_int_equal(ub_accelerator_create(context, NULL, &a), UB_OK);
    check_round_trip(a, NULL, 12 * UB_CHUNK_FIELDS);
    check_round_trip(a, w, 2 * UB_CHUNK_FIELDS);
    ub_workload_destroy(&w);
    ub_accelerator_destroy(&a);
    ub_context_destroy(&context);
}

/* How far an unroll is beyond its tile, and what else is too much. */
static void test_violation(void **state)
{
    ub_context *context = test_context(1);
    ub_workload *w = layers_of(context, 8, 4);
    ub_accelerator_result r = { .size = sizeof(r) };
    int32_t c[FIELDS] = { 0 };
    ub_accelerator_options o;
    ub_accelerator *a;

    (void) state;
    ub_accelerator_options_init(&o, sizeof(o), UB_ACCELERATOR_CIFAR);
    o.dsp_limit = 2;
    assert_int_equal(ub_accelerator_create(context, &o, &a), UB_OK);
    for (int i = 0; i < 12; i++) {
        const int32_t one[] = { 0, 2, 1, 1, 1, 1, 1, 1, 1 };

        memcpy(c + i * UB_CHUNK_FIELDS, one, sizeof(one));
    }
    /* "a1q4" and "dwa1q4" are used, a DSP each. */
    assert_int_equal(ub_accelerator_evaluate(a, w, c, NULL, &r), UB_OK);
    assert_int_equal(r.excess, UB_ACCELERATOR_FITS);
    assert_true(r.violation == 0 && r.dsp == 2);
    c[UB_CHUNK_FIELDS + UB_CHUNK_UNROLL_ROWS] = 3;
    c[0 + UB_CHUNK_UNROLL_OUT] = 9; /* of a chunk without layers */
    assert_int_equal(ub_accelerator_evaluate(a, w, c, NULL, &r), UB_OK);
    assert_int_equal(r.excess, UB_ACCELERATOR_EXCESS_UNROLL);
    assert_close(r.violation, 0.5, 0);
    c[UB_CHUNK_FIELDS + UB_CHUNK_UNROLL_ROWS] = 1;
    c[UB_CHUNK_FIELDS + UB_CHUNK_TILE_OUT] = 8;
    c[UB_CHUNK_FIELDS + UB_CHUNK_UNROLL_OUT] = 8;
    assert_int_equal(ub_accelerator_evaluate(a, w, c, NULL, &r), UB_OK);
    assert_int_equal(r.excess, UB_ACCELERATOR_EXCESS_DSP);
    assert_close(r.violation, 0.5, 0);
    ub_workload_destroy(&w);
    ub_accelerator_destroy(&a);
    ub_context_destroy(&context);
}

/* No layers, bits without a chunk, fields out of range: a status. */
static void test_refused(void **state)
{
    ub_context *context = test_context(1);
    ub_workload *w = layers_of(context, 8, 5), *empty;
    ub_accelerator_result r = { .size = sizeof(r), .fps = -1 };
    int32_t c[FIELDS] = { 0 };
    ub_accelerator *a;
    int64_t n;

    (void) state;
    assert_int_equal(ub_accelerator_create(context, NULL, &a), UB_OK);
    assert_int_equal(ub_workload_create(context, &empty), UB_OK);
    assert_int_equal(ub_accelerator_evaluate(a, empty, c, NULL, &r),
                     UB_ERR_INVALID);
    assert_int_equal(ub_accelerator_evaluate(a, w, c, NULL, &r),
                     UB_ERR_INVALID);
    assert_int_equal(ub_accelerator_chunk_of(a, w, 0), -1);
    assert_int_equal(ub_accelerator_decisions(a, w, 0, NULL, NULL, NULL, &n),
                     UB_ERR_INVALID);
    ub_workload_destroy(&w);
    w = layers_of(context, 8, 4);
    assert_int_equal(ub_accelerator_evaluate(a, w, c, NULL, &r),
                     UB_ERR_INVALID);
    assert_int_equal(ub_accelerator_evaluate(a, NULL, c, NULL, &r),
                     UB_ERR_INVALID);
    assert_int_equal(ub_accelerator_evaluate(a, w, NULL, NULL, &r),
                     UB_ERR_INVALID);
    assert_true(r.fps == -1);
    ub_workload_destroy(&empty);
    ub_workload_destroy(&w);
    ub_accelerator_destroy(&a);
    ub_context_destroy(&context);
}

typedef void (*spoiler)(ub_accelerator_options *o);

static void no_clock(ub_accelerator_options *o)
{
    o->clock_hz = NAN;
}
static void slow_clock(ub_accelerator_options *o)
{
    o->clock_hz = 0.5;
}
static void fast_clock(ub_accelerator_options *o)
{
    o->clock_hz = 2e15;
}
static void no_dsp(ub_accelerator_options *o)
{
    o->dsp_limit = 0;
}
static void much_bram(ub_accelerator_options *o)
{
    o->bram_limit = UB_ACCELERATOR_MAX_BRAM + 1;
}
static void no_bits(ub_accelerator_options *o)
{
    o->bit_widths = 0;
}
static void same_bits(ub_accelerator_options *o)
{
    o->bits[1] = o->bits[0];
}
static void no_modes(ub_accelerator_options *o)
{
    o->families[2].modes = 4;
}
static void ascending(ub_accelerator_options *o)
{
    o->families[0].values[1][0] = 1;
}
static void many_values(ub_accelerator_options *o)
{
    o->families[1].lengths[2] = UB_CHUNK_MAX_VALUES + 1;
}
static void wide_depthwise(ub_accelerator_options *o)
{
    o->families[3].values[3][0] = 2;
}
static void no_copies(ub_accelerator_options *o)
{
    o->max_replicas = 0;
}
static void other_setting(ub_accelerator_options *o)
{
    o->setting = 2;
}
static void not_reserved(ub_accelerator_options *o)
{
    o->families[1].reserved = 1;
}

static void test_bad_options(void **state)
{
    const spoiler spoilers[] = { no_clock,      slow_clock,     fast_clock,
                                 no_dsp,        much_bram,      no_bits,
                                 same_bits,     no_modes,       ascending,
                                 many_values,   wide_depthwise, no_copies,
                                 other_setting, not_reserved };
    ub_context *context = test_context(1);
    ub_accelerator *a = NULL;

    (void) state;
    for (size_t i = 0; i < sizeof spoilers / sizeof *spoilers; i++) {
        ub_accelerator_options o;

        ub_accelerator_options_init(&o, sizeof(o), UB_ACCELERATOR_CIFAR);
        spoilers[i](&o);
        assert_int_equal(ub_accelerator_create(context, &o, &a),
                         UB_ERR_INVALID);
        assert_null(a);
    }
    assert_int_equal(ub_accelerator_create(NULL, NULL, &a), UB_ERR_INVALID);
    assert_int_equal(ub_accelerator_create(context, NULL, NULL),
                     UB_ERR_INVALID);
    ub_context_destroy(&context);
}

/* Draws keep to the space, and reach all of it. */
static void test_draws(void **state)
{
    ub_context *context = test_context(1);
    ub_accelerator *a;
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 1, 0);
    assert_int_equal(ub_accelerator_create(context, NULL, &a), UB_OK);
    for (int64_t chunk = 0; chunk < UB_CHUNK_FAMILIES; chunk++) {
        const ub_chunk_space *space = ub__chunk_space_of(a, chunk);
        int seen[3] = { 0 }, most = 0, least = 0;

        for (int i = 0; i < 1000; i++) {
            int32_t c[UB_CHUNK_FIELDS];

            ub__chunk_draw(space, &rng, c);
            assert_true(ub__chunk_valid(c, ub__chunk_depthwise(chunk)) ==
                        UB_CHUNK_FIELDS);
            assert_true(ub__chunk_violation(c) == 0);
            seen[c[UB_CHUNK_MODE]] = 1;
            most |= c[UB_CHUNK_UNROLL_OUT] == space->values[2][0];
            least |= c[UB_CHUNK_UNROLL_OUT] == 1;
        }
        assert_true(seen[0] && seen[1] && most && least);
        assert_int_equal(seen[2], chunk < 2);
    }
    ub_accelerator_destroy(&a);
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),     cmocka_unit_test(test_names),
        cmocka_unit_test(test_decisions), cmocka_unit_test(test_violation),
        cmocka_unit_test(test_refused),   cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_draws),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
