/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_SUPERNET_H
#define UBOOST_SUPERNET_H

#include <uboost/hardware.h>
#include <uboost/mask.h>
#include <uboost/space.h>

/**
 * @file
 * @defgroup supernet supernet
 * A space relaxed: every choice a set of probabilities that gradients reach.
 *
 * With operators left open, each edge is a mixed edge: the sum of its
 * operators, weighted by a Gumbel-softmax sample of the decision's logits; all
 * cells that share a decision share the sample. With operators given and a
 * range of widths, each convolution that takes a width is run at the range's
 * top and masked; soft widths propagate from layer to layer. Either way the
 * expected latency and utilization follow from a cost model handed in.
 * Source: U-Boost NAS, sections 3 and 4.
 * @{
 */

UB_BEGIN_DECLS

/** How an edge's expected latency is read from the paper. */
typedef enum ub_latency_reading {
    UB_LATENCY_CODE = 0, /**< over the operators that take time only: identity
                              and zero neither add nor dilute (default) */
    UB_LATENCY_PLAIN = 1 /**< over all operators */
} ub_latency_reading;

/** Soft width of a node. */
typedef enum ub_node_width {
    UB_NODE_WIDEST = 0, /**< the largest of its inputs' (default) */
    UB_NODE_FULL = 1    /**< the range's top, as the paper's code */
} ub_node_width;

/** How a mixed edge is computed. */
typedef enum ub_sampling {
    UB_SAMPLING_SOFT = 0,       /**< all operators, weighted (default) */
    UB_SAMPLING_SINGLE_PATH = 1 /**< one operator, straight-through gradient:
                                     a step costs one path */
} ub_sampling;

/** What to run. */
typedef enum ub_supernet_mode {
    UB_SUPERNET_SAMPLE = 0, /**< the sample drawn last, batch statistics,
                                 running statistics updated */
    UB_SUPERNET_ARGMAX = 1  /**< the most probable choice, pruned; statistics
                                 of the batch, nothing updated */
} ub_supernet_mode;

/** Settings of a supernet. Fill with ub_supernet_options_init() first. */
typedef struct ub_supernet_options {
    size_t size;              /**< set by ub_supernet_options_init() */
    const int32_t *operators; /**< a pruned choice, copied; NULL: open */
    ub_width_range widths;    /**< searched widths; all 0: each cell's width.
                                   Needs operators */
    double cost_scale;        /**< widths are multiplied by this before the cost
                                   model sees them, image channels excepted; 1 */
    int64_t cost_batch;       /**< batch the cost model assumes; 64 */
    int32_t reading;          /**< ub_latency_reading */
    int32_t node_width;       /**< ub_node_width */
    int32_t sampling;         /**< ub_sampling */
    int32_t mask_place;    /**< ub_mask_place; UB_MASK_AFTER; the paper's code:
                                UB_MASK_BEFORE_NORM */
    int32_t include_ends;  /**< 1: stem and classifier count as one more cell in
                                the cost, and each block as a cell; 0, as the
                                paper's code */
    int32_t reserved;      /**< 0 */
    double initial_place;  /**< of all masks, as ub_mask_set_initial(); -1: of
                                each at random, as the paper */
    double initial_height; /**< likewise; 1 */
} ub_supernet_options;

/**
 * A relaxed space with its weights, logits and the step's sample.
 *
 * Thread-safety: as its context.
 */
typedef struct ub_supernet ub_supernet;

/** Set every option to its default. */
UB_API
void ub_supernet_options_init(ub_supernet_options *options, size_t size);

/**
 * Create a supernet. Logits of decisions start from a standard normal
 * distribution, those of masks as the options say, weights as
 * ub_conv_norm_create() says.
 *
 * @param context    where errors go
 * @param space      borrowed until the supernet is destroyed
 * @param options    settings, or NULL for the defaults
 * @param model      cost model, copied; what its `user` points to is borrowed.
 *                   NULL: a cost of zero
 * @param seed       of the initial values
 * @param[out] out   owned by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID      an option is out of range
 * @retval UB_ERR_SHAPE        shapes of the space do not fit each other
 * @retval UB_ERR_UNSUPPORTED  widths without operators given, in a space
 *                             without preprocessing or with blocks, or where
 *                             an operator has a residual, or a step with an
 *                             expansion or groups, or a norm of its own
 * @retval UB_ERR_NOMEM        out of memory
 */
UB_API_CHECK
ub_status ub_supernet_create(ub_context *context, const ub_space *space,
                             const ub_supernet_options *options,
                             const ub_cost_model *model, uint64_t seed,
                             ub_supernet **out);

/** Destroy a supernet and set the pointer to NULL; NULL is allowed. */
UB_API
void ub_supernet_destroy(ub_supernet **supernet);

