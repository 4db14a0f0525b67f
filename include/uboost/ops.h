/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_OPS_H
#define UBOOST_OPS_H

#include <uboost/autograd.h>

/**
 * @file
 * @defgroup ops ops
 * Differentiable operators.
 *
 * All have the same manner: the tape first, operands, sizes, the result last.
 * The result is borrowed from the tape and valid until the tape is cleared;
 * on failure it is untouched and the operands are as before. Besides the
 * statuses named below, each returns UB_ERR_INVALID when an argument is NULL or
 * out of range, UB_ERR_SHAPE when operands do not fit each other, UB_ERR_RANGE
 * when sizes are too large to be computed with (the error text has the
 * numbers) and UB_ERR_NOMEM. Operands may be leaves or results on the same
 * tape, of the tape's context; a list of them has at most 2^20.
 * @{
 */

UB_BEGIN_DECLS

/** Geometry of a 2-D convolution. Fill with ub_conv2d_options_init() first. */
typedef struct ub_conv2d_options {
    size_t size;        /**< set by ub_conv2d_options_init() */
    int64_t stride;     /**< both ways; 1 */
    int64_t pad_height; /**< zeros above and below; 0 */
    int64_t pad_width;  /**< zeros left and right; 0 */
    int64_t dilation;   /**< both ways; 1 */
    int64_t groups;     /**< divides both channel counts; 1 */
} ub_conv2d_options;

/** Set every option to its default. */
UB_API
void ub_conv2d_options_init(ub_conv2d_options *options, size_t size);

/**
 * 2-D convolution (cross-correlation).
 *
 * @param tape      records the operator
 * @param x         [n, c, h, w]
 * @param w         [f, c / groups, kh, kw]
 * @param bias      [f], or NULL
 * @param options   geometry, or NULL for the defaults
 * @param[out] out  [n, f, oh, ow], oh = (h + 2 pad - dilation (kh - 1) - 1) /
 *                  stride + 1, rounded down
 *
 * @retval UB_ERR_INVALID  a stride, dilation or group count below 1, or a
 *                         negative padding
 */
UB_API_CHECK
ub_status ub_op_conv2d(ub_tape *tape, ub_variable *x, ub_variable *w,
                       ub_variable *bias, const ub_conv2d_options *options,
                       ub_variable **out);

/** y = x w^T + bias; x is [n, c], w is [f, c], bias is [f] or NULL. */
UB_API_CHECK
ub_status ub_op_linear(ub_tape *tape, ub_variable *x, ub_variable *w,
                       ub_variable *bias, ub_variable **out);

/** Settings of batch normalization. */
typedef struct ub_batch_norm_options {
    size_t size;      /**< set by ub_batch_norm_options_init() */
    double eps;       /**< added to the variance, 0 or more; 1e-5 */
    double momentum;  /**< weight of the new value in running ones, 0 to 1;
                           0.1 */
    int32_t training; /**< 1: statistics of the batch, running ones updated
                           (default); 0: running statistics */
    int32_t relu;     /**< 1: followed by ReLU, in the same pass; 0 */
} ub_batch_norm_options;

/** Set every option to its default. */
UB_API
void ub_batch_norm_options_init(ub_batch_norm_options *options, size_t size);

/**
 * Batch normalization per channel. The running variance is the unbiased one.
 *
 * @param tape          records the operator
 * @param x             [n, c, ...], rank 2 or more
 * @param weight        [c]
 * @param bias          [c]
 * @param running_mean  [c]; written when training, read otherwise; NULL when
 *                      training without running statistics
 * @param running_var   [c]; likewise
 * @param options       settings, or NULL for the defaults
 * @param[out] out      of the shape of x
 *
 * @retval UB_ERR_INVALID  running statistics missing though not training, or
 *                         one value per channel in training
 */
UB_API_CHECK
ub_status ub_op_batch_norm(ub_tape *tape, ub_variable *x, ub_variable *weight,
                           ub_variable *bias, ub_tensor *running_mean,
                           ub_tensor *running_var,
                           const ub_batch_norm_options *options,
                           ub_variable **out);

