/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_SYSTOLIC_H
#define UBOOST_SYSTOLIC_H

#include <uboost/hardware.h>

/**
 * @file
 * @defgroup systolic systolic
 * Simulator of a systolic array with its memory.
 *
 * Level 1 works with tiles, as the simulator csim of the SOSA compiler does,
 * which the U-Boost paper's results come from. A layer's matrix products run
 * one after the other. A product of m x k by k x n is cut into tiles of
 * `rows` of m, `rows` of k and `columns` of n (or tile_m, tile_k, tile_n); a
 * round streams one input tile through one weight tile in the array:
 *
 *     weights of a round may shift in while the round before streams:
 *         shifted = max(start of the round before, weights in SRAM) + k + 1
 *     start = max(end of the round before, shifted, inputs in SRAM, room)
 *     end   = start + max(m, 2 l + 1) + 1
 *
 * where m and k are those of the tiles and l, the latency of the interconnect,
 * is 1 for one array; l + 1 cycles at the end of a layer take its last results
 * to SRAM. Fill and drain of the array's skew are not counted, as in csim; they
 * cost rows + columns - 2 cycles per layer.
 *
 * External memory has one channel that serves in order: the weights and
 * inputs of a round, up to `prefetch` rounds ahead as far as the banks have
 * room, and results once their round has ended. An operand with a bandwidth of
 * its own has a channel of its own, in the same order. A tile's bytes are
 * rounded up to whole bursts, which is what the counts of bytes have; a channel
 * asks for the next tile while one is on its way, so memory_latency delays
 * tiles but takes no bandwidth, and results only leave. There is `room` while
 * the bank of results holds those not yet written; one more tile may be on its
 * way out. A layer's blocks, that is how many tiles of m and n are taken at a
 * time, are the fastest of halvings of the whole that fit the banks; partial
 * sums of a block stay on chip.
 *
 * Laws that hold for every product, because what is tried does not depend on
 * memory: more bandwidth, larger banks or less latency never cost cycles, nor
 * do bursts that divide those before. Bursts and latency have no other law.
 *
 * **Several arrays** (`arrays` = P) work on one round together. A product is
 * split over pg products, pm parts of m, pk of k and pn of n, with
 * pg pm pk pn <= P; a round then is one tile that is pm, pk and pn times as
 * large, whose rows of m and k are shared evenly. Of all splits with parts of
 * 1 to 8, 12, 16, 24, 32, ... or as many as there are tiles, the fastest is
 * taken, so more arrays never cost cycles; it uses the banks of its own
 * arrays, one of each kind per array, and the interconnect of so many.
 *
 * - An input tile goes to pn arrays, a weight tile to pm, in one read
 *   (multicast). Tiles are placed so that no two of a round share a bank.
 * - With pk > 1 the arrays' adders add the partial sums of the last round of k
 *   in ceil(log2 pk) steps of max(m, 2 l + 1) + 1 cycles, while the arrays
 *   go on: only the last results of a layer are seen waiting for it.
 * - l of the crossbar and the bus is 1, of Benes with copies 4 n - 1, of Benes
 *   2 n - 1, of banyan n + 2 expansion, n = ceil(log2(pg pm pk pn)), and at
 *   least 1. Crossbar and both Benes carry every split. On a banyan network
 *   all parts are powers of two, whose routes do not meet. A bus carries
 *   one row at a time: streaming takes pg pm pk pn times as long (each array
 *   has partial sums of its own to send), shifting pg pk pn times, and the
 *   additions follow one another.
 *
 * **Stationary inputs** (UB_DATAFLOW_IS): the same machine with the roles
 * exchanged: the inputs' k x m stays, the weights' n x k is streamed; tile_m is
 * of n then and tile_n of m, and `shift`, `load` and `unused` of the statistics
 * are of inputs. Outputs stationary is for level 2.
 *
 * **Packing** (`packed`): of a layer of several small products, such as a
 * depthwise convolution with k = kernel height * width and n = 1,
 * min(floor(tile_k / k), floor(tile_n / n), count) share an array, on the
 * diagonal; nothing is packed unless k and n fit. With c channels, unlimited
 * memory and one array a depthwise layer of m >= p k takes
 * ceil(c / p) (max(m, 3) + 1) + p k + 1 + 2 cycles, p = min(floor(rows / k),
 * columns, c). Without packing p is 1.
 *
 * **Vector unit** (`vector_lanes` > 0, level 1): a layer without matrix
 * products takes ceil(elements read / vector_lanes) cycles, for the batch:
 * pools read kernel height * width elements for each of the output, border
 * included; global pools their input; batch normalization and relu one for
 * each of the output; add one of each input, of which ub_systolic_layer()
 * takes there to be two. Input, concat, flatten and identity cost nothing. It
 * works on what is on chip; external memory is not charged. Not in
 * ub_systolic_model(), whose layers do not tell.
 *
 * A layer's `on_chip` has the effect of charge_inputs = 0.
 *
 * Where this differs from csim:
 *
 * - The last round runs and its MACs count. (csim leaves it out.)
 * - Inputs and results pass through external memory, for every layer. (csim
 *   never writes results that it does not have to evict, and U-Boost's numbers
 *   contain no inputs either.) `charge_inputs` and `charge_outputs` turn this
 *   off.
 * - Weights shift into the array once they are in SRAM, and not again when the
 *   next round uses the same. (csim shifts at the start of each round,
 *   whatever has arrived.)
 * - Partial sums are blocked to fit their bank instead of being evicted and
 *   fetched again; there is no stall limit after which it gives up.
 * - Several arrays take the best regular split instead of the first free array
 *   for each tile; one adder adds a pair, not two with operands swapped.
 * - Byte counts are integers, and bandwidth is kept to 1/1024 of a cycle per
 *   tile, rounded up. (csim adds up single-precision numbers.)
 * @{
 */

