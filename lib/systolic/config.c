/* SPDX-License-Identifier: BSD-2-Clause */
#include "systolic/systolic.h"

ub_status ub_systolic_options_from(const ub_hardware_config *config,
                                   ub_systolic_options *options)
{
    ub_systolic_options full;
    ub_hardware_config c;
    ub_status status;

    if (config == NULL || options == NULL || options->size < sizeof(*options))
        return UB_ERR_INVALID;
    ub_hardware_config_init(&c, sizeof(c));
    status = ub__options_in(NULL, "configuration", &c, sizeof(c), sizeof(c),
                            config);
    if (status != UB_OK)
        return status;
    if (c.sparse < 0 || c.sparse > 1 || c.sparse_format < UB_SYSTOLIC_CSR ||
        c.sparse_format > UB_SYSTOLIC_ELLPACK)
        return UB_ERR_INVALID;
    ub_systolic_options_init(&full, sizeof(full));
    full.batch = c.batch;
    full.level = c.level;
    full.prefetch = c.prefetch;
    full.charge_inputs = c.charge_inputs;
    full.charge_outputs = c.charge_outputs;
    full.compat = c.compat;
    full.os_drain = c.os_drain;
    full.count_memory = c.count_memory;
    full.sparsity = c.sparse ? c.sparse_format : UB_SYSTOLIC_DENSE;
    full.tile_m = c.tile_m;
    full.tile_k = c.tile_k;
    full.tile_n = c.tile_n;
    full.seed = c.seed;
    full.packed = c.packed;
    ub__options_out(options, options->size, &full, sizeof(full));
    return UB_OK;
}
