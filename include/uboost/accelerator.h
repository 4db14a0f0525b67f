/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_ACCELERATOR_H
#define UBOOST_ACCELERATOR_H

#include <uboost/hardware.h>

/**
 * @file
 * @defgroup accelerator accelerator
 * Accelerators as search spaces: what they cost, and the best of them for a
 * network.
 *
 * There are two families. A *chunk pipeline* is the template of Auto-NBA on an
 * FPGA: specialised sub-accelerators, the chunks, each of which computes all
 * layers of one kind, resolution and bit width; images stream through them, so
 * that the slowest chunk sets the throughput. A *systolic array* is the machine
 * of `utilization` and `systolic`; its space is at the end of this file.
 *
 * Source of the pipeline: Fu, Zhang, Zhang, Cox, Lin, "Auto-NBA: Efficient and
 * Effective Search Over the Joint Space of Networks, Bitwidths, and
 * Accelerators", ICML 2021 (arXiv 2106.06575), and its public code, whose model
 * comes from the same group's DNA (arXiv 2010.14778).
 *
 * A chunk is described by its *configuration*, UB_CHUNK_FIELDS integers: a mode
 * of parallelism; the tile of rows Tr, columns Tc, output channels Tm and input
 * channels Tn that it holds; and how far each of these is unrolled: pr, pc, pm,
 * pn, none beyond its tile. The configuration of a pipeline is that of its
 * chunks one after the other.
 *
 * For a layer of N input and M output channels, an output map of R x C, a
 * kernel of K1 x K2 and q bits, with s = q / 16, the words of 16 bits that a
 * value is, cl(v) = max(min(4, v), 2), the words that v banks move in a cycle,
 * and H x W the input of a tile, a tile takes these cycles:
 *
 *     standard     computing   Tr Tc Tm Tn K1 K2 / P
 *                              P = pm, pm pn or pr in mode 0, 1 or 2
 *                  inputs      ceil(Tn W H / cl(pn)) s; mode 2: cl(H)
 *                  weights     ceil(Tm Tn K1 K2 / cl(pm)) s; mode 2: Tm Tn K2 s
 *     depthwise    computing   Tr Tc Tm K1 K2 / P
 *                              P = pm or pr in mode 0 or 1
 *                  inputs      ceil(Tm W H / cl(pm)) s
 *                  weights     ceil(Tm K1 K2 / cl(pm)) s; mode 1: Tm K2 s
 *     both         results     (ceil(Tm Tr Tc / cl(x)) + Tr Tc Tm / x) s
 *                              x = pr in the last mode, pm otherwise
 *
 * and a layer takes, on a standard and on a depthwise chunk,
 *
 *     ((max(computing, inputs) + weights) N/Tn + results) (R/Tr) (C/Tc) (M/Tm)
 *     (max(computing, inputs) + weights + results) (R/Tr) (C/Tc) (M/Tm)
 *
 * cycles. It needs P q / 16 DSPs, and blocks of memory, where blk(w) = ceil(w q
 * / block_bits):
 *
 *     standard 0, 1    2 pn blk(H W Tn / pn) + pm blk(Tr Tc Tm / pm)
 *     standard 2       2 H blk(W Tn) + pr blk(Tc Tm) + K1 blk(K2 Tm Tn)
 *     depthwise 0      2 pm blk(H W Tm / pm) + pm blk(Tr Tc Tm / pm)
 *     depthwise 1      2 H blk(W Tn) + pr blk(Tc Tm) + K1 blk(K2 Tm)
 *
 * A chunk takes the sum of its layers' cycles and the maximum of their DSPs and
 * blocks; the pipeline takes the maximum of the cycles, the bottleneck, and the
 * sums of the rest over the chunks that have layers. Frames per second are
 * clock / bottleneck.
 *
 * This is UB_ACCELERATOR_REFERENCE, the public code to the last digit, with H =
 * max(pr + K1 - 1, Tr), W = max(pc + K2 - 1, Tc). UB_ACCELERATOR_CORRECTED
 * mends what is wrong with it.
 *
 * Geometry, in ub_workload_fbnet():
 *
 * - 22 blocks and their widths are constants, one of them not the network's.
 *   Corrected: layers are those of the network, of any network.
 * - A skip leaves its bit width to the next block. Each block has its own.
 * - A skip costs nothing even where it is a strided or widening convolution. It
 *   costs what it is.
 * - A strided block expands at the size of its output. At that of its input.
 * - EDD: the second block reads 32 channels where the first makes 16. Its
 *   network is ImageNet's here, in both settings.
 *
 * Cycles:
 *
 * - Numbers of tiles are fractions. They are rounded up, N / Tn too.
 * - A tile beyond the map or the channels pays off, for it is computed in part.
 *   Work ends with the layer; memory is what was built.
 * - Unrolls count in full where they do not divide their tile: Tr Tc Tm Tn / P
 *   has ceil(T / p) for each dimension that is unrolled, and Tr Tc Tm / x is
 *   rounded up. Not mended: transfers, and results on their way out, go through
 *   all that was built, also through what the work does not reach, which speeds
 *   up a layer of fewer channels than its chunk has lanes for.
 * - The input of a tile has pr + K1 - 1 rows. It has (Tr - 1) stride + K1, of
 *   which those of the map are loaded; columns alike.
 *
 * Resources:
 *
 * - Modes 0 and 1 of standard and mode 0 of depthwise chunks have no memory for
 *   weights. They have pm blk(Tm Tn K1 K2 / pm), depthwise pm blk(Tm K1 K2 /
 *   pm), more.
 * - Depthwise mode 1 holds inputs of Tn channels, which is 1: 2 H blk(W Tm).
 * - DSPs come in fractions. They are rounded up for each chunk.
 * - Copies of the pipeline are computed and then dropped: `max_replicas`.
 *
 * Search, in both settings:
 *
 * - Chunks without layers are arbitrary, and may not fit the next network. They
 *   become the smallest there is.
 * - The best is forgotten between calls, state is global, samples beyond the
 *   limits end the process when all are: see ub_accelerator_search.
 * - A network of skips alone divides by zero: UB_ERR_INVALID.
 * - The cost of a network is the sum of its blocks, though the slowest chunk
 *   sets the throughput. Results tell the slowest chunk, and
 *   ub_accelerator_chunk_of() whose layers are on it.
 *
 * Not taken for a defect: bits save DSPs and transfers, not cycles of
 * computing, for that is what q / 16 of a DSP for each product says; and a
 * budget of each chunk's own, which the reference has variables for but never
 * fills.
 *
 * What is priced has no memory of its own, except where said otherwise, and
 * objects are only changed by functions that take them without const.
 * @{
 */

