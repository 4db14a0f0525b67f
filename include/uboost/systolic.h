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
 * are of inputs.
 *
 * **Stationary outputs** (UB_DATAFLOW_OS): an array holds a tile of results,
 * `rows` of m by `columns` of n (or tile_m, tile_n). Inputs and weights stream
 * in together along k, `rows` of it (or tile_k) in a round, and the sums stay
 * until k is done. They then shift out, a row in a cycle, while the next tile
 * streams, and have to be out when it is done:
 *
 *     start = max(end of the round before, weights in SRAM, inputs in SRAM,
 *                 room)
 *     end   = start + max(k, 2 l + 1) + 1; of the last round of a tile no
 *             earlier than the tile before is out
 *     out   = end of the tile's last round + m + 1
 *
 * That is stationary weights with time reversed and m and k exchanged, but that
 * results have all rounds of the next tile to leave. With unlimited memory one
 * array takes, for F tiles of T = sum of (max(k, 3) + 1) over their rounds and
 * m that is a multiple of `rows`,
 * T + (F - 1) max(T, rows + 1) + rows + 1 + 2 cycles. What else is different:
 *
 * - Both operands are loaded ahead and streamed in every round. A block's
 *   weights stay in their bank for its next row of tiles, inputs for the next
 *   column, each with all of k; without such blocks, one tile of each is
 *   enough. Results are written once, when their tile is out; no partial sum is
 *   read but by adders.
 * - With pk > 1 each array has sums of its own for its share of k, of which one
 *   row is enough; there are no more parts of m than tiles.
 * - On a bus inputs and weights have one each: streaming takes
 *   pg pk max(pm, pn) times as long, shifting out pg pm pk pn times.
 * - `packed` looks at m and n: min(floor(tile_m / m), floor(tile_n / n), count)
 *   products share an array, and shift out together.
 * - Shifting is drain where nothing streams beside it; weight load is 0.
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
                                 array, one per row; 0, as SCALE-Sim. Level 1
                                 always has them */
    int32_t count_memory;   /**< level 2 of ub_systolic_run(), and reports: 1
                                 counts external memory traffic as SCALE-Sim's
                                 CALC mode does, 2 as its USER mode; 0 */
    int32_t sparsity;       /**< a ub_systolic_sparsity, of levels 0 and 2;
                                 level 1 takes all layers as dense, level 3 and
                                 traces refuse sparse ones unless this is
                                 UB_SYSTOLIC_DENSE; UB_SYSTOLIC_ELLPACK */
    int64_t tile_m;         /**< level 1: rows of an input tile, up to 2^32
                                 (stationary outputs: as tile_k); 0: rows of
                                 the array */
    int64_t tile_k;         /**< level 1: rows of a weight tile, at most those
                                 of the array (stationary outputs: up to 2^32);
                                 0: these */
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

/* -- from a configuration -------------------------------------------------- */

/**
 * Settings that ub_hardware_read_config() found: those of the same name, and
 * `sparsity` from sparse and sparse_format.
 *
 * @param config        read only
 * @param[out] options  .size set by the caller; what the configuration does not
 *                      know gets its default
 *
 * @retval UB_ERR_INVALID      a size is not set, or sparse or sparse_format is
 *                             out of its range
 * @retval UB_ERR_UNSUPPORTED  config has a field this library does not know
 */
UB_API_CHECK
ub_status ub_systolic_options_from(const ub_hardware_config *config,
                                   ub_systolic_options *options);

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
     * (or k) rows stream, an element is busy, or in a column without weights of
     * a row that has some, or in a row without, or in an array without a tile
     * (which on a bus includes those that wait for it, and with an uneven share
     * of them those that are done). Skew is not counted, so neither are its
     * fill and drain. */
    double share_busy;           /**< multiplying; the utilization */
    double share_unused_rows;    /**< streaming, on rows without weights, or
                                      stationary results */
    double share_unused_columns; /**< streaming, on columns without weights */
    double share_unused_arrays;  /**< arrays without a tile in the round */
    double share_weight_load;    /**< shifting weights in while nothing
                                      streams */
    double share_fill;           /**< the rest of a round: its last cycle, and
                                      up to 2 l + 1 */
    double share_drain;          /**< shifting results out while nothing
                                      streams; after the last round: adding and
                                      the way to SRAM; and the part of a cycle
                                      that is missing to a whole number */
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
 * @retval UB_ERR_NUMERIC      level 3: a product is wrong; never, unless there
 *                             is a fault in the library or the machine
 * @retval UB_ERR_INTERRUPTED  the progress callback asked to stop; level 3
 *                             calls it after each product, which it counts,
 *                             count_memory as ub_systolic_report_layer()
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
 * each other. As cost models are not told the stride, it is the input map's
 * size over the output map's, rounded up, without padding or dilation, which
 * says how much of the input map is loaded. It has no derivatives.
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

