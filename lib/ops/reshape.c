/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops/ops.h"

static ub_status backward(ub__node *node, void *state)
{
    (void) state;
    return ub__grad_pass(node, 0);
}

ub_status ub_op_reshape(ub_tape *tape, ub_variable *x, int rank,
                        const int64_t *shape, ub_variable **out)
{
    ub_tensor *xv, *y;
    ub__node *node;
    ub_status status = ub__operand(tape, "reshape", "x", x, &xv);

    if (status == UB_OK)
        status = ub__node_create(tape, 1, &x, 0, backward, NULL, &node);
    if (status != UB_OK)
        return status;
    status = ub_tensor_view(xv, rank, shape, &y);
    if (status != UB_OK)
        return ub__node_abandon(node, status);
    return ub__node_finish(node, y, out);
}