/** max(x, 0), NaN where x is; the gradient at 0 is 0. */
UB_API_CHECK
ub_status ub_op_relu(ub_tape *tape, ub_variable *x, ub_variable **out);

/**
 * Maximum over square windows of [n, c, h, w]: [n, c, oh, ow], oh = (h + 2
 * padding - kernel) / stride + 1, rounded down. Padding counts as -infinity and
 * is at most half the kernel; NaN is larger than all numbers. The gradient goes
 * to the first maximum.
 */
UB_API_CHECK
ub_status ub_op_max_pool2d(ub_tape *tape, ub_variable *x, int64_t kernel,
                           int64_t stride, int64_t padding, ub_variable **out);

/**
 * Mean over square windows of [n, c, h, w], of which there are as many as of
 * ub_op_max_pool2d(); padding is at most half the kernel. With count_padding
 * the divisor is always the whole kernel, otherwise the taps inside the map.
 */
UB_API_CHECK
ub_status ub_op_avg_pool2d(ub_tape *tape, ub_variable *x, int64_t kernel,
                           int64_t stride, int64_t padding, int count_padding,
                           ub_variable **out);

/** Mean of each map: [n, c, h, w] to [n, c]. */
UB_API_CHECK
ub_status ub_op_global_avg_pool(ub_tape *tape, ub_variable *x,
                                ub_variable **out);

/** a + b, of the same shape. */
UB_API_CHECK
ub_status ub_op_add(ub_tape *tape, ub_variable *a, ub_variable *b,
                    ub_variable **out);

/** Sum of n variables of the same shape, n >= 1. */
UB_API_CHECK
ub_status ub_op_sum(ub_tape *tape, int n, ub_variable *const *x,
                    ub_variable **out);

/** Join n variables of rank 2 or more along dimension 1; all other extents are
 * equal. */
UB_API_CHECK
ub_status ub_op_concat(ub_tape *tape, int n, ub_variable *const *x,
                       ub_variable **out);

/**
 * Interleave the channels of groups: of the c channels of [n, c, ...], channel
 * i of group g becomes channel i * groups + g. `groups` divides c.
 */
UB_API_CHECK
ub_status ub_op_channel_shuffle(ub_tape *tape, ub_variable *x, int64_t groups,
                                ub_variable **out);

/** The same elements in another shape; the storage is shared. */
UB_API_CHECK
ub_status ub_op_reshape(ub_tape *tape, ub_variable *x, int rank,
                        const int64_t *shape, ub_variable **out);

/** x[:, c] * mask[c]; x is [n, c, ...], mask is [c]. */
UB_API_CHECK
ub_status ub_op_mask_channels(ub_tape *tape, ub_variable *x, ub_variable *mask,
                              ub_variable **out);

/**
 * Sum of a[i] x[i] over n variables of one shape, with the gradient by a too.
 *
 * @param tape      records the operator
 * @param n         number of terms
 * @param x         n operands, not all NULL; NULL stands for zeros at no cost
 * @param a         [n]
 * @param[out] out  of the operands' shape
 */
UB_API_CHECK
ub_status ub_op_weighted_sum(ub_tape *tape, int n, ub_variable *const *x,
                             ub_variable *a, ub_variable **out);

/**
 * One path forward, several backward (Fu et al., "Auto-NBA", 2021): the value
 * of x[active[0]], its storage shared, with a gradient for the logits of all
 * active paths.
 *
 * With p the softmax of the active logits alone, d[k] = <gradient, x[k]> and
 * k, i over the active paths, the gradient of logit k is
 * p[k] (d[k] - sum of p[i] d[i]), that of all other logits 0. Only
 * x[active[0]] gets a gradient.
 *
 * @param tape      records the operator
 * @param n         number of paths
 * @param x         n operands of one shape; those that are not active are not
 *                  looked at and may be NULL
 * @param logits    [n]
 * @param n_active  1 .. n
 * @param active    different indices below n, the one to follow first: the
 *                  largest of a Gumbel-softmax sample by ub_rank_largest()
 * @param[out] out  of the operands' shape
 *
 * @retval UB_ERR_INVALID  active is not as described, or one of them is NULL
 */
