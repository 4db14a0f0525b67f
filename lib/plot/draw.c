/* SPDX-License-Identifier: BSD-2-Clause */
#include "plot/draw.h"

#include <cairo-svg.h>
#include <math.h>
#include <string.h>

/* Pixels of a file, in each direction. */
#define MAX_SIDE 16384
/* Pixels that a point is drawn from its figure's corner at most. */
#define FARTHEST 1e6

void ub__draw_gray(ub__figure *f, double gray)
{
    cairo_set_source_rgb(f->cairo, gray, gray, gray);
}

/* -- text ----------------------------------------------------------------- */

double ub__draw_width(ub__figure *f, const char *text)
{
    cairo_text_extents_t extents;

    cairo_text_extents(f->cairo, text, &extents);
    return extents.x_advance;
}

/* Text with the point at `anchor` of its width (0 left, 1 right), centred
 * vertically on y. */
void ub__draw_text(ub__figure *f, double x, double y, double anchor,
                   const char *text)
{
    cairo_move_to(f->cairo, x - anchor * ub__draw_width(f, text),
                  y + 0.36 * FONT_SIZE);
    cairo_show_text(f->cairo, text);
}

/* The same, turned by an angle around the point. */
void ub__draw_turned(ub__figure *f, double x, double y, double angle,
                     double anchor, const char *text)
{
    cairo_save(f->cairo);
    cairo_translate(f->cairo, x, y);
    cairo_rotate(f->cairo, angle);
    ub__draw_text(f, 0.0, 0.0, anchor, text);
    cairo_restore(f->cairo);
}

static double widest(ub__figure *f, char *const *names, int64_t n)
{
    double width = 0.0;

    for (int64_t i = 0; i < n; i++)
        width = fmax(width, ub__draw_width(f, names[i]));
    return width;
}

static double widest_tick(ub__figure *f, const ub__plot_axis *axis)
{
    char text[48];
    double width = 0.0;

    for (int i = 0; i < axis->n; i++) {
        ub__plot_axis_label(axis, axis->ticks[i], text, sizeof(text));
        width = fmax(width, ub__draw_width(f, text));
    }
    return width;
}

/* -- axes ----------------------------------------------------------------- */

void ub__draw_include(double value, int log, double range[2])
{
    if (isnan(value) || (log && value <= 0.0))
        return;
    range[0] = fmin(range[0], value);
    range[1] = fmax(range[1], value);
}

static void find_ranges(const ub_plot *plot, double x[2], double y[2])
{
    for (int64_t i = 0; i < plot->n_series; i++) {
        const ub__plot_series *s = &plot->series[i];

        for (int64_t k = 0; k < s->n; k++) {
            if (s->style == UB__PLOT_BARS) {
                ub__draw_include(0.0, plot->options.y_log, y);
            } else if (isnan(s->x[k]) || isnan(s->y[k])) {
                continue;
            } else {
                ub__draw_include(s->x[k], plot->options.x_log, x);
            }
            ub__draw_include(s->y[k], plot->options.y_log, y);
        }
    }
}

static ub_status make_axes(ub__figure *f)
{
    const ub_plot *plot = f->plot;
    const ub_plot_options *o = &plot->options;
    const double x_fixed[2] = { o->x_low, o->x_high };
    const double y_fixed[2] = { o->y_low, o->y_high };
    const double whole[2] = { -0.5, (double) plot->n_categories - 0.5 };
    const double heat[2] = { -0.5, (double) plot->n_rows - 0.5 };
    double x[2] = { INFINITY, -INFINITY }, y[2] = { INFINITY, -INFINITY };
    int made;

    find_ranges(plot, x, y);
    if (plot->categories != NULL)
        made = ub__plot_axis_make(whole[0], whole[1], whole, 0, TICKS_WANTED,
                                  &f->x);
    else
        made = ub__plot_axis_make(x[0], x[1], x_fixed, o->x_log, TICKS_WANTED,
                                  &f->x);
    if (made && plot->cells != NULL)
        made = ub__plot_axis_make(heat[0], heat[1], heat, 0, TICKS_WANTED,
                                  &f->y);
    else if (made)
        made = ub__plot_axis_make(y[0], y[1], y_fixed, o->y_log, TICKS_WANTED,
                                  &f->y);
    if (made)
        return UB_OK;
    return ub__fail(plot->context, UB_ERR_INVALID,
                    "plot: no number that the axes can show");
}

