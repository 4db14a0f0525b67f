/* SPDX-License-Identifier: BSD-2-Clause */
#include "model_layers.h"

#include "base/base.h"

#include <math.h>
#include <stdlib.h>
#include <uboost/systolic.h>

static int64_t between(ub_rng *rng, int64_t low, int64_t high)
{
    return low + (int64_t) ub_rng_below(rng, (uint64_t) (high - low + 1));
}

static void set_map(ub_cost_layer *l, int64_t map, int64_t kernel)
{
    l->in_height = l->in_width = l->out_height = l->out_width = map;
    l->kernel_height = l->kernel_width = kernel;
}

void model_random(ub_rng *rng, model_layer *out)
{
    static const int32_t kinds[] = { UB_COST_CONV, UB_COST_DEPTHWISE,
                                     UB_COST_LINEAR };
    ub_cost_layer *l = &out->layer;
    int64_t map, kernel; /* drawn in this order by any compiler */

    ub_cost_layer_init(l, sizeof(*l));
    out->rows = between(rng, 8, 256);
    out->columns = between(rng, 8, 256);
    l->kind = kinds[between(rng, 0, 2)];
    l->in_channels = (double) between(rng, 1, 1024);
    l->out_channels = (double) between(rng, 1, 1024);
    l->batch = between(rng, 0, 1) ? 64 : 1;
    map = between(rng, 1, 64);
    kernel = between(rng, 1, 7);
    set_map(l, map, kernel);
}

/* -- the look-up table ---------------------------------------------------- */

typedef struct list {
    model_layer *layers;
    int64_t n, room;
} list;

static void append(list *to, int32_t kind, int64_t map, int64_t kernel,
                   int64_t in, int64_t out)
{
    model_layer *l;

    if (to->n == to->room) {
        to->room = 2 * to->room + 1024;
        to->layers = realloc(to->layers,
                             (size_t) to->room * sizeof(*to->layers));
        if (to->layers == NULL)
            abort();
    }
    l = &to->layers[to->n++];
    l->rows = l->columns = 128;
    ub_cost_layer_init(&l->layer, sizeof(l->layer));
    l->layer.kind = kind;
    l->layer.in_channels = (double) in;
    l->layer.out_channels = (double) out;
    set_map(&l->layer, map, kernel);
}

/* {kind: {map: {"3x3": {in: {out: {...}}}}}} */
static void append_kind(list *to, int32_t kind, json_t *maps)
{
    const char *map, *kernel, *in, *out;
    json_t *kernels, *ins, *outs, *entry;

    json_object_foreach(maps, map, kernels)
    {
        json_object_foreach(kernels, kernel, ins)
        {
            json_object_foreach(ins, in, outs)
            {
                json_object_foreach(outs, out, entry) append(
                    to, kind, atoi(map), atoi(kernel), atoi(in), atoi(out));
            }
        }
    }
}

int64_t model_lookup(ub_context *context, const char *path, model_layer **out)
{
    list all = { NULL, 0, 0 };
    const char *kind;
    json_t *root, *maps;

    if (ub__json_read(context, path, &root) != UB_OK)
        return -1;
    json_object_foreach(root, kind, maps) append_kind(
        &all, kind[0] == 'D' ? UB_COST_DEPTHWISE : UB_COST_CONV, maps);
    json_decref(root);
    *out = all.layers;
    return all.n;
}

/* -- errors --------------------------------------------------------------- */

ub_status model_machine(const model_layer *l, ub_hardware *hardware,
                        ub_util_options *options)
{
    ub_status status;

    ub_hardware_init(hardware, sizeof(*hardware));
    ub_util_options_init(options, sizeof(*options));
    status = ub_hardware_set_array(hardware, l->rows, l->columns);
    return status == UB_OK ? ub_util_options_from(hardware, options) : status;
}

ub_status model_compare(const model_layer *l, model_errors *out)
{
    ub_hardware hardware;
    ub_util_options options;
    ub_systolic_machine machine = { sizeof(machine), &hardware, NULL };
    ub_cost_model simulator = { .size = sizeof(simulator) };
    ub_cost cost[4];
    ub_status status = model_machine(l, &hardware, &options);

    for (int i = 0; i < 4; i++)
        cost[i] = (ub_cost){ .size = sizeof(cost[i]) };
    if (status == UB_OK)
        status = ub_systolic_model(&machine, &simulator);
    if (status == UB_OK)
        status = simulator.evaluate(simulator.user, &l->layer, &cost[0]);
    if (status == UB_OK)
        status = ub_util_latency(&options, &l->layer, &cost[1]);
    if (status == UB_OK)
        status = ub_util_full(&options, &l->layer, &cost[2]);
    if (status == UB_OK)
        status = ub_util_full_smooth(&options, &l->layer, &cost[3]);
    out->published = fabs(cost[1].cycles / cost[0].cycles - 1.0);
    out->exact = fabs(cost[2].cycles / cost[0].cycles - 1.0);
    out->smooth = fabs(cost[3].cycles / cost[0].cycles - 1.0);
    return status;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}

double model_quantile(double *values, int64_t n, double share)
{
    const int64_t at = (int64_t) ceil(share * (double) n) - 1;

    qsort(values, (size_t) n, sizeof(*values), compare);
    return values[at < 0 ? 0 : at];
}
