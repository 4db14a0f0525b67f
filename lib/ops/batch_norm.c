/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops/ops.h"

#include <math.h>
#include <string.h>

static ub_status check_options(ub_context *context,
                               const ub_batch_norm_options *options)
{
    if (options->eps >= 0.0 && isfinite(options->eps) &&
        options->momentum >= 0.0 && options->momentum <= 1.0)
        return UB_OK;
    return ub__fail(context, UB_ERR_INVALID,
                    "batch norm: eps is %g, momentum %g", options->eps,
                    options->momentum);
}

static ub_status check_running(ub_context *context, const char *name,
                               const ub_tensor *tensor, int64_t channels)
{
    char text[UB__SHAPE_TEXT];

    if (tensor == NULL ||
        (ub_tensor_rank(tensor) == 1 && ub_tensor_count(tensor) == channels))
        return UB_OK;
    return ub__fail(
        context, UB_ERR_SHAPE, "batch norm: %s is %s, expected [%lld]", name,
        ub__shape_text(text, ub_tensor_rank(tensor), ub_tensor_shape(tensor)),
        (long long) channels);
}

static ub_status check_statistics(ub_context *context,
                                  const ub__mixed_term *term,
                                  const ub__norm *norm)
{
    int running = (term->running_mean != NULL) + (term->running_var != NULL);
    ub_status status;

    if (running == 1 || (running == 0 && !term->options.training))
        return ub__fail(context, UB_ERR_INVALID,
                        "batch norm: running statistics are missing");
    if (term->options.training && norm->batch * norm->area < 2)
        return ub__fail(context, UB_ERR_INVALID,
                        "batch norm: one value per channel in training");
    status = check_running(context, "running_mean", term->running_mean,
                           norm->channels);
    if (status != UB_OK)
        return status;
    return check_running(context, "running_var", term->running_var,
                         norm->channels);
}

static ub__norm norm_of(const ub__mixed_term *term, const ub_tensor *x)
{
    const int64_t *shape = ub_tensor_shape(x);

    return (ub__norm){ shape[0], shape[1],
                       ub_tensor_count(x) / shape[0] / shape[1],
                       term->options.relu != 0 };
}

ub_status ub__normalization_check(ub_tape *tape, const ub__mixed_term *term,
                                  ub__normalization *out)
{
    ub_context *context;
    const int64_t *shape;
    ub_status status = ub__operand(tape, "batch norm", "x", term->x, &out->x);

    if (status != UB_OK)
        return status;
    context = ub_tape_context(tape);
    if (ub_tensor_rank(out->x) < 2)
        return ub__fail(context, UB_ERR_SHAPE,
                        "batch norm: x has %d dimensions, expected 2 or more",
                        ub_tensor_rank(out->x));
    shape = ub_tensor_shape(out->x);
    out->term = term;
    out->norm = norm_of(term, out->x);
    status = ub__operand_vector(tape, "batch norm", "weight", term->weight,
                                shape[1], &out->weight);
    if (status == UB_OK)
        status = ub__operand_vector(tape, "batch norm", "bias", term->bias,
                                    shape[1], &out->bias);
    if (status == UB_OK)
        status = check_options(context, &term->options);
    if (status == UB_OK)
        status = check_statistics(context, term, &out->norm);
    return status;
}

static ub_status add_moments(ub_context *context, const ub__norm *norm,
                             ub_tensor *x)
{
    double *moments;
    ub_status status = ub__scratch_reserve(context,
                                           ub__norm_scratch(context, norm));

    if (status != UB_OK)
        return status;
    moments = ub__alloc(context, (size_t) norm->channels, 2 * sizeof *moments);
    if (moments == NULL)
        return UB_ERR_NOMEM;
    ub__norm_statistics(context, norm, ub_tensor_data(x), moments,
                        moments + norm->channels);
    ub__tensor_set_moments(x, moments);
    return UB_OK;
}

ub_status ub__normalization_ahead(const ub__mixed_term *term)
{
    ub_tensor *x = ub_variable_value(term->x);
    ub__norm norm;

    if (!term->options.training || x == NULL || ub_tensor_rank(x) < 2)
        return UB_OK;
    norm = norm_of(term, x);
    return add_moments(ub_tensor_context(x), &norm, x);
}

ub_status ub__normalization_statistics(ub_context *context,
                                       const ub__normalization *normalization,
                                       double *mean, double *variance)
{
    const ub__mixed_term *term = normalization->term;
    const int64_t channels = normalization->norm.channels;
    const double *known = ub__tensor_moments(normalization->x);
    ub_status status;

    for (int64_t c = 0; c < channels && !term->options.training; c++) {
        mean[c] = (double) ub_tensor_data(term->running_mean)[c];
        variance[c] = (double) ub_tensor_data(term->running_var)[c];
    }
    if (!term->options.training)
        return UB_OK;
    if (known != NULL) {
        memcpy(mean, known, (size_t) channels * sizeof *mean);
        memcpy(variance, known + channels, (size_t) channels * sizeof *mean);
        return UB_OK;
    }
    status = ub__scratch_reserve(
        context, ub__norm_scratch(context, &normalization->norm));
    if (status == UB_OK)
        ub__norm_statistics(context, &normalization->norm,
                            ub_tensor_data(normalization->x), mean, variance);
    return status;
}

void ub__normalization_channel(const ub__normalization *normalization,
                               int64_t c, double mean, double variance,
                               float *out_mean, float *inverse_deviation,
                               ub__term *out)
{
    const double eps = normalization->term->options.eps;

    *out_mean = (float) mean;
    *inverse_deviation = (float) (1.0 / sqrt(variance + eps));
    /* In float, as the backward kernel does it: the ReLU's mask is found there
     * again and must be the same. */
    out->scale = ub_tensor_data(normalization->weight)[c] * *inverse_deviation;
    out->shift = ub_tensor_data(normalization->bias)[c] -
                 *out_mean * out->scale;
    out->kind = normalization->norm.relu ? UB__TERM_RELU : UB__TERM_AFFINE;
}

void ub__normalization_update(const ub__normalization *normalization,
                              const double *mean, const double *variance)
{
    const ub__mixed_term *term = normalization->term;
    const ub__norm *norm = &normalization->norm;
    double n = (double) (norm->batch * norm->area);
    double m = term->options.momentum;

    if (!term->options.training || term->running_mean == NULL)
        return;
    for (int64_t c = 0; c < norm->channels; c++) {
        float *to_mean = &ub_tensor_data(term->running_mean)[c];
        float *to_var = &ub_tensor_data(term->running_var)[c];

        *to_mean = (float) ((1.0 - m) * (double) *to_mean + m * mean[c]);
        *to_var = (float) ((1.0 - m) * (double) *to_var +
                           m * variance[c] * n / (n - 1.0));
    }
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
    ub__mixed_term term = { .x = x, .normalized = 1 };
    ub_status status;

    if (tape == NULL)
        return UB_ERR_INVALID;
    term.weight = weight;
    term.bias = bias;
    term.running_mean = running_mean;
    term.running_var = running_var;
    ub_batch_norm_options_init(&term.options, sizeof term.options);
    status = ub__options_in(ub_tape_context(tape), "ub_batch_norm_options",
                            &term.options, sizeof term.options,
                            sizeof term.options, options);
    if (status != UB_OK)
        return status;
    return ub__mixed_term_value(tape, &term, out);
}
