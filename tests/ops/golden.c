/* SPDX-License-Identifier: BSD-2-Clause */
#include "golden.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const json_t *parameter(struct golden *golden, const char *name)
{
    const json_t *value = json_object_get(golden->params, name);

    json_object_set_new(golden->used_params, name, json_true());
    return json_is_null(value) ? NULL : value;
}

static void collect(const json_t *from, double *out, int64_t *n)
{
    if (json_is_number(from) || json_is_boolean(from)) {
        if (out != NULL)
            out[*n] = json_is_boolean(from) ? (double) json_is_true(from)
                                            : json_number_value(from);
        ++*n;
        return;
    }
    if (!json_is_array(from))
        fail_msg("neither a number nor a list of numbers");
    for (size_t i = 0; i < json_array_size(from); i++)
        collect(json_array_get(from, i), out, n);
}

double *golden_list(struct golden *golden, const char *name, int64_t *out_n)
{
    const json_t *value = parameter(golden, name);
    double *list;

    *out_n = 0;
    if (json_is_object(value))
        value = json_object_get(value, "data");
    if (value == NULL)
        return NULL;
    collect(value, NULL, out_n);
    list = calloc((size_t) *out_n + 1, sizeof *list);
    *out_n = 0;
    collect(value, list, out_n);
    return list;
}

void golden_pair(struct golden *golden, const char *name, int64_t missing,
                 int64_t out[2])
{
    int64_t n;
    double *list = golden_list(golden, name, &n);

    out[0] = out[1] = missing;
    if (list == NULL)
        return;
    if (n != 1 && n != 2)
        fail_msg("%s has %lld values", name, (long long) n);
    for (int i = 0; i < 2; i++) {
        out[i] = (int64_t) list[n == 2 ? i : 0];
        if ((double) out[i] != list[n == 2 ? i : 0])
            fail_msg("%s is no whole number", name);
    }
    free(list);
}

int64_t golden_integer(struct golden *golden, const char *name, int64_t missing)
{
    int64_t pair[2];

    golden_pair(golden, name, missing, pair);
    if (pair[0] != pair[1])
        fail_msg("%s differs by direction", name);
    return pair[0];
}

double golden_double(struct golden *golden, const char *name, double missing)
{
    int64_t n;
    double *list = golden_list(golden, name, &n);
    double value = n > 0 ? list[0] : missing;

    if (n > 1)
        fail_msg("%s has %lld values", name, (long long) n);
    free(list);
    return value;
}

void golden_text(struct golden *golden, const char *name, const char *text)
{
    const json_t *value = parameter(golden, name);

    if (value == NULL)
        return;
    if (!json_is_string(value) || strcmp(json_string_value(value), text) != 0)
        fail_msg("%s is not \"%s\"", name, text);
}

ub_tensor *golden_tensor(ub_context *context, const json_t *from, int absolute)
{
    const json_t *data = json_object_get(from, "data");
    const json_t *extents = json_object_get(from, "shape");
    int64_t shape[UB_TENSOR_MAX_RANK], n = 0;
    size_t rank = json_array_size(extents);
    ub_tensor *tensor = NULL;
    double *values;

    if (data == NULL || extents == NULL || json_object_size(from) != 2 ||
        rank > UB_TENSOR_MAX_RANK)
        fail_msg("not a tensor of shape and data");
    for (size_t i = 0; i < rank; i++)
        shape[i] = json_integer_value(json_array_get(extents, i));
    assert_int_equal(ub_tensor_create(context, (int) rank, shape, &tensor),
                     UB_OK);
    collect(data, NULL, &n);
    if (n != ub_tensor_count(tensor))
        fail_msg("%lld values do not fit the shape", (long long) n);
    values = calloc((size_t) n, sizeof *values);
    n = 0;
    collect(data, values, &n);
    for (int64_t i = 0; i < n; i++)
        ub_tensor_data(tensor)[i] = (float) (absolute ? fabs(values[i])
                                                      : values[i]);
    free(values);
    return tensor;
}

ub_variable *golden_input(struct golden *golden, const char *name)
{
    const json_t *from = json_object_get(golden->inputs, name);
    ub_tensor *tensor;
    int at = golden->operands_n;

    if (from == NULL)
        return NULL;
    if (at == GOLDEN_OPERANDS)
        fail_msg("more than %d inputs", GOLDEN_OPERANDS);
    json_object_set_new(golden->used_inputs, name, json_true());
    tensor = golden_tensor(golden->context, from, golden->absolute);
    assert_int_equal(ub_variable_create(tensor, 1, &golden->operands[at]),
                     UB_OK);
    ub_tensor_unref(&tensor);
    /* The set's own copy of the name lives as long as the case. */
    golden->names[at] = json_object_iter_key(
        json_object_iter_at(golden->used_inputs, name));
    golden->operands_n++;
    return golden->operands[at];
}

int golden_inputs(struct golden *golden, ub_variable *out[GOLDEN_OPERANDS])
{
    char name[16];
    int n = 0;

    for (; n < GOLDEN_OPERANDS; n++) {
        snprintf(name, sizeof name, "x%d", n);
        if (json_object_get(golden->inputs, name) == NULL)
            break;
        out[n] = golden_input(golden, name);
    }
    return n;
}

static int index_of(const struct golden *golden, const ub_variable *input)
{
    for (int i = 0; i < golden->operands_n; i++) {
        if (golden->operands[i] == input)
            return i;
    }
    fail_msg("not an input of the case");
    return 0;
}

void golden_y_terms(struct golden *golden, double terms)
{
    golden->y_terms = terms;
}

void golden_g_terms(struct golden *golden, const ub_variable *input,
                    double terms)
{
    if (input != NULL)
        golden->g_terms[index_of(golden, input)] = terms;
}

void golden_g_bound(struct golden *golden, const ub_variable *input,
                    double bound)
{
    if (input != NULL)
        golden->g_bound[index_of(golden, input)] = bound;
}

double golden_largest(const ub_tensor *tensor)
{
    double largest = 0.0;

    for (int64_t i = 0; i < ub_tensor_count(tensor); i++)
        largest = fmax(largest, fabs((double) ub_tensor_data(tensor)[i]));
    return largest;
}
