/* SPDX-License-Identifier: BSD-2-Clause */
#include "accelerator/accelerator.h"
#include "support.h"

#include <math.h>
#include <string.h>

/*
 * The exact engine against enumeration: of one chunk with nothing left out, and
 * of whole pipelines of reduced spaces.
 */

enum { FIELDS = UB__MAX_CHUNKS * UB_CHUNK_FIELDS };

/* Layers of both kinds and resolutions, strided and not. */
static ub_workload *mixed_workload(ub_context *context, int32_t bits)
{
    ub_workload_block block;
    ub_workload_layer scale;
    ub_workload *w;

    assert_int_equal(ub_workload_create(context, &w), UB_OK);
    ub_workload_block_init(&block, sizeof(block));
    block.in_channels = 6;
    block.out_channels = 10;
    block.height = block.width = 17;
    block.op = UB_FBNET_K3_E3;
    block.bits = bits;
    assert_int_equal(ub_workload_add_block(w, &block), UB_OK);
    block.in_channels = 10;
    block.out_channels = 12;
    block.stride = 2;
    block.op = UB_FBNET_K5_E1_G2;
    assert_int_equal(ub_workload_add_block(w, &block), UB_OK);
    /* One that waits for its inputs. */
    ub_workload_layer_init(&scale, sizeof(scale));
    scale.depthwise = 1;
    scale.out_channels = 64;
    scale.in_height = scale.in_width = 17;
    scale.out_height = scale.out_width = 17;
    scale.bits = bits;
    assert_int_equal(ub_workload_add(w, &scale), UB_OK);
    return w;
}

static ub_accelerator *reduced(ub_context *context, int32_t setting,
                               int32_t widths, int64_t bram, double dsp)
{
    const int32_t two[] = { 8, 2 }, three[] = { 4, 3, 1 };
    ub_accelerator_options o;
    ub_accelerator *a;

    ub_accelerator_options_init(&o, sizeof(o), UB_ACCELERATOR_CIFAR);
    o.setting = setting;
    o.bit_widths = widths;
    o.bits[0] = 4;
    o.bits[1] = 7;
    o.bram_limit = bram;
    o.dsp_limit = dsp;
    for (int f = 0; f < UB_CHUNK_FAMILIES; f++) {
        ub_chunk_space *s = &o.families[f];

        for (int d = 0; d < 3; d++) {
            s->lengths[d] = d == 1 ? 3 : 2;
            memcpy(s->values[d], d == 1 ? three : two,
                   (size_t) s->lengths[d] * sizeof(*two));
        }
        if (f < UB_CHUNK_DEPTHWISE_LARGE) {
            s->lengths[3] = 3;
            memcpy(s->values[3], three, sizeof(three));
        }
    }
    assert_int_equal(ub_accelerator_create(context, &o, &a), UB_OK);
    return a;
}

/* -- one chunk
 * ------------------------------------------------------------------ */

/* Configuration number i of a chunk, unrolls beyond their tiles included; 0
 * when there is none. */
static int decode(const ub_chunk_space *space, int64_t i, int32_t *c)
{
    int32_t modes[3];
    const int n = ub__chunk_modes(space, modes);

    c[0] = modes[i % n];
    i /= n;
    for (int f = 1; f < UB_CHUNK_FIELDS; f++) {
        const int d = (f - 1) % 4;

        c[f] = space->values[d][i % space->lengths[d]];
        i /= space->lengths[d];
    }
    return i == 0;
}

static int covers(const ub__chunk_point *p, const ub__chunk_use *use)
{
    return p->cycles <= use->cycles && p->dsp <= use->dsp &&
           p->bram <= use->bram;
}

/* Nothing of the space beats the front, and the front is of the space. */
static void check_front(const ub_accelerator *a, const ub__load *load,
                        int64_t chunk)
{
    const ub_chunk_space *space = ub__chunk_space_of(a, chunk);
    ub__chunk_front front;
    int64_t priced = 0, valid = 0;
    int32_t c[UB_CHUNK_FIELDS];

    assert_int_equal(ub__chunk_front_create(a, load, chunk, &front, &priced),
                     UB_OK);
    assert_true(front.n > 0);
    for (int64_t i = 0; decode(space, i, c); i++) {
        const ub__chunk_use use = ub__load_use(a, load, chunk, c);
        int covered = 0;

        if (ub__chunk_violation(c) > 0 || use.dsp > a->options.dsp_limit ||
            use.bram > (double) a->options.bram_limit)
            continue;
        valid++;
        for (int64_t j = 0; !covered && j < front.n; j++)
            covered = covers(&front.points[j], &use);
        assert_true(covered);
    }
    assert_true(priced < valid);
    for (int64_t j = 0; j < front.n; j++) {
        const ub__chunk_point *p = &front.points[j];
        const ub__chunk_use use = ub__load_use(a, load, chunk,
                                               p->configuration);

        assert_true(use.cycles == p->cycles && use.dsp == p->dsp &&
                    use.bram == p->bram);
        assert_true(ub__chunk_violation(p->configuration) == 0);
        for (int64_t k = 0; k < j; k++)
            assert_false(covers(&front.points[k], &use));
    }
    ub__chunk_front_clear(a, &front);
}

