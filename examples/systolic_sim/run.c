/* SPDX-License-Identifier: BSD-2-Clause */
/* Simulating what systolic_sim has read. */
#define _POSIX_C_SOURCE 200809L

#include "common/command_line.h"
#include "systolic_sim/systolic_sim.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int computes(const simulation *s, int64_t index, const char **name)
{
    ub_layer_info info = { .size = sizeof(info) };

    if (ub_network_layer(s->network, index, &info) != UB_OK)
        return 0;
    *name = info.name;
    return info.macs > 0;
}

int is_csim(const simulation *s)
{
    return s->options.compat == UB_SYSTOLIC_COMPAT_CSIM;
}

/* The line is free again. */
static void end_progress(void)
{
    if (isatty(STDERR_FILENO))
        fputs("\033[K", stderr);
}

typedef struct crew {
    simulation *s;
    pthread_mutex_t lock; /* of what follows */
    int64_t next, done;
    int failed;
} crew;

static void complain_layer(const simulation *s, ub_context *context, int64_t i,
                           ub_status status)
{
    const char *name = "", *text = ub_context_last_error(context);
    ub_systolic_options o = s->options;

    computes(s, i, &name);
    o.count_memory = 0;
    /* the function for a layer alone has no context to say why */
    if (text[0] == '\0' &&
        ub_systolic_run(s->network, &s->hardware, &o, NULL, NULL, 0) != UB_OK)
        text = ub_context_last_error(s->context);
    if (text[0] != '\0')
        fprintf(stderr, "%s\n", text);
    else
        fprintf(stderr, "layer '%s' does not run on this machine: %s\n", name,
                ub_status_str(status));
}

static void *work(void *user)
{
    crew *c = user;
    simulation *s = c->s;
    ub_context *context = NULL;
    ub_status status = make_context(1, &context);

    pthread_mutex_lock(&c->lock);
    c->failed |= status != UB_OK;
    while (!c->failed && c->next < s->n && !interrupted()) {
        const int64_t i = c->next++;

        pthread_mutex_unlock(&c->lock);
        status = simulate_layer(s, context, i);
        pthread_mutex_lock(&c->lock);
        c->done++;
        if (isatty(STDERR_FILENO))
            fprintf(stderr, "layer %" PRId64 "/%" PRId64 "\033[K\r", c->done,
                    s->n);
        if (status != UB_OK && status != UB_ERR_INTERRUPTED && !c->failed)
            complain_layer(s, context, i, status);
        c->failed |= status != UB_OK;
    }
    pthread_mutex_unlock(&c->lock);
    ub_context_destroy(&context);
    return NULL;
}

static int simulate_layers(simulation *s)
{
    crew c = { .s = s, .lock = PTHREAD_MUTEX_INITIALIZER };
    pthread_t threads[64];
    int64_t wanted = s->threads > 0 ? s->threads
                                    : sysconf(_SC_NPROCESSORS_ONLN);
    int64_t n = 0;

    wanted = wanted < s->n ? wanted : s->n;
    wanted = wanted < 64 ? wanted : 64;
    while (n + 1 < wanted && pthread_create(&threads[n], NULL, work, &c) == 0)
        n++;
    work(&c);
    while (n > 0)
        pthread_join(threads[--n], NULL);
    end_progress();
    return !c.failed && !interrupted();
}

static void *at(void *base, const field *f)
{
    return (char *) base + f->offset;
}

/* Sums; shares weigh as much as their cycles. */
static void add_up(simulation *s)
{
    ub_systolic_stats *t = &s->total;
    const double elements = (double) s->hardware.rows *
                            (double) s->hardware.columns *
                            (double) s->hardware.arrays;
    double latency = 0.0;

    for (int64_t i = 0; i < s->n; i++) {
        for (const field *f = stats_fields; f->name != NULL; f++) {
            if (f->kind == 'i')
                *(int64_t *) at(t, f) += *(int64_t *) at(&s->stats[i], f);
            else
                *(double *) at(t, f) += *(double *) at(&s->stats[i], f) *
                                        (double) s->stats[i].cycles;
        }
        latency += s->stats[i].latency_ms;
    }
    for (const field *f = stats_fields; f->name != NULL; f++) {
        if (f->kind == 'd' && t->cycles > 0)
            *(double *) at(t, f) /= (double) t->cycles;
    }
    t->latency_ms = latency;
    t->utilization = t->cycles > 0
                         ? (double) t->macs / ((double) t->cycles * elements)
                         : 1.0;
}

