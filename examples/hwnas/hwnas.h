/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef EXAMPLES_HWNAS_HWNAS_H
#define EXAMPLES_HWNAS_HWNAS_H

#include <jansson.h>
#include <uboost/uboost.h>

enum { HWNAS_MAX_METRICS = 64 };

/* What the command line asks for; NULL, -1 or NaN: not given. */
typedef struct hwnas_request {
    const char *command;
    const char *tables, *columns; /* folder or file; file of more columns */
    int32_t space, dataset;
    int64_t index;
    const char *arch, *ops;
    const char *metrics, *limits; /* lists of names; of NAME=VALUE */
    const char *device;
    int32_t strategy;
    int64_t budget, seed, neighbours, samples;
    int64_t rows, columns_of_array; /* of U-Boost's array */
    double noise;
    const char *out, *plot, *network;
    int uboost, json;
} hwnas_request;

/* 1, or 0 after a message; exits after --help. */
int hwnas_read_command_line(int argc, char **argv, hwnas_request *request);

/* An open table and what the request says of it. */
typedef struct hwnas {
    const hwnas_request *request;
    ub_context *context;
    ub_hwbench *bench;
} hwnas;

/* Functions that return int return 1, or 0 after a message. */

int hwnas_failed(const hwnas *h, ub_status status); /* message; returns 0 */

/* Number of the column of that name on the request's data set. */
int hwnas_find_metric(const hwnas *h, const char *name, int64_t *metric);
/* Of a list of names; `fallback`, NULL for none, when the request has none. */
int hwnas_read_metrics(const hwnas *h, const char *fallback,
                       int64_t metrics[HWNAS_MAX_METRICS], int64_t *n);
/* The limits of the request in the order of n metrics; a limit on a metric that
 * is not among them is appended to both. */
int hwnas_read_limits(const hwnas *h, int64_t metrics[HWNAS_MAX_METRICS],
                      double limits[HWNAS_MAX_METRICS], int64_t *n);
const char *hwnas_metric_name(const hwnas *h, int64_t metric);
ub_hwbench_metric hwnas_metric(const hwnas *h, int64_t metric);

/* null where unknown. */
json_t *hwnas_number(double value);
/* Prints and releases. */
int hwnas_print_json(json_t *root);

/* A digit per decision: 6 of NAS-Bench-201, 22 of FBNet. */
int hwnas_decisions(const hwnas *h);
void hwnas_digits(const hwnas *h, const int32_t *choices, char *text);

/* Append uboost_latency and uboost_utilization: the systolic array as one more
 * device, and its closed form, uboost_model_latency. */
int hwnas_add_uboost(const hwnas *h);

/* Write the network of these choices, as network.json. */
int hwnas_write_network(const hwnas *h, const int32_t *choices,
                        const char *path);

int hwnas_query(const hwnas *h);
int hwnas_pareto(const hwnas *h);
int hwnas_correlate(const hwnas *h);
int hwnas_search(const hwnas *h);

#endif
