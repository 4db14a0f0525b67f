/* SPDX-License-Identifier: BSD-2-Clause */
#include "autograd/tape.h"

void ub__tape_own(ub_tape *tape, ub_variable *variable)
{
    variable->tape = tape;
    variable->next = tape->variables;
    tape->variables = variable;
}

/* Take the newest node off the tape; nothing later needs its output. */
static void pop_node(ub_tape *tape)
{
    ub__node *node = tape->last;
    ub_variable *output = node->output;

    tape->last = node->previous;
    ub__node_destroy(node);
    output->node = NULL;
    ub_tensor_unref(&output->value);
    ub_tensor_unref(&output->grad);
}

/* Whatever comes of a backward pass, no node and no result is left. */
static void release_results(ub_tape *tape)
{
    while (tape->last != NULL)
        pop_node(tape);
    for (ub_variable *v = tape->variables; v != NULL; v = v->next) {
        if (v->result)
            ub_tensor_unref(&v->value);
    }
}

static ub_status run_backward(ub_tape *tape)
{
    ub_status status = UB_OK;

    while (tape->last != NULL && status == UB_OK) {
        ub__node *node = tape->last;

        if (node->output->grad != NULL)
            status = node->backward(node, node->state);
        if (status != UB_OK)
            ub__node_drop_begun(node);
        pop_node(tape);
    }
    return status;
}

/* The gradient that a pass starts from; `from` NULL means ones. */
static ub_status seed(ub_variable *result, const ub_tensor *from)
{
    ub_tensor *grad;
    ub_status status;

    status = ub__tensor_create_raw(result->context,
                                   ub_tensor_rank(result->value),
                                   ub_tensor_shape(result->value), &grad);
    if (status != UB_OK)
        return status;
    if (from == NULL)
        ub_tensor_fill(grad, 1.0f);
    else
        status = ub_tensor_copy(grad, from);
    if (status == UB_OK)
        result->grad = ub_tensor_ref(grad);
    ub_tensor_unref(&grad);
    return status;
}

static ub_status check_result(const ub_tape *tape, const ub_variable *result)
{
    if (result == NULL || result->tape != tape || result->node == NULL)
        return ub__fail(tape->context, UB_ERR_INVALID,
                        "backward: not the result of a recorded operator of "
                        "this tape");
    return UB_OK;
}

ub_status ub_tape_create(ub_context *context, ub_tape **out)
{
    ub_tape *tape;

    if (context == NULL || out == NULL)
        return ub__fail(context, UB_ERR_INVALID,
                        "tape: context or result is NULL");
    tape = ub__calloc(context, 1, sizeof *tape);
    if (tape == NULL)
        return UB_ERR_NOMEM;
    tape->context = context;
    tape->recording = 1;
    *out = tape;
    return UB_OK;
}

void ub_tape_destroy(ub_tape **tape)
{
    if (tape == NULL || *tape == NULL)
        return;
    ub_tape_clear(*tape);
    ub__free((*tape)->context, *tape);
    *tape = NULL;
}

void ub_tape_clear(ub_tape *tape)
{
    while (tape->last != NULL)
        pop_node(tape);
    while (tape->variables != NULL) {
        ub_variable *gone = tape->variables;

        tape->variables = gone->next;
        ub__variable_destroy(gone);
    }
}

static int is_among(const ub_variable *variable, int64_t n,
                    ub_variable *const *all)
{
    for (int64_t i = 0; i < n; i++) {
        if (all[i] == variable)
            return 1;
    }
    return 0;
}

const ub_variable *ub__tape_newest(const ub_tape *tape)
{
    return tape->variables;
}

void ub__tape_keep(ub_tape *tape, const ub_variable *since, int64_t n,
                   ub_variable *const *kept)
{
    if (tape->recording)
        return;
    for (ub_variable *v = tape->variables; v != since; v = v->next) {
        if (v->result && !is_among(v, n, kept))
            ub_tensor_unref(&v->value);
    }
}

void ub_tape_set_recording(ub_tape *tape, int recording)
{
    tape->recording = recording != 0;
}

ub_context *ub_tape_context(const ub_tape *tape)
{
    return tape->context;
}

ub_status ub_tape_constant(ub_tape *tape, ub_tensor *value, ub_variable **out)
{
    ub_variable *variable;
    ub_status status;

    if (tape == NULL)
        return UB_ERR_INVALID;
    if (value == NULL || out == NULL)
        return ub__fail(tape->context, UB_ERR_INVALID,
                        "constant: value or result is NULL");
    status = ub__variable_create(tape->context, value, &variable);
    if (status != UB_OK)
        return status;
    ub__tape_own(tape, variable);
    *out = variable;
    return UB_OK;
}

ub_status ub_tape_backward(ub_tape *tape, ub_variable *loss)
{
    ub_status status;

    if (tape == NULL)
        return UB_ERR_INVALID;
    status = check_result(tape, loss);
    if (status == UB_OK && ub_tensor_count(loss->value) != 1)
        status = ub__fail(tape->context, UB_ERR_SHAPE,
                          "backward: the loss has %lld elements, expected 1",
                          (long long) ub_tensor_count(loss->value));
    if (status == UB_OK)
        status = seed(loss, NULL);
    if (status == UB_OK)
        status = run_backward(tape);
    release_results(tape);
    return status;
}

ub_status ub_tape_backward_from(ub_tape *tape, ub_variable *result,
                                const ub_tensor *grad)
{
    ub_status status;

    if (tape == NULL)
        return UB_ERR_INVALID;
    status = check_result(tape, result);
    if (status == UB_OK && grad == NULL)
        status = ub__fail(tape->context, UB_ERR_INVALID,
                          "backward: the gradient is NULL");
    if (status == UB_OK)
        status = seed(result, grad);
    if (status == UB_OK)
        status = run_backward(tape);
    release_results(tape);
    return status;
}
