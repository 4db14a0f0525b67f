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
#define UB__TICKS    ((int64_t) 1024)

/* Memory channels: one shared, or one for each operand. */
#define UB__CHANNELS 3

/* -- level 1: a product, cut into rounds ----------------------------------- */

/* An operand between external memory and the arrays. */
typedef struct ub__operand {
    double ratio;  /* bytes moved for an element of a tile; less than `bytes`
                      where windows overlap */
    int64_t bytes; /* of an element on chip */
    int64_t bank;  /* bytes of room, of all arrays used */
    int channel;   /* of external memory */
    int charged;   /* 0: on chip already, or stays there */
} ub__operand;

/* How many arrays work beside each other on products, m, k and n. */
typedef struct ub__parts {
    int64_t groups, m, k, n;
} ub__parts;

/* How a product is cut. Of the operands of a product, `streamed` is m x k and
 * `fixed` k x n: inputs and weights, or weights and inputs. `fixed` shifts in,
 * and stays in the array while m streams. With stationary outputs m x n stays,
 * both operands stream along k, and results shift out. Extents are of a round:
 * all arrays used, together. */
typedef struct ub__tiling {
    ub_gemm gemm;
    ub__operand streamed, fixed, results;
    ub__parts split;
    int64_t parts_streamed, parts_shifted; /* of the split: m and k, or k and m
                                              with stationary outputs */
    int outputs;                           /* stay in the array */
    int64_t pack;                          /* products on an array's diagonal */
    int64_t group;                         /* products */
    int64_t rows, depth, columns;          /* of m, k and n */
    int64_t groups, tiles_m, tiles_k, tiles_n; /* rounds of each */
    int64_t partial_bytes, burst_bytes;
    double ticks_per_byte[UB__CHANNELS];
    int64_t latency; /* ticks from a request to its data */
    int channels;
    int64_t hops;                            /* latency of the interconnect */
    int64_t serial_streamed, serial_shifted; /* sources that wait for a bus */
    int64_t merge; /* ticks to add up the partial sums of a split k */
} ub__tiling;

/* One way to walk over the tiles. */
typedef struct ub__schedule {
    int64_t block_m, block_n;      /* tiles taken at a time */
    int keep_streamed, keep_fixed; /* whether what is read twice stays */
    int window;                    /* rounds that loads may run ahead */
    int room; /* at least window; rounds that storing results may lag */
} ub__schedule;

/* Everything that adds up. */
typedef struct ub__counters {
    int64_t rounds;
    int64_t shift; /* ticks in which nothing streams for shifting in or out */
    int64_t stall_fixed, stall_streamed, stall_results; /* ticks */
    int64_t fixed_bytes, streamed_bytes, result_bytes;
    int64_t sram_read_bytes, sram_write_bytes;
} ub__counters;

typedef struct ub__outcome {
    int64_t ticks; /* all of it */
    int64_t drain; /* ticks from the last round to its results in SRAM */
    ub__counters counters;
} ub__outcome;

/* n / size, rounded up. */
int64_t ub__ceil_div(int64_t n, int64_t size);

/* A product for a split; options and hardware are checked. */
ub__tiling ub__tiling_cut(const ub_gemm *gemm, const ub_hardware *hardware,
                          const ub_systolic_options *options,
                          const ub__parts *split);

/* Bytes moved for a x b elements of each of `group` products, in bursts. */
int64_t ub__tiling_bytes(const ub__tiling *t, const ub__operand *operand,
                         int64_t group, int64_t a, int64_t b);

/* Ticks of such a transfer. */
int64_t ub__tiling_transfer(const ub__tiling *t, const ub__operand *operand,
                            int64_t bytes);

/* Cycles in which so many rows stream (of m; of k with stationary outputs), and
 * from the start of that round to its end. */
int64_t ub__tiling_stream(const ub__tiling *t, int64_t rows);
int64_t ub__tiling_round(const ub__tiling *t, int64_t rows);

/* Cycles to shift so many rows in (of k), or results out (of m). */
int64_t ub__tiling_shift(const ub__tiling *t, int64_t group, int64_t rows);

/* Set the schedule's window; 0 when it does not fit the banks. */
int ub__tiling_fit(const ub__tiling *t, int prefetch, ub__schedule *schedule);

/* No schedule takes fewer ticks: those of its transfers, and those of the first
 * loads, of streaming and of the last results. */
double ub__tiling_least_moving(const ub__tiling *t,
                               const ub__schedule *schedule);
double ub__tiling_least_computing(const ub__tiling *t);

/* Whether any schedule's cycles and bytes can be counted. */
int ub__tiling_countable(const ub__tiling *t);

/* Walk all rounds of all products. With a limit below INT64_MAX only for the
 * ticks: at least the limit when it takes so long, and the bytes of nothing. */
void ub__systolic_walk(const ub__tiling *t, const ub__schedule *schedule,
                       int64_t limit, ub__outcome *out);

/* What a walk comes to; .size and utilization are set. */
ub_systolic_stats ub__systolic_stats(const ub__tiling *t, const ub_hardware *h,
                                     const ub__outcome *outcome);

/* Cycles of a layer on the vector unit; UB_ERR_RANGE beyond 2^50. A layer that
 * is not one of its own takes none. */
ub_status ub__systolic_vector(const ub_layer_info *layer, int64_t n_inputs,
                              int64_t batch, const ub_hardware *hardware,
                              ub_systolic_stats *stats);

/* ub_systolic_layer() for a layer of so many inputs. */
ub_status ub__systolic_layer(const ub_layer_info *layer, int64_t n_inputs,
                             const ub_hardware *hardware,
                             const ub_systolic_options *options,
                             ub_systolic_stats *out);

#endif
