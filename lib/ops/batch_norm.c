/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/kernels.h"
#include "ops/ops.h"

#include <math.h>

/* Checked operands of one call. */
struct operands {
    ub_context *context;
    ub_tensor *x, *weight, *bias;
    ub_tensor *running_mean, *running_var; /* may be NULL */
    ub_batch_norm_options options;
    ub__norm norm;
};

/* What backward needs; the arrays are in one allocation each. */
struct batch_norm {
    ub__norm norm;
    int training;
    ub_tensor *x, *weight, *bias;
    float *mean;              /* [channels] */
    float *inverse_deviation; /* [channels], behind mean */
};

static void release(ub_context *context, void *state)
{
    struct batch_norm *batch_norm = state;

    ub_tensor_unref(&batch_norm->x);
    ub_tensor_unref(&batch_norm->weight);
    ub_tensor_unref(&batch_norm->bias);
    ub__free(context, batch_norm->mean);
}

static ub_status backward(ub__node *node, void *state)
{
    const struct batch_norm *batch_norm = state;
    float *gx, *gweight, *gbias;
    int accumulate, accumulate_weight;
    ub_status status = ub__grad_target(node, 0, &gx, &accumulate);

    if (status == UB_OK)
        status = ub__grad_targets(node, 1, 2, &gweight, &gbias,
                                  &accumulate_weight);
    if (status != UB_OK)
        return status;
    ub__norm_backward(
        ub__node_context(node), &batch_norm->norm, batch_norm->training,
        ub_tensor_data(batch_norm->x), ub__node_grad(node), batch_norm->mean,
        batch_norm->inverse_deviation, ub_tensor_data(batch_norm->weight),
        ub_tensor_data(batch_norm->bias), gx, accumulate, gweight, gbias,
        accumulate_weight);
    return UB_OK;
}

static ub_status read_options(ub_context *context,
                              const ub_batch_norm_options *options,
                              ub_batch_norm_options *out)
{
    ub_status status;

    ub_batch_norm_options_init(out, sizeof *out);
    status = ub__options_in(context, "ub_batch_norm_options", out, sizeof *out,
                            sizeof *out, options);
    if (status != UB_OK)
        return status;
    if (!(out->eps >= 0.0) || !isfinite(out->eps) || !(out->momentum >= 0.0) ||
        !(out->momentum <= 1.0))
        return ub__fail(context, UB_ERR_INVALID,
                        "batch norm: eps is %g, momentum %g", out->eps,
                        out->momentum);
    return UB_OK;
}

static ub_status check_running(const struct operands *operands,
                               const char *name, const ub_tensor *tensor)
{
    char text[UB__SHAPE_TEXT];

    if (tensor == NULL || (ub_tensor_rank(tensor) == 1 &&
                           ub_tensor_count(tensor) == operands->norm.channels))
        return UB_OK;
    return ub__fail(
        operands->context, UB_ERR_SHAPE,
        "batch norm: %s is %s, expected [%lld]", name,
        ub__shape_text(text, ub_tensor_rank(tensor), ub_tensor_shape(tensor)),
        (long long) operands->norm.channels);
}

static ub_status check_statistics(const struct operands *operands)
{
    const ub__norm *norm = &operands->norm;
    int running = (operands->running_mean != NULL) +
                  (operands->running_var != NULL);
    ub_status status;

    if (running == 1 || (running == 0 && !operands->options.training))
        return ub__fail(operands->context, UB_ERR_INVALID,
                        "batch norm: running statistics are missing");
    if (operands->options.training && norm->batch * norm->area < 2)
        return ub__fail(operands->context, UB_ERR_INVALID,
                        "batch norm: one value per channel in training");
    status = check_running(operands, "running_mean", operands->running_mean);
    if (status != UB_OK)
        return status;
    return check_running(operands, "running_var", operands->running_var);
}

static ub_status check_operands(ub_tape *tape, ub_variable *x,
                                ub_variable *weight, ub_variable *bias,
                                const ub_batch_norm_options *options,
                                struct operands *o)
{
    const int64_t *shape;
    ub_status status = ub__operand(tape, "batch norm", "x", x, &o->x);

    if (status != UB_OK)
        return status;
    o->context = ub_tape_context(tape);
    if (ub_tensor_rank(o->x) < 2)
        return ub__fail(o->context, UB_ERR_SHAPE,
                        "batch norm: x has %d dimensions, expected 2 or more",
                        ub_tensor_rank(o->x));
    shape = ub_tensor_shape(o->x);
    o->norm.batch = shape[0];
    o->norm.channels = shape[1];
    o->norm.area = ub_tensor_count(o->x) / shape[0] / shape[1];
    status = ub__operand_vector(tape, "batch norm", "weight", weight, shape[1],
                                &o->weight);
    if (status == UB_OK)
        status = ub__operand_vector(tape, "batch norm", "bias", bias, shape[1],
                                    &o->bias);
    if (status == UB_OK)
        status = read_options(o->context, options, &o->options);
    if (status != UB_OK)
        return status;
    o->norm.relu = o->options.relu != 0;
    return check_statistics(o);
}

