/* SPDX-License-Identifier: BSD-2-Clause */
#include "systolic/scalesim.h"

#include "systolic/fold.h"

#include <math.h>

/* -- numbers -------------------------------------------------------------- */

static void numbers(void **state)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        { 0.0, "0.0" },
        { 8.0, "8.0" },
        { -3.0, "-3.0" },
        { 0.1, "0.1" },
        { 1.0 / 3.0, "0.3333333333333333" },
        { 2.0 / 3.0 * 100.0, "66.66666666666666" },
        { 0.0001, "0.0001" },
        { 0.00001, "1e-05" },
        { 1.5e-7, "1.5e-07" },
        { 123456789.0, "123456789.0" },
        { 9007199254740993.0, "9007199254740992.0" },
        { 1e16, "1e+16" },
        { 1.25e22, "1.25e+22" },
        { 1e100, "1e+100" },
        { 2.2250738585072014e-308, "2.2250738585072014e-308" },
        { INFINITY, "inf" },
    };

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char text[32];

        ub__python_float(cases[i].value, text);
        assert_string_equal(text, cases[i].text);
    }
}

/* -- networks ------------------------------------------------------------- */

static ub_status small_network(ub_context *context, ub_network **out)
{
    ub_layer conv, pool, linear;
    int64_t at = 0;
    ub_status status = ub_network_create(context, "n", 3, 12, 12, out);

    ub_layer_init(&conv, sizeof(conv), UB_LAYER_CONV);
    conv.out_channels = 20;
    conv.kernel_height = conv.kernel_width = 3;
    ub_layer_init(&pool, sizeof(pool), UB_LAYER_GLOBAL_POOL);
    ub_layer_init(&linear, sizeof(linear), UB_LAYER_LINEAR);
    linear.out_channels = 10;
    if (status == UB_OK)
        status = ub_network_add(*out, "conv", &conv, 1, &at, &at);
    if (status == UB_OK)
        status = ub_network_add(*out, "pool", &pool, 1, &at, &at);
    if (status == UB_OK)
        status = ub_network_add(*out, "fc", &linear, 1, &at, NULL);
    return status;
}

static ub_status run_and_write(ub_context *context, void *arg)
{
    const ub_hardware h = hardware_of(8, 8, UB_DATAFLOW_WS, 256);
    ub_systolic_options o = compat_options();
    ub_systolic_stats total = { .size = sizeof(total) };
    ub_systolic_report reports[4] = { { .size = sizeof(reports[0]) } };
    ub_network *network = NULL;
    ub_status status = small_network(context, &network);

    for (int64_t i = 0; i < 4 && status == UB_OK; i++) {
        ub_layer_info info = { .size = sizeof(info) };

        reports[i].size = sizeof(reports[i]);
        status = ub_network_layer(network, i, &info);
        if (status == UB_OK)
            status = ub_systolic_report_layer(context, &info, &h, &o,
                                              &reports[i]);
    }
    if (status == UB_OK)
        status = ub_systolic_write_reports(context, test_folder(), reports, 4);
    if (status == UB_OK && arg != NULL)
        status = ub_systolic_report_network(network, &h, &o, test_folder());
    if (status == UB_OK)
        status = ub_systolic_run(network, &h, &o, &total, NULL, 0);
    if (status == UB_OK) {
        assert_int_equal(reports[0].products + reports[2].products, 0);
        assert_int_equal(total.input_bytes, reports[1].dram_input.count +
                                                reports[3].dram_input.count);
        assert_int_equal(total.weight_bytes, reports[1].dram_weight.count +
                                                 reports[3].dram_weight.count);
        assert_int_equal(total.output_bytes, reports[1].dram_output.count +
                                                 reports[3].dram_output.count);
        assert_int_equal(total.cycles, reports[1].cycles + reports[3].cycles);
        assert_true(total.input_bytes > 3 * 144 + 20);
        assert_close(total.share_busy + total.share_unused_rows +
                         total.share_unused_columns + total.share_weight_load +
                         total.share_fill + total.share_drain,
                     1.0, 1e-12);
    }
    ub_network_destroy(&network);
    return status;
}

/* A layer at a time and the whole network write the same. */
static void assert_same_twice(const ub_network *network, const ub_hardware *h,
                              const ub_systolic_options *o, const char *name)
{
    char *before = read_text(test_path(name)), *after;

    remove(test_path(name));
    assert_int_equal(ub_systolic_report_network(network, h, o, test_folder()),
                     UB_OK);
    after = read_text(test_path(name));
    assert_string_equal(before, after);
    free(before);
    free(after);
}

