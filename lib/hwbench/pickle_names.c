/* SPDX-License-Identifier: BSD-2-Clause */
#include "hwbench/pickle_tree.h"

#include <string.h>

typedef enum known_name {
    NAME_DTYPE,
    NAME_NDARRAY,
    NAME_SCALAR,
    NAME_RECONSTRUCT,
    NAME_FROMBUFFER,
    NAME_ENCODE,
    NAME_BYTES,
    NAME_ORDERED_DICT
} known_name;

static const struct {
    char module[24], name[16];
    known_name id;
} known[] = {
    { "numpy", "dtype", NAME_DTYPE },
    { "numpy", "ndarray", NAME_NDARRAY },
    { "numpy.core.multiarray", "scalar", NAME_SCALAR },
    { "numpy._core.multiarray", "scalar", NAME_SCALAR },
    { "numpy.core.multiarray", "_reconstruct", NAME_RECONSTRUCT },
    { "numpy._core.multiarray", "_reconstruct", NAME_RECONSTRUCT },
    { "numpy.core.numeric", "_frombuffer", NAME_FROMBUFFER },
    { "numpy._core.numeric", "_frombuffer", NAME_FROMBUFFER },
    { "_codecs", "encode", NAME_ENCODE },
    { "__builtin__", "bytes", NAME_BYTES },
    { "builtins", "bytes", NAME_BYTES },
    { "collections", "OrderedDict", NAME_ORDERED_DICT },
};

/* Part of a name for a message: the input's own characters might be any. */
static void printable(const char *text, size_t n, char out[64])
{
    size_t i = 0;

    for (; i < n && i < 60; i++)
        out[i] = (char) (text[i] > ' ' && text[i] < 127 ? text[i] : '?');
    out[i] = '\0';
}

ub_status ub__pickle_add_name(ub__pickle *p, const char *module,
                              size_t module_length, const char *name,
                              size_t name_length, ub__pickle_node *out)
{
    char shown_module[64], shown_name[64];

    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        if (strlen(known[i].module) == module_length &&
            memcmp(known[i].module, module, module_length) == 0 &&
            strlen(known[i].name) == name_length &&
            memcmp(known[i].name, name, name_length) == 0) {
            const ub__pickle_value value = { .kind = UB__PICKLE_NAME,
                                             .type = (uint8_t) known[i].id };

            return ub__pickle_add(p, value, out);
        }
    }
    printable(module, module_length, shown_module);
    printable(name, name_length, shown_name);
    return ub__fail(p->context, UB_ERR_UNSUPPORTED,
                    "%s.%s is not among the names that are read", shown_module,
                    shown_name);
}

/* -- arguments ------------------------------------------------------------ */

static ub__pickle_value *argument(const ub__pickle *p, ub__pickle_node tuple,
                                  uint32_t i)
{
    const ub__pickle_value *value = ub__pickle_value_of(p, tuple);

    return ub__pickle_value_of(p, ub__pickle_items_of(p, value->as.span)[i]);
}

static uint32_t count(const ub__pickle *p, ub__pickle_node tuple)
{
    return ub__pickle_value_of(p, tuple)->as.span.count;
}

static int text_is(const ub__pickle *p, const ub__pickle_value *value,
                   const char *text)
{
    return (value->kind == UB__PICKLE_TEXT ||
            value->kind == UB__PICKLE_BYTES) &&
           value->as.span.count == strlen(text) &&
           memcmp(ub__pickle_bytes_of(p, value), text, strlen(text)) == 0;
}

static int is_data(const ub__pickle_value *value)
{
    return value->kind == UB__PICKLE_BYTES ||
           (value->kind == UB__PICKLE_TEXT &&
            (value->flags & UB__PICKLE_PYTHON2));
}

static ub_status wrong(const ub__pickle *p, const char *name)
{
    return ub__fail(p->context, UB_ERR_FORMAT,
                    "%s with other arguments than "
                    "NumPy writes",
                    name);
}

/* -- dtype ---------------------------------------------------------------- */

static const struct {
    char code[4];
    uint8_t type;
    int8_t size;
} types[] = {
    { "f8", UB__PICKLE_TYPE_FLOAT, 8 },
    { "f4", UB__PICKLE_TYPE_FLOAT, 4 },
    { "i8", UB__PICKLE_TYPE_SIGNED, 8 },
    { "i4", UB__PICKLE_TYPE_SIGNED, 4 },
    { "i2", UB__PICKLE_TYPE_SIGNED, 2 },
    { "i1", UB__PICKLE_TYPE_SIGNED, 1 },
    { "u8", UB__PICKLE_TYPE_UNSIGNED, 8 },
    { "u4", UB__PICKLE_TYPE_UNSIGNED, 4 },
    { "u2", UB__PICKLE_TYPE_UNSIGNED, 2 },
    { "u1", UB__PICKLE_TYPE_UNSIGNED, 1 },
    { "b1", UB__PICKLE_TYPE_BOOL, 1 },
    { "O8", UB__PICKLE_TYPE_OBJECT, 8 },
    { "O4", UB__PICKLE_TYPE_OBJECT, 4 },
};

