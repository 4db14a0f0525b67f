/* SPDX-License-Identifier: BSD-2-Clause */
#include "systolic/scalesim.h"

#include "base/base.h"

#define KIB    1024
#define LAYERS 16

/* -- golden tables -------------------------------------------------------- */

static void assert_percent(const table *t, const char *column, double value)
{
    assert_close(value, strtod(table_text(t, column), NULL), 0.0);
}

static void assert_column(const table *t, const char *operand, const char *what,
                          int64_t value)
{
    char name[64];

    snprintf(name, sizeof(name), "dram_%s_%s", operand, what);
    if (table_int(t, name) != value)
        fail_msg("%s, layer %s, %s on %s x %s: %s is %lld, not %s",
                 table_text(t, "topology"), table_text(t, "layer"),
                 table_text(t, "df"), table_text(t, "rows"),
                 table_text(t, "cols"), name, (long long) value,
                 table_text(t, name));
}

static void assert_accesses(const table *t, const char *operand,
                            const char *count, const ub_systolic_accesses *a)
{
    assert_column(t, operand, "start", a->start);
    assert_column(t, operand, "stop", a->stop);
    assert_column(t, operand, count, a->count);
}

static void check_row(const table *t, ub_context *context, int64_t words)
{
    const ub_systolic_options o = compat_options();
    const ub_hardware h = hardware_of(table_int(t, "rows"),
                                      table_int(t, "cols"),
                                      dataflow_of(table_text(t, "df")), words);
    ub_systolic_report r;
    test_layer l;

    assert_string_equal(table_text(t, "status"), "ok");
    table_layer(t, &l);
    r = report(context, &l.info, &h, &o);
    assert_int_equal(r.cycles, table_int(t, "total_cycles"));
    assert_int_equal(r.stall_cycles, table_int(t, "stall_cycles"));
    assert_percent(t, "overall_util_pct", r.utilization);
    assert_percent(t, "mapping_eff_pct", r.mapping_efficiency);
    assert_percent(t, "compute_util_pct", r.compute_utilization);
    assert_int_equal(r.sram_input.count, table_int(t, "sram_ifmap_reads"));
    assert_int_equal(r.sram_weight.count, table_int(t, "sram_filter_reads"));
    assert_int_equal(r.sram_output.count, table_int(t, "sram_ofmap_writes"));
    assert_accesses(t, "ifmap", "reads", &r.dram_input);
    assert_accesses(t, "filter", "reads", &r.dram_weight);
    assert_accesses(t, "ofmap", "writes", &r.dram_output);
    assert_int_equal(r.cycles_with_prefetch,
                     table_int(t, "total_cycles_incl_prefetch"));
}

static void check_table(const char *name, int64_t words)
{
    ub_context *context;
    int rows = 0;
    table t;

    table_open(&t, name);
    context = test_context(1);
    for (; table_next(&t); rows++)
        check_row(&t, context, words);
    assert_true(rows > 0);
    ub_context_destroy(&context);
}

static void golden_small(void **state)
{
    (void) state;
    check_table("scalesim/golden_full_calc_64k.csv", 64 * KIB);
}

static void golden_large(void **state)
{
    (void) state;
    check_table("scalesim/golden_full_calc_big.csv", 8192 * KIB);
}

/* -- golden reports ------------------------------------------------------- */

/* Value of a key of a configuration, which all of them have. */
static void config_text(const char *config, const char *key, char out[64])
{
    const char *at = strstr(config, key);

    assert_non_null(at);
    at += strlen(key);
    at += strspn(at, " :=");
    assert_int_equal(sscanf(at, "%63s", out), 1);
}

static int64_t config_int(const char *config, const char *key)
{
    char text[64];

    config_text(config, key, text);
    return strtoll(text, NULL, 10);
}

static int32_t representation(const char *config)
{
    static const char *const names[] = { "csr", "csc", "ellpack_block" };
    char text[64];

    config_text(config, "SparsitySupport", text);
    if (strcmp(text, "false") == 0)
        return UB_SYSTOLIC_DENSE;
    assert_string_equal(text, "true");
    config_text(config, "SparseRep", text);
    for (int32_t i = 0; i < 3; i++) {
        if (strcmp(text, names[i]) == 0)
            return UB_SYSTOLIC_CSR + i;
    }
    fail_msg("sparse representation %s", text);
    return -1;
}

static void read_config(const char *path, ub_hardware *h,
                        ub_systolic_options *o)
{
    char *config = read_text(path), text[64];

    config_text(config, "Dataflow", text);
    *h = hardware_of(config_int(config, "ArrayHeight"),
                     config_int(config, "ArrayWidth"), dataflow_of(text), 0);
    h->input_bank_bytes = KIB * config_int(config, "IfmapSramSzkB");
    h->weight_bank_bytes = KIB * config_int(config, "FilterSramSzkB");
    h->output_bank_bytes = KIB * config_int(config, "OfmapSramSzkB");
    *o = compat_options();
    o->sparsity = representation(config);
    config_text(config, "InterfaceBandwidth", text);
    if (strcmp(text, "USER") == 0) {
        o->count_memory = 2;
        h->input_bandwidth = h->clock_hz *
                             (double) config_int(config,
                                                 "IfmapSRAMBankBandwidth");
        h->weight_bandwidth = h->clock_hz *
                              (double) config_int(config,
                                                  "FilterSRAMBankBandwidth");
        h->output_bandwidth = h->clock_hz *
                              (double) config_int(config, "\nBandwidth");
    } else {
        assert_string_equal(text, "CALC");
    }
    free(config);
}

