/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_MASK_H
#define UBOOST_MASK_H

#include <uboost/nn.h>

/**
 * @file
 * @defgroup mask mask
 * Channel masks and soft widths: choosing the width of a convolution by
 * gradient (DMasking of FBNetV2, as in U-Boost NAS, section 4).
 *
 * A mask has a list of widths and one logit per width. With g the probabilities
 * of a step (a Gumbel-softmax sample of the logits), channel c is multiplied
 * by the sum of the g of all widths above c, and the soft width is the sum of
 * g times width.
 * @{
 */

UB_BEGIN_DECLS

/** Most widths a mask can choose among. */
#define UB_MASK_MAX_WIDTHS 1024

/** The widths low, low + step, ... up to high: at most UB_MASK_MAX_WIDTHS. */
typedef struct ub_width_range {
    int64_t low;  /**< at least 1 */
    int64_t high; /**< low to UB_NETWORK_MAX_CHANNELS; low + n step is met
                       exactly */
    int64_t step; /**< at least 1 */
} ub_width_range;

/** Number of widths in a range; 0 if it is not a valid one. */
UB_API
int64_t ub_width_range_count(const ub_width_range *range);

/**
 * The search for one width.
 *
 * Thread-safety: as its context.
 */
typedef struct ub_mask ub_mask;

/**
 * Create a mask with its logits, an architecture parameter called `name`.
 * Logit i starts at exp(-(i - m)^2 / 2) / sqrt(2 pi), m uniform over the
 * places 0 to count - 1.
 *
 * @param parameters  receives the logits; must outlive the mask
 * @param name        of the parameter
 * @param range       the widths
 * @param rng         advances by one uniform number
 * @param[out] out    owned by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID  an argument is NULL, the range invalid, or the name
 *                         empty or in use
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_mask_create(ub_parameters *parameters, const char *name,
                         const ub_width_range *range, ub_rng *rng,
                         ub_mask **out);

/**
 * Set the logits as ub_mask_create() does, but around a given place and by a
 * multiple: the paper's initial logits differ by 0.4 at most, which leaves all
 * widths nearly as probable; with a height of 10, half of the probability is on
 * one width.
 *
 * @param mask    its logits change
 * @param place   m as a share of count - 1: 0 is the narrowest width, 1 the
 *                widest
 * @param height  multiple of the logits; 1 as in the paper
 *
 * @retval UB_ERR_INVALID  mask is NULL, place is not within 0 and 1, or height
 *                         not within 0 and 1e6
 */
UB_API_CHECK
ub_status ub_mask_set_initial(ub_mask *mask, double place, double height);

/** Destroy a mask, not its logits, and set the pointer to NULL. */
UB_API
void ub_mask_destroy(ub_mask **mask);

/** Number of widths. */
UB_API
int64_t ub_mask_count(const ub_mask *mask);

/** Width number `index`, which must be 0 to ub_mask_count() - 1. */
UB_API
int64_t ub_mask_width(const ub_mask *mask, int64_t index);

/** The logits, borrowed from the parameters. */
UB_API
ub_variable *ub_mask_logits(const ub_mask *mask);

/** Index of the largest logit, the first one on ties. */
UB_API
int64_t ub_mask_argmax(const ub_mask *mask);

/** Soft width: the sum of probability times width, in double. */
UB_API
double ub_mask_soft_width(const ub_mask *mask, const double *probability);

/**
 * The mask's value per channel, differentiable by the probabilities.
 *
 * @param mask           the mask
 * @param tape           records the operator
 * @param probabilities  [count], such as a Gumbel-softmax of the logits
 * @param[out] out       [high], borrowed from the tape
 *
 * @retval UB_ERR_INVALID  an argument is NULL, or probabilities has no value
 *                         any more
 * @retval UB_ERR_SHAPE    probabilities has another shape
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_mask_forward(const ub_mask *mask, ub_tape *tape,
                          ub_variable *probabilities, ub_variable **out);

UB_END_DECLS

/** @} */

#endif
