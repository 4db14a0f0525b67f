/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <stdio.h>
#include <string.h>
#include <uboost/network.h>

#define HEAD                                                        \
    "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter " \
    "Width, Channels, Num Filter, Strides,\n"

static struct test_log logged;

static ub_status read_text(ub_context *context, const char *text,
                           const ub_topology_options *options, ub_network **out,
                           int64_t *out_batch)
{
    const char *path = test_path("some.net.csv");

    test_file_write(path, text, strlen(text));
    return ub_network_read_topology(context, path, options, out, out_batch);
}

static ub_network *read_ok(ub_context *context, const char *text)
{
    ub_network *net = NULL;

    if (read_text(context, text, NULL, &net, NULL) != UB_OK)
        fail_msg("'%s': %s", text, ub_context_last_error(context));
    return net;
}

/* -- forms ---------------------------------------------------------------- */

static void conv_rows(void **state)
{
    ub_context *context = test_log_context(&logged);
    ub_network *net = read_ok(context,
                              "\xef\xbb\xbf" HEAD "\n , ,,\r\n# a, comment\n"
                              "\"one, \"\"two\"\"\" , 8, 9,3 ,2, 4, 5, 2\r\n"
                              "b, 7, 7, 7, 7, 4, 6, 3, 2:4, # rest, of it\n"
                              "b, 7, 7, 1, 1, 4, 6, 4,");
    ub_layer_info info = test_info(net, 1);
    int64_t n;

    (void) state;
    assert_int_equal(ub_network_layers(net), 4);
    assert_string_equal(ub_network_name(net), "some.net");
    assert_string_equal(info.name, "one, \"two\"");
    assert_int_equal(info.layer->kind, UB_LAYER_CONV);
    assert_int_equal(info.layer->round_up, 1);
    assert_int_equal(info.in_height, 8);
    assert_int_equal(info.in_width, 9);
    assert_int_equal(info.out_height, 4); /* ceil((8 - 3 + 2) / 2) */
    assert_int_equal(info.out_width, 5);  /* ceil((9 - 2 + 2) / 2) */
    assert_int_equal(info.macs, 4 * 5 * 5 * 4 * 6);
    info = test_info(net, 2);
    assert_int_equal(info.layer->sparse_keep, 2);
    assert_int_equal(info.layer->sparse_block, 4);
    assert_int_equal(ub_network_inputs(net, 2, &n)[0], 1);
    info = test_info(net, 3);
    assert_string_equal(info.name, "b:7");
    assert_int_equal(info.out_height, 3);
    assert_int_equal(ub_network_inputs(net, 3, &n)[0], 2);
    info = test_info(net, 0);
    assert_int_equal(info.out_channels, 4);
    assert_int_equal(info.out_height, 8);
    assert_int_equal(logged.lines, 0);
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

static void gemm_rows(void **state)
{
    ub_context *context = test_log_context(&logged);
    ub_network *net = read_ok(context, "Layer, M, N, K, Sparsity,\n"
                                       "a, 5, 6, 7, 1:2,\n, 3, 2, 4, 1:1,\n"
                                       "c, 3, 2, 4, 1,\nd, 3, 2, 4");
    ub_layer_info info = test_info(net, 1);
    ub_network *other;

    (void) state;
    assert_int_equal(info.in_channels, 1);
    assert_int_equal(info.in_height, 5);
    assert_int_equal(info.in_width, 7);
    assert_int_equal(info.layer->kernel_width, 7);
    assert_int_equal(info.out_channels, 6);
    assert_int_equal(info.out_height, 5);
    assert_int_equal(info.out_width, 1);
    assert_int_equal(info.macs, 5 * 6 * 7);
    assert_int_equal(info.layer->sparse_keep, 1);
    assert_string_equal(test_info(net, 2).name, "layer:3");
    assert_int_equal(test_info(net, 2).layer->sparse_keep, 0);
    assert_int_equal(test_info(net, 3).layer->sparse_keep, 0);
    /* named columns in another order; tabs; no header */
    other = read_ok(context, "K\tName\tN\tM\n7\ta\t6\t5\n");
    assert_int_equal(test_info(other, 1).in_height, 5);
    assert_int_equal(test_info(other, 1).in_width, 7);
    assert_string_equal(test_info(other, 1).name, "a");
    ub_network_destroy(&other);
    other = read_ok(context, "a,5,6,7\n");
    assert_int_equal(test_info(other, 1).macs, 210);
    assert_int_equal(logged.lines, 0);
    ub_network_destroy(&other);
    /* a column twice: by position, with a warning */
    other = read_ok(context, "Layer, IFMAP Width, IFMAP Width, Filter Height, "
                             "Filter Width, Channels, Num Filter, Strides,\n"
                             "c, 9, 8, 3, 3, 1, 2, 1,\n");
    assert_int_equal(test_info(other, 1).in_height, 9);
    assert_int_equal(logged.lines, 1);
    assert_non_null(strstr(logged.text, "csv:1: "));
    ub_network_destroy(&other);
    /* a header in another language */
    other = read_ok(context, "Schicht, h, b, kh, kb, k, f, s\n"
                             "c, 9, 8, 3, 3, 1, 2, 1\n");
    assert_int_equal(test_info(other, 1).in_height, 9);
    assert_int_equal(logged.lines, 2);
    ub_network_destroy(&other);
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

static void extra_columns(void **state)
{
    ub_context *context = test_log_context(&logged);
    ub_network *net = NULL;
    ub_layer_info info;
    int64_t batch = 0;
    const char text[] =
        "Layer name, Ifmap height, ifmap width, filter height, filter width, "
        "channels, num filters, strides, Batch Size, pad, pad_w, Dilation, "
        "groups, Cost, N:M,\n"
        "a, 9, 9, 3, 3, 4, 8, 1, 16, 2, , 2, 2, 7, 1:4,\n"
        "b, 9, 9, 3, 3, 4, 8, 1, 16, 1, 0, , , ,,\n";

    (void) state;
    assert_int_equal(read_text(context, text, NULL, &net, NULL),
                     UB_ERR_UNSUPPORTED);
    assert_non_null(strstr(ub_context_last_error(context), "batch of 16"));
    assert_null(net);
    logged.lines = 0;
    assert_int_equal(read_text(context, text, NULL, &net, &batch), UB_OK);
    assert_int_equal(batch, 16);
    assert_int_equal(logged.lines, 1);
    assert_non_null(strstr(logged.text, "csv:1: column 'Cost' is ignored"));
    info = test_info(net, 1);
    assert_int_equal(info.layer->pad_height, 2);
    assert_int_equal(info.layer->pad_width, 2);
    assert_int_equal(info.layer->dilation, 2);
    assert_int_equal(info.layer->groups, 2);
    assert_int_equal(info.layer->sparse_block, 4);
    assert_int_equal(info.out_height, 9);
    assert_int_equal(info.macs, 81 * 8 * 2 * 9);
    assert_int_equal(test_info(net, 2).layer->pad_width, 0);
    assert_int_equal(test_info(net, 2).out_height, 9);
    assert_int_equal(test_info(net, 2).out_width, 7);
    ub_network_destroy(&net);
    /* an empty batch column is 1 */
    net = read_ok(context,
                  "Layer name,Ifmap height,ifmap width,filter height,filter "
                  "width,channels,num filters,strides,batch size,\n"
                  "a,9,9,3,3,4,8,1,\n");
    ub_network_destroy(&net);
    logged.lines = 0;
    net = read_ok(context, HEAD "a,9,9,3,3,4,8,1,,x,\nb,9,9,3,3,4,8,1,,x,\n");
    assert_int_equal(logged.lines, 1);
    assert_non_null(strstr(logged.text, "csv:2: fields behind column 9"));
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

/* What is asked for against what a header says. */
static void wrong_form(void **state)
{
    ub_context *context = test_log_context(&logged);
    ub_topology_options options;
    ub_network *net = NULL;

    (void) state;
    ub_topology_options_init(&options, sizeof(options));
    options.form = UB_TOPOLOGY_GEMM;
    assert_int_equal(read_text(context, HEAD "a, 9, 9, 3, 3, 4, 8, 1,\n",
                               &options, &net, NULL),
                     UB_ERR_FORMAT);
    assert_non_null(strstr(ub_context_last_error(context),
                           "csv:1: the header names the columns of a conv"));
    options.form = UB_TOPOLOGY_CONV;
    assert_int_equal(read_text(context,
                               "x, M, N, K, a, b, c, d\n"
                               "a, 5, 6, 7, 8, 9, 1, 2\n",
                               &options, &net, NULL),
                     UB_ERR_FORMAT);
    assert_non_null(strstr(ub_context_last_error(context),
                           "columns of a product of matrices, not"));
    assert_null(net);
    assert_int_equal(logged.lines, 0);
    ub_context_destroy(&context);
}

/* SCALE-Sim drops what is behind a row's last comma. */
static void number_behind(void **state)
{
    ub_context *context = test_log_context(&logged);
    ub_network *net = read_ok(context, HEAD "a, 9, 9, 3, 3, 4, 8, 2, 2\n"
                                            "b, 9, 9, 3, 3, 4, 8, 2, 3\n"
                                            "c, 9, 9, 3, 3, 4, 8, 2, 2:4\n");

    (void) state;
    assert_int_equal(logged.lines, 1);
    assert_non_null(strstr(logged.text, "csv:2: '2' behind column 8"));
    assert_int_equal(test_info(net, 1).layer->sparse_block, 0);
    assert_int_equal(test_info(net, 3).layer->sparse_block, 4);
    ub_network_destroy(&net);
    logged.lines = 0;
    net = read_ok(context, "Layer, M, N, K,\na, 5, 6, 7, 12\n");
    assert_int_equal(logged.lines, 1);
    assert_non_null(strstr(logged.text, "csv:2: '12' behind column 4"));
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

static void depthwise_rows(void **state)
{
    ub_context *context = test_context(1);
    ub_topology_options options;
    ub_network *one = NULL, *many = NULL;
    const char text[] = HEAD "a_DP, 9, 9, 3, 3, 6, 2, 1,\n"
                             "b, 7, 7, 1, 1, 6, 6, 1,\n";

    (void) state;
    ub_topology_options_init(&options, sizeof(options));
    assert_int_equal(options.form, UB_TOPOLOGY_AUTO);
    assert_int_equal(read_text(context, text, &options, &one, NULL), UB_OK);
    options.expand_dp = 1;
    assert_int_equal(read_text(context, text, &options, &many, NULL), UB_OK);
    assert_int_equal(ub_network_layers(one), 3);
    assert_int_equal(ub_network_layers(many), 8);
    assert_int_equal(test_info(one, 1).layer->groups, 6);
    assert_int_equal(test_info(one, 1).out_channels, 12);
    assert_int_equal(ub_network_macs(one), ub_network_macs(many));
    assert_string_equal(test_info(many, 6).name, "a_DP.5");
    assert_int_equal(test_info(many, 6).in_channels, 1);
    assert_int_equal(test_info(many, 6).out_channels, 2);
    ub_network_destroy(&one);
    ub_network_destroy(&many);
    assert_int_equal(read_text(context, HEAD "DP,1,1,1,1,1048577,1,1,\n",
                               &options, &many, NULL),
                     UB_ERR_RANGE);
    options.form = 9;
    assert_int_equal(read_text(context, text, &options, &many, NULL),
                     UB_ERR_INVALID);
    assert_null(many);
    ub_context_destroy(&context);
}

static void krittika(void **state)
{
    ub_context *context = test_log_context(&logged);
    ub_network *net = read_ok(context, "conv,  224, 224, 11, 11, 3, 96, 4\n"
                                       "gemm, 100, 150, 80\n"
                                       "activation, relu\n"
                                       "conv, 5, 5, 3, 3, 1, 2, 1, 1:2,\n");

    (void) state;
    assert_int_equal(logged.lines, 0);
    assert_int_equal(ub_network_layers(net), 5);
    assert_int_equal(test_info(net, 1).out_height, 55);
    assert_int_equal(test_info(net, 2).macs, 100 * 150 * 80);
    assert_int_equal(test_info(net, 2).out_channels, 150);
    assert_int_equal(test_info(net, 3).layer->kind, UB_LAYER_RELU);
    assert_string_equal(test_info(net, 4).name, "conv:4");
    assert_int_equal(test_info(net, 4).layer->sparse_block, 2);
    ub_network_destroy(&net);
    net = read_ok(context, "conv, 5, 5, 3, 3, 1, 2, 1\nactivation, gelu\n");
    assert_int_equal(logged.lines, 1);
    assert_int_equal(test_info(net, 2).layer->kind, UB_LAYER_IDENTITY);
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

/* -- writing -------------------------------------------------------------- */

/* Padding, floors, groups, dilation, linear, matmul: the same products. */
static void written_networks(void **state)
{
    ub_context *context = test_context(1);
    ub_network *net = NULL, *conv = NULL, *gemm = NULL;
    ub_layer layer;
    int64_t at = 0, pair[2];

    (void) state;
    assert_int_equal(ub_network_create(context, "n", 4, 12, 11, &net), UB_OK);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_CONV);
    layer.out_channels = 8;
    layer.kernel_height = 3;
    layer.kernel_width = 2;
    layer.stride = 3;
    layer.pad_height = 1;
    assert_int_equal(ub_network_add(net, "DP,#\"", &layer, 1, &at, &at), UB_OK);
    layer.groups = 4;
    layer.stride = 1;
    layer.dilation = 2;
    layer.pad_height = layer.pad_width = 2;
    assert_int_equal(ub_network_add(net, "b", &layer, 1, &at, &at), UB_OK);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_MATMUL);
    layer.transpose = 1;
    pair[0] = pair[1] = at;
    assert_int_equal(ub_network_add(net, "m", &layer, 2, pair, &at), UB_OK);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_GLOBAL_POOL);
    assert_int_equal(ub_network_add(net, "p", &layer, 1, &at, &at), UB_OK);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_LINEAR);
    layer.out_channels = 3;
    layer.sparse_keep = 1;
    layer.sparse_block = 2;
    assert_int_equal(ub_network_add(net, "f", &layer, 1, &at, &at), UB_OK);
    assert_int_equal(
        ub_network_write_topology(net, test_path("w.csv"), UB_TOPOLOGY_CONV),
        UB_OK);
    assert_int_equal(ub_network_read_topology(context, test_path("w.csv"), NULL,
                                              &conv, NULL),
                     UB_OK);
    assert_int_equal(ub_network_layers(conv), 1 + 2 + 8 + 1);
    assert_int_equal(ub_network_macs(conv), ub_network_macs(net));
    assert_string_equal(test_info(conv, 1).name, "Dp___");
    for (int64_t i = 1; i < 3; i++) {
        assert_int_equal(test_info(conv, i).out_height,
                         test_info(net, i).out_height);
        assert_int_equal(test_info(conv, i).out_width,
                         test_info(net, i).out_width);
        assert_int_equal(test_info(conv, i).macs, test_info(net, i).macs);
    }
    assert_int_equal(test_info(conv, 11).layer->sparse_block, 2);
    assert_int_equal(
        ub_network_write_topology(net, test_path("w.csv"), UB_TOPOLOGY_GEMM),
        UB_OK);
    assert_int_equal(ub_network_read_topology(context, test_path("w.csv"), NULL,
                                              &gemm, NULL),
                     UB_OK);
    assert_int_equal(ub_network_layers(gemm), 1 + 1 + 4 + 8 + 1);
    assert_int_equal(ub_network_macs(gemm), ub_network_macs(net));
    assert_int_equal(
        ub_network_write_topology(net, test_path("w.csv"), UB_TOPOLOGY_AUTO),
        UB_ERR_INVALID);
    assert_int_equal(
        ub_network_write_topology(net, "/nonexistent/x", UB_TOPOLOGY_GEMM),
        UB_ERR_IO);
    ub_network_destroy(&gemm);
    ub_network_destroy(&conv);
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

/* -- hostile -------------------------------------------------------------- */

static const struct {
    const char *csv;
    ub_status status;
    const char *text;
} hostile[] = {
    { "", UB_ERR_FORMAT, "no layers" },
    { HEAD, UB_ERR_FORMAT, "no layers" },
    { "#\n,,\n", UB_ERR_FORMAT, "no layers" },
    { HEAD "\na, 9, 9, 3, 3, 4, 8,\n", UB_ERR_FORMAT,
      "csv:3: column 'Strides' is missing" },
    { HEAD "a, 9, H, 3, 3, 4, 8, 1,\n", UB_ERR_FORMAT,
      "csv:2: column 'IFMAP Width': 'H' is not a number" },
    { HEAD "a, 9, 9, 3, 3, batch*4, 8, 1,\n", UB_ERR_FORMAT,
      "csv:2: column 'Channels': 'batch*4'" },
    { HEAD "a, 9, 9, 3, 3, 4, -8, 1,\n", UB_ERR_FORMAT, "'-8' is not" },
    { HEAD "a, 9, 9, 3.0, 3, 4, 8, 1,\n", UB_ERR_FORMAT, "'3.0' is not" },
    { HEAD "a, 9, 9, 3, 3, 4, 8, 0,\n", UB_ERR_FORMAT,
      "csv:2: column 'Strides' is 0" },
    { HEAD "a, 9, 9, 10, 3, 4, 8, 1,\n", UB_ERR_SHAPE, "csv:2: " },
    { HEAD "a, 9, 9, 3, 3, 4, 8, 1,\nb, 99999999999999999999, 9, 3, 3, 4, 8, "
           "1,\n",
      UB_ERR_RANGE, "csv:3: column 'IFMAP Height'" },
    { HEAD "a, 1048577, 9, 3, 3, 4, 8, 1,\n", UB_ERR_RANGE, "csv:2: " },
    { HEAD "a, 9, 9, 3, 3, 4, 8, 1, 2/4,\n", UB_ERR_FORMAT,
      "csv:2: column 'Sparsity': '2/4'" },
    { HEAD "a, 9, 9, 3, 3, 4, 8, 1, 4:2,\n", UB_ERR_FORMAT, "'4:2'" },
    { HEAD "a, 9, 9, 3, 3, 4, 8, 1, 0:2,\n", UB_ERR_FORMAT, "'0:2'" },
    { HEAD "a, 9, 9, 3, 3, 4, 8, 1, 1:9999999,\n", UB_ERR_FORMAT, "9999999" },
    { HEAD "a, 9, 9, 3, 3, 4, 8, 1, 99999999999999999999:4,\n", UB_ERR_FORMAT,
      "csv:2: column 'Sparsity': '99999999999999999999:4'" },
    { HEAD "a, 9, 9, 3, 3, 4, 8, 1, 1:99999999999999999999,\n", UB_ERR_FORMAT,
      "csv:2: column 'Sparsity': '1:99999999999999999999'" },
    { HEAD "\"a, 9, 9, 3, 3, 4, 8, 1,\n", UB_ERR_FORMAT, "csv:2: a quoted" },
    { HEAD "\"a\"b, 9, 9, 3, 3, 4, 8, 1,\n", UB_ERR_FORMAT, "csv:2: a quoted" },
    { HEAD "a\001, 9, 9, 3, 3, 4, 8, 1,\n", UB_ERR_FORMAT, "csv:2: " },
    { HEAD "a\xff, 9, 9, 3, 3, 4, 8, 1,\n", UB_ERR_FORMAT, "csv:2: " },
    { "Layer, M, N, K, Batch\na, 1, 2, 3, 4\nb, 1, 2, 3, 5\n", UB_ERR_FORMAT,
      "csv:3: the batch is 5" },
    { "Layer, M, N, K, Batch\na, 1, 2, 3, x\n", UB_ERR_FORMAT,
      "csv:2: column 'Batch'" },
    { "activation, relu\n", UB_ERR_FORMAT, "csv:1: an activation" },
    { "gemm, 1, 2\n", UB_ERR_FORMAT, "csv:1: column 'K'" },
    { "AlphaGoZero,\nConv, 19, 19, 3, 3, 17, 256, 1,\n", UB_ERR_FORMAT,
      "csv:1: column 'M' is missing" },
    { HEAD "a_DP, 9, 9, 3, 3, 1048576, 2, 1,\n", UB_ERR_RANGE, "csv:2: " },
    { "Layer, Cycles, Stalls, Load, Used, Idle, Rest,\n0, 1, 2, 3, 4, 5, 6,\n",
      UB_ERR_FORMAT, "csv:2: 7 fields are neither" },
    { "a, 9, 9, 3, 3, 4, 8\n", UB_ERR_FORMAT, "csv:1: 7 fields are neither" },
    { "Layer name, Order A, Order B, C, D, E, F, G, H, I,\n"
      "a, 2, 2, 1, 1, 16, 4, 3, 1, 2,\n",
      UB_ERR_FORMAT, "csv:2: 10 fields are neither" },
    { "a, 9, 9, 3, 3, 4\n", UB_ERR_FORMAT, "csv:1: 6 fields are neither" },
};

static void hostile_files(void **state)
{
    ub_context *context = test_context(1);
    char text[700];
    ub_network *net = NULL;
    int64_t batch = -7;

    (void) state;
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        const ub_status status = read_text(context, hostile[i].csv, NULL, &net,
                                           &batch);

        if (status != hostile[i].status || net != NULL || batch != -7 ||
            strstr(ub_context_last_error(context), hostile[i].text) == NULL)
            fail_msg("case %zu: %s '%s', expected %s '%s'", i,
                     ub_status_str(status), ub_context_last_error(context),
                     ub_status_str(hostile[i].status), hostile[i].text);
    }
    memset(text, 'x', sizeof(text));
    memcpy(text + 300, ", 1, 2, 3\n", 11);
    assert_int_equal(read_text(context, text, NULL, &net, NULL), UB_ERR_FORMAT);
    assert_non_null(strstr(ub_context_last_error(context), "too long"));
    test_file_write(test_path("zero.csv"), "a,\0,2,3", 7);
    assert_int_equal(ub_network_read_topology(context, test_path("zero.csv"),
                                              NULL, &net, NULL),
                     UB_ERR_FORMAT);
    assert_int_equal(
        ub_network_read_topology(context, "/nonexistent", NULL, &net, NULL),
        UB_ERR_IO);
    assert_int_equal(ub_network_read_topology(context, NULL, NULL, &net, NULL),
                     UB_ERR_INVALID);
    assert_int_equal(ub_network_read_topology(NULL, "x", NULL, &net, NULL),
                     UB_ERR_INVALID);
    ub_context_destroy(&context);
}

static const char whole[] =
    "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, "
    "Channels, Num Filter, Strides, Sparsity, Padding, Batch,\n"
    "\"a \"\"b\"\"\", 9, 9, 3, 3, 4, 8, 1, 1:2, 1, 2\r\n"
    "c_DP, 7, 7, 2, 2, 3, 1, 2, , , 2\nc_DP, 7, 7, 2, 2, 3, 1, 2, , , 2,\n";

static int read_damaged(ub_context *context, const char *path)
{
    ub_network *net = NULL;
    const int accepted = ub_network_read_topology(context, path, NULL, &net,
                                                  NULL) == UB_OK;

    assert_int_equal(accepted, net != NULL);
    ub_network_destroy(&net);
    return accepted;
}

static void damaged_files(void **state)
{
    const struct test_damage every = { 1, 3 };
    ub_context *context = test_context(1);
    struct test_damage fine;

    (void) state;
    fine = test_damaged(context, "damaged.csv", whole, sizeof(whole) - 1, every,
                        read_damaged);
    assert_in_range(fine.prefixes, 2, 99);
    assert_true(fine.flips > 0);
    ub_context_destroy(&context);
}

static ub_status read_write(ub_context *context, void *arg)
{
    const ub_topology_options options = { sizeof(options), UB_TOPOLOGY_AUTO,
                                          1 };
    ub_network *net = NULL;
    int64_t batch;
    ub_status status = ub_network_read_topology(context, arg, &options, &net,
                                                &batch);

    if (status == UB_OK)
        status = ub_network_write_topology(net, test_path("oom-out.csv"),
                                           UB_TOPOLOGY_CONV);
    ub_network_destroy(&net);
    return status;
}

static void out_of_memory(void **state)
{
    char path[512];

    (void) state;
    snprintf(path, sizeof(path), "%s", test_path("oom.csv"));
    test_file_write(path, whole, sizeof(whole) - 1);
    assert_survives_oom(read_write, 1, path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conv_rows),     cmocka_unit_test(gemm_rows),
        cmocka_unit_test(extra_columns), cmocka_unit_test(number_behind),
        cmocka_unit_test(wrong_form),    cmocka_unit_test(depthwise_rows),
        cmocka_unit_test(krittika),      cmocka_unit_test(written_networks),
        cmocka_unit_test(hostile_files), cmocka_unit_test(damaged_files),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
