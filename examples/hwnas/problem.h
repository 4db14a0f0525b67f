/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef EXAMPLES_HWNAS_PROBLEM_H
#define EXAMPLES_HWNAS_PROBLEM_H

#include "hwnas/hwnas.h"

/* Columns that are looked at: the objectives, a score that no strategy sees,
 * and what has limits. */
enum { PROBLEM_COLUMNS = HWNAS_MAX_METRICS + 4 };

/* What a strategy is to solve: of NAS-Bench-201 the highest accuracy after few
 * epochs, within limits; of FBNet the lowest cost. */
typedef struct problem {
    const hwnas *h;
    int cells; /* 1: NAS-Bench-201 */
    int64_t decisions;
    int32_t choices[UB_HWBENCH_FBNET_LAYERS]; /* of each decision */
    int64_t objectives;
    int32_t directions[2];

    int n_columns;
    int64_t columns[PROBLEM_COLUMNS];
    const char *names[PROBLEM_COLUMNS];
    double limits[PROBLEM_COLUMNS]; /* NaN: none */
    int assumed_limit;              /* 1: the request has none */
    double *values; /* of cells, by code: cells x columns; NULL for FBNet */

    ub_rng rng;          /* of noise */
    double objective[2]; /* of the result at hand */
    double gradient[UB_HWBENCH_FBNET_LAYERS * UB_HWBENCH_FBNET_OPERATORS];
    double *merits;  /* of cells, what relaxed candidates are to raise */
    double *relaxed; /* room to take expectations in */

    int32_t oracle[UB_HWBENCH_FBNET_LAYERS]; /* the best there is, or below */
} problem;

/* The first of the oracle's choices where it has none: no network keeps to the
 * limits; or the best of those that do was not found. */
enum { ORACLE_NONE = -1, ORACLE_UNKNOWN = -2 };

int problem_create(const hwnas *h, problem *p);
void problem_destroy(problem *p);

/* A ub_evaluate_fn. */
ub_status problem_evaluate(void *user, const ub_candidate *candidate,
                           ub_result *result);

/* Of all columns; NaN where unknown. */
void problem_values(const problem *p, const int32_t *choices, double *values);

void problem_print_limits(const problem *p);
void problem_print_oracle(const problem *p);

#endif
