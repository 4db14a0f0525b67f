/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The IDX files of MNIST and its relatives: a magic number 0, 0, type, rank;
 * big-endian extents; data. Here type is 8 (unsigned byte), rank 3 for images
 * and 1 for labels.
 */
#include "dataset/dataset.h"

#include <string.h>

#define MAX_SIDE    4096
#define SMALL_SIDE  28 /* MNIST's size, padded ... */
#define PADDED_SIDE 32 /* ... to the size that networks for CIFAR take */

static const char *const endings[] = { "%s-images-idx3-ubyte",
                                       "%s-images.idx3-ubyte" };
static const char *const label_endings[] = { "%s-labels-idx1-ubyte",
                                             "%s-labels.idx1-ubyte" };

/* The path of the part's file, compressed or not; *out NULL if neither is
 * there. */
static ub_status find_file(ub_context *context, const char *folder,
                           const char *const patterns[2], const char *part,
                           char **out)
{
    *out = NULL;
    for (int i = 0; i < 4; i++) {
        char name[64];
        int length = snprintf(name, sizeof name, patterns[i / 2], part);
        snprintf(name + length, sizeof name - (size_t) length, "%s",
                 i % 2 ? "" : ".gz");
        char *path = ub__path_join(context, folder, name);
        if (!path)
            return UB_ERR_NOMEM;
        if (ub__file_exists(path)) {
            *out = path;
            return UB_OK;
        }
        ub__free(context, path);
    }
    return UB_OK;
}

int ub__idx_found(ub_context *context, const char *folder)
{
    char *path = NULL;
    ub_status status = find_file(context, folder, endings, "train", &path);
    int found = path != NULL;
    ub__free(context, path);
    /* Out of memory: let the reader say so. */
    return found || status != UB_OK;
}

static ub_status read_header(ub__input *input, int rank, int64_t *extents)
{
    uint8_t bytes[16];
    ub_status status = ub__input_exact(input, bytes, 4 + 4 * (size_t) rank,
                                       "an IDX header");
    if (status)
        return status;
    if (bytes[0] || bytes[1] || bytes[2] != 8 || bytes[3] != rank)
        return ub__fail(input->context, UB_ERR_FORMAT,
                        "byte 0: IDX magic number %02x%02x%02x%02x, expected "
                        "000008%02x",
                        bytes[0], bytes[1], bytes[2], bytes[3],
                        (unsigned) rank);
    for (int i = 0; i < rank; i++) {
        const uint8_t *b = bytes + 4 + 4 * i;
        extents[i] = (int64_t) b[0] << 24 | (int64_t) b[1] << 16 |
                     (int64_t) b[2] << 8 | (int64_t) b[3];
        int64_t limit = i ? MAX_SIDE : UB__MAX_IMAGES;
        if (extents[i] < 1 || extents[i] > limit)
            return ub__fail(input->context, UB_ERR_RANGE,
                            "byte %d: extent %lld, expected 1 to %lld",
                            4 + 4 * i, (long long) extents[i],
                            (long long) limit);
    }
    return UB_OK;
}

static ub_status expect_end(ub__input *input)
{
    uint8_t byte;
    size_t got = 0;
    int64_t offset = ub__input_offset(input);
    ub_status status = ub__input_read(input, &byte, 1, &got);
    if (!status && got)
        status = ub__fail(input->context, UB_ERR_FORMAT,
                          "byte %lld: more data, expected the end of the file",
                          (long long) offset);
    return status;
}

/* -- images ---------------------------------------------------------------- */

/* One image on its way: as in the file, padded, resized. */
typedef struct framing {
    ub__resizer resizer;
    int64_t height, width; /* in the file */
    int64_t padding;       /* on each side */
    int64_t to_height, to_width;
    uint8_t *padded;
} framing;

static ub_status frame_plan(framing *frame, ub_context *context,
                            const int64_t *extents, int64_t image_size)
{
    frame->height = extents[1];
    frame->width = extents[2];
    int small = extents[1] == SMALL_SIDE && extents[2] == SMALL_SIDE;
    if (small && image_size != SMALL_SIDE)
        frame->padding = (PADDED_SIDE - SMALL_SIDE) / 2;
    int64_t height = frame->height + 2 * frame->padding;
    int64_t width = frame->width + 2 * frame->padding;
    frame->to_height = image_size ? image_size : height;
    frame->to_width = image_size ? image_size : width;
    if (frame->to_height > UB__MAX_IMAGE_SIZE ||
        frame->to_width > UB__MAX_IMAGE_SIZE)
        return ub__fail(context, UB_ERR_RANGE,
                        "byte 8: images of %lld x %lld, expected up to %d",
                        (long long) height, (long long) width,
                        UB__MAX_IMAGE_SIZE);
    frame->padded = ub__calloc(context, (size_t) height, (size_t) width);
    if (!frame->padded)
        return UB_ERR_NOMEM;
    return ub__resizer_plan(&frame->resizer, height, width, frame->to_height,
                            frame->to_width);
}

static ub_status frame_read(framing *frame, ub__input *input, uint8_t *to)
{
    int64_t width = frame->width + 2 * frame->padding;
    int64_t height = frame->height + 2 * frame->padding;
    for (int64_t y = 0; y < frame->height; y++) {
        uint8_t *row = frame->padded + (y + frame->padding) * width +
                       frame->padding;
        ub_status status = ub__input_exact(input, row, (size_t) frame->width,
                                           "pixels");
        if (status)
            return status;
    }
    if (height == frame->to_height && width == frame->to_width)
        memcpy(to, frame->padded, (size_t) (height * width));
    else
        ub__resizer_run(&frame->resizer, frame->padded, 1, to);
    return UB_OK;
}

