/* SPDX-License-Identifier: BSD-2-Clause */
#include "autograd/tape.h"
#include "kernels/kernels.h"

#include <string.h>

/* State begins at a multiple that suits every type. */
#define STATE_ALIGNMENT ((size_t) 16)

static size_t state_offset(int n_inputs)
{
    size_t bytes = sizeof(ub__node) +
                   (size_t) n_inputs * sizeof(struct ub__input);

    return (bytes + STATE_ALIGNMENT - 1) / STATE_ALIGNMENT * STATE_ALIGNMENT;
}

static ub_status set_inputs(ub__node *node, ub_variable *const *inputs)
{
    ub_tape *tape = node->tape;

    for (int i = 0; i < node->n_inputs; i++) {
        ub_variable *variable = inputs[i];

        node->inputs[i].variable = variable;
        if (variable == NULL)
            continue;
        if (variable->tape != NULL && variable->tape != tape)
            return ub__fail(tape->context, UB_ERR_INVALID,
                            "operand %d is a result of another tape", i);
        if (tape->recording && variable->requires_grad)
            node->inputs[i].wants = node->recorded = 1;
    }
    return UB_OK;
}

ub_status ub__node_create(ub_tape *tape, int n_inputs,
                          ub_variable *const *inputs, size_t state_size,
                          ub__backward_fn backward, ub__release_fn release,
                          ub__node **out)
{
    size_t offset = state_offset(n_inputs);
    ub__node *node;
    ub_status status;

    node = ub__calloc(tape->context, 1, offset + state_size);
    if (node == NULL)
        return UB_ERR_NOMEM;
    node->tape = tape;
    node->backward = backward;
    node->n_inputs = n_inputs;
    node->state = (unsigned char *) node + offset;
    status = set_inputs(node, inputs);
    if (status != UB_OK)
        return ub__node_abandon(node, status);
    node->release = release;
    *out = node;
    return UB_OK;
}

void *ub__node_state(ub__node *node)
{
    return node->state;
}

ub_context *ub__node_context(ub__node *node)
{
    return node->tape->context;
}

ub_variable *ub__node_input(ub__node *node, int index)
{
    return node->inputs[index].variable;
}

int ub__node_recorded(const ub__node *node)
{
    return node->recorded;
}

int ub__node_wants(const ub__node *node, int index)
{
    return node->inputs[index].wants;
}

const float *ub__node_grad(const ub__node *node)
{
    return ub_tensor_data(node->output->grad);
}

void ub__node_destroy(ub__node *node)
{
    if (node->release != NULL)
        node->release(node->tape->context, node->state);
    ub__free(node->tape->context, node);
}

ub_status ub__node_finish(ub__node *node, ub_tensor *value, ub_variable **out)
{
    ub_tape *tape = node->tape;
    ub_variable *variable = NULL;
    ub_status status;

    if (out == NULL)
        status = ub__fail(tape->context, UB_ERR_INVALID,
                          "operator: result is NULL");
    else
        status = ub__variable_create(tape->context, value, &variable);
    ub_tensor_unref(&value);
    if (status != UB_OK)
        return ub__node_abandon(node, status);
    ub__tape_own(tape, variable);
    variable->result = 1;
    *out = variable;
    if (!node->recorded) {
        ub__node_destroy(node);
        return UB_OK;
    }
    variable->requires_grad = 1;
    variable->node = node;
    node->output = variable;
    node->previous = tape->last;
    tape->last = node;
    return UB_OK;
}

ub_status ub__node_abandon(ub__node *node, ub_status status)
{
    ub__node_destroy(node);
    return status;
}

static ub_status create_grad(ub_variable *variable)
{
    return ub__tensor_create_raw(
        variable->context, ub_tensor_rank(variable->value),
        ub_tensor_shape(variable->value), &variable->grad);
}

/* A gradient that ub__grad_pass() shared becomes the variable's own before it
 * is written to. */
static ub_status own_grad(ub_variable *variable)
{
    ub_tensor *shared = variable->grad;
    ub_status status;

    if (!ub__tensor_shared(shared))
        return UB_OK;
    status = create_grad(variable);
    if (status != UB_OK)
        return status;
    memcpy(ub_tensor_data(variable->grad), ub_tensor_data(shared),
           (size_t) ub_tensor_count(shared) * sizeof(float));
    ub_tensor_unref(&shared);
    return UB_OK;
}

ub_status ub__grad_target(ub__node *node, int index, float **out,
                          int *accumulate)
{
    ub_variable *variable = node->inputs[index].variable;
    ub_status status;

    *out = NULL;
    *accumulate = 0;
    if (!node->inputs[index].wants)
        return UB_OK;
    *accumulate = variable->grad != NULL;
    status = *accumulate ? own_grad(variable) : create_grad(variable);
    if (status != UB_OK)
        return status;
    if (!*accumulate)
        node->inputs[index].begun = 1;
    *out = ub_tensor_data(variable->grad);
    return UB_OK;
}

void ub__node_drop_begun(ub__node *node)
{
    for (int i = 0; i < node->n_inputs; i++) {
        if (node->inputs[i].begun)
            ub_tensor_unref(&node->inputs[i].variable->grad);
    }
}

/* Sharing is for results: their gradients live until their node has run, and
 * nobody but ub__grad_target() hands them out for writing. A leaf's gradient
 * belongs to the caller, who may scale it in place. */
static ub_status share_grad(ub_variable *variable, ub_tensor *grad)
{
    if (ub__tensor_same_shape(grad, variable->value)) {
        variable->grad = ub_tensor_ref(grad);
        return UB_OK;
    }
    return ub_tensor_view(grad, ub_tensor_rank(variable->value),
                          ub_tensor_shape(variable->value), &variable->grad);
}

ub_status ub__grad_pass(ub__node *node, int index)
{
    ub_variable *variable = node->inputs[index].variable;
    ub_tensor *grad = node->output->grad;
    float *target;
    int accumulate;
    ub_status status;

    if (!node->inputs[index].wants)
        return UB_OK;
    if (variable->tape != NULL && variable->grad == NULL)
        return share_grad(variable, grad);
    status = ub__grad_target(node, index, &target, &accumulate);
    if (status == UB_OK)
        ub__scale(node->tape->context, ub_tensor_count(grad), 1.0f,
                  ub_tensor_data(grad), target, accumulate);
    return status;
}
