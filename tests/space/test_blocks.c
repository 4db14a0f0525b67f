/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <string.h>
#include <uboost/space.h>

/* Blocks, zeros, and the steps that U-Boost's space does without. */

#define OK(call)      assert_int_equal((call), UB_OK)
#define STEP_COUNT(s) ((int64_t) (sizeof(s) / sizeof((s)[0])))

static const ub_operator_step conv[] = { { UB_STEP_CONV, 1, 3, 1, 0, 1 } };
static const ub_operator_step point[] = { { UB_STEP_CONV, 1, 1, 1, 0, 1 } };
static const ub_operator_step mixed[] = {
    { UB_STEP_NORM, 1, 0, 0, 0, 7 },
    { UB_STEP_CONV, 0, 1, 1, 2, 2 },
    { UB_STEP_CHANNEL_SHUFFLE, 0, 0, 0, 0, 4 },
    { UB_STEP_RELU, 0, 0, 0, 0, 0 },
    { UB_STEP_MAX_POOL, 0, 0, 1, 0, 0 },
    { UB_STEP_PLAIN_CONV, 0, 3, 2, 0, 0 },
};

static ub_operator operator_of(const char *name, const ub_operator_step *steps,
                               int64_t n, int32_t residual)
{
    return (ub_operator){ sizeof(ub_operator), name, steps, n, 0, residual };
}

/* Two inner nodes behind one input, with edges 0->1, 0->2, 1->2. */
static ub_space *small_space(ub_context *context, int64_t stem)
{
    const ub_operator ops[] = {
        { sizeof(ub_operator), "zero", NULL, 0, 1, 0 },
        operator_of("conv", conv, 1, UB_RESIDUAL_NONE),
        operator_of("skip", point, 1, UB_RESIDUAL_ONLY),
        { sizeof(ub_operator), "identity", NULL, 0, 0, 0 },
    };
    ub_space_options o;
    ub_space *space = NULL;

    ub_space_options_init(&o, sizeof(o));
    o.height = 8;
    o.width = 12;
    o.base_width = 4;
    o.inputs = 1;
    o.nodes = 3;
    o.output = 2;
    o.preprocess = 0;
    o.stem_kernel = stem;
    o.stem_pool = o.shared = 0;
    o.global_pool = 1;
    OK(ub_space_create(context, &o, &space));
    for (int i = 0; i < 4; i++)
        OK(ub_space_add_operator(space, &ops[i]));
    OK(ub_space_add_edge(space, 0, 1));
    OK(ub_space_add_edge(space, 0, 2));
    OK(ub_space_add_edge(space, 1, 2));
    return space;
}
enum { ZERO, CONV, SKIP, IDENTITY };

static ub_layer_info layer_called(const ub_network *network, const char *name)
{
    const int64_t index = ub_network_find(network, name);

    if (index < 0)
        fail_msg("no layer %s", name);
    return test_info(network, index);
}

/* Every step, in a block of two operators that reads the images. */
static void test_block(void **state)
{
    ub_context *context = test_context(1);
    ub_space *space = small_space(context, 0);
    const ub_operator sum[2] = {
        operator_of("mixed", mixed, STEP_COUNT(mixed), UB_RESIDUAL_NONE),
        operator_of("point", point, 1, UB_RESIDUAL_NONE),
    };
    const ub_operator wide = operator_of("wide", point, 1, UB_RESIDUAL_NONE);
    const ub_space_cell cells[3] = { { 4, 1, 0 }, { 6, 2, 1 }, { 0, 1, 0 } };
    const int32_t choice[3] = { SKIP, SKIP, SKIP };
    ub_network *network = NULL;
    ub_layer_info info;

    (void) state;
    OK(ub_space_add_block(space, &cells[0], &wide, 1));
    OK(ub_space_add_block(space, &cells[1], sum, 2));
    OK(ub_space_add_cell(space, &cells[2]));
    assert_int_equal(ub_space_cells(space), 1);
    assert_int_equal(ub_space_decisions(space), 3);
    assert_int_equal(ub_space_sites(space), 4);
    OK(ub_space_derive(space, choice, NULL, &network));
    assert_int_equal(layer_called(network, "block0.wide.0").in_channels, 3);
    info = layer_called(network, "block1.mixed.0.relu");
    assert_int_equal(info.out_channels, 4);
    info = layer_called(network, "block1.mixed.1");
    assert_int_equal(info.parameters, 8 * 2);
    assert_int_equal(info.layer->stride, 1);
    assert_true(ub_network_find(network, "block1.mixed.1.norm") > 0);
    assert_int_equal(ub_network_find(network, "block1.mixed.1.relu"), -1);
    assert_int_equal(layer_called(network, "block1.mixed.2").layer->groups, 4);
    info = layer_called(network, "block1.mixed.4"); /* takes the stride */
    assert_int_equal(info.layer->kernel_width, 2);
    assert_int_equal(info.out_height, 4);
    info = layer_called(network, "block1.mixed.5");
    assert_int_equal(info.layer->dilation, 2);
    assert_int_equal(info.out_channels, 6);
    assert_int_equal(ub_network_find(network, "block1.mixed.5.norm"), -1);
    assert_int_equal(layer_called(network, "block1.point.0").layer->stride, 2);
    assert_int_equal(layer_called(network, "block1").layer->kind, UB_LAYER_ADD);
    assert_int_equal(layer_called(network, "block1.pool").out_width, 3);
    /* 6 to 4 channels in the first edges, nothing between equal ones */
    assert_true(ub_network_find(network, "cell0.edge0.skip.0") > 0);
    assert_int_equal(ub_network_find(network, "cell0.edge2.skip.0"), -1);
    ub_network_destroy(&network);
    ub_space_destroy(&space);
    ub_context_destroy(&context);
}

