/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzz.h"

#include "base/base.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const names[] = { "train-images-idx3-ubyte",
                                     "t10k-images-idx3-ubyte",
                                     "train-labels-idx1-ubyte",
                                     "t10k-labels-idx1-ubyte" };
static char folder[4200];

static void file_path(int file, char out[4300])
{
    snprintf(out, 4300, "%s/%s", folder, names[file]);
}

static void remove_folder(void)
{
    char path[4300];

    for (int i = 0; i < 4; i++) {
        file_path(i, path);
        unlink(path);
    }
    rmdir(folder);
}

static void make_folder(const char *path)
{
    if (folder[0] != '\0')
        return;
    snprintf(folder, sizeof(folder), "%s-idx", path);
    if (mkdir(folder, 0700) != 0)
        abort();
    atexit(remove_folder);
}

static void write_file(int file, const uint8_t *bytes, size_t size)
{
    char path[4300];
    FILE *out;

    file_path(file, path);
    out = fopen(path, "wb");
    if (out == NULL || fwrite(bytes, 1, size, out) != size || fclose(out) != 0)
        abort();
}

/* Two bytes say how many belong to the images, those after them to the labels;
 * both parts of the data set have the same files. */
static void read_idx(ub_context *context, const char *path)
{
    size_t size, images;
    uint8_t *bytes;
    void *read;

    if (ub__file_read(context, path, FUZZ_INPUT, &read, &size) != UB_OK)
        abort();
    bytes = read;
    if (size >= 2) {
        images = (size_t) bytes[0] << 8 | bytes[1];
        if (images > size - 2)
            images = size - 2;
        make_folder(path);
        for (int i = 0; i < 2; i++) {
            write_file(i, bytes + 2, images);
            write_file(2 + i, bytes + 2 + images, size - 2 - images);
        }
        fuzz_read_dataset(context, folder);
    }
    ub__free(context, read);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_run(data, size, read_idx);
}
