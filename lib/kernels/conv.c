/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/conv.h"

#include <string.h>

struct job {
    ub_context *context;
    const ub__loops *loops;
    ub__conv_plan plan;
    const float *x, *w, *bias, *gy;
    float *y, *gx, *gw;
    int accumulate;
};

/* What one product covers. */
struct piece {
    int64_t group;
    int64_t image, images;
    int64_t row, rows;
    int64_t columns; /* images * rows * width */
};

/* A worker's memory. */
struct space {
    int64_t *offset;
    float *window, *patches, *outputs, *weights;
};

static struct space space_of(const struct job *job, int worker)
{
    float *start = ub__scratch(job->context, worker);
    struct space space;

    space.offset = (int64_t *) (void *) start;
    space.window = start + job->plan.window_at;
    space.patches = start + job->plan.patches_at;
    space.outputs = start + job->plan.outputs_at;
    space.weights = start + job->plan.weights_at;
    return space;
}

static struct piece piece_of(const ub__conv_plan *plan, int64_t group,
                             int64_t image_group, int64_t band)
{
    struct piece piece;

    piece.group = group;
    piece.image = image_group * plan->images;
    piece.images = plan->conv.batch - piece.image;
    if (piece.images > plan->images)
        piece.images = plan->images;
    piece.row = band * plan->band;
    piece.rows = plan->conv.out_height - piece.row;
    if (piece.rows > plan->band)
        piece.rows = plan->band;
    piece.columns = piece.images * piece.rows * plan->conv.out_width;
    return piece;
}

static int64_t min_int(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t in_area(const ub__conv *conv)
{
    return conv->in_height * conv->in_width;
}

static int64_t out_area(const ub__conv *conv)
{
    return conv->out_height * conv->out_width;
}

/* Offset of an input plane; channel counts within the piece's group. */
static int64_t in_plane(const ub__conv_plan *plan, const struct piece *piece,
                        int64_t image, int64_t channel)
{
    const ub__conv *conv = &plan->conv;

    return ((piece->image + image) * conv->in_channels +
            piece->group * plan->in + channel) *
           in_area(conv);
}

/* Offset of the piece's rows in an output plane. */
static int64_t out_rows(const ub__conv_plan *plan, const struct piece *piece,
                        int64_t image, int64_t channel)
{
    const ub__conv *conv = &plan->conv;

    return ((piece->image + image) * conv->out_channels +
            piece->group * plan->out + channel) *
               out_area(conv) +
           piece->row * conv->out_width;
}

static void zero(float *x, int64_t n)
{
    memset(x, 0, (size_t) n * sizeof *x);
}

static void begin_frame(const struct job *job, const struct piece *piece,
                        const struct space *space, ub__frame *frame)
{
    ub__frame_init(frame, &job->plan, piece->row, piece->rows, space->offset);
    zero(space->window, frame->elements);
}

/* The right-hand side of the product for channels from `channel` on: one row
 * per channel and tap. The window's padding must be zero. */
static ub__matrix patches_of(const struct job *job, const struct piece *piece,
                             const struct space *space, const ub__frame *frame,
                             int64_t channel, int64_t channels)
{
    const ub__conv_plan *plan = &job->plan;
    int64_t columns = piece->columns, part = columns / piece->images;
    float *to = space->patches;

    if (plan->direct)
        return (ub__matrix){ job->x + in_plane(plan, piece, 0, channel) +
                                 piece->row * plan->conv.out_width,
                             in_area(&plan->conv), 1 };
    for (int64_t c = 0; c < channels; c++, to += plan->taps * columns) {
        for (int64_t i = 0; i < piece->images; i++) {
            const float *plane = job->x + in_plane(plan, piece, i, channel + c);

            if (!plan->plain) {
                ub__frame_fill(frame, plane, space->window);
                plane = space->window;
            }
            job->loops->unfold(&frame->window, plane, to + i * part, columns);
        }
    }
    return (ub__matrix){ space->patches, columns, 1 };
}

/* Output channels x (channels x taps), without the taps that are left out. */
static ub__matrix weights_of(const struct job *job, const struct piece *piece,
                             const struct space *space, int64_t channel,
                             int64_t channels)
{
    const ub__conv_plan *plan = &job->plan;
    int64_t width = plan->conv.kernel_width;
    int64_t kernel = plan->conv.kernel_height * width;
    int64_t row = plan->in * kernel;
    const float *w = job->w + piece->group * plan->out * row + channel * kernel;
    float *to = space->weights;

    if (plan->taps == kernel)
        return (ub__matrix){ w, row, 1 };
    w += plan->rows.first * width + plan->columns.first;
    for (int64_t f = 0; f < plan->out; f++, w += row) {
        for (int64_t c = 0; c < channels; c++) {
            for (int64_t i = 0; i < plan->rows.count; i++) {
                const float *from = w + c * kernel + i * width;

                for (int64_t j = 0; j < plan->columns.count; j++)
                    *to++ = from[j];
            }
        }
    }
    return (ub__matrix){ space->weights, channels * plan->taps, 1 };
}

/* -- forward -------------------------------------------------------------- */

/* From the product's layout to the images, with the bias. */
static void put_outputs(const struct job *job, const struct piece *piece,
                        const struct space *space)
{
    const ub__conv_plan *plan = &job->plan;
    int64_t part = piece->columns / piece->images;
    const float *from = space->outputs;

    if (plan->images == 1 && job->bias == NULL)
        return;
    for (int64_t f = 0; f < plan->out; f++) {
        float bias = job->bias ? job->bias[piece->group * plan->out + f] : 0.0f;

        for (int64_t i = 0; i < piece->images; i++) {
            float *y = job->y + out_rows(plan, piece, i, f);

            if (plan->images > 1)
                memcpy(y, from, (size_t) part * sizeof *y);
            from += part;
            for (int64_t j = 0; job->bias != NULL && j < part; j++)
                y[j] += bias;
        }
    }
}

static void forward_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    const ub__conv_plan *plan = &job->plan;
    struct space space = space_of(job, worker);
    int64_t images = task / plan->bands;
    struct piece piece = piece_of(plan, images / plan->image_groups,
                                  images % plan->image_groups,
                                  task % plan->bands);
    float *y = space.outputs;
    int64_t y_row = piece.columns;
    ub__frame frame;

    if (plan->images == 1) {
        y = job->y + out_rows(plan, &piece, 0, 0);
        y_row = out_area(&plan->conv);
    }
    begin_frame(job, &piece, &space, &frame);
    for (int64_t c = 0; c < plan->in; c += plan->channels) {
        int64_t channels = min_int(plan->channels, plan->in - c);

        ub__multiply(plan->out, piece.columns, channels * plan->taps,
                     weights_of(job, &piece, &space, c, channels),
                     patches_of(job, &piece, &space, &frame, c, channels),
                     c > 0 ? 1.0f : 0.0f, y, y_row);
    }
    put_outputs(job, &piece, &space);
}

