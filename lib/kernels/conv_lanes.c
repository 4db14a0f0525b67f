/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/conv.h"

#include <string.h>

/*
 * Convolutions with images side by side: planes are first turned so that a
 * pixel of as many images as a vector has lanes is one vector. Then no vector
 * lies across a border of the map, whatever the map's width: taps that read
 * padding are left out pixel by pixel, and no patches are written.
 */

/* Floats of turned planes at a time, if one block of images has no more. */
#define TURN   ((int64_t) 1 << 21)
/* Products summed at a time: sums of such sums lose less than one long one. */
#define TERMS  512
/* Floats of a worker's results before they are turned back. */
#define OUTPUT 65536
/* Floats of a worker's gradients of weights, a vector each. */
#define SUMS   65536
/* Pixels whose gradients stay in the first cache with those of the filters. */
#define PIXELS 32

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

/* n in parts of at most `most`, evened out. */
static int64_t even(int64_t n, int64_t most)
{
    return divide_up(n, divide_up(n, max_int(1, min_int(most, n))));
}

/* -- where taps read ------------------------------------------------------- */

/* The taps of an output that read the map: every tap_step-th from `tap` on, the
 * first of them at `source`, the next ones source_step apart. */
typedef struct place {
    int64_t tap, taps, source;
} place;

typedef struct axis {
    int64_t extent;
    int64_t tap_step, source_step;
    /* Outputs `period` apart may have the same taps, read so far apart. */
    int64_t period, source_period;
    place *at; /* [extent] */
} axis;

/* Along one axis, forward: output o reads o * stride - pad + k * dilation.
 * Backward input i gets from the outputs o that read it. */
typedef struct side {
    int64_t in, out, kernel, stride, pad, dilation;
} side;

