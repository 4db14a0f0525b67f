/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <math.h>
#include <uboost/systolic.h>

/* -- networks ------------------------------------------------------------- */

/* Images m x 1 of k channels, and linear-like layers behind each other. */
static ub_network *chain(ub_context *context, int64_t m, const int64_t *widths,
                         int64_t n)
{
    ub_network *net;

    assert_int_equal(ub_network_create(context, "chain", widths[0], m, 1, &net),
                     UB_OK);
    for (int64_t i = 1; i < n; i++) {
        const int64_t before = i - 1;
        const char name[] = { 'l', (char) ('0' + i), '\0' };
        ub_layer layer;

        ub_layer_init(&layer, sizeof(layer), UB_LAYER_CONV);
        layer.out_channels = widths[i];
        assert_int_equal(ub_network_add(net, name, &layer, 1, &before, NULL),
                         UB_OK);
    }
    return net;
}

static ub_systolic_options compat(void)
{
    ub_systolic_options o;

    ub_systolic_options_init(&o, sizeof(o));
    o.compat = UB_SYSTOLIC_COMPAT_CSIM;
    return o;
}

static ub_hardware machine(int64_t arrays, int64_t side)
{
    ub_hardware h;

    ub_hardware_init(&h, sizeof(h));
    h.arrays = arrays;
    h.rows = h.columns = side;
    h.bandwidth = INFINITY;
    return h;
}

static ub_systolic_csim_stats simulate(const ub_network *net,
                                       const ub_hardware *h, int64_t repeats)
{
    const ub_systolic_options o = compat();
    ub_systolic_csim_stats s = { .size = sizeof(s) };

    assert_int_equal(ub_systolic_csim(net, h, &o, repeats, &s), UB_OK);
    return s;
}

/* Two arrays whose weights have 32 and 32, or 32 and 12 rows: one cycle to
 * load, the weights, two rounds of 32 rows (one is the adders'), l + 1. */
static void first_weights_restart(void **state)
{
    static const int64_t even[] = { 64, 32 }, odd[] = { 44, 32 };
    ub_context *context = test_context(1);
    ub_network *a = chain(context, 32, even, 2),
               *b = chain(context, 32, odd, 2);
    const ub_hardware h = machine(2, 32);
    const ub_systolic_csim_stats s = simulate(a, &h, 1), t = simulate(b, &h, 1);

    (void) state;
    assert_int_equal(s.cycles, 1 + 33 + 2 * 33 + 2);
    assert_int_equal(t.cycles, 1 + 33 * 13 + 2 * 33 + 2);
    assert_int_equal(t.sram_read_bytes - s.sram_read_bytes,
                     13 * 32 * 32 + 33 * 12 * 32 - 2 * 32 * 32 - 32 * 20);
    assert_int_equal(s.last_adder_round, 2);
    assert_int_equal(s.additions, 32 * 32);
    ub_network_destroy(&a);
    ub_network_destroy(&b);
    ub_context_destroy(&context);
}

