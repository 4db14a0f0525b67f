/* SPDX-License-Identifier: BSD-2-Clause */
#include "autonba.h"

#include <math.h>
#include <string.h>

/*
 * Whole operators of Auto-NBA's network space, float and quantized, against
 * autonba.json, forward and backward. Results are those of three convolutions
 * and as many normalizations of at most 100 values, gradients up to 30: a few
 * hundred roundings each, amplified by the normalizations. A level that flipped
 * would be off by 1e-2 and more.
 */
#define TOLERANCE 1e-4

struct block {
    struct scene *scene;
    const json_t *from;
    const ub_bit_choice *choice; /* NULL: float */
    ub_quant_options options;
    ub_variable *weights[3];
    int n_weights;
};

/* 0.5 sin(0.7 i + 0.3 + c) */
static ub_variable *weight_of(struct block *b, int64_t f, int64_t c, int64_t k)
{
    ub_variable *w = scene_leaf(b->scene, f, c, k, k);

    for (int64_t i = 0; i < scene_count(w); i++)
        scene_data(w)[i] = (float) (0.5 * sin(0.7 * (double) i + 0.3 +
                                              (double) b->n_weights));
    b->weights[b->n_weights++] = w;
    return w;
}

/* Quantizes, convolves, normalizes. */
static ub_variable *conv(struct block *b, ub_variable *x, int64_t f, int64_t k,
                         int64_t stride, int64_t pad, int64_t groups, int relu)
{
    ub_tape *tape = b->scene->tape;
    int64_t c = ub_tensor_shape(ub_variable_value(x))[1];
    ub_variable *w = weight_of(b, f, c / groups, k);
    ub_batch_norm_options norm;
    ub_conv2d_options geometry;
    ub_variable *gamma, *beta;

    ub_conv2d_options_init(&geometry, sizeof geometry);
    geometry.stride = stride;
    geometry.pad_height = geometry.pad_width = pad;
    geometry.groups = groups;
    if (b->choice != NULL) {
        scene_ok(b->scene,
                 ub_op_quantize_input(tape, x, b->choice, NULL,
                                      UB_QUANT_RANGE_BATCH, &b->options, &x));
        scene_ok(b->scene,
                 ub_op_quantize_weight(tape, w, b->choice, &b->options, &w));
    }
    scene_ok(b->scene, ub_op_conv2d(tape, x, w, NULL, &geometry, &x));
    gamma = scene_leaf(b->scene, f, 0, 0, 0);
    beta = scene_leaf(b->scene, f, 0, 0, 0);
    ub_tensor_fill(ub_variable_value(gamma), 1.0f);
    ub_tensor_fill(ub_variable_value(beta), 0.0f);
    ub_batch_norm_options_init(&norm, sizeof norm);
    norm.relu = relu;
    scene_ok(b->scene,
             ub_op_batch_norm(tape, x, gamma, beta, NULL, NULL, &norm, &x));
    return x;
}

/* Channels as (2, 2), transposed: a convolution that only moves them. */
static ub_variable *shuffle_four(struct block *b, ub_variable *x)
{
    static const int from[4] = { 0, 2, 1, 3 };
    ub_variable *w = scene_leaf(b->scene, 4, 4, 1, 1);

    for (int i = 0; i < 16; i++)
        scene_data(w)[i] = from[i / 4] == i % 4 ? 1.0f : 0.0f;
    scene_ok(b->scene, ub_op_conv2d(b->scene->tape, x, w, NULL, NULL, &x));
    return x;
}

static ub_variable *run(struct block *b, ub_variable *x)
{
    const char *name = autonba_text(b->from, "name");
    ub_variable *y;

    if (strncmp(name, "skip", 4) == 0)
        return conv(b, x, 6, 1, 2, 0, 1, 1);
    if (strncmp(name, "k5_e1", 5) == 0) {
        y = conv(b, x, 4, 1, 1, 0, 1, 1);
        y = conv(b, y, 4, 5, 2, 2, 4, 1);
        return conv(b, y, 6, 1, 1, 0, 1, 0);
    }
    assert_true(strncmp(name, "k3_e1_g2", 8) == 0);
    y = conv(b, x, 4, 1, 1, 0, 2, 1);
    y = shuffle_four(b, y);
    y = conv(b, y, 4, 3, 1, 1, 4, 1);
    y = conv(b, y, 4, 1, 1, 0, 2, 0);
    scene_ok(b->scene, ub_op_add(b->scene->tape, x, y, &y));
    return y;
}

static ub_variable *image(struct scene *scene, const json_t *from)
{
    int64_t shape[4];
    ub_variable *x;

    assert_int_equal(autonba_shape(autonba_get(from, "x_shape"), shape), 4);
    x = scene_leaf(scene, shape[0], shape[1], shape[2], shape[3]);
    for (int64_t i = 0; i < scene_count(x); i++)
        scene_data(x)[i] = (float) sin(0.37 * (double) i + 0.1);
    return x;
}

static void backward(struct scene *scene, ub_variable *y)
{
    const ub_tensor *value = ub_variable_value(y);
    ub_tensor *grad = NULL;

    scene_ok(scene, ub_tensor_create(scene->context, ub_tensor_rank(value),
                                     ub_tensor_shape(value), &grad));
    for (int64_t i = 0; i < ub_tensor_count(grad); i++)
        ub_tensor_data(grad)[i] = (float) cos(0.5 * (double) i);
    scene_ok(scene, ub_tape_backward_from(scene->tape, y, grad));
    ub_tensor_unref(&grad);
}

static void check(const json_t *from)
{
    const int weights = strcmp(autonba_text(from, "stage"), "update_weight") ==
                        0;
    const int skip_conv = strncmp(autonba_text(from, "name"), "skip", 4) == 0;
    struct block b = { .from = from };
    ub_bit_choice choice;
    struct scene scene;
    ub_variable *x, *y;
    int32_t bits[8];

    scene_open(&scene, 1, 0);
    b.scene = &scene;
    b.options = autonba_options(!weights);
    if (json_is_array(autonba_get(from, "bits"))) {
        choice = autonba_choice(&scene, from, bits);
        /* The reference forgets to mix in skip. */
        if (weights && !skip_conv)
            choice.mode = UB_BIT_MODE_SOFT;
        b.choice = &choice;
    }
    x = image(&scene, from);
    y = run(&b, x);
    autonba_close("y", scene_data(y), scene_count(y), autonba_get(from, "y"),
                  TOLERANCE);
    backward(&scene, y);
    autonba_grad_close("x", x, autonba_get(from, "grad_x"), TOLERANCE);
    for (int i = 0; i < b.n_weights; i++)
        autonba_grad_close(
            "weight", b.weights[i],
            json_array_get(autonba_get(from, "grad_w_conv"), (size_t) i),
            TOLERANCE);
    if (b.choice != NULL)
        autonba_grad_close("beta", choice.logits,
                           autonba_get(from, "grad_beta_param"), TOLERANCE);
    scene_close(&scene);
}

static void operators(void **state)
{
    json_t *root = autonba_open();
    const json_t *cases;

    (void) state;
    if (root == NULL)
        skip();
    cases = autonba_get(autonba_get(root, "operators"), "cases");
    assert_int_equal(json_array_size(cases), 6);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        print_message("%s\n", autonba_text(json_array_get(cases, i), "name"));
        check(json_array_get(cases, i));
    }
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(operators) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
