/* SPDX-License-Identifier: BSD-2-Clause */
#include "network/network.h"

#include <string.h>

/* One place that knows what kinds there are. */
static const struct {
    const char *name;
    unsigned fields;
} kinds[] = {
    [UB_LAYER_INPUT] = { "input", 0 },
    [UB_LAYER_CONV] = { "conv", UB__LAYER_WINDOW | UB__LAYER_WEIGHTS |
                                    UB__LAYER_DILATION | UB__LAYER_GROUPS |
                                    UB__LAYER_MAP },
    [UB_LAYER_LINEAR] = { "linear", UB__LAYER_WEIGHTS | UB__LAYER_MAP },
    [UB_LAYER_BATCH_NORM] = { "batch_norm", UB__LAYER_MAP },
    [UB_LAYER_RELU] = { "relu", UB__LAYER_MAP },
    [UB_LAYER_MAX_POOL] = { "max_pool", UB__LAYER_WINDOW | UB__LAYER_MAP },
    [UB_LAYER_AVG_POOL] = { "avg_pool", UB__LAYER_WINDOW | UB__LAYER_COUNT |
                                            UB__LAYER_MAP },
    [UB_LAYER_GLOBAL_POOL] = { "global_pool", UB__LAYER_MAP },
    [UB_LAYER_ADD] = { "add", UB__LAYER_MANY },
    [UB_LAYER_CONCAT] = { "concat", UB__LAYER_MANY },
    [UB_LAYER_FLATTEN] = { "flatten", UB__LAYER_MAP },
    [UB_LAYER_IDENTITY] = { "identity", UB__LAYER_MAP },
    [UB_LAYER_MATMUL] = { "matmul", UB__LAYER_PAIR },
    [UB_LAYER_ZERO] = { "zero", UB__LAYER_MAP },
    [UB_LAYER_CHANNEL_SHUFFLE] = { "channel_shuffle",
                                   UB__LAYER_GROUPS | UB__LAYER_MAP },
};

#define N_KINDS ((int32_t) (sizeof(kinds) / sizeof(kinds[0])))

const char *ub_layer_kind_str(int32_t kind)
{
    return kind >= 0 && kind < N_KINDS ? kinds[kind].name : NULL;
}

int32_t ub__layer_kind_find(const char *name)
{
    for (int32_t i = 0; i < N_KINDS; i++) {
        if (strcmp(kinds[i].name, name) == 0)
            return i;
    }
    return -1;
}

unsigned ub__layer_fields(int32_t kind)
{
    return kind >= 0 && kind < N_KINDS ? kinds[kind].fields : 0;
}

static ub_layer defaults(int32_t kind)
{
    ub_layer layer;

    memset(&layer, 0, sizeof(layer));
    layer.size = sizeof(layer);
    layer.kind = kind;
    layer.kernel_height = layer.kernel_width = 1;
    layer.stride = layer.dilation = layer.groups = 1;
    return layer;
}

void ub_layer_init(ub_layer *layer, size_t size, ub_layer_kind kind)
{
    const ub_layer full = defaults((int32_t) kind);

    ub__options_out(layer, size, &full, sizeof(full));
}

/* Fields that the kind does not read go back to their defaults. */
static void normalize(ub_layer *layer)
{
    const unsigned fields = ub__layer_fields(layer->kind);
    ub_layer clean = defaults(layer->kind);

    if (fields & UB__LAYER_WINDOW) {
        clean.kernel_height = layer->kernel_height;
        clean.kernel_width = layer->kernel_width;
        clean.stride = layer->stride;
        clean.pad_height = layer->pad_height;
        clean.pad_width = layer->pad_width;
        clean.round_up = layer->round_up;
    }
    if (fields & UB__LAYER_WEIGHTS) {
        clean.out_channels = layer->out_channels;
        clean.bias = layer->bias;
        clean.sparse_keep = layer->sparse_keep;
        clean.sparse_block = layer->sparse_block;
    }
    if (fields & UB__LAYER_MAP) {
        clean.in_channels = layer->in_channels;
        clean.in_height = layer->in_height;
        clean.in_width = layer->in_width;
    }
    if (fields & UB__LAYER_PAIR)
        clean.transpose = layer->transpose;
    clean.on_chip = layer->on_chip;
    if (fields & UB__LAYER_DILATION)
        clean.dilation = layer->dilation;
    if (fields & UB__LAYER_GROUPS)
        clean.groups = layer->groups;
    if (fields & UB__LAYER_DILATION) {
        clean.weight_bits = layer->weight_bits == 32 ? 0 : layer->weight_bits;
        clean.input_bits = layer->input_bits == 32 ? 0 : layer->input_bits;
    }
    if (fields & UB__LAYER_COUNT)
        clean.count_padding = layer->count_padding;
    *layer = clean;
}

