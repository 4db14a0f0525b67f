/* SPDX-License-Identifier: BSD-2-Clause */
#include "accelerator/accelerator.h"

#include <math.h>

/*
 * One layer on one chunk. Both settings share the formulas; they differ in the
 * extents that enter them, which geometry() chooses.
 */

typedef struct geometry {
    double rows, columns, out, in; /* a tile's, of the work */
    double height, width;          /* its input */
    double by_rows, by_out, by_in; /* steps of the unrolled dimensions */
    double n_rows, n_columns, n_out, n_in; /* tiles */
} geometry;

/* What is unrolled, and by how much. */
typedef struct lanes {
    double rows, columns, out, in; /* pr, pc, pm, pn */
    double computing;              /* P */
    int by_rows;                   /* the mode that unrolls rows */
} lanes;

static lanes lanes_of(const int32_t *c, int depthwise)
{
    lanes p = { .rows = c[UB_CHUNK_UNROLL_ROWS],
                .columns = c[UB_CHUNK_UNROLL_COLUMNS],
                .out = c[UB_CHUNK_UNROLL_OUT],
                .in = c[UB_CHUNK_UNROLL_IN] };

    p.by_rows = c[UB_CHUNK_MODE] == (depthwise ? 1 : 2);
    p.computing = p.by_rows ? p.rows : p.out;
    if (!depthwise && c[UB_CHUNK_MODE] == 1)
        p.computing = p.out * p.in;
    return p;
}

/* Calls of fmin() and fmax() take longer than the rest; there are no NaNs. */
static double least(double a, double b)
{
    return a < b ? a : b;
}

static double most(double a, double b)
{
    return a > b ? a : b;
}

/* Words that so many banks move in a cycle. */
static double ports(double banks)
{
    return most(least(4, banks), 2);
}

/* -- settings ---------------------------------------------------------------
 */

static void reference(const int32_t *c, const ub_workload_layer *l,
                      const lanes *p, geometry *g)
{
    g->rows = c[UB_CHUNK_TILE_ROWS];
    g->columns = c[UB_CHUNK_TILE_COLUMNS];
    g->out = c[UB_CHUNK_TILE_OUT];
    g->in = c[UB_CHUNK_TILE_IN];
    g->height = most(p->rows + (double) l->kernel_height - 1, g->rows);
    g->width = most(p->columns + (double) l->kernel_width - 1, g->columns);
    g->n_rows = (double) l->out_height / g->rows;
    g->n_columns = (double) l->out_width / g->columns;
    g->n_out = (double) l->out_channels / g->out;
    g->n_in = (double) l->in_channels / g->in;
}

/* Rows or columns of input below so many of output. */
static double halo(double tile, int64_t stride, int64_t kernel)
{
    return (tile - 1) * (double) stride + (double) kernel;
}

static void corrected(const int32_t *c, const ub_workload_layer *l, geometry *g)
{
    const double rows = (double) l->out_height, out = (double) l->out_channels;
    const double columns = (double) l->out_width, in = (double) l->in_channels;

    g->rows = least(c[UB_CHUNK_TILE_ROWS], rows);
    g->columns = least(c[UB_CHUNK_TILE_COLUMNS], columns);
    g->out = least(c[UB_CHUNK_TILE_OUT], out);
    g->in = least(c[UB_CHUNK_TILE_IN], in);
    g->height = least(halo(g->rows, l->stride, l->kernel_height),
                      (double) l->in_height);
    g->width = least(halo(g->columns, l->stride, l->kernel_width),
                     (double) l->in_width);
    g->n_rows = ceil(rows / g->rows);
    g->n_columns = ceil(columns / g->columns);
    g->n_out = ceil(out / g->out);
    g->n_in = ceil(in / g->in);
}

/* Steps that p lanes take for n items: an honest number, or a fraction. */
static double steps(int whole, double n, double p)
{
    return whole ? ceil(n / p) : n / p;
}

/* -- cycles -----------------------------------------------------------------
 */

static double compute_cycles(const lanes *p, const geometry *g, double taps,
                             int whole, int depthwise, int32_t mode)
{
    const double rows = steps(whole, g->rows, p->by_rows ? p->rows : 1);
    const double out = steps(whole, g->out, p->by_rows ? 1 : p->out);
    const double in = steps(whole, g->in, !depthwise && mode == 1 ? p->in : 1);

    return rows * g->columns * out * in * taps;
}

static void tile_cycles(const int32_t *c, const ub_workload_layer *l,
                        const lanes *p, const geometry *g, int whole,
                        ub_chunk_cost *out)
{
    const double taps = (double) l->kernel_height * (double) l->kernel_width;
    const double words = (double) l->bits / 16;
    const double banks = l->depthwise ? p->out : p->by_rows ? g->height : p->in;
    const double channels = l->depthwise ? g->out : g->in;
    const double weights = g->out * (l->depthwise ? 1 : g->in);
    const double results = g->out * g->rows * g->columns;
    const double side = p->by_rows ? p->rows : p->out;

    out->compute = compute_cycles(p, g, taps, whole, l->depthwise,
                                  c[UB_CHUNK_MODE]);
    out->input = ceil(channels * g->width * g->height / ports(banks)) * words;
    out->weights = p->by_rows ? weights * (double) l->kernel_width * words
                              : ceil(weights * taps / ports(p->out)) * words;
    out->output = (ceil(results / ports(side)) + steps(whole, results, side)) *
                  words;
}

