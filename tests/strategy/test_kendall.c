/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <math.h>
#include <uboost/strategy.h>

#define MOST 400

static double tau(ub_context *context, int64_t n, const double *x,
                  const double *y)
{
    double out = 7.0;

    assert_int_equal(ub_kendall_tau(context, n, x, y, &out), UB_OK);
    return out;
}

/* By the definition, pair by pair. */
static double plain_tau(int64_t n, const double *x, const double *y)
{
    double difference = 0.0, untied_x = 0.0, untied_y = 0.0;

    for (int64_t i = 0; i < n; i++) {
        for (int64_t k = 0; k < i; k++) {
            const int by_x = (x[i] > x[k]) - (x[i] < x[k]);
            const int by_y = (y[i] > y[k]) - (y[i] < y[k]);

            if (isnan(x[i]) || isnan(x[k]) || isnan(y[i]) || isnan(y[k]))
                continue;
            difference += by_x * by_y;
            untied_x += by_x != 0;
            untied_y += by_y != 0;
        }
    }
    return difference / sqrt(untied_x * untied_y);
}

static void by_hand(void **state)
{
    const double x[] = { 1.0, 2.0, 3.0, 4.0, 5.0 };
    const double reversed[] = { 9.0, 7.0, 5.0, 3.0, 1.0 };
    /* 10 pairs, of which (4, 3) and (2, 1) are the wrong way round */
    const double mixed[] = { 2.0, 1.0, 4.0, 3.0, 5.0 };
    /* 6 pairs: 1 tied in a, 3 in b, the other 2 ordered alike */
    const double a[] = { 1.0, 1.0, 2.0, 3.0 };
    const double b[] = { 1.0, 2.0, 2.0, 2.0 };
    ub_context *context = test_context(1);

    (void) state;
    assert_close(tau(context, 5, x, x), 1.0, 1e-15);
    assert_close(tau(context, 5, x, reversed), -1.0, 1e-15);
    assert_close(tau(context, 5, x, mixed), 0.6, 1e-15);
    assert_close(tau(context, 4, a, b), 2.0 / sqrt(5.0 * 3.0), 1e-15);
    ub_context_destroy(&context);
}

static void undefined(void **state)
{
    const double same[] = { 2.0, 2.0, 2.0 };
    const double unknown[] = { 1.0, NAN, NAN };
    const double x[] = { 1.0, 2.0, 3.0 };
    ub_context *context = test_context(1);

    (void) state;
    assert_true(isnan(tau(context, 0, NULL, NULL)));
    assert_true(isnan(tau(context, 1, x, x)));
    assert_true(isnan(tau(context, 3, same, x)));
    assert_true(isnan(tau(context, 3, x, same)));
    assert_true(isnan(tau(context, 3, x, unknown)));
    ub_context_destroy(&context);
}

/* Few different values: many ties; some unknown, some infinite. */
static double draw(ub_rng *rng, uint64_t values)
{
    const uint64_t value = ub_rng_below(rng, values + 2);

    if (value == values)
        return NAN;
    return value == values + 1 ? -INFINITY : (double) value;
}

static void as_pair_by_pair(void **state)
{
    ub_context *context = test_context(1);
    double x[MOST], y[MOST];
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 5, 0);
    for (int64_t n = 2; n < MOST; n += 1 + n / 8) {
        const uint64_t values = 2 + ub_rng_below(&rng, (uint64_t) n);
        double expected;

        for (int64_t i = 0; i < n; i++) {
            x[i] = draw(&rng, values);
            y[i] = i % 3 == 0 ? x[i] : draw(&rng, values);
        }
        expected = plain_tau(n, x, y);
        /* counts are exact; the quotient is rounded a few times */
        if (isnan(expected))
            assert_true(isnan(tau(context, n, x, y)));
        else
            assert_close(tau(context, n, x, y), expected, 1e-14);
    }
    ub_context_destroy(&context);
}

static void matrix(void **state)
{
    const double values[] = { 1.0, 3.0, NAN, 2.0, 2.0, 1.0,
                              3.0, 4.0, 2.0, 4.0, 1.0, 3.0 };
    const double x[] = { 1.0, 2.0, 3.0, 4.0 }, y[] = { 3.0, 2.0, 4.0, 1.0 };
    ub_context *context = test_context(1);
    double out[9];

    (void) state;
    assert_int_equal(ub_kendall_tau_matrix(context, 4, 3, values, out), UB_OK);
    assert_close(out[0], 1.0, 1e-15);
    assert_close(out[1], tau(context, 4, x, y), 0.0);
    assert_close(out[3], out[1], 0.0);
    assert_close(out[2], 1.0, 1e-15);
    assert_close(out[5], -1.0 / 3.0, 1e-15);
    ub_context_destroy(&context);
}

static void refused(void **state)
{
    const double x[] = { 1.0, 2.0 };
    ub_context *context = test_context(1);
    double out = 7.0;

    (void) state;
    assert_int_equal(ub_kendall_tau(NULL, 2, x, x, &out), UB_ERR_INVALID);
    assert_int_equal(ub_kendall_tau(context, -1, x, x, &out), UB_ERR_INVALID);
    assert_int_equal(ub_kendall_tau(context, INT64_MAX, x, x, &out),
                     UB_ERR_INVALID);
    assert_int_equal(ub_kendall_tau(context, 2, NULL, x, &out), UB_ERR_INVALID);
    assert_int_equal(ub_kendall_tau(context, 2, x, NULL, &out), UB_ERR_INVALID);
    assert_int_equal(ub_kendall_tau(context, 2, x, x, NULL), UB_ERR_INVALID);
    assert_int_equal(ub_kendall_tau_matrix(NULL, 2, 1, x, &out),
                     UB_ERR_INVALID);
    assert_int_equal(ub_kendall_tau_matrix(context, 2, 0, x, &out),
                     UB_ERR_INVALID);
    assert_int_equal(ub_kendall_tau_matrix(context, 2, INT64_MAX, x, &out),
                     UB_ERR_INVALID);
    assert_int_equal(ub_kendall_tau_matrix(context, 2, 1, x, NULL),
                     UB_ERR_INVALID);
    assert_close(out, 7.0, 0.0);
    ub_context_destroy(&context);
}

static ub_status both(ub_context *context, void *arg)
{
    const double values[] = { 1.0, 2.0, 3.0, 4.0 };
    double out[4];
    ub_status status = ub_kendall_tau(context, 4, values, values, out);

    (void) arg;
    return status == UB_OK ? ub_kendall_tau_matrix(context, 2, 2, values, out)
                           : status;
}

static void out_of_memory(void **state)
{
    (void) state;
    assert_survives_oom(both, 1, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),         cmocka_unit_test(undefined),
        cmocka_unit_test(as_pair_by_pair), cmocka_unit_test(matrix),
        cmocka_unit_test(refused),         cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests_name("strategy_kendall", tests, NULL, NULL);
}
