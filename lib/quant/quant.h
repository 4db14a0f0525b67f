/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_QUANT_H
#define UBOOST_LIB_QUANT_H

#include "ops/ops.h"

#include <uboost/quant.h>

/* The settings, checked; `op` names the operator in errors. */
ub_status ub__quant_options_read(ub_context *context, const char *op,
                                 const ub_quant_options *options,
                                 ub_quant_options *out);

/* A choice that has been checked: bits and weights of the widths that count,
 * in falling order; soft: in their own. */
typedef struct ub__bit_ranking {
    int64_t n;
    int64_t *active; /* indices, ub__alloc()ed as all three */
    int32_t *bits;
    float *factors; /* in the result; 0: not in it */
} ub__bit_ranking;

ub_status ub__bit_ranking_create(ub_tape *tape, const char *op,
                                 const ub_bit_choice *choice,
                                 ub__bit_ranking *out);
void ub__bit_ranking_clear(ub_context *context, ub__bit_ranking *ranking);

/* The levels of b bits between least and largest; 0 bits: x as it is. */
ub__grid ub__quant_grid(float least, float largest, int32_t bits,
                        int32_t levels);

#endif
