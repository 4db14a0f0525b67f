/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops/ops.h"

#include <math.h>
#include <string.h>

struct cross_entropy {
    ub_tensor *x;
    int32_t *labels;
    double smoothing;
    int64_t rows, classes;
};

static void release(ub_context *context, void *state)
{
    struct cross_entropy *saved = state;

    ub_tensor_unref(&saved->x);
    ub__free(context, saved->labels);
}

/* -sum(target * log softmax(x)): with the sum of targets 1, that is the
 * logarithm of the sum of exponentials less the target's mean of x. */
static double row_loss(const struct cross_entropy *saved, const float *x,
                       int32_t label)
{
    double log_sum = ub__log_sum_exp(x, saved->classes);
    double mean = 0.0;

    for (int64_t i = 0; i < saved->classes && saved->smoothing > 0.0; i++)
        mean += ((double) x[i] - log_sum) / (double) saved->classes;
    return -(1.0 - saved->smoothing) * ((double) x[label] - log_sum) -
           saved->smoothing * mean;
}

/* gx = factor (softmax(x) - target) */
static void backward_row(const struct cross_entropy *saved, const float *x,
                         int32_t label, double factor, float *gx,
                         int accumulate)
{
    double log_sum = ub__log_sum_exp(x, saved->classes);
    double uniform = saved->smoothing / (double) saved->classes;

    for (int64_t i = 0; i < saved->classes; i++) {
        double target = uniform + (i == label ? 1.0 - saved->smoothing : 0.0);
        double g = factor * (exp((double) x[i] - log_sum) - target);

        gx[i] = (float) (g + (accumulate ? (double) gx[i] : 0.0));
    }
}

static ub_status backward(ub__node *node, void *state)
{
    const struct cross_entropy *saved = state;
    double factor = (double) ub__node_grad(node)[0] / (double) saved->rows;
    float *gx;
    int accumulate;
    ub_status status = ub__grad_target(node, 0, &gx, &accumulate);

    if (status != UB_OK || gx == NULL)
        return status;
    for (int64_t row = 0; row < saved->rows; row++)
        backward_row(saved, ub_tensor_data(saved->x) + row * saved->classes,
                     saved->labels[row], factor, gx + row * saved->classes,
                     accumulate);
    return UB_OK;
}

static ub_status check_labels(ub_context *context, const int32_t *labels,
                              int64_t n, int64_t classes, double smoothing)
{
    if (labels == NULL)
        return ub__fail(context, UB_ERR_INVALID,
                        "cross entropy: labels are NULL");
    if (!(smoothing >= 0.0) || !(smoothing < 1.0))
        return ub__fail(context, UB_ERR_INVALID,
                        "cross entropy: smoothing is %g, expected 0 to below 1",
                        smoothing);
    for (int64_t i = 0; i < n; i++) {
        if (labels[i] < 0 || labels[i] >= classes)
            return ub__fail(context, UB_ERR_INVALID,
                            "cross entropy: label %lld is %d of %lld classes",
                            (long long) i, (int) labels[i],
                            (long long) classes);
    }
    return UB_OK;
}

static ub_status compute(ub_context *context, const struct cross_entropy *saved,
                         const ub_tensor *x, const int32_t *labels,
                         ub_tensor **out)
{
    ub_tensor *y;
    double sum = 0.0;
    ub_status status = ub__tensor_create_raw(context, 0, NULL, &y);

    if (status != UB_OK)
        return status;
    for (int64_t row = 0; row < saved->rows; row++)
        sum += row_loss(saved, ub_tensor_data(x) + row * saved->classes,
                        labels[row]);
    ub_tensor_data(y)[0] = (float) (sum / (double) saved->rows);
    *out = y;
    return UB_OK;
}

static ub_status save_labels(ub_context *context, const int32_t *labels,
                             struct cross_entropy *saved)
{
    saved->labels = ub__alloc(context, (size_t) saved->rows, sizeof *labels);
    if (saved->labels == NULL)
        return UB_ERR_NOMEM;
    memcpy(saved->labels, labels, (size_t) saved->rows * sizeof *labels);
    return UB_OK;
}

ub_status ub_op_cross_entropy(ub_tape *tape, ub_variable *x,
                              const int32_t *labels, double smoothing,
                              ub_variable **out)
{
    struct cross_entropy *saved;
    ub_context *context;
    ub_tensor *xv, *y;
    ub__node *node;
    ub_status status = ub__operand_rank(tape, "cross entropy", "x", x, 2, &xv);

    if (status != UB_OK)
        return status;
    context = ub_tape_context(tape);
    status = check_labels(context, labels, ub_tensor_shape(xv)[0],
                          ub_tensor_shape(xv)[1], smoothing);
    if (status == UB_OK)
        status = ub__node_create(tape, 1, &x, sizeof *saved, backward, release,
                                 &node);
    if (status != UB_OK)
        return status;
    saved = ub__node_state(node);
    saved->rows = ub_tensor_shape(xv)[0];
    saved->classes = ub_tensor_shape(xv)[1];
    saved->smoothing = smoothing;
    if (ub__node_recorded(node)) {
        saved->x = ub_tensor_ref(xv);
        status = save_labels(context, labels, saved);
    }
    if (status == UB_OK)
        status = compute(context, saved, xv, labels, &y);
    if (status != UB_OK)
        return ub__node_abandon(node, status);
    return ub__node_finish(node, y, out);
}
