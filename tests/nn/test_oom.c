/* SPDX-License-Identifier: BSD-2-Clause */

/* Every allocation of a training step, and of all around it, fails once. */

#include "fixture.h"

#include <uboost/nn.h>

#include <stdio.h>

static ub_status append(ub_network *network, const char *name,
                        ub_layer_kind kind, int64_t channels)
{
    int64_t input = ub_network_layers(network) - 1;
    ub_layer layer;

    ub_layer_init(&layer, sizeof layer, kind);
    if (channels > 0) {
        layer.out_channels = channels;
        layer.bias = 1;
    }
    return ub_network_add(network, name, &layer, 1, &input, NULL);
}

static ub_status create_model(ub_context *context, ub_model **out)
{
    ub_network *network = NULL;
    ub_status status;

    status = ub_network_create(context, "small", 2, 3, 3, &network);
    if (status == UB_OK)
        status = append(network, "conv", UB_LAYER_CONV, 3);
    if (status == UB_OK)
        status = append(network, "norm", UB_LAYER_BATCH_NORM, 0);
    if (status == UB_OK)
        status = append(network, "relu", UB_LAYER_RELU, 0);
    if (status == UB_OK)
        status = append(network, "flat", UB_LAYER_FLATTEN, 0);
    if (status == UB_OK)
        status = append(network, "classes", UB_LAYER_LINEAR, 2);
    if (status == UB_OK)
        status = ub_model_create(context, network, 1, out);
    ub_network_destroy(&network);
    return status;
}

static ub_status run_step(ub_model *model, ub_optimizer *optimizer,
                          ub_tape *tape)
{
    static const int32_t labels[2] = { 0, 1 };
    int64_t shape[4] = { 2, 2, 3, 3 };
    ub_variable *y = NULL;
    ub_tensor *x = NULL;
    ub_rng rng;
    ub_status status;

    status = ub_tensor_create(ub_tape_context(tape), 4, shape, &x);
    if (status != UB_OK)
        return status;
    ub_rng_init(&rng, 1, 1);
    status = ub_init_normal(x, &rng, 0.0, 1.0);
    if (status == UB_OK)
        status = ub_tape_constant(tape, x, &y);
    if (status == UB_OK)
        status = ub_model_forward(model, tape, y, 1, &y);
    if (status == UB_OK)
        status = ub_op_cross_entropy(tape, y, labels, 0.0, &y);
    if (status == UB_OK)
        status = ub_tape_backward(tape, y);
    if (status == UB_OK)
        status = ub_optimizer_step(optimizer, 0.1, 0.5, NULL);
    ub_tensor_unref(&x);
    return status;
}

static ub_status save_and_load(ub_model *model, ub_optimizer *optimizer,
                               ub_archive *archive)
{
    ub_status status = ub_parameters_save(ub_model_parameters(model), archive,
                                          "p.");

    if (status == UB_OK)
        status = ub_optimizer_save(optimizer, archive, "o.");
    if (status == UB_OK)
        status = ub_parameters_load(ub_model_parameters(model), archive, "p.");
    if (status == UB_OK)
        status = ub_optimizer_load(optimizer, archive, "o.");
    return status;
}

static ub_status train(ub_context *context, void *arg)
{
    ub_optimizer_options options;
    ub_model *model = NULL;
    ub_optimizer *optimizer = NULL;
    ub_archive *archive = NULL;
    ub_tape *tape = NULL;
    ub_status status;

    ub_optimizer_options_init(&options, sizeof options);
    options.kind = UB_OPTIMIZER_ADAM;
    status = create_model(context, &model);
    if (status == UB_OK)
        status = ub_optimizer_create_for(ub_model_parameters(model),
                                         UB_PARAMETER_WEIGHT, &options,
                                         &optimizer);
    if (status == UB_OK)
        status = ub_tape_create(context, &tape);
    if (status == UB_OK)
        status = run_step(model, optimizer, tape);
    if (status == UB_OK)
        status = ub_archive_create(context, &archive);
    if (status == UB_OK)
        status = save_and_load(model, optimizer, archive);
    if (status == UB_OK)
        status = ub_model_save(model, arg);
    if (status == UB_OK)
        status = ub_model_load(model, arg);
    ub_archive_destroy(&archive);
    ub_tape_destroy(&tape);
    ub_optimizer_destroy(&optimizer);
    ub_model_destroy(&model);
    return status;
}

/* A layer that fails halfway leaves the list as it was. */
static ub_status create_layers(ub_context *context, void *arg)
{
    ub_parameters *parameters = NULL;
    ub_conv_norm *conv = NULL;
    ub_linear_layer *linear = NULL;
    ub_rng rng;
    ub_status status = ub_parameters_create(context, &parameters);

    (void) arg;
    ub_rng_init(&rng, 1, 0);
    if (status == UB_OK) {
        status = ub_conv_norm_create(parameters, "conv", NULL, &rng, &conv);
        assert_int_equal(ub_parameters_count(parameters),
                         status == UB_OK ? 5 : 0);
    }
    if (status == UB_OK) {
        status = ub_linear_layer_create(parameters, "full", 3, 2, &rng,
                                        &linear);
        assert_int_equal(ub_parameters_count(parameters),
                         status == UB_OK ? 7 : 5);
    }
    ub_linear_layer_destroy(&linear);
    ub_conv_norm_destroy(&conv);
    ub_parameters_destroy(&parameters);
    return status;
}

static void test_training(void **state)
{
    char path[512];

    (void) state;
    snprintf(path, sizeof path, "%s", test_path("oom.safetensors"));
    assert_survives_oom(train, 1, path);
    assert_survives_oom(train, 2, path);
}

static void test_layers(void **state)
{
    (void) state;
    assert_survives_oom(create_layers, 1, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_training),
        cmocka_unit_test(test_layers),
    };

    return cmocka_run_group_tests_name("oom", tests, NULL, NULL);
}
