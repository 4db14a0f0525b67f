/* SPDX-License-Identifier: BSD-2-Clause */
#include "accelerator/accelerator.h"
#include "support.h"

#include <math.h>
#include <string.h>

enum { FIELDS = UB__MAX_CHUNKS * UB_CHUNK_FIELDS };

/* Blocks at two resolutions and with two bit widths. */
static ub_workload *some_blocks(ub_context *context, int blocks)
{
    ub_workload_block b;
    ub_workload *w;

    assert_int_equal(ub_workload_create(context, &w), UB_OK);
    ub_workload_block_init(&b, sizeof(b));
    b.in_channels = b.out_channels = 24;
    b.op = UB_FBNET_K3_E3;
    for (int i = 0; i < blocks; i++) {
        b.height = b.width = i % 2 == 0 ? 32 : 8;
        b.bits = i / 2 % 2 == 0 ? 4 : 8;
        assert_int_equal(ub_workload_add_block(w, &b), UB_OK);
    }
    return w;
}

static ub_accelerator_search *search_by(const ub_accelerator *a, int32_t engine,
                                        int32_t credit, uint64_t seed)
{
    ub_accelerator_search_options o;
    ub_accelerator_search *s;

    ub_accelerator_search_options_init(&o, sizeof(o));
    o.engine = engine;
    o.credit = credit;
    o.seed = seed;
    assert_int_equal(ub_accelerator_search_create(a, &o, &s), UB_OK);
    return s;
}

static ub_accelerator_search *search_of(const ub_accelerator *a, int32_t engine,
                                        uint64_t seed)
{
    return search_by(a, engine, UB_CREDIT_CHUNK, seed);
}

static double run_fps(ub_accelerator_search *s, const ub_workload *w,
                      int64_t samples, int32_t *configuration)
{
    ub_accelerator_result r = { .size = sizeof(r) };
    ub_accelerator_result again = { .size = sizeof(again) };

    assert_int_equal(
        ub_accelerator_search_run(s, w, samples, configuration, &r), UB_OK);
    assert_int_equal(
        ub_accelerator_evaluate(s->accelerator, w, configuration, NULL, &again),
        UB_OK);
    assert_int_equal(again.excess, UB_ACCELERATOR_FITS);
    assert_close(again.fps, r.fps, 1e-9 * r.fps);
    assert_true(r.dsp == again.dsp && r.bram == again.bram);
    return r.fps;
}

/* No engine beats the exact one; samples never lose what was found; the same
 * seed finds the same. */
static void test_engines(void **state)
{
    ub_context *context = test_context(1);
    ub_workload *w = some_blocks(context, 4);
    int32_t c[FIELDS], again[FIELDS];
    ub_accelerator_search *s;
    ub_accelerator *a;
    double best;

    (void) state;
    assert_int_equal(ub_accelerator_create(context, NULL, &a), UB_OK);
    s = search_of(a, UB_ENGINE_EXACT, 1);
    best = run_fps(s, w, 0, c);
    ub_accelerator_search_destroy(&s);
    for (int32_t engine = 1; engine < 3; engine++) {
        double before = 0;

        s = search_of(a, engine, 5);
        for (int i = 0; i < 10; i++) {
            const double fps = run_fps(s, w, 100, c);

            assert_true(fps >= before && fps <= best);
            before = fps;
        }
        ub_accelerator_search_destroy(&s);
        s = search_of(a, engine, 5);
        assert_true(run_fps(s, w, 1000, again) == before);
        assert_memory_equal(c, again, 12 * UB_CHUNK_FIELDS * sizeof(*c));
        ub_accelerator_search_destroy(&s);
    }
    ub_workload_destroy(&w);
    ub_accelerator_destroy(&a);
    ub_context_destroy(&context);
}

/* The differentiable engine comes within a tenth of the optimum in a number of
 * samples in which random draws do not. */
static void test_learning(void **state)
{
    ub_context *context = test_context(1);
    ub_workload *w = some_blocks(context, 8);
    ub_accelerator_search_stats stats = { .size = sizeof(stats) };
    double fps[3];
    int32_t c[FIELDS];
    ub_accelerator *a;

    (void) state;
    assert_int_equal(ub_accelerator_create(context, NULL, &a), UB_OK);
    for (int32_t engine = 0; engine < 3; engine++) {
        ub_accelerator_search *s = search_of(a, engine, 2);

        fps[engine] = run_fps(s, w, 2000, c);
        assert_int_equal(ub_accelerator_search_stats_get(s, &stats), UB_OK);
        assert_true(stats.samples >= 2000);
        ub_accelerator_search_destroy(&s);
    }
    assert_true(fps[UB_ENGINE_DIFFERENTIABLE] >= 0.9 * fps[UB_ENGINE_EXACT]);
    assert_true(fps[UB_ENGINE_RANDOM] < 0.9 * fps[UB_ENGINE_EXACT]);
    /* It has made up its mind. */
    assert_true(stats.entropy < 0.5);
    ub_workload_destroy(&w);
    ub_accelerator_destroy(&a);
    ub_context_destroy(&context);
}

