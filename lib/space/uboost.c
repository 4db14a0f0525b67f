/* SPDX-License-Identifier: BSD-2-Clause */
#include "space/space.h"

static const ub_operator_step conv3[] = { { UB_STEP_CONV, 1, 3, 1, 0, 0 } };
static const ub_operator_step conv5[] = { { UB_STEP_CONV, 1, 5, 1, 0, 0 } };
static const ub_operator_step separable3[] = {
    { UB_STEP_DEPTHWISE, 1, 3, 1, 0, 0 },
    { UB_STEP_CONV, 1, 1, 1, 0, 0 },
};
static const ub_operator_step separable5[] = {
    { UB_STEP_DEPTHWISE, 1, 5, 1, 0, 0 },
    { UB_STEP_CONV, 1, 1, 1, 0, 0 },
};
static const ub_operator_step dilated3[] = { { UB_STEP_CONV, 1, 3, 2, 0, 0 } };
static const ub_operator_step dilated5[] = { { UB_STEP_CONV, 1, 5, 2, 0, 0 } };

#define OPERATOR(name, steps)                                    \
    {                                                            \
        sizeof(ub_operator), name, steps, UB__COUNT(steps), 0, 0 \
    }

static const ub_operator operators[] = {
    OPERATOR("conv3x3", conv3),
    OPERATOR("conv5x5", conv5),
    OPERATOR("separable3x3", separable3),
    OPERATOR("separable5x5", separable5),
    OPERATOR("dilated3x3", dilated3),
    OPERATOR("dilated5x5", dilated5),
    { sizeof(ub_operator), "identity", NULL, 0, 0, 0 },
    { sizeof(ub_operator), "zero", NULL, 0, 1, 0 },
};

/* prev and prevprev to t1, t2, t3, then the forward edges among them */
static const ub__edge edges[] = {
    { 0, 2 }, { 0, 3 }, { 0, 4 }, { 1, 2 }, { 1, 3 },
    { 1, 4 }, { 2, 3 }, { 2, 4 }, { 3, 4 },
};

static ub_status fill(ub_space *space, int64_t cells)
{
    ub_status status = ub__space_fill(space, operators, UB__COUNT(operators),
                                      edges, UB__COUNT(edges));

    for (int64_t i = 0; i < cells && status == UB_OK; i++) {
        const ub_space_cell cell = { 0, 1, (i + 1) % (cells / 3) == 0 };
        status = ub_space_add_cell(space, &cell);
    }
    return status;
}

ub_status ub_space_uboost(ub_context *context, const ub_space_options *options,
                          int64_t cells, ub_space **out)
{
    ub_space *space = NULL;
    ub_status status;

    if (context == NULL)
        return UB_ERR_INVALID;
    if (out == NULL || cells < 3 || cells % 3 != 0)
        return ub__fail(context, UB_ERR_INVALID,
                        "uboost space: %lld cells, expected a multiple of 3",
                        (long long) cells);
    status = ub_space_create(context, options, &space);
    if (status != UB_OK)
        return status;
    if (space->options.inputs != 2 || space->options.nodes != 5)
        status = ub__fail(context, UB_ERR_INVALID,
                          "uboost space: its cell has 2 inputs and 5 nodes");
    else
        status = fill(space, cells);
    if (status != UB_OK) {
        ub_space_destroy(&space);
        return status;
    }
    *out = space;
    return UB_OK;
}