static void networks(void **state)
{
    const ub_hardware h = hardware_of(8, 8, UB_DATAFLOW_WS, 256);
    const ub_systolic_options o = compat_options();
    ub_context *context = test_context(1);
    ub_network *network = NULL;
    char *text;

    (void) state;
    assert_int_equal(run_and_write(context, NULL), UB_OK);
    assert_int_equal(small_network(context, &network), UB_OK);
    assert_same_twice(network, &h, &o, "COMPUTE_REPORT.csv");
    assert_same_twice(network, &h, &o, "DETAILED_ACCESS_REPORT.csv");
    assert_int_equal(ub_systolic_report_network(NULL, &h, &o, test_folder()),
                     UB_ERR_INVALID);
    assert_int_equal(ub_systolic_report_network(network, &h, &o, NULL),
                     UB_ERR_INVALID);
    ub_network_destroy(&network);
    text = read_text(test_path("COMPUTE_REPORT.csv"));
    assert_non_null(strstr(text, "\n0, "));
    assert_non_null(strstr(text, "\n1, "));
    assert_null(strstr(text, "\n2, "));
    free(text);
    ub_context_destroy(&context);
}

static void out_of_memory(void **state)
{
    int both_writers = 1;

    (void) state;
    assert_survives_oom(run_and_write, 1, &both_writers);
}

/* -- hostile input -------------------------------------------------------- */

typedef struct call {
    ub_context *context;
    test_layer l;
    ub_hardware h;
    ub_systolic_options o;
} call;

static void open_call(call *c, ub_context *context)
{
    c->context = context;
    conv_layer(&c->l, 9, 9, 3, 3, 4, 8, 1);
    c->h = hardware_of(4, 4, UB_DATAFLOW_WS, 1024);
    ub_systolic_options_init(&c->o, sizeof(c->o));
}

static ub_status attempt(call *c)
{
    ub_systolic_report r = { .size = sizeof(r), .cycles = -7 };
    const ub_status status = ub_systolic_report_layer(c->context, &c->l.info,
                                                      &c->h, &c->o, &r);

    assert_true((status == UB_OK) == (r.cycles != -7));
    if (status != UB_OK)
        assert_non_null(strstr(ub_context_last_error(c->context), "systolic"));
    open_call(c, c->context);
    return status;
}

static void bad_hardware(call *c)
{
    c->h.rows = 0;
    assert_int_equal(attempt(c), UB_ERR_INVALID);
    c->h.arrays = 2;
    assert_int_equal(attempt(c), UB_ERR_UNSUPPORTED);
    c->h.input_bank_bytes = 99;
    assert_int_equal(attempt(c), UB_ERR_INVALID);
    c->h.weight_bank_bytes = 200;
    c->h.weight_bytes = 4;
    assert_int_equal(attempt(c), UB_ERR_INVALID);
    c->h.output_bank_bytes = 1; /* each result leaves at once */
    c->h.output_bytes = 8;
    assert_int_equal(attempt(c), UB_OK);
}

static void bad_options(call *c)
{
    c->o.compat = UB_SYSTOLIC_COMPAT_CSIM;
    assert_int_equal(attempt(c), UB_ERR_UNSUPPORTED);
    c->o.batch = 0;
    assert_int_equal(attempt(c), UB_ERR_INVALID);
    c->o.count_memory = 3;
    assert_int_equal(attempt(c), UB_ERR_INVALID);
    /* at finite bandwidth all has to fit half a bank of 1024 */
    c->o.count_memory = 2;
    assert_int_equal(attempt(c), UB_ERR_UNSUPPORTED);
    c->o.count_memory = 2;
    c->h.bank_bytes = 1 << 20;
    c->h.input_bank_bytes = c->h.weight_bank_bytes = 0;
    c->h.output_bank_bytes = 0;
    assert_int_equal(attempt(c), UB_OK);
    c->o.count_memory = 2;
    c->h.bank_bytes = 1 << 20;
    c->h.input_bank_bytes = c->h.weight_bank_bytes = 0;
    c->h.output_bank_bytes = 0;
    c->h.bandwidth = 0.5 * c->h.clock_hz;
    assert_int_equal(attempt(c), UB_ERR_UNSUPPORTED);
    c->o.count_memory = 2;
    c->h.bandwidth = INFINITY;
    assert_int_equal(attempt(c), UB_ERR_UNSUPPORTED);
}

