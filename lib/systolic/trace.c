/* SPDX-License-Identifier: BSD-2-Clause */
#include "systolic/trace.h"

#include <string.h>

#define MAX_CYCLES  1125899906842624.0 /* 2^50 */
#define MAX_ADDRESS ((int64_t) 1 << 62)
#define BLOCK       256 /* rows handed over at a time */
#define BIAS        ((ub__place) 0x4000000040000000)
#define COLUMN      ((ub__place) 1 << 32) /* one to the right */

/* Where element i of a matrix's side lies: i is three digits, of which the
 * last counts to n0 and the middle one to n1, each with its own step. */
typedef struct axis {
    int64_t n0, n1;
    int64_t offset0, offset1, offset2;
    ub__place place0, place1, place2;
} axis;

/* One operand of one layer on one array. */
typedef struct trace {
    int64_t rows, columns;       /* of the array */
    int64_t count;               /* products */
    int64_t extent_r, extent_c;  /* of the folded matrix */
    int64_t folds_r, folds_c;    /* row folds are the inner loop */
    int64_t stream, fold_cycles; /* of one fold */

    int64_t lanes;
    int lanes_are_rows;
    axis lane, position;
    int64_t start; /* first step's cycle in a fold */
    /* Positions are the streamed elements, or the fold's rows, from the bottom
     * up or from the top down. */
    enum { STREAM, UPWARD, DOWNWARD } along;
    int skewed;

    int64_t base, base_step; /* address of the first product; of the next */
    ub__place base_place;

    /* per fold, and per block */
    int64_t *lane_offset, *offset;
    ub__place *lane_place, *place;
    ub__trace_rows now;
} trace;

static int64_t min_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* -- addresses ------------------------------------------------------------ */

static axis straight(int64_t offset)
{
    const axis a = { .n0 = INT64_MAX, .n1 = 1, .offset0 = offset };

    return a;
}

/* Elements index, index + direction, ...; place may be NULL. */
static void fill(const axis *a, int64_t index, int direction, int64_t n,
                 int64_t *offset, ub__place *place)
{
    int64_t i0 = index % a->n0, i1 = index / a->n0 % a->n1;
    int64_t i2 = index / a->n0 / a->n1;
    const int64_t step = direction * a->offset0;
    const ub__place move = direction > 0 ? a->place0 : 0 - a->place0;

    while (n > 0) {
        const int64_t run = min_of(direction > 0 ? a->n0 - i0 : i0 + 1, n);
        int64_t o = i0 * a->offset0 + i1 * a->offset1 + i2 * a->offset2;

        for (int64_t j = 0; j < run; j++, o += step)
            offset[j] = o;
        if (place != NULL) {
            ub__place p = (ub__place) i0 * a->place0 +
                          (ub__place) i1 * a->place1 +
                          (ub__place) i2 * a->place2;

            for (int64_t j = 0; j < run; j++, p += move)
                place[j] = p;
            place += run;
        }
        offset += run;
        n -= run;
        i0 = direction > 0 ? 0 : a->n0 - 1;
        if (direction > 0 && ++i1 == a->n1) {
            i1 = 0;
            i2++;
        } else if (direction < 0 && i1-- == 0) {
            i1 = a->n1 - 1;
            i2--;
        }
    }
}

/* -- what a layer reads and writes ---------------------------------------- */

/* The sides of an operand: inputs m by k, weights n by k, results m by n. */
typedef struct sides {
    axis m, n, k;
} sides;

