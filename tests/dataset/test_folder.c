/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixtures.h"

#include "base/base.h"

/* A PNG file of one colour. */
static void write_flat(const char *path, int red, int green, int blue)
{
    uint8_t pixels[3 * 5 * 4];
    for (int i = 0; i < 20; i++) {
        pixels[3 * i] = (uint8_t) red;
        pixels[3 * i + 1] = (uint8_t) green;
        pixels[3 * i + 2] = (uint8_t) blue;
    }
    bytes png = { NULL, 0 };
    put_png(&png, 3, 5, 4, pixels);
    write_file(path, &png);
    clear(&png);
}

static void make_in(const char *folder, const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    (void) make_folder(path);
}

/* NAME/train/{cat,dog}/ and NAME/test/dog/, the dogs in images/. */
static const char *write_set(const char *name)
{
    const char *folder = make_folder(name);
    make_in(name, "train");
    make_in(name, "train/cat");
    make_in(name, "train/dog");
    make_in(name, "train/dog/images");
    make_in(name, "test");
    make_in(name, "test/dog");
    write_flat(in_folder(folder, "train/cat/b.png"), 10, 20, 30);
    write_flat(in_folder(folder, "train/cat/a.PNG"), 40, 50, 60);
    write_flat(in_folder(folder, "train/dog/images/c.png"), 70, 80, 90);
    write_flat(in_folder(folder, "train/dog/not-seen.png"), 0, 0, 0);
    write_flat(in_folder(folder, "test/dog/d.png"), 100, 110, 120);
    test_file_write(in_folder(folder, "train/cat/boxes.txt"), "x", 1);
    return folder;
}

static void check_flat(const ub_dataset *dataset, int64_t index, int red,
                       int green, int blue)
{
    int64_t area = ub_dataset_height(dataset) * ub_dataset_width(dataset);
    const uint8_t *image = ub_dataset_image(dataset, index);
    assert_non_null(image);
    for (int64_t i = 0; i < area; i++) {
        assert_int_equal(image[i], red);
        assert_int_equal(image[area + i], green);
        assert_int_equal(image[2 * area + i], blue);
    }
}

static void test_set(void **state)
{
    (void) state;
    const char *folder = write_set("set");
    ub_context *context = test_context(1);
    ub_dataset *train = NULL;
    ub_dataset *test = NULL;
    expect_open(context, folder, 0, &train, &test);
    assert_string_equal(ub_dataset_name(train), "folder");
    assert_int_equal(ub_dataset_count(train), 3);
    assert_int_equal(ub_dataset_count(test), 1);
    assert_int_equal(ub_dataset_classes(train), 2);
    assert_string_equal(ub_dataset_class_name(test, 1), "dog");
    assert_int_equal(ub_dataset_height(train), 32);
    check_flat(train, 0, 40, 50, 60);
    check_flat(train, 1, 10, 20, 30);
    check_flat(train, 2, 70, 80, 90);
    check_flat(test, 0, 100, 110, 120);
    assert_int_equal(ub_dataset_label(train, 1), 0);
    assert_int_equal(ub_dataset_label(train, 2), 1);
    assert_int_equal(ub_dataset_label(test, 0), 1);
    ub_dataset_destroy(&train);
    ub_dataset_destroy(&test);
    ub_context_destroy(&context);
    sweep_open(folder, 3);
}

static void test_annotations(void **state)
{
    (void) state;
    const char *folder = write_set("annotated");
    make_in("annotated", "val");
    make_in("annotated", "val/images");
    write_flat(in_folder(folder, "val/images/x.png"), 1, 2, 3);
    write_flat(in_folder(folder, "val/images/y.png"), 4, 5, 6);
    const char *path = in_folder(folder, "val/val_annotations.txt");
    static const char text[] = "y.png\tdog\t0\t0\t62\t57\r\n\nx.png\tcat";
    test_file_write(path, text, sizeof text - 1);
    ub_context *context = test_context(1);
    ub_dataset *train = NULL;
    ub_dataset *test = NULL;
    expect_open(context, folder, 8, &train, &test);
    assert_int_equal(ub_dataset_count(test), 2);
    check_flat(test, 0, 4, 5, 6);
    check_flat(test, 1, 1, 2, 3);
    assert_int_equal(ub_dataset_label(test, 0), 1);
    assert_int_equal(ub_dataset_label(test, 1), 0);
    ub_dataset_destroy(&train);
    ub_dataset_destroy(&test);
    ub_context_destroy(&context);
    sweep_open(folder, 3);
}

static void expect_annotation_failure(const char *folder, const char *text,
                                      size_t size, ub_status status,
                                      const char *expected)
{
    test_file_write(in_folder(folder, "val/val_annotations.txt"), text, size);
    expect_failure(folder, status, expected);
}

