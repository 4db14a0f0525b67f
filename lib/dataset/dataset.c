/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataset/dataset.h"

#include <math.h>
#include <string.h>

#define FIRST_BYTES (16 << 20) /* first allocation of a reader */

struct ub_dataset {
    ub__images *images;
    int64_t count;
    int64_t *indexes; /* NULL: 0, 1, 2, ... */
};

/* -- images ---------------------------------------------------------------- */

ub_status ub__images_create(ub_context *context, const char *name,
                            int64_t channels, int64_t height, int64_t width,
                            int64_t classes, ub__images **out)
{
    if (classes < 1 || classes > UB__MAX_CLASSES)
        return ub__fail(context, UB_ERR_RANGE,
                        "%lld classes, supported are 1 to %d",
                        (long long) classes, UB__MAX_CLASSES);
    ub__images *images = ub__calloc(context, 1, sizeof *images);
    if (!images)
        return UB_ERR_NOMEM;
    images->context = context;
    images->name = name;
    images->references = 1;
    images->channels = channels;
    images->height = height;
    images->width = width;
    images->classes = classes;
    images->class_names = ub__calloc(context, (size_t) classes,
                                     sizeof *images->class_names);
    if (!images->class_names) {
        ub__images_unref(&images);
        return UB_ERR_NOMEM;
    }
    for (int64_t i = 0; i < classes; i++)
        snprintf(images->class_names[i], UB__CLASS_NAME, "%lld", (long long) i);
    *out = images;
    return UB_OK;
}

void ub__images_unref(ub__images **images)
{
    ub__images *gone = *images;
    *images = NULL;
    if (!gone || --gone->references > 0)
        return;
    ub_context *context = gone->context;
    ub__free(context, gone->pixels);
    ub__free(context, gone->labels);
    ub__free(context, gone->class_names);
    ub__free(context, gone);
}

int64_t ub__images_bytes(const ub__images *images)
{
    return images->channels * images->height * images->width;
}

/* Pixels and labels grow one after the other; capacity is what both have. */
static ub_status images_grow(ub__images *images, int64_t capacity)
{
    ub_context *context = images->context;
    size_t bytes = (size_t) ub__images_bytes(images);
    size_t from = (size_t) images->capacity;
    size_t to = (size_t) capacity;
    int32_t *labels = ub__alloc(context, to, sizeof *labels);
    if (!labels)
        return UB_ERR_NOMEM;
    uint8_t *pixels = ub__realloc(context, images->pixels, from, to, bytes);
    if (!pixels) {
        ub__free(context, labels);
        return UB_ERR_NOMEM;
    }
    if (images->count)
        memcpy(labels, images->labels, (size_t) images->count * sizeof *labels);
    ub__free(context, images->labels);
    images->labels = labels;
    images->pixels = pixels;
    images->capacity = capacity;
    return UB_OK;
}

static int64_t images_limit(const ub__images *images)
{
    int64_t limit = UB__MAX_IMAGES_BYTES / ub__images_bytes(images);
    return limit < UB__MAX_IMAGES ? limit : UB__MAX_IMAGES;
}

static ub_status too_many(const ub__images *images)
{
    return ub__fail(images->context, UB_ERR_RANGE,
                    "more than %lld images of %lld bytes each",
                    (long long) images_limit(images),
                    (long long) ub__images_bytes(images));
}

ub_status ub__images_reserve(ub__images *images, int64_t count)
{
    if (count > images_limit(images))
        return too_many(images);
    return count > images->capacity ? images_grow(images, count) : UB_OK;
}

ub_status ub__images_room(ub__images *images, int64_t expected)
{
    int64_t limit = images_limit(images);
    if (images->count >= limit)
        return too_many(images);
    if (images->count < images->capacity)
        return UB_OK;
    int64_t capacity = 2 * images->count;
    int64_t least = FIRST_BYTES / ub__images_bytes(images) + 1;
    if (capacity < least)
        capacity = least;
    if (capacity > expected && expected > images->count)
        capacity = expected;
    return images_grow(images, capacity < limit ? capacity : limit);
}

uint8_t *ub__images_next(const ub__images *images)
{
    return images->pixels + images->count * ub__images_bytes(images);
}

/* -- data sets ------------------------------------------------------------- */

ub_status ub__dataset_wrap(ub__images *images, int64_t n, int64_t *indexes,
                           ub_dataset **out)
{
    ub_dataset *dataset = ub__calloc(images->context, 1, sizeof *dataset);
    if (!dataset)
        return UB_ERR_NOMEM;
    dataset->images = images;
    dataset->count = n;
    dataset->indexes = indexes;
    *out = dataset;
    return UB_OK;
}

static int64_t place(const ub_dataset *dataset, int64_t index)
{
    return dataset->indexes ? dataset->indexes[index] : index;
}

/* The subset at n places of the shared images; takes over `places`. */
static ub_status share(const ub_dataset *dataset, int64_t n, int64_t *places,
                       ub_dataset **out)
{
    ub__images *images = dataset->images;
    ub_status status = ub__dataset_wrap(images, n, places, out);
    if (status)
        ub__free(images->context, places);
    else
        images->references++;
    return status;
}

