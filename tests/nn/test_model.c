/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"

#include <uboost/nn.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SIDE 8

/* Adds layers by a few words each. */
typedef struct builder {
    ub_network *network;
    int64_t last;
} builder;

static builder begin(ub_context *context, int64_t channels, int64_t side)
{
    builder b = { NULL, 0 };

    assert_int_equal(
        ub_network_create(context, "test", channels, side, side, &b.network),
        UB_OK);
    return b;
}

static int64_t append(builder *b, const char *name, const ub_layer *layer,
                      int64_t n, const int64_t *inputs)
{
    assert_int_equal(
        ub_network_add(b->network, name, layer, n, inputs, &b->last), UB_OK);
    return b->last;
}

static int64_t append_kind(builder *b, const char *name, ub_layer_kind kind)
{
    int64_t input = b->last;
    ub_layer layer;

    ub_layer_init(&layer, sizeof layer, kind);
    return append(b, name, &layer, 1, &input);
}

static int64_t append_conv(builder *b, const char *name, int64_t channels,
                           int64_t kernel, int64_t groups)
{
    int64_t input = b->last;
    ub_layer layer;

    ub_layer_init(&layer, sizeof layer, UB_LAYER_CONV);
    layer.out_channels = channels;
    layer.kernel_height = layer.kernel_width = kernel;
    layer.pad_height = layer.pad_width = kernel / 2;
    layer.groups = groups;
    return append(b, name, &layer, 1, &input);
}

/* Halves the map. */
static int64_t append_pool(builder *b, const char *name, ub_layer_kind kind,
                           int64_t kernel, int64_t padding)
{
    int64_t input = b->last;
    ub_layer layer;

    ub_layer_init(&layer, sizeof layer, kind);
    layer.kernel_height = layer.kernel_width = kernel;
    layer.pad_height = layer.pad_width = padding;
    layer.count_padding = kind == UB_LAYER_AVG_POOL;
    layer.stride = 2;
    return append(b, name, &layer, 1, &input);
}

static int64_t append_linear(builder *b, const char *name, int64_t channels,
                             int bias)
{
    int64_t input = b->last;
    ub_layer layer;

    ub_layer_init(&layer, sizeof layer, UB_LAYER_LINEAR);
    layer.out_channels = channels;
    layer.bias = bias;
    return append(b, name, &layer, 1, &input);
}

static int64_t append_joint(builder *b, const char *name, ub_layer_kind kind,
                            int64_t first, int64_t second)
{
    int64_t inputs[2];
    ub_layer layer;

    inputs[0] = first;
    inputs[1] = second;
    ub_layer_init(&layer, sizeof layer, kind);
    return append(b, name, &layer, 2, inputs);
}

static int64_t append_shuffle(builder *b, const char *name, int64_t groups)
{
    int64_t input = b->last;
    ub_layer layer;

    ub_layer_init(&layer, sizeof layer, UB_LAYER_CHANNEL_SHUFFLE);
    layer.groups = groups;
    return append(b, name, &layer, 1, &input);
}

/* Zeros of a shape of their own, where the images come before. */
static int64_t append_zero(builder *b, const char *name, int64_t channels)
{
    const int64_t image = 0;
    ub_layer layer;

    ub_layer_init(&layer, sizeof layer, UB_LAYER_ZERO);
    layer.in_channels = channels;
    layer.in_height = layer.in_width = SIDE;
    return append(b, name, &layer, 1, &image);
}

