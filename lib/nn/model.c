/* SPDX-License-Identifier: BSD-2-Clause */
#include "nn/nn.h"

/* What a layer of the network has in the model. */
typedef struct model_layer {
    ub_variable *weight;   /* convolution */
    ub_variable *bias;     /* convolution, or NULL */
    ub_tensor *range;      /* of what a quantized convolution reads, or NULL */
    ub__norm_layer norm;   /* batch normalization */
    ub_linear_layer *full; /* linear */
    int64_t last_reader;   /* layer after which its value is not needed */
    int relu;              /* batch normalization: ends in ReLU */
    int pass;              /* ReLU: done by the layer before */
} model_layer;

struct ub_model {
    ub_context *context;
    ub_network *network;
    ub_parameters *parameters;
    model_layer *layers;
    ub_variable **values; /* of each layer, during ub_model_forward() */
    ub_variable **inputs; /* of one layer, likewise */
    ub_variable **needed; /* after one layer, likewise */
    int64_t count;
    ub_quant_options quantization;
};

/* A layer during a forward pass. */
typedef struct call {
    const model_layer *own;
    const ub_layer *layer;
    const ub_layer_info *info;
    ub_variable **x;
    int64_t n_x;
    int training;
    const ub_quant_options *quantization;
} call;

static ub_status layer_info(const ub_network *network, int64_t index,
                            ub_layer_info *info)
{
    info->size = sizeof *info;
    return ub_network_layer(network, index, info);
}

/* -- creation ------------------------------------------------------------- */

static ub_status create_conv(ub_parameters *parameters,
                             const ub_layer_info *info, ub_rng *rng,
                             model_layer *own)
{
    const ub_layer *layer = info->layer;
    int64_t shape[4] = { info->out_channels, info->in_channels / layer->groups,
                         layer->kernel_height, layer->kernel_width };
    ub_status status;

    status = ub__parameters_add(parameters, info->name, "weight",
                                UB_PARAMETER_WEIGHT, 4, shape, &own->weight);
    if (status == UB_OK && layer->bias)
        status = ub__parameters_add(parameters, info->name, "bias",
                                    UB_PARAMETER_WEIGHT, 1, shape, &own->bias);
    if (status == UB_OK && layer->input_bits > 0)
        status = ub__input_range_create(parameters, info->name, &own->range);
    if (status == UB_OK)
        status = ub__init_weight(ub_variable_value(own->weight), rng);
    return status;
}

static ub_status check_pool(ub_context *context, const ub_layer_info *info)
{
    const ub_layer *layer = info->layer;

    if (layer->kernel_height != layer->kernel_width ||
        layer->pad_height != layer->pad_width ||
        layer->pad_height > layer->kernel_height / 2)
        return ub__fail(context, UB_ERR_UNSUPPORTED,
                        "model: layer %s pools %lld x %lld with padding "
                        "%lld x %lld",
                        info->name, (long long) layer->kernel_height,
                        (long long) layer->kernel_width,
                        (long long) layer->pad_height,
                        (long long) layer->pad_width);
    return UB_OK;
}

/* What a network may hold for pricing, and no operator computes. */
static ub_status check_layer(ub_context *context, const ub_layer_info *info)
{
    const ub_layer *layer = info->layer;
    const char *what = NULL;

    if (layer->kind == UB_LAYER_MATMUL)
        what = "is a product of two maps";
    else if (layer->in_channels > 0 && layer->kind != UB_LAYER_ZERO)
        what = "reads a map of its own";
    else if (layer->round_up)
        what = "rounds its output extent up";
    else if (layer->sparse_keep > 0)
        what = "is sparse";
    if (what == NULL)
        return UB_OK;
    return ub__fail(context, UB_ERR_UNSUPPORTED,
                    "model: layer %s %s, which can be priced but not trained",
                    info->name, what);
}

static ub_status create_layer(ub_model *model, int64_t index, ub_rng *rng)
{
    model_layer *own = &model->layers[index];
    ub_parameters *parameters = model->parameters;
    ub_batch_norm_options norm;
    ub_layer_info info;
    ub_status status = layer_info(model->network, index, &info);

    if (status == UB_OK)
        status = check_layer(model->context, &info);
    if (status != UB_OK)
        return status;
    switch (info.layer->kind) {
    case UB_LAYER_CONV: return create_conv(parameters, &info, rng, own);
    case UB_LAYER_LINEAR:
        return ub__linear_layer_create(parameters, info.name, info.in_channels,
                                       info.out_channels, info.layer->bias, rng,
                                       &own->full);
    case UB_LAYER_BATCH_NORM:
        ub_batch_norm_options_init(&norm, sizeof norm);
        return ub__norm_layer_create(parameters, info.name, info.out_channels,
                                     norm.eps, norm.momentum, &own->norm);
    case UB_LAYER_MAX_POOL:
    case UB_LAYER_AVG_POOL: return check_pool(model->context, &info);
    default: return UB_OK;
    }
}

