/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The operators that only move memory, forward alone and forward with backward,
 * and the optimizer's step: bytes per second, as a share of what a triad
 * reaches on the same threads. A JSON line each.
 *
 * Bytes are counted as if every tensor went through the processor once and
 * nothing stayed in a cache between forward and backward; what reads a tensor
 * twice shows as a lower share.
 */
#include "peak.h"

#include <stdlib.h>

#define MOST_TERMS 8

typedef struct run {
    bench *bench;
    ub_tape *tape;
    ub_variable *x[MOST_TERMS];
    ub_variable *weight, *bias, *mask, *mixture;
    ub_tensor *mean, *variance;
    ub_optimizer *optimizer;
    const struct operator_case *of;
    int backward;
} run;

/* Tensors of the input's size that pass: forward, and more of them backward. */
typedef struct operator_case {
    const char *name;
    ub_status (*forward)(run *r, ub_variable **y);
    double moved, moved_backward;
} operator_case;

static ub_status norm_relu(run *r, ub_variable **y)
{
    ub_batch_norm_options o;

    ub_batch_norm_options_init(&o, sizeof(o));
    o.relu = 1;
    return ub_op_batch_norm(r->tape, r->x[0], r->weight, r->bias, r->mean,
                            r->variance, &o, y);
}

static ub_status relu(run *r, ub_variable **y)
{
    return ub_op_relu(r->tape, r->x[0], y);
}

static ub_status weighted_sum(run *r, ub_variable **y)
{
    return ub_op_weighted_sum(r->tape, MOST_TERMS, r->x, r->mixture, y);
}

static ub_status sum3(run *r, ub_variable **y)
{
    return ub_op_sum(r->tape, 3, r->x, y);
}

static ub_status mask(run *r, ub_variable **y)
{
    return ub_op_mask_channels(r->tape, r->x[0], r->mask, y);
}

static ub_status max_pool(run *r, ub_variable **y)
{
    return ub_op_max_pool2d(r->tape, r->x[0], 2, 2, 0, y);
}

static const operator_case cases[] = {
    { "batch_norm_relu", norm_relu, 2, 3 }, /* x y; x gy gx */
    { "relu", relu, 2, 3 },
    { "weighted_sum8", weighted_sum, 9, 17 }, /* 8 x, y; gy, 8 x, 8 gx */
    { "sum3", sum3, 4, 4 },                   /* 3 x, y; gy, 3 gx */
    { "mask_channels", mask, 2, 3 },
    { "max_pool2", max_pool, 1.5, 1.5 }, /* y, index and gy a quarter each */
};

static void clear(run *r)
{
    for (int i = 0; i < MOST_TERMS; i++)
        ub_variable_clear_grad(r->x[i]);
    ub_variable_clear_grad(r->weight);
    ub_variable_clear_grad(r->bias);
    ub_variable_clear_grad(r->mask);
    ub_variable_clear_grad(r->mixture);
    ub_tape_clear(r->tape);
}

/* The gradient handed back is the result itself. */
static void run_case(void *user)
{
    run *r = user;
    ub_variable *y;
    ub_tensor *gradient;

    bench_check(r->bench, r->of->forward(r, &y));
    if (r->backward) {
        gradient = ub_tensor_ref(ub_variable_value(y));
        bench_check(r->bench, ub_tape_backward_from(r->tape, y, gradient));
        ub_tensor_unref(&gradient);
    }
    clear(r);
}

static void run_optimizer(void *user)
{
    run *r = user;

    bench_check(r->bench, ub_optimizer_step(r->optimizer, 1e-6, 0.5, NULL));
}

static ub_variable *leaf(run *r, int rank, const int64_t *shape, ub_rng *rng)
{
    ub_tensor *value = NULL;
    ub_variable *v = NULL;

    bench_check(r->bench,
                ub_tensor_create(r->bench->context, rank, shape, &value));
    bench_check(r->bench, ub_init_normal(value, rng, 0.0, 1.0));
    bench_check(r->bench, ub_variable_create(value, 1, &v));
    ub_tensor_unref(&value);
    return v;
}

