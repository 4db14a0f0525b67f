/* SPDX-License-Identifier: BSD-2-Clause */
#include "step.h"

#include "peak.h"

#include <stdio.h>
#include <stdlib.h>

#define CLASSES 10

void step_init(step *s, bench *b)
{
    *s = (step){ .bench = b, .batch = 64, .rate = 0.05, .loader_name = "none" };
    ub_optimizer_options_init(&s->optimizer_options,
                              sizeof(s->optimizer_options));
    s->optimizer_options.momentum = 0.9;
    s->optimizer_options.weight_decay = 3e-4;
}

/* Shuffled and augmented as in a search. */
static void open_loader(step *s)
{
    bench *b = s->bench;
    ub_dataset_options d;
    ub_loader_options o;
    ub_dataset *train = NULL;

    ub_dataset_options_init(&d, sizeof(d));
    ub_loader_options_init(&o, sizeof(o));
    bench_check(b, ub_dataset_open(b->context, s->data ? s->data : "synthetic",
                                   &d, &train, NULL));
    ub_dataset_statistics(train, o.mean, o.std);
    o.batch = s->batch;
    o.shuffle = o.flip = o.drop_last = 1;
    o.crop_padding = 4;
    bench_check(b, ub_loader_create(b->context, train, &o, &s->loader));
    if (ub_loader_batches(s->loader) < 1) {
        fprintf(stderr, "%s: the data set is smaller than a batch\n", b->name);
        exit(1);
    }
    bench_check(b, ub_loader_start(s->loader, 0, 0));
    s->loader_name = ub_dataset_name(train);
    ub_dataset_destroy(&train);
}

static void open_images(step *s)
{
    const int64_t shape[4] = { s->batch, 3, 32, 32 };
    bench *b = s->bench;

    bench_check(b, ub_tensor_create(b->context, 4, shape, &s->images));
    bench_check(b, ub_init_normal(s->images, &s->rng, 0.0, 1.0));
    s->labels = bench_alloc((size_t) s->batch, sizeof(*s->labels));
    for (int64_t i = 0; i < s->batch; i++)
        s->labels[i] = (int32_t) ub_rng_below(&s->rng, CLASSES);
}

static void open_step(step *s)
{
    bench *b = s->bench;

    ub_rng_init(&s->rng, 1, 1);
    s->parameters = s->supernet ? ub_supernet_parameters(s->supernet)
                                : ub_model_parameters(s->model);
    bench_check(b,
                ub_optimizer_create_for(s->parameters, UB_PARAMETER_WEIGHT,
                                        &s->optimizer_options, &s->optimizer));
    bench_check(b, ub_tape_create(b->context, &s->tape));
    if (s->use_loader || s->data)
        open_loader(s);
    else
        open_images(s);
}

static void close_step(step *s)
{
    ub_tape_destroy(&s->tape);
    ub_optimizer_destroy(&s->optimizer);
    ub_loader_destroy(&s->loader);
    ub_tensor_unref(&s->images);
    free(s->labels);
}

/* The next epoch when this one is over. */
static void next_batch(step *s, ub_tensor **images, const int32_t **labels)
{
    const double begin = bench_seconds();
    bench *b = s->bench;
    int64_t n;

    *images = s->images;
    *labels = s->labels;
    if (s->loader == NULL)
        return;
    bench_check(b, ub_loader_next(s->loader, images, labels, &n));
    if (n == 0) {
        bench_check(b, ub_loader_start(s->loader, ++s->epoch, 0));
        bench_check(b, ub_loader_next(s->loader, images, labels, &n));
    }
    s->waiting += bench_seconds() - begin;
    s->taken++;
}

static ub_status forward(step *s, ub_variable *x, const int32_t *labels,
                         ub_variable **loss)
{
    ub_variable *logits, *cost;
    ub_status status;

    if (s->model)
        status = ub_model_forward(s->model, s->tape, x, UB_NORM_TRAINING,
                                  &logits);
    else
        status = ub_supernet_forward(s->supernet, s->tape, x,
                                     UB_SUPERNET_SAMPLE, &logits);
    if (status == UB_OK)
        status = ub_op_cross_entropy(s->tape, logits, labels, 0.0, loss);
    if (status != UB_OK || !s->priced)
        return status;
    status = ub_supernet_cost(s->supernet, s->tape, 0.5, 1.0, NULL, &cost);
    return status == UB_OK ? ub_op_add(s->tape, *loss, cost, loss) : status;
}

/* So that no work is left out: weights and logits have a gradient each. */
static void check_gradients(step *s)
{
    for (int64_t i = 0; i < ub_parameters_count(s->parameters); i++) {
        if (ub_parameters_kind(s->parameters, i) == UB_PARAMETER_BUFFER ||
            ub_variable_grad(ub_parameters_variable(s->parameters, i)))
            continue;
        fprintf(stderr, "%s: %s has no gradient\n", s->bench->name,
                ub_parameters_name(s->parameters, i));
        exit(1);
    }
    s->checked = 1;
}

static void do_step(void *user)
{
    step *s = user;
    bench *b = s->bench;
    ub_variable *x, *loss;
    ub_tensor *images;
    const int32_t *labels;

    next_batch(s, &images, &labels);
    if (s->supernet)
        bench_check(b, ub_supernet_sample(s->supernet, &s->rng, 1.0));
    bench_check(b, ub_tape_constant(s->tape, images, &x));
    bench_check(b, forward(s, x, labels, &loss));
    bench_check(b, ub_tape_backward(s->tape, loss));
    if (!s->checked)
        check_gradients(s);
    bench_check(b, ub_optimizer_step(s->optimizer, s->rate, 0.5, NULL));
    ub_parameters_clear_grads(s->parameters);
    ub_tape_clear(s->tape);
}

void step_run(step *s, const net_convs *convs, const char *fields)
{
    const double flop = net_step_flop(convs, s->batch, net_conv_flop);
    const double inside = net_step_flop(convs, s->batch, net_conv_flop_inside);
    bench *b = s->bench;
    bench_times t;
    double gemm;

    open_step(s);
    bench_measure(b, do_step, s, &t);
    gemm = peak_gemm(b); /* after the peak memory was read */
    bench_report(
        b, &t, "ms",
        "%s, \"batch\": %lld, \"steps\": %lld, \"images_per_second\": %.1f, "
        "\"conv_gflop\": %.4g, \"conv_gflop_inside\": %.4g, \"gflops\": %.1f, "
        "\"gemm_gflops\": %.1f, \"share\": %.3f, \"loader\": \"%s\", "
        "\"loader_wait_ms\": %.3f",
        fields, (long long) s->batch, (long long) t.runs,
        (double) s->batch / t.median, flop * 1e-9, inside * 1e-9,
        flop / t.median * 1e-9, gemm * 1e-9, flop / t.median / gemm,
        s->loader_name, s->taken ? 1e3 * s->waiting / (double) s->taken : 0.0);
    close_step(s);
}
