/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <uboost/space.h>

#define OK(call) assert_int_equal((call), UB_OK)

/* NAS-Bench-201's operators that have weights. */
enum { NONE, SKIP, CONV1, CONV3, POOL };

static ub_space *nasbench201(ub_context *context, int64_t extent,
                             int64_t classes)
{
    ub_space_options o;
    ub_space *space = NULL;

    ub_space_options_init(&o, sizeof(o));
    o.height = o.width = extent;
    o.classes = classes;
    OK(ub_space_nasbench201(context, &o, 15, &space));
    return space;
}

/* Operators of cell number `code`, and how many are 1x1 and 3x3. */
static void decode(int code, int32_t choice[6], int64_t *n1, int64_t *n3)
{
    *n1 = *n3 = 0;
    for (int e = 0; e < 6; e++, code /= 5) {
        choice[e] = code % 5;
        *n1 += choice[e] == CONV1;
        *n3 += choice[e] == CONV3;
    }
}

static int64_t layers_of(const ub_network *network, int32_t kind)
{
    int64_t n = 0;

    for (int64_t i = 0; i < ub_network_layers(network); i++)
        n += test_info(network, i).layer->kind == kind;
    return n;
}

/* The benchmark's parameters and FLOPs (MACs and the classifier's bias) of all
 * cells, whatever of them leads nowhere, in closed form. */
static void check_counts(int64_t extent, int64_t classes, int step,
                         int64_t parameters, int64_t macs, int64_t macs1)
{
    ub_context *context = test_context(1);
    ub_space *space = nasbench201(context, extent, classes);

    for (int code = 0; code < 15625; code += step) {
        ub_network *network = NULL;
        int32_t choice[6];
        int64_t n1, n3;

        decode(code, choice, &n1, &n3);
        OK(ub_space_derive(space, choice, NULL, &network));
        assert_int_equal(ub_network_parameters(network),
                         parameters + 28000 * n1 + 243040 * n3);
        assert_int_equal(ub_network_macs(network) + classes,
                         macs + macs1 * (n1 + 9 * n3));
        if (code == 0) /* every cell is nothing but zeros */
            assert_int_equal(layers_of(network, UB_LAYER_ZERO), 15);
        ub_network_destroy(&network);
    }
    ub_space_destroy(&space);
    ub_context_destroy(&context);
}

static void test_nasbench201_counts(void **state)
{
    (void) state;
    check_counts(32, 10, 1, 73306, 7783050, 3932160);
    check_counts(32, 100, 7, 79156, 7788900, 3932160);
    check_counts(16, 120, 7, 80456, 1953400, 983040);
}

static ub_space *fbnet(ub_context *context, ub_fbnet_variant variant)
{
    ub_space *space = NULL;

    OK(ub_space_fbnet(context, NULL, variant, &space));
    return space;
}

static void test_fbnet_counts(void **state)
{
    static const struct {
        int64_t parameters, macs;
    } expected[] = { { 1170676, 31322240 }, { 3175096, 118371152 } };

    (void) state;
    for (int v = UB_FBNET_CIFAR100; v <= UB_FBNET_IMAGENET; v++) {
        ub_context *context = test_context(1);
        ub_space *space = fbnet(context, (ub_fbnet_variant) v);
        ub_network *network = NULL;
        int32_t choice[22] = { 0 };

        assert_int_equal(ub_space_decisions(space), 22);
        OK(ub_space_derive(space, choice, NULL, &network));
        assert_int_equal(ub_network_parameters(network),
                         expected[v].parameters);
        assert_int_equal(ub_network_macs(network), expected[v].macs);
        ub_network_destroy(&network);
        ub_space_destroy(&space);
        ub_context_destroy(&context);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nasbench201_counts),
        cmocka_unit_test(test_fbnet_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