static int64_t common_divisor(int64_t a, int64_t b)
{
    while (b != 0) {
        int64_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

static void axis_forward(axis *a, const side *s)
{
    a->extent = s->out;
    a->tap_step = 1;
    a->source_step = s->dilation;
    a->period = 1;
    a->source_period = s->stride;
    for (int64_t o = 0; o < s->out; o++) {
        place *p = &a->at[o];
        int64_t first = o * s->stride - s->pad, k = 0;

        if (first < 0)
            k = divide_up(-first, s->dilation);
        p->tap = k;
        p->source = first + k * s->dilation;
        p->taps = 0;
        if (k < s->kernel && p->source < s->in)
            p->taps = min_int(s->kernel - k,
                              (s->in - 1 - p->source) / s->dilation + 1);
    }
}

static void axis_backward(axis *a, const side *s)
{
    int64_t shared = common_divisor(s->stride, s->dilation);

    a->extent = s->in;
    a->tap_step = s->stride / shared;
    a->source_step = -s->dilation / shared;
    a->period = s->stride;
    a->source_period = 1;
    for (int64_t i = 0; i < s->in; i++) {
        place *p = &a->at[i];

        *p = (place){ 0, 0, 0 };
        for (int64_t k = 0; k < s->kernel; k++) {
            int64_t at = i + s->pad - k * s->dilation;

            if (at < 0 || at % s->stride != 0 || at / s->stride >= s->out)
                continue;
            if (p->taps++ == 0) {
                p->tap = k;
                p->source = at / s->stride;
            }
        }
    }
}

/* Up to UB__POINTS columns, a period apart, with the same taps. */
typedef struct column_set {
    int64_t first;
    int64_t points;
} column_set;

static int same_taps(const place *a, const place *b)
{
    return a->tap == b->tap && a->taps == b->taps;
}

static int64_t make_sets(const axis *a, column_set *set)
{
    int64_t n = 0;

    for (int64_t phase = 0; phase < min_int(a->period, a->extent); phase++) {
        for (int64_t i = phase, end; i < a->extent; i = end) {
            int64_t run = 0, part;

            for (end = i; end < a->extent && same_taps(&a->at[i], &a->at[end]);
                 end += a->period)
                run++;
            part = even(run, UB__POINTS);
            for (int64_t done = 0; done < run; done += part, n++) {
                set[n].first = i + done * a->period;
                set[n].points = min_int(part, run - done);
            }
        }
    }
    return n;
}

/* -- a pass ---------------------------------------------------------------- */

/* A tensor whose planes are turned. */
typedef struct planes {
    const float *data;
    int64_t channels, area;
    int64_t pitch; /* floats from one turned plane to the next */
    float *turned; /* [blocks][channels][pitch], of it [area][lanes] used */
} planes;

struct job {
    ub_context *context;
    const ub__loops *loops;
    ub__conv conv;
    int64_t lanes;
    int64_t first_block, blocks; /* of images, of this turn */
    int accumulate;
    planes x, gy; /* forward x alone, backward to the data gy alone */
    int64_t turned_channels;

    /* forward, or backward to the data */
    const planes *from;
    const float *w, *bias;
    float *packed; /* [group][filter part][channel][tap][filter] */
    float *to;
    int64_t to_channels, to_height, to_width, from_width;
    int64_t in, out; /* channels of a group */
    int64_t w_filter, w_channel;
    axis rows, columns;
    column_set *sets;
    int64_t n_sets;
    int64_t channels, filters, filter_parts, band, bands;

    /* backward to the weight */
    float *gw;
    int64_t weight_filters, weight_channels, filter_blocks, channel_blocks;
};

static int64_t images_of(const struct job *job, int64_t block)
{
    return min_int(job->lanes,
                   job->conv.batch - (job->first_block + block) * job->lanes);
}

static float *turned_plane(const planes *p, int64_t block, int64_t channel)
{
    return p->turned + (block * p->channels + channel) * p->pitch;
}

static void turn_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    const int64_t block = task / job->turned_channels;
    const int64_t images = images_of(job, block);
    int64_t channel = task % job->turned_channels;
    const planes *p = &job->x;

    (void) worker;
    if (channel >= p->channels) {
        channel -= p->channels;
        p = &job->gy;
    }
    job->loops->turn(
        images, p->area,
        p->data +
            ((job->first_block + block) * job->lanes * p->channels + channel) *
                p->area,
        p->channels * p->area, turned_plane(p, block, channel));
}

static int64_t taps_of(const struct job *job)
{
    return job->conv.kernel_height * job->conv.kernel_width;
}

static float *packed_weights(const struct job *job, int64_t group,
                             int64_t filter)
{
    return job->packed + (group * job->filter_parts * job->filters + filter) *
                             job->in * taps_of(job);
}

/* The weights of a tile's filters side by side. */
static void pack_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    const int64_t group = task / job->filter_parts, taps = taps_of(job);
    const int64_t filter = task % job->filter_parts * job->filters;
    const int64_t filters = min_int(job->filters, job->out - filter);
    const float *w = job->w + group * job->in * job->out * taps +
                     filter * job->w_filter;
    float *to = packed_weights(job, group, filter);

    (void) worker;
    for (int64_t c = 0; c < job->in; c++, to += taps * job->filters)
        job->loops->transpose(filters, taps, w + c * job->w_channel,
                              job->w_filter, to, job->filters);
}

/* Calls the tasks for all images, some blocks at a time. */
static void each_turn(struct job *job, int64_t tasks, ub__task_fn fn,
                      int per_block)
{
    const int64_t all = divide_up(job->conv.batch, job->lanes);
    const int64_t step = job->blocks;

    for (job->first_block = 0; job->first_block < all;
         job->first_block += step) {
        job->blocks = min_int(step, all - job->first_block);
        ub__parallel(job->context, job->blocks * job->turned_channels,
                     turn_task, job);
        ub__parallel(job->context, per_block ? job->blocks * tasks : tasks, fn,
                     job);
        job->accumulate |= !per_block;
    }
}

/* -- results --------------------------------------------------------------- */

/* What a task makes. */
struct piece {
    int64_t block, filter, filters; /* filter counts from the group's first */
    int64_t group, row, rows;
};

static struct piece piece_of(const struct job *job, int64_t task)
{
    struct piece p;

    p.row = task % job->bands * job->band;
    p.rows = min_int(job->band, job->to_height - p.row);
    task /= job->bands;
    p.filter = task % job->filter_parts * job->filters;
    p.filters = min_int(job->filters, job->out - p.filter);
    task /= job->filter_parts;
    p.group = task % job->conv.groups;
    p.block = task / job->conv.groups;
    return p;
}

