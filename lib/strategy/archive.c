/* SPDX-License-Identifier: BSD-2-Clause */
#include "strategy/ask.h"

#include <string.h>
#include <zlib.h>

/* A state file: magic, length and checksum of the rest, the rest; numbers are
 * little-endian. */
static const char magic[8] = { 'U', 'B', 's', 't', 'a', 't', 'e', '1' };

#define HEADER 20
#define LIMIT  ((size_t) UINT32_MAX)

void ub__archive_refuse(ub__archive *a, const char *why)
{
    if (a->status == UB_OK)
        a->status = ub__fail(a->context, UB_ERR_FORMAT, "%s: byte %zu: %s",
                             a->path, a->at, why);
}

void ub__archive_expect(ub__archive *a, int64_t n, int64_t bytes)
{
    if (a->status == UB_OK && n > (int64_t) (a->size - a->at) / bytes)
        ub__archive_refuse(a, "more is announced than there is");
}

static int room(ub__archive *a, size_t n)
{
    size_t capacity;
    uint8_t *data;

    if (a->status != UB_OK)
        return 0;
    if (!a->writing) {
        if (n > a->size - a->at)
            ub__archive_refuse(a, "the file ends too early");
        return a->status == UB_OK;
    }
    if (n > LIMIT - HEADER - a->at) {
        a->status = ub__fail(a->context, UB_ERR_RANGE,
                             "%s: a state of more than 4 GiB", a->path);
        return 0;
    }
    if (n <= a->capacity - a->at)
        return 1;
    capacity = 2 * (a->at + n) + 256;
    data = ub__realloc(a->context, a->data, a->capacity, capacity, 1);
    if (data == NULL) {
        a->status = UB_ERR_NOMEM;
        return 0;
    }
    a->data = data;
    a->capacity = capacity;
    return 1;
}

static void put(ub__archive *a, uint64_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        a->data[a->at++] = (uint8_t) (value >> 8 * i);
}

static uint64_t get(ub__archive *a, int bytes)
{
    uint64_t value = 0;

    for (int i = 0; i < bytes; i++)
        value |= (uint64_t) a->data[a->at++] << 8 * i;
    return value;
}

static void number(ub__archive *a, uint64_t *value, int bytes)
{
    if (!room(a, (size_t) bytes))
        return;
    if (a->writing)
        put(a, *value, bytes);
    else
        *value = get(a, bytes);
}

void ub__archive_int64(ub__archive *a, int64_t *values, int64_t n, int64_t low,
                       int64_t high)
{
    for (int64_t i = 0; i < n; i++) {
        uint64_t bits = (uint64_t) values[i];

        number(a, &bits, 8);
        if (a->status != UB_OK)
            return;
        if ((int64_t) bits < low || (int64_t) bits > high)
            ub__archive_refuse(a, "a number is out of its range");
        else
            values[i] = (int64_t) bits;
    }
}

void ub__archive_int32(ub__archive *a, int32_t *values, int64_t n, int64_t low,
                       int64_t high)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t value = values[i];

        ub__archive_int64(a, &value, 1, low, high);
        values[i] = (int32_t) value;
    }
}

void ub__archive_bytes(ub__archive *a, uint8_t *values, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        uint64_t bits = values[i];

        number(a, &bits, 1);
        values[i] = (uint8_t) bits;
    }
}

void ub__archive_doubles(ub__archive *a, double *values, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        uint64_t bits;

        memcpy(&bits, &values[i], sizeof(bits));
        number(a, &bits, 8);
        memcpy(&values[i], &bits, sizeof(bits));
    }
}

void ub__archive_rng(ub__archive *a, ub_rng *rng)
{
    for (int i = 0; i < 4; i++)
        number(a, &rng->state[i], 8);
    if ((rng->state[0] | rng->state[1] | rng->state[2] | rng->state[3]) == 0)
        ub__archive_refuse(a, "random numbers without a state");
}

static uint32_t checksum(const uint8_t *data, size_t size)
{
    return (uint32_t) crc32_z(crc32_z(0, NULL, 0), data, size);
}

static ub_status write_all(ub__archive *a, ub__writer *writer)
{
    uint8_t header[HEADER];
    ub__archive head = { .context = a->context,
                         .data = header,
                         .capacity = sizeof(header),
                         .writing = 1 };
    ub_status status;

    memcpy(header, magic, sizeof(magic));
    head.at = sizeof(magic);
    put(&head, a->at, 8);
    put(&head, checksum(a->data, a->at), 4);
    status = ub__writer_put(writer, header, sizeof(header));
    return status != UB_OK ? status : ub__writer_put(writer, a->data, a->at);
}

ub_status ub__archive_write(ub__archive *a)
{
    ub__writer *writer = NULL;
    ub_status status = a->status;

    if (status == UB_OK)
        status = ub__writer_open(a->context, a->path, &writer);
    if (status == UB_OK)
        status = write_all(a, writer);
    if (status == UB_OK)
        status = ub__writer_commit(&writer);
    ub__writer_abort(&writer);
    ub__free(a->context, a->data);
    a->data = NULL;
    return status;
}

static void check_header(ub__archive *a)
{
    if (a->size < HEADER || memcmp(a->data, magic, sizeof(magic)) != 0) {
        ub__archive_refuse(a, "not the state of a strategy");
        return;
    }
    a->at = sizeof(magic);
    if (get(a, 8) != a->size - HEADER)
        ub__archive_refuse(a, "the length is not as the file says");
    else if (get(a, 4) != checksum(a->data + HEADER, a->size - HEADER))
        ub__archive_refuse(a, "the checksum does not fit");
}

ub_status ub__archive_open(ub_context *context, const char *path,
                           ub__archive *out)
{
    ub__archive a = { .context = context, .path = path };
    void *data;
    ub_status status = ub__file_read(context, path, LIMIT, &data, &a.size);

    if (status != UB_OK)
        return status;
    a.data = data;
    check_header(&a);
    if (a.status != UB_OK)
        ub__free(context, data);
    else
        *out = a;
    return a.status;
}

ub_status ub__archive_close(ub__archive *a)
{
    if (a->status == UB_OK && a->at != a->size)
        ub__archive_refuse(a, "there is more than a state");
    ub__free(a->context, a->data);
    a->data = NULL;
    return a->status;
}
