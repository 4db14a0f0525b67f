/* SPDX-License-Identifier: BSD-2-Clause */
#include "scene.h"

#include "ops/ops.h"

#include <math.h>

/*
 * The gradient of each operator against central differences of <result, gy>,
 * summed in double. With a step of 1/256, exact in float, and values of about
 * 2: differences carry a rounding error of about 2^-24 * 2 * 256 * terms, some
 * 1e-4, and the third derivative's share is below 1e-4 as well; 3e-3 of the
 * largest derivative, or of 1, is asked for. Leaves have their values at
 * distances of at least 1/100: no step crosses a kink.
 */
#define STEP      (1.0f / 256.0f)
#define TOLERANCE 3e-3

typedef void (*builder)(struct scene *scene, int variant);
typedef ub_status (*operation)(struct scene *scene, int variant,
                               ub_variable **out);

static double inner_product(struct scene *scene, operation run, int variant,
                            const ub_tensor *gy)
{
    ub_variable *y = NULL;
    double sum = 0.0;

    scene_ok(scene, run(scene, variant, &y));
    for (int64_t i = 0; i < ub_tensor_count(gy); i++)
        sum += (double) scene_data(y)[i] * (double) ub_tensor_data(gy)[i];
    ub_tape_clear(scene->tape);
    return sum;
}

static void check_leaf(struct scene *scene, operation run, int variant,
                       ub_variable *leaf, const ub_tensor *gy)
{
    double largest = 1.0;

    for (int64_t i = 0; i < scene_count(leaf); i++)
        largest = fmax(largest, fabs((double) scene_grad(leaf)[i]));
    for (int64_t i = 0; i < scene_count(leaf); i++) {
        float *value = &scene_data(leaf)[i], old = *value;
        double above, below;

        *value = old + STEP;
        above = inner_product(scene, run, variant, gy);
        *value = old - STEP;
        below = inner_product(scene, run, variant, gy);
        *value = old;
        assert_close((double) scene_grad(leaf)[i],
                     (above - below) / (2.0 * (double) STEP),
                     TOLERANCE * largest);
    }
}

/* Two passes: gradients of the second are added to those of the first. */
static void check(builder build, operation run, int variant)
{
    struct scene scene;
    ub_tensor *gy;
    ub_variable *y = NULL;

    scene_open(&scene, 1 + variant % 2, 0);
    build(&scene, variant);
    scene_ok(&scene, run(&scene, variant, &y));
    gy = scene_backward(&scene, y);
    ub_tape_clear(scene.tape);
    for (int i = 0; i < scene.leaves_n; i++)
        check_leaf(&scene, run, variant, scene.leaves[i], gy);
    ub_tensor_unref(&gy);
    for (int i = 0; i < scene.leaves_n; i++) {
        for (int64_t j = 0; j < scene_count(scene.leaves[i]); j++)
            scene_grad(scene.leaves[i])[j] *= -1.0f;
    }
    scene_ok(&scene, run(&scene, variant, &y));
    gy = scene_backward(&scene, y);
    ub_tensor_unref(&gy);
    for (int i = 0; i < scene.leaves_n; i++) {
        for (int64_t j = 0; j < scene_count(scene.leaves[i]); j++)
            assert_close((double) scene_grad(scene.leaves[i])[j], 0.0, 1e-4);
    }
    scene_close(&scene);
}

/* -- convolution ---------------------------------------------------------- */

static const struct {
    int64_t n, c, h, w, f, kh, kw, stride, ph, pw, dilation, groups;
    int bias;
} convolutions[] = {
    { 1, 2, 5, 6, 3, 3, 3, 1, 1, 1, 1, 1, 1 },
    { 2, 1, 5, 5, 2, 3, 1, 2, 0, 1, 1, 1, 0 },
    { 1, 3, 6, 5, 3, 3, 3, 1, 2, 2, 2, 3, 1 },
    { 2, 4, 3, 3, 2, 2, 2, 3, 1, 0, 1, 2, 1 },
    { 1, 2, 4, 4, 4, 1, 1, 1, 0, 0, 1, 1, 0 },
    { 2, 2, 1, 7, 4, 1, 5, 1, 0, 2, 1, 2, 1 },
};

