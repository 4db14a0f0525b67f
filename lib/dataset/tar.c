/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataset/dataset.h"

#include <string.h>

#define BLOCK      512
#define MAX_NUMBER 10000 /* members of an archive */

/* -- gzip ------------------------------------------------------------------ */

ub_status ub__input_open(ub__input *input, ub_context *context,
                         const char *path)
{
    memset(input, 0, sizeof *input);
    input->context = context;
    input->left = -1;
    input->file = ub__is_folder(path) ? NULL : gzopen(path, "rbe");
    if (!input->file)
        return ub__fail(context, UB_ERR_IO, "cannot be opened for reading");
    gzbuffer(input->file, 1 << 17);
    return UB_OK;
}

void ub__input_close(ub__input *input)
{
    if (input->file)
        gzclose_r(input->file);
    input->file = NULL;
}

int64_t ub__input_offset(const ub__input *input)
{
    return input->read - input->start;
}

/* What zlib has to say after a read that fell short. */
static ub_status gzip_error(const ub__input *input)
{
    int code = Z_OK;
    gzerror(input->file, &code);
    switch (code) {
    case Z_OK:
    case Z_STREAM_END: return UB_OK;
    case Z_MEM_ERROR:
        return ub__fail(input->context, UB_ERR_NOMEM,
                        "out of memory while decompressing");
    case Z_ERRNO:
        return ub__fail(input->context, UB_ERR_IO, "byte %lld: reading failed",
                        (long long) input->read);
    case Z_BUF_ERROR:
        return ub__fail(input->context, UB_ERR_FORMAT,
                        "byte %lld: the compressed data is truncated",
                        (long long) input->read);
    default:
        return ub__fail(input->context, UB_ERR_FORMAT,
                        "byte %lld: the compressed data is damaged",
                        (long long) input->read);
    }
}

ub_status ub__input_read(ub__input *input, void *data, size_t size,
                         size_t *out_got)
{
    size_t want = size;
    if (input->left >= 0 && (uint64_t) input->left < want)
        want = (size_t) input->left;
    size_t got = 0;
    while (got < want) {
        size_t rest = want - got;
        unsigned part = rest < ((size_t) 1 << 30) ? (unsigned) rest : 1U << 30;
        int n = gzread(input->file, (char *) data + got, part);
        if (n > 0) {
            got += (size_t) n;
            input->read += n;
        }
        if (n < (int) part) {
            ub_status status = gzip_error(input);
            if (status)
                return status;
            break;
        }
    }
    if (input->left >= 0) {
        if (got < want)
            return ub__fail(input->context, UB_ERR_FORMAT,
                            "byte %lld: end of the archive, expected %lld more "
                            "bytes of this file",
                            (long long) ub__input_offset(input),
                            (long long) input->left - (long long) got);
        input->left -= (int64_t) got;
    }
    if (input->read > UB__MAX_FILE_BYTES)
        return ub__fail(input->context, UB_ERR_RANGE,
                        "more than %lld bytes uncompressed",
                        (long long) UB__MAX_FILE_BYTES);
    *out_got = got;
    return UB_OK;
}

ub_status ub__input_exact(ub__input *input, void *data, size_t size,
                          const char *what)
{
    size_t got = 0;
    int64_t offset = ub__input_offset(input);
    ub_status status = ub__input_read(input, data, size, &got);
    if (!status && got < size)
        status = ub__fail(input->context, UB_ERR_FORMAT,
                          "byte %lld: end of file, expected %zu bytes of %s",
                          (long long) offset + (long long) got, size, what);
    return status;
}

ub_status ub__input_drain(ub__input *input)
{
    char block[8 * BLOCK];
    size_t got = 0;
    do {
        ub_status status = ub__input_read(input, block, sizeof block, &got);
        if (status)
            return status;
    } while (got == sizeof block);
    return UB_OK;
}

/* -- tar ------------------------------------------------------------------- */