static ub_status check_field(const ub_network *network, const char *name,
                             const char *field, int64_t value, int64_t low,
                             int64_t high)
{
    if (value >= low && value <= high)
        return UB_OK;
    return ub__fail(
        network->context, value > high ? UB_ERR_RANGE : UB_ERR_INVALID,
        "network: layer '%s': %s is %lld, must be %lld to %lld", name, field,
        (long long) value, (long long) low, (long long) high);
}

static ub_status check_fields(const ub_network *network, const char *name,
                              const ub_layer *layer)
{
    const int64_t extent = UB_NETWORK_MAX_EXTENT;
    const int weights = ub__layer_fields(layer->kind) & UB__LAYER_WEIGHTS;
    const int own = layer->in_channels != 0;
    const int sparse = layer->sparse_keep != 0;
    const struct {
        const char *field;
        int64_t value, low, high;
    } checks[] = {
        { "bias", layer->bias, 0, 1 },
        { "count_padding", layer->count_padding, 0, 1 },
        { "out_channels", layer->out_channels, weights ? 1 : 0,
          UB_NETWORK_MAX_CHANNELS },
        { "kernel height", layer->kernel_height, 1, extent },
        { "kernel width", layer->kernel_width, 1, extent },
        { "stride", layer->stride, 1, extent },
        { "padding of the height", layer->pad_height, 0, extent },
        { "padding of the width", layer->pad_width, 0, extent },
        { "dilation", layer->dilation, 1, extent },
        { "groups", layer->groups, 1, UB_NETWORK_MAX_CHANNELS },
        { "round_up", layer->round_up, 0, 1 },
        { "on_chip", layer->on_chip, 0, 1 },
        { "transpose", layer->transpose, 0, 1 },
        { "in_channels", layer->in_channels, 0, UB_NETWORK_MAX_CHANNELS },
        { "in_height", layer->in_height, own, own ? extent : 0 },
        { "in_width", layer->in_width, own, own ? extent : 0 },
        { "sparse_block", layer->sparse_block, sparse, sparse ? extent : 0 },
        { "sparse_keep", layer->sparse_keep, 0, layer->sparse_block },
        { "weight_bits", layer->weight_bits, 0, UB_NETWORK_MAX_BITS },
        { "input_bits", layer->input_bits, 0, UB_NETWORK_MAX_BITS },
    };

    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        const ub_status status = check_field(network, name, checks[i].field,
                                             checks[i].value, checks[i].low,
                                             checks[i].high);
        if (status != UB_OK)
            return status;
    }
    return UB_OK;
}

/* Output extent of a window operator along one axis. */
static ub_status slide(const ub_network *network, const ub__network_node *node,
                       const char *axis, int64_t extent, int64_t kernel,
                       int64_t pad, int64_t *out)
{
    const ub_layer *layer = &node->layer;
    const int64_t span = layer->dilation * (kernel - 1) + 1;
    const int64_t left = layer->round_up ? layer->stride - 1 : 0;

    if (layer->kind != UB_LAYER_CONV && pad >= kernel)
        return ub__fail(network->context, UB_ERR_SHAPE,
                        "network: layer '%s': windows of %s %lld lie wholly in "
                        "the padding of %lld",
                        node->name, axis, (long long) kernel, (long long) pad);
    if (span > extent + 2 * pad)
        return ub__fail(network->context, UB_ERR_SHAPE,
                        "network: layer '%s': a window of %s %lld does not fit "
                        "a map of %lld with padding %lld",
                        node->name, axis, (long long) span, (long long) extent,
                        (long long) pad);
    *out = (extent + 2 * pad - span + left) / layer->stride + 1;
    return UB_OK;
}

