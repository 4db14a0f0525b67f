/* SPDX-License-Identifier: BSD-2-Clause */
#include "hwnas.h"

#include <stdio.h>
#include <stdlib.h>

/* Values of Eyeriss that should be equal differ in their last bits. */
#define BITS 40

/* All that the data set has; at most as many as there is room for. */
static void all_known(const hwnas *h, int64_t *metrics, int64_t *n)
{
    *n = 0;
    for (int64_t i = 0; i < ub_hwbench_metrics(h->bench); i++) {
        const ub_hwbench_metric metric = hwnas_metric(h, i);

        if (metric.dataset == h->request->dataset && metric.known > 1 &&
            *n < HWNAS_MAX_METRICS)
            metrics[(*n)++] = i;
    }
}

static int print_matrix(const hwnas *h, int64_t n, const int64_t *metrics,
                        const double *tau)
{
    printf("Kendall's tau-b on %s, over the cells of which both are known\n\n"
           "%-32s",
           ub_hwbench_dataset_name(h->request->dataset), "");
    for (int64_t k = 0; k < n; k++)
        printf(" %6lld", (long long) k);
    printf("\n");
    for (int64_t i = 0; i < n; i++) {
        printf("%3lld %-28s", (long long) i, hwnas_metric_name(h, metrics[i]));
        for (int64_t k = 0; k < n; k++)
            printf(" %6.3f", tau[i * n + k]);
        printf("\n");
    }
    return 1;
}

static int print_matrix_json(const hwnas *h, int64_t n, const int64_t *metrics,
                             const double *tau)
{
    json_t *root = json_object(), *names = json_array(), *rows = json_array();

    for (int64_t i = 0; i < n; i++) {
        json_t *row = json_array();

        json_array_append_new(names,
                              json_string(hwnas_metric_name(h, metrics[i])));
        for (int64_t k = 0; k < n; k++)
            json_array_append_new(row, hwnas_number(tau[i * n + k]));
        json_array_append_new(rows, row);
    }
    json_object_set_new(
        root, "dataset",
        json_string(ub_hwbench_dataset_name(h->request->dataset)));
    json_object_set_new(root, "metrics", names);
    json_object_set_new(root, "kendall_tau", rows);
    return hwnas_print_json(root);
}

static int plot(const hwnas *h, int64_t n, const int64_t *metrics,
                const double *tau)
{
    const char *names[HWNAS_MAX_METRICS];
    ub_plot_options options;
    ub_plot *plot = NULL;
    ub_status status;

    ub_plot_options_init(&options, sizeof(options));
    options.title = "Rank correlation of metrics, NAS-Bench-201";
    options.width = 400 + 60 * n;
    options.height = 300 + 30 * n;
    for (int64_t i = 0; i < n; i++)
        names[i] = hwnas_metric_name(h, metrics[i]);
    status = ub_plot_create(h->context, &options, &plot);
    if (status == UB_OK)
        status = ub_plot_categories(plot, n, names);
    if (status == UB_OK)
        status = ub_plot_heat(plot, "Kendall's tau-b", n, names, tau);
    if (status == UB_OK)
        status = ub_plot_write(plot, h->request->plot);
    ub_plot_destroy(&plot);
    return status == UB_OK || hwnas_failed(h, status);
}

int hwnas_correlate(const hwnas *h)
{
    int64_t metrics[HWNAS_MAX_METRICS], n;
    double *tau;
    ub_status status = UB_ERR_NOMEM;
    int done;

    if (h->request->metrics == NULL)
        all_known(h, metrics, &n);
    else if (!hwnas_read_metrics(h, "", metrics, &n))
        return 0;
    if (n == 0) {
        fputs("correlate: nothing is known\n", stderr);
        return 0;
    }
    tau = calloc((size_t) (n * n), sizeof(*tau));
    if (tau != NULL)
        status = ub_hwbench_kendall_tau(h->bench, n, metrics, BITS, tau);
    done = status == UB_OK || hwnas_failed(h, status);
    if (done)
        done = h->request->json ? print_matrix_json(h, n, metrics, tau)
                                : print_matrix(h, n, metrics, tau);
    if (done && h->request->plot != NULL)
        done = plot(h, n, metrics, tau);
    free(tau);
    return done;
}
