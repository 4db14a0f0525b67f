/* SPDX-License-Identifier: BSD-2-Clause */
#include "autonba.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

json_t *autonba_open(void)
{
    const char *path = test_golden("autonba.json");
    json_error_t error;
    json_t *root;

    if (path == NULL)
        return NULL;
    root = json_load_file(path, 0, &error);
    if (root == NULL)
        fail_msg("%s:%d: %s", path, error.line, error.text);
    return root;
}

const json_t *autonba_get(const json_t *object, const char *name)
{
    const json_t *member = json_object_get(object, name);

    if (member == NULL)
        fail_msg("no member %s", name);
    return member;
}

const char *autonba_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(autonba_get(object, name));

    assert_non_null(text);
    return text;
}

int64_t autonba_integer(const json_t *object, const char *name)
{
    const json_t *value = autonba_get(object, name);

    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

/* Appends the numbers, unless out is NULL; returns how many. */
static int64_t collect(const json_t *from, double *out)
{
    int64_t n = 0;

    if (json_is_number(from)) {
        if (out != NULL)
            *out = json_number_value(from);
        return 1;
    }
    assert_true(json_is_array(from));
    for (size_t i = 0; i < json_array_size(from); i++)
        n += collect(json_array_get(from, i), out != NULL ? out + n : NULL);
    return n;
}

static double *list(const json_t *from, int64_t *n)
{
    double *values;

    *n = collect(from, NULL);
    values = calloc((size_t) *n + 1, sizeof *values);
    assert_non_null(values);
    collect(from, values);
    return values;
}

static ub_tensor *tensor(ub_context *context, const json_t *numbers, int rank,
                         const int64_t *shape)
{
    ub_tensor *t = NULL;
    int64_t n;
    double *values = list(numbers, &n);

    assert_int_equal(ub_tensor_create(context, rank > 0 ? rank : 1,
                                      rank > 0 ? shape : &n, &t),
                     UB_OK);
    assert_int_equal(ub_tensor_count(t), n);
    for (int64_t i = 0; i < n; i++)
        ub_tensor_data(t)[i] = (float) values[i];
    free(values);
    return t;
}

ub_variable *autonba_leaf(struct scene *scene, const json_t *numbers, int rank,
                          const int64_t *shape)
{
    ub_tensor *value = tensor(scene->context, numbers, rank, shape);
    ub_variable **leaf = &scene->leaves[scene->leaves_n];

    assert_true(scene->leaves_n < SCENE_LEAVES);
    assert_int_equal(ub_variable_create(value, 1, leaf), UB_OK);
    scene->leaves_n++;
    ub_tensor_unref(&value);
    return *leaf;
}

int autonba_shape(const json_t *extents, int64_t shape[4])
{
    assert_true(json_array_size(extents) <= 4);
    for (size_t i = 0; i < json_array_size(extents); i++)
        shape[i] = json_integer_value(json_array_get(extents, i));
    return (int) json_array_size(extents);
}

ub_tensor *autonba_grad(const struct scene *scene, const ub_variable *like,
                        const json_t *numbers)
{
    const ub_tensor *value = ub_variable_value(like);

    return tensor(scene->context, numbers, ub_tensor_rank(value),
                  ub_tensor_shape(value));
}

void autonba_close(const char *what, const float *values, int64_t n,
                   const json_t *expected, double tolerance)
{
    int64_t count;
    double *numbers = list(expected, &count);

    if (count != n)
        fail_msg("%s: %lld values, expected %lld", what, (long long) n,
                 (long long) count);
    for (int64_t i = 0; i < n; i++) {
        if (!(fabs((double) values[i] - numbers[i]) <=
              tolerance * (1.0 + fabs(numbers[i]))))
            fail_msg("%s[%lld]: %.9g, expected %.9g", what, (long long) i,
                     (double) values[i], numbers[i]);
    }
    free(numbers);
}

void autonba_grad_close(const char *what, const ub_variable *variable,
                        const json_t *expected, double tolerance)
{
    if (json_is_null(expected)) {
        assert_null(ub_variable_grad(variable));
        return;
    }
    autonba_close(what, scene_grad(variable), scene_count(variable), expected,
                  tolerance);
}

static int32_t mode_of(const char *name)
{
    static const char *const names[] = { "soft", "proxy_hard", "hard",
                                         "fake_hard" };

    for (int32_t i = 0; i < 4; i++) {
        if (strcmp(names[i], name) == 0)
            return i;
    }
    fail_msg("unknown mode %s", name);
    return -1;
}

ub_bit_choice autonba_choice(struct scene *scene, const json_t *from,
                             int32_t bits[8])
{
    const json_t *widths = autonba_get(from, "bits");
    const json_t *mode = json_object_get(from, "mode");
    const json_t *logits = json_object_get(from, "beta_param");
    ub_bit_choice choice;

    ub_bit_choice_init(&choice, sizeof choice);
    choice.n = (int64_t) json_array_size(widths);
    assert_true(choice.n >= 1 && choice.n <= 8);
    for (int64_t i = 0; i < choice.n; i++)
        bits[i] = (int32_t) json_integer_value(
            json_array_get(widths, (size_t) i));
    choice.bits = bits;
    choice.sample = autonba_leaf(scene, autonba_get(from, "beta_sample"), 0,
                                 NULL);
    if (json_is_array(logits))
        choice.logits = autonba_leaf(scene, logits, 0, NULL);
    if (mode != NULL)
        choice.mode = mode_of(json_string_value(mode));
    return choice;
}

ub_quant_options autonba_options(int masked)
{
    ub_quant_options options;

    ub_quant_options_init(&options, sizeof options);
    options.levels = UB_QUANT_LEVELS_REFERENCE;
    options.backward = masked ? UB_QUANT_BACKWARD_MASKED
                              : UB_QUANT_BACKWARD_STRAIGHT;
    return options;
}
