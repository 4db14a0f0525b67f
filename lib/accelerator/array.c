/* SPDX-License-Identifier: BSD-2-Clause */
#include "accelerator/array.h"
#include "hardware/hardware.h"

#include <math.h>
#include <string.h>
#include <uboost/systolic.h>
#include <uboost/utilization.h>

/* -- options ------------------------------------------------------------------
 */

static void set_powers(ub_array_options *o, int field, int64_t most)
{
    o->lengths[field] = 6;
    for (int i = 0; i < 6; i++)
        o->values[field][i] = most >> i;
}

static void set_defaults(ub_array_options *o)
{
    *o = (ub_array_options){
        .size = sizeof(*o),
        .element_limit = (int64_t) 1 << 14,
        .sram_limit = (int64_t) 6 << 20,
        .batch = 1,
        .pricing = UB_ARRAY_FULL,
    };
    set_powers(o, UB_ARRAY_ROWS, 256);
    set_powers(o, UB_ARRAY_COLUMNS, 256);
    for (int f = UB_ARRAY_INPUT_BANK; f <= UB_ARRAY_OUTPUT_BANK; f++)
        set_powers(o, f, (int64_t) 4 << 20);
    o->lengths[UB_ARRAY_BANDWIDTH] = 1;
    o->values[UB_ARRAY_BANDWIDTH][0] = (int64_t) 80 << 30;
    o->lengths[UB_ARRAY_DATAFLOW] = 1;
    o->values[UB_ARRAY_DATAFLOW][0] = UB_DATAFLOW_WS;
}

static ub_status check_values(ub_context *context, const ub_array_options *o,
                              int field)
{
    const int64_t n = o->lengths[field], *values = o->values[field];
    int valid = n >= 1 && n <= UB_ARRAY_MAX_VALUES;

    for (int64_t i = 0; valid && i < n; i++) {
        if (field == UB_ARRAY_DATAFLOW) {
            valid = values[i] >= UB_DATAFLOW_WS && values[i] <= UB_DATAFLOW_IS;
            for (int64_t j = 0; j < i; j++)
                valid &= values[i] != values[j];
        } else {
            valid = values[i] >= 1 && values[i] <= (int64_t) 1 << 50 &&
                    (i == 0 || values[i] < values[i - 1]);
        }
    }
    if (!valid)
        return ub__fail(context, UB_ERR_INVALID,
                        "array space: values of field %d are out of range or "
                        "order",
                        field);
    return UB_OK;
}

static ub_status check_pricing(ub_context *context, const ub_array_options *o,
                               const ub_hardware *base)
{
    if (o->pricing < UB_ARRAY_IDEAL || o->pricing > UB_ARRAY_SIMULATED)
        return ub__fail(context, UB_ERR_INVALID, "array space: pricing %d",
                        (int) o->pricing);
    if (o->pricing == UB_ARRAY_SIMULATED)
        return UB_OK;
    if (o->lengths[UB_ARRAY_DATAFLOW] != 1 ||
        o->values[UB_ARRAY_DATAFLOW][0] != UB_DATAFLOW_WS || base->arrays != 1)
        return ub__fail(context, UB_ERR_UNSUPPORTED,
                        "array space: only the simulator knows %lld arrays and "
                        "other dataflows than weight stationary",
                        (long long) base->arrays);
    return UB_OK;
}

/* The corners of the space must be hardware; what is between then is. */
static ub_status check_hardware(const ub_array_space *space)
{
    for (int last = 0; last < 2; last++) {
        int32_t choices[UB_ARRAY_FIELDS];
        ub_hardware hardware;
        ub_status status;

        for (int f = 0; f < UB_ARRAY_FIELDS; f++)
            choices[f] = last ? (int32_t) space->options.lengths[f] - 1 : 0;
        ub__array_hardware(space, choices, &hardware);
        status = ub_hardware_check(&hardware);
        if (status != UB_OK)
            return ub__fail(space->context, status,
                            "array space: the %s array is no hardware",
                            last ? "smallest" : "largest");
    }
    return UB_OK;
}

