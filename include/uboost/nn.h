/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_NN_H
#define UBOOST_NN_H

#include <uboost/network.h>
#include <uboost/quant.h>

/**
 * @file
 * @defgroup nn nn
 * Parameters, initialisation, optimizers, schedules, metrics, layers, and
 * models made from a network.
 *
 * A training step, in the caller's loop: forward on a tape, ub_tape_backward(),
 * ub_optimizer_step(), ub_parameters_clear_grads(), ub_tape_clear().
 * @{
 */

UB_BEGIN_DECLS

/** What a parameter is for. */
typedef enum ub_parameter_kind {
    UB_PARAMETER_WEIGHT = 0,       /**< trained on the loss */
    UB_PARAMETER_ARCHITECTURE = 1, /**< logits of a search's decisions */
    UB_PARAMETER_BUFFER = 2        /**< not trained: running statistics */
} ub_parameter_kind;

/**
 * Ordered list of named leaves: all that a model has to learn or to remember.
 * It owns the variables.
 *
 * Thread-safety: as its context.
 */
typedef struct ub_parameters ub_parameters;

/**
 * Create an empty list.
 *
 * @param context   must outlive the list
 * @param[out] out  owned by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID  context or out is NULL
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_parameters_create(ub_context *context, ub_parameters **out);

/**
 * Destroy the list and its variables, and set the pointer to NULL; NULL is
 * allowed. Tapes that used the variables must have been cleared, and
 * optimizers over them destroyed.
 */
UB_API
void ub_parameters_destroy(ub_parameters **parameters);

/** The context the list was created in. */
UB_API
ub_context *ub_parameters_context(const ub_parameters *parameters);

/**
 * Append a parameter of zeros.
 *
 * @param parameters  the list
 * @param name        not empty and not in use; copied. Parts are joined by
 *                    dots, such as "stem.conv.weight"
 * @param kind        weights and architecture parameters require a gradient,
 *                    buffers never do
 * @param rank        0 to UB_TENSOR_MAX_RANK
 * @param shape       rank extents; NULL when rank is 0
 * @param[out] out    the variable, borrowed from the list, or NULL when not
 *                    wanted; untouched on failure
 *
 * @retval UB_ERR_INVALID  a bad name, kind, rank or extent
 * @retval UB_ERR_RANGE    too many elements
 * @retval UB_ERR_NOMEM    out of memory; the list is as before
 */
UB_API_CHECK
ub_status ub_parameters_add(ub_parameters *parameters, const char *name,
                            ub_parameter_kind kind, int rank,
                            const int64_t *shape, ub_variable **out);

/** Number of parameters of all kinds. */
UB_API
int64_t ub_parameters_count(const ub_parameters *parameters);

/** Name of parameter number `index`, owned by the list; NULL out of range. */
UB_API
const char *ub_parameters_name(const ub_parameters *parameters, int64_t index);

/** Kind of parameter number `index`; UB_PARAMETER_WEIGHT out of range. */
UB_API
ub_parameter_kind ub_parameters_kind(const ub_parameters *parameters,
                                     int64_t index);

/** Parameter number `index`, borrowed; NULL out of range. */
UB_API
ub_variable *ub_parameters_variable(const ub_parameters *parameters,
                                    int64_t index);

/** The parameter of that name, borrowed; NULL when there is none. */
UB_API
ub_variable *ub_parameters_find(const ub_parameters *parameters,
                                const char *name);

/** Total number of elements of one kind. */
UB_API
int64_t ub_parameters_elements(const ub_parameters *parameters,
                               ub_parameter_kind kind);

/**
 * Freeze (1) or thaw (0) all parameters of a kind: frozen ones get no gradient
 * from operators called from now on. Buffers are always frozen. Gradients that
 * exist stay.
 */
UB_API
void ub_parameters_freeze(ub_parameters *parameters, ub_parameter_kind kind,
                          int frozen);

/** Drop all gradients. */
UB_API
void ub_parameters_clear_grads(ub_parameters *parameters);

/**
 * Add all parameters to an archive as prefix + name. The archive holds
 * references, not copies: write it before the parameters change again.
 *
 * @param parameters  the list
 * @param archive     receives the tensors; after a failure it may hold some
 * @param prefix      put before each name, such as "model."; NULL for none
 *
 * @retval UB_ERR_INVALID  a name is in use in the archive
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_parameters_save(const ub_parameters *parameters,
                             ub_archive *archive, const char *prefix);

/**
 * Copy all parameters from an archive. Every name and shape is checked before
 * anything changes; what else the archive holds is ignored.
 *
 * @param parameters  the list
 * @param archive     read
 * @param prefix      as for ub_parameters_save()
 *
 * @retval UB_ERR_FORMAT  the archive lacks a parameter
 * @retval UB_ERR_SHAPE   a tensor has another shape than the parameter
 * @retval UB_ERR_NOMEM   out of memory
 */
