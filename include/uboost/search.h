/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_SEARCH_H
#define UBOOST_SEARCH_H

#include <uboost/dataset.h>
#include <uboost/supernet.h>

/**
 * @file
 * @defgroup search search
 * U-Boost's pipeline: micro-architecture search, channel search, deriving,
 * final training, test, and the cost of the result.
 *
 * A run lives in a folder and can be stopped at any moment: by the progress
 * callback (it then returns UB_ERR_INTERRUPTED) or by killing the process.
 * Resumed, it ends with the same bits as one that was never stopped, on the
 * same machine and with the same number of threads. Written to the folder:
 *
 * - config.json: the options, the data, threads and portable_kernels of the
 *   context; a run is resumed only with the same;
 * - checkpoint.safetensors: the state, replaced after each epoch, every half
 *   minute and when stopped;
 * - log.jsonl: one line per epoch and stage, and per round of polishing;
 * - micro.json, channels.json: the architecture state after each search;
 * - supernet.safetensors: the supernet after channel search, on request;
 * - network.json, network.dot: the derived network;
 * - weights.safetensors: its weights after final training;
 * - result.json: what it reaches and costs.
 *
 * Polishing. The cost model in the loss is smooth and need not be the
 * simulator. With the option `polish`, the widths that the channel search found
 * go downhill, before final training, on
 *
 *     L / L0 - polish_weight * sum over the sites of ln(S(w) / S(w0))
 *
 * L is the simulated latency (level 1, batch 1, cost_scale: the one that is
 * reported) of the whole network derived from the widths w, L0 that of the
 * searched widths w0. S(w) is the probability, by the trained logits of a site,
 * of the widths up to w: read as a belief about the width that a convolution
 * needs, they give the probability that w suffices, for a wider convolution can
 * do what a narrower one does. So one grows where the array has columns to
 * spare, and shrinks where the time saved is worth the probability lost. (The
 * logits have learnt from the whole loss, its latency included.)
 *
 * A move gives one site any width of the range, or gives one width to all sites
 * on the edges into one node, which otherwise cost 1x1 convolutions. A round
 * tries all moves, then makes those that still gain, best first; the last round
 * finds none. Nothing in it is random. The progress callback hears of a round
 * as of a step, with the sum above as the loss.
 *
 * With the default weight, what divides the probability by e must save 2% of
 * the latency: halving a convolution mostly costs more than that and saves
 * less, so that the search's decisions stand, and what is free or nearly so is
 * taken.
 *
 * Sharing. A run can take over what another one has searched (`from`, `take`):
 * the operators, then also the supernet's weights, of which it learns the
 * widths alone, or all of it, to train the result once more, polished or not.
 * Of the other run's folder it reads micro.json and, but for operators alone,
 * config.json; for widths also channels.json, for a supernet
 * supernet.safetensors. config.json and result.json name that folder without
 * its path, so that folders can be moved together.
 * So a sweep over lambda needs one micro search, at the lambda of the run that
 * has it, and one trained supernet. That run sets `keep_supernet`, and
 * `uniform_widths`: a supernet that learns from the widths it is finding knows
 * little of any other, and makes the next lambda find the same ones again. Runs
 * that share make all their steps on logits, and need fewer epochs; tau_decay
 * should then bring tau as far down in them (with 6 epochs instead of 30,
 * 0.95^5).
 * @{
 */

UB_BEGIN_DECLS

/** Which cost model the loss sees. */
typedef enum ub_search_hardware {
    UB_SEARCH_SYSTOLIC = 0, /**< U-Boost's, with the smooth ceiling */
    UB_SEARCH_FLOPS = 1,    /**< MACs over the peak rate */
    UB_SEARCH_ROOFLINE = 2, /**< the larger of compute and memory time */
    UB_SEARCH_BLACKBOX = 3, /**< a table filled by the simulator, of widths 16,
                                 32, ... */
    UB_SEARCH_SYSTOLIC_FULL = 4,   /**< the simulator's closed form,
                                        ub_util_full_smooth(); reports are by
                                        ub_util_full() */
    UB_SEARCH_BLACKBOX_INTERP = 5, /**< as UB_SEARCH_BLACKBOX, interpolated; its
                                       widths' step is the smallest width that
                                       is priced, or 1/64 of the largest, if
                                       that is below 16 */
    UB_SEARCH_ROOFLINE_PUBLISHED = 6 /**< ub_util_roofline_published() */
} ub_search_hardware;

/** How much of another run is taken over. */
typedef enum ub_search_take {
    UB_SEARCH_TAKE_SUPERNET = 0,  /**< operators, and the weights of the channel
                                       search, which learns widths only */
    UB_SEARCH_TAKE_OPERATORS = 1, /**< operators */
    UB_SEARCH_TAKE_WIDTHS = 2     /**< both searches */
} ub_search_take;

/** Name of a cost model as programs and files spell it, such as "systolic";
 * NULL for an unknown one. */
