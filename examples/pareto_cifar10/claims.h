/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef EXAMPLES_PARETO_CIFAR10_CLAIMS_H
#define EXAMPLES_PARETO_CIFAR10_CLAIMS_H

#include "pareto_cifar10/pareto_cifar10.h"

/* The paper's claims beside what was found. */

enum { PARETO_CLAIMS = 7 };

typedef enum pareto_verdict {
    PARETO_HOLDS,
    PARETO_PARTLY, /* for those points of a front that can be compared */
    PARETO_FAILS,
    PARETO_OPEN, /* runs are missing */
    PARETO_TOLD  /* nothing to judge by */
} pareto_verdict;

typedef struct pareto_claim {
    char name[96], paper[160], ours[256];
    pareto_verdict verdict;
} pareto_claim;

/* "holds" and so on. */
const char *pareto_verdict_name(pareto_verdict verdict);

void pareto_judge(const pareto_summary *summary,
                  pareto_claim claims[PARETO_CLAIMS]);

/* Runs of the judged methods, and how many there would be if each had every
 * lambda and as many seeds, or those that the grid was to have if these are
 * more. */
void pareto_count(const pareto_summary *summary, int64_t *runs, int64_t *wanted,
                  int64_t *lambdas, int64_t *seeds);

/* The main runs' row; NULL: it has none. */
const pareto_method *pareto_find(const pareto_summary *summary, int32_t method);

/* The paper's CIFAR-10 results of a judged method: accuracy in percent, run
 * time in us; 0 if it has none for that lambda. */
int pareto_paper(int32_t method, double lambda, double *accuracy,
                 double *run_time);
/* Its hypervolume there. */
extern const double pareto_paper_hypervolumes[PARETO_JUDGED];

#endif