/* -- csim ------------------------------------------------------------------ */

/** What csim reports of a network; names of csim in brackets. */
typedef struct ub_systolic_csim_stats {
    size_t size;          /**< sizeof(ub_systolic_csim_stats), set by the
                               caller */
    int64_t cycles;       /**< until the last round but one has ended; -1: gave
                               up (no_cycles) */
    int64_t stall_cycles; /**< in which arrays and adders waited for tiles; all
                               that passed by then when it gave up
                               (memory_stall_cycles) */
    int64_t last_round;   /**< of the arrays, from 0 (no_main_rounds) */
    int64_t last_adder_round;  /**< of the adders, 0 without any
                                    (no_post_rounds) */
    int64_t operations;        /**< two for each MAC that ran (no_ops) */
    int64_t additions;         /**< of the adders (no_post_ops) */
    int64_t sram_read_bytes;   /**< (total_sram_read_bytes) */
    int64_t sram_write_bytes;  /**< (total_sram_write_bytes) */
    int64_t tile_products;     /**< in the plan (total_no_gemm_ops) */
    double input_bytes;        /**< from external memory (x_tiles_bw_usage) */
    double weight_bytes;       /**< from external memory (w_tiles_bw_usage) */
    double partial_bytes;      /**< from and to external memory: partial sums
                                    and results (p_tiles_bw_usage) */
    double interconnect_watts; /**< of its seven networks, each as wide as an
                                    array has columns (interconnect_tdp) */
    double routed_mebibytes;   /**< through the arrays' four networks, as
                                    planned (interconn_total_mbytes) */
    double routed_once_mebibytes; /**< the same, a tile that several arrays
                                      read in a round counted once
                                      (interconn_total_mbytes_with_multicast) */
} ub_systolic_csim_stats;

