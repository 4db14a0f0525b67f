/* SPDX-License-Identifier: BSD-2-Clause */
#include "pickle_show.h"

#include "support.h"

#include <stdlib.h>
#include <string.h>

enum { DEPTH = 12, ENOUGH = 1 << 20 };

struct text {
    char *start;
    size_t n, room;
};

static void add_bytes(struct text *text, const char *bytes, size_t n)
{
    if (text->n + n >= text->room) {
        text->room = 2 * (text->n + n) + 64;
        text->start = realloc(text->start, text->room);
        assert_non_null(text->start);
    }
    memcpy(text->start + text->n, bytes, n);
    text->n += n;
    text->start[text->n] = '\0';
}

static void add(struct text *text, const char *format, ...) UB__PRINTF(2, 3);

static void add(struct text *text, const char *format, ...)
{
    char bytes[64];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(bytes, sizeof(bytes), format, arguments);
    va_end(arguments);
    add_bytes(text, bytes, strlen(bytes));
}

static void show(struct text *text, const ub__pickle *p, ub__pickle_node node,
                 int depth);

static void show_text(struct text *text, const ub__pickle *p,
                      ub__pickle_node node)
{
    size_t n = 0;
    const char *bytes = ub__pickle_text(p, node, &n);

    assert_non_null(bytes);
    assert_int_equal(n, ub__pickle_length(p, node));
    if (ub__pickle_kind_of(p, node) == UB__PICKLE_TEXT) {
        add(text, "'");
        for (size_t i = 0; i < n; i++) {
            if (bytes[i] == '\0')
                add(text, "\\0");
            else
                add_bytes(text, bytes + i, 1);
        }
        add(text, "'");
        return;
    }
    add(text, "b(");
    for (size_t i = 0; i < n; i++)
        add(text, "%02x", (unsigned char) bytes[i]);
    add(text, ")");
}

static void show_items(struct text *text, const ub__pickle *p,
                       ub__pickle_node node, int depth)
{
    const int is_dict = ub__pickle_kind_of(p, node) == UB__PICKLE_DICT;
    const size_t n = ub__pickle_length(p, node);

    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            add(text, ", ");
        if (is_dict) {
            show(text, p, ub__pickle_key(p, node, i), depth);
            add(text, ": ");
        }
        show(text, p, ub__pickle_item(p, node, i), depth);
    }
    assert_int_equal(ub__pickle_item(p, node, n), UB__PICKLE_ABSENT);
    assert_int_equal(ub__pickle_key(p, node, n), UB__PICKLE_ABSENT);
}

static void show_array(struct text *text, const ub__pickle *p,
                       ub__pickle_node node)
{
    const int dimensions = ub__pickle_dimensions(p, node);
    int64_t count = 1;

    add(text, "array(");
    for (int i = 0; i < dimensions; i++) {
        const int64_t extent = ub__pickle_extent(p, node, i);

        add(text, i > 0 ? ", %lld" : "%lld", (long long) extent);
        count *= extent;
    }
    add(text, ")[");
    assert_int_equal(count, ub__pickle_length(p, node));
    for (int64_t i = 0; i < count; i++) {
        double x = 0.0;

        assert_int_equal(ub__pickle_number(p, node, (size_t) i, &x), UB_OK);
        add(text, i > 0 ? ", %.17g" : "%.17g", x);
    }
    add(text, "]");
}

static void show_number(struct text *text, const ub__pickle *p,
                        ub__pickle_node node)
{
    int64_t integer = 0;
    double real = 0.0;

    switch (ub__pickle_kind_of(p, node)) {
    case UB__PICKLE_BOOL:
        assert_int_equal(ub__pickle_int(p, node, &integer), UB_OK);
        assert_int_equal(ub__pickle_double(p, node, &real), UB_ERR_FORMAT);
        add(text, "%s", integer != 0 ? "True" : "False");
        break;
    case UB__PICKLE_INT:
        assert_int_equal(ub__pickle_int(p, node, &integer), UB_OK);
        assert_int_equal(ub__pickle_double(p, node, &real), UB_OK);
        assert_true(real == (double) integer);
        add(text, "%lld", (long long) integer);
        break;
    default:
        assert_int_equal(ub__pickle_int(p, node, &integer), UB_ERR_FORMAT);
        assert_int_equal(ub__pickle_double(p, node, &real), UB_OK);
        /* A decimal point tells it from an integer. */
        add(text, "%#.17g", real);
        break;
    }
}

