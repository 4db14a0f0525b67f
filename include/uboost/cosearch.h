/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_COSEARCH_H
#define UBOOST_COSEARCH_H

#include <uboost/accelerator.h>
#include <uboost/dataset.h>
#include <uboost/quant.h>
#include <uboost/space.h>

/**
 * @file
 * @defgroup cosearch cosearch
 * Network, bit widths and accelerator searched together.
 *
 * After Fu et al., "Auto-NBA: Efficient and Effective Search Over the Joint
 * Space of Networks, Bitwidths, and Accelerators", ICML 2021, and its public
 * code. Each cell of a space of FBNet's kind chooses an operator, and each of
 * its operators a bit width for the weights and inputs of all its convolutions;
 * stem, head and classifier are floats. The accelerator is a chunk pipeline
 * of accelerator.h that computes the cells.
 *
 * One iteration of the search has two steps:
 *
 * - On a batch of the one half of the images, the logits learn. Each cell draws
 *   a Gumbel-softmax sample of its operators and of their bit widths, runs the
 *   operator that is largest with the width that is largest, and also, for the
 *   gradient, the runners-up: ub_op_single_path() and UB_BIT_MODE_PROXY_HARD,
 *   with masked gradients. To the gradient of the cross-entropy comes lambda
 *   times that of the path's cost; Adam makes the step, after which the logits
 *   of what was active are shifted so that the rest keeps its probability.
 * - On a batch of the other half, the weights learn: the drawn operator alone,
 *   with the mixture of all its bit widths (UB_BIT_MODE_SOFT), straight-through
 *   gradients, a limit on their norm in which logits do not take part, SGD.
 *
 * Before the first of these steps, and then every `refresh` ones, a table is
 * made anew for the path just drawn: what each operator of each cell costs with
 * each width. The cost of a path is the sum over its n cells.
 *
 * - UB_COSEARCH_INTERVAL, the default: a path costs its interval, the time of
 *   the slowest chunk of the best accelerator for it, by UB_ENGINE_EXACT. An
 *   entry is the n-th part of that of the path just drawn, and what is added to
 *   it when this cell alone chooses otherwise: exact for that path and its
 *   neighbours, an estimate for others, which may be negative. Where no
 *   accelerator fits a neighbour, it costs twice the longest interval of those
 *   that one fits. Each entry takes a search, some ms.
 * - UB_COSEARCH_LATENCY, as published: an engine searches the accelerator for
 *   the path just drawn; an entry is the time that the layers take on it. A
 *   chunk that the path does not use keeps the configuration it had when a path
 *   used it last; before that, the one that is best for a network of its bit
 *   width and one operator alone.
 *
 * Frames per second go by the interval: chunks work at the same time within
 * limits that they share, so that an operator on a small chunk may take long
 * and yet hold up nothing, and more widths make for more chunks, whose times
 * add up in the latency only. Where no accelerator fits the path, the table
 * stays as it was, at first zeros for the interval.
 *
 * lambda doubles after an epoch in which the most probable network would run at
 * fewer than `fps_low` frames per second on the best accelerator for it (by
 * UB_ENGINE_EXACT, as for the result; none counts as 0), up to 1e9, and halves
 * above `fps_high`. The first `warmup_epochs` learn weights only.
 *
 * What differs from the public code: the runner-up operator is computed in
 * steps of the logits only, where its result counts; logits of bit widths stay
 * as they are in operators that were not run; validation runs the most probable
 * path with the statistics of its batch, instead of random ones; a skip mixes
 * its widths as all operators do; the cost is the interval and its gradient
 * UB_COSEARCH_EXPECTED unless told otherwise; the accelerator's model is the
 * corrected one, and levels of bits are those of ub_quant_options; engines
 * search anew each time, where the published one goes on from one time to the
 * next; where an operator's input is added to it, its last normalization begins
 * at zero, unless it ends in a ReLU; the warm-up is `gradual`. With the last
 * two, paths of random operators learn in some thousand steps what they do not
 * without: alone, they make each other forget.
 *
 * The result of a run is a function of options, data, threads and kernels: its
 * random numbers depend on the place only, and a run that is stopped and goes
 * on ends with the same bits. Files in the folder:
 *
 * - config.json: the options, by which a run is recognised;
 * - log.jsonl: a line per epoch: loss, accuracy, what the last path was charged
 *   in ms, and in the search validation accuracy, lambda, fps of the most
 *   probable network;
 * - checkpoint.safetensors: where it is;
 * - network.json, network.dot: the network, with bits;
 * - accelerator.json: the best accelerator for it, by UB_ENGINE_EXACT;
 * - weights.safetensors: after training, with quantization;
 * - result.json: what was found and reached.
 * @{
 */