/* -- backward ------------------------------------------------------------- */

/* The gradients of the outputs [f, f + outputs) as one matrix. */
static ub__matrix gradients_of(const struct job *job, const struct piece *piece,
                               const struct space *space, int64_t f,
                               int64_t outputs)
{
    const ub__conv_plan *plan = &job->plan;
    int64_t part = piece->columns / piece->images;
    float *to = space->outputs;

    if (plan->images == 1)
        return (ub__matrix){ job->gy + out_rows(plan, piece, 0, f),
                             out_area(&plan->conv), 1 };
    for (int64_t j = f; j < f + outputs; j++)
        for (int64_t i = 0; i < piece->images; i++, to += part)
            memcpy(to, job->gy + out_rows(plan, piece, i, j),
                   (size_t) part * sizeof *to);
    return (ub__matrix){ space->outputs, piece->columns, 1 };
}

/* Add gradients of patches to the planes that they were taken from. */
static void put_patches(const struct job *job, const struct piece *piece,
                        const struct space *space, const ub__frame *frame,
                        int64_t channel, int64_t channels)
{
    const ub__conv_plan *plan = &job->plan;
    int64_t columns = piece->columns, part = columns / piece->images;
    const float *from = space->patches;

    for (int64_t c = 0; c < channels; c++, from += plan->taps * columns) {
        for (int64_t i = 0; i < piece->images; i++) {
            float *plane = job->gx + in_plane(plan, piece, i, channel + c);

            if (piece->row == 0 && !job->accumulate)
                zero(plane, in_area(&plan->conv));
            if (plan->plain) {
                job->loops->fold(&frame->window, from + i * part, columns,
                                 plane);
                continue;
            }
            zero(space->window, frame->elements);
            job->loops->fold(&frame->window, from + i * part, columns,
                             space->window);
            ub__frame_drain(frame, space->window, plane);
        }
    }
}

