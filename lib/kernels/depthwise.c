/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/conv.h"

#include <string.h>

/* Windows of about this many floats, to stay in the first caches. */
#define WINDOW_FLOATS 8192
/* Terms of a float sum before it is added to a double. */
#define FLUSH         16384

struct job {
    ub_context *context;
    const ub__loops *loops;
    ub__window_plan plan;
    int64_t spread_rows, spread_columns; /* what the taps add to a phase */
    int64_t tasks;
    const float *x, *w, *bias, *gy;
    float *y, *gx, *gw;
    int accumulate;
    /* per-worker memory, in floats from its start */
    int64_t taps_at, weights_at, sums_at, doubles_at, window_at, rows_at;
    int64_t floats;
};

struct space {
    int64_t *offset; /* [taps] */
    int64_t *tap;    /* [taps] where they are in a kernel */
    float *weights;  /* [taps] */
    float *sums;     /* [taps][UB__LANES] */
    double *doubles; /* [taps] */
    float *window;
    float *rows; /* at the window's pitch */
};

static int64_t aligned(int64_t floats)
{
    return (floats + 15) & ~(int64_t) 15;
}

static void zero(float *x, int64_t n)
{
    memset(x, 0, (size_t) n * sizeof *x);
}

static int64_t pitch_of(const struct job *job)
{
    return job->plan.conv.out_width + job->spread_columns;
}

static void job_init(struct job *job, ub_context *context, const ub__conv *conv)
{
    ub__window_plan *plan = &job->plan;
    int64_t rows, window, backward;

    memset(job, 0, sizeof *job);
    job->context = context;
    job->loops = ub__loops_for(context);
    ub__window_plan_init(plan, context, conv);
    job->spread_rows = (plan->rows.count - 1) * conv->dilation / conv->stride;
    job->spread_columns = (plan->columns.count - 1) * conv->dilation /
                          conv->stride;
    rows = WINDOW_FLOATS / (pitch_of(job) * conv->stride * conv->stride);
    rows = rows < 4 ? 4 : rows;
    plan->band = rows < conv->out_height ? rows : conv->out_height;
    plan->bands = (conv->out_height + plan->band - 1) / plan->band;
    /* Backward to the data, rows are those of a phase of the input. */
    window = ub__window_floats(plan, plan->band);
    backward = (plan->band + 2 * job->spread_rows) * pitch_of(job) +
               job->spread_columns + UB__OVERRUN;
    job->taps_at = aligned(2 * plan->taps); /* of 64-bit integers */
    job->weights_at = 2 * job->taps_at;
    job->sums_at = job->weights_at + aligned(plan->taps);
    job->doubles_at = job->sums_at + plan->taps * UB__LANES;
    job->window_at = job->doubles_at + aligned(2 * plan->taps);
    job->rows_at = job->window_at +
                   aligned(window > backward ? window : backward);
    job->floats = job->rows_at + aligned(backward);
}

static struct space space_of(const struct job *job, int worker)
{
    float *start = ub__scratch(job->context, worker);
    struct space space;

    space.offset = (int64_t *) (void *) start;
    space.tap = (int64_t *) (void *) (start + job->taps_at);
    space.weights = start + job->weights_at;
    space.sums = start + job->sums_at;
    space.doubles = (double *) (void *) (start + job->doubles_at);
    space.window = start + job->window_at;
    space.rows = start + job->rows_at;
    return space;
}

static int64_t in_area(const struct job *job)
{
    return job->plan.conv.in_height * job->plan.conv.in_width;
}

static int64_t out_area(const struct job *job)
{
    return job->plan.conv.out_height * job->plan.conv.out_width;
}

/* Where tap (i, j) of those that were not left out is in a kernel. */
static int64_t tap_at(const struct job *job, int64_t i, int64_t j)
{
    return (job->plan.rows.first + i) * job->plan.conv.kernel_width +
           job->plan.columns.first + j;
}

static void find_taps(const struct job *job, const struct space *space)
{
    int64_t t = 0;

    for (int64_t i = 0; i < job->plan.rows.count; i++)
        for (int64_t j = 0; j < job->plan.columns.count; j++)
            space->tap[t++] = tap_at(job, i, j);
}

