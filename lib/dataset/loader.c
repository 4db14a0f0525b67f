/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataset/dataset.h"
#include "tensor/tensor.h"

#include <math.h>
#include <string.h>

#define MAX_BATCH   65536
#define MAX_PADDING 64
#define MAX_EPOCH   (((int64_t) 1 << 31) - 1)

/* A batch being filled, or lent to the caller. */
typedef struct slot {
    ub_tensor *images; /* NULL when no batch is full */
    int32_t *labels;
} slot;

struct ub_loader {
    ub_context *context;
    ub_dataset *dataset;
    ub__background *background; /* NULL: no prefetching */
    int64_t batch;
    uint64_t seed;
    int32_t shuffle, crop_padding, flip;
    int64_t batches;
    int64_t epoch; /* -1: none yet */
    int64_t next;  /* batch that ub_loader_next() gives */
    int64_t *order;
    slot slots[2];        /* batch number b is filled in slot b % 2, */
    ub_tensor *tail;      /* but a smaller last batch in this */
    float values[4][256]; /* of each channel's pixel values */
    int64_t filling;      /* batch that the background thread works on */
};

void ub_loader_options_init(ub_loader_options *options, size_t size)
{
    ub_loader_options defaults;
    memset(&defaults, 0, sizeof defaults);
    defaults.size = size;
    defaults.batch = 64;
    defaults.seed = 1;
    for (int c = 0; c < 4; c++)
        defaults.std[c] = 1;
    defaults.prefetch = 1;
    ub__options_out(options, size, &defaults, sizeof defaults);
}

static ub_status read_options(ub_context *context,
                              const ub_loader_options *options,
                              ub_loader_options *out)
{
    ub_loader_options_init(out, sizeof *out);
    if (options) {
        ub_status status = ub__options_in(context, "loader options", out,
                                          sizeof *out, sizeof *out, options);
        if (status)
            return status;
    }
    if (out->batch < 1 || out->batch > MAX_BATCH)
        return ub__fail(context, UB_ERR_INVALID,
                        "loader: batch of %lld, expected 1 to %d",
                        (long long) out->batch, MAX_BATCH);
    if (out->crop_padding < 0 || out->crop_padding > MAX_PADDING)
        return ub__fail(context, UB_ERR_INVALID,
                        "loader: crop padding %d, expected 0 to %d",
                        (int) out->crop_padding, MAX_PADDING);
    if (out->reserved != 0)
        return ub__fail(context, UB_ERR_INVALID, "loader: reserved is not 0");
    for (int c = 0; c < 4; c++) {
        if (!isfinite(out->mean[c]) || !isfinite(out->std[c]) ||
            out->std[c] <= 0)
            return ub__fail(context, UB_ERR_INVALID,
                            "loader: mean %g and std %g of channel %d, "
                            "expected finite ones and std above 0",
                            (double) out->mean[c], (double) out->std[c], c);
    }
    return UB_OK;
}

/* -- filling a batch ------------------------------------------------------- */

/* Streams of one seed: the order of each epoch, then each of its batches. The
 * top bit keeps them apart from small numbers used elsewhere. */
static void stream(const ub_loader *loader, int64_t batch, ub_rng *rng)
{
    uint64_t number = (uint64_t) 1 << 63 | (uint64_t) loader->epoch << 32 |
                      (uint64_t) (batch + 1);
    ub_rng_init(rng, loader->seed, number);
}

static int64_t batch_size(const ub_loader *loader, int64_t batch)
{
    int64_t left = ub_dataset_count(loader->dataset) - batch * loader->batch;
    return left < loader->batch ? left : loader->batch;
}

/* How one image is changed. */
typedef struct placement {
    int64_t down, right; /* the window moves, so the image moves against it */
    int64_t flip;
} placement;

/* Always the same number of draws, so that options do not move each other. */
static placement draw_change(const ub_loader *loader, ub_rng *rng)
{
    uint64_t places = 2 * (uint64_t) loader->crop_padding + 1;
    placement drawn;
    drawn.down = (int64_t) ub_rng_below(rng, places) - loader->crop_padding;
    drawn.right = (int64_t) ub_rng_below(rng, places) - loader->crop_padding;
    drawn.flip = (int64_t) (ub_rng_u64(rng) >> 63) & loader->flip;
    return drawn;
}

