/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops/ops.h"

#include <math.h>

/* The soft result is kept in double: at a low temperature its small entries
 * have large derivatives, and the hard result does not hold it. */
struct gumbel_softmax {
    double *soft;
    double tau;
    int64_t rows, width;
};

static void release(ub_context *context, void *state)
{
    struct gumbel_softmax *gumbel = state;

    ub__free(context, gumbel->soft);
}

void ub__gumbel_softmax(const float *x, const double *noise, double tau,
                        int64_t n, double *soft)
{
    double largest, sum = 0.0;

    for (int64_t i = 0; i < n; i++)
        soft[i] = ((double) x[i] + (noise ? noise[i] : 0.0)) / tau;
    largest = soft[0];
    for (int64_t i = 1; i < n; i++)
        largest = fmax(largest, soft[i]);
    for (int64_t i = 0; i < n; i++) {
        soft[i] = exp(soft[i] - largest);
        sum += soft[i];
    }
    for (int64_t i = 0; i < n; i++)
        soft[i] /= sum;
}

static void write_row(const double *soft, int64_t n, int hard, float *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = hard ? 0.0f : (float) soft[i];
    if (hard)
        y[ub__argmax(soft, n)] = 1.0f;
}

/* gx = soft (gy - <gy, soft>) / tau, of the hard result as well. */
static void backward_row(const double *soft, double tau, int64_t n,
                         const float *gy, float *gx, int accumulate)
{
    double sum = 0.0;

    for (int64_t i = 0; i < n; i++)
        sum += (double) gy[i] * soft[i];
    for (int64_t i = 0; i < n; i++) {
        double g = soft[i] * ((double) gy[i] - sum) / tau;

        gx[i] = (float) (g + (accumulate ? (double) gx[i] : 0.0));
    }
}

static ub_status backward(ub__node *node, void *state)
{
    const struct gumbel_softmax *gumbel = state;
    const float *gy = ub__node_grad(node);
    float *gx;
    int accumulate;
    ub_status status = ub__grad_target(node, 0, &gx, &accumulate);

    if (status != UB_OK || gx == NULL)
        return status;
    for (int64_t row = 0; row < gumbel->rows; row++) {
        int64_t at = row * gumbel->width;

        backward_row(gumbel->soft + at, gumbel->tau, gumbel->width, gy + at,
                     gx + at, accumulate);
    }
    return UB_OK;
}

static ub_status compute(struct gumbel_softmax *gumbel, const ub_tensor *x,
                         const double *noise, int hard, ub_tensor **out)
{
    ub_tensor *y;
    ub_status status;

    gumbel->soft = ub__alloc(ub_tensor_context(x), (size_t) ub_tensor_count(x),
                             sizeof *gumbel->soft);
    if (gumbel->soft == NULL)
        return UB_ERR_NOMEM;
    status = ub__create_like(x, &y);
    if (status != UB_OK)
        return status;
    for (int64_t row = 0; row < gumbel->rows; row++) {
        int64_t at = row * gumbel->width;

        ub__gumbel_softmax(ub_tensor_data(x) + at, noise + at, gumbel->tau,
                           gumbel->width, gumbel->soft + at);
        write_row(gumbel->soft + at, gumbel->width, hard,
                  ub_tensor_data(y) + at);
    }
    *out = y;
    return UB_OK;
}

ub_status ub_op_gumbel_softmax(ub_tape *tape, ub_variable *x,
                               const double *noise, double tau, int hard,
                               ub_variable **out)
{
    struct gumbel_softmax *gumbel;
    ub_tensor *xv, *y;
    ub__node *node;
    ub_status status = ub__operand(tape, "gumbel softmax", "x", x, &xv);

    if (status != UB_OK)
        return status;
    if (noise == NULL || !(tau > 0.0) || !isfinite(tau))
        return ub__fail(ub_tape_context(tape), UB_ERR_INVALID,
                        "gumbel softmax: %s, temperature %g",
                        noise == NULL ? "no noise" : "with noise", tau);
    status = ub__node_create(tape, 1, &x, sizeof *gumbel, backward, release,
                             &node);
    if (status != UB_OK)
        return status;
    gumbel = ub__node_state(node);
    gumbel->tau = tau;
    status = ub__rows(ub_tape_context(tape), "gumbel softmax", xv,
                      &gumbel->rows, &gumbel->width);
    if (status == UB_OK)
        status = compute(gumbel, xv, noise, hard, &y);
    if (status != UB_OK)
        return ub__node_abandon(node, status);
    return ub__node_finish(node, y, out);
}
