/* SPDX-License-Identifier: BSD-2-Clause */
#include "data.h"

#include <stdlib.h>

/* Sums of up to 600 products of normal values, in another order. */
#define TOLERANCE 1e-4

static void product(int ta, int tb, int64_t m, int64_t n, int64_t k,
                    const float *a, const float *b, const float *base,
                    double *c)
{
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) {
            double sum = base ? (double) base[i * n + j] : 0.0;

            for (int64_t l = 0; l < k; l++)
                sum += (double) a[ta ? l * m + i : i * k + l] *
                       (double) b[tb ? j * k + l : l * n + j];
            c[i * n + j] = sum;
        }
    }
}

static void check(ub_context *context, int ta, int tb, int64_t m, int64_t n,
                  int64_t k)
{
    float *a = test_values(m * k, 1), *b = test_values(k * n, 2);
    float *base = test_values(m * n, 3), *sum = test_copy(base, m * n);
    float *c = test_garbage(m * n), *again = test_garbage(m * n);
    double *expected = malloc((size_t) (m * n) * sizeof *expected);

    assert_non_null(expected);
    product(ta, tb, m, n, k, a, b, NULL, expected);
    ub__gemm(context, ta, tb, m, n, k, a, b, c, 0);
    test_all_close(c, expected, m * n, TOLERANCE, "gemm");
    ub__gemm(context, ta, tb, m, n, k, a, b, again, 0);
    test_same_bits(c, again, m * n);
    product(ta, tb, m, n, k, a, b, base, expected);
    ub__gemm(context, ta, tb, m, n, k, a, b, sum, 1);
    test_all_close(sum, expected, m * n, TOLERANCE, "gemm, added");
    free(a);
    free(b);
    free(base);
    free(sum);
    free(c);
    free(again);
    free(expected);
}

static void against_reference(void **state)
{
    static const int64_t sizes[][3] = {
        { 1, 1, 1 },
        { 3, 5, 7 },
        { 17, 1, 31 },
        { 1, 17, 64 },
        { 64, 10, 3 },
        { 200, 10, 65 },
        { 10, 300, 17 },
        { 64, 129, 600 },
        /* two and four vectors wide; too wide to go without packing */
        { 20, 32, 9 },
        { 33, 64, 40 },
        { 5, 600, 40 },
    };

    (void) state;
    for (int number = 0; number < TEST_CONTEXTS; number++) {
        ub_context *context = test_variant(number);

        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (int flags = 0; flags < 4; flags++)
                check(context, flags & 1, flags >> 1, sizes[i][0], sizes[i][1],
                      sizes[i][2]);
        ub_context_destroy(&context);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_reference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
