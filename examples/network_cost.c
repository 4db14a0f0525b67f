/* SPDX-License-Identifier: BSD-2-Clause */
/* What each layer of a network costs on a systolic array: simulated, and by
 * one of the closed-form models. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uboost/uboost.h>

static const char usage[] =
    "usage: network_cost NETWORK.json [options]\n"
    "\n"
    "Print what each layer of a network costs on a systolic array, simulated\n"
    "and modelled, and the totals.\n"
    "\n"
    "  --array RxC   processing elements (128x128); bandwidth and banks are\n"
    "                80 GiB/s and 5 MiB for 128 rows, in proportion otherwise\n"
    "  --batch N     images at a time (1)\n"
    "  --hw NAME     model beside the simulator: systolic (default),\n"
    "                systolic-smooth, flops, roofline, systolic-full,\n"
    "                systolic-full-smooth, blackbox or blackbox-interp\n"
    "  --level N     of the simulator; 1 is the only one\n"
    "  --help        this text\n";

/* The closed forms in the order of ub_util_kind, then the tables. */
static const char *const models[] = { "systolic",      "systolic-smooth",
                                      "flops",         "roofline",
                                      "systolic-full", "systolic-full-smooth",
                                      "blackbox",      "blackbox-interp" };

enum { CLOSED_FORMS = 6, MODELS = 8 };

typedef struct request {
    const char *path, *model;
    int64_t rows, columns, batch, level;
} request;

static int complain(const char *format, const char *text)
{
    fputs("network_cost: ", stderr);
    fprintf(stderr, format, text);
    fputs("; see --help\n", stderr);
    return 1;
}

/* A positive integer up to `most` at *text, which moves behind it. */
static int read_number(const char **text, int64_t most, int64_t *out)
{
    char *end;
    long long value;

    if (**text < '0' || **text > '9')
        return 0;
    value = strtoll(*text, &end, 10);
    if (value < 1 || value > most)
        return 0;
    *text = end;
    *out = value;
    return 1;
}

static int read_value(const char *option, const char *value, request *r)
{
    const char *at = value;

    if (strcmp(option, "--array") == 0) {
        if (read_number(&at, 65536, &r->rows) && (*at++ == 'x') &&
            read_number(&at, 65536, &r->columns) && *at == '\0')
            return 0;
        return complain("'%s' is no array such as 128x128", value);
    }
    if (strcmp(option, "--batch") == 0 || strcmp(option, "--level") == 0) {
        int64_t *target = option[2] == 'b' ? &r->batch : &r->level;
        if (read_number(&at, INT32_MAX, target) && *at == '\0')
            return 0;
        return complain("'%s' is no positive number", value);
    }
    r->model = value;
    return 0;
}

/* 0: go on, 1: wrong, 2: help was asked for */
static int read_arguments(int argc, char **argv, request *r)
{
    static const char *const options[] = { "--array", "--batch", "--hw",
                                           "--level" };

    for (int i = 1; i < argc; i++) {
        int known = 0;

        if (strcmp(argv[i], "--help") == 0)
            return 2;
        for (int k = 0; k < 4; k++)
            known |= strcmp(argv[i], options[k]) == 0;
        if (known && i + 1 == argc)
            return complain("%s needs a value", argv[i]);
        if (known && read_value(argv[i], argv[i + 1], r) != 0)
            return 1;
        if (known)
            i++;
        else if (argv[i][0] == '-')
            return complain("unknown option %s", argv[i]);
        else if (r->path != NULL)
            return complain("a second network, %s", argv[i]);
        else
            r->path = argv[i];
    }
    return r->path == NULL ? complain("%s", "no network given") : 0;
}

/* A table with every layer of the network in it, priced by the simulator. */
static ub_status fill_table(const ub_network *network, int64_t batch,
                            const ub_cost_model *simulator,
                            ub_util_table *table)
{
    ub_status status = UB_OK;

    for (int64_t i = 0; i < ub_network_layers(network) && status == UB_OK;
         i++) {
        ub_layer_info info = { .size = sizeof(info) };
        ub_cost_layer layer = { .size = sizeof(layer) };

        status = ub_network_layer(network, i, &info);
        if (status == UB_OK)
            status = ub_cost_layer_from(&info, batch, &layer);
        if (status == UB_OK)
            status = ub_util_table_add(table, &layer, simulator);
    }
    return status;
}

static ub_status make_model(const request *r, const ub_network *network,
                            const ub_systolic_machine *machine,
                            const ub_util_options *options,
                            ub_util_table **table, ub_cost_model *out)
{
    ub_cost_model simulator = { .size = sizeof(simulator) };
    ub_status status;

    for (int i = 0; i < CLOSED_FORMS; i++) {
        if (strcmp(r->model, models[i]) == 0)
            return ub_util_model((ub_util_kind) i, options, out);
    }
    status = ub_systolic_model(machine, &simulator);
    if (status == UB_OK)
        status = ub_util_table_create(ub_network_context(network), 16, table);
    if (status == UB_OK)
        status = fill_table(network, r->batch, &simulator, *table);
    if (status != UB_OK)
        return status;
    return strcmp(r->model, "blackbox") == 0
               ? ub_util_table_model(*table, out)
               : ub_util_table_interpolated(*table, out);
}

