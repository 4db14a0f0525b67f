/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixtures.h"

#include <math.h>

/* Images of channels x 5 x 4 whose pixels are noise, labels count up. */
static ub_dataset *noise_set(ub_context *context, int64_t n, int64_t channels)
{
    const int64_t shape[4] = { n, channels, 5, 4 };
    bytes pixels = { NULL, 0 };
    put_noise(&pixels, 1, (size_t) (n * channels * 20));
    int32_t *labels = calloc((size_t) n, sizeof *labels);
    assert_non_null(labels);
    for (int64_t i = 0; i < n; i++)
        labels[i] = (int32_t) i;
    ub_dataset *dataset = NULL;
    assert_int_equal(
        ub_dataset_create(context, shape, n, pixels.data, labels, &dataset),
        UB_OK);
    free(labels);
    clear(&pixels);
    return dataset;
}

static ub_loader_options augmented(int64_t batch)
{
    ub_loader_options options;
    ub_loader_options_init(&options, sizeof options);
    options.batch = batch;
    options.shuffle = 1;
    options.crop_padding = 2;
    options.flip = 1;
    return options;
}

static ub_loader *create(ub_context *context, const ub_dataset *dataset,
                         const ub_loader_options *options)
{
    ub_loader *loader = NULL;
    if (ub_loader_create(context, dataset, options, &loader))
        fail_msg("%s", ub_context_last_error(context));
    return loader;
}

/* All of an epoch from a batch on: labels, then pixels, batch by batch. */
static void record(ub_loader *loader, int64_t epoch, int64_t first, bytes *to)
{
    assert_int_equal(ub_loader_start(loader, epoch, first), UB_OK);
    for (;;) {
        ub_tensor *images = NULL;
        const int32_t *labels = NULL;
        int64_t n = -1;
        assert_int_equal(ub_loader_next(loader, &images, &labels, &n), UB_OK);
        if (n == 0) {
            assert_true(images == NULL && labels == NULL);
            break;
        }
        assert_int_equal(ub_tensor_rank(images), 4);
        assert_int_equal(ub_tensor_shape(images)[0], n);
        put(to, labels, (size_t) n * sizeof *labels);
        put(to, ub_tensor_data(images),
            (size_t) ub_tensor_count(images) * sizeof(float));
        /* What the caller does to its batch harms no other. */
        memset(ub_tensor_data(images), 255,
               (size_t) ub_tensor_count(images) * sizeof(float));
    }
}

