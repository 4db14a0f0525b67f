/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_AUTOGRAD_H
#define UBOOST_AUTOGRAD_H

#include <uboost/tensor.h>

/**
 * @file
 * @defgroup autograd autograd
 * Reverse-mode differentiation: variables and the tape.
 *
 * Operators (ops.h) read variables, compute at once, and note on a tape how to
 * go back. ub_tape_backward() walks the tape once and adds to the gradient of
 * every leaf that requires one.
 *
 * A tape keeps references to values, not copies: who changes the elements of an
 * operand or of a result before the backward pass gets gradients of what never
 * was.
 * @{
 */

UB_BEGIN_DECLS

/**
 * A tensor with a gradient. Leaves (parameters, inputs) are created by the
 * caller and live on; results of operators belong to their tape.
 *
 * Thread-safety: as its context.
 */
typedef struct ub_variable ub_variable;

/**
 * Create a leaf.
 *
 * @param value          its value; a reference is taken
 * @param requires_grad  whether backward passes add to its gradient
 * @param[out] out       owned by the caller, who keeps it alive while a tape
 *                       that used it holds nodes
 *
 * @retval UB_ERR_NOMEM  out of memory
 */
UB_API_CHECK
ub_status ub_variable_create(ub_tensor *value, int requires_grad,
                             ub_variable **out);

/** Destroy a leaf and set the pointer to NULL; NULL is allowed. */
UB_API
void ub_variable_destroy(ub_variable **variable);

/**
 * Value, borrowed. NULL for a result whose tape has run backward: backward
 * passes release what they no longer need.
 */
UB_API
ub_tensor *ub_variable_value(const ub_variable *variable);

/** Gradient of a leaf, borrowed until the next backward pass; NULL as long as
 * there is none. */
UB_API
ub_tensor *ub_variable_grad(const ub_variable *variable);

/** Drop the gradient of a leaf: the next backward pass starts from zero. */
UB_API
void ub_variable_clear_grad(ub_variable *variable);

/** Whether backward passes reach this variable. */
UB_API
int ub_variable_requires_grad(const ub_variable *variable);

/** Freeze (0) or thaw (1) a leaf, for operators called from now on. */
UB_API
void ub_variable_set_requires_grad(ub_variable *variable, int requires_grad);

/**
 * Tape: the operators of one forward pass, in order.
 *
 * Thread-safety: as its context.
 */
typedef struct ub_tape ub_tape;

/** Create an empty tape that records. */
UB_API_CHECK
ub_status ub_tape_create(ub_context *context, ub_tape **out);

/** Destroy a tape and all its variables, and set the pointer to NULL. */
UB_API
void ub_tape_destroy(ub_tape **tape);

/**
 * Forget all nodes and destroy all variables of the tape. Due after each step,
 * since a backward pass leaves the (then empty) variables behind.
 */
UB_API
void ub_tape_clear(ub_tape *tape);

/**
 * Record (1, the default) or only compute (0), for inference: models and
 * supernets then drop each value once nothing reads it any more.
 */
UB_API
void ub_tape_set_recording(ub_tape *tape, int recording);

/** The context the tape was created in. */
UB_API
ub_context *ub_tape_context(const ub_tape *tape);

/**
 * A constant on the tape, such as a batch of images.
 *
 * @param tape      owns the variable
 * @param value     a reference is taken
 * @param[out] out  borrowed from the tape, valid until it is cleared
 *
 * @retval UB_ERR_NOMEM  out of memory
 */
UB_API_CHECK
ub_status ub_tape_constant(ub_tape *tape, ub_tensor *value, ub_variable **out);

/**
 * Backward pass from a scalar, with gradient 1. Adds to the gradients of all
 * leaves that require one; consumes the tape's nodes and releases
 * intermediate values on the way, so a tape runs backward once.
 *
 * @param tape  cleared of nodes by the call, also on failure
 * @param loss  a result on this tape with one element
 *
 * @retval UB_ERR_SHAPE    loss has more than one element
 * @retval UB_ERR_INVALID  loss is not a result of a recorded operator of this
 *                         tape
 * @retval UB_ERR_NOMEM    out of memory; gradients may be incomplete
 */
UB_API_CHECK
ub_status ub_tape_backward(ub_tape *tape, ub_variable *loss);

/**
 * As ub_tape_backward() from any tensor, with the gradient given.
 *
 * @param tape    cleared of nodes by the call, also on failure
 * @param result  a result on this tape
 * @param grad    of the shape of result; only read
 *
 * @retval UB_ERR_SHAPE    the shapes differ
 * @retval UB_ERR_INVALID  result is not a result of a recorded operator
 * @retval UB_ERR_NOMEM    out of memory; gradients may be incomplete
 */
UB_API_CHECK
ub_status ub_tape_backward_from(ub_tape *tape, ub_variable *result,
                                const ub_tensor *grad);

UB_END_DECLS

/** @} */

#endif
