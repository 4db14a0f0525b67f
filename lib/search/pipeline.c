/* SPDX-License-Identifier: BSD-2-Clause */
#include "search/search.h"

#include <string.h>

typedef struct pipeline {
    ub_context *context;
    const ub_search_options *options;
    ub__run run;
    ub__data data;
    ub_space *space;
    ub__pricing pricing;
    int32_t *operators; /* per decision, after the micro search */
    int64_t *widths;    /* per site, after the channel search */
} pipeline;

static ub_status open_space(pipeline *p, const ub_dataset *train)
{
    ub_space_options o;

    ub_space_options_init(&o, sizeof(o));
    o.name = "uboost";
    o.channels = ub_dataset_channels(train);
    o.height = ub_dataset_height(train);
    o.width = ub_dataset_width(train);
    o.classes = ub_dataset_classes(train);
    o.base_width = p->options->base_width;
    return ub_space_uboost(p->context, &o, p->options->cells, &p->space);
}

static ub_status create_supernet(pipeline *p, int stage, ub_supernet **net)
{
    const ub_search_options *o = p->options;
    const int channels = stage == UB__STAGE_CHANNELS;
    ub_supernet_options s;

    ub_supernet_options_init(&s, sizeof(s));
    s.operators = channels ? p->operators : NULL;
    if (channels)
        s.widths = o->widths;
    s.cost_scale = (double) o->cost_scale;
    s.cost_batch = ub__search_cost_batch(o);
    s.reading = o->reading;
    s.node_width = o->node_width;
    s.sampling = channels ? UB_SAMPLING_SOFT : o->sampling;
    s.mask_place = o->mask_place;
    s.include_ends = o->include_ends;
    s.initial_place = o->initial_place;
    s.initial_height = o->initial_height;
    return ub_supernet_create(p->context, p->space, &s, &p->pricing.smooth,
                              o->seed * 4 + (uint64_t) stage, net);
}

/* What the searches found, from the run. */
static ub_status read_operators(pipeline *p)
{
    const int64_t n = ub_space_decisions(p->space);

    for (int64_t i = 0; i < n; i++) {
        int64_t value;
        const ub_status status = ub__run_noted_integer(
            &p->run, "operators", i, n, 0, ub_space_operators(p->space) - 1,
            &value);
        if (status != UB_OK)
            return status;
        p->operators[i] = (int32_t) value;
    }
    return UB_OK;
}

static ub_status read_widths(pipeline *p)
{
    const int64_t n = ub_space_sites(p->space);

    for (int64_t i = 0; i < n; i++) {
        const ub_status status = ub__run_noted_integer(
            &p->run, "widths", i, n, 1, 1 << 20, &p->widths[i]);
        if (status != UB_OK)
            return status;
    }
    return UB_OK;
}

static ub_status note_operators(pipeline *p, int64_t repaired)
{
    const ub_status status = ub__run_note(
        &p->run, "operators",
        ub__json_int32s(p->operators, ub_space_decisions(p->space)));

    if (status != UB_OK)
        return status;
    return ub__run_note(&p->run, "repaired", json_integer(repaired));
}

static ub_status note_choice(pipeline *p, int stage, const ub_supernet *net)
{
    int64_t repaired;
    ub_status status;

    if (stage == UB__STAGE_CHANNELS) {
        ub_supernet_widths(net, p->widths);
        return ub__run_note(
            &p->run, "widths",
            ub__json_integers(p->widths, ub_space_sites(p->space)));
    }
    status = ub_supernet_operators(net, p->operators, &repaired);
    return status == UB_OK ? note_operators(p, repaired) : status;
}

static ub_status write_state(pipeline *p, const char *name,
                             const ub_supernet *net)
{
    char *path = ub__run_path(&p->run, name);
    ub_status status;

    if (path == NULL)
        return UB_ERR_NOMEM;
    status = ub_supernet_write(net, path);
    ub__free(p->context, path);
    return status;
}

