/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_SYSTOLIC_TRACE_H
#define UBOOST_LIB_SYSTOLIC_TRACE_H

#include "systolic/systolic.h"

/*
 * All requests of an operand have one of two forms. Lane l of the array's
 * edge asks, in step s, for the element that belongs to the lane and to
 * position t = s - l (skewed: streaming and results) or t = s (loading). Its
 * address is the sum of a part of the lane and a part of the position, and so
 * are its coordinates in the map, which say whether it lies in the padding.
 */

/* y + 2^32 x, both with 2^30 added, so that none is negative. */
typedef uint64_t ub__place;

/* Rows of a trace that follow each other within a fold. */
typedef struct ub__trace_rows {
    int64_t cycle;      /* of the first row */
    int64_t n;          /* rows */
    int64_t lanes;      /* addresses of a row */
    int64_t step;       /* of the first row */
    int64_t first, end; /* positions that are asked for; none: all idle */
    int64_t active;     /* lanes that are in use */
    int skewed, padded;
    const int64_t *lane_offset; /* [active] */
    const ub__place *lane_place;
    /* Row i, lane l reads element n - 1 - i, plus l when skewed. */
    const int64_t *offset;
    const ub__place *place; /* NULL unless padded, as lane_place */
    ub__place low, high;    /* for ub__trace_inside() */
} ub__trace_rows;

/* The lanes [*begin, *end) of row i ask for something. */
static inline void ub__trace_span(const ub__trace_rows *r, int64_t i,
                                  int64_t *begin, int64_t *end)
{
    const int64_t step = r->step + i;

    if (r->skewed) {
        const int64_t after = step - r->end + 1, up_to = step - r->first + 1;

        *begin = after > 0 ? after : 0;
        *end = up_to < r->active ? up_to : r->active;
    } else {
        *begin = 0;
        *end = r->active;
    }
    if (r->first >= r->end || *begin > *end)
        *begin = *end = 0;
}

/* Whether a place lies in the map: both differences have no borrow. */
static inline int ub__trace_inside(const ub__trace_rows *r, ub__place place)
{
    const ub__place signs = (ub__place) 0x8000000080000000;

    return ((place + r->low) & (r->high - place) & signs) == signs;
}

/* A layer's trace, checked: what ub_systolic_trace() takes. */
typedef struct ub__trace_call {
    const ub_layer_info *layer;
    const ub_hardware *hardware;
    const ub_systolic_options *options;
    int32_t operand;
    int64_t offset;
} ub__trace_call;

typedef ub_status (*ub__trace_fn)(void *user, const ub__trace_rows *rows);

/* Lanes of the operand: addresses in a row. 0 when the layer has no trace. */
ub_status ub__trace_lanes(ub_context *context, const ub__trace_call *call,
                          int64_t *out);

/* All rows in order, some at a time. */
ub_status ub__trace_walk(ub_context *context, const ub__trace_call *call,
                         ub__trace_fn fn, void *user);

#endif
