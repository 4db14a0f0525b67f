/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/loops.h"

#include <math.h>

struct job {
    const ub__loops *loops;
    int64_t n, tasks;
    const float *x, *y, *g;
    float *out;
    float a;
    int accumulate;
    /* combine, dots */
    int terms;
    const float *const *xs;
    const ub__term *of;
    /* planes */
    int64_t batch, channels, area, groups;
    const float *mask;
    /* optimizers */
    float *p, *m, *v;
    ub__step step;
};

static void run(ub_context *context, struct job *job, double work_per_element,
                ub__task_fn task)
{
    job->loops = ub__loops_for(context);
    job->tasks = ub__tasks_for(context, (double) job->n * work_per_element,
                               job->n / UB__GRAIN + 1);
    ub__parallel(context, job->tasks, task, job);
}

static int64_t range_of(const struct job *job, int64_t task, int64_t *begin)
{
    int64_t end;

    ub__split(job->n, UB__GRAIN, job->tasks, task, begin, &end);
    return end - *begin;
}

static void relu_forward_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    int64_t at, n = range_of(job, task, &at);

    (void) worker;
    job->loops->relu_forward(n, job->x + at, job->out + at);
}

void ub__relu_forward(ub_context *context, int64_t n, const float *x, float *y)
{
    struct job job = { .n = n, .x = x, .out = y };

    run(context, &job, 1.0, relu_forward_task);
}

static void relu_backward_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    int64_t at, n = range_of(job, task, &at);

    (void) worker;
    job->loops->relu_backward(n, job->y + at, job->g + at, job->out + at,
                              job->accumulate);
}

void ub__relu_backward(ub_context *context, int64_t n, const float *y,
                       const float *gy, float *gx, int accumulate)
{
    struct job job = { .n = n, .y = y, .g = gy, .out = gx };

    job.accumulate = accumulate;
    run(context, &job, 1.0, relu_backward_task);
}

static void scale_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    int64_t at, n = range_of(job, task, &at);

    (void) worker;
    job->loops->scale(n, job->a, job->x + at, job->out + at, job->accumulate);
}

void ub__scale(ub_context *context, int64_t n, float a, const float *x,
               float *y, int accumulate)
{
    struct job job = { .n = n, .a = a, .x = x, .out = y };

    job.accumulate = accumulate;
    run(context, &job, 1.0, scale_task);
}

static void combine_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    int64_t begin, end, next;

    (void) worker;
    ub__split(job->n, UB__GRAIN, job->tasks, task, &begin, &end);
    for (int64_t at = begin; at < end; at = next) {
        int64_t plane = at / job->area;
        const ub__term *of = job->of;

        next = (plane + 1) * job->area;
        next = next < end ? next : end;
        if (of != NULL)
            of += plane % job->channels * job->terms;
        job->loops->combine(at, next, job->terms, job->xs, of, job->out);
    }
}

void ub__combine(ub_context *context, int64_t batch, int64_t channels,
                 int64_t area, int terms, const float *const *x,
                 const ub__term *of, float *y)
{
    struct job job = { .terms = terms, .xs = x, .of = of, .out = y };

    job.n = batch * channels * area;
    job.channels = channels;
    job.area = area;
    run(context, &job, (double) terms, combine_task);
}

static void add_dots(const void *arg, int first, int terms, int64_t begin,
                     int64_t end, double *sums)
{
    const struct job *job = arg;

    /* g stays in the first cache while the terms stream by. */
    for (int64_t at = begin; at < end; at += 2048) {
        int64_t n = end - at < 2048 ? end - at : 2048;

        for (int t = 0; t < terms; t++)
            if (job->xs[first + t] != NULL)
                sums[t] += job->loops->dot(1, n, n, job->xs[first + t] + at,
                                           job->g + at);
    }
}

void ub__dots(ub_context *context, int64_t n, int terms, const float *const *x,
              const float *g, double *out)
{
    const struct job job = { .loops = ub__loops_for(context), .xs = x, .g = g };

    ub__block_sums(context, n, terms, add_dots, &job, out);
}

double ub__sum_squares(ub_context *context, int64_t n, const float *x)
{
    double sum;

    ub__dots(context, n, 1, &x, x, &sum);
    return sum;
}

/* -- channels ------------------------------------------------------------- */

static void run_planes(ub_context *context, struct job *job, ub__task_fn task)
{
    const int64_t planes = job->batch * job->channels;

    job->loops = ub__loops_for(context);
    job->tasks = ub__tasks_for(context, (double) planes * (double) job->area,
                               planes);
    ub__parallel(context, job->tasks, task, job);
}

static void mask_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    int64_t area = job->area, begin, end;

    (void) worker;
    ub__split(job->batch * job->channels, 1, job->tasks, task, &begin, &end);
    for (int64_t i = begin; i < end; i++)
        job->loops->scale(area, job->mask[i % job->channels], job->x + i * area,
                          job->out + i * area, job->accumulate);
}

