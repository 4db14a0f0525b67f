/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include "systolic/systolic.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/*
 * The walk cuts loops short once they repeat themselves. Here is the same
 * machine without: every round listed, every time kept.
 */

#define MAX_ROUNDS 200000

typedef struct naive {
    const ub__tiling *t;
    const ub__schedule *s;
    int64_t n;
    int64_t end[MAX_ROUNDS], store[MAX_ROUNDS], stored[MAX_ROUNDS];
    int64_t ready[MAX_ROUNDS]; /* results, for the adders */
    int64_t start, channel[UB__CHANNELS];
    int64_t out; /* when results have shifted out of the array */
    int64_t shift, wait_fixed, wait_streamed, wait_results;
    int64_t fixed, streamed, results;
    int64_t last_fixed; /* which tile is in the array */
} naive;

static int64_t extent(int64_t n, int64_t size, int64_t i)
{
    return n - i * size < size ? n - i * size : size;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Rounded up. */
static int64_t part(int64_t n, int64_t parts)
{
    return (n + parts - 1) / parts;
}

static int64_t bytes_of(const naive *v, const ub__operand *x, int64_t products,
                        int64_t elements)
{
    const int64_t each = (int64_t) ceil((double) elements * x->ratio);

    return part(products * each, v->t->burst_bytes) * v->t->burst_bytes;
}

static int64_t ticks(const naive *v, const ub__operand *x, int64_t bytes)
{
    return (int64_t) ceil((double) bytes * v->t->ticks_per_byte[x->channel]);
}

/* The results of a round leave, in its turn. */
static void store(naive *v, int64_t round)
{
    int64_t *channel = &v->channel[v->t->results.channel];

    if (round < 0)
        return;
    if (v->store[round] > 0)
        *channel = later(*channel, v->ready[round] + v->t->merge) +
                   v->store[round];
    v->stored[round] = *channel;
}

/* A load, if any, and when it is there. */
static int64_t fetch(naive *v, const ub__operand *x, int64_t bytes,
                     int64_t *sum)
{
    *sum += bytes;
    if (bytes == 0)
        return 0;
    v->channel[x->channel] += ticks(v, x, bytes);
    return v->channel[x->channel] + v->t->latency;
}

/* So many cycles of streaming, and of rows of results, if any, that leave. */
static void compute(naive *v, int64_t cycles, int64_t rows, int has_results)
{
    const ub__tiling *t = v->t;
    const int64_t end = v->start +
                        (later(cycles, 2 * t->hops + 1) + 1) * UB__TICKS;

    v->end[v->n] = v->ready[v->n] = end;
    if (!t->outputs || !has_results)
        return;
    v->end[v->n] = later(end, v->out);
    v->shift += v->end[v->n] - end;
    v->out = v->end[v->n] + (rows * t->serial_shifted + 1) * UB__TICKS;
    v->ready[v->n] = v->out;
}

static void tile(naive *v, int64_t p, int64_t i, int64_t j, int64_t k,
                 int load_fixed, int load_streamed)
{
    const ub__tiling *t = v->t;
    const int64_t g = extent(t->gemm.count, t->group, p);
    const int64_t m = extent(t->gemm.m, t->rows, i);
    const int64_t d = extent(t->gemm.k, t->depth, j);
    const int64_t c = extent(t->gemm.n, t->columns, k);
    const int64_t id = (p * t->tiles_k + j) * t->tiles_n + k;
    const int64_t before = v->n > 0 ? v->end[v->n - 1] : 0;
    const int64_t freed = v->n - v->s->window - 1;
    const int64_t room = v->n - v->s->room - 2;
    const int64_t streamed = t->outputs ? part(d, t->split.k)
                                        : part(m, t->split.m);
    int64_t ready_w = 0, ready_x = 0, ideal = before, start = before;

    assert_true(v->n < MAX_ROUNDS);
    for (int q = 0; q < UB__CHANNELS && freed >= 0; q++)
        v->channel[q] = later(v->channel[q], v->end[freed]);
    if (load_fixed && t->fixed.charged)
        ready_w = fetch(v, &t->fixed, bytes_of(v, &t->fixed, g, d * c),
                        &v->fixed);
    if (load_streamed && t->streamed.charged)
        ready_x = fetch(v, &t->streamed, bytes_of(v, &t->streamed, g, m * d),
                        &v->streamed);
    store(v, freed);
    if (t->outputs) {
        start = later(before, ready_w);
    } else if (id != v->last_fixed) {
        const int64_t cycles = part(g, t->split.groups) * part(d, t->split.k) *
                                   t->serial_shifted +
                               1;

        ideal = later(before, v->start + cycles * UB__TICKS);
        start = later(before, later(ready_w, v->start) + cycles * UB__TICKS);
    }
    v->last_fixed = id;
    v->shift += ideal - before;
    v->wait_fixed += start - ideal;
    v->wait_streamed += later(ready_x, start) - start;
    start = later(ready_x, start);
    if (room >= 0 && t->results.charged && v->stored[room] > start) {
        v->wait_results += v->stored[room] - start;
        start = v->stored[room];
    }
    v->start = start;
    compute(v, streamed * t->serial_streamed,
            part(g, t->split.groups) * part(m, t->split.m),
            j == t->tiles_k - 1);
    v->store[v->n] = 0;
    if (j == t->tiles_k - 1 && t->results.charged) {
        const int64_t bytes = bytes_of(v, &t->results, g, m * c);

        v->results += bytes;
        v->store[v->n] = ticks(v, &t->results, bytes);
    }
    v->n++;
}

static int64_t upto(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A block from tile m and n on: sums of stationary outputs stay until they are
 * whole, otherwise what is fixed stays for all that streams past. */
static void walk_block(naive *v, int64_t p, int64_t m, int64_t n)
{
    const ub__tiling *t = v->t;
    const int64_t rows = upto(v->s->block_m, t->tiles_m - m);
    const int64_t columns = upto(v->s->block_n, t->tiles_n - n);
    const int64_t results = rows * columns;

    for (int64_t r = 0; r < results * t->tiles_k; r++) {
        const int64_t j = t->outputs ? r % t->tiles_k : r / results;
        const int64_t at = t->outputs ? r / t->tiles_k : r % results;
        const int64_t i = at / columns, k = at % columns;

        tile(v, p, m + i, j, n + k, i == 0 && (m == 0 || !v->s->keep_fixed),
             k == 0 && (n == 0 || !v->s->keep_streamed));
    }
}

static int64_t walk_all(naive *v)
{
    const ub__tiling *t = v->t;
    int64_t end;

    v->last_fixed = -1;
    for (int64_t p = 0; p < t->groups; p++)
        for (int64_t m = 0; m < t->tiles_m; m += v->s->block_m)
            for (int64_t n = 0; n < t->tiles_n; n += v->s->block_n)
                walk_block(v, p, m, n);
    end = v->ready[v->n - 1] + t->merge + (t->hops + 1) * UB__TICKS;
    for (int64_t r = v->n - 1 - v->s->window; r < v->n; r++)
        store(v, r);
    return later(v->channel[t->results.channel], end);
}

static int64_t pick(ub_rng *rng, int64_t n)
{
    return 1 + (int64_t) ub_rng_below(rng, (uint64_t) n);
}

static ub__operand random_operand(ub_rng *rng, int *channels)
{
    ub__operand x = { .bytes = pick(rng, 2), .charged = pick(rng, 4) > 1 };

    x.ratio = (double) x.bytes;
    if (pick(rng, 3) == 1 && *channels < UB__CHANNELS)
        x.channel = (*channels)++;
    return x;
}

static ub__tiling random_tiling(ub_rng *rng)
{
    ub__tiling t = { .gemm = { .size = sizeof(t.gemm) }, .channels = 1 };
    const int many = pick(rng, 2) == 1;

    t.outputs = pick(rng, 3) == 1;
    t.gemm.m = pick(rng, t.outputs ? 100 : 300);
    t.gemm.k = pick(rng, t.outputs ? 300 : 40);
    t.gemm.n = pick(rng, 30);
    t.gemm.count = pick(rng, 9);
    t.split = (ub__parts){ 1, 1, 1, 1 };
    if (many)
        t.split = (ub__parts){ pick(rng, 3), pick(rng, 3), pick(rng, 3),
                               pick(rng, 3) };
    t.parts_streamed = t.outputs ? t.split.k : t.split.m;
    t.parts_shifted = t.outputs ? t.split.m : t.split.k;
    t.streamed = random_operand(rng, &t.channels);
    t.fixed = random_operand(rng, &t.channels);
    t.results = random_operand(rng, &t.channels);
    t.streamed.ratio *= ub_rng_uniform(rng);
    t.rows = pick(rng, t.outputs ? 60 : 8) * t.split.m;
    t.depth = pick(rng, 8) * t.split.k;
    t.columns = pick(rng, 8) * t.split.n;
    t.group = upto(t.gemm.count, t.split.groups * pick(rng, many ? 2 : 1));
    t.partial_bytes = 2;
    t.burst_bytes = pick(rng, 3) == 1 ? pick(rng, 40) : 1;
    for (int i = 0; i < UB__CHANNELS; i++)
        t.ticks_per_byte[i] = 1024.0 * 3.0 * ub_rng_uniform(rng) *
                              ub_rng_uniform(rng);
    t.latency = pick(rng, 3) == 1 ? pick(rng, 50) * UB__TICKS : 0;
    t.hops = many ? pick(rng, 6) : 1;
    t.serial_streamed = many ? pick(rng, 3) : 1;
    t.serial_shifted = many ? pick(rng, 3) : 1;
    t.merge = many ? pick(rng, 100) * UB__TICKS : 0;
    t.groups = part(t.gemm.count, t.group);
    t.tiles_m = part(t.gemm.m, t.rows);
    t.tiles_k = part(t.gemm.k, t.depth);
    t.tiles_n = part(t.gemm.n, t.columns);
    return t;
}

static ub__schedule random_schedule(ub_rng *rng, const ub__tiling *t, int most)
{
    ub__schedule s = { pick(rng, t->tiles_m),     pick(rng, t->tiles_n),
                       (int) pick(rng, 2) - 1,    (int) pick(rng, 2) - 1,
                       (int) pick(rng, most) - 1, 0 };

    s.room = s.window + (int) pick(rng, UB__MAX_PREFETCH + 1 - s.window) - 1;
    if (pick(rng, 2) == 1)
        s.room = s.window;
    return s;
}

static void same_as_naive(void **state)
{
    naive *v = malloc(sizeof(*v));
    int stationary = 0;
    ub_rng rng;

    (void) state;
    assert_non_null(v);
    ub_rng_init(&rng, 7, 0);
    for (int i = 0; i < 3000; i++) {
        const ub__tiling t = random_tiling(&rng);
        const ub__schedule s = random_schedule(&rng, &t, i % 2 ? 128 : 5);
        ub__outcome out, limited;
        int64_t limit;

        if (t.tiles_m * t.tiles_k * t.tiles_n * t.groups > MAX_ROUNDS)
            continue;
        memset(v, 0, offsetof(naive, end));
        v->start = v->out = v->shift = v->wait_fixed = v->wait_streamed = 0;
        v->wait_results = v->fixed = v->streamed = v->results = 0;
        memset(v->channel, 0, sizeof(v->channel));
        v->t = &t;
        v->s = &s;
        ub__systolic_walk(&t, &s, INT64_MAX, &out);
        assert_int_equal(out.ticks, walk_all(v));
        /* what the search rules out by is no more than that */
        assert_true(ub__tiling_least_computing(&t) <= (double) out.ticks);
        /* (the tile that is in the array is not loaded again) */
        if (s.keep_fixed || t.tiles_k > 1 || t.tiles_n > 1)
            assert_true(ub__tiling_least_moving(&t, &s) <=
                        (double) out.ticks * (1.0 + 1e-12));
        ub__systolic_walk(&t, &s, out.ticks + 1, &limited);
        assert_int_equal(limited.ticks, out.ticks);
        limit = pick(&rng, out.ticks);
        ub__systolic_walk(&t, &s, limit, &limited);
        assert_true(limited.ticks >= limit);
        assert_int_equal(out.counters.rounds, v->n);
        assert_int_equal(out.counters.fixed_bytes, v->fixed);
        assert_int_equal(out.counters.streamed_bytes, v->streamed);
        assert_int_equal(out.counters.result_bytes, v->results);
        assert_int_equal(out.counters.shift, v->shift);
        assert_int_equal(out.counters.stall_fixed, v->wait_fixed);
        assert_int_equal(out.counters.stall_streamed, v->wait_streamed);
        assert_int_equal(out.counters.stall_results, v->wait_results +
                                                         out.ticks - out.drain -
                                                         v->end[v->n - 1]);
        if (t.outputs && v->n > 1)
            stationary++;
    }
    assert_true(stationary > 700);
    free(v);
}

/* Whatever waits for less is never later: more room, faster channels, less
 * latency, shorter bursts. The search builds on it. */
static void monotone(void **state)
{
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 8, 0);
    for (int i = 0; i < 20000; i++) {
        ub__tiling t = random_tiling(&rng);
        ub__schedule s = random_schedule(&rng, &t, i % 2 ? 128 : 5);
        ub__outcome out, better;

        t.gemm.m = pick(&rng, 60);
        t.tiles_m = part(t.gemm.m, t.rows);
        ub__systolic_walk(&t, &s, INT64_MAX, &out);
        s.room += (int) pick(&rng, UB__MAX_PREFETCH + 1 - s.room) - 1;
        if (i % 3)
            s.window += (int) pick(&rng, s.room + 1 - s.window) - 1;
        ub__systolic_walk(&t, &s, INT64_MAX, &better);
        if (better.ticks > out.ticks)
            fail_msg("case %d: %lld ticks with more room, %lld without", i,
                     (long long) better.ticks, (long long) out.ticks);
        out = better;
        t.ticks_per_byte[i % UB__CHANNELS] *= ub_rng_uniform(&rng);
        if (i % 2)
            t.latency /= 2;
        if (i % 3)
            t.burst_bytes = 1;
        ub__systolic_walk(&t, &s, INT64_MAX, &better);
        assert_true(better.ticks <= out.ticks);
    }
}

/* Windows by hand: a product of 64 x 32 x 24 in tiles of 8. */
static void room_in_banks(void **state)
{
    const ub__parts one = { 1, 1, 1, 1 }, deep = { 1, 1, 2, 1 };
    ub_gemm g = { sizeof(g), 64, 32, 24, 1, 64 * 32 };
    ub__schedule s = { 2, 3, 0, 0, 0, 0 };
    ub_systolic_options o;
    ub_hardware h;
    ub__tiling t;

    (void) state;
    ub_systolic_options_init(&o, sizeof(o));
    ub_hardware_init(&h, sizeof(h));
    h.rows = h.columns = 8;
    t = ub__tiling_cut(&g, &h, &o, &one);
    assert_true(ub__tiling_fit(&t, 100, &s));
    assert_int_equal(s.window, 100);
    assert_int_equal(s.room, 127);
    /* a panel of 192 bytes of weights, and 5 more tiles */
    h.weight_bank_bytes = 192 + 5 * 64;
    t = ub__tiling_cut(&g, &h, &o, &one);
    assert_true(ub__tiling_fit(&t, 100, &s));
    assert_int_equal(s.window, 5);
    assert_int_equal(s.room, 127);
    /* a tile of inputs lasts for three of weights */
    h.input_bank_bytes = 64 + 64;
    t = ub__tiling_cut(&g, &h, &o, &one);
    assert_true(ub__tiling_fit(&t, 100, &s));
    assert_int_equal(s.window, 3);
    /* a block of 16 x 24 sums of two bytes, and two tiles of 8 x 8 */
    h.output_bank_bytes = 768 + 2 * 128;
    t = ub__tiling_cut(&g, &h, &o, &one);
    assert_true(ub__tiling_fit(&t, 100, &s));
    assert_int_equal(s.window, 2);
    assert_int_equal(s.room, 2);
    /* two arrays have twice the banks and twice the sums */
    t = ub__tiling_cut(&g, &h, &o, &deep);
    assert_true(ub__tiling_fit(&t, 100, &s));
    assert_int_equal(s.room, 2);
    h.output_bank_bytes = 767;
    t = ub__tiling_cut(&g, &h, &o, &one);
    assert_false(ub__tiling_fit(&t, 100, &s));
    /* the whole fits, but not for two products */
    h.output_bank_bytes = 64 * 24 * 2;
    h.input_bank_bytes = h.weight_bank_bytes = 0;
    t = ub__tiling_cut(&g, &h, &o, &one);
    assert_true(ub__tiling_fit(&t, 100, &s));
    assert_int_equal(s.room, 127);
    g.count = 2;
    t = ub__tiling_cut(&g, &h, &o, &one);
    assert_true(ub__tiling_fit(&t, 100, &s));
    assert_int_equal(s.room, (64 * 24 * 2 - 768) / 128);
}

enum { INPUTS, WEIGHTS, OUTPUTS };

/* The same product, or two of them, and the last byte that makes room for one
 * tile more: of a panel, a block or the whole beside it. */
static const struct bank_case {
    int operand, count, keep; /* schedules keep what is read twice */
    int64_t k, split;
    int64_t bytes; /* of the bank of each of `split` arrays */
    int window;    /* with that; -1: does not fit */
    int less;      /* with a byte less */
} bank_cases[] = {
    /* a tile of 64, which lasts for three of weights; 2048 in all */
    { INPUTS, 1, 0, 32, 1, 64, 0, -1 },
    { INPUTS, 1, 0, 32, 1, 128, 3, 0 },
    { INPUTS, 1, 0, 32, 1, 2048, 100, 90 },
    /* 16 x 32 of them kept */
    { INPUTS, 1, 1, 32, 1, 512, 0, -1 },
    { INPUTS, 1, 1, 32, 1, 576, 3, 0 },
    { INPUTS, 1, 0, 32, 2, 64, 0, -1 },
    /* a panel of 192, tiles of 64; 768 in all */
    { WEIGHTS, 1, 0, 32, 1, 192, 0, -1 },
    { WEIGHTS, 1, 0, 32, 1, 256, 1, 0 },
    { WEIGHTS, 1, 0, 32, 1, 768, 100, 8 },
    { WEIGHTS, 2, 0, 32, 1, 1536, 100, 20 },
    { WEIGHTS, 1, 1, 32, 1, 768, 100, -1 },
    { WEIGHTS, 2, 1, 32, 1, 768, 0, -1 },
    { WEIGHTS, 2, 1, 32, 1, 832, 1, 0 },
    { WEIGHTS, 1, 0, 32, 2, 256, 1, 0 },
    /* a block of 768 while sums are made, tiles of 128; 3072 in all */
    { OUTPUTS, 1, 0, 32, 1, 768, 0, -1 },
    { OUTPUTS, 1, 0, 32, 1, 896, 1, 0 },
    { OUTPUTS, 1, 0, 32, 1, 3072, 100, 17 },
    { OUTPUTS, 2, 0, 32, 1, 6144, 100, 41 },
    { OUTPUTS, 1, 0, 8, 1, 128, 0, -1 },
    { OUTPUTS, 1, 0, 8, 1, 256, 1, 0 },
    { OUTPUTS, 1, 0, 32, 2, 896, 1, 0 },
};

/* The window with one bank of so many bytes, the others beyond all need. */
static int window_with(const struct bank_case *c, int64_t bytes, int shared)
{
    const ub__parts split = { 1, 1, c->split, 1 };
    const ub_gemm g = { sizeof(g), 64, c->k, 24, c->count, 64 * c->k };
    const int64_t much = (int64_t) 1 << 40;
    ub__schedule s = { 2, 3, c->keep, c->keep, 0, 0 };
    ub_systolic_options o;
    ub__tiling t;
    ub_hardware h;
    int64_t *banks[] = { &h.input_bank_bytes, &h.weight_bank_bytes,
                         &h.output_bank_bytes };

    ub_systolic_options_init(&o, sizeof(o));
    ub_hardware_init(&h, sizeof(h));
    h.rows = h.columns = 8;
    h.bank_bytes = shared ? bytes : much;
    for (int i = 0; i < 3; i++)
        *banks[i] = shared ? much : 0;
    *banks[c->operand] = shared ? 0 : bytes;
    t = ub__tiling_cut(&g, &h, &o, &split);
    return ub__tiling_fit(&t, 100, &s) ? s.window : -1;
}

/* To the byte, whether the bank has a size of its own or that of all. */
static void bytes_of_banks(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(bank_cases) / sizeof(bank_cases[0]); i++) {
        const struct bank_case *c = &bank_cases[i];

        for (int shared = 0; shared < 2; shared++) {
            const int window = window_with(c, c->bytes, shared);
            const int less = window_with(c, c->bytes - 1, shared);

            if (window != c->window || less != c->less)
                fail_msg("case %zu, shared %d: windows %d and %d, expected %d "
                         "and %d",
                         i, shared, window, less, c->window, c->less);
        }
    }
}

