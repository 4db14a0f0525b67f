/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rates of every distinct convolution of supernet_step (16, 24, 32, 64
 * channels), channel_step (20, 24, 32, 40) and final_step, each pass a JSON
 * line: as a share of what BLIS reaches on 1024^3 and, with every operand
 * counted once, of what a triad moves, both measured before by the same
 * threads.
 *
 * Arithmetic is counted with the taps on the padding ("gflops"); "inside" is
 * the part that reads the map.
 */
#include "kernels/kernels.h"

#include "nets.h"
#include "peak.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum pass { FORWARD, BACKWARD_DATA, BACKWARD_WEIGHT, PASSES };

static const char *const pass_names[PASSES] = { "forward", "backward_data",
                                                "backward_weight" };

/* A convolution and how often the networks have it, as
 * "\"supernet16\": 9, \"final\": 1". */
typedef struct shape {
    net_conv conv;
    char networks[192];
} shape;

typedef struct run {
    bench *bench;
    double gemm, triad;
    int64_t batch;
    shape *shapes;
    int64_t n_shapes;
    ub__conv conv;
    enum pass pass;
    float *x, *w, *y;
} run;

/* -- shapes --------------------------------------------------------------- */

static void add_shapes(run *r, const char *network, net_convs convs)
{
    for (int64_t i = 0; i < convs.n; i++) {
        int64_t at = 0;
        char *networks;

        while (at < r->n_shapes &&
               !net_conv_same(&r->shapes[at].conv, &convs.of[i]))
            at++;
        if (at == r->n_shapes) {
            r->shapes = realloc(r->shapes,
                                (size_t) ++r->n_shapes * sizeof(*r->shapes));
            if (r->shapes == NULL)
                exit(1);
            r->shapes[at].conv = convs.of[i];
            r->shapes[at].networks[0] = '\0';
        }
        networks = r->shapes[at].networks;
        snprintf(networks + strlen(networks),
                 sizeof(r->shapes[at].networks) - strlen(networks),
                 "%s\"%s\": %lld", networks[0] ? ", " : "", network,
                 (long long) convs.of[i].count);
    }
    free(convs.of);
}

static void collect(run *r)
{
    static const int64_t supernets[] = { 16, 24, 32, 64 };
    static const int64_t channels[] = { 20, 24, 32, 40 };
    bench *b = r->bench;
    ub_network *network = net_final(b);
    ub_space *space;
    char name[32];

    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof(name), "supernet%lld", (long long) supernets[i]);
        space = net_space(b, supernets[i], 3);
        add_shapes(r, name, net_convs_of_space(b, space));
        ub_space_destroy(&space);
    }
    space = net_space(b, NET_STEM_WIDTH, 3);
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof(name), "channel%lld", (long long) channels[i]);
        add_shapes(r, name, net_convs_of_channels(b, space, channels[i]));
    }
    ub_space_destroy(&space);
    add_shapes(r, "final", net_convs_of_network(b, network));
    ub_network_destroy(&network);
}

/* -- measuring ------------------------------------------------------------ */

static float *values(int64_t n)
{
    float *x = bench_alloc((size_t) n, sizeof(*x));

    for (int64_t i = 0; i < n; i++)
        x[i] = (float) (i * 7919 % 1009) / 1009.0f - 0.5f;
    return x;
}

static void run_pass(void *user)
{
    run *r = user;
    ub_context *context = r->bench->context;

    switch (r->pass) {
    case FORWARD:
        ub__conv_forward(context, &r->conv, r->x, r->w, NULL, r->y);
        break;
    case BACKWARD_DATA:
        ub__conv_backward_data(context, &r->conv, r->w, r->y, r->x, 0);
        break;
    default:
        ub__conv_backward_weight(context, &r->conv, r->x, r->y, r->w, NULL, 0);
        break;
    }
}

static void operator_name(const net_conv *c, char *name, size_t size)
{
    const char *kind = c->dilation > 1 ? "dilated"
                       : c->groups == c->in_channels && c->groups > 1
                           ? "depthwise"
                           : "conv";

    snprintf(name, size, "%s%lld", kind, (long long) c->kernel_height);
}

