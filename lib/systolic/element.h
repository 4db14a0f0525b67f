/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_SYSTOLIC_ELEMENT_H
#define UBOOST_LIB_SYSTOLIC_ELEMENT_H

#include "systolic/systolic.h"

/* Called for each element that enters or leaves the array, so that tests can
 * compare with the trace: row and column in the operand's matrix, m by k, k by
 * n or m by n. */
typedef struct ub__element_watch {
    void (*touch)(void *user, int64_t cycle, int32_t operand, int64_t lane,
                  int64_t row, int64_t column);
    void *user;
} ub__element_watch;

/* ub_systolic_multiply(); watch may be NULL. */
ub_status ub__element_multiply(ub_context *context, const ub_gemm *gemm,
                               const ub_hardware *hardware,
                               const ub_systolic_options *options,
                               const int8_t *input, const int8_t *weights,
                               int32_t *output, const ub__element_watch *watch,
                               ub_systolic_stats *stats);

/* What ub_systolic_multiply() refuses, operands aside. */
ub_status ub__element_check(ub_context *context, const ub_gemm *gemm,
                            const ub_hardware *hardware,
                            const ub_systolic_options *options);

/* Whether options ask for level 3, and a layer at that level: the products of
 * random operands, compared with plain ones. */
int ub__systolic_at_level3(const ub_systolic_options *options);
ub_status ub__systolic_level3(ub_context *context, const ub_layer_info *layer,
                              const ub_hardware *hardware,
                              const ub_systolic_options *options,
                              ub_systolic_stats *out);

#endif
