/* SPDX-License-Identifier: BSD-2-Clause */
#include "tables.h"

#include <math.h>

ub_hwbench *tables_forms(ub_context *context, int32_t space)
{
    ub_hwbench *bench = NULL;

    assert_int_equal(ub_hwbench_open(context, NULL, space, &bench), UB_OK);
    return bench;
}

int64_t tables_find(const ub_hwbench *bench, int32_t dataset, const char *name)
{
    const int64_t metric = ub_hwbench_find(bench, dataset, name);

    if (metric < 0)
        fail_msg("no metric '%s'", name);
    return metric;
}

ub_hwbench_value tables_get(const ub_hwbench *bench, int32_t dataset,
                            const char *name, int64_t index)
{
    const int64_t metric = tables_find(bench, dataset, name);
    ub_hwbench_value value = { 0.0, -1, -1 };

    assert_int_equal(ub_hwbench_get(bench, metric, index, &value), UB_OK);
    return value;
}

void tables_expect(const ub_hwbench *bench, int32_t dataset, const char *name,
                   int64_t index, int32_t state, double value)
{
    const ub_hwbench_value v = tables_get(bench, dataset, name, index);

    if (v.state != state || !(isnan(value) ? isnan(v.value) : v.value == value))
        fail_msg("%s of %lld: state %d, %.17g; not %d, %.17g", name,
                 (long long) index, (int) v.state, v.value, (int) state, value);
}

int64_t tables_append(ub_hwbench *bench, const char *name, const char *unit,
                      int32_t direction, int64_t n, const double *values)
{
    ub_hwbench_metric m;
    int64_t metric = -1;

    ub_hwbench_metric_init(&m, sizeof(m));
    m.name = name;
    m.unit = unit;
    m.dataset = UB_HWBENCH_CIFAR100;
    m.direction = direction;
    assert_int_equal(ub_hwbench_append(bench, &m, n, values, &metric), UB_OK);
    return metric;
}

static ub_status open_path(ub_context *context, const char *path, int32_t space)
{
    ub_hwbench *bench = NULL;
    const ub_status status = ub_hwbench_open(context, path, space, &bench);

    assert_int_equal(bench != NULL, status == UB_OK);
    ub_hwbench_destroy(&bench);
    return status;
}

int tables_read(ub_context *context, const char *path)
{
    return open_path(context, path, UB_HWBENCH_FBNET) == UB_OK;
}

ub_status tables_open_cells(ub_context *context, void *arg)
{
    return open_path(context, arg, UB_HWBENCH_NASBENCH201);
}

ub_status tables_open_fbnet(ub_context *context, void *arg)
{
    return open_path(context, arg, UB_HWBENCH_FBNET);
}
