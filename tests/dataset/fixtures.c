/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixtures.h"

#include <stdio.h>
#include <sys/stat.h>

#include <zlib.h>

/* -- bytes ----------------------------------------------------------------- */

void put(bytes *to, const void *data, size_t size)
{
    to->data = realloc(to->data, to->size + size + 1);
    assert_non_null(to->data);
    if (size)
        memcpy(to->data + to->size, data, size);
    to->size += size;
}

void put_byte(bytes *to, int value)
{
    uint8_t byte = (uint8_t) value;
    put(to, &byte, 1);
}

void put_repeated(bytes *to, int value, size_t times)
{
    size_t from = to->size;
    to->data = realloc(to->data, to->size + times + 1);
    assert_non_null(to->data);
    memset(to->data + from, value, times);
    to->size += times;
}

void put_noise(bytes *to, uint32_t seed, size_t size)
{
    size_t from = to->size;
    put_repeated(to, 0, size);
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1664525U + 1013904223U;
        to->data[from + i] = (uint8_t) (seed >> 24);
    }
}

void clear(bytes *content)
{
    free(content->data);
    content->data = NULL;
    content->size = 0;
}

/* -- tar ------------------------------------------------------------------- */

void fix_checksum(bytes *tar, size_t offset)
{
    uint8_t *header = tar->data + offset;
    memset(header + 148, ' ', 8);
    unsigned sum = 0;
    for (int i = 0; i < 512; i++)
        sum += header[i];
    snprintf((char *) header + 148, 8, "%06o", sum);
}

void put_member(bytes *tar, const char *name, const bytes *content)
{
    size_t offset = tar->size;
    put_repeated(tar, 0, 512);
    char *header = (char *) tar->data + offset;
    snprintf(header, 100, "%s", name);
    memcpy(header + 100, "0000644", 7);
    snprintf(header + 124, 12, "%011lo", (unsigned long) content->size);
    header[156] = '0';
    memcpy(header + 257, "ustar\00000", 8);
    fix_checksum(tar, offset);
    put(tar, content->data, content->size);
    put_repeated(tar, 0, (512 - content->size % 512) % 512);
}

void put_tar_end(bytes *tar)
{
    put_repeated(tar, 0, 1024);
}

/* -- files ----------------------------------------------------------------- */

const char *in_folder(const char *folder, const char *name)
{
    static char paths[16][1024];
    static int next;
    char *path = paths[next++ % 16];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

const char *make_folder(const char *name)
{
    static char paths[32][1024];
    static int next;
    char *path = paths[next++ % 32];
    snprintf(path, sizeof paths[0], "%s", in_folder(test_folder(), name));
    assert_int_equal(mkdir(path, 0755), 0);
    return path;
}

void write_file(const char *path, const bytes *content)
{
    test_file_write(path, content->data, content->size);
}

void write_gzip(const char *path, const bytes *content)
{
    gzFile file = gzopen(path, "wb6");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, content->data, (unsigned) content->size),
                     content->size);
    assert_int_equal(gzclose(file), Z_OK);
}

void read_file(const char *path, bytes *content)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char block[4096];
    for (size_t n; (n = fread(block, 1, sizeof block, file)) > 0;)
        put(content, block, n);
    fclose(file);
}

/* -- PNG ------------------------------------------------------------------- */

static void put_big_endian(bytes *to, uint32_t value)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        put_byte(to, (int) (value >> shift & 255));
}

void put_png_chunk(bytes *to, const char type[5], const bytes *content)
{
    put_big_endian(to, (uint32_t) content->size);
    size_t from = to->size;
    put(to, type, 4);
    put(to, content->data, content->size);
    uLong crc = crc32(0, to->data + from, (uInt) (to->size - from));
    put_big_endian(to, (uint32_t) crc);
}

