/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/kernels.h"
#include "ops/ops.h"

/* Keeps y: it has the mask, and the next operator mostly keeps it too. */
static ub_status backward(ub__node *node, void *state)
{
    const struct ub__saved *saved = state;
    float *gx;
    int accumulate;
    ub_status status = ub__grad_target(node, 0, &gx, &accumulate);

    if (status == UB_OK && gx != NULL)
        ub__relu_backward(
            ub__node_context(node), ub_tensor_count(saved->tensor),
            ub_tensor_data(saved->tensor), ub__node_grad(node), gx, accumulate);
    return status;
}

ub_status ub_op_relu(ub_tape *tape, ub_variable *x, ub_variable **out)
{
    struct ub__saved *saved;
    ub_tensor *xv, *y;
    ub__node *node;
    ub_status status = ub__operand(tape, "relu", "x", x, &xv);

    if (status == UB_OK)
        status = ub__node_create(tape, 1, &x, sizeof *saved, backward,
                                 ub__saved_release, &node);
    if (status != UB_OK)
        return status;
    status = ub__create_like(xv, &y);
    if (status != UB_OK)
        return ub__node_abandon(node, status);
    ub__relu_forward(ub_tape_context(tape), ub_tensor_count(xv),
                     ub_tensor_data(xv), ub_tensor_data(y));
    saved = ub__node_state(node);
    if (ub__node_recorded(node))
        saved->tensor = ub_tensor_ref(y);
    return ub__node_finish(node, y, out);
}
