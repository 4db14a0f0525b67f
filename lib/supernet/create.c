/* SPDX-License-Identifier: BSD-2-Clause */
#include "nn/nn.h"
#include "supernet/supernet.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define NAME_LENGTH (UB__SPACE_NAME + 24)

static const ub_supernet_options defaults = {
    .size = sizeof(ub_supernet_options),
    .cost_scale = 1.0,
    .cost_batch = 64,
    .initial_place = -1.0,
    .initial_height = 1.0,
};

void ub_supernet_options_init(ub_supernet_options *options, size_t size)
{
    ub__options_out(options, size, &defaults, sizeof(defaults));
}

static int searches_widths(const ub_supernet_options *o)
{
    return o->widths.low != 0 || o->widths.high != 0 || o->widths.step != 0;
}

/* An operator whose inner widths hang on its input's cannot be masked, nor one
 * that has channels in groups, or brings masked ones back by a norm. */
static int fixes_width(const ub__operator *op)
{
    int fixed = op->residual != UB_RESIDUAL_NONE && op->n_steps > 0;

    for (int64_t s = 0; s < op->n_steps; s++)
        fixed |= op->steps[s].expansion != 0 || op->steps[s].groups > 1 ||
                 op->steps[s].kind == UB_STEP_NORM;
    return fixed;
}

static ub_status check_widths(ub_context *context, const ub_space *space,
                              const ub_supernet_options *o)
{
    if (ub_width_range_count(&o->widths) == 0)
        return ub__fail(context, UB_ERR_INVALID,
                        "supernet: widths %lld to %lld by %lld",
                        (long long) o->widths.low, (long long) o->widths.high,
                        (long long) o->widths.step);
    if (o->operators == NULL || space->options.preprocess == 0 ||
        space->n_blocks > 0)
        return ub__fail(context, UB_ERR_UNSUPPORTED,
                        "supernet: widths are searched with operators given, "
                        "inputs preprocessed and no blocks");
    for (int64_t i = 0; i < space->n_operators; i++) {
        if (fixes_width(&space->operators[i]))
            return ub__fail(context, UB_ERR_UNSUPPORTED,
                            "supernet: the width of operator \"%s\" cannot be "
                            "searched",
                            space->operators[i].name);
    }
    return UB_OK;
}

static ub_status check_options(ub_context *context, const ub_space *space,
                               const ub_supernet_options *o)
{
    if (!(o->cost_scale > 0.0) || !isfinite(o->cost_scale) ||
        o->cost_batch < 1 || o->cost_batch > 1 << 20 || o->reading < 0 ||
        o->reading > UB_LATENCY_PLAIN || o->node_width < 0 ||
        o->node_width > UB_NODE_FULL || o->sampling < 0 ||
        o->sampling > UB_SAMPLING_SINGLE_PATH || o->mask_place < 0 ||
        o->mask_place > UB_MASK_BEFORE_NORM)
        return ub__fail(context, UB_ERR_INVALID,
                        "supernet: an option is out of range (cost scale %g, "
                        "batch %lld, reading %d, node width %d, sampling %d, "
                        "mask place %d)",
                        o->cost_scale, (long long) o->cost_batch,
                        (int) o->reading, (int) o->node_width,
                        (int) o->sampling, (int) o->mask_place);
    if (!(o->initial_place == -1.0 ||
          (o->initial_place >= 0.0 && o->initial_place <= 1.0)) ||
        !(o->initial_height >= 0.0 && o->initial_height <= 1e6))
        return ub__fail(context, UB_ERR_INVALID,
                        "supernet: initial place %g, height %g",
                        o->initial_place, o->initial_height);
    if (ub_space_cells(space) == 0 || space->n_edges == 0 ||
        space->n_operators == 0)
        return ub__fail(context, UB_ERR_INVALID,
                        "supernet: the space has no cells, edges or operators");
    return searches_widths(o) ? check_widths(context, space, o) : UB_OK;
}

/* Layer of one step of an operator, if it has anything to learn. */
static ub_status create_step(ub_parameters *parameters, const char *name,
                             const ub_operator_step *step, int64_t stride,
                             int64_t in, int64_t out, int quantized,
                             ub_rng *rng, ub_conv_norm **layer)
{
    const int conv = ub__step_is_conv(step->kind);
    const int norm = step->kind == UB_STEP_NORM;
    const int plain = step->kind == UB_STEP_PLAIN_CONV;
    ub_conv_norm_options o;

    if (!conv && !norm)
        return UB_OK;
    ub_conv_norm_options_init(&o, sizeof(o));
    o.in_channels = in;
    o.out_channels = out;
    o.kernel_height = o.kernel_width = step->kernel;
    o.stride = stride;
    o.dilation = step->dilation;
    o.groups = step->kind == UB_STEP_DEPTHWISE ? in : step->groups;
    o.relu = step->relu;
    o.quantized = quantized;
    return ub__conv_norm_create(
        parameters, name, &o,
        (conv ? UB__PART_CONV : 0) | (plain ? 0 : UB__PART_NORM), rng, layer);
}

