/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_HARDWARE_H
#define UBOOST_LIB_HARDWARE_H

#include "base/base.h"

#include <uboost/hardware.h>

/* Full, checked copies of what a caller of any age gave. */
ub_status ub__hardware_in(const ub_hardware *hardware, ub_hardware *out);
/* `out` is the layer itself when it is of this version, else `copy`. */
ub_status ub__cost_layer_in(const ub_cost_layer *layer, ub_cost_layer *copy,
                            const ub_cost_layer **out);

/* UB_ERR_INVALID when the caller did not set out->size. */
ub_status ub__cost_out(ub_cost *out, const ub_cost *full);

/* A field, or what stands for it where it is 0. */
static inline int64_t ub__or_else(int64_t value, int64_t otherwise)
{
    return value > 0 ? value : otherwise;
}

/* A layer that costs nothing. */
extern const ub_cost ub__cost_free;

#endif
