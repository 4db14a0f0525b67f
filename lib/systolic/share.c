/* SPDX-License-Identifier: BSD-2-Clause */
#include "systolic/systolic.h"

/* What is cut into tiles, the last of which may be smaller. */
typedef struct cut {
    int64_t whole, size, tiles;
} cut;

/* Sums over all tiles of an extent. */
typedef double (*tile_fn)(const ub__tiling *t, int64_t size);

static double over_tiles(const ub__tiling *t, const cut *e, tile_fn fn)
{
    const int64_t rest = e->whole - (e->tiles - 1) * e->size;

    return (double) (e->tiles - 1) * fn(t, e->size) + fn(t, rest);
}

/* Of the extent that streams: m, or k of stationary outputs. */
static double streaming(const ub__tiling *t, int64_t size)
{
    return (double) ub__tiling_stream(t, size);
}

static double filling(const ub__tiling *t, int64_t size)
{
    return (double) (ub__tiling_round(t, size) - ub__tiling_stream(t, size));
}

/* Arrays that have a part of such an extent. */
static double sharing(int64_t extent, int64_t parts)
{
    return (double) ub__ceil_div(extent, ub__ceil_div(extent, parts));
}

/* Of the extent on the array's rows: k, or m of stationary outputs. */
static double arrays_of_held(const ub__tiling *t, int64_t size)
{
    return sharing(size, t->parts_shifted);
}

static double arrays_of_n(const ub__tiling *t, int64_t columns)
{
    return sharing(columns, t->split.n);
}

static double arrays_of_group(const ub__tiling *t, int64_t group)
{
    return sharing(group, t->split.groups);
}

static int64_t cycles_of(int64_t ticks)
{
    return (ticks + UB__TICKS - 1) / UB__TICKS;
}

/* Everything is counted for itself, nothing is a remainder: that the shares
 * add to one is a check. */
static void set_shares(const ub__tiling *t, const ub_hardware *h,
                       const ub__outcome *outcome, ub_systolic_stats *s)
{
    const ub_gemm *g = &t->gemm;
    const ub__counters *c = &outcome->counters;
    const double cycles = (double) s->cycles;
    const double ticks = cycles * (double) UB__TICKS;
    const double elements = (double) h->rows * (double) h->columns *
                            (double) h->arrays;
    const cut m = { g->m, t->rows, t->tiles_m };
    const cut k = { g->k, t->depth, t->tiles_k };
    const cut n = { g->n, t->columns, t->tiles_n };
    const cut groups = { g->count, t->group, t->groups };
    const cut *streamed = t->outputs ? &k : &m;
    const cut *held = t->outputs ? &m : &k;
    const double across = (double) t->groups * (double) held->tiles *
                          (double) t->tiles_n;
    const double streams = across * over_tiles(t, streamed, streaming);
    const double fills = across * over_tiles(t, streamed, filling);
    const double rows_streamed = (double) streamed->whole *
                                 over_tiles(t, &n, arrays_of_n);
    /* what streams through arrays, and through rows of arrays that have work */
    const double arrays = rows_streamed * over_tiles(t, held, arrays_of_held) *
                          over_tiles(t, &groups, arrays_of_group);
    const double rows = rows_streamed * (double) held->whole *
                        (double) g->count;
    const double all = cycles * elements;

    s->share_busy = s->utilization;
    s->share_unused_arrays = streams / cycles -
                             arrays / (double) h->arrays / cycles;
    s->share_unused_rows = (arrays * (double) h->rows - rows) *
                           (double) h->columns / all;
    s->share_unused_columns = (rows * (double) h->columns - (double) s->macs) /
                              all;
    s->share_weight_load = (double) (t->outputs ? 0 : c->shift) / ticks;
    s->share_fill = fills / cycles;
    /* with what is missing of the last cycle */
    s->share_drain = (double) ((t->outputs ? c->shift : 0) + outcome->drain +
                               s->cycles * UB__TICKS - outcome->ticks) /
                     ticks;
    s->share_wait_weights = (double) c->stall_fixed / ticks;
    s->share_wait_inputs = (double) c->stall_streamed / ticks;
    s->share_wait_outputs = (double) c->stall_results / ticks;
}

/* From the array's operands to the layer's. */
static void turn(ub_systolic_stats *s)
{
    const int64_t stall = s->stall_weights, bytes = s->weight_bytes;
    const double share = s->share_wait_weights;

    s->stall_weights = s->stall_inputs;
    s->stall_inputs = stall;
    s->weight_bytes = s->input_bytes;
    s->input_bytes = bytes;
    s->share_wait_weights = s->share_wait_inputs;
    s->share_wait_inputs = share;
}

ub_systolic_stats ub__systolic_stats(const ub__tiling *t, const ub_hardware *h,
                                     const ub__outcome *outcome)
{
    const ub_gemm *g = &t->gemm;
    const ub__counters *c = &outcome->counters;
    ub_systolic_stats s = {
        .size = sizeof(s),
        .cycles = cycles_of(outcome->ticks),
        .macs = g->m * g->k * g->n * g->count,
        .rounds = c->rounds,
        .stall_weights = cycles_of(c->stall_fixed),
        .stall_inputs = cycles_of(c->stall_streamed),
        .stall_outputs = cycles_of(c->stall_results),
        .weight_bytes = c->fixed_bytes,
        .input_bytes = c->streamed_bytes,
        .output_bytes = c->result_bytes,
        .sram_read_bytes = c->sram_read_bytes,
        .sram_write_bytes = c->sram_write_bytes,
    };

    s.latency_ms = (double) s.cycles / h->clock_hz * 1e3;
    s.utilization = (double) s.macs /
                    ((double) s.cycles * (double) h->rows *
                     (double) h->columns * (double) h->arrays);
    set_shares(t, h, outcome, &s);
    if (h->dataflow == UB_DATAFLOW_IS)
        turn(&s);
    return s;
}
