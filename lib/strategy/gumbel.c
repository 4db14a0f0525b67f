/* SPDX-License-Identifier: BSD-2-Clause */
#include "strategy/distribution.h"

#include <math.h>

/* Adam (Kingma, Ba, ICLR 2015), with the constants of its paper. */
static const double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;

/* Keeps the squares of gradients finite. */
#define LARGEST 1e100

typedef struct gumbel {
    double *logits, *first, *second; /* and their moments */
    double *gradient;                /* memory for update() */
    double *weights;                 /* one candidate */
    int32_t *choices;
    int64_t updates; /* of the logits */
} gumbel;

static ub_status create(ub_strategy *s)
{
    gumbel *state = s->state;
    const size_t n = (size_t) ub_strategy_weights(s);

    state->logits = ub__calloc(s->context, n, sizeof(*state->logits));
    state->first = ub__calloc(s->context, n, sizeof(*state->first));
    state->second = ub__calloc(s->context, n, sizeof(*state->second));
    state->gradient = ub__calloc(s->context, n, sizeof(*state->gradient));
    state->weights = ub__calloc(s->context, n, sizeof(*state->weights));
    state->choices = ub__calloc(s->context, (size_t) s->shape.decisions,
                                sizeof(*state->choices));
    if (state->logits == NULL || state->first == NULL ||
        state->second == NULL || state->gradient == NULL ||
        state->weights == NULL || state->choices == NULL)
        return UB_ERR_NOMEM;
    for (size_t i = 0; i < n; i++)
        state->logits[i] = ub_rng_normal(&s->rng);
    return UB_OK;
}

static void destroy(ub_strategy *s)
{
    gumbel *state = s->state;

    ub__free(s->context, state->logits);
    ub__free(s->context, state->first);
    ub__free(s->context, state->second);
    ub__free(s->context, state->gradient);
    ub__free(s->context, state->weights);
    ub__free(s->context, state->choices);
}

static double temperature(const ub_strategy *s)
{
    const ub_strategy_options *o = &s->options;

    return fmax(o->temperature * pow(o->temperature_decay, (double) s->steps),
                o->temperature_floor);
}

static ub_status generate(ub_strategy *s, ub__batch *batch)
{
    gumbel *state = s->state;
    const double tau = temperature(s);

    if (s->options.steps > 0 && s->steps >= s->options.steps)
        return UB_OK;
    for (int64_t d = 0; d < s->shape.decisions; d++) {
        double *weights = state->weights + s->offsets[d];
        const double *logits = state->logits + s->offsets[d];

        for (int32_t c = 0; c < s->choices[d]; c++)
            weights[c] = (logits[c] + ub_rng_gumbel(&s->rng)) / tau;
        ub__softmax(weights, s->choices[d], weights);
    }
    ub__likeliest(s, state->weights, state->choices);
    return ub__batch_add(s->context, batch, state->choices, state->weights, -1);
}

/* What one step of Adam shares. */
typedef struct step {
    double rate;  /* of the bias-corrected first moment */
    double decay; /* of the second: the correction */
} step;

static double bounded(double g)
{
    return fmin(fmax(g, -LARGEST), LARGEST);
}

static void adam(gumbel *state, int64_t i, double g, const step *by)
{
    double *m = &state->first[i], *v = &state->second[i];

    *m = beta1 * *m + (1.0 - beta1) * g;
    *v = beta2 * *v + (1.0 - beta2) * g * g;
    state->logits[i] -= by->rate * *m / (sqrt(*v / by->decay) + epsilon);
}

void ub__gumbel_gradient(const double *weights, const double *gradient,
                         int64_t n, double temperature, double *out)
{
    double mean = 0.0;

    for (int64_t i = 0; i < n; i++)
        mean += bounded(gradient[i]) * weights[i];
    for (int64_t i = 0; i < n; i++)
        out[i] = bounded(weights[i] * (bounded(gradient[i]) - mean) /
                         temperature);
}

static ub_status update(ub_strategy *s, const ub__batch *batch)
{
    gumbel *state = s->state;
    const double sign = ub__maximizes(s, 0) ? -1.0 : 1.0;
    double t;
    step by;

    if (batch->flags[0] & UB__FAILED)
        return UB_OK;
    t = (double) ++state->updates;
    by.rate = s->options.architecture_rate / (1.0 - pow(beta1, t));
    by.decay = 1.0 - pow(beta2, t);
    for (int64_t d = 0; d < s->shape.decisions; d++)
        ub__gumbel_gradient(batch->weights + s->offsets[d],
                            batch->gradients + s->offsets[d], s->choices[d],
                            temperature(s), state->gradient + s->offsets[d]);
    for (int64_t i = 0; i < ub_strategy_weights(s); i++)
        adam(state, i, sign * state->gradient[i], &by);
    return UB_OK;
}

/* What no gradients can have led to would give logits that are none. */
static void check(const gumbel *state, int64_t n, ub__archive *a)
{
    for (int64_t i = 0; i < n && a->status == UB_OK; i++) {
        if (!(fabs(state->logits[i]) <= LARGEST) ||
            !(fabs(state->first[i]) <= LARGEST) ||
            !(state->second[i] >= 0.0 &&
              state->second[i] <= 2.0 * LARGEST * LARGEST))
            ub__archive_refuse(a, "a logit or its moments are out of range");
    }
}

static void archive(ub_strategy *s, ub__archive *a)
{
    gumbel *state = s->state;
    const int64_t n = ub_strategy_weights(s);

    ub__archive_doubles(a, state->logits, n);
    ub__archive_doubles(a, state->first, n);
    ub__archive_doubles(a, state->second, n);
    ub__archive_int64(a, &state->updates, 1, 0, s->steps);
    check(state, n, a);
}

static void distribution(const ub_strategy *s, double *probabilities)
{
    const gumbel *state = s->state;

    for (int64_t d = 0; d < s->shape.decisions; d++)
        ub__softmax(state->logits + s->offsets[d], s->choices[d],
                    probabilities + s->offsets[d]);
}

static void mode(const ub_strategy *s, int32_t *choices)
{
    const gumbel *state = s->state;

    ub__likeliest(s, state->logits, choices);
}

static double entropy(const ub_strategy *s)
{
    const gumbel *state = s->state;
    double sum = 0.0;

    for (int64_t d = 0; d < s->shape.decisions; d++)
        sum += ub__entropy(state->logits + s->offsets[d], s->choices[d]);
    return sum;
}

const ub__strategy_class ub__strategy_gumbel = {
    .caps = UB_CAP_GRADIENT | UB_CAP_DISTRIBUTION,
    .state_size = sizeof(gumbel),
    .create = create,
    .destroy = destroy,
    .generate = generate,
    .update = update,
    .archive = archive,
    .distribution = distribution,
    .mode = mode,
    .entropy = entropy,
    .temperature = temperature,
};
