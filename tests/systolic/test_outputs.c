/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <math.h>
#include <uboost/systolic.h>

/* Stationary outputs at level 1, on cases that can be counted by hand, and
 * against stationary weights. */

static ub_gemm product(int64_t m, int64_t k, int64_t n, int64_t count)
{
    const ub_gemm g = { sizeof(g), m, k, n, count, m * k };

    return g;
}

/* Eight by eight without limits of memory. */
static ub_hardware machine(void)
{
    ub_hardware h;

    ub_hardware_init(&h, sizeof(h));
    h.rows = h.columns = 8;
    h.bandwidth = INFINITY;
    h.dataflow = UB_DATAFLOW_OS;
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
    ub_systolic_stats s = { .size = sizeof(s) };

    return ub_systolic_gemm(g, h, o, &s);
}

/* -- one array ------------------------------------------------------------ */

/* Load both operands, stream, shift out, store; each visible. */
static void one_tile(void **state)
{
    const ub_gemm g = product(8, 8, 8, 1);
    ub_hardware h = machine();
    ub_systolic_stats s = run(&g, &h, NULL);

    (void) state;
    assert_int_equal(s.cycles, 9 + 9 + 2);
    assert_int_equal(s.rounds, 1);
    assert_close(s.share_busy, 8.0 / 20, 1e-15);
    assert_close(s.share_fill, 1.0 / 20, 1e-15);
    assert_close(s.share_drain, 11.0 / 20, 1e-15);
    assert_close(s.share_weight_load, 0.0, 0.0);
    h.bandwidth = 2e9; /* two bytes per cycle */
    s = run(&g, &h, NULL);
    /* weights are there at 32, inputs at 64; results are out at 82 */
    assert_int_equal(s.cycles, 64 + 9 + 9 + 32);
    assert_int_equal(s.stall_weights, 32);
    assert_int_equal(s.stall_inputs, 32);
    assert_int_equal(s.stall_outputs, 30);
    h.memory_latency = 100;
    assert_int_equal(run(&g, &h, NULL).cycles, 100 + 64 + 9 + 9 + 32);
}

/* Sums stay for all of k, whatever the operands' tiles; results are written
 * once. */
static void long_k(void **state)
{
    const ub_gemm g = product(8, 32, 24, 1);
    ub_hardware h = machine();
    ub_systolic_options o = defaults();
    ub_systolic_stats s = run(&g, &h, NULL);

    (void) state;
    assert_int_equal(s.rounds, 3 * 4);
    assert_int_equal(s.cycles, 3 * 4 * 9 + 9 + 2);
    assert_int_equal(s.sram_read_bytes, 3 * 8 * 32 + 32 * 24 + 8 * 24);
    assert_int_equal(s.sram_write_bytes, 8 * 32 + 32 * 24 + 8 * 24);
    o.tile_k = 32;
    s = run(&g, &h, &o);
    assert_int_equal(s.rounds, 3);
    assert_int_equal(s.cycles, 3 * 33 + 9 + 2);
    o.tile_k = 20; /* and 12 */
    assert_int_equal(run(&g, &h, &o).cycles, 3 * (21 + 13) + 9 + 2);
    o.tile_k = ((int64_t) 1 << 32) + 1;
    assert_int_equal(status_of(&g, &h, &o), UB_ERR_INVALID);
    o.tile_k = (int64_t) 1 << 32;
    assert_int_equal(run(&g, &h, &o).cycles, 3 * 33 + 9 + 2);
    o.tile_m = 9;
    assert_int_equal(status_of(&g, &h, &o), UB_ERR_INVALID);
    o.tile_m = 8;
    o.tile_n = 9;
    assert_int_equal(status_of(&g, &h, &o), UB_ERR_INVALID);
    o = defaults();
    o.tile_m = 4;
    o.tile_n = 6;
    /* two tiles down, four across */
    assert_int_equal(run(&g, &h, &o).cycles, 8 * 4 * 9 + 5 + 2);
}

