/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a search meets a limit: of an accelerator that is too small, of lambda,
 * of what zeros can learn, of what a run may go on with. */
#include "../search/runs.h"
#include "tiny.h"

#include <stdio.h>
#include <string.h>

/* Each width alone fits two DSPs, a path of both does not: it has no
 * accelerator, and leaves that of the search as it was. */
static void test_path_too_large(void **state)
{
    ub_context *context = test_context(1);
    ub_space *space = NULL;
    ub_cosearch_options o;
    ub_accelerator_result r = { .size = sizeof(r) };
    ub__joint_path path = { .widths = { 0, 0, 1 } };
    ub__joint_price price;
    ub_workload *workload = NULL;
    int32_t *before, *found;

    (void) state;
    tiny_options(&o);
    o.dsp_limit = 2.0;
    assert_int_equal(tiny_space(context, &space), UB_OK);
    assert_int_equal(ub__joint_price_open(context, space, &o, &price), UB_OK);
    before = test_malloc((size_t) price.n_fields * sizeof(*before));
    found = test_malloc((size_t) price.n_fields * sizeof(*found));
    memcpy(before, price.configuration,
           (size_t) price.n_fields * sizeof(*before));
    assert_int_equal(ub__joint_price_best(&price, &path, UB_ENGINE_EXACT, 1,
                                          &workload, found, &r),
                     UB_ERR_RANGE);
    assert_int_equal(ub_workload_layers(workload), 9);
    assert_int_equal(ub__joint_price_refresh(&price, &path, 1), UB_OK);
    assert_memory_equal(before, price.configuration,
                        (size_t) price.n_fields * sizeof(*before));
    path.widths[2] = 0;
    assert_int_equal(ub__joint_price_refresh(&price, &path, 1), UB_OK);
    test_free(before);
    test_free(found);
    ub_workload_destroy(&workload);
    ub__joint_price_close(&price);
    ub_space_destroy(&space);
    ub_context_destroy(&context);
}

/* Whether such a run ends with an accelerator. */
static int has_accelerator(const ub_cosearch_options *o, const char *name)
{
    ub_cosearch_result r;
    char folder[512];
    json_t *root;
    size_t chunks;

    tiny_whole(o, name, folder, &r);
    root = runs_json(folder, "accelerator.json");
    chunks = json_array_size(json_object_get(root, "chunks"));
    assert_int_equal(r.fps > 0.0, chunks > 0);
    assert_int_equal(r.dsp > 0.0, chunks > 0);
    assert_true(r.mean_bits >= 4.0 && r.mean_bits <= 8.0);
    json_decref(root);
    return chunks > 0;
}

/* Whatever it ends with is a result, also a network of two widths, which no
 * accelerator computes: of twenty seeds with logits that go astray, one ends
 * with such a network. */
static void test_few_dsps(void **state)
{
    (void) state;
    for (int i = 0; i < 2; i++) {
        ub_cosearch_options o;
        int without = 0;
        char name[32];

        tiny_options(&o);
        o.refresh = 1;
        o.dsp_limit = 2.0;
        o.lambda = 0.0;
        o.architecture_rate = 1.0;
        o.hardware_once = i;
        for (o.seed = 1; o.seed <= 20 && !without; o.seed++) {
            snprintf(name, sizeof(name), "few%d-%d", i, (int) o.seed);
            without = !has_accelerator(&o, name);
        }
        assert_true(without);
    }
}

/* An engine that finds nothing is no end either. */
static void test_few_samples(void **state)
{
    ub_cosearch_options o;
    ub_cosearch_result r;
    char folder[512];

    (void) state;
    tiny_options(&o);
    o.engine = UB_ENGINE_RANDOM;
    o.samples = 1;
    o.refresh = 1;
    o.dsp_limit = 12.0;
    tiny_whole(&o, "samples", folder, &r);
    assert_true(r.fps > 0.0);
}

static void test_lambda_ends(void **state)
{
    ub_cosearch_options o;
    ub_cosearch_result r;
    char folder[512];
    json_t *root, *cells;

    (void) state;
    tiny_options(&o);
    o.search_epochs = 3;
    o.lambda = 4e8;
    o.fps_low = 1e12;
    tiny_whole(&o, "most", folder, &r);
    assert_true(r.lambda == 1.6e9);
    /* So near to infinity all is skipped: a cell that keeps its shape has no
     * bits, the one between is a convolution. */
    root = runs_json(folder, "result.json");
    cells = json_object_get(root, "cells");
    for (size_t i = 0; i < 3; i++) {
        const json_t *cell = json_array_get(cells, i);

        if (strcmp(json_string_value(json_object_get(cell, "operator")),
                   "skip") == 0)
            assert_int_equal(json_object_get(cell, "bits") != NULL, i == 1);
    }
    assert_null(json_object_get(json_array_get(cells, 0), "bits"));
    json_decref(root);
    o.warmup_epochs = o.search_epochs = 0;
    o.lambda = 0.25;
    tiny_whole(&o, "none", folder, &r);
    assert_true(r.lambda == 0.25);
}