/* All channels, some at a time. */
static void make_tile(const struct job *job, ub__filter_tile *tile)
{
    for (int64_t c = 0; c < job->in; c += job->channels) {
        tile->channels = min_int(job->channels, job->in - c);
        tile->add = c > 0;
        job->loops->filter_tile(tile);
        tile->w += job->channels * tile->w_channel;
        tile->x += job->channels * tile->x_channel;
    }
}

static void make_rows(const struct job *job, const struct piece *p, float *to)
{
    const int64_t lanes = job->lanes, row = job->from_width * lanes;
    const int64_t taps = taps_of(job);
    const float *w = packed_weights(job, p->group, p->filter);
    const float *from = turned_plane(job->from, p->block, p->group * job->in);
    ub__filter_tile tile = {
        .filters = (int) p->filters,
        .w_channel = taps * job->filters,
        .w_row = job->rows.tap_step * job->conv.kernel_width * job->filters,
        .w_tap = job->columns.tap_step * job->filters,
        .x_channel = job->from->pitch,
        .x_row = job->rows.source_step * row,
        .x_tap = job->columns.source_step * lanes,
        .x_point = job->columns.source_period * lanes,
        .y_filter = p->rows * job->to_width * lanes,
        .y_point = job->columns.period * lanes,
    };

    for (int64_t r = 0; r < p->rows; r++) {
        const place *y = &job->rows.at[p->row + r];

        tile.rows = y->taps;
        for (int64_t s = 0; s < job->n_sets; s++) {
            const column_set *set = &job->sets[s];
            const place *x = &job->columns.at[set->first];

            tile.points = (int) set->points;
            tile.taps = x->taps;
            tile.w = w +
                     (y->tap * job->conv.kernel_width + x->tap) * job->filters;
            tile.x = from + y->source * row + x->source * lanes;
            tile.y = to + (r * job->to_width + set->first) * lanes;
            make_tile(job, &tile);
        }
    }
}

/* Back to one image after the other. */
static void put_rows(const struct job *job, const struct piece *p,
                     const float *from)
{
    const int64_t area = job->to_height * job->to_width;
    const int64_t n = p->rows * job->to_width;
    const int64_t first = (job->first_block + p->block) * job->lanes;

    for (int64_t f = 0; f < p->filters; f++, from += n * job->lanes) {
        const int64_t channel = p->group * job->out + p->filter + f;

        job->loops->turn_back(images_of(job, p->block), n, from,
                              job->bias != NULL ? job->bias[channel] : 0.0f,
                              job->to +
                                  (first * job->to_channels + channel) * area +
                                  p->row * job->to_width,
                              job->to_channels * area, job->accumulate);
    }
}

static void result_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    const struct piece p = piece_of(job, task);
    float *results = ub__scratch(job->context, worker);

    make_rows(job, &p, results);
    put_rows(job, &p, results);
}

/* -- gradients of weights -------------------------------------------------- */

/* Outputs [*begin, *end) whose tap k reads the map. */
static void outputs_of_tap(const side *s, int64_t k, int64_t *begin,
                           int64_t *end)
{
    const int64_t at = k * s->dilation - s->pad;

    *begin = at < 0 ? divide_up(-at, s->stride) : 0;
    *end = at >= s->in ? 0 : (s->in - 1 - at) / s->stride + 1;
    *end = min_int(*end, s->out);
}

static side rows_of(const ub__conv *c)
{
    return (side){ c->in_height, c->out_height, c->kernel_height,
                   c->stride,    c->pad_height, c->dilation };
}

static side columns_of(const ub__conv *c)
{
    return (side){ c->in_width, c->out_width, c->kernel_width,
                   c->stride,   c->pad_width, c->dilation };
}

struct weight_block {
    int64_t group, filter, filters, channel, channels;
    float *sums; /* [channel][tap][filter][lanes] */
};

/* Part of the outputs of some blocks of images. */
struct part {
    int64_t block, blocks;
    int64_t top, bottom, left, right;
};

/* The outputs of a part whose tap (i, j) reads the map; 0: there are none. */
static int cut_to_tap(const struct job *job, int64_t i, int64_t j,
                      struct part *part)
{
    const side rows = rows_of(&job->conv), columns = columns_of(&job->conv);
    int64_t begin, end;

