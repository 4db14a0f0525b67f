/* SPDX-License-Identifier: BSD-2-Clause */
#include "tensor/archive.h"

#include <string.h>

#define CHUNK 1024

/* {"dtype": "F32", "shape": [...], "data_offsets": [begin, end]} */
static json_t *describe(const ub_tensor *tensor, int64_t begin)
{
    return json_pack(
        "{s:s, s:o, s:[I, I]}", "dtype", "F32", "shape",
        ub__json_integers(ub_tensor_shape(tensor), ub_tensor_rank(tensor)),
        "data_offsets", (json_int_t) begin,
        (json_int_t) (begin + 4 * ub_tensor_count(tensor)));
}

static int add_metadata(const ub_archive *archive, json_t *root)
{
    json_t *texts;

    if (archive->texts_n == 0)
        return 1;
    texts = json_object();
    if (json_object_set_new(root, UB__ARCHIVE_METADATA, texts) != 0)
        return 0;
    for (size_t i = 0; i < archive->texts_n; i++) {
        const struct ub__archive_text *text = &archive->texts[i];

        if (json_object_set_new(texts, text->key, json_string(text->text)) != 0)
            return 0;
    }
    return 1;
}

/* NULL when out of memory, or past 2^63 bytes. */
static json_t *create_header(const ub_archive *archive)
{
    json_t *root = json_object();
    int64_t offset = 0;

    if (!add_metadata(archive, root))
        goto failed;
    for (size_t i = 0; i < archive->entries_n; i++) {
        const struct ub__archive_entry *entry = &archive->entries[i];
        int64_t bytes = 4 * ub_tensor_count(entry->tensor);

        if (bytes > INT64_MAX - offset ||
            json_object_set_new(root, entry->name,
                                describe(entry->tensor, offset)) != 0)
            goto failed;
        offset += bytes;
    }
    return root;

failed:
    json_decref(root);
    return NULL;
}

/* The length in front, spaces behind to a multiple of 8. */
static ub_status format_header(ub_context *context, const json_t *root,
                               unsigned char **out, size_t *out_size)
{
    size_t flags = JSON_COMPACT;
    size_t used = json_dumpb(root, NULL, 0, flags);
    size_t padded = (used + 7) / 8 * 8;
    unsigned char *header;

    if (used == 0)
        return ub__fail(context, UB_ERR_NOMEM, "archive: out of memory");
    if (padded > UB__ARCHIVE_HEADER_MAX)
        return ub__fail(context, UB_ERR_RANGE,
                        "archive: the header has more than %llu bytes",
                        (unsigned long long) UB__ARCHIVE_HEADER_MAX);
    header = ub__alloc(context, 8 + padded, 1);
    if (header == NULL)
        return UB_ERR_NOMEM;
    for (int i = 0; i < 8; i++)
        header[i] = (unsigned char) ((uint64_t) padded >> (8 * i));
    memset(header + 8, ' ', padded);
    if (json_dumpb(root, (char *) header + 8, used, flags) != used) {
        ub__free(context, header);
        return ub__fail(context, UB_ERR_NOMEM, "archive: out of memory");
    }
    *out = header;
    *out_size = 8 + padded;
    return UB_OK;
}

/* Little-endian on any machine. */
static ub_status put_floats(ub__writer *writer, const float *data,
                            int64_t count)
{
    unsigned char bytes[4 * CHUNK];
    ub_status status = UB_OK;

    for (int64_t i = 0; i < count && status == UB_OK; i += CHUNK) {
        int64_t n = count - i < CHUNK ? count - i : CHUNK;

        for (int64_t j = 0; j < n; j++) {
            uint32_t bits;

            memcpy(&bits, &data[i + j], sizeof bits);
            for (int k = 0; k < 4; k++)
                bytes[4 * j + k] = (unsigned char) (bits >> (8 * k));
        }
        status = ub__writer_put(writer, bytes, 4 * (size_t) n);
    }
    return status;
}

static ub_status put_all(const ub_archive *archive, ub__writer *writer,
                         const unsigned char *header, size_t size)
{
    ub_status status = ub__writer_put(writer, header, size);

    for (size_t i = 0; i < archive->entries_n && status == UB_OK; i++) {
        const ub_tensor *tensor = archive->entries[i].tensor;

        status = put_floats(writer, ub_tensor_data(tensor),
                            ub_tensor_count(tensor));
    }
    return status;
}

ub_status ub_archive_write(const ub_archive *archive, const char *path)
{
    unsigned char *header = NULL;
    ub__writer *writer;
    size_t size = 0;
    json_t *root;
    ub_status status;

    if (archive == NULL)
        return UB_ERR_INVALID;
    if (path == NULL)
        return ub__fail(archive->context, UB_ERR_INVALID,
                        "archive: path is NULL");
    root = create_header(archive);
    if (root == NULL)
        return ub__fail(archive->context, UB_ERR_NOMEM,
                        "archive: out of memory");
    status = format_header(archive->context, root, &header, &size);
    json_decref(root);
    if (status != UB_OK)
        return status;
    status = ub__writer_open(archive->context, path, &writer);
    if (status == UB_OK) {
        status = put_all(archive, writer, header, size);
        if (status == UB_OK)
            status = ub__writer_commit(&writer);
        else
            ub__writer_abort(&writer);
    }
    ub__free(archive->context, header);
    return status;
}
