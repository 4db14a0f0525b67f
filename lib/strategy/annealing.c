/* SPDX-License-Identifier: BSD-2-Clause */
#include "strategy/ask.h"

#include <math.h>
#include <string.h>

/* By threshold: so many times the patience in rejections, and it starts from
 * somewhere else. */
#define RESTART 10

typedef struct annealing {
    int32_t *choices; /* where it is */
    int32_t *child;   /* where it may go */
    double objective, violation;
    int64_t id;         /* -1: nowhere yet */
    int64_t rejections; /* in a row */
} annealing;

static ub_status create(ub_strategy *s)
{
    annealing *a = s->state;
    const size_t d = (size_t) s->shape.decisions;

    a->id = -1;
    a->choices = ub__calloc(s->context, d, sizeof(*a->choices));
    a->child = ub__calloc(s->context, d, sizeof(*a->child));
    return a->choices != NULL && a->child != NULL ? UB_OK : UB_ERR_NOMEM;
}

static void destroy(ub_strategy *s)
{
    annealing *a = s->state;

    ub__free(s->context, a->choices);
    ub__free(s->context, a->child);
}

/* From the first temperature to the last while the budget is spent. */
static double temperature_at(const ub_strategy *s, int64_t id)
{
    const ub_strategy_options *o = &s->options;
    const double spent = (double) id / (double) o->budget;

    return o->first_temperature *
           pow(o->last_temperature / o->first_temperature, spent);
}

static double temperature(const ub_strategy *s)
{
    return s->options.accept == UB_ACCEPT_METROPOLIS
               ? temperature_at(s, s->batch.first)
               : NAN;
}

static ub_status generate(ub_strategy *s, ub__batch *batch)
{
    annealing *a = s->state;

    if (a->id < 0)
        ub__draw(s, a->child);
    else
        ub__draw_neighbour(s, a->choices, s->options.moves, a->child);
    return ub__batch_add(s->context, batch, a->child, NULL, a->id);
}

/* A loss of objective 0 at the same violation. */
static int accepts_loss(ub_strategy *s, double loss, int64_t id)
{
    const ub_strategy_options *o = &s->options;
    const annealing *a = s->state;

    if (o->accept == UB_ACCEPT_THRESHOLD)
        return loss < 0.0 || (loss < o->threshold && id < o->budget / 2 &&
                              a->rejections >= o->patience);
    return loss <= 0.0 ||
           ub_rng_uniform(&s->rng) < exp(-loss / temperature_at(s, id));
}

/* Less violation is always better, more is never accepted. */
static int accepts(ub_strategy *s, double objective, double violation,
                   int64_t id)
{
    const annealing *a = s->state;
    const double loss = objective - a->objective;

    if (a->id < 0 || violation != a->violation)
        return a->id < 0 || violation < a->violation;
    return accepts_loss(s, ub__maximizes(s, 0) ? -loss : loss, id);
}

static void learn(ub_strategy *s, const ub__batch *batch, int64_t i)
{
    annealing *a = s->state;
    const double objective = batch->objectives[i * s->shape.objectives];
    const double violation = batch->violations[i];
    const int64_t id = ub__candidate_id(s, batch, i);
    const int64_t d = s->shape.decisions;

    if (violation < INFINITY && accepts(s, objective, violation, id)) {
        memcpy(a->choices, batch->choices + i * d,
               (size_t) d * sizeof(*a->choices));
        a->objective = objective;
        a->violation = violation;
        a->id = id;
        a->rejections = 0;
    } else {
        a->rejections++;
    }
    if (s->options.accept == UB_ACCEPT_THRESHOLD &&
        a->rejections >= RESTART * s->options.patience) {
        a->id = -1;
        a->rejections = 0;
    }
}

static ub_status update(ub_strategy *s, const ub__batch *batch)
{
    for (int64_t i = 0; i < batch->n; i++)
        learn(s, batch, i);
    return UB_OK;
}

static void archive(ub_strategy *s, ub__archive *archive)
{
    annealing *a = s->state;

    ub__choices_archive(archive, a->choices, 1, s);
    ub__archive_doubles(archive, &a->objective, 1);
    ub__archive_doubles(archive, &a->violation, 1);
    ub__archive_int64(archive, &a->id, 1, -1, ub__last_id(s));
    ub__archive_int64(archive, &a->rejections, 1, 0, UB_STRATEGY_MAX_BUDGET);
}

const ub__strategy_class ub__strategy_annealing = {
    .state_size = sizeof(annealing),
    .create = create,
    .destroy = destroy,
    .generate = generate,
    .update = update,
    .archive = archive,
    .temperature = temperature,
};