static sides input_sides(trace *t, const ub_layer_info *info)
{
    const ub_layer *l = info->layer;
    const int64_t channels = info->in_channels, width = info->in_width;
    const int64_t row = width * channels;
    sides s = { straight(channels), straight(0), straight(1) };

    t->base_step = channels / l->groups;
    if (l->kind == UB_LAYER_LINEAR)
        return s;
    s.m = (axis){ .n0 = info->out_width,
                  .n1 = info->out_height,
                  .offset0 = l->stride * channels,
                  .offset1 = l->stride * row,
                  .offset2 = info->in_height * row,
                  .place0 = (ub__place) l->stride * COLUMN,
                  .place1 = (ub__place) l->stride };
    s.k = (axis){ .n0 = channels / l->groups,
                  .n1 = l->kernel_width,
                  .offset0 = 1,
                  .offset1 = l->dilation * channels,
                  .offset2 = l->dilation * row,
                  .place1 = (ub__place) l->dilation * COLUMN,
                  .place2 = (ub__place) l->dilation };
    t->base -= l->pad_height * row + l->pad_width * channels;
    t->base_place = BIAS - (ub__place) l->pad_height -
                    (ub__place) l->pad_width * COLUMN;
    t->now.low = BIAS;
    t->now.high = 3 * BIAS + (ub__place) (info->in_height - 1) +
                  (ub__place) (width - 1) * COLUMN;
    t->now.padded = l->pad_height > 0 || l->pad_width > 0 ||
                    (info->out_height - 1) * l->stride +
                            (l->kernel_height - 1) * l->dilation >=
                        info->in_height ||
                    (info->out_width - 1) * l->stride +
                            (l->kernel_width - 1) * l->dilation >=
                        width;
    return s;
}

static sides sides_of(trace *t, const ub_layer_info *info, const ub_gemm *g,
                      int32_t operand)
{
    switch (operand) {
    case UB_SYSTOLIC_INPUT: return input_sides(t, info);
    case UB_SYSTOLIC_WEIGHTS:
        t->base_step = g->n * g->k;
        return (sides){ straight(0), straight(g->k), straight(1) };
    default:
        t->base_step = g->n;
        return (sides){ straight(info->out_channels), straight(1),
                        straight(0) };
    }
}

/* -- schedules ------------------------------------------------------------ */

static void set_lanes(trace *t, const axis *a, int are_rows)
{
    t->lane = *a;
    t->lanes_are_rows = are_rows;
    t->lanes = are_rows ? t->rows : t->columns;
}

static void set_positions(trace *t, const axis *a, int along, int64_t start,
                          int skewed)
{
    t->position = *a;
    t->along = along;
    t->start = start;
    t->skewed = skewed;
}

/* Weights or inputs stay in the array, k down and `across` to the right; of
 * the other operand one element for each k is streamed. */
static void stationary(trace *t, int32_t operand, int32_t stays,
                       const axis *across, const axis *stream, const axis *k)
{
    if (operand == stays) {
        set_lanes(t, across, 0);
        set_positions(t, k, UPWARD, 0, 0);
    } else if (operand == UB_SYSTOLIC_OUTPUT) {
        set_lanes(t, across, 0);
        set_positions(t, stream, STREAM, 2 * t->rows - 1, 1);
    } else {
        set_lanes(t, k, 1);
        set_positions(t, stream, STREAM, t->rows, 1);
    }
}

static void output_stationary(trace *t, int32_t operand, const sides *s,
                              const ub_systolic_options *o)
{
    if (operand == UB_SYSTOLIC_INPUT) {
        set_lanes(t, &s->m, 1);
        set_positions(t, &s->k, STREAM, 0, 1);
    } else if (operand == UB_SYSTOLIC_WEIGHTS) {
        set_lanes(t, &s->n, 0);
        set_positions(t, &s->k, STREAM, 0, 1);
    } else {
        const int tool = o->compat == UB_SYSTOLIC_COMPAT_SCALESIM;
        const int64_t finished = t->stream - 1;

        set_lanes(t, &s->n, 0);
        if (o->os_drain)
            set_positions(t, &s->m, UPWARD, finished + t->rows, 1);
        else
            set_positions(t, &s->m, tool ? UPWARD : DOWNWARD, finished, 1);
    }
}

static void set_schedule(trace *t, const ub_layer_info *info, const ub_gemm *g,
                         const ub__trace_call *call)
{
    const int32_t operand = call->operand;
    const int32_t flow = call->hardware->dataflow;
    const int os = flow == UB_DATAFLOW_OS;
    sides s;

    t->count = g->count;
    t->rows = call->hardware->rows;
    t->columns = call->hardware->columns;
    t->base = call->offset;
    s = sides_of(t, info, g, operand);
    t->extent_r = os ? g->m : g->k;
    t->extent_c = flow == UB_DATAFLOW_IS ? g->m : g->n;
    t->stream = os ? g->k : flow == UB_DATAFLOW_IS ? g->n : g->m;
    t->folds_r = ub__ceil_div(t->extent_r, t->rows);
    t->folds_c = ub__ceil_div(t->extent_c, t->columns);
    t->fold_cycles = t->rows + t->columns + t->stream - 2;
    if (!os || call->options->os_drain)
        t->fold_cycles += t->rows;
    if (os)
        output_stationary(t, operand, &s, call->options);
    else if (flow == UB_DATAFLOW_IS)
        stationary(t, operand, UB_SYSTOLIC_INPUT, &s.m, &s.n, &s.k);
    else
        stationary(t, operand, UB_SYSTOLIC_WEIGHTS, &s.n, &s.m, &s.k);
    t->now.lanes = t->lanes;
    t->now.skewed = t->skewed;
}

