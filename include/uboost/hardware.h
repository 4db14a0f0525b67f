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
 * Except for ub_network_cost() and the configurations nothing here needs a
 * context or allocates; all other functions may be called from any thread.
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
    int64_t bank_bytes;    /**< bytes of each bank, up to 2^50; 5 * 2^20 */
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
 * meaning, not negative, and not too large (rows, columns and arrays up to
 * 2^16, bytes of a bank up to 2^50, of an element up to 64, memory latency,
 * burst bytes and vector lanes up to 2^20), clock and bandwidth are positive
 * and not NaN, the clock is finite, dataflow and interconnect are known. A
 * model or simulator may still lack a dataflow or the interconnect.
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
 * @retval UB_ERR_INVALID  batch, groups, stride or dilation is below 1, or a
 *                         size or the layer is not set
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
 * @retval UB_ERR_INVALID  batch is below 1, or a size or the layer is not set
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
 * @param model      prices the layers, each once
 * @param batch      images, 1 to 2^32
 * @param[out] total  .size set by the caller; may be NULL
 * @param[out] layers  one for each layer, .size of each set by the caller; or
 *                     NULL
 * @param n          number of elements of layers, at least
 *                   ub_network_layers() unless layers is NULL
 *
 * @retval UB_ERR_INVALID  an argument is not usable
 * @retval UB_ERR_RANGE    channels * batch of a matmul overflow
 * @retval UB_ERR_NOMEM    out of memory
 *
 * @return what the model does, too, when it refuses a layer (the text names
 *         it); nothing is written unless all layers have a price
 */
UB_API_CHECK
ub_status ub_network_cost(const ub_network *network, const ub_cost_model *model,
                          int64_t batch, ub_cost *total, ub_cost *layers,
                          int64_t n);

/* -- SCALE-Sim's configurations -------------------------------------------- */

/** What SCALE-Sim knows of external memory. Values are never renumbered. */
typedef enum ub_bandwidth_mode {
    UB_BANDWIDTH_CALC = 0, /**< never waits for it */
    UB_BANDWIDTH_USER = 1  /**< so many words per cycle */
} ub_bandwidth_mode;

/**
 * What a configuration of SCALE-Sim says besides the hardware. Fill with
 * ub_hardware_config_init() first. A word is an element.
 */
typedef struct ub_hardware_config {
    size_t size;             /**< set by ub_hardware_config_init() */
    char run_name[256];      /**< ends in a NUL; "uboost" */
    char topology[1024];     /**< path of the topology, not looked for; "" */
    int64_t input_offset;    /**< address of the first input; 0 */
    int64_t weight_offset;   /**< address of the first weight; 10^7 */
    int64_t output_offset;   /**< address of the first result; 2 * 10^7 */
    int64_t input_words;     /**< of the inputs' memory on chip; 5 * 2^20 */
    int64_t weight_words;    /**< of the weights' memory; 5 * 2^20 */
    int64_t output_words;    /**< of the results' memory; 5 * 2^20 */
    int64_t bandwidth;       /**< words per cycle, the first of the list; 10 */
    int64_t read_buffer;     /**< requests; 32 */
    int64_t write_buffer;    /**< requests; 32 */
    int64_t memory_banks;    /**< 1 */
    int64_t chip_banks;      /**< 1 */
    int64_t chip_bank_ports; /**< 2 */
    int64_t input_bank_bandwidth;  /**< words per cycle, with UB_BANDWIDTH_USER
                                        those read; 10 */
    int64_t input_banks;           /**< 10 */
    int64_t input_bank_ports;      /**< 2 */
    int64_t weight_bank_bandwidth; /**< as of the inputs; 10 */
    int64_t weight_banks;          /**< 10 */
    int64_t weight_bank_ports;     /**< 2 */
    int64_t sparse_block_size;     /**< 8 */
    uint64_t sparse_seed;          /**< up to 2^60; 40 */
    int32_t bandwidth_mode;        /**< a ub_bandwidth_mode; CALC */
    int32_t ramulator;             /**< 1: times of a DRAM simulator; 0 */
    int32_t input_layout;          /**< 1: inputs lie in banks; 0 */
    int32_t weight_layout;         /**< 1: weights lie in banks; 0 */
    int32_t sparse;                /**< 1: the topology's sparsity counts; 0 */
    int32_t sparse_format;         /**< 1 csr, 2 csc, 3 ellpack_block, as
                                        ub_systolic_sparsity; 3 */
    int32_t optimized_mapping;     /**< 1: sparsity of rows at random; 0 */

    /* fields of ub_systolic_options, with its defaults */
    int32_t level;          /**< 1 */
    int32_t prefetch;       /**< 100 */
    int32_t charge_inputs;  /**< 1 */
    int32_t charge_outputs; /**< 1 */
    int32_t compat;         /**< 0 none, 1 scalesim, 2 csim */
    int32_t os_drain;       /**< 0 */
    int32_t count_memory;   /**< 0 */
    int64_t batch;          /**< 1 */
    int64_t tile_m;         /**< 0 */
    int64_t tile_k;         /**< 0 */
    int64_t tile_n;         /**< 0 */
    uint64_t seed;          /**< up to 2^63 - 1; 1 */
    int32_t packed;         /**< 0 */
    int32_t reserved;       /**< 0 */
} ub_hardware_config;

