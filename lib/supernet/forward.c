/* SPDX-License-Identifier: BSD-2-Clause */
#include "nn/nn.h"
#include "supernet/supernet.h"

#include <string.h>

/* One run: what the sample or the most probable choice says. */
typedef struct run {
    ub_supernet *net;
    ub_tape *tape;
    int training;
    const int32_t *operators;  /* one per decision, or NULL: mixed edges */
    ub_variable **probability; /* per decision, for mixed edges */
    ub_variable **masks;       /* per site, NULL where there is none */
    ub_variable *rectified[UB_SPACE_MAX_ITEMS][2]; /* of a cell: x, ReLU of x */
    int n_rectified;
} run;

/* Operators of all edges that leave a node mostly rectify the same. */
static ub_status rectify(run *r, ub_variable *x, ub_variable **out)
{
    ub_status status;

    for (int i = 0; i < r->n_rectified; i++) {
        if (r->rectified[i][0] == x) {
            *out = r->rectified[i][1];
            return UB_OK;
        }
    }
    status = ub_op_relu(r->tape, x, out);
    if (status == UB_OK && r->n_rectified < UB_SPACE_MAX_ITEMS) {
        r->rectified[r->n_rectified][0] = x;
        r->rectified[r->n_rectified++][1] = *out;
    }
    return status;
}

static ub_status pool(run *r, const ub_operator_step *step, int64_t stride,
                      ub_variable *x, ub_variable **out)
{
    const int64_t kernel = step->kernel ? step->kernel : stride;
    const int64_t padding = step->kernel / 2;

    if (step->kind == UB_STEP_MAX_POOL)
        return ub_op_max_pool2d(r->tape, x, kernel, stride, padding, out);
    return ub_op_avg_pool2d(r->tape, x, kernel, stride, padding, 0, out);
}

/* What comes last may be left to the sum of a mixed edge. */
static ub_status forward_step(run *r, const ub_operator_step *step,
                              const ub_conv_norm *layer, int64_t stride,
                              ub_variable *mask, ub_variable *x,
                              ub__mixed_term *out)
{
    if (layer != NULL)
        return ub__conv_norm_term(layer, r->tape, x, r->training, mask,
                                  (ub_mask_place) r->net->options.mask_place,
                                  out);
    *out = (ub__mixed_term){ 0 };
    if (step->kind == UB_STEP_RELU)
        return rectify(r, x, &out->x);
    if (step->kind == UB_STEP_CHANNEL_SHUFFLE)
        return ub_op_channel_shuffle(r->tape, x, step->groups, &out->x);
    return pool(r, step, stride, x, &out->x);
}

static ub_status add_residual(run *r, ub_variable *x, ub__mixed_term *term)
{
    ub_variable *y = NULL;
    ub_status status = ub__mixed_term_value(r->tape, term, &y);

    *term = (ub__mixed_term){ 0 };
    return status == UB_OK ? ub_op_add(r->tape, x, y, &term->x) : status;
}

/* An operator that is not zero. */
static ub_status forward_operator(run *r, int64_t cell, int64_t edge,
                                  int64_t candidate, ub_variable *mask,
                                  ub_variable *x, ub__mixed_term *out)
{
    const ub__supernet_cell *c = &r->net->cells[cell];
    const ub__operator *op = ub__supernet_candidate(r->net, cell, candidate);
    const int64_t stride = ub__space_edge_stride(r->net->space, cell, edge);
    const int64_t n = ub__operator_steps(
        op, ub__supernet_edge_channels(r->net, cell, edge), c->channels,
        stride);
    ub__mixed_term y = { .x = x };

    for (int64_t s = 0; s < n; s++) {
        const ub_operator_step *step = &op->steps[s];
        ub_variable *input = NULL;
        ub_status status = ub__mixed_term_value(r->tape, &y, &input);

        if (status == UB_OK)
            status = forward_step(r, step, c->candidates[candidate][s],
                                  s == op->strided ? stride : 1,
                                  ub__step_sets_width(step->kind) ? mask : NULL,
                                  input, &y);
        if (status != UB_OK)
            return status;
    }
    *out = y;
    if (op->residual == UB_RESIDUAL_ADD &&
        ub__tensor_same_shape(ub_variable_value(x), ub_variable_value(y.x)))
        return add_residual(r, x, out);
    return UB_OK;
}

