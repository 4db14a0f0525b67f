/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_OPS_H
#define UBOOST_LIB_OPS_H

#include "autograd/autograd.h"
#include "kernels/kernels.h"

#include <uboost/ops.h>

/* What the operators share. `op` names the operator in errors. */

/* Longest list of operands. */
#define UB__OPERANDS_MAX (1 << 20)

/* The value of an operand, borrowed. Fails when the tape or the operand is
 * NULL, or its value is gone. */
ub_status ub__operand(ub_tape *tape, const char *op, const char *name,
                      const ub_variable *variable, ub_tensor **out);
/* The same of that rank. */
ub_status ub__operand_rank(ub_tape *tape, const char *op, const char *name,
                           const ub_variable *variable, int rank,
                           ub_tensor **out);
/* The same of shape [n]. */
ub_status ub__operand_vector(ub_tape *tape, const char *op, const char *name,
                             const ub_variable *variable, int64_t n,
                             ub_tensor **out);

/* Whether there are 1 to UB__OPERANDS_MAX operands. */
ub_status ub__operand_count(ub_tape *tape, const char *op, int n,
                            const void *x);

/* UB_ERR_SHAPE: "op: name 2 is [3, 4], the first [2]". */
ub_status ub__operand_unlike(ub_tape *tape, const char *op, const char *name,
                             int64_t index, const ub_tensor *operand,
                             const ub_tensor *first);

/* Places a window of `kernel` taps, `dilation` apart, takes on `in` elements
 * with `pad` more on both sides. */
ub_status ub__window_extent(ub_context *context, const char *op, int64_t in,
                            int64_t kernel, int64_t stride, int64_t pad,
                            int64_t dilation, int64_t *out);

/* The stride, or the least one with the same result on a padded map of that
 * size: beyond it only the first place is taken, and kernels need not care for
 * sums that overflow. */
int64_t ub__stride_needed(int64_t stride, int64_t height, int64_t width);

/* Whether a product is at most 2^40, what kernels reckon with at most. */
int ub__product_fits(int64_t a, int64_t b, int64_t c);

/* A tensor of the same shape, contents undefined. */
ub_status ub__create_like(const ub_tensor *tensor, ub_tensor **out);

/* Gradient targets of two inputs whose kernel has one flag for both: when only
 * one of them already has a gradient, the other starts from zeros. */
ub_status ub__grad_targets(ub__node *node, int first, int second,
                           float **out_first, float **out_second,
                           int *accumulate);

/* State of operators that keep one tensor for backward. */
struct ub__saved {
    ub_tensor *tensor;
};
void ub__saved_release(ub_context *context, void *state);

/* A term of a mixed sum: x, or the batch normalization of x, still to come,
 * with what ub_op_batch_norm() takes besides. */
typedef struct ub__mixed_term {
    ub_variable *x; /* NULL, and not normalized: zeros at no cost */
    int normalized;
    ub_variable *weight, *bias;
    ub_tensor *running_mean, *running_var; /* may be NULL */
    ub_batch_norm_options options;
} ub__mixed_term;

/* The sum of a mixed edge: of a[i] times term i, over n terms of one shape,
 * not all absent; a NULL stands for ones. Normalized terms never stand in
 * memory, nor does what they hand back, a[i] times the gradient: x is read
 * once for its statistics and once for the sum; backward, once for the
 * gradients of weight, bias and a, and once for its own. */
ub_status ub__op_mixed_sum(ub_tape *tape, const char *op, int n,
                           const ub__mixed_term *terms, ub_variable *a,
                           ub_variable **out);

/* The term itself as a variable: x, or its normalization. */
ub_status ub__mixed_term_value(ub_tape *tape, const ub__mixed_term *term,
                               ub_variable **out);

/* The normalization of a term whose operands have been checked, borrowed. */
typedef struct ub__normalization {
    const ub__mixed_term *term;
    ub__norm norm;
    ub_tensor *x, *weight, *bias;
} ub__normalization;

ub_status ub__normalization_check(ub_tape *tape, const ub__mixed_term *term,
                                  ub__normalization *out);
/* The batch's statistics of x, if the term will want them, while x is still in
 * the caches. They stay with x: only for one that nobody else may change. */
ub_status ub__normalization_ahead(const ub__mixed_term *term);
/* Mean and biased variance of the batch, or the running ones. */
ub_status ub__normalization_statistics(ub_context *context,
                                       const ub__normalization *normalization,
                                       double *mean, double *variance);
/* Scale and shift of channel c, and in float what they are made of. */
void ub__normalization_channel(const ub__normalization *normalization,
                               int64_t c, double mean, double variance,
                               float *out_mean, float *inverse_deviation,
                               ub__term *out);
/* To be called when nothing can fail any more. */
void ub__normalization_update(const ub__normalization *normalization,
                              const double *mean, const double *variance);

/* Rows of the last dimension. UB_ERR_SHAPE for a scalar. */
ub_status ub__rows(ub_context *context, const char *op, const ub_tensor *x,
                   int64_t *out_rows, int64_t *out_width);

/* Logarithm of the sum of exponentials, without overflow. */
double ub__log_sum_exp(const float *x, int64_t n);

/* Where the largest of n > 0 is, the first one on ties. */
int64_t ub__argmax(const double *x, int64_t n);
int64_t ub__argmax_float(const float *x, int64_t n);

/* What single-path forward, multi-path backward gives n logits, with d the
 * products of the gradient and the paths: d becomes p (d - sum of p d), where p
 * is the softmax of the logits at `active`. */
void ub__single_path_gradient(const float *logits, int64_t n_active,
                              const int64_t *active, double *d);

/* softmax((x + noise) / tau); without noise where that is NULL. */
void ub__gumbel_softmax(const float *x, const double *noise, double tau,
                        int64_t n, double *soft);

#endif
