/* SPDX-License-Identifier: BSD-2-Clause */
#include "accelerator/accelerator.h"

/* The networks of Auto-NBA: seven stages, the first block of each of which
 * widens and may have a stride. */
enum { STAGES = 7 };

static const int64_t stage_blocks[STAGES] = { 1, 4, 4, 4, 4, 4, 1 };
static const int64_t stage_widths[STAGES] = { 16, 24, 32, 64, 112, 184, 352 };
static const int64_t strides_cifar[STAGES] = { 1, 1, 2, 2, 1, 2, 1 };
static const int64_t strides_imagenet[STAGES] = { 1, 2, 2, 2, 1, 2, 1 };

typedef struct geometry {
    int64_t in, out, side, stride; /* side of the input */
} geometry;

typedef struct shape {
    int64_t kernel, expansion, groups; /* kernel 0: skip */
} shape;

static const ub_workload_block defaults = {
    .size = sizeof(defaults),
    .in_channels = 1,
    .out_channels = 1,
    .height = 1,
    .width = 1,
    .stride = 1,
    .op = UB_FBNET_SKIP,
    .bits = 16,
};

static void geometry_of(int32_t preset, int64_t block, geometry *out)
{
    const int cifar = preset == UB_ACCELERATOR_CIFAR;
    const int64_t *strides = cifar ? strides_cifar : strides_imagenet;
    int64_t first = 0;

    *out = (geometry){ .in = 16, .side = cifar ? 32 : 112 };
    for (int stage = 0; stage < STAGES; stage++) {
        const int64_t within = block - first;

        out->out = stage_widths[stage];
        out->stride = within == 0 ? strides[stage] : 1;
        if (within < stage_blocks[stage]) {
            if (within > 0) {
                out->in = out->out;
                out->side /= strides[stage];
            }
            return;
        }
        first += stage_blocks[stage];
        out->in = out->out;
        out->side /= strides[stage];
    }
}

static shape shape_of(int32_t op)
{
    shape s = { .kernel = op < UB_FBNET_K5_E1 ? 3 : 5 };
    const int32_t kind = op % 4;

    if (op == UB_FBNET_SKIP)
        return (shape){ .kernel = 0 };
    s.expansion = kind == 3 ? 6 : kind == 2 ? 3 : 1;
    s.groups = kind == 1 ? 2 : 1;
    return s;
}

/* -- true geometry --------------------------------------------------------- */

static ub_workload_layer pointwise(const ub_workload_block *b, int64_t in,
                                   int64_t out, int64_t groups)
{
    ub_workload_layer l;

    ub_workload_layer_init(&l, sizeof(l));
    l.in_channels = in / groups;
    l.out_channels = out / groups;
    l.groups = groups;
    l.in_height = l.out_height = b->height;
    l.in_width = l.out_width = b->width;
    l.bits = b->bits;
    return l;
}

static void set_output(const ub_workload_block *b, ub_workload_layer *l)
{
    l->out_height = (b->height - 1) / b->stride + 1;
    l->out_width = (b->width - 1) / b->stride + 1;
}

/* The layers of a block; how many. */
static int block_layers(const ub_workload_block *b, ub_workload_layer out[3])
{
    const shape s = shape_of(b->op);
    const int64_t inner = b->in_channels * s.expansion;

    if (s.kernel == 0) {
        out[0] = pointwise(b, b->in_channels, b->out_channels, 1);
        out[0].stride = b->stride;
        set_output(b, &out[0]);
        return b->stride > 1 || b->in_channels != b->out_channels;
    }
    out[0] = pointwise(b, b->in_channels, inner, s.groups);
    out[1] = pointwise(b, 1, inner, 1);
    out[1].depthwise = 1;
    out[1].kernel_height = out[1].kernel_width = s.kernel;
    out[1].stride = b->stride;
    set_output(b, &out[1]);
    out[2] = pointwise(b, inner, b->out_channels, s.groups);
    set_output(b, &out[2]);
    out[2].in_height = out[2].out_height;
    out[2].in_width = out[2].out_width;
    return 3;
}

