/* SPDX-License-Identifier: BSD-2-Clause */
#include "strategy/strategy.h"

#include <math.h>
#include <string.h>

/* Merge items[from..middle) and items[middle..to) into spare[from..to). */
static int64_t merge(const int64_t *items, int64_t from, int64_t middle,
                     int64_t to, int64_t *spare, ub__compare_fn compare,
                     const void *arg)
{
    int64_t left = from, right = middle, moved = 0;

    for (int64_t at = from; at < to; at++) {
        if (left < middle &&
            (right >= to || compare(arg, items[left], items[right]) <= 0)) {
            spare[at] = items[left++];
        } else {
            spare[at] = items[right++];
            moved += middle - left;
        }
    }
    return moved;
}

int64_t ub__merge_sort(int64_t n, int64_t *items, int64_t *spare,
                       ub__compare_fn compare, const void *arg)
{
    int64_t *from = items, *to = spare;
    int64_t moved = 0;

    for (int64_t run = 1; run < n; run *= 2) {
        int64_t *const swap = from;

        for (int64_t at = 0; at < n; at += 2 * run) {
            const int64_t middle = run < n - at ? at + run : n;
            const int64_t end = run < n - middle ? middle + run : n;

            moved += merge(from, at, middle, end, to, compare, arg);
        }
        from = to;
        to = swap;
    }
    if (from != items)
        memcpy(items, from, (size_t) n * sizeof(*items));
    return moved;
}

ub_status ub__metrics_check(ub_context *context, const char *what, int64_t n,
                            int64_t m, const double *values,
                            const int32_t *directions)
{
    if (values == NULL && n > 0)
        return ub__fail(context, UB_ERR_INVALID, "%s: no values", what);
    if (n < 0 || n > UB_STRATEGY_MAX_CANDIDATES || m < 1 ||
        m > UB_STRATEGY_MAX_METRICS)
        return ub__fail(context, UB_ERR_INVALID,
                        "%s: %lld candidates with %lld metrics; at most %lld "
                        "with 1 to %lld can be",
                        what, (long long) n, (long long) m,
                        (long long) UB_STRATEGY_MAX_CANDIDATES,
                        (long long) UB_STRATEGY_MAX_METRICS);
    for (int64_t k = 0; k < m && directions != NULL; k++) {
        if (directions[k] != UB_MINIMIZE && directions[k] != UB_MAXIMIZE)
            return ub__fail(context, UB_ERR_INVALID,
                            "%s: metric %lld has the direction %d", what,
                            (long long) k, (int) directions[k]);
    }
    return UB_OK;
}

/* Below 0 if a is better. */
static int compare(int maximize, double a, double b)
{
    return maximize ? (a < b) - (a > b) : (a > b) - (a < b);
}

static int keeps_limits(int64_t m, const double *row, const int32_t *directions,
                        const double *limits)
{
    for (int64_t k = 0; k < m && limits != NULL; k++) {
        const int maximize = directions != NULL && directions[k];

        if (isnan(limits[k]))
            continue;
        if (isnan(row[k]) || compare(maximize, row[k], limits[k]) > 0)
            return 0;
    }
    return 1;
}

ub_status ub_best_within(ub_context *context, int64_t n, int64_t m,
                         const double *values, const int32_t *directions,
                         const double *limits, int64_t metric, int64_t *out)
{
    int64_t best = -1;
    int maximize;
    ub_status status;

    if (context == NULL)
        return UB_ERR_INVALID;
    status = ub__metrics_check(context, "best", n, m, values, directions);
    if (status != UB_OK)
        return status;
    if (metric < 0 || metric >= m || out == NULL)
        return ub__fail(context, UB_ERR_INVALID,
                        "best: by metric %lld of %lld%s", (long long) metric,
                        (long long) m,
                        out == NULL ? ", with no place for it" : "");
    maximize = directions != NULL && directions[metric];
    for (int64_t i = 0; i < n; i++) {
        const double *row = values + i * m;

        if (!isnan(row[metric]) && keeps_limits(m, row, directions, limits) &&
            (best < 0 ||
             compare(maximize, row[metric], values[best * m + metric]) < 0))
            best = i;
    }
    *out = best;
    return UB_OK;
}
