/* SPDX-License-Identifier: BSD-2-Clause */
#include "strategy/distribution.h"

#include <math.h>

typedef struct fp_nas {
    ub__distribution coarse; /* by decisions */
    ub__distribution fine;   /* by groups; none if it never comes to that */
    double per_nat;          /* samples for each nat */
    int32_t *choices;        /* one candidate */
} fp_nas;

static int is_fine(const ub_strategy *s)
{
    return s->options.coarse_steps >= 0 && s->steps >= s->options.coarse_steps;
}

static ub__distribution *current(const ub_strategy *s)
{
    fp_nas *state = s->state;

    return is_fine(s) ? &state->fine : &state->coarse;
}

/* So many samples for each nat that the first step has the number wanted. */
static double samples_per_nat(const ub_strategy *s, double most)
{
    if (s->options.samples_per_nat > 0.0)
        return s->options.samples_per_nat;
    return most > 0.0 ? (double) s->options.samples / most : 0.0;
}

static ub_status create(ub_strategy *s)
{
    fp_nas *state = s->state;
    ub_status status;

    state->choices = ub__calloc(s->context, (size_t) s->shape.decisions,
                                sizeof(*state->choices));
    if (state->choices == NULL)
        return UB_ERR_NOMEM;
    status = ub__distribution_create(s, 0, &state->coarse);
    if (status == UB_OK && s->options.coarse_steps >= 0)
        status = ub__distribution_create(s, 1, &state->fine);
    if (status != UB_OK)
        return status;
    state->per_nat = samples_per_nat(s,
                                     ub__distribution_entropy(&state->coarse));
    return UB_OK;
}

static void destroy(ub_strategy *s)
{
    fp_nas *state = s->state;

    ub__free(s->context, state->choices);
    ub__distribution_clear(s->context, &state->coarse);
    ub__distribution_clear(s->context, &state->fine);
}

static ub_status generate(ub_strategy *s, ub__batch *batch)
{
    fp_nas *state = s->state;
    const ub__distribution *d = current(s);
    double n = round(state->per_nat * ub__distribution_entropy(d));

    if (s->options.steps > 0 && s->steps >= s->options.steps)
        return UB_OK;
    n = fmax(n, (double) s->options.least_samples);
    n = fmin(n, (double) UB_STRATEGY_MAX_BUDGET);
    return ub__parsec_sample(s, d, (int64_t) n, state->choices, batch);
}

static ub_status update(ub_strategy *s, const ub__batch *batch)
{
    fp_nas *state = s->state;
    ub_status status = ub__parsec_learn(s, current(s), batch,
                                        s->options.cost_weight);

    if (status == UB_OK && s->steps + 1 == s->options.coarse_steps)
        ub__distribution_join(s, &state->coarse, &state->fine);
    return status;
}

static void archive(ub_strategy *s, ub__archive *a)
{
    ub__distribution_archive(a, current(s));
}

static void distribution(const ub_strategy *s, double *probabilities)
{
    ub__distribution_marginals(s, current(s), probabilities);
}

static void mode(const ub_strategy *s, int32_t *choices)
{
    ub__distribution_mode(s, current(s), choices);
}

static double entropy(const ub_strategy *s)
{
    return ub__distribution_entropy(current(s));
}

const ub__strategy_class ub__strategy_fp_nas = {
    .caps = UB_CAP_LIKELIHOOD | UB_CAP_DISTRIBUTION,
    .state_size = sizeof(fp_nas),
    .create = create,
    .destroy = destroy,
    .generate = generate,
    .update = update,
    .archive = archive,
    .distribution = distribution,
    .mode = mode,
    .entropy = entropy,
};
