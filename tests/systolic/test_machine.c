/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <math.h>
#include <string.h>
#include <uboost/systolic.h>

/* What each field of the machine and each kind of layer does at level 1, on
 * cases that can be counted by hand. */

/* Eight by eight without limits of memory. */
static ub_hardware machine(void)
{
    ub_hardware h;

    ub_hardware_init(&h, sizeof(h));
    h.rows = h.columns = 8;
    h.bandwidth = INFINITY;
    return h;
}

static ub_systolic_options defaults(void)
{
    ub_systolic_options o;

    ub_systolic_options_init(&o, sizeof(o));
    return o;
}

static ub_systolic_stats run(const ub_gemm *g, const ub_hardware *h,
                             const ub_systolic_options *o)
{
    ub_systolic_stats s = { .size = sizeof(s) };

    assert_int_equal(ub_systolic_gemm(g, h, o, &s), UB_OK);
    return s;
}

static ub_status status_of(const ub_gemm *g, const ub_hardware *h,
                           const ub_systolic_options *o)
{
    ub_systolic_stats s = { .size = sizeof(s), .cycles = -7 };
    const ub_status status = ub_systolic_gemm(g, h, o, &s);

    if (status != UB_OK)
        assert_int_equal(s.cycles, -7);
    return status;
}

/* -- memory --------------------------------------------------------------- */

/* One tile of 8 x 8 x 8: see one_round of the laws. */
static void channels(void **state)
{
    const ub_gemm g = test_product(8, 8, 8, 1);
    ub_hardware h = machine();
    ub_systolic_stats s;

    (void) state;
    h.bandwidth = 2e9;
    h.input_bandwidth = 4e9;
    s = run(&g, &h, NULL);
    /* weights 32, shifted at 41; inputs there at 16 */
    assert_int_equal(s.cycles, 41 + 9 + 32);
    assert_int_equal(s.stall_inputs, 0);
    assert_int_equal(s.stall_weights, 32);
    h.weight_bandwidth = h.output_bandwidth = 64e9;
    s = run(&g, &h, NULL);
    /* weights 1, shifted at 10; results take 1 of the last 2 */
    assert_int_equal(s.cycles, 16 + 9 + 2);
    assert_int_equal(s.stall_inputs, 6);
    assert_int_equal(s.stall_weights, 1);
    assert_int_equal(s.stall_outputs, 0);
}

static void latency(void **state)
{
    const ub_gemm g = test_product(8, 8, 8, 1),
                  long_one = test_product(512, 8, 8, 1);
    ub_hardware h = machine();
    ub_systolic_options o = defaults();
    int64_t before;

    (void) state;
    h.memory_latency = 100;
    assert_int_equal(run(&g, &h, NULL).cycles, 100 + 9 + 9 + 2);
    /* asked for ahead, it is seen once; else in every round */
    before = run(&long_one, &h, NULL).cycles;
    assert_int_equal(before, 100 + 9 + 64 * 9 + 2);
    o.prefetch = 0;
    assert_int_equal(run(&long_one, &h, &o).cycles, before + 63 * 100);
}

static void bursts(void **state)
{
    const ub_gemm g = test_product(8, 5, 3, 1);
    ub_hardware h = machine();
    ub_systolic_stats s;

    (void) state;
    h.burst_bytes = 64;
    s = run(&g, &h, NULL);
    assert_int_equal(s.weight_bytes, 64);
    assert_int_equal(s.input_bytes, 64);
    assert_int_equal(s.output_bytes, 64);
    h.burst_bytes = 16;
    h.weight_bytes = 2;
    h.output_bytes = 4;
    s = run(&g, &h, NULL);
    assert_int_equal(s.weight_bytes, 32);
    assert_int_equal(s.input_bytes, 48);
    assert_int_equal(s.output_bytes, 96);
    assert_int_equal(s.sram_read_bytes, 8 * 5 + 5 * 3 * 2 + 96);
    assert_int_equal(s.sram_write_bytes, 32 + 48 + 8 * 3 * 4);
}

