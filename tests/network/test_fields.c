/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uboost/network.h>

/* What a network holds for pricing: maps of its layers' own, extents rounded
 * up, sparsity, products of two maps. */

static ub_layer conv(int64_t channels, int64_t kernel, int64_t stride)
{
    ub_layer layer;

    ub_layer_init(&layer, sizeof(layer), UB_LAYER_CONV);
    layer.out_channels = channels;
    layer.kernel_height = layer.kernel_width = kernel;
    layer.stride = stride;
    return layer;
}

static ub_network *image(ub_context *context, int64_t channels, int64_t height,
                         int64_t width)
{
    ub_network *net = NULL;

    assert_int_equal(
        ub_network_create(context, "net", channels, height, width, &net),
        UB_OK);
    return net;
}

static int64_t add(ub_network *net, const char *name, const ub_layer *layer,
                   int64_t n, const int64_t *inputs)
{
    int64_t index = -1;

    assert_int_equal(ub_network_add(net, name, layer, n, inputs, &index),
                     UB_OK);
    return index;
}

static void refuse(ub_network *net, const ub_layer *layer, int64_t n,
                   const int64_t *inputs, ub_status status, const char *text)
{
    ub_context *context = ub_network_context(net);

    assert_int_equal(ub_network_add(net, "bad", layer, n, inputs, NULL),
                     status);
    if (strstr(ub_context_last_error(context), text) == NULL)
        fail_msg("'%s' lacks '%s'", ub_context_last_error(context), text);
}

/* Like all of its kind, it takes nothing, and a struct without room for its
 * size. */
static void init_without_room(void **state)
{
    ub_layer layer;

    (void) state;
    ub_layer_init(NULL, sizeof(layer), UB_LAYER_CONV);
    layer.size = 77;
    ub_layer_init(&layer, sizeof(layer.size) - 1, UB_LAYER_CONV);
    assert_int_equal(layer.size, 77);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_CONV);
    assert_int_equal(layer.size, sizeof(layer));
}

/* The extent of every small window, against the definition. */
static void rounded_extents(void **state)
{
    ub_context *context = test_context(1);
    int checked = 0;

    (void) state;
    for (int64_t extent = 1; extent < 9; extent++) {
        ub_network *net = image(context, 1, extent, 1);
        const int64_t zero = 0;

        for (int code = 0; code < 6 * 6 * 3 * 2; code++) {
            const int64_t kernel = code % 6 + 1, stride = code / 6 % 6 + 1;
            const int64_t pad = code / 36 % 3, up = code / 108;
            int64_t floor_of = 0, at;
            ub_layer layer = conv(1, 1, stride);
            char name[16];

            if (kernel > extent + 2 * pad)
                continue;
            layer.kernel_height = kernel;
            layer.pad_height = pad;
            layer.round_up = (int32_t) up;
            while (floor_of * stride + kernel <= extent + 2 * pad)
                floor_of++;
            snprintf(name, sizeof(name), "%d", code);
            at = add(net, name, &layer, 1, &zero);
            if (up && (floor_of - 1) * stride + kernel < extent + 2 * pad)
                floor_of++;
            assert_int_equal(test_info(net, at).out_height, floor_of);
            checked++;
        }
        ub_network_destroy(&net);
    }
    assert_true(checked > 1000);
    ub_context_destroy(&context);
}

