/* SPDX-License-Identifier: BSD-2-Clause */
#include "hwbench/pickle.h"

#include "hwbench/pickle_tree.h"

#include <string.h>

static const ub__pickle_value *value_of(const ub__pickle *p,
                                        ub__pickle_node node)
{
    static const ub__pickle_value absent = { .kind = UB__PICKLE_OTHER };

    return node < p->values.count ? ub__pickle_value_of(p, node) : &absent;
}

static int is_sequence(const ub__pickle_value *value)
{
    return value->kind == UB__PICKLE_LIST || value->kind == UB__PICKLE_TUPLE;
}

size_t ub__pickle_used(const ub__pickle *p)
{
    return p->used;
}

ub__pickle_node ub__pickle_root(const ub__pickle *p)
{
    return p->root;
}

ub__pickle_kind ub__pickle_kind_of(const ub__pickle *p, ub__pickle_node node)
{
    const int kind = value_of(p, node)->kind;

    return kind > UB__PICKLE_OTHER ? UB__PICKLE_OTHER : (ub__pickle_kind) kind;
}

size_t ub__pickle_length(const ub__pickle *p, ub__pickle_node node)
{
    const ub__pickle_value *value = value_of(p, node);

    switch (value->kind) {
    case UB__PICKLE_TEXT:
    case UB__PICKLE_BYTES:
    case UB__PICKLE_LIST:
    case UB__PICKLE_TUPLE:
    case UB__PICKLE_ARRAY: return value->as.span.count;
    case UB__PICKLE_DICT: return value->as.span.count / 2;
    default: return 0;
    }
}

ub__pickle_node ub__pickle_item(const ub__pickle *p, ub__pickle_node node,
                                size_t i)
{
    const ub__pickle_value *value = value_of(p, node);

    if (is_sequence(value) && i < value->as.span.count)
        return ub__pickle_items_of(p, value->as.span)[i];
    if (value->kind == UB__PICKLE_DICT && i < value->as.span.count / 2)
        return ub__pickle_items_of(p, value->as.span)[2 * i + 1];
    return UB__PICKLE_ABSENT;
}

ub__pickle_node ub__pickle_key(const ub__pickle *p, ub__pickle_node node,
                               size_t i)
{
    const ub__pickle_value *value = value_of(p, node);

    if (value->kind == UB__PICKLE_DICT && i < value->as.span.count / 2)
        return ub__pickle_items_of(p, value->as.span)[2 * i];
    return UB__PICKLE_ABSENT;
}

ub__pickle_node ub__pickle_get(const ub__pickle *p, ub__pickle_node node,
                               const char *key)
{
    for (size_t i = ub__pickle_length(p, node); i-- > 0;) {
        if (ub__pickle_text_is(p, ub__pickle_key(p, node, i), key))
            return ub__pickle_item(p, node, i);
    }
    return UB__PICKLE_ABSENT;
}

const char *ub__pickle_text(const ub__pickle *p, ub__pickle_node node,
                            size_t *out_length)
{
    const ub__pickle_value *value = value_of(p, node);

    if (value->kind != UB__PICKLE_TEXT && value->kind != UB__PICKLE_BYTES)
        return NULL;
    *out_length = value->as.span.count;
    return value->as.span.count == 0
               ? ""
               : (const char *) ub__pickle_bytes_of(p, value);
}

int ub__pickle_text_is(const ub__pickle *p, ub__pickle_node node,
                       const char *text)
{
    size_t length;
    const char *own = ub__pickle_text(p, node, &length);

    return own != NULL && value_of(p, node)->kind == UB__PICKLE_TEXT &&
           strlen(text) == length && memcmp(own, text, length) == 0;
}

int ub__pickle_dimensions(const ub__pickle *p, ub__pickle_node node)
{
    const ub__pickle_value *value = value_of(p, node);

    if (value->kind != UB__PICKLE_ARRAY)
        return 0;
    return (int) ub__pickle_value_of(p, value->extra)->as.span.count;
}

int64_t ub__pickle_extent(const ub__pickle *p, ub__pickle_node node, int axis)
{
    const ub__pickle_value *value = value_of(p, node), *shape;

    if (axis < 0 || axis >= ub__pickle_dimensions(p, node))
        return 0;
    shape = ub__pickle_value_of(p, value->extra);
    node = ub__pickle_items_of(p, shape->as.span)[axis];
    return ub__pickle_value_of(p, node)->as.integer;
}

/* -- numbers -------------------------------------------------------------- */

/* The one element of an array without dimensions; other nodes are left. */
static ub_status scalar_of(const ub__pickle *p, ub__pickle_node node,
                           ub__pickle_value *out)
{
    const ub__pickle_value *value = value_of(p, node);

    if (value->kind == UB__PICKLE_ARRAY && ub__pickle_dimensions(p, node) == 0)
        return ub__pickle_element(p->context, value,
                                  ub__pickle_bytes_of(p, value), out);
    *out = *value;
    return UB_OK;
}

/* Every element has a double, while some have no int64_t. */
static double element_double(const ub__pickle *p, const ub__pickle_value *array,
                             size_t i)
{
    const int big = array->size < 0, size = big ? -array->size : array->size;
    const unsigned char *bytes = ub__pickle_bytes_of(p, array);
    ub__pickle_value value;

    bytes += i * (size_t) size;
    if (array->type == UB__PICKLE_TYPE_UNSIGNED)
        return (double) ub__pickle_load(bytes, size, big);
    /* Cannot fail: no other type does. */
    (void) !ub__pickle_element(p->context, array, bytes, &value);
    return value.kind == UB__PICKLE_DOUBLE ? value.as.real
                                           : (double) value.as.integer;
}

ub_status ub__pickle_double(const ub__pickle *p, ub__pickle_node node,
                            double *out)
{
    const ub__pickle_value *value = value_of(p, node);

    switch (value->kind) {
    case UB__PICKLE_INT: *out = (double) value->as.integer; return UB_OK;
    case UB__PICKLE_DOUBLE: *out = value->as.real; return UB_OK;
    case UB__PICKLE_ARRAY:
        if (ub__pickle_dimensions(p, node) == 0) {
            *out = element_double(p, value, 0);
            return UB_OK;
        }
        break;
    default: break;
    }
    return ub__fail(p->context, UB_ERR_FORMAT,
                    "pickle: a value that should be a number is none");
}

ub_status ub__pickle_int(const ub__pickle *p, ub__pickle_node node,
                         int64_t *out)
{
    ub__pickle_value value;
    ub_status status = scalar_of(p, node, &value);

    if (status != UB_OK)
        return status;
    if (value.kind != UB__PICKLE_INT && value.kind != UB__PICKLE_BOOL)
        return ub__fail(p->context, UB_ERR_FORMAT,
                        "pickle: a value that should be an integer is none");
    *out = value.as.integer;
    return UB_OK;
}

ub_status ub__pickle_number(const ub__pickle *p, ub__pickle_node node, size_t i,
                            double *out)
{
    const ub__pickle_value *value = value_of(p, node);

    if (value->kind == UB__PICKLE_ARRAY && i < value->as.span.count) {
        *out = element_double(p, value, i);
        return UB_OK;
    }
    if (!is_sequence(value) || i >= value->as.span.count)
        return ub__fail(p->context, UB_ERR_FORMAT,
                        "pickle: there is no number with index %zu", i);
    return ub__pickle_double(p, ub__pickle_items_of(p, value->as.span)[i], out);
}
