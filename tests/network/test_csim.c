/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include "base/base.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <uboost/hardware.h>

static ub_gemm gemm_of(const ub_network *net, int64_t index)
{
    const ub_layer_info info = test_info(net, index);
    ub_gemm g = { .size = sizeof(g) };

    assert_int_equal(ub_layer_gemm(&info, 1, &g), UB_OK);
    return g;
}

static ub_status read_text(ub_context *context, const char *text,
                           const char *model, ub_network **out,
                           ub_csim_tiling *tiling)
{
    const char *path = test_path("some.json");

    test_file_write(path, text, strlen(text));
    return ub_network_read_csim(context, path, model, out, tiling);
}

static int64_t integer(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_integer(value))
        fail_msg("no integer '%s'", key);
    return json_integer_value(value);
}

/* -- golden --------------------------------------------------------------- */

/* Tiles as the format has them, arrays where `arrays`, else objects. */
static json_t *tiles(int64_t rows, int64_t columns, int64_t tile_rows,
                     int64_t tile_columns, int arrays)
{
    json_t *all = arrays ? json_array() : json_object();
    char key[24];

    for (int64_t i = 0; i * tile_rows < rows; i++) {
        json_t *line = arrays ? json_array() : json_object();
        const int64_t r = rows - i * tile_rows;

        for (int64_t j = 0; j * tile_columns < columns; j++) {
            const int64_t c = columns - j * tile_columns;
            json_t *tile = json_pack(
                "[I, I]", (json_int_t) (r < tile_rows ? r : tile_rows),
                (json_int_t) (c < tile_columns ? c : tile_columns));

            snprintf(key, sizeof(key), "%d", (int) j);
            if (arrays)
                json_array_append_new(line, tile);
            else
                json_object_set_new(line, key, tile);
        }
        snprintf(key, sizeof(key), "%d", (int) i);
        if (arrays)
            json_array_append_new(all, line);
        else
            json_object_set_new(all, key, line);
    }
    return all;
}

static json_t *gemm_object(const json_t *layer, const int64_t *t, int arrays)
{
    const int64_t m = integer(layer, "M"), k = integer(layer, "K"),
                  n = integer(layer, "N");

    return json_pack(
        "{s:[I,I], s:[I,I], s:O, s:[I,I,I], s:o, s:o}", "input_size",
        (json_int_t) m, (json_int_t) k, "weight_size", (json_int_t) k,
        (json_int_t) n, "kernel_size", json_object_get(layer, "kernel"),
        "no_tiles", (json_int_t) ((m - 1) / t[0] + 1),
        (json_int_t) ((k - 1) / t[1] + 1), (json_int_t) ((n - 1) / t[2] + 1),
        "x_tile_dim", tiles(m, k, t[0], t[1], arrays), "w_tile_dim",
        tiles(k, n, t[1], t[2], arrays));
}

/* The file that the case's short form stands for, as one of two models. */
static json_t *full_form(const json_t *c, const int64_t *t, int arrays)
{
    json_t *order = json_array(), *layers = json_object(), *layer;
    size_t i;

    json_array_foreach(json_object_get(c, "layers"), i, layer)
    {
        const char *name = json_string_value(json_object_get(layer, "name"));

        json_array_append_new(order, json_string(name));
        json_object_set_new(
            layers, name,
            json_pack("{s:O, s:O, s:O, s:o}", "layer_type",
                      json_object_get(layer, "type"), "deps",
                      json_object_get(layer, "deps"), "raw_input",
                      json_object_get(layer, "raw_input"), "gemm_op",
                      json_is_null(json_object_get(layer, "type"))
                          ? json_null()
                          : gemm_object(layer, t, arrays)));
    }
    return json_pack("{s:{s:{}, s:[]}, s:{s:o, s:o, s:O}}", "other", "layers",
                     "order", "wanted", "order", order, "layers", layers,
                     "no_repeat", json_object_get(c, "no_repeat"));
}

