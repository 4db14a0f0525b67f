/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/base.h"
#include "tables.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LAYERS    UB_HWBENCH_FBNET_LAYERS
#define OPERATORS UB_HWBENCH_FBNET_OPERATORS
#define BLOCKS    UB_HWBENCH_FBNET_BLOCKS

static int is_layer(int64_t block)
{
    return block >= 1 && block <= LAYERS;
}

static void keys(void **state)
{
    static const struct {
        int32_t dataset;
        int64_t block;
        int32_t op;
        const char *text;
    } known[] = {
        { 1, 0, 0, "ConvNorm_H32_W32_Cin3_Cout16_kernel3_stride1_group1" },
        { 3, 0, 0, "ConvNorm_H224_W224_Cin3_Cout16_kernel3_stride2_group1" },
        { 3, 1, 0,
          "ConvBlock_H112_W112_Cin16_Cout16_exp1_kernel3_stride1_group1" },
        { 1, 6, 5,
          "ConvBlock_H32_W32_Cin24_Cout32_exp1_kernel5_stride2_"
          "group2" },
        { 3, 2, 7,
          "ConvBlock_H112_W112_Cin16_Cout24_exp6_kernel5_stride2_"
          "group1" },
        { 1, 14, 8, "Skip_H8_W8_Cin64_Cout112_stride1" },
        { 1, 22, 3,
          "ConvBlock_H4_W4_Cin184_Cout352_exp6_kernel3_stride1_"
          "group1" },
        { 1, 23, 0, "ConvNorm_H4_W4_Cin352_Cout1504_kernel1_stride1_group1" },
        { 3, 24, 0, "AvgP_H7_W7_Cin1984_Cout1984_kernel7_stride1" },
        { 1, 25, 0, "FC_Cin1504_Cout100" },
        { 3, 25, 0, "FC_Cin1984_Cout1000" },
    };
    char text[UB_HWBENCH_KEY];

    (void) state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        assert_int_equal(ub_hwbench_fbnet_key(known[i].dataset, known[i].block,
                                              known[i].op, text),
                         UB_OK);
        assert_string_equal(text, known[i].text);
    }
    strcpy(text, "kept");
    assert_int_equal(ub_hwbench_fbnet_key(0, 0, 0, text), UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_fbnet_key(2, 0, 0, text), UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_fbnet_key(1, -1, 0, text), UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_fbnet_key(1, 26, 0, text), UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_fbnet_key(1, 0, 1, text), UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_fbnet_key(1, 1, 9, text), UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_fbnet_key(1, 1, -1, text), UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_fbnet_key(1, 1, 0, NULL), UB_ERR_INVALID);
    assert_string_equal(text, "kept");
    assert_string_equal(ub_hwbench_fbnet_operator_name(5), "k5_e1_g2");
    assert_string_equal(ub_hwbench_fbnet_operator_name(8), "skip");
    assert_null(ub_hwbench_fbnet_operator_name(9));
    assert_null(ub_hwbench_fbnet_operator_name(-1));
}

/* All 225 keys of the published tables but the one that is not used. */
static void different_keys(void **state)
{
    char(*texts)[UB_HWBENCH_KEY] = calloc(2 * BLOCKS * OPERATORS,
                                          sizeof(*texts));
    int n = 0;

    (void) state;
    assert_non_null(texts);
    for (int32_t dataset = 1; dataset <= 3; dataset += 2) {
        for (int64_t block = 0; block < BLOCKS; block++) {
            for (int32_t op = 0; op < (is_layer(block) ? OPERATORS : 1); op++) {
                int i = 0;

                assert_int_equal(
                    ub_hwbench_fbnet_key(dataset, block, op, texts[n]), UB_OK);
                while (strcmp(texts[i], texts[n]) != 0)
                    i++;
                n += i == n;
            }
        }
    }
    assert_int_equal(n, 224);
    free(texts);
}

static double value_of(const ub_hwbench *bench, int32_t dataset,
                       const char *name, const int32_t *operators)
{
    ub_hwbench_value v;

    assert_int_equal(ub_hwbench_get_fbnet(bench,
                                          ub_hwbench_find(bench, dataset, name),
                                          operators, &v),
                     UB_OK);
    assert_int_equal(v.state,
                     isnan(v.value) ? UB_HWBENCH_UNKNOWN : UB_HWBENCH_KNOWN);
    return v.value;
}

