/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_PEAK_H
#define BENCH_PEAK_H

#include "bench.h"

/* What the machine does at best, on the context's pool, to hold kernels up to:
 * the median of some runs. */

/* BLIS SGEMM on 1024 x 1024 x 1024, a stripe of the result per thread:
 * floating-point operations per second. */
double peak_gemm(bench *b);

/* a = b + s c over arrays of 64 MiB: bytes per second, three times the array's
 * size for each pass. */
double peak_triad(bench *b);

#endif
