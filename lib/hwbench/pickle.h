/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_HWBENCH_PICKLE_H
#define UBOOST_LIB_HWBENCH_PICKLE_H

#include "base/base.h"

/*
 * A reader for the part of Python's pickle format that tables of numbers are
 * written in: protocols 0 to 5, by Python 2 or 3, with NumPy's scalars and
 * arrays.
 *
 * A pickle is a program for a small stack machine. This one makes data of it
 * and executes nothing. The few names that a table needs (numpy.dtype,
 * numpy.ndarray, scalar, _reconstruct and _frombuffer of NumPy 1 and 2,
 * _codecs.encode with latin1, bytes(), collections.OrderedDict()) stand for
 * rules of this reader. Every other name, and every opcode that would make an
 * object of a class, is refused with UB_ERR_UNSUPPORTED; the error names the
 * opcode, the name and the offset in bytes.
 *
 * Time and memory are in proportion to the size of the input, whatever it
 * holds: no recursion, lengths are compared with what is left before anything
 * is allocated, and what the input shares (by its memo) stays shared. So the
 * result is a graph of nodes, in which a hostile input may even make a list an
 * item of itself: who descends must know how deep.
 */

/* All nodes of a pickle. Belongs to the thread of its context. */
typedef struct ub__pickle ub__pickle;

/* A node, valid as long as its pickle. Functions that take one also take
 * UB__PICKLE_ABSENT, which is of kind UB__PICKLE_OTHER. */
typedef uint32_t ub__pickle_node;
#define UB__PICKLE_ABSENT UINT32_MAX

typedef enum ub__pickle_kind {
    UB__PICKLE_NONE,
    UB__PICKLE_BOOL,
    UB__PICKLE_INT,    /* fits an int64_t; others are refused */
    UB__PICKLE_DOUBLE, /* may be infinite or NaN */
    UB__PICKLE_TEXT,   /* valid UTF-8; may hold NUL */
    UB__PICKLE_BYTES,  /* also a Python 2 string that is not ASCII */
    UB__PICKLE_LIST,   /* also a 1-d NumPy array of objects */
    UB__PICKLE_TUPLE,
    UB__PICKLE_DICT,  /* in order of the file */
    UB__PICKLE_ARRAY, /* NumPy array of numbers; its scalars are BOOL, INT,
                         DOUBLE */
    UB__PICKLE_OTHER  /* a dtype or a known name by itself: no data */
} ub__pickle_kind;

enum {
    UB__PICKLE_DIMENSIONS = 64,      /* of an array, at most */
    UB__PICKLE_MEMORY_FACTOR = 80,   /* bytes per byte of input, at most */
    UB__PICKLE_MEMORY_BASE = 1 << 14 /* and this for the smallest */
};
#define UB__PICKLE_INPUT ((size_t) 1 << 29) /* longer inputs are refused */

typedef struct ub__pickle_limits {
    size_t memory; /* bytes that may be held at once; 0: no other limit than
                      UB__PICKLE_MEMORY_FACTOR sets by itself */
} ub__pickle_limits;

/*
 * Read a pickle.
 *
 * @param bytes     borrowed until ub__pickle_destroy(): texts and arrays are
 *                  read from where they stand
 * @param limits    or NULL
 * @param[out] out  to be destroyed; untouched on failure
 *
 * @retval UB_ERR_FORMAT       no pickle, damaged, or one that Python would
 *                             refuse
 * @retval UB_ERR_UNSUPPORTED  more than data: a name or an opcode that is not
 *                             read, an integer of more than 64 bits
 * @retval UB_ERR_RANGE        input or memory beyond a limit
 * @retval UB_ERR_NOMEM
 */
ub_status ub__pickle_parse(ub_context *context, const void *bytes, size_t size,
                           const ub__pickle_limits *limits, ub__pickle **out);
void ub__pickle_destroy(ub__pickle **pickle);

/* Bytes up to and with the opcode STOP; what follows is not looked at. */
size_t ub__pickle_used(const ub__pickle *pickle);

/* The object that was pickled. */
ub__pickle_node ub__pickle_root(const ub__pickle *pickle);

ub__pickle_kind ub__pickle_kind_of(const ub__pickle *pickle,
                                   ub__pickle_node node);

/* Items of a list or tuple, pairs of a dict, elements of an array, bytes of a
 * text or of bytes; 0 for all else. */
size_t ub__pickle_length(const ub__pickle *pickle, ub__pickle_node node);

/* Item of a list or tuple, value of a dict's pair, and the key of it;
 * UB__PICKLE_ABSENT where there is none. */
ub__pickle_node ub__pickle_item(const ub__pickle *pickle, ub__pickle_node node,
                                size_t i);
ub__pickle_node ub__pickle_key(const ub__pickle *pickle, ub__pickle_node node,
                               size_t i);

/* Value of a text key, or UB__PICKLE_ABSENT. Looks at one key after the other.
 * Of a key that was set twice the last value, as in Python, though
 * ub__pickle_length() counts both. */
ub__pickle_node ub__pickle_get(const ub__pickle *pickle, ub__pickle_node node,
                               const char *key);

/* Start of a text or of bytes, without a NUL behind it; NULL for all else. */
const char *ub__pickle_text(const ub__pickle *pickle, ub__pickle_node node,
                            size_t *out_length);
int ub__pickle_text_is(const ub__pickle *pickle, ub__pickle_node node,
                       const char *text);

/* Value of a number: INT, DOUBLE, or an array without dimensions; and of an
 * integer alone, BOOL included. UB_ERR_FORMAT for all else. */
ub_status ub__pickle_double(const ub__pickle *pickle, ub__pickle_node node,
                            double *out);
ub_status ub__pickle_int(const ub__pickle *pickle, ub__pickle_node node,
                         int64_t *out);

/* Shape of an array; 0 for all else. */
int ub__pickle_dimensions(const ub__pickle *pickle, ub__pickle_node node);
int64_t ub__pickle_extent(const ub__pickle *pickle, ub__pickle_node node,
                          int axis);

/* Element of an array, rows first, or item of a list or tuple of numbers: for
 * who does not care which it is. UB_ERR_FORMAT where there is no number. */
ub_status ub__pickle_number(const ub__pickle *pickle, ub__pickle_node node,
                            size_t i, double *out);

#endif
