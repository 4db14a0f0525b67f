/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <math.h>
#include <string.h>
#include <uboost/systolic.h>

/* Laws of level 1 on random products and machines, and against a machine that
 * is written down again, without memory. */

typedef struct sample {
    ub_gemm gemm;
    ub_hardware hardware;
    ub_systolic_options options;
} sample;

static int64_t pick(ub_rng *rng, int64_t n)
{
    return 1 + (int64_t) ub_rng_below(rng, (uint64_t) n);
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t part(int64_t n, int64_t parts)
{
    return (n + parts - 1) / parts;
}

static sample random_sample(ub_rng *rng)
{
    static const int32_t dataflows[] = { UB_DATAFLOW_WS, UB_DATAFLOW_WS,
                                         UB_DATAFLOW_IS, UB_DATAFLOW_OS,
                                         UB_DATAFLOW_OS };
    sample s = { .gemm = { .size = sizeof(s.gemm) } };
    int os;

    ub_hardware_init(&s.hardware, sizeof(s.hardware));
    ub_systolic_options_init(&s.options, sizeof(s.options));
    s.gemm.m = pick(rng, pick(rng, 2) == 1 ? 12 : 60);
    s.gemm.k = pick(rng, pick(rng, 2) == 1 ? 9 : 40);
    s.gemm.n = pick(rng, pick(rng, 2) == 1 ? 3 : 25);
    s.gemm.count = pick(rng, 3) == 1 ? pick(rng, 9) : 1;
    s.gemm.input_elements = s.gemm.m * s.gemm.k;
    s.hardware.rows = pick(rng, 12);
    s.hardware.columns = pick(rng, 12);
    s.hardware.arrays = pick(rng, 2) == 1 ? 1 : pick(rng, 9);
    s.hardware.interconnect = (int32_t) pick(rng, 5) - 1;
    s.hardware.expansion = pick(rng, 4) - 1;
    s.hardware.dataflow = dataflows[pick(rng, 5) - 1];
    os = s.hardware.dataflow == UB_DATAFLOW_OS;
    if (pick(rng, 4) == 1)
        s.options.tile_m = pick(rng, os ? s.hardware.rows : 20);
    if (pick(rng, 4) == 1)
        s.options.tile_k = pick(rng, os ? 20 : s.hardware.rows);
    if (pick(rng, 4) == 1)
        s.options.tile_n = pick(rng, s.hardware.columns);
    s.options.packed = pick(rng, 2) == 1;
    return s;
}

/* Any memory that holds a tile. */
static void random_memory(ub_rng *rng, sample *s)
{
    ub_hardware *h = &s->hardware;

    s->gemm.input_elements = pick(rng, s->gemm.m * s->gemm.k);
    h->bandwidth = 8e9 * ub_rng_uniform(rng) * ub_rng_uniform(rng) + 1e7;
    h->bank_bytes = 2048 + pick(rng, pick(rng, 2) == 1 ? 4096 : 1 << 20);
    h->element_bytes = pick(rng, 2);
    if (pick(rng, 3) == 1)
        h->input_bandwidth = 5e9 * ub_rng_uniform(rng) + 1e7;
    if (pick(rng, 3) == 1)
        h->weight_bandwidth = 5e9 * ub_rng_uniform(rng) + 1e7;
    if (pick(rng, 3) == 1)
        h->output_bandwidth = 5e9 * ub_rng_uniform(rng) + 1e7;
    h->input_bytes = pick(rng, 3) - 1;
    h->weight_bytes = pick(rng, 3) - 1;
    h->output_bytes = pick(rng, 5) - 1;
    if (pick(rng, 3) == 1)
        h->memory_latency = pick(rng, 200);
    if (pick(rng, 3) == 1)
        h->burst_bytes = (int64_t) 1 << pick(rng, 7);
    s->options.charge_inputs = pick(rng, 5) > 1;
    s->options.charge_outputs = pick(rng, 5) > 1;
    s->options.prefetch = pick(rng, 3) == 1 ? (int32_t) pick(rng, 8) - 1 : 100;
}

static ub_systolic_stats run(const sample *s)
{
    ub_systolic_stats stats = { .size = sizeof(stats) };

    assert_int_equal(
        ub_systolic_gemm(&s->gemm, &s->hardware, &s->options, &stats), UB_OK);
    return stats;
}

/* -- shares and bounds ---------------------------------------------------- */

static double sum_of_shares(const ub_systolic_stats *s)
{
    return s->share_busy + s->share_unused_rows + s->share_unused_columns +
           s->share_unused_arrays + s->share_weight_load + s->share_fill +
           s->share_drain + s->share_wait_weights + s->share_wait_inputs +
           s->share_wait_outputs + s->share_vector;
}

static double least_share(const ub_systolic_stats *s)
{
    const double shares[] = { s->share_busy,           s->share_unused_rows,
                              s->share_unused_columns, s->share_unused_arrays,
                              s->share_weight_load,    s->share_fill,
                              s->share_drain,          s->share_wait_weights,
                              s->share_wait_inputs,    s->share_wait_outputs,
                              s->share_vector };
    double least = shares[0];

    for (size_t i = 1; i < sizeof(shares) / sizeof(shares[0]); i++)
        least = fmin(least, shares[i]);
    return least;
}

/* Cycles that a channel needs for its bytes. */
static double moving(const sample *s, double bandwidth, int64_t bytes)
{
    return (double) bytes * s->hardware.clock_hz / bandwidth;
}

static void check_bounds(const sample *s, const ub_systolic_stats *r)
{
    const ub_hardware *h = &s->hardware;
    const ub_gemm *g = &s->gemm;
    const double elements = (double) (h->rows * h->columns * h->arrays);
    const struct {
        double own;
        int64_t bytes;
    } operands[] = { { h->input_bandwidth, r->input_bytes },
                     { h->weight_bandwidth, r->weight_bytes },
                     { h->output_bandwidth, r->output_bytes } };
    int64_t shared = 0;

    assert_int_equal(r->macs, g->m * g->k * g->n * g->count);
    assert_true((double) r->cycles * elements >= (double) r->macs);
    for (int i = 0; i < 3; i++) {
        if (operands[i].own > 0.0)
            assert_true((double) r->cycles >=
                        moving(s, operands[i].own, operands[i].bytes));
        else
            shared += operands[i].bytes;
    }
    assert_true((double) r->cycles >= moving(s, h->bandwidth, shared));
    assert_true(r->weight_bytes >=
                g->k * g->n * g->count * larger(h->weight_bytes, 1));
    assert_true(!s->options.charge_outputs ||
                r->output_bytes >=
                    g->m * g->n * g->count * larger(h->output_bytes, 1));
    assert_int_equal(r->weight_bytes % h->burst_bytes, 0);
    assert_int_equal(r->output_bytes % h->burst_bytes, 0);
}

static void shares_and_bounds(void **state)
{
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 11, 0);
    for (int i = 0; i < 6000; i++) {
        sample s = random_sample(&rng);
        ub_systolic_stats r;

        if (i % 4)
            random_memory(&rng, &s);
        r = run(&s);
        check_bounds(&s, &r);
        if (fabs(sum_of_shares(&r) - 1.0) > 1e-12 * 11 ||
            least_share(&r) < -1e-15)
            fail_msg("case %d: shares add to %.17g, the least is %g", i,
                     sum_of_shares(&r), least_share(&r));
        assert_close(r.share_busy, r.utilization, 0.0);
        assert_close(r.share_vector, 0.0, 0.0);
        assert_true(fabs(r.share_wait_inputs * (double) r.cycles -
                         (double) r.stall_inputs) <= 1.0);
        assert_true(fabs(r.share_wait_weights * (double) r.cycles -
                         (double) r.stall_weights) <= 1.0);
        assert_true(fabs(r.share_wait_outputs * (double) r.cycles -
                         (double) r.stall_outputs) <= 1.0);
    }
}