/* dtype(code, align, copy), little-endian until its state says otherwise. */
static ub_status make_dtype(ub__pickle *p, ub__pickle_node arguments,
                            ub__pickle_node *out)
{
    const ub__pickle_value *code;
    char shown[64];

    if (count(p, arguments) < 1 || count(p, arguments) > 3)
        return wrong(p, "dtype");
    code = argument(p, arguments, 0);
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        const ub__pickle_value value = { .kind = UB__PICKLE_DTYPE,
                                         .type = types[i].type,
                                         .size = types[i].size };

        if (text_is(p, code, types[i].code))
            return ub__pickle_add(p, value, out);
    }
    if (code->kind != UB__PICKLE_TEXT)
        return wrong(p, "dtype");
    printable((const char *) ub__pickle_bytes_of(p, code), code->as.span.count,
              shown);
    return ub__fail(p->context, UB_ERR_UNSUPPORTED,
                    "elements of dtype %s are not read", shown);
}

/* (3, order, subarray, names, fields, size, alignment, flags) */
static ub_status build_dtype(ub__pickle *p, ub__pickle_node node,
                             ub__pickle_node state)
{
    ub__pickle_value *dtype = ub__pickle_value_of(p, node);
    const ub__pickle_value *order;

    if (count(p, state) < 8 || argument(p, state, 0)->kind != UB__PICKLE_INT)
        return wrong(p, "the state of a dtype");
    if (argument(p, state, 0)->as.integer != 3 || count(p, state) != 8)
        return ub__fail(p->context, UB_ERR_UNSUPPORTED,
                        "a dtype of another version than 3");
    for (uint32_t i = 2; i < 5; i++) {
        if (argument(p, state, i)->kind != UB__PICKLE_NONE)
            return ub__fail(p->context, UB_ERR_UNSUPPORTED,
                            "dtypes with fields or subarrays are not read");
    }
    order = argument(p, state, 1);
    if (!text_is(p, order, "<") && !text_is(p, order, ">") &&
        !(text_is(p, order, "|") &&
          (dtype->size == 1 || dtype->type == UB__PICKLE_TYPE_OBJECT)))
        return wrong(p, "the byte order of a dtype");
    if ((dtype->size < 0) != text_is(p, order, ">"))
        dtype->size = (int8_t) -dtype->size;
    return UB_OK;
}

/* -- scalars and arrays --------------------------------------------------- */

/* scalar(dtype, bytes) */
static ub_status make_scalar(ub__pickle *p, ub__pickle_node arguments,
                             ub__pickle_node *out)
{
    const ub__pickle_value *dtype, *data;
    ub__pickle_value value;
    ub_status status;
    int size;

    if (count(p, arguments) != 2)
        return wrong(p, "scalar");
    dtype = argument(p, arguments, 0);
    data = argument(p, arguments, 1);
    if (dtype->kind != UB__PICKLE_DTYPE || !is_data(data))
        return wrong(p, "scalar");
    size = dtype->size < 0 ? -dtype->size : dtype->size;
    if (data->as.span.count != (uint32_t) size)
        return ub__fail(p->context, UB_ERR_FORMAT,
                        "a scalar of %d bytes has %lu", size,
                        (unsigned long) data->as.span.count);
    status = ub__pickle_element(p->context, dtype, ub__pickle_bytes_of(p, data),
                                &value);
    if (status != UB_OK)
        return status;
    return ub__pickle_add(p, value, out);
}

/* _reconstruct(ndarray, (0,), b"b"): an empty array of int8. BUILD fills it. */
static ub_status make_empty(ub__pickle *p, ub__pickle_node arguments,
                            ub__pickle_node *out)
{
    ub__pickle_value value = { .kind = UB__PICKLE_ARRAY,
                               .type = UB__PICKLE_TYPE_SIGNED,
                               .size = 1 };
    const ub__pickle_value *name, *shape;

    if (count(p, arguments) != 3)
        return wrong(p, "_reconstruct");
    name = argument(p, arguments, 0);
    shape = argument(p, arguments, 1);
    if (name->kind != UB__PICKLE_NAME || name->type != NAME_NDARRAY ||
        shape->kind != UB__PICKLE_TUPLE || shape->as.span.count != 1 ||
        !text_is(p, argument(p, arguments, 2), "b"))
        return wrong(p, "_reconstruct");
    value.extra = ub__pickle_items_of(
        p, ub__pickle_value_of(p, arguments)->as.span)[1];
    if (argument(p, value.extra, 0)->kind != UB__PICKLE_INT ||
        argument(p, value.extra, 0)->as.integer != 0)
        return wrong(p, "_reconstruct");
    return ub__pickle_add(p, value, out);
}

