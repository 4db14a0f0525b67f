/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops/ops.h"
#include "strategy/distribution.h"
#include "support.h"

#include <math.h>
#include <string.h>

static const int32_t sizes[] = { 3, 1, 4 };
#define DECISIONS 3
#define WEIGHTS   8

static const int32_t maximize = UB_MAXIMIZE;

static ub_strategy_options options_of(void)
{
    ub_strategy_options options;

    ub_strategy_options_init(&options, sizeof(options));
    options.kind = UB_STRATEGY_GUMBEL;
    return options;
}

static ub_strategy *create(ub_context *context,
                           const ub_strategy_options *options)
{
    const ub_decisions decisions = { .size = sizeof(decisions),
                                     .n = DECISIONS,
                                     .choices = sizes };
    ub_strategy *s = NULL;

    assert_int_equal(ub_strategy_create(context, &decisions, options, &s),
                     UB_OK);
    return s;
}

/* -- the mathematics ------------------------------------------------------ */

/* Something curved of five weights, and its gradient. */
static double bowl(const double *w, double *gradient)
{
    double sum = 0.0;

    for (int i = 0; i < 5; i++) {
        const double next = w[(i + 1) % 5], last = w[(i + 4) % 5];

        sum += (i + 1) * w[i] * w[i] + 3.0 * w[i] * next;
        if (gradient != NULL)
            gradient[i] = 2.0 * (i + 1) * w[i] + 3.0 * (next + last);
    }
    return sum;
}

static void relax(const double *logits, const double *noise, double tau,
                  double *weights)
{
    for (int i = 0; i < 5; i++)
        weights[i] = (logits[i] + noise[i]) / tau;
    ub__softmax(weights, 5, weights);
}

/* The gradient by the logits, the noise being the same, is that of central
 * differences: off by 1e-16 / 1e-6 from rounding, and by the third derivative,
 * some tens / tau^3, times 1e-12. */
static void test_gradient(void **state)
{
    const double taus[] = { 2.0, 1.0, 0.3, 0.1 }, step = 1e-6;
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 3, 0);
    for (int round = 0; round < 40; round++) {
        const double tau = taus[round % 4];
        double logits[5], noise[5], w[5], by_weights[5], by_logits[5];

        for (int i = 0; i < 5; i++) {
            logits[i] = ub_rng_normal(&rng);
            noise[i] = ub_rng_gumbel(&rng);
        }
        relax(logits, noise, tau, w);
        bowl(w, by_weights);
        ub__gumbel_gradient(w, by_weights, 5, tau, by_logits);
        for (int i = 0; i < 5; i++) {
            const double logit = logits[i];
            double up, down;

            logits[i] = logit + step;
            relax(logits, noise, tau, w);
            up = bowl(w, NULL);
            logits[i] = logit - step;
            relax(logits, noise, tau, w);
            down = bowl(w, NULL);
            logits[i] = logit;
            assert_close(by_logits[i], (up - down) / (2.0 * step), 1e-7);
        }
    }
}

/* Weights and gradients are those of the supernet's operator, which works on
 * single-precision logits and gradients: to 1e-6 of numbers up to 10, by tau.
 */
static void test_operator(void **state)
{
    const int64_t shape[] = { 1, 5 };
    const double taus[] = { 2.0, 1.0, 0.3, 0.1 };
    ub_context *context = test_context(1);
    ub_tape *tape = NULL;
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 4, 0);
    assert_int_equal(ub_tape_create(context, &tape), UB_OK);
    for (int round = 0; round < 20; round++) {
        const double tau = taus[round % 4];
        double noise[5], logits[5], w[5], by_weights[5], by_logits[5];
        ub_tensor *x = NULL, *seed = NULL;
        ub_variable *variable = NULL, *relaxed = NULL;

        assert_int_equal(ub_tensor_create(context, 2, shape, &x), UB_OK);
        assert_int_equal(ub_tensor_create(context, 2, shape, &seed), UB_OK);
        for (int i = 0; i < 5; i++) {
            ub_tensor_data(x)[i] = (float) ub_rng_normal(&rng);
            logits[i] = (double) ub_tensor_data(x)[i];
            noise[i] = ub_rng_gumbel(&rng);
        }
        relax(logits, noise, tau, w);
        bowl(w, by_weights);
        ub__gumbel_gradient(w, by_weights, 5, tau, by_logits);
        for (int i = 0; i < 5; i++)
            ub_tensor_data(seed)[i] = (float) by_weights[i];
        assert_int_equal(ub_variable_create(x, 1, &variable), UB_OK);
        assert_int_equal(
            ub_op_gumbel_softmax(tape, variable, noise, tau, 0, &relaxed),
            UB_OK);
        for (int i = 0; i < 5; i++)
            assert_close((double) ub_tensor_data(ub_variable_value(relaxed))[i],
                         w[i], 1e-7);
        assert_int_equal(ub_tape_backward_from(tape, relaxed, seed), UB_OK);
        for (int i = 0; i < 5; i++)
            assert_close((double) ub_tensor_data(ub_variable_grad(variable))[i],
                         by_logits[i], 1e-5 / tau);
        ub_tape_clear(tape);
        ub_variable_destroy(&variable);
        ub_tensor_unref(&seed);
        ub_tensor_unref(&x);
    }
    ub_tape_destroy(&tape);
    ub_context_destroy(&context);
}

