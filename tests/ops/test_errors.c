/* SPDX-License-Identifier: BSD-2-Clause */
#include "scene.h"

#include <limits.h>
#include <math.h>
#include <string.h>

/* Operands that do not fit: status and sentence; nothing is written. */

static struct scene scene;
static ub_variable *image, *matrix, *out;

static int setup(void **state)
{
    (void) state;
    scene_open(&scene, 1, 0);
    image = scene_leaf(&scene, 2, 4, 5, 6);
    matrix = scene_leaf(&scene, 3, 4, 0, 0);
    out = NULL;
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    assert_null(out);
    scene_close(&scene);
    return 0;
}

#define FAILS(call, status, text) scene_error(&scene, (call), (status), (text))

static void test_operands(void **state)
{
    ub_variable *gone = NULL;
    ub_tensor *grad;
    int32_t labels[3] = { 0 };

    (void) state;
    assert_int_equal(ub_op_relu(NULL, image, &out), UB_ERR_INVALID);
    assert_int_equal(ub_op_sum(NULL, 1, &image, &out), UB_ERR_INVALID);
    assert_int_equal(ub_op_concat(NULL, 1, &image, &out), UB_ERR_INVALID);
    assert_int_equal(ub_op_weighted_sum(NULL, 1, &image, image, &out),
                     UB_ERR_INVALID);
    assert_int_equal(ub_op_cross_entropy(NULL, matrix, labels, 0, &out),
                     UB_ERR_INVALID);
    FAILS(ub_op_relu(scene.tape, NULL, &out), UB_ERR_INVALID,
          "relu: x is NULL");
    FAILS(ub_op_relu(scene.tape, image, NULL), UB_ERR_INVALID,
          "operator: result is NULL");
    FAILS(ub_op_add(scene.tape, image, NULL, &out), UB_ERR_INVALID,
          "sum: an operand is NULL");
    FAILS(ub_op_sum(scene.tape, 0, &image, &out), UB_ERR_INVALID,
          "sum: 0 operands, expected 1 to 1048576");
    FAILS(ub_op_sum(scene.tape, INT_MAX, &image, &out), UB_ERR_INVALID,
          "sum: 2147483647 operands, expected 1 to 1048576");
    FAILS(ub_op_concat(scene.tape, 3, NULL, &out), UB_ERR_INVALID,
          "concat: 0 operands, expected 1 to 1048576");
    scene_ok(&scene, ub_op_relu(scene.tape, image, &gone));
    grad = scene_backward(&scene, gone);
    ub_tensor_unref(&grad);
    FAILS(ub_op_relu(scene.tape, gone, &out), UB_ERR_INVALID,
          "relu: the value of x is gone: its tape has run backward");
}

static void test_shapes(void **state)
{
    const int64_t wrong[] = { 7 };
    ub_variable *pair[] = { image, matrix };
    ub_variable *scalar = scene_leaf(&scene, 0, 0, 0, 0);

    (void) state;
    FAILS(ub_op_add(scene.tape, image, matrix, &out), UB_ERR_SHAPE,
          "sum: operand 1 is [3, 4], the first [2, 4, 5, 6]");
    FAILS(ub_op_concat(scene.tape, 2, pair, &out), UB_ERR_SHAPE,
          "concat: operand 1 is [3, 4], the first [2, 4, 5, 6]");
    FAILS(ub_op_concat(scene.tape, 1, &scalar, &out), UB_ERR_SHAPE,
          "concat: operand 0 is [], the first []");
    FAILS(ub_op_reshape(scene.tape, matrix, 1, wrong, &out), UB_ERR_SHAPE,
          "tensor view: [3, 4] does not fit [7]");
    FAILS(ub_op_global_avg_pool(scene.tape, matrix, &out), UB_ERR_SHAPE,
          "global pool: x is [3, 4], expected 4 dimensions");
    FAILS(ub_op_mask_channels(scene.tape, image, matrix, &out), UB_ERR_SHAPE,
          "mask channels: mask is [3, 4], expected [4]");
    FAILS(ub_op_mask_channels(scene.tape, scalar, scalar, &out), UB_ERR_SHAPE,
          "mask channels: x has 0 dimensions, expected 2 or more");
    FAILS(ub_op_softmax(scene.tape, scalar, &out), UB_ERR_SHAPE,
          "softmax: x is a scalar");
    FAILS(ub_op_log_softmax(scene.tape, scalar, &out), UB_ERR_SHAPE,
          "log softmax: x is a scalar");
    FAILS(ub_op_linear(scene.tape, matrix, image, NULL, &out), UB_ERR_SHAPE,
          "linear: w is [2, 4, 5, 6], expected 2 dimensions");
}