static void show(struct text *text, const ub__pickle *p, ub__pickle_node node,
                 int depth)
{
    if (depth > DEPTH || text->n > ENOUGH) {
        add(text, "...");
        return;
    }
    switch (ub__pickle_kind_of(p, node)) {
    case UB__PICKLE_NONE: add(text, "None"); break;
    case UB__PICKLE_TEXT:
    case UB__PICKLE_BYTES: show_text(text, p, node); break;
    case UB__PICKLE_LIST:
        add(text, "[");
        show_items(text, p, node, depth + 1);
        add(text, "]");
        break;
    case UB__PICKLE_TUPLE:
        add(text, "(");
        show_items(text, p, node, depth + 1);
        add(text, ")");
        break;
    case UB__PICKLE_DICT:
        add(text, "{");
        show_items(text, p, node, depth + 1);
        add(text, "}");
        break;
    case UB__PICKLE_ARRAY: show_array(text, p, node); break;
    case UB__PICKLE_OTHER: add(text, "?"); break;
    default: show_number(text, p, node); break;
    }
}

ub_status pickle_read(ub_context *context, const void *bytes, size_t n,
                      const ub__pickle_limits *limits, char **shown)
{
    unsigned char *copy = malloc(n > 0 ? n : 1);
    ub__pickle *pickle = NULL;
    struct text text = { NULL, 0, 0 };
    ub_status status;

    assert_non_null(copy);
    if (n > 0)
        memcpy(copy, bytes, n);
    status = ub__pickle_parse(context, copy, n, limits, &pickle);
    if (status == UB_OK && shown != NULL) {
        show(&text, pickle, ub__pickle_root(pickle), 0);
        *shown = text.start;
    }
    assert_true((status == UB_OK) == (pickle != NULL));
    ub__pickle_destroy(&pickle);
    assert_null(pickle);
    free(copy);
    return status;
}

void pickle_expect(ub_context *context, const void *bytes, size_t n,
                   const char *expected)
{
    char *shown = NULL;

    if (pickle_read(context, bytes, n, NULL, &shown) != UB_OK)
        fail_msg("%s, where %s was expected", ub_context_last_error(context),
                 expected);
    assert_string_equal(shown, expected);
    free(shown);
}

void pickle_refuse(ub_context *context, const void *bytes, size_t n,
                   ub_status status, const char *text)
{
    char *shown = NULL;
    const ub_status got = pickle_read(context, bytes, n, NULL, &shown);

    if (got == UB_OK)
        fail_msg("accepted as %s, where \"%s\" was expected", shown, text);
    if (strstr(ub_context_last_error(context), text) == NULL || got != status)
        fail_msg("%s %s, where %s ... %s ... was expected", ub_status_str(got),
                 ub_context_last_error(context), ub_status_str(status), text);
}

void pickle_expect_all(const struct pickle_sample *samples, size_t n)
{
    ub_context *context = test_context(1);

    for (size_t i = 0; i < n; i++)
        pickle_expect(context, samples[i].bytes, samples[i].n,
                      samples[i].shown);
    ub_context_destroy(&context);
}

void pickle_refuse_all(const struct pickle_refused *samples, size_t n)
{
    ub_context *context = test_context(1);

    for (size_t i = 0; i < n; i++)
        pickle_refuse(context, samples[i].bytes, samples[i].n,
                      samples[i].status, samples[i].text);
    ub_context_destroy(&context);
}
