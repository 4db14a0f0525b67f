/* SPDX-License-Identifier: BSD-2-Clause */
#include "problem.h"

#include "support.h"

#include <math.h>
#include <string.h>

static const int32_t mixed_choices[] = { 3, 1, 5, 4, 2 };
static const int32_t mixed_ordered[] = { 0, 1, 1, 0, 1 };
static const int32_t mixed_groups[] = { 0, 0, 1, 2, 2 };
static const int32_t one_choices[] = { 7 };
static const int32_t forced_choices[] = { 1, 1 };

#define MIXED                                                           \
    {                                                                   \
        .size = sizeof(ub_decisions), .n = 5, .choices = mixed_choices, \
        .groups = mixed_groups, .ordered = mixed_ordered                \
    }

const ub_decisions problem_decisions[PROBLEMS] = {
    MIXED,
    { .size = sizeof(ub_decisions), .n = 1, .choices = one_choices },
    { .size = sizeof(ub_decisions), .n = 2, .choices = forced_choices },
    MIXED,
};

ub_strategy_options problem_options(int32_t kind, int problem, int64_t budget)
{
    static const int32_t directions[] = { UB_MAXIMIZE, UB_MINIMIZE };
    ub_strategy_options options;

    ub_strategy_options_init(&options, sizeof(options));
    options.kind = kind;
    options.budget = budget;
    options.objectives = 2;
    options.directions = directions;
    options.batch = 3;
    options.population = 6;
    options.tournament = 3;
    options.fit = 15;
    options.verify = 4;
    options.inner_budget = 60;
    options.samples = 4;
    options.coarse_steps = 2;
    options.cost_weight = 0.5;
    if (problem == PROBLEM_ONE) {
        options.accept = UB_ACCEPT_THRESHOLD;
        options.patience = 1;
    }
    if (problem == PROBLEM_AROUND) {
        options.neighbours = 2;
        options.radius = 2;
    }
    return options;
}

