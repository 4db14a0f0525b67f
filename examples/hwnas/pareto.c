/* SPDX-License-Identifier: BSD-2-Clause */
#include "hwnas/hwnas.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Cells by the columns that are looked at, and those on the front. */
typedef struct front {
    int64_t metrics[HWNAS_MAX_METRICS];
    double limits[HWNAS_MAX_METRICS];
    int64_t n_shown, n_metrics; /* shown ones come first; then only limits */
    double *values;             /* cells x metrics */
    int64_t *rows;              /* cells on the front, best in metric 0 first */
    int64_t n;
} front;

static int within(const hwnas *h, const front *f, int64_t row)
{
    for (int64_t k = 0; k < f->n_metrics; k++) {
        const double value = f->values[row * f->n_metrics + k];
        const double limit = f->limits[k];
        const int up = hwnas_metric(h, f->metrics[k]).direction == UB_MAXIMIZE;

        if (!isnan(limit) && !(up ? value >= limit : value <= limit))
            return 0;
    }
    return 1;
}

/* Cells beyond a limit are unknown to the front. */
static ub_status find_front(const hwnas *h, front *f)
{
    int32_t directions[HWNAS_MAX_METRICS];
    double *shown = calloc((size_t) (UB_NASBENCH201_CELLS * f->n_shown),
                           sizeof(*shown));
    ub_status status;

    if (shown == NULL)
        return UB_ERR_NOMEM;
    for (int64_t k = 0; k < f->n_shown; k++)
        directions[k] = hwnas_metric(h, f->metrics[k]).direction;
    for (int64_t row = 0; row < UB_NASBENCH201_CELLS; row++) {
        const int allowed = within(h, f, row);

        for (int64_t k = 0; k < f->n_shown; k++)
            shown[row * f->n_shown + k] =
                allowed ? f->values[row * f->n_metrics + k] : NAN;
    }
    status = ub_pareto_front(h->context, UB_NASBENCH201_CELLS, f->n_shown,
                             shown, directions, f->rows, &f->n);
    free(shown);
    return status;
}

static ub_status load(const hwnas *h, front *f)
{
    const size_t cells = UB_NASBENCH201_CELLS;
    ub_status status;

    f->values = calloc(cells * (size_t) f->n_metrics, sizeof(*f->values));
    f->rows = calloc(cells, sizeof(*f->rows));
    if (f->values == NULL || f->rows == NULL)
        return UB_ERR_NOMEM;
    status = ub_hwbench_values(h->bench, f->n_metrics, f->metrics, f->values);
    return status != UB_OK ? status : find_front(h, f);
}

static void text_of(const hwnas *h, int64_t row, char *text)
{
    int32_t choices[UB_NASBENCH201_EDGES];

    if (ub_nasbench201_get(ub_hwbench_order(h->bench), row, choices) != UB_OK ||
        ub_nasbench201_write(choices, text) != UB_OK)
        text[0] = '\0';
}

static int print_table(const hwnas *h, const front *f)
{
    char text[UB_NASBENCH201_TEXT];

    printf("%lld of %d cells on the front, %s\n\n%5s", (long long) f->n,
           UB_NASBENCH201_CELLS, ub_hwbench_dataset_name(h->request->dataset),
           "index");
    for (int64_t k = 0; k < f->n_shown; k++)
        printf(" %24s", hwnas_metric_name(h, f->metrics[k]));
    printf("  cell\n");
    for (int64_t i = 0; i < f->n; i++) {
        printf("%5lld", (long long) f->rows[i]);
        for (int64_t k = 0; k < f->n_shown; k++)
            printf(" %24.8g", f->values[f->rows[i] * f->n_metrics + k]);
        text_of(h, f->rows[i], text);
        printf("  %s\n", text);
    }
    return 1;
}

static json_t *row_json(const hwnas *h, const front *f, int64_t row)
{
    char text[UB_NASBENCH201_TEXT];
    json_t *object = json_object();

    text_of(h, row, text);
    json_object_set_new(object, "index", json_integer(row));
    json_object_set_new(object, "arch", json_string(text));
    for (int64_t k = 0; k < f->n_shown; k++)
        json_object_set_new(object, hwnas_metric_name(h, f->metrics[k]),
                            hwnas_number(f->values[row * f->n_metrics + k]));
    return object;
}

