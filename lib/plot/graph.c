/* SPDX-License-Identifier: BSD-2-Clause */
#include "plot/plot.h"

#include <math.h>

/* Vertical lines, nodes and edges: lists that grow. */

/* Make room for one more item, and copy its label; NULL when memory ran out. */
static char *make_room(ub_context *context, void **items, int64_t n,
                       size_t size, const char *label)
{
    /* powers of two: full when n is one of them */
    if ((n & (n - 1)) == 0) {
        const size_t before = (size_t) n;
        void *grown = ub__realloc(context, *items, before,
                                  before == 0 ? 1 : 2 * before, size);

        if (grown == NULL)
            return NULL;
        *items = grown;
    }
    return ub__strdup(context, label);
}

static ub_status add_item(ub_context *context, ub__plot_item **items,
                          int64_t *n, ub__plot_item item, const char *label)
{
    void *memory = *items;

    if (*n == UB_PLOT_MAX_NAMES)
        return ub__fail(context, UB_ERR_RANGE,
                        "plot: more than %lld nodes or vertical lines",
                        (long long) UB_PLOT_MAX_NAMES);
    item.label = make_room(context, &memory, *n, sizeof(item), label);
    *items = memory;
    if (item.label == NULL)
        return UB_ERR_NOMEM;
    (*items)[(*n)++] = item;
    return UB_OK;
}

void ub__plot_graph_free(ub_plot *plot)
{
    for (int64_t i = 0; i < plot->n_verticals; i++)
        ub__free(plot->context, plot->verticals[i].label);
    for (int64_t i = 0; i < plot->n_nodes; i++)
        ub__free(plot->context, plot->nodes[i].label);
    for (int64_t i = 0; i < plot->n_edges; i++)
        ub__free(plot->context, plot->edges[i].label);
    ub__free(plot->context, plot->verticals);
    ub__free(plot->context, plot->nodes);
    ub__free(plot->context, plot->edges);
}

ub_status ub_plot_vertical(ub_plot *plot, double x, const char *label)
{
    if (plot == NULL)
        return UB_ERR_INVALID;
    if (label == NULL || !isfinite(x) || plot->cells != NULL ||
        plot->n_nodes > 0)
        return ub__fail(plot->context, UB_ERR_INVALID,
                        "plot: a vertical line at %g needs a label, and "
                        "neither heat map nor graph",
                        x);
    return add_item(plot->context, &plot->verticals, &plot->n_verticals,
                    (ub__plot_item){ .x = x }, label);
}

ub_status ub_plot_node(ub_plot *plot, const char *label, double x, double y)
{
    if (plot == NULL)
        return UB_ERR_INVALID;
    if (label == NULL || !isfinite(x) || !isfinite(y))
        return ub__fail(plot->context, UB_ERR_INVALID,
                        "plot: a node at %g, %g%s", x, y,
                        label == NULL ? " without a label" : "");
    if (plot->n_series > 0 || plot->n_verticals > 0 || plot->categories != NULL)
        return ub__fail(plot->context, UB_ERR_INVALID,
                        "plot: node '%.60s' in a figure that is no graph",
                        label);
    return add_item(plot->context, &plot->nodes, &plot->n_nodes,
                    (ub__plot_item){ .x = x, .y = y }, label);
}

ub_status ub_plot_edge(ub_plot *plot, int64_t from, int64_t to,
                       const char *label, double bend)
{
    ub__plot_edge edge = { .from = from, .to = to, .bend = bend };
    void *memory;

    if (plot == NULL)
        return UB_ERR_INVALID;
    if (from < 0 || from >= plot->n_nodes || to < 0 || to >= plot->n_nodes ||
        from == to || label == NULL || !(fabs(bend) <= 1.0))
        return ub__fail(plot->context, UB_ERR_INVALID,
                        "plot: an edge from node %lld to %lld of %lld, bent by "
                        "%g",
                        (long long) from, (long long) to,
                        (long long) plot->n_nodes, bend);
    if (plot->n_edges == UB_PLOT_MAX_NAMES)
        return ub__fail(plot->context, UB_ERR_RANGE,
                        "plot: more than %lld edges",
                        (long long) UB_PLOT_MAX_NAMES);
    memory = plot->edges;
    edge.label = make_room(plot->context, &memory, plot->n_edges, sizeof(edge),
                           label);
    plot->edges = memory;
    if (edge.label == NULL)
        return UB_ERR_NOMEM;
    plot->edges[plot->n_edges++] = edge;
    return UB_OK;
}