/* Elements of a shape. */
static ub_status elements(const ub__pickle *p, ub__pickle_node shape,
                          int64_t *out)
{
    int64_t n = 1;

    if (ub__pickle_value_of(p, shape)->kind != UB__PICKLE_TUPLE)
        return wrong(p, "the shape of an array");
    if (count(p, shape) > UB__PICKLE_DIMENSIONS)
        return ub__fail(p->context, UB_ERR_FORMAT, "an array of %lu dimensions",
                        (unsigned long) count(p, shape));
    for (uint32_t i = 0; i < count(p, shape); i++) {
        const ub__pickle_value *extent = argument(p, shape, i);

        if (extent->kind != UB__PICKLE_INT || extent->as.integer < 0 ||
            !ub__mul_int64(n, extent->as.integer, &n))
            return wrong(p, "the shape of an array");
    }
    *out = n;
    return UB_OK;
}

/* Fill in an array of numbers. */
static ub_status set_array(ub__pickle *p, ub__pickle_value *array,
                           ub__pickle_node shape, const ub__pickle_value *dtype,
                           const ub__pickle_value *data)
{
    const int size = dtype->size < 0 ? -dtype->size : dtype->size;
    ub_status status;
    int64_t n;

    if (!is_data(data))
        return wrong(p, "the data of an array");
    status = elements(p, shape, &n);
    if (status != UB_OK)
        return status;
    if (n > UINT32_MAX || n * size != data->as.span.count)
        return ub__fail(p->context, UB_ERR_FORMAT,
                        "an array of %lld times %d bytes has %lu",
                        (long long) n, size,
                        (unsigned long) data->as.span.count);
    *array = (ub__pickle_value){ .kind = UB__PICKLE_ARRAY,
                                 .flags = data->flags & UB__PICKLE_POOLED,
                                 .type = dtype->type,
                                 .size = dtype->size,
                                 .extra = shape };
    array->as.span = (ub__pickle_span){ data->as.span.first, (uint32_t) n };
    return UB_OK;
}

/* An array of objects becomes a list with the same items: as one that has no
 * room, so that neither grows into the other. */
static ub_status set_objects(ub__pickle *p, ub__pickle_value *array,
                             ub__pickle_node shape,
                             const ub__pickle_value *data)
{
    ub_status status;
    int64_t n;

    status = elements(p, shape, &n);
    if (status != UB_OK)
        return status;
    if (count(p, shape) != 1)
        return ub__fail(p->context, UB_ERR_UNSUPPORTED,
                        "an array of objects of %lu dimensions",
                        (unsigned long) count(p, shape));
    if (data->kind != UB__PICKLE_LIST || data->as.span.count != n)
        return wrong(p, "the objects of an array");
    *array = (ub__pickle_value){ .kind = UB__PICKLE_LIST,
                                 .extra = (uint32_t) n,
                                 .as.span = data->as.span };
    return UB_OK;
}

/* Only rows first, or where it is the same. */
static ub_status need_rows_first(const ub__pickle *p, int columns_first,
                                 ub__pickle_node shape)
{
    if (columns_first &&
        (ub__pickle_value_of(p, shape)->kind != UB__PICKLE_TUPLE ||
         count(p, shape) > 1))
        return ub__fail(p->context, UB_ERR_UNSUPPORTED,
                        "arrays in Fortran's order are not read");
    return UB_OK;
}

/* (1, shape, dtype, in Fortran's order, data) */
static ub_status build_array(ub__pickle *p, ub__pickle_node node,
                             ub__pickle_node state)
{
    ub__pickle_value *array = ub__pickle_value_of(p, node);
    const ub__pickle_value *version, *dtype, *columns, *data;
    ub__pickle_node shape;
    ub_status status;

    if (count(p, state) != 5)
        return wrong(p, "the state of an array");
    version = argument(p, state, 0);
    shape = ub__pickle_items_of(p, ub__pickle_value_of(p, state)->as.span)[1];
    dtype = argument(p, state, 2);
    columns = argument(p, state, 3);
    data = argument(p, state, 4);
    if (version->kind != UB__PICKLE_INT || version->as.integer != 1 ||
        dtype->kind != UB__PICKLE_DTYPE ||
        (columns->kind != UB__PICKLE_BOOL && columns->kind != UB__PICKLE_INT))
        return wrong(p, "the state of an array");
    status = need_rows_first(p, columns->as.integer != 0, shape);
    if (status != UB_OK)
        return status;
    if (dtype->type == UB__PICKLE_TYPE_OBJECT)
        return set_objects(p, array, shape, data);
    return set_array(p, array, shape, dtype, data);
}

