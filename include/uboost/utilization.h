/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_UTILIZATION_H
#define UBOOST_UTILIZATION_H

#include <uboost/hardware.h>

/**
 * @file
 * @defgroup utilization utilization
 * Latency and utilization of a layer in closed form.
 *
 * The functions read plain structs and write one. They need no context,
 * allocate nothing, keep no state and may be called from any thread. Only the
 * look-up table at the end is an object with memory.
 *
 * Source: Yuzuguler, Dimitriadis, Frossard, "U-Boost NAS:
 * Utilization-Boosted Differentiable Neural Architecture Search", ECCV 2022.
 * With s1 x s2 processing elements, weights stationary, b images, output map
 * h x w, p = h w b, kernel k1 x k2, c input and f output channels in g groups:
 *
 * | layer     | MACs            | cycles                                      |
 * |-----------|-----------------|---------------------------------------------|
 * | conv      | p k1 k2 c f / g | p g ceil(k1 k2 c / (g s1)) ceil(f / (g s2)) |
 * | depthwise | p k1 k2 c       | p c ceil(k1 k2 / s1)                        |
 * | linear    | b c f           | b ceil(c / s1) ceil(f / s2)                 |
 * | separable | depthwise + 1x1 | depthwise + 1x1                             |
 * | free      | 0               | 0                                           |
 *
 * latency = cycles / clock, utilization = MACs / (cycles s1 s2).
 * @{
 */

UB_BEGIN_DECLS

/** The machine, as these models see it. Fill with ub_util_options_init(). */
typedef struct ub_util_options {
    size_t size;           /**< set by ub_util_options_init() */
    int64_t rows;          /**< s1; 128 */
    int64_t columns;       /**< s2; 128 */
    int64_t element_bytes; /**< roofline: bytes of each operand; 2 */
    double clock_hz;       /**< cycles per second; 1e9 */
    double bandwidth;      /**< roofline: bytes per second; 80 * 2^30 */
    int32_t average;       /**< separable: 1 averages the utilizations of the
                                two halves, as the paper's public code does;
                                0, the default: MACs of both / (cycles of both
                                * s1 s2) */
    int32_t reserved;      /**< 0 */

    /* The memory, for ub_util_full() and ub_util_full_smooth() alone. */
    int64_t input_bank_bytes;  /**< on-chip memory for inputs; 5 * 2^20 */
    int64_t weight_bank_bytes; /**< for weights; 5 * 2^20 */
    int64_t output_bank_bytes; /**< for partial sums; 5 * 2^20 */
    int64_t input_bytes;       /**< of an input element, 1 to 64; 1 */
    int64_t weight_bytes;      /**< of a weight, 1 to 64; 1 */
    int64_t output_bytes;      /**< of a result, 1 to 64; 1 */
    int64_t partial_bytes;     /**< of a partial sum, 1 to 64; 2 */
    int32_t charge_inputs;     /**< 0: inputs are on chip already; 1 */
    int32_t charge_outputs;    /**< 0: results stay on chip; 1 */
} ub_util_options;

/** Set every field to its default, the paper's array. */
UB_API
void ub_util_options_init(ub_util_options *options, size_t size);

/**
 * Array, clock, bandwidth, banks and element sizes of a hardware description;
 * element_bytes, average and what is charged are left as they are. Bandwidths
 * of single operands, memory latency, bursts and the vector unit are not looked
 * at: no model here knows them.
 *
 * @param hardware     read only
 * @param[out] options  initialised before
 *
 * @retval UB_ERR_INVALID      one of them makes no sense
 * @retval UB_ERR_UNSUPPORTED  hardware asks for what no model here knows:
 *                             several arrays, stationary inputs or outputs
 */
UB_API_CHECK
ub_status ub_util_options_from(const ub_hardware *hardware,
                               ub_util_options *options);

/**
 * Smooth ceiling: the sum over i = 0, 1, 2, ... of
 * (1 + exp(-20 (x - i)) / 0.2)^(-2).
 *
 * Terms far from x are 0 or 1 in double precision, so only those near x are
 * computed: the time does not depend on x, and x has no upper limit.
 *
 * @param x                any finite number; the value at and below 0 is near 0
 * @param[out] derivative  by x; may be NULL
 *
 * @return the sum
 */
UB_API
double ub_util_ceil_smooth(double x, double *derivative);

/**
 * Exact latency and utilization on a systolic array. Channel counts are
 * rounded to the nearest integer, at least 1; derivatives are 0.
 *
 * @param options   the machine; NULL: the paper's
 * @param layer     what runs on it
 * @param[out] out  .size set by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID      a size or field makes no sense: sizes lie in 1
 *                             to 2^32 (rows and columns to 2^16), channel
 *                             counts in 1e-6 to 1e15
 * @retval UB_ERR_UNSUPPORTED  a field is set that this library does not know
 */