UB_BEGIN_DECLS

/* -- workloads ------------------------------------------------------------- */

/** Most layers of a workload. */
#define UB_WORKLOAD_MAX_LAYERS   ((int64_t) 1 << 16)
/** Largest extent and channel count of a layer, and number of groups. */
#define UB_WORKLOAD_MAX_SIZE     ((int64_t) 1 << 20)
/** Most bits of a value. */
#define UB_WORKLOAD_MAX_BITS     ((int64_t) 64)
/** Blocks of Auto-NBA's networks. */
#define UB_WORKLOAD_FBNET_BLOCKS ((int64_t) 22)

/** A convolution as accelerators see it. Fill with ub_workload_layer_init()
 * first. */
typedef struct ub_workload_layer {
    size_t size;           /**< set by ub_workload_layer_init() */
    int64_t in_channels;   /**< of each group; depthwise: 1; 1 */
    int64_t out_channels;  /**< of each group; depthwise: of all; 1 */
    int64_t in_height;     /**< 1 */
    int64_t in_width;      /**< 1 */
    int64_t out_height;    /**< 1 */
    int64_t out_width;     /**< 1 */
    int64_t kernel_height; /**< 1 */
    int64_t kernel_width;  /**< 1 */
    int64_t stride;        /**< both ways; 1 */
    int64_t groups;        /**< computed one after the other; depthwise: 1; 1 */
    int64_t block;         /**< of the network, that the layer belongs to, below
                                UB_WORKLOAD_MAX_LAYERS; 0 */
    int32_t depthwise;     /**< 1: one filter for each channel; 0 */
    int32_t bits;          /**< of weights, inputs and results; 16 */
} ub_workload_layer;

/** Set every field to its default. */
UB_API
void ub_workload_layer_init(ub_workload_layer *layer, size_t size);

/**
 * The layers that an accelerator has to compute for one image.
 *
 * Thread-safety: as its context; reading calls may run in several threads as
 * long as nobody adds layers.
 */
typedef struct ub_workload ub_workload;

/** Create a workload without layers. */
UB_API_CHECK
ub_status ub_workload_create(ub_context *context, ub_workload **out);

/** Destroy a workload and set the pointer to NULL; NULL is allowed. */
UB_API
void ub_workload_destroy(ub_workload **workload);

/**
 * Add a layer.
 *
 * @param workload  unchanged on failure
 * @param layer     copied
 *
 * @retval UB_ERR_INVALID      a field is out of its range
 * @retval UB_ERR_UNSUPPORTED  layer has a field this library does not know
 * @retval UB_ERR_RANGE        there are UB_WORKLOAD_MAX_LAYERS already
 * @retval UB_ERR_NOMEM        out of memory
 */
UB_API_CHECK
ub_status ub_workload_add(ub_workload *workload,
                          const ub_workload_layer *layer);

/** Number of layers. */
UB_API
int64_t ub_workload_layers(const ub_workload *workload);

/** Number of blocks: one more than the highest of a layer, and at least as many
 * as ub_workload_add_block() added. */
UB_API
int64_t ub_workload_blocks(const ub_workload *workload);

/**
 * Look at a layer.
 *
 * @param workload  whose layer
 * @param index     0 to ub_workload_layers() - 1
 * @param[out] out  .size set by the caller
 *
 * @retval UB_ERR_INVALID  no such layer, or out->size is not set
 */
UB_API_CHECK
ub_status ub_workload_layer_get(const ub_workload *workload, int64_t index,
                                ub_workload_layer *out);

/**
 * The convolutions and linear layers of a network, as they are: true widths,
 * strides and maps. A linear layer is a 1 x 1 convolution of one pixel; a
 * convolution with groups is as many smaller ones, unless it is depthwise.
 *
 * @param network   only read
 * @param bits      of each layer; 0: not on the accelerator, such as those that
 *                  stay in floating point; NULL: 16 for each
 * @param blocks    that each layer belongs to; NULL: the layer's own index
 * @param n         number of elements of bits and blocks, at least
 *                  ub_network_layers(); ignored when both are NULL
 * @param[out] out  owned by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID      an argument is unusable, or a size, bits or a
 *                             block out of range
 * @retval UB_ERR_UNSUPPORTED  a UB_LAYER_MATMUL or a dilation has bits
 * @retval UB_ERR_RANGE        more than UB_WORKLOAD_MAX_LAYERS layers
 * @retval UB_ERR_NOMEM        out of memory
 */