UB_API_CHECK
ub_status ub_parameters_load(ub_parameters *parameters,
                             const ub_archive *archive, const char *prefix);

/**
 * Normal with mean 0 and deviation sqrt(2 / fan-in): He et al., "Delving Deep
 * into Rectifiers", 2015, for layers followed by ReLU.
 *
 * @param tensor  [f, c, ...], rank 2 or more; the fan-in is the product of all
 *                extents but the first
 * @param rng     advances
 *
 * @retval UB_ERR_SHAPE  the rank is below 2
 */
UB_API_CHECK
ub_status ub_init_he_normal(ub_tensor *tensor, ub_rng *rng);

/**
 * Uniform in [low, high).
 *
 * @param tensor  written
 * @param rng     advances
 * @param low     finite
 * @param high    finite, at least low
 *
 * @retval UB_ERR_INVALID  low or high is not as described
 */
UB_API_CHECK
ub_status ub_init_uniform(ub_tensor *tensor, ub_rng *rng, double low,
                          double high);

/**
 * Normal with the given mean and standard deviation.
 *
 * @param tensor     written
 * @param rng        advances
 * @param mean       finite
 * @param deviation  finite, at least 0
 *
 * @retval UB_ERR_INVALID  mean or deviation is not as described
 */
UB_API_CHECK
ub_status ub_init_normal(ub_tensor *tensor, ub_rng *rng, double mean,
                         double deviation);

/** Update rules. */
typedef enum ub_optimizer_kind {
    UB_OPTIMIZER_SGD = 0, /**< with momentum, optionally Nesterov's */
    UB_OPTIMIZER_ADAM = 1 /**< Kingma and Ba, 2015 */
} ub_optimizer_kind;

/** Settings of an optimizer. Fill with ub_optimizer_options_init() first. */
typedef struct ub_optimizer_options {
    size_t size;         /**< set by ub_optimizer_options_init() */
    int32_t kind;        /**< a ub_optimizer_kind; UB_OPTIMIZER_SGD */
    int32_t nesterov;    /**< SGD: 1 for Nesterov's momentum; 0 */
    double momentum;     /**< SGD: in [0, 1); 0, and above 0 with nesterov */
    double weight_decay; /**< times the weight, added to the gradient; 0 */
    double beta1;        /**< Adam: in [0, 1); 0.9 */
    double beta2;        /**< Adam: in [0, 1); 0.999 */
    double eps;          /**< Adam: added to the root, above 0; 1e-8 */
} ub_optimizer_options;

/** Set every option to its default. */
UB_API
void ub_optimizer_options_init(ub_optimizer_options *options, size_t size);

/**
 * Optimizer: changes variables by their gradients, and remembers momenta.
 *
 * With g' = clip g + decay p, SGD does v = momentum v + g' (v = g' at first),
 * p -= rate (nesterov ? g' + momentum v : v). Adam does m = beta1 m +
 * (1 - beta1) g', v = beta2 v + (1 - beta2) g'^2, p -= rate m / c1 /
 * (sqrt(v / c2) + eps) with c = 1 - beta^t, t counted per variable.
 *
 * Thread-safety: as its context.
 */
typedef struct ub_optimizer ub_optimizer;

/**
 * Create an optimizer over variables.
 *
 * @param context    where memory comes from; must outlive the optimizer
 * @param options    settings, or NULL for the defaults; not kept
 * @param n          number of variables, 0 or more
 * @param variables  leaves, borrowed until the optimizer is destroyed; the
 *                   array itself is copied
 * @param[out] out   owned by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID      an option or an argument is out of its range
 * @retval UB_ERR_UNSUPPORTED  options has a field this library does not know
 * @retval UB_ERR_NOMEM        out of memory
 */
UB_API_CHECK
ub_status ub_optimizer_create(ub_context *context,
                              const ub_optimizer_options *options, int64_t n,
                              ub_variable *const *variables,
                              ub_optimizer **out);

