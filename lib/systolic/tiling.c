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

static int64_t or_else(int64_t value, int64_t otherwise)
{
    return value > 0 ? value : otherwise;
}

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
    /* pairs of partial sums are added level by level; on a bus one by one */
    const int64_t additions = bus ? results * (s->k - 1) : stages(s->k);

    t->hops = interconnect_latency(h, arrays);
    /* every array has partial sums of its own to send */
    t->serial_streamed = bus ? arrays : 1;
    t->serial_fixed = bus ? s->groups * s->k * s->n : 1;
    t->merge = additions *
               (max_of(ub__ceil_div(min_of(t->gemm.m, t->rows), s->m),
                       2 * t->hops + 1) +
                1) *
               UB__TICKS;
}

/* Bytes of the banks of all arrays used. */
static int64_t room(int64_t own, const ub_hardware *h, int64_t arrays)
{
    const int64_t bank = or_else(own, h->bank_bytes);

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

static int64_t packed(const ub_gemm *g, int64_t tile_k, int64_t tile_n)
{
    int64_t most;

    if (g->k > tile_k || g->n > tile_n)
        return 1;
    most = min_of(tile_k / g->k, tile_n / g->n);
    return min_of(most, g->count);
}

ub__tiling ub__tiling_cut(const ub_gemm *gemm, const ub_hardware *h,
                          const ub_systolic_options *o, const ub__parts *split)
{
    const ub_gemm g = oriented(gemm, h);
    const int64_t arrays = split->groups * split->m * split->k * split->n;
    const int64_t tile_k = or_else(o->tile_k, h->rows);
    const int64_t tile_n = or_else(o->tile_n, h->columns);
    ub__operand inputs = { 0 }, weights = { 0 };
    ub__tiling t = { .gemm = g, .split = *split };

    inputs.bytes = or_else(h->input_bytes, h->element_bytes);
    inputs.ratio = (double) g.input_elements * (double) inputs.bytes /
                   ((double) gemm->m * (double) gemm->k);
    inputs.bank = room(h->input_bank_bytes, h, arrays);
    inputs.charged = o->charge_inputs;
    weights.bytes = or_else(h->weight_bytes, h->element_bytes);
    weights.ratio = (double) weights.bytes;
    weights.bank = room(h->weight_bank_bytes, h, arrays);
    weights.charged = 1;
    t.results.bytes = or_else(h->output_bytes, h->element_bytes);
    t.results.ratio = (double) t.results.bytes;
    t.results.bank = room(h->output_bank_bytes, h, arrays);
    t.results.charged = o->charge_outputs;
    set_memory(&t, h, &inputs, &weights);
    t.streamed = h->dataflow == UB_DATAFLOW_IS ? weights : inputs;
    t.fixed = h->dataflow == UB_DATAFLOW_IS ? inputs : weights;

    t.pack = o->packed ? packed(&g, tile_k, tile_n) : 1;
    t.group = min_of(g.count, t.pack * split->groups);
    t.rows = or_else(o->tile_m, h->rows) * split->m;
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
    return ub__ceil_div(rows, t->split.m) * t->serial_streamed;
}

int64_t ub__tiling_round(const ub__tiling *t, int64_t rows)
{
    return max_of(ub__tiling_stream(t, rows), 2 * t->hops + 1) + 1;
}

int64_t ub__tiling_shift(const ub__tiling *t, int64_t group, int64_t depth)
{
    return ub__ceil_div(group, t->split.groups) *
               ub__ceil_div(depth, t->split.k) * t->serial_fixed +
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
    const int64_t kept = s->keep_streamed ? bytes_of(t, x, block, g->k) : tile;
    int64_t ahead;

    if (!x->charged)
        return UB__MAX_PREFETCH;
    ahead = tiles_ahead(t, x->bank, bytes_of(t, x, g->m, g->k), kept, tile);
    /* a streamed tile lasts for the block's fixed tiles */
    return ahead >= UB__MAX_PREFETCH ? UB__MAX_PREFETCH : ahead * s->block_n;
}

static int64_t fixed_ahead(const ub__tiling *t, const ub__schedule *s)
{
    const ub_gemm *g = &t->gemm;
    const ub__operand *w = &t->fixed;
    const int64_t depth = min_of(g->k, t->depth);
    const int64_t whole = bytes_of(t, w, g->k, g->n);
    const int64_t panel = bytes_of(t, w, depth,
                                   min_of(g->n, s->block_n * t->columns));

    if (!w->charged)
        return UB__MAX_PREFETCH;
    return tiles_ahead(t, w->bank, whole, s->keep_fixed ? whole : panel,
                       bytes_of(t, w, depth, min_of(g->n, t->columns)));
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

    return tiles_ahead(t, t->results.bank, g->m * g->n * each,
                       t->tiles_k > 1 ? block : tile, tile);
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

double ub__tiling_least_computing(const ub__tiling *t)
{
    const ub_gemm *g = &t->gemm;
    const int64_t m = min_of(g->m, t->rows), k = min_of(g->k, t->depth);
    const int64_t last_m = g->m - (t->tiles_m - 1) * t->rows;
    const int64_t last_n = g->n - (t->tiles_n - 1) * t->columns;
    const int64_t last_group = g->count - (t->groups - 1) * t->group;
    const int64_t fixed = tile_ticks(t, &t->fixed, t->group, k,
                                     min_of(g->n, t->columns));
    const int64_t streamed = tile_ticks(t, &t->streamed, t->group, m, k);
    const int64_t results = tile_ticks(t, &t->results, last_group, last_m,
                                       last_n);
    const int64_t behind = t->fixed.channel == t->streamed.channel ? fixed : 0;
    const int64_t shifted = ub__tiling_shift(t, t->group, k) * UB__TICKS +
                            fixed + (t->fixed.charged ? t->latency : 0);
    const int64_t arrived = t->streamed.charged ? behind + streamed + t->latency
                                                : 0;
    const double rounds = (double) t->tiles_k * (double) t->tiles_n *
                          (double) t->groups;
    const double streams = rounds * ((double) (t->tiles_m - 1) *
                                         (double) ub__tiling_round(t, t->rows) +
                                     (double) ub__tiling_round(t, last_m));

    return (double) max_of(shifted, arrived) + streams * (double) UB__TICKS +
           (double) (t->merge + max_of(results, (t->hops + 1) * UB__TICKS));
}

int ub__tiling_countable(const ub__tiling *t)
{
    const ub__schedule smallest = { 1, 1, 0, 0, 0, 0 };
    const ub_gemm *g = &t->gemm;
    const double rounds = (double) t->tiles_m * (double) t->tiles_k *
                          (double) t->tiles_n * (double) t->groups;
    const double cycles = (double) ub__tiling_round(t, t->rows) +
                          (double) ub__tiling_shift(t, t->group, t->depth) +
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