/* A bank per operand: each alone too small, and only then. */
static void banks(void **state)
{
    const ub_gemm g = test_product(8, 16, 8, 1);
    ub_hardware h = machine();

    (void) state;
    h.bank_bytes = 1;
    assert_int_equal(status_of(&g, &h, NULL), UB_ERR_INVALID);
    h.input_bank_bytes = h.weight_bank_bytes = 64;
    h.output_bank_bytes = 128;
    assert_int_equal(status_of(&g, &h, NULL), UB_OK);
    h.output_bank_bytes = 127;
    assert_int_equal(status_of(&g, &h, NULL), UB_ERR_INVALID);
    h.output_bank_bytes = 128;
    h.weight_bank_bytes = 63;
    assert_int_equal(status_of(&g, &h, NULL), UB_ERR_INVALID);
    h.weight_bank_bytes = 64;
    h.input_bank_bytes = 63;
    assert_int_equal(status_of(&g, &h, NULL), UB_ERR_INVALID);
}

/* A slow way out: its time is all that counts, whether results wait in their
 * bank for the last round to pass or the rounds wait for room. */
static void results_wait(void **state)
{
    const ub_gemm g = test_product(80, 8, 8, 1);
    ub_hardware h = machine();
    ub_systolic_stats s;

    (void) state;
    h.output_bandwidth = 1e9;
    s = run(&g, &h, NULL);
    /* nothing waits before the end */
    assert_int_equal(s.cycles, 9 + 9 + 10 * 64);
    assert_int_equal(s.stall_outputs, s.cycles - 9 - 10 * 9 - 2);
    h.output_bank_bytes = 128;
    s = run(&g, &h, NULL);
    assert_int_equal(s.cycles, 9 + 9 + 10 * 64);
    assert_int_equal(s.rounds, 10);
    assert_close(s.share_wait_outputs * (double) s.cycles,
                 (double) s.stall_outputs, 1e-9);
}

/* -- tiles and arrays ------------------------------------------------------ */

/* Tiles of 4 x 4 are an array of 4 x 4, but for elements that do nothing. */
static void tile_options(void **state)
{
    const ub_gemm g = test_product(37, 19, 13, 2);
    ub_hardware h = machine();
    ub_systolic_options o = defaults();
    ub_systolic_stats a, b;

    (void) state;
    h.bandwidth = 3e9;
    o.tile_m = 5;
    o.tile_k = 4;
    o.tile_n = 3;
    a = run(&g, &h, &o);
    h.rows = 4;
    h.columns = 3;
    o.tile_k = o.tile_n = 0;
    b = run(&g, &h, &o);
    assert_int_equal(a.cycles, b.cycles);
    assert_int_equal(a.rounds, b.rounds);
    assert_int_equal(a.sram_read_bytes, b.sram_read_bytes);
    assert_close(b.utilization, a.utilization * 64 / 12, 1e-12);
    o.tile_k = 5;
    assert_int_equal(status_of(&g, &h, &o), UB_ERR_INVALID);
    o.tile_k = 4;
    o.tile_n = 4;
    assert_int_equal(status_of(&g, &h, &o), UB_ERR_INVALID);
    o.tile_n = -1;
    assert_int_equal(status_of(&g, &h, &o), UB_ERR_INVALID);
    o.tile_n = 3;
    o.tile_m = ((int64_t) 1 << 32) + 1;
    assert_int_equal(status_of(&g, &h, &o), UB_ERR_INVALID);
    o.tile_m = (int64_t) 1 << 32;
    assert_int_equal(status_of(&g, &h, &o), UB_OK);
    o.packed = 2;
    assert_int_equal(status_of(&g, &h, &o), UB_ERR_INVALID);
    o.packed = 1;
    o.reserved = 1;
    assert_int_equal(status_of(&g, &h, &o), UB_ERR_INVALID);
}

