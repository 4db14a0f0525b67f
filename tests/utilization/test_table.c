/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <math.h>
#include <string.h>
#include <uboost/utilization.h>

static ub_cost_layer layer(int32_t kind, double in, double out)
{
    ub_cost_layer l;

    ub_cost_layer_init(&l, sizeof(l));
    l.kind = kind;
    l.kernel_height = l.kernel_width = 3;
    l.in_height = l.in_width = l.out_height = l.out_width = 8;
    l.in_channels = in;
    l.out_channels = out;
    return l;
}

static ub_cost ask(const ub_cost_model *model, const ub_cost_layer *l)
{
    ub_cost cost = { .size = sizeof(cost) };

    assert_int_equal(model->evaluate(model->user, l, &cost), UB_OK);
    return cost;
}

/* The table's price at in x out is the source's at priced_in x priced_out. */
static void assert_priced(const ub_cost_model *table, const ub_cost_model *from,
                          ub_cost_layer l, double priced_in, double priced_out)
{
    const ub_cost a = ask(table, &l);
    ub_cost b;

    l.in_channels = priced_in;
    l.out_channels = priced_out;
    b = ask(from, &l);
    assert_close(a.cycles, b.cycles, 0.0);
    /* a sum of halves rounds once more */
    assert_close(a.latency_ms, b.latency_ms, 1e-15 * b.latency_ms);
    assert_close(a.utilization, b.utilization, 1e-15);
    assert_close(a.macs, b.macs, 0.0);
    assert_close(a.dlatency_din, 0.0, 0.0);
    assert_close(a.dlatency_dout, 0.0, 0.0);
}

static void nearest_width(void **state)
{
    ub_context *context = test_context(1);
    ub_util_table *table = NULL;
    ub_cost_model from = { .size = sizeof(from) };
    ub_cost_model model = { .size = sizeof(model) };
    ub_cost_layer l = layer(UB_COST_CONV, 64, 41);
    ub_cost cost = { .size = sizeof(cost) };

    (void) state;
    assert_int_equal(ub_util_model(UB_UTIL_EXACT, NULL, &from), UB_OK);
    assert_int_equal(ub_util_table_create(context, 16, &table), UB_OK);
    assert_int_equal(ub_util_table_model(table, &model), UB_OK);
    assert_int_equal(model.evaluate(model.user, &l, &cost), UB_ERR_UNSUPPORTED);
    assert_int_equal(ub_util_table_add(table, &l, &from), UB_OK);
    assert_int_equal(ub_util_table_entries(table), 4 * 3);
    assert_int_equal(ub_util_table_add(table, &l, &from), UB_OK);
    assert_int_equal(ub_util_table_entries(table), 4 * 3);
    assert_priced(&model, &from, layer(UB_COST_CONV, 16, 48), 16, 48);
    assert_priced(&model, &from, layer(UB_COST_CONV, 24, 24.001), 16, 32);
    assert_priced(&model, &from, layer(UB_COST_CONV, 1, 40), 16, 32);
    assert_priced(&model, &from, layer(UB_COST_CONV, 999, 56.5), 64, 48);
    l.dilation = 2;
    assert_priced(&model, &from, l, 64, 48);
    l.batch = 2;
    assert_int_equal(model.evaluate(model.user, &l, &cost), UB_ERR_UNSUPPORTED);
    l = layer(UB_COST_CONV, 16, 80);
    assert_int_equal(ub_util_table_add(table, &l, &from), UB_OK);
    assert_int_equal(ub_util_table_entries(table), 4 * 5);
    assert_priced(&model, &from, layer(UB_COST_CONV, 64, 80), 64, 80);
    ub_util_table_destroy(&table);
    assert_null(table);
    ub_context_destroy(&context);
}

