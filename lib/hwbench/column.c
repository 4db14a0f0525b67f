/* SPDX-License-Identifier: BSD-2-Clause */
#include "hwbench/hwbench.h"

#include <math.h>
#include <string.h>

static const ub__hwbench_kind kinds[UB__HWBENCH_STANDARDS] = {
    { "edgegpu_latency", "ms", UB_MINIMIZE },
    { "edgegpu_energy", "mJ", UB_MINIMIZE },
    { "raspi4_latency", "ms", UB_MINIMIZE },
    { "edgetpu_latency", "ms", UB_MINIMIZE },
    { "pixel3_latency", "ms", UB_MINIMIZE },
    { "eyeriss_latency", "ms", UB_MINIMIZE },
    { "eyeriss_energy", "mJ", UB_MINIMIZE },
    { "eyeriss_arithmetic_intensity", "FLOP/byte", UB_MAXIMIZE },
    { "fpga_latency", "ms", UB_MINIMIZE },
    { "fpga_energy", "mJ", UB_MINIMIZE },
    { "average_hw_metric", "", UB_MINIMIZE },
    { "params", "M", UB_MINIMIZE },
    { "flops", "M", UB_MINIMIZE },
    { "test_accuracy", "%", UB_MAXIMIZE },
    { "valid_accuracy", "%", UB_MAXIMIZE },
    { "test_accuracy_12", "%", UB_MAXIMIZE },
    { "valid_accuracy_12", "%", UB_MAXIMIZE },
    { "train_seconds_per_epoch", "s", UB_MINIMIZE },
};

static ub__column *find_column(const ub_hwbench *bench, int32_t dataset,
                               const char *name)
{
    const int64_t number = ub_hwbench_find(bench, dataset, name);

    return number >= 0 ? &bench->columns[number] : NULL;
}

static double product_at(const ub_hwbench *bench, int32_t dataset, int64_t row)
{
    double product = NAN;

    for (int i = 0; i < UB__HWBENCH_FACTORS; i++) {
        const int64_t factor = bench->standard[dataset][ub__hwbench_factors[i]];
        const double *values;

        if (factor < 0)
            continue;
        values = bench->columns[factor].values;
        if (values == NULL)
            return NAN;
        product = i == 0 ? values[row] : product * values[row];
    }
    return product;
}

static void count_values(const ub_hwbench *bench, ub__column *column)
{
    column->known = column->failed = 0;
    if (column->values == NULL && !ub__hwbench_is_product(column))
        return;
    for (int64_t i = 0; i < bench->rows; i++) {
        const double value = ub__hwbench_at(bench, column, i);

        column->failed += ub__hwbench_has_failed(column, value);
        column->known += !isnan(value);
    }
    column->known -= column->failed;
}

/* Holes in a table where there is a closed form. */
static void fill_holes(const ub_hwbench *bench, const ub__column *column,
                       double *values)
{
    for (int64_t i = 0; i < bench->rows; i++) {
        if (isnan(values[i]))
            values[i] = column->values[i];
    }
}

static void set_values(ub_hwbench *bench, ub__column *column,
                       const ub__hwbench_new *from)
{
    if (column->values != NULL && from->owned != NULL)
        fill_holes(bench, column, from->owned);
    ub__free(bench->context, column->owned);
    column->owned = from->owned;
    column->values = from->owned != NULL ? from->owned : from->mapped;
    column->source = from->source;
    count_values(bench, column);
}

const ub__hwbench_kind *ub__hwbench_kind_of(int32_t standard)
{
    return &kinds[standard];
}

const ub__hwbench_kind *ub__hwbench_kind_of_name(const char *name)
{
    for (int32_t i = 0; i < UB__HWBENCH_STANDARDS; i++) {
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    }
    return &kinds[UB_HWBENCH_EDGEGPU_LATENCY];
}

int ub__hwbench_is_name(const char *text, size_t length, size_t size)
{
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char) text[i] < 0x20 || text[i] == 0x7f)
            return 0;
    }
    return length > 0 && length < size;
}

double ub__hwbench_at(const ub_hwbench *bench, const ub__column *column,
                      int64_t row)
{
    if (column->values != NULL)
        return column->values[row];
    if (ub__hwbench_is_product(column))
        return product_at(bench, column->dataset, row);
    return NAN;
}

int ub__hwbench_can_fail(const ub__column *column)
{
    return strcmp(column->unit, "ms") == 0 || strcmp(column->unit, "mJ") == 0 ||
           ub__hwbench_is_product(column);
}

ub_hwbench_value ub__hwbench_value_of(const ub__column *column, double value)
{
    ub_hwbench_value result = { value, UB_HWBENCH_KNOWN, 0 };

    if (isnan(value)) {
        result.value = NAN;
        result.state = UB_HWBENCH_UNKNOWN;
    } else if (ub__hwbench_has_failed(column, value)) {
        result.state = UB_HWBENCH_FAILED;
    }
    return result;
}

double *ub__hwbench_unknown_values(const ub_hwbench *bench)
{
    double *values = ub__alloc(bench->context, (size_t) bench->rows,
                               sizeof(*values));

    for (int64_t i = 0; values != NULL && i < bench->rows; i++)
        values[i] = NAN;
    return values;
}

ub_status ub__hwbench_reserve(ub_hwbench *bench, int64_t n)
{
    const int64_t wanted = bench->n_columns + n;
    ub__column *columns;

    if (wanted > UB_HWBENCH_MAX_METRICS)
        return ub__fail(bench->context, UB_ERR_RANGE,
                        "hwbench: %lld columns, at most %d", (long long) wanted,
                        UB_HWBENCH_MAX_METRICS);
    columns = ub__realloc(bench->context, bench->columns,
                          (size_t) bench->n_columns, (size_t) wanted,
                          sizeof(*columns));
    if (columns == NULL)
        return UB_ERR_NOMEM;
    bench->columns = columns;
    return UB_OK;
}