/* Little k: the array waits for the tile before to shift out. */
static void short_k(void **state)
{
    const ub_gemm g = product(60, 3, 8, 1);
    const ub_hardware h = machine();
    const ub_systolic_stats s = run(&g, &h, NULL);

    (void) state;
    /* 4 to stream, then eight times 8 rows and one; the last are 4 */
    assert_int_equal(s.cycles, 4 + 7 * 9 + 5 + 2);
    assert_int_equal(s.rounds, 8);
    /* the same weights stream in every round, but are loaded once */
    assert_int_equal(s.sram_read_bytes, 60 * 3 + 8 * 3 * 8 + 60 * 8);
    assert_int_equal(s.sram_write_bytes, 60 * 3 + 3 * 8 + 60 * 8);
    assert_close(s.share_busy, 60.0 * 3 * 8 / (74 * 64), 1e-15);
    assert_close(s.share_unused_rows, 4.0 * 3 * 8 / (74 * 64), 1e-15);
    assert_close(s.share_fill, 8.0 / 74, 1e-15);
    assert_close(s.share_drain, (7 * 5.0 + 5 + 2) / 74, 1e-15);
    assert_close(s.share_weight_load, 0.0, 0.0);
}

/* A slow way out, of results that shift out first. */
static void results_wait(void **state)
{
    const ub_gemm g = product(80, 8, 8, 1), deep = product(80, 64, 8, 1);
    ub_hardware h = machine();
    ub_systolic_options o = defaults();
    ub_systolic_stats s;

    (void) state;
    h.output_bandwidth = 1e9;
    s = run(&g, &h, NULL);
    assert_int_equal(s.cycles, 9 + 9 + 10 * 64);
    assert_int_equal(s.stall_outputs, s.cycles - 10 * 9 - 9 - 2);
    h.output_bank_bytes = 128;
    assert_int_equal(run(&g, &h, NULL).cycles, 9 + 9 + 10 * 64);
    assert_int_equal(status_of(&deep, &h, NULL), UB_OK);
    h.output_bank_bytes = 127;
    assert_int_equal(status_of(&deep, &h, NULL), UB_ERR_INVALID);
    /* a tile is stored while the next one streams; the way out does not wait
     * for the shifting of the one behind */
    h = machine();
    h.output_bandwidth = 1e9;
    o.prefetch = 0;
    assert_int_equal(run(&deep, &h, &o).cycles, 10 * 8 * 9 + 9 + 64);
}

/* What the banks hold is not loaded again. */
static void reuse(void **state)
{
    const ub_gemm g = product(16, 32, 16, 1);
    ub_hardware h = machine();
    ub_systolic_stats s;

    (void) state;
    h.bandwidth = 1e9;
    h.output_bank_bytes = 128;
    h.input_bank_bytes = h.weight_bank_bytes = 64;
    s = run(&g, &h, NULL);
    assert_int_equal(s.input_bytes, 2 * 512);
    assert_int_equal(s.weight_bytes, 2 * 512);
    assert_int_equal(s.output_bytes, 256);
    /* a panel of 8 columns stays for both rows of tiles */
    h.weight_bank_bytes = 256;
    s = run(&g, &h, NULL);
    assert_int_equal(s.input_bytes, 2 * 512);
    assert_int_equal(s.weight_bytes, 512);
    /* or one of 8 rows for both columns */
    h.weight_bank_bytes = 64;
    h.input_bank_bytes = 256;
    s = run(&g, &h, NULL);
    assert_int_equal(s.input_bytes, 512);
    assert_int_equal(s.weight_bytes, 2 * 512);
    /* or a whole operand and a tile of the other */
    h.weight_bank_bytes = 512;
    s = run(&g, &h, NULL);
    assert_int_equal(s.input_bytes + s.weight_bytes, 2 * 512);
    h.weight_bank_bytes = 63;
    assert_int_equal(status_of(&g, &h, NULL), UB_ERR_INVALID);
    h.weight_bank_bytes = 64;
    h.input_bank_bytes = 63;
    assert_int_equal(status_of(&g, &h, NULL), UB_ERR_INVALID);
}

/* -- against stationary weights ------------------------------------------- */

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Cycles of k steps in tiles of at most eight. */
static int64_t stream(int64_t k)
{
    int64_t cycles = 0;

    for (; k > 0; k -= 8)
        cycles += larger(k < 8 ? k : 8, 3) + 1;
    return cycles;
}

/* Time reversed and m and k exchanged: without memory's limits the same, but
 * that it ends with the shorter tile where stationary weights begin with a
 * long one. Results have all of the next tile's rounds to leave, weights only
 * the round before to come: cut into rounds, it may be faster. */
