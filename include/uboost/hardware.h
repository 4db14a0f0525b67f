/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_HARDWARE_H
#define UBOOST_HARDWARE_H

#include <uboost/network.h>

/**
 * @file
 * @defgroup hardware hardware
 * The accelerator as data, a layer as a matrix product on it, and the
 * interface of a cost model.
 *
 * Except for ub_network_cost() nothing here needs a context or allocates;
 * all functions may be called from any thread.
 * @{
 */

UB_BEGIN_DECLS

/** Which operand of the matrix product stays in the array. */
typedef enum ub_dataflow {
    UB_DATAFLOW_WS = 0, /**< weight stationary */
    UB_DATAFLOW_OS = 1, /**< output stationary */
    UB_DATAFLOW_IS = 2  /**< input stationary */
} ub_dataflow;

/** What joins several arrays with their banks. */
typedef enum ub_interconnect {
    UB_INTERCONNECT_CROSSBAR = 0,   /**< never refuses; latency 1 */
    UB_INTERCONNECT_BENES_COPY = 1, /**< never refuses; latency 4 n - 1, with
                                         n = ceil(log2 arrays) */
    UB_INTERCONNECT_BENES = 2,      /**< latency 2 n - 1 */
    UB_INTERCONNECT_BANYAN = 3,     /**< latency n + 2 expansion */
    UB_INTERCONNECT_BUS = 4         /**< one source at a time; latency 1 */
} ub_interconnect;

/**
 * A systolic array with its memory. Fill with ub_hardware_init() first.
 *
 * Each array has three banks of on-chip memory: input maps, weights, and
 * partial sums or results.
 */
typedef struct ub_hardware {
    size_t size;           /**< set by ub_hardware_init() */
    int64_t rows;          /**< processing elements down; 128 */
    int64_t columns;       /**< processing elements across; 128 */
    int64_t arrays;        /**< number of such arrays; 1 */
    int64_t bank_bytes;    /**< bytes of each bank; 5 * 2^20 */
    int64_t element_bytes; /**< of a weight, an input or a result; 1 */
    int64_t partial_bytes; /**< of a partial sum; 2 */
    double clock_hz;       /**< cycles per second; 1e9 */
    double bandwidth;      /**< bytes per second to and from external memory;
                                infinity: no limit; 80 * 2^30 */
    int32_t dataflow;      /**< a ub_dataflow; UB_DATAFLOW_WS */
    int32_t interconnect;  /**< a ub_interconnect; UB_INTERCONNECT_CROSSBAR */
    int64_t expansion;     /**< banyan: log2 of the extra copies, 0 to 3; 0 */

    int64_t input_bank_bytes;  /**< 0: bank_bytes */
    int64_t weight_bank_bytes; /**< 0: bank_bytes */
    int64_t output_bank_bytes; /**< 0: bank_bytes */
    int64_t input_bytes;       /**< of an input element; 0: element_bytes */
    int64_t weight_bytes;      /**< of a weight; 0: element_bytes */
    int64_t output_bytes;      /**< of a result; 0: element_bytes */
    double input_bandwidth;    /**< a channel of its own, in bytes per second;
                                    0: shares `bandwidth` */
    double weight_bandwidth;   /**< as input_bandwidth */
    double output_bandwidth;   /**< as input_bandwidth */
    int64_t memory_latency; /**< cycles from a request to its first byte; 0 */
    int64_t burst_bytes;    /**< transfers are whole multiples of this; 1 */
    int64_t vector_lanes;   /**< elements per cycle of the vector unit, which
                                 takes pooling and element-wise layers; 0:
                                 they cost nothing */
} ub_hardware;

/** Set every field to its default, the U-Boost paper's 128 x 128 array. */
UB_API
void ub_hardware_init(ub_hardware *hardware, size_t size);

/**
 * Set rows and columns, and bank size and bandwidth in proportion to the rows:
 * 80 GiB/s and 5 MiB for 128 rows.
 *
 * @param hardware  initialised before
 * @param rows      1 to 2^16
 * @param columns   1 to 2^16
 *
 * @retval UB_ERR_INVALID  a size is out of its range; nothing is changed
 */
UB_API_CHECK
ub_status ub_hardware_set_array(ub_hardware *hardware, int64_t rows,
                                int64_t columns);

/**
 * Whether a description makes sense: sizes are positive or, where 0 has a
 * meaning, not negative (rows, columns and arrays up to 2^16, element bytes up
 * to 64), clock and bandwidth are positive and not NaN, the clock is finite,
 * dataflow and interconnect are known. A model or simulator may still lack a
 * dataflow or the interconnect.
 *
 * @param hardware  description, of any age
 *
 * @retval UB_ERR_INVALID      a field is out of its range
 * @retval UB_ERR_UNSUPPORTED  a field this library does not know
 */
UB_API_CHECK
ub_status ub_hardware_check(const ub_hardware *hardware);

/**
 * Matrix products of one shape: count independent ones of an m x k matrix
 * (input windows, streamed) by a k x n matrix (weights, stationary).
 */
typedef struct ub_gemm {
    size_t size;   /**< sizeof(ub_gemm), set by the caller */
    int64_t m;     /**< output pixels of the batch */
    int64_t k;     /**< elements of a window */
    int64_t n;     /**< output channels of a group */
    int64_t count; /**< number of such products, the groups; 0 for layers that
                        compute none */
    int64_t input_elements; /**< elements of the input map that one product
                                 reads, padding and repetition excepted, and
                                 what lies between windows; at most m * k */
} ub_gemm;

