/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/lanes.h"

#include <string.h>

/* Floats of a worker's gradients of weights, a vector each. */
#define SUMS   65536
/* Pixels whose gradients stay in the first cache with those of the filters. */
#define PIXELS 32

struct job {
    ub__lanes lanes; /* must be first */
    float *gw;
    float *sums; /* of all parts but the first, [image_parts - 1][weights] */
    int accumulate;
    int64_t image_parts; /* parts of a turn's blocks */
    int64_t filters, channels, filter_parts, channel_parts; /* of a task */
};

/* What a task owns. */
struct block {
    int64_t group, filter, filters, channel, channels;
    int64_t begin, end; /* blocks of images */
    float *sums;        /* [channel][tap][filter][lanes] */
    float *gw;          /* of its part of the images */
    int add;
};

/* Part of the outputs of some blocks of images. */
struct part {
    int64_t block, blocks;
    int64_t top, bottom, left, right;
};

static int cut_to_tap(const struct job *job, int64_t i, int64_t j,
                      struct part *part)
{
    const ub__side rows = ub__side_rows(&job->lanes.conv);
    const ub__side columns = ub__side_columns(&job->lanes.conv);

    return ub__side_cut(&rows, i, &part->top, &part->bottom) &&
           ub__side_cut(&columns, j, &part->left, &part->right);
}

static void add_tap(const struct job *job, const struct block *b,
                    struct part part, int64_t i, int64_t j)
{
    const ub__lanes *l = &job->lanes;
    const ub__conv *conv = &l->conv;
    ub__weight_tile tile = { .filters = (int) b->filters,
                             .blocks = part.blocks,
                             .g_filter = l->gy.pitch,
                             .g_block = l->gy.channels * l->gy.pitch,
                             .g_row = conv->out_width * l->lanes,
                             .x_channel = l->x.pitch,
                             .x_block = l->x.channels * l->x.pitch,
                             .x_row = conv->stride * conv->in_width * l->lanes,
                             .x_column = conv->stride * l->lanes,
                             .sums_filter = l->lanes,
                             .sums_channel = l->taps * b->filters * l->lanes };
    int64_t y, x;

    if (!cut_to_tap(job, i, j, &part))
        return;
    y = part.top * conv->stride + i * conv->dilation - conv->pad_height;
    x = part.left * conv->stride + j * conv->dilation - conv->pad_width;
    tile.rows = part.bottom - part.top;
    tile.columns = part.right - part.left;
    tile.g = ub__turned(&l->gy, part.block, b->group * l->out + b->filter) +
             ((part.top - l->gy.first_row) * conv->out_width + part.left) *
                 l->lanes;
    tile.x = ub__turned(&l->x, part.block, b->group * l->in + b->channel) +
             ((y - l->x.first_row) * conv->in_width + x) * l->lanes;
    tile.sums = b->sums + (i * conv->kernel_width + j) * b->filters * l->lanes;
    for (int64_t c = 0; c < b->channels; c += UB__POINTS) {
        tile.points = (int) ub__min(UB__POINTS, b->channels - c);
        l->loops->weight_tile(&tile);
        tile.x += UB__POINTS * tile.x_channel;
        tile.sums += UB__POINTS * tile.sums_channel;
    }
}

static void add_part(const struct job *job, const struct block *b,
                     const struct part *part)
{
    for (int64_t i = 0; i < job->lanes.conv.kernel_height; i++)
        for (int64_t j = 0; j < job->lanes.conv.kernel_width; j++)
            add_tap(job, b, *part, i, j);
}

/* All of its images, part by part. */
static void add_turn(const struct job *job, const struct block *b)
{
    const ub__lanes *l = &job->lanes;
    const int64_t width = l->conv.out_width, end = l->row + l->rows;
    const int64_t columns = ub__even(width, PIXELS);
    const int64_t rows = ub__even(l->rows, PIXELS / columns);
    const int64_t blocks = ub__even(b->end - b->begin,
                                    PIXELS / (columns * rows));
    struct part p;

    for (p.block = b->begin; p.block < b->end; p.block += blocks) {
        p.blocks = ub__min(blocks, b->end - p.block);
        for (p.top = l->row; p.top < end; p.top += rows) {
            p.bottom = ub__min(p.top + rows, end);
            for (p.left = 0; p.left < width; p.left += columns) {
                p.right = ub__min(p.left + columns, width);
                add_part(job, b, &p);
            }
        }
    }
}

static void put_tap(const struct job *job, const struct block *b, int64_t i,
                    int64_t j)
{
    const ub__lanes *l = &job->lanes;
    const int64_t tap = i * l->conv.kernel_width + j;
    const int64_t row = b->filters * l->lanes, step = l->in * l->taps;
    struct part all = { .bottom = l->conv.out_height,
                        .right = l->conv.out_width };
    const int read = cut_to_tap(job, i, j, &all);
    float *gw = b->gw + (b->group * l->out + b->filter) * step +
                b->channel * l->taps + tap;

    for (int64_t c = 0; c < b->channels; c++, gw += l->taps) {
        if (read)
            l->loops->sum_lanes(b->filters, b->sums + (c * l->taps + tap) * row,
                                gw, step, b->add);
        for (int64_t f = 0; f < b->filters && !read && !b->add; f++)
            gw[f * step] = 0.0f;
    }
}

