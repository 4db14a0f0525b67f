/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <stdio.h>
#include <string.h>
#include <uboost/network.h>

static ub_layer conv(int64_t channels, int64_t kernel, int64_t stride,
                     int64_t pad)
{
    ub_layer layer;

    ub_layer_init(&layer, sizeof(layer), UB_LAYER_CONV);
    layer.out_channels = channels;
    layer.kernel_height = layer.kernel_width = kernel;
    layer.stride = stride;
    layer.pad_height = layer.pad_width = pad;
    return layer;
}

static int64_t add(ub_network *net, const char *name, const ub_layer *layer,
                   int64_t input)
{
    int64_t index = -1;

    assert_int_equal(ub_network_add(net, name, layer, 1, &input, &index),
                     UB_OK);
    return index;
}

static int64_t add_kind(ub_network *net, const char *name, ub_layer_kind kind,
                        int64_t input)
{
    ub_layer layer;

    ub_layer_init(&layer, sizeof(layer), kind);
    return add(net, name, &layer, input);
}

static ub_network *image(ub_context *context, int64_t channels, int64_t side)
{
    ub_network *net = NULL;

    assert_int_equal(
        ub_network_create(context, "net", channels, side, side, &net), UB_OK);
    return net;
}

static void assert_map(const ub_network *net, int64_t index, int64_t channels,
                       int64_t height, int64_t width)
{
    const ub_layer_info info = test_info(net, index);

    assert_int_equal(info.out_channels, channels);
    assert_int_equal(info.out_height, height);
    assert_int_equal(info.out_width, width);
}

static void shapes_of_every_kind(void **state)
{
    ub_context *context = test_context(1);
    ub_network *net = image(context, 3, 32);
    ub_layer layer = conv(16, 3, 2, 1);
    int64_t pair[2], index;

    (void) state;
    layer.bias = 1;
    index = add(net, "a", &layer, 0);
    assert_map(net, index, 16, 16, 16);
    assert_int_equal(test_info(net, index).macs, 16 * 16 * 16 * 27);
    assert_int_equal(test_info(net, index).parameters, 16 * 27 + 16);
    index = add_kind(net, "norm", UB_LAYER_BATCH_NORM, index);
    assert_int_equal(test_info(net, index).parameters, 32);
    pair[0] = add_kind(net, "relu", UB_LAYER_RELU, index);
    layer = conv(16, 3, 1, 2);
    layer.dilation = 2;
    layer.groups = 16;
    pair[1] = add(net, "depthwise", &layer, pair[0]);
    assert_map(net, pair[1], 16, 16, 16);
    assert_int_equal(test_info(net, pair[1]).macs, 16 * 16 * 16 * 9);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_ADD);
    assert_int_equal(ub_network_add(net, "sum", &layer, 2, pair, &index),
                     UB_OK);
    assert_map(net, index, 16, 16, 16);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_CONCAT);
    assert_int_equal(ub_network_add(net, "both", &layer, 2, pair, &index),
                     UB_OK);
    assert_map(net, index, 32, 16, 16);
    assert_int_equal(test_info(net, index).in_channels, 32);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_MAX_POOL);
    layer.kernel_height = 3;
    layer.kernel_width = 2;
    layer.stride = 2;
    index = add(net, "max", &layer, index);
    assert_map(net, index, 32, 7, 8);
    layer.kind = UB_LAYER_AVG_POOL;
    index = add(net, "mean", &layer, index);
    assert_map(net, index, 32, 3, 4);
    index = add_kind(net, "same", UB_LAYER_IDENTITY, index);
    assert_map(net, add_kind(net, "global", UB_LAYER_GLOBAL_POOL, index), 32, 1,
               1);
    index = add_kind(net, "flat", UB_LAYER_FLATTEN, index);
    assert_map(net, index, 384, 1, 1);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_LINEAR);
    layer.out_channels = 10;
    index = add(net, "classes", &layer, index);
    assert_map(net, index, 10, 1, 1);
    assert_int_equal(test_info(net, index).macs, 3840);
    assert_int_equal(ub_network_macs(net), 110592 + 36864 + 3840);
    assert_int_equal(ub_network_parameters(net), 448 + 32 + 144 + 3840);
    assert_int_equal(ub_network_find(net, "sum"), 5);
    assert_int_equal(ub_network_find(net, "none"), -1);
    ub_network_destroy(&net);
    assert_null(net);
    ub_context_destroy(&context);
}

