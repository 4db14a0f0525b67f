/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef EXAMPLES_PARETO_CIFAR10_VARIANTS_H
#define EXAMPLES_PARETO_CIFAR10_VARIANTS_H

#include "pareto_cifar10/pareto_cifar10.h"

/* Runs with a label beside the main ones, and what the computing of both
 * needs. */

/* Of `n` numbers; of none, the mean is NaN, too. */
pareto_moments pareto_find_moments(const double *x, int64_t n);
/* In ms and percentage points: n pairs of them, to no time and 100 %. */
int pareto_hypervolume(ub_context *context, int64_t n, const double *values,
                       double *out);
/* Widths of a run within one step of a multiple of its array's columns. */
int64_t pareto_count_near(const pareto_results *results, const pareto_run *run);

/* Fill the comparisons and savings of all points and methods. */
int pareto_compare(ub_context *context, pareto_summary *summary);

#endif
