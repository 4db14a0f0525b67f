/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Rates of the simulator's finest level, one JSON line each: addresses of
 * SRAM traces as text and as rows, updates of processing elements.
 */
#include "bench.h"

static const char *const dataflows[] = { "ws", "os", "is" };
static const char *const operands[] = { "input", "weights", "output" };

typedef struct run {
    bench *bench;
    ub_layer layer;
    ub_layer_info info;
    ub_hardware hardware;
    int32_t operand;
    int64_t offset;
    int64_t rows, addresses; /* of one trace */
} run;

static void set_conv(run *r, int64_t channels, int64_t map, int64_t filters,
                     int64_t kernel, int64_t pad)
{
    ub_layer_init(&r->layer, sizeof(r->layer), UB_LAYER_CONV);
    r->layer.out_channels = filters;
    r->layer.kernel_height = r->layer.kernel_width = kernel;
    r->layer.pad_height = r->layer.pad_width = pad;
    r->info = (ub_layer_info){ .size = sizeof(r->info),
                               .name = "conv",
                               .layer = &r->layer,
                               .in_channels = channels,
                               .in_height = map,
                               .in_width = map,
                               .out_channels = filters,
                               .out_height = map + 2 * pad - kernel + 1,
                               .out_width = map + 2 * pad - kernel + 1 };
}

static void set_array(run *r, int64_t rows, int64_t columns, int32_t dataflow)
{
    ub_hardware_init(&r->hardware, sizeof(r->hardware));
    r->hardware.rows = rows;
    r->hardware.columns = columns;
    r->hardware.dataflow = dataflow;
}

static int count_row(void *user, int64_t cycle, int64_t *addresses, int64_t n)
{
    run *r = user;

    (void) cycle;
    (void) addresses;
    r->rows++;
    r->addresses += n;
    return 0;
}

static void trace_rows(void *user)
{
    run *r = user;

    r->rows = r->addresses = 0;
    bench_check(r->bench,
                ub_systolic_trace(r->bench->context, &r->info, &r->hardware,
                                  NULL, r->operand, r->offset, count_row, r));
}

static void trace_text(void *user)
{
    run *r = user;

    bench_check(r->bench, ub_systolic_trace_write(
                              r->bench->context, &r->info, &r->hardware, NULL,
                              r->operand, r->offset, "/dev/null"));
}

/* Of one pass that was counted. */
static void report(run *r, const char *name, const char *layer,
                   void (*call)(void *))
{
    bench named = *r->bench;
    bench_times t;

    named.name = name;
    bench_measure(&named, call, r, &t);
    bench_report(&named, &t, "us",
                 "\"layer\": \"%s\", \"rows\": %lld, \"columns\": %lld, "
                 "\"dataflow\": \"%s\", \"operand\": \"%s\", "
                 "\"cycles\": %lld, \"addresses_per_s\": %.4g, "
                 "\"rows_per_s\": %.4g",
                 layer, (long long) r->hardware.rows,
                 (long long) r->hardware.columns,
                 dataflows[r->hardware.dataflow], operands[r->operand],
                 (long long) r->rows, (double) r->addresses / t.median,
                 (double) r->rows / t.median);
}

static void run_traces(run *r, const char *layer)
{
    static const int64_t arrays[][2] = { { 1, 1 },     { 1, 64 },   { 64, 1 },
                                         { 4, 4 },     { 8, 8 },    { 32, 32 },
                                         { 128, 128 }, { 256, 256 } };
    const size_t n = sizeof(arrays) / sizeof(arrays[0]);

    for (size_t i = 0; i < n; i++) {
        for (int32_t dataflow = 0; dataflow < 3; dataflow++) {
            set_array(r, arrays[i][0], arrays[i][1], dataflow);
            for (r->operand = 0; r->operand < 3; r->operand++) {
                r->offset = r->operand * 10000000;
                trace_rows(r);
                report(r, "trace_text", layer, trace_text);
                if (arrays[i][0] == 4)
                    report(r, "trace_rows", layer, trace_rows);
            }
        }
    }
}

/* Operands of the largest case. */
#define EXTENT 256
static int8_t input[EXTENT * EXTENT], weights[EXTENT * EXTENT];
static int32_t output[EXTENT * EXTENT];

static void multiply(void *user)
{
    run *r = user;

    const ub_gemm g = { sizeof(g), EXTENT, EXTENT, EXTENT, 1, EXTENT * EXTENT };
    ub_systolic_stats stats = { .size = sizeof(stats) };

    bench_check(r->bench,
                ub_systolic_multiply(r->bench->context, &g, &r->hardware, NULL,
                                     input, weights, output, &stats));
    r->rows = stats.cycles;
}

static void run_elements(run *r)
{
    static const int64_t arrays[] = { 4, 16, 32, 128, 256 };
    bench named = *r->bench;

    named.name = "elements";
    for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++) {
        for (int32_t dataflow = 0; dataflow < 3; dataflow++) {
            bench_times t;

            set_array(r, arrays[i], arrays[i], dataflow);
            bench_measure(&named, multiply, r, &t);
            bench_report(&named, &t, "us",
                         "\"rows\": %lld, \"columns\": %lld, "
                         "\"dataflow\": \"%s\", \"cycles\": %lld, "
                         "\"cycles_per_s\": %.4g, \"updates_per_s\": %.4g",
                         (long long) arrays[i], (long long) arrays[i],
                         dataflows[dataflow], (long long) r->rows,
                         (double) r->rows / t.median,
                         (double) (r->rows * arrays[i] * arrays[i]) / t.median);
        }
    }
}

int main(int argc, char **argv)
{
    bench b = {
        .name = "systolic_trace", .runs = 3, .seconds = 0.2, .one_thread = 1
    };
    run r = { .bench = &b };

    bench_open(&b, NULL, argc, argv);
    set_conv(&r, 16, 20, 40, 3, 0);
    run_traces(&r, "conv3");
    set_conv(&r, 16, 18, 40, 3, 1);
    run_traces(&r, "conv3_padded");
    run_elements(&r);
    bench_close(&b);
    return 0;
}