ub_status ub__candidate_create(ub_parameters *parameters, const ub_space *space,
                               const ub__candidate *at, ub_rng *rng,
                               ub_conv_norm **layers)
{
    const ub__operator *op = at->op;
    const int64_t stride = ub__space_edge_stride(space, at->cell, at->edge);
    const int64_t n = ub__operator_steps(op, at->in, at->width, stride);
    char prefix[UB__SPACE_NAME], name[NAME_LENGTH];
    int64_t c = at->in;

    ub__space_operator_name(space, at->cell, at->edge, op, prefix);
    for (int64_t s = 0; s < n; s++) {
        const ub_operator_step *step = &op->steps[s];
        const int64_t out = ub__step_width(step, c, at->in, at->width);
        ub_status status;

        snprintf(name, sizeof(name), "%s.%lld", prefix, (long long) s);
        status = create_step(parameters, name, step,
                             s == op->strided ? stride : 1, c, out,
                             at->quantized, rng, &layers[s]);
        if (status != UB_OK)
            return status;
        c = out;
    }
    if (!op->zero && (c != at->width || (stride != 1 && op->strided < 0)))
        return ub__fail(ub_parameters_context(parameters), UB_ERR_SHAPE,
                        "supernet: %s makes %lld channels with stride %lld, "
                        "the cell has %lld and stride %lld",
                        prefix, (long long) c,
                        (long long) (op->strided < 0 ? 1 : stride),
                        (long long) at->width, (long long) stride);
    return UB_OK;
}

void ub__candidate_destroy(ub_context *context, const ub__operator *op,
                           ub_conv_norm **layers)
{
    for (int64_t s = 0; layers != NULL && s < op->n_steps; s++)
        ub_conv_norm_destroy(&layers[s]);
    ub__free(context, layers);
}

static int is_open(const ub_supernet *net, int64_t cell, int64_t edge,
                   int64_t op)
{
    if (net->operators == NULL || net->space->cells[cell].n_summed > 0)
        return 1;
    return net->operators[ub__space_decision(net->space, cell, edge)] == op;
}

static ub_status create_edges(ub_supernet *net, int64_t cell, ub_rng *rng)
{
    const int64_t n = ub__supernet_candidates(net, cell);
    ub__supernet_cell *c = &net->cells[cell];

    c->candidates = ub__calloc(net->context, (size_t) n,
                               sizeof(*c->candidates));
    if (c->candidates == NULL)
        return UB_ERR_NOMEM;
    for (int64_t i = 0; i < n; i++) {
        const int64_t edge = i / net->space->n_operators;
        const ub__candidate at = {
            .op = ub__supernet_candidate(net, cell, i),
            .cell = cell,
            .edge = edge,
            .in = ub__supernet_edge_channels(net, cell, edge),
            .width = c->channels,
        };
        ub_status status;

        if (!is_open(net, cell, edge, i % net->space->n_operators))
            continue;
        c->candidates[i] = ub__calloc(net->context, (size_t) at.op->n_steps,
                                      sizeof(*c->candidates[i]));
        if (c->candidates[i] == NULL)
            return UB_ERR_NOMEM;
        status = ub__candidate_create(net->parameters, net->space, &at, rng,
                                      c->candidates[i]);
        if (status != UB_OK)
            return status;
    }
    return UB_OK;
}

static ub_status create_preprocess(ub_supernet *net, int64_t cell,
                                   int64_t input, ub_rng *rng)
{
    const ub_space *space = net->space;
    const ub_operator_step step = {
        UB_STEP_CONV, 1, space->options.preprocess, 1, 0, 1
    };
    ub__supernet_cell *c = &net->cells[cell];
    char name[NAME_LENGTH];

    if (step.kernel == 0 ||
        (net->operators != NULL &&
         !ub__space_input_used(space, cell, input, net->operators)))
        return UB_OK;
    snprintf(name, sizeof(name), "cell%lld.input%lld",
             (long long) space->cells[cell].index, (long long) input);
    return create_step(
        net->parameters, name, &step,
        space->cells[cell].height_in[input] / space->cells[cell].height,
        c->in_channels[input], c->channels, 0, rng, &c->preprocess[input]);
}

