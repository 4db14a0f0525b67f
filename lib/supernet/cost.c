/* SPDX-License-Identifier: BSD-2-Clause */
#include "supernet/supernet.h"

#include <math.h>
#include <string.h>

/*
 * The expected cost, all in double. A width is a value and the site it comes
 * from, so that a node hands on its widest input's site and the gradient
 * finds its way without a graph.
 */

typedef struct soft_width {
    double value;
    int64_t site; /* -1: a constant */
} soft_width;

/* One part of a cell that takes time: t and u with their derivatives by the
 * width it reads and the width it makes, and by the edge's probabilities. */
typedef struct element {
    double t, u;
    int active;      /* t > 0, so that u counts */
    int64_t in, out; /* sites */
    double t_in, t_out, u_in, u_out;
    int64_t decision; /* -1: none */
    double t_by[UB_SPACE_MAX_ITEMS], u_by[UB_SPACE_MAX_ITEMS];
} element;

/* preprocessing, edges, aligning convolutions */
#define MAX_ELEMENTS (2 + 2 * UB_SPACE_MAX_ITEMS)

typedef struct walk {
    ub_supernet *net;
    element *elements; /* of the current cell */
    int n_elements;
    double latency, utilization;
    double *width_t, *width_u; /* derivatives by each site's soft width */
    double *logit_t, *logit_u; /* by each probability, then by each logit */
} walk;

typedef struct map {
    int64_t in_height, in_width, out_height, out_width;
} map;

/* One layer at real widths, scaled as the options say. */
static ub_status evaluate(walk *w, ub_cost_kind kind,
                          const ub_operator_step *step, const map *m, double in,
                          double out, ub_cost *cost)
{
    const ub_supernet *net = w->net;
    ub_cost_layer layer;
    ub_status status;

    ub_cost_layer_init(&layer, sizeof(layer));
    layer.kind = kind;
    layer.kernel_height = layer.kernel_width = step->kernel;
    layer.dilation = step->dilation;
    layer.groups = step->groups;
    layer.in_height = m->in_height;
    layer.in_width = m->in_width;
    layer.out_height = m->out_height;
    layer.out_width = m->out_width;
    layer.batch = net->options.cost_batch;
    layer.in_channels = in;
    layer.out_channels = out;
    memset(cost, 0, sizeof(*cost));
    cost->size = sizeof(*cost);
    if (!net->has_model)
        return UB_OK;
    status = net->model.evaluate(net->model.user, &layer, cost);
    if (status != UB_OK)
        return ub__fail(net->context, status,
                        "supernet: the cost model refuses a layer of kernel "
                        "%lld, %g to %g channels",
                        (long long) step->kernel, in, out);
    return UB_OK;
}

/* Add a layer's cost behind those of an element; u becomes the mean weighted
 * by latency, which for a systolic array is MACs over cycles times PEs. */
static void append(element *e, const ub_cost *c, double scale, int by_in_only)
{
    const double t = e->t + c->latency_ms;
    const double c_in = scale * (c->dlatency_din +
                                 (by_in_only ? c->dlatency_dout : 0.0));
    const double c_out = by_in_only ? 0.0 : scale * c->dlatency_dout;
    const double v_in = scale * (c->dutilization_din +
                                 (by_in_only ? c->dutilization_dout : 0.0));
    const double v_out = by_in_only ? 0.0 : scale * c->dutilization_dout;
    double u, u_in, u_out;

    if (!(c->latency_ms > 0.0))
        return;
    u = (e->t * e->u + c->latency_ms * c->utilization) / t;
    u_in = (e->t_in * (e->u - u) + e->t * e->u_in +
            c_in * (c->utilization - u) + c->latency_ms * v_in) /
           t;
    u_out = (e->t_out * (e->u - u) + e->t * e->u_out +
             c_out * (c->utilization - u) + c->latency_ms * v_out) /
            t;
    e->t = t;
    e->u = u;
    e->t_in += c_in;
    e->t_out += c_out;
    e->u_in = u_in;
    e->u_out = u_out;
    e->active = 1;
}

