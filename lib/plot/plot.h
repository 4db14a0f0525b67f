/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_PLOT_H
#define UBOOST_LIB_PLOT_H

#include "base/base.h"

#include <uboost/plot.h>

/* Beside the values of ub_plot_style: a series of bars has y alone, the upper
 * ends of its bars, and the lower ends are those of the series before. */
#define UB__PLOT_BARS 16

typedef struct ub__plot_series {
    char *name;
    int32_t style;
    int64_t n;
    double *x, *y;
} ub__plot_series;

/* A node of a graph, or a vertical line, which has no y. */
typedef struct ub__plot_item {
    char *label;
    double x, y;
} ub__plot_item;

typedef struct ub__plot_edge {
    char *label;
    int64_t from, to;
    double bend;
} ub__plot_edge;

struct ub_plot {
    ub_context *context;
    ub_plot_options options; /* texts are ours */
    ub__plot_series series[UB_PLOT_MAX_SERIES];
    int64_t n_series;
    char **categories, **rows;
    int64_t n_categories, n_rows;
    double *cells; /* heat map */
    char *cells_name;
    ub__plot_item *verticals, *nodes;
    ub__plot_edge *edges;
    int64_t n_verticals, n_nodes, n_edges;
};

/* An axis: what it shows and where its ticks are. */
#define UB__PLOT_MAX_TICKS 32

typedef struct ub__plot_axis {
    double low, high;
    int log, n;
    double ticks[UB__PLOT_MAX_TICKS];
    int decimals; /* of a tick's label */
} ub__plot_axis;

/* Ends and ticks for numbers between low and high. Ends that are NaN in
 * `fixed` are moved outwards to a round number. Returns 0 if there is nothing
 * to show: no number, none above 0 on a logarithmic axis, or such as no double
 * holds the extent or the step of. */
int ub__plot_axis_make(double low, double high, const double fixed[2], int log,
                       int wanted, ub__plot_axis *out);
/* Place on the axis, 0 at low and 1 at high. */
double ub__plot_axis_place(const ub__plot_axis *axis, double value);
/* "0.25", "1 500 000", "2e+09" */
void ub__plot_axis_label(const ub__plot_axis *axis, double value, char *text,
                         size_t size);

void ub__plot_graph_free(ub_plot *plot);

/* Draw into memory that the caller frees with ub__free(). */
ub_status ub__plot_draw(int64_t n, const ub_plot *const *plots, int64_t columns,
                        int svg, void **out_data, size_t *out_size);

#endif