/**
 * Create an optimizer over all parameters of one kind that the list has now.
 *
 * @param parameters  borrowed until the optimizer is destroyed
 * @param kind        UB_PARAMETER_WEIGHT or UB_PARAMETER_ARCHITECTURE
 * @param options     as for ub_optimizer_create()
 * @param[out] out    owned by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID      kind is another one, or an option is out of range
 * @retval UB_ERR_UNSUPPORTED  options has a field this library does not know
 * @retval UB_ERR_NOMEM        out of memory
 */
UB_API_CHECK
ub_status ub_optimizer_create_for(const ub_parameters *parameters,
                                  ub_parameter_kind kind,
                                  const ub_optimizer_options *options,
                                  ub_optimizer **out);

/** Destroy an optimizer and set the pointer to NULL; NULL is allowed. */
UB_API
void ub_optimizer_destroy(ub_optimizer **optimizer);

/**
 * Change every variable that has a gradient by one step. Variables without a
 * gradient, and their momenta, stay as they are. Gradients stay too: drop them
 * by ub_parameters_clear_grads().
 *
 * @param optimizer      the optimizer
 * @param rate           learning rate, finite, 0 or more
 * @param max_grad_norm  all gradients are scaled by min(1, max_grad_norm /
 *                       (norm + 1e-6)), before weight decay; 0: not at all
 * @param[out] out_norm  Euclidean norm of all gradients together, before
 *                       scaling; NULL when not wanted
 *
 * @retval UB_ERR_INVALID  rate or max_grad_norm is not as described
 * @retval UB_ERR_NUMERIC  a gradient holds a NaN or an infinity; nothing has
 *                         changed
 */
UB_API_CHECK
ub_status ub_optimizer_step(ub_optimizer *optimizer, double rate,
                            double max_grad_norm, double *out_norm);

/**
 * Add the optimizer's state to an archive: the momenta as tensors "<prefix>
 * <index>.velocity" (SGD with momentum) or ".first_moment" and
 * ".second_moment" (Adam), the step counts as a text "<prefix>steps".
 * References, not copies: write the archive before the next step.
 *
 * @param optimizer  the optimizer
 * @param archive    receives the state; after a failure it may hold some
 * @param prefix     put before each name, such as "optimizer."; NULL for none
 *
 * @retval UB_ERR_INVALID  a name is in use in the archive
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_optimizer_save(const ub_optimizer *optimizer, ub_archive *archive,
                            const char *prefix);

/**
 * Take the state from an archive. The next steps then have the same bits as if
 * the optimizer had never been away. Everything is checked before anything
 * changes.
 *
 * @param optimizer  of the same kind, over variables of the same shapes in the
 *                   same order
 * @param archive    read
 * @param prefix     as for ub_optimizer_save()
 *
 * @retval UB_ERR_FORMAT  a tensor or the text is missing or not as written
 * @retval UB_ERR_SHAPE   a tensor has another shape than its variable
 * @retval UB_ERR_NOMEM   out of memory
 */
UB_API_CHECK
ub_status ub_optimizer_load(ub_optimizer *optimizer, const ub_archive *archive,
                            const char *prefix);

/**
 * Scale gradients in place by min(1, max_norm / (norm + 1e-6)), where norm is
 * the Euclidean norm of all that exist, accumulated in double.
 *
 * @param n              number of variables
 * @param variables      leaves; those without a gradient are passed over
 * @param max_norm       finite, above 0
 * @param[out] out_norm  the norm before scaling; NULL when not wanted
 *
 * @retval UB_ERR_INVALID  max_norm is not as described, or a variable is NULL
 * @retval UB_ERR_NUMERIC  the norm is not finite; nothing has changed
 */
UB_API_CHECK
ub_status ub_clip_grad_norm(int64_t n, ub_variable *const *variables,
                            double max_norm, double *out_norm);

/** Courses of a learning rate. */
typedef enum ub_schedule_kind {
    UB_SCHEDULE_CONSTANT = 0, /**< rate */
    UB_SCHEDULE_STEP = 1,     /**< rate gamma^floor(step / step_size) */
    UB_SCHEDULE_COSINE = 2,   /**< from rate to minimum by half a cosine; stays
                                   there from total_steps on */
    UB_SCHEDULE_ONE_CYCLE = 3 /**< Smith and Topin, 2018: by half a cosine from
                                   rate / div up to rate, by another one down
                                   to rate / div / final_div */
} ub_schedule_kind;

