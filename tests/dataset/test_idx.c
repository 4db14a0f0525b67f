/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixtures.h"

#include "base/base.h"

#define FASHION "/usr/share/datasets/fashion-mnist"

static void put_extents(bytes *to, int rank, const uint32_t *extents)
{
    put_repeated(to, 0, 2);
    put_byte(to, 8);
    put_byte(to, rank);
    for (int i = 0; i < rank; i++) {
        for (int shift = 24; shift >= 0; shift -= 8)
            put_byte(to, (int) (extents[i] >> shift & 255));
    }
}

static void put_images(bytes *to, uint32_t n, uint32_t height, uint32_t width)
{
    const uint32_t extents[3] = { n, height, width };
    put_extents(to, 3, extents);
    put_noise(to, n, (size_t) n * height * width);
}

static void put_labels(bytes *to, uint32_t n, uint32_t classes)
{
    put_extents(to, 1, &n);
    for (uint32_t i = 0; i < n; i++)
        put_byte(to, (int) (i % classes));
}

static void write_part(const char *folder, const char *part, uint32_t n,
                       uint32_t side)
{
    char name[64];
    bytes images = { NULL, 0 };
    bytes labels = { NULL, 0 };
    put_images(&images, n, side, side);
    put_labels(&labels, n, 4);
    snprintf(name, sizeof name, "%s-images-idx3-ubyte", part);
    write_file(in_folder(folder, name), &images);
    snprintf(name, sizeof name, "%s-labels-idx1-ubyte.gz", part);
    write_gzip(in_folder(folder, name), &labels);
    clear(&images);
    clear(&labels);
}

static const char *write_set(const char *name, uint32_t side)
{
    const char *folder = make_folder(name);
    write_part(folder, "train", 9, side);
    write_part(folder, "t10k", 5, side);
    return folder;
}

static void check_padded(const ub_dataset *train)
{
    bytes expected = { NULL, 0 };
    put_noise(&expected, 9, 9 * 28 * 28);
    for (int i = 0; i < 9 * 32 * 32; i++) {
        int y = i / 32 % 32 - 2;
        int x = i % 32 - 2;
        int inside = y >= 0 && y < 28 && x >= 0 && x < 28;
        int pixel = inside ? expected.data[i / 1024 * 784 + y * 28 + x] : 0;
        assert_int_equal(ub_dataset_image(train, i / 1024)[i % 1024], pixel);
    }
    clear(&expected);
}

static void test_padded(void **state)
{
    (void) state;
    const char *folder = write_set("padded", 28);
    ub_context *context = test_context(1);
    ub_dataset *train = NULL;
    ub_dataset *test = NULL;
    expect_open(context, folder, 0, &train, &test);
    assert_string_equal(ub_dataset_name(train), "idx");
    assert_int_equal(ub_dataset_count(train), 9);
    assert_int_equal(ub_dataset_count(test), 5);
    assert_int_equal(ub_dataset_channels(train), 1);
    assert_int_equal(ub_dataset_classes(test), 4);
    assert_int_equal(ub_dataset_height(train), 32);
    assert_int_equal(ub_dataset_label(train, 7), 3);
    check_padded(train);
    ub_dataset_destroy(&train);
    ub_dataset_destroy(&test);
    const char *file = in_folder(folder, "train-images-idx3-ubyte");
    expect_open(context, file, 28, &train, NULL);
    assert_int_equal(ub_dataset_height(train), 28);
    bytes expected = { NULL, 0 };
    put_noise(&expected, 9, 9 * 784);
    assert_memory_equal(ub_dataset_image(train, 0), expected.data, 9 * 784);
    clear(&expected);
    ub_dataset_destroy(&train);
    ub_context_destroy(&context);
    sweep_open(folder, 0);
    sweep_open(folder, 40);
}

static void test_other_sizes(void **state)
{
    (void) state;
    const char *folder = write_set("other", 20);
    ub_context *context = test_context(1);
    ub_dataset *train = NULL;
    const int sizes[3][2] = { { 0, 20 }, { 10, 10 }, { 32, 32 } };
    for (int i = 0; i < 3; i++) {
        expect_open(context, folder, sizes[i][0], &train, NULL);
        assert_int_equal(ub_dataset_height(train), sizes[i][1]);
        assert_int_equal(ub_dataset_width(train), sizes[i][1]);
        ub_dataset_destroy(&train);
    }
    ub_context_destroy(&context);
}

/* -- damage ---------------------------------------------------------------- */

static void expect_images_failure(const char *folder, const bytes *images,
                                  ub_status status, const char *expected)
{
    write_file(in_folder(folder, "train-images-idx3-ubyte"), images);
    expect_failure(folder, status, expected);
}

static void test_damaged_images(void **state)
{
    (void) state;
    const char *folder = write_set("images", 28);
    bytes images = { NULL, 0 };
    put_images(&images, 9, 28, 28);
    size_t whole = images.size;
    for (size_t size = 0; size < whole; size += 1 + size / 4) {
        images.size = size;
        expect_images_failure(folder, &images, UB_ERR_FORMAT, "end of file");
    }
    images.size = whole - 1;
    expect_images_failure(folder, &images, UB_ERR_FORMAT,
                          "train-images-idx3-ubyte: byte 7071: end of file, "
                          "expected 28 bytes of pixels");
    images.size = whole;
    put_byte(&images, 0);
    expect_images_failure(folder, &images, UB_ERR_FORMAT,
                          "byte 7072: more data, expected the end");
    images.size = whole;
    images.data[2] = 9;
    expect_images_failure(folder, &images, UB_ERR_FORMAT,
                          "byte 0: IDX magic number 00000903, expected "
                          "00000803");
    clear(&images);
}

