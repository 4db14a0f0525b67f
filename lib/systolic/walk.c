/* SPDX-License-Identifier: BSD-2-Clause */
#include "systolic/systolic.h"

#define RING (UB__MAX_PREFETCH + 1)

/* What happened so far. Times only ever move on, so that a loop whose state
 * comes back to itself, but for a shift in time, may be cut short. */
typedef struct machine {
    int64_t end;     /* of the last round */
    int64_t shifter; /* when the registers that shift are free: from the start
                        of the last round on a tile shifts in, until then the
                        last results shift out */
    int64_t channel[UB__CHANNELS];            /* when each becomes free */
    int64_t ring_end[RING], ring_store[RING]; /* of the last rounds */
    int64_t ring_out[RING]; /* from their end until results are there */
    int at, ring;           /* oldest of how many */
    int stored_at, lag;     /* oldest of `lag` + 1 */
    int64_t stored[RING];   /* when the channel had stored those that left the
                               ring before */
    ub__counters counters;
} machine;

struct walk;

typedef void (*body_fn)(struct walk *w);

typedef struct walk {
    const ub__tiling *t;
    const ub__schedule *s;
    machine machine;
    int64_t group, rows, depth, columns; /* of the round at hand */
    int64_t block_m, block_n;            /* tiles of the block at hand */
    int last_m, last_n; /* whether the block ends the product */
    int load_streamed, load_fixed, shift;
    int first_k, last_k;
    int counting;  /* bytes too */
    int64_t limit; /* ticks from which on nobody wants to know */
    body_fn in_block, in_depth, in_row; /* k is outside m and n, or inside */
} walk;

static int64_t max_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* -- one round ------------------------------------------------------------ */

static void count_round(walk *w, int64_t fixed, int64_t streamed, int64_t store)
{
    const ub__tiling *t = w->t;
    ub__counters *c = &w->machine.counters;
    const int64_t made = w->group * w->rows * w->columns;
    /* arrays that share a result, now and from the first round on */
    const int64_t part = ub__ceil_div(w->depth, t->split.k);
    const int64_t sums = ub__ceil_div(w->depth, part);
    const int64_t all = t->tiles_k > 1 ? t->split.k : sums;
    const int whole = w->last_k && all == 1;
    /* sums leave the array */
    const int64_t out = !t->outputs ? sums : w->last_k ? all : 0;

    c->fixed_bytes += fixed;
    c->streamed_bytes += streamed;
    c->result_bytes += store;
    c->sram_read_bytes += w->group * w->rows * w->depth * t->streamed.bytes;
    if (w->shift || t->outputs)
        c->sram_read_bytes += w->group * w->depth * w->columns * t->fixed.bytes;
    if (!w->first_k && !t->outputs)
        c->sram_read_bytes += made * sums * t->partial_bytes;
    c->sram_read_bytes += store;
    c->sram_write_bytes += fixed + streamed +
                           made * (whole ? t->results.bytes
                                         : out * t->partial_bytes);
    if (w->last_k && all > 1) {
        /* additions of two sums each, the last of which makes the result */
        c->sram_read_bytes += 2 * (all - 1) * made * t->partial_bytes;
        c->sram_write_bytes += (all - 2) * made * t->partial_bytes +
                               made * t->results.bytes;
    }
}

/* When a load is there that may begin once its channel is free; 0 without. */
static int64_t load(walk *w, const ub__operand *operand, int64_t bytes)
{
    int64_t *channel = &w->machine.channel[operand->channel];

    if (bytes == 0)
        return 0;
    *channel += ub__tiling_transfer(w->t, operand, bytes);
    return *channel + w->t->latency;
}

/* Store the results of the round that the ring holds at `i`, behind what the
 * channel did before. */
static void store_results(const ub__tiling *t, machine *m, int i)
{
    int64_t *channel = &m->channel[t->results.channel];

    if (m->ring_store[i] > 0)
        *channel = max_of(*channel,
                          m->ring_end[i] + m->ring_out[i] + t->merge) +
                   m->ring_store[i];
}