static ub_status create_cells(ub_supernet *net, ub_rng *rng)
{
    const ub_space *space = net->space;
    int64_t channels[2] = { ub__space_first_width(space),
                            ub__space_first_width(space) };
    ub_status status = UB_OK;

    for (int64_t i = 0; i < space->n_cells && status == UB_OK; i++) {
        ub__supernet_cell *c = &net->cells[i];
        c->channels = searches_widths(&net->options) ? net->options.widths.high
                                                     : space->cells[i].width;
        for (int64_t k = 0; k < space->options.inputs; k++) {
            c->in_channels[k] = channels[k];
            if (status == UB_OK && space->cells[i].n_summed == 0)
                status = create_preprocess(net, i, k, rng);
        }
        if (status == UB_OK)
            status = create_edges(net, i, rng);
        channels[1] = channels[0];
        channels[0] = c->channels;
    }
    return status;
}

static ub_status create_ends(ub_supernet *net, ub_rng *rng)
{
    const ub_space_options *o = &net->space->options;
    const ub__cell *last = &net->space->cells[net->space->n_cells - 1];
    const ub_operator_step step = { UB_STEP_CONV, 1, o->stem_kernel, 1, 0, 1 };
    const int64_t channels = net->cells[net->space->n_cells - 1].channels;
    const int64_t area = o->global_pool ? 1
                                        : last->out_height * last->out_width;
    ub_status status = UB_OK;

    if (o->stem_kernel != 0)
        status = create_step(net->parameters, "stem", &step, 1, o->channels,
                             o->base_width, 0, rng, &net->stem);
    if (status != UB_OK)
        return status;
    return ub_linear_layer_create(net->parameters, "classifier",
                                  channels * area, o->classes, rng,
                                  &net->classifier);
}

/* Logits of the decisions, standard normal. */
static ub_status create_decisions(ub_supernet *net, ub_rng *rng)
{
    const int64_t n = ub_space_decisions(net->space);

    if (net->operators != NULL)
        return UB_OK;
    net->decisions = ub__calloc(net->context, (size_t) n,
                                sizeof(*net->decisions));
    if (net->decisions == NULL)
        return UB_ERR_NOMEM;
    for (int64_t d = 0; d < n; d++) {
        char name[NAME_LENGTH];
        ub_status status;

        snprintf(name, sizeof(name), "decision%lld", (long long) d);
        status = ub_parameters_add(
            net->parameters, name, UB_PARAMETER_ARCHITECTURE, 1,
            &net->space->n_operators, &net->decisions[d]);
        if (status == UB_OK)
            status = ub_init_normal(ub_variable_value(net->decisions[d]), rng,
                                    0.0, 1.0);
        if (status != UB_OK)
            return status;
        net->n_logits += net->space->n_operators;
    }
    return UB_OK;
}

/* Whether a width is to be searched at a slot of a cell. */
static int has_width(const ub_supernet *net, int64_t cell, int64_t slot)
{
    const ub_space *space = net->space;
    const int64_t edge = slot - space->options.inputs;
    int32_t op;

    if (edge < 0)
        return net->cells[cell].preprocess[slot] != NULL;
    op = net->operators[ub__space_decision(space, cell, edge)];
    return space->operators[op].takes_width;
}

static ub_status create_mask(ub_supernet *net, const char *name, ub_rng *rng,
                             ub_mask **mask)
{
    const ub_supernet_options *o = &net->options;
    ub_rng copy = *rng; /* the place that the mask draws */
    const double drawn = ub_rng_uniform(&copy);
    const ub_status status = ub_mask_create(net->parameters, name, &o->widths,
                                            rng, mask);

    if (status != UB_OK || (o->initial_place < 0.0 && o->initial_height == 1.0))
        return status;
    return ub_mask_set_initial(
        *mask, o->initial_place < 0.0 ? drawn : o->initial_place,
        o->initial_height);
}

static ub_status create_masks(ub_supernet *net, ub_rng *rng)
{
    const int64_t slots = net->space->options.inputs + net->space->n_edges;
    const int64_t sites = ub_space_sites(net->space);

    net->masks = ub__calloc(net->context, (size_t) sites, sizeof(*net->masks));
    if (net->masks == NULL)
        return UB_ERR_NOMEM;
    if (!searches_widths(&net->options))
        return UB_OK;
    for (int64_t site = 0; site < sites; site++) {
        char name[NAME_LENGTH];
        ub_status status;

        if (!has_width(net, site / slots, site % slots))
            continue;
        snprintf(name, sizeof(name), "cell%lld.width%lld",
                 (long long) (site / slots), (long long) (site % slots));
        status = create_mask(net, name, rng, &net->masks[site]);
        if (status != UB_OK)
            return status;
        net->n_logits += ub_mask_count(net->masks[site]);
    }
    return UB_OK;
}

