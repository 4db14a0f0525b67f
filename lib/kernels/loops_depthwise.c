/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/variant.h"

/* A constant `columns` becomes moves of registers. */
static inline void move_row(int64_t columns, const float *restrict from,
                            float *restrict to)
{
#if UB__VECTOR_BYTES == 64
    if (columns == 16 || columns == 32) {
        store(to, load(from));
        if (columns == 32)
            store(to + WIDTH, load(from + WIDTH));
        return;
    }
#endif
    memcpy(to, from, (size_t) columns * sizeof *to);
}

static inline void move_rows(int64_t rows, int64_t columns, const float *from,
                             int64_t from_pitch, float *to, int64_t to_pitch)
{
    for (int64_t r = 0; r < rows; r++)
        move_row(columns, from + r * from_pitch, to + r * to_pitch);
}

void UB__LOOP(copy_rows)(int64_t rows, int64_t columns, const float *from,
                         int64_t from_pitch, float *to, int64_t to_pitch)
{
    switch (columns) {
    case 4: move_rows(rows, 4, from, from_pitch, to, to_pitch); break;
    case 8: move_rows(rows, 8, from, from_pitch, to, to_pitch); break;
    case 16: move_rows(rows, 16, from, from_pitch, to, to_pitch); break;
    case 32: move_rows(rows, 32, from, from_pitch, to, to_pitch); break;
    default: move_rows(rows, columns, from, from_pitch, to, to_pitch); break;
    }
}

static inline void sum_rows(int64_t rows, int64_t columns, const float *from,
                            int64_t from_pitch, float *to, int64_t to_pitch)
{
    for (int64_t r = 0; r < rows; r++, from += from_pitch, to += to_pitch)
        for (int64_t c = 0; c < columns; c++)
            to[c] += from[c];
}

void UB__LOOP(add_rows)(int64_t rows, int64_t columns, const float *from,
                        int64_t from_pitch, float *to, int64_t to_pitch)
{
    switch (columns) {
    case 4: sum_rows(rows, 4, from, from_pitch, to, to_pitch); break;
    case 8: sum_rows(rows, 8, from, from_pitch, to, to_pitch); break;
    case 16: sum_rows(rows, 16, from, from_pitch, to, to_pitch); break;
    case 32: sum_rows(rows, 32, from, from_pitch, to, to_pitch); break;
    default: sum_rows(rows, columns, from, from_pitch, to, to_pitch); break;
    }
}

/* Four vectors at a time, so that additions do not wait for each other. */
void UB__LOOP(correlate)(int64_t n, int64_t taps, const float *w,
                         const int64_t *offset, const float *x, float *y)
{
    for (int64_t i = 0; i < n; i += 4 * WIDTH) {
        vector sum[4] = { { 0 }, { 0 }, { 0 }, { 0 } };

        for (int64_t t = 0; t < taps; t++) {
            const float *from = x + i + offset[t];
            float factor = w[t];

            sum[0] += load(from) * factor;
            sum[1] += load(from + WIDTH) * factor;
            sum[2] += load(from + 2 * WIDTH) * factor;
            sum[3] += load(from + 3 * WIDTH) * factor;
        }
        store(y + i, sum[0]);
        store(y + i + WIDTH, sum[1]);
        store(y + i + 2 * WIDTH, sum[2]);
        store(y + i + 3 * WIDTH, sum[3]);
    }
}

/* `some` taps of tap_sums; a constant, so that the sums stay in registers. */
static inline void some_tap_sums(int64_t n, int some, const int64_t *offset,
                                 const float *x, const float *g, float *sum)
{
    for (int lane = 0; lane < UB__LANES; lane += WIDTH) {
        vector s[5];

        for (int t = 0; t < some; t++)
            s[t] = load(sum + t * UB__LANES + lane);
        for (int64_t i = lane; i < n; i += UB__LANES) {
            vector v = load(g + i);

            for (int t = 0; t < some; t++)
                s[t] += v * load(x + i + offset[t]);
        }
        for (int t = 0; t < some; t++)
            store(sum + t * UB__LANES + lane, s[t]);
    }
}

void UB__LOOP(tap_sums)(int64_t n, int64_t taps, const int64_t *offset,
                        const float *x, const float *g, float *sum)
{
    int64_t t = 0;

    for (; t + 5 <= taps; t += 5)
        some_tap_sums(n, 5, offset + t, x, g, sum + t * UB__LANES);
    for (; t + 3 <= taps; t += 3)
        some_tap_sums(n, 3, offset + t, x, g, sum + t * UB__LANES);
    for (; t < taps; t++)
        some_tap_sums(n, 1, offset + t, x, g, sum + t * UB__LANES);
}
