/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <uboost/hardware.h>

#define GIB   1073741824.0
#define ARRAY "[architecture_presets]\nArrayHeight: 8\nArrayWidth: 4\n"

static struct test_log logged;

typedef struct both {
    ub_hardware h;
    ub_hardware_config c;
} both;

static ub_status read_file(ub_context *context, const char *path, both *out)
{
    out->h = (ub_hardware){ .size = sizeof(out->h) };
    out->c = (ub_hardware_config){ .size = sizeof(out->c) };
    return ub_hardware_read_config(context, path, &out->h, &out->c);
}

static ub_status read_text(ub_context *context, const char *text, both *out)
{
    const char *path = test_path("some.cfg");

    test_file_write(path, text, strlen(text));
    return read_file(context, path, out);
}

static both read_ok(ub_context *context, const char *text)
{
    both b;

    if (read_text(context, text, &b) != UB_OK)
        fail_msg("'%s': %s", text, ub_context_last_error(context));
    return b;
}

/* Written and read again, everything is the same. */
static void assert_round_trip(ub_context *context, const both *b)
{
    both again;

    assert_int_equal(
        ub_hardware_write_config(context, test_path("w.cfg"), &b->h, &b->c),
        UB_OK);
    if (read_file(context, test_path("w.cfg"), &again) != UB_OK)
        fail_msg("%s", ub_context_last_error(context));
    assert_memory_equal(&b->h, &again.h, sizeof(b->h));
    assert_memory_equal(&b->c, &again.c, sizeof(b->c));
}

/* The number behind a key in the file, by means of its own. */
static double number_of(const char *path, const char *key)
{
    char line[512];
    double value = -1.0;
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0 &&
            strchr(" :=", line[strlen(key)]) != NULL)
            value = strtod(line + strcspn(line, ":=") + 1, NULL);
    }
    fclose(file);
    return value;
}

static int check_file(ub_context *context, const char *path)
{
    static int files;
    const char *name = strrchr(path, '/') + 1;
    const char *end = strrchr(name, '.');
    both b;

    if (end == NULL || strcmp(end, ".cfg") != 0)
        return 0;
    if (read_file(context, path, &b) != UB_OK)
        fail_msg("%s", ub_context_last_error(context));
    assert_close((double) b.h.rows, number_of(path, "ArrayHeight"), 0.0);
    assert_close((double) b.h.columns, number_of(path, "ArrayWidth"), 0.0);
    assert_close((double) b.c.weight_words,
                 1024.0 * number_of(path, "FilterSramSzkB"), 0.0);
    assert_int_equal(b.h.weight_bank_bytes, b.c.weight_words);
    assert_close((double) b.c.output_offset, number_of(path, "OfmapOffset"),
                 0.0);
    assert_close((double) b.c.bandwidth, number_of(path, "Bandwidth"), 0.0);
    assert_int_equal(isinf(b.h.bandwidth) != 0,
                     b.c.bandwidth_mode == UB_BANDWIDTH_CALC);
    assert_int_equal(b.h.input_bandwidth > 0.0,
                     b.c.bandwidth_mode == UB_BANDWIDTH_USER);
    if (strstr(name, "128x128") != NULL)
        assert_int_equal(b.h.rows, 128);
    if (strstr(name, "_os.") != NULL)
        assert_int_equal(b.h.dataflow, UB_DATAFLOW_OS);
    if (strstr(name, "_is.") != NULL)
        assert_int_equal(b.h.dataflow, UB_DATAFLOW_IS);
    assert_int_equal(b.c.sparse, strstr(name, "sparse") != NULL);
    /* each of these is synced to the disk */
    if (files++ % 8 == 0)
        assert_round_trip(context, &b);
    return 1;
}

static void golden_files(void **state)
{
    const char *folder = test_golden("scalesim");
    ub_context *context;
    struct stat info;

    (void) state;
    if (folder == NULL || stat(folder, &info) != 0)
        skip();
    context = test_log_context(&logged);
    assert_true(test_files(context, folder, check_file) > 0);
    assert_int_equal(logged.lines, 0);
    ub_context_destroy(&context);
}

