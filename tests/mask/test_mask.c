/* SPDX-License-Identifier: BSD-2-Clause */
#include "autograd/autograd.h"
#include "support.h"

#include <uboost/mask.h>
#include <uboost/ops.h>

#include <math.h>
#include <string.h>

static const ub_width_range range = { 2, 8, 3 }; /* 2, 5, 8 */

static void test_ranges(void **state)
{
    const ub_width_range bad[] = {
        { 0, 8, 1 }, { 4, 2, 1 },    { 2, 8, 0 },
        { 2, 8, 4 }, { 1, 1025, 1 }, { 1 << 20, (1 << 20) + 1, 1 },
    };
    const ub_width_range paper = { 64, 280, 8 };
    const ub_width_range most = { 1, UB_MASK_MAX_WIDTHS, 1 };
    const ub_width_range widest = { 1, UB_NETWORK_MAX_CHANNELS, (1 << 20) - 1 };

    (void) state;
    assert_int_equal(ub_width_range_count(&range), 3);
    assert_int_equal(ub_width_range_count(&paper), 28);
    assert_int_equal(ub_width_range_count(&most), UB_MASK_MAX_WIDTHS);
    assert_int_equal(ub_width_range_count(&widest), 2);
    assert_int_equal(ub_width_range_count(NULL), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(ub_width_range_count(&bad[i]), 0);
}

static void test_initial_logits(void **state)
{
    ub_context *context = test_context(1);
    const ub_width_range wide = { 64, 280, 8 };
    ub_parameters *parameters;
    ub_mask *mask;
    ub_rng rng, copy;
    double center;

    (void) state;
    ub_rng_init(&rng, 3, 0);
    copy = rng;
    assert_int_equal(ub_parameters_create(context, &parameters), UB_OK);
    assert_int_equal(ub_mask_create(parameters, "m", &wide, &rng, &mask),
                     UB_OK);
    center = 27.0 * ub_rng_uniform(&copy);
    for (int i = 0; i < 28; i++) {
        const double d = i - center;
        /* float32 rounding of numbers below 0.4 */
        assert_close(ub_tensor_data(ub_variable_value(ub_mask_logits(mask)))[i],
                     exp(-d * d / 2) / sqrt(2 * acos(-1.0)), 3e-8);
    }
    assert_int_equal(ub_mask_argmax(mask), lround(center));
    for (int k = 0; k <= 4; k++) {
        center = 27.0 * k / 4;
        assert_int_equal(ub_mask_set_initial(mask, k / 4.0, 10.0), UB_OK);
        for (int i = 0; i < 28; i++) {
            const double d = i - center;
            /* float32 rounding of numbers below 4 */
            assert_close(
                ub_tensor_data(ub_variable_value(ub_mask_logits(mask)))[i],
                10.0 * exp(-d * d / 2) / sqrt(2 * acos(-1.0)), 3e-7);
        }
    }
    for (int i = 0; i < 5; i++) {
        const double bad[5][2] = {
            { -0.1, 1 }, { 1.1, 1 }, { (double) NAN, 1 }, { 0, -1 }, { 0, 1e7 }
        };
        assert_int_equal(ub_mask_set_initial(mask, bad[i][0], bad[i][1]),
                         UB_ERR_INVALID);
    }
    assert_int_equal(ub_mask_argmax(mask), 27);
    assert_int_equal(ub_mask_set_initial(NULL, 0, 1), UB_ERR_INVALID);
    ub_mask_destroy(&mask);
    ub_parameters_destroy(&parameters);
    ub_context_destroy(&context);
}

static void test_values_and_gradient(void **state)
{
    ub_context *context = test_context(1);
    const float p[3] = { 0.2f, 0.5f, 0.3f };
    const double probability[3] = { 0.2, 0.5, 0.3 };
    const int64_t shape = 3, channels = 8;
    ub_variable *g, *m;
    ub_parameters *parameters;
    ub_tensor *tensor, *gy;
    ub_mask *mask;
    ub_tape *tape;
    ub_rng rng;
    double sum = 0.0;

    (void) state;
    ub_rng_init(&rng, 3, 0);
    assert_int_equal(ub_parameters_create(context, &parameters), UB_OK);
    assert_int_equal(ub_mask_create(parameters, "m", &range, &rng, &mask),
                     UB_OK);
    assert_int_equal(ub_tensor_create(context, 1, &shape, &tensor), UB_OK);
    assert_int_equal(ub_tensor_create(context, 1, &channels, &gy), UB_OK);
    for (int i = 0; i < 3; i++)
        ub_tensor_data(tensor)[i] = p[i];
    for (int i = 0; i < 8; i++)
        ub_tensor_data(gy)[i] = (float) (1 + i);
    assert_int_equal(ub_variable_create(tensor, 1, &g), UB_OK);
    assert_int_equal(ub_tape_create(context, &tape), UB_OK);
    assert_int_equal(ub_mask_forward(mask, tape, g, &m), UB_OK);
    for (int c = 0; c < 8; c++)
        /* sums of at most three numbers below 1 in float32 */
        assert_close(ub_tensor_data(ub_variable_value(m))[c],
                     c < 2 ? 1.0 : (c < 5 ? 0.8 : 0.3), 1e-7);
    assert_close(ub_mask_soft_width(mask, probability),
                 0.2 * 2 + 0.5 * 5 + 0.3 * 8, 1e-15);
    assert_int_equal(ub_tape_backward_from(tape, m, gy), UB_OK);
    for (int i = 0, c = 0; i < 3; i++) {
        for (; c < ub_mask_width(mask, i); c++)
            sum += 1 + c;
        /* small integers: exact */
        assert_close(ub_tensor_data(ub_variable_grad(g))[i], sum, 0.0);
    }
    ub_tape_destroy(&tape);
    ub_variable_destroy(&g);
    ub_tensor_unref(&tensor);
    ub_tensor_unref(&gy);
    ub_mask_destroy(&mask);
    ub_parameters_destroy(&parameters);
    ub_context_destroy(&context);
}

/* Among them a result whose value is gone since its tape ran backward. */
static void test_no_probabilities(void **state)
{
    ub_context *context = test_context(1);
    const int64_t shape = 3;
    ub_variable *g, *gone, *m = NULL;
    ub_parameters *parameters;
    ub_tensor *tensor, *weight;
    ub_mask *mask;
    ub_tape *tape;
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 3, 0);
    assert_int_equal(ub_parameters_create(context, &parameters), UB_OK);
    assert_int_equal(ub_mask_create(parameters, "m", &range, &rng, &mask),
                     UB_OK);
    assert_int_equal(ub_tensor_create(context, 1, &shape, &tensor), UB_OK);
    assert_int_equal(ub_tensor_create(context, 1, &shape, &weight), UB_OK);
    assert_int_equal(ub_variable_create(tensor, 1, &g), UB_OK);
    assert_int_equal(ub_tape_create(context, &tape), UB_OK);
    assert_int_equal(ub_op_relu(tape, g, &gone), UB_OK);
    assert_int_equal(ub_tape_backward_from(tape, gone, weight), UB_OK);
    assert_int_equal(ub_mask_forward(mask, tape, gone, &m), UB_ERR_INVALID);
    assert_non_null(strstr(ub_context_last_error(context), "is gone"));
    assert_int_equal(ub_mask_forward(mask, tape, NULL, &m), UB_ERR_INVALID);
    assert_int_equal(ub_mask_forward(mask, NULL, g, &m), UB_ERR_INVALID);
    assert_int_equal(ub_mask_forward(NULL, tape, g, &m), UB_ERR_INVALID);
    assert_null(m);
    ub_tape_clear(tape);
    assert_int_equal(ub_mask_forward(mask, tape, g, NULL), UB_ERR_INVALID);
    ub_tape_destroy(&tape);
    ub_variable_destroy(&g);
    ub_tensor_unref(&tensor);
    ub_tensor_unref(&weight);
    ub_mask_destroy(&mask);
    ub_parameters_destroy(&parameters);
    ub_context_destroy(&context);
}