/* Stationary inputs are stationary weights of the transposed product. */
static void stationary_inputs(void **state)
{
    const ub_gemm g = test_product(37, 19, 13, 2),
                  turned = test_product(13, 19, 37, 2);
    ub_hardware h = machine();
    ub_systolic_stats a, b;

    (void) state;
    h.bandwidth = 1e9;
    h.input_bytes = 2;
    h.input_bandwidth = 3e9;
    h.dataflow = UB_DATAFLOW_IS;
    a = run(&g, &h, NULL);
    h.dataflow = UB_DATAFLOW_WS;
    h.input_bytes = 0;
    h.weight_bytes = 2;
    h.input_bandwidth = 0;
    h.weight_bandwidth = 3e9;
    b = run(&turned, &h, NULL);
    assert_int_equal(a.cycles, b.cycles);
    assert_int_equal(a.rounds, b.rounds);
    assert_int_equal(a.input_bytes, b.weight_bytes);
    assert_int_equal(a.weight_bytes, b.input_bytes);
    assert_int_equal(a.stall_inputs, b.stall_weights);
    assert_close(a.share_wait_weights, b.share_wait_inputs, 0.0);
    assert_true(a.input_bytes >= 37 * 19 * 2 * 2);
}

static void split_by_extent(void **state)
{
    const ub_gemm heads = test_product(64, 8, 8, 4),
                  wide = test_product(64, 8, 32, 1);
    const ub_gemm deep = test_product(64, 32, 8, 1);
    ub_hardware h = machine();
    ub_systolic_stats s;

    (void) state;
    h.arrays = 4;
    /* all arrays on m or on products or columns: the same time */
    s = run(&heads, &h, NULL);
    assert_int_equal(s.cycles, 9 + 8 * 9 + 2);
    assert_int_equal(s.sram_read_bytes, 4 * (64 * 8 + 8 * 8 + 64 * 8));
    s = run(&wide, &h, NULL);
    assert_int_equal(s.cycles, 9 + 8 * 9 + 2);
    assert_close(s.share_unused_arrays, 0.0, 1e-15);
    /* k: 8 rounds of four arrays and two levels of adding 8 rows; or m with 8
     * rows on each array, four times of two rounds, nothing to add */
    s = run(&deep, &h, NULL);
    assert_int_equal(s.cycles, 9 + 8 * 9 + 2);
    /* inputs alone: one row, so that only k can be split */
    s = run(&(ub_gemm){ sizeof(ub_gemm), 1, 32, 8, 1, 32 }, &h, NULL);
    assert_int_equal(s.cycles, 9 + 4 + 2 * 4 + 2);
    assert_int_equal(s.rounds, 1);
    /* four partial sums, three additions of two, results, one store */
    assert_int_equal(s.sram_read_bytes, 32 + 32 * 8 + 3 * 2 * 8 * 2 + 8);
    assert_int_equal(s.sram_write_bytes,
                     32 * 8 + 32 + 4 * 8 * 2 + 2 * 8 * 2 + 8);
}

static void interconnects(void **state)
{
    ub_gemm g = test_product(4, 8, 8 * 16, 1);
    ub_hardware h = machine();

    (void) state;
    h.arrays = 16;
    /* 16 columns of tiles at once; l = 1, 7, 15, 4 + 2 * 3 */
    assert_int_equal(run(&g, &h, NULL).cycles, 9 + 5 + 2);
    h.interconnect = UB_INTERCONNECT_BENES;
    assert_int_equal(run(&g, &h, NULL).cycles, 9 + 16 + 8);
    h.interconnect = UB_INTERCONNECT_BANYAN;
    assert_int_equal(run(&g, &h, NULL).cycles, 9 + 10 + 5);
    h.expansion = 3;
    assert_int_equal(run(&g, &h, NULL).cycles, 9 + 22 + 11);
    h.interconnect = UB_INTERCONNECT_BENES_COPY;
    /* 16 arrays: 9 + 32 + 16; 8 in two rounds: 9 + 24 + 24 + 12; */
    assert_int_equal(run(&g, &h, NULL).cycles, 9 + 32 + 16);
    /* on a bus more arrays do not help */
    h.interconnect = UB_INTERCONNECT_BUS;
    g.m = 8;
    assert_int_equal(run(&g, &h, NULL).cycles, 9 + 16 * 9 + 2);
    h.arrays = 1;
    assert_int_equal(run(&g, &h, NULL).cycles, 9 + 16 * 9 + 2);
}

