/* SPDX-License-Identifier: BSD-2-Clause */
#include "scene.h"

#include <stdlib.h>
#include <string.h>

void scene_open(struct scene *scene, int threads, int portable)
{
    ub_context_options options;

    memset(scene, 0, sizeof *scene);
    ub_context_options_init(&options, sizeof options);
    options.threads = threads;
    options.portable_kernels = portable;
    assert_int_equal(ub_context_create(&options, &scene->context), UB_OK);
    assert_int_equal(ub_tape_create(scene->context, &scene->tape), UB_OK);
}

void scene_close(struct scene *scene)
{
    ub_tape_destroy(&scene->tape);
    for (int i = 0; i < scene->leaves_n; i++)
        ub_variable_destroy(&scene->leaves[i]);
    ub_context_destroy(&scene->context);
}

ub_variable *scene_leaf(struct scene *scene, int64_t a, int64_t b, int64_t c,
                        int64_t d)
{
    const int64_t shape[] = { a, b, c, d };
    ub_tensor *tensor = NULL;
    int64_t *order, n;
    ub_rng rng;
    int rank = 0;

    while (rank < 4 && shape[rank] != 0)
        rank++;
    assert_true(scene->leaves_n < SCENE_LEAVES);
    assert_int_equal(ub_tensor_create(scene->context, rank, shape, &tensor),
                     UB_OK);
    n = ub_tensor_count(tensor);
    order = malloc((size_t) n * sizeof *order);
    for (int64_t i = 0; i < n; i++)
        order[i] = i;
    ub_rng_init(&rng, 5, (uint64_t) scene->leaves_n);
    ub_rng_shuffle(&rng, order, (size_t) n);
    for (int64_t i = 0; i < n; i++)
        ub_tensor_data(tensor)[i] = ((float) (order[i] - n / 2) + 0.5f) *
                                    (4.0f / (float) n);
    free(order);
    assert_int_equal(
        ub_variable_create(tensor, 1, &scene->leaves[scene->leaves_n]), UB_OK);
    ub_tensor_unref(&tensor);
    return scene->leaves[scene->leaves_n++];
}

float *scene_data(const ub_variable *variable)
{
    return ub_tensor_data(ub_variable_value(variable));
}

float *scene_grad(const ub_variable *variable)
{
    assert_non_null(ub_variable_grad(variable));
    return ub_tensor_data(ub_variable_grad(variable));
}

int64_t scene_count(const ub_variable *variable)
{
    return ub_tensor_count(ub_variable_value(variable));
}

void scene_ok(const struct scene *scene, ub_status status)
{
    if (status != UB_OK)
        fail_msg("%s: %s", ub_status_str(status),
                 ub_context_last_error(scene->context));
}

void scene_error(const struct scene *scene, ub_status status,
                 ub_status expected, const char *text)
{
    if (status != expected)
        fail_msg("%s, expected %s: %s", ub_status_str(status),
                 ub_status_str(expected), text);
    assert_string_equal(ub_context_last_error(scene->context), text);
}

ub_tensor *scene_backward(struct scene *scene, ub_variable *result)
{
    ub_tensor *value = ub_variable_value(result), *grad = NULL;

    scene_ok(scene, ub_tensor_create(scene->context, ub_tensor_rank(value),
                                     ub_tensor_shape(value), &grad));
    for (int64_t i = 0; i < ub_tensor_count(grad); i++)
        ub_tensor_data(grad)[i] = (float) (1 + i % 5) *
                                  (i % 3 == 0 ? -0.5f : 0.5f);
    scene_ok(scene, ub_tape_backward_from(scene->tape, result, grad));
    return grad;
}
