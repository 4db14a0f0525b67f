/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <uboost/nn.h>

#include <stdio.h>
#include <string.h>

/* What a pass that is not recorded leaves out: nothing of its result, most of
 * its memory. */

enum { SIDE = 16, CHANNELS = 8, LAYERS = 10, BATCH = 8 };

/* Convolutions in a row; every third adds what went into the one before. */
static ub_network *chain(ub_context *context)
{
    ub_network *network = NULL;
    int64_t last = 0, before = -1;
    char name[3][16];

    assert_int_equal(
        ub_network_create(context, "chain", CHANNELS, SIDE, SIDE, &network),
        UB_OK);
    for (int i = 0; i < LAYERS; i++) {
        const int64_t inputs[2] = { last, before };
        ub_layer layer;

        snprintf(name[0], sizeof name[0], "conv%d", i);
        snprintf(name[1], sizeof name[1], "norm%d", i);
        snprintf(name[2], sizeof name[2], "end%d", i);
        ub_layer_init(&layer, sizeof layer, UB_LAYER_CONV);
        layer.out_channels = CHANNELS;
        layer.kernel_height = layer.kernel_width = 3;
        layer.pad_height = layer.pad_width = 1;
        assert_int_equal(
            ub_network_add(network, name[0], &layer, 1, inputs, &last), UB_OK);
        ub_layer_init(&layer, sizeof layer, UB_LAYER_BATCH_NORM);
        assert_int_equal(
            ub_network_add(network, name[1], &layer, 1, &last, &last), UB_OK);
        before = last;
        ub_layer_init(&layer, sizeof layer,
                      i % 3 == 2 ? UB_LAYER_ADD : UB_LAYER_IDENTITY);
        assert_int_equal(ub_network_add(network, name[2], &layer,
                                        i % 3 == 2 ? 2 : 1,
                                        (int64_t[]){ last, inputs[0] }, &last),
                         UB_OK);
    }
    return network;
}

/* Bytes that one pass takes from the allocator; its result goes to `out`. */
static int64_t pass(int recording, float *out, size_t count)
{
    const int64_t shape[4] = { BATCH, CHANNELS, SIDE, SIDE };
    ub_context_options options;
    struct test_allocator counter;
    ub_allocator allocator;
    ub_context *context = NULL;
    ub_network *network;
    ub_model *model = NULL;
    ub_tape *tape = NULL;
    ub_tensor *images = NULL;
    ub_variable *x = NULL, *y = NULL;
    int64_t bytes;

    test_allocator_init(&counter, -1, &allocator);
    ub_context_options_init(&options, sizeof options);
    options.allocator = &allocator;
    options.threads = 1;
    assert_int_equal(ub_context_create(&options, &context), UB_OK);
    network = chain(context);
    assert_int_equal(ub_model_create(context, network, 1, &model), UB_OK);
    assert_int_equal(ub_tape_create(context, &tape), UB_OK);
    assert_int_equal(ub_tensor_create(context, 4, shape, &images), UB_OK);
    for (int64_t i = 0; i < ub_tensor_count(images); i++)
        ub_tensor_data(images)[i] = (float) (i * 7919 % 1000) / 1000.0f;
    ub_tape_set_recording(tape, recording);
    assert_int_equal(ub_tape_constant(tape, images, &x), UB_OK);
    bytes = counter.live;
    assert_int_equal(ub_model_forward(model, tape, x, UB_NORM_BATCH, &y),
                     UB_OK);
    bytes = counter.live - bytes;
    assert_int_equal(ub_tensor_count(ub_variable_value(y)), count);
    memcpy(out, ub_tensor_data(ub_variable_value(y)), count * sizeof *out);
    assert_non_null(ub_variable_value(x)); /* the caller's */
    ub_tensor_unref(&images);
    ub_tape_destroy(&tape);
    ub_model_destroy(&model);
    ub_network_destroy(&network);
    ub_context_destroy(&context);
    assert_int_equal(counter.live, 0);
    return bytes;
}

static void test_memory(void **state)
{
    static float recorded[BATCH * CHANNELS * SIDE * SIDE];
    static float computed[BATCH * CHANNELS * SIDE * SIDE];
    const size_t count = sizeof recorded / sizeof *recorded;
    const int64_t most = pass(1, recorded, count);
    const int64_t least = pass(0, computed, count);

    (void) state;
    assert_memory_equal(recorded, computed, sizeof recorded);
    /* Of ten layers two are there at a time, and one that is to be added. */
    assert_true(least > 0);
    assert_true(2 * least < most);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_memory) };

    return cmocka_run_group_tests_name("inference", tests, NULL, NULL);
}