/* Nothing overflows on the largest machines that pass as one. */
static void extremes(void **state)
{
    ub_gemm g = test_product((int64_t) 1 << 20, 1 << 10, 1 << 10, 1);
    ub_hardware h = machine();
    ub_systolic_options o = defaults();

    (void) state;
    h.rows = h.columns = h.arrays = 1 << 16;
    h.bank_bytes = (int64_t) 1 << 50;
    h.element_bytes = h.partial_bytes = 64;
    h.burst_bytes = h.memory_latency = 1 << 20;
    o.tile_m = (int64_t) 1 << 32;
    assert_int_equal(status_of(&g, &h, &o), UB_OK);
    h.rows = h.columns = h.arrays = 1;
    o.tile_m = 1;
    /* 2^40 rounds that wait a million cycles each are too many */
    o.prefetch = 0;
    assert_int_equal(status_of(&g, &h, &o), UB_ERR_RANGE);
    h.memory_latency = 0;
    /* and 2^60 bytes of bursts take too long */
    h.bandwidth = 1e9;
    assert_int_equal(status_of(&g, &h, &o), UB_ERR_RANGE);
    h.bandwidth = 1e-300;
    assert_int_equal(status_of(&g, &h, &o), UB_ERR_RANGE);
    g = test_product((int64_t) 1 << 53, 1, 1, 1);
    h.rows = h.columns = 1 << 16;
    h.bandwidth = INFINITY;
    assert_int_equal(status_of(&g, &h, &o), UB_ERR_RANGE);
}

/* -- layers --------------------------------------------------------------- */

/* A convolution 3 x 3 of so many channels and groups on a map of 8 x 8. */
static ub_systolic_stats convolution(int64_t channels, int64_t groups,
                                     int64_t dilation, const ub_hardware *h,
                                     const ub_systolic_options *o)
{
    ub_context *context = test_context(1);
    ub_systolic_stats s = { .size = sizeof(s) };
    ub_layer_info info = { .size = sizeof(info) };
    ub_network *net = NULL;
    ub_layer layer;
    const int64_t at = 0;

    ub_layer_init(&layer, sizeof(layer), UB_LAYER_CONV);
    layer.out_channels = channels;
    layer.kernel_height = layer.kernel_width = 3;
    layer.pad_height = layer.pad_width = layer.dilation = dilation;
    layer.groups = groups;
    assert_int_equal(ub_network_create(context, "net", channels, 8, 8, &net),
                     UB_OK);
    assert_int_equal(ub_network_add(net, "conv", &layer, 1, &at, NULL), UB_OK);
    assert_int_equal(ub_network_layer(net, 1, &info), UB_OK);
    assert_int_equal(ub_systolic_layer(&info, h, o, &s), UB_OK);
    ub_network_destroy(&net);
    ub_context_destroy(&context);
    return s;
}

