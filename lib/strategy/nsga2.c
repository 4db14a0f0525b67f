/* SPDX-License-Identifier: BSD-2-Clause */
#include "strategy/ask.h"

#include <math.h>
#include <string.h>

/* How often a child that was evaluated before is changed further. */
#define ATTEMPTS 10

/* All arrays have room for two populations: the parents, which are the first n
 * rows, and their children behind them for as long as it takes to choose. */
typedef struct nsga2 {
    int64_t n;
    int32_t *choices;   /* rows x decisions */
    double *objectives; /* rows x objectives */
    double *violations, *crowding;
    int64_t *ids, *ranks;
    double *values; /* for ub_pareto_ranks() */
    int64_t *fresh_ranks, *order, *spare;
    int32_t *child; /* one candidate */
} nsga2;

static ub_status create(ub_strategy *s)
{
    nsga2 *g = s->state;
    ub_context *c = s->context;
    const size_t rows = 2 * (size_t) s->options.population;
    const size_t d = (size_t) s->shape.decisions;
    const size_t m = (size_t) s->shape.objectives;

    g->choices = ub__calloc(c, rows, d * sizeof(*g->choices));
    g->objectives = ub__calloc(c, rows, m * sizeof(*g->objectives));
    g->violations = ub__calloc(c, rows, sizeof(*g->violations));
    g->crowding = ub__calloc(c, rows, sizeof(*g->crowding));
    g->ids = ub__calloc(c, rows, sizeof(*g->ids));
    g->ranks = ub__calloc(c, rows, sizeof(*g->ranks));
    g->values = ub__calloc(c, rows, m * sizeof(*g->values));
    g->fresh_ranks = ub__calloc(c, rows, sizeof(*g->fresh_ranks));
    g->order = ub__calloc(c, rows, sizeof(*g->order));
    g->spare = ub__calloc(c, rows, sizeof(*g->spare));
    g->child = ub__calloc(c, d, sizeof(*g->child));
    return g->choices != NULL && g->objectives != NULL &&
                   g->violations != NULL && g->crowding != NULL &&
                   g->ids != NULL && g->ranks != NULL && g->values != NULL &&
                   g->fresh_ranks != NULL && g->order != NULL &&
                   g->spare != NULL && g->child != NULL
               ? UB_OK
               : UB_ERR_NOMEM;
}

static void destroy(ub_strategy *s)
{
    nsga2 *g = s->state;

    ub__free(s->context, g->choices);
    ub__free(s->context, g->objectives);
    ub__free(s->context, g->violations);
    ub__free(s->context, g->crowding);
    ub__free(s->context, g->ids);
    ub__free(s->context, g->ranks);
    ub__free(s->context, g->values);
    ub__free(s->context, g->fresh_ranks);
    ub__free(s->context, g->order);
    ub__free(s->context, g->spare);
    ub__free(s->context, g->child);
}

/* -- children ------------------------------------------------------------- */

static int64_t tournament(ub_strategy *s)
{
    const nsga2 *g = s->state;
    const int64_t a = (int64_t) ub_rng_below(&s->rng, (uint64_t) g->n);
    const int64_t b = (int64_t) ub_rng_below(&s->rng, (uint64_t) g->n);

    if (g->ranks[a] != g->ranks[b])
        return g->ranks[a] < g->ranks[b] ? a : b;
    return g->crowding[b] > g->crowding[a] ? b : a;
}

static void mutate(ub_strategy *s, int32_t *choices)
{
    const double rate = s->options.mutation_rate > 0.0
                            ? s->options.mutation_rate
                            : 1.0 / (double) s->shape.decisions;

    for (int64_t d = 0; d < s->shape.decisions; d++) {
        if (ub_rng_uniform(&s->rng) < rate && s->choices[d] > 1)
            choices[d] = ub__draw_choice(s, d, choices[d]);
    }
}

