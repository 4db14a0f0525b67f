/* SPDX-License-Identifier: BSD-2-Clause */
#include "systolic/csim.h"
#include "systolic/systolic.h"

#include "systolic/fold.h"

#include <math.h>

#define MAX_CYCLES 1125899906842624.0 /* 2^50 */

static const ub_systolic_options defaults = {
    .size = sizeof(ub_systolic_options),
    .batch = 1,
    .level = 1,
    .prefetch = 100,
    .charge_inputs = 1,
    .charge_outputs = 1,
    .sparsity = UB_SYSTOLIC_ELLPACK,
    .seed = 1,
};

static int64_t min_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t tiles(int64_t extent, int64_t size)
{
    return (extent - 1) / size + 1;
}

static ub__tiling cut(const ub_gemm *g, const ub_hardware *h,
                      const ub_systolic_options *o)
{
    ub__tiling t = { .gemm = *g };

    t.rows = h->rows;
    t.columns = h->columns;
    t.element_bytes = h->element_bytes;
    t.partial_bytes = h->partial_bytes;
    t.input_ratio = (double) g->input_elements * (double) h->element_bytes /
                    ((double) g->m * (double) g->k);
    t.ticks_per_byte = (double) UB__TICKS * h->clock_hz / h->bandwidth;
    t.tiles_m = tiles(g->m, t.rows);
    t.tiles_k = tiles(g->k, t.rows);
    t.tiles_n = tiles(g->n, t.columns);
    t.charge_inputs = o->charge_inputs;
    t.charge_outputs = o->charge_outputs;
    return t;
}

/* -- room in the banks ---------------------------------------------------- */

/* How many tiles fit beside what is kept; any number when the whole operand
 * fits, and that of the next product beside it. Below 0: no room at all. */
static int64_t tiles_ahead(const ub__tiling *t, int64_t bank, int64_t whole,
                           int64_t kept, int64_t tile)
{
    if (whole <= bank / (t->gemm.count > 1 ? 2 : 1))
        return UB__MAX_PREFETCH;
    return kept > bank ? -1 : (bank - kept) / tile;
}

static int64_t inputs_ahead(const ub__tiling *t, const ub__schedule *s,
                            int64_t bank)
{
    const ub_gemm *g = &t->gemm;
    const int64_t tile = ub__input_bytes(t, min_of(g->m, t->rows),
                                         min_of(g->k, t->rows));
    const int64_t block = min_of(g->m, s->block_m * t->rows);
    const int64_t kept = s->keep_inputs ? ub__input_bytes(t, block, g->k)
                                        : tile;
    int64_t ahead;

    if (!t->charge_inputs)
        return UB__MAX_PREFETCH;
    ahead = tiles_ahead(t, bank, ub__input_bytes(t, g->m, g->k), kept, tile);
    /* a tile of inputs lasts for the block's tiles of weights */
    return ahead > UB__MAX_PREFETCH ? ahead : ahead * s->block_n;
}

static int64_t weights_ahead(const ub__tiling *t, const ub__schedule *s,
                             int64_t bank)
{
    const ub_gemm *g = &t->gemm;
    const int64_t depth = min_of(g->k, t->rows) * t->element_bytes;
    const int64_t whole = g->k * g->n * t->element_bytes;
    const int64_t panel = depth * min_of(g->n, s->block_n * t->columns);

    return tiles_ahead(t, bank, whole, s->keep_weights ? whole : panel,
                       depth * min_of(g->n, t->columns));
}

static int64_t results_ahead(const ub__tiling *t, const ub__schedule *s,
                             int64_t bank)
{
    const ub_gemm *g = &t->gemm;
    const int64_t tile = min_of(g->m, t->rows) * min_of(g->n, t->columns) *
                         t->partial_bytes;
    const int64_t block = min_of(g->m, s->block_m * t->rows) *
                          min_of(g->n, s->block_n * t->columns) *
                          t->partial_bytes;

    return tiles_ahead(t, bank, g->m * g->n * t->partial_bytes,
                       t->tiles_k > 1 ? block : tile, tile);
}

/* Set the window; 0 when the schedule does not fit. */
static int fit(const ub__tiling *t, const ub_hardware *h,
               const ub_systolic_options *o, ub__schedule *s)
{
    int64_t window = o->prefetch;

    window = min_of(window, inputs_ahead(t, s, h->bank_bytes));
    window = min_of(window, weights_ahead(t, s, h->bank_bytes));
    window = min_of(window, results_ahead(t, s, h->bank_bytes));
    s->window = (int) window;
    return window >= 0;
}

/* -- choosing ------------------------------------------------------------- */

static int64_t stream_cycles(int64_t rows)
{
    return (rows > UB__SRAM_CYCLES ? rows : UB__SRAM_CYCLES) + 1;
}

