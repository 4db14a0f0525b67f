/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time to simulate the layers of ResNet-18 at 224 x 224 at level 1, batch 1,
 * on one array and on several, and with stationary outputs: best of several
 * runs, one JSON line each.
 *
 * usage: bench_systolic_level1 [RUNS]
 */
#define _POSIX_C_SOURCE 200809L

#include <uboost/uboost.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

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

static double milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return 1e3 * (double) now.tv_sec + 1e-6 * (double) now.tv_nsec;
}

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

/* Cycles of the network; less than 0 when a layer does not run. */
static int64_t network(const ub_hardware *hardware)
{
    int64_t cycles = 0;

    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        const ub_gemm g = product(&blocks[i]);

        for (int64_t j = 0; j < blocks[i].times; j++) {
            ub_systolic_stats s = { .size = sizeof(s) };

            if (ub_systolic_gemm(&g, hardware, NULL, &s) != UB_OK)
                return -1;
            cycles += s.cycles;
        }
    }
    return cycles;
}

static int run(int32_t dataflow, int64_t side, int64_t arrays, long runs)
{
    ub_hardware hardware;
    double best = 1e9;
    int64_t cycles = 0;

    ub_hardware_init(&hardware, sizeof(hardware));
    if (ub_hardware_set_array(&hardware, side, side) != UB_OK)
        return 0;
    hardware.arrays = arrays;
    hardware.dataflow = dataflow;
    for (long i = 0; i < runs && cycles >= 0; i++) {
        const double begin = milliseconds();
        double time;

        cycles = network(&hardware);
        time = milliseconds() - begin;
        if (time < best)
            best = time;
    }
    printf("{\"bench\": \"systolic_level1\", \"network\": \"resnet18\", "
           "\"dataflow\": \"%s\", \"array\": %lld, \"arrays\": %lld, "
           "\"cycles\": %lld, \"ms\": %.3f}\n",
           dataflow == UB_DATAFLOW_OS ? "os" : "ws", (long long) side,
           (long long) arrays, (long long) cycles, best);
    return cycles > 0;
}

int main(int argc, char **argv)
{
    const long runs = argc > 1 ? strtol(argv[1], NULL, 10) : 10;
    const int32_t dataflows[] = { UB_DATAFLOW_WS, UB_DATAFLOW_OS };
    int good = 1;

    for (int i = 0; i < 2 && good; i++)
        good = run(dataflows[i], 128, 1, runs) &&
               run(dataflows[i], 32, 1, runs) &&
               run(dataflows[i], 128, 4, runs) &&
               run(dataflows[i], 32, 16, runs);
    return good ? 0 : 1;
}
