/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_KERNELS_AXIS_H
#define UBOOST_LIB_KERNELS_AXIS_H

#include "kernels/conv.h"

/* Which taps of a kernel read where, along one axis. */

int64_t ub__min(int64_t a, int64_t b);
int64_t ub__max(int64_t a, int64_t b);
int64_t ub__divide_up(int64_t a, int64_t b);
/* n in parts of at most `most`, at least 1, evened out. */
int64_t ub__even(int64_t n, int64_t most);

/* Output o reads o * stride - pad + k * dilation. */
typedef struct ub__side {
    int64_t in, out, kernel, stride, pad, dilation;
} ub__side;

ub__side ub__side_rows(const ub__conv *conv);
ub__side ub__side_columns(const ub__conv *conv);

/* Outputs [*begin, *end) that read the map with tap k, of those between; are
 * there any? */
int ub__side_cut(const ub__side *side, int64_t k, int64_t *begin, int64_t *end);

/* The taps of a result that read the map: every tap_step-th from `tap` on, the
 * first of them at `source`, the next ones source_step apart. */
typedef struct ub__place {
    int64_t tap, taps, source;
} ub__place;

typedef struct ub__axis {
    int64_t extent;
    int64_t tap_step, source_step;
    /* Results `period` apart may have the same taps, read so far apart. */
    int64_t period, source_period;
    ub__place *at; /* [extent] */
} ub__axis;

/* Of outputs, and of inputs, which get from the outputs that read them. */
void ub__axis_forward(ub__axis *axis, const ub__side *side);
void ub__axis_backward(ub__axis *axis, const ub__side *side);

/* The sources [*first, *behind) that results [begin, end) read. */
void ub__axis_sources(const ub__axis *axis, int64_t begin, int64_t end,
                      int64_t *first, int64_t *behind);

/* Results, a period apart, with the same taps. */
typedef struct ub__point_set {
    int64_t first, points;
} ub__point_set;

/* All results of an axis in sets of at most so many; at most as many sets as
 * results. Returns how many. */
int64_t ub__point_sets(const ub__axis *axis, int64_t most, ub__point_set *set);

#endif
