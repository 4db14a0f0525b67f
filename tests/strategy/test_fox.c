/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <math.h>
#include <string.h>
#include <uboost/strategy.h>

/* FOX-NAS as a whole, on problems that its regressions can or cannot express.
 */

#define DECISIONS 6
#define CHOICES   5
#define FIT       60
#define VERIFY    5

static const int32_t choices[DECISIONS] = { CHOICES, CHOICES, CHOICES,
                                            CHOICES, CHOICES, CHOICES };
static const ub_decisions decisions = { .size = sizeof(decisions),
                                        .n = DECISIONS,
                                        .choices = choices };

typedef struct problem {
    int interactions; /* of neighbouring decisions */
    double limit;     /* of the sum of choices */
    int64_t evaluated, violating;
    int32_t seen[FIT + VERIFY][DECISIONS];
    double objective; /* what a result points to */
} problem;

static double worth(int64_t d, int32_t choice)
{
    const uint64_t h = (uint64_t) (d * CHOICES + choice + 1) *
                       UINT64_C(0x9e3779b97f4a7c15);

    return (double) ((h ^ h >> 29) * UINT64_C(0xbf58476d1ce4e5b9) >> 40) /
           (double) (1 << 24);
}

static double objective_of(const problem *p, const int32_t *c)
{
    double sum = 0.0;

    for (int64_t d = 0; d < DECISIONS; d++) {
        sum += worth(d, c[d]);
        if (p->interactions && d > 0)
            sum += 0.3 * c[d] * c[d - 1];
    }
    return sum;
}

static ub_status evaluate(void *user, const ub_candidate *candidate,
                          ub_result *result)
{
    problem *p = user;
    double sum = 0.0;

    assert_int_equal(candidate->id, p->evaluated);
    memcpy(p->seen[p->evaluated++], candidate->choices, sizeof(p->seen[0]));
    for (int64_t d = 0; d < DECISIONS; d++)
        sum += candidate->choices[d];
    p->objective = objective_of(p, candidate->choices);
    result->objectives = &p->objective;
    result->violation = sum > p->limit ? sum - p->limit : 0.0;
    p->violating += result->violation > 0.0;
    return UB_OK;
}

static ub_strategy_options fox_options(void)
{
    static const int32_t maximize = UB_MAXIMIZE;
    ub_strategy_options options;

    ub_strategy_options_init(&options, sizeof(options));
    options.kind = UB_STRATEGY_FOX;
    options.directions = &maximize;
    options.fit = FIT;
    options.verify = VERIFY;
    options.inner_budget = 3000;
    return options;
}

static double search_in(ub_context *context, const ub_decisions *where,
                        const ub_strategy_options *options, problem *p)
{
    ub_strategy *strategy = NULL;
    int32_t best[DECISIONS];
    double found;
    int64_t n;

    p->evaluated = p->violating = 0;
    assert_int_equal(ub_strategy_create(context, where, options, &strategy),
                     UB_OK);
    assert_int_equal(ub_strategy_run(strategy, evaluate, p), UB_OK);
    assert_int_equal(ub_strategy_best(strategy, 1, best, &found, &n), UB_OK);
    assert_int_equal(n, 1);
    ub_strategy_destroy(&strategy);
    return found;
}

/* Run, and return the best found. */
static double search(ub_context *context, const ub_strategy_options *options,
                     problem *p)
{
    return search_in(context, &decisions, options, p);
}

static double exact(const problem *p)
{
    double best = -INFINITY;

    for (int32_t code = 0; code < 15625; code++) {
        int32_t c[DECISIONS], rest = code, sum = 0;

        for (int d = 0; d < DECISIONS; d++) {
            sum += c[d] = rest % CHOICES;
            rest /= CHOICES;
        }
        if (sum <= p->limit)
            best = fmax(best, objective_of(p, c));
    }
    return best;
}

/* None verified is among those before it. */
static void assert_verified_are_new(const problem *p)
{
    assert_int_equal(p->evaluated, FIT + VERIFY);
    for (int i = FIT; i < FIT + VERIFY; i++) {
        for (int k = 0; k < i; k++)
            assert_memory_not_equal(p->seen[i], p->seen[k], sizeof(p->seen[0]));
    }
}

/* A sum over decisions is what features of one per choice can express. */
static void test_sum(void **state)
{
    ub_context *context = test_context(1);
    ub_strategy_options options = fox_options();
    problem p = { .limit = INFINITY };

    (void) state;
    for (int i = 0; i < 5; i++) {
        options.seed = (uint64_t) i;
        assert_close(search(context, &options, &p), exact(&p), 1e-12);
        assert_verified_are_new(&p);
    }
    ub_context_destroy(&context);
}

