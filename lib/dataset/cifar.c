/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The binary version of CIFAR-10 and CIFAR-100: records of one label byte (two
 * in CIFAR-100, coarse and fine) and 3 x 32 x 32 pixels.
 */
#include "dataset/dataset.h"

#include <string.h>

#define SIDE        32
#define PLANE       (SIDE * SIDE)
#define PARTS       5
#define MAX_RECORDS 100000 /* of a file; the real ones have up to 50000 */

/* What a file name says about the file. */
typedef struct file_kind {
    char name[24];
    int32_t classes;
    int32_t part; /* of the training set; TEST or NAMES */
} file_kind;

enum { TEST = PARTS, NAMES };

static const file_kind kinds[] = {
    { "data_batch_1.bin", 10, 0 },     { "data_batch_2.bin", 10, 1 },
    { "data_batch_3.bin", 10, 2 },     { "data_batch_4.bin", 10, 3 },
    { "data_batch_5.bin", 10, 4 },     { "test_batch.bin", 10, TEST },
    { "batches.meta.txt", 10, NAMES }, { "train.bin", 100, 0 },
    { "test.bin", 100, TEST },         { "fine_label_names.txt", 100, NAMES },
};

#define KINDS ((int) (sizeof kinds / sizeof kinds[0]))

typedef struct cifar {
    ub_context *context;
    int64_t side;    /* of the images wanted */
    int32_t classes; /* 0: not known yet */
    int64_t first[PARTS + 1], count[PARTS + 1];
    int32_t seen[PARTS + 2];
    ub__images *train, *test;
    ub__resizer resizer;
    uint8_t pixels[3 * PLANE]; /* before resizing */
    char names[100][UB__CLASS_NAME];
} cifar;

static ub_status cifar_create(ub_context *context, int64_t image_size,
                              cifar **out)
{
    cifar *reader = ub__calloc(context, 1, sizeof *reader);
    if (!reader)
        return UB_ERR_NOMEM;
    reader->context = context;
    reader->side = image_size ? image_size : SIDE;
    ub__resizer_init(&reader->resizer, context);
    *out = reader;
    return UB_OK;
}

static void cifar_destroy(cifar *reader)
{
    ub__images_unref(&reader->train);
    ub__images_unref(&reader->test);
    ub__resizer_free(&reader->resizer);
    ub__free(reader->context, reader);
}

/* The images that a part goes to; made for the first part. */
static ub_status part_images(cifar *reader, const file_kind *kind,
                             ub__images **out)
{
    ub__images **images = kind->part == TEST ? &reader->test : &reader->train;
    if (!*images) {
        const char *name = kind->classes == 10 ? "cifar10" : "cifar100";
        ub_status status = ub__images_create(reader->context, name, 3,
                                             reader->side, reader->side,
                                             kind->classes, images);
        if (status)
            return status;
    }
    *out = *images;
    return UB_OK;
}

static ub_status check_label(ub__input *input, int64_t offset, int label,
                             int classes, const char *what)
{
    if (label < classes)
        return UB_OK;
    return ub__fail(input->context, UB_ERR_FORMAT,
                    "byte %lld: %s %d, expected 0 to %d", (long long) offset,
                    what, label, classes - 1);
}

/* The label at the start of a record; *end says that there is none. */
static ub_status read_label(ub__input *input, int32_t classes, int *label,
                            int *end)
{
    int64_t offset = ub__input_offset(input);
    int coarse = classes == 100;
    uint8_t bytes[2];
    size_t got = 0;
    ub_status status = ub__input_read(input, bytes, (size_t) coarse + 1, &got);
    if (status)
        return status;
    *end = got == 0;
    if (got == 0)
        return UB_OK;
    if (coarse && got < 2)
        return ub__fail(input->context, UB_ERR_FORMAT,
                        "byte %lld: end of file, expected a label",
                        (long long) offset + 1);
    if (coarse)
        status = check_label(input, offset, bytes[0], 20, "coarse label");
    if (status)
        return status;
    *label = bytes[coarse];
    return check_label(input, offset + coarse, *label, classes, "label");
}