static void check_layer(const ub_network *net, const json_t *layers, size_t i)
{
    const json_t *layer = json_array_get(layers, i);
    const json_t *kernel = json_object_get(layer, "kernel");
    const json_t *deps = json_object_get(layer, "deps");
    const char *name = json_string_value(json_object_get(layer, "name"));
    const char *type = json_string_value(json_object_get(layer, "type"));
    const ub_layer_info info = test_info(net, (int64_t) i);
    const ub_gemm g = gemm_of(net, (int64_t) i);
    int64_t area = 1, n;
    const int64_t *inputs = ub_network_inputs(net, (int64_t) i, &n);

    assert_string_equal(info.name, name);
    assert_int_equal(n, json_array_size(deps));
    for (int64_t d = 0; d < n; d++)
        assert_string_equal(
            test_info(net, inputs[d]).name,
            json_string_value(json_array_get(deps, (size_t) d)));
    if (type == NULL) {
        assert_int_equal(g.count, 0);
        return;
    }
    if (strcmp(type, "Conv2D") == 0)
        area = json_integer_value(json_array_get(kernel, 0)) *
               json_integer_value(json_array_get(kernel, 1));
    assert_int_equal(g.count, 1);
    assert_int_equal(g.m, integer(layer, "M"));
    assert_int_equal(g.k, integer(layer, "K"));
    assert_int_equal(g.n, integer(layer, "N"));
    assert_int_equal(info.layer->kernel_height * info.layer->kernel_width,
                     area);
    assert_int_equal(info.layer->on_chip, 1 - integer(layer, "raw_input"));
}

static void check_tiling(const json_t *c, const int64_t *t, int exact,
                         const ub_csim_tiling *tiling)
{
    const int64_t got[3] = { tiling->tile_m, tiling->tile_k, tiling->tile_n };
    const char *const keys[3] = { "M", "K", "N" };
    const json_t *layer;
    size_t i;

    assert_int_equal(tiling->no_repeat, integer(c, "no_repeat"));
    for (int dim = 0; dim < 3; dim++) {
        int64_t largest = 0;

        json_array_foreach(json_object_get(c, "layers"), i, layer)
        {
            if (integer(layer, keys[dim]) > largest)
                largest = integer(layer, keys[dim]);
        }
        assert_int_equal(got[dim],
                         !exact && largest < t[dim] ? largest : t[dim]);
    }
}

/* Written files are synced to the disk, which takes its time. */
static void check_case(ub_context *context, const json_t *c, int arrays,
                       int written)
{
    const json_t *partition = json_object_get(c, "partition_MKN");
    const json_t *layers = json_object_get(c, "layers");
    const char *short_path = test_path("short.json");
    const char *full_path = test_path("full.json");
    const char *again_path = test_path("again.json");
    ub_csim_tiling tiling = { .size = sizeof(tiling) };
    ub_network *net = NULL;
    int64_t t[3];
    json_t *full;

    for (size_t i = 0; i < 3; i++)
        t[i] = json_integer_value(json_array_get(partition, i));
    full = full_form(c, t, arrays);
    assert_non_null(full);
    assert_int_equal(json_dump_file(c, short_path, 0), 0);
    assert_int_equal(json_dump_file(full, full_path, 0), 0);
    json_decref(full);
    for (int form = 0; form < 3; form += form == 0 && !written ? 2 : 1) {
        const char *path = form == 0   ? full_path
                           : form == 1 ? again_path
                                       : short_path;

        ub_network_destroy(&net);
        if (ub_network_read_csim(context, path, form == 0 ? "wanted" : NULL,
                                 &net, &tiling) != UB_OK)
            fail_msg("%s", ub_context_last_error(context));
        assert_int_equal(ub_network_layers(net), json_array_size(layers));
        for (size_t i = 0; form != 1 && i < json_array_size(layers); i++)
            check_layer(net, layers, i);
        for (size_t i = 0; form == 1 && i < json_array_size(layers); i++)
            assert_int_equal(gemm_of(net, (int64_t) i).m,
                             integer(json_array_get(layers, i), "M"));
        check_tiling(c, t, form == 2, &tiling);
        if (form == 0 && written)
            assert_int_equal(ub_network_write_csim(net, again_path, &tiling),
                             UB_OK);
    }
    ub_network_destroy(&net);
}

static void golden_cases(void **state)
{
    const char *path = test_golden("csim.json");
    ub_context *context;
    json_t *root, *c;
    struct stat info;
    size_t i;

    (void) state;
    if (path == NULL || stat(path, &info) != 0)
        skip();
    root = json_load_file(path, 0, NULL);
    assert_non_null(root);
    assert_true(json_array_size(json_object_get(root, "cases")) > 0);
    context = test_context(1);
    json_array_foreach(json_object_get(root, "cases"), i, c)
        check_case(context, c, (int) (i % 2), i % 8 == 0);
    json_decref(root);
    ub_context_destroy(&context);
}

