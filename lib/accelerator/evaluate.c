/* SPDX-License-Identifier: BSD-2-Clause */
#include "accelerator/accelerator.h"

#include <math.h>

/* -- layers to chunks -------------------------------------------------------
 */

static int64_t chunk_of(const ub_accelerator *a, const ub_workload_layer *l)
{
    const ub_accelerator_options *o = &a->options;
    const int64_t family = 2 * l->depthwise + (l->out_height < o->large_extent);

    for (int32_t i = 0; i < o->bit_widths; i++) {
        if (o->bits[i] == l->bits)
            return (int64_t) i * UB_CHUNK_FAMILIES + family;
    }
    return -1;
}

/* Whether layers of one chunk cost the same, groups excepted. */
static int same(const ub_workload_layer *a, const ub_workload_layer *b)
{
    return a->in_channels == b->in_channels &&
           a->out_channels == b->out_channels && a->in_height == b->in_height &&
           a->in_width == b->in_width && a->out_height == b->out_height &&
           a->out_width == b->out_width &&
           a->kernel_height == b->kernel_height &&
           a->kernel_width == b->kernel_width && a->stride == b->stride;
}

ub_status ub__workload_check(const ub_accelerator *a, const ub_workload *w)
{
    if (w == NULL)
        return ub__fail(a->context, UB_ERR_INVALID,
                        "accelerator: workload is NULL");
    if (w->n == 0)
        return ub__fail(a->context, UB_ERR_INVALID,
                        "accelerator: there is no layer to compute");
    for (int64_t i = 0; i < w->n; i++) {
        if (chunk_of(a, &w->layers[i]) < 0)
            return ub__fail(a->context, UB_ERR_INVALID,
                            "accelerator: layer %lld has %d bits, for which "
                            "there is no chunk",
                            (long long) i, (int) w->layers[i].bits);
    }
    return UB_OK;
}

/* Behind those of the chunk that ends at *end. */
static void add_layer(ub__load_layer *layers, int64_t start, int64_t *end,
                      const ub_workload_layer *layer)
{
    for (int64_t i = start; i < *end; i++) {
        if (same(&layers[i].layer, layer)) {
            layers[i].count += layer->groups;
            return;
        }
    }
    layers[*end] = (ub__load_layer){ *layer, layer->groups };
    layers[(*end)++].layer.groups = 1;
}

ub_status ub__load_create(const ub_accelerator *accelerator,
                          const ub_workload *workload, ub__load *out)
{
    ub_status status = ub__workload_check(accelerator, workload);
    ub__load load = { NULL, { 0 } };
    int64_t end = 0;

    if (status != UB_OK)
        return status;
    load.layers = ub__alloc(accelerator->context, (size_t) workload->n,
                            sizeof(*load.layers));
    if (load.layers == NULL)
        return UB_ERR_NOMEM;
    for (int64_t c = 0; c < accelerator->chunks; c++) {
        load.start[c] = end;
        for (int64_t i = 0; i < workload->n; i++) {
            if (chunk_of(accelerator, &workload->layers[i]) == c)
                add_layer(load.layers, load.start[c], &end,
                          &workload->layers[i]);
        }
    }
    for (int64_t c = accelerator->chunks; c <= UB__MAX_CHUNKS; c++)
        load.start[c] = end;
    *out = load;
    return UB_OK;
}

void ub__load_clear(const ub_accelerator *accelerator, ub__load *load)
{
    ub__free(accelerator->context, load->layers);
    load->layers = NULL;
}

/* -- costs ------------------------------------------------------------------
 */

ub__chunk_use ub__load_use(const ub_accelerator *accelerator,
                           const ub__load *load, int64_t chunk,
                           const int32_t *configuration)
{
    ub__chunk_use use = { 0, 0, 0 };

    for (int64_t i = load->start[chunk]; i < load->start[chunk + 1]; i++) {
        const ub__load_layer *l = &load->layers[i];
        ub_chunk_cost cost;

        ub__chunk_price(&accelerator->options, configuration, &l->layer, &cost);
        use.cycles += cost.cycles * (double) l->count;
        if (cost.dsp > use.dsp)
            use.dsp = cost.dsp;
        if (cost.bram > use.bram)
            use.bram = cost.bram;
    }
    return use;
}

static double copies(const ub_accelerator_options *o, double dsp, double bram)
{
    double n = (double) o->max_replicas;

    n = fmin(n, floor(o->dsp_limit / dsp));
    if (bram > 0)
        n = fmin(n, floor((double) o->bram_limit / bram));
    return fmax(n, 1);
}

static void judge(const ub_accelerator_options *o, ub_accelerator_result *r)
{
    const double dsp = r->dsp / o->dsp_limit - 1;
    const double bram = r->bram / (double) o->bram_limit - 1;

    if (r->violation > 0)
        r->excess = UB_ACCELERATOR_EXCESS_UNROLL;
    else if (r->dsp > o->dsp_limit)
        r->excess = UB_ACCELERATOR_EXCESS_DSP;
    else if (r->bram > (double) o->bram_limit)
        r->excess = UB_ACCELERATOR_EXCESS_BRAM;
    r->violation += fmax(dsp, 0) + fmax(bram, 0);
}