/* _frombuffer(data, dtype, shape, order) */
static ub_status make_from_buffer(ub__pickle *p, ub__pickle_node arguments,
                                  ub__pickle_node *out)
{
    const ub__pickle_value *data, *dtype, *order;
    ub__pickle_value array;
    ub__pickle_node shape;
    ub_status status;

    if (count(p, arguments) != 4)
        return wrong(p, "_frombuffer");
    data = argument(p, arguments, 0);
    dtype = argument(p, arguments, 1);
    shape = ub__pickle_items_of(p,
                                ub__pickle_value_of(p, arguments)->as.span)[2];
    order = argument(p, arguments, 3);
    if (dtype->kind != UB__PICKLE_DTYPE ||
        dtype->type == UB__PICKLE_TYPE_OBJECT ||
        (!text_is(p, order, "C") && !text_is(p, order, "F")))
        return wrong(p, "_frombuffer");
    status = need_rows_first(p, text_is(p, order, "F"), shape);
    if (status != UB_OK)
        return status;
    status = set_array(p, &array, shape, dtype, data);
    if (status != UB_OK)
        return status;
    return ub__pickle_add(p, array, out);
}

/* -- others --------------------------------------------------------------- */

/* encode(text, "latin1"): how protocols 0 to 2 write bytes. */
static ub_status make_encoded(ub__pickle *p, ub__pickle_node arguments,
                              ub__pickle_node *out)
{
    ub__pickle_node text;

    if (count(p, arguments) != 2 ||
        argument(p, arguments, 0)->kind != UB__PICKLE_TEXT)
        return wrong(p, "encode");
    if (!text_is(p, argument(p, arguments, 1), "latin1") &&
        !text_is(p, argument(p, arguments, 1), "latin-1"))
        return ub__fail(p->context, UB_ERR_UNSUPPORTED,
                        "encode to anything but latin1 is not read");
    text = *ub__pickle_items_of(p, ub__pickle_value_of(p, arguments)->as.span);
    return ub__pickle_latin1(p, text, out);
}

static ub_status make_without_arguments(ub__pickle *p,
                                        ub__pickle_node arguments,
                                        ub__pickle_kind kind,
                                        ub__pickle_node *out)
{
    const ub__pickle_value value = { .kind = (uint8_t) kind };

    if (count(p, arguments) != 0)
        return ub__fail(p->context, UB_ERR_UNSUPPORTED,
                        "this call is read without arguments only");
    return ub__pickle_add(p, value, out);
}

ub_status ub__pickle_reduce(ub__pickle *p, ub__pickle_node name,
                            ub__pickle_node arguments, ub__pickle_node *out)
{
    const ub__pickle_value *called = ub__pickle_value_of(p, name);

    if (called->kind != UB__PICKLE_NAME)
        return ub__fail(p->context, UB_ERR_FORMAT,
                        "what would be called is no function");
    if (ub__pickle_value_of(p, arguments)->kind != UB__PICKLE_TUPLE)
        return ub__fail(p->context, UB_ERR_FORMAT,
                        "the arguments are no tuple");
    switch (called->type) {
    case NAME_DTYPE: return make_dtype(p, arguments, out);
    case NAME_SCALAR: return make_scalar(p, arguments, out);
    case NAME_RECONSTRUCT: return make_empty(p, arguments, out);
    case NAME_FROMBUFFER: return make_from_buffer(p, arguments, out);
    case NAME_ENCODE: return make_encoded(p, arguments, out);
    case NAME_BYTES:
        return make_without_arguments(p, arguments, UB__PICKLE_BYTES, out);
    case NAME_ORDERED_DICT:
        return make_without_arguments(p, arguments, UB__PICKLE_DICT, out);
    default:
        return ub__fail(p->context, UB_ERR_UNSUPPORTED,
                        "arrays made by calling ndarray are not read");
    }
}

ub_status ub__pickle_build(ub__pickle *p, ub__pickle_node node,
                           ub__pickle_node state)
{
    const int kind = ub__pickle_value_of(p, node)->kind;

    if (kind != UB__PICKLE_DTYPE && kind != UB__PICKLE_ARRAY)
        return ub__fail(p->context, UB_ERR_UNSUPPORTED,
                        "only a dtype and an array have a state that is read");
    if (ub__pickle_value_of(p, state)->kind != UB__PICKLE_TUPLE)
        return wrong(p, "the state of an object");
    return kind == UB__PICKLE_DTYPE ? build_dtype(p, node, state)
                                    : build_array(p, node, state);
}
