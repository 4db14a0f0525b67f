/* SPDX-License-Identifier: BSD-2-Clause */
#include "plot/plot.h"

#include <math.h>
#include <string.h>

#define MIN_EXTENT 200
#define MAX_EXTENT 8192

static ub_plot_options defaults(void)
{
    return (ub_plot_options){
        .size = sizeof(ub_plot_options),
        .width = 900,
        .height = 560,
        .x_low = NAN,
        .x_high = NAN,
        .y_low = NAN,
        .y_high = NAN,
    };
}

static int is_flag(int32_t value)
{
    return value == 0 || value == 1;
}

static int extent_valid(int64_t extent)
{
    return extent >= MIN_EXTENT && extent <= MAX_EXTENT;
}

/* Ends of an axis: NaN or finite, in order, above 0 when logarithmic. */
static int ends_valid(double low, double high, int32_t log)
{
    if (isinf(low) || isinf(high) || low >= high)
        return 0;
    return !log || !(low <= 0.0 || high <= 0.0);
}

static int options_valid(const ub_plot_options *o)
{
    return extent_valid(o->width) && extent_valid(o->height) &&
           is_flag(o->x_log) && is_flag(o->y_log) &&
           ends_valid(o->x_low, o->x_high, o->x_log) &&
           ends_valid(o->y_low, o->y_high, o->y_log) && o->first_color >= 0 &&
           o->first_color < UB_PLOT_MAX_SERIES && o->reserved == 0;
}

/* -- memory --------------------------------------------------------------- */

static void free_names(ub_context *context, char **names, int64_t n)
{
    for (int64_t i = 0; names != NULL && i < n; i++)
        ub__free(context, names[i]);
    ub__free(context, names);
}

static char **copy_names(ub_context *context, int64_t n,
                         const char *const *names)
{
    char **copies = ub__calloc(context, (size_t) n, sizeof(*copies));

    for (int64_t i = 0; copies != NULL && i < n; i++) {
        copies[i] = ub__strdup(context, names[i]);
        if (copies[i] == NULL) {
            free_names(context, copies, n);
            copies = NULL;
        }
    }
    return copies;
}

static double *copy_numbers(ub_context *context, int64_t n,
                            const double *numbers)
{
    double *copies = ub__alloc(context, (size_t) n, sizeof(*copies));

    if (copies != NULL)
        memcpy(copies, numbers, (size_t) n * sizeof(*copies));
    return copies;
}

static void free_series(ub_context *context, ub__plot_series *series)
{
    ub__free(context, series->name);
    ub__free(context, series->x);
    ub__free(context, series->y);
}

/* Copy a text that may be NULL; 0 when memory ran out. */
static int copy_text(ub_context *context, const char *text, const char **out)
{
    *out = text == NULL ? NULL : ub__strdup(context, text);
    return text == NULL || *out != NULL;
}

/* -- figure --------------------------------------------------------------- */

void ub_plot_options_init(ub_plot_options *options, size_t size)
{
    const ub_plot_options full = defaults();

    ub__options_out(options, size, &full, sizeof(full));
}

ub_status ub_plot_create(ub_context *context, const ub_plot_options *options,
                         ub_plot **out)
{
    ub_plot_options full = defaults();
    ub_plot *plot;
    ub_status status;

    if (context == NULL)
        return UB_ERR_INVALID;
    if (out == NULL)
        return ub__fail(context, UB_ERR_INVALID, "plot: no place for it");
    status = ub__options_in(context, "plot", &full, sizeof(full), sizeof(full),
                            options);
    if (status != UB_OK)
        return status;
    if (!options_valid(&full))
        return ub__fail(context, UB_ERR_INVALID,
                        "plot: %lld x %lld with axes from %g to %g and %g to "
                        "%g in colours from %d makes no figure",
                        (long long) full.width, (long long) full.height,
                        full.x_low, full.x_high, full.y_low, full.y_high,
                        (int) full.first_color);
    plot = ub__calloc(context, 1, sizeof(*plot));
    if (plot == NULL)
        return UB_ERR_NOMEM;
    plot->context = context;
    plot->options = full;
    plot->options.title = plot->options.x_label = plot->options.y_label = NULL;
    if (!copy_text(context, full.title, &plot->options.title) ||
        !copy_text(context, full.x_label, &plot->options.x_label) ||
        !copy_text(context, full.y_label, &plot->options.y_label)) {
        ub_plot_destroy(&plot);
        return UB_ERR_NOMEM;
    }
    *out = plot;
    return UB_OK;
}

