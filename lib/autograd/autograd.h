/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_AUTOGRAD_H
#define UBOOST_LIB_AUTOGRAD_H

#include "tensor/tensor.h"

#include <uboost/autograd.h>

/*
 * How an operator joins the tape:
 *
 *   ub__node_create()  checks nothing, keeps the inputs, gives zeroed state
 *   fill the state     tensors that backward needs, each with ub_tensor_ref()
 *   ub__node_finish()  hands over the output tensor, returns the variable
 *
 * backward() finds the output's gradient in ub__node_grad(), and for every
 * input that wants one asks ub__grad_target() where to put it. When nothing
 * requires a gradient or the tape does not record, the node is dropped by
 * ub__node_finish() and its state released at once.
 */

typedef struct ub__node ub__node;
typedef ub_status (*ub__backward_fn)(ub__node *node, void *state);
typedef void (*ub__release_fn)(ub_context *context, void *state);

/* inputs may hold NULLs, which are passed on. release may be NULL. Fails with
 * UB_ERR_INVALID when an input is a result of another tape. */
ub_status ub__node_create(ub_tape *tape, int n_inputs,
                          ub_variable *const *inputs, size_t state_size,
                          ub__backward_fn backward, ub__release_fn release,
                          ub__node **out);
void *ub__node_state(ub__node *node);
ub_context *ub__node_context(ub__node *node);
ub_variable *ub__node_input(ub__node *node, int index);
/* Whether a backward pass will come: if not, do not keep tensors for it. */
int ub__node_recorded(const ub__node *node);
/* Whether that input's gradient is wanted; 0 for a NULL input. */
int ub__node_wants(const ub__node *node, int index);
/* Gradient of the output, during backward(). */
const float *ub__node_grad(const ub__node *node);
/* Takes the caller's reference of `value`; ends the node on failure too. */
ub_status ub__node_finish(ub__node *node, ub_tensor *value, ub_variable **out);
/* Give up a node between create and finish; returns `status`. */
ub_status ub__node_abandon(ub__node *node, ub_status status);

/* Where input `index`'s gradient goes: NULL in *out when it wants none. The
 * first writer finds *accumulate == 0 and garbage, later ones 1. */
ub_status ub__grad_target(ub__node *node, int index, float **out,
                          int *accumulate);

/* Adds the output's gradient as it is to input `index`'s, which has as many
 * elements: for operators that only add or reshape. Shares the tensor where
 * that is safe. */
ub_status ub__grad_pass(ub__node *node, int index);

/* The newest variable on a tape, NULL on an empty one. */
const ub_variable *ub__tape_newest(const ub_tape *tape);
/* Nothing newer than `since` but the n kept will be read again: a tape that
 * does not record drops the values of all other results. */
void ub__tape_keep(ub_tape *tape, const ub_variable *since, int64_t n,
                   ub_variable *const *kept);

#endif
