/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/loops.h"

#include <math.h>

/* Elements per piece of a split: whole cache lines of any alignment. */
#define GRAIN         64
/* Sums are formed over so many blocks at most, whatever the threads. */
#define BLOCKS        64
#define BLOCK_LEAST   8192
#define TERMS_AT_ONCE 8
/* Levels on the stack between quantizing and multiplying. */
#define CHUNK         1024

struct job {
    const ub__loops *loops;
    int64_t rows, n, tasks;
    const float *x, *gy;
    int terms, stride; /* of a row's grids so many, of so many */
    const ub__grid *grids;
    float *out;
    int accumulate;
    float ranges[BLOCKS][2];
    double partial[BLOCKS][TERMS_AT_ONCE];
};

/* The next stretch of [at, end) that lies in one row. */
static int64_t stretch(const struct job *job, int64_t at, int64_t end,
                       int64_t limit, const ub__grid **grids)
{
    int64_t row = at / job->n;
    int64_t n = (row + 1) * job->n - at;

    *grids = job->grids + row * job->stride;
    n = n < end - at ? n : end - at;
    return n < limit ? n : limit;
}

static void run(ub_context *context, struct job *job, ub__task_fn task)
{
    const int64_t n = job->rows * job->n;

    job->loops = ub__loops_for(context);
    job->tasks = ub__tasks_for(context, (double) n * job->terms, n / GRAIN + 1);
    ub__parallel(context, job->tasks, task, job);
}

/* -- ranges --------------------------------------------------------------- */

static void rows_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    int64_t begin, end;

    (void) worker;
    ub__split(job->rows, 1, job->tasks, task, &begin, &end);
    for (int64_t row = begin; row < end; row++)
        job->loops->range(job->n, job->x + row * job->n, job->out + 2 * row);
}

static void row_task(void *arg, int64_t task, int worker)
{
    struct job *job = arg;
    int64_t begin, end;

    (void) worker;
    ub__split(job->n, GRAIN, job->tasks, task, &begin, &end);
    job->loops->range(end - begin, job->x + begin, job->ranges[task]);
}

void ub__ranges(ub_context *context, int64_t rows, int64_t n, const float *x,
                float *out)
{
    struct job job = { .rows = rows, .n = n, .x = x, .out = out };

    job.loops = ub__loops_for(context);
    if (rows > 1) {
        job.tasks = ub__tasks_for(context, (double) rows * (double) n, rows);
        ub__parallel(context, job.tasks, rows_task, &job);
        return;
    }
    job.tasks = ub__tasks_for(context, (double) n, n / BLOCK_LEAST + 1);
    if (job.tasks > BLOCKS)
        job.tasks = BLOCKS;
    ub__parallel(context, job.tasks, row_task, &job);
    out[0] = job.ranges[0][0];
    out[1] = job.ranges[0][1];
    for (int64_t task = 1; task < job.tasks; task++) {
        out[0] = fminf(out[0], job.ranges[task][0]);
        out[1] = fmaxf(out[1], job.ranges[task][1]);
    }
}

/* -- levels --------------------------------------------------------------- */

static void quantize_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    const ub__grid *grids;
    int64_t at, end, n;

    (void) worker;
    ub__split(job->rows * job->n, GRAIN, job->tasks, task, &at, &end);
    for (; at < end; at += n) {
        n = stretch(job, at, end, INT64_MAX, &grids);
        job->loops->quantize(n, job->x + at, job->terms, grids, job->out + at);
    }
}

void ub__quantize(ub_context *context, int64_t rows, int64_t n, const float *x,
                  int terms, const ub__grid *grids, float *y)
{
    struct job job = { .rows = rows, .n = n, .x = x, .grids = grids, .out = y };

    job.terms = job.stride = terms;
    run(context, &job, quantize_task);
}

static void backward_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    const ub__grid *grids;
    int64_t at, end, n;

    (void) worker;
    ub__split(job->rows * job->n, GRAIN, job->tasks, task, &at, &end);
    for (; at < end; at += n) {
        n = stretch(job, at, end, INT64_MAX, &grids);
        job->loops->quantize_backward(n, job->x + at, job->gy + at, job->terms,
                                      grids, job->out + at, job->accumulate);
    }
}

void ub__quantize_backward(ub_context *context, int64_t rows, int64_t n,
                           const float *x, const float *gy, int terms,
                           const ub__grid *grids, float *gx, int accumulate)
{
    struct job job = { .rows = rows, .n = n, .x = x, .gy = gy, .grids = grids };

    job.out = gx;
    job.accumulate = accumulate;
    job.terms = job.stride = terms;
    run(context, &job, backward_task);
}

/* -- sums ----------------------------------------------------------------- */

static void dots_task(void *arg, int64_t task, int worker)
{
    struct job *job = arg;
    const ub__grid *grids;
    float levels[CHUNK];
    int64_t at, end, n;

    (void) worker;
    ub__split(job->rows * job->n, GRAIN, job->tasks, task, &at, &end);
    for (int t = 0; t < job->terms; t++)
        job->partial[task][t] = 0.0;
    for (; at < end; at += n) {
        n = stretch(job, at, end, CHUNK, &grids);
        for (int t = 0; t < job->terms; t++) {
            ub__grid grid = grids[t];

            grid.factor = 1.0f;
            job->loops->quantize(n, job->x + at, 1, &grid, levels);
            job->partial[task][t] += job->loops->dot(1, n, n, levels,
                                                     job->gy + at);
        }
    }
}

void ub__quantize_dots(ub_context *context, int64_t rows, int64_t n,
                       const float *x, const float *gy, int terms,
                       const ub__grid *grids, double *out)
{
    struct job job = { .rows = rows, .n = n, .x = x, .gy = gy };

    job.loops = ub__loops_for(context);
    job.stride = terms;
    job.tasks = rows * n / BLOCK_LEAST + 1;
    if (job.tasks > BLOCKS)
        job.tasks = BLOCKS;
    for (int first = 0; first < terms; first += TERMS_AT_ONCE) {
        job.grids = grids + first;
        job.terms = terms - first;
        if (job.terms > TERMS_AT_ONCE)
            job.terms = TERMS_AT_ONCE;
        ub__parallel(context, job.tasks, dots_task, &job);
        for (int t = 0; t < job.terms; t++) {
            double sum = 0.0;

            for (int64_t task = 0; task < job.tasks; task++)
                sum += job.partial[task][t];
            out[first + t] = sum;
        }
    }
}
