/* SPDX-License-Identifier: BSD-2-Clause */
#include "systolic/trace.h"

#include <string.h>

/* -- rows for a callback -------------------------------------------------- */

typedef struct receiver {
    ub_context *context;
    ub_systolic_trace_fn fn;
    void *user;
    int64_t *row;
} receiver;

static void fill_span(const ub__trace_rows *r, int64_t i, int64_t begin,
                      int64_t end, int64_t *row)
{
    const int64_t at = r->n - 1 - i, lane_step = r->skewed ? 1 : 0;

    for (int64_t l = begin; l < end; l++)
        row[l] = r->lane_offset[l] + r->offset[at + l * lane_step];
    for (int64_t l = begin; l < end && r->padded; l++) {
        if (!ub__trace_inside(r,
                              r->lane_place[l] + r->place[at + l * lane_step]))
            row[l] = -1;
    }
}

static ub_status hand_over(void *user, const ub__trace_rows *r)
{
    const receiver *to = user;
    int64_t *row = to->row;

    for (int64_t i = 0; i < r->n; i++) {
        int64_t begin, end;

        ub__trace_span(r, i, &begin, &end);
        for (int64_t l = 0; l < begin; l++)
            row[l] = -1;
        fill_span(r, i, begin, end, row);
        for (int64_t l = end; l < r->lanes; l++)
            row[l] = -1;
        if (to->fn(to->user, r->cycle + i, row, r->lanes) != 0)
            return ub__fail(to->context, UB_ERR_INTERRUPTED,
                            "trace: stopped by the caller in cycle %lld",
                            (long long) (r->cycle + i));
    }
    return UB_OK;
}

ub_status ub_systolic_trace(ub_context *context, const ub_layer_info *layer,
                            const ub_hardware *hardware,
                            const ub_systolic_options *options, int32_t operand,
                            int64_t offset, ub_systolic_trace_fn fn, void *user)
{
    const ub__trace_call call = { layer, hardware, options, operand, offset };
    receiver to = { context, fn, user, NULL };
    int64_t lanes;
    ub_status status;

    if (context == NULL)
        return UB_ERR_INVALID;
    if (fn == NULL)
        return ub__fail(context, UB_ERR_INVALID, "trace: no callback");
    status = ub__trace_lanes(context, &call, &lanes);
    if (status != UB_OK || lanes == 0)
        return status;
    to.row = ub__alloc(context, (size_t) lanes, sizeof(*to.row));
    if (to.row == NULL)
        return UB_ERR_NOMEM;
    status = ub__trace_walk(context, &call, hand_over, &to);
    ub__free(context, to.row);
    return status;
}

/* -- text ----------------------------------------------------------------- */

#define EIGHT      100000000 /* has one digit more than fit in a word */
#define BUFFER     ((size_t) 1 << 18)
#define MINUS_ONES 16 /* written at once */
#define LONGEST    20 /* ",4611686018427387904" */
#define SLACK      64 /* what is written beyond the end of a row */

typedef struct text {
    ub_context *context;
    ub__writer *writer;
    char *buffer;
    size_t capacity, row; /* bytes; of the longest row and its slack */
    char *at;             /* end of what is written */
    int64_t delay;        /* of the cycles written */
    int64_t rows;         /* written */
} text;

/* The four digits of every number below 10000, the first in the lowest byte. */
#define FOUR(a, b, c, d)                                     \
    (UINT32_C(0x30303030) + (a) + ((b) << 8) + ((c) << 16) + \
     ((uint32_t) (d) << 24))
#define TEN(a, b, c)                                                        \
    FOUR(a, b, c, 0), FOUR(a, b, c, 1), FOUR(a, b, c, 2), FOUR(a, b, c, 3), \
        FOUR(a, b, c, 4), FOUR(a, b, c, 5), FOUR(a, b, c, 6),               \
        FOUR(a, b, c, 7), FOUR(a, b, c, 8), FOUR(a, b, c, 9)
