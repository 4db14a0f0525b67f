/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"

#include <time.h>

double ub__seconds(void)
{
    struct timespec now;

    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        return 0.0;
    return (double) now.tv_sec + (double) now.tv_nsec * 1e-9;
}