/* One row of a plane, or black if it lies outside (from is NULL). */
static void fill_row(const float values[256], const uint8_t *from,
                     int64_t width, const placement *change, float *to)
{
    for (int64_t x = 0; x < width; x++) {
        int64_t source = change->right + (change->flip ? width - 1 - x : x);
        int inside = from && source >= 0 && source < width;
        to[x] = values[inside ? from[source] : 0];
    }
}

static void fill_plain_row(const float values[256], const uint8_t *from,
                           int64_t width, float *to)
{
    for (int64_t x = 0; x < width; x++)
        to[x] = values[from[x]];
}

static void fill_image(const ub_loader *loader, const uint8_t *image,
                       const placement *change, float *to)
{
    int64_t height = ub_dataset_height(loader->dataset);
    int64_t width = ub_dataset_width(loader->dataset);
    int64_t channels = ub_dataset_channels(loader->dataset);
    int plain = !change->right && !change->flip;
    for (int64_t row = 0; row < channels * height; row++) {
        const float *values = loader->values[row / height];
        int64_t y = row % height + change->down;
        int inside = y >= 0 && y < height;
        const uint8_t *from = NULL;
        if (inside)
            from = image + (row / height * height + y) * width;
        if (plain && inside)
            fill_plain_row(values, from, width, to + row * width);
        else
            fill_row(values, from, width, change, to + row * width);
    }
}

static ub_tensor *batch_images(const ub_loader *loader, int64_t batch)
{
    if (batch_size(loader, batch) < loader->batch)
        return loader->tail;
    return loader->slots[batch % 2].images;
}

/* In the background thread: no allocation, no error, no context. */
static void fill_batch(void *arg)
{
    ub_loader *loader = arg;
    const ub_dataset *dataset = loader->dataset;
    int64_t batch = loader->filling;
    int64_t n = batch_size(loader, batch);
    ub_rng rng;
    stream(loader, batch, &rng);
    float *to = ub_tensor_data(batch_images(loader, batch));
    int64_t floats = ub_dataset_channels(dataset) * ub_dataset_height(dataset) *
                     ub_dataset_width(dataset);
    for (int64_t i = 0; i < n; i++) {
        int64_t index = loader->order[batch * loader->batch + i];
        placement drawn = draw_change(loader, &rng);
        loader->slots[batch % 2].labels[i] = ub_dataset_label(dataset, index);
        fill_image(loader, ub_dataset_image(dataset, index), &drawn,
                   to + i * floats);
    }
}

static void begin_batch(ub_loader *loader, int64_t batch)
{
    if (batch >= loader->batches)
        return;
    loader->filling = batch;
    if (loader->background)
        ub__background_start(loader->background, fill_batch, loader);
}

static void finish_batch(ub_loader *loader)
{
    if (loader->background)
        ub__background_wait(loader->background);
    else
        fill_batch(loader);
}

static void make_order(ub_loader *loader)
{
    int64_t n = ub_dataset_count(loader->dataset);
    for (int64_t i = 0; i < n; i++)
        loader->order[i] = i;
    if (!loader->shuffle)
        return;
    ub_rng rng;
    stream(loader, -1, &rng);
    ub_rng_shuffle(&rng, loader->order, (size_t) n);
}

/* -- life ------------------------------------------------------------------ */

static ub_status create_slots(ub_loader *loader)
{
    const ub_dataset *dataset = loader->dataset;
    int64_t shape[4] = { loader->batch, ub_dataset_channels(dataset),
                         ub_dataset_height(dataset),
                         ub_dataset_width(dataset) };
    int64_t full = ub_dataset_count(dataset) / loader->batch;
    for (int i = 0; i < 2; i++) {
        slot *made = &loader->slots[i];
        made->labels = ub__alloc(loader->context, (size_t) loader->batch,
                                 sizeof *made->labels);
        if (!made->labels)
            return UB_ERR_NOMEM;
        if (full <= i)
            continue;
        ub_status status = ub_tensor_create(loader->context, 4, shape,
                                            &made->images);
        if (status)
            return status;
    }
    if (loader->batches == full)
        return UB_OK;
    shape[0] = ub_dataset_count(dataset) % loader->batch;
    return ub_tensor_create(loader->context, 4, shape, &loader->tail);
}

