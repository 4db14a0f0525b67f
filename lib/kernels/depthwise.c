/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/axis.h"

#include <string.h>

/*
 * Depthwise convolutions with planes side by side: as many consecutive planes,
 * of whatever images and channels, as a vector has lanes are turned so that a
 * pixel of all of them is one vector, and so is a tap of all their kernels.
 * Turned planes have columns of zeros at their sides: every result of a row has
 * the same taps. Rows outside the map are left out.
 */

/* Floats of a worker's turned planes, as far as a row of results allows. */
#define TURNED 32768
/* Pixels of results. */
#define STRIP  64

struct job {
    ub_context *context;
    const ub__loops *loops;
    const ub__conv *conv;
    int64_t lanes, tasks;
    /* Of the taps that read the map at all, the first of which are these; with
     * zeros around the columns of what is read. */
    ub__side rows, columns;
    int64_t first_row, first_column;
    int64_t channels; /* with those that follow in the last one's vector */
    int64_t left, width;
    int64_t band;  /* rows of results at a time */
    int64_t strip; /* rows of results before they are turned back */
    int64_t from_rows;
    const float *from;
    int64_t from_height, from_width;
    int accumulate;
    /* results */
    ub__axis result_rows, result_columns;
    ub__point_set *sets;
    int64_t n_sets;
    float *weights, *start; /* [taps][channels], [channels] */
    float *to;
    int64_t to_height, to_width;
    /* gradients of weights */
    const float *gy;
    float *sums; /* [tasks][taps][channels] */
};

static void zero(float *x, int64_t n)
{
    memset(x, 0, (size_t) n * sizeof(*x));
}

static int64_t taps_of(const struct job *job)
{
    return job->rows.kernel * job->columns.kernel;
}

static int64_t planes_of(const struct job *job)
{
    return job->conv->batch * job->conv->in_channels;
}

/* Where the first of some taps of a row, of those that read the map, is in a
 * kernel. */
static int64_t tap_at(const struct job *job, int64_t i)
{
    return (job->first_row + i) * job->conv->kernel_width + job->first_column;
}

/* -- plans ----------------------------------------------------------------- */

/* Leave out the taps before the first and behind the last one that reads the
 * map; returns the first. */
static int64_t trim(ub__side *s)
{
    int64_t first = -1, last = 0;

    for (int64_t k = 0; k < s->kernel; k++) {
        int64_t begin = 0, end = s->out;

        if (!ub__side_cut(s, k, &begin, &end))
            continue;
        first = first < 0 ? k : first;
        last = k;
    }
    first = ub__max(first, 0);
    s->kernel = last + 1 - first;
    s->pad -= first * s->dilation;
    return first;
}

/* Zeros so that outputs read them instead of the padding; returns how many come
 * before the map. */
static int64_t surround_inputs(ub__side *s)
{
    const int64_t last = (s->out - 1) * s->stride +
                         (s->kernel - 1) * s->dilation - s->pad;
    const int64_t before = ub__max(s->pad, 0);

    s->in = before + ub__max(s->in, last + 1);
    s->pad -= before;
    return before;
}

/* The same of the outputs that inputs get from. */
static int64_t surround_outputs(ub__side *s)
{
    const int64_t reach = (s->kernel - 1) * s->dilation - s->pad;
    const int64_t last = (s->in - 1 + s->pad) / s->stride;
    const int64_t before = ub__divide_up(ub__max(reach, 0), s->stride);

    s->out = before + ub__max(s->out, last + 1);
    s->pad += before * s->stride;
    return before;
}

static int64_t from_rows(const struct job *job, int backward, int64_t rows)
{
    const int64_t stride = job->rows.stride;
    const int64_t spread = (job->rows.kernel - 1) * job->rows.dilation;

    return ub__min(job->from_height,
                   backward ? (rows - 1) / stride + spread / stride + 2
                            : (rows - 1) * stride + spread + 1);
}