UB_API_CHECK
ub_status ub_workload_from_network(const ub_network *network,
                                   const int32_t *bits, const int64_t *blocks,
                                   int64_t n, ub_workload **out);

/** Whose geometry and formulas: see the top of this file. */
typedef enum ub_accelerator_setting {
    UB_ACCELERATOR_REFERENCE = 0, /**< the public code of Auto-NBA */
    UB_ACCELERATOR_CORRECTED = 1  /**< its defects mended */
} ub_accelerator_setting;

/** What was published for which data. */
typedef enum ub_accelerator_preset {
    UB_ACCELERATOR_CIFAR = 0,    /**< maps of 32 x 32 */
    UB_ACCELERATOR_IMAGENET = 1, /**< maps of 224 x 224 */
    UB_ACCELERATOR_EDD = 2       /**< ImageNet's with up to 16 channels of
                                      large maps; as a network: ImageNet's */
} ub_accelerator_preset;

/** Operators of a block of Auto-NBA, in the order of its logits: the kernel,
 * by how much the first convolution widens, the groups of 1 x 1 ones. */
typedef enum ub_fbnet_operator {
    UB_FBNET_K3_E1 = 0,    /**< "k3_e1" */
    UB_FBNET_K3_E1_G2 = 1, /**< "k3_e1_g2" */
    UB_FBNET_K3_E3 = 2,    /**< "k3_e3" */
    UB_FBNET_K3_E6 = 3,    /**< "k3_e6" */
    UB_FBNET_K5_E1 = 4,    /**< "k5_e1" */
    UB_FBNET_K5_E1_G2 = 5, /**< "k5_e1_g2" */
    UB_FBNET_K5_E3 = 6,    /**< "k5_e3" */
    UB_FBNET_K5_E6 = 7,    /**< "k5_e6" */
    UB_FBNET_SKIP = 8      /**< "skip": nothing, or a 1 x 1 convolution where
                                the shape changes */
} ub_fbnet_operator;

/** Name of an operator; NULL otherwise. */
UB_API
const char *ub_fbnet_operator_name(int32_t op);

/** A block: 1 x 1 convolution, depthwise convolution, 1 x 1 convolution. Sizes
 * go up to UB_WORKLOAD_MAX_SIZE / 6. Fill with ub_workload_block_init() first.
 */
typedef struct ub_workload_block {
    size_t size;          /**< set by ub_workload_block_init() */
    int64_t in_channels;  /**< 1 */
    int64_t out_channels; /**< 1 */
    int64_t height;       /**< of the input; 1 */
    int64_t width;        /**< of the input; 1 */
    int64_t stride;       /**< of the depthwise convolution; 1 */
    int32_t op;           /**< a ub_fbnet_operator; UB_FBNET_SKIP */
    int32_t bits;         /**< of all its convolutions; 16 */
} ub_workload_block;

/** Set every field to its default. */
UB_API
void ub_workload_block_init(ub_workload_block *block, size_t size);

/**
 * Add the layers of a block, as they are: a map of odd extent is padded, so
 * that outputs are ceil(extent / stride). The layers' block is the number of
 * blocks there were; a skip that does nothing has no layers but counts.
 *
 * @param workload  unchanged on failure
 * @param block     copied
 *
 * @retval UB_ERR_INVALID      a field is out of its range
 * @retval UB_ERR_SHAPE        groups do not divide the channels
 * @retval UB_ERR_UNSUPPORTED  block has a field this library does not know
 * @retval UB_ERR_RANGE        too many layers
 * @retval UB_ERR_NOMEM        out of memory
 */
UB_API_CHECK
ub_status ub_workload_add_block(ub_workload *workload,
                                const ub_workload_block *block);

/**
 * The searchable blocks of a network of Auto-NBA (16; 4 x 24, 32, 64, 112, 184;
 * 352 channels), without stem, header and classifier.
 *
 * @param context    owns the memory
 * @param preset     a ub_accelerator_preset
 * @param setting    a ub_accelerator_setting. The reference's geometry has 192
 *                   channels instead of 184, the block's output map for all its
 *                   layers, nothing for a skip, the bits of earlier blocks
 *                   behind a skip, and two layers for a convolution of two
 *                   groups
 * @param operators  UB_WORKLOAD_FBNET_BLOCKS of ub_fbnet_operator
 * @param bits       of each block
 * @param[out] out   owned by the caller; untouched on failure; without layers
 *                   when there are skips only
 *
 * @retval UB_ERR_INVALID  an argument is out of its range
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_workload_fbnet(ub_context *context, int32_t preset,
                            int32_t setting, const int32_t *operators,
                            const int32_t *bits, ub_workload **out);

/* -- chunk pipelines ------------------------------------------------------- */

/** Chunks by what they compute; "small" are maps below `large_extent`. */
typedef enum ub_chunk_family {
    UB_CHUNK_STANDARD_LARGE = 0,  /**< "a0" */
    UB_CHUNK_STANDARD_SMALL = 1,  /**< "a1" */
    UB_CHUNK_DEPTHWISE_LARGE = 2, /**< "dwa0" */
    UB_CHUNK_DEPTHWISE_SMALL = 3, /**< "dwa1" */
    UB_CHUNK_FAMILIES = 4         /**< how many there are */
} ub_chunk_family;