static ub_status read_pixels(cifar *reader, ub__input *input, uint8_t *to)
{
    int same = reader->side == SIDE;
    ub_status status = ub__input_exact(input, same ? to : reader->pixels,
                                       3 * PLANE, "pixels");
    if (status || same)
        return status;
    for (int c = 0; c < 3; c++)
        ub__resizer_run(&reader->resizer, reader->pixels + c * PLANE, 1,
                        to + c * reader->side * reader->side);
    return UB_OK;
}

static ub_status read_records(cifar *reader, ub__input *input,
                              const file_kind *kind, ub__images *images)
{
    int64_t record = (kind->classes == 100 ? 2 : 1) + 3 * PLANE;
    int64_t expected = images->count + (input->left > 0 ? input->left / record
                                        : kind->classes == 10 ? 10000
                                                              : 50000);
    int64_t first = images->count;
    for (;;) {
        int label = 0;
        int end = 0;
        ub_status status = read_label(input, kind->classes, &label, &end);
        if (status || end)
            return status;
        if (images->count - first >= MAX_RECORDS)
            return ub__fail(reader->context, UB_ERR_RANGE,
                            "more than %d images", MAX_RECORDS);
        status = ub__images_room(images, expected);
        if (!status)
            status = read_pixels(reader, input, ub__images_next(images));
        if (status)
            return status;
        images->labels[images->count++] = label;
    }
}

static ub_status read_part(cifar *reader, ub__input *input,
                           const file_kind *kind)
{
    ub__images *images = NULL;
    ub_status status = part_images(reader, kind, &images);
    if (status)
        return status;
    if (reader->side != SIDE)
        status = ub__resizer_plan(&reader->resizer, SIDE, SIDE, reader->side,
                                  reader->side);
    if (status)
        return status;
    reader->first[kind->part] = images->count;
    status = read_records(reader, input, kind, images);
    reader->count[kind->part] = images->count - reader->first[kind->part];
    if (!status && reader->count[kind->part] == 0)
        status = ub__fail(reader->context, UB_ERR_FORMAT,
                          "byte 0: end of file, expected images");
    return status;
}

/* One name a line; blank lines are skipped. */
static ub_status read_names(cifar *reader, ub__input *input,
                            const file_kind *kind)
{
    char text[16384];
    size_t size = 0;
    ub_status status = ub__input_read(input, text, sizeof text - 1, &size);
    if (status)
        return status;
    text[size] = 0;
    int n = 0;
    for (char *line = text; *line && n < kind->classes;) {
        size_t length = strcspn(line, "\r\n");
        if (length >= UB__CLASS_NAME)
            return ub__fail(reader->context, UB_ERR_FORMAT,
                            "byte %lld: a class name of %zu bytes, expected "
                            "fewer than %d",
                            (long long) (line - text), length, UB__CLASS_NAME);
        if (length) {
            memcpy(reader->names[n], line, length);
            reader->names[n++][length] = 0;
        }
        line += length;
        line += strspn(line, "\r\n");
    }
    if (n < kind->classes)
        return ub__fail(reader->context, UB_ERR_FORMAT,
                        "byte %zu: end of file after %d class names, expected "
                        "%d",
                        size, n, (int) kind->classes);
    return UB_OK;
}

static const file_kind *kind_of(const char *name)
{
    for (int i = 0; i < KINDS; i++) {
        if (!strcmp(name, kinds[i].name))
            return &kinds[i];
    }
    return NULL;
}

static ub_status read_kind(cifar *reader, const file_kind *kind,
                           ub__input *input)
{
    if (reader->classes && reader->classes != kind->classes)
        return ub__fail(reader->context, UB_ERR_FORMAT,
                        "a file of CIFAR-%d beside files of CIFAR-%d",
                        (int) kind->classes, (int) reader->classes);
    if (reader->seen[kind->part]++)
        return ub__fail(reader->context, UB_ERR_FORMAT,
                        "found twice, expected once");
    reader->classes = kind->classes;
    if (kind->part == NAMES)
        return read_names(reader, input, kind);
    return read_part(reader, input, kind);
}

