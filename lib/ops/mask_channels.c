/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/kernels.h"
#include "ops/ops.h"

struct mask_channels {
    int64_t batch, channels, area;
    ub_tensor *x, *mask; /* NULL when the other needs no gradient */
};

static void release(ub_context *context, void *state)
{
    struct mask_channels *saved = state;

    (void) context;
    ub_tensor_unref(&saved->x);
    ub_tensor_unref(&saved->mask);
}

static ub_status backward(ub__node *node, void *state)
{
    const struct mask_channels *saved = state;
    ub_context *context = ub__node_context(node);
    const float *gy = ub__node_grad(node);
    float *gx, *gmask;
    int accumulate;
    ub_status status = ub__grad_target(node, 0, &gx, &accumulate);

    if (status != UB_OK)
        return status;
    if (gx != NULL)
        ub__mask_channels(context, saved->batch, saved->channels, saved->area,
                          gy, ub_tensor_data(saved->mask), gx, accumulate);
    status = ub__grad_target(node, 1, &gmask, &accumulate);
    if (status == UB_OK && gmask != NULL)
        ub__mask_backward(context, saved->batch, saved->channels, saved->area,
                          ub_tensor_data(saved->x), gy, gmask, accumulate);
    return status;
}

static ub_status check_operands(ub_tape *tape, ub_variable *x,
                                ub_variable *mask, ub_tensor **out_x,
                                ub_tensor **out_mask)
{
    ub_status status = ub__operand(tape, "mask channels", "x", x, out_x);

    if (status != UB_OK)
        return status;
    if (ub_tensor_rank(*out_x) < 2)
        return ub__fail(ub_tape_context(tape), UB_ERR_SHAPE,
                        "mask channels: x has %d dimensions, expected 2 or "
                        "more",
                        ub_tensor_rank(*out_x));
    return ub__operand_vector(tape, "mask channels", "mask", mask,
                              ub_tensor_shape(*out_x)[1], out_mask);
}

ub_status ub_op_mask_channels(ub_tape *tape, ub_variable *x, ub_variable *mask,
                              ub_variable **out)
{
    ub_variable *inputs[] = { x, mask };
    struct mask_channels *saved;
    ub_tensor *xv, *mv, *y;
    ub__node *node;
    ub_status status = check_operands(tape, x, mask, &xv, &mv);

    if (status == UB_OK)
        status = ub__node_create(tape, 2, inputs, sizeof *saved, backward,
                                 release, &node);
    if (status != UB_OK)
        return status;
    status = ub__create_like(xv, &y);
    if (status != UB_OK)
        return ub__node_abandon(node, status);
    saved = ub__node_state(node);
    saved->batch = ub_tensor_shape(xv)[0];
    saved->channels = ub_tensor_shape(xv)[1];
    saved->area = ub_tensor_count(xv) / saved->batch / saved->channels;
    ub__mask_channels(ub_tape_context(tape), saved->batch, saved->channels,
                      saved->area, ub_tensor_data(xv), ub_tensor_data(mv),
                      ub_tensor_data(y), 0);
    if (ub__node_wants(node, 0))
        saved->mask = ub_tensor_ref(mv);
    if (ub__node_wants(node, 1))
        saved->x = ub_tensor_ref(xv);
    return ub__node_finish(node, y, out);
}
