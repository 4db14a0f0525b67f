/* SPDX-License-Identifier: BSD-2-Clause */
#include "grouped.h"
#include "strategy/distribution.h"
#include "support.h"

#include <math.h>
#include <string.h>

static const int32_t maximize = UB_MAXIMIZE;

/* Log-likelihoods of all candidates, and probabilities by a distribution. */
static double likelihood_of(int64_t number)
{
    return sin((double) (number * number)) * 3.0;
}

/* The gradient of log E[exp(l)] by the logits, by enumeration. */
static void exact_gradient(const ub_strategy *s, const ub__distribution *d,
                           double *out)
{
    double sum = 0.0;
    int32_t choices[GROUPED_DECISIONS];

    memset(out, 0, 15 * sizeof(*out));
    for (int64_t i = 0; i < GROUPED_CANDIDATES; i++) {
        double p;

        grouped_candidate(i, choices);
        p = exp(grouped_log_probability(s, d, choices) + likelihood_of(i));
        sum += p;
        for (int64_t k = 0; k < GROUPED_DECISIONS; k++)
            out[s->offsets[k] + choices[k]] += p;
    }
    for (int i = 0; i < 15; i++)
        out[i] = out[i] / sum - d->probabilities[i];
}

static void add(ub_strategy *s, ub__batch *batch, const int32_t *choices,
                double likelihood)
{
    const int64_t at = batch->n;

    assert_int_equal(ub__batch_add(s->context, batch, choices, NULL, -1),
                     UB_OK);
    batch->flags[at] = UB__ASKED | UB__TOLD;
    batch->objectives[at] = 0.0;
    batch->violations[at] = 0.0;
    batch->likelihoods[at] = likelihood;
}

static int64_t number_of(const int32_t *choices)
{
    int64_t number = 0;

    for (int64_t d = 0; d < GROUPED_DECISIONS; d++)
        number = number * grouped_choices[d] + choices[d];
    return number;
}

/* FP-3. Every candidate once from the uniform distribution: the gradient by
 * importance weights is exact, to rounding. From another distribution 40,000
 * samples: each weight is at most exp(3) of the mean, so that five standard
 * deviations are below 5 exp(3) / (4 * 200). */
static void test_likelihood_gradient(void **state)
{
    ub_context *context = test_context(1);
    ub_strategy_options options = grouped_options(UB_STRATEGY_PARSEC);
    ub_strategy *s;
    ub__batch batch = { .n = 0 };
    ub__distribution d;
    double expected[15], before[15];
    int32_t choices[GROUPED_DECISIONS];
    ub_rng rng;

    (void) state;
    options.rate = 1.0;
    s = grouped_create(context, &options);
    batch.shape = s->shape;
    ub_rng_init(&rng, 10, 0);
    assert_int_equal(ub__distribution_create(s, 0, &d), UB_OK);
    for (int64_t i = 0; i < GROUPED_CANDIDATES; i++) {
        grouped_candidate(i, choices);
        add(s, &batch, choices, likelihood_of(i));
    }
    exact_gradient(s, &d, expected);
    assert_int_equal(ub__parsec_learn(s, &d, &batch, 0.0), UB_OK);
    for (int i = 0; i < 15; i++)
        assert_close(d.logits[i], expected[i], 1e-14);

    grouped_set_logits(s, &d, &rng);
    batch.n = 0;
    for (int i = 0; i < 40000; i++) {
        ub__distribution_draw(s, &d, &rng, choices);
        add(s, &batch, choices, likelihood_of(number_of(choices)));
    }
    exact_gradient(s, &d, expected);
    memcpy(before, d.logits, sizeof(before));
    assert_int_equal(ub__parsec_learn(s, &d, &batch, 0.0), UB_OK);
    for (int i = 0; i < 15; i++)
        assert_close(d.logits[i] - before[i], expected[i], 0.03);
    ub__batch_clear(context, &batch);
    ub__distribution_clear(context, &d);
    ub_strategy_destroy(&s);
    ub_context_destroy(&context);
}

/* Two choices, three candidates of which one failed: 0, 1, 1 (failed). With
 * likelihoods of 3 : 1 and violations of 1 : 3 the weights are 3/4 - beta / 4
 * and 1/4 - 3 beta / 4. */