static ub_status create_check(ub_context *context, const int64_t shape[4],
                              int64_t classes, const int32_t *labels)
{
    if (shape[0] < 1 || shape[1] < 1 || shape[1] > 4 || shape[2] < 1 ||
        shape[2] > UB__MAX_IMAGE_SIZE || shape[3] < 1 ||
        shape[3] > UB__MAX_IMAGE_SIZE)
        return ub__fail(context, UB_ERR_INVALID,
                        "dataset: shape [%lld, %lld, %lld, %lld], expected "
                        "1 or more images of at most 4 x %d x %d",
                        (long long) shape[0], (long long) shape[1],
                        (long long) shape[2], (long long) shape[3],
                        UB__MAX_IMAGE_SIZE, UB__MAX_IMAGE_SIZE);
    if (classes < 1 || classes > UB__MAX_CLASSES)
        return ub__fail(context, UB_ERR_INVALID,
                        "dataset: %lld classes, expected 1 to %d",
                        (long long) classes, UB__MAX_CLASSES);
    for (int64_t i = 0; i < shape[0]; i++) {
        if (labels[i] < 0 || labels[i] >= classes)
            return ub__fail(context, UB_ERR_INVALID,
                            "dataset: label %d of image %lld, expected 0 to "
                            "%lld",
                            (int) labels[i], (long long) i,
                            (long long) classes - 1);
    }
    return UB_OK;
}

ub_status ub_dataset_create(ub_context *context, const int64_t shape[4],
                            int64_t classes, const uint8_t *images,
                            const int32_t *labels, ub_dataset **out)
{
    if (!context || !shape || !images || !labels || !out)
        return ub__fail(context, UB_ERR_INVALID, "dataset: NULL argument");
    ub_status status = create_check(context, shape, classes, labels);
    if (status)
        return status;
    ub__images *copy = NULL;
    status = ub__images_create(context, "memory", shape[1], shape[2], shape[3],
                               classes, &copy);
    if (status)
        return status;
    status = ub__images_reserve(copy, shape[0]);
    if (!status) {
        memcpy(copy->pixels, images,
               (size_t) (shape[0] * ub__images_bytes(copy)));
        memcpy(copy->labels, labels, (size_t) shape[0] * sizeof *labels);
        copy->count = shape[0];
        status = ub__dataset_wrap(copy, shape[0], NULL, out);
    }
    if (status)
        ub__images_unref(&copy);
    return status;
}

void ub_dataset_destroy(ub_dataset **dataset)
{
    if (!dataset || !*dataset)
        return;
    ub_context *context = (*dataset)->images->context;
    ub__images_unref(&(*dataset)->images);
    ub__free(context, (*dataset)->indexes);
    ub__free(context, *dataset);
    *dataset = NULL;
}

int64_t ub_dataset_count(const ub_dataset *dataset)
{
    return dataset->count;
}

int64_t ub_dataset_classes(const ub_dataset *dataset)
{
    return dataset->images->classes;
}

int64_t ub_dataset_channels(const ub_dataset *dataset)
{
    return dataset->images->channels;
}

int64_t ub_dataset_height(const ub_dataset *dataset)
{
    return dataset->images->height;
}

int64_t ub_dataset_width(const ub_dataset *dataset)
{
    return dataset->images->width;
}

const uint8_t *ub_dataset_image(const ub_dataset *dataset, int64_t index)
{
    if (index < 0 || index >= dataset->count)
        return NULL;
    return dataset->images->pixels +
           place(dataset, index) * ub__images_bytes(dataset->images);
}

int32_t ub_dataset_label(const ub_dataset *dataset, int64_t index)
{
    if (index < 0 || index >= dataset->count)
        return -1;
    return dataset->images->labels[place(dataset, index)];
}

const char *ub_dataset_class_name(const ub_dataset *dataset, int64_t label)
{
    if (label < 0 || label >= dataset->images->classes)
        return NULL;
    return dataset->images->class_names[label];
}

const char *ub_dataset_name(const ub_dataset *dataset)
{
    return dataset->images->name;
}

ub_status ub_dataset_subset(const ub_dataset *dataset, int64_t n,
                            const int64_t *indexes, ub_dataset **out)
{
    if (!dataset)
        return UB_ERR_INVALID;
    ub_context *context = dataset->images->context;
    if (n < 1 || !indexes || !out)
        return ub__fail(context, UB_ERR_INVALID,
                        "subset: NULL argument or %lld images", (long long) n);
    int64_t *places = ub__alloc(context, (size_t) n, sizeof *places);
    if (!places)
        return UB_ERR_NOMEM;
    for (int64_t i = 0; i < n; i++) {
        int64_t index = indexes[i];
        if (index < 0 || index >= dataset->count) {
            ub__free(context, places);
            return ub__fail(context, UB_ERR_INVALID,
                            "subset: index %lld, expected 0 to %lld",
                            (long long) index, (long long) dataset->count - 1);
        }
        places[i] = place(dataset, index);
    }
    return share(dataset, n, places, out);
}

