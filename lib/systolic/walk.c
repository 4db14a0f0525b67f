/* SPDX-License-Identifier: BSD-2-Clause */
#include "systolic/systolic.h"

#include <math.h>

#define RING (UB__MAX_PREFETCH + 1)

/* What happened so far. Times only ever move on, so that a loop whose state
 * comes back to itself, but for a shift in time, may be cut short. */
typedef struct machine {
    int64_t start, end; /* of the last round */
    int64_t channel;    /* when external memory becomes free */
    int64_t ring_end[RING], ring_store[RING]; /* of the last rounds */
    int at, ring;                             /* oldest of how many */
    ub__counters counters;
} machine;

typedef struct walk {
    const ub__tiling *t;
    const ub__schedule *s;
    machine machine;
    int64_t rows, depth, columns; /* of the tile at hand */
    int64_t block_m, block_n;     /* tiles of the block at hand */
    int last_m, last_n;           /* whether the block ends the product */
    int load_inputs, load_weights, shift;
    int first_k, last_k;
} walk;

typedef void (*body_fn)(walk *w);

static int64_t max_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t transfer(const walk *w, int64_t bytes)
{
    return (int64_t) ceil((double) bytes * w->t->ticks_per_byte);
}

int64_t ub__input_bytes(const ub__tiling *t, int64_t rows, int64_t depth)
{
    return (int64_t) ceil((double) rows * (double) depth * t->input_ratio);
}

/* -- one round ------------------------------------------------------------ */

static void count_round(walk *w, int64_t weights, int64_t inputs, int64_t store)
{
    ub__counters *c = &w->machine.counters;
    const int64_t element = w->t->element_bytes;
    const int64_t made = w->rows * w->columns;

    c->rounds++;
    c->weight_bytes += weights;
    c->input_bytes += inputs;
    c->output_bytes += store;
    c->sram_read_bytes += w->rows * w->depth * element;
    if (w->shift)
        c->sram_read_bytes += w->depth * w->columns * element;
    if (!w->first_k)
        c->sram_read_bytes += made * w->t->partial_bytes;
    c->sram_read_bytes += store;
    c->sram_write_bytes += weights + inputs +
                           made * (w->last_k ? element : w->t->partial_bytes);
}

static void run_round(walk *w)
{
    machine *m = &w->machine;
    const int64_t element = w->t->element_bytes;
    const int64_t weights = w->load_weights ? w->depth * w->columns * element
                                            : 0;
    const int64_t inputs = w->load_inputs && w->t->charge_inputs
                               ? ub__input_bytes(w->t, w->rows, w->depth)
                               : 0;
    const int64_t store = w->last_k && w->t->charge_outputs
                              ? w->rows * w->columns * element
                              : 0;
    int64_t weights_ready = 0, inputs_ready = 0, shifted = 0, ideal = m->end;
    int64_t start;

    /* The loads may begin when the round `window` + 1 before has ended, and so
     * may the storing of its results, behind them. */
    m->channel = max_of(m->channel, m->ring_end[m->at]);
    if (weights > 0)
        weights_ready = m->channel += transfer(w, weights);
    if (inputs > 0)
        inputs_ready = m->channel += transfer(w, inputs);
    m->channel += m->ring_store[m->at];

    if (w->shift) {
        const int64_t cycles = w->depth + 1;
        ideal = max_of(ideal, m->start + cycles * UB__TICKS);
        shifted = max_of(m->start, weights_ready) + cycles * UB__TICKS;
    }
    shifted = max_of(ideal, shifted);
    start = max_of(shifted, inputs_ready);
    m->counters.stall_weights += shifted - ideal;
    m->counters.stall_inputs += start - shifted;
    m->start = start;
    m->end = start + (max_of(w->rows, UB__SRAM_CYCLES) + 1) * UB__TICKS;
    m->ring_end[m->at] = m->end;
    m->ring_store[m->at] = transfer(w, store);
    m->at = (m->at + 1) % m->ring;
    count_round(w, weights, inputs, store);
}

/* -- loops ---------------------------------------------------------------- */

/* Whether `b` is `a` at a later time. */
static int same_but_later(const machine *a, const machine *b)
{
    const int64_t later = b->end - a->end;

    if (b->start - a->start != later || b->channel - a->channel != later)
        return 0;
    for (int i = 0; i < a->ring; i++) {
        const int p = (a->at + i) % a->ring, q = (b->at + i) % b->ring;

        if (b->ring_end[q] - a->ring_end[p] != later ||
            b->ring_store[q] != a->ring_store[p])
            return 0;
    }
    return 1;
}

static void add_counters(ub__counters *to, const ub__counters *before,
                         const ub__counters *after, int64_t times)
{
    to->rounds += times * (after->rounds - before->rounds);
    to->stall_weights += times * (after->stall_weights - before->stall_weights);
    to->stall_inputs += times * (after->stall_inputs - before->stall_inputs);
    to->weight_bytes += times * (after->weight_bytes - before->weight_bytes);
    to->input_bytes += times * (after->input_bytes - before->input_bytes);
    to->output_bytes += times * (after->output_bytes - before->output_bytes);
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
    m->start += later;
    m->end += later;
    m->channel += later;
    for (int i = 0; i < m->ring; i++)
        m->ring_end[i] += later;
}

