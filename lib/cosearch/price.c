/* SPDX-License-Identifier: BSD-2-Clause */
#include "cosearch/cosearch.h"

#include <string.h>

/* -- workloads ------------------------------------------------------------ */

static ub_status workload_of(const ub__joint_price *p,
                             const ub_network *network, ub_workload **out)
{
    const int64_t n = ub_network_layers(network);
    int32_t *bits = ub__calloc(p->context, (size_t) n, sizeof(*bits));
    int64_t *blocks = ub__calloc(p->context, (size_t) n, sizeof(*blocks));
    ub_status status = bits && blocks ? UB_OK : UB_ERR_NOMEM;

    for (int64_t i = 1; i < n && status == UB_OK; i++) {
        ub_layer_info info = { .size = sizeof(info) };
        int64_t cell;

        status = ub_network_layer(network, i, &info);
        cell = status == UB_OK ? ub__joint_layer_cell(info.name) : -1;
        if (cell < 0 || info.layer->kind != UB_LAYER_CONV)
            continue;
        bits[i] = info.layer->weight_bits ? info.layer->weight_bits : 32;
        blocks[i] = cell;
    }
    if (status == UB_OK)
        status = ub_workload_from_network(network, bits, blocks, n, out);
    ub__free(p->context, bits);
    ub__free(p->context, blocks);
    return status;
}

static ub_status create_uniform(ub__joint_price *p, int64_t op, int64_t width)
{
    ub_network *network = NULL;
    ub__joint_path path;
    ub_status status;

    for (int64_t i = 0; i < UB_SPACE_MAX_ITEMS; i++) {
        path.operators[i] = (int32_t) op;
        path.widths[i] = (int32_t) width;
    }
    status = ub__joint_derive(p->space, p->options->bits, &path, &network);
    if (status == UB_OK)
        status = workload_of(p, network, ub__joint_price_uniform(p, op, width));
    ub_network_destroy(&network);
    return status;
}

static ub_status append_cell(ub_workload *workload, const ub_workload *from,
                             int64_t cell)
{
    for (int64_t i = 0; i < ub_workload_layers(from); i++) {
        ub_workload_layer layer = { .size = sizeof(layer) };
        ub_status status = ub_workload_layer_get(from, i, &layer);

        if (status == UB_OK && layer.block == cell)
            status = ub_workload_add(workload, &layer);
        if (status != UB_OK)
            return status;
    }
    return UB_OK;
}

/* A cell's layers do not depend on what the others choose. */
static ub_status compose(const ub__joint_price *p, const ub__joint_path *path,
                         ub_workload **out)
{
    ub_workload *workload = NULL;
    ub_status status = ub_workload_create(p->context, &workload);

    for (int64_t i = 0; i < p->n_cells && status == UB_OK; i++)
        status = append_cell(
            workload,
            *ub__joint_price_uniform(p, path->operators[i], path->widths[i]),
            i);
    if (status == UB_OK)
        *out = workload;
    else
        ub_workload_destroy(&workload);
    return status;
}

/* -- accelerators --------------------------------------------------------- */

static ub_status search(const ub__joint_price *p, const ub_workload *workload,
                        int32_t engine, uint64_t seed, int32_t *configuration,
                        ub_accelerator_result *out)
{
    ub_accelerator_search_options o;
    ub_accelerator_search *s = NULL;
    ub_status status;

    ub_accelerator_search_options_init(&o, sizeof(o));
    o.engine = engine;
    o.seed = seed;
    status = ub_accelerator_search_create(p->accelerator, &o, &s);
    if (status == UB_OK)
        status = ub_accelerator_search_run(s, workload, p->options->samples,
                                           configuration, out);
    ub_accelerator_search_destroy(&s);
    return status;
}

/* What a network without layers runs on. */
static void set_nothing(const ub__joint_price *p, int32_t *configuration,
                        ub_accelerator_result *out)
{
    for (int64_t i = 0; i < p->n_fields; i++)
        configuration[i] = i % UB_CHUNK_FIELDS != UB_CHUNK_MODE;
    memset(out, 0, sizeof(*out));
    out->size = sizeof(*out);
}

