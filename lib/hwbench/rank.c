/* SPDX-License-Identifier: BSD-2-Clause */
#include "hwbench/hwbench.h"

#include <float.h>
#include <math.h>

static ub_status check(const ub_hwbench *bench, int64_t n,
                       const int64_t *metrics)
{
    if (bench->space != UB_HWBENCH_NASBENCH201)
        return ub__fail(bench->context, UB_ERR_INVALID,
                        "hwbench: FBNet has no list of all its networks");
    if (n < 1 || n > UB_STRATEGY_MAX_METRICS || metrics == NULL)
        return ub__fail(bench->context, UB_ERR_INVALID,
                        "hwbench: %lld metrics, at most %lld", (long long) n,
                        (long long) UB_STRATEGY_MAX_METRICS);
    for (int64_t i = 0; i < n; i++) {
        if (metrics[i] < 0 || metrics[i] >= bench->n_columns)
            return ub__fail(bench->context, UB_ERR_INVALID,
                            "hwbench: there is no metric %lld",
                            (long long) metrics[i]);
    }
    return UB_OK;
}

static void fill(const ub_hwbench *bench, int64_t n, const int64_t *metrics,
                 double *values)
{
    for (int64_t k = 0; k < n; k++) {
        const ub__column *column = &bench->columns[metrics[k]];

        for (int64_t row = 0; row < bench->rows; row++) {
            const ub_hwbench_value v = ub__hwbench_value_of(
                column, ub__hwbench_at(bench, column, row));

            values[row * n + k] = v.state == UB_HWBENCH_KNOWN ? v.value : NAN;
        }
    }
}

/* The matrix, and directions where there is a place for them. */
static ub_status prepare(const ub_hwbench *bench, int64_t n,
                         const int64_t *metrics, int32_t *directions,
                         double **out)
{
    ub_status status;
    double *values;

    if (bench == NULL)
        return UB_ERR_INVALID;
    status = check(bench, n, metrics);
    if (status != UB_OK)
        return status;
    values = ub__alloc(bench->context, (size_t) (bench->rows * n),
                       sizeof(*values));
    if (values == NULL)
        return UB_ERR_NOMEM;
    fill(bench, n, metrics, values);
    for (int64_t k = 0; directions != NULL && k < n; k++)
        directions[k] = bench->columns[metrics[k]].direction;
    *out = values;
    return UB_OK;
}

/* To so many significant bits; NaN stays, of which frexp() tells no exponent.
 */
static double rounded(double value, int32_t bits)
{
    int exponent;
    double mantissa;

    if (isnan(value))
        return value;
    mantissa = frexp(value, &exponent);
    return ldexp(nearbyint(ldexp(mantissa, bits)), exponent - bits);
}

ub_status ub_hwbench_values(const ub_hwbench *bench, int64_t n,
                            const int64_t *metrics, double *values)
{
    ub_status status;

    if (bench == NULL)
        return UB_ERR_INVALID;
    status = check(bench, n, metrics);
    if (status == UB_OK && values == NULL)
        status = ub__fail(bench->context, UB_ERR_INVALID,
                          "hwbench: no place for the values");
    if (status == UB_OK)
        fill(bench, n, metrics, values);
    return status;
}

ub_status ub_hwbench_best(const ub_hwbench *bench, int64_t n,
                          const int64_t *metrics, const double *limits,
                          int64_t *out)
{
    int32_t directions[UB_STRATEGY_MAX_METRICS];
    double *values;
    ub_status status = prepare(bench, n, metrics, directions, &values);

    if (status != UB_OK)
        return status;
    status = ub_best_within(bench->context, bench->rows, n, values, directions,
                            limits, 0, out);
    ub__free(bench->context, values);
    return status;
}

ub_status ub_hwbench_pareto_front(const ub_hwbench *bench, int64_t n,
                                  const int64_t *metrics, int64_t *out_front,
                                  int64_t *out_n)
{
    int32_t directions[UB_STRATEGY_MAX_METRICS];
    double *values;
    ub_status status = prepare(bench, n, metrics, directions, &values);

    if (status != UB_OK)
        return status;
    status = ub_pareto_front(bench->context, bench->rows, n, values, directions,
                             out_front, out_n);
    ub__free(bench->context, values);
    return status;
}

ub_status ub_hwbench_kendall_tau(const ub_hwbench *bench, int64_t n,
                                 const int64_t *metrics, int32_t bits,
                                 double *out)
{
    double *values;
    ub_status status;

    if (bench == NULL)
        return UB_ERR_INVALID;
    if (bits < 0 || bits > DBL_MANT_DIG)
        return ub__fail(bench->context, UB_ERR_INVALID,
                        "hwbench: values have 1 to %d bits, not %d",
                        DBL_MANT_DIG, (int) bits);
    status = prepare(bench, n, metrics, NULL, &values);
    if (status != UB_OK)
        return status;
    if (bits > 0 && bits < DBL_MANT_DIG) {
        for (int64_t i = 0; i < bench->rows * n; i++)
            values[i] = rounded(values[i], bits);
    }
    status = ub_kendall_tau_matrix(bench->context, bench->rows, n, values, out);
    ub__free(bench->context, values);
    return status;
}
