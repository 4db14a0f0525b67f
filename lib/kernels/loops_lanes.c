/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/variant.h"

/*
 * Convolutions of images that lie side by side, one in each lane of a vector.
 * Up to LANE_FILTERS x UB__POINTS sums stay in registers; written so that the
 * compiler sees constant loops over an array of vectors.
 */
#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 24")
#endif

#define SUMS (LANE_FILTERS * UB__POINTS)

/* Compilers would read a factor from memory again for each product. */
#if defined __x86_64__
#define LOAD_ONCE(v) __asm__("" : "+v"(v))
#else
#define LOAD_ONCE(v)
#endif

INLINE void load_points(const float *x, int64_t step, int points, vector *line)
{
    UNROLL
    for (int p = 0; p < points; p++)
        line[p] = load(x + p * step);
}

INLINE void add_products(vector factor, const vector *line, int points,
                         vector *sum)
{
    UNROLL
    for (int p = 0; p < points; p++)
        sum[p] += factor * line[p];
}

INLINE void filter_tile(const ub__filter_tile *t, int filters, int points)
{
    const int64_t w_tap = t->w_tap, x_tap = t->x_tap, x_point = t->x_point;
    const int64_t taps = t->taps;
    vector sum[SUMS];

    UNROLL
    for (int i = 0; i < filters * points; i++)
        sum[i] = (vector){ 0 };
    for (int64_t c = 0; c < t->channels; c++) {
        for (int64_t i = 0; i < t->rows; i++) {
            const float *w = t->w + c * t->w_channel + i * t->w_row;
            const float *x = t->x + c * t->x_channel + i * t->x_row;

            for (int64_t j = 0; j < taps; j++, w += w_tap, x += x_tap) {
                vector line[UB__POINTS];

                load_points(x, x_point, points, line);
                UNROLL
                for (int f = 0; f < filters; f++)
                    add_products(splat(w[f]), line, points, sum + f * points);
            }
        }
    }
    UNROLL
    for (int f = 0; f < filters; f++) {
        UNROLL
        for (int p = 0; p < points; p++) {
            float *y = t->y + f * t->y_filter + p * t->y_point;

            if (t->add)
                sum[f * points + p] += load(y);
            store(y, sum[f * points + p]);
        }
    }
}

INLINE void weight_tile(const ub__weight_tile *t, int filters, int points)
{
    const int64_t g_filter = t->g_filter, x_channel = t->x_channel;
    const int64_t columns = t->columns, x_column = t->x_column;
    vector sum[SUMS];

    UNROLL
    for (int f = 0; f < filters; f++)
        load_points(t->sums + f * t->sums_filter, t->sums_channel, points,
                    sum + f * points);
    for (int64_t b = 0; b < t->blocks; b++) {
        for (int64_t i = 0; i < t->rows; i++) {
            const float *g = t->g + b * t->g_block + i * t->g_row;
            const float *x = t->x + b * t->x_block + i * t->x_row;

            for (int64_t j = 0; j < columns; j++, g += WIDTH, x += x_column) {
                vector line[UB__POINTS];

                load_points(x, x_channel, points, line);
                UNROLL
                for (int f = 0; f < filters; f++) {
                    vector factor = load(g + f * g_filter);

                    LOAD_ONCE(factor);
                    add_products(factor, line, points, sum + f * points);
                }
            }
        }
    }
    UNROLL
    for (int f = 0; f < filters; f++) {
        UNROLL
        for (int p = 0; p < points; p++)
            store(t->sums + f * t->sums_filter + p * t->sums_channel,
                  sum[f * points + p]);
    }
}

/* -- one function for each size -------------------------------------------- */

#if LANE_FILTERS == 8
#define EACH(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8)
#else
#define EACH(X) X(1) X(2) X(3) X(4)
#endif

#define FUNCTIONS(f, p)                                     \
    static void filters_##f##_##p(const ub__filter_tile *t) \
    {                                                       \
        filter_tile(t, f, p);                               \
    }                                                       \
    static void weights_##f##_##p(const ub__weight_tile *t) \
    {                                                       \
        weight_tile(t, f, p);                               \
    }
#define THREE(f) FUNCTIONS(f, 1) FUNCTIONS(f, 2) FUNCTIONS(f, 3)
EACH(THREE)

void UB__LOOP(filter_tile)(const ub__filter_tile *tile)
{
#define ROW(f) { filters_##f##_1, filters_##f##_2, filters_##f##_3 },
    static void (*const sizes[][UB__POINTS])(
        const ub__filter_tile *) = { EACH(ROW) };
#undef ROW

    sizes[tile->filters - 1][tile->points - 1](tile);
}

void UB__LOOP(weight_tile)(const ub__weight_tile *tile)
{
#define ROW(f) { weights_##f##_1, weights_##f##_2, weights_##f##_3 },
    static void (*const sizes[][UB__POINTS])(
        const ub__weight_tile *) = { EACH(ROW) };
#undef ROW

    sizes[tile->filters - 1][tile->points - 1](tile);
}

typedef float quad __attribute__((vector_size(16), aligned(4), may_alias));

/* The sum of each vector's lanes, by fours. */
void UB__LOOP(sum_lanes)(int64_t n, const float *from, float *to,
                         int64_t to_stride, int accumulate)
{
    for (int64_t i = 0; i < n; i++, from += WIDTH, to += to_stride) {
        quad four = *(const quad *) from;
        float sum;

        UNROLL
        for (int l = 4; l < WIDTH; l += 4)
            four += *(const quad *) (from + l);
        sum = (four[0] + four[1]) + (four[2] + four[3]);
        *to = accumulate ? *to + sum : sum;
    }
}