/* Every gene of either parent alike, or the first parent as it is. */
static int64_t make_child(ub_strategy *s)
{
    const nsga2 *g = s->state;
    const int64_t decisions = s->shape.decisions;
    const int64_t a = tournament(s), b = tournament(s);
    const int cross = ub_rng_uniform(&s->rng) < s->options.crossover_rate;

    for (int64_t d = 0; d < decisions; d++) {
        const int64_t from = cross && ub_rng_below(&s->rng, 2) ? b : a;

        g->child[d] = g->choices[from * decisions + d];
    }
    mutate(s, g->child);
    for (int i = 0; i < ATTEMPTS && ub__history_has(s, g->child); i++)
        ub__draw_neighbour(s, g->child, 1, g->child);
    return g->ids[a];
}

static ub_status generate(ub_strategy *s, ub__batch *batch)
{
    const nsga2 *g = s->state;
    const int64_t most = ub__batch_most(s, batch, s->options.population);
    ub_status status = UB_OK;

    for (int64_t i = 0; i < most && status == UB_OK; i++) {
        int64_t parent = -1;

        if (g->n == 0)
            ub__draw(s, g->child);
        else
            parent = make_child(s);
        status = ub__batch_add(s->context, batch, g->child, NULL, parent);
    }
    return status;
}

/* -- survival ------------------------------------------------------------- */

typedef struct column {
    const double *values;
    int64_t stride;
} column;

static int compare_values(const void *arg, int64_t a, int64_t b)
{
    const column *c = arg;
    const double x = c->values[a * c->stride], y = c->values[b * c->stride];

    return (x > y) - (x < y);
}

static int compare_reversed(const void *arg, int64_t a, int64_t b)
{
    return compare_values(arg, b, a);
}

static int compare_ranks(const void *arg, int64_t a, int64_t b)
{
    const int64_t *ranks = arg;

    return (ranks[a] > ranks[b]) - (ranks[a] < ranks[b]);
}

/* Put the children that have results behind the parents. */
static int64_t append(ub_strategy *s, const ub__batch *batch)
{
    nsga2 *g = s->state;
    const int64_t d = s->shape.decisions, m = s->shape.objectives;
    int64_t at = g->n;

    for (int64_t i = 0; i < batch->n; i++) {
        if (!(batch->violations[i] < INFINITY))
            continue;
        memcpy(g->choices + at * d, batch->choices + i * d,
               (size_t) d * sizeof(*g->choices));
        memcpy(g->objectives + at * m, batch->objectives + i * m,
               (size_t) m * sizeof(*g->objectives));
        g->violations[at] = batch->violations[i];
        g->ids[at++] = ub__candidate_id(s, batch, i);
    }
    return at;
}

/* Constrained domination: those without violation by their fronts, behind them
 * the others by violation. Only this can fail, and changes no parent. */
static ub_status rank(ub_strategy *s, int64_t rows)
{
    nsga2 *g = s->state;
    const int64_t m = s->shape.objectives;
    const column violation = { g->violations, 1 };
    int64_t last = -1, infeasible = 0;
    ub_status status;

    for (int64_t i = 0; i < rows; i++) {
        for (int64_t k = 0; k < m; k++)
            g->values[i * m + k] = g->violations[i] > 0.0
                                       ? NAN
                                       : g->objectives[i * m + k];
        if (g->violations[i] > 0.0)
            g->order[infeasible++] = i;
    }
    status = ub_pareto_ranks(s->context, rows, m, g->values,
                             s->options.directions, g->fresh_ranks);
    if (status != UB_OK)
        return status;
    for (int64_t i = 0; i < rows; i++)
        last = g->fresh_ranks[i] > last ? g->fresh_ranks[i] : last;
    ub__merge_sort(infeasible, g->order, g->spare, compare_values, &violation);
    for (int64_t at = 0; at < infeasible; at++) {
        const int64_t i = g->order[at];

        if (at == 0 || g->violations[i] > g->violations[g->order[at - 1]])
            last++;
        g->fresh_ranks[i] = last;
    }
    return UB_OK;
}