static void job_init(struct job *job, ub_context *context, const ub__conv *conv,
                     int backward)
{
    *job = (struct job){ .context = context,
                         .loops = ub__loops_for(context),
                         .conv = conv,
                         .rows = ub__side_rows(conv),
                         .columns = ub__side_columns(conv) };
    job->lanes = job->loops->lanes;
    job->first_row = trim(&job->rows);
    job->first_column = trim(&job->columns);
    job->channels = (conv->in_channels + job->lanes - 1 + 15) & ~(int64_t) 15;
    job->from_height = backward ? conv->out_height : conv->in_height;
    job->from_width = backward ? conv->out_width : conv->in_width;
    job->to_height = backward ? conv->in_height : conv->out_height;
    job->to_width = backward ? conv->in_width : conv->out_width;
    job->left = (backward ? surround_outputs : surround_inputs)(&job->columns);
    job->width = backward ? job->columns.out : job->columns.in;
    job->band = job->to_height;
    while (job->band > 1 && (from_rows(job, backward, job->band) * job->width +
                             job->band * job->to_width) *
                                    job->lanes >
                                TURNED)
        job->band = (job->band + 1) / 2;
    job->from_rows = from_rows(job, backward, job->band);
    job->strip = ub__max(1, STRIP / job->to_width);
    job->tasks = ub__tasks_for(context,
                               (double) planes_of(job) *
                                   (double) (job->to_height * job->to_width) *
                                   (double) taps_of(job),
                               ub__divide_up(planes_of(job), job->lanes));
}

/* Sums of gradients should be few beside the planes. */
static void limit_sums(struct job *job)
{
    job->tasks = ub__max(1, ub__min(job->tasks, job->conv->batch));
}

static int64_t table_floats(const struct job *job)
{
    const size_t bytes = (size_t) (job->to_height + job->to_width) *
                             sizeof(ub__place) +
                         (size_t) job->to_width * sizeof(ub__point_set);

    return (int64_t) ((bytes / sizeof(float) + 15) & ~(size_t) 15);
}

static int64_t worker_floats(const struct job *job)
{
    return (job->from_rows * job->width + job->band * job->to_width) *
           job->lanes;
}

/* -- turning --------------------------------------------------------------- */

/* What a task takes: [first, first + planes) side by side, and of these some
 * rows of what is read. */
struct block {
    int64_t plane, planes;
    int64_t first_row, rows;
    float *turned; /* [from_rows][width][lanes], zeros at the sides */
    float *other;  /* [band][to_width][lanes] */
};

static void block_init(const struct job *job, int worker, struct block *b)
{
    b->turned = ub__scratch(job->context, worker);
    b->other = b->turned + job->from_rows * job->width * job->lanes;
    zero(b->turned, job->from_rows * job->width * job->lanes);
}

static void turn(const struct job *job, const struct block *b)
{
    const int64_t area = job->from_height * job->from_width;

    job->loops->turn(
        b->planes, b->rows, job->from_width,
        job->from + b->plane * area + b->first_row * job->from_width, area,
        b->turned + job->left * job->lanes, job->width * job->lanes);
}

/* -- forward and backward to the data -------------------------------------- */

static void result_row(const struct job *job, const struct block *b,
                       const ub__place *y, float *to)
{
    const int64_t channel = b->plane % job->conv->in_channels;
    const int64_t row = (y->source - b->first_row) * job->width;
    ub__plane_tile tile = {
        .rows = y->taps,
        .w_row = job->result_rows.tap_step * job->columns.kernel *
                 job->channels,
        .w_tap = job->result_columns.tap_step * job->channels,
        .x_row = job->result_rows.source_step * job->width * job->lanes,
        .x_tap = job->result_columns.source_step * job->lanes,
        .x_point = job->result_columns.source_period * job->lanes,
        .start = job->start + channel,
        .y_point = job->result_columns.period * job->lanes,
    };

    for (int64_t s = 0; s < job->n_sets; s++) {
        const ub__point_set *set = &job->sets[s];
        const ub__place *x = &job->result_columns.at[set->first];
        const int64_t tap = y->tap * job->columns.kernel + x->tap;

        tile.points = (int) set->points;
        tile.taps = x->taps;
        tile.w = job->weights + tap * job->channels + channel;
        tile.x = y->taps > 0 ? b->turned + (row + x->source) * job->lanes
                             : b->turned;
        tile.y = to + set->first * job->lanes;
        job->loops->plane_tile(&tile);
    }
}

static void result_band(const struct job *job, struct block *b, int64_t begin,
                        int64_t end)
{
    const int64_t area = job->to_height * job->to_width;
    int64_t behind;

    ub__axis_sources(&job->result_rows, begin, end, &b->first_row, &behind);
    b->rows = behind - b->first_row;
    turn(job, b);
    for (int64_t row = begin; row < end; row += job->strip) {
        const int64_t rows = ub__min(job->strip, end - row);

        for (int64_t r = 0; r < rows; r++)
            result_row(job, b, &job->result_rows.at[row + r],
                       b->other + r * job->to_width * job->lanes);
        job->loops->turn_back(b->planes, rows * job->to_width, b->other, 0.0f,
                              job->to + b->plane * area + row * job->to_width,
                              area, job->accumulate);
    }
}