UB_BEGIN_DECLS

/** How logits learn from the cost. Values are never renumbered. */
typedef enum ub_cosearch_gradient {
    UB_COSEARCH_EXPECTED = 0, /**< of the expected cost over what was active:
                                 p_k (t_k - sum of p_i t_i), p the softmax of
                                 the active logits, t their entries */
    UB_COSEARCH_PUBLISHED = 1 /**< the time of the block to the logits of
                                   what was run, raw; nothing to others; with
                                   UB_COSEARCH_LATENCY only */
} ub_cosearch_gradient;

/** What a path costs. Values are never renumbered. */
typedef enum ub_cosearch_cost {
    UB_COSEARCH_LATENCY = 0, /**< published: the sum of its blocks' times */
    UB_COSEARCH_INTERVAL = 1 /**< the time of the slowest chunk: from one image
                                  to the next */
} ub_cosearch_cost;

/** Settings of a run. Fill with ub_cosearch_options_init(), which sets preset
 * "small", or by ub_cosearch_preset(). */
typedef struct ub_cosearch_options {
    size_t size;        /**< set by ub_cosearch_options_init() */
    const char *preset; /**< goes into files */
    uint64_t seed;      /**< of everything that is random; 1 */

    int64_t base_width;    /**< of ub_space_fbnet(), without a space given */
    int64_t depth;         /**< likewise; most cells of a width */
    int64_t train_images;  /**< used of the training set, the last tenth for
                                validation during search; 0: all */
    int64_t warmup_epochs; /**< of weights alone */
    int64_t search_epochs; /**< behind them */
    int64_t train_epochs;  /**< of final training */

    int32_t bit_widths;              /**< how many candidates; 3 */
    int32_t bits[UB_CHUNK_MAX_BITS]; /**< 1 to UB_QUANT_MAX_BITS, or 32 for
                                          floats, all different; 4, 6, 8 */
    int32_t engine;        /**< a ub_accelerator_engine, for the latency;
                                UB_ENGINE_EXACT */
    int32_t hardware_once; /**< 1: the network is searched without regard to
                                the accelerator, which is searched for the
                                result; 0 */
    int32_t gradient;      /**< a ub_cosearch_gradient */
    int32_t cost;          /**< a ub_cosearch_cost; UB_COSEARCH_INTERVAL */
    int32_t reserved;      /**< 0 */
    int64_t refresh;       /**< steps from one table to the next; published:
                                100 */
    int64_t samples;       /**< of each table, where the engine draws; 2000 */
    double lambda;         /**< of the path's cost in ms, at first; 0.1 */
    double fps_low;        /**< frames per second; 0 */
    double fps_high;       /**< 0: no limit */
    double dsp_limit;      /**< of the accelerator */
    int64_t bram_limit;    /**< blocks of memory */

    int64_t search_batch;     /**< published: 64 */
    double search_rate;       /**< SGD, first; published: 0.025 */
    double search_rate_last;  /**< after half a cosine; 0.001 */
    double search_momentum;   /**< 0.9 */
    double search_decay;      /**< 5e-4 */
    double search_clip;       /**< norm of the weights' gradient; 5; 0: any */
    double architecture_rate; /**< Adam with betas 0.5 and 0.999; published:
                                   3e-4 */
    double tau;               /**< temperature of the first epoch; 5 */
    double tau_decay;         /**< factor per epoch, down to 0.001; published:
                                   0.975 */

    int64_t train_batch;  /**< 64 */
    double train_rate;    /**< of the one-cycle */
    double train_decay;   /**< 5e-4 */
    double train_clip;    /**< 5; 0: any */
    int64_t crop_padding; /**< of the random crop; 4 */
    int32_t flip;         /**< 1: random horizontal flip (default) */
    int32_t gradual;      /**< 1: weights learn gradually to do with any path:
                               in the warm-up each cell runs the space's first
                               operator instead of a drawn one with a chance
                               that falls from 1 to 0; 0: published. 1 */
} ub_cosearch_options;

