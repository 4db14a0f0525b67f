/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/variant.h"

/* The last n % WIDTH elements of a row, filled up with `fill`. */
static inline void load_rest(int64_t n, const float *x, float fill,
                             float out[WIDTH])
{
    for (int64_t i = 0; i < WIDTH; i++)
        out[i] = i < n ? x[i] : fill;
}

static inline void dot_step(const float *x, const float *y, wide_vector sum[2])
{
    sum[0] += load_wide(x) * load_wide(y);
    sum[1] += load_wide(x + HALF) * load_wide(y + HALF);
}

double UB__LOOP(dot)(int64_t rows, int64_t n, int64_t stride, const float *x,
                     const float *y)
{
    wide_vector sum[2] = { { 0 }, { 0 } };

    for (int64_t r = 0; r < rows; r++, x += stride, y += stride) {
        int64_t i = 0;

        for (; i + WIDTH <= n; i += WIDTH)
            dot_step(x + i, y + i, sum);
        if (i < n) {
            float rest_x[WIDTH], rest_y[WIDTH];

            load_rest(n - i, x + i, 0.0f, rest_x);
            load_rest(n - i, y + i, 0.0f, rest_y);
            dot_step(rest_x, rest_y, sum);
        }
    }
    return sum_wide(sum[0] + sum[1]);
}

static inline void moments_step(const float *x, wide_vector center,
                                wide_vector sum[2], wide_vector square[2])
{
    wide_vector low = load_wide(x) - center;
    wide_vector high = load_wide(x + HALF) - center;

    sum[0] += low;
    sum[1] += high;
    square[0] += low * low;
    square[1] += high * high;
}

void UB__LOOP(moments)(int64_t rows, int64_t n, int64_t stride, const float *x,
                       float center, double out[2])
{
    wide_vector sum[2] = { { 0 }, { 0 } }, square[2] = { { 0 }, { 0 } };
    wide_vector middle = (double) center - (wide_vector){ 0 };

    for (int64_t r = 0; r < rows; r++, x += stride) {
        int64_t i = 0;

        for (; i + WIDTH <= n; i += WIDTH)
            moments_step(x + i, middle, sum, square);
        if (i < n) {
            float rest[WIDTH];

            load_rest(n - i, x + i, center, rest);
            moments_step(rest, middle, sum, square);
        }
    }
    out[0] = sum_wide(sum[0] + sum[1]);
    out[1] = sum_wide(square[0] + square[1]);
}

void UB__LOOP(affine)(int64_t n, const float *x, float scale, float shift,
                      int relu, float *y)
{
    if (relu) {
        for (int64_t i = 0; i < n; i++) {
            float v = x[i] * scale + shift;

            y[i] = v <= 0.0f ? 0.0f : v;
        }
    } else {
        for (int64_t i = 0; i < n; i++)
            y[i] = x[i] * scale + shift;
    }
}

static inline void norm_step(const float *x, const float *gy,
                             const ub__norm_row *row, wide_vector mean,
                             wide_vector sum[2], wide_vector product[2])
{
    float masked[WIDTH];
    vector g = load(gy);
    wide_vector low, high;

    if (row->relu)
        g = where_positive(load(x) * row->scale + row->shift, g);
    store(masked, g);
    low = load_wide(masked);
    high = load_wide(masked + HALF);
    sum[0] += low;
    sum[1] += high;
    product[0] += low * (load_wide(x) - mean);
    product[1] += high * (load_wide(x + HALF) - mean);
}

void UB__LOOP(norm_sums)(int64_t rows, int64_t n, int64_t stride,
                         const float *x, const float *gy,
                         const ub__norm_row *row, double out[2])
{
    wide_vector sum[2] = { { 0 }, { 0 } }, product[2] = { { 0 }, { 0 } };
    wide_vector mean = (double) row->mean - (wide_vector){ 0 };

    for (int64_t r = 0; r < rows; r++, x += stride, gy += stride) {
        int64_t i = 0;

        for (; i + WIDTH <= n; i += WIDTH)
            norm_step(x + i, gy + i, row, mean, sum, product);
        if (i < n) {
            float rest_x[WIDTH], rest_gy[WIDTH];

            load_rest(n - i, x + i, 0.0f, rest_x);
            load_rest(n - i, gy + i, 0.0f, rest_gy);
            norm_step(rest_x, rest_gy, row, mean, sum, product);
        }
    }
    out[0] = sum_wide(sum[0] + sum[1]);
    out[1] = sum_wide(product[0] + product[1]);
}

static inline void gradient_row(int64_t n, const float *x, const float *gy,
                                const ub__norm_row row, float *gx, int relu,
                                int accumulate)
{
    for (int64_t i = 0; i < n; i++) {
        float g = !relu || x[i] * row.scale + row.shift > 0.0f ? gy[i] : 0.0f;
        float v = row.scale * g + (row.slope * (x[i] - row.mean) + row.offset);

        gx[i] = accumulate ? gx[i] + v : v;
    }
}

void UB__LOOP(norm_gradient)(int64_t rows, int64_t n, int64_t stride,
                             const float *x, const float *gy,
                             const ub__norm_row *row, float *gx, int accumulate)
{
    for (int64_t r = 0; r < rows; r++, x += stride, gy += stride, gx += stride)
        if (row->relu && accumulate)
            gradient_row(n, x, gy, *row, gx, 1, 1);
        else if (row->relu)
            gradient_row(n, x, gy, *row, gx, 1, 0);
        else if (accumulate)
            gradient_row(n, x, gy, *row, gx, 0, 1);
        else
            gradient_row(n, x, gy, *row, gx, 0, 0);
}