/* Adding must fail, say `text`, and leave the network as it was. */
static void refuse(ub_network *net, const char *name, const ub_layer *layer,
                   int64_t n, const int64_t *inputs, ub_status status,
                   const char *text)
{
    const int64_t before = ub_network_layers(net);
    int64_t index = -7;

    assert_int_equal(ub_network_add(net, name, layer, n, inputs, &index),
                     status);
    assert_int_equal(index, -7);
    assert_int_equal(ub_network_layers(net), before);
    if (strstr(ub_context_last_error(ub_network_context(net)), text) == NULL)
        fail_msg("'%s' lacks '%s'",
                 ub_context_last_error(ub_network_context(net)), text);
}

static void refused_layers(void **state)
{
    ub_context *context = test_context(1);
    ub_network *net = image(context, 4, 8);
    const int64_t zero = 0, late = 1, both[2] = { 0, 1 };
    ub_layer layer = conv(8, 3, 1, 1);

    (void) state;
    refuse(net, "a", &layer, 1, &late, UB_ERR_INVALID, "input 1");
    refuse(net, "a", &layer, 0, NULL, UB_ERR_INVALID, "one input");
    refuse(net, "a", NULL, 1, &zero, UB_ERR_INVALID, "no description");
    refuse(net, "input", &layer, 1, &zero, UB_ERR_INVALID, "two layers");
    refuse(net, "", &layer, 1, &zero, UB_ERR_INVALID, "UTF-8");
    refuse(net, "a\nb", &layer, 1, &zero, UB_ERR_INVALID, "UTF-8");
    refuse(net, "a\xc0\x80", &layer, 1, &zero, UB_ERR_INVALID, "UTF-8");
    layer = conv(0, 3, 1, 1);
    refuse(net, "a", &layer, 1, &zero, UB_ERR_INVALID, "out_channels is 0");
    layer = conv(1000000000, 3, 1, 1);
    refuse(net, "a", &layer, 1, &zero, UB_ERR_RANGE, "1000000000");
    layer = conv(8, 11, 1, 1);
    refuse(net, "a", &layer, 1, &zero, UB_ERR_SHAPE, "11");
    layer = conv(8, 3, 0, 1);
    refuse(net, "a", &layer, 1, &zero, UB_ERR_INVALID, "stride is 0");
    layer = conv(8, 3, 1, 1);
    layer.groups = 3;
    refuse(net, "a", &layer, 1, &zero, UB_ERR_SHAPE, "3 groups");
    layer = conv(8, 3, 1, 1);
    layer.kind = 99;
    refuse(net, "a", &layer, 1, &zero, UB_ERR_INVALID, "kind 99");
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_LINEAR);
    layer.out_channels = 3;
    refuse(net, "a", &layer, 1, &zero, UB_ERR_SHAPE, "1 x 1");
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_MAX_POOL);
    layer.kernel_height = layer.kernel_width = 2;
    layer.pad_height = 2;
    refuse(net, "a", &layer, 1, &zero, UB_ERR_SHAPE, "padding");
    layer = conv(8, 3, 1, 1);
    add(net, "a", &layer, 0);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_ADD);
    refuse(net, "b", &layer, 2, both, UB_ERR_SHAPE, "4 x 8 x 8");
    layer.size = 8;
    refuse(net, "b", &layer, 2, both, UB_ERR_INVALID, "size");
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

static void limits(void **state)
{
    ub_context *context = test_context(1);
    ub_network *net = NULL;
    ub_layer layer = conv(1 << 20, 1, 1, 0);
    int64_t last = 0, zero = 0;
    char name[32];

    (void) state;
    assert_int_equal(
        ub_network_create(context, "net", (1 << 20) + 1, 8, 8, &net),
        UB_ERR_RANGE);
    assert_int_equal(ub_network_create(context, "net", 0, 8, 8, &net),
                     UB_ERR_RANGE);
    assert_int_equal(ub_network_create(context, NULL, 3, 8, 8, &net),
                     UB_ERR_INVALID);
    assert_null(net);
    assert_int_equal(
        ub_network_create(context, "net", 1 << 20, 1 << 11, 1 << 11, &net),
        UB_OK);
    /* 2^20 * 2^20 * 2^22 = 2^62 MACs each: two are one too many */
    last = add(net, "a", &layer, 0);
    refuse(net, "b", &layer, 1, &last, UB_ERR_RANGE, "overflow");
    layer = conv(1 << 20, 2, 1, 1);
    refuse(net, "b", &layer, 1, &zero, UB_ERR_RANGE, "overflow");
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_FLATTEN);
    refuse(net, "b", &layer, 1, &zero, UB_ERR_RANGE, "flattened");
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_IDENTITY);
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "layer %d", i);
        last = add(net, name, &layer, last);
    }
    assert_int_equal(ub_network_find(net, "layer 999"), last);
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

