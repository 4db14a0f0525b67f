/* SPDX-License-Identifier: BSD-2-Clause */
#include "systolic/systolic.h"

#include <math.h>

#define MAX_CYCLES 1125899906842624.0    /* 2^50 */
#define MAX_BYTES  4611686018427387904.0 /* 2^62 */

static int64_t min_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t max_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int64_t ub__ceil_div(int64_t n, int64_t size)
{
    /* one array is the usual case, and divisions are slow */
    return size == 1 ? n : (n - 1) / size + 1;
}

/* -- the machine ---------------------------------------------------------- */

/* A channel of its own, or the first one. */
static int channel(ub__tiling *t, const ub_hardware *h, double bandwidth)
{
    if (!(bandwidth > 0.0))
        return 0;
    t->ticks_per_byte[t->channels] = (double) UB__TICKS * h->clock_hz /
                                     bandwidth;
    return t->channels++;
}

static void set_memory(ub__tiling *t, const ub_hardware *h, ub__operand *inputs,
                       ub__operand *weights)
{
    /* The shared channel is there only when somebody uses it. */
    if (!(h->input_bandwidth > 0.0 && h->weight_bandwidth > 0.0 &&
          h->output_bandwidth > 0.0)) {
        t->channels = 1;
        t->ticks_per_byte[0] = (double) UB__TICKS * h->clock_hz / h->bandwidth;
    }
    inputs->channel = channel(t, h, h->input_bandwidth);
    weights->channel = channel(t, h, h->weight_bandwidth);
    t->results.channel = channel(t, h, h->output_bandwidth);
    t->latency = h->memory_latency * UB__TICKS;
    t->burst_bytes = h->burst_bytes;
    t->partial_bytes = h->partial_bytes;
}

/* ceil(log2 arrays) */
static int64_t stages(int64_t arrays)
{
    int64_t n = 0;

    while (((int64_t) 1 << n) < arrays)
        n++;
    return n;
}

static int64_t interconnect_latency(const ub_hardware *h, int64_t arrays)
{
    const int64_t n = stages(arrays);

    switch (h->interconnect) {
    case UB_INTERCONNECT_BENES_COPY: return max_of(4 * n - 1, 1);
    case UB_INTERCONNECT_BENES: return max_of(2 * n - 1, 1);
    case UB_INTERCONNECT_BANYAN:
        return max_of(n > 0 ? n + 2 * h->expansion : 0, 1);
    default: return 1;
    }
}

static void set_interconnect(ub__tiling *t, const ub_hardware *h)
{
    const ub__parts *s = &t->split;
    const int64_t results = s->groups * s->m * s->n;
    const int64_t arrays = results * s->k;
    const int bus = h->interconnect == UB_INTERCONNECT_BUS;
    /* inputs or weights, whichever are of more sources */
    const int64_t operands = s->groups * s->k * max_of(s->m, s->n);
    /* pairs of partial sums are added level by level; on a bus one by one */
    const int64_t additions = bus ? results * (s->k - 1) : stages(s->k);

    t->hops = interconnect_latency(h, arrays);
    t->serial_streamed = t->serial_shifted = 1;
    if (bus) {
        /* every array has partial sums of its own to send */
        t->serial_streamed = t->outputs ? operands : arrays;
        t->serial_shifted = t->outputs ? arrays : s->groups * s->k * s->n;
    }
    t->merge = additions *
               (max_of(ub__ceil_div(min_of(t->gemm.m, t->rows), s->m),
                       2 * t->hops + 1) +
                1) *
               UB__TICKS;
}

/* Bytes of the banks of all arrays used. */
static int64_t room(int64_t own, const ub_hardware *h, int64_t arrays)
{
    const int64_t bank = ub__or_else(own, h->bank_bytes);

    return bank > INT64_MAX / arrays ? INT64_MAX : bank * arrays;
}

/* -- the product ---------------------------------------------------------- */

/* Inputs stationary: the transposed product, with the roles exchanged. */
static ub_gemm oriented(const ub_gemm *g, const ub_hardware *h)
{
    ub_gemm turned = *g;

    if (h->dataflow == UB_DATAFLOW_IS) {
        turned.m = g->n;
        turned.n = g->m;
    }
    return turned;
}

/* Products of `rows` x `columns` on the diagonal of such a tile. */
static int64_t packed(const ub_gemm *g, int64_t rows, int64_t columns,
                      int64_t tile_rows, int64_t tile_columns)
{
    int64_t most;

    if (rows > tile_rows || columns > tile_columns)
        return 1;
    most = min_of(tile_rows / rows, tile_columns / columns);
    return min_of(most, g->count);
}