/** Learning rate by the step. Fill with ub_schedule_init() first. */
typedef struct ub_schedule {
    size_t size;       /**< set by ub_schedule_init() */
    int32_t kind;      /**< a ub_schedule_kind; UB_SCHEDULE_CONSTANT */
    int32_t reserved;  /**< 0 */
    double rate;       /**< at the start; the highest one for one-cycle; 0.1 */
    double gamma;      /**< step: factor, 0 or more; 0.5 */
    int64_t step_size; /**< step: steps between changes, 1 or more; 1 */
    int64_t total_steps; /**< cosine, one-cycle: length, 1 or more; 1 */
    double minimum;      /**< cosine: the last rate; 0 */
    double warmup;       /**< one-cycle: rising part, in [0, 1]; 0.3 */
    double div;          /**< one-cycle: above 0; 25 */
    double final_div;    /**< one-cycle: above 0; 1e4 */
} ub_schedule;

/** Set every field to its default. */
UB_API
void ub_schedule_init(ub_schedule *schedule, size_t size);

/**
 * Check a schedule.
 *
 * @param context   where the error text goes
 * @param schedule  read
 *
 * @retval UB_ERR_INVALID      a field is out of its range
 * @retval UB_ERR_UNSUPPORTED  it has a field this library does not know
 */
UB_API_CHECK
ub_status ub_schedule_check(ub_context *context, const ub_schedule *schedule);

/**
 * Learning rate of a step, the first one being 0. Steps below 0 count as 0,
 * those past the end of a one-cycle as the last. One-cycle reaches the top at
 * step warmup total_steps - 1 and the end at total_steps - 1, as PyTorch's
 * OneCycleLR. NaN for a schedule that ub_schedule_check() refuses.
 *
 * Thread-safety: pure.
 */
UB_API
double ub_schedule_rate(const ub_schedule *schedule, int64_t step);

/**
 * Count the samples whose label is among the k largest logits. Of equal logits
 * the lower index comes first. NaN counts as larger than any number, and a NaN
 * at the label as smaller, so that a model that has diverged is never right
 * (unless k is the number of classes).
 *
 * @param logits    [n, classes]
 * @param labels    n labels in 0 .. classes - 1
 * @param k         1 .. classes
 * @param[out] out  0 .. n; untouched on failure
 *
 * @retval UB_ERR_SHAPE    logits has not rank 2
 * @retval UB_ERR_INVALID  k or a label is out of range
 */
UB_API_CHECK
ub_status ub_count_correct(const ub_tensor *logits, const int32_t *labels,
                           int64_t k, int64_t *out);

/** Shape of a ub_conv_norm. Fill with ub_conv_norm_options_init() first. */
typedef struct ub_conv_norm_options {
    size_t size;           /**< set by ub_conv_norm_options_init() */
    int64_t in_channels;   /**< 1 */
    int64_t out_channels;  /**< 1 */
    int64_t kernel_height; /**< odd; 3 */
    int64_t kernel_width;  /**< odd; 3 */
    int64_t stride;        /**< both ways; 1 */
    int64_t dilation;      /**< both ways; 1 */
    int64_t groups;        /**< divides both channel counts; 1 */
    double eps;            /**< of batch normalization; 1e-5 */
    double momentum;       /**< of its running statistics; 0.1 */
    int32_t relu;          /**< 1: ends in ReLU (default); 0: does not */
    int32_t quantized;     /**< 1: may be run with bit widths; 0 */
} ub_conv_norm_options;

/** Set every option to its default. */
UB_API
void ub_conv_norm_options_init(ub_conv_norm_options *options, size_t size);

/** Which statistics batch normalization uses: the values of `training`. */
typedef enum ub_norm_mode {
    UB_NORM_RUNNING = 0,  /**< running statistics: inference */
    UB_NORM_TRAINING = 1, /**< the batch's; running ones are updated */
    UB_NORM_BATCH = 2     /**< the batch's; nothing is updated */
} ub_norm_mode;

/** Where a channel mask is multiplied in. */
typedef enum ub_mask_place {
    UB_MASK_AFTER = 0,      /**< on the block's output, after the ReLU */
    UB_MASK_BEFORE_NORM = 1 /**< on the convolution's, undone by the norm */
} ub_mask_place;

/**
 * Convolution without bias and with "same" padding, batch normalization,
 * optionally ReLU. Its parameters belong to a ub_parameters.
 *
 * Thread-safety: as its context.
 */
typedef struct ub_conv_norm ub_conv_norm;

