/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_TESTS_SUPPORT_H
#define UBOOST_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <uboost/base.h>
#include <uboost/hardware.h>
#include <uboost/nn.h>

/* A context with so many threads; the test fails if there is none. */
ub_context *test_context(int threads);

/* The same, with what is called between two steps. */
ub_context *test_progress_context(int threads, ub_progress_fn progress,
                                  void *user);

/* A context of one thread that notes its warnings: how many, and the last. */
struct test_log {
    char text[600];
    int lines;
};
ub_context *test_log_context(struct test_log *log);

/* Counts allocations; fails all from number fail_at (0 is the first) on,
 * never when fail_at is negative. All of them rather than one, since a context
 * tries again after it has given back what it caches. */
struct test_allocator {
    int64_t fail_at;
    int64_t count; /* allocations asked for */
    int64_t live;  /* bytes not given back */
};

/* Fill `out` with functions that work on `self`. */
void test_allocator_init(struct test_allocator *self, int64_t fail_at,
                         ub_allocator *out);

/* Temporary folder of this process, made on first use, removed with all that
 * is in it when the process ends. */
const char *test_folder(void);

/* "folder/name" in one of a few buffers in turn. */
const char *test_path(const char *name);

/* Path of a file in $UBOOST_DATA or $UBOOST_GOLDEN; NULL when the variable is
 * not set: the test then calls skip(). Same buffers as test_path(). */
const char *test_data(const char *name);
const char *test_golden(const char *name);

/* Write a file, for readers to be tested on. */
void test_file_write(const char *path, const void *data, size_t size);

/* All of a file, with a 0 behind it, to be freed. */
char *test_file_read(const char *path);

/* Hand use() every file in a folder and in those below it, but for those whose
 * name begins with a dot. How many it counted: the sum of what it returns. */
typedef int (*test_file_user)(ub_context *context, const char *path);
int test_files(ub_context *context, const char *folder, test_file_user use);

/* Damage a file in every way that `every` lets through: write every so many-th
 * prefix of the bytes (the whole is none), then the bytes with every so
 * many-th bit flipped, to test_path(name), and hand each to read(). It tells
 * whether the file was accepted, and frees what was read. Returns how many
 * prefixes and how many flips were. */
struct test_damage {
    size_t prefixes, flips;
};
typedef int (*test_reader)(ub_context *context, const char *path);
struct test_damage test_damaged(ub_context *context, const char *name,
                                const void *data, size_t size,
                                struct test_damage every, test_reader read);

/* What a network says of a layer; and two networks that say the same. */
ub_layer_info test_info(const ub_network *network, int64_t index);
void test_same_layers(const ub_network *a, const ub_network *b);

/* A matrix product whose inputs do not overlap. */
ub_gemm test_product(int64_t m, int64_t k, int64_t n, int64_t count);

/* The architecture parameter at an index of all of them in order. */
float *test_logit(const ub_parameters *parameters, int64_t index);

/* |actual - expected| <= tolerance, with the numbers when not. */
#define assert_close(actual, expected, tolerance) \
    test_close((actual), (expected), (tolerance), #actual, __FILE__, __LINE__)
void test_close(double actual, double expected, double tolerance,
                const char *expression, const char *file, int line);

/* Run scenario(context, arg) with the allocator failing from allocation 0, 1,
 * 2, ... on until it needs no more than are granted. Each failing run must
 * return UB_ERR_NOMEM (or fail to create the context) and leak nothing; the
 * last must return UB_OK. Scenarios clean up after themselves. */
typedef ub_status (*test_scenario)(ub_context *context, void *arg);
#define assert_survives_oom(scenario, threads, arg) \
    test_oom_sweep((scenario), (threads), (arg), #scenario, __FILE__, __LINE__)
void test_oom_sweep(test_scenario scenario, int threads, void *arg,
                    const char *name, const char *file, int line);

#endif
