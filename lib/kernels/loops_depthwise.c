/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/variant.h"

/*
 * Depthwise convolutions of planes that lie side by side, one in each lane of a
 * vector, with a kernel in each lane.
 */

INLINE void plane_tile(const ub__plane_tile *t, int points)
{
    const int64_t taps = t->taps, w_tap = t->w_tap;
    const int64_t x_tap = t->x_tap, x_point = t->x_point;
    const vector start = load(t->start);
    vector sum[UB__PLANE_POINTS];

    UNROLL
    for (int p = 0; p < points; p++)
        sum[p] = start;
    for (int64_t i = 0; i < t->rows; i++) {
        const float *w = t->w + i * t->w_row;
        const float *x = t->x + i * t->x_row;

        for (int64_t j = 0; j < taps; j++, w += w_tap, x += x_tap) {
            const vector factor = load(w);

            UNROLL
            for (int p = 0; p < points; p++)
                sum[p] += factor * load(x + p * x_point);
        }
    }
    UNROLL
    for (int p = 0; p < points; p++)
        store(t->y + p * t->y_point, sum[p]);
}

INLINE void add_column(const float *g, const float *x, int64_t x_tap, int taps,
                       vector *sum)
{
    const vector factor = load(g);

    UNROLL
    for (int k = 0; k < taps; k++)
        sum[k] += factor * load(x + k * x_tap);
}

/* Two columns at a time, so that additions wait less for each other. Added at
 * the end: sums of sums lose less than one long one. */
INLINE void tap_tile(const ub__tap_tile *t, int taps)
{
    const int64_t columns = t->columns, x_column = t->x_column;
    const int64_t x_tap = t->x_tap;
    vector even[UB__PLANE_TAPS], odd[UB__PLANE_TAPS];

    UNROLL
    for (int k = 0; k < taps; k++)
        even[k] = odd[k] = (vector){ 0 };
    for (int64_t i = 0; i < t->rows; i++) {
        const float *g = t->g + i * t->g_row;
        const float *x = t->x + i * t->x_row;
        int64_t j = 0;

        for (; j + 2 <= columns; j += 2, g += 2 * WIDTH, x += 2 * x_column) {
            add_column(g, x, x_tap, taps, even);
            add_column(g + WIDTH, x + x_column, x_tap, taps, odd);
        }
        if (j < columns)
            add_column(g, x, x_tap, taps, even);
    }
    UNROLL
    for (int k = 0; k < taps; k++) {
        float *sums = t->sums + k * t->sums_tap;

        store(sums, load(sums) + (even[k] + odd[k]));
    }
}

/* -- one function for each size -------------------------------------------- */

#define EACH_POINTS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8)
#define EACH_TAPS(X)   X(1) X(2) X(3) X(4) X(5)

#define POINTS(n)                                   \
    static void points_##n(const ub__plane_tile *t) \
    {                                               \
        plane_tile(t, n);                           \
    }
EACH_POINTS(POINTS)
#define TAPS(n)                                 \
    static void taps_##n(const ub__tap_tile *t) \
    {                                           \
        tap_tile(t, n);                         \
    }
EACH_TAPS(TAPS)

void UB__LOOP(plane_tile)(const ub__plane_tile *tile)
{
#define NAME(n) points_##n,
    static void (*const sizes[UB__PLANE_POINTS])(
        const ub__plane_tile *) = { EACH_POINTS(NAME) };
#undef NAME

    sizes[tile->points - 1](tile);
}

void UB__LOOP(tap_tile)(const ub__tap_tile *tile)
{
#define NAME(n) taps_##n,
    static void (*const sizes[UB__PLANE_TAPS])(
        const ub__tap_tile *) = { EACH_TAPS(NAME) };
#undef NAME

    sizes[tile->taps - 1](tile);
}
