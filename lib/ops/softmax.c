/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops/ops.h"

#include <math.h>

/* Both keep their result. */
struct softmax {
    struct ub__saved saved;
    int64_t rows, width;
    int logarithm;
};

static void forward_row(const struct softmax *softmax, const float *x, float *y)
{
    double log_sum = ub__log_sum_exp(x, softmax->width);

    for (int64_t i = 0; i < softmax->width; i++) {
        double logarithm = (double) x[i] - log_sum;

        y[i] = (float) (softmax->logarithm ? logarithm : exp(logarithm));
    }
}

/* gx = y (gy - <gy, y>), or for the logarithm gy - exp(y) sum(gy). */
static void backward_row(const struct softmax *softmax, const float *y,
                         const float *gy, float *gx, int accumulate)
{
    double sum = 0.0;

    for (int64_t i = 0; i < softmax->width; i++)
        sum += (double) gy[i] * (softmax->logarithm ? 1.0 : (double) y[i]);
    for (int64_t i = 0; i < softmax->width; i++) {
        double g = (double) gy[i];
        double old = accumulate ? (double) gx[i] : 0.0;

        if (softmax->logarithm)
            g -= exp((double) y[i]) * sum;
        else
            g = (double) y[i] * (g - sum);
        gx[i] = (float) (old + g);
    }
}

static ub_status backward(ub__node *node, void *state)
{
    const struct softmax *softmax = state;
    const float *gy = ub__node_grad(node);
    float *gx;
    int accumulate;
    ub_status status = ub__grad_target(node, 0, &gx, &accumulate);

    if (status != UB_OK || gx == NULL)
        return status;
    for (int64_t row = 0; row < softmax->rows; row++) {
        int64_t at = row * softmax->width;

        backward_row(softmax, ub_tensor_data(softmax->saved.tensor) + at,
                     gy + at, gx + at, accumulate);
    }
    return UB_OK;
}

static ub_status run(ub_tape *tape, const char *op, ub_variable *x,
                     int logarithm, ub_variable **out)
{
    struct softmax *softmax;
    ub_tensor *xv, *y;
    ub__node *node;
    ub_status status = ub__operand(tape, op, "x", x, &xv);

    if (status == UB_OK)
        status = ub__node_create(tape, 1, &x, sizeof *softmax, backward,
                                 ub__saved_release, &node);
    if (status != UB_OK)
        return status;
    softmax = ub__node_state(node);
    softmax->logarithm = logarithm;
    status = ub__rows(ub_tape_context(tape), op, xv, &softmax->rows,
                      &softmax->width);
    if (status == UB_OK)
        status = ub__create_like(xv, &y);
    if (status != UB_OK)
        return ub__node_abandon(node, status);
    for (int64_t row = 0; row < softmax->rows; row++)
        forward_row(softmax, ub_tensor_data(xv) + row * softmax->width,
                    ub_tensor_data(y) + row * softmax->width);
    if (ub__node_recorded(node))
        softmax->saved.tensor = ub_tensor_ref(y);
    return ub__node_finish(node, y, out);
}

ub_status ub_op_softmax(ub_tape *tape, ub_variable *x, ub_variable **out)
{
    return run(tape, "softmax", x, 0, out);
}

ub_status ub_op_log_softmax(ub_tape *tape, ub_variable *x, ub_variable **out)
{
    return run(tape, "log softmax", x, 1, out);
}