/* At the published learning rate nothing moves. */
static void test_published(void **state)
{
    ub_context *context = test_context(1);
    ub_workload *w = some_blocks(context, 4);
    ub_accelerator_search_options o;
    ub_accelerator_search *s;
    int32_t c[FIELDS];
    ub_accelerator *a;
    double most = 0;

    (void) state;
    assert_int_equal(ub_accelerator_create(context, NULL, &a), UB_OK);
    ub_accelerator_search_options_init(&o, sizeof(o));
    ub_accelerator_search_options_published(&o);
    assert_int_equal(ub_accelerator_search_create(a, &o, &s), UB_OK);
    run_fps(s, w, 500, c);
    for (int64_t i = 0; i < 12 * UB__CHUNK_LOGITS; i++)
        most = fmax(most, fabs(s->state.logits[i] - 1e-3));
    assert_true(most > 0 && most < 1e-4);
    ub_accelerator_search_destroy(&s);
    ub_workload_destroy(&w);
    ub_accelerator_destroy(&a);
    ub_context_destroy(&context);
}

/* Chunks without layers learn where they are asked to, and only there. */
static void test_unused(void **state)
{
    ub_context *context = test_context(1);
    ub_workload *w = some_blocks(context, 1); /* "a0q4" and "dwa0q4" */
    ub_accelerator *a;

    (void) state;
    assert_int_equal(ub_accelerator_create(context, NULL, &a), UB_OK);
    for (int32_t unused = 0; unused < 2; unused++) {
        ub_accelerator_search_options o;
        ub_accelerator_search *s;
        int32_t c[FIELDS];

        ub_accelerator_search_options_init(&o, sizeof(o));
        o.engine = UB_ENGINE_DIFFERENTIABLE;
        o.credit = UB_CREDIT_BOTTLENECK;
        o.restart = 0;
        o.sample_unused = unused;
        assert_int_equal(ub_accelerator_search_create(a, &o, &s), UB_OK);
        run_fps(s, w, 30, c);
        for (int i = 0; i < 12; i++)
            assert_int_equal(s->state.steps[i],
                             i == UB_CHUNK_STANDARD_LARGE ||
                                     i == UB_CHUNK_DEPTHWISE_LARGE || unused
                                 ? 30
                                 : 0);
        ub_accelerator_search_destroy(&s);
    }
    ub_workload_destroy(&w);
    ub_accelerator_destroy(&a);
    ub_context_destroy(&context);
}

/* After each hundred samples what is settled begins anew; the best stays. */
static void test_restart(void **state)
{
    ub_context *context = test_context(1);
    ub_workload *w = some_blocks(context, 2);
    ub_accelerator_search_stats stats = { .size = sizeof(stats) };
    ub_accelerator_search_options o;
    ub_accelerator_search *s;
    int32_t c[FIELDS];
    ub_accelerator *a;
    double before;

    (void) state;
    assert_int_equal(ub_accelerator_create(context, NULL, &a), UB_OK);
    ub_accelerator_search_options_init(&o, sizeof(o));
    o.engine = UB_ENGINE_DIFFERENTIABLE;
    o.restart = 100; /* nats: above any entropy */
    assert_int_equal(ub_accelerator_search_create(a, &o, &s), UB_OK);
    before = run_fps(s, w, 99, c);
    assert_int_equal(ub_accelerator_search_stats_get(s, &stats), UB_OK);
    assert_true(stats.entropy > 0);
    assert_true(run_fps(s, w, 1, c) >= before);
    assert_int_equal(ub_accelerator_search_stats_get(s, &stats), UB_OK);
    assert_true(isnan(stats.entropy)); /* nothing learnt */
    for (int64_t i = 0; i < 12 * UB__CHUNK_LOGITS; i++)
        assert_true(s->state.logits[i] == o.first_logit);
    ub_accelerator_search_destroy(&s);
    ub_workload_destroy(&w);
    ub_accelerator_destroy(&a);
    ub_context_destroy(&context);
}

