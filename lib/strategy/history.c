/* SPDX-License-Identifier: BSD-2-Clause */
#include "strategy/ask.h"

#include <math.h>
#include <string.h>

static uint64_t hash(const int32_t *choices, int64_t n)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (int64_t i = 0; i < n; i++) {
        h ^= (uint32_t) choices[i];
        h *= UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
    }
    return h;
}

/* The slot of a candidate, or the free one that it would take. Half of the
 * slots are free. */
static int64_t find_slot(const ub_strategy *s, const int32_t *choices)
{
    const ub__history *h = &s->history;
    const int64_t d = s->shape.decisions, slots = 2 * h->capacity;
    int64_t at = (int64_t) (hash(choices, d) % (uint64_t) slots);

    while (h->slots[at] >= 0 && memcmp(h->choices + h->slots[at] * d, choices,
                                       (size_t) d * sizeof(*choices)) != 0)
        at = at + 1 < slots ? at + 1 : 0;
    return at;
}

int ub__history_has(const ub_strategy *s, const int32_t *choices)
{
    return s->history.n > 0 && s->history.slots[find_slot(s, choices)] >= 0;
}

/* Counts if its candidate is new. */
static void enter(ub_strategy *s, int64_t row)
{
    ub__history *h = &s->history;
    const int64_t at = find_slot(s, h->choices + row * s->shape.decisions);

    if (h->slots[at] >= 0)
        return;
    h->slots[at] = row;
    h->unique++;
}

static void enter_all(ub_strategy *s)
{
    ub__history *h = &s->history;

    h->unique = 0;
    for (int64_t i = 0; i < 2 * h->capacity; i++)
        h->slots[i] = -1;
    for (int64_t row = 0; row < h->n; row++)
        enter(s, row);
}

ub_status ub__history_reserve(ub_strategy *s, int64_t more)
{
    ub__history *h = &s->history;
    const int64_t d = s->shape.decisions, m = s->shape.objectives;
    const int64_t capacity = 2 * (h->n + more);
    const size_t old = (size_t) h->capacity, new = (size_t) capacity;
    int64_t *slots;
    void *grown;

    if (h->n + more <= h->capacity)
        return UB_OK;
    grown = ub__realloc(s->context, h->choices, old * (size_t) d,
                        new *(size_t) d, sizeof(*h->choices));
    if (grown == NULL)
        return UB_ERR_NOMEM;
    h->choices = grown;
    grown = ub__realloc(s->context, h->objectives, old * (size_t) m,
                        new *(size_t) m, sizeof(*h->objectives));
    if (grown == NULL)
        return UB_ERR_NOMEM;
    h->objectives = grown;
    grown = ub__realloc(s->context, h->violations, old, new,
                        sizeof(*h->violations));
    if (grown == NULL)
        return UB_ERR_NOMEM;
    h->violations = grown;
    slots = ub__alloc(s->context, 2 * new, sizeof(*slots));
    if (slots == NULL)
        return UB_ERR_NOMEM;
    ub__free(s->context, h->slots);
    h->slots = slots;
    h->capacity = capacity;
    enter_all(s);
    return UB_OK;
}

void ub__history_add(ub_strategy *s, const int32_t *choices,
                     const double *objectives, double violation)
{
    ub__history *h = &s->history;
    const int64_t d = s->shape.decisions, m = s->shape.objectives;
    const int64_t row = h->n++;

    memcpy(h->choices + row * d, choices, (size_t) d * sizeof(*choices));
    memcpy(h->objectives + row * m, objectives,
           (size_t) m * sizeof(*objectives));
    h->violations[row] = violation;
    enter(s, row);
}

void ub__history_clear(ub_context *context, ub__history *history)
{
    ub__free(context, history->choices);
    ub__free(context, history->objectives);
    ub__free(context, history->violations);
    ub__free(context, history->slots);
    *history = (ub__history){ 0 };
}

void ub__history_archive(ub__archive *a, ub_strategy *s)
{
    ub__history *h = &s->history;
    int64_t n = h->n;

    ub__archive_int64(a, &n, 1, 0, UB_STRATEGY_MAX_BUDGET);
    if (a->status != UB_OK)
        return;
    if (!a->writing) {
        ub__archive_expect(a, n,
                           8 * (s->shape.decisions + s->shape.objectives + 1));
        if (a->status == UB_OK)
            a->status = ub__history_reserve(s, n);
    }
    if (a->status != UB_OK)
        return;
    h->n = n;
    ub__choices_archive(a, h->choices, n, s);
    ub__archive_doubles(a, h->objectives, n * s->shape.objectives);
    ub__archive_doubles(a, h->violations, n);
    if (!a->writing && a->status == UB_OK && n > 0)
        enter_all(s);
}

