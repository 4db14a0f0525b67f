/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_HWBENCH_PICKLE_TREE_H
#define UBOOST_LIB_HWBENCH_PICKLE_TREE_H

#include "hwbench/pickle.h"

/* What the parts of the reader share; its users need hwbench/pickle.h alone. */

/* Kinds that are UB__PICKLE_OTHER to users. */
enum { UB__PICKLE_DTYPE = UB__PICKLE_OTHER + 1, UB__PICKLE_NAME };

/* Nodes that every tree begins with. No node has them twice. */
enum {
    UB__PICKLE_NODE_NONE,
    UB__PICKLE_NODE_FALSE,
    UB__PICKLE_NODE_TRUE,
    UB__PICKLE_NODE_EMPTY /* the empty tuple */
};

/* Types of elements. */
typedef enum ub__pickle_type {
    UB__PICKLE_TYPE_BOOL,
    UB__PICKLE_TYPE_SIGNED,
    UB__PICKLE_TYPE_UNSIGNED,
    UB__PICKLE_TYPE_FLOAT,
    UB__PICKLE_TYPE_OBJECT
} ub__pickle_type;

enum {
    UB__PICKLE_POOLED = 1, /* the bytes are in the pool, not in the input */
    UB__PICKLE_PYTHON2 = 2 /* a text that may as well have been bytes */
};

typedef struct ub__pickle_span {
    uint32_t first, count;
} ub__pickle_span;

/* A node. */
typedef struct ub__pickle_value {
    uint8_t kind;
    uint8_t flags;
    uint8_t type; /* DTYPE, ARRAY: ub__pickle_type; NAME: which */
    int8_t size;  /* DTYPE, ARRAY: bytes, negative when big-endian */
    /* LIST, DICT: items there is room for. ARRAY: the tuple with the shape.
     * TEXT: the node of its Latin-1 bytes, when they were asked for. */
    uint32_t extra;
    union {
        int64_t integer; /* BOOL, INT */
        double real;     /* DOUBLE */
        /* TEXT, BYTES: bytes. LIST, TUPLE, DICT: items, key and value in turn
         * in a dict. ARRAY: offset of the first byte, number of elements. */
        ub__pickle_span span;
    } as;
} ub__pickle_value;

_Static_assert(sizeof(ub__pickle_value) == 16, "the memory bound counts on it");

/* An array that grows. */
typedef struct ub__pickle_array {
    void *memory;
    uint32_t count, capacity;
} ub__pickle_array;

struct ub__pickle {
    ub_context *context;
    const unsigned char *bytes; /* the input */
    size_t used;
    size_t memory, memory_limit;
    ub__pickle_array values; /* ub__pickle_value */
    ub__pickle_array items;  /* ub__pickle_node */
    ub__pickle_array pool;   /* bytes that are not in the input as they are */
    ub__pickle_node root;
};

static inline ub__pickle_value *ub__pickle_value_of(const ub__pickle *pickle,
                                                    ub__pickle_node node)
{
    return (ub__pickle_value *) pickle->values.memory + node;
}

static inline ub__pickle_node *ub__pickle_items_of(const ub__pickle *pickle,
                                                   ub__pickle_span span)
{
    return (ub__pickle_node *) pickle->items.memory + span.first;
}

static inline const unsigned char *
ub__pickle_bytes_of(const ub__pickle *pickle, const ub__pickle_value *value)
{
    const unsigned char *bytes = value->flags & UB__PICKLE_POOLED
                                     ? pickle->pool.memory
                                     : pickle->bytes;

    return bytes + value->as.span.first;
}

/* -- pickle_tree.c -------------------------------------------------------- */

ub_status ub__pickle_create(ub_context *context, const void *bytes,
                            size_t memory_limit, ub__pickle **out);

/* Room for n more elements of so many bytes. */
ub_status ub__pickle_reserve(ub__pickle *pickle, ub__pickle_array *array,
                             size_t n, size_t size);
void ub__pickle_release(ub__pickle *pickle, ub__pickle_array *array,
                        size_t size);

ub_status ub__pickle_add(ub__pickle *pickle, ub__pickle_value value,
                         ub__pickle_node *out);
ub_status ub__pickle_add_tuple(ub__pickle *pickle, const ub__pickle_node *items,
                               uint32_t n, ub__pickle_node *out);

/* Append to a list or dict. */
ub_status ub__pickle_extend(ub__pickle *pickle, ub__pickle_node node,
                            const ub__pickle_node *items, uint32_t n);

/* -- pickle_element.c ----------------------------------------------------- */

/* Numbers of up to 8 bytes. */
uint64_t ub__pickle_load(const unsigned char *bytes, int size, int big);
double ub__pickle_load_double(const unsigned char *bytes, int big);

/* Element of an array as a node's value. */
ub_status ub__pickle_element(ub_context *context, const ub__pickle_value *dtype,
                             const unsigned char *bytes, ub__pickle_value *out);

/* -- pickle_text.c -------------------------------------------------------- */

/* A line of digits. */
ub_status ub__pickle_read_int(ub_context *context, const unsigned char *text,
                              size_t n, int64_t *out);
ub_status ub__pickle_read_double(ub_context *context, const unsigned char *text,
                                 size_t n, double *out);

/* Nodes of texts that begin at an offset of the input: UTF-8, a Python 2
 * string of bytes, one in quotes with escapes, one with \u escapes. */
ub_status ub__pickle_add_utf8(ub__pickle *pickle, size_t first, size_t n,
                              ub__pickle_node *out);
ub_status ub__pickle_add_python2(ub__pickle *pickle, size_t first, size_t n,
                                 ub__pickle_node *out);
ub_status ub__pickle_add_quoted(ub__pickle *pickle, size_t first, size_t n,
                                ub__pickle_node *out);
ub_status ub__pickle_add_unicode(ub__pickle *pickle, size_t first, size_t n,
                                 ub__pickle_node *out);

/* The bytes of a text in Latin-1. */
ub_status ub__pickle_latin1(ub__pickle *pickle, ub__pickle_node text,
                            ub__pickle_node *out);

/* -- pickle_names.c ------------------------------------------------------- */

/* The node of a known name. */
ub_status ub__pickle_add_name(ub__pickle *pickle, const char *module,
                              size_t module_length, const char *name,
                              size_t name_length, ub__pickle_node *out);

/* What REDUCE and BUILD make of known names. */
ub_status ub__pickle_reduce(ub__pickle *pickle, ub__pickle_node name,
                            ub__pickle_node arguments, ub__pickle_node *out);
ub_status ub__pickle_build(ub__pickle *pickle, ub__pickle_node node,
                           ub__pickle_node state);

#endif