static void other_kinds(void **state)
{
    ub_context *context = test_context(1);
    ub_util_table *table = NULL;
    ub_cost_model from = { .size = sizeof(from) };
    ub_cost_model model = { .size = sizeof(model) };
    const ub_cost_layer none = layer(UB_COST_FREE, 3, 3);
    ub_cost_layer l = layer(UB_COST_SEPARABLE, 64, 48);

    (void) state;
    assert_int_equal(ub_util_model(UB_UTIL_EXACT, NULL, &from), UB_OK);
    assert_int_equal(ub_util_table_create(context, 16, &table), UB_OK);
    assert_int_equal(ub_util_table_model(table, &model), UB_OK);
    assert_string_equal(model.name, "blackbox");
    assert_int_equal(ub_util_table_add(table, &none, &from), UB_OK);
    assert_int_equal(ub_util_table_entries(table), 0);
    assert_close(ask(&model, &none).utilization, 1.0, 0.0);
    assert_int_equal(ub_util_table_add(table, &l, &from), UB_OK);
    assert_int_equal(ub_util_table_entries(table), 4 + 12);
    assert_priced(&model, &from, layer(UB_COST_SEPARABLE, 50, 30), 48, 32);
    assert_priced(&model, &from, layer(UB_COST_DEPTHWISE, 50, 1), 48, 48);
    l = layer(UB_COST_LINEAR, 512, 10);
    assert_int_equal(ub_util_table_add(table, &l, &from), UB_OK);
    l.out_height = l.in_height = 1;
    assert_priced(&model, &from, l, 512, 16);
    ub_util_table_destroy(&table);
    ub_context_destroy(&context);
}

/* A price that bilinear interpolation meets exactly. */
static ub_status product_price(const void *user, const ub_cost_layer *l,
                               ub_cost *out)
{
    const double c = l->in_channels, f = l->out_channels;

    (void) user;
    *out = (ub_cost){ .size = sizeof(*out),
                      .macs = 2.0 * c * f,
                      .cycles = 5.0 + 3.0 * c + 0.5 * f + c * f,
                      .latency_ms = 1.0 + c * f,
                      .utilization = 0.1 + 1e-3 * c + 1e-4 * f };
    return UB_OK;
}

static void interpolation(void **state)
{
    ub_context *context = test_context(1);
    ub_util_table *table = NULL;
    const ub_cost_model from = { sizeof(from), "product", product_price, NULL };
    ub_cost_model model = { .size = sizeof(model) };
    ub_cost_layer l = layer(UB_COST_CONV, 64, 48);
    ub_cost a, b;

    (void) state;
    assert_int_equal(ub_util_table_interpolated(NULL, &model), UB_ERR_INVALID);
    assert_int_equal(ub_util_table_create(context, 16, &table), UB_OK);
    assert_int_equal(ub_util_table_interpolated(table, &model), UB_OK);
    assert_string_equal(model.name, "blackbox-interp");
    a.size = sizeof(a);
    assert_int_equal(model.evaluate(model.user, &l, &a), UB_ERR_UNSUPPORTED);
    assert_int_equal(ub_util_table_add(table, &l, &from), UB_OK);
    for (double c = 16.0; c < 64.0; c += 3.7) {
        for (double f = 16.0; f < 48.0; f += 2.9) {
            l = layer(UB_COST_CONV, c, f);
            a = ask(&model, &l);
            b = ask(&from, &l);
            assert_close(a.macs, b.macs, 1e-12 * b.macs);
            assert_close(a.cycles, b.cycles, 1e-12 * b.cycles);
            assert_close(a.latency_ms, b.latency_ms, 1e-12 * b.latency_ms);
            assert_close(a.utilization, b.utilization, 1e-12);
            assert_close(a.dcycles_din, 3.0 + f, 1e-9);
            assert_close(a.dcycles_dout, 0.5 + c, 1e-9);
            assert_close(a.dlatency_din, f, 1e-9);
            assert_close(a.dlatency_dout, c, 1e-9);
            assert_close(a.dutilization_din, 1e-3, 1e-12);
            assert_close(a.dutilization_dout, 1e-4, 1e-12);
        }
    }
    /* outside: the nearest width's, flat that way alone */
    l = layer(UB_COST_CONV, 3, 20);
    a = ask(&model, &l);
    assert_close(a.latency_ms, 1.0 + 16 * 20, 1e-12);
    assert_close(a.dlatency_din, 0.0, 0.0);
    assert_close(a.dlatency_dout, 16.0, 1e-9);
    l = layer(UB_COST_CONV, 1000, 48);
    a = ask(&model, &l);
    assert_close(a.latency_ms, 1.0 + 64 * 48, 1e-12);
    assert_close(a.dlatency_din, 0.0, 0.0);
    assert_close(a.dlatency_dout, 0.0, 0.0);
    ub_util_table_destroy(&table);
    ub_context_destroy(&context);
}

