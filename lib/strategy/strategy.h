/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_STRATEGY_H
#define UBOOST_LIB_STRATEGY_H

#include "base/base.h"

#include <uboost/strategy.h>

/* Below, at or above 0: item a belongs before b, is equal, belongs behind. */
typedef int (*ub__compare_fn)(const void *arg, int64_t a, int64_t b);

/* Merge sort: stable, and the same everywhere. Returns by how many places the
 * items moved past larger ones, which is how many pairs were out of order.
 * `spare` has room for n items too. */
int64_t ub__merge_sort(int64_t n, int64_t *items, int64_t *spare,
                       ub__compare_fn compare, const void *arg);

/* Whether n rows of m metrics and their directions can be worked with. */
ub_status ub__metrics_check(ub_context *context, const char *what, int64_t n,
                            int64_t m, const double *values,
                            const int32_t *directions);

/* exp(x) / sum exp(x), of n numbers; may be in place. Returns log sum exp. */
double ub__softmax(const double *x, int64_t n, double *out);
/* Entropy of the softmax in nats. */
double ub__entropy(const double *x, int64_t n);

#endif
