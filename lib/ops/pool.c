/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/kernels.h"
#include "ops/ops.h"

struct pool {
    ub__pool pool;
    int32_t *index; /* of the maxima; NULL for means */
};

static void release(ub_context *context, void *state)
{
    struct pool *pool = state;

    ub__block_free(context, pool->index);
}

static ub_status max_backward(ub__node *node, void *state)
{
    const struct pool *pool = state;
    float *gx;
    int accumulate;
    ub_status status = ub__grad_target(node, 0, &gx, &accumulate);

    if (status == UB_OK && gx != NULL)
        ub__max_pool_backward(ub__node_context(node), &pool->pool,
                              ub__node_grad(node), pool->index, gx, accumulate);
    return status;
}

static ub_status avg_backward(ub__node *node, void *state)
{
    const struct pool *pool = state;
    float *gx;
    int accumulate;
    ub_status status = ub__grad_target(node, 0, &gx, &accumulate);

    if (status == UB_OK && gx != NULL)
        ub__avg_pool_backward(ub__node_context(node), &pool->pool,
                              ub__node_grad(node), gx, accumulate);
    return status;
}

/* Window sizes are checked here; kernel, stride and padding are set. */
static ub_status set_geometry(ub_context *context, const char *op,
                              const ub_tensor *x, ub__pool *pool)
{
    const int64_t *shape = ub_tensor_shape(x);
    int64_t kernel = pool->kernel_height;
    ub_status status;

    if (kernel < 1 || pool->stride < 1 || pool->padding < 0 ||
        pool->padding > kernel / 2)
        return ub__fail(context, UB_ERR_INVALID,
                        "%s: kernel %lld, stride %lld, padding %lld", op,
                        (long long) kernel, (long long) pool->stride,
                        (long long) pool->padding);
    pool->planes = shape[0] * shape[1];
    pool->in_height = shape[2];
    pool->in_width = shape[3];
    pool->kernel_width = kernel;
    status = ub__window_extent(context, op, shape[2], kernel, pool->stride,
                               pool->padding, 1, &pool->out_height);
    if (status != UB_OK)
        return status;
    status = ub__window_extent(context, op, shape[3], kernel, pool->stride,
                               pool->padding, 1, &pool->out_width);
    if (status != UB_OK)
        return status;
    if (!ub__product_fits(kernel, kernel, pool->out_height * pool->out_width))
        return ub__fail(context, UB_ERR_RANGE,
                        "%s: %lld x %lld windows of %lld x %lld are too large",
                        op, (long long) pool->out_height,
                        (long long) pool->out_width, (long long) kernel,
                        (long long) kernel);
    pool->stride = ub__stride_needed(pool->stride, shape[2] + 2 * pool->padding,
                                     shape[3] + 2 * pool->padding);
    return UB_OK;
}

static ub_status create_output(const ub_tensor *x, const ub__pool *pool,
                               ub_tensor **out)
{
    const int64_t *shape = ub_tensor_shape(x);
    const int64_t pooled[] = { shape[0], shape[1], pool->out_height,
                               pool->out_width };

    return ub__tensor_create_raw(ub_tensor_context(x), 4, pooled, out);
}

/* The maxima are found as 32-bit offsets in their plane. */
static ub_status create_index(ub__node *node, const ub__pool *pool,
                              int32_t **out)
{
    ub_context *context = ub__node_context(node);
    int64_t outputs = pool->planes * pool->out_height * pool->out_width;

    if (pool->in_height * pool->in_width > INT32_MAX)
        return ub__fail(context, UB_ERR_RANGE,
                        "max pool: a map of %lld x %lld elements is too large",
                        (long long) pool->in_height,
                        (long long) pool->in_width);
    if (!ub__node_recorded(node))
        return UB_OK;
    *out = ub__block_alloc(context, (size_t) outputs * sizeof **out);
    return *out != NULL ? UB_OK : UB_ERR_NOMEM;
}

ub_status ub_op_max_pool2d(ub_tape *tape, ub_variable *x, int64_t kernel,
                           int64_t stride, int64_t padding, ub_variable **out)
{
    ub__pool geometry = { .kernel_height = kernel,
                          .stride = stride,
                          .padding = padding };
    struct pool *pool;
    ub_tensor *xv, *y;
    ub__node *node;
    ub_status status = ub__operand_rank(tape, "max pool", "x", x, 4, &xv);

    if (status == UB_OK)
        status = set_geometry(ub_tape_context(tape), "max pool", xv, &geometry);
    if (status == UB_OK)
        status = ub__node_create(tape, 1, &x, sizeof *pool, max_backward,
                                 release, &node);
    if (status != UB_OK)
        return status;
    pool = ub__node_state(node);
    pool->pool = geometry;
    status = create_index(node, &geometry, &pool->index);
    if (status == UB_OK)
        status = create_output(xv, &geometry, &y);
    if (status != UB_OK)
        return ub__node_abandon(node, status);
    ub__max_pool_forward(ub_tape_context(tape), &geometry, ub_tensor_data(xv),
                         ub_tensor_data(y), pool->index);
    return ub__node_finish(node, y, out);
}

ub_status ub_op_avg_pool2d(ub_tape *tape, ub_variable *x, int64_t kernel,
                           int64_t stride, int64_t padding, int count_padding,
                           ub_variable **out)
{
    ub__pool geometry = { .kernel_height = kernel,
                          .stride = stride,
                          .padding = padding,
                          .count_padding = count_padding != 0 };
    struct pool *pool;
    ub_tensor *xv, *y;
    ub__node *node;
    ub_status status = ub__operand_rank(tape, "average pool", "x", x, 4, &xv);

    if (status == UB_OK)
        status = set_geometry(ub_tape_context(tape), "average pool", xv,
                              &geometry);
    if (status == UB_OK)
        status = ub__node_create(tape, 1, &x, sizeof *pool, avg_backward,
                                 release, &node);
    if (status != UB_OK)
        return status;
    pool = ub__node_state(node);
    pool->pool = geometry;
    status = create_output(xv, &geometry, &y);
    if (status != UB_OK)
        return ub__node_abandon(node, status);
    ub__avg_pool_forward(ub_tape_context(tape), &geometry, ub_tensor_data(xv),
                         ub_tensor_data(y));
    return ub__node_finish(node, y, out);
}
