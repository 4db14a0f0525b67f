/* SPDX-License-Identifier: BSD-2-Clause */
#include "accelerator/accelerator.h"
#include "support.h"

#include <string.h>

static void add_layer(ub_network *n, const char *name, const ub_layer *l,
                      int64_t input)
{
    assert_int_equal(ub_network_add(n, name, l, 1, &input, NULL), UB_OK);
}

/* Conv, depthwise, grouped, pooled, linear: 3 x 9 x 7 to 5 classes. */
static ub_network *small_network(ub_context *context)
{
    ub_network *n;
    ub_layer l;

    assert_int_equal(ub_network_create(context, "small", 3, 9, 7, &n), UB_OK);
    ub_layer_init(&l, sizeof(l), UB_LAYER_CONV);
    l.out_channels = 8;
    l.kernel_height = 3;
    l.kernel_width = 5;
    l.pad_height = 1;
    l.pad_width = 2;
    l.stride = 2;
    add_layer(n, "conv", &l, 0);
    l.groups = 8;
    l.stride = 1;
    add_layer(n, "depthwise", &l, 1);
    ub_layer_init(&l, sizeof(l), UB_LAYER_CONV);
    l.out_channels = 12;
    l.groups = 4;
    add_layer(n, "grouped", &l, 2);
    ub_layer_init(&l, sizeof(l), UB_LAYER_RELU);
    add_layer(n, "relu", &l, 3);
    ub_layer_init(&l, sizeof(l), UB_LAYER_GLOBAL_POOL);
    add_layer(n, "pool", &l, 4);
    ub_layer_init(&l, sizeof(l), UB_LAYER_LINEAR);
    l.out_channels = 5;
    add_layer(n, "classes", &l, 5);
    return n;
}

/* Multiply-accumulates, which no geometry may lose. */
static int64_t macs(const ub_workload *w)
{
    int64_t sum = 0;

    for (int64_t i = 0; i < ub_workload_layers(w); i++) {
        ub_workload_layer l = { .size = sizeof(l) };

        assert_int_equal(ub_workload_layer_get(w, i, &l), UB_OK);
        sum += l.in_channels * l.out_channels * l.groups * l.kernel_height *
               l.kernel_width * l.out_height * l.out_width;
    }
    return sum;
}

static void test_network(void **state)
{
    ub_context *context = test_context(1);
    ub_network *n = small_network(context);
    const int32_t bits[] = { 0, 8, 4, 6, 0, 0, 0 };
    const int64_t blocks[] = { 0, 0, 1, 1, 1, 1, 7 };
    ub_workload_layer l = { .size = sizeof(l) };
    ub_workload *w = NULL;

    (void) state;
    assert_int_equal(ub_workload_from_network(n, NULL, NULL, 0, &w), UB_OK);
    assert_int_equal(ub_workload_layers(w), 4);
    assert_int_equal(macs(w), ub_network_macs(n));
    ub_workload_destroy(&w);

    assert_int_equal(ub_workload_from_network(n, bits, blocks, 7, &w), UB_OK);
    assert_int_equal(ub_workload_layers(w), 3);
    assert_int_equal(ub_workload_blocks(w), 2);
    assert_int_equal(ub_workload_layer_get(w, 0, &l), UB_OK);
    assert_true(l.in_channels == 3 && l.out_channels == 8 && l.stride == 2 &&
                l.in_height == 9 && l.in_width == 7 && l.out_height == 5 &&
                l.out_width == 4 && l.kernel_height == 3 &&
                l.kernel_width == 5 && l.bits == 8 && l.groups == 1);
    assert_int_equal(ub_workload_layer_get(w, 1, &l), UB_OK);
    assert_true(l.depthwise == 1 && l.in_channels == 1 && l.out_channels == 8 &&
                l.bits == 4 && l.groups == 1);
    assert_int_equal(ub_workload_layer_get(w, 2, &l), UB_OK);
    assert_true(l.depthwise == 0 && l.in_channels == 2 && l.out_channels == 3 &&
                l.groups == 4 && l.bits == 6);
    assert_int_equal(ub_workload_layer_get(w, 3, &l), UB_ERR_INVALID);
    ub_workload_destroy(&w);
    assert_int_equal(ub_workload_from_network(n, bits, NULL, 6, &w),
                     UB_ERR_INVALID);
    assert_null(w);
    ub_network_destroy(&n);
    ub_context_destroy(&context);
}

