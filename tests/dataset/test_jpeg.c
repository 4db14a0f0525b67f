/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixtures.h"

#include "dataset/dataset.h"

#include <stdio.h>

#ifdef UB__JPEG

#include <jpeglib.h>

enum { GREY = 1, COLOR = 3, CMYK = 4, PROGRESSIVE = 8, TWO_SCANS = 16 };

/* A grey file's mean values, then all the rest at once: a second scan that may
 * come again. */
static const jpeg_scan_info two_scans[] = { { 1, { 0 }, 0, 0, 0, 0 },
                                            { 1, { 0 }, 1, 63, 0, 0 } };

/* A JPEG file whose pixels rise to the right, differently in each channel. */
static void put_jpeg(bytes *to, int kind, int height, int width)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char *data = NULL;
    unsigned long size = 0;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &data, &size);
    jpeg.image_width = (JDIMENSION) width;
    jpeg.image_height = (JDIMENSION) height;
    jpeg.input_components = kind & 7;
    jpeg.in_color_space = (kind & 7) == GREY    ? JCS_GRAYSCALE
                          : (kind & 7) == COLOR ? JCS_RGB
                                                : JCS_CMYK;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 98, TRUE);
    if (kind & PROGRESSIVE)
        jpeg_simple_progression(&jpeg);
    if (kind & TWO_SCANS) {
        jpeg.scan_info = two_scans;
        jpeg.num_scans = 2;
    }
    jpeg_start_compress(&jpeg, TRUE);
    JSAMPLE *row = calloc((size_t) width, 4);
    assert_non_null(row);
    for (int i = 0; i < width * (kind & 7); i++)
        row[i] = (JSAMPLE) (40 + 50 * (i % (kind & 7)) + i / (kind & 7));
    for (int y = 0; y < height; y++)
        jpeg_write_scanlines(&jpeg, &row, 1);
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    put(to, data, size);
    free(row);
    free(data);
}

static void test_kinds(void **state)
{
    (void) state;
    static const int kinds[] = { GREY, COLOR, GREY | PROGRESSIVE,
                                 COLOR | PROGRESSIVE };
    ub_context *context = test_context(1);
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        bytes jpeg = { NULL, 0 };
        ub__picture picture = { NULL, 0, 0 };
        put_jpeg(&jpeg, kinds[k], 17, 33);
        assert_int_equal(
            ub__jpeg_decode(context, jpeg.data, jpeg.size, &picture), UB_OK);
        assert_int_equal(picture.height, 17);
        assert_int_equal(picture.width, 33);
        for (int i = 0; i < 17 * 33 * 3; i++) {
            int channel = (kinds[k] & 7) == GREY ? 0 : i % 3;
            /* Quality 98 on a slope, colours at half resolution. */
            assert_close(picture.pixels[i], 40 + 50 * channel + i / 3 % 33, 3);
        }
        ub__free(context, picture.pixels);
        clear(&jpeg);
    }
    ub_context_destroy(&context);
}

static ub_status decode_scenario(ub_context *context, void *arg)
{
    const bytes *jpeg = arg;
    ub__picture picture = { NULL, 0, 0 };
    ub_status status = ub__jpeg_decode(context, jpeg->data, jpeg->size,
                                       &picture);
    ub__free(context, picture.pixels);
    return status;
}

static void expect_refused(const bytes *jpeg, ub_status status,
                           const char *expected)
{
    ub_context *context = test_context(1);
    ub__picture picture = { NULL, 0, 0 };
    assert_int_equal(ub__jpeg_decode(context, jpeg->data, jpeg->size, &picture),
                     status);
    assert_null(picture.pixels);
    if (!strstr(ub_context_last_error(context), expected))
        fail_msg("\"%s\"", ub_context_last_error(context));
    ub_context_destroy(&context);
}

static void test_truncated(void **state)
{
    (void) state;
    static const int kinds[] = { COLOR, COLOR | PROGRESSIVE };
    for (size_t k = 0; k < 2; k++) {
        bytes jpeg = { NULL, 0 };
        put_jpeg(&jpeg, kinds[k], 20, 30);
        size_t whole = jpeg.size;
        for (jpeg.size = 3; jpeg.size < whole; jpeg.size++)
            expect_refused(&jpeg, UB_ERR_FORMAT, "no valid JPEG file: ");
        assert_survives_oom(decode_scenario, 1, &jpeg);
        clear(&jpeg);
    }
}

