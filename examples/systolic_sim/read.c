/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading what systolic_sim simulates: configuration, options, network. */
#define _POSIX_C_SOURCE 200809L

#include "common/command_line.h"
#include "systolic_sim/systolic_sim.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

int complain(ub_context *context, ub_status status)
{
    if (status == UB_ERR_INTERRUPTED)
        return 0; /* main() says so */
    fprintf(stderr, "%s\n",
            ub_context_last_error(context)[0] != '\0'
                ? ub_context_last_error(context)
                : ub_status_str(status));
    return 0;
}

/* -- reading -------------------------------------------------------------- */

static int print_lines(void *user, const ub_progress *p)
{
    (void) user;
    if (isatty(STDERR_FILENO) && p->step > 0)
        fprintf(stderr, "%s %" PRId64 "\033[K\r", p->stage ? p->stage : "",
                p->step);
    return interrupted();
}

static void print_warning(void *user, ub_log_level level, const char *line)
{
    (void) user;
    (void) level;
    fprintf(stderr, "warning: %s\n", line);
}

ub_status make_context(int64_t threads, ub_context **out)
{
    ub_context_options options;

    ub_context_options_init(&options, sizeof(options));
    options.threads = (int32_t) threads;
    options.progress = print_lines;
    options.log = print_warning;
    options.log_level = UB_LOG_WARNING;
    return ub_context_create(&options, out);
}

/* A name that ends in .csv, or what is no JSON. */
static int is_topology(const char *path)
{
    const char *dot = strrchr(path, '.');

    return dot == NULL || strcasecmp(dot, ".json") != 0;
}

/* network.json has an "input"; csim has nothing of that name. */
static int is_own_network(const char *path)
{
    json_t *root = json_load_file(path, 0, NULL);
    const int own = root == NULL || json_object_get(root, "input") != NULL ||
                    json_object_get(root, "format") != NULL;

    json_decref(root);
    return own;
}

static ub_status read_network(simulation *s)
{
    const char *path = s->topology_path;
    ub_topology_options topology;
    ub_csim_tiling tiling;
    int64_t batch = 1;
    ub_status status;

    if (is_topology(path)) {
        ub_topology_options_init(&topology, sizeof(topology));
        topology.form = s->form;
        topology.expand_dp = s->options.compat == UB_SYSTOLIC_COMPAT_SCALESIM;
        status = ub_network_read_topology(s->context, path, &topology,
                                          &s->network, &batch);
        if (s->batch == 0 && batch != 1)
            s->options.batch = batch;
        return status;
    }
    if (is_own_network(path))
        return ub_network_read(s->context, path, &s->network);
    ub_csim_tiling_init(&tiling, sizeof(tiling));
    status = ub_network_read_csim(s->context, path, s->model, &s->network,
                                  &tiling);
    if (status == UB_OK && s->options.tile_m == 0 && s->options.tile_k == 0 &&
        s->options.tile_n == 0 && s->options.level == 1) {
        s->options.tile_m = tiling.tile_m;
        s->options.tile_k = tiling.tile_k;
        s->options.tile_n = tiling.tile_n;
    }
    s->repeats = tiling.no_repeat;
    return status;
}

static ub_status read_hardware(simulation *s)
{
    ub_hardware *h = &s->hardware;
    ub_status status = UB_OK;

    ub_hardware_init(h, sizeof(*h));
    ub_hardware_config_init(&s->config, sizeof(s->config));
    ub_systolic_options_init(&s->options, sizeof(s->options));
    if (s->config_path != NULL) {
        status = ub_hardware_read_config(s->context, s->config_path, h,
                                         &s->config);
        if (status == UB_OK)
            status = ub_systolic_options_from(&s->config, &s->options);
        if (s->rows > 0) {
            h->rows = s->rows;
            h->columns = s->columns;
        }
    } else if (s->rows > 0) {
        status = ub_hardware_set_array(h, s->rows, s->columns);
    }
    if (s->arrays > 0)
        h->arrays = s->arrays;
    if (s->interconnect >= 0)
        h->interconnect = s->interconnect;
    if (s->dataflow >= 0)
        h->dataflow = s->dataflow;
    if (s->expansion >= 0)
        h->expansion = s->expansion;
    if (s->bank_bytes > 0) {
        h->bank_bytes = s->bank_bytes;
        h->input_bank_bytes = h->weight_bank_bytes = h->output_bank_bytes = 0;
    }
    if (s->bandwidth > 0) {
        h->bandwidth = s->bandwidth * 1073741824.0;
        h->input_bandwidth = h->weight_bandwidth = h->output_bandwidth = 0;
        s->config.bandwidth_mode = UB_BANDWIDTH_USER;
    }
    return status;
}

