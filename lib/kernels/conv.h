/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_KERNELS_CONV_H
#define UBOOST_LIB_KERNELS_CONV_H

#include "kernels/loops.h"

int64_t ub__conv_weights(const ub__conv *conv);

/* In how many parts, `most` at most, workers go through the images for the
 * gradients of the weights: one per thread, unless their sums take too much
 * memory. */
int64_t ub__image_parts(const ub_context *context, const ub__conv *conv,
                        int64_t most);
/* Add sums of n elements each, found by parts, to `to`, in order. */
void ub__add_parts(ub_context *context, int64_t n, int64_t parts,
                   const float *sums, float *to);

/* A product in the calling thread. */
void ub__multiply(const ub__loops *loops, const ub__product *product);

/*
 * Three ways to convolve, each with what it takes and the three passes of
 * kernels.h.
 */
#define UB__CONV_METHOD(name)                                                  \
    ub__scratch_size ub__##name##_scratch(ub_context *context,                 \
                                          const ub__conv *conv);               \
    void ub__##name##_forward(ub_context *context, const ub__conv *conv,       \
                              const float *x, const float *w,                  \
                              const float *bias, float *y);                    \
    void ub__##name##_backward_data(ub_context *context, const ub__conv *conv, \
                                    const float *w, const float *gy,           \
                                    float *gx, int accumulate);                \
    void ub__##name##_backward_weight(                                         \
        ub_context *context, const ub__conv *conv, const float *x,             \
        const float *gy, float *gw, int accumulate)

/* One input channel per group. */
int ub__conv_is_depthwise(const ub__conv *conv);
UB__CONV_METHOD(depthwise);

/* One pixel, stride 1, maps that are a multiple of a vector. */
int ub__conv_is_plain(const ub__conv *conv, const ub__loops *loops);
UB__CONV_METHOD(plain);

/* All others, with images side by side. */
UB__CONV_METHOD(lanes);

#endif
