/* SPDX-License-Identifier: BSD-2-Clause */
#include "strategy/strategy.h"

#include <math.h>

/* The known candidates' distances from a point, and their front. */
typedef struct distances {
    double *values; /* n x 2; above 0 where the candidate is worse */
    int64_t *front;
    int64_t n;
} distances;

static void free_distances(ub_context *context, distances *d)
{
    ub__free(context, d->values);
    ub__free(context, d->front);
}

static ub_status check(ub_context *context, int64_t n, const double *values,
                       const int32_t *directions, const double *point,
                       const double *out)
{
    ub_status status = ub__metrics_check(context, "hypervolume", n, 2, values,
                                         directions);

    if (status != UB_OK)
        return status;
    if (point == NULL || out == NULL)
        return ub__fail(context, UB_ERR_INVALID,
                        "hypervolume: a point and a place for it are needed");
    if (!isfinite(point[0]) || !isfinite(point[1]))
        return ub__fail(context, UB_ERR_NUMERIC,
                        "hypervolume: against the point %g, %g", point[0],
                        point[1]);
    for (int64_t i = 0; i < n; i++) {
        if (isinf(values[2 * i]) || isinf(values[2 * i + 1]))
            return ub__fail(context, UB_ERR_NUMERIC,
                            "hypervolume: candidate %lld has %g, %g",
                            (long long) i, values[2 * i], values[2 * i + 1]);
    }
    return UB_OK;
}

static ub_status find_distances(ub_context *context, int64_t n,
                                const double *values, const int32_t *directions,
                                const double *point, distances *out)
{
    distances d;
    ub_status status = UB_ERR_NOMEM;

    d.values = ub__alloc(context, 2 * (size_t) n, sizeof(*d.values));
    d.front = ub__alloc(context, (size_t) n, sizeof(*d.front));
    if (d.values != NULL && d.front != NULL) {
        for (int64_t i = 0; i < 2 * n; i++) {
            const double worse = values[i] - point[i % 2];

            d.values[i] = directions != NULL && directions[i % 2] ? -worse
                                                                  : worse;
        }
        status = ub_pareto_front(context, n, 2, d.values, NULL, d.front, &d.n);
    }
    if (status != UB_OK)
        free_distances(context, &d);
    else
        *out = d;
    return status;
}

/* Huge numbers make an area that cannot be told. */
static ub_status give(ub_context *context, double area, double *out)
{
    if (!isfinite(area))
        return ub__fail(context, UB_ERR_NUMERIC,
                        "hypervolume: the area overflows");
    *out = area;
    return UB_OK;
}

/* Along the front the first distance grows and the second shrinks: each member
 * adds what it reaches beyond the one before. */
static ub_status sum_to_ideal(ub_context *context, const distances *d,
                              double *out)
{
    double area = 0.0, reached = 0.0;

    for (int64_t at = 0; at < d->n; at++) {
        const double *p = d->values + 2 * d->front[at];

        if (p[0] < 0.0 || p[1] < 0.0)
            return ub__fail(context, UB_ERR_INVALID,
                            "hypervolume: candidate %lld is better than the "
                            "ideal, by %g or %g",
                            (long long) d->front[at], -p[0], -p[1]);
        area += (p[0] - reached) * p[1];
        reached = p[0];
    }
    if (d->n > 0)
        return give(context, area, out);
    *out = NAN;
    return UB_OK;
}

/* Distances below 0 are inside; the second one's limit falls along the front.
 */
static double sum_dominated(const distances *d)
{
    double area = 0.0, limit = 0.0;

    for (int64_t at = 0; at < d->n; at++) {
        const double *p = d->values + 2 * d->front[at];

        if (p[0] < 0.0 && p[1] < limit) {
            area += -p[0] * (limit - p[1]);
            limit = p[1];
        }
    }
    return area;
}

/* Freed by free_distances() unless it fails. */
static ub_status open_distances(ub_context *context, int64_t n,
                                const double *values, const int32_t *directions,
                                const double *point, const double *out,
                                distances *d)
{
    ub_status status;

    if (context == NULL)
        return UB_ERR_INVALID;
    status = check(context, n, values, directions, point, out);
    return status == UB_OK
               ? find_distances(context, n, values, directions, point, d)
               : status;
}

ub_status ub_hypervolume_ideal(ub_context *context, int64_t n,
                               const double *values, const int32_t *directions,
                               const double *ideal, double *out)
{
    distances d;
    ub_status status = open_distances(context, n, values, directions, ideal,
                                      out, &d);

    if (status != UB_OK)
        return status;
    status = sum_to_ideal(context, &d, out);
    free_distances(context, &d);
    return status;
}

ub_status ub_hypervolume_dominated(ub_context *context, int64_t n,
                                   const double *values,
                                   const int32_t *directions,
                                   const double *reference, double *out)
{
    distances d;
    ub_status status = open_distances(context, n, values, directions, reference,
                                      out, &d);

    if (status != UB_OK)
        return status;
    status = give(context, sum_dominated(&d), out);
    free_distances(context, &d);
    return status;
}