/* m = 8, k = 4, n = 2 on one of two arrays of 8 x 8 does not need the other
 * when it is one row a time; 16 cycles: 5 shift, 8 stream, 1 fill, 2 drain. */
static void known_shares(void **state)
{
    sample s;
    ub_rng rng;
    ub_systolic_stats r;

    (void) state;
    ub_rng_init(&rng, 1, 0);
    s = random_sample(&rng);
    s.gemm = (ub_gemm){ sizeof(s.gemm), 8, 4, 2, 1, 32 };
    ub_hardware_init(&s.hardware, sizeof(s.hardware));
    ub_systolic_options_init(&s.options, sizeof(s.options));
    s.hardware.rows = s.hardware.columns = 8;
    s.hardware.arrays = 2;
    s.hardware.interconnect = UB_INTERCONNECT_BUS;
    s.hardware.bandwidth = INFINITY;
    r = run(&s);
    assert_int_equal(r.cycles, 16);
    assert_close(r.share_busy, 64.0 / (16 * 128), 1e-15);
    assert_close(r.share_unused_columns, 8 * 4 * 6.0 / (16 * 128), 1e-15);
    assert_close(r.share_unused_rows, 8 * 4 * 8.0 / (16 * 128), 1e-15);
    assert_close(r.share_unused_arrays, 8 * 64.0 / (16 * 128), 1e-15);
    assert_close(r.share_weight_load, 5.0 / 16, 1e-15);
    assert_close(r.share_fill, 1.0 / 16, 1e-15);
    assert_close(r.share_drain, 2.0 / 16, 1e-15);
    /* side by side, each streams 4 rows */
    s.hardware.interconnect = UB_INTERCONNECT_CROSSBAR;
    r = run(&s);
    assert_int_equal(r.cycles, 12);
    assert_close(r.share_unused_arrays, 0.0, 0.0);
    assert_close(r.share_unused_columns, 2 * 4 * 4 * 6.0 / (12 * 128), 1e-15);
}