static void set_options(ub_loader *loader, const ub_loader_options *options)
{
    int64_t n = ub_dataset_count(loader->dataset);
    loader->batch = options->batch;
    loader->seed = options->seed;
    loader->shuffle = options->shuffle;
    loader->crop_padding = options->crop_padding;
    loader->flip = options->flip != 0;
    loader->batches = n / options->batch;
    if (!options->drop_last && n % options->batch)
        loader->batches++;
    loader->epoch = -1;
    for (int c = 0; c < 4; c++) {
        for (int p = 0; p < 256; p++)
            loader->values[c][p] = ((float) p / 255 - options->mean[c]) /
                                   options->std[c];
    }
}

static ub_status create(ub_loader *loader, const ub_dataset *dataset,
                        const ub_loader_options *options)
{
    int64_t n = ub_dataset_count(dataset);
    ub_status status = ub_dataset_slice(dataset, 0, n, &loader->dataset);
    if (status)
        return status;
    set_options(loader, options);
    loader->order = ub__alloc(loader->context, (size_t) n,
                              sizeof *loader->order);
    if (!loader->order)
        return UB_ERR_NOMEM;
    status = create_slots(loader);
    if (!status && options->prefetch)
        status = ub__background_create(loader->context, &loader->background);
    return status;
}

ub_status ub_loader_create(ub_context *context, const ub_dataset *dataset,
                           const ub_loader_options *options, ub_loader **out)
{
    if (!context || !dataset || !out)
        return ub__fail(context, UB_ERR_INVALID, "loader: NULL argument");
    ub_loader_options full;
    ub_status status = read_options(context, options, &full);
    if (status)
        return status;
    ub_loader *loader = ub__calloc(context, 1, sizeof *loader);
    if (!loader)
        return UB_ERR_NOMEM;
    loader->context = context;
    status = create(loader, dataset, &full);
    if (status) {
        ub_loader_destroy(&loader);
        return status;
    }
    *out = loader;
    return UB_OK;
}

void ub_loader_destroy(ub_loader **loader)
{
    if (!loader || !*loader)
        return;
    ub_loader *gone = *loader;
    *loader = NULL;
    ub__background_destroy(&gone->background);
    for (int i = 0; i < 2; i++) {
        ub_tensor_unref(&gone->slots[i].images);
        ub__free(gone->context, gone->slots[i].labels);
    }
    ub_tensor_unref(&gone->tail);
    ub__free(gone->context, gone->order);
    ub_dataset_destroy(&gone->dataset);
    ub__free(gone->context, gone);
}

int64_t ub_loader_batches(const ub_loader *loader)
{
    return loader->batches;
}

ub_status ub_loader_start(ub_loader *loader, int64_t epoch, int64_t first_batch)
{
    if (!loader)
        return UB_ERR_INVALID;
    if (epoch < 0 || epoch > MAX_EPOCH || first_batch < 0 ||
        first_batch > loader->batches)
        return ub__fail(loader->context, UB_ERR_INVALID,
                        "loader: epoch %lld from batch %lld, expected up to "
                        "epoch %lld and batch %lld",
                        (long long) epoch, (long long) first_batch,
                        (long long) MAX_EPOCH, (long long) loader->batches);
    if (loader->background)
        ub__background_wait(loader->background);
    loader->epoch = epoch;
    loader->next = first_batch;
    make_order(loader);
    begin_batch(loader, first_batch);
    return UB_OK;
}

ub_status ub_loader_next(ub_loader *loader, ub_tensor **out_images,
                         const int32_t **out_labels, int64_t *out_n)
{
    if (!loader || !out_images || !out_labels || !out_n)
        return ub__fail(loader ? loader->context : NULL, UB_ERR_INVALID,
                        "loader: NULL argument");
    if (loader->epoch < 0)
        return ub__fail(loader->context, UB_ERR_INVALID,
                        "loader: no epoch was started");
    int64_t batch = loader->next;
    int end = batch >= loader->batches;
    if (!end) {
        finish_batch(loader);
        loader->next++;
        begin_batch(loader, batch + 1);
    }
    *out_images = end ? NULL : batch_images(loader, batch);
    *out_labels = end ? NULL : loader->slots[batch % 2].labels;
    *out_n = end ? 0 : batch_size(loader, batch);
    return UB_OK;
}
