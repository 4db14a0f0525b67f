/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"
#include "tables.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Pickles of the structure of HW-NAS-Bench-v1_0.pickle, in protocol 2. */

#define CELLS UB_NASBENCH201_CELLS

typedef struct pickle {
    char *bytes;
    size_t size, room;
} pickle;

static void put(pickle *p, const void *bytes, size_t size)
{
    if (p->size + size > p->room) {
        p->room = 2 * (p->size + size);
        p->bytes = realloc(p->bytes, p->room);
        assert_non_null(p->bytes);
    }
    memcpy(p->bytes + p->size, bytes, size);
    p->size += size;
}

static void put_code(pickle *p, const char *code)
{
    put(p, code, strlen(code));
}

static void put_text(pickle *p, const char *text)
{
    const size_t n = strlen(text);
    const unsigned char head[5] = { 'X', n & 255, (n >> 8) & 255, 0, 0 };

    put(p, head, sizeof(head));
    put(p, text, n);
}

static void put_double(pickle *p, double x)
{
    unsigned char bytes[9] = { 'G' };
    uint64_t bits;

    memcpy(&bits, &x, sizeof(bits));
    for (int i = 0; i < 8; i++)
        bytes[1 + i] = bits >> (56 - 8 * i) & 255;
    put(p, bytes, sizeof(bytes));
}

/* What is wrong with it. */
enum fault {
    GOOD,
    SHORT_LIST,
    WRONG_CELL,
    SHORT_CONFIG,
    TEXT_FOR_NUMBER,
    INFINITE,
    UNKNOWN_DATASET,
    CONFIG_TWICE,
    METRIC_TWICE,
    PRODUCT,
    NO_SPACE,
    EMPTY_SPACE,
    NUMBER_FOR_SPACE,
    LIST_FOR_MAPPING,
    UNKNOWN_BLOCK,
    NUMBER_FOR_NAME,
    MANY_BLOCKS
};

static void put_config(pickle *p, enum fault fault)
{
    ub_context *context = test_context(1);
    ub_nasbench201 *order = NULL;

    assert_int_equal(ub_nasbench201_create(context, &order), UB_OK);
    put_text(p, "config");
    put_code(p, "](");
    for (int64_t i = 0; i < CELLS - (fault == SHORT_CONFIG); i++) {
        int32_t operators[UB_NASBENCH201_EDGES];
        char text[UB_NASBENCH201_TEXT];
        const int64_t index = fault == WRONG_CELL && i == 100 ? 101 : i;

        assert_int_equal(ub_nasbench201_get(order, index, operators), UB_OK);
        assert_int_equal(ub_nasbench201_write(operators, text), UB_OK);
        put_code(p, "}(");
        put_text(p, "C");
        put_code(p, "K\x10");
        put_text(p, "arch_str");
        put_text(p, text);
        put_code(p, "u");
    }
    put_code(p, "e");
    ub_nasbench201_destroy(&order);
    ub_context_destroy(&context);
}

static void put_metric(pickle *p, const char *name, enum fault fault)
{
    put_text(p, name);
    put_code(p, "](");
    for (int64_t i = 0; i < CELLS - (fault == SHORT_LIST); i++) {
        if (i == 3)
            put_double(p, -1.0);
        else if (i == 4)
            put_double(p, NAN);
        else if (i == 5)
            put_code(p, "N");
        else if (i == 6)
            put_code(p, "K\x07");
        else if (i == 7 && fault == TEXT_FOR_NUMBER)
            put_text(p, "7.0");
        else if (i == 7 && fault == INFINITE)
            put_double(p, INFINITY);
        else
            put_double(p, 1.0 / (double) (i + 1));
    }
    put_code(p, "e");
}

static void put_cells(pickle *p, enum fault fault)
{
    put_text(p, "nasbench201");
    put_code(p, "}");
    put_text(p, fault == UNKNOWN_DATASET ? "ImageNet" : "cifar100");
    put_code(p, fault == LIST_FOR_MAPPING ? "](" : "}(");
    put_config(p, fault);
    if (fault == CONFIG_TWICE)
        put_config(p, fault);
    put_metric(p, "edgetpu_latency", fault);
    put_metric(p, fault == METRIC_TWICE ? "edgetpu_latency" : "board", fault);
    if (fault == PRODUCT)
        put_metric(p, "average_hw_metric", fault);
    put_code(p, fault == LIST_FOR_MAPPING ? "e" : "u");
    put_code(p, "s");
}