/* Every kind of layer; batch normalization with and without a lonely ReLU. */
static ub_network *every_kind(ub_context *context)
{
    builder b = begin(context, 2, SIDE);
    int64_t norm, relu, grouped, sum;

    append_conv(&b, "stem", 4, 3, 1);
    norm = append_kind(&b, "stem_norm", UB_LAYER_BATCH_NORM);
    relu = append_kind(&b, "stem_relu", UB_LAYER_RELU);
    grouped = append_conv(&b, "depth", 4, 3, 4);
    append_kind(&b, "depth_norm", UB_LAYER_BATCH_NORM);
    grouped = append_kind(&b, "depth_relu", UB_LAYER_RELU);
    sum = append_joint(&b, "sum", UB_LAYER_ADD, norm, grouped);
    append_joint(&b, "joined", UB_LAYER_CONCAT, sum, relu);
    sum = append_shuffle(&b, "mixed", 2);
    grouped = append_zero(&b, "none", 8);
    append_joint(&b, "more", UB_LAYER_ADD, sum, grouped);
    append_kind(&b, "same", UB_LAYER_IDENTITY);
    append_pool(&b, "max", UB_LAYER_MAX_POOL, 2, 0);
    sum = append_pool(&b, "average", UB_LAYER_AVG_POOL, 3, 1);
    append_kind(&b, "flat", UB_LAYER_FLATTEN);
    relu = append_linear(&b, "full", 8, 0);
    b.last = sum;
    norm = append_kind(&b, "mean", UB_LAYER_GLOBAL_POOL);
    append_joint(&b, "heads", UB_LAYER_CONCAT, norm, relu);
    append_linear(&b, "classes", 3, 1);
    return b.network;
}

static ub_tensor *images(ub_context *context, int64_t n, int64_t channels,
                         int64_t side)
{
    int64_t shape[4];
    ub_tensor *x = NULL;
    ub_rng rng;

    shape[0] = n;
    shape[1] = channels;
    shape[2] = shape[3] = side;
    ub_rng_init(&rng, 5, 0);
    assert_int_equal(ub_tensor_create(context, 4, shape, &x), UB_OK);
    assert_int_equal(ub_init_normal(x, &rng, 0.0, 1.0), UB_OK);
    return x;
}

static ub_variable *find(const ub_model *model, const char *name)
{
    ub_variable *v = ub_parameters_find(ub_model_parameters(model), name);

    assert_non_null(v);
    return v;
}

/* The same by hand. */
static ub_variable *norm_by_hand(const ub_model *model, ub_tape *tape,
                                 ub_variable *x, const char *layer, int relu)
{
    static const char *const parts[4] = { "weight", "bias", "running_mean",
                                          "running_var" };
    ub_variable *p[4], *y = NULL;
    ub_batch_norm_options options;
    char name[64];

    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%s.%s", layer, parts[i]);
        p[i] = find(model, name);
    }
    ub_batch_norm_options_init(&options, sizeof options);
    options.training = 0;
    options.relu = relu;
    assert_int_equal(ub_op_batch_norm(tape, x, p[0], p[1],
                                      ub_variable_value(p[2]),
                                      ub_variable_value(p[3]), &options, &y),
                     UB_OK);
    return y;
}

static ub_variable *conv_by_hand(const ub_model *model, ub_tape *tape,
                                 ub_variable *x, const char *weight,
                                 int64_t groups)
{
    ub_conv2d_options options;
    ub_variable *y = NULL;

    ub_conv2d_options_init(&options, sizeof options);
    options.pad_height = options.pad_width = 1;
    options.groups = groups;
    assert_int_equal(
        ub_op_conv2d(tape, x, find(model, weight), NULL, &options, &y), UB_OK);
    return y;
}

static ub_variable *every_kind_by_hand(const ub_model *model, ub_tape *tape,
                                       ub_variable *x)
{
    ub_variable *norm, *relu = NULL, *y, *pair[2], *full = NULL;
    int64_t n = ub_tensor_shape(ub_variable_value(x))[0];
    int64_t flat[2] = { n, 8 * (SIDE / 4) * (SIDE / 4) };

    norm = norm_by_hand(model, tape,
                        conv_by_hand(model, tape, x, "stem.weight", 1),
                        "stem_norm", 0);
    assert_int_equal(ub_op_relu(tape, norm, &relu), UB_OK);
    y = conv_by_hand(model, tape, relu, "depth.weight", 4);
    y = norm_by_hand(model, tape, y, "depth_norm", 1);
    assert_int_equal(ub_op_add(tape, norm, y, &y), UB_OK);
    pair[0] = y;
    pair[1] = relu;
    assert_int_equal(ub_op_concat(tape, 2, pair, &y), UB_OK);
    assert_int_equal(ub_op_channel_shuffle(tape, y, 2, &y), UB_OK);
    assert_int_equal(ub_op_max_pool2d(tape, y, 2, 2, 0, &y), UB_OK);
    assert_int_equal(ub_op_avg_pool2d(tape, y, 3, 2, 1, 1, &y), UB_OK);
    assert_int_equal(ub_op_reshape(tape, y, 2, flat, &full), UB_OK);
    assert_int_equal(
        ub_op_linear(tape, full, find(model, "full.weight"), NULL, &full),
        UB_OK);
    assert_int_equal(ub_op_global_avg_pool(tape, y, &pair[0]), UB_OK);
    pair[1] = full;
    assert_int_equal(ub_op_concat(tape, 2, pair, &y), UB_OK);
    assert_int_equal(ub_op_linear(tape, y, find(model, "classes.weight"),
                                  find(model, "classes.bias"), &y),
                     UB_OK);
    return y;
}