static void own_maps(void **state)
{
    ub_context *context = test_context(1);
    ub_network *net = image(context, 3, 8, 8), *wide = NULL;
    const int64_t zero = 0, pair[2] = { 0, 1 };
    ub_layer layer = conv(4, 3, 2);

    (void) state;
    layer.in_channels = 2;
    refuse(net, &layer, 1, &zero, UB_ERR_INVALID, "in_height is 0");
    layer.in_height = 10;
    layer.in_width = UB_NETWORK_MAX_EXTENT + 1;
    refuse(net, &layer, 1, &zero, UB_ERR_RANGE, "in_width");
    layer.in_width = 6;
    add(net, "a", &layer, 1, &zero);
    assert_int_equal(test_info(net, 1).in_channels, 2);
    assert_int_equal(test_info(net, 1).out_height, 4);
    assert_int_equal(test_info(net, 1).macs, 4 * 2 * 4 * 18);
    add(net, "b", &layer, 2, pair); /* they only come before it */
    layer.in_channels = 0;
    refuse(net, &layer, 1, &zero, UB_ERR_RANGE, "in_height");
    layer.in_height = layer.in_width = 0;
    refuse(net, &layer, 2, pair, UB_ERR_INVALID, "one input");
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_ADD);
    layer.in_channels = layer.in_height = layer.in_width = 5;
    add(net, "sum", &layer, 1, &zero);
    assert_int_equal(test_info(net, 3).layer->in_channels, 0);
    /* the first reads the image, the second what is scaled */
    layer = conv(4, 1, 1);
    layer.in_channels = 7;
    layer.in_height = layer.in_width = 2;
    add(net, "end", &layer, 1, (int64_t[]){ 1 });
    assert_int_equal(ub_network_scaled(net, 3, &wide), UB_OK);
    assert_int_equal(test_info(wide, 1).in_channels, 2);
    assert_int_equal(test_info(wide, 1).out_channels, 12);
    assert_int_equal(test_info(wide, 4).in_channels, 21);
    assert_int_equal(test_info(wide, 4).out_channels, 4);
    ub_network_destroy(&wide);
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

/* Zeros have their input's shape or one of their own; shuffled channels come in
 * whole groups. Both go through a file, and grow with the network. */
static void zeros_and_shuffles(void **state)
{
    ub_context *context = test_context(1);
    ub_network *net = image(context, 3, 8, 6), *read = NULL, *wide = NULL;
    const int64_t zero = 0, one = 1;
    ub_layer layer = conv(4, 3, 1);

    (void) state;
    add(net, "a", &layer, 1, &zero);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_CHANNEL_SHUFFLE);
    layer.groups = 3;
    refuse(net, &layer, 1, &one, UB_ERR_SHAPE, "3 groups do not divide 4");
    layer.groups = 2;
    add(net, "shuffle", &layer, 1, &one);
    assert_int_equal(test_info(net, 2).out_channels, 4);
    assert_int_equal(test_info(net, 2).macs, 0);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_ZERO);
    add(net, "like", &layer, 1, (int64_t[]){ 2 });
    assert_int_equal(test_info(net, 3).out_height, 6);
    layer.in_channels = 5;
    layer.in_height = layer.in_width = 2;
    add(net, "own", &layer, 1, (int64_t[]){ 2 });
    assert_int_equal(test_info(net, 4).out_channels, 5);
    assert_int_equal(test_info(net, 4).out_width, 2);
    assert_int_equal(test_info(net, 4).parameters, 0);
    layer = conv(2, 1, 1);
    add(net, "end", &layer, 1, (int64_t[]){ 4 });
    assert_int_equal(ub_network_write(net, test_path("zeros.json")), UB_OK);
    assert_int_equal(ub_network_read(context, test_path("zeros.json"), &read),
                     UB_OK);
    test_same_layers(net, read);
    assert_int_equal(ub_network_scaled(net, 3, &wide), UB_OK);
    assert_int_equal(test_info(wide, 3).out_channels, 12);
    assert_int_equal(test_info(wide, 4).out_channels, 15);
    ub_network_destroy(&wide);
    ub_network_destroy(&read);
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

