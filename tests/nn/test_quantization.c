/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Training of networks whose convolutions have bit widths. */

#define BATCH   16
#define SIDE    6
#define PIXELS  (SIDE * SIDE)
#define CLASSES 3

static void append(ub_network *network, const char *name, ub_layer_kind kind,
                   int64_t channels, int64_t groups, int32_t weight_bits,
                   int32_t input_bits)
{
    int64_t input = ub_network_layers(network) - 1;
    ub_layer layer;

    ub_layer_init(&layer, sizeof layer, kind);
    layer.out_channels = channels;
    if (kind == UB_LAYER_CONV) {
        layer.kernel_height = layer.kernel_width = 3;
        layer.pad_height = layer.pad_width = 1;
        layer.groups = groups;
        layer.weight_bits = weight_bits;
        layer.input_bits = input_bits;
    }
    assert_int_equal(ub_network_add(network, name, &layer, 1, &input, NULL),
                     UB_OK);
}

/* Stem, a convolution and a depthwise one with bits, classifier. */
static ub_network *small(ub_context *context, int32_t weights, int32_t inputs)
{
    ub_network *network = NULL;

    assert_int_equal(
        ub_network_create(context, "small", 1, SIDE, SIDE, &network), UB_OK);
    append(network, "stem", UB_LAYER_CONV, 6, 1, 0, 0);
    append(network, "stem_norm", UB_LAYER_BATCH_NORM, 0, 1, 0, 0);
    append(network, "stem_relu", UB_LAYER_RELU, 0, 1, 0, 0);
    append(network, "conv", UB_LAYER_CONV, 6, 1, weights, inputs);
    append(network, "norm", UB_LAYER_BATCH_NORM, 0, 1, 0, 0);
    append(network, "relu", UB_LAYER_RELU, 0, 1, 0, 0);
    append(network, "depth", UB_LAYER_CONV, 6, 6, weights, inputs);
    append(network, "depth_norm", UB_LAYER_BATCH_NORM, 0, 1, 0, 0);
    append(network, "depth_relu", UB_LAYER_RELU, 0, 1, 0, 0);
    append(network, "mean", UB_LAYER_GLOBAL_POOL, 0, 1, 0, 0);
    append(network, "classes", UB_LAYER_LINEAR, CLASSES, 1, 0, 0);
    return network;
}

static ub_model *create(ub_context *context, int32_t weights, int32_t inputs)
{
    ub_network *network = small(context, weights, inputs);
    ub_model *model = NULL;

    assert_int_equal(ub_model_create(context, network, 3, &model), UB_OK);
    ub_network_destroy(&network);
    return model;
}

/* Stripes this way, stripes that way, or a chequerboard, in noise. */
static ub_tensor *images(ub_context *context, uint64_t seed, int32_t *labels)
{
    const int64_t shape[4] = { BATCH, 1, SIDE, SIDE };
    ub_tensor *x = NULL;
    ub_rng rng;

    ub_rng_init(&rng, seed, 7);
    assert_int_equal(ub_tensor_create(context, 4, shape, &x), UB_OK);
    assert_int_equal(ub_init_normal(x, &rng, 0.0, 0.4), UB_OK);
    for (int64_t i = 0; i < BATCH; i++) {
        labels[i] = (int32_t) (i % CLASSES);
        for (int64_t p = 0; p < PIXELS; p++) {
            int64_t row = p / SIDE, column = p % SIDE;
            int64_t phase = labels[i] == 0   ? row
                            : labels[i] == 1 ? column
                                             : row + column;

            ub_tensor_data(x)[i * PIXELS + p] += phase % 2 ? 1.0f : -1.0f;
        }
    }
    return x;
}

typedef struct session {
    ub_context *context;
    ub_model *model;
    ub_tape *tape;
    ub_optimizer *optimizer;
} session;