/* -- never slower --------------------------------------------------------- */

static void not_slower(const sample *better, int64_t before, const char *what,
                       int i)
{
    const int64_t cycles = run(better).cycles;

    if (cycles > before)
        fail_msg("case %d: %lld cycles with %s, %lld without", i,
                 (long long) cycles, what, (long long) before);
}

static void more_memory(void **state)
{
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 12, 0);
    for (int i = 0; i < 2000; i++) {
        sample s = random_sample(&rng), t;
        int64_t before;

        random_memory(&rng, &s);
        before = run(&s).cycles;
        t = s;
        t.hardware.bandwidth *= 1.0 + 2.0 * ub_rng_uniform(&rng);
        not_slower(&t, before, "more bandwidth", i);
        t = s;
        t.hardware.input_bandwidth *= 1.0 + ub_rng_uniform(&rng);
        t.hardware.weight_bandwidth *= 1.0 + ub_rng_uniform(&rng);
        t.hardware.output_bandwidth *= 1.0 + ub_rng_uniform(&rng);
        not_slower(&t, before, "faster channels", i);
        t = s;
        t.hardware.memory_latency /= 2;
        not_slower(&t, before, "less latency", i);
        t = s;
        t.hardware.burst_bytes = 1;
        not_slower(&t, before, "shorter bursts", i);
        t = s;
        t.hardware.bank_bytes += pick(&rng, 8192);
        not_slower(&t, before, "larger banks", i);
        t = s;
        t.hardware.input_bank_bytes = s.hardware.bank_bytes + pick(&rng, 9999);
        not_slower(&t, before, "a larger input bank", i);
        t = s;
        t.hardware.weight_bank_bytes = s.hardware.bank_bytes + pick(&rng, 9999);
        not_slower(&t, before, "a larger weight bank", i);
        t = s;
        t.hardware.output_bank_bytes = s.hardware.bank_bytes + pick(&rng, 9999);
        not_slower(&t, before, "a larger output bank", i);
    }
}

static void more_arrays(void **state)
{
    ub_rng rng;
    int64_t won = 0;

    (void) state;
    ub_rng_init(&rng, 13, 0);
    for (int i = 0; i < 2500; i++) {
        sample s = random_sample(&rng), t;
        int64_t before;

        random_memory(&rng, &s);
        before = run(&s).cycles;
        t = s;
        t.hardware.arrays += pick(&rng, 8);
        not_slower(&t, before, "more arrays", i);
        won += run(&t).cycles < before;
    }
    assert_true(won > 800);
}

/* -- the machine again, without memory ------------------------------------ */

typedef struct way {
    int64_t groups, m, k, n; /* the split */
    int64_t block_m, block_n;
} way;

