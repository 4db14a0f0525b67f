/* SPDX-License-Identifier: BSD-2-Clause */
#include "systolic/fold.h"

#define MAX_CYCLES 1125899906842624.0 /* 2^50 */

static int64_t min_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

ub_status ub__stored_gemm(const ub_layer_info *info,
                          const ub_hardware *hardware,
                          const ub_systolic_options *o, ub_gemm *g)
{
    const int64_t keep = info->layer->sparse_keep;
    const int64_t block = info->layer->sparse_block;
    ub_hardware h;
    ub_status status;

    if (g->count == 0 || o->sparsity == UB_SYSTOLIC_DENSE ||
        (keep == 0 && block == 0))
        return UB_OK;
    status = ub__hardware_in(hardware, &h);
    if (status != UB_OK)
        return status;
    if (keep < 1 || block < keep)
        return UB_ERR_INVALID;
    if (h.dataflow != UB_DATAFLOW_WS)
        return UB_ERR_UNSUPPORTED;
    g->k = g->k / block * keep + min_of(keep, g->k % block);
    g->input_elements = min_of(g->input_elements, g->m * g->k);
    return UB_OK;
}

ub__fold ub__fold_of(int64_t m, int64_t k, int64_t n, const ub_hardware *h,
                     const ub_systolic_options *o)
{
    ub__fold f = { .array_rows = h->rows, .array_columns = h->columns };

    f.dataflow = h->dataflow;
    switch (h->dataflow) {
    case UB_DATAFLOW_OS:
        f.rows = m;
        f.columns = n;
        f.stream = k;
        f.drain = o->os_drain ? (int32_t) h->rows : 0;
        f.upward = o->os_drain || o->compat == UB_SYSTOLIC_COMPAT_SCALESIM;
        f.cycles = h->rows + h->columns + k - 2 + f.drain;
        break;
    case UB_DATAFLOW_IS:
        f.rows = k;
        f.columns = m;
        f.stream = n;
        f.cycles = 2 * h->rows + h->columns + n - 2;
        break;
    default:
        f.rows = k;
        f.columns = n;
        f.stream = m;
        f.cycles = 2 * h->rows + h->columns + m - 2;
        break;
    }
    f.row_folds = ub__ceil_div(f.rows, h->rows);
    f.column_folds = ub__ceil_div(f.columns, h->columns);
    return f;
}

int64_t ub__fold_rows(const ub__fold *f, int64_t row_fold)
{
    return min_of(f->array_rows, f->rows - row_fold * f->array_rows);
}

int64_t ub__fold_columns(const ub__fold *f, int64_t column_fold)
{
    return min_of(f->array_columns,
                  f->columns - column_fold * f->array_columns);
}

/* Cycles of one fold that SCALE-Sim divides by for its utilization: with
 * stationary weights or inputs it appends the columns' skew a second time. */
int64_t ub__utilization_cycles(const ub__fold *f, int32_t compat)
{
    return compat == UB_SYSTOLIC_COMPAT_SCALESIM &&
                   f->dataflow != UB_DATAFLOW_OS
               ? f->cycles + f->array_columns - 1
               : f->cycles;
}

static void count_accesses(const ub_gemm *g, const ub__fold *f, int32_t compat,
                           ub_systolic_folds *out)
{
    const int64_t inputs = g->m * g->k * g->count;
    const int64_t weights = g->k * g->n * g->count;
    const int64_t results = g->m * g->n * g->count;

    out->input_reads = inputs;
    out->weight_reads = weights;
    out->output_writes = results;
    if (f->dataflow != UB_DATAFLOW_IS)
        out->input_reads *= f->column_folds;
    if (f->dataflow == UB_DATAFLOW_IS)
        out->weight_reads *= f->column_folds;
    if (f->dataflow == UB_DATAFLOW_OS) {
        out->weight_reads *= f->row_folds;
        if (compat == UB_SYSTOLIC_COMPAT_SCALESIM)
            out->output_writes += f->row_folds * f->column_folds * g->count *
                                  (f->array_rows + f->array_columns);
    } else {
        out->output_writes *= f->row_folds;
        out->partial_writes = out->partial_reads = results * (f->row_folds - 1);
    }
}

ub_status ub__fold_counts(const ub_gemm *g, const ub_hardware *h,
                          const ub_systolic_options *o, ub_systolic_folds *out)
{
    const int compat = o->compat == UB_SYSTOLIC_COMPAT_SCALESIM;
    const ub__fold f = ub__fold_of(g->m, g->k, g->n, h, o);
    const double folds = (double) f.row_folds * (double) f.column_folds;
    const double elements = (double) h->rows * (double) h->columns;

    if (!(folds * (double) g->count * (double) f.cycles <= MAX_CYCLES))
        return UB_ERR_RANGE;
    *out = (ub_systolic_folds){
        .size = sizeof(*out),
        .cycles = (f.row_folds * f.column_folds * f.cycles - compat) * g->count,
        .fold_cycles = f.cycles,
        .row_folds = f.row_folds,
        .column_folds = f.column_folds,
        .macs = g->m * g->k * g->n * g->count,
    };
    count_accesses(g, &f, o->compat, out);
    out->mapping_efficiency = (double) f.rows * (double) f.columns /
                              (folds * elements);
    out->compute_utilization = out->mapping_efficiency * (double) f.stream /
                               (double) ub__utilization_cycles(&f, o->compat);
    /* a single cycle less one is none */
    out->utilization = out->cycles > 0 ? (double) out->macs /
                                             ((double) out->cycles * elements)
                                       : 1.0;
    return UB_OK;
}