/* -- forms ---------------------------------------------------------------- */

#define GEMM(m, k, n, more)                                              \
    "\"gemm_op\": {\"input_size\": [" m ", " k "], \"weight_size\": [" k \
    ", " n "]" more "}"
#define KERNEL(h, w) ", \"kernel_size\": [" h ", " w "]"

static void maps(void **state)
{
    ub_context *context = test_context(1);
    ub_csim_tiling tiling = { .size = sizeof(tiling) };
    ub_network *net = NULL;
    int64_t n;
    const char text[] =
        "{\"layers\": {"
        "\"a\": {" GEMM(
            "10", "36", "4",
            KERNEL(
                "3",
                "1")) "},"
                      "\"b\": {" GEMM(
                          "10", "36", "4",
                          KERNEL(
                              "2",
                              "3")) "},"
                                    "\"input\": {\"gemm_op\": null, \"deps\": "
                                    "[\"a\", \"b\"]},"
                                    "\"c\": {" GEMM(
                                        "2097156", "5", "6",
                                        "") ", \"deps\": [\"input\"], "
                                            "\"raw_input\": 0}, "
                                            "\"d\": {" GEMM(
                                                "9", "18", "1",
                                                KERNEL(
                                                    "3",
                                                    "3")) ", \"layer_type\": "
                                                          "\"DepthwiseConv2D\"}"
                                                          "}}";

    (void) state;
    assert_int_equal(read_text(context, text, NULL, &net, &tiling), UB_OK);
    assert_string_equal(ub_network_name(net), "some");
    assert_int_equal(ub_network_layers(net), 6);
    assert_string_equal(test_info(net, 0).name, "input_");
    assert_int_equal(test_info(net, 0).out_channels, 12);
    assert_int_equal(test_info(net, 1).in_height, 10);
    assert_int_equal(test_info(net, 1).layer->pad_height, 1);
    assert_int_equal(test_info(net, 2).in_height, 11); /* an even kernel */
    assert_int_equal(test_info(net, 2).out_height, 10);
    assert_int_equal(test_info(net, 2).in_channels, 6);
    assert_int_equal(test_info(net, 3).layer->kind, UB_LAYER_IDENTITY);
    assert_int_equal(ub_network_inputs(net, 3, &n)[1], 2);
    assert_int_equal(n, 2);
    assert_int_equal(gemm_of(net, 4).m, 2097156);
    assert_int_equal(test_info(net, 4).layer->on_chip, 1);
    assert_int_equal(test_info(net, 3).layer->on_chip, 0);
    assert_int_equal(test_info(net, 5).in_channels, 18);
    for (int64_t i = 1; i < 3; i++) {
        assert_int_equal(gemm_of(net, i).m, 10);
        assert_int_equal(gemm_of(net, i).k, 36);
        assert_int_equal(gemm_of(net, i).n, 4);
    }
    assert_int_equal(tiling.tile_m, 0);
    assert_int_equal(tiling.no_repeat, 1);
    assert_int_equal(tiling.batch, 1);
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

static void several_models(void **state)
{
    static const char *const texts[] = {
        "{\"note\": 1, \"x\": {\"layers\": {\"a\": {\"gemm_op\": null}}}, "
        "\"y\": {\"layers\": {\"b\": {\"gemm_op\": null}}}}",
        "[{\"name\": \"x\", \"layers\": {\"a\": {\"gemm_op\": null}}}, "
        "{\"name\": \"y\", \"layers\": {\"b\": {\"gemm_op\": null}}}]",
        "{\"cases\": [{\"tag\": \"x\", \"layers\": [{\"name\": \"a\", "
        "\"gemm_op\": null}]}, {\"tag\": \"y\", \"layers\": [{\"name\": "
        "\"b\", \"gemm_op\": null}]}]}",
    };
    ub_context *context = test_context(1);
    ub_network *net = NULL;

    (void) state;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(read_text(context, texts[i], NULL, &net, NULL), UB_OK);
        assert_string_equal(test_info(net, 0).name, "a");
        ub_network_destroy(&net);
        assert_int_equal(read_text(context, texts[i], "y", &net, NULL), UB_OK);
        assert_string_equal(test_info(net, 0).name, "b");
        assert_string_equal(ub_network_name(net), "y");
        ub_network_destroy(&net);
        assert_int_equal(read_text(context, texts[i], "z", &net, NULL),
                         UB_ERR_FORMAT);
        assert_non_null(
            strstr(ub_context_last_error(context), "no model z with layers"));
    }
    ub_context_destroy(&context);
}

