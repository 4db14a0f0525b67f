/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataset/dataset.h"

#include <math.h>
#include <string.h>

void ub__resizer_init(ub__resizer *resizer, ub_context *context)
{
    memset(resizer, 0, sizeof *resizer);
    resizer->context = context;
}

void ub__resizer_free(ub__resizer *resizer)
{
    ub_context *context = resizer->context;
    for (int axis = 0; axis < 2; axis++) {
        ub__free(context, resizer->first[axis]);
        ub__free(context, resizer->weights[axis]);
    }
    ub__free(context, resizer->rows);
    ub__resizer_init(resizer, context);
}

/* Weights of the input pixels around the centre of one output pixel, scaled to
 * a sum of 1; pixels beyond the border have none. */
static void pixel_weights(int64_t from, double scale, int64_t taps,
                          int64_t output, int64_t *first, float *weights)
{
    double support = scale > 1 ? scale : 1;
    double centre = ((double) output + 0.5) * scale - 0.5;
    int64_t start = (int64_t) ceil(centre - support);
    if (start < 0)
        start = 0;
    if (start > from - taps)
        start = from - taps;
    double sum = 0;
    for (int64_t i = 0; i < taps; i++) {
        double distance = fabs((double) (start + i) - centre) / support;
        sum += distance < 1 ? 1 - distance : 0;
    }
    for (int64_t i = 0; i < taps; i++) {
        double distance = fabs((double) (start + i) - centre) / support;
        weights[i] = (float) (distance < 1 ? (1 - distance) / sum : 0);
    }
    *first = start;
}

static ub_status plan_axis(ub__resizer *resizer, int axis, int64_t from,
                           int64_t to)
{
    double scale = (double) from / (double) to;
    int64_t taps = 2 * (int64_t) ceil(scale > 1 ? scale : 1) + 1;
    if (taps > from)
        taps = from;
    int64_t *first = ub__alloc(resizer->context, (size_t) to, sizeof *first);
    float *weights = ub__alloc(resizer->context, (size_t) (to * taps),
                               sizeof *weights);
    if (!first || !weights) {
        ub__free(resizer->context, first);
        ub__free(resizer->context, weights);
        return UB_ERR_NOMEM;
    }
    for (int64_t i = 0; i < to; i++)
        pixel_weights(from, scale, taps, i, first + i, weights + i * taps);
    resizer->from[axis] = from;
    resizer->to[axis] = to;
    resizer->taps[axis] = taps;
    resizer->first[axis] = first;
    resizer->weights[axis] = weights;
    return UB_OK;
}

ub_status ub__resizer_plan(ub__resizer *resizer, int64_t from_height,
                           int64_t from_width, int64_t to_height,
                           int64_t to_width)
{
    if (resizer->from[0] == from_height && resizer->from[1] == from_width &&
        resizer->to[0] == to_height && resizer->to[1] == to_width)
        return UB_OK;
    ub__resizer_free(resizer);
    ub_status status = plan_axis(resizer, 0, from_height, to_height);
    if (!status)
        status = plan_axis(resizer, 1, from_width, to_width);
    if (!status) {
        resizer->rows = ub__alloc(resizer->context,
                                  (size_t) (from_height * to_width),
                                  sizeof *resizer->rows);
        if (!resizer->rows)
            status = UB_ERR_NOMEM;
    }
    if (status)
        ub__resizer_free(resizer);
    return status;
}

static void resize_row(const ub__resizer *resizer, const uint8_t *from,
                       int64_t step, float *to)
{
    int64_t taps = resizer->taps[1];
    for (int64_t x = 0; x < resizer->to[1]; x++) {
        const uint8_t *pixel = from + resizer->first[1][x] * step;
        const float *weights = resizer->weights[1] + x * taps;
        float sum = 0;
        for (int64_t i = 0; i < taps; i++)
            sum += weights[i] * (float) pixel[i * step];
        to[x] = sum;
    }
}

void ub__resizer_run(const ub__resizer *resizer, const uint8_t *from,
                     int64_t step, uint8_t *to)
{
    int64_t width = resizer->to[1];
    int64_t taps = resizer->taps[0];
    for (int64_t y = 0; y < resizer->from[0]; y++)
        resize_row(resizer, from + y * resizer->from[1] * step, step,
                   resizer->rows + y * width);
    for (int64_t y = 0; y < resizer->to[0]; y++) {
        const float *weights = resizer->weights[0] + y * taps;
        const float *rows = resizer->rows + resizer->first[0][y] * width;
        for (int64_t x = 0; x < width; x++) {
            float sum = 0.5F;
            for (int64_t i = 0; i < taps; i++)
                sum += weights[i] * rows[i * width + x];
            to[y * width + x] = (uint8_t) (sum < 255 ? sum : 255);
        }
    }
}
