/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/variant.h"

#include <math.h>

/* Output positions [*begin, *end) for which a tap reads inside the map. */
static void tap_range(int64_t tap, int64_t stride, int64_t padding, int64_t in,
                      int64_t out, int64_t *begin, int64_t *end)
{
    int64_t first = padding - tap; /* out * stride >= first */
    int64_t last = in - 1 + padding - tap;

    *begin = first > 0 ? (first + stride - 1) / stride : 0;
    *end = last < 0 ? 0 : last / stride + 1;
    if (*end > out)
        *end = out;
    if (*begin > *end)
        *begin = *end;
}

/* One tap of a row: y = max(y, x), the first one on ties; NaN wins. */
static inline void max_row(int64_t n, int64_t stride, const float *x,
                           int32_t offset, float *y, int32_t *index)
{
    for (int64_t i = 0; i < n; i++) {
        float v = x[i * stride];
        int better = index[i] < 0 || v > y[i] || v != v;

        y[i] = better ? v : y[i];
        index[i] = better ? offset + (int32_t) (i * stride) : index[i];
    }
}

static inline void max_row_only(int64_t n, int64_t stride, const float *x,
                                float *y)
{
    for (int64_t i = 0; i < n; i++) {
        float v = x[i * stride];

        y[i] = v > y[i] || v != v ? v : y[i];
    }
}

static void max_tap(const ub__pool *pool, const float *x, int64_t row,
                    int64_t tap, float *y, int32_t *index)
{
    int64_t begin, end, stride = pool->stride, from;

    tap_range(tap, stride, pool->padding, pool->in_width, pool->out_width,
              &begin, &end);
    if (begin == end)
        return;
    from = row * pool->in_width + begin * stride + tap - pool->padding;
    if (index == NULL && stride == 1)
        max_row_only(end - begin, 1, x + from, y + begin);
    else if (index == NULL && stride == 2)
        max_row_only(end - begin, 2, x + from, y + begin);
    else if (index == NULL)
        max_row_only(end - begin, stride, x + from, y + begin);
    else if (stride == 1)
        max_row(end - begin, 1, x + from, (int32_t) from, y + begin,
                index + begin);
    else if (stride == 2)
        max_row(end - begin, 2, x + from, (int32_t) from, y + begin,
                index + begin);
    else
        max_row(end - begin, stride, x + from, (int32_t) from, y + begin,
                index + begin);
}

static void max_plane(const ub__pool *pool, const float *x, float *y,
                      int32_t *index)
{
    for (int64_t r = 0; r < pool->out_height; r++) {
        for (int64_t c = 0; c < pool->out_width; c++)
            y[c] = -INFINITY;
        for (int64_t c = 0; index != NULL && c < pool->out_width; c++)
            index[c] = -1;
        for (int64_t i = 0; i < pool->kernel_height; i++) {
            int64_t row = r * pool->stride + i - pool->padding;

            if (row < 0 || row >= pool->in_height)
                continue;
            for (int64_t j = 0; j < pool->kernel_width; j++)
                max_tap(pool, x, row, j, y, index);
        }
        y += pool->out_width;
        if (index != NULL)
            index += pool->out_width;
    }
}

/* -- windows of 2 x 2 that do not overlap ---------------------------------- */

/*
 * The upper rows of many windows, of as many planes as it takes, are laid end
 * to end, and the lower ones, so that maps of any width fill vectors. A vector
 * of windows is then the even and the odd elements of two vectors of each.
 */
#ifdef SHUFFLE

/* At a time. */
#define WINDOWS 512

typedef struct windows {
    float upper[2 * WINDOWS], lower[2 * WINDOWS];
    int32_t at[WINDOWS]; /* upper left elements in their plane */
} windows;

/* All windows of some planes, or some rows or some of a row of one. */
typedef struct part {
    int64_t plane, planes, row, rows, column, columns;
} part;

#if WIDTH == 16
#define IN_TWO(o)                                                             \
    (o), (o) + 2, (o) + 4, (o) + 6, (o) + 8, (o) + 10, (o) + 12, (o) + 14,    \
        (o) + 16, (o) + 18, (o) + 20, (o) + 22, (o) + 24, (o) + 26, (o) + 28, \
        (o) + 30
#define IN_TURN(o)                                                          \
    (o), (o) + 16, (o) + 1, (o) + 17, (o) + 2, (o) + 18, (o) + 3, (o) + 19, \
        (o) + 4, (o) + 20, (o) + 5, (o) + 21, (o) + 6, (o) + 22, (o) + 7,   \
        (o) + 23
