/* SPDX-License-Identifier: BSD-2-Clause */
#include "network/network.h"

#include <stddef.h>
#include <string.h>

/* The first release's ub_layer and ub_layer_info. */
#define LAYER_V1      offsetof(ub_layer, weight_bits)
#define LAYER_INFO_V1 sizeof(ub_layer_info)

static void clear_node(ub_context *context, ub__network_node *node)
{
    ub__free(context, node->name);
    ub__free(context, node->inputs);
}

static ub_status reserve_node(ub_network *network)
{
    const int64_t capacity = network->capacity ? 2 * network->capacity : 8;
    ub__network_node *nodes;

    if (network->n < network->capacity)
        return UB_OK;
    nodes = ub__realloc(network->context, network->nodes,
                        (size_t) network->capacity, (size_t) capacity,
                        sizeof(*nodes));
    if (nodes == NULL)
        return UB_ERR_NOMEM;
    network->nodes = nodes;
    network->capacity = capacity;
    return UB_OK;
}

/* The node's memory passes to the network, on success only. */
static ub_status append_node(ub_network *network, const ub__network_node *node)
{
    ub_status status = reserve_node(network);

    if (status == UB_OK)
        status = ub__names_put(network->context, &network->names, node->name,
                               network->n);
    if (status != UB_OK)
        return status;
    network->nodes[network->n++] = *node;
    network->macs += node->macs;
    network->parameters += node->parameters;
    return UB_OK;
}

static ub_status check_name(ub_context *context, const char *name)
{
    if (ub__name_valid(name))
        return UB_OK;
    return ub__fail(context, UB_ERR_INVALID,
                    "network: a name must be 1 to 255 bytes of UTF-8 without "
                    "control characters");
}

static ub_status check_image(ub_context *context, const ub__map *map)
{
    if (map->channels >= 1 && map->channels <= UB_NETWORK_MAX_CHANNELS &&
        map->height >= 1 && map->height <= UB_NETWORK_MAX_EXTENT &&
        map->width >= 1 && map->width <= UB_NETWORK_MAX_EXTENT)
        return UB_OK;
    return ub__fail(context, UB_ERR_RANGE,
                    "network: the input is %lld x %lld x %lld, must be 1 to "
                    "%lld channels of 1 to %lld",
                    (long long) map->channels, (long long) map->height,
                    (long long) map->width, (long long) UB_NETWORK_MAX_CHANNELS,
                    (long long) UB_NETWORK_MAX_EXTENT);
}

static ub_status add_input(ub_network *network, const char *name,
                           const ub__map *map)
{
    ub__network_node node = { .in = *map, .out = *map };
    ub_status status = UB_ERR_NOMEM;

    ub_layer_init(&node.layer, sizeof(node.layer), UB_LAYER_INPUT);
    node.name = ub__strdup(network->context, name);
    if (node.name != NULL)
        status = append_node(network, &node);
    if (status != UB_OK)
        clear_node(network->context, &node);
    return status;
}

ub_status ub__network_create(ub_context *context, const char *name,
                             const char *input_name, const ub__map *input,
                             ub_network **out)
{
    ub_network *network;
    ub_status status = check_name(context, name);

    if (status == UB_OK)
        status = check_name(context, input_name);
    if (status == UB_OK)
        status = check_image(context, input);
    if (status != UB_OK)
        return status;
    network = ub__calloc(context, 1, sizeof(*network));
    if (network == NULL)
        return UB_ERR_NOMEM;
    network->context = context;
    network->name = ub__strdup(context, name);
    status = network->name != NULL ? add_input(network, input_name, input)
                                   : UB_ERR_NOMEM;
    if (status == UB_OK)
        *out = network;
    else
        ub_network_destroy(&network);
    return status;
}

static ub_status check_inputs(const ub_network *network, const char *name,
                              int64_t n_inputs, const int64_t *inputs)
{
    if (n_inputs < 0 || n_inputs > UB_NETWORK_MAX_LAYERS ||
        (n_inputs > 0 && inputs == NULL))
        return ub__fail(network->context, UB_ERR_INVALID,
                        "network: layer '%s': %lld inputs", name,
                        (long long) n_inputs);
    for (int64_t i = 0; i < n_inputs; i++) {
        if (inputs[i] < 0 || inputs[i] >= network->n)
            return ub__fail(network->context, UB_ERR_INVALID,
                            "network: layer '%s': input %lld of %lld layers",
                            name, (long long) inputs[i],
                            (long long) network->n);
    }
    return UB_OK;
}