/* Known of the network of the first operators; sums of millions. */
static void parameters_and_flops(void **state)
{
    const int32_t first[LAYERS] = { 0 };
    ub_context *context = test_context(1);
    ub_hwbench *bench = tables_forms(context, UB_HWBENCH_FBNET);

    (void) state;
    assert_close(value_of(bench, 1, "params", first), 1.170676, 1e-12);
    assert_close(value_of(bench, 3, "params", first), 3.175096, 1e-12);
    assert_close(value_of(bench, 1, "flops", first), 31.322240, 1e-12);
    assert_close(value_of(bench, 3, "flops", first), 118.371152, 1e-12);
    assert_true(isnan(value_of(bench, 1, "raspi4_latency", first)));
    assert_true(isnan(value_of(bench, 1, "average_hw_metric", first)));
    ub_hwbench_destroy(&bench);
    ub_context_destroy(&context);
}

static void standard_metrics(void **state)
{
    ub_context *context = test_context(1);
    ub_hwbench *bench = tables_forms(context, UB_HWBENCH_FBNET);

    (void) state;
    assert_int_equal(ub_hwbench_space_of(bench), UB_HWBENCH_FBNET);
    assert_null(ub_hwbench_order(bench));
    assert_int_equal(ub_hwbench_metrics(bench), 2 * 11);
    assert_int_equal(ub_hwbench_find(bench, 1, "edgegpu_latency"), 0);
    assert_int_equal(ub_hwbench_find(bench, 3, "edgegpu_latency"), 11);
    assert_int_equal(ub_hwbench_find(bench, 1, "pixel3_latency"), 3);
    assert_int_equal(ub_hwbench_find(bench, 1, "edgetpu_latency"), -1);
    assert_int_equal(
        ub_hwbench_find_standard(bench, 1, UB_HWBENCH_EDGETPU_LATENCY), -1);
    assert_int_equal(ub_hwbench_find_standard(bench, 3, UB_HWBENCH_FLOPS), 21);
    assert_int_equal(ub_hwbench_find(bench, 1, "test_accuracy"), -1);
    assert_int_equal(ub_hwbench_find(bench, 0, "flops"), -1);
    ub_hwbench_destroy(&bench);
    ub_context_destroy(&context);
}

/* -- a table made up here -------------------------------------------------- */

static double made_up(int32_t dataset, int64_t block, int32_t op)
{
    return 1.0 / (double) (3 + dataset + 2 * block + (op * 5 + 2) % 9);
}

/* Every key once; `leave_out` is none of them. */
static const char *write_table(const char *leave_out)
{
    const char *path = test_path("fbnet.csv");
    char text[65536], key[UB_HWBENCH_KEY];
    int at = sprintf(text, "key,raspi4_latency,board\nFC_Cin1504_Cout10,,\n");

    for (int32_t dataset = 1; dataset <= 3; dataset += 2) {
        for (int64_t block = 0; block < BLOCKS; block++) {
            for (int32_t op = 0; op < (is_layer(block) ? OPERATORS : 1); op++) {
                assert_int_equal(ub_hwbench_fbnet_key(dataset, block, op, key),
                                 UB_OK);
                if (strstr(text, key) == NULL && strcmp(key, leave_out) != 0)
                    at += sprintf(text + at, "%s,%.17g,1\n", key,
                                  made_up(dataset, block, op));
            }
        }
    }
    test_file_write(path, text, (size_t) at);
    return path;
}

static ub_hwbench *open_made_up(ub_context *context, const char *leave_out)
{
    ub_hwbench *bench = tables_forms(context, UB_HWBENCH_FBNET);

    if (ub_hwbench_read(bench, 0, write_table(leave_out)) != UB_OK)
        fail_msg("%s", ub_context_last_error(context));
    return bench;
}

