/* SPDX-License-Identifier: BSD-2-Clause */
#include "space/space.h"

#include <stdio.h>

#define NAME_LENGTH UB__SPACE_NAME

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

/* "NAME.norm", "NAME.relu" */
static ub_status add_norm(derivation *d, const char *name, int relu, place *at)
{
    char part[NAME_LENGTH + 32];
    ub_status status;

    snprintf(part, sizeof(part), "%s.norm", name);
    status = add_simple(d, part, UB_LAYER_BATCH_NORM, at);
    snprintf(part, sizeof(part), "%s.relu", name);
    return status == UB_OK && relu ? add_simple(d, part, UB_LAYER_RELU, at)
                                   : status;
}

/* Convolution, batch norm, ReLU: "NAME", "NAME.norm", "NAME.relu". */
static ub_status add_conv(derivation *d, const char *name,
                          const ub_operator_step *step, int64_t stride,
                          int64_t width, place *at)
{
    const int depthwise = step->kind == UB_STEP_DEPTHWISE;
    ub_layer layer;
    ub_status status;

    ub_layer_init(&layer, sizeof(layer), UB_LAYER_CONV);
    layer.out_channels = depthwise ? at->channels : width;
    layer.groups = depthwise ? at->channels : step->groups;
    layer.kernel_height = layer.kernel_width = step->kernel;
    layer.stride = stride;
    layer.dilation = step->dilation;
    layer.pad_height = layer.pad_width = step->dilation * (step->kernel / 2);
    status = ub_network_add(d->network, name, &layer, 1, &at->layer,
                            &at->layer);
    at->channels = layer.out_channels;
    return status == UB_OK && step->kind != UB_STEP_PLAIN_CONV
               ? add_norm(d, name, step->relu, at)
               : status;
}

static ub_status add_shuffle(derivation *d, const char *name, int64_t groups,
                             place *at)
{
    ub_layer layer;

    ub_layer_init(&layer, sizeof(layer), UB_LAYER_CHANNEL_SHUFFLE);
    layer.groups = groups;
    return ub_network_add(d->network, name, &layer, 1, &at->layer, &at->layer);
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
    switch (step->kind) {
    case UB_STEP_MAX_POOL:
    case UB_STEP_AVG_POOL:
        return add_pool(d, name,
                        step->kind == UB_STEP_MAX_POOL ? UB_LAYER_MAX_POOL
                                                       : UB_LAYER_AVG_POOL,
                        step->kernel ? step->kernel : stride, stride,
                        step->kernel / 2, at);
    case UB_STEP_NORM: return add_norm(d, name, step->relu, at);
    case UB_STEP_RELU: return add_simple(d, name, UB_LAYER_RELU, at);
    case UB_STEP_CHANNEL_SHUFFLE: return add_shuffle(d, name, step->groups, at);
    default: return add_conv(d, name, step, stride, width, at);
    }
}

static ub_status add_operator(derivation *d, int64_t cell, int64_t edge,
                              const ub__operator *op, int64_t width, place *at)
{
    const place from = *at;
    const int64_t in = at->channels;
    const int64_t stride = ub__space_edge_stride(d->space, cell, edge);
    const int64_t n = ub__operator_steps(op, in, width, stride);
    char prefix[UB__SPACE_NAME], name[NAME_LENGTH + 24];

    ub__space_operator_name(d->space, cell, edge, op, prefix);
    if (stride != 1 && op->strided < 0)
        return ub__fail(d->space->context, UB_ERR_SHAPE,
                        "space: %s cannot take a stride of %lld", prefix,
                        (long long) stride);
    for (int64_t s = 0; s < n; s++) {
        const ub_operator_step *step = &op->steps[s];
        ub_status status;

        snprintf(name, sizeof(name), "%s.%lld", prefix, (long long) s);
        status = add_step(d, name, step, s == op->strided ? stride : 1,
                          ub__step_width(step, at->channels, in, width), at);
        if (status != UB_OK)
            return status;
    }
    if (op->residual == UB_RESIDUAL_ADD && stride == 1 && at->channels == in) {
        const place terms[2] = { from, *at };
        snprintf(name, sizeof(name), "%s.sum", prefix);
        return add_sum(d, name, terms, 2, at);
    }
    return UB_OK;
}