static void begin(session *s, ub_context *context, int32_t weights,
                  int32_t inputs, int32_t backward)
{
    ub_quant_options quantization;
    ub_optimizer_options options;

    ub_quant_options_init(&quantization, sizeof quantization);
    quantization.backward = backward;
    ub_optimizer_options_init(&options, sizeof options);
    options.momentum = 0.9;
    s->context = context;
    s->optimizer = NULL;
    s->tape = NULL;
    s->model = create(context, weights, inputs);
    assert_int_equal(ub_model_set_quantization(s->model, &quantization), UB_OK);
    assert_int_equal(ub_optimizer_create_for(ub_model_parameters(s->model),
                                             UB_PARAMETER_WEIGHT, &options,
                                             &s->optimizer),
                     UB_OK);
    assert_int_equal(ub_tape_create(context, &s->tape), UB_OK);
}

static void end(session *s)
{
    ub_tape_destroy(&s->tape);
    ub_optimizer_destroy(&s->optimizer);
    ub_model_destroy(&s->model);
}

static ub_variable *forward(session *s, uint64_t seed, int training,
                            int32_t *labels)
{
    ub_tensor *x = images(s->context, seed, labels);
    ub_variable *y = NULL;

    assert_int_equal(ub_tape_constant(s->tape, x, &y), UB_OK);
    assert_int_equal(ub_model_forward(s->model, s->tape, y, training, &y),
                     UB_OK);
    ub_tensor_unref(&x);
    return y;
}

static double step(session *s, uint64_t seed)
{
    int32_t labels[BATCH];
    ub_variable *y = forward(s, seed, UB_NORM_TRAINING, labels);
    double loss;

    assert_int_equal(ub_op_cross_entropy(s->tape, y, labels, 0.0, &y), UB_OK);
    loss = (double) ub_tensor_data(ub_variable_value(y))[0];
    assert_int_equal(ub_tape_backward(s->tape, y), UB_OK);
    assert_int_equal(ub_optimizer_step(s->optimizer, 0.05, 5.0, NULL), UB_OK);
    ub_parameters_clear_grads(ub_model_parameters(s->model));
    ub_tape_clear(s->tape);
    return loss;
}

static int64_t correct(session *s, int batches)
{
    int32_t labels[BATCH];
    int64_t sum = 0, n = 0;

    ub_tape_set_recording(s->tape, 0);
    for (int i = 0; i < batches; i++) {
        ub_variable *y = forward(s, 1000 + (uint64_t) i, UB_NORM_RUNNING,
                                 labels);

        assert_int_equal(ub_count_correct(ub_variable_value(y), labels, 1, &n),
                         UB_OK);
        sum += n;
        ub_tape_clear(s->tape);
    }
    ub_tape_set_recording(s->tape, 1);
    return sum;
}

static ub_variable *find(const ub_model *model, const char *name)
{
    return ub_parameters_find(ub_model_parameters(model), name);
}