static element *next_element(walk *w)
{
    element *e = &w->elements[w->n_elements++];

    memset(e, 0, sizeof(*e));
    e->in = e->out = e->decision = -1;
    return e;
}

static soft_width site_width(const walk *w, int64_t cell, int64_t slot)
{
    const ub_supernet *net = w->net;
    const int64_t site = ub__space_site(net->space, cell, slot);
    soft_width width = { (double) net->cells[cell].channels, -1 };

    if (net->space->cells[cell].n_summed == 0 && net->masks[site] != NULL) {
        width.value = ub_mask_soft_width(
            net->masks[site],
            net->probability + ub__supernet_mask_offset(net, site));
        width.site = site;
    }
    return width;
}

/* One convolution as an element of its own. */
static ub_status add_convolution(walk *w, int64_t kernel, const map *m,
                                 soft_width in, double in_scale, soft_width out)
{
    const ub_operator_step step = { UB_STEP_CONV, 1, kernel, 1, 0, 1 };
    const double scale = w->net->options.cost_scale;
    element *e = next_element(w);
    ub_cost cost;
    ub_status status = evaluate(w, UB_COST_CONV, &step, m, in.value * in_scale,
                                out.value * scale, &cost);

    if (status != UB_OK)
        return status;
    e->in = in.site;
    e->out = out.site;
    append(e, &cost, scale, 0);
    return UB_OK;
}

/* The width that a step makes of `width`. */
static soft_width step_width(const walk *w, int64_t cell, int64_t edge,
                             const ub_operator_step *step, soft_width in,
                             soft_width width)
{
    const int64_t inputs = w->net->space->options.inputs;

    if (!ub__step_sets_width(step->kind))
        return width;
    if (step->expansion)
        return (soft_width){ (double) step->expansion * in.value, -1 };
    return site_width(w, cell, inputs + edge);
}

/* The layers of an operator; *out is the width it makes. */
static ub_status operator_cost(walk *w, int64_t cell, int64_t edge,
                               const ub__operator *op, soft_width in,
                               element *e, soft_width *out)
{
    const ub__supernet_cell *made_of = &w->net->cells[cell];
    const ub__cell *c = &w->net->space->cells[cell];
    const double scale = w->net->options.cost_scale;
    int64_t stride = ub__space_edge_stride(w->net->space, cell, edge);
    const int64_t n = ub__operator_steps(
        op, ub__supernet_edge_channels(w->net, cell, edge), made_of->channels,
        stride);
    soft_width width = in;

    for (int64_t s = 0; s < n; s++) {
        const ub_operator_step *step = &op->steps[s];
        const int depthwise = step->kind == UB_STEP_DEPTHWISE;
        const int64_t left = s == op->strided ? 1 : stride;
        const map m = { c->height * stride, c->map_width * stride,
                        c->height * left, c->map_width * left };
        const soft_width made = step_width(w, cell, edge, step, in, width);
        ub_cost cost;
        ub_status status;

        stride = left;
        if (!ub__step_is_conv(step->kind))
            continue;
        status = evaluate(w, depthwise ? UB_COST_DEPTHWISE : UB_COST_CONV, step,
                          &m, width.value * scale, made.value * scale, &cost);
        if (status != UB_OK)
            return status;
        append(e, &cost, scale, depthwise);
        width = made;
    }
    e->in = in.site;
    e->out = width.site;
    *out = width;
    return UB_OK;
}

/* Expected cost of a mixed edge; e keeps the derivatives by probability. */
static void mix(const walk *w, const element *ops, int64_t n, const double *g,
                element *e)
{
    double all = 0.0;

    for (int64_t i = 0; i < n; i++) {
        if (!ops[i].active)
            continue;
        all += g[i];
        e->t += g[i] * ops[i].t;
        e->u += g[i] * ops[i].u;
    }
    if (!(all > 0.0)) {
        e->t = e->u = 0.0;
        return;
    }
    e->active = 1;
    e->u /= all;
    if (w->net->options.reading == UB_LATENCY_CODE)
        e->t /= all;
    for (int64_t i = 0; i < n; i++) {
        if (!ops[i].active)
            continue;
        e->u_by[i] = (ops[i].u - e->u) / all;
        e->t_by[i] = w->net->options.reading == UB_LATENCY_CODE
                         ? (ops[i].t - e->t) / all
                         : ops[i].t;
    }
}

