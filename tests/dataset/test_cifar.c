/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixtures.h"

#include "base/base.h"

#define RECORD  3073
#define RECORDS 4 /* of each file of the fixture */

static const char *const files[6] = { "data_batch_1.bin", "data_batch_2.bin",
                                      "data_batch_3.bin", "data_batch_4.bin",
                                      "data_batch_5.bin", "test_batch.bin" };
static const char names[] = "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\n"
                            "horse\nship\ntruck\n\n";

/* File number `file`: labels count up, pixels are noise. */
static void put_batch(bytes *to, int file)
{
    for (int i = 0; i < RECORDS; i++) {
        put_byte(to, (file * RECORDS + i) % 10);
        put_noise(to, (uint32_t) (file * RECORDS + i), RECORD - 1);
    }
}

static void put_cifar100(bytes *to, uint32_t seed)
{
    for (int i = 0; i < RECORDS; i++) {
        put_byte(to, i);
        put_byte(to, 99 - i);
        put_noise(to, seed + (uint32_t) i, RECORD - 1);
    }
}

static void put_text_member(bytes *tar, const char *name, const char *text)
{
    bytes content = { NULL, 0 };
    put(&content, text, strlen(text));
    put_member(tar, name, &content);
    clear(&content);
}

/* Batches in the order of the distributed archive, which is not theirs. */
static void put_archive(bytes *tar)
{
    static const int order[6] = { 0, 2, 3, 5, 4, 1 };
    put_text_member(tar, "cifar-10-batches-bin/readme.html", "<html>");
    for (int i = 0; i < 6; i++) {
        char name[64];
        bytes batch = { NULL, 0 };
        put_batch(&batch, order[i]);
        snprintf(name, sizeof name, "cifar-10-batches-bin/%s", files[order[i]]);
        put_member(tar, name, &batch);
        clear(&batch);
    }
    /* A whole block has no padding behind it. */
    bytes block = { NULL, 0 };
    put_repeated(&block, 'x', 512);
    put_member(tar, "cifar-10-batches-bin/block", &block);
    clear(&block);
    put_text_member(tar, "cifar-10-batches-bin/batches.meta.txt", names);
    put_tar_end(tar);
}

static void check_image(const ub_dataset *dataset, int64_t index, uint32_t seed)
{
    bytes expected = { NULL, 0 };
    put_noise(&expected, seed, RECORD - 1);
    assert_memory_equal(ub_dataset_image(dataset, index), expected.data,
                        RECORD - 1);
    clear(&expected);
}

static void check_cifar10(const ub_dataset *train, const ub_dataset *test)
{
    assert_string_equal(ub_dataset_name(train), "cifar10");
    assert_int_equal(ub_dataset_count(train), 5 * RECORDS);
    assert_int_equal(ub_dataset_count(test), RECORDS);
    assert_int_equal(ub_dataset_classes(train), 10);
    for (int64_t i = 0; i < 5 * RECORDS; i++) {
        assert_int_equal(ub_dataset_label(train, i), i % 10);
        check_image(train, i, (uint32_t) i);
    }
    for (int64_t i = 0; i < RECORDS; i++)
        check_image(test, i, 5 * RECORDS + (uint32_t) i);
    assert_string_equal(ub_dataset_class_name(train, 9), "truck");
    assert_string_equal(ub_dataset_class_name(test, 0), "airplane");
}

static void open_and_check(const char *path)
{
    ub_context *context = test_context(1);
    ub_dataset *train = NULL;
    ub_dataset *test = NULL;
    expect_open(context, path, 0, &train, &test);
    check_cifar10(train, test);
    ub_dataset_destroy(&train);
    ub_dataset_destroy(&test);
    ub_context_destroy(&context);
}

static void test_archive(void **state)
{
    (void) state;
    const char *folder = make_folder("archive");
    bytes tar = { NULL, 0 };
    put_archive(&tar);
    const char *packed = in_folder(folder, "cifar-10-binary.tar.gz");
    write_gzip(packed, &tar);
    open_and_check(packed);
    open_and_check(folder);
    const char *plain = in_folder(folder, "cifar.tar");
    write_file(plain, &tar);
    open_and_check(plain);
    sweep_open(packed, 0);
    clear(&tar);
}

