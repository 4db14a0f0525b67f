/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <math.h>
#include <string.h>
#include <uboost/utilization.h>

static ub_util_options array(int64_t rows, int64_t columns)
{
    ub_util_options o;

    ub_util_options_init(&o, sizeof(o));
    o.rows = rows;
    o.columns = columns;
    return o;
}

static ub_cost_layer layer(int32_t kind, int64_t kernel, int64_t side,
                           double in, double out)
{
    ub_cost_layer l;

    ub_cost_layer_init(&l, sizeof(l));
    l.kind = kind;
    l.kernel_height = l.kernel_width = kernel;
    l.in_height = l.in_width = l.out_height = l.out_width = side;
    l.batch = 3;
    l.in_channels = in;
    l.out_channels = out;
    return l;
}

typedef ub_status (*form)(const ub_util_options *, const ub_cost_layer *,
                          ub_cost *);

static ub_cost eval(form f, const ub_util_options *o, const ub_cost_layer *l)
{
    ub_cost cost = { .size = sizeof(cost) };

    assert_int_equal(f(o, l, &cost), UB_OK);
    return cost;
}

/* All terms, as the formula has it. */
static double plain_ceiling(double x)
{
    double sum = 0.0;

    for (int i = 0; i < 2000; i++)
        sum += pow(1.0 + exp(-20.0 * (x - i)) / 0.2, -2.0);
    return sum;
}

static void ceiling(void **state)
{
    double slope;

    (void) state;
    /* 1e-12: the plain sum of up to 2000 terms rounds */
    for (double x = -4.0; x < 1500.0; x += x < 6.0 ? 0.013 : 7.331) {
        const double value = ub_util_ceil_smooth(x, &slope);
        const double h = 1e-6;
        const double step = (plain_ceiling(x + h) - plain_ceiling(x - h)) /
                            (2 * h);
        assert_close(value, plain_ceiling(x), 1e-12 * fmax(1.0, x));
        /* rounding of the sum over 2 h */
        assert_close(slope, step, 1e-7 * fmax(1.0, x));
    }
    /* between two integers the step is done: n + 0.5 counts 0 to n */
    assert_close(ub_util_ceil_smooth(1e9 + 0.5, NULL), 1e9 + 1.0, 1e-3);
    assert_close(ub_util_ceil_smooth(1e300, &slope), 1e300, 1e285);
    assert_true(isfinite(slope));
    assert_close(ub_util_ceil_smooth(-1e300, &slope), 0.0, 0.0);
    assert_true(isnan(ub_util_ceil_smooth(NAN, &slope)));
}

/* Derivatives against central differences, for all forms that have them. */
static void derivatives(void **state)
{
    const form forms[] = { ub_util_latency_smooth, ub_util_flops,
                           ub_util_roofline, ub_util_roofline_published };
    const int32_t kinds[] = { UB_COST_CONV, UB_COST_DEPTHWISE,
                              UB_COST_SEPARABLE, UB_COST_LINEAR };
    const double widths[] = { 3.3, 17.9, 64.2, 127.97, 130.4, 280.1 };
    const double h = 1e-5;

    (void) state;
    for (int i = 0; i < 4 * 4 * 6 * 6 * 4; i++) {
        const form f = forms[i % 4];
        ub_util_options o = array(128, 64);
        ub_cost_layer l = layer(kinds[i / 4 % 4], 3, 14, widths[i / 16 % 6],
                                widths[i / 96 % 6]);
        ub_cost at, less, more;

        l.groups = i / 576 % 2 ? 4 : 1;
        o.average = i / 1152;
        at = eval(f, &o, &l);
        l.in_channels -= h;
        less = eval(f, &o, &l);
        l.in_channels += 2 * h;
        more = eval(f, &o, &l);
        /* the third derivative of a step is up to 20^3 times its height */
        assert_close(at.dcycles_din, (more.cycles - less.cycles) / (2 * h),
                     1e-5 * at.cycles);
        assert_close(at.dlatency_din,
                     (more.latency_ms - less.latency_ms) / (2 * h),
                     1e-5 * at.latency_ms);
        assert_close(at.dutilization_din,
                     (more.utilization - less.utilization) / (2 * h), 1e-5);
        l.in_channels -= h;
        l.out_channels -= h;
        less = eval(f, &o, &l);
        l.out_channels += 2 * h;
        more = eval(f, &o, &l);
        assert_close(at.dcycles_dout, (more.cycles - less.cycles) / (2 * h),
                     1e-5 * at.cycles);
        assert_close(at.dlatency_dout,
                     (more.latency_ms - less.latency_ms) / (2 * h),
                     1e-5 * at.latency_ms);
        assert_close(at.dutilization_dout,
                     (more.utilization - less.utilization) / (2 * h), 1e-5);
    }
}