#elif WIDTH == 8
#define IN_TWO(o) \
    (o), (o) + 2, (o) + 4, (o) + 6, (o) + 8, (o) + 10, (o) + 12, (o) + 14
#define IN_TURN(o) \
    (o), (o) + 8, (o) + 1, (o) + 9, (o) + 2, (o) + 10, (o) + 3, (o) + 11
#else
#define IN_TWO(o)  (o), (o) + 2, (o) + 4, (o) + 6
#define IN_TURN(o) (o), (o) + 4, (o) + 1, (o) + 5
#endif

static int halves(const ub__pool *pool)
{
    return pool->kernel_height == 2 && pool->kernel_width == 2 &&
           pool->stride == 2 && pool->padding == 0;
}

/* From a part to the next one; the first one is that behind zeros. */
static int next_part(const ub__pool *pool, int64_t planes, part *p)
{
    const int64_t width = pool->out_width, height = pool->out_height;

    p->column += p->columns;
    if (p->column == width) {
        p->column = 0;
        p->row += p->rows;
    }
    if (p->row == height) {
        p->row = 0;
        p->plane += p->planes;
    }
    p->planes = p->rows = 1;
    p->columns = width - p->column < WINDOWS ? width - p->column : WINDOWS;
    if (width <= WINDOWS)
        p->rows = WINDOWS / width;
    if (p->rows >= height)
        p->planes = p->rows / height;
    if (p->rows > height - p->row)
        p->rows = height - p->row;
    if (p->planes > planes - p->plane)
        p->planes = planes - p->plane;
    return p->plane < planes;
}

static int64_t windows_of(const part *p)
{
    return p->planes * p->rows * p->columns;
}

static int64_t upper_left(const ub__pool *pool, const part *p)
{
    return (p->plane * pool->in_height + 2 * p->row) * pool->in_width +
           2 * p->column;
}

static int64_t first_output(const ub__pool *pool, const part *p)
{
    return (p->plane * pool->out_height + p->row) * pool->out_width + p->column;
}

/* Of whole planes, whose windows lie as those of the first ones. */
static int is_whole(const ub__pool *pool, const part *p)
{
    return p->rows == pool->out_height && p->columns == pool->out_width;
}

static void place_windows(const ub__pool *pool, const part *p, windows *w)
{
    int32_t *at = w->at;

    for (int64_t i = 0; i < p->planes; i++)
        for (int64_t r = 0; r < p->rows; r++)
            for (int64_t c = 0; c < p->columns; c++)
                *at++ = (int32_t) (2 * (p->row + r) * pool->in_width +
                                   2 * (p->column + c));
}

/* A constant width becomes moves of registers. */
INLINE void lay_rows(const ub__pool *pool, const part *p, int64_t width,
                     const float *x, windows *w)
{
    const size_t bytes = (size_t) width * sizeof(*x);
    float *upper = w->upper, *lower = w->lower;

    for (int64_t i = 0; i < p->planes; i++) {
        const float *row = x + i * pool->in_height * pool->in_width;

        for (int64_t r = 0; r < p->rows; r++) {
            memcpy(upper, row, bytes);
            memcpy(lower, row + pool->in_width, bytes);
            row += 2 * pool->in_width;
            upper += width;
            lower += width;
        }
    }
}

static void lay(const ub__pool *pool, const part *p, const float *x, windows *w)
{
    switch (p->columns) {
    case 2: lay_rows(pool, p, 4, x, w); break;
    case 4: lay_rows(pool, p, 8, x, w); break;
    case 8: lay_rows(pool, p, 16, x, w); break;
    default: lay_rows(pool, p, 2 * p->columns, x, w); break;
    }
}

/* And back to the map. */
INLINE void put_row(int64_t width, const float *from, float *to, int add)
{
    if (!add) {
        memcpy(to, from, (size_t) width * sizeof(*to));
        return;
    }
    for (int64_t i = 0; i < width; i++)
        to[i] += from[i];
}

INLINE void put_rows(const ub__pool *pool, const part *p, int64_t width,
                     const windows *w, float *x, int add)
{
    const float *upper = w->upper, *lower = w->lower;

    for (int64_t i = 0; i < p->planes; i++) {
        float *row = x + i * pool->in_height * pool->in_width;

        for (int64_t r = 0; r < p->rows; r++) {
            put_row(width, upper, row, add);
            put_row(width, lower, row + pool->in_width, add);
            row += 2 * pool->in_width;
            upper += width;
            lower += width;
        }
    }
}