static void smallest(void **state)
{
    ub_context *context = test_log_context(&logged);
    both b = read_ok(context, ARRAY), plain;

    (void) state;
    ub_hardware_init(&plain.h, sizeof(plain.h));
    ub_hardware_config_init(&plain.c, sizeof(plain.c));
    plain.h.rows = 8;
    plain.h.columns = 4;
    plain.h.bandwidth = INFINITY;
    assert_memory_equal(&plain.h, &b.h, sizeof(b.h));
    assert_memory_equal(&plain.c, &b.c, sizeof(b.c));
    assert_int_equal(logged.lines, 0);
    assert_round_trip(context, &b);
    test_file_write(test_path("some.cfg"), ARRAY, strlen(ARRAY));
    assert_int_equal(
        ub_hardware_read_config(context, test_path("some.cfg"), &b.h, NULL),
        UB_OK);
    ub_context_destroy(&context);
}

static void configparser_rules(void **state)
{
    ub_context *context = test_log_context(&logged);
    both b = read_ok(context, "\xef\xbb\xbf; note\r\n  # note\r\n[general]\r\n"
                              "RUN_NAME = ' a=b:c '\r\n"
                              "[architecture_presets] \r\n"
                              "  arrayheight=8\r\n"
                              "  ARRAYWIDTH  :  4  \r\n"
                              "  Bandwidth: 20,\n\n   # note\n      30 , 40\n"
                              "  Dataflow :\n    OS\n"
                              "  Magic: 3\n"
                              "[Layout]\nx = [1]\n   y\n"
                              "[network_presets]\n"
                              "TopologyCsvLoc = \"a b/c.csv\"\n"
                              "[run_presets]\nInterfaceBandwidth = user\n"
                              "UseRamulatorTrace: yes");

    (void) state;
    assert_string_equal(b.c.run_name, " a=b:c ");
    assert_string_equal(b.c.topology, "a b/c.csv");
    assert_int_equal(b.h.rows, 8);
    assert_int_equal(b.h.columns, 4);
    assert_int_equal(b.c.bandwidth, 20);
    assert_int_equal(b.h.dataflow, UB_DATAFLOW_OS);
    assert_int_equal(b.c.ramulator, 1);
    assert_close(b.h.bandwidth, 20e9, 0.0);
    assert_close(b.h.input_bandwidth, 20e9, 0.0);
    assert_int_equal(logged.lines, 2); /* Magic, [Layout] */
    assert_non_null(strstr(logged.text, "cfg:15: section [Layout]"));
    assert_round_trip(context, &b);
    logged.lines = 0;
    read_ok(context, ARRAY "[sparsity]\n\nsomething: 1\n");
    assert_int_equal(logged.lines, 1);
    assert_non_null(
        strstr(logged.text, "cfg:6: key 'something' of [sparsity]"));
    ub_context_destroy(&context);
}

/* SCALE-Sim's first version, and its second one before [layout]. */
static void older_versions(void **state)
{
    ub_context *context = test_log_context(&logged);
    both b = read_ok(context,
                     ARRAY "IfmapSramSz: 3\nFilterSramSz: 5\n"
                           "OFMAPSRAMSZ: 7\n"
                           "FilterCustomLayout: True\n"
                           "IfmapSRAMBankBandwidth: 12\n"
                           "[run_presets]\nInterfaceBandwidth: USER\n");

    (void) state;
    assert_int_equal(b.h.input_bank_bytes, 3072);
    assert_int_equal(b.h.weight_bank_bytes, 5120);
    assert_int_equal(b.c.output_words, 7168);
    assert_int_equal(b.c.weight_layout, 1);
    assert_close(b.h.input_bandwidth, 12e9, 0.0);
    assert_int_equal(logged.lines, 0);
    assert_round_trip(context, &b);
    b = read_ok(context, ARRAY "IfmapSRAMBankNum: 3\nIfmapSramSz: 3\n"
                               "IfmapSramSzkB: 4\n"
                               "[layout]\nIfmapSRAMBankNum: 5\n");
    assert_int_equal(b.c.input_banks, 5);
    assert_int_equal(b.c.input_words, 4096);
    assert_int_equal(logged.lines, 0);
    b = read_ok(context, "[layout]\nIfmapSRAMBankNum: 5\n" ARRAY
                         "IfmapSRAMBankNum: 3\n");
    assert_int_equal(b.c.input_banks, 5);
    assert_non_null(strstr(logged.text, "cfg:6: key 'IfmapSRAMBankNum' of "
                                        "[architecture_presets] is ignored"));
    assert_int_equal(
        read_text(context, ARRAY "IfmapSramSz: 3\nifmapsramsz: 3\n", &b),
        UB_ERR_FORMAT);
    assert_int_equal(read_text(context, "[run_presets]\nIfmapSramSz: 3\n", &b),
                     UB_ERR_FORMAT);
    ub_context_destroy(&context);
}

