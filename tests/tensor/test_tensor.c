/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"
#include "tensor/tensor.h"

#include <limits.h>
#include <string.h>

static ub_context *context;

static int setup(void **state)
{
    (void) state;
    context = test_context(1);
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    ub_context_destroy(&context);
    return 0;
}

static void test_create(void **state)
{
    const int64_t shape[] = { 2, 3, 5 };
    ub_tensor *tensor = NULL;

    (void) state;
    assert_int_equal(ub_tensor_create(context, 3, shape, &tensor), UB_OK);
    assert_int_equal(ub_tensor_rank(tensor), 3);
    assert_memory_equal(ub_tensor_shape(tensor), shape, sizeof shape);
    assert_int_equal(ub_tensor_count(tensor), 30);
    assert_ptr_equal(ub_tensor_context(tensor), context);
    assert_int_equal((uintptr_t) ub_tensor_data(tensor) % 64, 0);
    for (int i = 0; i < 30; i++)
        assert_true(ub_tensor_data(tensor)[i] == 0.0f);
    ub_tensor_unref(&tensor);
    assert_null(tensor);
    ub_tensor_unref(&tensor);
    ub_tensor_unref(NULL);
}

/* Zeros also in memory that another tensor has used. */
static void test_create_reused(void **state)
{
    const int64_t shape[] = { 1000 };

    (void) state;
    for (int round = 0; round < 2; round++) {
        ub_tensor *tensor = NULL;

        assert_int_equal(ub_tensor_create(context, 1, shape, &tensor), UB_OK);
        for (int i = 0; i < 1000; i++)
            assert_true(ub_tensor_data(tensor)[i] == 0.0f);
        ub_tensor_fill(tensor, 7.0f);
        ub_tensor_unref(&tensor);
    }
}

static void test_scalar(void **state)
{
    ub_tensor *tensor = NULL;

    (void) state;
    assert_int_equal(ub_tensor_create(context, 0, NULL, &tensor), UB_OK);
    assert_int_equal(ub_tensor_rank(tensor), 0);
    assert_int_equal(ub_tensor_count(tensor), 1);
    ub_tensor_fill(tensor, 2.5f);
    assert_true(ub_tensor_data(tensor)[0] == 2.5f);
    ub_tensor_unref(&tensor);
}

static void test_bad_shapes(void **state)
{
    const int64_t nine[] = { 1, 1, 1, 1, 1, 1, 1, 1, 1 };
    const int64_t zero[] = { 2, 0 };
    const int64_t negative[] = { 2, -3 };
    const int64_t many[] = { (int64_t) 1 << 20, (int64_t) 1 << 20, 2 };
    const int64_t wrap[] = { INT64_MAX, INT64_MAX, INT64_MAX };
    ub_tensor *tensor = NULL;

    (void) state;
    assert_int_equal(ub_tensor_create(context, 9, nine, &tensor),
                     UB_ERR_INVALID);
    assert_int_equal(ub_tensor_create(context, -1, nine, &tensor),
                     UB_ERR_INVALID);
    assert_int_equal(ub_tensor_create(context, 2, NULL, &tensor),
                     UB_ERR_INVALID);
    assert_int_equal(ub_tensor_create(context, 2, zero, &tensor),
                     UB_ERR_INVALID);
    assert_string_equal(ub_context_last_error(context),
                        "tensor: extent 1 is 0, expected at least 1");
    assert_int_equal(ub_tensor_create(context, 2, negative, &tensor),
                     UB_ERR_INVALID);
    assert_int_equal(ub_tensor_create(context, 3, many, &tensor), UB_ERR_RANGE);
    assert_string_equal(
        ub_context_last_error(context),
        "tensor: [1048576, 1048576, 2] has more than 2^40 elements");
    assert_int_equal(ub_tensor_create(context, 3, wrap, &tensor), UB_ERR_RANGE);
    assert_int_equal(ub_tensor_create(NULL, 0, NULL, &tensor), UB_ERR_INVALID);
    assert_int_equal(ub_tensor_create(context, 0, NULL, NULL), UB_ERR_INVALID);
    assert_null(tensor);
}