/* An empty node is zeros of the cell's shape where something reads it. */
static void test_zeros(void **state)
{
    static const struct {
        int32_t choice[3];
        int64_t zeros, macs; /* behind the stem */
    } cases[] = {
        { { ZERO, ZERO, ZERO }, 1, 0 },
        { { ZERO, ZERO, CONV }, 1, 24 * 9 * 36 },
        { { CONV, ZERO, ZERO }, 1, 24 * 9 * 24 },
        { { ZERO, CONV, ZERO }, 0, 24 * 9 * 24 },
        { { ZERO, CONV, IDENTITY }, 1, 24 * 9 * 24 },
    };
    const ub_space_cell cell = { 6, 2, 0 };
    ub_context *context = test_context(1);
    ub_space *space = small_space(context, 3);

    (void) state;
    OK(ub_space_add_cell(space, &cell));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ub_network *network = NULL;
        int64_t zeros = 0;

        OK(ub_space_derive(space, cases[i].choice, NULL, &network));
        for (int64_t k = 0; k < ub_network_layers(network); k++) {
            const ub_layer_info info = test_info(network, k);

            if (info.layer->kind != UB_LAYER_ZERO)
                continue;
            zeros++;
            assert_int_equal(info.out_channels, 6);
            assert_int_equal(info.out_height, 4);
            assert_int_equal(info.out_width, 6);
        }
        assert_int_equal(zeros, cases[i].zeros);
        assert_int_equal(ub_network_macs(network),
                         96 * 27 * 4 + cases[i].macs + 60);
        ub_network_destroy(&network);
    }
    ub_space_destroy(&space);
    ub_context_destroy(&context);
}

static void refuse(ub_context *context, ub_space *space,
                   const ub_space_cell *cell, const ub_operator *ops, int64_t n,
                   ub_status status, const char *text)
{
    assert_int_equal(ub_space_add_block(space, cell, ops, n), status);
    if (strstr(ub_context_last_error(context), text) == NULL)
        fail_msg("'%s' lacks '%s'", ub_context_last_error(context), text);
}

static void test_refused(void **state)
{
    static const ub_operator_step steps[] = {
        { UB_STEP_CONV, 1, 0, 1, 0, 1 },  { UB_STEP_AVG_POOL, 0, 2, 1, 0, 1 },
        { UB_STEP_CONV, 1, 3, 1, 0, -1 }, { 9, 0, 1, 1, 0, 1 },
        { UB_STEP_RELU, 0, 1, 1, 2, 1 },
    };
    static const char *const texts[] = { "kernel 0", "kernel 2", "-1 groups",
                                         "kind 9", "expansion 2" };
    const ub_operator good = operator_of("good", conv, 1, UB_RESIDUAL_ADD);
    const ub_operator twice[2] = { good, good };
    const ub_operator zero = { sizeof(ub_operator), "zero", NULL, 0, 1, 0 };
    const ub_operator odd = operator_of("odd", conv, 1, 3);
    const ub_operator still = operator_of("still", NULL, 0, 0);
    const ub_space_cell cell = { 4, 1, 0 }, third = { 4, 3, 0 };
    const ub_space_cell half = { 4, 2, 0 };
    const int32_t choice[3] = { CONV, CONV, CONV };
    ub_context *context = test_context(1);
    ub_space *space = small_space(context, 3);
    ub_network *network = NULL;

    (void) state;
    refuse(context, space, &cell, &good, 0, UB_ERR_INVALID, "0 operators");
    refuse(context, space, &cell, NULL, 1, UB_ERR_INVALID, "1 operators");
    refuse(context, space, NULL, &good, 1, UB_ERR_INVALID, "NULL");
    refuse(context, space, &third, &good, 1, UB_ERR_SHAPE, "8x12");
    refuse(context, space, &cell, twice, 2, UB_ERR_INVALID, "there already");
    refuse(context, space, &cell, &zero, 1, UB_ERR_INVALID, "no use for zero");
    refuse(context, space, &cell, &odd, 1, UB_ERR_INVALID, "residual 3");
    for (int i = 0; i < 5; i++) {
        const ub_operator bad = operator_of("bad", &steps[i], 1, 0);
        refuse(context, space, &cell, &bad, 1, UB_ERR_INVALID, texts[i]);
    }
    assert_int_equal(ub_space_add_block(NULL, &cell, &good, 1), UB_ERR_INVALID);
    OK(ub_space_add_block(space, &half, &still, 1));
    OK(ub_space_add_cell(space, &cell));
    assert_int_equal(ub_space_derive(space, choice, NULL, &network),
                     UB_ERR_SHAPE);
    assert_non_null(strstr(ub_context_last_error(context),
                           "block0.still cannot take a stride of 2"));
    ub_space_destroy(&space);
    ub_context_destroy(&context);
}