static void own_section(void **state)
{
    ub_context *context = test_log_context(&logged);
    both b = read_ok(context,
                     ARRAY "IfmapSramSzkB: 3\nFilterSramSzkB: 4\n"
                           "[layout]\nIfmapSRAMBankBandwidth: 7\n"
                           "[run_presets]\nInterfaceBandwidth: USER\n"
                           "[uboost]\narrays: 5\ninterconnect: banyan\n"
                           "expansion: 2\nelement_bytes: 2\nclock_hz: 2.5e8\n"
                           "filter: 1\nmemory_latency: 9\nburst_bytes: 64\n"
                           "vector_lanes: 16\nprefetch: 0\ncompat: csim\n"
                           "seed: 9223372036854775807\n"
                           "weight_bank_bytes: 5000\n");

    (void) state;
    assert_int_equal(b.h.arrays, 5);
    assert_int_equal(b.h.interconnect, UB_INTERCONNECT_BANYAN);
    assert_int_equal(b.h.expansion, 2);
    assert_int_equal(b.h.input_bank_bytes, 3 * 1024 * 2);
    assert_int_equal(b.c.input_words, 3 * 1024);
    assert_int_equal(b.c.weight_words, 4 * 1024);
    assert_int_equal(b.h.weight_bank_bytes, 5000);
    assert_int_equal(b.h.output_bank_bytes, 0);
    assert_int_equal(b.c.output_words, 5 * 512 * 1024);
    assert_close(b.h.input_bandwidth, 7 * 2 * 2.5e8, 0.0);
    assert_close(b.h.weight_bandwidth, 10 * 2 * 2.5e8, 0.0);
    assert_int_equal(b.h.memory_latency, 9);
    assert_int_equal(b.h.burst_bytes, 64);
    assert_int_equal(b.h.vector_lanes, 16);
    assert_int_equal(b.c.prefetch, 0);
    assert_int_equal(b.c.compat, 2);
    assert_true(b.c.seed == (uint64_t) INT64_MAX);
    assert_int_equal(logged.lines, 1); /* filter */
    b = read_ok(context, ARRAY "[uboost]\nbandwidth: 80\n"
                               "[run_presets]\nInterfaceBandwidth: USER\n");
    assert_close(b.h.bandwidth, 80.0 * GIB, 0.0);
    assert_close(b.h.input_bandwidth, 0.0, 0.0);
    b = read_ok(context, ARRAY "[uboost]\ninput_bandwidth: 12.5\n");
    assert_true(isinf(b.h.bandwidth));
    assert_close(b.h.input_bandwidth, 12.5 * GIB, 0.0);
    assert_round_trip(context, &b);
    b = read_ok(context, ARRAY "[uboost]\ncount_memory: 2\n");
    assert_int_equal(b.c.count_memory, 2);
    assert_round_trip(context, &b);
    b = read_ok(context, ARRAY "[uboost]\ncount_memory: True\n");
    assert_int_equal(b.c.count_memory, 1);
    /* memory of no whole kB, numbers without a short form */
    ub_hardware_init(&b.h, sizeof(b.h));
    b.h.bank_bytes = 1023;
    b.h.output_bank_bytes = 3000;
    b.h.bandwidth = 1e11 / 3;
    b.h.clock_hz = 1e9 / 7;
    ub_hardware_config_init(&b.c, sizeof(b.c));
    b.c.input_words = b.c.weight_words = 1024;
    b.c.output_words = 2048;
    memset(b.c.run_name, 0, sizeof(b.c.run_name));
    memcpy(b.c.run_name, "\"x", 2);
    assert_round_trip(context, &b);
    ub_context_destroy(&context);
}

