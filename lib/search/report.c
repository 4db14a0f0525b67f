/* SPDX-License-Identifier: BSD-2-Clause */
#include "search/search.h"

#include <string.h>

/* -- cost models ---------------------------------------------------------- */

static ub_status open_models(ub_context *context,
                             const ub_search_options *options,
                             const ub_space *space, ub__pricing *p)
{
    static const ub_util_kind loss[] = {
        [UB_SEARCH_SYSTOLIC] = UB_UTIL_SMOOTH,
        [UB_SEARCH_FLOPS] = UB_UTIL_FLOPS,
        [UB_SEARCH_ROOFLINE] = UB_UTIL_ROOFLINE,
        [UB_SEARCH_SYSTOLIC_FULL] = UB_UTIL_FULL_SMOOTH,
        [UB_SEARCH_ROOFLINE_PUBLISHED] = UB_UTIL_ROOFLINE_PUBLISHED,
    };
    static const ub_util_kind report[] = {
        [UB_SEARCH_SYSTOLIC] = UB_UTIL_EXACT,
        [UB_SEARCH_FLOPS] = UB_UTIL_FLOPS,
        [UB_SEARCH_ROOFLINE] = UB_UTIL_ROOFLINE,
        [UB_SEARCH_SYSTOLIC_FULL] = UB_UTIL_FULL,
        [UB_SEARCH_ROOFLINE_PUBLISHED] = UB_UTIL_ROOFLINE_PUBLISHED,
    };
    ub_status status;

    p->smooth.size = p->exact.size = sizeof(p->smooth);
    if (ub__search_by_table(options)) {
        p->machine = (ub_systolic_machine){ sizeof(p->machine), &p->hardware,
                                            NULL };
        p->simulator.size = sizeof(p->simulator);
        status = ub_systolic_model(&p->machine, &p->simulator);
        if (status == UB_OK)
            status = ub__table_fill(context, options, &p->simulator, space,
                                    &p->table);
        if (status == UB_OK)
            status = options->hardware == UB_SEARCH_BLACKBOX
                         ? ub_util_table_model(p->table, &p->smooth)
                         : ub_util_table_interpolated(p->table, &p->smooth);
        p->exact = p->smooth;
        return status;
    }
    status = ub_util_model(loss[options->hardware], &p->util, &p->smooth);
    if (status != UB_OK)
        return status;
    return ub_util_model(report[options->hardware], &p->util, &p->exact);
}

ub_status ub__pricing_open(ub_context *context,
                           const ub_search_options *options,
                           const ub_space *space, ub__pricing *pricing)
{
    ub_status status;

    memset(pricing, 0, sizeof(*pricing));
    ub_hardware_init(&pricing->hardware, sizeof(pricing->hardware));
    ub_util_options_init(&pricing->util, sizeof(pricing->util));
    status = ub_hardware_set_array(&pricing->hardware, options->rows,
                                   options->columns);
    if (status == UB_OK)
        status = ub_util_options_from(&pricing->hardware, &pricing->util);
    if (status != UB_OK)
        return ub__fail(context, status, "search: no array of %lldx%lld",
                        (long long) options->rows,
                        (long long) options->columns);
    status = open_models(context, options, space, pricing);
    if (status != UB_OK)
        ub__pricing_close(pricing);
    return status;
}

void ub__pricing_close(ub__pricing *pricing)
{
    ub_util_table_destroy(&pricing->table);
}

/* -- the result ----------------------------------------------------------- */

typedef struct simulation {
    double cycles, latency_ms, utilization;
} simulation;

static ub_status simulate(const ub_network *network,
                          const ub_hardware *hardware, int64_t batch,
                          simulation *out)
{
    ub_systolic_options options;
    ub_systolic_stats total = { .size = sizeof(total) };
    ub_status status;

    ub_systolic_options_init(&options, sizeof(options));
    options.batch = batch;
    status = ub_systolic_run(network, hardware, &options, &total, NULL, 0);
    out->cycles = (double) total.cycles;
    out->latency_ms = total.latency_ms;
    out->utilization = total.utilization;
    return status;
}

/* All costs are those of the network as it is priced. */
static ub_status price(const ub_search_options *options,
                       const ub__pricing *pricing, const ub_network *priced,
                       ub_search_result *r)
{
    ub_cost total = { .size = sizeof(total) };
    const int64_t batch = ub__search_cost_batch(options);
    simulation one, many;
    ub_status status = UB_OK;

    if (pricing->table != NULL)
        status = ub__table_add_network(pricing->table, &pricing->simulator,
                                       batch, priced);
    if (status == UB_OK)
        status = ub_network_cost(priced, &pricing->exact, batch, &total, NULL,
                                 0);
    if (status == UB_OK)
        status = simulate(priced, &pricing->hardware, 1, &one);
    if (status == UB_OK)
        status = simulate(priced, &pricing->hardware, options->hw_batch, &many);
    if (status != UB_OK)
        return status;
    r->model_latency_ms = total.latency_ms;
    r->model_utilization = total.utilization;
    r->simulated_cycles = one.cycles;
    r->simulated_latency_ms = one.latency_ms;
    r->simulated_utilization = one.utilization;
    r->simulated_cycles_hw_batch = many.cycles;
    r->simulated_latency_ms_hw_batch = many.latency_ms;
    r->simulated_utilization_hw_batch = many.utilization;
    return UB_OK;
}

