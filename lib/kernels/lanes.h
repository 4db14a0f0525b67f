/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_KERNELS_LANES_H
#define UBOOST_LIB_KERNELS_LANES_H

#include "kernels/axis.h"

/*
 * Convolutions with images side by side: planes are first turned so that a
 * pixel of as many images as a vector has lanes, a block of images, is one
 * vector. Then no vector lies across a border of the map, whatever the map's
 * width: taps that read padding are left out pixel by pixel, and no patches are
 * written.
 */

/* Of a tensor, as many rows of as many images as a turn has. */
typedef struct ub__planes {
    const float *data;
    int64_t channels, height, width;
    /* For n rows of outputs (n - 1) * step / divisor + extra rows. */
    int64_t step, divisor, extra;
    int64_t pitch;           /* floats from one turned plane to the next */
    int64_t first_row, rows; /* of this turn; set by ub__rows_fn */
    float *turned;           /* [blocks][channels][pitch], of which are used
                                [rows][width][lanes] */
} ub__planes;

typedef struct ub__lanes {
    ub_context *context;
    const ub__loops *loops;
    ub__conv conv;
    int64_t lanes;
    int64_t in, out, taps;          /* channels of a group; taps of a kernel */
    ub__planes x, gy;               /* without channels: not needed */
    int64_t most_blocks, most_rows; /* of a turn */
    int64_t height;                 /* rows in all */
    int64_t block, blocks, row, rows; /* of this turn; rows of results */
    ub__task_fn pack; /* what is done beside the first turn; may be NULL */
    int64_t packs;
} ub__lanes;

void ub__lanes_init(ub__lanes *l, ub_context *context, const ub__conv *conv);
/* When the planes are described: how much of them a turn has. */
void ub__lanes_plan(ub__lanes *l, int64_t height);
/* Floats of all turned planes, which come first in the shared memory. */
int64_t ub__lanes_floats(const ub__lanes *l);

/* Say which rows of the planes this turn's results need. */
typedef void (*ub__rows_fn)(void *arg);

/* Turn planes and call the tasks, `tasks` for each block of a turn or, when
 * together, for all its blocks. arg is the job, which begins with its
 * ub__lanes. */
void ub__lanes_run(void *arg, ub__rows_fn rows, ub__task_fn fn, int64_t tasks,
                   int together);

/* Row first_row of a turned plane. */
float *ub__turned(const ub__planes *planes, int64_t block, int64_t channel);

/* Images of a block of this turn. */
int64_t ub__lanes_images(const ub__lanes *l, int64_t block);

/* What the passes take. */
ub__scratch_size ub__lanes_result_scratch(ub_context *context,
                                          const ub__conv *conv, int backward);
ub__scratch_size ub__lanes_weight_scratch(ub_context *context,
                                          const ub__conv *conv);

#endif
