/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>
#include <uboost/space.h>
#include <zlib.h>

#define CELLS UB_NASBENCH201_CELLS
#define EDGES UB_NASBENCH201_EDGES
#define TEXT  UB_NASBENCH201_TEXT

static ub_nasbench201 *make_order(ub_context *context)
{
    ub_nasbench201 *order = NULL;

    assert_int_equal(ub_nasbench201_create(context, &order), UB_OK);
    return order;
}

static int32_t code_at(const ub_nasbench201 *order, int64_t index)
{
    int32_t operators[EDGES], code = 0;

    assert_int_equal(ub_nasbench201_get(order, index, operators), UB_OK);
    for (int i = 0; i < EDGES; i++)
        code = code * 5 + operators[i];
    return code;
}

/* The codes as little-endian int32 have the SHA-256 825389e1...9ec267 that the
 * published order has, and this CRC-32. */
static void order_is_published(void **state)
{
    static const int32_t first[] = { 13931, 11791, 14874, 13126, 4032,
                                     7204,  9493,  1168,  8903,  12528 };
    ub_context *context = test_context(1);
    ub_nasbench201 *order = make_order(context);
    uLong crc = crc32(0, NULL, 0);

    (void) state;
    for (int64_t i = 0; i < 10; i++)
        assert_int_equal(code_at(order, i), first[i]);
    for (int64_t i = 0; i < CELLS; i++) {
        const uint32_t code = (uint32_t) code_at(order, i);
        const Bytef bytes[4] = { code & 255, code >> 8 & 255, 0, 0 };

        crc = crc32(crc, bytes, sizeof(bytes));
    }
    assert_int_equal(crc, 0xd19efd32);
    ub_nasbench201_destroy(&order);
    assert_null(order);
    ub_nasbench201_destroy(&order);
    ub_nasbench201_destroy(NULL);
    ub_context_destroy(&context);
}

static void every_cell_round_trips(void **state)
{
    ub_context *context = test_context(1);
    ub_nasbench201 *order = make_order(context);

    (void) state;
    for (int64_t i = 0; i < CELLS; i++) {
        int32_t operators[EDGES], read[EDGES];
        char text[TEXT];

        assert_int_equal(ub_nasbench201_get(order, i, operators), UB_OK);
        assert_int_equal(ub_nasbench201_index(order, operators), i);
        assert_int_equal(ub_nasbench201_write(operators, text), UB_OK);
        assert_int_equal(ub_nasbench201_read(text, read), UB_OK);
        assert_memory_equal(operators, read, sizeof(read));
        assert_int_equal(ub_nasbench201_find(order, text), i);
    }
    ub_nasbench201_destroy(&order);
    ub_context_destroy(&context);
}

static void known_cells(void **state)
{
    static const struct {
        int64_t index;
        const char *text;
    } cells[] = {
        { 0, "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|"
             "skip_connect~1|skip_connect~2|" },
        { 9, "|avg_pool_3x3~0|+|none~0|none~1|+|skip_connect~0|none~1|"
             "nor_conv_3x3~2|" },
    };
    ub_context *context = test_context(1);
    ub_nasbench201 *order = make_order(context);

    (void) state;
    for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++)
        assert_int_equal(ub_nasbench201_find(order, cells[i].text),
                         cells[i].index);
    ub_nasbench201_destroy(&order);
    ub_context_destroy(&context);
}

/* The published order, line by line: index,text,... */
static void order_is_that_of_the_table(void **state)
{
    const char *path = test_data("hwnas/nb201_accuracy.csv");
    ub_context *context;
    ub_nasbench201 *order;
    char *data, *line;

    (void) state;
    if (path == NULL)
        skip();
    context = test_context(1);
    order = make_order(context);
    data = test_file_read(path);
    line = strchr(data, '\n');
    for (int64_t i = 0; i < CELLS; i++) {
        char *text, *end;

        assert_non_null(line);
        assert_int_equal(strtol(line + 1, &text, 10), i);
        end = strchr(text + 1, ',');
        assert_non_null(end);
        *end = '\0';
        assert_int_equal(ub_nasbench201_find(order, text + 1), i);
        line = strchr(end + 1, '\n');
    }
    free(data);
    ub_nasbench201_destroy(&order);
    ub_context_destroy(&context);
}