static void print_line(const char *name, const char *kind, const char *map,
                       const ub_systolic_stats *s, const ub_cost *c)
{
    const int64_t stalls = s->stall_weights + s->stall_inputs +
                           s->stall_outputs;

    printf("%-20.20s %-11s %14s %13lld %12lld %10.4f %5.1f%% %5.1f%% %13.0f "
           "%10.4f %5.1f%%\n",
           name, kind, map, (long long) s->macs, (long long) s->cycles,
           s->latency_ms, 100.0 * s->utilization,
           s->cycles > 0 ? 100.0 * (double) stalls / (double) s->cycles : 0.0,
           c->cycles, c->latency_ms, 100.0 * c->utilization);
}

static ub_status print_layers(const ub_network *network,
                              const ub_systolic_stats *stats,
                              const ub_cost *costs)
{
    for (int64_t i = 0; i < ub_network_layers(network); i++) {
        ub_layer_info info = { .size = sizeof(info) };
        const ub_status status = ub_network_layer(network, i, &info);
        char map[64];

        if (status != UB_OK)
            return status;
        if (stats[i].macs == 0)
            continue; /* costs nothing */
        snprintf(map, sizeof(map), "%lldx%lldx%lld",
                 (long long) info.out_channels, (long long) info.out_height,
                 (long long) info.out_width);
        print_line(info.name, ub_layer_kind_str(info.layer->kind), map,
                   &stats[i], &costs[i]);
    }
    return UB_OK;
}

static ub_status print_costs(const request *r, const ub_network *network,
                             const ub_hardware *hardware,
                             const ub_systolic_options *options,
                             const ub_cost_model *model)
{
    const size_t n = (size_t) ub_network_layers(network);
    ub_systolic_stats *stats = calloc(n, sizeof(*stats));
    ub_systolic_stats total = { .size = sizeof(total) };
    ub_cost *costs = calloc(n, sizeof(*costs));
    ub_cost sum = { .size = sizeof(sum) };
    ub_status status = UB_ERR_NOMEM;

    if (stats == NULL || costs == NULL)
        goto out;
    for (size_t i = 0; i < n; i++) {
        stats[i].size = sizeof(*stats);
        costs[i].size = sizeof(*costs);
    }
    status = ub_systolic_run(network, hardware, options, &total, stats,
                             (int64_t) n);
    if (status == UB_OK)
        status = ub_network_cost(network, model, r->batch, &sum, costs,
                                 (int64_t) n);
    if (status != UB_OK)
        goto out;
    printf("%s on %lldx%lld at batch %lld: simulated (level 1), and model "
           "%s\n",
           ub_network_name(network), (long long) hardware->rows,
           (long long) hardware->columns, (long long) r->batch, model->name);
    printf("%-20s %-11s %14s %13s %12s %10s %6s %6s %13s %10s %6s\n", "layer",
           "kind", "output", "MACs", "cycles", "ms", "util", "stall",
           "model cycles", "model ms", "util");
    status = print_layers(network, stats, costs);
    if (status == UB_OK)
        print_line("total", "", "", &total, &sum);
out:
    free(costs);
    free(stats);
    return status;
}

static ub_status run(ub_context *context, const request *r)
{
    ub_network *network = NULL;
    ub_util_table *table = NULL;
    ub_hardware hardware;
    ub_systolic_options options;
    ub_util_options util;
    ub_cost_model model = { .size = sizeof(model) };
    const ub_systolic_machine machine = { sizeof(machine), &hardware,
                                          &options };
    ub_status status = ub_network_read(context, r->path, &network);

    ub_hardware_init(&hardware, sizeof(hardware));
    ub_systolic_options_init(&options, sizeof(options));
    ub_util_options_init(&util, sizeof(util));
    options.batch = r->batch;
    options.level = (int32_t) r->level;
    if (status == UB_OK)
        status = ub_hardware_set_array(&hardware, r->rows, r->columns);
    if (status == UB_OK)
        status = ub_util_options_from(&hardware, &util);
    if (status == UB_OK)
        status = make_model(r, network, &machine, &util, &table, &model);
    if (status == UB_OK)
        status = print_costs(r, network, &hardware, &options, &model);
    ub_util_table_destroy(&table);
    ub_network_destroy(&network);
    return status;
}

static void print_warning(void *user, ub_log_level level, const char *line)
{
    (void) user;
    (void) level;
    fprintf(stderr, "network_cost: %s\n", line);
}

static int check_request(const request *r)
{
    if (r->level != 1)
        return complain("%s", "the simulator has level 1 only");
    for (int i = 0; i < MODELS; i++) {
        if (strcmp(r->model, models[i]) == 0)
            return 0;
    }
    return complain("unknown model %s", r->model);
}

int main(int argc, char **argv)
{
    request r = { NULL, "systolic", 128, 128, 1, 1 };
    const int parsed = read_arguments(argc, argv, &r);
    ub_context_options options;
    ub_context *context = NULL;
    ub_status status;

    if (parsed == 2) {
        fputs(usage, stdout);
        return 0;
    }
    if (parsed != 0 || check_request(&r) != 0)
        return 1;
    ub_context_options_init(&options, sizeof(options));
    options.log = print_warning;
    options.log_level = UB_LOG_WARNING;
    status = ub_context_create(&options, &context);
    if (status == UB_OK)
        status = run(context, &r);
    if (status != UB_OK)
        fprintf(stderr, "network_cost: %s\n",
                context != NULL && ub_context_last_error(context)[0] != '\0'
                    ? ub_context_last_error(context)
                    : ub_status_str(status));
    ub_context_destroy(&context);
    return status == UB_OK ? 0 : 1;
}