static void test_refuses_creation(void **state)
{
    ub_context *context = test_context(1);
    const ub_width_range odd = { 2, 8, 4 };
    ub_parameters *parameters;
    ub_mask *mask, *none = NULL;
    ub_rng rng, before;

    (void) state;
    ub_rng_init(&rng, 3, 0);
    assert_int_equal(ub_parameters_create(context, &parameters), UB_OK);
    assert_int_equal(ub_mask_create(parameters, "m", &range, &rng, &mask),
                     UB_OK);
    before = rng;
    assert_int_equal(ub_mask_create(parameters, "m", &range, &rng, &none),
                     UB_ERR_INVALID);
    assert_int_equal(ub_mask_create(parameters, "", &range, &rng, &none),
                     UB_ERR_INVALID);
    assert_int_equal(ub_mask_create(parameters, NULL, &range, &rng, &none),
                     UB_ERR_INVALID);
    assert_int_equal(ub_mask_create(parameters, "n", &odd, &rng, &none),
                     UB_ERR_INVALID);
    assert_int_equal(ub_mask_create(parameters, "n", NULL, &rng, &none),
                     UB_ERR_INVALID);
    assert_int_equal(ub_mask_create(parameters, "n", &range, NULL, &none),
                     UB_ERR_INVALID);
    assert_int_equal(ub_mask_create(parameters, "n", &range, &rng, NULL),
                     UB_ERR_INVALID);
    assert_int_equal(ub_mask_create(NULL, "n", &range, &rng, &none),
                     UB_ERR_INVALID);
    assert_null(none);
    assert_int_equal(ub_parameters_count(parameters), 1);
    assert_memory_equal(&rng, &before, sizeof(rng));
    ub_mask_destroy(&mask);
    ub_parameters_destroy(&parameters);
    ub_context_destroy(&context);
}

/* Forward and backward from the logits themselves. */
static ub_status use_mask(ub_context *context, void *arg)
{
    ub_parameters *parameters = NULL;
    ub_tensor *gy = NULL;
    ub_mask *mask = NULL;
    ub_tape *tape = NULL;
    ub_variable *m;
    ub_rng rng;
    ub_status status = ub_parameters_create(context, &parameters);

    (void) arg;
    ub_rng_init(&rng, 3, 0);
    if (status == UB_OK)
        status = ub_mask_create(parameters, "m", &range, &rng, &mask);
    if (status == UB_OK)
        status = ub_tensor_create(context, 1, &range.high, &gy);
    if (status == UB_OK)
        status = ub_tape_create(context, &tape);
    if (status == UB_OK)
        status = ub_mask_forward(mask, tape, ub_mask_logits(mask), &m);
    if (status == UB_OK)
        status = ub_tape_backward_from(tape, m, gy);
    ub_tape_destroy(&tape);
    ub_tensor_unref(&gy);
    ub_mask_destroy(&mask);
    ub_parameters_destroy(&parameters);
    return status;
}

static void test_out_of_memory(void **state)
{
    (void) state;
    assert_survives_oom(use_mask, 1, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_initial_logits),
        cmocka_unit_test(test_values_and_gradient),
        cmocka_unit_test(test_no_probabilities),
        cmocka_unit_test(test_refuses_creation),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