/** Fields of a chunk's configuration. */
typedef enum ub_chunk_field {
    UB_CHUNK_MODE = 0,           /**< standard: 0 output channels, 1 output and
                                      input channels, 2 output rows; depthwise:
                                      0 channels, 1 rows */
    UB_CHUNK_TILE_ROWS = 1,      /**< Tr */
    UB_CHUNK_TILE_COLUMNS = 2,   /**< Tc */
    UB_CHUNK_TILE_OUT = 3,       /**< Tm */
    UB_CHUNK_TILE_IN = 4,        /**< Tn; depthwise: 1 */
    UB_CHUNK_UNROLL_ROWS = 5,    /**< pr */
    UB_CHUNK_UNROLL_COLUMNS = 6, /**< pc */
    UB_CHUNK_UNROLL_OUT = 7,     /**< pm */
    UB_CHUNK_UNROLL_IN = 8,      /**< pn; depthwise: 1 */
    UB_CHUNK_FIELDS = 9          /**< how many there are */
} ub_chunk_field;

/** Most values that a tile or unroll may have. */
#define UB_CHUNK_MAX_VALUES     16
/** Most bit widths. */
#define UB_CHUNK_MAX_BITS       8
/** Largest tile. */
#define UB_CHUNK_MAX_TILE       4096
/** Most blocks of memory. */
#define UB_ACCELERATOR_MAX_BRAM ((int64_t) 1 << 16)

/** What the chunks of a family may be like: values for rows, columns, output
 * and input channels, of tiles and unrolls alike. */
typedef struct ub_chunk_space {
    int32_t lengths[4]; /**< values of each, 1 to UB_CHUNK_MAX_VALUES */
    int32_t values[4][UB_CHUNK_MAX_VALUES]; /**< descending, 1 to
                                                 UB_CHUNK_MAX_TILE */
    int32_t modes;                          /**< bit m: mode m is allowed */
    int32_t reserved;                       /**< 0 */
} ub_chunk_space;

/** A space of pipelines. Fill with ub_accelerator_options_init() first. */
typedef struct ub_accelerator_options {
    size_t size;          /**< set by ub_accelerator_options_init() */
    double clock_hz;      /**< 200e6 */
    double dsp_limit;     /**< above 0; infinity: none; 900 */
    int64_t bram_limit;   /**< up to UB_ACCELERATOR_MAX_BRAM; 700 */
    int64_t block_bits;   /**< of a block of memory; 18000 */
    int64_t large_extent; /**< least output height of a large map; 16, of
                               ImageNet 28 */
    int64_t max_replicas; /**< most copies of the pipeline, each with images of
                               its own; as many as the limits allow; 1 */
    int32_t setting;      /**< a ub_accelerator_setting;
                               UB_ACCELERATOR_CORRECTED */
    int32_t bit_widths;   /**< how many there are; 3 */
    int32_t bits[UB_CHUNK_MAX_BITS];            /**< all different; 4, 6, 8 */
    ub_chunk_space families[UB_CHUNK_FAMILIES]; /**< the published ones, all
                                                     modes */
} ub_accelerator_options;

/**
 * Set every option to its default.
 *
 * @param options  options to fill
 * @param size     sizeof(*options) as the caller sees it
 * @param preset   a ub_accelerator_preset; others: UB_ACCELERATOR_CIFAR
 */
UB_API
void ub_accelerator_options_init(ub_accelerator_options *options, size_t size,
                                 int32_t preset);

/** Allow one mode only where a family has it: the published searches fix mode
 * 1. */
UB_API
void ub_accelerator_options_fix_mode(ub_accelerator_options *options,
                                     int32_t mode);

/**
 * A space of pipelines: for each bit width a chunk of each family, chunk 4 b +
 * f for bit width b and family f. Never changes.
 *
 * Thread-safety: may be read from several threads; functions that can fail take
 * its context for the error.
 */
typedef struct ub_accelerator ub_accelerator;

/**
 * Create a space.
 *
 * @param context   owns the memory
 * @param options   NULL: the defaults of UB_ACCELERATOR_CIFAR
 * @param[out] out  owned by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID      an option is out of its range
 * @retval UB_ERR_UNSUPPORTED  a field is set that this library does not know
 * @retval UB_ERR_NOMEM        out of memory
 */
UB_API_CHECK
ub_status ub_accelerator_create(ub_context *context,
                                const ub_accelerator_options *options,
                                ub_accelerator **out);

/** Destroy a space and set the pointer to NULL; NULL is allowed. */
UB_API
void ub_accelerator_destroy(ub_accelerator **accelerator);

/** Number of chunks. Configurations have UB_CHUNK_FIELDS integers for each. */
UB_API
int64_t ub_accelerator_chunks(const ub_accelerator *accelerator);

/** What a chunk is for. */
typedef struct ub_chunk_info {
    size_t size;    /**< sizeof(ub_chunk_info), set by the caller */
    char name[24];  /**< such as "dwa0q8" */
    int32_t family; /**< a ub_chunk_family */
    int32_t bits;   /**< of its layers */
} ub_chunk_info;

/** Look at chunk `index`; UB_ERR_INVALID if there is none or out->size is not
 * set. */
UB_API_CHECK
ub_status ub_accelerator_chunk(const ub_accelerator *accelerator, int64_t index,
                               ub_chunk_info *out);

/** The chunk that computes a layer; -1 when there is no such layer or its bit
 * width is not among those of the space. */
UB_API
int64_t ub_accelerator_chunk_of(const ub_accelerator *accelerator,
                                const ub_workload *workload, int64_t layer);

/** What a layer costs on a chunk; the first four are those of a tile. */
typedef struct ub_chunk_cost {
    size_t size;    /**< sizeof(ub_chunk_cost), set by the caller */
    double compute; /**< cycles of computing */
    double input;   /**< cycles of loading inputs */
    double weights; /**< cycles of loading weights */
    double output;  /**< cycles of storing */
    double cycles;  /**< of the layer, all groups */
    double dsp;     /**< DSPs */
    double bram;    /**< blocks of memory */
} ub_chunk_cost;

