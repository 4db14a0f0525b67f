/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_TESTS_SUPPORT_H
#define UBOOST_TESTS_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <uboost/base.h>

/* A context with so many threads; the test fails if there is none. */
ub_context *test_context(int threads);

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