static void open_run(run *r, const int64_t *shape)
{
    const int64_t terms = MOST_TERMS;
    ub_context *context = r->bench->context;
    ub_optimizer_options o;
    ub_rng rng;

    ub_rng_init(&rng, 1, 1);
    bench_check(r->bench, ub_tape_create(context, &r->tape));
    for (int i = 0; i < MOST_TERMS; i++)
        r->x[i] = leaf(r, 4, shape, &rng);
    r->weight = leaf(r, 1, &shape[1], &rng);
    r->bias = leaf(r, 1, &shape[1], &rng);
    r->mask = leaf(r, 1, &shape[1], &rng);
    r->mixture = leaf(r, 1, &terms, &rng);
    bench_check(r->bench, ub_tensor_create(context, 1, &shape[1], &r->mean));
    bench_check(r->bench,
                ub_tensor_create(context, 1, &shape[1], &r->variance));
    ub_optimizer_options_init(&o, sizeof(o));
    o.momentum = 0.9;
    o.weight_decay = 3e-4;
    bench_check(r->bench,
                ub_optimizer_create(context, &o, 1, r->x, &r->optimizer));
}

static void close_run(run *r)
{
    ub_optimizer_destroy(&r->optimizer);
    ub_tape_destroy(&r->tape);
    for (int i = 0; i < MOST_TERMS; i++)
        ub_variable_destroy(&r->x[i]);
    ub_variable_destroy(&r->weight);
    ub_variable_destroy(&r->bias);
    ub_variable_destroy(&r->mask);
    ub_variable_destroy(&r->mixture);
    ub_tensor_unref(&r->mean);
    ub_tensor_unref(&r->variance);
}

static void measure(run *r, const int64_t *shape, const char *name,
                    const char *pass, double moved, double triad,
                    void (*call)(void *))
{
    const double bytes = moved * 4.0 *
                         (double) (shape[0] * shape[1] * shape[2] * shape[3]);
    bench_times t;

    bench_measure(r->bench, call, r, &t);
    bench_report(r->bench, &t, "us",
                 "\"operator\": \"%s\", \"pass\": \"%s\", \"batch\": %lld, "
                 "\"channels\": %lld, \"map\": %lld, \"gb_per_second\": %.2f, "
                 "\"memory_share\": %.3f",
                 name, pass, (long long) shape[0], (long long) shape[1],
                 (long long) shape[2], bytes / t.median * 1e-9,
                 bytes / t.median / triad);
}

int main(int argc, char **argv)
{
    bench b = { .name = "operators", .runs = 5, .seconds = 0.1, .threads = 2 };
    bench triad = { .name = "triad" };
    int64_t shape[4] = { 64, 32, 16, 16 };
    const bench_option options[] = {
        { .name = "--batch",
          .value = "N",
          .integer = &shape[0],
          .low = 2,
          .high = 4096 },
        { .name = "--channels",
          .value = "N",
          .integer = &shape[1],
          .low = 1,
          .high = 4096 },
        { .name = NULL },
    };
    run r = { .bench = &b };
    double rate;

    bench_open(&b, options, argc, argv);
    triad.threads = b.threads;
    rate = peak_triad(&b);
    bench_report(&triad, NULL, NULL, "\"gb_per_second\": %.2f", rate * 1e-9);
    open_run(&r, shape);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        r.of = &cases[i];
        r.backward = 0;
        measure(&r, shape, r.of->name, "forward", r.of->moved, rate, run_case);
        r.backward = 1;
        measure(&r, shape, r.of->name, "both",
                r.of->moved + r.of->moved_backward, rate, run_case);
    }
    /* A gradient to step by: p, g and v read, p and v written, g for its norm
     * once more. */
    {
        ub_variable *y;

        bench_check(&b, ub_op_relu(r.tape, r.x[0], &y));
        bench_check(
            &b, ub_tape_backward_from(r.tape, y, ub_variable_value(r.x[1])));
    }
    measure(&r, shape, "sgd", "step", 6, rate, run_optimizer);
    close_run(&r);
    bench_close(&b);
    return 0;
}
