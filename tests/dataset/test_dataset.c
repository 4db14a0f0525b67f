/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixtures.h"

/* `n` images of 2 x 2 x 3 whose first pixel is their number. */
static ub_dataset *numbered(ub_context *context, int64_t n, int64_t classes)
{
    uint8_t *pixels = calloc((size_t) n, 12);
    int32_t *labels = calloc((size_t) n, sizeof *labels);
    assert_true(pixels && labels);
    for (int64_t i = 0; i < n; i++) {
        pixels[12 * i] = (uint8_t) i;
        labels[i] = (int32_t) (i * i % classes);
    }
    const int64_t shape[4] = { n, 3, 2, 2 };
    ub_dataset *dataset = NULL;
    assert_int_equal(
        ub_dataset_create(context, shape, classes, pixels, labels, &dataset),
        UB_OK);
    free(pixels);
    free(labels);
    return dataset;
}

static ub_dataset *balanced(ub_context *context, int64_t n, int32_t classes)
{
    uint8_t *pixels = calloc((size_t) n, 1);
    int32_t *labels = calloc((size_t) n, sizeof *labels);
    assert_true(pixels && labels);
    for (int64_t i = 0; i < n; i++)
        labels[i] = (int32_t) (i % classes);
    const int64_t shape[4] = { n, 1, 1, 1 };
    ub_dataset *dataset = NULL;
    assert_int_equal(
        ub_dataset_create(context, shape, classes, pixels, labels, &dataset),
        UB_OK);
    free(pixels);
    free(labels);
    return dataset;
}

static void test_create(void **state)
{
    (void) state;
    ub_context *context = test_context(1);
    ub_dataset *dataset = numbered(context, 20, 7);
    assert_int_equal(ub_dataset_count(dataset), 20);
    assert_int_equal(ub_dataset_classes(dataset), 7);
    assert_int_equal(ub_dataset_channels(dataset), 3);
    assert_int_equal(ub_dataset_height(dataset), 2);
    assert_int_equal(ub_dataset_width(dataset), 2);
    assert_string_equal(ub_dataset_name(dataset), "memory");
    assert_string_equal(ub_dataset_class_name(dataset, 6), "6");
    assert_null(ub_dataset_class_name(dataset, 7));
    assert_null(ub_dataset_class_name(dataset, -1));
    assert_int_equal(ub_dataset_image(dataset, 19)[0], 19);
    assert_null(ub_dataset_image(dataset, 20));
    assert_null(ub_dataset_image(dataset, -1));
    assert_int_equal(ub_dataset_label(dataset, 3), 2);
    assert_int_equal(ub_dataset_label(dataset, 20), -1);
    ub_dataset_destroy(&dataset);
    assert_null(dataset);
    ub_dataset_destroy(&dataset);
    ub_context_destroy(&context);
}

static void test_create_refuses(void **state)
{
    (void) state;
    ub_context *context = test_context(1);
    const uint8_t pixels[4] = { 0 };
    const int32_t labels[1] = { 2 };
    const int64_t good[4] = { 1, 1, 2, 2 };
    const int64_t bad[][4] = { { 0, 1, 2, 2 },
                               { 1, 5, 2, 2 },
                               { 1, 1, 0, 2 },
                               { 1, 1, 2, 1025 },
                               { -1, 1, 2, 2 } };
    ub_dataset *out = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(
            ub_dataset_create(context, bad[i], 3, pixels, labels, &out),
            UB_ERR_INVALID);
    assert_int_equal(ub_dataset_create(context, good, 2, pixels, labels, &out),
                     UB_ERR_INVALID);
    assert_string_equal(ub_context_last_error(context),
                        "dataset: label 2 of image 0, expected 0 to 1");
    assert_int_equal(
        ub_dataset_create(context, good, 65537, pixels, labels, &out),
        UB_ERR_INVALID);
    assert_int_equal(ub_dataset_create(context, good, 3, NULL, labels, &out),
                     UB_ERR_INVALID);
    assert_null(out);
    ub_context_destroy(&context);
}

