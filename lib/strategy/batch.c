/* SPDX-License-Identifier: BSD-2-Clause */
#include "strategy/ask.h"

#include <math.h>
#include <string.h>

/* Grow one of the arrays side by side; each knows its old room. */
static int grow(ub_context *context, void **array, const ub__batch *batch,
                int64_t capacity, int64_t width, size_t size)
{
    void *grown;

    if (width == 0)
        return 1;
    grown = ub__realloc(context, *array, (size_t) (batch->capacity * width),
                        (size_t) (capacity * width), size);
    if (grown == NULL)
        return 0;
    *array = grown;
    return 1;
}

/* An array that has grown and others that have not do no harm: the room is
 * what the smallest has. */
static ub_status make_room(ub_context *context, ub__batch *b)
{
    const int64_t capacity = 2 * b->capacity + 16;
    const ub__shape *shape = &b->shape;

    if (b->n < b->capacity)
        return UB_OK;
    if (!grow(context, (void **) &b->choices, b, capacity, shape->decisions,
              sizeof(*b->choices)) ||
        !grow(context, (void **) &b->weights, b, capacity, shape->weights,
              sizeof(*b->weights)) ||
        !grow(context, (void **) &b->parents, b, capacity, 1,
              sizeof(*b->parents)) ||
        !grow(context, (void **) &b->flags, b, capacity, 1,
              sizeof(*b->flags)) ||
        !grow(context, (void **) &b->objectives, b, capacity, shape->objectives,
              sizeof(*b->objectives)) ||
        !grow(context, (void **) &b->violations, b, capacity, 1,
              sizeof(*b->violations)) ||
        !grow(context, (void **) &b->likelihoods, b, capacity, 1,
              sizeof(*b->likelihoods)) ||
        !grow(context, (void **) &b->gradients, b, capacity, shape->weights,
              sizeof(*b->gradients)))
        return UB_ERR_NOMEM;
    b->capacity = capacity;
    return UB_OK;
}

void ub__batch_clear_result(ub__batch *batch, int64_t at)
{
    ub__batch *b = batch;
    const ub__shape *shape = &b->shape;

    b->flags[at] = 0;
    b->violations[at] = INFINITY;
    b->likelihoods[at] = NAN;
    for (int64_t k = 0; k < shape->objectives; k++)
        b->objectives[at * shape->objectives + k] = NAN;
    for (int64_t k = 0; k < shape->weights; k++)
        b->gradients[at * shape->weights + k] = 0.0;
}

ub_status ub__batch_add(ub_context *context, ub__batch *batch,
                        const int32_t *choices, const double *weights,
                        int64_t parent)
{
    const int64_t at = batch->n, decisions = batch->shape.decisions;
    const ub_status status = make_room(context, batch);

    if (status != UB_OK)
        return status;
    memcpy(batch->choices + at * decisions, choices,
           (size_t) decisions * sizeof(*choices));
    if (batch->shape.weights > 0)
        memcpy(batch->weights + at * batch->shape.weights, weights,
               (size_t) batch->shape.weights * sizeof(*weights));
    batch->parents[at] = parent;
    ub__batch_clear_result(batch, at);
    batch->n++;
    return UB_OK;
}

void ub__batch_clear(ub_context *context, ub__batch *batch)
{
    ub__free(context, batch->choices);
    ub__free(context, batch->weights);
    ub__free(context, batch->parents);
    ub__free(context, batch->flags);
    ub__free(context, batch->objectives);
    ub__free(context, batch->violations);
    ub__free(context, batch->likelihoods);
    ub__free(context, batch->gradients);
    *batch = (ub__batch){ .shape = batch->shape };
}

void ub__choices_archive(ub__archive *a, int32_t *choices, int64_t n,
                         const ub_strategy *s)
{
    for (int64_t i = 0; i < n && a->status == UB_OK; i++)
        for (int64_t d = 0; d < s->shape.decisions; d++)
            ub__archive_int32(a, choices + i * s->shape.decisions + d, 1, 0,
                              s->choices[d] - 1);
}

/* What the bytes left can hold bounds the memory a damaged count can ask
 * for. */
static ub_status read_room(ub__archive *a, ub__batch *batch, int64_t n)
{
    const ub__shape *shape = &batch->shape;

    ub__archive_expect(
        a, n,
        8 * (shape->decisions + 2 * shape->weights + shape->objectives + 3) +
            1);
    while (batch->capacity < n && a->status == UB_OK) {
        batch->n = batch->capacity;
        a->status = make_room(a->context, batch);
    }
    return a->status;
}

void ub__batch_archive(ub__archive *a, ub_strategy *s, ub__batch *batch)
{
    int64_t n = batch->n;

    ub__archive_int64(a, &n, 1, 0, UB_STRATEGY_MAX_BUDGET);
    ub__archive_int64(a, &batch->first, 1, 0, UB_STRATEGY_MAX_BUDGET);
    ub__archive_int64(a, &batch->told, 1, 0, n);
    if (a->status != UB_OK || (!a->writing && read_room(a, batch, n) != UB_OK))
        return;
    batch->n = n;
    ub__choices_archive(a, batch->choices, n, s);
    ub__archive_doubles(a, batch->weights, n * batch->shape.weights);
    for (int64_t i = 0; i < n; i++)
        ub__archive_int64(a, batch->parents + i, 1, -1,
                          batch == &s->inner ? ub__last_id(s)
                                             : batch->first + i - 1);
    ub__archive_bytes(a, batch->flags, n);
    ub__archive_doubles(a, batch->objectives, n * batch->shape.objectives);
    ub__archive_doubles(a, batch->violations, n);
    ub__archive_doubles(a, batch->likelihoods, n);
    ub__archive_doubles(a, batch->gradients, n * batch->shape.weights);
}