/* -- the strategy --------------------------------------------------------- */

/* Some function of the weights, and its gradient. */
static double told(const double *weights, double *gradient)
{
    double sum = 0.0;

    for (int i = 0; i < WEIGHTS; i++) {
        sum += (1.0 + 0.1 * i) * weights[i] * weights[i] - sin(i) * weights[i];
        gradient[i] = 2.0 * (1.0 + 0.1 * i) * weights[i] - sin(i);
    }
    return sum;
}

/* Ask for one, which is relaxed as it should be, and tell sign x its value. */
static void step(ub_strategy *s, double sign, int failed, double *weights,
                 double *gradient)
{
    ub_candidate candidate = { .size = sizeof(candidate) };
    ub_result result;
    double value;
    int64_t n;

    assert_int_equal(ub_strategy_ask(s, 1, &candidate, &n), UB_OK);
    assert_int_equal(n, 1);
    assert_int_equal(candidate.parent, -1);
    for (int64_t d = 0; d < DECISIONS; d++) {
        const double *of = candidate.weights + s->offsets[d];
        double sum = 0.0;

        for (int32_t c = 0; c < sizes[d]; c++) {
            sum += of[c];
            assert_true(of[c] >= 0.0 && of[c] <= of[candidate.choices[d]]);
        }
        assert_close(sum, 1.0, 1e-15);
    }
    memcpy(weights, candidate.weights, WEIGHTS * sizeof(*weights));
    value = sign * told(weights, gradient);
    for (int i = 0; i < WEIGHTS; i++)
        gradient[i] *= sign;
    ub_result_init(&result, sizeof(result), candidate.id);
    result.objectives = &value;
    result.gradient = gradient;
    result.failed = failed;
    assert_int_equal(ub_strategy_tell(s, 1, &result), UB_OK);
}

/* Logits follow Adam, as it is in its paper, on the gradient by the logits at
 * the temperature of the step; after a failure they stay. The distribution is
 * their softmax: to 1e-12. */
static void check_descent(double sign)
{
    ub_context *context = test_context(1);
    ub_strategy_options options = options_of();
    double logits[WEIGHTS], m[WEIGHTS] = { 0.0 }, v[WEIGHTS] = { 0.0 };
    ub_strategy *s;
    int updates = 0;

    options.temperature = 2.0;
    options.temperature_decay = 0.8;
    options.temperature_floor = 0.3;
    options.architecture_rate = 0.05;
    options.directions = sign < 0.0 ? &maximize : NULL;
    s = create(context, &options);
    assert_int_equal(ub_strategy_distribution(s, logits), UB_OK);
    for (int i = 0; i < WEIGHTS; i++)
        logits[i] = log(logits[i]);
    for (int k = 0; k < 20; k++) {
        const double tau = fmax(2.0 * pow(0.8, k), 0.3);
        double w[WEIGHTS], g[WEIGHTS], p[WEIGHTS], expected[WEIGHTS];
        ub_strategy_stats stats = { .size = sizeof(stats) };

        ub_strategy_stats_get(s, &stats);
        assert_close(stats.temperature, tau, 1e-15);
        step(s, sign, k % 7 == 3, w, g);
        updates += k % 7 != 3;
        for (int64_t d = 0; d < DECISIONS; d++) {
            const int64_t at = s->offsets[d];
            double mean = 0.0;

            for (int64_t i = at; i < at + sizes[d]; i++)
                mean += w[i] * g[i];
            for (int64_t i = at; i < at + sizes[d] && k % 7 != 3; i++) {
                const double by = sign * w[i] * (g[i] - mean) / tau;

                m[i] = 0.9 * m[i] + 0.1 * by;
                v[i] = 0.999 * v[i] + 0.001 * by * by;
                logits[i] -= 0.05 * m[i] / (1.0 - pow(0.9, updates)) /
                             (sqrt(v[i] / (1.0 - pow(0.999, updates))) + 1e-8);
            }
            ub__softmax(logits + at, sizes[d], expected + at);
        }
        assert_int_equal(ub_strategy_distribution(s, p), UB_OK);
        for (int i = 0; i < WEIGHTS; i++)
            assert_close(p[i], expected[i], 1e-12);
    }
    ub_strategy_destroy(&s);
    ub_context_destroy(&context);
}

