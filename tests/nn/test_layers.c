/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"

#include <uboost/nn.h>

#include <math.h>
#include <string.h>

#define BATCH    3
#define CHANNELS 4
#define SIDE     5

typedef struct fixture {
    ub_parameters *parameters;
    ub_tape *tape;
    ub_variable *x; /* [BATCH, CHANNELS, SIDE, SIDE], uniform */
    ub_rng rng;
} fixture;

static fixture create(ub_context *context)
{
    int64_t shape[4] = { BATCH, CHANNELS, SIDE, SIDE };
    ub_tensor *x = NULL;
    fixture f = { NULL, NULL, NULL, { { 0 } } };

    ub_rng_init(&f.rng, 3, 0);
    assert_int_equal(ub_parameters_create(context, &f.parameters), UB_OK);
    assert_int_equal(ub_tape_create(context, &f.tape), UB_OK);
    assert_int_equal(ub_tensor_create(context, 4, shape, &x), UB_OK);
    assert_int_equal(ub_init_uniform(x, &f.rng, -1.0, 1.0), UB_OK);
    assert_int_equal(ub_tape_constant(f.tape, x, &f.x), UB_OK);
    ub_tensor_unref(&x);
    return f;
}

static void destroy(fixture *f)
{
    ub_tape_destroy(&f->tape);
    ub_parameters_destroy(&f->parameters);
}

static ub_conv_norm_options options_of(int64_t out_channels)
{
    ub_conv_norm_options options;

    ub_conv_norm_options_init(&options, sizeof options);
    options.in_channels = CHANNELS;
    options.out_channels = out_channels;
    return options;
}

static ub_variable *find(const fixture *f, const char *name)
{
    ub_variable *variable = ub_parameters_find(f->parameters, name);

    assert_non_null(variable);
    return variable;
}

static void assert_equal(const ub_variable *a, const ub_variable *b)
{
    const ub_tensor *x = ub_variable_value(a), *y = ub_variable_value(b);

    assert_int_equal(ub_tensor_count(x), ub_tensor_count(y));
    assert_memory_equal(ub_tensor_data(x), ub_tensor_data(y),
                        (size_t) ub_tensor_count(x) * sizeof(float));
}

static void test_conv_norm_parameters(void **state)
{
    static const char *const names[] = { "edge.conv.weight", "edge.norm.weight",
                                         "edge.norm.bias",
                                         "edge.norm.running_mean",
                                         "edge.norm.running_var" };
    fixture f = create(*state);
    ub_conv_norm_options options = options_of(6);
    ub_conv_norm *layer = NULL;
    const int64_t *shape;

    options.groups = 2;
    options.kernel_width = 1;
    assert_int_equal(
        ub_conv_norm_create(f.parameters, "edge", &options, &f.rng, &layer),
        UB_OK);
    assert_int_equal(ub_parameters_count(f.parameters), 5);
    for (int i = 0; i < 5; i++) {
        assert_string_equal(ub_parameters_name(f.parameters, i), names[i]);
        assert_int_equal(ub_parameters_kind(f.parameters, i),
                         i < 3 ? UB_PARAMETER_WEIGHT : UB_PARAMETER_BUFFER);
    }
    shape = ub_tensor_shape(ub_variable_value(find(&f, names[0])));
    assert_true(shape[0] == 6 && shape[1] == 2 && shape[2] == 3 &&
                shape[3] == 1);
    assert_true(ub_tensor_data(ub_variable_value(find(&f, names[1])))[5] ==
                1.0f);
    assert_true(ub_tensor_data(ub_variable_value(find(&f, names[4])))[5] ==
                1.0f);
    ub_conv_norm_destroy(&layer);
    assert_null(layer);
    ub_conv_norm_destroy(&layer);
    destroy(&f);
}