ub__tiling ub__tiling_cut(const ub_gemm *gemm, const ub_hardware *h,
                          const ub_systolic_options *o, const ub__parts *split)
{
    const ub_gemm g = oriented(gemm, h);
    const int64_t arrays = split->groups * split->m * split->k * split->n;
    const int64_t tile_m = ub__or_else(o->tile_m, h->rows);
    const int64_t tile_k = ub__or_else(o->tile_k, h->rows);
    const int64_t tile_n = ub__or_else(o->tile_n, h->columns);
    ub__operand inputs = { 0 }, weights = { 0 };
    ub__tiling t = { .gemm = g, .split = *split };

    inputs.bytes = ub__or_else(h->input_bytes, h->element_bytes);
    inputs.ratio = (double) g.input_elements * (double) inputs.bytes /
                   ((double) gemm->m * (double) gemm->k);
    inputs.bank = room(h->input_bank_bytes, h, arrays);
    inputs.charged = o->charge_inputs;
    weights.bytes = ub__or_else(h->weight_bytes, h->element_bytes);
    weights.ratio = (double) weights.bytes;
    weights.bank = room(h->weight_bank_bytes, h, arrays);
    weights.charged = 1;
    t.results.bytes = ub__or_else(h->output_bytes, h->element_bytes);
    t.results.ratio = (double) t.results.bytes;
    t.results.bank = room(h->output_bank_bytes, h, arrays);
    t.results.charged = o->charge_outputs;
    set_memory(&t, h, &inputs, &weights);
    t.streamed = h->dataflow == UB_DATAFLOW_IS ? weights : inputs;
    t.fixed = h->dataflow == UB_DATAFLOW_IS ? inputs : weights;

    t.outputs = h->dataflow == UB_DATAFLOW_OS;
    t.parts_streamed = t.outputs ? split->k : split->m;
    t.parts_shifted = t.outputs ? split->m : split->k;
    t.pack = 1;
    if (o->packed)
        t.pack = t.outputs ? packed(&g, g.m, g.n, tile_m, tile_n)
                           : packed(&g, g.k, g.n, tile_k, tile_n);
    t.group = min_of(g.count, t.pack * split->groups);
    t.rows = tile_m * split->m;
    t.depth = tile_k * split->k;
    t.columns = tile_n * split->n;
    t.groups = ub__ceil_div(g.count, t.group);
    t.tiles_m = ub__ceil_div(g.m, t.rows);
    t.tiles_k = ub__ceil_div(g.k, t.depth);
    t.tiles_n = ub__ceil_div(g.n, t.columns);
    set_interconnect(&t, h);
    return t;
}

/* -- one round ------------------------------------------------------------ */

int64_t ub__tiling_bytes(const ub__tiling *t, const ub__operand *operand,
                         int64_t group, int64_t a, int64_t b)
{
    const int64_t bytes = group * (int64_t) ceil((double) a * (double) b *
                                                 operand->ratio);

    return t->burst_bytes > 1
               ? ub__ceil_div(bytes, t->burst_bytes) * t->burst_bytes
               : bytes;
}

int64_t ub__tiling_transfer(const ub__tiling *t, const ub__operand *operand,
                            int64_t bytes)
{
    return (int64_t) ceil((double) bytes * t->ticks_per_byte[operand->channel]);
}

int64_t ub__tiling_stream(const ub__tiling *t, int64_t rows)
{
    return ub__ceil_div(rows, t->parts_streamed) * t->serial_streamed;
}

int64_t ub__tiling_round(const ub__tiling *t, int64_t rows)
{
    return max_of(ub__tiling_stream(t, rows), 2 * t->hops + 1) + 1;
}

int64_t ub__tiling_shift(const ub__tiling *t, int64_t group, int64_t rows)
{
    return ub__ceil_div(group, t->split.groups) *
               ub__ceil_div(rows, t->parts_shifted) * t->serial_shifted +
           1;
}

/* -- room in the banks ---------------------------------------------------- */

/* How many tiles fit beside what is kept; any number when the whole operand
 * fits, and that of the next product beside it. Below 0: no room at all. */
static int64_t tiles_ahead(const ub__tiling *t, int64_t bank, int64_t whole,
                           int64_t kept, int64_t tile)
{
    if (whole <= bank / (t->groups > 1 ? 2 : 1))
        return UB__MAX_PREFETCH;
    return kept > bank ? -1 : (bank - kept) / tile;
}

static int64_t bytes_of(const ub__tiling *t, const ub__operand *operand,
                        int64_t a, int64_t b)
{
    return t->group * (int64_t) ceil((double) a * (double) b * operand->ratio);
}

