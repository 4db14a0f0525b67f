/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time to simulate the layers of ResNet-18 at 224 x 224 at level 1, batch 1,
 * on one array and on several, and with stationary outputs, one JSON line each.
 */
#include "bench.h"

typedef struct block {
    int64_t in, out, map, kernel, stride, times;
} block;

/* Convolutions by the input's map; the classes are a 1 x 1 map. */
static const block blocks[] = {
    { 3, 64, 224, 7, 2, 1 },   { 64, 64, 56, 3, 1, 4 },
    { 64, 128, 56, 3, 2, 1 },  { 64, 128, 56, 1, 2, 1 },
    { 128, 128, 28, 3, 1, 3 }, { 128, 256, 28, 3, 2, 1 },
    { 128, 256, 28, 1, 2, 1 }, { 256, 256, 14, 3, 1, 3 },
    { 256, 512, 14, 3, 2, 1 }, { 256, 512, 14, 1, 2, 1 },
    { 512, 512, 7, 3, 1, 3 },  { 512, 1000, 1, 1, 1, 1 },
};

static ub_gemm product(const block *b)
{
    const int64_t side = (b->map - 1) / b->stride + 1;
    ub_gemm g = { .size = sizeof(g), .m = side * side, .count = 1 };

    g.k = b->in * b->kernel * b->kernel;
    g.n = b->out;
    g.input_elements = b->in * b->map * b->map;
    if (g.input_elements > g.m * g.k)
        g.input_elements = g.m * g.k;
    return g;
}

typedef struct run {
    bench *bench;
    ub_hardware hardware;
    int64_t cycles;
} run;

static void pass(void *user)
{
    run *r = user;

    r->cycles = 0;
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        const ub_gemm g = product(&blocks[i]);

        for (int64_t j = 0; j < blocks[i].times; j++) {
            ub_systolic_stats s = { .size = sizeof(s) };

            bench_check(r->bench, ub_systolic_gemm(&g, &r->hardware, NULL, &s));
            r->cycles += s.cycles;
        }
    }
}

static void run_case(bench *b, int32_t dataflow, int64_t side, int64_t arrays)
{
    run r = { .bench = b };
    bench_times t;

    ub_hardware_init(&r.hardware, sizeof(r.hardware));
    bench_check(b, ub_hardware_set_array(&r.hardware, side, side));
    r.hardware.arrays = arrays;
    r.hardware.dataflow = dataflow;
    bench_measure(b, pass, &r, &t);
    bench_report(
        b, &t, "ms",
        "\"network\": \"resnet18\", \"dataflow\": \"%s\", \"array\": %lld, "
        "\"arrays\": %lld, \"cycles\": %lld, \"ms\": %.3f",
        dataflow == UB_DATAFLOW_OS ? "os" : "ws", (long long) side,
        (long long) arrays, (long long) r.cycles, 1e3 * t.median);
}

int main(int argc, char **argv)
{
    const int32_t dataflows[] = { UB_DATAFLOW_WS, UB_DATAFLOW_OS };
    bench b = { .name = "systolic_level1", .runs = 10, .one_thread = 1 };

    bench_open(&b, NULL, argc, argv);
    for (int i = 0; i < 2; i++) {
        run_case(&b, dataflows[i], 128, 1);
        run_case(&b, dataflows[i], 32, 1);
        run_case(&b, dataflows[i], 128, 4);
        run_case(&b, dataflows[i], 32, 16);
    }
    bench_close(&b);
    return 0;
}