/* Chunks that an earlier network learnt with, and this one does not, do not
 * keep it from settling. */
static void test_restart_in_turn(void **state)
{
    ub_context *context = test_context(1);

    (void) state;
    for (int in_turn = 0; in_turn < 2; in_turn++) {
        ub_workload *first = some_blocks(context, 1),
                    *w = some_blocks(context, 2);
        ub_accelerator_search_stats stats = { .size = sizeof(stats) };
        ub_accelerator_search_options o;
        ub_accelerator_search *s;
        ub_workload *second;
        ub_workload_layer layer = { .size = sizeof(layer) };
        int32_t c[FIELDS];
        ub_accelerator *a;
        int restarts = 0;

        assert_int_equal(ub_workload_create(context, &second), UB_OK);
        for (int64_t i = 0; i < ub_workload_layers(w); i++) {
            assert_int_equal(ub_workload_layer_get(w, i, &layer), UB_OK);
            if (layer.block == 1)
                assert_int_equal(ub_workload_add(second, &layer), UB_OK);
        }
        assert_int_equal(ub_accelerator_create(context, NULL, &a), UB_OK);
        ub_accelerator_search_options_init(&o, sizeof(o));
        o.engine = UB_ENGINE_DIFFERENTIABLE;
        o.learning_rate = 0.1;
        assert_int_equal(ub_accelerator_search_create(a, &o, &s), UB_OK);
        if (in_turn)
            run_fps(s, first, 10, c);
        for (int i = 0; i < 100; i++) {
            run_fps(s, second, in_turn && i == 0 ? 90 : 100, c);
            assert_int_equal(ub_accelerator_search_stats_get(s, &stats), UB_OK);
            restarts += isnan(stats.entropy) != 0;
        }
        assert_true(restarts > 0);
        ub_accelerator_search_destroy(&s);
        ub_workload_destroy(&first);
        ub_workload_destroy(&second);
        ub_workload_destroy(&w);
        ub_accelerator_destroy(&a);
    }
    ub_context_destroy(&context);
}

/* Samples beyond the limits teach, unless there is no penalty. */
static void test_penalty(void **state)
{
    ub_context *context = test_context(1);
    ub_workload *w = some_blocks(context, 1);
    ub_accelerator_options limits;
    ub_accelerator *a;

    (void) state;
    ub_accelerator_options_init(&limits, sizeof(limits), UB_ACCELERATOR_CIFAR);
    limits.bram_limit = 1;
    assert_int_equal(ub_accelerator_create(context, &limits, &a), UB_OK);
    for (int penalty = 0; penalty < 2; penalty++) {
        ub_accelerator_search_stats stats = { .size = sizeof(stats) };
        ub_accelerator_result r = { .size = sizeof(r) };
        ub_accelerator_search_options o;
        ub_accelerator_search *s;
        int32_t c[FIELDS];

        ub_accelerator_search_options_init(&o, sizeof(o));
        o.engine = UB_ENGINE_DIFFERENTIABLE;
        o.penalty = penalty;
        assert_int_equal(ub_accelerator_search_create(a, &o, &s), UB_OK);
        assert_int_equal(ub_accelerator_search_run(s, w, 20, c, &r),
                         UB_ERR_RANGE);
        assert_int_equal(ub_accelerator_search_stats_get(s, &stats), UB_OK);
        assert_int_equal(stats.dropped, 20);
        assert_int_equal(s->state.steps[0], penalty ? 20 : 0);
        ub_accelerator_search_destroy(&s);
    }
    ub_accelerator_destroy(&a);
    ub_workload_destroy(&w);
    ub_context_destroy(&context);
}

/* One search for one network after the other: what is known is priced anew. */
static void test_networks_in_turn(void **state)
{
    ub_context *context = test_context(1);
    ub_workload *few = some_blocks(context, 1), *many = some_blocks(context, 8);
    int32_t c[FIELDS];
    ub_accelerator *a;

    (void) state;
    assert_int_equal(ub_accelerator_create(context, NULL, &a), UB_OK);
    for (int32_t engine = 0; engine < 3; engine++) {
        ub_accelerator_search *s = search_of(a, engine, 3);
        const double first = run_fps(s, many, 300, c);

        run_fps(s, few, 300, c);
        /* Chunks that the few blocks do not use are the smallest. */
        assert_int_equal(c[UB_CHUNK_FIELDS + UB_CHUNK_TILE_OUT], 1);
        if (engine == UB_ENGINE_EXACT)
            assert_true(run_fps(s, many, 0, c) == first);
        else
            run_fps(s, many, 0, c);
        ub_accelerator_search_destroy(&s);
    }
    ub_workload_destroy(&few);
    ub_workload_destroy(&many);
    ub_accelerator_destroy(&a);
    ub_context_destroy(&context);
}