/* Any network has a best accelerator, and is not slower where bits save DSPs.
 */
static void test_network_solved(void **state)
{
    const int32_t widths[] = { 4, 6, 8 };
    ub_context *context = test_context(1);
    ub_network *n = small_network(context);
    ub_accelerator_options o;
    ub_accelerator *a;
    double before = 0;

    (void) state;
    ub_accelerator_options_init(&o, sizeof(o), UB_ACCELERATOR_CIFAR);
    o.large_extent = 5;
    o.dsp_limit = 24;
    assert_int_equal(ub_accelerator_create(context, &o, &a), UB_OK);
    for (int i = 0; i < 3; i++) {
        ub_accelerator_result r = { .size = sizeof(r) };
        int32_t bits[7], c[12 * UB_CHUNK_FIELDS];
        double cycles[4], sum = 0;
        ub_accelerator_search *s;
        ub_workload *w;

        for (int l = 0; l < 7; l++)
            bits[l] = widths[i];
        assert_int_equal(ub_workload_from_network(n, bits, NULL, 7, &w), UB_OK);
        assert_int_equal(ub_accelerator_search_create(a, NULL, &s), UB_OK);
        assert_int_equal(ub_accelerator_search_run(s, w, 0, c, &r), UB_OK);
        assert_int_equal(ub_accelerator_evaluate(a, w, c, cycles, &r), UB_OK);
        for (int l = 0; l < 4; l++)
            sum += cycles[l];
        assert_close(sum, r.cycles, 1e-9 * sum);
        assert_true(r.dsp <= 24 && r.bottleneck >= before);
        assert_true(r.chunk >= 4 * i && r.chunk < 4 * i + 4);
        before = r.bottleneck;
        ub_accelerator_search_destroy(&s);
        ub_workload_destroy(&w);
    }
    ub_accelerator_destroy(&a);
    ub_network_destroy(&n);
    ub_context_destroy(&context);
}

/* What a network may have and a workload may not. */
static void test_unsupported(void **state)
{
    ub_context *context = test_context(1);
    const int64_t twice[] = { 0, 0 };
    ub_workload *w = NULL;
    ub_network *n;
    ub_layer l;

    (void) state;
    assert_int_equal(ub_network_create(context, "n", 2, 6, 6, &n), UB_OK);
    ub_layer_init(&l, sizeof(l), UB_LAYER_CONV);
    l.out_channels = 4;
    l.kernel_height = l.kernel_width = 3;
    l.dilation = 2;
    add_layer(n, "dilated", &l, 0);
    assert_int_equal(ub_workload_from_network(n, NULL, NULL, 0, &w),
                     UB_ERR_UNSUPPORTED);
    ub_network_destroy(&n);
    assert_int_equal(ub_network_create(context, "n", 2, 6, 6, &n), UB_OK);
    ub_layer_init(&l, sizeof(l), UB_LAYER_MATMUL);
    assert_int_equal(ub_network_add(n, "product", &l, 2, twice, NULL), UB_OK);
    assert_int_equal(ub_workload_from_network(n, NULL, NULL, 0, &w),
                     UB_ERR_UNSUPPORTED);
    assert_null(w);
    ub_network_destroy(&n);
    ub_context_destroy(&context);
}

/* -- blocks
 * -------------------------------------------------------------------- */