/* Of 125 candidates a third is known when the best are chosen: what is verified
 * is not, and the best is among both. */
static void test_known(void **state)
{
    static const int32_t few[DECISIONS] = {
        CHOICES, 1, CHOICES, 1, CHOICES, 1
    };
    const ub_decisions small = { .size = sizeof(small),
                                 .n = DECISIONS,
                                 .choices = few };
    ub_context *context = test_context(1);
    ub_strategy_options options = fox_options();
    problem p = { .limit = INFINITY };
    double best = 0.0;

    (void) state;
    for (int64_t d = 0; d < DECISIONS; d++) {
        double most = 0.0;

        for (int32_t c = 0; c < few[d]; c++)
            most = fmax(most, worth(d, c));
        best += most;
    }
    for (int i = 0; i < 5; i++) {
        options.seed = (uint64_t) i;
        assert_close(search_in(context, &small, &options, &p), best, 1e-12);
        assert_verified_are_new(&p);
    }
    ub_context_destroy(&context);
}

static void products(void *user, const int32_t *c, double *features)
{
    (void) user;
    memset(features, 0, DECISIONS * CHOICES * sizeof(*features));
    for (int d = 0; d < DECISIONS; d++)
        features[d * CHOICES + c[d]] = 1.0;
    for (int d = 1; d < DECISIONS; d++)
        features[DECISIONS * CHOICES + d - 1] = (double) c[d] * c[d - 1];
}

/* Products need features of their own. */
static void test_products(void **state)
{
    ub_context *context = test_context(1);
    ub_strategy_options options = fox_options();
    problem p = { .interactions = 1, .limit = INFINITY };

    (void) state;
    options.features = DECISIONS * CHOICES + DECISIONS - 1;
    options.features_fn = products;
    for (int i = 0; i < 5; i++) {
        options.seed = (uint64_t) i;
        assert_close(search(context, &options, &p), exact(&p), 1e-12);
        assert_verified_are_new(&p);
    }
    ub_context_destroy(&context);
}

/* What is verified keeps to the constraint nine times of ten, what is drawn
 * half of the time; it is better than all of that, and near the optimum of
 * 5.44 (at most 0.28 below it as observed). */
static void test_constraint(void **state)
{
    ub_context *context = test_context(1);
    ub_strategy_options options = fox_options();
    problem p = { .limit = 12.0 };
    int64_t violating = 0;

    (void) state;
    for (int i = 0; i < 20; i++) {
        double found, fitted;
        int64_t before;

        options.seed = (uint64_t) i;
        options.budget = FIT; /* the search ends before the regression */
        fitted = search(context, &options, &p);
        before = p.violating;
        assert_int_equal(p.evaluated, FIT);
        assert_true(before > FIT / 4);
        options.budget = 1000;
        found = search(context, &options, &p);
        assert_true(found > fitted && found >= exact(&p) - 0.3);
        assert_verified_are_new(&p);
        violating += p.violating - before;
    }
    assert_true(violating <= 20 * VERIFY / 10);
    ub_context_destroy(&context);
}

static void no_number(void *user, const int32_t *c, double *features)
{
    (void) user;
    features[0] = c[0] > 1 ? NAN : 1.0;
}

/* Features that are no numbers end the search with an error, each time. */
static void test_no_number(void **state)
{
    ub_context *context = test_context(1);
    ub_strategy_options options = fox_options();
    ub_strategy *strategy = NULL;
    ub_candidate candidate = { .size = sizeof(candidate) };
    problem p = { .limit = INFINITY };
    int64_t n;

    (void) state;
    options.features = 1;
    assert_int_equal(
        ub_strategy_create(context, &decisions, &options, &strategy),
        UB_ERR_INVALID);
    options.features_fn = no_number;
    assert_int_equal(
        ub_strategy_create(context, &decisions, &options, &strategy), UB_OK);
    assert_int_equal(ub_strategy_run(strategy, evaluate, &p), UB_ERR_NUMERIC);
    assert_int_equal(ub_strategy_ask(strategy, 1, &candidate, &n),
                     UB_ERR_NUMERIC);
    assert_int_equal(p.evaluated, FIT);
    ub_strategy_destroy(&strategy);
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sum),       cmocka_unit_test(test_known),
        cmocka_unit_test(test_products),  cmocka_unit_test(test_constraint),
        cmocka_unit_test(test_no_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
