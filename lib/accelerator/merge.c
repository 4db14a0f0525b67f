/* SPDX-License-Identifier: BSD-2-Clause */
#include "accelerator/accelerator.h"
#include "strategy/strategy.h"

#include <math.h>
#include <string.h>

/*
 * One point from each front such that the largest cycles are least and the sums
 * of DSPs and blocks keep to their limits. For a given bottleneck only points
 * up to it count, and the question is what the fewest DSPs are for each number
 * of blocks: a knapsack over blocks, which are whole numbers.
 */
typedef struct merging {
    const ub__chunk_front *fronts;
    int64_t n, blocks; /* fronts, limit */
    double dsp_limit;
    double *best;   /* of blocks 0 .. limit: the fewest DSPs so far */
    double *next;   /* ... with one front more */
    int32_t *taken; /* n x (limit + 1): the point then taken; -1: none */
    int64_t *cheap; /* limit + 1: the point of so many blocks; -1: none */
    double *cycles; /* of all points, sorted */
    int64_t cycles_n;
} merging;

static void merging_clear(ub_context *context, merging *m)
{
    ub__free(context, m->best);
    ub__free(context, m->next);
    ub__free(context, m->taken);
    ub__free(context, m->cheap);
    ub__free(context, m->cycles);
}

static ub_status merging_create(ub_context *context, merging *m)
{
    const size_t room = (size_t) m->blocks + 1;
    size_t points = 0;

    for (int64_t i = 0; i < m->n; i++)
        points += (size_t) m->fronts[i].n;
    m->best = ub__alloc(context, room, sizeof(*m->best));
    m->next = ub__alloc(context, room, sizeof(*m->next));
    m->taken = ub__alloc(context, room * (size_t) m->n, sizeof(*m->taken));
    m->cheap = ub__alloc(context, room, sizeof(*m->cheap));
    m->cycles = ub__alloc(context, points, sizeof(*m->cycles));
    if (m->best == NULL || m->next == NULL || m->taken == NULL ||
        m->cheap == NULL || m->cycles == NULL) {
        merging_clear(context, m);
        return UB_ERR_NOMEM;
    }
    return UB_OK;
}

/* -- what fits --------------------------------------------------------------
 */

/* For each number of blocks the point of a front that takes so many, is fast
 * enough and has fewer DSPs than any with fewer blocks. */
static void find_cheap(merging *m, const ub__chunk_front *front,
                       double bottleneck)
{
    double least = INFINITY;

    for (int64_t b = 0; b <= m->blocks; b++)
        m->cheap[b] = -1;
    for (int64_t i = 0; i < front->n; i++) {
        const ub__chunk_point *p = &front->points[i];
        int64_t *cheap;

        if (p->cycles > bottleneck || p->bram > (double) m->blocks)
            continue;
        cheap = &m->cheap[(int64_t) p->bram];
        if (*cheap < 0 || p->dsp < front->points[*cheap].dsp)
            *cheap = i;
    }
    for (int64_t b = 0; b <= m->blocks; b++) {
        if (m->cheap[b] < 0)
            continue;
        if (front->points[m->cheap[b]].dsp >= least)
            m->cheap[b] = -1;
        else
            least = front->points[m->cheap[b]].dsp;
    }
}

/* Add a front to what is known of those before it. */
static void add_front(merging *m, int64_t index)
{
    const ub__chunk_point *points = m->fronts[index].points;
    int32_t *taken = m->taken + index * (m->blocks + 1);
    double *last;

    for (int64_t b = 0; b <= m->blocks; b++) {
        m->next[b] = INFINITY;
        taken[b] = -1;
    }
    for (int64_t used = 0; used <= m->blocks; used++) {
        const int64_t cheap = m->cheap[used];

        if (cheap < 0)
            continue;
        for (int64_t b = used; b <= m->blocks; b++) {
            const double dsp = m->best[b - used] + points[cheap].dsp;

            if (dsp < m->next[b]) {
                m->next[b] = dsp;
                taken[b] = (int32_t) cheap;
            }
        }
    }
    last = m->best;
    m->best = m->next;
    m->next = last;
}

static int fits(merging *m, double bottleneck)
{
    for (int64_t b = 0; b <= m->blocks; b++)
        m->best[b] = 0;
    for (int64_t i = 0; i < m->n; i++) {
        if (m->fronts[i].n == 0)
            continue;
        find_cheap(m, &m->fronts[i], bottleneck);
        add_front(m, i);
    }
    /* Infinite: no choice at all, which a limit of infinity would let pass. */
    return isfinite(m->best[m->blocks]) && m->best[m->blocks] <= m->dsp_limit;
}

/* -- the least bottleneck ----------------------------------------------------
 */

static int compare_cycles(const void *arg, int64_t a, int64_t b)
{
    const double *cycles = arg;

    return cycles[a] < cycles[b] ? -1 : cycles[a] > cycles[b];
}

/* Cycles of all points that may be the bottleneck, in order: not below any
 * chunk's fastest. */
