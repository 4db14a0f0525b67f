/* SPDX-License-Identifier: BSD-2-Clause */
#include "hwbench/pickle_tree.h"

#include <string.h>

enum { FIRST_CAPACITY = 64 };

ub_status ub__pickle_reserve(ub__pickle *p, ub__pickle_array *array, size_t n,
                             size_t size)
{
    const size_t needed = array->count + n; /* both far from the limit */
    size_t capacity = 2 * (size_t) array->capacity;
    void *grown;

    if (needed <= array->capacity)
        return UB_OK;
    if (capacity < FIRST_CAPACITY)
        capacity = FIRST_CAPACITY;
    if (capacity < needed)
        capacity = needed;
    if (capacity > UINT32_MAX ||
        (p->memory_limit > 0 &&
         capacity > (p->memory_limit - p->memory) / size))
        return ub__fail(p->context, UB_ERR_RANGE,
                        "more than the memory limit of %zu bytes is needed",
                        p->memory_limit);
    grown = ub__realloc(p->context, array->memory, array->count, capacity,
                        size);
    if (grown == NULL)
        return UB_ERR_NOMEM;
    p->memory += (capacity - array->capacity) * size;
    array->memory = grown;
    array->capacity = (uint32_t) capacity;
    return UB_OK;
}

void ub__pickle_release(ub__pickle *p, ub__pickle_array *array, size_t size)
{
    p->memory -= array->capacity * size;
    ub__free(p->context, array->memory);
    memset(array, 0, sizeof(*array));
}

ub_status ub__pickle_add(ub__pickle *p, ub__pickle_value value,
                         ub__pickle_node *out)
{
    ub_status status = ub__pickle_reserve(p, &p->values, 1, sizeof(value));

    if (status != UB_OK)
        return status;
    *ub__pickle_value_of(p, p->values.count) = value;
    *out = p->values.count++;
    return UB_OK;
}

ub_status ub__pickle_add_tuple(ub__pickle *p, const ub__pickle_node *items,
                               uint32_t n, ub__pickle_node *out)
{
    ub__pickle_value tuple = { .kind = UB__PICKLE_TUPLE };
    ub_status status;

    status = ub__pickle_reserve(p, &p->items, n, sizeof(*items));
    if (status != UB_OK)
        return status;
    tuple.as.span = (ub__pickle_span){ p->items.count, n };
    if (n > 0)
        memcpy(ub__pickle_items_of(p, tuple.as.span), items,
               n * sizeof(*items));
    p->items.count += n;
    return ub__pickle_add(p, tuple, out);
}

/* Room for n more items of a list or dict: where it ends if nothing is behind
 * it, else elsewhere, twice as large, so that what is left behind is never more
 * than what is used. */
static ub_status make_room(ub__pickle *p, ub__pickle_value *value, uint32_t n)
{
    ub__pickle_span *span = &value->as.span;
    const uint32_t needed = span->count + n;
    uint32_t room = needed;
    ub_status status;

    if (needed <= value->extra)
        return UB_OK;
    if (span->first + value->extra != p->items.count) {
        if (room < 2 * value->extra)
            room = 2 * value->extra;
        status = ub__pickle_reserve(p, &p->items, room, sizeof(uint32_t));
        if (status != UB_OK)
            return status;
        if (span->count > 0)
            memcpy((uint32_t *) p->items.memory + p->items.count,
                   ub__pickle_items_of(p, *span),
                   span->count * sizeof(uint32_t));
        span->first = p->items.count;
        value->extra = 0;
    } else {
        status = ub__pickle_reserve(p, &p->items, room - value->extra,
                                    sizeof(uint32_t));
        if (status != UB_OK)
            return status;
    }
    p->items.count += room - value->extra;
    value->extra = room;
    return UB_OK;
}

ub_status ub__pickle_extend(ub__pickle *p, ub__pickle_node node,
                            const ub__pickle_node *items, uint32_t n)
{
    ub__pickle_value *value = ub__pickle_value_of(p, node);
    ub_status status = make_room(p, value, n);

    if (status != UB_OK || n == 0)
        return status;
    memcpy(ub__pickle_items_of(p, value->as.span) + value->as.span.count, items,
           n * sizeof(*items));
    value->as.span.count += n;
    return UB_OK;
}

ub_status ub__pickle_create(ub_context *context, const void *bytes,
                            size_t memory_limit, ub__pickle **out)
{
    static const ub__pickle_value first[] = {
        [UB__PICKLE_NODE_NONE] = { .kind = UB__PICKLE_NONE },
        [UB__PICKLE_NODE_FALSE] = { .kind = UB__PICKLE_BOOL },
        [UB__PICKLE_NODE_TRUE] = { .kind = UB__PICKLE_BOOL, .as.integer = 1 },
        [UB__PICKLE_NODE_EMPTY] = { .kind = UB__PICKLE_TUPLE },
    };
    ub__pickle *p = ub__calloc(context, 1, sizeof(*p));
    ub_status status = UB_OK;

    if (p == NULL)
        return UB_ERR_NOMEM;
    p->context = context;
    p->bytes = bytes;
    p->memory_limit = memory_limit;
    p->root = UB__PICKLE_ABSENT;
    for (size_t i = 0; i < sizeof(first) / sizeof(*first); i++) {
        ub__pickle_node node;

        status = ub__pickle_add(p, first[i], &node);
        if (status != UB_OK)
            break;
    }
    if (status != UB_OK) {
        ub__pickle_destroy(&p);
        return status;
    }
    *out = p;
    return UB_OK;
}

void ub__pickle_destroy(ub__pickle **pickle)
{
    ub__pickle *p = *pickle;

    *pickle = NULL;
    if (p == NULL)
        return;
    ub__free(p->context, p->values.memory);
    ub__free(p->context, p->items.memory);
    ub__free(p->context, p->pool.memory);
    ub__free(p->context, p);
}
