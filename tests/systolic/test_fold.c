/* SPDX-License-Identifier: BSD-2-Clause */
#include "systolic/scalesim.h"

#include <math.h>

#define CASES 20000

static int64_t below(ub_rng *rng, uint32_t n)
{
    return 1 + (int64_t) ub_rng_below(rng, n);
}

static ub_gemm random_product(ub_rng *rng)
{
    return test_product(below(rng, 300), below(rng, 200), below(rng, 100),
                        below(rng, 4));
}

static ub_hardware random_hardware(ub_rng *rng)
{
    return hardware_of(below(rng, 40), below(rng, 40),
                       (int32_t) ub_rng_below(rng, 3), 0);
}

static ub_systolic_folds fold(const ub_gemm *g, const ub_hardware *h,
                              const ub_systolic_options *o)
{
    ub_systolic_folds f = { .size = sizeof(f) };

    assert_int_equal(ub_systolic_fold(g, h, o, &f), UB_OK);
    return f;
}

static ub_systolic_stats stats(const ub_gemm *g, const ub_hardware *h,
                               int32_t level)
{
    ub_systolic_stats s = { .size = sizeof(s) };
    ub_systolic_options o;

    ub_systolic_options_init(&o, sizeof(o));
    o.level = level;
    assert_int_equal(ub_systolic_gemm(g, h, &o, &s), UB_OK);
    return s;
}

/* -- golden --------------------------------------------------------------- */

static void assert_percent(const table *t, const char *column, double value)
{
    const char *text = table_text(t, column);

    if (*text != '\0')
        assert_close(value, strtod(text, NULL), 1e-12 * fabs(value));
}

/* The tool did not finish some layers; what it printed is empty then. */
static void assert_count(const table *t, const char *column, int64_t value)
{
    if (*table_text(t, column) != '\0')
        assert_int_equal(value, table_int(t, column));
}

static void check_row(const table *t)
{
    const ub_systolic_options o = compat_options();
    const ub_hardware h = hardware_of(table_int(t, "rows"),
                                      table_int(t, "cols"),
                                      dataflow_of(table_text(t, "df")), 0);
    ub_gemm g = { .size = sizeof(g) };
    ub_systolic_folds f, ours;
    test_layer l;

    if (strcmp(table_text(t, "status"), "ok") != 0)
        assert_non_null(strstr(table_text(t, "status"), "timeout"));
    else
        assert_true(*table_text(t, "demand_rows") != '\0');
    table_layer(t, &l);
    assert_int_equal(ub_layer_gemm(&l.info, 1, &g), UB_OK);
    f = fold(&g, &h, &o);
    assert_count(t, "macs", f.macs);
    assert_count(t, "total_cycles", f.cycles);
    assert_count(t, "sram_ifmap_reads", f.input_reads);
    assert_count(t, "sram_filter_reads", f.weight_reads);
    assert_count(t, "sram_ofmap_writes", f.output_writes);
    assert_percent(t, "overall_util_pct", 100.0 * f.utilization);
    assert_percent(t, "mapping_eff_pct", 100.0 * f.mapping_efficiency);
    assert_percent(t, "compute_util_pct", 100.0 * f.compute_utilization);
    /* what is right: the number of cycles, and no result written twice */
    ours = fold(&g, &h, NULL);
    assert_count(t, "demand_rows", ours.cycles);
    assert_int_equal(ours.output_writes - ours.partial_writes, g.m * g.n);
    assert_int_equal(ours.input_reads, f.input_reads);
    assert_int_equal(ours.weight_reads, f.weight_reads);
}

static void golden(void **state)
{
    static const char *const names[] = { "scalesim/golden_compute_only.csv",
                                         "scalesim/golden_full_calc_64k.csv",
                                         "scalesim/golden_full_calc_big.csv" };

    (void) state;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        int rows = 0;
        table t;

        table_open(&t, names[i]);
        for (; table_next(&t); rows++)
            check_row(&t);
        assert_true(rows > 0);
    }
}

/* -- laws ----------------------------------------------------------------- */

