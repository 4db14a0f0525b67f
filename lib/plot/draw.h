/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_PLOT_DRAW_H
#define UBOOST_LIB_PLOT_DRAW_H

#include "plot/plot.h"

#include <cairo.h>

/* What the parts of a figure share while it is drawn with cairo. */

#define FONT_SIZE       13.0
#define TITLE_SIZE      16.0
#define GAP             8.0 /* between things that belong together */
#define TICK            5.0
#define LINE_WIDTH      1.8
#define THIN_LINE_WIDTH 1.0
#define MARK_RADIUS     3.5
#define COLOR_BAR       18.0
#define TICKS_WANTED    7
#define QUARTER_TURN    1.5707963267948966

typedef struct ub__box {
    double left, top, right, bottom;
} ub__box;

typedef struct ub__figure {
    const ub_plot *plot;
    cairo_t *cairo;
    ub__box frame; /* of the axes */
    ub__plot_axis x, y;
    double legend_width;
} ub__figure;

void ub__draw_gray(ub__figure *f, double gray);

double ub__draw_width(ub__figure *f, const char *text);
/* Text with the point at `anchor` of its width (0 left, 1 right), centred
 * vertically on y. */
void ub__draw_text(ub__figure *f, double x, double y, double anchor,
                   const char *text);
/* The same, turned by an angle around the point. */
void ub__draw_turned(ub__figure *f, double x, double y, double angle,
                     double anchor, const char *text);

/* Where a number lies in the frame, or outside in its direction. */
double ub__draw_x(const ub__figure *f, double value);
double ub__draw_y(const ub__figure *f, double value);

/* Widen a range to hold the value, unless the axis cannot show it. */
void ub__draw_include(double value, int log, double range[2]);

int ub__draw_has_legend(const ub_plot *plot);

void ub__draw_graph(ub__figure *f);
void ub__draw_verticals(ub__figure *f);
/* Contents: all series, their legend; or the heat map with its scale. */
void ub__draw_series(ub__figure *f);
void ub__draw_legend(ub__figure *f);
ub_status ub__draw_heat(ub__figure *f);

#endif
