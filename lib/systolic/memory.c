/* SPDX-License-Identifier: BSD-2-Clause */
#include "systolic/fold.h"

#include <string.h>

/*
 * SCALE-Sim's estimate of external memory: half a bank holds what has been
 * read, an address that it does not hold costs one read, and a half that is
 * full is emptied at once. What fills a half is fetched, as a whole, while the
 * one before is in use; the first one before all requests, at 10 elements per
 * cycle and in hundredths of the bank.
 */

#define CALL_EVERY    ((int64_t) 1 << 24) /* requests; some 20 ms */
#define PARTS         100 /* of a bank that are fetched at a time */
#define PARTS_HELD    50
#define FIRST_RATE    10
#define MAX_REQUESTS  68719476736.0 /* 2^36, some minutes */
#define ELEMENTS_HELD 64            /* in a word of the bit map */

/* -- addresses ------------------------------------------------------------ */

/* An address is the sum of two, of the index along time (or columns) and of
 * that across rows; so is the place on the input map. */
typedef struct axis {
    int64_t n;
    int64_t *address;
    int64_t *y, *x; /* NULL when there are no taps outside the map */
} axis;

typedef struct operand {
    axis axes[2]; /* input: windows, taps; weights: filters, taps */
    int64_t height, width;
    int64_t elements; /* addresses are below */
} operand;

static void free_operand(ub_context *context, operand *p)
{
    for (int i = 0; i < 2; i++) {
        ub__free(context, p->axes[i].address);
        ub__free(context, p->axes[i].y);
        ub__free(context, p->axes[i].x);
    }
}

static ub_status alloc_axis(ub_context *context, axis *a, int64_t n, int places)
{
    a->n = n;
    a->address = ub__alloc(context, (size_t) n, sizeof(*a->address));
    if (places) {
        a->y = ub__alloc(context, (size_t) n, sizeof(*a->y));
        a->x = ub__alloc(context, (size_t) n, sizeof(*a->x));
    }
    return a->address == NULL || (places && (a->y == NULL || a->x == NULL))
               ? UB_ERR_NOMEM
               : UB_OK;
}

/* Index in the window of the i-th element that is stored. */
static int64_t kept_index(const ub_layer *layer, int64_t i, int sparse)
{
    return sparse ? i / layer->sparse_keep * layer->sparse_block +
                        i % layer->sparse_keep
                  : i;
}

/* A matrix of rows * step elements. */
static void matrix_axes(operand *p, const ub_layer *layer, int64_t step,
                        int sparse)
{
    for (int64_t i = 0; i < p->axes[0].n; i++)
        p->axes[0].address[i] = i * step;
    for (int64_t i = 0; i < p->axes[1].n; i++)
        p->axes[1].address[i] = kept_index(layer, i, sparse);
    p->elements = p->axes[0].n * step;
}

static void window_axis(axis *a, const ub_layer_info *info, int64_t channels)
{
    const ub_layer *l = info->layer;
    const int64_t map = info->in_height * info->in_width;

    for (int64_t m = 0; m < a->n; m++) {
        const int64_t image = m / (info->out_height * info->out_width);
        const int64_t row = m / info->out_width % info->out_height;
        const int64_t y = row * l->stride - l->pad_height;
        const int64_t x = m % info->out_width * l->stride - l->pad_width;

        a->address[m] = (image * map + y * info->in_width + x) * channels;
        if (a->y != NULL) {
            a->y[m] = y;
            a->x[m] = x;
        }
    }
}

static void tap_axis(axis *a, const ub_layer_info *info, int64_t channels,
                     int sparse)
{
    const ub_layer *l = info->layer;

    for (int64_t i = 0; i < a->n; i++) {
        const int64_t k = kept_index(l, i, sparse);
        const int64_t y = k / channels / l->kernel_width * l->dilation;
        const int64_t x = k / channels % l->kernel_width * l->dilation;

        a->address[i] = (y * info->in_width + x) * channels + k % channels;
        if (a->y != NULL) {
            a->y[i] = y;
            a->x[i] = x;
        }
    }
}

/* Whether windows reach beyond the map, by padding or by rounding up. */
static int has_edges(const ub_layer_info *info)
{
    const ub_layer *l = info->layer;

    return l->pad_height > 0 || l->pad_width > 0 ||
           (info->out_height - 1) * l->stride +
                   (l->kernel_height - 1) * l->dilation >=
               info->in_height ||
           (info->out_width - 1) * l->stride +
                   (l->kernel_width - 1) * l->dilation >=
               info->in_width;
}