static ub_status check_added(const ub_network *network, const char *name,
                             int64_t n_inputs, const int64_t *inputs)
{
    ub_status status = check_name(network->context, name);

    if (status != UB_OK)
        return status;
    if (ub__names_find(&network->names, name) >= 0)
        return ub__fail(network->context, UB_ERR_INVALID,
                        "network: there are two layers '%s'", name);
    if (network->n >= UB_NETWORK_MAX_LAYERS)
        return ub__fail(network->context, UB_ERR_RANGE,
                        "network: more than %lld layers",
                        (long long) UB_NETWORK_MAX_LAYERS);
    return check_inputs(network, name, n_inputs, inputs);
}

static ub_status own_node(ub_context *context, ub__network_node *node,
                          const char *name, int64_t n_inputs,
                          const int64_t *inputs)
{
    const size_t n = (size_t) n_inputs;

    node->name = ub__strdup(context, name);
    node->inputs = ub__alloc(context, n, sizeof(*inputs));
    if (node->name == NULL || node->inputs == NULL)
        return UB_ERR_NOMEM;
    if (n > 0)
        memcpy(node->inputs, inputs, n * sizeof(*inputs));
    node->n_inputs = n_inputs;
    return UB_OK;
}

/* -- public --------------------------------------------------------------- */

ub_status ub_network_create(ub_context *context, const char *name,
                            int64_t channels, int64_t height, int64_t width,
                            ub_network **out)
{
    const ub__map map = { channels, height, width };

    if (context == NULL || out == NULL)
        return UB_ERR_INVALID;
    return ub__network_create(context, name, "input", &map, out);
}

void ub_network_destroy(ub_network **network)
{
    ub_network *net;

    if (network == NULL || *network == NULL)
        return;
    net = *network;
    for (int64_t i = 0; i < net->n; i++)
        clear_node(net->context, &net->nodes[i]);
    ub__names_clear(net->context, &net->names);
    ub__free(net->context, net->nodes);
    ub__free(net->context, net->name);
    ub__free(net->context, net);
    *network = NULL;
}

ub_status ub_network_add(ub_network *network, const char *name,
                         const ub_layer *layer, int64_t n_inputs,
                         const int64_t *inputs, int64_t *out_index)
{
    ub__network_node node;
    ub_status status;

    if (network == NULL)
        return UB_ERR_INVALID;
    memset(&node, 0, sizeof(node));
    status = check_added(network, name, n_inputs, inputs);
    if (status != UB_OK)
        return status;
    ub_layer_init(&node.layer, sizeof(node.layer), UB_LAYER_IDENTITY);
    if (layer == NULL)
        return ub__fail(network->context, UB_ERR_INVALID,
                        "network: layer '%s' has no description", name);
    status = ub__options_in(network->context, "layer", &node.layer,
                            sizeof(node.layer), LAYER_V1, layer);
    if (status == UB_OK)
        status = own_node(network->context, &node, name, n_inputs, inputs);
    if (status == UB_OK)
        status = ub__network_infer(network, &node);
    if (status == UB_OK)
        status = append_node(network, &node);
    if (status != UB_OK)
        clear_node(network->context, &node);
    else if (out_index != NULL)
        *out_index = network->n - 1;
    return status;
}

ub_context *ub_network_context(const ub_network *network)
{
    return network->context;
}

const char *ub_network_name(const ub_network *network)
{
    return network->name;
}

int64_t ub_network_layers(const ub_network *network)
{
    return network->n;
}

ub_status ub_network_layer(const ub_network *network, int64_t index,
                           ub_layer_info *out)
{
    const ub__network_node *node;
    ub_layer_info info;

    if (network == NULL)
        return UB_ERR_INVALID;
    if (index < 0 || index >= network->n)
        return ub__fail(network->context, UB_ERR_INVALID,
                        "network: no layer %lld of %lld", (long long) index,
                        (long long) network->n);
    if (out == NULL || out->size < LAYER_INFO_V1)
        return ub__fail(network->context, UB_ERR_INVALID,
                        "network: the size of a ub_layer_info is not set");
    node = &network->nodes[index];
    info = (ub_layer_info){
        .size = out->size,
        .name = node->name,
        .layer = &node->layer,
        .in_channels = node->in.channels,
        .in_height = node->in.height,
        .in_width = node->in.width,
        .out_channels = node->out.channels,
        .out_height = node->out.height,
        .out_width = node->out.width,
        .macs = node->macs,
        .parameters = node->parameters,
    };
    ub__options_out(out, out->size, &info, sizeof(info));
    return UB_OK;
}

const int64_t *ub_network_inputs(const ub_network *network, int64_t index,
                                 int64_t *n)
{
    *n = 0;
    if (network == NULL || index < 1 || index >= network->n)
        return NULL;
    *n = network->nodes[index].n_inputs;
    return network->nodes[index].inputs;
}

int64_t ub_network_find(const ub_network *network, const char *name)
{
    return name == NULL ? -1 : ub__names_find(&network->names, name);
}

int64_t ub_network_macs(const ub_network *network)
{
    return network->macs;
}

int64_t ub_network_parameters(const ub_network *network)
{
    return network->parameters;
}