static void write_batches(const char *folder)
{
    for (int i = 0; i < 6; i++) {
        bytes batch = { NULL, 0 };
        put_batch(&batch, i);
        write_file(in_folder(folder, files[i]), &batch);
        clear(&batch);
    }
    test_file_write(in_folder(folder, "batches.meta.txt"), names,
                    sizeof names - 1);
}

static void test_folder_of_batches(void **state)
{
    (void) state;
    const char *outer = make_folder("outer");
    const char *folder = make_folder("outer/cifar-10-batches-bin");
    write_batches(folder);
    open_and_check(folder);
    open_and_check(outer);
    sweep_open(folder, 16);
}

static void test_cifar100(void **state)
{
    (void) state;
    const char *folder = make_folder("cifar100");
    bytes train_file = { NULL, 0 };
    bytes test_file = { NULL, 0 };
    put_cifar100(&train_file, 1);
    put_cifar100(&test_file, 100);
    write_file(in_folder(folder, "train.bin"), &train_file);
    write_file(in_folder(folder, "test.bin"), &test_file);
    ub_context *context = test_context(1);
    ub_dataset *train = NULL;
    ub_dataset *test = NULL;
    expect_open(context, folder, 0, &train, &test);
    assert_string_equal(ub_dataset_name(train), "cifar100");
    assert_int_equal(ub_dataset_classes(test), 100);
    assert_int_equal(ub_dataset_label(train, 1), 98);
    assert_string_equal(ub_dataset_class_name(train, 98), "98");
    check_image(train, 1, 2);
    check_image(test, 0, 100);
    ub_dataset_destroy(&train);
    ub_dataset_destroy(&test);
    ub_context_destroy(&context);
    /* The coarse label, then the fine one. */
    train_file.data[RECORD + 1] = 20;
    write_file(in_folder(folder, "train.bin"), &train_file);
    expect_failure(folder, UB_ERR_FORMAT,
                   "train.bin: byte 3074: coarse label 20, expected 0 to 19");
    train_file.data[RECORD + 1] = 0;
    train_file.data[RECORD + 2] = 100;
    write_file(in_folder(folder, "train.bin"), &train_file);
    expect_failure(folder, UB_ERR_FORMAT,
                   "train.bin: byte 3075: label 100, expected 0 to 99");
    /* Cut between the two. */
    train_file.size = RECORD + 2;
    write_file(in_folder(folder, "train.bin"), &train_file);
    expect_failure(folder, UB_ERR_FORMAT,
                   "train.bin: byte 3075: end of file, expected a label");
    clear(&train_file);
    clear(&test_file);
}

/* Grey stays grey, and the mean stays the mean, whatever the size. */
static void test_resized(void **state)
{
    (void) state;
    const char *folder = make_folder("resized");
    bytes flat = { NULL, 0 };
    put_byte(&flat, 1);
    put_repeated(&flat, 77, RECORD - 1);
    for (int i = 0; i < 6; i++)
        write_file(in_folder(folder, files[i]), &flat);
    const int sizes[] = { 1, 8, 24, 33, 64 };
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        ub_context *context = test_context(1);
        ub_dataset *train = NULL;
        expect_open(context, folder, sizes[s], &train, NULL);
        assert_int_equal(ub_dataset_width(train), sizes[s]);
        for (int i = 0; i < 3 * sizes[s] * sizes[s]; i++)
            assert_int_equal(ub_dataset_image(train, 4)[i], 77);
        ub_dataset_destroy(&train);
        ub_context_destroy(&context);
    }
    clear(&flat);
}

/* -- damage ---------------------------------------------------------------- */

static void test_damaged_batches(void **state)
{
    (void) state;
    const char *folder = make_folder("damaged");
    write_batches(folder);
    const char *third = in_folder(folder, files[2]);
    bytes batch = { NULL, 0 };
    put_batch(&batch, 2);
    batch.data[RECORD] = 17;
    write_file(third, &batch);
    expect_failure(folder, UB_ERR_FORMAT,
                   "data_batch_3.bin: byte 3073: label 17, expected 0 to 9");
    batch.data[RECORD] = 0;
    batch.size = 2 * RECORD + 100;
    write_file(third, &batch);
    expect_failure(folder, UB_ERR_FORMAT,
                   "data_batch_3.bin: byte 6246: end of file, expected 3072 "
                   "bytes of pixels");
    batch.size = 0;
    write_file(third, &batch);
    expect_failure(folder, UB_ERR_FORMAT,
                   "data_batch_3.bin: byte 0: end of file, expected images");
    assert_int_equal(remove(third), 0);
    expect_failure(folder, UB_ERR_FORMAT, "data_batch_3.bin is missing");
    clear(&batch);
}

