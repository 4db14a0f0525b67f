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

/*
 * How a convolution is cut into matrix products. One product has a row per
 * input channel and tap and a column per output pixel, of several small images
 * or of a band of rows of a large one.
 */
typedef struct ub__conv_plan {
    ub__conv conv;
    const ub__loops *loops;
    int64_t outputs_row; /* output channels of a group, padded for products */
    ub__reach rows, columns;
    int64_t taps;            /* those that are not left out */
    int64_t in, out;         /* channels of a group */
    int64_t images;          /* per product */
    int64_t image_groups;    /* groups of so many images */
    int64_t band;            /* output rows per product */
    int64_t bands;           /* per image */
    int64_t channels;        /* input channels at a time, forward */
    int64_t data_channels;   /* the same, backward to the data */
    int64_t weight_channels; /* the same, backward to the weight */
    int64_t weight_outputs;  /* output channels at a time, backward to it */
    int pack;                /* BLIS is slow where no stride is 1 */
    int plain;               /* a window is just the plane: 1x1, stride 1 */
    int direct;              /* and may be used in place */
    /* per-worker memory, in floats from its start */
    int64_t taps_at, window_at, patches_at, outputs_at, weights_at, floats;
} ub__conv_plan;

void ub__conv_plan_init(ub__conv_plan *plan, const ub_context *context,
                        const ub__conv *conv);

/* The window of some output rows of a plane. */
typedef struct ub__frame {
    ub__window window;
    int64_t height;    /* rows of a phase plane */
    int64_t top, left; /* where the window begins in the plane */
    int64_t elements;  /* of the window, without overrun */
    /* With stride 1: the part of the window that lies on the map. */
    int64_t first_row, rows, first_column, columns;
    const ub__conv_plan *plan;
} ub__frame;

/* offset has room for plan->taps. */
void ub__frame_init(ub__frame *frame, const ub__conv_plan *plan,
                    int64_t first_row, int64_t rows, int64_t *offset);
/* Copy a plane into a window that was zero, or added to it. */
void ub__frame_fill(const ub__frame *frame, const float *plane, float *window);
void ub__frame_drain(const ub__frame *frame, const float *window, float *plane);

int64_t ub__conv_window_floats(const ub__conv_plan *plan, int64_t rows);

/* A product in the calling thread. */
void ub__multiply(const ub__loops *loops, const ub__product *product);

/* Depthwise: one input channel per group. */
int ub__conv_is_depthwise(const ub__conv *conv);
ub__scratch_size ub__depthwise_scratch(ub_context *context, const ub__conv *conv);
void ub__depthwise_forward(ub_context *context, const ub__conv *conv,
                           const float *x, const float *w, const float *bias,
                           float *y);
void ub__depthwise_backward_data(ub_context *context, const ub__conv *conv,
                                 const float *w, const float *gy, float *gx,
                                 int accumulate);
void ub__depthwise_backward_weight(ub_context *context, const ub__conv *conv,
                                   const float *x, const float *gy, float *gw,
                                   int accumulate);

/* Images side by side: all other convolutions than those of one pixel. */
ub__scratch_size ub__lanes_scratch(ub_context *context, const ub__conv *conv);
void ub__lanes_forward(ub_context *context, const ub__conv *conv,
                       const float *x, const float *w, const float *bias,
                       float *y);
void ub__lanes_backward_data(ub_context *context, const ub__conv *conv,
                             const float *w, const float *gy, float *gx,
                             int accumulate);
void ub__lanes_backward_weight(ub_context *context, const ub__conv *conv,
                               const float *x, const float *gy, float *gw,
                               int accumulate);

#endif
