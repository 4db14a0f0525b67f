/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static ub_status parse(ub_context *context, const char *text, size_t size)
{
    json_t *root = NULL;
    ub_status status = ub__json_parse(context, "test", text, size, &root);

    if (status != UB_OK)
        assert_null(root);
    json_decref(root);
    return status;
}

static void hostile_text(void **state)
{
    static const char *const bad[] = { "",
                                       "{",
                                       "{}x",
                                       "[1,]",
                                       "{\"a\":1,}",
                                       "nul",
                                       "NaN",
                                       "[NaN]",
                                       "[Infinity]",
                                       "[1e999]",
                                       "[\"\\u0000\"]",
                                       "{\"a\":1,\"a\":2}",
                                       "[\"\xff\"]",
                                       "[01]",
                                       "1",
                                       "\"text\"",
                                       "[99999999999999999999]",
                                       "{\"\\u0000\":1}",
                                       "\xef\xbb\xbf[]",
                                       "[\"\\ud800\"]",
                                       "[1] [2]",
                                       "['a']",
                                       "// []" };
    ub_context *context = test_context(1);
    size_t deep = 100000;
    char *text = malloc(deep);

    (void) state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (parse(context, bad[i], strlen(bad[i])) != UB_ERR_FORMAT)
            fail_msg("accepted: %s", bad[i]);
        assert_memory_equal(ub_context_last_error(context), "test:", 5);
    }
    assert_int_equal(parse(context, "[1]\0", 4), UB_ERR_FORMAT);
    assert_int_equal(parse(context, "[1]", 3), UB_OK);
    assert_non_null(text);
    memset(text, '[', deep);
    assert_int_equal(parse(context, text, deep), UB_ERR_FORMAT);
    free(text);
    assert_int_equal(parse(context, "{\n\"a\": ]}", 9), UB_ERR_FORMAT);
    assert_memory_equal(ub_context_last_error(context), "test:2:", 7);
    ub_context_destroy(&context);
}

/* Every truncation of a valid text is an error; every flipped bit is either
 * an error or another valid text, and never a leak or a crash. */
static void damaged_text(void **state)
{
    static const char text[] =
        "{\"name\": \"n\\u00e9t\", \"w\": [1, 2.5e-3, -7, null, true]}";
    ub_context *context = test_context(1);

    (void) state;
    for (size_t n = 0; n < sizeof text - 1; n++)
        assert_int_equal(parse(context, text, n), UB_ERR_FORMAT);
    for (size_t bit = 0; bit < 8 * (sizeof text - 1); bit++) {
        char copy[sizeof text];
        ub_status status;

        memcpy(copy, text, sizeof text);
        copy[bit / 8] = (char) (copy[bit / 8] ^ (1 << bit % 8));
        status = parse(context, copy, sizeof text - 1);
        assert_true(status == UB_OK || status == UB_ERR_FORMAT);
    }
    ub_context_destroy(&context);
}

