/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_TESTS_MODEL_LAYERS_H
#define UBOOST_TESTS_MODEL_LAYERS_H

#include <uboost/utilization.h>

/* Layers on arrays, and how far the closed forms are from the simulator on
 * them: for tests/utilization/test_full.c and bench/model_error.c. */

typedef struct model_layer {
    int64_t rows, columns; /* of the array; memory in proportion */
    ub_cost_layer layer;
} model_layer;

/* |cycles / simulated cycles - 1|, level 1 with its default options. */
typedef struct model_errors {
    double published, exact, smooth;
} model_errors;

/* A convolution, a depthwise one or a linear layer of 1 to 1024 channels, maps
 * of 1 to 64, kernels of 1 to 7, batch 1 or 64, arrays of 8 to 256 ways. */
void model_random(ub_rng *rng, model_layer *out);

/* The layers of the look-up table that U-Boost ships, 128 x 128, batch 1. They
 * are put on the heap; -1 when the file cannot be read. */
int64_t model_lookup(ub_context *context, const char *path, model_layer **out);

ub_status model_machine(const model_layer *l, ub_hardware *hardware,
                        ub_util_options *options);

ub_status model_compare(const model_layer *l, model_errors *out);

/* Sorts the n > 0 values; the smallest that a share of them does not exceed. */
double model_quantile(double *values, int64_t n, double share);

#endif
