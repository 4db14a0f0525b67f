/* SPDX-License-Identifier: BSD-2-Clause */
#include "strategy/ask.h"

ub_status ub__neighbourhood_expand(ub_strategy *s)
{
    return ub__fail(s->context, UB_ERR_UNSUPPORTED, "neighbours");
}

ub_status ub__neighbourhood_reduce(ub_strategy *s)
{
    return ub__fail(s->context, UB_ERR_UNSUPPORTED, "neighbours");
}
