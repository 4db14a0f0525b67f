/* SPDX-License-Identifier: BSD-2-Clause */
#include "cosearch/cosearch.h"

#include "network/network.h"

#include <stdlib.h>
#include <string.h>

static int is_supported(const ub__operator *op)
{
    if (op->zero || (op->n_steps == 0 && op->residual != UB_RESIDUAL_NONE))
        return 0;
    for (int64_t s = 0; s < op->n_steps; s++) {
        const int32_t kind = op->steps[s].kind;

        if (kind != UB_STEP_CONV && kind != UB_STEP_DEPTHWISE &&
            kind != UB_STEP_CHANNEL_SHUFFLE)
            return 0;
    }
    return 1;
}

static int is_chain(const ub_space *space)
{
    const ub_space_options *o = &space->options;

    return o->inputs == 1 && o->nodes == 2 && o->output == 1 &&
           o->preprocess == 0 && o->stem_kernel == 0 && o->stem_pool == 0 &&
           o->shared == 0 && o->global_pool == 1 && space->n_edges == 1 &&
           ub_space_cells(space) > 0 && space->n_operators > 0;
}

ub_status ub__joint_space_check(ub_context *context, const ub_space *space)
{
    if (!is_chain(space))
        return ub__fail(context, UB_ERR_UNSUPPORTED,
                        "cosearch: the space is not a row of cells of one edge "
                        "that choose for themselves");
    for (int64_t i = 0; i < space->n_operators; i++) {
        if (!is_supported(&space->operators[i]))
            return ub__fail(context, UB_ERR_UNSUPPORTED,
                            "cosearch: operator \"%s\" is no chain of "
                            "convolutions",
                            space->operators[i].name);
    }
    for (int64_t i = 0; i < space->n_cells; i++) {
        const ub__cell *c = &space->cells[i];

        if (c->pool_after || c->n_summed > 1 ||
            (c->n_summed == 1 && !is_supported(&c->summed[0])))
            return ub__fail(context, UB_ERR_UNSUPPORTED,
                            "cosearch: %lld in the row has a pool, or is not "
                            "one chain of convolutions",
                            (long long) i);
    }
    return UB_OK;
}

int64_t ub__joint_layer_cell(const char *name)
{
    char *end;
    long cell;

    if (strncmp(name, "cell", 4) != 0 || name[4] < '0' || name[4] > '9')
        return -1;
    cell = strtol(name + 4, &end, 10);
    return *end == '.' ? cell : -1;
}

ub_status ub__joint_derive(const ub_space *space, const int32_t *bits,
                           const ub__joint_path *path, ub_network **out)
{
    ub_network *network = NULL;
    ub_status status = ub_space_derive(space, path->operators, NULL, &network);

    if (status != UB_OK)
        return status;
    for (int64_t i = 1; i < network->n; i++) {
        ub_layer *layer = &network->nodes[i].layer;
        const int64_t cell = ub__joint_layer_cell(network->nodes[i].name);
        int32_t chosen;

        if (cell < 0 || layer->kind != UB_LAYER_CONV)
            continue;
        chosen = bits[path->widths[cell]];
        layer->weight_bits = chosen == 32 ? 0 : chosen; /* as in any network */
        layer->input_bits = layer->weight_bits;
    }
    *out = network;
    return UB_OK;
}
