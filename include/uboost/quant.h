/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_QUANT_H
#define UBOOST_QUANT_H

#include <uboost/ops.h>

/**
 * @file
 * @defgroup quant quant
 * Uniform asymmetric quantization as differentiable operators, and the choice
 * between bit widths, after Fu et al., "Auto-NBA: Efficient and Effective
 * Search Over the Joint Space of Networks, Bitwidths, and Accelerators", ICML
 * 2021.
 *
 * Results are floats that lie on b-bit levels ("fake quantization"). With z the
 * least value and r the range, largest minus least:
 *
 *     s = r / (2^b - 1)                             corrected
 *     s = r / 2^b                                   reference
 *     Q(x) = z + s clamp(round((x - z) / s), 0, 2^b - 1)
 *
 * rounding half to even. The paper's public code divides by 2^b, so that the
 * largest value becomes z + r - s and one level in 2^b is lost; the corrected
 * form, the default, keeps both ends. There is no level at 0 in general; zeros
 * that a convolution pads with are exact nevertheless. A range of 0 (or one too
 * small for its steps to be floats) leaves x as it is. When x holds an
 * infinity, or its range overflows, all of the range's results are NaN; a NaN
 * in x stays where it is.
 *
 * Gradients go through z and s as through constants. Straight-through, as the
 * code has it while weights learn: dQ/dx = 1. Masked, while bit widths learn:
 * 1 where z < x < z + s (2^b - 1), else 0, so that the least and the largest
 * value of a range get none. With a range of 0, and for floats, both are 1.
 *
 * All operators return UB_ERR_INVALID, UB_ERR_SHAPE, UB_ERR_RANGE and
 * UB_ERR_NOMEM as those in ops.h.
 * @{
 */

UB_BEGIN_DECLS

/** Most bits; 0 and 32 stand for floats, which are left as they are. */
#define UB_QUANT_MAX_BITS 16

/** How far levels are apart. Values are never renumbered. */
typedef enum ub_quant_levels {
    UB_QUANT_LEVELS_CORRECTED = 0, /**< r / (2^b - 1) */
    UB_QUANT_LEVELS_REFERENCE = 1  /**< r / 2^b */
} ub_quant_levels;

/** Which gradient. Values are never renumbered. */
typedef enum ub_quant_backward {
    UB_QUANT_BACKWARD_STRAIGHT = 0, /**< 1 everywhere, whatever the mode; bits
                                         get none ("update_weight") */
    UB_QUANT_BACKWARD_MASKED = 1    /**< 1 inside the range; bits get theirs
                                         ("update_arch") */
} ub_quant_backward;

/** Where the range of an input comes from: the values of ub_norm_mode. */
typedef enum ub_quant_range {
    UB_QUANT_RANGE_RUNNING = 0,  /**< the running one: inference */
    UB_QUANT_RANGE_TRAINING = 1, /**< the batch's; the running one follows */
    UB_QUANT_RANGE_BATCH = 2     /**< the batch's; nothing is updated */
} ub_quant_range;

/** Settings of a quantizer. Fill with ub_quant_options_init() first. */
typedef struct ub_quant_options {
    size_t size;      /**< set by ub_quant_options_init() */
    int32_t levels;   /**< a ub_quant_levels; UB_QUANT_LEVELS_CORRECTED */
    int32_t backward; /**< a ub_quant_backward; UB_QUANT_BACKWARD_STRAIGHT */
    double momentum;  /**< weight of the new value in running ranges, in [0, 1];
                           0.9, the paper's code */
} ub_quant_options;

/** Set every option to its default. */
UB_API
void ub_quant_options_init(ub_quant_options *options, size_t size);

/**
 * How several bit widths become one result. With Q[j] the result of bits[j],
 * a[j] the sample, "active" the largest of the sample (the lower index first
 * when equal) in falling order, X the result and d[j] = <gradient of X, Q[j]>:
 *
 * | mode       | X                   | masked gradient                      |
 * |------------|---------------------|--------------------------------------|
 * | soft       | sum of a[j] Q[j]    | sample: d[j]                         |
 * | proxy_hard | Q of the first      | logits of active: p[j] (d[j] - sum   |
 * |            |                     | of p d), p the softmax of these      |
 * | hard       | sum of Q of active  | sample of active: d[j]               |
 * | fake_hard  | Q of the first      | sample of active: d[j]               |
 *
 * A sample comes from ub_op_gumbel_softmax() over the logits; all operators of
 * a layer share one, and the logits' gradient is the sum over them. A mode
 * belongs to a call: the public code's skip operators, for one, stay with
 * proxy_hard while weights learn.
 *
 * The masked gradient of x is that of the Q that are in X, times what they are
 * weighed with. The names are the public code's, which uses soft while weights
 * learn and proxy_hard with two active ones while bits do; its hard is of use
 * with one active width only, since it multiplies the signal otherwise. Values
 * are never renumbered.
 */