static int32_t kind_of(const ub_network *network, int64_t index)
{
    ub_layer_info info;

    return layer_info(network, index, &info) == UB_OK ? info.layer->kind : -1;
}

/* Let batch normalization do the ReLU when nothing else reads it. */
static ub_status fuse(ub_model *model)
{
    int64_t *readers, n;
    const int64_t *inputs;

    readers = ub__calloc(model->context, (size_t) model->count,
                         sizeof *readers);
    if (readers == NULL)
        return UB_ERR_NOMEM;
    for (int64_t i = 0; i < model->count; i++) {
        inputs = ub_network_inputs(model->network, i, &n);
        for (int64_t k = 0; k < n; k++)
            readers[inputs[k]]++;
    }
    for (int64_t i = 0; i < model->count; i++) {
        inputs = ub_network_inputs(model->network, i, &n);
        if (kind_of(model->network, i) != UB_LAYER_RELU ||
            kind_of(model->network, inputs[0]) != UB_LAYER_BATCH_NORM ||
            readers[inputs[0]] != 1)
            continue;
        model->layers[inputs[0]].relu = 1;
        model->layers[i].pass = 1;
    }
    ub__free(model->context, readers);
    return UB_OK;
}

static ub_status reserve(ub_model *model)
{
    int64_t most = 1, n;
    size_t count;

    model->count = ub_network_layers(model->network);
    for (int64_t i = 0; i < model->count; i++) {
        ub_network_inputs(model->network, i, &n);
        most = n > most ? n : most;
    }
    count = (size_t) model->count;
    model->layers = ub__calloc(model->context, count, sizeof *model->layers);
    if (model->layers == NULL)
        return UB_ERR_NOMEM;
    model->values = ub__calloc(model->context, count, sizeof *model->values);
    if (model->values == NULL)
        return UB_ERR_NOMEM;
    model->inputs = ub__calloc(model->context, (size_t) most,
                               sizeof *model->inputs);
    if (model->inputs == NULL)
        return UB_ERR_NOMEM;
    model->needed = ub__calloc(model->context, count, sizeof *model->needed);
    return model->needed != NULL ? UB_OK : UB_ERR_NOMEM;
}

static void find_last_readers(ub_model *model)
{
    for (int64_t i = 0; i < model->count; i++) {
        int64_t n;
        const int64_t *inputs = ub_network_inputs(model->network, i, &n);

        for (int64_t k = 0; k < n; k++)
            model->layers[inputs[k]].last_reader = i;
    }
    model->layers[model->count - 1].last_reader = model->count;
}

static ub_status build(ub_model *model, const ub_network *network,
                       uint64_t seed)
{
    ub_status status;
    ub_rng rng;

    status = ub_network_copy(network, &model->network);
    if (status == UB_OK)
        status = ub_parameters_create(model->context, &model->parameters);
    if (status == UB_OK)
        status = reserve(model);
    ub_rng_init(&rng, seed, 0);
    for (int64_t i = 0; status == UB_OK && i < model->count; i++)
        status = create_layer(model, i, &rng);
    if (status != UB_OK)
        return status;
    find_last_readers(model);
    return fuse(model);
}

/* -- forward -------------------------------------------------------------- */

/* Between layers all values are [n, channels, height, width]. */
static ub_status as_map(ub_tape *tape, const ub_layer_info *info,
                        ub_variable **x)
{
    int64_t shape[4] = { ub_tensor_shape(ub_variable_value(*x))[0],
                         info->out_channels, info->out_height,
                         info->out_width };

    return ub_op_reshape(tape, *x, 4, shape, x);
}

/* What a convolution with bit widths reads, and its weights, on levels. */
static ub_status quantize(const call *c, ub_tape *tape, ub_variable **x,
                          ub_variable **w)
{
    const ub_layer *layer = c->layer;
    ub_status status = UB_OK;
    ub_bit_choice choice;

    ub_bit_choice_init(&choice, sizeof choice);
    choice.n = 1;
    /* First, for it changes nothing when it fails. */
    choice.bits = &layer->weight_bits;
    if (layer->weight_bits > 0)
        status = ub_op_quantize_weight(tape, *w, &choice, c->quantization, w);
    choice.bits = &layer->input_bits;
    if (status == UB_OK && layer->input_bits > 0)
        status = ub_op_quantize_input(tape, *x, &choice, c->own->range,
                                      c->training, c->quantization, x);
    return status;
}