/* The same operators called by hand give the same bits. */
static void check_forward(ub_context *context, int training,
                          ub_mask_place place, int masked)
{
    fixture f = create(context);
    ub_conv_norm_options options = options_of(CHANNELS);
    ub_conv2d_options geometry;
    ub_batch_norm_options norm;
    ub_conv_norm *layer = NULL;
    ub_variable *y = NULL, *z = NULL, *mask = NULL;
    int64_t n = CHANNELS;

    assert_int_equal(ub_parameters_add(f.parameters, "mask",
                                       UB_PARAMETER_ARCHITECTURE, 1, &n, &mask),
                     UB_OK);
    assert_int_equal(
        ub_init_uniform(ub_variable_value(mask), &f.rng, 0.25, 1.0), UB_OK);
    options.stride = 2;
    options.dilation = 2;
    options.eps = 0.1;
    assert_int_equal(
        ub_conv_norm_create(f.parameters, "l", &options, &f.rng, &layer),
        UB_OK);
    ub_conv2d_options_init(&geometry, sizeof geometry);
    geometry.stride = geometry.dilation = 2;
    geometry.pad_height = geometry.pad_width = 2;
    assert_int_equal(ub_op_conv2d(f.tape, f.x, find(&f, "l.conv.weight"), NULL,
                                  &geometry, &z),
                     UB_OK);
    if (masked && place == UB_MASK_BEFORE_NORM)
        assert_int_equal(ub_op_mask_channels(f.tape, z, mask, &z), UB_OK);
    ub_batch_norm_options_init(&norm, sizeof norm);
    norm.training = training;
    norm.eps = 0.1;
    norm.relu = 1;
    if (training)
        assert_int_equal(ub_op_batch_norm(f.tape, z, find(&f, "l.norm.weight"),
                                          find(&f, "l.norm.bias"), NULL, NULL,
                                          &norm, &z),
                         UB_OK);
    else
        assert_int_equal(
            ub_op_batch_norm(
                f.tape, z, find(&f, "l.norm.weight"), find(&f, "l.norm.bias"),
                ub_variable_value(find(&f, "l.norm.running_mean")),
                ub_variable_value(find(&f, "l.norm.running_var")), &norm, &z),
            UB_OK);
    if (masked && place == UB_MASK_AFTER)
        assert_int_equal(ub_op_mask_channels(f.tape, z, mask, &z), UB_OK);
    assert_int_equal(ub_conv_norm_forward(layer, f.tape, f.x, training,
                                          masked ? mask : NULL, place, &y),
                     UB_OK);
    assert_int_equal(ub_tensor_shape(ub_variable_value(y))[2], 3);
    assert_equal(y, z);
    ub_conv_norm_destroy(&layer);
    destroy(&f);
}

static void test_conv_norm_forward(void **state)
{
    for (int training = 0; training < 2; training++) {
        check_forward(*state, training, UB_MASK_AFTER, 0);
        check_forward(*state, training, UB_MASK_AFTER, 1);
        check_forward(*state, training, UB_MASK_BEFORE_NORM, 1);
    }
}

/* The mean of a 1 x 1 convolution is that of its input, times the weights. */
static double mean_by_hand(const fixture *f, const float *weights)
{
    const float *x = ub_tensor_data(ub_variable_value(f->x));
    double sum = 0.0;

    for (int i = 0; i < BATCH * CHANNELS * SIDE * SIDE; i++)
        sum += (double) x[i] * (double) weights[i / (SIDE * SIDE) % CHANNELS];
    return sum / (BATCH * SIDE * SIDE);
}

static void test_running_statistics_move_in_training(void **state)
{
    fixture f = create(*state);
    ub_conv_norm_options options = options_of(2);
    ub_conv_norm *layer = NULL;
    ub_variable *y = NULL, *z = NULL;
    float *mean, *weights, before;

    options.kernel_height = options.kernel_width = 1;
    options.momentum = 0.25;
    options.relu = 0;
    assert_int_equal(
        ub_conv_norm_create(f.parameters, "l", &options, &f.rng, &layer),
        UB_OK);
    mean = ub_tensor_data(ub_variable_value(find(&f, "l.norm.running_mean")));
    weights = ub_tensor_data(ub_variable_value(find(&f, "l.conv.weight")));
    assert_int_equal(
        ub_conv_norm_forward(layer, f.tape, f.x, 0, NULL, UB_MASK_AFTER, &y),
        UB_OK);
    assert_true(mean[0] == 0.0f);
    assert_int_equal(
        ub_conv_norm_forward(layer, f.tape, f.x, 1, NULL, UB_MASK_AFTER, &y),
        UB_OK);
    /* Roundings of a few values of about 1. */
    assert_close((double) mean[0], 0.25 * mean_by_hand(&f, weights), 1e-6);
    before = mean[0];
    assert_int_equal(ub_conv_norm_forward(layer, f.tape, f.x, UB_NORM_BATCH,
                                          NULL, UB_MASK_AFTER, &z),
                     UB_OK);
    assert_true(mean[0] == before);
    assert_equal(y, z);
    assert_int_equal(
        ub_conv_norm_forward(layer, f.tape, f.x, 3, NULL, UB_MASK_AFTER, &z),
        UB_ERR_INVALID);
    ub_conv_norm_destroy(&layer);
    destroy(&f);
}

