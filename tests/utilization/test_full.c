/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include "model_layers.h"

#include <math.h>
#include <stdlib.h>
#include <uboost/utilization.h>

static double *values(int64_t n)
{
    double *x = calloc((size_t) n, sizeof(*x));

    assert_non_null(x);
    return x;
}

/* Errors against the simulator: exact within 1 % at the median and 5 % for 95 %
 * of the layers, smooth within 2 % and 10 %. */
static void check_errors(const char *name, const model_layer *layers, int64_t n)
{
    double *published = values(n), *exact = values(n), *smooth = values(n);

    for (int64_t i = 0; i < n; i++) {
        model_errors e;

        assert_int_equal(model_compare(&layers[i], &e), UB_OK);
        published[i] = e.published;
        exact[i] = e.exact;
        smooth[i] = e.smooth;
    }
    print_message("%s, %lld layers: median, 95 %%, worst\n", name,
                  (long long) n);
    print_message(
        "  published %.4f %.4f %.4f\n", model_quantile(published, n, 0.5),
        model_quantile(published, n, 0.95), model_quantile(published, n, 1.0));
    print_message("  exact     %.4f %.4f %.4f\n", model_quantile(exact, n, 0.5),
                  model_quantile(exact, n, 0.95),
                  model_quantile(exact, n, 1.0));
    print_message(
        "  smooth    %.4f %.4f %.4f\n", model_quantile(smooth, n, 0.5),
        model_quantile(smooth, n, 0.95), model_quantile(smooth, n, 1.0));
    assert_true(model_quantile(exact, n, 0.5) <= 0.01);
    assert_true(model_quantile(exact, n, 0.95) <= 0.05);
    assert_true(model_quantile(smooth, n, 0.5) <= 0.02);
    assert_true(model_quantile(smooth, n, 0.95) <= 0.10);
    free(published);
    free(exact);
    free(smooth);
}

static void lookup_layers(void **state)
{
    const char *path = test_golden("uboost_lookup.json");
    ub_context *context;
    model_layer *layers = NULL;
    int64_t n;

    (void) state;
    if (path == NULL)
        skip();
    context = test_context(1);
    n = model_lookup(context, path, &layers);
    assert_true(n >= 5000);
    check_errors("look-up table", layers, n);
    free(layers);
    ub_context_destroy(&context);
}

static void random_layers(void **state)
{
    enum { N = 10000 };
    model_layer *layers = calloc(N, sizeof(*layers));
    ub_rng rng;

    (void) state;
    assert_non_null(layers);
    ub_rng_init(&rng, 1, 0);
    for (int i = 0; i < N; i++)
        model_random(&rng, &layers[i]);
    check_errors("random", layers, N);
    free(layers);
}

/* -- the smooth form ------------------------------------------------------ */

static ub_cost smooth(const ub_util_options *o, const ub_cost_layer *l)
{
    ub_cost cost = { .size = sizeof(cost) };

    assert_int_equal(ub_util_full_smooth(o, l, &cost), UB_OK);
    return cost;
}

/* Channels per tile, down or across. */
static double tile_width(const model_layer *m, int across)
{
    const ub_cost_layer *l = &m->layer;

    if (across)
        return (double) m->columns;
    if (l->kind == UB_COST_LINEAR)
        return (double) m->rows;
    return (double) m->rows / (double) (l->kernel_height * l->kernel_width);
}

/*
 * One derivative against central differences. The function is made of pieces
 * with continuous slope. The steepest, the ceiling's step, is 0.1 tile wide;
 * with h = 1e-5 of that, slopes within h of its ends differ from the
 * difference by up to 6 h / 0.1 tile = 6e-5 of its height / 0.1 tile. A smooth
 * maximum, 1 % of its arguments wide, turns a slope s of f into another within
 * 0.02 f / s, where the difference is off by h s / (0.04 f) of s.
 */