static ub_status run_conv(const call *c, ub_tape *tape, ub_variable **out)
{
    ub_variable *x = c->x[0], *w = c->own->weight;
    ub_conv2d_options geometry;
    ub_status status = quantize(c, tape, &x, &w);

    if (status != UB_OK)
        return status;
    ub_conv2d_options_init(&geometry, sizeof geometry);
    geometry.stride = c->layer->stride;
    geometry.pad_height = c->layer->pad_height;
    geometry.pad_width = c->layer->pad_width;
    geometry.dilation = c->layer->dilation;
    geometry.groups = c->layer->groups;
    return ub_op_conv2d(tape, x, w, c->own->bias, &geometry, out);
}

static ub_status run_linear(const call *c, ub_tape *tape, ub_variable **out)
{
    ub_variable *y = NULL;
    ub_status status = ub_linear_layer_forward(c->own->full, tape, c->x[0], &y);

    if (status == UB_OK)
        status = as_map(tape, c->info, &y);
    if (status == UB_OK)
        *out = y;
    return status;
}

static ub_status run_global_pool(const call *c, ub_tape *tape,
                                 ub_variable **out)
{
    ub_variable *y = NULL;
    ub_status status = ub_op_global_avg_pool(tape, c->x[0], &y);

    if (status == UB_OK)
        status = as_map(tape, c->info, &y);
    if (status == UB_OK)
        *out = y;
    return status;
}

static ub_status run_zero(const call *c, ub_tape *tape, ub_variable **out)
{
    const int64_t shape[4] = { ub_tensor_shape(ub_variable_value(c->x[0]))[0],
                               c->info->out_channels, c->info->out_height,
                               c->info->out_width };
    ub_tensor *zeros = NULL;
    ub_status status = ub_tensor_create(ub_tape_context(tape), 4, shape,
                                        &zeros);

    if (status == UB_OK)
        status = ub_tape_constant(tape, zeros, out);
    ub_tensor_unref(&zeros);
    return status;
}

static ub_status run_layer(const call *c, ub_tape *tape, ub_variable **out)
{
    const ub_layer *layer = c->layer;

    *out = c->x[0];
    switch (layer->kind) {
    case UB_LAYER_CONV: return run_conv(c, tape, out);
    case UB_LAYER_LINEAR: return run_linear(c, tape, out);
    case UB_LAYER_BATCH_NORM:
        return ub__norm_layer_forward(&c->own->norm, tape, c->x[0], c->training,
                                      c->own->relu, out);
    case UB_LAYER_RELU:
        return c->own->pass ? UB_OK : ub_op_relu(tape, c->x[0], out);
    case UB_LAYER_MAX_POOL:
        return ub_op_max_pool2d(tape, c->x[0], layer->kernel_height,
                                layer->stride, layer->pad_height, out);
    case UB_LAYER_AVG_POOL:
        return ub_op_avg_pool2d(tape, c->x[0], layer->kernel_height,
                                layer->stride, layer->pad_height,
                                layer->count_padding, out);
    case UB_LAYER_GLOBAL_POOL: return run_global_pool(c, tape, out);
    case UB_LAYER_ADD: return ub_op_sum(tape, (int) c->n_x, c->x, out);
    case UB_LAYER_CONCAT: return ub_op_concat(tape, (int) c->n_x, c->x, out);
    case UB_LAYER_FLATTEN: return as_map(tape, c->info, out);
    case UB_LAYER_ZERO: return run_zero(c, tape, out);
    case UB_LAYER_CHANNEL_SHUFFLE:
        return ub_op_channel_shuffle(tape, c->x[0], layer->groups, out);
    default: return UB_OK;
    }
}

static ub_status run_index(ub_model *model, ub_tape *tape, int64_t index,
                           int training)
{
    call c = { .own = &model->layers[index],
               .x = model->inputs,
               .training = training,
               .quantization = &model->quantization };
    const int64_t *inputs = ub_network_inputs(model->network, index, &c.n_x);
    ub_layer_info info;
    ub_status status = layer_info(model->network, index, &info);

    if (status != UB_OK)
        return status;
    c.info = &info;
    c.layer = info.layer;
    for (int64_t i = 0; i < c.n_x; i++)
        c.x[i] = model->values[inputs[i]];
    status = run_layer(&c, tape, &model->values[index]);
    if (status != UB_OK)
        return ub__fail_within(model->context, status, "layer %s", info.name);
    return UB_OK;
}

/* Of what the layers up to `index` gave, keep what others are to read. */
static void drop_read(ub_model *model, ub_tape *tape, const ub_variable *since,
                      int64_t index)
{
    int64_t n = 0;

    for (int64_t i = 0; i <= index; i++) {
        if (model->layers[i].last_reader > index)
            model->needed[n++] = model->values[i];
    }
    ub__tape_keep(tape, since, n, model->needed);
}

