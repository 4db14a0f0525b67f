/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_SYSTOLIC_INTERCONNECT_H
#define UBOOST_LIB_SYSTOLIC_INTERCONNECT_H

#include "base/base.h"

#include <uboost/hardware.h>

/*
 * One network between `arrays` sources and as many destinations: which routes
 * can be open at the same time. A source may reach any number of destinations.
 *
 * A banyan of expansion e has N = 2^(n + e) ports and n + e stages of 2 x 2
 * switches, n = ceil(log2 arrays). A perfect shuffle leads in. Stage s is
 * steered by bit n + e - 1 - s of the destination times 2^e. Behind it, within
 * each block of N / 2^s ports, the lower outputs of the upper half and the
 * upper outputs of the lower half change places. A route is refused when an
 * output of a switch belongs to another source.
 */
typedef struct ub__interconnect ub__interconnect;

/* Cycles from end to end; -1 for one array on UB_INTERCONNECT_BENES_COPY, as
 * the formula says. */
int64_t ub__interconnect_latency(const ub_hardware *hardware);

/* Watts at 1 GHz for `width` bytes, in single precision as csim. */
float ub__interconnect_watts(const ub_hardware *hardware, int64_t width);

/* UB_ERR_UNSUPPORTED: UB_INTERCONNECT_BENES, whose routing nobody wrote yet,
 * and a banyan without a switch. */
ub_status ub__interconnect_create(ub_context *context,
                                  const ub_hardware *hardware,
                                  ub__interconnect **out);
void ub__interconnect_destroy(ub__interconnect **network);

/* Whether every route is always free. */
int ub__interconnect_open(const ub__interconnect *network);

/* Close all routes. */
void ub__interconnect_reset(ub__interconnect *network);

/* Whether a route could be opened now; changes nothing. */
int ub__interconnect_free(const ub__interconnect *network, int64_t source,
                          int64_t destination);

/* Open a route: 0, and nothing changes, when it is refused. */
int ub__interconnect_route(ub__interconnect *network, int64_t source,
                           int64_t destination);

#endif
