/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include "base/base.h"

#include <math.h>
#include <string.h>
#include <uboost/systolic.h>

/* -- golden --------------------------------------------------------------- */

static int64_t integer(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_integer(value))
        fail_msg("no integer '%s'", key);
    return json_integer_value(value);
}

static void get_interconnect(const char *name, ub_hardware *h)
{
    static const char banyan[] = "banyan_exp_";

    if (strcmp(name, "crossbar") == 0)
        h->interconnect = UB_INTERCONNECT_CROSSBAR;
    else if (strcmp(name, "benes_copy") == 0)
        h->interconnect = UB_INTERCONNECT_BENES_COPY;
    else if (strcmp(name, "benes_vanilla") == 0)
        h->interconnect = UB_INTERCONNECT_BENES;
    else if (strcmp(name, "bus") == 0)
        h->interconnect = UB_INTERCONNECT_BUS;
    else if (strncmp(name, banyan, strlen(banyan)) == 0)
        h->interconnect = UB_INTERCONNECT_BANYAN;
    else
        fail_msg("interconnect '%s' is not known", name);
    if (h->interconnect == UB_INTERCONNECT_BANYAN)
        h->expansion = name[strlen(banyan)] - '0';
}

static void get_machine(const json_t *c, ub_hardware *h, ub_systolic_options *o)
{
    const json_t *tiles = json_object_get(c, "partition_MKN");

    ub_hardware_init(h, sizeof(*h));
    ub_systolic_options_init(o, sizeof(*o));
    h->arrays = integer(c, "n_arrays");
    h->rows = integer(c, "rows");
    h->columns = integer(c, "cols");
    h->bank_bytes = integer(c, "bank_bytes");
    h->bandwidth = json_number_value(json_object_get(c, "bandwidth_GiBps")) *
                   1073741824.0;
    get_interconnect(json_string_value(json_object_get(c, "interconnect")), h);
    o->compat = UB_SYSTOLIC_COMPAT_CSIM;
    o->prefetch = (int32_t) integer(c, "prefetch_rounds");
    o->tile_m = json_integer_value(json_array_get(tiles, 0));
    o->tile_k = json_integer_value(json_array_get(tiles, 1));
    o->tile_n = json_integer_value(json_array_get(tiles, 2));
}

/* Every number that csim printed, and nothing else. */
static int compare(const json_t *c, const ub_systolic_csim_stats *s)
{
    const struct {
        const char *key;
        double value;
    } fields[] = {
        { "no_cycles", (double) s->cycles },
        { "memory_stall_cycles", (double) s->stall_cycles },
        { "no_main_rounds", (double) s->last_round },
        { "no_post_rounds", (double) s->last_adder_round },
        { "no_ops", (double) s->operations },
        { "no_post_ops", (double) s->additions },
        { "total_sram_read_bytes", (double) s->sram_read_bytes },
        { "total_sram_write_bytes", (double) s->sram_write_bytes },
        { "total_no_gemm_ops", (double) s->tile_products },
        { "x_tiles_bw_usage", s->input_bytes },
        { "w_tiles_bw_usage", s->weight_bytes },
        { "p_tiles_bw_usage", s->partial_bytes },
        { "interconnect_tdp", s->interconnect_watts },
        { "interconn_total_mbytes", s->routed_mebibytes },
        { "interconn_total_mbytes_with_multicast", s->routed_once_mebibytes },
    };
    const char *key;
    json_t *value;
    int wrong = 0;

    json_object_foreach(json_object_get(c, "output"), key, value)
    {
        size_t i = 0;

        if (strcmp(key, "wall_s") == 0)
            continue;
        while (i < sizeof(fields) / sizeof(fields[0]) &&
               strcmp(fields[i].key, key) != 0)
            i++;
        if (i == sizeof(fields) / sizeof(fields[0]))
            fail_msg("'%s' is not known", key);
        if (fields[i].value == json_number_value(value))
            continue;
        print_message("%s, %d arrays: %s is %.17g, csim has %.17g\n",
                      json_string_value(json_object_get(c, "tag")),
                      (int) integer(c, "n_arrays"), key, fields[i].value,
                      json_number_value(value));
        wrong = 1;
    }
    return wrong;
}

static ub_status simulate(ub_context *context, const json_t *c,
                          ub_systolic_csim_stats *out)
{
    const char *path = test_path("case.json");
    ub_csim_tiling tiling;
    ub_hardware hardware;
    ub_systolic_options options;
    ub_network *network;
    ub_status status;

    ub_csim_tiling_init(&tiling, sizeof(tiling));
    assert_int_equal(ub__json_write(context, path, c), UB_OK);
    assert_int_equal(
        ub_network_read_csim(context, path, NULL, &network, &tiling), UB_OK);
    get_machine(c, &hardware, &options);
    status = ub_systolic_csim(network, &hardware, &options, tiling.no_repeat,
                              out);
    ub_network_destroy(&network);
    return status;
}

static void golden(void **state)
{
    const char *path = test_golden("csim.json");
    ub_context *context;
    json_t *root, *c;
    size_t i;
    int wrong = 0, same = 0;

    (void) state;
    if (path == NULL)
        skip();
    context = test_context(1);
    assert_int_equal(ub__json_read(context, path, &root), UB_OK);
    json_array_foreach(json_object_get(root, "cases"), i, c)
    {
        ub_systolic_csim_stats stats = { .size = sizeof(stats) };
        const char *network = json_string_value(
            json_object_get(c, "interconnect"));
        const int crashed = json_object_get(json_object_get(c, "output"),
                                            "error") != NULL;
        const int unknown = strcmp(network, "benes_vanilla") == 0;
        const ub_status status = simulate(context, c, &stats);

        if (crashed || unknown) {
            assert_int_equal(status, UB_ERR_UNSUPPORTED);
            continue;
        }
        if (status != UB_OK)
            fail_msg("%s: %s", json_string_value(json_object_get(c, "tag")),
                     ub_context_last_error(context));
        wrong += compare(c, &stats);
        same++;
    }
    print_message("%d cases of csim, %d not the same\n", same, wrong);
    assert_true(same >= 100);
    assert_int_equal(wrong, 0);
    json_decref(root);
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(golden) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
