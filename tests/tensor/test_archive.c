/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uboost/tensor.h>

static ub_context *context;

static int setup(void **state)
{
    (void) state;
    context = test_context(1);
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    ub_context_destroy(&context);
    return 0;
}

/* first, first + 1, ... */
static ub_tensor *count_up(int rank, const int64_t *shape, float first)
{
    ub_tensor *tensor = NULL;

    assert_int_equal(ub_tensor_create(context, rank, shape, &tensor), UB_OK);
    for (int64_t i = 0; i < ub_tensor_count(tensor); i++)
        ub_tensor_data(tensor)[i] = first + (float) i;
    return tensor;
}

static size_t read_back(const char *path, unsigned char *bytes, size_t size)
{
    FILE *file = fopen(path, "rb");
    size_t n;

    assert_non_null(file);
    n = fread(bytes, 1, size, file);
    fclose(file);
    return n;
}

static ub_archive *sample(void)
{
    const int64_t square[] = { 2, 3 }, large[] = { 5, 7, 100 };
    ub_archive *archive = NULL;
    ub_tensor *a = count_up(2, square, 0.5f), *b = count_up(0, NULL, -3.0f);
    ub_tensor *c = count_up(3, large, 100.0f);

    assert_int_equal(ub_archive_create(context, &archive), UB_OK);
    assert_int_equal(ub_archive_add(archive, "stem.weight", a), UB_OK);
    assert_int_equal(ub_archive_add(archive, "bias \"\\\xc3\xa9", b), UB_OK);
    assert_int_equal(ub_archive_add(archive, "a.first", c), UB_OK);
    assert_int_equal(ub_archive_set_text(archive, "step", "12"), UB_OK);
    assert_int_equal(ub_archive_set_text(archive, "epoch", "2\n"), UB_OK);
    assert_int_equal(ub_archive_set_text(archive, "step", "13"), UB_OK);
    ub_tensor_unref(&a);
    ub_tensor_unref(&b);
    ub_tensor_unref(&c);
    return archive;
}

static void assert_same(const ub_tensor *a, const ub_tensor *b)
{
    assert_non_null(a);
    assert_non_null(b);
    assert_int_equal(ub_tensor_rank(a), ub_tensor_rank(b));
    for (int i = 0; i < ub_tensor_rank(a); i++)
        assert_int_equal(ub_tensor_shape(a)[i], ub_tensor_shape(b)[i]);
    assert_memory_equal(ub_tensor_data(a), ub_tensor_data(b),
                        (size_t) ub_tensor_count(a) * sizeof(float));
}

static void test_round_trip(void **state)
{
    ub_archive *archive = sample(), *again = NULL;
    const char *path = test_path("round.safetensors");

    (void) state;
    assert_int_equal(ub_archive_write(archive, path), UB_OK);
    assert_int_equal(ub_archive_read(context, path, &again), UB_OK);
    assert_int_equal(ub_archive_count(again), 3);
    for (int64_t i = 0; i < 3; i++) {
        const char *name = ub_archive_name(archive, i);

        assert_string_equal(ub_archive_name(again, i), name);
        assert_same(ub_archive_find(again, name),
                    ub_archive_find(archive, name));
    }
    assert_string_equal(ub_archive_text(again, "step"), "13");
    assert_string_equal(ub_archive_text(again, "epoch"), "2\n");
    assert_null(ub_archive_text(again, "nothing"));
    assert_null(ub_archive_find(again, "nothing"));
    assert_null(ub_archive_name(again, 3));
    assert_null(ub_archive_name(again, -1));
    ub_archive_destroy(&again);
    assert_null(again);
    ub_archive_destroy(&again);
    ub_archive_destroy(&archive);
}

/* The bytes are the format's, and the same each time. */
static void test_bytes(void **state)
{
    static const char header[] =
        "{\"__metadata__\":{\"a\":\"1\",\"b\":\"2\"},"
        "\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
    static const unsigned char data[] = { 0, 0, 0x80, 0x3f, 0, 0, 0, 0x40 };
    const int64_t two[] = { 2 };
    ub_tensor *w = count_up(1, two, 1.0f);
    unsigned char bytes[256];
    ub_archive *archive = NULL;
    size_t padded = (strlen(header) + 7) / 8 * 8;

    (void) state;
    assert_int_equal(ub_archive_create(context, &archive), UB_OK);
    assert_int_equal(ub_archive_set_text(archive, "b", "2"), UB_OK);
    assert_int_equal(ub_archive_set_text(archive, "a", "1"), UB_OK);
    assert_int_equal(ub_archive_add(archive, "w", w), UB_OK);
    assert_int_equal(ub_archive_write(archive, test_path("bytes")), UB_OK);
    assert_int_equal(read_back(test_path("bytes"), bytes, sizeof bytes),
                     8 + padded + sizeof data);
    assert_int_equal(bytes[0], padded);
    for (int i = 1; i < 8; i++)
        assert_int_equal(bytes[i], 0);
    assert_memory_equal(bytes + 8, header, strlen(header));
    for (size_t i = strlen(header); i < padded; i++)
        assert_int_equal(bytes[8 + i], ' ');
    assert_memory_equal(bytes + 8 + padded, data, sizeof data);
    ub_tensor_unref(&w);
    ub_archive_destroy(&archive);
}