static void sums(void **state)
{
    ub_context *context = test_context(1);
    ub_hwbench *bench = open_made_up(context, "");
    int32_t operators[LAYERS];

    (void) state;
    for (int i = 0; i < LAYERS; i++)
        operators[i] = i * 4 % 9;
    for (int32_t dataset = 1; dataset <= 3; dataset += 2) {
        const int64_t metric = ub_hwbench_find(bench, dataset,
                                               "raspi4_latency");
        double sum = 0.0;

        for (int64_t block = 0; block < BLOCKS; block++) {
            ub_hwbench_value v;

            assert_int_equal(
                ub_hwbench_get_block(bench, metric, block,
                                     is_layer(block) ? operators[block - 1] : 0,
                                     &v),
                UB_OK);
            sum += v.value;
        }
        assert_true(value_of(bench, dataset, "raspi4_latency", operators) ==
                    sum);
        assert_true(value_of(bench, dataset, "board", operators) == 26.0);
    }
    ub_hwbench_destroy(&bench);
    ub_context_destroy(&context);
}

static void unknown_blocks(void **state)
{
    const int32_t skips[LAYERS] = { 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8,
                                    8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8 };
    ub_context *context = test_context(1);
    ub_hwbench *bench = open_made_up(context,
                                     "Skip_H8_W8_Cin64_Cout112_stride1");
    const int64_t metric = ub_hwbench_find(bench, 1, "raspi4_latency");
    int32_t operators[LAYERS] = { 0 };
    ub_hwbench_value v;

    (void) state;
    assert_true(isnan(value_of(bench, 1, "raspi4_latency", skips)));
    assert_true(value_of(bench, 3, "raspi4_latency", skips) > 0.0);
    assert_true(value_of(bench, 1, "raspi4_latency", operators) > 0.0);
    assert_int_equal(ub_hwbench_get_block(bench, metric, 14, 8, &v), UB_OK);
    assert_int_equal(v.state, UB_HWBENCH_UNKNOWN);
    assert_int_equal(
        ub_hwbench_fbnet_extreme(bench, metric, UB_MINIMIZE, operators, &v),
        UB_ERR_INVALID);
    assert_non_null(strstr(ub_context_last_error(context), "layer 13"));
    ub_hwbench_destroy(&bench);
    ub_context_destroy(&context);
}

/* All layers are known, but not what is in front of them. */
static void unknown_stem(void **state)
{
    ub_context *context = test_context(1);
    ub_hwbench *bench = open_made_up(
        context, "ConvNorm_H32_W32_Cin3_Cout16_kernel3_stride1_group1");
    const int64_t metric = ub_hwbench_find(bench, 1, "raspi4_latency");
    int32_t operators[LAYERS] = { 77 };
    ub_hwbench_value v = { 1.0, 77, 0 };

    (void) state;
    assert_int_equal(
        ub_hwbench_fbnet_extreme(bench, metric, UB_MINIMIZE, operators, &v),
        UB_ERR_INVALID);
    assert_non_null(strstr(ub_context_last_error(context), "the stem"));
    assert_int_equal(operators[0], 77);
    assert_int_equal(v.state, 77);
    ub_hwbench_destroy(&bench);
    ub_context_destroy(&context);
}

/* No network drawn at random is beyond, and they are what they say. */
static void extremes(void **state)
{
    ub_context *context = test_context(1);
    ub_hwbench *bench = open_made_up(context, "");
    const int64_t metric = ub_hwbench_find(bench, 3, "raspi4_latency");
    int32_t low[LAYERS], high[LAYERS], operators[LAYERS];
    ub_hwbench_value least, most;
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 3, 0);
    assert_int_equal(
        ub_hwbench_fbnet_extreme(bench, metric, UB_MINIMIZE, low, &least),
        UB_OK);
    assert_int_equal(
        ub_hwbench_fbnet_extreme(bench, metric, UB_MAXIMIZE, high, &most),
        UB_OK);
    assert_true(least.value == value_of(bench, 3, "raspi4_latency", low));
    assert_true(most.value == value_of(bench, 3, "raspi4_latency", high));
    for (int k = 0; k < 1000; k++) {
        double value;

        memcpy(operators, k % 2 ? low : high, sizeof(operators));
        for (int i = 0; i < 3; i++)
            operators[ub_rng_below(&rng, LAYERS)] = (int32_t) ub_rng_below(
                &rng, OPERATORS);
        value = value_of(bench, 3, "raspi4_latency", operators);
        assert_true(value >= least.value && value <= most.value);
    }
    /* Of equal ones the first. */
    assert_int_equal(
        ub_hwbench_fbnet_extreme(bench, ub_hwbench_find(bench, 3, "board"),
                                 UB_MAXIMIZE, operators, NULL),
        UB_OK);
    for (int i = 0; i < LAYERS; i++)
        assert_int_equal(operators[i], 0);
    ub_hwbench_destroy(&bench);
    ub_context_destroy(&context);
}

