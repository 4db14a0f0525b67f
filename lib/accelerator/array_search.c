/* SPDX-License-Identifier: BSD-2-Clause */
#include "accelerator/array.h"
#include "strategy/strategy.h"

#include <math.h>
#include <string.h>

/* Rows, columns and dataflow, and cycles that they cannot do without. */
typedef struct shape {
    int32_t choices[UB_ARRAY_FIELDS];
    int32_t reserved;
    double bound;
} shape;

/* Banks and bandwidth, by their size. */
typedef struct memory {
    int32_t choices[UB_ARRAY_FIELDS];
    int32_t reserved;
    int64_t sram, bandwidth;
} memory;

typedef struct hunt {
    const ub_array_space *space;
    const ub_network *network;
    shape *shapes;
    memory *memories;
    int64_t shapes_n, memories_n;
    int64_t priced;
    int32_t best_choices[UB_ARRAY_FIELDS];
    int32_t found;
    ub_array_result best;
} hunt;

static int64_t value_of(const ub_array_space *space, const int32_t *choices,
                        int field)
{
    return space->options.values[field][choices[field]];
}

/* -- candidates ---------------------------------------------------------------
 */

/* Fewer cycles, then elements, bytes and bandwidth. */
static int better(const hunt *h, const ub_array_result *r,
                  const int32_t *choices)
{
    if (r->cycles != h->best.cycles)
        return r->cycles < h->best.cycles;
    if (r->elements != h->best.elements)
        return r->elements < h->best.elements;
    if (r->sram != h->best.sram)
        return r->sram < h->best.sram;
    return value_of(h->space, choices, UB_ARRAY_BANDWIDTH) <
           value_of(h->space, h->best_choices, UB_ARRAY_BANDWIDTH);
}

static ub_status note_progress(hunt *h)
{
    ub_progress progress = { .stage = "array" };

    progress.step = ++h->priced;
    progress.latency_ms = h->found ? h->best.latency_ms : 0;
    return ub__progress(h->space->context, &progress);
}

/* Price a candidate within the limits, and take it if it is the best. */
static ub_status try(hunt *h, const int32_t *choices, ub_array_result *result)
{
    ub_hardware hardware;
    ub_status status;

    *result = (ub_array_result){ .size = sizeof(*result) };
    ub__array_hardware(h->space, choices, &hardware);
    ub__array_measure(h->space, &hardware, result);
    if (result->excess != UB_ARRAY_FITS)
        return UB_OK;
    status = ub__array_price(h->space, h->network, &hardware,
                             h->space->options.pricing, result);
    if (status != UB_OK)
        return status;
    if (result->excess == UB_ARRAY_FITS &&
        (!h->found || better(h, result, choices))) {
        h->best = *result;
        memcpy(h->best_choices, choices, sizeof(h->best_choices));
        h->found = 1;
    }
    return note_progress(h);
}

/* Cycles with the largest banks and bandwidth, whatever the limits say. */
static ub_status price_relaxed(hunt *h, const shape *s, double *cycles)
{
    ub_array_result result = { .size = sizeof(result) };
    ub_hardware hardware;
    ub_status status;

    ub__array_hardware(h->space, s->choices, &hardware);
    status = ub__array_price(h->space, h->network, &hardware,
                             h->space->options.pricing, &result);
    if (status != UB_OK)
        return status;
    *cycles = result.cycles;
    return note_progress(h);
}

/* -- order --------------------------------------------------------------------
 */

static int compare_shapes(const void *arg, int64_t a, int64_t b)
{
    const shape *shapes = arg;

    return shapes[a].bound < shapes[b].bound
               ? -1
               : shapes[a].bound > shapes[b].bound;
}

static int compare_memories(const void *arg, int64_t a, int64_t b)
{
    const memory *m = arg;

    if (m[a].sram != m[b].sram)
        return m[a].sram < m[b].sram ? -1 : 1;
    return m[a].bandwidth < m[b].bandwidth ? -1
                                           : m[a].bandwidth > m[b].bandwidth;
}

/* 0 .. n - 1 in order, to be freed; NULL without memory. */
static int64_t *sort(ub_context *context, int64_t n, ub__compare_fn compare,
                     const void *items)
{
    int64_t *order = ub__alloc(context, (size_t) n, 2 * sizeof(*order));

    for (int64_t i = 0; order != NULL && i < n; i++)
        order[i] = i;
    if (order != NULL)
        ub__merge_sort(n, order, order + n, compare, items);
    return order;
}

