/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"

#include <uboost/nn.h>

#include <stdio.h>
#include <string.h>

static ub_parameters *create_some(ub_context *context)
{
    ub_parameters *parameters = NULL;
    int64_t shape[4] = { 2, 3, 1, 1 };

    assert_int_equal(ub_parameters_create(context, &parameters), UB_OK);
    assert_int_equal(ub_parameters_add(parameters, "a.weight",
                                       UB_PARAMETER_WEIGHT, 4, shape, NULL),
                     UB_OK);
    assert_int_equal(ub_parameters_add(parameters, "alpha",
                                       UB_PARAMETER_ARCHITECTURE, 1, shape + 1,
                                       NULL),
                     UB_OK);
    assert_int_equal(ub_parameters_add(parameters, "a.running_mean",
                                       UB_PARAMETER_BUFFER, 1, shape, NULL),
                     UB_OK);
    return parameters;
}

static void number(ub_parameters *parameters, float first)
{
    for (int64_t i = 0; i < ub_parameters_count(parameters); i++) {
        ub_tensor *value = ub_variable_value(
            ub_parameters_variable(parameters, i));

        for (int64_t j = 0; j < ub_tensor_count(value); j++)
            ub_tensor_data(value)[j] = first++ / 3.0f;
    }
}

static void assert_same(const ub_parameters *a, const ub_parameters *b)
{
    assert_int_equal(ub_parameters_count(a), ub_parameters_count(b));
    for (int64_t i = 0; i < ub_parameters_count(a); i++) {
        const ub_tensor *x = ub_variable_value(ub_parameters_variable(a, i));
        const ub_tensor *y = ub_variable_value(ub_parameters_variable(b, i));

        assert_memory_equal(ub_tensor_data(x), ub_tensor_data(y),
                            (size_t) ub_tensor_count(x) * sizeof(float));
    }
}

static void test_lists_in_order(void **state)
{
    ub_parameters *p = create_some(*state);

    assert_ptr_equal(ub_parameters_context(p), *state);
    assert_int_equal(ub_parameters_count(p), 3);
    assert_string_equal(ub_parameters_name(p, 0), "a.weight");
    assert_string_equal(ub_parameters_name(p, 2), "a.running_mean");
    assert_int_equal(ub_parameters_kind(p, 1), UB_PARAMETER_ARCHITECTURE);
    assert_ptr_equal(ub_parameters_find(p, "alpha"),
                     ub_parameters_variable(p, 1));
    assert_null(ub_parameters_find(p, "a"));
    assert_null(ub_parameters_find(p, NULL));
    assert_null(ub_parameters_variable(p, 3));
    assert_null(ub_parameters_variable(p, -1));
    assert_null(ub_parameters_name(p, 3));
    assert_int_equal(ub_parameters_elements(p, UB_PARAMETER_WEIGHT), 6);
    assert_int_equal(ub_parameters_elements(p, UB_PARAMETER_ARCHITECTURE), 3);
    assert_int_equal(ub_parameters_elements(p, UB_PARAMETER_BUFFER), 2);
    ub_parameters_destroy(&p);
    assert_null(p);
    ub_parameters_destroy(&p);
    ub_parameters_destroy(NULL);
}

static void test_starts_at_zero(void **state)
{
    ub_parameters *p = create_some(*state);
    const ub_tensor *value = ub_variable_value(ub_parameters_variable(p, 0));

    for (int64_t i = 0; i < ub_tensor_count(value); i++)
        assert_true(ub_tensor_data(value)[i] == 0.0f);
    ub_parameters_destroy(&p);
}

static void test_many(void **state)
{
    ub_parameters *p = NULL;
    ub_variable *variable;
    char name[32];

    assert_int_equal(ub_parameters_create(*state, &p), UB_OK);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "p%d", i);
        assert_int_equal(
            ub_parameters_add(p, name, UB_PARAMETER_WEIGHT, 0, NULL, &variable),
            UB_OK);
        assert_ptr_equal(variable, ub_parameters_variable(p, i));
    }
    assert_ptr_equal(ub_parameters_find(p, "p63"),
                     ub_parameters_variable(p, 63));
    ub_parameters_destroy(&p);
}

static void test_refuses(void **state)
{
    ub_parameters *p = create_some(*state);
    int64_t bad = 0, good = 1;
    ub_variable *out = (ub_variable *) (void *) &bad;
    ub_parameter_kind kind = UB_PARAMETER_WEIGHT;

    assert_int_equal(ub_parameters_create(NULL, &p), UB_ERR_INVALID);
    assert_int_equal(ub_parameters_create(*state, NULL), UB_ERR_INVALID);
    assert_int_equal(ub_parameters_add(NULL, "x", kind, 0, NULL, NULL),
                     UB_ERR_INVALID);
    assert_int_equal(ub_parameters_add(p, NULL, kind, 0, NULL, &out),
                     UB_ERR_INVALID);
    assert_int_equal(ub_parameters_add(p, "", kind, 0, NULL, &out),
                     UB_ERR_INVALID);
    assert_int_equal(ub_parameters_add(p, "alpha", kind, 0, NULL, &out),
                     UB_ERR_INVALID);
    assert_non_null(strstr(ub_context_last_error(*state), "alpha"));
    assert_int_equal(
        ub_parameters_add(p, "x", (ub_parameter_kind) 9, 0, NULL, &out),
        UB_ERR_INVALID);
    assert_int_equal(ub_parameters_add(p, "x", kind, 1, &bad, &out),
                     UB_ERR_INVALID);
    assert_int_equal(ub_parameters_add(p, "x", kind, 99, &good, &out),
                     UB_ERR_INVALID);
    assert_int_equal(ub_parameters_count(p), 3);
    assert_ptr_equal(out, &bad);
    ub_parameters_destroy(&p);
}

