/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include "systolic/systolic.h"

#include <math.h>
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
    int64_t end[MAX_ROUNDS], store[MAX_ROUNDS];
    int64_t start, channel, weights, inputs, outputs, stalls;
    int64_t last_weights; /* which tile is in the array */
} naive;

static int64_t ticks(const naive *v, int64_t bytes)
{
    return (int64_t) ceil((double) bytes * v->t->ticks_per_byte);
}

static int64_t extent(int64_t n, int64_t size, int64_t i)
{
    return n - i * size < size ? n - i * size : size;
}

static void tile(naive *v, int64_t p, int64_t i, int64_t j, int64_t k,
                 int load_weights, int load_inputs)
{
    const ub__tiling *t = v->t;
    const int64_t m = extent(t->gemm.m, t->rows, i);
    const int64_t d = extent(t->gemm.k, t->rows, j);
    const int64_t c = extent(t->gemm.n, t->columns, k);
    const int64_t id = (p * t->tiles_k + j) * t->tiles_n + k;
    const int64_t before = v->n > 0 ? v->end[v->n - 1] : 0;
    const int64_t freed = v->n - v->s->window - 1;
    int64_t ready_w = 0, ready_x = 0, start = before, ideal;

    assert_true(v->n < MAX_ROUNDS);
    if (freed >= 0 && v->end[freed] > v->channel)
        v->channel = v->end[freed];
    if (load_weights) {
        v->weights += d * c * t->element_bytes;
        ready_w = v->channel += ticks(v, d * c * t->element_bytes);
    }
    if (load_inputs && t->charge_inputs) {
        v->inputs += ub__input_bytes(t, m, d);
        ready_x = v->channel += ticks(v, ub__input_bytes(t, m, d));
    }
    if (freed >= 0)
        v->channel += v->store[freed];
    if (id != v->last_weights) {
        const int64_t shift = (d + 1) * UB__TICKS;
        const int64_t from = ready_w > v->start ? ready_w : v->start;

        ideal = v->start + shift > start ? v->start + shift : start;
        start = from + shift > start ? from + shift : start;
    } else {
        ideal = start;
    }
    v->last_weights = id;
    start = ready_x > start ? ready_x : start;
    v->stalls += start - ideal;
    v->start = start;
    v->end[v->n] = start + ((m > 3 ? m : 3) + 1) * UB__TICKS;
    v->store[v->n] = 0;
    if (j == t->tiles_k - 1 && t->charge_outputs) {
        v->outputs += m * c * t->element_bytes;
        v->store[v->n] = ticks(v, m * c * t->element_bytes);
    }
    v->n++;
}

static int64_t upto(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t walk_all(naive *v)
{
    const ub__tiling *t = v->t;
    const int64_t bm = v->s->block_m, bn = v->s->block_n;
    int64_t end;

    v->last_weights = -1;
    for (int64_t p = 0; p < t->gemm.count; p++)
        for (int64_t m = 0; m < t->tiles_m; m += bm)
            for (int64_t n = 0; n < t->tiles_n; n += bn)
                for (int64_t j = 0; j < t->tiles_k; j++)
                    for (int64_t i = m; i < upto(m + bm, t->tiles_m); i++)
                        for (int64_t k = n; k < upto(n + bn, t->tiles_n); k++)
                            tile(v, p, i, j, k,
                                 i == m && (m == 0 || !v->s->keep_weights),
                                 k == n && (n == 0 || !v->s->keep_inputs));
    end = v->end[v->n - 1] + 2 * UB__TICKS;
    for (int64_t r = v->n - 1 - v->s->window; r < v->n; r++) {
        if (r < 0)
            continue;
        if (v->end[r] > v->channel)
            v->channel = v->end[r];
        v->channel += v->store[r];
    }
    return v->channel > end ? v->channel : end;
}

static int64_t pick(ub_rng *rng, int64_t n)
{
    return 1 + (int64_t) ub_rng_below(rng, (uint64_t) n);
}

static ub__tiling random_tiling(ub_rng *rng)
{
    ub__tiling t = { .gemm = { .size = sizeof(t.gemm) } };

    t.gemm.m = pick(rng, 300);
    t.gemm.k = pick(rng, 40);
    t.gemm.n = pick(rng, 30);
    t.gemm.count = pick(rng, 6);
    t.gemm.input_elements = pick(rng, t.gemm.m * t.gemm.k);
    t.rows = pick(rng, 8);
    t.columns = pick(rng, 8);
    t.element_bytes = pick(rng, 2);
    t.partial_bytes = 2;
    t.input_ratio = (double) (t.gemm.input_elements * t.element_bytes) /
                    (double) (t.gemm.m * t.gemm.k);
    t.ticks_per_byte = 1024.0 * 3.0 * ub_rng_uniform(rng) * ub_rng_uniform(rng);
    t.tiles_m = (t.gemm.m - 1) / t.rows + 1;
    t.tiles_k = (t.gemm.k - 1) / t.rows + 1;
    t.tiles_n = (t.gemm.n - 1) / t.columns + 1;
    t.charge_inputs = pick(rng, 4) > 1;
    t.charge_outputs = pick(rng, 4) > 1;
    return t;
}

static void same_as_naive(void **state)
{
    naive *v = malloc(sizeof(*v));
    ub_rng rng;

    (void) state;
    assert_non_null(v);
    ub_rng_init(&rng, 7, 0);
    for (int i = 0; i < 1500; i++) {
        const ub__tiling t = random_tiling(&rng);
        const ub__schedule s = { pick(&rng, t.tiles_m), pick(&rng, t.tiles_n),
                                 pick(&rng, 2) - 1, pick(&rng, 2) - 1,
                                 (int) pick(&rng, i % 2 ? 128 : 5) - 1 };
        ub__outcome out;

        if (t.tiles_m * t.tiles_k * t.tiles_n * t.gemm.count > MAX_ROUNDS)
            continue;
        memset(v, 0, sizeof(*v));
        v->t = &t;
        v->s = &s;
        ub__systolic_walk(&t, &s, &out);
        assert_int_equal(out.ticks, walk_all(v));
        assert_int_equal(out.counters.rounds, v->n);
        assert_int_equal(out.counters.weight_bytes, v->weights);
        assert_int_equal(out.counters.input_bytes, v->inputs);
        assert_int_equal(out.counters.output_bytes, v->outputs);
        assert_int_equal(out.counters.stall_weights + out.counters.stall_inputs,
                         v->stalls);
    }
    free(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(same_as_naive) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