ub_status ub__joint_price_best(const ub__joint_price *price,
                               const ub__joint_path *path, int32_t engine,
                               uint64_t seed, ub_workload **workload,
                               int32_t *configuration,
                               ub_accelerator_result *out)
{
    ub_workload *w = NULL;
    ub_status status = compose(price, path, &w);

    if (status != UB_OK)
        return status;
    if (ub_workload_layers(w) == 0)
        set_nothing(price, configuration, out);
    else
        status = search(price, w, engine, seed, configuration, out);
    if ((status == UB_OK || status == UB_ERR_RANGE) && workload != NULL)
        *workload = w;
    else
        ub_workload_destroy(&w);
    return status;
}

/* The chunks that a workload uses, from another configuration, but those that
 * are taken; NULL: none is. */
static void take_chunks(ub__joint_price *p, const ub_workload *workload,
                        const int32_t *from, const unsigned char *taken)
{
    for (int64_t i = 0; i < ub_workload_layers(workload); i++) {
        const int64_t chunk = ub_accelerator_chunk_of(p->accelerator, workload,
                                                      i);

        if (taken != NULL && taken[chunk])
            continue;
        memcpy(p->configuration + chunk * UB_CHUNK_FIELDS,
               from + chunk * UB_CHUNK_FIELDS, UB_CHUNK_FIELDS * sizeof(*from));
    }
}

static ub_status refresh_chunks(ub__joint_price *p, const ub__joint_path *path,
                                uint64_t seed)
{
    int32_t *found = ub__alloc(p->context, (size_t) p->n_fields,
                               sizeof(*found));
    ub_accelerator_result result = { .size = sizeof(result) };
    ub_workload *workload = NULL;
    ub_status status = UB_ERR_NOMEM;

    if (found != NULL)
        status = ub__joint_price_best(p, path, p->options->engine, seed,
                                      &workload, found, &result);
    if (status == UB_OK) {
        take_chunks(p, workload, found, NULL);
        status = ub__joint_price_table(p);
    }
    ub_workload_destroy(&workload);
    ub__free(p->context, found);
    return status;
}

static ub_status refresh_path(ub__joint_price *p, const ub__joint_path *path)
{
    const ub__joint_path before = p->path;
    const int had_path = p->has_path;
    ub_status status;

    p->path = *path;
    p->has_path = 1;
    status = ub__joint_price_table(p);
    if (status == UB_ERR_RANGE) {
        p->path = before;
        p->has_path = had_path;
    }
    return status;
}

ub_status ub__joint_price_refresh(ub__joint_price *price,
                                  const ub__joint_path *path, uint64_t seed)
{
    const ub_status status = price->options->cost == UB_COSEARCH_INTERVAL
                                 ? refresh_path(price, path)
                                 : refresh_chunks(price, path, seed);

    /* Others may fit: costs stay as they were. */
    return status == UB_ERR_RANGE ? UB_OK : status;
}

/* -- opening -------------------------------------------------------------- */

static ub_status create_accelerator(ub__joint_price *p)
{
    ub_accelerator_options o;
    ub_status status;

    ub_accelerator_options_init(&o, sizeof(o), UB_ACCELERATOR_CIFAR);
    p->clock_hz = o.clock_hz;
    o.dsp_limit = p->options->dsp_limit;
    o.bram_limit = p->options->bram_limit;
    o.bit_widths = p->options->bit_widths;
    memset(o.bits, 0, sizeof(o.bits));
    memcpy(o.bits, p->options->bits, (size_t) p->n_bits * sizeof(*o.bits));
    status = ub_accelerator_create(p->context, &o, &p->accelerator);
    if (status == UB_OK)
        p->n_fields = ub_accelerator_chunks(p->accelerator) * UB_CHUNK_FIELDS;
    return status;
}