static ub_status check(const ub_array_space *space)
{
    const ub_array_options *o = &space->options;
    ub_status status = UB_OK;

    if (o->element_limit < 1 || o->sram_limit < 1 || o->batch < 1 ||
        o->batch > (int64_t) 1 << 32 || o->reserved != 0)
        return ub__fail(space->context, UB_ERR_INVALID,
                        "array space: limits of %lld elements and %lld bytes, "
                        "batch %lld, or reserved is not 0",
                        (long long) o->element_limit, (long long) o->sram_limit,
                        (long long) o->batch);
    for (int f = 0; status == UB_OK && f < UB_ARRAY_FIELDS; f++)
        status = check_values(space->context, o, f);
    if (status == UB_OK)
        status = check_hardware(space);
    if (status == UB_OK)
        status = check_pricing(space->context, o, &space->base);
    return status;
}

static ub_status set_base(ub_array_space *space)
{
    const ub_hardware *base = space->options.base;
    ub_status status;

    space->options.base = NULL;
    ub_hardware_init(&space->base, sizeof(space->base));
    if (base == NULL)
        return UB_OK;
    status = ub__hardware_in(base, &space->base);
    if (status != UB_OK)
        return ub__fail(space->context, status,
                        "array space: base is no hardware");
    return UB_OK;
}

/* -- candidates ---------------------------------------------------------------
 */

void ub__array_hardware(const ub_array_space *space, const int32_t *choices,
                        ub_hardware *out)
{
    int64_t v[UB_ARRAY_FIELDS];

    for (int f = 0; f < UB_ARRAY_FIELDS; f++)
        v[f] = space->options.values[f][choices[f]];
    *out = space->base;
    out->rows = v[UB_ARRAY_ROWS];
    out->columns = v[UB_ARRAY_COLUMNS];
    out->input_bank_bytes = v[UB_ARRAY_INPUT_BANK];
    out->weight_bank_bytes = v[UB_ARRAY_WEIGHT_BANK];
    out->output_bank_bytes = v[UB_ARRAY_OUTPUT_BANK];
    out->bandwidth = (double) v[UB_ARRAY_BANDWIDTH];
    out->dataflow = (int32_t) v[UB_ARRAY_DATAFLOW];
}

/* Rows, columns and arrays are at most 2^16 each, banks 2^50 bytes. */
void ub__array_measure(const ub_array_space *space, const ub_hardware *hardware,
                       ub_array_result *out)
{
    const ub_array_options *o = &space->options;
    const double arrays = (double) hardware->arrays;
    double sram;

    out->elements = hardware->rows * hardware->columns * hardware->arrays;
    out->sram = hardware->input_bank_bytes + hardware->weight_bank_bytes +
                hardware->output_bank_bytes;
    sram = (double) out->sram * arrays;
    out->sram = sram < 9e18 ? out->sram * hardware->arrays : INT64_MAX;
    out->excess = UB_ARRAY_FITS;
    if (sram > (double) o->sram_limit)
        out->excess = UB_ARRAY_EXCESS_SRAM;
    if (out->elements > o->element_limit)
        out->excess = UB_ARRAY_EXCESS_ELEMENTS;
    out->violation = fmax((double) out->elements / (double) o->element_limit -
                              1,
                          0) +
                     fmax(sram / (double) o->sram_limit - 1, 0);
}

static ub_status simulate(const ub_array_space *space,
                          const ub_network *network,
                          const ub_hardware *hardware, ub_array_result *out)
{
    ub_systolic_stats total = { .size = sizeof(total) };
    ub_systolic_options options;
    ub_status status;

    ub_systolic_options_init(&options, sizeof(options));
    options.batch = space->options.batch;
    status = ub_systolic_run(network, hardware, &options, &total, NULL, 0);
    /* Hardware and batch make sense, so it is a bank that holds no tile. */
    if (status == UB_ERR_INVALID) {
        out->cycles = INFINITY;
        out->utilization = 0;
        out->violation += 1;
        if (out->excess == UB_ARRAY_FITS)
            out->excess = UB_ARRAY_EXCESS_TILE;
        return UB_OK;
    }
    if (status != UB_OK)
        return ub__fail_within(space->context, status, "array space");
    out->cycles = (double) total.cycles;
    out->utilization = total.utilization;
    return UB_OK;
}