static ub_status slide_both(const ub_network *network, ub__network_node *node)
{
    const ub_layer *layer = &node->layer;
    ub_status status = slide(network, node, "height", node->in.height,
                             layer->kernel_height, layer->pad_height,
                             &node->out.height);

    if (status == UB_OK)
        status = slide(network, node, "width", node->in.width,
                       layer->kernel_width, layer->pad_width, &node->out.width);
    return status;
}

static ub_status overflow(const ub_network *network,
                          const ub__network_node *node)
{
    return ub__fail(network->context, UB_ERR_RANGE,
                    "network: layer '%s': its MACs or parameters overflow",
                    node->name);
}

/* MACs and parameters of a layer with `window` weights per output channel. */
static ub_status count_weights(const ub_network *network,
                               ub__network_node *node, int64_t window)
{
    int64_t weights, macs;

    if (!ub__mul_int64(window, node->out.channels, &weights) ||
        !ub__mul_int64(weights, node->out.height * node->out.width, &macs))
        return overflow(network, node);
    if (weights > INT64_MAX - node->out.channels)
        return overflow(network, node);
    node->macs = macs;
    node->parameters = weights + (node->layer.bias ? node->out.channels : 0);
    return UB_OK;
}

static ub_status check_groups(const ub_network *network,
                              const ub__network_node *node)
{
    const int64_t groups = node->layer.groups;

    if (node->in.channels % groups == 0 && node->out.channels % groups == 0)
        return UB_OK;
    return ub__fail(network->context, UB_ERR_SHAPE,
                    "network: layer '%s': %lld groups do not divide %lld input "
                    "and %lld output channels",
                    node->name, (long long) groups,
                    (long long) node->in.channels,
                    (long long) node->out.channels);
}

static ub_status infer_conv(const ub_network *network, ub__network_node *node)
{
    const ub_layer *layer = &node->layer;
    ub_status status = slide_both(network, node);

    if (status != UB_OK)
        return status;
    node->out.channels = layer->out_channels;
    status = check_groups(network, node);
    if (status != UB_OK)
        return status;
    return count_weights(network, node,
                         node->in.channels / layer->groups *
                             layer->kernel_height * layer->kernel_width);
}

static ub_status infer_linear(const ub_network *network, ub__network_node *node)
{
    if (node->in.height != 1 || node->in.width != 1)
        return ub__fail(network->context, UB_ERR_SHAPE,
                        "network: layer '%s': linear reads a map of 1 x 1, not "
                        "%lld x %lld; put flatten or global_pool before it",
                        node->name, (long long) node->in.height,
                        (long long) node->in.width);
    node->out.channels = node->layer.out_channels;
    return count_weights(network, node, node->in.channels);
}

static ub_status infer_flatten(const ub_network *network,
                               ub__network_node *node)
{
    /* at most 2^20 * 2^20 * 2^20 */
    const int64_t all = node->in.channels * node->in.height * node->in.width;

    node->out.channels = all;
    node->out.height = node->out.width = 1;
    return check_field(network, node->name, "number of flattened elements", all,
                       1, UB_NETWORK_MAX_CHANNELS);
}

static ub_status infer_joined(const ub_network *network, ub__network_node *node)
{
    const int concat = node->layer.kind == UB_LAYER_CONCAT;
    int64_t channels = 0;

    for (int64_t i = 0; i < node->n_inputs; i++) {
        const ub__network_node *other = &network->nodes[node->inputs[i]];
        const ub__map *m = &other->out;

        if (m->height != node->in.height || m->width != node->in.width ||
            (!concat && m->channels != node->in.channels))
            return ub__fail(
                network->context, UB_ERR_SHAPE,
                "network: layer '%s': input '%.60s' is %lld x %lld x %lld, "
                "'%.60s' is %lld x %lld x %lld",
                node->name, network->nodes[node->inputs[0]].name,
                (long long) node->in.channels, (long long) node->in.height,
                (long long) node->in.width, other->name,
                (long long) m->channels, (long long) m->height,
                (long long) m->width);
        channels += m->channels;
        if (channels > UB_NETWORK_MAX_CHANNELS && concat)
            return check_field(network, node->name, "number of channels",
                               channels, 1, UB_NETWORK_MAX_CHANNELS);
    }
    if (concat)
        node->in.channels = node->out.channels = channels;
    return UB_OK;
}