/* In [0, 1), as if random. */
static double noise(int64_t a, int64_t b)
{
    uint64_t h = ((uint64_t) a * 2654435761U + (uint64_t) b + 1) *
                 UINT64_C(0x9e3779b97f4a7c15);

    h = (h ^ h >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
    return (double) (h >> 40) / (double) (1 << 24);
}

static void evaluate_choices(const ub_decisions *decisions,
                             const int32_t *choices, double *objectives)
{
    for (int64_t d = 0; d < decisions->n; d++) {
        for (int k = 0; k < 2; k++)
            objectives[k] += noise(d + 100 * k, choices[d]);
    }
}

/* Linear in the weights. */
static void evaluate_weights(const ub_decisions *decisions,
                             const double *weights, problem_result *room)
{
    int64_t at = 0;

    for (int64_t d = 0; d < decisions->n; d++) {
        for (int32_t c = 0; c < decisions->choices[d]; c++, at++) {
            room->gradient[at] = noise(d, c);
            room->objectives[0] += weights[at] * noise(d, c);
            room->objectives[1] += weights[at] * noise(d + 100, c);
        }
    }
}

/* One in four has no result, in one way or another. */
static void fail_sometimes(int flags, double chance, problem_result *room,
                           ub_result *out)
{
    if (flags & PROBLEM_ALL_FAIL || chance < 0.1) {
        out->failed = 1;
        out->objectives = out->gradient = NULL;
    } else if (chance < 0.15) {
        room->objectives[0] = NAN;
    } else if (chance < 0.2 && out->gradient != NULL) {
        room->gradient[0] = NAN;
    } else if (chance < 0.2) {
        room->objectives[1] = -INFINITY;
    } else if (chance < 0.25) {
        out->violation = chance < 0.22 ? NAN : INFINITY;
    }
}

void problem_evaluate(const ub_decisions *decisions, int flags,
                      const ub_candidate *candidate, problem_result *room,
                      ub_result *out)
{
    int64_t code = 0;

    ub_result_init(out, sizeof(*out), candidate->id);
    memset(room, 0, sizeof(*room));
    out->objectives = room->objectives;
    if (candidate->weights != NULL) {
        evaluate_weights(decisions, candidate->weights, room);
        out->gradient = room->gradient;
        code = candidate->id;
    } else {
        evaluate_choices(decisions, candidate->choices, room->objectives);
        for (int64_t d = 0; d < decisions->n; d++)
            code = 10 * code + candidate->choices[d];
    }
    if (flags & PROBLEM_VIOLATIONS && noise(code, 5) < 0.6)
        out->violation = noise(code, 7);
    if (flags & (PROBLEM_FAILURES | PROBLEM_ALL_FAIL))
        fail_sometimes(flags, noise(code, 3), room, out);
}

/* -- the loop ------------------------------------------------------------- */

typedef struct pending {
    int64_t n;
    ub_result results[PROBLEM_ROOM];
    problem_result rooms[PROBLEM_ROOM];
} pending;

void problem_check(const ub_decisions *decisions, const ub_candidate *candidate)
{
    const ub_candidate *c = candidate;
    int64_t at = 0;

    assert_true(c->id >= 0 && c->id < PROBLEM_ROOM);
    assert_true(c->parent >= -1 && c->parent < c->id);
    for (int64_t d = 0; d < decisions->n; d++) {
        double sum = 0.0;

        assert_true(c->choices[d] >= 0 &&
                    c->choices[d] < decisions->choices[d]);
        if (c->weights == NULL)
            continue;
        for (int32_t k = 0; k < decisions->choices[d]; k++, at++) {
            assert_true(c->weights[at] >= 0.0);
            sum += c->weights[at];
        }
        assert_close(sum, 1.0, 1e-9); /* what states are checked for */
    }
}

static uint64_t digest(const ub_decisions *decisions, int64_t weights,
                       const ub_candidate *c)
{
    uint64_t h = (uint64_t) c->parent + 2;

    for (int64_t d = 0; d < decisions->n; d++)
        h = (h ^ (uint64_t) c->choices[d]) * UINT64_C(0x100000001b3);
    for (int64_t k = 0; k < weights && c->weights != NULL; k++) {
        uint64_t bits;

        memcpy(&bits, &c->weights[k], sizeof(bits));
        h = (h ^ bits) * UINT64_C(0x100000001b3);
    }
    return h;
}

static int ok(const problem_manner *manner, ub_status status)
{
    if (manner->again != NULL && manner->again(status, manner->user))
        return 0;
    assert_int_equal(status, UB_OK);
    return 1;
}

/* 1 for a new candidate; after a state was loaded old ones come again. */
static int take(const ub_decisions *decisions, const problem_manner *manner,
                int64_t weights, const ub_candidate *c, pending *p,
                problem_trace *trace)
{
    const uint64_t h = digest(decisions, weights, c);

    problem_check(decisions, c);
    if (c->id < trace->n) {
        assert_true(trace->digests[c->id] == h);
    } else {
        assert_int_equal(c->id, trace->n);
        trace->digests[trace->n++] = h;
    }
    for (int64_t i = 0; i < p->n; i++) {
        if (p->results[i].id == c->id)
            return 0;
    }
    problem_evaluate(decisions, manner->flags, c, &p->rooms[p->n],
                     &p->results[p->n]);
    p->n++;
    return 1;
}

/* How many new ones there are. */
static int64_t ask(ub_strategy **strategy, const ub_decisions *decisions,
                   const problem_manner *manner, pending *p,
                   problem_trace *trace)
{
    ub_candidate candidates[PROBLEM_ROOM];
    int64_t n = 0, new = 0;
    ub_status status;

    do {
        if (manner->interrupt != NULL)
            manner->interrupt(strategy, manner->user);
        for (int64_t i = 0; i < manner->ask; i++)
            candidates[i].size = sizeof(candidates[i]);
        status = ub_strategy_ask(*strategy, manner->ask, candidates, &n);
    } while (!ok(manner, status));
    for (int64_t i = 0; i < n; i++)
        new += take(decisions, manner, ub_strategy_weights(*strategy),
                    &candidates[i], p, trace);
    return new;
}

/* Tell the last few of those pending; their pointers still hold, as the rooms
 * do not move. */
static void tell(ub_strategy **strategy, const problem_manner *manner,
                 pending *p, int64_t n)
{
    ub_status status;

    do {
        if (manner->interrupt != NULL)
            manner->interrupt(strategy, manner->user);
        status = ub_strategy_tell(*strategy, n, p->results + p->n - n);
    } while (!ok(manner, status));
    p->n -= n;
}

static void swap(ub_result *a, ub_result *b)
{
    const ub_result c = *a;

    *a = *b;
    *b = c;
}

static void tell_all(ub_strategy **strategy, const problem_manner *manner,
                     pending *p)
{
    if (manner->order == 0) {
        for (int64_t i = 0; i < p->n / 2; i++)
            swap(&p->results[i], &p->results[p->n - 1 - i]);
    }
    for (int64_t i = 0; i < p->n && manner->order == 2; i++)
        swap(&p->results[i], &p->results[(i * 7 + 3) % p->n]);
    while (p->n > 0) {
        const int64_t some = 1 + p->n % 3;

        tell(strategy, manner, p, manner->order < 2 || some > p->n ? 1 : some);
    }
}

void problem_run(ub_strategy **strategy, const ub_decisions *decisions,
                 const problem_manner *manner, int64_t until,
                 problem_trace *trace)
{
    static pending p; /* large */
    ub_strategy_stats stats = { .size = sizeof(stats) };

    p.n = 0;
    while (!ub_strategy_finished(*strategy)) {
        const int64_t n = ask(strategy, decisions, manner, &p, trace);

        if (until > 0 && trace->n >= until)
            return;
        if (manner->order == 0 || n == 0)
            tell_all(strategy, manner, &p);
    }
    ub_strategy_stats_get(*strategy, &stats);
    assert_int_equal(stats.asked, trace->n);
    assert_int_equal(stats.told, trace->n);
}

/* -- of all kinds --------------------------------------------------------- */

ub_strategy *problem_create(ub_context *context, int32_t kind, int problem,
                            int64_t budget)
{
    const ub_strategy_options options = problem_options(kind, problem, budget);
    ub_strategy *strategy = NULL;

    assert_int_equal(ub_strategy_create(context, &problem_decisions[problem],
                                        &options, &strategy),
                     UB_OK);
    return strategy;
}

void problem_trace_run(ub_context *context, int32_t kind, int problem,
                       const problem_manner *manner, problem_trace *trace)
{
    ub_strategy *strategy = problem_create(context, kind, problem,
                                           PROBLEM_BUDGET);

    trace->n = 0;
    problem_run(&strategy, &problem_decisions[problem], manner, 0, trace);
    ub_strategy_destroy(&strategy);
}

void problem_same(const problem_trace *a, const problem_trace *b)
{
    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->digests, b->digests,
                        (size_t) a->n * sizeof(a->digests[0]));
}

int problem_supported(ub_context *context, int32_t kind, int problem)
{
    const ub_strategy_options options = problem_options(kind, problem,
                                                        PROBLEM_BUDGET);
    ub_strategy *strategy = NULL;
    const ub_status status = ub_strategy_create(
        context, &problem_decisions[problem], &options, &strategy);

    ub_strategy_destroy(&strategy);
    return status != UB_ERR_UNSUPPORTED;
}

void problem_for_all(void (*test)(ub_context *context, int32_t kind,
                                  int problem))
{
    ub_context *context = test_context(1);

    for (int32_t kind = 0; ub_strategy_kind_name(kind) != NULL; kind++)
        for (int problem = 0; problem < PROBLEMS; problem++) {
            if (problem_supported(context, kind, problem))
                test(context, kind, problem);
        }
    ub_context_destroy(&context);
}