static void put(const ub__pool *pool, const part *p, const windows *w, float *x,
                int add)
{
    switch (p->columns) {
    case 2: put_rows(pool, p, 4, w, x, add); break;
    case 4: put_rows(pool, p, 8, w, x, add); break;
    case 8: put_rows(pool, p, 16, w, x, add); break;
    default: put_rows(pool, p, 2 * p->columns, w, x, add); break;
    }
}

/* As max_row() does. */
INLINE void take_better(vector x, mask_vector at, vector *y, mask_vector *index)
{
    const mask_vector better = (mask_vector) (x > *y) | (mask_vector) (x != x);

    *y = choose(better, x, *y);
    *index = (better & at) | (~better & *index);
}

/* A vector, or what is left. */
INLINE void copy_some(int64_t left, const void *from, void *to)
{
    if (left >= WIDTH)
        memcpy(to, from, sizeof(vector));
    else
        memcpy(to, from, (size_t) left * sizeof(float));
}

INLINE void max_windows(int64_t n, int32_t width, const windows *w, float *y,
                        int32_t *index)
{
    for (int64_t i = 0; i < n; i += WIDTH) {
        const vector u = load(w->upper + 2 * i);
        const vector v = load(w->upper + 2 * i + WIDTH);
        const vector l = load(w->lower + 2 * i);
        const vector m = load(w->lower + 2 * i + WIDTH);
        vector best = SHUFFLE(u, v, IN_TWO(0));
        mask_vector at, found;

        memcpy(&at, w->at + i, sizeof(at));
        found = at;
        take_better(SHUFFLE(u, v, IN_TWO(1)), at + 1, &best, &found);
        take_better(SHUFFLE(l, m, IN_TWO(0)), at + width, &best, &found);
        take_better(SHUFFLE(l, m, IN_TWO(1)), at + width + 1, &best, &found);
        copy_some(n - i, &best, y + i);
        if (index != NULL)
            copy_some(n - i, &found, index + i);
    }
}

static void max_halves(const ub__pool *pool, int64_t planes, const float *x,
                       float *y, int32_t *index)
{
    const int32_t width = (int32_t) pool->in_width;
    part p = { 0 };
    windows w;

    while (next_part(pool, planes, &p)) {
        const int64_t first = first_output(pool, &p), n = windows_of(&p);

        lay(pool, &p, x + upper_left(pool, &p), &w);
        if (index == NULL) {
            max_windows(n, width, &w, y + first, NULL);
            continue;
        }
        if (p.plane == 0 || !is_whole(pool, &p))
            place_windows(pool, &p, &w);
        max_windows(n, width, &w, y + first, index + first);
    }
}

/* The gradient of each window to that element of it that was the maximum. */
static void share_gradient(int64_t n, int32_t width, const float *gy,
                           const int32_t *index, windows *w)
{
    for (int64_t i = 0; i < n; i += WIDTH) {
        mask_vector at, found = { 0 };
        vector g = { 0 }, even, odd;

        memcpy(&at, w->at + i, sizeof(at));
        copy_some(n - i, gy + i, &g);
        copy_some(n - i, index + i, &found);
        found -= at;
        even = where((mask_vector) (found == 0), g);
        odd = where((mask_vector) (found == 1), g);
        store(w->upper + 2 * i, SHUFFLE(even, odd, IN_TURN(0)));
        store(w->upper + 2 * i + WIDTH, SHUFFLE(even, odd, IN_TURN(HALF)));
        even = where((mask_vector) (found == width), g);
        odd = where((mask_vector) (found == width + 1), g);
        store(w->lower + 2 * i, SHUFFLE(even, odd, IN_TURN(0)));
        store(w->lower + 2 * i + WIDTH, SHUFFLE(even, odd, IN_TURN(HALF)));
    }
}

static void unpool_halves(const ub__pool *pool, int64_t planes, const float *gy,
                          const int32_t *index, float *gx, int add)
{
    const int32_t width = (int32_t) pool->in_width;
    part p = { 0 };
    windows w;

    while (next_part(pool, planes, &p)) {
        const int64_t first = first_output(pool, &p);
        float *to = gx + upper_left(pool, &p);

        if (p.plane == 0 || !is_whole(pool, &p))
            place_windows(pool, &p, &w);
        share_gradient(windows_of(&p), width, gy + first, index + first, &w);
        if (add)
            put(pool, &p, &w, to, 1);
        else
            put(pool, &p, &w, to, 0);
    }
}

#endif

