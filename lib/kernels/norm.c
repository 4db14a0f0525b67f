/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/loops.h"

/* Parts of the images, at most. */
#define PARTS 64

struct job {
    const ub__loops *loops;
    const ub__norm *norm;
    const float *x;
    const ub__norm_gradient *gradient;
    int64_t parts;
    double *sums;       /* [parts][channels][2] */
    ub__norm_row *rows; /* [channels] */
};

static int64_t stride_of(const struct job *job)
{
    return job->norm->channels * job->norm->area;
}

static double *sums_at(const struct job *job, int64_t part, int64_t c)
{
    return job->sums + (part * job->norm->channels + c) * 2;
}

static double work_of(const ub__norm *norm)
{
    return (double) norm->batch * (double) norm->channels * (double) norm->area;
}

static int64_t parts_of(const ub_context *context, const ub__norm *norm)
{
    int64_t limit = norm->batch < PARTS ? norm->batch : PARTS;

    return ub__tasks_for(context, work_of(norm), limit);
}

ub__scratch_size ub__norm_scratch(const ub_context *context,
                                  const ub__norm *norm)
{
    const size_t channel = (size_t) parts_of(context, norm) * 2 *
                               sizeof(double) +
                           sizeof(ub__norm_row);

    return (ub__scratch_size){ 0, (size_t) norm->channels * channel };
}

static void job_init(struct job *job, ub_context *context, const ub__norm *norm)
{
    *job = (struct job){ .loops = ub__loops_for(context), .norm = norm };
    job->parts = parts_of(context, norm);
    job->sums = ub__scratch_shared(context);
    job->rows = (ub__norm_row *) (void *) sums_at(job, job->parts, 0);
}

static void add_parts(const struct job *job, int64_t c, double sums[2])
{
    sums[0] = sums[1] = 0.0;
    for (int64_t part = 0; part < job->parts; part++) {
        sums[0] += sums_at(job, part, c)[0];
        sums[1] += sums_at(job, part, c)[1];
    }
}

/* -- forward -------------------------------------------------------------- */

/* A value of the channel itself, lest a large mean drown the differences. */
static float center_of(const struct job *job, int64_t c)
{
    return job->x[c * job->norm->area];
}

/* By image, as the convolution before: its results are still in the caches. */
static void moments_part(void *arg, int64_t part, int worker)
{
    const struct job *job = arg;
    const int64_t area = job->norm->area, stride = stride_of(job);
    int64_t begin, end;

    (void) worker;
    ub__split(job->norm->batch, 1, job->parts, part, &begin, &end);
    for (int64_t c = 0; c < job->norm->channels; c++)
        job->loops->moments(end - begin, area, stride,
                            job->x + begin * stride + c * area,
                            center_of(job, c), sums_at(job, part, c));
}

void ub__norm_statistics(ub_context *context, const ub__norm *norm,
                         const float *x, double *mean, double *variance)
{
    const double n = (double) norm->batch * (double) norm->area;
    struct job job;

    job_init(&job, context, norm);
    job.x = x;
    ub__parallel(context, job.parts, moments_part, &job);
    for (int64_t c = 0; c < norm->channels; c++) {
        double sums[2], difference, v;

        add_parts(&job, c, sums);
        difference = sums[0] / n;
        v = sums[1] / n - difference * difference;
        mean[c] = (double) center_of(&job, c) + difference;
        variance[c] = v > 0.0 || v != v ? v : 0.0;
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
                    int64_t end, double out[2])
{
    const int64_t stride = stride_of(job);
    const int64_t at = c * job->norm->area + begin * stride;

    job->loops->norm_sums(end - begin, job->norm->area, stride,
                          job->gradient->x + at, job->gradient->gy + at,
                          &job->rows[c], out);
}

static void gradient_of(const struct job *job, int64_t c, int64_t begin,
                        int64_t end)
{
    const int64_t stride = stride_of(job);
    const int64_t at = c * job->norm->area + begin * stride;
    const ub__norm_gradient *to = job->gradient;

    job->loops->norm_gradient(end - begin, job->norm->area, stride, to->x + at,
                              to->gy + at, &job->rows[c], to->gx + at,
                              to->accumulate_x);
}

static int needs_sums(const ub__norm_gradient *to)
{
    return to->training || to->gweight != NULL || to->gbias != NULL ||
           to->products != NULL;
}

/* A channel's second reading finds it in the caches. */
static void backward_channel(void *arg, int64_t c, int worker)
{
    const struct job *job = arg;
    double sums[2] = { 0.0, 0.0 };

    (void) worker;
    row_init(job, c, &job->rows[c]);
    if (needs_sums(job->gradient))
        sums_of(job, c, 0, job->norm->batch, sums);
    use_sums(job, c, sums, &job->rows[c]);
    if (job->gradient->gx != NULL)
        gradient_of(job, c, 0, job->norm->batch);
}

static void sums_part(void *arg, int64_t part, int worker)
{
    const struct job *job = arg;
    int64_t begin, end;

    (void) worker;
    ub__split(job->norm->batch, 1, job->parts, part, &begin, &end);
    for (int64_t c = 0; c < job->norm->channels; c++)
        sums_of(job, c, begin, end, sums_at(job, part, c));
}

static void gradient_part(void *arg, int64_t part, int worker)
{
    const struct job *job = arg;
    int64_t begin, end;

    (void) worker;
    ub__split(job->norm->batch, 1, job->parts, part, &begin, &end);
    for (int64_t c = 0; c < job->norm->channels; c++)
        gradient_of(job, c, begin, end);
}

/* For fewer channels than threads. */
static void backward_parts(ub_context *context, struct job *job)
{
    const int64_t channels = job->norm->channels;

    for (int64_t c = 0; c < channels; c++)
        row_init(job, c, &job->rows[c]);
    ub__parallel(context, job->parts, sums_part, job);
    for (int64_t c = 0; c < channels; c++) {
        double sums[2];

        add_parts(job, c, sums);
        use_sums(job, c, sums, &job->rows[c]);
    }
    if (job->gradient->gx != NULL)
        ub__parallel(context, job->parts, gradient_part, job);
}

void ub__norm_backward(ub_context *context, const ub__norm *norm,
                       const ub__norm_gradient *gradient)
{
    struct job job;

    job_init(&job, context, norm);
    job.gradient = gradient;
    if (job.parts == 1) {
        for (int64_t c = 0; c < norm->channels; c++)
            backward_channel(&job, c, 0);
    } else if (norm->channels < ub_context_threads(context)) {
        backward_parts(context, &job);
    } else {
        ub__parallel(context, norm->channels, backward_channel, &job);
    }
}
