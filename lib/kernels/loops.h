/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_KERNELS_LOOPS_H
#define UBOOST_LIB_KERNELS_LOOPS_H

#include "kernels/kernels.h"

/*
 * Single-threaded inner loops. Their sources are compiled once per
 * instruction set; ub__loops_for() picks the best that this machine has.
 *
 * "rows" are runs of n contiguous elements, `stride` elements apart.
 */

/* A matrix product c = a * b (+ c): c[i][j] is the sum over l < k of
 * a[i * a_row + l * a_column] * b[l * b_row + j]. */
typedef struct ub__product {
    int64_t m, n, k;
    const float *a;
    int64_t a_row, a_column;
    const float *b;
    int64_t b_row;
    float *c;
    int64_t c_row;
    int add;
} ub__product;

/* Results of a register tile: so many pixels for each filter. */
#define UB__POINTS 3

/*
 * Some pixels of some outputs, of as many images as a vector has lanes: pixel
 * p of filter f, at y[f * y_filter + p * y_point], is (or gets added) the sum
 * over channels c, rows i and taps j of
 *
 *   w[f + c * w_channel + i * w_row + j * w_tap] *
 *   x[p * x_point + c * x_channel + i * x_row + j * x_tap]
 */
typedef struct ub__filter_tile {
    int filters, points;
    int64_t channels, rows, taps;
    const float *w;
    int64_t w_channel, w_row, w_tap;
    const float *x;
    int64_t x_channel, x_row, x_tap, x_point;
    float *y;
    int64_t y_filter, y_point;
    int add;
} ub__filter_tile;

/*
 * One tap's gradients for some filters and channels, lane by lane: to
 * sums[f * sums_filter + p * sums_channel] is added, over blocks b, rows i and
 * columns j,
 *
 *   g[f * g_filter + b * g_block + i * g_row + j * lanes] *
 *   x[p * x_channel + b * x_block + i * x_row + j * x_column]
 */
typedef struct ub__weight_tile {
    int filters, points;
    int64_t blocks, rows, columns;
    const float *g;
    int64_t g_filter, g_block, g_row;
    const float *x;
    int64_t x_channel, x_block, x_row, x_column;
    float *sums;
    int64_t sums_filter, sums_channel;
} ub__weight_tile;

/* Results and taps of a tile of planes side by side. */
#define UB__PLANE_POINTS 8
#define UB__PLANE_TAPS   5

/*
 * Some pixels of as many planes as a vector has lanes, each with a kernel of
 * its own: pixel p, at y[p * y_point], is start (of each lane) and the sum over
 * rows i and taps j of, lane by lane,
 *
 *   w[i * w_row + j * w_tap] * x[p * x_point + i * x_row + j * x_tap]
 */
typedef struct ub__plane_tile {
    int points;
    int64_t rows, taps;
    const float *w;
    int64_t w_row, w_tap;
    const float *x;
    int64_t x_row, x_tap, x_point;
    const float *start;
    float *y;
    int64_t y_point;
} ub__plane_tile;

/*
 * Gradients of some taps, lane by lane: to sums[t * sums_tap] is added, over
 * rows i and columns j,
 *
 *   g[i * g_row + j * lanes] * x[t * x_tap + i * x_row + j * x_column]
 */
typedef struct ub__tap_tile {
    int taps;
    int64_t rows, columns;
    const float *g;
    int64_t g_row;
    const float *x;
    int64_t x_tap, x_row, x_column;
    float *sums;
    int64_t sums_tap;
} ub__tap_tile;

typedef struct ub__norm_row {
    float mean, inverse_deviation;
    float scale, shift; /* of the forward pass */
    /* gx = factor * gy + slope * (x - mean) + offset */
    float factor, slope, offset;
    int relu;
} ub__norm_row;

typedef struct ub__step {
    float g_scale, rate, decay;
    float momentum; /* SGD */
    int nesterov, first;
    float beta1, beta2, eps, correction1, correction2; /* Adam */
} ub__step;

