/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <string.h>
#include <uboost/systolic.h>

/* The defaults of a configuration are those of a simulation, except that a
 * configuration has to ask for sparsity. */
static void defaults(void **state)
{
    ub_hardware_config config;
    ub_systolic_options from = { .size = sizeof(from) }, plain;

    (void) state;
    ub_hardware_config_init(&config, sizeof(config));
    ub_systolic_options_init(&plain, sizeof(plain));
    assert_int_equal(ub_systolic_options_from(&config, &from), UB_OK);
    plain.sparsity = UB_SYSTOLIC_DENSE;
    assert_memory_equal(&from, &plain, sizeof(plain));
}

static void values(void **state)
{
    static const char text[] = "[architecture_presets]\nArrayHeight: 8\n"
                               "ArrayWidth: 4\n[sparsity]\n"
                               "SparsitySupport: true\nSparseRep: csc\n"
                               "[uboost]\nbatch: 2\nlevel: 3\nprefetch: 4\n"
                               "charge_inputs: 0\ncharge_outputs: 0\n"
                               "compat: scalesim\nos_drain: 1\n"
                               "count_memory: 1\ntile_m: 5\ntile_k: 6\n"
                               "tile_n: 7\nseed: 8\npacked: 1\n";
    const ub_systolic_options expected = { sizeof(expected),
                                           2,
                                           3,
                                           4,
                                           0,
                                           0,
                                           UB_SYSTOLIC_COMPAT_SCALESIM,
                                           1,
                                           1,
                                           UB_SYSTOLIC_CSC,
                                           5,
                                           6,
                                           7,
                                           8,
                                           1,
                                           0 };
    ub_context *context = test_context(1);
    ub_hardware hardware = { .size = sizeof(hardware) };
    ub_hardware_config config = { .size = sizeof(config) };
    ub_systolic_options from = { .size = sizeof(from) };

    (void) state;
    test_file_write(test_path("x.cfg"), text, strlen(text));
    assert_int_equal(ub_hardware_read_config(context, test_path("x.cfg"),
                                             &hardware, &config),
                     UB_OK);
    assert_int_equal(ub_systolic_options_from(&config, &from), UB_OK);
    assert_memory_equal(&from, &expected, sizeof(from));
    config.sparse_format = 4;
    assert_int_equal(ub_systolic_options_from(&config, &from), UB_ERR_INVALID);
    assert_int_equal(ub_systolic_options_from(NULL, &from), UB_ERR_INVALID);
    from.size = 8;
    assert_int_equal(ub_systolic_options_from(&config, &from), UB_ERR_INVALID);
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