    outputs_of_tap(&rows, i, &begin, &end);
    part->top = max_int(part->top, begin);
    part->bottom = min_int(part->bottom, end);
    outputs_of_tap(&columns, j, &begin, &end);
    part->left = max_int(part->left, begin);
    part->right = min_int(part->right, end);
    return part->top < part->bottom && part->left < part->right;
}

static void add_tap(const struct job *job, const struct weight_block *b,
                    struct part part, int64_t i, int64_t j)
{
    const ub__conv *conv = &job->conv;
    const int64_t lanes = job->lanes, taps = taps_of(job);
    ub__weight_tile tile = { .filters = (int) b->filters,
                             .blocks = part.blocks,
                             .g_filter = job->gy.pitch,
                             .g_block = job->gy.channels * job->gy.pitch,
                             .g_row = conv->out_width * lanes,
                             .x_channel = job->x.pitch,
                             .x_block = job->x.channels * job->x.pitch,
                             .x_row = conv->stride * conv->in_width * lanes,
                             .x_column = conv->stride * lanes,
                             .sums_filter = lanes,
                             .sums_channel = taps * b->filters * lanes };
    int64_t y, x;

    if (!cut_to_tap(job, i, j, &part))
        return;
    y = part.top * conv->stride + i * conv->dilation - conv->pad_height;
    x = part.left * conv->stride + j * conv->dilation - conv->pad_width;
    tile.rows = part.bottom - part.top;
    tile.columns = part.right - part.left;
    tile.g = turned_plane(&job->gy, part.block,
                          b->group * job->out + b->filter) +
             (part.top * conv->out_width + part.left) * lanes;
    tile.x = turned_plane(&job->x, part.block,
                          b->group * job->in + b->channel) +
             (y * conv->in_width + x) * lanes;
    tile.sums = b->sums + (i * conv->kernel_width + j) * b->filters * lanes;
    for (int64_t c = 0; c < b->channels; c += UB__POINTS) {
        tile.points = (int) min_int(UB__POINTS, b->channels - c);
        job->loops->weight_tile(&tile);
        tile.x += UB__POINTS * tile.x_channel;
        tile.sums += UB__POINTS * tile.sums_channel;
    }
}

static void add_part(const struct job *job, const struct weight_block *b,
                     const struct part *part)
{
    for (int64_t i = 0; i < job->conv.kernel_height; i++)
        for (int64_t j = 0; j < job->conv.kernel_width; j++)
            add_tap(job, b, *part, i, j);
}

/* All images, part by part. */
static void add_images(const struct job *job, const struct weight_block *b)
{
    const ub__conv *conv = &job->conv;
    const int64_t columns = even(conv->out_width, PIXELS);
    const int64_t rows = even(conv->out_height, PIXELS / columns);
    const int64_t blocks = even(job->blocks, PIXELS / (columns * rows));
    struct part p;

    for (p.block = 0; p.block < job->blocks; p.block += blocks) {
        p.blocks = min_int(blocks, job->blocks - p.block);
        for (p.top = 0; p.top < conv->out_height; p.top += rows) {
            p.bottom = min_int(p.top + rows, conv->out_height);
            for (p.left = 0; p.left < conv->out_width; p.left += columns) {
                p.right = min_int(p.left + columns, conv->out_width);
                add_part(job, b, &p);
            }
        }
    }
}

static void put_tap(const struct job *job, const struct weight_block *b,
                    int64_t i, int64_t j)
{
    const int64_t taps = taps_of(job), tap = i * job->conv.kernel_width + j;
    const int64_t row = b->filters * job->lanes;
    struct part all = { .bottom = job->conv.out_height,
                        .right = job->conv.out_width };
    const int read = cut_to_tap(job, i, j, &all);
    float *gw = job->gw +
                ((b->group * job->out + b->filter) * job->in + b->channel) *
                    taps +
                tap;

    for (int64_t c = 0; c < b->channels; c++, gw += taps) {
        if (read)
            job->loops->sum_lanes(b->filters, b->sums + (c * taps + tap) * row,
                                  gw, job->in * taps, job->accumulate);
        for (int64_t f = 0; f < b->filters && !read && !job->accumulate; f++)
            gw[f * job->in * taps] = 0.0f;
    }
}

static void put_weights(const struct job *job, const struct weight_block *b)
{
    for (int64_t i = 0; i < job->conv.kernel_height; i++)
        for (int64_t j = 0; j < job->conv.kernel_width; j++)
            put_tap(job, b, i, j);
}

