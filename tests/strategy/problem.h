/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_TESTS_STRATEGY_PROBLEM_H
#define UBOOST_TESTS_STRATEGY_PROBLEM_H

#include <uboost/strategy.h>

/* A made-up problem that strategies of any kind can be set to, and a caller's
 * loop that asks and tells in any manner and notes what it was given. */

#define PROBLEM_DECISIONS 8
#define PROBLEM_WEIGHTS   64
#define PROBLEM_ROOM      512 /* candidates of a run, at most */
#define PROBLEM_BUDGET    61  /* of most runs */

enum {
    PROBLEM_MIXED,  /* decisions of all sorts */
    PROBLEM_ONE,    /* a single one; annealing by threshold */
    PROBLEM_FORCED, /* none with any choice */
    PROBLEM_AROUND, /* mixed ones, with neighbours */
    PROBLEMS
};

extern const ub_decisions problem_decisions[PROBLEMS];

/* Options that make small batches of every kind, two objectives. */
ub_strategy_options problem_options(int32_t kind, int problem, int64_t budget);

enum { PROBLEM_FAILURES = 1, PROBLEM_ALL_FAIL = 2, PROBLEM_VIOLATIONS = 4 };

/* A result with room for what it points to. */
typedef struct problem_result {
    double objectives[2];
    double gradient[PROBLEM_WEIGHTS];
} problem_result;

/* Evaluate; depends on nothing but the candidate. */
void problem_evaluate(const ub_decisions *decisions, int flags,
                      const ub_candidate *candidate, problem_result *room,
                      ub_result *out);

/* Valid, and within the room that there is for them. */
void problem_check(const ub_decisions *decisions,
                   const ub_candidate *candidate);

/* What became known of a run. */
typedef struct problem_trace {
    int64_t n; /* candidates */
    uint64_t digests[PROBLEM_ROOM];
} problem_trace;

/* How to go about it. */
typedef struct problem_manner {
    int64_t ask; /* candidates at a time */
    int order;   /* of telling: 0 as asked, at once; 1 the last first, when no
                    more is to be had; 2 in some order, likewise, by ones, twos
                    and threes */
    int flags;   /* of problem_evaluate() */
    /* Called before each ask and tell, NULL: not; may replace the strategy by
     * one in the same state. */
    void (*interrupt)(ub_strategy **strategy, void *user);
    /* Whether a call that returned `status` shall be repeated; NULL: it must be
     * UB_OK. */
    int (*again)(ub_status status, void *user);
    void *user;
} problem_manner;

/* Go on until all is done, or until so many candidates were told; 0: all. */
void problem_run(ub_strategy **strategy, const ub_decisions *decisions,
                 const problem_manner *manner, int64_t until,
                 problem_trace *trace);

/* What tests of all kinds are made of: a strategy; a whole run of one; that two
 * runs were the same; whether a kind can do what a problem asks for; and to
 * call test() for every kind there is and every problem it can do. */
ub_strategy *problem_create(ub_context *context, int32_t kind, int problem,
                            int64_t budget);
void problem_trace_run(ub_context *context, int32_t kind, int problem,
                       const problem_manner *manner, problem_trace *trace);
void problem_same(const problem_trace *a, const problem_trace *b);
int problem_supported(ub_context *context, int32_t kind, int problem);
void problem_for_all(void (*test)(ub_context *context, int32_t kind,
                                  int problem));

#endif