static void test_cost(void **state)
{
    static const int32_t two[] = { 2 }, zero = 0, first = 1;
    ub_context *context = test_context(1);
    ub_strategy_options options = grouped_options(UB_STRATEGY_FP_NAS);
    const double beta = 0.5;
    ub__batch batch = { .n = 0 };
    ub__distribution d;
    ub_strategy *s = NULL;

    (void) state;
    options.rate = 2.0;
    assert_int_equal(grouped_try_create(context, 1, two, NULL, &options, &s),
                     UB_OK);
    batch.shape = s->shape;
    assert_int_equal(ub__distribution_create(s, 0, &d), UB_OK);
    add(s, &batch, &zero, 700.0 + log(3.0)); /* exp() of it overflows */
    add(s, &batch, &first, 700.0);
    add(s, &batch, &first, NAN);
    batch.violations[0] = 1.0;
    batch.violations[1] = 3.0;
    batch.violations[2] = INFINITY;
    batch.flags[2] |= UB__FAILED;
    batch.objectives[2] = NAN;
    assert_int_equal(ub__parsec_learn(s, &d, &batch, beta), UB_OK);
    /* rate x (weight - (sum of weights) / 2) */
    assert_close(d.logits[0], 2.0 * (0.75 - beta * 0.25 - 0.5 * (1.0 - beta)),
                 1e-12);
    assert_close(d.logits[1], 2.0 * (0.25 - beta * 0.75 - 0.5 * (1.0 - beta)),
                 1e-12);
    ub__batch_clear(context, &batch);
    ub__distribution_clear(context, &d);
    ub_strategy_destroy(&s);
    ub_context_destroy(&context);
}

/* -- whole strategies ------------------------------------------------------ */

/* The objective is far from candidate (1, 0, 0, 2, 3) by so many decisions,
 * negated when it is maximised; a likelihood only if asked for; every fifth
 * result fails. */
struct target {
    double sign, value;
    int likely, fail;
    int64_t told;
};

static double distance(const int32_t *choices)
{
    static const int32_t target[] = { 1, 0, 0, 2, 3 };
    double sum = 0.0;

    for (int64_t d = 0; d < GROUPED_DECISIONS; d++)
        sum += choices[d] != target[d];
    return sum;
}

static ub_status evaluate(void *user, const ub_candidate *candidate,
                          ub_result *result)
{
    struct target *target = user;

    target->value = target->sign * distance(candidate->choices);
    result->objectives = &target->value;
    if (target->likely) {
        target->value = 0.0;
        result->log_likelihood = -2.0 * distance(candidate->choices);
    }
    result->failed = target->fail && target->told % 5 == 0;
    target->told++;
    return UB_OK;
}

static void check_found(int32_t kind, const int32_t *direction,
                        struct target target, int64_t coarse_steps)
{
    ub_context *context = test_context(1);
    ub_strategy_options options = grouped_options(kind);
    ub_strategy_stats stats = { .size = sizeof(stats) };
    int32_t best[GROUPED_DECISIONS];
    ub_strategy *s;
    double p[15];
    int64_t n;

    options.directions = direction;
    options.likelihood_scale = 0.5;
    options.steps = 200;
    options.coarse_steps = coarse_steps;
    s = grouped_create(context, &options);
    assert_int_equal(ub_strategy_weights(s), 15);
    assert_true(ub_strategy_caps(s) & UB_CAP_DISTRIBUTION);
    ub_strategy_stats_get(s, &stats);
    assert_close(stats.entropy, log(GROUPED_CANDIDATES), 1e-12);
    assert_true(isnan(stats.temperature));
    assert_int_equal(ub_strategy_run(s, evaluate, &target), UB_OK);
    assert_int_equal(ub_strategy_best(s, 1, best, NULL, &n), UB_OK);
    assert_int_equal(n, 1);
    assert_true(distance(best) == 0.0);
    assert_int_equal(ub_strategy_distribution(s, p), UB_OK);
    for (int64_t d = 0; d < GROUPED_DECISIONS; d++)
        assert_true(p[s->offsets[d] + best[d]] > 0.5);
    ub_strategy_stats_get(s, &stats);
    assert_int_equal(stats.steps, 200);
    assert_int_equal(stats.failed, target.fail ? (stats.told + 4) / 5 : 0);
    ub_strategy_destroy(&s);
    ub_context_destroy(&context);
}

