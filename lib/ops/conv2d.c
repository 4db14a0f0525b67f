/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/kernels.h"
#include "ops/ops.h"

struct conv2d {
    ub__conv conv;
    ub_tensor *x; /* NULL when the weight is frozen */
    ub_tensor *w; /* NULL when x needs no gradient */
};

static void release(ub_context *context, void *state)
{
    struct conv2d *conv2d = state;

    (void) context;
    ub_tensor_unref(&conv2d->x);
    ub_tensor_unref(&conv2d->w);
}

static ub_status read_options(ub_context *context,
                              const ub_conv2d_options *options,
                              ub_conv2d_options *out)
{
    ub_status status;

    ub_conv2d_options_init(out, sizeof *out);
    status = ub__options_in(context, "ub_conv2d_options", out, sizeof *out,
                            sizeof *out, options);
    if (status != UB_OK)
        return status;
    if (out->stride < 1 || out->dilation < 1 || out->groups < 1 ||
        out->pad_height < 0 || out->pad_width < 0)
        return ub__fail(context, UB_ERR_INVALID,
                        "conv2d: stride %lld, dilation %lld, groups %lld, "
                        "padding %lld and %lld",
                        (long long) out->stride, (long long) out->dilation,
                        (long long) out->groups, (long long) out->pad_height,
                        (long long) out->pad_width);
    return UB_OK;
}

static ub_status check_channels(ub_context *context, int64_t channels,
                                int64_t filters, int64_t expected,
                                int64_t groups)
{
    if (channels % groups != 0 || filters % groups != 0)
        return ub__fail(context, UB_ERR_SHAPE,
                        "conv2d: %lld groups of %lld input and %lld output "
                        "channels",
                        (long long) groups, (long long) channels,
                        (long long) filters);
    if (channels / groups != expected)
        return ub__fail(context, UB_ERR_SHAPE,
                        "conv2d: input has %lld channels in %lld groups, "
                        "weight expects %lld a group",
                        (long long) channels, (long long) groups,
                        (long long) expected);
    return UB_OK;
}

/* The operands are tensors, so their own sizes fit; what kernels reckon with
 * has to as well: the padded input, the products of an image, and a stride's
 * steps across rows and columns. */
static ub_status check_range(ub_context *context, const ub__conv *conv)
{
    int64_t height = conv->out_height +
                     (conv->kernel_height - 1) * conv->dilation / conv->stride;
    int64_t width = conv->out_width +
                    (conv->kernel_width - 1) * conv->dilation / conv->stride;
    int64_t taps = conv->in_channels / conv->groups * conv->kernel_height *
                   conv->kernel_width;

    if (!ub__product_fits(conv->in_channels,
                          conv->in_height + 2 * conv->pad_height,
                          conv->in_width + 2 * conv->pad_width) ||
        !ub__product_fits(taps, conv->out_height, conv->out_width))
        return ub__fail(context, UB_ERR_RANGE,
                        "conv2d: %lld x %lld outputs of %lld products each "
                        "are too many",
                        (long long) conv->out_height,
                        (long long) conv->out_width, (long long) taps);
    if (!ub__product_fits(conv->stride, conv->stride, 1) ||
        !ub__product_fits(conv->stride * conv->stride, height, width))
        return ub__fail(context, UB_ERR_RANGE,
                        "conv2d: stride %lld on %lld x %lld elements is too "
                        "large",
                        (long long) conv->stride, (long long) conv->in_height,
                        (long long) conv->in_width);
    return UB_OK;
}

static ub_status set_geometry(ub_context *context, const ub_tensor *x,
                              const ub_tensor *w,
                              const ub_conv2d_options *options, ub__conv *conv)
{
    const int64_t *xs = ub_tensor_shape(x), *ws = ub_tensor_shape(w);
    ub_conv2d_options o;
    ub_status status = read_options(context, options, &o);

    if (status == UB_OK)
        status = check_channels(context, xs[1], ws[0], ws[1], o.groups);
    if (status != UB_OK)
        return status;
    *conv = (ub__conv){ .batch = xs[0],
                        .in_channels = xs[1],
                        .in_height = xs[2],
                        .in_width = xs[3],
                        .out_channels = ws[0],
                        .kernel_height = ws[2],
                        .kernel_width = ws[3],
                        .stride = o.stride,
                        .pad_height = o.pad_height,
                        .pad_width = o.pad_width,
                        .dilation = o.dilation,
                        .groups = o.groups };
    status = ub__window_extent(context, "conv2d", xs[2], ws[2], o.stride,
                               o.pad_height, o.dilation, &conv->out_height);
    if (status == UB_OK)
        status = ub__window_extent(context, "conv2d", xs[3], ws[3], o.stride,
                                   o.pad_width, o.dilation, &conv->out_width);
    if (status != UB_OK)
        return status;
    conv->stride = ub__stride_needed(o.stride, xs[2] + 2 * o.pad_height,
                                     xs[3] + 2 * o.pad_width);
    return check_range(context, conv);
}