/* Learns nearly all, as it does in float, and tests with running ranges. */
static void learns(void **state)
{
    static const int32_t cases[][3] = {
        { 0, 0, 0 }, { 8, 8, 0 }, { 8, 8, 1 }, { 4, 4, 0 },
        { 4, 4, 1 }, { 0, 4, 0 }, { 4, 0, 1 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double first, loss = 0.0;
        session s;

        begin(&s, *state, cases[i][0], cases[i][1], cases[i][2]);
        first = step(&s, 0);
        for (uint64_t k = 1; k < 80; k++)
            loss = step(&s, k);
        if (!(loss < 0.25 * first) || correct(&s, 10) < 10 * BATCH * 9 / 10)
            fail_msg("case %zu: loss %g from %g, %d of %d correct", i, loss,
                     first, (int) correct(&s, 10), 10 * BATCH);
        end(&s);
    }
}

/* One layer by hand: weights by channel, inputs by the tensor, then the
 * running range. */
static void by_hand(void **state)
{
    const int32_t four = 4, eight = 8;
    ub_variable *relu = NULL, *conv, *x = NULL, *w = NULL, *y = NULL;
    ub_network *network = NULL;
    ub_model *model = NULL;
    ub_conv2d_options geometry;
    ub_bit_choice choice;
    ub_tensor *image, *range;
    ub_tape *tape = NULL;
    int32_t labels[BATCH];
    ub_context *context = *state;

    assert_int_equal(ub_network_create(context, "one", 1, SIDE, SIDE, &network),
                     UB_OK);
    append(network, "relu", UB_LAYER_RELU, 0, 1, 0, 0);
    append(network, "conv", UB_LAYER_CONV, 2, 1, 4, 8);
    assert_int_equal(ub_model_create(context, network, 1, &model), UB_OK);
    assert_int_equal(ub_tape_create(context, &tape), UB_OK);
    range = ub_variable_value(find(model, "conv.input_range"));
    image = images(context, 1, labels);
    assert_int_equal(ub_tape_constant(tape, image, &x), UB_OK);
    assert_int_equal(ub_op_relu(tape, x, &relu), UB_OK);
    ub_conv2d_options_init(&geometry, sizeof geometry);
    geometry.pad_height = geometry.pad_width = 1;
    ub_bit_choice_init(&choice, sizeof choice);
    choice.n = 1;
    choice.bits = &four;
    assert_int_equal(ub_op_quantize_weight(tape, find(model, "conv.weight"),
                                           &choice, NULL, &w),
                     UB_OK);
    choice.bits = &eight;
    for (int training = UB_NORM_BATCH; training >= UB_NORM_RUNNING;
         training--) {
        const float before = ub_tensor_data(range)[1];

        assert_int_equal(ub_op_quantize_input(tape, relu, &choice, range,
                                              training == UB_NORM_RUNNING
                                                  ? UB_QUANT_RANGE_RUNNING
                                                  : UB_QUANT_RANGE_BATCH,
                                              NULL, &conv),
                         UB_OK);
        assert_int_equal(ub_op_conv2d(tape, conv, w, NULL, &geometry, &conv),
                         UB_OK);
        assert_int_equal(ub_model_forward(model, tape, x, training, &y), UB_OK);
        assert_memory_equal(ub_tensor_data(ub_variable_value(y)),
                            ub_tensor_data(ub_variable_value(conv)),
                            BATCH * 2 * PIXELS * sizeof(float));
        assert_int_equal(ub_tensor_data(range)[1] != before,
                         training == UB_NORM_TRAINING);
    }
    ub_tensor_unref(&image);
    ub_tape_destroy(&tape);
    ub_model_destroy(&model);
    ub_network_destroy(&network);
}

static int same_parameters(const ub_model *a, const ub_model *b)
{
    const ub_parameters *pa = ub_model_parameters(a);
    const ub_parameters *pb = ub_model_parameters(b);

    assert_int_equal(ub_parameters_count(pa), ub_parameters_count(pb));
    for (int64_t i = 0; i < ub_parameters_count(pa); i++) {
        const ub_tensor *x = ub_variable_value(ub_parameters_variable(pa, i));
        const ub_tensor *y = ub_variable_value(ub_parameters_variable(pb, i));

        if (memcmp(ub_tensor_data(x), ub_tensor_data(y),
                   (size_t) ub_tensor_count(x) * sizeof(float)) != 0)
            return 0;
    }
    return 1;
}

static void save(session *s, const char *path)
{
    ub_archive *archive = NULL;

    assert_int_equal(ub_archive_create(s->context, &archive), UB_OK);
    assert_int_equal(
        ub_parameters_save(ub_model_parameters(s->model), archive, "p."),
        UB_OK);
    assert_int_equal(ub_optimizer_save(s->optimizer, archive, "o."), UB_OK);
    assert_int_equal(ub_archive_write(archive, path), UB_OK);
    ub_archive_destroy(&archive);
}

static void load(session *s, const char *path)
{
    ub_archive *archive = NULL;

    assert_int_equal(ub_archive_read(s->context, path, &archive), UB_OK);
    assert_int_equal(
        ub_parameters_load(ub_model_parameters(s->model), archive, "p."),
        UB_OK);
    assert_int_equal(ub_optimizer_load(s->optimizer, archive, "o."), UB_OK);
    ub_archive_destroy(&archive);
}

/* Stopped and gone on with: the same bits, ranges too. */
static void resumes(void **state)
{
    session s, t;

    begin(&s, *state, 4, 8, 0);
    for (uint64_t k = 0; k < 5; k++)
        step(&s, k);
    save(&s, test_path("quantized.safetensors"));
    begin(&t, *state, 4, 8, 0);
    load(&t, test_path("quantized.safetensors"));
    assert_true(same_parameters(s.model, t.model));
    for (uint64_t k = 5; k < 10; k++) {
        step(&s, k);
        step(&t, k);
    }
    assert_true(same_parameters(s.model, t.model));
    assert_true(ub_tensor_data(ub_variable_value(
                    find(t.model, "depth.input_range")))[1] > 0.0f);
    end(&s);
    end(&t);
}

/* A weight file of the float network lacks the ranges, and the other way round
 * they are ignored. Weights begin with the same bits. */
static void files(void **state)
{
    ub_model *quantized = create(*state, 8, 8), *plain = create(*state, 0, 32);
    ub_model *weights = create(*state, 8, 0);

    assert_int_equal(ub_parameters_count(ub_model_parameters(quantized)),
                     ub_parameters_count(ub_model_parameters(plain)) + 2);
    assert_true(same_parameters(weights, plain));
    assert_null(find(plain, "conv.input_range"));
    assert_int_equal(ub_parameters_kind(ub_model_parameters(quantized), 6),
                     UB_PARAMETER_BUFFER);
    assert_int_equal(ub_model_save(plain, test_path("plain.safetensors")),
                     UB_OK);
    assert_int_equal(ub_model_load(quantized, test_path("plain.safetensors")),
                     UB_ERR_FORMAT);
    assert_int_equal(
        ub_model_save(quantized, test_path("quantized.safetensors")), UB_OK);
    assert_int_equal(ub_model_load(plain, test_path("quantized.safetensors")),
                     UB_OK);
    assert_true(same_parameters(weights, plain));
    ub_model_destroy(&weights);
    ub_model_destroy(&plain);
    ub_model_destroy(&quantized);
}

static ub_conv_norm *conv_norm(ub_parameters *parameters, int32_t quantized)
{
    ub_conv_norm_options o;
    ub_conv_norm *layer = NULL;
    ub_rng rng;

    ub_conv_norm_options_init(&o, sizeof o);
    o.in_channels = 1;
    o.out_channels = 2;
    o.quantized = quantized;
    ub_rng_init(&rng, 1, 0);
    assert_int_equal(ub_conv_norm_create(parameters,
                                         quantized ? "quantized" : "plain", &o,
                                         &rng, &layer),
                     UB_OK);
    return layer;
}

/* The layer alone: with floats only it is the plain one; with two widths its
 * logits get a gradient, and the range follows. */
static void layers(void **state)
{
    static const int32_t bits[] = { 4, 8 }, none[] = { 32 };
    const int64_t pair = 2;
    ub_parameters *parameters = NULL;
    ub_variable *x = NULL, *a = NULL, *b = NULL, *range;
    ub_conv_norm *plain, *quantized;
    ub_quant_options masked;
    ub_bit_choice choice;
    ub_tensor *image, *logits = NULL;
    ub_tape *tape = NULL;
    int32_t labels[BATCH];

    assert_int_equal(ub_parameters_create(*state, &parameters), UB_OK);
    plain = conv_norm(parameters, 0);
    assert_int_equal(ub_parameters_count(parameters), 5);
    quantized = conv_norm(parameters, 1);
    range = ub_parameters_find(parameters, "quantized.input_range");
    assert_non_null(range);
    image = images(*state, 1, labels);
    assert_int_equal(ub_tape_create(*state, &tape), UB_OK);
    assert_int_equal(ub_tape_constant(tape, image, &x), UB_OK);
    ub_bit_choice_init(&choice, sizeof choice);
    choice.n = 1;
    choice.bits = none;
    assert_int_equal(ub_conv_norm_forward(plain, tape, x, UB_NORM_TRAINING,
                                          NULL, UB_MASK_AFTER, &a),
                     UB_OK);
    assert_int_equal(ub_conv_norm_forward_quantized(quantized, tape, x,
                                                    UB_NORM_TRAINING, &choice,
                                                    NULL, &b),
                     UB_OK);
    assert_memory_equal(ub_tensor_data(ub_variable_value(a)),
                        ub_tensor_data(ub_variable_value(b)),
                        BATCH * 2 * PIXELS * sizeof(float));
    assert_int_equal(ub_conv_norm_forward_quantized(
                         plain, tape, x, UB_NORM_TRAINING, &choice, NULL, &b),
                     UB_ERR_INVALID);
    assert_int_equal(ub_tensor_create(*state, 1, &pair, &logits), UB_OK);
    assert_int_equal(ub_variable_create(logits, 1, &choice.logits), UB_OK);
    choice.n = 2;
    choice.bits = bits;
    ub_quant_options_init(&masked, sizeof masked);
    masked.backward = UB_QUANT_BACKWARD_MASKED;
    assert_int_equal(ub_conv_norm_forward_quantized(quantized, tape, x,
                                                    UB_NORM_TRAINING, &choice,
                                                    &masked, &b),
                     UB_OK);
    assert_true(ub_tensor_data(ub_variable_value(range))[1] > 0.0f);
    assert_int_equal(ub_tape_backward_from(tape, b, ub_variable_value(a)),
                     UB_OK);
    assert_non_null(ub_variable_grad(choice.logits));
    assert_true(ub_tensor_data(ub_variable_grad(choice.logits))[0] != 0.0f);
    ub_tape_destroy(&tape);
    ub_variable_destroy(&choice.logits);
    ub_tensor_unref(&logits);
    ub_tensor_unref(&image);
    ub_conv_norm_destroy(&plain);
    ub_conv_norm_destroy(&quantized);
    ub_parameters_destroy(&parameters);
}

static void options(void **state)
{
    ub_model *model = create(*state, 8, 8);
    ub_quant_options bad;

    ub_quant_options_init(&bad, sizeof bad);
    bad.levels = 7;
    assert_int_equal(ub_model_set_quantization(model, &bad), UB_ERR_INVALID);
    assert_string_equal(ub_context_last_error(*state),
                        "model: levels is out of its range");
    assert_int_equal(ub_model_set_quantization(NULL, NULL), UB_ERR_INVALID);
    assert_int_equal(ub_model_set_quantization(model, NULL), UB_OK);
    ub_model_destroy(&model);
}

/* -- memory --------------------------------------------------------------- */

static ub_status train(ub_context *context, void *arg)
{
    const int64_t shape[4] = { 2, 1, 4, 4 }, zero = 0;
    static const int32_t labels[] = { 0, 1 };
    ub_network *network = NULL;
    ub_model *model = NULL;
    ub_tensor *x = NULL;
    ub_tape *tape = NULL;
    ub_variable *y = NULL;
    ub_layer layer;
    ub_status status = ub_network_create(context, "net", 1, 4, 4, &network);

    ub_layer_init(&layer, sizeof layer, UB_LAYER_CONV);
    layer.out_channels = 2;
    layer.bias = 1;
    layer.kernel_height = layer.kernel_width = 4;
    layer.weight_bits = layer.input_bits = *(const int32_t *) arg;
    if (status == UB_OK)
        status = ub_network_add(network, "conv", &layer, 1, &zero, NULL);
    if (status == UB_OK)
        status = ub_model_create(context, network, 1, &model);
    if (status == UB_OK)
        status = ub_tape_create(context, &tape);
    if (status == UB_OK)
        status = ub_tensor_create(context, 4, shape, &x);
    if (status == UB_OK) {
        ub_tensor_data(x)[3] = 1.0f;
        status = ub_tape_constant(tape, x, &y);
    }
    if (status == UB_OK)
        status = ub_model_forward(model, tape, y, UB_NORM_TRAINING, &y);
    if (status == UB_OK)
        status = ub_op_cross_entropy(tape, y, labels, 0.0, &y);
    if (status == UB_OK)
        status = ub_tape_backward(tape, y);
    ub_tape_destroy(&tape);
    ub_tensor_unref(&x);
    ub_model_destroy(&model);
    ub_network_destroy(&network);
    return status;
}

static void memory(void **state)
{
    int32_t bits = 4;

    (void) state;
    assert_survives_oom(train, 2, &bits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learns),  cmocka_unit_test(by_hand),
        cmocka_unit_test(resumes), cmocka_unit_test(files),
        cmocka_unit_test(layers),  cmocka_unit_test(options),
        cmocka_unit_test(memory),
    };

    return cmocka_run_group_tests_name("quantization", tests, setup, teardown);
}
