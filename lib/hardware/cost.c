/* SPDX-License-Identifier: BSD-2-Clause */
#include "hardware/hardware.h"

#include <string.h>

/* Large enough for any network, small enough that no product of a layer's
 * sizes overflows a double or loses its meaning. */
#define MAX_SIZE     ((int64_t) 1 << 32)
#define MIN_CHANNELS 1e-6
#define MAX_CHANNELS 1e15

static const ub_cost_layer defaults = {
    .size = sizeof(ub_cost_layer),
    .kind = UB_COST_FREE,
    .groups = 1,
    .kernel_height = 1,
    .kernel_width = 1,
    .dilation = 1,
    .in_height = 1,
    .in_width = 1,
    .out_height = 1,
    .out_width = 1,
    .batch = 1,
    .in_channels = 1.0,
    .out_channels = 1.0,
};

const ub_cost ub__cost_free = {
    .size = sizeof(ub_cost),
    .utilization = 1.0,
};

static int sizes_valid(const ub_cost_layer *l)
{
    const int64_t sizes[] = { l->groups,     l->kernel_height, l->kernel_width,
                              l->dilation,   l->in_height,     l->in_width,
                              l->out_height, l->out_width,     l->batch };
    int bad = 0;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        bad |= sizes[i] < 1 || sizes[i] > MAX_SIZE;
    return !bad;
}

/* False for NaN. */
static int channels_valid(double channels)
{
    return channels >= MIN_CHANNELS && channels <= MAX_CHANNELS;
}

static int layer_valid(const ub_cost_layer *l)
{
    if (l->kind < UB_COST_FREE || l->kind > UB_COST_LINEAR ||
        l->reserved != 0 || !sizes_valid(l))
        return 0;
    if (l->kind == UB_COST_FREE)
        return 1;
    return channels_valid(l->in_channels) &&
           (l->kind == UB_COST_DEPTHWISE || channels_valid(l->out_channels));
}

ub_status ub__cost_layer_in(const ub_cost_layer *layer, ub_cost_layer *copy,
                            const ub_cost_layer **out)
{
    const ub_cost_layer *full = layer;
    ub_status status = UB_OK;

    if (layer == NULL)
        return UB_ERR_INVALID;
    if (layer->size != sizeof(*layer)) {
        *copy = defaults;
        status = ub__options_in(NULL, "cost layer", copy, sizeof(*copy),
                                sizeof(*copy), layer);
        full = copy;
    }
    if (status != UB_OK)
        return status;
    if (!layer_valid(full))
        return UB_ERR_INVALID;
    *out = full;
    return UB_OK;
}

ub_status ub__cost_out(ub_cost *out, const ub_cost *full)
{
    if (out == NULL || out->size < sizeof(*out))
        return UB_ERR_INVALID;
    ub__options_out(out, out->size, full, sizeof(*full));
    return UB_OK;
}

static int32_t cost_kind(const ub_layer_info *info)
{
    const int64_t groups = info->layer->groups;

    if (info->layer->kind == UB_LAYER_LINEAR)
        return UB_COST_LINEAR;
    if (info->layer->kind == UB_LAYER_MATMUL)
        return UB_COST_CONV;
    if (info->layer->kind != UB_LAYER_CONV)
        return UB_COST_FREE;
    return groups > 1 && groups == info->in_channels &&
                   groups == info->out_channels
               ? UB_COST_DEPTHWISE
               : UB_COST_CONV;
}

/* A product for each channel and image, the second operand as weights: that
 * many groups of a 1 x 1 convolution on a map of height x 1. The second operand
 * is another one for each image, so the images are groups too. */
static ub_status matmul_layer(const ub_layer_info *info, int64_t batch,
                              ub_cost_layer *out)
{
    if (!ub__mul_int64(info->in_channels, batch, &out->groups))
        return UB_ERR_RANGE;
    out->batch = 1;
    out->in_width = out->out_width = 1;
    out->in_channels = (double) out->groups * (double) info->in_width;
    out->out_channels = (double) out->groups * (double) info->out_width;
    return UB_OK;
}

/* One layer's price; the context hears about a failure. */
static ub_status price(const ub_network *network, const ub_cost_model *model,
                       int64_t index, int64_t batch, ub_cost *out)
{
    ub_layer_info info = { .size = sizeof(info) };
    ub_cost_layer layer = defaults;
    ub_status status = ub_network_layer(network, index, &info);

    if (status == UB_OK)
        status = ub_cost_layer_from(&info, batch, &layer);
    *out = (ub_cost){ .size = sizeof(*out) };
    if (status == UB_OK)
        status = model->evaluate(model->user, &layer, out);
    if (status != UB_OK)
        return ub__fail(ub_network_context(network), status,
                        "cost: model '%.40s' refuses layer '%.60s' at batch "
                        "%lld",
                        model->name, info.name, (long long) batch);
    return UB_OK;
}

