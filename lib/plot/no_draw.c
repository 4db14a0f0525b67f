/* SPDX-License-Identifier: BSD-2-Clause */
#include "plot/plot.h"

ub_status ub__plot_draw(int64_t n, const ub_plot *const *plots, int64_t columns,
                        int svg, void **out_data, size_t *out_size)
{
    (void) n;
    (void) columns;
    (void) svg;
    (void) out_data;
    (void) out_size;
    return ub__fail(plots[0]->context, UB_ERR_UNSUPPORTED,
                    "plot: this library was built without cairo");
}
