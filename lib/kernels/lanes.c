/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/lanes.h"

#include <string.h>

/* Floats of turned planes at a time, as far as a row of results allows. */
#define TURN ((int64_t) 1 << 21)

/* -- plans ----------------------------------------------------------------- */

void ub__lanes_init(ub__lanes *l, ub_context *context, const ub__conv *conv)
{
    memset(l, 0, sizeof(*l));
    l->context = context;
    l->loops = ub__loops_for_batch(context, conv->batch);
    l->lanes = l->loops->lanes;
    l->conv = *conv;
    l->in = conv->in_channels / conv->groups;
    l->out = conv->out_channels / conv->groups;
    l->taps = conv->kernel_height * conv->kernel_width;
}

/* For so many rows of results. An odd number of vectors: planes a power of two
 * apart would fall on the same lines of a cache. */
static int64_t pitch_for(const ub__lanes *l, const ub__planes *p, int64_t rows)
{
    if (p->channels == 0)
        return 0;
    rows = ub__min(p->height, (rows - 1) * p->step / p->divisor + p->extra);
    return (rows * p->width | 1) * l->lanes;
}

/* Of one block of images. */
static int64_t floats_for(const ub__lanes *l, int64_t rows)
{
    return l->x.channels * pitch_for(l, &l->x, rows) +
           l->gy.channels * pitch_for(l, &l->gy, rows);
}

void ub__lanes_plan(ub__lanes *l, int64_t height)
{
    const int64_t blocks = ub__divide_up(l->conv.batch, l->lanes);

    l->height = height;
    l->most_rows = height;
    while (l->most_rows > 1 && floats_for(l, l->most_rows) > TURN)
        l->most_rows = (l->most_rows + 1) / 2;
    l->most_blocks = ub__even(blocks, TURN / floats_for(l, l->most_rows));
    l->x.pitch = pitch_for(l, &l->x, l->most_rows);
    l->gy.pitch = pitch_for(l, &l->gy, l->most_rows);
}

int64_t ub__lanes_floats(const ub__lanes *l)
{
    return l->most_blocks *
           (l->x.channels * l->x.pitch + l->gy.channels * l->gy.pitch);
}

/* -- turns ----------------------------------------------------------------- */

int64_t ub__lanes_images(const ub__lanes *l, int64_t block)
{
    return ub__min(l->lanes, l->conv.batch - (l->block + block) * l->lanes);
}

float *ub__turned(const ub__planes *p, int64_t block, int64_t channel)
{
    return p->turned + (block * p->channels + channel) * p->pitch;
}

static void turn_plane(const ub__lanes *l, int64_t task)
{
    const int64_t channels = l->x.channels + l->gy.channels;
    const int64_t block = task / channels;
    const int64_t image = (l->block + block) * l->lanes;
    int64_t channel = task % channels, area;
    const ub__planes *p = &l->x;

    if (channel >= p->channels) {
        channel -= p->channels;
        p = &l->gy;
    }
    area = p->height * p->width;
    l->loops->turn(ub__lanes_images(l, block), 1, p->rows * p->width,
                   p->data + (image * p->channels + channel) * area +
                       p->first_row * p->width,
                   p->channels * area, ub__turned(p, block, channel), 0);
}

static void turn_task(void *arg, int64_t task, int worker)
{
    const ub__lanes *l = arg;
    const int64_t planes = l->blocks * (l->x.channels + l->gy.channels);

    if (task < planes)
        turn_plane(l, task);
    else
        l->pack(arg, task - planes, worker);
}

void ub__lanes_run(void *arg, ub__rows_fn rows, ub__task_fn fn, int64_t tasks,
                   int together)
{
    ub__lanes *l = arg;
    const int64_t blocks = ub__divide_up(l->conv.batch, l->lanes);

    l->x.turned = ub__scratch_shared(l->context);
    l->gy.turned = l->x.turned + l->most_blocks * l->x.channels * l->x.pitch;
    for (l->block = 0; l->block < blocks; l->block += l->most_blocks) {
        l->blocks = ub__min(l->most_blocks, blocks - l->block);
        for (l->row = 0; l->row < l->height; l->row += l->most_rows) {
            l->rows = ub__min(l->most_rows, l->height - l->row);
            rows(arg);
            ub__parallel(l->context,
                         l->blocks * (l->x.channels + l->gy.channels) +
                             (l->block == 0 && l->row == 0 ? l->packs : 0),
                         turn_task, l);
            ub__parallel(l->context, together ? tasks : l->blocks * tasks, fn,
                         arg);
        }
    }
}

ub__scratch_size ub__lanes_scratch(ub_context *context, const ub__conv *conv)
{
    const ub__scratch_size size[] = {
        ub__lanes_result_scratch(context, conv, 0),
        ub__lanes_result_scratch(context, conv, 1),
        ub__lanes_weight_scratch(context, conv),
    };
    ub__scratch_size most = { 0, 0 };

    for (size_t i = 0; i < sizeof(size) / sizeof(size[0]); i++) {
        if (size[i].worker > most.worker)
            most.worker = size[i].worker;
        if (size[i].shared > most.shared)
            most.shared = size[i].shared;
    }
    return most;
}
