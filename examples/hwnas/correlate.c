/* SPDX-License-Identifier: BSD-2-Clause */
#include "hwnas/hwnas.h"

#include <math.h>
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
    printf("Kendall's tau-b on %s, over ",
           ub_hwbench_dataset_name(h->request->dataset));
    if (h->request->space == UB_HWBENCH_FBNET)
        printf("%lld random networks of FBNet, seed %lld",
               (long long) h->request->samples, (long long) h->request->seed);
    else
        printf("the cells of which both are known");
    printf("\n\n%-32s", "");
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
    options.title = h->request->space == UB_HWBENCH_FBNET
                        ? "Rank correlation of metrics, FBNet"
                        : "Rank correlation of metrics, NAS-Bench-201";
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

/* Random networks of FBNet, which are too many to list. */
static ub_status sample_networks(const hwnas *h, int64_t n,
                                 const int64_t *metrics, double *values)
{
    ub_rng rng;

    ub_rng_init(&rng, (uint64_t) h->request->seed, 0);
    for (int64_t row = 0; row < h->request->samples; row++) {
        int32_t choices[UB_HWBENCH_FBNET_LAYERS];

        for (int d = 0; d < UB_HWBENCH_FBNET_LAYERS; d++)
            choices[d] = (int32_t) ub_rng_below(&rng,
                                                UB_HWBENCH_FBNET_OPERATORS);
        for (int64_t k = 0; k < n; k++) {
            ub_hwbench_value value;
            const ub_status status = ub_hwbench_get_fbnet(h->bench, metrics[k],
                                                          choices, &value);

            if (status != UB_OK)
                return status;
            values[row * n + k] = value.state == UB_HWBENCH_KNOWN ? value.value
                                                                  : NAN;
        }
    }
    return UB_OK;
}

static ub_status correlate_samples(const hwnas *h, int64_t n,
                                   const int64_t *metrics, double *tau)
{
    double *values = calloc((size_t) (h->request->samples * n),
                            sizeof(*values));
    ub_status status = UB_ERR_NOMEM;

    if (values != NULL)
        status = sample_networks(h, n, metrics, values);
    if (status == UB_OK)
        status = ub_kendall_tau_matrix(h->context, h->request->samples, n,
                                       values, tau);
    free(values);
    return status;
}

static ub_status correlate(const hwnas *h, int64_t n, const int64_t *metrics,
                           double *tau)
{
    if (h->request->space == UB_HWBENCH_FBNET)
        return correlate_samples(h, n, metrics, tau);
    return ub_hwbench_kendall_tau(h->bench, n, metrics, BITS, tau);
}

int hwnas_correlate(const hwnas *h)
{
    int64_t metrics[HWNAS_MAX_METRICS], n;
    double *tau;
    ub_status status = UB_ERR_NOMEM;
    int done;

    if (h->request->metrics == NULL)
        all_known(h, metrics, &n);
    else if (!hwnas_read_metrics(h, NULL, metrics, &n))
        return 0;
    if (n == 0) {
        fputs("correlate: nothing is known\n", stderr);
        return 0;
    }
    tau = calloc((size_t) (n * n), sizeof(*tau));
    if (tau != NULL)
        status = correlate(h, n, metrics, tau);
    done = status == UB_OK || hwnas_failed(h, status);
    if (done)
        done = h->request->json ? print_matrix_json(h, n, metrics, tau)
                                : print_matrix(h, n, metrics, tau);
    if (done && h->request->plot != NULL)
        done = plot(h, n, metrics, tau);
    free(tau);
    return done;
}
