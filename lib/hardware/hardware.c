/* SPDX-License-Identifier: BSD-2-Clause */
#include "hardware/hardware.h"

#include <math.h>

#define MAX_SIDE      ((int64_t) 1 << 16)
#define MAX_BANK      ((int64_t) 1 << 50)
#define MAX_ELEMENT   64
#define MAX_EXPANSION 3
#define MAX_LATENCY   ((int64_t) 1 << 20)
#define MAX_BURST     ((int64_t) 1 << 20)
#define MAX_LANES     ((int64_t) 1 << 20)
#define ROW_BYTES     ((int64_t) 40960)         /* 5 MiB / 128 */
#define ROW_BANDWIDTH (80.0 * 1073741824 / 128) /* bytes per second */

static const ub_hardware defaults = {
    .size = sizeof(ub_hardware),
    .rows = 128,
    .columns = 128,
    .arrays = 1,
    .bank_bytes = 128 * ROW_BYTES,
    .element_bytes = 1,
    .partial_bytes = 2,
    .clock_hz = 1e9,
    .bandwidth = 128 * ROW_BANDWIDTH,
    .dataflow = UB_DATAFLOW_WS,
    .interconnect = UB_INTERCONNECT_CROSSBAR,
    .burst_bytes = 1,
};

static int within(int64_t value, int64_t high)
{
    return value >= 1 && value <= high;
}

/* Fields where 0 stands for another field or for nothing. */
static int optional_within(const ub_hardware *h)
{
    const struct {
        int64_t value, high;
    } fields[] = {
        { h->expansion, MAX_EXPANSION },    { h->input_bank_bytes, MAX_BANK },
        { h->weight_bank_bytes, MAX_BANK }, { h->output_bank_bytes, MAX_BANK },
        { h->input_bytes, MAX_ELEMENT },    { h->weight_bytes, MAX_ELEMENT },
        { h->output_bytes, MAX_ELEMENT },   { h->memory_latency, MAX_LATENCY },
        { h->vector_lanes, MAX_LANES },
    };

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (fields[i].value < 0 || fields[i].value > fields[i].high)
            return 0;
    }
    /* false for NaN */
    return h->input_bandwidth >= 0.0 && h->weight_bandwidth >= 0.0 &&
           h->output_bandwidth >= 0.0;
}

static ub_status check(const ub_hardware *h)
{
    if (!within(h->rows, MAX_SIDE) || !within(h->columns, MAX_SIDE) ||
        !within(h->arrays, MAX_SIDE) || !within(h->bank_bytes, MAX_BANK) ||
        !within(h->element_bytes, MAX_ELEMENT) ||
        !within(h->partial_bytes, MAX_ELEMENT) ||
        !within(h->burst_bytes, MAX_BURST) || !optional_within(h))
        return UB_ERR_INVALID;
    if (!(h->clock_hz > 0.0) || !isfinite(h->clock_hz) || !(h->bandwidth > 0.0))
        return UB_ERR_INVALID;
    if (h->dataflow < UB_DATAFLOW_WS || h->dataflow > UB_DATAFLOW_IS ||
        h->interconnect < UB_INTERCONNECT_CROSSBAR ||
        h->interconnect > UB_INTERCONNECT_BUS)
        return UB_ERR_INVALID;
    return UB_OK;
}

ub_status ub__hardware_in(const ub_hardware *hardware, ub_hardware *out)
{
    ub_hardware full = defaults;
    ub_status status = hardware == NULL ? UB_ERR_INVALID : UB_OK;

    if (status == UB_OK)
        status = ub__options_in(NULL, "hardware", &full, sizeof(full),
                                sizeof(full), hardware);
    if (status == UB_OK)
        status = check(&full);
    if (status == UB_OK)
        *out = full;
    return status;
}

void ub_hardware_init(ub_hardware *hardware, size_t size)
{
    ub__options_out(hardware, size, &defaults, sizeof(defaults));
}

ub_status ub_hardware_set_array(ub_hardware *hardware, int64_t rows,
                                int64_t columns)
{
    if (hardware == NULL || hardware->size < sizeof(*hardware) ||
        !within(rows, MAX_SIDE) || !within(columns, MAX_SIDE))
        return UB_ERR_INVALID;
    hardware->rows = rows;
    hardware->columns = columns;
    hardware->bank_bytes = rows * ROW_BYTES;
    hardware->bandwidth = (double) rows * ROW_BANDWIDTH;
    return UB_OK;
}

ub_status ub_hardware_check(const ub_hardware *hardware)
{
    ub_hardware full;

    return ub__hardware_in(hardware, &full);
}