/* One tile: only its weights are seen to load. */
static void last_round_never_runs(void **state)
{
    static const int64_t widths[] = { 16, 16 };
    ub_context *context = test_context(1);
    ub_network *net = chain(context, 8, widths, 2);
    const ub_hardware h = machine(1, 16);
    const ub_systolic_csim_stats s = simulate(net, &h, 1);
    const ub_systolic_csim_stats twice = simulate(net, &h, 2);

    (void) state;
    assert_int_equal(s.cycles, 1 + 17 + 2);
    assert_int_equal(s.operations, 0);
    assert_int_equal(s.tile_products, 1);
    assert_int_equal(s.sram_read_bytes, 256);
    assert_true(s.weight_bytes == 256.0 && s.input_bytes == 128.0);
    /* the first round runs now; after one without work the second does not */
    assert_int_equal(twice.last_round, 2);
    assert_int_equal(twice.operations, 2 * 8 * 16 * 16);
    assert_int_equal(twice.cycles, 1 + 17 + (8 + 1) + (16 + 1) + 2);
    assert_int_equal(twice.tile_products, 2);
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

/* The whole is csim's; a layer is that layer alone. */
static void as_level_1(void **state)
{
    static const int64_t widths[] = { 40, 70, 30, 50 };
    ub_context *context = test_context(1);
    ub_network *net = chain(context, 50, widths, 4);
    ub_hardware h = machine(2, 16);
    const ub_systolic_options o = compat();
    ub_systolic_stats total = { .size = sizeof(total) }, each[4], alone;
    ub_systolic_csim_stats s;
    ub_systolic_machine price = { sizeof(price), &h, &o };
    ub_cost_model model = { .size = sizeof(model) };
    ub_cost costs[4];

    (void) state;
    h.bandwidth = 3e9;
    s = simulate(net, &h, 1);
    for (int i = 0; i < 4; i++) {
        each[i].size = sizeof(each[i]);
        costs[i].size = sizeof(costs[i]);
    }
    assert_int_equal(ub_systolic_run(net, &h, &o, &total, each, 4), UB_OK);
    assert_int_equal(total.cycles, s.cycles);
    assert_int_equal(total.macs, s.operations / 2);
    assert_int_equal(total.stall_weights + total.stall_inputs, s.stall_cycles);
    assert_true(total.stall_weights > 0);
    assert_int_equal(total.sram_read_bytes, s.sram_read_bytes);
    assert_int_equal(total.weight_bytes, llround(s.weight_bytes));
    assert_close(total.utilization,
                 (double) total.macs / ((double) total.cycles * 512.0), 1e-15);
    assert_int_equal(each[0].cycles, 0);
    assert_int_equal(ub_systolic_model(&price, &model), UB_OK);
    assert_int_equal(ub_network_cost(net, &model, 1, NULL, costs, 4), UB_OK);
    for (int64_t i = 1; i < 4; i++) {
        ub_layer_info info = { .size = sizeof(info) };
        ub_gemm g = { .size = sizeof(g) };

        assert_int_equal(ub_network_layer(net, i, &info), UB_OK);
        alone = (ub_systolic_stats){ .size = sizeof(alone) };
        assert_int_equal(ub_systolic_layer(&info, &h, &o, &alone), UB_OK);
        assert_memory_equal(&alone, &each[i], sizeof(alone));
        assert_int_equal(ub_layer_gemm(&info, 1, &g), UB_OK);
        assert_int_equal(ub_systolic_gemm(&g, &h, &o, &alone), UB_OK);
        assert_int_equal(alone.cycles, each[i].cycles);
        assert_true(costs[i].cycles == (double) alone.cycles);
    }
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

/* The cost model knows that windows overlap, and which do not. */
static void model_of_windows(void **state)
{
    ub_hardware h = machine(1, 16);
    const ub_systolic_options o = compat();
    const ub_systolic_machine price = { sizeof(price), &h, &o };
    ub_cost_model model = { .size = sizeof(model) };
    ub_layer layer;
    ub_layer_info info = { .size = sizeof(info), .layer = &layer };

    (void) state;
    h.bandwidth = 1e9;
    assert_int_equal(ub_systolic_model(&price, &model), UB_OK);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_CONV);
    layer.kernel_height = layer.kernel_width = 3;
    layer.pad_height = layer.pad_width = 1;
    info.in_channels = info.out_channels = 16;
    info.in_height = info.in_width = info.out_height = info.out_width = 8;
    for (layer.groups = 1; layer.groups <= 16; layer.groups *= 4) {
        ub_systolic_stats s = { .size = sizeof(s) };
        ub_cost_layer l = { .size = sizeof(l) };
        ub_cost cost = { .size = sizeof(cost) };

        assert_int_equal(ub_systolic_layer(&info, &h, &o, &s), UB_OK);
        assert_int_equal(ub_cost_layer_from(&info, 1, &l), UB_OK);
        assert_int_equal(model.evaluate(model.user, &l, &cost), UB_OK);
        assert_close(cost.cycles, (double) s.cycles, 0.0);
    }
}

/* Inputs on chip: by the layer, or for all layers. */
static void inputs_on_chip(void **state)
{
    static const int64_t widths[] = { 40, 70 };
    ub_context *context = test_context(1);
    ub_network *net = chain(context, 50, widths, 2);
    const ub_hardware h = machine(1, 16);
    ub_systolic_options o = compat();
    ub_systolic_csim_stats a = { .size = sizeof(a) }, b = { .size = sizeof(b) };
    ub_layer layer;
    const int64_t input = 0;

    (void) state;
    o.charge_inputs = 0;
    assert_int_equal(ub_systolic_csim(net, &h, &o, 1, &a), UB_OK);
    assert_true(a.input_bytes == 0.0);
    ub_network_destroy(&net);
    net = chain(context, 50, widths, 1);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_CONV);
    layer.out_channels = widths[1];
    layer.on_chip = 1;
    assert_int_equal(ub_network_add(net, "l", &layer, 1, &input, NULL), UB_OK);
    b = simulate(net, &h, 1);
    assert_memory_equal(&a, &b, sizeof(a));
    b = simulate(net, &h, 2); /* a copy's are not */
    assert_true(b.input_bytes == 50.0 * 40.0);
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

/* Groups are products beside each other: as many layers of one group. */
static void groups_are_products(void **state)
{
    ub_context *context = test_context(1);
    const ub_hardware h = machine(3, 8);
    ub_network *whole, *parts;
    ub_layer layer;
    ub_systolic_csim_stats a, b;
    const int64_t input = 0;

    (void) state;
    assert_int_equal(ub_network_create(context, "a", 12, 9, 9, &whole), UB_OK);
    assert_int_equal(ub_network_create(context, "b", 3, 9, 9, &parts), UB_OK);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_CONV);
    layer.kernel_height = layer.kernel_width = 3;
    layer.pad_height = layer.pad_width = 1;
    layer.out_channels = 20;
    layer.groups = 4;
    assert_int_equal(ub_network_add(whole, "l", &layer, 1, &input, NULL),
                     UB_OK);
    layer.out_channels = 5;
    layer.groups = 1;
    for (int i = 0; i < 4; i++) {
        const char name[] = { 'l', (char) ('0' + i), '\0' };

        assert_int_equal(ub_network_add(parts, name, &layer, 1, &input, NULL),
                         UB_OK);
    }
    a = simulate(whole, &h, 1);
    b = simulate(parts, &h, 1);
    assert_memory_equal(&a, &b, sizeof(a));
    ub_network_destroy(&whole);
    ub_network_destroy(&parts);
    ub_context_destroy(&context);
}

