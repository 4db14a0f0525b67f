/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Rates of the simulator's finest level, one JSON line each: addresses of
 * SRAM traces as text and as rows, updates of processing elements.
 *
 * usage: bench_systolic_trace [SECONDS_PER_CASE]
 */

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <uboost/systolic.h>

static const char *const dataflows[] = { "ws", "os", "is" };
static const char *const operands[] = { "input", "weights", "output" };

struct bench {
    ub_context *context;
    double seconds; /* per case */
    ub_layer layer;
    ub_layer_info info;
    ub_hardware hardware;
    int32_t operand;
    int64_t offset;
    int64_t rows, addresses; /* of one trace */
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec + (double) t.tv_nsec * 1e-9;
}

static void require(struct bench *b, ub_status status)
{
    if (status == UB_OK)
        return;
    fprintf(stderr, "%s\n", ub_context_last_error(b->context));
    exit(1);
}

static void set_conv(struct bench *b, int64_t channels, int64_t map,
                     int64_t filters, int64_t kernel, int64_t pad)
{
    ub_layer_init(&b->layer, sizeof(b->layer), UB_LAYER_CONV);
    b->layer.out_channels = filters;
    b->layer.kernel_height = b->layer.kernel_width = kernel;
    b->layer.pad_height = b->layer.pad_width = pad;
    b->info = (ub_layer_info){ .size = sizeof(b->info),
                               .name = "conv",
                               .layer = &b->layer,
                               .in_channels = channels,
                               .in_height = map,
                               .in_width = map,
                               .out_channels = filters,
                               .out_height = map + 2 * pad - kernel + 1,
                               .out_width = map + 2 * pad - kernel + 1 };
}

static void set_array(struct bench *b, int64_t rows, int64_t columns,
                      int32_t dataflow)
{
    ub_hardware_init(&b->hardware, sizeof(b->hardware));
    b->hardware.rows = rows;
    b->hardware.columns = columns;
    b->hardware.dataflow = dataflow;
}

static int count_row(void *user, int64_t cycle, int64_t *addresses, int64_t n)
{
    struct bench *b = user;

    (void) cycle;
    (void) addresses;
    b->rows++;
    b->addresses += n;
    return 0;
}

static void trace_rows(struct bench *b)
{
    b->rows = b->addresses = 0;
    require(b, ub_systolic_trace(b->context, &b->info, &b->hardware, NULL,
                                 b->operand, b->offset, count_row, b));
}

static void trace_text(struct bench *b)
{
    require(b, ub_systolic_trace_write(b->context, &b->info, &b->hardware, NULL,
                                       b->operand, b->offset, "/dev/null"));
}

/* Shortest time of a call, of several tries. */
static double shortest(struct bench *b, void (*call)(struct bench *))
{
    double start = now(), best = 1e9;

    do {
        double begin = now(), end;

        call(b);
        end = now();
        if (end - begin < best)
            best = end - begin;
    } while (now() - start < b->seconds);
    return best;
}

static void report(struct bench *b, const char *bench, const char *layer,
                   double seconds)
{
    printf("{\"bench\": \"%s\", \"layer\": \"%s\", \"rows\": %lld, "
           "\"columns\": %lld, \"dataflow\": \"%s\", \"operand\": \"%s\", "
           "\"cycles\": %lld, \"addresses_per_s\": %.4g, "
           "\"rows_per_s\": %.4g}\n",
           bench, layer, (long long) b->hardware.rows,
           (long long) b->hardware.columns, dataflows[b->hardware.dataflow],
           operands[b->operand], (long long) b->rows,
           (double) b->addresses / seconds, (double) b->rows / seconds);
}

static void run_traces(struct bench *b, const char *layer)
{
    static const int64_t arrays[][2] = { { 1, 1 },     { 1, 64 },   { 64, 1 },
                                         { 4, 4 },     { 8, 8 },    { 32, 32 },
                                         { 128, 128 }, { 256, 256 } };
    const size_t n = sizeof(arrays) / sizeof(arrays[0]);

    for (size_t i = 0; i < n; i++) {
        for (int32_t dataflow = 0; dataflow < 3; dataflow++) {
            set_array(b, arrays[i][0], arrays[i][1], dataflow);
            for (b->operand = 0; b->operand < 3; b->operand++) {
                b->offset = b->operand * 10000000;
                trace_rows(b);
                report(b, "trace_text", layer, shortest(b, trace_text));
                if (arrays[i][0] == 4)
                    report(b, "trace_rows", layer, shortest(b, trace_rows));
            }
        }
    }
}

/* Operands of the largest case. */
#define EXTENT 256
static int8_t input[EXTENT * EXTENT], weights[EXTENT * EXTENT];
static int32_t output[EXTENT * EXTENT];

static void multiply(struct bench *b)
{
    const ub_gemm g = { sizeof(g), EXTENT, EXTENT, EXTENT, 1, EXTENT * EXTENT };
    ub_systolic_stats stats = { .size = sizeof(stats) };

    require(b, ub_systolic_multiply(b->context, &g, &b->hardware, NULL, input,
                                    weights, output, &stats));
    b->rows = stats.cycles;
}

static void run_elements(struct bench *b)
{
    static const int64_t arrays[] = { 4, 16, 32, 128, 256 };

    for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++) {
        for (int32_t dataflow = 0; dataflow < 3; dataflow++) {
            double seconds;

            set_array(b, arrays[i], arrays[i], dataflow);
            seconds = shortest(b, multiply);
            printf("{\"bench\": \"elements\", \"rows\": %lld, "
                   "\"columns\": %lld, \"dataflow\": \"%s\", "
                   "\"cycles\": %lld, \"cycles_per_s\": %.4g, "
                   "\"updates_per_s\": %.4g}\n",
                   (long long) arrays[i], (long long) arrays[i],
                   dataflows[dataflow], (long long) b->rows,
                   (double) b->rows / seconds,
                   (double) (b->rows * arrays[i] * arrays[i]) / seconds);
        }
    }
}

int main(int argc, char **argv)
{
    struct bench b = { .seconds = argc > 1 ? strtod(argv[1], NULL) : 0.2 };
    ub_context_options options;

    ub_context_options_init(&options, sizeof(options));
    if (ub_context_create(&options, &b.context) != UB_OK)
        return 1;
    set_conv(&b, 16, 20, 40, 3, 0);
    run_traces(&b, "conv3");
    set_conv(&b, 16, 18, 40, 3, 1);
    run_traces(&b, "conv3_padded");
    run_elements(&b);
    ub_context_destroy(&b.context);
    return 0;
}
