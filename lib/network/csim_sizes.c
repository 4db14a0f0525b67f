/* SPDX-License-Identifier: BSD-2-Clause */
#include "network/csim.h"

#include <string.h>

#define KEY_SIZE 24

typedef ub__csim_reader reader;
typedef ub__csim_product product;

int64_t ub__csim_pieces(int64_t size, int64_t tile)
{
    return (size - 1) / tile + 1;
}

int64_t ub__csim_piece(int64_t size, int64_t tile, int64_t i)
{
    return size - i * tile < tile ? size - i * tile : tile;
}

/* -- sizes ---------------------------------------------------------------- */

static ub_status fail_size(const reader *r, const char *name, const char *key)
{
    return ub__fail(r->context, UB_ERR_FORMAT,
                    "%s: '%s' must be integers of 1 to %lld",
                    ub__place_of_layer(r->path, name).text, key,
                    (long long) UB__CSIM_MAX_SIZE);
}

ub_status ub__csim_sizes(const reader *r, const char *name, const json_t *array,
                         const char *key, size_t n, int64_t *out)
{
    if (json_array_size(array) != n)
        return fail_size(r, name, key);
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_array_get(array, i);

        if (!json_is_integer(value) || json_integer_value(value) < 1 ||
            json_integer_value(value) > UB__CSIM_MAX_SIZE)
            return fail_size(r, name, key);
        out[i] = json_integer_value(value);
    }
    return UB_OK;
}

static const char *type_of(const json_t *layer)
{
    const char *type = json_string_value(json_object_get(layer, "layer_type"));

    return type != NULL ? type
                        : json_string_value(json_object_get(layer, "type"));
}

/* csim divides the size of input tiles by the kernel for this type alone. */
static ub_status get_kernel(const reader *r, const char *name,
                            const json_t *layer, const json_t *kernel,
                            product *p)
{
    const char *type = type_of(layer);
    int64_t sides[2] = { 1, 1 };
    ub_status status = UB_OK;

    p->kernel_height = p->kernel_width = 1;
    if (kernel == NULL || json_is_null(kernel) ||
        (type != NULL && strcmp(type, "Conv2D") != 0))
        return UB_OK;
    status = ub__csim_sizes(r, name, kernel, "kernel_size", 2, sides);
    if (status != UB_OK)
        return status;
    if (sides[0] > UB_NETWORK_MAX_EXTENT || sides[1] > UB_NETWORK_MAX_EXTENT ||
        p->size[UB__CSIM_K] % (sides[0] * sides[1]) != 0)
        return ub__fail(r->context, UB_ERR_FORMAT,
                        "%s: a kernel of %lld x %lld does not divide K = %lld",
                        ub__place_of_layer(r->path, name).text,
                        (long long) sides[0], (long long) sides[1],
                        (long long) p->size[UB__CSIM_K]);
    p->kernel_height = sides[0];
    p->kernel_width = sides[1];
    return UB_OK;
}

/* "M", "K" and "N" of the layer itself. */
static ub_status get_short(const reader *r, const char *name,
                           const json_t *layer, product *p)
{
    static const char *const keys[] = { "M", "K", "N" };
    ub_status status = UB_OK;

    if (type_of(layer) == NULL)
        return UB_OK;
    for (int i = 0; i < UB__CSIM_DIMS && status == UB_OK; i++)
        status = ub__json_int(r->context,
                              ub__place_of_layer(r->path, name).text, layer,
                              keys[i], 1, UB__CSIM_MAX_SIZE, &p->size[i]);
    if (status == UB_OK)
        status = get_kernel(r, name, layer, json_object_get(layer, "kernel"),
                            p);
    return status;
}

ub_status ub__csim_product_of(const reader *r, const char *name,
                              const json_t *layer, product *p)
{
    const json_t *gemm = json_object_get(layer, "gemm_op");
    int64_t weights[2];
    ub_status status;

    memset(p, 0, sizeof(*p));
    if (json_is_null(gemm))
        return UB_OK;
    if (gemm == NULL && json_object_get(layer, "M") != NULL)
        return get_short(r, name, layer, p);
    if (!json_is_object(gemm))
        return ub__fail(r->context, UB_ERR_FORMAT,
                        "%s: 'gemm_op' is missing, or neither null nor an "
                        "object",
                        ub__place_of_layer(r->path, name).text);
    status = ub__csim_sizes(r, name, json_object_get(gemm, "input_size"),
                            "input_size", 2, p->size);
    if (status == UB_OK)
        status = ub__csim_sizes(r, name, json_object_get(gemm, "weight_size"),
                                "weight_size", 2, weights);
    if (status != UB_OK)
        return status;
    if (weights[0] != p->size[UB__CSIM_K])
        return ub__fail(r->context, UB_ERR_FORMAT,
                        "%s: %lld columns of inputs by %lld rows of weights",
                        ub__place_of_layer(r->path, name).text,
                        (long long) p->size[UB__CSIM_K],
                        (long long) weights[0]);
    p->size[UB__CSIM_N] = weights[1];
    return get_kernel(r, name, layer, json_object_get(gemm, "kernel_size"), p);
}

