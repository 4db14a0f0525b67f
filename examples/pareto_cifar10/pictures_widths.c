/* SPDX-License-Identifier: BSD-2-Clause */
#include "pareto_cifar10/pictures.h"

#include <math.h>
#include <stdlib.h>

/* Pictures of what draws widths to multiples of the array's columns, and of the
 * widths that were chosen. */

/* -- widths --------------------------------------------------------------- */

/* The largest share of a width, for axes alike. */
static double largest_share(const pareto_summary *s)
{
    double largest = 0.0;

    for (int64_t m = 0; m < s->n_main; m++) {
        const pareto_method *method = &s->methods[m];

        for (int64_t i = 0; i < s->n_bins && method->n_widths > 0; i++)
            largest = fmax(largest, 100.0 * (double) method->histogram[i] /
                                        (double) method->n_widths);
    }
    return largest;
}

/* One bar per width, and lines where the array is full. */
static ub_status fill_histogram(ub_plot *plot, const pareto_summary *s,
                                const pareto_method *method)
{
    const size_t n = (size_t) s->n_bins;
    double *shares = calloc(n, sizeof(*shares));
    char(*texts)[24] = calloc(n, sizeof(*texts));
    const char **names = calloc(n, sizeof(*names));
    ub_status status = UB_ERR_NOMEM;

    if (shares != NULL && texts != NULL && names != NULL) {
        for (size_t i = 0; i < n; i++) {
            snprintf(texts[i], sizeof(texts[i]), "%lld",
                     (long long) (s->bin_low + (int64_t) i * s->bin_step));
            names[i] = texts[i];
            shares[i] = 100.0 * (double) method->histogram[i] /
                        fmax(1.0, (double) method->n_widths);
        }
        status = ub_plot_categories(plot, s->n_bins, names);
        if (status == UB_OK)
            status = ub_plot_bars(plot, "", shares);
    }
    free(names);
    free(texts);
    free(shares);
    for (int64_t full = s->results->columns;
         status == UB_OK && full <= s->bin_low + (s->n_bins - 1) * s->bin_step;
         full += s->results->columns)
        status = ub_plot_vertical(
            plot, (double) (full - s->bin_low) / (double) s->bin_step, "");
    return status;
}

static ub_plot *draw_histogram(const pareto_target *t, const pareto_summary *s,
                               int64_t index, double high, ub_status *status)
{
    const pareto_method *method = &s->methods[index];
    char title[PARETO_TEXT];
    ub_plot_options options;
    ub_plot *plot;

    ub_plot_options_init(&options, sizeof(options));
    snprintf(title, sizeof(title),
             "%s: %.0f %% within a step of a multiple of %lld (by chance "
             "%.0f %%)",
             pareto_method_label(method->method), 100.0 * method->near_share,
             (long long) s->results->columns, 100.0 * s->near_chance);
    options.title = title;
    options.y_label = "widths [%]";
    options.x_label = index + 1 == s->n_main ? "priced width [channels]" : NULL;
    options.height = index + 1 == s->n_main ? 240 : 220;
    options.y_low = 0.0;
    options.y_high = high;
    options.first_color = (int32_t) index;
    plot = pareto_create_figure(t, &options, status);
    if (*status == UB_OK)
        *status = fill_histogram(plot, s, method);
    return plot;
}

ub_status pareto_draw_widths(const pareto_target *t, const pareto_summary *s)
{
    const double high = fmax(5.0, 5.0 * ceil(largest_share(s) / 5.0));
    ub_plot *plots[PARETO_METHODS] = { NULL };
    ub_status status = UB_OK;

    for (int64_t i = 0; i < s->n_main && status == UB_OK; i++)
        plots[i] = draw_histogram(t, s, i, high, &status);
    if (status == UB_OK)
        status = pareto_write_figures(t, "widths", s->n_main, plots, 1);
    for (int64_t i = 0; i < s->n_main; i++)
        ub_plot_destroy(&plots[i]);
    return status;
}

/* -- what led the searches ------------------------------------------------- */

enum { CEILING_TOP = 4, CEILING_STEPS = 100, UTILIZATION_POINTS = 384 };

