/* SPDX-License-Identifier: BSD-2-Clause */
#include "data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A few float operations per element. */
#define TOLERANCE 1e-6
/* Sums of products in double, which are exact up to their order. */
#define SUMS      1e-12

static const int64_t lengths[] = { 1, 3, 16, 17, 67, 1000, 4099, 70001 };
#define LENGTHS ((int) (sizeof lengths / sizeof *lengths))

static double *zeros(int64_t n)
{
    double *values = calloc((size_t) n, sizeof *values);

    assert_non_null(values);
    return values;
}

static void check_relu(ub_context *context, int64_t n)
{
    float *x = test_values(n, 1), *gy = test_values(n, 2);
    float *y = test_garbage(n), *gx = test_garbage(n);

    x[n / 2] = 0.0f;
    ub__relu_forward(context, n, x, y);
    for (int64_t i = 0; i < n; i++)
        assert_true(y[i] == (x[i] > 0.0f ? x[i] : 0.0f));
    ub__relu_backward(context, n, y, gy, gx, 0);
    for (int64_t i = 0; i < n; i++)
        assert_true(gx[i] == (x[i] > 0.0f ? gy[i] : 0.0f));
    ub__relu_backward(context, n, y, gy, gx, 1);
    for (int64_t i = 0; i < n; i++)
        assert_true(gx[i] == (x[i] > 0.0f ? gy[i] + gy[i] : 0.0f));
    x[0] = NAN;
    ub__relu_forward(context, n, x, y);
    assert_true(isnan(y[0]));
    free(x);
    free(gy);
    free(y);
    free(gx);
}

static void check_scale(ub_context *context, int64_t n)
{
    float *x = test_values(n, 1), *y = test_garbage(n);
    double *expected = zeros(n);

    for (int64_t i = 0; i < n; i++)
        expected[i] = (double) x[i] * 0.75;
    ub__scale(context, n, 0.75f, x, y, 0);
    test_all_close(y, expected, n, TOLERANCE, "scale");
    for (int64_t i = 0; i < n; i++)
        expected[i] = (double) x[i] * -1.75;
    ub__scale(context, n, -2.5f, x, y, 1);
    test_all_close(y, expected, n, 4 * TOLERANCE, "scale, added");
    free(x);
    free(y);
    free(expected);
}

#define TERMS 19

/* Coefficients of a term in a channel; the kinds take turns. */
static ub__term term_of(int64_t c, int t, const float *a)
{
    ub__term of = { a[t], a[(c + t + 1) % TERMS], a[(c + 2 * t) % TERMS],
                    UB__TERM_PLAIN };

    if (t % 3 > 0)
        of.kind = t % 3 == 1 ? UB__TERM_RELU : UB__TERM_AFFINE;
    return of;
}

static double value_of(const ub__term *of, float x)
{
    double z = (double) x * (double) of->scale + (double) of->shift;

    if (of->kind == UB__TERM_PLAIN)
        return (double) of->factor * (double) x;
    return (double) of->factor * (of->kind == UB__TERM_RELU ? fmax(z, 0.0) : z);
}

static void check_combine(ub_context *context, const int64_t shape[3],
                          int terms, int skip, int ones)
{
    int64_t n = shape[0] * shape[1] * shape[2];
    float *x[TERMS], *a = test_values(TERMS, 99), *y = test_garbage(n);
    ub__term *of = calloc((size_t) (shape[1] * TERMS), sizeof *of);
    const float *some[TERMS];
    double *expected = zeros(n);

    for (int t = 0; t < terms; t++) {
        x[t] = test_values(n, (uint64_t) t);
        some[t] = skip > 0 && t % skip == 0 ? NULL : x[t];
        for (int64_t c = 0; c < shape[1]; c++)
            of[c * terms + t] = term_of(c, t, a);
        for (int64_t i = 0; some[t] != NULL && i < n; i++)
            expected[i] += ones ? (double) x[t][i]
                                : value_of(
                                      &of[i / shape[2] % shape[1] * terms + t],
                                      x[t][i]);
    }
    ub__combine(context, shape[0], shape[1], shape[2], terms, some,
                ones ? NULL : of, y);
    test_all_close(y, expected, n, 32 * TOLERANCE, "combine");
    for (int t = 0; t < terms; t++)
        free(x[t]);
    free(a);
    free(of);
    free(y);
    free(expected);
}

