/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/axis.h"

#include <string.h>

/*
 * Convolutions of one pixel with stride 1: products of the weight and each
 * image as it is, a row per channel and a column per pixel.
 */

/* Columns of a product: enough to amortise its start. */
#define COLUMNS 256
/* Floats of a worker's gradients of weights. */
#define WEIGHTS 32768

struct job {
    ub_context *context;
    const ub__loops *loops;
    ub__conv conv;
    int64_t area, in, out; /* channels of a group */
    const float *x, *w, *bias, *gy;
    float *y, *gw;
    float *sums;  /* of all parts but the first, [image_parts - 1][weights] */
    int backward; /* to the data */
    int accumulate;
    int64_t columns, column_parts;
    int64_t image_parts;
    int64_t channels, channel_parts, filters, filter_parts; /* of weights */
};

/* n in parts of at most `most`, evened out to multiples of `grain`. */
static int64_t even(int64_t n, int64_t most, int64_t grain)
{
    return ub__divide_up(ub__even(n, most), grain) * grain;
}

/* Filters of a block, padded for products. */
static int64_t padded(const struct job *job, int64_t filters)
{
    return ub__divide_up(filters, job->loops->columns) * job->loops->columns;
}

static void job_init(struct job *job, ub_context *context, const ub__conv *conv)
{
    const int64_t threads = ub_context_threads(context);
    int64_t tasks;

    memset(job, 0, sizeof(*job));
    job->context = context;
    job->loops = ub__loops_for(context);
    job->conv = *conv;
    job->area = conv->out_height * conv->out_width;
    job->in = conv->in_channels / conv->groups;
    job->out = conv->out_channels / conv->groups;
    job->columns = even(job->area, COLUMNS, job->loops->columns);
    job->column_parts = ub__divide_up(job->area, job->columns);
    job->filters = even(job->out, COLUMNS, 1);
    job->filter_parts = ub__divide_up(job->out, job->filters);
    job->image_parts = ub__image_parts(context, conv, conv->batch);
    tasks = ub__divide_up(threads,
                          job->image_parts * conv->groups * job->filter_parts);
    job->channels = even(job->in,
                         ub__min(WEIGHTS / padded(job, job->filters),
                                 ub__divide_up(job->in, tasks)),
                         1);
    job->channel_parts = ub__divide_up(job->in, job->channels);
}

/* -- forward, and backward to the data ------------------------------------- */

static void product_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    const ub__conv *conv = &job->conv;
    const int64_t column = task % job->column_parts * job->columns;
    const int64_t group = task / job->column_parts % conv->groups;
    const int64_t image = task / job->column_parts / conv->groups;
    const float *w = job->w + group * job->out * job->in;
    const int64_t x = (image * conv->in_channels + group * job->in) *
                          job->area +
                      column;
    const int64_t y = (image * conv->out_channels + group * job->out) *
                          job->area +
                      column;
    ub__product product = { .n = ub__min(job->columns, job->area - column),
                            .a = w,
                            .b_row = job->area,
                            .c_row = job->area,
                            .add = job->accumulate };

    (void) worker;
    product.m = job->backward ? job->in : job->out;
    product.k = job->backward ? job->out : job->in;
    product.a_row = job->backward ? 1 : job->in;
    product.a_column = job->backward ? job->in : 1;
    product.b = job->backward ? job->gy + y : job->x + x;
    product.c = job->y + (job->backward ? x : y);
    ub__multiply(job->loops, &product);
    for (int64_t f = 0; job->bias != NULL && f < job->out; f++) {
        float *row = product.c + f * job->area;
        const float *term = row;
        const ub__term of = { 1.0f, 1.0f, job->bias[group * job->out + f],
                              UB__TERM_AFFINE };

        job->loops->combine(0, product.n, 1, &term, &of, row);
    }
}

static void run_products(struct job *job)
{
    ub__parallel(job->context,
                 job->conv.batch * job->conv.groups * job->column_parts,
                 product_task, job);
}

/* -- backward to the weight ------------------------------------------------ */

struct weight_block {
    int64_t group, channel, channels, filter, filters;
    int64_t begin, end;      /* images */
    int64_t row;             /* filters, padded for products */
    float *sums, *gradients; /* [channels][row], [columns][row] */
    float *gw;               /* of its images */
    int accumulate;
};