/* Members of each class, class after class, each class shuffled. begin has
 * classes + 1 entries. */
static void group_by_class(const ub_dataset *dataset, uint64_t seed,
                           int64_t *begin, int64_t *members)
{
    int64_t classes = dataset->images->classes;
    memset(begin, 0, (size_t) (classes + 1) * sizeof *begin);
    for (int64_t i = 0; i < dataset->count; i++)
        begin[ub_dataset_label(dataset, i)]++;
    int64_t sum = 0;
    for (int64_t c = 0; c <= classes; c++) {
        int64_t n = c < classes ? begin[c] : 0;
        begin[c] = sum;
        sum += n;
    }
    for (int64_t i = 0; i < dataset->count; i++)
        members[begin[ub_dataset_label(dataset, i)]++] = place(dataset, i);
    for (int64_t c = classes; c > 0; c--)
        begin[c] = begin[c - 1];
    begin[0] = 0;
    for (int64_t c = 0; c < classes; c++) {
        ub_rng rng;
        ub_rng_init(&rng, seed, (uint64_t) c + 1);
        ub_rng_shuffle(&rng, members + begin[c],
                       (size_t) (begin[c + 1] - begin[c]));
    }
}

/* Deal rounds of one image per class, each round in random order, from the
 * back to the front: tails are then whole rounds and part of one. */
static void deal(int64_t n, int64_t classes, uint64_t seed,
                 const int64_t *begin, const int64_t *members, int64_t *round,
                 int64_t *places)
{
    ub_rng rng;
    ub_rng_init(&rng, seed, 0);
    int64_t left = n;
    for (int64_t turn = 0; left > 0; turn++) {
        int64_t size = 0;
        for (int64_t c = 0; c < classes; c++) {
            if (begin[c] + turn < begin[c + 1])
                round[size++] = members[begin[c] + turn];
        }
        ub_rng_shuffle(&rng, round, (size_t) size);
        for (int64_t i = 0; i < size && left > 0; i++)
            places[--left] = round[i];
    }
}

ub_status ub_dataset_choose(const ub_dataset *dataset, int64_t n, uint64_t seed,
                            ub_dataset **out)
{
    if (!dataset)
        return UB_ERR_INVALID;
    ub_context *context = dataset->images->context;
    int64_t classes = dataset->images->classes;
    if (n < 1 || n > dataset->count || !out)
        return ub__fail(context, UB_ERR_INVALID,
                        "choose: %lld images, expected 1 to %lld",
                        (long long) n, (long long) dataset->count);
    ub_status status = UB_ERR_NOMEM;
    int64_t *begin = ub__alloc(context, (size_t) classes + 1, sizeof *begin);
    int64_t *round = ub__alloc(context, (size_t) classes, sizeof *round);
    int64_t *members = ub__alloc(context, (size_t) dataset->count,
                                 sizeof *members);
    int64_t *places = ub__alloc(context, (size_t) n, sizeof *places);
    if (begin && round && members && places) {
        group_by_class(dataset, seed, begin, members);
        deal(n, classes, seed, begin, members, round, places);
        status = share(dataset, n, places, out);
    } else {
        ub__free(context, places);
    }
    ub__free(context, members);
    ub__free(context, round);
    ub__free(context, begin);
    return status;
}

ub_status ub_dataset_slice(const ub_dataset *dataset, int64_t begin,
                           int64_t end, ub_dataset **out)
{
    if (!dataset)
        return UB_ERR_INVALID;
    ub_context *context = dataset->images->context;
    if (begin < 0 || begin >= end || end > dataset->count || !out)
        return ub__fail(context, UB_ERR_INVALID,
                        "slice: images %lld to %lld of %lld", (long long) begin,
                        (long long) end, (long long) dataset->count);
    int64_t n = end - begin;
    int64_t *places = ub__alloc(context, (size_t) n, sizeof *places);
    if (!places)
        return UB_ERR_NOMEM;
    for (int64_t i = 0; i < n; i++)
        places[i] = place(dataset, begin + i);
    return share(dataset, n, places, out);
}

void ub_dataset_statistics(const ub_dataset *dataset, float *mean, float *std)
{
    int64_t area = dataset->images->height * dataset->images->width;
    double n = (double) dataset->count * (double) area;
    for (int64_t c = 0; c < dataset->images->channels; c++) {
        /* Integer sums are exact: 2^34 bytes of at most 2^16 each. */
        uint64_t sum = 0;
        uint64_t squares = 0;
        for (int64_t i = 0; i < dataset->count; i++) {
            const uint8_t *plane = ub_dataset_image(dataset, i) + c * area;
            for (int64_t p = 0; p < area; p++) {
                sum += plane[p];
                squares += (uint64_t) plane[p] * plane[p];
            }
        }
        double average = (double) sum / n;
        double variance = (double) squares / n - average * average;
        mean[c] = (float) (average / 255);
        std[c] = (float) (sqrt(variance > 0 ? variance : 0) / 255);
    }
}