static void test_empty(void **state)
{
    ub_archive *archive = NULL, *again = NULL;

    (void) state;
    assert_int_equal(ub_archive_create(context, &archive), UB_OK);
    assert_int_equal(ub_archive_write(archive, test_path("empty")), UB_OK);
    assert_int_equal(ub_archive_read(context, test_path("empty"), &again),
                     UB_OK);
    assert_int_equal(ub_archive_count(again), 0);
    ub_archive_destroy(&archive);
    ub_archive_destroy(&again);
}

/* NaN payloads and infinities are only bits. */
static void test_special_values(void **state)
{
    const int64_t four[] = { 4 };
    ub_tensor *w = count_up(1, four, 1.0f);
    ub_archive *archive = NULL, *again = NULL;

    (void) state;
    ub_tensor_data(w)[0] = NAN;
    ub_tensor_data(w)[1] = -INFINITY;
    ub_tensor_data(w)[2] = -0.0f;
    ub_tensor_data(w)[3] = 1e-45f;
    assert_int_equal(ub_archive_create(context, &archive), UB_OK);
    assert_int_equal(ub_archive_add(archive, "w", w), UB_OK);
    assert_int_equal(ub_archive_write(archive, test_path("special")), UB_OK);
    assert_int_equal(ub_archive_read(context, test_path("special"), &again),
                     UB_OK);
    assert_same(ub_archive_find(again, "w"), w);
    ub_tensor_unref(&w);
    ub_archive_destroy(&archive);
    ub_archive_destroy(&again);
}

static void test_bad_arguments(void **state)
{
    ub_archive *archive = sample(), *none = NULL;
    ub_tensor *w = count_up(0, NULL, 1.0f);

    (void) state;
    assert_int_equal(ub_archive_add(archive, "", w), UB_ERR_INVALID);
    assert_int_equal(ub_archive_add(archive, "__metadata__", w),
                     UB_ERR_INVALID);
    assert_int_equal(ub_archive_add(archive, "a.first", w), UB_ERR_INVALID);
    assert_string_equal(ub_context_last_error(context),
                        "archive: the name \"a.first\" is in use");
    assert_int_equal(ub_archive_add(archive, "\xff", w), UB_ERR_INVALID);
    assert_int_equal(ub_archive_add(archive, NULL, w), UB_ERR_INVALID);
    assert_int_equal(ub_archive_add(archive, "w", NULL), UB_ERR_INVALID);
    assert_int_equal(ub_archive_add(NULL, "w", w), UB_ERR_INVALID);
    assert_int_equal(ub_archive_set_text(archive, "k", NULL), UB_ERR_INVALID);
    assert_int_equal(ub_archive_set_text(archive, "k", "\xc3("),
                     UB_ERR_INVALID);
    assert_int_equal(ub_archive_set_text(archive, NULL, "t"), UB_ERR_INVALID);
    assert_int_equal(ub_archive_create(NULL, &none), UB_ERR_INVALID);
    assert_int_equal(ub_archive_write(archive, NULL), UB_ERR_INVALID);
    assert_int_equal(ub_archive_read(context, NULL, &none), UB_ERR_INVALID);
    assert_int_equal(ub_archive_read(context, test_path("nowhere"), &none),
                     UB_ERR_IO);
    assert_int_equal(ub_archive_write(archive, test_path("no/where")),
                     UB_ERR_IO);
    assert_null(none);
    assert_int_equal(ub_archive_count(archive), 3);
    ub_tensor_unref(&w);
    ub_archive_destroy(&archive);
}

/* A file of that header and so many bytes of data. */
static ub_status read_made(const char *header, size_t data)
{
    size_t length = strlen(header);
    unsigned char *bytes = calloc(8 + length + data, 1);
    ub_archive *archive = NULL;
    ub_status status;

    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char) ((uint64_t) length >> (8 * i));
    memcpy(bytes + 8, header, length);
    test_file_write(test_path("made"), bytes, 8 + length + data);
    free(bytes);
    status = ub_archive_read(context, test_path("made"), &archive);
    assert_true((status == UB_OK) == (archive != NULL));
    ub_archive_destroy(&archive);
    return status;
}