static void test_freezes_one_kind(void **state)
{
    ub_parameters *p = create_some(*state);

    assert_true(ub_variable_requires_grad(ub_parameters_variable(p, 0)));
    assert_true(ub_variable_requires_grad(ub_parameters_variable(p, 1)));
    assert_false(ub_variable_requires_grad(ub_parameters_variable(p, 2)));
    ub_parameters_freeze(p, UB_PARAMETER_WEIGHT, 1);
    assert_false(ub_variable_requires_grad(ub_parameters_variable(p, 0)));
    assert_true(ub_variable_requires_grad(ub_parameters_variable(p, 1)));
    ub_parameters_freeze(p, UB_PARAMETER_WEIGHT, 0);
    ub_parameters_freeze(p, UB_PARAMETER_BUFFER, 0);
    assert_true(ub_variable_requires_grad(ub_parameters_variable(p, 0)));
    assert_false(ub_variable_requires_grad(ub_parameters_variable(p, 2)));
    ub_parameters_destroy(&p);
}

static void test_clears_gradients(void **state)
{
    static const float values[6] = { 1, 2, 3, 4, 5, 6 };
    ub_parameters *p = create_some(*state);

    for (int i = 0; i < 2; i++) {
        ub_variable *v = ub_parameters_variable(p, i);

        assert_int_equal(add_gradient(v, values), UB_OK);
        assert_non_null(ub_variable_grad(v));
    }
    ub_parameters_clear_grads(p);
    assert_null(ub_variable_grad(ub_parameters_variable(p, 0)));
    assert_null(ub_variable_grad(ub_parameters_variable(p, 1)));
    ub_parameters_destroy(&p);
}

static void test_saves_and_loads(void **state)
{
    ub_parameters *p = create_some(*state), *q = create_some(*state);
    ub_archive *archive = NULL;

    number(p, 1.0f);
    assert_int_equal(ub_archive_create(*state, &archive), UB_OK);
    assert_int_equal(ub_parameters_save(p, archive, "model."), UB_OK);
    assert_int_equal(ub_archive_count(archive), 3);
    assert_string_equal(ub_archive_name(archive, 0), "model.a.weight");
    assert_int_equal(ub_parameters_save(p, archive, "model."), UB_ERR_INVALID);
    assert_int_equal(ub_parameters_save(p, archive, NULL), UB_OK);
    assert_non_null(ub_archive_find(archive, "alpha"));
    assert_int_equal(ub_parameters_load(q, archive, "model."), UB_OK);
    assert_same(p, q);
    ub_archive_destroy(&archive);
    ub_parameters_destroy(&p);
    ub_parameters_destroy(&q);
}

/* A missing name and a wrong shape, each behind parameters that would fit. */
static void test_refused_load_changes_nothing(void **state)
{
    ub_parameters *p = create_some(*state), *q = create_some(*state);
    ub_parameters *before = create_some(*state);
    ub_archive *archive = NULL;
    ub_tensor *odd = NULL;
    int64_t shape = 5;

    number(p, 1.0f);
    number(q, 100.0f);
    number(before, 100.0f);
    assert_int_equal(ub_archive_create(*state, &archive), UB_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            ub_archive_add(archive, ub_parameters_name(p, i),
                           ub_variable_value(ub_parameters_variable(p, i))),
            UB_OK);
    assert_int_equal(ub_parameters_load(q, archive, NULL), UB_ERR_FORMAT);
    assert_non_null(strstr(ub_context_last_error(*state), "a.running_mean"));
    assert_same(q, before);
    assert_int_equal(ub_tensor_create(*state, 1, &shape, &odd), UB_OK);
    assert_int_equal(ub_archive_add(archive, "a.running_mean", odd), UB_OK);
    assert_int_equal(ub_parameters_load(q, archive, NULL), UB_ERR_SHAPE);
    assert_same(q, before);
    assert_int_equal(ub_parameters_load(q, NULL, NULL), UB_ERR_INVALID);
    assert_int_equal(ub_parameters_save(q, NULL, NULL), UB_ERR_INVALID);
    ub_tensor_unref(&odd);
    ub_archive_destroy(&archive);
    ub_parameters_destroy(&before);
    ub_parameters_destroy(&p);
    ub_parameters_destroy(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists_in_order),
        cmocka_unit_test(test_starts_at_zero),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_freezes_one_kind),
        cmocka_unit_test(test_clears_gradients),
        cmocka_unit_test(test_saves_and_loads),
        cmocka_unit_test(test_refused_load_changes_nothing),
    };

    return cmocka_run_group_tests_name("parameters", tests, setup, teardown);
}
