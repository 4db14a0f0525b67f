/* SPDX-License-Identifier: BSD-2-Clause */
#include "nn/nn.h"

#include <string.h>

typedef struct parameter {
    char *name;
    ub_variable *variable;
    ub_parameter_kind kind;
} parameter;

struct ub_parameters {
    ub_context *context;
    parameter *items;
    int64_t count;
    int64_t capacity;
};

char *ub__name_join(ub_context *context, const char *prefix,
                    const char *separator, const char *name)
{
    size_t n_prefix = prefix != NULL ? strlen(prefix) : 0;
    size_t n_separator = strlen(separator);
    size_t n_name = strlen(name);
    char *joined = ub__alloc(context, n_prefix + n_separator + n_name + 1, 1);

    if (joined == NULL)
        return NULL;
    if (n_prefix > 0)
        memcpy(joined, prefix, n_prefix);
    memcpy(joined + n_prefix, separator, n_separator);
    memcpy(joined + n_prefix + n_separator, name, n_name + 1);
    return joined;
}

static int is_kind(ub_parameter_kind kind)
{
    return kind == UB_PARAMETER_WEIGHT || kind == UB_PARAMETER_ARCHITECTURE ||
           kind == UB_PARAMETER_BUFFER;
}

static int in_range(const ub_parameters *parameters, int64_t index)
{
    return parameters != NULL && index >= 0 && index < parameters->count;
}

static ub_status reserve_one(ub_parameters *parameters)
{
    int64_t capacity = parameters->capacity;
    parameter *items;

    if (parameters->count < capacity)
        return UB_OK;
    capacity = capacity == 0 ? 16 : 2 * capacity;
    items = ub__realloc(parameters->context, parameters->items,
                        (size_t) parameters->capacity, (size_t) capacity,
                        sizeof *items);
    if (items == NULL)
        return UB_ERR_NOMEM;
    parameters->items = items;
    parameters->capacity = capacity;
    return UB_OK;
}

static ub_status check_new(const ub_parameters *parameters, const char *name,
                           ub_parameter_kind kind)
{
    ub_context *context = parameters->context;

    if (name == NULL || name[0] == '\0')
        return ub__fail(context, UB_ERR_INVALID, "parameters: empty name");
    if (!is_kind(kind))
        return ub__fail(context, UB_ERR_INVALID,
                        "parameters: %s is of unknown kind %d", name,
                        (int) kind);
    if (ub_parameters_find(parameters, name) != NULL)
        return ub__fail(context, UB_ERR_INVALID,
                        "parameters: the name %s is in use", name);
    return UB_OK;
}

static ub_status create_leaf(ub_context *context, ub_parameter_kind kind,
                             int rank, const int64_t *shape, ub_variable **out)
{
    ub_tensor *value = NULL;
    ub_status status = ub_tensor_create(context, rank, shape, &value);

    if (status != UB_OK)
        return status;
    status = ub_variable_create(value, kind != UB_PARAMETER_BUFFER, out);
    ub_tensor_unref(&value);
    return status;
}

void ub__parameters_truncate(ub_parameters *parameters, int64_t count)
{
    while (parameters->count > count) {
        parameter *last = &parameters->items[--parameters->count];

        ub_variable_destroy(&last->variable);
        ub__free(parameters->context, last->name);
    }
}

ub_status ub__parameters_add(ub_parameters *parameters, const char *prefix,
                             const char *name, ub_parameter_kind kind, int rank,
                             const int64_t *shape, ub_variable **out)
{
    char *joined = ub__name_join(parameters->context, prefix, ".", name);
    ub_status status = UB_ERR_NOMEM;

    if (joined != NULL)
        status = ub_parameters_add(parameters, joined, kind, rank, shape, out);
    ub__free(parameters->context, joined);
    return status;
}

ub_status ub_parameters_create(ub_context *context, ub_parameters **out)
{
    ub_parameters *parameters;

    if (context == NULL || out == NULL)
        return UB_ERR_INVALID;
    parameters = ub__calloc(context, 1, sizeof *parameters);
    if (parameters == NULL)
        return UB_ERR_NOMEM;
    parameters->context = context;
    *out = parameters;
    return UB_OK;
}

void ub_parameters_destroy(ub_parameters **parameters)
{
    ub_context *context;

    if (parameters == NULL || *parameters == NULL)
        return;
    context = (*parameters)->context;
    ub__parameters_truncate(*parameters, 0);
    ub__free(context, (*parameters)->items);
    ub__free(context, *parameters);
    *parameters = NULL;
}

ub_context *ub_parameters_context(const ub_parameters *parameters)
{
    return parameters->context;
}

ub_status ub_parameters_add(ub_parameters *parameters, const char *name,
                            ub_parameter_kind kind, int rank,
                            const int64_t *shape, ub_variable **out)
{
    ub_status status;
    parameter item = { .kind = kind };

    if (parameters == NULL)
        return UB_ERR_INVALID;
    status = check_new(parameters, name, kind);
    if (status == UB_OK)
        status = reserve_one(parameters);
    if (status != UB_OK)
        return status;
    item.name = ub__strdup(parameters->context, name);
    if (item.name == NULL)
        return UB_ERR_NOMEM;
    status = create_leaf(parameters->context, kind, rank, shape,
                         &item.variable);
    if (status != UB_OK) {
        ub__free(parameters->context, item.name);
        return status;
    }
    parameters->items[parameters->count++] = item;
    if (out != NULL)
        *out = item.variable;
    return UB_OK;
}

