/* SPDX-License-Identifier: BSD-2-Clause */
#include "network/csim.h"

#include <string.h>

#define PART_SIZE (UB__NAME_SIZE + 24)

typedef struct writer {
    const ub_network *network;
    ub_csim_tiling tiling;
    json_t *order, *layers;
    int64_t tiles;
    int failed; /* out of memory */
} writer;

/* {"i": {"j": [rows, columns]}} */
static json_t *tile_object(int64_t rows, int64_t columns, int64_t tile_rows,
                           int64_t tile_columns)
{
    json_t *all = json_object();
    char key[24];
    int failed = 0;

    for (int64_t i = 0; i < ub__csim_pieces(rows, tile_rows); i++) {
        json_t *line = json_object();

        for (int64_t j = 0; j < ub__csim_pieces(columns, tile_columns); j++) {
            snprintf(key, sizeof(key), "%lld", (long long) j);
            failed |= json_object_set_new(
                line, key,
                json_pack(
                    "[I, I]", (json_int_t) ub__csim_piece(rows, tile_rows, i),
                    (json_int_t) ub__csim_piece(columns, tile_columns, j)));
        }
        snprintf(key, sizeof(key), "%lld", (long long) i);
        failed |= json_object_set_new(all, key, line);
    }
    if (failed) {
        json_decref(all);
        return NULL;
    }
    return all;
}

/* What ub_network_read_csim() would refuse is not written. */
static ub_status check_product(const writer *w, const char *name,
                               const ub__product *p)
{
    if (p->m <= UB__CSIM_MAX_SIZE && p->k <= UB__CSIM_MAX_SIZE &&
        p->n <= UB__CSIM_MAX_SIZE)
        return UB_OK;
    return ub__fail(w->network->context, UB_ERR_RANGE,
                    "network: layer '%s' has a product of %lld x %lld x %lld, "
                    "sizes may be up to %lld",
                    name, (long long) p->m, (long long) p->k, (long long) p->n,
                    (long long) UB__CSIM_MAX_SIZE);
}

static ub_status count_tiles(writer *w, const char *name, const ub__product *p)
{
    const int64_t m = ub__csim_pieces(p->m, w->tiling.tile_m);
    const int64_t k = ub__csim_pieces(p->k, w->tiling.tile_k);
    const int64_t n = ub__csim_pieces(p->n, w->tiling.tile_n);
    int64_t x, y;

    if (!ub__mul_int64(m, k, &x) || !ub__mul_int64(k, n, &y) ||
        x > UB_NETWORK_MAX_LAYERS - w->tiles ||
        y > UB_NETWORK_MAX_LAYERS - w->tiles - x)
        return ub__fail(w->network->context, UB_ERR_RANGE,
                        "network: layer '%s' has %lld x %lld x %lld tiles, "
                        "more than %lld of all layers",
                        name, (long long) m, (long long) k, (long long) n,
                        (long long) UB_NETWORK_MAX_LAYERS);
    w->tiles += x + y;
    return UB_OK;
}

static json_t *gemm_object(const writer *w, const ub_layer *layer,
                           const ub__product *p)
{
    const ub_csim_tiling *t = &w->tiling;
    json_t *gemm = json_pack(
        "{s:[I, I], s:[I, I], s:[I, I, I]}", "input_size", (json_int_t) p->m,
        (json_int_t) p->k, "weight_size", (json_int_t) p->k, (json_int_t) p->n,
        "no_tiles", (json_int_t) ub__csim_pieces(p->m, t->tile_m),
        (json_int_t) ub__csim_pieces(p->k, t->tile_k),
        (json_int_t) ub__csim_pieces(p->n, t->tile_n));
    int failed = 0;

    failed |= json_object_set_new(
        gemm, "x_tile_dim", tile_object(p->m, p->k, t->tile_m, t->tile_k));
    failed |= json_object_set_new(
        gemm, "w_tile_dim", tile_object(p->k, p->n, t->tile_k, t->tile_n));
    if (layer->kind == UB_LAYER_CONV)
        failed |= json_object_set_new(
            gemm, "kernel_size",
            json_pack("[I, I]", (json_int_t) layer->kernel_height,
                      (json_int_t) layer->kernel_width));
    if (failed) {
        json_decref(gemm);
        return NULL;
    }
    return gemm;
}

static const char *type_name(const ub__network_node *node)
{
    const ub_layer *layer = &node->layer;

    switch (layer->kind) {
    case UB_LAYER_INPUT: return "InputLayer";
    case UB_LAYER_LINEAR:
    case UB_LAYER_MATMUL: return "Dense";
    case UB_LAYER_CONV:
        return layer->groups > 1 && layer->groups == node->in.channels
                   ? "DepthwiseConv2D"
                   : "Conv2D";
    default: return ub_layer_kind_str(layer->kind);
    }
}

/* "name.0" to "name.(count - 1)" */
static json_t *part_names(const char *name, int64_t count)
{
    json_t *names = json_array();
    char part[PART_SIZE];
    int failed = 0;

    for (int64_t i = 0; i < count && !failed; i++) {
        snprintf(part, sizeof(part), "%s.%lld", name, (long long) i);
        failed |= json_array_append_new(names, json_string(part));
    }
    if (failed) {
        json_decref(names);
        return NULL;
    }
    return names;
}

