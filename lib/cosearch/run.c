/* SPDX-License-Identifier: BSD-2-Clause */
#include "cosearch/cosearch.h"

#include <string.h>

typedef struct pipeline {
    ub_context *context;
    const ub_cosearch_options *options;
    ub_search_options search; /* for data and training */
    const ub_space *space;
    ub_space *own_space;
    ub__data data;
    ub__run run;
    ub__joint_price price;
    ub__joint_path path;
    ub_network *network;
    ub_workload *workload;
    int32_t *configuration;
    ub_accelerator_result accelerator;
} pipeline;

static ub_status no_memory(const pipeline *p)
{
    return ub__fail(p->context, UB_ERR_NOMEM, "cosearch: out of memory");
}

/* -- the space ------------------------------------------------------------ */

static ub_status create_space(pipeline *p, const ub_dataset *train)
{
    ub_space_options o;

    ub_space_options_init(&o, sizeof(o));
    o.name = "fbnet";
    o.channels = ub_dataset_channels(train);
    o.height = ub_dataset_height(train);
    o.width = ub_dataset_width(train);
    o.classes = ub_dataset_classes(train);
    o.base_width = p->options->base_width;
    o.depth = p->options->depth;
    return ub_space_fbnet(p->context, &o, UB_FBNET_CIFAR100, &p->own_space);
}

static ub_status open_space(pipeline *p, const ub_space *space,
                            const ub_dataset *train)
{
    const ub_space_options *o;
    ub_status status = UB_OK;

    if (space == NULL)
        status = create_space(p, train);
    if (status != UB_OK)
        return status;
    p->space = space ? space : p->own_space;
    o = &p->space->options;
    if (o->channels != ub_dataset_channels(train) ||
        o->height != ub_dataset_height(train) ||
        o->width != ub_dataset_width(train) ||
        o->classes != ub_dataset_classes(train))
        return ub__fail(p->context, UB_ERR_SHAPE,
                        "cosearch: the space is for other images");
    return ub__joint_space_check(p->context, p->space);
}

/* -- what was found ------------------------------------------------------- */

static ub_status read_path(pipeline *p)
{
    const int64_t n = p->price.n_cells;

    for (int64_t i = 0; i < n; i++) {
        int64_t op, bits;
        int32_t width = 0;
        ub_status status = ub__run_noted_integer(&p->run, "operators", i, n, 0,
                                                 p->price.n_operators - 1, &op);

        if (status == UB_OK)
            status = ub__run_noted_integer(&p->run, "cell_bits", i, n, 1, 32,
                                           &bits);
        if (status != UB_OK)
            return status;
        while (width < p->options->bit_widths &&
               p->options->bits[width] != bits)
            width++;
        if (width == p->options->bit_widths)
            return ub__fail(p->context, UB_ERR_FORMAT,
                            "cosearch: the checkpoint's %lld bits are no "
                            "candidate",
                            (long long) bits);
        p->path.operators[i] = (int32_t) op;
        p->path.widths[i] = width;
    }
    return UB_OK;
}

static ub_status search(pipeline *p)
{
    ub_status status;

    if (p->run.stage == UB__STAGE_TRAIN)
        return read_path(p);
    if (p->run.stage != UB__STAGE_MICRO)
        return ub__fail(p->context, UB_ERR_FORMAT,
                        "cosearch: the checkpoint is of another stage");
    status = ub__joint_search(&p->run, p->options, &p->data, p->space,
                              &p->price);
    if (status == UB_OK)
        status = read_path(p);
    if (status != UB_OK)
        return status;
    p->run.stage = UB__STAGE_CHANNELS; /* there is none here */
    return ub__run_advance(&p->run);
}

/* -- files ---------------------------------------------------------------- */

static ub_status chunk_json(const pipeline *p, int64_t chunk, json_t *list)
{
    const int32_t *c = p->configuration + chunk * UB_CHUNK_FIELDS;
    ub_chunk_info info = { .size = sizeof(info) };
    ub_chunk_usage usage = { .size = sizeof(usage) };
    ub_status status = ub_accelerator_chunk(p->price.accelerator, chunk, &info);

    if (status == UB_OK)
        status = ub_accelerator_usage(p->price.accelerator, p->workload,
                                      p->configuration, chunk, &usage);
    if (status != UB_OK || usage.layers == 0)
        return status;
    if (json_array_append_new(
            list,
            json_pack("{s:s, s:i, s:i, s:o, s:o, s:I, s:f, s:f, s:f}", "name",
                      info.name, "bits", (int) info.bits, "mode",
                      (int) c[UB_CHUNK_MODE], "tile",
                      ub__json_int32s(c + UB_CHUNK_TILE_ROWS, 4), "unroll",
                      ub__json_int32s(c + UB_CHUNK_UNROLL_ROWS, 4), "layers",
                      (json_int_t) usage.layers, "cycles", usage.cycles, "dsp",
                      usage.dsp, "bram", usage.bram)) != 0)
        return no_memory(p);
    return UB_OK;
}

