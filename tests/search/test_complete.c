/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a folder holds the result that is asked for. */
#include "search/search.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define IMAGES 60

static int stop_at_once(void *user, const ub_progress *progress)
{
    (void) user;
    (void) progress;
    return 1;
}

typedef struct scene {
    ub_context *context;
    ub_dataset *images;
    ub_search_options options;
    char folder[512], config[600], result[600];
} scene;

static void open_scene(scene *s, const char *name)
{
    static const int64_t shape[4] = { IMAGES, 3, 16, 16 };
    static uint8_t images[IMAGES * 3 * 16 * 16];
    int32_t labels[IMAGES];

    memset(s, 0, sizeof(*s));
    s->context = test_progress_context(1, stop_at_once, NULL);
    for (int i = 0; i < IMAGES; i++)
        labels[i] = i % 3;
    for (size_t i = 0; i < sizeof(images); i++)
        images[i] = (uint8_t) (i % 251);
    assert_int_equal(
        ub_dataset_create(s->context, shape, 3, images, labels, &s->images),
        UB_OK);
    ub_search_options_init(&s->options, sizeof(s->options));
    assert_int_equal(ub_search_preset(&s->options, "quick"), UB_OK);
    s->options.train_images = 40;
    s->options.search_batch = 8;
    snprintf(s->folder, sizeof(s->folder), "%s", test_path(name));
    snprintf(s->config, sizeof(s->config), "%s/config.json", s->folder);
    snprintf(s->result, sizeof(s->result), "%s/result.json", s->folder);
}

static void close_scene(scene *s)
{
    ub_dataset_destroy(&s->images);
    ub_context_destroy(&s->context);
}

static ub_status look(scene *s, int *complete)
{
    return ub_search_complete(s->context, &s->options, s->images, s->images,
                              s->folder, complete);
}

/* A run that is stopped after its first step. */
static void begin_run(scene *s)
{
    ub_search_result result = { .size = sizeof(result) };

    assert_int_equal(mkdir(s->folder, 0777), 0);
    assert_int_equal(ub_search_run(s->context, &s->options, s->images,
                                   s->images, s->folder, 0, &result),
                     UB_ERR_INTERRUPTED);
}

static void expect_complete(scene *s, int expected)
{
    int complete = 7;

    assert_int_equal(look(s, &complete), UB_OK);
    assert_int_equal(complete, expected);
}

static void expect_failure(scene *s, ub_status expected, const char *text)
{
    int complete = 7;

    assert_int_equal(look(s, &complete), expected);
    assert_int_equal(complete, 7);
    assert_non_null(strstr(ub_context_last_error(s->context), text));
}

/* Blanks for a line, which an older library would not have written. */
static void drop_option(scene *s, const char *line)
{
    char *text = test_file_read(s->config);
    char *at = strstr(text, line);

    assert_non_null(at);
    memset(at, ' ', strlen(line));
    test_file_write(s->config, text, strlen(text));
    free(text);
}

static void test_complete(void **state)
{
    scene s;

    (void) state;
    open_scene(&s, "complete");
    expect_complete(&s, 0); /* no folder */
    begin_run(&s);
    expect_complete(&s, 0);
    test_file_write(s.result, "{}", 2);
    expect_complete(&s, 1);
    s.options.lambda = 7.0;
    expect_failure(&s, UB_ERR_INVALID, "its lambda is 0.5, not 7.0");
    s.options.lambda = 0.5;
    drop_option(&s, "\"flip\": 1,");
    expect_complete(&s, 1);
    s.options.flip = 0;
    expect_failure(&s, UB_ERR_INVALID, "its flip is missing, not 0");
    s.options.flip = 1;
    test_file_write(s.result, "{", 1);
    expect_failure(&s, UB_ERR_FORMAT, "result.json");
    test_file_write(s.result, "", 0);
    expect_failure(&s, UB_ERR_FORMAT, "result.json");
    test_file_write(s.config, "[", 1);
    expect_failure(&s, UB_ERR_FORMAT, "config.json");
    test_file_write(s.config, "[]", 2);
    expect_failure(&s, UB_ERR_INVALID, "config.json");
    assert_int_equal(look(&s, NULL), UB_ERR_INVALID);
    s.options.splits = 3;
    expect_failure(&s, UB_ERR_INVALID, "splits");
    close_scene(&s);
}

/* Folders of results may be moved, together. */
static void test_moved(void **state)
{
    static const char *const same[] = { "/nowhere/base", "base",
                                        "../elsewhere/base//" };
    ub_search_result result = { .size = sizeof(result) };
    scene s;

    (void) state;
    open_scene(&s, "moved");
    s.options.from = same[0];
    assert_int_equal(mkdir(s.folder, 0777), 0);
    assert_int_equal(ub_search_run(s.context, &s.options, s.images, s.images,
                                   s.folder, 0, &result),
                     UB_ERR_IO);
    for (int i = 0; i < 3; i++) {
        s.options.from = same[i];
        expect_complete(&s, 0);
    }
    s.options.from = "/nowhere/base/other";
    expect_failure(&s, UB_ERR_INVALID, "its from is \"base\", not \"other\"");
    s.options.from = "/nowhere/\xff";
    expect_failure(&s, UB_ERR_INVALID, "UTF-8");
    s.options.from = "/\xff/base";
    expect_complete(&s, 0);
    s.options.from = NULL;
    expect_failure(&s, UB_ERR_INVALID, "its from is \"base\", not null");
    close_scene(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_complete),
                                        cmocka_unit_test(test_moved) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