/* Takes over deps and gemm. */
static ub_status put_layer(writer *w, const ub__network_node *node,
                           const char *name, json_t *deps, json_t *gemm)
{
    json_t *layer = json_object();

    if (json_object_get(w->layers, name) != NULL) {
        json_decref(layer);
        json_decref(deps);
        json_decref(gemm);
        return ub__fail(w->network->context, UB_ERR_INVALID,
                        "network: two layers would be '%s'", name);
    }
    w->failed |= json_object_set_new(layer, "layer_type",
                                     json_string(type_name(node)));
    w->failed |= json_object_set_new(layer, "deps", deps);
    w->failed |= json_object_set_new(layer, "raw_input",
                                     json_integer(!node->layer.on_chip));
    w->failed |= json_object_set_new(layer, "gemm_op", gemm);
    w->failed |= json_object_set_new(w->layers, name, layer);
    w->failed |= json_array_append_new(w->order, json_string(name));
    if (!w->failed && json_array_size(w->order) > UB_NETWORK_MAX_LAYERS)
        return ub__fail(w->network->context, UB_ERR_RANGE,
                        "network: more than %lld layers for csim",
                        (long long) UB_NETWORK_MAX_LAYERS);
    return w->failed ? UB_ERR_NOMEM : UB_OK;
}

static ub_status put_node(writer *w, int64_t index)
{
    const ub__network_node *node = &w->network->nodes[index];
    char part[PART_SIZE];
    ub__product p;
    ub_status status = ub__network_product(w->network, index, w->tiling.batch,
                                           &p);

    if (status == UB_OK && p.count == 0)
        return put_layer(w, node, node->name,
                         ub__network_input_names(w->network, node),
                         json_null());
    if (status == UB_OK)
        status = check_product(w, node->name, &p);
    for (int64_t i = 0; i < p.count && status == UB_OK; i++) {
        status = count_tiles(w, node->name, &p);
        if (status != UB_OK)
            return status;
        snprintf(part, sizeof(part), "%s.%lld", node->name, (long long) i);
        status = put_layer(w, node, p.count > 1 ? part : node->name,
                           ub__network_input_names(w->network, node),
                           gemm_object(w, &node->layer, &p));
    }
    /* who reads the layer waits for all its parts */
    if (status == UB_OK && p.count > 1)
        status = put_layer(w, node, node->name, part_names(node->name, p.count),
                           json_null());
    return status;
}

static ub_status write_model(writer *w, const char *path)
{
    ub_context *context = w->network->context;
    json_t *root;
    ub_status status = UB_OK;

    w->order = json_array();
    w->layers = json_object();
    for (int64_t i = 0; i < w->network->n && status == UB_OK; i++)
        status = put_node(w, i);
    root = json_pack("{s:s, s:o, s:o, s:I}", "name", w->network->name, "order",
                     w->order, "layers", w->layers, "no_repeat",
                     (json_int_t) w->tiling.no_repeat);
    if (status == UB_ERR_NOMEM || (status == UB_OK && root == NULL))
        status = ub__fail(context, UB_ERR_NOMEM,
                          "network: no memory to write '%.100s'", path);
    if (status == UB_OK)
        status = ub__json_write(context, path, root);
    json_decref(root);
    return status;
}

static int is_size(int64_t value)
{
    return value >= 1 && value <= UB__CSIM_MAX_SIZE;
}

/* -- public --------------------------------------------------------------- */

void ub_csim_tiling_init(ub_csim_tiling *tiling, size_t size)
{
    const ub_csim_tiling full = { sizeof(full), 128, 128, 128, 1, 1 };

    ub__options_out(tiling, size, &full, sizeof(full));
}

ub_status ub_network_write_csim(const ub_network *network, const char *path,
                                const ub_csim_tiling *tiling)
{
    writer w = { .network = network };
    ub_status status;

    if (network == NULL)
        return UB_ERR_INVALID;
    if (path == NULL)
        return ub__fail(network->context, UB_ERR_INVALID,
                        "network: no path to write");
    ub_csim_tiling_init(&w.tiling, sizeof(w.tiling));
    status = ub__options_in(network->context, "csim tiling", &w.tiling,
                            sizeof(w.tiling), sizeof(w.tiling), tiling);
    if (status != UB_OK)
        return status;
    if (!is_size(w.tiling.tile_m) || !is_size(w.tiling.tile_k) ||
        !is_size(w.tiling.tile_n) || w.tiling.no_repeat < 1 ||
        w.tiling.no_repeat > UB__CSIM_MAX_REPEATS || !is_size(w.tiling.batch))
        return ub__fail(
            network->context, UB_ERR_INVALID,
            "network: tiles of %lld x %lld x %lld, %lld times, "
            "batch %lld",
            (long long) w.tiling.tile_m, (long long) w.tiling.tile_k,
            (long long) w.tiling.tile_n, (long long) w.tiling.no_repeat,
            (long long) w.tiling.batch);
    return write_model(&w, path);
}