static void test_found(void **state)
{
    const struct target low = { .sign = 1.0 }, high = { .sign = -1.0 };
    const struct target likely = { .likely = 1, .fail = 1 };

    (void) state;
    check_found(UB_STRATEGY_PARSEC, NULL, low, -1);
    check_found(UB_STRATEGY_PARSEC, &maximize, high, -1);
    check_found(UB_STRATEGY_PARSEC, NULL, likely, -1);
    check_found(UB_STRATEGY_FP_NAS, NULL, low, -1);
    check_found(UB_STRATEGY_FP_NAS, &maximize, high, 0);
    check_found(UB_STRATEGY_FP_NAS, NULL, likely, 20);
}

/* So many steps of a strategy. */
static void run_steps(ub_strategy *s, int64_t steps, struct target *target)
{
    ub_strategy_stats stats = { .size = sizeof(stats) };

    while (stats.steps < steps) {
        ub_candidate candidate = { .size = sizeof(candidate) };
        ub_result result;
        int64_t n;

        assert_int_equal(ub_strategy_ask(s, 1, &candidate, &n), UB_OK);
        assert_int_equal(n, 1);
        ub_result_init(&result, sizeof(result), candidate.id);
        assert_int_equal(evaluate(target, &candidate, &result), UB_OK);
        assert_int_equal(ub_strategy_tell(s, 1, &result), UB_OK);
        ub_strategy_stats_get(s, &stats);
    }
}

/* After the coarse steps the distribution is that of a strategy which stays
 * coarse, and only after the next step another; by groups from the beginning it
 * is another after one step. */
static void test_switch(void **state)
{
    static const int64_t coarse[] = { -1, 5, 0 };
    ub_context *context = test_context(1);
    struct target target = { .sign = 1.0 };
    ub_strategy *s[3];

    (void) state;
    for (int i = 0; i < 3; i++) {
        ub_strategy_options options = grouped_options(UB_STRATEGY_FP_NAS);

        options.coarse_steps = coarse[i];
        s[i] = grouped_create(context, &options);
    }
    for (int64_t steps = 1; steps <= 6; steps++) {
        double p[3][15], apart[3] = { 0.0 };

        for (int i = 0; i < 3; i++) {
            run_steps(s[i], steps, &target);
            assert_int_equal(ub_strategy_distribution(s[i], p[i]), UB_OK);
            for (int k = 0; k < 15; k++)
                apart[i] = fmax(apart[i], fabs(p[i][k] - p[0][k]));
        }
        assert_true(steps <= 5 ? apart[1] <= 1e-12 : apart[1] > 1e-6);
        assert_true(apart[2] > 1e-6);
    }
    for (int i = 0; i < 3; i++)
        ub_strategy_destroy(&s[i]);
    ub_context_destroy(&context);
}

/* FP-4: of each step as many samples as the entropy times what the first step
 * fixes, rounded, and no fewer than the least; PARSEC has the same
 * number. */
static void test_samples(void **state)
{
    ub_context *context = test_context(1);
    ub_strategy_options options = grouped_options(UB_STRATEGY_FP_NAS);
    struct target target = { .sign = 1.0 };
    int64_t before = 40, fewest = 40;
    ub_candidate candidate = { .size = sizeof(candidate) };
    int rises = 0;
    int64_t n;
    ub_strategy *s;

    (void) state;
    options.samples = 40;
    options.least_samples = 3;
    options.likelihood_scale = 0.5;
    options.steps = 300;
    s = grouped_create(context, &options);
    for (int step = 0; step < 300; step++) {
        ub_strategy_stats stats = { .size = sizeof(stats) };
        double expected;
        int64_t of;

        ub_strategy_stats_get(s, &stats);
        expected = fmax(3.0,
                        round(40.0 / log(GROUPED_CANDIDATES) * stats.entropy));
        assert_int_equal(ub_strategy_ask(s, 1, &candidate, &n), UB_OK);
        ub_strategy_stats_get(s, &stats);
        of = stats.batch;
        assert_int_equal(of, (int64_t) expected);
        rises += of > before;
        before = of;
        fewest = of < fewest ? of : fewest;
        for (int64_t i = 0; i < of; i++) {
            ub_result result;

            if (i > 0)
                assert_int_equal(ub_strategy_ask(s, 1, &candidate, &n), UB_OK);
            ub_result_init(&result, sizeof(result), candidate.id);
            assert_int_equal(evaluate(&target, &candidate, &result), UB_OK);
            assert_int_equal(ub_strategy_tell(s, 1, &result), UB_OK);
        }
    }
    assert_int_equal(ub_strategy_ask(s, 1, &candidate, &n), UB_OK);
    assert_int_equal(n, 0);
    assert_true(ub_strategy_finished(s));
    assert_int_equal(fewest, 3);
    assert_true(rises < 30);
    ub_strategy_destroy(&s);
    ub_context_destroy(&context);
}