static void build_conv2d(struct scene *s, int v)
{
    scene_leaf(s, convolutions[v].n, convolutions[v].c, convolutions[v].h,
               convolutions[v].w);
    scene_leaf(s, convolutions[v].f, convolutions[v].c / convolutions[v].groups,
               convolutions[v].kh, convolutions[v].kw);
    if (convolutions[v].bias)
        scene_leaf(s, convolutions[v].f, 0, 0, 0);
}

static ub_status run_conv2d(struct scene *s, int v, ub_variable **out)
{
    ub_conv2d_options options;

    ub_conv2d_options_init(&options, sizeof options);
    options.stride = convolutions[v].stride;
    options.pad_height = convolutions[v].ph;
    options.pad_width = convolutions[v].pw;
    options.dilation = convolutions[v].dilation;
    options.groups = convolutions[v].groups;
    return ub_op_conv2d(s->tape, s->leaves[0], s->leaves[1], s->leaves[2],
                        &options, out);
}

static void test_conv2d(void **state)
{
    (void) state;
    for (int v = 0; v < 6; v++)
        check(build_conv2d, run_conv2d, v);
}

/* -- linear, norm --------------------------------------------------------- */

static void build_linear(struct scene *s, int v)
{
    scene_leaf(s, 3, 5, 0, 0);
    scene_leaf(s, 4, 5, 0, 0);
    if (v)
        scene_leaf(s, 4, 0, 0, 0);
}

static ub_status run_linear(struct scene *s, int v, ub_variable **out)
{
    (void) v;
    return ub_op_linear(s->tape, s->leaves[0], s->leaves[1], s->leaves[2], out);
}

static void test_linear(void **state)
{
    (void) state;
    check(build_linear, run_linear, 0);
    check(build_linear, run_linear, 1);
}

static void build_batch_norm(struct scene *s, int v)
{
    if (v % 2)
        scene_leaf(s, 7, 3, 0, 0);
    else
        scene_leaf(s, 2, 3, 3, 2);
    scene_leaf(s, 3, 0, 0, 0);
    scene_leaf(s, 3, 0, 0, 0);
}

/* Variants: two shapes, training or not. */
static ub_status run_batch_norm(struct scene *s, int v, ub_variable **out)
{
    const int64_t three[] = { 3 };
    ub_batch_norm_options options;
    ub_tensor *mean = NULL, *var = NULL;
    ub_status status;

    ub_batch_norm_options_init(&options, sizeof options);
    options.training = v < 2;
    scene_ok(s, ub_tensor_create(s->context, 1, three, &mean));
    scene_ok(s, ub_tensor_create(s->context, 1, three, &var));
    ub_tensor_fill(mean, 0.25f);
    ub_tensor_fill(var, 2.0f);
    status = ub_op_batch_norm(s->tape, s->leaves[0], s->leaves[1], s->leaves[2],
                              mean, var, &options, out);
    ub_tensor_unref(&mean);
    ub_tensor_unref(&var);
    return status;
}

static void test_batch_norm(void **state)
{
    (void) state;
    for (int v = 0; v < 4; v++)
        check(build_batch_norm, run_batch_norm, v);
}

/* -- one operand ---------------------------------------------------------- */

static void build_image(struct scene *s, int v)
{
    (void) v;
    scene_leaf(s, 2, 2, 5, 6);
}

static ub_status run_relu(struct scene *s, int v, ub_variable **out)
{
    (void) v;
    return ub_op_relu(s->tape, s->leaves[0], out);
}

static const int64_t windows[][3] = {
    { 2, 2, 0 }, { 3, 2, 1 }, { 3, 1, 1 }, { 5, 3, 2 }, { 1, 2, 0 }
};

static ub_status run_max_pool(struct scene *s, int v, ub_variable **out)
{
    return ub_op_max_pool2d(s->tape, s->leaves[0], windows[v][0], windows[v][1],
                            windows[v][2], out);
}

static ub_status run_avg_pool(struct scene *s, int v, ub_variable **out)
{
    const int64_t *window = windows[v / 2];

    return ub_op_avg_pool2d(s->tape, s->leaves[0], window[0], window[1],
                            window[2], v % 2, out);
}

static ub_status run_global_pool(struct scene *s, int v, ub_variable **out)
{
    (void) v;
    return ub_op_global_avg_pool(s->tape, s->leaves[0], out);
}

static ub_status run_reshape(struct scene *s, int v, ub_variable **out)
{
    const int64_t shape[] = { 4, 30 };

    (void) v;
    return ub_op_reshape(s->tape, s->leaves[0], 2, shape, out);
}