static ub_status backward(ub__node *node, void *state)
{
    const struct conv2d *conv2d = state;
    ub_context *context = ub__node_context(node);
    const float *gy = ub__node_grad(node);
    float *gx, *gw, *gbias;
    int accumulate;
    ub_status status;

    status = ub__scratch_reserve(context,
                                 ub__conv_scratch(context, &conv2d->conv));
    if (status == UB_OK)
        status = ub__grad_target(node, 0, &gx, &accumulate);
    if (status != UB_OK)
        return status;
    if (gx != NULL)
        ub__conv_backward_data(context, &conv2d->conv,
                               ub_tensor_data(conv2d->w), gy, gx, accumulate);
    status = ub__grad_targets(node, 1, 2, &gw, &gbias, &accumulate);
    if (status != UB_OK)
        return status;
    if (gw != NULL || gbias != NULL)
        ub__conv_backward_weight(context, &conv2d->conv,
                                 ub_tensor_data(conv2d->x), gy, gw, gbias,
                                 accumulate);
    return UB_OK;
}

static ub_status compute(const ub__conv *conv, const ub_tensor *x,
                         const ub_tensor *w, const ub_tensor *bias,
                         ub_tensor **out)
{
    const int64_t shape[] = { conv->batch, conv->out_channels, conv->out_height,
                              conv->out_width };
    ub_context *context = ub_tensor_context(x);
    ub_tensor *y;
    ub_status status;

    status = ub__scratch_reserve(context, ub__conv_scratch(context, conv));
    if (status == UB_OK)
        status = ub__tensor_create_raw(context, 4, shape, &y);
    if (status != UB_OK)
        return status;
    ub__conv_forward(context, conv, ub_tensor_data(x), ub_tensor_data(w),
                     bias != NULL ? ub_tensor_data(bias) : NULL,
                     ub_tensor_data(y));
    *out = y;
    return UB_OK;
}

void ub_conv2d_options_init(ub_conv2d_options *options, size_t size)
{
    const ub_conv2d_options defaults = {
        .size = sizeof defaults, .stride = 1, .dilation = 1, .groups = 1
    };

    ub__options_out(options, size, &defaults, sizeof defaults);
}

ub_status ub_op_conv2d(ub_tape *tape, ub_variable *x, ub_variable *w,
                       ub_variable *bias, const ub_conv2d_options *options,
                       ub_variable **out)
{
    ub_variable *inputs[] = { x, w, bias };
    ub_tensor *xv, *wv, *bv = NULL, *y;
    struct conv2d *conv2d;
    ub__node *node;
    ub__conv conv;
    ub_status status = ub__operand_rank(tape, "conv2d", "x", x, 4, &xv);

    if (status == UB_OK)
        status = ub__operand_rank(tape, "conv2d", "w", w, 4, &wv);
    if (status == UB_OK && bias != NULL)
        status = ub__operand_vector(tape, "conv2d", "bias", bias,
                                    ub_tensor_shape(wv)[0], &bv);
    if (status == UB_OK)
        status = set_geometry(ub_tape_context(tape), xv, wv, options, &conv);
    if (status == UB_OK)
        status = ub__node_create(tape, 3, inputs, sizeof *conv2d, backward,
                                 release, &node);
    if (status != UB_OK)
        return status;
    status = compute(&conv, xv, wv, bv, &y);
    if (status != UB_OK)
        return ub__node_abandon(node, status);
    conv2d = ub__node_state(node);
    conv2d->conv = conv;
    if (ub__node_wants(node, 0))
        conv2d->w = ub_tensor_ref(wv);
    if (ub__node_wants(node, 1) || ub__node_wants(node, 2))
        conv2d->x = ub_tensor_ref(xv);
    return ub__node_finish(node, y, out);
}
