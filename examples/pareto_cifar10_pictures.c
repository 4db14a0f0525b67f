/* SPDX-License-Identifier: BSD-2-Clause */
#include "pareto_cifar10_pictures.h"

#include <math.h>
#include <string.h>

/* Pictures of a summary: accuracy against latency, and what all share. */

ub_status pareto_write_figures(const pareto_target *t, const char *name,
                               int64_t n, ub_plot *const *plots,
                               int64_t columns)
{
    static const char *const endings[] = { "svg", "png" };
    const ub_plot *borrowed[PARETO_METHODS];
    char path[4096];
    ub_status status = UB_OK;

    for (int64_t i = 0; i < n; i++)
        borrowed[i] = plots[i];
    for (int i = 0; i < (t->png ? 2 : 1) && status == UB_OK; i++) {
        snprintf(path, sizeof(path), "%.3900s/%.100s.%s", t->folder, name,
                 endings[i]);
        status = ub_plot_write_grid(n, borrowed, columns, path);
    }
    return status;
}

ub_plot *pareto_create_figure(const pareto_target *t,
                              const ub_plot_options *options, ub_status *status)
{
    ub_plot *plot = NULL;

    if (*status == UB_OK)
        *status = ub_plot_create(t->context, options, &plot);
    return plot;
}

const char *pareto_method_label(int32_t method)
{
    return method == UB_SEARCH_SYSTOLIC ? "systolic (U-Boost)"
                                        : ub_search_hardware_name(method);
}

/* -- accuracy against latency --------------------------------------------- */

/* The runs of a point reach so far: a cross with gaps, 6 numbers each. */
static void reach(const pareto_summary *s, const pareto_point *point, int batch,
                  double *x, double *y)
{
    const double mean_x = point->latency_ms[batch].mean;
    const double mean_y = 100.0 * point->accuracy.mean;
    double low_x = mean_x, high_x = mean_x, low_y = mean_y, high_y = mean_y;

    for (int64_t i = 0; i < s->results->n; i++) {
        const pareto_run *run = &s->results->runs[i];

        if (run->method != point->method || run->lambda != point->lambda)
            continue;
        low_x = fmin(low_x, run->latency_ms[batch]);
        high_x = fmax(high_x, run->latency_ms[batch]);
        low_y = fmin(low_y, 100.0 * run->accuracy);
        high_y = fmax(high_y, 100.0 * run->accuracy);
    }
    memcpy(x, (double[]){ low_x, high_x, NAN, mean_x, mean_x, NAN },
           6 * sizeof(*x));
    memcpy(y, (double[]){ mean_y, mean_y, NAN, low_y, high_y, NAN },
           6 * sizeof(*y));
}

/* By latency; a front of few points. */
static void sort_points(int64_t n, double *x, double *y)
{
    for (int64_t i = 1; i < n; i++) {
        for (int64_t k = i; k > 0 && x[k] < x[k - 1]; k--) {
            const double swap_x = x[k], swap_y = y[k];

            x[k] = x[k - 1];
            y[k] = y[k - 1];
            x[k - 1] = swap_x;
            y[k - 1] = swap_y;
        }
    }
}

/* Means, their front, and how far the runs reach, under one name. */
static ub_status add_method(ub_plot *plot, const pareto_summary *s,
                            const pareto_method *method, int batch)
{
    double x[PARETO_LIST], y[PARETO_LIST], front_x[PARETO_LIST];
    double front_y[PARETO_LIST], reach_x[6 * PARETO_LIST];
    double reach_y[6 * PARETO_LIST];
    const char *name = pareto_method_label(method->method);
    int64_t n_front = 0;
    ub_status status;

    for (int64_t i = 0; i < method->n; i++) {
        const pareto_point *point = &s->points[method->first + i];

        x[i] = point->latency_ms[batch].mean;
        y[i] = 100.0 * point->accuracy.mean;
        reach(s, point, batch, reach_x + 6 * i, reach_y + 6 * i);
        if (point->on_front[batch]) {
            front_x[n_front] = x[i];
            front_y[n_front++] = y[i];
        }
    }
    sort_points(n_front, front_x, front_y);
    status = ub_plot_series(plot, name, UB_PLOT_THIN_LINE, 6 * method->n,
                            reach_x, reach_y);
    if (status == UB_OK && n_front > 0)
        status = ub_plot_series(plot, name, UB_PLOT_STEPS, n_front, front_x,
                                front_y);
    if (status == UB_OK)
        status = ub_plot_series(plot, name, UB_PLOT_POINTS, method->n, x, y);
    return status;
}

static ub_status draw_fronts(const pareto_target *t, const pareto_summary *s,
                             int batch, const char *name)
{
    char x_label[PARETO_TEXT];
    ub_plot_options options;
    ub_plot *plot;
    ub_status status = UB_OK;

    ub_plot_options_init(&options, sizeof(options));
    snprintf(x_label, sizeof(x_label), "simulated latency of %lld image%s [ms]",
             (long long) (batch == PARETO_BATCH_1 ? 1 : s->results->hw_batch),
             batch == PARETO_BATCH_1 ? "" : "s");
    options.title = "Means over seeds, their fronts, and the reach of the runs";
    options.x_label = x_label;
    options.y_label = "test accuracy [%]";
    options.x_log = 1;
    plot = pareto_create_figure(t, &options, &status);
    for (int64_t i = 0; i < s->n_methods && status == UB_OK; i++)
        status = add_method(plot, s, &s->methods[i], batch);
    if (status == UB_OK)
        status = pareto_write_figures(t, name, 1, &plot, 1);
    ub_plot_destroy(&plot);
    return status;
}

/* -- all ------------------------------------------------------------------ */

int pareto_pictures(ub_context *context, const pareto_summary *summary,
                    const char *folder, int png)
{
    const pareto_target t = { .context = context,
                              .folder = folder,
                              .png = png };
    ub_status status = draw_fronts(&t, summary, PARETO_BATCH_1, "fronts");

    if (status == UB_OK)
        status = draw_fronts(&t, summary, PARETO_HW_BATCH, "fronts-hw-batch");
    if (status == UB_OK)
        status = pareto_draw_widths(&t, summary);
    if (status == UB_OK)
        status = pareto_draw_operators(&t, summary);
    if (status == UB_OK)
        status = pareto_draw_ceiling(&t);
    if (status == UB_OK)
        status = pareto_draw_utilization(&t, summary->results);
    if (status == UB_OK)
        status = pareto_draw_cells(&t, summary);
    if (status == UB_OK)
        return 1;
    if (status == UB_ERR_UNSUPPORTED)
        fputs("pictures are left out: built without cairo\n", stderr);
    else
        fprintf(stderr, "pictures: %s\n", ub_context_last_error(context));
    return status == UB_ERR_UNSUPPORTED;
}
