/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/conv.h"

#include <string.h>

/* Columns of a product: enough to amortise its start. */
#define COLUMNS 256
/* Limits on what a product touches, in floats, to stay in the second cache. */
#define PATCHES 98304
#define OUTPUTS 65536
#define WEIGHTS 32768

static int64_t min_int(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t max_int(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

/* Pieces of at most `piece`, evened out. */
static int64_t even_pieces(int64_t n, int64_t piece)
{
    return divide_up(n, divide_up(n, max_int(1, min_int(piece, n))));
}

/* Does an output 0 <= o < out read 0 <= o * stride + at < in? */
static int reaches(int64_t at, int64_t stride, int64_t in, int64_t out)
{
    int64_t o = at < 0 ? divide_up(-at, stride) : 0;

    return o < out && o * stride + at < in;
}

static ub__reach reach_of(int64_t kernel, int64_t stride, int64_t pad,
                          int64_t dilation, int64_t in, int64_t out)
{
    ub__reach reach = { 0, 1, -pad };
    int64_t last = -1;

    for (int64_t i = 0; i < kernel; i++) {
        if (!reaches(i * dilation - pad, stride, in, out))
            continue;
        if (last < 0)
            reach.first = i;
        last = i;
    }
    if (last >= 0)
        reach.count = last - reach.first + 1;
    reach.base = reach.first * dilation - pad;
    return reach;
}

static void plan_columns(ub__conv_plan *plan, int64_t threads)
{
    const ub__conv *conv = &plan->conv;
    int64_t area = conv->out_height * conv->out_width;

    plan->images = 1;
    plan->band = conv->out_height;
    if (area >= COLUMNS) {
        plan->band = even_pieces(conv->out_height, COLUMNS / conv->out_width);
    } else {
        int64_t images = min_int(COLUMNS / area, OUTPUTS / (plan->out * area));

        images = min_int(images, divide_up(conv->batch, threads));
        plan->images = even_pieces(conv->batch, images);
    }
    plan->bands = divide_up(conv->out_height, plan->band);
    plan->image_groups = divide_up(conv->batch, plan->images);
}

static void plan_channels(ub__conv_plan *plan, int64_t threads)
{
    const ub__conv *conv = &plan->conv;
    int64_t columns = plan->images * plan->band * conv->out_width;
    int64_t most = min_int(PATCHES / (columns * plan->taps),
                           plan->pack ? 2 * WEIGHTS / (plan->out * plan->taps)
                                      : plan->in);
    int64_t blocks, tasks;

    plan->channels = even_pieces(plan->in, most);
    blocks = divide_up(plan->in, plan->channels);
    /* Backward, the input channels are shared out among the threads. */
    tasks = divide_up(threads, conv->groups * plan->image_groups);
    plan->data_channels = even_pieces(
        plan->in, min_int(plan->channels, divide_up(plan->in, tasks)));
    tasks = divide_up(threads, conv->groups);
    blocks = min_int(plan->in, divide_up(blocks, tasks) * tasks);
    plan->weight_channels = divide_up(plan->in, blocks);
    blocks = divide_up(plan->in, plan->weight_channels);
    /* And the output channels too when that is not enough. */
    tasks = divide_up(threads, conv->groups * blocks);
    plan->weight_outputs = even_pieces(
        plan->out, min_int(WEIGHTS / (plan->weight_channels * plan->taps),
                           max_int(8, divide_up(plan->out, tasks))));
}

static int64_t aligned(int64_t floats)
{
    return (floats + 15) & ~(int64_t) 15;
}

static void plan_memory(ub__conv_plan *plan)
{
    int64_t columns = plan->images * plan->band * plan->conv.out_width;
    int64_t patches = max_int(plan->channels, plan->weight_channels);
    int64_t weights = aligned(plan->weight_outputs) * plan->weight_channels;

    if (plan->pack)
        weights = max_int(weights, plan->out * plan->channels);
    plan->taps_at = aligned(2 * plan->taps); /* two arrays of 64-bit offsets */
    plan->window_at = 2 * plan->taps_at;
    plan->patches_at = plan->window_at +
                       aligned(ub__conv_window_floats(plan, plan->band));
    plan->outputs_at = plan->patches_at +
                       aligned(patches * plan->taps * columns);
    plan->weights_at = plan->outputs_at + plan->outputs_row * columns;
    plan->floats = plan->weights_at + aligned(weights * plan->taps);
}

void ub__conv_plan_init(ub__conv_plan *plan, const ub_context *context,
                        const ub__conv *conv)
{
    int64_t threads = ub_context_threads(context);

    memset(plan, 0, sizeof *plan);
    plan->conv = *conv;
    plan->loops = ub__loops_for(context);
    plan->pack = plan->loops->columns == 1;
    plan->in = conv->in_channels / conv->groups;
    plan->out = conv->out_channels / conv->groups;
    plan->rows = reach_of(conv->kernel_height, conv->stride, conv->pad_height,
                          conv->dilation, conv->in_height, conv->out_height);
    plan->columns = reach_of(conv->kernel_width, conv->stride, conv->pad_width,
                             conv->dilation, conv->in_width, conv->out_width);
    plan->outputs_row = aligned(plan->out);
    plan->taps = plan->rows.count * plan->columns.count;
    plan_columns(plan, threads);
    plan_channels(plan, threads);
    plan->plain = conv->stride == 1 && plan->taps == 1 &&
                  plan->rows.base == 0 && plan->columns.base == 0 &&
                  conv->in_height == conv->out_height &&
                  conv->in_width == conv->out_width;
    plan->direct = plan->plain && plan->images == 1;
    plan_memory(plan);
}

/* Elements that the taps of an axis add to a phase plane. */
static int64_t spread(const ub__conv_plan *plan, const ub__reach *reach)
{
    return (reach->count - 1) * plan->conv.dilation / plan->conv.stride;
}

int64_t ub__conv_window_floats(const ub__conv_plan *plan, int64_t rows)
{
    int64_t stride = plan->conv.stride;

    return stride * stride * (rows + spread(plan, &plan->rows)) *
               (plan->conv.out_width + spread(plan, &plan->columns)) +
           UB__OVERRUN;
}

/* Elements [*begin, *end) of a phase that lie on the map, when element i is
 * at first + i * stride. */
static void phase_range(int64_t first, int64_t stride, int64_t map,
                        int64_t elements, int64_t *begin, int64_t *end)
{
    *begin = first < 0 ? divide_up(-first, stride) : 0;
    *end = first >= map ? 0 : (map - 1 - first) / stride + 1;
    *end = min_int(*end, elements);
    *begin = min_int(*begin, *end);
}

void ub__frame_init(ub__frame *frame, const ub__conv_plan *plan,
                    int64_t first_row, int64_t rows, int64_t *offset)
{
    const ub__conv *conv = &plan->conv;
    int64_t stride = conv->stride, t = 0;

    frame->plan = plan;
    frame->window.rows = rows;
    frame->window.columns = conv->out_width;
    frame->window.pitch = conv->out_width + spread(plan, &plan->columns);
    frame->window.taps = plan->taps;
    frame->window.offset = offset;
    frame->height = rows + spread(plan, &plan->rows);
    frame->top = first_row * stride + plan->rows.base;
    frame->left = plan->columns.base;
    frame->elements = stride * stride * frame->height * frame->window.pitch;
    phase_range(frame->top, stride, conv->in_height, frame->height,
                &frame->first_row, &frame->rows);
    frame->rows -= frame->first_row;
    phase_range(frame->left, stride, conv->in_width, frame->window.pitch,
                &frame->first_column, &frame->columns);
    frame->columns -= frame->first_column;
    for (int64_t i = 0; i < plan->rows.count; i++) {
        for (int64_t j = 0; j < plan->columns.count; j++) {
            int64_t y = i * conv->dilation, x = j * conv->dilation;
            int64_t phase = y % stride * stride + x % stride;

            offset[t++] = (phase * frame->height + y / stride) *
                              frame->window.pitch +
                          x / stride;
        }
    }
}

/* Does any tap read this phase? */
static int phase_used(const ub__conv_plan *plan, int64_t phase,
                      const ub__reach *reach)
{
    for (int64_t i = 0; i < reach->count; i++)
        if (i * plan->conv.dilation % plan->conv.stride == phase)
            return 1;
    return 0;
}

/* One phase plane, in either direction: from the plane when window_to. */
static void move_phase(const ub__frame *frame, int64_t y, int64_t x,
                       const float *plane_from, float *plane_to,
                       const float *window_from, float *window_to)
{
    const ub__conv *conv = &frame->plan->conv;
    int64_t stride = conv->stride, pitch = frame->window.pitch;
    int64_t at = (y * stride + x) * frame->height * pitch;
    int64_t top, bottom, left, right;

    phase_range(frame->top + y, stride, conv->in_height, frame->height, &top,
                &bottom);
    phase_range(frame->left + x, stride, conv->in_width, pitch, &left, &right);
    for (int64_t i = top; i < bottom; i++) {
        int64_t inside = at + i * pitch;
        int64_t outside = (frame->top + y + i * stride) * conv->in_width +
                          frame->left + x;

        if (window_to != NULL)
            for (int64_t j = left; j < right; j++)
                window_to[inside + j] = plane_from[outside + j * stride];
        else
            for (int64_t j = left; j < right; j++)
                plane_to[outside + j * stride] += window_from[inside + j];
    }
}

static void move_phases(const ub__frame *frame, const float *plane_from,
                        float *plane_to, const float *window_from,
                        float *window_to)
{
    const ub__conv_plan *plan = frame->plan;

    for (int64_t y = 0; y < plan->conv.stride; y++)
        for (int64_t x = 0; x < plan->conv.stride; x++)
            if (phase_used(plan, y, &plan->rows) &&
                phase_used(plan, x, &plan->columns))
                move_phase(frame, y, x, plane_from, plane_to, window_from,
                           window_to);
}

void ub__frame_fill(const ub__frame *frame, const float *plane, float *window)
{
    int64_t width = frame->plan->conv.in_width;
    int64_t pitch = frame->window.pitch;

    if (frame->plan->conv.stride != 1) {
        move_phases(frame, plane, NULL, NULL, window);
        return;
    }
    plane += (frame->top + frame->first_row) * width + frame->left +
             frame->first_column;
    window += frame->first_row * pitch + frame->first_column;
    frame->plan->loops->copy_rows(frame->rows, frame->columns, plane, width,
                                  window, pitch);
}

void ub__frame_drain(const ub__frame *frame, const float *window, float *plane)
{
    move_phases(frame, NULL, plane, window, NULL);
}