static void bad_layers(call *c)
{
    c->l.layer.sparse_keep = 1;
    assert_int_equal(attempt(c), UB_ERR_INVALID);
    c->l.layer.sparse_keep = 3;
    c->l.layer.sparse_block = 2;
    assert_int_equal(attempt(c), UB_ERR_INVALID);
    c->l.layer.sparse_keep = 1;
    c->l.layer.sparse_block = 2;
    c->h.dataflow = UB_DATAFLOW_IS;
    assert_int_equal(attempt(c), UB_ERR_UNSUPPORTED);
    c->l.info.out_height = 0;
    assert_int_equal(attempt(c), UB_ERR_INVALID);
    c->l.info.out_height = (int64_t) 1 << 32;
    assert_int_equal(attempt(c), UB_ERR_RANGE);
    c->l.info.size = 0;
    assert_int_equal(attempt(c), UB_ERR_INVALID);
    c->l.info.layer = NULL;
    assert_int_equal(attempt(c), UB_ERR_INVALID);
}

static void hostile(void **state)
{
    ub_context *context = test_context(1);
    ub_systolic_report r = { .size = sizeof(r) };
    call c;

    (void) state;
    open_call(&c, context);
    assert_int_equal(attempt(&c), UB_OK);
    bad_hardware(&c);
    bad_options(&c);
    bad_layers(&c);
    assert_int_equal(ub_systolic_report_layer(NULL, &c.l.info, &c.h, NULL, &r),
                     UB_ERR_INVALID);
    assert_int_equal(
        ub_systolic_report_layer(context, &c.l.info, &c.h, NULL, NULL),
        UB_ERR_INVALID);
    assert_int_equal(
        ub_systolic_report_layer(context, &c.l.info, NULL, NULL, &r),
        UB_ERR_INVALID);
    assert_int_equal(ub_systolic_write_reports(context, NULL, &r, 1),
                     UB_ERR_INVALID);
    assert_int_equal(ub_systolic_write_reports(context, ".", NULL, 1),
                     UB_ERR_INVALID);
    assert_int_equal(ub_systolic_write_reports(NULL, ".", &r, 1),
                     UB_ERR_INVALID);
    assert_int_equal(
        ub_systolic_write_reports(context, test_path("no-folder"), &r, 1),
        UB_ERR_IO);
    r.sparsity = 7;
    assert_int_equal(ub_systolic_write_reports(context, ".", &r, 1),
                     UB_ERR_INVALID);
    ub_context_destroy(&context);
}

/* Groups are the same layer again and again. */
static void groups(void **state)
{
    ub_context *context = test_context(1);
    const ub_hardware h = hardware_of(4, 4, UB_DATAFLOW_WS, 128);
    const ub_systolic_options o = compat_options();
    ub_systolic_report one, all;
    test_layer l;

    (void) state;
    conv_layer(&l, 9, 9, 3, 3, 4, 8, 1);
    one = report(context, &l.info, &h, &o);
    l.layer.groups = 5;
    l.info.in_channels *= 5;
    l.info.out_channels *= 5;
    all = report(context, &l.info, &h, &o);
    assert_int_equal(all.cycles, 5 * one.cycles);
    assert_int_equal(all.dram_input.count, 5 * one.dram_input.count);
    assert_int_equal(all.dram_input.start, one.dram_input.start);
    assert_int_equal(all.dram_output.stop,
                     one.dram_output.stop + 4 * (one.cycles + 1));
    assert_close(all.mapping_efficiency, one.mapping_efficiency, 0.0);
    ub_context_destroy(&context);
}

/* -- stopping ------------------------------------------------------------- */

static int count_calls(void *user, const ub_progress *progress)
{
    int *calls = user;

    assert_string_equal(progress->stage, "requests");
    return ++*calls == 3;
}

static void stopping(void **state)
{
    ub_context *context;
    const ub_hardware h = hardware_of(4, 4, UB_DATAFLOW_WS, 65536);
    ub_systolic_report out = { .size = sizeof(out), .cycles = -7 };
    test_layer l;
    int calls = 0;

    (void) state;
    context = test_progress_context(1, count_calls, &calls);
    conv_layer(&l, 120, 120, 3, 3, 32, 64, 1);
    assert_int_equal(ub_systolic_report_layer(context, &l.info, &h, NULL, &out),
                     UB_ERR_INTERRUPTED);
    assert_int_equal(calls, 3);
    assert_int_equal(out.cycles, -7);
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),       cmocka_unit_test(networks),
        cmocka_unit_test(out_of_memory), cmocka_unit_test(hostile),
        cmocka_unit_test(groups),        cmocka_unit_test(stopping),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