static ub_status write_accelerator(const pipeline *p)
{
    const ub_accelerator_result *r = &p->accelerator;
    char *path = ub__run_path(&p->run, "accelerator.json");
    json_t *chunks = json_array();
    json_t *root = json_pack("{s:s, s:s, s:f, s:I, s:f, s:f, s:f, s:f, s:O}",
                             "format", "uboost-accelerator", "setting",
                             "corrected", "dsp_limit", p->options->dsp_limit,
                             "bram_limit", (json_int_t) p->options->bram_limit,
                             "fps", r->fps, "bottleneck_cycles", r->bottleneck,
                             "dsp", r->dsp, "bram", r->bram, "chunks", chunks);
    ub_status status = UB_OK;

    if (path == NULL || root == NULL)
        status = no_memory(p);
    for (int64_t i = 0; status == UB_OK && r->fps > 0.0 &&
                        i < ub_accelerator_chunks(p->price.accelerator);
         i++)
        status = chunk_json(p, i, chunks);
    if (status == UB_OK)
        status = ub__json_write(p->context, path, root);
    json_decref(chunks);
    json_decref(root);
    ub__free(p->context, path);
    return status;
}

/* NULL where a cell computes nothing. */
static json_t *bits_of_cell(const pipeline *p, int64_t cell)
{
    for (int64_t i = 0; i < ub_workload_layers(p->workload); i++) {
        ub_workload_layer layer = { .size = sizeof(layer) };

        if (ub_workload_layer_get(p->workload, i, &layer) == UB_OK &&
            layer.block == cell)
            return json_integer(p->options->bits[p->path.widths[cell]]);
    }
    return NULL;
}

static json_t *cells_json(const pipeline *p)
{
    json_t *cells = json_array();

    for (int64_t i = 0; cells != NULL && i < p->price.n_cells; i++) {
        const char *name = ub_space_operator_name(p->space,
                                                  p->path.operators[i]);

        if (json_array_append_new(cells,
                                  json_pack("{s:s, s:o*}", "operator", name,
                                            "bits", bits_of_cell(p, i)))) {
            json_decref(cells);
            return NULL;
        }
    }
    return cells;
}

static json_t *figures_json(const pipeline *p, const ub_cosearch_result *r)
{
    return json_pack(
        "{s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:I, s:I, s:o, s:f, s:f}",
        "test_accuracy", r->test_accuracy, "validation_accuracy",
        r->validation_accuracy, "fps", r->fps, "bottleneck_cycles",
        r->bottleneck, "dsp", r->dsp, "bram", r->bram, "mean_bits",
        r->mean_bits, "lambda_last", r->lambda, "parameters",
        (json_int_t) r->parameters, "macs", (json_int_t) r->macs, "cells",
        cells_json(p), "seconds_search", r->seconds[0], "seconds_train",
        r->seconds[1]);
}

static ub_status write_result(const pipeline *p, const ub_cosearch_result *r)
{
    char *path = ub__run_path(&p->run, "result.json");
    json_t *root = json_copy(p->run.config), *figures = figures_json(p, r);
    ub_status status = UB_OK;

    if (path == NULL || root == NULL || figures == NULL ||
        json_object_update(root, figures) != 0)
        status = no_memory(p);
    if (status == UB_OK)
        status = ub__json_write(p->context, path, root);
    json_decref(root);
    json_decref(figures);
    ub__free(p->context, path);
    return status;
}

/* -- the result ----------------------------------------------------------- */

static double mean_bits(const ub_workload *workload)
{
    double bits = 0.0, macs = 0.0;

    for (int64_t i = 0; i < ub_workload_layers(workload); i++) {
        ub_workload_layer l = { .size = sizeof(l) };
        double n;

        if (ub_workload_layer_get(workload, i, &l) != UB_OK)
            continue;
        n = (double) l.in_channels * (double) l.out_channels *
            (double) l.out_height * (double) l.out_width *
            (double) l.kernel_height * (double) l.kernel_width *
            (double) l.groups;
        bits += n * (double) l.bits;
        macs += n;
    }
    return macs > 0.0 ? bits / macs : 0.0;
}

static double noted(const pipeline *p, const char *key)
{
    return json_number_value(json_object_get(p->run.results, key));
}

static void fill_result(const pipeline *p, ub_cosearch_result *r)
{
    r->validation_accuracy = noted(p, "validation_accuracy");
    r->lambda = noted(p, "lambda");
    r->fps = p->accelerator.fps;
    r->bottleneck = p->accelerator.bottleneck;
    r->dsp = p->accelerator.dsp;
    r->bram = p->accelerator.bram;
    r->mean_bits = mean_bits(p->workload);
    r->parameters = ub_network_parameters(p->network);
    r->macs = ub_network_macs(p->network);
    r->seconds[0] = p->run.seconds[UB__STAGE_MICRO];
    r->seconds[1] = p->run.seconds[UB__STAGE_TRAIN];
}

