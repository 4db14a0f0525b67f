/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames per second of the accelerators that each engine finds, against its
 * time: a JSON line for each network, set of modes, engine, seed and number of
 * samples. "share" is that of the optimum. Networks are one of Auto-NBA's with
 * all blocks alike and one with operators and bits in turn; or, with --golden,
 * those of a file in the form of the tests' golden values. All are the
 * reference's, whose optima are known, unless --corrected is given. Runs are
 * seeds. Random search, the cheapest by sample, draws a hundred times as many,
 * so that none has less time than the others.
 */
#include "bench.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <uboost/accelerator.h>

enum {
    BLOCKS = UB_WORKLOAD_FBNET_BLOCKS,
    FIELDS = 32 * UB_CHUNK_FIELDS,
    RANDOM_TIMES = 100
};

typedef struct net {
    const char *name;
    int32_t preset;
    int32_t operators[BLOCKS], bits[BLOCKS];
} net;

typedef struct settings {
    int64_t samples;
    const char *golden;
    int corrected;
} settings;

/* An engine as a line names it. */
typedef struct engine {
    const char *name;
    int32_t engine, published;
    int32_t credit, logarithm;
    double learning_rate, baseline;
} engine;

static const engine engines[] = {
    { "exact", UB_ENGINE_EXACT, 0, UB_CREDIT_CHUNK, 1, 0, 0 },
    { "random", UB_ENGINE_RANDOM, 0, UB_CREDIT_CHUNK, 1, 0, 0 },
    { "published", UB_ENGINE_DIFFERENTIABLE, 1, 0, 0, 1e-7, 0 },
    { "rate", UB_ENGINE_DIFFERENTIABLE, 1, 0, 0, 0.03, 0 },
    { "rate, baseline", UB_ENGINE_DIFFERENTIABLE, 1, 0, 0, 0.03, 0.9 },
    { "differentiable", UB_ENGINE_DIFFERENTIABLE, 0, UB_CREDIT_CHUNK, 1, 0.03,
      0.9 },
};

/* -- networks -----------------------------------------------------------------
 */

static net alike(void)
{
    net n = { "k3_e6 of 8 bits", UB_ACCELERATOR_IMAGENET, { 0 }, { 0 } };

    for (int i = 0; i < BLOCKS; i++) {
        n.operators[i] = UB_FBNET_K3_E6;
        n.bits[i] = 8;
    }
    return n;
}

static net in_turn(void)
{
    net n = { "in turn", UB_ACCELERATOR_CIFAR, { 0 }, { 0 } };

    for (int i = 0; i < BLOCKS; i++) {
        n.operators[i] = 5 * i % (UB_FBNET_SKIP + 1);
        n.bits[i] = 4 + 2 * (i % 3);
    }
    return n;
}

static int32_t operator_of(const char *name)
{
    for (int32_t op = 0; name != NULL && op <= UB_FBNET_SKIP; op++) {
        if (strcmp(ub_fbnet_operator_name(op), name) == 0)
            return op;
    }
    return -1;
}

static net from_json(const char *name, const json_t *from)
{
    const json_t *blocks = json_object_get(from, "blocks");
    const json_t *bits = json_object_get(from, "bits");
    net n = { name, UB_ACCELERATOR_IMAGENET, { 0 }, { 0 } };

    if (json_is_true(json_object_get(from, "cifar")))
        n.preset = UB_ACCELERATOR_CIFAR;
    for (size_t i = 0; i < BLOCKS; i++) {
        n.operators[i] = operator_of(
            json_string_value(json_array_get(blocks, i)));
        n.bits[i] = (int32_t) json_integer_value(json_array_get(bits, i));
    }
    return n;
}

/* -- engines ------------------------------------------------------------------
 */

typedef struct task {
    bench *b;
    const settings *s;
    const ub_accelerator *accelerator;
    const ub_workload *workload;
    const char *net, *modes;
    double optimum;
} task;

static ub_accelerator_search *create(const task *t, const engine *e,
                                     int64_t seed)
{
    ub_accelerator_search_options o;
    ub_accelerator_search *search;

    ub_accelerator_search_options_init(&o, sizeof(o));
    if (e->published)
        ub_accelerator_search_options_published(&o);
    o.engine = e->engine;
    o.seed = (uint64_t) seed;
    o.credit = e->credit;
    o.logarithm = e->logarithm;
    o.learning_rate = e->learning_rate;
    o.baseline = e->baseline;
    bench_check(t->b,
                ub_accelerator_search_create(t->accelerator, &o, &search));
    return search;
}

