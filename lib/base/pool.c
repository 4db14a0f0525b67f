/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/context.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

struct worker {
    struct ub__pool *pool;
    int index;
    pthread_t thread;
};

/* A worker's part of a job's tasks; those of the same worker are the same in
 * every job of as many tasks, so that it finds in its caches what it made. Who
 * is done goes on with the shares of others. */
struct share {
    _Alignas(64) atomic_int_least64_t next;
    int64_t end;
};

/* A job is open while its caller works on it. Workers that wake in time join
 * it; the caller closes it when no task is left and waits for those that
 * joined, never for one that still sleeps. Both sides watch for a while before
 * they sleep: most jobs follow each other closely, and to be woken takes longer
 * than many of them. The mutex is for sleeping alone. */
struct ub__pool {
    ub__task_fn fn;
    void *arg;
    int workers; /* threads started, without the caller */
    struct worker *worker;
    struct share *share; /* [workers + 1] */
    /* Number of the job, workers that joined it, whether it is open. */
    _Alignas(64) atomic_uint_least64_t job;
    atomic_int stop;
    /* Who sleeps, or is about to, says so before a last look at the job; who
     * changes the job looks here after. */
    atomic_int sleeping; /* workers */
    atomic_int waiting;  /* the caller */
    pthread_mutex_t mutex;
    pthread_cond_t wake;     /* a job was opened, or stop was set */
    pthread_cond_t finished; /* the last worker left a closed job */
};

#define OPEN   UINT64_C(1)
#define JOINED UINT64_C(2) /* one worker */
#define JOB    (UINT64_C(1) << 16)

static int is_left(uint64_t job)
{
    return job % JOB == 0;
}

static void run_tasks(struct ub__pool *pool, ub__task_fn fn, void *arg,
                      int index)
{
    for (int i = 0; i <= pool->workers; i++) {
        struct share *share = &pool->share[(index + i) % (pool->workers + 1)];

        for (;;) {
            int64_t task = atomic_fetch_add_explicit(&share->next, 1,
                                                     memory_order_relaxed);

            if (task >= share->end)
                break;
            fn(arg, task, index);
        }
    }
}

/* Some 200 microseconds. */
#define WATCHES 4000

static void pause_processor(void)
{
#if defined __x86_64__ || defined __i386__
    __builtin_ia32_pause();
#elif defined __aarch64__
    __asm__ volatile("yield");
#endif
}

/* An open job after number `seen`, or stop. */
static int has_news(struct ub__pool *pool, uint64_t seen)
{
    const uint64_t job = atomic_load(&pool->job);

    return (job % JOINED == OPEN && job / JOB != seen) ||
           atomic_load(&pool->stop);
}

static void wait_for_job(struct ub__pool *pool, uint64_t seen)
{
    for (int i = 0; i < WATCHES; i++) {
        if (has_news(pool, seen))
            return;
        pause_processor();
    }
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->sleeping, 1);
    while (!has_news(pool, seen))
        pthread_cond_wait(&pool->wake, &pool->mutex);
    atomic_fetch_sub(&pool->sleeping, 1);
    pthread_mutex_unlock(&pool->mutex);
}

/* 0 when the job was closed meanwhile; sets *seen to its number. */
static int join_job(struct ub__pool *pool, uint64_t *seen)
{
    uint64_t job = atomic_load(&pool->job);

    do {
        if (job % JOINED != OPEN || job / JOB == *seen)
            return 0;
    } while (!atomic_compare_exchange_weak(&pool->job, &job, job + JOINED));
    *seen = job / JOB;
    return 1;
}

static void leave_job(struct ub__pool *pool)
{
    const uint64_t job = atomic_fetch_sub(&pool->job, JOINED) - JOINED;

    if (!is_left(job) || !atomic_load(&pool->waiting))
        return;
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_signal(&pool->finished);
    pthread_mutex_unlock(&pool->mutex);
}

static void *worker_main(void *arg)
{
    struct worker *self = arg;
    struct ub__pool *pool = self->pool;
    uint64_t seen = 0;

    while (!atomic_load(&pool->stop)) {
        wait_for_job(pool, seen);
        if (join_job(pool, &seen)) {
            run_tasks(pool, pool->fn, pool->arg, self->index);
            leave_job(pool);
        }
    }
    return NULL;
}

int ub__thread_start(pthread_t *thread, void *(*fn)(void *), void *arg)
{
    sigset_t all, old;
    int result;

    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &old) != 0)
        return 0;
    result = pthread_create(thread, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return result == 0;
}

static int start_workers(struct ub__pool *pool, int workers)
{
    for (int i = 0; i < workers; i++) {
        pool->worker[i].pool = pool;
        pool->worker[i].index = i + 1;
        if (!ub__thread_start(&pool->worker[i].thread, worker_main,
                              &pool->worker[i]))
            return 0;
        pool->workers++;
    }
    return 1;
}

static int init_locks(struct ub__pool *pool)
{
    if (pthread_mutex_init(&pool->mutex, NULL) != 0)
        return 0;
    if (pthread_cond_init(&pool->wake, NULL) != 0)
        goto fail_wake;
    if (pthread_cond_init(&pool->finished, NULL) != 0)
        goto fail_finished;
    return 1;
fail_finished:
    pthread_cond_destroy(&pool->wake);
fail_wake:
    pthread_mutex_destroy(&pool->mutex);
    return 0;
}