static ub_status finish(pipeline *p, ub_cosearch_result *result)
{
    ub_cosearch_result r = { .size = sizeof(r) };
    ub_status status = ub__joint_derive(p->space, p->options->bits, &p->path,
                                        &p->network);

    p->configuration = ub__alloc(p->context, (size_t) p->price.n_fields,
                                 sizeof(*p->configuration));
    if (p->configuration == NULL)
        return UB_ERR_NOMEM;
    p->accelerator.size = sizeof(p->accelerator);
    if (status == UB_OK)
        status = ub__joint_price_best(&p->price, &p->path, UB_ENGINE_EXACT,
                                      p->options->seed, &p->workload,
                                      p->configuration, &p->accelerator);
    if (status == UB_ERR_RANGE)
        status = UB_OK; /* the network is a result without an accelerator too */
    if (status == UB_OK)
        status = ub__run_write_network(&p->run, p->network);
    if (status == UB_OK)
        status = write_accelerator(p);
    if (status == UB_OK)
        status = ub__train(&p->run, &p->search, &p->data, p->network,
                           &r.test_accuracy);
    if (status != UB_OK)
        return status;
    fill_result(p, &r);
    status = write_result(p, &r);
    if (status == UB_OK)
        *result = r;
    return status;
}

/* -- the call ------------------------------------------------------------- */

static ub_status
check_call(ub_context *context, const ub_cosearch_options *options,
           const ub_dataset *train, const ub_dataset *test, const char *folder,
           const ub_cosearch_result *result, ub_cosearch_options *copy)
{
    ub_status status;

    if (options == NULL || train == NULL || test == NULL || folder == NULL ||
        result == NULL || result->size < sizeof(*result))
        return ub__fail(context, UB_ERR_INVALID,
                        "cosearch: a NULL argument, or a result without size");
    ub_cosearch_options_init(copy, sizeof(*copy));
    status = ub__options_in(context, "cosearch options", copy, sizeof(*copy),
                            sizeof(*copy), options);
    return status == UB_OK ? ub__cosearch_options_check(context, copy) : status;
}

/* The options, and what they are applied to. */
static json_t *make_config(const pipeline *p, const ub_dataset *train,
                           const ub_dataset *test)
{
    json_t *config = ub__cosearch_options_json(p->options);
    json_t *space = json_pack(
        "{s:s, s:I, s:I}", "space", p->space->options.name, "space_cells",
        (json_int_t) ub_space_cells(p->space), "space_operators",
        (json_int_t) p->space->n_operators);

    /* The library's own follows from the options. */
    if (space != NULL && p->own_space == NULL &&
        json_object_set_new(
            space, "space_digest",
            json_integer((json_int_t) ub__space_digest(p->space))) != 0) {
        json_decref(space);
        space = NULL;
    }
    if (config == NULL || space == NULL ||
        json_object_update(config, space) != 0) {
        json_decref(config);
        config = NULL;
    }
    json_decref(space);
    return ub__config_complete(config, p->context, train, test);
}

static ub_status go(pipeline *p, const ub_dataset *train,
                    const ub_dataset *test, const char *folder, int resume,
                    ub_cosearch_result *result)
{
    ub_status status = ub__run_open(p->context, make_config(p, train, test),
                                    ub__cosearch_defaults_json(p->options),
                                    folder, resume, &p->run);

    if (status != UB_OK)
        return status;
    status = search(p);
    if (status == UB_OK)
        status = finish(p, result);
    ub__run_close(&p->run);
    return status;
}

ub_status ub_cosearch_run(ub_context *context,
                          const ub_cosearch_options *options,
                          const ub_space *space, const ub_dataset *train,
                          const ub_dataset *test, const char *folder,
                          int resume, ub_cosearch_result *result)
{
    ub_cosearch_options o;
    pipeline p = { .context = context, .options = &o };
    ub_status status;

    if (context == NULL)
        return UB_ERR_INVALID;
    status = check_call(context, options, train, test, folder, result, &o);
    if (status != UB_OK)
        return status;
    ub__cosearch_search_options(&o, &p.search);
    status = open_space(&p, space, train);
    if (status == UB_OK)
        status = ub__data_open(context, &p.search, train, test, 1, &p.data);
    if (status == UB_OK)
        status = ub__joint_price_open(context, p.space, &o, &p.price);
    if (status == UB_OK)
        status = go(&p, train, test, folder, resume, result);
    ub_network_destroy(&p.network);
    ub_workload_destroy(&p.workload);
    ub__free(context, p.configuration);
    ub__joint_price_close(&p.price);
    ub__data_close(&p.data);
    ub_space_destroy(&p.own_space);
    return status;
}