static void test_linear(void **state)
{
    ub_variable *w = scene_leaf(&scene, 2, 5, 0, 0);

    (void) state;
    FAILS(ub_op_linear(scene.tape, matrix, w, NULL, &out), UB_ERR_SHAPE,
          "linear: input has 4 features, weight expects 5");
    FAILS(ub_op_linear(scene.tape, matrix, w, w, &out), UB_ERR_SHAPE,
          "linear: bias is [2, 5], expected [2]");
}

static void test_conv2d(void **state)
{
    ub_variable *w = scene_leaf(&scene, 6, 3, 3, 3);
    ub_variable *half = scene_leaf(&scene, 6, 2, 3, 3);
    ub_conv2d_options options;

    (void) state;
    ub_conv2d_options_init(&options, sizeof options);
    FAILS(ub_op_conv2d(scene.tape, image, w, NULL, NULL, &out), UB_ERR_SHAPE,
          "conv2d: input has 4 channels in 1 groups, weight expects 3 a group");
    FAILS(ub_op_conv2d(scene.tape, matrix, w, NULL, NULL, &out), UB_ERR_SHAPE,
          "conv2d: x is [3, 4], expected 4 dimensions");
    FAILS(ub_op_conv2d(scene.tape, image, NULL, NULL, NULL, &out),
          UB_ERR_INVALID, "conv2d: w is NULL");
    FAILS(ub_op_conv2d(scene.tape, image, w, matrix, NULL, &out), UB_ERR_SHAPE,
          "conv2d: bias is [3, 4], expected [6]");
    options.groups = 3;
    FAILS(ub_op_conv2d(scene.tape, image, half, NULL, &options, &out),
          UB_ERR_SHAPE, "conv2d: 3 groups of 4 input and 6 output channels");
    options.groups = 2;
    options.dilation = 3;
    FAILS(ub_op_conv2d(scene.tape, image, half, NULL, &options, &out),
          UB_ERR_SHAPE, "conv2d: a window of 7 on 5 elements with padding 0");
    options.dilation = INT64_MAX;
    FAILS(ub_op_conv2d(scene.tape, image, half, NULL, &options, &out),
          UB_ERR_RANGE,
          "conv2d: padding 0 or dilation 9223372036854775807 is too large");
    options.dilation = 1;
    options.stride = 0;
    FAILS(ub_op_conv2d(scene.tape, image, half, NULL, &options, &out),
          UB_ERR_INVALID,
          "conv2d: stride 0, dilation 1, groups 2, padding 0 and 0");
    options.stride = 1;
    options.pad_width = -1;
    FAILS(ub_op_conv2d(scene.tape, image, half, NULL, &options, &out),
          UB_ERR_INVALID,
          "conv2d: stride 1, dilation 1, groups 2, padding 0 and -1");
    options.size = 8;
    assert_int_equal(
        ub_op_conv2d(scene.tape, image, half, NULL, &options, &out),
        UB_ERR_INVALID);
}

/* Sizes whose products would overflow if they were not checked. */
static void test_conv2d_range(void **state)
{
    ub_variable *half = scene_leaf(&scene, 6, 2, 3, 3);
    const int64_t pads[] = { INT64_MAX, INT64_MAX / 2, (int64_t) 1 << 40,
                             (int64_t) 1 << 32, 10000000 };
    ub_conv2d_options options;

    (void) state;
    ub_conv2d_options_init(&options, sizeof options);
    options.groups = 2;
    for (int i = 0; i < 5; i++) {
        options.pad_height = options.pad_width = pads[i];
        assert_int_equal(
            ub_op_conv2d(scene.tape, image, half, NULL, &options, &out),
            UB_ERR_RANGE);
    }
}

static const int64_t strides[] = { INT64_MAX,
                                   INT64_MAX - 1,
                                   INT64_MAX / 2,
                                   (int64_t) 1 << 62,
                                   (int64_t) 1 << 32,
                                   ((int64_t) 1 << 32) + 1,
                                   65536,
                                   7 };
#define STRIDES ((int) (sizeof(strides) / sizeof(*strides)))

