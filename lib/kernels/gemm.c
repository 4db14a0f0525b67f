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

void ub__multiply(int64_t m, int64_t n, int64_t k, ub__matrix a, ub__matrix b,
                  float beta, float *c, int64_t c_row)
{
    float one = 1.0f;
    rntm_t runtime;

    /* The pool brings the threads; BLIS must not add its own. */
    bli_rntm_init(&runtime);
    bli_rntm_set_num_threads(1, &runtime);
    bli_sgemm_ex(BLIS_NO_TRANSPOSE, BLIS_NO_TRANSPOSE, (dim_t) m, (dim_t) n,
                 (dim_t) k, &one, (float *) (uintptr_t) a.data, (inc_t) a.row,
                 (inc_t) a.column, (float *) (uintptr_t) b.data, (inc_t) b.row,
                 (inc_t) b.column, &beta, c, (inc_t) c_row, 1, NULL, &runtime);
}

struct gemm {
    int64_t m, n, k, parts;
    ub__matrix a, b;
    float *c;
    int accumulate;
};

static void gemm_task(void *arg, int64_t task, int worker)
{
    const struct gemm *gemm = arg;
    float beta = gemm->accumulate ? 1.0f : 0.0f;
    ub__matrix a = gemm->a, b = gemm->b;
    int64_t begin, end;

    (void) worker;
    if (gemm->m > gemm->n) {
        ub__split(gemm->m, 12, gemm->parts, task, &begin, &end);
        a.data += begin * a.row;
        if (begin < end)
            ub__multiply(end - begin, gemm->n, gemm->k, a, b, beta,
                         gemm->c + begin * gemm->n, gemm->n);
    } else {
        ub__split(gemm->n, 16, gemm->parts, task, &begin, &end);
        b.data += begin * b.column;
        if (begin < end)
            ub__multiply(gemm->m, end - begin, gemm->k, a, b, beta,
                         gemm->c + begin, gemm->n);
    }
}

void ub__gemm(ub_context *context, int transpose_a, int transpose_b, int64_t m,
              int64_t n, int64_t k, const float *a, const float *b, float *c,
              int accumulate)
{
    struct gemm gemm = { .m = m, .n = n, .k = k, .c = c };
    double work = (double) m * (double) n * (double) k / 8.0;

    gemm.a = transpose_a ? (ub__matrix){ a, 1, m } : (ub__matrix){ a, k, 1 };
    gemm.b = transpose_b ? (ub__matrix){ b, 1, k } : (ub__matrix){ b, n, 1 };
    gemm.accumulate = accumulate;
    gemm.parts = ub__tasks_for(context, work, (m > n ? m : n) / 48 + 1);
    ub__parallel(context, gemm.parts, gemm_task, &gemm);
}