static void take_weights(const struct job *job, const struct space *space,
                         int64_t channel, int64_t taps)
{
    const ub__conv *conv = &job->plan.conv;
    const float *w = job->w +
                     channel * conv->kernel_height * conv->kernel_width;

    for (int64_t t = 0; t < taps; t++)
        space->weights[t] = w[space->tap[t]];
}

static void begin_band(const struct job *job, int64_t band,
                       const struct space *space, ub__frame *frame)
{
    int64_t first = band * job->plan.band;
    int64_t rows = job->plan.conv.out_height - first;

    if (rows > job->plan.band)
        rows = job->plan.band;
    ub__frame_init(frame, &job->plan, first, rows, space->offset);
    zero(space->window, frame->elements + UB__OVERRUN);
}

/* Elements from the first output of a frame to its last, at its pitch. */
static int64_t flat_length(const ub__frame *frame)
{
    return (frame->window.rows - 1) * frame->window.pitch +
           frame->window.columns;
}

/* -- forward -------------------------------------------------------------- */

static void forward_plane(const struct job *job, const ub__frame *frame,
                          const struct space *space, int64_t band,
                          int64_t plane)
{
    const ub__conv *conv = &job->plan.conv;
    int64_t channel = plane % conv->in_channels;
    int64_t columns = frame->window.columns;
    float *y = job->y + plane * out_area(job) +
               band * job->plan.band * conv->out_width;

    take_weights(job, space, channel, job->plan.taps);
    ub__frame_fill(frame, job->x + plane * in_area(job), space->window);
    job->loops->correlate(flat_length(frame), job->plan.taps, space->weights,
                          space->offset, space->window, space->rows);
    job->loops->copy_rows(frame->window.rows, columns, space->rows,
                          frame->window.pitch, y, columns);
    for (int64_t i = 0; job->bias && i < frame->window.rows * columns; i++)
        y[i] += job->bias[channel];
}

static void forward_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    struct space space = space_of(job, worker);
    int64_t begin, end;

    ub__split(job->plan.conv.batch * job->plan.conv.in_channels, 1, job->tasks,
              task, &begin, &end);
    find_taps(job, &space);
    for (int64_t band = 0; band < job->plan.bands; band++) {
        ub__frame frame;

        begin_band(job, band, &space, &frame);
        for (int64_t plane = begin; plane < end; plane++)
            forward_plane(job, &frame, &space, band, plane);
    }
}

/* -- backward to the data ------------------------------------------------- */

/* Rows of one phase of the input: element (i, j) of a phase is the input's
 * (top + (first + i) * stride, left + j * stride). */
struct phase {
    int64_t first, rows;
    int64_t top, left;
    int64_t row_begin, row_end; /* those on the map, of 0 .. rows */
    int64_t begin, end;         /* columns on the map */
    int64_t taps;               /* that read this phase */
};

/* Elements i of 0 .. n for which 0 <= at + i * stride < map. */
static void inside(int64_t at, int64_t stride, int64_t n, int64_t map,
                   int64_t *begin, int64_t *end)
{
    *begin = at < 0 ? (-at + stride - 1) / stride : 0;
    *end = at < map ? (map - 1 - at) / stride + 1 : 0;
    *end = *end < n ? *end : n;
    *begin = *begin < *end ? *begin : *end;
}

/* The taps that read phase (y, x), and what they read of the gradient. */
static int64_t phase_taps(const struct job *job, int64_t y, int64_t x,
                          const struct space *space)
{
    const ub__conv *conv = &job->plan.conv;
    int64_t stride = conv->stride, t = 0;

    for (int64_t i = 0; i < job->plan.rows.count; i++) {
        int64_t down = i * conv->dilation;

        for (int64_t j = 0; j < job->plan.columns.count; j++) {
            int64_t right = j * conv->dilation;

            if (down % stride != y || right % stride != x)
                continue;
            space->tap[t] = tap_at(job, i, j);
            space->offset[t++] = (job->spread_rows - down / stride) *
                                     pitch_of(job) +
                                 job->spread_columns - right / stride;
        }
    }
    return t;
}

static void phase_init(const struct job *job, int64_t first, int64_t y,
                       int64_t x, const struct space *space,
                       struct phase *phase)
{
    const ub__conv *conv = &job->plan.conv;
    int64_t step = job->plan.band + job->spread_rows;

