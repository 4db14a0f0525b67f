/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_DATASET_H
#define UBOOST_LIB_DATASET_H

#include "base/base.h"

#include <uboost/dataset.h>

#include <zlib.h>

/* Limits on what a file may ask for. */
#define UB__MAX_CLASSES      65536
#define UB__MAX_IMAGES       ((int64_t) 1 << 28)
#define UB__MAX_IMAGES_BYTES ((int64_t) 1 << 34)
#define UB__MAX_IMAGE_SIZE   1024
#define UB__MAX_FILE_BYTES   ((int64_t) 1 << 32) /* uncompressed */
#define UB__MAX_PICTURE_SIDE 8192
#define UB__MAX_PICTURE_FILE ((size_t) 64 << 20)
#define UB__CLASS_NAME       256

/* -- images in memory ------------------------------------------------------ */

/* What data sets share: pixels N, C, H, W, labels, class names. Filled by a
 * reader, then constant. */
typedef struct ub__images {
    ub_context *context;
    const char *name; /* static */
    int64_t references;
    int64_t count;
    int64_t capacity;
    int64_t channels, height, width;
    int64_t classes;
    uint8_t *pixels;
    int32_t *labels;
    char (*class_names)[UB__CLASS_NAME];
} ub__images;

/* No images yet; classes are named by their number. */
ub_status ub__images_create(ub_context *context, const char *name,
                            int64_t channels, int64_t height, int64_t width,
                            int64_t classes, ub__images **out);
void ub__images_unref(ub__images **images);
int64_t ub__images_bytes(const ub__images *images); /* of one image */

/* Room for `count` images in all, at once. */
ub_status ub__images_reserve(ub__images *images, int64_t count);
/* Room for one more image. Memory grows with what was read, by doubling, up to
 * the number `expected` by what a file claims. */
ub_status ub__images_room(ub__images *images, int64_t expected);
/* Where the next image goes; count is to be raised afterwards. */
uint8_t *ub__images_next(const ub__images *images);

/* A data set over images, of which it takes over the caller's reference, and
 * the ub__alloc()ed indexes (NULL: all in order), on success only. */
ub_status ub__dataset_wrap(ub__images *images, int64_t n, int64_t *indexes,
                           ub_dataset **out);

/* -- compressed input ------------------------------------------------------ */

/* A file, gzip or not, or the part of one that is a member of an archive. */
typedef struct ub__input {
    ub_context *context;
    gzFile file;
    int64_t read;  /* uncompressed bytes read of the file */
    int64_t start; /* where the member starts, else 0 */
    int64_t left;  /* bytes left of the member; -1: up to the end of the file */
} ub__input;

/* Errors of ub__input_*() do not name the file: the caller knows it. */
ub_status ub__input_open(ub__input *input, ub_context *context,
                         const char *path);
void ub__input_close(ub__input *input);
/* Bytes read of the file or member. */
int64_t ub__input_offset(const ub__input *input);
/* Up to size bytes; fewer only at the end. */
ub_status ub__input_read(ub__input *input, void *data, size_t size,
                         size_t *out_got);
/* All size bytes; `what` names them in the error. */
ub_status ub__input_exact(ub__input *input, void *data, size_t size,
                          const char *what);
/* Read on to the end, which must come within the limits. */
ub_status ub__input_drain(ub__input *input);

/* Call fn for every regular file of a tar archive, with its base name and its
 * size in input->left; it need not read all of it. */
typedef ub_status (*ub__member_fn)(void *arg, const char *name,
                                   ub__input *input);
ub_status ub__tar_walk(ub_context *context, const char *path, ub__member_fn fn,
                       void *arg);

/* -- pictures -------------------------------------------------------------- */

/* Interleaved RGB. */
typedef struct ub__picture {
    uint8_t *pixels; /* ub__alloc()ed */
    int64_t height, width;
} ub__picture;

/* Errors do not name the file. The picture is untouched on failure. */
ub_status ub__png_decode(ub_context *context, const void *data, size_t size,
                         ub__picture *picture);
ub_status ub__jpeg_decode(ub_context *context, const void *data, size_t size,
                          ub__picture *picture);
/* 1 when JPEG support is built in. */
int ub__jpeg_supported(void);
/* 0, or UB_ERR_RANGE for a picture of no pixels or too many. */
ub_status ub__picture_check(ub_context *context, int64_t height, int64_t width);
/* By the first bytes of a file: PNG or JPEG; errors name the file. */
ub_status ub__picture_read(ub_context *context, const char *path,
                           ub__picture *picture);

/* Resizing of planes from one size to another: a triangle filter as wide as
 * the larger of the two pixels. The plan is remade when the sizes change. */
typedef struct ub__resizer {
    ub_context *context;
    int64_t from[2], to[2]; /* height, width */
    int64_t taps[2];        /* weights per output pixel */
    int64_t *first[2];      /* first input pixel per output pixel */
    float *weights[2];
    float *rows; /* from[0] x to[1], shrunk or grown horizontally */
} ub__resizer;

void ub__resizer_init(ub__resizer *resizer, ub_context *context);
void ub__resizer_free(ub__resizer *resizer);
ub_status ub__resizer_plan(ub__resizer *resizer, int64_t from_height,
                           int64_t from_width, int64_t to_height,
                           int64_t to_width);
/* Source pixels lie `step` apart; the result is a plane of its own. */
void ub__resizer_run(const ub__resizer *resizer, const uint8_t *from,
                     int64_t step, uint8_t *to);

/* -- readers --------------------------------------------------------------- */

/* Each fills a pair of images, with one reference each for the caller; all are
 * untouched on failure. order: as ub__dataset_wrap()'s indexes. */
typedef struct ub__image_sets {
    ub__images *train, *test;
    int64_t *train_order;
} ub__image_sets;

ub_status ub__cifar_read_archive(ub_context *context, const char *path,
                                 int64_t image_size, ub__image_sets *out);
ub_status ub__cifar_read_folder(ub_context *context, const char *path,
                                int64_t image_size, ub__image_sets *out);
/* 1 when the folder has the IDX files of a training set. */
int ub__idx_found(ub_context *context, const char *folder);
ub_status ub__idx_read(ub_context *context, const char *folder,
                       int64_t image_size, ub__image_sets *out);
ub_status ub__folder_read(ub_context *context, const char *path,
                          int64_t image_size, ub__image_sets *out);
ub_status ub__synthetic_draw(ub_context *context, uint64_t seed, int64_t train,
                             int64_t test, int64_t image_size,
                             ub__image_sets *out);

#endif