static void result_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    struct block b;
    int64_t end;

    ub__split(planes_of(job), job->lanes, job->tasks, task, &b.plane, &end);
    block_init(job, worker, &b);
    for (; b.plane < end; b.plane += job->lanes) {
        b.planes = ub__min(job->lanes, end - b.plane);
        for (int64_t row = 0; row < job->to_height; row += job->band)
            result_band(job, &b, row, ub__min(row + job->band, job->to_height));
    }
}

/* So that a vector of the channels from any one on can be read. */
static void repeat_channels(const struct job *job, float *values)
{
    for (int64_t c = job->conv->in_channels; c < job->channels; c++)
        values[c] = values[c - job->conv->in_channels];
}

static void pack_weights(const struct job *job, const float *w,
                         const float *bias)
{
    const ub__conv *conv = job->conv;
    const int64_t channels = conv->in_channels;

    for (int64_t i = 0; i < job->rows.kernel; i++)
        job->loops->transpose(channels, job->columns.kernel, w + tap_at(job, i),
                              conv->kernel_height * conv->kernel_width,
                              job->weights +
                                  i * job->columns.kernel * job->channels,
                              job->channels);
    for (int64_t t = 0; t < taps_of(job); t++)
        repeat_channels(job, job->weights + t * job->channels);
    zero(job->start, job->channels);
    if (bias == NULL)
        return;
    memcpy(job->start, bias, (size_t) channels * sizeof(*bias));
    repeat_channels(job, job->start);
}

static void run_results(struct job *job, int backward, const float *w,
                        const float *bias)
{
    float *shared = ub__scratch_shared(job->context);

    job->result_rows.extent = job->to_height;
    job->result_columns.extent = job->to_width;
    job->result_rows.at = (ub__place *) (void *) shared;
    job->result_columns.at = job->result_rows.at + job->to_height;
    job->sets = (ub__point_set *) (void *) (job->result_columns.at +
                                            job->to_width);
    job->weights = shared + table_floats(job);
    job->start = job->weights + taps_of(job) * job->channels;
    (backward ? ub__axis_backward : ub__axis_forward)(&job->result_rows,
                                                      &job->rows);
    (backward ? ub__axis_backward : ub__axis_forward)(&job->result_columns,
                                                      &job->columns);
    job->n_sets = ub__point_sets(&job->result_columns, UB__PLANE_POINTS,
                                 job->sets);
    pack_weights(job, w, bias);
    ub__parallel(job->context, job->tasks, result_task, job);
}

void ub__depthwise_forward(ub_context *context, const ub__conv *conv,
                           const float *x, const float *w, const float *bias,
                           float *y)
{
    struct job job;

    job_init(&job, context, conv, 0);
    job.from = x;
    job.to = y;
    run_results(&job, 0, w, bias);
}

void ub__depthwise_backward_data(ub_context *context, const ub__conv *conv,
                                 const float *w, const float *gy, float *gx,
                                 int accumulate)
{
    struct job job;

    job_init(&job, context, conv, 1);
    job.from = gy;
    job.to = gx;
    job.accumulate = accumulate;
    run_results(&job, 1, w, NULL);
}

/* -- backward to the weight ------------------------------------------------ */

/* The taps of a row of the kernel, from outputs [begin, end) of those turned
 * from `first` on. */
static void add_taps(const struct job *job, const struct block *b,
                     int64_t kernel_row, int64_t begin, int64_t end,
                     float *sums)
{
    const int64_t lanes = job->lanes, first = begin;
    const int64_t most = ub__even(job->columns.kernel, UB__PLANE_TAPS);
    ub__tap_tile tile = { .columns = job->conv->out_width,
                          .g_row = job->conv->out_width * lanes,
                          .x_row = job->rows.stride * job->width * lanes,
                          .x_column = job->columns.stride * lanes,
                          .x_tap = job->columns.dilation * lanes,
                          .sums_tap = job->channels };
    int64_t row;

    if (!ub__side_cut(&job->rows, kernel_row, &begin, &end))
        return;
    row = begin * job->rows.stride - job->rows.pad +
          kernel_row * job->rows.dilation - b->first_row;
    tile.rows = end - begin;
    tile.g = b->other + (begin - first) * tile.g_row;
    for (int64_t j = 0; j < job->columns.kernel; j += most) {
        tile.taps = (int) ub__min(most, job->columns.kernel - j);
        tile.x = b->turned + row * job->width * lanes -
                 job->columns.pad * lanes + j * tile.x_tap;
        tile.sums = sums +
                    (kernel_row * job->columns.kernel + j) * job->channels;
        job->loops->tap_tile(&tile);
    }
}

