/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <math.h>
#include <string.h>
#include <uboost/strategy.h>

/* Every candidate of an exhaustive search comes once, in order, whatever the
 * number asked for at a time; the best is the first of the best. */
static void test_exhaustive(void **state)
{
    ub_context *context = test_context(1);
    const int32_t choices[] = { 2, 3 };
    const ub_decisions decisions = { .size = sizeof(decisions),
                                     .n = 2,
                                     .choices = choices };
    ub_strategy_options options;
    ub_strategy *strategy = NULL;
    ub_candidate candidates[4];
    int32_t best[2];
    int64_t n, count = 0;

    (void) state;
    ub_strategy_options_init(&options, sizeof(options));
    options.kind = UB_STRATEGY_EXHAUSTIVE;
    options.batch = 4;
    assert_int_equal(
        ub_strategy_create(context, &decisions, &options, &strategy), UB_OK);
    for (int i = 0; i < 4; i++)
        candidates[i].size = sizeof(candidates[i]);
    while (!ub_strategy_finished(strategy)) {
        assert_int_equal(ub_strategy_ask(strategy, 3, candidates, &n), UB_OK);
        for (int64_t i = 0; i < n; i++, count++) {
            const double cost = count == 2 || count == 4 ? 1.0 : 2.0;
            ub_result result;

            assert_int_equal(candidates[i].id, count);
            assert_int_equal(candidates[i].choices[0], count / 3);
            assert_int_equal(candidates[i].choices[1], count % 3);
            ub_result_init(&result, sizeof(result), candidates[i].id);
            result.objectives = &cost;
            assert_int_equal(ub_strategy_tell(strategy, 1, &result), UB_OK);
        }
    }
    assert_int_equal(count, 6);
    assert_int_equal(ub_strategy_best(strategy, 1, best, NULL, &n), UB_OK);
    assert_int_equal(n, 1);
    assert_int_equal(best[0], 0);
    assert_int_equal(best[1], 2);
    ub_strategy_destroy(&strategy);
    ub_context_destroy(&context);
}

/* -- what create refuses -------------------------------------------------- */

static const int32_t two_choices[] = { 2, 3 };
static const ub_decisions two = { .size = sizeof(two),
                                  .n = 2,
                                  .choices = two_choices };

/* An option by its place, and a value that it cannot have. */
typedef struct refused {
    size_t offset;
    int64_t integer;
    double real;
    int is_real;
} refused;

#define INTEGER(field, value)                               \
    {                                                       \
        offsetof(ub_strategy_options, field), value, 0.0, 0 \
    }
#define REAL(field, value)                                \
    {                                                     \
        offsetof(ub_strategy_options, field), 0, value, 1 \
    }

static const refused values[] = {
    INTEGER(budget, 0),
    INTEGER(budget, UB_STRATEGY_MAX_BUDGET + 1),
    INTEGER(objectives, 0),
    INTEGER(objectives, UB_STRATEGY_MAX_OBJECTIVES + 1),
    INTEGER(batch, 0),
    INTEGER(neighbours, -1),
    INTEGER(radius, 0),
    INTEGER(population, 1),
    INTEGER(tournament, 0),
    INTEGER(moves, 0),
    INTEGER(patience, 0),
    INTEGER(fit, 1),
    INTEGER(verify, 0),
    INTEGER(inner_budget, 0),
    INTEGER(features, -1),
    INTEGER(features, 1),
    INTEGER(samples, 0),
    INTEGER(least_samples, 0),
    INTEGER(steps, -1),
    INTEGER(coarse_steps, -2),
    REAL(crossover_rate, -0.1),
    REAL(crossover_rate, 1.1),
    REAL(mutation_rate, NAN),
    REAL(threshold, -1.0),
    REAL(first_temperature, 0.0),
    REAL(last_temperature, INFINITY),
    REAL(samples_per_nat, -1.0),
    REAL(rate, -1.0),
    REAL(likelihood_scale, 0.0),
    REAL(cost_weight, -1.0),
    REAL(architecture_rate, NAN),
    REAL(temperature, 0.0),
    REAL(temperature_decay, 1.5),
    REAL(temperature_floor, 0.0),
};