static void add(ub_cost *total, const ub_cost *cost, double *done)
{
    total->macs += cost->macs;
    total->cycles += cost->cycles;
    total->latency_ms += cost->latency_ms;
    *done += cost->latency_ms * cost->utilization;
}

static ub_status check_call(const ub_network *network,
                            const ub_cost_model *model, int64_t batch,
                            const ub_cost *total, const ub_cost *layers,
                            int64_t n)
{
    ub_context *context = ub_network_context(network);

    if (model == NULL || model->size < sizeof(*model) ||
        model->evaluate == NULL)
        return ub__fail(context, UB_ERR_INVALID, "cost: no model");
    if (batch < 1 || batch > MAX_SIZE)
        return ub__fail(context, UB_ERR_INVALID, "cost: batch %lld",
                        (long long) batch);
    if (layers != NULL && n < ub_network_layers(network))
        return ub__fail(context, UB_ERR_INVALID,
                        "cost: room for %lld of %lld layers", (long long) n,
                        (long long) ub_network_layers(network));
    if (total != NULL && total->size < sizeof(*total))
        return ub__fail(context, UB_ERR_INVALID,
                        "cost: the size of a ub_cost is not set");
    for (int64_t i = 0; layers != NULL && i < n; i++) {
        if (layers[i].size != sizeof(*layers))
            return ub__fail(context, UB_ERR_INVALID,
                            "cost: the size of a ub_cost is not set");
    }
    return UB_OK;
}

/* -- public --------------------------------------------------------------- */

void ub_cost_layer_init(ub_cost_layer *layer, size_t size)
{
    ub__options_out(layer, size, &defaults, sizeof(defaults));
}

ub_status ub_cost_layer_from(const ub_layer_info *layer, int64_t batch,
                             ub_cost_layer *out)
{
    ub_cost_layer full = defaults;
    ub_status status = UB_OK;

    if (layer == NULL || layer->size < sizeof(*layer) || layer->layer == NULL ||
        out == NULL || out->size < sizeof(*out) || batch < 1)
        return UB_ERR_INVALID;
    full.kind = cost_kind(layer);
    full.groups = full.kind == UB_COST_CONV ? layer->layer->groups : 1;
    full.kernel_height = layer->layer->kernel_height;
    full.kernel_width = layer->layer->kernel_width;
    full.dilation = layer->layer->dilation;
    full.in_height = layer->in_height;
    full.in_width = layer->in_width;
    full.out_height = layer->out_height;
    full.out_width = layer->out_width;
    full.batch = batch;
    full.in_channels = (double) layer->in_channels;
    full.out_channels = (double) layer->out_channels;
    if (layer->layer->kind == UB_LAYER_MATMUL)
        status = matmul_layer(layer, batch, &full);
    if (status != UB_OK)
        return status;
    ub__options_out(out, out->size, &full, sizeof(full));
    return UB_OK;
}

ub_status ub_network_cost(const ub_network *network, const ub_cost_model *model,
                          int64_t batch, ub_cost *total, ub_cost *layers,
                          int64_t n)
{
    ub_cost sum = { .size = sizeof(sum), .utilization = 1.0 };
    ub_cost *each = NULL;
    double done = 0.0;
    size_t count;
    ub_status status;

    if (network == NULL)
        return UB_ERR_INVALID;
    status = check_call(network, model, batch, total, layers, n);
    if (status != UB_OK)
        return status;
    count = (size_t) ub_network_layers(network);
    /* Outputs stay untouched unless every layer has a price. */
    if (layers != NULL) {
        each = ub__alloc(ub_network_context(network), count, sizeof(*each));
        if (each == NULL)
            return UB_ERR_NOMEM;
    }
    for (size_t i = 0; i < count && status == UB_OK; i++) {
        ub_cost one;

        status = price(network, model, (int64_t) i, batch, &one);
        if (status == UB_OK)
            add(&sum, &one, &done);
        if (status == UB_OK && each != NULL)
            each[i] = one;
    }
    if (sum.latency_ms > 0.0)
        sum.utilization = done / sum.latency_ms;
    if (status == UB_OK && layers != NULL)
        memcpy(layers, each, count * sizeof(*each));
    if (status == UB_OK && total != NULL)
        ub__options_out(total, total->size, &sum, sizeof(sum));
    ub__free(ub_network_context(network), each);
    return status;
}
