/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzz.h"

#include <uboost/network.h>

static void read_csim(ub_context *context, const char *path)
{
    ub_csim_tiling tiling = { .size = sizeof(tiling) };
    ub_network *network = NULL;

    if (ub_network_read_csim(context, path, NULL, &network, &tiling) == UB_OK)
        ub_network_destroy(&network);
    if (ub_network_read_csim(context, path, "b", &network, NULL) == UB_OK)
        ub_network_destroy(&network);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_run(data, size, read_csim);
}
