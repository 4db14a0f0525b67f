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
    ub__conv_plan plan;
    int64_t spread_rows, spread_columns; /* what the taps add to a phase */
    int64_t tasks;
    const float *x, *w, *bias, *gy;
    float *y, *gx, *gw;
    int accumulate;
    /* per-worker memory, in floats from its start */
    int64_t weights_at, sums_at, doubles_at, window_at, rows_at, floats;
};

struct space {
    int64_t *offset; /* [taps] */
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
    ub__conv_plan *plan = &job->plan;
    int64_t rows, window, backward;

    memset(job, 0, sizeof *job);
    job->context = context;
    job->loops = ub__loops_for(context);
    ub__conv_plan_init(plan, context, conv);
    job->spread_rows = (plan->rows.count - 1) * conv->dilation / conv->stride;
    job->spread_columns = (plan->columns.count - 1) * conv->dilation /
                          conv->stride;
    rows = WINDOW_FLOATS / (pitch_of(job) * conv->stride * conv->stride);
    rows = rows < 4 ? 4 : rows;
    plan->band = rows < conv->out_height ? rows : conv->out_height;
    plan->bands = (conv->out_height + plan->band - 1) / plan->band;
    /* Backward to the data, rows are those of a phase of the input. */
    window = ub__conv_window_floats(plan, plan->band);
    backward = (plan->band + 2 * job->spread_rows) * pitch_of(job) +
               job->spread_columns + UB__OVERRUN;
    job->weights_at = aligned(2 * plan->taps);
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

/* A channel's weight at a tap that was not left out. */
static int64_t weight_at(const struct job *job, int64_t channel, int64_t i,
                         int64_t j)
{
    const ub__conv *conv = &job->plan.conv;

    return (channel * conv->kernel_height + job->plan.rows.first + i) *
               conv->kernel_width +
           job->plan.columns.first + j;
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

static void put_rows(const ub__frame *frame, const float *rows, float bias,
                     float *y)
{
    int64_t columns = frame->window.columns;

    for (int64_t r = 0; r < frame->window.rows; r++, y += columns) {
        const float *from = rows + r * frame->window.pitch;

        for (int64_t c = 0; c < columns; c++)
            y[c] = from[c] + bias;
    }
}

static void forward_plane(const struct job *job, const ub__frame *frame,
                          const struct space *space, int64_t band,
                          int64_t plane)
{
    const ub__conv *conv = &job->plan.conv;
    int64_t channel = plane % conv->in_channels, t = 0;

    for (int64_t i = 0; i < job->plan.rows.count; i++)
        for (int64_t j = 0; j < job->plan.columns.count; j++)
            space->weights[t++] = job->w[weight_at(job, channel, i, j)];
    ub__frame_fill(frame, job->x + plane * in_area(job), space->window);
    job->loops->correlate(flat_length(frame), job->plan.taps, space->weights,
                          space->offset, space->window, space->rows);
    put_rows(frame, space->rows, job->bias ? job->bias[channel] : 0.0f,
             job->y + plane * out_area(job) +
                 band * job->plan.band * conv->out_width);
}

static void forward_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    struct space space = space_of(job, worker);
    int64_t begin, end;

    ub__split(job->plan.conv.batch * job->plan.conv.in_channels, 1, job->tasks,
              task, &begin, &end);
    for (int64_t band = 0; band < job->plan.bands; band++) {
        ub__frame frame;

        begin_band(job, band, &space, &frame);
        for (int64_t plane = begin; plane < end; plane++)
            forward_plane(job, &frame, &space, band, plane);
    }
}

/* -- backward to the data ------------------------------------------------- */

/* Rows [first, first + rows) of each phase of the input. */
struct phase_band {
    int64_t first, rows;
};

/* The output's gradient with zeros around, at the pitch of a phase. */
static void fill_gradient(const struct job *job, struct phase_band band,
                          const float *gy, float *window)
{
    int64_t width = job->plan.conv.out_width;
    int64_t height = job->plan.conv.out_height;

    for (int64_t i = 0; i < band.rows + job->spread_rows; i++) {
        int64_t row = band.first - job->spread_rows + i;

        if (row >= 0 && row < height)
            memcpy(window + i * pitch_of(job) + job->spread_columns,
                   gy + row * width, (size_t) width * sizeof *gy);
    }
}

/* The taps that read one phase, and what they read of the gradient. */
static int64_t phase_taps(const struct job *job, int64_t channel, int64_t y,
                          int64_t x, const struct space *space)
{
    const ub__conv *conv = &job->plan.conv;
    int64_t stride = conv->stride, t = 0;

    for (int64_t i = 0; i < job->plan.rows.count; i++) {
        int64_t down = i * conv->dilation;

        if (down % stride != y)
            continue;
        for (int64_t j = 0; j < job->plan.columns.count; j++) {
            int64_t right = j * conv->dilation;

            if (right % stride != x)
                continue;
            space->weights[t] = job->w[weight_at(job, channel, i, j)];
            space->offset[t++] = (job->spread_rows - down / stride) *
                                     pitch_of(job) +
                                 job->spread_columns - right / stride;
        }
    }
    return t;
}

static void put_phase(const struct job *job, struct phase_band band, int64_t y,
                      int64_t x, const float *rows, float *gx)
{
    const ub__conv *conv = &job->plan.conv;
    int64_t stride = conv->stride, pitch = pitch_of(job);
    int64_t left = job->plan.columns.base + x, begin = 0, end = pitch;

    if (left < 0)
        begin = (-left + stride - 1) / stride;
    while (end > begin && left + (end - 1) * stride >= conv->in_width)
        end--;
    for (int64_t i = 0; i < band.rows; i++) {
        int64_t row = job->plan.rows.base + y + (band.first + i) * stride;
        const float *from = rows + i * pitch;
        float *to = gx + row * conv->in_width + left;

        if (row < 0 || row >= conv->in_height)
            continue;
        if (stride == 1)
            for (int64_t j = begin; j < end; j++)
                to[j] += from[j];
        else
            for (int64_t j = begin; j < end; j++)
                to[j * stride] += from[j];
    }
}

static void data_plane(const struct job *job, const struct space *space,
                       struct phase_band band, int64_t plane)
{
    const ub__conv *conv = &job->plan.conv;
    float *gx = job->gx + plane * in_area(job);

