/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_NETWORK_TOPOLOGY_H
#define UBOOST_LIB_NETWORK_TOPOLOGY_H

#include "network/network.h"

/* What a column of a topology may mean; the columns of a form follow each
 * other in the order they have in a file. */
enum ub__topology_column {
    UB__COLUMN_NAME,
    UB__COLUMN_IFMAP_HEIGHT,
    UB__COLUMN_IFMAP_WIDTH,
    UB__COLUMN_FILTER_HEIGHT,
    UB__COLUMN_FILTER_WIDTH,
    UB__COLUMN_CHANNELS,
    UB__COLUMN_FILTERS,
    UB__COLUMN_STRIDES,
    UB__COLUMN_M,
    UB__COLUMN_N,
    UB__COLUMN_K,
    UB__COLUMN_SPARSITY,
    UB__COLUMN_PAD,
    UB__COLUMN_PAD_HEIGHT,
    UB__COLUMN_PAD_WIDTH,
    UB__COLUMN_DILATION,
    UB__COLUMN_GROUPS,
    UB__COLUMN_BATCH,
    UB__COLUMNS
};

enum { UB__TOPOLOGY_FIELDS = 64 }; /* of a row; what follows is not looked at */

/* A row, cut up in place. */
typedef struct ub__topology_row {
    char *fields[UB__TOPOLOGY_FIELDS];
    int n;    /* without empty ones at the end */
    int line; /* from 1 */
} ub__topology_row;

/* Which field of a row holds what; -1: none. */
typedef struct ub__topology_layout {
    int32_t form; /* UB_TOPOLOGY_CONV or UB_TOPOLOGY_GEMM */
    int krittika; /* the first field tells each row's form */
    int unnamed;  /* sparsity is where it is without a name */
    int at[UB__COLUMNS];
    int width; /* fields behind are ignored */
} ub__topology_layout;

/* As people write it. */
const char *ub__topology_column_name(int column);

/* Whether the first row of a file is a header. */
int ub__topology_is_header(const ub__topology_row *first);
/* Layout of a file by its header, which may be NULL, and its first row. */
ub_status ub__topology_layout_of(ub_context *context, const char *path,
                                 int32_t form, const ub__topology_row *header,
                                 const ub__topology_row *row,
                                 ub__topology_layout *out);

/* Where the fields of a row of that form are when nothing names them. */
void ub__topology_positions(int32_t form, ub__topology_layout *out);

#endif
