/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_KERNELS_H
#define UBOOST_LIB_KERNELS_H

#include "base/base.h"

/*
 * Loops over raw pointers, run on the context's pool. Row-major, N C H W.
 * Sizes are trusted: callers have checked that they are positive and that the
 * products fit. Results depend on the inputs and the number of threads only.
 *
 * `accumulate`: 0 stores the result (the old content may be garbage), 1 adds
 * it to what is there. Nothing here fails: callers reserve the scratch memory
 * that the *_scratch() function names.
 */

typedef struct ub__conv {
    int64_t batch;
    int64_t in_channels, in_height, in_width;
    int64_t out_channels, out_height, out_width;
    int64_t kernel_height, kernel_width;
    int64_t stride, pad_height, pad_width, dilation, groups;
} ub__conv;

/* What the three convolution calls need. */
ub__scratch_size ub__conv_scratch(ub_context *context, const ub__conv *conv);
/* y = x * w + bias; w is [out_channels][in_channels/groups][kh][kw]; bias may
 * be NULL. Depthwise convolutions are dispatched inside. */
void ub__conv_forward(ub_context *context, const ub__conv *conv, const float *x,
                      const float *w, const float *bias, float *y);
void ub__conv_backward_data(ub_context *context, const ub__conv *conv,
                            const float *w, const float *gy, float *gx,
                            int accumulate);
/* Also sums gy by channel into gbias when that is not NULL. gw may be NULL. */
void ub__conv_backward_weight(ub_context *context, const ub__conv *conv,
                              const float *x, const float *gy, float *gw,
                              float *gbias, int accumulate);

/* c = a * b (+ c); a is m x k, b is k x n, either one read transposed when its
 * flag is set (then stored k x m, n x k). On the pool. */
void ub__gemm(ub_context *context, int transpose_a, int transpose_b, int64_t m,
              int64_t n, int64_t k, const float *a, const float *b, float *c,
              int accumulate);

typedef struct ub__pool {
    int64_t planes; /* batch * channels */
    int64_t in_height, in_width, out_height, out_width;
    int64_t kernel_height, kernel_width, stride, padding;
    int count_padding; /* average: divide by the whole kernel always */
} ub__pool;

/* `index` receives, per output, the offset of the maximum in its plane; the
 * first one on ties. NULL when no backward pass follows. */
void ub__max_pool_forward(ub_context *context, const ub__pool *pool,
                          const float *x, float *y, int32_t *index);
void ub__max_pool_backward(ub_context *context, const ub__pool *pool,
                           const float *gy, const int32_t *index, float *gx,
                           int accumulate);
void ub__avg_pool_forward(ub_context *context, const ub__pool *pool,
                          const float *x, float *y);
void ub__avg_pool_backward(ub_context *context, const ub__pool *pool,
                           const float *gy, float *gx, int accumulate);
/* Mean of each plane of `area` elements. */
void ub__global_pool_forward(ub_context *context, int64_t planes, int64_t area,
                             const float *x, float *y);
void ub__global_pool_backward(ub_context *context, int64_t planes, int64_t area,
                              const float *gy, float *gx, int accumulate);

/* Batch normalization over [batch][channels][area], optionally followed by
 * ReLU. Statistics are accumulated in double; ub__combine() applies them. */
typedef struct ub__norm {
    int64_t batch, channels, area;
    int relu;
} ub__norm;

/* Of both passes. */
ub__scratch_size ub__norm_scratch(const ub_context *context,
                                  const ub__norm *norm);

/* mean and biased variance of each channel */
void ub__norm_statistics(ub_context *context, const ub__norm *norm,
                         const float *x, double *mean, double *variance);

/* What the gradient of y = [relu](x * scale + shift) by factor * gy needs, and
 * where it goes. The ReLU's mask is recomputed with scale = weight *
 * inverse_deviation and shift = bias - mean * scale, in float, which the
 * forward pass must have used. weight and bias NULL stand for 1 and 0. gx,
 * gweight, gbias and products may be NULL. */
typedef struct ub__norm_gradient {
    int training; /* mean and inverse deviation come from x; or are constants */
    const float *x, *gy;
    float factor;
    const float *mean, *inverse_deviation, *weight, *bias; /* [channels] */
    float *gx;
    int accumulate_x;
    float *gweight, *gbias;
    int accumulate_weight;
    double *products; /* [channels]: sums of y * gy */
} ub__norm_gradient;

