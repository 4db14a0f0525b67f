/* SPDX-License-Identifier: BSD-2-Clause */
#include "tensor/archive.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Where and what one tensor is, as its header entry says. */
struct item {
    const char *name; /* owned by the header */
    int64_t begin, end;
    int rank;
    int64_t shape[UB_TENSOR_MAX_RANK];
};

struct reader {
    ub_context *context;
    const char *path;
    const unsigned char *data; /* behind the header */
    uint64_t data_size;
    json_t *header;
    struct item *items;
    size_t items_n;
};

static ub_status fail(const struct reader *reader, ub_status status,
                      const char *name, const char *what)
{
    return ub__fail(reader->context, status, "%s: tensor \"%.60s\": %s",
                    reader->path, name, what);
}

/* Splits the file into its header, parsed, and its data. */
static ub_status parse_header(struct reader *reader, const unsigned char *bytes,
                              size_t size)
{
    uint64_t length = 0;
    ub_status status;

    if (size < 8)
        return ub__fail(reader->context, UB_ERR_FORMAT,
                        "%s: %zu bytes are too few for a safetensors file",
                        reader->path, size);
    for (int i = 0; i < 8; i++)
        length |= (uint64_t) bytes[i] << (8 * i);
    if (length > UB__ARCHIVE_HEADER_MAX || length > size - 8)
        return ub__fail(reader->context, UB_ERR_FORMAT,
                        "%s: a header of %" PRIu64 " bytes in a file of %zu",
                        reader->path, length, size);
    if (length == 0 || bytes[8] != '{')
        return ub__fail(reader->context, UB_ERR_FORMAT,
                        "%s: the header does not begin with {", reader->path);
    status = ub__json_parse(reader->context, reader->path,
                            (const char *) bytes + 8, (size_t) length,
                            &reader->header);
    if (status != UB_OK)
        return status;
    reader->data = bytes + 8 + length;
    reader->data_size = size - 8 - length;
    return UB_OK;
}

static ub_status read_metadata(const struct reader *reader, ub_archive *archive)
{
    json_t *texts = json_object_get(reader->header, UB__ARCHIVE_METADATA);
    const char *key;
    json_t *text;

    if (texts == NULL)
        return UB_OK;
    if (!json_is_object(texts))
        return ub__fail(reader->context, UB_ERR_FORMAT,
                        "%s: the metadata is not an object", reader->path);
    json_object_foreach(texts, key, text)
    {
        ub_status status;

        if (!json_is_string(text))
            return ub__fail(reader->context, UB_ERR_FORMAT,
                            "%s: metadata \"%.60s\" is not a text",
                            reader->path, key);
        status = ub_archive_set_text(archive, key, json_string_value(text));
        if (status != UB_OK)
            return status;
    }
    return UB_OK;
}

/* Extents of at least 1; anything else no tensor of ours can hold. */
static ub_status read_shape(const struct reader *reader, const json_t *shape,
                            struct item *item)
{
    size_t rank = json_array_size(shape);

    if (!json_is_array(shape))
        return fail(reader, UB_ERR_FORMAT, item->name, "no shape");
    for (size_t i = 0; i < rank; i++) {
        const json_t *extent = json_array_get(shape, i);

        if (!json_is_integer(extent) || json_integer_value(extent) < 0)
            return fail(reader, UB_ERR_FORMAT, item->name,
                        "an extent is no whole number");
        if (json_integer_value(extent) == 0 || rank > UB_TENSOR_MAX_RANK)
            return fail(reader, UB_ERR_UNSUPPORTED, item->name,
                        "empty, or of too high a rank");
        item->shape[i] = json_integer_value(extent);
    }
    item->rank = (int) rank;
    return UB_OK;
}

static ub_status read_offsets(const struct reader *reader,
                              const json_t *offsets, struct item *item)
{
    const json_t *begin = json_array_get(offsets, 0);
    const json_t *end = json_array_get(offsets, 1);
    int64_t bytes = 4;

    if (json_array_size(offsets) != 2 || !json_is_integer(begin) ||
        !json_is_integer(end))
        return fail(reader, UB_ERR_FORMAT, item->name, "no data_offsets");
    item->begin = json_integer_value(begin);
    item->end = json_integer_value(end);
    if (item->begin < 0 || item->end < item->begin ||
        (uint64_t) item->end > reader->data_size)
        return fail(reader, UB_ERR_FORMAT, item->name,
                    "data_offsets outside the file");
    for (int i = 0; i < item->rank; i++) {
        if (!ub__mul_int64(bytes, item->shape[i], &bytes))
            return fail(reader, UB_ERR_FORMAT, item->name, "shape too large");
    }
    if (bytes != item->end - item->begin)
        return fail(reader, UB_ERR_FORMAT, item->name,
                    "shape and data_offsets differ");
    return UB_OK;
}

