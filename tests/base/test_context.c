/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"
#include "support.h"

#include <string.h>

static void status_names(void **state)
{
    (void) state;
    assert_string_equal(ub_status_str(UB_OK), "UB_OK");
    assert_string_equal(ub_status_str(UB_ERR_INVALID), "UB_ERR_INVALID");
    assert_string_equal(ub_status_str(UB_ERR_NOMEM), "UB_ERR_NOMEM");
    assert_string_equal(ub_status_str(UB_ERR_SHAPE), "UB_ERR_SHAPE");
    assert_string_equal(ub_status_str(UB_ERR_RANGE), "UB_ERR_RANGE");
    assert_string_equal(ub_status_str(UB_ERR_IO), "UB_ERR_IO");
    assert_string_equal(ub_status_str(UB_ERR_FORMAT), "UB_ERR_FORMAT");
    assert_string_equal(ub_status_str(UB_ERR_UNSUPPORTED),
                        "UB_ERR_UNSUPPORTED");
    assert_string_equal(ub_status_str(UB_ERR_NUMERIC), "UB_ERR_NUMERIC");
    assert_string_equal(ub_status_str(UB_ERR_INTERRUPTED),
                        "UB_ERR_INTERRUPTED");
    assert_string_equal(ub_status_str((ub_status) -1000), "unknown status");
    assert_int_equal(UB_ERR_INTERRUPTED, -9);
}

static void defaults(void **state)
{
    ub_context_options options;
    ub_context *context = NULL;

    (void) state;
    memset(&options, 0x5a, sizeof options);
    ub_context_options_init(&options, sizeof options);
    assert_int_equal(options.size, sizeof options);
    assert_int_equal(options.threads, 1);
    assert_null(options.allocator);
    assert_null(options.log);
    assert_int_equal(ub_context_create(NULL, &context), UB_OK);
    assert_int_equal(ub_context_threads(context), 1);
    assert_int_equal(ub__context_portable(context), 0);
    assert_string_equal(ub_context_last_error(context), "");
    ub_context_destroy(&context);
    assert_null(context);
    ub_context_destroy(&context);
    ub_context_destroy(NULL);
    assert_string_equal(ub_context_last_error(NULL), "");
    assert_int_equal(ub_context_threads(NULL), 0);
}

static ub_status create_with(const ub_context_options *options)
{
    ub_context *context = NULL;
    ub_status status = ub_context_create(options, &context);

    if (status != UB_OK)
        assert_null(context);
    ub_context_destroy(&context);
    return status;
}

static void bad_options(void **state)
{
    ub_context_options good, bad;
    ub_allocator allocator = { sizeof allocator, NULL, NULL, NULL };

    (void) state;
    ub_context_options_init(&good, sizeof good);
    assert_int_equal(ub_context_create(&good, NULL), UB_ERR_INVALID);
    good.threads = 0;
    assert_int_equal(create_with(&good), UB_OK);
    good.threads = 1;
    bad = good;
    bad.size = 8;
    assert_int_equal(create_with(&bad), UB_ERR_INVALID);
    bad = good;
    bad.threads = -1;
    assert_int_equal(create_with(&bad), UB_ERR_INVALID);
    bad.threads = 1 << 20;
    assert_int_equal(create_with(&bad), UB_ERR_INVALID);
    bad = good;
    bad.log_level = 4;
    assert_int_equal(create_with(&bad), UB_ERR_INVALID);
    bad = good;
    bad.portable_kernels = 2;
    assert_int_equal(create_with(&bad), UB_ERR_INVALID);
    bad = good;
    bad.reserved = 1;
    assert_int_equal(create_with(&bad), UB_ERR_INVALID);
    bad = good;
    bad.allocator = &allocator;
    assert_int_equal(create_with(&bad), UB_ERR_INVALID);
}

struct small {
    size_t size;
    int64_t a;
};

struct large {
    size_t size;
    int64_t a;
    int64_t b;
};

static void options_of_all_ages(void **state)
{
    struct small small = { sizeof small, 1 };
    struct large large = { sizeof large, 7, 8 };
    struct large newer = { sizeof newer, 3, 0 };
    ub_context *context = test_context(1);

    (void) state;
    assert_int_equal(ub__options_in(context, "x", &large, sizeof large,
                                    sizeof small, &small),
                     UB_OK);
    assert_int_equal(large.size, sizeof large);
    assert_int_equal(large.a, 1);
    assert_int_equal(large.b, 8);
    assert_int_equal(ub__options_in(context, "x", &small, sizeof small,
                                    sizeof small, &newer),
                     UB_OK);
    assert_int_equal(small.size, sizeof small);
    assert_int_equal(small.a, 3);
    newer.a = 4;
    newer.b = 1;
    assert_int_equal(ub__options_in(context, "x", &small, sizeof small,
                                    sizeof small, &newer),
                     UB_ERR_UNSUPPORTED);
    assert_int_equal(small.a, 3);
    newer.size = 4097;
    assert_int_equal(ub__options_in(context, "x", &small, sizeof small,
                                    sizeof small, &newer),
                     UB_ERR_INVALID);
    assert_int_equal(
        ub__options_in(context, "x", &small, sizeof small, sizeof small, NULL),
        UB_OK);
    ub__options_out(&newer, sizeof newer, &small, sizeof small);
    assert_int_equal(newer.size, sizeof newer);
    assert_int_equal(newer.a, 3);
    assert_int_equal(newer.b, 0);
    newer.b = 9;
    ub__options_out(&newer, sizeof small, &large, sizeof large);
    assert_int_equal(newer.size, sizeof small);
    assert_int_equal(newer.a, 1);
    assert_int_equal(newer.b, 9);
    ub_context_destroy(&context);
}

