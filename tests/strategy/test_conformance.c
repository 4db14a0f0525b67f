/* SPDX-License-Identifier: BSD-2-Clause */
#include "problem.h"
#include "strategy/ask.h"
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* What every kind of strategy must keep to, whichever there are. */

#define BUDGET 61
#define HEADER 20 /* bytes of a state file */

static ub_strategy *create(ub_context *context, int32_t kind, int problem,
                           int64_t budget)
{
    const ub_strategy_options options = problem_options(kind, problem, budget);
    ub_strategy *strategy = NULL;

    assert_int_equal(ub_strategy_create(context, &problem_decisions[problem],
                                        &options, &strategy),
                     UB_OK);
    return strategy;
}

static void run(ub_context *context, int32_t kind, int problem,
                const problem_manner *manner, problem_trace *trace)
{
    ub_strategy *strategy = create(context, kind, problem, BUDGET);

    trace->n = 0;
    problem_run(&strategy, &problem_decisions[problem], manner, 0, trace);
    ub_strategy_destroy(&strategy);
}

static void assert_same(const problem_trace *a, const problem_trace *b)
{
    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->digests, b->digests,
                        (size_t) a->n * sizeof(a->digests[0]));
}

static const problem_manner plain = { .ask = 1 };
static problem_trace expected, trace;

/* Whether a kind can do what a problem asks for. */
static int supports(ub_context *context, int32_t kind, int problem)
{
    const ub_strategy_options options = problem_options(kind, problem, BUDGET);
    ub_strategy *strategy = NULL;
    const ub_status status = ub_strategy_create(
        context, &problem_decisions[problem], &options, &strategy);

    ub_strategy_destroy(&strategy);
    return status != UB_ERR_UNSUPPORTED;
}

/* Call test() for each kind there is on each problem. */
static void for_all(void (*test)(ub_context *context, int32_t kind,
                                 int problem))
{
    ub_context *context = test_context(1);

    for (int32_t kind = 0; ub_strategy_kind_name(kind) != NULL; kind++)
        for (int problem = 0; problem < PROBLEMS; problem++) {
            if (supports(context, kind, problem))
                test(context, kind, problem);
        }
    ub_context_destroy(&context);
}

/* -- determinism ---------------------------------------------------------- */

static void check_seed(ub_context *context, int32_t kind, int problem)
{
    ub_strategy_options options = problem_options(kind, problem, BUDGET);
    ub_strategy *strategy = NULL;

    run(context, kind, problem, &plain, &expected);
    run(context, kind, problem, &plain, &trace);
    assert_same(&expected, &trace);
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
    for_all(check_seed);
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

        run(context, kind, problem, &manner, &expected);
        for (int i = 0; i < 4; i++) {
            for (manner.order = 0; manner.order < 3; manner.order++) {
                manner.ask = some_asks[i];
                run(context, kind, problem, &manner, &trace);
                assert_same(&expected, &trace);
            }
        }
    }
}

/* However many are asked for, and in whatever order told; with failures and
 * with constraints. */
static void test_manners(void **state)
{
    (void) state;
    for_all(check_manners);
}

/* -- budget --------------------------------------------------------------- */

static void check_budget(ub_context *context, int32_t kind, int problem)
{
    static const int64_t budgets[] = { 1, 2, 5, 16, 33 };
    const problem_manner greedy = { .ask = 100, .order = 1 };

    for (int i = 0; i < 5; i++) {
        ub_strategy *strategy = create(context, kind, problem, budgets[i]);

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
    for_all(check_budget);
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
           isfinite(r->objectives[1]);
}

/* The best told; both strategies ask the same. */
static void check_answer(ub_strategy *strategy, int problem, int flags)
{
    const ub_decisions *decisions = &problem_decisions[problem];
    ub_candidate c = { .size = sizeof(c) };
    problem_result rooms[2];
    ub_result best = { .failed = 1 }, result;
    int32_t choices[PROBLEM_DECISIONS];
    double objectives[2];
    int64_t n;
    int at = 0;

    while (!ub_strategy_finished(strategy)) {
        assert_int_equal(ub_strategy_ask(strategy, 1, &c, &n), UB_OK);
        if (n == 0)
            continue;
        problem_evaluate(decisions, flags, &c, &rooms[at], &result);
        assert_int_equal(ub_strategy_tell(strategy, 1, &result), UB_OK);
        if (is_known(&result) && (best.failed || is_better(&result, &best))) {
            best = result;
            at = 1 - at;
        }
    }
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
        ub_strategy *strategy = create(context, kind, problem, BUDGET);

        check_answer(strategy, problem, some_flags[f]);
        ub_strategy_destroy(&strategy);
    }
}

