/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzz.h"

#include <uboost/hardware.h>

/* What is read can be priced: none of its sizes overflows. */
static void read_network(ub_context *context, const char *path)
{
    ub_network *network = NULL;

    if (ub_network_read(context, path, &network) != UB_OK)
        return;
    for (int64_t i = 0; i < ub_network_layers(network); i++) {
        ub_layer_info info = { .size = sizeof(info) };
        ub_gemm gemm = { .size = sizeof(gemm) };

        if (ub_network_layer(network, i, &info) == UB_OK)
            (void) !ub_layer_gemm(&info, 3, &gemm);
    }
    ub_network_destroy(&network);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_run(data, size, read_network);
}