UB_BEGIN_DECLS

/** Whose known defects a simulation reproduces. */
typedef enum ub_systolic_compat {
    UB_SYSTOLIC_COMPAT_NONE = 0,     /**< none: the corrected behaviour */
    UB_SYSTOLIC_COMPAT_SCALESIM = 1, /**< SCALE-Sim v3's; level 2 */
    UB_SYSTOLIC_COMPAT_CSIM = 2      /**< csim's; level 1 */
} ub_systolic_compat;

/** What the layers' sparsity means, and how sparse weights are stored. */
typedef enum ub_systolic_sparsity {
    UB_SYSTOLIC_DENSE = 0,  /**< all layers are taken as dense */
    UB_SYSTOLIC_CSR = 1,    /**< compressed rows */
    UB_SYSTOLIC_CSC = 2,    /**< compressed columns */
    UB_SYSTOLIC_ELLPACK = 3 /**< blocks of ELLPACK */
} ub_systolic_sparsity;

/** Settings of a simulation. Fill with ub_systolic_options_init() first. */
typedef struct ub_systolic_options {
    size_t size;      /**< set by ub_systolic_options_init() */
    int64_t batch;    /**< images; 1 */
    int32_t level;    /**< of detail; 0 to 3; 1 */
    int32_t prefetch; /**< rounds that loads may run ahead, 0 to 127; 100 */
    int32_t charge_inputs;  /**< 0: inputs are on chip already; 1 */
    int32_t charge_outputs; /**< 0: results stay on chip; 1 */
    int32_t compat;         /**< a ub_systolic_compat; none */
    int32_t os_drain;       /**< levels 2 and 3, output stationary: 1 adds the
                                 cycles in which a fold's results leave the
                                 array, one per row; 0, as SCALE-Sim */
    int32_t count_memory;   /**< level 2: 1 counts external memory traffic as
                                 SCALE-Sim's CALC mode does; 0 */
    int32_t sparsity;       /**< level 2: a ub_systolic_sparsity;
                                 UB_SYSTOLIC_ELLPACK */
    int64_t tile_m;         /**< level 1: rows of an input tile, up to 2^32; 0:
                                 rows of the array */
    int64_t tile_k;         /**< level 1: rows of a weight tile, at most those
                                 of the array; 0: these */
    int64_t tile_n;         /**< level 1: columns of a weight tile, at most
                                 those of the array; 0: these */
    uint64_t seed;          /**< level 3: of the operands; 1 */
    int32_t packed;         /**< level 1: 1 puts several products of one layer
                                 on the diagonal of an array; 0 */
    int32_t reserved;       /**< 0 */
} ub_systolic_options;

/** Set every field to its default. */
UB_API
void ub_systolic_options_init(ub_systolic_options *options, size_t size);

