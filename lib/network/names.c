/* SPDX-License-Identifier: BSD-2-Clause */
#include "network/network.h"

#include <string.h>

#define NAME_BYTES 255

/* FNV-1a */
uint32_t ub__names_hash(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char) *name) * 0x100000001b3u;
    return (uint32_t) (hash ^ hash >> 29);
}

static int order(uint32_t hash, const char *name, const ub__name_node *node)
{
    if (hash != node->hash)
        return hash < node->hash ? -1 : 1;
    return strcmp(name, node->name);
}

int64_t ub__names_find(const ub__name_table *table, const char *name)
{
    const uint32_t hash = ub__names_hash(name);
    uint32_t at;

    if (table->n_buckets == 0)
        return -1;
    at = table->buckets[hash & (table->n_buckets - 1)];
    while (at != 0) {
        const ub__name_node *node = &table->nodes[at];
        const int side = order(hash, name, node);

        if (side == 0)
            return node->index;
        at = node->child[side > 0];
    }
    return -1;
}

/* Insertion into an AA tree (Andersson 1993): a left child is one level below
 * its parent, of two right ones the second. Returns the root. */
static uint32_t insert(ub__name_node *nodes, uint32_t root, uint32_t added)
{
    ub__name_node *node = &nodes[root];
    int side;
    uint32_t up;

    if (root == 0)
        return added;
    side = order(nodes[added].hash, nodes[added].name, node) > 0;
    node->child[side] = insert(nodes, node->child[side], added);
    up = node->child[0];
    if (nodes[up].level == node->level) { /* turn right */
        node->child[0] = nodes[up].child[1];
        nodes[up].child[1] = root;
        root = up;
    }
    node = &nodes[root];
    up = node->child[1];
    if (nodes[nodes[up].child[1]].level == node->level) { /* turn left */
        node->child[1] = nodes[up].child[0];
        nodes[up].child[0] = root;
        nodes[up].level++;
        root = up;
    }
    return root;
}

static void plant(ub__name_table *table, uint32_t added)
{
    ub__name_node *node = &table->nodes[added];
    uint32_t *root = &table->buckets[node->hash & (table->n_buckets - 1)];

    node->child[0] = node->child[1] = 0;
    node->level = 1;
    *root = insert(table->nodes, *root, added);
}

/* Twice as many buckets, and a node for each. */
static ub_status grow(ub_context *context, ub__name_table *table)
{
    const size_t n = table->n_buckets ? 2 * table->n_buckets : 16;
    uint32_t *buckets = ub__calloc(context, n, sizeof(*buckets));
    ub__name_node *nodes = NULL;

    if (buckets != NULL)
        nodes = ub__realloc(context, table->nodes, table->n_buckets, n,
                            sizeof(*nodes));
    if (nodes == NULL) {
        ub__free(context, buckets);
        return UB_ERR_NOMEM;
    }
    memset(&nodes[0], 0, sizeof(nodes[0]));
    ub__free(context, table->buckets);
    *table = (ub__name_table){ nodes, buckets, n, table->used };
    for (size_t i = 1; i <= table->used; i++)
        plant(table, (uint32_t) i);
    return UB_OK;
}

ub_status ub__names_put(ub_context *context, ub__name_table *table,
                        const char *name, int64_t index)
{
    ub__name_node *node;

    if (table->used + 1 >= table->n_buckets) {
        const ub_status status = grow(context, table);
        if (status != UB_OK)
            return status;
    }
    node = &table->nodes[++table->used];
    node->name = name;
    node->index = index;
    node->hash = ub__names_hash(name);
    plant(table, (uint32_t) table->used);
    return UB_OK;
}

void ub__names_clear(ub_context *context, ub__name_table *table)
{
    ub__free(context, table->nodes);
    ub__free(context, table->buckets);
    memset(table, 0, sizeof(*table));
}

ub__place ub__place_of_layer(const char *path, const char *name)
{
    ub__place p;

    snprintf(p.text, sizeof(p.text), "%.80s: layer '%.60s'", path, name);
    return p;
}

/* Bytes of the UTF-8 sequence at p, 0 when it is none. */
static int sequence_length(const unsigned char *p)
{
    const int n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    for (int i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    /* overlong forms, surrogates, beyond U+10FFFF */
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

int ub__name_valid(const char *name)
{
    const unsigned char *p = (const unsigned char *) name;
    size_t bytes = 0;

    if (name == NULL || name[0] == '\0')
        return 0;
    while (p[bytes] != 0) {
        const int n = sequence_length(p + bytes);

        if (n == 0 || p[bytes] < 0x20 || p[bytes] == 0x7f)
            return 0;
        bytes += (size_t) n;
        if (bytes > NAME_BYTES)
            return 0;
    }
    return 1;
}