static void test_equals_operators_by_hand(void **state)
{
    ub_network *network = every_kind(*state);
    ub_tensor *x = images(*state, 3, 2, SIDE);
    ub_model *model = NULL;
    ub_tape *tape = NULL;
    ub_variable *input = NULL, *y = NULL, *hand;

    assert_int_equal(ub_model_create(*state, network, 1, &model), UB_OK);
    ub_network_destroy(&network);
    assert_int_equal(ub_tape_create(*state, &tape), UB_OK);
    assert_int_equal(ub_tape_constant(tape, x, &input), UB_OK);
    /* Training moves the running statistics off their first values. */
    assert_int_equal(ub_model_forward(model, tape, input, 1, &y), UB_OK);
    assert_int_equal(ub_model_forward(model, tape, input, 0, &y), UB_OK);
    hand = every_kind_by_hand(model, tape, input);
    assert_int_equal(ub_tensor_rank(ub_variable_value(y)), 2);
    assert_int_equal(ub_tensor_shape(ub_variable_value(y))[1], 3);
    assert_memory_equal(ub_tensor_data(ub_variable_value(y)),
                        ub_tensor_data(ub_variable_value(hand)),
                        9 * sizeof(float));
    ub_tape_destroy(&tape);
    ub_model_destroy(&model);
    assert_null(model);
    ub_model_destroy(&model);
    ub_tensor_unref(&x);
}

static void test_counts_as_the_network(void **state)
{
    ub_network *network = every_kind(*state);
    ub_model *model = NULL;

    assert_int_equal(ub_model_create(*state, network, 1, &model), UB_OK);
    assert_int_equal(
        ub_parameters_elements(ub_model_parameters(model), UB_PARAMETER_WEIGHT),
        ub_network_parameters(network));
    assert_int_equal(ub_network_layers(ub_model_network(model)),
                     ub_network_layers(network));
    assert_string_equal(ub_parameters_name(ub_model_parameters(model), 0),
                        "stem.weight");
    ub_model_destroy(&model);
    ub_network_destroy(&network);
}

/* Only maps of 1 x 1 lose their extents; a row does not. */
static void test_keeps_maps(void **state)
{
    builder b = begin(*state, 2, SIDE);
    ub_tensor *x = images(*state, 1, 2, SIDE);
    int64_t input = 0;
    ub_model *model = NULL;
    ub_tape *tape = NULL;
    ub_variable *images_in = NULL, *y = NULL;
    ub_layer layer;

    ub_layer_init(&layer, sizeof layer, UB_LAYER_CONV);
    layer.out_channels = 5;
    layer.kernel_height = SIDE;
    append(&b, "conv", &layer, 1, &input);
    assert_int_equal(ub_model_create(*state, b.network, 1, &model), UB_OK);
    assert_int_equal(ub_tape_create(*state, &tape), UB_OK);
    assert_int_equal(ub_tape_constant(tape, x, &images_in), UB_OK);
    /* A mode must be one also where no layer has it. */
    assert_int_equal(ub_model_forward(model, tape, images_in, 3, &y),
                     UB_ERR_INVALID);
    assert_null(y);
    assert_int_equal(ub_model_forward(model, tape, images_in, 0, &y), UB_OK);
    assert_int_equal(ub_tensor_rank(ub_variable_value(y)), 4);
    assert_int_equal(ub_tensor_shape(ub_variable_value(y))[1], 5);
    assert_int_equal(ub_tensor_shape(ub_variable_value(y))[2], 1);
    assert_int_equal(ub_tensor_shape(ub_variable_value(y))[3], SIDE);
    ub_tape_destroy(&tape);
    ub_model_destroy(&model);
    ub_network_destroy(&b.network);
    ub_tensor_unref(&x);
}