static const struct {
    const char *cfg;
    const char *text;
} hostile[] = {
    { "", "has no ArrayHeight" },
    { "[general]\n", "has no ArrayHeight" },
    { "[architecture_presets]\nArrayHeight: 3\n", "has no ArrayWidth" },
    { "a: 1\n" ARRAY, "cfg:1: a key before all sections" },
    { ARRAY "[]\n", "cfg:4: a section needs a name" },
    { ARRAY "[x\n", "cfg:4: a section needs a name" },
    { ARRAY "what\n", "cfg:4: no 'key = value'" },
    { ARRAY ": 3\n", "cfg:4: no 'key = value'" },
    { ARRAY "ArrayWidth = 3\n", "cfg:4: ArrayWidth is there twice, first in "
                                "line 3" },
    { ARRAY "[general]\n[general]\n", "cfg:5: there is a section [general]" },
    { ARRAY "IfmapSramSzkB: 0\n", "cfg:4: IfmapSramSzkB is '0'" },
    { ARRAY "\n\nFilterSramSzkB: -4\n", "cfg:6: FilterSramSzkB is '-4'" },
    { ARRAY "OfmapSramSzkB: 64 # kB\n", "cfg:4: OfmapSramSzkB is '64 # kB'" },
    { ARRAY "OfmapSramSzkB: 1e3\n", "OfmapSramSzkB is '1e3'" },
    { ARRAY "OfmapSramSzkB:\n", "OfmapSramSzkB is ''" },
    { ARRAY "OfmapSramSzkB: 99999999999999999999999999\n", "OfmapSramSzkB" },
    { ARRAY "IfmapOffset: -1\n", "cfg:4: IfmapOffset" },
    { ARRAY "  IfmapOffset: 1\n", "cfg:3: ArrayWidth is '4\nIfmapOffset: 1'" },
    { ARRAY "Bandwidth: 10, x\n", "cfg:4: Bandwidth is 'x'" },
    { ARRAY "Bandwidth: 10,\n", "cfg:4: Bandwidth is ''" },
    { ARRAY "Bandwidth: 0\n", "cfg:4: Bandwidth is '0'" },
    { ARRAY "Dataflow: rs\n", "cfg:4: Dataflow is 'rs', must be ws, os or is" },
    { ARRAY "[run_presets]\nInterfaceBandwidth: FAST\n", "CALC or USER" },
    { ARRAY "[layout]\nIfmapCustomLayout: maybe\n", "true or false" },
    { ARRAY "[sparsity]\nSparseRep: coo\n", "cfg:5: SparseRep is 'coo'" },
    { ARRAY "[uboost]\nclock_hz: 0\n", "cfg:5: clock_hz is '0'" },
    { ARRAY "[uboost]\nclock_hz: inf\n", "cfg:5: clock_hz is 'inf'" },
    { ARRAY "[uboost]\nbandwidth: nan\n", "cfg:5: bandwidth is 'nan'" },
    { ARRAY "[uboost]\nbandwidth: -1\n", "cfg:5: bandwidth is '-1'" },
    { ARRAY "[uboost]\nbandwidth: 1e999\n", "cfg:5: bandwidth is '1e999'" },
    { ARRAY "[uboost]\nbandwidth: [1]\n", "cfg:5: bandwidth is '[1]'" },
    { ARRAY "[uboost]\nprefetch: 128\n", "cfg:5: prefetch is '128'" },
    { ARRAY "[uboost]\narrays: 0\n", "cfg:5: arrays is '0'" },
    { ARRAY "[uboost]\ncount_memory: 3\n", "'3', must be true, false or 2" },
    { ARRAY "[uboost]\npacked: 2\n", "packed is '2', must be true or false" },
    { ARRAY "[general]\nrun_name: a\001b\n", "cfg:5: run_name" },
    { ARRAY "[general]\nrun_name: a\n  b\n", "cfg:5: run_name" },
};