/**
 * Price a layer on a chunk by the formulas at the top of this file. The chunk
 * need not be of the space, only its options count.
 *
 * @param accelerator    setting and size of memory blocks
 * @param configuration  UB_CHUNK_FIELDS integers: a mode of the layer's kind
 *                       and numbers from 1 to UB_CHUNK_MAX_TILE; unrolls beyond
 *                       their tile are priced like others
 * @param layer          its bits are those of the chunk
 * @param[out] out       .size set by the caller
 *
 * @retval UB_ERR_INVALID      an argument is out of its range
 * @retval UB_ERR_UNSUPPORTED  layer has a field this library does not know
 */
UB_API_CHECK
ub_status ub_accelerator_price(const ub_accelerator *accelerator,
                               const int32_t *configuration,
                               const ub_workload_layer *layer,
                               ub_chunk_cost *out);

/** What keeps a configuration from being built, the first that applies. */
typedef enum ub_accelerator_excess {
    UB_ACCELERATOR_FITS = 0,          /**< nothing */
    UB_ACCELERATOR_EXCESS_UNROLL = 1, /**< an unroll is beyond its tile */
    UB_ACCELERATOR_EXCESS_DSP = 2,    /**< "dsp limit exceeded" */
    UB_ACCELERATOR_EXCESS_BRAM = 3    /**< "bram exceeded" */
} ub_accelerator_excess;

/** What a workload costs on a pipeline. */
typedef struct ub_accelerator_result {
    size_t size;       /**< sizeof(ub_accelerator_result), set by the caller */
    double bottleneck; /**< cycles of the slowest chunk */
    double fps;        /**< frames per second, of all copies */
    double cycles;     /**< of all layers */
    double dsp;        /**< of one copy */
    double bram;       /**< of one copy */
    double violation;  /**< 0 when it fits; else the sum of p / T - 1 over
                            unrolls beyond their tile and of use / limit - 1
                            over limits exceeded */
    int64_t chunk;     /**< the slowest, the first of equal ones */
    int64_t replicas;  /**< copies; 1 when it does not fit */
    int32_t excess;    /**< a ub_accelerator_excess */
    int32_t reserved;  /**< 0 */
} ub_accelerator_result;

/**
 * Price a workload on a pipeline. That it does not fit is a result, not a
 * failure.
 *
 * @param accelerator        the space
 * @param workload           only read
 * @param configuration      of all chunks; those without layers are not looked
 *                           at
 * @param[out] layer_cycles  of each layer; may be NULL; untouched on failure
 * @param[out] out           .size set by the caller
 *
 * @retval UB_ERR_INVALID  there are no layers (of skips alone the throughput
 *                         is not defined), a layer has a bit width that is
 *                         not of the space, or a configuration is out of range
 */
UB_API_CHECK
ub_status ub_accelerator_evaluate(const ub_accelerator *accelerator,
                                  const ub_workload *workload,
                                  const int32_t *configuration,
                                  double *layer_cycles,
                                  ub_accelerator_result *out);

/** What one chunk adds to the result. */
typedef struct ub_chunk_usage {
    size_t size;    /**< sizeof(ub_chunk_usage), set by the caller */
    int64_t layers; /**< how many it computes */
    double cycles;  /**< of them together */
    double dsp;     /**< the most that any of them needs */
    double bram;    /**< the most that any of them needs */
} ub_chunk_usage;

/** As ub_accelerator_evaluate() for one chunk; zeros when it has no layers. */
UB_API_CHECK
ub_status ub_accelerator_usage(const ub_accelerator *accelerator,
                               const ub_workload *workload,
                               const int32_t *configuration, int64_t chunk,
                               ub_chunk_usage *out);

/* -- as decisions ---------------------------------------------------------- */

/**
 * The space as decisions, each with choices 0, 1, ..., for `strategy` or any
 * other search: for each chunk that has layers, in order, its mode, its tiles
 * and its unrolls in the order of ub_chunk_field. Choice c of a tile is its
 * value c, of a mode the c-th that is allowed. Not all choices go together:
 * ub_accelerator_result.violation says how far an unroll is beyond its tile, or
 * a pipeline beyond the limits.
 *
 * @param accelerator   the space
 * @param workload      NULL: all chunks count
 * @param max           room in the arrays
 * @param[out] choices  number of choices of each decision; may be NULL
 * @param[out] groups   number of the chunk among those that count: 0, 1, ...;
 *                      may be NULL
 * @param[out] ordered  1 where choices are levels: all but modes; may be NULL
 * @param[out] n        number of decisions, of which the first max are set
 *
 * @retval UB_ERR_INVALID  as ub_accelerator_evaluate(), or max is negative
 */
UB_API_CHECK
ub_status ub_accelerator_decisions(const ub_accelerator *accelerator,
                                   const ub_workload *workload, int64_t max,
                                   int32_t *choices, int32_t *groups,
                                   int32_t *ordered, int64_t *n);

/**
 * The choices that make a configuration.
 *
 * @param accelerator    the space
 * @param workload       as given to ub_accelerator_decisions()
 * @param configuration  of all chunks
 * @param[out] choices   one per decision; untouched on failure
 *
 * @retval UB_ERR_INVALID  as ub_accelerator_evaluate(), or a value is not of
 *                         the space
 */
UB_API_CHECK
ub_status ub_accelerator_encode(const ub_accelerator *accelerator,
                                const ub_workload *workload,
                                const int32_t *configuration, int32_t *choices);

