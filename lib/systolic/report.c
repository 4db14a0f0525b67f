/* SPDX-License-Identifier: BSD-2-Clause */
#include "systolic/fold.h"

/* A layer and what is known of it before anything is counted. */
typedef struct job {
    ub_context *context;
    const ub_layer_info *info;
    ub_hardware h;
    ub_systolic_options o;
    ub_gemm dense, stored; /* stored: without the weights that are left out */
    ub_systolic_folds counts;
    ub__fold fold; /* of one product */
    ub__traffic traffic;
    int compat, sparse;
} job;

static const char *name_of(const ub_layer_info *info)
{
    return info->name == NULL ? "" : info->name;
}

static ub_status check_job(job *j)
{
    if (j->h.arrays != 1 || j->o.compat == UB_SYSTOLIC_COMPAT_CSIM)
        return ub__fail(j->context, UB_ERR_UNSUPPORTED,
                        "systolic: the report is of one array, not %lld, and "
                        "not csim's",
                        (long long) j->h.arrays);
    if (j->dense.count > 0 && !ub__systolic_gemm_valid(&j->dense))
        return ub__fail(j->context, UB_ERR_INVALID,
                        "systolic: layer '%.60s' makes no sense",
                        name_of(j->info));
    return UB_OK;
}

static ub_status open_job(ub_context *context, const ub_layer_info *info,
                          const ub_hardware *hardware,
                          const ub_systolic_options *options, job *j)
{
    ub_status status = ub__hardware_in(hardware, &j->h);

    j->context = context;
    j->info = info;
    j->dense = j->stored = (ub_gemm){ .size = sizeof(ub_gemm) };
    if (status != UB_OK)
        return ub__fail(context, status,
                        "systolic: the hardware description makes no sense");
    status = ub__systolic_options_in(options, &j->o);
    if (status != UB_OK)
        return ub__fail(context, status, "systolic: the options make no sense");
    status = ub_layer_gemm(info, j->o.batch, &j->dense);
    if (status != UB_OK)
        return ub__fail(context, status,
                        "systolic: the layer or the batch of %lld makes no "
                        "sense",
                        (long long) j->o.batch);
    j->compat = j->o.compat == UB_SYSTOLIC_COMPAT_SCALESIM;
    return check_job(j);
}

static ub_status count_folds(job *j)
{
    ub_status status;

    j->stored = j->dense;
    j->sparse = j->info->layer->sparse_block > 0 &&
                j->o.sparsity != UB_SYSTOLIC_DENSE;
    status = ub__stored_gemm(j->info, &j->h, &j->o, &j->stored);
    if (status != UB_OK)
        return ub__fail(j->context, status,
                        "systolic: layer '%.60s' keeps %d of %d weights, which "
                        "makes no sense or is no weight-stationary layer",
                        name_of(j->info), (int) j->info->layer->sparse_keep,
                        (int) j->info->layer->sparse_block);
    status = ub__fold_counts(&j->stored, &j->h, &j->o, &j->counts);
    if (status != UB_OK)
        return ub__fail(j->context, status,
                        "systolic: layer '%.60s' takes more than 2^50 cycles",
                        name_of(j->info));
    j->fold = ub__fold_of(j->stored.m, j->stored.k, j->stored.n, &j->h, &j->o);
    return UB_OK;
}

static ub_status count_traffic(job *j)
{
    ub_status status = ub__count_reads(j->context, j->info, &j->dense, &j->fold,
                                       &j->h, &j->traffic);

    if (status != UB_OK)
        return status;
    ub__count_writes(&j->fold, &j->h, j->compat, &j->traffic);
    if (j->o.count_memory == 2 &&
        !ub__count_at_bandwidth(&j->fold, &j->h, &j->traffic))
        return ub__fail(j->context, UB_ERR_UNSUPPORTED,
                        "systolic: layer '%.60s' does not fit half of each "
                        "bank, or a bandwidth is below one element per cycle",
                        name_of(j->info));
    return UB_OK;
}

/* Reads of inputs by a sparse layer: each of a block's inputs is read by the
 * rows of all its kept weights. SCALE-Sim adds the folds one by one. */
