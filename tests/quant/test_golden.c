/* SPDX-License-Identifier: BSD-2-Clause */
#include "autonba.h"

#include <math.h>
#include <string.h>
#include <uboost/nn.h>

/*
 * Quantizers against autonba.json, which the reference computed in double. The
 * inputs keep away from ties, so that levels are the same; what remains are a
 * few roundings to float of values about 1, and sums of at most 12 products.
 */
#define TOLERANCE 1e-5

static ub_bit_choice one(const json_t *bits, int32_t *width)
{
    ub_bit_choice choice;

    *width = (int32_t) json_integer_value(bits);
    ub_bit_choice_init(&choice, sizeof choice);
    choice.n = 1;
    choice.bits = width;
    return choice;
}

/* The gradient of x under a rule; ones go in where the case has none. */
static void check_rule(const json_t *from, int masked, const char *name)
{
    const json_t *gy = json_object_get(from, "grad_out");
    const int weight = gy != NULL;
    ub_quant_options options = autonba_options(masked);
    ub_variable *x, *y = NULL;
    int64_t shape[4];
    struct scene scene;
    ub_tensor *grad;
    int32_t bits;
    ub_bit_choice choice = one(autonba_get(from, "bits"), &bits);
    int rank = autonba_shape(autonba_get(from, "shape"), shape);

    scene_open(&scene, 1, 0);
    x = autonba_leaf(&scene, autonba_get(from, "x"), rank, shape);
    if (weight)
        scene_ok(&scene,
                 ub_op_quantize_weight(scene.tape, x, &choice, &options, &y));
    else
        scene_ok(&scene,
                 ub_op_quantize_input(scene.tape, x, &choice, NULL,
                                      UB_QUANT_RANGE_BATCH, &options, &y));
    autonba_close("q", scene_data(y), scene_count(y), autonba_get(from, "q"),
                  TOLERANCE);
    grad = gy != NULL ? autonba_grad(&scene, y, gy) : NULL;
    if (grad == NULL) {
        scene_ok(&scene, ub_tensor_create(scene.context, rank, shape, &grad));
        ub_tensor_fill(grad, 1.0f);
    }
    scene_ok(&scene, ub_tape_backward_from(scene.tape, y, grad));
    ub_tensor_unref(&grad);
    autonba_grad_close(name, x, autonba_get(from, name), TOLERANCE);
    scene_close(&scene);
}

static void check_ties(const json_t *from)
{
    ub_quant_options options = autonba_options(0);
    ub_variable *x, *y = NULL;
    struct scene scene;
    int32_t bits;
    ub_bit_choice choice = one(autonba_get(from, "bits"), &bits);

    scene_open(&scene, 1, 0);
    x = autonba_leaf(&scene, autonba_get(from, "x"), 0, NULL);
    scene_ok(&scene, ub_op_quantize_input(scene.tape, x, &choice, NULL,
                                          UB_QUANT_RANGE_BATCH, &options, &y));
    autonba_close("ties", scene_data(y), scene_count(y), autonba_get(from, "q"),
                  0.0);
    scene_close(&scene);
}

static void quantizer(void **state)
{
    json_t *root = autonba_open();
    const json_t *cases;
    int seen = 0;

    (void) state;
    if (root == NULL)
        skip();
    cases = autonba_get(root, "quantizer");
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *from = json_array_get(cases, i);
        const char *kind = autonba_text(from, "kind");

        if (strcmp(kind, "weight_per_out_channel") == 0) {
            check_rule(from, 1, "grad_x_update_arch");
            check_rule(from, 0, "grad_x_update_weight");
        } else if (strcmp(kind, "activation_per_tensor_train") == 0) {
            check_rule(from, 1, "grad_x_update_arch_of_sum");
        } else {
            assert_string_equal(kind, "ties_half_even");
            check_ties(from);
        }
        seen++;
    }
    assert_int_equal(seen, 6);
    json_decref(root);
}

/* -- several bit widths --------------------------------------------------- */

