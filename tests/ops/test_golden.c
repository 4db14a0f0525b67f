/* SPDX-License-Identifier: BSD-2-Clause */
#include "golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * Every case of ops.json: results and gradients of operators, computed
 * elsewhere in double and printed with nine digits. The file is the one that
 * $UBOOST_GOLDEN names, or ops.json in that folder, or the committed copy.
 * Cases of optimizers and schedules are for tests/nn.
 *
 * Tolerance of each element: 2e-7 of the largest magnitude of its tensor, for
 * the printed value and one rounding, and the operator's own float32 bound as
 * golden_operators.c gives it.
 */
#define RELATIVE 2e-7

static const char *find_file(void)
{
    static char path[4096];
    const char *given = getenv("UBOOST_GOLDEN");
    const char *tests = getenv("UBOOST_TESTS");

    if (given != NULL && given[0] != '\0') {
        FILE *file;

        snprintf(path, sizeof path, "%s/ops.json", given);
        file = fopen(path, "rb");
        if (file == NULL)
            return given; /* a file itself */
        fclose(file);
        return path;
    }
    if (tests == NULL)
        return NULL;
    snprintf(path, sizeof path, "%s/golden/ops.json", tests);
    return path;
}

static void check_known(const json_t *object, const json_t *known,
                        const char *what)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *) object, key, value)
    {
        if (json_object_get(known, key) == NULL)
            fail_msg("unknown field \"%s\" in %s", key, what);
    }
}

static void check_fields(const json_t *object)
{
    json_t *known = json_pack("{s:b, s:b, s:b, s:b, s:b, s:b, s:b}", "op", 1,
                              "params", 1, "inputs", 1, "y", 1, "gy", 1, "grad",
                              1, "extra", 1);

    check_known(object, known, "the case");
    json_decref(known);
}

/* magnitude, when not NULL, times terms and the rounding unit is added to the
 * bound of each element. */
static void compare(ub_context *context, const char *name,
                    const ub_tensor *actual, const json_t *expected,
                    double bound, const ub_tensor *magnitude, double terms)
{
    ub_tensor *tensor = golden_tensor(context, expected, 0);
    double largest = golden_largest(tensor);

    if (actual == NULL)
        fail_msg("%s: there is none", name);
    if (ub_tensor_rank(actual) != ub_tensor_rank(tensor) ||
        memcmp(ub_tensor_shape(actual), ub_tensor_shape(tensor),
               (size_t) ub_tensor_rank(tensor) * sizeof(int64_t)) != 0)
        fail_msg("%s: another shape", name);
    for (int64_t i = 0; i < ub_tensor_count(tensor); i++) {
        double is = (double) ub_tensor_data(actual)[i];
        double should = (double) ub_tensor_data(tensor)[i];
        double tolerance = RELATIVE * largest + bound;

        if (magnitude != NULL)
            tolerance += terms * GOLDEN_UNIT *
                         (double) ub_tensor_data(magnitude)[i];
        if (!(fabs(is - should) <= tolerance) || !isfinite(tolerance))
            fail_msg("%s[%lld] is %.9g, expected %.9g within %.3g", name,
                     (long long) i, is, should, tolerance);
    }
    ub_tensor_unref(&tensor);
}

static void start(struct golden *golden, ub_context *context,
                  const json_t *object, int absolute)
{
    memset(golden, 0, sizeof *golden);
    golden->context = context;
    golden->params = json_object_get(object, "params");
    golden->inputs = json_object_get(object, "inputs");
    golden->used_params = json_object();
    golden->used_inputs = json_object();
    golden->absolute = absolute;
    assert_int_equal(ub_tape_create(context, &golden->tape), UB_OK);
}

static void finish(struct golden *golden)
{
    ub_tape_destroy(&golden->tape);
    for (int i = 0; i < golden->operands_n; i++)
        ub_variable_destroy(&golden->operands[i]);
    ub_tensor_unref(&golden->running_mean);
    ub_tensor_unref(&golden->running_var);
    json_decref(golden->used_params);
    json_decref(golden->used_inputs);
}

/* Forward and, when the case has it, backward. The result outlives the tape. */
static ub_tensor *run(struct golden *golden,
                      const struct golden_operator *entry, const json_t *object,
                      int absolute_grad)
{
    const json_t *gy = json_object_get(object, "gy");
    ub_variable *y = NULL;
    ub_tensor *grad, *value;

    if (entry->run(golden, &y) != UB_OK)
        fail_msg("%s", ub_context_last_error(golden->context));
    value = ub_tensor_ref(ub_variable_value(y));
    if (gy == NULL)
        return value;
    grad = golden_tensor(golden->context, gy, absolute_grad);
    if (ub_tape_backward_from(golden->tape, y, grad) != UB_OK)
        fail_msg("%s", ub_context_last_error(golden->context));
    ub_tensor_unref(&grad);
    return value;
}