/**
 * Simulate a network as csim does, the simulator of the SOSA compiler
 * (yuezuegu/sosa-compiler, of 2023-01-04), to the last digit.
 *
 * There are P arrays, P adders and 3 P banks: inputs, weights, and partial
 * sums or results. Products are cut into tiles of tile_m of m, tile_k of k and
 * tile_n of n; a layer of several products has them next to each other. Input
 * tiles of a convolution take rows * columns / (kernel height * width) bytes,
 * rounded down; those of one with a group for each channel rows * columns.
 *
 * **Plan.** Layers are placed in their order, each behind the last round of
 * all its inputs; layers without a product take no round. Input tiles (k
 * before m) and weight tiles (k before n) are dealt out to the banks. An input
 * tile times a weight tile goes to the first round with an idle array, no other
 * tile of the same banks, a free bank for its result and free routes; the order
 * is k, m, n, and the lowest array and bank are taken. A result then starts
 * the sum of the first later round that starts from nothing yet (k in order)
 * and does not read that bank; what is left is added in pairs, first in first
 * out.
 *
 * **Clock.** A round takes max(rows of inputs, rows of the next round's
 * weights, rows added, 2 l + 1) + 1 cycles, with the latency l of the
 * interconnect: 1 for crossbar and bus, 4 n - 1 for Benes with copies, n + 2
 * expansion for banyan, n = ceil(log2 P). The next round begins once all its
 * tiles are on chip. l + 1 cycles are added at the end.
 *
 * **Memory.** One queue: the weights of a round, then its inputs, less than
 * `prefetch` rounds ahead. A tile of a full bank goes, first in first out, when
 * the last round that asked for it has passed.
 *
 * What it does that one would not expect, and what level 1 does without
 * UB_SYSTOLIC_COMPAT_CSIM instead:
 *
 * - The last round is planned, and its tiles are loaded, but it never runs: not
 *   its cycles, not its MACs. A layer of one tile has utilization 0. (It runs.)
 * - The first weights shift in once all of them have come; an array that is
 *   done begins anew while another is not, so that tiles of 32 and 12 rows take
 *   33 * 13 = 429 cycles. (max(rows) + 1.)
 * - Weights shift in at the start of the round before, whether they have come
 *   or not, and again when the array has them already; sram_read_bytes counts
 *   that. (When they have come; once.)
 * - Inputs of a layer with `on_chip` are there without taking room, until they
 *   are evicted; in repetitions they are loaded like others. (They stay.)
 * - A result is written to external memory only if it is evicted, in cycles in
 *   which a load found no room; repetitions write none. (All are, unless
 *   charge_outputs is 0.)
 * - A partial sum that is evicted before it is read comes back from external
 *   memory, where nobody wrote it. (Partial sums fit by the choice of blocks.)
 * - Each pair of tiles is added by two adders, operands exchanged, in two
 *   rounds; both count. (One adder.)
 * - A stall of more than 100 * rows cycles ends the simulation with cycles of
 *   -1. With `prefetch` = 1 every network of two rounds does. (No limit.)
 * - Bytes of external memory are added up in single precision, byte by
 *   bandwidth; so are routed_mebibytes. bandwidth counts as GiB/s. (Integers.)
 * - Repetition i begins at i times (last round + 1) + 1: a round without work
 *   is between the first two. (No repetitions.)
 *
 * The same is reached with compat = UB_SYSTOLIC_COMPAT_CSIM and level 1 by
 * ub_systolic_run(): the total is that of this function, the statistics of a
 * layer are those of the layer alone, and do not add up to it; by
 * ub_systolic_layer() and ub_systolic_gemm(), which then take memory (of
 * malloc()) while they run and may return UB_ERR_NOMEM; and by
 * ub_systolic_model(). A product alone does not tell of what kernel it is:
 * ub_systolic_gemm() takes none of its inputs to overlap, so that tiles of a
 * convolution's take kernel height * width times the bytes. In
 * ub_systolic_stats macs and utilization are of what
 * ran, stall_inputs has the stalls in which all weights were there,
 * output_bytes is partial_bytes, shares are 0; giving up is UB_ERR_RANGE.
 *
 * @param network   only read
 * @param hardware  the machine, weight stationary, without channels of their
 *                  own, bursts or memory latency; output_bytes and vector_lanes
 *                  are not looked at
 * @param options   NULL: the defaults; batch, prefetch, charge_inputs (0: as
 *                  on_chip of all layers) and the tile sizes are looked at
 * @param repeats   times that the network runs, at least 1 (no_repeat)
 * @param[out] out  .size set by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID      an argument makes no sense, a bank is smaller
 *                             than one tile that it has to take, or csim would
 *                             wait forever for the first tiles
 * @retval UB_ERR_RANGE        more than 2^23 products of tiles, a tile of 2
 * GiB, 2^31 cycles for the first weights, or 2^31 for external memory
 * @retval UB_ERR_UNSUPPORTED  hardware that csim does not have,
 *                             UB_INTERCONNECT_BENES, a banyan without expansion
 *                             for one array, another level, or a network at
 *                             which csim itself fails: it evicts an input that
 *                             took no room
 * @retval UB_ERR_NOMEM        out of memory
 */
UB_API_CHECK
ub_status ub_systolic_csim(const ub_network *network,
                           const ub_hardware *hardware,
                           const ub_systolic_options *options, int64_t repeats,
                           ub_systolic_csim_stats *out);

/*
 * Level 2: folds, as SCALE-Sim counts them.
 */

/**
 * What the folds of matrix products cost, without external memory.
 *
 * With R x C processing elements, the stationary operand of rows x columns is
 * cut into F = ceil(rows / R) ceil(columns / C) folds, through each of which
 * `stream` vectors pass, one fold after the other, nothing overlapped:
 *
 * | dataflow          | rows | columns | stream | cycles of a fold      |
 * |-------------------|------|---------|--------|-----------------------|
 * | weight stationary | k    | n       | m      | 2 R + C + stream - 2  |
 * | input stationary  | k    | m       | n      | 2 R + C + stream - 2  |
 * | output stationary | m    | n       | k      | R + C + stream - 2    |
 *
 * that is R cycles to load what is stationary, `stream`, and R - 1 and C - 1
 * of skew; with os_drain R more in which a fold's results leave. Groups follow
 * each other.
 *
 * These are the cycles of level 2; its rounds are folds, share_weight_load is
 * the R cycles of loading (of inputs, if they are stationary), share_fill the
 * R - 1 and share_drain the C - 1 of skew and what os_drain adds. They are
 * shares of the true cycles in any case. Level 0 has F * stream cycles and
 * counts no bytes.
 *
 * Source: Samajdar et al., "A systematic methodology for characterizing
 * scalability of DNN accelerators using SCALE-Sim", ISPASS 2020, and the
 * behaviour of SCALE-Sim v3, which UB_SYSTOLIC_COMPAT_SCALESIM reproduces to
 * the digit where it differs:
 *
 * - It prints the number of the last cycle, one less than there are (of each
 *   group).
 * - Output stationary, it counts R + C writes too many for each fold.
 * - Its compute utilization of stationary weights and inputs is that of a fold
 *   which is C - 1 cycles longer.
 */
