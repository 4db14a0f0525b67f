/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/kernels.h"
#include "nn/nn.h"

#include <math.h>

static const ub_optimizer_options defaults = {
    .size = sizeof(ub_optimizer_options),
    .kind = UB_OPTIMIZER_SGD,
    .beta1 = 0.9,
    .beta2 = 0.999,
    .eps = 1e-8,
};

/* Size of the options in the first release. */
#define OPTIONS_V1 sizeof(ub_optimizer_options)

/* PyTorch's: keeps the factor finite when all gradients are zero. */
static const double clip_eps = 1e-6;

/* In [0, 1), also when rounded for the kernels. */
static int in_unit(double value)
{
    return value >= 0.0 && value < 1.0 && (float) value < 1.0f;
}

static const char *find_fault(const ub_optimizer_options *o)
{
    if (o->kind != UB_OPTIMIZER_SGD && o->kind != UB_OPTIMIZER_ADAM)
        return "kind";
    if (!isfinite(o->weight_decay) || o->weight_decay < 0.0)
        return "weight_decay";
    if (!in_unit(o->momentum))
        return "momentum";
    if (o->nesterov != 0 && (o->nesterov != 1 || !(o->momentum > 0.0)))
        return "nesterov";
    if (!in_unit(o->beta1))
        return "beta1";
    if (!in_unit(o->beta2))
        return "beta2";
    return isfinite(o->eps) && (float) o->eps > 0.0f ? NULL : "eps";
}

static ub_status read_options(ub_context *context,
                              const ub_optimizer_options *options,
                              ub_optimizer_options *full)
{
    const char *fault;
    ub_status status;

    *full = defaults;
    status = ub__options_in(context, "optimizer", full, sizeof *full,
                            OPTIONS_V1, options);
    if (status != UB_OK)
        return status;
    fault = find_fault(full);
    if (fault != NULL)
        return ub__fail(context, UB_ERR_INVALID,
                        "optimizer: %s is out of its range", fault);
    return UB_OK;
}

int ub__optimizer_moments(const ub_optimizer *optimizer)
{
    if (optimizer->options.kind == UB_OPTIMIZER_ADAM)
        return 2;
    return optimizer->options.momentum > 0.0 ? 1 : 0;
}

static ub_status create_slot(ub_optimizer *optimizer, ub_variable *variable,
                             ub__optimizer_slot *slot)
{
    const ub_tensor *value;

    if (variable == NULL)
        return ub__fail(optimizer->context, UB_ERR_INVALID,
                        "optimizer: a variable is NULL");
    value = ub_variable_value(variable);
    slot->variable = variable;
    for (int i = 0; i < ub__optimizer_moments(optimizer); i++) {
        ub_status status = ub_tensor_create(
            optimizer->context, ub_tensor_rank(value), ub_tensor_shape(value),
            &slot->moments[i]);

        if (status != UB_OK)
            return status;
    }
    return UB_OK;
}

/* Norm of all gradients; `where` names the caller in the error. */
static ub_status gradient_norm(ub_context *context, const char *where,
                               int64_t n, const ub__optimizer_slot *slots,
                               ub_variable *const *variables, double *out)
{
    double sum = 0.0;

    for (int64_t i = 0; i < n; i++) {
        const ub_variable *variable = slots != NULL ? slots[i].variable
                                                    : variables[i];
        const ub_tensor *grad = ub_variable_grad(variable);

        if (grad != NULL)
            sum += ub__sum_squares(context, ub_tensor_count(grad),
                                   ub_tensor_data(grad));
    }
    if (!isfinite(sum))
        return ub__fail(context, UB_ERR_NUMERIC, "%s: a gradient is not finite",
                        where);
    *out = sqrt(sum);
    return UB_OK;
}

static double clip_factor(double norm, double max_norm)
{
    double factor = max_norm / (norm + clip_eps);

    return factor < 1.0 ? factor : 1.0;
}

static void step_adam(ub_optimizer *optimizer, ub__optimizer_slot *slot,
                      const ub_tensor *grad, float scale, float rate)
{
    const ub_optimizer_options *o = &optimizer->options;
    ub_tensor *value = ub_variable_value(slot->variable);
    /* The corrections fit the betas as rounded for the kernel: those of 0.999
     * itself would be off by 1e-5 in the first steps. */
    float beta1 = (float) o->beta1, beta2 = (float) o->beta2;
    double t = (double) slot->steps;

    ub__adam_step(optimizer->context, ub_tensor_count(value),
                  ub_tensor_data(value), ub_tensor_data(grad),
                  ub_tensor_data(slot->moments[0]),
                  ub_tensor_data(slot->moments[1]), scale, rate, beta1, beta2,
                  (float) o->eps, (float) o->weight_decay,
                  1.0 - pow((double) beta1, t), 1.0 - pow((double) beta2, t));
}

static void step_slot(ub_optimizer *optimizer, ub__optimizer_slot *slot,
                      const ub_tensor *grad, float scale, float rate)
{
    const ub_optimizer_options *o = &optimizer->options;
    ub_tensor *value = ub_variable_value(slot->variable);
    ub_tensor *velocity = slot->moments[0];

    slot->steps++;
    if (o->kind == UB_OPTIMIZER_ADAM) {
        step_adam(optimizer, slot, grad, scale, rate);
        return;
    }
    ub__sgd_step(optimizer->context, ub_tensor_count(value),
                 ub_tensor_data(value), ub_tensor_data(grad),
                 velocity != NULL ? ub_tensor_data(velocity) : NULL, scale,
                 rate, (float) o->momentum, (float) o->weight_decay,
                 o->nesterov, slot->steps == 1);
}