static ub_status sort_cycles(ub_context *context, merging *m)
{
    double least = 0, *sorted;
    int64_t n = 0, *order;

    for (int64_t i = 0; i < m->n; i++) {
        if (m->fronts[i].n > 0)
            least = fmax(least, m->fronts[i].points[0].cycles);
    }
    for (int64_t i = 0; i < m->n; i++) {
        for (int64_t j = 0; j < m->fronts[i].n; j++) {
            if (m->fronts[i].points[j].cycles >= least)
                m->cycles[n++] = m->fronts[i].points[j].cycles;
        }
    }
    order = ub__alloc(context, (size_t) n, 2 * sizeof(*order));
    sorted = ub__alloc(context, (size_t) n, sizeof(*sorted));
    if (order != NULL && sorted != NULL) {
        for (int64_t i = 0; i < n; i++)
            order[i] = i;
        ub__merge_sort(n, order, order + n, compare_cycles, m->cycles);
        for (int64_t i = 0; i < n; i++)
            sorted[i] = m->cycles[order[i]];
        memcpy(m->cycles, sorted, (size_t) n * sizeof(*sorted));
        m->cycles_n = n;
    }
    ub__free(context, order);
    ub__free(context, sorted);
    return m->cycles_n == n && n > 0 ? UB_OK : UB_ERR_NOMEM;
}

/* The points behind the fewest DSPs, with as few blocks as that takes. */
static void trace_back(const merging *m, int64_t *choice)
{
    int64_t b = m->blocks;

    while (b > 0 && m->best[b - 1] == m->best[b])
        b--;
    for (int64_t i = m->n - 1; i >= 0; i--) {
        if (m->fronts[i].n == 0)
            continue;
        choice[i] = m->taken[i * (m->blocks + 1) + b];
        b -= (int64_t) m->fronts[i].points[choice[i]].bram;
    }
}

static ub_status bisect(merging *m, int64_t *choice, double *bottleneck)
{
    int64_t low = 0, high = m->cycles_n - 1;

    if (!fits(m, m->cycles[high]))
        return UB_ERR_RANGE;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;

        if (fits(m, m->cycles[middle]))
            high = middle;
        else
            low = middle + 1;
    }
    fits(m, m->cycles[high]);
    trace_back(m, choice);
    *bottleneck = m->cycles[high];
    return UB_OK;
}

/* The least bottleneck of a choice of one point from each front whose sums are
 * within the limits, and of those with it the one with the fewest DSPs, then
 * blocks. Fronts without points, of chunks without layers, are left out; choice
 * is the index of the point. UB_ERR_RANGE, without a sentence: there is none.
 */
static ub_status merge(ub_context *context, const ub__chunk_front *fronts,
                       int64_t n, double dsp_limit, int64_t bram_limit,
                       int64_t *choice, double *bottleneck)
{
    merging m = {
        .fronts = fronts, .n = n, .blocks = bram_limit, .dsp_limit = dsp_limit
    };
    ub_status status = merging_create(context, &m);

    if (status != UB_OK)
        return status;
    status = sort_cycles(context, &m);
    if (status == UB_OK)
        status = bisect(&m, choice, bottleneck);
    merging_clear(context, &m);
    return status;
}

/* -- all chunks ---------------------------------------------------------------
 */

/* The best number of copies; each has its share of the limits. */
static ub_status merge_copies(const ub_accelerator *a,
                              const ub__chunk_front *fronts, int64_t *choice)
{
    const ub_accelerator_options *o = &a->options;
    int64_t trial[UB__MAX_CHUNKS] = { 0 };
    double best = INFINITY;

    for (int64_t copies = 1; copies <= o->max_replicas; copies++) {
        double bottleneck;
        const ub_status status = merge(
            a->context, fronts, a->chunks, o->dsp_limit / (double) copies,
            o->bram_limit / copies, trial, &bottleneck);

        if (status == UB_ERR_RANGE)
            break;
        if (status != UB_OK)
            return status;
        if (bottleneck / (double) copies < best) {
            best = bottleneck / (double) copies;
            memcpy(choice, trial, sizeof(trial));
        }
    }
    if (best < INFINITY)
        return UB_OK;
    return ub__fail(a->context, UB_ERR_RANGE,
                    "accelerator: no configuration keeps to %g DSPs and %lld "
                    "blocks of memory",
                    o->dsp_limit, (long long) o->bram_limit);
}

/* Fronts of all chunks that have layers; none may be empty. */
static ub_status find_fronts(const ub_accelerator *a, const ub__load *load,
                             ub__chunk_front *fronts, int64_t *priced,
                             int64_t *points)
{
    ub_status status = UB_OK;

    *points = 0;
    for (int64_t c = 0; status == UB_OK && c < a->chunks; c++) {
        if (load->start[c] == load->start[c + 1])
            continue;
        status = ub__chunk_front_create(a, load, c, &fronts[c], priced);
        if (status == UB_OK && fronts[c].n == 0)
            status = ub__fail(a->context, UB_ERR_RANGE,
                              "accelerator: no configuration of chunk %lld "
                              "keeps to %g DSPs and %lld blocks of memory",
                              (long long) c, a->options.dsp_limit,
                              (long long) a->options.bram_limit);
        *points += fronts[c].n;
    }
    return status;
}

ub_status ub__chunks_solve(const ub_accelerator *accelerator,
                           const ub__load *load, int32_t *configuration,
                           int64_t *priced, int64_t *points)
{
    ub__chunk_front fronts[UB__MAX_CHUNKS] = { { NULL, 0 } };
    int64_t choice[UB__MAX_CHUNKS];
    ub_status status = find_fronts(accelerator, load, fronts, priced, points);

    if (status == UB_OK)
        status = merge_copies(accelerator, fronts, choice);
    if (status == UB_OK)
        ub__chunks_fill(accelerator, load, configuration);
    for (int64_t c = 0; c < accelerator->chunks; c++) {
        if (status == UB_OK && fronts[c].n > 0)
            memcpy(configuration + c * UB_CHUNK_FIELDS,
                   fronts[c].points[choice[c]].configuration,
                   UB_CHUNK_FIELDS * sizeof(*configuration));
        ub__chunk_front_clear(accelerator, &fronts[c]);
    }
    return status;
}
