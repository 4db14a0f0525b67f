/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"
#include "support.h"

#include <string.h>

#define TASKS 1000

struct tally {
    int times[TASKS];
    int64_t by_worker[8];
    ub_context *context;
};

static void count_task(void *arg, int64_t task, int worker)
{
    struct tally *tally = arg;

    tally->times[task]++;
    tally->by_worker[worker]++;
}

static void every_task_once(void **state)
{
    static const int64_t sizes[] = { 0, 1, 2, 3, 4, 5, 7, 8, 63, TASKS };

    (void) state;
    for (int threads = 1; threads <= 8; threads++) {
        ub_context *context = test_context(threads);

        assert_int_equal(ub_context_threads(context), threads);
        for (size_t i = 0; i < 200; i++) {
            int64_t n = sizes[i % (sizeof sizes / sizeof *sizes)], sum = 0;
            struct tally tally = { { 0 }, { 0 }, context };

            ub__parallel(context, n, count_task, &tally);
            for (int64_t task = 0; task < TASKS; task++)
                assert_int_equal(tally.times[task], task < n);
            for (int worker = 0; worker < 8; worker++) {
                sum += tally.by_worker[worker];
                if (worker >= threads)
                    assert_int_equal(tally.by_worker[worker], 0);
            }
            assert_int_equal(sum, n);
        }
        ub_context_destroy(&context);
    }
}

static void negative_is_none(void **state)
{
    ub_context *context = test_context(2);
    struct tally tally = { { 0 }, { 0 }, context };

    (void) state;
    ub__parallel(context, -5, count_task, &tally);
    assert_int_equal(tally.by_worker[0] + tally.by_worker[1], 0);
    ub_context_destroy(&context);
}

static void fill_scratch(void *arg, int64_t task, int worker)
{
    struct tally *tally = arg;
    unsigned char *scratch = ub__scratch(tally->context, worker);

    memset(scratch, (int) (task & 0xff), 1000);
    for (int i = 0; i < 1000; i++) {
        if (scratch[i] != (task & 0xff))
            tally->times[task] = -1;
    }
}

static void scratch_is_private(void **state)
{
    ub_context *context = test_context(4);
    struct tally tally = { { 0 }, { 0 }, context };
    void *first;

    (void) state;
    assert_null(ub__scratch(context, 0));
    assert_int_equal(
        ub__scratch_reserve(context, (ub__scratch_size){ 1000, 0 }), UB_OK);
    first = ub__scratch(context, 0);
    assert_int_equal(ub__scratch_reserve(context, (ub__scratch_size){ 10, 0 }),
                     UB_OK);
    assert_ptr_equal(ub__scratch(context, 0), first);
    for (int worker = 0; worker < 4; worker++)
        assert_int_equal((uintptr_t) ub__scratch(context, worker) % 64, 0);
    ub__parallel(context, TASKS, fill_scratch, &tally);
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(tally.times[i], 0);
    assert_int_equal(
        ub__scratch_reserve(context, (ub__scratch_size){ SIZE_MAX, 0 }),
        UB_ERR_NOMEM);
    assert_int_equal(
        ub__scratch_reserve(context, (ub__scratch_size){ SIZE_MAX / 2, 0 }),
        UB_ERR_NOMEM);
    assert_ptr_equal(ub__scratch(context, 0), first);
    ub_context_destroy(&context);
}

static void split_covers(void **state)
{
    (void) state;
    for (int64_t n = 0; n < 70; n++) {
        for (int64_t grain = 1; grain < 20; grain += 3) {
            for (int64_t parts = 1; parts < 9; parts++) {
                int64_t last = 0, least = n, most = 0;

                for (int64_t part = 0; part < parts; part++) {
                    int64_t begin, end;

                    ub__split(n, grain, parts, part, &begin, &end);
                    assert_int_equal(begin, last);
                    assert_true(end >= begin);
                    assert_true(end % grain == 0 || end == n);
                    if (end - begin < least)
                        least = end - begin;
                    if (end - begin > most)
                        most = end - begin;
                    last = end;
                }
                assert_int_equal(last, n);
                assert_true(most - least < 2 * grain);
            }
        }
    }
}

static void split_is_wide(void **state)
{
    int64_t begin, end;

    (void) state;
    ub__split(INT64_MAX, 16, 3, 2, &begin, &end);
    assert_true(end == INT64_MAX && begin % 16 == 0);
    ub__split(10, 0, 0, 0, &begin, &end);
    assert_int_equal(begin, 0);
    assert_int_equal(end, 10);
}

static void add_one(void *arg)
{
    ++*(int *) arg;
}

static void background_jobs(void **state)
{
    ub_context *context = test_context(1);
    ub__background *background = NULL;
    int count = 0;

    (void) state;
    assert_int_equal(ub__background_create(context, &background), UB_OK);
    ub__background_wait(background);
    for (int i = 1; i <= 100; i++) {
        ub__background_start(background, add_one, &count);
        ub__background_wait(background);
        assert_int_equal(count, i);
    }
    ub__background_start(background, add_one, &count);
    ub__background_start(background, add_one, &count);
    ub__background_destroy(&background);
    assert_int_equal(count, 102);
    assert_null(background);
    ub__background_destroy(&background);
    ub__background_destroy(NULL);
    ub_context_destroy(&context);
}

static ub_status make_background(ub_context *context, void *arg)
{
    ub__background *background = NULL;
    ub_status status = ub__background_create(context, &background);

    (void) arg;
    ub__background_destroy(&background);
    return status;
}

static void background_out_of_memory(void **state)
{
    (void) state;
    assert_survives_oom(make_background, 2, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_once),
        cmocka_unit_test(negative_is_none),
        cmocka_unit_test(scratch_is_private),
        cmocka_unit_test(split_covers),
        cmocka_unit_test(split_is_wide),
        cmocka_unit_test(background_jobs),
        cmocka_unit_test(background_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
