/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <uboost/network.h>

/* Bit widths of convolutions. */

static int64_t append(ub_network *net, const char *name, ub_layer_kind kind,
                      int64_t channels, int64_t kernel, int64_t input)
{
    int64_t index = -1;
    ub_layer layer;

    ub_layer_init(&layer, sizeof(layer), kind);
    layer.out_channels = channels;
    if (kernel > 0)
        layer.kernel_height = layer.kernel_width = kernel;
    layer.pad_height = layer.pad_width = kernel / 2;
    assert_int_equal(ub_network_add(net, name, &layer, 1, &input, &index),
                     UB_OK);
    return index;
}

static ub_status append_bits(ub_network *net, int32_t weights, int32_t inputs)
{
    const int64_t zero = 0;
    ub_layer layer;

    ub_layer_init(&layer, sizeof(layer), UB_LAYER_CONV);
    layer.out_channels = 2;
    layer.weight_bits = weights;
    layer.input_bits = inputs;
    return ub_network_add(net, "c", &layer, 1, &zero, NULL);
}

static ub_network *image(ub_context *context)
{
    ub_network *net = NULL;

    assert_int_equal(ub_network_create(context, "net", 3, 8, 8, &net), UB_OK);
    return net;
}

/* input - stem - two ways - sum - (header) - mean - classes */
static ub_network *sample(ub_context *context, int64_t header)
{
    ub_network *net = image(context);
    int64_t stem, ways[2], at;
    ub_layer layer;

    stem = append(net, "stem", UB_LAYER_CONV, 4, 3, 0);
    stem = append(net, "relu", UB_LAYER_RELU, 0, 0, stem);
    ways[0] = append(net, "left", UB_LAYER_CONV, 4, 3, stem);
    ways[1] = append(net, "right", UB_LAYER_CONV, 4, 1, stem);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_ADD);
    assert_int_equal(ub_network_add(net, "sum", &layer, 2, ways, &at), UB_OK);
    if (header > 0)
        at = append(net, "header", UB_LAYER_CONV, 8, header, at);
    at = append(net, "mean", UB_LAYER_GLOBAL_POOL, 0, 0, at);
    append(net, "classes", UB_LAYER_LINEAR, 2, 0, at);
    return net;
}

static void expect(const ub_network *net, const char *name, int32_t weights,
                   int32_t inputs)
{
    const ub_layer_info info = test_info(net, ub_network_find(net, name));

    assert_int_equal(info.layer->weight_bits, weights);
    assert_int_equal(info.layer->input_bits, inputs);
}

static void fields(void **state)
{
    ub_context *context = test_context(1);
    ub_network *net = image(context);
    const int64_t zero = 0;
    ub_layer layer;

    (void) state;
    assert_int_equal(append_bits(net, -1, 0), UB_ERR_INVALID);
    assert_int_equal(append_bits(net, 0, 17), UB_ERR_RANGE);
    assert_int_equal(append_bits(net, 32, 8), UB_OK);
    expect(net, "c", 0, 8);
    /* of a kind that has none */
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_RELU);
    layer.weight_bits = layer.input_bits = 8;
    assert_int_equal(ub_network_add(net, "r", &layer, 1, &zero, NULL), UB_OK);
    expect(net, "r", 0, 0);
    /* a program from before there were bits */
    ub_layer_init(&layer, offsetof(ub_layer, weight_bits), UB_LAYER_CONV);
    layer.out_channels = 2;
    layer.weight_bits = layer.input_bits = 77;
    assert_int_equal(ub_network_add(net, "old", &layer, 1, &zero, NULL), UB_OK);
    expect(net, "old", 0, 0);
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

static void quantized(void **state)
{
    ub_context *context = test_context(1);

    (void) state;
    for (int64_t kernel = 0; kernel < 4; kernel++) {
        ub_network *net, *q = NULL, *back = NULL;

        if (kernel == 2)
            continue;
        net = sample(context, kernel);
        assert_int_equal(ub_network_quantized(net, 4, 8, &q), UB_OK);
        expect(q, "stem", 0, 0);
        expect(q, "left", 4, 8);
        expect(q, "right", 4, 8);
        expect(q, "classes", 0, 0);
        if (kernel == 1)
            expect(q, "header", 0, 0);
        if (kernel == 3)
            expect(q, "header", 4, 8);
        assert_int_equal(ub_network_macs(q), ub_network_macs(net));
        assert_int_equal(ub_network_quantized(q, 32, 0, &back), UB_OK);
        test_same_layers(net, back);
        ub_network_destroy(&back);
        assert_int_equal(ub_network_quantized(net, 17, 8, &back), UB_ERR_RANGE);
        assert_int_equal(ub_network_quantized(net, 8, -1, &back),
                         UB_ERR_INVALID);
        assert_null(back);
        ub_network_destroy(&q);
        ub_network_destroy(&net);
    }
    ub_context_destroy(&context);
}