/* `far` took the first place of every map that `near` took all places of. */
static void assert_first(const ub_variable *far, const ub_variable *near)
{
    const int64_t maps = scene_count(far), area = scene_count(near) / maps;

    for (int64_t m = 0; m < maps; m++)
        assert_true(fabsf(scene_data(far)[m] - scene_data(near)[m * area]) <=
                    1e-5f);
}

/* A stride beyond the map takes one place, whatever it is. */
static void test_conv2d_stride(void **state)
{
    ub_variable *w[] = { scene_leaf(&scene, 6, 4, 3, 3),
                         scene_leaf(&scene, 4, 1, 3, 3) };
    ub_conv2d_options options;

    (void) state;
    ub_conv2d_options_init(&options, sizeof options);
    for (int i = 0; i < 2; i++) {
        ub_variable *near = NULL;

        options.groups = i == 0 ? 1 : 4;
        options.stride = 1;
        scene_ok(&scene,
                 ub_op_conv2d(scene.tape, image, w[i], NULL, &options, &near));
        for (int s = 0; s < STRIDES; s++) {
            ub_variable *far = NULL;
            ub_tensor *grad;

            options.stride = strides[s];
            scene_ok(&scene, ub_op_conv2d(scene.tape, image, w[i], NULL,
                                          &options, &far));
            assert_int_equal(scene_count(far), i == 0 ? 12 : 8);
            assert_first(far, near);
            if (s == STRIDES - 1) {
                grad = scene_backward(&scene, far);
                ub_tensor_unref(&grad);
            }
        }
    }
}

/* Steps of a stride across a wide map, squared: more than 10^12. */
static void test_conv2d_steps(void **state)
{
    ub_variable *w = scene_leaf(&scene, 6, 4, 1, 1);
    ub_conv2d_options options;

    (void) state;
    ub_conv2d_options_init(&options, sizeof options);
    options.stride = INT64_MAX;
    options.pad_width = 1000000;
    FAILS(ub_op_conv2d(scene.tape, image, w, NULL, &options, &out),
          UB_ERR_RANGE,
          "conv2d: stride 2000006 on 5 x 6 elements is too large");
}

/* A result and a padded image that fit, but 10^6 products for each of 4 * 10^6
 * elements. */
static void test_conv2d_products(void **state)
{
    ub_variable *x = scene_leaf(&scene, 1, 1, 1, 1);
    ub_variable *w = scene_leaf(&scene, 1, 1, 1000, 1000);
    ub_conv2d_options options;

    (void) state;
    ub_conv2d_options_init(&options, sizeof options);
    options.pad_height = options.pad_width = 1500;
    FAILS(ub_op_conv2d(scene.tape, x, w, NULL, &options, &out), UB_ERR_RANGE,
          "conv2d: 2002 x 2002 outputs of 1000000 products each are too many");
}

static void test_batch_norm(void **state)
{
    const int64_t three[] = { 3 };
    ub_variable *four = scene_leaf(&scene, 4, 0, 0, 0);
    ub_variable *single = scene_leaf(&scene, 1, 4, 0, 0);
    ub_batch_norm_options options;
    ub_tensor *wrong = NULL, *right = ub_variable_value(four);

    (void) state;
    ub_batch_norm_options_init(&options, sizeof options);
    scene_ok(&scene, ub_tensor_create(scene.context, 1, three, &wrong));
    FAILS(
        ub_op_batch_norm(scene.tape, four, four, four, NULL, NULL, NULL, &out),
        UB_ERR_SHAPE, "batch norm: x has 1 dimensions, expected 2 or more");
    FAILS(ub_op_batch_norm(scene.tape, image, matrix, four, NULL, NULL, NULL,
                           &out),
          UB_ERR_SHAPE, "batch norm: weight is [3, 4], expected [4]");
    FAILS(
        ub_op_batch_norm(scene.tape, image, four, NULL, NULL, NULL, NULL, &out),
        UB_ERR_INVALID, "batch norm: bias is NULL");
    FAILS(ub_op_batch_norm(scene.tape, image, four, four, right, NULL, NULL,
                           &out),
          UB_ERR_INVALID, "batch norm: running statistics are missing");
    FAILS(ub_op_batch_norm(scene.tape, image, four, four, wrong, right, NULL,
                           &out),
          UB_ERR_SHAPE, "batch norm: running_mean is [3], expected [4]");
    FAILS(ub_op_batch_norm(scene.tape, image, four, four, right, wrong, NULL,
                           &out),
          UB_ERR_SHAPE, "batch norm: running_var is [3], expected [4]");
    FAILS(ub_op_batch_norm(scene.tape, single, four, four, NULL, NULL, NULL,
                           &out),
          UB_ERR_INVALID, "batch norm: one value per channel in training");
    options.training = 0;
    FAILS(ub_op_batch_norm(scene.tape, image, four, four, NULL, NULL, &options,
                           &out),
          UB_ERR_INVALID, "batch norm: running statistics are missing");
    options.eps = NAN;
    FAILS(ub_op_batch_norm(scene.tape, image, four, four, right, right,
                           &options, &out),
          UB_ERR_INVALID, "batch norm: eps is nan, momentum 0.1");
    options.eps = 1e-5;
    options.momentum = 1.5;
    FAILS(ub_op_batch_norm(scene.tape, image, four, four, right, right,
                           &options, &out),
          UB_ERR_INVALID, "batch norm: eps is 1e-05, momentum 1.5");
    ub_tensor_unref(&wrong);
}