static void test_descent(void **state)
{
    (void) state;
    check_descent(1.0);
    check_descent(-1.0);
}

/* Of a linear cost each decision ends with its cheapest choice; steps are as
 * many as the options say. */
static ub_status price(void *user, const ub_candidate *candidate,
                       ub_result *result)
{
    static const double prices[WEIGHTS] = { 3, 1, 2, 7, 4, 2, 1, 3 };
    double *sum = user;

    *sum = 0.0;
    for (int i = 0; i < WEIGHTS; i++)
        *sum += prices[i] * candidate->weights[i];
    result->objectives = sum;
    result->gradient = prices;
    return UB_OK;
}

static void test_found(void **state)
{
    ub_context *context = test_context(1);

    (void) state;
    for (int64_t neighbours = 0; neighbours <= 5; neighbours += 5) {
        ub_strategy_options options = options_of();
        ub_strategy_stats stats = { .size = sizeof(stats) };
        ub_strategy *s;
        int32_t best[DECISIONS];
        double sum, objective;
        int64_t n;

        options.temperature_decay = 0.98;
        options.temperature_floor = 0.1;
        options.steps = 150;
        options.neighbours = neighbours;
        s = create(context, &options);
        assert_int_equal(ub_strategy_caps(s),
                         UB_CAP_GRADIENT | UB_CAP_DISTRIBUTION);
        assert_int_equal(ub_strategy_best(s, 1, best, NULL, &n), UB_OK);
        assert_int_equal(n, 0);
        assert_int_equal(ub_strategy_run(s, price, &sum), UB_OK);
        assert_int_equal(ub_strategy_best(s, 1, best, &objective, &n), UB_OK);
        assert_int_equal(n, 1);
        assert_true(isnan(objective));
        ub_strategy_stats_get(s, &stats);
        assert_int_equal(stats.steps, 150);
        assert_int_equal(stats.told, 150 * (1 + neighbours));
        assert_int_equal(stats.unique, 0);
        if (neighbours == 0) {
            assert_int_equal(best[0], 1);
            assert_int_equal(best[1], 0);
            assert_int_equal(best[2], 2);
            assert_true(stats.entropy < 0.1);
        }
        ub_strategy_destroy(&s);
    }
    ub_context_destroy(&context);
}

/* Whatever gradients are told, and at whatever rate, it goes on. */
static void test_extremes(void **state)
{
    ub_context *context = test_context(1);
    ub_strategy_options options = options_of();
    double gradient[WEIGHTS], value = 0.0, p[WEIGHTS];
    ub_strategy *s;

    (void) state;
    options.architecture_rate = 1e9;
    options.temperature = options.temperature_floor = 1e-9;
    s = create(context, &options);
    for (int k = 0; k < 100; k++) {
        ub_candidate candidate = { .size = sizeof(candidate) };
        ub_result result;
        int64_t n;

        for (int i = 0; i < WEIGHTS; i++)
            gradient[i] = (i + k) % 2 ? 1.7e308 : -1.7e308;
        if (k % 9 == 8)
            gradient[3] = NAN;
        assert_int_equal(ub_strategy_ask(s, 1, &candidate, &n), UB_OK);
        ub_result_init(&result, sizeof(result), candidate.id);
        result.objectives = &value;
        assert_int_equal(ub_strategy_tell(s, 1, &result), UB_ERR_INVALID);
        result.gradient = gradient;
        assert_int_equal(ub_strategy_tell(s, 1, &result), UB_OK);
        assert_int_equal(ub_strategy_distribution(s, p), UB_OK);
        for (int i = 0; i < WEIGHTS; i++)
            assert_true(p[i] >= 0.0 && p[i] <= 1.0);
    }
    ub_strategy_destroy(&s);
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradient), cmocka_unit_test(test_operator),
        cmocka_unit_test(test_descent),  cmocka_unit_test(test_found),
        cmocka_unit_test(test_extremes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
