/* SPDX-License-Identifier: BSD-2-Clause */
#include "problem.h"
#include "strategy/ask.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/* States of every kind of strategy: saved, damaged, and short of memory. */

#define HEADER 20 /* bytes of a state file */

static const problem_manner plain = { .ask = 1 };
static problem_trace expected, trace;

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
    ub_strategy *spare = problem_create(context, kind, problem, PROBLEM_BUDGET);

    for (manner.order = 0; manner.order < 3; manner.order++) {
        manner.ask = asks[manner.order];
        manner.interrupt = NULL;
        problem_trace_run(context, kind, problem, &manner, &expected);
        manner.interrupt = hibernate;
        manner.user = &spare;
        problem_trace_run(context, kind, problem, &manner, &trace);
        problem_same(&expected, &trace);
    }
    ub_strategy_destroy(&spare);
}

static void test_states(void **state)
{
    (void) state;
    problem_for_all(check_states);
}

/* A state is that of one kind, one seed, one problem. */
static void check_identity(ub_context *context, int32_t kind, int problem)
{
    const char *path = test_path("state");
    ub_strategy *strategy = problem_create(context, kind, problem,
                                           PROBLEM_BUDGET),
                *other;
    ub_strategy_options options = problem_options(kind, problem,
                                                  PROBLEM_BUDGET);

    save(strategy, path);
    other = problem_create(
        context, kind, problem == PROBLEM_ONE ? PROBLEM_FORCED : PROBLEM_ONE,
        PROBLEM_BUDGET);
    assert_int_equal(ub_strategy_load(other, path), UB_ERR_INVALID);
    ub_strategy_destroy(&other);
    other = problem_create(context, kind, problem, PROBLEM_BUDGET + 1);
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
    problem_for_all(check_identity);
}

/* The file itself. */
static void test_file(void **state)
{
    ub_context *context = test_context(1);

    (void) state;
    for (int32_t kind = 0; ub_strategy_kind_name(kind) != NULL; kind++) {
        const char *path = test_path("saved"), *other = test_path("state");
        ub_strategy *strategy = problem_create(context, kind, PROBLEM_MIXED,
                                               PROBLEM_BUDGET);

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
    victim = problem_create(context, victim_kind, victim_problem,
                            PROBLEM_BUDGET);
    return 1;
}

/* A state in the middle of a batch, half of which is told. */
static char *make_state(ub_context *context, int32_t kind, int problem,
                        size_t *size)
{
    const problem_manner manner = { .ask = 2, .order = 0 };
    const char *path = test_path("state");
    ub_strategy *strategy = problem_create(context, kind, problem,
                                           PROBLEM_BUDGET);
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
    victim = problem_create(context, kind, problem, PROBLEM_BUDGET);
    accepted = test_damaged(context, "damaged", bytes, size, every,
                            load_and_run);
    assert_int_equal(accepted.prefixes, 0);
    assert_int_equal(accepted.flips, 0);
    problem_trace_run(context, kind, problem, &manner, &expected);
    trace.n = 0; /* none of them has changed anything */
    problem_run(&victim, &problem_decisions[problem], &manner, 0, &trace);
    problem_same(&expected, &trace);
    check_hostile(context, (unsigned char *) bytes, size, whole ? 3 : 29);
    ub_strategy_destroy(&victim);
    free(bytes);
}

static void test_damaged_states(void **state)
{
    (void) state;
    problem_for_all(check_damaged);
}

/* A file whose counts fit each other can announce more children than NSGA-II
 * has room for: as asked for, or as the centres of neighbourhoods still to be
 * made. */
static void test_many_children(void **state)
{
    static const int problems[] = { PROBLEM_MIXED, PROBLEM_AROUND };
    static const int32_t choices[PROBLEM_DECISIONS] = { 0 };
    ub_context *context = test_context(1);
    const char *path = test_path("state");

    (void) state;
    for (int i = 0; i < 2; i++) {
        ub_strategy *strategy = problem_create(context, UB_STRATEGY_NSGA2,
                                               problems[i], PROBLEM_BUDGET);
        ub_strategy *other = problem_create(context, UB_STRATEGY_NSGA2,
                                            problems[i], PROBLEM_BUDGET);
        ub__batch *batch = i == 0 ? &strategy->batch : &strategy->inner;

        for (int64_t n = 0; n <= strategy->options.population; n++) {
            save(strategy, path);
            assert_int_equal(ub_strategy_load(other, path), UB_OK);
            assert_int_equal(ub__batch_add(context, batch, choices, NULL, -1),
                             UB_OK);
        }
        save(strategy, path);
        assert_int_equal(ub_strategy_load(other, path), UB_ERR_FORMAT);
        ub_strategy_destroy(&strategy);
        ub_strategy_destroy(&other);
    }
    ub_context_destroy(&context);
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

    problem_trace_run(context, kind, problem, &manner, &expected);
    manner.again = once;
    manner.user = &refused;
    for (int64_t fail_at = 0; refused; fail_at += fail_at < 100 ? 1 : 7) {
        ub_strategy *strategy = problem_create(context, kind, problem,
                                               PROBLEM_BUDGET);

        refused = 0;
        trace.n = 0;
        memory.fail_at = memory.count + fail_at;
        problem_run(&strategy, &problem_decisions[problem], &manner, 0, &trace);
        memory.fail_at = -1;
        problem_same(&expected, &trace);
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
        if (problem_supported(context, kind, PROBLEM_AROUND))
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
                                                        PROBLEM_BUDGET);
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
    e.left = PROBLEM_BUDGET;
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
    problem_for_all(check_memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_file),
        cmocka_unit_test(test_damaged_states),
        cmocka_unit_test(test_many_children),
        cmocka_unit_test(test_repeated),
        cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
