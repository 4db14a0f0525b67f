/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/variant.h"

/*
 * Convolutions of images that lie side by side, one in each lane of a vector.
 * Up to LANE_FILTERS x UB__POINTS sums stay in registers; written so that the
 * compiler sees constant loops over an array of vectors.
 */
#define SUMS (LANE_FILTERS * UB__POINTS)

/* Compilers would read a factor from memory again for each product. */
#if defined __x86_64__
#define LOAD_ONCE(v) __asm__("" : "+v"(v))
#else
#define LOAD_ONCE(v)
#endif

INLINE void clear(vector *sum, int n)
{
    UNROLL
    for (int i = 0; i < n; i++)
        sum[i] = (vector){ 0 };
}

INLINE void load_points(const float *x, int64_t step, int points, vector *line)
{
    UNROLL
    for (int p = 0; p < points; p++)
        line[p] = load(x + p * step);
}

INLINE void add_products(vector factor, const vector *line, int points,
                         vector *sum)
{
    UNROLL
    for (int p = 0; p < points; p++)
        sum[p] += factor * line[p];
}

INLINE void put_sums(const vector *sum, int filters, int points, float *to,
                     int64_t filter, int64_t point, int add)
{
    UNROLL
    for (int f = 0; f < filters; f++) {
        UNROLL
        for (int p = 0; p < points; p++) {
            float *y = to + f * filter + p * point;
            vector result = sum[f * points + p];

            if (add)
                result += load(y);
            store(y, result);
        }
    }
}

INLINE void filter_tile(const ub__filter_tile *t, int filters, int points)
{
    const int64_t w_tap = t->w_tap, x_tap = t->x_tap, x_point = t->x_point;
    const int64_t taps = t->taps;
    vector sum[SUMS];

    clear(sum, filters * points);
    for (int64_t c = 0; c < t->channels; c++) {
        for (int64_t i = 0; i < t->rows; i++) {
            const float *w = t->w + c * t->w_channel + i * t->w_row;
            const float *x = t->x + c * t->x_channel + i * t->x_row;

            for (int64_t j = 0; j < taps; j++, w += w_tap, x += x_tap) {
                vector line[UB__POINTS];

                load_points(x, x_point, points, line);
                UNROLL
                for (int f = 0; f < filters; f++)
                    add_products(splat(w[f]), line, points, sum + f * points);
            }
        }
    }
    if (t->add)
        put_sums(sum, filters, points, t->y, t->y_filter, t->y_point, 1);
    else
        put_sums(sum, filters, points, t->y, t->y_filter, t->y_point, 0);
}

/* Added at the end: sums of sums lose less than one long one. */
INLINE void weight_tile(const ub__weight_tile *t, int filters, int points)
{
    const int64_t g_filter = t->g_filter, x_channel = t->x_channel;
    const int64_t columns = t->columns, x_column = t->x_column;
    vector sum[SUMS];

    clear(sum, filters * points);
    for (int64_t b = 0; b < t->blocks; b++) {
        for (int64_t i = 0; i < t->rows; i++) {
            const float *g = t->g + b * t->g_block + i * t->g_row;
            const float *x = t->x + b * t->x_block + i * t->x_row;

            for (int64_t j = 0; j < columns; j++, g += WIDTH, x += x_column) {
                vector line[UB__POINTS];

                load_points(x, x_channel, points, line);
                UNROLL
                for (int f = 0; f < filters; f++) {
                    vector factor = load(g + f * g_filter);

                    LOAD_ONCE(factor);
                    add_products(factor, line, points, sum + f * points);
                }
            }
        }
    }
    put_sums(sum, filters, points, t->sums, t->sums_filter, t->sums_channel, 1);
}

/* -- one function for each size -------------------------------------------- */

#if LANE_FILTERS == 8
#define EACH(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8)
#else
#define EACH(X) X(1) X(2) X(3) X(4)
#endif

#define FUNCTIONS(f, p)                                     \
    static void filters_##f##_##p(const ub__filter_tile *t) \
    {                                                       \
        filter_tile(t, f, p);                               \
    }                                                       \
    static void weights_##f##_##p(const ub__weight_tile *t) \
    {                                                       \
        weight_tile(t, f, p);                               \
    }
#define THREE(f) FUNCTIONS(f, 1) FUNCTIONS(f, 2) FUNCTIONS(f, 3)
EACH(THREE)

