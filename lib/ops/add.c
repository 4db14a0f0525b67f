/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/kernels.h"
#include "ops/ops.h"

struct sum {
    int n;
};

static ub_status backward(ub__node *node, void *state)
{
    const struct sum *sum = state;
    ub_status status = UB_OK;

    for (int i = 0; i < sum->n && status == UB_OK; i++)
        status = ub__grad_pass(node, i);
    return status;
}

/* Data of all operands, which must be of the shape of the first. */
static ub_status gather(ub_tape *tape, int n, ub_variable *const *x,
                        const float **data, ub_tensor **out_first)
{
    ub_tensor *first = NULL, *value;

    for (int i = 0; i < n; i++) {
        ub_status status = ub__operand(tape, "sum", "an operand", x[i], &value);

        if (status != UB_OK)
            return status;
        if (i == 0)
            first = value;
        if (!ub__tensor_same_shape(first, value))
            return ub__operand_unlike(tape, "sum", "operand", i, value, first);
        data[i] = ub_tensor_data(value);
    }
    *out_first = first;
    return UB_OK;
}

static ub_status run(ub_tape *tape, int n, ub_variable *const *x,
                     const float **data, ub_variable **out)
{
    ub_tensor *first = NULL, *y;
    struct sum *sum;
    ub__node *node;
    ub_status status = gather(tape, n, x, data, &first);

    if (status == UB_OK)
        status = ub__node_create(tape, n, x, sizeof *sum, backward, NULL,
                                 &node);
    if (status != UB_OK)
        return status;
    sum = ub__node_state(node);
    sum->n = n;
    status = ub__create_like(first, &y);
    if (status != UB_OK)
        return ub__node_abandon(node, status);
    ub__combine(ub_tape_context(tape), 1, 1, ub_tensor_count(first), n, data,
                NULL, ub_tensor_data(y));
    return ub__node_finish(node, y, out);
}

ub_status ub_op_add(ub_tape *tape, ub_variable *a, ub_variable *b,
                    ub_variable **out)
{
    ub_variable *x[] = { a, b };
    const float *data[2];

    return run(tape, 2, x, data, out);
}

ub_status ub_op_sum(ub_tape *tape, int n, ub_variable *const *x,
                    ub_variable **out)
{
    const float **data;
    ub_status status = ub__operand_count(tape, "sum", n, x);

    if (status != UB_OK)
        return status;
    data = ub__alloc(ub_tape_context(tape), (size_t) n, sizeof *data);
    if (data == NULL)
        return UB_ERR_NOMEM;
    status = run(tape, n, x, data, out);
    ub__free(ub_tape_context(tape), data);
    return status;
}