static void test_damaged_annotations(void **state)
{
    (void) state;
    const char *folder = write_set("unannotated");
    make_in("unannotated", "val");
    make_in("unannotated", "val/images");
    write_flat(in_folder(folder, "val/images/x.png"), 1, 2, 3);
    expect_annotation_failure(folder, "x.png\tcat\nx.png\tcow\t1\n", 22,
                              UB_ERR_FORMAT,
                              "val_annotations.txt: line 2: class \"cow\", "
                              "expected one of the 2 in train/");
    expect_annotation_failure(folder, "x.png\tca", 8, UB_ERR_FORMAT,
                              "line 1: class \"ca\"");
    expect_annotation_failure(folder, "x.png", 5, UB_ERR_FORMAT,
                              "line 1: class \"\"");
    /* A long name is cut. */
    char line[6 + 150], expected[128];
    memset(line, 'w', sizeof line);
    memcpy(line, "x.png\t", 6);
    snprintf(expected, sizeof expected, "class \"%.100s\", expected", line + 6);
    expect_annotation_failure(folder, line, 6 + 100, UB_ERR_FORMAT, expected);
    expect_annotation_failure(folder, line, sizeof line, UB_ERR_FORMAT,
                              expected);
    expect_annotation_failure(folder, "../../x.png\tcat", 15, UB_ERR_FORMAT,
                              "line 1: file \"../../x.png\", expected a name");
    expect_annotation_failure(folder, "\tcat", 4, UB_ERR_FORMAT,
                              "line 1: file \"\", expected a name");
    expect_annotation_failure(folder, "z.png\tcat", 9, UB_ERR_IO, "z.png");
    expect_annotation_failure(folder, "x.png\0cat", 9, UB_ERR_FORMAT,
                              "byte 5: a NUL, expected text");
    expect_annotation_failure(folder, "", 0, UB_ERR_FORMAT, "val: no picture");
}

static void test_incomplete_sets(void **state)
{
    (void) state;
    const char *folder = make_folder("incomplete");
    expect_failure(folder, UB_ERR_FORMAT, "incomplete: no data set, expected");
    make_in("incomplete", "train");
    expect_failure(folder, UB_ERR_FORMAT, "incomplete: no data set, expected");
    make_in("incomplete", "val");
    expect_failure(folder, UB_ERR_FORMAT, "train: no folder in it");
    make_in("incomplete", "train/cat");
    expect_failure(folder, UB_ERR_FORMAT, "train: no picture, expected");
    write_flat(in_folder(folder, "train/cat/a.png"), 1, 2, 3);
    expect_failure(folder, UB_ERR_FORMAT, "val: no picture, expected");
    make_in("incomplete", "val/cow");
    expect_failure(folder, UB_ERR_FORMAT,
                   "val: class \"cow\", expected one of the 1 in train/");
}

/* -- pictures -------------------------------------------------------------- */

/* A set whose only training picture is to be written to the result. */
static const char *picture_set(const char *name, const char **folder)
{
    *folder = make_folder(name);
    make_in(name, "train");
    make_in(name, "train/only");
    make_in(name, "val");
    make_in(name, "val/only");
    write_flat(in_folder(*folder, "val/only/a.png"), 1, 2, 3);
    static char paths[16][1024];
    static int next;
    char *path = paths[next++ % 16];
    snprintf(path, sizeof paths[0], "%s/train/only/a.png", *folder);
    return path;
}

static void read_back(const char *folder, int size, uint8_t *pixels)
{
    ub_context *context = test_context(1);
    ub_dataset *train = NULL;
    expect_open(context, folder, size, &train, NULL);
    assert_int_equal(ub_dataset_count(train), 1);
    memcpy(pixels, ub_dataset_image(train, 0), (size_t) (3 * size * size));
    ub_dataset_destroy(&train);
    ub_context_destroy(&context);
}

static void test_png_kinds(void **state)
{
    (void) state;
    const char *folder = NULL;
    const char *path = picture_set("kinds", &folder);
    /* 2 x 2; with transparency, either none or all. */
    static const uint8_t pixels[5][16] = {
        { 0 },
        { 9, 80, 170, 255 },
        { 9, 255, 80, 255, 170, 0, 255, 255 },
        { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 },
        { 1, 2, 3, 255, 4, 5, 6, 0, 7, 8, 9, 255, 10, 11, 12, 255 },
    };
    static const uint8_t expected[5][12] = {
        { 0 },
        { 9, 80, 170, 255, 9, 80, 170, 255, 9, 80, 170, 255 },
        { 9, 80, 0, 255, 9, 80, 0, 255, 9, 80, 0, 255 },
        { 1, 4, 7, 10, 2, 5, 8, 11, 3, 6, 9, 12 },
        { 1, 0, 7, 10, 2, 0, 8, 11, 3, 0, 9, 12 },
    };
    for (int channels = 1; channels <= 4; channels++) {
        bytes png = { NULL, 0 };
        uint8_t got[12];
        put_png(&png, channels, 2, 2, pixels[channels]);
        write_file(path, &png);
        read_back(folder, 2, got);
        assert_memory_equal(got, expected[channels], 12);
        clear(&png);
    }
}