static int64_t samples_of(const task *t, const engine *e)
{
    switch (e->engine) {
    case UB_ENGINE_EXACT: return 0;
    case UB_ENGINE_RANDOM: return RANDOM_TIMES * t->s->samples;
    default: return t->s->samples;
    }
}

/* One line for each number of samples, three of a decade; the exact engine has
 * no samples, and tells the optimum. */
static void run_engine(task *t, const engine *e, int64_t seed)
{
    ub_accelerator_search *search = create(t, e, seed);
    const int64_t most = samples_of(t, e);
    const double steps[] = { 1, 2, 5 };
    double seconds = 0;
    int64_t done = 0;

    for (int i = 0; i == 0 || done < most; i++) {
        ub_accelerator_result r = { .size = sizeof(r) };
        int32_t configuration[FIELDS];
        int64_t next = (int64_t) (100 * steps[i % 3]);
        double began;

        for (int j = 0; j < i / 3; j++)
            next *= 10;
        next = next < most ? next : most;
        began = bench_seconds();
        bench_check(t->b,
                    ub_accelerator_search_run(search, t->workload, next - done,
                                              configuration, &r));
        seconds += bench_seconds() - began;
        done = next;
        if (e->engine == UB_ENGINE_EXACT)
            t->optimum = r.fps;
        bench_report(t->b, NULL, "ms",
                     "\"network\": \"%s\", \"modes\": \"%s\", \"engine\": "
                     "\"%s\", \"seed\": %lld, \"samples\": %lld, \"ms\": %.3f, "
                     "\"fps\": %.4f, \"share\": %.4f, \"dsp\": %.4f, "
                     "\"bram\": %.0f",
                     t->net, t->modes, e->name, (long long) seed,
                     (long long) done, 1e3 * seconds, r.fps, r.fps / t->optimum,
                     r.dsp, r.bram);
    }
    ub_accelerator_search_destroy(&search);
}

static void run_modes(bench *b, const settings *s, const net *n, int any)
{
    const int32_t setting = s->corrected ? UB_ACCELERATOR_CORRECTED
                                         : UB_ACCELERATOR_REFERENCE;
    task t = { .b = b, .s = s, .net = n->name };
    ub_accelerator_options o;
    ub_accelerator *accelerator;
    ub_workload *workload;

    t.modes = any ? "any" : "1";
    ub_accelerator_options_init(&o, sizeof(o), n->preset);
    o.setting = setting;
    if (!any)
        ub_accelerator_options_fix_mode(&o, 1);
    bench_check(b, ub_accelerator_create(b->context, &o, &accelerator));
    bench_check(b, ub_workload_fbnet(b->context, n->preset, setting,
                                     n->operators, n->bits, &workload));
    t.accelerator = accelerator;
    t.workload = workload;
    for (size_t e = 0; e < sizeof engines / sizeof *engines; e++) {
        const int once = engines[e].engine == UB_ENGINE_EXACT;

        for (int64_t seed = 1; seed <= (once ? 1 : b->runs); seed++)
            run_engine(&t, &engines[e], seed);
    }
    ub_workload_destroy(&workload);
    ub_accelerator_destroy(&accelerator);
}

static void run_net(bench *b, const settings *s, net n)
{
    run_modes(b, s, &n, 0);
    run_modes(b, s, &n, 1);
}

static void run_golden(bench *b, const settings *s)
{
    json_t *root = json_load_file(s->golden, 0, NULL);
    const char *name;
    json_t *from;

    if (root == NULL) {
        fprintf(stderr, "%s: %s is no JSON file\n", b->name, s->golden);
        exit(EXIT_FAILURE);
    }
    json_object_foreach(json_object_get(root, "nets"), name, from)
    {
        run_net(b, s, from_json(name, from));
    }
    json_decref(root);
}

int main(int argc, char **argv)
{
    bench b = { .name = "accelerator", .runs = 3, .one_thread = 1 };
    settings s = { .samples = 10000 };
    const bench_option options[] = {
        { .name = "--samples",
          .value = "N",
          .integer = &s.samples,
          .low = 1,
          .high = 1000000000 },
        { .name = "--golden", .value = "FILE", .text = &s.golden },
        { .name = "--corrected", .flag = &s.corrected },
        { .name = NULL },
    };

    bench_open(&b, options, argc, argv);
    if (s.golden != NULL) {
        run_golden(&b, &s);
    } else {
        run_net(&b, &s, alike());
        run_net(&b, &s, in_turn());
    }
    bench_close(&b);
    return EXIT_SUCCESS;
}