static int64_t log2_up(int64_t n)
{
    int64_t bits = 0;

    for (; n > 1; n = part(n, 2))
        bits++;
    return bits;
}

static int64_t hops(const ub_hardware *h, int64_t arrays)
{
    const int64_t n = log2_up(arrays);

    if (h->interconnect == UB_INTERCONNECT_BENES)
        return larger(2 * n - 1, 1);
    if (h->interconnect == UB_INTERCONNECT_BENES_COPY)
        return larger(4 * n - 1, 1);
    if (h->interconnect == UB_INTERCONNECT_BANYAN && arrays > 1)
        return n + 2 * h->expansion;
    return 1;
}

typedef struct replay {
    int64_t start, end;
    int64_t loaded; /* which weights */
    int64_t out;    /* when stationary outputs have left */
} replay;

static int is_os(const sample *s)
{
    return s->hardware.dataflow == UB_DATAFLOW_OS;
}

/* One round of `group` products. */
static void step(replay *r, const sample *s, const way *w, int64_t id,
                 int64_t group, int64_t m, int64_t k)
{
    const int64_t arrays = w->groups * w->m * w->k * w->n;
    const int bus = s->hardware.interconnect == UB_INTERCONNECT_BUS;
    const int64_t stream = part(m, w->m) * (bus ? arrays : 1);
    const int64_t shift = part(group, w->groups) * part(k, w->k) *
                              (bus ? arrays / w->m : 1) +
                          1;
    const int64_t begin = r->start;

    r->start = r->end;
    if (id != r->loaded)
        r->start = larger(r->end, begin + shift);
    r->loaded = id;
    r->end = r->start + larger(stream, 2 * hops(&s->hardware, arrays) + 1) + 1;
}

/* The tile of results of `group` products and m rows, of all of k. */
static void step_outputs(replay *r, const sample *s, const way *w,
                         int64_t group, int64_t m, int64_t k, int64_t tile_k)
{
    const int64_t arrays = w->groups * w->m * w->k * w->n;
    const int bus = s->hardware.interconnect == UB_INTERCONNECT_BUS;
    const int64_t sources = w->groups * w->k * larger(w->m, w->n);

    for (; k > 0; k -= tile_k)
        r->end += larger(part(smaller(k, tile_k), w->k) * (bus ? sources : 1),
                         2 * hops(&s->hardware, arrays) + 1) +
                  1;
    r->end = larger(r->end, r->out);
    r->out = r->end +
             part(group, w->groups) * part(m, w->m) * (bus ? arrays : 1) + 1;
}

/* Extents of tiles and products of the sample as the array sees it. */
static void cut(const sample *s, int64_t extent[4], int64_t tile[3],
                int64_t *pack)
{
    const ub_gemm *g = &s->gemm;
    const int turned = s->hardware.dataflow == UB_DATAFLOW_IS;
    const ub_systolic_options *o = &s->options;
    const int held = is_os(s) ? 0 : 1;

    extent[0] = turned ? g->n : g->m;
    extent[1] = g->k;
    extent[2] = turned ? g->m : g->n;
    extent[3] = g->count;
    tile[0] = o->tile_m ? o->tile_m : s->hardware.rows;
    tile[1] = o->tile_k ? o->tile_k : s->hardware.rows;
    tile[2] = o->tile_n ? o->tile_n : s->hardware.columns;
    *pack = 1;
    if (o->packed && extent[held] <= tile[held] && extent[2] <= tile[2])
        *pack = smaller(
            g->count, smaller(tile[held] / extent[held], tile[2] / extent[2]));
}