/* A bound of the cycles of a shape: the formula's for stationary weights, for
 * the simulator streams each row of each tile too; MACs / elements otherwise.
 */
static ub_status bound_shape(const hunt *h, shape *s)
{
    ub_array_result result = { .size = sizeof(result) };
    ub_hardware hardware;
    ub_status status;

    ub__array_hardware(h->space, s->choices, &hardware);
    ub__array_measure(h->space, &hardware, &result);
    s->bound = (double) ub_network_macs(h->network) *
               (double) h->space->options.batch / (double) result.elements;
    if (hardware.dataflow != UB_DATAFLOW_WS || hardware.arrays != 1)
        return UB_OK;
    status = ub__array_price(h->space, h->network, &hardware, UB_ARRAY_IDEAL,
                             &result);
    if (status == UB_OK)
        s->bound = result.cycles;
    return status;
}

static ub_status list_shapes(hunt *h)
{
    const ub_array_options *o = &h->space->options;
    const int64_t *n = o->lengths;
    const int64_t all = n[UB_ARRAY_ROWS] * n[UB_ARRAY_COLUMNS] *
                        n[UB_ARRAY_DATAFLOW];
    ub_status status = UB_OK;

    h->shapes = ub__alloc(h->space->context, (size_t) all, sizeof(*h->shapes));
    if (h->shapes == NULL)
        return UB_ERR_NOMEM;
    for (int64_t i = 0; status == UB_OK && i < all; i++) {
        shape s = { { 0 }, 0, 0 };
        int64_t rest = i / n[UB_ARRAY_DATAFLOW];
        double elements = (double) h->space->base.arrays;

        s.choices[UB_ARRAY_DATAFLOW] = (int32_t) (i % n[UB_ARRAY_DATAFLOW]);
        s.choices[UB_ARRAY_COLUMNS] = (int32_t) (rest % n[UB_ARRAY_COLUMNS]);
        s.choices[UB_ARRAY_ROWS] = (int32_t) (rest / n[UB_ARRAY_COLUMNS]);
        elements *= (double) value_of(h->space, s.choices, UB_ARRAY_ROWS) *
                    (double) value_of(h->space, s.choices, UB_ARRAY_COLUMNS);
        if (elements > (double) o->element_limit)
            continue;
        status = bound_shape(h, &s);
        h->shapes[h->shapes_n++] = s;
    }
    return status;
}

/* Banks and bandwidth within the limit; the smallest only where they do not
 * matter. */
static ub_status list_memories(hunt *h)
{
    const ub_array_options *o = &h->space->options;
    const int64_t limit = o->sram_limit / h->space->base.arrays;
    int64_t all = 1;

    for (int f = UB_ARRAY_INPUT_BANK; f <= UB_ARRAY_BANDWIDTH; f++)
        all *= o->pricing == UB_ARRAY_IDEAL ? 1 : o->lengths[f];
    h->memories = ub__alloc(h->space->context, (size_t) all,
                            sizeof(*h->memories));
    if (h->memories == NULL)
        return UB_ERR_NOMEM;
    for (int64_t i = 0; i < all; i++) {
        memory m = { { 0 }, 0, 0, 0 };
        int64_t rest = i;

        for (int f = UB_ARRAY_INPUT_BANK; f <= UB_ARRAY_BANDWIDTH; f++) {
            /* The first is the last: the smallest. */
            m.choices[f] = (int32_t) (o->lengths[f] - 1 - rest % o->lengths[f]);
            rest /= o->lengths[f];
            if (f != UB_ARRAY_BANDWIDTH)
                m.sram += value_of(h->space, m.choices, f);
        }
        m.bandwidth = value_of(h->space, m.choices, UB_ARRAY_BANDWIDTH);
        if (m.sram <= limit)
            h->memories[h->memories_n++] = m;
    }
    return UB_OK;
}

/* -- engines ------------------------------------------------------------------
 */

