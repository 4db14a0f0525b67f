/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"
#include "support.h"

#include <string.h>

static void products(void **state)
{
    size_t size = 5;
    int64_t n = 5;

    (void) state;
    assert_true(ub__mul_size(3, 4, &size));
    assert_int_equal(size, 12);
    assert_false(ub__mul_size(SIZE_MAX / 2, 3, &size));
    assert_int_equal(size, 12);
    assert_true(ub__mul_size(SIZE_MAX, 1, &size));
    assert_true(ub__mul_size(SIZE_MAX, 0, &size));
    assert_int_equal(size, 0);
    assert_true(ub__mul_int64(INT64_C(1) << 31, INT64_C(1) << 31, &n));
    assert_true(n == INT64_C(1) << 62);
    assert_false(ub__mul_int64(INT64_C(1) << 32, INT64_C(1) << 31, &n));
    assert_false(ub__mul_int64(-1, 1, &n));
    assert_false(ub__mul_int64(1, -1, &n));
    assert_true(n == INT64_C(1) << 62);
}

static void pieces(void **state)
{
    ub_context *context = test_context(1);
    unsigned char *a = ub__alloc(context, 0, 8);
    unsigned char *b = ub__alloc(context, 0, 8);
    unsigned char *c = ub__calloc(context, 100, 3);
    char *text = ub__strdup(context, "abc");

    (void) state;
    assert_non_null(a);
    assert_non_null(b);
    assert_ptr_not_equal(a, b);
    assert_int_equal((uintptr_t) c % UB__ALIGNMENT, 0);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(c[i], 0);
        c[i] = (unsigned char) i;
    }
    c = ub__realloc(context, c, 100, 200, 3);
    for (int i = 0; i < 300; i++)
        assert_int_equal(c[i], (unsigned char) i);
    c = ub__realloc(context, c, 200, 1, 3);
    assert_int_equal(c[2], 2);
    assert_string_equal(text, "abc");
    assert_null(ub__alloc(context, SIZE_MAX, 2));
    assert_null(ub__alloc(context, SIZE_MAX, 1));
    assert_null(ub__calloc(context, SIZE_MAX / 2, 4));
    assert_null(ub__block_alloc(context, SIZE_MAX));
    assert_memory_equal(ub_context_last_error(context), "out of memory", 13);
    ub__free(context, a);
    ub__free(context, b);
    ub__free(context, c);
    ub__free(context, text);
    ub__free(context, NULL);
    ub_context_destroy(&context);
}

static ub_context *counted_context(struct test_allocator *counter)
{
    ub_allocator allocator;
    ub_context_options options;
    ub_context *context;

    test_allocator_init(counter, -1, &allocator);
    ub_context_options_init(&options, sizeof options);
    options.allocator = &allocator;
    assert_int_equal(ub_context_create(&options, &context), UB_OK);
    return context;
}

static void blocks_are_reused(void **state)
{
    struct test_allocator counter;
    ub_context *context = counted_context(&counter);
    void *a = ub__block_alloc(context, 100000);
    void *b = ub__block_alloc(context, 100000);
    int64_t count;

    (void) state;
    assert_int_equal((uintptr_t) a % UB__ALIGNMENT, 0);
    memset(a, 1, 100000);
    ub__block_free(context, a);
    ub__block_free(context, b);
    ub__block_free(context, NULL);
    count = counter.count;
    assert_ptr_equal(ub__block_alloc(context, 99999), b);
    assert_ptr_equal(ub__block_alloc(context, 100000), a);
    memset(a, 2, 100000);
    assert_int_equal(counter.count, count);
    ub__block_free(context, a);
    ub__block_free(context, b);
    ub__block_trim(context);
    assert_true(counter.live < 100000);
    ub_context_destroy(&context);
    assert_int_equal(counter.live, 0);
}

/* Many sizes in a mixed order, so that bins are inserted everywhere. */
static void blocks_of_many_sizes(void **state)
{
    struct test_allocator counter;
    ub_context *context = counted_context(&counter);
    unsigned char *block[101];
    int64_t count = 0;

    (void) state;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 101; i++) {
            block[i] = ub__block_alloc(context, i * 4096);
            memset(block[i], (int) i, i * 4096);
        }
        if (round > 0)
            assert_int_equal(counter.count, count);
        for (size_t i = 0; i < 101; i++) {
            size_t at = i * 37 % 101;

            for (size_t j = 0; j < at * 4096; j += 512)
                assert_int_equal(block[at][j], at);
            ub__block_free(context, block[at]);
        }
        count = counter.count;
    }
    ub_context_destroy(&context);
    assert_int_equal(counter.live, 0);
}

/* A budget rather than a count: what the cache holds makes room. */
struct budget {
    size_t left;
    struct test_allocator counter;
    ub_allocator inner;
};

static void *budget_alloc(void *user, size_t bytes, size_t alignment)
{
    struct budget *budget = user;

    if (bytes > budget->left)
        return NULL;
    budget->left -= bytes;
    return budget->inner.alloc(budget->inner.user, bytes, alignment);
}

static void budget_free(void *user, void *memory, size_t bytes)
{
    struct budget *budget = user;

    budget->left += bytes;
    budget->inner.free(budget->inner.user, memory, bytes);
}

static void cached_blocks_make_room(void **state)
{
    struct budget budget = { .left = 100000 };
    ub_allocator allocator = { sizeof allocator, budget_alloc, budget_free,
                               &budget };
    ub_context_options options;
    ub_context *context;
    void *memory;

    (void) state;
    test_allocator_init(&budget.counter, -1, &budget.inner);
    ub_context_options_init(&options, sizeof options);
    options.allocator = &allocator;
    assert_int_equal(ub_context_create(&options, &context), UB_OK);
    for (size_t round = 0; round < 3; round++) {
        memory = ub__block_alloc(context, 70000 + 5000 * round);
        assert_non_null(memory);
        ub__block_free(context, memory);
    }
    memory = ub__alloc(context, 80000, 1);
    assert_non_null(memory);
    assert_null(ub__block_alloc(context, 70000));
    ub__free(context, memory);
    ub_context_destroy(&context);
    assert_int_equal(budget.counter.live, 0);
    assert_int_equal(budget.left, 100000);
}

static ub_status use_memory(ub_context *context, void *arg)
{
    ub_status status = UB_ERR_NOMEM;
    void *a = ub__alloc(context, 10, 10);
    void *b = ub__block_alloc(context, 10000);
    void *c = ub__strdup(context, "text");

    (void) arg;
    if (a != NULL && b != NULL && c != NULL) {
        void *grown = ub__realloc(context, a, 10, 1000, 10);

        if (grown != NULL) {
            a = grown;
            status = ub__scratch_reserve(context,
                                         (ub__scratch_size){ 1000, 0 });
        }
    }
    ub__free(context, a);
    ub__block_free(context, b);
    ub__free(context, c);
    return status;
}

static void out_of_memory(void **state)
{
    (void) state;
    assert_survives_oom(use_memory, 1, NULL);
    assert_survives_oom(use_memory, 2, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products),
        cmocka_unit_test(pieces),
        cmocka_unit_test(blocks_are_reused),
        cmocka_unit_test(blocks_of_many_sizes),
        cmocka_unit_test(cached_blocks_make_room),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
