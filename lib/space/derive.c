/* SPDX-License-Identifier: BSD-2-Clause */
#include "space/space.h"

#include <stdio.h>

#define NAME_LENGTH 160

/* A layer of the network under construction with the width it makes; layer -1
 * is an empty node. */
typedef struct place {
    int64_t layer, channels;
} place;

typedef struct derivation {
    const ub_space *space;
    const int32_t *operators;
    const int64_t *widths;
    ub_network *network;
    int read[UB_SPACE_MAX_ITEMS]; /* by cell: leads to the classifier */
} derivation;

static const place nowhere = { -1, 0 };

static ub_status add_simple(derivation *d, const char *name, ub_layer_kind kind,
                            place *at)
{
    ub_layer layer;

    ub_layer_init(&layer, sizeof(layer), kind);
    return ub_network_add(d->network, name, &layer, 1, &at->layer, &at->layer);
}

static ub_status add_pool(derivation *d, const char *name, ub_layer_kind kind,
                          int64_t kernel, int64_t stride, int64_t padding,
                          place *at)
{
    ub_layer layer;

    ub_layer_init(&layer, sizeof(layer), kind);
    layer.kernel_height = layer.kernel_width = kernel;
    layer.stride = stride;
    layer.pad_height = layer.pad_width = padding;
    return ub_network_add(d->network, name, &layer, 1, &at->layer, &at->layer);
}

/* Convolution, batch norm, ReLU: "NAME", "NAME.norm", "NAME.relu". */
static ub_status add_conv(derivation *d, const char *name,
                          const ub_operator_step *step, int64_t stride,
                          int64_t width, place *at)
{
    const int depthwise = step->kind == UB_STEP_DEPTHWISE;
    char part[NAME_LENGTH + 8];
    ub_layer layer;
    ub_status status;

    ub_layer_init(&layer, sizeof(layer), UB_LAYER_CONV);
    layer.out_channels = depthwise ? at->channels : width;
    layer.groups = depthwise ? at->channels : 1;
    layer.kernel_height = layer.kernel_width = step->kernel;
    layer.stride = stride;
    layer.dilation = step->dilation;
    layer.pad_height = layer.pad_width = step->dilation * (step->kernel / 2);
    status = ub_network_add(d->network, name, &layer, 1, &at->layer,
                            &at->layer);
    at->channels = layer.out_channels;
    snprintf(part, sizeof(part), "%s.norm", name);
    if (status == UB_OK)
        status = add_simple(d, part, UB_LAYER_BATCH_NORM, at);
    snprintf(part, sizeof(part), "%s.relu", name);
    if (status == UB_OK && step->relu)
        status = add_simple(d, part, UB_LAYER_RELU, at);
    return status;
}

static ub_status add_sum(derivation *d, const char *name, const place *terms,
                         int64_t n, place *out)
{
    int64_t layers[UB_SPACE_MAX_ITEMS];
    ub_layer layer;

    for (int64_t i = 0; i < n; i++)
        layers[i] = terms[i].layer;
    out->channels = terms[0].channels;
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_ADD);
    return ub_network_add(d->network, name, &layer, n, layers, &out->layer);
}

static ub_status add_step(derivation *d, const char *name,
                          const ub_operator_step *step, int64_t stride,
                          int64_t width, place *at)
{
    if (step->kind == UB_STEP_MAX_POOL)
        return add_pool(d, name, UB_LAYER_MAX_POOL, step->kernel, stride,
                        step->kernel / 2, at);
    if (step->kind == UB_STEP_AVG_POOL)
        return add_pool(d, name, UB_LAYER_AVG_POOL, step->kernel, stride,
                        step->kernel / 2, at);
    return add_conv(d, name, step, stride, width, at);
}