static ub_status check_input(const ub_model *model, const ub_variable *x)
{
    const ub_tensor *value = ub_variable_value(x);
    char have[UB__SHAPE_TEXT];
    ub_layer_info info;
    const int64_t *shape;
    ub_status status = layer_info(model->network, 0, &info);

    if (status != UB_OK)
        return status;
    if (value == NULL)
        return ub__fail(model->context, UB_ERR_INVALID,
                        "model: the input has no value");
    shape = ub_tensor_shape(value);
    if (ub_tensor_rank(value) != 4 || shape[1] != info.out_channels ||
        shape[2] != info.out_height || shape[3] != info.out_width)
        return ub__fail(model->context, UB_ERR_SHAPE,
                        "model: the input is %s, [n, %lld, %lld, %lld] "
                        "expected",
                        ub__shape_text(have, ub_tensor_rank(value), shape),
                        (long long) info.out_channels,
                        (long long) info.out_height,
                        (long long) info.out_width);
    return UB_OK;
}

/* Maps of 1 x 1 leave the model as [n, channels]. */
static ub_status deliver(ub_tape *tape, ub_variable *last, ub_variable **out)
{
    const int64_t *shape = ub_tensor_shape(ub_variable_value(last));

    if (shape[2] == 1 && shape[3] == 1)
        return ub_op_reshape(tape, last, 2, shape, out);
    *out = last;
    return UB_OK;
}

ub_status ub_model_create(ub_context *context, const ub_network *network,
                          uint64_t seed, ub_model **out)
{
    ub_model *model;
    ub_status status;

    if (context == NULL || network == NULL || out == NULL)
        return UB_ERR_INVALID;
    model = ub__calloc(context, 1, sizeof *model);
    if (model == NULL)
        return UB_ERR_NOMEM;
    model->context = context;
    ub_quant_options_init(&model->quantization, sizeof model->quantization);
    status = build(model, network, seed);
    if (status != UB_OK) {
        ub_model_destroy(&model);
        return status;
    }
    *out = model;
    return UB_OK;
}

void ub_model_destroy(ub_model **model)
{
    ub_model *m;

    if (model == NULL || *model == NULL)
        return;
    m = *model;
    for (int64_t i = 0; m->layers != NULL && i < m->count; i++)
        ub_linear_layer_destroy(&m->layers[i].full);
    ub__free(m->context, m->layers);
    ub__free(m->context, m->values);
    ub__free(m->context, m->inputs);
    ub__free(m->context, m->needed);
    ub_parameters_destroy(&m->parameters);
    ub_network_destroy(&m->network);
    ub__free(m->context, m);
    *model = NULL;
}

const ub_network *ub_model_network(const ub_model *model)
{
    return model->network;
}

ub_parameters *ub_model_parameters(const ub_model *model)
{
    return model->parameters;
}

ub_status ub_model_set_quantization(ub_model *model,
                                    const ub_quant_options *options)
{
    if (model == NULL)
        return UB_ERR_INVALID;
    return ub__quant_options_read(model->context, "model", options,
                                  &model->quantization);
}

ub_status ub_model_forward(ub_model *model, ub_tape *tape, ub_variable *x,
                           int training, ub_variable **out)
{
    const ub_variable *before;
    ub_status status;

    if (model == NULL || tape == NULL || x == NULL || out == NULL)
        return UB_ERR_INVALID;
    if (training < UB_NORM_RUNNING || training > UB_NORM_BATCH)
        return ub__fail(model->context, UB_ERR_INVALID,
                        "model: unknown mode %d", training);
    status = check_input(model, x);
    before = ub__tape_newest(tape);
    model->values[0] = x;
    for (int64_t i = 1; status == UB_OK && i < model->count; i++) {
        status = run_index(model, tape, i, training);
        if (status == UB_OK)
            drop_read(model, tape, before, i);
    }
    if (status == UB_OK)
        status = deliver(tape, model->values[model->count - 1], out);
    return status;
}

ub_status ub_model_save(const ub_model *model, const char *path)
{
    ub_archive *archive = NULL;
    ub_status status;

    if (model == NULL || path == NULL)
        return UB_ERR_INVALID;
    status = ub_archive_create(model->context, &archive);
    if (status == UB_OK)
        status = ub_parameters_save(model->parameters, archive, NULL);
    if (status == UB_OK)
        status = ub_archive_write(archive, path);
    ub_archive_destroy(&archive);
    return status;
}

ub_status ub_model_load(ub_model *model, const char *path)
{
    ub_archive *archive = NULL;
    ub_status status;

    if (model == NULL || path == NULL)
        return UB_ERR_INVALID;
    status = ub_archive_read(model->context, path, &archive);
    if (status == UB_OK)
        status = ub_parameters_load(model->parameters, archive, NULL);
    ub_archive_destroy(&archive);
    return status;
}
