/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Folders of pictures: train/CLASS/ and val/CLASS/ or test/CLASS/, or the
 * layout of Tiny ImageNet: train/CLASS/images/, val/images/ and
 * val/val_annotations.txt with lines of file name, class and a box.
 */
#include "dataset/dataset.h"

#include <string.h>

#define SIDE            32
#define MAX_ANNOTATIONS ((size_t) 64 << 20)

typedef struct folder_reader {
    ub_context *context;
    int64_t side;
    char **classes; /* sorted; freed in one */
    int64_t n;
    ub__resizer resizer;
} folder_reader;

/* -- pictures -------------------------------------------------------------- */

static int letters_equal(const char *text, const char *lower)
{
    for (; *text && *lower; text++, lower++) {
        char c = *text;
        if (c >= 'A' && c <= 'Z')
            c = (char) (c - 'A' + 'a');
        if (c != *lower)
            return 0;
    }
    return *text == *lower;
}

static int is_picture(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && dot != name &&
           (letters_equal(dot, ".png") || letters_equal(dot, ".jpg") ||
            letters_equal(dot, ".jpeg"));
}

static ub_status add_picture(folder_reader *reader, const char *path,
                             int64_t label, int64_t expected,
                             ub__images *images)
{
    ub_context *context = reader->context;
    int64_t side = reader->side;
    ub__picture picture = { NULL, 0, 0 };
    ub_status status = ub__images_room(images, expected);
    if (!status)
        status = ub__picture_read(context, path, &picture);
    if (!status)
        status = ub__resizer_plan(&reader->resizer, picture.height,
                                  picture.width, side, side);
    if (!status) {
        uint8_t *to = ub__images_next(images);
        for (int c = 0; c < 3; c++)
            ub__resizer_run(&reader->resizer, picture.pixels + c, 3,
                            to + c * side * side);
        images->labels[images->count++] = (int32_t) label;
    }
    ub__free(context, picture.pixels);
    return status;
}

static ub_status add_named(folder_reader *reader, const char *folder,
                           const char *name, int64_t label, int64_t expected,
                           ub__images *images)
{
    char *path = ub__path_join(reader->context, folder, name);
    if (!path)
        return UB_ERR_NOMEM;
    ub_status status = add_picture(reader, path, label, expected, images);
    ub__free(reader->context, path);
    return status;
}

/* All pictures that lie in a folder, by name. */
static ub_status add_folder(folder_reader *reader, const char *folder,
                            int64_t label, ub__images *images)
{
    char **names = NULL;
    size_t n = 0;
    ub_status status = ub__folder_list(reader->context, folder, &names, &n);
    if (status)
        return status;
    /* The folders of a set are alike: expect as many in each of the rest. */
    int64_t expected = images->count + (int64_t) n * (reader->n - label);
    for (size_t i = 0; i < n && !status; i++) {
        if (is_picture(names[i]))
            status = add_named(reader, folder, names[i], label, expected,
                               images);
    }
    ub__free(reader->context, names);
    return status;
}

/* -- classes --------------------------------------------------------------- */

static ub_status add_class(folder_reader *reader, const char *folder,
                           int64_t label, ub__images *images)
{
    char *child = ub__path_join(reader->context, folder, "images");
    if (!child)
        return UB_ERR_NOMEM;
    ub_status status = add_folder(reader, ub__is_folder(child) ? child : folder,
                                  label, images);
    ub__free(reader->context, child);
    return status;
}

/* Names of the sub-folders of a folder, sorted; freed in one. */
static ub_status list_folders(ub_context *context, const char *folder,
                              char ***out, int64_t *out_n)
{
    char **names = NULL;
    size_t n = 0;
    ub_status status = ub__folder_list(context, folder, &names, &n);
    if (status)
        return status;
    int64_t kept = 0;
    for (size_t i = 0; i < n && !status; i++) {
        char *path = ub__path_join(context, folder, names[i]);
        if (!path)
            status = UB_ERR_NOMEM;
        else if (names[i][0] != '.' && ub__is_folder(path))
            names[kept++] = names[i];
        ub__free(context, path);
    }
    if (status) {
        ub__free(context, names);
        return status;
    }
    *out = names;
    *out_n = kept;
    return UB_OK;
}

