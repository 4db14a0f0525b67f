/* SPDX-License-Identifier: BSD-2-Clause */
#include "hwbench/hwbench.h"

#include <math.h>
#include <string.h>
#include <zlib.h>

/*
 * The binary table: a header, a record for each column, the values. Everything
 * is in the byte order of the machine that wrote it, which the header tells;
 * the values begin at a multiple of eight, so that they are used where they
 * are mapped.
 */
#define MAGIC   "UBHWTAB"
#define VERSION 1
#define ORDER   0x01020304

typedef struct header {
    char magic[8];
    uint32_t version, order;
    uint64_t size; /* of the file */
    uint32_t columns;
    uint32_t checksum; /* CRC-32 of the file with 0 here */
    uint64_t reserved[4];
} header;

typedef struct record {
    char name[UB_HWBENCH_NAME];
    char unit[UB__HWBENCH_UNIT];
    int32_t space, dataset, direction, reserved;
    uint64_t offset, n; /* of the values, from the beginning of the file */
    uint64_t reserved2[2];
} record;

static uint32_t checksum_of(const void *data, size_t size)
{
    const Bytef *bytes = data;
    uLong crc;
    header h;

    memcpy(&h, bytes, sizeof(h));
    h.checksum = 0;
    crc = crc32(0, (const Bytef *) &h, sizeof(h));
    bytes += sizeof(h);
    size -= sizeof(h);
    while (size > 0) {
        const uInt part = size < 1 << 30 ? (uInt) size : 1 << 30;

        crc = crc32(crc, bytes, part);
        bytes += part;
        size -= part;
    }
    return (uint32_t) crc;
}

/* -- writing --------------------------------------------------------------- */

static int is_written(const ub__column *column)
{
    return column->source == UB_HWBENCH_TABLE ||
           column->source == UB_HWBENCH_APPENDED;
}

static size_t file_size(const ub_hwbench *const *benches, int64_t n,
                        uint32_t *columns)
{
    size_t size = sizeof(header);

    *columns = 0;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t k = 0; k < benches[i]->n_columns; k++) {
            if (!is_written(&benches[i]->columns[k]))
                continue;
            size += sizeof(record) + (size_t) benches[i]->rows * sizeof(double);
            ++*columns;
        }
    }
    return size;
}

/* A record and its values; returns where the next values go. */
static size_t put_column(const ub_hwbench *bench, const ub__column *column,
                         unsigned char *data, size_t place, size_t offset)
{
    const size_t bytes = (size_t) bench->rows * sizeof(double);
    record r;

    memset(&r, 0, sizeof(r));
    memcpy(r.name, column->name, sizeof(r.name));
    memcpy(r.unit, column->unit, sizeof(r.unit));
    r.space = bench->space;
    r.dataset = column->dataset;
    r.direction = column->direction;
    r.offset = offset;
    r.n = (uint64_t) bench->rows;
    memcpy(data + place, &r, sizeof(r));
    memcpy(data + offset, column->values, bytes);
    return offset + bytes;
}

static void put_file(const ub_hwbench *const *benches, int64_t n,
                     uint32_t columns, unsigned char *data, size_t size)
{
    header h = { .magic = MAGIC,
                 .version = VERSION,
                 .order = ORDER,
                 .size = size,
                 .columns = columns };
    size_t place = sizeof(h);
    size_t offset = sizeof(h) + columns * sizeof(record);

    memcpy(data, &h, sizeof(h));
    for (int64_t i = 0; i < n; i++) {
        for (int64_t k = 0; k < benches[i]->n_columns; k++) {
            const ub__column *column = &benches[i]->columns[k];

            if (!is_written(column))
                continue;
            offset = put_column(benches[i], column, data, place, offset);
            place += sizeof(record);
        }
    }
    h.checksum = checksum_of(data, size);
    memcpy(data, &h, sizeof(h));
}

/* -- reading --------------------------------------------------------------- */

static ub_status check_header(ub_context *context, const char *path,
                              const ub__mapping *file, header *out)
{
    header h;

    memcpy(&h, file->data, sizeof(h));
    if (h.order != ORDER)
        return ub__fail(context, UB_ERR_UNSUPPORTED,
                        "%s: written on a machine with another byte order",
                        path);
    if (h.version != VERSION)
        return ub__fail(context, UB_ERR_UNSUPPORTED,
                        "%s: version %lu of the format, not %d", path,
                        (unsigned long) h.version, VERSION);
    if (h.size != file->size)
        return ub__fail(context, UB_ERR_FORMAT,
                        "%s: has %zu bytes, should have %llu", path, file->size,
                        (unsigned long long) h.size);
    if (h.checksum != checksum_of(file->data, file->size))
        return ub__fail(context, UB_ERR_FORMAT, "%s: wrong checksum", path);
    if (h.columns > (file->size - sizeof(h)) / sizeof(record))
        return ub__fail(context, UB_ERR_FORMAT, "%s: no room for %lu columns",
                        path, (unsigned long) h.columns);
    *out = h;
    return UB_OK;
}

