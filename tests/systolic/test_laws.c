/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <uboost/systolic.h>
#include <uboost/utilization.h>

static ub_hardware array(int64_t rows, int64_t columns)
{
    ub_hardware h;

    ub_hardware_init(&h, sizeof(h));
    assert_int_equal(ub_hardware_set_array(&h, rows, columns), UB_OK);
    return h;
}

static ub_systolic_stats run(const ub_gemm *g, const ub_hardware *h)
{
    ub_systolic_stats s = { .size = sizeof(s) };

    assert_int_equal(ub_systolic_gemm(g, h, NULL, &s), UB_OK);
    return s;
}

/* The rounds of the whole product without memory, one by one. */
static int64_t compute_only(const ub_gemm *g, int64_t rows, int64_t columns)
{
    const int64_t tm = (g->m + rows - 1) / rows, tk = (g->k + rows - 1) / rows;
    const int64_t tn = (g->n + columns - 1) / columns;
    int64_t start = 0, end = 0;

    for (int64_t p = 0; p < g->count; p++) {
        for (int64_t r = 0; r < tm * tk * tn; r++) {
            const int64_t j = r / (tm * tn), i = r / tn % tm;
            const int64_t k = j < tk - 1 ? rows : g->k - (tk - 1) * rows;
            const int64_t m = i < tm - 1 ? rows : g->m - (tm - 1) * rows;
            const int64_t shifted = start + k + 1;

            start = end;
            if ((tn > 1 || i == 0) && shifted > start)
                start = shifted;
            end = start + (m > 3 ? m : 3) + 1;
        }
    }
    return end + 2;
}

static void unlimited_memory(void **state)
{
    ub_hardware h = array(8, 4);
    ub_rng rng;

    (void) state;
    h.bandwidth = INFINITY;
    ub_rng_init(&rng, 1, 0);
    for (int i = 0; i < 500; i++) {
        const ub_gemm g = test_product(1 + (int64_t) ub_rng_below(&rng, 90),
                                       1 + (int64_t) ub_rng_below(&rng, 50),
                                       1 + (int64_t) ub_rng_below(&rng, 30),
                                       1 + (int64_t) ub_rng_below(&rng, 3));
        const ub_systolic_stats s = run(&g, &h);

        assert_int_equal(s.macs, g.m * g.k * g.n * g.count);
        /* the fastest walk is at least as fast as the whole at once */
        assert_true(s.cycles <= compute_only(&g, 8, 4));
        assert_true(s.cycles * 32 >= s.macs);
        assert_int_equal(s.stall_weights, 0);
        assert_int_equal(s.stall_inputs, 0);
        assert_int_equal(s.stall_outputs, 0);
        assert_int_equal(s.weight_bytes, g.k * g.n * g.count);
        assert_int_equal(s.output_bytes, g.m * g.n * g.count);
    }
}

/* One tile: load weights, shift, stream, store; each visible. */
static void one_round(void **state)
{
    ub_hardware h = array(8, 8);
    const ub_gemm g = test_product(8, 8, 8, 1);
    ub_systolic_stats s;

    (void) state;
    h.bandwidth = 2e9; /* two bytes per cycle */
    s = run(&g, &h);
    /* 32 for weights; inputs are there at 64; 9 to stream; 32 for results,
     * which start at 73, while the last two cycles go to SRAM */
    assert_int_equal(s.cycles, 32 + 32 + 9 + 32);
    assert_int_equal(s.rounds, 1);
    assert_int_equal(s.stall_weights, 32);
    assert_int_equal(s.stall_inputs, 64 - 32 - 9);
    assert_int_equal(s.stall_outputs, 30);
    h.bandwidth = INFINITY;
    s = run(&g, &h);
    assert_int_equal(s.cycles, 9 + 9 + 2);
    assert_close(s.utilization, 512.0 / (20 * 64), 1e-15);
    assert_close(s.latency_ms, 20e-6, 1e-18);
}

