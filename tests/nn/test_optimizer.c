/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"

#include <uboost/nn.h>

#include <math.h>
#include <string.h>

/* Two weights of 3 and 2 elements and one logit. */
typedef struct fixture {
    ub_parameters *parameters;
    ub_variable *a;
    ub_variable *b;
    ub_variable *alpha;
} fixture;

static const float grad_a[3] = { 1.0f, -2.0f, 0.5f };
static const float grad_b[2] = { 4.0f, -0.25f };

static fixture create(ub_context *context)
{
    fixture f = { NULL, NULL, NULL, NULL };
    int64_t n[3] = { 3, 2, 1 };

    assert_int_equal(ub_parameters_create(context, &f.parameters), UB_OK);
    assert_int_equal(ub_parameters_add(f.parameters, "a", UB_PARAMETER_WEIGHT,
                                       1, &n[0], &f.a),
                     UB_OK);
    assert_int_equal(ub_parameters_add(f.parameters, "alpha",
                                       UB_PARAMETER_ARCHITECTURE, 1, &n[2],
                                       &f.alpha),
                     UB_OK);
    assert_int_equal(ub_parameters_add(f.parameters, "b", UB_PARAMETER_WEIGHT,
                                       1, &n[1], &f.b),
                     UB_OK);
    ub_tensor_fill(ub_variable_value(f.a), 1.0f);
    ub_tensor_fill(ub_variable_value(f.b), -1.0f);
    return f;
}

static float *values(ub_variable *variable)
{
    return ub_tensor_data(ub_variable_value(variable));
}

static ub_optimizer_options options_of(ub_optimizer_kind kind)
{
    ub_optimizer_options options;

    ub_optimizer_options_init(&options, sizeof options);
    options.kind = kind;
    return options;
}

static ub_optimizer *optimize(const fixture *f,
                              const ub_optimizer_options *options)
{
    ub_optimizer *optimizer = NULL;

    assert_int_equal(ub_optimizer_create_for(f->parameters, UB_PARAMETER_WEIGHT,
                                             options, &optimizer),
                     UB_OK);
    return optimizer;
}

static void give_gradients(const fixture *f, float scale)
{
    float a[3], b[2];

    for (int i = 0; i < 3; i++)
        a[i] = scale * grad_a[i];
    for (int i = 0; i < 2; i++)
        b[i] = scale * grad_b[i];
    ub_parameters_clear_grads(f->parameters);
    assert_int_equal(add_gradient(f->a, a), UB_OK);
    assert_int_equal(add_gradient(f->b, b), UB_OK);
}

static void test_default_is_plain_descent(void **state)
{
    fixture f = create(*state);
    ub_optimizer *optimizer = optimize(&f, NULL);
    double norm = -1.0;

    give_gradients(&f, 1.0f);
    assert_int_equal(ub_optimizer_step(optimizer, 0.5, 0.0, &norm), UB_OK);
    for (int i = 0; i < 3; i++)
        assert_true(values(f.a)[i] == 1.0f - 0.5f * grad_a[i]);
    for (int i = 0; i < 2; i++)
        assert_true(values(f.b)[i] == -1.0f - 0.5f * grad_b[i]);
    /* 1 + 4 + 1/4 + 16 + 1/16 is exact; one rounding of the root. */
    assert_true(fabs(norm - sqrt(21.3125)) < 1e-14);
    assert_true(values(f.alpha)[0] == 0.0f);
    ub_optimizer_destroy(&optimizer);
    assert_null(optimizer);
    ub_optimizer_destroy(&optimizer);
    ub_parameters_destroy(&f.parameters);
}

