/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_TESTS_OPS_SCENE_H
#define UBOOST_TESTS_OPS_SCENE_H

#include "support.h"

#include <uboost/ops.h>

/* A context, a tape and some leaves, made and destroyed around a test. */
#define SCENE_LEAVES 16

struct scene {
    ub_context *context;
    ub_tape *tape;
    int leaves_n;
    ub_variable *leaves[SCENE_LEAVES];
};

/* With so many threads, portable kernels or not. */
void scene_open(struct scene *scene, int threads, int portable);
void scene_close(struct scene *scene);

/* A leaf of that shape; ends at the first 0 of the four extents. Its values
 * are a shuffle of numbers at even steps around 0, none of them 0: so far from
 * each other and from kinks as can be. The largest is about 2. */
ub_variable *scene_leaf(struct scene *scene, int64_t a, int64_t b, int64_t c,
                        int64_t d);

/* Values of a variable and of its gradient. */
float *scene_data(const ub_variable *variable);
float *scene_grad(const ub_variable *variable);
int64_t scene_count(const ub_variable *variable);

/* The test fails, with the error's text, unless it is UB_OK. */
void scene_ok(const struct scene *scene, ub_status status);
/* The test fails unless status and text of the error are these. */
void scene_error(const struct scene *scene, ub_status status,
                 ub_status expected, const char *text);

/* Backward from a result, with a gradient of +-1/2, 1, 3/2, ... */
ub_tensor *scene_backward(struct scene *scene, ub_variable *result);

#endif