/* The tile has streamed by `end`. Results of stationary outputs, once it was
 * the last one of k, go where those of the tile before have to have left. */
static void finish_outputs(walk *w, int64_t end)
{
    machine *m = &w->machine;
    int64_t ticks = 0;

    m->end = end;
    if (w->last_k) {
        ticks = ub__tiling_shift(w->t, w->group, w->rows) * UB__TICKS;
        m->end = max_of(end, m->shifter);
    }
    m->counters.shift += m->end - end;
    m->shifter = max_of(m->shifter, m->end + ticks);
    m->ring_out[m->at] = ticks;
}

static void run_round(walk *w)
{
    const ub__tiling *t = w->t;
    machine *m = &w->machine;
    const int64_t fixed = w->load_fixed && t->fixed.charged
                              ? ub__tiling_bytes(t, &t->fixed, w->group,
                                                 w->depth, w->columns)
                              : 0;
    const int64_t streamed = w->load_streamed && t->streamed.charged
                                 ? ub__tiling_bytes(t, &t->streamed, w->group,
                                                    w->rows, w->depth)
                                 : 0;
    const int64_t store = w->last_k && t->results.charged
                              ? ub__tiling_bytes(t, &t->results, w->group,
                                                 w->rows, w->columns)
                              : 0;
    const int64_t room = m->stored[m->stored_at];
    int64_t fixed_ready, streamed_ready, shifted = 0, ideal = m->end, arrived;
    int64_t start;

    /* A round makes results once those of `room` + 2 rounds before are stored.
     * The loads may begin when the round `window` + 1 before has ended, and so
     * may the storing of its results, behind them. */
    for (int i = 0; i < t->channels; i++)
        m->channel[i] = max_of(m->channel[i], m->ring_end[m->at]);
    fixed_ready = load(w, &t->fixed, fixed);
    streamed_ready = load(w, &t->streamed, streamed);
    store_results(t, m, m->at);
    if (t->results.charged) {
        /* of the first rounds there is none before to wait for */
        m->stored[m->stored_at] = m->counters.rounds < m->ring
                                      ? 0
                                      : m->channel[t->results.channel];
        m->stored_at = m->stored_at < m->lag ? m->stored_at + 1 : 0;
    }

    if (t->outputs) {
        shifted = fixed_ready;
    } else if (w->shift) {
        const int64_t ticks = ub__tiling_shift(t, w->group, w->depth) *
                              UB__TICKS;
        ideal = max_of(ideal, m->shifter + ticks);
        shifted = max_of(m->shifter, fixed_ready) + ticks;
    }
    shifted = max_of(ideal, shifted);
    arrived = max_of(shifted, streamed_ready);
    m->counters.shift += ideal - m->end;
    m->counters.stall_fixed += shifted - ideal;
    m->counters.stall_streamed += arrived - shifted;
    start = max_of(arrived, room);
    m->counters.stall_results += start - arrived;
    if (t->outputs) {
        finish_outputs(w, start + ub__tiling_round(t, w->depth) * UB__TICKS);
    } else {
        m->shifter = start;
        m->end = start + ub__tiling_round(t, w->rows) * UB__TICKS;
    }
    m->ring_end[m->at] = m->end;
    m->ring_store[m->at] = store > 0
                               ? ub__tiling_transfer(t, &t->results, store)
                               : 0;
    m->at = m->at + 1 < m->ring ? m->at + 1 : 0;
    m->counters.rounds++;
    if (w->counting)
        count_round(w, fixed, streamed, store);
}

/* -- loops ---------------------------------------------------------------- */