static ub_status read_item(const struct reader *reader, const char *name,
                           const json_t *entry, struct item *item)
{
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    ub_status status;

    item->name = name;
    if (name[0] == '\0')
        return fail(reader, UB_ERR_FORMAT, name, "no name");
    if (dtype == NULL || json_object_size(entry) != 3)
        return fail(reader, UB_ERR_FORMAT, name,
                    "expected dtype, shape and data_offsets");
    if (strcmp(dtype, "F32") != 0)
        return fail(reader, UB_ERR_UNSUPPORTED, name, "a type other than F32");
    status = read_shape(reader, json_object_get(entry, "shape"), item);
    if (status != UB_OK)
        return status;
    return read_offsets(reader, json_object_get(entry, "data_offsets"), item);
}

static int compare_items(const void *a, const void *b)
{
    const struct item *first = a, *second = b;

    return (first->begin > second->begin) - (first->begin < second->begin);
}

/* In file order: each begins where the one before ends, and so the file. */
static ub_status check_order(const struct reader *reader)
{
    int64_t end = 0;

    for (size_t i = 0; i < reader->items_n; i++) {
        if (reader->items[i].begin != end)
            return fail(reader, UB_ERR_FORMAT, reader->items[i].name,
                        "a gap before it, or an overlap");
        end = reader->items[i].end;
    }
    if ((uint64_t) end != reader->data_size)
        return ub__fail(reader->context, UB_ERR_FORMAT,
                        "%s: %" PRIu64 " bytes of data, expected %" PRId64,
                        reader->path, reader->data_size, end);
    return UB_OK;
}

static ub_status read_items(struct reader *reader)
{
    const char *name;
    json_t *entry;

    reader->items = ub__calloc(reader->context,
                               json_object_size(reader->header),
                               sizeof *reader->items);
    if (reader->items == NULL)
        return UB_ERR_NOMEM;
    json_object_foreach(reader->header, name, entry)
    {
        ub_status status;

        if (strcmp(name, UB__ARCHIVE_METADATA) == 0)
            continue;
        status = read_item(reader, name, entry,
                           &reader->items[reader->items_n++]);
        if (status != UB_OK)
            return status;
    }
    qsort(reader->items, reader->items_n, sizeof *reader->items, compare_items);
    return check_order(reader);
}

static void get_floats(const unsigned char *bytes, int64_t count, float *out)
{
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits = 0;

        for (int k = 0; k < 4; k++)
            bits |= (uint32_t) bytes[4 * i + k] << (8 * k);
        memcpy(&out[i], &bits, sizeof bits);
    }
}

static ub_status read_tensor(const struct reader *reader,
                             const struct item *item, ub_archive *archive)
{
    ub_tensor *tensor;
    ub_status status;

    status = ub__tensor_create_raw(reader->context, item->rank, item->shape,
                                   &tensor);
    if (status != UB_OK)
        return status;
    get_floats(reader->data + item->begin, ub_tensor_count(tensor),
               ub_tensor_data(tensor));
    status = ub__archive_append(archive, item->name, tensor);
    ub_tensor_unref(&tensor);
    return status;
}

static ub_status read_all(struct reader *reader, const unsigned char *bytes,
                          size_t size, ub_archive *archive)
{
    ub_status status = parse_header(reader, bytes, size);

    if (status == UB_OK)
        status = read_metadata(reader, archive);
    if (status == UB_OK)
        status = read_items(reader);
    for (size_t i = 0; i < reader->items_n && status == UB_OK; i++)
        status = read_tensor(reader, &reader->items[i], archive);
    return status;
}

ub_status ub_archive_read(ub_context *context, const char *path,
                          ub_archive **out)
{
    struct reader reader = { .context = context, .path = path };
    ub_archive *archive = NULL;
    void *bytes = NULL;
    size_t size = 0;
    ub_status status;

    if (context == NULL || path == NULL || out == NULL)
        return ub__fail(context, UB_ERR_INVALID,
                        "archive: context, path or result is NULL");
    status = ub_archive_create(context, &archive);
    if (status == UB_OK)
        status = ub__file_read(context, path, SIZE_MAX, &bytes, &size);
    if (status == UB_OK)
        status = read_all(&reader, bytes, size, archive);
    json_decref(reader.header);
    ub__free(context, reader.items);
    ub__free(context, bytes);
    if (status != UB_OK)
        ub_archive_destroy(&archive);
    else
        *out = archive;
    return status;
}