static void test_clips_all_together_before_decay(void **state)
{
    fixture f = create(*state);
    ub_optimizer_options options = options_of(UB_OPTIMIZER_SGD);
    ub_optimizer *optimizer;
    double factor = 0.5 / (sqrt(21.3125) + 1e-6), norm;

    options.weight_decay = 0.125;
    optimizer = optimize(&f, &options);
    give_gradients(&f, 1.0f);
    assert_int_equal(ub_optimizer_step(optimizer, 1.0, 0.5, &norm), UB_OK);
    /* Three roundings of values of at most 1. */
    for (int i = 0; i < 3; i++) {
        double want = 1.0 - (factor * (double) grad_a[i] + 0.125);

        assert_true(fabs((double) values(f.a)[i] - want) < 3e-7);
    }
    for (int i = 0; i < 2; i++) {
        double want = -1.0 - (factor * (double) grad_b[i] - 0.125);

        assert_true(fabs((double) values(f.b)[i] - want) < 3e-7);
    }
    /* A small gradient is left alone. */
    ub_parameters_clear_grads(f.parameters);
    assert_int_equal(add_gradient(f.b, (const float[2]){ 0.125f, 0.0f }),
                     UB_OK);
    assert_int_equal(ub_clip_grad_norm(1, &f.b, 0.5, &norm), UB_OK);
    assert_true(norm == 0.125);
    assert_true(ub_tensor_data(ub_variable_grad(f.b))[0] == 0.125f);
    ub_tensor_fill(ub_variable_value(f.b), 0.0f);
    assert_int_equal(ub_optimizer_step(optimizer, 1.0, 0.5, NULL), UB_OK);
    assert_true(values(f.b)[0] == -0.125f);
    ub_optimizer_destroy(&optimizer);
    ub_parameters_destroy(&f.parameters);
}

static void test_clip_alone(void **state)
{
    fixture f = create(*state);
    ub_variable *variables[3] = { f.a, f.alpha, f.b };
    double norm = -1.0, factor = 2.0 / (sqrt(21.3125) + 1e-6);

    give_gradients(&f, 1.0f);
    assert_int_equal(ub_clip_grad_norm(3, variables, 2.0, &norm), UB_OK);
    assert_true(fabs(norm - sqrt(21.3125)) < 1e-14);
    /* Two roundings of values of at most 2. */
    for (int i = 0; i < 3; i++) {
        double have = (double) ub_tensor_data(ub_variable_grad(f.a))[i];

        assert_true(fabs(have - factor * (double) grad_a[i]) < 3e-7);
    }
    assert_null(ub_variable_grad(f.alpha));
    assert_int_equal(ub_clip_grad_norm(0, NULL, 1.0, &norm), UB_OK);
    assert_true(norm == 0.0);
    assert_int_equal(ub_clip_grad_norm(1, NULL, 1.0, &norm), UB_ERR_INVALID);
    assert_int_equal(ub_clip_grad_norm(-1, variables, 1.0, &norm),
                     UB_ERR_INVALID);
    assert_int_equal(ub_clip_grad_norm(3, variables, 0.0, &norm),
                     UB_ERR_INVALID);
    variables[1] = NULL;
    assert_int_equal(ub_clip_grad_norm(3, variables, 1.0, &norm),
                     UB_ERR_INVALID);
    ub_parameters_destroy(&f.parameters);
}

/* A variable that sits out a step keeps value, momentum and step count: the
 * next step is its first. */
static void test_skips_without_gradient(void **state)
{
    static const ub_optimizer_kind kinds[2] = { UB_OPTIMIZER_SGD,
                                                UB_OPTIMIZER_ADAM };

    for (int k = 0; k < 2; k++) {
        fixture f = create(*state), g = create(*state);
        ub_optimizer_options options = options_of(kinds[k]);
        ub_optimizer *late, *prompt;

        options.momentum = 0.9;
        late = optimize(&f, &options);
        prompt = optimize(&g, &options);
        assert_int_equal(add_gradient(f.a, grad_a), UB_OK);
        assert_int_equal(ub_optimizer_step(late, 0.1, 0.0, NULL), UB_OK);
        for (int i = 0; i < 2; i++)
            assert_true(values(f.b)[i] == -1.0f);
        for (int i = 0; i < 2; i++) {
            give_gradients(&f, 1.0f);
            assert_int_equal(ub_optimizer_step(late, 0.1, 0.0, NULL), UB_OK);
            give_gradients(&g, 1.0f);
            assert_int_equal(ub_optimizer_step(prompt, 0.1, 0.0, NULL), UB_OK);
        }
        assert_memory_equal(values(f.b), values(g.b), 2 * sizeof(float));
        assert_memory_not_equal(values(f.a), values(g.a), 3 * sizeof(float));
        ub_optimizer_destroy(&late);
        ub_optimizer_destroy(&prompt);
        ub_parameters_destroy(&f.parameters);
        ub_parameters_destroy(&g.parameters);
    }
}

