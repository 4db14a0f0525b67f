/* SPDX-License-Identifier: BSD-2-Clause */
#include "hwbench/hwbench.h"

#include <math.h>
#include <string.h>

#define LAYERS    UB_HWBENCH_FBNET_LAYERS
#define OPERATORS UB_HWBENCH_FBNET_OPERATORS
#define BLOCKS    UB_HWBENCH_FBNET_BLOCKS

static const ub__column *column_at(const ub_hwbench *bench, int64_t metric)
{
    return metric >= 0 && metric < bench->n_columns ? &bench->columns[metric]
                                                    : NULL;
}

static ub_status fail_metric(const ub_hwbench *bench, int64_t metric)
{
    return ub__fail(bench->context, UB_ERR_INVALID,
                    "hwbench: there is no metric %lld, or no place for it",
                    (long long) metric);
}

static ub_status fail_space(const ub_hwbench *bench)
{
    return ub__fail(bench->context, UB_ERR_INVALID,
                    "hwbench: a query for the other space");
}

/* -- FBNet ----------------------------------------------------------------- */

/* Blocks in the order in which they are summed, from 0; where one did not
 * compile, what the table says of that. */
static double sum_blocks(const ub__column *column, const int32_t *operators)
{
    double sum = 0.0;

    if (column->values == NULL)
        return NAN;
    for (int block = 0; block < BLOCKS; block++) {
        const int is_layer = block > 0 && block <= LAYERS;
        const int op = is_layer ? operators[block - 1] : 0;
        const double value = column->values[block * OPERATORS + op];

        if (ub__hwbench_has_failed(column, value))
            return value;
        sum += value;
    }
    return sum;
}

static double fbnet_value(const ub_hwbench *bench, const ub__column *column,
                          const int32_t *operators)
{
    double product = NAN;

    if (!ub__hwbench_is_product(column))
        return sum_blocks(column, operators);
    for (int i = 0; i < UB__HWBENCH_FACTORS; i++) {
        const int64_t factor = bench->standard[column->dataset]
                                              [ub__hwbench_factors[i]];
        double sum;

        if (factor < 0)
            continue;
        sum = sum_blocks(&bench->columns[factor], operators);
        product = i == 0 ? sum : product * sum;
    }
    return product;
}

/* The best operator of a layer; -1 if one is not known or did not compile. */
static int32_t best_operator(const ub__column *column, int layer,
                             int32_t direction)
{
    const double *values = column->values + (layer + 1) * OPERATORS;
    int32_t best = 0;

    for (int32_t op = 0; op < OPERATORS; op++) {
        if (isnan(values[op]) || ub__hwbench_has_failed(column, values[op]))
            return -1;
        if (direction == UB_MINIMIZE ? values[op] < values[best]
                                     : values[op] > values[best])
            best = op;
    }
    return best;
}

/* -- names ----------------------------------------------------------------- */

const char *ub_hwbench_dataset_name(int32_t dataset)
{
    static const char names[UB__HWBENCH_DATASETS][16] = { "cifar10", "cifar100",
                                                          "ImageNet16-120",
                                                          "ImageNet" };

    return dataset >= 0 && dataset < UB__HWBENCH_DATASETS ? names[dataset]
                                                          : NULL;
}

int32_t ub_hwbench_dataset_find(const char *name)
{
    for (int32_t i = 0; name != NULL && i < UB__HWBENCH_DATASETS; i++) {
        if (strcmp(ub_hwbench_dataset_name(i), name) == 0)
            return i;
    }
    return -1;
}

int32_t ub_hwbench_space_of(const ub_hwbench *bench)
{
    return bench->space;
}

int64_t ub_hwbench_metrics(const ub_hwbench *bench)
{
    return bench->n_columns;
}

ub_status ub_hwbench_get_metric(const ub_hwbench *bench, int64_t metric,
                                ub_hwbench_metric *out)
{
    ub_hwbench_metric m = { .size = sizeof(m) };
    const ub__column *column;

    if (bench == NULL)
        return UB_ERR_INVALID;
    column = column_at(bench, metric);
    if (column == NULL || out == NULL || out->size < sizeof(size_t))
        return fail_metric(bench, metric);
    m.name = column->name;
    m.unit = column->unit;
    m.dataset = column->dataset;
    m.direction = column->direction;
    m.source = column->source;
    m.standard = column->standard;
    m.known = column->known;
    m.failed = column->failed;
    ub__options_out(out, out->size, &m, sizeof(m));
    return UB_OK;
}

int64_t ub_hwbench_find(const ub_hwbench *bench, int32_t dataset,
                        const char *name)
{
    if (bench == NULL || name == NULL)
        return -1;
    for (int64_t i = 0; i < bench->n_columns; i++) {
        if (bench->columns[i].dataset == dataset &&
            strcmp(bench->columns[i].name, name) == 0)
            return i;
    }
    return -1;
}