void ub__norm_backward(ub_context *context, const ub__norm *norm,
                       const ub__norm_gradient *gradient);

/* -- element-wise --------------------------------------------------------- */

void ub__relu_forward(ub_context *context, int64_t n, const float *x, float *y);
/* gx (+)= gy where y > 0 */
void ub__relu_backward(ub_context *context, int64_t n, const float *y,
                       const float *gy, float *gx, int accumulate);
/* y (+)= a * x */
void ub__scale(ub_context *context, int64_t n, float a, const float *x,
               float *y, int accumulate);
/* What is added of a term: factor * x, factor * z or factor * relu(z), with z =
 * x * scale + shift. */
typedef struct ub__term {
    float factor, scale, shift;
    enum { UB__TERM_PLAIN, UB__TERM_AFFINE, UB__TERM_RELU } kind;
} ub__term;
/* y = sum of x[i] as of[c * terms + i] says, over [batch][channels][area]; of
 * NULL: of all x[i] as they are. An x[i] that is NULL counts as zeros. */
void ub__combine(ub_context *context, int64_t batch, int64_t channels,
                 int64_t area, int terms, const float *const *x,
                 const ub__term *of, float *y);
/* out[i] = <x[i], g>; accumulated in double; 0 where x[i] is NULL. */
void ub__dots(ub_context *context, int64_t n, int terms, const float *const *x,
              const float *g, double *out);
/* y (+)= x * mask[c] over [batch][channels][area] */
void ub__mask_channels(ub_context *context, int64_t batch, int64_t channels,
                       int64_t area, const float *x, const float *mask,
                       float *y, int accumulate);
/* gmask[c] (+)= sum of x * gy over the channel */
void ub__mask_backward(ub_context *context, int64_t batch, int64_t channels,
                       int64_t area, const float *x, const float *gy,
                       float *gmask, int accumulate);
/* Over [batch][channels][area]: y's channel i * groups + g (+)= x's channel g *
 * (channels / groups) + i. With channels / groups groups it is undone. */
void ub__channel_shuffle(ub_context *context, int64_t batch, int64_t channels,
                         int64_t area, int64_t groups, const float *x, float *y,
                         int accumulate);
/* sum of squares, in double */
double ub__sum_squares(ub_context *context, int64_t n, const float *x);

/* -- quantization --------------------------------------------------------- */

/* Equally spaced levels, zero + k scale for k = 0 .. top; x goes to level
 * round((x - zero) inverse), half to even, clamped. factor weighs the levels in
 * a sum of several; 0 leaves them out. */
typedef struct ub__grid {
    float zero, scale, inverse, top;
    float high; /* gradients pass where zero < x < high */
    float factor;
    int identity; /* x as it is, and so its gradient */
} ub__grid;

/* Least and largest of each row, out[rows][2]; NaN are passed over. */
void ub__ranges(ub_context *context, int64_t rows, int64_t n, const float *x,
                float *out);
/* y = sum of factor times the level of x, over grids[rows][terms]; NaN stays
 * NaN. All kernels agree on the levels. */
void ub__quantize(ub_context *context, int64_t rows, int64_t n, const float *x,
                  int terms, const ub__grid *grids, float *y);
/* gx (+)= gy times the factors of the grids that x lies inside of */
void ub__quantize_backward(ub_context *context, int64_t rows, int64_t n,
                           const float *x, const float *gy, int terms,
                           const ub__grid *grids, float *gx, int accumulate);
/* out[t] = <level of x in grid t, gy>, whatever the factor; in double */
void ub__quantize_dots(ub_context *context, int64_t rows, int64_t n,
                       const float *x, const float *gy, int terms,
                       const ub__grid *grids, double *out);

/* SGD as PyTorch's: g' = g * g_scale + decay * p; v = momentum * v + g' (v =
 * g' on the first step); p -= rate * (nesterov ? g' + momentum * v : v) */
void ub__sgd_step(ub_context *context, int64_t n, float *p, const float *g,
                  float *velocity, float g_scale, float rate, float momentum,
                  float decay, int nesterov, int first);
/* Adam with bias corrections c1 = 1 - beta1^t, c2 = 1 - beta2^t */
void ub__adam_step(ub_context *context, int64_t n, float *p, const float *g,
                   float *m, float *v, float g_scale, float rate, float beta1,
                   float beta2, float eps, float decay, double c1, double c2);

#endif