static void typed_members(void **state)
{
    static const char text[] = "{\"i\":5,\"d\":2.5,\"s\":\"x\",\"a\":[1,2,3],"
                               "\"big\":9223372036854775807}";
    ub_context *context = test_context(1);
    json_t *root, *array = NULL;
    int64_t i = -1;
    double d = -1.0;
    const char *s = NULL;

    (void) state;
    assert_int_equal(ub__json_parse(context, "t", text, sizeof text - 1, &root),
                     UB_OK);
    assert_int_equal(ub__json_int(context, "t", root, "i", 6, 9, &i),
                     UB_ERR_FORMAT);
    assert_string_equal(ub_context_last_error(context),
                        "t: \"i\" is 5, expected 6 to 9");
    assert_int_equal(ub__json_int(context, "t", root, "i", 0, 4, &i),
                     UB_ERR_FORMAT);
    assert_int_equal(ub__json_int(context, "t", root, "d", 0, 4, &i),
                     UB_ERR_FORMAT);
    assert_int_equal(ub__json_int(context, "t", root, "none", 0, 4, &i),
                     UB_ERR_FORMAT);
    assert_int_equal(ub__json_int(context, "t", NULL, "i", 0, 9, &i),
                     UB_ERR_FORMAT);
    assert_int_equal(i, -1);
    assert_int_equal(ub__json_int(context, "t", root, "i", 5, 5, &i), UB_OK);
    assert_int_equal(i, 5);
    assert_int_equal(ub__json_int(context, "t", root, "big", 0, INT64_MAX, &i),
                     UB_OK);
    assert_true(i == INT64_MAX);
    assert_int_equal(ub__json_double(context, "t", root, "d", 3.0, 4.0, &d),
                     UB_ERR_FORMAT);
    assert_int_equal(ub__json_double(context, "t", root, "s", 0.0, 4.0, &d),
                     UB_ERR_FORMAT);
    assert_true(d == -1.0);
    assert_int_equal(ub__json_double(context, "t", root, "d", 0.0, 4.0, &d),
                     UB_OK);
    assert_true(d == 2.5);
    assert_int_equal(ub__json_double(context, "t", root, "i", 0.0, 9.0, &d),
                     UB_OK);
    assert_true(d == 5.0);
    assert_int_equal(ub__json_string(context, "t", root, "i", &s),
                     UB_ERR_FORMAT);
    assert_int_equal(ub__json_string(context, "t", root, "s", &s), UB_OK);
    assert_string_equal(s, "x");
    assert_int_equal(ub__json_array(context, "t", root, "s", 9, &array),
                     UB_ERR_FORMAT);
    assert_int_equal(ub__json_array(context, "t", root, "a", 2, &array),
                     UB_ERR_FORMAT);
    assert_null(array);
    assert_int_equal(ub__json_array(context, "t", root, "a", 3, &array), UB_OK);
    assert_int_equal(json_array_size(array), 3);
    json_decref(root);
    ub_context_destroy(&context);
}

static void files_round_trip(void **state)
{
    static const char expected[] = "{\n  \"z\": 0.10000000000000001,\n"
                                   "  \"a\": [\n    1\n  ]\n}\n";
    ub_context *context = test_context(1);
    const char *path = test_path("round.json");
    json_t *root = json_pack("{s:f, s:[i]}", "z", 0.1, "a", 1), *again;
    void *data;
    size_t n;

    (void) state;
    assert_int_equal(ub__json_write(context, path, root), UB_OK);
    assert_int_equal(ub__file_read(context, path, 1000, &data, &n), UB_OK);
    assert_string_equal(data, expected);
    ub__free(context, data);
    assert_int_equal(ub__json_read(context, path, &again), UB_OK);
    assert_true(json_equal(root, again));
    json_decref(again);
    assert_int_equal(ub__json_write(context, "/no/such/file", root), UB_ERR_IO);
    assert_int_equal(ub__json_write(context, path, NULL), UB_ERR_INVALID);
    assert_int_equal(ub__json_read(context, path, &again), UB_OK);
    json_decref(again);
    assert_int_equal(ub__json_read(context, "/no/such", &again), UB_ERR_IO);
    test_file_write(path, "[1,\n2", 5);
    assert_int_equal(ub__json_read(context, path, &again), UB_ERR_FORMAT);
    assert_non_null(strstr(ub_context_last_error(context), "round.json:2: "));
    json_decref(root);
    ub_context_destroy(&context);
}

static ub_status use_json(ub_context *context, void *arg)
{
    json_t *root = json_pack("{s:i}", "a", 1), *again = NULL;
    ub_status status = ub__json_write(context, arg, root);

    if (status == UB_OK)
        status = ub__json_read(context, arg, &again);
    json_decref(again);
    json_decref(root);
    return status;
}

static void out_of_memory(void **state)
{
    char path[1024];

    (void) state;
    snprintf(path, sizeof path, "%s", test_path("oom.json"));
    assert_survives_oom(use_json, 1, path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_text),  cmocka_unit_test(damaged_text),
        cmocka_unit_test(typed_members), cmocka_unit_test(files_round_trip),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