static void check_slope(const ub_util_options *o, const model_layer *m,
                        int across)
{
    ub_cost_layer l = m->layer;
    double *x = across ? &l.out_channels : &l.in_channels;
    const double at = *x, width = tile_width(m, across);
    const double h = fmin(1e-6 * width, 1e-3 * at);
    const ub_cost middle = smooth(o, &l);
    const double slope = across ? middle.dcycles_dout : middle.dcycles_din;
    const double slope_ms = across ? middle.dlatency_dout : middle.dlatency_din;
    const double slope_use = across ? middle.dutilization_dout
                                    : middle.dutilization_din;
    const double scale = middle.cycles * (1.0 / width + 1.0 / at);
    ub_cost low, high;

    *x = at - h;
    low = smooth(o, &l);
    *x = at + h;
    high = smooth(o, &l);
    assert_close(slope, (high.cycles - low.cycles) / (2 * h),
                 1e-4 * (fabs(slope) + scale));
    assert_close(slope_ms, slope / o->clock_hz * 1e3, 1e-12 * fabs(slope_ms));
    assert_close(slope_use, (high.utilization - low.utilization) / (2 * h),
                 1e-4 * (fabs(slope_use) +
                         middle.utilization * (1.0 / width + 1.0 / at)));
}

/* Where the ceiling steps: behind a whole number of tiles. */
static double on_a_step(ub_rng *rng, double channels, double width)
{
    const double tiles = fmax(1.0, floor(channels / width));

    return width * (tiles + 0.12 * ub_rng_uniform(rng) - 0.01);
}

/* A random layer, and the options of its machine. */
static model_layer random_case(ub_rng *rng, ub_util_options *o)
{
    ub_hardware hardware;
    model_layer m;

    model_random(rng, &m);
    assert_int_equal(model_machine(&m, &hardware, o), UB_OK);
    return m;
}

/* Widths of 2^low to 2^(low + octaves). */
static void random_widths(ub_rng *rng, double low, double octaves,
                          ub_cost_layer *out)
{
    out->in_channels = exp2(low + octaves * ub_rng_uniform(rng));
    out->out_channels = exp2(low + octaves * ub_rng_uniform(rng));
}

static void slopes(void **state)
{
    static const int32_t kinds[] = { UB_COST_CONV, UB_COST_DEPTHWISE,
                                     UB_COST_LINEAR, UB_COST_SEPARABLE };
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 2, 0);
    for (int i = 0; i < 12000; i++) {
        ub_util_options o;
        model_layer m = random_case(&rng, &o);

        m.layer.kind = kinds[i % 4];
        random_widths(&rng, 0.0, 10.0, &m.layer);
        o.charge_inputs = i % 8 != 4;
        o.charge_outputs = i % 8 != 5;
        if (i % 3 == 1 && m.layer.kind != UB_COST_DEPTHWISE)
            m.layer.in_channels = on_a_step(&rng, m.layer.in_channels,
                                            tile_width(&m, 0));
        if (i % 3 == 2)
            m.layer.out_channels = on_a_step(&rng, m.layer.out_channels,
                                             tile_width(&m, 1));
        if (m.layer.kind == UB_COST_CONV && i % 16 == 8)
            m.layer.groups = 4;
        check_slope(&o, &m, 0);
        check_slope(&o, &m, 1);
    }
}

/* No jumps: over steps of a thousandth of a tile, the ends differ by what the
 * slopes say, up to their change. */
static void no_jumps(void **state)
{
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 3, 0);
    for (int i = 0; i < 300; i++) {
        ub_util_options o;
        model_layer m = random_case(&rng, &o);
        double step;
        ub_cost before;

        step = tile_width(&m, i % 2) / 1000.0;
        before = smooth(&o, &m.layer);
        for (int k = 0; k < 1200; k++) {
            double *x = i % 2 ? &m.layer.out_channels : &m.layer.in_channels;
            ub_cost after;

            *x += step;
            after = smooth(&o, &m.layer);
            /* a step of the ceiling adds at most 1.5 / 0.1 of the cycles per
             * tile, the rest grows with the width */
            assert_true(fabs(after.cycles - before.cycles) <=
                        (0.02 + 2.0 * step / *x) * before.cycles);
            before = after;
        }
    }
}