static ub_status read_frames(ub__input *input, framing *frame,
                             const int64_t *extents, const char *name,
                             ub__images **out)
{
    ub__images *images = NULL;
    ub_status status = ub__images_create(input->context, name, 1,
                                         frame->to_height, frame->to_width, 256,
                                         &images);
    if (status)
        return status;
    while (!status && images->count < extents[0]) {
        status = ub__images_room(images, extents[0]);
        if (!status)
            status = frame_read(frame, input, ub__images_next(images));
        images->count += status == UB_OK;
    }
    if (!status)
        status = expect_end(input);
    if (status)
        ub__images_unref(&images);
    else
        *out = images;
    return status;
}

static ub_status read_images(ub__input *input, const char *name,
                             int64_t image_size, ub__images **out)
{
    int64_t extents[3];
    ub_status status = read_header(input, 3, extents);
    if (status)
        return status;
    framing frame;
    memset(&frame, 0, sizeof frame);
    ub__resizer_init(&frame.resizer, input->context);
    status = frame_plan(&frame, input->context, extents, image_size);
    if (!status)
        status = read_frames(input, &frame, extents, name, out);
    ub__resizer_free(&frame.resizer);
    ub__free(input->context, frame.padded);
    return status;
}

/* -- labels ---------------------------------------------------------------- */

static ub_status read_labels(ub__input *input, ub__images *images,
                             int64_t classes)
{
    int64_t count = 0;
    ub_status status = read_header(input, 1, &count);
    if (status)
        return status;
    if (count != images->count)
        return ub__fail(input->context, UB_ERR_FORMAT,
                        "byte 4: %lld labels, expected %lld, one per image",
                        (long long) count, (long long) images->count);
    for (int64_t i = 0; i < count; i++) {
        uint8_t label = 0;
        status = ub__input_exact(input, &label, 1, "labels");
        if (status)
            return status;
        if (label >= classes)
            return ub__fail(input->context, UB_ERR_FORMAT,
                            "byte %lld: label %d, expected 0 to %lld",
                            (long long) i + 8, label, (long long) classes - 1);
        images->labels[i] = label;
    }
    return expect_end(input);
}

/* -- a pair of files ------------------------------------------------------- */

typedef struct idx_part {
    ub_context *context;
    const char *name; /* of the data set */
    int64_t image_size;
    int64_t classes;
    ub__images *images;
} idx_part;

static ub_status read_file(idx_part *part, const char *path, int labels)
{
    ub__input input;
    ub_status status = ub__input_open(&input, part->context, path);
    if (!status && labels)
        status = read_labels(&input, part->images, part->classes);
    else if (!status)
        status = read_images(&input, part->name, part->image_size,
                             &part->images);
    ub__input_close(&input);
    if (status)
        return ub__fail_within(part->context, status, "%s", path);
    return UB_OK;
}

static ub_status find_and_read(idx_part *part, const char *folder,
                               const char *prefix, int labels)
{
    const char *const *patterns = labels ? label_endings : endings;
    char *path = NULL;
    ub_status status = find_file(part->context, folder, patterns, prefix,
                                 &path);
    if (status)
        return status;
    if (path) {
        status = read_file(part, path, labels);
    } else {
        char name[64];
        snprintf(name, sizeof name, patterns[0], prefix);
        status = ub__fail(part->context, UB_ERR_IO,
                          "%s: %s is missing, expected it or %s.gz", folder,
                          name, name);
    }
    ub__free(part->context, path);
    return status;
}

static ub_status read_part(idx_part *part, const char *folder,
                           const char *prefix)
{
    ub_status status = find_and_read(part, folder, prefix, 0);
    if (!status)
        status = find_and_read(part, folder, prefix, 1);
    if (status)
        ub__images_unref(&part->images);
    return status;
}

static const char clothes[10][12] = { "T-shirt/top", "Trouser", "Pullover",
                                      "Dress",       "Coat",    "Sandal",
                                      "Shirt",       "Sneaker", "Bag",
                                      "Ankle boot" };

static void name_classes(ub__images *images)
{
    for (int i = 0; i < 10 && images->classes == 10; i++)
        snprintf(images->class_names[i], UB__CLASS_NAME, "%.12s", clothes[i]);
}

static int64_t highest_label(const ub__images *images)
{
    int32_t highest = 0;
    for (int64_t i = 0; i < images->count; i++)
        highest = images->labels[i] > highest ? images->labels[i] : highest;
    return highest;
}

ub_status ub__idx_read(ub_context *context, const char *folder,
                       int64_t image_size, ub__image_sets *out)
{
    int fashion = strstr(folder, "fashion") != NULL;
    const char *name = fashion ? "fashion-mnist" : "idx";
    idx_part train = { context, name, image_size, 256, NULL };
    ub_status status = read_part(&train, folder, "train");
    if (status)
        return status;
    int64_t classes = highest_label(train.images) + 1;
    idx_part test = { context, name, image_size, classes, NULL };
    status = read_part(&test, folder, "t10k");
    if (!status && (train.images->height != test.images->height ||
                    train.images->width != test.images->width))
        status = ub__fail(context, UB_ERR_FORMAT,
                          "%s: t10k images of %lld x %lld, expected %lld x "
                          "%lld as in train",
                          folder, (long long) test.images->height,
                          (long long) test.images->width,
                          (long long) train.images->height,
                          (long long) train.images->width);
    if (status) {
        ub__images_unref(&train.images);
        ub__images_unref(&test.images);
        return status;
    }
    train.images->classes = classes;
    test.images->classes = classes;
    if (fashion) {
        name_classes(train.images);
        name_classes(test.images);
    }
    out->train = train.images;
    out->test = test.images;
    return UB_OK;
}