static void test_bad_gradient_changes_nothing(void **state)
{
    const float bad[3] = { NAN, INFINITY, -INFINITY };
    fixture f = create(*state), g = create(*state);
    ub_optimizer_options options = options_of(UB_OPTIMIZER_ADAM);
    ub_optimizer *optimizer = optimize(&f, &options);
    ub_optimizer *spared = optimize(&g, &options);
    double norm = -1.0;

    for (int i = 0; i < 3; i++) {
        float values_b[2] = { 1.0f, bad[i] };

        ub_parameters_clear_grads(f.parameters);
        assert_int_equal(add_gradient(f.a, grad_a), UB_OK);
        assert_int_equal(add_gradient(f.b, values_b), UB_OK);
        assert_int_equal(ub_optimizer_step(optimizer, 0.1, 0.5, &norm),
                         UB_ERR_NUMERIC);
        assert_int_equal(ub_clip_grad_norm(1, &f.b, 0.5, &norm),
                         UB_ERR_NUMERIC);
        assert_true(ub_tensor_data(ub_variable_grad(f.b))[0] == 1.0f);
    }
    assert_true(norm == -1.0);
    give_gradients(&f, 1.0f);
    give_gradients(&g, 1.0f);
    assert_int_equal(ub_optimizer_step(optimizer, 0.1, 0.5, NULL), UB_OK);
    assert_int_equal(ub_optimizer_step(spared, 0.1, 0.5, NULL), UB_OK);
    assert_memory_equal(values(f.a), values(g.a), 3 * sizeof(float));
    assert_memory_equal(values(f.b), values(g.b), 2 * sizeof(float));
    ub_optimizer_destroy(&optimizer);
    ub_optimizer_destroy(&spared);
    ub_parameters_destroy(&f.parameters);
    ub_parameters_destroy(&g.parameters);
}

static void test_zero_gradients(void **state)
{
    fixture f = create(*state);
    ub_optimizer *optimizer = optimize(&f, NULL);
    double norm = -1.0;

    give_gradients(&f, 0.0f);
    assert_int_equal(ub_optimizer_step(optimizer, 1.0, 0.5, &norm), UB_OK);
    assert_true(norm == 0.0);
    assert_true(values(f.a)[0] == 1.0f);
    ub_optimizer_destroy(&optimizer);
    ub_parameters_destroy(&f.parameters);
}

static void run(const fixture *f, ub_optimizer *optimizer, int from, int to)
{
    for (int i = from; i < to; i++) {
        give_gradients(f, 1.0f / (float) (1 + i));
        assert_int_equal(ub_optimizer_step(optimizer, 0.1, 0.5, NULL), UB_OK);
    }
}

/* Five steps at once, and three steps, a file, two steps in new objects. */
static void check_resume(ub_context *context, ub_optimizer_kind kind,
                         double momentum)
{
    fixture whole = create(context), first = create(context);
    fixture second = create(context);
    ub_optimizer_options options = options_of(kind);
    ub_archive *archive = NULL;
    ub_optimizer *optimizer;
    const char *path = test_path("resume.safetensors");

    options.momentum = momentum;
    options.nesterov = momentum > 0.0;
    options.weight_decay = 1e-3;
    optimizer = optimize(&whole, &options);
    run(&whole, optimizer, 0, 5);
    ub_optimizer_destroy(&optimizer);

    optimizer = optimize(&first, &options);
    run(&first, optimizer, 0, 3);
    assert_int_equal(ub_archive_create(context, &archive), UB_OK);
    assert_int_equal(ub_parameters_save(first.parameters, archive, "p."),
                     UB_OK);
    assert_int_equal(ub_optimizer_save(optimizer, archive, "o."), UB_OK);
    assert_int_equal(ub_archive_write(archive, path), UB_OK);
    ub_archive_destroy(&archive);
    ub_optimizer_destroy(&optimizer);

    optimizer = optimize(&second, &options);
    assert_int_equal(ub_archive_read(context, path, &archive), UB_OK);
    assert_int_equal(ub_parameters_load(second.parameters, archive, "p."),
                     UB_OK);
    assert_int_equal(ub_optimizer_load(optimizer, archive, "o."), UB_OK);
    run(&second, optimizer, 3, 5);
    assert_memory_equal(values(whole.a), values(second.a), 3 * sizeof(float));
    assert_memory_equal(values(whole.b), values(second.b), 2 * sizeof(float));
    ub_archive_destroy(&archive);
    ub_optimizer_destroy(&optimizer);
    ub_parameters_destroy(&whole.parameters);
    ub_parameters_destroy(&first.parameters);
    ub_parameters_destroy(&second.parameters);
}