/* Groups and matmul fall apart; whoever reads them waits for all parts. */
static void written_networks(void **state)
{
    ub_context *context = test_context(1);
    ub_csim_tiling tiling;
    ub_network *net = NULL, *again = NULL;
    ub_layer layer;
    int64_t at = 0, pair[2], n;

    (void) state;
    assert_int_equal(ub_network_create(context, "n", 4, 6, 5, &net), UB_OK);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_CONV);
    layer.out_channels = 8;
    layer.groups = 4;
    layer.kernel_height = layer.kernel_width = 3;
    assert_int_equal(ub_network_add(net, "dw", &layer, 1, &at, &at), UB_OK);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_MATMUL);
    layer.transpose = 1;
    pair[0] = pair[1] = at;
    assert_int_equal(ub_network_add(net, "mm", &layer, 2, pair, &at), UB_OK);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_CONV);
    layer.out_channels = 3;
    layer.kernel_height = layer.kernel_width = 2;
    layer.on_chip = 1;
    assert_int_equal(ub_network_add(net, "end", &layer, 1, &at, &at), UB_OK);
    ub_csim_tiling_init(&tiling, sizeof(tiling));
    tiling.batch = 2;
    tiling.tile_m = 7;
    tiling.tile_k = 5;
    tiling.no_repeat = 4;
    assert_int_equal(ub_network_write_csim(net, test_path("w.json"), &tiling),
                     UB_OK);
    tiling.tile_m = tiling.batch = 99;
    assert_int_equal(ub_network_read_csim(context, test_path("w.json"), NULL,
                                          &again, &tiling),
                     UB_OK);
    assert_int_equal(tiling.tile_m, 7);
    assert_int_equal(tiling.tile_k, 5);
    assert_int_equal(tiling.tile_n, 4); /* none is cut along n */
    assert_int_equal(tiling.batch, 1);
    assert_int_equal(tiling.no_repeat, 4);
    assert_int_equal(ub_network_layers(again), 1 + 4 + 1 + 16 + 1 + 1);
    assert_int_equal(ub_network_macs(again), 2 * ub_network_macs(net));
    assert_string_equal(test_info(again, 4).name, "dw.3");
    ub_network_inputs(again, 5, &n);
    assert_int_equal(n, 4);
    assert_int_equal(ub_network_inputs(again, 6, &n)[0], 5);
    at = ub_network_find(again, "end");
    assert_int_equal(gemm_of(again, at).k, 32);
    assert_int_equal(test_info(again, at).layer->on_chip, 1);
    assert_int_equal(test_info(again, at).layer->kernel_width, 2);
    ub_network_destroy(&again);
    tiling.tile_n = 0;
    assert_int_equal(ub_network_write_csim(net, test_path("w.json"), &tiling),
                     UB_ERR_INVALID);
    assert_int_equal(ub_network_write_csim(net, "/nonexistent/x", NULL),
                     UB_ERR_IO);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_RELU);
    assert_int_equal(ub_network_add(net, "mm.3", &layer, 1, &at, NULL),
                     UB_ERR_INVALID); /* no layer `at` here */
    at = 0;
    assert_int_equal(ub_network_add(net, "mm.3", &layer, 1, &at, NULL), UB_OK);
    assert_int_equal(ub_network_write_csim(net, test_path("w.json"), NULL),
                     UB_ERR_INVALID);
    assert_non_null(strstr(ub_context_last_error(context), "'mm.3'"));
    ub_network_destroy(&net);
    assert_int_equal(ub_network_create(context, "n", 1, 1 << 20, 2, &net),
                     UB_OK);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_CONV);
    layer.out_channels = 1;
    assert_int_equal(ub_network_add(net, "c", &layer, 1, &at, NULL), UB_OK);
    ub_csim_tiling_init(&tiling, sizeof(tiling));
    tiling.tile_m = 1;
    assert_int_equal(ub_network_write_csim(net, test_path("w.json"), &tiling),
                     UB_ERR_RANGE);
    /* What would not be read is not written: 2^41 rows, 2^31 times. */
    ub_csim_tiling_init(&tiling, sizeof(tiling));
    tiling.tile_m = (int64_t) 1 << 40;
    tiling.batch = (int64_t) 1 << 20;
    assert_int_equal(ub_network_write_csim(net, test_path("w.json"), &tiling),
                     UB_ERR_RANGE);
    assert_non_null(strstr(ub_context_last_error(context), "up to 1099511"));
    tiling.batch = (int64_t) 1 << 19;
    assert_int_equal(ub_network_write_csim(net, test_path("w.json"), &tiling),
                     UB_OK);
    tiling.no_repeat = (int64_t) 1 << 31;
    assert_int_equal(ub_network_write_csim(net, test_path("w.json"), &tiling),
                     UB_ERR_INVALID);
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