/* Bytes that no schedule can avoid, and what each one adds. */
static double least_bytes(const ub_gemm *g)
{
    return (double) (g->count *
                     (g->k * g->n + g->input_elements + g->m * g->n));
}

static void laws(void **state)
{
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 2, 0);
    for (int i = 0; i < 300; i++) {
        const int64_t rows = 2 + (int64_t) ub_rng_below(&rng, 12);
        const int64_t columns = 2 + (int64_t) ub_rng_below(&rng, 12);
        ub_gemm g = test_product(1 + (int64_t) ub_rng_below(&rng, 120),
                                 1 + (int64_t) ub_rng_below(&rng, 60),
                                 1 + (int64_t) ub_rng_below(&rng, 40),
                                 i % 4 ? 1 : 5);
        ub_hardware h = array(rows, columns);
        int64_t before = INT64_MAX;

        g.input_elements -= (int64_t) ub_rng_below(&rng,
                                                   (uint64_t) (g.m * g.k));
        for (double b = 0.05; b < 4000; b *= 3) {
            ub_systolic_stats s;

            h.bandwidth = b * 1e9;
            h.bank_bytes = 4096;
            s = run(&g, &h);
            assert_true(s.cycles <= before);
            assert_true((double) s.cycles * (double) (rows * columns) >=
                        (double) s.macs);
            assert_true((double) s.cycles >= least_bytes(&g) / b);
            assert_true(
                (double) s.cycles >=
                (double) (s.weight_bytes + s.input_bytes + s.output_bytes) / b);
            assert_true(s.utilization > 0.0 && s.utilization <= 1.0);
            assert_true(s.stall_weights >= 0 && s.stall_inputs >= 0);
            assert_true(s.stall_outputs >= 0);
            before = s.cycles;
        }
        before = INT64_MAX;
        h.bandwidth = (1.0 + 8.0 * ub_rng_uniform(&rng)) * 1e9;
        for (int64_t bank = 512; bank < 1 << 18; bank += bank / 2) {
            ub_systolic_stats s;

            h.bank_bytes = bank;
            s = run(&g, &h);
            if (s.cycles > before)
                fail_msg("%lld x %lld x %lld x %lld on %lld x %lld: %lld "
                         "cycles with banks of %lld, %lld with less",
                         (long long) g.m, (long long) g.k, (long long) g.n,
                         (long long) g.count, (long long) rows,
                         (long long) columns, (long long) s.cycles,
                         (long long) bank, (long long) before);
            before = s.cycles;
        }
    }
}

/* Batch b of m is b times m, in what must be done. */
static void long_loops(void **state)
{
    ub_hardware h = array(16, 16);
    const ub_gemm g = test_product((int64_t) 1 << 30, 144, 40, 1);
    const ub_gemm many = test_product(200, 9, 1, 1 << 20);
    const ub_gemm few = test_product(200, 9, 1, 1 << 10);
    const ub_gemm huge = test_product((int64_t) 1 << 40, 1 << 10, 1 << 4, 1);
    ub_systolic_stats s = run(&g, &h), t;

    (void) state;
    assert_int_equal(s.rounds, ((int64_t) 1 << 26) * 9 * 3);
    assert_int_equal(s.output_bytes, ((int64_t) 1 << 30) * 40);
    s = run(&many, &h);
    t = run(&few, &h);
    assert_int_equal(s.rounds, 1024 * t.rounds);
    assert_int_equal(s.input_bytes, 1024 * t.input_bytes);
    /* beginning and end of the sequence count once */
    assert_close((double) s.cycles / (1024.0 * (double) t.cycles), 1.0, 0.01);
    ub_hardware_init(&h, sizeof(h));
    assert_int_equal(ub_hardware_set_array(&h, 1, 1), UB_OK);
    assert_int_equal(ub_systolic_gemm(&huge, &h, NULL, &s), UB_ERR_RANGE);
}

