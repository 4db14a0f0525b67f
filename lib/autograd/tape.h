/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_AUTOGRAD_TAPE_H
#define UBOOST_LIB_AUTOGRAD_TAPE_H

#include "autograd/variable.h"

/* Inside of a tape, for the files of this folder. */

struct ub__input {
    ub_variable *variable; /* may be NULL */
    int wants;             /* required a gradient when the operator ran */
    int begun;             /* its gradient is new, of this node's backward() */
};

struct ub__node {
    ub_tape *tape;
    ub__node *previous; /* recorded before it */
    ub_variable *output;
    ub__backward_fn backward;
    ub__release_fn release;
    void *state; /* behind the inputs */
    int recorded;
    int n_inputs;
    struct ub__input inputs[];
};

struct ub_tape {
    ub_context *context;
    ub__node *last;         /* recorded node */
    ub_variable *variables; /* owned, newest first */
    int recording;
};

/* Give the variable to the tape. */
void ub__tape_own(ub_tape *tape, ub_variable *variable);

/* Drop the gradients that a failed backward() began: they may be garbage. */
void ub__node_drop_begun(ub__node *node);

/* Release the state and the node; its output stays with the tape. */
void ub__node_destroy(ub__node *node);

#endif
