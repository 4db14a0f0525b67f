/* SPDX-License-Identifier: BSD-2-Clause */
#include "data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Sums of at most 49 values in float. */
#define TOLERANCE 1e-5

/* planes, height, width, kernel h, w, stride, padding */
static const int64_t shapes[][7] = {
    { 1, 1, 1, 1, 1, 1, 0 },    { 3, 7, 5, 2, 2, 2, 0 },
    { 5, 13, 11, 3, 3, 1, 1 },  { 17, 16, 16, 3, 3, 2, 1 },
    { 2, 9, 31, 2, 3, 3, 0 },   { 3, 4, 4, 7, 7, 1, 3 },
    { 64, 32, 32, 2, 2, 2, 0 }, { 100, 17, 19, 3, 3, 1, 1 },
    { 2, 5, 5, 3, 3, 4, 1 },    { 1, 3, 3, 2, 2, 1, 2 }, /* all padding */
    { 301, 4, 4, 2, 2, 2, 0 },  { 37, 8, 8, 2, 2, 2, 0 },
    { 19, 2, 2, 2, 2, 2, 0 },   { 11, 16, 16, 2, 2, 2, 0 },
    { 13, 6, 10, 2, 2, 2, 0 },  { 5, 15, 7, 2, 2, 2, 0 },
    { 3, 90, 24, 2, 2, 2, 0 },  { 2, 6, 1500, 2, 2, 2, 0 },
    { 3, 2, 1500, 2, 2, 2, 0 }, { 2, 3, 2050, 2, 2, 2, 0 }, /* one row */
};

static ub__pool pool_of(const int64_t s[7], int count_padding)
{
    ub__pool pool = { .planes = s[0],
                      .in_height = s[1],
                      .in_width = s[2],
                      .kernel_height = s[3],
                      .kernel_width = s[4],
                      .stride = s[5],
                      .padding = s[6],
                      .count_padding = count_padding };

    pool.out_height = (s[1] + 2 * s[6] - s[3]) / s[5] + 1;
    pool.out_width = (s[2] + 2 * s[6] - s[4]) / s[5] + 1;
    return pool;
}

struct reference {
    const float *x, *gy;
    double *max, *max_gx, *avg, *avg_gx;
    int32_t *index;
};

/* The window of output o, by definition. */
static void reference_window(const ub__pool *pool, int64_t o,
                             const struct reference *ref)
{
    int64_t width = pool->in_width, area = pool->in_height * width;
    int64_t out = pool->out_height * pool->out_width;
    int64_t row = o % out / pool->out_width, column = o % pool->out_width;
    int64_t count = 0;
    double sum = 0.0, factor;

    ref->max[o] = -INFINITY;
    ref->index[o] = -1;
    for (int pass = 0; pass < 2; pass++) {
        factor = pool->count_padding
                     ? (double) (pool->kernel_height * pool->kernel_width)
                     : (double) (count > 0 ? count : 1);
        for (int64_t i = 0; i < pool->kernel_height; i++) {
            for (int64_t j = 0; j < pool->kernel_width; j++) {
                int64_t r = row * pool->stride + i - pool->padding;
                int64_t c = column * pool->stride + j - pool->padding;
                int64_t at = o / out * area + r * width + c;

                if (r < 0 || r >= pool->in_height || c < 0 || c >= width)
                    continue;
                if (pass == 1) {
                    ref->avg_gx[at] += (double) ref->gy[o] / factor;
                    continue;
                }
                count++;
                sum += (double) ref->x[at];
                if ((double) ref->x[at] > ref->max[o]) {
                    ref->max[o] = (double) ref->x[at];
                    ref->index[o] = (int32_t) (r * width + c);
                }
            }
        }
    }
    ref->avg[o] = sum / factor;
    if (ref->index[o] >= 0)
        ref->max_gx[o / out * area + ref->index[o]] += (double) ref->gy[o];
}

static void *zeros(int64_t n, size_t size)
{
    void *memory = calloc((size_t) n, size);

    assert_non_null(memory);
    return memory;
}

static void add(double *sum, const float *base, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        sum[i] += (double) base[i];
}

static void check_max(ub_context *context, const ub__pool *pool,
                      const struct reference *ref, int64_t in, int64_t out)
{
    float *y = test_garbage(out), *gx = test_garbage(in);
    int32_t *index = zeros(out, sizeof *index);

    ub__max_pool_forward(context, pool, ref->x, y, index);
    for (int64_t i = 0; i < out; i++) {
        assert_true((double) y[i] == ref->max[i]);
        assert_int_equal(index[i], ref->index[i]);
    }
    memset(y, 0xff, (size_t) out * sizeof *y);
    ub__max_pool_forward(context, pool, ref->x, y, NULL);
    for (int64_t i = 0; i < out; i++)
        assert_true((double) y[i] == ref->max[i]);
    ub__max_pool_backward(context, pool, ref->gy, index, gx, 0);
    test_all_close(gx, ref->max_gx, in, TOLERANCE, "max gx");
    ub__max_pool_backward(context, pool, ref->gy, index, gx, 1);
    for (int64_t i = 0; i < in; i++)
        assert_close((double) gx[i], 2.0 * ref->max_gx[i],
                     TOLERANCE * (1.0 + fabs(ref->max_gx[i])));
    free(y);
    free(gx);
    free(index);
}

