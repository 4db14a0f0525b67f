/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_KERNELS_CONV_H
#define UBOOST_LIB_KERNELS_CONV_H

#include "kernels/loops.h"

/* Along one axis: the taps that read the map at all, and where tap `first`
 * reads for output 0. The others read padding everywhere and are left out. */
typedef struct ub__reach {
    int64_t first, count;
    int64_t base;
} ub__reach;

/* What a depthwise convolution reads of a plane, band by band. */
typedef struct ub__window_plan {
    ub__conv conv;
    const ub__loops *loops;
    ub__reach rows, columns;
    int64_t taps;        /* those that are not left out */
    int64_t band, bands; /* output rows at a time; left to the caller */
} ub__window_plan;

void ub__window_plan_init(ub__window_plan *plan, const ub_context *context,
                          const ub__conv *conv);

/* The window of some output rows of a plane. */
typedef struct ub__frame {
    ub__window window;
    int64_t height;    /* rows of a phase plane */
    int64_t top, left; /* where the window begins in the plane */
    int64_t elements;  /* of the window, without overrun */
    /* With stride 1: the part of the window that lies on the map. */
    int64_t first_row, rows, first_column, columns;
    const ub__window_plan *plan;
} ub__frame;

/* offset has room for plan->taps. */
void ub__frame_init(ub__frame *frame, const ub__window_plan *plan,
                    int64_t first_row, int64_t rows, int64_t *offset);
/* Copy a plane into a window that was zero. */
void ub__frame_fill(const ub__frame *frame, const float *plane, float *window);

int64_t ub__window_floats(const ub__window_plan *plan, int64_t rows);

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
