/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/context.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *default_alloc(void *user, size_t bytes, size_t alignment)
{
    (void) user;
    if (bytes > SIZE_MAX - alignment)
        return NULL;
    /* aligned_alloc wants a multiple of the alignment. */
    return aligned_alloc(alignment, (bytes + alignment - 1) & ~(alignment - 1));
}

static void default_free(void *user, void *memory, size_t bytes)
{
    (void) user;
    (void) bytes;
    free(memory);
}

static const ub_context_options default_options = {
    .size = sizeof(ub_context_options),
    .log_level = UB_LOG_INFO,
    .threads = 1,
};

static ub_status read_allocator(const ub_allocator *given, ub_allocator *out)
{
    ub_allocator allocator = { sizeof allocator, default_alloc, default_free,
                               NULL };
    ub_status status = ub__options_in(NULL, "allocator", &allocator,
                                      sizeof allocator, sizeof(ub_allocator),
                                      given);

    if (status != UB_OK)
        return status;
    if (allocator.alloc == NULL || allocator.free == NULL)
        return UB_ERR_INVALID;
    *out = allocator;
    return UB_OK;
}

static int online_threads(void)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);

    if (online < 1)
        return 1;
    return online > UB__THREADS_MAX ? UB__THREADS_MAX : (int) online;
}

static ub_status check_options(const ub_context_options *options)
{
    if (options->threads < 0 || options->threads > UB__THREADS_MAX)
        return UB_ERR_INVALID;
    if (options->log_level < 0 || options->log_level > UB_LOG_DEBUG)
        return UB_ERR_INVALID;
    if (options->portable_kernels != 0 && options->portable_kernels != 1)
        return UB_ERR_INVALID;
    return options->reserved == 0 ? UB_OK : UB_ERR_INVALID;
}

void ub_context_options_init(ub_context_options *options, size_t size)
{
    ub__options_out(options, size, &default_options, sizeof default_options);
}

ub_status ub_context_create(const ub_context_options *options, ub_context **out)
{
    ub_context_options full = default_options;
    ub_allocator allocator;
    ub_context *context;
    ub_status status;

    if (out == NULL)
        return UB_ERR_INVALID;
    status = ub__options_in(NULL, "context options", &full, sizeof full,
                            sizeof full, options);
    if (status == UB_OK)
        status = check_options(&full);
    if (status == UB_OK)
        status = read_allocator(full.allocator, &allocator);
    if (status != UB_OK)
        return status;

    context = allocator.alloc(allocator.user, sizeof *context, UB__ALIGNMENT);
    if (context == NULL)
        return UB_ERR_NOMEM;
    memset(context, 0, sizeof *context);
    context->allocator = allocator;
    context->log = full.log;
    context->log_user = full.log_user;
    context->log_level = full.log_level;
    context->progress = full.progress;
    context->progress_user = full.progress_user;
    context->portable = full.portable_kernels;
    context->threads = full.threads == 0 ? online_threads() : full.threads;
    status = ub__pool_create(context);
    if (status != UB_OK) {
        ub_context_destroy(&context);
        return status;
    }
    *out = context;
    return UB_OK;
}

void ub_context_destroy(ub_context **context)
{
    ub_context *self;
    ub_allocator allocator;

    if (context == NULL || *context == NULL)
        return;
    self = *context;
    *context = NULL;
    ub__pool_destroy(self);
    ub__free(self, self->scratch);
    ub__free(self, self->shared);
    ub__block_trim(self);
    ub__free(self, self->bins);
    allocator = self->allocator;
    allocator.free(allocator.user, self, sizeof *self);
}

int ub_context_threads(const ub_context *context)
{
    return context == NULL ? 0 : context->threads;
}

int ub__context_portable(const ub_context *context)
{
    return context->portable;
}
