/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/variant.h"

extern const ub__loops UB__PASTE(ub__loops, UB__VARIANT);

#define MEMBER(type, name, arguments) .name = UB__LOOP(name),
const ub__loops UB__PASTE(ub__loops,
                          UB__VARIANT) = { .columns = TILE_ROWS > 0 ? WIDTH : 1,
                                           .lanes = WIDTH,
                                           .filters = LANE_FILTERS,
                                           UB__LOOPS(MEMBER) };