UB_API_CHECK
ub_status ub_util_latency(const ub_util_options *options,
                          const ub_cost_layer *layer, ub_cost *out);

/** As ub_util_latency() with ub_util_ceil_smooth() for the ceiling, for
 * real-valued channel counts, with all derivatives. */
UB_API_CHECK
ub_status ub_util_latency_smooth(const ub_util_options *options,
                                 const ub_cost_layer *layer, ub_cost *out);

/** As ub_util_latency() for a machine that is never idle: MACs / (s1 s2 clock),
 * utilization 1; real-valued channel counts, all derivatives. */
UB_API_CHECK
ub_status ub_util_flops(const ub_util_options *options,
                        const ub_cost_layer *layer, ub_cost *out);

/**
 * As ub_util_latency() by the roofline: the larger of MACs / peak and bytes /
 * bandwidth, where bytes are those of the weights, the input map at its own
 * size and the output map, each moved once. Real-valued channel counts;
 * derivatives of whichever is larger, of MACs / peak on a tie. The halves of a
 * separable convolution follow each other.
 */
UB_API_CHECK
ub_status ub_util_roofline(const ub_util_options *options,
                           const ub_cost_layer *layer, ub_cost *out);

/**
 * As ub_util_roofline() with the bytes that U-Boost's public code counts: the
 * input map at the output's size, and of the output, instead of its pixels, as
 * many elements per channel and image as the kernel has. It makes separable
 * convolutions look fast; to reproduce the paper's baseline.
 */
UB_API_CHECK
ub_status ub_util_roofline_published(const ub_util_options *options,
                                     const ub_cost_layer *layer, ub_cost *out);

/**
 * Level 1 of the simulator in closed form: latency and utilization with what
 * ub_util_latency() leaves out, that is loading weights into the array and all
 * operands from memory. Its time does not depend on the layer's size.
 *
 * With the tiles, rounds and notions of systolic.h, of a product m x k x n:
 * tm, tk, tn tiles, the last of which have m', k', n' rows and columns;
 * G products; s(x) = max(x, 3) + 1 cycles to stream x rows.
 *
 * - Computing: the first weights' load and shift, and from start to start of
 *   the rounds
 *       tn (tk (tm - 1) s(rows) + (tk - 1) max(s(m'), rows + 1)
 *           + max(s(m'), k' + 1)),
 *   G times; the last round streams only. Behind it, the last results are
 *   stored.
 * - Memory: the bytes of all operands over the bandwidth.
 * - Waiting: no round starts before its loads have come, which go on one after
 *   the other. Paths through the loads of the first and the last full depth and
 *   of the last depth are followed to the end; the longest counts. So is the
 *   one through the first result and the storing of all.
 * - Blocks: with partial sums beyond their bank, or where the above exceeds
 *   computing and memory, the product is taken in z blocks, which divide the
 *   excess by z and load operands larger than their banks z times. z is where
 *   saving meets cost, rounded to a power of two as it suits better.
 *
 * The longest of these is the result, rounded up. Weights are stationary: of
 * inputs or outputs, which level 1 knows too, there is no closed form. Against
 * level 1 with its default options, doc/results/model-error has the
 * distribution of its errors; most layers agree to the cycle. Banks smaller
 * than a tile are not noticed.
 *
 * @param options   the machine; NULL: the paper's
 * @param layer     what runs on it; channel counts are rounded to the nearest
 *                  integer, at least 1
 * @param[out] out  .size set by the caller; untouched on failure; derivatives
 *                  are 0
 *
 * @retval UB_ERR_INVALID      as ub_util_latency()
 * @retval UB_ERR_UNSUPPORTED  a field is set that this library does not know
 */
UB_API_CHECK
ub_status ub_util_full(const ub_util_options *options,
                       const ub_cost_layer *layer, ub_cost *out);

/**
 * As ub_util_full() for real-valued channel counts, with all derivatives, which
 * are continuous.
 *
 * - Behind a whole number of tiles, 1 or more, the result goes over from that
 *   many tiles to one more by a cubic step, within a tenth of a tile; what the
 *   channels do not change is rounded exactly.
 * - max(a, b) is the larger one, and where |a - b| < w = (|a| + |b|) / 100 it
 *   adds (w - |a - b|)^2 / (4 w), half a percent at most.
 * - Operands count as larger than their banks by a cubic step from the bank's
 *   size to 1.1 times that, and numbers of blocks need not be powers of two.
 */
UB_API_CHECK
ub_status ub_util_full_smooth(const ub_util_options *options,
                              const ub_cost_layer *layer, ub_cost *out);