static ub_status add_operator(derivation *d, int64_t cell, int64_t edge,
                              const ub__operator *op, int64_t width, place *at)
{
    const place from = *at;
    const int64_t in = at->channels;
    const int64_t edge_stride = ub__space_edge_stride(d->space, cell, edge);
    int64_t stride = edge_stride;
    char name[NAME_LENGTH];

    for (int64_t s = 0; s < op->n_steps; s++) {
        const ub_operator_step *step = &op->steps[s];
        const int64_t taken = step->kernel > 1 ? stride : 1;
        ub_status status;

        snprintf(name, sizeof(name), "cell%lld.edge%lld.%s.%lld",
                 (long long) cell, (long long) edge, op->name, (long long) s);
        status = add_step(d, name, step, taken,
                          step->expansion ? in * step->expansion : width, at);
        if (status != UB_OK)
            return status;
        stride /= taken;
    }
    if (stride != 1)
        return ub__fail(d->space->context, UB_ERR_SHAPE,
                        "space: operator \"%s\" cannot take the stride of "
                        "edge %lld in cell %lld",
                        op->name, (long long) edge, (long long) cell);
    if (op->residual && edge_stride == 1 && at->channels == in) {
        const place terms[2] = { from, *at };
        snprintf(name, sizeof(name), "cell%lld.edge%lld.%s.sum",
                 (long long) cell, (long long) edge, op->name);
        return add_sum(d, name, terms, 2, at);
    }
    return UB_OK;
}

/* Bring every term to the widest, then add them. */
static ub_status add_node(derivation *d, int64_t cell, int64_t node,
                          place *terms, const int64_t *edges, int64_t n,
                          place *out)
{
    static const ub_operator_step align = { UB_STEP_CONV, 1, 1, 1, 0 };
    char name[NAME_LENGTH];
    int64_t widest = 0;

    *out = nowhere;
    if (n == 0)
        return UB_OK;
    for (int64_t i = 0; i < n; i++)
        widest = terms[i].channels > widest ? terms[i].channels : widest;
    for (int64_t i = 0; i < n; i++) {
        ub_status status;

        if (terms[i].channels == widest)
            continue;
        snprintf(name, sizeof(name), "cell%lld.edge%lld.align",
                 (long long) cell, (long long) edges[i]);
        status = add_conv(d, name, &align, 1, widest, &terms[i]);
        if (status != UB_OK)
            return status;
    }
    if (n == 1) {
        *out = terms[0];
        return UB_OK;
    }
    snprintf(name, sizeof(name), "cell%lld.node%lld", (long long) cell,
             (long long) node);
    return add_sum(d, name, terms, n, out);
}

static int64_t site_width(const derivation *d, int64_t cell, int64_t slot)
{
    return d->widths ? d->widths[ub__space_site(d->space, cell, slot)]
                     : d->space->cells[cell].width;
}

static ub_status add_inputs(derivation *d, int64_t cell, const place *inputs,
                            place *nodes)
{
    const ub_space_options *o = &d->space->options;
    const ub__cell *c = &d->space->cells[cell];
    const ub_operator_step step = { UB_STEP_CONV, 1, o->preprocess, 1, 0 };

    for (int64_t i = 0; i < o->inputs; i++) {
        char name[NAME_LENGTH];
        ub_status status;

        nodes[i] = inputs[i];
        if (o->preprocess == 0)
            continue;
        if (!ub__space_input_used(d->space, cell, i, d->operators)) {
            nodes[i] = nowhere;
            continue;
        }
        snprintf(name, sizeof(name), "cell%lld.input%lld", (long long) cell,
                 (long long) i);
        status = add_conv(d, name, &step, c->height_in[i] / c->height,
                          site_width(d, cell, i), &nodes[i]);
        if (status != UB_OK)
            return status;
    }
    return UB_OK;
}

static ub_status add_cell_nodes(derivation *d, int64_t cell, place *nodes)
{
    const ub_space *space = d->space;
    ub_status status = UB_OK;

    for (int64_t n = space->options.inputs; n < space->options.nodes; n++) {
        place terms[UB_SPACE_MAX_ITEMS];
        int64_t edges[UB_SPACE_MAX_ITEMS], n_terms = 0;

        for (int64_t e = 0; e < space->n_edges && status == UB_OK; e++) {
            const int64_t decision = ub__space_decision(space, cell, e);
            const ub__operator *op = &space->operators[d->operators[decision]];
            place at = nodes[space->edges[e].from];

            if (space->edges[e].to != n || op->zero || at.layer < 0)
                continue;
            status = add_operator(
                d, cell, e, op, site_width(d, cell, space->options.inputs + e),
                &at);
            edges[n_terms] = e;
            terms[n_terms++] = at;
        }
        if (status == UB_OK)
            status = add_node(d, cell, n, terms, edges, n_terms, &nodes[n]);
    }
    return status;
}

