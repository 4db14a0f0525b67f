/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_UTILIZATION_H
#define UBOOST_LIB_UTILIZATION_H

#include "hardware/hardware.h"

#include <uboost/utilization.h>

/* The two layers that a separable convolution consists of. */
void ub__util_halves(const ub_cost_layer *layer, ub_cost_layer *depthwise,
                     ub_cost_layer *pointwise);

/* A count with its derivatives by input and output channels. */
typedef struct ub__util_amount {
    double value, by_in, by_out;
} ub__util_amount;

/* One matrix product, or one depthwise convolution. */
typedef struct ub__util_part {
    ub__util_amount macs, cycles;
} ub__util_part;

typedef ub__util_part (*ub__util_part_fn)(const ub_util_options *,
                                          const ub_cost_layer *);

/* Output pixels; a linear layer makes one per image. */
double ub__util_pixels(const ub_cost_layer *l);
/* Of the kernel. */
double ub__util_taps(const ub_cost_layer *l);
/* Of a convolution; 1 otherwise. */
double ub__util_groups(const ub_cost_layer *l);
ub__util_amount ub__util_macs(const ub_cost_layer *l);

/* What all models do around their formula: check the input, add the halves of
 * a separable convolution, fill a ub_cost. */
ub_status ub__util_evaluate(const ub_util_options *options,
                            const ub_cost_layer *layer, ub__util_part_fn fn,
                            ub_cost *out);

#endif
