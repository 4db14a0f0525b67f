/* SPDX-License-Identifier: BSD-2-Clause */
#include "accelerator/accelerator.h"

static const ub_workload_layer defaults = {
    .size = sizeof(defaults),
    .in_channels = 1,
    .out_channels = 1,
    .in_height = 1,
    .in_width = 1,
    .out_height = 1,
    .out_width = 1,
    .kernel_height = 1,
    .kernel_width = 1,
    .stride = 1,
    .groups = 1,
    .bits = 16,
};

static int sizes_valid(const ub_workload_layer *l)
{
    const int64_t sizes[] = { l->in_channels,  l->out_channels,  l->in_height,
                              l->in_width,     l->out_height,    l->out_width,
                              l->kernel_width, l->kernel_height, l->stride,
                              l->groups };

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        if (sizes[i] < 1 || sizes[i] > UB_WORKLOAD_MAX_SIZE)
            return 0;
    }
    return 1;
}

ub_status ub__workload_layer_check(ub_context *context,
                                   const ub_workload_layer *layer)
{
    if (!sizes_valid(layer))
        return ub__fail(context, UB_ERR_INVALID,
                        "workload: a size is not within 1 to %lld",
                        (long long) UB_WORKLOAD_MAX_SIZE);
    if (layer->block < 0 || layer->block >= UB_WORKLOAD_MAX_LAYERS)
        return ub__fail(context, UB_ERR_INVALID, "workload: block %lld",
                        (long long) layer->block);
    if (layer->bits < 1 || layer->bits > UB_WORKLOAD_MAX_BITS)
        return ub__fail(context, UB_ERR_INVALID, "workload: %d bits",
                        (int) layer->bits);
    if (layer->depthwise != 0 && layer->depthwise != 1)
        return ub__fail(context, UB_ERR_INVALID, "workload: depthwise is %d",
                        (int) layer->depthwise);
    if (layer->depthwise && (layer->in_channels != 1 || layer->groups != 1))
        return ub__fail(context, UB_ERR_INVALID,
                        "workload: a depthwise layer has %lld inputs of a "
                        "group and %lld groups, expected 1 and 1",
                        (long long) layer->in_channels,
                        (long long) layer->groups);
    return UB_OK;
}

static ub_status reserve(ub_workload *w)
{
    const int64_t capacity = w->capacity > 0 ? 2 * w->capacity : 64;
    ub_workload_layer *layers;

    if (w->n < w->capacity)
        return UB_OK;
    if (w->n >= UB_WORKLOAD_MAX_LAYERS)
        return ub__fail(w->context, UB_ERR_RANGE,
                        "workload: there are %lld layers already",
                        (long long) w->n);
    layers = ub__realloc(w->context, w->layers, (size_t) w->n,
                         (size_t) capacity, sizeof(*layers));
    if (layers == NULL)
        return UB_ERR_NOMEM;
    w->layers = layers;
    w->capacity = capacity;
    return UB_OK;
}

static void set_groups(ub_workload_layer *l, const ub_layer_info *info)
{
    const int64_t groups = info->layer->groups;

    l->depthwise = groups > 1 && groups == info->in_channels &&
                   groups == info->out_channels;
    l->groups = l->depthwise ? 1 : groups;
    l->in_channels = info->in_channels / groups;
    l->out_channels = l->depthwise ? groups : info->out_channels / groups;
}

static void set_convolution(ub_workload_layer *l, const ub_layer_info *info)
{
    set_groups(l, info);
    l->in_height = info->in_height;
    l->in_width = info->in_width;
    l->out_height = info->out_height;
    l->out_width = info->out_width;
    l->kernel_height = info->layer->kernel_height;
    l->kernel_width = info->layer->kernel_width;
    l->stride = info->layer->stride;
}

/* Whether a layer of a network is one of a workload; *out is set then. */
static ub_status layer_from(ub_context *context, const ub_layer_info *info,
                            ub_workload_layer *out, int *is)
{
    *is = info->layer->kind == UB_LAYER_CONV ||
          info->layer->kind == UB_LAYER_LINEAR;
    if (info->layer->kind == UB_LAYER_MATMUL)
        return ub__fail(context, UB_ERR_UNSUPPORTED,
                        "workload: layer '%.60s' multiplies two maps",
                        info->name);
    if (!*is)
        return UB_OK;
    if (info->layer->kind == UB_LAYER_LINEAR) {
        out->in_channels = info->in_channels * info->in_height * info->in_width;
        out->out_channels = info->out_channels;
        return UB_OK;
    }
    if (info->layer->dilation != 1)
        return ub__fail(context, UB_ERR_UNSUPPORTED,
                        "workload: layer '%.60s' has a dilation", info->name);
    set_convolution(out, info);
    return UB_OK;
}

