/* SPDX-License-Identifier: BSD-2-Clause */
#include "data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A multiplication and an addition for each term, some of them fused. */
#define TOLERANCE 1e-6
#define TERMS     11

static const struct {
    int64_t rows, n;
} shapes[] = {
    { 1, 1 }, { 1, 3 }, { 1, 16 },  { 1, 67 },  { 1, 4099 }, { 1, 140001 },
    { 3, 1 }, { 5, 9 }, { 17, 27 }, { 7, 130 }, { 40, 576 }, { 3, 30011 },
};
#define SHAPES ((int) (sizeof shapes / sizeof *shapes))

static void find_ranges(int64_t rows, int64_t n, const float *x, float *out)
{
    for (int64_t row = 0; row < rows; row++) {
        out[2 * row] = out[2 * row + 1] = x[row * n];
        for (int64_t i = 0; i < n; i++) {
            out[2 * row] = fminf(out[2 * row], x[row * n + i]);
            out[2 * row + 1] = fmaxf(out[2 * row + 1], x[row * n + i]);
        }
    }
}

/* Bits 1, 2, ...; the third term is left out, the fifth leaves x alone. The
 * range is a bit smaller than that of x, so that some are clamped. */
static ub__grid *make_grids(int64_t rows, const float *ranges, int terms)
{
    ub__grid *grids = calloc((size_t) (rows > 0 ? rows : 1),
                             TERMS * sizeof *grids);

    assert_non_null(grids);
    for (int64_t i = 0; i < rows * terms; i++) {
        const int t = (int) (i % terms);
        ub__grid *g = &grids[i];
        float range = ranges[i / terms * 2 + 1] - ranges[i / terms * 2];

        range = range > 0.0f ? 0.9f * range : 1.0f;
        g->zero = ranges[i / terms * 2];
        g->top = (float) ((2 << t) - 1);
        g->scale = range / g->top;
        g->inverse = g->top / range;
        g->high = g->zero + range;
        g->factor = t == 2 ? 0.0f : 0.25f * (float) (t + 1);
        g->identity = t == 4;
    }
    return grids;
}

static double level(float x, const ub__grid *g)
{
    float u = (x - g->zero) * g->inverse;

    if (g->identity)
        return (double) x;
    u = fminf(fmaxf(u, 0.0f), g->top);
    return (double) nearbyintf(u) * (double) g->scale + (double) g->zero;
}

static double slope(float x, const ub__grid *g)
{
    return g->identity || (x > g->zero && x < g->high) ? (double) g->factor
                                                       : 0.0;
}

static void check(ub_context *context, int64_t rows, int64_t n, int terms)
{
    int64_t count = rows * n;
    float *x = test_values(count, 1), *gy = test_values(count, 2);
    float *ranges = test_garbage(2 * rows), *expected = test_garbage(2 * rows);
    float *y = test_garbage(count), *gx = test_garbage(count);
    double *ey = calloc((size_t) count, sizeof *ey), out[TERMS];
    double *eg = calloc((size_t) count, sizeof *eg), edots[TERMS] = { 0.0 };
    ub__grid *grids;

    find_ranges(rows, n, x, expected);
    ub__ranges(context, rows, n, x, ranges);
    test_same_bits(ranges, expected, 2 * rows);
    grids = make_grids(rows, ranges, terms);
    for (int64_t i = 0; i < count; i++) {
        for (int t = 0; t < terms; t++) {
            const ub__grid *g = &grids[i / n * terms + t];

            ey[i] += (double) g->factor * level(x[i], g);
            eg[i] += slope(x[i], g) * (double) gy[i];
            edots[t] += (double) (float) level(x[i], g) * (double) gy[i];
        }
    }
    ub__quantize(context, rows, n, x, terms, grids, y);
    test_all_close(y, ey, count, TOLERANCE * terms, "quantize");
    ub__quantize_backward(context, rows, n, x, gy, terms, grids, gx, 0);
    test_all_close(gx, eg, count, TOLERANCE * terms, "gradient");
    for (int64_t i = 0; i < count; i++)
        eg[i] *= 2.0;
    ub__quantize_backward(context, rows, n, x, gy, terms, grids, gx, 1);
    test_all_close(gx, eg, count, TOLERANCE * terms, "gradient, added");
    /* levels are rounded to float with or without fusing */
    ub__quantize_dots(context, rows, n, x, gy, terms, grids, out);
    for (int t = 0; t < terms; t++)
        assert_close(out[t], edots[t], 1e-6 * sqrt((double) count) + 1e-6);
    free(x);
    free(gy);
    free(ranges);
    free(expected);
    free(y);
    free(gx);
    free(ey);
    free(eg);
    free(grids);
}

static void operators(void **state)
{
    (void) state;
    for (int number = 0; number < TEST_CONTEXTS; number++) {
        ub_context *context = test_variant(number);

        for (int i = 0; i < SHAPES; i++) {
            check(context, shapes[i].rows, shapes[i].n, 1);
            check(context, shapes[i].rows, shapes[i].n, 3);
            if (shapes[i].n < 10000)
                check(context, shapes[i].rows, shapes[i].n, TERMS);
        }
        ub_context_destroy(&context);
    }
}

/* Ties go to even levels, in every variant and at every place of a vector. */
static void ties(void **state)
{
    const ub__grid grid = { -2.0f, 0.5f, 2.0f, 15.0f, 9.0f, 1.0f, 0 };
    float x[40], y[40];

    (void) state;
    for (int number = 0; number < TEST_CONTEXTS; number++) {
        ub_context *context = test_variant(number);

        for (int i = 0; i < 40; i++)
            x[i] = -2.0f + 0.25f * (float) i; /* level i / 2 */
        ub__quantize(context, 1, 40, x, 1, &grid, y);
        for (int i = 0; i < 40; i++) {
            int k = i % 2 == 0 ? i / 2 : (i + 1) / 4 * 2;

            assert_true(y[i] == -2.0f + 0.5f * (float) (k < 15 ? k : 15));
        }
        ub_context_destroy(&context);
    }
}

static void nans(void **state)
{
    const ub__grid grid = { -1.0f, 0.5f, 2.0f, 3.0f, 0.5f, 1.0f, 0 };
    float x[67], y[67], range[2];

    (void) state;
    for (int number = 0; number < TEST_CONTEXTS; number++) {
        ub_context *context = test_variant(number);

        for (int i = 0; i < 67; i++)
            x[i] = (float) i;
        x[3] = x[66] = NAN;
        ub__ranges(context, 1, 67, x, range);
        assert_true(range[0] == 0.0f && range[1] == 65.0f);
        ub__quantize(context, 1, 67, x, 1, &grid, y);
        for (int i = 0; i < 67; i++)
            assert_int_equal(isnan(y[i]) != 0, i == 3 || i == 66);
        ub_context_destroy(&context);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operators),
        cmocka_unit_test(ties),
        cmocka_unit_test(nans),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
