/* SPDX-License-Identifier: BSD-2-Clause */
#include "golden.h"

#include <math.h>

static const char *const fields[] = { "comp",  "read_if", "read_we", "write_of",
                                      "total", "dsp",     "bram" };

static void check_case(const ub_accelerator *accelerator, const json_t *c,
                       int32_t depthwise)
{
    int32_t configuration[UB_CHUNK_FIELDS], sizes[5];
    ub_chunk_cost cost = { .size = sizeof(cost) };
    ub_workload_layer layer;

    configuration[0] = (int32_t) golden_number(c, "mode");
    golden_integers(json_object_get(c, "tile"), configuration + 1);
    golden_integers(json_object_get(c, "layer"), sizes);
    ub_workload_layer_init(&layer, sizeof(layer));
    layer.in_channels = sizes[0];
    layer.out_channels = sizes[1];
    layer.in_height = layer.in_width = sizes[2];
    layer.out_height = layer.out_width = sizes[2];
    layer.kernel_height = layer.kernel_width = sizes[3];
    layer.depthwise = depthwise;
    layer.bits = (int32_t) golden_number(c, "q");
    assert_int_equal(
        ub_accelerator_price(accelerator, configuration, &layer, &cost), UB_OK);
    for (int i = 0; i < 7; i++)
        golden_close((&cost.compute)[i], golden_number(c, fields[i]));
}

/* Every term of the reference's formulas, tiles beyond the map included. */
static void test_golden_layers(void **state)
{
    json_t *root = golden_open();
    ub_context *context = test_context(1);
    ub_accelerator_options options;
    ub_accelerator *accelerator;
    const char *const keys[] = { "std_layer", "dw_layer" };
    const size_t least[] = { 33, 14 };

    (void) state;
    ub_accelerator_options_init(&options, sizeof(options),
                                UB_ACCELERATOR_CIFAR);
    options.setting = UB_ACCELERATOR_REFERENCE;
    assert_int_equal(ub_accelerator_create(context, &options, &accelerator),
                     UB_OK);
    for (int32_t kind = 0; kind < 2; kind++) {
        const json_t *cases = json_object_get(root, keys[kind]);

        assert_true(json_array_size(cases) >= least[kind]);
        for (size_t i = 0; i < json_array_size(cases); i++)
            check_case(accelerator, json_array_get(cases, i), kind);
    }
    ub_accelerator_destroy(&accelerator);
    ub_context_destroy(&context);
    json_decref(root);
}

/* -- the corrected formulas, counted by hand ----------------------------------
 */

static ub_chunk_cost price(int32_t setting, const int32_t *configuration,
                           const ub_workload_layer *layer)
{
    ub_context *context = test_context(1);
    ub_chunk_cost cost = { .size = sizeof(cost) };
    ub_accelerator_options options;
    ub_accelerator *accelerator;

    ub_accelerator_options_init(&options, sizeof(options),
                                UB_ACCELERATOR_IMAGENET);
    options.setting = setting;
    assert_int_equal(ub_accelerator_create(context, &options, &accelerator),
                     UB_OK);
    assert_int_equal(
        ub_accelerator_price(accelerator, configuration, layer, &cost), UB_OK);
    ub_accelerator_destroy(&accelerator);
    ub_context_destroy(&context);
    return cost;
}

/* 3 x 3, stride 2, 5 inputs, 6 outputs, 8 bits: 10 x 10 to 5 x 5. */
static ub_workload_layer strided(void)
{
    ub_workload_layer l;

    ub_workload_layer_init(&l, sizeof(l));
    l.in_channels = 5;
    l.out_channels = 6;
    l.in_height = l.in_width = 10;
    l.out_height = l.out_width = 5;
    l.kernel_height = l.kernel_width = 3;
    l.stride = 2;
    l.bits = 8;
    return l;
}

static void test_corrected_standard(void **state)
{
    const int32_t configuration[] = { 1, 2, 7, 4, 2, 1, 1, 4, 2 };
    const ub_workload_layer layer = strided();
    const ub_chunk_cost c = price(UB_ACCELERATOR_CORRECTED, configuration,
                                  &layer);

    (void) state;
    /* A tile of 2 x 5 (not 7) pixels, 4 x 2 channels on 4 x 2 lanes. */
    assert_close(c.compute, 2 * 5 * 9, 0);
    /* It reads 5 rows, and 10 of the 11 columns: the map has no more. */
    assert_close(c.input, ceil(2 * 5 * 10 / 2.0) * 0.5, 0);
    assert_close(c.weights, 4 * 2 * 9 / 4.0 * 0.5, 0);
    assert_close(c.output, (10 + 10) * 0.5, 0);
    /* 3 x 1 tiles of pixels, 2 of outputs, 3 of inputs. */
    assert_close(c.cycles, ((90 + 9) * 3 + 10) * 3 * 1 * 2, 0);
    assert_close(c.dsp, 4, 0);
    /* Memory for 5 x 15 inputs of 2 channels, results, and weights. */
    assert_close(c.bram, 2 * 2 * 1 + 4 * 1 + 4 * 1, 0);
}