static void assert_same(const ub_model *a, const ub_model *b, int same)
{
    const ub_parameters *p = ub_model_parameters(a);
    const ub_parameters *q = ub_model_parameters(b);
    int differences = 0;

    for (int64_t i = 0; i < ub_parameters_count(p); i++) {
        const ub_tensor *x = ub_variable_value(ub_parameters_variable(p, i));
        const ub_tensor *y = ub_variable_value(ub_parameters_variable(q, i));

        differences += memcmp(ub_tensor_data(x), ub_tensor_data(y),
                              (size_t) ub_tensor_count(x) * sizeof(float)) != 0;
    }
    assert_int_equal(differences == 0, same);
}

static void test_saves_and_loads(void **state)
{
    ub_network *network = every_kind(*state);
    ub_model *a = NULL, *b = NULL, *c = NULL;
    const char *path = test_path("model.safetensors");

    assert_int_equal(ub_model_create(*state, network, 1, &a), UB_OK);
    assert_int_equal(ub_model_create(*state, network, 2, &b), UB_OK);
    assert_int_equal(ub_model_create(*state, network, 1, &c), UB_OK);
    assert_same(a, b, 0);
    assert_same(a, c, 1);
    assert_int_equal(ub_model_save(a, path), UB_OK);
    assert_int_equal(ub_model_load(b, path), UB_OK);
    assert_same(a, b, 1);
    assert_int_equal(ub_model_load(b, "/nonexistent/model"), UB_ERR_IO);
    assert_int_equal(ub_model_save(b, "/nonexistent/model"), UB_ERR_IO);
    assert_int_equal(ub_model_load(b, NULL), UB_ERR_INVALID);
    assert_int_equal(ub_model_save(NULL, path), UB_ERR_INVALID);
    ub_model_destroy(&a);
    ub_model_destroy(&b);
    ub_model_destroy(&c);
    ub_network_destroy(&network);
}

static void test_refuses_foreign_weights(void **state)
{
    builder small = begin(*state, 2, SIDE), wide = begin(*state, 2, SIDE);
    ub_model *a = NULL, *b = NULL, *before = NULL;
    const char *path = test_path("foreign.safetensors");

    append_conv(&small, "conv", 3, 3, 1);
    append_conv(&wide, "conv", 4, 3, 1);
    assert_int_equal(ub_model_create(*state, small.network, 1, &a), UB_OK);
    assert_int_equal(ub_model_create(*state, wide.network, 1, &b), UB_OK);
    assert_int_equal(ub_model_create(*state, wide.network, 1, &before), UB_OK);
    assert_int_equal(ub_model_save(a, path), UB_OK);
    assert_int_equal(ub_model_load(b, path), UB_ERR_SHAPE);
    assert_same(b, before, 1);
    ub_model_destroy(&a);
    ub_model_destroy(&b);
    ub_model_destroy(&before);
    ub_network_destroy(&small.network);
    ub_network_destroy(&wide.network);
}

