/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/kernels.h"
#include "ops/ops.h"

struct global_pool {
    int64_t planes, area;
};

static ub_status backward(ub__node *node, void *state)
{
    const struct global_pool *pool = state;
    float *gx;
    int accumulate;
    ub_status status = ub__grad_target(node, 0, &gx, &accumulate);

    if (status == UB_OK && gx != NULL)
        ub__global_pool_backward(ub__node_context(node), pool->planes,
                                 pool->area, ub__node_grad(node), gx,
                                 accumulate);
    return status;
}

ub_status ub_op_global_avg_pool(ub_tape *tape, ub_variable *x,
                                ub_variable **out)
{
    struct global_pool *pool;
    ub_tensor *xv, *y;
    ub__node *node;
    ub_status status = ub__operand_rank(tape, "global pool", "x", x, 4, &xv);

    if (status == UB_OK)
        status = ub__node_create(tape, 1, &x, sizeof *pool, backward, NULL,
                                 &node);
    if (status != UB_OK)
        return status;
    pool = ub__node_state(node);
    pool->planes = ub_tensor_shape(xv)[0] * ub_tensor_shape(xv)[1];
    pool->area = ub_tensor_shape(xv)[2] * ub_tensor_shape(xv)[3];
    status = ub__tensor_create_raw(ub_tape_context(tape), 2,
                                   ub_tensor_shape(xv), &y);
    if (status != UB_OK)
        return ub__node_abandon(node, status);
    ub__global_pool_forward(ub_tape_context(tape), pool->planes, pool->area,
                            ub_tensor_data(xv), ub_tensor_data(y));
    return ub__node_finish(node, y, out);
}