/* -- tiles ---------------------------------------------------------------- */

static size_t members(const json_t *value)
{
    return json_is_array(value) ? json_array_size(value)
                                : json_object_size(value);
}

static const json_t *member(const json_t *value, int64_t i)
{
    char key[KEY_SIZE];

    if (json_is_array(value))
        return json_array_get(value, (size_t) i);
    snprintf(key, sizeof(key), "%lld", (long long) i);
    return json_object_get(value, key);
}

static ub_status fail_tiles(const reader *r, const char *name, const char *key,
                            ub_status status)
{
    return ub__fail(r->context, status,
                    status == UB_ERR_FORMAT
                        ? "%s: '%s' does not cut the matrix into tiles"
                        : "%s: '%s' has tiles of unlike sizes",
                    ub__place_of_layer(r->path, name).text, key);
}

/* Keep the size of a tile along a dimension that is cut into `count`. */
static ub_status keep_tile(reader *r, const char *name, int dim, int64_t tile,
                           int64_t count)
{
    if (count == 1) {
        r->bound[dim] = tile > r->bound[dim] ? tile : r->bound[dim];
        return UB_OK;
    }
    if (r->exact[dim] != 0 && r->exact[dim] != tile)
        return ub__fail(r->context, UB_ERR_UNSUPPORTED,
                        "%s: tiles of %lld, and %lld elsewhere",
                        ub__place_of_layer(r->path, name).text,
                        (long long) tile, (long long) r->exact[dim]);
    r->exact[dim] = tile;
    return UB_OK;
}

/* The tiles of an operand of the dimensions `down` and `across`. */
static ub_status read_tiles(reader *r, const char *name, const json_t *gemm,
                            const char *key, const product *p, int down,
                            int across)
{
    const json_t *all = json_object_get(gemm, key);
    const int64_t rows = p->size[down], columns = p->size[across];
    int64_t first[2], one[2];
    ub_status status;

    if (all == NULL)
        return UB_OK;
    status = ub__csim_sizes(r, name, member(member(all, 0), 0), key, 2, first);
    if (status != UB_OK)
        return status;
    if (first[0] > rows || first[1] > columns ||
        members(all) != (size_t) ub__csim_pieces(rows, first[0]))
        return fail_tiles(r, name, key, UB_ERR_FORMAT);
    for (int64_t i = 0; i < ub__csim_pieces(rows, first[0]); i++) {
        const json_t *line = member(all, i);

        if (members(line) != (size_t) ub__csim_pieces(columns, first[1]))
            return fail_tiles(r, name, key, UB_ERR_FORMAT);
        for (int64_t j = 0; j < ub__csim_pieces(columns, first[1]); j++) {
            status = ub__csim_sizes(r, name, member(line, j), key, 2, one);
            if (status != UB_OK)
                return status;
            if (one[0] != ub__csim_piece(rows, first[0], i) ||
                one[1] != ub__csim_piece(columns, first[1], j))
                return fail_tiles(r, name, key, UB_ERR_UNSUPPORTED);
        }
    }
    status = keep_tile(r, name, down, first[0],
                       ub__csim_pieces(rows, first[0]));
    if (status == UB_OK)
        status = keep_tile(r, name, across, first[1],
                           ub__csim_pieces(columns, first[1]));
    return status;
}

/* no_tiles against what x_tile_dim and w_tile_dim say. */
static ub_status check_counts(const reader *r, const char *name,
                              const json_t *gemm)
{
    const json_t *x = json_object_get(gemm, "x_tile_dim");
    const json_t *w = json_object_get(gemm, "w_tile_dim");
    const json_t *given = json_object_get(gemm, "no_tiles");
    int64_t counts[UB__CSIM_DIMS];
    ub_status status;

    if (given == NULL)
        return UB_OK;
    status = ub__csim_sizes(r, name, given, "no_tiles", UB__CSIM_DIMS, counts);
    if (status != UB_OK)
        return status;
    if ((x != NULL && (members(x) != (size_t) counts[UB__CSIM_M] ||
                       members(member(x, 0)) != (size_t) counts[UB__CSIM_K])) ||
        (w != NULL && (members(w) != (size_t) counts[UB__CSIM_K] ||
                       members(member(w, 0)) != (size_t) counts[UB__CSIM_N])))
        return fail_tiles(r, name, "no_tiles", UB_ERR_FORMAT);
    return UB_OK;
}

ub_status ub__csim_tiles(reader *r, const char *name, const json_t *layer,
                         const product *p)
{
    const json_t *gemm = json_object_get(layer, "gemm_op");
    ub_status status = read_tiles(r, name, gemm, "x_tile_dim", p, UB__CSIM_M,
                                  UB__CSIM_K);

    if (status == UB_OK)
        status = read_tiles(r, name, gemm, "w_tile_dim", p, UB__CSIM_K,
                            UB__CSIM_N);
    return status == UB_OK ? check_counts(r, name, gemm) : status;
}
