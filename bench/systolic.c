/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rates of the simulator's levels on one thread, one JSON line each: calls per
 * second of what is a closed form, seconds of what walks.
 */
#include "bench.h"

#define N_LAYERS 5

/* AlexNet's convolutions as SCALE-Sim has them: no padding. */
static const struct {
    int64_t map, kernel, in_channels, out_channels, stride;
} shapes[N_LAYERS] = {
    { 224, 11, 3, 96, 4 },  { 27, 5, 96, 256, 1 },  { 13, 3, 256, 384, 1 },
    { 13, 3, 384, 384, 1 }, { 13, 3, 384, 256, 1 },
};

typedef struct run {
    bench *bench;
    ub_layer layers[N_LAYERS];
    ub_layer_info infos[N_LAYERS];
    ub_gemm gemms[N_LAYERS];
    ub_hardware hardware;
    ub_systolic_options options;
    int64_t cycles; /* of a pass, so that it is not left out */
} run;

/* -- cases: all layers once ----------------------------------------------- */

static void pass_level(void *user)
{
    run *r = user;

    r->cycles = 0;
    for (int i = 0; i < N_LAYERS; i++) {
        ub_systolic_stats s = { .size = sizeof(s) };

        bench_check(r->bench, ub_systolic_gemm(&r->gemms[i], &r->hardware,
                                               &r->options, &s));
        r->cycles += s.cycles;
    }
}

static void pass_fold(void *user)
{
    run *r = user;

    r->cycles = 0;
    for (int i = 0; i < N_LAYERS; i++) {
        ub_systolic_folds f = { .size = sizeof(f) };

        bench_check(r->bench, ub_systolic_fold(&r->gemms[i], &r->hardware,
                                               &r->options, &f));
        r->cycles += f.cycles;
    }
}

static void pass_report(void *user)
{
    run *r = user;

    r->cycles = 0;
    for (int i = 0; i < N_LAYERS; i++) {
        ub_systolic_report report = { .size = sizeof(report) };

        bench_check(r->bench, ub_systolic_report_layer(
                                  r->bench->context, &r->infos[i], &r->hardware,
                                  &r->options, &report));
        r->cycles += report.cycles;
    }
}

static const struct {
    const char *name;
    void (*pass)(void *run);
    int32_t level, dataflow;
} cases[] = {
    { "level0", pass_level, 0, UB_DATAFLOW_WS },
    { "level2", pass_level, 2, UB_DATAFLOW_WS },
    { "level2", pass_level, 2, UB_DATAFLOW_OS },
    { "fold", pass_fold, 2, UB_DATAFLOW_WS },
    { "report", pass_report, 2, UB_DATAFLOW_WS },
    { "report", pass_report, 2, UB_DATAFLOW_OS },
    { "report", pass_report, 2, UB_DATAFLOW_IS },
};

static const char *const dataflows[] = { "ws", "os", "is" };

/* -- measuring ------------------------------------------------------------ */

static void run_case(run *r, size_t at)
{
    bench_times t;

    bench_measure(r->bench, cases[at].pass, r, &t);
    bench_report(r->bench, &t, "us",
                 "\"case\": \"%s\", \"dataflow\": \"%s\", "
                 "\"layers_per_second\": %.0f, \"seconds\": %.3g, "
                 "\"cycles\": %lld",
                 cases[at].name, dataflows[cases[at].dataflow],
                 N_LAYERS / t.median, t.median, (long long) r->cycles);
}

static void open_run(run *r)
{
    ub_hardware_init(&r->hardware, sizeof(r->hardware));
    r->hardware.rows = r->hardware.columns = 32;
    r->hardware.bank_bytes = 64 * 1024;
    for (int i = 0; i < N_LAYERS; i++) {
        ub_layer *l = &r->layers[i];
        ub_layer_info *info = &r->infos[i];

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
        r->gemms[i].size = sizeof(r->gemms[i]);
        bench_check(r->bench, ub_layer_gemm(info, 1, &r->gemms[i]));
    }
}

int main(int argc, char **argv)
{
    bench b = {
        .name = "systolic", .runs = 5, .seconds = 0.5, .one_thread = 1
    };
    run r = { .bench = &b };

    bench_open(&b, NULL, argc, argv);
    open_run(&r);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        ub_systolic_options_init(&r.options, sizeof(r.options));
        r.options.level = cases[i].level;
        r.hardware.dataflow = cases[i].dataflow;
        run_case(&r, i);
    }
    bench_close(&b);
    return 0;
}