static ub_status take_micro(pipeline *p)
{
    int64_t repaired;
    ub_status status = ub__run_note(
        &p->run, "from", json_incref(json_object_get(p->run.config, "from")));

    if (status == UB_OK && p->options->take != UB_SEARCH_TAKE_OPERATORS)
        status = ub__take_check(&p->run, p->options->from);
    if (status == UB_OK)
        status = ub__take_operators(&p->run, p->options->from, p->space,
                                    p->operators, &repaired);
    if (status == UB_OK)
        status = note_operators(p, repaired);
    return status == UB_OK ? ub__run_advance(&p->run) : status;
}

static ub_status take_widths(const pipeline *p, ub_supernet *net)
{
    char *path = ub__path_join(p->context, p->options->from, "channels.json");
    ub_status status;

    if (path == NULL)
        return UB_ERR_NOMEM;
    status = ub_supernet_read(net, path);
    ub__free(p->context, path);
    return status;
}

/* Search, or what another run has searched. */
static ub_status relax(pipeline *p, int stage, ub_supernet *net)
{
    const ub_search_options *o = p->options;
    const int channels = stage == UB__STAGE_CHANNELS;
    ub_status status = UB_OK;

    if (channels && o->from != NULL && o->take == UB_SEARCH_TAKE_WIDTHS)
        return take_widths(p, net);
    /* A checkpoint within the stage has the weights. */
    if (channels && ub__search_weights_given(o) && p->run.epoch == 0 &&
        p->run.step == 0)
        status = ub__supernet_take(p->context, o->from, net);
    if (status == UB_OK)
        status = ub__relax(&p->run, o, &p->data, stage, net);
    if (status == UB_OK && channels && o->keep_supernet)
        status = ub__supernet_keep(&p->run, net);
    return status;
}

static ub_status run_search(pipeline *p, int stage)
{
    ub_supernet *net = NULL;
    ub_status status = create_supernet(p, stage, &net);

    if (status == UB_OK)
        status = relax(p, stage, net);
    if (status == UB_OK)
        status = note_choice(p, stage, net);
    if (status == UB_OK)
        status = write_state(
            p, stage == UB__STAGE_MICRO ? "micro.json" : "channels.json", net);
    ub_supernet_destroy(&net);
    /* Activations of this stage's sizes are of no use to the next one. */
    ub__block_trim(p->context);
    return status == UB_OK ? ub__run_advance(&p->run) : status;
}

/* The logits come from the file that the search has written, so that a resumed
 * run does as one that was never stopped. */
static ub_status polish(pipeline *p)
{
    const json_t *note = json_object_get(p->run.results, "polish");
    char *path;
    ub_supernet *net = NULL;
    ub_status status;

    if (!p->options->polish || json_is_true(json_object_get(note, "finished")))
        return UB_OK;
    path = ub__run_path(&p->run, "channels.json");
    if (path == NULL)
        return UB_ERR_NOMEM;
    status = create_supernet(p, UB__STAGE_CHANNELS, &net);
    if (status == UB_OK)
        status = ub_supernet_read(net, path);
    ub__free(p->context, path);
    if (status == UB_OK)
        status = ub__polish_run(&p->run, p->options, &p->pricing.hardware,
                                p->space, p->operators, net, p->widths);
    ub_supernet_destroy(&net);
    return status;
}

/* Priced before it is trained: what cannot be priced fails early. */
static ub_status finish(ub__run *run, const ub_search_options *options,
                        const ub__data *data, const ub__pricing *pricing,
                        const ub_network *network, ub_search_result *result)
{
    ub_search_result r = { .size = sizeof(r) };
    ub_status status = ub__price(options, pricing, network, &r);

    if (status == UB_OK)
        status = ub__run_write_network(run, network);
    if (status == UB_OK)
        status = ub__train(run, options, data, network, &r.test_accuracy);
    if (status == UB_OK)
        status = ub__report(run, options, pricing, &r);
    if (status == UB_OK)
        *result = r;
    return status;
}

