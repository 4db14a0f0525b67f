/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_TESTS_NN_FIXTURE_H
#define UBOOST_TESTS_NN_FIXTURE_H

#include "support.h"

#include <uboost/autograd.h>

/* Give a group of tests a context of two threads as *state. */
int setup(void **state);
int teardown(void **state);

/* Add n given values to the gradient of a leaf, by the backward pass of an
 * operator that only passes them on. */
ub_status add_gradient(ub_variable *leaf, const float *values);

#endif