int ub__hwbench_is_free(const ub_hwbench *bench, int32_t dataset,
                        const char *name)
{
    const ub__column *column = find_column(bench, dataset, name);

    if (column == NULL)
        return 1;
    return column->standard >= 0 && !ub__hwbench_is_product(column) &&
           (column->source == UB_HWBENCH_NOWHERE ||
            column->source == UB_HWBENCH_COMPUTED);
}

int64_t ub__hwbench_add(ub_hwbench *bench, const ub__hwbench_new *from)
{
    ub__column *column = find_column(bench, from->dataset, from->name);

    if (column == NULL) {
        column = &bench->columns[bench->n_columns++];
        memset(column, 0, sizeof(*column));
        snprintf(column->name, sizeof(column->name), "%s", from->name);
        snprintf(column->unit, sizeof(column->unit), "%s", from->unit);
        column->dataset = from->dataset;
        column->direction = from->direction;
        column->standard = -1;
    }
    set_values(bench, column, from);
    return column - bench->columns;
}

void ub__hwbench_count_products(ub_hwbench *bench)
{
    for (int64_t i = 0; i < bench->n_columns; i++) {
        ub__column *column = &bench->columns[i];

        if (!ub__hwbench_is_product(column))
            continue;
        count_values(bench, column);
        column->source = column->known + column->failed > 0
                             ? UB_HWBENCH_COMPUTED
                             : UB_HWBENCH_NOWHERE;
    }
}

/* -- appending ------------------------------------------------------------- */

static ub_status check_metric(const ub_hwbench *bench,
                              const ub_hwbench_metric *metric)
{
    ub_context *context = bench->context;

    if (metric->name == NULL ||
        !ub__hwbench_is_name(metric->name, strlen(metric->name),
                             UB_HWBENCH_NAME))
        return ub__fail(context, UB_ERR_INVALID,
                        "hwbench: the name of a metric is missing, too long, "
                        "or not printable");
    if (metric->unit == NULL ||
        (metric->unit[0] != '\0' &&
         !ub__hwbench_is_name(metric->unit, strlen(metric->unit),
                              UB__HWBENCH_UNIT)))
        return ub__fail(context, UB_ERR_INVALID,
                        "hwbench: the unit of '%s' is missing, too long, or "
                        "not printable",
                        metric->name);
    if (!ub__hwbench_has_dataset(bench->space, metric->dataset))
        return ub__fail(context, UB_ERR_INVALID,
                        "hwbench: the space has no data set %d",
                        (int) metric->dataset);
    if (metric->direction != UB_MINIMIZE && metric->direction != UB_MAXIMIZE)
        return ub__fail(context, UB_ERR_INVALID,
                        "hwbench: '%s' has direction %d", metric->name,
                        (int) metric->direction);
    if (!ub__hwbench_is_free(bench, metric->dataset, metric->name))
        return ub__fail(context, UB_ERR_INVALID,
                        "hwbench: there is a metric '%s' already",
                        metric->name);
    return UB_OK;
}

/* What FBNet does not look at is unknown. */
static ub_status copy_values(const ub_hwbench *bench, const char *name,
                             const double *values, double *out)
{
    const int64_t operators = UB_HWBENCH_FBNET_OPERATORS;

    for (int64_t i = 0; i < bench->rows; i++) {
        const int used = bench->space == UB_HWBENCH_NASBENCH201 ||
                         ub__hwbench_has_block(i / operators,
                                               (int32_t) (i % operators));

        if (used && isinf(values[i]))
            return ub__fail(bench->context, UB_ERR_NUMERIC,
                            "hwbench: value %lld of '%s' is infinite",
                            (long long) i, name);
        out[i] = used ? values[i] : NAN;
    }
    return UB_OK;
}

void ub_hwbench_metric_init(ub_hwbench_metric *metric, size_t size)
{
    const ub_hwbench_metric defaults = { .size = sizeof(defaults),
                                         .unit = "ms",
                                         .standard = -1 };

    ub__options_out(metric, size, &defaults, sizeof(defaults));
}

ub_status ub_hwbench_append(ub_hwbench *bench, const ub_hwbench_metric *metric,
                            int64_t n, const double *values,
                            int64_t *out_metric)
{
    ub_hwbench_metric m = { .size = 0 };
    ub__hwbench_new column = { .source = UB_HWBENCH_APPENDED };
    int64_t number;
    ub_status status;

    if (bench == NULL)
        return UB_ERR_INVALID;
    if (metric == NULL || values == NULL || n != bench->rows)
        return ub__fail(bench->context, UB_ERR_INVALID,
                        "hwbench: a column has %lld values, not %lld",
                        (long long) bench->rows, (long long) n);
    status = ub__options_in(bench->context, "ub_hwbench_metric", &m, sizeof(m),
                            sizeof(m), metric);
    if (status == UB_OK)
        status = check_metric(bench, &m);
    if (status == UB_OK)
        status = ub__hwbench_reserve(bench, 1);
    if (status != UB_OK)
        return status;
    column.owned = ub__alloc(bench->context, (size_t) n, sizeof(double));
    if (column.owned == NULL)
        return UB_ERR_NOMEM;
    status = copy_values(bench, m.name, values, column.owned);
    if (status != UB_OK) {
        ub__free(bench->context, column.owned);
        return status;
    }
    column.name = m.name;
    column.unit = m.unit;
    column.dataset = m.dataset;
    column.direction = m.direction;
    number = ub__hwbench_add(bench, &column);
    ub__hwbench_count_products(bench);
    if (out_metric != NULL)
        *out_metric = number;
    return UB_OK;
}
