/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/conv.h"

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

/* b_column: elements from one column of b to the next */
static void multiply_blis(const ub__product *p, int64_t b_column)
{
    float one = 1.0f, beta = p->add ? 1.0f : 0.0f;
    rntm_t runtime;

    /* The pool brings the threads; BLIS must not add its own. */
    bli_rntm_init(&runtime);
    bli_rntm_set_num_threads(1, &runtime);
    /* BLIS does not write to a and b, but does not say so. */
    bli_sgemm_ex(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, (dim_t) p->m,
                 (dim_t) p->n, (dim_t) p->k, &one, (float *) (uintptr_t) p->a,
                 (inc_t) p->a_row, (inc_t) p->a_column,
                 (float *) (uintptr_t) p->b, (inc_t) p->b_row, (inc_t) b_column,
                 &beta, p->c, (inc_t) p->c_row, 1, NULL, &runtime);
}

void ub__multiply(const ub__loops *loops, const ub__product *product)
{
    int64_t done = loops->multiply(product);
    ub__product rest = *product;

    if (done == rest.n)
        return;
    rest.n -= done;
    rest.b += done;
    rest.c += done;
    multiply_blis(&rest, 1);
}

/* Products up to this size need no packing. */
#define SMALL_K 1024
#define SMALL_N 512

struct gemm {
    const ub__loops *loops;
    ub__product product;
    int64_t b_column, parts;
};

static void gemm_task(void *arg, int64_t task, int worker)
{
    const struct gemm *gemm = arg;
    ub__product p = gemm->product;
    int64_t begin, end;

    (void) worker;
    if (p.m > p.n) {
        ub__split(p.m, 12, gemm->parts, task, &begin, &end);
        p.a += begin * p.a_row;
        p.c += begin * p.c_row;
        p.m = end - begin;
    } else {
        ub__split(p.n, 16, gemm->parts, task, &begin, &end);
        p.b += begin * gemm->b_column;
        p.c += begin;
        p.n = end - begin;
    }
    if (begin == end)
        return;
    if (gemm->b_column == 1 && p.k <= SMALL_K && p.n <= SMALL_N)
        ub__multiply(gemm->loops, &p);
    else
        multiply_blis(&p, gemm->b_column);
}

void ub__gemm(ub_context *context, int transpose_a, int transpose_b, int64_t m,
              int64_t n, int64_t k, const float *a, const float *b, float *c,
              int accumulate)
{
    struct gemm gemm = { .loops = ub__loops_for(context) };
    ub__product *p = &gemm.product;
    double work = (double) m * (double) n * (double) k / 8.0;

    p->m = m;
    p->n = n;
    p->k = k;
    p->a = a;
    p->a_row = transpose_a ? 1 : k;
    p->a_column = transpose_a ? m : 1;
    p->b = b;
    p->b_row = transpose_b ? 1 : n;
    gemm.b_column = transpose_b ? k : 1;
    p->c = c;
    p->c_row = n;
    p->add = accumulate;
    gemm.parts = ub__tasks_for(context, work, (m > n ? m : n) / 48 + 1);
    ub__parallel(context, gemm.parts, gemm_task, &gemm);
}
