/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/conv.h"

#include <string.h>

static int64_t min_int(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t divide_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
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

void ub__window_plan_init(ub__window_plan *plan, const ub_context *context,
                          const ub__conv *conv)
{
    memset(plan, 0, sizeof *plan);
    plan->conv = *conv;
    plan->loops = ub__loops_for(context);
    plan->rows = reach_of(conv->kernel_height, conv->stride, conv->pad_height,
                          conv->dilation, conv->in_height, conv->out_height);
    plan->columns = reach_of(conv->kernel_width, conv->stride, conv->pad_width,
                             conv->dilation, conv->in_width, conv->out_width);
    plan->taps = plan->rows.count * plan->columns.count;
}

/* Elements that the taps of an axis add to a phase plane. */
static int64_t spread(const ub__window_plan *plan, const ub__reach *reach)
{
    return (reach->count - 1) * plan->conv.dilation / plan->conv.stride;
}

int64_t ub__window_floats(const ub__window_plan *plan, int64_t rows)
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

void ub__frame_init(ub__frame *frame, const ub__window_plan *plan,
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
static int phase_used(const ub__window_plan *plan, int64_t phase,
                      const ub__reach *reach)
{
    for (int64_t i = 0; i < reach->count; i++)
        if (i * plan->conv.dilation % plan->conv.stride == phase)
            return 1;
    return 0;
}

/* One phase plane. */
static void fill_phase(const ub__frame *frame, int64_t y, int64_t x,
                       const float *plane, float *window)
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

        for (int64_t j = left; j < right; j++)
            window[inside + j] = plane[outside + j * stride];
    }
}

static void fill_phases(const ub__frame *frame, const float *plane,
                        float *window)
{
    const ub__window_plan *plan = frame->plan;

    for (int64_t y = 0; y < plan->conv.stride; y++)
        for (int64_t x = 0; x < plan->conv.stride; x++)
            if (phase_used(plan, y, &plan->rows) &&
                phase_used(plan, x, &plan->columns))
                fill_phase(frame, y, x, plane, window);
}

void ub__frame_fill(const ub__frame *frame, const float *plane, float *window)
{
    int64_t width = frame->plan->conv.in_width;
    int64_t pitch = frame->window.pitch;

    if (frame->plan->conv.stride != 1) {
        fill_phases(frame, plane, window);
        return;
    }
    plane += (frame->top + frame->first_row) * width + frame->left +
             frame->first_column;
    window += frame->first_row * pitch + frame->first_column;
    frame->plan->loops->copy_rows(frame->rows, frame->columns, plane, width,
                                  window, pitch);
}
