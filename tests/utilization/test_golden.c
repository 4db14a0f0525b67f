/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include "base/base.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <uboost/utilization.h>

/*
 * Values of an independent implementation in double precision, summed over all
 * terms: tests/golden/util_model.json, or the file of that name in
 * $UBOOST_GOLDEN. The smooth form agrees to 1e-9 relative, or 1e-15 absolute
 * where a derivative has died out; both sides round, and the derivative of the
 * utilization is a difference. The exact form agrees to the bit.
 */
#define RELATIVE 1e-9
#define ABSOLUTE 1e-15

static const char *golden_path(void)
{
    static char path[1024];
    const char *folder = getenv("UBOOST_TESTS");

    if (test_golden("util_model.json") != NULL)
        return test_golden("util_model.json");
    if (folder == NULL)
        return NULL;
    snprintf(path, sizeof(path), "%s/golden/util_model.json", folder);
    return path;
}

static void check_keys(const json_t *object, const char *const *known,
                       size_t number)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *) object, key, value)
    {
        size_t i = 0;
        while (known[i] != NULL && strcmp(known[i], key) != 0)
            i++;
        if (known[i] == NULL)
            fail_msg("case %zu has an unknown field '%s'", number, key);
    }
}

static double number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_number(value))
        fail_msg("no number '%s'", key);
    return json_number_value(value);
}

static int64_t element(const json_t *object, const char *key, size_t i)
{
    const json_t *value = json_array_get(json_object_get(object, key), i);

    if (!json_is_integer(value))
        fail_msg("no integer '%s'[%zu]", key, i);
    return json_integer_value(value);
}

static int64_t optional(const json_t *object, const char *key, int64_t fallback)
{
    return json_object_get(object, key) ? (int64_t) number(object, key)
                                        : fallback;
}

static int32_t kind_of(const json_t *object)
{
    static const char *const names[] = { "free", "conv", "depthwise",
                                         "separable", "linear" };
    const char *name = json_string_value(json_object_get(object, "kind"));

    for (int32_t i = 0; name != NULL && i < 5; i++) {
        if (strcmp(name, names[i]) == 0)
            return i;
    }
    fail_msg("unknown kind '%s'", name ? name : "none");
    return -1;
}

static void check_close(double actual, const json_t *object, const char *key,
                        size_t at)
{
    const double expected = number(object, key);
    const double off = fabs(actual - expected);

    if (!(off <= RELATIVE * fabs(expected) || off <= ABSOLUTE))
        fail_msg("case %zu: %s is %.17g, expected %.17g", at, key, actual,
                 expected);
}

static void check_equal(double actual, const json_t *object, const char *key,
                        size_t at)
{
    const double expected = number(object, key);

    if (actual != expected)
        fail_msg("case %zu: %s is %.17g, expected %.17g to the bit", at, key,
                 actual, expected);
}

static void check_case(const json_t *c, size_t at)
{
    static const char *const keys[] = {
        "kind",  "array", "in_channels", "out_channels", "kernel",   "out_size",
        "batch", "exact", "smooth",      "groups",       "dilation", NULL
    };
    static const char *const exact_keys[] = { "in_channels", "out_channels",
                                              "macs",        "cycles",
                                              "utilization", "flops_cycles",
                                              NULL };
    static const char *const smooth_keys[] = { "cycles",      "utilization",
                                               "dcycles_din", "dcycles_dout",
                                               "dutil_din",   "dutil_dout",
                                               NULL };
    const json_t *exact = json_object_get(c, "exact");
    const json_t *smooth = json_object_get(c, "smooth");
    ub_util_options o;
    ub_cost_layer l;
    ub_cost cost = { .size = sizeof(cost) };

    check_keys(c, keys, at);
    check_keys(exact, exact_keys, at);
    check_keys(smooth, smooth_keys, at);
    ub_util_options_init(&o, sizeof(o));
    o.rows = element(c, "array", 0);
    o.columns = element(c, "array", 1);
    ub_cost_layer_init(&l, sizeof(l));
    l.kind = kind_of(c);
    l.kernel_height = element(c, "kernel", 0);
    l.kernel_width = element(c, "kernel", 1);
    l.out_height = element(c, "out_size", 0);
    l.out_width = element(c, "out_size", 1);
    l.batch = (int64_t) number(c, "batch");
    l.groups = optional(c, "groups", 1);
    l.dilation = optional(c, "dilation", 1);
    l.in_channels = number(c, "in_channels");
    l.out_channels = number(c, "out_channels");

    assert_int_equal(ub_util_latency_smooth(&o, &l, &cost), UB_OK);
    check_close(cost.cycles, smooth, "cycles", at);
    check_close(cost.utilization, smooth, "utilization", at);
    check_close(cost.dcycles_din, smooth, "dcycles_din", at);
    check_close(cost.dcycles_dout, smooth, "dcycles_dout", at);
    check_close(cost.dutilization_din, smooth, "dutil_din", at);
    check_close(cost.dutilization_dout, smooth, "dutil_dout", at);

    assert_int_equal(ub_util_latency(&o, &l, &cost), UB_OK);
    check_equal(cost.macs, exact, "macs", at);
    check_equal(cost.cycles, exact, "cycles", at);
    check_equal(cost.utilization, exact, "utilization", at);

    l.in_channels = number(exact, "in_channels");
    l.out_channels = number(exact, "out_channels");
    assert_int_equal(ub_util_flops(&o, &l, &cost), UB_OK);
    check_equal(cost.macs, exact, "macs", at);
    check_equal(cost.cycles, exact, "flops_cycles", at);
}

static void golden(void **state)
{
    static const char *const keys[] = { "constants", "cases", NULL };
    static const char *const constant_keys[] = { "B", "C", "v", NULL };
    ub_context *context = test_context(1);
    const char *path = golden_path();
    const json_t *constants, *cases;
    json_t *root;

    (void) state;
    if (path == NULL)
        skip();
    assert_int_equal(ub__json_read(context, path, &root), UB_OK);
    check_keys(root, keys, 0);
    constants = json_object_get(root, "constants");
    check_keys(constants, constant_keys, 0);
    assert_close(number(constants, "B"), 20.0, 0.0);
    assert_close(number(constants, "C"), 0.2, 0.0);
    assert_close(number(constants, "v"), 0.5, 0.0);
    cases = json_object_get(root, "cases");
    assert_true(json_array_size(cases) > 0);
    for (size_t i = 0; i < json_array_size(cases); i++)
        check_case(json_array_get(cases, i), i);
    print_message("%zu cases of %s\n", json_array_size(cases), path);
    json_decref(root);
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(golden) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