/* Crowding distances of the n rows of a front, most crowded last. */
static void crowd(ub_strategy *s, int64_t *front, int64_t n)
{
    nsga2 *g = s->state;
    const int64_t m = s->shape.objectives;
    const column crowding = { g->crowding, 1 };

    for (int64_t at = 0; at < n; at++)
        g->crowding[front[at]] = 0.0;
    for (int64_t k = 0; k < m; k++) {
        const column c = { g->objectives + k, m };
        double low, range;

        ub__merge_sort(n, front, g->spare, compare_values, &c);
        low = c.values[front[0] * m];
        range = c.values[front[n - 1] * m] - low;
        for (int64_t at = 1; at < n - 1 && range > 0.0; at++) {
            const double before = c.values[front[at - 1] * m];
            const double after = c.values[front[at + 1] * m];

            g->crowding[front[at]] += (after - before) / range;
        }
        g->crowding[front[0]] = g->crowding[front[n - 1]] = INFINITY;
    }
    ub__merge_sort(n, front, g->spare, compare_reversed, &crowding);
}

static void move_row(ub_strategy *s, int64_t from, int64_t to)
{
    nsga2 *g = s->state;
    const int64_t d = s->shape.decisions, m = s->shape.objectives;

    memmove(g->choices + to * d, g->choices + from * d,
            (size_t) d * sizeof(*g->choices));
    memmove(g->objectives + to * m, g->objectives + from * m,
            (size_t) m * sizeof(*g->objectives));
    g->violations[to] = g->violations[from];
    g->crowding[to] = g->crowding[from];
    g->ids[to] = g->ids[from];
    g->ranks[to] = g->fresh_ranks[from];
}

static ub_status update(ub_strategy *s, const ub__batch *batch)
{
    nsga2 *g = s->state;
    const int64_t rows = append(s, batch);
    const ub_status status = rank(s, rows);
    int64_t kept = 0;

    if (status != UB_OK)
        return status;
    for (int64_t i = 0; i < rows; i++)
        g->order[i] = i;
    ub__merge_sort(rows, g->order, g->spare, compare_ranks, g->fresh_ranks);
    for (int64_t from = 0, to; from < rows; from = to) {
        const int64_t front = g->fresh_ranks[g->order[from]];

        for (to = from + 1; to < rows && g->fresh_ranks[g->order[to]] == front;)
            to++;
        crowd(s, g->order + from, to - from);
    }
    /* Survivors move up, in order of age. */
    for (int64_t at = s->options.population; at < rows; at++)
        g->fresh_ranks[g->order[at]] = -1;
    for (int64_t i = 0; i < rows; i++) {
        if (g->fresh_ranks[i] >= 0)
            move_row(s, i, kept++);
    }
    g->n = kept;
    return UB_OK;
}

static void archive(ub_strategy *s, ub__archive *a)
{
    nsga2 *g = s->state;

    if (!a->writing && ub__class_batch(s)->n > s->options.population)
        ub__archive_refuse(a, "more children than there is room for");
    ub__archive_int64(a, &g->n, 1, 0, s->options.population);
    ub__choices_archive(a, g->choices, g->n, s);
    ub__archive_doubles(a, g->objectives, g->n * s->shape.objectives);
    ub__archive_doubles(a, g->violations, g->n);
    ub__archive_doubles(a, g->crowding, g->n);
    ub__archive_int64(a, g->ids, g->n, 0, ub__last_id(s));
    ub__archive_int64(a, g->ranks, g->n, 0, 2 * s->options.population);
}

const ub__strategy_class ub__strategy_nsga2 = {
    .caps = UB_CAP_MULTI_OBJECTIVE,
    .state_size = sizeof(nsga2),
    .create = create,
    .destroy = destroy,
    .generate = generate,
    .update = update,
    .archive = archive,
};