/** Weights, logits and buffers; owned by the supernet. */
UB_API
ub_parameters *ub_supernet_parameters(const ub_supernet *supernet);

/**
 * Draw the Gumbel noise of a step and set the temperature.
 *
 * @param supernet  keeps both until the next call
 * @param rng       advances; NULL: noise of zeros
 * @param tau       temperature, above 0 (UB_ERR_INVALID otherwise)
 */
UB_API_CHECK
ub_status ub_supernet_sample(ub_supernet *supernet, ub_rng *rng, double tau);

/**
 * Run the supernet.
 *
 * @param supernet     the supernet
 * @param tape         records the operators
 * @param images       [n, channels, height, width]
 * @param mode         what to run
 * @param[out] logits  [n, classes], borrowed from the tape
 *
 * @retval UB_ERR_SHAPE    images do not fit
 * @retval UB_ERR_INVALID  unknown mode, a NULL argument, or the value of
 *                         images is gone
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_supernet_forward(ub_supernet *supernet, ub_tape *tape,
                              ub_variable *images, ub_supernet_mode mode,
                              ub_variable **logits);

/** Expected cost of the current sample; see ub_supernet_cost(). */
typedef struct ub_supernet_expectation {
    double latency_ms;  /**< sum over the cells */
    double utilization; /**< sum over the cells of each cell's mean */
} ub_supernet_expectation;

/**
 * Expected latency and utilization of the current sample (soft, also in
 * single-path mode), computed in double. For an edge with probabilities g,
 * latencies t and utilizations u: latency sum(g t) / sum(g of t > 0), or
 * sum(g t) in the plain reading; utilization sum(g u) / sum(g), both over
 * t > 0. A cell's latency is the sum, its utilization the mean over its
 * preprocessing convolutions, edges and aligning convolutions with t > 0.
 *
 * @param supernet          the supernet
 * @param[out] expectation  latency and utilization
 * @param by_latency        derivative of the latency by every logit of every
 *                          decision, then of every mask in the order of the
 *                          sites; ub_supernet_logits() places, or NULL
 * @param by_utilization    likewise of the utilization, or NULL
 *
 * @retval UB_ERR_INVALID  the cost model refuses a layer
 * @retval UB_ERR_NUMERIC  the result is not finite
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_supernet_expect(ub_supernet *supernet,
                             ub_supernet_expectation *expectation,
                             double *by_latency, double *by_utilization);

/** Number of logits: of all decisions, if they are open, and all masks. */
UB_API
int64_t ub_supernet_logits(const ub_supernet *supernet);

/**
 * lambda latency_ms - beta utilization on a tape, for the sum with the
 * cross-entropy. Its gradient goes to the logits.
 *
 * @param supernet          the supernet, whose current sample is taken
 * @param tape              records the operator
 * @param lambda            weight of the latency, per millisecond
 * @param beta              weight of the utilization
 * @param[out] expectation  may be NULL
 * @param[out] cost         scalar, borrowed from the tape
 *
 * @retval UB_ERR_INVALID  the cost model refuses a layer
 * @retval UB_ERR_NUMERIC  the result is not finite
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_supernet_cost(ub_supernet *supernet, ub_tape *tape, double lambda,
                           double beta, ub_supernet_expectation *expectation,
                           ub_variable **cost);

/**
 * The most probable operator of every decision, pruned and repaired as
 * ub_space_prune() says; the given ones when operators are not open.
 *
 * @param supernet        the supernet
 * @param[out] operators  ub_space_decisions() places
 * @param[out] repaired   decisions changed by the repair; may be NULL
 *
 * @retval UB_ERR_INVALID  supernet or operators is NULL
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_supernet_operators(const ub_supernet *supernet, int32_t *operators,
                                int64_t *repaired);

/** The most probable width of every site into ub_space_sites() places; the
 * cell's width where none is searched. */
UB_API
void ub_supernet_widths(const ub_supernet *supernet, int64_t *widths);

/**
 * Write the architecture state (operators with logits and probabilities,
 * widths likewise) as JSON.
 *
 * @param supernet  the supernet
 * @param path      written under a temporary name, then renamed
 *
 * @retval UB_ERR_IO     writing failed
 * @retval UB_ERR_NOMEM  out of memory
 */
UB_API_CHECK
ub_status ub_supernet_write(const ub_supernet *supernet, const char *path);

/**
 * Take logits from a state that ub_supernet_write() wrote for the same space
 * and the same widths. Everything is checked before anything changes.
 *
 * @param supernet  changed on success only
 * @param path      the file
 *
 * @retval UB_ERR_IO       the file cannot be read
 * @retval UB_ERR_FORMAT   it is no such state or belongs to another space
 * @retval UB_ERR_INVALID  its most probable choice leaves an output empty
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_supernet_read(ub_supernet *supernet, const char *path);

UB_END_DECLS

/** @} */

#endif