/* -- walking -------------------------------------------------------------- */

static ub_status idle(trace *t, int64_t n, ub__trace_fn fn, void *user)
{
    ub_status status = UB_OK;

    t->now.first = t->now.end = 0;
    t->now.n = n;
    if (n > 0)
        status = fn(user, &t->now);
    t->now.cycle += n;
    return status;
}

/* The elements of the block's new positions, the last first; those of the
 * block before, which the lanes behind still read, follow. */
static void slide(trace *t, int64_t n, int64_t first_index, int direction)
{
    ub__trace_rows *r = &t->now;
    const int64_t fresh = min_of(r->step + n, r->end) - r->step;
    const int64_t old = r->skewed ? r->active - 1 : 0;
    ub__place *place = r->padded ? t->place : NULL;

    if (r->step > r->first && old > 0) {
        memmove(t->offset + n, t->offset, (size_t) old * sizeof(*t->offset));
        if (place != NULL)
            memmove(place + n, place, (size_t) old * sizeof(*place));
    }
    if (fresh <= 0)
        return;
    fill(&t->position,
         first_index + direction * (r->step + fresh - 1 - r->first), -direction,
         fresh, t->offset + n - fresh,
         place == NULL ? NULL : place + n - fresh);
}

static ub_status busy(trace *t, int64_t first_index, int direction,
                      ub__trace_fn fn, void *user)
{
    ub__trace_rows *r = &t->now;
    const int64_t stop = r->end + (r->skewed ? r->active - 1 : 0);
    ub_status status = UB_OK;

    for (r->step = r->first; r->step < stop && status == UB_OK;
         r->step += r->n) {
        r->n = min_of(stop - r->step, BLOCK);
        slide(t, r->n, first_index, direction);
        status = fn(user, r);
        r->cycle += r->n;
    }
    return status;
}

static void set_fold_lanes(trace *t, int64_t product, int64_t index)
{
    const int64_t base = t->base + product * t->base_step;
    ub__place *place = t->now.padded ? t->lane_place : NULL;

    fill(&t->lane, index, 1, t->now.active, t->lane_offset, place);
    for (int64_t l = 0; l < t->now.active; l++)
        t->lane_offset[l] += base;
    for (int64_t l = 0; l < t->now.active && place != NULL; l++)
        place[l] += t->base_place;
}

static ub_status walk_fold(trace *t, int64_t product, int64_t fold_c,
                           int64_t fold_r, ub__trace_fn fn, void *user)
{
    const int64_t row = fold_r * t->rows, column = fold_c * t->columns;
    const int64_t used = min_of(t->rows, t->extent_r - row);
    const int64_t after = t->now.cycle + t->fold_cycles;
    const int64_t first = t->along == UPWARD ? t->rows - used : 0;
    const int64_t end = t->along == STREAM   ? t->stream
                        : t->along == UPWARD ? t->rows
                                             : used;
    ub_status status = idle(t, t->start + first, fn, user);

    t->now.active = t->lanes_are_rows
                        ? used
                        : min_of(t->columns, t->extent_c - column);
    set_fold_lanes(t, product, t->lanes_are_rows ? row : column);
    t->now.first = first;
    t->now.end = end;
    if (status == UB_OK && t->along == UPWARD)
        status = busy(t, row + used - 1, -1, fn, user);
    else if (status == UB_OK)
        status = busy(t, t->along == STREAM ? 0 : row, 1, fn, user);
    if (status == UB_OK)
        status = idle(t, after - t->now.cycle, fn, user);
    return status;
}

