/* SPDX-License-Identifier: BSD-2-Clause */
/* What each layer of a network costs on a systolic array: simulated, and by
 * one of the closed-form models. */
#define _POSIX_C_SOURCE 200809L

#include "common/command_line.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    "                systolic-full-smooth, roofline-published, blackbox\n"
    "                or blackbox-interp\n"
    "  --help        this text\n";

/* The closed forms in the order of ub_util_kind, then the tables. */
static const char *const models[] = {
    "systolic",           "systolic-smooth", "flops",
    "roofline",           "systolic-full",   "systolic-full-smooth",
    "roofline-published", "blackbox",        "blackbox-interp"
};

enum { CLOSED_FORMS = 7, BLACKBOX = CLOSED_FORMS, MODELS = 9 };

enum { ARRAY = 256, BATCH, HW, HELP };

static const struct option long_options[] = {
    { "array", required_argument, NULL, ARRAY },
    { "batch", required_argument, NULL, BATCH },
    { "hw", required_argument, NULL, HW },
    { "help", no_argument, NULL, HELP },
    { NULL, 0, NULL, 0 },
};

typedef struct request {
    const char *path;
    int64_t rows, columns, batch;
    int32_t model; /* of the list above */
} request;

static const char *model_name(int32_t i)
{
    return i < MODELS ? models[i] : NULL;
}

static int apply(request *r, int option, const char *text)
{
    switch (option) {
    case ARRAY: return parse_array("--array", text, &r->rows, &r->columns);
    case BATCH: return parse_integer("--batch", text, 1, INT32_MAX, &r->batch);
    case HW: return parse_choice("--hw", text, model_name, &r->model);
    default: fputs("see network_cost --help\n", stderr); return 0;
    }
}

/* 1, or 0 after a message; exits after --help. */
static int parse(request *r, int argc, char **argv)
{
    int option;

    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == HELP) {
            fputs(usage, stdout);
            exit(0);
        }
        if (!apply(r, option, optarg))
            return 0;
    }
    if (argc - optind != 1) {
        fputs(optind < argc ? "expected one network; see network_cost --help\n"
                            : "no network given; see network_cost --help\n",
              stderr);
        return 0;
    }
    r->path = argv[optind];
    return 1;
}

static ub_status make_model(const request *r, const ub_network *network,
                            const ub_systolic_machine *machine,
                            const ub_util_options *options,
                            ub_util_table **table, ub_cost_model *out)
{
    ub_cost_model simulator = { .size = sizeof(simulator) };
    ub_status status;

    if (r->model < CLOSED_FORMS)
        return ub_util_model((ub_util_kind) r->model, options, out);
    status = ub_systolic_model(machine, &simulator);
    if (status == UB_OK)
        status = ub_util_table_create(ub_network_context(network), 16, table);
    if (status == UB_OK)
        status = fill_table(network, r->batch, &simulator, *table);
    if (status != UB_OK)
        return status;
    return r->model == BLACKBOX ? ub_util_table_model(*table, out)
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

int main(int argc, char **argv)
{
    request r = { NULL, 128, 128, 1, 0 };
    ub_context *context;
    ub_status status;

    if (!parse(&r, argc, argv))
        return 1;
    context = open_context(1);
    if (context == NULL)
        return 1;
    status = run(context, &r);
    if (status != UB_OK)
        fprintf(stderr, "%s\n",
                ub_context_last_error(context)[0] != '\0'
                    ? ub_context_last_error(context)
                    : ub_status_str(status));
    ub_context_destroy(&context);
    return status == UB_OK && finish_output() ? 0 : 1;
}
