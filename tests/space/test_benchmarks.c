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

/* -- FBNet ---------------------------------------------------------------- */

enum { SKIP_LAYER = 8 };

/* A convolution without bias, and its batch norm. */
static void count_conv(int64_t in, int64_t out, int64_t window, int64_t map,
                       int64_t counts[2])
{
    counts[0] += in * out * window + 2 * out;
    counts[1] += in * out * window * map * map;
}

/* One layer, from its operator, channels, input map and stride. */
static void count_layer(int32_t op, int64_t in, int64_t out, int64_t map,
                        int64_t stride, int64_t counts[2])
{
    static const int64_t expansion[4] = { 1, 1, 3, 6 };
    const int64_t middle = op == SKIP_LAYER ? 0 : in * expansion[op % 4];
    const int64_t groups = op % 4 == 1 ? 2 : 1, kernel = op < 4 ? 3 : 5;

    if (op == SKIP_LAYER) {
        if (in != out || stride > 1)
            count_conv(in, out, 1, map / stride, counts);
        return;
    }
    counts[0] += in * middle / groups + 2 * middle;
    counts[1] += in * middle / groups * map * map;
    count_conv(1, middle, kernel * kernel, map / stride, counts);
    count_conv(middle / groups, out, 1, map / stride, counts);
}

/* Parameters and MACs, from a table of its own. */
static void count_fbnet(int imagenet, const int32_t *choice, int64_t counts[2])
{
    static const int64_t width[22] = { 16,  24,  24,  24,  24,  32,  32,  32,
                                       32,  64,  64,  64,  64,  112, 112, 112,
                                       112, 184, 184, 184, 184, 352 };
    const int64_t head = imagenet ? 1984 : 1504;
    const int64_t classes = imagenet ? 1000 : 100;
    int64_t map = imagenet ? 112 : 32, in = 16;

    counts[0] = counts[1] = 0;
    count_conv(3, 16, 9, map, counts);
    for (int i = 0; i < 22; i++) {
        const int64_t stride = i == 5 || i == 9 || i == 17 ||
                                       (imagenet && i == 1)
                                   ? 2
                                   : 1;

        count_layer(choice[i], in, width[i], map, stride, counts);
        in = width[i];
        map /= stride;
    }
    count_conv(in, head, 1, map, counts);
    counts[0] += (head + 1) * classes;
    counts[1] += head * classes;
}

/* All operators alike, then any; those of one operator are published. */
static void test_fbnet_counts(void **state)
{
    static const int64_t published[2][2] = { { 1170676, 31322240 },
                                             { 3175096, 118371152 } };
    ub_context *context = test_context(1);
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 1, 1);
    for (int v = 0; v < 2; v++) {
        ub_space *space = NULL;

        OK(ub_space_fbnet(context, NULL, (ub_fbnet_variant) v, &space));
        assert_int_equal(ub_space_decisions(space), 22);
        assert_string_equal(ub_space_operator_name(space, 5), "k5_e1_g2");
        for (int i = 0; i < 100; i++) {
            ub_network *network = NULL;
            int32_t choice[22];
            int64_t counts[2];

            ub_space_sample(space, &rng, choice);
            for (int k = 0; k < 22 && i < 9; k++)
                choice[k] = i;
            count_fbnet(v, choice, counts);
            OK(ub_space_derive(space, choice, NULL, &network));
            assert_int_equal(ub_network_parameters(network), counts[0]);
            assert_int_equal(ub_network_macs(network), counts[1]);
            if (i == 0)
                assert_memory_equal(counts, published[v], sizeof(counts));
            ub_network_destroy(&network);
        }
        ub_space_destroy(&space);
    }
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nasbench201_counts),
        cmocka_unit_test(test_fbnet_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