/* An octal field; -1 when it is none. */
static int64_t octal(const unsigned char *field, int size)
{
    int64_t value = 0;
    int i = 0;
    while (i < size && field[i] == ' ')
        i++;
    int digits = 0;
    for (; i < size && field[i] >= '0' && field[i] <= '7'; i++, digits++)
        value = value * 8 + (field[i] - '0');
    if (!digits || (i < size && field[i] != ' ' && field[i] != 0))
        return -1;
    return value;
}

/* Sum of the header's bytes, its own field taken as spaces. */
static int64_t checksum(const unsigned char header[BLOCK])
{
    int64_t sum = 0;
    for (int i = 0; i < BLOCK; i++)
        sum += i >= 148 && i < 156 ? ' ' : header[i];
    return sum;
}

static int all_zero(const unsigned char header[BLOCK])
{
    for (int i = 0; i < BLOCK; i++) {
        if (header[i])
            return 0;
    }
    return 1;
}

typedef struct member {
    char name[101]; /* without its folders */
    int64_t size;
    int regular;
} member;

static void base_name(const unsigned char header[BLOCK], char name[101])
{
    char full[101];
    memcpy(full, header, 100);
    full[100] = 0;
    const char *slash = strrchr(full, '/');
    snprintf(name, 101, "%s", slash ? slash + 1 : full);
}

static ub_status parse_header(ub__input *input,
                              const unsigned char header[BLOCK], member *out)
{
    long long at = (long long) input->read - BLOCK;
    int64_t expected = octal(header + 148, 8);
    if (expected < 0 || expected != checksum(header))
        return ub__fail(input->context, UB_ERR_FORMAT,
                        "byte %lld: no tar header: checksum %lld, expected "
                        "%lld",
                        at, (long long) expected, (long long) checksum(header));
    int64_t size = octal(header + 124, 12);
    if (size < 0 || size > UB__MAX_FILE_BYTES)
        return ub__fail(input->context, UB_ERR_FORMAT,
                        "byte %lld: size of a file in a tar header, expected "
                        "an octal number up to 2^32",
                        at + 124);
    char type = (char) header[156];
    base_name(header, out->name);
    out->regular = type == '0' || type == '7' || type == 0;
    /* Folders and links have no data, whatever their size field says. */
    int data = out->regular || type == 'x' || type == 'g' || type == 'L' ||
               type == 'K';
    out->size = data ? size : 0;
    return UB_OK;
}

/* Behind the current member and its padding. */
static ub_status skip_rest(ub__input *input, int64_t size)
{
    input->left += (BLOCK - size % BLOCK) % BLOCK;
    ub_status status = ub__input_drain(input);
    input->left = -1;
    input->start = 0;
    return status;
}

static ub_status walk(ub__input *input, ub__member_fn fn, void *arg)
{
    for (int number = 0; number < MAX_NUMBER; number++) {
        unsigned char header[BLOCK];
        ub_status status = ub__input_exact(input, header, BLOCK,
                                           "a tar header");
        if (status)
            return status;
        /* To the very end, so that gzip's checksum is seen. */
        if (all_zero(header))
            return ub__input_drain(input);
        member found;
        status = parse_header(input, header, &found);
        if (status)
            return status;
        input->start = input->read;
        input->left = found.size;
        if (found.regular) {
            status = fn(arg, found.name, input);
            if (status)
                return ub__fail_within(input->context, status, "%s",
                                       found.name);
        }
        status = skip_rest(input, found.size);
        if (status)
            return ub__fail_within(input->context, status, "%s", found.name);
    }
    return ub__fail(input->context, UB_ERR_RANGE, "more than %d files in it",
                    MAX_NUMBER);
}

ub_status ub__tar_walk(ub_context *context, const char *path, ub__member_fn fn,
                       void *arg)
{
    ub__input input;
    ub_status status = ub__input_open(&input, context, path);
    if (!status)
        status = walk(&input, fn, arg);
    ub__input_close(&input);
    if (status)
        return ub__fail_within(context, status, "%s", path);
    return UB_OK;
}