static void put_weights(const struct job *job, const struct block *b)
{
    for (int64_t i = 0; i < job->lanes.conv.kernel_height; i++)
        for (int64_t j = 0; j < job->lanes.conv.kernel_width; j++)
            put_tap(job, b, i, j);
}

/* Where the sums of a part of the images go. */
static void set_images(const struct job *job, int64_t part, struct block *b)
{
    const ub__lanes *l = &job->lanes;
    const int first = l->block == 0 && l->row == 0;

    ub__split(l->blocks, 1, job->image_parts, part, &b->begin, &b->end);
    if (part == 0) {
        b->gw = job->gw;
        b->add = job->accumulate || !first;
    } else {
        b->gw = job->sums + (part - 1) * ub__conv_weights(&l->conv);
        b->add = !first;
    }
}

/* A task owns some of the weights and goes through some of the images: those
 * that its worker has turned. */
static void weight_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    const ub__lanes *l = &job->lanes;
    struct block b = { .sums = ub__scratch(l->context, worker) };

    b.channel = task % job->channel_parts * job->channels;
    b.channels = ub__min(job->channels, l->in - b.channel);
    task /= job->channel_parts;
    b.filter = task % job->filter_parts * job->filters;
    b.filters = ub__min(job->filters, l->out - b.filter);
    task /= job->filter_parts;
    b.group = task % l->conv.groups;
    set_images(job, task / l->conv.groups, &b);
    memset(b.sums, 0,
           (size_t) (b.channels * l->taps * b.filters * l->lanes) *
               sizeof(*b.sums));
    if (b.begin < b.end)
        add_turn(job, &b);
    put_weights(job, &b);
}

static void find_rows(void *arg)
{
    ub__lanes *l = arg;
    const ub__conv *c = &l->conv;
    const int64_t top = l->row * c->stride - c->pad_height;
    const int64_t bottom = top + (l->rows - 1) * c->stride +
                           (c->kernel_height - 1) * c->dilation;

    l->gy.first_row = l->row;
    l->gy.rows = l->rows;
    l->x.first_row = ub__min(ub__max(top, 0), c->in_height - 1);
    l->x.rows = ub__max(ub__min(bottom + 1, c->in_height) - l->x.first_row, 0);
}

static void job_init(struct job *job, ub_context *context, const ub__conv *conv)
{
    ub__lanes *l = &job->lanes;
    int64_t tasks;

    *job = (struct job){ 0 };
    ub__lanes_init(l, context, conv);
    l->x = (ub__planes){ .channels = conv->in_channels,
                         .height = conv->in_height,
                         .width = conv->in_width,
                         .step = conv->stride,
                         .divisor = 1,
                         .extra = (conv->kernel_height - 1) * conv->dilation +
                                  1 };
    l->gy = (ub__planes){ .channels = conv->out_channels,
                          .height = conv->out_height,
                          .width = conv->out_width,
                          .step = 1,
                          .divisor = 1,
                          .extra = 1 };
    ub__lanes_plan(l, conv->out_height);
    job->filters = ub__even(l->out, l->loops->filters);
    job->filter_parts = ub__divide_up(l->out, job->filters);
    job->image_parts = ub__image_parts(context, conv, l->most_blocks);
    tasks = ub__divide_up(2 * ub_context_threads(context),
                          job->image_parts * job->filter_parts * conv->groups);
    job->channels = ub__even(l->in,
                             ub__min(SUMS / (job->filters * l->taps * l->lanes),
                                     ub__divide_up(l->in, tasks)));
    job->channel_parts = ub__divide_up(l->in, job->channels);
}

ub__scratch_size ub__lanes_weight_scratch(ub_context *context,
                                          const ub__conv *conv)
{
    struct job job;
    int64_t worker, shared;

    job_init(&job, context, conv);
    worker = job.filters * job.channels * job.lanes.taps * job.lanes.lanes;
    shared = ub__lanes_floats(&job.lanes) +
             (job.image_parts - 1) * ub__conv_weights(conv);
    return (ub__scratch_size){ (size_t) worker * sizeof(float),
                               (size_t) shared * sizeof(float) };
}

void ub__lanes_backward_weight(ub_context *context, const ub__conv *conv,
                               const float *x, const float *gy, float *gw,
                               int accumulate)
{
    struct job job;

    job_init(&job, context, conv);
    job.lanes.x.data = x;
    job.lanes.gy.data = gy;
    job.gw = gw;
    job.sums = (float *) ub__scratch_shared(context) +
               ub__lanes_floats(&job.lanes);
    job.accumulate = accumulate;
    ub__lanes_run(&job, find_rows, weight_task,
                  job.image_parts * conv->groups * job.filter_parts *
                      job.channel_parts,
                  1);
    ub__add_parts(context, ub__conv_weights(conv), job.image_parts - 1,
                  job.sums, gw);
}