static ub_status run_stages(pipeline *p, ub_search_result *result)
{
    ub_network *network = NULL;
    ub_status status = UB_OK;

    if (p->run.stage == UB__STAGE_MICRO)
        status = p->options->from ? take_micro(p)
                                  : run_search(p, UB__STAGE_MICRO);
    else
        status = read_operators(p);
    if (status == UB_OK && p->run.stage == UB__STAGE_CHANNELS)
        status = run_search(p, UB__STAGE_CHANNELS);
    else if (status == UB_OK)
        status = read_widths(p);
    if (status == UB_OK)
        status = polish(p);
    if (status == UB_OK)
        status = ub_space_derive(p->space, p->operators, p->widths, &network);
    if (status == UB_OK)
        status = finish(&p->run, p->options, &p->data, &p->pricing, network,
                        result);
    ub_network_destroy(&network);
    return status;
}

static ub_status check_call(ub_context *context,
                            const ub_search_options *options,
                            const ub_dataset *train, const ub_dataset *test,
                            const char *folder, const ub_search_result *result,
                            ub_search_options *copy)
{
    ub_status status;

    if (options == NULL || train == NULL || test == NULL || folder == NULL ||
        result == NULL || result->size < sizeof(*result))
        return ub__fail(context, UB_ERR_INVALID,
                        "search: a NULL argument, or a result without size");
    ub_search_options_init(copy, sizeof(*copy));
    status = ub__options_in(context, "search options", copy, sizeof(*copy),
                            sizeof(*copy), options);
    if (status != UB_OK)
        return status;
    return ub__search_options_check(context, copy);
}

/* The options, the data they are applied to, and what decides the bits. */
static json_t *make_config(const ub_search_options *options,
                           ub_context *context, const ub_dataset *train,
                           const ub_dataset *test)
{
    return ub__config_complete(ub__search_options_json(options), context, train,
                               test);
}

/* [weights, inputs] of every layer; none when all are floats. */
static int name_bits(json_t *config, const ub_network *network)
{
    json_t *bits = json_array();
    int any = 0, failed = bits == NULL;

    for (int64_t i = 0; i < ub_network_layers(network) && !failed; i++) {
        ub_layer_info info = { .size = sizeof(info) };

        if (ub_network_layer(network, i, &info) != UB_OK)
            continue;
        any |= info.layer->weight_bits > 0 || info.layer->input_bits > 0;
        failed = json_array_append_new(
            bits, json_pack("[i, i]", (int) info.layer->weight_bits,
                            (int) info.layer->input_bits));
    }
    if (failed || !any) {
        json_decref(bits);
        return failed;
    }
    return json_object_set_new(config, "network_bits", bits);
}

/* Which network a training is of; takes over config. */
static json_t *name_network(json_t *config, const ub_network *network)
{
    if (json_object_set_new(config, "network",
                            json_string(ub_network_name(network))) ||
        json_object_set_new(config, "network_macs",
                            json_integer(ub_network_macs(network))) ||
        json_object_set_new(config, "network_parameters",
                            json_integer(ub_network_parameters(network))) ||
        name_bits(config, network)) {
        json_decref(config);
        return NULL;
    }
    return config;
}

static ub_status open_memory(pipeline *p)
{
    p->operators = ub__calloc(p->context, (size_t) ub_space_decisions(p->space),
                              sizeof(*p->operators));
    p->widths = ub__calloc(p->context, (size_t) ub_space_sites(p->space),
                           sizeof(*p->widths));
    return p->operators && p->widths ? UB_OK : UB_ERR_NOMEM;
}