static ub_status try(ub_context *context, const ub_decisions *decisions,
                     const ub_strategy_options *options)
{
    ub_strategy *strategy = NULL;
    const ub_status status = ub_strategy_create(context, decisions, options,
                                                &strategy);

    assert_true((status == UB_OK) == (strategy != NULL));
    ub_strategy_destroy(&strategy);
    assert_null(strategy);
    return status;
}

static void test_refused_options(void **state)
{
    const int32_t directions[] = { UB_MAXIMIZE, 2 };
    ub_context *context = test_context(1);
    ub_strategy_options options;

    (void) state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char *place = (char *) &options + values[i].offset;

        ub_strategy_options_init(&options, sizeof(options));
        assert_int_equal(try(context, &two, &options), UB_OK);
        if (values[i].is_real)
            memcpy(place, &values[i].real, sizeof(values[i].real));
        else
            memcpy(place, &values[i].integer, sizeof(values[i].integer));
        assert_int_equal(try(context, &two, &options), UB_ERR_INVALID);
    }
    ub_strategy_options_init(&options, sizeof(options));
    options.kind = 9;
    assert_int_equal(try(context, &two, &options), UB_ERR_INVALID);
    options.kind = -1;
    assert_int_equal(try(context, &two, &options), UB_ERR_INVALID);
    options.kind = UB_STRATEGY_EXHAUSTIVE;
    options.neighbours = 1;
    assert_int_equal(try(context, &two, &options), UB_ERR_UNSUPPORTED);
    ub_strategy_options_init(&options, sizeof(options));
    options.objectives = 2;
    options.directions = directions;
    assert_int_equal(try(context, &two, &options), UB_ERR_INVALID);
    ub_strategy_options_init(&options, sizeof(options));
    options.reserved = 1;
    assert_int_equal(try(context, &two, &options), UB_ERR_INVALID);
    assert_int_equal(try(context, &two, NULL), UB_OK);
    ub_strategy_destroy(NULL);
    ub_context_destroy(&context);
}

static void test_refused_decisions(void **state)
{
    static const int32_t none[] = { 2, 0 }, many[] = { 4097, 1 };
    static const int32_t gap[] = { 0, 2 }, back[] = { 1, 0 };
    static const int32_t order[] = { 0, 2 };
    ub_context *context = test_context(1);
    ub_decisions d = two;

    (void) state;
    assert_int_equal(try(context, NULL, NULL), UB_ERR_INVALID);
    assert_int_equal(try(NULL, &two, NULL), UB_ERR_INVALID);
    assert_int_equal(ub_strategy_create(context, &two, NULL, NULL),
                     UB_ERR_INVALID);
    d.n = 0;
    assert_int_equal(try(context, &d, NULL), UB_ERR_INVALID);
    d.n = UB_STRATEGY_MAX_DECISIONS + 1;
    assert_int_equal(try(context, &d, NULL), UB_ERR_INVALID);
    d = two;
    d.choices = NULL;
    assert_int_equal(try(context, &d, NULL), UB_ERR_INVALID);
    d.choices = none;
    assert_int_equal(try(context, &d, NULL), UB_ERR_INVALID);
    d.choices = many;
    assert_int_equal(try(context, &d, NULL), UB_ERR_INVALID);
    d = two;
    d.groups = gap;
    assert_int_equal(try(context, &d, NULL), UB_ERR_INVALID);
    d.groups = back;
    assert_int_equal(try(context, &d, NULL), UB_ERR_INVALID);
    d = two;
    d.ordered = order;
    assert_int_equal(try(context, &d, NULL), UB_ERR_INVALID);
    ub_context_destroy(&context);
}

/* -- the loop ------------------------------------------------------------- */

/* Structs of a caller whose headers are newer. */
typedef struct longer_candidate {
    ub_candidate candidate;
    int64_t more;
} longer_candidate;

