/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_PLOT_H
#define UBOOST_PLOT_H

#include <uboost/base.h>

/**
 * @file
 * @defgroup plot plot
 * Figures of given numbers: lines, points, fronts, stacked bars and heat maps
 * with axes, units and a legend; directed graphs; as PNG or SVG.
 *
 * A figure is filled step by step and drawn when it is written. Drawing needs
 * cairo, which is optional: without it ub_plot_write() returns
 * UB_ERR_UNSUPPORTED, and all else works. The same figure makes the same bytes,
 * given the same version of cairo and, for PNG, the same fonts.
 *
 * Thread-safety: as its context.
 * @{
 */

UB_BEGIN_DECLS

/** Most numbers of one series, and most cells of a heat map. */
#define UB_PLOT_MAX_NUMBERS ((int64_t) 1 << 24)
/** Most series of a figure. */
#define UB_PLOT_MAX_SERIES  ((int64_t) 64)
/** Most categories, rows of a heat map, nodes, edges, or vertical lines. */
#define UB_PLOT_MAX_NAMES   ((int64_t) 1 << 12)
/** Most figures in one file. */
#define UB_PLOT_MAX_FIGURES ((int64_t) 64)

/** Settings of a figure. Fill with ub_plot_options_init() first. */
typedef struct ub_plot_options {
    size_t size;         /**< set by ub_plot_options_init() */
    const char *title;   /**< UTF-8, copied; NULL: none */
    const char *x_label; /**< with its unit; UTF-8, copied; NULL: none */
    const char *y_label; /**< with its unit; UTF-8, copied; NULL: none */
    int64_t width;       /**< pixels (PNG) or points (SVG), 200 to 8192; 900 */
    int64_t height;      /**< as width; 560 */
    int32_t x_log;       /**< 1: logarithmic; 0 */
    int32_t y_log;       /**< 1: logarithmic; 0 */
    double x_low;        /**< left end of the axis; NaN: from the numbers */
    double x_high;       /**< right end of the axis; NaN: from the numbers */
    double y_low;        /**< lower end; NaN: from the numbers */
    double y_high;       /**< upper end; NaN: from the numbers */
    int32_t first_color; /**< of the first series, 0 to 63; 0. Colours follow
                              each other in the order of the series */
    int32_t reserved;    /**< 0 */
} ub_plot_options;

/** Set every field to its default. */
UB_API
void ub_plot_options_init(ub_plot_options *options, size_t size);

/** A figure. */
typedef struct ub_plot ub_plot;

/**
 * Create an empty figure.
 *
 * @param context   owns the memory
 * @param options   NULL: the defaults
 * @param[out] out  owned by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID      a setting is out of its range
 * @retval UB_ERR_UNSUPPORTED  a field is set that this library does not know
 * @retval UB_ERR_NOMEM        out of memory
 */
UB_API_CHECK
ub_status ub_plot_create(ub_context *context, const ub_plot_options *options,
                         ub_plot **out);

/** Destroy a figure and set the pointer to NULL; NULL is allowed. */
UB_API
void ub_plot_destroy(ub_plot **plot);

/** How the numbers of a series are drawn. */
typedef enum ub_plot_style {
    UB_PLOT_LINE = 0,     /**< joined in the order given; NaN makes a gap */
    UB_PLOT_POINTS = 1,   /**< one mark each */
    UB_PLOT_STEPS = 2,    /**< joined by steps, along x first: a Pareto front, a
                               histogram's outline */
    UB_PLOT_THIN_LINE = 3 /**< as UB_PLOT_LINE, thin and pale: how far numbers
                               reach */
} ub_plot_style;

