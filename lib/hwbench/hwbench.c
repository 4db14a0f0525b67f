/* SPDX-License-Identifier: BSD-2-Clause */
#include "hwbench/hwbench.h"

#include <math.h>
#include <string.h>

static int has_standard(int32_t space, int32_t standard)
{
    if (space == UB_HWBENCH_NASBENCH201)
        return 1;
    return standard < UB_HWBENCH_TEST_ACCURACY &&
           standard != UB_HWBENCH_EDGETPU_LATENCY &&
           standard != UB_HWBENCH_EYERISS_ARITHMETIC_INTENSITY;
}

/* Columns of the standard metrics, all unknown. */
static void add_standards(ub_hwbench *bench, int32_t dataset)
{
    for (int32_t i = 0; i < UB__HWBENCH_STANDARDS; i++) {
        const ub__hwbench_kind *kind = ub__hwbench_kind_of(i);
        const ub__hwbench_new column = { .name = kind->name,
                                         .unit = kind->unit,
                                         .dataset = dataset,
                                         .direction = kind->direction,
                                         .source = UB_HWBENCH_NOWHERE };
        int64_t number;

        if (!has_standard(bench->space, i))
            continue;
        number = ub__hwbench_add(bench, &column);
        bench->columns[number].standard = i;
        bench->standard[dataset][i] = number;
    }
}

/* Of a row: a cell, or a block with an operator. */
static double form_at(const ub_hwbench *bench, int32_t standard,
                      int32_t dataset, int64_t row)
{
    const int64_t block = row / UB_HWBENCH_FBNET_OPERATORS;
    const int32_t op = (int32_t) (row % UB_HWBENCH_FBNET_OPERATORS);
    int32_t operators[UB_NASBENCH201_EDGES];

    if (bench->space == UB_HWBENCH_FBNET)
        return ub__hwbench_has_block(block, op)
                   ? ub__hwbench_fbnet_form(standard, dataset, block, op)
                   : NAN;
    if (ub_nasbench201_get(bench->order, row, operators) != UB_OK)
        return NAN;
    return ub__hwbench_closed_form(standard, dataset, operators);
}

/* Row 0 tells whether there is a form at all. */
static ub_status add_forms(ub_hwbench *bench, int32_t dataset)
{
    for (int32_t i = 0; i < UB__HWBENCH_STANDARDS; i++) {
        const ub__hwbench_kind *kind = ub__hwbench_kind_of(i);
        ub__hwbench_new column = { .name = kind->name,
                                   .dataset = dataset,
                                   .source = UB_HWBENCH_COMPUTED };

        if (isnan(form_at(bench, i, dataset, 0)))
            continue;
        column.owned = ub__alloc(bench->context, (size_t) bench->rows,
                                 sizeof(double));
        if (column.owned == NULL)
            return UB_ERR_NOMEM;
        for (int64_t row = 0; row < bench->rows; row++)
            column.owned[row] = form_at(bench, i, dataset, row);
        ub__hwbench_add(bench, &column);
    }
    return UB_OK;
}

static ub_status add_all(ub_hwbench *bench)
{
    const int64_t room = UB__HWBENCH_DATASETS * UB__HWBENCH_STANDARDS;
    ub_status status = ub__hwbench_reserve(bench, room);

    for (int32_t i = 0; status == UB_OK && i < UB__HWBENCH_DATASETS; i++) {
        if (!ub__hwbench_has_dataset(bench->space, i))
            continue;
        add_standards(bench, i);
        status = add_forms(bench, i);
    }
    if (status == UB_OK)
        ub__hwbench_count_products(bench);
    return status;
}

/* With all that needs no file. */
static ub_status create(ub_context *context, int32_t space, ub_hwbench **out)
{
    ub_hwbench *bench = ub__calloc(context, 1, sizeof(*bench));
    ub_status status = UB_OK;

    if (bench == NULL)
        return UB_ERR_NOMEM;
    bench->context = context;
    bench->space = space;
    memset(bench->standard, -1, sizeof(bench->standard));
    if (space == UB_HWBENCH_FBNET) {
        bench->rows = UB__HWBENCH_FBNET_ROWS;
    } else {
        bench->rows = UB__HWBENCH_CELLS;
        status = ub_nasbench201_create(context, &bench->order);
    }
    if (status == UB_OK)
        status = add_all(bench);
    if (status != UB_OK) {
        ub_hwbench_destroy(&bench);
        return status;
    }
    *out = bench;
    return UB_OK;
}

static ub_status read_file(ub_hwbench *bench, const char *path)
{
    ub__mapping *file = &bench->mapping;
    ub_status status = ub__file_map(bench->context, path, UB__HWBENCH_MAX_FILE,
                                    file);

    if (status != UB_OK)
        return status;
    if (ub__hwbench_is_table(file->data, file->size))
        return ub__hwbench_read_table(bench, path);
    if (!ub__hwbench_is_pickle(file->data, file->size))
        return ub__fail(bench->context, UB_ERR_FORMAT,
                        "%s: neither a folder of tables, nor a table, nor a "
                        "pickle of tables",
                        path);
    status = ub__hwbench_import(bench, path);
    ub__file_unmap(file);
    return status;
}

int ub__hwbench_has_dataset(int32_t space, int32_t dataset)
{
    if (space == UB_HWBENCH_FBNET)
        return dataset == UB_HWBENCH_CIFAR100 || dataset == UB_HWBENCH_IMAGENET;
    return dataset >= UB_HWBENCH_CIFAR10 &&
           dataset <= UB_HWBENCH_IMAGENET16_120;
}

ub_status ub__hwbench_fail_absent(const ub_hwbench *bench, const char *path)
{
    return ub__fail(bench->context, UB_ERR_IO, "%s: no table of %s", path,
                    bench->space == UB_HWBENCH_FBNET ? "FBNet"
                                                     : "NAS-Bench-201");
}

ub_status ub_hwbench_open(ub_context *context, const char *path, int32_t space,
                          ub_hwbench **out)
{
    ub_hwbench *bench = NULL;
    ub_status status;

    if (context == NULL)
        return UB_ERR_INVALID;
    if (out == NULL ||
        (space != UB_HWBENCH_NASBENCH201 && space != UB_HWBENCH_FBNET))
        return ub__fail(context, UB_ERR_INVALID,
                        "hwbench: there is no space %d, or no place for it",
                        (int) space);
    status = create(context, space, &bench);
    if (status == UB_OK && path != NULL)
        status = ub__is_folder(path) ? ub__hwbench_read_folder(bench, path)
                                     : read_file(bench, path);
    if (status != UB_OK) {
        ub_hwbench_destroy(&bench);
        return status;
    }
    *out = bench;
    return UB_OK;
}

void ub_hwbench_destroy(ub_hwbench **bench)
{
    ub_hwbench *b;

    if (bench == NULL || *bench == NULL)
        return;
    b = *bench;
    for (int64_t i = 0; i < b->n_columns; i++)
        ub__free(b->context, b->columns[i].owned);
    ub__free(b->context, b->columns);
    ub_nasbench201_destroy(&b->order);
    ub__file_unmap(&b->mapping);
    ub__free(b->context, b);
    *bench = NULL;
}
