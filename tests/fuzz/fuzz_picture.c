/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzz.h"

#include "dataset/dataset.h"

/* The last of its bytes is there. */
static void read_picture(ub_context *context, const char *path)
{
    ub__picture picture = { NULL, 0, 0 };
    volatile uint8_t last;

    if (ub__picture_read(context, path, &picture) != UB_OK)
        return;
    last = picture.pixels[3 * picture.height * picture.width - 1];
    (void) last;
    ub__free(context, picture.pixels);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_run(data, size, read_picture);
}
