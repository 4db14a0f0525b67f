/* SPDX-License-Identifier: BSD-2-Clause */
/* The files of one complete run. */
#define _POSIX_C_SOURCE 200809L

#include "pareto_cifar10/files.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Most bytes of a file that is believed to be one of ours. */
#define MOST_BYTES (16 << 20)

json_t *pareto_read_json(const char *path)
{
    json_error_t error;
    struct stat s;
    json_t *root;

    errno = 0;
    if (stat(path, &s) != 0 || !S_ISREG(s.st_mode)) {
        fprintf(stderr, "%s: cannot be read: %s\n", path,
                errno ? strerror(errno) : "not a file");
        return NULL;
    }
    if (s.st_size > MOST_BYTES) {
        fprintf(stderr, "%s: too large\n", path);
        return NULL;
    }
    root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL)
        fprintf(stderr, "%s:%d: %s\n", path, error.line, error.text);
    else if (!json_is_object(root)) {
        fprintf(stderr, "%s: not an object\n", path);
        json_decref(root);
        root = NULL;
    }
    return root;
}

int pareto_read_number(const char *path, const json_t *object, const char *key,
                       double low, double high, double *out)
{
    const json_t *value = json_object_get(object, key);
    const double number = json_number_value(value);

    if (!json_is_number(value) || !(number >= low && number <= high)) {
        fprintf(stderr, "%s: %s is missing or not a number from %g to %g\n",
                path, key, low, high);
        return 0;
    }
    *out = number;
    return 1;
}

int pareto_read_integer(const char *path, const json_t *object, const char *key,
                        int64_t low, int64_t high, int64_t *out)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_integer(value) || json_integer_value(value) < low ||
        json_integer_value(value) > high) {
        fprintf(stderr,
                "%s: %s is missing or not a whole number from %lld to %lld\n",
                path, key, (long long) low, (long long) high);
        return 0;
    }
    *out = json_integer_value(value);
    return 1;
}

int pareto_read_text(const char *path, const json_t *object, const char *key,
                     char out[PARETO_NAME])
{
    const char *text = json_string_value(json_object_get(object, key));
    size_t i = 0;

    /* It goes into tables and pictures. */
    while (text != NULL && text[i] > ' ' && text[i] < 127 &&
           strchr("|<>&\"\\,", text[i]) == NULL)
        i++;
    if (text == NULL || text[i] != '\0' || i == 0 || i >= PARETO_NAME) {
        fprintf(stderr, "%s: %s is missing or no name\n", path, key);
        return 0;
    }
    memcpy(out, text, i + 1);
    return 1;
}

/* What both files have must be the same. */
static int check_same(const char *path, const json_t *result,
                      const pareto_run *run)
{
    pareto_run other = { 0 };
    int64_t batch;

    if (!pareto_read_place(path, result, &other, &batch))
        return 0;
    if (other.method == run->method && other.seed == run->seed &&
        other.lambda >= run->lambda && other.lambda <= run->lambda)
        return 1;
    fprintf(stderr,
            "%s: its method, lambda or seed are not those of "
            "config.json\n",
            path);
    return 0;
}

static int read_operators(const char *path, const json_t *result,
                          pareto_run *run)
{
    const json_t *array = json_object_get(result, "operators");
    int good = json_array_size(array) == PARETO_EDGES;

    for (size_t i = 0; good && i < PARETO_EDGES; i++) {
        const json_t *item = json_array_get(array, i);
        const json_int_t value = json_integer_value(item);

        good = json_is_integer(item) && value >= 0 && value < PARETO_OPERATORS;
        run->operators[i] = good ? (int32_t) value : 0;
    }
    if (!good)
        fprintf(stderr, "%s: operators are not %d numbers below %d\n", path,
                PARETO_EDGES, PARETO_OPERATORS);
    return good;
}

/* 0 without polishing. */
static int read_moves(const char *path, const json_t *r, int64_t *moves)
{
    const json_t *polish = json_object_get(r, "polish");

    return polish == NULL ||
           pareto_read_integer(path, polish, "moves", 0, INT32_MAX, moves);
}

int pareto_read_result(const char *path, const json_t *r, pareto_run *run)
{
    static const char *const latency[PARETO_BATCHES] = {
        "simulated_latency_ms", "simulated_latency_ms_hw_batch"
    };
    static const char *const utilization[PARETO_BATCHES] = {
        "simulated_utilization", "simulated_utilization_hw_batch"
    };
    static const char *const seconds[3] = { "seconds_micro", "seconds_channels",
                                            "seconds_train" };
    int64_t repaired;

    if (!check_same(path, r, run) || !read_operators(path, r, run) ||
        !pareto_read_integer(path, r, "repaired", 0, PARETO_EDGES, &repaired) ||
        !pareto_read_number(path, r, "test_accuracy", 0, 1, &run->accuracy))
        return 0;
    run->repaired = (int32_t) repaired;
    for (int i = 0; i < PARETO_BATCHES; i++) {
        if (!pareto_read_number(path, r, latency[i], 1e-9, 1e9,
                                &run->latency_ms[i]) ||
            !pareto_read_number(path, r, utilization[i], 0, 1,
                                &run->utilization[i]))
            return 0;
    }
    for (int i = 0; i < 3; i++) {
        if (!pareto_read_number(path, r, seconds[i], 0, 1e9, &run->seconds[i]))
            return 0;
    }
    return read_moves(path, r, &run->moves);
}

static int check_network(const char *path, const ub_network *network,
                         const json_t *result)
{
    const json_t *macs = json_object_get(result, "macs");
    const json_t *parameters = json_object_get(result, "parameters");

    if (json_is_integer(macs) && json_is_integer(parameters) &&
        json_integer_value(macs) == ub_network_macs(network) &&
        json_integer_value(parameters) == ub_network_parameters(network))
        return 1;
    fprintf(stderr, "%s: MACs or parameters are not those of result.json\n",
            path);
    return 0;
}

ub_network *pareto_read_network(ub_context *context, const char *path,
                                int64_t cost_scale, const json_t *result)
{
    ub_network *network = NULL, *priced = NULL;

    if (ub_network_read(context, path, &network) != UB_OK) {
        fprintf(stderr, "%s\n", ub_context_last_error(context));
        return NULL;
    }
    if (check_network(path, network, result) &&
        ub_network_scaled(network, cost_scale, &priced) != UB_OK)
        fprintf(stderr, "%s: %s\n", path, ub_context_last_error(context));
    ub_network_destroy(&network);
    return priced;
}

/* A convolution of a cell whose width the search chose. */
static int is_chosen(const ub_layer_info *info)
{
    return info->layer->kind == UB_LAYER_CONV && info->layer->groups == 1 &&
           strncmp(info->name, "cell", 4) == 0 &&
           (strstr(info->name, ".edge") != NULL ||
            strstr(info->name, ".input") != NULL) &&
           strstr(info->name, ".align") == NULL;
}

int pareto_read_widths(const ub_network *priced, pareto_run *run)
{
    const int64_t layers = ub_network_layers(priced);

    run->widths = calloc((size_t) layers, sizeof(*run->widths));
    if (run->widths == NULL) {
        fputs("out of memory\n", stderr);
        return 0;
    }
    for (int64_t i = 0; i < layers; i++) {
        ub_layer_info info = { .size = sizeof(info) };

        if (ub_network_layer(priced, i, &info) == UB_OK && is_chosen(&info))
            run->widths[run->n_widths++] = info.out_channels;
    }
    return 1;
}