/* -- what is refused, and what is appended ----------------------------------
 */

static void wrong_queries(void **state)
{
    int32_t operators[LAYERS] = { 0 };
    int64_t metric = 0;
    double values[4] = { 0.0 };
    ub_context *context = test_context(1);
    ub_hwbench *bench = tables_forms(context, UB_HWBENCH_FBNET);
    const int64_t product = ub_hwbench_find(bench, 1, "average_hw_metric");
    ub_hwbench_value v = { 1.0, 77, 0 };

    (void) state;
    assert_int_equal(ub_hwbench_get(bench, 0, 0, &v), UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_get_cell(bench, 0, "|", &v), UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_get_fbnet(bench, 22, operators, &v),
                     UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_get_fbnet(bench, 0, NULL, &v), UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_get_fbnet(NULL, 0, operators, &v),
                     UB_ERR_INVALID);
    operators[21] = 9;
    assert_int_equal(ub_hwbench_get_fbnet(bench, 0, operators, &v),
                     UB_ERR_INVALID);
    operators[21] = -1;
    assert_int_equal(ub_hwbench_get_fbnet(bench, 0, operators, &v),
                     UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_get_block(bench, 0, 26, 0, &v), UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_get_block(bench, 0, 0, 1, &v), UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_get_block(bench, product, 1, 1, &v),
                     UB_ERR_INVALID);
    assert_int_equal(
        ub_hwbench_fbnet_extreme(bench, product, UB_MINIMIZE, operators, &v),
        UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_fbnet_extreme(bench, 9, 2, operators, &v),
                     UB_ERR_INVALID);
    assert_int_equal(
        ub_hwbench_fbnet_extreme(bench, 0, UB_MINIMIZE, operators, &v),
        UB_ERR_INVALID);
    assert_int_equal(v.state, 77);
    assert_int_equal(operators[21], -1);
    assert_int_equal(ub_hwbench_values(bench, 1, &metric, values),
                     UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_kendall_tau(bench, 1, &metric, 0, values),
                     UB_ERR_INVALID);
    ub_hwbench_destroy(&bench);
    ub_context_destroy(&context);
}

static void refused_texts(void **state)
{
    static const char *const texts[] = {
        "index,a\n",
        "key,key2\nnone,1\n",
        "key,key,a\nFC_Cin1504_Cout100,FC_Cin1984_Cout1000,1\n",
        "key,a\nFC_Cin1504_Cout100,x\n",
        "key,a\nFC_Cin1504_Cout100,1\nFC_Cin1504_Cout100,1\n",
        ("key,a\nSkip_H8_W8_Cin64_Cout64_stride1,1\n"
         "Skip_H8_W8_Cin64_Cout64_stride1,1\n"),
        "key,a\n,1\n",
    };
    ub_context *context = test_context(1);
    ub_hwbench *bench = tables_forms(context, UB_HWBENCH_FBNET);
    const char *path = test_path("refused.csv");

    (void) state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        test_file_write(path, texts[i], strlen(texts[i]));
        if (ub_hwbench_read(bench, 1, path) != UB_ERR_FORMAT)
            fail_msg("%s", texts[i]);
        assert_int_equal(ub_hwbench_metrics(bench), 22);
    }
    ub_hwbench_destroy(&bench);
    ub_context_destroy(&context);
}

