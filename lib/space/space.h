/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_SPACE_H
#define UBOOST_LIB_SPACE_H

#include "base/base.h"

#include <uboost/space.h>

typedef struct ub__operator {
    char *name;
    ub_operator_step *steps;
    int64_t n_steps;
    int zero, residual;
    int takes_width; /* has a convolution whose width is the edge's */
} ub__operator;

typedef struct ub__edge {
    int64_t from, to;
} ub__edge;

/* A cell with the maps around it. */
typedef struct ub__cell {
    int64_t width, stride, pool_after;
    int64_t height_in[2], width_in[2]; /* maps of its inputs */
    int64_t height, map_width;         /* map inside the cell */
    int64_t out_height, out_width;     /* after the pool */
} ub__cell;

struct ub_space {
    ub_context *context;
    ub_space_options options; /* name is owned */
    ub__operator operators[UB_SPACE_MAX_ITEMS];
    ub__edge edges[UB_SPACE_MAX_ITEMS];
    ub__cell cells[UB_SPACE_MAX_ITEMS];
    int64_t n_operators, n_edges, n_cells;
};

/* Decision of an edge of a cell; site of an input (slot < inputs) or of an
 * edge (inputs + edge). */
int64_t ub__space_decision(const ub_space *space, int64_t cell, int64_t edge);
int64_t ub__space_site(const ub_space *space, int64_t cell, int64_t slot);

/* Whether every decision names an operator. */
ub_status ub__space_check_choice(const ub_space *space,
                                 const int32_t *operators);

/* Stride that an edge's first spatial step takes. */
int64_t ub__space_edge_stride(const ub_space *space, int64_t cell,
                              int64_t edge);

/* Whether input `slot` of a cell feeds any edge that is not zero. */
int ub__space_input_used(const ub_space *space, int64_t cell, int64_t slot,
                         const int32_t *operators);

#endif