static void check_mix(const json_t *from, const json_t *weights)
{
    ub_quant_options options = autonba_options(1);
    ub_bit_choice choice;
    ub_variable *x, *y = NULL;
    int64_t shape[4];
    struct scene scene;
    ub_tensor *grad;
    int32_t bits[8];
    int rank = autonba_shape(autonba_get(weights, "shape"), shape);

    scene_open(&scene, 2, 0);
    x = autonba_leaf(&scene, autonba_get(weights, "x"), rank, shape);
    choice = autonba_choice(&scene, from, bits);
    choice.active = autonba_integer(from, "act_num");
    scene_ok(&scene,
             ub_op_quantize_weight(scene.tape, x, &choice, &options, &y));
    autonba_close("q", scene_data(y), scene_count(y), autonba_get(from, "q"),
                  TOLERANCE);
    grad = autonba_grad(&scene, y, autonba_get(from, "grad_out"));
    scene_ok(&scene, ub_tape_backward_from(scene.tape, y, grad));
    ub_tensor_unref(&grad);
    autonba_grad_close("x", x, autonba_get(from, "grad_x"), TOLERANCE);
    autonba_grad_close("sample", choice.sample,
                       autonba_get(from, "grad_beta_sample"), TOLERANCE);
    if (choice.logits != NULL)
        autonba_grad_close("logits", choice.logits,
                           autonba_get(from, "grad_beta_param"), TOLERANCE);
    scene_close(&scene);
}

static void mixtures(void **state)
{
    json_t *root = autonba_open();
    const json_t *cases;

    (void) state;
    if (root == NULL)
        skip();
    cases = autonba_get(root, "quantizer_bitmix_update_arch");
    assert_int_equal(json_array_size(cases), 5);
    for (size_t i = 0; i < json_array_size(cases); i++)
        check_mix(json_array_get(cases, i),
                  json_array_get(autonba_get(root, "quantizer"), 0));
    json_decref(root);
}

/* -- a convolution -------------------------------------------------------- */

static void check_conv(struct scene *scene, ub_variable *x, ub_variable *w,
                       const ub_bit_choice *choice, ub_tensor *running,
                       int range, const json_t *expected)
{
    ub_quant_options options = autonba_options(0);
    ub_variable *xq = NULL, *wq = NULL, *y = NULL;

    scene_ok(scene, ub_op_quantize_input(scene->tape, x, choice, running, range,
                                         &options, &xq));
    scene_ok(scene,
             ub_op_quantize_weight(scene->tape, w, choice, &options, &wq));
    scene_ok(scene, ub_op_conv2d(scene->tape, xq, wq, NULL, NULL, &y));
    autonba_close("y", scene_data(y), scene_count(y), expected, TOLERANCE);
    {
        ub_tensor *ones = NULL;
        const ub_tensor *value = ub_variable_value(y);

        scene_ok(scene, ub_tensor_create(scene->context, ub_tensor_rank(value),
                                         ub_tensor_shape(value), &ones));
        ub_tensor_fill(ones, 1.0f);
        scene_ok(scene, ub_tape_backward_from(scene->tape, y, ones));
        ub_tensor_unref(&ones);
    }
    ub_tape_clear(scene->tape);
}

static void convolution(void **state)
{
    static const int64_t map[4] = { 1, 1, 3, 3 }, kernel[4] = { 2, 1, 2, 2 };
    const int64_t pair = 2;
    json_t *root = autonba_open();
    const json_t *from, *hetero;
    ub_variable *x1, *x2, *w;
    ub_bit_choice choice;
    struct scene scene;
    ub_tensor *run = NULL;
    int32_t bits[8];

    (void) state;
    if (root == NULL)
        skip();
    from = autonba_get(root, "qconv");
    scene_open(&scene, 1, 0);
    x1 = autonba_leaf(&scene, autonba_get(from, "x1"), 4, map);
    x2 = autonba_leaf(&scene, autonba_get(from, "x2"), 4, map);
    w = autonba_leaf(&scene, autonba_get(from, "weight"), 4, kernel);
    scene_ok(&scene, ub_tensor_create(scene.context, 1, &pair, &run));
    choice = one(autonba_get(from, "bits"), bits);
    check_conv(&scene, x1, w, &choice, run, UB_QUANT_RANGE_TRAINING,
               autonba_get(from, "y1"));
    autonba_close("running", ub_tensor_data(run), 2,
                  autonba_get(from, "running_after_1"), TOLERANCE);
    check_conv(&scene, x2, w, &choice, run, UB_QUANT_RANGE_TRAINING,
               autonba_get(from, "y2"));
    check_conv(&scene, x1, w, &choice, run, UB_QUANT_RANGE_BATCH,
               autonba_get(from, "y1"));
    autonba_close("running", ub_tensor_data(run), 2,
                  autonba_get(from, "running_after_2"), TOLERANCE);
    check_conv(&scene, x1, w, &choice, run, UB_QUANT_RANGE_RUNNING,
               autonba_get(from, "y_eval_x1"));
    hetero = autonba_get(from, "hetero_update_weight");
    choice = autonba_choice(&scene, hetero, bits);
    choice.mode = UB_BIT_MODE_SOFT;
    ub_variable_clear_grad(w);
    check_conv(&scene, x1, w, &choice, run, UB_QUANT_RANGE_TRAINING,
               autonba_get(hetero, "y"));
    autonba_grad_close("weight", w, autonba_get(hetero, "grad_weight_of_sum"),
                       TOLERANCE);
    assert_null(ub_variable_grad(choice.sample));
    ub_tensor_unref(&run);
    scene_close(&scene);
    json_decref(root);
}

