/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_STRATEGY_H
#define UBOOST_STRATEGY_H

#include <uboost/base.h>

/**
 * @file
 * @defgroup strategy strategy
 * What ranks candidates by their metrics: the best within limits, Pareto
 * fronts and ranks, hypervolume, Kendall's tau.
 *
 * Metrics are a matrix of n rows, the candidates, by m columns, row after row.
 * Each column is minimised or maximised. An unknown value is NaN. Infinities
 * are in order with all other numbers.
 *
 * One candidate dominates another if it is nowhere worse and somewhere better.
 * A candidate with an unknown value neither dominates nor is on a front. Equal
 * candidates do not dominate each other: if one is on the front, all are.
 *
 * Thread-safety: as the context, which only lends memory and takes the error;
 * the matrices are only read.
 * @{
 */

UB_BEGIN_DECLS

/** Most rows of a matrix of metrics. */
#define UB_STRATEGY_MAX_CANDIDATES ((int64_t) 1 << 31)
/** Most columns of a matrix of metrics. */
#define UB_STRATEGY_MAX_METRICS    ((int64_t) 64)

/** Which values of a metric are good. */
typedef enum ub_direction {
    UB_MINIMIZE = 0, /**< low ones, as of a latency */
    UB_MAXIMIZE = 1  /**< high ones, as of an accuracy */
} ub_direction;

/**
 * The best candidate by one metric among those that keep to the limits of all
 * metrics. Of equally good ones it is the first.
 *
 * @param context     takes the error
 * @param n           rows, 0 to UB_STRATEGY_MAX_CANDIDATES
 * @param m           columns, 1 to UB_STRATEGY_MAX_METRICS
 * @param values      n x m
 * @param directions  m values of ub_direction; NULL: all are minimised
 * @param limits      m numbers: the worst value allowed, itself included, where
 *                    unknown values keep to no limit; NaN: no limit; NULL: none
 * @param metric      the column to be best in, 0 to m - 1
 * @param[out] out    index of the row; -1 if none keeps to the limits with a
 *                    known value of the metric; untouched on failure
 *
 * @retval UB_ERR_INVALID  an argument is unusable
 */
UB_API_CHECK
ub_status ub_best_within(ub_context *context, int64_t n, int64_t m,
                         const double *values, const int32_t *directions,
                         const double *limits, int64_t metric, int64_t *out);

