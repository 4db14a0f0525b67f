/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <math.h>
#include <string.h>
#include <uboost/systolic.h>

static ub_systolic_stats some_stats(void)
{
    return (ub_systolic_stats){
        .size = sizeof(ub_systolic_stats),
        .cycles = 1000,
        .macs = 50000,
        .latency_ms = 1e-3,
        .input_bytes = 100,
        .weight_bytes = 200,
        .output_bytes = 300,
        .sram_read_bytes = 4000,
        .sram_write_bytes = 1000,
    };
}

static ub_hardware some_hardware(void)
{
    ub_hardware h;

    ub_hardware_init(&h, sizeof(h));
    h.rows = 8;
    h.columns = 16;
    h.bank_bytes = 131072;
    return h;
}

/* Every action once, by hand. */
static void counted(void **state)
{
    ub_energy_table t = { .size = sizeof(t) };
    ub_energy e = { .size = sizeof(e) };
    const ub_systolic_stats s = some_stats();
    ub_hardware h = some_hardware();

    (void) state;
    assert_int_equal(ub_energy_preset("sosa-28nm", &t), UB_OK);
    t.idle = 0.125;
    t.leakage = 0.5;
    assert_int_equal(ub_energy_of(&t, &h, &s, &e), UB_OK);
    assert_close(e.mac, 20000.0, 1e-9);
    assert_close(e.idle, (128000.0 - 50000.0) * 0.125, 1e-9);
    assert_close(e.banks, 5000.0 * 1.6, 1e-9);
    assert_close(e.interconnect, 5000.0 * 0.02875, 1e-9);
    assert_close(e.memory, 600.0 * 31.36, 1e-9);
    assert_close(e.leakage, 128.0 * 0.5 * 1e-3 * 1e6, 1e-6);
    assert_close(
        e.total,
        e.mac + e.idle + e.banks + e.interconnect + e.memory + e.leakage, 1e-6);
    /* pJ in a microsecond are microwatts */
    assert_close(e.watts, e.total * 1e-6, 1e-12);
    assert_close(e.pj_per_mac, e.total / 50000.0, 1e-12);
    assert_close(e.element_mm2, 128.0 * t.element_um2 * 1e-6, 1e-12);
    assert_close(e.bank_mm2, 3.0 * 131072.0 * 1.016 * 1e-6, 1e-9);
    h.arrays = 16;
    assert_int_equal(ub_energy_of(&t, &h, &s, &e), UB_OK);
    assert_close(e.interconnect, 16.0 * 5000.0 * 0.02875, 1e-9);
    h.interconnect = UB_INTERCONNECT_BANYAN;
    h.expansion = 2;
    assert_int_equal(ub_energy_of(&t, &h, &s, &e), UB_OK);
    assert_close(e.interconnect, 4.0 * 4.0 * 5000.0 * 0.02875, 1e-9);
    h.interconnect = UB_INTERCONNECT_BUS;
    assert_int_equal(ub_energy_of(&t, &h, &s, &e), UB_OK);
    assert_close(e.interconnect, 5000.0 * 0.02875, 1e-9);
}

/* Banks between, below and above the sizes of a table; never cheaper when
 * larger. */
static void bank_sizes(void **state)
{
    static const char *const names[] = { "sosa-28nm", "horowitz-45nm" };
    const ub_systolic_stats s = some_stats();

    (void) state;
    for (int i = 0; i < 2; i++) {
        ub_energy_table t = { .size = sizeof(t) };
        ub_energy e = { .size = sizeof(e) };
        ub_hardware h = some_hardware();
        double before = 0.0;

        assert_int_equal(ub_energy_preset(names[i], &t), UB_OK);
        for (int k = 0; t.bank_bytes[k] > 0.0; k++) {
            h.bank_bytes = (int64_t) t.bank_bytes[k];
            assert_int_equal(ub_energy_of(&t, &h, &s, &e), UB_OK);
            assert_close(e.banks, 5000.0 * t.bank_pj[k], 1e-9);
        }
        for (h.bank_bytes = 1024; h.bank_bytes < 1 << 24; h.bank_bytes *= 2) {
            assert_int_equal(ub_energy_of(&t, &h, &s, &e), UB_OK);
            assert_true(e.banks > before);
            before = e.banks;
        }
    }
}