/* Bring every term to the widest, then add them. */
static ub_status add_node(derivation *d, int64_t cell, int64_t node,
                          place *terms, const int64_t *edges, int64_t n,
                          place *out)
{
    static const ub_operator_step align = { UB_STEP_CONV, 1, 1, 1, 0, 1 };
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
                 (long long) d->space->cells[cell].index, (long long) edges[i]);
        status = add_conv(d, name, &align, 1, widest, &terms[i]);
        if (status != UB_OK)
            return status;
    }
    if (n == 1) {
        *out = terms[0];
        return UB_OK;
    }
    snprintf(name, sizeof(name), "cell%lld.node%lld",
             (long long) d->space->cells[cell].index, (long long) node);
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
    const ub_operator_step step = { UB_STEP_CONV, 1, o->preprocess, 1, 0, 1 };

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
        snprintf(name, sizeof(name), "cell%lld.input%lld", (long long) c->index,
                 (long long) i);
        status = add_conv(d, name, &step, c->height_in[i] / c->height,
                          site_width(d, cell, i), &nodes[i]);
        if (status != UB_OK)
            return status;
    }
    return UB_OK;
}

/* What an empty node counts as; the first input goes before. */
static ub_status add_zeros(derivation *d, int64_t cell, int64_t node,
                           place input, place *out)
{
    const ub__cell *c = &d->space->cells[cell];
    char name[NAME_LENGTH];
    ub_layer layer;

    ub_layer_init(&layer, sizeof(layer), UB_LAYER_ZERO);
    if (input.channels != c->width || c->height_in[0] != c->height ||
        c->width_in[0] != c->map_width) {
        layer.in_channels = c->width;
        layer.in_height = c->height;
        layer.in_width = c->map_width;
    }
    snprintf(name, sizeof(name), "cell%lld.node%lld", (long long) c->index,
             (long long) node);
    out->channels = c->width;
    return ub_network_add(d->network, name, &layer, 1, &input.layer,
                          &out->layer);
}

/* The result of an edge that is not zero. */
static ub_status add_edge(derivation *d, int64_t cell, int64_t edge,
                          const ub__operator *op, place input, place *nodes,
                          place *out)
{
    const ub_space *space = d->space;
    const int64_t from = space->edges[edge].from;
    ub_status status = UB_OK;

    if (nodes[from].layer < 0)
        status = add_zeros(d, cell, from, input, &nodes[from]);
    *out = nodes[from];
    if (status != UB_OK)
        return status;
    return add_operator(d, cell, edge, op,
                        site_width(d, cell, space->options.inputs + edge), out);
}

static ub_status add_cell_nodes(derivation *d, int64_t cell, place input,
                                place *nodes)
{
    const ub_space *space = d->space;
    ub_status status = UB_OK;

    for (int64_t n = space->options.inputs; n < space->options.nodes; n++) {
        place terms[UB_SPACE_MAX_ITEMS];
        int64_t edges[UB_SPACE_MAX_ITEMS], n_terms = 0;

        for (int64_t e = 0; e < space->n_edges && status == UB_OK; e++) {
            const int64_t decision = ub__space_decision(space, cell, e);
            const ub__operator *op = &space->operators[d->operators[decision]];

            if (space->edges[e].to != n || op->zero)
                continue;
            status = add_edge(d, cell, e, op, input, nodes, &terms[n_terms]);
            edges[n_terms++] = e;
        }
        if (status == UB_OK)
            status = add_node(d, cell, n, terms, edges, n_terms, &nodes[n]);
    }
    return status;
}