static void charges(void **state)
{
    const ub_hardware h = array(128, 128);
    const ub_gemm g = test_product(64, 1152, 128, 1);
    ub_systolic_options o;
    ub_systolic_stats s = { .size = sizeof(s) };

    (void) state;
    ub_systolic_options_init(&o, sizeof(o));
    o.charge_inputs = o.charge_outputs = 0;
    assert_int_equal(ub_systolic_gemm(&g, &h, &o, &s), UB_OK);
    assert_int_equal(s.input_bytes + s.output_bytes, 0);
    assert_int_equal(s.weight_bytes, 1152 * 128);
    /* weights at 80 GiB/s, then the last tile's shift and round */
    assert_close((double) s.cycles, 147456 / 85.899 + 129 + 65 + 2, 2.0);
    o.level = 4;
    assert_int_equal(ub_systolic_gemm(&g, &h, &o, &s), UB_ERR_UNSUPPORTED);
    o.level = 1;
    o.prefetch = 128;
    assert_int_equal(ub_systolic_gemm(&g, &h, &o, &s), UB_ERR_INVALID);
    o.prefetch = 0;
    assert_int_equal(ub_systolic_gemm(&g, &h, &o, &s), UB_OK);
    assert_true(s.cycles > 147456 / 85.899 + 9 * 65);
}

static void bad_input(void **state)
{
    ub_hardware h = array(16, 16);
    ub_gemm g = test_product(64, 64, 64, 1);
    ub_systolic_stats s = { .size = sizeof(s), .cycles = -1 };

    (void) state;
    h.bank_bytes = 100;
    assert_int_equal(ub_systolic_gemm(&g, &h, NULL, &s), UB_ERR_INVALID);
    h = array(16, 16);
    g.input_elements = 64 * 64 + 1;
    assert_int_equal(ub_systolic_gemm(&g, &h, NULL, &s), UB_ERR_INVALID);
    g = test_product(0, 64, 64, 1);
    assert_int_equal(ub_systolic_gemm(&g, &h, NULL, &s), UB_ERR_INVALID);
    g = test_product(1, 64, 64, 1);
    g.m = INT64_MAX / 2;
    g.input_elements = 1;
    assert_int_equal(ub_systolic_gemm(&g, &h, NULL, &s), UB_ERR_INVALID);
    assert_int_equal(ub_systolic_gemm(NULL, &h, NULL, &s), UB_ERR_INVALID);
    assert_int_equal(ub_systolic_gemm(&g, NULL, NULL, &s), UB_ERR_INVALID);
    g = test_product(1, 1, 1, 0);
    assert_int_equal(s.cycles, -1);
    assert_int_equal(ub_systolic_gemm(&g, &h, NULL, &s), UB_OK);
    assert_int_equal(s.cycles, 0);
    assert_close(s.utilization, 1.0, 0.0);
    s.size = 4;
    assert_int_equal(ub_systolic_gemm(&g, &h, NULL, &s), UB_ERR_INVALID);
}

static ub_status build(ub_context *context, ub_network **out)
{
    ub_network *net = NULL;
    ub_layer layer;
    int64_t at = 0;
    ub_status status = ub_network_create(context, "net", 3, 16, 16, &net);

    ub_layer_init(&layer, sizeof(layer), UB_LAYER_CONV);
    layer.out_channels = 24;
    layer.kernel_height = layer.kernel_width = 3;
    layer.pad_height = layer.pad_width = 1;
    if (status == UB_OK)
        status = ub_network_add(net, "conv", &layer, 1, &at, &at);
    layer.groups = 24;
    layer.stride = 2;
    if (status == UB_OK)
        status = ub_network_add(net, "depthwise", &layer, 1, &at, &at);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_GLOBAL_POOL);
    if (status == UB_OK)
        status = ub_network_add(net, "pool", &layer, 1, &at, &at);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_LINEAR);
    layer.out_channels = 10;
    if (status == UB_OK)
        status = ub_network_add(net, "classes", &layer, 1, &at, &at);
    if (status == UB_OK)
        *out = net;
    else
        ub_network_destroy(&net);
    return status;
}