static ub_status check_block(ub_context *context, const ub_workload_block *b)
{
    const int64_t sizes[] = { b->in_channels, b->out_channels, b->height,
                              b->width, b->stride };

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        if (sizes[i] < 1 || sizes[i] > UB_WORKLOAD_MAX_SIZE / 6)
            return ub__fail(context, UB_ERR_INVALID,
                            "workload: a size of a block is %lld",
                            (long long) sizes[i]);
    }
    if (b->op < 0 || b->op > UB_FBNET_SKIP || b->bits < 1 ||
        b->bits > UB_WORKLOAD_MAX_BITS)
        return ub__fail(context, UB_ERR_INVALID,
                        "workload: operator %d of %d bits", (int) b->op,
                        (int) b->bits);
    if (shape_of(b->op).groups == 2 &&
        (b->in_channels % 2 != 0 || b->out_channels % 2 != 0))
        return ub__fail(context, UB_ERR_SHAPE,
                        "workload: two groups of %lld inputs and %lld outputs",
                        (long long) b->in_channels,
                        (long long) b->out_channels);
    return UB_OK;
}

/* -- the reference's geometry ---------------------------------------------- */

/* Widths of the cost model, which are not those of the network. */
static int64_t model_width(int64_t width)
{
    return width == 184 ? 192 : width;
}

static ub_status add_times(ub_workload *workload, const ub_workload_layer *l,
                           int64_t times)
{
    ub_status status = UB_OK;

    for (int64_t i = 0; status == UB_OK && i < times; i++)
        status = ub_workload_add(workload, l);
    return status;
}

/* All layers at the block's output map, groups one by one. */
static ub_status add_reference(ub_workload *workload, int32_t preset,
                               int64_t block, int32_t op, int32_t bits)
{
    const shape s = shape_of(op);
    geometry g;
    ub_workload_layer l;
    ub_status status;
    int64_t in, inner;

    geometry_of(preset, block, &g);
    in = model_width(g.in);
    inner = in * s.expansion;
    ub_workload_layer_init(&l, sizeof(l));
    l.in_height = l.in_width = l.out_height = l.out_width = g.side / g.stride;
    l.bits = bits;
    l.block = block;
    l.in_channels = in / s.groups;
    l.out_channels = inner / s.groups;
    status = add_times(workload, &l, s.groups);
    l.in_channels = inner / s.groups;
    l.out_channels = model_width(g.out) / s.groups;
    if (status == UB_OK) {
        ub_workload_layer depthwise = l;

        depthwise.in_channels = 1;
        depthwise.out_channels = inner;
        depthwise.kernel_height = depthwise.kernel_width = s.kernel;
        depthwise.depthwise = 1;
        status = ub_workload_add(workload, &depthwise);
    }
    return status == UB_OK ? add_times(workload, &l, s.groups) : status;
}

static ub_status add_all_reference(ub_workload *workload, int32_t preset,
                                   const int32_t *operators,
                                   const int32_t *bits)
{
    ub_status status = UB_OK;
    int64_t taken = 0;

    for (int64_t i = 0; status == UB_OK && i < UB_WORKLOAD_FBNET_BLOCKS; i++) {
        if (operators[i] != UB_FBNET_SKIP)
            status = add_reference(workload, preset, i, operators[i],
                                   bits[taken++]);
    }
    workload->blocks = UB_WORKLOAD_FBNET_BLOCKS;
    return status;
}

static ub_status add_all(ub_workload *workload, int32_t preset,
                         const int32_t *operators, const int32_t *bits)
{
    ub_status status = UB_OK;

    for (int64_t i = 0; status == UB_OK && i < UB_WORKLOAD_FBNET_BLOCKS; i++) {
        ub_workload_block b = defaults;
        geometry g;

        geometry_of(preset, i, &g);
        b.in_channels = g.in;
        b.out_channels = g.out;
        b.height = b.width = g.side;
        b.stride = g.stride;
        b.op = operators[i];
        b.bits = bits[i];
        status = ub_workload_add_block(workload, &b);
    }
    return status;
}

