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

/* One axis of a convolution: windows read position i * stride + j * dilation -
 * pad of the map, for i below out and j below kernel. */
typedef struct axis {
    int64_t extent, kernel, stride, dilation, pad, out;
} axis;

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        const int64_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

/* How many i below n have 0 <= from + i * step < extent. */
static int64_t inside(int64_t from, int64_t step, int64_t n, int64_t extent)
{
    const int64_t first = from < 0 ? (-from + step - 1) / step : 0;
    const int64_t end = from < extent ? (extent - from + step - 1) / step : 0;
    const int64_t last = smaller(end, n);

    return last > first ? last - first : 0;
}

/* Positions of the map that some window reads. Steps i and i + d, taps j and j
 * - s, read the same where d and s are dilation and stride over their greatest
 * common divisor; of those the least of the longer direction counts, and the
 * shorter one is gone through. */
static int64_t positions(const axis *a)
{
    const int64_t common = divisor(a->stride, a->dilation);
    const int64_t s = a->stride / common, d = a->dilation / common;
    const int by_taps = a->kernel <= a->out;
    const int64_t shorter = by_taps ? a->kernel : a->out;
    const int64_t longer = by_taps ? a->out : a->kernel;
    const int64_t step = by_taps ? a->stride : a->dilation;
    const int64_t other = by_taps ? a->dilation : a->stride;
    const int64_t repeat = by_taps ? s : d, period = by_taps ? d : s;
    int64_t sum = 0;

    if (a->dilation == 1 && a->stride <= a->kernel) {
        const int64_t end = (a->out - 1) * a->stride + a->kernel - a->pad;

        return smaller(end, a->extent); /* an unbroken stretch */
    }
    for (int64_t i = 0; i < shorter; i++)
        sum += inside(i * other - a->pad, step,
                      i + repeat < shorter ? smaller(period, longer) : longer,
                      a->extent);
    return sum;
}

static axis axis_of(const ub_layer_info *info, int vertical)
{
    const ub_layer *l = info->layer;

    if (vertical)
        return (axis){ info->in_height, l->kernel_height, l->stride,
                       l->dilation,     l->pad_height,    info->out_height };
    return (axis){ info->in_width, l->kernel_width, l->stride,
                   l->dilation,    l->pad_width,    info->out_width };
}

static ub_status fill(const ub_layer_info *info, int64_t batch, ub_gemm *g)
{
    const ub_layer *layer = info->layer;
    const axis down = axis_of(info, 1), across = axis_of(info, 0);
    int64_t map;

    /* divided by; no layer of a network has them */
    if (layer->groups < 1 || layer->stride < 1 || layer->dilation < 1)
        return UB_ERR_INVALID;
    g->count = layer->groups;
    g->n = info->out_channels / layer->groups;
    if (!product(info->in_channels / layer->groups, layer->kernel_height,
                 &g->k) ||
        !product(g->k, layer->kernel_width, &g->k) ||
        !product(info->out_height, info->out_width, &g->m) ||
        !product(g->m, batch, &g->m) || !countable(g) ||
        !product(positions(&down), positions(&across), &map) ||
        !product(map, batch, &map) ||
        !product(map, info->in_channels / layer->groups, &map))
        return UB_ERR_RANGE;
    g->input_elements = smaller(map, g->m * g->k);
    return UB_OK;
}

/* One product for each channel and image. */
static ub_status fill_matmul(const ub_layer_info *info, int64_t batch,
                             ub_gemm *g)
{
    g->m = info->in_height;
    g->k = info->in_width;
    g->n = info->out_width;
    if (!product(info->in_channels, batch, &g->count) || !countable(g))
        return UB_ERR_RANGE;
    g->input_elements = g->m * g->k;
    return UB_OK;
}

ub_status ub_layer_gemm(const ub_layer_info *layer, int64_t batch, ub_gemm *out)
{
    ub_gemm g = { .size = sizeof(g) };
    ub_status status = UB_OK;

    if (layer == NULL || layer->size < sizeof(*layer) || layer->layer == NULL ||
        out == NULL || out->size < sizeof(*out) || batch < 1)
        return UB_ERR_INVALID;
    if (layer->layer->kind == UB_LAYER_CONV ||
        layer->layer->kind == UB_LAYER_LINEAR)
        status = fill(layer, batch, &g);
    else if (layer->layer->kind == UB_LAYER_MATMUL)
        status = fill_matmul(layer, batch, &g);
    if (status == UB_OK)
        ub__options_out(out, out->size, &g, sizeof(g));
    return status;
}