static void packed_depthwise(void **state)
{
    ub_hardware h = machine();
    ub_systolic_options o = defaults();
    ub_systolic_stats s;

    (void) state;
    h.rows = 64;
    h.columns = 16;
    s = convolution(24, 24, 1, &h, &o);
    assert_int_equal(s.rounds, 24);
    assert_int_equal(s.cycles, 24 * 65 + 9 + 1 + 2);
    o.packed = 1;
    s = convolution(24, 24, 1, &h, &o);
    /* floor(64 / 9) = 7 channels at a time */
    assert_int_equal(s.rounds, 4);
    assert_int_equal(s.cycles, 4 * 65 + 63 + 1 + 2);
    assert_int_equal(s.weight_bytes, 9 * 24);
    assert_int_equal(s.output_bytes, 64 * 24);
    assert_close(s.share_busy, 64.0 * 9 * 24 / (326.0 * 1024), 1e-12);
    h.columns = 5;
    s = convolution(24, 24, 1, &h, &o);
    assert_int_equal(s.cycles, 5 * 65 + 45 + 1 + 2);
    /* groups of 4: k = 36 leaves room for one, n = 4 */
    s = convolution(24, 6, 1, &h, &o);
    assert_int_equal(s.rounds, 6);
    h.rows = 128;
    h.columns = 12;
    s = convolution(24, 6, 1, &h, &o);
    assert_int_equal(s.rounds, 2);
    assert_int_equal(s.cycles, 2 * 65 + 2 * 0 + 108 + 1 + 44 + 2);
    assert_int_equal(convolution(24, 6, 2, &h, &o).cycles, s.cycles);
}

/* As charge_inputs, for one layer. */
static void on_chip(void **state)
{
    const ub_hardware h = machine();
    ub_systolic_stats s = { .size = sizeof(s) };
    ub_layer layer;
    const ub_layer_info info = { .size = sizeof(info),
                                 .name = "classes",
                                 .layer = &layer,
                                 .in_channels = 20,
                                 .in_height = 1,
                                 .in_width = 1,
                                 .out_channels = 10,
                                 .out_height = 1,
                                 .out_width = 1,
                                 .macs = 200,
                                 .parameters = 200 };

    (void) state;
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_LINEAR);
    layer.out_channels = 10;
    assert_int_equal(ub_systolic_layer(&info, &h, NULL, &s), UB_OK);
    assert_int_equal(s.input_bytes, 20);
    layer.on_chip = 1;
    assert_int_equal(ub_systolic_layer(&info, &h, NULL, &s), UB_OK);
    assert_int_equal(s.input_bytes, 0);
    assert_int_equal(s.weight_bytes, 200);
}

static ub_status mixed(ub_context *context, ub_network **out)
{
    ub_network *net = NULL;
    ub_layer layer;
    int64_t in = 0, conv = 0, at = 0, three[3];
    ub_status status = ub_network_create(context, "net", 4, 8, 8, &net);

    ub_layer_init(&layer, sizeof(layer), UB_LAYER_CONV);
    layer.out_channels = 4;
    if (status == UB_OK)
        status = ub_network_add(net, "conv", &layer, 1, &in, &conv);
    if (status == UB_OK)
        status = ub_network_add(net, "near", &layer, 1, &conv, &at);
    three[0] = conv;
    three[1] = at;
    three[2] = 0;
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_ADD);
    if (status == UB_OK)
        status = ub_network_add(net, "add", &layer, 3, three, &at);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_RELU);
    if (status == UB_OK)
        status = ub_network_add(net, "relu", &layer, 1, &at, &at);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_MAX_POOL);
    layer.kernel_height = layer.kernel_width = 3;
    layer.stride = 2;
    layer.pad_height = layer.pad_width = 1;
    if (status == UB_OK)
        status = ub_network_add(net, "pool", &layer, 1, &at, &at);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_GLOBAL_POOL);
    if (status == UB_OK)
        status = ub_network_add(net, "mean", &layer, 1, &at, &at);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_FLATTEN);
    if (status == UB_OK)
        status = ub_network_add(net, "flat", &layer, 1, &at, &at);
    if (status == UB_OK)
        *out = net;
    else
        ub_network_destroy(&net);
    return status;
}