/** Set every field to its default. */
UB_API
void ub_hardware_config_init(ub_hardware_config *config, size_t size);

/**
 * Read a configuration of SCALE-Sim.
 *
 * The form is that of Python's configparser: sections in brackets, `key: value`
 * or `key = value`, keys without case, lines that begin with '#' or ';' are
 * comments, a line that is indented further than its key goes on with the
 * value, nothing twice. (No interpolation; a section DEFAULT has no effect.)
 * Texts may be quoted.
 *
 * | section              | key                                | field         |
 * |----------------------|------------------------------------|---------------|
 * | general              | run_name                           | run_name      |
 * | architecture_presets | ArrayHeight, ArrayWidth (required) | rows, columns |
 * |                      | Ifmap/Filter/OfmapSramSzkB         | *_words       |
 * |                      | Ifmap/Filter/OfmapOffset           | *_offset      |
 * |                      | Dataflow (ws, os, is)              | dataflow      |
 * |                      | Bandwidth                          | bandwidth     |
 * |                      | Read/WriteRequestBuffer            | *_buffer      |
 * |                      | MemoryBanks, OnChipMemoryBanks,    | memory_banks, |
 * |                      | OnChipMemoryBankPorts              | chip_*        |
 * | layout               | Ifmap/FilterCustomLayout           | *_layout      |
 * |                      | Ifmap/FilterSRAMBankBandwidth,     | *_bandwidth,  |
 * |                      | ...BankNum, ...BankPort            | banks, ports  |
 * | sparsity             | SparsitySupport, SparseRep,        | sparse, ...   |
 * |                      | OptimizedMapping, BlockSize,       |               |
 * |                      | RandomNumberGeneratorSeed          | sparse_seed   |
 * | run_presets          | InterfaceBandwidth (CALC, USER)    | ..._mode      |
 * |                      | UseRamulatorTrace                  | ramulator     |
 * | network_presets      | TopologyCsvLoc                     | topology      |
 *
 * Only [architecture_presets] has to be there; what is left out has the default
 * of ub_hardware_init() or ub_hardware_config_init(). Unknown sections and keys
 * are ignored with a warning in the log. As older versions have it, IfmapSramSz
 * and so on stand for IfmapSramSzkB, and keys of [layout] may be in
 * [architecture_presets]; what is called and placed as above wins.
 *
 * 1 kB is 1024 words of `element_bytes`; the three memories become
 * input_bank_bytes, weight_bank_bytes and output_bank_bytes. CALC makes
 * `bandwidth` infinite. With USER the operands have channels of their own, as
 * there: input_bandwidth is IfmapSRAMBankBandwidth words per cycle,
 * weight_bandwidth FilterSRAMBankBandwidth, or Bandwidth where they are left
 * out; output_bandwidth and `bandwidth` are Bandwidth.
 *
 * A section [uboost], which SCALE-Sim does not look at, has what its format
 * lacks, under the names of the fields: bank_bytes, input_bank_bytes,
 * weight_bank_bytes, output_bank_bytes, arrays, interconnect (crossbar,
 * benes_copy, benes, banyan, bus), expansion, element_bytes, partial_bytes,
 * input_bytes, weight_bytes, output_bytes, clock_hz, memory_latency,
 * burst_bytes, vector_lanes; bandwidth, input_bandwidth, weight_bandwidth and
 * output_bandwidth in GiB/s (2^30 bytes per second), or inf; and of
 * ub_systolic_options level, prefetch, charge_inputs, charge_outputs, compat
 * (none, scalesim, csim), os_drain, count_memory, batch, tile_m, tile_k,
 * tile_n, seed and packed. They win over the rest of the file; one of the four
 * bandwidths there takes the channels of USER's away.
 *
 * @param context        for the error text and the log
 * @param path           file of at most 64 MiB
 * @param[out] hardware  .size set by the caller; untouched on failure
 * @param[out] out       .size set by the caller; may be NULL
 *
 * @retval UB_ERR_INVALID  a pointer or a size is not usable
 * @retval UB_ERR_IO       the file cannot be read
 * @retval UB_ERR_FORMAT   it is no such file, or a value is not what its key
 *                         takes: the text names file, line and key
 * @retval UB_ERR_RANGE    the file is too large
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_hardware_read_config(ub_context *context, const char *path,
                                  ub_hardware *hardware,
                                  ub_hardware_config *out);

/**
 * Write a configuration for SCALE-Sim and ub_hardware_read_config(), which gets
 * the same hardware and config from it; the file is replaced as a whole. Sizes
 * of memory are those of `hardware`, in whole kB rounded down, at least 1, and
 * exact in [uboost].
 *
 * @param context   for the error text
 * @param path      of the file
 * @param hardware  the machine
 * @param config    NULL: the defaults
 *
 * @retval UB_ERR_INVALID      an argument makes no sense
 * @retval UB_ERR_UNSUPPORTED  a field is set that this library does not know
 * @retval UB_ERR_IO           the file cannot be written
 * @retval UB_ERR_NOMEM        out of memory
 */
UB_API_CHECK
ub_status ub_hardware_write_config(ub_context *context, const char *path,
                                   const ub_hardware *hardware,
                                   const ub_hardware_config *config);

UB_END_DECLS

/** @} */

#endif
