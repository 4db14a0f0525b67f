/* SPDX-License-Identifier: BSD-2-Clause */
#include "plot/draw.h"

#include <math.h>

#define BOX_ROOM   9.0 /* around a node's label */
#define BOX_HEIGHT 30.0
#define CORNER     6.0
#define HEAD       10.0 /* of an arrow: its length */
#define HEAD_WIDTH 4.0  /* half of it */

typedef struct point {
    double x, y;
} point;

/* An edge before it is cut off at the nodes: a quadratic Bezier curve. */
typedef struct curve {
    point from, control, to;
} curve;

static point curve_at(const curve *c, double t)
{
    const double a = (1.0 - t) * (1.0 - t), b = 2.0 * t * (1.0 - t), d = t * t;

    return (point){ a * c->from.x + b * c->control.x + d * c->to.x,
                    a * c->from.y + b * c->control.y + d * c->to.y };
}

/* -- places --------------------------------------------------------------- */

static double half_width(ub__figure *f, int64_t node)
{
    return 0.5 * ub__draw_width(f, f->plot->nodes[node].label) + BOX_ROOM;
}

static ub__plot_axis span(const double range[2])
{
    const double room = range[0] == range[1] ? fmax(1.0, 0.5 * fabs(range[0]))
                                             : 0.0;

    return (ub__plot_axis){ .low = range[0] - room, .high = range[1] + room };
}

/* Node coordinates fill the axes, which fill the figure but for a margin that
 * holds the boxes; a single coordinate is in the middle. */
static void lay_out(ub__figure *f)
{
    const ub_plot *plot = f->plot;
    double x[2] = { INFINITY, -INFINITY }, y[2] = { INFINITY, -INFINITY };
    double widest = 0.0;

    for (int64_t i = 0; i < plot->n_nodes; i++) {
        ub__draw_include(plot->nodes[i].x, 0, x);
        ub__draw_include(plot->nodes[i].y, 0, y);
        widest = fmax(widest, half_width(f, i));
    }
    f->x = span(x);
    f->y = span(y);
    f->frame.left = fmin(widest + 2.0 * GAP,
                         0.4 * (double) plot->options.width);
    f->frame.right = (double) plot->options.width - f->frame.left;
    f->frame.top = (plot->options.title != NULL ? 2.4 * TITLE_SIZE : GAP) +
                   BOX_HEIGHT;
    f->frame.bottom = (double) plot->options.height - GAP - BOX_HEIGHT;
}

static point node_place(const ub__figure *f, int64_t node)
{
    return (point){ ub__draw_x(f, f->plot->nodes[node].x),
                    ub__draw_y(f, f->plot->nodes[node].y) };
}

/* The control point lies twice as far aside as the curve's middle. Left of an
 * arrow to the right is up, where y falls. */
static curve edge_curve(const ub__figure *f, const ub__plot_edge *edge)
{
    const point from = node_place(f, edge->from), to = node_place(f, edge->to);
    const double x = to.x - from.x, y = to.y - from.y;
    const double aside = 2.0 * edge->bend;

    return (curve){ from,
                    { 0.5 * (from.x + to.x) + aside * y,
                      0.5 * (from.y + to.y) - aside * x },
                    to };
}

/* Bent edges reach beyond the nodes: shrink the frame until they fit. What they
 * reach beyond shrinks with it, so a few rounds do. */
static void make_room(ub__figure *f)
{
    const double top = f->frame.top - 0.5 * BOX_HEIGHT;
    const double bottom = f->frame.bottom + 0.5 * BOX_HEIGHT;
    const double right = (double) f->plot->options.width - GAP;

    for (int round = 0; round < 4; round++) {
        ub__box beyond = { 0.0, 0.0, 0.0, 0.0 };

        for (int64_t i = 0; i < 9 * f->plot->n_edges; i++) {
            const curve c = edge_curve(f, &f->plot->edges[i / 9]);
            const point p = curve_at(&c, (double) (1 + i % 9) / 10.0);

            beyond.left = fmax(beyond.left, GAP - p.x);
            beyond.top = fmax(beyond.top, top - p.y);
            beyond.right = fmax(beyond.right, p.x - right);
            beyond.bottom = fmax(beyond.bottom, p.y - bottom);
        }
        f->frame.left += beyond.left;
        f->frame.top += beyond.top;
        f->frame.right -= beyond.right;
        f->frame.bottom -= beyond.bottom;
    }
}

static int inside(ub__figure *f, int64_t node, point p)
{
    const point middle = node_place(f, node);

    return fabs(p.x - middle.x) <= half_width(f, node) &&
           fabs(p.y - middle.y) <= 0.5 * BOX_HEIGHT;
}

