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

/* Sums of a few vectors in float go into sums in double. */
struct norm_sums {
    vector sum, product;
    int64_t steps;
    wide_vector total[2]; /* of sum and of product */
};

#define FLUSH_STEPS 16

static inline void norm_flush(struct norm_sums *sums)
{
    float values[2][WIDTH];

    store(values[0], sums->sum);
    store(values[1], sums->product);
    for (int i = 0; i < 2; i++)
        sums->total[i] += load_wide(values[i]) + load_wide(values[i] + HALF);
    sums->sum = sums->product = (vector){ 0 };
    sums->steps = 0;
}

static inline void norm_step(vector x, vector g, const ub__norm_row row,
                             int relu, struct norm_sums *sums)
{
    if (relu)
        g = where((mask_vector) (x * row.scale + row.shift > 0.0f), g);
    sums->sum += g;
    sums->product += g * (x - row.mean);
    if (++sums->steps == FLUSH_STEPS)
        norm_flush(sums);
}

static inline void norm_rows(int64_t rows, int64_t n, int64_t stride,
                             const float *x, const float *gy,
                             const ub__norm_row row, int relu, double out[2])
{
    struct norm_sums sums = { { 0 }, { 0 }, 0, { { 0 }, { 0 } } };

    for (int64_t r = 0; r < rows; r++, x += stride, gy += stride) {
        int64_t i = 0;

        for (; i + WIDTH <= n; i += WIDTH)
            norm_step(load(x + i), load(gy + i), row, relu, &sums);
        if (i < n) {
            float rest_x[WIDTH], rest_gy[WIDTH];

            load_rest(n - i, x + i, 0.0f, rest_x);
            load_rest(n - i, gy + i, 0.0f, rest_gy);
            norm_step(load(rest_x), load(rest_gy), row, relu, &sums);
        }
    }
    norm_flush(&sums);
    out[0] = sum_wide(sums.total[0]);
    out[1] = sum_wide(sums.total[1]);
}

void UB__LOOP(norm_sums)(int64_t rows, int64_t n, int64_t stride,
                         const float *x, const float *gy,
                         const ub__norm_row *row, double out[2])
{
    if (row->relu)
        norm_rows(rows, n, stride, x, gy, *row, 1, out);
    else
        norm_rows(rows, n, stride, x, gy, *row, 0, out);
}

static inline void gradient_row(int64_t n, const float *x, const float *gy,
                                const ub__norm_row row, float *gx, int relu,
                                int accumulate)
{
    for (int64_t i = 0; i < n; i++) {
        float g = !relu || x[i] * row.scale + row.shift > 0.0f ? gy[i] : 0.0f;
        float v = row.factor * g + (row.slope * (x[i] - row.mean) + row.offset);

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