static void test_pools(void **state)
{
    (void) state;
    FAILS(ub_op_max_pool2d(scene.tape, matrix, 2, 2, 0, &out), UB_ERR_SHAPE,
          "max pool: x is [3, 4], expected 4 dimensions");
    FAILS(ub_op_max_pool2d(scene.tape, image, 0, 2, 0, &out), UB_ERR_INVALID,
          "max pool: kernel 0, stride 2, padding 0");
    FAILS(ub_op_max_pool2d(scene.tape, image, 3, 2, 2, &out), UB_ERR_INVALID,
          "max pool: kernel 3, stride 2, padding 2");
    FAILS(ub_op_avg_pool2d(scene.tape, image, 2, 0, 0, 0, &out), UB_ERR_INVALID,
          "average pool: kernel 2, stride 0, padding 0");
    FAILS(ub_op_avg_pool2d(scene.tape, image, 6, 1, 0, 0, &out), UB_ERR_SHAPE,
          "average pool: a window of 6 on 5 elements with padding 0");
    assert_int_equal(ub_op_avg_pool2d(scene.tape, image, INT64_MAX, INT64_MAX,
                                      INT64_MAX / 2, 0, &out),
                     UB_ERR_RANGE);
}

/* Windows of mostly padding that fit the map and yet have too many elements:
 * their number overflows, or nobody could wait for the result. */
static void test_pool_range(void **state)
{
    (void) state;
    for (int bits = 20; bits <= 40; bits++) {
        const int64_t kernel = (int64_t) 1 << bits;

        assert_int_equal(ub_op_avg_pool2d(scene.tape, image, kernel, 1,
                                          kernel / 2, bits % 2, &out),
                         UB_ERR_RANGE);
        assert_int_equal(
            ub_op_max_pool2d(scene.tape, image, kernel, 1, kernel / 2, &out),
            UB_ERR_RANGE);
    }
    FAILS(ub_op_max_pool2d(scene.tape, image, 1 << 20, 1, 1 << 19, &out),
          UB_ERR_RANGE,
          "max pool: 6 x 7 windows of 1048576 x 1048576 are too large");
}

/* As test_conv2d_stride(), of pools, forward and backward. */
static void test_pool_stride(void **state)
{
    (void) state;
    for (int s = 0; s < 3 * STRIDES; s++) {
        const int64_t far_by = strides[s / 3], kernel = 2 + s % 3;
        ub_variable *near = NULL, *far = NULL;
        ub_tensor *grad;

        scene_ok(&scene, ub_op_max_pool2d(scene.tape, image, kernel, 1,
                                          kernel / 2, &near));
        scene_ok(&scene, ub_op_max_pool2d(scene.tape, image, kernel, far_by,
                                          kernel / 2, &far));
        assert_int_equal(scene_count(far), 8);
        assert_first(far, near);
        grad = scene_backward(&scene, far);
        ub_tensor_unref(&grad);
        scene_ok(&scene, ub_op_avg_pool2d(scene.tape, image, kernel, 1,
                                          kernel / 2, 1, &near));
        scene_ok(&scene, ub_op_avg_pool2d(scene.tape, image, kernel, far_by,
                                          kernel / 2, 1, &far));
        assert_int_equal(scene_count(far), 8);
        assert_first(far, near);
        grad = scene_backward(&scene, far);
        ub_tensor_unref(&grad);
    }
}