static ub_status compute(const ub_array_space *space, const ub_network *network,
                         const ub_hardware *hardware, int32_t pricing,
                         ub_array_result *out)
{
    ub_cost_model model = { .size = sizeof(model) };
    ub_cost total = { .size = sizeof(total) };
    ub_util_options options;
    ub_status status;

    ub_util_options_init(&options, sizeof(options));
    status = ub_util_options_from(hardware, &options);
    if (status == UB_OK)
        status = ub_util_model(pricing == UB_ARRAY_IDEAL ? UB_UTIL_EXACT
                                                         : UB_UTIL_FULL,
                               &options, &model);
    if (status != UB_OK)
        return ub__fail(space->context, status,
                        "array space: an array that cannot be priced");
    status = ub_network_cost(network, &model, space->options.batch, &total,
                             NULL, 0);
    if (status != UB_OK)
        return ub__fail_within(space->context, status, "array space");
    out->cycles = total.cycles;
    out->utilization = total.utilization;
    return UB_OK;
}

ub_status ub__array_price(const ub_array_space *space,
                          const ub_network *network,
                          const ub_hardware *hardware, int32_t pricing,
                          ub_array_result *out)
{
    const ub_status status = pricing == UB_ARRAY_SIMULATED
                                 ? simulate(space, network, hardware, out)
                                 : compute(space, network, hardware, pricing,
                                           out);

    if (status != UB_OK)
        return status;
    out->latency_ms = 1e3 * out->cycles / hardware->clock_hz;
    out->fps = (double) space->options.batch * hardware->clock_hz / out->cycles;
    return UB_OK;
}

ub_status ub__array_check(const ub_array_space *space,
                          const ub_network *network)
{
    if (network == NULL)
        return ub__fail(space->context, UB_ERR_INVALID,
                        "array space: network is NULL");
    if (ub_network_macs(network) == 0)
        return ub__fail(space->context, UB_ERR_INVALID,
                        "array space: the network computes nothing");
    return UB_OK;
}

static ub_status check_choices(const ub_array_space *space,
                               const int32_t *choices)
{
    if (choices == NULL)
        return ub__fail(space->context, UB_ERR_INVALID,
                        "array space: choices are NULL");
    for (int f = 0; f < UB_ARRAY_FIELDS; f++) {
        if (choices[f] < 0 || choices[f] >= space->options.lengths[f])
            return ub__fail(space->context, UB_ERR_INVALID,
                            "array space: field %d has no choice %d", f,
                            (int) choices[f]);
    }
    return UB_OK;
}

/* -- public --------------------------------------------------------------- */

void ub_array_options_init(ub_array_options *options, size_t size)
{
    ub_array_options full;

    set_defaults(&full);
    ub__options_out(options, size, &full, sizeof(full));
}

ub_status ub_array_space_create(ub_context *context,
                                const ub_array_options *options,
                                ub_array_space **out)
{
    ub_array_space *space;
    ub_status status;

    if (context == NULL)
        return UB_ERR_INVALID;
    if (out == NULL)
        return ub__fail(context, UB_ERR_INVALID, "array space: out is NULL");
    space = ub__calloc(context, 1, sizeof(*space));
    if (space == NULL)
        return UB_ERR_NOMEM;
    space->context = context;
    set_defaults(&space->options);
    status = ub__options_in(context, "array options", &space->options,
                            sizeof(space->options), sizeof(space->options),
                            options);
    if (status == UB_OK)
        status = set_base(space);
    if (status == UB_OK)
        status = check(space);
    if (status != UB_OK) {
        ub__free(context, space);
        return status;
    }
    *out = space;
    return UB_OK;
}

