/* SPDX-License-Identifier: BSD-2-Clause */
#include "supernet/supernet.h"

#include "ops/ops.h"

#include <math.h>

ub_parameters *ub_supernet_parameters(const ub_supernet *supernet)
{
    return supernet->parameters;
}

int64_t ub_supernet_logits(const ub_supernet *supernet)
{
    return supernet->n_logits;
}

int64_t ub__supernet_edge_channels(const ub_supernet *net, int64_t cell,
                                   int64_t edge)
{
    const ub_space_options *o = &net->space->options;
    int64_t from;

    if (net->space->cells[cell].n_summed > 0)
        return net->cells[cell].in_channels[0];
    from = net->space->edges[edge].from;
    if (from < o->inputs && o->preprocess == 0)
        return net->cells[cell].in_channels[from];
    return net->cells[cell].channels;
}

int64_t ub__supernet_candidates(const ub_supernet *net, int64_t cell)
{
    const ub__cell *c = &net->space->cells[cell];

    return c->n_summed > 0 ? c->n_summed
                           : net->space->n_edges * net->space->n_operators;
}

const ub__operator *ub__supernet_candidate(const ub_supernet *net, int64_t cell,
                                           int64_t index)
{
    const ub__cell *c = &net->space->cells[cell];

    return c->n_summed > 0
               ? &c->summed[index]
               : &net->space->operators[index % net->space->n_operators];
}

int64_t ub__supernet_decision_offset(const ub_supernet *net, int64_t decision)
{
    return net->decisions ? decision * net->space->n_operators : 0;
}

int64_t ub__supernet_mask_offset(const ub_supernet *net, int64_t site)
{
    int64_t offset = ub__supernet_decision_offset(
        net, ub_space_decisions(net->space));

    for (int64_t s = 0; s < site; s++) {
        if (net->masks[s] != NULL)
            offset += ub_mask_count(net->masks[s]);
    }
    return offset;
}

int ub__supernet_next(const ub_supernet *net, ub__logits *at)
{
    const int64_t n = net->decisions ? ub_space_decisions(net->space) : 0;
    const int64_t end = n + ub_space_sites(net->space);

    at->offset += at->n;
    at->n = 0;
    while (at->next < end && at->n == 0) {
        const int64_t i = at->next++;

        at->mask = i < n ? NULL : net->masks[i - n];
        at->index = i < n ? i : i - n;
        if (i < n) {
            at->variable = net->decisions[i];
            at->n = net->space->n_operators;
        } else if (at->mask != NULL) {
            at->variable = ub_mask_logits(at->mask);
            at->n = ub_mask_count(at->mask);
        }
    }
    return at->n > 0;
}

static const float *values(const ub__logits *logits)
{
    return ub_tensor_data(ub_variable_value(logits->variable));
}

void ub__supernet_copy_logits(const ub_supernet *net, double *out)
{
    for (ub__logits g = { 0 }; ub__supernet_next(net, &g);) {
        for (int64_t i = 0; i < g.n; i++)
            out[g.offset + i] = (double) values(&g)[i];
    }
}

void ub__supernet_set_logits(const ub_supernet *net, const double *logits)
{
    for (ub__logits g = { 0 }; ub__supernet_next(net, &g);) {
        float *to = ub_tensor_data(ub_variable_value(g.variable));

        for (int64_t i = 0; i < g.n; i++)
            to[i] = (float) logits[g.offset + i];
    }
}

void ub__supernet_probabilities(const ub_supernet *net, const double *noise,
                                double tau, double *out)
{
    for (ub__logits g = { 0 }; ub__supernet_next(net, &g);)
        ub__gumbel_softmax(values(&g), noise ? noise + g.offset : NULL, tau,
                           g.n, out + g.offset);
}

ub_status ub_supernet_sample(ub_supernet *supernet, ub_rng *rng, double tau)
{
    if (supernet == NULL)
        return UB_ERR_INVALID;
    if (!(tau > 0.0) || !isfinite(tau))
        return ub__fail(supernet->context, UB_ERR_INVALID,
                        "supernet: temperature %g", tau);
    for (int64_t i = 0; i < supernet->n_logits; i++)
        supernet->noise[i] = rng ? ub_rng_gumbel(rng) : 0.0;
    supernet->tau = tau;
    return UB_OK;
}

ub_status ub__supernet_sample_uniform(ub_supernet *net, ub_rng *rng, double tau)
{
    const ub_status status = ub_supernet_sample(net, rng, tau);

    if (status != UB_OK)
        return status;
    for (ub__logits g = { 0 }; ub__supernet_next(net, &g);) {
        for (int64_t i = 0; g.mask != NULL && i < g.n; i++)
            net->noise[g.offset + i] -= (double) values(&g)[i];
    }
    return UB_OK;
}

/* The most probable operators, pruned; `operators` is left as it is on
 * failure. */
static ub_status prune_argmax(const ub_supernet *net, int32_t *operators,
                              int64_t *repaired)
{
    const ub_space *space = net->space;
    const int64_t n = ub_space_decisions(space);
    double *probability = ub__alloc(net->context, (size_t) net->n_logits,
                                    sizeof(*probability));
    int32_t *best = ub__alloc(net->context, (size_t) n, sizeof(*best));
    ub_status status = UB_ERR_NOMEM;

    if (probability != NULL && best != NULL) {
        ub__supernet_probabilities(net, NULL, 1.0, probability);
        for (ub__logits g = { 0 }; ub__supernet_next(net, &g);) {
            if (g.mask == NULL)
                best[g.index] = (int32_t) ub__argmax_float(values(&g), g.n);
        }
        status = ub_space_prune(space, best, probability, operators, repaired);
    }
    ub__free(net->context, probability);
    ub__free(net->context, best);
    return status;
}

ub_status ub_supernet_operators(const ub_supernet *supernet, int32_t *operators,
                                int64_t *repaired)
{
    int64_t n;

    if (supernet == NULL || operators == NULL)
        return ub__fail(supernet ? supernet->context : NULL, UB_ERR_INVALID,
                        "supernet: operators are NULL");
    n = ub_space_decisions(supernet->space);
    if (supernet->operators != NULL) {
        for (int64_t d = 0; d < n; d++)
            operators[d] = supernet->operators[d];
        if (repaired != NULL)
            *repaired = 0;
        return UB_OK;
    }
    return prune_argmax(supernet, operators, repaired);
}

void ub_supernet_widths(const ub_supernet *supernet, int64_t *widths)
{
    const ub_space *space = supernet->space;
    const int64_t slots = space->options.inputs + space->n_edges;

    for (int64_t i = 0; i < space->n_cells * slots; i++) {
        const int64_t cell = i / slots;
        const int64_t site = ub__space_site(space, cell, i % slots);
        const ub_mask *mask;

        if (space->cells[cell].n_summed > 0)
            continue;
        mask = supernet->masks[site];
        widths[site] = mask ? ub_mask_width(mask, ub_mask_argmax(mask))
                            : supernet->cells[cell].channels;
    }
}
