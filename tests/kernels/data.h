/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_TESTS_KERNELS_DATA_H
#define UBOOST_TESTS_KERNELS_DATA_H

#include "support.h"

#include "kernels/loops.h"

/* Every kernel is tested as this machine runs it, portable, and without its
 * widest vectors, with 1, 2 and 3 threads each. */
#define TEST_CONTEXTS 9
ub_context *test_variant(int number);

/* Normal values, the same for the same seed; garbage is NaN. Both are
 * malloc()ed and end where the allocation ends, for the sanitizers. */
float *test_values(int64_t n, uint64_t seed);
float *test_garbage(int64_t n);
float *test_copy(const float *values, int64_t n);

/* Reserve the scratch memory, filled with NaN. */
void test_scratch(ub_context *context, ub__scratch_size size);

/* |actual - expected| <= tolerance * (1 + |expected|) for all; the test fails
 * with the first that is not, and `what`. */
void test_all_close(const float *actual, const double *expected, int64_t n,
                    double tolerance, const char *what);
void test_same_bits(const float *a, const float *b, int64_t n);

#endif