static void test_answers(void **state)
{
    (void) state;
    for_all(check_answers);
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
        ub_result_init(&r[i], sizeof(r[i]), PROBLEM_BUDGET + i);
        r[i].failed = 1;
    }
    assert_int_equal(ub_strategy_tell(*strategy, 1, r), UB_ERR_INVALID);
    assert_int_equal(ub_strategy_tell(*strategy, -1, r), UB_ERR_INVALID);
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

    run(context, kind, problem, &manner, &expected);
    manner.interrupt = misuse;
    run(context, kind, problem, &manner, &trace);
    assert_same(&expected, &trace);
}

static void test_misuse(void **state)
{
    (void) state;
    for_all(check_misuse);
}

/* A call that tells one thing wrong tells nothing. */
static void check_all_or_nothing(ub_context *context, int32_t kind, int problem)
{
    const ub_decisions *decisions = &problem_decisions[problem];
    ub_strategy *strategy = create(context, kind, problem, BUDGET);
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
    for_all(check_all_or_nothing);
}

/* -- states --------------------------------------------------------------- */

/* The length of what is behind the header stands in it. */
static size_t state_size(const char *bytes)
{
    size_t size = 0;

    for (int i = 7; i >= 0; i--)
        size = size << 8 | (unsigned char) bytes[8 + i];
    return HEADER + size;
}

/* Write the checksum that goes with what is behind the header. */
static void seal(unsigned char *bytes, size_t size)
{
    const uLong sum = crc32(0, bytes + HEADER, (uInt) (size - HEADER));

    for (int i = 0; i < 4; i++)
        bytes[16 + i] = (unsigned char) (sum >> 8 * i);
}

/* As ub_strategy_save(), which waits for the disk, and would for hours. */
static void save(ub_strategy *strategy, const char *path)
{
    ub__archive a = { .context = strategy->context,
                      .path = path,
                      .writing = 1 };
    unsigned char *bytes;

    ub__strategy_archive(strategy, &a);
    assert_int_equal(a.status, UB_OK);
    bytes = malloc(HEADER + a.at);
    assert_non_null(bytes);
    memcpy(bytes, "UBstate1", 8);
    for (int i = 0; i < 8; i++)
        bytes[8 + i] = (unsigned char) (a.at >> 8 * i);
    memcpy(bytes + HEADER, a.data, a.at);
    seal(bytes, HEADER + a.at);
    test_file_write(path, bytes, HEADER + a.at);
    free(bytes);
    ub__free(strategy->context, a.data);
}

static void assert_same_files(const char *a, const char *b)
{
    char *x = test_file_read(a), *y = test_file_read(b);

    assert_int_equal(state_size(x), state_size(y));
    assert_memory_equal(x, y, state_size(x));
    free(x);
    free(y);
}

/* Save, and go on with another strategy that loads it, whatever it did
 * before. */
static void hibernate(ub_strategy **strategy, void *user)
{
    const char *path = test_path("state"), *again = test_path("again");
    ub_strategy **spare = user, *used = *strategy;
    ub_strategy_stats before = { .size = sizeof(before) }, after = before;

    ub_strategy_stats_get(used, &before);
    save(used, path);
    assert_int_equal(ub_strategy_load(*spare, path), UB_OK);
    save(*spare, again);
    assert_same_files(path, again);
    *strategy = *spare;
    *spare = used;
    ub_strategy_stats_get(*strategy, &after);
    assert_memory_equal(&before, &after, sizeof(before));
}

static void check_states(ub_context *context, int32_t kind, int problem)
{
    static const int64_t asks[] = { 1, 2, 500 };
    problem_manner manner = { .flags = PROBLEM_FAILURES | PROBLEM_VIOLATIONS };
    ub_strategy *spare = create(context, kind, problem, BUDGET);

    for (manner.order = 0; manner.order < 3; manner.order++) {
        manner.ask = asks[manner.order];
        manner.interrupt = NULL;
        run(context, kind, problem, &manner, &expected);
        manner.interrupt = hibernate;
        manner.user = &spare;
        run(context, kind, problem, &manner, &trace);
        assert_same(&expected, &trace);
    }
    ub_strategy_destroy(&spare);
}

static void test_states(void **state)
{
    (void) state;
    for_all(check_states);
}

/* A state is that of one kind, one seed, one problem. */
static void check_identity(ub_context *context, int32_t kind, int problem)
{
    const char *path = test_path("state");
    ub_strategy *strategy = create(context, kind, problem, BUDGET), *other;
    ub_strategy_options options = problem_options(kind, problem, BUDGET);

    save(strategy, path);
    other = create(context, kind,
                   problem == PROBLEM_ONE ? PROBLEM_FORCED : PROBLEM_ONE,
                   BUDGET);
    assert_int_equal(ub_strategy_load(other, path), UB_ERR_INVALID);
    ub_strategy_destroy(&other);
    other = create(context, kind, problem, BUDGET + 1);
    assert_int_equal(ub_strategy_load(other, path), UB_ERR_INVALID);
    ub_strategy_destroy(&other);
    options.directions = NULL;
    assert_int_equal(ub_strategy_create(context, &problem_decisions[problem],
                                        &options, &other),
                     UB_OK);
    assert_int_equal(ub_strategy_load(other, path), UB_ERR_INVALID);
    assert_int_equal(ub_strategy_load(other, test_path("nothing")), UB_ERR_IO);
    ub_strategy_destroy(&other);
    ub_strategy_destroy(&strategy);
}