/**
 * The configuration that choices make. Chunks that do not count become the
 * smallest there are.
 *
 * @param accelerator         the space
 * @param workload            as given to ub_accelerator_decisions()
 * @param choices             one per decision
 * @param[out] configuration  of all chunks; untouched on failure
 *
 * @retval UB_ERR_INVALID  as ub_accelerator_evaluate(), or there is no such
 *                         choice
 */
UB_API_CHECK
ub_status ub_accelerator_decode(const ub_accelerator *accelerator,
                                const ub_workload *workload,
                                const int32_t *choices, int32_t *configuration);

/* -- engines --------------------------------------------------------------- */

/** Ways to find the best configuration. */
typedef enum ub_accelerator_engine {
    UB_ENGINE_EXACT = 0,  /**< the best there is: for each chunk all
                               configurations, of which the Pareto front
                               over cycles, DSPs and blocks stays; then
                               bisection on the bottleneck, where a
                               sum over chunks of the fewest DSPs for each
                               number of blocks says what fits */
    UB_ENGINE_RANDOM = 1, /**< uniform draws of modes and tiles, and of unrolls
                             up to their tile */
    UB_ENGINE_DIFFERENTIABLE = 2 /**< Auto-NBA's: see below */
} ub_accelerator_engine;

/** Whose time a choice is held responsible for in UB_ENGINE_DIFFERENTIABLE. */
typedef enum ub_accelerator_credit {
    UB_CREDIT_BOTTLENECK = 0, /**< the slowest chunk's, as published */
    UB_CREDIT_CHUNK = 1       /**< its own chunk's */
} ub_accelerator_credit;

/** How to search. Fill with ub_accelerator_search_options_init() first. */
typedef struct ub_accelerator_search_options {
    size_t size;           /**< set by ub_accelerator_search_options_init() */
    uint64_t seed;         /**< 1 */
    int32_t engine;        /**< a ub_accelerator_engine; UB_ENGINE_EXACT */
    int32_t credit;        /**< a ub_accelerator_credit; UB_CREDIT_CHUNK */
    double learning_rate;  /**< of Adam; published: 1e-7, which moves nothing;
                                0.03 */
    double beta1;          /**< of Adam; published: 0.5; 0.9 */
    double beta2;          /**< of Adam; 0.999 */
    double epsilon;        /**< of Adam; 1e-8 */
    double temperature;    /**< of Gumbel softmax; 1 */
    double baseline;       /**< weight of the past in a running mean that is
                                taken from the loss; published: none, 0; 0.9 */
    double first_logit;    /**< of all choices; 1e-3 */
    double penalty;        /**< a sample beyond the limits counts as 1 + this
                                times its violation times slower; published: 0,
                                it is dropped; 1 */
    double restart;        /**< mean entropy of the logits' softmax, in nats,
                                of the chunks that are sampled where there is a
                                choice, below which all begin anew, the best
                                kept; looked at every hundred samples;
                                published: never, 0; 0.1 */
    int32_t sample_unused; /**< 1, as published: chunks without layers are
                                sampled too, and learn by UB_CREDIT_BOTTLENECK;
                                0 */
    int32_t logarithm;     /**< 1: the loss is ln(seconds); published: 0; 1 */
} ub_accelerator_search_options;

/** Set every option to its default. */
UB_API
void ub_accelerator_search_options_init(ub_accelerator_search_options *options,
                                        size_t size);

/** Set what the public code of Auto-NBA does: UB_ENGINE_DIFFERENTIABLE with its
 * learning rate, without a baseline; the seed stays. */
UB_API
void ub_accelerator_search_options_published(
    ub_accelerator_search_options *options);

/**
 * A search with its state, for one network after the other.
 *
 * UB_ENGINE_DIFFERENTIABLE has logits for each mode, tile and unroll of each
 * chunk. A sample draws mode, then tiles, then unrolls, each as the largest of
 * y = softmax((log_softmax(logits) + g) / temperature) with g = -ln(-ln(u +
 * 1e-20) + 1e-20) and uniform u, an unroll from the values up to its tile only.
 * With L = bottleneck / clock the loss of the sample is L times the product of
 * the chosen y, each with its value held at 1, so that its gradient by logit i
 * of each vector is L y_chosen ([i is chosen] - y_i) / temperature; Adam takes
 * it. A sample beyond the limits is dropped. That is what was published. The
 * estimate has no baseline: every sampled choice is pushed down, which
 * `baseline` mends: L becomes its difference from a running mean. A choice
 * learns from a number that the slowest chunk sets, nearly always another,
 * which `credit` mends. And what has settled never finds anything
 * else, which `restart` mends. The defaults mend all three. The loss is of one
 * pipeline: where `max_replicas` allows copies, results are ranked by the
 * frames per second of all, but nothing learns to be copied.
 *
 * The best configuration is kept from call to call: each call prices it for its
 * workload first, so that a result is never worse than what was known.
 *
 * Thread-safety: as its context.
 */
typedef struct ub_accelerator_search ub_accelerator_search;

/**
 * Create a search.
 *
 * @param accelerator  borrowed: must outlive the search
 * @param options      NULL: the defaults
 * @param[out] out     owned by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID      an option is out of its range
 * @retval UB_ERR_UNSUPPORTED  a field is set that this library does not know
 * @retval UB_ERR_NOMEM        out of memory
 */
UB_API_CHECK
ub_status
ub_accelerator_search_create(const ub_accelerator *accelerator,
                             const ub_accelerator_search_options *options,
                             ub_accelerator_search **out);

