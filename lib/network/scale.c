/* SPDX-License-Identifier: BSD-2-Clause */
#include "network/network.h"

/* One group per input channel, however many results it has. */
static int is_depthwise(const ub__network_node *node)
{
    return node->layer.kind == UB_LAYER_CONV && node->layer.groups > 1 &&
           node->layer.groups == node->in.channels;
}

/* Whether the layer makes channels of its own out of all it reads. */
static int mixes_channels(const ub__network_node *node)
{
    return node->layer.kind == UB_LAYER_LINEAR ||
           (node->layer.kind == UB_LAYER_CONV && !is_depthwise(node));
}

/* followed[i]: some layer that mixes channels comes after layer i. */
static void mark_followed(const ub_network *network, unsigned char *followed)
{
    for (int64_t i = network->n - 1; i > 0; i--) {
        const ub__network_node *node = &network->nodes[i];

        for (int64_t k = 0; k < node->n_inputs; k++) {
            if (followed[i] || mixes_channels(node))
                followed[node->inputs[k]] = 1;
        }
    }
}

/* Append layer i of `from`, scaled. */
static ub_status add_scaled(ub_network *to, const ub_network *from, int64_t i,
                            int64_t factor, int followed)
{
    const ub__network_node *node = &from->nodes[i];
    const int64_t before = node->inputs[0];
    const int64_t width = to->nodes[before].out.channels;
    ub_layer layer = node->layer;

    if (layer.in_channels > 0 && width != from->nodes[before].out.channels &&
        !ub__mul_int64(layer.in_channels, factor, &layer.in_channels))
        layer.in_channels = INT64_MAX;
    if (is_depthwise(node)) {
        layer.groups = layer.in_channels > 0 ? layer.in_channels : width;
        if (!ub__mul_int64(node->out.channels / node->in.channels, layer.groups,
                           &layer.out_channels))
            layer.out_channels = INT64_MAX;
    } else if (mixes_channels(node) && followed &&
               !ub__mul_int64(layer.out_channels, factor,
                              &layer.out_channels)) {
        layer.out_channels = INT64_MAX;
    }
    return ub_network_add(to, node->name, &layer, node->n_inputs, node->inputs,
                          NULL);
}

ub_status ub_network_scaled(const ub_network *network, int64_t factor,
                            ub_network **out)
{
    ub_context *context;
    ub_network *scaled = NULL;
    unsigned char *followed;
    ub_status status;

    if (network == NULL || out == NULL)
        return UB_ERR_INVALID;
    context = network->context;
    if (factor < 1)
        return ub__fail(context, UB_ERR_INVALID,
                        "network: widths cannot be multiplied by %lld",
                        (long long) factor);
    followed = ub__calloc(context, (size_t) network->n, 1);
    if (followed == NULL)
        return UB_ERR_NOMEM;
    mark_followed(network, followed);
    status = ub__network_create(context, network->name, network->nodes[0].name,
                                &network->nodes[0].out, &scaled);
    for (int64_t i = 1; i < network->n && status == UB_OK; i++)
        status = add_scaled(scaled, network, i, factor, followed[i]);
    ub__free(context, followed);
    if (status == UB_OK)
        *out = scaled;
    else
        ub_network_destroy(&scaled);
    return status;
}

ub_status ub_network_copy(const ub_network *network, ub_network **out)
{
    return ub_network_scaled(network, 1, out);
}