/* Limits that nothing keeps to are a status for every engine. */
static void test_infeasible(void **state)
{
    ub_context *context = test_context(1);
    ub_workload *w = some_blocks(context, 4);
    ub_accelerator_result r = { .size = sizeof(r), .fps = -1 };
    int32_t c[FIELDS] = { -7 };
    ub_accelerator_options o;
    ub_accelerator *a;

    (void) state;
    ub_accelerator_options_init(&o, sizeof(o), UB_ACCELERATOR_CIFAR);
    for (int i = 0; i < 2; i++) {
        o.bram_limit = i == 0 ? 30 : 2;
        assert_int_equal(ub_accelerator_create(context, &o, &a), UB_OK);
        for (int32_t engine = 0; engine < 3; engine++) {
            ub_accelerator_search *s = search_of(a, engine, 1);

            assert_int_equal(ub_accelerator_search_run(s, w, 20, c, &r),
                             UB_ERR_RANGE);
            ub_accelerator_search_destroy(&s);
        }
        ub_accelerator_destroy(&a);
    }
    assert_true(c[0] == -7 && r.fps == -1);
    ub_workload_destroy(&w);
    ub_context_destroy(&context);
}

/* -- state
 * ------------------------------------------------------------------------ */

static void test_resumed(void **state)
{
    ub_context *context = test_context(1);
    ub_workload *w = some_blocks(context, 4);
    int32_t c[FIELDS], again[FIELDS];
    ub_accelerator *a;

    (void) state;
    assert_int_equal(ub_accelerator_create(context, NULL, &a), UB_OK);
    /* The differentiable engine twice: each credit has means of its own. */
    for (int32_t i = 0; i < 4; i++) {
        const int32_t engine = i < 3 ? i : UB_ENGINE_DIFFERENTIABLE;
        const int32_t credit = i < 3 ? UB_CREDIT_CHUNK : UB_CREDIT_BOTTLENECK;
        const char *path = test_path("search.json");
        ub_accelerator_search *s = search_by(a, engine, credit, 9);
        ub_accelerator_search *t = search_by(a, engine, credit, 4);

        assert_int_equal(ub_accelerator_search_save(s, path), UB_OK);
        assert_int_equal(ub_accelerator_search_load(t, path), UB_OK);
        run_fps(s, w, 200, c);
        run_fps(t, w, 200, c);
        assert_int_equal(ub_accelerator_search_save(s, path), UB_OK);
        ub_accelerator_search_destroy(&t);
        t = search_by(a, engine, credit, 4);
        assert_int_equal(ub_accelerator_search_load(t, path), UB_OK);
        assert_true(run_fps(s, w, 300, c) == run_fps(t, w, 300, again));
        assert_memory_equal(c, again, 12 * UB_CHUNK_FIELDS * sizeof(*c));
        assert_memory_equal(&s->rng, &t->rng, sizeof(s->rng));
        assert_memory_equal(s->state.logits, t->state.logits,
                            12 * UB__CHUNK_LOGITS * sizeof(double));
        ub_accelerator_search_destroy(&s);
        ub_accelerator_search_destroy(&t);
    }
    ub_workload_destroy(&w);
    ub_accelerator_destroy(&a);
    ub_context_destroy(&context);
}

/* A space of little state, for files that are damaged in many ways. */
static ub_accelerator_search *little_search(ub_context *context,
                                            ub_accelerator **a)
{
    ub_accelerator_options o;

    ub_accelerator_options_init(&o, sizeof(o), UB_ACCELERATOR_CIFAR);
    o.bit_widths = 1;
    assert_int_equal(ub_accelerator_create(context, &o, a), UB_OK);
    return search_of(*a, UB_ENGINE_DIFFERENTIABLE, 1);
}

static int read_damaged(ub_context *context, const char *path)
{
    ub_accelerator *a;
    ub_accelerator_search *s = little_search(context, &a);
    const ub_status status = ub_accelerator_search_load(s, path);

    ub_accelerator_search_destroy(&s);
    ub_accelerator_destroy(&a);
    return status == UB_OK;
}