    if (band.first == 0 && !job->accumulate)
        zero(gx, in_area(job));
    fill_gradient(job, band, job->gy + plane * out_area(job), space->window);
    for (int64_t y = 0; y < conv->stride; y++) {
        for (int64_t x = 0; x < conv->stride; x++) {
            int64_t taps = phase_taps(job, plane % conv->in_channels, y, x,
                                      space);

            if (taps == 0)
                continue;
            job->loops->correlate(band.rows * pitch_of(job), taps,
                                  space->weights, space->offset, space->window,
                                  space->rows);
            put_phase(job, band, y, x, space->rows, gx);
        }
    }
}

static void data_task(void *arg, int64_t task, int worker)
{
    const struct job *job = arg;
    struct space space = space_of(job, worker);
    int64_t rows = job->plan.conv.out_height + job->spread_rows;
    int64_t step = job->plan.band + job->spread_rows, begin, end;

    ub__split(job->plan.conv.batch * job->plan.conv.in_channels, 1, job->tasks,
              task, &begin, &end);
    for (int64_t first = 0; first < rows; first += step) {
        struct phase_band band = { first, rows - first };

        if (band.rows > step)
            band.rows = step;
        zero(space.window, (band.rows + job->spread_rows) * pitch_of(job) +
                               job->spread_columns + UB__OVERRUN);
        for (int64_t plane = begin; plane < end; plane++)
            data_plane(job, &space, band, plane);
    }
}

/* -- backward to the weight ----------------------------------------------- */

static void spread_rows(const ub__frame *frame, const float *gy, float *rows)
{
    int64_t columns = frame->window.columns;

    for (int64_t r = 0; r < frame->window.rows; r++)
        memcpy(rows + r * frame->window.pitch, gy + r * columns,
               (size_t) columns * sizeof *gy);
}

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
        spread_rows(&frame,
                    job->gy + plane * out_area(job) +
                        band * job->plan.band * conv->out_width,
                    space->rows);
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
    int64_t kernel = conv->kernel_height * conv->kernel_width, t = 0;
    struct space space = space_of(job, worker);

    zero(space.sums, job->plan.taps * UB__LANES);
    for (int64_t i = 0; i < job->plan.taps; i++)
        space.doubles[i] = 0.0;
    for (int64_t band = 0; band < job->plan.bands; band++)
        weight_band(job, &space, band, channel);
    if (!job->accumulate)
        zero(job->gw + channel * kernel, kernel);
    for (int64_t i = 0; i < job->plan.rows.count; i++)
        for (int64_t j = 0; j < job->plan.columns.count; j++)
            job->gw[weight_at(job, channel, i, j)] += (float)
                                                          space.doubles[t++];
}

/* -- for conv.c ----------------------------------------------------------- */

int ub__conv_is_depthwise(const ub__conv *conv)
{
    return conv->groups == conv->in_channels &&
           conv->groups == conv->out_channels;
}

size_t ub__depthwise_scratch(ub_context *context, const ub__conv *conv)
{
    struct job job;

    job_init(&job, context, conv);
    return (size_t) job.floats * sizeof(float);
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
