/* SPDX-License-Identifier: BSD-2-Clause */
#include "space/space.h"

/* To `e` times the channels, by channel, to the width; both 1x1 convolutions
 * in groups. */
#define BLOCK(kernel, e)                               \
    {                                                  \
        { UB_STEP_CONV, 1, 1, 1, e, 1 },               \
            { UB_STEP_DEPTHWISE, 1, kernel, 1, 0, 1 }, \
            { UB_STEP_CONV, 0, 1, 1, 0, 1 },           \
    }
#define GROUPED(kernel, e, groups)                           \
    {                                                        \
        { UB_STEP_CONV, 1, 1, 1, e, groups },                \
            { UB_STEP_CHANNEL_SHUFFLE, 0, 1, 1, 0, groups }, \
            { UB_STEP_DEPTHWISE, 1, kernel, 1, 0, 1 },       \
            { UB_STEP_CONV, 0, 1, 1, 0, groups },            \
    }

static const ub_operator_step k3_e1[] = BLOCK(3, 1);
static const ub_operator_step k3_e1_g2[] = GROUPED(3, 1, 2);
static const ub_operator_step k3_e3[] = BLOCK(3, 3);
static const ub_operator_step k3_e6[] = BLOCK(3, 6);
static const ub_operator_step k5_e1[] = BLOCK(5, 1);
static const ub_operator_step k5_e1_g2[] = GROUPED(5, 1, 2);
static const ub_operator_step k5_e3[] = BLOCK(5, 3);
static const ub_operator_step k5_e6[] = BLOCK(5, 6);
static const ub_operator_step conv1[] = { { UB_STEP_CONV, 1, 1, 1, 0, 1 } };
static const ub_operator_step conv3[] = { { UB_STEP_CONV, 1, 3, 1, 0, 1 } };

#define OPERATOR(steps, residual)                                         \
    {                                                                     \
        sizeof(ub_operator), #steps, steps, UB__COUNT(steps), 0, residual \
    }

static const ub_operator operators[] = {
    OPERATOR(k3_e1, UB_RESIDUAL_ADD),
    OPERATOR(k3_e1_g2, UB_RESIDUAL_ADD),
    OPERATOR(k3_e3, UB_RESIDUAL_ADD),
    OPERATOR(k3_e6, UB_RESIDUAL_ADD),
    OPERATOR(k5_e1, UB_RESIDUAL_ADD),
    OPERATOR(k5_e1_g2, UB_RESIDUAL_ADD),
    OPERATOR(k5_e3, UB_RESIDUAL_ADD),
    OPERATOR(k5_e6, UB_RESIDUAL_ADD),
    { sizeof(ub_operator), "skip", conv1, 1, 0, UB_RESIDUAL_ONLY },
};
static const ub__edge edges[] = { { 0, 1 } };
static const ub_operator stem = { sizeof(ub_operator), "stem", conv3, 1, 0, 0 };
static const ub_operator head = { sizeof(ub_operator), "head", conv1, 1, 0, 0 };

/* Widths for a base width of 16; strides of the first layer by variant. */
static const struct {
    int64_t layers, width, stride[2];
} stages[] = {
    { 1, 16, { 1, 1 } },  { 4, 24, { 1, 2 } },  { 4, 32, { 2, 2 } },
    { 4, 64, { 2, 2 } },  { 4, 112, { 1, 1 } }, { 4, 184, { 2, 2 } },
    { 1, 352, { 1, 1 } },
};
static const struct {
    int64_t extent, classes, stem_stride, head;
} variants[] = {
    [UB_FBNET_CIFAR100] = { 32, 100, 1, 1504 },
    [UB_FBNET_IMAGENET] = { 224, 1000, 2, 1984 },
};

static ub_status fill_row(ub_space *space, ub_fbnet_variant variant)
{
    const int64_t base = space->options.base_width;
    const int64_t depth = space->options.depth;
    const ub_space_cell first = { base, variants[variant].stem_stride, 0 };
    const ub_space_cell last = { variants[variant].head * base / 16, 1, 0 };
    ub_status status = ub_space_add_block(space, &first, &stem, 1);

    for (int64_t s = 0; s < UB__COUNT(stages); s++) {
        const int64_t n = stages[s].layers < depth ? stages[s].layers : depth;

        for (int64_t i = 0; i < n && status == UB_OK; i++) {
            const ub_space_cell cell = { stages[s].width * base / 16,
                                         i == 0 ? stages[s].stride[variant] : 1,
                                         0 };
            status = ub_space_add_cell(space, &cell);
        }
    }
    return status == UB_OK ? ub_space_add_block(space, &last, &head, 1)
                           : status;
}

ub_status ub_space_fbnet(ub_context *context, const ub_space_options *options,
                         ub_fbnet_variant variant, ub_space **out)
{
    ub_space_options o;
    ub_space *space = NULL;
    ub_status status;

    if (context == NULL)
        return UB_ERR_INVALID;
    if (out == NULL || (int) variant < UB_FBNET_CIFAR100 ||
        (int) variant > UB_FBNET_IMAGENET)
        return ub__fail(context, UB_ERR_INVALID, "fbnet space: variant %d",
                        (int) variant);
    status = ub__space_options(context, options, &o);
    if (status != UB_OK)
        return status;
    if (options == NULL) {
        o.name = "fbnet";
        o.height = o.width = variants[variant].extent;
        o.classes = variants[variant].classes;
    }
    if (o.base_width % 4 != 0)
        return ub__fail(context, UB_ERR_INVALID,
                        "fbnet space: base width %lld, expected a multiple "
                        "of 4",
                        (long long) o.base_width);
    o.inputs = o.output = 1;
    o.nodes = 2;
    o.preprocess = o.stem_kernel = 0;
    o.stem_pool = o.shared = 0;
    o.global_pool = 1;
    status = ub_space_create(context, &o, &space);
    if (status == UB_OK)
        status = ub__space_fill(space, operators, UB__COUNT(operators), edges,
                                UB__COUNT(edges));
    if (status == UB_OK)
        status = fill_row(space, variant);
    if (status != UB_OK) {
        ub_space_destroy(&space);
        return status;
    }
    *out = space;
    return UB_OK;
}
