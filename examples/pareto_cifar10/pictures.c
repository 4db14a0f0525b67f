/* SPDX-License-Identifier: BSD-2-Clause */
#include "pareto_cifar10/pictures.h"

#include <math.h>
#include <stdlib.h>
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

        if (run->method != point->method || run->lambda != point->lambda ||
            strcmp(run->label, point->label) != 0)
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

/* Numbers of a method's points, n each, but for the last two: 6 n each. */
typedef struct coordinates {
    double *x, *y, *front_x, *front_y, *reach_x, *reach_y;
    int64_t n, n_front;
} coordinates;

static void find_coordinates(const pareto_summary *s,
                             const pareto_method *method, int batch,
                             coordinates *c)
{
    for (int64_t i = 0; i < c->n; i++) {
        const pareto_point *point = &s->points[method->first + i];

        c->x[i] = point->latency_ms[batch].mean;
        c->y[i] = 100.0 * point->accuracy.mean;
        reach(s, point, batch, c->reach_x + 6 * i, c->reach_y + 6 * i);
        if (point->on_front[batch]) {
            c->front_x[c->n_front] = c->x[i];
            c->front_y[c->n_front++] = c->y[i];
        }
    }
    sort_points(c->n_front, c->front_x, c->front_y);
}

/* Means, their front, and how far the runs reach, under one name. */
static ub_status add_method(ub_plot *plot, const pareto_summary *s,
                            const pareto_method *method, int batch)
{
    const int64_t n = method->n;
    const char *name = method->label[0] ? method->label
                                        : pareto_method_label(method->method);
    double *memory = calloc(16 * (size_t) n, sizeof(*memory));
    coordinates c = { .n = n };
    ub_status status;

    if (memory == NULL)
        return UB_ERR_NOMEM;
    c.x = memory;
    c.y = c.x + n;
    c.front_x = c.y + n;
    c.front_y = c.front_x + n;
    c.reach_x = c.front_y + n;
    c.reach_y = c.reach_x + 6 * n;
    find_coordinates(s, method, batch, &c);
    status = ub_plot_series(plot, name, UB_PLOT_THIN_LINE, 6 * n, c.reach_x,
                            c.reach_y);
    if (status == UB_OK && c.n_front > 0)
        status = ub_plot_series(plot, name, UB_PLOT_STEPS, c.n_front, c.front_x,
                                c.front_y);
    if (status == UB_OK)
        status = ub_plot_series(plot, name, UB_PLOT_POINTS, n, c.x, c.y);
    free(memory);
    return status;
}

static void set_axes(const pareto_summary *s, int batch, const char *title,
                     char x_label[PARETO_TEXT], ub_plot_options *options)
{
    ub_plot_options_init(options, sizeof(*options));
    snprintf(x_label, PARETO_TEXT, "simulated latency of %lld image%s [ms]",
             (long long) (batch == PARETO_BATCH_1 ? 1 : s->results->hw_batch),
             batch == PARETO_BATCH_1 ? "" : "s");
    options->title = title;
    options->x_label = x_label;
    options->y_label = "test accuracy [%]";
    options->x_log = 1;
}

static ub_status draw_fronts(const pareto_target *t, const pareto_summary *s,
                             int batch, const char *name)
{
    char x_label[PARETO_TEXT];
    ub_plot_options options;
    ub_plot *plot;
    ub_status status = UB_OK;

    set_axes(s, batch,
             "Means over seeds, their fronts, and the reach of the runs",
             x_label, &options);
    plot = pareto_create_figure(t, &options, &status);
    for (int64_t i = 0; i < s->n_main && status == UB_OK; i++)
        status = add_method(plot, s, &s->methods[i], batch);
    if (status == UB_OK)
        status = pareto_write_figures(t, name, 1, &plot, 1);
    ub_plot_destroy(&plot);
    return status;
}

static int has_variants(const pareto_summary *s, int32_t method)
{
    for (int64_t i = s->n_main; i < s->n_methods; i++) {
        if (s->methods[i].method == method)
            return 1;
    }
    return 0;
}

/* A figure of one method: its rows, by label. */
static ub_plot *draw_variants_of(const pareto_target *t,
                                 const pareto_summary *s, int32_t method,
                                 ub_status *status)
{
    char x_label[PARETO_TEXT];
    ub_plot_options options;
    ub_plot *plot;

    set_axes(s, PARETO_BATCH_1, pareto_method_label(method), x_label, &options);
    plot = pareto_create_figure(t, &options, status);
    for (int64_t i = 0; i < s->n_methods && *status == UB_OK; i++) {
        if (s->methods[i].method == method)
            *status = add_method(plot, s, &s->methods[i], PARETO_BATCH_1);
    }
    return plot;
}

static ub_status draw_variants(const pareto_target *t, const pareto_summary *s)
{
    ub_plot *plots[PARETO_METHODS] = { NULL };
    ub_status status = UB_OK;
    int64_t n = 0;

    for (int32_t method = 0; method < PARETO_METHODS && status == UB_OK;
         method++) {
        if (has_variants(s, method))
            plots[n++] = draw_variants_of(t, s, method, &status);
    }
    if (status == UB_OK && n > 0)
        status = pareto_write_figures(t, "variants", n, plots, n > 1 ? 2 : 1);
    for (int64_t i = 0; i < n; i++)
        ub_plot_destroy(&plots[i]);
    return status;
}

/* -- all ------------------------------------------------------------------ */

static ub_status draw_methods(const pareto_target *t, const pareto_summary *s)
{
    ub_status status = draw_variants(t, s);

    if (status != UB_OK || s->n_main == 0)
        return status;
    status = draw_fronts(t, s, PARETO_BATCH_1, "fronts");
    if (status == UB_OK)
        status = draw_fronts(t, s, PARETO_HW_BATCH, "fronts-hw-batch");
    if (status == UB_OK)
        status = pareto_draw_widths(t, s);
    if (status == UB_OK)
        status = pareto_draw_operators(t, s);
    return status == UB_OK ? pareto_draw_cells(t, s) : status;
}

int pareto_pictures(ub_context *context, const pareto_summary *summary,
                    const char *folder, int png)
{
    const pareto_target t = { context, folder, png };
    ub_status status = pareto_draw_ceiling(&t);

    if (status == UB_OK)
        status = pareto_draw_utilization(&t, summary->results);
    if (status == UB_OK && summary->n_methods > 0)
        status = draw_methods(&t, summary);
    if (status == UB_OK)
        return 1;
    if (status == UB_ERR_UNSUPPORTED)
        fputs("pictures are left out: built without cairo\n", stderr);
    else
        fprintf(stderr, "pictures: %s\n", ub_context_last_error(context));
    return status == UB_ERR_UNSUPPORTED;
}