/* Columns of the given values, resized to `to` x `to`. */
static void resize_columns(const char *name, int from, const uint8_t *values,
                           int to, const uint8_t *expected)
{
    const char *folder = NULL;
    const char *path = picture_set(name, &folder);
    uint8_t pixels[64];
    uint8_t got[3 * 64];
    for (int i = 0; i < from * from; i++)
        pixels[i] = values[i % from];
    bytes png = { NULL, 0 };
    put_png(&png, 1, from, from, pixels);
    write_file(path, &png);
    clear(&png);
    read_back(folder, to, got);
    for (int i = 0; i < 3 * to * to; i++)
        assert_int_equal(got[i], expected[i % to]);
}

static void test_resize(void **state)
{
    (void) state;
    /* Halved: weights 3, 3, 1 of 7 about each new centre. */
    const uint8_t four[4] = { 70, 140, 210, 35 };
    const uint8_t halved[2] = { 120, 125 };
    resize_columns("halved", 4, four, 2, halved);
    /* Doubled: 3 to 1 between neighbours, the border repeated. */
    const uint8_t two[2] = { 40, 80 };
    const uint8_t doubled[4] = { 40, 50, 70, 80 };
    resize_columns("doubled", 2, two, 4, doubled);
    /* Fine stripes become grey rather than some of them. */
    const uint8_t stripes[8] = { 0, 200, 0, 200, 0, 200, 0, 200 };
    const uint8_t grey[1] = { 100 };
    resize_columns("striped", 8, stripes, 1, grey);
}

static void test_damaged_png(void **state)
{
    (void) state;
    const char *folder = NULL;
    const char *path = picture_set("damaged", &folder);
    bytes png = { NULL, 0 };
    uint8_t pixels[48];
    for (int i = 0; i < 48; i++)
        pixels[i] = (uint8_t) (i * 5);
    put_png(&png, 3, 4, 4, pixels);
    size_t whole = png.size;
    /* Up to the last chunk, which has nothing in it. */
    for (size_t size = 0; size < whole - 12; size++) {
        png.size = size;
        write_file(path, &png);
        expect_failure(folder, UB_ERR_FORMAT, "train/only/a.png: ");
    }
    png.size = whole;
    for (size_t i = 8; i < whole - 12; i++) {
        png.data[i] ^= (uint8_t) (1 << i % 8);
        write_file(path, &png);
        open_anyhow(folder);
        png.data[i] ^= (uint8_t) (1 << i % 8);
    }
    clear(&png);
    put(&png, "GIF89a", 6);
    write_file(path, &png);
    expect_failure(folder, UB_ERR_FORMAT,
                   "a.png: byte 0: expected the first bytes of a PNG or JPEG");
    clear(&png);
}

/* A header that claims the size, and next to no data. */
static void put_bomb(bytes *to, uint32_t side)
{
    bytes header = { NULL, 0 };
    for (int i = 0; i < 2; i++) {
        for (int shift = 24; shift >= 0; shift -= 8)
            put_byte(&header, (int) (side >> shift & 255));
    }
    put(&header, "\x8\x2\0\0\0", 5);
    bytes data = { NULL, 0 };
    put(&data, "\x78\x9c\x63\0\0\0\1\0\1", 9);
    bytes none = { NULL, 0 };
    put(to, "\x89PNG\r\n\x1a\n", 8);
    put_png_chunk(to, "IHDR", &header);
    put_png_chunk(to, "IDAT", &data);
    put_png_chunk(to, "IEND", &none);
    clear(&header);
    clear(&data);
}

static void test_png_bombs(void **state)
{
    (void) state;
    const char *folder = NULL;
    const char *path = picture_set("bombs", &folder);
    bytes png = { NULL, 0 };
    put_bomb(&png, 30000);
    write_file(path, &png);
    expect_failure(folder, UB_ERR_RANGE,
                   "a.png: a picture of 30000 x 30000 pixels, expected 1 x 1 "
                   "to 8192 x 8192");
    clear(&png);
    put_bomb(&png, 8192);
    write_file(path, &png);
    expect_failure(folder, UB_ERR_FORMAT, "a.png: no valid PNG file");
    clear(&png);
    put_bomb(&png, 0);
    write_file(path, &png);
    expect_any_failure(folder);
    clear(&png);
    put_bomb(&png, 0x7fffffff);
    write_file(path, &png);
    expect_any_failure(folder);
    clear(&png);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_annotations),
        cmocka_unit_test(test_damaged_annotations),
        cmocka_unit_test(test_incomplete_sets),
        cmocka_unit_test(test_png_kinds),
        cmocka_unit_test(test_resize),
        cmocka_unit_test(test_damaged_png),
        cmocka_unit_test(test_png_bombs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
