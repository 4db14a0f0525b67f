/* SPDX-License-Identifier: BSD-2-Clause */
#include "search/search.h"

#include <string.h>

/* Images of a batch when nothing is learnt. */
#define TEST_BATCH 250

/* The paper's constants for CIFAR-10; the images' own for other sets. */
static void set_statistics(ub__data *data)
{
    static const float mean[3] = { 0.49139968f, 0.48215827f, 0.44653124f };
    static const float std[3] = { 0.24703233f, 0.24348505f, 0.26158768f };

    for (int c = 0; c < 4; c++)
        data->std[c] = 1.0f;
    if (strcmp(ub_dataset_name(data->train), "cifar10") == 0) {
        memcpy(data->mean, mean, sizeof(mean));
        memcpy(data->std, std, sizeof(std));
        return;
    }
    ub_dataset_statistics(data->train, data->mean, data->std);
    for (int c = 0; c < 4; c++) {
        if (!(data->std[c] > 1e-3f))
            data->std[c] = 1.0f;
    }
}

static ub_status check_sets(ub_context *context, const ub_dataset *train,
                            const ub_dataset *test, int64_t chosen)
{
    if (ub_dataset_channels(train) != ub_dataset_channels(test) ||
        ub_dataset_height(train) != ub_dataset_height(test) ||
        ub_dataset_width(train) != ub_dataset_width(test) ||
        ub_dataset_classes(train) != ub_dataset_classes(test))
        return ub__fail(context, UB_ERR_SHAPE,
                        "search: training and test images differ in size, "
                        "channels or classes");
    if (chosen > ub_dataset_count(train))
        return ub__fail(context, UB_ERR_INVALID,
                        "search: %lld training images wanted, there are %lld",
                        (long long) chosen,
                        (long long) ub_dataset_count(train));
    return UB_OK;
}

/* Every epoch of a search needs a batch for the weights and one for the
 * architecture; the last tenth of the n images is kept for validation. */
static ub_status check_batches(ub_context *context, const ub_search_options *o,
                               int64_t n)
{
    const int64_t images = n - n / 10;
    const int64_t first = o->splits == 2
                              ? (int64_t) ((double) images * o->weight_share)
                              : images - o->search_batch;

    if (n >= 10 && first >= o->search_batch &&
        images - first >= o->search_batch)
        return UB_OK;
    return ub__fail(context, UB_ERR_INVALID,
                    "search: %lld training images, a tenth of them for "
                    "validation, are too few for batches of %lld",
                    (long long) n, (long long) o->search_batch);
}

ub_status ub__data_open(ub_context *context, const ub_search_options *options,
                        const ub_dataset *train, const ub_dataset *test,
                        int with_validation, ub__data *data)
{
    const int64_t n = options->train_images ? options->train_images
                                            : ub_dataset_count(train);
    ub_status status;

    memset(data, 0, sizeof(*data));
    status = check_sets(context, train, test, n);
    if (status == UB_OK && with_validation)
        status = check_batches(context, options, n);
    if (status == UB_OK)
        status = ub_dataset_choose(train, n, options->seed, &data->chosen);
    if (status != UB_OK)
        return status;
    data->train = data->chosen;
    data->test = test;
    set_statistics(data);
    if (with_validation && status == UB_OK)
        status = ub_dataset_slice(data->chosen, 0, n - n / 10, &data->search);
    if (with_validation && status == UB_OK)
        status = ub_dataset_slice(data->chosen, n - n / 10, n,
                                  &data->validation);
    if (status != UB_OK)
        ub__data_close(data);
    return status;
}

void ub__data_close(ub__data *data)
{
    ub_dataset_destroy(&data->search);
    ub_dataset_destroy(&data->validation);
    ub_dataset_destroy(&data->chosen);
}

ub_status ub__data_loader(ub_context *context, const ub_search_options *options,
                          const ub__data *data, int stage,
                          const ub_dataset *set, int64_t batch, ub_loader **out)
{
    const int64_t n = ub_dataset_count(set);
    ub_loader_options o;

    ub_loader_options_init(&o, sizeof(o));
    o.seed = options->seed * 4 + (uint64_t) stage;
    memcpy(o.mean, data->mean, sizeof(o.mean));
    memcpy(o.std, data->std, sizeof(o.std));
    o.batch = TEST_BATCH;
    if (batch != 0) {
        o.batch = batch < n ? batch : n;
        o.shuffle = 1;
        o.drop_last = 1;
        o.crop_padding = (int32_t) options->crop_padding;
        o.flip = options->flip;
    }
    return ub_loader_create(context, set, &o, out);
}

/* Labels of one batch that the logits get right. */
static ub_status count_batch(ub_tape *tape, ub_tensor *images,
                             const int32_t *labels, ub__logits_fn forward,
                             void *self, int64_t *correct)
{
    ub_variable *x, *logits;
    ub_status status = ub_tape_constant(tape, images, &x);

    if (status == UB_OK)
        status = forward(self, x, &logits);
    if (status == UB_OK)
        status = ub_count_correct(ub_variable_value(logits), labels, 1,
                                  correct);
    ub_tape_clear(tape);
    return status;
}

ub_status ub__accuracy(ub_loader *loader, ub_tape *tape, ub__logits_fn forward,
                       void *self, double *accuracy)
{
    int64_t correct = 0, images = 0;
    ub_status status = ub_loader_start(loader, 0, 0);

    /* Its batches are not those of training: neither keeps memory for the
     * other. */
    ub__block_trim(ub_tape_context(tape));
    ub_tape_set_recording(tape, 0);
    while (status == UB_OK) {
        const int32_t *labels;
        ub_tensor *batch;
        int64_t n, right = 0;

        status = ub_loader_next(loader, &batch, &labels, &n);
        if (status != UB_OK || n == 0)
            break;
        status = count_batch(tape, batch, labels, forward, self, &right);
        correct += right;
        images += n;
    }
    ub_tape_set_recording(tape, 1);
    ub__block_trim(ub_tape_context(tape));
    if (status == UB_OK)
        *accuracy = images ? (double) correct / (double) images : 0.0;
    return status;
}