static ub_status input_operand(ub_context *context, const ub_layer_info *info,
                               int64_t m, int64_t kept, int64_t k, operand *out)
{
    const int conv = info->layer->kind == UB_LAYER_CONV;
    const int edges = conv && has_edges(info);
    ub_status status = alloc_axis(context, &out->axes[0], m, edges);

    if (status == UB_OK)
        status = alloc_axis(context, &out->axes[1], kept, edges);
    if (status != UB_OK)
        return status;
    if (conv) {
        const int64_t channels = info->in_channels / info->layer->groups;
        const int64_t images = m / (info->out_height * info->out_width);

        window_axis(&out->axes[0], info, channels);
        tap_axis(&out->axes[1], info, channels, kept != k);
        out->height = info->in_height;
        out->width = info->in_width;
        out->elements = images * info->in_height * info->in_width * channels;
    } else {
        matrix_axes(out, info->layer, k, kept != k);
    }
    return UB_OK;
}

static ub_status weight_operand(ub_context *context, const ub_layer_info *info,
                                int64_t n, int64_t kept, int64_t k,
                                operand *out)
{
    ub_status status = alloc_axis(context, &out->axes[0], n, 0);

    if (status == UB_OK)
        status = alloc_axis(context, &out->axes[1], kept, 0);
    if (status == UB_OK)
        matrix_axes(out, info->layer, k, kept != k);
    return status;
}

/* -- demand --------------------------------------------------------------- */

/* How an operand enters the array. A stationary one: from the last of the
 * array's rows up, a row per cycle. One that streams: lane i of the fold takes
 * its element s in cycle delay + s + i. */
typedef struct demand {
    const ub__fold *fold;
    const operand *operand;
    const axis *time;  /* what passes; stationary: what is across columns */
    const axis *lanes; /* rows or columns of the stationary operand */
    int64_t delay;
    int stationary;
    int by_columns; /* lanes are columns of the array */
} demand;

/* The part of the demand in one fold. */
typedef struct piece {
    int64_t start;           /* cycle of its first step */
    int64_t steps;           /* steps of a cycle each */
    int64_t first, n;        /* lanes */
    int64_t column, columns; /* stationary */
} piece;

static piece piece_of(const demand *d, int64_t column_fold, int64_t row_fold)
{
    const ub__fold *f = d->fold;
    const int64_t at = (column_fold * f->row_folds + row_fold) * f->cycles;
    piece p = { .start = at + d->delay };

    p.column = column_fold * f->array_columns;
    p.columns = ub__fold_columns(f, column_fold);
    p.first = d->by_columns ? p.column : row_fold * f->array_rows;
    p.n = d->by_columns ? p.columns : ub__fold_rows(f, row_fold);
    if (d->stationary) {
        p.start += f->array_rows - p.n;
        p.steps = p.n;
    } else {
        p.steps = f->stream + p.n - 1;
    }
    return p;
}

static int on_map(const demand *d, int64_t i, int64_t j)
{
    const int64_t y = d->time->y[i] + d->lanes->y[j];
    const int64_t x = d->time->x[i] + d->lanes->x[j];

    return y >= 0 && y < d->operand->height && x >= 0 && x < d->operand->width;
}

/* The requests of a step as pairs: time index `from` (and on, or back), lane
 * index `lane` (and on, or the same). */
typedef struct step {
    int64_t time, lane, n;
} step;

static step step_of(const demand *d, const piece *p, int64_t s)
{
    step out;

    if (d->stationary) {
        out.time = p->column;
        out.lane = p->first + p->n - 1 - s;
        out.n = p->columns;
    } else {
        const int64_t stream = d->fold->stream;
        const int64_t skip = s < stream ? 0 : s - stream + 1;
        const int64_t last = s < p->n ? s : p->n - 1;

        out.time = s - skip;
        out.lane = p->first + skip;
        out.n = last - skip + 1;
    }
    return out;
}

/* Whether a step asks for anything. */
static int step_requests(const demand *d, const step *s)
{
    if (d->time->y == NULL)
        return s->n > 0;
    for (int64_t i = 0; i < s->n; i++) {
        if (d->stationary ? on_map(d, s->time + i, s->lane)
                          : on_map(d, s->time - i, s->lane + i))
            return 1;
    }
    return 0;
}

