/* SPDX-License-Identifier: BSD-2-Clause */
#include "plot/plot.h"

#include <cairo-svg.h>
#include <cairo.h>
#include <math.h>
#include <string.h>

#define FONT_SIZE    13.0
#define TITLE_SIZE   16.0
#define GAP          8.0 /* between things that belong together */
#define TICK         5.0
#define LINE_WIDTH   1.8
#define MARK_RADIUS  3.5
#define COLOR_BAR    18.0
#define TICKS_WANTED 7
#define QUARTER_TURN 1.5707963267948966

typedef struct box {
    double left, top, right, bottom;
} box;

typedef struct figure {
    const ub_plot *plot;
    cairo_t *cairo;
    box frame; /* of the axes */
    ub__plot_axis x, y;
    double legend_width;
} figure;

typedef struct color {
    double red, green, blue;
} color;

/* Okabe and Ito's colours, which the colour-blind can tell apart, in an order
 * that puts like ones far from each other; then darker ones. */
static color series_color(int64_t i)
{
    static const color colors[] = {
        { 0.00, 0.45, 0.70 }, { 0.90, 0.62, 0.00 }, { 0.00, 0.62, 0.45 },
        { 0.80, 0.47, 0.65 }, { 0.34, 0.71, 0.91 }, { 0.84, 0.37, 0.00 },
        { 0.80, 0.75, 0.20 }, { 0.35, 0.35, 0.35 },
    };
    const int64_t n = (int64_t) (sizeof(colors) / sizeof(colors[0]));
    const double shade = pow(0.65, (double) (i / n));
    color c = colors[i % n];

    c.red *= shade;
    c.green *= shade;
    c.blue *= shade;
    return c;
}

static void set_color(figure *f, color c)
{
    cairo_set_source_rgb(f->cairo, c.red, c.green, c.blue);
}

static void set_gray(figure *f, double gray)
{
    cairo_set_source_rgb(f->cairo, gray, gray, gray);
}

/* Blue to yellow by way of green, growing lighter. */
static color heat_color(double place)
{
    static const color stops[] = {
        { 0.16, 0.11, 0.36 }, { 0.16, 0.34, 0.55 }, { 0.13, 0.57, 0.55 },
        { 0.45, 0.79, 0.36 }, { 0.99, 0.91, 0.24 },
    };
    const double at = fmin(fmax(place, 0.0), 1.0) * 4.0;
    const int i = at >= 4.0 ? 3 : (int) at;
    const double part = at - (double) i;
    const color a = stops[i], b = stops[i + 1];

    return (color){ a.red + part * (b.red - a.red),
                    a.green + part * (b.green - a.green),
                    a.blue + part * (b.blue - a.blue) };
}

/* -- text ----------------------------------------------------------------- */

static double text_width(figure *f, const char *text)
{
    cairo_text_extents_t extents;

    cairo_text_extents(f->cairo, text, &extents);
    return extents.x_advance;
}

/* Text with the point at `anchor` of its width (0 left, 1 right), centred
 * vertically on y. */
static void put_text(figure *f, double x, double y, double anchor,
                     const char *text)
{
    cairo_move_to(f->cairo, x - anchor * text_width(f, text),
                  y + 0.36 * FONT_SIZE);
    cairo_show_text(f->cairo, text);
}

/* The same, turned by an angle around the point. */
static void put_turned(figure *f, double x, double y, double angle,
                       double anchor, const char *text)
{
    cairo_save(f->cairo);
    cairo_translate(f->cairo, x, y);
    cairo_rotate(f->cairo, angle);
    put_text(f, 0.0, 0.0, anchor, text);
    cairo_restore(f->cairo);
}

static double widest(figure *f, char *const *names, int64_t n)
{
    double width = 0.0;

    for (int64_t i = 0; i < n; i++)
        width = fmax(width, text_width(f, names[i]));
    return width;
}