static void test_subsets(void **state)
{
    (void) state;
    ub_context *context = test_context(1);
    ub_dataset *all = numbered(context, 20, 7);
    const int64_t indexes[4] = { 19, 3, 3, 0 };
    ub_dataset *some = NULL;
    assert_int_equal(ub_dataset_subset(all, 4, indexes, &some), UB_OK);
    ub_dataset *part = NULL;
    assert_int_equal(ub_dataset_slice(some, 1, 4, &part), UB_OK);
    /* The images live on in the last that shares them. */
    assert_ptr_equal(ub_dataset_image(part, 0), ub_dataset_image(all, 3));
    ub_dataset_destroy(&all);
    ub_dataset_destroy(&some);
    assert_int_equal(ub_dataset_count(part), 3);
    assert_int_equal(ub_dataset_image(part, 1)[0], 3);
    assert_int_equal(ub_dataset_label(part, 1), 9 % 7);
    assert_int_equal(ub_dataset_image(part, 2)[0], 0);
    ub_dataset_destroy(&part);
    ub_context_destroy(&context);
}

static void test_subsets_refuse(void **state)
{
    (void) state;
    ub_context *context = test_context(1);
    ub_dataset *all = numbered(context, 20, 7);
    ub_dataset *out = NULL;
    const int64_t high[2] = { 0, 20 };
    const int64_t low[1] = { -1 };
    assert_int_equal(ub_dataset_subset(all, 2, high, &out), UB_ERR_INVALID);
    assert_string_equal(ub_context_last_error(context),
                        "subset: index 20, expected 0 to 19");
    assert_int_equal(ub_dataset_subset(all, 1, low, &out), UB_ERR_INVALID);
    assert_int_equal(ub_dataset_subset(all, 0, low, &out), UB_ERR_INVALID);
    assert_int_equal(ub_dataset_slice(all, -1, 4, &out), UB_ERR_INVALID);
    assert_int_equal(ub_dataset_slice(all, 4, 4, &out), UB_ERR_INVALID);
    assert_int_equal(ub_dataset_slice(all, 4, 21, &out), UB_ERR_INVALID);
    assert_int_equal(ub_dataset_choose(all, 0, 1, &out), UB_ERR_INVALID);
    assert_int_equal(ub_dataset_choose(all, 21, 1, &out), UB_ERR_INVALID);
    assert_null(out);
    ub_dataset_destroy(&all);
    ub_context_destroy(&context);
}

/* Highest minus lowest number of images of a class, from begin on. */
static int64_t imbalance(const ub_dataset *dataset, int64_t begin)
{
    int64_t counts[64] = { 0 };
    int64_t classes = ub_dataset_classes(dataset);
    for (int64_t i = begin; i < ub_dataset_count(dataset); i++)
        counts[ub_dataset_label(dataset, i)]++;
    int64_t low = counts[0];
    int64_t high = counts[0];
    for (int64_t c = 1; c < classes; c++) {
        low = counts[c] < low ? counts[c] : low;
        high = counts[c] > high ? counts[c] : high;
    }
    return high - low;
}

static void test_choose_is_balanced(void **state)
{
    (void) state;
    ub_context *context = test_context(1);
    ub_dataset *all = balanced(context, 1000, 10);
    const int64_t sizes[] = { 1, 9, 10, 11, 137, 400, 1000 };
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        ub_dataset *some = NULL;
        assert_int_equal(ub_dataset_choose(all, sizes[s], s, &some), UB_OK);
        assert_int_equal(ub_dataset_count(some), sizes[s]);
        for (int64_t begin = 0; begin < sizes[s]; begin++)
            assert_true(imbalance(some, begin) <= 1);
        ub_dataset_destroy(&some);
    }
    ub_dataset_destroy(&all);
    ub_context_destroy(&context);
}

/* No image is chosen twice; a class has fewer images than another only when it
 * is used up, or by one. */
static void test_choose_uneven_classes(void **state)
{
    (void) state;
    ub_context *context = test_context(1);
    ub_dataset *all = numbered(context, 200, 7); /* squares: 4 classes */
    int64_t have[7] = { 0 };
    for (int64_t i = 0; i < 200; i++)
        have[ub_dataset_label(all, i)]++;
    assert_int_equal(have[0], 29);
    assert_int_equal(have[3], 0);
    for (int64_t n = 1; n <= 200; n++) {
        ub_dataset *some = NULL;
        assert_int_equal(ub_dataset_choose(all, n, 5, &some), UB_OK);
        int seen[200] = { 0 };
        int64_t counts[7] = { 0 }, most = 0;
        for (int64_t i = 0; i < n; i++) {
            int64_t *count = &counts[ub_dataset_label(some, i)];
            assert_int_equal(seen[ub_dataset_image(some, i)[0]]++, 0);
            most = ++*count > most ? *count : most;
        }
        for (int c = 0; c < 7; c++)
            assert_true(counts[c] >= most - 1 || counts[c] == have[c]);
        ub_dataset_destroy(&some);
    }
    ub_dataset_destroy(&all);
    ub_context_destroy(&context);
}

