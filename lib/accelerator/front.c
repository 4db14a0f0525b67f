/* SPDX-License-Identifier: BSD-2-Clause */
#include "accelerator/accelerator.h"

#include <string.h>

#define MAX_CONFIGURATIONS ((double) (1 << 26))

enum { FIRST_ROOM = 256 };

/* Configurations found so far; when there is no room, those on the front stay.
 */
typedef struct collection {
    const ub_accelerator *accelerator;
    const ub__load *load;
    int64_t chunk, priced;
    const ub_chunk_space *space;
    ub__chunk_point *points; /* the first are a front, by cycles */
    int64_t n, room, front;
} collection;

/* -- the front --------------------------------------------------------------
 */

static int equal(const ub__chunk_point *a, const ub__chunk_point *b)
{
    return a->cycles == b->cycles && a->dsp == b->dsp && a->bram == b->bram;
}

/* Points of the front in order, the first of equal ones, and room for more. */
static ub_status keep_front(collection *c, const int64_t *front, int64_t n)
{
    int64_t room = c->room;
    ub__chunk_point *points;
    int64_t kept = 0;

    while (room < 2 * n)
        room *= 2;
    points = ub__alloc(c->accelerator->context, (size_t) room, sizeof(*points));
    if (points == NULL)
        return UB_ERR_NOMEM;
    for (int64_t i = 0; i < n; i++) {
        if (kept == 0 || !equal(&points[kept - 1], &c->points[front[i]]))
            points[kept++] = c->points[front[i]];
    }
    ub__free(c->accelerator->context, c->points);
    c->points = points;
    c->room = room;
    c->n = c->front = kept;
    return UB_OK;
}

static ub_status prune(collection *c)
{
    ub_context *context = c->accelerator->context;
    double *values = ub__alloc(context, (size_t) c->n, 3 * sizeof(*values));
    int64_t *front = ub__alloc(context, (size_t) c->n, sizeof(*front));
    ub_status status = UB_ERR_NOMEM;
    int64_t n = 0;

    if (values != NULL && front != NULL) {
        for (int64_t i = 0; i < c->n; i++) {
            values[3 * i] = c->points[i].cycles;
            values[3 * i + 1] = c->points[i].dsp;
            values[3 * i + 2] = c->points[i].bram;
        }
        status = ub_pareto_front(context, c->n, 3, values, NULL, front, &n);
    }
    if (status == UB_OK)
        status = keep_front(c, front, n);
    ub__free(context, values);
    ub__free(context, front);
    return status;
}

/* -- all configurations ------------------------------------------------------
 */

/* Whether an unroll matters other than by what it costs. Elsewhere the smallest
 * is as fast as any other. Rows and columns that are not unrolled only make the
 * reference's halo larger, channels of the modes by rows do nothing, but for
 * the banks that depthwise rows are loaded from. */
static int matters(int depthwise, int32_t mode, int dimension)
{
    const int by_rows = mode == (depthwise ? 1 : 2);

    switch (dimension) {
    case 0: return by_rows;
    case 2: return depthwise || !by_rows;
    case 3: return !depthwise && !by_rows;
    default: return 0;
    }
}

static double count_pairs(const ub_chunk_space *space, int depthwise)
{
    int32_t modes[3];
    const int n = ub__chunk_modes(space, modes);
    double sum = 0;

    for (int m = 0; m < n; m++) {
        double product = 1;

        for (int d = 0; d < UB__DIMENSIONS; d++) {
            const double length = space->lengths[d];

            product *= matters(depthwise, modes[m], d)
                           ? length * (length + 1) / 2
                           : length;
        }
        sum += product;
    }
    return sum;
}

/* Whether the front so far has something as good in all respects. */
static int covered(const collection *c, const ub__chunk_use *use)
{
    for (int64_t i = 0; i < c->front; i++) {
        const ub__chunk_point *p = &c->points[i];

        if (p->cycles > use->cycles)
            return 0;
        if (p->dsp <= use->dsp && p->bram <= use->bram)
            return 1;
    }
    return 0;
}

static ub_status price_point(collection *c, const int32_t *configuration)
{
    const ub_accelerator_options *o = &c->accelerator->options;
    const ub__chunk_use use = ub__load_use(c->accelerator, c->load, c->chunk,
                                           configuration);
    ub__chunk_point *point;

    c->priced++;
    if (use.dsp > o->dsp_limit || use.bram > (double) o->bram_limit ||
        covered(c, &use))
        return UB_OK;
    if (c->n == c->room) {
        const ub_status status = prune(c);

        if (status != UB_OK)
            return status;
    }
    point = &c->points[c->n++];
    *point = (ub__chunk_point){ use.cycles, use.dsp, use.bram, { 0 }, 0 };
    memcpy(point->configuration, configuration, sizeof(point->configuration));
    return UB_OK;
}

/* All tiles and unrolls of dimensions from this one on. */
static ub_status enumerate(collection *c, int dimension, int32_t *configuration)
{
    const int32_t *values;
    ub_status status = UB_OK;
    int32_t n;

    if (dimension == UB__DIMENSIONS)
        return price_point(c, configuration);
    values = c->space->values[dimension];
    n = c->space->lengths[dimension];
    for (int32_t tile = 0; status == UB_OK && tile < n; tile++) {
        const int all = matters(ub__chunk_depthwise(c->chunk),
                                configuration[UB_CHUNK_MODE], dimension);

        configuration[UB_CHUNK_TILE_ROWS + dimension] = values[tile];
        for (int32_t unroll = all ? tile : n - 1; status == UB_OK && unroll < n;
             unroll++) {
            configuration[UB_CHUNK_UNROLL_ROWS + dimension] = values[unroll];
            status = enumerate(c, dimension + 1, configuration);
        }
    }
    return status;
}

static ub_status collect(collection *c)
{
    int32_t modes[3];
    const int n = ub__chunk_modes(c->space, modes);
    ub_status status = UB_OK;

    for (int m = 0; status == UB_OK && m < n; m++) {
        int32_t configuration[UB_CHUNK_FIELDS] = { modes[m] };

        status = enumerate(c, 0, configuration);
    }
    return status == UB_OK && c->n > 0 ? prune(c) : status;
}

ub_status ub__chunk_front_create(const ub_accelerator *accelerator,
                                 const ub__load *load, int64_t chunk,
                                 ub__chunk_front *out, int64_t *priced)
{
    const ub_chunk_space *space = ub__chunk_space_of(accelerator, chunk);
    collection c = { .accelerator = accelerator,
                     .load = load,
                     .chunk = chunk,
                     .space = space,
                     .room = FIRST_ROOM };
    ub_status status;

    if (count_pairs(space, ub__chunk_depthwise(chunk)) > MAX_CONFIGURATIONS)
        return ub__fail(accelerator->context, UB_ERR_RANGE,
                        "accelerator: chunk %lld has too many configurations",
                        (long long) chunk);
    c.points = ub__alloc(accelerator->context, (size_t) c.room,
                         sizeof(*c.points));
    if (c.points == NULL)
        return UB_ERR_NOMEM;
    status = collect(&c);
    if (status != UB_OK) {
        ub__free(accelerator->context, c.points);
        return status;
    }
    *priced += c.priced;
    *out = (ub__chunk_front){ c.points, c.n };
    return UB_OK;
}

void ub__chunk_front_clear(const ub_accelerator *accelerator,
                           ub__chunk_front *front)
{
    ub__free(accelerator->context, front->points);
    *front = (ub__chunk_front){ NULL, 0 };
}