/**
 * Add a series of points. A series with the name of an earlier one, which is
 * not empty, shares its colour and its line in the legend: points and their
 * front, for one.
 *
 * @param plot   unchanged on failure
 * @param name   for the legend, UTF-8; copied
 * @param style  how it is drawn
 * @param n      number of points, 1 to UB_PLOT_MAX_NUMBERS
 * @param x      n numbers, copied; NaN is not drawn
 * @param y      n numbers, copied; NaN is not drawn
 *
 * @retval UB_ERR_INVALID  an argument is unusable, a number is infinite, or the
 *                         figure is a heat map or a graph
 * @retval UB_ERR_RANGE    too many series
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_plot_series(ub_plot *plot, const char *name, ub_plot_style style,
                         int64_t n, const double *x, const double *y);

/**
 * Name the categories that bars stand on; the x axis shows them all, whatever
 * the options say of its ends and logarithm.
 *
 * @param plot   has none yet; unchanged on failure
 * @param n      1 to UB_PLOT_MAX_NAMES
 * @param names  UTF-8; copied
 *
 * @retval UB_ERR_INVALID  an argument is unusable, or there are categories
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_plot_categories(ub_plot *plot, int64_t n,
                             const char *const *names);

/**
 * Add a bar to every category, on top of those added before.
 *
 * @param plot     has categories; unchanged on failure
 * @param name     for the legend, UTF-8; copied
 * @param heights  one for each category, finite and not negative; copied
 *
 * @retval UB_ERR_INVALID  an argument is unusable, or there are no categories
 * @retval UB_ERR_RANGE    too many series
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_plot_bars(ub_plot *plot, const char *name, const double *heights);

/**
 * Make the figure a heat map: the categories are its columns. Each cell shows
 * its colour and, where there is room, its number; the bar beside it the scale.
 * The options' ends and logarithms are ignored.
 *
 * @param plot   has categories and nothing else; unchanged on failure
 * @param name   of what is shown, with its unit; copied
 * @param n      rows, 1 to UB_PLOT_MAX_NAMES; the first is the lowest
 * @param rows   their names, UTF-8; copied
 * @param cells  n rows of one number per category; NaN stays empty; copied
 *
 * @retval UB_ERR_INVALID  an argument is unusable, a number is infinite, there
 *                         are no categories, or something else is drawn
 * @retval UB_ERR_RANGE    too many cells
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_plot_heat(ub_plot *plot, const char *name, int64_t n,
                       const char *const *rows, const double *cells);

/**
 * Add a dashed line across the axes, behind the series. It does not widen the
 * axes, and is left out where they do not reach.
 *
 * @param plot   has no heat map and is no graph; unchanged on failure
 * @param x      where; of categories the first is at 0, the next at 1
 * @param label  stands at its upper end, UTF-8; copied; may be empty
 *
 * @retval UB_ERR_INVALID  an argument is unusable, x is not finite, or the
 *                         figure is a heat map or a graph
 * @retval UB_ERR_RANGE    too many lines
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_plot_vertical(ub_plot *plot, double x, const char *label);

/**
 * Make the figure a graph, and add a node: a box around its label. Its number
 * is how many there were before. A graph has a title but neither axes nor a
 * legend; logarithms and ends of axes are ignored.
 *
 * @param plot   has nothing but nodes and edges; unchanged on failure
 * @param label  UTF-8; copied
 * @param x      where its middle is, to the right, in any unit: the graph is
 *               stretched over the figure
 * @param y      upwards, in any unit
 *
 * @retval UB_ERR_INVALID  an argument is unusable, a coordinate is not finite,
 *                         or something else is drawn
 * @retval UB_ERR_RANGE    too many nodes
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_plot_node(ub_plot *plot, const char *label, double x, double y);

/**
 * Add an arrow between two nodes of a graph.
 *
 * @param plot   unchanged on failure
 * @param from   number of a node
 * @param to     number of another one
 * @param label  stands on its middle, UTF-8; copied; may be empty
 * @param bend   -1 to 1: how far its middle lies to the left of the straight
 *               line, seen along the arrow, as a share of its length; 0:
 *               straight. Edges that would lie on each other, or on a node,
 *               are kept apart by it.
 *
 * @retval UB_ERR_INVALID  an argument is unusable, or there is no such node
 * @retval UB_ERR_RANGE    too many edges
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_plot_edge(ub_plot *plot, int64_t from, int64_t to,
                       const char *label, double bend);

/**
 * Draw the figure and write it; the file is replaced as a whole.
 *
 * @param plot  only read
 * @param path  ends with .png or .svg
 *
 * @retval UB_ERR_INVALID      the path has another ending, or the figure is
 *                             empty, or shows no number that its axes can show
 * @retval UB_ERR_UNSUPPORTED  the library was built without cairo
 * @retval UB_ERR_IO           the file cannot be written
 * @retval UB_ERR_NOMEM        out of memory
 */
UB_API_CHECK
ub_status ub_plot_write(const ub_plot *plot, const char *path);

/**
 * Draw figures side by side and below each other, row by row, and write them to
 * one file. Columns are as wide and rows as high as their largest figure.
 *
 * @param n        number of figures, 1 to UB_PLOT_MAX_FIGURES
 * @param plots    n figures of one context; only read
 * @param columns  figures in a row, 1 to n
 * @param path     ends with .png or .svg
 *
 * @retval UB_ERR_INVALID      as ub_plot_write(), or an argument is unusable
 * @retval UB_ERR_UNSUPPORTED  the library was built without cairo
 * @retval UB_ERR_RANGE        more than 16384 pixels wide or high
 * @retval UB_ERR_IO           the file cannot be written
 * @retval UB_ERR_NOMEM        out of memory
 */
UB_API_CHECK
ub_status ub_plot_write_grid(int64_t n, const ub_plot *const *plots,
                             int64_t columns, const char *path);

UB_END_DECLS

/** @} */

#endif