static int print_front_json(const hwnas *h, const front *f)
{
    json_t *root = json_object(), *rows = json_array();

    for (int64_t i = 0; i < f->n; i++)
        json_array_append_new(rows, row_json(h, f, f->rows[i]));
    json_object_set_new(
        root, "dataset",
        json_string(ub_hwbench_dataset_name(h->request->dataset)));
    json_object_set_new(root, "front", rows);
    return hwnas_print_json(root);
}

/* "raspi4_latency [ms]" */
static void label(const hwnas *h, int64_t metric, char *text, size_t size)
{
    const ub_hwbench_metric m = hwnas_metric(h, metric);

    snprintf(text, size, "%s%s%s%s", m.name, m.unit[0] ? " [" : "", m.unit,
             m.unit[0] ? "]" : "");
}

/* The first metric upwards against the second; all cells and the front. */
static ub_status draw(const hwnas *h, const front *f, double *x, double *y)
{
    char x_label[128], y_label[128], title[128];
    ub_plot_options options;
    ub_plot *plot = NULL;
    ub_status status;

    label(h, f->metrics[1], x_label, sizeof(x_label));
    label(h, f->metrics[0], y_label, sizeof(y_label));
    snprintf(title, sizeof(title), "NAS-Bench-201 on %s",
             ub_hwbench_dataset_name(h->request->dataset));
    ub_plot_options_init(&options, sizeof(options));
    options.title = title;
    options.x_label = x_label;
    options.y_label = y_label;
    status = ub_plot_create(h->context, &options, &plot);
    for (int64_t i = 0; i < UB_NASBENCH201_CELLS; i++) {
        x[i] = f->values[i * f->n_metrics + 1];
        y[i] = f->values[i * f->n_metrics];
    }
    if (status == UB_OK)
        status = ub_plot_series(plot, "cells", UB_PLOT_POINTS,
                                UB_NASBENCH201_CELLS, x, y);
    for (int64_t i = 0; i < f->n; i++) {
        x[i] = f->values[f->rows[f->n - 1 - i] * f->n_metrics + 1];
        y[i] = f->values[f->rows[f->n - 1 - i] * f->n_metrics];
    }
    if (status == UB_OK && f->n > 0)
        status = ub_plot_series(plot, "front", UB_PLOT_STEPS, f->n, x, y);
    if (status == UB_OK && f->n > 0)
        status = ub_plot_series(plot, "front", UB_PLOT_POINTS, f->n, x, y);
    if (status == UB_OK)
        status = ub_plot_write(plot, h->request->plot);
    ub_plot_destroy(&plot);
    return status;
}

static int plot(const hwnas *h, const front *f)
{
    const size_t cells = UB_NASBENCH201_CELLS;
    double *x = calloc(2 * cells, sizeof(*x));
    ub_status status = UB_ERR_NOMEM;

    if (f->n_shown != 2) {
        fputs("--plot: expected two metrics\n", stderr);
        free(x);
        return 0;
    }
    if (x != NULL)
        status = draw(h, f, x, x + cells);
    free(x);
    return status == UB_OK || hwnas_failed(h, status);
}

int hwnas_pareto(const hwnas *h)
{
    front f = { .n = 0 };
    ub_status status;
    int done;

    if (!hwnas_read_metrics(h, "test_accuracy,raspi4_latency", f.metrics,
                            &f.n_metrics))
        return 0;
    f.n_shown = f.n_metrics;
    if (!hwnas_read_limits(h, f.metrics, f.limits, &f.n_metrics))
        return 0;
    status = load(h, &f);
    done = status == UB_OK || hwnas_failed(h, status);
    if (done)
        done = h->request->json ? print_front_json(h, &f) : print_table(h, &f);
    if (done && h->request->plot != NULL)
        done = plot(h, &f);
    free(f.values);
    free(f.rows);
    return done;
}
