/* SPDX-License-Identifier: BSD-2-Clause */
#include "strategy/strategy.h"

#include <math.h>
#include <string.h>

/* A column of which elimination leaves less than this share is said to depend
 * on those before it. */
#define TOLERANCE 1e-10

struct ub_regression {
    ub_context *context;
    int64_t rows, columns; /* columns: features and the intercept, column 0 */
    int64_t rank;
    double r2, residual_error;
    double *coefficients; /* columns */
    double *errors;       /* columns */
};

/* The columns one behind the other, turned into R as they are eliminated. */
typedef struct elimination {
    int64_t n, columns, rank;
    double *a;        /* columns x n */
    double *y;        /* n */
    double *z;        /* columns: their length; then a column of R's inverse */
    int64_t *kept;    /* columns: which ones are not dropped, in order */
    double *diagonal; /* columns: of R, in the order of kept */
} elimination;

static double norm(const double *x, int64_t n)
{
    double scale = 0.0, sum = 0.0;

    for (int64_t i = 0; i < n; i++)
        scale = fabs(x[i]) > scale ? fabs(x[i]) : scale;
    for (int64_t i = 0; i < n && scale > 0.0; i++)
        sum += x[i] / scale * (x[i] / scale);
    return scale * sqrt(sum);
}

/* Reflect x along v, both of n numbers: x - 2 v (v'x) / (v'v). */
static void reflect(const double *v, double beta, double *x, int64_t n)
{
    double dot = 0.0;

    for (int64_t i = 0; i < n; i++)
        dot += v[i] * x[i];
    dot *= beta;
    for (int64_t i = 0; i < n; i++)
        x[i] -= dot * v[i];
}

/* Eliminate column c below row `rank`, unless nothing much is left of it. The
 * reflection's vector takes the place of what becomes zero. */
static void eliminate(elimination *e, int64_t c, double whole)
{
    const int64_t left = e->n - e->rank;
    double *v = e->a + c * e->n + e->rank;
    const double length = norm(v, left);
    double square, diagonal;

    if (left == 0 || !(length > TOLERANCE * whole))
        return;
    diagonal = v[0] > 0.0 ? -length : length;
    v[0] -= diagonal;
    for (int64_t i = 0; i < left; i++)
        v[i] /= length; /* so that its square is between 2 and 4 */
    square = 0.0;
    for (int64_t i = 0; i < left; i++)
        square += v[i] * v[i];
    for (int64_t k = c + 1; k < e->columns; k++)
        reflect(v, 2.0 / square, e->a + k * e->n + e->rank, left);
    reflect(v, 2.0 / square, e->y + e->rank, left);
    e->diagonal[e->rank] = diagonal;
    e->kept[e->rank++] = c;
}

/* Row i of R, in the column kept as number j >= i. */
static double r_at(const elimination *e, int64_t i, int64_t j)
{
    return i == j ? e->diagonal[i] : e->a[e->kept[j] * e->n + i];
}

static void solve(const elimination *e, ub_regression *r)
{
    for (int64_t i = e->rank - 1; i >= 0; i--) {
        double sum = e->y[i];

        for (int64_t j = i + 1; j < e->rank; j++)
            sum -= r_at(e, i, j) * r->coefficients[e->kept[j]];
        r->coefficients[e->kept[i]] = sum / r_at(e, i, i);
    }
}

/* The variance of a coefficient is that of the residuals times the square of
 * its row of the inverse of R, which is found column by column. */
static void find_errors(const elimination *e, ub_regression *r)
{
    for (int64_t j = 0; j < e->rank; j++)
        r->errors[e->kept[j]] = 0.0;
    for (int64_t j = 0; j < e->rank; j++) {
        for (int64_t i = j; i >= 0; i--) {
            double sum = i == j ? 1.0 : 0.0;

            for (int64_t k = i + 1; k <= j; k++)
                sum -= r_at(e, i, k) * e->z[k];
            e->z[i] = sum / r_at(e, i, i);
            r->errors[e->kept[i]] += e->z[i] * e->z[i];
        }
    }
    for (int64_t j = 0; j < e->rank; j++) {
        double *error = &r->errors[e->kept[j]];

        *error = r->residual_error * sqrt(*error);
    }
}

/* The length of y less its mean; `memory` has room for n numbers. Seen from the
 * first one, so that it is 0 and not a rounding error if all are equal. */
static double deviation(const double *y, int64_t n, double *memory)
{
    double mean = 0.0;

    for (int64_t i = 0; i < n; i++)
        mean += (y[i] - y[0]) / (double) n;
    for (int64_t i = 0; i < n; i++)
        memory[i] = y[i] - y[0] - mean;
    return norm(memory, n);
}

static void load(elimination *e, const double *x, const double *y)
{
    const int64_t features = e->columns - 1;

    for (int64_t i = 0; i < e->n; i++) {
        e->a[i] = 1.0;
        for (int64_t k = 0; k < features; k++)
            e->a[(k + 1) * e->n + i] = x[i * features + k];
        e->y[i] = y[i];
    }
    for (int64_t c = 0; c < e->columns; c++)
        e->z[c] = norm(e->a + c * e->n, e->n);
}