/* Down to a thousandth of a channel: finite, positive, more costs more. */
static void small_widths(void **state)
{
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 4, 0);
    for (int i = 0; i < 4000; i++) {
        ub_util_options o;
        model_layer m = random_case(&rng, &o);
        ub_cost cost;

        random_widths(&rng, -10.0, 12.0, &m.layer);
        cost = smooth(&o, &m.layer);
        assert_true(isfinite(cost.cycles) && cost.cycles > 0.0);
        assert_true(cost.utilization > 0.0 && cost.utilization <= 1.0);
        assert_true(isfinite(cost.dcycles_din) && isfinite(cost.dcycles_dout));
        assert_true(isfinite(cost.dutilization_din) &&
                    isfinite(cost.dutilization_dout));
    }
}

/* Wider layers take longer: falls are rare, and small. */
static void rises(void **state)
{
    int64_t falls = 0, steps = 0;
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 5, 0);
    for (int i = 0; i < 400; i++) {
        ub_util_options o;
        model_layer m = random_case(&rng, &o);
        double most = 0.0;

        for (int k = 1; k <= 512; k++) {
            double cycles;

            *(i % 2 ? &m.layer.out_channels : &m.layer.in_channels) = 0.5 * k;
            cycles = smooth(&o, &m.layer).cycles;
            falls += cycles < most * (1.0 - 1e-9);
            steps++;
            assert_true(cycles >= 0.97 * most);
            most = fmax(most, cycles);
        }
    }
    print_message("%lld of %lld widths cost less than a smaller one\n",
                  (long long) falls, (long long) steps);
    assert_true(falls <= steps / 100);
}

/* -- the exact form ------------------------------------------------------- */

static ub_cost exact(const ub_util_options *o, const ub_cost_layer *l)
{
    ub_cost cost = { .size = sizeof(cost) };

    assert_int_equal(ub_util_full(o, l, &cost), UB_OK);
    return cost;
}

static void by_hand(void **state)
{
    ub_util_options o;
    ub_cost_layer l, halves[2];
    ub_cost cost;

    (void) state;
    ub_util_options_init(&o, sizeof(o));
    o.rows = o.columns = 16;
    o.bandwidth = INFINITY;
    ub_cost_layer_init(&l, sizeof(l));
    l.kind = UB_COST_CONV;
    l.in_height = l.in_width = l.out_height = l.out_width = 6;
    l.in_channels = 40;
    l.out_channels = 20;
    /* 36 x 40 by 40 x 20: shift 17, depths of 16, 16 and 8 with two columns;
     * two whole rows and one of 4; six rounds each of 17, and of the last row
     * one each of 17, 17, 17 and 9, 9 between starts; it streams 5; store 2 */
    cost = exact(&o, &l);
    assert_close(cost.cycles, 17 + 12 * 17 + 3 * 17 + 9 + 9 + 5 + 2, 0.0);
    assert_close(cost.macs, 36.0 * 40 * 20, 0.0);
    assert_close(cost.utilization, cost.macs / (cost.cycles * 256), 1e-15);
    assert_close(cost.dcycles_din, 0.0, 0.0);
    l.in_channels = 39.6;
    assert_close(exact(&o, &l).cycles, cost.cycles, 0.0);
    /* one byte per cycle: 40 * 20 weights, 36 * 40 inputs, 36 * 20 results */
    l.out_channels = 20;
    o.bandwidth = o.clock_hz;
    assert_true(exact(&o, &l).cycles >= 2960.0);
    o.charge_inputs = o.charge_outputs = 0;
    assert_true(exact(&o, &l).cycles < 2960.0);
    assert_true(exact(&o, &l).cycles >= 800.0);
    o.weight_bytes = 4;
    assert_true(exact(&o, &l).cycles >= 3200.0);
    l.kind = UB_COST_SEPARABLE;
    l.kernel_height = l.kernel_width = 3;
    halves[0] = halves[1] = l;
    halves[0].kind = UB_COST_DEPTHWISE;
    halves[1].kind = UB_COST_CONV;
    halves[1].kernel_height = halves[1].kernel_width = 1;
    assert_close(exact(&o, &l).cycles,
                 exact(&o, &halves[0]).cycles + exact(&o, &halves[1]).cycles,
                 0.0);
    l.kind = UB_COST_FREE;
    assert_close(exact(&o, &l).cycles, 0.0, 0.0);
}

