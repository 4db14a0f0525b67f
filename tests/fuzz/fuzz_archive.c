/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzz.h"

#include <stdlib.h>
#include <uboost/tensor.h>

/* What is read can be found, and written again. */
static void read_archive(ub_context *context, const char *path)
{
    ub_archive *archive = NULL;

    if (ub_archive_read(context, path, &archive) != UB_OK)
        return;
    for (int64_t i = 0; i < ub_archive_count(archive); i++) {
        const ub_tensor *tensor = ub_archive_find(archive,
                                                  ub_archive_name(archive, i));

        if (tensor == NULL || ub_tensor_count(tensor) < 1)
            abort();
    }
    if (ub_archive_write(archive, "/dev/null") == UB_ERR_INVALID)
        abort();
    ub_archive_destroy(&archive);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_run(data, size, read_archive);
}