static ub_status check_fbnet(ub_context *context, int32_t preset,
                             int32_t setting, const int32_t *operators,
                             const int32_t *bits)
{
    if (preset < UB_ACCELERATOR_CIFAR || preset > UB_ACCELERATOR_EDD)
        return ub__fail(context, UB_ERR_INVALID, "workload: preset %d",
                        (int) preset);
    if (setting != UB_ACCELERATOR_REFERENCE &&
        setting != UB_ACCELERATOR_CORRECTED)
        return ub__fail(context, UB_ERR_INVALID, "workload: setting %d",
                        (int) setting);
    if (operators == NULL || bits == NULL)
        return ub__fail(context, UB_ERR_INVALID,
                        "workload: no operators or bits");
    for (int64_t i = 0; i < UB_WORKLOAD_FBNET_BLOCKS; i++) {
        if (operators[i] < 0 || operators[i] > UB_FBNET_SKIP || bits[i] < 1 ||
            bits[i] > UB_WORKLOAD_MAX_BITS)
            return ub__fail(context, UB_ERR_INVALID,
                            "workload: block %lld has operator %d of %d bits",
                            (long long) i, (int) operators[i], (int) bits[i]);
    }
    return UB_OK;
}

/* -- public --------------------------------------------------------------- */

const char *ub_fbnet_operator_name(int32_t op)
{
    static const char names[][12] = { "k3_e1", "k3_e1_g2", "k3_e3",
                                      "k3_e6", "k5_e1",    "k5_e1_g2",
                                      "k5_e3", "k5_e6",    "skip" };

    return op >= 0 && op <= UB_FBNET_SKIP ? names[op] : NULL;
}

void ub_workload_block_init(ub_workload_block *block, size_t size)
{
    ub__options_out(block, size, &defaults, sizeof(defaults));
}

ub_status ub_workload_add_block(ub_workload *workload,
                                const ub_workload_block *block)
{
    ub_workload_block b = defaults;
    ub_workload_layer layers[3];
    ub_status status;
    int64_t before, blocks;
    int n;

    if (workload == NULL)
        return UB_ERR_INVALID;
    if (block == NULL)
        return ub__fail(workload->context, UB_ERR_INVALID,
                        "workload: block is NULL");
    status = ub__options_in(workload->context, "workload block", &b, sizeof(b),
                            sizeof(b), block);
    if (status == UB_OK)
        status = check_block(workload->context, &b);
    if (status != UB_OK)
        return status;
    if (workload->blocks >= UB_WORKLOAD_MAX_LAYERS)
        return ub__fail(workload->context, UB_ERR_RANGE,
                        "workload: there are %lld blocks already",
                        (long long) workload->blocks);
    before = workload->n;
    blocks = workload->blocks;
    n = block_layers(&b, layers);
    for (int i = 0; status == UB_OK && i < n; i++) {
        layers[i].block = blocks;
        status = ub_workload_add(workload, &layers[i]);
    }
    workload->blocks = blocks + (status == UB_OK);
    if (status != UB_OK)
        workload->n = before;
    return status;
}

ub_status ub_workload_fbnet(ub_context *context, int32_t preset,
                            int32_t setting, const int32_t *operators,
                            const int32_t *bits, ub_workload **out)
{
    ub_workload *workload = NULL;
    ub_status status;

    if (context == NULL)
        return UB_ERR_INVALID;
    if (out == NULL)
        return ub__fail(context, UB_ERR_INVALID, "workload: out is NULL");
    status = check_fbnet(context, preset, setting, operators, bits);
    if (status == UB_OK)
        status = ub_workload_create(context, &workload);
    if (status == UB_OK)
        status = setting == UB_ACCELERATOR_REFERENCE
                     ? add_all_reference(workload, preset, operators, bits)
                     : add_all(workload, preset, operators, bits);
    if (status != UB_OK) {
        ub_workload_destroy(&workload);
        return status;
    }
    *out = workload;
    return UB_OK;
}