static void test_view(void **state)
{
    const int64_t shape[] = { 2, 6 }, other[] = { 3, 4 }, flat[] = { 12 };
    const int64_t wrong[] = { 13 };
    const int64_t many[] = { (int64_t) 1 << 40, 2 };
    ub_tensor *tensor = NULL, *view = NULL, *again = NULL, *none = NULL;

    (void) state;
    assert_int_equal(ub_tensor_create(context, 2, shape, &tensor), UB_OK);
    assert_false(ub__tensor_shared(tensor));
    assert_int_equal(ub_tensor_view(tensor, 2, other, &view), UB_OK);
    assert_int_equal(ub_tensor_view(view, 1, flat, &again), UB_OK);
    assert_int_equal(ub_tensor_view(view, 1, wrong, &none), UB_ERR_SHAPE);
    assert_string_equal(ub_context_last_error(context),
                        "tensor view: [3, 4] does not fit [13]");
    assert_int_equal(ub_tensor_view(view, 2, many, &none), UB_ERR_RANGE);
    assert_null(none);
    assert_true(ub__tensor_shared(tensor) && ub__tensor_shared(view));
    ub_tensor_data(tensor)[7] = 3.0f;
    assert_true(ub_tensor_data(view)[7] == 3.0f);
    /* Storage lives as long as the last view. */
    ub_tensor_unref(&tensor);
    ub_tensor_unref(&view);
    assert_true(ub_tensor_data(again)[7] == 3.0f);
    assert_false(ub__tensor_shared(again));
    ub_tensor_unref(&again);
    assert_int_equal(ub_tensor_view(NULL, 1, flat, &again), UB_ERR_INVALID);
}

static void test_references(void **state)
{
    ub_tensor *tensor = NULL, *second;

    (void) state;
    assert_int_equal(ub_tensor_create(context, 0, NULL, &tensor), UB_OK);
    second = ub_tensor_ref(tensor);
    assert_ptr_equal(second, tensor);
    assert_true(ub__tensor_shared(second));
    ub_tensor_unref(&tensor);
    assert_false(ub__tensor_shared(second));
    ub_tensor_fill(second, 1.0f);
    ub_tensor_unref(&second);
    assert_null(ub_tensor_ref(NULL));
}

static void test_copy(void **state)
{
    const int64_t shape[] = { 2, 3 }, other[] = { 3, 2 };
    ub_tensor *a = NULL, *b = NULL, *c = NULL;

    (void) state;
    assert_int_equal(ub_tensor_create(context, 2, shape, &a), UB_OK);
    assert_int_equal(ub_tensor_create(context, 2, shape, &b), UB_OK);
    assert_int_equal(ub_tensor_create(context, 2, other, &c), UB_OK);
    ub_tensor_fill(a, 4.0f);
    assert_int_equal(ub_tensor_copy(b, a), UB_OK);
    assert_memory_equal(ub_tensor_data(a), ub_tensor_data(b), 24);
    assert_int_equal(ub_tensor_copy(c, a), UB_ERR_SHAPE);
    assert_string_equal(ub_context_last_error(context),
                        "tensor copy: [2, 3] into [3, 2]");
    assert_true(ub_tensor_data(c)[0] == 0.0f);
    assert_int_equal(ub_tensor_copy(a, NULL), UB_ERR_INVALID);
    assert_int_equal(ub_tensor_copy(NULL, a), UB_ERR_INVALID);
    ub_tensor_unref(&a);
    ub_tensor_unref(&b);
    ub_tensor_unref(&c);
}

/* The longest text there is must fit. */
static void test_shape_text(void **state)
{
    char text[UB__SHAPE_TEXT];
    int64_t shape[UB_TENSOR_MAX_RANK];

    (void) state;
    for (int i = 0; i < UB_TENSOR_MAX_RANK; i++)
        shape[i] = INT64_MIN;
    ub__shape_text(text, UB_TENSOR_MAX_RANK, shape);
    assert_int_equal(strlen(text), 8 * 20 + 7 * 2 + 2);
    assert_string_equal(ub__shape_text(text, 0, NULL), "[]");
}

static ub_status make_tensors(ub_context *oom, void *arg)
{
    const int64_t shape[] = { 100, 30 }, flat[] = { 3000 };
    ub_tensor *tensor = NULL, *view = NULL;
    ub_status status = ub_tensor_create(oom, 2, shape, &tensor);

    (void) arg;
    if (status == UB_OK)
        status = ub_tensor_view(tensor, 1, flat, &view);
    ub_tensor_unref(&tensor);
    ub_tensor_unref(&view);
    return status;
}

static void test_oom(void **state)
{
    (void) state;
    assert_survives_oom(make_tensors, 1, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create), cmocka_unit_test(test_create_reused),
        cmocka_unit_test(test_scalar), cmocka_unit_test(test_bad_shapes),
        cmocka_unit_test(test_view),   cmocka_unit_test(test_references),
        cmocka_unit_test(test_copy),   cmocka_unit_test(test_shape_text),
        cmocka_unit_test(test_oom),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
