/* SPDX-License-Identifier: BSD-2-Clause */
#include "tensor/tensor.h"

#include <string.h>

#define COUNT_MAX ((int64_t) 1 << 40)

struct ub_tensor {
    ub_context *context;
    float *data;
    double *moments;
    ub_tensor *owner; /* of the storage, for views; NULL otherwise */
    int64_t references;
    int64_t count;
    int rank;
    int64_t shape[UB_TENSOR_MAX_RANK];
};

static ub_status check_shape(ub_context *context, int rank,
                             const int64_t *shape, int64_t *out_count)
{
    int64_t count = 1;

    if (rank < 0 || rank > UB_TENSOR_MAX_RANK)
        return ub__fail(context, UB_ERR_INVALID,
                        "tensor: rank is %d, expected 0 to %d", rank,
                        UB_TENSOR_MAX_RANK);
    if (rank > 0 && shape == NULL)
        return ub__fail(context, UB_ERR_INVALID, "tensor: shape is NULL");
    for (int i = 0; i < rank; i++) {
        if (shape[i] < 1)
            return ub__fail(context, UB_ERR_INVALID,
                            "tensor: extent %d is %lld, expected at least 1", i,
                            (long long) shape[i]);
    }
    for (int i = 0; i < rank; i++) {
        if (!ub__mul_int64(count, shape[i], &count) || count > COUNT_MAX) {
            char text[UB__SHAPE_TEXT];

            return ub__fail(context, UB_ERR_RANGE,
                            "tensor: %s has more than 2^40 elements",
                            ub__shape_text(text, rank, shape));
        }
    }
    *out_count = count;
    return UB_OK;
}

/* A tensor without storage; NULL when out of memory. */
static ub_tensor *create_header(ub_context *context, int rank,
                                const int64_t *shape, int64_t count)
{
    ub_tensor *tensor = ub__calloc(context, 1, sizeof *tensor);

    if (tensor == NULL)
        return NULL;
    tensor->context = context;
    tensor->references = 1;
    tensor->count = count;
    tensor->rank = rank;
    if (rank > 0)
        memcpy(tensor->shape, shape, (size_t) rank * sizeof *shape);
    return tensor;
}

static size_t bytes_of(const ub_tensor *tensor)
{
    return (size_t) tensor->count * sizeof(float);
}

ub_status ub__tensor_create_raw(ub_context *context, int rank,
                                const int64_t *shape, ub_tensor **out)
{
    ub_tensor *tensor;
    int64_t count;
    ub_status status;

    if (context == NULL || out == NULL)
        return ub__fail(context, UB_ERR_INVALID,
                        "tensor: context or result is NULL");
    status = check_shape(context, rank, shape, &count);
    if (status != UB_OK)
        return status;
    tensor = create_header(context, rank, shape, count);
    if (tensor == NULL)
        return UB_ERR_NOMEM;
    tensor->data = ub__block_alloc(context, bytes_of(tensor));
    if (tensor->data == NULL) {
        ub__free(context, tensor);
        return UB_ERR_NOMEM;
    }
    *out = tensor;
    return UB_OK;
}

const double *ub__tensor_moments(const ub_tensor *tensor)
{
    return tensor->moments;
}

void ub__tensor_set_moments(ub_tensor *tensor, double *moments)
{
    ub__free(tensor->context, tensor->moments);
    tensor->moments = moments;
}

int ub__tensor_shared(const ub_tensor *tensor)
{
    if (tensor->references > 1)
        return 1;
    return tensor->owner != NULL && tensor->owner->references > 1;
}

int ub__tensor_same_shape(const ub_tensor *a, const ub_tensor *b)
{
    if (a->rank != b->rank)
        return 0;
    for (int i = 0; i < a->rank; i++) {
        if (a->shape[i] != b->shape[i])
            return 0;
    }
    return 1;
}

