/* SPDX-License-Identifier: BSD-2-Clause */
#include "network/network.h"

#include <string.h>

/* -- JSON ----------------------------------------------------------------- */

static json_t *pair(int64_t height, int64_t width)
{
    return json_pack("[I, I]", (json_int_t) height, (json_int_t) width);
}

/* json_object_set_new() refuses a NULL value, so failures add up. */
static int put_fields(json_t *object, const ub_layer *layer)
{
    const unsigned fields = ub__layer_fields(layer->kind);
    int failed = 0;

    if (fields & UB__LAYER_WEIGHTS)
        failed |= json_object_set_new(object, "out_channels",
                                      json_integer(layer->out_channels));
    if (fields & UB__LAYER_WINDOW) {
        failed |= json_object_set_new(
            object, "kernel", pair(layer->kernel_height, layer->kernel_width));
        failed |= json_object_set_new(object, "stride",
                                      json_integer(layer->stride));
        failed |= json_object_set_new(
            object, "padding", pair(layer->pad_height, layer->pad_width));
    }
    if (fields & UB__LAYER_DILATION)
        failed |= json_object_set_new(object, "dilation",
                                      json_integer(layer->dilation));
    if (fields & UB__LAYER_GROUPS)
        failed |= json_object_set_new(object, "groups",
                                      json_integer(layer->groups));
    if (fields & UB__LAYER_WEIGHTS)
        failed |= json_object_set_new(object, "bias",
                                      json_boolean(layer->bias));
    if (fields & UB__LAYER_COUNT)
        failed |= json_object_set_new(object, "count_padding",
                                      json_boolean(layer->count_padding));
    return failed;
}

/* What most layers leave at its default, and then is not written. */
static int put_rare_fields(json_t *object, const ub_layer *layer)
{
    int failed = 0;

    if (layer->round_up)
        failed |= json_object_set_new(object, "round_up", json_true());
    if (layer->in_channels > 0)
        failed |= json_object_set_new(object, "in_shape",
                                      json_pack("[I, I, I]",
                                                (json_int_t) layer->in_channels,
                                                (json_int_t) layer->in_height,
                                                (json_int_t) layer->in_width));
    if (layer->sparse_keep > 0)
        failed |= json_object_set_new(
            object, "sparsity", pair(layer->sparse_keep, layer->sparse_block));
    if (layer->on_chip)
        failed |= json_object_set_new(object, "on_chip", json_true());
    if (layer->transpose)
        failed |= json_object_set_new(object, "transpose", json_true());
    if (layer->weight_bits > 0 || layer->input_bits > 0)
        failed |= json_object_set_new(
            object, "bits", pair(layer->weight_bits, layer->input_bits));
    return failed;
}

json_t *ub__network_input_names(const ub_network *network,
                                const ub__network_node *node)
{
    json_t *names = json_array();

    for (int64_t i = 0; i < node->n_inputs && names != NULL; i++) {
        const char *name = network->nodes[node->inputs[i]].name;

        if (json_array_append_new(names, json_string(name)) != 0) {
            json_decref(names);
            names = NULL;
        }
    }
    return names;
}