UB_API
const char *ub_search_hardware_name(int32_t hardware);

/**
 * Settings of a run. Fill with ub_search_options_init(), which sets preset
 * "small", or by ub_search_preset(). Sources: U-Boost NAS, sections 4 and 5,
 * and its supplement.
 */
typedef struct ub_search_options {
    size_t size;        /**< set by ub_search_options_init() */
    const char *preset; /**< goes into files */
    uint64_t seed;      /**< of everything that is random; 1 */

    int64_t cells;          /**< a multiple of 3; 3 */
    int64_t base_width;     /**< of the stem, and of cells in micro search */
    ub_width_range widths;  /**< of the channel search */
    int64_t train_images;   /**< used of the training set, the last tenth for
                                 validation during search; 0: all */
    int64_t micro_epochs;   /**< of micro-architecture search */
    int64_t channel_epochs; /**< of channel search */
    int64_t train_epochs;   /**< of final training */

    int64_t rows;         /**< of the array */
    int64_t columns;      /**< of the array */
    int64_t cost_scale;   /**< widths times this are priced */
    int64_t hw_batch;     /**< batch the cost model in the loss assumes; 64 */
    int32_t hardware;     /**< ub_search_hardware */
    int32_t reading;      /**< ub_latency_reading */
    int32_t node_width;   /**< ub_node_width */
    int32_t sampling;     /**< ub_sampling, of micro search */
    int32_t mask_place;   /**< ub_mask_place */
    int32_t include_ends; /**< 1: stem and classifier count in the loss; 0 */
    int32_t splits; /**< 1: weights and architecture learn from the same images
                         in turn (default); 2: from four and one fifth */
    int32_t reserved; /**< 0 */
    double lambda;    /**< weight of the latency in ms; 0.5 */
    double beta;      /**< weight of the utilization; 1 */

    int64_t search_batch;     /**< 64 */
    double search_rate;       /**< SGD; 0.05 */
    double search_momentum;   /**< 0.9 */
    double search_decay;      /**< 3e-4 */
    double search_gamma;      /**< rate factor every search_step epochs; 0.5 */
    int64_t search_step;      /**< 30 */
    double architecture_rate; /**< Adam; 0.1 */
    double weight_share;      /**< part of an epoch that trains weights; 0.8 */
    double tau;               /**< temperature of the first epoch; 1 */
    double tau_decay;         /**< factor per epoch; 0.95 */
    double tau_floor;         /**< 0.001 */

    int64_t train_batch;  /**< 256, the paper's; quick and small, which have few
                               steps: 64 */
    double train_rate;    /**< SGD with Nesterov momentum 0.9; 0.1 */
    double train_decay;   /**< 5e-4 */
    double train_warmup;  /**< rising part of the one-cycle; 0.1 */
    double max_grad_norm; /**< of both; 0.5; 0: no clipping */
    double smoothing;     /**< of the labels in final training; 0 */
    int64_t crop_padding; /**< of the random crop; 4 */
    int32_t flip;         /**< 1: random horizontal flip (default) */
    int32_t reserved_tail; /**< 0 */
    int64_t table_batch;   /**< batch of the tables of the black boxes, in the
                                loss and in model_*: 1 is that of the paper's
                                public code; 0, the default: hw_batch */

    int32_t polish;          /**< 1: polish the widths that the channel search
                                  found, see above; 0 */
    int32_t reserved_polish; /**< 0 */
    double polish_weight; /**< latency, relative to the searched network's, that
                               a nat of probability is worth; 0.02 */
    int64_t polish_limit; /**< networks simulated at most; 100000 */

    const char *from;       /**< folder of a finished run of the same cells and
                                 widths, which must stay as it is until this run
                                 has ended; NULL: none */
    int32_t take;           /**< ub_search_take, where there is a `from` */
    int32_t keep_supernet;  /**< 1: write supernet.safetensors, unless both
                                 searches are taken; 0 */
    int32_t uniform_widths; /**< 1: in the channel search, weights learn from
                                 widths drawn with equal probabilities; 0 */
    int32_t reserved_from;  /**< 0 */
    double initial_place;   /**< where the widths begin in the channel search,
                                 from 0, the narrowest, to 1, the widest; -1:
                                 at random, as the paper */
    double initial_height;  /**< how decidedly, as ub_mask_set_initial(); 1 */
} ub_search_options;

/** Set every option to its default, which is preset "small". */
UB_API
void ub_search_options_init(ub_search_options *options, size_t size);

/**
 * Set every option to a preset: "quick", "small", "paper8" or "paper".
 *
 * @param options  filled; size must be set
 * @param name     of the preset
 *
 * @retval UB_ERR_INVALID  options are NULL, or there is no such preset; nothing
 *                         is changed
 */
UB_API_CHECK
ub_status ub_search_preset(ub_search_options *options, const char *name);

/** Names of the presets, ending in NULL. */
UB_API
const char *const *ub_search_presets(void);

