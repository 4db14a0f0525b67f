/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"
#include "systolic/element.h"

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

/* What passed the edges of the emulated array, and when it last did. */
typedef struct passed {
    int64_t elements[3], last;
} passed;

static void note(void *user, int64_t cycle, int32_t operand, int64_t lane,
                 int64_t row, int64_t column)
{
    passed *p = user;

    (void) lane;
    (void) row;
    (void) column;
    p->elements[operand]++;
    p->last = cycle > p->last ? cycle : p->last;
}

/* The emulated array is done within the cycles of the closed form, in the last
 * of them where no row or column is idle, and reads and writes what it says. */
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
        passed p = { { 0, 0, 0 }, 0 };
        const ub__element_watch watch = { note, &p };
        int whole;

        g.count = 1;
        ub_systolic_options_init(&o, sizeof(o));
        o.os_drain = drain;
        assert_int_equal(ub__element_multiply(context, &g, &h, &o, x, w, y,
                                              &watch, &elements),
                         UB_OK);
        folds = at_level(&g, &h, 2, drain);
        assert_memory_equal(&elements, &folds, sizeof(folds));
        whole = (h.dataflow == UB_DATAFLOW_IS ? g.m : g.n) % h.columns == 0 &&
                (h.dataflow != UB_DATAFLOW_OS || g.m % h.rows == 0);
        assert_true(whole ? p.last + 1 == folds.cycles : p.last < folds.cycles);
        /* a byte each, but two for sums of the folds before, which are read to
         * be added to, and for those that are not the last */
        p.elements[2] -= g.m * g.n;
        assert_int_equal(folds.sram_read_bytes,
                         p.elements[0] + p.elements[1] + 2 * p.elements[2]);
        assert_int_equal(folds.sram_write_bytes, g.m * g.n + 2 * p.elements[2]);
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
