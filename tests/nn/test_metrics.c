/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"

#include <uboost/nn.h>

#include <math.h>

#define CLASSES 4

static int64_t count_one(ub_context *context, const float *row, int32_t label,
                         int64_t k)
{
    int64_t shape[2] = { 1, CLASSES }, out = -1;
    ub_tensor *logits = NULL;

    assert_int_equal(ub_tensor_create(context, 2, shape, &logits), UB_OK);
    for (int i = 0; i < CLASSES; i++)
        ub_tensor_data(logits)[i] = row[i];
    assert_int_equal(ub_count_correct(logits, &label, k, &out), UB_OK);
    ub_tensor_unref(&logits);
    return out;
}

static void assert_ranks(ub_context *context, const float *row,
                         const int *ranks)
{
    for (int32_t label = 0; label < CLASSES; label++) {
        for (int64_t k = 1; k <= CLASSES; k++)
            assert_int_equal(count_one(context, row, label, k),
                             ranks[label] < k);
    }
}

static void test_distinct(void **state)
{
    static const float row[CLASSES] = { 0.5f, -1.0f, 7.0f, 0.0f };
    static const int ranks[CLASSES] = { 1, 3, 0, 2 };

    assert_ranks(*state, row, ranks);
}

static void test_ties_go_to_the_lower_index(void **state)
{
    static const float row[CLASSES] = { 1.0f, 2.0f, 1.0f, 2.0f };
    static const int ranks[CLASSES] = { 2, 0, 3, 1 };

    assert_ranks(*state, row, ranks);
}

static void test_nan_is_never_right(void **state)
{
    const float all[CLASSES] = { NAN, NAN, NAN, NAN };
    const float one[CLASSES] = { 1.0f, NAN, 2.0f, -INFINITY };
    static const int last[CLASSES] = { 3, 3, 3, 3 };
    static const int ranks[CLASSES] = { 2, 3, 1, 3 };

    assert_ranks(*state, all, last);
    assert_ranks(*state, one, ranks);
}

static void test_counts_rows(void **state)
{
    static const float rows[3][2] = { { 1, 2 }, { 2, 1 }, { 0, 5 } };
    static const int32_t labels[3] = { 1, 1, 1 };
    int64_t shape[2] = { 3, 2 }, out = -1;
    ub_tensor *logits = NULL;

    assert_int_equal(ub_tensor_create(*state, 2, shape, &logits), UB_OK);
    for (int i = 0; i < 6; i++)
        ub_tensor_data(logits)[i] = rows[i / 2][i % 2];
    assert_int_equal(ub_count_correct(logits, labels, 1, &out), UB_OK);
    assert_int_equal(out, 2);
    assert_int_equal(ub_count_correct(logits, labels, 2, &out), UB_OK);
    assert_int_equal(out, 3);
    ub_tensor_unref(&logits);
}

static void test_refuses(void **state)
{
    int64_t shape[3] = { 1, 2, 1 }, out = -1;
    int32_t label = 0, high = 2, low = -1;
    ub_tensor *logits = NULL, *cube = NULL;

    assert_int_equal(ub_tensor_create(*state, 2, shape, &logits), UB_OK);
    assert_int_equal(ub_tensor_create(*state, 3, shape, &cube), UB_OK);
    assert_int_equal(ub_count_correct(cube, &label, 1, &out), UB_ERR_SHAPE);
    assert_int_equal(ub_count_correct(logits, &label, 0, &out), UB_ERR_INVALID);
    assert_int_equal(ub_count_correct(logits, &label, 3, &out), UB_ERR_INVALID);
    assert_int_equal(ub_count_correct(logits, &high, 1, &out), UB_ERR_INVALID);
    assert_int_equal(ub_count_correct(logits, &low, 1, &out), UB_ERR_INVALID);
    assert_int_equal(ub_count_correct(NULL, &label, 1, &out), UB_ERR_INVALID);
    assert_int_equal(ub_count_correct(logits, NULL, 1, &out), UB_ERR_INVALID);
    assert_int_equal(ub_count_correct(logits, &label, 1, NULL), UB_ERR_INVALID);
    assert_int_equal(out, -1);
    ub_tensor_unref(&cube);
    ub_tensor_unref(&logits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_distinct),
        cmocka_unit_test(test_ties_go_to_the_lower_index),
        cmocka_unit_test(test_nan_is_never_right),
        cmocka_unit_test(test_counts_rows),
        cmocka_unit_test(test_refuses),
    };

    return cmocka_run_group_tests_name("metrics", tests, setup, teardown);
}
