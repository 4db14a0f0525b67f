/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_TESTS_DATASET_FIXTURES_H
#define UBOOST_TESTS_DATASET_FIXTURES_H

#include "support.h"

#include <uboost/dataset.h>

#include <stdlib.h>
#include <string.h>

/* A growing block of bytes. */
typedef struct bytes {
    uint8_t *data;
    size_t size;
} bytes;

void put(bytes *to, const void *data, size_t size);
void put_byte(bytes *to, int value);
void put_repeated(bytes *to, int value, size_t times);
void clear(bytes *content);

/* Pseudo-random bytes that depend on seed alone. */
void put_noise(bytes *to, uint32_t seed, size_t size);

/* A ustar member; name may hold folders. */
void put_member(bytes *tar, const char *name, const bytes *content);
void put_tar_end(bytes *tar);
/* Make the checksum of the header at the offset right again. */
void fix_checksum(bytes *tar, size_t offset);

/* Make a folder of that name in the test's; the path of a file in a folder.
 * Both return one of a few buffers in turn. */
const char *make_folder(const char *name);
const char *in_folder(const char *folder, const char *name);
void write_file(const char *path, const bytes *content);
void write_gzip(const char *path, const bytes *content);
void read_file(const char *path, bytes *content);

/* An 8-bit PNG file; channels: 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA. */
void put_png(bytes *to, int channels, int height, int width,
             const uint8_t *pixels);
void put_png_chunk(bytes *to, const char type[5], const bytes *content);

/* Opening must fail with this status and a text that contains `expected`, and
 * leave nothing behind. */
void expect_failure(const char *path, ub_status status, const char *expected);
/* Opening must fail, whichever way, and leave nothing behind. */
void expect_any_failure(const char *path);
/* Opening may fail or not, but must leave nothing behind. */
void open_anyhow(const char *path);
/* Opening must work; both are to be destroyed. */
void expect_open(ub_context *context, const char *path, int image_size,
                 ub_dataset **train, ub_dataset **test);
/* Let each allocation of opening fail in turn. */
void sweep_open(const char *path, int image_size);

#endif