static int operand_of(const struct golden *golden, const char *name)
{
    for (int i = 0; i < golden->operands_n; i++) {
        if (strcmp(golden->names[i], name) == 0)
            return i;
    }
    fail_msg("gradient of \"%s\", which is no input", name);
    return 0;
}

static void compare_gradients(const struct golden *golden,
                              const struct golden *sizes, const json_t *object)
{
    json_t *gy = json_object_get(object, "gy"), *expected;
    double largest = 0.0;
    const char *name;

    if (gy != NULL) {
        ub_tensor *grad = golden_tensor(golden->context, gy, 0);

        largest = golden_largest(grad);
        ub_tensor_unref(&grad);
    }
    json_object_foreach(json_object_get(object, "grad"), name, expected)
    {
        int i = operand_of(golden, name);

        compare(golden->context, name, ub_variable_grad(golden->operands[i]),
                expected, golden->g_bound[i] * largest,
                sizes != NULL ? ub_variable_grad(sizes->operands[i]) : NULL,
                golden->g_terms[i]);
    }
}

static void compare_extra(const struct golden *golden, const json_t *object)
{
    json_t *expected;
    const char *name;

    json_object_foreach(json_object_get(object, "extra"), name, expected)
    {
        const ub_tensor *actual = NULL;

        if (strcmp(name, "running_mean") == 0)
            actual = golden->running_mean;
        else if (strcmp(name, "running_var") == 0)
            actual = golden->running_var;
        else
            fail_msg("unknown field \"%s\" in extra", name);
        /* Computed in double, rounded once. */
        compare(golden->context, name, actual, expected, 0.0, NULL, 0.0);
    }
}

static void run_case(ub_context *context, const struct golden_operator *entry,
                     const json_t *object)
{
    int sized = entry->magnitude != MAGNITUDE_NONE;
    struct golden golden, sizes;
    ub_tensor *y, *magnitude = NULL;

    check_fields(object);
    if (json_object_get(object, "y") == NULL)
        fail_msg("no y");
    start(&golden, context, object, 0);
    y = run(&golden, entry, object, 0);
    check_known(golden.params, golden.used_params, "params");
    check_known(golden.inputs, golden.used_inputs, "inputs");
    start(&sizes, context, object, entry->magnitude == MAGNITUDE_ALL);
    if (sized)
        magnitude = run(&sizes, entry, object, 1);
    compare(context, "y", y, json_object_get(object, "y"), golden.y_bound,
            magnitude, golden.y_terms);
    compare_gradients(&golden, sized ? &sizes : NULL, object);
    compare_extra(&golden, object);
    ub_tensor_unref(&y);
    ub_tensor_unref(&magnitude);
    finish(&golden);
    finish(&sizes);
}

static const struct golden_operator *find_operator(const json_t *object)
{
    const char *name = json_string_value(json_object_get(object, "op"));

    if (name == NULL)
        fail_msg("a case without op");
    for (size_t i = 0; i < golden_operators_n; i++) {
        if (strcmp(golden_operators[i].name, name) == 0)
            return &golden_operators[i];
    }
    if (strcmp(name, "optimizer") != 0 && strcmp(name, "schedule") != 0)
        fail_msg("unknown operator \"%s\"", name);
    return NULL;
}

/* Portable kernels and the machine's own, one thread and three. */
static ub_context *create_context(int variant)
{
    ub_context_options options;
    ub_context *context = NULL;

    ub_context_options_init(&options, sizeof options);
    options.portable_kernels = variant % 2;
    options.threads = variant < 2 ? 1 : 3;
    assert_int_equal(ub_context_create(&options, &context), UB_OK);
    return context;
}

static void run_all(ub_context *context, const json_t *cases)
{
    size_t ran = 0;

    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *object = json_array_get(cases, i);
        const struct golden_operator *entry = find_operator(object);

        if (entry == NULL)
            continue;
        print_message("case %zu: %s\n", i, entry->name);
        run_case(context, entry, object);
        ran++;
    }
    assert_true(ran > 0);
}

static void test_cases(void **state)
{
    const char *path = find_file();
    json_error_t error;
    json_t *root;

    (void) state;
    if (path == NULL) {
        print_message("neither UBOOST_GOLDEN nor UBOOST_TESTS is set\n");
        skip();
    }
    root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL)
        fail_msg("%s:%d: %s", path, error.line, error.text);
    for (int variant = 0; variant < 4; variant++) {
        ub_context *context = create_context(variant);

        run_all(context, json_object_get(root, "cases"));
        ub_context_destroy(&context);
    }
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
