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
/** Most bits of a quantized weight or input. */
#define UB_NETWORK_MAX_BITS     16

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
    UB_LAYER_MATMUL = 12,     /**< products of two maps, channel by channel:
                                   height x width by height x width */
    UB_LAYER_ZERO = 13,       /**< zeros, of its input's shape; with a map of
                                   its own, of that one's */
    UB_LAYER_CHANNEL_SHUFFLE = 14 /**< channel i of group g becomes channel
                                       i * groups + g */
} ub_layer_kind;

/**
 * The name of a kind as files have it: "input", "conv", "linear",
 * "batch_norm", "relu", "max_pool", "avg_pool", "global_pool", "add",
 * "concat", "flatten", "identity", "matmul", "zero", "channel_shuffle"; NULL
 * for any other value.
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
    int64_t groups;        /**< conv, channel_shuffle: divides the channel
                                counts; 1 */
    int64_t in_channels;   /**< with the next two a map of its own that the
                                layer reads, whatever its inputs make: they
                                only come before it, any number of them; all
                                kinds but input, add, concat and matmul; 0: its
                                input's map */
    int64_t in_height;     /**< 0 with in_channels */
    int64_t in_width;      /**< 0 with in_channels */
    int32_t sparse_keep;   /**< conv, linear: of every sparse_block weights
                                along a window so many are stored; 0: dense */
    int32_t sparse_block;  /**< at least sparse_keep; 0 when dense */
    int32_t on_chip;       /**< 1: its input need not be loaded; 0 */
    int32_t transpose;     /**< matmul: 1 when the second map is width x height
                                of the product's operand; 0 */
    int32_t weight_bits;   /**< conv: bits of its weights, 1 to
                                UB_NETWORK_MAX_BITS; 0 or 32: float; 0 */
    int32_t input_bits;    /**< conv: bits of what it reads; likewise; 0 */
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
    int64_t macs;          /**< multiply-accumulates per image of conv, linear
                                and matmul, bias excepted; 0 for all others */
    int64_t parameters;    /**< weights and biases; batch_norm: 2 per channel */
} ub_layer_info;

/**
 * Network: an acyclic graph of layers.
 *
 * Thread-safety: as its context; but as long as nobody adds layers, several
 * threads may ask at once what cannot fail, and ub_network_layer() for layers
 * that exist. Failures write to the context; copies and files need its memory.
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
 * (extent + 2 pad - dilation (kernel - 1) - 1) / stride + 1, rounded down, or
 * up with `round_up`.
 *
 * UB_LAYER_MATMUL reads a, of C x M x K as channels, height and width, and b,
 * of C x K x N, or C x N x K with `transpose`; its result is C x M x N, its
 * MACs are C M K N.
 *
 * @param network         unchanged on failure
 * @param name            of the layer, unlike all others; as the network's
 * @param layer           description; copied
 * @param n_inputs        any number >= 1 for add, concat and layers with a map
 *                        of their own; 2 for matmul; 1 for all others
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

/**
 * The same network with bit widths for its convolutions. As Auto-NBA has it,
 * the stem and the head stay as they are, and so does the classifier, which
 * is no convolution: convolutions that no other one comes before, and one of 1
 * x 1 that all other convolutions come before, if there is such a one.
 *
 * @param network      only read
 * @param weight_bits  as in ub_layer
 * @param input_bits   as in ub_layer
 * @param[out] out     owned by the caller, in the same context; untouched on
 *                     failure
 *
 * @retval UB_ERR_INVALID  a number of bits is negative, or network or out NULL
 * @retval UB_ERR_RANGE    a number of bits is too large
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_network_quantized(const ub_network *network, int32_t weight_bits,
                               int32_t input_bits, ub_network **out);

/** A network of its own with the same name and layers, in the same context. */
UB_API_CHECK
ub_status ub_network_copy(const ub_network *network, ub_network **out);

