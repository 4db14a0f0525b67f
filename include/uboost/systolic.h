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
 * `rows` of m, `rows` of k and `columns` of n; a round streams one input tile
 * through one weight tile in the array:
 *
 *     weights of a round may shift in while the round before streams:
 *         shifted = max(start of the round before, weights in SRAM) + k + 1
 *     start = max(end of the round before, shifted, inputs in SRAM)
 *     end   = start + max(m, 3) + 1
 *
 * and two cycles at the end of a layer take its last results to SRAM. Fill and
 * drain of the array's skew are not counted, as in csim; they cost rows +
 * columns - 2 cycles per layer.
 *
 * External memory has one channel that serves in order: the weights and
 * inputs of a round, up to `prefetch` rounds ahead as far as the banks have
 * room, and results once their round has ended. A layer's blocks, that is how
 * many tiles of m and n are taken at a time, are the fastest of halvings of
 * the whole that fit the banks; partial sums of a block stay on chip.
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
    int64_t tile_m;         /**< level 1: rows of an input tile; 0: rows of the
                                 array */
    int64_t tile_k;         /**< level 1: rows of a weight tile; 0: rows of the
                                 array */
    int64_t tile_n;         /**< level 1: columns of a weight tile; 0: columns
                                 of the array */
    uint64_t seed;          /**< level 3: of the operands; 1 */
} ub_systolic_options;

/** Set every field to its default. */
UB_API
void ub_systolic_options_init(ub_systolic_options *options, size_t size);