/* Few flips can be seen; none may do harm. */
static void test_flipped(void **state)
{
    (void) state;
    static const int kinds[] = { COLOR, COLOR | PROGRESSIVE };
    ub_context *context = test_context(1);
    for (size_t k = 0; k < 2; k++) {
        bytes jpeg = { NULL, 0 };
        put_jpeg(&jpeg, kinds[k], 20, 30);
        for (size_t i = 0; i < jpeg.size; i++) {
            jpeg.data[i] ^= (uint8_t) (1 << i % 8);
            (void) decode_scenario(context, &jpeg);
            jpeg.data[i] ^= (uint8_t) (1 << i % 8);
        }
        clear(&jpeg);
    }
    ub_context_destroy(&context);
}

static void test_refuses(void **state)
{
    (void) state;
    bytes jpeg = { NULL, 0 };
    put_jpeg(&jpeg, CMYK, 8, 8);
    expect_refused(&jpeg, UB_ERR_UNSUPPORTED, "CMYK");
    clear(&jpeg);
    put_jpeg(&jpeg, GREY, 8, 8200);
    expect_refused(&jpeg, UB_ERR_RANGE, "8200 x 8 pixels, expected 1 x 1 to");
    clear(&jpeg);
    put_repeated(&jpeg, 0xff, 3);
    expect_refused(&jpeg, UB_ERR_FORMAT, "no valid JPEG file: ");
    clear(&jpeg);
}

/* A progressive file that goes on with scans of nothing new: 100, then 101. */
static void test_too_many_scans(void **state)
{
    (void) state;
    bytes jpeg = { NULL, 0 };
    put_jpeg(&jpeg, GREY | TWO_SCANS, 8, 8);
    bytes scans = { NULL, 0 };
    size_t last = jpeg.size - 2;
    while (jpeg.data[last] != 0xff || jpeg.data[last + 1] != 0xda)
        last--;
    put(&scans, jpeg.data, jpeg.size - 2);
    for (int i = 2; i < 100; i++)
        put(&scans, jpeg.data + last, jpeg.size - 2 - last);
    size_t most = scans.size;
    put(&scans, jpeg.data + jpeg.size - 2, 2);
    ub_context *context = test_context(1);
    assert_int_equal(decode_scenario(context, &scans), UB_OK);
    ub_context_destroy(&context);
    scans.size = most;
    put(&scans, jpeg.data + last, jpeg.size - last);
    expect_refused(&scans, UB_ERR_RANGE, "more than 100 scans");
    clear(&scans);
    clear(&jpeg);
}

static void test_tiny_imagenet(void **state)
{
    (void) state;
    const char *archive = test_data("tiny-imagenet-10class-jpeg.tar.gz");
    if (!archive || !ub__file_exists(archive))
        skip();
    const char *folder = make_folder("tiny");
    char command[2048];
    snprintf(command, sizeof command, "tar -xzf '%s' -C '%s'", archive, folder);
    assert_int_equal(system(command), 0);
    ub_context *context = test_context(1);
    ub_dataset *train = NULL;
    ub_dataset *test = NULL;
    expect_open(context, in_folder(folder, "tiny-imagenet-10"), 64, &train,
                &test);
    assert_int_equal(ub_dataset_count(train), 5000);
    assert_int_equal(ub_dataset_count(test), 500);
    assert_int_equal(ub_dataset_classes(train), 10);
    assert_string_equal(ub_dataset_class_name(train, 0), "n01443537");
    for (int64_t i = 0; i < 5000; i++)
        assert_int_equal(ub_dataset_label(train, i), i / 500);
    int64_t counts[10] = { 0 };
    for (int64_t i = 0; i < 500; i++)
        counts[ub_dataset_label(test, i)]++;
    for (int c = 0; c < 10; c++)
        assert_int_equal(counts[c], 50);
    ub_dataset_destroy(&train);
    ub_dataset_destroy(&test);
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_flipped),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_too_many_scans),
        cmocka_unit_test(test_tiny_imagenet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void test_unsupported(void **state)
{
    (void) state;
    ub_context *context = test_context(1);
    ub__picture picture = { NULL, 0, 0 };
    assert_int_equal(ub__jpeg_supported(), 0);
    assert_int_equal(ub__jpeg_decode(context, "\xff\xd8\xff", 3, &picture),
                     UB_ERR_UNSUPPORTED);
    assert_non_null(strstr(ub_context_last_error(context), "libjpeg-turbo"));
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unsupported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
