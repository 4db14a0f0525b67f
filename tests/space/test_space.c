/* SPDX-License-Identifier: BSD-2-Clause */
#include "space/space.h"
#include "support.h"

#include <string.h>

enum { CONV3, CONV5, SEP3, SEP5, DIL3, DIL5, IDENTITY, ZERO };

static ub_space *uboost(ub_context *context)
{
    ub_space_options o;
    ub_space *space = NULL;

    ub_space_options_init(&o, sizeof(o));
    o.name = "uboost";
    o.base_width = 8;
    assert_int_equal(ub_space_uboost(context, &o, 3, &space), UB_OK);
    return space;
}

static void test_uboost_space(void **state)
{
    ub_context *context = test_context(1);
    ub_space *space = uboost(context);

    (void) state;
    assert_int_equal(ub_space_operators(space), 8);
    assert_int_equal(ub_space_edges(space), 9);
    assert_int_equal(ub_space_cells(space), 3);
    assert_int_equal(ub_space_decisions(space), 9);
    assert_int_equal(ub_space_sites(space), 3 * 11);
    assert_string_equal(ub_space_operator_name(space, SEP5), "separable5x5");
    assert_null(ub_space_operator_name(space, 8));
    /* 32 -> stem pool 16 -> 8 -> 4 -> 2; the older input is twice as large
     * from the second cell on */
    assert_int_equal(space->cells[0].height_in[1], 16);
    assert_int_equal(space->cells[1].height_in[1], 16);
    assert_int_equal(space->cells[1].height, 8);
    assert_int_equal(space->cells[2].out_height, 2);
    ub_space_destroy(&space);
    assert_null(space);
    ub_context_destroy(&context);
}

/* An option by its place, and a value that it cannot have beside the defaults.
 */
static const struct {
    size_t offset;
    int64_t value;
} refused[] = {
    { offsetof(ub_space_options, channels), 0 },
    { offsetof(ub_space_options, height), 65537 },
    { offsetof(ub_space_options, width), -1 },
    { offsetof(ub_space_options, classes), (1 << 20) + 1 },
    { offsetof(ub_space_options, base_width), 0 },
    { offsetof(ub_space_options, inputs), 3 },
    { offsetof(ub_space_options, nodes), 2 },
    { offsetof(ub_space_options, nodes), UB_SPACE_MAX_ITEMS + 1 },
    { offsetof(ub_space_options, output), 1 },
    { offsetof(ub_space_options, output), 5 },
    { offsetof(ub_space_options, preprocess), 2 },
    { offsetof(ub_space_options, stem_kernel), 65 },
    { offsetof(ub_space_options, stem_kernel), 0 }, /* but a pool behind it */
    { offsetof(ub_space_options, depth), 0 },
    { offsetof(ub_space_options, depth), UB_SPACE_MAX_ITEMS + 1 },
};

static void test_refused_options(void **state)
{
    ub_context *context = test_context(1);
    ub_space *space = NULL;
    ub_space_options o;

    (void) state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        ub_space_options_init(&o, sizeof(o));
        memcpy((char *) &o + refused[i].offset, &refused[i].value,
               sizeof(refused[i].value));
        assert_int_equal(ub_space_create(context, &o, &space), UB_ERR_INVALID);
    }
    ub_space_options_init(&o, sizeof(o));
    o.reserved = 1;
    assert_int_equal(ub_space_create(context, &o, &space), UB_ERR_INVALID);
    ub_space_options_init(&o, sizeof(o));
    o.name = NULL;
    assert_int_equal(ub_space_create(context, &o, &space), UB_ERR_INVALID);
    ub_space_options_init(&o, sizeof(o));
    assert_int_equal(ub_space_create(context, &o, NULL), UB_ERR_INVALID);
    assert_int_equal(ub_space_create(NULL, &o, &space), UB_ERR_INVALID);
    assert_null(space);
    ub_context_destroy(&context);
}

static void test_refused_edges(void **state)
{
    ub_context *context = test_context(1);
    ub_space *space = NULL;

    (void) state;
    assert_int_equal(ub_space_create(context, NULL, &space), UB_OK);
    assert_int_equal(ub_space_add_edge(space, 0, 1), UB_ERR_INVALID);
    assert_int_equal(ub_space_add_edge(space, 3, 3), UB_ERR_INVALID);
    assert_int_equal(ub_space_add_edge(space, -1, 2), UB_ERR_INVALID);
    assert_int_equal(ub_space_add_edge(space, 4, 5), UB_ERR_INVALID);
    assert_int_equal(ub_space_edges(space), 0);
    for (int i = 0; i < UB_SPACE_MAX_ITEMS; i++)
        assert_int_equal(ub_space_add_edge(space, 0, 2), UB_OK);
    assert_int_equal(ub_space_add_edge(space, 0, 2), UB_ERR_INVALID);
    assert_int_equal(ub_space_edges(space), UB_SPACE_MAX_ITEMS);
    ub_space_destroy(&space);
    ub_context_destroy(&context);
}