static void test_refuses_inputs(void **state)
{
    ub_network *network = every_kind(*state);
    ub_tensor *x = images(*state, 2, 3, SIDE), *small = images(*state, 2, 2, 4);
    ub_model *model = NULL;
    ub_tape *tape = NULL;
    ub_variable *input = NULL, *y = NULL;

    assert_int_equal(ub_model_create(NULL, network, 1, &model), UB_ERR_INVALID);
    assert_int_equal(ub_model_create(*state, NULL, 1, &model), UB_ERR_INVALID);
    assert_int_equal(ub_model_create(*state, network, 1, &model), UB_OK);
    assert_int_equal(ub_tape_create(*state, &tape), UB_OK);
    assert_int_equal(ub_tape_constant(tape, x, &input), UB_OK);
    assert_int_equal(ub_model_forward(model, tape, input, 0, &y), UB_ERR_SHAPE);
    assert_non_null(
        strstr(ub_context_last_error(*state), "[n, 2, 8, 8] expected"));
    assert_int_equal(ub_tape_constant(tape, small, &input), UB_OK);
    assert_int_equal(ub_model_forward(model, tape, input, 0, &y), UB_ERR_SHAPE);
    assert_int_equal(ub_model_forward(model, tape, NULL, 0, &y),
                     UB_ERR_INVALID);
    assert_null(y);
    ub_tape_destroy(&tape);
    ub_model_destroy(&model);
    ub_network_destroy(&network);
    ub_tensor_unref(&x);
    ub_tensor_unref(&small);
}

static void refuse_pool(ub_context *context, const ub_layer *layer)
{
    builder b = begin(context, 2, SIDE);
    int64_t input = 0;
    ub_model *model = NULL;

    append(&b, "odd", layer, 1, &input);
    assert_int_equal(ub_model_create(context, b.network, 1, &model),
                     UB_ERR_UNSUPPORTED);
    assert_non_null(strstr(ub_context_last_error(context), "layer odd"));
    assert_null(model);
    ub_network_destroy(&b.network);
}

static void test_refuses_pools_without_operator(void **state)
{
    ub_layer layer;

    ub_layer_init(&layer, sizeof layer, UB_LAYER_MAX_POOL);
    layer.kernel_height = 2;
    refuse_pool(*state, &layer);
    layer.kernel_width = 2;
    layer.pad_height = 1;
    refuse_pool(*state, &layer);
    layer.kernel_height = layer.kernel_width = 3;
    layer.pad_height = layer.pad_width = 2;
    refuse_pool(*state, &layer);
}

/* An error names the layer. One value per channel cannot be normalized. */
/* What can be priced only. */
static void test_refuses_what_has_no_gradient(void **state)
{
    static const char *const texts[] = { "rounds its output extent up",
                                         "reads a map of its own", "is sparse",
                                         "product of two maps" };
    ub_context *context = *state;
    ub_model *model = NULL;

    for (int i = 0; i < 4; i++) {
        builder b = begin(context, 3, SIDE);
        const int64_t inputs[2] = { 0, 0 };
        ub_layer layer;

        ub_layer_init(&layer, sizeof layer,
                      i == 3 ? UB_LAYER_MATMUL : UB_LAYER_CONV);
        layer.out_channels = 2;
        layer.round_up = i == 0;
        layer.in_channels = layer.in_height = layer.in_width = i == 1;
        layer.sparse_keep = layer.sparse_block = i == 2;
        append(&b, "odd", &layer, i == 3 ? 2 : 1, inputs);
        assert_int_equal(ub_model_create(context, b.network, 1, &model),
                         UB_ERR_UNSUPPORTED);
        assert_null(model);
        if (strstr(ub_context_last_error(context), texts[i]) == NULL)
            fail_msg("'%s' lacks '%s'", ub_context_last_error(context),
                     texts[i]);
        ub_network_destroy(&b.network);
    }
}

static void test_names_the_failing_layer(void **state)
{
    builder b = begin(*state, 2, 1);
    ub_tensor *x = images(*state, 1, 2, 1);
    ub_model *model = NULL;
    ub_tape *tape = NULL;
    ub_variable *input = NULL, *y = NULL;

    append_kind(&b, "alone", UB_LAYER_BATCH_NORM);
    assert_int_equal(ub_model_create(*state, b.network, 1, &model), UB_OK);
    assert_int_equal(ub_tape_create(*state, &tape), UB_OK);
    assert_int_equal(ub_tape_constant(tape, x, &input), UB_OK);
    assert_int_equal(ub_model_forward(model, tape, input, 1, &y),
                     UB_ERR_INVALID);
    assert_non_null(strstr(ub_context_last_error(*state), "layer alone"));
    ub_tape_destroy(&tape);
    ub_model_destroy(&model);
    ub_network_destroy(&b.network);
    ub_tensor_unref(&x);
}

