/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/kernels.h"
#include "ops/ops.h"

#include <string.h>

struct linear {
    int64_t n, in, out;
    ub_tensor *x, *w; /* NULL when nothing needs them */
};

static void release(ub_context *context, void *state)
{
    struct linear *linear = state;

    (void) context;
    ub_tensor_unref(&linear->x);
    ub_tensor_unref(&linear->w);
}

static ub_status give_bias(ub__node *node, const struct linear *linear)
{
    const float *gy = ub__node_grad(node);
    float *gbias;
    int accumulate;
    ub_status status = ub__grad_target(node, 2, &gbias, &accumulate);

    if (status != UB_OK || gbias == NULL)
        return status;
    for (int64_t j = 0; j < linear->out; j++) {
        double sum = accumulate ? (double) gbias[j] : 0.0;

        for (int64_t i = 0; i < linear->n; i++)
            sum += (double) gy[i * linear->out + j];
        gbias[j] = (float) sum;
    }
    return UB_OK;
}

static ub_status backward(ub__node *node, void *state)
{
    const struct linear *linear = state;
    ub_context *context = ub__node_context(node);
    const float *gy = ub__node_grad(node);
    float *gx, *gw;
    int accumulate;
    ub_status status = ub__grad_target(node, 0, &gx, &accumulate);

    if (status != UB_OK)
        return status;
    if (gx != NULL)
        ub__gemm(context, 0, 0, linear->n, linear->in, linear->out, gy,
                 ub_tensor_data(linear->w), gx, accumulate);
    status = ub__grad_target(node, 1, &gw, &accumulate);
    if (status != UB_OK)
        return status;
    if (gw != NULL)
        ub__gemm(context, 1, 0, linear->out, linear->in, linear->n, gy,
                 ub_tensor_data(linear->x), gw, accumulate);
    return give_bias(node, linear);
}

static ub_status compute(const struct linear *linear, const ub_tensor *x,
                         const ub_tensor *w, const ub_tensor *bias,
                         ub_tensor **out)
{
    const int64_t shape[] = { linear->n, linear->out };
    ub_context *context = ub_tensor_context(x);
    ub_tensor *y;
    ub_status status = ub__tensor_create_raw(context, 2, shape, &y);

    if (status != UB_OK)
        return status;
    for (int64_t i = 0; i < linear->n && bias != NULL; i++)
        memcpy(ub_tensor_data(y) + i * linear->out, ub_tensor_data(bias),
               (size_t) linear->out * sizeof(float));
    ub__gemm(context, 0, 1, linear->n, linear->out, linear->in,
             ub_tensor_data(x), ub_tensor_data(w), ub_tensor_data(y),
             bias != NULL);
    *out = y;
    return UB_OK;
}

ub_status ub_op_linear(ub_tape *tape, ub_variable *x, ub_variable *w,
                       ub_variable *bias, ub_variable **out)
{
    ub_variable *inputs[] = { x, w, bias };
    ub_tensor *xv, *wv, *bv = NULL, *y;
    struct linear *linear;
    ub__node *node;
    ub_status status = ub__operand_rank(tape, "linear", "x", x, 2, &xv);

    if (status == UB_OK)
        status = ub__operand_rank(tape, "linear", "w", w, 2, &wv);
    if (status == UB_OK && bias != NULL)
        status = ub__operand_vector(tape, "linear", "bias", bias,
                                    ub_tensor_shape(wv)[0], &bv);
    if (status != UB_OK)
        return status;
    if (ub_tensor_shape(xv)[1] != ub_tensor_shape(wv)[1])
        return ub__fail(ub_tape_context(tape), UB_ERR_SHAPE,
                        "linear: input has %lld features, weight expects %lld",
                        (long long) ub_tensor_shape(xv)[1],
                        (long long) ub_tensor_shape(wv)[1]);
    status = ub__node_create(tape, 3, inputs, sizeof *linear, backward, release,
                             &node);
    if (status != UB_OK)
        return status;
    linear = ub__node_state(node);
    linear->n = ub_tensor_shape(xv)[0];
    linear->in = ub_tensor_shape(xv)[1];
    linear->out = ub_tensor_shape(wv)[0];
    status = compute(linear, xv, wv, bv, &y);
    if (status != UB_OK)
        return ub__node_abandon(node, status);
    if (ub__node_wants(node, 0))
        linear->w = ub_tensor_ref(wv);
    if (ub__node_wants(node, 1))
        linear->x = ub_tensor_ref(xv);
    return ub__node_finish(node, y, out);
}
