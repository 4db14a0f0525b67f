/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rates of the simulator's levels on one thread, one JSON line each: calls per
 * second of what is a closed form, seconds of what walks.
 *
 * usage: bench_systolic [SECONDS_PER_CASE]
 */
#define _POSIX_C_SOURCE 200809L

#include <uboost/uboost.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define N_LAYERS 5

/* AlexNet's convolutions as SCALE-Sim has them: no padding. */
static const struct {
    int64_t map, kernel, in_channels, out_channels, stride;
} shapes[N_LAYERS] = {
    { 224, 11, 3, 96, 4 },  { 27, 5, 96, 256, 1 },  { 13, 3, 256, 384, 1 },
    { 13, 3, 384, 384, 1 }, { 13, 3, 384, 256, 1 },
};

typedef struct bench {
    ub_context *context;
    ub_layer layers[N_LAYERS];
    ub_layer_info infos[N_LAYERS];
    ub_gemm gemms[N_LAYERS];
    ub_hardware hardware;
    ub_systolic_options options;
    int64_t cycles; /* of a pass, so that it is not left out */
} bench;

static void check(ub_status status)
{
    if (status == UB_OK)
        return;
    fprintf(stderr, "systolic: %s\n", ub_status_str(status));
    exit(1);
}

/* -- cases: all layers once ----------------------------------------------- */

static void run_level(bench *b)
{
    for (int i = 0; i < N_LAYERS; i++) {
        ub_systolic_stats s = { .size = sizeof(s) };

        check(ub_systolic_gemm(&b->gemms[i], &b->hardware, &b->options, &s));
        b->cycles += s.cycles;
    }
}

static void run_fold(bench *b)
{
    for (int i = 0; i < N_LAYERS; i++) {
        ub_systolic_folds f = { .size = sizeof(f) };

        check(ub_systolic_fold(&b->gemms[i], &b->hardware, &b->options, &f));
        b->cycles += f.cycles;
    }
}

static void run_report(bench *b)
{
    for (int i = 0; i < N_LAYERS; i++) {
        ub_systolic_report r = { .size = sizeof(r) };

        check(ub_systolic_report_layer(b->context, &b->infos[i], &b->hardware,
                                       &b->options, &r));
        b->cycles += r.cycles;
    }
}

static const struct {
    const char *name;
    void (*run)(bench *b);
    int32_t level, dataflow;
} cases[] = {
    { "level0", run_level, 0, UB_DATAFLOW_WS },
    { "level2", run_level, 2, UB_DATAFLOW_WS },
    { "level2", run_level, 2, UB_DATAFLOW_OS },
    { "fold", run_fold, 2, UB_DATAFLOW_WS },
    { "report", run_report, 2, UB_DATAFLOW_WS },
    { "report", run_report, 2, UB_DATAFLOW_OS },
    { "report", run_report, 2, UB_DATAFLOW_IS },
};

static const char *const dataflows[] = { "ws", "os", "is" };

/* -- measuring ------------------------------------------------------------ */

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + 1e-9 * (double) now.tv_nsec;
}

static double time_passes(bench *b, void (*run)(bench *b), int64_t passes)
{
    const double begin = seconds();

    for (int64_t i = 0; i < passes; i++) {
        b->cycles = 0;
        run(b);
    }
    return (seconds() - begin) / (double) passes;
}

static void run_case(bench *b, size_t at, double limit)
{
    const double begin = seconds();
    double once = time_passes(b, cases[at].run, 1), best = once;
    const int64_t passes = once > 1e-3 ? 1 : 10000;
    struct rusage usage;

    while (seconds() - begin < limit) {
        once = time_passes(b, cases[at].run, passes);
        best = once < best ? once : best;
    }
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"bench\": \"systolic\", \"case\": \"%s\", \"dataflow\": \"%s\", "
           "\"layers_per_second\": %.0f, \"seconds\": %.3g, \"cycles\": %lld, "
           "\"peak_rss_mib\": %.0f}\n",
           cases[at].name, dataflows[cases[at].dataflow], N_LAYERS / best, best,
           (long long) b->cycles, (double) usage.ru_maxrss / 1024.0);
}

static void open_bench(bench *b)
{
    check(ub_context_create(NULL, &b->context));
    ub_hardware_init(&b->hardware, sizeof(b->hardware));
    b->hardware.rows = b->hardware.columns = 32;
    b->hardware.bank_bytes = 64 * 1024;
    for (int i = 0; i < N_LAYERS; i++) {
        ub_layer *l = &b->layers[i];
        ub_layer_info *info = &b->infos[i];

        ub_layer_init(l, sizeof(*l), UB_LAYER_CONV);
        l->out_channels = shapes[i].out_channels;
        l->kernel_height = l->kernel_width = shapes[i].kernel;
        l->stride = shapes[i].stride;
        l->round_up = 1;
        *info = (ub_layer_info){ .size = sizeof(*info), .layer = l };
        info->name = "conv";
        info->in_channels = shapes[i].in_channels;
        info->out_channels = shapes[i].out_channels;
        info->in_height = info->in_width = shapes[i].map;
        info->out_height = info->out_width = 1 +
                                             (shapes[i].map - shapes[i].kernel +
                                              shapes[i].stride - 1) /
                                                 shapes[i].stride;
        b->gemms[i].size = sizeof(b->gemms[i]);
        check(ub_layer_gemm(info, 1, &b->gemms[i]));
    }
}

int main(int argc, char **argv)
{
    const double limit = argc > 1 ? atof(argv[1]) : 0.5;
    bench b = { .cycles = 0 };

    open_bench(&b);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        ub_systolic_options_init(&b.options, sizeof(b.options));
        b.options.level = cases[i].level;
        b.hardware.dataflow = cases[i].dataflow;
        run_case(&b, i, limit);
    }
    ub_context_destroy(&b.context);
    return 0;
}