static int simulate_csim(simulation *s)
{
    ub_status status;

    s->csim.size = sizeof(s->csim);
    status = ub_systolic_csim(s->network, &s->hardware, &s->options, s->repeats,
                              &s->csim);
    if (status == UB_OK)
        status = ub_systolic_run(s->network, &s->hardware, &s->options,
                                 &s->total, NULL, 0);
    if (status == UB_ERR_RANGE && s->csim.cycles < 0) {
        fputs("csim gives up: a stall of more than 100 * rows cycles\n",
              stderr);
        s->total.cycles = -1;
        status = UB_OK;
    }
    return status == UB_OK ? simulate_layers(s) : complain(s->context, status);
}

static void warn_stalls(const simulation *s)
{
    const char *name = "";
    int64_t n = 0;

    for (int64_t i = s->n - 1; i >= 0; i--) {
        if (s->without_stalls[i]) {
            computes(s, i, &name);
            n++;
        }
    }
    if (n > 0)
        fprintf(stderr,
                "warning: USER mode knows no stalls of layers that do not fit "
                "half of each bank, or at less than an element per cycle: "
                "%" PRId64 " layers, first '%s', are counted as in CALC mode\n",
                n, name);
}

int run_simulation(simulation *s)
{
    ub_status status = UB_OK;
    int good = 1;

    s->n = ub_network_layers(s->network);
    s->stats = calloc((size_t) s->n, sizeof(*s->stats));
    s->reports = calloc((size_t) s->n, sizeof(*s->reports));
    s->dataflows = calloc((size_t) s->n, sizeof(*s->dataflows));
    s->without_stalls = calloc((size_t) s->n, 1);
    if (s->stats == NULL || s->reports == NULL || s->dataflows == NULL ||
        s->without_stalls == NULL) {
        fputs("out of memory\n", stderr);
        return 0;
    }
    s->total.size = sizeof(s->total);
    for (int64_t i = 0; i < s->n; i++) {
        s->stats[i].size = sizeof(s->stats[i]);
        s->reports[i].size = sizeof(s->reports[i]);
        s->dataflows[i] = s->hardware.dataflow;
    }
    if (is_csim(s))
        return simulate_csim(s);
    if (s->options.level == 3) {
        status = ub_systolic_run(s->network, &s->hardware, &s->options,
                                 &s->total, s->stats, s->n);
        end_progress();
    } else {
        good = simulate_layers(s);
        add_up(s);
    }
    if (good && status == UB_OK)
        warn_stalls(s);
    return status == UB_OK ? good : complain(s->context, status);
}

/* -- traces --------------------------------------------------------------- */

static int trace_layer(const simulation *s, const ub_layer_info *info,
                       int64_t index, int64_t number)
{
    static const char *const names[3] = { "IFMAP", "FILTER", "OFMAP" };
    const int64_t offsets[3] = { s->config.input_offset,
                                 s->config.weight_offset,
                                 s->config.output_offset };
    char path[sizeof(s->folder) + 64];
    ub_hardware h = s->hardware;

    h.dataflow = s->dataflows[index];
    snprintf(path, sizeof(path), "%s/layer%" PRId64, s->folder, number);
    if (!make_folder(path))
        return 0;
    for (int32_t operand = 0; operand < 3; operand++) {
        ub_status status;

        snprintf(path, sizeof(path), "%s/layer%" PRId64 "/%s_SRAM_TRACE.csv",
                 s->folder, number, names[operand]);
        status = ub_systolic_trace_write(s->context, info, &h, &s->options,
                                         operand, offsets[operand], path);
        if (status == UB_OK)
            continue;
        complain(s->context, status);
        snprintf(path, sizeof(path), "%s/layer%" PRId64, s->folder, number);
        rmdir(path); /* unless there is something in it */
        return 0;
    }
    return 1;
}

int write_traces(const simulation *s)
{
    int64_t number = 0;

    for (int64_t i = 0; i < s->n && s->trace; i++) {
        ub_layer_info info = { .size = sizeof(info) };

        if (ub_network_layer(s->network, i, &info) != UB_OK || info.macs == 0)
            continue;
        if (!trace_layer(s, &info, i, number++))
            return 0;
    }
    end_progress();
    return 1;
}