/* Mean and biased variance of the batch, or the running ones. */
static void find_statistics(const struct operands *operands, double *mean,
                            double *variance)
{
    if (operands->options.training) {
        ub__norm_statistics(operands->context, &operands->norm,
                            ub_tensor_data(operands->x), mean, variance);
        return;
    }
    for (int64_t c = 0; c < operands->norm.channels; c++) {
        mean[c] = (double) ub_tensor_data(operands->running_mean)[c];
        variance[c] = (double) ub_tensor_data(operands->running_var)[c];
    }
}

static void update_running(const struct operands *operands, const double *mean,
                           const double *variance)
{
    const ub__norm *norm = &operands->norm;
    double n = (double) (norm->batch * norm->area);
    double m = operands->options.momentum;

    for (int64_t c = 0; c < norm->channels; c++) {
        float *to_mean = &ub_tensor_data(operands->running_mean)[c];
        float *to_var = &ub_tensor_data(operands->running_var)[c];

        *to_mean = (float) ((1.0 - m) * (double) *to_mean + m * mean[c]);
        *to_var = (float) ((1.0 - m) * (double) *to_var +
                           m * variance[c] * n / (n - 1.0));
    }
}

static ub_status compute(const struct operands *operands,
                         const struct batch_norm *batch_norm,
                         const double *mean, const double *variance,
                         ub_tensor **out)
{
    int64_t channels = operands->norm.channels;
    float *scale = ub__alloc(operands->context, (size_t) channels,
                             2 * sizeof *scale);
    float *shift;
    ub_status status;
    ub_tensor *y;

    if (scale == NULL)
        return UB_ERR_NOMEM;
    shift = scale + channels;
    status = ub__create_like(operands->x, &y);
    if (status != UB_OK) {
        ub__free(operands->context, scale);
        return status;
    }
    for (int64_t c = 0; c < channels; c++) {
        double deviation = sqrt(variance[c] + operands->options.eps);

        batch_norm->mean[c] = (float) mean[c];
        batch_norm->inverse_deviation[c] = (float) (1.0 / deviation);
        /* In float, as the backward kernel does it: the ReLU's mask is found
         * there again and must be the same. */
        scale[c] = ub_tensor_data(operands->weight)[c] *
                   batch_norm->inverse_deviation[c];
        shift[c] = ub_tensor_data(operands->bias)[c] -
                   batch_norm->mean[c] * scale[c];
    }
    ub__norm_apply(operands->context, &operands->norm,
                   ub_tensor_data(operands->x), scale, shift,
                   ub_tensor_data(y));
    ub__free(operands->context, scale);
    *out = y;
    return UB_OK;
}

/* Computes and finishes the node. */
static ub_status run(const struct operands *operands, ub__node *node,
                     double *mean, double *variance, ub_variable **out)
{
    struct batch_norm *batch_norm = ub__node_state(node);
    int64_t channels = operands->norm.channels;
    ub_status status;
    ub_tensor *y;

    batch_norm->mean = ub__alloc(operands->context, (size_t) channels,
                                 2 * sizeof(float));
    if (batch_norm->mean == NULL)
        return ub__node_abandon(node, UB_ERR_NOMEM);
    batch_norm->inverse_deviation = batch_norm->mean + channels;
    batch_norm->norm = operands->norm;
    batch_norm->training = operands->options.training != 0;
    find_statistics(operands, mean, variance);
    status = compute(operands, batch_norm, mean, variance, &y);
    if (status != UB_OK)
        return ub__node_abandon(node, status);
    if (ub__node_recorded(node)) {
        batch_norm->x = ub_tensor_ref(operands->x);
        batch_norm->weight = ub_tensor_ref(operands->weight);
        batch_norm->bias = ub_tensor_ref(operands->bias);
    }
    status = ub__node_finish(node, y, out);
    if (status == UB_OK && operands->options.training &&
        operands->running_mean != NULL)
        update_running(operands, mean, variance);
    return status;
}

void ub_batch_norm_options_init(ub_batch_norm_options *options, size_t size)
{
    const ub_batch_norm_options defaults = {
        .size = sizeof defaults, .eps = 1e-5, .momentum = 0.1, .training = 1
    };

    ub__options_out(options, size, &defaults, sizeof defaults);
}

ub_status ub_op_batch_norm(ub_tape *tape, ub_variable *x, ub_variable *weight,
                           ub_variable *bias, ub_tensor *running_mean,
                           ub_tensor *running_var,
                           const ub_batch_norm_options *options,
                           ub_variable **out)
{
    ub_variable *inputs[] = { x, weight, bias };
    struct operands operands = { .running_mean = running_mean,
                                 .running_var = running_var };
    int64_t channels;
    double *mean;
    ub__node *node;
    ub_status status;

    status = check_operands(tape, x, weight, bias, options, &operands);
    if (status != UB_OK)
        return status;
    channels = operands.norm.channels;
    mean = ub__alloc(operands.context, (size_t) channels, 2 * sizeof *mean);
    if (mean == NULL)
        return UB_ERR_NOMEM;
    status = ub__node_create(tape, 3, inputs, sizeof(struct batch_norm),
                             backward, release, &node);
    if (status == UB_OK)
        status = run(&operands, node, mean, mean + channels, out);
    ub__free(operands.context, mean);
    return status;
}