static ub_status step(ub_model *model, ub_optimizer *optimizer, ub_tape *tape,
                      ub_tensor *x, const int32_t *labels, double *loss)
{
    ub_variable *input = NULL, *y = NULL, *cost = NULL;
    ub_status status = ub_tape_constant(tape, x, &input);

    if (status == UB_OK)
        status = ub_model_forward(model, tape, input, 1, &y);
    if (status == UB_OK)
        status = ub_op_cross_entropy(tape, y, labels, 0.0, &cost);
    if (status == UB_OK) {
        *loss = (double) ub_tensor_data(ub_variable_value(cost))[0];
        status = ub_tape_backward(tape, cost);
    }
    if (status == UB_OK)
        status = ub_optimizer_step(optimizer, 0.1, 0.5, NULL);
    ub_parameters_clear_grads(ub_model_parameters(model));
    ub_tape_clear(tape);
    return status;
}

/* Images whose class is the quarter that has been brightened. */
#define TOYS 32
static void paint(ub_tensor *x, int32_t *labels)
{
    for (int i = 0; i < TOYS; i++) {
        float *image = ub_tensor_data(x) + i * 2 * SIDE * SIDE;

        labels[i] = i % 3;
        for (int p = 0; p < 2 * SIDE * SIDE; p++) {
            int row = p / SIDE % SIDE, column = p % SIDE;

            if (2 * (row >= SIDE / 2) + (column >= SIDE / 2) == labels[i])
                image[p] += 1.5f;
        }
    }
}

static void test_learns(void **state)
{
    ub_network *network = every_kind(*state);
    ub_tensor *x = images(*state, TOYS, 2, SIDE);
    ub_optimizer_options options;
    ub_optimizer *optimizer = NULL;
    ub_model *model = NULL;
    ub_tape *tape = NULL;
    ub_variable *input = NULL, *y = NULL;
    int32_t labels[TOYS];
    double first = 0.0, last = 0.0;
    int64_t correct = 0;

    paint(x, labels);
    ub_optimizer_options_init(&options, sizeof options);
    options.momentum = 0.9;
    options.nesterov = 1;
    assert_int_equal(ub_model_create(*state, network, 1, &model), UB_OK);
    assert_int_equal(ub_optimizer_create_for(ub_model_parameters(model),
                                             UB_PARAMETER_WEIGHT, &options,
                                             &optimizer),
                     UB_OK);
    assert_int_equal(ub_tape_create(*state, &tape), UB_OK);
    assert_int_equal(step(model, optimizer, tape, x, labels, &first), UB_OK);
    for (int i = 0; i < 60; i++)
        assert_int_equal(step(model, optimizer, tape, x, labels, &last), UB_OK);
    /* 32 images are learnt by heart. */
    assert_true(first > 0.5);
    assert_true(last < 0.1);
    ub_tape_set_recording(tape, 0);
    assert_int_equal(ub_tape_constant(tape, x, &input), UB_OK);
    assert_int_equal(ub_model_forward(model, tape, input, 0, &y), UB_OK);
    assert_int_equal(
        ub_count_correct(ub_variable_value(y), labels, 1, &correct), UB_OK);
    assert_true(correct >= TOYS - 2);
    ub_tape_destroy(&tape);
    ub_optimizer_destroy(&optimizer);
    ub_model_destroy(&model);
    ub_network_destroy(&network);
    ub_tensor_unref(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equals_operators_by_hand),
        cmocka_unit_test(test_counts_as_the_network),
        cmocka_unit_test(test_keeps_maps),
        cmocka_unit_test(test_saves_and_loads),
        cmocka_unit_test(test_refuses_foreign_weights),
        cmocka_unit_test(test_refuses_inputs),
        cmocka_unit_test(test_refuses_pools_without_operator),
        cmocka_unit_test(test_refuses_what_has_no_gradient),
        cmocka_unit_test(test_names_the_failing_layer),
        cmocka_unit_test(test_learns),
    };

    return cmocka_run_group_tests_name("model", tests, setup, teardown);
}
