/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_TESTS_HWBENCH_TABLES_H
#define UBOOST_TESTS_HWBENCH_TABLES_H

#include "support.h"

#include <uboost/hwbench.h>

/* A table of what needs no file. */
ub_hwbench *tables_forms(ub_context *context, int32_t space);

/* The number of a column, which must be there. */
int64_t tables_find(const ub_hwbench *bench, int32_t dataset, const char *name);

/* A value of a cell; and that it is this one, where NaN is NaN. */
ub_hwbench_value tables_get(const ub_hwbench *bench, int32_t dataset,
                            const char *name, int64_t index);
void tables_expect(const ub_hwbench *bench, int32_t dataset, const char *name,
                   int64_t index, int32_t state, double value);

/* Append a column, on CIFAR-100; its number. */
int64_t tables_append(ub_hwbench *bench, const char *name, const char *unit,
                      int32_t direction, int64_t n, const double *values);

/* A test_reader: opens the file for FBNet. */
int tables_read(ub_context *context, const char *path);

/* Scenarios for assert_survives_oom(): open the path `arg`. */
ub_status tables_open_cells(ub_context *context, void *arg);
ub_status tables_open_fbnet(ub_context *context, void *arg);

#endif