static void test_identity(void **state)
{
    (void) state;
    for_all(check_identity);
}

/* The file itself. */
static void test_file(void **state)
{
    ub_context *context = test_context(1);

    (void) state;
    for (int32_t kind = 0; ub_strategy_kind_name(kind) != NULL; kind++) {
        const char *path = test_path("saved"), *other = test_path("state");
        ub_strategy *strategy = create(context, kind, PROBLEM_MIXED, BUDGET);

        trace.n = 0;
        problem_run(&strategy, &problem_decisions[PROBLEM_MIXED], &plain, 9,
                    &trace);
        assert_int_equal(ub_strategy_save(strategy, path), UB_OK);
        save(strategy, other);
        assert_same_files(path, other);
        assert_int_equal(ub_strategy_save(strategy, NULL), UB_ERR_INVALID);
        assert_int_equal(ub_strategy_save(strategy, test_path("no/where")),
                         UB_ERR_IO);
        ub_strategy_destroy(&strategy);
    }
    ub_context_destroy(&context);
}

/* -- damaged states ------------------------------------------------------- */

static ub_strategy *victim; /* into which they are loaded */
static int victim_kind, victim_problem;

/* Whatever was loaded must be fit to be run to the end. */
static int load_and_run(ub_context *context, const char *path)
{
    const ub_decisions *decisions = &problem_decisions[victim_problem];
    const ub_status status = ub_strategy_load(victim, path);
    ub_candidate c = { .size = sizeof(c) };
    problem_result room;
    ub_result result;
    int64_t n, asked = 0;

    if (status != UB_OK)
        return 0;
    while (!ub_strategy_finished(victim) && asked++ < 1000) {
        assert_int_equal(ub_strategy_ask(victim, 1, &c, &n), UB_OK);
        if (n == 0)
            continue;
        problem_check(decisions, &c);
        problem_evaluate(decisions, 0, &c, &room, &result);
        assert_int_equal(ub_strategy_tell(victim, 1, &result), UB_OK);
    }
    assert_true(asked < 1000);
    ub_strategy_destroy(&victim);
    victim = create(context, victim_kind, victim_problem, BUDGET);
    return 1;
}

/* A state in the middle of a batch, half of which is told. */
static char *make_state(ub_context *context, int32_t kind, int problem,
                        size_t *size)
{
    const problem_manner manner = { .ask = 2, .order = 0 };
    const char *path = test_path("state");
    ub_strategy *strategy = create(context, kind, problem, BUDGET);
    char *bytes;

    trace.n = 0;
    problem_run(&strategy, &problem_decisions[problem], &manner, 21, &trace);
    save(strategy, path);
    ub_strategy_destroy(&strategy);
    bytes = test_file_read(path);
    *size = state_size(bytes);
    return bytes;
}

/* Flip bits, and write the checksum that goes with them. */
static void check_hostile(ub_context *context, unsigned char *bytes,
                          size_t size, size_t every)
{
    const char *path = test_path("hostile");

    for (size_t bit = 8 * HEADER; bit < 8 * size; bit += every) {
        const unsigned char flip = (unsigned char) (1 << bit % 8);

        bytes[bit / 8] ^= flip;
        seal(bytes, size);
        test_file_write(path, bytes, size);
        load_and_run(context, path);
        bytes[bit / 8] ^= flip;
    }
}

static void check_damaged(ub_context *context, int32_t kind, int problem)
{
    const int whole = problem == PROBLEM_MIXED; /* the other takes long */
    const struct test_damage every = { whole ? 1 : 7, whole ? 1 : 29 };
    const problem_manner manner = { .ask = 1 };
    struct test_damage accepted;
    size_t size;
    char *bytes;

    if (problem != PROBLEM_MIXED && problem != PROBLEM_AROUND)
        return;
    bytes = make_state(context, kind, problem, &size);
    victim_kind = kind;
    victim_problem = problem;
    victim = create(context, kind, problem, BUDGET);
    accepted = test_damaged(context, "damaged", bytes, size, every,
                            load_and_run);
    assert_int_equal(accepted.prefixes, 0);
    assert_int_equal(accepted.flips, 0);
    run(context, kind, problem, &manner, &expected);
    trace.n = 0; /* none of them has changed anything */
    problem_run(&victim, &problem_decisions[problem], &manner, 0, &trace);
    assert_same(&expected, &trace);
    check_hostile(context, (unsigned char *) bytes, size, whole ? 3 : 29);
    ub_strategy_destroy(&victim);
    free(bytes);
}

