/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/loops.h"

/* Partial sums of one channel. */
#define PARTS 64

struct job {
    const ub__loops *loops;
    const ub__norm *norm;
    const float *x;
    double *mean_out, *variance_out;
    const ub__norm_gradient *gradient;
    int64_t tasks;
    /* Fewer channels than threads: one channel, its images in parts. */
    int64_t channel;
    const ub__norm_row *row;
    double partial[PARTS][2];
};

static int64_t stride_of(const struct job *job)
{
    return job->norm->channels * job->norm->area;
}

/* -- forward -------------------------------------------------------------- */

static void channel_statistics(const struct job *job, int64_t c,
                               const double sums[2])
{
    double n = (double) job->norm->batch * (double) job->norm->area;
    double center = (double) job->x[c * job->norm->area];
    double mean = sums[0] / n;
    double variance = sums[1] / n - mean * mean;

    job->mean_out[c] = center + mean;
    job->variance_out[c] = variance > 0.0 || variance != variance ? variance
                                                                  : 0.0;
}

static void moments_of(const struct job *job, int64_t c, int64_t begin,
                       int64_t end, double out[2])
{
    int64_t area = job->norm->area, stride = stride_of(job);
    const float *x = job->x + c * area;

    /* Around a value of the channel itself, lest a large mean drown it. */
    job->loops->moments(end - begin, area, stride, x + begin * stride, x[0],
                        out);
}

static void statistics_task(void *arg, int64_t c, int worker)
{
    struct job *job = arg;
    double sums[2];

    (void) worker;
    moments_of(job, c, 0, job->norm->batch, sums);
    channel_statistics(job, c, sums);
}

static void statistics_part(void *arg, int64_t part, int worker)
{
    struct job *job = arg;
    int64_t begin, end;

    (void) worker;
    ub__split(job->norm->batch, 1, job->tasks, part, &begin, &end);
    moments_of(job, job->channel, begin, end, job->partial[part]);
}

static void add_parts(const struct job *job, double sums[2])
{
    sums[0] = sums[1] = 0.0;
    for (int64_t i = 0; i < job->tasks; i++) {
        sums[0] += job->partial[i][0];
        sums[1] += job->partial[i][1];
    }
}

/* Parts of one channel's images; 1 when there are channels enough. */
static int64_t parts_of(const ub_context *context, const ub__norm *norm)
{
    int64_t limit = norm->batch < PARTS ? norm->batch : PARTS;

    if (norm->channels >= ub_context_threads(context))
        return 1;
    return ub__tasks_for(context, (double) norm->batch * (double) norm->area,
                         limit);
}

/* One task per channel, or a single one when that is not worth it. */
static void run_channels(ub_context *context, struct job *job, ub__task_fn task)
{
    int64_t channels = job->norm->channels;
    double work = (double) job->norm->batch * (double) channels *
                  (double) job->norm->area;

    if (ub__tasks_for(context, work, channels) > 1) {
        ub__parallel(context, channels, task, job);
        return;
    }
    for (int64_t c = 0; c < channels; c++)
        task(job, c, 0);
}

void ub__norm_statistics(ub_context *context, const ub__norm *norm,
                         const float *x, double *mean, double *variance)
{
    struct job job = { .loops = ub__loops_for(context), .norm = norm };
    double sums[2];

    job.x = x;
    job.mean_out = mean;
    job.variance_out = variance;
    job.tasks = parts_of(context, norm);
    if (job.tasks == 1) {
        run_channels(context, &job, statistics_task);
        return;
    }
    for (int64_t c = 0; c < norm->channels; c++) {
        job.channel = c;
        ub__parallel(context, job.tasks, statistics_part, &job);
        add_parts(&job, sums);
        channel_statistics(&job, c, sums);
    }
}

/* -- backward ------------------------------------------------------------- */

static void row_init(const struct job *job, int64_t c, ub__norm_row *row)
{
    const ub__norm_gradient *to = job->gradient;
    float weight = to->weight ? to->weight[c] : 1.0f;

    row->mean = to->mean[c];
    row->inverse_deviation = to->inverse_deviation[c];
    row->scale = weight * row->inverse_deviation;
    row->shift = (to->bias ? to->bias[c] : 0.0f) - row->mean * row->scale;
    row->factor = to->factor * row->scale;
    row->slope = 0.0f;
    row->offset = 0.0f;
    row->relu = job->norm->relu;
}

