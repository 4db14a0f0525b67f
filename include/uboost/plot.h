/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_PLOT_H
#define UBOOST_PLOT_H

#include <uboost/base.h>

/**
 * @file
 * @defgroup plot plot
 * Figures of given numbers: lines, points, fronts, stacked bars and heat maps
 * with axes, units and a legend, as PNG or SVG.
 *
 * A figure is filled step by step and drawn when it is written. Drawing needs
 * cairo, which is optional: without it ub_plot_write() returns
 * UB_ERR_UNSUPPORTED, and all else works.
 *
 * Thread-safety: as its context.
 * @{
 */

UB_BEGIN_DECLS

/** Most numbers of one series, and most cells of a heat map. */
#define UB_PLOT_MAX_NUMBERS ((int64_t) 1 << 24)
/** Most series of a figure. */
#define UB_PLOT_MAX_SERIES  ((int64_t) 64)
/** Most categories, or rows of a heat map. */
#define UB_PLOT_MAX_NAMES   ((int64_t) 1 << 12)

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
    UB_PLOT_LINE = 0,   /**< joined in the order given; NaN makes a gap */
    UB_PLOT_POINTS = 1, /**< one mark each */
    UB_PLOT_STEPS = 2   /**< joined by steps, along x first: a Pareto front, a
                             histogram's outline */
} ub_plot_style;

/**
 * Add a series of points.
 *
 * @param plot   unchanged on failure
 * @param name   for the legend, UTF-8; copied
 * @param style  how it is drawn
 * @param n      number of points, 1 to UB_PLOT_MAX_NUMBERS
 * @param x      n numbers, copied; NaN is not drawn
 * @param y      n numbers, copied; NaN is not drawn
 *
 * @retval UB_ERR_INVALID  an argument is unusable, a number is infinite, or the
 *                         figure is a heat map
 * @retval UB_ERR_RANGE    too many series
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_plot_series(ub_plot *plot, const char *name, ub_plot_style style,
                         int64_t n, const double *x, const double *y);

/**
 * Name the categories that bars stand on; the x axis shows them.
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

UB_END_DECLS

/** @} */

#endif