typedef enum ub_bit_mode {
    UB_BIT_MODE_SOFT = 0,       /**< a mixture of all */
    UB_BIT_MODE_PROXY_HARD = 1, /**< the first; gradient to the logits */
    UB_BIT_MODE_HARD = 2,       /**< the sum of the active ones */
    UB_BIT_MODE_FAKE_HARD = 3   /**< the first; gradient to the sample */
} ub_bit_mode;

/** Bit widths to choose from. Fill with ub_bit_choice_init() first; a single
 * width needs nothing but n and bits. */
typedef struct ub_bit_choice {
    size_t size;         /**< set by ub_bit_choice_init() */
    int64_t n;           /**< number of widths; 0, at least 1 is needed */
    const int32_t *bits; /**< n widths, borrowed: 1 to UB_QUANT_MAX_BITS, or 0
                              or 32 for floats; NULL */
    ub_variable *sample; /**< [n], such as of ub_op_gumbel_softmax() over the
                              logits; NULL: the logits are ranked, and soft is
                              refused */
    ub_variable *logits; /**< [n]; proxy_hard: get its gradient; NULL */
    int64_t active;      /**< how many are active, at most n count; soft: all
                              are; 2 */
    int32_t mode;        /**< a ub_bit_mode; UB_BIT_MODE_PROXY_HARD */
    int32_t reserved;    /**< 0 */
} ub_bit_choice;

/** Set every field to its default. */
UB_API
void ub_bit_choice_init(ub_bit_choice *choice, size_t size);

/**
 * Quantize weights: every output channel has a range of its own, taken anew at
 * each call. Mixed weights and mixed inputs make one convolution of any number
 * of bit widths (heterogeneous sampling).
 *
 * @param tape      records the operator
 * @param w         [f, ...], rank 1 or more
 * @param choice    bit widths
 * @param options   settings, or NULL for the defaults
 * @param[out] out  of the shape of w; w itself when all it takes is float
 *
 * @retval UB_ERR_INVALID      a bit width, a mode or an option is out of its
 *                             range, or what ranks or weighs the widths missing
 * @retval UB_ERR_UNSUPPORTED  a struct has a field this library does not know
 */
UB_API_CHECK
ub_status ub_op_quantize_weight(ub_tape *tape, ub_variable *w,
                                const ub_bit_choice *choice,
                                const ub_quant_options *options,
                                ub_variable **out);

/**
 * Quantize what a convolution reads: one range for the whole tensor. Running
 * ones are z_run = (1 - momentum) z_run + momentum z, and the same of r, and
 * start at 0, which quantizes nothing.
 *
 * @param tape      records the operator
 * @param x         of any shape
 * @param choice    bit widths
 * @param running   [2]: z_run and r_run; read with UB_QUANT_RANGE_RUNNING,
 *                  written with UB_QUANT_RANGE_TRAINING, unless the batch has
 *                  values that are not finite; may be NULL otherwise
 * @param range     a ub_quant_range, or a ub_norm_mode
 * @param options   settings, or NULL for the defaults
 * @param[out] out  of the shape of x; x itself, and the running range as it is,
 *                  when all it takes is float and no sample learns from it
 *
 * @retval UB_ERR_INVALID      a bit width, a mode or an option is out of its
 *                             range, running or what ranks or weighs the widths
 *                             missing
 * @retval UB_ERR_UNSUPPORTED  a struct has a field this library does not know
 */
UB_API_CHECK
ub_status ub_op_quantize_input(ub_tape *tape, ub_variable *x,
                               const ub_bit_choice *choice, ub_tensor *running,
                               int range, const ub_quant_options *options,
                               ub_variable **out);

UB_END_DECLS

/** @} */

#endif
