/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops/ops.h"

#include <math.h>
#include <string.h>

#define EXTENT_MAX ((int64_t) 1 << 40)

ub_status ub__operand(ub_tape *tape, const char *op, const char *name,
                      const ub_variable *variable, ub_tensor **out)
{
    if (tape == NULL)
        return UB_ERR_INVALID;
    if (variable == NULL)
        return ub__fail(ub_tape_context(tape), UB_ERR_INVALID, "%s: %s is NULL",
                        op, name);
    if (ub_variable_value(variable) == NULL)
        return ub__fail(ub_tape_context(tape), UB_ERR_INVALID,
                        "%s: the value of %s is gone: its tape has run "
                        "backward",
                        op, name);
    *out = ub_variable_value(variable);
    return UB_OK;
}

ub_status ub__operand_rank(ub_tape *tape, const char *op, const char *name,
                           const ub_variable *variable, int rank,
                           ub_tensor **out)
{
    char text[UB__SHAPE_TEXT];
    ub_tensor *tensor;
    ub_status status = ub__operand(tape, op, name, variable, &tensor);

    if (status != UB_OK)
        return status;
    if (ub_tensor_rank(tensor) != rank)
        return ub__fail(ub_tape_context(tape), UB_ERR_SHAPE,
                        "%s: %s is %s, expected %d dimensions", op, name,
                        ub__shape_text(text, ub_tensor_rank(tensor),
                                       ub_tensor_shape(tensor)),
                        rank);
    *out = tensor;
    return UB_OK;
}

ub_status ub__operand_vector(ub_tape *tape, const char *op, const char *name,
                             const ub_variable *variable, int64_t n,
                             ub_tensor **out)
{
    char text[UB__SHAPE_TEXT];
    ub_tensor *tensor;
    ub_status status = ub__operand(tape, op, name, variable, &tensor);

    if (status != UB_OK)
        return status;
    if (ub_tensor_rank(tensor) != 1 || ub_tensor_shape(tensor)[0] != n)
        return ub__fail(ub_tape_context(tape), UB_ERR_SHAPE,
                        "%s: %s is %s, expected [%lld]", op, name,
                        ub__shape_text(text, ub_tensor_rank(tensor),
                                       ub_tensor_shape(tensor)),
                        (long long) n);
    *out = tensor;
    return UB_OK;
}

ub_status ub__operand_count(ub_tape *tape, const char *op, int n, const void *x)
{
    if (tape == NULL)
        return UB_ERR_INVALID;
    if (n < 1 || n > UB__OPERANDS_MAX || x == NULL)
        return ub__fail(ub_tape_context(tape), UB_ERR_INVALID,
                        "%s: %d operands, expected 1 to %d", op,
                        x == NULL ? 0 : n, UB__OPERANDS_MAX);
    return UB_OK;
}

ub_status ub__operand_unlike(ub_tape *tape, const char *op, const char *name,
                             int64_t index, const ub_tensor *operand,
                             const ub_tensor *first)
{
    char have[UB__SHAPE_TEXT], want[UB__SHAPE_TEXT];

    return ub__fail(
        ub_tape_context(tape), UB_ERR_SHAPE, "%s: %s %lld is %s, the first %s",
        op, name, (long long) index,
        ub__shape_text(have, ub_tensor_rank(operand), ub_tensor_shape(operand)),
        ub__shape_text(want, ub_tensor_rank(first), ub_tensor_shape(first)));
}

ub_status ub__window_extent(ub_context *context, const char *op, int64_t in,
                            int64_t kernel, int64_t stride, int64_t pad,
                            int64_t dilation, int64_t *out)
{
    int64_t span;

    if (pad > EXTENT_MAX || !ub__mul_int64(dilation, kernel - 1, &span) ||
        span >= INT64_MAX)
        return ub__fail(context, UB_ERR_RANGE,
                        "%s: padding %lld or dilation %lld is too large", op,
                        (long long) pad, (long long) dilation);
    span++;
    if (span > in + 2 * pad)
        return ub__fail(context, UB_ERR_SHAPE,
                        "%s: a window of %lld on %lld elements with padding "
                        "%lld",
                        op, (long long) span, (long long) in, (long long) pad);
    *out = (in + 2 * pad - span) / stride + 1;
    return UB_OK;
}

int64_t ub__stride_needed(int64_t stride, int64_t height, int64_t width)
{
    const int64_t longest = height > width ? height : width;

    return stride < longest ? stride : longest;
}

int ub__product_fits(int64_t a, int64_t b, int64_t c)
{
    int64_t product;

    return ub__mul_int64(a, b, &product) &&
           ub__mul_int64(product, c, &product) && product <= EXTENT_MAX;
}

ub_status ub__create_like(const ub_tensor *tensor, ub_tensor **out)
{
    return ub__tensor_create_raw(ub_tensor_context(tensor),
                                 ub_tensor_rank(tensor),
                                 ub_tensor_shape(tensor), out);
}

static void fill_zeros(ub__node *node, int index, float *grad)
{
    const ub_tensor *value = ub_variable_value(ub__node_input(node, index));

    memset(grad, 0, (size_t) ub_tensor_count(value) * sizeof *grad);
}

ub_status ub__grad_targets(ub__node *node, int first, int second,
                           float **out_first, float **out_second,
                           int *accumulate)
{
    int one, two;
    ub_status status = ub__grad_target(node, first, out_first, &one);

    if (status == UB_OK)
        status = ub__grad_target(node, second, out_second, &two);
    if (status != UB_OK)
        return status;
    *accumulate = one || two;
    if (*accumulate && *out_first != NULL && !one)
        fill_zeros(node, first, *out_first);
    if (*accumulate && *out_second != NULL && !two)
        fill_zeros(node, second, *out_second);
    return UB_OK;
}

void ub__saved_release(ub_context *context, void *state)
{
    struct ub__saved *saved = state;

    (void) context;
    ub_tensor_unref(&saved->tensor);
}

ub_status ub__rows(ub_context *context, const char *op, const ub_tensor *x,
                   int64_t *out_rows, int64_t *out_width)
{
    int rank = ub_tensor_rank(x);

    if (rank == 0)
        return ub__fail(context, UB_ERR_SHAPE, "%s: x is a scalar", op);
    *out_width = ub_tensor_shape(x)[rank - 1];
    *out_rows = ub_tensor_count(x) / *out_width;
    return UB_OK;
}

double ub__log_sum_exp(const float *x, int64_t n)
{
    double largest = (double) x[0], sum = 0.0;

    for (int64_t i = 1; i < n; i++)
        largest = fmax(largest, (double) x[i]);
    for (int64_t i = 0; i < n; i++)
        sum += exp((double) x[i] - largest);
    return largest + log(sum);
}

int64_t ub__argmax(const double *x, int64_t n)
{
    int64_t best = 0;

    for (int64_t i = 1; i < n; i++) {
        if (x[i] > x[best])
            best = i;
    }
    return best;
}

int64_t ub__argmax_float(const float *x, int64_t n)
{
    int64_t best = 0;

    for (int64_t i = 1; i < n; i++) {
        if (x[i] > x[best])
            best = i;
    }
    return best;
}