static void test_corrected_rows(void **state)
{
    const int32_t configuration[] = { 1, 7, 7, 32, 1, 2, 1, 4, 1 };
    ub_workload_layer layer = strided();
    ub_chunk_cost c;

    (void) state;
    layer.depthwise = 1;
    layer.in_channels = 1;
    c = price(UB_ACCELERATOR_CORRECTED, configuration, &layer);
    /* 5 rows on 2 lanes take 3 steps. */
    assert_close(c.compute, 3 * 5 * 6 * 9, 0);
    assert_close(c.input, ceil(6 * 10 * 10 / 4.0) * 0.5, 0);
    assert_close(c.weights, 6 * 3 * 0.5, 0);
    assert_close(c.output, (75 + 75) * 0.5, 0);
    assert_close(c.cycles, 810 + 9 + 75, 0);
    assert_close(c.dsp, 1, 0);
    /* Rows of 15 pixels of 32 channels, twice 15 of them. */
    assert_close(c.bram, 30 * ceil(15 * 32 * 8 / 18000.0) + 2 + 3, 0);
}

/* What is mended never makes a layer cheaper in blocks of memory, and DSPs are
 * whole. */
static void test_corrected_resources(void **state)
{
    const int32_t modes[] = { 3, 2 };
    ub_workload_layer layer = strided();

    (void) state;
    layer.bits = 6;
    for (int32_t kind = 0; kind < 2; kind++) {
        layer.depthwise = kind;
        layer.in_channels = kind ? 1 : 5;
        for (int32_t mode = 0; mode < modes[kind]; mode++) {
            const int32_t c[] = { mode, 28, 28, 8,           kind ? 1 : 8,
                                  7,    1,  4,  kind ? 1 : 2 };
            const ub_chunk_cost a = price(UB_ACCELERATOR_REFERENCE, c, &layer);
            const ub_chunk_cost b = price(UB_ACCELERATOR_CORRECTED, c, &layer);

            assert_true(b.bram >= a.bram);
            assert_true(b.dsp == ceil(a.dsp));
        }
    }
}

/* Groups are computed one after the other. */
static void test_groups(void **state)
{
    const int32_t c[] = { 0, 4, 4, 2, 2, 1, 1, 2, 2 };
    ub_workload_layer layer = strided();

    (void) state;
    for (int32_t setting = 0; setting < 2; setting++) {
        ub_chunk_cost one, three;

        layer.groups = 1;
        one = price(setting, c, &layer);
        layer.groups = 3;
        three = price(setting, c, &layer);
        assert_close(three.cycles, 3 * one.cycles, 0);
        assert_close(three.dsp, one.dsp, 0);
        assert_close(three.bram, one.bram, 0);
    }
}

static void test_bad_arguments(void **state)
{
    ub_context *context = test_context(1);
    ub_chunk_cost cost = { .size = sizeof(cost), .cycles = -1 };
    ub_workload_layer layer = strided();
    ub_accelerator *a;

    (void) state;
    assert_int_equal(ub_accelerator_create(context, NULL, &a), UB_OK);
    for (int i = 0; i < UB_CHUNK_FIELDS; i++) {
        const int32_t bad[] = { -1, 0, UB_CHUNK_MAX_TILE + 1, INT32_MIN };

        for (int j = 0; j < 4; j++) {
            int32_t c[] = { 0, 4, 4, 2, 2, 1, 1, 2, 2 };

            if (i == 0 && j == 1)
                continue;
            c[i] = bad[j];
            assert_int_equal(ub_accelerator_price(a, c, &layer, &cost),
                             UB_ERR_INVALID);
        }
    }
    for (int i = 0; i < 10; i++) {
        const int32_t c[] = { 0, 4, 4, 2, 2, 1, 1, 2, 2 };
        const int64_t bad[] = { 0, -1, UB_WORKLOAD_MAX_SIZE + 1, INT64_MIN };

        for (int j = 0; j < 4; j++) {
            layer = strided();
            (&layer.in_channels)[i] = bad[j];
            assert_int_equal(ub_accelerator_price(a, c, &layer, &cost),
                             UB_ERR_INVALID);
        }
    }
    assert_true(cost.cycles == -1);
    ub_accelerator_destroy(&a);
    ub_context_destroy(&context);
}

/* The largest of everything is a finite number. */
static void test_extremes(void **state)
{
    const int32_t t = UB_CHUNK_MAX_TILE;
    const int64_t most = UB_WORKLOAD_MAX_SIZE;
    const int32_t c[] = { 1, t, t, t, t, 1, 1, 1, 1 };
    ub_workload_layer l;

    (void) state;
    ub_workload_layer_init(&l, sizeof(l));
    for (int i = 0; i < 10; i++)
        (&l.in_channels)[i] = most;
    l.bits = UB_WORKLOAD_MAX_BITS;
    for (int32_t setting = 0; setting < 2; setting++) {
        const ub_chunk_cost cost = price(setting, c, &l);

        assert_true(isfinite(cost.cycles) && cost.cycles > 0);
        assert_true(isfinite(cost.bram) && cost.bram > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_layers),
        cmocka_unit_test(test_corrected_standard),
        cmocka_unit_test(test_corrected_rows),
        cmocka_unit_test(test_corrected_resources),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_bad_arguments),
        cmocka_unit_test(test_extremes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
