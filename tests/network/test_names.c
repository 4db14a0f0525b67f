/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include "network/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N         2000
#define NAME_SIZE 16

/* Nodes on the longest way down. */
static int height(const ub__name_table *table, uint32_t root)
{
    const ub__name_node *node = &table->nodes[root];
    int left, right;

    if (root == 0)
        return 0;
    left = height(table, node->child[0]);
    right = height(table, node->child[1]);
    return 1 + (left > right ? left : right);
}

static int tallest(const ub__name_table *table)
{
    int most = 0;

    for (size_t i = 0; i < table->n_buckets; i++) {
        const int h = height(table, table->buckets[i]);
        most = h > most ? h : most;
    }
    return most;
}

static int log2_of(size_t n)
{
    int bits = 0;

    while (n >>= 1)
        bits++;
    return bits;
}

/* N names, all in the bucket of the first when `colliding`. */
static void make_names(char (*names)[NAME_SIZE], int colliding)
{
    const uint32_t mask = 4095; /* more buckets than N names get */
    uint32_t tried = 0;

    for (int i = 0; i < N; i++) {
        do
            snprintf(names[i], NAME_SIZE, "n%x", (unsigned) tried++);
        while (colliding && i > 0 &&
               ((ub__names_hash(names[i]) ^ ub__names_hash(names[0])) & mask));
    }
}

static void fill(ub_context *context, char (*names)[NAME_SIZE],
                 ub__name_table *table)
{
    for (int i = 0; i < N; i++) {
        assert_int_equal(ub__names_find(table, names[i]), -1);
        assert_int_equal(ub__names_put(context, table, names[i], i), UB_OK);
        /* an AA tree is at most this tall */
        if (i % 100 == 99)
            assert_in_range(tallest(table), 1, 2 * log2_of((size_t) i + 2));
    }
    assert_in_range(table->n_buckets, N, 4096);
    for (int i = 0; i < N; i++)
        assert_int_equal(ub__names_find(table, names[i]), i);
    assert_int_equal(ub__names_find(table, "none"), -1);
    assert_int_equal(ub__names_find(table, ""), -1);
}

/* Names chosen to share a bucket cost the logarithm of their number each. */
static void colliding(void **state)
{
    ub_context *context = test_context(1);
    char(*names)[NAME_SIZE] = malloc(sizeof(*names) * N);
    ub__name_table table = { 0 };
    size_t filled = 0;

    (void) state;
    assert_non_null(names);
    make_names(names, 1);
    fill(context, names, &table);
    for (size_t i = 0; i < table.n_buckets; i++)
        filled += table.buckets[i] != 0;
    assert_int_equal(filled, 1);
    ub__names_clear(context, &table);
    free(names);
    ub_context_destroy(&context);
}

/* Usual ones are spread out. */
static void usual(void **state)
{
    ub_context *context = test_context(1);
    char(*names)[NAME_SIZE] = malloc(sizeof(*names) * N);
    ub__name_table table = { 0 };

    (void) state;
    assert_non_null(names);
    assert_int_equal(ub__names_find(&table, "none"), -1);
    make_names(names, 0);
    fill(context, names, &table);
    assert_in_range(tallest(&table), 1, 5);
    ub__names_clear(context, &table);
    free(names);
    ub_context_destroy(&context);
}

/* Different names of one hash: "8yn0iYCKYHlIj4-BwPqk" and
 * "GReLUrM4wMqfg9yzV3KQ" have the same 64 bits of FNV-1a. */
static void same_hash(void **state)
{
    static const char *const names[] = { "8yn0iYCKYHlIj4-BwPqk",
                                         "GReLUrM4wMqfg9yzV3KQ" };
    ub_context *context = test_context(1);
    ub__name_table table = { 0 };

    (void) state;
    assert_int_equal(ub__names_hash(names[0]), ub__names_hash(names[1]));
    assert_int_equal(ub__names_put(context, &table, names[0], 7), UB_OK);
    assert_int_equal(ub__names_find(&table, names[1]), -1);
    assert_int_equal(ub__names_put(context, &table, names[1], 8), UB_OK);
    assert_int_equal(ub__names_find(&table, names[0]), 7);
    assert_int_equal(ub__names_find(&table, names[1]), 8);
    ub__names_clear(context, &table);
    ub_context_destroy(&context);
}

static ub_status put_many(ub_context *context, void *arg)
{
    char(*names)[NAME_SIZE] = arg;
    ub__name_table table = { 0 };
    ub_status status = UB_OK;

    for (int i = 0; i < 100 && status == UB_OK; i++)
        status = ub__names_put(context, &table, names[i], i);
    ub__names_clear(context, &table);
    return status;
}

static void out_of_memory(void **state)
{
    char(*names)[NAME_SIZE] = malloc(sizeof(*names) * N);

    (void) state;
    assert_non_null(names);
    make_names(names, 0);
    assert_survives_oom(put_many, 1, names);
    free(names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(colliding),
        cmocka_unit_test(usual),
        cmocka_unit_test(same_hash),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
