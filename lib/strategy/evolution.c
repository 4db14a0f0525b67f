/* SPDX-License-Identifier: BSD-2-Clause */
#include "strategy/ask.h"

#include <math.h>
#include <string.h>

/* The population is a ring: the oldest member is at `head`. */
typedef struct evolution {
    int64_t n, head;
    int32_t *choices;   /* population x decisions */
    double *objectives; /* population: objective 0 */
    double *violations; /* population */
    int64_t *ids;       /* population */
    int32_t *child;     /* one candidate */
} evolution;

static ub_status create(ub_strategy *s)
{
    evolution *e = s->state;
    const size_t d = (size_t) s->shape.decisions;
    const size_t n = (size_t) s->options.population;

    e->choices = ub__calloc(s->context, n, d * sizeof(*e->choices));
    e->objectives = ub__calloc(s->context, n, sizeof(*e->objectives));
    e->violations = ub__calloc(s->context, n, sizeof(*e->violations));
    e->ids = ub__calloc(s->context, n, sizeof(*e->ids));
    e->child = ub__calloc(s->context, d, sizeof(*e->child));
    return e->choices != NULL && e->objectives != NULL &&
                   e->violations != NULL && e->ids != NULL && e->child != NULL
               ? UB_OK
               : UB_ERR_NOMEM;
}

static void destroy(ub_strategy *s)
{
    evolution *e = s->state;

    ub__free(s->context, e->choices);
    ub__free(s->context, e->objectives);
    ub__free(s->context, e->violations);
    ub__free(s->context, e->ids);
    ub__free(s->context, e->child);
}

/* The best of as many members as take part, drawn with repetition; of equal
 * ones the first drawn. */
static int64_t tournament(ub_strategy *s)
{
    const evolution *e = s->state;
    int64_t best = -1;

    for (int64_t i = 0; i < s->options.tournament; i++) {
        const int64_t at = (int64_t) ub_rng_below(&s->rng, (uint64_t) e->n);

        if (best < 0 ||
            ub__compare(s, e->violations[at], e->objectives[at],
                        e->violations[best], e->objectives[best]) < 0)
            best = at;
    }
    return best;
}

/* Random candidates until the population is full, then children; a batch has
 * one or the other. Failed ones are replaced by further random ones. */
static ub_status generate(ub_strategy *s, ub__batch *batch)
{
    evolution *e = s->state;
    const int64_t missing = s->options.population - e->n;
    int64_t wanted = ub__batch_most(s, batch, s->options.batch);
    ub_status status = UB_OK;

    if (missing > 0 && missing < wanted)
        wanted = missing;
    for (int64_t i = 0; i < wanted && status == UB_OK; i++) {
        int64_t parent = -1;

        if (missing > 0) {
            ub__draw(s, e->child);
        } else {
            const int64_t at = tournament(s);

            parent = e->ids[at];
            ub__draw_neighbour(s, e->choices + at * s->shape.decisions, 1,
                               e->child);
        }
        status = ub__batch_add(s->context, batch, e->child, NULL, parent);
    }
    return status;
}

static void add_member(ub_strategy *s, const ub__batch *batch, int64_t i)
{
    evolution *e = s->state;
    const int64_t d = s->shape.decisions, population = s->options.population;
    int64_t at = e->n;

    if (e->n == population) {
        at = e->head;
        e->head = (e->head + 1) % population;
    } else {
        e->n++;
    }
    memcpy(e->choices + at * d, batch->choices + i * d,
           (size_t) d * sizeof(*e->choices));
    e->objectives[at] = batch->objectives[i * s->shape.objectives];
    e->violations[at] = batch->violations[i];
    e->ids[at] = ub__candidate_id(s, batch, i);
}

static ub_status update(ub_strategy *s, const ub__batch *batch)
{
    for (int64_t i = 0; i < batch->n; i++) {
        if (batch->violations[i] < INFINITY)
            add_member(s, batch, i);
    }
    return UB_OK;
}

static void archive(ub_strategy *s, ub__archive *a)
{
    evolution *e = s->state;
    const int64_t population = s->options.population;

    ub__archive_int64(a, &e->n, 1, 0, population);
    ub__archive_int64(a, &e->head, 1, 0, population - 1);
    ub__choices_archive(a, e->choices, e->n, s);
    ub__archive_doubles(a, e->objectives, e->n);
    ub__archive_doubles(a, e->violations, e->n);
    ub__archive_int64(a, e->ids, e->n, 0, ub__last_id(s));
}

const ub__strategy_class ub__strategy_evolution = {
    .state_size = sizeof(evolution),
    .create = create,
    .destroy = destroy,
    .generate = generate,
    .update = update,
    .archive = archive,
};