static const char good[] = "{\"format\": \"uboost-energy\", \"name\": \"n\", "
                           "\"mac\": 2, \"memory\": 3.5, \"unknown\": 1, "
                           "\"banks\": [[1024, 1], [2048, 2.5]]}";

static void read_back(void **state)
{
    ub_context *context = test_context(1);
    ub_energy_table t = { .size = sizeof(t) };

    (void) state;
    test_file_write(test_path("t.json"), good, strlen(good));
    assert_int_equal(ub_energy_read(context, test_path("t.json"), &t), UB_OK);
    assert_string_equal(t.name, "n");
    assert_close(t.mac, 2.0, 0.0);
    assert_close(t.memory, 3.5, 0.0);
    assert_close(t.idle, 0.0, 0.0);
    assert_close(t.bank_pj[1], 2.5, 0.0);
    assert_close(t.bank_bytes[2], 0.0, 0.0);
    ub_context_destroy(&context);
}

static void refused(void **state)
{
    static const char *const bad[] = {
        "{}",
        "[]",
        "{\"format\": \"other\", \"mac\": 2, \"banks\": [[1, 1]]}",
        "{\"format\": \"uboost-energy\", \"banks\": [[1, 1]]}",
        "{\"format\": \"uboost-energy\", \"mac\": -1, \"banks\": [[1, 1]]}",
        "{\"format\": \"uboost-energy\", \"mac\": 2, \"banks\": []}",
        "{\"format\": \"uboost-energy\", \"mac\": 2, \"banks\": [[1]]}",
        "{\"format\": \"uboost-energy\", \"mac\": 2, \"banks\": [7]}",
        "{\"format\": \"uboost-energy\", \"mac\": 2, \"banks\": [[2,1],[2,1]]}",
        "{\"format\": \"uboost-energy\", \"mac\": 2, \"banks\": [[2, 0]]}",
    };
    ub_context *context = test_context(1);
    ub_energy_table t = { .size = sizeof(t), .mac = 7.0 };
    ub_energy e = { .size = sizeof(e) };
    const ub_systolic_stats s = some_stats();
    const ub_hardware h = some_hardware();

    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        test_file_write(test_path("t.json"), bad[i], strlen(bad[i]));
        assert_int_equal(ub_energy_read(context, test_path("t.json"), &t),
                         UB_ERR_FORMAT);
        assert_close(t.mac, 7.0, 0.0);
    }
    assert_int_equal(ub_energy_read(context, test_path("none"), &t), UB_ERR_IO);
    assert_int_equal(ub_energy_preset("none", &t), UB_ERR_INVALID);
    assert_int_equal(ub_energy_of(&t, &h, &s, &e), UB_ERR_INVALID);
    assert_int_equal(ub_energy_preset("sosa-28nm", &t), UB_OK);
    t.memory = NAN;
    assert_int_equal(ub_energy_of(&t, &h, &s, &e), UB_ERR_INVALID);
    ub_context_destroy(&context);
}

static ub_status read_once(ub_context *context, void *arg)
{
    ub_energy_table t = { .size = sizeof(t) };

    return ub_energy_read(context, arg, &t);
}

static void out_of_memory(void **state)
{
    const char *path = test_path("t.json");

    (void) state;
    test_file_write(path, good, strlen(good));
    assert_survives_oom(read_once, 1, (void *) (uintptr_t) path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counted),       cmocka_unit_test(bank_sizes),
        cmocka_unit_test(read_back),     cmocka_unit_test(refused),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests_name("systolic_energy", tests, NULL, NULL);
}