/* A mask before normalization is undone by it, one after is not. */
static void test_mask_place_matters(void **state)
{
    fixture f = create(*state);
    ub_conv_norm_options options = options_of(2);
    ub_conv_norm *layer = NULL;
    ub_variable *plain = NULL, *before = NULL, *after = NULL, *mask = NULL;
    int64_t n = 2;
    double largest = 0.0, moved = 0.0;

    assert_int_equal(
        ub_conv_norm_create(f.parameters, "l", &options, &f.rng, &layer),
        UB_OK);
    assert_int_equal(ub_parameters_add(f.parameters, "mask",
                                       UB_PARAMETER_ARCHITECTURE, 1, &n, &mask),
                     UB_OK);
    ub_tensor_fill(ub_variable_value(mask), 0.5f);
    assert_int_equal(ub_conv_norm_forward(layer, f.tape, f.x, 1, NULL,
                                          UB_MASK_AFTER, &plain),
                     UB_OK);
    assert_int_equal(ub_conv_norm_forward(layer, f.tape, f.x, 1, mask,
                                          UB_MASK_BEFORE_NORM, &before),
                     UB_OK);
    assert_int_equal(ub_conv_norm_forward(layer, f.tape, f.x, 1, mask,
                                          UB_MASK_AFTER, &after),
                     UB_OK);
    for (int64_t i = 0; i < ub_tensor_count(ub_variable_value(plain)); i++) {
        double p = (double) ub_tensor_data(ub_variable_value(plain))[i];
        double b = (double) ub_tensor_data(ub_variable_value(before))[i];
        double a = (double) ub_tensor_data(ub_variable_value(after))[i];

        largest = fmax(largest, fabs(p - b));
        moved = fmax(moved, fabs(p - a));
        assert_true(a == 0.5 * p);
    }
    /* Only eps, 1e-5 of a variance above 0.01, tells them apart. */
    assert_true(largest < 1e-2);
    assert_true(moved > 0.1);
    ub_conv_norm_destroy(&layer);
    destroy(&f);
}

static void refuse(fixture *f, const ub_conv_norm_options *options,
                   const char *field)
{
    ub_conv_norm *layer = NULL;
    ub_rng before = f->rng;

    assert_int_equal(
        ub_conv_norm_create(f->parameters, "l", options, &f->rng, &layer),
        UB_ERR_INVALID);
    assert_non_null(strstr(
        ub_context_last_error(ub_parameters_context(f->parameters)), field));
    assert_null(layer);
    assert_int_equal(ub_parameters_count(f->parameters), 0);
    assert_memory_equal(&before, &f->rng, sizeof before);
}

static void test_conv_norm_refuses_options(void **state)
{
    fixture f = create(*state);
    ub_conv_norm_options o = options_of(4);

    o.in_channels = 0;
    refuse(&f, &o, "in_channels");
    o = options_of(0);
    refuse(&f, &o, "out_channels");
    o = options_of(4);
    o.kernel_height = 2;
    refuse(&f, &o, "kernel_height");
    o = options_of(4);
    o.kernel_width = -1;
    refuse(&f, &o, "kernel_width");
    o = options_of(4);
    o.stride = 0;
    refuse(&f, &o, "stride");
    o = options_of(4);
    o.dilation = INT64_MAX / 2;
    refuse(&f, &o, "dilation");
    o = options_of(4);
    o.groups = 3;
    refuse(&f, &o, "groups");
    o = options_of(4);
    o.eps = 0.0;
    refuse(&f, &o, "eps");
    o = options_of(4);
    o.momentum = 2.0;
    refuse(&f, &o, "momentum");
    o = options_of(4);
    o.relu = 7;
    refuse(&f, &o, "relu");
    destroy(&f);
}

/* A name in use in the middle: what had been added goes again. */
static void test_failed_create_leaves_the_list(void **state)
{
    fixture f = create(*state);
    ub_conv_norm_options options = options_of(4);
    ub_conv_norm *layer = NULL;
    ub_linear_layer *linear = NULL;
    ub_rng before = f.rng;

    assert_int_equal(ub_parameters_add(f.parameters, "l.norm.bias",
                                       UB_PARAMETER_WEIGHT, 0, NULL, NULL),
                     UB_OK);
    assert_int_equal(ub_parameters_add(f.parameters, "l.bias",
                                       UB_PARAMETER_WEIGHT, 0, NULL, NULL),
                     UB_OK);
    assert_int_equal(
        ub_conv_norm_create(f.parameters, "l", &options, &f.rng, &layer),
        UB_ERR_INVALID);
    assert_int_equal(
        ub_linear_layer_create(f.parameters, "l", 3, 4, &f.rng, &linear),
        UB_ERR_INVALID);
    assert_int_equal(ub_parameters_count(f.parameters), 2);
    assert_memory_equal(&before, &f.rng, sizeof before);
    destroy(&f);
}

