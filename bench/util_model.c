/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Layers per second of the closed forms, one thread: widths, maps and kernels
 * of U-Boost's space, with all derivatives where there are any. A JSON line for
 * each.
 *
 * usage: bench_util_model [SECONDS_PER_CASE]
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <uboost/utilization.h>

enum { LAYERS = 4096 };

typedef ub_status (*form)(const ub_util_options *, const ub_cost_layer *,
                          ub_cost *);

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + 1e-9 * (double) now.tv_nsec;
}

static void make_layers(ub_cost_layer *layers)
{
    static const int64_t maps[] = { 32, 16, 8, 4 };
    static const int64_t kernels[] = { 1, 3, 5 };
    static const int32_t kinds[] = { UB_COST_CONV, UB_COST_DEPTHWISE,
                                     UB_COST_SEPARABLE, UB_COST_LINEAR };

    for (int i = 0; i < LAYERS; i++) {
        ub_cost_layer *l = &layers[i];

        ub_cost_layer_init(l, sizeof(*l));
        l->kind = kinds[i * 7 % 16 / 4]; /* in no order to be learnt */
        l->kernel_height = l->kernel_width = kernels[i * 5 % 3];
        l->in_height = l->in_width = maps[i * 3 % 4];
        l->out_height = l->out_width = maps[i * 3 % 4];
        l->batch = 64;
        l->in_channels = 8.0 + (i * 7919 % 2731) / 10.0;
        l->out_channels = 8.0 + (i * 6007 % 2731) / 10.0;
    }
}

/* Best of many passes. */
static void run(const char *name, form f, const ub_cost_layer *layers,
                double limit)
{
    const double start = seconds();
    double best = 1e9, sum = 0.0;

    do {
        const double begin = seconds();
        double took;

        for (int i = 0; i < LAYERS; i++) {
            ub_cost cost = { .size = sizeof(cost) };

            if (f(NULL, &layers[i], &cost) != UB_OK)
                exit(1);
            sum += cost.cycles;
        }
        took = seconds() - begin;
        best = took < best ? took : best;
    } while (seconds() - start < limit);
    printf("{\"bench\": \"util_model\", \"model\": \"%s\", \"threads\": 1, "
           "\"ns\": %.0f, \"layers_per_second\": %.0f}\n",
           name, best / LAYERS * 1e9, sum > 0.0 ? LAYERS / best : 0.0);
}

int main(int argc, char **argv)
{
    static ub_cost_layer layers[LAYERS];
    const double limit = argc > 1 ? strtod(argv[1], NULL) : 0.5;

    make_layers(layers);
    run("systolic", ub_util_latency, layers, limit);
    run("systolic-smooth", ub_util_latency_smooth, layers, limit);
    run("flops", ub_util_flops, layers, limit);
    run("roofline", ub_util_roofline, layers, limit);
    run("systolic-full", ub_util_full, layers, limit);
    run("systolic-full-smooth", ub_util_full_smooth, layers, limit);
    return 0;
}