/* A chunk that the operator of the most layers leaves out is another's. */
static void test_all_chunks(void **state)
{
    ub_context *context = test_context(1);
    ub_space *space = NULL;
    ub_cosearch_options o;
    ub__joint_price price;
    int found = 0;

    (void) state;
    tiny_options(&o);
    assert_int_equal(tiny_space(context, &space), UB_OK);
    space->operators[0].steps[1].kind = UB_STEP_CONV;
    assert_int_equal(ub__joint_price_open(context, space, &o, &price), UB_OK);
    for (int64_t i = 0; i < ub_workload_layers(price.uniform[o.bit_widths]);
         i++) {
        ub_workload_layer layer = { .size = sizeof(layer) };
        const int32_t *chunk = price.configuration;

        assert_int_equal(
            ub_workload_layer_get(price.uniform[o.bit_widths], i, &layer),
            UB_OK);
        if (!layer.depthwise)
            continue;
        chunk += UB_CHUNK_FIELDS *
                 ub_accelerator_chunk_of(price.accelerator,
                                         price.uniform[o.bit_widths], i);
        assert_true(chunk[UB_CHUNK_TILE_ROWS] > 1);
        found++;
    }
    assert_int_equal(found, 3);
    ub__joint_price_close(&price);
    ub_space_destroy(&space);
    ub_context_destroy(&context);
}

/* Normalizations of a new network that begin at zero. */
static int zeros(ub_context *context, const ub_space *space)
{
    static const char end[] = ".norm.weight";
    const int32_t bits[2] = { 4, 8 };
    ub__joint_net *net = NULL;
    int n = 0;

    assert_int_equal(ub__joint_net_create(context, space, bits, 2, 1, &net),
                     UB_OK);
    for (int64_t i = 0; i < ub_parameters_count(net->parameters); i++) {
        const char *name = ub_parameters_name(net->parameters, i);
        const ub_variable *v = ub_parameters_variable(net->parameters, i);
        const size_t length = strlen(name), tail = sizeof(end) - 1;

        n += length > tail && strcmp(name + length - tail, end) == 0 &&
             ub_tensor_data(ub_variable_value(v))[0] == 0.0f;
    }
    ub__joint_net_destroy(&net);
    return n;
}

/* Two cells keep their shape, two operators add what goes in. */
static void test_relu_last(void **state)
{
    ub_context *context = test_context(1);
    ub_space *space = NULL;

    (void) state;
    assert_int_equal(tiny_space(context, &space), UB_OK);
    assert_int_equal(zeros(context, space), 4);
    space->operators[0].steps[2].relu = 1;
    assert_int_equal(zeros(context, space), 2);
    ub_space_destroy(&space);
    ub_context_destroy(&context);
}

static void test_other_space(void **state)
{
    struct runs_stop once = { 2, 0 };
    ub_context *context = runs_context(&once, 2);
    ub_cosearch_options o;
    ub_cosearch_result r;
    ub_space *space = NULL;
    char folder[512];

    (void) state;
    tiny_options(&o);
    snprintf(folder, sizeof(folder), "%s", runs_folder("space"));
    assert_int_equal(tiny_space(context, &space), UB_OK);
    assert_int_equal(tiny_run(context, &o, space, folder, 0, &r),
                     UB_ERR_INTERRUPTED);
    space->operators[0].steps[2].relu = 1;
    assert_int_equal(tiny_run(context, &o, space, folder, 1, &r),
                     UB_ERR_INVALID);
    assert_non_null(strstr(ub_context_last_error(context), "space_digest"));
    space->operators[0].steps[2].relu = 0;
    if (tiny_run(context, &o, space, folder, 1, &r) != UB_OK)
        fail_msg("%s", ub_context_last_error(context));
    ub_space_destroy(&space);
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path_too_large),
        cmocka_unit_test(test_few_dsps),
        cmocka_unit_test(test_few_samples),
        cmocka_unit_test(test_lambda_ends),
        cmocka_unit_test(test_all_chunks),
        cmocka_unit_test(test_relu_last),
        cmocka_unit_test(test_other_space),
    };

    return cmocka_run_group_tests_name("cosearch limits", tests, NULL, NULL);
}
