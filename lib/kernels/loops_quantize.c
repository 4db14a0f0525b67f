/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/variant.h"

#include <math.h>

/* Numbers from here on have no binary places. */
#define WHOLE 0x1p23f

/* One element at a time, for the ends of rows. */
INLINE vector load_some(const float *x, int64_t n)
{
    float some[WIDTH] = { 0.0f };

    memcpy(some, x, (size_t) n * sizeof *some);
    return load(some);
}

void UB__LOOP(range)(int64_t n, const float *x, float out[2])
{
    vector low = splat(INFINITY), high = splat(-INFINITY);
    int64_t i = 0;

    for (; i + WIDTH <= n; i += WIDTH) {
        vector v = load(x + i);

        low = choose((mask_vector) (v < low), v, low);
        high = choose((mask_vector) (v > high), v, high);
    }
    out[0] = INFINITY;
    out[1] = -INFINITY;
    for (int lane = 0; lane < WIDTH; lane++) {
        out[0] = low[lane] < out[0] ? low[lane] : out[0];
        out[1] = high[lane] > out[1] ? high[lane] : out[1];
    }
    for (; i < n; i++) {
        out[0] = x[i] < out[0] ? x[i] : out[0];
        out[1] = x[i] > out[1] ? x[i] : out[1];
    }
}

/* The clamp stands between product and sum, so that no compiler fuses them:
 * every variant finds the same level. Comparisons let NaN through. */
INLINE vector level(vector x, const ub__grid *grid)
{
    const vector top = splat(grid->top), zero = { 0 };
    vector u = (x - splat(grid->zero)) * splat(grid->inverse);

    u = choose((mask_vector) (u < zero), zero, u);
    u = choose((mask_vector) (u > top), top, u);
    return u + splat(WHOLE) - splat(WHOLE);
}

INLINE vector quantize_vector(vector x, int terms, const ub__grid *grids)
{
    vector sum = { 0 };

    for (int t = 0; t < terms; t++) {
        const ub__grid *grid = &grids[t];
        vector y = x;

        if (grid->factor == 0.0f)
            continue;
        if (!grid->identity)
            y = level(x, grid) * splat(grid->scale) + splat(grid->zero);
        sum += splat(grid->factor) * y;
    }
    return sum;
}

void UB__LOOP(quantize)(int64_t n, const float *x, int terms,
                        const ub__grid *grids, float *y)
{
    int64_t i = 0;

    for (; i + WIDTH <= n; i += WIDTH)
        store(y + i, quantize_vector(load(x + i), terms, grids));
    if (i < n) {
        vector rest = quantize_vector(load_some(x + i, n - i), terms, grids);

        memcpy(y + i, &rest, (size_t) (n - i) * sizeof *y);
    }
}

INLINE vector gradient_vector(vector x, vector gy, int terms,
                              const ub__grid *grids)
{
    vector sum = { 0 };

    for (int t = 0; t < terms; t++) {
        const ub__grid *grid = &grids[t];
        mask_vector inside;

        if (grid->factor == 0.0f)
            continue;
        inside = (mask_vector) (x > splat(grid->zero)) &
                 (mask_vector) (x < splat(grid->high));
        if (grid->identity)
            inside = ~(mask_vector){ 0 };
        sum += where(inside, splat(grid->factor));
    }
    return sum * gy;
}

void UB__LOOP(quantize_backward)(int64_t n, const float *x, const float *gy,
                                 int terms, const ub__grid *grids, float *gx,
                                 int accumulate)
{
    int64_t i = 0;

    for (; i + WIDTH <= n; i += WIDTH) {
        vector g = gradient_vector(load(x + i), load(gy + i), terms, grids);

        if (accumulate)
            g += load(gx + i);
        store(gx + i, g);
    }
    if (i < n) {
        vector g = gradient_vector(load_some(x + i, n - i),
                                   load_some(gy + i, n - i), terms, grids);

        if (accumulate)
            g += load_some(gx + i, n - i);
        memcpy(gx + i, &g, (size_t) (n - i) * sizeof *gx);
    }
}
