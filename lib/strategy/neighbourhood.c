/* SPDX-License-Identifier: BSD-2-Clause */
#include "strategy/distribution.h"

#include <math.h>
#include <string.h>

/* A neighbour is a centre with moves in up to `radius` decisions. Moves of a
 * decision are numbered from 1; 0 leaves it. An unordered decision of n choices
 * has n - 1, cyclic shifts of its choices: of a one-hot vector all other
 * choices. An ordered one has down and up.
 *
 * What is drawn depends on the seed and on the id of the centre alone, so that
 * it need not be kept until the results are there, and so that a strategy draws
 * the same centres with neighbours as without. */
typedef struct neighbourhood {
    int64_t radius, n; /* n: neighbours drawn */
    int32_t *limits;   /* decisions: moves of each */
    double *ways;      /* (decisions + 1) x (radius + 1): log of the number of
                          ways to move at most so many of the decisions from
                          here on */
    int32_t *moves;    /* neighbours x decisions */
    int64_t *ranks;    /* memory to draw from */
} neighbourhood;

/* Up to so many times as many as are wanted, all are numbered and shuffled;
 * beyond that repeated ones are so rare that they are drawn anew. */
#define SPARSE 4

static void clear(ub_context *context, neighbourhood *h)
{
    ub__free(context, h->limits);
    ub__free(context, h->ways);
    ub__free(context, h->moves);
    ub__free(context, h->ranks);
    *h = (neighbourhood){ 0 };
}

static ub_status create(const ub_strategy *s, neighbourhood *out)
{
    const size_t n = (size_t) s->shape.decisions;
    const size_t wanted = (size_t) s->options.neighbours;
    neighbourhood h = { .radius = s->options.radius };

    h.radius = h.radius < s->shape.decisions ? h.radius : s->shape.decisions;
    h.limits = ub__alloc(s->context, n, sizeof(*h.limits));
    h.ways = ub__alloc(s->context, (n + 1) * (size_t) (h.radius + 1),
                       sizeof(*h.ways));
    h.moves = ub__alloc(s->context, wanted, n * sizeof(*h.moves));
    h.ranks = ub__alloc(s->context, SPARSE * wanted, sizeof(*h.ranks));
    if (h.limits == NULL || h.ways == NULL || h.moves == NULL ||
        h.ranks == NULL) {
        clear(s->context, &h);
        return UB_ERR_NOMEM;
    }
    *out = h;
    return UB_OK;
}

/* -- moves ---------------------------------------------------------------- */

static int relaxed(const ub_strategy *s)
{
    return s->shape.weights > 0;
}

/* A relaxed decision may be moved beyond its last level, and stays there. */
static int32_t limit(const ub_strategy *s, int64_t d, int32_t choice)
{
    const int32_t n = s->choices[d];

    if (!s->ordered[d])
        return n - 1;
    if (relaxed(s))
        return n > 1 ? 2 : 0;
    return (choice > 0) + (choice < n - 1);
}

/* Where a move takes a choice. */
static int32_t moved(const ub_strategy *s, int64_t d, int32_t move, int32_t c)
{
    const int32_t n = s->choices[d];

    if (move == 0)
        return c;
    if (!s->ordered[d])
        return (c + move) % n;
    if (relaxed(s))
        return move == 1 ? (c > 0 ? c - 1 : 0) : (c < n - 1 ? c + 1 : c);
    return move == 1 && c > 0 ? c - 1 : c + 1;
}

static void move_choices(const ub_strategy *s, const int32_t *moves,
                         const int32_t *from, int32_t *to)
{
    for (int64_t d = 0; d < s->shape.decisions; d++)
        to[d] = moved(s, d, moves[d], from[d]);
}

static void move_weights(const ub_strategy *s, const int32_t *moves,
                         const double *from, double *to)
{
    memset(to, 0, (size_t) s->shape.weights * sizeof(*to));
    for (int64_t d = 0; d < s->shape.decisions; d++)
        for (int32_t c = 0; c < s->choices[d]; c++)
            to[s->offsets[d] + moved(s, d, moves[d], c)] +=
                from[s->offsets[d] + c];
}

/* The transpose of move_weights(). */
static void add_gradient(const ub_strategy *s, const int32_t *moves,
                         const double *from, double *to)
{
    for (int64_t d = 0; d < s->shape.decisions; d++)
        for (int32_t c = 0; c < s->choices[d]; c++)
            to[s->offsets[d] + c] +=
                from[s->offsets[d] + moved(s, d, moves[d], c)];
}