/* -- single path ---------------------------------------------------------- */

static void check_path(const json_t *from)
{
    const json_t *scales = autonba_get(from, "op_scale");
    const int64_t n = (int64_t) json_array_size(scales);
    const int64_t active_n = autonba_integer(from, "act_num");
    ub_variable *x, *paths[4] = { NULL }, *sample, *logits, *y = NULL;
    int64_t active[4];
    struct scene scene;
    ub_tensor *grad;

    assert_int_equal(n, 4);
    scene_open(&scene, 1, 0);
    x = autonba_leaf(&scene, autonba_get(from, "x"), 0, NULL);
    sample = autonba_leaf(&scene, autonba_get(from, "alpha_sample"), 0, NULL);
    logits = autonba_leaf(&scene, autonba_get(from, "alpha_param"), 0, NULL);
    assert_int_equal(ub_rank_largest(n, scene_data(sample), active_n, active),
                     UB_OK);
    for (int64_t k = 0; k < active_n; k++) {
        const json_t *scale = json_array_get(scales, (size_t) active[k]);
        ub_variable *a = autonba_leaf(&scene, scale, 0, NULL);

        scene_ok(&scene,
                 ub_op_weighted_sum(scene.tape, 1, &x, a, &paths[active[k]]));
    }
    scene_ok(&scene, ub_op_single_path(scene.tape, n, paths, logits, active_n,
                                       active, &y));
    autonba_close("y", scene_data(y), 2, autonba_get(from, "y"), TOLERANCE);
    grad = autonba_grad(&scene, y, autonba_get(from, "grad_out"));
    scene_ok(&scene, ub_tape_backward_from(scene.tape, y, grad));
    ub_tensor_unref(&grad);
    autonba_grad_close("logits", logits, autonba_get(from, "grad_alpha_param"),
                       TOLERANCE);
    autonba_grad_close("x", x, autonba_get(from, "grad_x"), TOLERANCE);
    scene_close(&scene);
}

static void single_path(void **state)
{
    json_t *root = autonba_open();
    const json_t *cases;

    (void) state;
    if (root == NULL)
        skip();
    cases = autonba_get(root, "mixedop_proxy_hard");
    assert_int_equal(json_array_size(cases), 2);
    check_path(json_array_get(cases, 0));
    check_path(json_array_get(cases, 1));
    json_decref(root);
}

/* -- the step of the logits ----------------------------------------------- */

static void offset(void **state)
{
    static const int64_t active[] = { 1, 3 };
    json_t *root = autonba_open();
    ub_variable *old, *new;
    const json_t *from;
    struct scene scene;

    (void) state;
    if (root == NULL)
        skip();
    from = autonba_get(root, "offset_formula");
    scene_open(&scene, 1, 0);
    old = autonba_leaf(&scene, autonba_get(from, "old"), 0, NULL);
    new = autonba_leaf(&scene, autonba_get(from, "new"), 0, NULL);
    assert_int_equal(
        ub_logits_rebalance(scene_data(old), scene_data(new), 2, active),
        UB_OK);
    autonba_close("final", scene_data(new), 4, autonba_get(from, "final"),
                  1e-7);
    scene_close(&scene);
    json_decref(root);
}

struct step {
    struct scene scene;
    ub_variable *alpha, *beta;
    const json_t *from;
};

static const int64_t extents[3] = { 2, 3, 2 };

/* The task's gradient and the latency of the sampled path. */
static void give_gradients(struct step *s)
{
    const double weight = json_number_value(
        autonba_get(s->from, "latency_weight"));
    const json_t *path = autonba_get(s->from, "path");
    ub_variable *task[2], *sum = NULL;

    task[0] = autonba_leaf(&s->scene, autonba_get(s->from, "task_grad_alpha"),
                           2, extents);
    task[1] = autonba_leaf(&s->scene, autonba_get(s->from, "task_grad_beta"), 3,
                           extents);
    for (int64_t l = 0; l < 2; l++) {
        const json_t *choice = json_array_get(path, (size_t) l);
        int64_t op = json_integer_value(json_array_get(choice, 0));
        int64_t bit = json_integer_value(json_array_get(choice, 1));
        float cost = (float) (weight * json_number_value(json_array_get(
                                           autonba_get(s->from, "block_lat"),
                                           (size_t) l)));

        scene_data(task[0])[l * 3 + op] += cost;
        scene_data(task[1])[(l * 3 + op) * 2 + bit] += cost;
    }
    for (int i = 0; i < 2; i++) {
        scene_ok(&s->scene, ub_op_sum(s->scene.tape, 1,
                                      i == 0 ? &s->alpha : &s->beta, &sum));
        scene_ok(&s->scene, ub_tape_backward_from(s->scene.tape, sum,
                                                  ub_variable_value(task[i])));
    }
    ub_tape_clear(s->scene.tape);
}