ub_status ub_systolic_fold(const ub_gemm *gemm, const ub_hardware *hardware,
                           const ub_systolic_options *options,
                           ub_systolic_folds *out)
{
    ub_systolic_folds folds = { .size = sizeof(folds),
                                .mapping_efficiency = 1.0,
                                .compute_utilization = 1.0,
                                .utilization = 1.0 };
    ub_systolic_options o;
    ub_hardware h;
    ub_status status = ub__hardware_in(hardware, &h);

    if (status == UB_OK)
        status = ub__systolic_options_in(options, &o);
    if (status != UB_OK)
        return status;
    if (!ub__systolic_gemm_valid(gemm) || out == NULL ||
        out->size < sizeof(*out))
        return UB_ERR_INVALID;
    if (h.arrays != 1 || o.compat == UB_SYSTOLIC_COMPAT_CSIM)
        return UB_ERR_UNSUPPORTED;
    if (gemm->count > 0)
        status = ub__fold_counts(gemm, &h, &o, &folds);
    if (status == UB_OK)
        ub__options_out(out, out->size, &folds, sizeof(folds));
    return status;
}

/* -- stats ---------------------------------------------------------------- */

static void count_bytes(const ub_systolic_folds *c, const ub_hardware *h,
                        ub_systolic_stats *out)
{
    const int64_t results = c->output_writes - c->partial_writes;

    out->sram_read_bytes = c->input_reads *
                               ub__or_else(h->input_bytes, h->element_bytes) +
                           c->weight_reads *
                               ub__or_else(h->weight_bytes, h->element_bytes) +
                           c->partial_reads * h->partial_bytes;
    out->sram_write_bytes = results *
                                ub__or_else(h->output_bytes, h->element_bytes) +
                            c->partial_writes * h->partial_bytes;
}

/* All folds are alike in time: `stream` of `cycles` cycles stream, on the rows
 * and columns in use; the others load, fill and drain on all of them. */
static void share(const ub__fold *f, int64_t cycles, ub_systolic_stats *out)
{
    const double rows = (double) f->row_folds * (double) f->array_rows;
    const double columns = (double) f->column_folds * (double) f->array_columns;
    const double used_rows = (double) f->rows / rows;
    const double used_columns = (double) f->columns / columns;
    const double each = 1.0 / (double) cycles;
    const double stream = (double) f->stream * each;

    out->share_busy = used_rows * used_columns * stream;
    out->share_unused_rows = (1.0 - used_rows) * stream;
    out->share_unused_columns = used_rows * (1.0 - used_columns) * stream;
    if (cycles == f->stream)
        return; /* level 0 */
    if (f->dataflow != UB_DATAFLOW_OS)
        out->share_weight_load = (double) f->array_rows * each;
    out->share_fill = (double) (f->array_rows - 1) * each;
    out->share_drain = (double) (f->array_columns - 1 + f->drain) * each;
}

ub_status ub__fold_stats(const ub_gemm *g, const ub_hardware *h,
                         const ub_systolic_options *o, ub_systolic_stats *out)
{
    const int32_t compat = o->level == 2 ? UB_SYSTOLIC_COMPAT_SCALESIM
                                         : UB_SYSTOLIC_COMPAT_NONE;
    ub_systolic_folds counts = { .size = sizeof(counts) };
    ub__fold f;
    ub_status status;

    if (h->arrays != 1 || o->count_memory != 0 ||
        (o->compat != UB_SYSTOLIC_COMPAT_NONE && o->compat != compat))
        return UB_ERR_UNSUPPORTED;
    if (g->count == 0)
        return UB_OK;
    status = ub__fold_counts(g, h, o, &counts);
    if (status != UB_OK)
        return status;
    f = ub__fold_of(g->m, g->k, g->n, h, o);
    *out = (ub_systolic_stats){ .size = sizeof(*out),
                                .cycles = counts.cycles,
                                .macs = counts.macs,
                                .utilization = counts.utilization };
    out->rounds = f.row_folds * f.column_folds * g->count;
    if (o->level == 0) {
        out->cycles = out->rounds * f.stream;
        out->utilization = counts.mapping_efficiency;
        share(&f, f.stream, out);
    } else {
        count_bytes(&counts, h, out);
        share(&f, f.cycles, out);
    }
    out->latency_ms = (double) out->cycles / h->clock_hz * 1e3;
    return UB_OK;
}