void UB__LOOP(max_pool)(const ub__pool *pool, int64_t planes, const float *x,
                        float *y, int32_t *index)
{
    const int64_t in = pool->in_height * pool->in_width;
    const int64_t out = pool->out_height * pool->out_width;

#ifdef SHUFFLE
    if (halves(pool)) {
        max_halves(pool, planes, x, y, index);
        return;
    }
#endif
    for (int64_t p = 0; p < planes; p++)
        max_plane(pool, x + p * in, y + p * out,
                  index != NULL ? index + p * out : NULL);
}

void UB__LOOP(max_unpool)(const ub__pool *pool, int64_t planes, const float *gy,
                          const int32_t *index, float *gx, int add)
{
    const int64_t in = pool->in_height * pool->in_width;
    const int64_t out = pool->out_height * pool->out_width;

#ifdef SHUFFLE
    if (halves(pool)) {
        if (!add && in != 4 * out)
            memset(gx, 0, (size_t) (planes * in) * sizeof(*gx));
        unpool_halves(pool, planes, gy, index, gx, add);
        return;
    }
#endif
    if (!add)
        memset(gx, 0, (size_t) (planes * in) * sizeof(*gx));
    for (int64_t p = 0; p < planes; p++, gx += in, gy += out, index += out)
        for (int64_t i = 0; i < out; i++)
            if (index[i] >= 0)
                gx[index[i]] += gy[i];
}

/* -- averages -------------------------------------------------------------- */

/* How many taps of a window at `position` lie inside. */
static int64_t taps_inside(int64_t position, int64_t kernel, int64_t stride,
                           int64_t padding, int64_t in)
{
    int64_t begin = position * stride - padding;
    int64_t end = begin + kernel;

    if (begin < 0)
        begin = 0;
    if (end > in)
        end = in;
    return end > begin ? end - begin : 0;
}

/* 1 / elements averaged at (row, column); 0 where there are none. */
static float average_factor(const ub__pool *pool, int64_t row, int64_t column)
{
    int64_t count = pool->kernel_height * pool->kernel_width;

    if (!pool->count_padding)
        count = taps_inside(row, pool->kernel_height, pool->stride,
                            pool->padding, pool->in_height) *
                taps_inside(column, pool->kernel_width, pool->stride,
                            pool->padding, pool->in_width);
    return count > 0 ? 1.0f / (float) count : 0.0f;
}

static inline void add_row(int64_t n, int64_t stride, const float *x, float *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += x[i * stride];
}

void UB__LOOP(avg_pool)(const ub__pool *pool, const float *x, float *y)
{
    int64_t stride = pool->stride;

    for (int64_t r = 0; r < pool->out_height; r++, y += pool->out_width) {
        memset(y, 0, (size_t) pool->out_width * sizeof *y);
        for (int64_t i = 0; i < pool->kernel_height; i++) {
            int64_t row = r * stride + i - pool->padding;

            if (row < 0 || row >= pool->in_height)
                continue;
            for (int64_t j = 0; j < pool->kernel_width; j++) {
                const float *from = x + row * pool->in_width;
                int64_t begin, end;

                tap_range(j, stride, pool->padding, pool->in_width,
                          pool->out_width, &begin, &end);
                from += begin * stride + j - pool->padding;
                if (stride == 1)
                    add_row(end - begin, 1, from, y + begin);
                else if (stride == 2)
                    add_row(end - begin, 2, from, y + begin);
                else
                    add_row(end - begin, stride, from, y + begin);
            }
        }
        for (int64_t c = 0; c < pool->out_width; c++)
            y[c] *= average_factor(pool, r, c);
    }
}

/* gx += the gradient; a window at a time. */
void UB__LOOP(avg_unpool)(const ub__pool *pool, const float *gy, float *gx)
{
    for (int64_t r = 0; r < pool->out_height; r++) {
        for (int64_t c = 0; c < pool->out_width; c++) {
            float g = *gy++ * average_factor(pool, r, c);
            int64_t top = r * pool->stride - pool->padding;
            int64_t left = c * pool->stride - pool->padding;
            int64_t bottom = top + pool->kernel_height;
            int64_t right = left + pool->kernel_width;

            top = top < 0 ? 0 : top;
            left = left < 0 ? 0 : left;
            bottom = bottom > pool->in_height ? pool->in_height : bottom;
            right = right > pool->in_width ? pool->in_width : right;
            for (int64_t i = top; i < bottom; i++)
                for (int64_t j = left; j < right; j++)
                    gx[i * pool->in_width + j] += g;
        }
    }
}
