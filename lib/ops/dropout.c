/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/kernels.h"
#include "ops/ops.h"

/* Both multiply `units` runs of `area` elements by a factor each. */
struct dropout {
    ub_tensor *factors; /* [units] */
    int64_t units, area;
};

static void release(ub_context *context, void *state)
{
    struct dropout *dropout = state;

    (void) context;
    ub_tensor_unref(&dropout->factors);
}

static ub_status backward(ub__node *node, void *state)
{
    const struct dropout *dropout = state;
    float *gx;
    int accumulate;
    ub_status status = ub__grad_target(node, 0, &gx, &accumulate);

    if (status == UB_OK && gx != NULL)
        ub__mask_channels(ub__node_context(node), 1, dropout->units,
                          dropout->area, ub__node_grad(node),
                          ub_tensor_data(dropout->factors), gx, accumulate);
    return status;
}

static ub_status draw(ub_context *context, int64_t units, double probability,
                      ub_rng *rng, ub_tensor **out)
{
    float keep = (float) (1.0 / (1.0 - probability));
    ub_status status = ub__tensor_create_raw(context, 1, &units, out);

    if (status != UB_OK)
        return status;
    for (int64_t i = 0; i < units; i++)
        ub_tensor_data(*out)[i] = ub_rng_uniform(rng) < probability ? 0.0f
                                                                    : keep;
    return UB_OK;
}

static ub_status run(ub_tape *tape, ub_variable *x, int64_t units,
                     double probability, ub_rng *rng, ub_variable **out)
{
    ub_tensor *xv = ub_variable_value(x), *y;
    ub_rng drawn = *rng; /* handed back on success only */
    struct dropout *dropout;
    ub__node *node;
    ub_status status;

    status = ub__node_create(tape, 1, &x, sizeof *dropout, backward, release,
                             &node);
    if (status != UB_OK)
        return status;
    dropout = ub__node_state(node);
    dropout->units = units;
    dropout->area = ub_tensor_count(xv) / units;
    status = draw(ub_tape_context(tape), units, probability, &drawn,
                  &dropout->factors);
    if (status == UB_OK)
        status = ub__create_like(xv, &y);
    if (status != UB_OK)
        return ub__node_abandon(node, status);
    ub__mask_channels(ub_tape_context(tape), 1, units, dropout->area,
                      ub_tensor_data(xv), ub_tensor_data(dropout->factors),
                      ub_tensor_data(y), 0);
    status = ub__node_finish(node, y, out);
    if (status == UB_OK)
        *rng = drawn;
    return status;
}

static ub_status check(ub_tape *tape, const char *op, const ub_variable *x,
                       double probability, const ub_rng *rng, ub_tensor **out)
{
    ub_status status = ub__operand(tape, op, "x", x, out);

    if (status != UB_OK)
        return status;
    if (rng == NULL || !(probability >= 0.0) || !(probability < 1.0))
        return ub__fail(
            ub_tape_context(tape), UB_ERR_INVALID, "%s: %s, probability %g", op,
            rng == NULL ? "no generator" : "with a generator", probability);
    return UB_OK;
}

ub_status ub_op_dropout(ub_tape *tape, ub_variable *x, double probability,
                        ub_rng *rng, ub_variable **out)
{
    ub_tensor *xv;
    ub_status status = check(tape, "dropout", x, probability, rng, &xv);

    if (status != UB_OK)
        return status;
    return run(tape, x, ub_tensor_count(xv), probability, rng, out);
}

ub_status ub_op_drop_path(ub_tape *tape, ub_variable *x, double probability,
                          ub_rng *rng, ub_variable **out)
{
    ub_tensor *xv;
    ub_status status = check(tape, "drop path", x, probability, rng, &xv);

    if (status == UB_OK && ub_tensor_rank(xv) == 0)
        status = ub__fail(ub_tape_context(tape), UB_ERR_SHAPE,
                          "drop path: x is a scalar");
    if (status != UB_OK)
        return status;
    return run(tape, x, ub_tensor_shape(xv)[0], probability, rng, out);
}