static void rebalance(const json_t *active, const float *before, float *logits)
{
    int64_t index[3];
    size_t n = json_array_size(active);

    for (size_t i = 0; i < n; i++)
        index[i] = json_integer_value(json_array_get(active, i));
    assert_int_equal(ub_logits_rebalance(before, logits, (int64_t) n, index),
                     UB_OK);
}

static void take_step(struct step *s, ub_optimizer *optimizer, double rate)
{
    const json_t *ops = autonba_get(s->from, "active_ops");
    const json_t *bits = autonba_get(s->from, "active_bits");
    float alpha[6], beta[12];

    memcpy(alpha, scene_data(s->alpha), sizeof alpha);
    memcpy(beta, scene_data(s->beta), sizeof beta);
    scene_ok(&s->scene, ub_optimizer_step(optimizer, rate, 0.0, NULL));
    for (size_t l = 0; l < 2; l++) {
        rebalance(json_array_get(ops, l), alpha + l * 3,
                  scene_data(s->alpha) + l * 3);
        for (size_t op = 0; op < 3; op++)
            rebalance(json_array_get(json_array_get(bits, l), op),
                      beta + (l * 3 + op) * 2,
                      scene_data(s->beta) + (l * 3 + op) * 2);
    }
    ub_variable_clear_grad(s->alpha);
    ub_variable_clear_grad(s->beta);
}

/* Adam and latency and the correction, twice. */
static void architect(void **state)
{
    json_t *root = autonba_open();
    ub_optimizer *optimizer = NULL;
    ub_optimizer_options options;
    struct step s;

    (void) state;
    if (root == NULL)
        skip();
    s.from = autonba_get(root, "architect_step");
    scene_open(&s.scene, 1, 0);
    s.alpha = autonba_leaf(&s.scene, autonba_get(s.from, "alpha0"), 2, extents);
    s.beta = autonba_leaf(&s.scene, autonba_get(s.from, "beta0"), 3, extents);
    ub_optimizer_options_init(&options, sizeof options);
    options.kind = UB_OPTIMIZER_ADAM;
    options.beta1 = 0.5;
    options.beta2 = 0.999;
    scene_ok(&s.scene, ub_optimizer_create(s.scene.context, &options, 2,
                                           s.scene.leaves, &optimizer));
    for (size_t i = 0; i < 2; i++) {
        const json_t *step = json_array_get(autonba_get(s.from, "steps"), i);

        give_gradients(&s);
        take_step(&s, optimizer, json_number_value(autonba_get(s.from, "lr")));
        autonba_close("alpha", scene_data(s.alpha), 6,
                      autonba_get(step, "alpha"), 2e-7);
        autonba_close("beta", scene_data(s.beta), 12, autonba_get(step, "beta"),
                      2e-7);
    }
    ub_optimizer_destroy(&optimizer);
    scene_close(&s.scene);
    json_decref(root);
}

/* -- sampling ------------------------------------------------------------- */

static void sampling(void **state)
{
    json_t *root = autonba_open();
    const json_t *cases;

    (void) state;
    if (root == NULL)
        skip();
    cases = autonba_get(root, "gumbel_softmax");
    assert_int_equal(json_array_size(cases), 3);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *from = json_array_get(cases, i);
        const json_t *uniform = autonba_get(from, "u");
        double noise[8];
        struct scene scene;
        ub_variable *x, *y = NULL;

        scene_open(&scene, 1, 0);
        x = autonba_leaf(&scene, autonba_get(from, "logits"), 0, NULL);
        for (size_t k = 0; k < json_array_size(uniform); k++)
            noise[k] = -log(
                -log(json_number_value(json_array_get(uniform, k)) + 1e-20) +
                1e-20);
        scene_ok(&scene,
                 ub_op_gumbel_softmax(
                     scene.tape, x, noise,
                     json_number_value(autonba_get(from, "temp")), 0, &y));
        autonba_close("y", scene_data(y), scene_count(y),
                      autonba_get(from, "y"), 1e-6);
        scene_close(&scene);
    }
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantizer),   cmocka_unit_test(mixtures),
        cmocka_unit_test(convolution), cmocka_unit_test(single_path),
        cmocka_unit_test(offset),      cmocka_unit_test(architect),
        cmocka_unit_test(sampling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