ub_status pareto_draw_ceiling(const pareto_target *t)
{
    enum { N = CEILING_TOP * CEILING_STEPS + 1 };
    double x[N], smooth[N], whole[CEILING_TOP + 1], exact[CEILING_TOP + 1];
    ub_plot_options options;
    ub_plot *plot;
    ub_status status = UB_OK;

    for (int i = 0; i < N; i++) {
        x[i] = (double) i / CEILING_STEPS;
        smooth[i] = ub_util_ceil_smooth(x[i], NULL);
    }
    /* steps rise at the end of what they join: the ceiling of 1 is 1 */
    for (int i = 0; i <= CEILING_TOP; i++) {
        whole[i] = (double) i;
        exact[i] = fmin((double) i + 1.0, CEILING_TOP);
    }
    ub_plot_options_init(&options, sizeof(options));
    options.title = "The ceiling, and the sum of logistic steps in its place";
    options.x_label = "x";
    options.y_label = "ceiling of x";
    options.width = 640;
    options.height = 440;
    plot = pareto_create_figure(t, &options, &status);
    if (status == UB_OK)
        status = ub_plot_series(plot, "exact", UB_PLOT_STEPS, CEILING_TOP + 1,
                                whole, exact);
    if (status == UB_OK)
        status = ub_plot_series(plot, "smooth", UB_PLOT_LINE, N, x, smooth);
    if (status == UB_OK)
        status = pareto_write_figures(t, "ceiling", 1, &plot, 1);
    ub_plot_destroy(&plot);
    return status;
}

/* Of 3x3 convolutions that fill the rows: from 1 to three times as many output
 * channels as the array has columns. */
static ub_status find_utilization(const pareto_results *results, double *x,
                                  double *exact, double *smooth)
{
    ub_util_options machine;
    ub_cost_layer layer;
    ub_cost cost = { .size = sizeof(cost) };
    ub_status status = UB_OK;

    ub_util_options_init(&machine, sizeof(machine));
    machine.rows = results->rows;
    machine.columns = results->columns;
    ub_cost_layer_init(&layer, sizeof(layer));
    layer.kind = UB_COST_CONV;
    layer.kernel_height = layer.kernel_width = 3;
    layer.in_height = layer.in_width = 16;
    layer.out_height = layer.out_width = 16;
    layer.batch = results->hw_batch;
    layer.in_channels = (double) results->rows;
    for (int i = 0; i < UTILIZATION_POINTS && status == UB_OK; i++) {
        x[i] = 3.0 * (double) (results->columns * (i + 1)) / UTILIZATION_POINTS;
        layer.out_channels = x[i];
        status = ub_util_latency(&machine, &layer, &cost);
        exact[i] = 100.0 * cost.utilization;
        if (status == UB_OK)
            status = ub_util_latency_smooth(&machine, &layer, &cost);
        smooth[i] = 100.0 * cost.utilization;
    }
    return status;
}

ub_status pareto_draw_utilization(const pareto_target *t,
                                  const pareto_results *results)
{
    double x[UTILIZATION_POINTS], exact[UTILIZATION_POINTS];
    double smooth[UTILIZATION_POINTS];
    char title[PARETO_TEXT];
    ub_plot_options options;
    ub_plot *plot;
    ub_status status = find_utilization(results, x, exact, smooth);

    ub_plot_options_init(&options, sizeof(options));
    snprintf(title, sizeof(title),
             "3x3 convolution of %lld channels on %lld x %lld processing "
             "elements",
             (long long) results->rows, (long long) results->rows,
             (long long) results->columns);
    options.title = title;
    options.x_label = "output channels";
    options.y_label = "utilization [%]";
    options.y_low = 0.0;
    options.x_high = 3.0 * (double) results->columns;
    options.x_low = 0.0;
    plot = pareto_create_figure(t, &options, &status);
    if (status == UB_OK)
        status = ub_plot_series(plot, "exact", UB_PLOT_LINE, UTILIZATION_POINTS,
                                x, exact);
    if (status == UB_OK)
        status = ub_plot_series(plot, "smooth", UB_PLOT_LINE,
                                UTILIZATION_POINTS, x, smooth);
    if (status == UB_OK)
        status = pareto_write_figures(t, "utilization", 1, &plot, 1);
    ub_plot_destroy(&plot);
    return status;
}