static int is_text(const char *text, size_t size, int may_be_empty)
{
    const char *end = memchr(text, '\0', size);

    if (end == NULL)
        return 0;
    return (may_be_empty && end == text) ||
           ub__hwbench_is_name(text, (size_t) (end - text), size);
}

/* Values begin behind all records. */
static int is_record(const ub_hwbench *bench, const ub__mapping *file,
                     uint32_t columns, const record *r)
{
    const uint64_t first = sizeof(header) + columns * sizeof(*r);
    const uint64_t bytes = (uint64_t) bench->rows * sizeof(double);

    return is_text(r->name, sizeof(r->name), 0) &&
           is_text(r->unit, sizeof(r->unit), 1) &&
           ub__hwbench_has_dataset(bench->space, r->dataset) &&
           (r->direction == UB_MINIMIZE || r->direction == UB_MAXIMIZE) &&
           r->n == (uint64_t) bench->rows && r->offset >= first &&
           bytes <= file->size && r->offset <= file->size - bytes &&
           r->offset % sizeof(double) == 0;
}

static int has_infinity(const double *values, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        if (isinf(values[i]))
            return 1;
    }
    return 0;
}

/* A closed form may fill holes: then the values cannot stay where they are. */
static ub_status add_record(ub_hwbench *bench, const char *path,
                            const record *r)
{
    const double *values = (const double *) (const void *) ((const char *) bench
                                                                ->mapping.data +
                                                            r->offset);
    const size_t n = (size_t) bench->rows;
    const int64_t old = ub_hwbench_find(bench, r->dataset, r->name);
    ub__hwbench_new column = { .name = r->name,
                               .unit = r->unit,
                               .dataset = r->dataset,
                               .direction = r->direction,
                               .source = UB_HWBENCH_TABLE,
                               .mapped = values };

    if (!ub__hwbench_is_free(bench, r->dataset, r->name))
        return ub__fail(bench->context, UB_ERR_FORMAT,
                        "%s: there are two columns '%s'", path, r->name);
    if (has_infinity(values, bench->rows))
        return ub__fail(bench->context, UB_ERR_FORMAT,
                        "%s: a value of '%s' is infinite", path, r->name);
    if (old >= 0 && bench->columns[old].values != NULL) {
        column.mapped = NULL;
        column.owned = ub__alloc(bench->context, n, sizeof(double));
        if (column.owned == NULL)
            return UB_ERR_NOMEM;
        memcpy(column.owned, values, n * sizeof(double));
    }
    ub__hwbench_add(bench, &column);
    return UB_OK;
}

static ub_status add_records(ub_hwbench *bench, const char *path,
                             uint32_t columns)
{
    const char *at = (const char *) bench->mapping.data + sizeof(header);
    int found = 0;

    for (uint32_t i = 0; i < columns; i++, at += sizeof(record)) {
        record r;
        ub_status status;

        memcpy(&r, at, sizeof(r));
        if (r.space != bench->space &&
            (r.space == UB_HWBENCH_FBNET || r.space == UB_HWBENCH_NASBENCH201))
            continue;
        if (r.space != bench->space ||
            !is_record(bench, &bench->mapping, columns, &r))
            return ub__fail(bench->context, UB_ERR_FORMAT,
                            "%s: column %lu makes no sense", path,
                            (unsigned long) i);
        found = 1;
        status = ub__hwbench_reserve(bench, 1);
        if (status == UB_OK)
            status = add_record(bench, path, &r);
        if (status != UB_OK)
            return status;
    }
    if (!found)
        return ub__hwbench_fail_absent(bench, path);
    ub__hwbench_count_products(bench);
    return UB_OK;
}

int ub__hwbench_is_table(const void *data, size_t size)
{
    return size >= sizeof(header) && memcmp(data, MAGIC, sizeof(MAGIC)) == 0;
}

ub_status ub__hwbench_read_table(ub_hwbench *bench, const char *path)
{
    header h = { .columns = 0 };
    ub_status status = check_header(bench->context, path, &bench->mapping, &h);

    if (status != UB_OK)
        return status;
    return add_records(bench, path, h.columns);
}

ub_status ub_hwbench_write(const ub_hwbench *const *benches, int64_t n,
                           const char *path)
{
    ub_context *context;
    unsigned char *data;
    uint32_t columns;
    size_t size;
    ub_status status;

    if (benches == NULL || n < 1 || benches[0] == NULL)
        return UB_ERR_INVALID;
    context = benches[0]->context;
    if (path == NULL || n > 2 ||
        (n == 2 &&
         (benches[1] == NULL || benches[0]->space == benches[1]->space)))
        return ub__fail(context, UB_ERR_INVALID,
                        "hwbench: no path, or not one table of each space");
    size = file_size(benches, n, &columns);
    data = ub__alloc(context, size, 1);
    if (data == NULL)
        return UB_ERR_NOMEM;
    put_file(benches, n, columns, data, size);
    status = ub__file_write(context, path, data, size);
    ub__free(context, data);
    return status;
}
