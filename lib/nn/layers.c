/* SPDX-License-Identifier: BSD-2-Clause */
#include "nn/nn.h"

#include <math.h>

struct ub_conv_norm {
    ub_context *context;
    ub_conv_norm_options options;
    ub_variable *weight; /* NULL: no convolution */
    ub__norm_layer norm;
    int normalized;   /* 0: no norm */
    ub_tensor *range; /* of the input; NULL unless quantized */
};

struct ub_linear_layer {
    ub_context *context;
    ub_variable *weight;
    ub_variable *bias;
};

static const ub_conv_norm_options conv_norm_defaults = {
    .size = sizeof(ub_conv_norm_options),
    .in_channels = 1,
    .out_channels = 1,
    .kernel_height = 3,
    .kernel_width = 3,
    .stride = 1,
    .dilation = 1,
    .groups = 1,
    .eps = 1e-5,
    .momentum = 0.1,
    .relu = 1,
};

/* Size of the options in the first release. */
#define CONV_NORM_V1 sizeof(ub_conv_norm_options)

static const char *find_fault(const ub_conv_norm_options *o)
{
    if (o->in_channels < 1)
        return "in_channels";
    if (o->out_channels < 1)
        return "out_channels";
    if (o->kernel_height < 1 || o->kernel_height % 2 == 0)
        return "kernel_height";
    if (o->kernel_width < 1 || o->kernel_width % 2 == 0)
        return "kernel_width";
    if (o->stride < 1)
        return "stride";
    if (o->dilation < 1 || o->dilation > INT64_MAX / o->kernel_height ||
        o->dilation > INT64_MAX / o->kernel_width)
        return "dilation";
    if (o->groups < 1 || o->in_channels % o->groups != 0 ||
        o->out_channels % o->groups != 0)
        return "groups";
    if (!isfinite(o->eps) || o->eps <= 0.0)
        return "eps";
    if (!(o->momentum >= 0.0 && o->momentum <= 1.0))
        return "momentum";
    if (o->relu != 0 && o->relu != 1)
        return "relu";
    return o->quantized == 0 || o->quantized == 1 ? NULL : "quantized";
}

static ub_status read_options(ub_context *context, const char *prefix,
                              const ub_conv_norm_options *options,
                              ub_conv_norm_options *full)
{
    const char *fault;
    ub_status status;

    *full = conv_norm_defaults;
    status = ub__options_in(context, "conv_norm", full, sizeof *full,
                            CONV_NORM_V1, options);
    if (status != UB_OK)
        return status;
    fault = find_fault(full);
    if (fault != NULL)
        return ub__fail(context, UB_ERR_INVALID,
                        "conv_norm %s: %s is out of its range", prefix, fault);
    return UB_OK;
}

ub_status ub__input_range_create(ub_parameters *parameters, const char *prefix,
                                 ub_tensor **out)
{
    const int64_t pair = 2;
    ub_variable *range = NULL;
    ub_status status = ub__parameters_add(parameters, prefix, "input_range",
                                          UB_PARAMETER_BUFFER, 1, &pair,
                                          &range);

    if (status == UB_OK)
        *out = ub_variable_value(range);
    return status;
}

static ub_status conv_norm_parameters(ub_parameters *parameters,
                                      const char *prefix, int parts,
                                      ub_rng *rng, ub_conv_norm *layer)
{
    const ub_conv_norm_options *o = &layer->options;
    int64_t shape[4] = { o->out_channels, o->in_channels / o->groups,
                         o->kernel_height, o->kernel_width };
    ub_status status = UB_OK;
    char *norm;

    layer->normalized = (parts & UB__PART_NORM) != 0;
    if (parts & UB__PART_CONV)
        status = ub__parameters_add(parameters, prefix, "conv.weight",
                                    UB_PARAMETER_WEIGHT, 4, shape,
                                    &layer->weight);
    if (status == UB_OK && layer->normalized) {
        norm = ub__name_join(layer->context, prefix, ".", "norm");
        if (norm == NULL)
            return UB_ERR_NOMEM;
        status = ub__norm_layer_create(parameters, norm, o->out_channels,
                                       o->eps, o->momentum, &layer->norm);
        ub__free(layer->context, norm);
    }
    if (status == UB_OK && layer->weight != NULL && o->quantized)
        status = ub__input_range_create(parameters, prefix, &layer->range);
    if (status != UB_OK || layer->weight == NULL)
        return status;
    /* Last, so that a failure leaves rng as it was. */
    return ub__init_weight(ub_variable_value(layer->weight), rng);
}

