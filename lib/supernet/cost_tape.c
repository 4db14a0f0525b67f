/* SPDX-License-Identifier: BSD-2-Clause */
#include "supernet/supernet.h"

#include "autograd/autograd.h"

typedef struct cost_state {
    double *gradient; /* by every logit */
    int n_groups;
} cost_state;

static void cost_release(ub_context *context, void *state)
{
    ub__free(context, ((cost_state *) state)->gradient);
}

static ub_status cost_backward(ub__node *node, void *state)
{
    const cost_state *s = state;
    const double gy = (double) ub__node_grad(node)[0];
    const double *gradient = s->gradient;

    for (int k = 0; k < s->n_groups; k++) {
        const int64_t n = ub_tensor_count(
            ub_variable_value(ub__node_input(node, k)));
        float *target;
        int accumulate;
        const ub_status status = ub__grad_target(node, k, &target, &accumulate);

        if (status != UB_OK)
            return status;
        for (int64_t i = 0; target != NULL && i < n; i++)
            target[i] = (float) (gy * gradient[i]) +
                        (accumulate ? target[i] : 0.0f);
        gradient += n;
    }
    return UB_OK;
}

/* All logits that the cost depends on, in order. */
static int collect_logits(const ub_supernet *net, ub_variable **out)
{
    const int64_t n = net->decisions ? ub_space_decisions(net->space) : 0;
    int count = 0;

    for (int64_t d = 0; d < n; d++)
        out[count++] = net->decisions[d];
    for (int64_t s = 0; s < ub_space_sites(net->space); s++) {
        if (net->masks[s] != NULL)
            out[count++] = ub_mask_logits(net->masks[s]);
    }
    return count;
}

static ub_status record_cost(ub_supernet *net, ub_tape *tape, double value,
                             double **gradient, ub_variable **cost)
{
    const size_t most = (size_t) (ub_space_decisions(net->space) +
                                  ub_space_sites(net->space));
    ub_variable **groups = ub__alloc(net->context, most, sizeof(*groups));
    ub_tensor *tensor = NULL;
    ub__node *node;
    cost_state *state;
    ub_status status = UB_ERR_NOMEM;
    int n;

    if (groups == NULL)
        return status;
    n = collect_logits(net, groups);
    status = ub_tensor_create(net->context, 0, NULL, &tensor);
    if (status == UB_OK)
        status = ub__node_create(tape, n, groups, sizeof(*state), cost_backward,
                                 cost_release, &node);
    ub__free(net->context, groups);
    if (status != UB_OK) {
        ub_tensor_unref(&tensor);
        return status;
    }
    state = ub__node_state(node);
    state->gradient = *gradient;
    state->n_groups = n;
    *gradient = NULL;
    ub_tensor_data(tensor)[0] = (float) value;
    return ub__node_finish(node, tensor, cost);
}

ub_status ub_supernet_cost(ub_supernet *supernet, ub_tape *tape, double lambda,
                           double beta, ub_supernet_expectation *expectation,
                           ub_variable **cost)
{
    ub_supernet_expectation e;
    double *gradient;
    ub_status status;
    size_t n;

    if (supernet == NULL || tape == NULL || cost == NULL)
        return ub__fail(supernet ? supernet->context : NULL, UB_ERR_INVALID,
                        "supernet: tape or cost is NULL");
    n = (size_t) supernet->n_logits;
    gradient = ub__alloc(supernet->context, 2 * n, sizeof(*gradient));
    if (gradient == NULL)
        return UB_ERR_NOMEM;
    status = ub_supernet_expect(supernet, &e, gradient, gradient + n);
    if (status == UB_OK) {
        for (size_t i = 0; i < n; i++)
            gradient[i] = lambda * gradient[i] - beta * gradient[n + i];
        status = record_cost(supernet, tape,
                             lambda * e.latency_ms - beta * e.utilization,
                             &gradient, cost);
    }
    ub__free(supernet->context, gradient);
    if (status == UB_OK && expectation != NULL)
        *expectation = e;
    return status;
}
