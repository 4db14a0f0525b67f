/* SPDX-License-Identifier: BSD-2-Clause */
#include "strategy/distribution.h"

#include <float.h>
#include <math.h>

typedef struct parsec {
    ub__distribution distribution;
    int32_t *choices; /* one candidate */
} parsec;

ub_status ub__parsec_sample(ub_strategy *s, const ub__distribution *d,
                            int64_t n, int32_t *scratch, ub__batch *batch)
{
    const int64_t most = ub__batch_most(s, batch, n);

    for (int64_t i = 0; i < most; i++) {
        ub_status status;

        ub__distribution_draw(s, d, &s->rng, scratch);
        status = ub__batch_add(s->context, batch, scratch, NULL, -1);
        if (status != UB_OK)
            return status;
    }
    return UB_OK;
}

/* Log-likelihood of a candidate. Bounded, so that none is infinitely likelier
 * than another. */
static double likelihood(const ub_strategy *s, const ub__batch *batch,
                         int64_t k)
{
    const double objective = batch->objectives[k * s->shape.objectives];
    double l = batch->likelihoods[k];

    if (isnan(l))
        l = (ub__maximizes(s, 0) ? objective : -objective) /
            s->options.likelihood_scale;
    return fmin(fmax(l, -DBL_MAX), DBL_MAX);
}

/* Of each candidate its share of all likelihoods, less that of all violations
 * by cost_weight; 0 for failed ones. */
static void weigh(const ub_strategy *s, const ub__batch *batch,
                  double cost_weight, double *weights)
{
    double largest = -INFINITY, worst = 0.0, sum = 0.0, cost = 0.0;

    for (int64_t k = 0; k < batch->n; k++) {
        if (batch->flags[k] & UB__FAILED)
            continue;
        largest = fmax(largest, likelihood(s, batch, k));
        worst = fmax(worst, batch->violations[k]);
    }
    for (int64_t k = 0; k < batch->n; k++) {
        weights[k] = 0.0;
        if (batch->flags[k] & UB__FAILED)
            continue;
        weights[k] = exp(likelihood(s, batch, k) - largest);
        sum += weights[k];
        cost += worst > 0.0 ? batch->violations[k] / worst : 0.0;
    }
    for (int64_t k = 0; k < batch->n; k++) {
        if (batch->flags[k] & UB__FAILED)
            continue;
        weights[k] /= sum;
        if (cost > 0.0)
            weights[k] -= cost_weight * (batch->violations[k] / worst) / cost;
    }
}

ub_status ub__parsec_learn(ub_strategy *s, ub__distribution *d,
                           const ub__batch *batch, double cost_weight)
{
    double *weights = ub__alloc(s->context, (size_t) batch->n,
                                sizeof(*weights));

    if (weights == NULL)
        return UB_ERR_NOMEM;
    weigh(s, batch, cost_weight, weights);
    ub__distribution_ascend(s, d, batch, weights, s->options.rate);
    ub__free(s->context, weights);
    return UB_OK;
}

static ub_status create(ub_strategy *s)
{
    parsec *state = s->state;

    state->choices = ub__calloc(s->context, (size_t) s->shape.decisions,
                                sizeof(*state->choices));
    if (state->choices == NULL)
        return UB_ERR_NOMEM;
    return ub__distribution_create(s, 0, &state->distribution);
}

static void destroy(ub_strategy *s)
{
    parsec *state = s->state;

    ub__free(s->context, state->choices);
    ub__distribution_clear(s->context, &state->distribution);
}

static ub_status generate(ub_strategy *s, ub__batch *batch)
{
    parsec *state = s->state;

    if (s->options.steps > 0 && s->steps >= s->options.steps)
        return UB_OK;
    return ub__parsec_sample(s, &state->distribution, s->options.samples,
                             state->choices, batch);
}

static ub_status update(ub_strategy *s, const ub__batch *batch)
{
    parsec *state = s->state;

    return ub__parsec_learn(s, &state->distribution, batch, 0.0);
}

static void archive(ub_strategy *s, ub__archive *a)
{
    parsec *state = s->state;

    ub__distribution_archive(a, &state->distribution);
}

static void distribution(const ub_strategy *s, double *probabilities)
{
    const parsec *state = s->state;

    ub__distribution_marginals(s, &state->distribution, probabilities);
}

static void mode(const ub_strategy *s, int32_t *choices)
{
    const parsec *state = s->state;

    ub__distribution_mode(s, &state->distribution, choices);
}

static double entropy(const ub_strategy *s)
{
    const parsec *state = s->state;

    return ub__distribution_entropy(&state->distribution);
}

const ub__strategy_class ub__strategy_parsec = {
    .caps = UB_CAP_LIKELIHOOD | UB_CAP_DISTRIBUTION,
    .state_size = sizeof(parsec),
    .create = create,
    .destroy = destroy,
    .generate = generate,
    .update = update,
    .archive = archive,
    .distribution = distribution,
    .mode = mode,
    .entropy = entropy,
};