static void test_damaged_states(void **state)
{
    (void) state;
    for_all(check_damaged);
}

/* -- memory --------------------------------------------------------------- */

static struct test_allocator memory;

/* From the first refusal on there is memory again. */
static int once(ub_status status, void *user)
{
    int *refused = user;

    if (status != UB_ERR_NOMEM)
        return 0;
    *refused = 1;
    memory.fail_at = -1;
    return 1;
}

/* A call that found no memory may be repeated, and nothing is lost. */
static void check_repeated(ub_context *context, int32_t kind, int problem)
{
    problem_manner manner = { .ask = 2, .order = 2 };
    int refused = 1;

    run(context, kind, problem, &manner, &expected);
    manner.again = once;
    manner.user = &refused;
    for (int64_t fail_at = 0; refused; fail_at += fail_at < 100 ? 1 : 7) {
        ub_strategy *strategy = create(context, kind, problem, BUDGET);

        refused = 0;
        trace.n = 0;
        memory.fail_at = memory.count + fail_at;
        problem_run(&strategy, &problem_decisions[problem], &manner, 0, &trace);
        memory.fail_at = -1;
        assert_same(&expected, &trace);
        ub_strategy_destroy(&strategy);
    }
}

static void test_repeated(void **state)
{
    ub_allocator allocator;
    ub_context_options options;
    ub_context *context = NULL;

    (void) state;
    test_allocator_init(&memory, -1, &allocator);
    ub_context_options_init(&options, sizeof(options));
    options.allocator = &allocator;
    assert_int_equal(ub_context_create(&options, &context), UB_OK);
    for (int32_t kind = 0; ub_strategy_kind_name(kind) != NULL; kind++) {
        check_repeated(context, kind, PROBLEM_MIXED);
        if (supports(context, kind, PROBLEM_AROUND))
            check_repeated(context, kind, PROBLEM_AROUND);
    }
    ub_context_destroy(&context);
    assert_int_equal(memory.live, 0);
}

typedef struct evaluator {
    problem_result room;
    int64_t left; /* evaluations until it asks to stop */
} evaluator;

static ub_status evaluate(void *user, const ub_candidate *candidate,
                          ub_result *result)
{
    evaluator *e = user;

    if (e->left-- <= 0)
        return UB_ERR_INTERRUPTED;
    problem_evaluate(&problem_decisions[PROBLEM_MIXED], PROBLEM_VIOLATIONS,
                     candidate, &e->room, result);
    return UB_OK;
}

/* A run that is interrupted and goes on with the state of another, which is as
 * far. Saved where there is no disk to wait for. */
typedef struct subject {
    int32_t kind;
    int problem;
} subject;

static ub_status whole_run(ub_context *context, void *arg)
{
    const subject *s = arg;
    const ub_strategy_options options = problem_options(s->kind, s->problem,
                                                        BUDGET);
    evaluator e = { .left = 21 };
    ub_strategy *strategy = NULL;
    int32_t choices[PROBLEM_DECISIONS];
    int64_t n;
    ub_status status;

    status = ub_strategy_create(context, &problem_decisions[s->problem],
                                &options, &strategy);
    if (status == UB_OK)
        status = ub_strategy_run(strategy, evaluate, &e);
    if (status == UB_ERR_INTERRUPTED)
        status = ub_strategy_save(strategy, "/dev/null");
    if (status == UB_OK)
        status = ub_strategy_load(strategy, test_path("state"));
    e.left = BUDGET;
    if (status == UB_OK)
        status = ub_strategy_run(strategy, evaluate, &e);
    if (status == UB_OK)
        status = ub_strategy_best(strategy, 1, choices, NULL, &n);
    ub_strategy_destroy(&strategy);
    return status;
}

static void check_memory(ub_context *context, int32_t kind, int problem)
{
    subject s = { kind, problem };
    size_t size;

    if (problem != PROBLEM_MIXED && problem != PROBLEM_AROUND)
        return;
    free(make_state(context, kind, problem, &size));
    assert_survives_oom(whole_run, 1, &s);
}

static void test_memory(void **state)
{
    (void) state;
    for_all(check_memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seed),     cmocka_unit_test(test_manners),
        cmocka_unit_test(test_budget),   cmocka_unit_test(test_answers),
        cmocka_unit_test(test_misuse),   cmocka_unit_test(test_all_or_nothing),
        cmocka_unit_test(test_states),   cmocka_unit_test(test_identity),
        cmocka_unit_test(test_file),     cmocka_unit_test(test_damaged_states),
        cmocka_unit_test(test_repeated), cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