void ub_optimizer_options_init(ub_optimizer_options *options, size_t size)
{
    ub__options_out(options, size, &defaults, sizeof defaults);
}

ub_status ub_optimizer_create(ub_context *context,
                              const ub_optimizer_options *options, int64_t n,
                              ub_variable *const *variables, ub_optimizer **out)
{
    ub_optimizer *optimizer;
    ub_status status;

    if (context == NULL || out == NULL)
        return UB_ERR_INVALID;
    if (n < 0 || (n > 0 && variables == NULL))
        return ub__fail(context, UB_ERR_INVALID,
                        "optimizer: %lld variables at %p", (long long) n,
                        (const void *) variables);
    optimizer = ub__calloc(context, 1, sizeof *optimizer);
    if (optimizer == NULL)
        return UB_ERR_NOMEM;
    optimizer->context = context;
    status = read_options(context, options, &optimizer->options);
    if (status != UB_OK)
        goto fail;
    optimizer->slots = ub__calloc(context, (size_t) n,
                                  sizeof *optimizer->slots);
    if (optimizer->slots == NULL) {
        status = UB_ERR_NOMEM;
        goto fail;
    }
    optimizer->count = n;
    for (int64_t i = 0; i < n; i++) {
        status = create_slot(optimizer, variables[i], &optimizer->slots[i]);
        if (status != UB_OK)
            goto fail;
    }
    *out = optimizer;
    return UB_OK;

fail:
    ub_optimizer_destroy(&optimizer);
    return status;
}

ub_status ub_optimizer_create_for(const ub_parameters *parameters,
                                  ub_parameter_kind kind,
                                  const ub_optimizer_options *options,
                                  ub_optimizer **out)
{
    ub_context *context;
    ub_variable **variables;
    ub_status status;
    int64_t n = 0;

    if (parameters == NULL)
        return UB_ERR_INVALID;
    context = ub_parameters_context(parameters);
    if (kind != UB_PARAMETER_WEIGHT && kind != UB_PARAMETER_ARCHITECTURE)
        return ub__fail(context, UB_ERR_INVALID,
                        "optimizer: parameters of kind %d are not trained",
                        (int) kind);
    variables = ub__calloc(context, (size_t) ub_parameters_count(parameters),
                           sizeof *variables);
    if (variables == NULL)
        return UB_ERR_NOMEM;
    for (int64_t i = 0; i < ub_parameters_count(parameters); i++) {
        if (ub_parameters_kind(parameters, i) == kind)
            variables[n++] = ub_parameters_variable(parameters, i);
    }
    status = ub_optimizer_create(context, options, n, variables, out);
    ub__free(context, variables);
    return status;
}

void ub_optimizer_destroy(ub_optimizer **optimizer)
{
    ub_context *context;

    if (optimizer == NULL || *optimizer == NULL)
        return;
    context = (*optimizer)->context;
    for (int64_t i = 0; i < (*optimizer)->count; i++) {
        ub_tensor_unref(&(*optimizer)->slots[i].moments[0]);
        ub_tensor_unref(&(*optimizer)->slots[i].moments[1]);
    }
    ub__free(context, (*optimizer)->slots);
    ub__free(context, *optimizer);
    *optimizer = NULL;
}

ub_status ub_optimizer_step(ub_optimizer *optimizer, double rate,
                            double max_grad_norm, double *out_norm)
{
    double norm = 0.0, scale = 1.0;
    ub_status status;

    if (optimizer == NULL)
        return UB_ERR_INVALID;
    if (!isfinite(rate) || rate < 0.0 || !isfinite(max_grad_norm) ||
        max_grad_norm < 0.0)
        return ub__fail(optimizer->context, UB_ERR_INVALID,
                        "optimizer: rate %g, largest gradient norm %g", rate,
                        max_grad_norm);
    status = gradient_norm(optimizer->context, "optimizer", optimizer->count,
                           optimizer->slots, NULL, &norm);
    if (status != UB_OK)
        return status;
    if (max_grad_norm > 0.0)
        scale = clip_factor(norm, max_grad_norm);
    for (int64_t i = 0; i < optimizer->count; i++) {
        ub__optimizer_slot *slot = &optimizer->slots[i];
        const ub_tensor *grad = ub_variable_grad(slot->variable);

        if (grad != NULL)
            step_slot(optimizer, slot, grad, (float) scale, (float) rate);
    }
    if (out_norm != NULL)
        *out_norm = norm;
    return UB_OK;
}

ub_status ub_clip_grad_norm(int64_t n, ub_variable *const *variables,
                            double max_norm, double *out_norm)
{
    ub_context *context = NULL;
    double norm = 0.0, factor;
    ub_status status;

    if (n < 0 || (n > 0 && variables == NULL))
        return UB_ERR_INVALID;
    for (int64_t i = 0; i < n; i++) {
        if (variables[i] == NULL)
            return UB_ERR_INVALID;
    }
    if (n > 0)
        context = ub_tensor_context(ub_variable_value(variables[0]));
    if (!isfinite(max_norm) || max_norm <= 0.0)
        return ub__fail(context, UB_ERR_INVALID,
                        "clip_grad_norm: largest norm %g", max_norm);
    status = gradient_norm(context, "clip_grad_norm", n, NULL, variables,
                           &norm);
    if (status != UB_OK)
        return status;
    factor = clip_factor(norm, max_norm);
    for (int64_t i = 0; factor < 1.0 && i < n; i++) {
        ub_tensor *grad = ub_variable_grad(variables[i]);

        if (grad != NULL)
            ub__scale(context, ub_tensor_count(grad), (float) factor,
                      ub_tensor_data(grad), ub_tensor_data(grad), 0);
    }
    if (out_norm != NULL)
        *out_norm = norm;
    return UB_OK;
}