typedef struct ub_systolic_folds {
    size_t size;            /**< sizeof(ub_systolic_folds), set by the caller */
    int64_t cycles;         /**< of all folds and groups */
    int64_t fold_cycles;    /**< of one */
    int64_t row_folds;      /**< of one group: ceil(rows / R) */
    int64_t column_folds;   /**< of one group: ceil(columns / C) */
    int64_t macs;           /**< multiply-accumulates */
    int64_t input_reads;    /**< elements of windows out of the input bank,
                                 padding included */
    int64_t weight_reads;   /**< elements out of the weight bank */
    int64_t output_writes;  /**< results and partial sums into the output
                                 bank */
    int64_t partial_writes; /**< of these, partial sums; one less for each
                                 element than there are row folds */
    int64_t partial_reads;  /**< partial sums read back to add to them;
                                 SCALE-Sim counts none */
    double mapping_efficiency;  /**< processing elements in use, on average */
    double compute_utilization; /**< the same, times stream / fold_cycles */
    double utilization;         /**< macs / (cycles R C) */
} ub_systolic_folds;

/**
 * Count the folds of matrix products. A pure function: no context, no memory,
 * any thread; about 0.1 us.
 *
 * @param gemm      from ub_layer_gemm(); count 0 costs nothing
 * @param hardware  array and dataflow
 * @param options   os_drain and compat are looked at; NULL: the defaults
 * @param[out] out  .size set by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID      an argument makes no sense
 * @retval UB_ERR_RANGE        more than 2^50 cycles
 * @retval UB_ERR_UNSUPPORTED  more than one array, or csim's compat
 */
UB_API_CHECK
ub_status ub_systolic_fold(const ub_gemm *gemm, const ub_hardware *hardware,
                           const ub_systolic_options *options,
                           ub_systolic_folds *out);

/** Accesses of a memory. Cycle 0 is the layer's first; what is fetched before
 * has negative cycles. Without accesses only the count means something. */
typedef struct ub_systolic_accesses {
    int64_t start; /**< cycle of the first one */
    int64_t stop;  /**< cycle of the last one */
    int64_t count; /**< elements */
    double rate;   /**< elements per cycle: on-chip memory over the whole
                        layer, external memory from start to stop */
} ub_systolic_accesses;

/**
 * All that SCALE-Sim reports of a layer.
 *
 * External memory (SCALE-Sim's CALC mode) never holds up the array. Half a
 * bank holds what has been read, in the order of the requests; an element that
 * it does not hold is read once, and a full half is emptied at once. What
 * fills a half, half the bank's elements in whole hundredths of the bank, is
 * fetched while the half before it was filled; the first half, before all
 * requests, at 10 elements per cycle. Results leave when they outgrow half of
 * their bank, and at the end, one element per column and cycle. Partial sums
 * leave as results do and are not read again. Windows' taps in the padding
 * are no requests.
 *
 * Differences of UB_SYSTOLIC_COMPAT_SCALESIM, beside those of
 * ub_systolic_folds: the last cycle's number instead of the number of cycles
 * in cycles_with_prefetch, too; results that leave may be counted a few too
 * many, and stationary ones are written in the order that ub_systolic_trace()
 * has; the utilization is of dense MACs for sparse layers, too; percentages are
 * summed fold by fold, which only the last digits show.
 */