static void test_odd_maps(void **state)
{
    ub_context *context = test_context(1);
    ub_space_options o;
    ub_space *space = NULL;

    (void) state;
    ub_space_options_init(&o, sizeof(o));
    o.height = o.width = 28; /* 14, 7, odd */
    assert_int_equal(ub_space_uboost(context, &o, 3, &space), UB_ERR_SHAPE);
    assert_non_null(strstr(ub_context_last_error(context), "7x7"));
    o.height = o.width = 27;
    assert_int_equal(ub_space_uboost(context, &o, 3, &space), UB_ERR_SHAPE);
    assert_null(space);
    ub_context_destroy(&context);
}

static void test_prune_chain(void **state)
{
    ub_context *context = test_context(1);
    ub_space *space = uboost(context);
    /* prev->t1 only, t1->t2, t2 -> t3 zero: all that is left is prev->t3 */
    const int32_t choice[9] = { CONV3, ZERO, SEP3, ZERO, ZERO,
                                ZERO,  DIL3, ZERO, ZERO };
    int32_t pruned[9];
    int64_t repaired = -1;

    (void) state;
    assert_int_equal(ub_space_prune(space, choice, NULL, pruned, &repaired),
                     UB_OK);
    assert_int_equal(repaired, 0);
    for (int i = 0; i < 9; i++)
        assert_int_equal(pruned[i], i == 2 ? SEP3 : ZERO);
    ub_space_destroy(&space);
    ub_context_destroy(&context);
}

static void test_prune_empty_source(void **state)
{
    ub_context *context = test_context(1);
    ub_space *space = uboost(context);
    /* t1 has no input, so t1->t3 goes away; prevprev->t3 stays */
    const int32_t choice[9] = { ZERO,  ZERO, ZERO,  ZERO, ZERO,
                                CONV5, ZERO, CONV3, ZERO };
    int32_t pruned[9];

    (void) state;
    assert_int_equal(ub_space_prune(space, choice, NULL, pruned, NULL), UB_OK);
    for (int i = 0; i < 9; i++)
        assert_int_equal(pruned[i], i == 5 ? CONV5 : ZERO);
    ub_space_destroy(&space);
    ub_context_destroy(&context);
}

static void test_repair(void **state)
{
    ub_context *context = test_context(1);
    ub_space *space = uboost(context);
    double p[72];
    int32_t choice[9], pruned[9];
    int64_t repaired = 0;

    (void) state;
    for (int i = 0; i < 9; i++)
        choice[i] = i == 0 ? CONV3 : ZERO;
    for (int i = 0; i < 72; i++)
        p[i] = 0.01 * (i % 8 == ZERO ? 93 : 1);
    p[2 * 8 + DIL3] = 0.2;
    p[5 * 8 + SEP5] = 0.3;  /* the best into t3 from an input */
    p[7 * 8 + CONV3] = 0.4; /* better, but t1 is empty after pruning */
    assert_int_equal(ub_space_prune(space, choice, NULL, pruned, &repaired),
                     UB_ERR_INVALID);
    assert_int_equal(ub_space_prune(space, choice, p, pruned, &repaired),
                     UB_OK);
    assert_int_equal(repaired, 1);
    for (int i = 0; i < 9; i++)
        assert_int_equal(pruned[i], i == 5 ? SEP5 : ZERO);
    ub_space_destroy(&space);
    ub_context_destroy(&context);
}

/* Two cells with choices of their own in a space with two operators that are
 * zero: neither fills a node, nor is either taken to repair. */