static void error_text(void **state)
{
    ub_context *context = test_context(1);
    char expected[256], long_text[600];

    (void) state;
    assert_int_equal(ub__fail(context, UB_ERR_SHAPE, "%d and %s", 3, "x"),
                     UB_ERR_SHAPE);
    assert_string_equal(ub_context_last_error(context), "3 and x");
    assert_int_equal(ub__fail_within(context, UB_ERR_IO, "file %d", 7),
                     UB_ERR_IO);
    assert_string_equal(ub_context_last_error(context), "file 7: 3 and x");
    ub__fail(context, UB_ERR_IO, "again %s", ub_context_last_error(context));
    assert_string_equal(ub_context_last_error(context),
                        "again file 7: 3 and x");
    memset(long_text, 'a', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    memset(expected, 'a', 255);
    expected[255] = '\0';
    ub__fail(context, UB_ERR_IO, "%s", long_text);
    assert_string_equal(ub_context_last_error(context), expected);
    ub__fail_within(context, UB_ERR_IO, "b");
    assert_int_equal(strlen(ub_context_last_error(context)), 255);
    assert_memory_equal(ub_context_last_error(context), "b: aaa", 6);
    assert_int_equal(ub__fail(NULL, UB_ERR_RANGE, "x"), UB_ERR_RANGE);
    ub_context_destroy(&context);
}

struct heard {
    int lines;
    int reports;
    int answer;
    char last[64];
};

static void hear_log(void *user, ub_log_level level, const char *line)
{
    struct heard *heard = user;

    (void) level;
    heard->lines++;
    snprintf(heard->last, sizeof heard->last, "%s", line);
}

static int hear_progress(void *user, const ub_progress *progress)
{
    struct heard *heard = user;

    assert_int_equal(progress->size, sizeof *progress);
    heard->reports++;
    return heard->answer;
}

static void callbacks(void **state)
{
    struct heard heard = { 0, 0, 0, "" };
    ub_progress progress = { 0 };
    ub_context_options options;
    ub_context *context;

    (void) state;
    ub_context_options_init(&options, sizeof options);
    options.log = hear_log;
    options.log_user = &heard;
    options.log_level = UB_LOG_INFO;
    options.progress = hear_progress;
    options.progress_user = &heard;
    options.portable_kernels = 1;
    assert_int_equal(ub_context_create(&options, &context), UB_OK);
    assert_int_equal(ub__context_portable(context), 1);
    ub__log(context, UB_LOG_DEBUG, "no");
    ub__log(context, UB_LOG_INFO, "yes %d", 1);
    assert_int_equal(heard.lines, 1);
    assert_string_equal(heard.last, "yes 1");
    assert_int_equal(ub__progress(context, &progress), UB_OK);
    heard.answer = 1;
    assert_int_equal(ub__progress(context, &progress), UB_ERR_INTERRUPTED);
    assert_int_equal(heard.reports, 2);
    ub_context_destroy(&context);
    context = test_context(1);
    ub__log(context, UB_LOG_WARNING, "silent");
    assert_int_equal(ub__progress(context, &progress), UB_OK);
    ub_context_destroy(&context);
}

static ub_status nothing(ub_context *context, void *arg)
{
    (void) context;
    (void) arg;
    return UB_OK;
}

static void creation_out_of_memory(void **state)
{
    (void) state;
    assert_survives_oom(nothing, 1, NULL);
    assert_survives_oom(nothing, 3, NULL);
}

static void clock_advances(void **state)
{
    double before = ub__seconds();

    (void) state;
    assert_true(before > 0.0);
    assert_true(ub__seconds() >= before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_names),
        cmocka_unit_test(defaults),
        cmocka_unit_test(bad_options),
        cmocka_unit_test(options_of_all_ages),
        cmocka_unit_test(error_text),
        cmocka_unit_test(callbacks),
        cmocka_unit_test(creation_out_of_memory),
        cmocka_unit_test(clock_advances),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