/* -- hostile -------------------------------------------------------------- */

#define ONE(layer) \
    "{\"layers\": {\"in\": {\"gemm_op\": null}, \"a\": {" layer "}}}"
#define X(tiles) ", \"x_tile_dim\": " tiles
#define W(tiles) ", \"w_tile_dim\": " tiles

static const struct {
    const char *json;
    ub_status status;
    const char *text;
} hostile[] = {
    { "", UB_ERR_FORMAT, "some.json" },
    { "{}", UB_ERR_FORMAT, "no model" },
    { "[]", UB_ERR_FORMAT, "no model" },
    { "3", UB_ERR_FORMAT, "some.json" },
    { "{\"layers\": {}, \"order\": {}}", UB_ERR_FORMAT, "order" },
    { "{\"layers\": {}, \"order\": [\"a\"]}", UB_ERR_FORMAT,
      "'a' is no layer" },
    { "{\"layers\": {}, \"order\": [1]}", UB_ERR_FORMAT, "has no name" },
    { "{\"layers\": [{}]}", UB_ERR_FORMAT, "has no name" },
    { "{\"layers\": [{\"name\": \"a\"}]}", UB_ERR_FORMAT, "gemm_op" },
    { "{\"layers\": {}, \"no_repeat\": 0}", UB_ERR_FORMAT, "no_repeat" },
    { "{\"layers\": {}, \"partition_MKN\": [1, 2]}", UB_ERR_FORMAT,
      "partition_MKN" },
    { ONE("\"gemm_op\": 3"), UB_ERR_FORMAT, "layer 'a': 'gemm_op'" },
    { ONE("\"gemm_op\": {}"), UB_ERR_FORMAT, "input_size" },
    { ONE(GEMM("0", "1", "1", "")), UB_ERR_FORMAT, "input_size" },
    { ONE(GEMM("1", "1", "1.5", "")), UB_ERR_FORMAT, "weight_size" },
    { ONE("\"gemm_op\": {\"input_size\": [2, 3], \"weight_size\": [4, 5]}"),
      UB_ERR_FORMAT, "3 columns of inputs by 4 rows" },
    { ONE(GEMM("1", "10", "1", KERNEL("3", "1"))), UB_ERR_FORMAT,
      "3 x 1 does not divide K = 10" },
    { ONE(GEMM("1", "9", "1", KERNEL("3", "\"x\""))), UB_ERR_FORMAT,
      "kernel_size" },
    { ONE(GEMM("1", "9", "2000000", "")), UB_ERR_RANGE, "out_channels" },
    { ONE(GEMM("1", "2000000", "2", "")), UB_ERR_RANGE, "2000000 x 1 x 1" },
    { ONE(GEMM("2097169", "2", "2", "")), UB_ERR_RANGE, "M = 2097169" },
    { ONE(GEMM("1", "2", "2", "") ", \"deps\": 1"), UB_ERR_FORMAT, "deps" },
    { ONE(GEMM("1", "2", "2", "") ", \"deps\": [1]"), UB_ERR_FORMAT,
      "deps[0]" },
    { ONE(GEMM("1", "2", "2", "") ", \"deps\": [\"a\"]"), UB_ERR_FORMAT,
      "'a' of its deps is no layer before it" },
    { ONE(GEMM("1", "2", "2", "") ", \"raw_input\": 2"), UB_ERR_FORMAT,
      "raw_input" },
    { ONE(GEMM("4", "2", "2", X("{\"0\": {\"0\": [4, 3]}}"))), UB_ERR_FORMAT,
      "x_tile_dim" },
    { ONE(GEMM("4", "2", "2", X("{\"0\": {\"0\": [2, 2]}}"))), UB_ERR_FORMAT,
      "x_tile_dim" },
    { ONE(GEMM("4", "2", "2", X("[[[2, 2]], [[1, 2]]]"))), UB_ERR_UNSUPPORTED,
      "unlike sizes" },
    { ONE(GEMM("4", "2", "2", X("[[[4, 2]]]") W("[[[1, 2]], [[1, 2]]]"))),
      UB_ERR_UNSUPPORTED, "tiles of 2 and of 1" },
    { ONE(GEMM("4", "2", "2", X("[[[4, 2]]], \"no_tiles\": [2, 1, 1]"))),
      UB_ERR_FORMAT, "no_tiles" },
    { ONE(GEMM("4", "2", "2", X("7"))), UB_ERR_FORMAT, "x_tile_dim" },
    { "{\"layers\": [{\"name\": \"a\", \"M\": 1, \"K\": 0, \"N\": 1, "
      "\"type\": \"Dense\"}]}",
      UB_ERR_FORMAT, "\"K\"" },
};