/**
 * The Pareto front: the candidates that none dominates.
 *
 * O(n log n) comparisons for up to two metrics; for more of them n times the
 * size of the front at worst.
 *
 * @param context          lends memory and takes the error
 * @param n                rows, 0 to UB_STRATEGY_MAX_CANDIDATES
 * @param m                columns, 1 to UB_STRATEGY_MAX_METRICS
 * @param values           n x m
 * @param directions       m values of ub_direction; NULL: all are minimised
 * @param[out] out_front   room for n indices, of which the first *out_n are
 *                         set: from the best to the worst in the first metric,
 *                         equal ones by the next metrics, then by index;
 *                         untouched on failure
 * @param[out] out_n       size of the front; untouched on failure
 *
 * @retval UB_ERR_INVALID  an argument is unusable
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_pareto_front(ub_context *context, int64_t n, int64_t m,
                          const double *values, const int32_t *directions,
                          int64_t *out_front, int64_t *out_n);

/**
 * The rank of every candidate: 0 on the Pareto front, 1 on that of the others,
 * and so on (non-dominated sorting).
 *
 * Source: Zhang, Tian, Cheng, Jin, "An Efficient Approach to Nondominated
 * Sorting for Evolutionary Multiobjective Optimization", IEEE Transactions on
 * Evolutionary Computation 19(2), 2015.
 *
 * @param context         lends memory and takes the error
 * @param n               rows, 0 to UB_STRATEGY_MAX_CANDIDATES
 * @param m               columns, 1 to UB_STRATEGY_MAX_METRICS
 * @param values          n x m
 * @param directions      m values of ub_direction; NULL: all are minimised
 * @param[out] out_ranks  n ranks; -1 for a candidate with an unknown value;
 *                        untouched on failure
 *
 * @retval UB_ERR_INVALID  an argument is unusable
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_pareto_ranks(ub_context *context, int64_t n, int64_t m,
                          const double *values, const int32_t *directions,
                          int64_t *out_ranks);

/**
 * Hypervolume of two metrics against the ideal: the area of the union of the
 * rectangles between the ideal point and each candidate on the Pareto front.
 * Smaller is better. Its unit is the product of the metrics' units.
 *
 * Source: U-Boost NAS (see utilization.h), whose tables give it in milliseconds
 * times percentage points from 100 % accuracy and no run time.
 *
 * @param context     lends memory and takes the error
 * @param n           rows, 0 to UB_STRATEGY_MAX_CANDIDATES
 * @param values      n x 2; candidates with an unknown value are left out
 * @param directions  2 values of ub_direction; NULL: both are minimised
 * @param ideal       2 numbers, which no candidate is better than
 * @param[out] out    the area; NaN if there is no candidate with known values;
 *                    untouched on failure
 *
 * @retval UB_ERR_INVALID  an argument is unusable, or a candidate is better
 *                         than the ideal
 * @retval UB_ERR_NUMERIC  an infinite number, ideal is NaN, or the area
 *                         overflows
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_hypervolume_ideal(ub_context *context, int64_t n,
                               const double *values, const int32_t *directions,
                               const double *ideal, double *out);

/**
 * Hypervolume of two metrics as is usual: the area that the candidates
 * dominate up to a reference point. Larger is better. A candidate that is not
 * better than the reference in both metrics adds nothing.
 *
 * @param context     lends memory and takes the error
 * @param n           rows, 0 to UB_STRATEGY_MAX_CANDIDATES
 * @param values      n x 2; candidates with an unknown value are left out
 * @param directions  2 values of ub_direction; NULL: both are minimised
 * @param reference   2 numbers
 * @param[out] out    the area, 0 without candidates; untouched on failure
 *
 * @retval UB_ERR_INVALID  an argument is unusable
 * @retval UB_ERR_NUMERIC  an infinite number, reference is NaN, or the area
 *                         overflows
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_hypervolume_dominated(ub_context *context, int64_t n,
                                   const double *values,
                                   const int32_t *directions,
                                   const double *reference, double *out);

/**
 * Kendall's tau-b of two rows of numbers, which takes ties into account: with
 * P pairs ordered alike and Q ordered oppositely,
 * (P - Q) / sqrt((pairs not tied in x) (pairs not tied in y)).
 *
 * Places where either number is NaN are left out. O(n log n).
 *
 * Source: Knight, "A Computer Method for Calculating Kendall's Tau with
 * Ungrouped Data", Journal of the American Statistical Association 61(314),
 * 1966.
 *
 * @param context   lends memory and takes the error
 * @param n         0 to UB_STRATEGY_MAX_CANDIDATES
 * @param x         n numbers
 * @param y         n numbers
 * @param[out] out  -1 to 1; NaN where it is undefined: all that is left of
 *                  either is tied; untouched on failure
 *
 * @retval UB_ERR_INVALID  an argument is unusable
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_kendall_tau(ub_context *context, int64_t n, const double *x,
                         const double *y, double *out);

/**
 * Kendall's tau-b of every pair of metrics, as ub_kendall_tau().
 *
 * @param context   lends memory and takes the error
 * @param n         rows, 0 to UB_STRATEGY_MAX_CANDIDATES
 * @param m         columns, 1 to UB_STRATEGY_MAX_METRICS
 * @param values    n x m; directions do not matter
 * @param[out] out  m x m, symmetric; untouched on failure
 *
 * @retval UB_ERR_INVALID  an argument is unusable
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_kendall_tau_matrix(ub_context *context, int64_t n, int64_t m,
                                const double *values, double *out);

UB_END_DECLS

/** @} */

#endif