/* Bytes through the channel; no walk is faster than they take. */
static double least_ticks(const ub__tiling *t, const ub__schedule *s)
{
    const ub_gemm *g = &t->gemm;
    const int64_t blocks_m = tiles(t->tiles_m, s->block_m);
    const int64_t blocks_n = tiles(t->tiles_n, s->block_n);
    double bytes = (double) g->k * (double) g->n * (double) t->element_bytes *
                   (s->keep_weights ? 1.0 : (double) blocks_m);

    if (t->charge_inputs)
        bytes += (double) g->m * (double) g->k * t->input_ratio *
                 (s->keep_inputs ? 1.0 : (double) blocks_n);
    if (t->charge_outputs)
        bytes += (double) g->m * (double) g->n * (double) t->element_bytes;
    return bytes * (double) g->count * t->ticks_per_byte;
}

/* No walk computes faster: all begin with the first tiles, stream all tiles,
 * and end with storing the last one. */
static double least_computing(const ub__tiling *t)
{
    const ub_gemm *g = &t->gemm;
    const int64_t m = min_of(g->m, t->rows), k = min_of(g->k, t->rows);
    const int64_t last_m = g->m - (t->tiles_m - 1) * t->rows;
    const int64_t last_n = g->n - (t->tiles_n - 1) * t->columns;
    const double loads = (double) (k * min_of(g->n, t->columns) *
                                   t->element_bytes) *
                         t->ticks_per_byte;
    const double inputs = t->charge_inputs ? (double) ub__input_bytes(t, m, k) *
                                                 t->ticks_per_byte
                                           : 0.0;
    const double store = t->charge_outputs
                             ? (double) (last_m * last_n * t->element_bytes) *
                                   t->ticks_per_byte
                             : 0.0;
    const double streams = (double) t->tiles_k * (double) t->tiles_n *
                           (double) g->count *
                           ((double) (t->tiles_m - 1) *
                                (double) stream_cycles(t->rows) +
                            (double) stream_cycles(last_m));

    return ceil(loads) +
           fmax(ceil(inputs), (double) (k + 1) * (double) UB__TICKS) +
           streams * (double) UB__TICKS +
           fmax(ceil(store), 2.0 * (double) UB__TICKS);
}

static void consider(const ub__tiling *t, const ub_hardware *h,
                     const ub_systolic_options *o, ub__schedule *s,
                     ub__outcome *best)
{
    ub__outcome outcome;

    if (!fit(t, h, o, s) || least_ticks(t, s) >= (double) best->ticks)
        return;
    ub__systolic_walk(t, s, &outcome);
    if (outcome.ticks < best->ticks)
        *best = outcome;
}

static int64_t half(int64_t n)
{
    return n > 1 ? (n + 1) / 2 : 0;
}

/* The fastest of all schedules that fit. Which ones are tried does not depend
 * on the banks, so that larger ones never slow a layer down. */
static void choose(const ub__tiling *t, const ub_hardware *h,
                   const ub_systolic_options *o, ub__outcome *best)
{
    const double least = least_computing(t);

    best->ticks = INT64_MAX;
    for (int64_t m = t->tiles_m; m > 0; m = half(m)) {
        for (int64_t n = t->tiles_n; n > 0; n = half(n)) {
            const int again_m = m < t->tiles_m, again_n = n < t->tiles_n;

            for (int keep = 0; keep < 4; keep++) {
                ub__schedule s = { m, n, keep & 1, keep >> 1, 0 };

                if ((s.keep_inputs && !again_n) || (s.keep_weights && !again_m))
                    continue;
                consider(t, h, o, &s, best);
                if ((double) best->ticks <= least)
                    return;
            }
        }
    }
}

/* Cycles of the slowest schedule, roughly. */
static double most_cycles(const ub__tiling *t)
{
    const ub__schedule smallest = { 1, 1, 0, 0, 0 };
    const double rounds = (double) t->tiles_m * (double) t->tiles_k *
                          (double) t->tiles_n * (double) t->gemm.count;

    return rounds * (2.0 * (double) t->rows + 16.0) +
           least_ticks(t, &smallest) / (double) UB__TICKS;
}

/* -- public --------------------------------------------------------------- */

/* What levels 0 and 2 alone look at. */
static int fold_options_valid(const ub_systolic_options *o)
{
    return o->os_drain >= 0 && o->os_drain <= 1 && o->count_memory >= 0 &&
           o->count_memory <= 2 && o->sparsity >= UB_SYSTOLIC_DENSE &&
           o->sparsity <= UB_SYSTOLIC_ELLPACK &&
           o->compat >= UB_SYSTOLIC_COMPAT_NONE &&
           o->compat <= UB_SYSTOLIC_COMPAT_CSIM;
}

ub_status ub__systolic_options_in(const ub_systolic_options *options,
                                  ub_systolic_options *out)
{
    ub_systolic_options full = defaults;
    const ub_status status = ub__options_in(
        NULL, "systolic", &full, sizeof(full), sizeof(full), options);

    if (status != UB_OK)
        return status;
    if (full.batch < 1 || full.prefetch < 0 ||
        full.prefetch > UB__MAX_PREFETCH || full.charge_inputs < 0 ||
        full.charge_inputs > 1 || full.charge_outputs < 0 ||
        full.charge_outputs > 1 || !fold_options_valid(&full))
        return UB_ERR_INVALID;
    if (full.level < 0 || full.level > 3)
        return UB_ERR_UNSUPPORTED;
    *out = full;
    return UB_OK;
}