static ub_status fit(ub_regression *r, elimination *e, const double *x,
                     const double *y)
{
    const double total = deviation(y, e->n, e->y);
    double rest, sum = 0.0;

    load(e, x, y);
    for (int64_t c = 0; c < e->columns; c++) {
        r->errors[c] = NAN;
        eliminate(e, c, e->z[c]);
    }
    rest = norm(e->y + e->rank, e->n - e->rank);
    r->rank = e->rank;
    r->r2 = total > 0.0 ? 1.0 - rest / total * (rest / total) : NAN;
    r->residual_error = e->n > e->rank ? rest / sqrt((double) (e->n - e->rank))
                                       : NAN;
    solve(e, r);
    find_errors(e, r);
    for (int64_t c = 0; c < r->columns; c++)
        sum += fabs(r->coefficients[c]);
    if (!isfinite(sum))
        return ub__fail(r->context, UB_ERR_NUMERIC,
                        "regression: the numbers are too large");
    return UB_OK;
}

static ub_status allocate(ub_regression *r, elimination *e)
{
    ub_context *c = r->context;
    const size_t n = (size_t) r->rows, columns = (size_t) r->columns;

    r->coefficients = ub__calloc(c, columns, sizeof(*r->coefficients));
    r->errors = ub__calloc(c, columns, sizeof(*r->errors));
    e->n = r->rows;
    e->columns = r->columns;
    e->a = ub__alloc(c, n, columns * sizeof(*e->a));
    e->y = ub__alloc(c, n, sizeof(*e->y));
    e->z = ub__alloc(c, columns, sizeof(*e->z));
    e->kept = ub__alloc(c, columns, sizeof(*e->kept));
    e->diagonal = ub__alloc(c, columns, sizeof(*e->diagonal));
    return r->coefficients != NULL && r->errors != NULL && e->a != NULL &&
                   e->y != NULL && e->z != NULL && e->kept != NULL &&
                   e->diagonal != NULL
               ? UB_OK
               : UB_ERR_NOMEM;
}

static ub_status check(ub_context *context, int64_t n, int64_t k,
                       const double *x, const double *y)
{
    if (n < 1 || n > UB_STRATEGY_MAX_CANDIDATES || k < 0 ||
        k > UB_REGRESSION_MAX_FEATURES || (k > 0 && x == NULL) || y == NULL)
        return ub__fail(context, UB_ERR_INVALID,
                        "regression: %lld rows of %lld features; 1 to %lld of "
                        "at most %lld can be",
                        (long long) n, (long long) k,
                        (long long) UB_STRATEGY_MAX_CANDIDATES,
                        (long long) UB_REGRESSION_MAX_FEATURES);
    for (int64_t i = 0; i < n; i++) {
        int finite = isfinite(y[i]) != 0;

        for (int64_t j = 0; j < k; j++)
            finite &= isfinite(x[i * k + j]) != 0;
        if (!finite)
            return ub__fail(context, UB_ERR_NUMERIC,
                            "regression: row %lld is not finite",
                            (long long) i);
    }
    return UB_OK;
}

/* -- public --------------------------------------------------------------- */

ub_status ub_regression_create(ub_context *context, int64_t n, int64_t k,
                               const double *x, const double *y,
                               ub_regression **out)
{
    elimination e = { 0 };
    ub_regression *r;
    ub_status status;

    if (context == NULL)
        return UB_ERR_INVALID;
    if (out == NULL)
        return ub__fail(context, UB_ERR_INVALID, "regression: no place for it");
    status = check(context, n, k, x, y);
    if (status != UB_OK)
        return status;
    r = ub__calloc(context, 1, sizeof(*r));
    if (r == NULL)
        return UB_ERR_NOMEM;
    r->context = context;
    r->rows = n;
    r->columns = k + 1;
    status = allocate(r, &e);
    if (status == UB_OK)
        status = fit(r, &e, x, y);
    ub__free(context, e.a);
    ub__free(context, e.y);
    ub__free(context, e.z);
    ub__free(context, e.kept);
    ub__free(context, e.diagonal);
    if (status != UB_OK)
        ub_regression_destroy(&r);
    else
        *out = r;
    return status;
}

void ub_regression_destroy(ub_regression **regression)
{
    ub_regression *r = regression != NULL ? *regression : NULL;

    if (r == NULL)
        return;
    ub__free(r->context, r->coefficients);
    ub__free(r->context, r->errors);
    ub__free(r->context, r);
    *regression = NULL;
}

double ub_regression_predict(const ub_regression *regression,
                             const double *features)
{
    double sum = regression->coefficients[0];

    for (int64_t k = 1; k < regression->columns; k++)
        sum += regression->coefficients[k] * features[k - 1];
    return sum;
}

void ub_regression_coefficients(const ub_regression *regression,
                                double *coefficients, double *errors)
{
    const size_t bytes = (size_t) regression->columns * sizeof(*coefficients);

    if (coefficients != NULL)
        memcpy(coefficients, regression->coefficients, bytes);
    if (errors != NULL)
        memcpy(errors, regression->errors, bytes);
}

void ub_regression_stats_get(const ub_regression *regression,
                             ub_regression_stats *out)
{
    const ub_regression_stats stats = {
        .size = sizeof(stats),
        .rows = regression->rows,
        .features = regression->columns - 1,
        .rank = regression->rank,
        .r2 = regression->r2,
        .residual_error = regression->residual_error,
    };

    ub__options_out(out, out->size, &stats, sizeof(stats));
}
