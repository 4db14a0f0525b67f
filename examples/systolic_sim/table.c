/* SPDX-License-Identifier: BSD-2-Clause */
/* What systolic_sim shows: a table, and pictures. */
#include "systolic_sim/systolic_sim.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -- table ---------------------------------------------------------------- */

static double memory_bytes(const ub_systolic_stats *s)
{
    return (double) s->input_bytes + (double) s->weight_bytes +
           (double) s->output_bytes;
}

static void print_row(const char *name, const char *flow,
                      const ub_systolic_stats *s)
{
    const double cycles = s->cycles > 0 ? (double) s->cycles : 1.0;
    const double stalls = (double) s->stall_weights + (double) s->stall_inputs +
                          (double) s->stall_outputs;

    if (s->cycles < 0) {
        printf("%-20.20s %-3s gave up\n", name, flow);
        return;
    }
    printf("%-20.20s %-3s %14" PRId64 " %13" PRId64 " %11.4f %6.1f%% %6.1f%% "
           "%10.3f %10.3f %10.3f\n",
           name, flow, s->macs, s->cycles, s->latency_ms,
           100.0 * s->utilization, 100.0 * stalls / cycles,
           (double) s->input_bytes / 1e6, (double) s->weight_bytes / 1e6,
           (double) s->output_bytes / 1e6);
}

static void print_csim(const ub_systolic_csim_stats *c, int64_t repeats)
{
    printf("csim, %" PRId64 " times:\n", repeats);
    printf("  %-24s %" PRId64 "\n", "cycles", c->cycles);
    printf("  %-24s %" PRId64 "\n", "stall cycles", c->stall_cycles);
    printf("  %-24s %" PRId64 "\n", "last round", c->last_round);
    printf("  %-24s %" PRId64 "\n", "last round of adders",
           c->last_adder_round);
    printf("  %-24s %" PRId64 "\n", "operations", c->operations);
    printf("  %-24s %" PRId64 "\n", "additions", c->additions);
    printf("  %-24s %" PRId64 "\n", "tile products", c->tile_products);
    printf("  %-24s %" PRId64 " read, %" PRId64 " written\n", "SRAM bytes",
           c->sram_read_bytes, c->sram_write_bytes);
    printf("  %-24s %.0f inputs, %.0f weights, %.0f partial sums\n",
           "external bytes", c->input_bytes, c->weight_bytes, c->partial_bytes);
    printf("  %-24s %g W, %g MiB, %g MiB counted once\n", "interconnect",
           c->interconnect_watts, c->routed_mebibytes,
           c->routed_once_mebibytes);
}

int is_shown(const simulation *s, int64_t index, const char **name)
{
    return computes(s, index, name) || s->stats[index].cycles > 0;
}

void print_table(const simulation *s)
{
    printf("%s on %" PRId64 " x %" PRId64 "x%" PRId64 ", batch %" PRId64
           ", level %d, compat %s\n",
           ub_network_name(s->network), s->hardware.arrays, s->hardware.rows,
           s->hardware.columns, s->options.batch, (int) s->options.level,
           compat_names[s->options.compat]);
    printf("%-20s %-3s %14s %13s %11s %7s %7s %10s %10s %10s\n", "layer", "",
           "MACs", "cycles", "ms", "util", "stall", "inputs MB", "weights MB",
           "results MB");
    for (int64_t i = 0; i < s->n; i++) {
        const char *name = "";

        if (is_shown(s, i, &name))
            print_row(name, dataflow_names[s->dataflows[i]], &s->stats[i]);
    }
    print_row("total", "", &s->total);
    if (s->energies != NULL)
        print_energy(s);
    if (is_csim(s))
        print_csim(&s->csim, s->repeats);
}

/* -- pictures ------------------------------------------------------------- */

/* The layers that take cycles: their names and indices. */
typedef struct chosen {
    int64_t n;
    int64_t *index;
    const char **names;
    double *x, *y;
} chosen;

static void drop(chosen *c)
{
    free(c->index);
    free(c->names);
    free(c->x);
    free(c->y);
}

static int choose(const simulation *s, chosen *c)
{
    const size_t n = (size_t) s->n + 2;

    c->n = 0;
    c->index = calloc(n, sizeof(*c->index));
    c->names = calloc(n, sizeof(*c->names));
    c->x = calloc(n, sizeof(*c->x));
    c->y = calloc(n, sizeof(*c->y));
    if (c->index == NULL || c->names == NULL || c->x == NULL || c->y == NULL)
        return 0;
    for (int64_t i = 0; i < s->n; i++) {
        computes(s, i, &c->names[c->n]);
        if (s->stats[i].cycles > 0 && c->n < UB_PLOT_MAX_NAMES)
            c->index[c->n++] = i;
    }
    return 1;
}

static double double_at(const void *base, const field *f)
{
    double value;

    memcpy(&value, (const char *) base + f->offset, sizeof(value));
    return value;
}

