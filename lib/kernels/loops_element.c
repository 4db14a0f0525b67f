/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/variant.h"

#include <math.h>

void UB__LOOP(relu_forward)(int64_t n, const float *x, float *y)
{
    /* Written so that NaN stays NaN. */
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] <= 0.0f ? 0.0f : x[i];
}

void UB__LOOP(relu_backward)(int64_t n, const float *y, const float *gy,
                             float *gx, int accumulate)
{
    if (accumulate) {
        for (int64_t i = 0; i < n; i++)
            gx[i] += y[i] > 0.0f ? gy[i] : 0.0f;
    } else {
        for (int64_t i = 0; i < n; i++)
            gx[i] = y[i] > 0.0f ? gy[i] : 0.0f;
    }
}

void UB__LOOP(scale)(int64_t n, float a, const float *x, float *y,
                     int accumulate)
{
    if (accumulate) {
        for (int64_t i = 0; i < n; i++)
            y[i] += a * x[i];
    } else {
        for (int64_t i = 0; i < n; i++)
            y[i] = a * x[i];
    }
}

/* NaN stays NaN. */
static inline vector positive_part(vector x)
{
    return where(~(mask_vector) (x <= 0.0f), x);
}

/* Adds `vectors` vectors of a term. */
INLINE void add_term(int vectors, const float *x, const ub__term *of,
                     vector *sum)
{
    vector factor = splat(of->factor);

    if (of->kind == UB__TERM_PLAIN) {
        UNROLL for (int v = 0; v < vectors; v++)
            sum[v] += factor * load(x + v * WIDTH);
        return;
    }
    vector scale = splat(of->scale), shift = splat(of->shift);

    if (of->kind == UB__TERM_AFFINE) {
        UNROLL for (int v = 0; v < vectors; v++)
            sum[v] += factor * (load(x + v * WIDTH) * scale + shift);
    } else {
        UNROLL for (int v = 0; v < vectors; v++)
            sum[v] += factor *
                      positive_part(load(x + v * WIDTH) * scale + shift);
    }
}

#define COMBINED 4 /* vectors at once */

INLINE void combine_vectors(int vectors, int64_t at, int terms,
                            const float *const *x, const ub__term *of, float *y)
{
    const ub__term one = { .factor = 1.0f, .kind = UB__TERM_PLAIN };
    vector sum[COMBINED] = { { 0 } };

    for (int t = 0; t < terms; t++) {
        if (x[t] != NULL)
            add_term(vectors, x[t] + at, of != NULL ? &of[t] : &one, sum);
    }
    UNROLL for (int v = 0; v < vectors; v++) store(y + at + v * WIDTH, sum[v]);
}

/* Fewer elements than a vector has. */
static void combine_rest(int64_t at, int64_t n, int terms,
                         const float *const *x, const ub__term *of, float *y)
{
    const ub__term one = { .factor = 1.0f, .kind = UB__TERM_PLAIN };
    vector sum = { 0 };

    for (int t = 0; t < terms; t++) {
        float some[WIDTH] = { 0.0f };

        if (x[t] == NULL)
            continue;
        memcpy(some, x[t] + at, (size_t) n * sizeof *some);
        add_term(1, some, of != NULL ? &of[t] : &one, &sum);
    }
    memcpy(y + at, &sum, (size_t) n * sizeof *y);
}

void UB__LOOP(combine)(int64_t begin, int64_t end, int terms,
                       const float *const *x, const ub__term *of, float *y)
{
    int64_t i = begin;

    for (; i + COMBINED * WIDTH <= end; i += COMBINED * WIDTH)
        combine_vectors(COMBINED, i, terms, x, of, y);
    for (; i + WIDTH <= end; i += WIDTH)
        combine_vectors(1, i, terms, x, of, y);
    if (i < end)
        combine_rest(i, end - i, terms, x, of, y);
}

void UB__LOOP(sgd)(int64_t n, float *restrict p, const float *restrict g,
                   float *restrict velocity, const ub__step *step)
{
    const float g_scale = step->g_scale, rate = step->rate;
    const float decay = step->decay, momentum = step->momentum;

    if (momentum == 0.0f && !step->nesterov) {
        for (int64_t i = 0; i < n; i++)
            p[i] -= rate * (g[i] * g_scale + decay * p[i]);
        if (velocity != NULL && step->first)
            memset(velocity, 0, (size_t) n * sizeof *velocity);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        float d = g[i] * g_scale + decay * p[i];
        float v = step->first ? d : momentum * velocity[i] + d;

        velocity[i] = v;
        p[i] -= rate * (step->nesterov ? d + momentum * v : v);
    }
}

void UB__LOOP(adam)(int64_t n, float *restrict p, const float *restrict g,
                    float *restrict m, float *restrict v, const ub__step *step)
{
    const float g_scale = step->g_scale, rate = step->rate;
    const float decay = step->decay, eps = step->eps;
    const float beta1 = step->beta1, beta2 = step->beta2;
    const float rest1 = 1.0f - beta1, rest2 = 1.0f - beta2;
    const float correction1 = step->correction1;
    const float correction2 = step->correction2;

    for (int64_t i = 0; i < n; i++) {
        float d = g[i] * g_scale + decay * p[i];

        m[i] = beta1 * m[i] + rest1 * d;
        v[i] = beta2 * v[i] + rest2 * (d * d);
        p[i] -= rate * (m[i] * correction1) / (sqrtf(v[i]) * correction2 + eps);
    }
}