/* A task owns some of the weights and goes through all images, so that the
 * sums do not depend on the number of threads. */
static void weight_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    const int64_t taps = taps_of(job);
    struct weight_block b = { .sums = ub__scratch(job->context, worker) };

    b.channel = task % job->channel_blocks * job->weight_channels;
    b.channels = min_int(job->weight_channels, job->in - b.channel);
    task /= job->channel_blocks;
    b.filter = task % job->filter_blocks * job->weight_filters;
    b.filters = min_int(job->weight_filters, job->out - b.filter);
    b.group = task / job->filter_blocks;
    memset(b.sums, 0,
           (size_t) (b.channels * taps * b.filters * job->lanes) *
               sizeof(*b.sums));
    add_images(job, &b);
    put_weights(job, &b);
}

/* -- plans ----------------------------------------------------------------- */

static int64_t aligned(int64_t floats)
{
    return (floats + 15) & ~(int64_t) 15;
}

/* An odd number of vectors: planes a power of two apart would fall on the same
 * lines of a cache. */
static void set_planes(const struct job *job, planes *p, int64_t channels,
                       int64_t height, int64_t width)
{
    p->channels = channels;
    p->area = height * width;
    p->pitch = (p->area | 1) * job->lanes;
}

static int64_t turned_floats(const struct job *job, const planes *p)
{
    return job->blocks * p->channels * p->pitch;
}

/* How many blocks of images are turned at a time. */
static void set_blocks(struct job *job)
{
    const int64_t all = divide_up(job->conv.batch, job->lanes);

    job->blocks = 1;
    job->turned_channels = job->x.channels + job->gy.channels;
    job->blocks = even(all, TURN / (turned_floats(job, &job->x) +
                                    turned_floats(job, &job->gy)));
}

/* Floats that a job's tables of places and of columns take. */
static int64_t table_floats(int64_t height, int64_t width)
{
    const size_t bytes = (size_t) (height + width) * sizeof(place) +
                         (size_t) width * sizeof(column_set);

    return aligned((int64_t) (bytes / sizeof(float)) + 1);
}

static void job_init(struct job *job, ub_context *context, const ub__conv *conv)
{
    memset(job, 0, sizeof(*job));
    job->context = context;
    job->loops = ub__loops_for(context);
    job->lanes = job->loops->lanes;
    job->conv = *conv;
}

static void plan_results(struct job *job, int backward)
{
    const ub__conv *c = &job->conv;
    const int64_t kernel = c->kernel_height * c->kernel_width;
    const int64_t in = c->in_channels / c->groups;
    const int64_t out = c->out_channels / c->groups;

    job->in = backward ? out : in;
    job->out = backward ? in : out;
    job->w_filter = backward ? kernel : in * kernel;
    job->w_channel = backward ? in * kernel : kernel;
    job->to_channels = backward ? c->in_channels : c->out_channels;
    job->to_height = backward ? c->in_height : c->out_height;
    job->to_width = backward ? c->in_width : c->out_width;
    job->from_width = backward ? c->out_width : c->in_width;
    job->from = backward ? &job->gy : &job->x;
    if (backward)
        set_planes(job, &job->gy, c->out_channels, c->out_height, c->out_width);
    else
        set_planes(job, &job->x, c->in_channels, c->in_height, c->in_width);
    set_blocks(job);
    job->channels = even(job->in, TERMS / kernel);
    job->filters = even(job->out, job->loops->filters);
    job->filter_parts = divide_up(job->out, job->filters);
    job->band = even(job->to_height,
                     OUTPUT / (job->filters * job->to_width * job->lanes));
    job->bands = divide_up(job->to_height, job->band);
}

static void plan_weights(struct job *job)
{
    const ub__conv *c = &job->conv;
    const int64_t kernel = c->kernel_height * c->kernel_width;
    const int64_t threads = ub_context_threads(job->context);
    int64_t wanted;

    job->in = c->in_channels / c->groups;
    job->out = c->out_channels / c->groups;
    set_planes(job, &job->x, c->in_channels, c->in_height, c->in_width);
    set_planes(job, &job->gy, c->out_channels, c->out_height, c->out_width);
    set_blocks(job);
    job->weight_filters = even(job->out, job->loops->filters);
    job->filter_blocks = divide_up(job->out, job->weight_filters);
    wanted = divide_up(2 * threads, job->filter_blocks * c->groups);
    job->weight_channels = even(
        job->in, min_int(SUMS / (job->weight_filters * kernel * job->lanes),
                         divide_up(job->in, wanted)));
    job->channel_blocks = divide_up(job->in, job->weight_channels);
}