static void test_conv_norm_refuses_arguments(void **state)
{
    fixture f = create(*state);
    ub_conv_norm_options options = options_of(2);
    ub_conv_norm *layer = NULL, *none = NULL;
    ub_variable *y = NULL;
    int64_t wrong = 3;
    ub_variable *mask = NULL;

    assert_int_equal(ub_conv_norm_create(NULL, "l", &options, &f.rng, &none),
                     UB_ERR_INVALID);
    assert_int_equal(
        ub_conv_norm_create(f.parameters, "", &options, &f.rng, &none),
        UB_ERR_INVALID);
    assert_int_equal(
        ub_conv_norm_create(f.parameters, "l", &options, NULL, &none),
        UB_ERR_INVALID);
    assert_int_equal(
        ub_conv_norm_create(f.parameters, "l", &options, &f.rng, &layer),
        UB_OK);
    assert_int_equal(ub_parameters_add(f.parameters, "mask",
                                       UB_PARAMETER_ARCHITECTURE, 1, &wrong,
                                       &mask),
                     UB_OK);
    assert_int_equal(
        ub_conv_norm_forward(layer, f.tape, f.x, 0, mask, UB_MASK_AFTER, &y),
        UB_ERR_SHAPE);
    assert_int_equal(ub_conv_norm_forward(layer, f.tape, f.x, 0, mask,
                                          (ub_mask_place) 5, &y),
                     UB_ERR_INVALID);
    assert_int_equal(
        ub_conv_norm_forward(layer, f.tape, NULL, 0, NULL, UB_MASK_AFTER, &y),
        UB_ERR_INVALID);
    assert_int_equal(
        ub_conv_norm_forward(layer, f.tape, mask, 0, NULL, UB_MASK_AFTER, &y),
        UB_ERR_SHAPE);
    assert_null(y);
    ub_conv_norm_destroy(&layer);
    destroy(&f);
}

static void test_linear(void **state)
{
    fixture f = create(*state);
    ub_linear_layer *layer = NULL;
    ub_variable *y = NULL, *z = NULL, *flat = NULL;
    int64_t features = CHANNELS * SIDE * SIDE, shape[2] = { BATCH, features };
    const ub_tensor *weight;
    float bound = (float) (1.0 / sqrt((double) features));

    assert_int_equal(ub_linear_layer_create(f.parameters, "head", features, 7,
                                            &f.rng, &layer),
                     UB_OK);
    weight = ub_variable_value(find(&f, "head.weight"));
    for (int64_t i = 0; i < ub_tensor_count(weight); i++)
        assert_true(fabsf(ub_tensor_data(weight)[i]) <= bound);
    assert_int_equal(ub_op_reshape(f.tape, f.x, 2, shape, &flat), UB_OK);
    assert_int_equal(ub_op_linear(f.tape, flat, find(&f, "head.weight"),
                                  find(&f, "head.bias"), &z),
                     UB_OK);
    assert_int_equal(ub_linear_layer_forward(layer, f.tape, f.x, &y), UB_OK);
    assert_equal(y, z);
    assert_int_equal(ub_linear_layer_forward(layer, f.tape, flat, &y), UB_OK);
    assert_equal(y, z);
    assert_int_equal(ub_linear_layer_forward(layer, f.tape, z, &y),
                     UB_ERR_SHAPE);
    assert_int_equal(ub_linear_layer_forward(NULL, f.tape, z, &y),
                     UB_ERR_INVALID);
    ub_linear_layer_destroy(&layer);
    assert_null(layer);
    assert_int_equal(
        ub_linear_layer_create(f.parameters, "bad", 0, 7, &f.rng, &layer),
        UB_ERR_INVALID);
    destroy(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv_norm_parameters),
        cmocka_unit_test(test_conv_norm_forward),
        cmocka_unit_test(test_running_statistics_move_in_training),
        cmocka_unit_test(test_mask_place_matters),
        cmocka_unit_test(test_conv_norm_refuses_options),
        cmocka_unit_test(test_failed_create_leaves_the_list),
        cmocka_unit_test(test_conv_norm_refuses_arguments),
        cmocka_unit_test(test_linear),
    };

    return cmocka_run_group_tests_name("layers", tests, setup, teardown);
}