static void sparsity(void **state)
{
    ub_context *context = test_context(1);
    ub_network *net = image(context, 3, 8, 8);
    const int64_t zero = 0;
    ub_layer layer = conv(4, 3, 1);

    (void) state;
    layer.sparse_keep = 3;
    refuse(net, &layer, 1, &zero, UB_ERR_INVALID, "sparse_block is 0");
    layer.sparse_block = 2;
    refuse(net, &layer, 1, &zero, UB_ERR_RANGE, "sparse_keep is 3");
    layer.sparse_keep = -1;
    refuse(net, &layer, 1, &zero, UB_ERR_INVALID, "sparse_keep is -1");
    layer.sparse_keep = 0;
    refuse(net, &layer, 1, &zero, UB_ERR_RANGE, "sparse_block is 2");
    layer.sparse_keep = 2;
    layer.on_chip = 2;
    refuse(net, &layer, 1, &zero, UB_ERR_RANGE, "on_chip");
    layer.on_chip = 0;
    layer.round_up = -1;
    refuse(net, &layer, 1, &zero, UB_ERR_INVALID, "round_up");
    layer.round_up = 0;
    add(net, "a", &layer, 1, &zero);
    assert_int_equal(test_info(net, 1).macs, 4 * 36 * 27); /* as if dense */
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

/* heads x tokens x width by heads x width x tokens, and back */
static void products_of_maps(void **state)
{
    ub_context *context = test_context(1);
    ub_network *net = image(context, 6, 5, 7);
    const int64_t zero = 0;
    int64_t pair[2] = { 0, 0 }, at;
    ub_layer layer;

    (void) state;
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_MATMUL);
    refuse(net, &layer, 1, &zero, UB_ERR_INVALID, "two inputs");
    refuse(net, &layer, 2, pair, UB_ERR_SHAPE, "6 x 5 x 7 by 6 x 5 x 7");
    layer.transpose = 1;
    at = add(net, "scores", &layer, 2, pair);
    assert_int_equal(test_info(net, at).out_channels, 6);
    assert_int_equal(test_info(net, at).out_height, 5);
    assert_int_equal(test_info(net, at).out_width, 5);
    assert_int_equal(test_info(net, at).macs, 6 * 5 * 7 * 5);
    assert_int_equal(test_info(net, at).parameters, 0);
    pair[0] = at;
    layer.transpose = 0;
    layer.in_channels = layer.in_height = layer.in_width = 1; /* not read */
    at = add(net, "values", &layer, 2, pair);
    assert_int_equal(test_info(net, at).out_width, 7);
    assert_int_equal(test_info(net, at).in_channels, 6);
    assert_int_equal(ub_network_macs(net), 6 * 5 * 7 * 5 * 2);
    pair[1] = at;
    layer.transpose = 1;
    refuse(net, &layer, 2, pair, UB_ERR_SHAPE, "transposed");
    ub_network_destroy(&net);
    net = image(context, 1 << 20, 1 << 20, 1 << 20);
    pair[0] = pair[1] = 0;
    refuse(net, &layer, 2, pair, UB_ERR_RANGE, "overflow");
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_FLATTEN);
    refuse(net, &layer, 1, &zero, UB_ERR_RANGE, "flattened");
    layer = conv(1 << 20, 1 << 20, 1);
    layer.pad_height = layer.pad_width = 1 << 20;
    refuse(net, &layer, 1, &zero, UB_ERR_RANGE, "overflow");
    layer = conv(8, 1 << 20, 1); /* 2^63 weights, and a bias */
    layer.bias = 1;
    refuse(net, &layer, 1, &zero, UB_ERR_RANGE, "overflow");
    layer = conv(1, 1, 1);
    layer.pad_height = 1;
    refuse(net, &layer, 1, &zero, UB_ERR_RANGE, "too large");
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

static ub_network *sample(ub_context *context)
{
    ub_network *net = image(context, 2, 4, 6);
    const int64_t zero = 0, first[2] = { 1, 1 };
    ub_layer layer = conv(4, 3, 2);

    layer.round_up = layer.on_chip = 1;
    layer.in_channels = 2;
    layer.in_height = 8;
    layer.in_width = 9;
    layer.sparse_keep = 2;
    layer.sparse_block = 4;
    add(net, "a", &layer, 1, &zero);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_MATMUL);
    layer.transpose = 1;
    add(net, "b", &layer, 2, first);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_RELU);
    add(net, "c", &layer, 1, &zero);
    return net;
}

