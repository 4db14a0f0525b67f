/* SPDX-License-Identifier: BSD-2-Clause */
#include "data.h"

#include "base/context.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

ub_context *test_variant(int number)
{
    ub_context_options options;
    ub_context *context = NULL;

    ub_context_options_init(&options, sizeof options);
    options.threads = 1 + number % 3;
    assert_int_equal(ub_context_create(&options, &context), UB_OK);
    context->portable = number / 3; /* 2 is no option, see loops.c */
    return context;
}

static float *floats(int64_t n)
{
    float *values = malloc((size_t) (n > 0 ? n : 1) * sizeof *values);

    assert_non_null(values);
    return values;
}

float *test_values(int64_t n, uint64_t seed)
{
    float *values = floats(n);
    ub_rng rng;

    ub_rng_init(&rng, seed, 0);
    for (int64_t i = 0; i < n; i++)
        values[i] = (float) ub_rng_normal(&rng);
    return values;
}

float *test_garbage(int64_t n)
{
    float *values = floats(n);

    for (int64_t i = 0; i < n; i++)
        values[i] = NAN;
    return values;
}

float *test_copy(const float *from, int64_t n)
{
    float *values = floats(n);

    memcpy(values, from, (size_t) n * sizeof *values);
    return values;
}

void test_scratch(ub_context *context, ub__scratch_size size)
{
    assert_int_equal(ub__scratch_reserve(context, size), UB_OK);
    for (int i = 0; size.worker > 0 && i < ub_context_threads(context); i++)
        memset(ub__scratch(context, i), 0xff, size.worker);
    if (size.shared > 0)
        memset(ub__scratch_shared(context), 0xff, size.shared);
}

void test_all_close(const float *actual, const double *expected, int64_t n,
                    double tolerance, const char *what)
{
    for (int64_t i = 0; i < n; i++) {
        double distance = fabs((double) actual[i] - expected[i]);

        if (!(distance <= tolerance * (1.0 + fabs(expected[i]))))
            fail_msg("%s: element %lld of %lld is %.9g instead of %.9g", what,
                     (long long) i, (long long) n, (double) actual[i],
                     expected[i]);
    }
}

void test_same_bits(const float *a, const float *b, int64_t n)
{
    assert_memory_equal(a, b, (size_t) n * sizeof *a);
}
