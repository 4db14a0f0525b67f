/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/variant.h"

#include <math.h>

/* Output positions [*begin, *end) for which a tap reads inside the map. */
static void tap_range(int64_t tap, int64_t stride, int64_t padding, int64_t in,
                      int64_t out, int64_t *begin, int64_t *end)
{
    int64_t first = padding - tap; /* out * stride >= first */
    int64_t last = in - 1 + padding - tap;

    *begin = first > 0 ? (first + stride - 1) / stride : 0;
    *end = last < 0 ? 0 : last / stride + 1;
    if (*end > out)
        *end = out;
    if (*begin > *end)
        *begin = *end;
}

/* One tap of a row: y = max(y, x), the first one on ties; NaN wins. */
static inline void max_row(int64_t n, int64_t stride, const float *x,
                           int32_t offset, float *y, int32_t *index)
{
    for (int64_t i = 0; i < n; i++) {
        float v = x[i * stride];
        int better = index[i] < 0 || v > y[i] || v != v;

        y[i] = better ? v : y[i];
        index[i] = better ? offset + (int32_t) (i * stride) : index[i];
    }
}

static inline void max_row_only(int64_t n, int64_t stride, const float *x,
                                float *y)
{
    for (int64_t i = 0; i < n; i++) {
        float v = x[i * stride];

        y[i] = v > y[i] || v != v ? v : y[i];
    }
}

static void max_tap(const ub__pool *pool, const float *x, int64_t row,
                    int64_t tap, float *y, int32_t *index)
{
    int64_t begin, end, stride = pool->stride, from;

    tap_range(tap, stride, pool->padding, pool->in_width, pool->out_width,
              &begin, &end);
    if (begin == end)
        return;
    from = row * pool->in_width + begin * stride + tap - pool->padding;
    if (index == NULL && stride == 1)
        max_row_only(end - begin, 1, x + from, y + begin);
    else if (index == NULL && stride == 2)
        max_row_only(end - begin, 2, x + from, y + begin);
    else if (index == NULL)
        max_row_only(end - begin, stride, x + from, y + begin);
    else if (stride == 1)
        max_row(end - begin, 1, x + from, (int32_t) from, y + begin,
                index + begin);
    else if (stride == 2)
        max_row(end - begin, 2, x + from, (int32_t) from, y + begin,
                index + begin);
    else
        max_row(end - begin, stride, x + from, (int32_t) from, y + begin,
                index + begin);
}

void UB__LOOP(max_pool)(const ub__pool *pool, const float *x, float *y,
                        int32_t *index)
{
    for (int64_t r = 0; r < pool->out_height; r++) {
        for (int64_t c = 0; c < pool->out_width; c++)
            y[c] = -INFINITY;
        for (int64_t c = 0; index != NULL && c < pool->out_width; c++)
            index[c] = -1;
        for (int64_t i = 0; i < pool->kernel_height; i++) {
            int64_t row = r * pool->stride + i - pool->padding;

            if (row < 0 || row >= pool->in_height)
                continue;
            for (int64_t j = 0; j < pool->kernel_width; j++)
                max_tap(pool, x, row, j, y, index);
        }
        y += pool->out_width;
        if (index != NULL)
            index += pool->out_width;
    }
}

/* How many taps of a window at `position` lie inside. */
static int64_t taps_inside(int64_t position, int64_t kernel, int64_t stride,
                           int64_t padding, int64_t in)
{
    int64_t begin = position * stride - padding;
    int64_t end = begin + kernel;

    if (begin < 0)
        begin = 0;
    if (end > in)
        end = in;
    return end > begin ? end - begin : 0;
}

/* 1 / elements averaged at (row, column); 0 where there are none. */
static float average_factor(const ub__pool *pool, int64_t row, int64_t column)
{
    int64_t count = pool->kernel_height * pool->kernel_width;

    if (!pool->count_padding)
        count = taps_inside(row, pool->kernel_height, pool->stride,
                            pool->padding, pool->in_height) *
                taps_inside(column, pool->kernel_width, pool->stride,
                            pool->padding, pool->in_width);
    return count > 0 ? 1.0f / (float) count : 0.0f;
}

static inline void add_row(int64_t n, int64_t stride, const float *x, float *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += x[i * stride];
}

void UB__LOOP(avg_pool)(const ub__pool *pool, const float *x, float *y)
{
    int64_t stride = pool->stride;

    for (int64_t r = 0; r < pool->out_height; r++, y += pool->out_width) {
        memset(y, 0, (size_t) pool->out_width * sizeof *y);
        for (int64_t i = 0; i < pool->kernel_height; i++) {
            int64_t row = r * stride + i - pool->padding;

            if (row < 0 || row >= pool->in_height)
                continue;
            for (int64_t j = 0; j < pool->kernel_width; j++) {
                const float *from = x + row * pool->in_width;
                int64_t begin, end;

                tap_range(j, stride, pool->padding, pool->in_width,
                          pool->out_width, &begin, &end);
                from += begin * stride + j - pool->padding;
                if (stride == 1)
                    add_row(end - begin, 1, from, y + begin);
                else if (stride == 2)
                    add_row(end - begin, 2, from, y + begin);
                else
                    add_row(end - begin, stride, from, y + begin);
            }
        }
        for (int64_t c = 0; c < pool->out_width; c++)
            y[c] *= average_factor(pool, r, c);
    }
}

/* gx += the gradient; a window at a time. */
void UB__LOOP(avg_unpool)(const ub__pool *pool, const float *gy, float *gx)
{
    for (int64_t r = 0; r < pool->out_height; r++) {
        for (int64_t c = 0; c < pool->out_width; c++) {
            float g = *gy++ * average_factor(pool, r, c);
            int64_t top = r * pool->stride - pool->padding;
            int64_t left = c * pool->stride - pool->padding;
            int64_t bottom = top + pool->kernel_height;
            int64_t right = left + pool->kernel_width;

            top = top < 0 ? 0 : top;
            left = left < 0 ? 0 : left;
            bottom = bottom > pool->in_height ? pool->in_height : bottom;
            right = right > pool->in_width ? pool->in_width : right;
            for (int64_t i = top; i < bottom; i++)
                for (int64_t j = left; j < right; j++)
                    gx[i * pool->in_width + j] += g;
        }
    }
}