const char *ub__shape_text(char text[UB__SHAPE_TEXT], int rank,
                           const int64_t *shape)
{
    size_t used = 0;

    /* The longest has 8 extents of 20 characters with separators. */
    text[used++] = '[';
    for (int i = 0; i < rank; i++)
        used += (size_t) snprintf(text + used, UB__SHAPE_TEXT - used, "%s%lld",
                                  i > 0 ? ", " : "", (long long) shape[i]);
    text[used++] = ']';
    text[used] = '\0';
    return text;
}

ub_status ub_tensor_create(ub_context *context, int rank, const int64_t *shape,
                           ub_tensor **out)
{
    ub_tensor *tensor;
    ub_status status;

    if (out == NULL)
        return ub__fail(context, UB_ERR_INVALID, "tensor: result is NULL");
    status = ub__tensor_create_raw(context, rank, shape, &tensor);
    if (status != UB_OK)
        return status;
    memset(tensor->data, 0, bytes_of(tensor));
    *out = tensor;
    return UB_OK;
}

ub_status ub_tensor_view(ub_tensor *tensor, int rank, const int64_t *shape,
                         ub_tensor **out)
{
    char have[UB__SHAPE_TEXT], want[UB__SHAPE_TEXT];
    ub_tensor *view;
    int64_t count;
    ub_status status;

    if (tensor == NULL)
        return UB_ERR_INVALID;
    if (out == NULL)
        return ub__fail(tensor->context, UB_ERR_INVALID,
                        "tensor view: result is NULL");
    status = check_shape(tensor->context, rank, shape, &count);
    if (status != UB_OK)
        return status;
    if (count != tensor->count)
        return ub__fail(tensor->context, UB_ERR_SHAPE,
                        "tensor view: %s does not fit %s",
                        ub__shape_text(have, tensor->rank, tensor->shape),
                        ub__shape_text(want, rank, shape));
    view = create_header(tensor->context, rank, shape, count);
    if (view == NULL)
        return UB_ERR_NOMEM;
    view->data = tensor->data;
    view->owner = ub_tensor_ref(tensor->owner != NULL ? tensor->owner : tensor);
    *out = view;
    return UB_OK;
}

ub_tensor *ub_tensor_ref(ub_tensor *tensor)
{
    if (tensor != NULL)
        tensor->references++;
    return tensor;
}

void ub_tensor_unref(ub_tensor **tensor)
{
    ub_tensor *gone;

    if (tensor == NULL || *tensor == NULL)
        return;
    gone = *tensor;
    *tensor = NULL;
    if (--gone->references > 0)
        return;
    /* An owner has none itself: this recursion has one step. */
    if (gone->owner != NULL)
        ub_tensor_unref(&gone->owner);
    else
        ub__block_free(gone->context, gone->data);
    ub__free(gone->context, gone->moments);
    ub__free(gone->context, gone);
}

ub_context *ub_tensor_context(const ub_tensor *tensor)
{
    return tensor->context;
}

int ub_tensor_rank(const ub_tensor *tensor)
{
    return tensor->rank;
}

const int64_t *ub_tensor_shape(const ub_tensor *tensor)
{
    return tensor->shape;
}

int64_t ub_tensor_count(const ub_tensor *tensor)
{
    return tensor->count;
}

float *ub_tensor_data(const ub_tensor *tensor)
{
    return tensor->data;
}

void ub_tensor_fill(ub_tensor *tensor, float value)
{
    for (int64_t i = 0; i < tensor->count; i++)
        tensor->data[i] = value;
}

ub_status ub_tensor_copy(ub_tensor *tensor, const ub_tensor *from)
{
    char have[UB__SHAPE_TEXT], want[UB__SHAPE_TEXT];

    if (tensor == NULL)
        return UB_ERR_INVALID;
    if (from == NULL)
        return ub__fail(tensor->context, UB_ERR_INVALID,
                        "tensor copy: source is NULL");
    if (!ub__tensor_same_shape(tensor, from))
        return ub__fail(tensor->context, UB_ERR_SHAPE,
                        "tensor copy: %s into %s",
                        ub__shape_text(have, from->rank, from->shape),
                        ub__shape_text(want, tensor->rank, tensor->shape));
    memmove(tensor->data, from->data, bytes_of(tensor)); /* views overlap */
    return UB_OK;
}
