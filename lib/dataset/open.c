/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataset/dataset.h"

#include <string.h>

void ub_dataset_options_init(ub_dataset_options *options, size_t size)
{
    ub_dataset_options defaults;
    memset(&defaults, 0, sizeof defaults);
    defaults.size = size;
    defaults.synthetic_seed = 1;
    defaults.synthetic_train = 10000;
    defaults.synthetic_test = 2000;
    ub__options_out(options, size, &defaults, sizeof defaults);
}

static ub_status read_options(ub_context *context,
                              const ub_dataset_options *options,
                              ub_dataset_options *out)
{
    ub_dataset_options_init(out, sizeof *out);
    if (options) {
        ub_status status = ub__options_in(context, "dataset options", out,
                                          sizeof *out, sizeof *out, options);
        if (status)
            return status;
    }
    if (out->image_size < 0 || out->image_size > UB__MAX_IMAGE_SIZE)
        return ub__fail(context, UB_ERR_INVALID,
                        "dataset: image size %d, expected 0 to %d",
                        (int) out->image_size, UB__MAX_IMAGE_SIZE);
    if (out->reserved != 0)
        return ub__fail(context, UB_ERR_INVALID, "dataset: reserved is not 0");
    if (out->synthetic_train < 1 || out->synthetic_test < 1)
        return ub__fail(context, UB_ERR_INVALID,
                        "dataset: %lld and %lld synthetic images, expected 1 "
                        "or more",
                        (long long) out->synthetic_train,
                        (long long) out->synthetic_test);
    return UB_OK;
}

/* What a file or folder of some name holds, looked for in this order. */
typedef struct layout {
    char name[28];
    int32_t archive;  /* 1: CIFAR archive */
    int32_t is_child; /* 1: the folder of that name is the data set */
} layout;

static const layout cifar_layouts[] = {
    { "data_batch_1.bin", 0, 0 },       { "train.bin", 0, 0 },
    { "cifar-10-batches-bin", 0, 1 },   { "cifar-100-binary", 0, 1 },
    { "cifar-10-binary.tar.gz", 1, 0 }, { "cifar-100-binary.tar.gz", 1, 0 },
};

/* *found says whether the folder holds a CIFAR in one of the layouts. */
static ub_status open_cifar(ub_context *context, const char *path,
                            int64_t image_size, int *found, ub__image_sets *out)
{
    size_t n = sizeof cifar_layouts / sizeof cifar_layouts[0];
    for (size_t i = 0; i < n; i++) {
        const layout *try = &cifar_layouts[i];
        char *child = ub__path_join(context, path, try->name);
        if (!child)
            return UB_ERR_NOMEM;
        *found = try->is_child ? ub__is_folder(child) : ub__file_exists(child);
        ub_status status = UB_OK;
        if (*found && try->archive)
            status = ub__cifar_read_archive(context, child, image_size, out);
        else if (*found)
            status = ub__cifar_read_folder(
                context, try->is_child ? child : path, image_size, out);
        ub__free(context, child);
        if (*found)
            return status;
    }
    return UB_OK;
}

static ub_status open_folder(ub_context *context, const char *path,
                             int64_t image_size, ub__image_sets *out)
{
    int found = 0;
    ub_status status = open_cifar(context, path, image_size, &found, out);
    if (status || found)
        return status;
    if (ub__idx_found(context, path))
        return ub__idx_read(context, path, image_size, out);
    return ub__folder_read(context, path, image_size, out);
}

static ub_status open_file(ub_context *context, const char *path,
                           int64_t image_size, ub__image_sets *out)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    if (strncmp(name, "train-images", 12) != 0)
        return ub__cifar_read_archive(context, path, image_size, out);
    char *folder = ub__strdup(context, slash ? path : ".");
    if (!folder)
        return UB_ERR_NOMEM;
    if (slash)
        folder[slash > path ? slash - path : 1] = 0;
    ub_status status = ub__idx_read(context, folder, image_size, out);
    ub__free(context, folder);
    return status;
}

static ub_status open_path(ub_context *context, const char *path,
                           const ub_dataset_options *options,
                           ub__image_sets *out)
{
    int64_t image_size = options->image_size;
    if (!strcmp(path, "synthetic"))
        return ub__synthetic_draw(context, options->synthetic_seed,
                                  options->synthetic_train,
                                  options->synthetic_test, image_size, out);
    if (ub__is_folder(path))
        return open_folder(context, path, image_size, out);
    if (ub__file_exists(path))
        return open_file(context, path, image_size, out);
    return ub__fail(context, UB_ERR_IO,
                    "%s: no such file or folder, expected a data set", path);
}

static ub_status wrap_sets(ub__image_sets *sets, ub_dataset **out_train,
                           ub_dataset **out_test)
{
    ub_dataset *test = NULL;
    ub_status status = ub__dataset_wrap(sets->test, sets->test->count, NULL,
                                        &test);
    if (status)
        return status;
    sets->test = NULL;
    ub_dataset *train = NULL;
    status = ub__dataset_wrap(sets->train, sets->train->count,
                              sets->train_order, &train);
    if (status) {
        ub_dataset_destroy(&test);
        return status;
    }
    sets->train = NULL;
    sets->train_order = NULL;
    *out_train = train;
    if (out_test)
        *out_test = test;
    else
        ub_dataset_destroy(&test);
    return UB_OK;
}

ub_status ub_dataset_open(ub_context *context, const char *path,
                          const ub_dataset_options *options,
                          ub_dataset **out_train, ub_dataset **out_test)
{
    if (!context || !path || !out_train)
        return ub__fail(context, UB_ERR_INVALID, "dataset: NULL argument");
    ub_dataset_options full;
    ub_status status = read_options(context, options, &full);
    if (status)
        return status;
    ub__image_sets sets = { NULL, NULL, NULL };
    status = open_path(context, path, &full, &sets);
    if (!status)
        status = wrap_sets(&sets, out_train, out_test);
    ub__images_unref(&sets.train);
    ub__images_unref(&sets.test);
    ub__free(context, sets.train_order);
    return status;
}
