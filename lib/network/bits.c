/* SPDX-License-Identifier: BSD-2-Clause */
#include "network/network.h"

typedef struct marks {
    unsigned char *before; /* a convolution comes before layer i */
    unsigned char *ahead;  /* layer i comes before the head */
} marks;

static int is_conv(const ub__network_node *node)
{
    return node->layer.kind == UB_LAYER_CONV;
}

static void mark_before(const ub_network *network, unsigned char *before)
{
    for (int64_t i = 1; i < network->n; i++) {
        const ub__network_node *node = &network->nodes[i];

        for (int64_t k = 0; k < node->n_inputs; k++) {
            const int64_t input = node->inputs[k];

            if (before[input] || is_conv(&network->nodes[input]))
                before[i] = 1;
        }
    }
}

/* The last convolution, when it is 1 x 1 and reads, over whatever way, all the
 * others; else -1. */
static int64_t find_head(const ub_network *network, unsigned char *ahead)
{
    int64_t head = network->n - 1;

    while (head > 0 && !is_conv(&network->nodes[head]))
        head--;
    if (head == 0 || network->nodes[head].layer.kernel_height != 1 ||
        network->nodes[head].layer.kernel_width != 1)
        return -1;
    ahead[head] = 1;
    for (int64_t i = head; i > 0; i--) {
        const ub__network_node *node = &network->nodes[i];

        if (is_conv(node) && !ahead[i])
            return -1;
        for (int64_t k = 0; ahead[i] && k < node->n_inputs; k++)
            ahead[node->inputs[k]] = 1;
    }
    return head;
}

static ub_status add_layers(const ub_network *from, const ub_layer *bits,
                            const marks *m, ub_network *to)
{
    const int64_t head = find_head(from, m->ahead);
    ub_status status = UB_OK;

    mark_before(from, m->before);
    for (int64_t i = 1; i < from->n && status == UB_OK; i++) {
        const ub__network_node *node = &from->nodes[i];
        ub_layer layer = node->layer;

        if (is_conv(node) && m->before[i] && i != head) {
            layer.weight_bits = bits->weight_bits;
            layer.input_bits = bits->input_bits;
        }
        status = ub_network_add(to, node->name, &layer, node->n_inputs,
                                node->inputs, NULL);
    }
    return status;
}

static ub_status check_bits(const ub_network *network, int32_t bits)
{
    if (bits == 32 || (bits >= 0 && bits <= UB_NETWORK_MAX_BITS))
        return UB_OK;
    return ub__fail(network->context, bits < 0 ? UB_ERR_INVALID : UB_ERR_RANGE,
                    "network: %d bits, must be 0 to %d or 32", (int) bits,
                    UB_NETWORK_MAX_BITS);
}

ub_status ub__bits_read(ub_context *context, const char *where,
                        const json_t *object, ub_layer *layer)
{
    const json_t *value = json_object_get(object, "bits");
    int32_t *const out[] = { &layer->weight_bits, &layer->input_bits };

    if (value == NULL)
        return UB_OK;
    for (size_t i = 0; i < 2; i++) {
        const json_t *part = json_is_array(value) ? json_array_get(value, i)
                                                  : value;

        if (!json_is_integer(part) || json_integer_value(part) < 0 ||
            json_integer_value(part) > 32 ||
            (json_is_array(value) && json_array_size(value) != 2))
            return ub__fail(context, UB_ERR_FORMAT,
                            "%s: 'bits' must be 0 to 32, or [weights, inputs]",
                            where);
        *out[i] = (int32_t) json_integer_value(part);
    }
    return UB_OK;
}

ub_status ub_network_quantized(const ub_network *network, int32_t weight_bits,
                               int32_t input_bits, ub_network **out)
{
    ub_network *quantized = NULL;
    ub_context *context;
    ub_layer bits;
    ub_status status;
    marks m;

    if (network == NULL || out == NULL)
        return UB_ERR_INVALID;
    context = network->context;
    status = check_bits(network, weight_bits);
    if (status == UB_OK)
        status = check_bits(network, input_bits);
    if (status != UB_OK)
        return status;
    ub_layer_init(&bits, sizeof(bits), UB_LAYER_CONV);
    bits.weight_bits = weight_bits;
    bits.input_bits = input_bits;
    m.before = ub__calloc(context, (size_t) network->n, 1);
    m.ahead = ub__calloc(context, (size_t) network->n, 1);
    status = UB_ERR_NOMEM;
    if (m.before != NULL && m.ahead != NULL)
        status = ub__network_create(context, network->name,
                                    network->nodes[0].name,
                                    &network->nodes[0].out, &quantized);
    if (status == UB_OK)
        status = add_layers(network, &bits, &m, quantized);
    ub__free(context, m.before);
    ub__free(context, m.ahead);
    if (status == UB_OK)
        *out = quantized;
    else
        ub_network_destroy(&quantized);
    return status;
}
