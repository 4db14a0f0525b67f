/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzz.h"

#include <stdlib.h>
#include <uboost/hardware.h>

/* What is read makes sense. */
static void read_config(ub_context *context, const char *path)
{
    ub_hardware hardware = { .size = sizeof(hardware) };
    ub_hardware_config config = { .size = sizeof(config) };

    if (ub_hardware_read_config(context, path, &hardware, &config) == UB_OK &&
        ub_hardware_check(&hardware) != UB_OK)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_run(data, size, read_config);
}