/* -- refusals ------------------------------------------------------------- */

static ub_status try(const ub_network *net, const ub_hardware *h,
                     const ub_systolic_options *o)
{
    ub_systolic_csim_stats s = { .size = sizeof(s), .cycles = 77 };
    ub_systolic_stats total = { .size = sizeof(total), .cycles = 77 };
    const ub_status status = ub_systolic_csim(net, h, o, 1, &s);

    if (status != UB_OK)
        assert_int_equal(s.cycles, 77);
    if (o->compat == UB_SYSTOLIC_COMPAT_CSIM && o->level == 1 &&
        !(status == UB_OK && s.cycles < 0)) {
        assert_int_equal(ub_systolic_run(net, h, o, &total, NULL, 0), status);
        assert_true(status == UB_OK || total.cycles == 77);
    }
    return status;
}

static void refused_machines(ub_network *net)
{
    const ub_hardware good = machine(2, 16);
    const ub_systolic_options o = compat();
    ub_hardware h = good;

    assert_int_equal(try(net, &h, &o), UB_OK);
    h.interconnect = UB_INTERCONNECT_BENES;
    assert_int_equal(try(net, &h, &o), UB_ERR_UNSUPPORTED);
    h.interconnect = UB_INTERCONNECT_BANYAN;
    assert_int_equal(try(net, &h, &o), UB_OK);
    h.arrays = 1;
    assert_int_equal(try(net, &h, &o), UB_ERR_UNSUPPORTED);
    h.expansion = 1;
    assert_int_equal(try(net, &h, &o), UB_OK);
    h = good;
    h.dataflow = UB_DATAFLOW_OS;
    assert_int_equal(try(net, &h, &o), UB_ERR_UNSUPPORTED);
    h = good;
    h.weight_bandwidth = 1e9;
    assert_int_equal(try(net, &h, &o), UB_ERR_UNSUPPORTED);
    h = good;
    h.memory_latency = 1;
    assert_int_equal(try(net, &h, &o), UB_ERR_UNSUPPORTED);
    h = good;
    h.burst_bytes = 64;
    assert_int_equal(try(net, &h, &o), UB_ERR_UNSUPPORTED);
    h = good;
    h.weight_bank_bytes = 255; /* a tile has 256 */
    assert_int_equal(try(net, &h, &o), UB_ERR_INVALID);
    h = good;
    h.bandwidth = 1e-3; /* a tile's bytes cannot be added up in steps of it */
    assert_int_equal(try(net, &h, &o), UB_ERR_INVALID);
    h.bandwidth = 1e-300; /* 0 in single precision */
    assert_int_equal(try(net, &h, &o), UB_ERR_INVALID);
}