/* Two last convolutions: neither is a header. */
static void no_header(void **state)
{
    ub_context *context = test_context(1);
    ub_network *net = image(context), *q = NULL;
    int64_t stem, ways[2];
    ub_layer layer;

    (void) state;
    stem = append(net, "stem", UB_LAYER_CONV, 4, 3, 0);
    ways[0] = append(net, "left", UB_LAYER_CONV, 4, 1, stem);
    ways[1] = append(net, "right", UB_LAYER_CONV, 4, 1, stem);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_ADD);
    assert_int_equal(ub_network_add(net, "sum", &layer, 2, ways, NULL), UB_OK);
    assert_int_equal(ub_network_quantized(net, 8, 8, &q), UB_OK);
    expect(q, "left", 8, 8);
    expect(q, "right", 8, 8);
    ub_network_destroy(&q);
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

static void files(void **state)
{
    ub_context *context = test_context(1);
    ub_network *net = sample(context, 1), *q = NULL, *again = NULL;
    char *text;

    (void) state;
    assert_int_equal(ub_network_write(net, test_path("b.json")), UB_OK);
    text = test_file_read(test_path("b.json"));
    assert_null(strstr(text, "bits"));
    free(text);
    assert_int_equal(ub_network_quantized(net, 4, 32, &q), UB_OK);
    assert_int_equal(ub_network_write(q, test_path("b.json")), UB_OK);
    text = test_file_read(test_path("b.json"));
    assert_non_null(strstr(text, "\"bits\": ["));
    free(text);
    assert_int_equal(ub_network_read(context, test_path("b.json"), &again),
                     UB_OK);
    test_same_layers(q, again);
    assert_int_equal(ub_network_write_dot(q, test_path("b.dot")), UB_OK);
    text = test_file_read(test_path("b.dot"));
    assert_non_null(strstr(text, "left\\nconv 3x3 w4 i32\\n4x8x8\"]"));
    free(text);
    ub_network_destroy(&again);
    ub_network_destroy(&q);
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

#define NET(fields)                                                   \
    "{\"input\": {\"channels\": 3, \"height\": 8, \"width\": 8}, "    \
    "\"layers\": [{\"name\": \"a\", \"kind\": \"conv\", \"inputs\": " \
    "[\"input\"], \"out_channels\": 4, " fields "}]}"

static void texts(void **state)
{
    static const struct {
        const char *json;
        ub_status status;
        int32_t weights, inputs;
    } cases[] = {
        { NET("\"bits\": 6"), UB_OK, 6, 6 },
        { NET("\"bits\": [32, 16]"), UB_OK, 0, 16 },
        { NET("\"bits\": 17"), UB_ERR_RANGE, 0, 0 },
        { NET("\"bits\": -1"), UB_ERR_FORMAT, 0, 0 },
        { NET("\"bits\": 4294967300"), UB_ERR_FORMAT, 0, 0 },
        { NET("\"bits\": [8]"), UB_ERR_FORMAT, 0, 0 },
        { NET("\"bits\": \"8\""), UB_ERR_FORMAT, 0, 0 },
        { NET("\"bits\": [8, 8.5]"), UB_ERR_FORMAT, 0, 0 },
    };
    ub_context *context = test_context(1);

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ub_network *net = NULL;

        test_file_write(test_path("t.json"), cases[i].json,
                        strlen(cases[i].json));
        assert_int_equal(ub_network_read(context, test_path("t.json"), &net),
                         cases[i].status);
        if (net != NULL)
            expect(net, "a", cases[i].weights, cases[i].inputs);
        ub_network_destroy(&net);
    }
    ub_context_destroy(&context);
}

static ub_status quantize(ub_context *context, void *arg)
{
    const int64_t zero = 0;
    ub_network *net = NULL, *q = NULL;
    ub_layer layer;
    ub_status status = ub_network_create(context, "net", 3, 8, 8, &net);

    (void) arg;
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_RELU);
    if (status == UB_OK)
        status = ub_network_add(net, "r", &layer, 1, &zero, NULL);
    if (status == UB_OK)
        status = ub_network_quantized(net, 8, 8, &q);
    ub_network_destroy(&q);
    ub_network_destroy(&net);
    return status;
}

static void memory(void **state)
{
    (void) state;
    assert_survives_oom(quantize, 1, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields),    cmocka_unit_test(quantized),
        cmocka_unit_test(no_header), cmocka_unit_test(files),
        cmocka_unit_test(texts),     cmocka_unit_test(memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
