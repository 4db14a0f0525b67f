/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include "base/base.h"

#include <math.h>
#include <stdlib.h>
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

/* Names that stand for one thing, and lines across. */
static ub_plot *fronts(ub_context *context)
{
    ub_plot_options o;
    ub_plot *plot = NULL;

    ub_plot_options_init(&o, sizeof(o));
    o.first_color = 3;
    o.width = 500;
    assert_int_equal(ub_plot_create(context, &o, &plot), UB_OK);
    assert_int_equal(ub_plot_series(plot, "a", UB_PLOT_POINTS, 5, x, y), UB_OK);
    assert_int_equal(ub_plot_series(plot, "a", UB_PLOT_STEPS, 2, x, y), UB_OK);
    assert_int_equal(ub_plot_series(plot, "b", UB_PLOT_STEPS, 2, y, x), UB_OK);
    assert_int_equal(ub_plot_vertical(plot, 128.0, "128"), UB_OK);
    assert_int_equal(ub_plot_vertical(plot, 1e9, "out of sight"), UB_OK);
    return plot;
}

static ub_plot *graph(ub_context *context)
{
    ub_plot *plot = NULL;

    assert_int_equal(ub_plot_create(context, NULL, &plot), UB_OK);
    assert_int_equal(ub_plot_node(plot, "in", 0.0, 0.0), UB_OK);
    assert_int_equal(ub_plot_node(plot, "a node", 1.0, 1.0), UB_OK);
    assert_int_equal(ub_plot_node(plot, "out", 2.0, 0.0), UB_OK);
    assert_int_equal(ub_plot_edge(plot, 0, 1, "conv3x3", 0.0), UB_OK);
    assert_int_equal(ub_plot_edge(plot, 0, 2, "", 0.0), UB_OK);
    assert_int_equal(ub_plot_edge(plot, 0, 2, "conv5x5", -0.2), UB_OK);
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
    ub_plot *plots[] = { lines(context), bars(context), heat(context),
                         fronts(context), graph(context) };

    (void) state;
    check_written(plots[0], 400, 300);
    check_written(plots[1], 900, 560);
    check_written(plots[2], 900, 560);
    check_written(plots[3], 500, 560);
    check_written(plots[4], 900, 560);
    for (int i = 0; i < 5; i++)
        ub_plot_destroy(&plots[i]);
    assert_null(plots[0]);
    ub_context_destroy(&context);
}

/* How often a text stands in the file. */
static int count(const char *path, const char *text)
{
    char *const file = test_file_read(path);
    int n = 0;

    for (const char *at = strstr(file, text); at; at = strstr(at + 1, text))
        n++;
    free(file);
    return n;
}

static void grid(void **state)
{
    ub_context *context = test_context(1);
    ub_plot *plots[] = { lines(context), graph(context), fronts(context) };
    const ub_plot *const borrowed[] = { plots[0], plots[1], plots[2] };
    const ub_status status = ub_plot_write_grid(3, borrowed, 2,
                                                test_path("grid.png"));

    (void) state;
    if (status != UB_ERR_UNSUPPORTED) {
        assert_int_equal(status, UB_OK);
        check_png(context, test_path("grid.png"), 500 + 900, 560 + 560);
        assert_int_equal(
            ub_plot_write_grid(3, borrowed, 2, test_path("grid.svg")), UB_OK);
        check_svg(context, test_path("grid.svg"));
    }
    for (int i = 0; i < 3; i++)
        ub_plot_destroy(&plots[i]);
    ub_context_destroy(&context);
    if (status == UB_ERR_UNSUPPORTED)
        skip();
}

/* One name, one colour; a line across only where the axes reach. */
static void shared_colors(void **state)
{
    static const char second[] = "rgb(90%,62%,0%)";
    ub_context *context = test_context(1);
    ub_plot *one = NULL, *two = NULL;
    ub_status status;

    (void) state;
    assert_int_equal(ub_plot_create(context, NULL, &one), UB_OK);
    assert_int_equal(ub_plot_create(context, NULL, &two), UB_OK);
    assert_int_equal(ub_plot_series(one, "a", UB_PLOT_POINTS, 2, x, y), UB_OK);
    assert_int_equal(ub_plot_series(one, "a", UB_PLOT_LINE, 2, x, y), UB_OK);
    assert_int_equal(ub_plot_vertical(one, 2.0, "two"), UB_OK);
    assert_int_equal(ub_plot_vertical(one, 1e9, "out of sight"), UB_OK);
    assert_int_equal(ub_plot_series(two, "a", UB_PLOT_POINTS, 2, x, y), UB_OK);
    assert_int_equal(ub_plot_series(two, "b", UB_PLOT_LINE, 2, x, y), UB_OK);
    status = ub_plot_write(one, test_path("one.svg"));
    if (status == UB_OK)
        status = ub_plot_write(two, test_path("two.svg"));
    ub_plot_destroy(&one);
    ub_plot_destroy(&two);
    ub_context_destroy(&context);
    if (status == UB_ERR_UNSUPPORTED)
        skip();
    assert_int_equal(status, UB_OK);
    assert_int_equal(count(test_path("one.svg"), second), 0);
    assert_true(count(test_path("two.svg"), second) > 0);
    assert_int_equal(count(test_path("one.svg"), "stroke-dasharray"), 1);
    assert_int_equal(count(test_path("two.svg"), "stroke-dasharray"), 0);
}