static ub_status linear_parameters(ub_parameters *parameters,
                                   const char *prefix, int64_t in_features,
                                   int64_t out_features, int bias, ub_rng *rng,
                                   ub_linear_layer *layer)
{
    int64_t shape[2] = { out_features, in_features };
    double bound = 1.0 / sqrt((double) in_features);
    ub_status status;

    status = ub__parameters_add(parameters, prefix, "weight",
                                UB_PARAMETER_WEIGHT, 2, shape, &layer->weight);
    if (status == UB_OK && bias)
        status = ub__parameters_add(parameters, prefix, "bias",
                                    UB_PARAMETER_WEIGHT, 1, shape,
                                    &layer->bias);
    if (status == UB_OK)
        status = ub_init_uniform(ub_variable_value(layer->weight), rng, -bound,
                                 bound);
    if (status == UB_OK && bias)
        status = ub_init_uniform(ub_variable_value(layer->bias), rng, -bound,
                                 bound);
    return status;
}

static int is_prefix(const char *prefix)
{
    return prefix != NULL && prefix[0] != '\0';
}

ub_status ub__linear_layer_create(ub_parameters *parameters, const char *prefix,
                                  int64_t in_features, int64_t out_features,
                                  int bias, ub_rng *rng, ub_linear_layer **out)
{
    int64_t count = ub_parameters_count(parameters);
    ub_context *context = ub_parameters_context(parameters);
    ub_linear_layer *layer;
    ub_status status;

    if (in_features < 1 || out_features < 1)
        return ub__fail(context, UB_ERR_INVALID,
                        "linear %s: %lld features to %lld", prefix,
                        (long long) in_features, (long long) out_features);
    layer = ub__calloc(context, 1, sizeof *layer);
    if (layer == NULL)
        return UB_ERR_NOMEM;
    layer->context = context;
    status = linear_parameters(parameters, prefix, in_features, out_features,
                               bias, rng, layer);
    if (status != UB_OK) {
        ub__parameters_truncate(parameters, count);
        ub_linear_layer_destroy(&layer);
        return status;
    }
    *out = layer;
    return UB_OK;
}

ub_status ub__norm_layer_create(ub_parameters *parameters, const char *prefix,
                                int64_t channels, double eps, double momentum,
                                ub__norm_layer *out)
{
    static const struct {
        const char name[16];
        ub_parameter_kind kind;
        float value;
    } parts[4] = {
        { "weight", UB_PARAMETER_WEIGHT, 1.0f },
        { "bias", UB_PARAMETER_WEIGHT, 0.0f },
        { "running_mean", UB_PARAMETER_BUFFER, 0.0f },
        { "running_var", UB_PARAMETER_BUFFER, 1.0f },
    };
    ub_variable *variables[4];

    for (int i = 0; i < 4; i++) {
        ub_status status = ub__parameters_add(parameters, prefix, parts[i].name,
                                              parts[i].kind, 1, &channels,
                                              &variables[i]);

        if (status != UB_OK)
            return status;
        ub_tensor_fill(ub_variable_value(variables[i]), parts[i].value);
    }
    out->weight = variables[0];
    out->bias = variables[1];
    out->running_mean = ub_variable_value(variables[2]);
    out->running_var = ub_variable_value(variables[3]);
    out->eps = eps;
    out->momentum = momentum;
    return UB_OK;
}