static void test_prune_zeros(void **state)
{
    enum { NONE, CONV, VOID };
    static const ub_operator_step conv[] = { { UB_STEP_CONV, 1, 1, 1, 0, 0 } };
    const ub_operator ops[] = { { sizeof(ub_operator), "none", NULL, 0, 1, 0 },
                                { sizeof(ub_operator), "conv", conv, 1, 0, 0 },
                                { sizeof(ub_operator), "void", NULL, 0, 1,
                                  0 } };
    const ub_space_cell cell = { 0, 1, 0 };
    const int32_t choice[] = { VOID, VOID, CONV, CONV, VOID, CONV };
    const int32_t expected[] = { VOID, CONV, NONE, CONV, VOID, CONV };
    double p[6][3];
    ub_context *context = test_context(1);
    ub_space_options o;
    ub_space *space = NULL;
    int32_t pruned[6];
    int64_t repaired = 0;

    (void) state;
    for (int d = 0; d < 6; d++) {
        p[d][NONE] = 0.1;
        p[d][CONV] = 0.2;
        p[d][VOID] = 0.7;
    }
    ub_space_options_init(&o, sizeof(o));
    o.inputs = 1;
    o.nodes = 3;
    o.output = 2;
    o.shared = 0;
    assert_int_equal(ub_space_create(context, &o, &space), UB_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ub_space_add_operator(space, &ops[i]), UB_OK);
    assert_int_equal(ub_space_add_edge(space, 0, 1), UB_OK);
    assert_int_equal(ub_space_add_edge(space, 0, 2), UB_OK);
    assert_int_equal(ub_space_add_edge(space, 1, 2), UB_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(ub_space_add_cell(space, &cell), UB_OK);
    assert_int_equal(ub_space_prune(space, choice, p[0], pruned, &repaired),
                     UB_OK);
    assert_memory_equal(pruned, expected, sizeof(expected));
    assert_int_equal(repaired, 1);
    ub_space_destroy(&space);
    ub_context_destroy(&context);
}

/* The neighbours are all that differ in one decision, each once. */
static void test_choices(void **state)
{
    ub_context *context = test_context(1);
    ub_space *space = uboost(context);
    int32_t a[9], b[9];
    int seen[9][8] = { { 0 } };
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 1, 1);
    ub_space_sample(space, &rng, a);
    for (int64_t i = 0; i < 9 * 7; i++) {
        assert_int_equal(ub_space_neighbour(space, a, i, b), UB_OK);
        assert_int_equal(ub_space_distance(space, a, b), 1);
        for (int d = 0; d < 9; d++) {
            assert_in_range(b[d], 0, 7);
            if (b[d] != a[d])
                assert_int_equal(seen[d][b[d]]++, 0);
        }
    }
    assert_int_equal(ub_space_neighbour(space, a, 63, b), UB_ERR_INVALID);
    assert_int_equal(ub_space_neighbour(space, a, -1, b), UB_ERR_INVALID);
    a[0] = INT32_MAX;
    assert_int_equal(ub_space_neighbour(space, a, 0, b), UB_ERR_INVALID);
    a[0] = -9;
    assert_int_equal(ub_space_neighbour(space, a, 0, b), UB_ERR_INVALID);
    ub_space_destroy(&space);
    ub_context_destroy(&context);
}

/* prev->t1 conv 3x3, t1->t3 separable, prevprev->t3 identity */
static const int32_t small_choice[9] = { CONV3,    ZERO, ZERO, ZERO, ZERO,
                                         IDENTITY, ZERO, SEP3, ZERO };

static void test_derive(void **state)
{
    ub_context *context = test_context(1);
    ub_space *space = uboost(context);
    ub_network *network = NULL;
    ub_layer_info info = { .size = sizeof(info) };
    int64_t widths[33];

    (void) state;
    for (int i = 0; i < 33; i++)
        widths[i] = 4 + i % 11; /* inputs 4 and 5, edges 6 to 14 */
    assert_int_equal(ub_space_derive(space, small_choice, widths, &network),
                     UB_OK);
    /* stem 3->8; prev 8->4, prevprev 8->5, t1 4->6, separable 6->13; identity
     * 5 is aligned to 13 */
    assert_int_equal(
        ub_network_layer(network, ub_network_find(network, "cell0.edge5.align"),
                         &info),
        UB_OK);
    assert_int_equal(info.in_channels, 5);
    assert_int_equal(info.out_channels, 13);
    assert_int_equal(ub_network_find(network, "cell0.edge7.align"), -1);
    assert_int_equal(ub_network_layer(network,
                                      ub_network_find(network, "cell1.input1"),
                                      &info),
                     UB_OK);
    assert_int_equal(info.layer->stride, 2);
    assert_int_equal(info.in_channels, 8);
    assert_int_equal(info.out_height, 8);
    assert_int_equal(ub_network_layer(network,
                                      ub_network_find(network, "classifier"),
                                      &info),
                     UB_OK);
    assert_int_equal(info.in_channels, 13 * 2 * 2);
    assert_int_equal(info.out_channels, 10);
    ub_network_destroy(&network);
    ub_space_destroy(&space);
    ub_context_destroy(&context);
}