static void weight_band(const struct job *job, struct block *b, int64_t begin,
                        int64_t end, float *sums)
{
    const ub__conv *conv = job->conv;
    const int64_t area = conv->out_height * conv->out_width;
    const int64_t top = begin * conv->stride - job->rows.pad;
    const int64_t bottom = (end - 1) * conv->stride - job->rows.pad +
                           (job->rows.kernel - 1) * conv->dilation;

    b->first_row = ub__min(ub__max(top, 0), conv->in_height);
    b->rows = ub__max(ub__min(bottom + 1, conv->in_height) - b->first_row, 0);
    turn(job, b);
    job->loops->turn(b->planes, 1, (end - begin) * conv->out_width,
                     job->gy + b->plane * area + begin * conv->out_width, area,
                     b->other, 0);
    for (int64_t i = 0; i < job->rows.kernel; i++)
        add_taps(job, b, i, begin, end, sums + b->plane % conv->in_channels);
}

static void weight_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    float *sums = job->sums + task * taps_of(job) * job->channels;
    struct block b;
    int64_t end;

    ub__split(planes_of(job), job->lanes, job->tasks, task, &b.plane, &end);
    block_init(job, worker, &b);
    zero(sums, taps_of(job) * job->channels);
    for (; b.plane < end; b.plane += job->lanes) {
        b.planes = ub__min(job->lanes, end - b.plane);
        for (int64_t row = 0; row < job->to_height; row += job->band)
            weight_band(job, &b, row, ub__min(row + job->band, job->to_height),
                        sums);
    }
}

/* The tasks' sums, in their order. */
static void put_weights(const struct job *job, float *gw)
{
    const int64_t channels = job->conv->in_channels;
    const int64_t kernel = job->conv->kernel_height * job->conv->kernel_width;
    const int64_t n = taps_of(job) * job->channels;

    if (!job->accumulate)
        zero(gw, channels * kernel);
    for (int64_t task = 1; task < job->tasks; task++)
        job->loops->scale(n, 1.0f, job->sums + task * n, job->sums, 1);
    for (int64_t t = 0; t < taps_of(job); t++) {
        const float *sums = job->sums + t * job->channels;
        float *to = gw + tap_at(job, t / job->columns.kernel) +
                    t % job->columns.kernel;

        for (int64_t first = 0; first < job->channels; first += channels)
            for (int64_t c = 0; c < ub__min(channels, job->channels - first);
                 c++)
                to[c * kernel] += sums[first + c];
    }
}

void ub__depthwise_backward_weight(ub_context *context, const ub__conv *conv,
                                   const float *x, const float *gy, float *gw,
                                   int accumulate)
{
    struct job job;

    job_init(&job, context, conv, 0);
    limit_sums(&job);
    job.from = x;
    job.gy = gy;
    job.sums = ub__scratch_shared(context);
    job.accumulate = accumulate;
    ub__parallel(context, job.tasks, weight_task, &job);
    put_weights(&job, gw);
}

/* -- for conv.c ------------------------------------------------------------ */

int ub__conv_is_depthwise(const ub__conv *conv)
{
    return conv->groups == conv->in_channels &&
           conv->groups == conv->out_channels;
}

ub__scratch_size ub__depthwise_scratch(ub_context *context,
                                       const ub__conv *conv)
{
    ub__scratch_size most = { 0, 0 };

    for (int backward = 0; backward < 2; backward++) {
        struct job job;
        size_t worker, results, sums;

        job_init(&job, context, conv, backward);
        worker = (size_t) worker_floats(&job) * sizeof(float);
        results = (size_t) (table_floats(&job) +
                            (taps_of(&job) + 1) * job.channels) *
                  sizeof(float);
        limit_sums(&job);
        sums = (size_t) (job.tasks * taps_of(&job) * job.channels) *
               sizeof(float);
        most.worker = worker > most.worker ? worker : most.worker;
        most.shared = results > most.shared ? results : most.shared;
        most.shared = sums > most.shared ? sums : most.shared;
    }
    return most;
}
