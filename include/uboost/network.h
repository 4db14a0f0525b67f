/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_NETWORK_H
#define UBOOST_NETWORK_H

#include <uboost/base.h>

/**
 * @file
 * @defgroup network network
 * A network as data: layers with their shapes, in topological order.
 *
 * A network has no weights. Search derives one, nn.h trains one, and the cost
 * models and the simulator price one. Maps are channels, height, width; the
 * batch is no part of a network.
 *
 * Layer 0 is the input, the last layer is the output.
 * @{
 */

UB_BEGIN_DECLS

/** Most channels a layer may have. */
#define UB_NETWORK_MAX_CHANNELS ((int64_t) 1 << 20)
/** Largest height or width of a map, a kernel, a stride or a padding. */
#define UB_NETWORK_MAX_EXTENT   ((int64_t) 1 << 20)
/** Most layers of a network. */
#define UB_NETWORK_MAX_LAYERS   ((int64_t) 1 << 20)

/** What a layer computes. Values are never renumbered. */
typedef enum ub_layer_kind {
    UB_LAYER_INPUT = 0,       /**< the images; only layer 0 */
    UB_LAYER_CONV = 1,        /**< convolution; depthwise when groups equals
                                   the input's channels */
    UB_LAYER_LINEAR = 2,      /**< fully connected; reads a map of 1 x 1 */
    UB_LAYER_BATCH_NORM = 3,  /**< with a scale and a shift per channel */
    UB_LAYER_RELU = 4,        /**< max(x, 0) */
    UB_LAYER_MAX_POOL = 5,    /**< maximum over windows */
    UB_LAYER_AVG_POOL = 6,    /**< mean over windows */
    UB_LAYER_GLOBAL_POOL = 7, /**< mean of each map; makes a map of 1 x 1 */
    UB_LAYER_ADD = 8,         /**< sum of inputs of the same shape */
    UB_LAYER_CONCAT = 9,      /**< inputs of the same map, by channels */
    UB_LAYER_FLATTEN = 10,    /**< channels * height * width channels, 1 x 1 */
    UB_LAYER_IDENTITY = 11,   /**< its input */
    UB_LAYER_MATMUL = 12      /**< products of two maps, channel by channel:
                                   height x width by height x width */
} ub_layer_kind;

/**
 * The name of a kind as files have it: "input", "conv", "linear",
 * "batch_norm", "relu", "max_pool", "avg_pool", "global_pool", "add",
 * "concat", "flatten", "identity", "matmul"; NULL for any other value.
 */
UB_API
const char *ub_layer_kind_str(int32_t kind);

/**
 * Description of a layer. Fill with ub_layer_init() first. What a kind does
 * not use is ignored.
 */
typedef struct ub_layer {
    size_t size;           /**< set by ub_layer_init() */
    int32_t kind;          /**< a ub_layer_kind */
    int32_t bias;          /**< conv, linear: 1 with a bias; 0 */
    int32_t count_padding; /**< avg_pool: 1 divides by the whole kernel always,
                                0 by the taps inside the map; 0 */
    int32_t round_up;      /**< conv and pools: 1 rounds the output extent up,
                                so that the last window may reach beyond the
                                map; 0 */
    int64_t out_channels;  /**< conv, linear: required; 0 */
    int64_t kernel_height; /**< conv and pools; 1 */
    int64_t kernel_width;  /**< conv and pools; 1 */
    int64_t stride;        /**< conv and pools, both ways; 1 */
    int64_t pad_height;    /**< conv and pools, rows above and below; 0 */
    int64_t pad_width;     /**< conv and pools, columns on both sides; 0 */
    int64_t dilation;      /**< conv, both ways; 1 */
    int64_t groups;        /**< conv: divides both channel counts; 1 */
    int64_t in_channels;   /**< with the next two a map of its own that the
                                layer reads, whatever its inputs make: they
                                only come before it; 0: its inputs' map */
    int64_t in_height;     /**< 0 with in_channels */
    int64_t in_width;      /**< 0 with in_channels */
    int32_t sparse_keep;   /**< conv, linear: of every sparse_block weights
                                along a window so many are stored; 0: dense */
    int32_t sparse_block;  /**< at least sparse_keep; 0 when dense */
    int32_t on_chip;       /**< 1: its input need not be loaded; 0 */
    int32_t transpose;     /**< matmul: 1 when the second map is width x height
                                of the product's operand; 0 */
} ub_layer;