static double widest_tick(figure *f, const ub__plot_axis *axis)
{
    char text[48];
    double width = 0.0;

    for (int i = 0; i < axis->n; i++) {
        ub__plot_axis_label(axis, axis->ticks[i], text, sizeof(text));
        width = fmax(width, text_width(f, text));
    }
    return width;
}

/* -- axes ----------------------------------------------------------------- */

static void include(double value, int log, double range[2])
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
                include(0.0, plot->options.y_log, y);
            } else if (isnan(s->x[k]) || isnan(s->y[k])) {
                continue;
            } else {
                include(s->x[k], plot->options.x_log, x);
            }
            include(s->y[k], plot->options.y_log, y);
        }
    }
}

static ub_status make_axes(figure *f)
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

static double x_at(const figure *f, double value)
{
    return f->frame.left +
           ub__plot_axis_place(&f->x, value) * (f->frame.right - f->frame.left);
}

static double y_at(const figure *f, double value)
{
    return f->frame.bottom -
           ub__plot_axis_place(&f->y, value) * (f->frame.bottom - f->frame.top);
}

/* Whether names stand side by side below their columns. */
static int names_fit(figure *f)
{
    const double room = (f->frame.right - f->frame.left) /
                        (double) f->plot->n_categories;

    return widest(f, f->plot->categories, f->plot->n_categories) + GAP <= room;
}

static int shows_legend(const ub_plot *plot)
{
    return plot->n_series > 1 ||
           (plot->n_series == 1 && plot->series[0].name[0] != '\0');
}

static double legend_width(figure *f)
{
    double width = 0.0;

    for (int64_t i = 0; i < f->plot->n_series; i++)
        width = fmax(width, text_width(f, f->plot->series[i].name));
    return shows_legend(f->plot) ? width + 2.0 * GAP + 18.0 : 0.0;
}