void UB__LOOP(filter_tile)(const ub__filter_tile *tile)
{
#define ROW(f) { filters_##f##_1, filters_##f##_2, filters_##f##_3 },
    static void (*const sizes[][UB__POINTS])(
        const ub__filter_tile *) = { EACH(ROW) };
#undef ROW

    sizes[tile->filters - 1][tile->points - 1](tile);
}

void UB__LOOP(weight_tile)(const ub__weight_tile *tile)
{
#define ROW(f) { weights_##f##_1, weights_##f##_2, weights_##f##_3 },
    static void (*const sizes[][UB__POINTS])(
        const ub__weight_tile *) = { EACH(ROW) };
#undef ROW

    sizes[tile->filters - 1][tile->points - 1](tile);
}

/* The sum of each vector's lanes, by fours. */
void UB__LOOP(sum_lanes)(int64_t n, const float *from, float *to,
                         int64_t to_stride, int accumulate)
{
    for (int64_t i = 0; i < n; i++, from += WIDTH, to += to_stride) {
        quad four = load_quad(from);
        float sum;

        UNROLL
        for (int l = 4; l < WIDTH; l += 4)
            four += load_quad(from + l);
        sum = (four[0] + four[1]) + (four[2] + four[3]);
        *to = accumulate ? *to + sum : sum;
    }
}

/* -- turning --------------------------------------------------------------- */

#ifdef SHUFFLE

/* The same choice in each 128 bits of two vectors: 0 to 3 are the first one's
 * elements there, 4 to 7 the second one's. */
#define PICK(i, q) ((i) < 4 ? (i) + 4 * (q) : (i) -4 + 4 * (q) + WIDTH)
#define QUADS      (WIDTH / 4)
#if WIDTH == 16
#define IN_QUADS(order) order(0), order(1), order(2), order(3)
#elif WIDTH == 8
#define IN_QUADS(order) order(0), order(1)
#else
#define IN_QUADS(order) order(0)
#endif
#define LOW_ONES(q)  PICK(0, q), PICK(4, q), PICK(1, q), PICK(5, q)
#define HIGH_ONES(q) PICK(2, q), PICK(6, q), PICK(3, q), PICK(7, q)
#define LOW_TWOS(q)  PICK(0, q), PICK(1, q), PICK(4, q), PICK(5, q)
#define HIGH_TWOS(q) PICK(2, q), PICK(3, q), PICK(6, q), PICK(7, q)

/* Each 4 x 4 elements of four vectors, in place. */
INLINE void turn_quads(vector v[4])
{
    const vector a = SHUFFLE(v[0], v[1], IN_QUADS(LOW_ONES));
    const vector b = SHUFFLE(v[2], v[3], IN_QUADS(LOW_ONES));
    const vector c = SHUFFLE(v[0], v[1], IN_QUADS(HIGH_ONES));
    const vector d = SHUFFLE(v[2], v[3], IN_QUADS(HIGH_ONES));

    v[0] = SHUFFLE(a, b, IN_QUADS(LOW_TWOS));
    v[1] = SHUFFLE(a, b, IN_QUADS(HIGH_TWOS));
    v[2] = SHUFFLE(c, d, IN_QUADS(LOW_TWOS));
    v[3] = SHUFFLE(c, d, IN_QUADS(HIGH_TWOS));
}

/* Four elements of row 4 * q, zeros if there are not so many. */
INLINE quad load_row(const float *from, int64_t row, int64_t rows, int q)
{
    return 4 * q < rows ? load_quad(from + 4 * q * row) : (quad){ 0 };
}

/* Four elements of every fourth row. */
INLINE vector load_rows(const float *from, int64_t row, int64_t rows)
{
    const quad a = load_row(from, row, rows, 0);
#if WIDTH > 4
    const quad b = load_row(from, row, rows, 1);
#endif
#if WIDTH == 16
    const quad c = load_row(from, row, rows, 2);
    const quad d = load_row(from, row, rows, 3);
    const half_vector ab = SHUFFLE(a, b, 0, 1, 2, 3, 4, 5, 6, 7);
    const half_vector cd = SHUFFLE(c, d, 0, 1, 2, 3, 4, 5, 6, 7);

    return SHUFFLE(ab, cd, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
                   15);
#elif WIDTH == 8
    return SHUFFLE(a, b, 0, 1, 2, 3, 4, 5, 6, 7);
#else
    return a;
#endif
}

