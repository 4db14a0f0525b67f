/* SPDX-License-Identifier: BSD-2-Clause */
/* Networks of the tables: as files, and priced by the systolic array as one
 * more device. */
#include "hwnas/hwnas.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LATENCY, MODEL_LATENCY, UTILIZATION, N_COLUMNS };

#define BLOCKS    UB_HWBENCH_FBNET_BLOCKS
#define OPERATORS UB_HWBENCH_FBNET_OPERATORS
#define LAYERS    UB_HWBENCH_FBNET_LAYERS
#define MOST      UB_NASBENCH201_CELLS

/* A data set's space, and what prices its networks. */
typedef struct device {
    const hwnas *h;
    ub_space *space;
    ub_hardware hardware;
    ub_util_options util;
    ub_systolic_machine machine;
    ub_cost_model models[2]; /* the simulator, the closed form */
    double *columns[N_COLUMNS];
} device;

/* Bandwidth and banks in proportion to the rows, as in all programs here. */
static ub_status set_up(device *d)
{
    const hwnas_request *r = d->h->request;
    const double share = (double) r->rows / 128.0;
    ub_status status;

    ub_hardware_init(&d->hardware, sizeof(d->hardware));
    d->hardware.rows = r->rows;
    d->hardware.columns = r->columns_of_array;
    d->hardware.bandwidth *= share;
    d->hardware.bank_bytes = (int64_t) ((double) d->hardware.bank_bytes *
                                        share);
    d->machine = (ub_systolic_machine){ .size = sizeof(d->machine),
                                        .hardware = &d->hardware };
    ub_util_options_init(&d->util, sizeof(d->util));
    status = ub_util_options_from(&d->hardware, &d->util);
    d->models[0].size = d->models[1].size = sizeof(d->models[0]);
    if (status == UB_OK)
        status = ub_systolic_model(&d->machine, &d->models[0]);
    return status != UB_OK
               ? status
               : ub_util_model(UB_UTIL_EXACT, &d->util, &d->models[1]);
}

static ub_status open_space(const hwnas *h, ub_space **out)
{
    const int32_t dataset = h->request->dataset;
    ub_space_options options;

    if (h->request->space == UB_HWBENCH_FBNET)
        return ub_space_fbnet(h->context, NULL,
                              dataset == UB_HWBENCH_IMAGENET
                                  ? UB_FBNET_IMAGENET
                                  : UB_FBNET_CIFAR100,
                              out);
    ub_space_options_init(&options, sizeof(options));
    options.name = "nasbench201";
    if (dataset == UB_HWBENCH_CIFAR100)
        options.classes = 100;
    if (dataset == UB_HWBENCH_IMAGENET16_120) {
        options.classes = 120;
        options.height = options.width = 16;
    }
    return ub_space_nasbench201(h->context, &options, 15, out);
}

/* -- NAS-Bench-201 -------------------------------------------------------- */

/* A sum over layers: cells with as many convolutions of each kind cost the
 * same, so that one network of each such class is priced. */
static int64_t class_of(const int32_t *choices)
{
    int64_t small = 0, large = 0;

    for (int e = 0; e < UB_NASBENCH201_EDGES; e++) {
        small += choices[e] == UB_NASBENCH201_CONV_1X1;
        large += choices[e] == UB_NASBENCH201_CONV_3X3;
    }
    return small * (UB_NASBENCH201_EDGES + 1) + large;
}

static ub_status price_cell(device *d, const int32_t *choices, double *out)
{
    ub_cost cost = { .size = sizeof(cost) };
    ub_network *network = NULL;
    ub_status status = ub_space_derive(d->space, choices, NULL, &network);

    if (status == UB_OK)
        status = ub_network_cost(network, &d->models[0], 1, &cost, NULL, 0);
    out[LATENCY] = cost.latency_ms;
    out[UTILIZATION] = 100.0 * cost.utilization;
    if (status == UB_OK)
        status = ub_network_cost(network, &d->models[1], 1, &cost, NULL, 0);
    out[MODEL_LATENCY] = cost.latency_ms;
    ub_network_destroy(&network);
    return status;
}

static ub_status price_cells(device *d)
{
    enum { CLASSES = (UB_NASBENCH201_EDGES + 1) * (UB_NASBENCH201_EDGES + 1) };
    double priced[CLASSES][N_COLUMNS];
    int done[CLASSES] = { 0 };
    ub_status status = UB_OK;

    for (int64_t i = 0; i < UB_NASBENCH201_CELLS && status == UB_OK; i++) {
        int32_t choices[UB_NASBENCH201_EDGES];
        int64_t class;

        status = ub_nasbench201_get(ub_hwbench_order(d->h->bench), i, choices);
        if (status != UB_OK)
            break;
        class = class_of(choices);
        if (!done[class])
            status = price_cell(d, choices, priced[class]);
        done[class] = 1;
        for (int c = 0; c < N_COLUMNS && status == UB_OK; c++)
            d->columns[c][i] = priced[class][c];
    }
    return status;
}