/** Set every field to its default and the kind to the one given. */
UB_API
void ub_layer_init(ub_layer *layer, size_t size, ub_layer_kind kind);

/** What is known of a layer in a network. */
typedef struct ub_layer_info {
    size_t size;           /**< sizeof(ub_layer_info), set by the caller */
    const char *name;      /**< borrowed from the network */
    const ub_layer *layer; /**< borrowed from the network */
    int64_t in_channels;   /**< of the first input; concat: of all together;
                                input: as out_channels */
    int64_t in_height;     /**< of the first input */
    int64_t in_width;      /**< of the first input */
    int64_t out_channels;  /**< of the result */
    int64_t out_height;    /**< of the result */
    int64_t out_width;     /**< of the result */
    int64_t macs;          /**< multiply-accumulates per image of conv and
                                linear, bias excepted; 0 for all others */
    int64_t parameters;    /**< weights and biases; batch_norm: 2 per channel */
} ub_layer_info;

/**
 * Network: an acyclic graph of layers.
 *
 * Thread-safety: as its context; reading calls may run in several threads as
 * long as nobody adds layers.
 */
typedef struct ub_network ub_network;

/**
 * Create a network of one layer, the input, which is named "input".
 *
 * @param context   owns the memory
 * @param name      of the network: 1 to 255 bytes of UTF-8 without control
 *                  characters; copied
 * @param channels  of an image, 1 to UB_NETWORK_MAX_CHANNELS
 * @param height    of an image, 1 to UB_NETWORK_MAX_EXTENT
 * @param width     of an image, 1 to UB_NETWORK_MAX_EXTENT
 * @param[out] out  owned by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID  the name or a pointer is not usable
 * @retval UB_ERR_RANGE    an extent is out of its range
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_network_create(ub_context *context, const char *name,
                            int64_t channels, int64_t height, int64_t width,
                            ub_network **out);

/** Destroy a network and set the pointer to NULL; NULL is allowed. */
UB_API
void ub_network_destroy(ub_network **network);

/**
 * Add a layer behind all others. Its shape is computed and checked.
 *
 * The output extent of convolutions and pools is
 * (extent + 2 pad - dilation (kernel - 1) - 1) / stride + 1, rounded down.
 *
 * @param network         unchanged on failure
 * @param name            of the layer, unlike all others; as the network's
 * @param layer           description; copied
 * @param n_inputs        any number >= 1 for add and concat, 1 for all others
 * @param inputs          indices of earlier layers
 * @param[out] out_index  index of the new layer; may be NULL
 *
 * @retval UB_ERR_INVALID      a name is taken or unusable, a kind unknown, an
 *                             input no earlier layer, a field out of its range
 * @retval UB_ERR_SHAPE        inputs do not fit the layer or each other
 * @retval UB_ERR_RANGE        a limit above is exceeded, or MACs or parameters
 *                             of the network would overflow
 * @retval UB_ERR_UNSUPPORTED  layer has a field this library does not know
 * @retval UB_ERR_NOMEM        out of memory
 */
UB_API_CHECK
ub_status ub_network_add(ub_network *network, const char *name,
                         const ub_layer *layer, int64_t n_inputs,
                         const int64_t *inputs, int64_t *out_index);

/** The context the network was created in. */
UB_API
ub_context *ub_network_context(const ub_network *network);

/** Name of the network, borrowed. */
UB_API
const char *ub_network_name(const ub_network *network);

/** Number of layers, the input included. */
UB_API
int64_t ub_network_layers(const ub_network *network);