static void test_class_names_damaged(void **state)
{
    (void) state;
    const char *folder = make_folder("names");
    write_batches(folder);
    const char *path = in_folder(folder, "batches.meta.txt");
    test_file_write(path, "a\nb\n", 4);
    expect_failure(folder, UB_ERR_FORMAT,
                   "batches.meta.txt: byte 4: end of file after 2 class names, "
                   "expected 10");
    bytes text = { NULL, 0 };
    put_repeated(&text, 'a', 20000);
    write_file(path, &text);
    expect_failure(folder, UB_ERR_FORMAT, "a class name of 16383 bytes");
    clear(&text);
}

static void test_truncated_archive(void **state)
{
    (void) state;
    const char *folder = make_folder("truncated");
    bytes tar = { NULL, 0 };
    put_archive(&tar);
    const char *packed = in_folder(folder, "whole.tar.gz");
    const char *cut = in_folder(folder, "cut.tar.gz");
    write_gzip(packed, &tar);
    bytes gzip = { NULL, 0 };
    read_file(packed, &gzip);
    size_t whole = gzip.size;
    for (size_t size = 0; size < whole; size += 1 + size / 8) {
        gzip.size = size;
        write_file(cut, &gzip);
        expect_any_failure(cut);
    }
    gzip.size = whole - 1;
    write_file(cut, &gzip);
    expect_failure(cut, UB_ERR_FORMAT, "the compressed data is truncated");
    size_t plain = tar.size;
    for (size_t size = 0; size <= plain - 1024; size += 700) {
        tar.size = size;
        write_file(cut, &tar);
        expect_any_failure(cut);
    }
    tar.size = 4096;
    write_file(cut, &tar);
    expect_failure(cut, UB_ERR_FORMAT,
                   "cut.tar.gz: data_batch_1.bin: byte 2560: end of the "
                   "archive, expected");
    clear(&gzip);
    clear(&tar);
}

static void test_flipped_gzip(void **state)
{
    (void) state;
    const char *folder = make_folder("flipped");
    bytes tar = { NULL, 0 };
    put_archive(&tar);
    const char *path = in_folder(folder, "flipped.tar.gz");
    write_gzip(path, &tar);
    bytes gzip = { NULL, 0 };
    read_file(path, &gzip);
    /* Behind the header of ten bytes, of which some may be anything, and up
     * to the last byte before the checksum, which has unused bits. */
    for (size_t i = 10; i < gzip.size - 9; i += 1 + i / 10) {
        gzip.data[i] ^= (uint8_t) (1 << i % 8);
        write_file(path, &gzip);
        expect_any_failure(path);
        gzip.data[i] ^= (uint8_t) (1 << i % 8);
    }
    clear(&gzip);
    clear(&tar);
}

static void test_flipped_tar_headers(void **state)
{
    (void) state;
    const char *folder = make_folder("headers");
    const char *path = in_folder(folder, "flipped.tar");
    bytes tar = { NULL, 0 };
    put_archive(&tar);
    /* The second header: of the first batch. */
    for (size_t i = 1024; i < 1536; i += 3) {
        tar.data[i] ^= (uint8_t) (1 << i % 8);
        write_file(path, &tar);
        /* In the checksum itself, a flip may fall on its terminator. */
        if (i < 1024 + 154 || i >= 1024 + 156)
            expect_failure(path, UB_ERR_FORMAT, "byte 1024: no tar header");
        tar.data[i] ^= (uint8_t) (1 << i % 8);
    }
    clear(&tar);
}

/* Write the size field of the second header and expect a failure. */
static void expect_size_failure(bytes *tar, const char *path, const char *size,
                                const char *expected)
{
    memcpy(tar->data + 1024 + 124, size, 12);
    fix_checksum(tar, 1024);
    write_file(path, tar);
    expect_failure(path, UB_ERR_FORMAT, expected);
}

