/* SPDX-License-Identifier: BSD-2-Clause */
#include "grouped.h"
#include "strategy/distribution.h"
#include "support.h"

#include <math.h>
#include <string.h>

/* FP-2: made joint, the distribution is what it was: the probability of every
 * candidate, entropy and marginals to 1e-12. */
static void test_join(void **state)
{
    ub_context *context = test_context(1);
    const ub_strategy_options options = grouped_options(UB_STRATEGY_FP_NAS);
    ub_strategy *s = grouped_create(context, &options);
    ub__distribution single, joint;
    double before[15], after[15];
    int32_t choices[GROUPED_DECISIONS];
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 7, 0);
    assert_int_equal(ub__distribution_create(s, 0, &single), UB_OK);
    assert_int_equal(ub__distribution_create(s, 1, &joint), UB_OK);
    assert_int_equal(single.tables, 5);
    assert_int_equal(single.offsets[5], 15);
    assert_int_equal(joint.tables, 3);
    assert_int_equal(joint.offsets[3], 6 + 4 + 5);
    grouped_set_logits(s, &single, &rng);
    ub__distribution_join(s, &single, &joint);
    for (int64_t i = 0; i < GROUPED_CANDIDATES; i++) {
        grouped_candidate(i, choices);
        assert_close(exp(grouped_log_probability(s, &joint, choices)),
                     exp(grouped_log_probability(s, &single, choices)), 1e-12);
    }
    assert_close(ub__distribution_entropy(&joint),
                 ub__distribution_entropy(&single), 1e-12);
    ub__distribution_marginals(s, &single, before);
    ub__distribution_marginals(s, &joint, after);
    for (int i = 0; i < 15; i++)
        assert_close(after[i], before[i], 1e-12);
    ub__distribution_clear(context, &single);
    ub__distribution_clear(context, &joint);
    ub_strategy_destroy(&s);
    ub_context_destroy(&context);
}

/* An ascent along one candidate is the gradient of its log-probability, which
 * is compared with central differences: their error is about 1e-16 / 1e-5
 * from rounding and 1e-10 from curvature. */
static void check_gradient(ub_strategy *s, int joint)
{
    int32_t choices[GROUPED_DECISIONS];
    ub__batch batch = { .n = 1, .choices = choices };
    const double one = 1.0, step = 1e-5;
    ub__distribution d;
    ub_rng rng;

    ub_rng_init(&rng, 8, 0);
    assert_int_equal(ub__distribution_create(s, joint, &d), UB_OK);
    for (int64_t number = 0; number < GROUPED_CANDIDATES; number += 7) {
        grouped_candidate(number, choices);
        grouped_set_logits(s, &d, &rng);
        for (int64_t i = 0; i < d.offsets[d.tables]; i++) {
            const ub__batch nothing = { .n = 0 };
            const double logit = d.logits[i];
            double up, down, gradient;

            d.logits[i] = logit + step;
            ub__distribution_ascend(s, &d, &nothing, NULL, 0.0);
            up = grouped_log_probability(s, &d, choices);
            d.logits[i] = logit - step;
            ub__distribution_ascend(s, &d, &nothing, NULL, 0.0);
            down = grouped_log_probability(s, &d, choices);
            d.logits[i] = logit;
            ub__distribution_ascend(s, &d, &nothing, NULL, 0.0);
            gradient = d.logits[i];
            ub__distribution_ascend(s, &d, &batch, &one, 1e-3);
            gradient = (d.logits[i] - gradient) / 1e-3;
            assert_close(gradient, (up - down) / (2.0 * step), 1e-9);
            grouped_set_logits(s, &d, &rng);
        }
    }
    ub__distribution_clear(s->context, &d);
}

static void test_gradient(void **state)
{
    ub_context *context = test_context(1);
    const ub_strategy_options options = grouped_options(UB_STRATEGY_PARSEC);
    ub_strategy *s = grouped_create(context, &options);

    (void) state;
    check_gradient(s, 0);
    check_gradient(s, 1);
    ub_strategy_destroy(&s);
    ub_context_destroy(&context);
}

/* Draws come as often as they are likely: of 40,000 each within 5 standard
 * deviations, which at most are 100. What has no probability never comes. */
static void test_draws(void **state)
{
    ub_context *context = test_context(1);
    const ub_strategy_options options = grouped_options(UB_STRATEGY_PARSEC);
    ub_strategy *s = grouped_create(context, &options);
    int32_t choices[GROUPED_DECISIONS];
    double expected[15], seen[15] = { 0.0 };
    ub__distribution d;
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 9, 0);
    assert_int_equal(ub__distribution_create(s, 1, &d), UB_OK);
    grouped_set_logits(s, &d, &rng);
    d.logits[0] = d.logits[14] = -1e300;
    ub__distribution_ascend(s, &d, &(ub__batch){ .n = 0 }, NULL, 0.0);
    ub__distribution_marginals(s, &d, expected);
    for (int i = 0; i < 40000; i++) {
        ub__distribution_draw(s, &d, &rng, choices);
        assert_false(choices[0] == 0 && choices[1] == 0);
        assert_int_not_equal(choices[4], 4);
        for (int64_t k = 0; k < GROUPED_DECISIONS; k++)
            seen[s->offsets[k] + choices[k]] += 1.0;
    }
    for (int i = 0; i < 15; i++)
        assert_close(
            seen[i], 40000 * expected[i],
            5.0 * sqrt(40000 * expected[i] * fmax(1.0 - expected[i], 0.0)) +
                1e-6);
    ub__distribution_clear(context, &d);
    ub_strategy_destroy(&s);
    ub_context_destroy(&context);
}

/* The mode of a joint distribution is its likeliest candidate, though each
 * decision alone is likelier to be something else. */
static void test_joint_mode(void **state)
{
    static const int32_t sizes[] = { 2, 3 }, together[] = { 0, 0 };
    ub_context *context = test_context(1);
    ub_strategy_options options = grouped_options(UB_STRATEGY_FP_NAS);
    ub__distribution d;
    ub_strategy *s = NULL;
    int32_t mode[2];
    double p[5];

    (void) state;
    options.coarse_steps = 0;
    assert_int_equal(
        grouped_try_create(context, 2, sizes, together, &options, &s), UB_OK);
    assert_int_equal(ub__distribution_create(s, 1, &d), UB_OK);
    d.logits[0] = log(0.3);                /* (0, 0) */
    d.logits[1] = d.logits[2] = log(0.05); /* (0, 1), (0, 2) */
    d.logits[3] = log(0.1);                /* (1, 0) */
    d.logits[4] = d.logits[5] = log(0.25); /* (1, 1), (1, 2) */
    ub__distribution_ascend(s, &d, &(ub__batch){ .n = 0 }, NULL, 0.0);
    ub__distribution_mode(s, &d, mode);
    ub__distribution_marginals(s, &d, p);
    assert_true(mode[0] == 0 && mode[1] == 0);
    assert_close(p[0], 0.4, 1e-12);
    assert_close(p[1], 0.6, 1e-12);
    assert_close(p[2], 0.4, 1e-12);
    ub__distribution_clear(context, &d);
    ub_strategy_destroy(&s);
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_gradient),
        cmocka_unit_test(test_draws),
        cmocka_unit_test(test_joint_mode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
