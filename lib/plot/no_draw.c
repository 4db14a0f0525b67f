/* SPDX-License-Identifier: BSD-2-Clause */
#include "plot/plot.h"

ub_status ub__plot_draw(const ub_plot *plot, int svg, void **out_data,
                        size_t *out_size)
{
    (void) svg;
    (void) out_data;
    (void) out_size;
    return ub__fail(plot->context, UB_ERR_UNSUPPORTED,
                    "plot: this library was built without cairo");
}
