/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Rates of the convolutions that a supernet consists of, one JSON line each,
 * and as a share of what BLIS reaches on large square matrices.
 *
 * usage: bench_conv [THREADS [SECONDS_PER_CASE]]
 */

#include "kernels/kernels.h"

#include <stdio.h>
#include <stdlib.h>

#define BATCH 64

enum pass { FORWARD, BACKWARD_DATA, BACKWARD_WEIGHT, PASSES };

static const char *const pass_names[PASSES] = { "forward", "backward_data",
                                                "backward_weight" };

struct bench {
    ub_context *context;
    double seconds; /* per case */
    double gemm;    /* rate of a large product */
    ub__conv conv;
    const char *operator;
    float *x, *w, *y;
};

static float *values(size_t n)
{
    float *x = malloc(n * sizeof *x);

    if (x == NULL)
        exit(1);
    for (size_t i = 0; i < n; i++)
        x[i] = (float) (i * 7919 % 1009) / 1009.0f - 0.5f;
    return x;
}

static void run_pass(struct bench *b, enum pass pass)
{
    switch (pass) {
    case FORWARD:
        ub__conv_forward(b->context, &b->conv, b->x, b->w, NULL, b->y);
        break;
    case BACKWARD_DATA:
        ub__conv_backward_data(b->context, &b->conv, b->w, b->y, b->x, 0);
        break;
    default:
        ub__conv_backward_weight(b->context, &b->conv, b->x, b->y, b->w, NULL,
                                 0);
        break;
    }
}

/* Shortest time of a call, of several tries. */
static double time_pass(struct bench *b, enum pass pass)
{
    double start = ub__seconds(), best = 1e9;

    do {
        double begin = ub__seconds(), end;

        run_pass(b, pass);
        end = ub__seconds();
        if (end - begin < best)
            best = end - begin;
    } while (ub__seconds() - start < b->seconds);
    return best;
}

static double time_gemm(ub_context *context)
{
    const int64_t n = 1024;
    float *a = values((size_t) (n * n)), *c = values((size_t) (n * n));
    double best = 1e9;

    for (int i = 0; i < 8; i++) {
        double begin = ub__seconds(), end;

        ub__gemm(context, 0, 0, n, n, n, a, a, c, 0);
        end = ub__seconds();
        if (end - begin < best)
            best = end - begin;
    }
    free(a);
    free(c);
    return 2.0 * (double) (n * n * n) / best;
}

static void run_case(struct bench *b)
{
    const ub__conv *c = &b->conv;
    int64_t area = c->out_height * c->out_width;
    int64_t weights = c->out_channels * (c->in_channels / c->groups) *
                      c->kernel_height * c->kernel_width;
    double flops = 2.0 * (double) (c->batch * area * weights);
    const ub__scratch_size scratch = ub__conv_scratch(b->context, c);

    if (ub__scratch_reserve(b->context, scratch) != UB_OK)
        exit(1);
    b->x = values(
        (size_t) (c->batch * c->in_channels * c->in_height * c->in_width));
    b->w = values((size_t) weights);
    b->y = values((size_t) (c->batch * c->out_channels * area));
    for (enum pass pass = FORWARD; pass < PASSES; pass++) {
        double seconds = time_pass(b, pass);

        printf("{\"bench\": \"conv\", \"threads\": %d, \"operator\": \"%s\", "
               "\"channels\": %lld, \"map\": %lld, \"pass\": \"%s\", "
               "\"us\": %.1f, \"gflops\": %.1f, \"share\": %.2f, "
               "\"scratch_kib\": %zu}\n",
               ub_context_threads(b->context),
               b->operator,(long long) c->in_channels, (long long) c->in_height,
               pass_names[pass], seconds * 1e6, flops / seconds * 1e-9,
               flops / seconds / b->gemm, (scratch.worker + scratch.shared) / 1024);
    }
    free(b->x);
    free(b->w);
    free(b->y);
}

static void run_shape(struct bench *b, const char *operator, int64_t channels,
                      int64_t map, int64_t kernel, int64_t dilation,
                      int depthwise)
{
    ub__conv *c = &b->conv;

    b->operator= operator;
    c->batch = BATCH;
    c->in_channels = c->out_channels = channels;
    c->in_height = c->in_width = c->out_height = c->out_width = map;
    c->kernel_height = c->kernel_width = kernel;
    c->stride = 1;
    c->dilation = dilation;
    c->pad_height = c->pad_width = dilation * (kernel / 2);
    c->groups = depthwise ? channels : 1;
    run_case(b);
}

static void run_all(struct bench *b)
{
    static const int64_t channels[] = { 16, 24, 32, 64 };

    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++) {
        for (int64_t map = 16; map >= 4; map /= 2) {
            run_shape(b, "conv1", channels[i], map, 1, 1, 0);
            run_shape(b, "conv3", channels[i], map, 3, 1, 0);
            run_shape(b, "conv5", channels[i], map, 5, 1, 0);
            run_shape(b, "depthwise3", channels[i], map, 3, 1, 1);
            run_shape(b, "depthwise5", channels[i], map, 5, 1, 1);
            run_shape(b, "dilated3", channels[i], map, 3, 2, 0);
            run_shape(b, "dilated5", channels[i], map, 5, 2, 0);
        }
    }
}

int main(int argc, char **argv)
{
    struct bench bench = { .context = NULL };
    ub_context_options options;

    ub_context_options_init(&options, sizeof options);
    if (argc > 1)
        options.threads = (int32_t) strtol(argv[1], NULL, 10);
    bench.seconds = argc > 2 ? strtod(argv[2], NULL) : 0.05;
    if (ub_context_create(&options, &bench.context) != UB_OK)
        return 1;
    bench.gemm = time_gemm(bench.context);
    printf("{\"bench\": \"gemm\", \"threads\": %d, \"size\": 1024, "
           "\"gflops\": %.1f}\n",
           ub_context_threads(bench.context), bench.gemm * 1e-9);
    run_all(&bench);
    ub_context_destroy(&bench.context);
    return 0;
}
