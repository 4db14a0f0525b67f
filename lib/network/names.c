/* SPDX-License-Identifier: BSD-2-Clause */
#include "network/network.h"

#include <string.h>

#define NAME_BYTES 255

/* FNV-1a */
static uint64_t hash_name(const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char) *name) * 0x100000001b3u;
    return hash ^ hash >> 29;
}

/* The slot that holds the name, or the free one where it belongs. */
static ub__name_slot *probe(const ub__name_table *table, const char *name)
{
    size_t at = (size_t) hash_name(name) & (table->n_slots - 1);

    while (table->slots[at].name != NULL &&
           strcmp(table->slots[at].name, name) != 0)
        at = (at + 1) & (table->n_slots - 1);
    return &table->slots[at];
}

int64_t ub__names_find(const ub__name_table *table, const char *name)
{
    const ub__name_slot *slot;

    if (table->n_slots == 0)
        return -1;
    slot = probe(table, name);
    return slot->name == NULL ? -1 : slot->index;
}

static ub_status grow(ub_context *context, ub__name_table *table)
{
    ub__name_table larger = { NULL, table->n_slots ? 2 * table->n_slots : 16,
                              table->used };

    larger.slots = ub__calloc(context, larger.n_slots, sizeof(*larger.slots));
    if (larger.slots == NULL)
        return UB_ERR_NOMEM;
    for (size_t i = 0; i < table->n_slots; i++) {
        if (table->slots[i].name != NULL)
            *probe(&larger, table->slots[i].name) = table->slots[i];
    }
    ub__free(context, table->slots);
    *table = larger;
    return UB_OK;
}

ub_status ub__names_put(ub_context *context, ub__name_table *table,
                        const char *name, int64_t index)
{
    ub__name_slot *slot;

    if (2 * (table->used + 1) > table->n_slots) {
        const ub_status status = grow(context, table);
        if (status != UB_OK)
            return status;
    }
    slot = probe(table, name);
    slot->name = name;
    slot->index = index;
    table->used++;
    return UB_OK;
}

void ub__names_clear(ub_context *context, ub__name_table *table)
{
    ub__free(context, table->slots);
    memset(table, 0, sizeof(*table));
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