static void test_absurd_extents(void **state)
{
    (void) state;
    const char *folder = write_set("extents", 28);
    const uint32_t extents[][3] = {
        { 0xffffffff, 28, 28 }, { 0, 28, 28 },   { 9, 0, 28 },
        { 9, 28, 0xffffffff },  { 9, 4097, 28 }, { 9, 1025, 28 }
    };
    for (size_t i = 0; i < sizeof extents / sizeof extents[0]; i++) {
        bytes images = { NULL, 0 };
        put_extents(&images, 3, extents[i]);
        put_noise(&images, 1, 9 * 784);
        expect_images_failure(folder, &images, UB_ERR_RANGE, "expected");
        clear(&images);
    }
    /* 2^28 images of a MiB claimed: memory grows with what is there. */
    const uint32_t many[3] = { 1U << 28, 1024, 1024 };
    bytes images = { NULL, 0 };
    put_extents(&images, 3, many);
    put_noise(&images, 1, 3 << 20);
    expect_images_failure(folder, &images, UB_ERR_FORMAT,
                          "byte 3145744: end of file");
    clear(&images);
}

static void test_damaged_labels(void **state)
{
    (void) state;
    const char *folder = write_set("labels", 28);
    const char *train = in_folder(folder, "train-labels-idx1-ubyte.gz");
    const char *test = in_folder(folder, "t10k-labels-idx1-ubyte.gz");
    bytes labels = { NULL, 0 };
    put_labels(&labels, 5, 5);
    write_file(test, &labels);
    expect_failure(folder, UB_ERR_FORMAT,
                   "t10k-labels-idx1-ubyte.gz: byte 12: label 4, expected 0 "
                   "to 3");
    labels.size = 11;
    write_file(test, &labels);
    expect_failure(folder, UB_ERR_FORMAT, "byte 11: end of file, expected 1");
    write_gzip(train, &labels);
    expect_failure(folder, UB_ERR_FORMAT,
                   "byte 4: 5 labels, expected 9, one per image");
    assert_int_equal(remove(train), 0);
    expect_failure(folder, UB_ERR_IO, "train-labels-idx1-ubyte is missing");
    clear(&labels);
}

static void test_damaged_gzip(void **state)
{
    (void) state;
    const char *folder = write_set("gzip", 28);
    const char *path = in_folder(folder, "t10k-labels-idx1-ubyte.gz");
    bytes gzip = { NULL, 0 };
    read_file(path, &gzip);
    for (size_t i = 10; i < gzip.size; i++) {
        /* The last byte before the checksum has unused bits. */
        for (int bit = 0; bit < 8 && i != gzip.size - 9; bit++) {
            gzip.data[i] ^= (uint8_t) (1 << bit);
            write_file(path, &gzip);
            expect_any_failure(path);
            expect_any_failure(folder);
            gzip.data[i] ^= (uint8_t) (1 << bit);
        }
    }
    while (gzip.size > 0) {
        gzip.size--;
        write_file(path, &gzip);
        expect_any_failure(folder);
    }
    clear(&gzip);
}

static void test_mismatched_sizes(void **state)
{
    (void) state;
    const char *folder = make_folder("mismatched");
    write_part(folder, "train", 9, 28);
    write_part(folder, "t10k", 5, 20);
    expect_failure(folder, UB_ERR_FORMAT,
                   "t10k images of 20 x 20, expected 32 x 32 as in train");
}

/* -- the real one ---------------------------------------------------------- */

static void test_fashion(void **state)
{
    (void) state;
    if (!ub__is_folder(FASHION))
        skip();
    ub_context *context = test_context(1);
    ub_dataset *train = NULL;
    ub_dataset *test = NULL;
    expect_open(context, FASHION, 28, &train, &test);
    assert_string_equal(ub_dataset_name(train), "fashion-mnist");
    assert_int_equal(ub_dataset_count(train), 60000);
    assert_int_equal(ub_dataset_count(test), 10000);
    assert_int_equal(ub_dataset_classes(train), 10);
    int64_t counts[10] = { 0 };
    for (int64_t i = 0; i < 60000; i++)
        counts[ub_dataset_label(train, i)]++;
    for (int c = 0; c < 10; c++)
        assert_int_equal(counts[c], 6000);
    assert_int_equal(ub_dataset_label(train, 0), 9);
    assert_string_equal(ub_dataset_class_name(train, 9), "Ankle boot");
    float mean = 0;
    float std = 0;
    ub_dataset_statistics(train, &mean, &std);
    /* The constants in use have four digits. */
    assert_close(mean, 0.2860, 1e-4);
    assert_close(std, 0.3530, 1e-4);
    ub_dataset_destroy(&train);
    ub_dataset_destroy(&test);
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_padded),
        cmocka_unit_test(test_other_sizes),
        cmocka_unit_test(test_damaged_images),
        cmocka_unit_test(test_absurd_extents),
        cmocka_unit_test(test_damaged_labels),
        cmocka_unit_test(test_damaged_gzip),
        cmocka_unit_test(test_mismatched_sizes),
        cmocka_unit_test(test_fashion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