    phase->first = first;
    phase->rows = conv->out_height + job->spread_rows - first;
    if (phase->rows > step)
        phase->rows = step;
    phase->top = job->plan.rows.base + y;
    phase->left = job->plan.columns.base + x;
    inside(phase->top + first * conv->stride, conv->stride, phase->rows,
           conv->in_height, &phase->row_begin, &phase->row_end);
    inside(phase->left, conv->stride, pitch_of(job), conv->in_width,
           &phase->begin, &phase->end);
    phase->taps = phase_taps(job, y, x, space);
}

/* The output's gradient with zeros around, at the pitch of a phase. */
static void fill_gradient(const struct job *job, const struct phase *phase,
                          const float *gy, float *window)
{
    const ub__conv *conv = &job->plan.conv;
    int64_t pitch = pitch_of(job), begin, end;
    int64_t first = phase->first - job->spread_rows;

    inside(first, 1, phase->rows + job->spread_rows, conv->out_height, &begin,
           &end);
    job->loops->copy_rows(
        end - begin, conv->out_width, gy + (first + begin) * conv->out_width,
        conv->out_width, window + begin * pitch + job->spread_columns, pitch);
}

static void put_phase(const struct job *job, const struct phase *phase,
                      const float *rows, float *gx)
{
    const ub__conv *conv = &job->plan.conv;
    int64_t stride = conv->stride, pitch = pitch_of(job);
    int64_t row = phase->top + (phase->first + phase->row_begin) * stride;

    rows += phase->row_begin * pitch;
    gx += row * conv->in_width + phase->left;
    if (stride == 1) {
        (job->accumulate ? job->loops->add_rows : job->loops->copy_rows)(
            phase->row_end - phase->row_begin, phase->end - phase->begin,
            rows + phase->begin, pitch, gx + phase->begin, conv->in_width);
        return;
    }
    for (int64_t i = phase->row_begin; i < phase->row_end; i++) {
        for (int64_t j = phase->begin; j < phase->end; j++)
            gx[j * stride] += rows[j];
        rows += pitch;
        gx += stride * conv->in_width;
    }
}

/* Does each element of the input belong to a phase that is stored, so that
 * none needs to be cleared first? */
static int stores_all(const struct job *job)
{
    const ub__conv *conv = &job->plan.conv;

    return conv->stride == 1 && job->plan.rows.base <= 0 &&
           job->plan.columns.base <= 0 &&
           job->plan.rows.base + conv->out_height + job->spread_rows >=
               conv->in_height &&
           job->plan.columns.base + pitch_of(job) >= conv->in_width;
}

static void data_phase(const struct job *job, const struct space *space,
                       const struct phase *phase, int64_t begin, int64_t end)
{
    for (int64_t plane = begin; plane < end; plane++) {
        take_weights(job, space, plane % job->plan.conv.in_channels,
                     phase->taps);
        fill_gradient(job, phase, job->gy + plane * out_area(job),
                      space->window);
        job->loops->correlate(phase->rows * pitch_of(job), phase->taps,
                              space->weights, space->offset, space->window,
                              space->rows);
        put_phase(job, phase, space->rows, job->gx + plane * in_area(job));
    }
}

static void data_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    const ub__conv *conv = &job->plan.conv;
    struct space space = space_of(job, worker);
    int64_t rows = conv->out_height + job->spread_rows, begin, end;

    ub__split(conv->batch * conv->in_channels, 1, job->tasks, task, &begin,
              &end);
    if (!job->accumulate && !stores_all(job))
        zero(job->gx + begin * in_area(job), (end - begin) * in_area(job));
    for (int64_t first = 0; first < rows;) {
        struct phase phase = { .rows = 0 };

        zero(space.window,
             (job->plan.band + 2 * job->spread_rows) * pitch_of(job) +
                 job->spread_columns + UB__OVERRUN);
        for (int64_t y = 0; y < conv->stride; y++) {
            for (int64_t x = 0; x < conv->stride; x++) {
                phase_init(job, first, y, x, &space, &phase);
                if (phase.taps > 0)
                    data_phase(job, &space, &phase, begin, end);
            }
        }
        first += phase.rows;
    }
}