/* Behind 2^23 pixels cairo's coordinates begin anew on the other side. */
static double keep_in_reach(double place)
{
    return fmin(fmax(place, -FARTHEST), FARTHEST);
}

double ub__draw_x(const ub__figure *f, double value)
{
    return keep_in_reach(f->frame.left + ub__plot_axis_place(&f->x, value) *
                                             (f->frame.right - f->frame.left));
}

double ub__draw_y(const ub__figure *f, double value)
{
    return keep_in_reach(f->frame.bottom -
                         ub__plot_axis_place(&f->y, value) *
                             (f->frame.bottom - f->frame.top));
}

/* Whether names stand side by side below their columns. */
static int names_fit(ub__figure *f)
{
    const double room = (f->frame.right - f->frame.left) /
                        (double) f->plot->n_categories;

    return widest(f, f->plot->categories, f->plot->n_categories) + GAP <= room;
}

int ub__draw_has_legend(const ub_plot *plot)
{
    return plot->n_series > 1 ||
           (plot->n_series == 1 && plot->series[0].name[0] != '\0');
}

static double legend_width(ub__figure *f)
{
    double width = 0.0;

    for (int64_t i = 0; i < f->plot->n_series; i++)
        width = fmax(width, ub__draw_width(f, f->plot->series[i].name));
    return ub__draw_has_legend(f->plot) ? width + 2.0 * GAP + 18.0 : 0.0;
}

/* The room that labels, legend and title leave. */
static void lay_out(ub__figure *f)
{
    const ub_plot *plot = f->plot;
    const double line = 1.5 * FONT_SIZE;
    double below = line;
    char high[48];
    ub__plot_axis scale = { .decimals = 3 };

    ub__plot_axis_label(&scale, 1234.567, high, sizeof(high));
    f->legend_width = plot->cells != NULL ? COLOR_BAR + 3.0 * GAP +
                                                ub__draw_width(f, high) + line
                                          : legend_width(f);
    f->frame.left = 2.0 * GAP + TICK +
                    (plot->cells != NULL ? widest(f, plot->rows, plot->n_rows)
                                         : widest_tick(f, &f->y));
    if (plot->options.y_label != NULL)
        f->frame.left += line;
    f->frame.right = (double) plot->options.width - 2.0 * GAP -
                     fmax(f->legend_width, 2.0 * GAP);
    f->frame.top = plot->options.title != NULL ? 2.4 * TITLE_SIZE : 2.0 * GAP;
    if (plot->categories != NULL && !names_fit(f))
        below = widest(f, plot->categories, plot->n_categories) + GAP;
    below = fmin(below, 0.45 * (double) plot->options.height);
    if (plot->options.x_label != NULL)
        below += line;
    f->frame.bottom = (double) plot->options.height - 2.0 * GAP - TICK - below;
}

static void draw_grid(ub__figure *f)
{
    cairo_set_line_width(f->cairo, 1.0);
    ub__draw_gray(f, 0.88);
    for (int i = 0; i < f->y.n && f->plot->cells == NULL; i++) {
        const double y = ub__draw_y(f, f->y.ticks[i]);
        cairo_move_to(f->cairo, f->frame.left, y);
        cairo_line_to(f->cairo, f->frame.right, y);
    }
    for (int i = 0; i < f->x.n && f->plot->categories == NULL; i++) {
        const double x = ub__draw_x(f, f->x.ticks[i]);
        cairo_move_to(f->cairo, x, f->frame.top);
        cairo_line_to(f->cairo, x, f->frame.bottom);
    }
    cairo_stroke(f->cairo);
}

static void label_ticks(ub__figure *f)
{
    char text[48];

    for (int i = 0; i < f->y.n && f->plot->cells == NULL; i++) {
        ub__plot_axis_label(&f->y, f->y.ticks[i], text, sizeof(text));
        ub__draw_text(f, f->frame.left - GAP, ub__draw_y(f, f->y.ticks[i]), 1.0,
                      text);
    }
    for (int i = 0; i < f->x.n && f->plot->categories == NULL; i++) {
        ub__plot_axis_label(&f->x, f->x.ticks[i], text, sizeof(text));
        ub__draw_text(f, ub__draw_x(f, f->x.ticks[i]),
                      f->frame.bottom + TICK + 0.8 * FONT_SIZE, 0.5, text);
    }
}