static void check_avg(ub_context *context, const ub__pool *pool,
                      const struct reference *ref, int64_t in, int64_t out)
{
    float *y = test_garbage(out), *gx = test_garbage(in);
    double *sum = zeros(in, sizeof *sum);

    ub__avg_pool_forward(context, pool, ref->x, y);
    test_all_close(y, ref->avg, out, TOLERANCE, "average");
    ub__avg_pool_backward(context, pool, ref->gy, gx, 0);
    test_all_close(gx, ref->avg_gx, in, TOLERANCE, "average gx");
    memcpy(sum, ref->avg_gx, (size_t) in * sizeof *sum);
    add(sum, gx, in);
    ub__avg_pool_backward(context, pool, ref->gy, gx, 1);
    test_all_close(gx, sum, in, TOLERANCE, "average gx, added");
    free(y);
    free(gx);
    free(sum);
}

static void check_shape(const int64_t shape[7], int count_padding)
{
    ub__pool pool = pool_of(shape, count_padding);
    int64_t in = pool.planes * pool.in_height * pool.in_width;
    int64_t out = pool.planes * pool.out_height * pool.out_width;
    float *x = test_values(in, 1), *gy = test_values(out, 2);
    struct reference ref = { .x = x, .gy = gy };

    x[0] = x[in - 1]; /* a tie, perhaps */
    ref.max = zeros(out, sizeof *ref.max);
    ref.avg = zeros(out, sizeof *ref.avg);
    ref.index = zeros(out, sizeof *ref.index);
    ref.max_gx = zeros(in, sizeof *ref.max_gx);
    ref.avg_gx = zeros(in, sizeof *ref.avg_gx);
    for (int64_t o = 0; o < out; o++)
        reference_window(&pool, o, &ref);
    for (int number = 0; number < TEST_CONTEXTS; number++) {
        ub_context *context = test_variant(number);

        check_max(context, &pool, &ref, in, out);
        check_avg(context, &pool, &ref, in, out);
        ub_context_destroy(&context);
    }
    free(x);
    free(gy);
    free(ref.max);
    free(ref.avg);
    free(ref.index);
    free(ref.max_gx);
    free(ref.avg_gx);
}

static void against_reference(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int count_padding = 0; count_padding < 2; count_padding++)
            check_shape(shapes[i], count_padding);
}

/* The first of equal values, -infinity and NaN included. */
static void ties(void **state)
{
    static const float x[3][4] = { { 1.0f, 2.0f, 2.0f, 2.0f },
                                   { -INFINITY, -INFINITY, -INFINITY,
                                     -INFINITY },
                                   { 1.0f, NAN, 3.0f, 2.0f } };
    ub__pool pool = { .planes = 3,
                      .in_height = 2,
                      .in_width = 2,
                      .out_height = 1,
                      .out_width = 1,
                      .kernel_height = 2,
                      .kernel_width = 2,
                      .stride = 2 };

    (void) state;
    for (int number = 0; number < TEST_CONTEXTS; number++) {
        ub_context *context = test_variant(number);
        int32_t index[3] = { 9, 9, 9 };
        float y[3];

        ub__max_pool_forward(context, &pool, x[0], y, index);
        assert_int_equal(index[0], 1);
        assert_int_equal(index[1], 0);
        assert_int_equal(index[2], 1);
        assert_true(isnan(y[2]));
        ub__max_pool_forward(context, &pool, x[0], y, NULL);
        assert_true(isnan(y[2]));
        ub_context_destroy(&context);
    }
}

static void check_global(ub_context *context, int64_t planes, int64_t area)
{
    int64_t n = planes * area;
    float *x = test_values(n, 1), *gy = test_values(planes, 2);
    float *y = test_garbage(planes), *gx = test_garbage(n);
    double *mean = zeros(planes, sizeof *mean);
    double *expected = zeros(n, sizeof *expected);

    for (int64_t i = 0; i < n; i++) {
        mean[i / area] += (double) x[i] / (double) area;
        expected[i] = (double) gy[i / area] / (double) area;
    }
    ub__global_pool_forward(context, planes, area, x, y);
    test_all_close(y, mean, planes, TOLERANCE, "global");
    ub__global_pool_backward(context, planes, area, gy, gx, 0);
    test_all_close(gx, expected, n, TOLERANCE, "global gx");
    add(expected, gx, n);
    ub__global_pool_backward(context, planes, area, gy, gx, 1);
    test_all_close(gx, expected, n, TOLERANCE, "global gx, added");
    free(x);
    free(gy);
    free(y);
    free(gx);
    free(mean);
    free(expected);
}

static void global(void **state)
{
    (void) state;
    for (int number = 0; number < TEST_CONTEXTS; number++) {
        ub_context *context = test_variant(number);

        check_global(context, 1, 1);
        check_global(context, 17, 7);
        check_global(context, 640, 64);
        check_global(context, 3, 49 * 49);
        ub_context_destroy(&context);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_reference),
        cmocka_unit_test(ties),
        cmocka_unit_test(global),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
