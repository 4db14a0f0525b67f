/* SPDX-License-Identifier: BSD-2-Clause */
#include "golden.h"

#include <math.h>
#include <string.h>

#define FIELDS (UB_CHUNK_FIELDS * UB_CHUNK_FAMILIES * UB_CHUNK_MAX_BITS)

typedef void (*net_user)(ub_context *context, const json_t *root,
                         const json_t *net);

static void each_net(net_user use)
{
    json_t *root = golden_open();
    ub_context *context = test_context(1);
    json_t *nets = json_object_get(root, "nets");
    const char *name;
    json_t *net;
    int n = 0;

    json_object_foreach(nets, name, net)
    {
        use(context, root, net);
        n++;
    }
    assert_int_equal(n, 5);
    ub_context_destroy(&context);
    json_decref(root);
}

static void check_layer(const ub_accelerator *a, const ub_workload *w,
                        const json_t *net, int64_t i)
{
    const size_t at = (size_t) i;
    ub_workload_layer l = { .size = sizeof(l) };
    ub_chunk_info info = { .size = sizeof(info) };
    const json_t *block;
    int32_t sizes[5];
    int found = 0;

    assert_int_equal(ub_workload_layer_get(w, i, &l), UB_OK);
    golden_integers(json_array_get(json_object_get(net, "layers"), at), sizes);
    assert_int_equal(l.in_channels, sizes[0]);
    assert_int_equal(l.out_channels, sizes[1]);
    assert_int_equal(l.out_height, sizes[2]);
    assert_int_equal(l.out_width, sizes[2]);
    assert_int_equal(l.kernel_height, sizes[3]);
    assert_int_equal(l.depthwise, json_integer_value(json_array_get(
                                      json_object_get(net, "dw"), at)));
    assert_int_equal(l.bits, json_integer_value(json_array_get(
                                 json_object_get(net, "layer_bits"), at)));
    assert_int_equal(
        ub_accelerator_chunk(a, ub_accelerator_chunk_of(a, w, i), &info),
        UB_OK);
    assert_string_equal(info.name, json_string_value(json_array_get(
                                       json_object_get(net, "alloc"), at)));
    block = json_array_get(json_object_get(net, "block_layers"),
                           (size_t) l.block);
    for (size_t j = 0; j < json_array_size(block); j++)
        found |= json_integer_value(json_array_get(block, j)) == i;
    assert_true(found);
}

static void check_layers(ub_context *context, const json_t *root,
                         const json_t *net)
{
    ub_workload *w = golden_workload(context, net, UB_ACCELERATOR_REFERENCE);
    ub_accelerator *a = golden_accelerator(context, net, -1);

    (void) root;
    assert_int_equal(ub_workload_layers(w),
                     json_array_size(json_object_get(net, "layers")));
    assert_int_equal(ub_workload_blocks(w), UB_WORKLOAD_FBNET_BLOCKS);
    for (int64_t i = 0; i < ub_workload_layers(w); i++)
        check_layer(a, w, net, i);
    ub_accelerator_destroy(&a);
    ub_workload_destroy(&w);
}

static void test_golden_layers(void **state)
{
    (void) state;
    each_net(check_layers);
}

/* -- hardware sets -----------------------------------------------------------
 */

static void check_chunks(const ub_accelerator *a, const ub_workload *w,
                         const int32_t *configuration, const json_t *expected)
{
    const json_t *cycles = json_object_get(expected, "chunk_lat");
    const json_t *uses = json_object_get(expected, "chunk_res");
    size_t used = 0;

    for (int64_t c = 0; c < ub_accelerator_chunks(a); c++) {
        ub_chunk_info info = { .size = sizeof(info) };
        ub_chunk_usage usage = { .size = sizeof(usage) };
        const json_t *pair;

        assert_int_equal(ub_accelerator_chunk(a, c, &info), UB_OK);
        assert_int_equal(ub_accelerator_usage(a, w, configuration, c, &usage),
                         UB_OK);
        if (usage.layers == 0)
            continue;
        used++;
        pair = json_object_get(uses, info.name);
        golden_close(usage.cycles, golden_number(cycles, info.name));
        golden_close(usage.dsp, json_number_value(json_array_get(pair, 0)));
        golden_close(usage.bram, json_number_value(json_array_get(pair, 1)));
    }
    assert_int_equal(used, json_object_size(cycles));
}