/* Batches may come in any order; the data set has them in theirs. */
static ub_status training_order(const cifar *reader, int64_t **out)
{
    int parts = reader->classes == 10 ? PARTS : 1;
    int sorted = 1;
    for (int i = 1; i < parts; i++)
        sorted &= reader->first[i] > reader->first[i - 1];
    if (sorted)
        return UB_OK;
    int64_t *order = ub__alloc(reader->context, (size_t) reader->train->count,
                               sizeof *order);
    if (!order)
        return UB_ERR_NOMEM;
    int64_t n = 0;
    for (int i = 0; i < parts; i++) {
        for (int64_t j = 0; j < reader->count[i]; j++)
            order[n++] = reader->first[i] + j;
    }
    *out = order;
    return UB_OK;
}

static ub_status check_complete(const cifar *reader)
{
    int32_t classes = reader->classes ? reader->classes : 10;
    for (int i = 0; i < KINDS; i++) {
        const file_kind *kind = &kinds[i];
        if (kind->classes == classes && kind->part != NAMES &&
            !reader->seen[kind->part])
            return ub__fail(reader->context, UB_ERR_FORMAT,
                            "%s is missing, expected a CIFAR-10 or CIFAR-100 "
                            "data set",
                            kind->name);
    }
    return UB_OK;
}

static ub_status cifar_finish(cifar *reader, ub__image_sets *out)
{
    ub_status status = check_complete(reader);
    if (status)
        return status;
    int64_t *order = NULL;
    status = training_order(reader, &order);
    if (status)
        return status;
    if (reader->seen[NAMES]) {
        size_t bytes = (size_t) reader->classes * UB__CLASS_NAME;
        memcpy(reader->train->class_names, reader->names, bytes);
        memcpy(reader->test->class_names, reader->names, bytes);
    }
    out->train = reader->train;
    out->test = reader->test;
    out->train_order = order;
    reader->train = NULL;
    reader->test = NULL;
    return UB_OK;
}

static ub_status on_member(void *arg, const char *name, ub__input *input)
{
    const file_kind *kind = kind_of(name);
    return kind ? read_kind(arg, kind, input) : UB_OK;
}

ub_status ub__cifar_read_archive(ub_context *context, const char *path,
                                 int64_t image_size, ub__image_sets *out)
{
    cifar *reader = NULL;
    ub_status status = cifar_create(context, image_size, &reader);
    if (status)
        return status;
    status = ub__tar_walk(context, path, on_member, reader);
    if (!status) {
        status = cifar_finish(reader, out);
        if (status)
            status = ub__fail_within(context, status, "%s", path);
    }
    cifar_destroy(reader);
    return status;
}

static ub_status read_file(cifar *reader, const char *folder,
                           const file_kind *kind)
{
    char *path = ub__path_join(reader->context, folder, kind->name);
    if (!path)
        return UB_ERR_NOMEM;
    ub_status status = UB_OK;
    if (ub__file_exists(path)) {
        ub__input input;
        status = ub__input_open(&input, reader->context, path);
        if (!status)
            status = read_kind(reader, kind, &input);
        ub__input_close(&input);
        if (status)
            status = ub__fail_within(reader->context, status, "%s", path);
    }
    ub__free(reader->context, path);
    return status;
}

ub_status ub__cifar_read_folder(ub_context *context, const char *path,
                                int64_t image_size, ub__image_sets *out)
{
    cifar *reader = NULL;
    ub_status status = cifar_create(context, image_size, &reader);
    if (status)
        return status;
    for (int i = 0; i < KINDS && !status; i++)
        status = read_file(reader, path, &kinds[i]);
    if (!status) {
        status = cifar_finish(reader, out);
        if (status)
            status = ub__fail_within(context, status, "%s", path);
    }
    cifar_destroy(reader);
    return status;
}