static void put_fbnet(pickle *p, enum fault fault)
{
    char key[UB_HWBENCH_KEY];

    put_text(p, "fbnet");
    put_code(p, "}");
    if (fault == EMPTY_SPACE)
        return;
    if (fault == NUMBER_FOR_SPACE) {
        put_code(p, "0K\x01");
        return;
    }
    if (fault == NUMBER_FOR_NAME)
        put_code(p, "K\x01");
    else
        put_text(p, "raspi4_latency");
    put_code(p, fault == LIST_FOR_MAPPING ? "](" : "}(");
    for (int64_t block = 0; block < UB_HWBENCH_FBNET_BLOCKS; block++) {
        assert_int_equal(
            ub_hwbench_fbnet_key(UB_HWBENCH_IMAGENET, block, 0, key), UB_OK);
        put_text(p, key);
        put_double(p, 0.25);
    }
    put_text(p, "FC_Cin1504_Cout10");
    put_double(p, 9.0);
    if (fault == UNKNOWN_BLOCK) {
        put_text(p, "FC_Cin1504_Cout11");
        put_double(p, 9.0);
    }
    for (int i = 0; fault == MANY_BLOCKS && i < 300; i++) {
        put_text(p, key);
        put_double(p, 9.0);
    }
    put_code(p, fault == LIST_FOR_MAPPING ? "e" : "u");
    put_code(p, "s");
}

/* Ends with `path` holding it. */
static void write_pickle(const char *path, int cells, int fbnet,
                         enum fault fault)
{
    pickle p = { NULL, 0, 0 };

    put_code(&p, "\x80\x02}(");
    if (cells)
        put_cells(&p, fault);
    if (fbnet)
        put_fbnet(&p, fault);
    put_code(&p, "u.");
    test_file_write(path, p.bytes, p.size);
    free(p.bytes);
}

static void good_pickle(void **state)
{
    const int32_t first[UB_HWBENCH_FBNET_LAYERS] = { 0 };
    const int32_t c100 = UB_HWBENCH_CIFAR100;
    const char *path = test_path("good.pickle");
    ub_context *context = test_context(1);
    ub_hwbench *bench = NULL;
    ub_hwbench_value v;

    (void) state;
    write_pickle(path, 1, 1, GOOD);
    if (ub_hwbench_open(context, path, UB_HWBENCH_NASBENCH201, &bench) != UB_OK)
        fail_msg("%s", ub_context_last_error(context));
    assert_int_equal(ub_hwbench_metrics(bench), 55);
    tables_expect(bench, c100, "edgetpu_latency", 0, UB_HWBENCH_KNOWN, 1.0);
    tables_expect(bench, c100, "edgetpu_latency", 2, UB_HWBENCH_KNOWN,
                  1.0 / 3.0);
    tables_expect(bench, c100, "edgetpu_latency", 3, UB_HWBENCH_FAILED, -1.0);
    tables_expect(bench, c100, "board", 4, UB_HWBENCH_UNKNOWN, NAN);
    tables_expect(bench, c100, "board", 5, UB_HWBENCH_UNKNOWN, NAN);
    tables_expect(bench, c100, "board", 6, UB_HWBENCH_KNOWN, 7.0);
    tables_expect(bench, c100, "board", 15624, UB_HWBENCH_KNOWN, 1.0 / 15625.0);
    tables_expect(bench, c100, "raspi4_latency", 0, UB_HWBENCH_UNKNOWN, NAN);
    ub_hwbench_destroy(&bench);
    if (ub_hwbench_open(context, path, UB_HWBENCH_FBNET, &bench) != UB_OK)
        fail_msg("%s", ub_context_last_error(context));
    assert_int_equal(
        ub_hwbench_get_fbnet(
            bench,
            ub_hwbench_find(bench, UB_HWBENCH_IMAGENET, "raspi4_latency"),
            first, &v),
        UB_OK);
    assert_true(v.state == UB_HWBENCH_KNOWN && v.value == 6.5);
    ub_hwbench_destroy(&bench);
    ub_context_destroy(&context);
}