typedef struct ub_systolic_report {
    size_t size;    /**< sizeof(ub_systolic_report), set by the caller */
    int64_t cycles; /**< as ub_systolic_folds */
    int64_t cycles_with_prefetch; /**< from the first access of external memory
                                       to the last one */
    int64_t stall_cycles;         /**< 0 */
    int64_t products;             /**< groups; 0 for layers that compute no
                                       matrix product, all else is 0 then */
    double utilization;           /**< MACs done, in percent of those possible
                                       in `cycles` */
    double mapping_efficiency;    /**< as ub_systolic_folds, in percent */
    double compute_utilization;   /**< as ub_systolic_folds, in percent */
    ub_systolic_accesses sram_input;  /**< reads; of a sparse layer each
                                           row's sparse_block / sparse_keep
                                           times */
    ub_systolic_accesses sram_weight; /**< reads */
    ub_systolic_accesses sram_output; /**< writes, partial sums included */
    ub_systolic_accesses dram_input;  /**< reads */
    ub_systolic_accesses dram_weight; /**< reads */
    ub_systolic_accesses dram_output; /**< writes, partial sums included */
    int64_t partial_writes;           /**< as ub_systolic_folds */
    int64_t partial_reads;            /**< as ub_systolic_folds */
    double input_reads;               /**< sram_input.count, which may be a
                                           fraction for a sparse layer */
    int64_t dense_words;              /**< weights of the layer */
    double stored_words; /**< those that are stored, and their indices */
    double index_words;  /**< the indices: csr one for each weight, and rows +
                              1; csc one for each weight, and columns + 1;
                              ELLPACK ceil(log2 sparse_block) bits of a 32-bit
                              word for each weight */
    double index_rate;   /**< index_words / cycles */
    int32_t sparsity;    /**< a ub_systolic_sparsity; UB_SYSTOLIC_DENSE for a
                              dense layer, whose storage is given as if it were
                              sparse unless the options are dense, too */
    int32_t reserved;    /**< 0 */
} ub_systolic_report;

/**
 * Count folds and external memory of a layer, which takes about a nanosecond
 * for each request of an element.
 *
 * Of a sparse layer the first sparse_keep of every sparse_block elements of a
 * window are stored and multiplied, the same for all filters.
 *
 * @param context   memory for a bit per element of the layer's operands
 * @param layer     from ub_network_layer()
 * @param hardware  array, dataflow and banks; bandwidths with count_memory 2
 * @param options   the level is not looked at; count_memory 2 is SCALE-Sim's
 *                  USER mode: its bandwidths in whole elements per cycle, for
 *                  layers that fit half of each bank; NULL: the defaults
 * @param[out] out  .size set by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID      an argument makes no sense, or a bank holds fewer
 *                             than 100 elements
 * @retval UB_ERR_RANGE        more than 2^50 cycles or 2^36 requests
 * @retval UB_ERR_UNSUPPORTED  more than one array, csim's compat, a sparse
 *                             layer that is not weight stationary, or a finite
 *                             bandwidth with a layer that does not fit
 * @retval UB_ERR_INTERRUPTED  the progress callback asked to stop; it is called
 *                             every 2^24 requests, with the cycle of the last
 * @retval UB_ERR_NOMEM        out of memory
 */
UB_API_CHECK
ub_status ub_systolic_report_layer(ub_context *context,
                                   const ub_layer_info *layer,
                                   const ub_hardware *hardware,
                                   const ub_systolic_options *options,
                                   ub_systolic_report *out);

/**
 * Write COMPUTE_REPORT.csv, BANDWIDTH_REPORT.csv and
 * DETAILED_ACCESS_REPORT.csv, and SPARSE_REPORT.csv if a layer is sparse, as
 * SCALE-Sim formats them. Layers without products are left out; the others are
 * numbered from 0.
 *
 * @param context  of errors
 * @param folder   exists; files in it are replaced
 * @param reports  filled by ub_systolic_report_layer(), one for each layer
 * @param n        how many
 *
 * @retval UB_ERR_INVALID  an argument makes no sense
 * @retval UB_ERR_IO       a file cannot be written (the text says why)
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_systolic_write_reports(ub_context *context, const char *folder,
                                    const ub_systolic_report *reports,
                                    int64_t n);

/**
 * ub_systolic_report_layer() for all layers of a network, then
 * ub_systolic_write_reports().
 *
 * @param network   only read; its context is used
 * @param hardware  as in ub_systolic_report_layer()
 * @param options   as in ub_systolic_report_layer()
 * @param folder    exists; files in it are replaced
 *
 * @return as those two; nothing is written unless all layers can be reported
 */
UB_API_CHECK
ub_status ub_systolic_report_network(const ub_network *network,
                                     const ub_hardware *hardware,
                                     const ub_systolic_options *options,
                                     const char *folder);

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

/* -- energy and area ------------------------------------------------------ */

/** Most bank sizes of a table. */
#define UB_ENERGY_BANKS 8