static void test_weighted_sum(void **state)
{
    ub_variable *none[] = { NULL, NULL };
    ub_variable *pair[] = { image, matrix };

    (void) state;
    FAILS(ub_op_weighted_sum(scene.tape, 2, none, matrix, &out), UB_ERR_INVALID,
          "weighted sum: all 2 operands are NULL");
    FAILS(ub_op_weighted_sum(scene.tape, 2, pair, matrix, &out), UB_ERR_SHAPE,
          "weighted sum: operand 1 is [3, 4], the first [2, 4, 5, 6]");
    FAILS(ub_op_weighted_sum(scene.tape, 1, &image, matrix, &out), UB_ERR_SHAPE,
          "weighted sum: a is [3, 4], expected [1]");
    FAILS(ub_op_weighted_sum(scene.tape, 1, &image, NULL, &out), UB_ERR_INVALID,
          "weighted sum: a is NULL");
    FAILS(ub_op_weighted_sum(scene.tape, -1, &image, matrix, &out),
          UB_ERR_INVALID, "weighted sum: -1 operands, expected 1 to 1048576");
}

static void test_gumbel_softmax(void **state)
{
    const double noise[12] = { 0 };

    (void) state;
    FAILS(ub_op_gumbel_softmax(scene.tape, matrix, NULL, 1.0, 0, &out),
          UB_ERR_INVALID, "gumbel softmax: no noise, temperature 1");
    FAILS(ub_op_gumbel_softmax(scene.tape, matrix, noise, 0.0, 0, &out),
          UB_ERR_INVALID, "gumbel softmax: with noise, temperature 0");
    FAILS(ub_op_gumbel_softmax(scene.tape, matrix, noise, INFINITY, 0, &out),
          UB_ERR_INVALID, "gumbel softmax: with noise, temperature inf");
    assert_int_equal(
        ub_op_gumbel_softmax(scene.tape, matrix, noise, NAN, 0, &out),
        UB_ERR_INVALID);
}

static void test_cross_entropy(void **state)
{
    const int32_t high[] = { 0, 4, 1 }, negative[] = { 0, 1, -1 };
    const int32_t good[] = { 0, 1, 2 };

    (void) state;
    FAILS(ub_op_cross_entropy(scene.tape, image, good, 0.0, &out), UB_ERR_SHAPE,
          "cross entropy: x is [2, 4, 5, 6], expected 2 dimensions");
    FAILS(ub_op_cross_entropy(scene.tape, matrix, high, 0.0, &out),
          UB_ERR_INVALID, "cross entropy: label 1 is 4 of 4 classes");
    FAILS(ub_op_cross_entropy(scene.tape, matrix, negative, 0.0, &out),
          UB_ERR_INVALID, "cross entropy: label 2 is -1 of 4 classes");
    FAILS(ub_op_cross_entropy(scene.tape, matrix, NULL, 0.0, &out),
          UB_ERR_INVALID, "cross entropy: labels are NULL");
    FAILS(ub_op_cross_entropy(scene.tape, matrix, good, 1.0, &out),
          UB_ERR_INVALID,
          "cross entropy: smoothing is 1, expected 0 to below 1");
    assert_int_equal(ub_op_cross_entropy(scene.tape, matrix, good, NAN, &out),
                     UB_ERR_INVALID);
}

static void test_dropout(void **state)
{
    ub_variable *scalar = scene_leaf(&scene, 0, 0, 0, 0);
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 1, 0);
    FAILS(ub_op_dropout(scene.tape, matrix, 0.5, NULL, &out), UB_ERR_INVALID,
          "dropout: no generator, probability 0.5");
    FAILS(ub_op_dropout(scene.tape, matrix, -0.5, &rng, &out), UB_ERR_INVALID,
          "dropout: with a generator, probability -0.5");
    FAILS(ub_op_drop_path(scene.tape, matrix, 1.0, &rng, &out), UB_ERR_INVALID,
          "drop path: with a generator, probability 1");
    FAILS(ub_op_drop_path(scene.tape, scalar, 0.5, &rng, &out), UB_ERR_SHAPE,
          "drop path: x is a scalar");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_operands),      TEST(test_shapes),
        TEST(test_linear),        TEST(test_conv2d),
        TEST(test_conv2d_range),  TEST(test_conv2d_products),
        TEST(test_conv2d_stride), TEST(test_conv2d_steps),
        TEST(test_pool_stride),   TEST(test_batch_norm),
        TEST(test_pools),         TEST(test_pool_range),
        TEST(test_weighted_sum),  TEST(test_gumbel_softmax),
        TEST(test_cross_entropy), TEST(test_dropout),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