/* The body n times. It leaves the walk's other fields as they are, so that
 * once it only moves time on, the rest follows. Looked for at iterations 1, 2,
 * 4, ...: seldom enough to cost nothing. */
static void repeat(walk *w, int64_t n, body_fn body)
{
    int64_t check = 1;

    for (int64_t i = 0; i < n; i++) {
        machine before;

        if (i != check || n - i < 3) {
            body(w);
            continue;
        }
        before = w->machine;
        body(w);
        if (same_but_later(&before, &w->machine)) {
            skip(&w->machine, &before, n - 1 - i);
            return;
        }
        check *= 2;
    }
}

/* Tiles of `size` among `tiles` that are whole, when the last one of the
 * product has `rest`. */
static int64_t whole_tiles(int64_t tiles, int is_last, int64_t rest,
                           int64_t size)
{
    return is_last && rest != size ? tiles - 1 : tiles;
}

/* One row of input tiles against the block's weight tiles. */
static void walk_columns(walk *w)
{
    const ub__tiling *t = w->t;
    const int64_t rest = t->gemm.n - (t->tiles_n - 1) * t->columns;
    const int64_t whole = whole_tiles(w->block_n, w->last_n, rest, t->columns);
    const int load = w->load_inputs;

    if (whole > 0) {
        w->columns = t->columns;
        run_round(w);
        w->load_inputs = 0;
        repeat(w, whole - 1, run_round);
    }
    if (whole < w->block_n) {
        w->columns = rest;
        run_round(w);
    }
    w->load_inputs = load;
}

/* All input tiles of the block at one depth. Weights are loaded by the first
 * and stay; they shift again where there is more than one tile. */
static void walk_rows(walk *w)
{
    const ub__tiling *t = w->t;
    const int64_t rest = t->gemm.m - (t->tiles_m - 1) * t->rows;
    const int64_t whole = whole_tiles(w->block_m, w->last_m, rest, t->rows);
    const int load = w->load_weights, shift = w->shift;

    if (whole > 0) {
        w->rows = t->rows;
        walk_columns(w);
        w->load_weights = 0;
        w->shift = w->block_n > 1;
        repeat(w, whole - 1, walk_columns);
    }
    if (whole < w->block_m) {
        w->rows = rest;
        walk_columns(w);
    }
    w->load_weights = load;
    w->shift = shift;
}

static void walk_depth(walk *w)
{
    const ub__tiling *t = w->t;
    const int64_t rest = t->gemm.k - (t->tiles_k - 1) * t->rows;

    w->first_k = 1;
    w->last_k = t->tiles_k == 1;
    w->depth = w->last_k ? rest : t->rows;
    walk_rows(w);
    if (w->last_k)
        return;
    w->first_k = 0;
    repeat(w, t->tiles_k - 2, walk_rows);
    w->last_k = 1;
    w->depth = rest;
    walk_rows(w);
}

/* Blocks across: the first one loads the inputs. */
static void walk_blocks_n(walk *w)
{
    const ub__tiling *t = w->t;
    const int64_t blocks = (t->tiles_n - 1) / w->s->block_n;

    w->load_inputs = 1;
    w->last_n = blocks == 0;
    w->block_n = blocks == 0 ? t->tiles_n : w->s->block_n;
    walk_depth(w);
    if (blocks == 0)
        return;
    w->load_inputs = !w->s->keep_inputs;
    repeat(w, blocks - 1, walk_depth);
    w->last_n = 1;
    w->block_n = t->tiles_n - blocks * w->s->block_n;
    walk_depth(w);
}

/* Blocks down: the first one loads the weights. */
static void walk_product(walk *w)
{
    const ub__tiling *t = w->t;
    const int64_t blocks = (t->tiles_m - 1) / w->s->block_m;

    w->load_weights = w->shift = 1;
    w->last_m = blocks == 0;
    w->block_m = blocks == 0 ? t->tiles_m : w->s->block_m;
    walk_blocks_n(w);
    if (blocks == 0)
        return;
    w->load_weights = !w->s->keep_weights;
    w->shift = t->tiles_k > 1 || t->tiles_n > 1;
    repeat(w, blocks - 1, walk_blocks_n);
    w->last_m = 1;
    w->block_m = t->tiles_m - blocks * w->s->block_m;
    walk_blocks_n(w);
}

/* The results still to be stored when the last round has ended. */
static int64_t drain(const machine *m)
{
    int64_t channel = m->channel;

    for (int i = 0; i < m->ring; i++) {
        const int at = (m->at + i) % m->ring;
        channel = max_of(channel, m->ring_end[at]) + m->ring_store[at];
    }
    return channel;
}

void ub__systolic_walk(const ub__tiling *t, const ub__schedule *schedule,
                       ub__outcome *out)
{
    walk w = { .t = t, .s = schedule };
    int64_t computed;

    w.machine.ring = schedule->window + 1;
    repeat(&w, t->gemm.count, walk_product);
    /* l + 1 cycles to SRAM */
    computed = w.machine.end + 2 * UB__TICKS;
    out->ticks = max_of(computed, drain(&w.machine));
    out->stall_outputs = out->ticks - computed;
    out->counters = w.machine.counters;
}
