/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/context.h"

#include <string.h>

/* A cached block is as good as freed: let the address sanitizer say so. gcc
 * defines a macro, clang has a feature. */
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#endif
#ifdef SANITIZED
#include <sanitizer/asan_interface.h>
#define POISON(memory, bytes)   ASAN_POISON_MEMORY_REGION(memory, bytes)
#define UNPOISON(memory, bytes) ASAN_UNPOISON_MEMORY_REGION(memory, bytes)
#else
#define POISON(memory, bytes)   ((void) (memory), (void) (bytes))
#define UNPOISON(memory, bytes) ((void) (memory), (void) (bytes))
#endif

#define GRANULE ((size_t) 4096)

static void *payload(struct ub__header *header)
{
    return (unsigned char *) header + UB__ALIGNMENT;
}

/* Index of the first bin that is not smaller. */
static size_t lower_bound(const ub_context *context, size_t bytes)
{
    size_t low = 0, high = context->bins_n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (context->bins[middle].bytes < bytes)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct ub__bin *find_bin(ub_context *context, size_t bytes)
{
    size_t at = lower_bound(context, bytes);

    if (at < context->bins_n && context->bins[at].bytes == bytes)
        return &context->bins[at];
    return NULL;
}

static int grow_bins(ub_context *context)
{
    size_t capacity = context->bins_capacity * 2 + 16;
    struct ub__bin *bins;

    bins = ub__alloc(context, capacity, sizeof *bins);
    if (bins == NULL)
        return 0;
    if (context->bins_n > 0)
        memcpy(bins, context->bins, context->bins_n * sizeof *bins);
    ub__free(context, context->bins);
    context->bins = bins;
    context->bins_capacity = capacity;
    return 1;
}

static struct ub__bin *add_bin(ub_context *context, size_t bytes)
{
    size_t at = lower_bound(context, bytes);
    struct ub__bin *bin;

    if (context->bins_n == context->bins_capacity && !grow_bins(context))
        return NULL;
    bin = &context->bins[at];
    memmove(bin + 1, bin, (context->bins_n - at) * sizeof *bin);
    bin->bytes = bytes;
    bin->first = NULL;
    context->bins_n++;
    return bin;
}

void *ub__block_alloc(ub_context *context, size_t bytes)
{
    struct ub__header *header;
    struct ub__bin *bin;
    size_t total;

    if (bytes > SIZE_MAX - UB__ALIGNMENT - GRANULE) {
        ub__fail(context, UB_ERR_NOMEM, "out of memory: %zu bytes", bytes);
        return NULL;
    }
    total = (bytes + UB__ALIGNMENT + GRANULE - 1) / GRANULE * GRANULE;
    /* The bin is made here, where failing is possible, so that giving the block
     * back never needs memory. */
    bin = find_bin(context, total);
    if (bin == NULL)
        bin = add_bin(context, total);
    if (bin == NULL)
        return NULL;
    if (bin->first == NULL)
        return ub__alloc(context, total - UB__ALIGNMENT, 1);
    header = bin->first;
    bin->first = header->next;
    header->next = NULL;
    UNPOISON(payload(header), header->bytes - UB__ALIGNMENT);
    return payload(header);
}

void ub__block_free(ub_context *context, void *block)
{
    struct ub__header *header;
    struct ub__bin *bin;

    if (block == NULL)
        return;
    header = (struct ub__header *) ((unsigned char *) block - UB__ALIGNMENT);
    bin = find_bin(context, header->bytes);
    header->next = bin->first;
    bin->first = header;
    POISON(block, header->bytes - UB__ALIGNMENT);
}

void ub__block_trim(ub_context *context)
{
    for (size_t i = 0; i < context->bins_n; i++) {
        struct ub__header *header = context->bins[i].first;

        context->bins[i].first = NULL;
        while (header != NULL) {
            struct ub__header *next = header->next;

            UNPOISON(payload(header), header->bytes - UB__ALIGNMENT);
            ub__free(context, payload(header));
            header = next;
        }
    }
}