static ub_status add_mixed(walk *w, int64_t cell, int64_t edge, soft_width in,
                           soft_width *out)
{
    const ub_supernet *net = w->net;
    const int64_t n = net->space->n_operators;
    const int64_t decision = ub__space_decision(net->space, cell, edge);
    element *ops = ub__calloc(net->context, (size_t) n, sizeof(*ops));
    element *e = next_element(w);
    ub_status status = UB_OK;

    if (ops == NULL)
        return UB_ERR_NOMEM;
    for (int64_t i = 0; i < n && status == UB_OK; i++) {
        soft_width made;
        if (!net->space->operators[i].zero)
            status = operator_cost(w, cell, edge, &net->space->operators[i], in,
                                   &ops[i], &made);
    }
    if (status == UB_OK)
        mix(w, ops, n,
            net->probability + ub__supernet_decision_offset(net, decision), e);
    e->decision = decision;
    *out = (soft_width){ (double) net->cells[cell].channels, -1 };
    ub__free(net->context, ops);
    return status;
}

/* *made has the value 0 where the edge contributes nothing. */
static ub_status add_edge(walk *w, int64_t cell, int64_t edge, soft_width in,
                          soft_width *made)
{
    const ub_supernet *net = w->net;
    int32_t op;

    *made = (soft_width){ 0.0, -1 };
    if (net->operators == NULL)
        return add_mixed(w, cell, edge, in, made);
    op = net->operators[ub__space_decision(net->space, cell, edge)];
    if (net->space->operators[op].zero || !(in.value > 0.0))
        return UB_OK;
    return operator_cost(w, cell, edge, &net->space->operators[op], in,
                         next_element(w), made);
}

/* The widest term, the first one on ties; every narrower one is aligned. */
static ub_status join_node(walk *w, int64_t cell, const soft_width *terms,
                           int n, soft_width *node)
{
    const ub__cell *c = &w->net->space->cells[cell];
    const map m = { c->height, c->map_width, c->height, c->map_width };
    ub_status status = UB_OK;

    *node = (soft_width){ 0.0, -1 };
    for (int i = 0; i < n; i++) {
        if (terms[i].value > node->value)
            *node = terms[i];
    }
    if (node->value > 0.0 && w->net->options.node_width == UB_NODE_FULL)
        *node = (soft_width){ (double) w->net->cells[cell].channels, -1 };
    for (int i = 0; i < n && status == UB_OK; i++) {
        if (terms[i].value > 0.0 && terms[i].value < node->value)
            status = add_convolution(w, 1, &m, terms[i],
                                     w->net->options.cost_scale, *node);
    }
    return status;
}

static ub_status walk_nodes(walk *w, int64_t cell, soft_width *nodes)
{
    const ub_space *space = w->net->space;
    ub_status status = UB_OK;

    for (int64_t n = space->options.inputs;
         n < space->options.nodes && status == UB_OK; n++) {
        soft_width terms[UB_SPACE_MAX_ITEMS];
        int n_terms = 0;

        for (int64_t e = 0; e < space->n_edges && status == UB_OK; e++) {
            if (space->edges[e].to == n)
                status = add_edge(w, cell, e, nodes[space->edges[e].from],
                                  &terms[n_terms++]);
        }
        if (status == UB_OK)
            status = join_node(w, cell, terms, n_terms, &nodes[n]);
    }
    return status;
}