int ub__systolic_gemm_valid(const ub_gemm *g)
{
    int64_t x, w, y, macs;

    if (g == NULL || g->size < sizeof(*g) || g->count < 0)
        return 0;
    if (g->count == 0)
        return 1;
    return g->m >= 1 && g->k >= 1 && g->n >= 1 && g->input_elements >= 1 &&
           ub__mul_int64(g->m, g->k, &x) && g->input_elements <= x &&
           ub__mul_int64(g->k, g->n, &w) && ub__mul_int64(g->m, g->n, &y) &&
           ub__mul_int64(x, g->n, &macs) &&
           ub__mul_int64(macs, g->count, &macs) && macs <= INT64_MAX / 256;
}

static int64_t cycles_of(int64_t ticks)
{
    return (ticks + UB__TICKS - 1) / UB__TICKS;
}

static ub_systolic_stats to_stats(const ub_gemm *g, const ub_hardware *h,
                                  const ub__outcome *outcome)
{
    const ub__counters *c = &outcome->counters;
    ub_systolic_stats s = {
        .size = sizeof(s),
        .cycles = cycles_of(outcome->ticks),
        .macs = g->m * g->k * g->n * g->count,
        .rounds = c->rounds,
        .stall_weights = cycles_of(c->stall_weights),
        .stall_inputs = cycles_of(c->stall_inputs),
        .stall_outputs = cycles_of(outcome->stall_outputs),
        .weight_bytes = c->weight_bytes,
        .input_bytes = c->input_bytes,
        .output_bytes = c->output_bytes,
        .sram_read_bytes = c->sram_read_bytes,
        .sram_write_bytes = c->sram_write_bytes,
    };

    s.latency_ms = (double) s.cycles / h->clock_hz * 1e3;
    s.utilization = (double) s.macs /
                    ((double) s.cycles * (double) h->rows *
                     (double) h->columns * (double) h->arrays);
    return s;
}

void ub_systolic_options_init(ub_systolic_options *options, size_t size)
{
    ub__options_out(options, size, &defaults, sizeof(defaults));
}

ub_status ub_systolic_gemm(const ub_gemm *gemm, const ub_hardware *hardware,
                           const ub_systolic_options *options,
                           ub_systolic_stats *out)
{
    ub_systolic_stats stats = { .size = sizeof(stats), .utilization = 1.0 };
    ub_systolic_options o;
    ub_hardware h;
    ub__outcome best;
    ub__tiling t;
    ub_status status = ub__hardware_in(hardware, &h);

    if (status == UB_OK && ub__csim_wanted(options))
        return ub__systolic_gemm_valid(gemm) && out != NULL && out->size >= sizeof(*out)
                   ? ub__csim_gemm(gemm, hardware, options, out)
                   : UB_ERR_INVALID;
    if (status == UB_OK)
        status = ub__systolic_options_in(options, &o);
    if (status != UB_OK)
        return status;
    if (!ub__systolic_gemm_valid(gemm) || out == NULL ||
        out->size < sizeof(*out))
        return UB_ERR_INVALID;
    if (o.level != 1) {
        status = o.level == 3 ? UB_ERR_UNSUPPORTED
                              : ub__fold_stats(gemm, &h, &o, &stats);
        if (status == UB_OK)
            ub__options_out(out, out->size, &stats, sizeof(stats));
        return status;
    }
    if (o.compat != UB_SYSTOLIC_COMPAT_NONE)
        return UB_ERR_UNSUPPORTED;
    if (h.arrays != 1 || h.dataflow != UB_DATAFLOW_WS)
        return UB_ERR_UNSUPPORTED;
    if (gemm->count > 0) {
        t = cut(gemm, &h, &o);
        if (!(most_cycles(&t) <= MAX_CYCLES))
            return UB_ERR_RANGE;
        choose(&t, &h, &o, &best);
        if (best.ticks == INT64_MAX)
            return UB_ERR_INVALID;
        stats = to_stats(gemm, &h, &best);
    }
    ub__options_out(out, out->size, &stats, sizeof(stats));
    return UB_OK;
}

ub_status ub_systolic_layer(const ub_layer_info *layer,
                            const ub_hardware *hardware,
                            const ub_systolic_options *options,
                            ub_systolic_stats *out)
{
    ub_gemm g = { .size = sizeof(g) };
    ub_systolic_options o;
    ub_status status;

    if (ub__csim_wanted(options))
        return ub__csim_layer_alone(layer, hardware, options, out);
    status = ub__systolic_options_in(options, &o);
    if (status == UB_OK)
        status = ub_layer_gemm(layer, o.batch, &g);
    if (status == UB_OK && (o.level == 0 || o.level == 2))
        status = ub__stored_gemm(layer, hardware, &o, &g);
    if (status != UB_OK)
        return status;
    return ub_systolic_gemm(&g, hardware, &o, out);
}
