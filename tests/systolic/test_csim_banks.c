/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include "systolic/csim.h"

#include <stdio.h>
#include <string.h>

/* -- small machines ------------------------------------------------------- */

#define MAX_LAYERS 4

/* Banks that hold few tiles: partial sums leave and come back, results are
 * written, loads wait, csim gives up. The numbers are those of a plain account
 * that walks through every cycle with lists, and knows nothing of skipping;
 * the clock here must come to the same on each of them.
 *   machine: arrays rows columns, m k n of a tile, bytes of each bank, GiB/s,
 *     prefetch, interconnect
 *   layers: m k n area on-chip input, of each behind the network's input
 *   counts: cycles stall_cycles last_round last_adder_round operations
 *     additions sram_read_bytes sram_write_bytes
 *   bytes: of inputs, weights, partial sums */
static const struct small_case {
    const char *machine, *layers, *counts, *bytes;
} small_cases[] = {
    { "2 8 4 4 8 4 293 0.5 100 copy", "5 30 11 1 0 0, 43 16 24 1 0 0",
      "6759 5935 77 0 35940 0 11760 4520", "837.99408 713.99408 2063.97852" },
    { "1 4 4 4 4 4 84 8 100 crossbar",
      "51 11 27 1 0 0, 13 39 4 9 1 1, 45 42 40 9 1 2",
      "-1 405 1632 0 11144 0 2912 2786", "220 1484 32" },
    { "3 8 8 4 8 8 199 0.5 5 crossbar", "9 18 31 1 1 0",
      "-1 1576 11 0 6000 0 1696 750", "0 445.262268 191.999771" },
    { "2 8 8 8 8 8 271 20 5 crossbar", "30 29 35 9 0 0",
      "-1 801 40 40 15744 0 1280 1968", "40 559.999939 0" },
    { "2 4 4 4 4 4 64 1 2 crossbar", "42 4 10 1 0 0",
      "228 111 16 0 3328 0 936 832", "167.999939 40 0" },
    { "2 6 8 6 8 8 867 3 2 crossbar",
      "20 23 36 9 1 0, 37 58 21 1 0 0, 43 43 38 1 1 1",
      "12024 9936 234 115 263740 796 73289 37940",
      "2145.99292 3679.97681 28565.1094" },
    { "2 4 4 4 4 4 128 3 1 copy", "14 60 37 1 0 0, 58 34 20 1 1 0",
      "-1 401 638 640 256 0 96 64", "16 32 0" },
    { "1 8 4 8 8 4 454 1 100 crossbar", "46 52 12 9 1 0, 13 36 4 9 0 1",
      "7490 6243 135 0 60992 0 11850 8208", "49 767.994568 6623.9375" },
    { "3 6 8 6 8 8 113 3 3 crossbar", "50 60 7 9 1 0",
      "-1 601 23 0 5600 0 713 700", "0 111.999947 0" },
    { "1 4 8 4 4 8 70 1 10 crossbar", "34 31 11 9 1 0",
      "-1 402 143 0 2992 0 444 748", "0 49.3687096 0" },
    { "2 6 4 4 6 4 77 20 3 copy", "43 29 26 1 0 0, 8 30 19 1 0 0",
      "-1 603 218 220 13392 0 3578 2232", "282 732 32" },
    { "2 4 4 4 8 4 291 8 10 crossbar", "39 2 23 1 0 0, 38 13 10 9 0 1",
      "479 95 60 50 13428 32 3216 3370", "125 176 759.999695" },
    { "1 6 8 4 8 8 199 3 1 crossbar",
      "52 49 26 9 0 0, 43 53 20 9 0 0, 59 48 8 9 0 1",
      "-1 601 684 0 512 0 131 64", "3 64 0" },
    { "2 8 8 4 8 8 331 3 3 copy",
      "47 36 11 1 1 0, 3 30 34 1 0 1, 11 37 32 9 1 0",
      "3252 2340 99 0 68912 0 20772 9410", "89.9999771 2599.98926 5823.95605" },
    { "1 6 4 4 8 4 136 1 3 crossbar", "29 40 35 1 1 0",
      "17996 14724 359 0 81152 0 29746 10144", "0 11201.1826 8119.90479" },
    { "3 8 4 8 8 4 587 8 1 crossbar",
      "59 17 35 1 0 0, 27 22 7 9 1 1, 12 28 38 1 1 1",
      "-1 801 107 0 1536 0 384 192", "64 96 0" },
    { "1 6 8 4 6 8 271 60 3 copy", "35 43 5 1 0 0",
      "549 63 71 0 15020 0 5857 2770", "1505 215 2450" },
    { "2 8 8 4 8 8 148 20 2 crossbar", "28 20 1 1 0 0, 24 26 27 1 0 0",
      "-1 801 58 0 10976 0 2908 1400", "784 299.999969 56" },
    { "1 6 8 4 6 8 463 8 100 copy", "7 29 33 9 0 0, 51 7 9 1 0 0",
      "1003 347 101 0 19818 0 6299 4140", "376.000031 1019.99872 2765.99463" },
    { "2 8 8 4 8 8 201 8 5 crossbar", "14 30 19 1 1 0",
      "-1 828 24 23 5984 0 1592 748", "0 368 216" },
    { "1 6 8 6 8 8 302 3 5 copy", "43 36 21 1 0 0",
      "-1 657 119 0 15216 0 2648 1902", "391.999634 265.591675 96" },
    { "3 8 8 4 8 8 590 8 10 crossbar", "11 59 39 9 1 0",
      "409 36 40 40 50496 24 13209 6870", "0 2300.99902 288" },
    { "2 6 8 6 6 8 387 8 10 copy", "11 10 36 1 1 0",
      "194 99 9 0 7440 0 1902 1464", "0 360 791.999146" },
    { "2 6 8 4 8 8 581 20 2 crossbar", "53 60 21 1 1 0",
      "2194 749 168 152 133520 64 42940 17926", "0 1260.00024 15581.9775" },
    { "2 4 4 4 8 4 243 8 100 crossbar", "26 19 39 9 0 0",
      "1318 508 104 0 38448 0 9655 6056", "44 740.999634 4055.98804" },
    { "2 4 8 4 8 8 270 1 2 crossbar",
      "28 53 5 1 0 0, 33 7 5 1 1 0, 58 13 2 9 0 0",
      "1842 1435 44 0 20086 0 6241 2738", "1555.98767 325.999542 0" },
    { "1 4 4 4 4 4 243 0.5 10 crossbar", "8 49 2 9 1 0",
      "196 49 25 0 1552 0 588 400", "0 97.9999924 0" },
    { "2 8 8 4 8 8 262 8 2 copy", "17 21 7 9 1 0, 2 23 17 1 0 0",
      "156 16 12 14 6562 34 2008 986", "46 537.999939 0" },
    { "1 8 8 4 8 8 459 0.5 10 copy", "38 28 2 1 0 0, 36 21 3 1 1 1",
      "2338 1772 66 0 8672 0 3791 1232", "1063.99036 119.000084 0" },
    { "3 6 8 6 6 8 682 3 10 crossbar", "8 45 25 1 1 0",
      "375 165 21 24 18000 130 6878 3460", "0 1125.00232 0" },
    { "2 8 4 8 8 4 84 8 100 crossbar",
      "1 18 14 1 1 0, 48 22 35 1 0 1, 58 41 21 9 1 1", "unsupported", "" },
};