#define F32(shape, offsets) \
    "{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void test_valid_headers(void **state)
{
    (void) state;
    assert_int_equal(read_made("{}", 0), UB_OK);
    assert_int_equal(read_made("{}      ", 0), UB_OK);
    assert_int_equal(read_made("{\"__metadata__\":{}}", 0), UB_OK);
    assert_int_equal(read_made("{\"a\":" F32("[]", "[0,4]") "}", 4), UB_OK);
    /* Keys in another order than the data. */
    assert_int_equal(read_made("{\"b\":" F32("[2]", "[4,12]") ",\"a\":" F32(
                                   "[1]", "[0,4]") "}",
                               12),
                     UB_OK);
}

static void test_hostile_headers(void **state)
{
    static const struct {
        const char *header;
        size_t data;
        ub_status status;
    } cases[] = {
        { "", 0, UB_ERR_FORMAT },
        { "{", 0, UB_ERR_FORMAT },
        { " {}", 0, UB_ERR_FORMAT },
        { "[]", 0, UB_ERR_FORMAT },
        { "{}x", 0, UB_ERR_FORMAT },
        { "{}", 1, UB_ERR_FORMAT },
        { "{\"a\":1}", 0, UB_ERR_FORMAT },
        { "{\"__metadata__\":1}", 0, UB_ERR_FORMAT },
        { "{\"__metadata__\":{\"k\":1}}", 0, UB_ERR_FORMAT },
        { "{\"\":" F32("[]", "[0,4]") "}", 4, UB_ERR_FORMAT },
        { "{\"a\":" F32("[1]", "[0,4]") ",\"a\":" F32("[1]", "[4,8]") "}", 8,
          UB_ERR_FORMAT },
        { "{\"a\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4,
          UB_ERR_UNSUPPORTED },
        { "{\"a\":{\"dtype\":32,\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
          UB_ERR_FORMAT },
        { "{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, UB_ERR_FORMAT },
        { "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4],\"x\":1}}", 4,
          UB_ERR_FORMAT },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"x\":[0,4]}}", 4,
          UB_ERR_FORMAT },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],"
          "\"x\":0}}",
          4, UB_ERR_FORMAT },
        { "{\"a\":" F32("1", "[0,4]") "}", 4, UB_ERR_FORMAT },
        { "{\"a\":" F32("[1.0]", "[0,4]") "}", 4, UB_ERR_FORMAT },
        { "{\"a\":" F32("[-1]", "[0,4]") "}", 4, UB_ERR_FORMAT },
        { "{\"a\":" F32("[0]", "[0,0]") "}", 0, UB_ERR_UNSUPPORTED },
        { "{\"a\":" F32("[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4,
          UB_ERR_UNSUPPORTED },
        /* products of extents that wrap around */
        { "{\"a\":" F32("[4294967296,4294967296]", "[0,0]") "}", 0,
          UB_ERR_FORMAT },
        { "{\"a\":" F32("[4611686018427387904]", "[0,0]") "}", 0,
          UB_ERR_FORMAT },
        { "{\"a\":" F32("[99999999999999999999]", "[0,4]") "}", 4,
          UB_ERR_FORMAT },
        /* offsets */
        { "{\"a\":" F32("[1]", "[0]") "}", 4, UB_ERR_FORMAT },
        { "{\"a\":" F32("[1]", "[0,4,8]") "}", 4, UB_ERR_FORMAT },
        { "{\"a\":" F32("[1]", "[0,\"4\"]") "}", 4, UB_ERR_FORMAT },
        { "{\"a\":" F32("[1]", "[-4,0]") "}", 4, UB_ERR_FORMAT },
        { "{\"a\":" F32("[1]", "[4,0]") "}", 4, UB_ERR_FORMAT },
        { "{\"a\":" F32("[2]", "[0,4]") "}", 4, UB_ERR_FORMAT },
        { "{\"a\":" F32("[2]", "[0,8]") "}", 4, UB_ERR_FORMAT },
        { "{\"a\":" F32("[1]", "[0,4]") "}", 8, UB_ERR_FORMAT },
        { "{\"a\":" F32("[1]", "[4,8]") "}", 8, UB_ERR_FORMAT },
        /* an overlap, a gap, the same place twice */
        { "{\"a\":" F32("[2]", "[0,8]") ",\"b\":" F32("[2]", "[4,12]") "}", 12,
          UB_ERR_FORMAT },
        { "{\"a\":" F32("[1]", "[0,4]") ",\"b\":" F32("[1]", "[8,12]") "}", 12,
          UB_ERR_FORMAT },
        { "{\"a\":" F32("[1]", "[0,4]") ",\"b\":" F32("[1]", "[0,4]") "}", 4,
          UB_ERR_FORMAT },
    };

    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ub_status status = read_made(cases[i].header, cases[i].data);

        if (status != cases[i].status)
            fail_msg("%s: %s", cases[i].header, ub_status_str(status));
        assert_true(strlen(ub_context_last_error(context)) > 0);
    }
}