/* What is far beyond the ends of an axis leaves on the right side: cairo's
 * coordinates would begin anew. */
static void far_outside(void **state)
{
    static const double high[] = { 0.5, 1e12, 0.5 };
    ub_context *context = test_context(1);
    ub_plot_options o;
    ub_plot *plot = NULL;
    ub_status status;

    (void) state;
    ub_plot_options_init(&o, sizeof(o));
    o.y_low = 0.0;
    o.y_high = 1.0;
    assert_int_equal(ub_plot_create(context, &o, &plot), UB_OK);
    assert_int_equal(ub_plot_categories(plot, 3, names), UB_OK);
    assert_int_equal(ub_plot_bars(plot, "bars", high), UB_OK);
    assert_int_equal(ub_plot_series(plot, "line", UB_PLOT_LINE, 3, high, high),
                     UB_OK);
    status = ub_plot_write(plot, test_path("far.svg"));
    ub_plot_destroy(&plot);
    ub_context_destroy(&context);
    if (status == UB_ERR_UNSUPPORTED)
        skip();
    assert_int_equal(status, UB_OK);
    assert_true(count(test_path("far.svg"), " -1000000 ") >= 2);
    assert_true(count(test_path("far.svg"), " 1000000 ") >= 1);
}

/* The same figure makes the same bytes, whatever was drawn before. */
static void repeatable(void **state)
{
    static const char *const files[] = { "first.svg", "second.svg", "first.png",
                                         "second.png" };
    ub_context *context = test_context(1);
    ub_plot *plots[] = { fronts(context), graph(context), bars(context) };
    const ub_plot *const borrowed[] = { plots[0], plots[1], plots[2] };
    ub_status status = UB_OK;

    (void) state;
    for (int i = 0; i < 4; i++)
        status = ub_plot_write_grid(3, borrowed, 1, test_path(files[i]));
    for (int i = 0; i < 4 && status == UB_OK; i += 2) {
        void *data[2];
        size_t size[2];

        for (int k = 0; k < 2; k++)
            assert_int_equal(ub__file_read(context, test_path(files[i + k]),
                                           1 << 24, &data[k], &size[k]),
                             UB_OK);
        assert_int_equal(size[0], size[1]);
        assert_memory_equal(data[0], data[1], size[0]);
        ub__free(context, data[0]);
        ub__free(context, data[1]);
    }
    for (int i = 0; i < 3; i++)
        ub_plot_destroy(&plots[i]);
    ub_context_destroy(&context);
    if (status == UB_ERR_UNSUPPORTED)
        skip();
    assert_int_equal(status, UB_OK);
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

static void graph_refused(void **state)
{
    ub_context *context = test_context(1), *other = test_context(1);
    ub_plot *plots[] = { graph(context), lines(context), heat(context),
                         lines(other) };
    const ub_plot *mixed[] = { plots[0], plots[3] },
                  *none[] = { plots[0], NULL };

    (void) state;
    assert_int_equal(ub_plot_node(NULL, "a", 0.0, 0.0), UB_ERR_INVALID);
    assert_int_equal(ub_plot_node(plots[0], NULL, 0.0, 0.0), UB_ERR_INVALID);
    assert_int_equal(ub_plot_node(plots[0], "a", NAN, 0.0), UB_ERR_INVALID);
    assert_int_equal(ub_plot_node(plots[1], "a", 0.0, 0.0), UB_ERR_INVALID);
    assert_int_equal(ub_plot_node(plots[2], "a", 0.0, 0.0), UB_ERR_INVALID);
    assert_int_equal(ub_plot_edge(NULL, 0, 1, "", 0.0), UB_ERR_INVALID);
    assert_int_equal(ub_plot_edge(plots[0], 0, 3, "", 0.0), UB_ERR_INVALID);
    assert_int_equal(ub_plot_edge(plots[0], -1, 1, "", 0.0), UB_ERR_INVALID);
    assert_int_equal(ub_plot_edge(plots[0], 1, 1, "", 0.0), UB_ERR_INVALID);
    assert_int_equal(ub_plot_edge(plots[0], 0, 1, NULL, 0.0), UB_ERR_INVALID);
    assert_int_equal(ub_plot_edge(plots[0], 0, 1, "", NAN), UB_ERR_INVALID);
    assert_int_equal(ub_plot_edge(plots[1], 0, 1, "", 0.0), UB_ERR_INVALID);
    assert_int_equal(ub_plot_series(plots[0], "", UB_PLOT_LINE, 2, x, y),
                     UB_ERR_INVALID);
    assert_int_equal(ub_plot_categories(plots[0], 3, names), UB_ERR_INVALID);
    assert_int_equal(ub_plot_vertical(NULL, 1.0, ""), UB_ERR_INVALID);
    assert_int_equal(ub_plot_vertical(plots[0], 1.0, ""), UB_ERR_INVALID);
    assert_int_equal(ub_plot_vertical(plots[1], NAN, ""), UB_ERR_INVALID);
    assert_int_equal(ub_plot_vertical(plots[1], 1.0, NULL), UB_ERR_INVALID);
    assert_int_equal(ub_plot_vertical(plots[2], 1.0, ""), UB_ERR_INVALID);
    assert_int_equal(ub_plot_write_grid(2, mixed, 1, test_path("a.svg")),
                     UB_ERR_INVALID);
    assert_int_equal(ub_plot_write_grid(2, none, 1, test_path("a.svg")),
                     UB_ERR_INVALID);
    assert_int_equal(ub_plot_write_grid(1, none, 2, test_path("a.svg")),
                     UB_ERR_INVALID);
    assert_int_equal(ub_plot_write_grid(0, none, 1, test_path("a.svg")),
                     UB_ERR_INVALID);
    for (int64_t i = 3; i < UB_PLOT_MAX_NAMES; i++)
        assert_int_equal(ub_plot_node(plots[0], "", 0.0, 0.0), UB_OK);
    assert_int_equal(ub_plot_node(plots[0], "", 0.0, 0.0), UB_ERR_RANGE);
    for (int i = 0; i < 4; i++)
        ub_plot_destroy(&plots[i]);
    ub_context_destroy(&context);
    ub_context_destroy(&other);
}

/* Coordinates and places at the ends of the numbers; boxes on each other. */
static void hostile_graph(void **state)
{
    ub_context *context = test_context(1);
    ub_plot *plot = NULL;
    ub_status status;

    (void) state;
    assert_int_equal(ub_plot_create(context, NULL, &plot), UB_OK);
    assert_int_equal(ub_plot_node(plot, "a", -1.7e308, 1e308), UB_OK);
    assert_int_equal(ub_plot_node(plot, "b", 1.7e308, 1e308), UB_OK);
    assert_int_equal(ub_plot_node(plot, "c", 1.7e308, 1e308), UB_OK);
    assert_int_equal(ub_plot_edge(plot, 0, 1, "e", 1.0), UB_OK);
    assert_int_equal(ub_plot_edge(plot, 1, 2, "f", -1.0), UB_OK);
    status = ub_plot_write(plot, test_path("hostile.svg"));
    ub_plot_destroy(&plot);
    ub_context_destroy(&context);
    if (status == UB_ERR_UNSUPPORTED)
        skip();
    assert_int_equal(status, UB_OK);
}

static ub_status fill_graph(ub_context *context, void *arg)
{
    ub_plot *plot = NULL;
    ub_status status = ub_plot_create(context, NULL, &plot);

    (void) arg;
    for (int i = 0; i < 5 && status == UB_OK; i++)
        status = ub_plot_node(plot, "node", i, i);
    for (int i = 0; i < 4 && status == UB_OK; i++)
        status = ub_plot_edge(plot, i, i + 1, "edge", 0.1);
    if (status == UB_OK)
        status = ub_plot_write(plot, test_path("oom.svg"));
    if (status == UB_ERR_UNSUPPORTED)
        status = UB_OK;
    ub_plot_destroy(&plot);
    return status;
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
        status = ub_plot_vertical(plot, 1.0, "one");
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
    assert_survives_oom(fill_graph, 1, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written),       cmocka_unit_test(grid),
        cmocka_unit_test(repeatable),    cmocka_unit_test(refused),
        cmocka_unit_test(shared_colors), cmocka_unit_test(hostile_graph),
        cmocka_unit_test(graph_refused), cmocka_unit_test(out_of_memory),
        cmocka_unit_test(far_outside),
    };

    return cmocka_run_group_tests_name("plot", tests, NULL, NULL);
}
