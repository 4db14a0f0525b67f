/* SPDX-License-Identifier: BSD-2-Clause */
/* Queries, fronts, correlations and searches over tables of measured hardware:
 * NAS-Bench-201 and FBNet on the devices of HW-NAS-Bench. */
#include "hwnas/hwnas.h"

#include "common/command_line.h"
#include "common/convert_tables.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int hwnas_failed(const hwnas *h, ub_status status)
{
    const char *text = ub_context_last_error(h->context);

    fprintf(stderr, "hwnas: %s\n",
            text != NULL && text[0] != '\0' ? text : ub_status_str(status));
    return 0;
}

ub_hwbench_metric hwnas_metric(const hwnas *h, int64_t metric)
{
    ub_hwbench_metric out;

    ub_hwbench_metric_init(&out, sizeof(out));
    out.name = "?";
    if (ub_hwbench_get_metric(h->bench, metric, &out) != UB_OK)
        out.name = "?";
    return out;
}

const char *hwnas_metric_name(const hwnas *h, int64_t metric)
{
    return hwnas_metric(h, metric).name;
}

static int is_here(const hwnas *h, int64_t metric)
{
    return hwnas_metric(h, metric).dataset == h->request->dataset;
}

int hwnas_find_metric(const hwnas *h, const char *name, int64_t *metric)
{
    *metric = ub_hwbench_find(h->bench, h->request->dataset, name);
    if (*metric >= 0)
        return 1;
    fprintf(stderr, "hwnas: no metric '%s' on %s; there are", name,
            ub_hwbench_dataset_name(h->request->dataset));
    for (int64_t i = 0; i < ub_hwbench_metrics(h->bench); i++) {
        if (is_here(h, i))
            fprintf(stderr, " %s", hwnas_metric_name(h, i));
    }
    fputs("\n", stderr);
    return 0;
}

int hwnas_read_metrics(const hwnas *h, const char *fallback,
                       int64_t metrics[HWNAS_MAX_METRICS], int64_t *n)
{
    const char *list = h->request->metrics != NULL ? h->request->metrics
                                                   : fallback;
    char name[UB_HWBENCH_NAME];

    *n = 0;
    while (next_part(&list, ',', name, sizeof(name))) {
        if (*n == HWNAS_MAX_METRICS) {
            fprintf(stderr, "hwnas: more than %d metrics\n", HWNAS_MAX_METRICS);
            return 0;
        }
        if (!hwnas_find_metric(h, name, &metrics[*n]))
            return 0;
        (*n)++;
    }
    return 1;
}

/* Place of a metric among n, appended if it is none of them; -1: no room. */
static int64_t place(int64_t metric, int64_t *metrics, double *limits,
                     int64_t *n)
{
    int64_t at = 0;

    while (at < *n && metrics[at] != metric)
        at++;
    if (at == HWNAS_MAX_METRICS)
        return -1;
    if (at == *n) {
        metrics[at] = metric;
        limits[at] = NAN;
        (*n)++;
    }
    return at;
}

int hwnas_read_limits(const hwnas *h, int64_t metrics[HWNAS_MAX_METRICS],
                      double limits[HWNAS_MAX_METRICS], int64_t *n)
{
    const char *list = h->request->limits;
    char item[UB_HWBENCH_NAME + 40];

    for (int64_t i = 0; i < *n; i++)
        limits[i] = NAN;
    while (next_part(&list, ',', item, sizeof(item))) {
        char *value = strchr(item, '=');
        int64_t metric, at;

        if (value == NULL) {
            fprintf(stderr, "hwnas: --limits %s: expected NAME=VALUE\n", item);
            return 0;
        }
        *value++ = '\0';
        if (!hwnas_find_metric(h, item, &metric))
            return 0;
        at = place(metric, metrics, limits, n);
        if (at < 0 ||
            !parse_number("--limits", value, -1e300, 1e300, &limits[at]))
            return 0;
    }
    return 1;
}

json_t *hwnas_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

int hwnas_print_json(json_t *root)
{
    int done = root != NULL &&
               json_dumpf(root, stdout,
                          JSON_COMPACT | JSON_REAL_PRECISION(17)) == 0;

    done = putchar('\n') != EOF && done;
    json_decref(root);
    if (!done)
        fputs("hwnas: the result cannot be written\n", stderr);
    return done;
}

int hwnas_decisions(const hwnas *h)
{
    return h->request->space == UB_HWBENCH_FBNET ? UB_HWBENCH_FBNET_LAYERS
                                                 : UB_NASBENCH201_EDGES;
}

void hwnas_digits(const hwnas *h, const int32_t *choices, char *text)
{
    const int n = hwnas_decisions(h);

    for (int i = 0; i < n; i++)
        text[i] = (char) ('0' + choices[i]);
    text[n] = '\0';
}

static int convert(const hwnas *h)
{
    return convert_tables(h->context, h->request->tables, h->request->out);
}

static const struct command {
    const char *name;
    int (*run)(const hwnas *h);
    int opens; /* the table of the space; convert takes what there is */
} commands[] = {
    { "query", hwnas_query, 1 },         { "pareto", hwnas_pareto, 1 },
    { "correlate", hwnas_correlate, 1 }, { "search", hwnas_search, 1 },
    { "convert", convert, 0 },
};

static int open_bench(hwnas *h)
{
    const hwnas_request *r = h->request;
    ub_status status = ub_hwbench_open(h->context, r->tables, r->space,
                                       &h->bench);

    if (status == UB_OK && r->columns != NULL)
        status = ub_hwbench_read(h->bench, r->dataset, r->columns);
    if (status != UB_OK)
        return hwnas_failed(h, status);
    return !r->uboost || hwnas_add_uboost(h);
}

static int run(hwnas *h)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(h->request->command, commands[i].name) == 0)
            return (!commands[i].opens || open_bench(h)) && commands[i].run(h);
    }
    fprintf(stderr, "hwnas: no command %s; see hwnas --help\n",
            h->request->command);
    return 0;
}

int main(int argc, char **argv)
{
    hwnas_request request;
    hwnas h = { .request = &request };
    int done;

    if (!hwnas_read_command_line(argc, argv, &request))
        return EXIT_FAILURE;
    h.context = open_context(1);
    if (h.context == NULL)
        return EXIT_FAILURE;
    done = run(&h);
    ub_hwbench_destroy(&h.bench);
    ub_context_destroy(&h.context);
    return done && finish_output() ? EXIT_SUCCESS : EXIT_FAILURE;
}
