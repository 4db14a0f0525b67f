/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"

#include <string.h>

/* A larger size is an uninitialised field rather than a newer caller. */
#define OPTIONS_MAX ((size_t) 4096)

ub_status ub__options_in(ub_context *context, const char *name, void *dst,
                         size_t dst_size, size_t v1_size, const void *src)
{
    const unsigned char *bytes = src;
    size_t size;

    if (src == NULL)
        return UB_OK;
    memcpy(&size, src, sizeof size);
    if (size < v1_size || size > OPTIONS_MAX)
        return ub__fail(context, UB_ERR_INVALID,
                        "%s: size is %zu, expected at least %zu", name, size,
                        v1_size);
    /* A newer caller may only leave at zero what this library does not know;
     * anything else would be silently ignored. */
    for (size_t i = dst_size; i < size; i++) {
        if (bytes[i] != 0)
            return ub__fail(context, UB_ERR_UNSUPPORTED,
                            "%s: sets a field that this library does not know",
                            name);
    }
    memcpy(dst, src, size < dst_size ? size : dst_size);
    memcpy(dst, &dst_size, sizeof dst_size);
    return UB_OK;
}

void ub__options_out(void *dst, size_t size, const void *src, size_t src_size)
{
    unsigned char *bytes = dst;

    if (dst == NULL || size < sizeof size)
        return;
    memcpy(dst, src, size < src_size ? size : src_size);
    if (size > src_size)
        memset(bytes + src_size, 0, size - src_size);
    memcpy(dst, &size, sizeof size);
}

ub_status ub__options_preset(void *dst, const void *presets, size_t size,
                             const char *const *names, const char *name)
{
    size_t given;

    if (dst == NULL || name == NULL)
        return UB_ERR_INVALID;
    memcpy(&given, dst, sizeof given);
    for (size_t i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], name) != 0)
            continue;
        ub__options_out(dst, given, (const char *) presets + i * size, size);
        return UB_OK;
    }
    return UB_ERR_INVALID;
}
