/* SPDX-License-Identifier: BSD-2-Clause */
#include "supernet/supernet.h"

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
    const int64_t from = net->space->edges[edge].from;
    const ub_space_options *o = &net->space->options;

    if (from < o->inputs && o->preprocess == 0)
        return net->cells[cell].in_channels[from];
    return net->cells[cell].channels;
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

typedef void (*group_fn)(const ub_variable *logits, int64_t n, int64_t offset,
                         void *arg);

/* Visit every decision's and every mask's logits in order. */
static void for_each_group(const ub_supernet *net, group_fn fn, void *arg)
{
    const int64_t n = net->decisions ? ub_space_decisions(net->space) : 0;
    int64_t offset = 0;

    for (int64_t d = 0; d < n; d++) {
        fn(net->decisions[d], net->space->n_operators, offset, arg);
        offset += net->space->n_operators;
    }
    for (int64_t s = 0; s < ub_space_sites(net->space); s++) {
        const ub_mask *mask = net->masks[s];
        if (mask == NULL)
            continue;
        fn(ub_mask_logits(mask), ub_mask_count(mask), offset, arg);
        offset += ub_mask_count(mask);
    }
}

static void copy_group(const ub_variable *logits, int64_t n, int64_t offset,
                       void *arg)
{
    const float *from = ub_tensor_data(ub_variable_value(logits));
    double *to = arg;

    for (int64_t i = 0; i < n; i++)
        to[offset + i] = (double) from[i];
}

void ub__supernet_copy_logits(const ub_supernet *net, double *out)
{
    for_each_group(net, copy_group, out);
}

typedef struct softmax_arg {
    const double *noise;
    double tau;
    double *out;
} softmax_arg;

static void softmax_group(const ub_variable *logits, int64_t n, int64_t offset,
                          void *arg)
{
    const softmax_arg *a = arg;
    const float *x = ub_tensor_data(ub_variable_value(logits));
    double *p = a->out + offset;
    double top = -INFINITY, sum = 0.0;

    for (int64_t i = 0; i < n; i++) {
        p[i] = ((double) x[i] + (a->noise ? a->noise[offset + i] : 0.0)) /
               a->tau;
        top = fmax(top, p[i]);
    }
    for (int64_t i = 0; i < n; i++) {
        p[i] = exp(p[i] - top);
        sum += p[i];
    }
    for (int64_t i = 0; i < n; i++)
        p[i] /= sum;
}

void ub__supernet_probabilities(const ub_supernet *net, const double *noise,
                                double tau, double *out)
{
    softmax_arg arg = { noise, tau, out };

    for_each_group(net, softmax_group, &arg);
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

static int32_t argmax(const ub_variable *logits, int64_t n)
{
    const float *x = ub_tensor_data(ub_variable_value(logits));
    int32_t best = 0;

    for (int32_t i = 1; i < n; i++) {
        if (x[i] > x[best])
            best = i;
    }
    return best;
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
        for (int64_t d = 0; d < n; d++)
            best[d] = argmax(net->decisions[d], space->n_operators);
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

    for (int64_t s = 0; s < ub_space_sites(space); s++) {
        const ub_mask *mask = supernet->masks[s];
        widths[s] = mask ? ub_mask_width(mask, ub_mask_argmax(mask))
                         : supernet->cells[s / slots].channels;
    }
}