static void reversed(void **state)
{
    ub_hardware os = machine(), ws = machine();
    ub_systolic_options whole_k = defaults(), whole_m = defaults();
    ub_rng rng;

    (void) state;
    whole_k.tile_k = whole_m.tile_m = 64;
    ub_rng_init(&rng, 41, 0);
    ws.dataflow = UB_DATAFLOW_WS;
    for (int i = 0; i < 1000; i++) {
        const int64_t m = 1 + (int64_t) ub_rng_below(&rng, 60);
        const int64_t k = 1 + (int64_t) ub_rng_below(&rng, 60);
        const int64_t n = 1 + (int64_t) ub_rng_below(&rng, 40);
        const ub_gemm g = product(m, k, n, 1), turned = product(k, m, n, 1);
        const int64_t first = m < 8 ? m : 8, last = (m - 1) % 8 + 1;
        const int64_t t = larger(k, 3) + 1;

        assert_int_equal(
            run(&g, &os, &whole_k).cycles + larger(t, last + 1) - last,
            run(&turned, &ws, &whole_m).cycles + larger(t, first + 1) - first);
        assert_true(run(&g, &os, NULL).cycles <=
                    run(&turned, &ws, NULL).cycles);
    }
}

/* Whole tiles, by the formula: F tiles of T streaming cycles each. */
static void closed_form(void **state)
{
    const ub_hardware h = machine();

    (void) state;
    for (int64_t m = 8; m <= 40; m += 8) {
        for (int64_t k = 1; k <= 40; k++) {
            for (int64_t n = 8; n <= 24; n += 8) {
                const ub_gemm g = product(m, k, n, 2),
                              turned = product(n, k, m, 2);
                const int64_t tiles = 2 * (m / 8) * (n / 8);
                const int64_t cycles = run(&g, &h, NULL).cycles;

                assert_int_equal(
                    cycles,
                    stream(k) + (tiles - 1) * larger(stream(k), 9) + 9 + 2);
                /* rows and columns may be exchanged */
                assert_int_equal(cycles, run(&turned, &h, NULL).cycles);
            }
        }
    }
}

/* -- several arrays ------------------------------------------------------- */

static void arrays(void **state)
{
    const ub_gemm deep = product(1, 32, 8, 1), wide = product(16, 8, 16, 1);
    ub_hardware h = machine();
    ub_systolic_stats s;

    (void) state;
    h.arrays = 4;
    /* k in four: a row shifts out, two levels of adding */
    s = run(&deep, &h, NULL);
    assert_int_equal(s.cycles, 9 + 2 + 2 * 4 + 2);
    assert_int_equal(s.rounds, 1);
    /* four partial sums, three additions of two, results, one store */
    assert_int_equal(s.sram_read_bytes, 32 + 32 * 8 + 3 * 2 * 8 * 2 + 8);
    assert_int_equal(s.sram_write_bytes,
                     32 * 8 + 32 + 4 * 8 * 2 + 2 * 8 * 2 + 8);
    assert_close(s.share_unused_rows, 7.0 * 8 / (8 * 21), 1e-15);
    /* m and n in two each: an input tile goes to two arrays in one read */
    s = run(&wide, &h, NULL);
    assert_int_equal(s.cycles, 9 + 9 + 2);
    assert_int_equal(s.rounds, 1);
    assert_int_equal(s.sram_read_bytes, 16 * 8 + 8 * 16 + 16 * 16);
    assert_close(s.share_unused_arrays, 0.0, 0.0);
    /* two products beside each other */
    h.arrays = 2;
    assert_int_equal(
        run(&(ub_gemm){ sizeof(ub_gemm), 8, 8, 8, 2, 64 }, &h, NULL).cycles,
        9 + 9 + 2);
}

static void interconnects(void **state)
{
    ub_gemm g = product(4, 8, 8 * 16, 1);
    ub_hardware h = machine();

    (void) state;
    h.arrays = 16;
    h.interconnect = UB_INTERCONNECT_BENES;
    /* l = 7: a round of 15 and one, 4 rows and one, l + 1 */
    assert_int_equal(run(&g, &h, NULL).cycles, 16 + 5 + 8);
    h.interconnect = UB_INTERCONNECT_BUS;
    h.arrays = 4;
    /* four tiles take turns to shift out: not worth it */
    g = product(16, 8, 16, 1);
    assert_int_equal(run(&g, &h, NULL).cycles, 4 * 9 + 9 + 2);
    /* with more k it is: the inputs' bus carries two rows, as the weights' */
    g = product(16, 64, 16, 1);
    assert_int_equal(run(&g, &h, NULL).cycles, 8 * 17 + 4 * 8 + 1 + 2);
}

