/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_KERNELS_VARIANT_H
#define UBOOST_LIB_KERNELS_VARIANT_H

#include "kernels/loops.h"

#include <string.h>

/*
 * For the sources that are compiled once per instruction set: meson.build
 * defines UB__VARIANT (portable, avx2, avx512) and UB__VECTOR_BYTES.
 */

#define UB__PASTE_(a, b) a##_##b
#define UB__PASTE(a, b)  UB__PASTE_(a, b)
#define UB__LOOP(name)   UB__PASTE(ub__loop_##name, UB__VARIANT)

#define UB__LOOPS_PROTOTYPE(type, name, arguments) \
    type UB__LOOP(name) arguments;
UB__LOOPS(UB__LOOPS_PROTOTYPE)
#undef UB__LOOPS_PROTOTYPE

#define WIDTH (UB__VECTOR_BYTES / 4) /* floats in a vector */
#define HALF  (WIDTH / 2)            /* doubles in a vector */

/* Rows of a register tile of a product, three vectors wide; 0 where BLIS does
 * better. */
#if UB__VECTOR_BYTES == 64
#define TILE_ROWS 8
#elif UB__VECTOR_BYTES == 32
#define TILE_ROWS 4
#else
#define TILE_ROWS 0
#endif

/* Filters of a tile of images side by side: with UB__POINTS pixels each, as
 * many sums as fit the registers. */
#if UB__VECTOR_BYTES == 64 || defined __aarch64__
#define LANE_FILTERS 8
#else
#define LANE_FILTERS 4
#endif

/* Unaligned vectors in memory: arithmetic on them is lane by lane. */
typedef float vector
    __attribute__((vector_size(UB__VECTOR_BYTES), aligned(4), may_alias));
typedef float half_vector
    __attribute__((vector_size(UB__VECTOR_BYTES / 2), aligned(4), may_alias));
typedef double wide_vector __attribute__((vector_size(UB__VECTOR_BYTES)));
typedef int32_t mask_vector __attribute__((vector_size(UB__VECTOR_BYTES)));

typedef float quad __attribute__((vector_size(16), aligned(4), may_alias));

#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 48")
#endif

/* Not there: loops do without. */
#ifdef __has_builtin
#if __has_builtin(__builtin_shufflevector)
#define SHUFFLE __builtin_shufflevector
#endif
#endif

static inline quad load_quad(const float *x)
{
    return *(const quad *) x;
}

static inline vector load(const float *x)
{
    return *(const vector *) x;
}

static inline void store(float *y, vector v)
{
    *(vector *) y = v;
}

static inline wide_vector load_wide(const float *x)
{
    return __builtin_convertvector(*(const half_vector *) x, wide_vector);
}

static inline vector splat(float value)
{
    return value - (vector){ 0 };
}

/* x where the mask is set, else 0 */
INLINE vector where(mask_vector mask, vector x)
{
    return (vector) (mask & (mask_vector) x);
}

INLINE vector choose(mask_vector mask, vector yes, vector no)
{
    return (vector) ((mask & (mask_vector) yes) | (~mask & (mask_vector) no));
}

static inline double sum_wide(wide_vector v)
{
    double sum = 0.0;

    for (int i = 0; i < HALF; i++)
        sum += v[i];
    return sum;
}

#endif