/**
 * Create the layer and its parameters, in this order: "<prefix>.conv.weight"
 * (uniform within 1 / sqrt(fan-in)), "<prefix>.norm.weight" (ones),
 * "<prefix>.norm.bias" (zeros), and the buffers "<prefix>.norm.running_mean"
 * (zeros) and "<prefix>.norm.running_var" (ones); with `quantized` one more,
 * "<prefix>.input_range" (zeros), the running range of what it reads.
 *
 * @param parameters  receives the parameters; must outlive the layer; as
 *                    before on failure
 * @param prefix      of the names, not empty
 * @param options     shape, or NULL for the defaults; not kept
 * @param rng         advances by one uniform number per weight
 * @param[out] out    owned by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID      an option is out of its range, or a name in use
 * @retval UB_ERR_UNSUPPORTED  options has a field this library does not know
 * @retval UB_ERR_RANGE        too many weights
 * @retval UB_ERR_NOMEM        out of memory
 */
UB_API_CHECK
ub_status ub_conv_norm_create(ub_parameters *parameters, const char *prefix,
                              const ub_conv_norm_options *options, ub_rng *rng,
                              ub_conv_norm **out);

/** Destroy the layer, not its parameters; the pointer becomes NULL. */
UB_API
void ub_conv_norm_destroy(ub_conv_norm **layer);

/**
 * Run the layer.
 *
 * @param layer       the layer
 * @param tape        records the operators
 * @param x           [n, in_channels, h, w]
 * @param training    a ub_norm_mode
 * @param mask        [out_channels], multiplied in; NULL for none
 * @param mask_place  where; ignored without a mask
 * @param[out] out    [n, out_channels, ceil(h / stride), ceil(w / stride)],
 *                    borrowed from the tape; untouched on failure
 *
 * @retval UB_ERR_SHAPE    x or mask does not fit the layer
 * @retval UB_ERR_INVALID  training or mask_place is unknown, or there is one
 *                         value per channel for the batch's statistics
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_conv_norm_forward(const ub_conv_norm *layer, ub_tape *tape,
                               ub_variable *x, int training, ub_variable *mask,
                               ub_mask_place mask_place, ub_variable **out);

/**
 * Run a layer that was created as `quantized`, with its input and its weights
 * on levels of the bit widths to choose from, both by the same choice.
 *
 * @param layer     the layer
 * @param tape      records the operators
 * @param x         [n, in_channels, h, w]
 * @param training  a ub_norm_mode, of ranges as well
 * @param choice    bit widths
 * @param options   settings, or NULL for the defaults
 * @param[out] out  as of ub_conv_norm_forward()
 *
 * @retval UB_ERR_SHAPE        x does not fit the layer, or as
 *                             ub_op_quantize_weight()
 * @retval UB_ERR_INVALID      the layer is not quantized, training is unknown,
 *                             or as ub_op_quantize_weight()
 * @retval UB_ERR_UNSUPPORTED  a struct has a field this library does not know
 * @retval UB_ERR_NOMEM        out of memory
 */
UB_API_CHECK
ub_status ub_conv_norm_forward_quantized(const ub_conv_norm *layer,
                                         ub_tape *tape, ub_variable *x,
                                         int training,
                                         const ub_bit_choice *choice,
                                         const ub_quant_options *options,
                                         ub_variable **out);

/**
 * Fully connected layer with bias. Its parameters belong to a ub_parameters.
 *
 * Thread-safety: as its context.
 */
typedef struct ub_linear_layer ub_linear_layer;

/**
 * Create the layer and its parameters "<prefix>.weight" and "<prefix>.bias",
 * both uniform within +-1 / sqrt(in_features).
 *
 * @param parameters    receives the parameters; must outlive the layer; as
 *                      before on failure
 * @param prefix        of the names, not empty
 * @param in_features   1 or more
 * @param out_features  1 or more
 * @param rng           advances by one uniform number per parameter
 * @param[out] out      owned by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID  a size below 1, or a name in use
 * @retval UB_ERR_RANGE    too many weights
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_linear_layer_create(ub_parameters *parameters, const char *prefix,
                                 int64_t in_features, int64_t out_features,
                                 ub_rng *rng, ub_linear_layer **out);

/** Destroy the layer, not its parameters; the pointer becomes NULL. */
UB_API
void ub_linear_layer_destroy(ub_linear_layer **layer);

/**
 * Run the layer.
 *
 * @param layer     the layer
 * @param tape      records the operators
 * @param x         [n, ...] with in_features elements per sample; flattened
 *                  first when its rank is above 2
 * @param[out] out  [n, out_features], borrowed from the tape; untouched on
 *                  failure
 *
 * @retval UB_ERR_SHAPE  x does not fit the layer
 * @retval UB_ERR_NOMEM  out of memory
 */