void ub_plot_destroy(ub_plot **plot)
{
    ub_plot *p = plot == NULL ? NULL : *plot;

    if (p == NULL)
        return;
    for (int64_t i = 0; i < p->n_series; i++)
        free_series(p->context, &p->series[i]);
    free_names(p->context, p->categories, p->n_categories);
    free_names(p->context, p->rows, p->n_rows);
    ub__plot_graph_free(p);
    ub__free(p->context, p->cells);
    ub__free(p->context, p->cells_name);
    ub__free(p->context, (void *) (uintptr_t) p->options.title);
    ub__free(p->context, (void *) (uintptr_t) p->options.x_label);
    ub__free(p->context, (void *) (uintptr_t) p->options.y_label);
    ub__free(p->context, p);
    *plot = NULL;
}

/* -- contents ------------------------------------------------------------- */

static int has_infinite(int64_t n, const double *numbers)
{
    for (int64_t i = 0; i < n; i++) {
        if (isinf(numbers[i]))
            return 1;
    }
    return 0;
}

static int names_valid(int64_t n, const char *const *names)
{
    if (n < 1 || n > UB_PLOT_MAX_NAMES || names == NULL)
        return 0;
    for (int64_t i = 0; i < n; i++) {
        if (names[i] == NULL)
            return 0;
    }
    return 1;
}

/* Take a series whose numbers are copied already; they are freed on failure. */
static ub_status add_series(ub_plot *plot, const char *name,
                            ub__plot_series series)
{
    ub_status status = UB_OK;

    if (plot->n_series == UB_PLOT_MAX_SERIES)
        status = ub__fail(plot->context, UB_ERR_RANGE,
                          "plot: more than %lld series",
                          (long long) UB_PLOT_MAX_SERIES);
    if (status == UB_OK)
        series.name = ub__strdup(plot->context, name);
    if (status == UB_OK && series.name == NULL)
        status = UB_ERR_NOMEM;
    if (status != UB_OK)
        free_series(plot->context, &series);
    else
        plot->series[plot->n_series++] = series;
    return status;
}

ub_status ub_plot_series(ub_plot *plot, const char *name, ub_plot_style style,
                         int64_t n, const double *x, const double *y)
{
    ub__plot_series series = { .style = (int32_t) style, .n = n };

    if (plot == NULL)
        return UB_ERR_INVALID;
    if (name == NULL || x == NULL || y == NULL || style < UB_PLOT_LINE ||
        style > UB_PLOT_THIN_LINE || n < 1 || n > UB_PLOT_MAX_NUMBERS)
        return ub__fail(plot->context, UB_ERR_INVALID,
                        "plot: a series of %lld points in style %d",
                        (long long) n, (int) style);
    if (plot->cells != NULL || plot->n_nodes > 0 || has_infinite(n, x) ||
        has_infinite(n, y))
        return ub__fail(plot->context, UB_ERR_INVALID,
                        "plot: series '%.60s' has an infinite number, or the "
                        "figure is a heat map or a graph",
                        name);
    series.x = copy_numbers(plot->context, n, x);
    series.y = copy_numbers(plot->context, n, y);
    if (series.x == NULL || series.y == NULL) {
        free_series(plot->context, &series);
        return UB_ERR_NOMEM;
    }
    return add_series(plot, name, series);
}

ub_status ub_plot_categories(ub_plot *plot, int64_t n, const char *const *names)
{
    char **copies;

    if (plot == NULL)
        return UB_ERR_INVALID;
    if (!names_valid(n, names) || plot->categories != NULL || plot->n_nodes > 0)
        return ub__fail(plot->context, UB_ERR_INVALID,
                        "plot: %lld categories, 1 to %lld can be given once, "
                        "to no graph",
                        (long long) n, (long long) UB_PLOT_MAX_NAMES);
    copies = copy_names(plot->context, n, names);
    if (copies == NULL)
        return UB_ERR_NOMEM;
    plot->categories = copies;
    plot->n_categories = n;
    return UB_OK;
}

/* The bars added last, on which the next ones stand. */
static const ub__plot_series *last_bars(const ub_plot *plot)
{
    for (int64_t i = plot->n_series - 1; i >= 0; i--) {
        if (plot->series[i].style == UB__PLOT_BARS)
            return &plot->series[i];
    }
    return NULL;
}

