/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzz.h"

#include "base/base.h"

#include <stdlib.h>
#include <string.h>
#include <uboost/dataset.h>
#include <unistd.h>

static char path[4096];
static size_t used; /* bytes that are not given back */

/* A block begins with its size, in as many bytes as keep it aligned. */
static void *limited_alloc(size_t bytes, size_t alignment)
{
    void *memory;
    char *block;

    if (bytes > FUZZ_MEMORY || used + bytes > FUZZ_MEMORY ||
        posix_memalign(&memory, alignment, alignment + bytes) != 0)
        return NULL;
    block = memory;
    memcpy(block, &bytes, sizeof(bytes));
    used += bytes;
    return block + alignment;
}

static void limited_free(void *memory, size_t alignment)
{
    char *block = (char *) memory - alignment;
    size_t bytes;

    if (memory == NULL)
        return;
    memcpy(&bytes, block, sizeof(bytes));
    used -= bytes;
    free(block);
}

static void *context_alloc(void *user, size_t bytes, size_t alignment)
{
    (void) user;
    return limited_alloc(bytes, alignment);
}

static void context_free(void *user, void *memory, size_t bytes)
{
    (void) user;
    (void) bytes;
    limited_free(memory, UB__ALIGNMENT);
}

static void *json_alloc(size_t bytes)
{
    return limited_alloc(bytes, 16);
}

static void json_free(void *memory)
{
    limited_free(memory, 16);
}

static void remove_file(void)
{
    unlink(path);
}

static void write_input(const uint8_t *data, size_t size)
{
    FILE *file;
    int fd;

    if (path[0] == '\0') {
        const char *folder = getenv("TMPDIR");

        snprintf(path, sizeof(path), "%s/uboost-fuzz-XXXXXX",
                 folder != NULL ? folder : "/tmp");
        fd = mkstemp(path);
        if (fd < 0)
            abort();
        close(fd);
        atexit(remove_file);
        json_set_alloc_funcs(json_alloc, json_free);
    }
    file = fopen(path, "wb");
    if (file == NULL || fwrite(data, 1, size, file) != size ||
        fclose(file) != 0)
        abort();
}

int fuzz_run(const uint8_t *data, size_t size, fuzz_reader read)
{
    const ub_allocator allocator = { sizeof(allocator), context_alloc,
                                     context_free, NULL };
    ub_context_options options;
    ub_context *context = NULL;
    const double start = ub__seconds();

    if (size > FUZZ_INPUT)
        return -1;
    write_input(data, size);
    ub_context_options_init(&options, sizeof(options));
    options.allocator = &allocator;
    options.threads = 1;
    if (ub_context_create(&options, &context) != UB_OK)
        abort();
    read(context, path);
    ub_context_destroy(&context);
    if (used != 0 || ub__seconds() - start > FUZZ_SECONDS)
        abort();
    return 0;
}

static void check_labels(const ub_dataset *dataset)
{
    if (ub_dataset_count(dataset) < 1)
        abort();
    for (int64_t i = 0; i < ub_dataset_count(dataset); i++) {
        if (ub_dataset_label(dataset, i) < 0 ||
            ub_dataset_label(dataset, i) >= ub_dataset_classes(dataset))
            abort();
    }
}

void fuzz_read_dataset(ub_context *context, const char *at)
{
    ub_dataset *train = NULL, *test = NULL;

    if (ub_dataset_open(context, at, NULL, &train, &test) != UB_OK)
        return;
    check_labels(train);
    check_labels(test);
    ub_dataset_destroy(&train);
    ub_dataset_destroy(&test);
}
