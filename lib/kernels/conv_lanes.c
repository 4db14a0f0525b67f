/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/lanes.h"

/* Forward, and backward to the data, which is the same with other taps. */

/* Products summed at a time: sums of such sums lose less than one long one. */
#define TERMS  512
/* Floats of a worker's results before they are turned back. */
#define OUTPUT 65536

/* -- a pass ---------------------------------------------------------------- */

struct job {
    ub__lanes lanes; /* must be first */
    int backward, accumulate;
    const ub__planes *from;
    const float *w, *bias;
    float *packed; /* [group][filter part][channel][tap][filter] */
    float *to;
    int64_t to_channels, to_width;
    int64_t in, out; /* channels of a group, of the pass */
    int64_t w_filter, w_channel;
    ub__axis rows, columns;
    ub__point_set *sets;
    int64_t n_sets;
    int64_t channels, filters, filter_parts, band, bands; /* of a task */
};

static float *packed_weights(const struct job *job, int64_t group,
                             int64_t filter)
{
    return job->packed + (group * job->filter_parts * job->filters + filter) *
                             job->in * job->lanes.taps;
}

/* The weights of a tile's filters side by side. */
static void pack_task(void *arg, int64_t part, int worker)
{
    const struct job *job = arg;
    const int64_t group = part / job->filter_parts, taps = job->lanes.taps;
    const int64_t filter = part % job->filter_parts * job->filters;
    const int64_t filters = ub__min(job->filters, job->out - filter);
    const float *w = job->w + group * job->in * job->out * taps +
                     filter * job->w_filter;
    float *to = packed_weights(job, group, filter);

    (void) worker;
    for (int64_t c = 0; c < job->in; c++, to += taps * job->filters)
        job->lanes.loops->transpose(filters, taps, w + c * job->w_channel,
                                    job->w_filter, to, job->filters);
}

/* The source rows of this turn. */
static void find_rows(void *arg)
{
    struct job *job = arg;
    ub__lanes *l = &job->lanes;
    ub__planes *from = job->backward ? &l->gy : &l->x;
    int64_t behind;

    ub__axis_sources(&job->rows, l->row, l->row + l->rows, &from->first_row,
                     &behind);
    from->rows = behind - from->first_row;
}

/* What a task makes. */
struct piece {
    int64_t block, filter, filters; /* filter counts from the group's first */
    int64_t group, row, rows;
};

static struct piece piece_of(const struct job *job, int64_t task)
{
    const ub__lanes *l = &job->lanes;
    struct piece p;

    p.row = l->row + task % job->bands * job->band;
    p.rows = ub__min(job->band, l->row + l->rows - p.row);
    task /= job->bands;
    p.filter = task % job->filter_parts * job->filters;
    p.filters = ub__min(job->filters, job->out - p.filter);
    task /= job->filter_parts;
    p.group = task % l->conv.groups;
    p.block = task / l->conv.groups;
    return p;
}

/* All channels, some at a time. */
static void make_tile(const struct job *job, ub__filter_tile *tile)
{
    for (int64_t c = 0; c < job->in; c += job->channels) {
        tile->channels = ub__min(job->channels, job->in - c);
        tile->add = c > 0;
        job->lanes.loops->filter_tile(tile);
        tile->w += job->channels * tile->w_channel;
        tile->x += job->channels * tile->x_channel;
    }
}

static void make_row(const struct job *job, const ub__place *y, const float *w,
                     const float *from, float *to, ub__filter_tile *tile)
{
    const int64_t lanes = job->lanes.lanes;
    const int64_t row = (y->source - job->from->first_row) * job->from->width;

    tile->rows = y->taps;
    for (int64_t s = 0; s < job->n_sets; s++) {
        const ub__point_set *set = &job->sets[s];
        const ub__place *x = &job->columns.at[set->first];
        const int64_t tap = y->tap * job->lanes.conv.kernel_width + x->tap;

        tile->points = (int) set->points;
        tile->taps = x->taps;
        tile->w = w + tap * job->filters;
        tile->x = y->taps > 0 ? from + (row + x->source) * lanes : from;
        tile->y = to + set->first * lanes;
        make_tile(job, tile);
    }
}

static void make_rows(const struct job *job, const struct piece *p, float *to)
{
    const ub__lanes *l = &job->lanes;
    const int64_t width = job->to_width * l->lanes;
    const float *w = packed_weights(job, p->group, p->filter);
    const float *from = ub__turned(job->from, p->block, p->group * job->in);
    ub__filter_tile tile = {
        .filters = (int) p->filters,
        .w_channel = l->taps * job->filters,
        .w_row = job->rows.tap_step * l->conv.kernel_width * job->filters,
        .w_tap = job->columns.tap_step * job->filters,
        .x_channel = job->from->pitch,
        .x_row = job->rows.source_step * job->from->width * l->lanes,
        .x_tap = job->columns.source_step * l->lanes,
        .x_point = job->columns.source_period * l->lanes,
        .y_filter = p->rows * width,
        .y_point = job->columns.period * l->lanes,
    };

    for (int64_t r = 0; r < p->rows; r++)
        make_row(job, &job->rows.at[p->row + r], w, from, to + r * width,
                 &tile);
}

