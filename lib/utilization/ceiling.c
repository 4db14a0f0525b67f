/* SPDX-License-Identifier: BSD-2-Clause */
#include "utilization/utilization.h"

#include <math.h>

#define STEEPNESS 20.0
#define OFFSET    0.2 /* C; the exponent 1/v is 2 */

/* Terms more than this far from x differ from 0 or 1 by less than 1e-25. */
#define REACH     3
#define EXP_STEEP 485165195.40979027797 /* exp(STEEPNESS) */

double ub_util_ceil_smooth(double x, double *derivative)
{
    const double center = floor(x);
    const double first = center > REACH ? center - REACH : 0.0;
    double sum = first, slope = 0.0, e;

    if (!(x >= -(double) REACH)) {
        if (derivative != NULL)
            *derivative = 0.0;
        return isnan(x) ? x : 0.0;
    }
    e = exp(-STEEPNESS * (x - first)) / OFFSET;
    for (double i = first; i <= center + REACH; i += 1.0) {
        const double term = 1.0 / ((1.0 + e) * (1.0 + e));

        sum += term;
        slope += 2.0 * STEEPNESS * e * term / (1.0 + e);
        e *= EXP_STEEP;
        /* beyond 2^53, i + 1 is i */
        if (i + 1.0 == i)
            break;
    }
    if (derivative != NULL)
        *derivative = slope;
    return sum;
}