/** The functions above as cost models. */
typedef enum ub_util_kind {
    UB_UTIL_EXACT = 0,  /**< ub_util_latency(), "systolic" */
    UB_UTIL_SMOOTH = 1, /**< ub_util_latency_smooth(), "systolic-smooth", whose
                             exact form, for reports, is UB_UTIL_EXACT */
    UB_UTIL_FLOPS = 2,  /**< ub_util_flops(), "flops"; exact by itself */
    UB_UTIL_ROOFLINE = 3,    /**< ub_util_roofline(), "roofline"; exact by
                                  itself */
    UB_UTIL_FULL = 4,        /**< ub_util_full(), "systolic-full" */
    UB_UTIL_FULL_SMOOTH = 5, /**< ub_util_full_smooth(), "systolic-full-smooth",
                                  whose exact form is UB_UTIL_FULL */
    /** ub_util_roofline_published(), "roofline-published"; exact by itself */
    UB_UTIL_ROOFLINE_PUBLISHED = 6
} ub_util_kind;

/**
 * One of the functions above as a cost model.
 *
 * @param kind      which
 * @param options   borrowed: must outlive the model; NULL: the paper's
 * @param[out] out  .size set by the caller
 *
 * @retval UB_ERR_INVALID      kind is unknown, options make no sense or
 *                             out->size is not set
 * @retval UB_ERR_UNSUPPORTED  options have a field this library does not know
 */
UB_API_CHECK
ub_status ub_util_model(ub_util_kind kind, const ub_util_options *options,
                        ub_cost_model *out);

/**
 * Look-up table of layer costs, the "blackbox" model: prices for widths that
 * are multiples of a quantum, nearest entry, the lower one on ties, without
 * derivatives; or interpolated between entries, with derivatives. Where the
 * groups of a convolution do not divide the quantum, its widths are multiples
 * of the next multiple of groups above the quantum.
 *
 * Layers are told apart by kind, groups, kernel, input and output map and
 * batch; dilation does not matter, nor do maps and kernel for linear layers.
 *
 * Thread-safety: as its context; a table that is not added to may be read from
 * several threads.
 */
typedef struct ub_util_table ub_util_table;

/**
 * Create an empty table.
 *
 * @param context   owns the memory
 * @param quantum   step between widths, 1 to 2^20; the paper's is 16
 * @param[out] out  owned by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID  quantum is out of its range
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_util_table_create(ub_context *context, int64_t quantum,
                               ub_util_table **out);

/** Destroy a table and set the pointer to NULL; NULL is allowed. */
UB_API
void ub_util_table_destroy(ub_util_table **table);

/**
 * Price a layer at its widths, quantum, 2 quantum, ..., up to the first that
 * reaches its in_channels and out_channels. A separable layer adds its
 * two halves, whose largest inner width is in_channels. Layers that cost
 * nothing and layers that are there with at least these widths add nothing.
 *
 * @param table  unchanged on failure
 * @param layer  the layer at its largest widths
 * @param model  asked once for each pair of widths; not kept
 *
 * @retval UB_ERR_INVALID      the layer or the model makes no sense
 * @retval UB_ERR_UNSUPPORTED  a field of the layer is set that this library
 *                             does not know
 * @retval UB_ERR_RANGE        more than 2^24 entries for one layer
 * @retval UB_ERR_NOMEM        out of memory
 *
 * @return what the model does, too, when it refuses a pair of widths
 */
UB_API_CHECK
ub_status ub_util_table_add(ub_util_table *table, const ub_cost_layer *layer,
                            const ub_cost_model *model);

/** Number of prices in the table. */
UB_API
int64_t ub_util_table_entries(const ub_util_table *table);

/**
 * The table as a cost model, "blackbox". It returns UB_ERR_UNSUPPORTED for a
 * layer that the table does not hold; widths beyond the largest get the
 * largest one's price.
 *
 * @param table     borrowed: must outlive the model
 * @param[out] out  .size set by the caller
 *
 * @retval UB_ERR_INVALID  an argument is NULL or out->size is not set
 */
UB_API_CHECK
ub_status ub_util_table_model(const ub_util_table *table, ub_cost_model *out);

/**
 * As ub_util_table_model(), "blackbox-interp": bilinear between the four widths
 * around a layer's, in MACs, cycles, latency and utilization, with derivatives.
 * Below the first width and beyond the largest the price is that of the nearest
 * width of the table, and does not change. At widths of the table the
 * derivative is that of the step above.
 *
 * @param table     borrowed: must outlive the model
 * @param[out] out  .size set by the caller
 *
 * @retval UB_ERR_INVALID  an argument is NULL or out->size is not set
 */
UB_API_CHECK
ub_status ub_util_table_interpolated(const ub_util_table *table,
                                     ub_cost_model *out);

UB_END_DECLS

/** @} */

#endif
