/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uboost/network.h>

#define INPUT "\"input\": {\"channels\": 3, \"height\": 8, \"width\": 8}"
#define CONV(name, input)                                                \
    "{\"name\": \"" name "\", \"kind\": \"conv\", \"inputs\": [\"" input \
    "\"], \"out_channels\": 4}"

/* Out of order, numbers for pairs, an output in the middle. */
static const char shuffled[] =
    "{\"name\": \"s\", " INPUT ", \"output\": \"end\", \"layers\": ["
    "{\"name\": \"end\", \"kind\": \"linear\", \"inputs\": [\"flat\"], "
    "\"out_channels\": 10, \"bias\": true},"
    "{\"name\": \"sum\", \"kind\": \"add\", \"inputs\": [\"a\", \"b\"]},"
    "{\"name\": \"b\", \"kind\": \"conv\", \"inputs\": [\"a\"], "
    "\"out_channels\": 4, \"kernel\": 3, \"padding\": [1, 1]},"
    "{\"name\": \"flat\", \"kind\": \"flatten\", \"inputs\": [\"mean\"]},"
    "{\"name\": \"mean\", \"kind\": \"avg_pool\", \"inputs\": [\"sum\"], "
    "\"kernel\": [2, 2], \"stride\": 2, \"count_padding\": true}," CONV(
        "a", "input") "]}";

static struct test_log logged;

static ub_status read_text(ub_context *context, const char *text,
                           ub_network **out)
{
    const char *path = test_path("net.json");

    test_file_write(path, text, strlen(text));
    return ub_network_read(context, path, out);
}

