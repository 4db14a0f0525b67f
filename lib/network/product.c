/* SPDX-License-Identifier: BSD-2-Clause */
#include "network/network.h"

#include <string.h>

static int conv_product(const ub__network_node *node, int64_t batch,
                        ub__product *p)
{
    const ub_layer *layer = &node->layer;

    p->count = layer->groups;
    p->n = node->out.channels / layer->groups;
    /* both below 2^63: see UB_NETWORK_MAX_EXTENT */
    p->k = node->in.channels / layer->groups * layer->kernel_height *
           layer->kernel_width;
    return ub__mul_int64(node->out.height * node->out.width, batch, &p->m);
}

ub_status ub__network_product(const ub_network *network, int64_t index,
                              int64_t batch, ub__product *out)
{
    const ub__network_node *node = &network->nodes[index];
    ub__product p = { 0, 0, 0, 0 };
    int fits = 1;

    if (node->layer.kind == UB_LAYER_CONV ||
        node->layer.kind == UB_LAYER_LINEAR) {
        fits = conv_product(node, batch, &p);
    } else if (node->layer.kind == UB_LAYER_MATMUL) {
        p = (ub__product){ node->in.height, node->in.width, node->out.width,
                           0 };
        fits = ub__mul_int64(node->in.channels, batch, &p.count);
    }
    if (!fits)
        return ub__fail(network->context, UB_ERR_RANGE,
                        "network: layer '%s': its products at batch %lld "
                        "overflow",
                        node->name, (long long) batch);
    *out = p;
    return UB_OK;
}

ub_status ub__network_free_name(const ub_network *network, const char *name,
                                int64_t line, char out[UB__NAME_SIZE])
{
    size_t used = strlen(name);

    if (used >= UB__NAME_SIZE)
        return UB_ERR_RANGE;
    memcpy(out, name, used + 1);
    while (ub__names_find(&network->names, out) >= 0) {
        used += (size_t) snprintf(out + used, UB__NAME_SIZE - used, ":%lld",
                                  (long long) line);
        if (used >= UB__NAME_SIZE)
            return UB_ERR_RANGE;
    }
    return UB_OK;
}

void ub__name_of_path(const char *path, const char *otherwise,
                      char out[UB__NAME_SIZE])
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    const char *dot = strrchr(name, '.');
    const size_t length = dot == NULL || dot == name ? strlen(name)
                                                     : (size_t) (dot - name);

    out[0] = '\0';
    if (length < UB__NAME_SIZE) {
        memcpy(out, name, length);
        out[length] = '\0';
    }
    if (!ub__name_valid(out))
        snprintf(out, UB__NAME_SIZE, "%s", otherwise);
}
