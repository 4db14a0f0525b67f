/* SPDX-License-Identifier: BSD-2-Clause */
#include "strategy/strategy.h"

#include <math.h>
#include <string.h>

/* Candidates being sorted into fronts. Each front is a list from its last
 * member to its first; members enter in lexicographic order. */
typedef struct sorting {
    int64_t n, m;
    double *costs;   /* n x m: the metrics, all to be minimised */
    int64_t *order;  /* candidates that are known, in lexicographic order */
    int64_t *before; /* n: the member of its front that entered before; -1 */
    int64_t *last;   /* n: the last member of each front */
    int64_t *ranks;  /* n */
    int64_t known, fronts;
} sorting;

static int compare_costs(const void *arg, int64_t a, int64_t b)
{
    const sorting *s = arg;
    const double *x = s->costs + a * s->m, *y = s->costs + b * s->m;

    for (int64_t k = 0; k < s->m; k++) {
        if (x[k] != y[k])
            return x[k] < y[k] ? -1 : 1;
    }
    return 0;
}

/* Whether a, which comes before b in lexicographic order, dominates it. */
static int dominates(const sorting *s, int64_t a, int64_t b)
{
    const double *x = s->costs + a * s->m, *y = s->costs + b * s->m;
    int better = 0;

    for (int64_t k = 0; k < s->m; k++) {
        if (x[k] > y[k])
            return 0;
        better |= x[k] < y[k];
    }
    return better;
}

/* Of two metrics the last member has the lowest second one, so that no other
 * can dominate if it does not. */
static int front_dominates(const sorting *s, int64_t front, int64_t candidate)
{
    for (int64_t i = s->last[front]; i >= 0; i = s->before[i]) {
        if (dominates(s, i, candidate))
            return 1;
        if (s->m <= 2)
            break;
    }
    return 0;
}

/* The first front without a member that dominates; those behind it have none
 * either. */
static int64_t find_front(const sorting *s, int64_t candidate)
{
    int64_t low = 0, high = s->fronts;

    while (low < high) {
        const int64_t middle = low + (high - low) / 2;

        if (front_dominates(s, middle, candidate))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* All metrics to be minimised; candidates with unknown ones left out. */
static void orient(sorting *s, const double *values, const int32_t *directions)
{
    for (int64_t i = 0; i < s->n; i++) {
        int known = 1;

        for (int64_t k = 0; k < s->m; k++) {
            const double value = values[i * s->m + k];

            known &= !isnan(value);
            s->costs[i * s->m + k] = directions != NULL && directions[k]
                                         ? -value
                                         : value;
        }
        s->ranks[i] = -1;
        if (known)
            s->order[s->known++] = i;
    }
}

static void sort(sorting *s, int64_t max_fronts)
{
    ub__merge_sort(s->known, s->order, s->before, compare_costs, s);
    for (int64_t at = 0; at < s->known; at++) {
        const int64_t i = s->order[at];
        const int64_t front = find_front(s, i);

        if (front >= max_fronts)
            continue;
        s->before[i] = front < s->fronts ? s->last[front] : -1;
        s->last[front] = i;
        s->ranks[i] = front;
        s->fronts += front == s->fronts;
    }
}

static void free_sorting(ub_context *context, sorting *s)
{
    ub__free(context, s->costs);
    ub__free(context, s->order);
    ub__free(context, s->before);
    ub__free(context, s->last);
    ub__free(context, s->ranks);
}

/* Rank the candidates of the first fronts; the rest keeps -1. */
static ub_status rank(ub_context *context, int64_t n, int64_t m,
                      const double *values, const int32_t *directions,
                      int64_t max_fronts, sorting *out)
{
    sorting s = { .n = n, .m = m };

    s.costs = ub__alloc(context, (size_t) n * (size_t) m, sizeof(*s.costs));
    s.order = ub__alloc(context, (size_t) n, sizeof(*s.order));
    s.before = ub__alloc(context, (size_t) n, sizeof(*s.before));
    s.last = ub__alloc(context, (size_t) n, sizeof(*s.last));
    s.ranks = ub__alloc(context, (size_t) n, sizeof(*s.ranks));
    if (s.costs == NULL || s.order == NULL || s.before == NULL ||
        s.last == NULL || s.ranks == NULL) {
        free_sorting(context, &s);
        return UB_ERR_NOMEM;
    }
    orient(&s, values, directions);
    sort(&s, max_fronts);
    *out = s;
    return UB_OK;
}

ub_status ub_pareto_front(ub_context *context, int64_t n, int64_t m,
                          const double *values, const int32_t *directions,
                          int64_t *out_front, int64_t *out_n)
{
    sorting s;
    ub_status status;
    int64_t size = 0;

    if (context == NULL)
        return UB_ERR_INVALID;
    status = ub__metrics_check(context, "Pareto front", n, m, values,
                               directions);
    if (status == UB_OK && (out_n == NULL || (out_front == NULL && n > 0)))
        status = ub__fail(context, UB_ERR_INVALID,
                          "Pareto front: no place for it");
    if (status == UB_OK)
        status = rank(context, n, m, values, directions, 1, &s);
    if (status != UB_OK)
        return status;
    for (int64_t at = 0; at < s.known; at++) {
        if (s.ranks[s.order[at]] == 0)
            out_front[size++] = s.order[at];
    }
    *out_n = size;
    free_sorting(context, &s);
    return UB_OK;
}

ub_status ub_pareto_ranks(ub_context *context, int64_t n, int64_t m,
                          const double *values, const int32_t *directions,
                          int64_t *out_ranks)
{
    sorting s;
    ub_status status;

    if (context == NULL)
        return UB_ERR_INVALID;
    status = ub__metrics_check(context, "Pareto ranks", n, m, values,
                               directions);
    if (status == UB_OK && out_ranks == NULL && n > 0)
        status = ub__fail(context, UB_ERR_INVALID,
                          "Pareto ranks: no place for them");
    if (status == UB_OK)
        status = rank(context, n, m, values, directions, n, &s);
    if (status != UB_OK)
        return status;
    if (n > 0)
        memcpy(out_ranks, s.ranks, (size_t) n * sizeof(*out_ranks));
    free_sorting(context, &s);
    return UB_OK;
}