static void exact_counts(void **state)
{
    const ub_util_options o = array(16, 8);
    ub_cost_layer l = layer(UB_COST_CONV, 3, 5, 4.4, 9.0);
    ub_cost cost = eval(ub_util_latency, &o, &l), halves[2];

    (void) state;
    /* ceil(36 / 16) * ceil(9 / 8) * 25 * 3 */
    assert_close(cost.cycles, 3 * 2 * 75.0, 0.0);
    assert_close(cost.macs, 36 * 9 * 75.0, 0.0);
    assert_close(cost.utilization, 36 * 9 / (6.0 * 128), 1e-15);
    assert_close(cost.latency_ms, 450e-6, 1e-18);
    assert_close(cost.dcycles_din, 0.0, 0.0);
    l.dilation = 2;
    assert_close(eval(ub_util_latency, &o, &l).cycles, 450.0, 0.0);
    l.in_channels = 0.2;
    assert_close(eval(ub_util_latency, &o, &l).cycles, 150.0, 0.0);
    l = layer(UB_COST_CONV, 3, 5, 8, 16);
    l.groups = 4;
    /* 4 * ceil(18 / 16) * ceil(4 / 8) * 75 */
    assert_close(eval(ub_util_latency, &o, &l).cycles, 600.0, 0.0);
    assert_close(eval(ub_util_latency, &o, &l).macs, 18 * 16 * 75.0, 0.0);
    l = layer(UB_COST_LINEAR, 9, 5, 33, 9);
    assert_close(eval(ub_util_latency, &o, &l).cycles, 3 * 2 * 3.0, 0.0);
    l = layer(UB_COST_FREE, 3, 5, NAN, -1);
    cost = eval(ub_util_latency, &o, &l);
    assert_close(cost.cycles, 0.0, 0.0);
    assert_close(cost.utilization, 1.0, 0.0);
    l = layer(UB_COST_DEPTHWISE, 5, 5, 7, NAN);
    halves[0] = eval(ub_util_latency, &o, &l);
    assert_close(halves[0].cycles, 7 * 2 * 75.0, 0.0);
    l = layer(UB_COST_CONV, 1, 5, 7, 12);
    halves[1] = eval(ub_util_latency, &o, &l);
    l = layer(UB_COST_SEPARABLE, 5, 5, 7, 12);
    cost = eval(ub_util_latency, &o, &l);
    assert_close(cost.cycles, halves[0].cycles + halves[1].cycles, 0.0);
    assert_close(cost.utilization, cost.macs / (cost.cycles * 128), 1e-15);
}

static void average_option(void **state)
{
    ub_util_options o = array(128, 128);
    const ub_cost_layer l = layer(UB_COST_SEPARABLE, 3, 32, 128, 128);
    const ub_cost_layer first = layer(UB_COST_DEPTHWISE, 3, 32, 128, 128);
    const ub_cost_layer second = layer(UB_COST_CONV, 1, 32, 128, 128);

    (void) state;
    o.average = 1;
    assert_close(eval(ub_util_latency, &o, &l).utilization,
                 (eval(ub_util_latency, &o, &first).utilization +
                  eval(ub_util_latency, &o, &second).utilization) /
                     2,
                 1e-15);
    assert_close(eval(ub_util_flops, &o, &l).utilization, 1.0, 0.0);
}

/* Stride 2: the input map counts at its own size. */
static void roofline_bytes(void **state)
{
    ub_util_options o = array(128, 128);
    ub_cost_layer l = layer(UB_COST_CONV, 3, 8, 16, 32);
    const double bytes = 2.0 * (9 * 16 * 32 + 3 * 256 * 16 + 3 * 64 * 32);
    const double macs = 9.0 * 16 * 32 * 64 * 3;
    ub_cost cost;

    (void) state;
    l.in_height = l.in_width = 16;
    o.bandwidth = 1e9;
    cost = eval(ub_util_roofline, &o, &l);
    assert_close(cost.cycles, bytes, 1e-9);
    assert_close(cost.utilization, macs / (bytes * 16384), 1e-15);
    o.bandwidth = INFINITY;
    cost = eval(ub_util_roofline, &o, &l);
    assert_close(cost.cycles, macs / 16384, 1e-9);
    assert_close(cost.utilization, 1.0, 1e-15);
}

/* What the public code counts; by it separable convolutions are faster, on the
 * array they are slower. */