static ub_status walk_all(trace *t, ub__trace_fn fn, void *user)
{
    ub_status status = UB_OK;

    for (int64_t p = 0; p < t->count; p++) {
        for (int64_t c = 0; c < t->folds_c; c++) {
            for (int64_t r = 0; r < t->folds_r && status == UB_OK; r++)
                status = walk_fold(t, p, c, r, fn, user);
        }
    }
    return status;
}

/* -- checks --------------------------------------------------------------- */

static int in_range(int64_t value, int64_t low, int64_t high)
{
    return value >= low && value <= high;
}

/* Windows that begin in the padded map or just behind it, as a hand-made
 * description need not have them. */
static int side_valid(int64_t in, int64_t out, int64_t kernel, int64_t pad,
                      const ub_layer *l)
{
    const int64_t most = UB_NETWORK_MAX_EXTENT;

    return in_range(in, 1, most) && in_range(out, 1, most) &&
           in_range(kernel, 1, most) && in_range(pad, 0, most) &&
           in_range(l->stride, 1, most) && in_range(l->dilation, 1, most) &&
           (out - 1) * l->stride <= in + 2 * pad + l->stride &&
           (kernel - 1) * l->dilation <= in + 2 * pad + l->stride;
}

static ub_status check_layer(ub_context *context, const ub_layer_info *info)
{
    const ub_layer *l;

    if (info == NULL || info->size < sizeof(*info) || info->layer == NULL)
        return ub__fail(context, UB_ERR_INVALID,
                        "trace: no layer, or its size is not set");
    l = info->layer;
    if (l->kind == UB_LAYER_MATMUL)
        return ub__fail(context, UB_ERR_UNSUPPORTED,
                        "trace: products of two maps have no trace");
    if (l->kind != UB_LAYER_CONV && l->kind != UB_LAYER_LINEAR)
        return UB_OK;
    if (l->groups < 1 || info->in_channels < 1 || info->out_channels < 1 ||
        info->in_channels % l->groups != 0 ||
        info->out_channels % l->groups != 0)
        return ub__fail(context, UB_ERR_INVALID,
                        "trace: %lld groups, %lld input and %lld output "
                        "channels",
                        (long long) l->groups, (long long) info->in_channels,
                        (long long) info->out_channels);
    if (l->kind == UB_LAYER_LINEAR && l->groups == 1 && info->in_height == 1 &&
        info->in_width == 1 && info->out_height == 1 && info->out_width == 1)
        return UB_OK;
    if (l->kind == UB_LAYER_LINEAR ||
        !side_valid(info->in_height, info->out_height, l->kernel_height,
                    l->pad_height, l) ||
        !side_valid(info->in_width, info->out_width, l->kernel_width,
                    l->pad_width, l))
        return ub__fail(
            context, UB_ERR_INVALID,
            "trace: windows of %lld x %lld do not make %lld x %lld "
            "of %lld x %lld",
            (long long) l->kernel_height, (long long) l->kernel_width,
            (long long) info->out_height, (long long) info->out_width,
            (long long) info->in_height, (long long) info->in_width);
    return UB_OK;
}

static ub_status check_options(ub_context *context,
                               const ub_systolic_options *o,
                               const ub_layer_info *info)
{
    if (o->batch < 1 || o->os_drain < 0 || o->os_drain > 1)
        return ub__fail(context, UB_ERR_INVALID,
                        "trace: batch is %lld, os_drain %d",
                        (long long) o->batch, (int) o->os_drain);
    if (o->compat != UB_SYSTOLIC_COMPAT_NONE &&
        o->compat != UB_SYSTOLIC_COMPAT_SCALESIM)
        return ub__fail(context, UB_ERR_UNSUPPORTED,
                        "trace: no traces are compatible with simulator %d",
                        (int) o->compat);
    if (info->layer->sparse_block != 0 && o->sparsity != UB_SYSTOLIC_DENSE)
        return ub__fail(context, UB_ERR_UNSUPPORTED,
                        "trace: of sparse weights there is no trace");
    return UB_OK;
}

