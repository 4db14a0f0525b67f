/* SPDX-License-Identifier: BSD-2-Clause */
#include "scene.h"

#include <math.h>
#include <string.h>

/* What operators promise beyond their formulas. */

static struct scene scene;

static int setup(void **state)
{
    (void) state;
    scene_open(&scene, 1, 0);
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    scene_close(&scene);
    return 0;
}

static void fill(ub_variable *variable, const float *values)
{
    memcpy(scene_data(variable), values,
           (size_t) scene_count(variable) * sizeof *values);
}

static void assert_values(const float *actual, const float *expected, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        assert_close((double) actual[i], (double) expected[i], 1e-6);
}

/* -- convolution, pooling ------------------------------------------------- */

/* By hand: small integers, exact in any order. */
static void test_conv2d_by_hand(void **state)
{
    static const float image[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
    static const float kernel[] = { 1, 0, 2, -1 };
    static const float bias[] = { 10 };
    static const float expected[] = { 1 + 8 - 5 + 10, 2 + 10 - 6 + 10,
                                      4 + 14 - 8 + 10, 5 + 16 - 9 + 10 };
    ub_variable *x = scene_leaf(&scene, 1, 1, 3, 3), *y = NULL;
    ub_variable *w = scene_leaf(&scene, 1, 1, 2, 2);
    ub_variable *b = scene_leaf(&scene, 1, 0, 0, 0);

    (void) state;
    fill(x, image);
    fill(w, kernel);
    fill(b, bias);
    scene_ok(&scene, ub_op_conv2d(scene.tape, x, w, b, NULL, &y));
    assert_int_equal(scene_count(y), 4);
    assert_memory_equal(scene_data(y), expected, sizeof expected);
}

/* Frozen operands get no gradient, and cost none. */
static void test_conv2d_frozen(void **state)
{
    ub_variable *x = scene_leaf(&scene, 2, 3, 4, 4), *y = NULL;
    ub_variable *w = scene_leaf(&scene, 2, 3, 3, 3);
    ub_variable *b = scene_leaf(&scene, 2, 0, 0, 0);
    ub_tensor *grad;

    (void) state;
    for (int wants = 1; wants < 8; wants++) {
        ub_variable_set_requires_grad(x, wants & 1);
        ub_variable_set_requires_grad(w, wants & 2);
        ub_variable_set_requires_grad(b, wants & 4);
        scene_ok(&scene, ub_op_conv2d(scene.tape, x, w, b, NULL, &y));
        grad = scene_backward(&scene, y);
        assert_true((ub_variable_grad(x) != NULL) == ((wants & 1) != 0));
        assert_true((ub_variable_grad(w) != NULL) == ((wants & 2) != 0));
        assert_true((ub_variable_grad(b) != NULL) == ((wants & 4) != 0));
        for (int i = 0; i < 3; i++)
            ub_variable_clear_grad(scene.leaves[i]);
        ub_tensor_unref(&grad);
        ub_tape_clear(scene.tape);
    }
}

/* The bias's gradient starts when the weight's goes on. */
static void test_conv2d_mixed_accumulation(void **state)
{
    ub_variable *x = scene_leaf(&scene, 1, 1, 3, 3), *y = NULL;
    ub_variable *w = scene_leaf(&scene, 1, 1, 2, 2);
    ub_variable *b = scene_leaf(&scene, 1, 0, 0, 0);
    float first;

    (void) state;
    for (int pass = 0; pass < 2; pass++) {
        ub_tensor *grad;

        scene_ok(&scene, ub_op_conv2d(scene.tape, x, w, b, NULL, &y));
        grad = scene_backward(&scene, y);
        if (pass == 0) {
            first = scene_grad(w)[0];
            assert_close((double) scene_grad(b)[0], 1.5 + 1.0 - 0.5 - 2.0,
                         1e-6);
            ub_variable_clear_grad(b);
        } else {
            assert_close((double) scene_grad(w)[0], 2.0 * (double) first, 1e-6);
            assert_close((double) scene_grad(b)[0], 1.5 + 1.0 - 0.5 - 2.0,
                         1e-6);
        }
        ub_tensor_unref(&grad);
        ub_tape_clear(scene.tape);
    }
}

/* The first of equal maxima, and NaN-free padding that never wins. */
static void test_max_pool_ties(void **state)
{
    static const float image[] = { -5, -5, -5, -7, -5, -5, -5, -5, -5 };
    ub_variable *x = scene_leaf(&scene, 1, 1, 3, 3), *y = NULL;
    ub_tensor *ones = NULL;

    (void) state;
    fill(x, image);
    scene_ok(&scene, ub_op_max_pool2d(scene.tape, x, 2, 2, 1, &y));
    assert_int_equal(scene_count(y), 4);
    for (int i = 0; i < 4; i++)
        assert_true(scene_data(y)[i] == -5.0f);
    scene_ok(&scene,
             ub_tensor_create(scene.context, 4,
                              ub_tensor_shape(ub_variable_value(y)), &ones));
    ub_tensor_fill(ones, 1.0f);
    scene_ok(&scene, ub_tape_backward_from(scene.tape, y, ones));
    /* Windows: {0}, {1, 2}, {3, 6}, {4, 5, 7, 8}: the last takes 4. */
    assert_true(scene_grad(x)[0] == 1.0f && scene_grad(x)[1] == 1.0f);
    assert_true(scene_grad(x)[6] == 1.0f && scene_grad(x)[4] == 1.0f);
    assert_true(scene_grad(x)[3] == 0.0f && scene_grad(x)[8] == 0.0f);
    ub_tensor_unref(&ones);
}

static void test_avg_pool_divisors(void **state)
{
    ub_variable *x = scene_leaf(&scene, 1, 1, 2, 2), *y = NULL;

    (void) state;
    ub_tensor_fill(ub_variable_value(x), 9.0f);
    scene_ok(&scene, ub_op_avg_pool2d(scene.tape, x, 3, 1, 1, 0, &y));
    for (int i = 0; i < 4; i++)
        assert_close((double) scene_data(y)[i], 9.0, 1e-6);
    scene_ok(&scene, ub_op_avg_pool2d(scene.tape, x, 3, 1, 1, 1, &y));
    for (int i = 0; i < 4; i++)
        assert_close((double) scene_data(y)[i], 4.0, 1e-6);
}

/* -- batch normalization -------------------------------------------------- */

/* Fused and apart: the same but for rounding; running statistics as well. */
static void test_batch_norm_relu(void **state)
{
    ub_variable *x = scene_leaf(&scene, 3, 4, 5, 0), *y[2];
    ub_variable *w = scene_leaf(&scene, 4, 0, 0, 0);
    ub_variable *b = scene_leaf(&scene, 4, 0, 0, 0);
    float kept[60], gradient[68];

    (void) state;
    for (int fused = 0; fused < 2; fused++) {
        ub_batch_norm_options options;
        ub_tensor *grad;

        ub_batch_norm_options_init(&options, sizeof options);
        options.relu = fused;
        scene_ok(&scene, ub_op_batch_norm(scene.tape, x, w, b, NULL, NULL,
                                          &options, &y[fused]));
        if (!fused) {
            scene_ok(&scene, ub_op_relu(scene.tape, y[0], &y[0]));
            memcpy(kept, scene_data(y[0]), sizeof kept);
        } else {
            assert_values(scene_data(y[1]), kept, 60);
        }
        grad = scene_backward(&scene, y[fused]);
        if (fused) {
            assert_values(scene_grad(x), gradient, 60);
            assert_values(scene_grad(w), gradient + 60, 4);
            assert_values(scene_grad(b), gradient + 64, 4);
        }
        memcpy(gradient, scene_grad(x), 60 * sizeof(float));
        memcpy(gradient + 60, scene_grad(w), 4 * sizeof(float));
        memcpy(gradient + 64, scene_grad(b), 4 * sizeof(float));
        for (int i = 0; i < 3; i++)
            ub_variable_clear_grad(scene.leaves[i]);
        ub_tensor_unref(&grad);
        ub_tape_clear(scene.tape);
    }
}

/* Constant maps: variance 0, and the result is the bias. */
static void test_batch_norm_constant(void **state)
{
    ub_variable *x = scene_leaf(&scene, 2, 3, 4, 4), *y = NULL;
    ub_variable *w = scene_leaf(&scene, 3, 0, 0, 0);
    ub_variable *b = scene_leaf(&scene, 3, 0, 0, 0);
    ub_tensor *grad;

    (void) state;
    ub_tensor_fill(ub_variable_value(x), 0.1f);
    scene_ok(&scene,
             ub_op_batch_norm(scene.tape, x, w, b, NULL, NULL, NULL, &y));
    /* 1 / sqrt(eps) = 316 magnifies the rounding of x: 316 * 2 * 2^-24 * 0.1 */
    for (int i = 0; i < 96; i++)
        assert_close((double) scene_data(y)[i],
                     (double) scene_data(b)[i / 16 % 3], 1e-5);
    grad = scene_backward(&scene, y);
    for (int i = 0; i < 96; i++)
        assert_true(isfinite(scene_grad(x)[i]));
    ub_tensor_unref(&grad);
}

/* A large mean must not drown the variance: sums are centred, in double. */
static void test_batch_norm_large_mean(void **state)
{
    ub_variable *x = scene_leaf(&scene, 8, 1, 8, 0), *y = NULL;
    ub_variable *w = scene_leaf(&scene, 1, 0, 0, 0);
    ub_variable *b = scene_leaf(&scene, 1, 0, 0, 0);
    const int64_t one[] = { 1 };
    ub_tensor *mean = NULL, *var = NULL;

    (void) state;
    for (int i = 0; i < 64; i++)
        scene_data(x)[i] = 4096.0f + (float) (i % 2);
    scene_ok(&scene, ub_tensor_create(scene.context, 1, one, &mean));
    scene_ok(&scene, ub_tensor_create(scene.context, 1, one, &var));
    ub_tensor_fill(mean, 2.0f);
    ub_tensor_fill(var, 3.0f);
    scene_ok(&scene,
             ub_op_batch_norm(scene.tape, x, w, b, mean, var, NULL, &y));
    assert_close((double) ub_tensor_data(mean)[0], 0.9 * 2.0 + 409.65, 1e-4);
    assert_close((double) ub_tensor_data(var)[0],
                 0.9 * 3.0 + 0.1 * 0.25 * 64.0 / 63.0, 1e-6);
    ub_tensor_unref(&mean);
    ub_tensor_unref(&var);
}

/* A failed call leaves running statistics alone, and so does inference. */
static void test_batch_norm_running(void **state)
{
    ub_variable *x = scene_leaf(&scene, 2, 3, 2, 0), *y = NULL;
    ub_variable *w = scene_leaf(&scene, 3, 0, 0, 0);
    const int64_t three[] = { 3 };
    ub_batch_norm_options options;
    ub_tensor *mean = NULL, *var = NULL;

    (void) state;
    ub_batch_norm_options_init(&options, sizeof options);
    scene_ok(&scene, ub_tensor_create(scene.context, 1, three, &mean));
    scene_ok(&scene, ub_tensor_create(scene.context, 1, three, &var));
    ub_tensor_fill(var, 1.0f);
    assert_int_equal(
        ub_op_batch_norm(scene.tape, x, w, w, mean, var, NULL, NULL),
        UB_ERR_INVALID);
    options.training = 0;
    scene_ok(&scene,
             ub_op_batch_norm(scene.tape, x, w, w, mean, var, &options, &y));
    for (int i = 0; i < 3; i++) {
        assert_true(ub_tensor_data(mean)[i] == 0.0f);
        assert_true(ub_tensor_data(var)[i] == 1.0f);
    }
    ub_tensor_unref(&mean);
    ub_tensor_unref(&var);
}

/* -- the others ----------------------------------------------------------- */

/* What is large must not overflow, what is small not vanish. */
static void test_softmax_range(void **state)
{
    static const float logits[] = { 1000, 1000, -1000, -1000 };
    static const float expected[] = { 0.5f, 0.5f, 0, 0 };
    static const float logarithms[] = { -0.6931472f, -0.6931472f, -2000.6931f,
                                        -2000.6931f };
    const int32_t label[] = { 2 };
    ub_variable *x = scene_leaf(&scene, 1, 4, 0, 0), *y = NULL;

    (void) state;
    fill(x, logits);
    scene_ok(&scene, ub_op_softmax(scene.tape, x, &y));
    assert_values(scene_data(y), expected, 4);
    scene_ok(&scene, ub_op_log_softmax(scene.tape, x, &y));
    assert_values(scene_data(y), logarithms, 2);
    assert_close((double) scene_data(y)[3], -2000.6931, 2e-4);
    scene_ok(&scene, ub_op_cross_entropy(scene.tape, x, label, 0.0, &y));
    assert_close((double) scene_data(y)[0], 2000.6931, 2e-4);
}

/* Straight through: one-hot values, gradients of the soft ones. */
static void test_gumbel_hard(void **state)
{
    static const double noise[] = { 0.1, 1.0, -0.3, 0.7, 0.7, 0.7 };
    static const float logits[] = { 0, 0, 0, 1, 1, 1 };
    static const float expected[] = { 0, 1, 0, 1, 0, 0 };
    ub_variable *x = scene_leaf(&scene, 2, 3, 0, 0), *y = NULL;
    float soft[6];

    (void) state;
    fill(x, logits);
    for (int hard = 0; hard < 2; hard++) {
        ub_tensor *grad;

        scene_ok(&scene,
                 ub_op_gumbel_softmax(scene.tape, x, noise, 0.7, hard, &y));
        if (hard)
            assert_memory_equal(scene_data(y), expected, sizeof expected);
        grad = scene_backward(&scene, y);
        if (hard)
            assert_memory_equal(scene_grad(x), soft, sizeof soft);
        memcpy(soft, scene_grad(x), sizeof soft);
        ub_variable_clear_grad(x);
        ub_tensor_unref(&grad);
        ub_tape_clear(scene.tape);
    }
}

static void test_weighted_sum_absent(void **state)
{
    ub_variable *x = scene_leaf(&scene, 2, 3, 0, 0), *y = NULL;
    ub_variable *a = scene_leaf(&scene, 3, 0, 0, 0);
    ub_variable *terms[] = { NULL, x, NULL };
    ub_tensor *grad;

    (void) state;
    scene_ok(&scene, ub_op_weighted_sum(scene.tape, 3, terms, a, &y));
    for (int i = 0; i < 6; i++)
        assert_close((double) scene_data(y)[i],
                     (double) scene_data(x)[i] * (double) scene_data(a)[1],
                     1e-6);
    grad = scene_backward(&scene, y);
    assert_true(scene_grad(a)[0] == 0.0f && scene_grad(a)[2] == 0.0f);
    assert_true(scene_grad(a)[1] != 0.0f);
    ub_tensor_unref(&grad);
}

/* A view of the same storage, forward; and back. */
static void test_reshape_shares(void **state)
{
    const int64_t flat[] = { 6 };
    ub_variable *x = scene_leaf(&scene, 2, 3, 0, 0), *y = NULL, *z = NULL;
    ub_tensor *grad;

    (void) state;
    scene_ok(&scene, ub_op_reshape(scene.tape, x, 1, flat, &y));
    assert_ptr_equal(scene_data(y), scene_data(x));
    scene_ok(&scene, ub_op_add(scene.tape, y, y, &z));
    grad = scene_backward(&scene, z);
    for (int i = 0; i < 6; i++)
        assert_close((double) scene_grad(x)[i],
                     2.0 * (double) ub_tensor_data(grad)[i], 1e-6);
    assert_int_equal(ub_tensor_rank(ub_variable_grad(x)), 2);
    ub_tensor_unref(&grad);
}

static void test_concat_values(void **state)
{
    static const float expected[] = { 1, 2, 3, 7, 4, 5, 6, 8 };
    static const float left[] = { 1, 2, 3, 4, 5, 6 }, right[] = { 7, 8 };
    ub_variable *x[2], *y = NULL;

    (void) state;
    x[0] = scene_leaf(&scene, 2, 3, 0, 0);
    x[1] = scene_leaf(&scene, 2, 1, 0, 0);
    fill(x[0], left);
    fill(x[1], right);
    scene_ok(&scene, ub_op_concat(scene.tape, 2, x, &y));
    assert_int_equal(ub_tensor_shape(ub_variable_value(y))[1], 4);
    assert_memory_equal(scene_data(y), expected, sizeof expected);
}

/* Of two groups of three channels, taken in turn; images stay apart. */
static void test_channel_shuffle_by_hand(void **state)
{
    static const float planes[] = { 0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15 };
    static const float in_turn[] = { 0, 3, 1, 4, 2, 5, 10, 13, 11, 14, 12, 15 };
    ub_variable *x = scene_leaf(&scene, 2, 6, 1, 1), *y = NULL;

    (void) state;
    fill(x, planes);
    scene_ok(&scene, ub_op_channel_shuffle(scene.tape, x, 2, &y));
    assert_memory_equal(scene_data(y), in_turn, sizeof in_turn);
    scene_ok(&scene, ub_op_channel_shuffle(scene.tape, y, 3, &y));
    assert_memory_equal(scene_data(y), planes, sizeof planes);
    scene_error(&scene, ub_op_channel_shuffle(scene.tape, x, 4, &y),
                UB_ERR_SHAPE,
                "channel shuffle: 4 groups do not divide the channels of x");
    scene_error(&scene, ub_op_channel_shuffle(scene.tape, x, 0, &y),
                UB_ERR_INVALID, "channel shuffle: 0 groups");
}

/* About the right share is dropped; what stays is scaled; the generator moves
 * on success only. 10000 draws of p = 0.25 deviate by sqrt(p (1 - p) n) = 43;
 * five times that is asked for. */
static void test_dropout_values(void **state)
{
    ub_variable *x = scene_leaf(&scene, 100, 100, 0, 0), *y = NULL;
    ub_rng rng, before;
    int dropped = 0;

    (void) state;
    ub_rng_init(&rng, 1, 0);
    before = rng;
    assert_int_equal(ub_op_dropout(scene.tape, x, 1.0, &rng, &y),
                     UB_ERR_INVALID);
    assert_int_equal(ub_op_dropout(scene.tape, x, 0.25, &rng, NULL),
                     UB_ERR_INVALID);
    assert_memory_equal(&rng, &before, sizeof rng);
    scene_ok(&scene, ub_op_dropout(scene.tape, x, 0.25, &rng, &y));
    assert_memory_not_equal(&rng, &before, sizeof rng);
    for (int i = 0; i < 10000; i++) {
        double kept = (double) scene_data(x)[i] / 0.75;

        if (scene_data(y)[i] == 0.0f)
            dropped++;
        else
            assert_close((double) scene_data(y)[i], kept, 1e-6);
    }
    assert_close((double) dropped, 2500.0, 5.0 * 43.4);
}

static void test_drop_path_values(void **state)
{
    ub_variable *x = scene_leaf(&scene, 64, 5, 2, 0), *y = NULL;
    int dropped = 0;
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 1, 0);
    scene_ok(&scene, ub_op_drop_path(scene.tape, x, 0.5, &rng, &y));
    for (int i = 0; i < 64; i++) {
        float factor = scene_data(y)[10 * i] == 0.0f ? 0.0f : 2.0f;

        dropped += factor == 0.0f;
        for (int j = 0; j < 10; j++)
            assert_close((double) scene_data(y)[10 * i + j],
                         (double) (factor * scene_data(x)[10 * i + j]), 1e-6);
    }
    assert_true(dropped > 10 && dropped < 54);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_conv2d_by_hand),
        TEST(test_conv2d_frozen),
        TEST(test_conv2d_mixed_accumulation),
        TEST(test_max_pool_ties),
        TEST(test_avg_pool_divisors),
        TEST(test_batch_norm_relu),
        TEST(test_batch_norm_constant),
        TEST(test_batch_norm_large_mean),
        TEST(test_batch_norm_running),
        TEST(test_softmax_range),
        TEST(test_gumbel_hard),
        TEST(test_weighted_sum_absent),
        TEST(test_reshape_shares),
        TEST(test_concat_values),
        TEST(test_channel_shuffle_by_hand),
        TEST(test_dropout_values),
        TEST(test_drop_path_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
