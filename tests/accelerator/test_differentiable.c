/* SPDX-License-Identifier: BSD-2-Clause */
#include "accelerator/accelerator.h"
#include "golden.h"

#include <math.h>
#include <string.h>

enum { MOST = 16 };

/* Exponentials and logarithms differ between C libraries, gradients are
 * differences. */
#define GRADIENT_TOLERANCE 1e-9

static size_t numbers(const json_t *object, const char *key, double *out)
{
    const json_t *array = json_object_get(object, key);
    const size_t n = json_array_size(array);

    assert_true(n > 0 && n <= MOST);
    for (size_t i = 0; i < n; i++)
        out[i] = json_number_value(json_array_get(array, i));
    return n;
}

static void check_numbers(const json_t *object, const char *key, size_t n,
                          const double *actual, double tolerance)
{
    double expected[MOST];

    assert_int_equal(numbers(object, key, expected), n);
    for (size_t i = 0; i < n; i++)
        assert_close(actual[i], expected[i],
                     tolerance * fmax(fabs(expected[i]), 1e-6));
}

static void test_golden_gumbel(void **state)
{
    json_t *root = golden_open();
    const json_t *cases = json_object_get(root, "gumbel_softmax");

    (void) state;
    assert_int_equal(json_array_size(cases), 3);
    for (size_t i = 0; i < 3; i++) {
        const json_t *c = json_array_get(cases, i);
        double logits[MOST], uniforms[MOST], y[MOST];
        const size_t n = numbers(c, "logits", logits);
        int64_t best;

        assert_int_equal(numbers(c, "u", uniforms), n);
        best = ub__chunk_gumbel((int64_t) n, logits, uniforms,
                                golden_number(c, "temp"), y);
        check_numbers(c, "y", n, y, GRADIENT_TOLERANCE);
        for (size_t j = 0; j < n; j++)
            assert_true(y[j] <= y[best]);
    }
    json_decref(root);
}

/* A tile and the unroll below it: draw, loss, gradients, one step of Adam. */
static void check_step(const json_t *c)
{
    const ub__chunk_adam adam = { 1e-7, 0.5, 0.999, 1e-8 };
    const double temperature = golden_number(c, "temp");
    double tile[MOST], unroll[MOST], uniforms[MOST], y[MOST];
    double gradient[2][MOST] = { { 0 } };
    double first[2][MOST] = { { 0 } }, second[2][MOST] = { { 0 } };
    const size_t n = numbers(c, "logit_buff", tile);
    int64_t chosen, below;
    double loss;

    numbers(c, "logit_unroll", unroll);
    loss = golden_number(c, "bottleneck") / 200e6;
    golden_close(loss, golden_number(c, "loss"));

    numbers(c, "u_buff", uniforms);
    chosen = ub__chunk_gumbel((int64_t) n, tile, uniforms, temperature, y);
    assert_int_equal(chosen, golden_number(c, "idx_buff"));
    golden_close(y[chosen], golden_number(c, "p_buff"));
    check_numbers(c, "soft_buff", n, y, GRADIENT_TOLERANCE);
    ub__chunk_gradient((int64_t) n, y, chosen, loss, temperature, gradient[0]);

    assert_int_equal(numbers(c, "u_unroll", uniforms), n - (size_t) chosen);
    below = ub__chunk_gumbel((int64_t) n - chosen, unroll + chosen, uniforms,
                             temperature, y);
    assert_int_equal(chosen + below, golden_number(c, "idx_unroll_abs"));
    check_numbers(c, "soft_unroll", n - (size_t) chosen, y, GRADIENT_TOLERANCE);
    ub__chunk_gradient((int64_t) n - chosen, y, below, loss, temperature,
                       gradient[1] + chosen);

    check_numbers(c, "grad_buff", n, gradient[0], GRADIENT_TOLERANCE);
    check_numbers(c, "grad_unroll", n, gradient[1], GRADIENT_TOLERANCE);
    ub__chunk_adam_step(&adam, (int64_t) n, 1, gradient[0], first[0], second[0],
                        tile);
    ub__chunk_adam_step(&adam, (int64_t) n, 1, gradient[1], first[1], second[1],
                        unroll);
    check_numbers(c, "after_adam_buff", n, tile, GRADIENT_TOLERANCE);
    check_numbers(c, "after_adam_unroll", n, unroll, GRADIENT_TOLERANCE);
}

static void test_golden_steps(void **state)
{
    json_t *root = golden_open();
    const json_t *cases = json_object_get(root, "das_step");

    (void) state;
    assert_int_equal(json_array_size(cases), 2);
    for (size_t i = 0; i < 2; i++)
        check_step(json_array_get(cases, i));
    json_decref(root);
}

/* The gradient is that of L (1 - held + y_chosen), by differences. */
static void test_gradient(void **state)
{
    const double logits[] = { 0.3, -0.7, 1.1, 0.2 };
    const double uniforms[] = { 0.4, 0.8, 0.1, 0.6 };
    const double temperature = 0.7, loss = 2.5, step = 1e-6;
    double y[4], gradient[4];
    const int64_t chosen = ub__chunk_gumbel(4, logits, uniforms, temperature,
                                            y);

    (void) state;
    ub__chunk_gradient(4, y, chosen, loss, temperature, gradient);
    for (int i = 0; i < 4; i++) {
        double moved[4], up[4], down[4];

        memcpy(moved, logits, sizeof(moved));
        moved[i] += step;
        ub__chunk_gumbel(4, moved, uniforms, temperature, up);
        moved[i] -= 2 * step;
        ub__chunk_gumbel(4, moved, uniforms, temperature, down);
        /* Central differences: step squared, and rounding over step. */
        assert_close(gradient[i],
                     loss * (up[chosen] - down[chosen]) / (2 * step), 1e-8);
    }
}

/* Numbers at the ends of their range give finite probabilities. */
static void test_extreme_draws(void **state)
{
    const double logits[] = { 1e6, -1e6, 0 };
    const double uniforms[] = { 0, 1 - 1e-16, 0.5 };
    const double equal[] = { 0.5, 0.5 };
    double y[3];

    (void) state;
    assert_int_equal(ub__chunk_gumbel(3, logits, uniforms, 1e-3, y), 0);
    assert_close(y[0] + y[1] + y[2], 1, 1e-15);
    /* Of equal ones the first. */
    assert_int_equal(ub__chunk_gumbel(2, equal, equal, 1, y), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_gumbel),
        cmocka_unit_test(test_golden_steps),
        cmocka_unit_test(test_gradient),
        cmocka_unit_test(test_extreme_draws),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