/* Latency is the sum, utilization the mean over what takes time. */
static void close_cell(walk *w)
{
    int active = 0;

    for (int i = 0; i < w->n_elements; i++)
        active += w->elements[i].active;
    for (int i = 0; i < w->n_elements; i++) {
        const element *e = &w->elements[i];
        const double share = 1.0 / (double) active;

        if (!e->active)
            continue;
        w->latency += e->t;
        w->utilization += e->u * share;
        if (e->in >= 0) {
            w->width_t[e->in] += e->t_in;
            w->width_u[e->in] += e->u_in * share;
        }
        if (e->out >= 0) {
            w->width_t[e->out] += e->t_out;
            w->width_u[e->out] += e->u_out * share;
        }
        for (int64_t k = 0; e->decision >= 0 && k < w->net->space->n_operators;
             k++) {
            const int64_t at = ub__supernet_decision_offset(w->net,
                                                            e->decision) +
                               k;
            w->logit_t[at] += e->t_by[k];
            w->logit_u[at] += e->u_by[k] * share;
        }
    }
    w->n_elements = 0;
}

static ub_status walk_cell(walk *w, int64_t cell, const soft_width *inputs,
                           soft_width *out)
{
    const ub_space *space = w->net->space;
    const ub__cell *c = &space->cells[cell];
    soft_width nodes[UB_SPACE_MAX_ITEMS] = { { 0.0, -1 } };
    ub_status status = UB_OK;

    for (int64_t i = 0; i < space->options.inputs && status == UB_OK; i++) {
        const map m = { c->height_in[i], c->width_in[i], c->height,
                        c->map_width };
        nodes[i] = inputs[i];
        if (space->options.preprocess == 0)
            continue;
        nodes[i] = site_width(w, cell, i);
        if (w->net->cells[cell].preprocess[i] != NULL)
            status = add_convolution(w, space->options.preprocess, &m,
                                     inputs[i], w->net->options.cost_scale,
                                     nodes[i]);
    }
    if (status == UB_OK)
        status = walk_nodes(w, cell, nodes);
    *out = nodes[space->options.output];
    close_cell(w);
    return status;
}

/* What is not chosen counts with the ends. */
static ub_status walk_block(walk *w, int64_t block, soft_width in,
                            soft_width *out)
{
    const ub__cell *c = &w->net->space->cells[block];
    ub_status status = UB_OK;

    *out = (soft_width){ (double) w->net->cells[block].channels, -1 };
    if (!w->net->options.include_ends)
        return UB_OK;
    for (int64_t i = 0; i < c->n_summed && status == UB_OK; i++) {
        soft_width made;

        status = operator_cost(w, block, 0, &c->summed[i], in, next_element(w),
                               &made);
    }
    close_cell(w);
    return status;
}

/* The stem and the classifier, as one more cell. Image channels and classes
 * are not scaled. */
static ub_status walk_ends(walk *w, soft_width last)
{
    const ub_space *space = w->net->space;
    const ub_space_options *o = &space->options;
    const ub__cell *c = &space->cells[space->n_cells - 1];
    const double area = o->global_pool
                            ? 1.0
                            : (double) (c->out_height * c->out_width);
    const double scale = w->net->options.cost_scale;
    const map m = { o->height, o->width, o->height, o->width };
    const map one = { 1, 1, 1, 1 };
    const soft_width image = { (double) o->channels, -1 };
    const ub_operator_step linear = { UB_STEP_PLAIN_CONV, 0, 1, 1, 0, 1 };
    const soft_width stem = { (double) o->base_width, -1 };
    ub_status status = UB_OK;
    element *e;
    ub_cost cost;

    if (o->stem_kernel != 0)
        status = add_convolution(w, o->stem_kernel, &m, image, 1.0, stem);
    e = next_element(w);
    if (status != UB_OK)
        return status;
    status = evaluate(w, UB_COST_LINEAR, &linear, &one,
                      last.value * scale * area, (double) o->classes, &cost);
    if (status != UB_OK)
        return status;
    cost.dlatency_dout = cost.dutilization_dout = 0.0;
    append(e, &cost, scale * area, 0);
    e->in = last.site;
    close_cell(w);
    return UB_OK;
}