static ub_status forward_edge_operator(run *r, int64_t cell, int64_t edge,
                                       int64_t op, ub_variable *x,
                                       ub__mixed_term *out)
{
    const ub_space *space = r->net->space;
    const int64_t site = ub__space_site(space, cell,
                                        space->options.inputs + edge);

    return forward_operator(r, cell, edge, edge * space->n_operators + op,
                            r->masks[site], x, out);
}

/* In single-path mode the probabilities are one-hot and all but one operator
 * stay out. */
static ub_status forward_mixed(run *r, int64_t cell, int64_t edge,
                               ub_variable *x, ub_variable **out)
{
    const ub_space *space = r->net->space;
    ub_variable *g = r->probability[ub__space_decision(space, cell, edge)];
    const float *p = ub_tensor_data(ub_variable_value(g));
    ub__mixed_term terms[UB_SPACE_MAX_ITEMS] = { 0 };
    int any = 0;

    for (int64_t i = 0; i < space->n_operators; i++) {
        ub_status status;

        if (space->operators[i].zero ||
            (r->net->options.sampling == UB_SAMPLING_SINGLE_PATH &&
             p[i] == 0.0f))
            continue;
        status = forward_edge_operator(r, cell, edge, i, x, &terms[i]);
        if (status != UB_OK)
            return status;
        any = 1;
    }
    *out = NULL;
    if (!any)
        return UB_OK;
    return ub__op_mixed_sum(r->tape, "mixed edge", (int) space->n_operators,
                            terms, g, out);
}

/* *out is NULL where the edge contributes nothing. */
static ub_status forward_edge(run *r, int64_t cell, int64_t edge,
                              ub_variable *x, ub_variable **out)
{
    ub__mixed_term term;
    ub_status status;
    int32_t op;

    *out = NULL;
    if (x == NULL)
        return UB_OK;
    if (r->operators == NULL)
        return forward_mixed(r, cell, edge, x, out);
    op = r->operators[ub__space_decision(r->net->space, cell, edge)];
    if (r->net->space->operators[op].zero)
        return UB_OK;
    status = forward_edge_operator(r, cell, edge, op, x, &term);
    return status == UB_OK ? ub__mixed_term_value(r->tape, &term, out) : status;
}

static ub_status forward_inputs(run *r, int64_t cell, ub_variable **inputs,
                                ub_variable **nodes)
{
    const ub_space *space = r->net->space;
    ub__supernet_cell *c = &r->net->cells[cell];

    for (int64_t i = 0; i < space->options.inputs; i++) {
        ub_status status = UB_OK;

        if (space->options.preprocess == 0)
            nodes[i] = inputs[i];
        else if (c->preprocess[i] != NULL)
            status = ub_conv_norm_forward(
                c->preprocess[i], r->tape, inputs[i], r->training,
                r->masks[ub__space_site(space, cell, i)],
                (ub_mask_place) r->net->options.mask_place, &nodes[i]);
        if (status != UB_OK)
            return status;
    }
    return UB_OK;
}

/* A node without any input, which only a single-path sample can bring about,
 * counts as zeros: it stays NULL, and so may the output. */
static ub_status forward_cell(run *r, int64_t cell, ub_variable **inputs,
                              ub_variable **out)
{
    const ub_space *space = r->net->space;
    ub_variable *nodes[UB_SPACE_MAX_ITEMS] = { NULL };
    ub_status status = forward_inputs(r, cell, inputs, nodes);

    for (int64_t n = space->options.inputs;
         n < space->options.nodes && status == UB_OK; n++) {
        ub_variable *terms[UB_SPACE_MAX_ITEMS];
        int n_terms = 0;

        for (int64_t e = 0; e < space->n_edges && status == UB_OK; e++) {
            if (space->edges[e].to != n)
                continue;
            status = forward_edge(r, cell, e, nodes[space->edges[e].from],
                                  &terms[n_terms]);
            n_terms += status == UB_OK && terms[n_terms] != NULL;
        }
        if (status == UB_OK && n_terms > 0)
            status = ub_op_sum(r->tape, n_terms, terms, &nodes[n]);
    }
    *out = nodes[space->options.output];
    return status;
}