ub_status ub_plot_bars(ub_plot *plot, const char *name, const double *heights)
{
    ub__plot_series series = { .style = UB__PLOT_BARS };
    const ub__plot_series *below;

    if (plot == NULL)
        return UB_ERR_INVALID;
    if (name == NULL || heights == NULL || plot->categories == NULL ||
        plot->cells != NULL)
        return ub__fail(plot->context, UB_ERR_INVALID,
                        "plot: bars need a name, heights and categories, and "
                        "no heat map");
    for (int64_t i = 0; i < plot->n_categories; i++) {
        if (!(heights[i] >= 0.0) || isinf(heights[i]))
            return ub__fail(plot->context, UB_ERR_INVALID,
                            "plot: a bar of '%.60s' has the height %g", name,
                            heights[i]);
    }
    below = last_bars(plot);
    series.n = plot->n_categories;
    series.y = copy_numbers(plot->context, series.n, heights);
    if (series.y == NULL)
        return UB_ERR_NOMEM;
    for (int64_t i = 0; i < series.n && below != NULL; i++)
        series.y[i] += below->y[i];
    return add_series(plot, name, series);
}

ub_status ub_plot_heat(ub_plot *plot, const char *name, int64_t n,
                       const char *const *rows, const double *cells)
{
    int64_t total;
    char **names;

    if (plot == NULL)
        return UB_ERR_INVALID;
    if (name == NULL || cells == NULL || !names_valid(n, rows) ||
        plot->categories == NULL || plot->n_series > 0 ||
        plot->n_verticals > 0 || plot->cells != NULL)
        return ub__fail(plot->context, UB_ERR_INVALID,
                        "plot: a heat map of %lld rows needs categories and an "
                        "empty figure",
                        (long long) n);
    total = n * plot->n_categories;
    if (total > UB_PLOT_MAX_NUMBERS)
        return ub__fail(plot->context, UB_ERR_RANGE, "plot: %lld cells",
                        (long long) total);
    if (has_infinite(total, cells))
        return ub__fail(plot->context, UB_ERR_INVALID,
                        "plot: heat map '%.60s' has an infinite number", name);
    names = copy_names(plot->context, n, rows);
    plot->cells_name = ub__strdup(plot->context, name);
    plot->cells = copy_numbers(plot->context, total, cells);
    if (names == NULL || plot->cells_name == NULL || plot->cells == NULL) {
        free_names(plot->context, names, n);
        ub__free(plot->context, plot->cells_name);
        ub__free(plot->context, plot->cells);
        plot->cells_name = NULL;
        plot->cells = NULL;
        return UB_ERR_NOMEM;
    }
    plot->rows = names;
    plot->n_rows = n;
    return UB_OK;
}

/* -- writing -------------------------------------------------------------- */

static int ends_with(const char *path, const char *ending)
{
    const size_t length = strlen(path), tail = strlen(ending);

    return length > tail && strcmp(path + length - tail, ending) == 0;
}

/* All figures can be drawn, but for what their axes can show. */
static ub_status check_figures(ub_context *context, int64_t n,
                               const ub_plot *const *plots, const char *path)
{
    for (int64_t i = 0; i < n; i++) {
        if (plots[i] == NULL || plots[i]->context != context)
            return ub__fail(context, UB_ERR_INVALID,
                            "plot: figure %lld of %lld is NULL or of another "
                            "context",
                            (long long) i, (long long) n);
        if (plots[i]->n_series == 0 && plots[i]->n_nodes == 0 &&
            plots[i]->cells == NULL)
            return ub__fail(context, UB_ERR_INVALID,
                            "plot: nothing to draw in '%.100s'", path);
    }
    return UB_OK;
}

ub_status ub_plot_write(const ub_plot *plot, const char *path)
{
    return ub_plot_write_grid(1, &plot, 1, path);
}

ub_status ub_plot_write_grid(int64_t n, const ub_plot *const *plots,
                             int64_t columns, const char *path)
{
    ub_context *context;
    void *data = NULL;
    size_t size = 0;
    ub_status status;

    if (n < 1 || plots == NULL || plots[0] == NULL)
        return UB_ERR_INVALID;
    context = plots[0]->context;
    if (n > UB_PLOT_MAX_FIGURES || columns < 1 || columns > n)
        return ub__fail(context, UB_ERR_INVALID,
                        "plot: %lld figures in %lld columns; 1 to %lld can be",
                        (long long) n, (long long) columns,
                        (long long) UB_PLOT_MAX_FIGURES);
    if (path == NULL || (!ends_with(path, ".png") && !ends_with(path, ".svg")))
        return ub__fail(context, UB_ERR_INVALID,
                        "plot: '%.100s' ends neither in .png nor in .svg",
                        path == NULL ? "" : path);
    status = check_figures(context, n, plots, path);
    if (status == UB_OK)
        status = ub__plot_draw(n, plots, columns, ends_with(path, ".svg"),
                               &data, &size);
    if (status == UB_OK)
        status = ub__file_write(context, path, data, size);
    ub__free(context, data);
    return status;
}
