/* SPDX-License-Identifier: BSD-2-Clause */
#include "search/search.h"

#include "space/space.h"

#include <math.h>

/* Step between priced widths: the paper's, at most. */
#define QUANTUM    16
#define MOST_STEPS 64.0

typedef struct filling {
    ub_util_table *table;
    ub_cost_model model;
    const ub_search_options *options;
    double top; /* largest width that can be priced */
} filling;

static ub_status add_layer(filling *f, int32_t kind, int64_t kernel,
                           const int64_t in[2], const int64_t out[2])
{
    ub_cost_layer layer;

    ub_cost_layer_init(&layer, sizeof(layer));
    layer.kind = kind;
    layer.kernel_height = layer.kernel_width = kernel;
    layer.in_height = in[0];
    layer.in_width = in[1];
    layer.out_height = out[0];
    layer.out_width = out[1];
    layer.batch = ub__search_cost_batch(f->options);
    layer.in_channels = layer.out_channels = f->top;
    return ub_util_table_add(f->table, &layer, &f->model);
}

/* Every step of every operator on a cell's map, and its aligning 1x1. */
static ub_status add_cell(filling *f, const ub_space *space, int64_t cell)
{
    const ub__cell *c = &space->cells[cell];
    const int64_t map[2] = { c->height, c->map_width };
    ub_status status = add_layer(f, UB_COST_CONV, 1, map, map);

    for (int64_t i = 0; i < space->options.inputs && status == UB_OK; i++) {
        const int64_t in[2] = { c->height_in[i], c->width_in[i] };
        if (space->options.preprocess != 0)
            status = add_layer(f, UB_COST_CONV, space->options.preprocess, in,
                               map);
    }
    for (int64_t o = 0; o < space->n_operators; o++) {
        const ub__operator *op = &space->operators[o];
        for (int64_t s = 0; s < op->n_steps && status == UB_OK; s++) {
            const ub_operator_step *step = &op->steps[s];
            if (step->kind == UB_STEP_CONV)
                status = add_layer(f, UB_COST_CONV, step->kernel, map, map);
            else if (step->kind == UB_STEP_DEPTHWISE)
                status = add_layer(f, UB_COST_DEPTHWISE, step->kernel, map,
                                   map);
        }
    }
    return status;
}

static ub_status add_ends(filling *f, const ub_space *space)
{
    const ub_space_options *o = &space->options;
    const ub__cell *last = &space->cells[space->n_cells - 1];
    const int64_t image[2] = { o->height, o->width }, one[2] = { 1, 1 };
    const double top = f->top;
    ub_status status = add_layer(f, UB_COST_CONV, o->stem_kernel, image, image);

    if (status != UB_OK)
        return status;
    f->top *= (double) (last->out_height * last->out_width);
    status = add_layer(f, UB_COST_LINEAR, 1, one, one);
    f->top = top;
    return status;
}

static ub_status fill(filling *f, const ub_space *space)
{
    ub_status status = UB_OK;

    for (int64_t i = 0; i < space->n_cells && status == UB_OK; i++)
        status = add_cell(f, space, i);
    if (status == UB_OK && f->options->include_ends)
        status = add_ends(f, space);
    return status;
}

/* Below the first priced width, interpolation has no slope; so the table begins
 * with the smallest, unless that makes it large. */
static int64_t step_of(const ub_search_options *o, double top)
{
    const int64_t low = o->widths.low < o->base_width ? o->widths.low
                                                      : o->base_width;
    const double step = fmax((double) (o->cost_scale * low),
                             ceil(top / MOST_STEPS));

    return o->hardware == UB_SEARCH_BLACKBOX_INTERP && step < QUANTUM
               ? (int64_t) step
               : QUANTUM;
}

ub_status ub__table_fill(ub_context *context, const ub_search_options *options,
                         const ub_cost_model *simulator, const ub_space *space,
                         ub_util_table **out)
{
    filling f = { .model = *simulator, .options = options };
    ub_status status;

    f.top = (double) options->cost_scale *
            fmax((double) options->widths.high, (double) options->base_width);
    status = ub_util_table_create(context, step_of(options, f.top), &f.table);
    if (status != UB_OK)
        return status;
    if (space != NULL)
        status = fill(&f, space);
    if (status != UB_OK) {
        ub_util_table_destroy(&f.table);
        return status;
    }
    *out = f.table;
    return UB_OK;
}

ub_status ub__table_add_network(ub_util_table *table,
                                const ub_cost_model *simulator, int64_t batch,
                                const ub_network *network)
{
    ub_status status = UB_OK;

    for (int64_t i = 0; i < ub_network_layers(network) && status == UB_OK;
         i++) {
        ub_layer_info info = { .size = sizeof(info) };
        ub_cost_layer layer;

        ub_cost_layer_init(&layer, sizeof(layer));
        status = ub_network_layer(network, i, &info);
        if (status == UB_OK)
            status = ub_cost_layer_from(&info, batch, &layer);
        if (status == UB_OK)
            status = ub_util_table_add(table, &layer, simulator);
    }
    return status;
}
