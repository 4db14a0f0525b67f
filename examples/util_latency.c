/* SPDX-License-Identifier: BSD-2-Clause */
/* Latency and utilization of a convolution on a 128 x 128 array as its width
 * grows. Nothing else of the library is needed, not even a context. */
#include <stdio.h>
#include <uboost/utilization.h>

int main(void)
{
    ub_cost_layer layer;
    ub_cost cost = { .size = sizeof(cost) };

    ub_cost_layer_init(&layer, sizeof(layer));
    layer.kind = UB_COST_CONV;
    layer.kernel_height = layer.kernel_width = 3;
    layer.out_height = layer.out_width = 32;
    layer.in_channels = 128;
    for (layer.out_channels = 32; layer.out_channels <= 288;
         layer.out_channels += 32) {
        if (ub_util_latency(NULL, &layer, &cost) != UB_OK)
            return 1;
        printf("%3.0f filters: %.4f ms, utilization %.3f\n", layer.out_channels,
               cost.latency_ms, cost.utilization);
    }
    return 0;
}