/* One processing element after another, one fold after another. */
static void against_loops(const ub_gemm *g, const ub_hardware *h)
{
    const ub_systolic_folds f = fold(g, h, NULL);
    const int64_t rows = h->dataflow == UB_DATAFLOW_OS ? g->m : g->k;
    const int64_t columns = h->dataflow == UB_DATAFLOW_IS ? g->m : g->n;
    const int64_t stream = h->dataflow == UB_DATAFLOW_OS   ? g->k
                           : h->dataflow == UB_DATAFLOW_IS ? g->n
                                                           : g->m;
    int64_t cycles = 0, streamed_rows = 0, streamed_columns = 0, kept = 0;

    for (int64_t c = 0; c < columns; c += h->columns) {
        for (int64_t r = 0; r < rows; r += h->rows) {
            const int64_t used_rows = r + h->rows < rows ? h->rows : rows - r;
            const int64_t used = c + h->columns < columns ? h->columns
                                                          : columns - c;

            cycles += stream + h->rows - 1 + h->columns - 1;
            if (h->dataflow != UB_DATAFLOW_OS)
                cycles += h->rows;
            streamed_rows += used_rows * stream;
            streamed_columns += used * stream;
            kept += used_rows * used;
        }
    }
    assert_int_equal(f.cycles, cycles * g->count);
    assert_int_equal(f.fold_cycles * f.row_folds * f.column_folds * g->count,
                     f.cycles);
    if (h->dataflow == UB_DATAFLOW_WS) {
        assert_int_equal(f.input_reads, streamed_rows * g->count);
        assert_int_equal(f.weight_reads, kept * g->count);
        assert_int_equal(f.output_writes, streamed_columns * g->count);
    } else if (h->dataflow == UB_DATAFLOW_IS) {
        assert_int_equal(f.weight_reads, streamed_rows * g->count);
        assert_int_equal(f.input_reads, kept * g->count);
        assert_int_equal(f.output_writes, streamed_columns * g->count);
    } else {
        assert_int_equal(f.input_reads, streamed_rows * g->count);
        assert_int_equal(f.weight_reads, streamed_columns * g->count);
        assert_int_equal(f.output_writes, kept * g->count);
    }
    assert_int_equal(f.partial_reads, f.partial_writes);
    assert_int_equal(f.output_writes - f.partial_writes,
                     g->m * g->n * g->count);
}

static void loops(void **state)
{
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 7, 0);
    for (int i = 0; i < 2000; i++) {
        const ub_gemm g = random_product(&rng);
        const ub_hardware h = random_hardware(&rng);

        against_loops(&g, &h);
    }
}

static double shares(const ub_systolic_stats *s)
{
    return s->share_busy + s->share_unused_rows + s->share_unused_columns +
           s->share_unused_arrays + s->share_weight_load + s->share_fill +
           s->share_drain + s->share_wait_weights + s->share_wait_inputs +
           s->share_wait_outputs + s->share_vector;
}

static void check_stats(const ub_gemm *g, const ub_hardware *h)
{
    const ub_systolic_stats s = stats(g, h, 2), least = stats(g, h, 0);
    const ub_systolic_folds f = fold(g, h, NULL);

    assert_int_equal(s.cycles, f.cycles);
    assert_int_equal(s.macs, g->m * g->k * g->n * g->count);
    assert_int_equal(s.rounds, f.row_folds * f.column_folds * g->count);
    assert_int_equal(s.sram_read_bytes,
                     f.input_reads + f.weight_reads + 2 * f.partial_reads);
    assert_int_equal(s.sram_write_bytes,
                     g->m * g->n * g->count + 2 * f.partial_writes);
    assert_close(shares(&s), 1.0, 1e-12);
    assert_close(s.share_busy, s.utilization, 1e-12);
    assert_true(s.share_unused_rows >= 0.0 && s.share_unused_columns >= 0.0);
    assert_close(s.share_weight_load * (double) f.fold_cycles,
                 h->dataflow == UB_DATAFLOW_OS ? 0.0 : (double) h->rows, 1e-9);
    assert_close((s.share_fill + s.share_drain) * (double) f.fold_cycles,
                 (double) (h->rows + h->columns - 2), 1e-9);
    assert_close(s.latency_ms, (double) s.cycles * 1e-6, 1e-12);
    /* the same machine without load and skew */
    assert_true(least.cycles < s.cycles || (h->rows == 1 && h->columns == 1));
    assert_int_equal(least.rounds, s.rounds);
    assert_close(shares(&least), 1.0, 1e-12);
    assert_close(least.share_busy, least.utilization, 1e-12);
    assert_true(least.utilization <= 1.0 && s.utilization <= 1.0);
}

static void where_cycles_go(void **state)
{
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 8, 0);
    for (int i = 0; i < CASES; i++) {
        const ub_gemm g = random_product(&rng);
        const ub_hardware h = random_hardware(&rng);

        check_stats(&g, &h);
    }
}