/* Label of a class name of the given length; -1 if there is none. */
static int64_t find_class(const folder_reader *reader, const char *name,
                          size_t length)
{
    int64_t low = 0;
    int64_t high = reader->n;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        const char *class = reader->classes[middle];
        int order = strncmp(class, name, length);
        if (order == 0 && class[length] == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

static ub_status add_classes(folder_reader *reader, const char *folder,
                             char **names, int64_t n, ub__images *images)
{
    ub_status status = UB_OK;
    for (int64_t i = 0; i < n && !status; i++) {
        int64_t label = find_class(reader, names[i], strlen(names[i]));
        if (label < 0)
            return ub__fail(reader->context, UB_ERR_FORMAT,
                            "%s: class \"%s\", expected one of the %lld in "
                            "train/",
                            folder, names[i], (long long) reader->n);
        char *path = ub__path_join(reader->context, folder, names[i]);
        if (!path)
            return UB_ERR_NOMEM;
        status = add_class(reader, path, label, images);
        ub__free(reader->context, path);
    }
    return status;
}

/* -- annotations ----------------------------------------------------------- */

/* "NAME\tCLASS\t..." */
static ub_status add_annotated(folder_reader *reader, const char *folder,
                               char *line, int64_t number, int64_t expected,
                               ub__images *images)
{
    ub_context *context = reader->context;
    size_t length = strcspn(line, "\t");
    const char *class = line + length + (line[length] == '\t');
    size_t class_length = strcspn(class, "\t");
    int64_t label = find_class(reader, class, class_length);
    line[length] = 0;
    if (length == 0 || strchr(line, '/'))
        return ub__fail(context, UB_ERR_FORMAT,
                        "line %lld: file \"%.100s\", expected a name without a "
                        "folder",
                        (long long) number, line);
    if (label < 0)
        return ub__fail(context, UB_ERR_FORMAT,
                        "line %lld: class \"%.*s\", expected one of the %lld "
                        "in train/",
                        (long long) number,
                        class_length < 100 ? (int) class_length : 100, class,
                        (long long) reader->n);
    return add_named(reader, folder, line, label, expected, images);
}

static ub_status add_lines(folder_reader *reader, const char *folder,
                           char *text, ub__images *images)
{
    int64_t lines = 1;
    for (const char *c = text; *c; c++)
        lines += *c == '\n';
    ub_status status = UB_OK;
    int64_t number = 1;
    for (char *line = text; *line && !status; number++) {
        size_t length = strcspn(line, "\n");
        char *next = line + length + (line[length] == '\n');
        line[length] = 0;
        if (length && line[length - 1] == '\r')
            line[length - 1] = 0;
        if (*line)
            status = add_annotated(reader, folder, line, number, lines, images);
        line = next;
    }
    return status;
}

static ub_status add_annotations(folder_reader *reader, const char *folder,
                                 const char *path, ub__images *images)
{
    ub_context *context = reader->context;
    void *text = NULL;
    size_t size = 0;
    ub_status status = ub__file_read(context, path, MAX_ANNOTATIONS, &text,
                                     &size);
    if (status)
        return status;
    char *pictures = ub__path_join(context, folder, "images");
    if (!pictures) {
        status = UB_ERR_NOMEM;
    } else if (strlen(text) < size) {
        status = ub__fail(context, UB_ERR_FORMAT,
                          "%s: byte %zu: a NUL, expected text", path,
                          strlen(text));
    } else {
        status = add_lines(reader, pictures, text, images);
        if (status)
            status = ub__fail_within(context, status, "%s", path);
    }
    ub__free(context, pictures);
    ub__free(context, text);
    return status;
}

/* -- sets ------------------------------------------------------------------ */

static ub_status fill_set(folder_reader *reader, const char *folder,
                          ub__images *images)
{
    ub_context *context = reader->context;
    char *annotations = ub__path_join(context, folder, "val_annotations.txt");
    if (!annotations)
        return UB_ERR_NOMEM;
    ub_status status = UB_OK;
    if (ub__file_exists(annotations)) {
        status = add_annotations(reader, folder, annotations, images);
    } else {
        char **names = NULL;
        int64_t n = 0;
        status = list_folders(context, folder, &names, &n);
        if (!status)
            status = add_classes(reader, folder, names, n, images);
        ub__free(context, names);
    }
    ub__free(context, annotations);
    if (!status && images->count == 0)
        status = ub__fail(context, UB_ERR_FORMAT,
                          "%s: no picture, expected .png, .jpg or .jpeg in one "
                          "folder per class",
                          folder);
    return status;
}

static ub_status read_set(folder_reader *reader, const char *folder,
                          ub__images **out)
{
    ub__images *images = NULL;
    ub_status status = ub__images_create(reader->context, "folder", 3,
                                         reader->side, reader->side, reader->n,
                                         &images);
    if (status)
        return ub__fail_within(reader->context, status, "%s", folder);
    for (int64_t i = 0; i < reader->n; i++)
        snprintf(images->class_names[i], UB__CLASS_NAME, "%s",
                 reader->classes[i]);
    status = fill_set(reader, folder, images);
    if (status)
        ub__images_unref(&images);
    else
        *out = images;
    return status;
}

static ub_status read_sets(folder_reader *reader, const char *train,
                           const char *test, ub__image_sets *out)
{
    ub_context *context = reader->context;
    ub_status status = list_folders(context, train, &reader->classes,
                                    &reader->n);
    if (status)
        return status;
    if (reader->n == 0)
        return ub__fail(context, UB_ERR_FORMAT,
                        "%s: no folder in it, expected one per class", train);
    ub__images *images = NULL;
    status = read_set(reader, train, &images);
    if (!status)
        status = read_set(reader, test, &out->test);
    if (status)
        ub__images_unref(&images);
    else
        out->train = images;
    return status;
}

ub_status ub__folder_read(ub_context *context, const char *path,
                          int64_t image_size, ub__image_sets *out)
{
    folder_reader reader = {
        context, image_size ? image_size : SIDE, NULL, 0, { 0 }
    };
    ub__resizer_init(&reader.resizer, context);
    ub_status status = UB_ERR_NOMEM;
    char *train = ub__path_join(context, path, "train");
    char *val = ub__path_join(context, path, "val");
    char *test = ub__path_join(context, path, "test");
    if (train && val && test) {
        const char *held_out = ub__is_folder(val) ? val : test;
        if (ub__is_folder(train) && ub__is_folder(held_out))
            status = read_sets(&reader, train, held_out, out);
        else
            status = ub__fail(context, UB_ERR_FORMAT,
                              "%s: no data set, expected the files of CIFAR, "
                              "IDX files, or train/ with val/ or test/",
                              path);
    }
    ub__free(context, reader.classes);
    ub__resizer_free(&reader.resizer);
    ub__free(context, test);
    ub__free(context, val);
    ub__free(context, train);
    return status;
}
