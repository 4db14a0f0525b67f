/* SPDX-License-Identifier: BSD-2-Clause */
#include "hwbench/hwbench.h"

/* Read a file of a folder if it is there. */
static ub_status read_if_there(ub_hwbench *bench, const char *folder,
                               const char *name, int32_t dataset, int *found)
{
    char *path = ub__path_join(bench->context, folder, name);
    ub_status status = UB_OK;

    if (path == NULL)
        return UB_ERR_NOMEM;
    if (ub__file_exists(path)) {
        *found += 1;
        status = ub_hwbench_read(bench, dataset, path);
    }
    ub__free(bench->context, path);
    return status;
}

static ub_status read_cells(ub_hwbench *bench, const char *folder, int *found)
{
    static const char joined[][32] = { "nb201_accuracy.csv",
                                       "nb201_12epoch_accuracy.tsv",
                                       "nb201_help_latency_ms.csv" };
    ub_status status = UB_OK;

    for (int32_t i = UB_HWBENCH_CIFAR10;
         status == UB_OK && i <= UB_HWBENCH_IMAGENET16_120; i++) {
        char name[64];

        snprintf(name, sizeof(name), "nb201_hwnasbench_%s.csv",
                 ub_hwbench_dataset_name(i));
        status = read_if_there(bench, folder, name, i, found);
    }
    for (int i = 0; status == UB_OK && i < 3; i++)
        status = read_if_there(bench, folder, joined[i], UB_HWBENCH_CIFAR10,
                               found);
    return status;
}

ub_status ub__hwbench_read_folder(ub_hwbench *bench, const char *path)
{
    int found = 0;
    ub_status status;

    if (bench->space == UB_HWBENCH_FBNET)
        status = read_if_there(bench, path, "fbnet_hwnasbench_lut.csv",
                               UB_HWBENCH_CIFAR100, &found);
    else
        status = read_cells(bench, path, &found);
    if (status == UB_OK && found == 0)
        return ub__hwbench_fail_absent(bench, path);
    return status;
}