void ub_array_space_destroy(ub_array_space **space)
{
    if (space == NULL || *space == NULL)
        return;
    ub__free((*space)->context, *space);
    *space = NULL;
}

void ub_array_decisions(const ub_array_space *space, int32_t *choices,
                        int32_t *ordered)
{
    for (int f = 0; f < UB_ARRAY_FIELDS; f++) {
        choices[f] = (int32_t) space->options.lengths[f];
        if (ordered != NULL)
            ordered[f] = f != UB_ARRAY_DATAFLOW;
    }
}

ub_status ub_array_decode(const ub_array_space *space, const int32_t *choices,
                          ub_hardware *out)
{
    ub_hardware hardware;
    ub_status status;

    if (space == NULL)
        return UB_ERR_INVALID;
    if (out == NULL || out->size < sizeof(*out))
        return ub__fail(space->context, UB_ERR_INVALID,
                        "array space: the size of the hardware is not set");
    status = check_choices(space, choices);
    if (status != UB_OK)
        return status;
    ub__array_hardware(space, choices, &hardware);
    ub__options_out(out, out->size, &hardware, sizeof(hardware));
    return UB_OK;
}

ub_status ub_array_encode(const ub_array_space *space,
                          const ub_hardware *hardware, int32_t *choices)
{
    int32_t found[UB_ARRAY_FIELDS];
    ub_hardware h;
    ub_status status;

    if (space == NULL)
        return UB_ERR_INVALID;
    if (hardware == NULL || choices == NULL)
        return ub__fail(space->context, UB_ERR_INVALID,
                        "array space: hardware or choices are NULL");
    ub_hardware_init(&h, sizeof(h));
    status = ub__options_in(space->context, "hardware", &h, sizeof(h),
                            sizeof(h), hardware);
    if (status != UB_OK)
        return status;
    for (int f = 0; f < UB_ARRAY_FIELDS; f++) {
        const int64_t banks[] = { h.input_bank_bytes, h.weight_bank_bytes,
                                  h.output_bank_bytes };
        double value = (double) h.rows;

        if (f == UB_ARRAY_COLUMNS)
            value = (double) h.columns;
        else if (f >= UB_ARRAY_INPUT_BANK && f <= UB_ARRAY_OUTPUT_BANK)
            value = (double) (banks[f - 2] > 0 ? banks[f - 2] : h.bank_bytes);
        else if (f == UB_ARRAY_BANDWIDTH)
            value = h.bandwidth;
        else if (f == UB_ARRAY_DATAFLOW)
            value = h.dataflow;
        found[f] = -1;
        for (int32_t i = 0; i < space->options.lengths[f]; i++) {
            if ((double) space->options.values[f][i] == value)
                found[f] = i;
        }
        if (found[f] < 0)
            return ub__fail(space->context, UB_ERR_INVALID,
                            "array space: field %d has no value %g", f, value);
    }
    memcpy(choices, found, sizeof(found));
    return UB_OK;
}

ub_status ub_array_evaluate(const ub_array_space *space,
                            const ub_network *network, const int32_t *choices,
                            ub_array_result *out)
{
    ub_array_result result = { .size = sizeof(result), .priced = 1 };
    ub_hardware hardware;
    ub_status status;

    if (space == NULL)
        return UB_ERR_INVALID;
    if (out == NULL || out->size < sizeof(*out))
        return ub__fail(space->context, UB_ERR_INVALID,
                        "array space: the size of the result is not set");
    status = ub__array_check(space, network);
    if (status == UB_OK)
        status = check_choices(space, choices);
    if (status != UB_OK)
        return status;
    ub__array_hardware(space, choices, &hardware);
    ub__array_measure(space, &hardware, &result);
    status = ub__array_price(space, network, &hardware, space->options.pricing,
                             &result);
    if (status == UB_OK)
        ub__options_out(out, out->size, &result, sizeof(result));
    return status;
}
