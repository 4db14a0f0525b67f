/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/kernels.h"
#include "ops/ops.h"

struct channel_shuffle {
    int64_t batch, channels, area, groups;
};

static ub_status backward(ub__node *node, void *state)
{
    const struct channel_shuffle *s = state;
    float *gx;
    int accumulate;
    ub_status status = ub__grad_target(node, 0, &gx, &accumulate);

    if (status == UB_OK && gx != NULL)
        ub__channel_shuffle(ub__node_context(node), s->batch, s->channels,
                            s->area, s->channels / s->groups,
                            ub__node_grad(node), gx, accumulate);
    return status;
}

static ub_status check_groups(ub_tape *tape, const ub_tensor *x, int64_t groups)
{
    if (groups < 1)
        return ub__fail(ub_tape_context(tape), UB_ERR_INVALID,
                        "channel shuffle: %lld groups", (long long) groups);
    if (ub_tensor_rank(x) < 2 || ub_tensor_shape(x)[1] % groups != 0)
        return ub__fail(ub_tape_context(tape), UB_ERR_SHAPE,
                        "channel shuffle: %lld groups do not divide the "
                        "channels of x",
                        (long long) groups);
    return UB_OK;
}

ub_status ub_op_channel_shuffle(ub_tape *tape, ub_variable *x, int64_t groups,
                                ub_variable **out)
{
    struct channel_shuffle *s;
    ub_tensor *xv, *y;
    ub__node *node;
    ub_status status = ub__operand(tape, "channel shuffle", "x", x, &xv);

    if (status == UB_OK)
        status = check_groups(tape, xv, groups);
    if (status == UB_OK)
        status = ub__node_create(tape, 1, &x, sizeof *s, backward, NULL, &node);
    if (status != UB_OK)
        return status;
    status = ub__create_like(xv, &y);
    if (status != UB_OK)
        return ub__node_abandon(node, status);
    s = ub__node_state(node);
    s->batch = ub_tensor_shape(xv)[0];
    s->channels = ub_tensor_shape(xv)[1];
    s->area = ub_tensor_count(xv) / s->batch / s->channels;
    s->groups = groups;
    ub__channel_shuffle(ub_tape_context(tape), s->batch, s->channels, s->area,
                        groups, ub_tensor_data(xv), ub_tensor_data(y), 0);
    return ub__node_finish(node, y, out);
}