/* Where the cycles of each layer went, in percent. */
static ub_status draw_shares(const simulation *s, const chosen *c,
                             ub_plot *plot, int *empty)
{
    ub_status status = ub_plot_categories(plot, c->n, c->names);

    for (const field *f = stats_fields; f->name != NULL && status == UB_OK;
         f++) {
        char name[64];
        double sum = 0.0;

        if (strncmp(f->name, "share_", 6) != 0)
            continue;
        snprintf(name, sizeof(name), "%s", f->name + 6);
        for (char *at = strchr(name, '_'); at != NULL; at = strchr(at, '_'))
            *at = ' ';
        for (int64_t i = 0; i < c->n; i++) {
            c->y[i] = 100.0 * fmax(double_at(&s->stats[c->index[i]], f), 0.0);
            sum += c->y[i];
        }
        if (sum <= 0.0)
            continue;
        *empty = 0;
        status = ub_plot_bars(plot, name, c->y);
    }
    return status;
}

/* Energy of each layer, in uJ. */
static ub_status draw_energy(const simulation *s, const chosen *c,
                             ub_plot *plot, int *empty)
{
    ub_status status = ub_plot_categories(plot, c->n, c->names);

    for (const field *f = energy_fields; f->name != NULL && status == UB_OK;
         f++) {
        double sum = 0.0;

        for (int64_t i = 0; i < c->n; i++) {
            c->y[i] = double_at(&s->energies[c->index[i]], f) / 1e6;
            sum += c->y[i];
        }
        if (sum <= 0.0)
            continue;
        *empty = 0;
        status = ub_plot_bars(plot, f->name, c->y);
    }
    return status;
}

/* MACs per cycle over MACs per byte of external memory. */
static ub_status draw_roofline(const simulation *s, const chosen *c,
                               ub_plot *plot, int *empty)
{
    const ub_hardware *h = &s->hardware;
    const double peak = (double) h->rows * (double) h->columns *
                        (double) h->arrays;
    const int own = h->input_bandwidth > 0 && h->weight_bandwidth > 0 &&
                    h->output_bandwidth > 0;
    const double shared = own ? 0.0 : h->bandwidth;
    const double rate = (shared + h->input_bandwidth + h->weight_bandwidth +
                         h->output_bandwidth) /
                        h->clock_hz;
    double low = INFINITY, high = 0.0, x[3], y[3];
    int64_t n = 0;
    ub_status status;

    for (int64_t i = 0; i < c->n; i++) {
        const ub_systolic_stats *l = &s->stats[c->index[i]];

        if (memory_bytes(l) <= 0 || l->macs == 0)
            continue;
        c->x[n] = (double) l->macs / memory_bytes(l);
        c->y[n] = (double) l->macs / (double) l->cycles;
        low = fmin(low, c->x[n]);
        high = fmax(high, c->x[n++]);
    }
    if (n == 0)
        return UB_OK;
    *empty = 0;
    x[0] = isfinite(rate) ? fmin(low, peak / rate) / 2 : low / 2;
    x[1] = isfinite(rate) ? peak / rate : low;
    x[2] = 2 * fmax(high, x[1]);
    y[0] = isfinite(rate) ? rate * x[0] : peak;
    y[1] = y[2] = peak;
    status = ub_plot_series(plot, "limit of the machine", UB_PLOT_LINE, 3, x,
                            y);
    return status == UB_OK
               ? ub_plot_series(plot, "layers", UB_PLOT_POINTS, n, c->x, c->y)
               : status;
}

typedef ub_status (*draw_fn)(const simulation *s, const chosen *c,
                             ub_plot *plot, int *empty);

static ub_status draw(const simulation *s, const chosen *c, draw_fn fn,
                      const ub_plot_options *options, const char *file)
{
    char path[sizeof(s->folder) + 32];
    ub_plot *plot = NULL;
    int empty = 1;
    ub_status status = ub_plot_create(s->context, options, &plot);

    snprintf(path, sizeof(path), "%s/%s", s->folder, file);
    if (status == UB_OK)
        status = fn(s, c, plot, &empty);
    if (status == UB_OK && !empty)
        status = ub_plot_write(plot, path);
    ub_plot_destroy(&plot);
    return status;
}

static ub_status draw_all(const simulation *s, const chosen *c)
{
    ub_plot_options options;
    ub_status status;

    ub_plot_options_init(&options, sizeof(options));
    options.title = ub_network_name(s->network);
    options.y_label = "processing elements' cycles, %";
    options.y_low = 0.0;
    options.y_high = 100.0;
    options.width = c->n > 40 ? 1800 : 900;
    status = draw(s, c, draw_shares, &options, "cycles.png");
    if (status != UB_OK)
        return status;
    options.y_label = "energy, uJ";
    options.y_low = options.y_high = NAN;
    if (s->energies != NULL)
        status = draw(s, c, draw_energy, &options, "energy.png");
    if (status != UB_OK)
        return status;
    ub_plot_options_init(&options, sizeof(options));
    options.title = ub_network_name(s->network);
    options.x_label = "MACs per byte of external memory";
    options.y_label = "MACs per cycle";
    options.x_log = options.y_log = 1;
    return draw(s, c, draw_roofline, &options, "roofline.png");
}

int write_pictures(const simulation *s)
{
    chosen c;
    ub_status status = choose(s, &c) ? UB_OK : UB_ERR_NOMEM;

    if (status == UB_OK && c.n > 0)
        status = draw_all(s, &c);
    drop(&c);
    if (status == UB_ERR_UNSUPPORTED) {
        fputs("no pictures: built without cairo\n", stderr);
        return 1;
    }
    return status == UB_OK ? 1 : complain(s->context, status);
}