static ub_workload *fbnet(ub_context *context, int32_t preset, int32_t setting,
                          int32_t op)
{
    int32_t operators[UB_WORKLOAD_FBNET_BLOCKS];
    int32_t bits[UB_WORKLOAD_FBNET_BLOCKS];
    ub_workload *w;

    for (int i = 0; i < UB_WORKLOAD_FBNET_BLOCKS; i++) {
        operators[i] = op;
        bits[i] = 8;
    }
    assert_int_equal(
        ub_workload_fbnet(context, preset, setting, operators, bits, &w),
        UB_OK);
    return w;
}

/* Blocks of the true network have the MACs that its definition gives, counted
 * here from its table of stages. */
static void test_fbnet_macs(void **state)
{
    const int64_t in[] = { 16, 16, 24, 32, 64, 112, 184 };
    const int64_t out[] = { 16, 24, 32, 64, 112, 184, 352 };
    const int64_t side[] = { 32, 32, 32, 16, 8, 8, 4 };
    const int64_t stride[] = { 1, 1, 2, 2, 1, 2, 1 };
    const int64_t count[] = { 1, 4, 4, 4, 4, 4, 1 };
    ub_context *context = test_context(1);
    ub_workload *w = fbnet(context, UB_ACCELERATOR_CIFAR,
                           UB_ACCELERATOR_CORRECTED, UB_FBNET_K3_E6);
    int64_t expected = 0;

    (void) state;
    for (int s = 0; s < 7; s++) {
        for (int64_t b = 0; b < count[s]; b++) {
            const int64_t c = b == 0 ? in[s] : out[s];
            const int64_t to = side[s] / stride[s];
            const int64_t from = b == 0 ? side[s] : to;

            expected += from * from * c * 6 * c + to * to * 6 * c * 9 +
                        to * to * 6 * c * out[s];
        }
    }
    assert_int_equal(macs(w), expected);
    assert_int_equal(ub_workload_layers(w), 66);
    ub_workload_destroy(&w);
    ub_context_destroy(&context);
}

/* A skip is a convolution where the shape changes, and nothing elsewhere; in
 * the reference it is nothing anywhere. */
static void test_skips(void **state)
{
    ub_context *context = test_context(1);
    ub_workload *w = fbnet(context, UB_ACCELERATOR_IMAGENET,
                           UB_ACCELERATOR_CORRECTED, UB_FBNET_SKIP);
    const int64_t blocks[] = { 1, 5, 9, 13, 17, 21 };
    ub_accelerator_result r = { .size = sizeof(r) };
    int32_t c[12 * UB_CHUNK_FIELDS];
    ub_accelerator_search *s;
    ub_accelerator *a;

    (void) state;
    assert_int_equal(ub_workload_layers(w), 6);
    assert_int_equal(ub_workload_blocks(w), UB_WORKLOAD_FBNET_BLOCKS);
    for (int64_t i = 0; i < 6; i++) {
        ub_workload_layer l = { .size = sizeof(l) };

        assert_int_equal(ub_workload_layer_get(w, i, &l), UB_OK);
        assert_int_equal(l.block, blocks[i]);
        assert_int_equal(l.in_height, l.out_height * l.stride);
    }
    ub_workload_destroy(&w);

    w = fbnet(context, UB_ACCELERATOR_IMAGENET, UB_ACCELERATOR_REFERENCE,
              UB_FBNET_SKIP);
    assert_int_equal(ub_workload_layers(w), 0);
    assert_int_equal(ub_workload_blocks(w), UB_WORKLOAD_FBNET_BLOCKS);
    assert_int_equal(ub_accelerator_create(context, NULL, &a), UB_OK);
    for (int32_t engine = 0; engine < 3; engine++) {
        ub_accelerator_search_options o;

        ub_accelerator_search_options_init(&o, sizeof(o));
        o.engine = engine;
        assert_int_equal(ub_accelerator_search_create(a, &o, &s), UB_OK);
        assert_int_equal(ub_accelerator_search_run(s, w, 10, c, &r),
                         UB_ERR_INVALID);
        ub_accelerator_search_destroy(&s);
    }
    ub_accelerator_destroy(&a);
    ub_workload_destroy(&w);
    ub_context_destroy(&context);
}

