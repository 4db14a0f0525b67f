/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops/ops.h"

#include <string.h>

/* Seen as [batch, width] each, where width is all but dimension 0. */
struct concat {
    int n;
    int64_t batch;
    int64_t width; /* of the result */
};

/* One operand's columns of the result, or the way back; runs on the pool. */
struct columns {
    const float *from;
    float *to;
    int64_t from_width, to_width, width;
    int accumulate;
};

static void copy_row(void *arg, int64_t row, int worker)
{
    const struct columns *columns = arg;
    const float *from = columns->from + row * columns->from_width;
    float *to = columns->to + row * columns->to_width;

    (void) worker;
    if (!columns->accumulate)
        memcpy(to, from, (size_t) columns->width * sizeof *to);
    else
        for (int64_t i = 0; i < columns->width; i++)
            to[i] += from[i];
}

static ub_status backward(ub__node *node, void *state)
{
    const struct concat *concat = state;
    const float *gy = ub__node_grad(node);

    for (int i = 0; i < concat->n; i++) {
        const ub_tensor *x = ub_variable_value(ub__node_input(node, i));
        struct columns columns = { .from = gy, .from_width = concat->width };
        ub_status status;

        columns.width = columns.to_width = ub_tensor_count(x) / concat->batch;
        gy += columns.width;
        status = ub__grad_target(node, i, &columns.to, &columns.accumulate);
        if (status != UB_OK)
            return status;
        if (columns.to != NULL)
            ub__parallel(ub__node_context(node), concat->batch, copy_row,
                         &columns);
    }
    return UB_OK;
}

static int fits(const ub_tensor *a, const ub_tensor *b)
{
    if (ub_tensor_rank(a) != ub_tensor_rank(b))
        return 0;
    for (int i = 0; i < ub_tensor_rank(a); i++) {
        if (i != 1 && ub_tensor_shape(a)[i] != ub_tensor_shape(b)[i])
            return 0;
    }
    return 1;
}

/* Shape of the result, rank of the first operand. */
static ub_status join_shapes(ub_tape *tape, int n, ub_variable *const *x,
                             int *out_rank, int64_t *out_shape)
{
    ub_tensor *first = NULL, *value;

    for (int i = 0; i < n; i++) {
        ub_status status = ub__operand(tape, "concat", "an operand", x[i],
                                       &value);

        if (status != UB_OK)
            return status;
        if (i == 0)
            first = value;
        if (ub_tensor_rank(value) < 2 || !fits(first, value))
            return ub__operand_unlike(tape, "concat", "operand", i, value,
                                      first);
        if (i == 0) {
            *out_rank = ub_tensor_rank(first);
            memcpy(out_shape, ub_tensor_shape(first),
                   (size_t) *out_rank * sizeof *out_shape);
        } else {
            out_shape[1] += ub_tensor_shape(value)[1];
        }
    }
    return UB_OK;
}

static void join(ub_context *context, const struct concat *concat,
                 ub_variable *const *x, float *y)
{
    for (int i = 0; i < concat->n; i++) {
        const ub_tensor *from = ub_variable_value(x[i]);
        struct columns columns = { .from = ub_tensor_data(from),
                                   .to = y,
                                   .to_width = concat->width };

        columns.width = columns.from_width = ub_tensor_count(from) /
                                             concat->batch;
        y += columns.width;
        ub__parallel(context, concat->batch, copy_row, &columns);
    }
}

ub_status ub_op_concat(ub_tape *tape, int n, ub_variable *const *x,
                       ub_variable **out)
{
    int64_t shape[UB_TENSOR_MAX_RANK];
    struct concat *concat;
    ub__node *node;
    ub_tensor *y;
    int rank = 0;
    ub_status status = ub__operand_count(tape, "concat", n, x);

    if (status == UB_OK)
        status = join_shapes(tape, n, x, &rank, shape);
    if (status == UB_OK)
        status = ub__node_create(tape, n, x, sizeof *concat, backward, NULL,
                                 &node);
    if (status != UB_OK)
        return status;
    status = ub__tensor_create_raw(ub_tape_context(tape), rank, shape, &y);
    if (status != UB_OK)
        return ub__node_abandon(node, status);
    concat = ub__node_state(node);
    concat->n = n;
    concat->batch = shape[0];
    concat->width = ub_tensor_count(y) / shape[0];
    join(ub_tape_context(tape), concat, x, ub_tensor_data(y));
    return ub__node_finish(node, y, out);
}