/* NAS-Bench-201's cell: four nodes, every earlier one feeds every later one,
 * no preprocessing, average pooling among the operators. */
static ub_status nas_bench_201(ub_context *context, ub_space **out)
{
    static const ub_operator_step conv1[] = { { UB_STEP_CONV, 1, 1, 1, 0, 0 } };
    static const ub_operator_step conv3[] = { { UB_STEP_CONV, 1, 3, 1, 0, 0 } };
    static const ub_operator_step pool[] = { { UB_STEP_AVG_POOL, 0, 3, 1, 0,
                                               0 } };
    const ub_operator ops[] = {
        { sizeof(ub_operator), "none", NULL, 0, 1, 0 },
        { sizeof(ub_operator), "skip_connect", NULL, 0, 0, 0 },
        { sizeof(ub_operator), "nor_conv_1x1", conv1, 1, 0, 0 },
        { sizeof(ub_operator), "nor_conv_3x3", conv3, 1, 0, 0 },
        { sizeof(ub_operator), "avg_pool_3x3", pool, 1, 0, 0 },
    };
    const ub_space_cell cell = { 0, 1, 0 };
    ub_space_options o;
    ub_space *space = NULL;
    ub_status status;

    ub_space_options_init(&o, sizeof(o));
    o.inputs = 1;
    o.nodes = 4;
    o.output = 3;
    o.preprocess = 0;
    o.stem_pool = 0;
    o.global_pool = 1;
    status = ub_space_create(context, &o, &space);
    for (int i = 0; i < 5 && status == UB_OK; i++)
        status = ub_space_add_operator(space, &ops[i]);
    for (int to = 1; to < 4; to++) {
        for (int from = 0; from < to && status == UB_OK; from++)
            status = ub_space_add_edge(space, from, to);
    }
    for (int i = 0; i < 2 && status == UB_OK; i++)
        status = ub_space_add_cell(space, &cell);
    if (status == UB_OK)
        *out = space;
    else
        ub_space_destroy(&space);
    return status;
}

static void test_nas_bench_201(void **state)
{
    ub_context *context = test_context(1);
    const int32_t choice[6] = { 3, 1, 2, 4, 3, 1 };
    ub_network *network = NULL;
    ub_space *space = NULL;

    (void) state;
    assert_int_equal(nas_bench_201(context, &space), UB_OK);
    assert_int_equal(ub_space_decisions(space), 6);
    assert_int_equal(ub_space_derive(space, choice, NULL, &network), UB_OK);
    /* stem 3*16*9*1024, per cell two 3x3 and one 1x1 on 32x32, classifier */
    assert_int_equal(ub_network_macs(network),
                     3 * 16 * 9 * 1024 +
                         2 * 1024 * (2 * 16 * 16 * 9 + 16 * 16) + 160);
    ub_network_destroy(&network);
    ub_space_destroy(&space);
    ub_context_destroy(&context);
}

/* FBNet's blocks: one edge a cell, widths and strides of its own, expansion
 * and residual inside the operator. */
static void test_fbnet(void **state)
{
    static const ub_operator_step k3e6[] = {
        { UB_STEP_CONV, 1, 1, 1, 6, 0 },
        { UB_STEP_DEPTHWISE, 1, 3, 1, 0, 0 },
        { UB_STEP_CONV, 0, 1, 1, 0, 0 },
    };
    const ub_operator block = {
        sizeof(ub_operator), "k3_e6", k3e6, 3, 0, 1,
    };
    const ub_space_cell cells[2] = { { 24, 2, 0 }, { 24, 1, 0 } };
    const int32_t choice[2] = { 0, 0 };
    ub_context *context = test_context(1);
    ub_layer_info info = { .size = sizeof(info) };
    ub_network *network = NULL;
    ub_space_options o;
    ub_space *space = NULL;

    (void) state;
    ub_space_options_init(&o, sizeof(o));
    o.inputs = 1;
    o.nodes = 2;
    o.output = 1;
    o.preprocess = 0;
    o.shared = 0;
    o.stem_pool = 0;
    assert_int_equal(ub_space_create(context, &o, &space), UB_OK);
    assert_int_equal(ub_space_add_operator(space, &block), UB_OK);
    assert_int_equal(ub_space_add_edge(space, 0, 1), UB_OK);
    assert_int_equal(ub_space_add_cell(space, &cells[0]), UB_OK);
    assert_int_equal(ub_space_add_cell(space, &cells[1]), UB_OK);
    assert_int_equal(ub_space_decisions(space), 2);
    assert_int_equal(ub_space_derive(space, choice, NULL, &network), UB_OK);
    assert_int_equal(
        ub_network_layer(
            network, ub_network_find(network, "cell0.edge0.k3_e6.1"), &info),
        UB_OK);
    assert_int_equal(info.in_channels, 16 * 6);
    assert_int_equal(info.out_height, 16);
    assert_int_equal(ub_network_find(network, "cell0.edge0.k3_e6.sum"), -1);
    assert_true(ub_network_find(network, "cell1.edge0.k3_e6.sum") > 0);
    ub_network_destroy(&network);
    ub_space_destroy(&space);
    ub_context_destroy(&context);
}