static void test_relu(void **state)
{
    (void) state;
    check(build_image, run_relu, 0);
}

static void test_pools(void **state)
{
    (void) state;
    for (int v = 0; v < 5; v++)
        check(build_image, run_max_pool, v);
    for (int v = 0; v < 10; v++)
        check(build_image, run_avg_pool, v);
    check(build_image, run_global_pool, 0);
}

static void test_reshape(void **state)
{
    (void) state;
    check(build_image, run_reshape, 0);
}

/* -- sums ----------------------------------------------------------------- */

static void build_three(struct scene *s, int v)
{
    (void) v;
    for (int i = 0; i < 3; i++)
        scene_leaf(s, 2, 3, 2, 0);
    scene_leaf(s, 3, 0, 0, 0);
}

static ub_status run_sum(struct scene *s, int v, ub_variable **out)
{
    ub_variable *x[] = { s->leaves[0], s->leaves[1], s->leaves[2] };
    ub_status status;

    if (v == 0) {
        status = ub_op_sum(s->tape, 3, x, out);
    } else {
        /* One operand twice, and a result between. */
        status = ub_op_add(s->tape, x[0], x[1], &x[1]);
        if (status == UB_OK)
            status = ub_op_add(s->tape, x[1], x[1], &x[1]);
        if (status == UB_OK)
            status = ub_op_sum(s->tape, 3, x, out);
    }
    /* The fourth leaf, for it must have a gradient. */
    return status == UB_OK
               ? ub_op_mask_channels(s->tape, *out, s->leaves[3], out)
               : status;
}

static ub_status run_weighted_sum(struct scene *s, int v, ub_variable **out)
{
    (void) v;
    return ub_op_weighted_sum(s->tape, 3, s->leaves, s->leaves[3], out);
}

static void build_pair(struct scene *s, int v)
{
    (void) v;
    scene_leaf(s, 2, 3, 2, 0);
    scene_leaf(s, 2, 3, 2, 0);
    scene_leaf(s, 3, 0, 0, 0);
}

static ub_status run_weighted_pair(struct scene *s, int v, ub_variable **out)
{
    ub_variable *x[] = { s->leaves[0], NULL, s->leaves[1] };

    (void) v;
    return ub_op_weighted_sum(s->tape, 3, x, s->leaves[2], out);
}

static ub_status run_weighted_twice(struct scene *s, int v, ub_variable **out)
{
    ub_variable *x[] = { s->leaves[0], s->leaves[1], s->leaves[0] };

    (void) v;
    return ub_op_weighted_sum(s->tape, 3, x, s->leaves[2], out);
}

/* x normalized with ReLU, x as it is, x normalized and nothing; biases keep
 * the kinks of the ReLU away, yet it cuts a channel off and lets one pass. */
static void build_mixed(struct scene *s, int v)
{
    build_batch_norm(s, v);
    build_batch_norm(s, v);
    if (v % 2)
        scene_leaf(s, 7, 3, 0, 0);
    else
        scene_leaf(s, 2, 3, 3, 2);
    scene_leaf(s, 4, 0, 0, 0);
    for (int c = 0; c < 3; c++) {
        scene_data(s->leaves[1])[c] = 1.0f;
        scene_data(s->leaves[2])[c] = c == 0 ? -4.0f : c == 1 ? 4.0f : 0.03f;
    }
}

/* Variants: two shapes, training or not. */
static ub_status run_mixed(struct scene *s, int v, ub_variable **out)
{
    const int64_t three[] = { 3 };
    ub__mixed_term terms[4] = { { .x = s->leaves[0] },
                                { .x = s->leaves[6] },
                                { .x = s->leaves[3] },
                                { .x = NULL } };
    ub_tensor *mean = NULL, *var = NULL;
    ub_status status;

    scene_ok(s, ub_tensor_create(s->context, 1, three, &mean));
    scene_ok(s, ub_tensor_create(s->context, 1, three, &var));
    ub_tensor_fill(mean, 0.25f);
    ub_tensor_fill(var, 2.0f);
    for (int i = 0; i < 4; i += 2) {
        ub__mixed_term *term = &terms[i];

        term->normalized = 1;
        term->weight = s->leaves[i == 0 ? 1 : 4];
        term->bias = s->leaves[i == 0 ? 2 : 5];
        term->running_mean = mean;
        term->running_var = var;
        ub_batch_norm_options_init(&term->options, sizeof term->options);
        term->options.training = v < 2;
        term->options.relu = i == 0;
    }
    status = ub__op_mixed_sum(s->tape, "mixed sum", 4, terms, s->leaves[7],
                              out);
    ub_tensor_unref(&mean);
    ub_tensor_unref(&var);
    return status;
}