static double layer_cycles(const ub_workload_layer *l, const geometry *g,
                           const ub_chunk_cost *tile)
{
    const double loop = most(tile->compute, tile->input) + tile->weights;
    const double inner = l->depthwise ? loop : loop * g->n_in;

    return (inner + tile->output) * g->n_columns * g->n_rows * g->n_out *
           (double) l->groups;
}

/* -- memory ------------------------------------------------------------------
 */

static double blocks(const ub_accelerator_options *o,
                     const ub_workload_layer *l, double words)
{
    return ceil(words * (double) l->bits / (double) o->block_bits);
}

/* Memory is what was built, however much of it a layer uses. */
static double memory(const ub_accelerator_options *o, const int32_t *c,
                     const ub_workload_layer *l, const lanes *p, double height,
                     double width)
{
    const int whole = o->setting == UB_ACCELERATOR_CORRECTED;
    const double rows = c[UB_CHUNK_TILE_ROWS], out = c[UB_CHUNK_TILE_OUT];
    const double columns = c[UB_CHUNK_TILE_COLUMNS], in = c[UB_CHUNK_TILE_IN];
    const double weights = l->depthwise ? out : out * in;
    const double taps = (double) l->kernel_height * (double) l->kernel_width;
    const double channels = l->depthwise ? out : in;
    const double banks = l->depthwise ? p->out : p->in;

    if (p->by_rows)
        return 2 * height * blocks(o, l, width * (whole ? channels : in)) +
               p->rows * blocks(o, l, columns * out) +
               (double) l->kernel_height *
                   blocks(o, l, (double) l->kernel_width * weights);
    return 2 * banks * blocks(o, l, height * width * channels / banks) +
           p->out * blocks(o, l, rows * columns * out / p->out) +
           (whole ? p->out * blocks(o, l, weights * taps / p->out) : 0);
}

void ub__chunk_price(const ub_accelerator_options *options,
                     const int32_t *configuration,
                     const ub_workload_layer *layer, ub_chunk_cost *out)
{
    const int whole = options->setting == UB_ACCELERATOR_CORRECTED;
    const lanes p = lanes_of(configuration, layer->depthwise);
    ub_chunk_cost cost = { .size = sizeof(cost) };
    double height, width;
    geometry g;

    if (whole)
        corrected(configuration, layer, &g);
    else
        reference(configuration, layer, &p, &g);
    height = whole ? halo(configuration[UB_CHUNK_TILE_ROWS], layer->stride,
                          layer->kernel_height)
                   : g.height;
    width = whole ? halo(configuration[UB_CHUNK_TILE_COLUMNS], layer->stride,
                         layer->kernel_width)
                  : g.width;
    tile_cycles(configuration, layer, &p, &g, whole, &cost);
    cost.cycles = layer_cycles(layer, &g, &cost);
    cost.dsp = p.computing * (double) layer->bits / 16;
    if (whole)
        cost.dsp = ceil(cost.dsp);
    cost.bram = memory(options, configuration, layer, &p, height, width);
    *out = cost;
}

int ub__chunk_valid(const int32_t *configuration, int depthwise)
{
    if (configuration[0] < 0 || configuration[0] > (depthwise ? 1 : 2))
        return 0;
    for (int i = 1; i < UB_CHUNK_FIELDS; i++) {
        if (configuration[i] < 1 || configuration[i] > UB_CHUNK_MAX_TILE)
            return i;
    }
    if (depthwise && configuration[UB_CHUNK_TILE_IN] != 1)
        return UB_CHUNK_TILE_IN;
    return UB_CHUNK_FIELDS;
}

double ub__chunk_violation(const int32_t *configuration)
{
    double sum = 0;

    for (int i = UB_CHUNK_TILE_ROWS; i <= UB_CHUNK_TILE_IN; i++) {
        const double tile = configuration[i];
        const double unroll = configuration[i + UB__DIMENSIONS];

        if (unroll > tile)
            sum += unroll / tile - 1;
    }
    return sum;
}

/* -- public --------------------------------------------------------------- */

ub_status ub_accelerator_price(const ub_accelerator *accelerator,
                               const int32_t *configuration,
                               const ub_workload_layer *layer,
                               ub_chunk_cost *out)
{
    ub_workload_layer full;
    ub_chunk_cost cost;
    ub_status status;

    if (accelerator == NULL)
        return UB_ERR_INVALID;
    if (configuration == NULL || layer == NULL || out == NULL ||
        out->size < sizeof(*out))
        return ub__fail(accelerator->context, UB_ERR_INVALID,
                        "accelerator: an argument is NULL, or the size of the "
                        "cost is not set");
    ub_workload_layer_init(&full, sizeof(full));
    status = ub__options_in(accelerator->context, "workload layer", &full,
                            sizeof(full), sizeof(full), layer);
    if (status == UB_OK)
        status = ub__workload_layer_check(accelerator->context, &full);
    if (status != UB_OK)
        return status;
    if (ub__chunk_valid(configuration, full.depthwise) != UB_CHUNK_FIELDS)
        return ub__fail(accelerator->context, UB_ERR_INVALID,
                        "accelerator: a field of the configuration is out of "
                        "range");
    ub__chunk_price(&accelerator->options, configuration, &full, &cost);
    ub__options_out(out, out->size, &cost, sizeof(cost));
    return UB_OK;
}
