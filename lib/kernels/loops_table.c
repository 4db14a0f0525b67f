/* SPDX-License-Identifier: BSD-2-Clause */
#include "kernels/variant.h"

extern const ub__loops UB__PASTE(ub__loops, UB__VARIANT);

#define MEMBER(type, name, arguments) UB__LOOP(name),
const ub__loops UB__PASTE(ub__loops, UB__VARIANT) = { UB__STRING(UB__VARIANT),
                                                      UB__LOOPS(MEMBER) };