/* -- backward to the weight ----------------------------------------------- */

static void flush_sums(const struct job *job, const struct space *space)
{
    for (int64_t t = 0; t < job->plan.taps; t++) {
        double sum = 0.0;

        for (int64_t i = 0; i < UB__LANES; i++)
            sum += (double) space->sums[t * UB__LANES + i];
        space->doubles[t] += sum;
    }
    zero(space->sums, job->plan.taps * UB__LANES);
}

static void weight_band(const struct job *job, const struct space *space,
                        int64_t band, int64_t channel)
{
    const ub__conv *conv = &job->plan.conv;
    int64_t length, terms = 0;
    ub__frame frame;

    begin_band(job, band, space, &frame);
    length = flat_length(&frame);
    zero(space->rows, length + UB__OVERRUN);
    for (int64_t b = 0; b < conv->batch; b++) {
        int64_t plane = b * conv->in_channels + channel;

        ub__frame_fill(&frame, job->x + plane * in_area(job), space->window);
        job->loops->copy_rows(frame.window.rows, conv->out_width,
                              job->gy + plane * out_area(job) +
                                  band * job->plan.band * conv->out_width,
                              conv->out_width, space->rows, frame.window.pitch);
        job->loops->tap_sums(length, job->plan.taps, space->offset,
                             space->window, space->rows, space->sums);
        terms += length;
        if (terms >= FLUSH || b == conv->batch - 1) {
            flush_sums(job, space);
            terms = 0;
        }
    }
}

static void weight_task(void *arg, int64_t channel, int worker)
{
    const struct job *job = arg;
    const ub__conv *conv = &job->plan.conv;
    int64_t kernel = conv->kernel_height * conv->kernel_width;
    struct space space = space_of(job, worker);
    float *gw = job->gw + channel * kernel;

    zero(space.sums, job->plan.taps * UB__LANES);
    for (int64_t i = 0; i < job->plan.taps; i++)
        space.doubles[i] = 0.0;
    for (int64_t band = 0; band < job->plan.bands; band++)
        weight_band(job, &space, band, channel);
    find_taps(job, &space);
    if (!job->accumulate)
        zero(gw, kernel);
    for (int64_t t = 0; t < job->plan.taps; t++)
        gw[space.tap[t]] += (float) space.doubles[t];
}

/* -- for conv.c ----------------------------------------------------------- */

int ub__conv_is_depthwise(const ub__conv *conv)
{
    return conv->groups == conv->in_channels &&
           conv->groups == conv->out_channels;
}

ub__scratch_size ub__depthwise_scratch(ub_context *context,
                                       const ub__conv *conv)
{
    struct job job;

    job_init(&job, context, conv);
    return (ub__scratch_size){ (size_t) job.floats * sizeof(float), 0 };
}

static void run_planes(ub_context *context, struct job *job, ub__task_fn task)
{
    const ub__conv *conv = &job->plan.conv;
    int64_t planes = conv->batch * conv->in_channels;

    job->tasks = ub__tasks_for(context,
                               (double) planes * (double) out_area(job) *
                                   (double) job->plan.taps,
                               planes);
    ub__parallel(context, job->tasks, task, job);
}

void ub__depthwise_forward(ub_context *context, const ub__conv *conv,
                           const float *x, const float *w, const float *bias,
                           float *y)
{
    struct job job;

    job_init(&job, context, conv);
    job.x = x;
    job.w = w;
    job.bias = bias;
    job.y = y;
    run_planes(context, &job, forward_task);
}

void ub__depthwise_backward_data(ub_context *context, const ub__conv *conv,
                                 const float *w, const float *gy, float *gx,
                                 int accumulate)
{
    struct job job;

    job_init(&job, context, conv);
    job.w = w;
    job.gy = gy;
    job.gx = gx;
    job.accumulate = accumulate;
    run_planes(context, &job, data_task);
}

void ub__depthwise_backward_weight(ub_context *context, const ub__conv *conv,
                                   const float *x, const float *gy, float *gw,
                                   int accumulate)
{
    struct job job;

    job_init(&job, context, conv);
    job.x = x;
    job.gy = gy;
    job.gw = gw;
    job.accumulate = accumulate;
    ub__parallel(context, conv->in_channels, weight_task, &job);
}