/* The shared memory: planes, then tables. */
static void place_planes(struct job *job)
{
    job->x.turned = ub__scratch_shared(job->context);
    job->gy.turned = job->x.turned + turned_floats(job, &job->x);
}

static int64_t packed_floats(const struct job *job)
{
    return aligned(job->conv.groups * job->filter_parts * job->filters *
                   job->in * taps_of(job));
}

static void make_tables(struct job *job, int backward)
{
    const side rows = rows_of(&job->conv), columns = columns_of(&job->conv);
    float *tables = (float *) ub__scratch_shared(job->context) +
                    turned_floats(job, job->from);

    job->packed = tables;
    tables += packed_floats(job);
    job->rows.at = (place *) (void *) tables;
    job->columns.at = job->rows.at + job->to_height;
    job->sets = (column_set *) (void *) (job->columns.at + job->to_width);
    if (backward) {
        axis_backward(&job->rows, &rows);
        axis_backward(&job->columns, &columns);
    } else {
        axis_forward(&job->rows, &rows);
        axis_forward(&job->columns, &columns);
    }
    job->n_sets = make_sets(&job->columns, job->sets);
}

static int64_t result_floats(const struct job *job)
{
    return job->band * job->to_width * job->lanes * job->filters;
}

static void need(ub__scratch_size *size, int64_t worker, int64_t shared)
{
    const size_t w = (size_t) worker * sizeof(float);
    const size_t s = (size_t) shared * sizeof(float);

    size->worker = size->worker > w ? size->worker : w;
    size->shared = size->shared > s ? size->shared : s;
}

ub__scratch_size ub__lanes_scratch(ub_context *context, const ub__conv *conv)
{
    const int64_t kernel = conv->kernel_height * conv->kernel_width;
    ub__scratch_size size = { 0, 0 };
    struct job job;

    for (int backward = 0; backward < 2; backward++) {
        job_init(&job, context, conv);
        plan_results(&job, backward);
        need(&size, result_floats(&job),
             turned_floats(&job, job.from) + packed_floats(&job) +
                 table_floats(job.to_height, job.to_width));
    }
    job_init(&job, context, conv);
    plan_weights(&job);
    need(&size, job.weight_filters * job.weight_channels * kernel * job.lanes,
         turned_floats(&job, &job.x) + turned_floats(&job, &job.gy));
    return size;
}

/* -- passes ---------------------------------------------------------------- */

static void run_results(struct job *job, int backward)
{
    place_planes(job);
    make_tables(job, backward);
    ub__parallel(job->context, job->conv.groups * job->filter_parts, pack_task,
                 job);
    each_turn(job, job->conv.groups * job->filter_parts * job->bands,
              result_task, 1);
}

void ub__lanes_forward(ub_context *context, const ub__conv *conv,
                       const float *x, const float *w, const float *bias,
                       float *y)
{
    struct job job;

    job_init(&job, context, conv);
    job.x.data = x;
    job.w = w;
    job.bias = bias;
    job.to = y;
    plan_results(&job, 0);
    run_results(&job, 0);
}

void ub__lanes_backward_data(ub_context *context, const ub__conv *conv,
                             const float *w, const float *gy, float *gx,
                             int accumulate)
{
    struct job job;

    job_init(&job, context, conv);
    job.gy.data = gy;
    job.w = w;
    job.to = gx;
    job.accumulate = accumulate;
    plan_results(&job, 1);
    run_results(&job, 1);
}

void ub__lanes_backward_weight(ub_context *context, const ub__conv *conv,
                               const float *x, const float *gy, float *gw,
                               int accumulate)
{
    struct job job;

    job_init(&job, context, conv);
    job.x.data = x;
    job.gy.data = gy;
    job.gw = gw;
    job.accumulate = accumulate;
    plan_weights(&job);
    place_planes(&job);
    each_turn(&job, conv->groups * job.filter_blocks * job.channel_blocks,
              weight_task, 0);
}