static void refused_options(ub_network *net)
{
    const ub_hardware h = machine(2, 16);
    ub_systolic_options o = compat();
    ub_systolic_csim_stats s = { .size = sizeof(s) };

    assert_int_equal(ub_systolic_csim(net, &h, &o, 0, &s), UB_ERR_INVALID);
    assert_int_equal(ub_systolic_csim(net, &h, &o, INT64_MAX, &s),
                     UB_ERR_RANGE);
    assert_int_equal(ub_systolic_csim(NULL, &h, &o, 1, &s), UB_ERR_INVALID);
    assert_int_equal(ub_systolic_csim(net, NULL, &o, 1, &s), UB_ERR_INVALID);
    s.size--;
    assert_int_equal(ub_systolic_csim(net, &h, &o, 1, &s), UB_ERR_INVALID);
    o.prefetch = 0;
    assert_int_equal(try(net, &h, &o), UB_ERR_INVALID);
    o.prefetch = -1;
    assert_int_equal(try(net, &h, &o), UB_ERR_INVALID);
    o = compat();
    o.tile_k = -1;
    assert_int_equal(try(net, &h, &o), UB_ERR_INVALID);
    o.tile_k = o.tile_m = (int64_t) 1 << 40;
    assert_int_equal(try(net, &h, &o), UB_ERR_RANGE);
    o = compat();
    o.batch = (int64_t) 1 << 40; /* too many tiles */
    assert_int_equal(try(net, &h, &o), UB_ERR_RANGE);
    o = compat();
    o.level = 2;
    assert_int_equal(try(net, &h, &o), UB_ERR_UNSUPPORTED);
    o = compat();
    o.compat = UB_SYSTOLIC_COMPAT_SCALESIM;
    assert_int_equal(try(net, &h, &o), UB_ERR_UNSUPPORTED);
}