static ub_status add_cell(derivation *d, int64_t cell, const place *inputs,
                          place *out)
{
    const ub_space *space = d->space;
    place nodes[UB_SPACE_MAX_ITEMS];
    char name[NAME_LENGTH];
    ub_status status = add_inputs(d, cell, inputs, nodes);

    if (status == UB_OK)
        status = add_cell_nodes(d, cell, nodes);
    if (status != UB_OK)
        return status;
    *out = nodes[space->options.output];
    if (out->layer < 0)
        return ub__fail(space->context, UB_ERR_INVALID,
                        "space: the output of cell %lld is empty",
                        (long long) cell);
    snprintf(name, sizeof(name), "cell%lld.pool", (long long) cell);
    if (space->cells[cell].pool_after)
        status = add_pool(d, name, UB_LAYER_MAX_POOL, 2, 2, 0, out);
    return status;
}

static ub_status add_stem(derivation *d, place *out)
{
    const ub_space_options *o = &d->space->options;
    const ub_operator_step step = { UB_STEP_CONV, 1, o->stem_kernel, 1, 0 };
    ub_status status;

    *out = (place){ 0, o->channels };
    status = add_conv(d, "stem", &step, 1, o->base_width, out);
    if (status == UB_OK && o->stem_pool)
        status = add_pool(d, "stem.pool", UB_LAYER_MAX_POOL, 2, 2, 0, out);
    return status;
}

static ub_status add_classifier(derivation *d, place *at)
{
    const ub_space_options *o = &d->space->options;
    ub_layer layer;
    ub_status status = o->global_pool ? add_simple(d, "classifier.pool",
                                                   UB_LAYER_GLOBAL_POOL, at)
                                      : add_simple(d, "classifier.flatten",
                                                   UB_LAYER_FLATTEN, at);

    if (status != UB_OK)
        return status;
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_LINEAR);
    layer.out_channels = o->classes;
    layer.bias = 1;
    return ub_network_add(d->network, "classifier", &layer, 1, &at->layer,
                          &at->layer);
}

/* From the last cell backwards, along the inputs that feed anything: where
 * every later cell leaves one input empty, a cell may lead nowhere. */
static void find_read_cells(derivation *d)
{
    const ub_space *space = d->space;

    d->read[space->n_cells > 0 ? space->n_cells - 1 : 0] = 1;
    for (int64_t c = space->n_cells - 1; c > 0; c--) {
        for (int64_t i = 0; i < space->options.inputs && i < c; i++) {
            if (d->read[c] && ub__space_input_used(space, c, i, d->operators))
                d->read[c - 1 - i] = 1;
        }
    }
}

static ub_status derive(derivation *d)
{
    place inputs[2], out;
    ub_status status = add_stem(d, &inputs[0]);

    inputs[1] = out = inputs[0];
    for (int64_t i = 0; i < d->space->n_cells && status == UB_OK; i++) {
        if (d->read[i])
            status = add_cell(d, i, inputs, &out);
        inputs[1] = inputs[0];
        inputs[0] = out;
    }
    return status == UB_OK ? add_classifier(d, &out) : status;
}

ub_status ub_space_derive(const ub_space *space, const int32_t *operators,
                          const int64_t *widths, ub_network **out)
{
    derivation d = { .space = space, .operators = operators, .widths = widths };
    const ub_space_options *o;
    ub_status status;

    if (space == NULL || operators == NULL || out == NULL)
        return ub__fail(space ? space->context : NULL, UB_ERR_INVALID,
                        "space: operators or out is NULL");
    status = ub__space_check_choice(space, operators);
    if (status != UB_OK)
        return status;
    o = &space->options;
    find_read_cells(&d);
    status = ub_network_create(space->context, o->name, o->channels, o->height,
                               o->width, &d.network);
    if (status != UB_OK)
        return status;
    status = derive(&d);
    if (status != UB_OK) {
        ub_network_destroy(&d.network);
        return status;
    }
    *out = d.network;
    return UB_OK;
}