static double sparse_reads(const job *j)
{
    const ub_layer *l = j->info->layer;
    const ub__fold *f = &j->fold;
    const double repeated = (double) l->sparse_block / (double) l->sparse_keep;
    double reads = 0.0;

    if (!j->compat)
        return (double) j->counts.input_reads * (double) l->sparse_block /
               (double) l->sparse_keep;
    for (int64_t fc = 0; fc < f->column_folds; fc++) {
        for (int64_t fr = 0; fr < f->row_folds; fr++)
            reads += (double) (f->stream * ub__fold_rows(f, fr)) * repeated;
    }
    return reads * (double) j->dense.count;
}

/* -- percentages ---------------------------------------------------------- */

/* Averages over folds, added up one by one as SCALE-Sim does: its last digits
 * are those of these sums. */
static void average_folds(const ub__fold *f, double *mapping, double *compute)
{
    const double elements = (double) (f->array_rows * f->array_columns);
    const double folds = (double) f->row_folds * (double) f->column_folds;
    const int64_t cycles = ub__utilization_cycles(f,
                                                  UB_SYSTOLIC_COMPAT_SCALESIM);
    double mapped = 0.0, computed = 0.0;

    for (int64_t fc = 0; fc < f->column_folds; fc++) {
        const int64_t columns = ub__fold_columns(f, fc);

        for (int64_t fr = 0; fr < f->row_folds; fr++) {
            const int64_t used = ub__fold_rows(f, fr) * columns;

            mapped += (double) used / elements;
            computed += (double) used * (double) f->stream /
                        (elements * (double) cycles);
        }
    }
    *mapping = mapped / folds * 100.0;
    *compute = computed / folds * 100.0;
}

static double ratio(double a, int64_t b)
{
    return b > 0 ? a / (double) b : 0.0;
}

static void fill_percentages(const job *j, ub_systolic_report *out)
{
    const ub_gemm *g = j->compat ? &j->dense : &j->stored;
    const int64_t macs = g->m * g->k * g->n * g->count;

    out->utilization = ratio((double) macs * 100.0,
                             out->cycles * (j->h.rows * j->h.columns));
    if (j->compat) {
        average_folds(&j->fold, &out->mapping_efficiency,
                      &out->compute_utilization);
    } else {
        out->mapping_efficiency = 100.0 * j->counts.mapping_efficiency;
        out->compute_utilization = 100.0 * j->counts.compute_utilization;
    }
}

/* -- accesses ------------------------------------------------------------- */

/* Products follow each other `later` cycles apart; all are alike. */
static ub_systolic_accesses all_products(const ub__requests *r, int64_t count,
                                         int64_t later)
{
    ub_systolic_accesses a = { r->start, r->stop, r->count * count, 0.0 };

    a.stop += (count - 1) * later;
    a.rate = ratio((double) a.count, a.stop - a.start + 1);
    return a;
}

/* Reads arrive a cycle after the request. */
static ub_systolic_accesses bank(const ub__requests *r, int64_t latency,
                                 int64_t accesses, const job *j, int64_t later)
{
    ub_systolic_accesses a = { r->start + latency, r->stop + latency, accesses,
                               0.0 };

    a.stop += (j->dense.count - 1) * later;
    a.rate = ratio((double) accesses, j->counts.cycles);
    return a;
}

static void fill_accesses(const job *j, ub_systolic_report *out)
{
    const ub__traffic *t = &j->traffic;
    const int64_t count = j->dense.count;
    const int64_t later = j->fold.row_folds * j->fold.column_folds *
                          j->fold.cycles;
    int64_t begin;

    out->input_reads = (double) j->counts.input_reads;
    if (j->sparse)
        out->input_reads = sparse_reads(j);
    out->sram_input = bank(&t->sram_input, 1, (int64_t) out->input_reads, j,
                           later);
    out->sram_input.rate = ratio(out->input_reads, out->cycles);
    out->sram_weight = bank(&t->sram_weight, 1, j->counts.weight_reads, j,
                            later);
    out->sram_output = bank(&t->sram_output, 0, j->counts.output_writes, j,
                            later);
    out->dram_input = all_products(&t->dram_input, count, later);
    out->dram_weight = all_products(&t->dram_weight, count, later);
    out->dram_output = all_products(&t->dram_output, count, later);
    begin = out->dram_input.start < out->dram_weight.start
                ? out->dram_input.start
                : out->dram_weight.start;
    out->cycles_with_prefetch = out->dram_output.stop - begin +
                                (j->compat ? 0 : 1);
}