static void test_resumes_with_the_same_bits(void **state)
{
    check_resume(*state, UB_OPTIMIZER_SGD, 0.0);
    check_resume(*state, UB_OPTIMIZER_SGD, 0.9);
    check_resume(*state, UB_OPTIMIZER_ADAM, 0.0);
}

static void test_refuses_foreign_state(void **state)
{
    static const char *const steps[] = { "",
                                         "1",
                                         "1 2 3",
                                         "1  2",
                                         "1,2",
                                         "1 -2",
                                         "1 2 ",
                                         " 1 2",
                                         "x 2",
                                         "1 1e3",
                                         "1 9007199254740993",
                                         "1 9223372036854775799",
                                         "1 99999999999999999999" };
    fixture f = create(*state);
    ub_optimizer_options options = options_of(UB_OPTIMIZER_ADAM);
    ub_optimizer *sgd, *other = optimize(&f, &options);
    ub_archive *archive = NULL;

    options = options_of(UB_OPTIMIZER_SGD);
    options.momentum = 0.5;
    sgd = optimize(&f, &options);
    assert_int_equal(ub_archive_create(*state, &archive), UB_OK);
    assert_int_equal(ub_optimizer_load(sgd, archive, NULL), UB_ERR_FORMAT);
    assert_int_equal(ub_optimizer_save(sgd, archive, NULL), UB_OK);
    assert_string_equal(ub_archive_text(archive, "steps"), "0 0");
    assert_int_equal(ub_optimizer_load(other, archive, NULL), UB_ERR_FORMAT);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        assert_int_equal(ub_archive_set_text(archive, "steps", steps[i]),
                         UB_OK);
        assert_int_equal(ub_optimizer_load(sgd, archive, NULL), UB_ERR_FORMAT);
    }
    assert_int_equal(
        ub_archive_set_text(archive, "steps", "12 9007199254740992"), UB_OK);
    assert_int_equal(ub_optimizer_load(sgd, archive, NULL), UB_OK);
    assert_int_equal(ub_optimizer_save(sgd, archive, NULL), UB_ERR_INVALID);
    assert_int_equal(ub_optimizer_save(sgd, NULL, NULL), UB_ERR_INVALID);
    assert_int_equal(ub_optimizer_load(sgd, NULL, NULL), UB_ERR_INVALID);
    ub_archive_destroy(&archive);
    ub_optimizer_destroy(&sgd);
    ub_optimizer_destroy(&other);
    ub_parameters_destroy(&f.parameters);
}

static void test_refuses_state_of_another_shape(void **state)
{
    fixture f = create(*state);
    ub_variable *ab[2] = { f.a, f.b }, *ba[2] = { f.b, f.a };
    ub_optimizer_options options = options_of(UB_OPTIMIZER_ADAM);
    ub_optimizer *first = NULL, *second = NULL;
    ub_archive *archive = NULL;

    assert_int_equal(ub_optimizer_create(*state, &options, 2, ab, &first),
                     UB_OK);
    assert_int_equal(ub_optimizer_create(*state, &options, 2, ba, &second),
                     UB_OK);
    assert_int_equal(ub_archive_create(*state, &archive), UB_OK);
    assert_int_equal(ub_optimizer_save(first, archive, "o/"), UB_OK);
    assert_int_equal(ub_optimizer_load(second, archive, "o/"), UB_ERR_SHAPE);
    ub_archive_destroy(&archive);
    ub_optimizer_destroy(&first);
    ub_optimizer_destroy(&second);
    ub_parameters_destroy(&f.parameters);
}

