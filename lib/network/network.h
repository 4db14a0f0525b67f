/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_NETWORK_H
#define UBOOST_LIB_NETWORK_H

#include "base/base.h"

#include <uboost/network.h>

/* Name to index. A name's hash says in which bucket it is, and a bucket is a
 * balanced tree: the hash has no secret, and a file may well hold names that
 * share one. Names are borrowed. */
typedef struct ub__name_node {
    const char *name;
    int64_t index;
    uint32_t hash;
    uint32_t child[2]; /* of smaller and of larger (hash, name); 0: none */
    uint32_t level;    /* of an AA tree: 1 for leaves */
} ub__name_node;

typedef struct ub__name_table {
    ub__name_node *nodes; /* the first stands for none, with level 0 */
    uint32_t *buckets;    /* roots */
    size_t n_buckets;     /* a power of two above `used`, or 0 */
    size_t used;
} ub__name_table;

uint32_t ub__names_hash(const char *name);
int64_t ub__names_find(const ub__name_table *table, const char *name);
/* The name must not be in the table. */
ub_status ub__names_put(ub_context *context, ub__name_table *table,
                        const char *name, int64_t index);
void ub__names_clear(ub_context *context, ub__name_table *table);

typedef struct ub__map {
    int64_t channels, height, width;
} ub__map;

typedef struct ub__network_node {
    char *name;
    int64_t *inputs;
    int64_t n_inputs;
    ub_layer layer;
    ub__map in, out;
    int64_t macs, parameters;
} ub__network_node;

struct ub_network {
    ub_context *context;
    char *name;
    ub__network_node *nodes;
    int64_t n, capacity;
    ub__name_table names;
    int64_t macs, parameters;
};

/* As ub_network_create() with a name for the input. */
ub_status ub__network_create(ub_context *context, const char *name,
                             const char *input_name, const ub__map *input,
                             ub_network **out);

/* Check the layer's fields, reset those its kind does not use, and compute
 * in, out, macs and parameters of the node, whose inputs exist. */
ub_status ub__network_infer(const ub_network *network, ub__network_node *node);

/* Which fields of ub_layer a kind reads; on_chip is read by all. */
enum {
    UB__LAYER_WINDOW = 1,   /* kernel, stride, padding, round_up */
    UB__LAYER_WEIGHTS = 2,  /* out_channels, bias, sparsity */
    UB__LAYER_DILATION = 4, /* dilation, bits */
    UB__LAYER_COUNT = 8,    /* count_padding */
    UB__LAYER_MANY = 16,    /* any number of inputs */
    UB__LAYER_PAIR = 32,    /* two inputs, transpose */
    UB__LAYER_MAP = 64,     /* a map of its own */
    UB__LAYER_GROUPS = 128
};
unsigned ub__layer_fields(int32_t kind);

/* "bits" of a layer in a file, if it is there. */
ub_status ub__bits_read(ub_context *context, const char *where,
                        const json_t *object, ub_layer *layer);

/* Names of the layers that a layer reads, as an array; NULL without memory. */
json_t *ub__network_input_names(const ub_network *network,
                                const ub__network_node *node);

/* The kind of that name, -1 when there is none. */
int32_t ub__layer_kind_find(const char *name);

/* Whether a name may be used: see ub_network_create(). */
int ub__name_valid(const char *name);

/* Matrix products of a layer, for writers of other formats: count independent
 * ones of m x k by k x n; count is 0 when it computes none. */
typedef struct ub__product {
    int64_t m, k, n, count;
} ub__product;

/* UB_ERR_RANGE, with a sentence, when they overflow. */
ub_status ub__network_product(const ub_network *network, int64_t index,
                              int64_t batch, ub__product *out);

/* A name no layer has: the given one, or that with ":line" behind it as often
 * as it takes. UB_ERR_RANGE, without a sentence, when it becomes too long. */
enum { UB__NAME_SIZE = 256 };
ub_status ub__network_free_name(const ub_network *network, const char *name,
                                int64_t line, char out[UB__NAME_SIZE]);

/* Where in a file something is wrong: a path and a layer's name. */
typedef struct ub__place {
    char text[160];
} ub__place;
ub__place ub__place_of_layer(const char *path, const char *name);

/* The part of a path behind the folders and before the last dot, if it may be
 * a name; else `otherwise`. */
void ub__name_of_path(const char *path, const char *otherwise,
                      char out[UB__NAME_SIZE]);

/* As ub_network_read_topology() of text in memory, which it changes; there is a
 * NUL behind it. */
ub_status ub__topology_parse(ub_context *context, const char *path, char *text,
                             size_t size, const ub_topology_options *options,
                             ub_network **out, int64_t *out_batch);

#endif