/* Where the curve leaves the box at one of its ends, 0 or 1; halving finds it,
 * as the curve's other half is outside unless boxes overlap. */
static double leaves(ub__figure *f, const curve *c, int64_t node, double end)
{
    double in = end, out = 0.5;

    for (int i = 0; i < 30; i++) {
        const double middle = 0.5 * (in + out);

        if (inside(f, node, curve_at(c, middle)))
            in = middle;
        else
            out = middle;
    }
    return out;
}

/* -- parts ---------------------------------------------------------------- */

/* The arrow's head, whose tip is at `tip` and whose back is at `back`. */
static void draw_head(ub__figure *f, point tip, point back)
{
    const double x = tip.x - back.x, y = tip.y - back.y;
    const double length = hypot(x, y);
    const double side = length > 0.0 ? HEAD_WIDTH / length : 0.0;

    cairo_move_to(f->cairo, tip.x, tip.y);
    cairo_line_to(f->cairo, back.x - side * y, back.y + side * x);
    cairo_line_to(f->cairo, back.x + side * y, back.y - side * x);
    cairo_close_path(f->cairo);
    cairo_fill(f->cairo);
}

static void draw_edge(ub__figure *f, const ub__plot_edge *edge)
{
    const curve c = edge_curve(f, edge);
    const double first = leaves(f, &c, edge->from, 0.0);
    const double last = leaves(f, &c, edge->to, 1.0);
    const point tip = curve_at(&c, last);
    double back = last;
    point p = curve_at(&c, first);

    while (back > first && hypot(tip.x - curve_at(&c, back).x,
                                 tip.y - curve_at(&c, back).y) < HEAD)
        back -= 1.0 / 512.0;
    cairo_move_to(f->cairo, p.x, p.y);
    for (int i = 1; i <= 32; i++) {
        p = curve_at(&c, first + (back - first) * (double) i / 32.0);
        cairo_line_to(f->cairo, p.x, p.y);
    }
    cairo_set_line_width(f->cairo, LINE_WIDTH);
    cairo_stroke(f->cairo);
    draw_head(f, tip, p);
}

/* On a ground that hides the edges below. */
static void draw_edge_label(ub__figure *f, const ub__plot_edge *edge)
{
    const curve c = edge_curve(f, edge);
    const double first = leaves(f, &c, edge->from, 0.0);
    const double last = leaves(f, &c, edge->to, 1.0);
    const point middle = curve_at(&c, 0.5 * (first + last));
    const double width = ub__draw_width(f, edge->label);

    if (edge->label[0] == '\0')
        return;
    ub__draw_gray(f, 1.0);
    cairo_rectangle(f->cairo, middle.x - 0.5 * width - 3.0,
                    middle.y - 0.7 * FONT_SIZE, width + 6.0, 1.4 * FONT_SIZE);
    cairo_fill(f->cairo);
    ub__draw_gray(f, 0.1);
    ub__draw_text(f, middle.x, middle.y, 0.5, edge->label);
}

static void draw_node(ub__figure *f, int64_t node)
{
    const point p = node_place(f, node);
    const double right = p.x + half_width(f, node) - CORNER;
    const double left = p.x - half_width(f, node) + CORNER;
    const double bottom = p.y + 0.5 * BOX_HEIGHT - CORNER;
    const double top = p.y - 0.5 * BOX_HEIGHT + CORNER;

    cairo_new_sub_path(f->cairo);
    cairo_arc(f->cairo, right, top, CORNER, -QUARTER_TURN, 0.0);
    cairo_arc(f->cairo, right, bottom, CORNER, 0.0, QUARTER_TURN);
    cairo_arc(f->cairo, left, bottom, CORNER, QUARTER_TURN, 2.0 * QUARTER_TURN);
    cairo_arc(f->cairo, left, top, CORNER, 2.0 * QUARTER_TURN,
              3.0 * QUARTER_TURN);
    cairo_close_path(f->cairo);
    ub__draw_gray(f, 0.93);
    cairo_fill_preserve(f->cairo);
    ub__draw_gray(f, 0.1);
    cairo_set_line_width(f->cairo, 1.2);
    cairo_stroke(f->cairo);
    ub__draw_text(f, p.x, p.y, 0.5, f->plot->nodes[node].label);
}

void ub__draw_graph(ub__figure *f)
{
    lay_out(f);
    make_room(f);
    ub__draw_gray(f, 0.4);
    for (int64_t i = 0; i < f->plot->n_edges; i++)
        draw_edge(f, &f->plot->edges[i]);
    for (int64_t i = 0; i < f->plot->n_edges; i++)
        draw_edge_label(f, &f->plot->edges[i]);
    for (int64_t i = 0; i < f->plot->n_nodes; i++)
        draw_node(f, i);
}