/* Every name, or every second, third ... where they would touch. */
static void label_categories(ub__figure *f)
{
    const ub_plot *plot = f->plot;
    const double room = (f->frame.right - f->frame.left) /
                        (double) plot->n_categories;
    const int64_t stride = (int64_t) fmax(1.0, ceil(1.1 * FONT_SIZE / room));
    const int fit = names_fit(f);

    for (int64_t i = 0; i < plot->n_categories; i += fit ? 1 : stride) {
        const double x = ub__draw_x(f, (double) i);

        if (fit)
            ub__draw_text(f, x, f->frame.bottom + TICK + 0.8 * FONT_SIZE, 0.5,
                          plot->categories[i]);
        else
            ub__draw_turned(f, x, f->frame.bottom + TICK + 2.0, -QUARTER_TURN,
                            1.0, plot->categories[i]);
    }
    for (int64_t i = 0; i < plot->n_rows; i++)
        ub__draw_text(f, f->frame.left - GAP, ub__draw_y(f, (double) i), 1.0,
                      plot->rows[i]);
}

static void draw_title(ub__figure *f, double middle)
{
    if (f->plot->options.title == NULL)
        return;
    ub__draw_gray(f, 0.1);
    cairo_set_font_size(f->cairo, TITLE_SIZE);
    ub__draw_text(f, middle, 1.2 * TITLE_SIZE, 0.5, f->plot->options.title);
    cairo_set_font_size(f->cairo, FONT_SIZE);
}

static void draw_texts(ub__figure *f)
{
    const ub_plot_options *o = &f->plot->options;
    const double middle = 0.5 * (f->frame.left + f->frame.right);

    ub__draw_gray(f, 0.1);
    label_ticks(f);
    if (f->plot->categories != NULL)
        label_categories(f);
    if (o->x_label != NULL)
        ub__draw_text(f, middle, (double) o->height - GAP - 0.5 * FONT_SIZE,
                      0.5, o->x_label);
    if (o->y_label != NULL)
        ub__draw_turned(f, GAP + 0.5 * FONT_SIZE,
                        0.5 * (f->frame.top + f->frame.bottom), -QUARTER_TURN,
                        0.5, o->y_label);
    draw_title(f, middle);
}

static void draw_frame(ub__figure *f)
{
    ub__draw_gray(f, 0.1);
    cairo_set_line_width(f->cairo, 1.0);
    cairo_rectangle(f->cairo, f->frame.left, f->frame.top,
                    f->frame.right - f->frame.left,
                    f->frame.bottom - f->frame.top);
    cairo_stroke(f->cairo);
}

/* -- surface -------------------------------------------------------------- */

static ub_status draw_axes_and_content(ub__figure *f)
{
    ub_status status = make_axes(f);

    if (status != UB_OK)
        return status;
    lay_out(f);
    if (f->plot->cells != NULL) {
        status = ub__draw_heat(f);
    } else {
        draw_grid(f);
        ub__draw_verticals(f);
        ub__draw_series(f);
        ub__draw_legend(f);
    }
    draw_frame(f);
    draw_texts(f);
    return status;
}

/* A figure with its left upper corner at a place of the surface. */
static ub_status draw(cairo_t *cairo, const ub_plot *plot, double left,
                      double top)
{
    ub__figure f = { .plot = plot, .cairo = cairo };
    ub_status status = UB_OK;

    cairo_save(cairo);
    cairo_translate(cairo, left, top);
    cairo_select_font_face(cairo, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                           CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cairo, FONT_SIZE);
    if (plot->n_nodes > 0) {
        ub__draw_graph(&f);
        draw_title(&f, 0.5 * (double) plot->options.width);
    } else {
        status = draw_axes_and_content(&f);
    }
    cairo_restore(cairo);
    return status;
}

/* Where the columns and rows of figures begin; the last entries end them. */
typedef struct arrangement {
    int64_t columns, rows;
    double lefts[UB_PLOT_MAX_FIGURES + 1], tops[UB_PLOT_MAX_FIGURES + 1];
} arrangement;