static void test_fronts(void **state)
{
    ub_context *context = test_context(1);

    (void) state;
    for (int32_t setting = 0; setting < 2; setting++) {
        ub_accelerator *a = reduced(context, setting, 1, 700, 900);
        ub_workload *w = mixed_workload(context, 4);
        ub__load load;

        assert_int_equal(ub__load_create(a, w, &load), UB_OK);
        for (int64_t c = 0; c < UB_CHUNK_FAMILIES; c++)
            check_front(a, &load, c);
        ub__load_clear(a, &load);
        ub_workload_destroy(&w);
        ub_accelerator_destroy(&a);
    }
    ub_context_destroy(&context);
}

/* -- whole pipelines
 * -------------------------------------------------------------- */

typedef struct best_of {
    const ub_accelerator *a;
    const ub__load *load;
    ub__chunk_use
        *uses[UB_CHUNK_FAMILIES]; /* of all configurations of a chunk */
    int64_t n[UB_CHUNK_FAMILIES];
    double bottleneck, dsp, bram; /* the best so far */
} best_of;

static void list_uses(best_of *b, int64_t chunk)
{
    const ub_chunk_space *space = ub__chunk_space_of(b->a, chunk);
    int32_t c[UB_CHUNK_FIELDS];
    int64_t n = 0;

    while (decode(space, n, c))
        n++;
    b->uses[chunk] = test_calloc((size_t) n, sizeof(*b->uses[chunk]));
    b->n[chunk] = 0;
    for (int64_t i = 0; i < n; i++) {
        decode(space, i, c);
        if (ub__chunk_violation(c) == 0)
            b->uses[chunk][b->n[chunk]++] = ub__load_use(b->a, b->load, chunk,
                                                         c);
    }
}

/* Every combination of every chunk's configurations. */
static void combine(best_of *b, int chunk, double cycles, double dsp,
                    double bram)
{
    if (dsp > b->a->options.dsp_limit ||
        bram > (double) b->a->options.bram_limit)
        return;
    if (chunk == UB_CHUNK_FAMILIES) {
        if (cycles < b->bottleneck ||
            (cycles == b->bottleneck &&
             (dsp < b->dsp || (dsp == b->dsp && bram < b->bram)))) {
            b->bottleneck = cycles;
            b->dsp = dsp;
            b->bram = bram;
        }
        return;
    }
    for (int64_t i = 0; i < b->n[chunk]; i++) {
        const ub__chunk_use *u = &b->uses[chunk][i];

        if (fmax(cycles, u->cycles) <= b->bottleneck)
            combine(b, chunk + 1, fmax(cycles, u->cycles), dsp + u->dsp,
                    bram + u->bram);
    }
}

/* Small lists, so that a pipeline has some millions of configurations. */
static ub_accelerator *tiny(ub_context *context, int32_t setting, int64_t bram,
                            double dsp)
{
    const int32_t two[] = { 8, 2 };
    ub_accelerator_options o;
    ub_accelerator *a;

    ub_accelerator_options_init(&o, sizeof(o), UB_ACCELERATOR_CIFAR);
    o.setting = setting;
    o.bit_widths = 1;
    o.bits[0] = 5;
    o.bram_limit = bram;
    o.dsp_limit = dsp;
    for (int f = 0; f < UB_CHUNK_FAMILIES; f++) {
        const int depthwise = f >= UB_CHUNK_DEPTHWISE_LARGE;

        for (int d = 0; d < 3 + !depthwise; d++) {
            o.families[f].lengths[d] = d == 1 ? 1 : 2;
            memcpy(o.families[f].values[d], two, sizeof(two));
        }
        o.families[f].modes = depthwise ? 3 : 6;
    }
    assert_int_equal(ub_accelerator_create(context, &o, &a), UB_OK);
    return a;
}

