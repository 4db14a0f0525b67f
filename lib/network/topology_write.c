/* SPDX-License-Identifier: BSD-2-Clause */
#include "network/topology.h"

#include <string.h>

#define TEXT_SIZE 768 /* a name, a number behind it, and eleven numbers */

typedef struct writer {
    const ub_network *network;
    ub__writer *file;
    int32_t form;
    int sparse;  /* some layer is */
    int grouped; /* some layer has groups or a dilation */
    int64_t rows;
} writer;

/* Columns of a row; the first three of a GEMM are M, N and K. */
typedef struct numbers {
    int64_t height, width, filter_height, filter_width, channels, filters,
        stride, dilation, groups;
} numbers;

static ub_status put_text(writer *w, const char *text)
{
    return ub__writer_put(w->file, text, strlen(text));
}

static ub_status put_header(writer *w)
{
    ub_status status = put_text(w, w->form == UB_TOPOLOGY_GEMM
                                       ? "Layer, M, N, K,"
                                       : "Layer name, IFMAP Height, IFMAP "
                                         "Width, Filter Height, Filter Width, "
                                         "Channels, Num Filter, Strides,");

    if (status == UB_OK && (w->sparse || w->grouped))
        status = put_text(w, " Sparsity,");
    if (status == UB_OK && w->grouped)
        status = put_text(w, " Dilation, Groups,");
    return status == UB_OK ? put_text(w, "\n") : status;
}

/* What a reader would take for something else. */
static void clean_name(const char *name, char out[UB__NAME_SIZE])
{
    snprintf(out, UB__NAME_SIZE, "%s", name);
    for (char *p = out; *p != '\0'; p++) {
        if (*p == ',' || *p == '"' || *p == '#')
            *p = '_';
        if (p[0] == 'D' && p[1] == 'P')
            p[1] = 'p';
    }
}

/* One row; part is -1 when the layer has no other. */
static ub_status put_row(writer *w, const ub__network_node *node, int64_t part,
                         const numbers *x)
{
    const ub_layer *layer = &node->layer;
    char name[UB__NAME_SIZE], text[TEXT_SIZE];
    int n;

    if (w->rows++ >= UB_NETWORK_MAX_LAYERS)
        return ub__fail(w->network->context, UB_ERR_RANGE,
                        "network: more than %lld rows of a topology",
                        (long long) UB_NETWORK_MAX_LAYERS);
    clean_name(node->name, name);
    n = snprintf(text, sizeof(text), "%s", name);
    if (part >= 0)
        n += snprintf(text + n, sizeof(text) - (size_t) n, ".%lld",
                      (long long) part);
    n += snprintf(text + n, sizeof(text) - (size_t) n, ", %lld, %lld, %lld,",
                  (long long) x->height, (long long) x->width,
                  (long long) x->filter_height);
    if (w->form == UB_TOPOLOGY_CONV)
        n += snprintf(text + n, sizeof(text) - (size_t) n,
                      " %lld, %lld, %lld, %lld,", (long long) x->filter_width,
                      (long long) x->channels, (long long) x->filters,
                      (long long) x->stride);
    if (w->sparse || w->grouped)
        n += snprintf(text + n, sizeof(text) - (size_t) n, " %d:%d,",
                      layer->sparse_keep > 0 ? (int) layer->sparse_keep : 1,
                      layer->sparse_keep > 0 ? (int) layer->sparse_block : 1);
    if (w->grouped)
        n += snprintf(text + n, sizeof(text) - (size_t) n, " %lld, %lld,",
                      (long long) x->dilation, (long long) x->groups);
    snprintf(text + n, sizeof(text) - (size_t) n, "\n");
    return put_text(w, text);
}

/* With its padding; without what no window reaches, which a ceiling would make
 * another window of. */
static int64_t reached(const ub_layer *layer, int64_t extent, int64_t pad,
                       int64_t kernel, int64_t out)
{
    return layer->round_up
               ? extent + 2 * pad
               : (out - 1) * layer->stride + layer->dilation * (kernel - 1) + 1;
}

static ub_status put_conv(writer *w, const ub__network_node *node)
{
    const ub_layer *l = &node->layer;
    const numbers x = {
        reached(l, node->in.height, l->pad_height, l->kernel_height,
                node->out.height),
        reached(l, node->in.width, l->pad_width, l->kernel_width,
                node->out.width),
        l->kernel_height,
        l->kernel_width,
        node->in.channels,
        node->out.channels,
        l->stride,
        l->dilation,
        l->groups,
    };

    return put_row(w, node, -1, &x);
}

static ub_status put_products(writer *w, int64_t index)
{
    const ub__network_node *node = &w->network->nodes[index];
    ub__product p;
    numbers x = { 0 };
    ub_status status = ub__network_product(w->network, index, 1, &p);

    if (status != UB_OK)
        return status;
    x = (numbers){ p.m, p.k, 1, p.k, 1, p.n, 1, 1, 1 };
    if (w->form == UB_TOPOLOGY_GEMM)
        x = (numbers){ .height = p.m, .width = p.n, .filter_height = p.k };
    for (int64_t i = 0; i < p.count && status == UB_OK; i++)
        status = put_row(w, node, p.count > 1 ? i : -1, &x);
    return status;
}

static ub_status put_layers(writer *w)
{
    ub_status status = UB_OK;

    for (int64_t i = 1; i < w->network->n; i++) {
        const int32_t kind = w->network->nodes[i].layer.kind;
        const ub_layer *layer = &w->network->nodes[i].layer;

        w->sparse |= layer->sparse_keep > 0;
        w->grouped |= w->form == UB_TOPOLOGY_CONV && kind == UB_LAYER_CONV &&
                      (layer->groups > 1 || layer->dilation > 1);
    }
    status = put_header(w);
    for (int64_t i = 1; i < w->network->n && status == UB_OK; i++) {
        const int32_t kind = w->network->nodes[i].layer.kind;

        if (w->form == UB_TOPOLOGY_CONV &&
            (kind == UB_LAYER_CONV || kind == UB_LAYER_LINEAR))
            status = put_conv(w, &w->network->nodes[i]);
        else
            status = put_products(w, i);
    }
    return status;
}

ub_status ub_network_write_topology(const ub_network *network, const char *path,
                                    ub_topology_form form)
{
    writer w = { .network = network, .form = (int32_t) form };
    ub_status status;

    if (network == NULL)
        return UB_ERR_INVALID;
    if (path == NULL || (form != UB_TOPOLOGY_CONV && form != UB_TOPOLOGY_GEMM))
        return ub__fail(network->context, UB_ERR_INVALID,
                        "network: no path to write a topology to, or form %d",
                        (int) form);
    status = ub__writer_open(network->context, path, &w.file);
    if (status != UB_OK)
        return status;
    status = put_layers(&w);
    if (status == UB_OK)
        return ub__writer_commit(&w.file);
    ub__writer_abort(&w.file);
    return status;
}