/* Result of chunks' uses; `violation` is that of the unrolls. */
static void combine(const ub_accelerator *accelerator,
                    const ub__chunk_use *uses, double violation,
                    ub_accelerator_result *out)
{
    const ub_accelerator_options *o = &accelerator->options;
    ub_accelerator_result r = { .size = sizeof(r), .violation = violation };

    r.chunk = -1;
    for (int64_t c = 0; c < accelerator->chunks; c++) {
        r.cycles += uses[c].cycles;
        r.dsp += uses[c].dsp;
        r.bram += uses[c].bram;
        if (uses[c].cycles > r.bottleneck) {
            r.bottleneck = uses[c].cycles;
            r.chunk = c;
        }
    }
    judge(o, &r);
    r.replicas = r.excess == UB_ACCELERATOR_FITS
                     ? (int64_t) copies(o, r.dsp, r.bram)
                     : 1;
    r.fps = o->clock_hz / r.bottleneck * (double) r.replicas;
    *out = r;
}

void ub__load_evaluate(const ub_accelerator *accelerator, const ub__load *load,
                       const int32_t *configuration, ub__chunk_use *uses,
                       ub_accelerator_result *out)
{
    ub__chunk_use of_chunks[UB__MAX_CHUNKS];
    double violation = 0;

    for (int64_t c = 0; c < accelerator->chunks; c++) {
        const int32_t *of_chunk = configuration + c * UB_CHUNK_FIELDS;

        of_chunks[c] = ub__load_use(accelerator, load, c, of_chunk);
        if (load->start[c] < load->start[c + 1])
            violation += ub__chunk_violation(of_chunk);
        if (uses != NULL)
            uses[c] = of_chunks[c];
    }
    combine(accelerator, of_chunks, violation, out);
}

/* -- public --------------------------------------------------------------- */

static ub_status check_configuration(const ub_accelerator *a,
                                     const ub_workload *w,
                                     const int32_t *configuration)
{
    ub_status status = ub__workload_check(a, w);

    if (status == UB_OK && configuration == NULL)
        return ub__fail(a->context, UB_ERR_INVALID,
                        "accelerator: configuration is NULL");
    for (int64_t i = 0; status == UB_OK && i < w->n; i++) {
        const int64_t c = chunk_of(a, &w->layers[i]);
        const int field = ub__chunk_valid(configuration + c * UB_CHUNK_FIELDS,
                                          ub__chunk_depthwise(c));

        if (field != UB_CHUNK_FIELDS)
            status = ub__fail(a->context, UB_ERR_INVALID,
                              "accelerator: field %d of chunk %lld is %d",
                              field, (long long) c,
                              (int) configuration[c * UB_CHUNK_FIELDS + field]);
    }
    return status;
}

int64_t ub_accelerator_chunk_of(const ub_accelerator *accelerator,
                                const ub_workload *workload, int64_t layer)
{
    if (layer < 0 || layer >= workload->n)
        return -1;
    return chunk_of(accelerator, &workload->layers[layer]);
}

ub_status ub_accelerator_evaluate(const ub_accelerator *accelerator,
                                  const ub_workload *workload,
                                  const int32_t *configuration,
                                  double *layer_cycles,
                                  ub_accelerator_result *out)
{
    ub__chunk_use uses[UB__MAX_CHUNKS] = { { 0, 0, 0 } };
    ub_accelerator_result result;
    double violation = 0;
    ub_status status;

    if (accelerator == NULL)
        return UB_ERR_INVALID;
    if (out == NULL || out->size < sizeof(*out))
        return ub__fail(accelerator->context, UB_ERR_INVALID,
                        "accelerator: the size of the result is not set");
    status = check_configuration(accelerator, workload, configuration);
    if (status != UB_OK)
        return status;
    for (int64_t i = 0; i < workload->n; i++) {
        const int64_t c = chunk_of(accelerator, &workload->layers[i]);
        const int32_t *of_chunk = configuration + c * UB_CHUNK_FIELDS;
        ub_chunk_cost cost;

        ub__chunk_price(&accelerator->options, of_chunk, &workload->layers[i],
                        &cost);
        if (uses[c].cycles == 0)
            violation += ub__chunk_violation(of_chunk);
        uses[c].cycles += cost.cycles;
        uses[c].dsp = fmax(uses[c].dsp, cost.dsp);
        uses[c].bram = fmax(uses[c].bram, cost.bram);
        if (layer_cycles != NULL)
            layer_cycles[i] = cost.cycles;
    }
    combine(accelerator, uses, violation, &result);
    ub__options_out(out, out->size, &result, sizeof(result));
    return UB_OK;
}

ub_status ub_accelerator_usage(const ub_accelerator *accelerator,
                               const ub_workload *workload,
                               const int32_t *configuration, int64_t chunk,
                               ub_chunk_usage *out)
{
    ub_chunk_usage usage = { .size = sizeof(usage) };
    ub_status status;

    if (accelerator == NULL)
        return UB_ERR_INVALID;
    if (chunk < 0 || chunk >= accelerator->chunks || out == NULL ||
        out->size < sizeof(*out))
        return ub__fail(accelerator->context, UB_ERR_INVALID,
                        "accelerator: chunk %lld of %lld, or the size of the "
                        "result is not set",
                        (long long) chunk, (long long) accelerator->chunks);
    status = check_configuration(accelerator, workload, configuration);
    if (status != UB_OK)
        return status;
    for (int64_t i = 0; i < workload->n; i++) {
        ub_chunk_cost cost;

        if (chunk_of(accelerator, &workload->layers[i]) != chunk)
            continue;
        ub__chunk_price(&accelerator->options,
                        configuration + chunk * UB_CHUNK_FIELDS,
                        &workload->layers[i], &cost);
        usage.layers++;
        usage.cycles += cost.cycles;
        usage.dsp = fmax(usage.dsp, cost.dsp);
        usage.bram = fmax(usage.bram, cost.bram);
    }
    ub__options_out(out, out->size, &usage, sizeof(usage));
    return UB_OK;
}