/** What a simulated layer or network cost. */
typedef struct ub_systolic_stats {
    size_t size;           /**< sizeof(ub_systolic_stats), set by the caller */
    int64_t cycles;        /**< from the first byte to the last */
    int64_t macs;          /**< multiply-accumulates */
    int64_t rounds;        /**< tiles streamed */
    int64_t stall_weights; /**< cycles in which the array waited for weights */
    int64_t stall_inputs;  /**< cycles in which it waited for inputs */
    int64_t stall_outputs; /**< cycles after the last round until the results
                                are written */
    int64_t weight_bytes;  /**< read from external memory */
    int64_t input_bytes;   /**< read from external memory */
    int64_t output_bytes;  /**< written to external memory */
    int64_t sram_read_bytes;  /**< weights, inputs and partial sums */
    int64_t sram_write_bytes; /**< partial sums, results, and what was loaded */
    double latency_ms;        /**< cycles / clock */
    double utilization;       /**< MACs / (cycles * processing elements); 1 when
                                   there are no cycles */

    /* Where the cycles of all processing elements went: shares of cycles *
     * rows * columns * arrays, which add to 1; all 0 without cycles. */
    double share_busy;           /**< multiplying; the utilization */
    double share_unused_rows;    /**< streaming, on rows without weights */
    double share_unused_columns; /**< streaming, on columns without weights */
    double share_unused_arrays;  /**< arrays without a tile in the round */
    double share_weight_load;    /**< shifting weights in */
    double share_fill;           /**< until the first result leaves */
    double share_drain;          /**< until the last result has left */
    double share_wait_weights;   /**< waiting for external memory */
    double share_wait_inputs;    /**< waiting for external memory */
    double share_wait_outputs;   /**< waiting for external memory */
    double share_vector;         /**< while the vector unit works */
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
 * @retval UB_ERR_RANGE        more than 2^50 cycles
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
 * @retval UB_ERR_NUMERIC      level 3: a product is wrong; never, unless there
 *                             is a fault in the library or the machine
 * @retval UB_ERR_INTERRUPTED  level 3: the progress callback asked to stop; it
 *                             is called after each product, which it counts
 * @retval UB_ERR_NOMEM        out of memory
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

/* -- traces --------------------------------------------------------------- */

/** The operands of a layer. Values are never renumbered. */
typedef enum ub_systolic_operand {
    UB_SYSTOLIC_INPUT = 0,   /**< input map; SCALE-Sim's IFMAP */
    UB_SYSTOLIC_WEIGHTS = 1, /**< weights; FILTER */
    UB_SYSTOLIC_OUTPUT = 2   /**< results and partial sums; OFMAP */
} ub_systolic_operand;

/**
 * Receives what an operand's bank is asked for in a cycle.
 *
 * @param user       as handed to ub_systolic_trace()
 * @param cycle      from 0 on, each once, in order
 * @param addresses  one for each lane, -1 where nothing is asked for; borrowed
 *                   for the call, and may be written to
 * @param n          lanes: rows of the array for what enters at its left side,
 *                   columns for what enters at the top or leaves at the bottom
 *
 * @return other than 0 to stop
 */
typedef int (*ub_systolic_trace_fn)(void *user, int64_t cycle,
                                    int64_t *addresses, int64_t n);

/**
 * The requests that a layer on one array makes to the bank of one operand,
 * cycle by cycle, as SCALE-Sim has them. Memory is that of some hundred rows
 * and of the array's sides, whatever the layer.
 *
 * A layer's products run one after the other, each of m x k by k x n in folds;
 * f is the number of the fold, its cycles are those of level 2, R and C the
 * array's sides. With i and j for the fold's first row and column:
 *
 *     ws  weights (i + R-1-u, j + c)  at f + u, u < R         on column c
 *         inputs  (t, i + r)          at f + R + t + r        on row r
 *         results (t, j + c)          at f + 2 R - 1 + t + c  on column c
 *     is  inputs  (j + c, i + R-1-u)  at f + u, u < R         on column c
 *         weights (i + r, t)          at f + R + t + r        on row r
 *         results (j + c, t)          at f + 2 R - 1 + t + c  on column c
 *     os  inputs  (i + r, t)          at f + t + r            on row r
 *         weights (t, j + c)          at f + t + c            on column c
 *         results (i + u, j + c)      at f + k - 1 + u + c    on column c
 *
 * Of stationary outputs each is written in the cycle of its last product, over
 * a line that the elements of a column share. SCALE-Sim writes them in the
 * opposite order, so that most leave before they are finished; `compat` =
 * UB_SYSTOLIC_COMPAT_SCALESIM does so too. With `os_drain`, whatever `compat`
 * says, results shift down once the column's last one is finished, and
 * (i + R-1-u, j + c) leaves at f + k - 1 + R + u + c.
 *
 * Maps lie in memory by rows, columns, channels; an image of the batch behind
 * the other. Weights lie filter by filter, each by kernel rows, kernel columns,
 * channels of the group. Results lie as maps do, a linear layer's image by
 * image. Addresses count elements from `offset` on. A tap outside the map,
 * whether in the padding or beyond the last whole window, is no request.
 *
 * Of sparse weights there is no trace; with `sparsity` = UB_SYSTOLIC_DENSE
 * they are taken as dense. `level` is not looked at. Layers that compute no
 * product have no rows.
 *
 * @param context   for memory and errors
 * @param layer     from ub_network_layer()
 * @param hardware  the array, its dataflow
 * @param options   NULL: the defaults
 * @param operand   a ub_systolic_operand
 * @param offset    first address of the operand, 0 to 2^62
 * @param fn        called once per cycle
 * @param user      handed to fn; may be NULL
 *
 * @retval UB_ERR_INVALID      an argument makes no sense
 * @retval UB_ERR_RANGE        more than 2^50 cycles, or an address beyond 2^62
 * @retval UB_ERR_UNSUPPORTED  several arrays, sparse weights, a layer that
 *                             multiplies two maps, another `compat`
 * @retval UB_ERR_INTERRUPTED  fn asked to stop
 * @retval UB_ERR_NOMEM        out of memory
 */
UB_API_CHECK
ub_status ub_systolic_trace(ub_context *context, const ub_layer_info *layer,
                            const ub_hardware *hardware,
                            const ub_systolic_options *options, int32_t operand,
                            int64_t offset, ub_systolic_trace_fn fn,
                            void *user);

/**
 * Write the same as text, as SCALE-Sim's *_SRAM_TRACE.csv: a line
 * `cycle,address,address,...` for each cycle, -1 for no request. Of what is
 * read the cycle is that of the arrival, one later.
 *
 * A file is replaced as a whole; a device or a pipe is written to as it is.
 * The context's progress callback is called now and then, with the lines
 * written so far as its step.
 *
 * @param context   for memory, errors and progress
 * @param layer     as ub_systolic_trace()
 * @param hardware  as ub_systolic_trace()
 * @param options   as ub_systolic_trace()
 * @param operand   as ub_systolic_trace()
 * @param offset    as ub_systolic_trace(); SCALE-Sim's usual ones are 0, 10^7
 *                  and 2 * 10^7
 * @param path      the file
 *
 * @retval UB_ERR_IO           it cannot be written
 * @retval UB_ERR_INTERRUPTED  the progress callback asked to stop
 * @retval UB_ERR_INVALID      and others as ub_systolic_trace()
 */
UB_API_CHECK
ub_status ub_systolic_trace_write(ub_context *context,
                                  const ub_layer_info *layer,
                                  const ub_hardware *hardware,
                                  const ub_systolic_options *options,
                                  int32_t operand, int64_t offset,
                                  const char *path);

/* -- processing elements -------------------------------------------------- */

/**
 * Multiply matrices on an array of registers that is stepped cycle by cycle:
 * level 3. Operands of one byte, sums of 32 bits. In each cycle every
 * processing element takes its left neighbour's operand, from above a partial
 * sum (ws, is), a second operand (os) or the weight that is shifting in, and
 * multiplies once. What a fold cuts off is fed as zeros, and sums that leave
 * the array are added to those of the folds before.
 *
 * Of F folds, each of T streamed elements, the array of R x C takes
 *
 *     ws, is          F (2 R + C + T - 2) cycles
 *     os              F (R + C + T - 2)
 *     os, os_drain    F (2 R + C + T - 2)
 *
 * as level 2, and asks for what ub_systolic_trace() says in each of them.
 * ub_systolic_run() with `level` = 3 does this with random operands (`seed`)
 * for every layer and compares with a plain product; UB_ERR_NUMERIC would say
 * that they differ. The other functions, which have no context, refuse level 3.
 * Time is about R C / 10^9 seconds per cycle.
 *
 * In the statistics nothing waits for external memory. Processing elements
 * load (R cycles of a fold, ws and is), fill (R - 1) and drain (C - 1, and R
 * more with os_drain); what remains of the cycles is spent on used and unused
 * rows and columns.
 *
 * @param context   for memory and errors
 * @param gemm      shape; input_elements is not looked at
 * @param hardware  one array; its dataflow
 * @param options   NULL: the defaults; of them os_drain alone is looked at, and
 *                  that compat is UB_SYSTOLIC_COMPAT_NONE
 * @param input     count matrices of m x k, row by row
 * @param weights   count matrices of k x n, row by row
 * @param[out] output  count matrices of m x n, row by row; exact
 * @param[out] stats   .size set by the caller; may be NULL
 *
 * @retval UB_ERR_INVALID      an argument makes no sense
 * @retval UB_ERR_RANGE        more than 2^40 updates of processing elements, or
 *                             k beyond 131071, which could overflow a sum
 * @retval UB_ERR_UNSUPPORTED  several arrays, or another `compat`
 * @retval UB_ERR_NOMEM        out of memory
 */
UB_API_CHECK
ub_status ub_systolic_multiply(ub_context *context, const ub_gemm *gemm,
                               const ub_hardware *hardware,
                               const ub_systolic_options *options,
                               const int8_t *input, const int8_t *weights,
                               int32_t *output, ub_systolic_stats *stats);

UB_END_DECLS

/** @} */

#endif
