/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Draws the points that it reads, "SERIES X Y" each, those of a series one
 * after the other.
 */
#include "common/command_line.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_POINTS = 256, NAME = 64 };

static const char usage[] = "usage: points_plot --out FILE [options] < POINTS\n"
                            "\n"
                            "  --out FILE      to write, .svg or .png\n"
                            "  --title TEXT, --x-label TEXT, --y-label TEXT\n"
                            "  --x-log         logarithmic\n"
                            "  --y-low F       lower end of the axis\n"
                            "  --marks         a mark for each point, too\n"
                            "  --help          this text\n";

enum { OUT = 256, TITLE, X_LABEL, Y_LABEL, X_LOG, Y_LOW, MARKS, HELP };

static const struct option long_options[] = {
    { "out", required_argument, NULL, OUT },
    { "title", required_argument, NULL, TITLE },
    { "x-label", required_argument, NULL, X_LABEL },
    { "y-label", required_argument, NULL, Y_LABEL },
    { "x-log", no_argument, NULL, X_LOG },
    { "y-low", required_argument, NULL, Y_LOW },
    { "marks", no_argument, NULL, MARKS },
    { "help", no_argument, NULL, HELP },
    { NULL, 0, NULL, 0 },
};

enum { N_OPTIONS = sizeof(long_options) / sizeof(long_options[0]) - 1 };

typedef struct series {
    char name[NAME];
    double x[MOST_POINTS], y[MOST_POINTS];
    int64_t n;
} series;

static ub_status flush(ub_plot *plot, series *s, int marks)
{
    const int64_t n = s->n;
    ub_status status;

    s->n = 0;
    if (n == 0)
        return UB_OK;
    status = ub_plot_series(plot, s->name, UB_PLOT_LINE, n, s->x, s->y);
    if (status == UB_OK && marks)
        status = ub_plot_series(plot, s->name, UB_PLOT_POINTS, n, s->x, s->y);
    return status;
}

static ub_status read_points(ub_plot *plot, int marks)
{
    series s = { .n = 0 };
    char name[NAME];
    double x, y;
    ub_status status = UB_OK;

    while (status == UB_OK && scanf("%63s %lf %lf", name, &x, &y) == 3) {
        if (strcmp(name, s.name) != 0 || s.n == MOST_POINTS)
            status = flush(plot, &s, marks);
        memcpy(s.name, name, sizeof(name));
        s.x[s.n] = x;
        s.y[s.n++] = y;
    }
    return status == UB_OK ? flush(plot, &s, marks) : status;
}

static ub_status draw(ub_context *context, const ub_plot_options *options,
                      int marks, const char *path)
{
    ub_plot *plot = NULL;
    ub_status status = ub_plot_create(context, options, &plot);

    if (status == UB_OK)
        status = read_points(plot, marks);
    if (status == UB_OK)
        status = ub_plot_write(plot, path);
    if (status != UB_OK)
        fprintf(stderr, "%s: %s\n", path, ub_context_last_error(context));
    ub_plot_destroy(&plot);
    return status;
}

/* 1, or 0 after a message; exits after --help. */
static int parse(int argc, char **argv, const char **values, ub_plot_options *o)
{
    static const char *const help[] = { usage, NULL };

    if (!parse_command_line(argc, argv, long_options, help, values))
        return 0;
    if (values[OUT - OUT] == NULL) {
        fputs("--out is missing; see points_plot --help\n", stderr);
        return 0;
    }
    o->title = values[TITLE - OUT];
    o->x_label = values[X_LABEL - OUT];
    o->y_label = values[Y_LABEL - OUT];
    o->x_log = values[X_LOG - OUT] != NULL;
    return values[Y_LOW - OUT] == NULL ||
           parse_number("--y-low", values[Y_LOW - OUT], -1e300, 1e300,
                        &o->y_low);
}

int main(int argc, char **argv)
{
    const char *values[N_OPTIONS] = { NULL };
    ub_plot_options options;
    ub_context *context = NULL;
    ub_status status;

    ub_plot_options_init(&options, sizeof(options));
    if (!parse(argc, argv, values, &options) ||
        ub_context_create(NULL, &context) != UB_OK)
        return 1;
    status = draw(context, &options, values[MARKS - OUT] != NULL,
                  values[OUT - OUT]);
    ub_context_destroy(&context);
    return status == UB_OK ? 0 : 1;
}