/** What a run or a training reached. */
typedef struct ub_search_result {
    size_t size;                 /**< sizeof(ub_search_result), by the caller */
    double test_accuracy;        /**< 0 to 1 */
    int64_t parameters;          /**< weights of the derived network */
    int64_t macs;                /**< per image */
    double model_latency_ms;     /**< exact form of the model, hw_batch; of a
                                      black box: table_batch */
    double model_utilization;    /**< likewise */
    double simulated_cycles;     /**< level 1, batch 1 */
    double simulated_latency_ms; /**< likewise */
    double simulated_utilization;          /**< likewise */
    double simulated_cycles_hw_batch;      /**< level 1, hw_batch */
    double simulated_latency_ms_hw_batch;  /**< likewise */
    double simulated_utilization_hw_batch; /**< likewise */
    double seconds[3];    /**< micro search, channel search, final training */
    int64_t polish_moves; /**< made; 0 without polishing */
    int64_t polish_evaluations; /**< networks simulated for that */
    double searched_latency_ms; /**< simulated, level 1, batch 1, before them;
                                     0 without polishing */
} ub_search_result;

/**
 * Run the whole pipeline, or go on with it.
 *
 * @param context   its progress callback hears of every step
 * @param options   settings
 * @param train     training images, borrowed; 3 or fewer channels
 * @param test      test images, read once, after the last epoch
 * @param folder    for the files; must exist
 * @param resume    0: a new run, refused (UB_ERR_INVALID) if the folder holds
 *                  files of another; 1: go on with the run in the folder, if
 *                  there is one
 * @param result    filled; result->size must be set
 *
 * @retval UB_ERR_INVALID      an option is out of range, or the run in the
 *                             folder has other options, or is complete and has
 *                             no checkpoint any more
 * @retval UB_ERR_SHAPE        a map cannot be halved; the data sets differ; the
 *                             supernet of `from` has other layers
 * @retval UB_ERR_IO           a file cannot be read or written; `from` has not
 *                             been so far, or kept no supernet
 * @retval UB_ERR_FORMAT       a file of the run or of `from` is damaged, or
 *                             `from` has another space
 * @retval UB_ERR_RANGE        the network takes too many cycles to count
 * @retval UB_ERR_NUMERIC      the loss is not finite
 * @retval UB_ERR_INTERRUPTED  stopped by the callback, can be resumed
 * @retval UB_ERR_NOMEM        out of memory
 */
UB_API_CHECK
ub_status ub_search_run(ub_context *context, const ub_search_options *options,
                        const ub_dataset *train, const ub_dataset *test,
                        const char *folder, int resume,
                        ub_search_result *result);

/**
 * Whether a folder holds the result of ub_search_run() with these options, data
 * and settings of the context. An option that an older library did not write to
 * config.json counts as the preset has it.
 *
 * @param context        of the run
 * @param options        settings
 * @param train          training images
 * @param test           test images
 * @param folder         need not exist
 * @param[out] complete  1: result.json is there; 0: it is not, but the run can
 *                       be begun or gone on with; untouched on failure
 *
 * @retval UB_ERR_INVALID  an option is out of range, or the run in the folder
 *                         has other options: the text names one
 * @retval UB_ERR_IO       config.json or result.json cannot be read
 * @retval UB_ERR_FORMAT   config.json or result.json is damaged
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_search_complete(ub_context *context,
                             const ub_search_options *options,
                             const ub_dataset *train, const ub_dataset *test,
                             const char *folder, int *complete);

/**
 * Only the last part: train a given network on the training images that the
 * options choose (train_images and seed; none is kept for validation), test it,
 * and report its cost. Statuses, files (those that apply) and resuming as for
 * ub_search_run(). Options of the searches do not matter to the result, but
 * are checked, and a run is resumed only with the same ones.
 *
 * @param context   its progress callback hears of every step
 * @param options   settings
 * @param network   borrowed
 * @param train     training images, borrowed
 * @param test      test images
 * @param folder    for the files; must exist
 * @param resume    as for ub_search_run()
 * @param result    filled; result->size must be set
 *
 * @retval UB_ERR_INVALID      as for ub_search_run()
 * @retval UB_ERR_SHAPE        the images do not fit the network
 * @retval UB_ERR_IO           a file cannot be read or written
 * @retval UB_ERR_FORMAT       a file of the run is damaged
 * @retval UB_ERR_RANGE        the network takes too many cycles to count
 * @retval UB_ERR_NUMERIC      the loss is not finite
 * @retval UB_ERR_INTERRUPTED  stopped by the callback, can be resumed
 * @retval UB_ERR_NOMEM        out of memory
 */
UB_API_CHECK
ub_status ub_search_train(ub_context *context, const ub_search_options *options,
                          const ub_network *network, const ub_dataset *train,
                          const ub_dataset *test, const char *folder,
                          int resume, ub_search_result *result);

UB_END_DECLS

/** @} */

#endif