static void appended_column(void **state)
{
    double values[BLOCKS * OPERATORS];
    const int32_t first[LAYERS] = { 0 };
    ub_context *context = test_context(1);
    ub_hwbench *bench = tables_forms(context, UB_HWBENCH_FBNET);
    ub_hwbench_metric m;
    int64_t metric = -1;

    (void) state;
    for (int i = 0; i < BLOCKS * OPERATORS; i++)
        values[i] = i % OPERATORS == 0 ? 0.5 : INFINITY;
    ub_hwbench_metric_init(&m, sizeof(m));
    m.name = "array_latency";
    m.dataset = UB_HWBENCH_IMAGENET;
    assert_int_equal(
        ub_hwbench_append(bench, &m, BLOCKS * OPERATORS, values, &metric),
        UB_ERR_NUMERIC);
    for (int i = OPERATORS; i < OPERATORS * (LAYERS + 1); i++)
        values[i] = 0.5;
    assert_int_equal(
        ub_hwbench_append(bench, &m, BLOCKS * OPERATORS, values, &metric),
        UB_OK);
    assert_int_equal(metric, 22);
    assert_true(value_of(bench, 3, "array_latency", first) == 13.0);
    m.dataset = UB_HWBENCH_CIFAR10;
    assert_int_equal(
        ub_hwbench_append(bench, &m, BLOCKS * OPERATORS, values, &metric),
        UB_ERR_INVALID);
    ub_hwbench_destroy(&bench);
    ub_context_destroy(&context);
}

/* A sum does not hide the block that did not compile, and none is the best. */
static void failed_block(void **state)
{
    double values[BLOCKS * OPERATORS];
    int32_t operators[LAYERS] = { 0 };
    ub_context *context = test_context(1);
    ub_hwbench *bench = tables_forms(context, UB_HWBENCH_FBNET);
    const int64_t flops = ub_hwbench_find(bench, 1, "flops");
    ub_hwbench_value v;
    int64_t metric;

    (void) state;
    for (int i = 0; i < BLOCKS * OPERATORS; i++)
        values[i] = 0.5;
    values[5 * OPERATORS + 3] = -1.0;
    metric = tables_append(bench, "board", "ms", UB_MINIMIZE,
                           BLOCKS * OPERATORS, values);
    assert_true(value_of(bench, 1, "board", operators) == 13.0);
    assert_int_equal(
        ub_hwbench_fbnet_extreme(bench, metric, UB_MINIMIZE, operators, &v),
        UB_ERR_INVALID);
    assert_non_null(strstr(ub_context_last_error(context), "layer 4"));
    assert_int_equal(ub_hwbench_fbnet_best(bench, metric, UB_MINIMIZE, flops,
                                           INFINITY, operators, &v),
                     UB_ERR_INVALID);
    assert_int_equal(ub_hwbench_fbnet_best(bench, flops, UB_MINIMIZE, metric,
                                           INFINITY, operators, &v),
                     UB_ERR_INVALID);
    operators[4] = 3;
    assert_int_equal(ub_hwbench_get_fbnet(bench, metric, operators, &v), UB_OK);
    assert_true(v.state == UB_HWBENCH_FAILED && v.value == -1.0);
    /* Where it is no cost, less than 0 is as good as any. */
    tables_append(bench, "shares", "%", UB_MINIMIZE, BLOCKS * OPERATORS,
                  values);
    assert_true(value_of(bench, 1, "shares", operators) == 11.5);
    ub_hwbench_destroy(&bench);
    ub_context_destroy(&context);
}

static ub_status scenario(ub_context *context, void *arg)
{
    ub_hwbench *bench = NULL;
    ub_status status = ub_hwbench_open(context, NULL, UB_HWBENCH_FBNET, &bench);

    if (status == UB_OK)
        status = ub_hwbench_read(bench, 0, arg);
    ub_hwbench_destroy(&bench);
    return status;
}

static void out_of_memory(void **state)
{
    (void) state;
    assert_survives_oom(scenario, 1, (void *) write_table(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys),
        cmocka_unit_test(different_keys),
        cmocka_unit_test(parameters_and_flops),
        cmocka_unit_test(standard_metrics),
        cmocka_unit_test(sums),
        cmocka_unit_test(unknown_blocks),
        cmocka_unit_test(unknown_stem),
        cmocka_unit_test(extremes),
        cmocka_unit_test(wrong_queries),
        cmocka_unit_test(refused_texts),
        cmocka_unit_test(appended_column),
        cmocka_unit_test(failed_block),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
