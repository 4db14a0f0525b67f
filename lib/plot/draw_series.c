/* SPDX-License-Identifier: BSD-2-Clause */
#include "plot/draw.h"

#include <math.h>
#include <string.h>

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

/* The first series of the same name, whose colour and legend it shares. */
static int64_t first_of(const ub_plot *plot, int64_t series)
{
    for (int64_t i = 0; i < series && plot->series[series].name[0]; i++) {
        if (strcmp(plot->series[i].name, plot->series[series].name) == 0)
            return i;
    }
    return series;
}

/* How many names there are before that of a series. */
static int64_t place_in_legend(const ub_plot *plot, int64_t series)
{
    int64_t places = 0;

    for (int64_t i = 0; i < first_of(plot, series); i++)
        places += first_of(plot, i) == i;
    return places;
}

static void set_color(ub__figure *f, color c)
{
    cairo_set_source_rgb(f->cairo, c.red, c.green, c.blue);
}

static void set_series_color(ub__figure *f, int64_t series, int pale)
{
    color c = series_color(f->plot->options.first_color +
                           place_in_legend(f->plot, series));

    if (pale) {
        c.red = 0.5 + 0.5 * c.red;
        c.green = 0.5 + 0.5 * c.green;
        c.blue = 0.5 + 0.5 * c.blue;
    }
    set_color(f, c);
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

/* -- series --------------------------------------------------------------- */

/* Whether the point can be shown; its place if so. */
static int place(const ub__figure *f, const ub__plot_series *s, int64_t i,
                 double *x, double *y)
{
    if (isnan(s->x[i]) || isnan(s->y[i]) || (f->x.log && s->x[i] <= 0.0) ||
        (f->y.log && s->y[i] <= 0.0))
        return 0;
    *x = ub__draw_x(f, s->x[i]);
    *y = ub__draw_y(f, s->y[i]);
    return 1;
}

static void draw_line(ub__figure *f, const ub__plot_series *s)
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
    cairo_set_line_width(
        f->cairo, s->style == UB_PLOT_THIN_LINE ? THIN_LINE_WIDTH : LINE_WIDTH);
    cairo_stroke(f->cairo);
}

static void draw_points(ub__figure *f, const ub__plot_series *s)
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

static void draw_bars(ub__figure *f, const ub__plot_series *s,
                      const ub__plot_series *below)
{
    const double half = 0.4 * (f->frame.right - f->frame.left) /
                        (double) f->plot->n_categories;

    for (int64_t i = 0; i < s->n; i++) {
        const double from = below == NULL ? f->y.low : below->y[i];
        const double top = ub__draw_y(f, fmax(s->y[i], f->y.low));
        const double bottom = ub__draw_y(f, fmax(from, f->y.low));

        cairo_rectangle(f->cairo, ub__draw_x(f, (double) i) - half, top,
                        2.0 * half, bottom - top);
    }
    cairo_fill(f->cairo);
}