/* -- storage of weights --------------------------------------------------- */

/* The least number of bits that tell n values apart. */
static int64_t index_bits(int64_t n)
{
    int64_t bits = 0;

    while (((int64_t) 1 << bits) < n)
        bits++;
    return bits;
}

static void fill_storage(const job *j, ub_systolic_report *out)
{
    const ub_gemm *g = &j->dense;
    const int64_t kept = j->stored.k * g->n;
    const int64_t block = j->info->layer->sparse_block;
    double index = 0.0;

    switch (j->o.sparsity) {
    case UB_SYSTOLIC_CSR: index = (double) (kept + g->k + 1); break;
    case UB_SYSTOLIC_CSC: index = (double) (kept + g->n + 1); break;
    case UB_SYSTOLIC_ELLPACK:
        index = (double) (kept * index_bits(block)) / 32.0;
        break;
    default: return;
    }
    if (j->sparse)
        out->sparsity = j->o.sparsity;
    out->dense_words = g->k * g->n * g->count;
    out->index_words = index * (double) g->count;
    out->stored_words = (double) (kept * g->count) + out->index_words;
    out->index_rate = ratio(out->index_words, out->cycles);
}

/* -- public --------------------------------------------------------------- */

ub_status ub_systolic_report_layer(ub_context *context,
                                   const ub_layer_info *layer,
                                   const ub_hardware *hardware,
                                   const ub_systolic_options *options,
                                   ub_systolic_report *out)
{
    ub_systolic_report report = { .size = sizeof(report) };
    job j;
    ub_status status;

    if (context == NULL)
        return UB_ERR_INVALID;
    if (layer == NULL || layer->size < sizeof(*layer) || layer->layer == NULL ||
        out == NULL || out->size < sizeof(*out))
        return ub__fail(context, UB_ERR_INVALID,
                        "systolic: the report needs a layer and a result with "
                        "their sizes set");
    status = open_job(context, layer, hardware, options, &j);
    if (status != UB_OK)
        return status;
    if (j.dense.count > 0) {
        status = count_folds(&j);
        if (status == UB_OK)
            status = count_traffic(&j);
        if (status != UB_OK)
            return status;
        report.cycles = j.counts.cycles;
        report.products = j.dense.count;
        report.partial_writes = j.counts.partial_writes;
        report.partial_reads = j.counts.partial_reads;
        fill_percentages(&j, &report);
        fill_accesses(&j, &report);
        fill_storage(&j, &report);
    }
    ub__options_out(out, out->size, &report, sizeof(report));
    return UB_OK;
}

ub_status ub__layer_with_memory(ub_context *context, const ub_layer_info *layer,
                                const ub_hardware *hardware,
                                const ub_systolic_options *options,
                                ub_systolic_stats *out)
{
    ub_systolic_report r = { .size = sizeof(r) };
    ub_systolic_options o;
    ub_hardware h;
    ub_status status = ub__hardware_in(hardware, &h);

    if (status == UB_OK)
        status = ub__systolic_options_in(options, &o);
    if (status == UB_OK)
        status = ub_systolic_report_layer(context, layer, &h, &o, &r);
    o.count_memory = 0;
    if (status == UB_OK)
        status = ub_systolic_layer(layer, &h, &o, out);
    if (status != UB_OK)
        return status;
    if (o.charge_inputs && !layer->layer->on_chip)
        out->input_bytes = r.dram_input.count *
                           ub__or_else(h.input_bytes, h.element_bytes);
    out->weight_bytes = r.dram_weight.count *
                        ub__or_else(h.weight_bytes, h.element_bytes);
    if (o.charge_outputs)
        out->output_bytes = r.dram_output.count *
                            ub__or_else(h.output_bytes, h.element_bytes);
    out->sram_write_bytes += out->input_bytes + out->weight_bytes;
    return UB_OK;
}