/* What the command line says wins over the configuration. */
static void choose_options(simulation *s)
{
    ub_systolic_options *o = &s->options;

    if (s->compat >= 0)
        o->compat = s->compat;
    if (s->level >= 0)
        o->level = s->level;
    else if (o->compat != UB_SYSTOLIC_COMPAT_NONE)
        o->level = is_csim(s) ? 1 : 2;
    else if (o->level == 1 && is_topology(s->topology_path))
        o->level = 2;
    if (s->batch > 0)
        o->batch = s->batch;
    if (s->prefetch >= 0)
        o->prefetch = (int32_t) s->prefetch;
    if (s->seed >= 0)
        o->seed = (uint64_t) s->seed;
    if (s->os_drain)
        o->os_drain = 1;
    if (s->packed)
        o->packed = 1;
    if (s->tile[0] > 0) {
        o->tile_m = s->tile[0];
        o->tile_k = s->tile[1];
        o->tile_n = s->tile[2];
    }
    if (o->level != 2)
        o->count_memory = 0;
    else if (o->count_memory == 0)
        o->count_memory = s->config.bandwidth_mode == UB_BANDWIDTH_USER ? 2 : 1;
}

static int check_options(const simulation *s)
{
    const ub_systolic_options *o = &s->options;

    if (is_csim(s) && o->level != 1)
        fputs("--compat csim: only at level 1\n", stderr);
    else if (o->compat == UB_SYSTOLIC_COMPAT_SCALESIM && o->level != 2)
        fputs("--compat scalesim: only at level 2\n", stderr);
    else if (is_csim(s) &&
             (s->best_dataflow || s->hardware.dataflow != UB_DATAFLOW_WS))
        fputs("--compat csim: weight stationary only\n", stderr);
    else if (s->best_dataflow && o->level == 3)
        fputs("--best-dataflow: only at levels 0, 1 and 2\n", stderr);
    else if (s->trace && (is_csim(s) || s->hardware.arrays > 1))
        fputs("--trace: of one array, and not as csim\n", stderr);
    else if (s->packed && (o->level != 1 || is_csim(s)))
        fputs("--packed: only at level 1, and not as csim\n", stderr);
    else if (s->energy_name != NULL && o->level == 0)
        fputs("--energy: not at level 0, which counts no bytes\n", stderr);
    else
        return 1;
    return 0;
}

/* What a configuration asks for and nobody simulates. */
static void warn_config(const simulation *s)
{
    const struct {
        int32_t asked;
        const char *what;
    } absent[] = {
        { s->config.input_layout, "IfmapCustomLayout: conflicts of banks" },
        { s->config.weight_layout, "FilterCustomLayout: conflicts of banks" },
        { s->config.ramulator, "UseRamulatorTrace: times of a DRAM simulator" },
        { s->config.sparse && s->config.optimized_mapping,
          "OptimizedMapping: random sparsity and its numbers" },
    };

    for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
        if (absent[i].asked)
            fprintf(stderr, "warning: %s: %s are not simulated\n",
                    s->config_path, absent[i].what);
    }
}

/* Before anything is simulated or written. */
static int check_traces(const simulation *s)
{
    for (int64_t i = 0; i < ub_network_layers(s->network) && s->trace; i++) {
        ub_layer_info info = { .size = sizeof(info) };

        if (ub_network_layer(s->network, i, &info) != UB_OK || info.macs == 0)
            continue;
        if (info.layer->sparse_block != 0 &&
            s->options.sparsity != UB_SYSTOLIC_DENSE)
            fprintf(stderr,
                    "--trace: layer '%s' has sparse weights, of which there is "
                    "no trace\n",
                    info.name);
        else if (info.layer->kind == UB_LAYER_MATMUL)
            fprintf(stderr,
                    "--trace: layer '%s' multiplies two maps, of which there "
                    "is no trace\n",
                    info.name);
        else
            continue;
        return 0;
    }
    return 1;
}

int open_simulation(simulation *s)
{
    ub_status status = make_context(s->threads, &s->context);

    if (status != UB_OK) {
        fprintf(stderr, "cannot start: %s\n", ub_status_str(status));
        return 0;
    }
    s->repeats = 1;
    status = read_hardware(s);
    if (status != UB_OK)
        return complain(s->context, status);
    if (s->topology_path == NULL)
        s->topology_path = s->config.topology;
    if (s->topology_path[0] == '\0') {
        fputs("no topology (-t), and the configuration names none\n", stderr);
        return 0;
    }
    choose_options(s);
    if (!check_options(s) || (s->energy_name != NULL && !read_energy(s)))
        return 0;
    warn_config(s);
    status = read_network(s);
    if (status != UB_OK)
        return complain(s->context, status);
    return check_traces(s) && make_folders(s);
}