static ub_status walk_network(walk *w)
{
    const ub_space *space = w->net->space;
    const ub_space_options *o = &space->options;
    /* image channels are not scaled */
    const soft_width first = { o->stem_kernel ? (double) o->base_width
                                              : (double) o->channels /
                                                    w->net->options.cost_scale,
                               -1 };
    soft_width inputs[2] = { first, first }, out = first;
    ub_status status = UB_OK;

    for (int64_t i = 0; i < space->n_cells && status == UB_OK; i++) {
        status = space->cells[i].n_summed > 0
                     ? walk_block(w, i, inputs[0], &out)
                     : walk_cell(w, i, inputs, &out);
        inputs[1] = inputs[0];
        inputs[0] = out;
    }
    if (status == UB_OK && w->net->options.include_ends)
        status = walk_ends(w, out);
    if (status == UB_OK && (!isfinite(w->latency) || !isfinite(w->utilization)))
        status = ub__fail(w->net->context, UB_ERR_NUMERIC,
                          "supernet: expected latency %g ms, utilization %g",
                          w->latency, w->utilization);
    return status;
}

/* From derivatives by soft widths to derivatives by the masks' probabilities.*/
static void widths_to_probabilities(walk *w)
{
    for (ub__logits g = { 0 }; ub__supernet_next(w->net, &g);) {
        for (int64_t i = 0; g.mask != NULL && i < g.n; i++) {
            const double width = (double) ub_mask_width(g.mask, i);
            w->logit_t[g.offset + i] = w->width_t[g.index] * width;
            w->logit_u[g.offset + i] = w->width_u[g.index] * width;
        }
    }
}

/* From derivatives by probabilities to derivatives by logits, in place. */
static void through_softmax(const double *p, int64_t n, double tau, double *d)
{
    double mean = 0.0;

    for (int64_t i = 0; i < n; i++)
        mean += p[i] * d[i];
    for (int64_t i = 0; i < n; i++)
        d[i] = p[i] * (d[i] - mean) / tau;
}

static void probabilities_to_logits(const ub_supernet *net, double *d)
{
    for (ub__logits g = { 0 }; ub__supernet_next(net, &g);)
        through_softmax(net->probability + g.offset, g.n, net->tau,
                        d + g.offset);
}

ub_status ub_supernet_expect(ub_supernet *supernet,
                             ub_supernet_expectation *expectation,
                             double *by_latency, double *by_utilization)
{
    walk w = { .net = supernet };
    ub_context *context;
    size_t sites, logits;
    double *memory;
    ub_status status = UB_ERR_NOMEM;

    if (supernet == NULL || expectation == NULL)
        return ub__fail(supernet ? supernet->context : NULL, UB_ERR_INVALID,
                        "supernet: expectation is NULL");
    context = supernet->context;
    sites = (size_t) ub_space_sites(supernet->space);
    logits = (size_t) supernet->n_logits;
    memory = ub__calloc(context, 2 * (sites + logits), sizeof(double));
    w.elements = ub__alloc(context, MAX_ELEMENTS, sizeof(*w.elements));
    if (memory == NULL || w.elements == NULL)
        goto out;
    w.width_t = memory;
    w.width_u = memory + sites;
    w.logit_t = memory + 2 * sites;
    w.logit_u = w.logit_t + logits;
    ub__supernet_probabilities(supernet, supernet->noise, supernet->tau,
                               supernet->probability);
    status = walk_network(&w);
    if (status != UB_OK)
        goto out;
    widths_to_probabilities(&w);
    probabilities_to_logits(supernet, w.logit_t);
    probabilities_to_logits(supernet, w.logit_u);
    expectation->latency_ms = w.latency;
    expectation->utilization = w.utilization;
    if (by_latency != NULL)
        memcpy(by_latency, w.logit_t, logits * sizeof(double));
    if (by_utilization != NULL)
        memcpy(by_utilization, w.logit_u, logits * sizeof(double));
out:
    ub__free(context, w.elements);
    ub__free(context, memory);
    return status;
}
