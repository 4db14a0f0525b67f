/* SPDX-License-Identifier: BSD-2-Clause */
#include "hardware/hardware.h"

/* Bytes are counted with elements of at most 64 bytes. */
#define MAX_COUNT (INT64_MAX / 64)

static int product(int64_t a, int64_t b, int64_t *out)
{
    return ub__mul_int64(a, b, out) && *out <= MAX_COUNT;
}

/* Operand sizes and MACs of all products together can be counted. */
static int countable(const ub_gemm *g)
{
    int64_t x, w, y, macs;

    return product(g->m, g->k, &x) && product(x, g->count, &x) &&
           product(g->k, g->n, &w) && product(w, g->count, &w) &&
           product(g->m, g->n, &y) && product(y, g->count, &y) &&
           product(x, g->n, &macs);
}

static ub_status fill(const ub_layer_info *info, int64_t batch, ub_gemm *g)
{
    const ub_layer *layer = info->layer;
    int64_t map;

    g->count = layer->groups;
    g->n = info->out_channels / layer->groups;
    if (!product(info->in_channels / layer->groups, layer->kernel_height,
                 &g->k) ||
        !product(g->k, layer->kernel_width, &g->k) ||
        !product(info->out_height, info->out_width, &g->m) ||
        !product(g->m, batch, &g->m) ||
        !product(info->in_height, info->in_width, &map) ||
        !product(map, batch, &map) ||
        !product(map, info->in_channels / layer->groups, &map) || !countable(g))
        return UB_ERR_RANGE;
    g->input_elements = map < g->m * g->k ? map : g->m * g->k;
    return UB_OK;
}

ub_status ub_layer_gemm(const ub_layer_info *layer, int64_t batch, ub_gemm *out)
{
    ub_gemm g = { .size = sizeof(g) };
    ub_status status = UB_OK;

    if (layer == NULL || layer->size < sizeof(*layer) || out == NULL ||
        out->size < sizeof(*out) || batch < 1)
        return UB_ERR_INVALID;
    if (layer->layer->kind == UB_LAYER_CONV ||
        layer->layer->kind == UB_LAYER_LINEAR)
        status = fill(layer, batch, &g);
    if (status == UB_OK)
        ub__options_out(out, out->size, &g, sizeof(g));
    return status;
}