/* Cycle of the first or the last request; -1 when there is none. */
static int64_t outermost(const demand *d, int last)
{
    const ub__fold *f = d->fold;
    const int64_t folds = f->row_folds * f->column_folds;

    for (int64_t i = 0; i < folds; i++) {
        const int64_t at = last ? folds - 1 - i : i;
        const piece p = piece_of(d, at / f->row_folds, at % f->row_folds);

        for (int64_t j = 0; j < p.steps; j++) {
            const int64_t number = last ? p.steps - 1 - j : j;
            const step s = step_of(d, &p, number);

            if (step_requests(d, &s))
                return p.start + number;
        }
    }
    return -1;
}

/* -- the half bank -------------------------------------------------------- */

typedef struct half_bank {
    uint64_t *map;    /* a bit for each address */
    int64_t *list;    /* addresses held, if cheaper than clearing the map */
    size_t words;     /* of the map */
    int64_t capacity; /* addresses */
    int64_t held;
    int64_t reads; /* of halves that were emptied */
    int64_t times; /* a half was emptied */
    int64_t last;  /* cycle of the last time */
    int64_t asked; /* since the progress callback was called */
    ub_context *context;
} half_bank;

static void empty(half_bank *b, int64_t cycle)
{
    if (b->list != NULL) {
        for (int64_t i = 0; i < b->held; i++)
            b->map[b->list[i] / ELEMENTS_HELD] = 0;
    } else {
        memset(b->map, 0, b->words * sizeof(*b->map));
    }
    b->reads += b->held;
    b->held = 0;
    b->times++;
    b->last = cycle;
}

static inline void request(half_bank *b, int64_t address, int64_t cycle)
{
    uint64_t *word = &b->map[(uint64_t) address / ELEMENTS_HELD];
    const uint64_t bit = (uint64_t) 1 << ((uint64_t) address % ELEMENTS_HELD);

    if ((*word & bit) != 0)
        return;
    *word |= bit;
    if (b->list != NULL)
        b->list[b->held] = address;
    if (++b->held == b->capacity)
        empty(b, cycle);
}

static void request_step(const demand *d, const step *s, half_bank *b,
                         int64_t cycle)
{
    const int64_t *time = d->time->address + s->time;
    const int64_t *lane = d->lanes->address + s->lane;
    const int64_t back = d->stationary ? 1 : -1;
    const int64_t on = d->stationary ? 0 : 1;

    if (d->time->y == NULL) {
        for (int64_t i = 0; i < s->n; i++)
            request(b, time[back * i] + lane[on * i], cycle);
        return;
    }
    for (int64_t i = 0; i < s->n; i++) {
        if (on_map(d, s->time + back * i, s->lane + on * i))
            request(b, time[back * i] + lane[on * i], cycle);
    }
}

static ub_status request_piece(const demand *d, const piece *p, half_bank *b)
{
    for (int64_t i = 0; i < p->steps; i++) {
        const step s = step_of(d, p, i);

        request_step(d, &s, b, p->start + i);
        b->asked += s.n;
        if (b->asked >= CALL_EVERY) {
            ub_progress progress = { .stage = "requests",
                                     .step = p->start + i };
            const ub_status status = ub__progress(b->context, &progress);

            if (status != UB_OK)
                return status;
            b->asked = 0;
        }
    }
    return UB_OK;
}

/* All folds; those whose addresses are held already cost nothing. */
static ub_status request_all(const demand *d, half_bank *b)
{
    const ub__fold *f = d->fold;

    for (int64_t fc = 0; fc < f->column_folds; fc++) {
        const int64_t before = b->times;

        for (int64_t fr = 0; fr < f->row_folds; fr++) {
            const int64_t times = b->times;
            const piece p = piece_of(d, fc, fr);
            const ub_status status = request_piece(d, &p, b);

            if (status != UB_OK)
                return status;
            if (d->by_columns && b->times == times)
                break; /* the next row folds ask for the same */
        }
        if (!d->stationary && !d->by_columns && b->times == before)
            return UB_OK; /* so do the next column folds */
    }
    return UB_OK;
}

static void fetch_times(const half_bank *b, int64_t part, int64_t first,
                        ub__requests *out)
{
    const int64_t parts = (b->held + part - 1) / part;

    out->count = b->reads + b->held;
    out->start = -(parts * part + FIRST_RATE - 1) / FIRST_RATE;
    out->stop = -1;
    if (b->times > 0) {
        out->start = first - PARTS_HELD * part / FIRST_RATE;
        out->stop = b->last + 1; /* the last element arrives a cycle later */
    }
}