static ub_status add_from(const ub_network *network, int64_t index,
                          int32_t bits, int64_t block, ub_workload *workload)
{
    ub_layer_info info = { .size = sizeof(info) };
    ub_workload_layer layer = defaults;
    ub_status status = ub_network_layer(network, index, &info);
    int is;

    if (status != UB_OK || bits == 0)
        return status;
    layer.bits = bits;
    layer.block = block;
    status = layer_from(workload->context, &info, &layer, &is);
    if (status != UB_OK || !is)
        return status;
    status = ub_workload_add(workload, &layer);
    if (status != UB_OK)
        return ub__fail_within(workload->context, status, "layer '%.60s'",
                               info.name);
    return UB_OK;
}

/* -- public --------------------------------------------------------------- */

void ub_workload_layer_init(ub_workload_layer *layer, size_t size)
{
    ub__options_out(layer, size, &defaults, sizeof(defaults));
}

ub_status ub_workload_create(ub_context *context, ub_workload **out)
{
    ub_workload *workload;

    if (context == NULL)
        return UB_ERR_INVALID;
    if (out == NULL)
        return ub__fail(context, UB_ERR_INVALID, "workload: out is NULL");
    workload = ub__calloc(context, 1, sizeof(*workload));
    if (workload == NULL)
        return UB_ERR_NOMEM;
    workload->context = context;
    *out = workload;
    return UB_OK;
}

void ub_workload_destroy(ub_workload **workload)
{
    if (workload == NULL || *workload == NULL)
        return;
    ub__free((*workload)->context, (*workload)->layers);
    ub__free((*workload)->context, *workload);
    *workload = NULL;
}

ub_status ub_workload_add(ub_workload *workload, const ub_workload_layer *layer)
{
    ub_workload_layer full = defaults;
    ub_status status;

    if (workload == NULL)
        return UB_ERR_INVALID;
    if (layer == NULL)
        return ub__fail(workload->context, UB_ERR_INVALID,
                        "workload: layer is NULL");
    status = ub__options_in(workload->context, "workload layer", &full,
                            sizeof(full), sizeof(full), layer);
    if (status == UB_OK)
        status = ub__workload_layer_check(workload->context, &full);
    if (status == UB_OK)
        status = reserve(workload);
    if (status != UB_OK)
        return status;
    workload->layers[workload->n++] = full;
    if (full.block >= workload->blocks)
        workload->blocks = full.block + 1;
    return UB_OK;
}

int64_t ub_workload_layers(const ub_workload *workload)
{
    return workload->n;
}

int64_t ub_workload_blocks(const ub_workload *workload)
{
    return workload->blocks;
}

ub_status ub_workload_layer_get(const ub_workload *workload, int64_t index,
                                ub_workload_layer *out)
{
    if (workload == NULL)
        return UB_ERR_INVALID;
    if (index < 0 || index >= workload->n)
        return ub__fail(workload->context, UB_ERR_INVALID,
                        "workload: layer %lld of %lld", (long long) index,
                        (long long) workload->n);
    if (out == NULL || out->size < sizeof(*out))
        return ub__fail(workload->context, UB_ERR_INVALID,
                        "workload: the size of a layer is not set");
    ub__options_out(out, out->size, &workload->layers[index],
                    sizeof(workload->layers[index]));
    return UB_OK;
}

ub_status ub_workload_from_network(const ub_network *network,
                                   const int32_t *bits, const int64_t *blocks,
                                   int64_t n, ub_workload **out)
{
    ub_workload *workload = NULL;
    ub_status status;
    int64_t layers;

    if (network == NULL)
        return UB_ERR_INVALID;
    layers = ub_network_layers(network);
    if (out == NULL || ((bits != NULL || blocks != NULL) && n < layers))
        return ub__fail(ub_network_context(network), UB_ERR_INVALID,
                        "workload: out is NULL, or %lld bits or blocks are "
                        "given for %lld layers",
                        (long long) n, (long long) layers);
    status = ub_workload_create(ub_network_context(network), &workload);
    for (int64_t i = 0; status == UB_OK && i < layers; i++)
        status = add_from(network, i, bits != NULL ? bits[i] : 16,
                          blocks != NULL ? blocks[i] : i, workload);
    if (status != UB_OK) {
        ub_workload_destroy(&workload);
        return status;
    }
    *out = workload;
    return UB_OK;
}
