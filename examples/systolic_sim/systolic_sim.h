/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef EXAMPLES_SYSTOLIC_SIM_SYSTOLIC_SIM_H
#define EXAMPLES_SYSTOLIC_SIM_SYSTOLIC_SIM_H

#include <stddef.h>
#include <uboost/uboost.h>

/* What systolic_sim was asked for, and what came out. */
typedef struct simulation {
    const char *config_path, *topology_path, *out, *model;
    const char *energy_name; /* of a preset or a file; NULL: no energy */
    int64_t threads;
    int64_t rows, columns, arrays, expansion, prefetch, bank_bytes, batch;
    int64_t tile[3], seed;
    double bandwidth; /* GiB/s */
    int32_t form;     /* a ub_topology_form */
    int32_t level;    /* these four are -1 when not given */
    int32_t compat;
    int32_t interconnect;
    int32_t dataflow;
    int trace, best_dataflow, os_drain, packed;

    ub_context *context;
    ub_hardware hardware;
    ub_hardware_config config;
    ub_systolic_options options;
    ub_network *network;
    int64_t repeats; /* of a network of csim */
    ub_energy_table table;

    int64_t n;                   /* layers */
    ub_systolic_stats *stats;    /* of each; cycles -1: csim gave up */
    ub_systolic_report *reports; /* of each; level 2 */
    int32_t *dataflows;          /* of each */
    char *without_stalls;        /* of each; 1: USER mode cannot count it */
    ub_energy *energies;         /* of each; NULL: not asked for */
    ub_energy energy;            /* of the total */
    ub_systolic_stats total;
    ub_systolic_csim_stats csim; /* compat csim */
    char folder[4096];           /* out/RUN_NAME */
    int lock;                    /* descriptor of the folder; -1: none */
} simulation;

/* A member of a struct: kind 'i' int64_t, 'w' int32_t, 'd' double. The last
 * name of a list is NULL. */
typedef struct field {
    const char *name;
    size_t offset;
    int kind;
} field;

extern const field stats_fields[];
extern const field energy_fields[]; /* those that add to its total */

extern const char *const dataflow_names[3];
extern const char *const interconnect_names[5];
extern const char *const compat_names[3];

/* All return 1, or 0 after a message. */
int parse_simulation(simulation *s, int argc, char **argv);

/* Prints the context's text, or the status; 0. */
int complain(ub_context *context, ub_status status);
ub_status make_context(int64_t threads, ub_context **out);
int open_simulation(simulation *s);
int run_simulation(simulation *s);
int write_traces(const simulation *s);
/* All files, instead of those of an earlier run. */
int write_results(const simulation *s);

/* The folder of this run, and nobody else's until s->lock is given back. */
int make_folders(simulation *s);

int read_energy(simulation *s);
int price(simulation *s);
void print_energy(const simulation *s);

/* Whether the layer has a matrix product; its name. */
int computes(const simulation *s, int64_t index, const char **name);
int is_csim(const simulation *s);

/* Statistics, report and dataflow of a layer, from any thread; the context's
 * text says what failed. */
ub_status simulate_layer(simulation *s, ub_context *context, int64_t index);

void print_table(const simulation *s);
int write_json(const simulation *s);
int write_pictures(const simulation *s);

/* Whether a layer has been simulated and takes cycles or multiplies. */
int is_shown(const simulation *s, int64_t index, const char **name);

#endif