static ub_status forward_block(run *r, int64_t block, ub_variable *x,
                               ub_variable **out)
{
    const int64_t n = r->net->space->cells[block].n_summed;
    ub_variable *terms[UB_SPACE_MAX_ITEMS];
    ub_status status = UB_OK;

    for (int64_t i = 0; i < n && status == UB_OK; i++) {
        ub__mixed_term term;

        status = forward_operator(r, block, 0, i, NULL, x, &term);
        if (status == UB_OK)
            status = ub__mixed_term_value(r->tape, &term, &terms[i]);
    }
    return status == UB_OK ? ub_op_sum(r->tape, (int) n, terms, out) : status;
}

/* What a cell without output hands on. */
static ub_status zeros(run *r, int64_t cell, int64_t batch, ub_variable **out)
{
    const ub__cell *c = &r->net->space->cells[cell];
    const int64_t shape[4] = { batch, r->net->cells[cell].channels, c->height,
                               c->map_width };
    ub_tensor *tensor;
    ub_status status = ub_tensor_create(r->net->context, 4, shape, &tensor);

    if (status != UB_OK)
        return status;
    status = ub_tape_constant(r->tape, tensor, out);
    ub_tensor_unref(&tensor);
    return status;
}

static ub_status forward_stem(run *r, ub_variable *images, ub_variable **out)
{
    ub_status status;

    *out = images;
    if (r->net->stem == NULL)
        return UB_OK;
    status = ub_conv_norm_forward(r->net->stem, r->tape, images, r->training,
                                  NULL, UB_MASK_AFTER, out);

    if (status == UB_OK && r->net->space->options.stem_pool)
        status = ub_op_max_pool2d(r->tape, *out, 2, 2, 0, out);
    return status;
}

static ub_status forward_network(run *r, ub_variable *images,
                                 ub_variable **logits)
{
    const ub_space *space = r->net->space;
    const int64_t batch = ub_tensor_shape(ub_variable_value(images))[0];
    const ub_variable *before = ub__tape_newest(r->tape);
    ub_variable *inputs[2], *x = NULL;
    ub_status status = forward_stem(r, images, &inputs[0]);

    inputs[1] = inputs[0];
    for (int64_t i = 0; i < space->n_cells && status == UB_OK; i++) {
        r->n_rectified = 0;
        status = space->cells[i].n_summed > 0
                     ? forward_block(r, i, inputs[0], &x)
                     : forward_cell(r, i, inputs, &x);
        if (status == UB_OK && x == NULL)
            status = zeros(r, i, batch, &x);
        if (status == UB_OK && space->cells[i].pool_after)
            status = ub_op_max_pool2d(r->tape, x, 2, 2, 0, &x);
        inputs[1] = inputs[0];
        inputs[0] = x;
        ub__tape_keep(r->tape, before, 2, inputs);
    }
    if (status == UB_OK && space->options.global_pool)
        status = ub_op_global_avg_pool(r->tape, x, &x);
    if (status != UB_OK)
        return status;
    return ub_linear_layer_forward(r->net->classifier, r->tape, x, logits);
}

/* The sampled probabilities of every open decision and the masks they make. */
static ub_status sample_variables(run *r)
{
    ub_supernet *net = r->net;
    const int single = net->options.sampling == UB_SAMPLING_SINGLE_PATH;
    ub_status status = UB_OK;

    for (ub__logits g = { 0 }; status == UB_OK && ub__supernet_next(net, &g);) {
        ub_variable *p;

        status = ub_op_gumbel_softmax(r->tape, g.variable,
                                      net->noise + g.offset, net->tau,
                                      single && g.mask == NULL, &p);
        if (status == UB_OK && g.mask == NULL)
            r->probability[g.index] = p;
        else if (status == UB_OK)
            status = ub_mask_forward(g.mask, r->tape, p, &r->masks[g.index]);
    }
    return status;
}