static void check_blocks(const ub_workload *w, const double *cycles,
                         const json_t *expected)
{
    const json_t *of_blocks = json_object_get(expected, "block_lat");
    double sums[UB_WORKLOAD_FBNET_BLOCKS] = { 0 };

    for (int64_t i = 0; i < ub_workload_layers(w); i++) {
        ub_workload_layer l = { .size = sizeof(l) };

        assert_int_equal(ub_workload_layer_get(w, i, &l), UB_OK);
        sums[l.block] += cycles[i];
        golden_close(cycles[i],
                     json_number_value(json_array_get(
                         json_object_get(expected, "layer_lat"), (size_t) i)));
    }
    for (size_t i = 0; i < UB_WORKLOAD_FBNET_BLOCKS; i++)
        golden_close(sums[i], json_number_value(json_array_get(of_blocks, i)));
}

/* Returns what keeps it from being built. */
static int32_t check_set(const ub_accelerator *a, const ub_workload *w,
                         const json_t *set, const json_t *expected)
{
    double *cycles = test_calloc((size_t) ub_workload_layers(w),
                                 sizeof(*cycles));
    ub_accelerator_result r = { .size = sizeof(r) };
    int32_t configuration[FIELDS];

    golden_configuration(a, set, configuration);
    assert_int_equal(ub_accelerator_evaluate(a, w, configuration, cycles, &r),
                     UB_OK);
    if (json_is_true(json_object_get(expected, "ok"))) {
        assert_int_equal(r.excess, UB_ACCELERATOR_FITS);
        assert_true(r.violation == 0);
        golden_close(r.bottleneck, golden_number(expected, "bottleneck"));
        golden_close(r.fps, golden_number(expected, "fps"));
        golden_close(r.dsp, golden_number(expected, "dsp"));
        golden_close(r.bram, golden_number(expected, "bram"));
        check_chunks(a, w, configuration, expected);
        check_blocks(w, cycles, expected);
    } else {
        const char *error = json_string_value(
            json_object_get(expected, "error"));

        assert_true(r.violation > 0);
        assert_int_equal(r.excess, strcmp(error, "bram exceeded") == 0
                                       ? UB_ACCELERATOR_EXCESS_BRAM
                                       : UB_ACCELERATOR_EXCESS_DSP);
    }
    test_free(cycles);
    return r.excess;
}

static void check_sets(ub_context *context, const json_t *root,
                       const json_t *net)
{
    const json_t *sets = json_object_get(
        json_object_get(root, "hw"),
        json_is_true(json_object_get(net, "cifar")) ? "cifar" : "imagenet");
    ub_workload *w = golden_workload(context, net, UB_ACCELERATOR_REFERENCE);
    ub_accelerator *a = golden_accelerator(context, net, -1);
    json_t *expected;
    const char *name;
    int n = 0;

    json_object_foreach(json_object_get(net, "hw"), name, expected)
    {
        check_set(a, w, json_object_get(sets, name), expected);
        n++;
    }
    assert_int_equal(n, 3);
    ub_accelerator_destroy(&a);
    ub_workload_destroy(&w);
}

static void test_golden_sets(void **state)
{
    (void) state;
    each_net(check_sets);
}

/* -- optima
 * -------------------------------------------------------------------- */

static double optimum(ub_context *context, const json_t *net, int32_t mode)
{
    ub_workload *w = golden_workload(context, net, UB_ACCELERATOR_REFERENCE);
    ub_accelerator *a = golden_accelerator(context, net, mode);
    ub_accelerator_result r = { .size = sizeof(r) };
    ub_accelerator_result again = { .size = sizeof(again) };
    ub_accelerator_search *s;
    int32_t configuration[FIELDS];

    assert_int_equal(ub_accelerator_search_create(a, NULL, &s), UB_OK);
    assert_int_equal(ub_accelerator_search_run(s, w, 0, configuration, &r),
                     UB_OK);
    assert_int_equal(ub_accelerator_evaluate(a, w, configuration, NULL, &again),
                     UB_OK);
    assert_int_equal(again.excess, UB_ACCELERATOR_FITS);
    assert_true(again.fps == r.fps && again.dsp == r.dsp);
    ub_accelerator_search_destroy(&s);
    ub_accelerator_destroy(&a);
    ub_workload_destroy(&w);
    return r.fps;
}

static void check_optima(ub_context *context, const json_t *root,
                         const json_t *net)
{
    (void) root;
    golden_close(optimum(context, net, 1),
                 golden_number(json_object_get(net, "optimum_mode1"), "fps"));
    golden_close(optimum(context, net, -1),
                 golden_number(json_object_get(net, "optimum_anymode"), "fps"));
}

static void test_golden_optima(void **state)
{
    (void) state;
    each_net(check_optima);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_layers),
        cmocka_unit_test(test_golden_sets),
        cmocka_unit_test(test_golden_optima),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