/* -- drawing -------------------------------------------------------------- */

/* log(exp(a) + exp(b)) */
static double log_add(double a, double b)
{
    const double high = fmax(a, b), low = fmin(a, b);

    return low == -INFINITY ? high : high + log1p(exp(low - high));
}

static const double *ways_from(const neighbourhood *h, int64_t d)
{
    return h->ways + d * (h->radius + 1);
}

static void count(const ub_strategy *s, neighbourhood *h,
                  const int32_t *choices)
{
    const int64_t n = s->shape.decisions, width = h->radius + 1;

    for (int64_t r = 0; r < width; r++)
        h->ways[n * width + r] = 0.0;
    for (int64_t d = n - 1; d >= 0; d--) {
        const double *next = ways_from(h, d + 1);
        double *here = h->ways + d * width;

        h->limits[d] = limit(s, d, choices[d]);
        here[0] = 0.0;
        for (int64_t r = 1; r < width; r++)
            here[r] = log_add(next[r], log(h->limits[d]) + next[r - 1]);
    }
}

/* The moves of a rank; that of 0 is none at all. */
static void ranked(const neighbourhood *h, int64_t n, int64_t rank,
                   int32_t *moves)
{
    int64_t r = h->radius;

    for (int64_t d = 0; d < n; d++) {
        const double *next = ways_from(h, d + 1);
        const int64_t unmoved = llround(exp(next[r]));

        moves[d] = 0;
        if (rank < unmoved)
            continue;
        rank -= unmoved;
        r--;
        moves[d] = 1 + (int32_t) (rank / llround(exp(next[r])));
        rank %= llround(exp(next[r]));
    }
}

static void draw_ranked(const ub_strategy *s, neighbourhood *h, int64_t there,
                        ub_rng *rng)
{
    for (int64_t i = 0; i < there; i++)
        h->ranks[i] = i + 1;
    if (there > h->n)
        ub_rng_shuffle(rng, h->ranks, (size_t) there);
    for (int64_t i = 0; i < h->n; i++)
        ranked(h, s->shape.decisions, h->ranks[i],
               h->moves + i * s->shape.decisions);
}

/* Moves of which all within the radius are equally likely. */
static int64_t draw_any(const neighbourhood *h, int64_t n, ub_rng *rng,
                        int32_t *moves)
{
    int64_t r = h->radius;

    for (int64_t d = 0; d < n; d++) {
        const double stays = exp(ways_from(h, d + 1)[r] - ways_from(h, d)[r]);

        moves[d] = 0;
        if (h->limits[d] == 0 || r == 0 || ub_rng_uniform(rng) < stays)
            continue;
        moves[d] = 1 + (int32_t) ub_rng_below(rng, (uint64_t) h->limits[d]);
        r--;
    }
    return h->radius - r;
}

static int is_repeated(const int32_t *moves, int64_t i, int64_t n)
{
    const size_t bytes = (size_t) n * sizeof(*moves);

    for (int64_t k = 0; k < i; k++) {
        if (memcmp(moves + k * n, moves + i * n, bytes) == 0)
            return 1;
    }
    return 0;
}

static void draw_sparse(const ub_strategy *s, neighbourhood *h, ub_rng *rng)
{
    const int64_t n = s->shape.decisions;

    for (int64_t i = 0; i < h->n;) {
        if (draw_any(h, n, rng, h->moves + i * n) > 0 &&
            !is_repeated(h->moves, i, n))
            i++;
    }
}

/* The moves to the neighbours of a centre. */
static void draw(const ub_strategy *s, neighbourhood *h, int64_t id,
                 const int32_t *choices)
{
    const int64_t wanted = s->options.neighbours;
    int64_t there = SPARSE * wanted + 1;
    ub_rng rng;

    ub_rng_init(&rng, s->options.seed, (uint64_t) id + 1);
    count(s, h, choices);
    if (ways_from(h, 0)[h->radius] < log((double) there + 1.0))
        there = llround(exp(ways_from(h, 0)[h->radius])) - 1;
    h->n = there < wanted ? there : wanted;
    if (there <= SPARSE * wanted)
        draw_ranked(s, h, there, &rng);
    else
        draw_sparse(s, h, &rng);
}