/* Whatever is told and however large the rate, probabilities are numbers. */
static ub_status evaluate_wildly(void *user, const ub_candidate *candidate,
                                 ub_result *result)
{
    static const double likelihoods[] = { INFINITY, -INFINITY, NAN,
                                          1e308,    -1e308,    0.0 };
    struct target *target = user;

    target->value = candidate->id % 2 ? 1.7e308 : -1.7e308;
    result->objectives = &target->value;
    result->log_likelihood = likelihoods[candidate->id % 6];
    result->violation = candidate->id % 3 ? 1.7e308 : 0.0;
    result->failed = candidate->id > 50 && candidate->id < 100;
    return UB_OK;
}

static void test_extremes(void **state)
{
    static const int64_t coarse[] = { -1, 0, 4 };
    ub_context *context = test_context(1);

    (void) state;
    for (int i = 0; i < 4; i++) {
        ub_strategy_options options = grouped_options(
            i < 3 ? UB_STRATEGY_FP_NAS : UB_STRATEGY_PARSEC);
        struct target target = { .sign = 1.0 };
        ub_strategy *s;
        double p[15];

        options.budget = 200;
        options.rate = 1e9;
        options.cost_weight = 1e300;
        options.likelihood_scale = 1e-300;
        options.coarse_steps = coarse[i % 3];
        s = grouped_create(context, &options);
        assert_int_equal(ub_strategy_run(s, evaluate_wildly, &target), UB_OK);
        assert_int_equal(ub_strategy_distribution(s, p), UB_OK);
        for (int k = 0; k < 15; k++)
            assert_true(p[k] >= 0.0 && p[k] <= 1.0 + 1e-12);
        ub_strategy_destroy(&s);
    }
    ub_context_destroy(&context);
}

/* Nothing to choose; one decision; too much to choose together. */
static void test_shapes(void **state)
{
    static const int32_t one[] = { 1, 1, 1 }, large[] = { 64, 65 },
                         together[] = { 0, 0, 0 };
    ub_context *context = test_context(1);

    (void) state;
    for (int64_t n = 1; n <= 3; n++) {
        ub_strategy_options options = grouped_options(UB_STRATEGY_FP_NAS);
        ub_strategy_stats stats = { .size = sizeof(stats) };
        ub_strategy *s = NULL;
        ub_candidate candidate = { .size = sizeof(candidate) };
        int64_t asked;
        double p[3];

        options.coarse_steps = 0;
        assert_int_equal(
            grouped_try_create(context, n, one, together, &options, &s), UB_OK);
        assert_int_equal(ub_strategy_ask(s, 1, &candidate, &asked), UB_OK);
        ub_strategy_stats_get(s, &stats);
        assert_int_equal(stats.batch, 2);
        assert_true(stats.entropy == 0.0);
        assert_int_equal(ub_strategy_distribution(s, p), UB_OK);
        assert_true(p[n - 1] == 1.0);
        ub_strategy_destroy(&s);
        options.coarse_steps = -1;
        assert_int_equal(
            grouped_try_create(context, 2, large, together, &options, &s),
            UB_OK);
        ub_strategy_destroy(&s);
        options.coarse_steps = n;
        assert_int_equal(
            grouped_try_create(context, 2, large, together, &options, &s),
            UB_ERR_UNSUPPORTED);
        assert_null(s);
    }
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_likelihood_gradient),
        cmocka_unit_test(test_cost),
        cmocka_unit_test(test_found),
        cmocka_unit_test(test_switch),
        cmocka_unit_test(test_samples),
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_shapes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
