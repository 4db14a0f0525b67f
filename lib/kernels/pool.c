/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/loops.h"

#include <string.h>

struct job {
    const ub__loops *loops;
    const ub__pool *pool;
    int64_t planes, area, tasks;
    const float *x, *gy;
    float *y, *gx;
    int32_t *index;
    const int32_t *index_in;
    int accumulate;
};

static int64_t in_area(const ub__pool *pool)
{
    return pool->in_height * pool->in_width;
}

static int64_t out_area(const ub__pool *pool)
{
    return pool->out_height * pool->out_width;
}

static void run(ub_context *context, struct job *job, ub__task_fn task)
{
    const ub__pool *pool = job->pool;
    double work = (double) pool->planes * (double) out_area(pool) *
                  (double) pool->kernel_height * (double) pool->kernel_width;

    job->loops = ub__loops_for(context);
    job->tasks = ub__tasks_for(context, work, pool->planes);
    ub__parallel(context, job->tasks, task, job);
}

static void max_forward_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    int64_t in = in_area(job->pool), out = out_area(job->pool), begin, end;

    (void) worker;
    ub__split(job->pool->planes, 1, job->tasks, task, &begin, &end);
    job->loops->max_pool(job->pool, end - begin, job->x + begin * in,
                         job->y + begin * out,
                         job->index ? job->index + begin * out : NULL);
}

void ub__max_pool_forward(ub_context *context, const ub__pool *pool,
                          const float *x, float *y, int32_t *index)
{
    struct job job = { .pool = pool, .x = x, .y = y, .index = index };

    run(context, &job, max_forward_task);
}

static void max_backward_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    int64_t in = in_area(job->pool), out = out_area(job->pool), begin, end;

    (void) worker;
    ub__split(job->pool->planes, 1, job->tasks, task, &begin, &end);
    job->loops->max_unpool(job->pool, end - begin, job->gy + begin * out,
                           job->index_in + begin * out, job->gx + begin * in,
                           job->accumulate);
}

void ub__max_pool_backward(ub_context *context, const ub__pool *pool,
                           const float *gy, const int32_t *index, float *gx,
                           int accumulate)
{
    struct job job = { .pool = pool, .gy = gy, .gx = gx };

    job.index_in = index;
    job.accumulate = accumulate;
    run(context, &job, max_backward_task);
}

static void avg_forward_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    int64_t in = in_area(job->pool), out = out_area(job->pool), begin, end;

    (void) worker;
    ub__split(job->pool->planes, 1, job->tasks, task, &begin, &end);
    for (int64_t p = begin; p < end; p++)
        job->loops->avg_pool(job->pool, job->x + p * in, job->y + p * out);
}

void ub__avg_pool_forward(ub_context *context, const ub__pool *pool,
                          const float *x, float *y)
{
    struct job job = { .pool = pool, .x = x, .y = y };

    run(context, &job, avg_forward_task);
}

static void clear(const struct job *job, int64_t begin, int64_t end)
{
    int64_t in = in_area(job->pool);

    if (!job->accumulate)
        memset(job->gx + begin * in, 0,
               (size_t) ((end - begin) * in) * sizeof *job->gx);
}

static void avg_backward_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    int64_t in = in_area(job->pool), out = out_area(job->pool), begin, end;

    (void) worker;
    ub__split(job->pool->planes, 1, job->tasks, task, &begin, &end);
    clear(job, begin, end);
    for (int64_t p = begin; p < end; p++)
        job->loops->avg_unpool(job->pool, job->gy + p * out, job->gx + p * in);
}

void ub__avg_pool_backward(ub_context *context, const ub__pool *pool,
                           const float *gy, float *gx, int accumulate)
{
    struct job job = { .pool = pool, .gy = gy, .gx = gx };

    job.accumulate = accumulate;
    run(context, &job, avg_backward_task);
}

/* -- global --------------------------------------------------------------- */

static void global_forward_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    int64_t begin, end;

    (void) worker;
    ub__split(job->planes, 1, job->tasks, task, &begin, &end);
    for (int64_t p = begin; p < end; p++) {
        double sums[2];

        job->loops->moments(1, job->area, job->area, job->x + p * job->area,
                            0.0f, sums);
        job->y[p] = (float) (sums[0] / (double) job->area);
    }
}

static void run_global(ub_context *context, struct job *job, ub__task_fn task)
{
    job->loops = ub__loops_for(context);
    job->tasks = ub__tasks_for(
        context, (double) job->planes * (double) job->area, job->planes);
    ub__parallel(context, job->tasks, task, job);
}

void ub__global_pool_forward(ub_context *context, int64_t planes, int64_t area,
                             const float *x, float *y)
{
    struct job job = { .planes = planes, .area = area, .x = x, .y = y };

    run_global(context, &job, global_forward_task);
}

static void global_backward_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    float factor = 1.0f / (float) job->area;
    int64_t begin, end;

    (void) worker;
    ub__split(job->planes, 1, job->tasks, task, &begin, &end);
    for (int64_t p = begin; p < end; p++) {
        float *gx = job->gx + p * job->area;
        float g = job->gy[p] * factor;

        for (int64_t i = 0; i < job->area; i++)
            gx[i] = job->accumulate ? gx[i] + g : g;
    }
}

void ub__global_pool_backward(ub_context *context, int64_t planes, int64_t area,
                              const float *gy, float *gx, int accumulate)
{
    struct job job = { .planes = planes, .area = area, .gy = gy, .gx = gx };

    job.accumulate = accumulate;
    run_global(context, &job, global_backward_task);
}