/* Whether `b` is `a` at a later time. */
static int same_but_later(const ub__tiling *t, const machine *a,
                          const machine *b)
{
    const int64_t later = b->end - a->end;

    if (b->shifter - a->shifter != later)
        return 0;
    for (int i = 0; i < t->channels; i++) {
        if (b->channel[i] - a->channel[i] != later)
            return 0;
    }
    for (int i = 0, p = a->at, q = b->at; i < a->ring; i++) {
        if (b->ring_end[q] - a->ring_end[p] != later ||
            b->ring_store[q] != a->ring_store[p])
            return 0; /* and ring_out is the body's */
        p = p + 1 < a->ring ? p + 1 : 0;
        q = q + 1 < a->ring ? q + 1 : 0;
    }
    if (!t->results.charged)
        return 1;
    for (int i = 0, p = a->stored_at, q = b->stored_at; i <= a->lag; i++) {
        if (b->stored[q] - a->stored[p] != later)
            return 0;
        p = p < a->lag ? p + 1 : 0;
        q = q < a->lag ? q + 1 : 0;
    }
    return 1;
}

static void add_counters(ub__counters *to, const ub__counters *before,
                         const ub__counters *after, int64_t times)
{
    to->rounds += times * (after->rounds - before->rounds);
    to->shift += times * (after->shift - before->shift);
    to->stall_fixed += times * (after->stall_fixed - before->stall_fixed);
    to->stall_streamed += times *
                          (after->stall_streamed - before->stall_streamed);
    to->stall_results += times * (after->stall_results - before->stall_results);
    to->fixed_bytes += times * (after->fixed_bytes - before->fixed_bytes);
    to->streamed_bytes += times *
                          (after->streamed_bytes - before->streamed_bytes);
    to->result_bytes += times * (after->result_bytes - before->result_bytes);
    to->sram_read_bytes += times *
                           (after->sram_read_bytes - before->sram_read_bytes);
    to->sram_write_bytes += times * (after->sram_write_bytes -
                                     before->sram_write_bytes);
}

static void skip(machine *m, const machine *before, int64_t times)
{
    const int64_t later = times * (m->end - before->end);
    const ub__counters after = m->counters;

    add_counters(&m->counters, &before->counters, &after, times);
    m->shifter += later;
    m->end += later;
    for (int i = 0; i < UB__CHANNELS; i++)
        m->channel[i] += later;
    for (int i = 0; i < m->ring; i++)
        m->ring_end[i] += later;
    for (int i = 0; i <= m->lag; i++)
        m->stored[i] += later;
}

/* The body n times. It leaves the walk's other fields as they are, so that
 * once it only moves time on, the rest follows. Looked for from when all rounds
 * remembered are of this loop, at iterations further and further apart: seldom
 * enough to cost nothing. */
static void repeat(walk *w, int64_t n, body_fn body)
{
    const int64_t enough = w->machine.counters.rounds + w->machine.ring;
    int64_t check = 1;

    for (int64_t i = 0; i < n && w->machine.end < w->limit; i++) {
        machine before;

        if (i < check || n - i < 3 || w->machine.counters.rounds < enough) {
            body(w);
            continue;
        }
        before = w->machine;
        body(w);
        if (same_but_later(w->t, &before, &w->machine)) {
            skip(&w->machine, &before, n - 1 - i);
            return;
        }
        check = 2 * i;
    }
}

/* Tiles of `size` among `tiles` that are whole, when the last one of the
 * product has `rest`. */
static int64_t whole_tiles(int64_t tiles, int is_last, int64_t rest,
                           int64_t size)
{
    return is_last && rest != size ? tiles - 1 : tiles;
}

/* One row of streamed tiles against the block's fixed tiles. */
static void walk_columns(walk *w)
{
    const ub__tiling *t = w->t;
    const int64_t rest = t->gemm.n - (t->tiles_n - 1) * t->columns;
    const int64_t whole = whole_tiles(w->block_n, w->last_n, rest, t->columns);
    const int load = w->load_streamed;

    if (whole > 0) {
        w->columns = t->columns;
        w->in_row(w);
        w->load_streamed = 0;
        repeat(w, whole - 1, w->in_row);
    }
    if (whole < w->block_n) {
        w->columns = rest;
        w->in_row(w);
    }
    w->load_streamed = load;
}

/* All streamed tiles of the block. Fixed tiles are loaded by the
 * first and stay; they shift again where there is more than one. */