/* From a second implementation, in Python: a run that is resumed, maybe with
 * another release, must not meet another split. */
static void test_choose_known(void **state)
{
    (void) state;
    static const int64_t chosen[8] = { 2, 4, 10, 11, 6, 1, 8, 9 };
    ub_context *context = test_context(1);
    ub_dataset *all = balanced(context, 12, 3), *some = NULL;
    assert_int_equal(ub_dataset_choose(all, 8, 7, &some), UB_OK);
    for (int64_t i = 0; i < 8; i++)
        assert_ptr_equal(ub_dataset_image(some, i),
                         ub_dataset_image(all, chosen[i]));
    ub_dataset_destroy(&some);
    ub_dataset_destroy(&all);
    ub_context_destroy(&context);
}

static int same_images(const ub_dataset *a, const ub_dataset *b)
{
    int same = ub_dataset_count(a) == ub_dataset_count(b);
    for (int64_t i = 0; same && i < ub_dataset_count(a); i++)
        same = ub_dataset_image(a, i) == ub_dataset_image(b, i);
    return same;
}

static void test_choose_follows_seed(void **state)
{
    (void) state;
    ub_context *context = test_context(1);
    ub_dataset *all = balanced(context, 500, 10);
    ub_dataset *a = NULL;
    ub_dataset *b = NULL;
    ub_dataset *c = NULL;
    assert_int_equal(ub_dataset_choose(all, 100, 7, &a), UB_OK);
    assert_int_equal(ub_dataset_choose(all, 100, 7, &b), UB_OK);
    assert_int_equal(ub_dataset_choose(all, 100, 8, &c), UB_OK);
    assert_true(same_images(a, b));
    assert_false(same_images(a, c));
    ub_dataset_destroy(&a);
    ub_dataset_destroy(&b);
    ub_dataset_destroy(&c);
    ub_dataset_destroy(&all);
    ub_context_destroy(&context);
}

static void test_statistics(void **state)
{
    (void) state;
    ub_context *context = test_context(1);
    const int64_t shape[4] = { 2, 2, 1, 2 };
    const uint8_t pixels[8] = { 0, 255, 51, 51, 0, 255, 51, 51 };
    const int32_t labels[2] = { 0, 0 };
    ub_dataset *dataset = NULL;
    assert_int_equal(
        ub_dataset_create(context, shape, 1, pixels, labels, &dataset), UB_OK);
    float mean[2];
    float std[2];
    ub_dataset_statistics(dataset, mean, std);
    /* One float rounding each. */
    assert_close(mean[0], 0.5, 1e-7);
    assert_close(std[0], 0.5, 1e-7);
    assert_close(mean[1], 0.2, 1e-7);
    assert_close(std[1], 0, 1e-7);
    ub_dataset_destroy(&dataset);
    ub_context_destroy(&context);
}

/* -- synthetic ------------------------------------------------------------- */

static void open_synthetic(ub_context *context, uint64_t seed, int64_t train,
                           int size, ub_dataset **out, ub_dataset **test)
{
    ub_dataset_options options;
    ub_dataset_options_init(&options, sizeof options);
    options.synthetic_seed = seed;
    options.synthetic_train = train;
    options.synthetic_test = 30;
    options.image_size = size;
    assert_int_equal(ub_dataset_open(context, "synthetic", &options, out, test),
                     UB_OK);
}

static int same_pixels(const ub_dataset *a, const ub_dataset *b, int64_t i)
{
    size_t size = (size_t) (3 * ub_dataset_height(a) * ub_dataset_width(a));
    return memcmp(ub_dataset_image(a, i), ub_dataset_image(b, i), size) == 0;
}

static void test_synthetic(void **state)
{
    (void) state;
    ub_context *one = test_context(1);
    ub_context *four = test_context(4);
    ub_dataset *a = NULL;
    ub_dataset *b = NULL;
    ub_dataset *c = NULL;
    ub_dataset *test = NULL;
    open_synthetic(one, 3, 50, 0, &a, &test);
    open_synthetic(four, 3, 70, 0, &b, NULL);
    open_synthetic(one, 4, 50, 0, &c, NULL);
    assert_string_equal(ub_dataset_name(a), "synthetic");
    assert_string_equal(ub_dataset_class_name(a, 0), "disc");
    assert_int_equal(ub_dataset_height(a), 32);
    assert_int_equal(ub_dataset_classes(a), 10);
    assert_int_equal(ub_dataset_count(test), 30);
    for (int64_t i = 0; i < 50; i++) {
        assert_true(same_pixels(a, b, i));
        assert_int_equal(ub_dataset_label(a, i), ub_dataset_label(b, i));
        assert_false(same_pixels(a, c, i));
        if (i < 30)
            assert_false(same_pixels(a, test, i));
    }
    ub_dataset_destroy(&a);
    ub_dataset_destroy(&b);
    ub_dataset_destroy(&c);
    ub_dataset_destroy(&test);
    open_synthetic(one, 3, 10, 48, &a, NULL);
    assert_int_equal(ub_dataset_width(a), 48);
    ub_dataset_destroy(&a);
    ub_context_destroy(&four);
    ub_context_destroy(&one);
}