static void depthwise(ub_network *net, const char *name, int64_t channels,
                      int64_t times, int64_t input)
{
    ub_layer layer = conv(channels * times, 3, 1, 1);

    layer.groups = channels;
    add(net, name, &layer, input);
}

static void scaled_widths(void **state)
{
    ub_context *context = test_context(1);
    ub_network *net = image(context, 3, 8), *wide = NULL;
    ub_layer layer = conv(4, 3, 1, 1);
    int64_t at;

    (void) state;
    depthwise(net, "image", 3, 2, 0);
    add(net, "stem", &layer, 1);
    depthwise(net, "depthwise", 4, 1, 2);
    layer.groups = 2;
    add(net, "grouped", &layer, 3);
    at = add_kind(net, "pool", UB_LAYER_GLOBAL_POOL, 4);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_LINEAR);
    layer.out_channels = 10;
    at = add(net, "classes", &layer, at);
    add_kind(net, "end", UB_LAYER_IDENTITY, at);
    assert_int_equal(ub_network_scaled(net, 0, &wide), UB_ERR_INVALID);
    assert_int_equal(ub_network_scaled(net, INT64_MAX, &wide), UB_ERR_RANGE);
    assert_null(wide);
    assert_int_equal(ub_network_scaled(net, 8, &wide), UB_OK);
    assert_map(wide, 1, 6, 8, 8);
    assert_map(wide, 2, 32, 8, 8);
    assert_map(wide, 3, 32, 8, 8);
    assert_int_equal(test_info(wide, 3).layer->groups, 32);
    assert_int_equal(test_info(wide, 4).layer->groups, 2);
    assert_map(wide, 6, 10, 1, 1);
    assert_int_equal(test_info(wide, 6).in_channels, 32);
    assert_string_equal(ub_network_name(wide), "net");
    ub_network_destroy(&wide);
    assert_int_equal(ub_network_copy(net, &wide), UB_OK);
    assert_int_equal(ub_network_macs(wide), ub_network_macs(net));
    assert_int_equal(ub_network_layers(wide), ub_network_layers(net));
    ub_network_destroy(&wide);
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

/* A depthwise convolution mixes nothing: behind the last one that does, it
 * keeps the width that one keeps. */
static void scaled_before_depthwise(void **state)
{
    ub_context *context = test_context(1);
    ub_network *net = image(context, 3, 8), *wide = NULL;
    const ub_layer layer = conv(4, 3, 1, 1);

    (void) state;
    add(net, "first", &layer, 0);
    add(net, "last", &layer, 1);
    depthwise(net, "depthwise", 4, 2, 2);
    assert_int_equal(ub_network_scaled(net, 8, &wide), UB_OK);
    assert_map(wide, 1, 32, 8, 8);
    assert_map(wide, 2, 4, 8, 8);
    assert_map(wide, 3, 8, 8, 8);
    assert_int_equal(test_info(wide, 3).layer->groups, 4);
    ub_network_destroy(&wide);
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

static ub_status build_and_scale(ub_context *context, void *arg)
{
    ub_network *net = NULL, *wide = NULL;
    ub_layer layer = conv(4, 3, 1, 1);
    ub_status status = ub_network_create(context, "net", 3, 8, 8, &net);
    char name[16];

    (void) arg;
    for (int64_t i = 0; i < 20 && status == UB_OK; i++) {
        snprintf(name, sizeof(name), "%d", (int) i);
        status = ub_network_add(net, name, &layer, 1, &i, NULL);
    }
    if (status == UB_OK)
        status = ub_network_scaled(net, 2, &wide);
    ub_network_destroy(&wide);
    ub_network_destroy(&net);
    return status;
}

static void out_of_memory(void **state)
{
    (void) state;
    assert_survives_oom(build_and_scale, 1, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_of_every_kind),
        cmocka_unit_test(refused_layers),
        cmocka_unit_test(limits),
        cmocka_unit_test(scaled_widths),
        cmocka_unit_test(scaled_before_depthwise),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
