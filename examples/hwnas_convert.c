/* SPDX-License-Identifier: BSD-2-Clause */
#include "hwnas.h"

#include <stdio.h>

/* How many columns come from tables. */
static int64_t from_tables(const hwnas *h)
{
    int64_t n = 0;

    for (int64_t i = 0; i < ub_hwbench_metrics(h->bench); i++) {
        const int32_t source = hwnas_metric(h, i).source;

        n += source == UB_HWBENCH_TABLE || source == UB_HWBENCH_APPENDED;
    }
    return n;
}

/* The table of the request, and that of the other space if there is one. */
int hwnas_convert(const hwnas *h)
{
    const int32_t other = h->request->space == UB_HWBENCH_FBNET
                              ? UB_HWBENCH_NASBENCH201
                              : UB_HWBENCH_FBNET;
    hwnas second = *h;
    const ub_hwbench *benches[2];
    int64_t n = 1;
    ub_status status;

    second.bench = NULL;
    benches[0] = h->bench;
    if (ub_hwbench_open(h->context, h->request->tables, other, &second.bench) ==
        UB_OK)
        benches[n++] = second.bench;
    status = ub_hwbench_write(benches, n, h->request->out);
    if (status == UB_OK)
        printf(
            "%s: %lld columns of %s%s\n", h->request->out,
            (long long) (from_tables(h) + (n > 1 ? from_tables(&second) : 0)),
            h->request->space == UB_HWBENCH_FBNET ? "FBNet" : "NAS-Bench-201",
            n > 1 ? " and the other space" : "");
    ub_hwbench_destroy(&second.bench);
    return status == UB_OK || hwnas_failed(h, status);
}