/** Destroy a search and set the pointer to NULL; NULL is allowed. */
UB_API
void ub_accelerator_search_destroy(ub_accelerator_search **search);

/**
 * Search on.
 *
 * @param search              goes on from where it is
 * @param workload            only read
 * @param samples             to draw, 0 or more; UB_ENGINE_EXACT draws none. No
 *                            progress is reported: ask for many in parts, which
 *                            gives the same
 * @param[out] configuration  of all chunks, the best so far; those without
 *                            layers are the smallest there are; untouched on
 *                            failure. Of configurations with the best
 *                            throughput UB_ENGINE_EXACT has one of the fewest
 *                            copies that reach it, of these the one with the
 *                            fewest DSPs, then blocks
 * @param[out] out            what it costs; .size set by the caller
 *
 * @retval UB_ERR_INVALID  an argument is unusable, or as
 *                         ub_accelerator_evaluate()
 * @retval UB_ERR_RANGE    nothing within the limits was found;
 *                         UB_ENGINE_EXACT: there is nothing
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_accelerator_search_run(ub_accelerator_search *search,
                                    const ub_workload *workload,
                                    int64_t samples, int32_t *configuration,
                                    ub_accelerator_result *out);

/** Where a search is. */
typedef struct ub_accelerator_search_stats {
    size_t size;     /**< sizeof(ub_accelerator_search_stats), set by the caller
                      */
    int64_t samples; /**< drawn; exact: configurations priced */
    int64_t dropped; /**< of them beyond the limits */
    int64_t points;  /**< exact: on the fronts of all chunks, last call */
    double entropy;  /**< differentiable: mean over logit vectors of chunks that
                          learnt, in nats; NaN otherwise */
} ub_accelerator_search_stats;

/** Where the search is; UB_ERR_INVALID if out->size is not set. */
UB_API_CHECK
ub_status ub_accelerator_search_stats_get(const ub_accelerator_search *search,
                                          ub_accelerator_search_stats *out);

/**
 * Write the whole state to a file, random numbers included. A search that loads
 * it goes on to the bit as this one would.
 *
 * @retval UB_ERR_IO     the file cannot be written
 * @retval UB_ERR_NOMEM  out of memory
 */
UB_API_CHECK
ub_status ub_accelerator_search_save(const ub_accelerator_search *search,
                                     const char *path);

/**
 * Take over a state.
 *
 * @param search  of the same space and options, of which the file tells the
 *                engine and the numbers of choices; unchanged on failure
 * @param path    of the file
 *
 * @retval UB_ERR_IO       the file cannot be read
 * @retval UB_ERR_FORMAT   it is no state, or damaged, or of another engine, or
 *                         its choices or its best are none of the space
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_accelerator_search_load(ub_accelerator_search *search,
                                     const char *path);

/* -- systolic arrays --------------------------------------------------------
 */

/** What is chosen of a systolic array. */
typedef enum ub_array_field {
    UB_ARRAY_ROWS = 0,        /**< processing elements down */
    UB_ARRAY_COLUMNS = 1,     /**< processing elements across */
    UB_ARRAY_INPUT_BANK = 2,  /**< bytes */
    UB_ARRAY_WEIGHT_BANK = 3, /**< bytes */
    UB_ARRAY_OUTPUT_BANK = 4, /**< bytes */
    UB_ARRAY_BANDWIDTH = 5,   /**< bytes per second */
    UB_ARRAY_DATAFLOW = 6,    /**< a ub_dataflow */
    UB_ARRAY_FIELDS = 7       /**< how many there are */
} ub_array_field;

/** Most values of a field. */
#define UB_ARRAY_MAX_VALUES 16

/** Who says what a network costs on an array. */
typedef enum ub_array_pricing {
    UB_ARRAY_IDEAL = 0,    /**< ub_util_latency(), U-Boost's formula: banks and
                                bandwidth do not matter */
    UB_ARRAY_FULL = 1,     /**< ub_util_full(); it sees neither banks that hold
                                no tile nor what larger ones let be fetched
                                ahead: what is the best by it may be slower, or
                                none at all, by UB_ARRAY_SIMULATED */
    UB_ARRAY_SIMULATED = 2 /**< ub_systolic_run(), level 1; the only one that
                                knows other dataflows than weight stationary */
} ub_array_pricing;

/** A space of systolic arrays. Fill with ub_array_options_init() first. */
typedef struct ub_array_options {
    size_t size;             /**< set by ub_array_options_init() */
    const ub_hardware *base; /**< what is not chosen: clock, bytes of elements,
                                  number of arrays, ...; NULL: the defaults;
                                  copied */
    int64_t element_limit;   /**< most processing elements; 2^14 */
    int64_t sram_limit;      /**< most bytes of all banks; 6 * 2^20 */
    int64_t batch;           /**< images; 1 */
    int32_t pricing;         /**< a ub_array_pricing; UB_ARRAY_FULL */
    int32_t reserved;        /**< 0 */
    int64_t lengths[UB_ARRAY_FIELDS]; /**< values of each field */
    int64_t values[UB_ARRAY_FIELDS][UB_ARRAY_MAX_VALUES]; /**< descending, but
                                  for dataflows, which all differ; rows and
                                  columns 256, 128, ..., 8; banks 4 MiB, ...,
                                  128 KiB; 80 GiB/s; weight stationary */
} ub_array_options;

/** Set every option to its default. */
UB_API
void ub_array_options_init(ub_array_options *options, size_t size);

/**
 * A space of systolic arrays. Never changes. A candidate is UB_ARRAY_FIELDS
 * choices, each the index of a value.
 *
 * Thread-safety: as ub_accelerator.
 */