/* -- expand --------------------------------------------------------------- */

/* Candidates at to end - 1 of the batch: a centre and its neighbours. */
typedef struct range {
    int64_t at, end;
} range;

int ub__is_neighbour(const ub__batch *batch, int64_t at)
{
    return batch->parents[at] >= batch->first;
}

static range range_from(const ub__batch *batch, int64_t at)
{
    range r = { at, at + 1 };

    while (r.end < batch->n && ub__is_neighbour(batch, r.end))
        r.end++;
    return r;
}

/* The inner batch has n candidates that are asked under these ids. */
static void name_centres(ub_strategy *s, int64_t n)
{
    range r = { 0, 0 };

    for (int64_t i = 0; i < n; i++) {
        r = range_from(&s->batch, r.end);
        s->inner.parents[i] = s->batch.first + r.at;
    }
    s->inner.n = n;
}

static ub_status add_neighbours(ub_strategy *s, const neighbourhood *h,
                                int64_t centre, int32_t *choices,
                                double *weights)
{
    const int64_t d = s->shape.decisions, w = s->shape.weights;
    const int64_t id = s->batch.first + s->batch.n;
    ub_status status = ub__batch_add(
        s->context, &s->batch, s->inner.choices + centre * d,
        w > 0 ? s->inner.weights + centre * w : NULL, s->inner.parents[centre]);

    for (int64_t i = 0; i < h->n && status == UB_OK; i++) {
        if (w > 0) {
            move_weights(s, h->moves + i * d, s->inner.weights + centre * w,
                         weights);
            ub__likeliest(s, weights, choices);
        } else {
            move_choices(s, h->moves + i * d, s->inner.choices + centre * d,
                         choices);
        }
        status = ub__batch_add(s->context, &s->batch, choices, weights, id);
    }
    return status;
}

static ub_status expand(ub_strategy *s, neighbourhood *h, int32_t *choices,
                        double *weights)
{
    ub_status status = UB_OK;
    int64_t i = 0;

    for (; i < s->inner.n && status == UB_OK; i++) {
        const int64_t id = s->batch.first + s->batch.n;

        draw(s, h, id, s->inner.choices + i * s->shape.decisions);
        if (id + 1 + h->n > s->options.budget)
            break;
        status = add_neighbours(s, h, i, choices, weights);
    }
    if (status == UB_OK)
        name_centres(s, i);
    return status;
}

ub_status ub__neighbourhood_expand(ub_strategy *s)
{
    neighbourhood h = { 0 };
    int32_t *choices = ub__alloc(s->context, (size_t) s->shape.decisions,
                                 sizeof(*choices));
    double *weights = ub__alloc(s->context, (size_t) s->shape.weights,
                                sizeof(*weights));
    ub_status status = UB_ERR_NOMEM;

    if (choices != NULL && weights != NULL)
        status = create(s, &h);
    if (status == UB_OK)
        status = expand(s, &h, choices, weights);
    clear(s->context, &h);
    ub__free(s->context, choices);
    ub__free(s->context, weights);
    return status;
}

/* -- reduce --------------------------------------------------------------- */

static int below(const void *arg, int64_t a, int64_t b)
{
    const double *values = arg;

    return (values[a] > values[b]) - (values[a] < values[b]);
}

/* What n numbers become; of the worst it matters which way is good. */
static double aggregate(const ub_strategy *s, int maximize, int64_t n,
                        const double *values, int64_t *order)
{
    double sum = 0.0;

    for (int64_t i = 0; i < n; i++) {
        sum += values[i] / (double) n;
        order[i] = i;
    }
    if (s->options.aggregate == UB_AGGREGATE_MEAN)
        return sum;
    ub__merge_sort(n, order, order + n, below, values);
    if (s->options.aggregate == UB_AGGREGATE_MEDIAN)
        return values[order[(n - 1) / 2]];
    return values[order[maximize ? 0 : n - 1]];
}

/* Column k of the results there are, and what becomes of it. */
static double aggregate_column(const ub_strategy *s, range r,
                               const double *column, int64_t step, int maximize,
                               double *values, int64_t *order)
{
    int64_t n = 0;

    for (int64_t i = r.at; i < r.end; i++) {
        if (!(s->batch.flags[i] & UB__FAILED))
            values[n++] = column[i * step];
    }
    return aggregate(s, maximize, n, values, order);
}

