/* SPDX-License-Identifier: BSD-2-Clause */
#include "tensor/archive.h"

#include <string.h>

/* Room for one more element; the array itself is returned, or NULL. */
static void *grow(ub_context *context, void *array, size_t n, size_t *capacity,
                  size_t size)
{
    size_t wanted = *capacity * 2 + 8;

    if (n < *capacity)
        return array;
    array = ub__realloc(context, array, *capacity, wanted, size);
    if (array != NULL)
        *capacity = wanted;
    return array;
}

static int is_utf8(const char *text)
{
    json_t *string = json_string(text);
    int valid = string != NULL;

    json_decref(string);
    return valid;
}

/* Index of the first text whose key is not smaller. */
static size_t text_index(const ub_archive *archive, const char *key)
{
    size_t low = 0, high = archive->texts_n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(archive->texts[middle].key, key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int text_is(const ub_archive *archive, size_t index, const char *key)
{
    return index < archive->texts_n &&
           strcmp(archive->texts[index].key, key) == 0;
}

static ub_status insert_text(ub_archive *archive, size_t at, const char *key,
                             char *text)
{
    struct ub__archive_text *texts;
    char *copy;

    texts = grow(archive->context, archive->texts, archive->texts_n,
                 &archive->texts_capacity, sizeof *texts);
    if (texts == NULL)
        return UB_ERR_NOMEM;
    archive->texts = texts;
    copy = ub__strdup(archive->context, key);
    if (copy == NULL)
        return UB_ERR_NOMEM;
    memmove(texts + at + 1, texts + at,
            (archive->texts_n - at) * sizeof *texts);
    texts[at].key = copy;
    texts[at].text = text;
    archive->texts_n++;
    return UB_OK;
}

ub_status ub__archive_append(ub_archive *archive, const char *name,
                             ub_tensor *tensor)
{
    struct ub__archive_entry *entries;
    char *copy;

    entries = grow(archive->context, archive->entries, archive->entries_n,
                   &archive->entries_capacity, sizeof *entries);
    if (entries == NULL)
        return UB_ERR_NOMEM;
    archive->entries = entries;
    copy = ub__strdup(archive->context, name);
    if (copy == NULL)
        return UB_ERR_NOMEM;
    entries[archive->entries_n].name = copy;
    entries[archive->entries_n].tensor = ub_tensor_ref(tensor);
    archive->entries_n++;
    return UB_OK;
}

ub_status ub_archive_create(ub_context *context, ub_archive **out)
{
    ub_archive *archive;

    if (context == NULL || out == NULL)
        return ub__fail(context, UB_ERR_INVALID,
                        "archive: context or result is NULL");
    archive = ub__calloc(context, 1, sizeof *archive);
    if (archive == NULL)
        return UB_ERR_NOMEM;
    archive->context = context;
    *out = archive;
    return UB_OK;
}

void ub_archive_destroy(ub_archive **archive)
{
    ub_archive *gone;

    if (archive == NULL || *archive == NULL)
        return;
    gone = *archive;
    *archive = NULL;
    for (size_t i = 0; i < gone->entries_n; i++) {
        ub__free(gone->context, gone->entries[i].name);
        ub_tensor_unref(&gone->entries[i].tensor);
    }
    for (size_t i = 0; i < gone->texts_n; i++) {
        ub__free(gone->context, gone->texts[i].key);
        ub__free(gone->context, gone->texts[i].text);
    }
    ub__free(gone->context, gone->entries);
    ub__free(gone->context, gone->texts);
    ub__free(gone->context, gone);
}

ub_status ub_archive_add(ub_archive *archive, const char *name,
                         ub_tensor *tensor)
{
    if (archive == NULL)
        return UB_ERR_INVALID;
    if (name == NULL || tensor == NULL)
        return ub__fail(archive->context, UB_ERR_INVALID,
                        "archive: name or tensor is NULL");
    if (name[0] == '\0' || strcmp(name, UB__ARCHIVE_METADATA) == 0)
        return ub__fail(archive->context, UB_ERR_INVALID,
                        "archive: a tensor cannot be named \"%s\"", name);
    if (!is_utf8(name))
        return ub__fail(archive->context, UB_ERR_INVALID,
                        "archive: a tensor's name is not UTF-8");
    if (ub_archive_find(archive, name) != NULL)
        return ub__fail(archive->context, UB_ERR_INVALID,
                        "archive: the name \"%s\" is in use", name);
    return ub__archive_append(archive, name, tensor);
}

ub_status ub_archive_set_text(ub_archive *archive, const char *key,
                              const char *text)
{
    ub_status status = UB_OK;
    size_t at;
    char *copy;

    if (archive == NULL)
        return UB_ERR_INVALID;
    if (key == NULL || text == NULL || !is_utf8(key) || !is_utf8(text))
        return ub__fail(archive->context, UB_ERR_INVALID,
                        "archive: a key or text is NULL or not UTF-8");
    copy = ub__strdup(archive->context, text);
    if (copy == NULL)
        return UB_ERR_NOMEM;
    at = text_index(archive, key);
    if (text_is(archive, at, key)) {
        ub__free(archive->context, archive->texts[at].text);
        archive->texts[at].text = copy;
    } else {
        status = insert_text(archive, at, key, copy);
    }
    if (status != UB_OK)
        ub__free(archive->context, copy);
    return status;
}

int64_t ub_archive_count(const ub_archive *archive)
{
    return (int64_t) archive->entries_n;
}

const char *ub_archive_name(const ub_archive *archive, int64_t index)
{
    if (index < 0 || (uint64_t) index >= archive->entries_n)
        return NULL;
    return archive->entries[index].name;
}

ub_tensor *ub_archive_find(const ub_archive *archive, const char *name)
{
    for (size_t i = 0; i < archive->entries_n; i++) {
        if (strcmp(archive->entries[i].name, name) == 0)
            return archive->entries[i].tensor;
    }
    return NULL;
}

const char *ub_archive_text(const ub_archive *archive, const char *key)
{
    size_t at = text_index(archive, key);

    return text_is(archive, at, key) ? archive->texts[at].text : NULL;
}