static void add_to(float *sum, double value, int accumulate)
{
    if (sum != NULL)
        *sum = accumulate ? *sum + (float) value : (float) value;
}

/* sums: of gy where the ReLU lets it pass, and of gy times (x - mean) */
static void use_sums(const struct job *job, int64_t c, const double sums[2],
                     ub__norm_row *row)
{
    const ub__norm_gradient *to = job->gradient;
    double n = (double) job->norm->batch * (double) job->norm->area;
    double deviation = (double) row->inverse_deviation;
    double factor = (double) to->factor;

    add_to(to->gweight ? &to->gweight[c] : NULL, factor * sums[1] * deviation,
           to->accumulate_weight);
    add_to(to->gbias ? &to->gbias[c] : NULL, factor * sums[0],
           to->accumulate_weight);
    /* Where it passes, y = (x - mean) * scale + bias. */
    if (to->products != NULL)
        to->products[c] = (double) row->scale * sums[1] +
                          (to->bias ? (double) to->bias[c] : 0.0) * sums[0];
    if (to->training) {
        row->offset = (float) (-(double) row->factor * sums[0] / n);
        row->slope = (float) (-(double) row->factor * deviation * deviation *
                              sums[1] / n);
    }
}

static void sums_of(const struct job *job, int64_t c, int64_t begin,
                    int64_t end, const ub__norm_row *row, double out[2])
{
    int64_t stride = stride_of(job);
    int64_t at = c * job->norm->area + begin * stride;

    job->loops->norm_sums(end - begin, job->norm->area, stride,
                          job->gradient->x + at, job->gradient->gy + at, row,
                          out);
}

static void gradient_of(const struct job *job, int64_t c, int64_t begin,
                        int64_t end, const ub__norm_row *row)
{
    int64_t stride = stride_of(job);
    int64_t at = c * job->norm->area + begin * stride;
    const ub__norm_gradient *to = job->gradient;

    if (to->gx != NULL)
        job->loops->norm_gradient(end - begin, job->norm->area, stride,
                                  to->x + at, to->gy + at, row, to->gx + at,
                                  to->accumulate_x);
}

static void backward_task(void *arg, int64_t c, int worker)
{
    const struct job *job = arg;
    const ub__norm_gradient *to = job->gradient;
    double sums[2] = { 0.0, 0.0 };
    ub__norm_row row;

    (void) worker;
    row_init(job, c, &row);
    if (to->training || to->gweight != NULL || to->gbias != NULL ||
        to->products != NULL)
        sums_of(job, c, 0, job->norm->batch, &row, sums);
    use_sums(job, c, sums, &row);
    gradient_of(job, c, 0, job->norm->batch, &row);
}

static void sums_part(void *arg, int64_t part, int worker)
{
    struct job *job = arg;
    int64_t begin, end;

    (void) worker;
    ub__split(job->norm->batch, 1, job->tasks, part, &begin, &end);
    sums_of(job, job->channel, begin, end, job->row, job->partial[part]);
}

static void gradient_part(void *arg, int64_t part, int worker)
{
    const struct job *job = arg;
    int64_t begin, end;

    (void) worker;
    ub__split(job->norm->batch, 1, job->tasks, part, &begin, &end);
    gradient_of(job, job->channel, begin, end, job->row);
}

void ub__norm_backward(ub_context *context, const ub__norm *norm,
                       const ub__norm_gradient *gradient)
{
    struct job job = { .loops = ub__loops_for(context), .norm = norm };
    double sums[2];
    ub__norm_row row;

    job.gradient = gradient;
    job.tasks = parts_of(context, norm);
    if (job.tasks == 1) {
        run_channels(context, &job, backward_task);
        return;
    }
    for (int64_t c = 0; c < norm->channels; c++) {
        row_init(&job, c, &row);
        job.channel = c;
        job.row = &row;
        ub__parallel(context, job.tasks, sums_part, &job);
        add_parts(&job, sums);
        use_sums(&job, c, sums, &row);
        ub__parallel(context, job.tasks, gradient_part, &job);
    }
}