static ub_status copy_operators(ub_supernet *net, const int32_t *operators)
{
    const int64_t n = ub_space_decisions(net->space);

    if (operators == NULL)
        return UB_OK;
    net->operators = ub__alloc(net->context, (size_t) n,
                               sizeof(*net->operators));
    if (net->operators == NULL)
        return UB_ERR_NOMEM;
    net->options.operators = net->operators;
    /* Given operators must be pruned already: an empty output is an error. */
    return ub_space_prune(net->space, operators, NULL, net->operators, NULL);
}

static ub_status create_parts(ub_supernet *net, const int32_t *operators,
                              uint64_t seed)
{
    ub_rng weights, logits;
    ub_status status;

    ub_rng_init(&weights, seed, 1);
    ub_rng_init(&logits, seed, 2);
    net->cells = ub__calloc(net->context, (size_t) net->space->n_cells,
                            sizeof(*net->cells));
    if (net->cells == NULL)
        return UB_ERR_NOMEM;
    status = copy_operators(net, operators);
    if (status == UB_OK)
        status = ub_parameters_create(net->context, &net->parameters);
    if (status == UB_OK)
        status = create_cells(net, &weights);
    if (status == UB_OK)
        status = create_ends(net, &weights);
    if (status == UB_OK)
        status = create_decisions(net, &logits);
    if (status == UB_OK)
        status = create_masks(net, &logits);
    if (status != UB_OK)
        return status;
    net->noise = ub__calloc(net->context, (size_t) net->n_logits,
                            sizeof(*net->noise));
    net->probability = ub__calloc(net->context, (size_t) net->n_logits,
                                  sizeof(*net->probability));
    if (net->noise == NULL || net->probability == NULL)
        return UB_ERR_NOMEM;
    return ub_supernet_sample(net, NULL, 1.0);
}

ub_status ub_supernet_create(ub_context *context, const ub_space *space,
                             const ub_supernet_options *options,
                             const ub_cost_model *model, uint64_t seed,
                             ub_supernet **out)
{
    ub_supernet_options o = defaults;
    ub_supernet *net;
    ub_status status = UB_OK;

    if (context == NULL)
        return UB_ERR_INVALID;
    if (space == NULL || out == NULL)
        return ub__fail(context, UB_ERR_INVALID, "supernet: a NULL argument");
    if (options != NULL)
        status = ub__options_in(context, "supernet options", &o, sizeof(o),
                                sizeof(o), options);
    if (status == UB_OK)
        status = check_options(context, space, &o);
    if (status != UB_OK)
        return status;
    net = ub__calloc(context, 1, sizeof(*net));
    if (net == NULL)
        return UB_ERR_NOMEM;
    net->context = context;
    net->space = space;
    net->options = o;
    net->options.operators = NULL;
    if (model != NULL) {
        net->model = *model;
        net->has_model = 1;
    }
    status = create_parts(net, o.operators, seed);
    if (status != UB_OK) {
        ub_supernet_destroy(&net);
        return status;
    }
    *out = net;
    return UB_OK;
}

static void destroy_cell(ub_supernet *net, int64_t index)
{
    ub__supernet_cell *cell = &net->cells[index];

    for (int i = 0; i < 2; i++)
        ub_conv_norm_destroy(&cell->preprocess[i]);
    if (cell->candidates == NULL)
        return;
    for (int64_t i = 0; i < ub__supernet_candidates(net, index); i++)
        ub__candidate_destroy(net->context,
                              ub__supernet_candidate(net, index, i),
                              cell->candidates[i]);
    ub__free(net->context, cell->candidates);
}

void ub_supernet_destroy(ub_supernet **supernet)
{
    ub_supernet *net;

    if (supernet == NULL || *supernet == NULL)
        return;
    net = *supernet;
    for (int64_t i = 0; net->cells != NULL && i < net->space->n_cells; i++)
        destroy_cell(net, i);
    for (int64_t i = 0; net->masks && i < ub_space_sites(net->space); i++)
        ub_mask_destroy(&net->masks[i]);
    ub_conv_norm_destroy(&net->stem);
    ub_linear_layer_destroy(&net->classifier);
    ub_parameters_destroy(&net->parameters);
    ub__free(net->context, net->cells);
    ub__free(net->context, net->masks);
    ub__free(net->context, net->decisions);
    ub__free(net->context, net->operators);
    ub__free(net->context, net->noise);
    ub__free(net->context, net->probability);
    ub__free(net->context, net);
    *supernet = NULL;
}
