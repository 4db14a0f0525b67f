/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_TENSOR_H
#define UBOOST_LIB_TENSOR_H

#include "base/base.h"

#include <uboost/tensor.h>

/* As ub_tensor_create(), contents undefined. Storage comes from the context's
 * blocks (ub__block_alloc). */
ub_status ub__tensor_create_raw(ub_context *context, int rank,
                                const int64_t *shape, ub_tensor **out);

/* Mean and biased variance of each channel, [2][channels], as long as whoever
 * fills the tensor says so; NULL: not known. The tensor owns them. */
const double *ub__tensor_moments(const ub_tensor *tensor);
void ub__tensor_set_moments(ub_tensor *tensor, double *moments);

/* Whether anything else can see the storage: another reference or a view. */
int ub__tensor_shared(const ub_tensor *tensor);

int ub__tensor_same_shape(const ub_tensor *a, const ub_tensor *b);

/* "[64, 3, 32, 32]" for error messages. */
#define UB__SHAPE_TEXT 200
const char *ub__shape_text(char text[UB__SHAPE_TEXT], int rank,
                           const int64_t *shape);

#endif
