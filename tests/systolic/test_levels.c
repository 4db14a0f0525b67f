/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <math.h>
#include <uboost/systolic.h>

/* The levels of one machine, held against each other on random products. */

static int64_t draw(ub_rng *rng, int64_t high)
{
    return 1 + (int64_t) ub_rng_below(rng, (uint64_t) high);
}

static ub_gemm random_gemm(ub_rng *rng, int64_t extent)
{
    ub_gemm g = { .size = sizeof(g), .count = draw(rng, 3) };

    g.m = draw(rng, extent);
    g.k = draw(rng, extent);
    g.n = draw(rng, extent);
    g.input_elements = g.m * g.k;
    return g;
}

/* Memory that never keeps an array waiting. */
static ub_hardware random_hardware(ub_rng *rng, int64_t side)
{
    ub_hardware h;

    ub_hardware_init(&h, sizeof(h));
    h.rows = draw(rng, side);
    h.columns = draw(rng, side);
    h.dataflow = (int32_t) draw(rng, 3) - 1;
    h.bandwidth = INFINITY;
    h.bank_bytes = (int64_t) 1 << 40;
    return h;
}

static ub_systolic_stats at_level(const ub_gemm *g, const ub_hardware *h,
                                  int32_t level, int32_t os_drain)
{
    ub_systolic_options o;
    ub_systolic_stats s = { .size = sizeof(s) };

    ub_systolic_options_init(&o, sizeof(o));
    o.level = level;
    o.os_drain = os_drain;
    assert_int_equal(ub_systolic_gemm(g, h, &o, &s), UB_OK);
    assert_int_equal(s.macs, g->m * g->k * g->n * g->count);
    return s;
}

/* Nothing is overlapped at level 2, and nothing is left out but memory. */
static void folds_bound_the_others(void **state)
{
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 31, 0);
    for (int i = 0; i < 3000; i++) {
        const ub_gemm g = random_gemm(&rng, 300);
        const ub_hardware h = random_hardware(&rng, 40);
        const ub_systolic_stats ideal = at_level(&g, &h, 0, 0);
        const ub_systolic_stats tiles = at_level(&g, &h, 1, 0);
        const ub_systolic_stats folds = at_level(&g, &h, 2, 0);

        assert_true(ideal.cycles <= folds.cycles);
        assert_true(ideal.utilization <= 1.0);
        assert_true(ideal.cycles < tiles.cycles);
        /* four cycles of a round and six of a product are level 1's own; what
         * streams in a round is no longer than the array */
        assert_true(tiles.cycles <=
                    folds.cycles + 6 * g.count + 4 * tiles.rounds);
    }
}

/* The emulated array takes the cycles of the closed form, and spends them in
 * the same way. */
static void elements_agree_with_folds(void **state)
{
    ub_context *context = test_context(1);
    int8_t x[40 * 40] = { 0 }, w[40 * 40] = { 0 };
    int32_t y[40 * 40];
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 32, 0);
    for (int i = 0; i < 300; i++) {
        ub_gemm g = random_gemm(&rng, 40);
        const ub_hardware h = random_hardware(&rng, 12);
        const int32_t drain = (int32_t) draw(&rng, 2) - 1;
        ub_systolic_stats elements = { .size = sizeof(elements) }, folds;
        ub_systolic_options o;

        g.count = 1;
        ub_systolic_options_init(&o, sizeof(o));
        o.os_drain = drain;
        assert_int_equal(
            ub_systolic_multiply(context, &g, &h, &o, x, w, y, &elements),
            UB_OK);
        folds = at_level(&g, &h, 2, drain);
        assert_int_equal(elements.cycles, folds.cycles);
        assert_int_equal(elements.rounds, folds.rounds);
        assert_close(elements.share_busy, folds.share_busy, 1e-12);
        assert_close(elements.share_unused_rows, folds.share_unused_rows,
                     1e-12);
        assert_close(elements.share_unused_columns, folds.share_unused_columns,
                     1e-12);
        assert_close(elements.share_weight_load, folds.share_weight_load,
                     1e-12);
        assert_close(elements.share_fill, folds.share_fill, 1e-12);
        assert_close(elements.share_drain, folds.share_drain, 1e-12);
    }
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folds_bound_the_others),
        cmocka_unit_test(elements_agree_with_folds),
    };

    return cmocka_run_group_tests_name("systolic_levels", tests, NULL, NULL);
}