/**
 * The same network with all widths multiplied, except the image's channels and
 * the outputs of the last convolutions and linear layers, those that no other
 * convolution or linear layer follows. A convolution with one group per input
 * channel does not count among these: it keeps one group per channel of what it
 * reads, and as many results per channel, so that a convolution that only such
 * ones follow keeps its width, and so do they. Other numbers of groups stay as
 * they are. The channels of a layer's own map are multiplied when those of its
 * first input are.
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
 * default. "count_padding", "round_up", "on_chip" and "transpose" are true or
 * false; "in_shape" is a layer's own map as [channels, height, width], and
 * "sparsity" is [sparse_keep, sparse_block]; "bits" is [weight_bits,
 * input_bits], or one number for both. Keys that are not known are ignored with
 * a warning in the log.
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

/* -- SCALE-Sim's topologies ------------------------------------------------ */

/** Which columns a topology has. Values are never renumbered. */
typedef enum ub_topology_form {
    UB_TOPOLOGY_AUTO = 0, /**< by the header, or else by the first row: eight
                               fields or more are a convolution, up to five a
                               product of matrices, six or seven nothing,
                               nor are more than nine below other names;
                               not for writing */
    UB_TOPOLOGY_CONV = 1, /**< name, ifmap height, ifmap width, filter height,
                               filter width, channels, num filter, strides */
    UB_TOPOLOGY_GEMM = 2  /**< name, M, N, K */
} ub_topology_form;

/** Settings of ub_network_read_topology(). Fill with
 * ub_topology_options_init() first. */
typedef struct ub_topology_options {
    size_t size;       /**< set by ub_topology_options_init() */
    int32_t form;      /**< a ub_topology_form; UB_TOPOLOGY_AUTO */
    int32_t expand_dp; /**< rows with "DP" in their name: 0 one depthwise layer;
                            1 as SCALE-Sim, one layer for each channel; 0 */
} ub_topology_options;

/** Set every field to its default. */
UB_API
void ub_topology_options_init(ub_topology_options *options, size_t size);

/**
 * Read a topology of SCALE-Sim, a file of comma-separated values with one layer
 * in each row.
 *
 * Each row becomes a convolution with a map of its own (`in_channels` and so
 * on) and `round_up`, for SCALE-Sim computes the output extent as
 * ceil((extent - filter + stride) / stride). It reads the layer of the row
 * before, the first row reads the input, whose shape is that of the first
 * row's map. A row of the GEMM form becomes a convolution with an ifmap of M x
 * K, one channel, N filters of 1 x K. The network is named after the file.
 *
 * A line is skipped when it is blank, has nothing but commas, or begins with
 * '#'; a field that begins with '#' ends its row. Lines end in LF or CR LF; a
 * comma at the end of a line and a byte-order mark may be there. Fields may be
 * quoted ("" is a quote inside). When the first line has tabs and no comma,
 * tabs separate the fields.
 *
 * The first line is a header when two of its fields name columns, or when none
 * but the first is empty or begins with a digit (SCALE-Sim skips it whatever
 * it says). Names are compared without case, blanks, '_' and '-'. When the
 * header names all columns of its form once, they may be in any order; the
 * file is refused when it names those of the other form; otherwise they are as
 * in ub_topology_form. More columns, by name:
 *
 * | column                             | meaning                             |
 * |------------------------------------|-------------------------------------|
 * | Sparsity, Sparsity Ratio, N:M      | `sparse_keep`:`sparse_block`; empty |
 * |                                    | or 1 or 1:1: dense; without a name, |
 * |                                    | the first column behind the others, |
 * |                                    | where another number is ignored     |
 * | Pad, Padding                       | both paddings; conv only            |
 * | Pad Height, Pad Width, Pad H, ...  | one of them; conv only              |
 * | Dilation                           | conv only                           |
 * | Groups                             | conv only: channels are those of    |
 * |                                    | all groups, filters too             |
 * | Batch, Batch Size                  | images; all rows must agree         |
 *
 * A field that is empty or missing there has its default. Other columns are
 * ignored with a warning in the log.
 *
 * A row of the convolution form with "DP" in its name and no groups is a
 * depthwise convolution. SCALE-Sim makes `channels` layers of one channel and
 * `num filter` filters each out of it, and so does `expand_dp`, which names
 * them "name.0", "name.1", ... Otherwise it becomes one layer with `channels`
 * groups and channels * num filter results: the same products.
 *
 * Without a header, a first row that begins with "conv", "gemm" or
 * "activation" makes the file one of Krittika's, where this word tells each
 * row's form (gemm: M, N, K) and "activation" becomes UB_LAYER_RELU, or
 * UB_LAYER_IDENTITY with a warning when it is not relu.
 *
 * A name that was there before gets ":" and the number of its line behind it;
 * a row without a name is called "layer:" and that number.
 *
 * @param context         owns the memory
 * @param path            file of at most 64 MiB
 * @param options         NULL: the defaults
 * @param[out] out        owned by the caller; untouched on failure
 * @param[out] out_batch  images, 1 without such a column; NULL: a file with
 *                        another batch is refused
 *
 * @retval UB_ERR_INVALID      a pointer or an option is not usable
 * @retval UB_ERR_IO           the file cannot be read
 * @retval UB_ERR_FORMAT       it is no such file, a size is missing, no number
 *                             or 0: the text names file, line and column
 * @retval UB_ERR_SHAPE        a filter is larger than its map, or as
 *                             ub_network_add(): the text names file and line
 * @retval UB_ERR_RANGE        as ub_network_add(), or the file is too large
 * @retval UB_ERR_UNSUPPORTED  a batch, and no out_batch
 * @retval UB_ERR_NOMEM        out of memory
 */
