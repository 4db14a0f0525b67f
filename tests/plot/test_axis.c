/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include "plot/plot.h"

#include <math.h>
#include <string.h>

static const double none[2] = { NAN, NAN };

static void check_ticks(const ub__plot_axis *axis, int n, const double *ticks)
{
    assert_int_equal(axis->n, n);
    for (int i = 0; i < n; i++)
        assert_close(axis->ticks[i], ticks[i], 1e-12 * fabs(ticks[i]));
}

static void linear(void **state)
{
    const double expected[] = { 0.4, 0.5, 0.6, 0.7, 0.8 };
    const double fixed[2] = { 0.0, NAN };
    ub__plot_axis axis;

    (void) state;
    assert_true(ub__plot_axis_make(0.42, 0.79, none, 0, 5, &axis));
    assert_close(axis.low, 0.4, 1e-12);
    assert_close(axis.high, 0.8, 1e-12);
    check_ticks(&axis, 5, expected);
    assert_int_equal(axis.decimals, 1);
    assert_close(ub__plot_axis_place(&axis, 0.5), 0.25, 1e-12);
    assert_true(ub__plot_axis_make(0.42, 0.79, fixed, 0, 5, &axis));
    assert_close(axis.low, 0.0, 0.0);
    assert_close(axis.ticks[0], 0.0, 0.0);
    /* a single number has surroundings */
    assert_true(ub__plot_axis_make(3.0, 3.0, none, 0, 5, &axis));
    assert_true(axis.low < 3.0 && axis.high > 3.0);
}

static void logarithmic(void **state)
{
    const double few[] = { 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0 };
    const double near[] = { 0.01, 0.02, 0.05, 0.1, 0.2, 0.5 };
    const double fixed[2] = { 0.015, NAN };
    ub__plot_axis axis;

    (void) state;
    assert_true(ub__plot_axis_make(1.5, 80.0, none, 1, 7, &axis));
    assert_close(axis.low, 1.0, 1e-12);
    assert_close(axis.high, 100.0, 1e-9);
    check_ticks(&axis, 7, few);
    assert_close(ub__plot_axis_place(&axis, 10.0), 0.5, 1e-12);
    /* ends next to the numbers; with ends given, and with one number */
    assert_true(ub__plot_axis_make(0.016, 0.25, none, 1, 7, &axis));
    assert_close(axis.low, 0.01, 1e-12);
    assert_close(axis.high, 0.5, 1e-12);
    check_ticks(&axis, 6, near);
    assert_true(ub__plot_axis_make(0.016, 0.25, fixed, 1, 7, &axis));
    assert_close(axis.low, 0.015, 0.0);
    assert_close(axis.high, 0.5, 1e-12);
    assert_true(ub__plot_axis_make(2.0, 2.0, none, 1, 7, &axis));
    assert_true(axis.low <= 2.0 && axis.high >= 2.0 && axis.low < axis.high);
    assert_true(ub__plot_axis_make(1e-30, 1e30, none, 1, 7, &axis));
    assert_true(axis.n >= 4 && axis.n <= UB__PLOT_MAX_TICKS);
}

static void nothing_to_show(void **state)
{
    ub__plot_axis axis;

    (void) state;
    assert_false(ub__plot_axis_make(INFINITY, -INFINITY, none, 0, 7, &axis));
    assert_false(ub__plot_axis_make(-1.0, 5.0, none, 1, 7, &axis));
    assert_false(ub__plot_axis_make(0.0, INFINITY, none, 0, 7, &axis));
    /* the ends of a double: a range or a step that it cannot hold */
    assert_false(ub__plot_axis_make(-1.7e308, 1.7e308, none, 0, 7, &axis));
    assert_false(ub__plot_axis_make(0.0, 5e-324, none, 0, 7, &axis));
    assert_false(ub__plot_axis_make(1e308, 1.7e308, none, 1, 7, &axis));
    assert_false(ub__plot_axis_make(1e-300, 1e300, none, 1, 7, &axis));
}

static void check_label(const ub__plot_axis *axis, double value,
                        const char *expected)
{
    char text[48];

    ub__plot_axis_label(axis, value, text, sizeof(text));
    assert_string_equal(text, expected);
}

static void labels(void **state)
{
    const ub__plot_axis whole = { .decimals = 0 };
    const ub__plot_axis fine = { .decimals = 2 };
    const ub__plot_axis decades = { .log = 1 };
    ub__plot_axis tiny;

    (void) state;
    check_label(&whole, 1500000.0, "1 500 000");
    check_label(&whole, -12345.0, "-12 345");
    check_label(&whole, 1234.0, "1234");
    check_label(&whole, 2e9, "2e+09");
    check_label(&fine, 0.25, "0.25");
    assert_true(ub__plot_axis_make(0.0, 1e-6, none, 0, 5, &tiny));
    check_label(&tiny, tiny.ticks[0], "0");
    check_label(&tiny, tiny.ticks[1], "2e-07");
    assert_true(ub__plot_axis_make(0.0, 1e-300, none, 0, 5, &tiny));
    check_label(&tiny, tiny.ticks[0], "0");
    check_label(&fine, 0.0, "0.00");
    check_label(&decades, 0.001, "0.001");
    check_label(&decades, 1000000.0, "1 000 000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear),
        cmocka_unit_test(logarithmic),
        cmocka_unit_test(nothing_to_show),
        cmocka_unit_test(labels),
    };

    return cmocka_run_group_tests_name("plot_axis", tests, NULL, NULL);
}