#define HUNDRED(a, b)                                                     \
    TEN(a, b, 0), TEN(a, b, 1), TEN(a, b, 2), TEN(a, b, 3), TEN(a, b, 4), \
        TEN(a, b, 5), TEN(a, b, 6), TEN(a, b, 7), TEN(a, b, 8), TEN(a, b, 9)
#define THOUSAND(a)                                                            \
    HUNDRED(a, 0), HUNDRED(a, 1), HUNDRED(a, 2), HUNDRED(a, 3), HUNDRED(a, 4), \
        HUNDRED(a, 5), HUNDRED(a, 6), HUNDRED(a, 7), HUNDRED(a, 8),            \
        HUNDRED(a, 9)
static const uint32_t four_digits[10000] = {
    THOUSAND(0), THOUSAND(1), THOUSAND(2), THOUSAND(3), THOUSAND(4),
    THOUSAND(5), THOUSAND(6), THOUSAND(7), THOUSAND(8), THOUSAND(9)
};

/* The eight digits of a number below 10^8. */
static inline uint64_t eight_digits(uint64_t value)
{
    const uint32_t low = (uint32_t) value, high = low / 10000;

    return four_digits[high] | (uint64_t) four_digits[low - high * 10000] << 32;
}

/* Compilers make one store of it where the order of bytes is this one. */
static inline void store(char *to, uint64_t bytes)
{
    to[0] = (char) (bytes & 255);
    to[1] = (char) (bytes >> 8 & 255);
    to[2] = (char) (bytes >> 16 & 255);
    to[3] = (char) (bytes >> 24 & 255);
    to[4] = (char) (bytes >> 32 & 255);
    to[5] = (char) (bytes >> 40 & 255);
    to[6] = (char) (bytes >> 48 & 255);
    to[7] = (char) (bytes >> 56);
}

static int64_t min_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Of a number below 10^8. From one power of two to the next the digits become
 * at most one more, at a power of ten: adding what that lacks to 2^32 carries.
 * The power of two is the exponent of the number as a double, modulo 64, that
 * of 0 being as good as that of 2. */
#define DIGITS(n, power) (((uint64_t) (n) << 32) - (power))
static inline int count_digits(uint64_t value)
{
    static const uint64_t table[64] = {
        DIGITS(1, 0),       DIGITS(1, 0),         DIGITS(2, 10),
        DIGITS(2, 0),       DIGITS(2, 0),         DIGITS(3, 100),
        DIGITS(3, 0),       DIGITS(3, 0),         DIGITS(4, 1000),
        DIGITS(4, 0),       DIGITS(4, 0),         DIGITS(4, 0),
        DIGITS(5, 10000),   DIGITS(5, 0),         DIGITS(5, 0),
        DIGITS(6, 100000),  DIGITS(6, 0),         DIGITS(6, 0),
        DIGITS(7, 1000000), DIGITS(7, 0),         DIGITS(7, 0),
        DIGITS(7, 0),       DIGITS(8, 10000000),  DIGITS(8, 0),
        DIGITS(8, 0),       DIGITS(9, 100000000), [63] = DIGITS(1, 0)
    };
    const double number = (double) (int64_t) value;
    uint64_t bits;

    memcpy(&bits, &number, sizeof(bits));
    return (int) ((value + table[bits >> 52 & 63]) >> 32);
}

static inline char *put_small(char *to, uint64_t value)
{
    const int n = count_digits(value);

    store(to, eight_digits(value) >> (64 - 8 * n));
    return to + n;
}

static char *put_large(char *to, uint64_t value)
{
    const uint64_t high = value / EIGHT;

    if (high >= EIGHT) {
        to = put_small(to, high / EIGHT);
        store(to, eight_digits(high % EIGHT));
        to += 8;
    } else {
        to = put_small(to, high);
    }
    store(to, eight_digits(value % EIGHT));
    return to + 8;
}