static void test_damaged_state(void **state)
{
    ub_context *context = test_context(1);
    const char *path = test_path("little.json");
    const struct test_damage every = { 997, 1499 };
    ub_accelerator_search *s;
    struct test_damage seen;
    ub_accelerator *a;
    char *text;

    (void) state;
    s = little_search(context, &a);
    assert_int_equal(ub_accelerator_search_save(s, path), UB_OK);
    assert_true(read_damaged(context, path));
    text = test_file_read(path);
    seen = test_damaged(context, "damaged.json", text, strlen(text), every,
                        read_damaged);
    /* All but the last newline is a file too; a flipped digit may go
     * unnoticed. */
    assert_true(seen.prefixes <= 1);
    free(text);
    ub_accelerator_search_destroy(&s);
    ub_accelerator_destroy(&a);
    /* Of another engine, of another space. */
    assert_int_equal(ub_accelerator_create(context, NULL, &a), UB_OK);
    s = search_of(a, UB_ENGINE_DIFFERENTIABLE, 1);
    assert_int_equal(ub_accelerator_search_load(s, path), UB_ERR_FORMAT);
    assert_int_equal(ub_accelerator_search_load(s, test_path("none")),
                     UB_ERR_IO);
    ub_accelerator_search_destroy(&s);
    ub_accelerator_destroy(&a);
    ub_context_destroy(&context);
}

/* -- arguments and memory
 * ----------------------------------------------------------- */

static void test_bad_options(void **state)
{
    ub_context *context = test_context(1);
    ub_accelerator_search *s = NULL;
    ub_accelerator_search_options o;
    ub_accelerator *a;

    (void) state;
    assert_int_equal(ub_accelerator_create(context, NULL, &a), UB_OK);
    for (int i = 0; i < 9; i++) {
        const double bad[] = { NAN, -1e9, INFINITY };

        for (int j = 0; j < 3; j++) {
            ub_accelerator_search_options_init(&o, sizeof(o));
            (&o.learning_rate)[i] = bad[j];
            assert_int_equal(ub_accelerator_search_create(a, &o, &s),
                             UB_ERR_INVALID);
        }
    }
    ub_accelerator_search_options_init(&o, sizeof(o));
    o.engine = 3;
    assert_int_equal(ub_accelerator_search_create(a, &o, &s), UB_ERR_INVALID);
    ub_accelerator_search_options_init(&o, sizeof(o));
    o.credit = -1;
    assert_int_equal(ub_accelerator_search_create(a, &o, &s), UB_ERR_INVALID);
    assert_null(s);
    ub_accelerator_destroy(&a);
    ub_context_destroy(&context);
}

static ub_status search_scenario(ub_context *context, void *arg)
{
    const int32_t engine = *(const int32_t *) arg;
    ub_accelerator_search_options o;
    ub_accelerator_result r = { .size = sizeof(r) };
    ub_accelerator_search *s = NULL;
    ub_accelerator *a = NULL;
    ub_workload *w = NULL;
    int32_t c[FIELDS];
    ub_workload_block b;
    ub_status status;

    ub_workload_block_init(&b, sizeof(b));
    b.op = UB_FBNET_K3_E3;
    b.bits = 8;
    ub_accelerator_search_options_init(&o, sizeof(o));
    o.engine = engine;
    status = ub_workload_create(context, &w);
    if (status == UB_OK)
        status = ub_workload_add_block(w, &b);
    if (status == UB_OK)
        status = ub_accelerator_create(context, NULL, &a);
    if (status == UB_OK)
        status = ub_accelerator_search_create(a, &o, &s);
    if (status == UB_OK)
        status = ub_accelerator_search_run(s, w, 20, c, &r);
    if (status == UB_OK)
        status = ub_accelerator_search_save(s, test_path("oom.json"));
    if (status == UB_OK)
        status = ub_accelerator_search_load(s, test_path("oom.json"));
    ub_accelerator_search_destroy(&s);
    ub_accelerator_destroy(&a);
    ub_workload_destroy(&w);
    return status;
}

static void test_oom(void **state)
{
    (void) state;
    for (int32_t engine = 0; engine < 3; engine++)
        assert_survives_oom(search_scenario, 1, &engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_engines),
        cmocka_unit_test(test_learning),
        cmocka_unit_test(test_published),
        cmocka_unit_test(test_unused),
        cmocka_unit_test(test_restart),
        cmocka_unit_test(test_restart_in_turn),
        cmocka_unit_test(test_penalty),
        cmocka_unit_test(test_networks_in_turn),
        cmocka_unit_test(test_infeasible),
        cmocka_unit_test(test_resumed),
        cmocka_unit_test(test_damaged_state),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_oom),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