static int equal(const bytes *a, const bytes *b)
{
    return a->size == b->size &&
           (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

static void test_plain(void **state)
{
    (void) state;
    ub_context *context = test_context(1);
    ub_dataset *dataset = noise_set(context, 10, 3);
    ub_loader_options options;
    ub_loader_options_init(&options, sizeof options);
    options.batch = 4;
    for (int c = 0; c < 3; c++) {
        options.mean[c] = 0.1F * (float) (c + 1);
        options.std[c] = 0.2F + 0.1F * (float) c;
    }
    ub_loader *loader = create(context, dataset, &options);
    assert_int_equal(ub_loader_batches(loader), 3);
    assert_int_equal(ub_loader_start(loader, 0, 0), UB_OK);
    for (int64_t batch = 0; batch < 3; batch++) {
        ub_tensor *images = NULL;
        const int32_t *labels = NULL;
        int64_t n = 0;
        assert_int_equal(ub_loader_next(loader, &images, &labels, &n), UB_OK);
        assert_int_equal(n, batch < 2 ? 4 : 2);
        for (int64_t i = 0; i < n * 60; i++) {
            int64_t c = i / 20 % 3;
            float pixel = ub_dataset_image(dataset, 4 * batch + i / 60)[i % 60];
            float value = (pixel / 255 - options.mean[c]) / options.std[c];
            assert_int_equal(labels[i / 60], 4 * batch + i / 60);
            assert_true(ub_tensor_data(images)[i] == value);
        }
    }
    ub_loader_destroy(&loader);
    assert_null(loader);
    ub_loader_destroy(&loader);
    ub_dataset_destroy(&dataset);
    ub_context_destroy(&context);
}

static void test_drop_last(void **state)
{
    (void) state;
    ub_context *context = test_context(1);
    ub_dataset *dataset = noise_set(context, 10, 1);
    ub_loader_options options = augmented(4);
    options.drop_last = 1;
    ub_loader *loader = create(context, dataset, &options);
    bytes all = { NULL, 0 };
    assert_int_equal(ub_loader_batches(loader), 2);
    record(loader, 0, 0, &all);
    assert_int_equal(all.size, 8 * 21 * 4);
    ub_loader_destroy(&loader);
    options.batch = 11;
    loader = create(context, dataset, &options);
    assert_int_equal(ub_loader_batches(loader), 0);
    clear(&all);
    record(loader, 0, 0, &all);
    assert_int_equal(all.size, 0);
    ub_loader_destroy(&loader);
    options.drop_last = 0;
    loader = create(context, dataset, &options);
    assert_int_equal(ub_loader_batches(loader), 1);
    record(loader, 0, 0, &all);
    assert_int_equal(all.size, 10 * 21 * 4);
    clear(&all);
    ub_loader_destroy(&loader);
    ub_dataset_destroy(&dataset);
    ub_context_destroy(&context);
}

/* Every image comes once an epoch, in another order in each. */
static void test_shuffle(void **state)
{
    (void) state;
    ub_context *context = test_context(1);
    ub_dataset *dataset = noise_set(context, 100, 1);
    ub_loader_options options;
    ub_loader_options_init(&options, sizeof options);
    options.batch = 7;
    options.shuffle = 1;
    ub_loader *loader = create(context, dataset, &options);
    int32_t orders[2][100];
    for (int64_t epoch = 0; epoch < 2; epoch++) {
        int seen[100] = { 0 };
        int64_t done = 0;
        int64_t n = 0;
        assert_int_equal(ub_loader_start(loader, epoch, 0), UB_OK);
        do {
            ub_tensor *images = NULL;
            const int32_t *labels = NULL;
            assert_int_equal(ub_loader_next(loader, &images, &labels, &n),
                             UB_OK);
            for (int64_t i = 0; i < n; i++) {
                orders[epoch][done++] = labels[i];
                assert_int_equal(seen[labels[i]]++, 0);
            }
        } while (n);
        assert_int_equal(done, 100);
    }
    assert_memory_not_equal(orders[0], orders[1], sizeof orders[0]);
    ub_loader_destroy(&loader);
    ub_dataset_destroy(&dataset);
    ub_context_destroy(&context);
}

/* The same with and without the thread, from any batch, in any sequence of
 * epochs, also when an epoch is given up. */
static void test_order_depends_on_place_only(void **state)
{
    (void) state;
    ub_context *context = test_context(2);
    ub_dataset *dataset = noise_set(context, 50, 3);
    ub_loader_options options = augmented(8);
    ub_loader *ahead = create(context, dataset, &options);
    options.prefetch = 0;
    ub_loader *plain = create(context, dataset, &options);
    ub_dataset_destroy(&dataset);
    bytes whole = { NULL, 0 };
    record(ahead, 3, 0, &whole);
    for (int64_t first = 7; first >= 0; first--) {
        bytes part = { NULL, 0 };
        bytes same = { NULL, 0 };
        assert_int_equal(ub_loader_start(ahead, 1, 2), UB_OK);
        record(ahead, 3, first, &part);
        record(plain, 3, first, &same);
        size_t skipped = (size_t) (first < 7 ? first * 8 : 50) * 61 * 4;
        assert_int_equal(part.size, whole.size - skipped);
        assert_memory_equal(part.data, whole.data + skipped, part.size);
        assert_true(equal(&part, &same));
        clear(&part);
        clear(&same);
    }
    clear(&whole);
    ub_loader_destroy(&ahead);
    ub_loader_destroy(&plain);
    ub_context_destroy(&context);
}

static void test_seed_and_epoch_matter(void **state)
{
    (void) state;
    ub_context *context = test_context(1);
    ub_dataset *dataset = noise_set(context, 20, 1);
    ub_loader_options options = augmented(8);
    options.shuffle = 0;
    ub_loader *loader = create(context, dataset, &options);
    options.seed = 2;
    ub_loader *other = create(context, dataset, &options);
    bytes a = { NULL, 0 };
    bytes b = { NULL, 0 };
    bytes c = { NULL, 0 };
    record(loader, 0, 0, &a);
    record(loader, 1, 0, &b);
    record(other, 0, 0, &c);
    assert_false(equal(&a, &b));
    assert_false(equal(&a, &c));
    clear(&a);
    clear(&b);
    clear(&c);
    ub_loader_destroy(&loader);
    ub_loader_destroy(&other);
    ub_dataset_destroy(&dataset);
    ub_context_destroy(&context);
}

/* The value at (y, x) of an image moved by (down, right), mirrored after. */
static float moved(const uint8_t *image, int down, int right, int flip, int y,
                   int x)
{
    int from_y = y + down;
    int from_x = (flip ? 3 - x : x) + right;
    int inside = from_y >= 0 && from_y < 5 && from_x >= 0 && from_x < 4;
    return inside ? (float) image[from_y * 4 + from_x] / 255 : 0;
}

/* Which of all 50 ways an image was changed; -1 if in none of them. */
static int find_change(const uint8_t *image, const float *changed)
{
    for (int way = 0; way < 50; way++) {
        int same = 1;
        for (int i = 0; i < 20 && same; i++)
            same = changed[i] == moved(image, way / 10 - 2, way / 2 % 5 - 2,
                                       way % 2, i / 4, i % 4);
        if (same)
            return way;
    }
    return -1;
}

static void test_augmentation(void **state)
{
    (void) state;
    enum { N = 4000 };
    ub_context *context = test_context(1);
    ub_dataset *dataset = noise_set(context, N, 1);
    ub_loader_options options = augmented(N);
    ub_loader *loader = create(context, dataset, &options);
    ub_tensor *images = NULL;
    const int32_t *labels = NULL;
    int64_t n = 0;
    assert_int_equal(ub_loader_start(loader, 0, 0), UB_OK);
    assert_int_equal(ub_loader_next(loader, &images, &labels, &n), UB_OK);
    int64_t counts[50] = { 0 };
    for (int64_t i = 0; i < n; i++) {
        int way = find_change(ub_dataset_image(dataset, labels[i]),
                              ub_tensor_data(images) + 20 * i);
        assert_true(way >= 0);
        counts[way]++;
    }
    /* 80 each are expected, with a standard deviation of 9. */
    for (int way = 0; way < 50; way++)
        assert_in_range(counts[way], 80 - 45, 80 + 45);
    ub_loader_destroy(&loader);
    ub_dataset_destroy(&dataset);
    ub_context_destroy(&context);
}

/* From a second implementation, in Python: order and changes of batch 1 of
 * epoch 3. A run that is resumed must meet them again. */
static void test_known_batch(void **state)
{
    (void) state;
    static const struct {
        int32_t label;
        int down, right, flip;
    } known[3] = { { 3, 0, 0, 1 }, { 7, -1, -1, 1 }, { 4, 1, 0, 1 } };
    ub_context *context = test_context(1);
    ub_dataset *dataset = noise_set(context, 8, 1);
    ub_loader_options options = augmented(3);
    ub_loader *loader = create(context, dataset, &options);
    ub_tensor *images = NULL;
    const int32_t *labels = NULL;
    int64_t n = 0;
    assert_int_equal(ub_loader_start(loader, 3, 1), UB_OK);
    assert_int_equal(ub_loader_next(loader, &images, &labels, &n), UB_OK);
    for (int i = 0; i < 3; i++) {
        const uint8_t *image = ub_dataset_image(dataset, known[i].label);
        assert_int_equal(labels[i], known[i].label);
        for (int p = 0; p < 20; p++)
            assert_true(ub_tensor_data(images)[20 * i + p] ==
                        moved(image, known[i].down, known[i].right,
                              known[i].flip, p / 4, p % 4));
    }
    ub_loader_destroy(&loader);
    ub_dataset_destroy(&dataset);
    ub_context_destroy(&context);
}

static void test_batches_differ(void **state)
{
    (void) state;
    enum { N = 64 };
    ub_context *context = test_context(1);
    ub_dataset *dataset = noise_set(context, 2 * N, 1);
    ub_loader_options options = augmented(N);
    ub_loader *loader = create(context, dataset, &options);
    int ways[2][N];
    assert_int_equal(ub_loader_start(loader, 0, 0), UB_OK);
    for (int batch = 0; batch < 2; batch++) {
        ub_tensor *images = NULL;
        const int32_t *labels = NULL;
        int64_t n = 0;
        assert_int_equal(ub_loader_next(loader, &images, &labels, &n), UB_OK);
        for (int64_t i = 0; i < n; i++)
            ways[batch][i] = find_change(ub_dataset_image(dataset, labels[i]),
                                         ub_tensor_data(images) + 20 * i);
    }
    assert_memory_not_equal(ways[0], ways[1], sizeof ways[0]);
    ub_loader_destroy(&loader);
    ub_dataset_destroy(&dataset);
    ub_context_destroy(&context);
}

static void expect_refused(ub_context *context, const ub_dataset *dataset,
                           const ub_loader_options *options)
{
    ub_loader *loader = NULL;
    assert_int_equal(ub_loader_create(context, dataset, options, &loader),
                     UB_ERR_INVALID);
    assert_null(loader);
}

static void test_refuses(void **state)
{
    (void) state;
    ub_context *context = test_context(1);
    ub_dataset *dataset = noise_set(context, 20, 1);
    const ub_loader_options good = augmented(8);
    ub_loader_options bad = good;
    bad.batch = 0;
    expect_refused(context, dataset, &bad);
    bad.batch = 65537;
    expect_refused(context, dataset, &bad);
    bad = good;
    bad.crop_padding = -1;
    expect_refused(context, dataset, &bad);
    bad.crop_padding = 65;
    expect_refused(context, dataset, &bad);
    bad = good;
    bad.std[0] = 0;
    expect_refused(context, dataset, &bad);
    bad = good;
    bad.mean[3] = INFINITY;
    expect_refused(context, dataset, &bad);
    bad = good;
    bad.reserved = 1;
    expect_refused(context, dataset, &bad);
    expect_refused(context, NULL, &good);
    ub_loader *loader = create(context, dataset, &good);
    ub_tensor *images = NULL;
    const int32_t *labels = NULL;
    int64_t n = -1;
    assert_int_equal(ub_loader_next(loader, &images, &labels, &n),
                     UB_ERR_INVALID);
    assert_int_equal(n, -1);
    assert_int_equal(ub_loader_start(loader, -1, 0), UB_ERR_INVALID);
    assert_int_equal(ub_loader_start(loader, 0, 4), UB_ERR_INVALID);
    assert_int_equal(ub_loader_start(loader, 0, -1), UB_ERR_INVALID);
    assert_int_equal(ub_loader_start(loader, (int64_t) 1 << 31, 0),
                     UB_ERR_INVALID);
    assert_int_equal(ub_loader_start(loader, 0, 3), UB_OK);
    assert_int_equal(ub_loader_next(loader, &images, &labels, &n), UB_OK);
    assert_int_equal(n, 0);
    ub_loader_destroy(&loader);
    ub_dataset_destroy(&dataset);
    ub_context_destroy(&context);
}

static ub_status loader_scenario(ub_context *context, void *arg)
{
    const ub_loader_options *options = arg;
    const int64_t shape[4] = { 5, 1, 1, 1 };
    const uint8_t pixels[5] = { 1, 2, 3, 4, 5 };
    const int32_t labels[5] = { 0, 1, 0, 1, 0 };
    ub_dataset *dataset = NULL;
    ub_loader *loader = NULL;
    ub_status status = ub_dataset_create(context, shape, 2, pixels, labels,
                                         &dataset);
    if (!status)
        status = ub_loader_create(context, dataset, options, &loader);
    if (!status)
        status = ub_loader_start(loader, 0, 0);
    for (int64_t n = 1; !status && n;) {
        ub_tensor *images = NULL;
        const int32_t *batch_labels = NULL;
        status = ub_loader_next(loader, &images, &batch_labels, &n);
    }
    ub_loader_destroy(&loader);
    ub_dataset_destroy(&dataset);
    return status;
}

static void test_out_of_memory(void **state)
{
    (void) state;
    ub_loader_options options = augmented(2);
    assert_survives_oom(loader_scenario, 1, &options);
    options.prefetch = 0;
    assert_survives_oom(loader_scenario, 1, &options);
}

static void test_null_arguments(void **state)
{
    (void) state;
    ub_context *context = test_context(1);
    ub_dataset *dataset = noise_set(context, 4, 1);
    ub_loader *loader = NULL, *other = NULL;
    ub_tensor *images = NULL;
    const int32_t *labels = NULL;
    int64_t n = -1;
    assert_int_equal(ub_loader_create(NULL, dataset, NULL, &other),
                     UB_ERR_INVALID);
    assert_int_equal(ub_loader_start(NULL, 0, 0), UB_ERR_INVALID);
    assert_int_equal(ub_loader_next(NULL, &images, &labels, &n),
                     UB_ERR_INVALID);
    loader = create(context, dataset, NULL);
    assert_int_equal(ub_loader_start(loader, 0, 0), UB_OK);
    assert_int_equal(ub_loader_next(loader, NULL, &labels, &n), UB_ERR_INVALID);
    assert_int_equal(ub_loader_next(loader, &images, NULL, &n), UB_ERR_INVALID);
    assert_int_equal(ub_loader_next(loader, &images, &labels, NULL),
                     UB_ERR_INVALID);
    assert_true(other == NULL && images == NULL && labels == NULL && n == -1);
    /* No batch was lost. */
    assert_int_equal(ub_loader_next(loader, &images, &labels, &n), UB_OK);
    assert_int_equal(n, 4);
    assert_int_equal(labels[0], 0);
    ub_loader_destroy(&loader);
    ub_dataset_destroy(&dataset);
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_drop_last),
        cmocka_unit_test(test_shuffle),
        cmocka_unit_test(test_order_depends_on_place_only),
        cmocka_unit_test(test_seed_and_epoch_matter),
        cmocka_unit_test(test_augmentation),
        cmocka_unit_test(test_known_batch),
        cmocka_unit_test(test_batches_differ),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_null_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
