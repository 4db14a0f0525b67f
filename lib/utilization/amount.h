/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_AMOUNT_H
#define UBOOST_LIB_AMOUNT_H

#include "utilization/utilization.h"

#include <math.h>

/* Values that carry their derivatives. */

typedef ub__util_amount amount;

static inline amount fixed(double value)
{
    return (amount){ value, 0.0, 0.0 };
}

static inline amount add(amount a, amount b)
{
    return (amount){ a.value + b.value, a.by_in + b.by_in,
                     a.by_out + b.by_out };
}

static inline amount less(amount a, amount b)
{
    return (amount){ a.value - b.value, a.by_in - b.by_in,
                     a.by_out - b.by_out };
}

static inline amount plus(amount a, double b)
{
    a.value += b;
    return a;
}

static inline amount scale(amount a, double b)
{
    return (amount){ a.value * b, a.by_in * b, a.by_out * b };
}

static inline amount times(amount a, amount b)
{
    return (amount){ a.value * b.value, a.by_in * b.value + a.value * b.by_in,
                     a.by_out * b.value + a.value * b.by_out };
}

static inline amount over(amount a, amount b)
{
    const double q = a.value / b.value;

    return (amount){ q, (a.by_in - q * b.by_in) / b.value,
                     (a.by_out - q * b.by_out) / b.value };
}

static inline amount root(amount a)
{
    const double r = sqrt(a.value);

    return r > 0.0 ? (amount){ r, a.by_in / (2.0 * r), a.by_out / (2.0 * r) }
                   : fixed(0.0);
}

#endif
