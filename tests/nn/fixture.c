/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"

#include "autograd/autograd.h"

static ub_status pass_on(ub__node *node, void *state)
{
    const float *from = ub__node_grad(node);
    ub_variable *x = ub__node_input(node, 0);
    int64_t n = ub_tensor_count(ub_variable_value(x));
    float *to;
    int accumulate;
    ub_status status = ub__grad_target(node, 0, &to, &accumulate);

    (void) state;
    if (status != UB_OK || to == NULL)
        return status;
    for (int64_t i = 0; i < n; i++)
        to[i] = accumulate ? to[i] + from[i] : from[i];
    return UB_OK;
}

static ub_status record_and_run(ub_tape *tape, ub_variable *leaf,
                                const ub_tensor *grad)
{
    ub_variable *result;
    ub__node *node;
    ub_status status;

    status = ub__node_create(tape, 1, &leaf, 1, pass_on, NULL, &node);
    if (status == UB_OK)
        status = ub__node_finish(node, ub_tensor_ref(ub_variable_value(leaf)),
                                 &result);
    if (status == UB_OK)
        status = ub_tape_backward_from(tape, result, grad);
    return status;
}

int setup(void **state)
{
    *state = test_context(2);
    return 0;
}

int teardown(void **state)
{
    ub_context *context = *state;

    ub_context_destroy(&context);
    return 0;
}

ub_status add_gradient(ub_variable *leaf, const float *values)
{
    ub_tensor *value = ub_variable_value(leaf);
    ub_context *context = ub_tensor_context(value);
    ub_tensor *grad = NULL;
    ub_tape *tape = NULL;
    ub_status status;

    status = ub_tensor_create(context, ub_tensor_rank(value),
                              ub_tensor_shape(value), &grad);
    if (status != UB_OK)
        return status;
    for (int64_t i = 0; i < ub_tensor_count(grad); i++)
        ub_tensor_data(grad)[i] = values[i];
    status = ub_tape_create(context, &tape);
    if (status == UB_OK)
        status = record_and_run(tape, leaf, grad);
    ub_tape_destroy(&tape);
    ub_tensor_unref(&grad);
    return status;
}