static int compare_rows(const void *arg, int64_t a, int64_t b)
{
    const ub_strategy *s = arg;
    const ub__history *h = &s->history;
    const int64_t m = s->shape.objectives;

    return ub__compare(s, h->violations[a], h->objectives[a * m],
                       h->violations[b], h->objectives[b * m]);
}

ub_status ub__history_sort(ub_strategy *s, int64_t **out_rows, int64_t *out_n)
{
    const ub__history *h = &s->history;
    const size_t room = (size_t) h->unique;
    int64_t *rows = ub__alloc(s->context, 2 * room, sizeof(*rows)), n = 0;

    if (rows == NULL)
        return UB_ERR_NOMEM;
    for (int64_t row = 0; row < h->n; row++) {
        const int32_t *choices = h->choices + row * s->shape.decisions;

        if (h->violations[row] < INFINITY &&
            h->slots[find_slot(s, choices)] == row)
            rows[n++] = row;
    }
    ub__merge_sort(n, rows, rows + room, compare_rows, s);
    *out_rows = rows;
    *out_n = n;
    return UB_OK;
}

/* The least violation there is; infinite without results. */
static double least_violation(const ub__history *h)
{
    double least = INFINITY;

    for (int64_t row = 0; row < h->n; row++)
        least = h->violations[row] < least ? h->violations[row] : least;
    return least;
}

static int64_t objectives_used(const ub_strategy *s)
{
    return s->class->caps & UB_CAP_MULTI_OBJECTIVE ? s->shape.objectives : 1;
}

/* Rows that are the best, or the front, among the least violating. */
static ub_status best_rows(ub_strategy *s, int64_t *rows, double *values,
                           int64_t *front, int64_t *n)
{
    const ub__history *h = &s->history;
    const int64_t m = s->shape.objectives;
    const int64_t used = objectives_used(s);
    const double least = least_violation(h);
    int64_t known = 0;
    ub_status status;

    *n = 0;
    for (int64_t row = 0; row < h->n && least < INFINITY; row++) {
        if (h->violations[row] > least)
            continue;
        memcpy(values + known * used, h->objectives + row * m,
               (size_t) used * sizeof(*values));
        rows[known++] = row;
    }
    if (known == 0)
        return UB_OK;
    status = ub_pareto_front(s->context, known, used, values,
                             s->options.directions, front, n);
    for (int64_t i = 0; i < *n && status == UB_OK; i++)
        front[i] = rows[front[i]];
    return status;
}

/* Of one that comes twice only the first is kept; with one objective only the
 * first of all. */
static int64_t without_repetition(const ub_strategy *s, int64_t *rows,
                                  int64_t n)
{
    const int64_t d = s->shape.decisions;
    int64_t kept = 0;

    if (objectives_used(s) == 1)
        return n < 1 ? n : 1;
    for (int64_t i = 0; i < n; i++) {
        const int32_t *choices = s->history.choices + rows[i] * d;
        const size_t bytes = (size_t) d * sizeof(*choices);
        int64_t k = 0;

        while (k < kept &&
               memcmp(s->history.choices + rows[k] * d, choices, bytes) != 0)
            k++;
        if (k == kept)
            rows[kept++] = rows[i];
    }
    return kept;
}

ub_status ub__history_best(ub_strategy *s, int64_t max, int32_t *choices,
                           double *objectives, int64_t *n)
{
    const ub__history *h = &s->history;
    const int64_t d = s->shape.decisions, m = s->shape.objectives;
    const size_t room = (size_t) h->n;
    int64_t *rows = ub__alloc(s->context, 2 * room, sizeof(*rows));
    double *values = ub__alloc(s->context, room * (size_t) m, sizeof(*values));
    int64_t found = 0;
    ub_status status = UB_ERR_NOMEM;

    if (rows != NULL && values != NULL)
        status = best_rows(s, rows, values, rows + room, &found);
    if (status == UB_OK) {
        found = without_repetition(s, rows + room, found);
        for (int64_t i = 0; i < found && i < max; i++) {
            const int64_t row = rows[room + (size_t) i];

            memcpy(choices + i * d, h->choices + row * d,
                   (size_t) d * sizeof(*choices));
            if (objectives != NULL)
                memcpy(objectives + i * m, h->objectives + row * m,
                       (size_t) m * sizeof(*objectives));
        }
        *n = found;
    }
    ub__free(s->context, rows);
    ub__free(s->context, values);
    return status;
}