/** What actions and area cost in a technology. */
typedef struct ub_energy_table {
    size_t size;      /**< sizeof(ub_energy_table), set by the caller */
    char name[64];    /**< of the table */
    char source[256]; /**< where its figures come from */
    double mac;       /**< pJ of a multiply-accumulate, registers included */
    double idle;      /**< pJ of a processing element and cycle without one */
    double bank_bytes[UB_ENERGY_BANKS]; /**< sizes of banks, rising; 0 behind
                                             the last one */
    double bank_pj[UB_ENERGY_BANKS]; /**< pJ to read or write a byte of a bank
                                          of that size */
    double memory;                   /**< pJ of a byte of external memory */
    double interconnect; /**< pJ of a byte through one port of a crossbar */
    double leakage;      /**< mW of a processing element */
    double element_um2;  /**< area of a processing element */
    double bank_um2;     /**< area of a byte of a bank */
} ub_energy_table;

/** Where the energy goes, in pJ, and the area. */
typedef struct ub_energy {
    size_t size;         /**< sizeof(ub_energy), set by the caller */
    double mac;          /**< multiply-accumulates */
    double idle;         /**< processing elements that wait */
    double banks;        /**< bytes read from and written to banks */
    double interconnect; /**< the same bytes on their way */
    double memory;       /**< bytes of external memory */
    double leakage;      /**< of all processing elements, all the time */
    double total;        /**< sum of these */
    double watts;        /**< total / latency; 0 without cycles */
    double pj_per_mac;   /**< total / MACs; 0 without MACs */
    double element_mm2;  /**< area of the processing elements */
    double bank_mm2;     /**< area of the banks */
} ub_energy;

/**
 * A table by its name:
 *
 * - "sosa-28nm": the constants of the SOSA compiler's scripts for a 28 nm
 *   technology at 1 GHz: 0.4 pJ per MAC; banks of 64, 128, 256 and 512 kB with
 *   1.1, 1.6, 2.7 and 4.1 pJ per byte; 28.75 uW per byte of width for the
 *   interconnect. External memory is HBM2, 3.92 pJ per bit (O'Connor et al.,
 *   MICRO 2017). Areas: the arithmetic of horowitz-45nm, scaled by
 *   (28 / 45)^2; bits of 0.127 um^2, cells alone.
 * - "horowitz-45nm": M. Horowitz, ISSCC 2014, figure 1.1.9: 8 bit
 *   multiplication 0.2 pJ and 282 um^2, 32 bit addition 0.1 pJ and 137 um^2; 64
 *   bits of 8 kB, 32 kB and 1 MB memories for 10, 20 and 100 pJ; of DRAM for
 *   1.3 to 2.6 nJ, of which the middle is taken. Bits of 0.346 um^2 (Intel,
 *   IEDM 2007), cells alone. The interconnect is not counted.
 *
 * @param name      of a table
 * @param[out] out  .size set by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID  there is none of that name, or an argument is
 *                         unusable
 */
UB_API_CHECK
ub_status ub_energy_preset(const char *name, ub_energy_table *out);

/**
 * Read a table from a JSON file: an object with "format": "uboost-energy",
 * "name", "source", numbers "mac", "idle", "memory", "interconnect",
 * "leakage", "element_um2" and "bank_um2" as in ub_energy_table, and "banks", a
 * list of [bytes, pJ per byte] with rising bytes. What is left out is 0, but
 * for "mac" and "banks". Unknown keys are warned of in the log.
 *
 * @param context   for the error text and the log
 * @param path      file
 * @param[out] out  .size set by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID  an argument is unusable
 * @retval UB_ERR_IO       the file cannot be read
 * @retval UB_ERR_FORMAT   it is no such table
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_energy_read(ub_context *context, const char *path,
                         ub_energy_table *out);

/**
 * Price what a simulation counted. A pure function: no context, no memory, any
 * thread.
 *
 * A byte of a bank costs what lies between the sizes of the table by a power
 * law, and by that of its two nearest sizes beyond them; the bank is the
 * largest of the three of an array. A byte on its way through the interconnect
 * of P arrays costs `interconnect` times P (crossbar), 4 log2 P and 2 log2 P
 * (Benes with and without copies), log2 P 2^expansion (banyan) or 1 (bus), at
 * least once: power of the whole network over the P ports that share it (the
 * SOSA compiler's scripts).
 *
 * @param table     from ub_energy_preset() or ub_energy_read()
 * @param hardware  as in the simulation
 * @param stats     from the simulation
 * @param[out] out  .size set by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID  an argument makes no sense
 */
UB_API_CHECK
ub_status ub_energy_of(const ub_energy_table *table,
                       const ub_hardware *hardware,
                       const ub_systolic_stats *stats, ub_energy *out);

UB_END_DECLS

/** @} */

#endif