static ub_status add_cell(derivation *d, int64_t cell, const place *inputs,
                          place *out)
{
    const int64_t output = d->space->options.output;
    place nodes[UB_SPACE_MAX_ITEMS];
    ub_status status = add_inputs(d, cell, inputs, nodes);

    if (status == UB_OK)
        status = add_cell_nodes(d, cell, inputs[0], nodes);
    if (status == UB_OK && nodes[output].layer < 0)
        status = add_zeros(d, cell, output, inputs[0], &nodes[output]);
    if (status == UB_OK)
        *out = nodes[output];
    return status;
}

static ub_status add_block(derivation *d, int64_t block, place input,
                           place *out)
{
    const ub__cell *c = &d->space->cells[block];
    place terms[UB_SPACE_MAX_ITEMS];
    char name[NAME_LENGTH];
    ub_status status = UB_OK;

    for (int64_t i = 0; i < c->n_summed && status == UB_OK; i++) {
        terms[i] = input;
        status = add_operator(d, block, 0, &c->summed[i], c->width, &terms[i]);
    }
    *out = terms[0];
    snprintf(name, sizeof(name), "block%lld", (long long) c->index);
    return status == UB_OK && c->n_summed > 1
               ? add_sum(d, name, terms, c->n_summed, out)
               : status;
}

static ub_status add_row(derivation *d, int64_t cell, const place *inputs,
                         place *out)
{
    const ub__cell *c = &d->space->cells[cell];
    const int block = c->n_summed > 0;
    char name[NAME_LENGTH];
    ub_status status = block ? add_block(d, cell, inputs[0], out)
                             : add_cell(d, cell, inputs, out);

    snprintf(name, sizeof(name), "%s%lld.pool", block ? "block" : "cell",
             (long long) c->index);
    return status == UB_OK && c->pool_after
               ? add_pool(d, name, UB_LAYER_MAX_POOL, 2, 2, 0, out)
               : status;
}

static ub_status add_stem(derivation *d, place *out)
{
    const ub_space_options *o = &d->space->options;
    const ub_operator_step step = { UB_STEP_CONV, 1, o->stem_kernel, 1, 0, 1 };
    ub_status status;

    *out = (place){ 0, o->channels };
    if (o->stem_kernel == 0)
        return UB_OK;
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

/* Whether an empty node is read, or handed on. */
static int has_zeros(const ub_space *space, int64_t cell,
                     const int32_t *operators)
{
    int filled[UB_SPACE_MAX_ITEMS] = { 0 }, read[UB_SPACE_MAX_ITEMS] = { 0 };

    read[space->options.output] = 1;
    for (int64_t e = 0; e < space->n_edges; e++) {
        const int32_t op = operators[ub__space_decision(space, cell, e)];

        if (space->operators[op].zero)
            continue;
        filled[space->edges[e].to] = 1;
        read[space->edges[e].from] = 1;
    }
    for (int64_t n = space->options.inputs; n < space->options.nodes; n++) {
        if (read[n] && !filled[n])
            return 1;
    }
    return 0;
}

static int reads_input(const derivation *d, int64_t cell, int64_t slot)
{
    if (d->space->cells[cell].n_summed > 0)
        return slot == 0;
    return ub__space_input_used(d->space, cell, slot, d->operators) ||
           (slot == 0 && has_zeros(d->space, cell, d->operators));
}

/* From the last cell backwards, along the inputs that feed anything: where
 * every later cell leaves one input empty, a cell may lead nowhere. */
static void find_read_cells(derivation *d)
{
    const ub_space *space = d->space;

    d->read[space->n_cells > 0 ? space->n_cells - 1 : 0] = 1;
    for (int64_t c = space->n_cells - 1; c > 0; c--) {
        for (int64_t i = 0; i < space->options.inputs && i < c; i++) {
            if (d->read[c] && reads_input(d, c, i))
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
            status = add_row(d, i, inputs, &out);
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
