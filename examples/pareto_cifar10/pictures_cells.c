/* SPDX-License-Identifier: BSD-2-Clause */
#include "pareto_cifar10/pictures.h"

#include <math.h>

/* Pictures of the cells that were found. */

/* -- operators ------------------------------------------------------------ */

static ub_status fill_operators(ub_plot *plot, const pareto_summary *s)
{
    const char *names[PARETO_METHODS];
    double shares[PARETO_METHODS];
    ub_status status;

    for (int64_t i = 0; i < s->n_main; i++)
        names[i] = pareto_method_label(s->methods[i].method);
    status = ub_plot_categories(plot, s->n_main, names);
    for (int k = 0; k < PARETO_OPERATORS && status == UB_OK; k++) {
        for (int64_t i = 0; i < s->n_main; i++)
            shares[i] = 100.0 * (double) s->methods[i].operators[k] /
                        fmax(1.0,
                             (double) (PARETO_EDGES * s->methods[i].n_runs));
        status = ub_plot_bars(plot, pareto_operators[k], shares);
    }
    return status;
}

ub_status pareto_draw_operators(const pareto_target *t, const pareto_summary *s)
{
    ub_plot_options options;
    ub_plot *plot;
    ub_status status = UB_OK;

    ub_plot_options_init(&options, sizeof(options));
    options.title = "Operators of the cells' edges, after pruning";
    options.y_label = "edges [%]";
    options.y_low = 0.0;
    options.y_high = 100.0;
    plot = pareto_create_figure(t, &options, &status);
    if (status == UB_OK)
        status = fill_operators(plot, s);
    if (status == UB_OK)
        status = pareto_write_figures(t, "operators", 1, &plot, 1);
    ub_plot_destroy(&plot);
    return status;
}

/* -- cells ----------------------------------------------------------------- */

enum { NODES = 5 };

/* The edges of a cell, as PARETO_EDGES says, bent past the nodes between. */
static const struct {
    int from, to;
    double bend;
} edges[PARETO_EDGES] = {
    { 0, 2, 0.0 }, { 0, 3, 0.06 },  { 0, 4, 0.12 },
    { 1, 2, 0.0 }, { 1, 3, -0.06 }, { 1, 4, -0.12 },
    { 2, 3, 0.0 }, { 2, 4, -0.15 }, { 3, 4, 0.0 },
};

static const struct {
    const char *label;
    double x, y;
} nodes[NODES] = {
    { "previous", 0.0, 1.0 },   { "the one before", 0.0, -1.0 },
    { "t1", 1.0, 0.0 },         { "t2", 2.0, 0.0 },
    { "t3, output", 3.0, 0.0 },
};

/* All nodes, so that cells look alike; edges but for zeros. */
static ub_status fill_cell(ub_plot *plot, const pareto_run *run)
{
    ub_status status = UB_OK;

    for (int i = 0; i < NODES && status == UB_OK; i++)
        status = ub_plot_node(plot, nodes[i].label, nodes[i].x, nodes[i].y);
    for (int i = 0; i < PARETO_EDGES && status == UB_OK; i++) {
        if (run->operators[i] != PARETO_OPERATORS - 1)
            status = ub_plot_edge(plot, edges[i].from, edges[i].to,
                                  pareto_operators[run->operators[i]],
                                  edges[i].bend);
    }
    return status;
}

static ub_plot *draw_cell(const pareto_target *t, const pareto_run *run,
                          ub_status *status)
{
    char title[PARETO_TEXT];
    ub_plot_options options;
    ub_plot *plot;

    ub_plot_options_init(&options, sizeof(options));
    snprintf(title, sizeof(title), "%s, lambda %g, seed %lld: %.1f %%, %.3g ms",
             pareto_method_label(run->method), run->lambda,
             (long long) run->seed, 100.0 * run->accuracy,
             run->latency_ms[PARETO_BATCH_1]);
    options.title = title;
    options.width = 740;
    options.height = 360;
    plot = pareto_create_figure(t, &options, status);
    if (*status == UB_OK)
        *status = fill_cell(plot, run);
    return plot;
}

ub_status pareto_draw_cells(const pareto_target *t, const pareto_summary *s)
{
    ub_plot *plots[PARETO_METHODS] = { NULL };
    ub_status status = UB_OK;

    for (int64_t i = 0; i < s->n_main && status == UB_OK; i++)
        plots[i] = draw_cell(t, &s->results->runs[s->methods[i].shown],
                             &status);
    if (status == UB_OK)
        status = pareto_write_figures(t, "cells", s->n_main, plots,
                                      s->n_main > 1 ? 2 : 1);
    for (int64_t i = 0; i < s->n_main; i++)
        ub_plot_destroy(&plots[i]);
    return status;
}