/* Lower bounds that hold for any machine. */
static void bounds(void **state)
{
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 6, 0);
    for (int i = 0; i < 5000; i++) {
        ub_util_options o;
        model_layer m = random_case(&rng, &o);
        ub_cost cost, published = { .size = sizeof(published) };
        double unlimited;

        cost = exact(&o, &m.layer);
        assert_int_equal(ub_util_latency(&o, &m.layer, &published), UB_OK);
        assert_true(cost.cycles >= published.cycles);
        assert_true(cost.utilization <= 1.0);
        o.bandwidth = INFINITY;
        unlimited = exact(&o, &m.layer).cycles;
        assert_true(isfinite(unlimited) && unlimited <= cost.cycles);
        assert_true(isfinite(smooth(&o, &m.layer).cycles));
    }
}

static void hardware_fields(void **state)
{
    ub_hardware h;
    ub_util_options o;

    (void) state;
    ub_hardware_init(&h, sizeof(h));
    ub_util_options_init(&o, sizeof(o));
    h.bank_bytes = 1000;
    h.weight_bank_bytes = 2000;
    h.element_bytes = 2;
    h.output_bytes = 4;
    h.partial_bytes = 8;
    o.charge_outputs = 0;
    assert_int_equal(ub_util_options_from(&h, &o), UB_OK);
    assert_int_equal(o.input_bank_bytes, 1000);
    assert_int_equal(o.weight_bank_bytes, 2000);
    assert_int_equal(o.output_bank_bytes, 1000);
    assert_int_equal(o.input_bytes, 2);
    assert_int_equal(o.weight_bytes, 2);
    assert_int_equal(o.output_bytes, 4);
    assert_int_equal(o.partial_bytes, 8);
    assert_int_equal(o.charge_outputs, 0);
    assert_int_equal(o.charge_inputs, 1);
}

static void bad_input(void **state)
{
    ub_cost cost = { .size = sizeof(cost), .cycles = -1.0 };
    ub_cost_layer l;

    (void) state;
    ub_cost_layer_init(&l, sizeof(l));
    l.kind = UB_COST_CONV;
    assert_int_equal(ub_util_full(NULL, &l, NULL), UB_ERR_INVALID);
    assert_int_equal(ub_util_full(NULL, NULL, &cost), UB_ERR_INVALID);
    for (int i = 0; i < 9; i++) {
        ub_util_options o;

        ub_util_options_init(&o, sizeof(o));
        switch (i) {
        case 0: o.input_bank_bytes = 0; break;
        case 1: o.weight_bank_bytes = -1; break;
        case 2: o.output_bank_bytes = 0; break;
        case 3: o.input_bytes = 0; break;
        case 4: o.weight_bytes = 65; break;
        case 5: o.output_bytes = 0; break;
        case 6: o.partial_bytes = 0; break;
        case 7: o.charge_inputs = 2; break;
        default: o.charge_outputs = -1; break;
        }
        assert_int_equal(ub_util_full(&o, &l, &cost), UB_ERR_INVALID);
        assert_int_equal(ub_util_full_smooth(&o, &l, &cost), UB_ERR_INVALID);
    }
    l.in_channels = NAN;
    assert_int_equal(ub_util_full_smooth(NULL, &l, &cost), UB_ERR_INVALID);
    assert_close(cost.cycles, -1.0, 0.0);
    /* the largest that is let in */
    l.in_channels = l.out_channels = 1e15;
    l.in_height = l.in_width = l.out_height = (int64_t) 1 << 32;
    l.out_width = l.batch = l.kernel_height = (int64_t) 1 << 32;
    assert_int_equal(ub_util_full(NULL, &l, &cost), UB_OK);
    assert_true(isfinite(cost.cycles));
    assert_int_equal(ub_util_full_smooth(NULL, &l, &cost), UB_OK);
    assert_true(isfinite(cost.cycles) && isfinite(cost.dcycles_din));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lookup_layers),   cmocka_unit_test(random_layers),
        cmocka_unit_test(slopes),          cmocka_unit_test(no_jumps),
        cmocka_unit_test(small_widths),    cmocka_unit_test(rises),
        cmocka_unit_test(by_hand),         cmocka_unit_test(bounds),
        cmocka_unit_test(hardware_fields), cmocka_unit_test(bad_input),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