static void wrong_pickles(void **state)
{
    static const struct {
        int32_t space;
        enum fault fault;
        const char *what;
    } cases[] = {
        { 1, SHORT_LIST, "cifar100: edgetpu_latency has not one value" },
        { 1, WRONG_CELL, "config 100 is not that of cell" },
        { 1, SHORT_CONFIG, "cifar100: config has not one entry" },
        { 1, TEXT_FOR_NUMBER, "has a value that is no number" },
        { 1, INFINITE, "has a value that is no number" },
        { 1, UNKNOWN_DATASET, "unknown data set" },
        { 1, CONFIG_TWICE, "config is there twice" },
        { 1, METRIC_TWICE, "edgetpu_latency is there twice" },
        { 1, PRODUCT, "average_hw_metric is there twice" },
        { 1, NO_SPACE, "no table of NAS-Bench-201" },
        { 1, LIST_FOR_MAPPING, "metrics are no mapping" },
        { 2, NO_SPACE, "no table of FBNet" },
        { 2, EMPTY_SPACE, "no table of FBNet" },
        { 2, NUMBER_FOR_SPACE, "fbnet is no mapping" },
        { 2, LIST_FOR_MAPPING, "raspi4_latency is no mapping" },
        { 2, UNKNOWN_BLOCK, "has a key that is no block" },
        { 2, NUMBER_FOR_NAME, "a metric has no name" },
        { 2, MANY_BLOCKS, "more keys than there are blocks" },
    };
    ub_context *context = test_context(1);

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *path = test_path("wrong.pickle");
        const int cells = cases[i].space == UB_HWBENCH_NASBENCH201;
        const int is_sound = cases[i].fault == NO_SPACE ||
                             cases[i].fault == EMPTY_SPACE;
        ub_hwbench *bench = NULL;

        write_pickle(path, cells == (cases[i].fault != NO_SPACE),
                     cells == (cases[i].fault == NO_SPACE), cases[i].fault);
        assert_int_equal(ub_hwbench_open(context, path, cases[i].space, &bench),
                         is_sound ? UB_ERR_IO : UB_ERR_FORMAT);
        assert_null(bench);
        if (strstr(ub_context_last_error(context), cases[i].what) == NULL)
            fail_msg("%zu: %s", i, ub_context_last_error(context));
    }
    ub_context_destroy(&context);
}

/* The reader of pickles refuses; see its own tests. */
static void hostile_pickles(void **state)
{
    static const char system[] = "\x80\x02"
                                 "cos\nsystem\n(X\x02\0\0\0lstR.";
    static const char cut[] = "\x80\x02}(X\xff\xff\xff\x7f";
    static const char list[] = "\x80\x02].";
    const char *path = test_path("hostile.pickle");
    ub_context *context = test_context(1);
    ub_hwbench *bench = NULL;

    (void) state;
    test_file_write(path, system, sizeof(system) - 1);
    assert_int_equal(ub_hwbench_open(context, path, UB_HWBENCH_FBNET, &bench),
                     UB_ERR_UNSUPPORTED);
    assert_non_null(strstr(ub_context_last_error(context), "hostile.pickle"));
    test_file_write(path, cut, sizeof(cut) - 1);
    assert_int_equal(ub_hwbench_open(context, path, UB_HWBENCH_FBNET, &bench),
                     UB_ERR_FORMAT);
    test_file_write(path, list, sizeof(list) - 1);
    assert_int_equal(ub_hwbench_open(context, path, UB_HWBENCH_FBNET, &bench),
                     UB_ERR_FORMAT);
    assert_non_null(
        strstr(ub_context_last_error(context), "the pickle is no mapping"));
    test_file_write(path, "index,a\n", 8);
    assert_int_equal(ub_hwbench_open(context, path, UB_HWBENCH_FBNET, &bench),
                     UB_ERR_FORMAT);
    assert_non_null(strstr(ub_context_last_error(context), "neither a folder"));
    test_file_write(path, "", 0);
    assert_int_equal(ub_hwbench_open(context, path, UB_HWBENCH_FBNET, &bench),
                     UB_ERR_FORMAT);
    assert_null(bench);
    ub_context_destroy(&context);
}

/* Flips in numbers make other numbers. */
static void damaged_pickles(void **state)
{
    const struct test_damage every = { 3, 11 };
    const char *path = test_path("sound.pickle");
    ub_context *context = test_context(1);
    struct test_damage accepted;
    void *data;
    size_t size;

    (void) state;
    write_pickle(path, 0, 1, GOOD);
    assert_int_equal(ub__file_read(context, path, 1 << 20, &data, &size),
                     UB_OK);
    accepted = test_damaged(context, "damaged.pickle", data, size, every,
                            tables_read);
    assert_int_equal(accepted.prefixes, 0);
    assert_in_range(accepted.flips, 1, size * 8 / 11 / 2);
    ub__free(context, data);
    ub_context_destroy(&context);
}

static void out_of_memory(void **state)
{
    const char *path = test_path("memory.pickle");

    (void) state;
    write_pickle(path, 1, 1, GOOD);
    assert_survives_oom(tables_open_fbnet, 1, (void *) path);
    assert_survives_oom(tables_open_cells, 1, (void *) path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_pickle),     cmocka_unit_test(wrong_pickles),
        cmocka_unit_test(hostile_pickles), cmocka_unit_test(damaged_pickles),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