/**
 * A layer as matrix products: convolution m = batch * output height * width,
 * k = window, n = filters, all per group; linear m = batch; matmul m x k by k x
 * n, count = channels * batch; all others count = 0. A layer's map of its own
 * counts as its input map; its sparsity is not applied.
 *
 * @param layer     from ub_network_layer()
 * @param batch     images, at least 1
 * @param[out] out  .size set by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID  batch is below 1, or a size is not set
 * @retval UB_ERR_RANGE    MACs or bytes of the batch overflow
 */
UB_API_CHECK
ub_status ub_layer_gemm(const ub_layer_info *layer, int64_t batch,
                        ub_gemm *out);

/** What a cost model tells layers apart by. Values are never renumbered. */
typedef enum ub_cost_kind {
    UB_COST_FREE = 0,      /**< costs nothing: identity, pools, ... */
    UB_COST_CONV = 1,      /**< convolution, also grouped */
    UB_COST_DEPTHWISE = 2, /**< one filter per channel; reads in_channels */
    UB_COST_SEPARABLE = 3, /**< a depthwise convolution and a 1 x 1 one */
    UB_COST_LINEAR = 4     /**< fully connected; maps count for nothing */
} ub_cost_kind;

/**
 * A layer as cost models see it; channel counts are real numbers. Fill with
 * ub_cost_layer_init() first.
 */
typedef struct ub_cost_layer {
    size_t size;           /**< set by ub_cost_layer_init() */
    int32_t kind;          /**< a ub_cost_kind; UB_COST_FREE */
    int32_t reserved;      /**< 0 */
    int64_t groups;        /**< conv; 1 */
    int64_t kernel_height; /**< separable: of the depthwise half; 1 */
    int64_t kernel_width;  /**< separable: of the depthwise half; 1 */
    int64_t dilation;      /**< changes no count; 1 */
    int64_t in_height;     /**< 1 */
    int64_t in_width;      /**< 1 */
    int64_t out_height;    /**< 1 */
    int64_t out_width;     /**< 1 */
    int64_t batch;         /**< images; 1 */
    double in_channels;    /**< 1 */
    double out_channels;   /**< depthwise: not read; 1 */
} ub_cost_layer;

/** Set every field to its default. */
UB_API
void ub_cost_layer_init(ub_cost_layer *layer, size_t size);

/**
 * A layer of a network as cost models see it. A convolution with as many
 * groups as inputs and as outputs is UB_COST_DEPTHWISE; what computes no
 * matrix product is UB_COST_FREE. A UB_LAYER_MATMUL of C x M x K by C x K x N
 * is a 1 x 1 UB_COST_CONV on a map of M x 1 with C * batch groups of K inputs
 * and N outputs, and a batch of 1: its second operand counts as weights, of
 * which each image has its own. Sparsity is not applied.
 *
 * @param layer     from ub_network_layer()
 * @param batch     images, at least 1
 * @param[out] out  of the size that out->size says, set by the caller
 *
 * @retval UB_ERR_INVALID  batch is below 1, or a size is not set
 * @retval UB_ERR_RANGE    channels * batch of a matmul overflow
 */
UB_API_CHECK
ub_status ub_cost_layer_from(const ub_layer_info *layer, int64_t batch,
                             ub_cost_layer *out);

/**
 * What a layer costs, with derivatives by its channel counts ("din" by
 * in_channels, "dout" by out_channels). A model that has no derivative, such
 * as an exact count, leaves it 0.
 */
typedef struct ub_cost {
    size_t size;              /**< sizeof(ub_cost), set by the caller */
    double macs;              /**< multiply-accumulates */
    double cycles;            /**< latency in cycles */
    double latency_ms;        /**< latency in milliseconds */
    double utilization;       /**< MACs done / MACs possible; 1 when free */
    double dcycles_din;       /**< of cycles */
    double dcycles_dout;      /**< of cycles */
    double dlatency_din;      /**< of latency_ms */
    double dlatency_dout;     /**< of latency_ms */
    double dutilization_din;  /**< of utilization */
    double dutilization_dout; /**< of utilization */
} ub_cost;

/**
 * A cost model: a function and what it reads. A plain value; copy it at will
 * as long as what `user` points to stays.
 */
typedef struct ub_cost_model {
    size_t size;      /**< sizeof(ub_cost_model), set by whoever fills it */
    const char *name; /**< such as "systolic"; a constant */

    /** Price a layer. Pure: writes to *out alone, and that only on success;
     * may be called from any thread. UB_ERR_INVALID when the layer makes no
     * sense (NaN, a channel count that is not positive, an unknown kind). */
    ub_status (*evaluate)(const void *user, const ub_cost_layer *layer,
                          ub_cost *out);

    const void *user; /**< handed to evaluate */
} ub_cost_model;

/**
 * What a network costs on a model. The total's cycles, latency and MACs are
 * sums; its utilization is total MACs / (total cycles * processing elements),
 * which is the layers' mean weighted by latency. Derivatives of the total are
 * 0.
 *
 * @param network    only read
 * @param model      prices the layers
 * @param batch      images, at least 1
 * @param[out] total  .size set by the caller; may be NULL
 * @param[out] layers  one for each layer, .size of each set by the caller; or
 *                     NULL
 * @param n          number of elements of layers, at least
 *                   ub_network_layers() unless layers is NULL
 *
 * @retval UB_ERR_INVALID  an argument is not usable, or the model refuses a
 *                         layer (the text names it)
 */
UB_API_CHECK
ub_status ub_network_cost(const ub_network *network, const ub_cost_model *model,
                          int64_t batch, ub_cost *total, ub_cost *layers,
                          int64_t n);

UB_END_DECLS

/** @} */

#endif