/* -- FBNet ---------------------------------------------------------------- */

/* Which block a layer belongs to; its name begins with that of the cell. */
static int block_of(const char *name)
{
    int number;

    if (sscanf(name, "cell%d.", &number) == 1)
        return 1 + number;
    if (sscanf(name, "block%d", &number) == 1)
        return number == 0 ? 0 : LAYERS + 1;
    return BLOCKS - 1;
}

/* What the blocks of a network cost, where all layers have operator `op`. */
static ub_status add_network(device *d, const ub_network *network, int32_t op,
                             ub_cost *costs)
{
    const int64_t n = ub_network_layers(network);
    ub_status status = UB_OK;

    for (int m = 0; m < 2 && status == UB_OK; m++) {
        double *column = d->columns[m == 0 ? LATENCY : MODEL_LATENCY];

        for (int b = 0; b < BLOCKS; b++) {
            if (op == 0 || (b > 0 && b <= LAYERS))
                column[b * OPERATORS + op] = 0.0;
        }
        for (int64_t i = 0; i < n; i++)
            costs[i].size = sizeof(costs[i]);
        status = ub_network_cost(network, &d->models[m], 1, NULL, costs, n);
        for (int64_t i = 0; i < n && status == UB_OK; i++) {
            ub_layer_info info = { .size = sizeof(info) };
            int block;

            status = ub_network_layer(network, i, &info);
            block = status == UB_OK ? block_of(info.name) : 0;
            if (op == 0 || (block > 0 && block <= LAYERS))
                column[block * OPERATORS + op] += costs[i].latency_ms;
        }
    }
    return status;
}

static ub_status price_layers(device *d)
{
    ub_status status = UB_OK;

    for (int32_t op = 0; op < OPERATORS && status == UB_OK; op++) {
        int32_t choices[LAYERS];
        ub_network *network = NULL;
        ub_cost *costs = NULL;

        for (int i = 0; i < LAYERS; i++)
            choices[i] = op;
        status = ub_space_derive(d->space, choices, NULL, &network);
        if (status != UB_OK)
            break;
        costs = calloc((size_t) ub_network_layers(network), sizeof(*costs));
        status = costs != NULL ? add_network(d, network, op, costs)
                               : UB_ERR_NOMEM;
        free(costs);
        ub_network_destroy(&network);
    }
    return status;
}

/* -- columns -------------------------------------------------------------- */

static ub_status append(device *d)
{
    static const struct {
        const char *name, *unit;
        int32_t direction;
    } columns[N_COLUMNS] = { { "uboost_latency", "ms", UB_MINIMIZE },
                             { "uboost_model_latency", "ms", UB_MINIMIZE },
                             { "uboost_utilization", "%", UB_MAXIMIZE } };
    const int fbnet = d->h->request->space == UB_HWBENCH_FBNET;
    ub_status status = UB_OK;

    for (int c = 0; c < N_COLUMNS && status == UB_OK; c++) {
        ub_hwbench_metric metric;

        /* A share is no sum. */
        if (fbnet && c == UTILIZATION)
            continue;
        ub_hwbench_metric_init(&metric, sizeof(metric));
        metric.name = columns[c].name;
        metric.unit = columns[c].unit;
        metric.direction = columns[c].direction;
        metric.dataset = d->h->request->dataset;
        status = ub_hwbench_append(d->h->bench, &metric,
                                   fbnet ? BLOCKS * OPERATORS
                                         : UB_NASBENCH201_CELLS,
                                   d->columns[c], NULL);
    }
    return status;
}

int hwnas_add_uboost(const hwnas *h)
{
    device d = { .h = h };
    double *memory = calloc((size_t) N_COLUMNS * MOST, sizeof(*memory));
    ub_status status = UB_ERR_NOMEM;

    if (memory != NULL) {
        for (int c = 0; c < N_COLUMNS; c++)
            d.columns[c] = memory + (size_t) c * MOST;
        for (size_t i = 0; i < (size_t) N_COLUMNS * MOST; i++)
            memory[i] = NAN;
        status = set_up(&d);
    }
    if (status == UB_OK)
        status = open_space(h, &d.space);
    if (status == UB_OK)
        status = h->request->space == UB_HWBENCH_FBNET ? price_layers(&d)
                                                       : price_cells(&d);
    if (status == UB_OK)
        status = append(&d);
    ub_space_destroy(&d.space);
    free(memory);
    return status == UB_OK || hwnas_failed(h, status);
}

int hwnas_write_network(const hwnas *h, const int32_t *choices,
                        const char *path)
{
    ub_space *space = NULL;
    ub_network *network = NULL;
    ub_status status = open_space(h, &space);

    if (status == UB_OK)
        status = ub_space_derive(space, choices, NULL, &network);
    if (status == UB_OK)
        status = ub_network_write(network, path);
    ub_network_destroy(&network);
    ub_space_destroy(&space);
    return status == UB_OK || hwnas_failed(h, status);
}