/* clang-format off */
#define UB__LOOPS(X)                                                           \
    /* element-wise; as the ub__ functions of the same names */                \
    X(void, relu_forward, (int64_t n, const float *x, float *y))               \
    X(void, relu_backward, (int64_t n, const float *y, const float *gy,        \
                            float *gx, int accumulate))                        \
    X(void, scale, (int64_t n, float a, const float *x, float *y,              \
                    int accumulate))                                           \
    /* of[i] belongs to x[i], as far as `end` */                               \
    X(void, combine, (int64_t begin, int64_t end, int terms,                   \
                      const float *const *x, const ub__term *of, float *y))    \
    X(void, sgd, (int64_t n, float *p, const float *g, float *velocity,        \
                  const ub__step *step))                                       \
    X(void, adam, (int64_t n, float *p, const float *g, float *m, float *v,    \
                   const ub__step *step))                                      \
    /* least and largest */                                                    \
    X(void, range, (int64_t n, const float *x, float out[2]))                  \
    X(void, quantize, (int64_t n, const float *x, int terms,                   \
                       const ub__grid *grids, float *y))                       \
    X(void, quantize_backward, (int64_t n, const float *x, const float *gy,    \
                                int terms, const ub__grid *grids, float *gx,   \
                                int accumulate))                               \
    /* sums over rows, in double */                                            \
    X(double, dot, (int64_t rows, int64_t n, int64_t stride, const float *x,   \
                    const float *y))                                           \
    /* sum of (x - center) and of its square */                                \
    X(void, moments, (int64_t rows, int64_t n, int64_t stride, const float *x, \
                      float center, double out[2]))                            \
    /* batch normalization */                                                  \
    X(void, norm_sums, (int64_t rows, int64_t n, int64_t stride,               \
                        const float *x, const float *gy,                       \
                        const ub__norm_row *row, double out[2]))               \
    X(void, norm_gradient, (int64_t rows, int64_t n, int64_t stride,           \
                            const float *x, const float *gy,                   \
                            const ub__norm_row *row, float *gx,                \
                            int accumulate))                                   \
    /* as the ub__ functions, of so many planes */                             \
    X(void, max_pool, (const ub__pool *pool, int64_t planes, const float *x,   \
                       float *y, int32_t *index))                              \
    X(void, max_unpool, (const ub__pool *pool, int64_t planes,                 \
                         const float *gy, const int32_t *index, float *gx,     \
                         int add))                                             \
    /* averages of one plane */                                                \
    X(void, avg_pool, (const ub__pool *pool, const float *x, float *y))        \
    X(void, avg_unpool, (const ub__pool *pool, const float *gy, float *gx))    \
    /* the first columns of a product; returns how many, which may be 0 */     \
    X(int64_t, multiply, (const ub__product *product))                         \
    /* images side by side, see above */                                       \
    X(void, filter_tile, (const ub__filter_tile *tile))                        \
    X(void, weight_tile, (const ub__weight_tile *tile))                        \
    X(void, plane_tile, (const ub__plane_tile *tile))                          \
    X(void, tap_tile, (const ub__tap_tile *tile))                              \
    /* rows of images, from_image apart, to to[rows][columns][lanes], with     \
     * rows to_row apart; lanes without an image are 0 */                      \
    X(void, turn, (int64_t images, int64_t rows, int64_t columns,              \
                   const float *from, int64_t from_image, float *to,           \
                   int64_t to_row))                                            \
    /* and back, `shift` added to each element */                              \
    X(void, turn_back, (int64_t images, int64_t n, const float *from,          \
                        float shift, float *to, int64_t to_row, int add))      \
    X(void, sum_lanes, (int64_t n, const float *from, float *to,               \
                        int64_t to_stride, int accumulate))                    \
    /* to[j][i] = from[i][j]; rows of `to` and `from` so far apart */          \
    X(void, transpose, (int64_t rows, int64_t columns, const float *from,      \
                        int64_t from_row, float *to, int64_t to_row))
/* clang-format on */

#define UB__LOOPS_MEMBER(type, name, arguments) type(*name) arguments;
typedef struct ub__loops {
    /* Products are fastest with multiples of so many columns. */
    int64_t columns;
    int64_t lanes;   /* of a vector: images side by side */
    int64_t filters; /* of a tile of them */
    UB__LOOPS(UB__LOOPS_MEMBER)
} ub__loops;
#undef UB__LOOPS_MEMBER

/* Never NULL. */
const ub__loops *ub__loops_for(const ub_context *context);
/* For images side by side: with no more lanes than these need. */
const ub__loops *ub__loops_for_batch(const ub_context *context, int64_t batch);

/* How many tasks a job of so much work (elements, roughly) is worth, at most
 * `limit`. Depends on the work and the number of threads. */
int64_t ub__tasks_for(const ub_context *context, double work, int64_t limit);

/* Elements per piece of a split: whole cache lines of any alignment. */
#define UB__GRAIN 64

/* Adds to sums[t], t < terms, what elements [begin, end) are to term first + t.
 */
typedef void (*ub__sum_fn)(const void *arg, int first, int terms, int64_t begin,
                           int64_t end, double *sums);

/* out[t] = sum of term t over n elements: in blocks that depend on n alone,
 * then over the blocks in order, so that it is the same with any number of
 * threads. Some terms go through the elements together. */
void ub__block_sums(ub_context *context, int64_t n, int terms, ub__sum_fn add,
                    const void *arg, double *out);

/* out[c] (+)= sum of x over the channel, in double */
void ub__channel_sums(ub_context *context, int64_t batch, int64_t channels,
                      int64_t area, const float *x, float *out, int accumulate);

#endif