/* Layers of a topology of either form; convolutions have eight fields. */
static int64_t read_topology(const char *path, test_layer layers[LAYERS])
{
    FILE *f = fopen(path, "r");
    char row[256];
    int64_t n = 0;

    assert_non_null(f);
    assert_non_null(fgets(row, sizeof(row), f));
    while (fgets(row, sizeof(row), f) != NULL) {
        long long v[7], keep = 0, block = 0;
        int fields = 0;

        for (char *at = row; (at = strchr(at, ',')) != NULL;) {
            at++;
            if (sscanf(at, " %lld : %lld", &keep, &block) == 2)
                break;
            keep = 0;
            if (fields < 7 && sscanf(at, " %lld", &v[fields]) == 1)
                fields++;
        }
        if (fields == 0)
            continue;
        assert_true(n < LAYERS && (fields == 7 || fields == 3));
        if (fields == 7)
            conv_layer(&layers[n], v[0], v[1], v[2], v[3], v[4], v[5], v[6]);
        else
            conv_layer(&layers[n], v[0], v[2], 1, v[2], 1, v[1], 1);
        layers[n].layer.sparse_keep = (int32_t) keep;
        layers[n++].layer.sparse_block = (int32_t) block;
    }
    fclose(f);
    assert_true(n > 0);
    return n;
}

static void assert_same_file(const char *folder, const char *name)
{
    char golden[600];
    char *expected, *actual;

    snprintf(golden, sizeof(golden), "%s/%s", folder, name);
    expected = read_text(golden);
    actual = read_text(test_path(name));
    if (strcmp(expected, actual) != 0)
        fail_msg("%s:\n%s\nis not\n%s", golden, actual, expected);
    free(expected);
    free(actual);
}

static void assert_same_reports(ub_context *context, const char *folder)
{
    char **names;
    size_t n;
    int compared = 0;

    assert_int_equal(ub__folder_list(context, folder, &names, &n), UB_OK);
    for (size_t i = 0; i < n; i++) {
        if (strstr(names[i], "_REPORT.csv") == NULL)
            continue; /* traces of a layer */
        assert_same_file(folder, names[i]);
        compared++;
    }
    assert_true(compared >= 3);
    ub__free(context, names);
}

/* One run of SCALE-Sim: all reports, byte for byte. */
static void check_run(ub_context *context, const char *output,
                      const char *topology, const char *config)
{
    ub_systolic_report reports[LAYERS];
    test_layer layers[LAYERS];
    char name[256], folder[512];
    ub_systolic_options o;
    ub_hardware h;
    int64_t n;

    snprintf(name, sizeof(name), "scalesim/tiny/%s.cfg", config);
    read_config(test_golden(name), &h, &o);
    n = read_topology(topology, layers);
    for (int64_t i = 0; i < n; i++)
        reports[i] = report(context, &layers[i].info, &h, &o);
    remove(test_path("SPARSE_REPORT.csv"));
    assert_int_equal(
        ub_systolic_write_reports(context, test_folder(), reports, n), UB_OK);
    snprintf(name, sizeof(name), "scalesim/tiny/%s/%s", output, config);
    snprintf(folder, sizeof(folder), "%s", test_golden(name));
    assert_same_reports(context, folder);
}

/* Runs of a topology, which is named as their folder or with "_tiny". */
static int check_output(ub_context *context, const char *output)
{
    char name[256], topology[512];
    char **configs;
    size_t n;

    snprintf(name, sizeof(name), "scalesim/tiny/%s.csv", output + 4);
    if (!ub__file_exists(test_golden(name)))
        snprintf(name, sizeof(name), "scalesim/tiny/%s_tiny.csv", output + 4);
    snprintf(topology, sizeof(topology), "%s", test_golden(name));
    snprintf(name, sizeof(name), "scalesim/tiny/%s", output);
    assert_int_equal(ub__folder_list(context, test_golden(name), &configs, &n),
                     UB_OK);
    for (size_t i = 0; i < n; i++)
        check_run(context, output, topology, configs[i]);
    ub__free(context, configs);
    return (int) n;
}

static void golden_reports(void **state)
{
    ub_context *context;
    char **outputs;
    size_t n;
    int runs = 0;

    (void) state;
    if (test_golden("scalesim/tiny") == NULL)
        skip();
    context = test_context(1);
    assert_int_equal(
        ub__folder_list(context, test_golden("scalesim/tiny"), &outputs, &n),
        UB_OK);
    for (size_t i = 0; i < n; i++) {
        if (strncmp(outputs[i], "out_", 4) == 0)
            runs += check_output(context, outputs[i]);
    }
    assert_true(runs > 0);
    ub__free(context, outputs);
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_small),
        cmocka_unit_test(golden_large),
        cmocka_unit_test(golden_reports),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
