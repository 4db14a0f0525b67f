/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/loops.h"

#include <math.h>

/* A long row's range is found in so many parts at most. */
#define PARTS      64
#define PART_LEAST 8192
/* Levels on the stack between quantizing and multiplying. */
#define CHUNK      1024

struct job {
    const ub__loops *loops;
    int64_t rows, n, tasks;
    const float *x, *gy;
    int terms;
    const ub__grid *grids; /* [rows][terms] */
    float *out;
    int accumulate;
    float ranges[PARTS][2];
};

/* The next stretch of [at, end) that lies in one row. */
static int64_t stretch(const struct job *job, int64_t at, int64_t end,
                       int64_t limit, const ub__grid **grids)
{
    int64_t row = at / job->n;
    int64_t n = (row + 1) * job->n - at;

    *grids = job->grids + row * job->terms;
    n = n < end - at ? n : end - at;
    return n < limit ? n : limit;
}

static void run(ub_context *context, struct job *job, ub__task_fn task)
{
    const int64_t n = job->rows * job->n;

    job->loops = ub__loops_for(context);
    job->tasks = ub__tasks_for(context, (double) n * job->terms,
                               n / UB__GRAIN + 1);
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
    ub__split(job->n, UB__GRAIN, job->tasks, task, &begin, &end);
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
    job.tasks = ub__tasks_for(context, (double) n, n / PART_LEAST + 1);
    if (job.tasks > PARTS)
        job.tasks = PARTS;
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
    ub__split(job->rows * job->n, UB__GRAIN, job->tasks, task, &at, &end);
    for (; at < end; at += n) {
        n = stretch(job, at, end, INT64_MAX, &grids);
        job->loops->quantize(n, job->x + at, job->terms, grids, job->out + at);
    }
}

void ub__quantize(ub_context *context, int64_t rows, int64_t n, const float *x,
                  int terms, const ub__grid *grids, float *y)
{
    struct job job = { .rows = rows, .n = n, .x = x, .grids = grids, .out = y };

    job.terms = terms;
    run(context, &job, quantize_task);
}

static void backward_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    const ub__grid *grids;
    int64_t at, end, n;

    (void) worker;
    ub__split(job->rows * job->n, UB__GRAIN, job->tasks, task, &at, &end);
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
    job.terms = terms;
    run(context, &job, backward_task);
}

/* -- sums ----------------------------------------------------------------- */

static void add_dots(const void *arg, int first, int terms, int64_t begin,
                     int64_t end, double *sums)
{
    const struct job *job = arg;
    const ub__grid *grids;
    float levels[CHUNK];
    int64_t n;

    for (int64_t at = begin; at < end; at += n) {
        n = stretch(job, at, end, CHUNK, &grids);
        for (int t = 0; t < terms; t++) {
            ub__grid grid = grids[first + t];

            grid.factor = 1.0f;
            job->loops->quantize(n, job->x + at, 1, &grid, levels);
            sums[t] += job->loops->dot(1, n, n, levels, job->gy + at);
        }
    }
}

void ub__quantize_dots(ub_context *context, int64_t rows, int64_t n,
                       const float *x, const float *gy, int terms,
                       const ub__grid *grids, double *out)
{
    struct job job = { .rows = rows, .n = n, .x = x, .gy = gy, .grids = grids };

    job.loops = ub__loops_for(context);
    job.terms = terms;
    ub__block_sums(context, rows * n, terms, add_dots, &job, out);
}