static void check_pipeline(ub_context *context, int32_t setting, int64_t bram,
                           double dsp)
{
    ub_accelerator *a = tiny(context, setting, bram, dsp);
    ub_workload *w = mixed_workload(context, 5);
    best_of b = { .a = a, .bottleneck = INFINITY };
    ub_accelerator_result r = { .size = sizeof(r) };
    int32_t configuration[FIELDS];
    ub_accelerator_search *s;
    ub_status status;
    ub__load load;

    assert_int_equal(ub__load_create(a, w, &load), UB_OK);
    b.load = &load;
    for (int64_t c = 0; c < UB_CHUNK_FAMILIES; c++)
        list_uses(&b, c);
    combine(&b, 0, 0, 0, 0);

    assert_int_equal(ub_accelerator_search_create(a, NULL, &s), UB_OK);
    status = ub_accelerator_search_run(s, w, 0, configuration, &r);
    if (b.bottleneck < INFINITY) {
        assert_int_equal(status, UB_OK);
        assert_true(r.bottleneck == b.bottleneck);
        assert_true(r.dsp == b.dsp);
        assert_true(r.bram == b.bram);
    } else {
        assert_int_equal(status, UB_ERR_RANGE);
    }
    ub_accelerator_search_destroy(&s);
    for (int64_t c = 0; c < UB_CHUNK_FAMILIES; c++)
        test_free(b.uses[c]);
    ub__load_clear(a, &load);
    ub_workload_destroy(&w);
    ub_accelerator_destroy(&a);
}

/* Limits from those that do not bind to those that nothing keeps to. */
static void test_enumeration(void **state)
{
    ub_context *context = test_context(1);
    const int64_t bram[] = { 700, 80, 60, 50, 44, 40, 36, 20 };
    const double dsp[] = { 900, 20, 10, 6, 4, 3 };

    (void) state;
    for (int32_t setting = 0; setting < 2; setting++) {
        for (int i = 0; i < 8; i++)
            check_pipeline(context, setting, bram[i], 900);
        for (int i = 0; i < 6; i++)
            check_pipeline(context, setting, 700, dsp[i]);
        check_pipeline(context, setting, 60, 6);
        check_pipeline(context, setting, 50, 10);
        /* No limit of DSPs leaves that of blocks. */
        for (int i = 0; i < 8; i++)
            check_pipeline(context, setting, bram[i], INFINITY);
    }
    ub_context_destroy(&context);
}

/* Looser limits and larger spaces never slow down. */
static void test_monotone(void **state)
{
    ub_context *context = test_context(1);
    ub_workload *w = mixed_workload(context, 4);
    double before = INFINITY;

    (void) state;
    for (int64_t bram = 60; bram <= 700; bram += 80) {
        ub_accelerator *a = reduced(context, UB_ACCELERATOR_CORRECTED, 2, bram,
                                    900);
        ub_accelerator_result r = { .size = sizeof(r) };
        int32_t configuration[FIELDS];
        ub_accelerator_search *s;

        assert_int_equal(ub_accelerator_search_create(a, NULL, &s), UB_OK);
        assert_int_equal(ub_accelerator_search_run(s, w, 0, configuration, &r),
                         UB_OK);
        assert_true(r.bottleneck <= before);
        before = r.bottleneck;
        ub_accelerator_search_destroy(&s);
        ub_accelerator_destroy(&a);
    }
    ub_workload_destroy(&w);
    ub_context_destroy(&context);
}

/* Copies share the limits, and more of them are never slower. */
static void test_replicas(void **state)
{
    ub_context *context = test_context(1);
    ub_workload *w = mixed_workload(context, 4);
    double one = 0;

    (void) state;
    for (int64_t most = 1; most <= 8; most *= 2) {
        ub_accelerator_options o;
        ub_accelerator_result r = { .size = sizeof(r) };
        int32_t configuration[FIELDS];
        ub_accelerator_search *s;
        ub_accelerator *a;

        ub_accelerator_options_init(&o, sizeof(o), UB_ACCELERATOR_CIFAR);
        o.max_replicas = most;
        o.bram_limit = 300;
        assert_int_equal(ub_accelerator_create(context, &o, &a), UB_OK);
        assert_int_equal(ub_accelerator_search_create(a, NULL, &s), UB_OK);
        assert_int_equal(ub_accelerator_search_run(s, w, 0, configuration, &r),
                         UB_OK);
        assert_true(r.replicas >= 1 && r.replicas <= most);
        assert_true(r.bram * (double) r.replicas <= 300);
        assert_true(r.dsp * (double) r.replicas <= 900);
        assert_close(r.fps, 200e6 / r.bottleneck * (double) r.replicas,
                     1e-9 * r.fps);
        assert_true(r.fps >= one);
        one = r.fps;
        ub_accelerator_search_destroy(&s);
        ub_accelerator_destroy(&a);
    }
    ub_workload_destroy(&w);
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fronts),
        cmocka_unit_test(test_enumeration),
        cmocka_unit_test(test_monotone),
        cmocka_unit_test(test_replicas),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