static double sum_of_shares(const ub_systolic_stats *s)
{
    return s->share_busy + s->share_unused_rows + s->share_unused_columns +
           s->share_unused_arrays + s->share_weight_load + s->share_fill +
           s->share_drain + s->share_wait_weights + s->share_wait_inputs +
           s->share_wait_outputs + s->share_vector;
}

static void vector_unit(void **state)
{
    ub_context *context = test_context(1);
    ub_hardware h = machine();
    ub_systolic_options o = defaults();
    ub_systolic_stats total = { .size = sizeof(total) }, s[8];
    ub_network *net = NULL;
    int64_t vector;

    (void) state;
    assert_int_equal(mixed(context, &net), UB_OK);
    for (int i = 0; i < 8; i++)
        s[i] = (ub_systolic_stats){ .size = sizeof(s[i]) };
    o.batch = 3;
    assert_int_equal(ub_systolic_run(net, &h, &o, &total, s, 8), UB_OK);
    assert_int_equal(total.cycles, s[1].cycles + s[2].cycles);
    assert_close(sum_of_shares(&total), 1.0, 1e-12);
    assert_int_equal(s[1].input_bytes, 3 * 256);
    h.vector_lanes = 10;
    assert_int_equal(ub_systolic_run(net, &h, &o, &total, s, 8), UB_OK);
    /* 256 elements in a map; the pool makes 4 x 4 x 4 */
    assert_int_equal(s[3].cycles, 231);
    assert_int_equal(s[4].cycles, 77);
    assert_int_equal(s[5].cycles, 173);
    assert_int_equal(s[6].cycles, 20);
    assert_int_equal(s[7].cycles, 0);
    assert_int_equal(s[3].sram_read_bytes, 3 * 3 * 256);
    assert_int_equal(s[3].sram_write_bytes, 3 * 256);
    assert_close(s[3].share_vector, 1.0, 0.0);
    assert_close(s[3].utilization, 0.0, 0.0);
    assert_close(sum_of_shares(&s[7]), 0.0, 0.0);
    vector = 231 + 77 + 173 + 20;
    assert_int_equal(total.cycles, s[1].cycles + s[2].cycles + vector);
    assert_close(sum_of_shares(&total), 1.0, 1e-12);
    assert_close(total.share_vector, (double) vector / (double) total.cycles,
                 1e-12);
    assert_close(total.share_busy, total.utilization, 1e-12);
    h.dataflow = UB_DATAFLOW_OS;
    assert_int_equal(ub_systolic_run(net, &h, &o, &total, s, 8), UB_OK);
    assert_int_equal(total.cycles, s[1].cycles + s[2].cycles + vector);
    assert_close(sum_of_shares(&total), 1.0, 1e-12);
    /* and what is refused says why */
    h.bank_bytes = 1;
    assert_int_equal(ub_systolic_run(net, &h, &o, &total, s, 8),
                     UB_ERR_INVALID);
    assert_non_null(strstr(ub_context_last_error(context), "no tile"));
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

static ub_status build_and_run(ub_context *context, void *arg)
{
    ub_systolic_stats total = { .size = sizeof(total) };
    ub_hardware h = machine();
    ub_network *net = NULL;
    ub_status status = mixed(context, &net);

    (void) arg;
    h.arrays = 4;
    h.vector_lanes = 4;
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
        cmocka_unit_test(channels),
        cmocka_unit_test(latency),
        cmocka_unit_test(bursts),
        cmocka_unit_test(banks),
        cmocka_unit_test(results_wait),
        cmocka_unit_test(tile_options),
        cmocka_unit_test(stationary_inputs),
        cmocka_unit_test(split_by_extent),
        cmocka_unit_test(interconnects),
        cmocka_unit_test(extremes),
        cmocka_unit_test(packed_depthwise),
        cmocka_unit_test(on_chip),
        cmocka_unit_test(vector_unit),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
