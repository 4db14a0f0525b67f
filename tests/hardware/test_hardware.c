/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <uboost/utilization.h>

static void arrays(void **state)
{
    ub_hardware h, bad;

    (void) state;
    ub_hardware_init(&h, sizeof(h));
    assert_int_equal(ub_hardware_check(&h), UB_OK);
    assert_int_equal(h.bank_bytes, 5 << 20);
    assert_close(h.bandwidth, 80.0 * 1073741824, 0.0);
    assert_int_equal(ub_hardware_set_array(&h, 16, 8), UB_OK);
    assert_int_equal(h.rows, 16);
    assert_int_equal(h.columns, 8);
    assert_int_equal(h.bank_bytes, 5 * (1 << 17));
    assert_close(h.bandwidth, 10.0 * 1073741824, 0.0);
    assert_int_equal(ub_hardware_set_array(&h, 0, 8), UB_ERR_INVALID);
    assert_int_equal(ub_hardware_set_array(&h, 8, 65537), UB_ERR_INVALID);
    assert_int_equal(h.rows, 16);
    bad = h;
    bad.clock_hz = NAN;
    assert_int_equal(ub_hardware_check(&bad), UB_ERR_INVALID);
    bad = h;
    bad.bandwidth = 0.0;
    assert_int_equal(ub_hardware_check(&bad), UB_ERR_INVALID);
    bad.bandwidth = INFINITY;
    assert_int_equal(ub_hardware_check(&bad), UB_OK);
    bad.arrays = 2;
    bad.dataflow = UB_DATAFLOW_OS;
    assert_int_equal(ub_hardware_check(&bad), UB_OK);
    bad.dataflow = UB_DATAFLOW_IS + 1;
    assert_int_equal(ub_hardware_check(&bad), UB_ERR_INVALID);
    bad = h;
    bad.interconnect = UB_INTERCONNECT_BUS + 1;
    assert_int_equal(ub_hardware_check(&bad), UB_ERR_INVALID);
    bad = h;
    bad.input_bandwidth = NAN;
    assert_int_equal(ub_hardware_check(&bad), UB_ERR_INVALID);
    bad = h;
    bad.vector_lanes = -1;
    assert_int_equal(ub_hardware_check(&bad), UB_ERR_INVALID);
    bad = h;
    bad.size = 8;
    assert_int_equal(ub_hardware_check(&bad), UB_ERR_INVALID);
    assert_int_equal(ub_hardware_check(NULL), UB_ERR_INVALID);
}

/* conv 3 -> 8, 3x3, stride 2 on 9x7; depthwise; relu; linear */
static ub_network *sample(ub_context *context)
{
    ub_network *net = NULL;
    ub_layer layer;
    int64_t at = 0;

    assert_int_equal(ub_network_create(context, "net", 4, 9, 7, &net), UB_OK);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_CONV);
    layer.kernel_height = layer.kernel_width = 3;
    layer.stride = 2;
    layer.groups = 2;
    layer.out_channels = 8;
    assert_int_equal(ub_network_add(net, "conv", &layer, 1, &at, &at), UB_OK);
    layer.groups = 8;
    layer.stride = 1;
    assert_int_equal(ub_network_add(net, "dw", &layer, 1, &at, &at), UB_OK);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_FLATTEN);
    assert_int_equal(ub_network_add(net, "flat", &layer, 1, &at, &at), UB_OK);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_LINEAR);
    layer.out_channels = 10;
    assert_int_equal(ub_network_add(net, "fc", &layer, 1, &at, &at), UB_OK);
    return net;
}

