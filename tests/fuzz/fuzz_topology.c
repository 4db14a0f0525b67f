/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzz.h"

#include <uboost/network.h>

static void read_topology(ub_context *context, const char *path)
{
    ub_topology_options options;
    int64_t batch;

    ub_topology_options_init(&options, sizeof(options));
    for (options.expand_dp = 0; options.expand_dp < 2; options.expand_dp++) {
        for (options.form = UB_TOPOLOGY_AUTO; options.form <= UB_TOPOLOGY_GEMM;
             options.form++) {
            ub_network *network = NULL;

            if (ub_network_read_topology(context, path, &options, &network,
                                         &batch) == UB_OK)
                ub_network_destroy(&network);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_run(data, size, read_topology);
}