static void hostile_files(void **state)
{
    ub_context *context = test_context(1);
    char text[700] = ARRAY "[general]\nrun_name: ";
    both b;
    ub_hardware h = { .size = 8 };

    (void) state;
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        const ub_status status = read_text(context, hostile[i].cfg, &b);

        if (status != UB_ERR_FORMAT || b.h.rows != 0 || b.c.bandwidth != 0 ||
            strstr(ub_context_last_error(context), hostile[i].text) == NULL ||
            strstr(ub_context_last_error(context), "some.cfg") == NULL)
            fail_msg("case %zu: %s '%s', expected '%s'", i,
                     ub_status_str(status), ub_context_last_error(context),
                     hostile[i].text);
    }
    memset(text + strlen(text), 'x', 300);
    assert_int_equal(read_text(context, text, &b), UB_ERR_FORMAT);
    assert_non_null(strstr(ub_context_last_error(context), "shorter"));
    test_file_write(test_path("zero.cfg"), "[a]\0\n", 5);
    assert_int_equal(read_file(context, test_path("zero.cfg"), &b),
                     UB_ERR_FORMAT);
    assert_int_equal(read_file(context, "/nonexistent", &b), UB_ERR_IO);
    assert_int_equal(read_file(context, NULL, &b), UB_ERR_INVALID);
    assert_int_equal(ub_hardware_read_config(context, "x", &h, NULL),
                     UB_ERR_INVALID);
    ub_hardware_init(&b.h, sizeof(b.h));
    ub_hardware_config_init(&b.c, sizeof(b.c));
    b.c.level = 4;
    assert_int_equal(
        ub_hardware_write_config(context, test_path("w.cfg"), &b.h, &b.c),
        UB_ERR_INVALID);
    assert_non_null(strstr(ub_context_last_error(context), "'level'"));
    memset(b.c.run_name, 'x', sizeof(b.c.run_name));
    assert_int_equal(
        ub_hardware_write_config(context, test_path("w.cfg"), &b.h, &b.c),
        UB_ERR_INVALID);
    b.h.rows = 0;
    assert_int_equal(
        ub_hardware_write_config(context, test_path("w.cfg"), &b.h, NULL),
        UB_ERR_INVALID);
    b.h.rows = 1;
    assert_int_equal(
        ub_hardware_write_config(context, "/nonexistent/x", &b.h, NULL),
        UB_ERR_IO);
    ub_context_destroy(&context);
}

static const char whole[] =
    "[general]\nrun_name = \"x\"\n; note\n" ARRAY "Bandwidth: 10,\n  20\n"
    "Dataflow : is\n[layout]\nIfmapCustomLayout: True\n[sparsity]\n"
    "SparseRep: csc\n[uboost]\nbandwidth: 1.5\nclock_hz: 1e9\n";

static int read_damaged(ub_context *context, const char *path)
{
    both b;

    if (read_file(context, path, &b) != UB_OK)
        return 0;
    assert_int_equal(ub_hardware_check(&b.h), UB_OK);
    return 1;
}

static void damaged_files(void **state)
{
    const struct test_damage all = { 1, 1 };
    ub_context *context = test_context(1);
    struct test_damage fine;

    (void) state;
    fine = test_damaged(context, "damaged.cfg", whole, sizeof(whole) - 1, all,
                        read_damaged);
    assert_in_range(fine.prefixes, 5, sizeof(whole) - 2);
    assert_true(fine.flips > 0);
    ub_context_destroy(&context);
}

static ub_status read_write(ub_context *context, void *arg)
{
    both b;
    ub_status status = read_file(context, arg, &b);

    if (status == UB_OK)
        status = ub_hardware_write_config(context, test_path("oom-out.cfg"),
                                          &b.h, &b.c);
    return status;
}

static void out_of_memory(void **state)
{
    char path[512];

    (void) state;
    snprintf(path, sizeof(path), "%s", test_path("oom.cfg"));
    test_file_write(path, whole, sizeof(whole) - 1);
    assert_survives_oom(read_write, 1, path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_files),       cmocka_unit_test(smallest),
        cmocka_unit_test(configparser_rules), cmocka_unit_test(older_versions),
        cmocka_unit_test(own_section),        cmocka_unit_test(hostile_files),
        cmocka_unit_test(damaged_files),      cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