static void test_mixed_sum(void **state)
{
    (void) state;
    for (int v = 0; v < 4; v++)
        check(build_mixed, run_mixed, v);
}

static void test_sums(void **state)
{
    (void) state;
    check(build_three, run_sum, 0);
    check(build_three, run_sum, 1);
    check(build_three, run_weighted_sum, 0);
    check(build_pair, run_weighted_pair, 0);
    check(build_pair, run_weighted_twice, 0);
}

static void build_concat(struct scene *s, int v)
{
    (void) v;
    scene_leaf(s, 2, 1, 3, 0);
    scene_leaf(s, 2, 4, 3, 0);
    scene_leaf(s, 2, 2, 3, 0);
}

static ub_status run_concat(struct scene *s, int v, ub_variable **out)
{
    ub_variable *x[] = { s->leaves[0], s->leaves[1], s->leaves[2],
                         s->leaves[0] };

    return ub_op_concat(s->tape, 3 + v, x, out);
}

static ub_status run_shuffle(struct scene *s, int v, ub_variable **out)
{
    return ub_op_channel_shuffle(s->tape, s->leaves[0], v, out);
}

static void build_channels(struct scene *s, int v)
{
    (void) v;
    scene_leaf(s, 2, 6, 3, 2);
}

static void test_channel_shuffle(void **state)
{
    (void) state;
    check(build_channels, run_shuffle, 1);
    check(build_channels, run_shuffle, 2);
    check(build_channels, run_shuffle, 3);
}

static void test_concat(void **state)
{
    (void) state;
    check(build_concat, run_concat, 0);
    check(build_concat, run_concat, 1); /* one operand twice */
}

/* -- softmax and its kin -------------------------------------------------- */

static void build_logits(struct scene *s, int v)
{
    (void) v;
    scene_leaf(s, 3, 4, 0, 0);
}

static ub_status run_softmax(struct scene *s, int v, ub_variable **out)
{
    return v ? ub_op_log_softmax(s->tape, s->leaves[0], out)
             : ub_op_softmax(s->tape, s->leaves[0], out);
}

static ub_status run_gumbel(struct scene *s, int v, ub_variable **out)
{
    double noise[12];
    ub_rng rng;

    ub_rng_init(&rng, 3, 0);
    for (int i = 0; i < 12; i++)
        noise[i] = ub_rng_gumbel(&rng);
    return ub_op_gumbel_softmax(s->tape, s->leaves[0], noise, v ? 0.5 : 2.0, 0,
                                out);
}

static ub_status run_cross_entropy(struct scene *s, int v, ub_variable **out)
{
    const int32_t labels[] = { 3, 0, 0 };

    return ub_op_cross_entropy(s->tape, s->leaves[0], labels, v ? 0.1 : 0.0,
                               out);
}

static void test_softmax(void **state)
{
    (void) state;
    for (int v = 0; v < 2; v++) {
        check(build_logits, run_softmax, v);
        check(build_logits, run_gumbel, v);
        check(build_logits, run_cross_entropy, v);
    }
}

/* The same mask each time: the generator starts anew. */
static ub_status run_dropout(struct scene *s, int v, ub_variable **out)
{
    ub_rng rng;

    ub_rng_init(&rng, 9, 0);
    return v ? ub_op_drop_path(s->tape, s->leaves[0], 0.5, &rng, out)
             : ub_op_dropout(s->tape, s->leaves[0], 0.3, &rng, out);
}

static void test_dropout(void **state)
{
    (void) state;
    check(build_image, run_dropout, 0);
    check(build_image, run_dropout, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv2d),
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_batch_norm),
        cmocka_unit_test(test_relu),
        cmocka_unit_test(test_pools),
        cmocka_unit_test(test_reshape),
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_concat),
        cmocka_unit_test(test_softmax),
        cmocka_unit_test(test_dropout),
        cmocka_unit_test(test_mixed_sum),
        cmocka_unit_test(test_channel_shuffle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