static ub_status infer_matmul(const ub_network *network, ub__network_node *node)
{
    const ub__map *a = &node->in;
    const ub__map *b = &network->nodes[node->inputs[1]].out;
    const int transpose = node->layer.transpose;
    int64_t macs;

    node->out.width = transpose ? b->height : b->width;
    if (a->channels != b->channels ||
        a->width != (transpose ? b->width : b->height))
        return ub__fail(network->context, UB_ERR_SHAPE,
                        "network: layer '%s': products of %lld x %lld x %lld "
                        "by %lld x %lld x %lld%s",
                        node->name, (long long) a->channels,
                        (long long) a->height, (long long) a->width,
                        (long long) b->channels, (long long) b->height,
                        (long long) b->width, transpose ? ", transposed" : "");
    /* a map holds at most 2^60 elements */
    if (!ub__mul_int64(a->channels * a->height * a->width, node->out.width,
                       &macs))
        return overflow(network, node);
    node->macs = macs;
    return UB_OK;
}

static ub_status infer_kind(const ub_network *network, ub__network_node *node)
{
    switch (node->layer.kind) {
    case UB_LAYER_CONV: return infer_conv(network, node);
    case UB_LAYER_LINEAR: return infer_linear(network, node);
    case UB_LAYER_MAX_POOL:
    case UB_LAYER_AVG_POOL: return slide_both(network, node);
    case UB_LAYER_FLATTEN: return infer_flatten(network, node);
    case UB_LAYER_ADD:
    case UB_LAYER_CONCAT: return infer_joined(network, node);
    case UB_LAYER_MATMUL: return infer_matmul(network, node);
    case UB_LAYER_CHANNEL_SHUFFLE: return check_groups(network, node);
    case UB_LAYER_GLOBAL_POOL:
        node->out.height = node->out.width = 1;
        return UB_OK;
    case UB_LAYER_BATCH_NORM:
        node->parameters = 2 * node->in.channels;
        return UB_OK;
    default: return UB_OK;
    }
}

static ub_status check_count(const ub_network *network,
                             const ub__network_node *node)
{
    const ub_layer *layer = &node->layer;
    const unsigned fields = ub__layer_fields(layer->kind);
    const int many = fields & UB__LAYER_MANY || layer->in_channels > 0;
    const int64_t wanted = fields & UB__LAYER_PAIR ? 2 : 1;

    if (node->n_inputs == wanted || (many && node->n_inputs > 1))
        return UB_OK;
    return ub__fail(network->context, UB_ERR_INVALID,
                    "network: layer '%s': %s takes %s, got %lld", node->name,
                    kinds[layer->kind].name,
                    many          ? "at least one input"
                    : wanted == 2 ? "two inputs"
                                  : "one input",
                    (long long) node->n_inputs);
}

ub_status ub__network_infer(const ub_network *network, ub__network_node *node)
{
    const ub_layer *layer = &node->layer;
    ub_status status;

    if (layer->kind <= UB_LAYER_INPUT || layer->kind >= N_KINDS)
        return ub__fail(network->context, UB_ERR_INVALID,
                        "network: layer '%s': kind %d cannot be added",
                        node->name, (int) layer->kind);
    normalize(&node->layer);
    status = check_fields(network, node->name, layer);
    if (status == UB_OK)
        status = check_count(network, node);
    if (status != UB_OK)
        return status;
    node->in = network->nodes[node->inputs[0]].out;
    if (layer->in_channels > 0)
        node->in = (ub__map){ layer->in_channels, layer->in_height,
                              layer->in_width };
    node->out = node->in;
    node->macs = node->parameters = 0;
    status = infer_kind(network, node);
    if (status != UB_OK)
        return status;
    if (node->out.height > UB_NETWORK_MAX_EXTENT ||
        node->out.width > UB_NETWORK_MAX_EXTENT)
        return ub__fail(network->context, UB_ERR_RANGE,
                        "network: layer '%s': a map of %lld x %lld is too "
                        "large",
                        node->name, (long long) node->out.height,
                        (long long) node->out.width);
    if (node->macs > INT64_MAX - network->macs ||
        node->parameters > INT64_MAX - network->parameters)
        return overflow(network, node);
    return UB_OK;
}