/* The next number of a row, behind which it goes on. */
static double number(const char **row)
{
    double value;
    int length;

    if (sscanf(*row, "%lf%n", &value, &length) != 1)
        fail_msg("no number at '%s'", *row);
    *row += length;
    return value;
}

static int64_t whole(const char **row)
{
    return (int64_t) number(row);
}

static void read_machine(const char *row, ub__csim_machine *out)
{
    *out = (ub__csim_machine){ .repeats = 1, .bytes = { 1, 1, 2 } };
    ub_hardware_init(&out->hardware, sizeof(out->hardware));
    out->hardware.arrays = whole(&row);
    out->hardware.rows = whole(&row);
    out->hardware.columns = whole(&row);
    out->tile_m = whole(&row);
    out->tile_k = whole(&row);
    out->tile_n = whole(&row);
    out->bank[0] = out->bank[1] = out->bank[2] = whole(&row);
    out->bandwidth = (float) number(&row) * (1073741824.0F / 1e9F);
    out->prefetch = (int32_t) whole(&row);
    out->hardware.interconnect = UB_INTERCONNECT_CROSSBAR;
    if (strcmp(row, " copy") == 0)
        out->hardware.interconnect = UB_INTERCONNECT_BENES_COPY;
    else
        assert_string_equal(row, " crossbar");
}

/* Layers, the first of which is the network's input; how many. */
static int64_t read_layers(const char *row, int64_t inputs[MAX_LAYERS],
                           ub__csim_layer out[MAX_LAYERS])
{
    int64_t n = 1;

    out[0] = (ub__csim_layer){ .area = 1 };
    do {
        assert_true(n < MAX_LAYERS);
        out[n] = (ub__csim_layer){ .count = 1, .n_inputs = 1 };
        out[n].m = whole(&row);
        out[n].k = whole(&row);
        out[n].n = whole(&row);
        out[n].area = whole(&row);
        out[n].on_chip = whole(&row);
        inputs[n] = whole(&row);
        out[n].inputs = &inputs[n];
        n++;
    } while (*row++ == ',');
    assert_int_equal(row[-1], '\0');
    return n;
}

static void check_small(ub_context *context, const struct small_case *c)
{
    const char *counts = c->counts, *bytes = c->bytes;
    ub__csim_layer layers[MAX_LAYERS];
    int64_t inputs[MAX_LAYERS];
    const int64_t n = read_layers(c->layers, inputs, layers);
    ub__csim_machine machine;
    ub_systolic_csim_stats s;
    ub__csim_extra extra;
    ub_status status;

    read_machine(c->machine, &machine);
    status = ub__csim_simulate(context, layers, n, &machine, &s, &extra);
    if (strcmp(counts, "unsupported") == 0) {
        assert_int_equal(status, UB_ERR_UNSUPPORTED);
        return;
    }
    assert_int_equal(status, UB_OK);
    assert_int_equal(s.cycles, whole(&counts));
    assert_int_equal(s.stall_cycles, whole(&counts));
    assert_int_equal(s.last_round, whole(&counts));
    assert_int_equal(s.last_adder_round, whole(&counts));
    assert_int_equal(s.operations, whole(&counts));
    assert_int_equal(s.additions, whole(&counts));
    assert_int_equal(s.sram_read_bytes, whole(&counts));
    assert_int_equal(s.sram_write_bytes, whole(&counts));
    assert_string_equal(counts, "");
    assert_true((float) s.input_bytes == (float) number(&bytes));
    assert_true((float) s.weight_bytes == (float) number(&bytes));
    assert_true((float) s.partial_bytes == (float) number(&bytes));
    assert_string_equal(bytes, "");
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

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(small_machines) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
