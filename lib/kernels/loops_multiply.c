/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/variant.h"

#if TILE_ROWS > 0

/*
 * Products of matrices that lie in the second cache as they are: no packing.
 * A tile of c stays in registers while k goes by. Written so that the compiler
 * sees constant loops over an array of vectors, which it keeps in registers.
 */
/* One element of the inner dimension. */
INLINE void tile_step(const float *a, int64_t a_row, const float *b, int rows,
                      int vectors, vector *sum)
{
    vector line[3];

    UNROLL
    for (int v = 0; v < vectors; v++)
        line[v] = load(b + v * WIDTH);
    UNROLL
    for (int r = 0; r < rows; r++) {
        vector factor = splat(a[r * a_row]);

        UNROLL
        for (int v = 0; v < vectors; v++)
            sum[r * vectors + v] += factor * line[v];
    }
}

INLINE void tile_of(const ub__product *p, int64_t row, int64_t column, int rows,
                    int vectors)
{
    const int64_t a_row = p->a_row, a_column = p->a_column, b_row = p->b_row;
    const float *a = p->a + row * a_row, *b = p->b + column;
    vector sum[3 * 16];

    UNROLL
    for (int i = 0; i < rows * vectors; i++)
        sum[i] = (vector){ 0 };
    for (int64_t k = 0; k < p->k; k++, a += a_column, b += b_row)
        tile_step(a, a_row, b, rows, vectors, sum);
    UNROLL
    for (int r = 0; r < rows; r++) {
        UNROLL
        for (int v = 0; v < vectors; v++) {
            float *c = p->c + (row + r) * p->c_row + column + v * WIDTH;

            if (p->add)
                sum[r * vectors + v] += load(c);
            store(c, sum[r * vectors + v]);
        }
    }
}

typedef void (*tile_fn)(const ub__product *p, int64_t row, int64_t column);

#define TILE(name, rows, vectors)                                       \
    static void name(const ub__product *p, int64_t row, int64_t column) \
    {                                                                   \
        tile_of(p, row, column, rows, vectors);                         \
    }

TILE(tile_three, TILE_ROWS, 3)
TILE(tile_two, TILE_ROWS, 2)
TILE(tile_one, TILE_ROWS, 1)
TILE(tall_one, 2 * TILE_ROWS, 1)
TILE(row_three, 1, 3)
TILE(row_two, 1, 2)
TILE(row_one, 1, 1)
#undef TILE

int64_t UB__LOOP(multiply)(const ub__product *p)
{
    static const tile_fn tile[] = { tile_one, tile_two, tile_three };
    static const tile_fn row[] = { row_one, row_two, row_three };
    int64_t done = 0;

    while (p->n - done >= WIDTH) {
        int64_t left = p->n - done, i = 0;
        int wide = left == 2 * WIDTH || left == 4 * WIDTH ? 1
                   : left >= 3 * WIDTH                    ? 2
                                                          : left >= 2 * WIDTH;

        for (; wide == 0 && i + 2 * TILE_ROWS <= p->m; i += 2 * TILE_ROWS)
            tall_one(p, i, done);
        for (; i + TILE_ROWS <= p->m; i += TILE_ROWS)
            tile[wide](p, i, done);
        for (; i < p->m; i++)
            row[wide](p, i, done);
        done += (wide + 1) * WIDTH;
    }
    return done;
}

#else

int64_t UB__LOOP(multiply)(const ub__product *product)
{
    (void) product;
    return 0;
}

#endif

/* -- transposition -------------------------------------------------------- */

static inline void transpose_quad(const float *from, int64_t from_row,
                                  float *to, int64_t to_row)
{
#ifdef SHUFFLE
    quad a = load_quad(from), b = load_quad(from + from_row);
    quad c = load_quad(from + 2 * from_row);
    quad d = load_quad(from + 3 * from_row);
    quad ab = SHUFFLE(a, b, 0, 4, 1, 5), cd = SHUFFLE(c, d, 0, 4, 1, 5);

    *(quad *) to = SHUFFLE(ab, cd, 0, 1, 4, 5);
    *(quad *) (to + to_row) = SHUFFLE(ab, cd, 2, 3, 6, 7);
    ab = SHUFFLE(a, b, 2, 6, 3, 7);
    cd = SHUFFLE(c, d, 2, 6, 3, 7);
    *(quad *) (to + 2 * to_row) = SHUFFLE(ab, cd, 0, 1, 4, 5);
    *(quad *) (to + 3 * to_row) = SHUFFLE(ab, cd, 2, 3, 6, 7);
#else
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            to[j * to_row + i] = from[i * from_row + j];
#endif
}

void UB__LOOP(transpose)(int64_t rows, int64_t columns, const float *from,
                         int64_t from_row, float *to, int64_t to_row)
{
    int64_t whole_rows = rows / 4 * 4, whole_columns = columns / 4 * 4;

    for (int64_t j = 0; j < whole_columns; j += 4)
        for (int64_t i = 0; i < whole_rows; i += 4)
            transpose_quad(from + i * from_row + j, from_row,
                           to + j * to_row + i, to_row);
    for (int64_t j = 0; j < columns; j++)
        for (int64_t i = j < whole_columns ? whole_rows : 0; i < rows; i++)
            to[j * to_row + i] = from[i * from_row + j];
}
