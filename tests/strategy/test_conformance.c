/* SPDX-License-Identifier: BSD-2-Clause */
#include "problem.h"
#include "support.h"

#include <math.h>
#include <string.h>

/* What every kind of strategy must keep to, whichever there are. */

static const problem_manner plain = { .ask = 1 };
static problem_trace expected, trace;

/* -- determinism ---------------------------------------------------------- */

static void check_seed(ub_context *context, int32_t kind, int problem)
{
    ub_strategy_options options = problem_options(kind, problem,
                                                  PROBLEM_BUDGET);
    ub_strategy *strategy = NULL;

    problem_trace_run(context, kind, problem, &plain, &expected);
    problem_trace_run(context, kind, problem, &plain, &trace);
    problem_same(&expected, &trace);
    if (kind == UB_STRATEGY_EXHAUSTIVE || problem == PROBLEM_FORCED)
        return;
    options.seed = 2;
    assert_int_equal(ub_strategy_create(context, &problem_decisions[problem],
                                        &options, &strategy),
                     UB_OK);
    trace.n = 0;
    problem_run(&strategy, &problem_decisions[problem], &plain, 0, &trace);
    assert_true(trace.n != expected.n ||
                memcmp(trace.digests, expected.digests,
                       (size_t) trace.n * sizeof(trace.digests[0])) != 0);
    ub_strategy_destroy(&strategy);
}

static void test_seed(void **state)
{
    (void) state;
    problem_for_all(check_seed);
}

static const int some_flags[] = { 0, PROBLEM_FAILURES, PROBLEM_ALL_FAIL,
                                  PROBLEM_VIOLATIONS,
                                  PROBLEM_VIOLATIONS | PROBLEM_FAILURES };

#define FLAGS (sizeof(some_flags) / sizeof(some_flags[0]))

static void check_manners(ub_context *context, int32_t kind, int problem)
{
    static const int64_t some_asks[] = { 1, 2, 7, 500 };

    for (size_t f = 0; f < FLAGS; f++) {
        problem_manner manner = { .ask = 1, .flags = some_flags[f] };

        problem_trace_run(context, kind, problem, &manner, &expected);
        for (int i = 0; i < 4; i++) {
            for (manner.order = 0; manner.order < 3; manner.order++) {
                manner.ask = some_asks[i];
                problem_trace_run(context, kind, problem, &manner, &trace);
                problem_same(&expected, &trace);
            }
        }
    }
}

/* However many are asked for, and in whatever order told; with failures and
 * with constraints. */
static void test_manners(void **state)
{
    (void) state;
    problem_for_all(check_manners);
}

/* -- budget --------------------------------------------------------------- */

static void check_budget(ub_context *context, int32_t kind, int problem)
{
    static const int64_t budgets[] = { 1, 2, 5, 16, 33 };
    const problem_manner greedy = { .ask = 100, .order = 1 };

    for (int i = 0; i < 5; i++) {
        ub_strategy *strategy = problem_create(context, kind, problem,
                                               budgets[i]);

        trace.n = 0;
        problem_run(&strategy, &problem_decisions[problem], &greedy, 0, &trace);
        assert_true(trace.n <= budgets[i]);
        if (problem == PROBLEM_AROUND) {
            ub_strategy_destroy(&strategy);
            continue;
        }
        assert_true(trace.n >= 1);
        if (kind == UB_STRATEGY_RANDOM || kind == UB_STRATEGY_EVOLUTION ||
            kind == UB_STRATEGY_NSGA2 || kind == UB_STRATEGY_ANNEALING)
            assert_int_equal(trace.n, budgets[i]);
        ub_strategy_destroy(&strategy);
    }
}

static void test_budget(void **state)
{
    (void) state;
    problem_for_all(check_budget);
}

/* -- the answer ----------------------------------------------------------- */

/* Whether a comes before b by violation, then by objective 0. */
static int is_better(const ub_result *a, const ub_result *b)
{
    if (a->violation != b->violation)
        return a->violation < b->violation;
    return a->objectives[0] > b->objectives[0];
}

static int is_known(const ub_result *r)
{
    return !r->failed && isfinite(r->violation) && isfinite(r->objectives[0]) &&
           isfinite(r->objectives[1]) &&
           (r->gradient == NULL || isfinite(r->gradient[0]));
}

/* 1 if a candidate is met for the first time; `seen` has a place for each. */
static int is_new(const ub_decisions *decisions, const int32_t *choices,
                  unsigned char *seen)
{
    int64_t code = 0;
    int first;

    for (int64_t d = 0; d < decisions->n; d++)
        code = 8 * code + choices[d];
    first = !seen[code];
    seen[code] = 1;
    return first;
}

