/* SPDX-License-Identifier: BSD-2-Clause */
#include "hwbench/pickle_tree.h"

#include <string.h>

uint64_t ub__pickle_load(const unsigned char *bytes, int size, int big)
{
    uint64_t bits = 0;

    for (int i = 0; i < size; i++)
        bits = bits << 8 | bytes[big ? i : size - 1 - i];
    return bits;
}

double ub__pickle_load_double(const unsigned char *bytes, int big)
{
    const uint64_t bits = ub__pickle_load(bytes, 8, big);
    double x;

    memcpy(&x, &bits, sizeof(x));
    return x;
}

static double load_float(const unsigned char *bytes, int big)
{
    const uint32_t bits = (uint32_t) ub__pickle_load(bytes, 4, big);
    float x;

    memcpy(&x, &bits, sizeof(x));
    return (double) x;
}

/* Two's complement of 1, 2, 4 or 8 bytes. */
static int64_t load_signed(const unsigned char *bytes, int size, int big)
{
    const uint64_t sign = (uint64_t) 1 << (8 * size - 1);
    const uint64_t bits = ub__pickle_load(bytes, size, big);

    if ((bits & sign) == 0)
        return (int64_t) bits;
    return -1 - (int64_t) (~bits & (sign - 1));
}

ub_status ub__pickle_element(ub_context *context, const ub__pickle_value *dtype,
                             const unsigned char *bytes, ub__pickle_value *out)
{
    const int big = dtype->size < 0, size = big ? -dtype->size : dtype->size;
    ub__pickle_value value = { .kind = UB__PICKLE_INT };
    uint64_t bits;

    switch (dtype->type) {
    case UB__PICKLE_TYPE_BOOL:
        value.kind = UB__PICKLE_BOOL;
        value.as.integer = bytes[0] != 0;
        break;
    case UB__PICKLE_TYPE_SIGNED:
        value.as.integer = load_signed(bytes, size, big);
        break;
    case UB__PICKLE_TYPE_UNSIGNED:
        bits = ub__pickle_load(bytes, size, big);
        if (bits > INT64_MAX)
            return ub__fail(context, UB_ERR_UNSUPPORTED,
                            "an integer of more than 64 bits with its sign");
        value.as.integer = (int64_t) bits;
        break;
    case UB__PICKLE_TYPE_FLOAT:
        value.kind = UB__PICKLE_DOUBLE;
        value.as.real = size == 8 ? ub__pickle_load_double(bytes, big)
                                  : load_float(bytes, big);
        break;
    default:
        return ub__fail(context, UB_ERR_UNSUPPORTED,
                        "a scalar that is an "
                        "object");
    }
    *out = value;
    return UB_OK;
}
