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

/* y (+)= sum of a[j] * x[j], one pass over four terms. */
static void combine_four(int64_t n, int terms, const float *const *x,
                         const float *a, float *y, int accumulate)
{
    const float *restrict x0 = x[0], *restrict x1 = x[1];
    const float *restrict x2 = x[2], *restrict x3 = x[3];
    float a0 = a[0], a1 = a[1], a2 = a[2], a3 = a[3];

    if (terms < 4) {
        UB__LOOP(scale)(n, a0, x0, y, accumulate);
        for (int j = 1; j < terms; j++)
            UB__LOOP(scale)(n, a[j], x[j], y, 1);
        return;
    }
    if (accumulate) {
        for (int64_t i = 0; i < n; i++)
            y[i] += a0 * x0[i] + a1 * x1[i] + a2 * x2[i] + a3 * x3[i];
    } else {
        for (int64_t i = 0; i < n; i++)
            y[i] = a0 * x0[i] + a1 * x1[i] + a2 * x2[i] + a3 * x3[i];
    }
}

void UB__LOOP(combine)(int64_t begin, int64_t end, int terms,
                       const float *const *x, const float *a, float *y)
{
    /* y stays in the first cache while the terms stream by. */
    const int64_t block = 2048;

    for (int64_t i = begin; i < end; i += block) {
        int64_t n = end - i < block ? end - i : block;
        const float *some[4] = { NULL, NULL, NULL, NULL };
        float factor[4] = { 0 };
        int have = 0, accumulate = 0;

        for (int j = 0; j < terms; j++) {
            if (x[j] == NULL)
                continue;
            some[have] = x[j] + i;
            factor[have++] = a ? a[j] : 1.0f;
            if (have == 4) {
                combine_four(n, have, some, factor, y + i, accumulate);
                have = 0;
                accumulate = 1;
            }
        }
        if (have > 0)
            combine_four(n, have, some, factor, y + i, accumulate);
        else if (!accumulate)
            memset(y + i, 0, (size_t) n * sizeof *y);
    }
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
