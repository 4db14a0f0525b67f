/* SPDX-License-Identifier: BSD-2-Clause */
#include "peak.h"

#include "base/base.h"

#include <stdlib.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wundef"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wsign-compare"
#ifdef UB__BLIS_FOLDER
#include <blis/blis.h>
#else
#include <blis.h>
#endif
#pragma GCC diagnostic pop

enum { SIDE = 1024, TRIAD = 1 << 24 };

typedef struct operands {
    ub_context *context;
    int64_t parts;
    float *a, *b, *c;
} operands;

static float *numbers(int64_t n)
{
    float *x = bench_alloc((size_t) n, sizeof(*x));

    for (int64_t i = 0; i < n; i++)
        x[i] = (float) (i * 7919 % 1009) / 1009.0f - 0.5f;
    return x;
}

static void gemm_part(void *arg, int64_t task, int worker)
{
    const operands *o = arg;
    const int64_t begin = SIDE * task / o->parts;
    const int64_t end = SIDE * (task + 1) / o->parts;
    float one = 1.0f, zero = 0.0f;
    rntm_t runtime;

    (void) worker;
    bli_rntm_init(&runtime);
    bli_rntm_set_num_threads(1, &runtime);
    bli_sgemm_ex(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, (dim_t) (end - begin),
                 SIDE, SIDE, &one, o->a + begin * SIDE, SIDE, 1, o->b, SIDE, 1,
                 &zero, o->c + begin * SIDE, SIDE, 1, NULL, &runtime);
}

static void gemm(void *user)
{
    operands *o = user;

    ub__parallel(o->context, o->parts, gemm_part, o);
}

static void triad_part(void *arg, int64_t task, int worker)
{
    const operands *o = arg;
    const int64_t end = TRIAD * (task + 1) / o->parts;

    (void) worker;
    for (int64_t i = TRIAD * task / o->parts; i < end; i++)
        o->a[i] = o->b[i] + 3.0f * o->c[i];
}

static void triad(void *user)
{
    operands *o = user;

    ub__parallel(o->context, o->parts, triad_part, o);
}

/* Median seconds of a call with three arrays. */
static double time_arrays(bench *b, int64_t n, void (*call)(void *))
{
    operands o = { b->context, b->threads, numbers(n), numbers(n), numbers(n) };
    bench sampler = *b;
    bench_times t;

    sampler.runs = 11;
    sampler.seconds = 0.2;
    bench_measure(&sampler, call, &o, &t);
    free(o.a);
    free(o.b);
    free(o.c);
    return t.median;
}

double peak_gemm(bench *b)
{
    return 2.0 * SIDE * SIDE * SIDE /
           time_arrays(b, (int64_t) SIDE * SIDE, gemm);
}

double peak_triad(bench *b)
{
    return 3.0 * sizeof(float) * TRIAD / time_arrays(b, TRIAD, triad);
}