static ub_status derive_scenario(ub_context *context, void *arg)
{
    ub_network *network = NULL;
    ub_space *space = NULL;
    ub_status status = ub_space_uboost(context, NULL, 3, &space);
    int32_t pruned[9];

    (void) arg;
    if (status == UB_OK)
        status = ub_space_prune(space, small_choice, NULL, pruned, NULL);
    if (status == UB_OK)
        status = ub_space_derive(space, pruned, NULL, &network);
    ub_network_destroy(&network);
    ub_space_destroy(&space);
    return status;
}

static void test_out_of_memory(void **state)
{
    (void) state;
    assert_survives_oom(derive_scenario, 1, NULL);
}

/* Where cells read only the one before the last, every second one leads
 * nowhere and is not built. */
static void test_unread_cell(void **state)
{
    ub_context *context = test_context(1);
    ub_space *space = uboost(context);
    ub_network *network = NULL;
    int32_t choice[9];

    (void) state;
    for (int e = 0; e < 9; e++)
        choice[e] = space->edges[e].from == 1 && space->edges[e].to == 4 ? CONV3
                                                                         : ZERO;
    assert_int_equal(ub_space_derive(space, choice, NULL, &network), UB_OK);
    /* stem 32x32, preprocessing and edge at 16x16 and 4x4, classifier */
    assert_int_equal(ub_network_macs(network),
                     9 * (3 * 8 * 1024 + 2 * 8 * 8 * (256 + 16)) +
                         8 * 2 * 2 * 10);
    for (int64_t i = 0; i < ub_network_layers(network); i++) {
        ub_layer_info info = { .size = sizeof(info) };

        assert_int_equal(ub_network_layer(network, i, &info), UB_OK);
        assert_null(strstr(info.name, "cell1."));
    }
    ub_network_destroy(&network);
    ub_space_destroy(&space);
    ub_context_destroy(&context);
}

static void test_null_arguments(void **state)
{
    ub_context *context = test_context(1);
    ub_space *space = uboost(context);
    ub_network *network = NULL;
    int32_t out[9] = { 0 };

    (void) state;
    assert_int_equal(ub_space_prune(NULL, small_choice, NULL, out, NULL),
                     UB_ERR_INVALID);
    assert_int_equal(ub_space_prune(space, NULL, NULL, out, NULL),
                     UB_ERR_INVALID);
    assert_int_equal(ub_space_prune(space, small_choice, NULL, NULL, NULL),
                     UB_ERR_INVALID);
    assert_int_equal(ub_space_neighbour(NULL, small_choice, 0, out),
                     UB_ERR_INVALID);
    assert_int_equal(ub_space_neighbour(space, NULL, 0, out), UB_ERR_INVALID);
    assert_int_equal(ub_space_neighbour(space, small_choice, 0, NULL),
                     UB_ERR_INVALID);
    assert_int_equal(ub_space_derive(NULL, small_choice, NULL, &network),
                     UB_ERR_INVALID);
    assert_int_equal(ub_space_derive(space, NULL, NULL, &network),
                     UB_ERR_INVALID);
    assert_int_equal(ub_space_derive(space, small_choice, NULL, NULL),
                     UB_ERR_INVALID);
    assert_null(network);
    ub_space_destroy(&space);
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uboost_space),
        cmocka_unit_test(test_refused_options),
        cmocka_unit_test(test_refused_edges),
        cmocka_unit_test(test_odd_maps),
        cmocka_unit_test(test_prune_chain),
        cmocka_unit_test(test_prune_empty_source),
        cmocka_unit_test(test_repair),
        cmocka_unit_test(test_prune_zeros),
        cmocka_unit_test(test_choices),
        cmocka_unit_test(test_derive),
        cmocka_unit_test(test_nas_bench_201),
        cmocka_unit_test(test_fbnet),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_unread_cell),
        cmocka_unit_test(test_null_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