typedef struct ub_array_space ub_array_space;

/**
 * Create a space.
 *
 * @param context   owns the memory
 * @param options   NULL: the defaults
 * @param[out] out  owned by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID      an option is out of its range, or not of
 *                             hardware
 * @retval UB_ERR_UNSUPPORTED  the pricing does not know a dataflow, or several
 *                             arrays, or a field is set that this library does
 *                             not know
 * @retval UB_ERR_NOMEM        out of memory
 */
UB_API_CHECK
ub_status ub_array_space_create(ub_context *context,
                                const ub_array_options *options,
                                ub_array_space **out);

/** Destroy a space and set the pointer to NULL; NULL is allowed. */
UB_API
void ub_array_space_destroy(ub_array_space **space);

/**
 * The space as decisions for `strategy`.
 *
 * @param space         the space
 * @param[out] choices  UB_ARRAY_FIELDS numbers of choices
 * @param[out] ordered  1 where choices are levels: all but the dataflow; may be
 *                      NULL
 */
UB_API
void ub_array_decisions(const ub_array_space *space, int32_t *choices,
                        int32_t *ordered);

/**
 * The hardware that choices make.
 *
 * @param space     the space
 * @param choices   UB_ARRAY_FIELDS of them
 * @param[out] out  .size set by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID  there is no such choice, or out->size is not set
 */
UB_API_CHECK
ub_status ub_array_decode(const ub_array_space *space, const int32_t *choices,
                          ub_hardware *out);

/**
 * The choices that make a hardware.
 *
 * @param space         the space
 * @param hardware      what is not chosen is not looked at
 * @param[out] choices  UB_ARRAY_FIELDS of them; untouched on failure
 *
 * @retval UB_ERR_INVALID      a value is not of the space, or hardware->size is
 *                             not set
 * @retval UB_ERR_UNSUPPORTED  a field is set that this library does not know
 */
UB_API_CHECK
ub_status ub_array_encode(const ub_array_space *space,
                          const ub_hardware *hardware, int32_t *choices);

/** What keeps an array from being built, the first that applies. */
typedef enum ub_array_excess {
    UB_ARRAY_FITS = 0,            /**< nothing */
    UB_ARRAY_EXCESS_ELEMENTS = 1, /**< too many processing elements */
    UB_ARRAY_EXCESS_SRAM = 2,     /**< too much memory */
    UB_ARRAY_EXCESS_TILE = 3      /**< a bank holds no tile of a layer, says the
                                       simulator: cycles are infinite, and the
                                       violation is larger by 1 */
} ub_array_excess;

/** What a network costs on an array. */
typedef struct ub_array_result {
    size_t size;        /**< sizeof(ub_array_result), set by the caller */
    double cycles;      /**< of the batch */
    double latency_ms;  /**< of the batch */
    double fps;         /**< images per second */
    double utilization; /**< MACs done / MACs possible */
    double violation;   /**< 0 when it fits; else the sum of use / limit - 1
                             over limits exceeded */
    int64_t elements;   /**< processing elements, of all arrays */
    int64_t sram;       /**< bytes of all banks */
    int64_t priced;     /**< networks priced in this call */
    int32_t excess;     /**< a ub_array_excess */
    int32_t reserved;   /**< 0 */
} ub_array_result;

/**
 * Price a network on an array. That it does not fit is a result, not a failure.
 *
 * @param space     the space
 * @param network   only read
 * @param choices   UB_ARRAY_FIELDS of them
 * @param[out] out  .size set by the caller
 *
 * @retval UB_ERR_INVALID  an argument is unusable, or the network computes
 *                         nothing
 * @retval UB_ERR_RANGE    too many cycles
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_array_evaluate(const ub_array_space *space,
                            const ub_network *network, const int32_t *choices,
                            ub_array_result *out);

/**
 * Find the best array within the limits: the fewest cycles, of equal ones the
 * fewest processing elements, then bytes of banks, then bandwidth.
 *
 * UB_ENGINE_EXACT leaves out only what cannot be better. Shapes go by a lower
 * bound of their cycles, U-Boost's formula where weights are stationary, MACs /
 * elements elsewhere, until the bound exceeds the best; what is simulated is
 * simulated with the largest banks and bandwidth first, which the simulator
 * promises never cost cycles. Memories go from the smallest to the largest, to
 * the first that is as fast as that.
 *
 * @param space         the space
 * @param network       only read
 * @param engine        UB_ENGINE_EXACT or UB_ENGINE_RANDOM; for others there
 *                      are ub_array_decisions()
 * @param samples       UB_ENGINE_RANDOM: uniform draws, those beyond the limits
 *                      included
 * @param rng           UB_ENGINE_RANDOM: goes on from where it is; otherwise
 *                      may be NULL
 * @param[out] choices  UB_ARRAY_FIELDS of them; untouched on failure
 * @param[out] out      .size set by the caller
 *
 * @retval UB_ERR_INVALID      as ub_array_evaluate()
 * @retval UB_ERR_UNSUPPORTED  another engine
 * @retval UB_ERR_RANGE        nothing within the limits was found, or too many
 *                             cycles
 * @retval UB_ERR_INTERRUPTED  the progress callback, called after each network
 *                             priced, asked to stop
 * @retval UB_ERR_NOMEM        out of memory
 */
UB_API_CHECK
ub_status ub_array_search(const ub_array_space *space,
                          const ub_network *network, int32_t engine,
                          int64_t samples, ub_rng *rng, int32_t *choices,
                          ub_array_result *out);

UB_END_DECLS

/** @} */

#endif