int64_t ub_parameters_count(const ub_parameters *parameters)
{
    return parameters != NULL ? parameters->count : 0;
}

const char *ub_parameters_name(const ub_parameters *parameters, int64_t index)
{
    return in_range(parameters, index) ? parameters->items[index].name : NULL;
}

ub_parameter_kind ub_parameters_kind(const ub_parameters *parameters,
                                     int64_t index)
{
    return in_range(parameters, index) ? parameters->items[index].kind
                                       : UB_PARAMETER_WEIGHT;
}

ub_variable *ub_parameters_variable(const ub_parameters *parameters,
                                    int64_t index)
{
    return in_range(parameters, index) ? parameters->items[index].variable
                                       : NULL;
}

ub_variable *ub_parameters_find(const ub_parameters *parameters,
                                const char *name)
{
    if (parameters == NULL || name == NULL)
        return NULL;
    for (int64_t i = 0; i < parameters->count; i++) {
        if (strcmp(parameters->items[i].name, name) == 0)
            return parameters->items[i].variable;
    }
    return NULL;
}

int64_t ub_parameters_elements(const ub_parameters *parameters,
                               ub_parameter_kind kind)
{
    int64_t elements = 0;

    for (int64_t i = 0; i < ub_parameters_count(parameters); i++) {
        const parameter *item = &parameters->items[i];

        if (item->kind == kind)
            elements += ub_tensor_count(ub_variable_value(item->variable));
    }
    return elements;
}

void ub_parameters_freeze(ub_parameters *parameters, ub_parameter_kind kind,
                          int frozen)
{
    if (kind == UB_PARAMETER_BUFFER)
        return;
    for (int64_t i = 0; i < ub_parameters_count(parameters); i++) {
        if (parameters->items[i].kind == kind)
            ub_variable_set_requires_grad(parameters->items[i].variable,
                                          !frozen);
    }
}

void ub_parameters_clear_grads(ub_parameters *parameters)
{
    for (int64_t i = 0; i < ub_parameters_count(parameters); i++)
        ub_variable_clear_grad(parameters->items[i].variable);
}

ub_status ub_parameters_save(const ub_parameters *parameters,
                             ub_archive *archive, const char *prefix)
{
    if (parameters == NULL || archive == NULL)
        return UB_ERR_INVALID;
    for (int64_t i = 0; i < parameters->count; i++) {
        const parameter *item = &parameters->items[i];
        char *name = ub__name_join(parameters->context, prefix, "", item->name);
        ub_status status = UB_ERR_NOMEM;

        if (name != NULL)
            status = ub_archive_add(archive, name,
                                    ub_variable_value(item->variable));
        ub__free(parameters->context, name);
        if (status != UB_OK)
            return status;
    }
    return UB_OK;
}

ub_status ub__archive_need(ub_context *context, const ub_archive *archive,
                           const char *prefix, const char *name,
                           const ub_tensor *like, ub_tensor **out)
{
    char *joined = ub__name_join(context, prefix, "", name);
    char want[UB__SHAPE_TEXT], have[UB__SHAPE_TEXT];
    ub_status status = UB_OK;
    ub_tensor *found;

    if (joined == NULL)
        return UB_ERR_NOMEM;
    found = ub_archive_find(archive, joined);
    if (found == NULL)
        status = ub__fail(context, UB_ERR_FORMAT, "archive: no tensor %s",
                          joined);
    else if (!ub__tensor_same_shape(found, like))
        status = ub__fail(
            context, UB_ERR_SHAPE, "archive: %s is %s, %s expected", joined,
            ub__shape_text(have, ub_tensor_rank(found), ub_tensor_shape(found)),
            ub__shape_text(want, ub_tensor_rank(like), ub_tensor_shape(like)));
    else
        *out = found;
    ub__free(context, joined);
    return status;
}

ub_status ub_parameters_load(ub_parameters *parameters,
                             const ub_archive *archive, const char *prefix)
{
    ub_tensor **found;
    ub_status status = UB_OK;
    int64_t n;

    if (parameters == NULL || archive == NULL)
        return UB_ERR_INVALID;
    n = parameters->count;
    found = ub__calloc(parameters->context, (size_t) n, sizeof *found);
    if (found == NULL)
        return UB_ERR_NOMEM;
    for (int64_t i = 0; status == UB_OK && i < n; i++) {
        const parameter *item = &parameters->items[i];

        status = ub__archive_need(parameters->context, archive, prefix,
                                  item->name, ub_variable_value(item->variable),
                                  &found[i]);
    }
    for (int64_t i = 0; status == UB_OK && i < n; i++)
        status = ub_tensor_copy(
            ub_variable_value(parameters->items[i].variable), found[i]);
    ub__free(parameters->context, found);
    return status;
}