static void report(run *r, const shape *s, double bytes,
                   ub__scratch_size scratch)
{
    const net_conv *c = &s->conv;
    const double flop = net_conv_flop(c) * (double) r->batch;
    bench_times t;
    char name[32];

    operator_name(c, name, sizeof(name));
    bench_measure(r->bench, run_pass, r, &t);
    bench_report(
        r->bench, &t, "us",
        "\"operator\": \"%s\", \"channels\": %lld, \"out_channels\": %lld, "
        "\"map\": %lld, \"stride\": %lld, \"batch\": %lld, "
        "\"networks\": {%s}, \"pass\": \"%s\", \"us\": %.1f, "
        "\"gflops\": %.1f, \"share\": %.3f, \"inside\": %.3f, "
        "\"gb_per_second\": %.2f, \"memory_share\": %.3f, "
        "\"scratch_kib\": %zu",
        name, (long long) c->in_channels, (long long) c->out_channels,
        (long long) c->in_height, (long long) c->stride, (long long) r->batch,
        s->networks, pass_names[r->pass], 1e6 * t.median,
        flop / t.median * 1e-9, flop / t.median / r->gemm,
        net_conv_flop_inside(c) / net_conv_flop(c), bytes / t.median * 1e-9,
        bytes / t.median / r->triad,
        (scratch.worker * (size_t) r->bench->threads + scratch.shared) / 1024);
}

static void run_shape(run *r, const shape *s)
{
    const net_conv *c = &s->conv;
    const int64_t x = r->batch * c->in_channels * c->in_height * c->in_width;
    const int64_t y = r->batch * c->out_channels * c->out_height * c->out_width;
    const int64_t w = c->out_channels * (c->in_channels / c->groups) *
                      c->kernel_height * c->kernel_width;
    ub__scratch_size scratch;

    r->conv = (ub__conv){
        .batch = r->batch,
        .in_channels = c->in_channels,
        .in_height = c->in_height,
        .in_width = c->in_width,
        .out_channels = c->out_channels,
        .out_height = c->out_height,
        .out_width = c->out_width,
        .kernel_height = c->kernel_height,
        .kernel_width = c->kernel_width,
        .stride = c->stride,
        .pad_height = c->pad_height,
        .pad_width = c->pad_width,
        .dilation = c->dilation,
        .groups = c->groups,
    };
    scratch = ub__conv_scratch(r->bench->context, &r->conv);
    bench_check(r->bench, ub__scratch_reserve(r->bench->context, scratch));
    r->x = values(x);
    r->w = values(w);
    r->y = values(y);
    for (r->pass = FORWARD; r->pass < PASSES; r->pass++) {
        if (r->pass != BACKWARD_DATA || !c->on_images)
            report(r, s, 4.0 * (double) (x + y + w), scratch);
    }
    free(r->x);
    free(r->w);
    free(r->y);
}

/* Once before and once after: whoever reads sees whether the machine kept its
 * pace. */
static double report_gemm(bench *b, bench *named)
{
    const double rate = peak_gemm(b);

    bench_report(named, NULL, NULL, "\"size\": 1024, \"gflops\": %.1f",
                 rate * 1e-9);
    return rate;
}

int main(int argc, char **argv)
{
    bench b = { .name = "conv", .runs = 5, .seconds = 0.05, .threads = 2 };
    bench gemm = { .name = "gemm" }, triad = { .name = "triad" };
    run r = { .bench = &b, .batch = 64 };
    const bench_option options[] = {
        { .name = "--batch",
          .value = "N",
          .integer = &r.batch,
          .low = 1,
          .high = 4096 },
        { .name = NULL },
    };

    bench_open(&b, options, argc, argv);
    gemm.threads = triad.threads = b.threads;
    r.gemm = report_gemm(&b, &gemm);
    r.triad = peak_triad(&b);
    bench_report(&triad, NULL, NULL, "\"gb_per_second\": %.2f", r.triad * 1e-9);
    collect(&r);
    for (int64_t i = 0; i < r.n_shapes; i++)
        run_shape(&r, &r.shapes[i]);
    report_gemm(&b, &gemm);
    free(r.shapes);
    bench_close(&b);
    return 0;
}
