/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"

#include <uboost/nn.h>

#include <math.h>

static ub_tensor *create(ub_context *context, int rank, const int64_t *shape)
{
    ub_tensor *tensor = NULL;

    assert_int_equal(ub_tensor_create(context, rank, shape, &tensor), UB_OK);
    return tensor;
}

static void moments(const ub_tensor *tensor, double *mean, double *deviation)
{
    int64_t n = ub_tensor_count(tensor);
    double sum = 0.0, squares = 0.0;

    for (int64_t i = 0; i < n; i++)
        sum += (double) ub_tensor_data(tensor)[i];
    *mean = sum / (double) n;
    for (int64_t i = 0; i < n; i++) {
        double d = (double) ub_tensor_data(tensor)[i] - *mean;

        squares += d * d;
    }
    *deviation = sqrt(squares / (double) n);
}

/* Bounds of the sample moments: five standard errors, d / sqrt(n) of the mean
 * and d / sqrt(2 n) of the deviation. */
static void assert_moments(const ub_tensor *tensor, double mean,
                           double deviation)
{
    double n = (double) ub_tensor_count(tensor), m, d;

    moments(tensor, &m, &d);
    assert_true(fabs(m - mean) < 5.0 * deviation / sqrt(n));
    assert_true(fabs(d - deviation) < 5.0 * deviation / sqrt(2.0 * n));
}

static void test_he_normal_counts_fan_in(void **state)
{
    int64_t conv[4] = { 64, 32, 3, 3 }, linear[2] = { 100, 200 };
    ub_tensor *a = create(*state, 4, conv), *b = create(*state, 2, linear);
    ub_rng rng;

    ub_rng_init(&rng, 7, 0);
    assert_int_equal(ub_init_he_normal(a, &rng), UB_OK);
    assert_moments(a, 0.0, sqrt(2.0 / (32.0 * 9.0)));
    assert_int_equal(ub_init_he_normal(b, &rng), UB_OK);
    assert_moments(b, 0.0, sqrt(2.0 / 200.0));
    ub_tensor_unref(&a);
    ub_tensor_unref(&b);
}

static void test_normal_and_uniform(void **state)
{
    int64_t n = 10000;
    ub_tensor *a = create(*state, 1, &n);
    ub_rng rng;

    ub_rng_init(&rng, 7, 1);
    assert_int_equal(ub_init_normal(a, &rng, 3.0, 0.5), UB_OK);
    assert_moments(a, 3.0, 0.5);
    assert_int_equal(ub_init_uniform(a, &rng, -1.0, 2.0), UB_OK);
    assert_moments(a, 0.5, 3.0 / sqrt(12.0));
    for (int64_t i = 0; i < n; i++) {
        assert_true(ub_tensor_data(a)[i] >= -1.0f);
        assert_true(ub_tensor_data(a)[i] <= 2.0f);
    }
    assert_int_equal(ub_init_normal(a, &rng, 3.0, 0.0), UB_OK);
    assert_true(ub_tensor_data(a)[17] == 3.0f);
    ub_tensor_unref(&a);
}

static void test_repeats(void **state)
{
    int64_t shape[2] = { 5, 7 };
    ub_tensor *a = create(*state, 2, shape), *b = create(*state, 2, shape);
    ub_rng rng;

    ub_rng_init(&rng, 7, 0);
    assert_int_equal(ub_init_he_normal(a, &rng), UB_OK);
    ub_rng_init(&rng, 7, 0);
    assert_int_equal(ub_init_he_normal(b, &rng), UB_OK);
    assert_memory_equal(ub_tensor_data(a), ub_tensor_data(b),
                        35 * sizeof(float));
    ub_tensor_unref(&a);
    ub_tensor_unref(&b);
}

static void test_refuses(void **state)
{
    int64_t n = 4;
    ub_tensor *a = create(*state, 1, &n);
    ub_rng rng;

    ub_rng_init(&rng, 7, 0);
    assert_int_equal(ub_init_he_normal(a, &rng), UB_ERR_SHAPE);
    assert_int_equal(ub_init_he_normal(NULL, &rng), UB_ERR_INVALID);
    assert_int_equal(ub_init_uniform(a, &rng, 1.0, 0.0), UB_ERR_INVALID);
    assert_int_equal(ub_init_uniform(a, &rng, 0.0, (double) INFINITY),
                     UB_ERR_INVALID);
    assert_int_equal(ub_init_uniform(a, NULL, 0.0, 1.0), UB_ERR_INVALID);
    assert_int_equal(ub_init_normal(a, &rng, 0.0, -1.0), UB_ERR_INVALID);
    assert_int_equal(ub_init_normal(a, &rng, (double) NAN, 1.0),
                     UB_ERR_INVALID);
    assert_int_equal(ub_init_normal(NULL, &rng, 0.0, 1.0), UB_ERR_INVALID);
    for (int i = 0; i < 4; i++)
        assert_true(ub_tensor_data(a)[i] == 0.0f);
    ub_tensor_unref(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_he_normal_counts_fan_in),
        cmocka_unit_test(test_normal_and_uniform),
        cmocka_unit_test(test_repeats),
        cmocka_unit_test(test_refuses),
    };

    return cmocka_run_group_tests_name("init", tests, setup, teardown);
}