static void networks(void **state)
{
    ub_context *context = test_context(1);
    ub_network *net = NULL;
    const ub_hardware h = array(16, 16);
    const ub_systolic_machine machine = { sizeof(machine), &h, NULL };
    ub_cost_model model = { .size = sizeof(model) };
    ub_systolic_stats total = { .size = sizeof(total) }, layers[5];
    ub_cost cost = { .size = sizeof(cost) };
    int64_t cycles = 0;

    (void) state;
    assert_int_equal(build(context, &net), UB_OK);
    for (int i = 0; i < 5; i++)
        layers[i] = (ub_systolic_stats){ .size = sizeof(layers[i]) };
    assert_int_equal(ub_systolic_run(net, &h, NULL, &total, layers, 5), UB_OK);
    for (int i = 0; i < 5; i++)
        cycles += layers[i].cycles;
    assert_int_equal(total.cycles, cycles);
    assert_int_equal(total.macs, ub_network_macs(net));
    assert_int_equal(layers[3].cycles, 0);
    assert_close(layers[3].utilization, 1.0, 0.0);
    assert_close(total.utilization, (double) total.macs / (256.0 * cycles),
                 1e-15);
    /* the same by way of the cost model */
    assert_int_equal(ub_systolic_model(&machine, &model), UB_OK);
    assert_int_equal(ub_network_cost(net, &model, 1, &cost, NULL, 0), UB_OK);
    assert_close(cost.cycles, (double) cycles, 0.0);
    assert_close(cost.macs, (double) total.macs, 0.0);
    assert_close(cost.utilization, total.utilization, 1e-12);
    assert_int_equal(ub_systolic_run(net, &h, NULL, &total, layers, 4),
                     UB_ERR_INVALID);
    assert_int_equal(ub_systolic_run(net, NULL, NULL, &total, NULL, 0),
                     UB_ERR_INVALID);
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

static void separable_model(void **state)
{
    const ub_hardware h = array(16, 16);
    const ub_systolic_machine machine = { sizeof(machine), &h, NULL };
    ub_cost_model model = { .size = sizeof(model) };
    ub_cost both = { .size = sizeof(both) }, a = both, b = both;
    ub_cost_layer l;

    (void) state;
    assert_int_equal(ub_systolic_model(&machine, &model), UB_OK);
    ub_cost_layer_init(&l, sizeof(l));
    l.kind = UB_COST_SEPARABLE;
    l.kernel_height = l.kernel_width = 3;
    l.in_height = l.in_width = 16;
    l.out_height = l.out_width = 8;
    l.in_channels = 20.3;
    l.out_channels = 31.6;
    assert_int_equal(model.evaluate(model.user, &l, &both), UB_OK);
    l.kind = UB_COST_DEPTHWISE;
    assert_int_equal(model.evaluate(model.user, &l, &a), UB_OK);
    l.kind = UB_COST_CONV;
    l.kernel_height = l.kernel_width = 1;
    l.in_height = l.in_width = 8;
    assert_int_equal(model.evaluate(model.user, &l, &b), UB_OK);
    assert_close(both.cycles, a.cycles + b.cycles, 0.0);
    assert_close(both.macs, 64.0 * (9 * 20 + 20 * 32), 0.0);
    l.out_height = l.out_width = (int64_t) 1 << 32;
    assert_int_equal(model.evaluate(model.user, &l, &b), UB_ERR_RANGE);
}

/* A cost model is not told the stride, but has to load what the layer does. */
static void strided_model(void **state)
{
    ub_hardware h = array(32, 32);
    const ub_systolic_machine machine = { sizeof(machine), &h, NULL };
    ub_cost_model model = { .size = sizeof(model) };
    ub_layer layer;
    ub_layer_info info = { .size = sizeof(info), .layer = &layer };

    (void) state;
    h.bandwidth = 4e9; /* four bytes per cycle: loads are what counts */
    assert_int_equal(ub_systolic_model(&machine, &model), UB_OK);
    for (int code = 0; code < 3 * 2 * 7 * 2; code++) {
        const int64_t kernel = 1 + 2 * (code % 3), stride = 1 + code / 3 % 2;
        const int64_t extent = 8 + code / 6 % 7;
        ub_systolic_stats s = { .size = sizeof(s) };
        ub_cost_layer l = { .size = sizeof(l) };
        ub_cost cost = { .size = sizeof(cost) };

        ub_layer_init(&layer, sizeof(layer), UB_LAYER_CONV);
        layer.kernel_height = layer.kernel_width = kernel;
        layer.pad_height = layer.pad_width = kernel / 2;
        layer.stride = stride;
        info.in_channels = info.out_channels = 48;
        layer.groups = code < 42 ? 1 : 48;
        info.in_height = info.in_width = extent;
        info.out_height = info.out_width = (extent - 1) / stride + 1;
        assert_int_equal(ub_systolic_layer(&info, &h, NULL, &s), UB_OK);
        assert_int_equal(ub_cost_layer_from(&info, 1, &l), UB_OK);
        assert_int_equal(model.evaluate(model.user, &l, &cost), UB_OK);
        assert_close(cost.cycles, (double) s.cycles, 0.0);
    }
}

/* Where maps are large and memory is fast, the closed form and the simulator
 * tell the same within what the closed form leaves out: one load of the
 * weights, and one cycle per round of `rows`. */
static void agrees_with_closed_form(void **state)
{
    ub_hardware h = array(32, 16);
    ub_util_options o;
    ub_rng rng;

    (void) state;
    h.bandwidth = INFINITY;
    ub_util_options_init(&o, sizeof(o));
    assert_int_equal(ub_util_options_from(&h, &o), UB_OK);
    ub_rng_init(&rng, 3, 0);
    for (int i = 0; i < 200; i++) {
        const ub_systolic_machine machine = { sizeof(machine), &h, NULL };
        ub_cost_model model = { .size = sizeof(model) };
        ub_cost closed = { .size = sizeof(closed) }, simulated = closed;
        ub_cost_layer l;

        ub_cost_layer_init(&l, sizeof(l));
        l.kind = i % 3 ? UB_COST_CONV : UB_COST_DEPTHWISE;
        l.kernel_height = l.kernel_width = 1 + 2 * (i % 2);
        l.in_height = l.in_width = l.out_height = l.out_width = 32;
        l.in_channels = (double) (1 + ub_rng_below(&rng, 100));
        l.out_channels = (double) (1 + ub_rng_below(&rng, 100));
        assert_int_equal(ub_systolic_model(&machine, &model), UB_OK);
        assert_int_equal(model.evaluate(model.user, &l, &simulated), UB_OK);
        assert_int_equal(ub_util_latency(&o, &l, &closed), UB_OK);
        assert_close(simulated.macs, closed.macs, 0.0);
        assert_true(simulated.cycles >= closed.cycles);
        assert_true(simulated.cycles <= closed.cycles * (1.0 + 1.0 / 32) + 35);
    }
}

static ub_status build_and_run(ub_context *context, void *arg)
{
    ub_systolic_stats total = { .size = sizeof(total) };
    ub_network *net = NULL;
    ub_hardware h;
    ub_status status = build(context, &net);

    (void) arg;
    ub_hardware_init(&h, sizeof(h));
    if (status == UB_OK)
        status = ub_systolic_run(net, &h, NULL, &total, NULL, 0);
    ub_network_destroy(&net);
    return status;
}

static void out_of_memory(void **state)
{
    (void) state;
    assert_survives_oom(build_and_run, 1, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unlimited_memory),
        cmocka_unit_test(one_round),
        cmocka_unit_test(laws),
        cmocka_unit_test(long_loops),
        cmocka_unit_test(charges),
        cmocka_unit_test(bad_input),
        cmocka_unit_test(networks),
        cmocka_unit_test(separable_model),
        cmocka_unit_test(strided_model),
        cmocka_unit_test(agrees_with_closed_form),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
