/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"
#include "support.h"

#include <math.h>

#define DRAWS 100000

/* From a second implementation, in Python; the first four of state 1, 2, 3, 4
 * are also the published ones of xoshiro256**. */
static void known_sequences(void **state)
{
    static const uint64_t plain[] = { 11520, 0, 1509978240,
                                      UINT64_C(1215971899390074240),
                                      UINT64_C(1216172134540287360) };
    static const uint64_t seeded[3][3] = {
        { UINT64_C(0x30bb94d28b7ab90c), UINT64_C(0x16a17f40c767e533),
          UINT64_C(0xe3e4b8ec5f525c28) },
        { UINT64_C(0x4fa257184348bb94), UINT64_C(0x7c2c9a11c6af5cf1),
          UINT64_C(0x74a4342d6693dd9d) },
        { UINT64_C(0x1eb4a55f230a2c04), UINT64_C(0x261a2448a2d50f45),
          UINT64_C(0x59c88066637ea82c) },
    };
    static const uint64_t start[3][2] = { { 0, 0 }, { 42, 0 }, { 42, 1 } };
    ub_rng rng = { { 1, 2, 3, 4 } };

    (void) state;
    for (int i = 0; i < 5; i++)
        assert_true(ub_rng_u64(&rng) == plain[i]);
    for (int i = 0; i < 3; i++) {
        ub_rng_init(&rng, start[i][0], start[i][1]);
        for (int j = 0; j < 3; j++)
            assert_true(ub_rng_u64(&rng) == seeded[i][j]);
    }
}

static void below(void **state)
{
    int64_t count[7] = { 0 };
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 1, 2);
    for (int i = 0; i < DRAWS; i++)
        count[ub_rng_below(&rng, 7)]++;
    /* Six standard deviations: sqrt(100000 * 6 / 49) = 111. */
    for (int i = 0; i < 7; i++)
        assert_close((double) count[i], DRAWS / 7.0, 666.0);
    assert_int_equal(ub_rng_below(&rng, 0), 0);
    assert_int_equal(ub_rng_below(&rng, 1), 0);
    /* Plain modulo would land in the lower half twice out of three times. */
    count[0] = 0;
    for (int i = 0; i < DRAWS; i++)
        count[0] += ub_rng_below(&rng, UINT64_C(3) << 62) >> 62 == 0;
    assert_close((double) count[0], DRAWS / 3.0, 900.0);
}

/* Tolerances are six standard deviations of the estimate or more. */
static void distributions(void **state)
{
    double u = 0, u2 = 0, z = 0, z2 = 0, z4 = 0, g = 0, g2 = 0;
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 3, 4);
    for (int i = 0; i < DRAWS; i++) {
        double x = ub_rng_uniform(&rng);

        assert_true(x >= 0.0 && x < 1.0);
        u += x / DRAWS;
        u2 += x * x / DRAWS;
        x = ub_rng_normal(&rng);
        assert_true(isfinite(x));
        z += x / DRAWS;
        z2 += x * x / DRAWS;
        z4 += x * x * x * x / DRAWS;
        x = ub_rng_gumbel(&rng);
        assert_true(isfinite(x));
        g += x / DRAWS;
        g2 += x * x / DRAWS;
    }
    assert_close(u, 0.5, 0.006);
    assert_close(u2 - u * u, 1.0 / 12.0, 0.002);
    assert_close(z, 0.0, 0.02);
    assert_close(z2, 1.0, 0.03);
    assert_close(z4, 3.0, 0.2);
    assert_close(g, 0.57721566490153286, 0.025);
    assert_close(g2 - g * g, 1.6449340668482264, 0.06);
}

/* Outputs are scrambles of s[1]: choose it so that the first is all ones or
 * zero, the ends of the range of a logarithm. */
static void extremes(void **state)
{
    /* rotl(s1 * 5, 7) * 9 = 2^64 - 1 solved for s1 */
    uint64_t ninth = UINT64_C(0x8e38e38e38e38e39); /* 1 / 9 mod 2^64 */
    uint64_t fifth = UINT64_C(0xcccccccccccccccd); /* 1 / 5 mod 2^64 */
    uint64_t turned = (0 - UINT64_C(1)) * ninth;
    ub_rng high = { { 1, ((turned >> 7) | (turned << 57)) * fifth, 1, 1 } };
    ub_rng low = { { 1, 0, 1, 1 } };
    ub_rng copy = high;

    (void) state;
    assert_true(ub_rng_u64(&copy) == UINT64_MAX);
    copy = high;
    assert_true(ub_rng_uniform(&copy) < 1.0);
    copy = high;
    assert_true(isfinite(ub_rng_gumbel(&copy)));
    copy = high;
    assert_true(isfinite(ub_rng_normal(&copy)));
    copy = low;
    assert_true(ub_rng_uniform(&copy) == 0.0);
    copy = low;
    assert_true(isfinite(ub_rng_gumbel(&copy)));
    copy = low;
    assert_true(isfinite(ub_rng_normal(&copy)));
}

static void shuffles(void **state)
{
    int64_t first[4] = { 0 };
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 5, 6);
    for (int i = 0; i < 24000; i++) {
        int64_t items[4] = { 0, 1, 2, 3 };
        int64_t seen = 0;

        ub_rng_shuffle(&rng, items, 4);
        for (int j = 0; j < 4; j++)
            seen |= INT64_C(1) << items[j];
        assert_int_equal(seen, 15);
        first[items[0]]++;
    }
    /* Six standard deviations: sqrt(24000 * 3 / 16) = 67. */
    for (int i = 0; i < 4; i++)
        assert_close((double) first[i], 6000.0, 402.0);
    ub_rng_shuffle(&rng, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_sequences), cmocka_unit_test(below),
        cmocka_unit_test(distributions),   cmocka_unit_test(extremes),
        cmocka_unit_test(shuffles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