static void test_open_refuses(void **state)
{
    (void) state;
    ub_context *context = test_context(1);
    ub_dataset_options options;
    ub_dataset_options_init(&options, sizeof options);
    ub_dataset *out = NULL;
    options.image_size = 1025;
    assert_int_equal(
        ub_dataset_open(context, "synthetic", &options, &out, NULL),
        UB_ERR_INVALID);
    options.image_size = -1;
    assert_int_equal(
        ub_dataset_open(context, "synthetic", &options, &out, NULL),
        UB_ERR_INVALID);
    options.image_size = 0;
    options.synthetic_test = 0;
    assert_int_equal(
        ub_dataset_open(context, "synthetic", &options, &out, NULL),
        UB_ERR_INVALID);
    options.synthetic_test = 1;
    options.reserved = 1;
    assert_int_equal(
        ub_dataset_open(context, "synthetic", &options, &out, NULL),
        UB_ERR_INVALID);
    options.reserved = 0;
    options.synthetic_train = INT64_MAX;
    assert_int_equal(
        ub_dataset_open(context, "synthetic", &options, &out, NULL),
        UB_ERR_RANGE);
    assert_int_equal(ub_dataset_open(context, NULL, NULL, &out, NULL),
                     UB_ERR_INVALID);
    assert_null(out);
    ub_context_destroy(&context);
    expect_failure("/nowhere/at/all", UB_ERR_IO, "/nowhere/at/all: no such");
}

/* -- out of memory --------------------------------------------------------- */

static ub_status subset_scenario(ub_context *context, void *arg)
{
    (void) arg;
    const int64_t shape[4] = { 4, 1, 1, 1 };
    const uint8_t pixels[4] = { 1, 2, 3, 4 };
    const int32_t labels[4] = { 0, 1, 0, 1 };
    ub_dataset *all = NULL;
    ub_dataset *some = NULL;
    ub_dataset *part = NULL;
    ub_dataset *one = NULL;
    ub_status status = ub_dataset_create(context, shape, 2, pixels, labels,
                                         &all);
    if (!status)
        status = ub_dataset_choose(all, 3, 1, &some);
    if (!status)
        status = ub_dataset_slice(some, 1, 3, &part);
    if (!status)
        status = ub_dataset_subset(part, 1, &(int64_t){ 1 }, &one);
    ub_dataset_destroy(&one);
    ub_dataset_destroy(&part);
    ub_dataset_destroy(&some);
    ub_dataset_destroy(&all);
    return status;
}

static void test_out_of_memory(void **state)
{
    (void) state;
    assert_survives_oom(subset_scenario, 1, NULL);
    sweep_open("synthetic", 0);
}

static void test_no_context(void **state)
{
    (void) state;
    const int64_t shape[4] = { 1, 1, 1, 2 };
    const uint8_t pixels[2] = { 0, 1 };
    const int32_t label = 0;
    ub_dataset *one = NULL, *two = NULL;
    assert_int_equal(ub_dataset_create(NULL, shape, 1, pixels, &label, &one),
                     UB_ERR_INVALID);
    assert_int_equal(ub_dataset_open(NULL, "synthetic", NULL, &one, &two),
                     UB_ERR_INVALID);
    assert_true(one == NULL && two == NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create),
        cmocka_unit_test(test_create_refuses),
        cmocka_unit_test(test_subsets),
        cmocka_unit_test(test_subsets_refuse),
        cmocka_unit_test(test_choose_is_balanced),
        cmocka_unit_test(test_choose_uneven_classes),
        cmocka_unit_test(test_choose_known),
        cmocka_unit_test(test_choose_follows_seed),
        cmocka_unit_test(test_statistics),
        cmocka_unit_test(test_synthetic),
        cmocka_unit_test(test_open_refuses),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_no_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