static inline char *put_number(char *to, uint64_t value)
{
    return value < EIGHT ? put_small(to, value) : put_large(to, value);
}

/* Up to ten cycles that differ in their last digit. */
typedef struct tens {
    char head[LONGEST]; /* all but the last eight digits */
    int head_size, shift, width, left;
    uint64_t digits; /* the last eight */
} tens;

#define NEXT_DIGIT ((uint64_t) 1 << 56) /* adds one to the last digit */

static void set_tens(tens *t, uint64_t cycle)
{
    const uint64_t low = cycle % EIGHT;

    t->head_size = 0;
    t->width = count_digits(low);
    if (cycle >= EIGHT) {
        t->head_size = (int) (put_number(t->head, cycle / EIGHT) - t->head);
        t->width = 8;
    }
    t->shift = 64 - 8 * t->width;
    t->digits = eight_digits(low);
    t->left = 10 - (int) (low % 10);
}

static inline char *put_address(char *to, int64_t address, int inside)
{
    to[0] = ',';
    if (inside)
        return put_number(to + 1, (uint64_t) address);
    to[1] = '-';
    to[2] = '1';
    return to + 3;
}

static inline char *put_minus_ones(char *to, int64_t n)
{
    static const char many[] = ",-1,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1"
                               ",-1";
    char *const end = to + 3 * n;

    for (; to < end; to += 3 * MINUS_ONES)
        memcpy(to, many, 3 * MINUS_ONES);
    return end;
}

static inline char *put_inner(const ub__trace_rows *r, int64_t i, int64_t begin,
                              int64_t n, char *to)
{
    const int64_t step = r->skewed ? 1 : 0;
    const int64_t *a = r->lane_offset + begin;
    const int64_t *b = r->offset + r->n - 1 - i + begin * step;

    for (int64_t l = 0; l < n; l++, b += step)
        to = put_address(to, a[l] + *b, 1);
    return to;
}

/* Some of them lie in the padding. */
static inline char *put_padded(const ub__trace_rows *r, int64_t i,
                               int64_t begin, int64_t n, char *to)
{
    const int64_t step = r->skewed ? 1 : 0;
    const int64_t from = r->n - 1 - i + begin * step;
    const int64_t *a = r->lane_offset + begin, *b = r->offset + from;
    const ub__place *c = r->lane_place + begin, *d = r->place + from;

    for (int64_t l = 0; l < n; l++, b += step, d += step)
        to = put_address(to, a[l] + *b, ub__trace_inside(r, c[l] + *d));
    return to;
}

static ub_status flush(text *t)
{
    const size_t size = (size_t) (t->at - t->buffer);
    ub_progress progress = { .size = sizeof(progress),
                             .stage = "trace",
                             .step = t->rows };
    ub_status status = ub__writer_put(t->writer, t->buffer, size);

    t->at = t->buffer;
    if (status == UB_OK)
        status = ub__progress(t->context, &progress);
    return status;
}

static inline char *put_cycle(const tens *t, uint64_t digits, char *to)
{
    if (t->head_size > 0) {
        memcpy(to, t->head, LONGEST);
        to += t->head_size;
    }
    store(to, digits >> t->shift);
    return to + t->width;
}

/* Rows [i, stop), whose cycles differ in their last digit. */
static inline char *put_ten(const ub__trace_rows *r, const tens *cycles,
                            int64_t i, int64_t stop, char *to)
{
    uint64_t digits = cycles->digits;

    for (; i < stop; i++, digits += NEXT_DIGIT) {
        int64_t begin, end;

        ub__trace_span(r, i, &begin, &end);
        to = put_minus_ones(put_cycle(cycles, digits, to), begin);
        to = r->padded ? put_padded(r, i, begin, end - begin, to)
                       : put_inner(r, i, begin, end - begin, to);
        to = put_minus_ones(to, r->lanes - end);
        *to++ = '\n';
    }
    return to;
}

