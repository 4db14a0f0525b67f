/* SPDX-License-Identifier: BSD-2-Clause */
#include "data.h"

#include <math.h>
#include <stdlib.h>

/* Statistics are sums in double, of float inputs. */
#define STATISTICS 1e-9
/* A few float operations per element. */
#define TOLERANCE  1e-5
/* Sums over a channel cancel; their terms are of order 1. */
#define SUMS       1e-4

/* batch, channels, area */
static const int64_t shapes[][3] = {
    { 1, 1, 1 },        { 2, 1, 1 },   { 5, 3, 7 },
    { 3, 17, 16 },      { 4, 2, 35 },  { 64, 1, 16 },
    { 40, 2, 31 * 31 }, { 7, 16, 64 }, { 300, 1, 256 },
};

struct scene {
    ub__norm norm;
    int64_t n;
    float *x, *gy, *weight, *bias;
    double *mean, *variance;
    float *mean_f, *inverse, *scale, *shift;
};

static void *doubles(int64_t n)
{
    double *values = calloc((size_t) n, sizeof *values);

    assert_non_null(values);
    return values;
}

static int64_t channel_of(const struct scene *scene, int64_t i)
{
    return i / scene->norm.area % scene->norm.channels;
}

static void reference_statistics(struct scene *scene)
{
    double count = (double) (scene->norm.batch * scene->norm.area);

    for (int64_t i = 0; i < scene->n; i++)
        scene->mean[channel_of(scene, i)] += (double) scene->x[i] / count;
    for (int64_t i = 0; i < scene->n; i++) {
        double d = (double) scene->x[i] - scene->mean[channel_of(scene, i)];

        scene->variance[channel_of(scene, i)] += d * d / count;
    }
}

static void scene_init(struct scene *scene, const int64_t shape[3], int relu)
{
    int64_t channels = shape[1];

    scene->norm.batch = shape[0];
    scene->norm.channels = shape[1];
    scene->norm.area = shape[2];
    scene->norm.relu = relu;
    scene->n = shape[0] * shape[1] * shape[2];
    scene->x = test_values(scene->n, 1);
    scene->gy = test_values(scene->n, 2);
    scene->weight = test_values(channels, 3);
    scene->bias = test_values(channels, 4);
    scene->mean = doubles(channels);
    scene->variance = doubles(channels);
    reference_statistics(scene);
    scene->mean_f = test_garbage(channels);
    scene->inverse = test_garbage(channels);
    scene->scale = test_garbage(channels);
    scene->shift = test_garbage(channels);
    for (int64_t c = 0; c < channels; c++) {
        scene->mean_f[c] = (float) scene->mean[c];
        scene->inverse[c] = (float) (1.0 / sqrt(scene->variance[c] + 1e-5));
        scene->scale[c] = scene->weight[c] * scene->inverse[c];
        scene->shift[c] = scene->bias[c] - scene->mean_f[c] * scene->scale[c];
    }
}

static void scene_free(struct scene *scene)
{
    free(scene->x);
    free(scene->gy);
    free(scene->weight);
    free(scene->bias);
    free(scene->mean);
    free(scene->variance);
    free(scene->mean_f);
    free(scene->inverse);
    free(scene->scale);
    free(scene->shift);
}

static void reserve(ub_context *context, const ub__norm *norm)
{
    test_scratch(context, ub__norm_scratch(context, norm));
}

static void check_forward(ub_context *context, const struct scene *scene)
{
    const ub__norm *norm = &scene->norm;
    double *mean = doubles(norm->channels), *variance = doubles(norm->channels);
    double *expected = doubles(scene->n);
    float *y = test_garbage(scene->n);
    ub__term *of = calloc((size_t) norm->channels, sizeof *of);
    const float *x = scene->x;

    reserve(context, norm);
    ub__norm_statistics(context, norm, scene->x, mean, variance);
    for (int64_t c = 0; c < norm->channels; c++) {
        assert_close(mean[c], scene->mean[c], STATISTICS);
        assert_close(variance[c], scene->variance[c], STATISTICS);
        of[c] = (ub__term){ 1.0f, scene->scale[c], scene->shift[c],
                            norm->relu ? UB__TERM_RELU : UB__TERM_AFFINE };
    }
    for (int64_t i = 0; i < scene->n; i++) {
        int64_t c = channel_of(scene, i);

        expected[i] = (double) scene->x[i] * (double) scene->scale[c] +
                      (double) scene->shift[c];
        if (norm->relu && expected[i] < 0.0)
            expected[i] = 0.0;
    }
    ub__combine(context, norm->batch, norm->channels, norm->area, 1, &x, of, y);
    test_all_close(y, expected, scene->n, TOLERANCE, "apply");
    free(mean);
    free(variance);
    free(expected);
    free(of);
    free(y);
}