static void any_order(void **state)
{
    ub_context *context = test_log_context(&logged);
    ub_network *net = NULL;
    const char *const order[] = { "input", "a",    "b",  "sum",
                                  "mean",  "flat", "end" };
    ub_layer_info info = { .size = sizeof(info) };
    int64_t n;

    (void) state;
    assert_int_equal(read_text(context, shuffled, &net), UB_OK);
    assert_int_equal(ub_network_layers(net), 7);
    for (int64_t i = 0; i < 7; i++)
        assert_int_equal(ub_network_find(net, order[i]), i);
    assert_int_equal(ub_network_layer(net, 6, &info), UB_OK);
    assert_int_equal(info.in_channels, 64);
    assert_int_equal(info.layer->bias, 1);
    assert_int_equal(ub_network_inputs(net, 3, &n)[1], 2);
    assert_int_equal(n, 2);
    assert_int_equal(logged.lines, 0);
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

/* Writing, reading and writing again gives the same file. */
static void round_trip(void **state)
{
    ub_context *context = test_log_context(&logged);
    ub_network *net = NULL, *again = NULL;
    char *first, *second;

    (void) state;
    assert_int_equal(read_text(context, shuffled, &net), UB_OK);
    assert_int_equal(ub_network_write(net, test_path("1.json")), UB_OK);
    assert_int_equal(ub_network_read(context, test_path("1.json"), &again),
                     UB_OK);
    assert_int_equal(ub_network_write(again, test_path("2.json")), UB_OK);
    first = test_file_read(test_path("1.json"));
    second = test_file_read(test_path("2.json"));
    assert_string_equal(first, second);
    assert_int_equal(ub_network_macs(net), ub_network_macs(again));
    assert_int_equal(ub_network_parameters(net), ub_network_parameters(again));
    assert_int_equal(logged.lines, 0);
    free(first);
    free(second);
    ub_network_destroy(&again);
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

static void dot(void **state)
{
    ub_context *context = test_log_context(&logged);
    ub_network *net = NULL;
    char *text;

    (void) state;
    assert_int_equal(
        read_text(context,
                  "{" INPUT ", \"layers\": [" CONV("q\\\"\\\\", "input") "]}",
                  &net),
        UB_OK);
    assert_int_equal(ub_network_write_dot(net, test_path("net.dot")), UB_OK);
    text = test_file_read(test_path("net.dot"));
    assert_non_null(
        strstr(text, "n1 [label=\"q\\\"\\\\\\nconv 1x1\\n4x8x8\"]"));
    assert_non_null(strstr(text, "n0 -> n1;"));
    free(text);
    assert_int_equal(ub_network_write_dot(net, "/nonexistent/x"), UB_ERR_IO);
    assert_int_equal(ub_network_write(net, "/nonexistent/x"), UB_ERR_IO);
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

static void unknown_keys_warn(void **state)
{
    ub_context *context = test_log_context(&logged);
    ub_network *net = NULL;

    (void) state;
    assert_int_equal(
        read_text(context,
                  "{" INPUT ", \"layers\": [{\"name\": \"r\", \"kind\": "
                  "\"relu\", \"inputs\": [\"input\"], \"stride\": 2}]}",
                  &net),
        UB_OK);
    assert_int_equal(logged.lines, 1);
    assert_non_null(strstr(logged.text, "layer 'r': key 'stride'"));
    ub_network_destroy(&net);
    ub_context_destroy(&context);
}

static const struct {
    const char *json;
    ub_status status;
    const char *text;
} hostile[] = {
    { "", UB_ERR_FORMAT, "net.json" },
    { "[]", UB_ERR_FORMAT, "not an object" },
    { "{}", UB_ERR_FORMAT, "layers" },
    { "{\"layers\": []}", UB_ERR_FORMAT, "input" },
    { "{\"format\": \"x\"}", UB_ERR_FORMAT, "uboost-network" },
    { "{\"version\": 2}", UB_ERR_FORMAT, "version" },
    { "{" INPUT ", \"layers\": {}}", UB_ERR_FORMAT, "layers" },
    { "{" INPUT ", \"layers\": [1]}", UB_ERR_FORMAT, "layers[0]" },
    { "{" INPUT ", \"layers\": [{}]}", UB_ERR_FORMAT, "name" },
    { "{\"input\": {\"channels\": 1000000000, \"height\": 1, \"width\": 1}, "
      "\"layers\": []}",
      UB_ERR_FORMAT, "channels" },
    { "{\"input\": {\"channels\": 3.5, \"height\": 1, \"width\": 1}, "
      "\"layers\": []}",
      UB_ERR_FORMAT, "channels" },
    { "{" INPUT ", \"layers\": [{\"name\": \"a\", \"kind\": \"magic\", "
      "\"inputs\": [\"input\"]}]}",
      UB_ERR_FORMAT, "layer 'a': unknown kind 'magic'" },
    { "{" INPUT ", \"layers\": [{\"name\": \"a\", \"kind\": \"input\", "
      "\"inputs\": [\"input\"]}]}",
      UB_ERR_FORMAT, "unknown kind 'input'" },
    { "{" INPUT ", \"layers\": [{\"name\": \"a\", \"kind\": \"relu\"}]}",
      UB_ERR_FORMAT, "inputs" },
    { "{" INPUT ", \"layers\": [{\"name\": \"a\", \"kind\": \"relu\", "
      "\"inputs\": []}]}",
      UB_ERR_FORMAT, "layer 'a'" },
    { "{" INPUT ", \"layers\": [{\"name\": \"a\", \"kind\": \"relu\", "
      "\"inputs\": [3]}]}",
      UB_ERR_FORMAT, "inputs[0] is not a name" },
    { "{" INPUT ", \"layers\": [" CONV("a", "b") "]}", UB_ERR_FORMAT,
      "layer 'a': input 'b' is no layer" },
    { "{" INPUT ", \"layers\": [" CONV("a", "a") "]}", UB_ERR_FORMAT,
      "cycle: a -> a" },
    { "{" INPUT ", \"layers\": [" CONV("a", "c") "," CONV("b", "a") "," CONV(
          "c", "b") "]}",
      UB_ERR_FORMAT, "cycle: a -> b -> c -> a" },
    { "{" INPUT
      ", \"layers\": [" CONV("a", "input") "," CONV("a", "input") "]}",
      UB_ERR_FORMAT, "two layers 'a'" },
    { "{" INPUT ", \"layers\": [" CONV("input", "input") "]}", UB_ERR_FORMAT,
      "two layers 'input'" },
    { "{" INPUT ", \"output\": \"z\", \"layers\": [" CONV("a", "input") "]}",
      UB_ERR_FORMAT, "output 'z'" },
    { "{" INPUT ", \"output\": \"a\", \"layers\": [" CONV(
          "a", "input") "," CONV("b", "a") "]}",
      UB_ERR_FORMAT, "'a' is read by" },
    { "{" INPUT ", \"layers\": [{\"name\": \"a\", \"kind\": \"conv\", "
      "\"inputs\": [\"input\"], \"out_channels\": 1000000000}]}",
      UB_ERR_RANGE, "layer 'a': out_channels is 1000000000" },
    { "{" INPUT ", \"layers\": [{\"name\": \"a\", \"kind\": \"conv\", "
      "\"inputs\": [\"input\"], \"out_channels\": \"4\"}]}",
      UB_ERR_FORMAT, "out_channels" },
    { "{" INPUT ", \"layers\": [{\"name\": \"a\", \"kind\": \"conv\", "
      "\"inputs\": [\"input\"], \"out_channels\": 4, \"kernel\": [3]}]}",
      UB_ERR_FORMAT, "kernel" },
    { "{" INPUT ", \"layers\": [{\"name\": \"a\", \"kind\": \"conv\", "
      "\"inputs\": [\"input\"], \"out_channels\": 4, \"bias\": 1}]}",
      UB_ERR_FORMAT, "bias" },
    { "{" INPUT ", \"layers\": [{\"name\": \"a\", \"kind\": \"conv\", "
      "\"inputs\": [\"input\"], \"out_channels\": 4, \"kernel\": 99}]}",
      UB_ERR_SHAPE, "99" },
    { "{" INPUT ", \"layers\": [{\"name\": \"\", \"kind\": \"relu\", "
      "\"inputs\": [\"input\"]}]}",
      UB_ERR_FORMAT, "name" },
    { "{\"name\": \"\", " INPUT ", \"layers\": []}", UB_ERR_FORMAT, "name" },
    { "{\"name\": 7, " INPUT ", \"layers\": []}", UB_ERR_FORMAT, "name" },
};

static void hostile_files(void **state)
{
    ub_context *context = test_context(1);

    (void) state;
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        ub_network *net = NULL;
        const ub_status status = read_text(context, hostile[i].json, &net);

        if (status != hostile[i].status || net != NULL ||
            strstr(ub_context_last_error(context), hostile[i].text) == NULL)
            fail_msg("case %zu: %s '%s', expected %s '%s'", i,
                     ub_status_str(status), ub_context_last_error(context),
                     ub_status_str(hostile[i].status), hostile[i].text);
        if (strstr(ub_context_last_error(context), "net.json") == NULL)
            fail_msg("case %zu: '%s' does not name the file", i,
                     ub_context_last_error(context));
    }
    ub_context_destroy(&context);
}

static int read_damaged(ub_context *context, const char *path)
{
    ub_network *net = NULL;
    const int accepted = ub_network_read(context, path, &net) == UB_OK;

    assert_int_equal(accepted, net != NULL);
    ub_network_destroy(&net);
    return accepted;
}

/* Any prefix and any flipped bit: an error or a network, never a crash. */
static void damaged_files(void **state)
{
    const struct test_damage every = { 7, 11 };
    ub_context *context = test_context(1);
    struct test_damage fine;
    ub_network *net = NULL;

    (void) state;
    assert_int_equal(ub_network_read(context, "/nonexistent", &net), UB_ERR_IO);
    fine = test_damaged(context, "damaged.json", shuffled, sizeof(shuffled) - 1,
                        every, read_damaged);
    assert_int_equal(fine.prefixes, 0);
    assert_true(fine.flips > 0);
    ub_context_destroy(&context);
}

static ub_status read_write(ub_context *context, void *arg)
{
    ub_network *net = NULL;
    ub_status status = ub_network_read(context, arg, &net);

    if (status == UB_OK)
        status = ub_network_write(net, test_path("oom-out.json"));
    if (status == UB_OK)
        status = ub_network_write_dot(net, test_path("oom-out.dot"));
    ub_network_destroy(&net);
    return status;
}

static void out_of_memory(void **state)
{
    char path[512];

    (void) state;
    snprintf(path, sizeof(path), "%s", test_path("oom.json"));
    test_file_write(path, shuffled, sizeof(shuffled) - 1);
    assert_survives_oom(read_write, 1, path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_order),     cmocka_unit_test(round_trip),
        cmocka_unit_test(dot),           cmocka_unit_test(unknown_keys_warn),
        cmocka_unit_test(hostile_files), cmocka_unit_test(damaged_files),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
