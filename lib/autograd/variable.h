/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_AUTOGRAD_VARIABLE_H
#define UBOOST_LIB_AUTOGRAD_VARIABLE_H

#include "autograd/autograd.h"

/* Inside of a variable, for the files of this folder. */

struct ub_variable {
    ub_context *context;
    ub_tensor *value;
    ub_tensor *grad;   /* NULL as long as nothing was added */
    ub_tape *tape;     /* its owner; NULL for a leaf */
    ub__node *node;    /* that makes it; NULL when none is recorded */
    ub_variable *next; /* of the same tape */
    int requires_grad;
    int result; /* of an operator: backward releases its value */
};

/* Without tape, node and gradient; takes a reference of the value. */
ub_status ub__variable_create(ub_context *context, ub_tensor *value,
                              ub_variable **out);
void ub__variable_destroy(ub_variable *variable);

#endif