static int64_t cycles_of(const sample *s, const way *w)
{
    const int64_t arrays = w->groups * w->m * w->k * w->n;
    const int bus = s->hardware.interconnect == UB_INTERCONNECT_BUS;
    const int64_t l = hops(&s->hardware, arrays);
    int64_t extent[4], tile[3], pack, id = 0, adding, depth;
    replay r = { 0, 0, -1, 0 };

    cut(s, extent, tile, &pack);
    tile[0] *= w->m;
    tile[1] *= w->k;
    tile[2] *= w->n;
    depth = is_os(s) ? extent[1] : tile[1];
    for (int64_t p = 0; p < extent[3]; p += pack * w->groups, id += 1 << 20) {
        const int64_t group = smaller(extent[3] - p, pack * w->groups);

        for (int64_t bm = 0; bm < extent[0]; bm += w->block_m * tile[0])
            for (int64_t bn = 0; bn < extent[2]; bn += w->block_n * tile[2])
                for (int64_t k = 0; k < extent[1]; k += depth)
                    for (int64_t m = bm;
                         m < smaller(extent[0], bm + w->block_m * tile[0]);
                         m += tile[0])
                        for (int64_t n = bn;
                             n < smaller(extent[2], bn + w->block_n * tile[2]);
                             n += tile[2])
                            if (is_os(s))
                                step_outputs(&r, s, w, group,
                                             smaller(tile[0], extent[0] - m),
                                             extent[1], tile[1]);
                            else
                                step(&r, s, w, id + k * 1000 + n, group,
                                     smaller(tile[0], extent[0] - m),
                                     smaller(tile[1], extent[1] - k));
    }
    adding = bus ? arrays / w->k * (w->k - 1) : log2_up(w->k);
    adding *= larger(part(smaller(extent[0], tile[0]), w->m), 2 * l + 1) + 1;
    return larger(r.end, r.out) + adding + l + 1;
}

static int64_t best_blocks(const sample *s, way *w)
{
    int64_t extent[4], tile[3], pack, best = INT64_MAX;
    int64_t tiles_m, tiles_n;

    cut(s, extent, tile, &pack);
    tiles_m = part(extent[0], tile[0] * w->m);
    tiles_n = part(extent[2], tile[2] * w->n);
    for (int64_t m = tiles_m;; m = part(m, 2)) {
        for (int64_t n = tiles_n;; n = part(n, 2)) {
            w->block_m = m;
            w->block_n = n;
            best = smaller(best, cycles_of(s, w));
            if (n == 1)
                break;
        }
        if (m == 1)
            break;
    }
    return best;
}

/* A part that is tried, up to nine. */
static int tried(const sample *s, int64_t n, int64_t limit)
{
    if (s->hardware.interconnect == UB_INTERCONNECT_BANYAN)
        return n <= limit && (n & (n - 1)) == 0;
    return n <= limit && (n <= 8 || n == limit);
}

static int64_t compute_only(const sample *s)
{
    const int64_t arrays = s->hardware.arrays;
    int64_t extent[4], tile[3], pack, best = INT64_MAX;

    cut(s, extent, tile, &pack);
    for (int64_t code = 0; code < arrays * arrays * arrays * arrays; code++) {
        way w = { 1 + code % arrays,
                  1 + code / arrays % arrays,
                  1 + code / (arrays * arrays) % arrays,
                  1 + code / (arrays * arrays * arrays),
                  0,
                  0 };

        if (w.groups * w.m * w.k * w.n <= arrays &&
            tried(s, w.groups, part(extent[3], pack)) &&
            tried(s, w.m, part(extent[0], is_os(s) ? tile[0] : 1)) &&
            tried(s, w.k, part(extent[1], is_os(s) ? 1 : tile[1])) &&
            tried(s, w.n, part(extent[2], tile[2])))
            best = smaller(best, best_blocks(s, &w));
    }
    return best;
}

static void unlimited_memory(void **state)
{
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 14, 0);
    for (int i = 0; i < 2500; i++) {
        sample s = random_sample(&rng);
        ub_systolic_stats r;
        int64_t expected;

        s.hardware.bandwidth = INFINITY;
        if (i % 3 == 0)
            s.hardware.input_bandwidth = INFINITY;
        r = run(&s);
        expected = compute_only(&s);
        if (r.cycles != expected)
            fail_msg("case %d: %lld x %lld x %lld x %lld on %lld arrays: %lld "
                     "cycles, %lld without memory",
                     i, (long long) s.gemm.m, (long long) s.gemm.k,
                     (long long) s.gemm.n, (long long) s.gemm.count,
                     (long long) s.hardware.arrays, (long long) r.cycles,
                     (long long) expected);
        assert_int_equal(r.stall_weights + r.stall_inputs + r.stall_outputs, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_and_bounds), cmocka_unit_test(known_shares),
        cmocka_unit_test(more_memory),       cmocka_unit_test(more_arrays),
        cmocka_unit_test(unlimited_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