static void walk_rows(walk *w)
{
    const ub__tiling *t = w->t;
    const int64_t rest = t->gemm.m - (t->tiles_m - 1) * t->rows;
    const int64_t whole = whole_tiles(w->block_m, w->last_m, rest, t->rows);
    const int load = w->load_fixed, shift = w->shift;

    if (whole > 0) {
        w->rows = t->rows;
        walk_columns(w);
        w->load_fixed = 0;
        w->shift = w->block_n > 1;
        repeat(w, whole - 1, walk_columns);
    }
    if (whole < w->block_m) {
        w->rows = rest;
        walk_columns(w);
    }
    w->load_fixed = load;
    w->shift = shift;
}

static void walk_depth(walk *w)
{
    const ub__tiling *t = w->t;
    const int64_t rest = t->gemm.k - (t->tiles_k - 1) * t->depth;

    w->first_k = 1;
    w->last_k = t->tiles_k == 1;
    w->depth = w->last_k ? rest : t->depth;
    w->in_depth(w);
    if (w->last_k)
        return;
    w->first_k = 0;
    repeat(w, t->tiles_k - 2, w->in_depth);
    w->last_k = 1;
    w->depth = rest;
    w->in_depth(w);
}

/* Blocks across: the first one loads what is streamed. */
static void walk_blocks_n(walk *w)
{
    const ub__tiling *t = w->t;
    const int64_t blocks = (t->tiles_n - 1) / w->s->block_n;

    w->load_streamed = 1;
    w->last_n = blocks == 0;
    w->block_n = blocks == 0 ? t->tiles_n : w->s->block_n;
    w->in_block(w);
    if (blocks == 0)
        return;
    w->load_streamed = !w->s->keep_streamed;
    repeat(w, blocks - 1, w->in_block);
    w->last_n = 1;
    w->block_n = t->tiles_n - blocks * w->s->block_n;
    w->in_block(w);
}

/* Blocks down: the first one loads what is fixed. */
static void walk_product(walk *w)
{
    const ub__tiling *t = w->t;
    const int64_t blocks = (t->tiles_m - 1) / w->s->block_m;

    w->load_fixed = w->shift = 1;
    w->last_m = blocks == 0;
    w->block_m = blocks == 0 ? t->tiles_m : w->s->block_m;
    walk_blocks_n(w);
    if (blocks == 0)
        return;
    w->load_fixed = !w->s->keep_fixed;
    w->shift = t->tiles_k > 1 || t->tiles_n > 1;
    repeat(w, blocks - 1, walk_blocks_n);
    w->last_m = 1;
    w->block_m = t->tiles_m - blocks * w->s->block_m;
    walk_blocks_n(w);
}

/* All products; the last round may hold fewer. */
static void walk_products(walk *w)
{
    const ub__tiling *t = w->t;
    const int64_t rest = t->gemm.count - (t->groups - 1) * t->group;

    w->group = t->group;
    repeat(w, rest == t->group ? t->groups : t->groups - 1, walk_product);
    if (rest != t->group) {
        w->group = rest;
        walk_product(w);
    }
}

void ub__systolic_walk(const ub__tiling *t, const ub__schedule *schedule,
                       int64_t limit, ub__outcome *out)
{
    walk w = { .t = t, .s = schedule };
    machine *m = &w.machine;
    int64_t computed;

    w.limit = limit;
    w.counting = limit == INT64_MAX;
    w.in_block = t->outputs ? walk_rows : walk_depth;
    w.in_depth = t->outputs ? run_round : walk_rows;
    w.in_row = t->outputs ? walk_depth : run_round;
    m->ring = schedule->window + 1;
    m->lag = schedule->room - schedule->window;
    walk_products(&w);
    /* the last sums shift out, are added, and take l + 1 cycles to SRAM */
    out->drain = (t->outputs ? m->shifter - m->end : 0) + t->merge +
                 (t->hops + 1) * UB__TICKS;
    computed = m->end + out->drain;
    for (int i = 0; i < m->ring; i++)
        store_results(t, m, (m->at + i) % m->ring);
    out->ticks = max_of(computed, m->channel[t->results.channel]);
    out->counters = m->counters;
    out->counters.stall_results += out->ticks - computed;
}