void ub__draw_series(ub__figure *f)
{
    const ub__plot_series *below = NULL;

    cairo_save(f->cairo);
    cairo_rectangle(f->cairo, f->frame.left, f->frame.top,
                    f->frame.right - f->frame.left,
                    f->frame.bottom - f->frame.top);
    cairo_clip(f->cairo);
    for (int64_t i = 0; i < f->plot->n_series; i++) {
        const ub__plot_series *s = &f->plot->series[i];

        set_series_color(f, i, s->style == UB_PLOT_THIN_LINE);
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

static void draw_sample(ub__figure *f, int32_t style, double x, double y)
{
    if (style == UB__PLOT_BARS) {
        cairo_rectangle(f->cairo, x, y - 5.0, 12.0, 10.0);
        cairo_fill(f->cairo);
    } else if (style == UB_PLOT_POINTS) {
        cairo_new_sub_path(f->cairo);
        cairo_arc(f->cairo, x + 6.0, y, MARK_RADIUS, 0.0, 4.0 * QUARTER_TURN);
        cairo_fill(f->cairo);
    } else {
        cairo_move_to(f->cairo, x, y);
        cairo_line_to(f->cairo, x + 12.0, y);
        cairo_set_line_width(f->cairo, style == UB_PLOT_THIN_LINE
                                           ? THIN_LINE_WIDTH
                                           : LINE_WIDTH);
        cairo_stroke(f->cairo);
    }
}

/* The samples of a name's series beside it. Bars are listed as they stand, the
 * last on top. */
void ub__draw_legend(ub__figure *f)
{
    const ub_plot *plot = f->plot;
    const double x = f->frame.right + 2.0 * GAP;
    const int64_t n = plot->n_series;
    const int stacked = n > 0 && plot->series[n - 1].style == UB__PLOT_BARS;
    int64_t names = 0;

    for (int64_t i = 0; i < n; i++)
        names += first_of(plot, i) == i;
    for (int64_t i = 0; ub__draw_has_legend(plot) && i < n; i++) {
        const int64_t at = place_in_legend(plot, i);
        const int64_t line = stacked ? names - 1 - at : at;
        const double y = f->frame.top + (1.0 + 1.6 * (double) line) * FONT_SIZE;

        set_series_color(f, i, plot->series[i].style == UB_PLOT_THIN_LINE);
        draw_sample(f, plot->series[i].style, x, y);
        if (first_of(plot, i) != i)
            continue;
        ub__draw_gray(f, 0.1);
        ub__draw_text(f, x + 18.0, y, 0.0, plot->series[i].name);
    }
}

/* -- vertical lines ------------------------------------------------------- */

void ub__draw_verticals(ub__figure *f)
{
    const double dashes[] = { 5.0, 4.0 };

    for (int64_t i = 0; i < f->plot->n_verticals; i++) {
        const ub__plot_item *line = &f->plot->verticals[i];
        const double at = ub__plot_axis_place(&f->x, line->x);
        const double x = ub__draw_x(f, line->x);

        if (!(at >= 0.0 && at <= 1.0))
            continue;
        ub__draw_gray(f, 0.45);
        cairo_save(f->cairo);
        cairo_set_dash(f->cairo, dashes, 2, 0.0);
        cairo_set_line_width(f->cairo, 1.2);
        cairo_move_to(f->cairo, x, f->frame.top);
        cairo_line_to(f->cairo, x, f->frame.bottom);
        cairo_stroke(f->cairo);
        cairo_restore(f->cairo);
        ub__draw_text(f, x + 4.0, f->frame.top + 0.8 * FONT_SIZE, 0.0,
                      line->label);
    }
}

/* -- heat map ------------------------------------------------------------- */

static void draw_cell(ub__figure *f, const ub__plot_axis *scale, int64_t row,
                      int64_t column, double value)
{
    const double left = ub__draw_x(f, (double) column - 0.5);
    const double top = ub__draw_y(f, (double) row + 0.5);
    const double width = ub__draw_x(f, (double) column + 0.5) - left;
    const double height = ub__draw_y(f, (double) row - 0.5) - top;
    const double at = ub__plot_axis_place(scale, value);
    char text[32];

    /* a hair wider, against seams */
    cairo_rectangle(f->cairo, left, top, width + 0.5, height + 0.5);
    set_color(f, heat_color(at));
    cairo_fill(f->cairo);
    snprintf(text, sizeof(text), "%.4g", value);
    if (ub__draw_width(f, text) + GAP > width || FONT_SIZE > height)
        return;
    ub__draw_gray(f, at > 0.6 ? 0.0 : 1.0);
    ub__draw_text(f, left + 0.5 * width, top + 0.5 * height, 0.5, text);
}

static void draw_color_bar(ub__figure *f, const ub__plot_axis *scale)
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
    ub__draw_gray(f, 0.1);
    for (int i = 0; i < scale->n; i++) {
        ub__plot_axis_label(scale, scale->ticks[i], text, sizeof(text));
        ub__draw_text(f, left + COLOR_BAR + 0.5 * GAP,
                      f->frame.bottom -
                          ub__plot_axis_place(scale, scale->ticks[i]) * height,
                      0.0, text);
    }
    ub__draw_turned(f, (double) f->plot->options.width - GAP - 0.5 * FONT_SIZE,
                    0.5 * (f->frame.top + f->frame.bottom), -QUARTER_TURN, 0.5,
                    f->plot->cells_name);
}

ub_status ub__draw_heat(ub__figure *f)
{
    const ub_plot *plot = f->plot;
    const double none[2] = { NAN, NAN };
    double range[2] = { INFINITY, -INFINITY };
    ub__plot_axis scale;

    for (int64_t i = 0; i < plot->n_rows * plot->n_categories; i++)
        ub__draw_include(plot->cells[i], 0, range);
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
