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
    /* Backward to the data with stride 1 is a convolution of the gradient with
     * the weight turned round, channels swapped. */
    int turned;
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
    int64_t *offset, *tap;
    float *window, *patches, *outputs, *weights;
};

static struct space space_of(const struct job *job, int worker)
{
    float *start = ub__scratch(job->context, worker);
    struct space space;

    space.offset = (int64_t *) (void *) start;
    space.tap = (int64_t *) (void *) (start + job->plan.taps_at);
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

/* A row per channel and tap; the window's padding must be zero. */
static void make_patches(const struct job *job, const struct piece *piece,
                         const struct space *space, const ub__frame *frame,
                         int64_t channel, int64_t channels)
{
    const ub__conv_plan *plan = &job->plan;
    int64_t columns = piece->columns, part = columns / piece->images;
    float *to = space->patches;

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
}

/* Patches, or the input itself where that is the same. */
static const float *patches_of(const struct job *job, const struct piece *piece,
                               const struct space *space,
                               const ub__frame *frame, int64_t channel,
                               int64_t channels, int64_t *row)
{
    const ub__conv_plan *plan = &job->plan;

    if (plan->direct) {
        *row = in_area(&plan->conv);
        return job->x + in_plane(plan, piece, 0, channel) +
               piece->row * plan->conv.out_width;
    }
    make_patches(job, piece, space, frame, channel, channels);
    *row = piece->columns;
    return space->patches;
}

static int64_t kernel_size(const ub__conv_plan *plan)
{
    return plan->conv.kernel_height * plan->conv.kernel_width;
}

/* Where the taps that are not left out lie in a kernel. */
static void find_taps(const struct job *job, int64_t *tap)
{
    const ub__conv_plan *plan = &job->plan;
    int64_t last = job->turned ? kernel_size(plan) - 1 : 0;

    for (int64_t i = 0; i < plan->rows.count; i++) {
        for (int64_t j = 0; j < plan->columns.count; j++) {
            int64_t at = (plan->rows.first + i) * plan->conv.kernel_width +
                         plan->columns.first + j;

            *tap++ = job->turned ? last - at : at;
        }
    }
}

/* The same left-hand side, contiguous, channels before taps. */
static void pack_weights(const struct space *space, ub__product *product)
{
    float *to = space->weights;

    for (int64_t i = 0; i < product->m; i++) {
        for (int64_t l = 0; l < product->k; l++) {
            const float *from = product->a + i * product->a_row +
                                l * product->a_column;

            for (int64_t t = 0; t < product->taps; t++)
                *to++ = from[product->a_tap[t]];
        }
    }
    product->k *= product->taps;
    product->taps = 1;
    product->a = space->weights;
    product->a_row = product->k;
    product->a_column = 1;
    product->a_tap = NULL;
    product->b_row = product->b_tap;
}

/* The left-hand side, for channels from `channel` on. */
static void set_weights(const struct job *job, const struct piece *piece,
                        const struct space *space, int64_t channel,
                        int64_t channels, ub__product *product)
{
    const ub__conv_plan *plan = &job->plan;
    int64_t kernel = kernel_size(plan), output = piece->group * plan->out;

    product->m = plan->out;
    product->k = channels;
    product->taps = plan->taps;
    product->a_tap = space->tap;
    product->b_tap = product->b_row;
    product->b_row *= plan->taps;
    if (job->turned) {
        product->a = job->w +
                     (piece->group * plan->in + channel) * plan->out * kernel;
        product->a_row = kernel;
        product->a_column = plan->out * kernel;
        if (plan->pack)
            pack_weights(space, product);
        return;
    }
    product->a = job->w + (output * plan->in + channel) * kernel;
    product->a_row = plan->in * kernel;
    product->a_column = kernel;
    if (plan->taps == kernel) { /* contiguous: all one dimension */
        product->k = channels * kernel;
        product->taps = 1;
        product->a_column = 1;
        product->a_tap = NULL;
        product->b_row = product->b_tap;
    } else if (plan->pack) {
        pack_weights(space, product);
    }
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

        for (int64_t i = 0; i < piece->images; i++, from += part) {
            float *y = job->y + out_rows(plan, piece, i, f);

            if (plan->images > 1 && job->accumulate)
                job->loops->scale(part, 1.0f, from, y, 1);
            else if (plan->images > 1)
                memcpy(y, from, (size_t) part * sizeof *y);
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
    ub__product product = { .n = piece.columns };
    ub__frame frame;

    product.c = space.outputs;
    product.c_row = piece.columns;
    if (plan->images == 1) {
        product.c = job->y + out_rows(plan, &piece, 0, 0);
        product.c_row = out_area(&plan->conv);
        product.add = job->accumulate;
    }
    begin_frame(job, &piece, &space, &frame);
    find_taps(job, space.tap);
    for (int64_t c = 0; c < plan->in; c += plan->channels) {
        int64_t channels = min_int(plan->channels, plan->in - c);

        product.b = patches_of(job, &piece, &space, &frame, c, channels,
                               &product.b_row);
        set_weights(job, &piece, &space, c, channels, &product);
        ub__multiply(job->loops, &product);
        product.add = 1;
    }
    put_outputs(job, &piece, &space);
}

/* -- backward ------------------------------------------------------------- */

/* The gradients of all outputs as one matrix. */
static const float *gradients_of(const struct job *job,
                                 const struct piece *piece,
                                 const struct space *space, int64_t *row)
{
    const ub__conv_plan *plan = &job->plan;
    int64_t part = piece->columns / piece->images;
    float *to = space->outputs;

    if (plan->images == 1) {
        *row = out_area(&plan->conv);
        return job->gy + out_rows(plan, piece, 0, 0);
    }
    for (int64_t f = 0; f < plan->out; f++)
        for (int64_t i = 0; i < piece->images; i++, to += part)
            memcpy(to, job->gy + out_rows(plan, piece, i, f),
                   (size_t) part * sizeof *to);
    *row = piece->columns;
    return space->outputs;
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
    int64_t kernel = kernel_size(plan);
    const float *w = job->w +
                     (piece->group * plan->out * plan->in + channel) * kernel;
    ub__product product = { .m = channels, .n = piece->columns };
    ub__frame frame;

    product.k = plan->out;
    product.taps = 1;
    product.a_row = kernel;
    product.a_column = plan->in * kernel;
    product.b = gradients_of(job, piece, space, &product.b_row);
    product.c_row = plan->taps * piece->columns;
    find_taps(job, space->tap);
    for (int64_t t = 0; t < plan->taps; t++) {
        product.a = w + space->tap[t];
        product.c = space->patches + t * piece->columns;
        ub__multiply(job->loops, &product);
    }
    ub__frame_init(&frame, plan, piece->row, piece->rows, space->offset);
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
    int64_t row; /* outputs, padded for products */
};

/* From (channel, tap) x output to the weight's layout. */
static void put_weights(const struct job *job, const struct space *space,
                        const struct weight_block *block)
{
    const ub__conv_plan *plan = &job->plan;
    int64_t kernel = kernel_size(plan);

    for (int64_t f = 0; f < block->outputs; f++) {
        int64_t output = block->group * plan->out + block->output + f;
        float *gw = job->gw + (output * plan->in + block->channel) * kernel;
        const float *from = space->weights + f;

        if (!job->accumulate)
            zero(gw, block->channels * kernel);
        for (int64_t c = 0; c < block->channels; c++, gw += kernel) {
            for (int64_t t = 0; t < plan->taps; t++) {
                gw[space->tap[t]] += *from;
                from += block->row;
            }
        }
    }
}

/* The gradients of a block of outputs, a row per pixel. */
static void turn_gradients(const struct job *job, const struct piece *piece,
                           const struct space *space,
                           const struct weight_block *block)
{
    const ub__conv_plan *plan = &job->plan;
    int64_t part = piece->columns / piece->images;

    for (int64_t i = 0; i < piece->images; i++)
        job->loops->transpose(block->outputs, part,
                              job->gy + out_rows(plan, piece, i, block->output),
                              out_area(&plan->conv),
                              space->outputs + i * part * block->row,
                              block->row);
}

static struct weight_block weight_block_of(const struct job *job, int64_t task)
{
    const ub__conv_plan *plan = &job->plan;
    int64_t grain = job->loops->columns;
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
    block.row = (block.outputs + grain - 1) / grain * grain;
    return block;
}

/* A task owns some of the weights and goes through all images, so that the
 * sums do not depend on the number of threads. */
static void weight_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    const ub__conv_plan *plan = &job->plan;
    struct space space = space_of(job, worker);
    struct weight_block block = weight_block_of(job, task);
    int64_t pieces = plan->image_groups * plan->bands;
    ub__product product = { .m = block.channels * plan->taps, .taps = 1 };

    product.n = product.b_row = product.c_row = block.row;
    product.a_column = 1;
    product.b = space.outputs;
    product.c = space.weights;
    find_taps(job, space.tap);
    /* Bands outside: the window's padding differs between them. */
    for (int64_t p = 0; p < pieces; p++) {
        struct piece piece = piece_of(plan, block.group, p % plan->image_groups,
                                      p / plan->image_groups);
        ub__frame frame;

        if (p % plan->image_groups == 0)
            begin_frame(job, &piece, &space, &frame);
        else
            ub__frame_init(&frame, plan, piece.row, piece.rows, space.offset);
        product.k = piece.columns;
        product.a = patches_of(job, &piece, &space, &frame, block.channel,
                               block.channels, &product.a_row);
        turn_gradients(job, &piece, &space, &block);
        ub__multiply(job->loops, &product);
        product.add = 1;
    }
    put_weights(job, &space, &block);
}

/* -- public --------------------------------------------------------------- */

static void job_init(struct job *job, ub_context *context, const ub__conv *conv)
{
    memset(job, 0, sizeof *job);
    job->context = context;
    job->loops = ub__loops_for(context);
    ub__conv_plan_init(&job->plan, context, conv);
}

/* The convolution that gives the gradient to the data, for stride 1. */
static ub__conv turned(const ub__conv *conv)
{
    ub__conv result = *conv;

    result.in_channels = conv->out_channels;
    result.in_height = conv->out_height;
    result.in_width = conv->out_width;
    result.out_channels = conv->in_channels;
    result.out_height = conv->in_height;
    result.out_width = conv->in_width;
    result.pad_height = conv->dilation * (conv->kernel_height - 1) -
                        conv->pad_height;
    result.pad_width = conv->dilation * (conv->kernel_width - 1) -
                       conv->pad_width;
    return result;
}

static int is_plain(const ub__conv *conv)
{
    return conv->kernel_height == 1 && conv->kernel_width == 1 &&
           conv->stride == 1 && conv->pad_height == 0 && conv->pad_width == 0;
}

ub__scratch_size ub__conv_scratch(ub_context *context, const ub__conv *conv)
{
    ub__conv_plan plan;
    int64_t floats;

    if (ub__conv_is_depthwise(conv))
        return ub__depthwise_scratch(context, conv);
    if (!is_plain(conv))
        return ub__lanes_scratch(context, conv);
    ub__conv_plan_init(&plan, context, conv);
    floats = plan.floats;
    if (conv->stride == 1) {
        ub__conv backward = turned(conv);

        ub__conv_plan_init(&plan, context, &backward);
        floats = plan.floats > floats ? plan.floats : floats;
    }
    return (ub__scratch_size){ (size_t) floats * sizeof(float), 0 };
}

static void run_forward(ub_context *context, struct job *job)
{
    const ub__conv_plan *plan = &job->plan;

    ub__parallel(context, plan->conv.groups * plan->image_groups * plan->bands,
                 forward_task, job);
}

void ub__conv_forward(ub_context *context, const ub__conv *conv, const float *x,
                      const float *w, const float *bias, float *y)
{
    struct job job;

    if (ub__conv_is_depthwise(conv)) {
        ub__depthwise_forward(context, conv, x, w, bias, y);
        return;
    }
    if (!is_plain(conv)) {
        ub__lanes_forward(context, conv, x, w, bias, y);
        return;
    }
    job_init(&job, context, conv);
    job.x = x;
    job.w = w;
    job.bias = bias;
    job.y = y;
    run_forward(context, &job);
}

static void backward_data_turned(ub_context *context, const ub__conv *conv,
                                 const float *w, const float *gy, float *gx,
                                 int accumulate)
{
    ub__conv backward = turned(conv);
    struct job job;

    job_init(&job, context, &backward);
    job.x = gy;
    job.w = w;
    job.y = gx;
    job.accumulate = accumulate;
    job.turned = 1;
    run_forward(context, &job);
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
    if (!is_plain(conv)) {
        ub__lanes_backward_data(context, conv, w, gy, gx, accumulate);
        return;
    }
    if (conv->stride == 1) {
        backward_data_turned(context, conv, w, gy, gx, accumulate);
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
    if (gbias != NULL)
        ub__channel_sums(context, conv->batch, conv->out_channels,
                         out_area(conv), gy, gbias, accumulate);
    if (gw == NULL)
        return;
    if (ub__conv_is_depthwise(conv))
        ub__depthwise_backward_weight(context, conv, x, gy, gw, accumulate);
    else if (!is_plain(conv))
        ub__lanes_backward_weight(context, conv, x, gy, gw, accumulate);
    else
        backward_weight(context, conv, x, gy, gw, accumulate);
}
