/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef EXAMPLES_PARETO_CIFAR10_PICTURES_H
#define EXAMPLES_PARETO_CIFAR10_PICTURES_H

#include "pareto_cifar10/pareto_cifar10.h"

/* What the files that draw pictures of a summary share. A method has the same
 * colour in all pictures of main runs: that of its place among the summary's.
 */

enum { PARETO_TEXT = 200 };

/* Where pictures go. */
typedef struct pareto_target {
    ub_context *context;
    const char *folder;
    int png; /* beside SVG */
} pareto_target;

/* Write at most PARETO_METHODS figures to NAME.svg and so on. */
ub_status pareto_write_figures(const pareto_target *t, const char *name,
                               int64_t n, ub_plot *const *plots,
                               int64_t columns);
/* A figure, or NULL with the failure in *status; nothing where that is one
 * already. */
ub_plot *pareto_create_figure(const pareto_target *t,
                              const ub_plot_options *options,
                              ub_status *status);
const char *pareto_method_label(int32_t method);

ub_status pareto_draw_widths(const pareto_target *t, const pareto_summary *s);
ub_status pareto_draw_operators(const pareto_target *t,
                                const pareto_summary *s);
/* The cell of each method's best run. */
ub_status pareto_draw_cells(const pareto_target *t, const pareto_summary *s);
/* What led the searches: the ceiling and the utilization, smooth and exact. */
ub_status pareto_draw_ceiling(const pareto_target *t);
ub_status pareto_draw_utilization(const pareto_target *t,
                                  const pareto_results *results);

#endif
