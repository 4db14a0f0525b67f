/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include "base/base.h"

#include <math.h>
#include <string.h>
#include <uboost/plot.h>

static const double x[] = { 1.0, 10.0, NAN, 1000.0, 20.0 };
static const double y[] = { 0.5, 0.25, 0.3, 0.125, 0.7 };
static const char *const names[] = { "conv1", "conv2_3x3", "a long name" };
static const double heights[] = { 3.0, 0.0, 2.0 };

static ub_plot *lines(ub_context *context)
{
    ub_plot_options o;
    ub_plot *plot = NULL;

    ub_plot_options_init(&o, sizeof(o));
    o.title = "Title";
    o.x_label = "x [cycles]";
    o.y_label = "y";
    o.x_log = 1;
    o.width = 400;
    o.height = 300;
    assert_int_equal(ub_plot_create(context, &o, &plot), UB_OK);
    assert_int_equal(ub_plot_series(plot, "line", UB_PLOT_LINE, 5, x, y),
                     UB_OK);
    assert_int_equal(ub_plot_series(plot, "points", UB_PLOT_POINTS, 5, x, y),
                     UB_OK);
    assert_int_equal(ub_plot_series(plot, "steps", UB_PLOT_STEPS, 2, x, y),
                     UB_OK);
    return plot;
}

static ub_plot *bars(ub_context *context)
{
    ub_plot *plot = NULL;

    assert_int_equal(ub_plot_create(context, NULL, &plot), UB_OK);
    assert_int_equal(ub_plot_categories(plot, 3, names), UB_OK);
    assert_int_equal(ub_plot_bars(plot, "busy", heights), UB_OK);
    assert_int_equal(ub_plot_bars(plot, "idle", heights), UB_OK);
    return plot;
}

static ub_plot *heat(ub_context *context)
{
    static const double cells[] = { 0.0, 1.0, 2.0, 3.0, NAN, 5.0 };
    ub_plot *plot = NULL;

    assert_int_equal(ub_plot_create(context, NULL, &plot), UB_OK);
    assert_int_equal(ub_plot_categories(plot, 3, names), UB_OK);
    assert_int_equal(ub_plot_heat(plot, "ms", 2, names, cells), UB_OK);
    return plot;
}

static void check_png(ub_context *context, const char *path, int64_t width,
                      int64_t height)
{
    static const unsigned char signature[] = { 0x89, 'P', 'N', 'G' };
    void *data = NULL;
    size_t size = 0;
    const unsigned char *bytes;

    assert_int_equal(ub__file_read(context, path, 1 << 24, &data, &size),
                     UB_OK);
    bytes = data;
    assert_true(size > 1000);
    assert_memory_equal(bytes, signature, sizeof(signature));
    assert_int_equal(bytes[18] * 256 + bytes[19], width);
    assert_int_equal(bytes[22] * 256 + bytes[23], height);
    ub__free(context, data);
}

static void check_svg(ub_context *context, const char *path)
{
    void *data = NULL;
    size_t size = 0;

    assert_int_equal(ub__file_read(context, path, 1 << 24, &data, &size),
                     UB_OK);
    assert_non_null(strstr(data, "<svg"));
    assert_non_null(strstr(data, "</svg>"));
    ub__free(context, data);
}

/* Skips where the library was built without cairo. */
static void check_written(ub_plot *plot, int64_t width, int64_t height)
{
    ub_context *context = test_context(1);
    const ub_status status = ub_plot_write(plot, test_path("plot.png"));

    if (status == UB_ERR_UNSUPPORTED) {
        ub_context_destroy(&context);
        ub_plot_destroy(&plot);
        skip();
    }
    assert_int_equal(status, UB_OK);
    check_png(context, test_path("plot.png"), width, height);
    assert_int_equal(ub_plot_write(plot, test_path("plot.svg")), UB_OK);
    check_svg(context, test_path("plot.svg"));
    ub_context_destroy(&context);
}

static void written(void **state)
{
    ub_context *context = test_context(1);
    ub_plot *plots[] = { lines(context), bars(context), heat(context) };

    (void) state;
    check_written(plots[0], 400, 300);
    check_written(plots[1], 900, 560);
    check_written(plots[2], 900, 560);
    for (int i = 0; i < 3; i++)
        ub_plot_destroy(&plots[i]);
    assert_null(plots[0]);
    ub_context_destroy(&context);
}

static void refused(void **state)
{
    static const double infinite[] = { 1.0, INFINITY, 2.0 };
    static const double below[] = { 1.0, -1.0, 2.0 };
    ub_context *context = test_context(1);
    ub_plot_options o;
    ub_plot *plot = NULL, *other = bars(context);

    (void) state;
    ub_plot_options_init(&o, sizeof(o));
    o.width = 100;
    assert_int_equal(ub_plot_create(context, &o, &plot), UB_ERR_INVALID);
    o.width = 400;
    o.x_log = 1;
    o.x_low = 0.0;
    assert_int_equal(ub_plot_create(context, &o, &plot), UB_ERR_INVALID);
    assert_int_equal(ub_plot_create(context, NULL, &plot), UB_OK);
    assert_int_equal(ub_plot_write(plot, test_path("a.png")), UB_ERR_INVALID);
    assert_int_equal(ub_plot_series(plot, "a", UB_PLOT_LINE, 3, infinite, y),
                     UB_ERR_INVALID);
    assert_int_equal(ub_plot_series(plot, "a", UB_PLOT_LINE, 0, x, y),
                     UB_ERR_INVALID);
    assert_int_equal(ub_plot_bars(plot, "a", heights), UB_ERR_INVALID);
    assert_int_equal(ub_plot_categories(plot, 0, names), UB_ERR_INVALID);
    assert_int_equal(ub_plot_categories(plot, 3, names), UB_OK);
    assert_int_equal(ub_plot_categories(plot, 3, names), UB_ERR_INVALID);
    assert_int_equal(ub_plot_bars(plot, "a", below), UB_ERR_INVALID);
    assert_int_equal(ub_plot_heat(other, "h", 1, names, heights),
                     UB_ERR_INVALID);
    assert_int_equal(ub_plot_write(other, test_path("a.gif")), UB_ERR_INVALID);
    ub_plot_destroy(&plot);
    ub_plot_destroy(&other);
    ub_context_destroy(&context);
}

static ub_status fill(ub_context *context, void *arg)
{
    ub_plot *plot = NULL;
    ub_plot_options o;
    ub_status status;

    (void) arg;
    ub_plot_options_init(&o, sizeof(o));
    o.title = "Title";
    status = ub_plot_create(context, &o, &plot);
    if (status == UB_OK)
        status = ub_plot_categories(plot, 3, names);
    if (status == UB_OK)
        status = ub_plot_bars(plot, "busy", heights);
    if (status == UB_OK)
        status = ub_plot_series(plot, "line", UB_PLOT_LINE, 3, y, y);
    if (status == UB_OK)
        status = ub_plot_write(plot, test_path("oom.svg"));
    if (status == UB_ERR_UNSUPPORTED)
        status = UB_OK;
    ub_plot_destroy(&plot);
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
        cmocka_unit_test(written),
        cmocka_unit_test(refused),
        cmocka_unit_test(out_of_memory),
    };

    return cmocka_run_group_tests_name("plot", tests, NULL, NULL);
}