/* Several products on the diagonal: their rows shift out together. */
static void packed(void **state)
{
    const ub_gemm g = product(2, 9, 3, 16);
    ub_hardware h = machine();
    ub_systolic_options o = defaults();
    ub_systolic_stats s = run(&g, &h, &o);

    (void) state;
    assert_int_equal(s.cycles, 16 * (9 + 4) + 3 + 2);
    o.packed = 1;
    s = run(&g, &h, &o);
    assert_int_equal(s.cycles, 8 * (9 + 4) + 2 * 2 + 1 + 2);
    assert_int_equal(s.rounds, 8 * 2);
    assert_close(s.share_busy, 16.0 * 2 * 9 * 3 / (111 * 64), 1e-15);
    /* m does not fit twice, k is of no matter */
    o.tile_m = 3;
    assert_int_equal(run(&g, &h, &o).cycles, 16 * (9 + 4) + 3 + 2);
}

/* -- what is built on it -------------------------------------------------- */

static void model(void **state)
{
    const ub_hardware h = machine();
    const ub_systolic_machine m = { sizeof(m), &h, NULL };
    ub_cost_model cost_model = { .size = sizeof(cost_model) };
    ub_cost cost = { .size = sizeof(cost) };
    ub_cost_layer l;

    (void) state;
    assert_int_equal(ub_systolic_model(&m, &cost_model), UB_OK);
    ub_cost_layer_init(&l, sizeof(l));
    l.kind = UB_COST_CONV;
    l.kernel_height = l.kernel_width = 1;
    l.in_height = l.in_width = l.out_height = l.out_width = 4;
    l.in_channels = 32.0;
    l.out_channels = 24.0;
    assert_int_equal(cost_model.evaluate(cost_model.user, &l, &cost), UB_OK);
    assert_close(cost.cycles, 6 * 4 * 9 + 9 + 2, 0.0);
}

static void not_csim(void **state)
{
    const ub_gemm g = product(8, 8, 8, 1);
    ub_hardware h = machine();
    ub_systolic_options o = defaults();

    (void) state;
    h.bandwidth = 1e9;
    o.compat = UB_SYSTOLIC_COMPAT_CSIM;
    assert_int_equal(status_of(&g, &h, &o), UB_ERR_UNSUPPORTED);
    h.dataflow = UB_DATAFLOW_WS;
    assert_int_equal(status_of(&g, &h, &o), UB_OK);
}

/* Long loops are cut short, and too long ones refused. */
static void long_loops(void **state)
{
    ub_hardware h = machine();
    ub_systolic_stats s;

    (void) state;
    h.rows = h.columns = 16;
    h.bandwidth = 80e9;
    s = run(&(ub_gemm){ sizeof(ub_gemm), 144, (int64_t) 1 << 30, 40, 1,
                        144 * ((int64_t) 1 << 30) },
            &h, NULL);
    assert_int_equal(s.rounds, ((int64_t) 1 << 26) * 9 * 3);
    assert_int_equal(s.output_bytes, 144 * 40);
    s = run(&(ub_gemm){ sizeof(ub_gemm), (int64_t) 1 << 30, 144, 40, 1,
                        144 * ((int64_t) 1 << 30) },
            &h, NULL);
    assert_int_equal(s.rounds, ((int64_t) 1 << 26) * 9 * 3);
    assert_int_equal(s.output_bytes, ((int64_t) 1 << 30) * 40);
    h.rows = h.columns = 1;
    assert_int_equal(status_of(&(ub_gemm){ sizeof(ub_gemm), 1 << 10,
                                           (int64_t) 1 << 40, 16, 1, 1 },
                               &h, NULL),
                     UB_ERR_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_tile),      cmocka_unit_test(long_k),
        cmocka_unit_test(short_k),       cmocka_unit_test(results_wait),
        cmocka_unit_test(reuse),         cmocka_unit_test(reversed),
        cmocka_unit_test(closed_form),   cmocka_unit_test(arrays),
        cmocka_unit_test(interconnects), cmocka_unit_test(packed),
        cmocka_unit_test(model),         cmocka_unit_test(not_csim),
        cmocka_unit_test(long_loops),
    };

    return cmocka_run_group_tests_name("systolic_outputs", tests, NULL, NULL);
}
