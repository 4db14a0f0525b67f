/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include "systolic/csim.h"

#include <math.h>
#include <string.h>

/* -- small machines ------------------------------------------------------- */

#define MAX_LAYERS 4

/* Banks that hold few tiles: partial sums leave and come back, results are
 * written, loads wait, csim gives up. The numbers are those of a plain account
 * that walks through every cycle with lists, and knows nothing of skipping;
 * the clock here must come to the same on each of them. */
static const struct small_case {
    int64_t arrays, rows, columns, tile[3], bank;
    double bandwidth; /* GiB/s */
    int32_t prefetch, interconnect;
    int64_t n_layers;
    int64_t layers[MAX_LAYERS][6]; /* m, k, n, area, on chip, input or -1 */
    ub_status status;
    int64_t counts[8];
    double bytes[3];
} small_cases[] = {
    { 2,
      8,
      4,
      { 4, 8, 4 },
      293,
      0.5,
      100,
      UB_INTERCONNECT_BENES_COPY,
      3,
      { { 0, 0, 0, 1, 0, -1 },
        { 5, 30, 11, 1, 0, 0 },
        { 43, 16, 24, 1, 0, 0 } },
      UB_OK,
      { 6759, 5935, 77, 0, 35940, 0, 11760, 4520 },
      { 837.99408, 713.99408, 2063.97852 } },
    { 1,
      4,
      4,
      { 4, 4, 4 },
      84,
      8,
      100,
      UB_INTERCONNECT_CROSSBAR,
      4,
      { { 0, 0, 0, 1, 0, -1 },
        { 51, 11, 27, 1, 0, 0 },
        { 13, 39, 4, 9, 1, 1 },
        { 45, 42, 40, 9, 1, 2 } },
      UB_OK,
      { -1, 405, 1632, 0, 11144, 0, 2912, 2786 },
      { 220, 1484, 32 } },
    { 3,
      8,
      8,
      { 4, 8, 8 },
      199,
      0.5,
      5,
      UB_INTERCONNECT_CROSSBAR,
      2,
      { { 0, 0, 0, 1, 0, -1 }, { 9, 18, 31, 1, 1, 0 } },
      UB_OK,
      { -1, 1576, 11, 0, 6000, 0, 1696, 750 },
      { 0, 445.262268, 191.999771 } },
    { 2,
      8,
      8,
      { 8, 8, 8 },
      271,
      20,
      5,
      UB_INTERCONNECT_CROSSBAR,
      2,
      { { 0, 0, 0, 1, 0, -1 }, { 30, 29, 35, 9, 0, 0 } },
      UB_OK,
      { -1, 801, 40, 40, 15744, 0, 1280, 1968 },
      { 40, 559.999939, 0 } },
    { 2,
      4,
      4,
      { 4, 4, 4 },
      64,
      1,
      2,
      UB_INTERCONNECT_CROSSBAR,
      2,
      { { 0, 0, 0, 1, 0, -1 }, { 42, 4, 10, 1, 0, 0 } },
      UB_OK,
      { 228, 111, 16, 0, 3328, 0, 936, 832 },
      { 167.999939, 40, 0 } },
    { 2,
      6,
      8,
      { 6, 8, 8 },
      867,
      3,
      2,
      UB_INTERCONNECT_CROSSBAR,
      4,
      { { 0, 0, 0, 1, 0, -1 },
        { 20, 23, 36, 9, 1, 0 },
        { 37, 58, 21, 1, 0, 0 },
        { 43, 43, 38, 1, 1, 1 } },
      UB_OK,
      { 12024, 9936, 234, 115, 263740, 796, 73289, 37940 },
      { 2145.99292, 3679.97681, 28565.1094 } },
    { 2,
      4,
      4,
      { 4, 4, 4 },
      128,
      3,
      1,
      UB_INTERCONNECT_BENES_COPY,
      3,
      { { 0, 0, 0, 1, 0, -1 },
        { 14, 60, 37, 1, 0, 0 },
        { 58, 34, 20, 1, 1, 0 } },
      UB_OK,
      { -1, 401, 638, 640, 256, 0, 96, 64 },
      { 16, 32, 0 } },
    { 1,
      8,
      4,
      { 8, 8, 4 },
      454,
      1,
      100,
      UB_INTERCONNECT_CROSSBAR,
      3,
      { { 0, 0, 0, 1, 0, -1 },
        { 46, 52, 12, 9, 1, 0 },
        { 13, 36, 4, 9, 0, 1 } },
      UB_OK,
      { 7490, 6243, 135, 0, 60992, 0, 11850, 8208 },
      { 49, 767.994568, 6623.9375 } },
    { 3,
      6,
      8,
      { 6, 8, 8 },
      113,
      3,
      3,
      UB_INTERCONNECT_CROSSBAR,
      2,
      { { 0, 0, 0, 1, 0, -1 }, { 50, 60, 7, 9, 1, 0 } },
      UB_OK,
      { -1, 601, 23, 0, 5600, 0, 713, 700 },
      { 0, 111.999947, 0 } },
    { 1,
      4,
      8,
      { 4, 4, 8 },
      70,
      1,
      10,
      UB_INTERCONNECT_CROSSBAR,
      2,
      { { 0, 0, 0, 1, 0, -1 }, { 34, 31, 11, 9, 1, 0 } },
      UB_OK,
      { -1, 402, 143, 0, 2992, 0, 444, 748 },
      { 0, 49.3687096, 0 } },
    { 2,
      6,
      4,
      { 4, 6, 4 },
      77,
      20,
      3,
      UB_INTERCONNECT_BENES_COPY,
      3,
      { { 0, 0, 0, 1, 0, -1 },
        { 43, 29, 26, 1, 0, 0 },
        { 8, 30, 19, 1, 0, 0 } },
      UB_OK,
      { -1, 603, 218, 220, 13392, 0, 3578, 2232 },
      { 282, 732, 32 } },
    { 2,
      4,
      4,
      { 4, 8, 4 },
      291,
      8,
      10,
      UB_INTERCONNECT_CROSSBAR,
      3,
      { { 0, 0, 0, 1, 0, -1 },
        { 39, 2, 23, 1, 0, 0 },
        { 38, 13, 10, 9, 0, 1 } },
      UB_OK,
      { 479, 95, 60, 50, 13428, 32, 3216, 3370 },
      { 125, 176, 759.999695 } },
    { 1,
      6,
      8,
      { 4, 8, 8 },
      199,
      3,
      1,
      UB_INTERCONNECT_CROSSBAR,
      4,
      { { 0, 0, 0, 1, 0, -1 },
        { 52, 49, 26, 9, 0, 0 },
        { 43, 53, 20, 9, 0, 0 },
        { 59, 48, 8, 9, 0, 1 } },
      UB_OK,
      { -1, 601, 684, 0, 512, 0, 131, 64 },
      { 3, 64, 0 } },
    { 2,
      8,
      8,
      { 4, 8, 8 },
      331,
      3,
      3,
      UB_INTERCONNECT_BENES_COPY,
      4,
      { { 0, 0, 0, 1, 0, -1 },
        { 47, 36, 11, 1, 1, 0 },
        { 3, 30, 34, 1, 0, 1 },
        { 11, 37, 32, 9, 1, 0 } },
      UB_OK,
      { 3252, 2340, 99, 0, 68912, 0, 20772, 9410 },
      { 89.9999771, 2599.98926, 5823.95605 } },
    { 1,
      6,
      4,
      { 4, 8, 4 },
      136,
      1,
      3,
      UB_INTERCONNECT_CROSSBAR,
      2,
      { { 0, 0, 0, 1, 0, -1 }, { 29, 40, 35, 1, 1, 0 } },
      UB_OK,
      { 17996, 14724, 359, 0, 81152, 0, 29746, 10144 },
      { 0, 11201.1826, 8119.90479 } },
    { 3,
      8,
      4,
      { 8, 8, 4 },
      587,
      8,
      1,
      UB_INTERCONNECT_CROSSBAR,
      4,
      { { 0, 0, 0, 1, 0, -1 },
        { 59, 17, 35, 1, 0, 0 },
        { 27, 22, 7, 9, 1, 1 },
        { 12, 28, 38, 1, 1, 1 } },
      UB_OK,
      { -1, 801, 107, 0, 1536, 0, 384, 192 },
      { 64, 96, 0 } },
    { 1,
      6,
      8,
      { 4, 6, 8 },
      271,
      60,
      3,
      UB_INTERCONNECT_BENES_COPY,
      2,
      { { 0, 0, 0, 1, 0, -1 }, { 35, 43, 5, 1, 0, 0 } },
      UB_OK,
      { 549, 63, 71, 0, 15020, 0, 5857, 2770 },
      { 1505, 215, 2450 } },
    { 2,
      8,
      8,
      { 4, 8, 8 },
      148,
      20,
      2,
      UB_INTERCONNECT_CROSSBAR,
      3,
      { { 0, 0, 0, 1, 0, -1 },
        { 28, 20, 1, 1, 0, 0 },
        { 24, 26, 27, 1, 0, 0 } },
      UB_OK,
      { -1, 801, 58, 0, 10976, 0, 2908, 1400 },
      { 784, 299.999969, 56 } },
    { 1,
      6,
      8,
      { 4, 6, 8 },
      463,
      8,
      100,
      UB_INTERCONNECT_BENES_COPY,
      3,
      { { 0, 0, 0, 1, 0, -1 }, { 7, 29, 33, 9, 0, 0 }, { 51, 7, 9, 1, 0, 0 } },
      UB_OK,
      { 1003, 347, 101, 0, 19818, 0, 6299, 4140 },
      { 376.000031, 1019.99872, 2765.99463 } },
    { 2,
      8,
      8,
      { 4, 8, 8 },
      201,
      8,
      5,
      UB_INTERCONNECT_CROSSBAR,
      2,
      { { 0, 0, 0, 1, 0, -1 }, { 14, 30, 19, 1, 1, 0 } },
      UB_OK,
      { -1, 828, 24, 23, 5984, 0, 1592, 748 },
      { 0, 368, 216 } },
    { 1,
      6,
      8,
      { 6, 8, 8 },
      302,
      3,
      5,
      UB_INTERCONNECT_BENES_COPY,
      2,
      { { 0, 0, 0, 1, 0, -1 }, { 43, 36, 21, 1, 0, 0 } },
      UB_OK,
      { -1, 657, 119, 0, 15216, 0, 2648, 1902 },
      { 391.999634, 265.591675, 96 } },
    { 3,
      8,
      8,
      { 4, 8, 8 },
      590,
      8,
      10,
      UB_INTERCONNECT_CROSSBAR,
      2,
      { { 0, 0, 0, 1, 0, -1 }, { 11, 59, 39, 9, 1, 0 } },
      UB_OK,
      { 409, 36, 40, 40, 50496, 24, 13209, 6870 },
      { 0, 2300.99902, 288 } },
    { 2,
      6,
      8,
      { 6, 6, 8 },
      387,
      8,
      10,
      UB_INTERCONNECT_BENES_COPY,
      2,
      { { 0, 0, 0, 1, 0, -1 }, { 11, 10, 36, 1, 1, 0 } },
      UB_OK,
      { 194, 99, 9, 0, 7440, 0, 1902, 1464 },
      { 0, 360, 791.999146 } },
    { 2,
      6,
      8,
      { 4, 8, 8 },
      581,
      20,
      2,
      UB_INTERCONNECT_CROSSBAR,
      2,
      { { 0, 0, 0, 1, 0, -1 }, { 53, 60, 21, 1, 1, 0 } },
      UB_OK,
      { 2194, 749, 168, 152, 133520, 64, 42940, 17926 },
      { 0, 1260.00024, 15581.9775 } },
    { 2,
      4,
      4,
      { 4, 8, 4 },
      243,
      8,
      100,
      UB_INTERCONNECT_CROSSBAR,
      2,
      { { 0, 0, 0, 1, 0, -1 }, { 26, 19, 39, 9, 0, 0 } },
      UB_OK,
      { 1318, 508, 104, 0, 38448, 0, 9655, 6056 },
      { 44, 740.999634, 4055.98804 } },
    { 2,
      4,
      8,
      { 4, 8, 8 },
      270,
      1,
      2,
      UB_INTERCONNECT_CROSSBAR,
      4,
      { { 0, 0, 0, 1, 0, -1 },
        { 28, 53, 5, 1, 0, 0 },
        { 33, 7, 5, 1, 1, 0 },
        { 58, 13, 2, 9, 0, 0 } },
      UB_OK,
      { 1842, 1435, 44, 0, 20086, 0, 6241, 2738 },
      { 1555.98767, 325.999542, 0 } },
    { 1,
      4,
      4,
      { 4, 4, 4 },
      243,
      0.5,
      10,
      UB_INTERCONNECT_CROSSBAR,
      2,
      { { 0, 0, 0, 1, 0, -1 }, { 8, 49, 2, 9, 1, 0 } },
      UB_OK,
      { 196, 49, 25, 0, 1552, 0, 588, 400 },
      { 0, 97.9999924, 0 } },
    { 2,
      8,
      8,
      { 4, 8, 8 },
      262,
      8,
      2,
      UB_INTERCONNECT_BENES_COPY,
      3,
      { { 0, 0, 0, 1, 0, -1 }, { 17, 21, 7, 9, 1, 0 }, { 2, 23, 17, 1, 0, 0 } },
      UB_OK,
      { 156, 16, 12, 14, 6562, 34, 2008, 986 },
      { 46, 537.999939, 0 } },
    { 1,
      8,
      8,
      { 4, 8, 8 },
      459,
      0.5,
      10,
      UB_INTERCONNECT_BENES_COPY,
      3,
      { { 0, 0, 0, 1, 0, -1 }, { 38, 28, 2, 1, 0, 0 }, { 36, 21, 3, 1, 1, 1 } },
      UB_OK,
      { 2338, 1772, 66, 0, 8672, 0, 3791, 1232 },
      { 1063.99036, 119.000084, 0 } },
    { 3,
      6,
      8,
      { 6, 6, 8 },
      682,
      3,
      10,
      UB_INTERCONNECT_CROSSBAR,
      2,
      { { 0, 0, 0, 1, 0, -1 }, { 8, 45, 25, 1, 1, 0 } },
      UB_OK,
      { 375, 165, 21, 24, 18000, 130, 6878, 3460 },
      { 0, 1125.00232, 0 } },
    { 2,
      8,
      4,
      { 8, 8, 4 },
      84,
      8,
      100,
      UB_INTERCONNECT_CROSSBAR,
      4,
      { { 0, 0, 0, 1, 0, -1 },
        { 1, 18, 14, 1, 1, 0 },
        { 48, 22, 35, 1, 0, 1 },
        { 58, 41, 21, 9, 1, 1 } },
      UB_ERR_UNSUPPORTED,
      { 0 },
      { 0 } },
};