static void assert_refused(ub_context *context,
                           const ub_optimizer_options *options,
                           const char *field)
{
    ub_optimizer *optimizer = NULL;

    assert_int_equal(ub_optimizer_create(context, options, 0, NULL, &optimizer),
                     UB_ERR_INVALID);
    assert_non_null(strstr(ub_context_last_error(context), field));
    assert_null(optimizer);
}

static void test_refuses_options(void **state)
{
    ub_optimizer_options good = options_of(UB_OPTIMIZER_SGD), bad;

    bad = good;
    bad.kind = 2;
    assert_refused(*state, &bad, "kind");
    bad = good;
    bad.momentum = 1.0;
    assert_refused(*state, &bad, "momentum");
    bad = good;
    bad.nesterov = 1;
    assert_refused(*state, &bad, "nesterov");
    bad = good;
    bad.weight_decay = -1.0;
    assert_refused(*state, &bad, "weight_decay");
    bad = good;
    bad.beta1 = 1.0;
    assert_refused(*state, &bad, "beta1");
    bad = good;
    bad.beta2 = (double) NAN;
    assert_refused(*state, &bad, "beta2");
    bad = good;
    bad.eps = 0.0;
    assert_refused(*state, &bad, "eps");
}

static void test_refuses_arguments(void **state)
{
    fixture f = create(*state);
    ub_optimizer *optimizer = NULL, *real = optimize(&f, NULL);
    ub_variable *none = NULL;

    assert_int_equal(ub_optimizer_create(NULL, NULL, 0, NULL, &optimizer),
                     UB_ERR_INVALID);
    assert_int_equal(ub_optimizer_create(*state, NULL, 0, NULL, NULL),
                     UB_ERR_INVALID);
    assert_int_equal(ub_optimizer_create(*state, NULL, -1, &f.a, &optimizer),
                     UB_ERR_INVALID);
    assert_int_equal(ub_optimizer_create(*state, NULL, 1, NULL, &optimizer),
                     UB_ERR_INVALID);
    assert_int_equal(ub_optimizer_create(*state, NULL, 1, &none, &optimizer),
                     UB_ERR_INVALID);
    assert_int_equal(
        ub_optimizer_create_for(NULL, UB_PARAMETER_WEIGHT, NULL, &optimizer),
        UB_ERR_INVALID);
    assert_int_equal(ub_optimizer_create_for(f.parameters, UB_PARAMETER_BUFFER,
                                             NULL, &optimizer),
                     UB_ERR_INVALID);
    assert_null(optimizer);
    assert_int_equal(ub_optimizer_step(NULL, 0.1, 0.0, NULL), UB_ERR_INVALID);
    assert_int_equal(ub_optimizer_step(real, -0.1, 0.0, NULL), UB_ERR_INVALID);
    assert_int_equal(ub_optimizer_step(real, (double) NAN, 0.0, NULL),
                     UB_ERR_INVALID);
    assert_int_equal(ub_optimizer_step(real, 0.1, -1.0, NULL), UB_ERR_INVALID);
    ub_optimizer_destroy(&real);
    ub_parameters_destroy(&f.parameters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_is_plain_descent),
        cmocka_unit_test(test_clips_all_together_before_decay),
        cmocka_unit_test(test_clip_alone),
        cmocka_unit_test(test_skips_without_gradient),
        cmocka_unit_test(test_bad_gradient_changes_nothing),
        cmocka_unit_test(test_zero_gradients),
        cmocka_unit_test(test_resumes_with_the_same_bits),
        cmocka_unit_test(test_refuses_foreign_state),
        cmocka_unit_test(test_refuses_state_of_another_shape),
        cmocka_unit_test(test_refuses_options),
        cmocka_unit_test(test_refuses_arguments),
    };

    return cmocka_run_group_tests_name("optimizer", tests, setup, teardown);
}