/* The same where a row is one address, and all rows are busy: less to look at
 * in each, which is most of the time there. */
static inline char *put_ten_single(const ub__trace_rows *r, const tens *cycles,
                                   int64_t i, int64_t stop, char *to)
{
    const int64_t *offset = r->offset + r->n - 1;
    const ub__place *place = r->padded ? r->place + r->n - 1 : NULL;
    uint64_t digits = cycles->digits;

    for (; i < stop; i++, digits += NEXT_DIGIT) {
        const int inside = place == NULL ||
                           ub__trace_inside(r, *r->lane_place + place[-i]);

        to = put_cycle(cycles, digits, to);
        to = put_address(to, *r->lane_offset + offset[-i], inside);
        *to++ = '\n';
    }
    return to;
}

/* Rows [i, stop) as text; there is room. Works on copies: as far as a compiler
 * knows, text may overwrite whatever has an address. */
static char *put_rows(const text *t, const ub__trace_rows *rows, int64_t i,
                      int64_t stop)
{
    const ub__trace_rows r = *rows;
    const int single = r.lanes == 1 && r.first < r.end;
    char *to = t->at;

    while (i < stop) {
        tens cycles;
        int64_t until;

        set_tens(&cycles, (uint64_t) (r.cycle + i + t->delay));
        until = min_of(stop, i + cycles.left);
        to = single ? put_ten_single(&r, &cycles, i, until, to)
                    : put_ten(&r, &cycles, i, until, to);
        i = until;
    }
    return to;
}

static ub_status put_block(void *user, const ub__trace_rows *r)
{
    text *t = user;
    int64_t i = 0;

    while (i < r->n) {
        const size_t used = (size_t) (t->at - t->buffer);
        int64_t n = (int64_t) ((t->capacity - used) / t->row);

        if (n == 0) {
            ub_status status = flush(t);

            if (status != UB_OK)
                return status;
            continue;
        }
        n = min_of(n, r->n - i);
        t->at = put_rows(t, r, i, i + n);
        t->rows += n;
        i += n;
    }
    return UB_OK;
}

static ub_status write_text(text *t, const ub__trace_call *call)
{
    ub_status status = UB_OK;

    t->at = t->buffer;
    t->delay = call->operand == UB_SYSTOLIC_OUTPUT ? 0 : 1;
    if (t->capacity > 0)
        status = ub__trace_walk(t->context, call, put_block, t);
    if (status == UB_OK)
        status = flush(t);
    return status;
}

ub_status ub_systolic_trace_write(ub_context *context,
                                  const ub_layer_info *layer,
                                  const ub_hardware *hardware,
                                  const ub_systolic_options *options,
                                  int32_t operand, int64_t offset,
                                  const char *path)
{
    const ub__trace_call call = { layer, hardware, options, operand, offset };
    text t = { .context = context };
    int64_t lanes;
    ub_status status;

    if (context == NULL)
        return UB_ERR_INVALID;
    if (path == NULL)
        return ub__fail(context, UB_ERR_INVALID, "trace: no path");
    status = ub__trace_lanes(context, &call, &lanes);
    if (status != UB_OK)
        return status;
    if (lanes > 0) {
        t.row = (size_t) (lanes + 1) * LONGEST + SLACK;
        t.capacity = t.row > BUFFER / 4 ? 4 * t.row : BUFFER;
    }
    t.buffer = ub__alloc(context, t.capacity, 1);
    if (t.buffer == NULL)
        return UB_ERR_NOMEM;
    status = ub__writer_open(context, path, &t.writer);
    if (status == UB_OK) {
        status = write_text(&t, &call);
        if (status == UB_OK)
            status = ub__writer_commit(&t.writer);
        ub__writer_abort(&t.writer);
    }
    ub__free(context, t.buffer);
    return status;
}
