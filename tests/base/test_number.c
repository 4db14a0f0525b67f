/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The C library is right about these, in the "C" locale. */
static void assert_as_strtod(const char *text)
{
    char *end;
    const double expected = strtod(text, &end);
    double got = -1.0;

    if (ub__parse_double(text, strlen(text), &got) != (size_t) (end - text) ||
        memcmp(&got, &expected, sizeof(got)) != 0)
        fail_msg("%s: %.17g, not %.17g", text, got, expected);
}

static void known_numbers(void **state)
{
    static const char *const texts[] = {
        "0",
        "-0",
        "0.0",
        "+1",
        "1.",
        ".5",
        "12",
        "5.807418537139893",
        "25.73720932006836",
        "1e5",
        "1e-05",
        "123456789012345678",
        "9007199254740993",
        "9007199254740992.5",
        "9007199254740993.0000001",
        "1e22",
        "1e23",
        "8.5e22",
        "4.9e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "2.2250738585072011e-308",
        "2.2250738585072014e-308",
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "1e308",
        "1e309",
        "1e-400",
        "1e99999999999",
        "1e-99999999999",
        "0e99999999",
        "0.000000000000000000000000000001",
        "100000000000000000000000000000000000000",
        "18446744073709551615",
        "9999999999999999999",
        "0.9999999999999999999",
        "1.00000000000000011102230246251565404236316680908203125",
        "1.00000000000000011102230246251565404236316680908203124",
        "1.00000000000000011102230246251565404236316680908203126",
        "3.9999999999999997779553950749686919152736663818359375",
        "0.1e-17",
        "99999999999999974834176",
        "1e",
        "1e+",
        "1.5x",
        "1.5e3.2"
    };

    (void) state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_as_strtod(texts[i]);
}

/* Doubles of all magnitudes in 17 and fewer digits, and long texts. */
static void random_numbers(void **state)
{
    ub_rng rng;
    char text[1400];

    (void) state;
    ub_rng_init(&rng, 5, 0);
    for (int i = 0; i < 200000; i++) {
        const uint64_t bits = ub_rng_u64(&rng);
        const int digits = (int) ub_rng_below(&rng, 22);
        double x;

        memcpy(&x, &bits, sizeof(x));
        if (!isfinite(x) || i % 2 == 0)
            x = ldexp(ub_rng_uniform(&rng), (int) ub_rng_below(&rng, 60) - 30);
        snprintf(text, sizeof(text), "%.*e", digits, x);
        assert_as_strtod(text);
        snprintf(text, sizeof(text), "%.*f", digits, x);
        assert_as_strtod(text);
    }
}

/* Half-way between two doubles, and one digit beside it, far behind. */
static void ties(void **state)
{
    ub_rng rng;
    char text[1400];

    (void) state;
    ub_rng_init(&rng, 6, 0);
    for (int i = 0; i < 2000; i++) {
        const double x = ldexp(1.0 + ub_rng_uniform(&rng),
                               (int) ub_rng_below(&rng, 53) - 60);
        const double half = ldexp(1.0, ilogb(x) - 53);
        size_t n;

        /* long double holds both exactly where it has 64 bits. */
        if (sizeof(long double) == sizeof(double))
            skip();
        n = (size_t) snprintf(text, sizeof(text), "%.170Lf",
                              (long double) x + (long double) half);
        assert_as_strtod(text);
        memset(text + n, '0', 1000);
        text[n + 1000] = '1';
        text[n + 1001] = '\0';
        assert_as_strtod(text);
    }
}

static void no_numbers(void **state)
{
    static const char *const texts[] = { "",    ".",    "-", "+.", "e5",
                                         "nan", "inf",  "x", " 1", "--1",
                                         "-.e", "NaN1", ",5" };
    double value = 7.0;

    (void) state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(ub__parse_double(texts[i], strlen(texts[i]), &value),
                         0);
    assert_true(value == 7.0);
    assert_int_equal(ub__parse_double("12345", 2, &value), 2);
    assert_true(value == 12.0);
    assert_int_equal(ub__parse_double("0x10", 4, &value), 1);
}

/* A million digits take time in proportion, and are rounded right. */
static void long_number(void **state)
{
    const size_t size = 1000000;
    char *text = malloc(size);
    double value;

    (void) state;
    assert_non_null(text);
    memset(text, '9', size);
    text[1] = '.';
    assert_int_equal(ub__parse_double(text, size, &value), size);
    assert_true(value == 10.0);
    memset(text, '0', size);
    text[1] = '.';
    text[size - 1] = '7';
    assert_int_equal(ub__parse_double(text, size, &value), size);
    assert_true(value == 0.0);
    free(text);
}

static void maps(void **state)
{
    ub_context *context = test_context(1);
    const char *path = test_path("mapped");
    ub__mapping map = { NULL, 0 };

    (void) state;
    test_file_write(path, "twelve bytes", 12);
    assert_int_equal(ub__file_map(context, path, 12, &map), UB_OK);
    assert_int_equal(map.size, 12);
    assert_memory_equal(map.data, "twelve bytes", 12);
    ub__file_unmap(&map);
    assert_null(map.data);
    assert_int_equal(ub__file_map(context, path, 11, &map), UB_ERR_RANGE);
    test_file_write(path, "", 0);
    assert_int_equal(ub__file_map(context, path, 11, &map), UB_OK);
    assert_null(map.data);
    ub__file_unmap(&map);
    assert_int_equal(ub__file_map(context, test_folder(), 9, &map), UB_ERR_IO);
    assert_int_equal(ub__file_map(context, test_path("none"), 9, &map),
                     UB_ERR_IO);
    assert_int_equal(ub__file_map(context, "/dev/null", 9, &map), UB_ERR_IO);
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_numbers), cmocka_unit_test(random_numbers),
        cmocka_unit_test(ties),          cmocka_unit_test(no_numbers),
        cmocka_unit_test(long_number),   cmocka_unit_test(maps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