static void data_piece(const struct job *job, const struct piece *piece,
                       const struct space *space, int64_t channel,
                       int64_t channels)
{
    const ub__conv_plan *plan = &job->plan;
    ub__matrix w = weights_of(job, piece, space, channel, channels);
    ub__matrix w_transposed = { w.data, w.column, w.row };
    ub__matrix gy = gradients_of(job, piece, space, 0, plan->out);
    ub__frame frame;

    if (plan->direct) {
        ub__multiply(channels, piece->columns, plan->out, w_transposed, gy,
                     job->accumulate ? 1.0f : 0.0f,
                     job->gx + in_plane(plan, piece, 0, channel) +
                         piece->row * plan->conv.out_width,
                     in_area(&plan->conv));
        return;
    }
    ub__frame_init(&frame, plan, piece->row, piece->rows, space->offset);
    ub__multiply(channels * plan->taps, piece->columns, plan->out, w_transposed,
                 gy, 0.0f, space->patches, piece->columns);
    put_patches(job, piece, space, &frame, channel, channels);
}

/* A task owns some channels of some images; bands overlap in them. */
static void data_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    const ub__conv_plan *plan = &job->plan;
    struct space space = space_of(job, worker);
    int64_t blocks = (plan->in + plan->data_channels - 1) / plan->data_channels;
    int64_t channel = task % blocks * plan->data_channels;
    int64_t channels = min_int(plan->data_channels, plan->in - channel);
    int64_t images = task / blocks;

    for (int64_t band = 0; band < plan->bands; band++) {
        struct piece piece = piece_of(plan, images / plan->image_groups,
                                      images % plan->image_groups, band);

        data_piece(job, &piece, &space, channel, channels);
    }
}

/* Where a task of the backward pass to the weight works. */
struct weight_block {
    int64_t group;
    int64_t channel, channels;
    int64_t output, outputs;
};

static void put_weights(const struct job *job, const struct space *space,
                        const struct weight_block *block)
{
    const ub__conv_plan *plan = &job->plan;
    int64_t width = plan->conv.kernel_width;
    int64_t kernel = plan->conv.kernel_height * width;
    const float *from = space->weights;

    for (int64_t f = 0; f < block->outputs; f++) {
        int64_t output = block->group * plan->out + block->output + f;
        float *gw = job->gw + (output * plan->in + block->channel) * kernel;

        if (!job->accumulate)
            zero(gw, block->channels * kernel);
        gw += plan->rows.first * width + plan->columns.first;
        for (int64_t c = 0; c < block->channels; c++, gw += kernel) {
            for (int64_t i = 0; i < plan->rows.count; i++)
                for (int64_t j = 0; j < plan->columns.count; j++)
                    gw[i * width + j] += *from++;
        }
    }
}

static struct weight_block weight_block_of(const ub__conv_plan *plan,
                                           int64_t task)
{
    int64_t in_blocks = (plan->in + plan->weight_channels - 1) /
                        plan->weight_channels;
    int64_t out_blocks = (plan->out + plan->weight_outputs - 1) /
                         plan->weight_outputs;
    struct weight_block block;

    block.channel = task % in_blocks * plan->weight_channels;
    block.channels = min_int(plan->weight_channels, plan->in - block.channel);
    task /= in_blocks;
    block.output = task % out_blocks * plan->weight_outputs;
    block.outputs = min_int(plan->weight_outputs, plan->out - block.output);
    block.group = task / out_blocks;
    return block;
}

/* A task owns some of the weights and goes through all images, so that the
 * sums do not depend on the number of threads. */
static void weight_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    const ub__conv_plan *plan = &job->plan;
    struct space space = space_of(job, worker);
    struct weight_block block = weight_block_of(plan, task);
    int64_t width = block.channels * plan->taps;
    int64_t pieces = plan->image_groups * plan->bands;

    /* Bands outside: the window's padding differs between them. */
    for (int64_t p = 0; p < pieces; p++) {
        struct piece piece = piece_of(plan, block.group, p % plan->image_groups,
                                      p / plan->image_groups);
        ub__matrix patches;
        ub__frame frame;

        if (p % plan->image_groups == 0)
            begin_frame(job, &piece, &space, &frame);
        else
            ub__frame_init(&frame, plan, piece.row, piece.rows, space.offset);
        patches = patches_of(job, &piece, &space, &frame, block.channel,
                             block.channels);
        ub__multiply(
            block.outputs, width, piece.columns,
            gradients_of(job, &piece, &space, block.output, block.outputs),
            (ub__matrix){ patches.data, patches.column, patches.row },
            p > 0 ? 1.0f : 0.0f, space.weights, width);
    }
    put_weights(job, &space, &block);
}

