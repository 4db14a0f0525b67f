/* SPDX-License-Identifier: BSD-2-Clause */
#include "space/space.h"

static const ub_operator_step conv1[] = {
    { UB_STEP_RELU, 0, 1, 1, 0, 1 },
    { UB_STEP_CONV, 0, 1, 1, 0, 1 },
};
static const ub_operator_step conv3[] = {
    { UB_STEP_RELU, 0, 1, 1, 0, 1 },
    { UB_STEP_CONV, 0, 3, 1, 0, 1 },
};
static const ub_operator_step pool[] = { { UB_STEP_AVG_POOL, 0, 3, 1, 0, 1 } };

static const ub_operator operators[] = {
    { sizeof(ub_operator), "none", NULL, 0, 1, 0 },
    { sizeof(ub_operator), "skip_connect", NULL, 0, 0, 0 },
    { sizeof(ub_operator), "nor_conv_1x1", conv1, 2, 0, 0 },
    { sizeof(ub_operator), "nor_conv_3x3", conv3, 2, 0, 0 },
    { sizeof(ub_operator), "avg_pool_3x3", pool, 1, 0, 0 },
};
static const ub__edge edges[] = {
    { 0, 1 }, { 0, 2 }, { 1, 2 }, { 0, 3 }, { 1, 3 }, { 2, 3 },
};

static const ub_operator_step stem_steps[] = { { UB_STEP_CONV, 0, 3, 1, 0,
                                                 1 } };
static const ub_operator stem[] = {
    { sizeof(ub_operator), "stem", stem_steps, 1, 0, 0 },
};

/* A residual block: the convolutions and what goes by them. */
static const ub_operator_step convs[] = {
    { UB_STEP_RELU, 0, 1, 1, 0, 1 },
    { UB_STEP_CONV, 1, 3, 1, 0, 1 },
    { UB_STEP_CONV, 0, 3, 1, 0, 1 },
};
static const ub_operator_step shortcut[] = {
    { UB_STEP_AVG_POOL, 0, 0, 1, 0, 1 },
    { UB_STEP_PLAIN_CONV, 0, 1, 1, 0, 1 },
};
static const ub_operator reduction[] = {
    { sizeof(ub_operator), "reduction", convs, 3, 0, 0 },
    { sizeof(ub_operator), "shortcut", shortcut, 2, 0, 0 },
};

static const ub_operator_step head_steps[] = { { UB_STEP_NORM, 1, 1, 1, 0,
                                                 1 } };
static const ub_operator head[] = {
    { sizeof(ub_operator), "head", head_steps, 1, 0, 0 },
};

/* A third of the cells at each of three widths. */
static ub_status fill_row(ub_space *space, int64_t cells)
{
    const int64_t width = space->options.base_width;
    const ub_space_cell first = { width, 1, 0 };
    const ub_space_cell last = { 4 * width, 1, 0 };
    ub_status status = ub_space_add_block(space, &first, stem, 1);

    for (int64_t i = 0; i < cells && status == UB_OK; i++) {
        const int64_t third = i / (cells / 3);
        const ub_space_cell cell = { width << third, 1, 0 };
        const ub_space_cell block = { width << third, 2, 0 };

        if (third > 0 && i % (cells / 3) == 0)
            status = ub_space_add_block(space, &block, reduction, 2);
        if (status == UB_OK)
            status = ub_space_add_cell(space, &cell);
    }
    return status == UB_OK ? ub_space_add_block(space, &last, head, 1) : status;
}

ub_status ub_space_nasbench201(ub_context *context,
                               const ub_space_options *options, int64_t cells,
                               ub_space **out)
{
    ub_space_options o;
    ub_space *space = NULL;
    ub_status status;

    if (context == NULL)
        return UB_ERR_INVALID;
    if (out == NULL || cells < 3 || cells % 3 != 0)
        return ub__fail(context, UB_ERR_INVALID,
                        "nasbench201 space: %lld cells, expected a multiple "
                        "of 3",
                        (long long) cells);
    status = ub__space_options(context, options, &o);
    if (status != UB_OK)
        return status;
    if (options == NULL)
        o.name = "nasbench201";
    o.inputs = 1;
    o.nodes = 4;
    o.output = 3;
    o.preprocess = o.stem_kernel = 0;
    o.stem_pool = 0;
    o.shared = o.global_pool = 1;
    status = ub_space_create(context, &o, &space);
    if (status == UB_OK)
        status = ub__space_fill(space, operators, UB__COUNT(operators), edges,
                                UB__COUNT(edges));
    if (status == UB_OK)
        status = fill_row(space, cells);
    if (status != UB_OK) {
        ub_space_destroy(&space);
        return status;
    }
    *out = space;
    return UB_OK;
}
