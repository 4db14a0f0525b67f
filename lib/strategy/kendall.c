/* SPDX-License-Identifier: BSD-2-Clause */
#include "strategy/strategy.h"

#include <math.h>

/* Two columns of a matrix. */
typedef struct columns {
    const double *x, *y;
    int64_t stride;
} columns;

static int compare_numbers(double a, double b)
{
    return (a > b) - (a < b);
}

static int compare_x(const void *arg, int64_t a, int64_t b)
{
    const columns *c = arg;

    return compare_numbers(c->x[a * c->stride], c->x[b * c->stride]);
}

static int compare_y(const void *arg, int64_t a, int64_t b)
{
    const columns *c = arg;

    return compare_numbers(c->y[a * c->stride], c->y[b * c->stride]);
}

static int compare_both(const void *arg, int64_t a, int64_t b)
{
    const int by_x = compare_x(arg, a, b);

    return by_x != 0 ? by_x : compare_y(arg, a, b);
}

/* Pairs of sorted items that are equal. */
static int64_t tied_pairs(int64_t n, const int64_t *items,
                          ub__compare_fn compare, const columns *c)
{
    int64_t pairs = 0, run = 0;

    for (int64_t i = 1; i < n; i++) {
        run = compare(c, items[i - 1], items[i]) == 0 ? run + 1 : 0;
        pairs += run;
    }
    return pairs;
}

/* Pairs are ordered alike, oppositely, or tied; sorting by x and then by y
 * moves those past each other that are ordered oppositely. */
static double tau(int64_t n, const columns *c, int64_t *items, int64_t *spare)
{
    int64_t known = 0, pairs, tied_x, tied_y, tied_both, opposite;
    double result;

    for (int64_t i = 0; i < n; i++) {
        if (!isnan(c->x[i * c->stride]) && !isnan(c->y[i * c->stride]))
            items[known++] = i;
    }
    pairs = known * (known - 1) / 2;
    ub__merge_sort(known, items, spare, compare_both, c);
    tied_x = tied_pairs(known, items, compare_x, c);
    tied_both = tied_pairs(known, items, compare_both, c);
    opposite = ub__merge_sort(known, items, spare, compare_y, c);
    tied_y = tied_pairs(known, items, compare_y, c);
    if (tied_x == pairs || tied_y == pairs)
        return NAN;
    /* The root of a product, so that equal orders give 1 exactly. */
    result = (double) (pairs - tied_x - tied_y + tied_both - 2 * opposite) /
             sqrt((double) (pairs - tied_x) * (double) (pairs - tied_y));
    return fmax(-1.0, fmin(1.0, result));
}

/* Every column against itself and the later ones. */
static ub_status fill(ub_context *context, int64_t n, int64_t m,
                      const double *values, double *out)
{
    int64_t *items = ub__alloc(context, (size_t) n, sizeof(*items));
    int64_t *spare = ub__alloc(context, (size_t) n, sizeof(*spare));
    const int memory = items != NULL && spare != NULL;

    for (int64_t i = 0; memory && i < m; i++) {
        for (int64_t k = i; k < m; k++) {
            const columns c = { .x = values + i, .y = values + k, .stride = m };

            out[i * m + k] = out[k * m + i] = tau(n, &c, items, spare);
        }
    }
    ub__free(context, items);
    ub__free(context, spare);
    return memory ? UB_OK : UB_ERR_NOMEM;
}

ub_status ub_kendall_tau(ub_context *context, int64_t n, const double *x,
                         const double *y, double *out)
{
    const columns c = { .x = x, .y = y, .stride = 1 };
    int64_t *items, *spare;
    ub_status status;

    if (context == NULL)
        return UB_ERR_INVALID;
    status = ub__metrics_check(context, "Kendall's tau", n, 2, x, NULL);
    if (status != UB_OK)
        return status;
    if ((y == NULL && n > 0) || out == NULL)
        return ub__fail(context, UB_ERR_INVALID,
                        "Kendall's tau: two rows and a place for it are "
                        "needed");
    items = ub__alloc(context, (size_t) n, sizeof(*items));
    spare = ub__alloc(context, (size_t) n, sizeof(*spare));
    if (items != NULL && spare != NULL)
        *out = tau(n, &c, items, spare);
    else
        status = UB_ERR_NOMEM;
    ub__free(context, items);
    ub__free(context, spare);
    return status;
}

ub_status ub_kendall_tau_matrix(ub_context *context, int64_t n, int64_t m,
                                const double *values, double *out)
{
    ub_status status;

    if (context == NULL)
        return UB_ERR_INVALID;
    status = ub__metrics_check(context, "Kendall's tau", n, m, values, NULL);
    if (status == UB_OK && out == NULL)
        status = ub__fail(context, UB_ERR_INVALID,
                          "Kendall's tau: no place for the matrix");
    return status == UB_OK ? fill(context, n, m, values, out) : status;
}