static json_t *settings_json(const ub__run *run, const ub_search_options *o,
                             const ub__pricing *pricing)
{
    const ub_hardware *h = &pricing->hardware;

    return json_pack(
        "{s:s, s:O, s:I, s:s, s:f, s:f, s:[I,I], s:I, s:I, s:I, s:i, s:o, s:o, "
        "s:{s:i, s:f, s:I, s:f, s:s}}",
        "preset", o->preset, "data", json_object_get(run->config, "data"),
        "seed", (json_int_t) o->seed, "hw",
        ub_search_hardware_name(o->hardware), "lambda", o->lambda, "beta",
        o->beta, "array", (json_int_t) o->rows, (json_int_t) o->columns,
        "cost_scale", (json_int_t) o->cost_scale, "hw_batch",
        (json_int_t) o->hw_batch, "table_batch", (json_int_t) o->table_batch,
        "threads", ub_context_threads(run->context), "epochs",
        json_pack("[I,I,I]", (json_int_t) o->micro_epochs,
                  (json_int_t) o->channel_epochs, (json_int_t) o->train_epochs),
        "train_images", json_integer((json_int_t) o->train_images),
        "simulation", "level", 1, "bandwidth", h->bandwidth, "bank_bytes",
        (json_int_t) h->bank_bytes, "clock_hz", h->clock_hz, "compat", "none");
}

static int set_real(json_t *object, const char *key, double value)
{
    return json_object_set_new(object, key, json_real(value));
}

static int add_figures(json_t *root, const ub_search_result *r)
{
    return set_real(root, "test_accuracy", r->test_accuracy) ||
           json_object_set_new(root, "parameters",
                               json_integer(r->parameters)) ||
           json_object_set_new(root, "macs", json_integer(r->macs)) ||
           set_real(root, "model_latency_ms", r->model_latency_ms) ||
           set_real(root, "model_utilization", r->model_utilization) ||
           set_real(root, "simulated_cycles", r->simulated_cycles) ||
           set_real(root, "simulated_latency_ms", r->simulated_latency_ms) ||
           set_real(root, "simulated_utilization", r->simulated_utilization) ||
           set_real(root, "simulated_cycles_hw_batch",
                    r->simulated_cycles_hw_batch) ||
           set_real(root, "simulated_latency_ms_hw_batch",
                    r->simulated_latency_ms_hw_batch) ||
           set_real(root, "simulated_utilization_hw_batch",
                    r->simulated_utilization_hw_batch) ||
           set_real(root, "seconds_micro", r->seconds[0]) ||
           set_real(root, "seconds_channels", r->seconds[1]) ||
           set_real(root, "seconds_train", r->seconds[2]);
}

static ub_status write_result(ub__run *run, const ub_search_options *options,
                              const ub__pricing *pricing,
                              const ub_search_result *r)
{
    json_t *root = settings_json(run, options, pricing);
    char *path = ub__run_path(run, "result.json");
    ub_status status = UB_ERR_NOMEM;

    if (root == NULL || add_figures(root, r) ||
        json_object_update_missing(root, run->results) != 0)
        status = ub__fail(run->context, UB_ERR_NOMEM, "search: out of memory");
    else if (path != NULL)
        status = ub__json_write(run->context, path, root);
    json_decref(root);
    ub__free(run->context, path);
    return status;
}

ub_status ub__price(const ub_search_options *options,
                    const ub__pricing *pricing, const ub_network *network,
                    ub_search_result *result)
{
    ub_network *priced = NULL;
    ub_status status = ub_network_scaled(network, options->cost_scale, &priced);

    if (status == UB_OK)
        status = price(options, pricing, priced, result);
    ub_network_destroy(&priced);
    result->parameters = ub_network_parameters(network);
    result->macs = ub_network_macs(network);
    return status;
}

/* What polishing did, from its note. */
static void add_polish(const ub__run *run, ub_search_result *result)
{
    const json_t *note = json_object_get(run->results, "polish");

    result->polish_moves = json_integer_value(json_object_get(note, "moves"));
    result->polish_evaluations = json_integer_value(
        json_object_get(note, "evaluations"));
    result->searched_latency_ms = json_number_value(
        json_array_get(json_object_get(note, "latency_ms"), 0));
}

ub_status ub__report(ub__run *run, const ub_search_options *options,
                     const ub__pricing *pricing, ub_search_result *result)
{
    for (int i = 0; i < 3; i++)
        result->seconds[i] = run->seconds[i];
    add_polish(run, result);
    return write_result(run, options, pricing, result);
}
