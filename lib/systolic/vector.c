/* SPDX-License-Identifier: BSD-2-Clause */
#include "systolic/systolic.h"

#define MAX_CYCLES ((int64_t) 1 << 50)

static int map_elements(int64_t channels, int64_t height, int64_t width,
                        int64_t *out)
{
    return ub__mul_int64(channels, height, out) &&
           ub__mul_int64(*out, width, out);
}

/* Elements read for one image; 0 when they cannot be counted. */
static int elements_read(const ub_layer_info *layer, int64_t n_inputs,
                         int64_t *out)
{
    const ub_layer *l = layer->layer;
    int64_t made, taps;

    if (!map_elements(layer->out_channels, layer->out_height, layer->out_width,
                      &made))
        return 0;
    switch (l->kind) {
    case UB_LAYER_MAX_POOL:
    case UB_LAYER_AVG_POOL:
        return ub__mul_int64(l->kernel_height, l->kernel_width, &taps) &&
               ub__mul_int64(made, taps, out);
    case UB_LAYER_GLOBAL_POOL:
        return map_elements(layer->in_channels, layer->in_height,
                            layer->in_width, out);
    case UB_LAYER_ADD: return ub__mul_int64(made, n_inputs, out);
    case UB_LAYER_BATCH_NORM:
    case UB_LAYER_RELU: *out = made; return 1;
    default: *out = 0; return 1;
    }
}

ub_status ub__systolic_vector(const ub_layer_info *layer, int64_t n_inputs,
                              int64_t batch, const ub_hardware *h,
                              ub_systolic_stats *stats)
{
    int64_t elements, made;

    if (h->vector_lanes == 0)
        return UB_OK;
    if (!elements_read(layer, n_inputs, &elements) ||
        !ub__mul_int64(elements, batch, &elements) ||
        elements > INT64_MAX / 64 ||
        !map_elements(layer->out_channels, layer->out_height, layer->out_width,
                      &made) ||
        !ub__mul_int64(made, batch, &made) || made > INT64_MAX / 64)
        return UB_ERR_RANGE;
    if (elements == 0)
        return UB_OK;
    stats->cycles = ub__ceil_div(elements, h->vector_lanes);
    if (stats->cycles > MAX_CYCLES)
        return UB_ERR_RANGE;
    stats->sram_read_bytes = elements *
                             ub__or_else(h->input_bytes, h->element_bytes);
    stats->sram_write_bytes = made *
                              ub__or_else(h->output_bytes, h->element_bytes);
    stats->latency_ms = (double) stats->cycles / h->clock_hz * 1e3;
    stats->utilization = 0.0;
    stats->share_vector = 1.0;
    return UB_OK;
}
