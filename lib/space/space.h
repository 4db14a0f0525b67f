/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_SPACE_H
#define UBOOST_LIB_SPACE_H

#include "base/base.h"

#include <uboost/space.h>

typedef struct ub__operator {
    char *name;
    ub_operator_step *steps;
    int64_t n_steps;
    int64_t strided; /* the step that takes the stride, or -1 */
    int zero, residual;
    int takes_width; /* has a convolution whose width is the edge's */
} ub__operator;

/* How many steps an operator runs: none where it hands on its input. */
int64_t ub__operator_steps(const ub__operator *op, int64_t in, int64_t width,
                           int64_t stride);
/* Whether a step is a convolution of any kind, one that may have any width, or
 * a pool. */
int ub__step_is_conv(int32_t kind);
int ub__step_sets_width(int32_t kind);
int ub__step_is_pool(int32_t kind);
/* Channels that a step makes of `channels`, in an operator that reads `in`. */
int64_t ub__step_width(const ub_operator_step *step, int64_t channels,
                       int64_t in, int64_t width);

/* A number of all operators and cells: other spaces have other ones. */
uint32_t ub__space_digest(const ub_space *space);

/* Check and append to a list of n. */
ub_status ub__operator_copy(ub_context *context, const ub_operator *op,
                            ub__operator *list, int64_t n);
/* Free what n operators hold. */
void ub__operators_clear(ub_context *context, ub__operator *list, int64_t n);

static inline int ub__in_range(int64_t value, int64_t low, int64_t high)
{
    return value >= low && value <= high;
}

static inline int ub__is_kernel(int64_t kernel)
{
    return ub__in_range(kernel, 1, 63) && kernel % 2 == 1;
}

typedef struct ub__edge {
    int64_t from, to;
} ub__edge;

/* A cell or a block with the maps around it. */
typedef struct ub__cell {
    int64_t index;        /* among those of its sort */
    ub__operator *summed; /* of a block, else NULL */
    int64_t n_summed;     /* 0: a cell */
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
    int64_t n_operators, n_edges;
    int64_t n_cells;  /* blocks too */
    int64_t n_blocks; /* of these */
};

#define UB__COUNT(array) ((int64_t) (sizeof(array) / sizeof((array)[0])))

/* The options that a caller gave, or the defaults. */
ub_status ub__space_options(ub_context *context,
                            const ub_space_options *options,
                            ub_space_options *out);
ub_status ub__space_fill(ub_space *space, const ub_operator *operators,
                         int64_t n_operators, const ub__edge *edges,
                         int64_t n_edges);

/* Decision of an edge of a cell; site of an input (slot < inputs) or of an
 * edge (inputs + edge). */
int64_t ub__space_decision(const ub_space *space, int64_t cell, int64_t edge);
int64_t ub__space_site(const ub_space *space, int64_t cell, int64_t slot);

/* Whether every decision names an operator. */
ub_status ub__space_check_choice(const ub_space *space,
                                 const int32_t *operators);

/* Stride of an edge, or of a block. */
int64_t ub__space_edge_stride(const ub_space *space, int64_t cell,
                              int64_t edge);

/* Channels of what the first cell reads. */
int64_t ub__space_first_width(const ub_space *space);

/* "cell0.edge1.conv3x3" or "block0.shortcut": how layers of an operator on an
 * edge, or in a block, are called. */
enum { UB__SPACE_NAME = 160 };
void ub__space_operator_name(const ub_space *space, int64_t cell, int64_t edge,
                             const ub__operator *op, char name[UB__SPACE_NAME]);

/* Whether input `slot` of a cell feeds any edge that is not zero. */
int ub__space_input_used(const ub_space *space, int64_t cell, int64_t slot,
                         const int32_t *operators);

#endif