static void reduce_values(ub_strategy *s, range r, int64_t to, double *values,
                          int64_t *order)
{
    const ub__batch *b = &s->batch;
    const int64_t m = s->shape.objectives;
    double unknown = 0.0;

    for (int64_t k = 0; k < m; k++)
        s->inner.objectives[to * m + k] = aggregate_column(
            s, r, b->objectives + k, m, ub__maximizes(s, k), values, order);
    s->inner.violations[to] = aggregate_column(s, r, b->violations, 1, 0,
                                               values, order);
    for (int64_t i = r.at; i < r.end; i++) {
        if (!(b->flags[i] & UB__FAILED) && isnan(b->likelihoods[i]))
            unknown = NAN;
    }
    s->inner.likelihoods[to] = unknown + aggregate_column(s, r, b->likelihoods,
                                                          1, 1, values, order);
}

/* The mean of what the candidate and its neighbours say. */
static void reduce_gradients(ub_strategy *s, range r, int64_t to,
                             neighbourhood *h)
{
    const ub__batch *b = &s->batch;
    const int64_t w = s->shape.weights, d = s->shape.decisions;
    double *sum = s->inner.gradients + to * w, n = 1.0;

    draw(s, h, b->first + r.at, b->choices + r.at * d);
    memcpy(sum, b->gradients + r.at * w, (size_t) w * sizeof(*sum));
    for (int64_t i = r.at + 1; i < r.end; i++) {
        if (b->flags[i] & UB__FAILED)
            continue;
        add_gradient(s, h->moves + (i - r.at - 1) * d, b->gradients + i * w,
                     sum);
        n += 1.0;
    }
    for (int64_t k = 0; k < w; k++)
        sum[k] /= n;
}

static void reduce(ub_strategy *s, neighbourhood *h, double *values,
                   int64_t *order)
{
    range r = { 0, 0 };

    for (int64_t i = 0; i < s->inner.n; i++) {
        r = range_from(&s->batch, r.end);
        ub__batch_clear_result(&s->inner, i);
        s->inner.flags[i] = s->batch.flags[r.at];
        if (s->batch.flags[r.at] & UB__FAILED)
            continue;
        reduce_values(s, r, i, values, order);
        if (relaxed(s))
            reduce_gradients(s, r, i, h);
    }
    s->inner.told = s->inner.n;
}

ub_status ub__neighbourhood_reduce(ub_strategy *s)
{
    const size_t most = (size_t) s->options.neighbours + 1;
    neighbourhood h = { 0 };
    double *values = ub__alloc(s->context, most, sizeof(*values));
    int64_t *order = ub__alloc(s->context, 2 * most, sizeof(*order));
    ub_status status = UB_ERR_NOMEM;

    if (values != NULL && order != NULL)
        status = create(s, &h);
    if (status == UB_OK)
        reduce(s, &h, values, order);
    clear(s->context, &h);
    ub__free(s->context, values);
    ub__free(s->context, order);
    return status;
}

/* -- state files ---------------------------------------------------------- */

/* Whether each centre is followed by as many neighbours as are drawn. */
static int fits(const ub_strategy *s, neighbourhood *h)
{
    const ub__batch *b = &s->batch;
    const int64_t d = s->shape.decisions;
    range r = { 0, 0 };

    for (int64_t i = 0; i < s->inner.n; i++) {
        if (r.end == b->n || ub__is_neighbour(b, r.end))
            return 0;
        r = range_from(b, r.end);
        draw(s, h, b->first + r.at, b->choices + r.at * d);
        if (r.end - r.at != 1 + h->n ||
            s->inner.parents[i] != b->first + r.at ||
            memcmp(b->choices + r.at * d, s->inner.choices + i * d,
                   (size_t) d * sizeof(*b->choices)) != 0)
            return 0;
    }
    return r.end == b->n;
}

void ub__neighbourhood_check(ub_strategy *s, ub__archive *a)
{
    neighbourhood h = { 0 };

    if (a->status != UB_OK || a->writing || s->batch.n == 0)
        return;
    a->status = create(s, &h);
    if (a->status == UB_OK && !fits(s, &h))
        ub__archive_refuse(a, "neighbours are not as they are drawn");
    clear(s->context, &h);
}