/* The quads of a vector to every fourth row. */
INLINE void store_rows(vector v, float *to, int64_t row, int64_t rows,
                       quad shift, int add)
{
    quad part[QUADS];

    memcpy(part, &v, sizeof(part));
    UNROLL
    for (int q = 0; q < QUADS; q++, to += 4 * row) {
        if (4 * q >= rows)
            continue;
        part[q] += shift;
        if (add)
            part[q] += load_quad(to);
        *(quad *) to = part[q];
    }
}

/* So many times four columns at a time, for whole lines of a cache. */
#define GROUPS (WIDTH == 16 ? 4 : 2)

INLINE void turn_columns(int64_t images, const float *from, int64_t row,
                         float *to, int groups)
{
    vector v[GROUPS][4];

    UNROLL
    for (int i = 0; i < 4; i++) {
        UNROLL
        for (int g = 0; g < groups; g++)
            v[g][i] = load_rows(from + i * row + 4 * g, row, images - i);
    }
    UNROLL
    for (int g = 0; g < groups; g++) {
        turn_quads(v[g]);
        UNROLL
        for (int i = 0; i < 4; i++)
            store(to + (4 * g + i) * WIDTH, v[g][i]);
    }
}

/* As many columns as come by four; returns how many. */
INLINE int64_t turn_by_four(int64_t images, int64_t n, const float *from,
                            int64_t row, float *to)
{
    int64_t done = 0;

    for (; done + 4 * GROUPS <= n; done += 4 * GROUPS)
        turn_columns(images, from + done, row, to + done * WIDTH, GROUPS);
    for (; done + 4 <= n; done += 4)
        turn_columns(images, from + done, row, to + done * WIDTH, 1);
    return done;
}

INLINE void turn_columns_back(int64_t images, const float *from, float *to,
                              int64_t row, quad shift, int add, int groups)
{
    vector v[GROUPS][4];

    UNROLL
    for (int g = 0; g < groups; g++) {
        UNROLL
        for (int i = 0; i < 4; i++)
            v[g][i] = load(from + (4 * g + i) * WIDTH);
        turn_quads(v[g]);
    }
    UNROLL
    for (int i = 0; i < 4; i++) {
        UNROLL
        for (int g = 0; g < groups; g++)
            store_rows(v[g][i], to + i * row + 4 * g, row, images - i, shift,
                       add);
    }
}

INLINE int64_t turn_by_four_back(int64_t images, int64_t n, const float *from,
                                 float *to, int64_t row, float shift, int add)
{
    const quad shifts = shift - (quad){ 0 };
    int64_t done = 0;

    for (; done + 4 * GROUPS <= n; done += 4 * GROUPS)
        turn_columns_back(images, from + done * WIDTH, to + done, row, shifts,
                          add, GROUPS);
    for (; done + 4 <= n; done += 4)
        turn_columns_back(images, from + done * WIDTH, to + done, row, shifts,
                          add, 1);
    return done;
}

#endif

static void turn_row(int64_t images, int64_t n, const float *from, int64_t row,
                     float *to)
{
    int64_t done = 0;

#ifdef SHUFFLE
    if (images == WIDTH)
        done = turn_by_four(WIDTH, n, from, row, to);
    else
        done = turn_by_four(images, n, from, row, to);
#endif
    for (; done < n; done++) {
        for (int64_t i = 0; i < WIDTH; i++)
            to[done * WIDTH + i] = i < images ? from[i * row + done] : 0.0f;
    }
}

void UB__LOOP(turn)(int64_t images, int64_t rows, int64_t columns,
                    const float *from, int64_t from_image, float *to,
                    int64_t to_row)
{
    for (int64_t i = 0; i < rows; i++)
        turn_row(images, columns, from + i * columns, from_image,
                 to + i * to_row);
}

void UB__LOOP(turn_back)(int64_t images, int64_t n, const float *from,
                         float shift, float *to, int64_t to_row, int add)
{
    int64_t done = 0;

#ifdef SHUFFLE
    if (images == WIDTH && add)
        done = turn_by_four_back(WIDTH, n, from, to, to_row, shift, 1);
    else if (images == WIDTH)
        done = turn_by_four_back(WIDTH, n, from, to, to_row, shift, 0);
    else
        done = turn_by_four_back(images, n, from, to, to_row, shift, add);
#endif
    for (int64_t i = 0; i < images; i++) {
        for (int64_t j = done; j < n; j++) {
            const float value = from[j * WIDTH + i] + shift;

            to[i * to_row + j] = add ? to[i * to_row + j] + value : value;
        }
    }
}