ub_status ub__pool_create(ub_context *context)
{
    int workers = context->threads - 1;
    struct ub__pool *pool;

    if (workers == 0)
        return UB_OK;
    pool = ub__calloc(context, 1, sizeof *pool);
    if (pool == NULL)
        return UB_ERR_NOMEM;
    pool->worker = ub__calloc(context, (size_t) workers, sizeof *pool->worker);
    pool->share = ub__calloc(context, (size_t) workers + 1,
                             sizeof *pool->share);
    if (pool->worker == NULL || pool->share == NULL || !init_locks(pool)) {
        ub__free(context, pool->worker);
        ub__free(context, pool->share);
        ub__free(context, pool);
        return UB_ERR_NOMEM;
    }
    context->pool = pool;
    if (start_workers(pool, workers))
        return UB_OK;
    ub__pool_destroy(context);
    return ub__fail(context, UB_ERR_NOMEM, "cannot start %d threads", workers);
}

void ub__pool_destroy(ub_context *context)
{
    struct ub__pool *pool = context->pool;

    if (pool == NULL)
        return;
    context->pool = NULL;
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->stop, 1);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
    for (int i = 0; i < pool->workers; i++)
        pthread_join(pool->worker[i].thread, NULL);
    pthread_cond_destroy(&pool->finished);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->mutex);
    ub__free(context, pool->worker);
    ub__free(context, pool->share);
    ub__free(context, pool);
}

static void open_job(struct ub__pool *pool, int64_t n, ub__task_fn fn,
                     void *arg)
{
    const uint64_t job = atomic_load(&pool->job);

    pool->fn = fn;
    pool->arg = arg;
    for (int i = 0; i <= pool->workers; i++) {
        int64_t begin;

        ub__split(n, 1, pool->workers + 1, i, &begin, &pool->share[i].end);
        atomic_store_explicit(&pool->share[i].next, begin,
                              memory_order_relaxed);
    }
    atomic_store(&pool->job, job + JOB + OPEN);
    if (atomic_load(&pool->sleeping) == 0)
        return;
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
}

static void close_job(struct ub__pool *pool)
{
    atomic_fetch_sub(&pool->job, OPEN);
    for (int i = 0; i < WATCHES; i++) {
        if (is_left(atomic_load(&pool->job)))
            return;
        pause_processor();
    }
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->waiting, 1);
    while (!is_left(atomic_load(&pool->job)))
        pthread_cond_wait(&pool->finished, &pool->mutex);
    atomic_store(&pool->waiting, 0);
    pthread_mutex_unlock(&pool->mutex);
}

void ub__parallel(ub_context *context, int64_t n, ub__task_fn fn, void *arg)
{
    struct ub__pool *pool = context->pool;

    if (pool == NULL || n <= 1) {
        for (int64_t task = 0; task < n; task++)
            fn(arg, task, 0);
        return;
    }
    open_job(pool, n, fn, arg);
    run_tasks(pool, fn, arg, 0);
    close_job(pool);
}

static ub_status reserve_workers(ub_context *context, size_t bytes)
{
    size_t stride;
    void *scratch;

    if (bytes <= context->scratch_stride)
        return UB_OK;
    if (bytes > SIZE_MAX - UB__ALIGNMENT)
        return ub__fail(context, UB_ERR_NOMEM, "out of memory: %zu bytes",
                        bytes);
    stride = (bytes + UB__ALIGNMENT - 1) & ~(UB__ALIGNMENT - 1);
    scratch = ub__alloc(context, (size_t) context->threads, stride);
    if (scratch == NULL)
        return UB_ERR_NOMEM;
    ub__free(context, context->scratch);
    context->scratch = scratch;
    context->scratch_stride = stride;
    return UB_OK;
}

static ub_status reserve_shared(ub_context *context, size_t bytes)
{
    void *shared;

    if (bytes <= context->shared_bytes)
        return UB_OK;
    shared = ub__alloc(context, bytes, 1);
    if (shared == NULL)
        return UB_ERR_NOMEM;
    ub__free(context, context->shared);
    context->shared = shared;
    context->shared_bytes = bytes;
    return UB_OK;
}

ub_status ub__scratch_reserve(ub_context *context, ub__scratch_size size)
{
    ub_status status = reserve_workers(context, size.worker);

    return status == UB_OK ? reserve_shared(context, size.shared) : status;
}

void *ub__scratch_shared(ub_context *context)
{
    return context->shared;
}

void *ub__scratch(ub_context *context, int worker)
{
    if (context->scratch == NULL)
        return NULL;
    return context->scratch + (size_t) worker * context->scratch_stride;
}

static int64_t split_edge(int64_t n, int64_t grain, int64_t parts, int64_t part)
{
    int64_t units = n / grain + (n % grain != 0);
    int64_t extra = units % parts;
    int64_t unit = part * (units / parts) + (part < extra ? part : extra);

    return unit >= units ? n : unit * grain;
}

void ub__split(int64_t n, int64_t grain, int64_t parts, int64_t part,
               int64_t *begin, int64_t *end)
{
    if (grain < 1)
        grain = 1;
    if (parts < 1)
        parts = 1;
    *begin = split_edge(n, grain, parts, part);
    *end = split_edge(n, grain, parts, part + 1);
}