/* The same of stationary outputs: 64 x 32 x 48, four tiles of k each. */
static void room_of_outputs(void **state)
{
    const ub__parts one = { 1, 1, 1, 1 };
    const ub_gemm g = { sizeof(g), 64, 32, 48, 1, 64 * 32 };
    ub__schedule s = { 2, 3, 0, 0, 0, 0 };
    ub_systolic_options o;
    ub_hardware h;
    ub__tiling t;

    (void) state;
    ub_systolic_options_init(&o, sizeof(o));
    ub_hardware_init(&h, sizeof(h));
    h.rows = h.columns = 8;
    h.dataflow = UB_DATAFLOW_OS;
    /* 32 x 24 weights stay for the next row, and 5 more tiles */
    h.weight_bank_bytes = 768 + 5 * 64;
    t = ub__tiling_cut(&g, &h, &o, &one);
    assert_true(ub__tiling_fit(&t, 100, &s));
    assert_int_equal(s.window, 5);
    assert_int_equal(s.room, 127);
    h.weight_bank_bytes = 767;
    t = ub__tiling_cut(&g, &h, &o, &one);
    assert_false(ub__tiling_fit(&t, 100, &s));
    /* where there is none, a tile and 10 more */
    s.block_m = 1;
    t = ub__tiling_cut(&g, &h, &o, &one);
    assert_true(ub__tiling_fit(&t, 100, &s));
    assert_int_equal(s.window, 10);
    h.weight_bank_bytes = 0;
    /* 8 x 32 inputs stay for three columns: a row more is 12 rounds */
    h.input_bank_bytes = 256 + 6 * 64;
    t = ub__tiling_cut(&g, &h, &o, &one);
    assert_true(ub__tiling_fit(&t, 100, &s));
    assert_int_equal(s.window, 12 + 2);
    h.input_bank_bytes = 255;
    t = ub__tiling_cut(&g, &h, &o, &one);
    assert_false(ub__tiling_fit(&t, 100, &s));
    s.block_n = 1;
    t = ub__tiling_cut(&g, &h, &o, &one);
    assert_true(ub__tiling_fit(&t, 100, &s));
    assert_int_equal(s.window, 2);
    h.input_bank_bytes = 0;
    /* three tiles of results: that of four tiles before is stored */
    h.output_bank_bytes = 3 * 128;
    t = ub__tiling_cut(&g, &h, &o, &one);
    assert_true(ub__tiling_fit(&t, 100, &s));
    assert_int_equal(s.room, 4 * 4 - 2);
    assert_int_equal(s.window, 14);
    h.output_bank_bytes = 127;
    t = ub__tiling_cut(&g, &h, &o, &one);
    assert_false(ub__tiling_fit(&t, 100, &s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_naive),   cmocka_unit_test(monotone),
        cmocka_unit_test(room_in_banks),   cmocka_unit_test(bytes_of_banks),
        cmocka_unit_test(room_of_outputs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
