/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One weight step of U-Boost's full supernet: 8 operators, 9 edges, 3 cells,
 * gradients by weights and by logits, clipping, SGD. Prints one JSON line.
 */
#define _POSIX_C_SOURCE 200809L

#include <uboost/uboost.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

typedef struct settings {
    long channels, batch, threads, steps;
} settings;

typedef struct job {
    ub_supernet *net;
    ub_parameters *parameters;
    ub_optimizer *optimizer;
    ub_tape *tape;
    ub_tensor *images;
    int32_t *labels;
    ub_rng rng;
} job;

static double milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return 1e3 * (double) now.tv_sec + 1e-6 * (double) now.tv_nsec;
}

static ub_status step(job *j)
{
    ub_variable *x, *logits, *loss;
    ub_status status = ub_supernet_sample(j->net, &j->rng, 1.0);

    if (status == UB_OK)
        status = ub_tape_constant(j->tape, j->images, &x);
    if (status == UB_OK)
        status = ub_supernet_forward(j->net, j->tape, x, UB_SUPERNET_SAMPLE,
                                     &logits);
    if (status == UB_OK)
        status = ub_op_cross_entropy(j->tape, logits, j->labels, 0.0, &loss);
    if (status == UB_OK)
        status = ub_tape_backward(j->tape, loss);
    if (status == UB_OK)
        status = ub_optimizer_step(j->optimizer, 0.05, 0.5, NULL);
    ub_parameters_clear_grads(j->parameters);
    ub_tape_clear(j->tape);
    return status;
}

static ub_status open_job(job *j, ub_context *context, const ub_space *space,
                          const settings *s)
{
    const int64_t shape[4] = { s->batch, 3, 32, 32 };
    ub_optimizer_options o;
    ub_status status = ub_supernet_create(context, space, NULL, NULL, 1,
                                          &j->net);

    if (status != UB_OK)
        return status;
    j->parameters = ub_supernet_parameters(j->net);
    ub_rng_init(&j->rng, 1, 1);
    ub_optimizer_options_init(&o, sizeof(o));
    o.momentum = 0.9;
    o.weight_decay = 3e-4;
    status = ub_optimizer_create_for(j->parameters, UB_PARAMETER_WEIGHT, &o,
                                     &j->optimizer);
    if (status == UB_OK)
        status = ub_tape_create(context, &j->tape);
    if (status == UB_OK)
        status = ub_tensor_create(context, 4, shape, &j->images);
    if (status == UB_OK)
        status = ub_init_normal(j->images, &j->rng, 0.0, 1.0);
    j->labels = malloc((size_t) s->batch * sizeof(*j->labels));
    if (j->labels == NULL)
        return UB_ERR_NOMEM;
    for (long i = 0; i < s->batch; i++)
        j->labels[i] = (int32_t) ub_rng_below(&j->rng, 10);
    return status;
}

static void close_job(job *j)
{
    ub_tape_destroy(&j->tape);
    ub_optimizer_destroy(&j->optimizer);
    ub_tensor_unref(&j->images);
    ub_supernet_destroy(&j->net);
    free(j->labels);
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}

static void print_result(const settings *s, double *times)
{
    struct rusage usage;

    qsort(times, (size_t) s->steps, sizeof(*times), by_value);
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"bench\": \"supernet_step\", \"channels\": %ld, \"batch\": %ld, "
           "\"threads\": %ld, \"steps\": %ld, \"median_ms\": %.1f, "
           "\"min_ms\": %.1f, \"max_ms\": %.1f, \"peak_rss_mib\": %.0f}\n",
           s->channels, s->batch, s->threads, s->steps, times[s->steps / 2],
           times[0], times[s->steps - 1], (double) usage.ru_maxrss / 1024.0);
}

/* The first step, which allocates, is not counted. */
static ub_status measure(ub_context *context, const ub_space *space,
                         const settings *s)
{
    double *times = malloc((size_t) s->steps * sizeof(*times));
    job j = { 0 };
    ub_status status = times ? open_job(&j, context, space, s) : UB_ERR_NOMEM;

    if (status == UB_OK)
        status = step(&j);
    for (long i = 0; i < s->steps && status == UB_OK; i++) {
        const double began = milliseconds();
        status = step(&j);
        times[i] = milliseconds() - began;
    }
    if (status == UB_OK)
        print_result(s, times);
    close_job(&j);
    free(times);
    return status;
}

static int parse(settings *s, int argc, char **argv)
{
    const char *const names[4] = { "--channels", "--batch", "--threads",
                                   "--steps" };
    long *const to[4] = { &s->channels, &s->batch, &s->threads, &s->steps };

    for (int i = 1; i + 1 < argc; i += 2) {
        int found = 0;
        for (int k = 0; k < 4; k++) {
            if (strcmp(argv[i], names[k]) == 0) {
                *to[k] = strtol(argv[i + 1], NULL, 10);
                found = *to[k] >= 1 && *to[k] <= 4096;
            }
        }
        if (!found)
            return 0;
    }
    return argc % 2 == 1;
}

int main(int argc, char **argv)
{
    settings s = { 32, 64, 2, 5 };
    ub_context_options options;
    ub_context *context = NULL;
    ub_space_options o;
    ub_space *space = NULL;
    ub_status status;

    if (!parse(&s, argc, argv)) {
        fputs("usage: supernet_step [--channels N] [--batch N] [--threads N] "
              "[--steps N]\n",
              stderr);
        return 1;
    }
    ub_context_options_init(&options, sizeof(options));
    options.threads = (int32_t) s.threads;
    status = ub_context_create(&options, &context);
    if (status != UB_OK)
        return 1;
    ub_space_options_init(&o, sizeof(o));
    o.base_width = s.channels;
    status = ub_space_uboost(context, &o, 3, &space);
    if (status == UB_OK)
        status = measure(context, space, &s);
    if (status != UB_OK)
        fprintf(stderr, "%s\n", ub_context_last_error(context));
    ub_space_destroy(&space);
    ub_context_destroy(&context);
    return status == UB_OK ? 0 : 1;
}
