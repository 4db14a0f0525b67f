/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/context.h"

#include <string.h>

_Static_assert(sizeof(struct ub__header) <= UB__ALIGNMENT,
               "the header must not disturb the alignment");

static struct ub__header *header_of(void *memory)
{
    return (struct ub__header *) ((unsigned char *) memory - UB__ALIGNMENT);
}

int ub__mul_size(size_t a, size_t b, size_t *out)
{
    if (b != 0 && a > SIZE_MAX / b)
        return 0;
    *out = a * b;
    return 1;
}

int ub__mul_int64(int64_t a, int64_t b, int64_t *out)
{
    if (a < 0 || b < 0 || (b != 0 && a > INT64_MAX / b))
        return 0;
    *out = a * b;
    return 1;
}

/* NULL without an error text. */
static void *take(ub_context *context, size_t bytes)
{
    unsigned char *memory;

    memory = context->allocator.alloc(context->allocator.user, bytes,
                                      UB__ALIGNMENT);
    if (memory == NULL)
        return NULL;
    memory += UB__ALIGNMENT;
    header_of(memory)->bytes = bytes;
    header_of(memory)->next = NULL;
    return memory;
}

void *ub__alloc(ub_context *context, size_t n, size_t size)
{
    size_t bytes;
    void *memory;

    if (!ub__mul_size(n, size, &bytes) || bytes > SIZE_MAX - UB__ALIGNMENT) {
        ub__fail(context, UB_ERR_NOMEM, "out of memory: %zu times %zu bytes", n,
                 size);
        return NULL;
    }
    bytes += UB__ALIGNMENT;
    memory = take(context, bytes);
    if (memory == NULL) {
        ub__block_trim(context);
        memory = take(context, bytes);
    }
    if (memory == NULL)
        ub__fail(context, UB_ERR_NOMEM, "out of memory: %zu bytes", bytes);
    return memory;
}

void *ub__calloc(ub_context *context, size_t n, size_t size)
{
    void *memory = ub__alloc(context, n, size);

    if (memory != NULL)
        memset(memory, 0, n * size);
    return memory;
}

void *ub__realloc(ub_context *context, void *memory, size_t n_old, size_t n_new,
                  size_t size)
{
    void *grown = ub__alloc(context, n_new, size);

    if (grown == NULL)
        return NULL;
    if (memory != NULL)
        memcpy(grown, memory, (n_old < n_new ? n_old : n_new) * size);
    ub__free(context, memory);
    return grown;
}

void ub__free(ub_context *context, void *memory)
{
    struct ub__header *header;

    if (memory == NULL)
        return;
    header = header_of(memory);
    context->allocator.free(context->allocator.user, header, header->bytes);
}

char *ub__strdup(ub_context *context, const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = ub__alloc(context, size, 1);

    if (copy != NULL)
        memcpy(copy, text, size);
    return copy;
}