static int64_t streamed_ahead(const ub__tiling *t, const ub__schedule *s)
{
    const ub_gemm *g = &t->gemm;
    const ub__operand *x = &t->streamed;
    const int64_t tile = bytes_of(t, x, min_of(g->m, t->rows),
                                  min_of(g->k, t->depth));
    const int64_t block = min_of(g->m, s->block_m * t->rows);
    /* what passes between two uses of a tile in the block */
    const int64_t tiles = t->outputs ? t->tiles_k : 1;
    int64_t kept = tile, ahead;

    if (!x->charged)
        return UB__MAX_PREFETCH;
    if (s->keep_streamed)
        kept = bytes_of(t, x, block, g->k);
    else if (tiles > 1 && s->block_n > 1)
        kept = bytes_of(t, x, min_of(g->m, t->rows), g->k);
    ahead = tiles_ahead(t, x->bank, bytes_of(t, x, g->m, g->k), kept, tile);
    if (ahead < 0 || ahead >= UB__MAX_PREFETCH)
        return ahead;
    /* that many streamed tiles last for the block's fixed tiles */
    return ahead / tiles * tiles * s->block_n + ahead % tiles;
}

static int64_t fixed_ahead(const ub__tiling *t, const ub__schedule *s)
{
    const ub_gemm *g = &t->gemm;
    const ub__operand *w = &t->fixed;
    const int64_t depth = min_of(g->k, t->depth);
    const int64_t whole = bytes_of(t, w, g->k, g->n);
    const int64_t tile = bytes_of(t, w, depth, min_of(g->n, t->columns));
    const int64_t across = min_of(g->n, s->block_n * t->columns);
    int64_t kept = whole;

    if (!w->charged)
        return UB__MAX_PREFETCH;
    /* what the next row of the block's results needs again */
    if (!s->keep_fixed && t->outputs)
        kept = s->block_m > 1 ? bytes_of(t, w, g->k, across) : tile;
    else if (!s->keep_fixed)
        kept = bytes_of(t, w, depth, across);
    return tiles_ahead(t, w->bank, whole, kept, tile);
}

static int64_t results_ahead(const ub__tiling *t, const ub__schedule *s)
{
    const ub_gemm *g = &t->gemm;
    /* each array of a split k has sums of its own */
    const int64_t each = t->group * t->split.k * t->partial_bytes;
    const int64_t tile = min_of(g->m, t->rows) * min_of(g->n, t->columns) *
                         each;
    const int64_t block = min_of(g->m, s->block_m * t->rows) *
                          min_of(g->n, s->block_n * t->columns) * each;
    const int64_t ahead = tiles_ahead(
        t, t->results.bank, g->m * g->n * each,
        t->tiles_k > 1 && !t->outputs ? block : tile, tile);

    /* the array keeps its sums, and makes a tile in tiles_k rounds: the results
     * of `ahead` + 2 tiles before are to be stored */
    return t->outputs && ahead >= 0 && ahead < UB__MAX_PREFETCH
               ? (ahead + 2) * t->tiles_k - 2
               : ahead;
}

int ub__tiling_fit(const ub__tiling *t, int prefetch, ub__schedule *s)
{
    const int64_t room = min_of(results_ahead(t, s), UB__MAX_PREFETCH);
    int64_t window = min_of(prefetch, room);

    window = min_of(window, streamed_ahead(t, s));
    window = min_of(window, fixed_ahead(t, s));
    s->window = (int) window;
    s->room = (int) room;
    return window >= 0;
}

/* -- bounds --------------------------------------------------------------- */

/* Bytes through each channel, without what bursts add. */
static void all_bytes(const ub__tiling *t, const ub__schedule *s,
                      double bytes[UB__CHANNELS])
{
    const ub_gemm *g = &t->gemm;
    const double blocks_m = (double) ub__ceil_div(t->tiles_m, s->block_m);
    const double blocks_n = (double) ub__ceil_div(t->tiles_n, s->block_n);

    for (int i = 0; i < UB__CHANNELS; i++)
        bytes[i] = 0.0;
    if (t->fixed.charged)
        bytes[t->fixed.channel] += (double) g->k * (double) g->n *
                                   t->fixed.ratio *
                                   (s->keep_fixed ? 1.0 : blocks_m);
    if (t->streamed.charged)
        bytes[t->streamed.channel] += (double) g->m * (double) g->k *
                                      t->streamed.ratio *
                                      (s->keep_streamed ? 1.0 : blocks_n);
    if (t->results.charged)
        bytes[t->results.channel] += (double) g->m * (double) g->n *
                                     t->results.ratio;
}

double ub__tiling_least_moving(const ub__tiling *t, const ub__schedule *s)
{
    double bytes[UB__CHANNELS], most = 0.0;

    all_bytes(t, s, bytes);
    for (int i = 0; i < t->channels; i++)
        most = fmax(most,
                    bytes[i] * (double) t->gemm.count * t->ticks_per_byte[i]);
    return most;
}