typedef struct longer_result {
    ub_result result;
    int64_t more;
} longer_result;

static void test_longer_structs(void **state)
{
    ub_context *context = test_context(1);
    ub_strategy_options options;
    ub_strategy *strategy = NULL;
    longer_candidate candidates[3];
    longer_result results[3];
    const double costs[] = { 3.0, 1.0, 2.0 };
    int32_t best[2];
    double objective;
    int64_t n;

    (void) state;
    ub_strategy_options_init(&options, sizeof(options));
    options.kind = UB_STRATEGY_EXHAUSTIVE;
    options.batch = 3;
    assert_int_equal(ub_strategy_create(context, &two, &options, &strategy),
                     UB_OK);
    for (int i = 0; i < 3; i++)
        candidates[i].candidate.size = sizeof(candidates[i]);
    assert_int_equal(ub_strategy_ask(strategy, 3, &candidates[0].candidate, &n),
                     UB_OK);
    assert_int_equal(n, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(candidates[i].candidate.id, i);
        ub_result_init(&results[i].result, sizeof(results[i]), i);
        results[i].result.objectives = &costs[i];
    }
    results[2].more = 1; /* what this library cannot know */
    assert_int_equal(ub_strategy_tell(strategy, 3, &results[0].result),
                     UB_ERR_UNSUPPORTED);
    results[2].more = 0;
    results[1].result.size = sizeof(ub_result); /* the others are longer */
    assert_int_equal(ub_strategy_tell(strategy, 3, &results[0].result),
                     UB_ERR_INVALID);
    results[1].result.size = sizeof(results[1]);
    assert_int_equal(ub_strategy_tell(strategy, 3, &results[0].result), UB_OK);
    assert_int_equal(ub_strategy_best(strategy, 1, best, &objective, &n),
                     UB_OK);
    assert_close(objective, 1.0, 0.0);
    assert_int_equal(best[1], 1);
    ub_strategy_destroy(&strategy);
    ub_context_destroy(&context);
}

static ub_status stop_at_two(void *user, const ub_candidate *candidate,
                             ub_result *result)
{
    result->objectives = user;
    return candidate->id == 2 ? UB_ERR_INTERRUPTED : UB_OK;
}

/* What an evaluation returns ends the run; the candidate is still to be told.
 */
static void test_run(void **state)
{
    ub_context *context = test_context(1);
    ub_strategy *strategy = NULL;
    ub_result result;
    double objective = 1.0;

    (void) state;
    assert_int_equal(ub_strategy_create(context, &two, NULL, &strategy), UB_OK);
    assert_int_equal(ub_strategy_run(strategy, stop_at_two, &objective),
                     UB_ERR_INTERRUPTED);
    assert_int_equal(ub_strategy_run(strategy, stop_at_two, &objective),
                     UB_ERR_INVALID);
    ub_result_init(&result, sizeof(result), 2);
    result.failed = 1;
    assert_int_equal(ub_strategy_tell(strategy, 1, &result), UB_OK);
    assert_int_equal(ub_strategy_run(strategy, stop_at_two, &objective), UB_OK);
    assert_true(ub_strategy_finished(strategy));
    ub_strategy_destroy(&strategy);
    ub_context_destroy(&context);
}

static void test_names(void **state)
{
    static const char *const names[] = { "random", "exhaustive", "evolution",
                                         "nsga2",  "annealing",  "fox",
                                         "parsec", "fp-nas",     "gumbel" };

    (void) state;
    for (int32_t kind = 0; kind < 9; kind++)
        assert_string_equal(ub_strategy_kind_name(kind), names[kind]);
    assert_null(ub_strategy_kind_name(9));
    assert_null(ub_strategy_kind_name(-1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exhaustive),
        cmocka_unit_test(test_refused_options),
        cmocka_unit_test(test_refused_decisions),
        cmocka_unit_test(test_longer_structs),
        cmocka_unit_test(test_run),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