static struct weight_block block_of(const struct job *job, int64_t task,
                                    int worker)
{
    struct weight_block b = { 0 };

    b.channel = task % job->channel_parts * job->channels;
    b.channels = ub__min(job->channels, job->in - b.channel);
    task /= job->channel_parts;
    b.filter = task % job->filter_parts * job->filters;
    b.filters = ub__min(job->filters, job->out - b.filter);
    task /= job->filter_parts;
    b.group = task % job->conv.groups;
    task /= job->conv.groups;
    ub__split(job->conv.batch, 1, job->image_parts, task, &b.begin, &b.end);
    b.gw = task == 0 ? job->gw
                     : job->sums + (task - 1) * ub__conv_weights(&job->conv);
    b.accumulate = task == 0 && job->accumulate;
    b.row = padded(job, b.filters);
    b.sums = ub__scratch(job->context, worker);
    b.gradients = b.sums + b.channels * b.row;
    return b;
}

static void put_weights(const struct job *job, const struct weight_block *b)
{
    float *gw = b->gw + (b->group * job->out + b->filter) * job->in +
                b->channel;

    for (int64_t f = 0; f < b->filters; f++, gw += job->in) {
        for (int64_t c = 0; c < b->channels; c++) {
            const float sum = b->sums[c * b->row + f];

            gw[c] = b->accumulate ? gw[c] + sum : sum;
        }
    }
}

/* A task owns some of the weights and goes through some of the images. */
static void weight_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    const ub__conv *conv = &job->conv;
    const struct weight_block b = block_of(job, task, worker);
    ub__product product = { .m = b.channels,
                            .n = b.row,
                            .a_row = job->area,
                            .a_column = 1,
                            .b = b.gradients,
                            .b_row = b.row,
                            .c = b.sums,
                            .c_row = b.row };

    for (int64_t i = b.begin * job->column_parts; i < b.end * job->column_parts;
         i++) {
        const int64_t image = i / job->column_parts;
        const int64_t column = i % job->column_parts * job->columns;

        product.k = ub__min(job->columns, job->area - column);
        product.a = job->x +
                    (image * conv->in_channels + b.group * job->in +
                     b.channel) *
                        job->area +
                    column;
        job->loops->transpose(
            b.filters, product.k,
            job->gy +
                (image * conv->out_channels + b.group * job->out + b.filter) *
                    job->area +
                column,
            job->area, b.gradients, b.row);
        ub__multiply(job->loops, &product);
        product.add = 1;
    }
    put_weights(job, &b);
}

/* -- public --------------------------------------------------------------- */

int ub__conv_is_plain(const ub__conv *conv, const ub__loops *loops)
{
    return conv->kernel_height == 1 && conv->kernel_width == 1 &&
           conv->stride == 1 && conv->pad_height == 0 && conv->pad_width == 0 &&
           conv->out_height * conv->out_width % loops->columns == 0;
}

ub__scratch_size ub__plain_scratch(ub_context *context, const ub__conv *conv)
{
    struct job job;
    int64_t floats;

    job_init(&job, context, conv);
    floats = (job.channels + job.columns) * padded(&job, job.filters);
    return (ub__scratch_size){ (size_t) floats * sizeof(float),
                               (size_t) ((job.image_parts - 1) *
                                         ub__conv_weights(conv)) *
                                   sizeof(float) };
}

void ub__plain_forward(ub_context *context, const ub__conv *conv,
                       const float *x, const float *w, const float *bias,
                       float *y)
{
    struct job job;

    job_init(&job, context, conv);
    job.x = x;
    job.w = w;
    job.bias = bias;
    job.y = y;
    run_products(&job);
}

void ub__plain_backward_data(ub_context *context, const ub__conv *conv,
                             const float *w, const float *gy, float *gx,
                             int accumulate)
{
    struct job job;

    job_init(&job, context, conv);
    job.w = w;
    job.gy = gy;
    job.y = gx;
    job.backward = 1;
    job.accumulate = accumulate;
    run_products(&job);
}

void ub__plain_backward_weight(ub_context *context, const ub__conv *conv,
                               const float *x, const float *gy, float *gw,
                               int accumulate)
{
    struct job job;

    job_init(&job, context, conv);
    job.x = x;
    job.gy = gy;
    job.gw = gw;
    job.sums = ub__scratch_shared(context);
    job.accumulate = accumulate;
    ub__parallel(context,
                 job.image_parts * conv->groups * job.filter_parts *
                     job.channel_parts,
                 weight_task, &job);
    ub__add_parts(context, ub__conv_weights(conv), job.image_parts - 1,
                  job.sums, gw);
}
