/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/convert_tables.h"

#include <stdio.h>

enum { SPACES = 2 };

static const struct {
    int32_t space;
    const char *name;
} spaces[SPACES] = { { UB_HWBENCH_NASBENCH201, "NAS-Bench-201" },
                     { UB_HWBENCH_FBNET, "FBNet" } };

/* How many columns are from the tables. */
static int64_t columns_of(const ub_hwbench *bench)
{
    int64_t n = 0;

    for (int64_t i = 0; i < ub_hwbench_metrics(bench); i++) {
        ub_hwbench_metric metric;

        ub_hwbench_metric_init(&metric, sizeof(metric));
        if (ub_hwbench_get_metric(bench, i, &metric) == UB_OK)
            n += metric.source == UB_HWBENCH_TABLE;
    }
    return n;
}

/* UB_ERR_IO: there is no table of that space. */
static ub_status open_all(ub_context *context, const char *path,
                          ub_hwbench *benches[SPACES], int64_t *n)
{
    ub_status status = UB_OK;

    for (int i = 0; i < SPACES; i++) {
        status = ub_hwbench_open(context, path, spaces[i].space, &benches[*n]);
        if (status == UB_OK)
            (*n)++;
        else if (status != UB_ERR_IO)
            return status;
    }
    return *n > 0 ? UB_OK : status;
}

int convert_tables(ub_context *context, const char *path, const char *out)
{
    ub_hwbench *benches[SPACES] = { NULL };
    int64_t n = 0;
    ub_status status = open_all(context, path, benches, &n);

    if (status == UB_OK)
        status = ub_hwbench_write((const ub_hwbench *const *) benches, n, out);
    for (int64_t i = 0; i < n && status == UB_OK; i++) {
        for (int k = 0; k < SPACES; k++) {
            if (ub_hwbench_space_of(benches[i]) == spaces[k].space)
                printf("%s: %lld columns of %s\n", out,
                       (long long) columns_of(benches[i]), spaces[k].name);
        }
    }
    if (status != UB_OK)
        fprintf(stderr, "%s\n", ub_context_last_error(context));
    for (int i = 0; i < SPACES; i++)
        ub_hwbench_destroy(&benches[i]);
    return status == UB_OK;
}
