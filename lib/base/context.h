/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_BASE_CONTEXT_H
#define UBOOST_LIB_BASE_CONTEXT_H

#include "base/base.h"

#include <pthread.h>

/* What the files of lib/base share; no other module includes this. */

#define UB__ERROR_TEXT  256
#define UB__THREADS_MAX 1024

/* In front of every piece of memory, in the first UB__ALIGNMENT bytes. */
struct ub__header {
    size_t bytes;            /* header included, as asked of the allocator */
    struct ub__header *next; /* of a cached block */
};

/* Cached blocks of one size. */
struct ub__bin {
    size_t bytes;
    struct ub__header *first;
};

struct ub__pool;

struct ub_context {
    ub_allocator allocator;
    ub_log_fn log;
    void *log_user;
    ub_progress_fn progress;
    void *progress_user;
    int log_level;
    int threads;
    int portable;
    struct ub__pool *pool; /* NULL with one thread */
    unsigned char *scratch;
    size_t scratch_stride;
    void *shared;
    size_t shared_bytes;
    struct ub__bin *bins; /* sorted by bytes */
    size_t bins_n;
    size_t bins_capacity;
    char error[UB__ERROR_TEXT];
};

/* A thread with all signals blocked: the program's signals are for the
 * program's threads. 0 on failure. */
int ub__thread_start(pthread_t *thread, void *(*fn)(void *), void *arg);

ub_status ub__pool_create(ub_context *context);
void ub__pool_destroy(ub_context *context);

#endif