int64_t ub_hwbench_find_standard(const ub_hwbench *bench, int32_t dataset,
                                 int32_t standard)
{
    if (bench == NULL || dataset < 0 || dataset >= UB__HWBENCH_DATASETS ||
        standard < 0 || standard >= UB__HWBENCH_STANDARDS)
        return -1;
    return bench->standard[dataset][standard];
}

const ub_nasbench201 *ub_hwbench_order(const ub_hwbench *bench)
{
    return bench->order;
}

/* -- values ---------------------------------------------------------------- */

ub_status ub_hwbench_get(const ub_hwbench *bench, int64_t metric, int64_t index,
                         ub_hwbench_value *out)
{
    const ub__column *column;

    if (bench == NULL)
        return UB_ERR_INVALID;
    column = column_at(bench, metric);
    if (column == NULL || out == NULL)
        return fail_metric(bench, metric);
    if (bench->space != UB_HWBENCH_NASBENCH201)
        return fail_space(bench);
    if (index < 0 || index >= bench->rows)
        return ub__fail(bench->context, UB_ERR_INVALID,
                        "hwbench: there is no cell %lld", (long long) index);
    *out = ub__hwbench_value_of(column, ub__hwbench_at(bench, column, index));
    return UB_OK;
}

ub_status ub_hwbench_get_cell(const ub_hwbench *bench, int64_t metric,
                              const char *text, ub_hwbench_value *out)
{
    int64_t index;

    if (bench == NULL)
        return UB_ERR_INVALID;
    if (bench->space != UB_HWBENCH_NASBENCH201)
        return fail_space(bench);
    index = ub_nasbench201_find(bench->order, text);
    if (index < 0)
        return ub__fail(bench->context, UB_ERR_INVALID,
                        "hwbench: '%.100s' is no cell",
                        text != NULL ? text : "");
    return ub_hwbench_get(bench, metric, index, out);
}

ub_status ub_hwbench_get_fbnet(const ub_hwbench *bench, int64_t metric,
                               const int32_t *operators, ub_hwbench_value *out)
{
    const ub__column *column;

    if (bench == NULL)
        return UB_ERR_INVALID;
    column = column_at(bench, metric);
    if (column == NULL || out == NULL || operators == NULL)
        return fail_metric(bench, metric);
    if (bench->space != UB_HWBENCH_FBNET)
        return fail_space(bench);
    for (int i = 0; i < LAYERS; i++) {
        if (operators[i] < 0 || operators[i] >= OPERATORS)
            return ub__fail(bench->context, UB_ERR_INVALID,
                            "hwbench: layer %d of FBNet has no operator %d", i,
                            (int) operators[i]);
    }
    *out = ub__hwbench_value_of(column, fbnet_value(bench, column, operators));
    return UB_OK;
}

ub_status ub_hwbench_get_block(const ub_hwbench *bench, int64_t metric,
                               int64_t block, int32_t op, ub_hwbench_value *out)
{
    const ub__column *column;

    if (bench == NULL)
        return UB_ERR_INVALID;
    column = column_at(bench, metric);
    if (column == NULL || out == NULL || ub__hwbench_is_product(column))
        return fail_metric(bench, metric);
    if (bench->space != UB_HWBENCH_FBNET)
        return fail_space(bench);
    if (!ub__hwbench_has_block(block, op))
        return ub__fail(bench->context, UB_ERR_INVALID,
                        "hwbench: FBNet has no block %lld with operator %d",
                        (long long) block, (int) op);
    *out = ub__hwbench_value_of(
        column, ub__hwbench_at(bench, column, block * OPERATORS + op));
    return UB_OK;
}

ub_status ub_hwbench_fbnet_extreme(const ub_hwbench *bench, int64_t metric,
                                   int32_t direction, int32_t *operators,
                                   ub_hwbench_value *out)
{
    const ub__column *column;
    int32_t best[LAYERS];
    ub_hwbench_value value;

    if (bench == NULL)
        return UB_ERR_INVALID;
    column = column_at(bench, metric);
    if (column == NULL || operators == NULL || ub__hwbench_is_product(column) ||
        (direction != UB_MINIMIZE && direction != UB_MAXIMIZE))
        return fail_metric(bench, metric);
    if (bench->space != UB_HWBENCH_FBNET)
        return fail_space(bench);
    for (int i = 0; i < LAYERS; i++) {
        best[i] = column->values != NULL ? best_operator(column, i, direction)
                                         : -1;
        if (best[i] < 0)
            return ub__fail(bench->context, UB_ERR_INVALID,
                            "hwbench: '%s' of layer %d of FBNet is not known, "
                            "or did not compile",
                            column->name, i);
    }
    value = ub__hwbench_value_of(column, sum_blocks(column, best));
    if (value.state != UB_HWBENCH_KNOWN)
        return ub__fail(bench->context, UB_ERR_INVALID,
                        "hwbench: '%s' of the stem or the head of FBNet is not "
                        "known, or did not compile",
                        column->name);
    memcpy(operators, best, sizeof(best));
    if (out != NULL)
        *out = value;
    return UB_OK;
}