/** Set every option to its default, which is preset "small". */
UB_API
void ub_cosearch_options_init(ub_cosearch_options *options, size_t size);

/**
 * Set every option to a preset: "quick", "small" or "paper" (the published
 * sizes). "quick" shows how it all works together; its steps are too few for
 * weights to learn on random paths, so that its network is chosen by time
 * and chance.
 *
 * @param options  filled; size must be set
 * @param name     of the preset
 *
 * @retval UB_ERR_INVALID  options are NULL, or there is no such preset; nothing
 *                         is changed
 */
UB_API_CHECK
ub_status ub_cosearch_preset(ub_cosearch_options *options, const char *name);

/** Names of the presets, ending in NULL. */
UB_API
const char *const *ub_cosearch_presets(void);

/** What a run reached. */
typedef struct ub_cosearch_result {
    size_t size;          /**< sizeof(ub_cosearch_result), by the caller */
    double test_accuracy; /**< 0 to 1 */
    double validation_accuracy; /**< of the supernet's most probable path */
    double fps;                 /**< frames per second of the network; 0 where
                                   it computes nothing, or no accelerator is
                                   within the limits */
    double bottleneck;          /**< cycles of the slowest chunk */
    double dsp;                 /**< that the accelerator uses */
    double bram;                /**< blocks of memory that it uses */
    double mean_bits;           /**< of the cells' convolutions, by MACs; 0
                                     without any */
    double lambda;              /**< at the end */
    int64_t parameters;         /**< weights of the network */
    int64_t macs;               /**< per image */
    double seconds[2];          /**< search, final training */
} ub_cosearch_result;

/**
 * Run the whole search, or go on with it.
 *
 * @param context   its progress callback hears of every step
 * @param options   settings
 * @param space     borrowed: of the images' shape, cells of one edge that make
 *                  their own choices among chains of convolutions and channel
 *                  shuffles, without preprocessing, stem or pools other than
 *                  blocks of one operator, and global average pool; NULL:
 *                  ub_space_fbnet() of UB_FBNET_CIFAR100
 * @param train     training images, borrowed
 * @param test      test images, read once, after the last epoch
 * @param folder    for the files; must exist
 * @param resume    0: a new run, refused (UB_ERR_INVALID) if the folder holds
 *                  files of another; 1: go on with the run in the folder, if
 *                  there is one
 * @param result    filled; result->size must be set; untouched on failure
 *
 * @retval UB_ERR_INVALID      an option is out of range, or the run in the
 *                             folder has other options, or is complete and has
 *                             no checkpoint any more
 * @retval UB_ERR_UNSUPPORTED  the space is not of this kind
 * @retval UB_ERR_SHAPE        the images do not fit the space; the data sets
 *                             differ
 * @retval UB_ERR_IO           a file cannot be read or written
 * @retval UB_ERR_FORMAT       a file of the run is damaged
 * @retval UB_ERR_RANGE        no accelerator within the limits was found
 * @retval UB_ERR_NUMERIC      the loss is not finite
 * @retval UB_ERR_INTERRUPTED  stopped by the callback, can be resumed
 * @retval UB_ERR_NOMEM        out of memory
 */
UB_API_CHECK
ub_status ub_cosearch_run(ub_context *context,
                          const ub_cosearch_options *options,
                          const ub_space *space, const ub_dataset *train,
                          const ub_dataset *test, const char *folder,
                          int resume, ub_cosearch_result *result);

UB_END_DECLS

/** @} */

#endif
