/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_UTILIZATION_H
#define UBOOST_LIB_UTILIZATION_H

#include "hardware/hardware.h"

#include <uboost/utilization.h>

/* The two layers that a separable convolution consists of. */
void ub__util_halves(const ub_cost_layer *layer, ub_cost_layer *depthwise,
                     ub_cost_layer *pointwise);

#endif