static void check_dots(ub_context *context, int64_t n, int terms)
{
    float *x[TERMS], *g = test_values(n, 77);
    const float *some[TERMS];
    double expected[TERMS] = { 0.0 }, out[TERMS], again[TERMS];
    double squares = 0.0;

    for (int t = 0; t < terms; t++) {
        x[t] = test_values(n, (uint64_t) t);
        some[t] = t % 5 == 3 ? NULL : x[t];
        for (int64_t i = 0; some[t] != NULL && i < n; i++)
            expected[t] += (double) x[t][i] * (double) g[i];
    }
    for (int64_t i = 0; i < n; i++)
        squares += (double) g[i] * (double) g[i];
    ub__dots(context, n, terms, some, g, out);
    ub__dots(context, n, terms, some, g, again);
    assert_memory_equal(out, again, (size_t) terms * sizeof *out);
    for (int t = 0; t < terms; t++)
        assert_close(out[t], expected[t], SUMS * (double) (n + 10));
    assert_close(ub__sum_squares(context, n, g), squares,
                 SUMS * (double) (n + 10));
    for (int t = 0; t < terms; t++)
        free(x[t]);
    free(g);
}

static void check_sgd(ub_context *context, int64_t n, int nesterov,
                      float momentum)
{
    float *p = test_values(n, 1), *v = test_garbage(n);
    double *expected_p = zeros(n), *expected_v = zeros(n);

    for (int64_t i = 0; i < n; i++)
        expected_p[i] = (double) p[i];
    for (int step = 0; step < 3; step++) {
        float *g = test_values(n, (uint64_t) (10 + step));

        for (int64_t i = 0; i < n; i++) {
            double d = (double) g[i] * 0.5 + 1e-2 * expected_p[i];

            expected_v[i] = (double) momentum * expected_v[i] + d;
            expected_p[i] -= 0.1 * (nesterov
                                        ? d + (double) momentum * expected_v[i]
                                        : expected_v[i]);
        }
        ub__sgd_step(context, n, p, g, v, 0.5f, 0.1f, momentum, 1e-2f, nesterov,
                     step == 0);
        test_all_close(p, expected_p, n, TOLERANCE, "sgd");
        free(g);
    }
    free(p);
    free(v);
    free(expected_p);
    free(expected_v);
}

static void check_sgd_plain(ub_context *context)
{
    float p[3] = { 1.0f, 2.0f, 3.0f };
    const float g[3] = { 1.0f, -1.0f, 0.5f };

    ub__sgd_step(context, 3, p, g, NULL, 1.0f, 0.5f, 0.0f, 0.0f, 0, 1);
    assert_true(p[0] == 0.5f && p[1] == 2.5f && p[2] == 2.75f);
}

static void check_adam(ub_context *context, int64_t n)
{
    /* beta2 is the float nearest to 0.999, so is the reference's. */
    const double beta1 = (double) 0.9f, beta2 = (double) 0.999f;
    float *p = test_values(n, 1), *m = test_values(n, 0), *v = m;
    double *expected = zeros(n), *em = zeros(n), *ev = zeros(n);

    v = test_copy(m, n);
    memset(m, 0, (size_t) n * sizeof *m);
    memset(v, 0, (size_t) n * sizeof *v);
    for (int64_t i = 0; i < n; i++)
        expected[i] = (double) p[i];
    for (int step = 1; step < 4; step++) {
        float *g = test_values(n, (uint64_t) (10 + step));
        double c1 = 1.0 - pow(beta1, step), c2 = 1.0 - pow(beta2, step);

        for (int64_t i = 0; i < n; i++) {
            double d = (double) g[i] * 2.0 + 1e-2 * expected[i];

            em[i] = beta1 * em[i] + (1.0 - beta1) * d;
            ev[i] = beta2 * ev[i] + (1.0 - beta2) * d * d;
            expected[i] -= 1e-2 * (em[i] / c1) / (sqrt(ev[i] / c2) + 1e-8);
        }
        ub__adam_step(context, n, p, g, m, v, 2.0f, 1e-2f, 0.9f, 0.999f, 1e-8f,
                      1e-2f, c1, c2);
        test_all_close(p, expected, n, 4 * TOLERANCE, "adam");
        free(g);
    }
    free(p);
    free(m);
    free(v);
    free(expected);
    free(em);
    free(ev);
}