static void roofline_published(void **state)
{
    ub_util_options o = array(128, 128);
    ub_cost_layer l = layer(UB_COST_CONV, 3, 8, 16, 32);
    ub_cost_layer separable = layer(UB_COST_SEPARABLE, 3, 16, 128, 128);
    ub_cost_layer conv = layer(UB_COST_CONV, 3, 16, 128, 128);

    (void) state;
    l.in_height = l.in_width = 16;
    o.bandwidth = 1e9;
    assert_close(eval(ub_util_roofline_published, &o, &l).cycles,
                 2.0 * (9 * 16 * 32 + 3 * 64 * 16 + 3 * 9 * 32), 1e-9);
    o = array(128, 128);
    assert_true(eval(ub_util_roofline_published, &o, &separable).cycles <
                eval(ub_util_roofline_published, &o, &conv).cycles);
    assert_true(eval(ub_util_roofline, &o, &separable).cycles >
                eval(ub_util_roofline, &o, &conv).cycles);
    assert_true(eval(ub_util_latency, &o, &separable).cycles >
                eval(ub_util_latency, &o, &conv).cycles);
}

static void bad_input(void **state)
{
    ub_util_options o = array(128, 128);
    ub_cost_layer good = layer(UB_COST_CONV, 3, 8, 16, 32), l;
    ub_cost cost = { .size = sizeof(cost), .cycles = -1.0 };
    ub_cost_model model = { .size = sizeof(model) };

    (void) state;
    assert_int_equal(ub_util_latency(&o, NULL, &cost), UB_ERR_INVALID);
    assert_int_equal(ub_util_latency(&o, &good, NULL), UB_ERR_INVALID);
    for (int i = 0; i < 10; i++) {
        const double widths[] = { NAN, INFINITY, 0.0, -1.0, 1e16 };
        l = good;
        *(i < 5 ? &l.in_channels : &l.out_channels) = widths[i % 5];
        assert_int_equal(ub_util_latency_smooth(&o, &l, &cost), UB_ERR_INVALID);
    }
    l = good;
    l.kind = 17;
    assert_int_equal(ub_util_latency(&o, &l, &cost), UB_ERR_INVALID);
    l = good;
    l.batch = 0;
    assert_int_equal(ub_util_latency(&o, &l, &cost), UB_ERR_INVALID);
    l = good;
    l.size = 3;
    assert_int_equal(ub_util_latency(&o, &l, &cost), UB_ERR_INVALID);
    o.rows = 0;
    assert_int_equal(ub_util_latency(&o, &good, &cost), UB_ERR_INVALID);
    assert_int_equal(ub_util_model(UB_UTIL_EXACT, &o, &model), UB_ERR_INVALID);
    o = array(128, 128);
    o.clock_hz = INFINITY;
    assert_int_equal(ub_util_latency(&o, &good, &cost), UB_ERR_INVALID);
    assert_close(cost.cycles, -1.0, 0.0);
    cost.size = 1;
    assert_int_equal(ub_util_latency(NULL, &good, &cost), UB_ERR_INVALID);
    assert_int_equal(ub_util_model((ub_util_kind) 9, NULL, &model),
                     UB_ERR_INVALID);
}

static void models(void **state)
{
    const form forms[] = { ub_util_latency, ub_util_latency_smooth,
                           ub_util_flops, ub_util_roofline,
                           ub_util_roofline_published };
    const ub_util_kind kinds[] = { UB_UTIL_EXACT, UB_UTIL_SMOOTH, UB_UTIL_FLOPS,
                                   UB_UTIL_ROOFLINE,
                                   UB_UTIL_ROOFLINE_PUBLISHED };
    const char *const names[] = { "systolic", "systolic-smooth", "flops",
                                  "roofline", "roofline-published" };
    const ub_cost_layer l = layer(UB_COST_CONV, 3, 8, 16.5, 32.5);
    ub_hardware hardware;
    ub_util_options o = array(1, 1);

    (void) state;
    ub_hardware_init(&hardware, sizeof(hardware));
    assert_int_equal(ub_hardware_set_array(&hardware, 32, 16), UB_OK);
    assert_int_equal(ub_util_options_from(&hardware, &o), UB_OK);
    assert_int_equal(o.rows, 32);
    assert_int_equal(o.columns, 16);
    assert_close(o.bandwidth, hardware.bandwidth, 0.0);
    for (int i = 0; i < 5; i++) {
        ub_cost_model model = { .size = sizeof(model) };
        ub_cost a = eval(forms[i], &o, &l), b = { .size = sizeof(b) };

        assert_int_equal(ub_util_model(kinds[i], &o, &model), UB_OK);
        assert_string_equal(model.name, names[i]);
        assert_int_equal(model.evaluate(model.user, &l, &b), UB_OK);
        assert_memory_equal(&a, &b, sizeof(a));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ceiling),        cmocka_unit_test(derivatives),
        cmocka_unit_test(exact_counts),   cmocka_unit_test(average_option),
        cmocka_unit_test(roofline_bytes), cmocka_unit_test(bad_input),
        cmocka_unit_test(models),         cmocka_unit_test(roofline_published),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