static void files(void **state)
{
    ub_context *context = test_context(1);
    ub_network *net = sample(context), *again = NULL, *copy = NULL;
    char *text;

    (void) state;
    assert_int_equal(ub_network_write(net, test_path("f.json")), UB_OK);
    text = test_file_read(test_path("f.json"));
    assert_non_null(strstr(text, "\"round_up\": true"));
    assert_non_null(strstr(text, "\"transpose\": true"));
    assert_null(strstr(text, "false,\n      \"on_chip\""));
    /* once each: what is at its default is not written */
    assert_null(strstr(strstr(text, "in_shape") + 1, "in_shape"));
    assert_null(strstr(strstr(text, "on_chip") + 1, "on_chip"));
    free(text);
    assert_int_equal(ub_network_read(context, test_path("f.json"), &again),
                     UB_OK);
    test_same_layers(net, again);
    assert_int_equal(ub_network_copy(net, &copy), UB_OK);
    test_same_layers(net, copy);
    assert_int_equal(ub_network_write_dot(net, test_path("f.dot")), UB_OK);
    text = test_file_read(test_path("f.dot"));
    assert_non_null(strstr(text, "\\nconv 3x3 /2 2:4\\nof 2x8x9\\n4x4x4\"]"));
    assert_non_null(strstr(text, "\\nmatmul transposed\\n4x4x4\"]"));
    free(text);
    ub_network_destroy(&copy);
    ub_network_destroy(&again);
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

#define NET(fields)                                                   \
    "{\"input\": {\"channels\": 3, \"height\": 8, \"width\": 8}, "    \
    "\"layers\": [{\"name\": \"a\", \"kind\": \"conv\", \"inputs\": " \
    "[\"input\"], \"out_channels\": 4, " fields "}]}"

static void hostile_fields(void **state)
{
    static const struct {
        const char *json, *text;
    } cases[] = {
        { NET("\"round_up\": 1"), "round_up" },
        { NET("\"on_chip\": 0"), "on_chip" },
        { NET("\"in_shape\": 3"), "in_shape" },
        { NET("\"in_shape\": [1, 2]"), "in_shape" },
        { NET("\"in_shape\": [1, 2, 3, 4]"), "in_shape" },
        { NET("\"in_shape\": [1, 0, 3]"), "in_shape" },
        { NET("\"in_shape\": [1, 1.5, 3]"), "in_shape" },
        { NET("\"sparsity\": \"2:4\""), "sparsity" },
        { NET("\"sparsity\": [2]"), "sparsity" },
        { NET("\"sparsity\": [4, 2]"), "sparsity" },
        { NET("\"sparsity\": [0, 2]"), "sparsity" },
        { NET("\"sparsity\": [1, 4294967297]"), "sparsity" },
    };
    ub_context *context = test_context(1);
    ub_network *net = NULL;

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        test_file_write(test_path("h.json"), cases[i].json,
                        strlen(cases[i].json));
        assert_int_equal(ub_network_read(context, test_path("h.json"), &net),
                         UB_ERR_FORMAT);
        if (strstr(ub_context_last_error(context), cases[i].text) == NULL)
            fail_msg("case %zu: '%s'", i, ub_context_last_error(context));
    }
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounded_extents),
        cmocka_unit_test(own_maps),
        cmocka_unit_test(zeros_and_shuffles),
        cmocka_unit_test(sparsity),
        cmocka_unit_test(products_of_maps),
        cmocka_unit_test(files),
        cmocka_unit_test(hostile_fields),
        cmocka_unit_test(init_without_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