UB_API_CHECK
ub_status ub_op_single_path(ub_tape *tape, int64_t n, ub_variable *const *x,
                            ub_variable *logits, int64_t n_active,
                            const int64_t *active, ub_variable **out);

/**
 * Where the k largest of n values are, in falling order; of equal ones the
 * lower index comes first, and NaN comes last.
 *
 * Thread-safety: pure.
 *
 * @param n         1 or more
 * @param values    n values
 * @param k         1 .. n
 * @param[out] out  k indices; untouched on failure
 *
 * @retval UB_ERR_INVALID  an argument is not as described
 */
UB_API_CHECK
ub_status ub_rank_largest(int64_t n, const float *values, int64_t k,
                          int64_t *out);

/**
 * After a step has moved logits: add to the active ones what brings the sum of
 * their exponentials back to what it was before, ln(sum of exp(before) / sum of
 * exp(logits)), so that paths that did not run keep their probability (Cai et
 * al., "ProxylessNAS", 2019). What the step did to the others is left alone.
 *
 * Thread-safety: pure.
 *
 * @param before    logits before the step
 * @param logits    after it; the active ones change
 * @param n_active  1 or more
 * @param active    indices into both
 *
 * @retval UB_ERR_INVALID  an argument is NULL, or n_active below 1
 * @retval UB_ERR_NUMERIC  the sums are not finite or 0; nothing has changed
 */
UB_API_CHECK
ub_status ub_logits_rebalance(const float *before, float *logits,
                              int64_t n_active, const int64_t *active);

/** Softmax over the last dimension. */
UB_API_CHECK
ub_status ub_op_softmax(ub_tape *tape, ub_variable *x, ub_variable **out);

/** Logarithm of the softmax over the last dimension. */
UB_API_CHECK
ub_status ub_op_log_softmax(ub_tape *tape, ub_variable *x, ub_variable **out);

/**
 * softmax((x + noise) / tau) over the last dimension.
 *
 * @param tape      records the operator
 * @param x         logits
 * @param noise     standard Gumbel noise, as many values as x has; only read
 * @param tau       temperature, finite and above 0 (UB_ERR_INVALID otherwise)
 * @param hard      1: the result is one-hot at the largest entry (the first on
 *                  ties) and the gradient that of the soft one
 *                  (straight-through); 0: soft
 * @param[out] out  of the shape of x
 */
UB_API_CHECK
ub_status ub_op_gumbel_softmax(ub_tape *tape, ub_variable *x,
                               const double *noise, double tau, int hard,
                               ub_variable **out);

/**
 * Mean cross-entropy of softmax(x) against labels.
 *
 * @param tape       records the operator
 * @param x          [n, classes] logits
 * @param labels     n labels in 0 .. classes - 1 (UB_ERR_INVALID otherwise)
 * @param smoothing  weight s in [0, 1) of the uniform distribution: the target
 *                   is (1 - s) one-hot + s / classes
 * @param[out] out   scalar
 */
UB_API_CHECK
ub_status ub_op_cross_entropy(ub_tape *tape, ub_variable *x,
                              const int32_t *labels, double smoothing,
                              ub_variable **out);

/**
 * Zero each element with the given probability in [0, 1) and divide the rest
 * by what remains. The mask is drawn from rng, which advances.
 */
UB_API_CHECK
ub_status ub_op_dropout(ub_tape *tape, ub_variable *x, double probability,
                        ub_rng *rng, ub_variable **out);

/** As ub_op_dropout(), but whole samples (dimension 0) at a time. */
UB_API_CHECK
ub_status ub_op_drop_path(ub_tape *tape, ub_variable *x, double probability,
                          ub_rng *rng, ub_variable **out);

UB_END_DECLS

/** @} */

#endif