/* The textbook formula, term by term; the mask as the kernel defines it. */
static void reference_backward(const struct scene *scene, int training,
                               double factor, double *gx, double *gweight,
                               double *gbias, double *products)
{
    double count = (double) (scene->norm.batch * scene->norm.area);

    for (int pass = 0; pass < 2; pass++) {
        for (int64_t i = 0; i < scene->n; i++) {
            int64_t c = channel_of(scene, i);
            double inverse = (double) scene->inverse[c];
            double h = ((double) scene->x[i] - (double) scene->mean_f[c]) *
                       inverse;
            double z = (double) scene->x[i] * (double) scene->scale[c] +
                       (double) scene->shift[c];
            double g = scene->norm.relu && z <= 0.0 ? 0.0
                                                    : (double) scene->gy[i];

            if (pass == 0) {
                gweight[c] += factor * g * h;
                gbias[c] += factor * g;
                products[c] += g * z;
            } else {
                double rest = training ? (gbias[c] + h * gweight[c]) / count
                                       : 0.0;

                gx[i] = (double) scene->weight[c] * inverse *
                        (factor * g - rest);
            }
        }
    }
}

static void add(double *sum, const float *base, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        sum[i] += (double) base[i];
}

static void check_products(const double *products, const double *expected,
                           int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        assert_close(products[i], expected[i],
                     SUMS * (1.0 + fabs(expected[i])));
}

static void check_backward(ub_context *context, const struct scene *scene,
                           int training, float factor)
{
    int64_t n = scene->n, c = scene->norm.channels;
    double *gx = doubles(n), *gweight = doubles(c), *gbias = doubles(c);
    double *expected = doubles(c), *products = doubles(c);
    float *out = test_garbage(n), *again = test_garbage(n);
    float *weight = test_garbage(c), *bias = test_garbage(c);
    ub__norm_gradient all = { .training = training }, some;

    reference_backward(scene, training, (double) factor, gx, gweight, gbias,
                       expected);
    all.x = scene->x;
    all.gy = scene->gy;
    all.factor = factor;
    all.mean = scene->mean_f;
    all.inverse_deviation = scene->inverse;
    all.weight = scene->weight;
    all.bias = scene->bias;
    some = all;
    all.gx = out;
    all.gweight = weight;
    all.gbias = bias;
    all.products = products;
    reserve(context, &scene->norm);
    ub__norm_backward(context, &scene->norm, &all);
    test_all_close(out, gx, n, SUMS, "gx");
    test_all_close(weight, gweight, c, SUMS, "gweight");
    test_all_close(bias, gbias, c, SUMS, "gbias");
    check_products(products, expected, c);
    some.gx = again;
    reserve(context, &scene->norm);
    ub__norm_backward(context, &scene->norm, &some);
    test_same_bits(out, again, n);
    add(gx, out, n);
    add(gweight, weight, c);
    add(gbias, bias, c);
    all.accumulate_x = all.accumulate_weight = 1;
    reserve(context, &scene->norm);
    ub__norm_backward(context, &scene->norm, &all);
    test_all_close(out, gx, n, SUMS, "gx, added");
    test_all_close(weight, gweight, c, SUMS, "gweight, added");
    test_all_close(bias, gbias, c, SUMS, "gbias, added");
    check_products(products, expected, c); /* stored, never added */
    some.gx = NULL;
    some.gweight = weight;
    some.gbias = bias;
    reserve(context, &scene->norm);
    ub__norm_backward(context, &scene->norm, &some);
    add(gweight, weight, c); /* twice the gradient so far, and once more */
    for (int64_t i = 0; i < c; i++) {
        assert_close((double) weight[i], gweight[i] / 3.0,
                     SUMS * (1.0 + fabs(gweight[i])));
        products[i] = NAN;
    }
    some.gweight = some.gbias = NULL;
    some.products = products;
    reserve(context, &scene->norm);
    ub__norm_backward(context, &scene->norm, &some);
    check_products(products, expected, c);
    free(gx);
    free(gweight);
    free(gbias);
    free(expected);
    free(products);
    free(out);
    free(again);
    free(weight);
    free(bias);
}

static void against_reference(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        for (int relu = 0; relu < 2; relu++) {
            struct scene scene;

            scene_init(&scene, shapes[i], relu);
            for (int number = 0; number < TEST_CONTEXTS; number++) {
                ub_context *context = test_variant(number);

                check_forward(context, &scene);
                /* One value: its deviation is 0, the formula is 0 * large. */
                for (int training = scene.norm.batch * scene.norm.area > 1;
                     training >= 0; training--) {
                    check_backward(context, &scene, training, 1.0f);
                    check_backward(context, &scene, training, -0.75f);
                }
                ub_context_destroy(&context);
            }
            scene_free(&scene);
        }
    }
}

/* A mean 10^4 times the deviation must not drown the variance. */
static void large_mean(void **state)
{
    enum { N = 4096 };
    ub__norm norm = { 16, 1, N / 16, 0 };
    float *x = test_values(N, 9);
    double mean = 0.0, variance = 0.0, expected = 0.0, center = 0.0;

    (void) state;
    for (int i = 0; i < N; i++) {
        x[i] += 1e4f;
        center += (double) x[i] / N;
    }
    for (int i = 0; i < N; i++)
        expected += ((double) x[i] - center) * ((double) x[i] - center) / N;
    for (int number = 0; number < TEST_CONTEXTS; number++) {
        ub_context *context = test_variant(number);

        reserve(context, &norm);
        ub__norm_statistics(context, &norm, x, &mean, &variance);
        assert_close(mean, center, 1e-9);
        assert_close(variance, expected, 1e-9);
        ub_context_destroy(&context);
    }
    free(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_reference),
        cmocka_unit_test(large_mean),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