void put_png(bytes *to, int channels, int height, int width,
             const uint8_t *pixels)
{
    static const int types[5] = { 0, 0, 4, 2, 6 };
    size_t stride = (size_t) (width * channels);
    bytes header = { NULL, 0 };
    put_big_endian(&header, (uint32_t) width);
    put_big_endian(&header, (uint32_t) height);
    put_byte(&header, 8);
    put_byte(&header, types[channels]);
    put_repeated(&header, 0, 3);
    bytes rows = { NULL, 0 };
    for (int y = 0; y < height; y++) {
        put_byte(&rows, 0);
        put(&rows, pixels + (size_t) y * stride, stride);
    }
    bytes data = { NULL, 0 };
    uLongf size = compressBound((uLong) rows.size);
    put_repeated(&data, 0, size);
    assert_int_equal(compress(data.data, &size, rows.data, (uLong) rows.size),
                     Z_OK);
    data.size = size;
    bytes none = { NULL, 0 };
    put(to, "\x89PNG\r\n\x1a\n", 8);
    put_png_chunk(to, "IHDR", &header);
    put_png_chunk(to, "IDAT", &data);
    put_png_chunk(to, "IEND", &none);
    clear(&header);
    clear(&rows);
    clear(&data);
}

/* -- opening --------------------------------------------------------------- */

static ub_status try_open(const char *path, char error[256])
{
    struct test_allocator memory;
    ub_allocator allocator;
    test_allocator_init(&memory, -1, &allocator);
    ub_context_options options;
    ub_context_options_init(&options, sizeof options);
    options.allocator = &allocator;
    ub_context *context = NULL;
    assert_int_equal(ub_context_create(&options, &context), UB_OK);
    ub_dataset *train = NULL;
    ub_dataset *test = NULL;
    ub_status status = ub_dataset_open(context, path, NULL, &train, &test);
    snprintf(error, 256, "%s", ub_context_last_error(context));
    if (status)
        assert_true(train == NULL && test == NULL);
    ub_dataset_destroy(&train);
    ub_dataset_destroy(&test);
    ub_context_destroy(&context);
    assert_int_equal(memory.live, 0);
    return status;
}

void expect_failure(const char *path, ub_status status, const char *expected)
{
    char error[256];
    ub_status got = try_open(path, error);
    if (got != status || !strstr(error, expected))
        fail_msg("status %d and \"%s\", expected %d and \"%s\"", (int) got,
                 error, (int) status, expected);
}

void expect_any_failure(const char *path)
{
    char error[256];
    ub_status status = try_open(path, error);
    assert_int_not_equal(status, UB_OK);
    assert_true(strlen(error) > 0);
}

void open_anyhow(const char *path)
{
    char error[256];
    (void) try_open(path, error);
}

void expect_open(ub_context *context, const char *path, int image_size,
                 ub_dataset **train, ub_dataset **test)
{
    ub_dataset_options options;
    ub_dataset_options_init(&options, sizeof options);
    options.image_size = image_size;
    if (ub_dataset_open(context, path, &options, train, test))
        fail_msg("%s", ub_context_last_error(context));
}

typedef struct sweep {
    const char *path;
    int image_size;
} sweep;

static ub_status open_once(ub_context *context, void *arg)
{
    const sweep *to_open = arg;
    ub_dataset_options options;
    ub_dataset_options_init(&options, sizeof options);
    options.image_size = to_open->image_size;
    options.synthetic_train = 20;
    options.synthetic_test = 10;
    ub_dataset *train = NULL;
    ub_dataset *test = NULL;
    ub_status status = ub_dataset_open(context, to_open->path, &options, &train,
                                       &test);
    if (status)
        assert_true(train == NULL && test == NULL);
    ub_dataset_destroy(&train);
    ub_dataset_destroy(&test);
    return status;
}

void sweep_open(const char *path, int image_size)
{
    sweep arg = { path, image_size };
    assert_survives_oom(open_once, 1, &arg);
}
