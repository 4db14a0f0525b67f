/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_SYSTOLIC_FOLD_H
#define UBOOST_LIB_SYSTOLIC_FOLD_H

#include "systolic/systolic.h"

/* One matrix product as folds: the stationary operand is `rows` x `columns`
 * and is cut by the array; `stream` elements pass through each fold. Columns
 * are the outer loop. */
typedef struct ub__fold {
    int64_t rows, columns, stream;
    int64_t array_rows, array_columns;
    int64_t row_folds, column_folds;
    int64_t cycles; /* of a fold */
    int32_t dataflow;
    /* stationary outputs: cycles of a fold in which results leave, beyond its
     * skew, and whether the array's last row comes first */
    int32_t drain, upward;
} ub__fold;

/* Leave out of the products what a sparse layer does not store: of every
 * sparse_block elements of a window the first sparse_keep remain. */
ub_status ub__stored_gemm(const ub_layer_info *info,
                          const ub_hardware *hardware,
                          const ub_systolic_options *o, ub_gemm *g);

/* A product of m x k by k x n; h and o are checked. */
ub__fold ub__fold_of(int64_t m, int64_t k, int64_t n, const ub_hardware *h,
                     const ub_systolic_options *o);

/* Rows and columns of the stationary operand in a fold. */
int64_t ub__fold_rows(const ub__fold *f, int64_t row_fold);
int64_t ub__fold_columns(const ub__fold *f, int64_t column_fold);

/* Counts of g's products, whose weights are g->k rows as stored. */
ub_status ub__fold_counts(const ub_gemm *g, const ub_hardware *h,
                          const ub_systolic_options *o, ub_systolic_folds *out);

/* Cycles of one fold that the compute utilization is of. */
int64_t ub__utilization_cycles(const ub__fold *f, int32_t compat);

/* Levels 0 and 2 of ub_systolic_gemm(); h, o and g are checked, and g->k is as
 * stored. */
ub_status ub__fold_stats(const ub_gemm *g, const ub_hardware *h,
                         const ub_systolic_options *o, ub_systolic_stats *out);

/* -- external memory ------------------------------------------------------ */

/* Cycles of the first and the last request, and how many; -1 and -1 without
 * any. */
typedef struct ub__requests {
    int64_t start, stop, count;
} ub__requests;

/* What a product asks of the banks, and these of external memory. The banks'
 * reads are not counted here. */
typedef struct ub__traffic {
    ub__requests sram_input, sram_weight, sram_output;
    ub__requests dram_input, dram_weight, dram_output;
} ub__traffic;

/* Elements that a bank holds; a field of 0 stands for the common one. */
int64_t ub__bank_words(int64_t bank, const ub_hardware *h, int64_t bytes);

/* ub_systolic_layer() at level 2 with external memory. */
ub_status ub__layer_with_memory(ub_context *context, const ub_layer_info *layer,
                                const ub_hardware *hardware,
                                const ub_systolic_options *options,
                                ub_systolic_stats *out);

/* A number as Python's repr() prints it, at most 32 bytes. */
void ub__python_float(double x, char *out);

/* The first of a layer's products, dense as g: fill in what is read. */
ub_status ub__count_reads(ub_context *context, const ub_layer_info *info,
                          const ub_gemm *g, const ub__fold *f,
                          const ub_hardware *h, ub__traffic *out);

/* The same of what is written, at array columns per cycle. */
void ub__count_writes(const ub__fold *f, const ub_hardware *h, int compat,
                      ub__traffic *out);

/* External memory with SCALE-Sim's finite bandwidth, as long as nothing has to
 * be fetched twice: 0 when it would. The banks' times are filled in before. */
int ub__count_at_bandwidth(const ub__fold *f, const ub_hardware *h,
                           ub__traffic *traffic);

#endif