/* All memories of a shape, to the first that is as fast as any can be. */
static ub_status search_shape(hunt *h, const shape *s, const int64_t *order)
{
    double least = s->bound;
    ub_status status = UB_OK;

    if (h->space->options.pricing == UB_ARRAY_SIMULATED)
        status = price_relaxed(h, s, &least);
    if (status != UB_OK || isinf(least) || (h->found && least > h->best.cycles))
        return status;
    for (int64_t i = 0; status == UB_OK && i < h->memories_n; i++) {
        int32_t choices[UB_ARRAY_FIELDS];
        ub_array_result result;

        memcpy(choices, h->memories[order[i]].choices, sizeof(choices));
        choices[UB_ARRAY_ROWS] = s->choices[UB_ARRAY_ROWS];
        choices[UB_ARRAY_COLUMNS] = s->choices[UB_ARRAY_COLUMNS];
        choices[UB_ARRAY_DATAFLOW] = s->choices[UB_ARRAY_DATAFLOW];
        status = try(h, choices, &result);
        if (status == UB_OK && result.cycles == least)
            break;
    }
    return status;
}

static ub_status search_all(hunt *h)
{
    ub_context *context = h->space->context;
    ub_status status = list_shapes(h);
    int64_t *by_bound = NULL, *by_size = NULL;

    if (status == UB_OK)
        status = list_memories(h);
    if (status == UB_OK) {
        by_bound = sort(context, h->shapes_n, compare_shapes, h->shapes);
        by_size = sort(context, h->memories_n, compare_memories, h->memories);
        if (by_bound == NULL || by_size == NULL)
            status = UB_ERR_NOMEM;
    }
    for (int64_t i = 0; status == UB_OK && i < h->shapes_n; i++) {
        const shape *s = &h->shapes[by_bound[i]];

        if (h->found && s->bound > h->best.cycles)
            break;
        status = search_shape(h, s, by_size);
    }
    ub__free(context, by_bound);
    ub__free(context, by_size);
    ub__free(context, h->shapes);
    ub__free(context, h->memories);
    return status;
}

static ub_status search_random(hunt *h, int64_t samples, ub_rng *rng)
{
    ub_status status = UB_OK;

    for (int64_t i = 0; status == UB_OK && i < samples; i++) {
        int32_t choices[UB_ARRAY_FIELDS];
        ub_array_result result;

        for (int f = 0; f < UB_ARRAY_FIELDS; f++)
            choices[f] = (int32_t) ub_rng_below(
                rng, (uint64_t) h->space->options.lengths[f]);
        status = try(h, choices, &result);
    }
    return status;
}

static ub_status check_call(const ub_array_space *space, int32_t engine,
                            int64_t samples, const ub_rng *rng,
                            const int32_t *choices, const ub_array_result *out)
{
    if (choices == NULL || out == NULL || out->size < sizeof(*out) ||
        samples < 0 || (engine == UB_ENGINE_RANDOM && rng == NULL))
        return ub__fail(space->context, UB_ERR_INVALID,
                        "array space: an argument is NULL, %lld samples, or "
                        "the size of the result is not set",
                        (long long) samples);
    if (engine != UB_ENGINE_EXACT && engine != UB_ENGINE_RANDOM)
        return ub__fail(space->context, UB_ERR_UNSUPPORTED,
                        "array space: engine %d", (int) engine);
    return UB_OK;
}

/* -- public --------------------------------------------------------------- */

ub_status ub_array_search(const ub_array_space *space,
                          const ub_network *network, int32_t engine,
                          int64_t samples, ub_rng *rng, int32_t *choices,
                          ub_array_result *out)
{
    hunt h = { .space = space, .network = network };
    ub_status status;

    if (space == NULL)
        return UB_ERR_INVALID;
    status = check_call(space, engine, samples, rng, choices, out);
    if (status == UB_OK)
        status = ub__array_check(space, network);
    if (status == UB_OK)
        status = engine == UB_ENGINE_EXACT ? search_all(&h)
                                           : search_random(&h, samples, rng);
    if (status == UB_OK && !h.found)
        status = ub__fail(space->context, UB_ERR_RANGE,
                          "array space: nothing found keeps to %lld elements "
                          "and %lld bytes",
                          (long long) space->options.element_limit,
                          (long long) space->options.sram_limit);
    if (status != UB_OK)
        return status;
    h.best.priced = h.priced;
    memcpy(choices, h.best_choices, sizeof(h.best_choices));
    ub__options_out(out, out->size, &h.best, sizeof(h.best));
    return UB_OK;
}
