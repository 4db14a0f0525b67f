/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_SYSTOLIC_H
#define UBOOST_LIB_SYSTOLIC_H

#include "hardware/hardware.h"

#include <uboost/systolic.h>

#define UB__MAX_PREFETCH 127

/* Full, checked copies of what a caller of any age gave. */
ub_status ub__systolic_options_in(const ub_systolic_options *options,
                                  ub_systolic_options *out);
int ub__systolic_gemm_valid(const ub_gemm *g);

/* Times are in 1/1024 of a cycle. */
#define UB__TICKS       ((int64_t) 1024)

/* Latency of the interconnect to the banks and back: 2 l + 1 with l = 1. */
#define UB__SRAM_CYCLES ((int64_t) 3)

/* How a product is cut. Counts are of tiles unless named otherwise. */
typedef struct ub__tiling {
    ub_gemm gemm;
    int64_t rows, columns; /* of the array, and so of a tile */
    int64_t element_bytes, partial_bytes;
    double input_ratio; /* bytes of an input element in a window */
    double ticks_per_byte;
    int64_t tiles_m, tiles_k, tiles_n;
    int charge_inputs, charge_outputs;
} ub__tiling;

/* One way to walk over the tiles. */
typedef struct ub__schedule {
    int64_t block_m, block_n;      /* tiles taken at a time */
    int keep_inputs, keep_weights; /* whether what is read twice stays */
    int window;                    /* rounds that loads may run ahead */
} ub__schedule;

/* Everything that adds up. */
typedef struct ub__counters {
    int64_t rounds;
    int64_t stall_weights, stall_inputs; /* ticks */
    int64_t weight_bytes, input_bytes, output_bytes;
    int64_t sram_read_bytes, sram_write_bytes;
} ub__counters;

typedef struct ub__outcome {
    int64_t ticks; /* all of it */
    int64_t stall_outputs;
    ub__counters counters;
} ub__outcome;

/* Bytes of an input tile; the map's elements are spread over the windows. */
int64_t ub__input_bytes(const ub__tiling *t, int64_t rows, int64_t depth);

/* Walk all rounds of all products. */
void ub__systolic_walk(const ub__tiling *t, const ub__schedule *schedule,
                       ub__outcome *out);

#endif
