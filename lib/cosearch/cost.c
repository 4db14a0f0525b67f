/* SPDX-License-Identifier: BSD-2-Clause */
/* What each operator of each cell costs with each width. */
#include "cosearch/cosearch.h"

#include <math.h>
#include <string.h>

static double *entry(const ub__joint_price *p, int64_t cell, int64_t op,
                     int64_t width)
{
    return &p->cycles[(cell * p->n_operators + op) * p->n_bits + width];
}

ub_workload **ub__joint_price_uniform(const ub__joint_price *price, int64_t op,
                                      int64_t width)
{
    return &price->uniform[op * price->n_bits + width];
}

int64_t ub__joint_price_most_layers(const ub__joint_price *price, int64_t *op)
{
    int64_t most = 0;

    *op = 0;
    for (int64_t i = 0; i < price->n_operators; i++) {
        const int64_t n = ub_workload_layers(
            *ub__joint_price_uniform(price, i, 0));

        if (n > most) {
            most = n;
            *op = i;
        }
    }
    return most;
}

/* -- the time of each block ----------------------------------------------- */

static ub_status add_times(ub__joint_price *p, int64_t op, int64_t width,
                           double *layers)
{
    const ub_workload *workload = *ub__joint_price_uniform(p, op, width);
    const int64_t n = ub_workload_layers(workload);
    ub_accelerator_result unused = { .size = sizeof(unused) };
    ub_status status;

    if (n == 0)
        return UB_OK;
    status = ub_accelerator_evaluate(p->accelerator, workload, p->configuration,
                                     layers, &unused);
    for (int64_t i = 0; i < n && status == UB_OK; i++) {
        ub_workload_layer layer = { .size = sizeof(layer) };

        status = ub_workload_layer_get(workload, i, &layer);
        *entry(p, layer.block, op, width) += layers[i];
    }
    return status;
}

static ub_status fill_latency(ub__joint_price *p)
{
    const int64_t n = p->n_operators * p->n_bits;
    int64_t unused;
    double *layers = ub__alloc(
        p->context, (size_t) ub__joint_price_most_layers(p, &unused) + 1,
        sizeof(*layers));
    ub_status status = layers ? UB_OK : UB_ERR_NOMEM;

    memset(p->cycles, 0, (size_t) (p->n_cells * n) * sizeof(*p->cycles));
    for (int64_t i = 0; i < n && status == UB_OK; i++)
        status = add_times(p, i / p->n_bits, i % p->n_bits, layers);
    ub__free(p->context, layers);
    return status;
}

/* -- what a change does to the whole -------------------------------------- */

static ub_status interval_of(const ub__joint_price *p,
                             const ub__joint_path *path, int32_t *scratch,
                             double *cycles)
{
    ub_accelerator_result result = { .size = sizeof(result) };
    ub_status status = ub__joint_price_best(p, path, UB_ENGINE_EXACT, 0, NULL,
                                            scratch, &result);

    if (status == UB_OK)
        *cycles = result.bottleneck;
    return status;
}

/* Of the path with another choice in one cell; infinite where none fits. */
static ub_status fill_cell(ub__joint_price *p, int64_t cell, double base,
                           int32_t *scratch)
{
    ub__joint_path path = p->path;

    for (int64_t i = 0; i < p->n_operators * p->n_bits; i++) {
        const int64_t op = i / p->n_bits, width = i % p->n_bits;
        double *cycles = entry(p, cell, op, width);
        ub_status status = UB_OK;

        path.operators[cell] = (int32_t) op;
        path.widths[cell] = (int32_t) width;
        if (op == p->path.operators[cell] && width == p->path.widths[cell])
            *cycles = base;
        else
            status = interval_of(p, &path, scratch, cycles);
        if (status == UB_ERR_RANGE)
            *cycles = (double) INFINITY;
        else if (status != UB_OK)
            return status;
    }
    return UB_OK;
}

/* So that the cells of the path sum up to its interval. */
static void center(ub__joint_price *p, double base)
{
    const int64_t n = p->n_cells * p->n_operators * p->n_bits;
    double longest = base;

    for (int64_t i = 0; i < n; i++) {
        if (!isinf(p->cycles[i]))
            longest = fmax(longest, p->cycles[i]);
    }
    for (int64_t i = 0; i < n; i++) {
        if (isinf(p->cycles[i]))
            p->cycles[i] = 2.0 * longest;
        p->cycles[i] += base / (double) p->n_cells - base;
    }
}

static ub_status fill_interval(ub__joint_price *p)
{
    int32_t *scratch = ub__alloc(p->context, (size_t) p->n_fields,
                                 sizeof(*scratch));
    double base = 0.0;
    ub_status status = UB_ERR_NOMEM;

    if (scratch != NULL)
        status = interval_of(p, &p->path, scratch, &base);
    for (int64_t i = 0; i < p->n_cells && status == UB_OK; i++)
        status = fill_cell(p, i, base, scratch);
    if (status == UB_OK)
        center(p, base);
    ub__free(p->context, scratch);
    return status;
}

/* -- both ----------------------------------------------------------------- */

ub_status ub__joint_price_table(ub__joint_price *price)
{
    if (price->options->cost == UB_COSEARCH_LATENCY)
        return fill_latency(price);
    return price->has_path ? fill_interval(price) : UB_OK;
}

double ub__joint_price_cycles(const ub__joint_price *price,
                              const ub__joint_path *path)
{
    double cycles = 0.0;

    for (int64_t i = 0; i < price->n_cells; i++)
        cycles += *entry(price, i, path->operators[i], path->widths[i]);
    return cycles;
}

double ub__joint_price_ms(const ub__joint_price *price, double cycles)
{
    return cycles / price->clock_hz * 1e3;
}