/* Each block keeps its own bits, behind a skip too; in the reference it takes
 * those of the block before. */
static void test_bits(void **state)
{
    ub_context *context = test_context(1);
    int32_t operators[UB_WORKLOAD_FBNET_BLOCKS];
    int32_t bits[UB_WORKLOAD_FBNET_BLOCKS];

    (void) state;
    for (int i = 0; i < UB_WORKLOAD_FBNET_BLOCKS; i++) {
        operators[i] = i == 0 ? UB_FBNET_SKIP : UB_FBNET_K5_E1;
        bits[i] = i + 1;
    }
    for (int32_t setting = 0; setting < 2; setting++) {
        ub_workload *w;

        assert_int_equal(ub_workload_fbnet(context, UB_ACCELERATOR_CIFAR,
                                           setting, operators, bits, &w),
                         UB_OK);
        for (int64_t i = 0; i < ub_workload_layers(w); i++) {
            ub_workload_layer l = { .size = sizeof(l) };

            assert_int_equal(ub_workload_layer_get(w, i, &l), UB_OK);
            assert_int_equal(l.bits, l.block + setting);
        }
        ub_workload_destroy(&w);
    }
    ub_context_destroy(&context);
}

static void test_bad_blocks(void **state)
{
    ub_context *context = test_context(1);
    const int64_t bad[] = { 0, -1, UB_WORKLOAD_MAX_SIZE, INT64_MAX };
    ub_workload_block b;
    ub_workload *w;

    (void) state;
    assert_int_equal(ub_workload_create(context, &w), UB_OK);
    for (int i = 0; i < 5; i++) {
        for (int j = 0; j < 4; j++) {
            ub_workload_block_init(&b, sizeof(b));
            (&b.in_channels)[i] = bad[j];
            assert_int_equal(ub_workload_add_block(w, &b), UB_ERR_INVALID);
        }
    }
    ub_workload_block_init(&b, sizeof(b));
    b.op = UB_FBNET_SKIP + 1;
    assert_int_equal(ub_workload_add_block(w, &b), UB_ERR_INVALID);
    b.op = UB_FBNET_K3_E1_G2;
    b.in_channels = 3;
    b.out_channels = 4;
    assert_int_equal(ub_workload_add_block(w, &b), UB_ERR_SHAPE);
    b.in_channels = 4;
    b.bits = 0;
    assert_int_equal(ub_workload_add_block(w, &b), UB_ERR_INVALID);
    assert_int_equal(ub_workload_layers(w), 0);
    assert_int_equal(ub_workload_blocks(w), 0);
    ub_workload_destroy(&w);
    ub_context_destroy(&context);
}

static ub_status build(ub_context *context, void *arg)
{
    ub_workload_block b;
    ub_workload *w = NULL;
    ub_status status = ub_workload_create(context, &w);

    (void) arg;
    ub_workload_block_init(&b, sizeof(b));
    b.op = UB_FBNET_K3_E6;
    for (int i = 0; status == UB_OK && i < 100; i++)
        status = ub_workload_add_block(w, &b);
    if (w != NULL && status != UB_OK)
        assert_int_equal(w->n, 3 * w->blocks);
    ub_workload_destroy(&w);
    return status;
}

static void test_oom(void **state)
{
    (void) state;
    assert_survives_oom(build, 1, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_network),
        cmocka_unit_test(test_network_solved),
        cmocka_unit_test(test_unsupported),
        cmocka_unit_test(test_fbnet_macs),
        cmocka_unit_test(test_skips),
        cmocka_unit_test(test_bits),
        cmocka_unit_test(test_bad_blocks),
        cmocka_unit_test(test_oom),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