static arrangement arrange(int64_t n, const ub_plot *const *plots,
                           int64_t columns)
{
    arrangement a = { .columns = columns, .rows = (n - 1) / columns + 1 };

    for (int64_t i = 0; i < n; i++) {
        double *const width = &a.lefts[i % columns + 1];
        double *const height = &a.tops[i / columns + 1];

        *width = fmax(*width, (double) plots[i]->options.width);
        *height = fmax(*height, (double) plots[i]->options.height);
    }
    for (int64_t i = 0; i < a.columns; i++)
        a.lefts[i + 1] += a.lefts[i];
    for (int64_t i = 0; i < a.rows; i++)
        a.tops[i + 1] += a.tops[i];
    return a;
}

static ub_status draw_all(cairo_t *cairo, int64_t n,
                          const ub_plot *const *plots, const arrangement *a)
{
    ub_status status = UB_OK;

    cairo_set_source_rgb(cairo, 1.0, 1.0, 1.0);
    cairo_paint(cairo);
    for (int64_t i = 0; i < n && status == UB_OK; i++)
        status = draw(cairo, plots[i], a->lefts[i % a->columns],
                      a->tops[i / a->columns]);
    return status;
}

/* What cairo writes, collected. */
typedef struct sink {
    ub_context *context;
    unsigned char *data;
    size_t size, capacity;
} sink;

static cairo_status_t collect(void *closure, const unsigned char *data,
                              unsigned int length)
{
    sink *s = closure;

    if (s->size + length > s->capacity) {
        const size_t capacity = 2 * (s->size + length) + 4096;
        unsigned char *grown = ub__realloc(s->context, s->data, s->size,
                                           capacity, 1);

        if (grown == NULL)
            return CAIRO_STATUS_NO_MEMORY;
        s->data = grown;
        s->capacity = capacity;
    }
    memcpy(s->data + s->size, data, length);
    s->size += length;
    return CAIRO_STATUS_SUCCESS;
}

/* cairo numbers the surfaces of a process, and writes the number into the file,
 * where nothing refers to it: take it out, so that the same figure always makes
 * the same bytes. */
static void drop_surface_numbers(sink *s)
{
    static const char mark[] = "id=\"surface";
    const size_t length = sizeof(mark) - 1;
    size_t to = 0;

    for (size_t from = 0; from < s->size;) {
        const int found = s->size - from > length &&
                          memcmp(s->data + from, mark, length) == 0;

        memmove(s->data + to, s->data + from, found ? length : 1);
        to += found ? length : 1;
        from += found ? length : 1;
        while (found && from < s->size && s->data[from] >= '0' &&
               s->data[from] <= '9')
            from++;
    }
    s->size = to;
}

static ub_status finish(ub_context *context, ub_status status,
                        cairo_status_t cairo)
{
    if (status != UB_OK || cairo == CAIRO_STATUS_SUCCESS)
        return status;
    return ub__fail(context,
                    cairo == CAIRO_STATUS_NO_MEMORY ? UB_ERR_NOMEM
                                                    : UB_ERR_INVALID,
                    "plot: cairo says: %s", cairo_status_to_string(cairo));
}

ub_status ub__plot_draw(int64_t n, const ub_plot *const *plots, int64_t columns,
                        int svg, void **out_data, size_t *out_size)
{
    const arrangement a = arrange(n, plots, columns);
    const double width = a.lefts[a.columns], height = a.tops[a.rows];
    sink s = { .context = plots[0]->context };
    cairo_surface_t *surface;
    cairo_t *cairo;
    cairo_status_t result;
    ub_status status;

    if (width > MAX_SIDE || height > MAX_SIDE)
        return ub__fail(s.context, UB_ERR_RANGE,
                        "plot: %.0f x %.0f pixels; at most %d on a side", width,
                        height, MAX_SIDE);
    surface = svg ? cairo_svg_surface_create_for_stream(collect, &s, width,
                                                        height)
                  : cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int) width,
                                               (int) height);
    cairo = cairo_create(surface);
    status = draw_all(cairo, n, plots, &a);
    result = cairo_status(cairo);
    cairo_destroy(cairo);
    if (status == UB_OK && result == CAIRO_STATUS_SUCCESS && !svg)
        result = cairo_surface_write_to_png_stream(surface, collect, &s);
    cairo_surface_finish(surface);
    if (result == CAIRO_STATUS_SUCCESS)
        result = cairo_surface_status(surface);
    cairo_surface_destroy(surface);
    status = finish(s.context, status, result);
    if (status != UB_OK) {
        ub__free(s.context, s.data);
        return status;
    }
    if (svg)
        drop_surface_numbers(&s);
    *out_data = s.data;
    *out_size = s.size;
    return UB_OK;
}