static int64_t tile_ticks(const ub__tiling *t, const ub__operand *operand,
                          int64_t group, int64_t a, int64_t b)
{
    if (!operand->charged)
        return 0;
    return ub__tiling_transfer(t, operand,
                               ub__tiling_bytes(t, operand, group, a, b));
}

/* Cycles of all tiles of an extent; `of` is one's. */
typedef int64_t (*tile_fn)(const ub__tiling *t, int64_t size);

static double over_tiles(const ub__tiling *t, int64_t tiles, int64_t size,
                         int64_t last, tile_fn of)
{
    return (double) (tiles - 1) * (double) of(t, size) + (double) of(t, last);
}

static int64_t shift_of(const ub__tiling *t, int64_t rows)
{
    return ub__tiling_shift(t, 1, rows);
}

/* From when the first round may start at the earliest, but for shifting. */
static int64_t first_loads(const ub__tiling *t, int64_t m, int64_t k, int64_t n)
{
    const int64_t fixed = tile_ticks(t, &t->fixed, t->group, k, n);
    const int64_t streamed = tile_ticks(t, &t->streamed, t->group, m, k);
    const int64_t behind = t->fixed.channel == t->streamed.channel ? fixed : 0;
    const int64_t shift = t->outputs
                              ? 0
                              : ub__tiling_shift(t, t->group, k) * UB__TICKS;

    return max_of(fixed + (t->fixed.charged ? t->latency : 0) + shift,
                  t->streamed.charged ? behind + streamed + t->latency : 0);
}

double ub__tiling_least_computing(const ub__tiling *t)
{
    const ub_gemm *g = &t->gemm;
    const int64_t m = min_of(g->m, t->rows), k = min_of(g->k, t->depth);
    const int64_t last_m = g->m - (t->tiles_m - 1) * t->rows;
    const int64_t last_k = g->k - (t->tiles_k - 1) * t->depth;
    const int64_t last_n = g->n - (t->tiles_n - 1) * t->columns;
    const int64_t last_group = g->count - (t->groups - 1) * t->group;
    const int64_t results = tile_ticks(t, &t->results, last_group, last_m,
                                       last_n);
    const double across = (double) t->tiles_n * (double) t->groups;
    double cycles;

    if (t->outputs) {
        const double tile = over_tiles(t, t->tiles_k, t->depth, last_k,
                                       ub__tiling_round);
        const double shifts = across * over_tiles(t, t->tiles_m, t->rows,
                                                  last_m, shift_of);

        /* one tile after the other streams, and shifts */
        cycles = fmax(across * (double) t->tiles_m * tile +
                          (double) shift_of(t, last_m),
                      tile + shifts);
    } else {
        cycles = across * (double) t->tiles_k *
                 over_tiles(t, t->tiles_m, t->rows, last_m, ub__tiling_round);
    }
    return (double) first_loads(t, m, k, min_of(g->n, t->columns)) +
           cycles * (double) UB__TICKS +
           (double) (t->merge + max_of(results, (t->hops + 1) * UB__TICKS));
}

int ub__tiling_countable(const ub__tiling *t)
{
    const ub__schedule smallest = { 1, 1, 0, 0, 0, 0 };
    const ub_gemm *g = &t->gemm;
    const double rounds = (double) t->tiles_m * (double) t->tiles_k *
                          (double) t->tiles_n * (double) t->groups;
    const int64_t streamed = t->outputs ? t->depth : t->rows;
    const int64_t shifted = t->outputs ? t->rows : t->depth;
    const double cycles = (double) ub__tiling_round(t, streamed) +
                          (double) ub__tiling_shift(t, t->group, shifted) +
                          2.0 * (double) (t->latency + t->merge) /
                              (double) UB__TICKS +
                          16.0;
    const double burst = 3.0 * rounds * (double) t->burst_bytes;
    const double m = (double) g->m, k = (double) g->k, n = (double) g->n;
    const double on_chip = m * k * (double) t->tiles_n *
                               (double) t->streamed.bytes +
                           k * n * (double) t->tiles_m *
                               (double) t->fixed.bytes +
                           m * n *
                               ((double) t->results.bytes +
                                4.0 * (double) (t->tiles_k * t->split.k) *
                                    (double) t->partial_bytes);
    double bytes[UB__CHANNELS], ticks = 0.0, moved = burst;

    all_bytes(t, &smallest, bytes);
    for (int i = 0; i < t->channels; i++) {
        bytes[i] = bytes[i] * (double) g->count + burst;
        moved += bytes[i];
        ticks += bytes[i] * t->ticks_per_byte[i];
    }
    /* false for NaN */
    return rounds * cycles + ticks / (double) UB__TICKS <= MAX_CYCLES &&
           on_chip * (double) g->count + moved <= MAX_BYTES;
}