ub_status ub_search_run(ub_context *context, const ub_search_options *options,
                        const ub_dataset *train, const ub_dataset *test,
                        const char *folder, int resume,
                        ub_search_result *result)
{
    ub_search_options o;
    pipeline p = { .context = context, .options = &o };
    ub_status status;

    if (context == NULL)
        return UB_ERR_INVALID;
    status = check_call(context, options, train, test, folder, result, &o);
    if (status == UB_OK)
        status = open_space(&p, train);
    if (status != UB_OK)
        return status;
    status = open_memory(&p);
    if (status == UB_OK)
        status = ub__data_open(context, &o, train, test, 1, &p.data);
    if (status == UB_OK)
        status = ub__pricing_open(context, &o, p.space, &p.pricing);
    if (status == UB_OK)
        status = ub__run_open(context, make_config(&o, context, train, test),
                              ub__search_defaults_json(&o), folder, resume,
                              &p.run);
    if (status == UB_OK) {
        status = run_stages(&p, result);
        ub__run_close(&p.run);
    }
    ub__pricing_close(&p.pricing);
    ub__data_close(&p.data);
    ub__free(context, p.operators);
    ub__free(context, p.widths);
    ub_space_destroy(&p.space);
    return status;
}

/* Whether config.json is the one given, and there is a result. */
static ub_status look_into(ub_context *context, json_t *config,
                           const json_t *defaults, const char *path,
                           const char *result, int *complete)
{
    json_t *found = NULL;
    ub_status status = ub__json_read(context, path, &found);

    if (status == UB_OK)
        status = ub__config_check(context, path, found, config, defaults);
    json_decref(found);
    if (status != UB_OK || !ub__file_exists(result))
        return status;
    status = ub__json_read(context, result, &found);
    if (status == UB_OK) {
        json_decref(found);
        *complete = 1;
    }
    return status;
}

static ub_status look(ub_context *context, json_t *config,
                      const json_t *defaults, const char *folder, int *complete)
{
    char *path = ub__path_join(context, folder, "config.json");
    char *result = ub__path_join(context, folder, "result.json");
    ub_status status = UB_OK;
    int there = 0;

    if (config == NULL || defaults == NULL)
        status = ub__fail(context, UB_ERR_NOMEM, "search: out of memory");
    else if (path == NULL || result == NULL)
        status = UB_ERR_NOMEM;
    else if (ub__file_exists(path) || ub__file_exists(result))
        status = look_into(context, config, defaults, path, result, &there);
    ub__free(context, path);
    ub__free(context, result);
    if (status == UB_OK)
        *complete = there;
    return status;
}

ub_status ub_search_complete(ub_context *context,
                             const ub_search_options *options,
                             const ub_dataset *train, const ub_dataset *test,
                             const char *folder, int *complete)
{
    ub_search_result unused = { .size = sizeof(unused) };
    ub_search_options o;
    json_t *config, *defaults;
    ub_status status;

    if (context == NULL)
        return UB_ERR_INVALID;
    status = check_call(context, options, train, test, folder,
                        complete ? &unused : NULL, &o);
    if (status != UB_OK)
        return status;
    config = make_config(&o, context, train, test);
    defaults = ub__search_defaults_json(&o);
    status = look(context, config, defaults, folder, complete);
    json_decref(config);
    json_decref(defaults);
    return status;
}

ub_status ub_search_train(ub_context *context, const ub_search_options *options,
                          const ub_network *network, const ub_dataset *train,
                          const ub_dataset *test, const char *folder,
                          int resume, ub_search_result *result)
{
    ub_search_options o;
    ub__pricing pricing = { 0 };
    ub__data data = { 0 };
    ub__run run;
    ub_status status;

    if (context == NULL)
        return UB_ERR_INVALID;
    if (network == NULL)
        return ub__fail(context, UB_ERR_INVALID, "search: network is NULL");
    status = check_call(context, options, train, test, folder, result, &o);
    if (status == UB_OK)
        status = ub__data_open(context, &o, train, test, 0, &data);
    if (status == UB_OK)
        status = ub__pricing_open(context, &o, NULL, &pricing);
    if (status == UB_OK)
        status = ub__run_open(
            context,
            name_network(make_config(&o, context, train, test), network),
            ub__search_defaults_json(&o), folder, resume, &run);
    if (status == UB_OK) {
        if (run.stage == UB__STAGE_MICRO)
            run.stage = UB__STAGE_TRAIN;
        status = finish(&run, &o, &data, &pricing, network, result);
        ub__run_close(&run);
    }
    ub__pricing_close(&pricing);
    ub__data_close(&data);
    return status;
}