/**
 * Look at a layer.
 *
 * @param network   whose layer
 * @param index     0 to ub_network_layers() - 1
 * @param[out] out  .size set by the caller; its pointers are valid until the
 *                  next layer is added or the network is destroyed
 *
 * @retval UB_ERR_INVALID  no such layer, or out->size is not set
 */
UB_API_CHECK
ub_status ub_network_layer(const ub_network *network, int64_t index,
                           ub_layer_info *out);

/**
 * Inputs of a layer, borrowed; NULL with *n = 0 for the input and for an index
 * that does not exist. Valid until the network is destroyed.
 */
UB_API
const int64_t *ub_network_inputs(const ub_network *network, int64_t index,
                                 int64_t *n);

/** Index of the layer of that name, -1 when there is none. */
UB_API
int64_t ub_network_find(const ub_network *network, const char *name);

/** Multiply-accumulates per image of all layers. */
UB_API
int64_t ub_network_macs(const ub_network *network);

/** Parameters of all layers. */
UB_API
int64_t ub_network_parameters(const ub_network *network);

/** A network of its own with the same name and layers, in the same context. */
UB_API_CHECK
ub_status ub_network_copy(const ub_network *network, ub_network **out);

/**
 * The same network with all widths multiplied, except the image's channels and
 * the outputs of the last convolutions and linear layers, those that no other
 * convolution or linear layer follows. A convolution with one group per input
 * channel keeps one; other numbers of groups stay as they are.
 *
 * @param network   only read
 * @param factor    at least 1
 * @param[out] out  owned by the caller, in the same context; untouched on
 *                  failure
 *
 * @retval UB_ERR_INVALID  factor is below 1
 * @retval UB_ERR_SHAPE    a scaled and an unscaled map meet
 * @retval UB_ERR_RANGE    a layer becomes too large
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_network_scaled(const ub_network *network, int64_t factor,
                            ub_network **out);

/**
 * Read a network from a JSON file:
 *
 *     {
 *       "format": "uboost-network",
 *       "version": 1,
 *       "name": "tiny",
 *       "input": {"name": "input", "channels": 3, "height": 32, "width": 32},
 *       "layers": [
 *         {"name": "stem", "kind": "conv", "inputs": ["input"],
 *          "out_channels": 16, "kernel": [3, 3], "stride": 1,
 *          "padding": [1, 1], "dilation": 1, "groups": 1, "bias": false},
 *         {"name": "pool", "kind": "global_pool", "inputs": ["stem"]},
 *         {"name": "classes", "kind": "linear", "inputs": ["pool"],
 *          "out_channels": 10, "bias": true}
 *       ],
 *       "output": "classes"
 *     }
 *
 * Layers may come in any order. "kernel" and "padding" are height and width,
 * or one number for both. What has a default in ub_layer_init() may be left
 * out, "version" and "format" too; "output" is the last of the list by
 * default. "count_padding" is true or false. Keys that are not known are
 * ignored with a warning in the log.
 *
 * @param context   owns the memory
 * @param path      file of at most 64 MiB
 * @param[out] out  owned by the caller; untouched on failure
 *
 * @retval UB_ERR_IO      the file cannot be read
 * @retval UB_ERR_FORMAT  it is no such file: the text names file and layer
 * @retval UB_ERR_SHAPE   as ub_network_add()
 * @retval UB_ERR_RANGE   as ub_network_add(), or the file is too large
 * @retval UB_ERR_NOMEM   out of memory
 */
UB_API_CHECK
ub_status ub_network_read(ub_context *context, const char *path,
                          ub_network **out);

/** Write a network for ub_network_read(); the file is replaced as a whole. */
UB_API_CHECK
ub_status ub_network_write(const ub_network *network, const char *path);

/** Write the graph in the DOT language; the file is replaced as a whole. */
UB_API_CHECK
ub_status ub_network_write_dot(const ub_network *network, const char *path);

UB_END_DECLS

/** @} */

#endif
