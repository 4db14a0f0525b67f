/* SPDX-License-Identifier: BSD-2-Clause */
#include "cosearch/cosearch.h"

#include "supernet/supernet.h"

#include <stdio.h>
#include <string.h>

/* All logits begin with it: nearly, but not quite, zero, as published. */
#define FIRST_LOGIT 1e-3f

enum { NAME_LENGTH = UB__SPACE_NAME + 32 };

static int adds_input(const ub__joint_net *net, int64_t at,
                      const ub__operator *op)
{
    const ub__joint_cell *c = &net->row[at];

    return op->residual == UB_RESIDUAL_ADD &&
           ub__space_edge_stride(net->space, at, 0) == 1 &&
           c->in_channels == c->cell->width;
}

/* The last normalization behind `first` begins at zero: whatever is drawn, a
 * cell that adds its input passes that on at first, which keeps what the
 * drawn operators of one cell make alike. */
static void begin_at_zero(ub_parameters *parameters, int64_t first)
{
    static const char end[] = ".norm.weight";

    for (int64_t i = ub_parameters_count(parameters) - 1; i >= first; i--) {
        const char *name = ub_parameters_name(parameters, i);
        const size_t length = strlen(name), tail = sizeof(end) - 1;

        if (length >= tail && strcmp(name + length - tail, end) == 0) {
            ub_tensor_fill(
                ub_variable_value(ub_parameters_variable(parameters, i)), 0.0f);
            return;
        }
    }
}

/* Behind a ReLU zeros have no gradient: they would stay. */
static int ends_in_relu(const ub__operator *op)
{
    for (int64_t s = op->n_steps - 1; s >= 0; s--) {
        if (ub__step_is_conv(op->steps[s].kind))
            return op->steps[s].relu;
    }
    return 0;
}

static ub_status create_candidates(ub__joint_net *net, int64_t at, ub_rng *rng)
{
    ub__joint_cell *c = &net->row[at];

    c->layers = ub__calloc(net->context, (size_t) c->n_candidates,
                           sizeof(*c->layers));
    if (c->layers == NULL)
        return UB_ERR_NOMEM;
    for (int64_t i = 0; i < c->n_candidates; i++) {
        const ub__candidate candidate = {
            .op = &c->candidates[i],
            .cell = at,
            .in = c->in_channels,
            .width = c->cell->width,
            .quantized = c->cell->n_summed == 0,
        };
        const int64_t first = ub_parameters_count(net->parameters);
        ub_status status;

        c->layers[i] = ub__calloc(net->context, (size_t) candidate.op->n_steps,
                                  sizeof(*c->layers[i]));
        if (c->layers[i] == NULL)
            return UB_ERR_NOMEM;
        status = ub__candidate_create(net->parameters, net->space, &candidate,
                                      rng, c->layers[i]);
        if (status != UB_OK)
            return status;
        if (candidate.quantized && adds_input(net, at, candidate.op) &&
            !ends_in_relu(candidate.op))
            begin_at_zero(net->parameters, first);
    }
    return UB_OK;
}

static ub_status add_logits(ub__joint_net *net, const char *name, int64_t n,
                            ub_variable **out)
{
    const ub_status status = ub_parameters_add(
        net->parameters, name, UB_PARAMETER_ARCHITECTURE, 1, &n, out);

    if (status == UB_OK)
        ub_tensor_fill(ub_variable_value(*out), FIRST_LOGIT);
    return status;
}

static ub_status create_logits(ub__joint_net *net, ub__joint_cell *c)
{
    const int64_t n = c->n_candidates;
    char name[NAME_LENGTH];
    ub_status status;

    c->noise = ub__calloc(net->context, (size_t) (n + n * net->n_bits),
                          sizeof(*c->noise));
    if (c->noise == NULL)
        return UB_ERR_NOMEM;
    snprintf(name, sizeof(name), "cell%lld.alpha", (long long) c->cell->index);
    status = add_logits(net, name, n, &c->alpha);
    if (status != UB_OK || net->n_bits == 1)
        return status;
    c->beta = ub__calloc(net->context, (size_t) n, sizeof(*c->beta));
    if (c->beta == NULL)
        return UB_ERR_NOMEM;
    for (int64_t i = 0; i < n && status == UB_OK; i++) {
        snprintf(name, sizeof(name), "cell%lld.%s.beta",
                 (long long) c->cell->index, c->candidates[i].name);
        status = add_logits(net, name, net->n_bits, &c->beta[i]);
    }
    return status;
}

static ub_status create_row(ub__joint_net *net, ub_rng *rng)
{
    const ub_space *space = net->space;
    int64_t channels = ub__space_first_width(space);
    ub_status status = UB_OK;

    for (int64_t i = 0; i < space->n_cells && status == UB_OK; i++) {
        ub__joint_cell *c = &net->row[i];
        const int is_cell = space->cells[i].n_summed == 0;

        c->cell = &space->cells[i];
        c->candidates = is_cell ? space->operators : c->cell->summed;
        c->n_candidates = is_cell ? space->n_operators : 1;
        c->in_channels = channels;
        status = create_candidates(net, i, rng);
        if (status == UB_OK && is_cell)
            status = create_logits(net, c);
        channels = c->cell->width;
    }
    if (status != UB_OK)
        return status;
    return ub_linear_layer_create(net->parameters, "classifier", channels,
                                  space->options.classes, rng,
                                  &net->classifier);
}

ub_status ub__joint_net_create(ub_context *context, const ub_space *space,
                               const int32_t *bits, int64_t n_bits,
                               uint64_t seed, ub__joint_net **out)
{
    ub__joint_net *net;
    ub_status status = ub__joint_space_check(context, space);
    ub_rng rng;

    if (status != UB_OK)
        return status;
    net = ub__calloc(context, 1, sizeof(*net));
    if (net == NULL)
        return UB_ERR_NOMEM;
    net->context = context;
    net->space = space;
    memcpy(net->bits, bits, (size_t) n_bits * sizeof(*bits));
    net->n_bits = n_bits;
    net->n_active = space->n_operators < UB__JOINT_ACTIVE ? space->n_operators
                                                          : UB__JOINT_ACTIVE;
    net->n_active_bits = n_bits < UB__JOINT_ACTIVE ? n_bits : UB__JOINT_ACTIVE;
    net->tau = 1.0;
    net->row = ub__calloc(context, (size_t) space->n_cells, sizeof(*net->row));
    status = net->row == NULL ? UB_ERR_NOMEM
                              : ub_parameters_create(context, &net->parameters);
    ub_rng_init(&rng, seed, 0);
    if (status == UB_OK)
        status = create_row(net, &rng);
    if (status == UB_OK)
        *out = net;
    else
        ub__joint_net_destroy(&net);
    return status;
}

static void destroy_candidates(ub__joint_net *net, ub__joint_cell *c)
{
    for (int64_t i = 0; c->layers != NULL && i < c->n_candidates; i++)
        ub__candidate_destroy(net->context, &c->candidates[i], c->layers[i]);
    ub__free(net->context, c->layers);
}

void ub__joint_net_destroy(ub__joint_net **net)
{
    ub__joint_net *n = *net;

    if (n == NULL)
        return;
    for (int64_t i = 0; n->row != NULL && i < n->space->n_cells; i++) {
        destroy_candidates(n, &n->row[i]);
        ub__free(n->context, n->row[i].beta);
        ub__free(n->context, n->row[i].noise);
    }
    ub_linear_layer_destroy(&n->classifier);
    ub_parameters_destroy(&n->parameters);
    ub__free(n->context, n->row);
    ub__free(n->context, n);
    *net = NULL;
}
