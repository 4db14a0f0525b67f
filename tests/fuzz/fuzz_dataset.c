/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzz.h"

#include <stdlib.h>
#include <uboost/dataset.h>

static void check_labels(const ub_dataset *dataset)
{
    if (ub_dataset_count(dataset) < 1)
        abort();
    for (int64_t i = 0; i < ub_dataset_count(dataset); i++) {
        if (ub_dataset_label(dataset, i) < 0 ||
            ub_dataset_label(dataset, i) >= ub_dataset_classes(dataset))
            abort();
    }
}

/* A file of such a name is an archive of CIFAR, compressed or not. */
static void read_dataset(ub_context *context, const char *path)
{
    ub_dataset *train = NULL, *test = NULL;

    if (ub_dataset_open(context, path, NULL, &train, &test) != UB_OK)
        return;
    check_labels(train);
    check_labels(test);
    ub_dataset_destroy(&train);
    ub_dataset_destroy(&test);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_run(data, size, read_dataset);
}