static ub_status allocate(ub__joint_price *p)
{
    const size_t n = (size_t) (p->n_operators * p->n_bits);
    ub_accelerator_result unused;

    p->uniform = ub__calloc(p->context, n, sizeof(*p->uniform));
    p->configuration = ub__calloc(p->context, (size_t) p->n_fields,
                                  sizeof(*p->configuration));
    p->cycles = ub__calloc(p->context, (size_t) p->n_cells * n,
                           sizeof(*p->cycles));
    if (p->uniform == NULL || p->configuration == NULL || p->cycles == NULL)
        return UB_ERR_NOMEM;
    set_nothing(p, p->configuration, &unused);
    return UB_OK;
}

static int uses_new_chunk(const ub__joint_price *p, const ub_workload *workload,
                          const unsigned char *taken)
{
    for (int64_t i = 0; i < ub_workload_layers(workload); i++) {
        if (!taken[ub_accelerator_chunk_of(p->accelerator, workload, i)])
            return 1;
    }
    return 0;
}

/* The best for an operator in all cells gives the chunks that no other gave. */
static ub_status begin_with(ub__joint_price *p, const ub_workload *workload,
                            int32_t *found, unsigned char *taken)
{
    ub_accelerator_result unused = { .size = sizeof(unused) };
    ub_status status;

    if (!uses_new_chunk(p, workload, taken))
        return UB_OK;
    status = search(p, workload, UB_ENGINE_EXACT, 0, found, &unused);
    if (status != UB_OK)
        return status;
    take_chunks(p, workload, found, taken);
    for (int64_t i = 0; i < ub_workload_layers(workload); i++)
        taken[ub_accelerator_chunk_of(p->accelerator, workload, i)] = 1;
    return UB_OK;
}

/* Each bit width alone: first the operator of the most layers, then those that
 * compute on other chunks. */
static ub_status begin(ub__joint_price *p)
{
    const int64_t chunks = ub_accelerator_chunks(p->accelerator);
    unsigned char *taken;
    int64_t first;
    int32_t *found;
    ub_status status = UB_OK;

    if (ub__joint_price_most_layers(p, &first) == 0)
        return UB_OK;
    found = ub__alloc(p->context, (size_t) p->n_fields, sizeof(*found));
    taken = ub__calloc(p->context, (size_t) chunks, sizeof(*taken));
    if (found == NULL || taken == NULL)
        status = UB_ERR_NOMEM;
    for (int64_t b = 0; b < p->n_bits && status == UB_OK; b++) {
        status = begin_with(p, *ub__joint_price_uniform(p, first, b), found,
                            taken);
        for (int64_t i = 0; i < p->n_operators && status == UB_OK; i++)
            status = begin_with(p, *ub__joint_price_uniform(p, i, b), found,
                                taken);
    }
    ub__free(p->context, found);
    ub__free(p->context, taken);
    return status == UB_OK ? ub__joint_price_table(p) : status;
}

ub_status ub__joint_price_open(ub_context *context, const ub_space *space,
                               const ub_cosearch_options *options,
                               ub__joint_price *price)
{
    ub_status status = ub__joint_space_check(context, space);

    memset(price, 0, sizeof(*price));
    if (status != UB_OK)
        return status;
    price->context = context;
    price->space = space;
    price->options = options;
    price->n_cells = ub_space_cells(space);
    price->n_operators = space->n_operators;
    price->n_bits = options->bit_widths;
    status = create_accelerator(price);
    if (status == UB_OK)
        status = allocate(price);
    for (int64_t i = 0; i < price->n_operators && status == UB_OK; i++) {
        for (int64_t b = 0; b < price->n_bits && status == UB_OK; b++)
            status = create_uniform(price, i, b);
    }
    if (status == UB_OK)
        status = begin(price);
    if (status != UB_OK)
        ub__joint_price_close(price);
    return status;
}

void ub__joint_price_close(ub__joint_price *price)
{
    const int64_t n = price->n_operators * price->n_bits;

    for (int64_t i = 0; price->uniform != NULL && i < n; i++)
        ub_workload_destroy(&price->uniform[i]);
    ub__free(price->context, price->uniform);
    ub__free(price->context, price->configuration);
    ub__free(price->context, price->cycles);
    ub_accelerator_destroy(&price->accelerator);
    memset(price, 0, sizeof(*price));
}