/* x with the layer's normalization to come. */
static ub_status norm_term(const ub__norm_layer *layer, ub_tape *tape,
                           ub_variable *x, int training, int relu,
                           ub__mixed_term *out)
{
    const int running = training != UB_NORM_BATCH;

    if (training < UB_NORM_RUNNING || training > UB_NORM_BATCH)
        return ub__fail(ub_tape_context(tape), UB_ERR_INVALID,
                        "batch_norm: unknown mode %d", training);
    *out = (ub__mixed_term){ .x = x, .normalized = 1 };
    out->weight = layer->weight;
    out->bias = layer->bias;
    out->running_mean = running ? layer->running_mean : NULL;
    out->running_var = running ? layer->running_var : NULL;
    ub_batch_norm_options_init(&out->options, sizeof out->options);
    out->options.eps = layer->eps;
    out->options.momentum = layer->momentum;
    out->options.training = training != UB_NORM_RUNNING;
    out->options.relu = relu;
    return UB_OK;
}

ub_status ub__norm_layer_forward(const ub__norm_layer *layer, ub_tape *tape,
                                 ub_variable *x, int training, int relu,
                                 ub_variable **out)
{
    ub__mixed_term term;
    ub_status status = norm_term(layer, tape, x, training, relu, &term);

    return status == UB_OK ? ub__mixed_term_value(tape, &term, out) : status;
}

void ub_conv_norm_options_init(ub_conv_norm_options *options, size_t size)
{
    ub__options_out(options, size, &conv_norm_defaults,
                    sizeof conv_norm_defaults);
}

ub_status ub_conv_norm_create(ub_parameters *parameters, const char *prefix,
                              const ub_conv_norm_options *options, ub_rng *rng,
                              ub_conv_norm **out)
{
    return ub__conv_norm_create(parameters, prefix, options,
                                UB__PART_CONV | UB__PART_NORM, rng, out);
}

ub_status ub__conv_norm_create(ub_parameters *parameters, const char *prefix,
                               const ub_conv_norm_options *options, int parts,
                               ub_rng *rng, ub_conv_norm **out)
{
    int64_t count = ub_parameters_count(parameters);
    ub_conv_norm *layer;
    ub_status status;

    if (parameters == NULL || !is_prefix(prefix) || rng == NULL || out == NULL)
        return UB_ERR_INVALID;
    layer = ub__calloc(ub_parameters_context(parameters), 1, sizeof *layer);
    if (layer == NULL)
        return UB_ERR_NOMEM;
    layer->context = ub_parameters_context(parameters);
    status = read_options(layer->context, prefix, options, &layer->options);
    if (status == UB_OK)
        status = conv_norm_parameters(parameters, prefix, parts, rng, layer);
    if (status != UB_OK) {
        ub__parameters_truncate(parameters, count);
        ub_conv_norm_destroy(&layer);
        return status;
    }
    *out = layer;
    return UB_OK;
}

void ub_conv_norm_destroy(ub_conv_norm **layer)
{
    if (layer == NULL || *layer == NULL)
        return;
    ub__free((*layer)->context, *layer);
    *layer = NULL;
}

/* The layer with weights w, which may be its own on levels. */
static ub_status conv_term(const ub_conv_norm *layer, ub_tape *tape,
                           ub_variable *x, ub_variable *w, int training,
                           ub_variable *mask, ub_mask_place mask_place,
                           ub__mixed_term *out)
{
    const ub_conv_norm_options *o = &layer->options;
    ub_conv2d_options geometry;
    ub__mixed_term term = { 0 };
    ub_status status = UB_OK;

    if (mask != NULL && mask_place != UB_MASK_AFTER &&
        mask_place != UB_MASK_BEFORE_NORM)
        return ub__fail(layer->context, UB_ERR_INVALID,
                        "conv_norm: unknown mask place %d", (int) mask_place);
    ub_conv2d_options_init(&geometry, sizeof geometry);
    geometry.stride = o->stride;
    geometry.dilation = o->dilation;
    geometry.groups = o->groups;
    geometry.pad_height = o->dilation * (o->kernel_height / 2);
    geometry.pad_width = o->dilation * (o->kernel_width / 2);
    if (w != NULL)
        status = ub_op_conv2d(tape, x, w, NULL, &geometry, &x);
    if (status == UB_OK && mask != NULL && mask_place == UB_MASK_BEFORE_NORM)
        status = ub_op_mask_channels(tape, x, mask, &x);
    term.x = x;
    if (status == UB_OK && layer->normalized)
        status = norm_term(&layer->norm, tape, x, training, o->relu, &term);
    if (status == UB_OK && layer->normalized && layer->weight != NULL)
        status = ub__normalization_ahead(&term);
    if (status == UB_OK && mask != NULL && mask_place == UB_MASK_AFTER) {
        status = ub__mixed_term_value(tape, &term, &x);
        if (status == UB_OK)
            status = ub_op_mask_channels(tape, x, mask, &x);
        term = (ub__mixed_term){ .x = x };
    }
    if (status == UB_OK)
        *out = term;
    return status;
}