static json_t *layer_object(const ub_network *network,
                            const ub__network_node *node)
{
    json_t *object = json_object();
    int failed = 0;

    failed |= json_object_set_new(object, "name", json_string(node->name));
    failed |= json_object_set_new(
        object, "kind", json_string(ub_layer_kind_str(node->layer.kind)));
    failed |= json_object_set_new(object, "inputs",
                                  ub__network_input_names(network, node));
    failed |= put_fields(object, &node->layer);
    failed |= put_rare_fields(object, &node->layer);
    if (failed) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *layer_objects(const ub_network *network)
{
    json_t *layers = json_array();

    for (int64_t i = 1; i < network->n && layers != NULL; i++) {
        if (json_array_append_new(
                layers, layer_object(network, &network->nodes[i])) != 0) {
            json_decref(layers);
            layers = NULL;
        }
    }
    return layers;
}

ub_status ub_network_write(const ub_network *network, const char *path)
{
    const ub__network_node *input, *output;
    json_t *layers, *root = NULL;
    ub_status status;

    if (network == NULL)
        return UB_ERR_INVALID;
    if (path == NULL)
        return ub__fail(network->context, UB_ERR_INVALID,
                        "network: no path to write");
    input = &network->nodes[0];
    output = &network->nodes[network->n - 1];
    layers = layer_objects(network);
    if (layers != NULL)
        root = json_pack("{s:s, s:i, s:s, s:{s:s, s:I, s:I, s:I}, s:o, s:s}",
                         "format", "uboost-network", "version", 1, "name",
                         network->name, "input", "name", input->name,
                         "channels", (json_int_t) input->out.channels, "height",
                         (json_int_t) input->out.height, "width",
                         (json_int_t) input->out.width, "layers", layers,
                         "output", output->name);
    if (root == NULL)
        return ub__fail(network->context, UB_ERR_NOMEM,
                        "network: no memory to write '%.100s'", path);
    status = ub__json_write(network->context, path, root);
    json_decref(root);
    return status;
}

/* -- DOT ------------------------------------------------------------------ */

static ub_status put_text(ub__writer *writer, const char *text)
{
    return ub__writer_put(writer, text, strlen(text));
}

/* A name inside a quoted string. */
static ub_status put_escaped(ub__writer *writer, const char *name)
{
    ub_status status = UB_OK;

    for (; *name != '\0' && status == UB_OK; name++) {
        if (*name == '"' || *name == '\\')
            status = put_text(writer, "\\");
        if (status == UB_OK)
            status = ub__writer_put(writer, name, 1);
    }
    return status;
}

/* What the label says besides name and kind. */
static void describe(const ub__network_node *node, char *text, size_t size)
{
    const ub_layer *l = &node->layer;
    const unsigned fields = ub__layer_fields(l->kind);
    const char *kind = ub_layer_kind_str(l->kind);
    int n = snprintf(text, size, "\\n%s", kind);

    if (fields & UB__LAYER_WINDOW)
        n += snprintf(text + n, size - (size_t) n, " %lldx%lld",
                      (long long) l->kernel_height,
                      (long long) l->kernel_width);
    if (l->stride > 1)
        n += snprintf(text + n, size - (size_t) n, " /%lld",
                      (long long) l->stride);
    if (l->dilation > 1)
        n += snprintf(text + n, size - (size_t) n, " dilation %lld",
                      (long long) l->dilation);
    if (l->groups > 1)
        n += snprintf(text + n, size - (size_t) n, " groups %lld",
                      (long long) l->groups);
    if (l->sparse_keep > 0)
        n += snprintf(text + n, size - (size_t) n, " %d:%d",
                      (int) l->sparse_keep, (int) l->sparse_block);
    if (l->transpose)
        n += snprintf(text + n, size - (size_t) n, " transposed");
    if (l->weight_bits > 0 || l->input_bits > 0)
        n += snprintf(text + n, size - (size_t) n, " w%d i%d",
                      l->weight_bits > 0 ? (int) l->weight_bits : 32,
                      l->input_bits > 0 ? (int) l->input_bits : 32);
    if (l->in_channels > 0)
        n += snprintf(text + n, size - (size_t) n, "\\nof %lldx%lldx%lld",
                      (long long) l->in_channels, (long long) l->in_height,
                      (long long) l->in_width);
    snprintf(text + n, size - (size_t) n, "\\n%lldx%lldx%lld\"];\n",
             (long long) node->out.channels, (long long) node->out.height,
             (long long) node->out.width);
}

static ub_status put_node(ub__writer *writer, const ub_network *network,
                          int64_t index)
{
    const ub__network_node *node = &network->nodes[index];
    char text[256];
    ub_status status;

    snprintf(text, sizeof(text), "  n%lld [label=\"", (long long) index);
    status = put_text(writer, text);
    if (status == UB_OK)
        status = put_escaped(writer, node->name);
    describe(node, text, sizeof(text));
    if (status == UB_OK)
        status = put_text(writer, text);
    for (int64_t i = 0; i < node->n_inputs && status == UB_OK; i++) {
        snprintf(text, sizeof(text), "  n%lld -> n%lld;\n",
                 (long long) node->inputs[i], (long long) index);
        status = put_text(writer, text);
    }
    return status;
}

static ub_status put_graph(ub__writer *writer, const ub_network *network)
{
    ub_status status = put_text(writer, "digraph \"");

    if (status == UB_OK)
        status = put_escaped(writer, network->name);
    if (status == UB_OK)
        status = put_text(writer, "\" {\n  node [shape=box];\n");
    for (int64_t i = 0; i < network->n && status == UB_OK; i++)
        status = put_node(writer, network, i);
    if (status == UB_OK)
        status = put_text(writer, "}\n");
    return status;
}

ub_status ub_network_write_dot(const ub_network *network, const char *path)
{
    ub__writer *writer;
    ub_status status;

    if (network == NULL)
        return UB_ERR_INVALID;
    if (path == NULL)
        return ub__fail(network->context, UB_ERR_INVALID,
                        "network: no path to write");
    status = ub__writer_open(network->context, path, &writer);
    if (status != UB_OK)
        return status;
    status = put_graph(writer, network);
    if (status == UB_OK)
        return ub__writer_commit(&writer);
    ub__writer_abort(&writer);
    return status;
}