/* Both halves and their mean: derivatives against central differences, between
 * the table's widths, where all is smooth. */
static void interpolated_separable(void **state)
{
    ub_context *context = test_context(1);
    ub_util_table *table = NULL;
    ub_cost_model from = { .size = sizeof(from) };
    ub_cost_model model = { .size = sizeof(model) };
    ub_cost_layer l = layer(UB_COST_SEPARABLE, 200, 200);
    const double h = 1e-4;

    (void) state;
    assert_int_equal(ub_util_model(UB_UTIL_EXACT, NULL, &from), UB_OK);
    assert_int_equal(ub_util_table_create(context, 16, &table), UB_OK);
    assert_int_equal(ub_util_table_interpolated(table, &model), UB_OK);
    assert_int_equal(ub_util_table_add(table, &l, &from), UB_OK);
    for (int i = 0; i < 200; i++) {
        ub_cost at, low, high;

        l = layer(UB_COST_SEPARABLE, 16.5 + i * 7 % 180, 17.5 + i * 11 % 180);
        at = ask(&model, &l);
        l.in_channels -= h;
        low = ask(&model, &l);
        l.in_channels += 2 * h;
        high = ask(&model, &l);
        /* differences of order h^2 and rounding over h */
        assert_close(at.dlatency_din,
                     (high.latency_ms - low.latency_ms) / (2 * h), 1e-9);
        assert_close(at.dcycles_din, (high.cycles - low.cycles) / (2 * h),
                     1e-4);
        assert_close(at.dutilization_din,
                     (high.utilization - low.utilization) / (2 * h), 1e-8);
        l.in_channels -= h;
        l.out_channels -= h;
        low = ask(&model, &l);
        l.out_channels += 2 * h;
        high = ask(&model, &l);
        assert_close(at.dlatency_dout,
                     (high.latency_ms - low.latency_ms) / (2 * h), 1e-9);
        assert_close(at.dutilization_dout,
                     (high.utilization - low.utilization) / (2 * h), 1e-8);
    }
    ub_util_table_destroy(&table);
    ub_context_destroy(&context);
}

/* A depthwise layer's out_channels are not read: not its price, and not beyond
 * the table. */
static void depthwise_output(void **state)
{
    static const double outputs[] = { NAN, INFINITY, -1e300, 1e9 };
    ub_context *context = test_context(1);
    ub_util_table *table = NULL;
    ub_cost_model from = { .size = sizeof(from) };
    ub_cost_model model = { .size = sizeof(model) };
    ub_cost_model between = { .size = sizeof(between) };
    ub_cost_layer l = layer(UB_COST_DEPTHWISE, 64, NAN);

    (void) state;
    assert_int_equal(ub_util_model(UB_UTIL_EXACT, NULL, &from), UB_OK);
    assert_int_equal(ub_util_table_create(context, 16, &table), UB_OK);
    assert_int_equal(ub_util_table_model(table, &model), UB_OK);
    assert_int_equal(ub_util_table_interpolated(table, &between), UB_OK);
    assert_int_equal(ub_util_table_add(table, &l, &from), UB_OK);
    assert_int_equal(ub_util_table_entries(table), 4);
    for (size_t i = 0; i < sizeof(outputs) / sizeof(outputs[0]); i++) {
        l = layer(UB_COST_DEPTHWISE, 64, outputs[i]);
        assert_priced(&between, &from, l, 64, 1);
        assert_priced(&model, &from, layer(UB_COST_DEPTHWISE, 33, outputs[i]),
                      32, 1);
    }
    ub_util_table_destroy(&table);
    ub_context_destroy(&context);
}