static void products(void **state)
{
    /* m, k, n, count, input elements of one product */
    const int64_t expected[5][5] = { { 0, 0, 0, 0, 0 },
                                     { 5 * 12, 18, 4, 2, 5 * 63 * 2 },
                                     { 5 * 2, 9, 1, 8, 5 * 12 },
                                     { 0, 0, 0, 0, 0 },
                                     { 5, 16, 10, 1, 5 * 16 } };
    ub_context *context = test_context(1);
    ub_network *net = sample(context);
    ub_layer_info info = { .size = sizeof(info) };
    ub_gemm g = { .size = sizeof(g) };

    (void) state;
    for (int64_t i = 0; i < 5; i++) {
        assert_int_equal(ub_network_layer(net, i, &info), UB_OK);
        assert_int_equal(ub_layer_gemm(&info, 5, &g), UB_OK);
        assert_int_equal(g.m, expected[i][0]);
        assert_int_equal(g.k, expected[i][1]);
        assert_int_equal(g.n, expected[i][2]);
        assert_int_equal(g.count, expected[i][3]);
        assert_int_equal(g.input_elements, expected[i][4]);
        assert_int_equal(g.m * g.k * g.n * g.count, 5 * info.macs);
    }
    assert_int_equal(ub_layer_gemm(&info, 0, &g), UB_ERR_INVALID);
    assert_int_equal(ub_layer_gemm(&info, INT64_MAX / 8, &g), UB_ERR_RANGE);
    g.size = 0;
    assert_int_equal(ub_layer_gemm(&info, 5, &g), UB_ERR_INVALID);
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

/* Made by hand, with what a network does not let in. */
static void senseless_layers(void **state)
{
    ub_layer layer;
    ub_layer_info info = { .size = sizeof(info), .layer = &layer };
    ub_gemm g = { .size = sizeof(g), .m = -7 };
    ub_cost_layer l = { .size = sizeof(l), .batch = -7 };

    (void) state;
    info.in_channels = info.out_channels = 4;
    info.in_height = info.in_width = info.out_height = info.out_width = 5;
    for (int i = 0; i < 3; i++) {
        ub_layer_init(&layer, sizeof(layer), UB_LAYER_CONV);
        layer.groups = i != 0;
        layer.stride = i != 1;
        layer.dilation = i != 2;
        assert_int_equal(ub_layer_gemm(&info, 1, &g), UB_ERR_INVALID);
    }
    info.layer = NULL;
    assert_int_equal(ub_layer_gemm(&info, 1, &g), UB_ERR_INVALID);
    assert_int_equal(ub_cost_layer_from(&info, 1, &l), UB_ERR_INVALID);
    assert_int_equal(g.m, -7);
    assert_int_equal(l.batch, -7);
}

/* Elements that windows read, counted one by one. */
static int64_t count_read(int64_t extent, int64_t kernel, int64_t stride,
                          int64_t dilation, int64_t pad, int64_t out)
{
    char seen[64] = { 0 };
    int64_t n = 0;

    for (int64_t i = 0; i < out; i++) {
        for (int64_t j = 0; j < kernel; j++) {
            const int64_t at = i * stride + j * dilation - pad;

            if (at >= 0 && at < extent && !seen[at]) {
                seen[at] = 1;
                n++;
            }
        }
    }
    return n;
}

/* Strides beyond the kernel, dilation, padding, extents rounded up, own maps.
 */
static void elements_read(void **state)
{
    ub_context *context = test_context(1);
    ub_network *net = NULL;
    ub_layer_info info = { .size = sizeof(info) };
    ub_gemm g = { .size = sizeof(g) };
    int64_t zero = 0, n = 0;

    (void) state;
    assert_int_equal(ub_network_create(context, "net", 1, 1, 1, &net), UB_OK);
    for (int64_t code = 0; code < 12 * 5 * 6 * 4 * 4 * 2; code++) {
        ub_layer layer;
        char name[16];

        ub_layer_init(&layer, sizeof(layer), UB_LAYER_CONV);
        layer.in_channels = 2;
        layer.in_height = code % 12 + 1;
        layer.in_width = 5;
        layer.kernel_height = code / 12 % 5 + 1;
        layer.stride = code / 60 % 6 + 1;
        layer.dilation = code / 360 % 4 + 1;
        layer.pad_height = code / 1440 % 4;
        layer.round_up = (int32_t) (code / 5760);
        layer.out_channels = 3;
        snprintf(name, sizeof(name), "%d", (int) code);
        if (ub_network_add(net, name, &layer, 1, &zero, &n) != UB_OK)
            continue;
        assert_int_equal(ub_network_layer(net, n, &info), UB_OK);
        assert_int_equal(ub_layer_gemm(&info, 3, &g), UB_OK);
        assert_int_equal(g.input_elements,
                         3 * 2 *
                             count_read(layer.in_height, layer.kernel_height,
                                        layer.stride, layer.dilation,
                                        layer.pad_height, info.out_height) *
                             count_read(5, 1, layer.stride, layer.dilation, 0,
                                        info.out_width));
        assert_true(g.input_elements <= g.m * g.k);
    }
    assert_true(n > 3000);
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

static void products_of_maps(void **state)
{
    ub_context *context = test_context(1);
    ub_network *net = NULL;
    ub_layer_info info = { .size = sizeof(info) };
    ub_gemm g = { .size = sizeof(g) };
    ub_cost_layer l = { .size = sizeof(l) };
    ub_cost cost = { .size = sizeof(cost) };
    ub_util_options o;
    const int64_t pair[2] = { 0, 0 };
    ub_layer layer;

    (void) state;
    assert_int_equal(ub_network_create(context, "net", 6, 50, 70, &net), UB_OK);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_MATMUL);
    layer.transpose = 1;
    assert_int_equal(ub_network_add(net, "m", &layer, 2, pair, NULL), UB_OK);
    assert_int_equal(ub_network_layer(net, 1, &info), UB_OK);
    assert_int_equal(ub_layer_gemm(&info, 4, &g), UB_OK);
    assert_int_equal(g.m, 50);
    assert_int_equal(g.k, 70);
    assert_int_equal(g.n, 50);
    assert_int_equal(g.count, 6 * 4);
    assert_int_equal(g.input_elements, 50 * 70);
    assert_int_equal(g.m * g.k * g.n * g.count, 4 * info.macs);
    assert_int_equal(ub_layer_gemm(&info, INT64_MAX / 2, &g), UB_ERR_RANGE);
    assert_int_equal(ub_cost_layer_from(&info, 4, &l), UB_OK);
    assert_int_equal(l.kind, UB_COST_CONV);
    ub_util_options_init(&o, sizeof(o));
    o.rows = o.columns = 32;
    o.element_bytes = 1;
    o.bandwidth = 1e6; /* so that bytes are what counts */
    assert_int_equal(ub_util_latency(&o, &l, &cost), UB_OK);
    assert_close(cost.macs, 4.0 * (double) info.macs, 0.0);
    assert_close(cost.cycles, 24.0 * 50 * 3 * 2, 0.0);
    assert_int_equal(ub_util_roofline(&o, &l, &cost), UB_OK);
    assert_close(cost.cycles, 24.0 * (50 * 70 + 70 * 50 + 50 * 50) * 1e3, 1e-3);
    assert_int_equal(ub_cost_layer_from(&info, INT64_MAX / 2, &l),
                     UB_ERR_RANGE);
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

static void cost_layers(void **state)
{
    ub_context *context = test_context(1);
    ub_network *net = sample(context);
    ub_layer_info info = { .size = sizeof(info) };
    ub_cost_layer l = { .size = sizeof(l) };
    const int32_t kinds[] = { UB_COST_FREE, UB_COST_CONV, UB_COST_DEPTHWISE,
                              UB_COST_FREE, UB_COST_LINEAR };

    (void) state;
    for (int64_t i = 0; i < 5; i++) {
        assert_int_equal(ub_network_layer(net, i, &info), UB_OK);
        assert_int_equal(ub_cost_layer_from(&info, 3, &l), UB_OK);
        assert_int_equal(l.kind, kinds[i]);
        assert_int_equal(l.batch, 3);
        assert_int_equal(l.groups, i == 1 ? 2 : 1);
    }
    assert_close(l.in_channels, 16.0, 0.0);
    assert_close(l.out_channels, 10.0, 0.0);
    assert_int_equal(ub_cost_layer_from(&info, 0, &l), UB_ERR_INVALID);
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

/* Two cycles per channel and half the array used; refuses linear layers when
 * told to. */
static ub_status toy(const void *user, const ub_cost_layer *layer, ub_cost *out)
{
    const int refuse = *(const int *) user;
    ub_cost cost = { .size = sizeof(cost), .utilization = 1.0 };

    if (refuse && layer->kind == UB_COST_LINEAR)
        return UB_ERR_INVALID;
    if (layer->kind != UB_COST_FREE) {
        cost.macs = layer->out_channels;
        cost.cycles = 2.0 * layer->out_channels;
        cost.latency_ms = cost.cycles * 1e-6;
        cost.utilization = layer->kind == UB_COST_LINEAR ? 1.0 : 0.25;
    }
    *out = cost;
    return UB_OK;
}

static void network_cost(void **state)
{
    ub_context *context = test_context(1);
    ub_network *net = sample(context);
    int refuse = 0;
    const ub_cost_model model = { sizeof(model), "toy", toy, &refuse };
    ub_cost total = { .size = sizeof(total) }, layers[5];

    (void) state;
    for (int i = 0; i < 5; i++)
        layers[i] = (ub_cost){ .size = sizeof(layers[i]) };
    assert_int_equal(ub_network_cost(net, &model, 2, &total, layers, 5), UB_OK);
    assert_close(total.cycles, 52.0, 0.0);
    assert_close(total.macs, 26.0, 0.0);
    assert_close(total.utilization, (16 * 0.25 * 2 + 10 * 2) / 52.0, 1e-15);
    assert_close(layers[4].cycles, 20.0, 0.0);
    assert_close(layers[3].utilization, 1.0, 0.0);
    refuse = 1;
    total.cycles = -1.0;
    assert_int_equal(ub_network_cost(net, &model, 2, &total, NULL, 0),
                     UB_ERR_INVALID);
    assert_non_null(strstr(ub_context_last_error(context), "'fc'"));
    assert_close(total.cycles, -1.0, 0.0);
    assert_int_equal(ub_network_cost(net, &model, 2, &total, layers, 4),
                     UB_ERR_INVALID);
    assert_int_equal(ub_network_cost(net, &model, 0, &total, layers, 5),
                     UB_ERR_INVALID);
    assert_int_equal(ub_network_cost(net, NULL, 2, &total, NULL, 0),
                     UB_ERR_INVALID);
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

/* Counts its calls. */
static ub_status counted(const void *user, const ub_cost_layer *layer,
                         ub_cost *out)
{
    static const int refuse = 0;
    int *const *calls = user;

    ++**calls;
    return toy(&refuse, layer, out);
}

/* Once each, with or without prices of single layers: a simulator takes long,
 * and one that allocates might fail the second time. */
static void priced_once(void **state)
{
    ub_context *context = test_context(1);
    ub_network *net = sample(context);
    int n = 0, *calls = &n;
    const ub_cost_model model = { sizeof(model), "counted", counted, &calls };
    ub_cost total = { .size = sizeof(total) }, layers[5];

    (void) state;
    for (int i = 0; i < 5; i++)
        layers[i] = (ub_cost){ .size = sizeof(layers[i]) };
    assert_int_equal(ub_network_cost(net, &model, 2, &total, NULL, 0), UB_OK);
    assert_int_equal(n, 5);
    assert_int_equal(ub_network_cost(net, &model, 2, NULL, layers, 5), UB_OK);
    assert_int_equal(n, 10);
    assert_close(layers[1].cycles + layers[2].cycles + layers[4].cycles,
                 total.cycles, 0.0);
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

static ub_status build_and_price(ub_context *context, void *arg)
{
    static const int refuse = 0;
    const ub_cost_model model = { sizeof(model), "toy", toy, &refuse };
    ub_cost layers[2] = { { .size = sizeof(ub_cost) },
                          { .size = sizeof(ub_cost) } };
    ub_network *net = NULL;
    int64_t zero = 0;
    ub_layer layer;
    ub_status status = ub_network_create(context, "net", 4, 9, 7, &net);

    (void) arg;
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_CONV);
    layer.out_channels = 8;
    if (status == UB_OK)
        status = ub_network_add(net, "conv", &layer, 1, &zero, NULL);
    if (status == UB_OK)
        status = ub_network_cost(net, &model, 1, NULL, layers, 2);
    if (status != UB_OK)
        assert_close(layers[1].cycles, 0.0, 0.0);
    ub_network_destroy(&net);
    return status;
}

static void out_of_memory(void **state)
{
    (void) state;
    assert_survives_oom(build_and_price, 1, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays),        cmocka_unit_test(products),
        cmocka_unit_test(elements_read), cmocka_unit_test(products_of_maps),
        cmocka_unit_test(cost_layers),   cmocka_unit_test(network_cost),
        cmocka_unit_test(priced_once),   cmocka_unit_test(senseless_layers),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