struct bias_job {
    const ub__loops *loops;
    const ub__conv *conv;
    const float *gy;
    float *gbias;
    int accumulate;
};

static void bias_task(void *arg, int64_t channel, int worker)
{
    const struct bias_job *job = arg;
    int64_t area = out_area(job->conv);
    double sum[2];

    (void) worker;
    job->loops->moments(job->conv->batch, area, job->conv->out_channels * area,
                        job->gy + channel * area, 0.0f, sum);
    if (job->accumulate)
        job->gbias[channel] += (float) sum[0];
    else
        job->gbias[channel] = (float) sum[0];
}

/* -- public --------------------------------------------------------------- */

static void job_init(struct job *job, ub_context *context, const ub__conv *conv)
{
    memset(job, 0, sizeof *job);
    job->context = context;
    job->loops = ub__loops_for(context);
    ub__conv_plan_init(&job->plan, context, conv);
}

size_t ub__conv_scratch(ub_context *context, const ub__conv *conv)
{
    ub__conv_plan plan;

    if (ub__conv_is_depthwise(conv))
        return ub__depthwise_scratch(context, conv);
    ub__conv_plan_init(&plan, context, conv);
    return (size_t) plan.floats * sizeof(float);
}

void ub__conv_forward(ub_context *context, const ub__conv *conv, const float *x,
                      const float *w, const float *bias, float *y)
{
    struct job job;

    if (ub__conv_is_depthwise(conv)) {
        ub__depthwise_forward(context, conv, x, w, bias, y);
        return;
    }
    job_init(&job, context, conv);
    job.x = x;
    job.w = w;
    job.bias = bias;
    job.y = y;
    ub__parallel(context, conv->groups * job.plan.image_groups * job.plan.bands,
                 forward_task, &job);
}

void ub__conv_backward_data(ub_context *context, const ub__conv *conv,
                            const float *w, const float *gy, float *gx,
                            int accumulate)
{
    struct job job;
    int64_t blocks;

    if (ub__conv_is_depthwise(conv)) {
        ub__depthwise_backward_data(context, conv, w, gy, gx, accumulate);
        return;
    }
    job_init(&job, context, conv);
    job.w = w;
    job.gy = gy;
    job.gx = gx;
    job.accumulate = accumulate;
    blocks = (job.plan.in + job.plan.data_channels - 1) /
             job.plan.data_channels;
    ub__parallel(context, conv->groups * job.plan.image_groups * blocks,
                 data_task, &job);
}

static void backward_weight(ub_context *context, const ub__conv *conv,
                            const float *x, const float *gy, float *gw,
                            int accumulate)
{
    struct job job;
    int64_t in_blocks, out_blocks;

    job_init(&job, context, conv);
    job.x = x;
    job.gy = gy;
    job.gw = gw;
    job.accumulate = accumulate;
    in_blocks = (job.plan.in + job.plan.weight_channels - 1) /
                job.plan.weight_channels;
    out_blocks = (job.plan.out + job.plan.weight_outputs - 1) /
                 job.plan.weight_outputs;
    ub__parallel(context, conv->groups * in_blocks * out_blocks, weight_task,
                 &job);
}

void ub__conv_backward_weight(ub_context *context, const ub__conv *conv,
                              const float *x, const float *gy, float *gw,
                              float *gbias, int accumulate)
{
    if (gbias != NULL) {
        struct bias_job job = { ub__loops_for(context), conv, gy, gbias,
                                accumulate };

        ub__parallel(context, conv->out_channels, bias_task, &job);
    }
    if (gw == NULL)
        return;
    if (ub__conv_is_depthwise(conv))
        ub__depthwise_backward_weight(context, conv, x, gy, gw, accumulate);
    else
        backward_weight(context, conv, x, gy, gw, accumulate);
}
