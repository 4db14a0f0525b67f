/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Layers per second of the closed forms, one thread: widths, maps and kernels
 * of U-Boost's space, with all derivatives where there are any. A JSON line for
 * each.
 */
#include "bench.h"

enum { LAYERS = 4096 };

typedef ub_status (*form)(const ub_util_options *, const ub_cost_layer *,
                          ub_cost *);

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

typedef struct run {
    bench *bench;
    form form;
    const ub_cost_layer *layers;
    double sum; /* so that nothing is left out */
} run;

static void pass(void *user)
{
    run *r = user;

    for (int i = 0; i < LAYERS; i++) {
        ub_cost cost = { .size = sizeof(cost) };

        bench_check(r->bench, r->form(NULL, &r->layers[i], &cost));
        r->sum += cost.cycles;
    }
}

static void run_form(bench *b, const char *name, form f,
                     const ub_cost_layer *layers)
{
    run r = { b, f, layers, 0.0 };
    bench_times t;

    bench_measure(b, pass, &r, &t);
    bench_report(b, &t, "us",
                 "\"model\": \"%s\", \"ns\": %.1f, "
                 "\"layers_per_second\": %.0f",
                 name, t.median / LAYERS * 1e9,
                 r.sum > 0.0 ? LAYERS / t.median : 0.0);
}

int main(int argc, char **argv)
{
    static ub_cost_layer layers[LAYERS];
    bench b = {
        .name = "util_model", .runs = 5, .seconds = 0.5, .one_thread = 1
    };

    bench_open(&b, NULL, argc, argv);
    make_layers(layers);
    run_form(&b, "systolic", ub_util_latency, layers);
    run_form(&b, "systolic-smooth", ub_util_latency_smooth, layers);
    run_form(&b, "flops", ub_util_flops, layers);
    run_form(&b, "roofline", ub_util_roofline, layers);
    run_form(&b, "systolic-full", ub_util_full, layers);
    run_form(&b, "systolic-full-smooth", ub_util_full_smooth, layers);
    bench_close(&b);
    return 0;
}