static ub_status estimate(ub_context *context, const demand *d, int64_t words,
                          ub__requests *sram, ub__requests *dram)
{
    const int64_t part = words / PARTS;
    half_bank b = { .capacity = part * PARTS_HELD, .context = context };
    ub_status status;

    sram->start = outermost(d, 0);
    sram->stop = outermost(d, 1);
    b.words = (size_t) (d->operand->elements / ELEMENTS_HELD + 1);
    b.map = ub__calloc(context, b.words, sizeof(*b.map));
    if (b.map == NULL)
        return UB_ERR_NOMEM;
    if ((uint64_t) b.capacity < b.words) {
        b.list = ub__alloc(context, (size_t) b.capacity, sizeof(*b.list));
        if (b.list == NULL) {
            ub__free(context, b.map);
            return UB_ERR_NOMEM;
        }
    }
    status = request_all(d, &b);
    if (status == UB_OK)
        fetch_times(&b, part, sram->start, dram);
    ub__free(context, b.list);
    ub__free(context, b.map);
    return status;
}

/* -- layers --------------------------------------------------------------- */

int64_t ub__bank_words(int64_t bank, const ub_hardware *h, int64_t bytes)
{
    return ub__or_else(bank, h->bank_bytes) /
           ub__or_else(bytes, h->element_bytes);
}

static demand input_demand(const ub__fold *f, const operand *p)
{
    demand d = {
        .fold = f, .operand = p, .time = &p->axes[0], .lanes = &p->axes[1]
    };

    if (f->dataflow == UB_DATAFLOW_WS)
        d.delay = f->array_rows;
    d.stationary = f->dataflow == UB_DATAFLOW_IS;
    if (f->dataflow == UB_DATAFLOW_OS) {
        d.time = &p->axes[1];
        d.lanes = &p->axes[0];
    }
    return d;
}

static demand weight_demand(const ub__fold *f, const operand *p)
{
    demand d = {
        .fold = f, .operand = p, .time = &p->axes[0], .lanes = &p->axes[1]
    };

    if (f->dataflow == UB_DATAFLOW_IS)
        d.delay = f->array_rows;
    d.stationary = f->dataflow == UB_DATAFLOW_WS;
    d.by_columns = f->dataflow == UB_DATAFLOW_OS;
    if (d.by_columns) {
        d.time = &p->axes[1];
        d.lanes = &p->axes[0];
    }
    return d;
}

static ub_status check_size(ub_context *context, const ub_layer_info *info,
                            const ub__fold *f, int64_t input_words,
                            int64_t weight_words)
{
    const double by_rows = (double) f->column_folds * (double) f->rows;
    const double by_columns = (double) f->row_folds * (double) f->columns;
    const double most = (by_rows > by_columns ? by_rows : by_columns) *
                        (double) f->stream;

    if (!(most <= MAX_REQUESTS))
        return ub__fail(context, UB_ERR_RANGE,
                        "systolic: layer '%.60s' makes %.3g requests of an "
                        "operand; up to 2^36 are counted",
                        info->name == NULL ? "" : info->name, most);
    if (input_words < PARTS || weight_words < PARTS)
        return ub__fail(context, UB_ERR_INVALID,
                        "systolic: banks of %lld inputs and %lld weights; it "
                        "takes %d, as they are filled by hundredths",
                        (long long) input_words, (long long) weight_words,
                        PARTS);
    return UB_OK;
}

ub_status ub__count_reads(ub_context *context, const ub_layer_info *info,
                          const ub_gemm *g, const ub__fold *f,
                          const ub_hardware *h, ub__traffic *out)
{
    const int64_t kept = f->dataflow == UB_DATAFLOW_OS ? f->stream : f->rows;
    const int64_t inputs = ub__bank_words(h->input_bank_bytes, h,
                                          h->input_bytes);
    const int64_t weights = ub__bank_words(h->weight_bank_bytes, h,
                                           h->weight_bytes);
    operand input = { .height = 0 }, weight = { .height = 0 };
    const demand of_input = input_demand(f, &input);
    const demand of_weight = weight_demand(f, &weight);
    ub_status status = check_size(context, info, f, inputs, weights);

    if (status == UB_OK)
        status = input_operand(context, info, g->m, kept, g->k, &input);
    if (status == UB_OK)
        status = estimate(context, &of_input, inputs, &out->sram_input,
                          &out->dram_input);
    free_operand(context, &input);
    if (status == UB_OK)
        status = weight_operand(context, info, g->n, kept, g->k, &weight);
    if (status == UB_OK)
        status = estimate(context, &of_weight, weights, &out->sram_weight,
                          &out->dram_weight);
    free_operand(context, &weight);
    return status;
}
