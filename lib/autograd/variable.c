/* SPDX-License-Identifier: BSD-2-Clause */
#include "autograd/variable.h"

ub_status ub__variable_create(ub_context *context, ub_tensor *value,
                              ub_variable **out)
{
    ub_variable *variable = ub__calloc(context, 1, sizeof *variable);

    if (variable == NULL)
        return UB_ERR_NOMEM;
    variable->context = context;
    variable->value = ub_tensor_ref(value);
    *out = variable;
    return UB_OK;
}

void ub__variable_destroy(ub_variable *variable)
{
    ub_tensor_unref(&variable->value);
    ub_tensor_unref(&variable->grad);
    ub__free(variable->context, variable);
}

ub_status ub_variable_create(ub_tensor *value, int requires_grad,
                             ub_variable **out)
{
    ub_status status;

    if (value == NULL)
        return UB_ERR_INVALID;
    if (out == NULL)
        return ub__fail(ub_tensor_context(value), UB_ERR_INVALID,
                        "variable: result is NULL");
    status = ub__variable_create(ub_tensor_context(value), value, out);
    if (status == UB_OK)
        (*out)->requires_grad = requires_grad != 0;
    return status;
}

void ub_variable_destroy(ub_variable **variable)
{
    if (variable == NULL || *variable == NULL)
        return;
    ub__variable_destroy(*variable);
    *variable = NULL;
}

ub_tensor *ub_variable_value(const ub_variable *variable)
{
    return variable->value;
}

ub_tensor *ub_variable_grad(const ub_variable *variable)
{
    return variable->grad;
}

void ub_variable_clear_grad(ub_variable *variable)
{
    ub_tensor_unref(&variable->grad);
}

int ub_variable_requires_grad(const ub_variable *variable)
{
    return variable->requires_grad;
}

void ub_variable_set_requires_grad(ub_variable *variable, int requires_grad)
{
    /* Of a result the tape decides. */
    if (variable->tape == NULL)
        variable->requires_grad = requires_grad != 0;
}
