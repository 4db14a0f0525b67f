/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"

#include <string.h>

int64_t ub__option_integer(const void *options, const ub__option_row *row)
{
    const char *at = (const char *) options + row->offset;
    int32_t narrow;
    int64_t wide;

    if (row->kind == UB__OPTION_INT64) {
        memcpy(&wide, at, sizeof(wide));
        return wide;
    }
    memcpy(&narrow, at, sizeof(narrow));
    return narrow;
}

double ub__option_real(const void *options, const ub__option_row *row)
{
    double value;

    if (row->kind != UB__OPTION_DOUBLE)
        return (double) ub__option_integer(options, row);
    memcpy(&value, (const char *) options + row->offset, sizeof(value));
    return value;
}

ub_status ub__options_check(ub_context *context, const char *what,
                            const void *options, const ub__option_row *rows,
                            size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const ub__option_row *row = &rows[i];
        const double value = ub__option_real(options, row);

        if (value >= row->low && value <= row->high)
            continue;
        if (row->kind == UB__OPTION_DOUBLE)
            return ub__fail(context, UB_ERR_INVALID,
                            "%s: %s is %g, expected %g to %g", what, row->name,
                            value, row->low, row->high);
        return ub__fail(context, UB_ERR_INVALID,
                        "%s: %s is %lld, expected %.0f to %.0f", what,
                        row->name, (long long) ub__option_integer(options, row),
                        row->low, row->high);
    }
    return UB_OK;
}

int ub__options_json(json_t *root, const void *options,
                     const ub__option_row *rows, size_t n)
{
    int failed = 0;

    for (size_t i = 0; i < n; i++)
        failed |= json_object_set_new(
            root, rows[i].name,
            rows[i].kind == UB__OPTION_DOUBLE
                ? json_real(ub__option_real(options, &rows[i]))
                : json_integer(ub__option_integer(options, &rows[i])));
    return failed != 0;
}
