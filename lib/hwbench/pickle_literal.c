/* SPDX-License-Identifier: BSD-2-Clause */
#include "hwbench/pickle_machine.h"

static ub_status push_int(ub__pickle_machine *m, int64_t x)
{
    return ub__pickle_push_value(
        m, (ub__pickle_value){ .kind = UB__PICKLE_INT, .as.integer = x });
}

static ub_status push_double(ub__pickle_machine *m, double x)
{
    return ub__pickle_push_value(
        m, (ub__pickle_value){ .kind = UB__PICKLE_DOUBLE, .as.real = x });
}

/* -- numbers and constants ------------------------------------------------ */

ub_status ub__pickle_op_constant(ub__pickle_machine *m, int node)
{
    return ub__pickle_push(m, (ub__pickle_node) node);
}

ub_status ub__pickle_op_unsigned(ub__pickle_machine *m, int size)
{
    uint64_t bits = 0;
    ub_status status = ub__pickle_take_unsigned(m, size, &bits);

    return status == UB_OK ? push_int(m, (int64_t) bits) : status;
}

ub_status ub__pickle_op_binint(ub__pickle_machine *m, int argument)
{
    uint64_t bits = 0;
    ub_status status = ub__pickle_take_unsigned(m, 4, &bits);

    (void) argument;
    if (status != UB_OK)
        return status;
    return push_int(m, (int64_t) bits - (bits >> 31 ? (int64_t) 1 << 32 : 0));
}

/* Two's complement of any length, as long as its value fits 8 bytes. */
ub_status ub__pickle_op_long(ub__pickle_machine *m, int size)
{
    size_t first, n;
    uint64_t bits;
    unsigned char sign;
    ub_status status = ub__pickle_take_counted(m, size, &first, &n);

    if (status != UB_OK)
        return status;
    sign = n > 0 && m->bytes[first + n - 1] >= 0x80 ? 0xff : 0;
    while (n > 8 && m->bytes[first + n - 1] == sign)
        n--;
    bits = ub__pickle_load(m->bytes + first, n < 8 ? (int) n : 8, 0);
    if (n < 8 && sign)
        bits |= ~(uint64_t) 0 << 8 * n;
    if (n > 8 || (bits >> 63 != 0) != (sign != 0))
        return ub__fail(m->context, UB_ERR_UNSUPPORTED,
                        "an integer of more than 64 bits");
    return push_int(m, sign ? -1 - (int64_t) ~bits : (int64_t) bits);
}

ub_status ub__pickle_op_binfloat(ub__pickle_machine *m, int argument)
{
    const unsigned char *bytes;
    ub_status status = ub__pickle_take(m, 8, &bytes);

    (void) argument;
    return status == UB_OK ? push_double(m, ub__pickle_load_double(bytes, 1))
                           : status;
}

/* A line; that of a Python 2 long ends with an L, and 00 and 01 are the truth
 * values of protocols 0 and 1. */
ub_status ub__pickle_op_int_line(ub__pickle_machine *m, int is_long)
{
    const unsigned char *line;
    int64_t value;
    size_t n;
    ub_status status = ub__pickle_take_line(m, &line, &n);

    if (status != UB_OK)
        return status;
    if (!is_long && n == 2 && line[0] == '0' && (line[1] | 1) == '1')
        return ub__pickle_push(m, line[1] == '1' ? UB__PICKLE_NODE_TRUE
                                                 : UB__PICKLE_NODE_FALSE);
    if (is_long && n > 0 && line[n - 1] == 'L')
        n--;
    status = ub__pickle_read_int(m->context, line, n, &value);
    return status == UB_OK ? push_int(m, value) : status;
}

ub_status ub__pickle_op_float_line(ub__pickle_machine *m, int argument)
{
    const unsigned char *line;
    double value;
    size_t n;
    ub_status status = ub__pickle_take_line(m, &line, &n);

    (void) argument;
    if (status == UB_OK)
        status = ub__pickle_read_double(m->context, line, n, &value);
    return status == UB_OK ? push_double(m, value) : status;
}

/* -- texts ---------------------------------------------------------------- */

ub_status ub__pickle_op_text(ub__pickle_machine *m, int size)
{
    ub__pickle_node node;
    size_t first, n;
    ub_status status = ub__pickle_take_counted(m, size, &first, &n);

    if (status == UB_OK)
        status = ub__pickle_add_utf8(m->pickle, first, n, &node);
    return status == UB_OK ? ub__pickle_push(m, node) : status;
}

ub_status ub__pickle_op_bytes(ub__pickle_machine *m, int size)
{
    ub__pickle_value value = { .kind = UB__PICKLE_BYTES };
    size_t first, n;
    ub_status status = ub__pickle_take_counted(m, size, &first, &n);

    if (status != UB_OK)
        return status;
    value.as.span = (ub__pickle_span){ (uint32_t) first, (uint32_t) n };
    return ub__pickle_push_value(m, value);
}

ub_status ub__pickle_op_string(ub__pickle_machine *m, int size)
{
    ub__pickle_node node;
    size_t first, n;
    ub_status status = ub__pickle_take_counted(m, size, &first, &n);

    if (status == UB_OK)
        status = ub__pickle_add_python2(m->pickle, first, n, &node);
    return status == UB_OK ? ub__pickle_push(m, node) : status;
}

ub_status ub__pickle_op_text_line(ub__pickle_machine *m, int quoted)
{
    const unsigned char *line;
    ub__pickle_node node;
    size_t first = m->at, n;
    ub_status status = ub__pickle_take_line(m, &line, &n);

    if (status == UB_OK)
        status = quoted ? ub__pickle_add_quoted(m->pickle, first, n, &node)
                        : ub__pickle_add_unicode(m->pickle, first, n, &node);
    return status == UB_OK ? ub__pickle_push(m, node) : status;
}