static void check_mask(ub_context *context, int64_t batch, int64_t channels,
                       int64_t area)
{
    int64_t n = batch * channels * area;
    float *x = test_values(n, 1), *gy = test_values(n, 2);
    float *mask = test_values(channels, 3), *y = test_garbage(n);
    float *gmask = test_garbage(channels);
    double *expected = zeros(n), *sums = zeros(channels);

    for (int64_t i = 0; i < n; i++) {
        int64_t c = i / area % channels;

        expected[i] = (double) x[i] * (double) mask[c];
        sums[c] += (double) x[i] * (double) gy[i];
    }
    ub__mask_channels(context, batch, channels, area, x, mask, y, 0);
    test_all_close(y, expected, n, TOLERANCE, "mask");
    for (int64_t i = 0; i < n; i++)
        expected[i] *= 2.0;
    ub__mask_channels(context, batch, channels, area, x, mask, y, 1);
    test_all_close(y, expected, n, TOLERANCE, "mask, added");
    ub__mask_backward(context, batch, channels, area, x, gy, gmask, 0);
    test_all_close(gmask, sums, channels, TOLERANCE, "gmask");
    for (int64_t c = 0; c < channels; c++)
        sums[c] *= 2.0;
    ub__mask_backward(context, batch, channels, area, x, gy, gmask, 1);
    test_all_close(gmask, sums, channels, TOLERANCE, "gmask, added");
    free(x);
    free(gy);
    free(mask);
    free(y);
    free(gmask);
    free(expected);
    free(sums);
}

typedef void (*checker)(ub_context *context);

static void in_all_contexts(checker check)
{
    for (int number = 0; number < TEST_CONTEXTS; number++) {
        ub_context *context = test_variant(number);

        check(context);
        ub_context_destroy(&context);
    }
}

static void check_maps(ub_context *context)
{
    for (int i = 0; i < LENGTHS; i++) {
        check_relu(context, lengths[i]);
        check_scale(context, lengths[i]);
    }
}

static void check_terms(ub_context *context)
{
    /* batch, channels, area */
    static const int64_t shapes[][3] = {
        { 1, 7, 1 },  { 2, 3, 5 },   { 3, 2, 16 },      { 2, 5, 83 },
        { 5, 1, 64 }, { 7, 3, 129 }, { 9, 4, 33 * 33 },
    };

    for (int i = 0; i < LENGTHS; i++) {
        const int64_t flat[] = { 1, 1, lengths[i] };

        check_combine(context, flat, 1 + i, 0, 0);
        check_combine(context, flat, 1 + i, 3, 1);
        check_combine(context, flat, 2, 1, 0);
        check_dots(context, lengths[i], 1 + i);
    }
    for (int i = 0; i < 7; i++) {
        check_combine(context, shapes[i], 1, 0, 0);
        check_combine(context, shapes[i], 2 + i, 0, 0);
        check_combine(context, shapes[i], TERMS, 7, 0);
    }
    check_dots(context, 1000, TERMS);
}

static void check_optimizers(ub_context *context)
{
    for (int i = 0; i < LENGTHS; i++) {
        check_sgd(context, lengths[i], 0, 0.0f);
        check_sgd(context, lengths[i], 0, 0.9f);
        check_sgd(context, lengths[i], 1, 0.9f);
        check_adam(context, lengths[i]);
    }
    check_sgd_plain(context);
}

static void check_masks(ub_context *context)
{
    check_mask(context, 1, 1, 1);
    check_mask(context, 3, 5, 7);
    check_mask(context, 17, 3, 16);
    check_mask(context, 8, 16, 33 * 33);
}

static void maps(void **state)
{
    (void) state;
    in_all_contexts(check_maps);
}

static void terms(void **state)
{
    (void) state;
    in_all_contexts(check_terms);
}

static void optimizers(void **state)
{
    (void) state;
    in_all_contexts(check_optimizers);
}

/* NaN stays NaN in every kind of term, also through the ReLU. */
static void check_nan(ub_context *context)
{
    for (int kind = 0; kind < 3; kind++) {
        float *x = test_values(67, 5), *y = test_garbage(67);
        const float *some[] = { x };
        ub__term of = { 2.0f, 3.0f, -1.0f, UB__TERM_PLAIN };

        of.kind = kind == 0   ? UB__TERM_PLAIN
                  : kind == 1 ? UB__TERM_AFFINE
                              : UB__TERM_RELU;
        x[3] = x[66] = NAN;
        ub__combine(context, 1, 1, 67, 1, some, &of, y);
        for (int i = 0; i < 67; i++)
            assert_int_equal(isnan(y[i]) != 0, i == 3 || i == 66);
        free(x);
        free(y);
    }
}

static void nans(void **state)
{
    (void) state;
    in_all_contexts(check_nan);
}

static void masks(void **state)
{
    (void) state;
    in_all_contexts(check_masks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps),  cmocka_unit_test(terms),
        cmocka_unit_test(nans),  cmocka_unit_test(optimizers),
        cmocka_unit_test(masks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