static void level_zero(void **state)
{
    const ub_gemm g = test_product(49, 576, 130, 3);
    ub_hardware h = hardware_of(128, 64, UB_DATAFLOW_WS, 0);

    (void) state;
    assert_int_equal(stats(&g, &h, 0).cycles, 3 * 5 * 3 * 49);
    h.dataflow = UB_DATAFLOW_OS;
    assert_int_equal(stats(&g, &h, 0).cycles, 3 * 1 * 3 * 576);
    h.dataflow = UB_DATAFLOW_IS;
    assert_int_equal(stats(&g, &h, 0).cycles, 3 * 5 * 1 * 130);
}

static void drain(void **state)
{
    const ub_gemm g = test_product(4, 4, 4, 2);
    ub_hardware h = hardware_of(4, 4, UB_DATAFLOW_OS, 0);
    ub_systolic_stats s = { .size = sizeof(s) };
    ub_systolic_options o;

    (void) state;
    ub_systolic_options_init(&o, sizeof(o));
    o.level = 2;
    assert_int_equal(fold(&g, &h, &o).cycles, 2 * 10);
    o.os_drain = 1;
    assert_int_equal(fold(&g, &h, &o).cycles, 2 * 14);
    assert_int_equal(ub_systolic_gemm(&g, &h, &o, &s), UB_OK);
    assert_close(shares(&s), 1.0, 1e-12);
    assert_close(s.share_drain, 7.0 / 14.0, 1e-12);
    h.dataflow = UB_DATAFLOW_WS;
    assert_int_equal(fold(&g, &h, &o).cycles, 2 * 14);
}

static void element_sizes(void **state)
{
    const ub_gemm g = test_product(10, 9, 8, 1); /* 3 x 2 folds of 4 x 4 */
    ub_hardware h = hardware_of(4, 4, UB_DATAFLOW_WS, 0);
    ub_systolic_stats s;

    (void) state;
    h.element_bytes = 2;
    h.weight_bytes = 1;
    h.output_bytes = 4;
    h.partial_bytes = 8;
    s = stats(&g, &h, 2);
    assert_int_equal(s.sram_read_bytes, 2 * 90 * 2 + 72 + 2 * 80 * 8);
    assert_int_equal(s.sram_write_bytes, 80 * 4 + 2 * 80 * 8);
}

static void sparse_layers(void **state)
{
    ub_systolic_stats s = { .size = sizeof(s) };
    ub_hardware h = hardware_of(4, 4, UB_DATAFLOW_WS, 0);
    ub_systolic_options o;
    test_layer l;

    (void) state;
    conv_layer(&l, 5, 5, 3, 3, 2, 6, 1);
    l.layer.sparse_keep = 2;
    l.layer.sparse_block = 4;
    ub_systolic_options_init(&o, sizeof(o));
    o.level = 2;
    /* 10 of 18 rows: 3 x 2 folds of 19 cycles */
    assert_int_equal(ub_systolic_layer(&l.info, &h, &o, &s), UB_OK);
    assert_int_equal(s.cycles, 114);
    assert_int_equal(s.macs, 9 * 10 * 6);
    o.sparsity = UB_SYSTOLIC_DENSE;
    assert_int_equal(ub_systolic_layer(&l.info, &h, &o, &s), UB_OK);
    assert_int_equal(s.cycles, 5 * 2 * 19);
    o.sparsity = UB_SYSTOLIC_CSC;
    h.dataflow = UB_DATAFLOW_OS;
    assert_int_equal(ub_systolic_layer(&l.info, &h, &o, &s),
                     UB_ERR_UNSUPPORTED);
    h.dataflow = UB_DATAFLOW_WS;
    l.layer.sparse_block = 1;
    assert_int_equal(ub_systolic_layer(&l.info, &h, &o, &s), UB_ERR_INVALID);
    l.layer.sparse_keep = -1;
    assert_int_equal(ub_systolic_layer(&l.info, &h, &o, &s), UB_ERR_INVALID);
}

static void nothing_to_do(void **state)
{
    const ub_gemm none = { .size = sizeof(none) };
    const ub_hardware h = hardware_of(8, 8, UB_DATAFLOW_OS, 0);
    const ub_systolic_folds f = fold(&none, &h, NULL);
    const ub_systolic_stats s = stats(&none, &h, 2);
    /* the last cycle of the smallest product is number 0 */
    const ub_gemm one = test_product(1, 1, 1, 1);
    const ub_hardware single = hardware_of(1, 1, UB_DATAFLOW_OS, 0);
    const ub_systolic_options o = compat_options();

    (void) state;
    assert_int_equal(f.cycles, 0);
    assert_int_equal(s.cycles, 0);
    assert_close(f.utilization, 1.0, 0.0);
    assert_close(s.utilization, 1.0, 0.0);
    assert_close(shares(&s), 0.0, 0.0);
    assert_int_equal(fold(&one, &single, &o).cycles, 0);
    assert_close(fold(&one, &single, &o).utilization, 1.0, 0.0);
    assert_int_equal(fold(&one, &single, NULL).cycles, 1);
}