/** What a simulated layer or network cost. */
typedef struct ub_systolic_stats {
    size_t size;           /**< sizeof(ub_systolic_stats), set by the caller */
    int64_t cycles;        /**< from the first byte to the last */
    int64_t macs;          /**< multiply-accumulates */
    int64_t rounds;        /**< tiles streamed; of several arrays together */
    int64_t stall_weights; /**< cycles in which the array waited for weights */
    int64_t stall_inputs;  /**< cycles in which it waited for inputs */
    int64_t stall_outputs; /**< cycles in which it waited for room for
                                results, and after the last round until they
                                are written */
    int64_t weight_bytes;  /**< read from external memory, in bursts */
    int64_t input_bytes;   /**< read from external memory, in bursts */
    int64_t output_bytes;  /**< written to external memory, in bursts */
    int64_t sram_read_bytes;  /**< weights, inputs and partial sums */
    int64_t sram_write_bytes; /**< partial sums, results, and what was loaded */
    double latency_ms;        /**< cycles / clock */
    double utilization;       /**< MACs / (cycles * processing elements); 1 when
                                   there are no cycles */

    /* Where the cycles of all processing elements went: shares of cycles *
     * rows * columns * arrays, which add to 1; all 0 without cycles. While m
     * rows stream, an element is busy, or in a column without weights of a row
     * that has some, or in a row without, or in an array without a tile (which
     * on a bus includes those that wait for it, and with an uneven share of m
     * those that are done). Skew is not counted, so neither are its fill and
     * drain. */
    double share_busy;           /**< multiplying; the utilization */
    double share_unused_rows;    /**< streaming, on rows without weights */
    double share_unused_columns; /**< streaming, on columns without weights */
    double share_unused_arrays;  /**< arrays without a tile in the round */
    double share_weight_load;    /**< shifting weights in while nothing
                                      streams */
    double share_fill;           /**< the rest of a round: its last cycle, and
                                      up to 2 l + 1 */
    double share_drain;          /**< after the last round: adding and the way
                                      to SRAM; and the part of a cycle that
                                      is missing to a whole number */
    double share_wait_weights;   /**< waiting for external memory */
    double share_wait_inputs;    /**< waiting for external memory */
    double share_wait_outputs;   /**< as stall_outputs */
    double share_vector;         /**< while the vector unit works: 1 or 0, but
                                      for a network */
} ub_systolic_stats;

/**
 * Simulate matrix products. A pure function: no context, no memory, any
 * thread.
 *
 * @param gemm      from ub_layer_gemm(); count 0 costs nothing
 * @param hardware  the machine
 * @param options   NULL: the defaults; the batch is not looked at
 * @param[out] out  .size set by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID      an argument makes no sense, or a bank is smaller
 *                             than one tile
 * @retval UB_ERR_RANGE        more than 2^50 cycles or 2^62 bytes are possible
 * @retval UB_ERR_UNSUPPORTED  another level, or hardware that is not simulated
 */
UB_API_CHECK
ub_status ub_systolic_gemm(const ub_gemm *gemm, const ub_hardware *hardware,
                           const ub_systolic_options *options,
                           ub_systolic_stats *out);

/** As ub_systolic_gemm() for a layer of a network and a batch of images. */
UB_API_CHECK
ub_status ub_systolic_layer(const ub_layer_info *layer,
                            const ub_hardware *hardware,
                            const ub_systolic_options *options,
                            ub_systolic_stats *out);

/**
 * Simulate a network, layer after layer.
 *
 * @param network     only read
 * @param hardware    the machine
 * @param options     NULL: the defaults
 * @param[out] total   .size set by the caller; may be NULL
 * @param[out] layers  one for each layer, .size of each set by the caller; or
 *                     NULL
 * @param n           number of elements of layers, at least
 *                    ub_network_layers() unless layers is NULL
 *
 * @retval UB_ERR_INVALID      an argument makes no sense (the text says which)
 * @retval UB_ERR_RANGE        too many cycles (the text names the layer)
 * @retval UB_ERR_UNSUPPORTED  another level, or hardware that is not simulated
 */
UB_API_CHECK
ub_status ub_systolic_run(const ub_network *network,
                          const ub_hardware *hardware,
                          const ub_systolic_options *options,
                          ub_systolic_stats *total, ub_systolic_stats *layers,
                          int64_t n);

/** What ub_systolic_model() reads. */
typedef struct ub_systolic_machine {
    size_t size;                        /**< sizeof(ub_systolic_machine) */
    const ub_hardware *hardware;        /**< borrowed */
    const ub_systolic_options *options; /**< borrowed; NULL: the defaults; the
                                             batch is the layer's */
} ub_systolic_machine;

/**
 * The simulator as a cost model, "simulator". Widths are rounded to the
 * nearest integer, at least 1; the halves of a separable convolution follow
 * each other. It has no derivatives.
 *
 * @param machine   borrowed: must outlive the model, as what it points to
 * @param[out] out  .size set by the caller
 *
 * @retval UB_ERR_INVALID      an argument makes no sense
 * @retval UB_ERR_UNSUPPORTED  another level, or hardware that is not simulated
 */
UB_API_CHECK
ub_status ub_systolic_model(const ub_systolic_machine *machine,
                            ub_cost_model *out);

UB_END_DECLS

/** @} */

#endif