UB_API_CHECK
ub_status ub_network_read_topology(ub_context *context, const char *path,
                                   const ub_topology_options *options,
                                   ub_network **out, int64_t *out_batch);

/**
 * Write the convolutions, linear layers and matrix products of a network as a
 * topology that SCALE-Sim and ub_network_read_topology() read; the file is
 * replaced as a whole. Layers that compute no products are left out.
 *
 * With UB_TOPOLOGY_CONV, a linear layer is a 1 x 1 convolution on a map of 1 x
 * 1; a product of matrices has a row for each channel, written as the GEMM form
 * is read. Padding is added to the map, and what no window reaches is taken
 * from it, so that SCALE-Sim computes the same output extent. When some layer
 * is sparse there is a column for it, and when some has a dilation or groups,
 * columns of these names behind it, which SCALE-Sim does not read. With
 * UB_TOPOLOGY_GEMM, each group is a row of M, N and K. Rows of one layer are
 * called "name.0", "name.1", ...
 *
 * Commas, quotes and '#' in names are written as '_', and "DP" as "Dp".
 *
 * @param network  only read
 * @param path     of the file
 * @param form     UB_TOPOLOGY_CONV or UB_TOPOLOGY_GEMM
 *
 * @retval UB_ERR_INVALID  a pointer or the form is not usable
 * @retval UB_ERR_RANGE    more than UB_NETWORK_MAX_LAYERS rows
 * @retval UB_ERR_IO       the file cannot be written
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_network_write_topology(const ub_network *network, const char *path,
                                    ub_topology_form form);

/* -- csim's networks ------------------------------------------------------- */

/** How a network of csim is cut into tiles. Fill with ub_csim_tiling_init()
 * first. */
typedef struct ub_csim_tiling {
    size_t size;       /**< set by ub_csim_tiling_init() */
    int64_t tile_m;    /**< rows of an input tile, up to 2^40; 128 */
    int64_t tile_k;    /**< rows of a weight tile, up to 2^40; 128 */
    int64_t tile_n;    /**< columns of a weight tile, up to 2^40; 128 */
    int64_t no_repeat; /**< times that the layers run, up to 2^31 - 1; 1 */
    int64_t batch;     /**< writing: images; reading: 1, for M contains it; 1 */
} ub_csim_tiling;

/** Set every field to its default, the U-Boost paper's. */
UB_API
void ub_csim_tiling_init(ub_csim_tiling *tiling, size_t size);