/* Largest address of the operand can be counted. */
static int addresses_valid(const ub_layer_info *info, const ub_gemm *g,
                           int64_t batch, const ub__trace_call *call)
{
    int64_t n;
    int ok;

    if (call->operand == UB_SYSTOLIC_INPUT)
        ok = ub__mul_int64(info->in_height, info->in_width, &n) &&
             ub__mul_int64(n, info->in_channels, &n) &&
             ub__mul_int64(n, batch, &n);
    else if (call->operand == UB_SYSTOLIC_WEIGHTS)
        ok = ub__mul_int64(info->out_channels, g->k, &n);
    else
        ok = ub__mul_int64(info->out_channels, g->m, &n);
    return ok && call->offset >= 0 && n <= MAX_ADDRESS &&
           call->offset <= MAX_ADDRESS - n;
}

/* Check the call and fill in the schedule; *t keeps count 0 when the layer
 * computes no product. */
static ub_status prepare(ub_context *context, const ub__trace_call *call,
                         trace *t)
{
    ub_systolic_options o;
    ub_hardware h;
    ub__trace_call full = *call;
    ub_gemm g = { .size = sizeof(g) };
    ub_status status = check_layer(context, call->layer);

    memset(t, 0, sizeof(*t));
    if (status != UB_OK)
        return status;
    ub_systolic_options_init(&o, sizeof(o));
    status = ub__options_in(context, "trace", &o, sizeof(o), sizeof(o),
                            call->options);
    if (status == UB_OK)
        status = check_options(context, &o, call->layer);
    if (status != UB_OK)
        return status;
    status = ub__hardware_in(call->hardware, &h);
    if (status != UB_OK)
        return ub__fail(context, status,
                        "trace: the hardware description makes no sense");
    if (h.arrays != 1)
        return ub__fail(context, UB_ERR_UNSUPPORTED,
                        "trace: of one array, not of %lld",
                        (long long) h.arrays);
    if (!in_range(call->operand, UB_SYSTOLIC_INPUT, UB_SYSTOLIC_OUTPUT))
        return ub__fail(context, UB_ERR_INVALID, "trace: no operand %d",
                        (int) call->operand);
    status = ub_layer_gemm(call->layer, o.batch, &g);
    if (status != UB_OK || !addresses_valid(call->layer, &g, o.batch, call))
        return ub__fail(context,
                        call->offset < 0 ? UB_ERR_INVALID : UB_ERR_RANGE,
                        "trace: addresses from %lld on cannot be counted",
                        (long long) call->offset);
    full.options = &o;
    full.hardware = &h;
    if (g.count == 0)
        return UB_OK;
    set_schedule(t, call->layer, &g, &full);
    if ((double) t->folds_r * (double) t->folds_c * (double) t->count *
            (double) t->fold_cycles >
        MAX_CYCLES)
        return ub__fail(context, UB_ERR_RANGE,
                        "trace: more than 2^50 cycles: %lld x %lld folds of "
                        "%lld, %lld times",
                        (long long) t->folds_r, (long long) t->folds_c,
                        (long long) t->fold_cycles, (long long) t->count);
    return UB_OK;
}

ub_status ub__trace_lanes(ub_context *context, const ub__trace_call *call,
                          int64_t *out)
{
    trace t;
    ub_status status = prepare(context, call, &t);

    if (status == UB_OK)
        *out = t.lanes;
    return status;
}

ub_status ub__trace_walk(ub_context *context, const ub__trace_call *call,
                         ub__trace_fn fn, void *user)
{
    trace t;
    size_t lanes, block;
    int64_t *memory;
    ub_status status = prepare(context, call, &t);

    if (status != UB_OK || t.count == 0)
        return status;
    lanes = (size_t) t.lanes;
    block = lanes + BLOCK;
    memory = ub__calloc(context, 2 * (lanes + block), sizeof(*memory));
    if (memory == NULL)
        return UB_ERR_NOMEM;
    t.lane_offset = memory;
    t.offset = memory + lanes;
    /* places are as large, and may alias as the other signedness */
    t.lane_place = (ub__place *) (memory + lanes + block);
    t.place = t.lane_place + lanes;
    t.now.lane_offset = t.lane_offset;
    t.now.lane_place = t.lane_place;
    t.now.offset = t.offset;
    t.now.place = t.place;
    status = walk_all(&t, fn, user);
    ub__free(context, memory);
    return status;
}