ub_status ub__conv_norm_term(const ub_conv_norm *layer, ub_tape *tape,
                             ub_variable *x, int training, ub_variable *mask,
                             ub_mask_place mask_place, ub__mixed_term *out)
{
    return conv_term(layer, tape, x, layer->weight, training, mask, mask_place,
                     out);
}

ub_status ub_conv_norm_forward(const ub_conv_norm *layer, ub_tape *tape,
                               ub_variable *x, int training, ub_variable *mask,
                               ub_mask_place mask_place, ub_variable **out)
{
    ub__mixed_term term;
    ub_status status;

    if (layer == NULL || tape == NULL || x == NULL || out == NULL)
        return UB_ERR_INVALID;
    status = ub__conv_norm_term(layer, tape, x, training, mask, mask_place,
                                &term);
    return status == UB_OK ? ub__mixed_term_value(tape, &term, out) : status;
}

ub_status ub_conv_norm_forward_quantized(const ub_conv_norm *layer,
                                         ub_tape *tape, ub_variable *x,
                                         int training,
                                         const ub_bit_choice *choice,
                                         const ub_quant_options *options,
                                         ub_variable **out)
{
    ub_variable *w = NULL;
    ub__mixed_term term;
    ub_status status;

    if (layer == NULL || tape == NULL || x == NULL || out == NULL)
        return UB_ERR_INVALID;
    if (layer->range == NULL)
        return ub__fail(layer->context, UB_ERR_INVALID,
                        "conv_norm: created without quantized");
    /* First, for it changes nothing when it fails. */
    status = ub_op_quantize_weight(tape, layer->weight, choice, options, &w);
    if (status == UB_OK)
        status = ub_op_quantize_input(tape, x, choice, layer->range, training,
                                      options, &x);
    if (status == UB_OK)
        status = conv_term(layer, tape, x, w, training, NULL, UB_MASK_AFTER,
                           &term);
    return status == UB_OK ? ub__mixed_term_value(tape, &term, out) : status;
}

ub_status ub_linear_layer_create(ub_parameters *parameters, const char *prefix,
                                 int64_t in_features, int64_t out_features,
                                 ub_rng *rng, ub_linear_layer **out)
{
    if (parameters == NULL || !is_prefix(prefix) || rng == NULL || out == NULL)
        return UB_ERR_INVALID;
    return ub__linear_layer_create(parameters, prefix, in_features,
                                   out_features, 1, rng, out);
}

void ub_linear_layer_destroy(ub_linear_layer **layer)
{
    if (layer == NULL || *layer == NULL)
        return;
    ub__free((*layer)->context, *layer);
    *layer = NULL;
}

ub_status ub_linear_layer_forward(const ub_linear_layer *layer, ub_tape *tape,
                                  ub_variable *x, ub_variable **out)
{
    const ub_tensor *value;

    if (layer == NULL || tape == NULL || x == NULL || out == NULL)
        return UB_ERR_INVALID;
    value = ub_variable_value(x);
    if (value != NULL && ub_tensor_rank(value) > 2) {
        int64_t n = ub_tensor_shape(value)[0];
        int64_t shape[2] = { n, ub_tensor_count(value) / n };
        ub_status status = ub_op_reshape(tape, x, 2, shape, &x);

        if (status != UB_OK)
            return status;
    }
    return ub_op_linear(tape, x, layer->weight, layer->bias, out);
}