/* Back to one image after the other. */
static void put_rows(const struct job *job, const struct piece *p,
                     const float *from)
{
    const ub__lanes *l = &job->lanes;
    const int64_t area = l->height * job->to_width;
    const int64_t n = p->rows * job->to_width;
    const int64_t image = (l->block + p->block) * l->lanes;

    for (int64_t f = 0; f < p->filters; f++, from += n * l->lanes) {
        const int64_t channel = p->group * job->out + p->filter + f;
        const float bias = job->bias != NULL ? job->bias[channel] : 0.0f;

        l->loops->turn_back(ub__lanes_images(l, p->block), n, from, bias,
                            job->to +
                                (image * job->to_channels + channel) * area +
                                p->row * job->to_width,
                            job->to_channels * area, job->accumulate);
    }
}

static void result_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    const struct piece p = piece_of(job, task);
    float *results = ub__scratch(job->lanes.context, worker);

    if (p.rows <= 0) /* the last turn has fewer bands */
        return;
    make_rows(job, &p, results);
    put_rows(job, &p, results);
}

/* -- plans ----------------------------------------------------------------- */

static void plan_planes(struct job *job)
{
    ub__lanes *l = &job->lanes;
    const ub__conv *c = &l->conv;
    const int64_t spread = (c->kernel_height - 1) * c->dilation;

    if (job->backward)
        l->gy = (ub__planes){ .channels = c->out_channels,
                              .height = c->out_height,
                              .width = c->out_width,
                              .step = 1,
                              .divisor = c->stride,
                              .extra = spread / c->stride + 2 };
    else
        l->x = (ub__planes){ .channels = c->in_channels,
                             .height = c->in_height,
                             .width = c->in_width,
                             .step = c->stride,
                             .divisor = 1,
                             .extra = spread + 1 };
    job->from = job->backward ? &l->gy : &l->x;
    ub__lanes_plan(l, job->backward ? c->in_height : c->out_height);
}

static void job_init(struct job *job, ub_context *context, const ub__conv *conv,
                     int backward)
{
    ub__lanes *l = &job->lanes;

    *job = (struct job){ .backward = backward };
    ub__lanes_init(l, context, conv);
    plan_planes(job);
    job->in = backward ? l->out : l->in;
    job->out = backward ? l->in : l->out;
    job->w_filter = backward ? l->taps : l->in * l->taps;
    job->w_channel = backward ? l->in * l->taps : l->taps;
    job->to_channels = backward ? conv->in_channels : conv->out_channels;
    job->to_width = backward ? conv->in_width : conv->out_width;
    job->rows.extent = l->height;
    job->columns.extent = job->to_width;
    job->channels = ub__even(job->in, TERMS / l->taps);
    job->filters = ub__even(job->out, l->loops->filters);
    job->filter_parts = ub__divide_up(job->out, job->filters);
    job->band = ub__even(l->most_rows,
                         OUTPUT / (job->filters * job->to_width * l->lanes));
    job->bands = ub__divide_up(l->most_rows, job->band);
}

/* Behind the planes: tables, then the packed weights. */
static int64_t table_floats(const struct job *job)
{
    const size_t bytes = (size_t) (job->lanes.height + job->to_width) *
                             sizeof(ub__place) +
                         (size_t) job->to_width * sizeof(ub__point_set);

    return (int64_t) (bytes / sizeof(float));
}

ub__scratch_size ub__lanes_result_scratch(ub_context *context,
                                          const ub__conv *conv, int backward)
{
    struct job job;
    int64_t worker, shared;

    job_init(&job, context, conv, backward);
    worker = job.band * job.to_width * job.lanes.lanes * job.filters;
    shared = ub__lanes_floats(&job.lanes) + table_floats(&job) +
             conv->groups * job.filter_parts * job.filters * job.in *
                 job.lanes.taps;
    return (ub__scratch_size){ (size_t) worker * sizeof(float),
                               (size_t) shared * sizeof(float) };
}

static void make_tables(struct job *job)
{
    const ub__side rows = ub__side_rows(&job->lanes.conv);
    const ub__side columns = ub__side_columns(&job->lanes.conv);
    float *tables = (float *) ub__scratch_shared(job->lanes.context) +
                    ub__lanes_floats(&job->lanes);

    job->rows.at = (ub__place *) (void *) tables;
    job->columns.at = job->rows.at + job->lanes.height;
    job->sets = (ub__point_set *) (void *) (job->columns.at + job->to_width);
    job->packed = tables + table_floats(job);
    if (job->backward) {
        ub__axis_backward(&job->rows, &rows);
        ub__axis_backward(&job->columns, &columns);
    } else {
        ub__axis_forward(&job->rows, &rows);
        ub__axis_forward(&job->columns, &columns);
    }
    job->n_sets = ub__point_sets(&job->columns, UB__POINTS, job->sets);
}

static void run(struct job *job)
{
    const int64_t filter_parts = job->lanes.conv.groups * job->filter_parts;

    make_tables(job);
    job->lanes.pack = pack_task;
    job->lanes.packs = filter_parts;
    ub__lanes_run(job, find_rows, result_task, filter_parts * job->bands, 0);
}

void ub__lanes_forward(ub_context *context, const ub__conv *conv,
                       const float *x, const float *w, const float *bias,
                       float *y)
{
    struct job job;

    job_init(&job, context, conv, 0);
    job.lanes.x.data = x;
    job.w = w;
    job.bias = bias;
    job.to = y;
    run(&job);
}

void ub__lanes_backward_data(ub_context *context, const ub__conv *conv,
                             const float *w, const float *gy, float *gx,
                             int accumulate)
{
    struct job job;

    job_init(&job, context, conv, 1);
    job.lanes.gy.data = gy;
    job.w = w;
    job.to = gx;
    job.accumulate = accumulate;
    run(&job);
}