/* Widths that the groups divide: 32, 64, ... and 18, 36, ... */
static void grouped(void **state)
{
    ub_context *context = test_context(1);
    ub_util_table *table = NULL;
    ub_cost_model from = { .size = sizeof(from) };
    ub_cost_model model = { .size = sizeof(model) };
    ub_cost_layer l = layer(UB_COST_CONV, 96, 64);

    (void) state;
    assert_int_equal(ub_util_model(UB_UTIL_EXACT, NULL, &from), UB_OK);
    assert_int_equal(ub_util_table_create(context, 16, &table), UB_OK);
    assert_int_equal(ub_util_table_model(table, &model), UB_OK);
    l.groups = 32;
    assert_int_equal(ub_util_table_add(table, &l, &from), UB_OK);
    assert_int_equal(ub_util_table_entries(table), 3 * 2);
    assert_priced(&model, &from, l, 96, 64);
    l.in_channels = 81;
    l.out_channels = 48;
    assert_priced(&model, &from, l, 96, 32);
    l.groups = 3;
    assert_int_equal(ub_util_table_add(table, &l, &from), UB_OK);
    assert_int_equal(ub_util_table_entries(table), 3 * 2 + 5 * 3);
    assert_priced(&model, &from, l, 72, 54);
    ub_util_table_destroy(&table);
    ub_context_destroy(&context);
}

/* Between those widths, with the slopes of their steps. */
static void grouped_interpolation(void **state)
{
    ub_context *context = test_context(1);
    ub_util_table *table = NULL;
    const ub_cost_model from = { sizeof(from), "product", product_price, NULL };
    ub_cost_model model = { .size = sizeof(model) };
    ub_cost_layer l = layer(UB_COST_CONV, 96, 128);

    (void) state;
    assert_int_equal(ub_util_table_create(context, 16, &table), UB_OK);
    assert_int_equal(ub_util_table_interpolated(table, &model), UB_OK);
    l.groups = 32;
    assert_int_equal(ub_util_table_add(table, &l, &from), UB_OK);
    for (double c = 32.0; c < 96.0; c += 6.7) {
        for (double f = 32.0; f < 128.0; f += 9.1) {
            ub_cost a, b;

            l.in_channels = c;
            l.out_channels = f;
            a = ask(&model, &l);
            b = ask(&from, &l);
            assert_close(a.cycles, b.cycles, 1e-12 * b.cycles);
            assert_close(a.dcycles_din, 3.0 + f, 1e-9);
            assert_close(a.dcycles_dout, 0.5 + c, 1e-9);
        }
    }
    ub_util_table_destroy(&table);
    ub_context_destroy(&context);
}

static ub_status refuse(const void *user, const ub_cost_layer *l, ub_cost *out)
{
    (void) user;
    (void) l;
    (void) out;
    return UB_ERR_INVALID;
}

static ub_status refuse_conv(const void *user, const ub_cost_layer *l,
                             ub_cost *out)
{
    (void) user;
    return l->kind == UB_COST_CONV ? UB_ERR_INVALID
                                   : ub_util_latency(NULL, l, out);
}

