/* SPDX-License-Identifier: BSD-2-Clause */
#include "golden.h"

#include <math.h>
#include <string.h>

json_t *golden_open(void)
{
    const char *path = test_golden("autonba.json");
    json_t *root;

    if (path == NULL)
        skip();
    root = json_load_file(path, 0, NULL);
    assert_non_null(root);
    return root;
}

void golden_close(double actual, double expected)
{
    assert_close(actual, expected,
                 GOLDEN_TOLERANCE * fmax(fabs(expected), 1e-300));
}

double golden_number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    assert_true(json_is_number(value));
    return json_number_value(value);
}

void golden_integers(const json_t *array, int32_t *out)
{
    for (size_t i = 0; i < json_array_size(array); i++)
        out[i] = (int32_t) json_number_value(json_array_get(array, i));
}

static int32_t operator_of(const char *name)
{
    for (int32_t op = 0; op <= UB_FBNET_SKIP; op++) {
        if (strcmp(ub_fbnet_operator_name(op), name) == 0)
            return op;
    }
    fail_msg("no operator %s", name);
    return -1;
}

static int32_t preset_of(const json_t *net)
{
    return json_is_true(json_object_get(net, "cifar"))
               ? UB_ACCELERATOR_CIFAR
               : UB_ACCELERATOR_IMAGENET;
}

ub_workload *golden_workload(ub_context *context, const json_t *net,
                             int32_t setting)
{
    const json_t *names = json_object_get(net, "blocks");
    int32_t operators[UB_WORKLOAD_FBNET_BLOCKS];
    int32_t bits[UB_WORKLOAD_FBNET_BLOCKS];
    ub_workload *workload;

    assert_int_equal(json_array_size(names), UB_WORKLOAD_FBNET_BLOCKS);
    for (size_t i = 0; i < UB_WORKLOAD_FBNET_BLOCKS; i++)
        operators[i] = operator_of(json_string_value(json_array_get(names, i)));
    golden_integers(json_object_get(net, "bits"), bits);
    assert_int_equal(ub_workload_fbnet(context, preset_of(net), setting,
                                       operators, bits, &workload),
                     UB_OK);
    return workload;
}

ub_accelerator *golden_accelerator(ub_context *context, const json_t *net,
                                   int32_t mode)
{
    ub_accelerator_options options;
    ub_accelerator *accelerator;

    ub_accelerator_options_init(&options, sizeof(options), preset_of(net));
    options.setting = UB_ACCELERATOR_REFERENCE;
    if (mode >= 0)
        ub_accelerator_options_fix_mode(&options, mode);
    assert_int_equal(ub_accelerator_create(context, &options, &accelerator),
                     UB_OK);
    return accelerator;
}

void golden_configuration(const ub_accelerator *accelerator, const json_t *set,
                          int32_t *configuration)
{
    for (int64_t c = 0; c < ub_accelerator_chunks(accelerator); c++) {
        ub_chunk_info info = { .size = sizeof(info) };
        int32_t vector[UB_CHUNK_FIELDS + 1];
        const json_t *found;

        assert_int_equal(ub_accelerator_chunk(accelerator, c, &info), UB_OK);
        found = json_object_get(set, info.name);
        assert_int_equal(json_array_size(found), UB_CHUNK_FIELDS + 1);
        golden_integers(found, vector);
        assert_int_equal(vector[UB_CHUNK_FIELDS], info.bits);
        memcpy(configuration + c * UB_CHUNK_FIELDS, vector,
               UB_CHUNK_FIELDS * sizeof(*vector));
    }
}
