/* SPDX-License-Identifier: BSD-2-Clause */
#include "strategy/ask.h"

void ub__draw(ub_strategy *s, int32_t *choices)
{
    for (int64_t d = 0; d < s->shape.decisions; d++)
        choices[d] = (int32_t) ub_rng_below(&s->rng, (uint64_t) s->choices[d]);
}

int32_t ub__draw_choice(ub_strategy *s, int64_t d, int32_t choice)
{
    const int32_t last = s->choices[d] - 1;
    int32_t other;

    if (s->ordered[d]) {
        if (choice == 0 || choice == last)
            return choice == 0 ? 1 : last - 1;
        return ub_rng_below(&s->rng, 2) ? choice + 1 : choice - 1;
    }
    other = (int32_t) ub_rng_below(&s->rng, (uint64_t) last);
    return other + (other >= choice);
}

/* Each decision is taken with the probability that makes all subsets of the
 * size wanted equally likely (selection sampling). */
void ub__draw_neighbour(ub_strategy *s, const int32_t *from, int64_t radius,
                        int32_t *choices)
{
    int64_t left = 0, wanted;

    for (int64_t d = 0; d < s->shape.decisions; d++)
        left += s->choices[d] > 1;
    wanted = radius < left ? radius : left;
    wanted = (int64_t) ub_rng_below(&s->rng, (uint64_t) wanted);
    wanted += left > 0;
    for (int64_t d = 0; d < s->shape.decisions; d++) {
        choices[d] = from[d];
        if (s->choices[d] < 2)
            continue;
        if ((int64_t) ub_rng_below(&s->rng, (uint64_t) left--) < wanted) {
            choices[d] = ub__draw_choice(s, d, from[d]);
            wanted--;
        }
    }
}

int ub__maximizes(const ub_strategy *s, int64_t objective)
{
    return s->options.directions != NULL &&
           s->options.directions[objective] == UB_MAXIMIZE;
}

int ub__compare(const ub_strategy *s, double violation_a, double objective_a,
                double violation_b, double objective_b)
{
    if (violation_a != violation_b)
        return violation_a < violation_b ? -1 : 1;
    if (ub__maximizes(s, 0))
        return (objective_a < objective_b) - (objective_a > objective_b);
    return (objective_a > objective_b) - (objective_a < objective_b);
}

typedef struct random_state {
    int32_t *choices; /* one candidate */
} random_state;

static ub_status create_random(ub_strategy *s)
{
    random_state *state = s->state;

    state->choices = ub__calloc(s->context, (size_t) s->shape.decisions,
                                sizeof(*state->choices));
    return state->choices != NULL ? UB_OK : UB_ERR_NOMEM;
}

static void destroy_random(ub_strategy *s)
{
    random_state *state = s->state;

    ub__free(s->context, state->choices);
}

static ub_status generate_random(ub_strategy *s, ub__batch *batch)
{
    random_state *state = s->state;
    const int64_t most = ub__batch_most(s, batch, s->options.batch);

    for (int64_t i = 0; i < most; i++) {
        ub_status status;

        ub__draw(s, state->choices);
        status = ub__batch_add(s->context, batch, state->choices, NULL, -1);
        if (status != UB_OK)
            return status;
    }
    return UB_OK;
}

static ub_status learn_nothing(ub_strategy *s, const ub__batch *batch)
{
    (void) s;
    (void) batch;
    return UB_OK;
}

const ub__strategy_class ub__strategy_random = {
    .caps = UB_CAP_MULTI_OBJECTIVE,
    .state_size = sizeof(random_state),
    .create = create_random,
    .destroy = destroy_random,
    .generate = generate_random,
    .update = learn_nothing,
};

/* Candidate number `index`, the last decision fastest; 0 beyond the last. */
static int numbered(const ub_strategy *s, int64_t index, int32_t *choices)
{
    for (int64_t d = s->shape.decisions - 1; d >= 0; d--) {
        choices[d] = (int32_t) (index % s->choices[d]);
        index /= s->choices[d];
    }
    return index == 0;
}

/* Every batch but the last is full, so the next id is the next number. */
static ub_status generate_next(ub_strategy *s, ub__batch *batch)
{
    random_state *state = s->state;
    const int64_t most = ub__batch_most(s, batch, s->options.batch);

    for (int64_t i = 0; i < most; i++) {
        ub_status status;

        if (!numbered(s, batch->first + i, state->choices))
            break;
        status = ub__batch_add(s->context, batch, state->choices, NULL, -1);
        if (status != UB_OK)
            return status;
    }
    return UB_OK;
}

const ub__strategy_class ub__strategy_exhaustive = {
    .caps = UB_CAP_MULTI_OBJECTIVE,
    .state_size = sizeof(random_state),
    .create = create_random,
    .destroy = destroy_random,
    .generate = generate_next,
    .update = learn_nothing,
};