/* Neither half of a layer stays if the second cannot be priced. */
static void half_refused(void **state)
{
    ub_context *context = test_context(1);
    ub_util_table *table = NULL;
    const ub_cost_model from = { sizeof(from), "mule", refuse_conv, NULL };
    ub_cost_model model = { .size = sizeof(model) };
    ub_cost_layer l = layer(UB_COST_DEPTHWISE, 32, 1);

    (void) state;
    assert_int_equal(ub_util_table_create(context, 16, &table), UB_OK);
    assert_int_equal(ub_util_table_model(table, &model), UB_OK);
    for (int64_t entries = 0; entries <= 2; entries += 2) {
        l = layer(UB_COST_SEPARABLE, 64, 48);
        assert_int_equal(ub_util_table_add(table, &l, &from), UB_ERR_INVALID);
        assert_int_equal(ub_util_table_entries(table), entries);
        l = layer(UB_COST_DEPTHWISE, 32, 1);
        assert_int_equal(ub_util_table_add(table, &l, &from), UB_OK);
        assert_int_equal(ub_util_table_entries(table), 2);
    }
    assert_priced(&model, &from, layer(UB_COST_DEPTHWISE, 64, 1), 32, 1);
    ub_util_table_destroy(&table);
    ub_context_destroy(&context);
}

static void bad_input(void **state)
{
    ub_context *context = test_context(1);
    ub_util_table *table = NULL;
    const ub_cost_model model = { sizeof(model), "mule", refuse, NULL };
    const ub_cost_model no_size = { 0, "mule", refuse, NULL };
    ub_cost_layer l = layer(UB_COST_CONV, 64, 48);
    struct {
        ub_cost_layer layer;
        int64_t unknown;
    } newer = { l, 1 };

    (void) state;
    newer.layer.size = sizeof(newer);
    assert_int_equal(ub_util_table_create(context, 0, &table), UB_ERR_INVALID);
    assert_int_equal(ub_util_table_create(context, 16, &table), UB_OK);
    assert_int_equal(ub_util_table_add(table, &l, &model), UB_ERR_INVALID);
    assert_non_null(strstr(ub_context_last_error(context), "mule"));
    assert_int_equal(ub_util_table_add(table, &l, NULL), UB_ERR_INVALID);
    assert_int_equal(ub_util_table_add(table, NULL, &model), UB_ERR_INVALID);
    assert_int_equal(ub_util_table_add(table, &l, &no_size), UB_ERR_INVALID);
    assert_null(strstr(ub_context_last_error(context), "mule"));
    assert_int_equal(ub_util_table_add(table, &newer.layer, &model),
                     UB_ERR_UNSUPPORTED);
    l.in_channels = 1e15;
    assert_int_equal(ub_util_table_add(table, &l, &model), UB_ERR_RANGE);
    assert_int_equal(ub_util_table_entries(table), 0);
    ub_util_table_destroy(&table);
    ub_context_destroy(&context);
}

static ub_status fill(ub_context *context, void *arg)
{
    ub_util_table *table = NULL;
    ub_cost_model from = { .size = sizeof(from) };
    ub_cost_layer l = layer(UB_COST_SEPARABLE, 64, 48);
    ub_status status = ub_util_model(UB_UTIL_EXACT, NULL, &from);

    (void) arg;
    if (status == UB_OK)
        status = ub_util_table_create(context, 16, &table);
    if (status == UB_OK)
        status = ub_util_table_add(table, &l, &from);
    l.in_channels = 90;
    if (status == UB_OK)
        status = ub_util_table_add(table, &l, &from);
    ub_util_table_destroy(&table);
    return status;
}

static void out_of_memory(void **state)
{
    (void) state;
    assert_survives_oom(fill, 1, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nearest_width),
        cmocka_unit_test(other_kinds),
        cmocka_unit_test(interpolation),
        cmocka_unit_test(interpolated_separable),
        cmocka_unit_test(depthwise_output),
        cmocka_unit_test(grouped),
        cmocka_unit_test(grouped_interpolation),
        cmocka_unit_test(half_refused),
        cmocka_unit_test(bad_input),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