static void test_benchmark_options(void **state)
{
    ub_context *context = test_context(1);
    ub_space *space = NULL;
    ub_space_options o;

    (void) state;
    ub_space_options_init(&o, sizeof(o));
    assert_int_equal(ub_space_nasbench201(NULL, &o, 3, &space), UB_ERR_INVALID);
    assert_int_equal(ub_space_nasbench201(context, &o, 4, &space),
                     UB_ERR_INVALID);
    assert_int_equal(ub_space_nasbench201(context, &o, 63, &space),
                     UB_ERR_INVALID);
    assert_int_equal(ub_space_fbnet(NULL, &o, UB_FBNET_IMAGENET, &space),
                     UB_ERR_INVALID);
    assert_int_equal(ub_space_fbnet(context, &o, (ub_fbnet_variant) 2, &space),
                     UB_ERR_INVALID);
    OK(ub_space_fbnet(context, &o, UB_FBNET_IMAGENET, &space));
    ub_space_destroy(&space);
    o.depth = 2; /* 1 + 5 * 2 + 1 */
    OK(ub_space_fbnet(context, &o, UB_FBNET_CIFAR100, &space));
    assert_int_equal(ub_space_cells(space), 12);
    ub_space_destroy(&space);
    o.depth = 0;
    assert_int_equal(ub_space_fbnet(context, &o, UB_FBNET_CIFAR100, &space),
                     UB_ERR_INVALID);
    o.depth = 4;
    o.height = o.width = 16;
    assert_int_equal(ub_space_fbnet(context, &o, UB_FBNET_IMAGENET, &space),
                     UB_ERR_SHAPE);
    o.height = o.width = 30;
    assert_int_equal(ub_space_nasbench201(context, &o, 3, &space),
                     UB_ERR_SHAPE);
    o.base_width = 6;
    assert_int_equal(ub_space_fbnet(context, &o, UB_FBNET_CIFAR100, &space),
                     UB_ERR_INVALID);
    o.size = 3;
    assert_int_equal(ub_space_nasbench201(context, &o, 3, &space),
                     UB_ERR_INVALID);
    assert_int_equal(ub_space_fbnet(context, &o, UB_FBNET_CIFAR100, &space),
                     UB_ERR_INVALID);
    assert_null(space);
    ub_context_destroy(&context);
}

static ub_status nasbench201(ub_context *context, void *arg)
{
    ub_network *network = NULL;
    ub_space *space = NULL;
    ub_status status = ub_space_nasbench201(context, NULL, 3, &space);

    if (status == UB_OK)
        status = ub_space_derive(space, arg, NULL, &network);
    ub_network_destroy(&network);
    ub_space_destroy(&space);
    return status;
}

static ub_status fbnet(ub_context *context, void *arg)
{
    ub_network *network = NULL;
    ub_space *space = NULL;
    ub_status status = ub_space_fbnet(context, NULL, UB_FBNET_CIFAR100, &space);

    if (status == UB_OK)
        status = ub_space_derive(space, arg, NULL, &network);
    ub_network_destroy(&network);
    ub_space_destroy(&space);
    return status;
}

static void test_out_of_memory(void **state)
{
    int32_t none[6] = { 0 }, cell[6] = { 0, 2, 3, 4, 1, 2 };
    int32_t blocks[22] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 8, 8, 1 };

    (void) state;
    assert_survives_oom(nasbench201, 1, none);
    assert_survives_oom(nasbench201, 1, cell);
    assert_survives_oom(fbnet, 1, blocks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_block),
        cmocka_unit_test(test_zeros),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_benchmark_options),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
