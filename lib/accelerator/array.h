/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_ACCELERATOR_ARRAY_H
#define UBOOST_LIB_ACCELERATOR_ARRAY_H

#include "base/base.h"

#include <uboost/accelerator.h>

struct ub_array_space {
    ub_context *context;
    ub_array_options options; /* base is not used */
    ub_hardware base;
};

/* Hardware of choices that exist. */
void ub__array_hardware(const ub_array_space *space, const int32_t *choices,
                        ub_hardware *out);

/* Elements, bytes and what is too much of them. */
void ub__array_measure(const ub_array_space *space, const ub_hardware *hardware,
                       ub_array_result *out);

/* Price a network by one of ub_array_pricing; cycles, latency, fps and
 * utilization of *out are set, excess and violation changed when a bank is too
 * small. */
ub_status ub__array_price(const ub_array_space *space,
                          const ub_network *network,
                          const ub_hardware *hardware, int32_t pricing,
                          ub_array_result *out);

/* UB_ERR_INVALID when there is no network or it computes nothing. */
ub_status ub__array_check(const ub_array_space *space,
                          const ub_network *network);

#endif