static void test_hostile_tar_sizes(void **state)
{
    (void) state;
    const char *folder = make_folder("sizes");
    const char *path = in_folder(folder, "hostile.tar");
    bytes tar = { NULL, 0 };
    put_archive(&tar);
    expect_size_failure(&tar, path, "77777777777", "size of a file");
    expect_size_failure(&tar, path, "\x80\0\0\0\0\0\0\1\0\0\0", "size of a");
    expect_size_failure(&tar, path, "-0000000001", "size of a file");
    expect_size_failure(&tar, path, "00000xyz001", "size of a file");
    /* 4 GiB claimed, with few bytes behind: memory grows with those. */
    expect_size_failure(&tar, path, "40000000000", "label");
    expect_size_failure(&tar, path, "00000000000", "expected images");
    clear(&tar);
}

static void test_wrong_members(void **state)
{
    (void) state;
    const char *folder = make_folder("members");
    const char *path = in_folder(folder, "wrong.tar");
    bytes tar = { NULL, 0 };
    bytes batch = { NULL, 0 };
    put_batch(&batch, 0);
    put_member(&tar, "a/data_batch_1.bin", &batch);
    size_t one = tar.size;
    put_member(&tar, "b/data_batch_1.bin", &batch);
    put_tar_end(&tar);
    write_file(path, &tar);
    expect_failure(path, UB_ERR_FORMAT,
                   "wrong.tar: data_batch_1.bin: found twice");
    tar.size = one;
    put_member(&tar, "train.bin", &batch);
    put_tar_end(&tar);
    write_file(path, &tar);
    expect_failure(path, UB_ERR_FORMAT, "a file of CIFAR-100 beside");
    tar.size = one;
    put_tar_end(&tar);
    write_file(path, &tar);
    expect_failure(path, UB_ERR_FORMAT, "data_batch_2.bin is missing");
    tar.size = 0;
    put_tar_end(&tar);
    write_file(path, &tar);
    expect_failure(path, UB_ERR_FORMAT, "data_batch_1.bin is missing");
    clear(&batch);
    clear(&tar);
}

/* -- the real one ---------------------------------------------------------- */

static void check_counts(const ub_dataset *dataset, int64_t per_class)
{
    int64_t counts[10] = { 0 };
    for (int64_t i = 0; i < ub_dataset_count(dataset); i++)
        counts[ub_dataset_label(dataset, i)]++;
    for (int c = 0; c < 10; c++)
        assert_int_equal(counts[c], per_class);
}

static void test_real(void **state)
{
    (void) state;
    const char *path = test_data("cifar-10-binary.tar.gz");
    if (!path || !ub__file_exists(path))
        skip();
    ub_context *context = test_context(1);
    ub_dataset *train = NULL;
    ub_dataset *test = NULL;
    expect_open(context, path, 0, &train, &test);
    assert_int_equal(ub_dataset_count(train), 50000);
    assert_int_equal(ub_dataset_count(test), 10000);
    check_counts(train, 5000);
    check_counts(test, 1000);
    /* As torchvision lists them. */
    const int first[10] = { 6, 9, 9, 4, 1, 1, 2, 7, 8, 3 };
    const int first_test[10] = { 3, 8, 8, 0, 6, 6, 1, 6, 3, 1 };
    for (int i = 0; i < 10; i++) {
        assert_int_equal(ub_dataset_label(train, i), first[i]);
        assert_int_equal(ub_dataset_label(test, i), first_test[i]);
    }
    assert_string_equal(ub_dataset_class_name(train, 6), "frog");
    /* The constants in use differ from each other in the 7th digit. */
    const double means[3] = { 0.49139968, 0.48215827, 0.44653124 };
    const double stds[3] = { 0.24703233, 0.24348505, 0.26158768 };
    float mean[3];
    float std[3];
    ub_dataset_statistics(train, mean, std);
    for (int c = 0; c < 3; c++) {
        assert_close(mean[c], means[c], 1e-6);
        assert_close(std[c], stds[c], 1e-6);
    }
    ub_dataset_destroy(&train);
    ub_dataset_destroy(&test);
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_archive),
        cmocka_unit_test(test_folder_of_batches),
        cmocka_unit_test(test_cifar100),
        cmocka_unit_test(test_resized),
        cmocka_unit_test(test_damaged_batches),
        cmocka_unit_test(test_class_names_damaged),
        cmocka_unit_test(test_truncated_archive),
        cmocka_unit_test(test_flipped_gzip),
        cmocka_unit_test(test_flipped_tar_headers),
        cmocka_unit_test(test_hostile_tar_sizes),
        cmocka_unit_test(test_wrong_members),
        cmocka_unit_test(test_real),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