/**
 * Read a network of csim, the simulator of the SOSA compiler:
 *
 *     {
 *       "order": ["images", "c"],
 *       "layers": {
 *         "images": {"gemm_op": null, "deps": [], "raw_input": 1,
 *                    "layer_type": "InputLayer"},
 *         "c": {"layer_type": "Conv2D", "deps": ["images"], "raw_input": 1,
 *               "gemm_op": {
 *                 "input_size": [64, 144], "weight_size": [144, 32],
 *                 "kernel_size": [3, 3], "no_tiles": [1, 2, 1],
 *                 "x_tile_dim": {"0": {"0": [64, 128], "1": [64, 16]}},
 *                 "w_tile_dim": {"0": {"0": [128, 32]}, "1": {"0": [16, 32]}}
 *               }}
 *       },
 *       "no_repeat": 1
 *     }
 *
 * input_size is [M, K], weight_size [K, N]; no_tiles counts the tiles along M,
 * K and N; x_tile_dim[i][j] are rows and columns of an input tile,
 * w_tile_dim[j][k] of a weight tile, both objects or arrays.
 *
 * Taken as well: several models, as the members of an object, as the elements
 * of an array or as those under "cases", with a "name" or a "tag"; "layers" as
 * an array of objects with a "name"; "order" left out, which then is that of
 * "layers"; sizes as "M", "K", "N" and "kernel" of the layer instead of
 * "gemm_op" and "type" instead of "layer_type", a layer whose type is null
 * having no product; tiles left out, with or without "partition_MKN": [M, K,
 * N] of the model; "raw_input" left out for 1, "deps" for none, "no_repeat"
 * for 1. Other keys are not looked at.
 *
 * A layer with a product becomes a convolution with a map of its own such that
 * ub_layer_gemm() gives M, K and N, and that has the kernel's area, which csim
 * divides the size of input tiles by: kernel_size of a layer whose layer_type
 * is Conv2D or left out, 1 x 1 for all others. The map is M x 1 (or as
 * square as divisors of M allow when M is above UB_NETWORK_MAX_EXTENT) with
 * K / (k1 k2) channels and padding that keeps the extent; where the kernel is
 * even, the map is larger instead. A layer without product becomes
 * UB_LAYER_IDENTITY, with the first of its inputs' map; the first of all
 * becomes the network's input when it comes without deps. Depthwise
 * convolutions are a layer for each channel in csim, and stay so. `on_chip` is
 * set when raw_input is 0. `deps`, which must come before it, become inputs; a
 * layer without any reads the network's input.
 *
 * @param context         owns the memory
 * @param path            file of at most 64 MiB
 * @param model           name of one of several models; NULL: the first
 * @param[out] out        owned by the caller; untouched on failure
 * @param[out] out_tiling  .size set by the caller; may be NULL. Tile sizes are
 *                        those of the largest tiles, 0 where the file does not
 *                        tell
 *
 * @retval UB_ERR_INVALID      a pointer or size is not usable
 * @retval UB_ERR_IO           the file cannot be read
 * @retval UB_ERR_FORMAT       it is no such file, has no such model, or sizes
 *                             contradict each other: the text names the layer
 * @retval UB_ERR_RANGE        a size is too large, or the file is
 * @retval UB_ERR_UNSUPPORTED  tiles that are not all of one size, the last of
 *                             each direction excepted
 * @retval UB_ERR_NOMEM        out of memory
 */
UB_API_CHECK
ub_status ub_network_read_csim(ub_context *context, const char *path,
                               const char *model, ub_network **out,
                               ub_csim_tiling *out_tiling);

/**
 * Write a network for csim and ub_network_read_csim(), as one model; the file
 * is replaced as a whole. A layer of several products (groups, or the channels
 * of matmul) becomes as many, "name.0", "name.1", ..., and one without product
 * that waits for them and has its name. Layers without product have a gemm_op
 * of null, so that who reads them still waits for what they read.
 *
 * @param network  only read
 * @param path     of the file
 * @param tiling   NULL: the defaults
 *
 * @retval UB_ERR_INVALID      a pointer or a size is not usable, or a layer is
 *                             called as a part of another
 * @retval UB_ERR_UNSUPPORTED  tiling has a field this library does not know
 * @retval UB_ERR_RANGE        more than UB_NETWORK_MAX_LAYERS layers or tiles,
 *                             or a product of more than 2^40 rows or columns
 * @retval UB_ERR_IO           the file cannot be written
 * @retval UB_ERR_NOMEM        out of memory
 */
UB_API_CHECK
ub_status ub_network_write_csim(const ub_network *network, const char *path,
                                const ub_csim_tiling *tiling);

UB_END_DECLS

/** @} */

#endif