UB_API_CHECK
ub_status ub_linear_layer_forward(const ub_linear_layer *layer, ub_tape *tape,
                                  ub_variable *x, ub_variable **out);

/**
 * A network with weights. Batch normalization that only a ReLU reads is
 * computed together with it.
 *
 * Thread-safety: as its context.
 */
typedef struct ub_model ub_model;

/**
 * Create a model of a network, freshly initialised.
 *
 * The parameters, in the order of the layers, are "<layer>.weight" and
 * "<layer>.bias" of convolutions and linear layers, and "<layer>.weight",
 * "<layer>.bias", "<layer>.running_mean" and "<layer>.running_var" of batch
 * normalization. Convolutions start uniform within 1 / sqrt(fan-in) with biases
 * of 0, linear layers as those of ub_linear_layer_create(), batch normalization
 * as the identity.
 *
 * Convolutions with bit widths quantize their weights and what they read, as
 * quant.h describes it; "<layer>.input_range" is then the running range of what
 * they read, a buffer behind their other parameters. Biases are floats.
 *
 * @param context   where memory comes from; must outlive the model
 * @param network   copied; its context must outlive the model
 * @param seed      of the initial weights; stream 0 of it is used
 * @param[out] out  owned by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID      an argument is NULL
 * @retval UB_ERR_UNSUPPORTED  a layer is sparse, a matmul, rounds its extent up
 *                             or has a map of its own and is not of zeros; a
 *                             pool is not square, or padded by more than half
 *                             its kernel
 * @retval UB_ERR_RANGE        too many weights
 * @retval UB_ERR_NOMEM        out of memory
 */
UB_API_CHECK
ub_status ub_model_create(ub_context *context, const ub_network *network,
                          uint64_t seed, ub_model **out);

/**
 * Destroy a model with its parameters, and set the pointer to NULL; NULL is
 * allowed. Tapes and optimizers that used them must have gone before.
 */
UB_API
void ub_model_destroy(ub_model **model);

/** The network, owned by the model. */
UB_API
const ub_network *ub_model_network(const ub_model *model);

/** The parameters, owned by the model; none may be added. */
UB_API
ub_parameters *ub_model_parameters(const ub_model *model);

/**
 * How layers with bit widths are quantized from now on: corrected levels and
 * straight-through gradients by default.
 *
 * @param model    the model
 * @param options  settings, or NULL for the defaults
 *
 * @retval UB_ERR_INVALID      an option is out of its range, or model is NULL
 * @retval UB_ERR_UNSUPPORTED  options has a field this library does not know
 */
UB_API_CHECK
ub_status ub_model_set_quantization(ub_model *model,
                                    const ub_quant_options *options);

/**
 * Run the model.
 *
 * @param model     its running statistics and ranges change in training
 * @param tape      records the operators
 * @param x         [n, channels, height, width] as the network's input
 * @param training  a ub_norm_mode
 * @param[out] out  of the last layer: [n, channels] when its map is 1 x 1,
 *                  [n, channels, height, width] otherwise; borrowed from the
 *                  tape; untouched on failure
 *
 * @retval UB_ERR_SHAPE    x is of another shape
 * @retval UB_ERR_INVALID  training is unknown, or there is one value per
 * channel for the batch's statistics
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_model_forward(ub_model *model, ub_tape *tape, ub_variable *x,
                           int training, ub_variable **out);

/**
 * Write all parameters, under their names, as a safetensors file.
 *
 * @param model  the model
 * @param path   written under a temporary name, then renamed
 *
 * @retval UB_ERR_IO     the file cannot be written
 * @retval UB_ERR_NOMEM  out of memory
 */
UB_API_CHECK
ub_status ub_model_save(const ub_model *model, const char *path);

/**
 * Read all parameters from a file of ub_model_save().
 *
 * @param model  unchanged on failure
 * @param path   a safetensors file
 *
 * @retval UB_ERR_IO           the file cannot be read
 * @retval UB_ERR_FORMAT       it is damaged, or lacks a parameter
 * @retval UB_ERR_SHAPE        a tensor has another shape than the parameter
 * @retval UB_ERR_UNSUPPORTED  it holds a type other than F32
 * @retval UB_ERR_NOMEM        out of memory
 */
UB_API_CHECK
ub_status ub_model_load(ub_model *model, const char *path);

UB_END_DECLS

/** @} */

#endif