/* Lengths that the file does not have, up to what wraps around. */
static void test_header_lengths(void **state)
{
    static const unsigned char tops[] = { 0x00, 0x01, 0x7f, 0xff };
    ub_archive *archive = NULL;

    (void) state;
    for (size_t i = 0; i < sizeof tops; i++) {
        unsigned char bytes[16] = { 9, 0, 0, 0, 0, 0, 0, 0, '{', '}' };

        bytes[7] = tops[i];
        test_file_write(test_path("length"), bytes, sizeof bytes);
        assert_int_equal(
            ub_archive_read(context, test_path("length"), &archive),
            UB_ERR_FORMAT);
        memset(bytes, 0xff, 8);
        test_file_write(test_path("length"), bytes, sizeof bytes);
        assert_int_equal(
            ub_archive_read(context, test_path("length"), &archive),
            UB_ERR_FORMAT);
    }
    assert_null(archive);
}

static size_t write_small(unsigned char *bytes, size_t size)
{
    const int64_t shape[] = { 3 };
    ub_archive *archive = NULL;
    ub_tensor *w = count_up(1, shape, 1.0f);

    assert_int_equal(ub_archive_create(context, &archive), UB_OK);
    assert_int_equal(ub_archive_add(archive, "w", w), UB_OK);
    assert_int_equal(ub_archive_add(archive, "v", w), UB_OK);
    assert_int_equal(ub_archive_set_text(archive, "k", "t"), UB_OK);
    assert_int_equal(ub_archive_write(archive, test_path("small")), UB_OK);
    ub_archive_destroy(&archive);
    ub_tensor_unref(&w);
    return read_back(test_path("small"), bytes, size);
}

static void test_truncated(void **state)
{
    unsigned char bytes[512];
    size_t size = write_small(bytes, sizeof bytes);
    ub_archive *archive = NULL;

    (void) state;
    assert_true(size < sizeof bytes);
    for (size_t n = 0; n < size; n++) {
        test_file_write(test_path("cut"), bytes, n);
        assert_int_equal(ub_archive_read(context, test_path("cut"), &archive),
                         UB_ERR_FORMAT);
        assert_null(archive);
    }
}

/* Whatever bit is wrong, the reader comes back with a status and no leak; with
 * an error for those of the length and the braces. */
static void test_flipped(void **state)
{
    unsigned char bytes[512];
    size_t size = write_small(bytes, sizeof bytes);

    (void) state;
    for (size_t bit = 0; bit < 8 * size; bit++) {
        ub_archive *archive = NULL;
        ub_status status;

        bytes[bit / 8] ^= (unsigned char) (1 << bit % 8);
        test_file_write(test_path("flipped"), bytes, size);
        status = ub_archive_read(context, test_path("flipped"), &archive);
        assert_true((status == UB_OK) == (archive != NULL));
        if (bit < 8 * 9)
            assert_int_equal(status, UB_ERR_FORMAT);
        ub_archive_destroy(&archive);
        bytes[bit / 8] ^= (unsigned char) (1 << bit % 8);
    }
}

static ub_status write_and_read(ub_context *oom, void *arg)
{
    const int64_t shape[] = { 40, 3 };
    ub_archive *archive = NULL, *again = NULL;
    ub_tensor *w = NULL;
    ub_status status = ub_archive_create(oom, &archive);

    if (status == UB_OK)
        status = ub_tensor_create(oom, 2, shape, &w);
    for (int i = 0; i < 10 && status == UB_OK; i++) {
        char name[8];

        snprintf(name, sizeof name, "w%d", i);
        status = ub_archive_add(archive, name, w);
        if (status == UB_OK)
            status = ub_archive_set_text(archive, name, "text");
    }
    if (status == UB_OK)
        status = ub_archive_set_text(archive, "w3", "other");
    if (status == UB_OK)
        status = ub_archive_write(archive, arg);
    if (status == UB_OK)
        status = ub_archive_read(oom, arg, &again);
    ub_tensor_unref(&w);
    ub_archive_destroy(&archive);
    ub_archive_destroy(&again);
    return status;
}

static void test_oom(void **state)
{
    char path[4096];

    (void) state;
    snprintf(path, sizeof path, "%s", test_path("oom"));
    assert_survives_oom(write_and_read, 1, path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_special_values),
        cmocka_unit_test(test_bad_arguments),
        cmocka_unit_test(test_valid_headers),
        cmocka_unit_test(test_hostile_headers),
        cmocka_unit_test(test_header_lengths),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_flipped),
        cmocka_unit_test(test_oom),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