static void hostile_files(void **state)
{
    ub_context *context = test_context(1);
    ub_network *net = NULL;
    ub_csim_tiling tiling = { .size = 8 };

    (void) state;
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        const ub_status status = read_text(context, hostile[i].json, NULL, &net,
                                           NULL);

        if (status != hostile[i].status || net != NULL ||
            strstr(ub_context_last_error(context), hostile[i].text) == NULL ||
            strstr(ub_context_last_error(context), "some.json") == NULL)
            fail_msg("case %zu: %s '%s', expected %s '%s'", i,
                     ub_status_str(status), ub_context_last_error(context),
                     ub_status_str(hostile[i].status), hostile[i].text);
    }
    assert_int_equal(read_text(context, "{}", NULL, &net, &tiling),
                     UB_ERR_INVALID);
    assert_int_equal(
        ub_network_read_csim(context, "/nonexistent", NULL, &net, NULL),
        UB_ERR_IO);
    assert_int_equal(ub_network_read_csim(context, NULL, NULL, &net, NULL),
                     UB_ERR_INVALID);
    ub_context_destroy(&context);
}

static const char whole[] =
    "{\"order\": [\"in\", \"a\", \"b\"], \"no_repeat\": 2, \"layers\": {"
    "\"in\": {\"gemm_op\": null, \"deps\": [], \"raw_input\": 1}, "
    "\"a\": {" GEMM("4", "18", "2",
                    KERNEL("3", "3") X("[[[4, 10], [4, 8]]]")
                        W("[[[10, 2]], [[8, 2]]]") ", \"no_tiles\": [1, 2, "
                                                   "1]") ", \"deps\": "
                                                         "[\"in\"], "
                                                         "\"raw_input\": 0}, "
                                                         "\"b\": "
                                                         "{\"gemm_op\": "
                                                         "null, "
                                                         "\"deps\": [\"in\", "
                                                         "\"a\"]}}}";

static int read_damaged(ub_context *context, const char *path)
{
    ub_network *net = NULL;
    const int accepted = ub_network_read_csim(context, path, NULL, &net,
                                              NULL) == UB_OK;

    assert_int_equal(accepted, net != NULL);
    ub_network_destroy(&net);
    return accepted;
}

static void damaged_files(void **state)
{
    const struct test_damage every = { 3, 3 };
    ub_context *context = test_context(1);
    struct test_damage fine;

    (void) state;
    fine = test_damaged(context, "damaged.json", whole, sizeof(whole) - 1,
                        every, read_damaged);
    assert_int_equal(fine.prefixes, 0);
    assert_true(fine.flips > 0);
    ub_context_destroy(&context);
}

static ub_status read_write(ub_context *context, void *arg)
{
    ub_network *net = NULL;
    ub_csim_tiling tiling = { .size = sizeof(tiling) };
    ub_status status = ub_network_read_csim(context, arg, NULL, &net, &tiling);

    if (status == UB_OK)
        status = ub_network_write_csim(net, test_path("oom-out.json"), &tiling);
    ub_network_destroy(&net);
    return status;
}

static void out_of_memory(void **state)
{
    char path[512];

    (void) state;
    snprintf(path, sizeof(path), "%s", test_path("oom.json"));
    test_file_write(path, whole, sizeof(whole) - 1);
    assert_survives_oom(read_write, 1, path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_cases),   cmocka_unit_test(maps),
        cmocka_unit_test(several_models), cmocka_unit_test(written_networks),
        cmocka_unit_test(hostile_files),  cmocka_unit_test(damaged_files),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
