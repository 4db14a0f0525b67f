/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/variant.h"

/* Rows of `columns` elements, `pitch` apart, to contiguous ones. A constant
 * `columns` becomes moves of registers. */
static inline void pack(int64_t rows, int64_t columns, int64_t pitch,
                        const float *restrict from, float *restrict to)
{
    for (int64_t r = 0; r < rows; r++, from += pitch, to += columns)
        memcpy(to, from, (size_t) columns * sizeof *to);
}

static inline void unpack_add(int64_t rows, int64_t columns, int64_t pitch,
                              const float *restrict from, float *restrict to)
{
    for (int64_t r = 0; r < rows; r++, from += columns, to += pitch)
        for (int64_t c = 0; c < columns; c++)
            to[c] += from[c];
}

void UB__LOOP(unfold)(const ub__window *window, const float *from, float *to,
                      int64_t row_stride)
{
    const int64_t rows = window->rows, pitch = window->pitch;

    for (int64_t t = 0; t < window->taps; t++, to += row_stride) {
        const float *tap = from + window->offset[t];

        switch (window->columns) {
        case 4: pack(rows, 4, pitch, tap, to); break;
        case 8: pack(rows, 8, pitch, tap, to); break;
        case 16: pack(rows, 16, pitch, tap, to); break;
        case 32: pack(rows, 32, pitch, tap, to); break;
        default: pack(rows, window->columns, pitch, tap, to); break;
        }
    }
}

void UB__LOOP(fold)(const ub__window *window, const float *from,
                    int64_t row_stride, float *to)
{
    const int64_t rows = window->rows, pitch = window->pitch;

    for (int64_t t = 0; t < window->taps; t++, from += row_stride) {
        float *tap = to + window->offset[t];

        switch (window->columns) {
        case 4: unpack_add(rows, 4, pitch, from, tap); break;
        case 8: unpack_add(rows, 8, pitch, from, tap); break;
        case 16: unpack_add(rows, 16, pitch, from, tap); break;
        case 32: unpack_add(rows, 32, pitch, from, tap); break;
        default: unpack_add(rows, window->columns, pitch, from, tap); break;
        }
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
