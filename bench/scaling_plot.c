/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usage: scaling_plot FILE.svg|FILE.png < POINTS
 *
 * Draws lines of points, "SERIES X Y" each, those of a series one after the
 * other: for bench/scaling.sh, time to work by work.
 */
#include <uboost/uboost.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_POINTS = 256, NAME = 64 };

typedef struct series {
    char name[NAME];
    double x[MOST_POINTS], y[MOST_POINTS];
    int64_t n;
} series;

static ub_status flush(ub_plot *plot, series *s)
{
    const int64_t n = s->n;

    s->n = 0;
    return n ? ub_plot_series(plot, s->name, UB_PLOT_LINE, n, s->x, s->y)
             : UB_OK;
}

static ub_status read_points(ub_plot *plot)
{
    series s = { .n = 0 };
    char name[NAME];
    double x, y;
    ub_status status = UB_OK;

    while (status == UB_OK && scanf("%63s %lf %lf", name, &x, &y) == 3) {
        if (strcmp(name, s.name) != 0 || s.n == MOST_POINTS)
            status = flush(plot, &s);
        memcpy(s.name, name, sizeof(name));
        s.x[s.n] = x;
        s.y[s.n++] = y;
    }
    return status == UB_OK ? flush(plot, &s) : status;
}

int main(int argc, char **argv)
{
    ub_plot_options o;
    ub_context *context = NULL;
    ub_plot *plot = NULL;
    ub_status status;

    if (argc != 2) {
        fputs("usage: scaling_plot FILE.svg|FILE.png < POINTS\n", stderr);
        return 1;
    }
    if (ub_context_create(NULL, &context) != UB_OK)
        return 1;
    ub_plot_options_init(&o, sizeof(o));
    o.title = "One step of the supernet";
    o.x_label = "work [GFLOP of convolutions]";
    o.y_label = "time to work [ms/GFLOP]";
    o.x_log = 1;
    o.y_low = 0.0;
    status = ub_plot_create(context, &o, &plot);
    if (status == UB_OK)
        status = read_points(plot);
    if (status == UB_OK)
        status = ub_plot_write(plot, argv[1]);
    if (status != UB_OK)
        fprintf(stderr, "%s: %s\n", argv[1], ub_context_last_error(context));
    ub_plot_destroy(&plot);
    ub_context_destroy(&context);
    return status == UB_OK ? 0 : 1;
}