/* The best told is the answer, and different candidates are counted. */
static void check_answer(ub_strategy *strategy, int problem, int flags)
{
    const ub_decisions *decisions = &problem_decisions[problem];
    ub_candidate c = { .size = sizeof(c) };
    problem_result rooms[2];
    ub_result best = { .failed = 1 }, result;
    int32_t choices[PROBLEM_DECISIONS];
    unsigned char seen[8 * 8 * 8 * 8 * 8] = { 0 };
    ub_strategy_stats stats = { .size = sizeof(stats) };
    double objectives[2];
    int64_t n, unique = 0, failed = 0;
    int at = 0;

    while (!ub_strategy_finished(strategy)) {
        assert_int_equal(ub_strategy_ask(strategy, 1, &c, &n), UB_OK);
        if (n == 0)
            continue;
        unique += c.weights == NULL && is_new(decisions, c.choices, seen);
        problem_evaluate(decisions, flags, &c, &rooms[at], &result);
        assert_int_equal(ub_strategy_tell(strategy, 1, &result), UB_OK);
        failed += !is_known(&result);
        if (is_known(&result) && (best.failed || is_better(&result, &best))) {
            best = result;
            at = 1 - at;
        }
    }
    ub_strategy_stats_get(strategy, &stats);
    assert_int_equal(stats.unique, unique);
    assert_int_equal(stats.failed, failed);
    assert_int_equal(ub_strategy_best(strategy, 1, choices, objectives, &n),
                     UB_OK);
    if (ub_strategy_caps(strategy) & UB_CAP_DISTRIBUTION) {
        assert_int_equal(n, 1);
    } else if (best.failed) {
        assert_int_equal(n, 0);
    } else if (problem != PROBLEM_AROUND) {
        assert_true(n >= 1);
        assert_close(objectives[0], best.objectives[0], 0.0);
    }
    for (int64_t d = 0; d < decisions->n && n > 0; d++)
        assert_in_range(choices[d], 0, decisions->choices[d] - 1);
}

static void check_answers(ub_context *context, int32_t kind, int problem)
{
    for (size_t f = 0; f < FLAGS; f++) {
        ub_strategy *strategy = problem_create(context, kind, problem,
                                               PROBLEM_BUDGET);

        check_answer(strategy, problem, some_flags[f]);
        ub_strategy_destroy(&strategy);
    }
}

static void test_answers(void **state)
{
    (void) state;
    problem_for_all(check_answers);
}

/* -- what must be refused ------------------------------------------------- */

/* None of these may change what the strategy goes on to do. */
static void misuse(ub_strategy **strategy, void *user)
{
    const double objectives[] = { 1.0, 2.0 };
    ub_candidate c[2] = { { .size = sizeof(c[0]) }, { .size = 3 } };
    ub_strategy_stats stats = { .size = sizeof(stats) };
    ub_result r[2];
    int64_t n = -7;

    (void) user;
    ub_strategy_stats_get(*strategy, &stats);
    assert_int_equal(ub_strategy_ask(*strategy, 0, c, &n), UB_ERR_INVALID);
    assert_int_equal(ub_strategy_ask(*strategy, 2, c, &n), UB_ERR_INVALID);
    assert_int_equal(ub_strategy_ask(*strategy, 1, NULL, &n), UB_ERR_INVALID);
    assert_int_equal(n, -7);
    for (int i = 0; i < 2; i++) {
        ub_result_init(&r[i], sizeof(r[i]), PROBLEM_ROOM + i);
        r[i].failed = 1;
    }
    assert_int_equal(ub_strategy_tell(*strategy, 1, r), UB_ERR_INVALID);
    assert_int_equal(ub_strategy_tell(*strategy, -1, r), UB_ERR_INVALID);
    r[0].id = INT64_MIN; /* far from every candidate's */
    assert_int_equal(ub_strategy_tell(*strategy, 1, r), UB_ERR_INVALID);
    r[0].id = INT64_MAX;
    assert_int_equal(ub_strategy_tell(*strategy, 1, r), UB_ERR_INVALID);
    if (stats.told == 0)
        return;
    r[0].id = r[1].id = 0; /* told before, or too early for that */
    assert_int_equal(ub_strategy_tell(*strategy, 2, r), UB_ERR_INVALID);
    r[0].failed = 0;
    r[0].objectives = objectives;
    r[0].violation = -1.0;
    assert_int_equal(ub_strategy_tell(*strategy, 1, r), UB_ERR_INVALID);
}

static void check_misuse(ub_context *context, int32_t kind, int problem)
{
    problem_manner manner = { .ask = 4, .order = 2 };

    problem_trace_run(context, kind, problem, &manner, &expected);
    manner.interrupt = misuse;
    problem_trace_run(context, kind, problem, &manner, &trace);
    problem_same(&expected, &trace);
}

static void test_misuse(void **state)
{
    (void) state;
    problem_for_all(check_misuse);
}

/* A call that tells one thing wrong tells nothing. */
static void check_all_or_nothing(ub_context *context, int32_t kind, int problem)
{
    const ub_decisions *decisions = &problem_decisions[problem];
    ub_strategy *strategy = problem_create(context, kind, problem,
                                           PROBLEM_BUDGET);
    ub_candidate c = { .size = sizeof(c) };
    ub_strategy_stats stats = { .size = sizeof(stats) };
    problem_result room;
    ub_result r[2];
    int64_t n;

    assert_int_equal(ub_strategy_ask(strategy, 1, &c, &n), UB_OK);
    problem_evaluate(decisions, 0, &c, &room, &r[0]);
    r[1] = r[0];
    assert_int_equal(ub_strategy_tell(strategy, 2, r), UB_ERR_INVALID);
    ub_strategy_stats_get(strategy, &stats);
    assert_int_equal(stats.told, 0);
    assert_int_equal(ub_strategy_tell(strategy, 1, r), UB_OK);
    ub_strategy_stats_get(strategy, &stats);
    assert_int_equal(stats.told, 1);
    ub_strategy_destroy(&strategy);
}

static void test_all_or_nothing(void **state)
{
    (void) state;
    problem_for_all(check_all_or_nothing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seed),   cmocka_unit_test(test_manners),
        cmocka_unit_test(test_budget), cmocka_unit_test(test_answers),
        cmocka_unit_test(test_misuse), cmocka_unit_test(test_all_or_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