static void refusals(void **state)
{
    static const int64_t widths[] = { 40, 70, 30 };
    ub_context *context = test_context(1);
    ub_network *net = chain(context, 50, widths, 3);

    (void) state;
    refused_machines(net);
    refused_options(net);
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

/* Giving up is a result of csim, and a status of level 1. */
static void gives_up(void **state)
{
    static const int64_t widths[] = { 40, 70, 30 };
    ub_context *context = test_context(1);
    ub_network *net = chain(context, 50, widths, 3);
    const ub_hardware h = machine(1, 16);
    ub_systolic_options o = compat();
    ub_systolic_csim_stats s = { .size = sizeof(s) };
    ub_systolic_stats total = { .size = sizeof(total), .cycles = 77 };
    ub_layer_info info = { .size = sizeof(info) };

    (void) state;
    o.prefetch = 1;
    assert_int_equal(ub_systolic_csim(net, &h, &o, 1, &s), UB_OK);
    assert_int_equal(s.cycles, -1);
    assert_int_equal(s.stall_cycles, 100 * 16 + 1);
    assert_int_equal(ub_systolic_run(net, &h, &o, &total, NULL, 0),
                     UB_ERR_RANGE);
    assert_int_equal(ub_network_layer(net, 1, &info), UB_OK);
    assert_int_equal(ub_systolic_layer(&info, &h, &o, &total), UB_ERR_RANGE);
    assert_int_equal(total.cycles, 77);
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

/* Tiles of eight heights, each and 1 a prime: csim would go on for longer than
 * anybody waits. */
static void first_weights_never_meet(void **state)
{
    static const int64_t depths[] = { 126, 112, 108, 106, 102, 100, 96, 88 };
    ub_context *context = test_context(1);
    const ub_hardware h = machine(8, 128);
    const ub_systolic_options o = compat();
    ub_systolic_csim_stats s = { .size = sizeof(s) };
    const int64_t input = 0;
    ub_network *net;

    (void) state;
    assert_int_equal(ub_network_create(context, "n", 1, 1, 1, &net), UB_OK);
    for (int i = 0; i < 8; i++) {
        const char name[] = { 'l', (char) ('0' + i), '\0' };
        ub_layer layer;

        ub_layer_init(&layer, sizeof(layer), UB_LAYER_CONV);
        /* its last tile is alone in bank i, so all of them are in round 0 */
        layer.in_channels = 128 * i + depths[i];
        layer.in_height = layer.in_width = 1;
        layer.out_channels = 1;
        assert_int_equal(ub_network_add(net, name, &layer, 1, &input, NULL),
                         UB_OK);
    }
    assert_int_equal(ub_systolic_csim(net, &h, &o, 1, &s), UB_ERR_RANGE);
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

static ub_status everything(ub_context *context, void *arg)
{
    const int64_t *bank = arg;
    const ub_systolic_options o = compat();
    ub_hardware h = machine(2, 8);
    ub_systolic_csim_stats s = { .size = sizeof(s) };
    ub_systolic_stats total = { .size = sizeof(total) }, each[2];
    ub_layer layer;
    const int64_t input = 0;
    ub_network *net;
    ub_status status;

    h.bank_bytes = *bank;
    h.bandwidth = 3e9;
    h.interconnect = UB_INTERCONNECT_BANYAN;
    each[0].size = each[1].size = sizeof(each[0]);
    status = ub_network_create(context, "n", 40, 30, 1, &net);
    if (status != UB_OK)
        return status;
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_CONV);
    layer.out_channels = 30;
    status = ub_network_add(net, "l", &layer, 1, &input, NULL);
    if (status == UB_OK)
        status = ub_systolic_csim(net, &h, &o, 2, &s);
    if (status == UB_OK)
        status = ub_systolic_run(net, &h, &o, &total, each, 2);
    if (status == UB_OK)
        assert_true(s.partial_bytes > 0.0);
    ub_network_destroy(&net);
    return status;
}

static void out_of_memory(void **state)
{
    int64_t bank = 1024;

    (void) state;
    assert_survives_oom(everything, 1, &bank);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_weights_restart),
        cmocka_unit_test(last_round_never_runs),
        cmocka_unit_test(as_level_1),
        cmocka_unit_test(model_of_windows),
        cmocka_unit_test(inputs_on_chip),
        cmocka_unit_test(groups_are_products),
        cmocka_unit_test(refusals),
        cmocka_unit_test(gives_up),
        cmocka_unit_test(first_weights_never_meet),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