/* The room that labels, legend and title leave. */
static void lay_out(figure *f)
{
    const ub_plot *plot = f->plot;
    const double line = 1.5 * FONT_SIZE;
    double below = line;
    char high[48];
    ub__plot_axis scale = { .decimals = 3 };

    ub__plot_axis_label(&scale, 1234.567, high, sizeof(high));
    f->legend_width = plot->cells != NULL
                          ? COLOR_BAR + 3.0 * GAP + text_width(f, high) + line
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

static void draw_grid(figure *f)
{
    cairo_set_line_width(f->cairo, 1.0);
    set_gray(f, 0.88);
    for (int i = 0; i < f->y.n && f->plot->cells == NULL; i++) {
        const double y = y_at(f, f->y.ticks[i]);
        cairo_move_to(f->cairo, f->frame.left, y);
        cairo_line_to(f->cairo, f->frame.right, y);
    }
    for (int i = 0; i < f->x.n && f->plot->categories == NULL; i++) {
        const double x = x_at(f, f->x.ticks[i]);
        cairo_move_to(f->cairo, x, f->frame.top);
        cairo_line_to(f->cairo, x, f->frame.bottom);
    }
    cairo_stroke(f->cairo);
}

static void label_ticks(figure *f)
{
    char text[48];

    for (int i = 0; i < f->y.n && f->plot->cells == NULL; i++) {
        ub__plot_axis_label(&f->y, f->y.ticks[i], text, sizeof(text));
        put_text(f, f->frame.left - GAP, y_at(f, f->y.ticks[i]), 1.0, text);
    }
    for (int i = 0; i < f->x.n && f->plot->categories == NULL; i++) {
        ub__plot_axis_label(&f->x, f->x.ticks[i], text, sizeof(text));
        put_text(f, x_at(f, f->x.ticks[i]),
                 f->frame.bottom + TICK + 0.8 * FONT_SIZE, 0.5, text);
    }
}

/* Every name, or every second, third ... where they would touch. */
static void label_categories(figure *f)
{
    const ub_plot *plot = f->plot;
    const double room = (f->frame.right - f->frame.left) /
                        (double) plot->n_categories;
    const int64_t stride = (int64_t) fmax(1.0, ceil(1.1 * FONT_SIZE / room));
    const int fit = names_fit(f);

    for (int64_t i = 0; i < plot->n_categories; i += fit ? 1 : stride) {
        const double x = x_at(f, (double) i);

        if (fit)
            put_text(f, x, f->frame.bottom + TICK + 0.8 * FONT_SIZE, 0.5,
                     plot->categories[i]);
        else
            put_turned(f, x, f->frame.bottom + TICK + 2.0, -QUARTER_TURN, 1.0,
                       plot->categories[i]);
    }
    for (int64_t i = 0; i < plot->n_rows; i++)
        put_text(f, f->frame.left - GAP, y_at(f, (double) i), 1.0,
                 plot->rows[i]);
}

static void draw_texts(figure *f)
{
    const ub_plot_options *o = &f->plot->options;
    const double middle = 0.5 * (f->frame.left + f->frame.right);

    set_gray(f, 0.1);
    label_ticks(f);
    if (f->plot->categories != NULL)
        label_categories(f);
    if (o->x_label != NULL)
        put_text(f, middle, (double) o->height - GAP - 0.5 * FONT_SIZE, 0.5,
                 o->x_label);
    if (o->y_label != NULL)
        put_turned(f, GAP + 0.5 * FONT_SIZE,
                   0.5 * (f->frame.top + f->frame.bottom), -QUARTER_TURN, 0.5,
                   o->y_label);
    if (o->title == NULL)
        return;
    cairo_set_font_size(f->cairo, TITLE_SIZE);
    put_text(f, middle, 1.2 * TITLE_SIZE, 0.5, o->title);
    cairo_set_font_size(f->cairo, FONT_SIZE);
}

static void draw_frame(figure *f)
{
    set_gray(f, 0.1);
    cairo_set_line_width(f->cairo, 1.0);
    cairo_rectangle(f->cairo, f->frame.left, f->frame.top,
                    f->frame.right - f->frame.left,
                    f->frame.bottom - f->frame.top);
    cairo_stroke(f->cairo);
}

/* -- series --------------------------------------------------------------- */

/* Whether the point can be shown; its place if so. */
static int place(const figure *f, const ub__plot_series *s, int64_t i,
                 double *x, double *y)
{
    if (isnan(s->x[i]) || isnan(s->y[i]) || (f->x.log && s->x[i] <= 0.0) ||
        (f->y.log && s->y[i] <= 0.0))
        return 0;
    *x = x_at(f, s->x[i]);
    *y = y_at(f, s->y[i]);
    return 1;
}

static void draw_line(figure *f, const ub__plot_series *s)
{
    int drawing = 0;

    for (int64_t i = 0; i < s->n; i++) {
        double x, y;

        if (!place(f, s, i, &x, &y)) {
            drawing = 0;
            continue;
        }
        if (drawing && s->style == UB_PLOT_STEPS) {
            double before_x, before_y;

            cairo_get_current_point(f->cairo, &before_x, &before_y);
            cairo_line_to(f->cairo, x, before_y);
        }
        if (drawing)
            cairo_line_to(f->cairo, x, y);
        else
            cairo_move_to(f->cairo, x, y);
        drawing = 1;
    }
    cairo_set_line_width(f->cairo, LINE_WIDTH);
    cairo_stroke(f->cairo);
}

static void draw_points(figure *f, const ub__plot_series *s)
{
    for (int64_t i = 0; i < s->n; i++) {
        double x, y;

        if (!place(f, s, i, &x, &y))
            continue;
        cairo_new_sub_path(f->cairo);
        cairo_arc(f->cairo, x, y, MARK_RADIUS, 0.0, 4.0 * QUARTER_TURN);
    }
    cairo_fill(f->cairo);
}

static void draw_bars(figure *f, const ub__plot_series *s,
                      const ub__plot_series *below)
{
    const double half = 0.4 * (f->frame.right - f->frame.left) /
                        (double) f->plot->n_categories;

    for (int64_t i = 0; i < s->n; i++) {
        const double from = below == NULL ? f->y.low : below->y[i];
        const double top = y_at(f, fmax(s->y[i], f->y.low));
        const double bottom = y_at(f, fmax(from, f->y.low));

        cairo_rectangle(f->cairo, x_at(f, (double) i) - half, top, 2.0 * half,
                        bottom - top);
    }
    cairo_fill(f->cairo);
}

static void draw_all_series(figure *f)
{
    const ub__plot_series *below = NULL;

    cairo_save(f->cairo);
    cairo_rectangle(f->cairo, f->frame.left, f->frame.top,
                    f->frame.right - f->frame.left,
                    f->frame.bottom - f->frame.top);
    cairo_clip(f->cairo);
    for (int64_t i = 0; i < f->plot->n_series; i++) {
        const ub__plot_series *s = &f->plot->series[i];

        set_color(f, series_color(i));
        if (s->style == UB__PLOT_BARS) {
            draw_bars(f, s, below);
            below = s;
        } else if (s->style == UB_PLOT_POINTS) {
            draw_points(f, s);
        } else {
            draw_line(f, s);
        }
    }
    cairo_restore(f->cairo);
}

/* The sample of a series beside its name. Bars are listed as they stand, the
 * last on top. */
static void draw_legend(figure *f)
{
    const ub_plot *plot = f->plot;
    const double x = f->frame.right + 2.0 * GAP;
    const int stacked = plot->n_series > 0 &&
                        plot->series[plot->n_series - 1].style == UB__PLOT_BARS;

    for (int64_t i = 0; shows_legend(plot) && i < plot->n_series; i++) {
        const int64_t at = stacked ? plot->n_series - 1 - i : i;
        const double y = f->frame.top + (1.0 + 1.6 * (double) i) * FONT_SIZE;

        set_color(f, series_color(at));
        if (plot->series[at].style == UB__PLOT_BARS) {
            cairo_rectangle(f->cairo, x, y - 5.0, 12.0, 10.0);
            cairo_fill(f->cairo);
        } else if (plot->series[at].style == UB_PLOT_POINTS) {
            cairo_arc(f->cairo, x + 6.0, y, MARK_RADIUS, 0.0,
                      4.0 * QUARTER_TURN);
            cairo_fill(f->cairo);
        } else {
            cairo_move_to(f->cairo, x, y);
            cairo_line_to(f->cairo, x + 12.0, y);
            cairo_set_line_width(f->cairo, LINE_WIDTH);
            cairo_stroke(f->cairo);
        }
        set_gray(f, 0.1);
        put_text(f, x + 18.0, y, 0.0, plot->series[at].name);
    }
}

/* -- heat map ------------------------------------------------------------- */

static void draw_cell(figure *f, const ub__plot_axis *scale, int64_t row,
                      int64_t column, double value)
{
    const double left = x_at(f, (double) column - 0.5);
    const double top = y_at(f, (double) row + 0.5);
    const double width = x_at(f, (double) column + 0.5) - left;
    const double height = y_at(f, (double) row - 0.5) - top;
    const double at = ub__plot_axis_place(scale, value);
    char text[32];

    /* a hair wider, against seams */
    cairo_rectangle(f->cairo, left, top, width + 0.5, height + 0.5);
    set_color(f, heat_color(at));
    cairo_fill(f->cairo);
    snprintf(text, sizeof(text), "%.4g", value);
    if (text_width(f, text) + GAP > width || FONT_SIZE > height)
        return;
    set_gray(f, at > 0.6 ? 0.0 : 1.0);
    put_text(f, left + 0.5 * width, top + 0.5 * height, 0.5, text);
}

static void draw_color_bar(figure *f, const ub__plot_axis *scale)
{
    const double left = f->frame.right + 2.0 * GAP;
    const double height = f->frame.bottom - f->frame.top;
    char text[48];

    for (int i = 0; i < 128; i++) {
        set_color(f, heat_color(((double) i + 0.5) / 128.0));
        cairo_rectangle(f->cairo, left,
                        f->frame.bottom - (double) (i + 1) / 128.0 * height,
                        COLOR_BAR, height / 128.0 + 0.5);
        cairo_fill(f->cairo);
    }
    set_gray(f, 0.1);
    for (int i = 0; i < scale->n; i++) {
        ub__plot_axis_label(scale, scale->ticks[i], text, sizeof(text));
        put_text(f, left + COLOR_BAR + 0.5 * GAP,
                 f->frame.bottom -
                     ub__plot_axis_place(scale, scale->ticks[i]) * height,
                 0.0, text);
    }
    put_turned(f, (double) f->plot->options.width - GAP - 0.5 * FONT_SIZE,
               0.5 * (f->frame.top + f->frame.bottom), -QUARTER_TURN, 0.5,
               f->plot->cells_name);
}

static ub_status draw_heat(figure *f)
{
    const ub_plot *plot = f->plot;
    const double none[2] = { NAN, NAN };
    double range[2] = { INFINITY, -INFINITY };
    ub__plot_axis scale;

    for (int64_t i = 0; i < plot->n_rows * plot->n_categories; i++)
        include(plot->cells[i], 0, range);
    if (!ub__plot_axis_make(range[0], range[1], none, 0, TICKS_WANTED, &scale))
        return ub__fail(plot->context, UB_ERR_INVALID,
                        "plot: no cell of the heat map has a number");
    for (int64_t r = 0; r < plot->n_rows; r++) {
        for (int64_t c = 0; c < plot->n_categories; c++) {
            const double value = plot->cells[r * plot->n_categories + c];

            if (!isnan(value))
                draw_cell(f, &scale, r, c, value);
        }
    }
    draw_color_bar(f, &scale);
    return UB_OK;
}

/* -- surface -------------------------------------------------------------- */

static ub_status draw(figure *f)
{
    ub_status status = UB_OK;

    cairo_select_font_face(f->cairo, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                           CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(f->cairo, FONT_SIZE);
    set_gray(f, 1.0);
    cairo_paint(f->cairo);
    lay_out(f);
    if (f->plot->cells != NULL) {
        status = draw_heat(f);
    } else {
        draw_grid(f);
        draw_all_series(f);
        draw_legend(f);
    }
    draw_frame(f);
    draw_texts(f);
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

static cairo_surface_t *create_surface(const ub_plot *plot, int svg, sink *s)
{
    const ub_plot_options *o = &plot->options;

    if (svg)
        return cairo_svg_surface_create_for_stream(
            collect, s, (double) o->width, (double) o->height);
    return cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int) o->width,
                                      (int) o->height);
}

ub_status ub__plot_draw(const ub_plot *plot, int svg, void **out_data,
                        size_t *out_size)
{
    sink s = { .context = plot->context };
    figure f = { .plot = plot };
    cairo_surface_t *surface;
    cairo_status_t cairo;
    ub_status status = make_axes(&f);

    if (status != UB_OK)
        return status;
    surface = create_surface(plot, svg, &s);
    f.cairo = cairo_create(surface);
    status = draw(&f);
    cairo = cairo_status(f.cairo);
    cairo_destroy(f.cairo);
    if (cairo == CAIRO_STATUS_SUCCESS && !svg)
        cairo = cairo_surface_write_to_png_stream(surface, collect, &s);
    cairo_surface_finish(surface);
    if (cairo == CAIRO_STATUS_SUCCESS)
        cairo = cairo_surface_status(surface);
    cairo_surface_destroy(surface);
    if (status == UB_OK && cairo != CAIRO_STATUS_SUCCESS)
        status = ub__fail(
            plot->context,
            cairo == CAIRO_STATUS_NO_MEMORY ? UB_ERR_NOMEM : UB_ERR_INVALID,
            "plot: cairo says: %s", cairo_status_to_string(cairo));
    if (status != UB_OK) {
        ub__free(plot->context, s.data);
        return status;
    }
    *out_data = s.data;
    *out_size = s.size;
    return UB_OK;
}