void ub__mask_channels(ub_context *context, int64_t batch, int64_t channels,
                       int64_t area, const float *x, const float *mask,
                       float *y, int accumulate)
{
    struct job job = { .batch = batch, .channels = channels, .area = area };

    job.x = x;
    job.mask = mask;
    job.out = y;
    job.accumulate = accumulate;
    run_planes(context, &job, mask_task);
}

static void shuffle_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    const int64_t area = job->area, groups = job->groups;
    const int64_t in_group = job->channels / groups;
    int64_t begin, end;

    (void) worker;
    ub__split(job->batch * job->channels, 1, job->tasks, task, &begin, &end);
    for (int64_t to = begin; to < end; to++) {
        const int64_t c = to % job->channels;
        const int64_t from = to - c + c % groups * in_group + c / groups;

        job->loops->scale(area, 1.0f, job->x + from * area,
                          job->out + to * area, job->accumulate);
    }
}

void ub__channel_shuffle(ub_context *context, int64_t batch, int64_t channels,
                         int64_t area, int64_t groups, const float *x, float *y,
                         int accumulate)
{
    struct job job = { .batch = batch, .channels = channels, .area = area };

    job.x = x;
    job.out = y;
    job.groups = groups;
    job.accumulate = accumulate;
    run_planes(context, &job, shuffle_task);
}

static void mask_backward_task(void *arg, int64_t c, int worker)
{
    const struct job *job = arg;
    int64_t at = c * job->area;
    float sum = (float) job->loops->dot(job->batch, job->area,
                                        job->channels * job->area, job->x + at,
                                        job->g + at);

    (void) worker;
    job->out[c] = job->accumulate ? job->out[c] + sum : sum;
}

/* One task per channel, or all at once where waking the pool costs more. */
static void run_channels(ub_context *context, struct job *job, ub__task_fn task)
{
    double work = (double) job->batch * (double) job->channels *
                  (double) job->area;

    job->loops = ub__loops_for(context);
    if (ub__tasks_for(context, work, job->channels) > 1) {
        ub__parallel(context, job->channels, task, job);
        return;
    }
    for (int64_t c = 0; c < job->channels; c++)
        task(job, c, 0);
}

void ub__mask_backward(ub_context *context, int64_t batch, int64_t channels,
                       int64_t area, const float *x, const float *gy,
                       float *gmask, int accumulate)
{
    struct job job = { .batch = batch, .channels = channels, .area = area };

    job.x = x;
    job.g = gy;
    job.out = gmask;
    job.accumulate = accumulate;
    run_channels(context, &job, mask_backward_task);
}

static void sums_task(void *arg, int64_t c, int worker)
{
    const struct job *job = arg;
    double sums[2];

    (void) worker;
    job->loops->moments(job->batch, job->area, job->channels * job->area,
                        job->x + c * job->area, 0.0f, sums);
    job->out[c] = job->accumulate ? job->out[c] + (float) sums[0]
                                  : (float) sums[0];
}

void ub__channel_sums(ub_context *context, int64_t batch, int64_t channels,
                      int64_t area, const float *x, float *out, int accumulate)
{
    struct job job = { .batch = batch, .channels = channels, .area = area };

    job.x = x;
    job.out = out;
    job.accumulate = accumulate;
    run_channels(context, &job, sums_task);
}

/* -- optimizers ----------------------------------------------------------- */

static void sgd_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    int64_t at, n = range_of(job, task, &at);

    (void) worker;
    job->loops->sgd(n, job->p + at, job->g + at, job->v ? job->v + at : NULL,
                    &job->step);
}

void ub__sgd_step(ub_context *context, int64_t n, float *p, const float *g,
                  float *velocity, float g_scale, float rate, float momentum,
                  float decay, int nesterov, int first)
{
    struct job job = { .n = n, .p = p, .g = g, .v = velocity };

    job.step.g_scale = g_scale;
    job.step.rate = rate;
    job.step.momentum = momentum;
    job.step.decay = decay;
    job.step.nesterov = nesterov;
    job.step.first = first;
    run(context, &job, 1.0, sgd_task);
}

static void adam_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    int64_t at, n = range_of(job, task, &at);

    (void) worker;
    job->loops->adam(n, job->p + at, job->g + at, job->m + at, job->v + at,
                     &job->step);
}

void ub__adam_step(ub_context *context, int64_t n, float *p, const float *g,
                   float *m, float *v, float g_scale, float rate, float beta1,
                   float beta2, float eps, float decay, double c1, double c2)
{
    struct job job = { .n = n, .p = p, .g = g, .m = m, .v = v };

    job.step.g_scale = g_scale;
    job.step.rate = rate;
    job.step.beta1 = beta1;
    job.step.beta2 = beta2;
    job.step.eps = eps;
    job.step.decay = decay;
    job.step.correction1 = (float) (1.0 / c1);
    job.step.correction2 = (float) (1.0 / sqrt(c2));
    run(context, &job, 4.0, adam_task);
}