static void wrong_texts(void **state)
{
    static const char *const texts[] = {
        "",
        "|",
        "none",
        "|none~0|+|none~0|none~1|+|none~0|none~1|none~2",
        "|none~0|+|none~0|none~1|+|none~0|none~1|none~2||",
        "|none~0|+|none~0|none~1|+|none~0|none~1|none~2| ",
        " |none~0|+|none~0|none~1|+|none~0|none~1|none~2|",
        "|none~1|+|none~0|none~1|+|none~0|none~1|none~2|",
        "|none~0|+|none~0|none~0|+|none~0|none~1|none~2|",
        "|none~0|none~0|none~1|+|none~0|none~1|none~2|",
        "|nor_conv_5x5~0|+|none~0|none~1|+|none~0|none~1|none~2|",
        "|NONE~0|+|none~0|none~1|+|none~0|none~1|none~2|",
    };
    int32_t operators[EDGES] = { 9, 9, 9, 9, 9, 9 };
    ub_context *context = test_context(1);
    ub_nasbench201 *order = make_order(context);
    char text[TEXT] = "kept";

    (void) state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(ub_nasbench201_read(texts[i], operators),
                         UB_ERR_INVALID);
        assert_int_equal(ub_nasbench201_find(order, texts[i]), -1);
    }
    assert_int_equal(operators[0], 9);
    assert_int_equal(ub_nasbench201_index(order, operators), -1);
    assert_int_equal(ub_nasbench201_write(operators, text), UB_ERR_INVALID);
    assert_int_equal(ub_nasbench201_canonical(operators, text), UB_ERR_INVALID);
    assert_string_equal(text, "kept");
    assert_int_equal(ub_nasbench201_get(order, -1, operators), UB_ERR_INVALID);
    assert_int_equal(ub_nasbench201_get(order, CELLS, operators),
                     UB_ERR_INVALID);
    assert_int_equal(operators[5], 9);
    assert_int_equal(ub_nasbench201_read(NULL, operators), UB_ERR_INVALID);
    assert_int_equal(ub_nasbench201_find(order, NULL), -1);
    assert_int_equal(ub_nasbench201_find(NULL, "|"), -1);
    assert_null(ub_nasbench201_operator_name(5));
    assert_null(ub_nasbench201_operator_name(-1));
    assert_int_equal(ub_nasbench201_create(NULL, &order), UB_ERR_INVALID);
    assert_int_equal(ub_nasbench201_create(context, NULL), UB_ERR_INVALID);
    ub_nasbench201_destroy(&order);
    ub_context_destroy(&context);
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void canonical_texts(void **state)
{
    char(*texts)[TEXT] = calloc(CELLS, sizeof(*texts));
    ub_context *context = test_context(1);
    ub_nasbench201 *order = make_order(context);
    int distinct = 0;

    (void) state;
    assert_non_null(texts);
    for (int64_t i = 0; i < CELLS; i++) {
        int32_t operators[EDGES];

        assert_int_equal(ub_nasbench201_get(order, i, operators), UB_OK);
        assert_int_equal(ub_nasbench201_canonical(operators, texts[i]), UB_OK);
    }
    assert_string_equal(texts[9], "#+(#+#)@nor_conv_3x3+0");
    qsort(texts, CELLS, sizeof(*texts), compare);
    for (int i = 0; i < CELLS; i++)
        distinct += i == 0 || strcmp(texts[i], texts[i - 1]) != 0;
    assert_int_equal(distinct, 6466);
    free(texts);
    ub_nasbench201_destroy(&order);
    ub_context_destroy(&context);
}

static void counts(void **state)
{
    const int32_t none[EDGES] = { 0 };
    const int32_t mixed[EDGES] = { 3, 3, 4, 2, 1, 3 };
    int64_t parameters = 0, flops = 0;

    (void) state;
    assert_int_equal(ub_nasbench201_count(none, 32, 10, &parameters, &flops),
                     UB_OK);
    assert_int_equal(parameters, 73306);
    assert_int_equal(flops, 7783050);
    assert_int_equal(ub_nasbench201_count(none, 32, 100, &parameters, &flops),
                     UB_OK);
    assert_int_equal(parameters, 79156);
    assert_int_equal(flops, 7788900);
    assert_int_equal(ub_nasbench201_count(mixed, 16, 120, &parameters, &flops),
                     UB_OK);
    assert_int_equal(parameters, 80456 + 28000 + 3 * 243040);
    assert_int_equal(flops, 1953400 + 983040 + 3 * 8847360);
    assert_int_equal(ub_nasbench201_count(mixed, 32, 10, NULL, NULL), UB_OK);
    assert_int_equal(ub_nasbench201_count(mixed, 33, 10, &parameters, NULL),
                     UB_ERR_INVALID);
    assert_int_equal(ub_nasbench201_count(mixed, 32, 0, &parameters, NULL),
                     UB_ERR_INVALID);
    assert_int_equal(ub_nasbench201_count(NULL, 32, 10, &parameters, NULL),
                     UB_ERR_INVALID);
}

static ub_status create(ub_context *context, void *arg)
{
    ub_nasbench201 *order = NULL;
    const ub_status status = ub_nasbench201_create(context, &order);

    (void) arg;
    ub_nasbench201_destroy(&order);
    return status;
}

static void out_of_memory(void **state)
{
    (void) state;
    assert_survives_oom(create, 1, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_published),
        cmocka_unit_test(every_cell_round_trips),
        cmocka_unit_test(known_cells),
        cmocka_unit_test(order_is_that_of_the_table),
        cmocka_unit_test(wrong_texts),
        cmocka_unit_test(canonical_texts),
        cmocka_unit_test(counts),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