static void check_small(ub_context *context, const struct small_case *c)
{
    ub__csim_layer layers[MAX_LAYERS];
    ub__csim_machine machine = {
        .tile_m = c->tile[0],
        .tile_k = c->tile[1],
        .tile_n = c->tile[2],
        .repeats = 1,
        .bank = { c->bank, c->bank, c->bank },
        .bytes = { 1, 1, 2 },
        .prefetch = c->prefetch,
        .bandwidth = (float) c->bandwidth * (1073741824.0F / 1e9F),
    };
    ub_systolic_csim_stats s;
    ub__csim_extra extra;

    ub_hardware_init(&machine.hardware, sizeof(machine.hardware));
    machine.hardware.arrays = c->arrays;
    machine.hardware.rows = c->rows;
    machine.hardware.columns = c->columns;
    machine.hardware.interconnect = c->interconnect;
    for (int64_t i = 0; i < c->n_layers; i++) {
        const int64_t *l = c->layers[i];

        layers[i] = (ub__csim_layer){
            l[0], l[1], l[2], l[0] > 0, l[3], &l[5], l[5] >= 0 ? 1 : 0, l[4]
        };
    }
    assert_int_equal(
        ub__csim_simulate(context, layers, c->n_layers, &machine, &s, &extra),
        c->status);
    if (c->status != UB_OK)
        return;
    assert_int_equal(s.cycles, c->counts[0]);
    assert_int_equal(s.stall_cycles, c->counts[1]);
    assert_int_equal(s.last_round, c->counts[2]);
    assert_int_equal(s.last_adder_round, c->counts[3]);
    assert_int_equal(s.operations, c->counts[4]);
    assert_int_equal(s.additions, c->counts[5]);
    assert_int_equal(s.sram_read_bytes, c->counts[6]);
    assert_int_equal(s.sram_write_bytes, c->counts[7]);
    assert_true((float) s.input_bytes == (float) c->bytes[0]);
    assert_true((float) s.weight_bytes == (float) c->bytes[1]);
    assert_true((float) s.partial_bytes == (float) c->bytes[2]);
    assert_true(extra.stall_weights <= s.stall_cycles);
}

static void small_machines(void **state)
{
    ub_context *context = test_context(1);

    (void) state;
    for (size_t i = 0; i < sizeof(small_cases) / sizeof(small_cases[0]); i++)
        check_small(context, &small_cases[i]);
    ub_context_destroy(&context);
}

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
    const struct small_case *c = arg;
    const ub_systolic_options o = compat();
    ub_hardware h = machine(2, 8);
    ub_systolic_csim_stats s = { .size = sizeof(s) };
    ub_systolic_stats total = { .size = sizeof(total) }, each[2];
    ub_layer layer;
    const int64_t input = 0;
    ub_network *net;
    ub_status status;

    h.bank_bytes = c->bank;
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
    struct small_case c = { .bank = 1024 };

    (void) state;
    assert_survives_oom(everything, 1, &c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_machines),
        cmocka_unit_test(first_weights_restart),
        cmocka_unit_test(last_round_never_runs),
        cmocka_unit_test(as_level_1),
        cmocka_unit_test(inputs_on_chip),
        cmocka_unit_test(groups_are_products),
        cmocka_unit_test(refusals),
        cmocka_unit_test(gives_up),
        cmocka_unit_test(first_weights_never_meet),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