static ub_status try_fold(const ub_gemm *g, const ub_hardware *h,
                          const ub_systolic_options *o)
{
    ub_systolic_folds f = { .size = sizeof(f), .cycles = -7 };
    const ub_status status = ub_systolic_fold(g, h, o, &f);

    assert_true((status == UB_OK) == (f.cycles != -7));
    return status;
}

static void bad_input(void **state)
{
    ub_gemm g = test_product(5, 6, 7, 1);
    ub_hardware h = hardware_of(4, 4, UB_DATAFLOW_WS, 0);
    ub_systolic_folds f = { .size = 8 };
    ub_systolic_options o;

    (void) state;
    ub_systolic_options_init(&o, sizeof(o));
    assert_int_equal(ub_systolic_fold(&g, &h, &o, NULL), UB_ERR_INVALID);
    assert_int_equal(ub_systolic_fold(&g, &h, &o, &f), UB_ERR_INVALID);
    assert_int_equal(try_fold(NULL, &h, &o), UB_ERR_INVALID);
    assert_int_equal(try_fold(&g, NULL, &o), UB_ERR_INVALID);
    o.os_drain = 2;
    assert_int_equal(try_fold(&g, &h, &o), UB_ERR_INVALID);
    o.os_drain = 0;
    o.compat = 3;
    assert_int_equal(try_fold(&g, &h, &o), UB_ERR_INVALID);
    o.compat = UB_SYSTOLIC_COMPAT_CSIM;
    assert_int_equal(try_fold(&g, &h, &o), UB_ERR_UNSUPPORTED);
    o.compat = UB_SYSTOLIC_COMPAT_NONE;
    o.sparsity = 4;
    assert_int_equal(try_fold(&g, &h, &o), UB_ERR_INVALID);
    o.sparsity = UB_SYSTOLIC_DENSE;
    h.arrays = 2;
    assert_int_equal(try_fold(&g, &h, &o), UB_ERR_UNSUPPORTED);
    h.arrays = 1;
    g = test_product((int64_t) 1 << 48, 1 << 3, 1 << 3, 1);
    assert_int_equal(try_fold(&g, &h, &o), UB_ERR_RANGE);
    g = test_product(INT64_MAX / 2, 1, 1, 1);
    assert_int_equal(try_fold(&g, &h, &o), UB_ERR_INVALID);
    g = test_product(5, 0, 7, 1);
    assert_int_equal(try_fold(&g, &h, &o), UB_ERR_INVALID);
}

static void levels(void **state)
{
    const ub_gemm g = test_product(5, 6, 7, 1);
    const ub_hardware h = hardware_of(4, 4, UB_DATAFLOW_WS, 0);
    ub_systolic_stats s = { .size = sizeof(s) };
    ub_systolic_options o = compat_options();

    (void) state;
    /* counting memory takes a context */
    assert_int_equal(ub_systolic_gemm(&g, &h, &o, &s), UB_ERR_UNSUPPORTED);
    o.count_memory = 0;
    assert_int_equal(ub_systolic_gemm(&g, &h, &o, &s), UB_OK);
    assert_int_equal(s.cycles, 2 * 2 * (8 + 4 + 5 - 2) - 1);
    assert_close(shares(&s), 1.0, 1e-12);
    o.level = 0;
    assert_int_equal(ub_systolic_gemm(&g, &h, &o, &s), UB_ERR_UNSUPPORTED);
    o.level = 4;
    o.compat = UB_SYSTOLIC_COMPAT_NONE;
    assert_int_equal(ub_systolic_gemm(&g, &h, &o, &s), UB_ERR_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden),          cmocka_unit_test(loops),
        cmocka_unit_test(where_cycles_go), cmocka_unit_test(level_zero),
        cmocka_unit_test(drain),           cmocka_unit_test(element_sizes),
        cmocka_unit_test(sparse_layers),   cmocka_unit_test(nothing_to_do),
        cmocka_unit_test(bad_input),       cmocka_unit_test(levels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