/* Masks that keep the most probable width. */
static ub_status argmax_masks(run *r)
{
    ub_supernet *net = r->net;
    ub_status status = UB_OK;

    for (int64_t s = 0; s < ub_space_sites(net->space); s++) {
        const ub_mask *mask = net->masks[s];
        ub_tensor *tensor;
        int64_t width;

        if (mask == NULL)
            continue;
        status = ub_tensor_create(net->context, 1, &net->options.widths.high,
                                  &tensor);
        if (status != UB_OK)
            return status;
        width = ub_mask_width(mask, ub_mask_argmax(mask));
        for (int64_t i = 0; i < width; i++)
            ub_tensor_data(tensor)[i] = 1.0f;
        status = ub_tape_constant(r->tape, tensor, &r->masks[s]);
        ub_tensor_unref(&tensor);
        if (status != UB_OK)
            return status;
    }
    return status;
}

static ub_status check_images(const ub_supernet *net, ub_tape *tape,
                              const ub_variable *images)
{
    const ub_space_options *o = &net->space->options;
    char text[UB__SHAPE_TEXT];
    ub_tensor *x;
    const ub_status status = ub__operand(tape, "supernet", "images", images,
                                         &x);

    if (status != UB_OK)
        return status;
    if (ub_tensor_rank(x) == 4 && ub_tensor_shape(x)[1] == o->channels &&
        ub_tensor_shape(x)[2] == o->height && ub_tensor_shape(x)[3] == o->width)
        return UB_OK;
    return ub__fail(net->context, UB_ERR_SHAPE,
                    "supernet: images %s, expected [n, %lld, %lld, %lld]",
                    ub__shape_text(text, ub_tensor_rank(x), ub_tensor_shape(x)),
                    (long long) o->channels, (long long) o->height,
                    (long long) o->width);
}

ub_status ub_supernet_forward(ub_supernet *supernet, ub_tape *tape,
                              ub_variable *images, ub_supernet_mode mode,
                              ub_variable **logits)
{
    run r = { .net = supernet, .tape = tape, .training = UB_NORM_TRAINING };
    ub_context *context;
    int64_t n, sites;
    int32_t *argmax;
    ub_variable **memory;
    ub_status status;

    if (supernet == NULL || logits == NULL)
        return ub__fail(supernet ? supernet->context : NULL, UB_ERR_INVALID,
                        "supernet: logits are NULL");
    status = check_images(supernet, tape, images);
    if (status != UB_OK)
        return status;
    context = supernet->context;
    n = ub_space_decisions(supernet->space);
    sites = ub_space_sites(supernet->space);
    argmax = ub__alloc(context, (size_t) n, sizeof(*argmax));
    memory = ub__calloc(context, (size_t) (n + sites), sizeof(*memory));
    status = UB_ERR_NOMEM;
    if (argmax == NULL || memory == NULL)
        goto out;
    r.probability = memory;
    r.masks = memory + n;
    if (mode == UB_SUPERNET_SAMPLE) {
        r.operators = supernet->operators;
        status = sample_variables(&r);
    } else if (mode == UB_SUPERNET_ARGMAX) {
        r.operators = argmax;
        r.training = UB_NORM_BATCH;
        status = ub_supernet_operators(supernet, argmax, NULL);
        if (status == UB_OK)
            status = argmax_masks(&r);
    } else {
        status = ub__fail(context, UB_ERR_INVALID, "supernet: mode %d",
                          (int) mode);
    }
    if (status == UB_OK)
        status = forward_network(&r, images, logits);
out:
    ub__free(context, argmax);
    ub__free(context, memory);
    return status;
}
