/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_SEARCH_H
#define UBOOST_LIB_SEARCH_H

#include "base/base.h"

#include <uboost/search.h>
#include <uboost/systolic.h>
#include <uboost/utilization.h>

/* -- options -------------------------------------------------------------- */

ub_status ub__search_options_check(ub_context *context,
                                   const ub_search_options *options);
/* Everything that decides what a run computes, as config.json holds it. */
json_t *ub__search_options_json(const ub_search_options *options);
/* The same of the options' preset: what an option is where an older library did
 * not write it. */
json_t *ub__search_defaults_json(const ub_search_options *options);

/* Whether the cost model is a table. */
int ub__search_by_table(const ub_search_options *options);
/* The batch that the cost model is asked for. */
int64_t ub__search_cost_batch(const ub_search_options *options);

/* Whether the configuration found in a file is the one that is wanted; the
 * error names the first option that differs. What is not there counts as in the
 * defaults. */
ub_status ub__config_check(ub_context *context, const char *path, json_t *found,
                           json_t *wanted, const json_t *defaults);

/* Whether a text can go into config.json; `what` it is, for the error. */
ub_status ub__config_text(ub_context *context, const char *what,
                          const char *text, size_t length);
/* Add what is the same for all runs: the data that the options are applied to,
 * and what decides the bits. Takes over config; NULL: no memory. */
json_t *ub__config_complete(json_t *config, ub_context *context,
                            const ub_dataset *train, const ub_dataset *test);

/* -- a run in a folder ---------------------------------------------------- */

enum { UB__STAGE_MICRO, UB__STAGE_CHANNELS, UB__STAGE_TRAIN, UB__STAGES };

/* Sums over an epoch. */
typedef struct ub__epoch_sums {
    double loss, latency_ms, utilization;
    int64_t steps, images, correct;
} ub__epoch_sums;

typedef struct ub__run {
    ub_context *context;
    const char *folder; /* borrowed */
    json_t *config, *defaults;
    json_t *results; /* what finished stages found; goes into checkpoints */
    char *log;       /* log.jsonl so far */
    size_t log_length, log_room;
    int stage;
    int64_t epoch, step; /* next to do */
    ub__epoch_sums sums;
    double seconds[UB__STAGES];
    ub_archive *resumed; /* tensors for the stage to go on with, or NULL */
} ub__run;

/* Takes over config, and the defaults that a found one is completed by, also on
 * failure; NULL: no memory. */
ub_status ub__run_open(ub_context *context, json_t *config, json_t *defaults,
                       const char *folder, int resume, ub__run *run);
void ub__run_close(ub__run *run);
/* Path of a file of the run, ub__alloc()ed. */
char *ub__run_path(const ub__run *run, const char *name);
/* Remember what a stage found, under a key. Takes over value. */
ub_status ub__run_note(ub__run *run, const char *key, json_t *value);

/* Number `index` of the n that are noted under a key, checked. */
ub_status ub__run_noted_integer(const ub__run *run, const char *key,
                                int64_t index, int64_t n, int64_t low,
                                int64_t high, int64_t *out);
/* network.json and network.dot */
ub_status ub__run_write_network(const ub__run *run, const ub_network *network);

/* A stage as the run sees it. */
typedef struct ub__stage {
    const char *name;
    int index;
    int64_t epochs, steps;
    int without_utilization; /* in the log */
    void *self;
    ub_status (*begin_epoch)(void *self, int64_t epoch, int64_t step);
    /* Adds to the sums; sums->steps is counted by the caller. */
    ub_status (*step)(void *self, int64_t epoch, int64_t step,
                      ub__epoch_sums *sums);
    /* Adds members to the epoch's line of the log. */
    ub_status (*end_epoch)(void *self, int64_t epoch, json_t *line);
    ub_status (*save)(void *self, ub_archive *archive);
    ub_status (*load)(void *self, const ub_archive *archive);
} ub__stage;

/* All epochs from where the run stands; checkpoints; moves the run on to the
 * next stage. */
ub_status ub__run_stage(ub__run *run, const ub__stage *stage);
/* The stage's files are written: checkpoint the next stage's beginning. */
ub_status ub__run_advance(ub__run *run);
/* Checkpoint what is noted and logged where a stage begins. */
ub_status ub__run_save(ub__run *run);
/* Append a line to the log; its last member must be its "seconds". */
ub_status ub__run_log(ub__run *run, const json_t *line);

/* -- stages --------------------------------------------------------------- */

typedef struct ub__data {
    const ub_dataset *train; /* all images that are used */
    const ub_dataset *test;
    ub_dataset *chosen, *search, *validation; /* owned */
    float mean[4], std[4];
} ub__data;

ub_status ub__data_open(ub_context *context, const ub_search_options *options,
                        const ub_dataset *train, const ub_dataset *test,
                        int with_validation, ub__data *data);
void ub__data_close(ub__data *data);

/* Loader of a set for a stage: with a batch size it is for learning (shuffled,
 * augmented, whole batches), with 0 for testing. */
ub_status ub__data_loader(ub_context *context, const ub_search_options *options,
                          const ub__data *data, int stage,
                          const ub_dataset *set, int64_t batch,
                          ub_loader **out);

/* Share of a loader's images that are classified right; `forward` computes
 * the logits on the tape, which does not record meanwhile. */
typedef ub_status (*ub__logits_fn)(void *self, ub_variable *x,
                                   ub_variable **logits);
ub_status ub__accuracy(ub_loader *loader, ub_tape *tape, ub__logits_fn forward,
                       void *self, double *accuracy);

/* Run one search to its end on a fresh supernet and write its state. */
ub_status ub__relax(ub__run *run, const ub_search_options *options,
                    const ub__data *data, int stage, ub_supernet *net);

ub_status ub__train(ub__run *run, const ub_search_options *options,
                    const ub__data *data, const ub_network *network,
                    double *test_accuracy);

/* A random number generator that depends on the place in the run only. */
void ub__place_rng(const ub_search_options *options, int stage, int64_t epoch,
                   int64_t step, ub_rng *rng);

/* -- taking over from another run ----------------------------------------- */

/* Whether the channel search learns widths for weights that are given. */
int ub__search_weights_given(const ub_search_options *options);

/* Whether the run in the folder `from` had the same cells and widths. */
ub_status ub__take_check(const ub__run *run, const char *from);
/* What micro.json in the folder `from` chose, and its repairs; the file is
 * copied to the run's folder. */
ub_status ub__take_operators(ub__run *run, const char *from,
                             const ub_space *space, int32_t *operators,
                             int64_t *repaired);
/* supernet.safetensors: all parameters; reading leaves the logits. */
ub_status ub__supernet_keep(const ub__run *run, const ub_supernet *net);
ub_status ub__supernet_take(ub_context *context, const char *from,
                            ub_supernet *net);

/* -- polishing ------------------------------------------------------------ */

typedef struct ub__polish_group ub__polish_group;

/* The widths of a channel search on their way down; see ub_search_options. */
typedef struct ub__polish {
    ub_context *context;
    const ub_search_options *options; /* borrowed, as all up to operators */
    const ub_hardware *hardware;
    const ub_space *space;
    const int32_t *operators;
    int64_t n_places; /* widths of a site */
    int64_t n_sites, n_groups;
    int64_t *sites;          /* those whose width matters */
    int64_t *place, *before; /* which of its widths each of these has, had */
    int64_t *members;        /* of the groups */
    ub__polish_group *groups;
    double *suffices, *probability; /* n_sites x n_places */
    int64_t *widths;                /* of all sites of the space */
    double searched_ms, latency_ms; /* simulated: of the search's, now */
    int64_t rounds, moves, evaluations;
    int finished;
} ub__polish;

/* Begin with the most probable widths of a supernet, which is not kept. */
ub_status ub__polish_open(ub_context *context, const ub_search_options *options,
                          const ub_hardware *hardware, const ub_space *space,
                          const int32_t *operators, const ub_supernet *net,
                          ub__polish *p);
void ub__polish_close(ub__polish *p);
/* Go on from other widths of the searched range. */
ub_status ub__polish_move_to(ub__polish *p, const int64_t *widths);
/* Try every move, then make those that still gain, best first; `finished` when
 * there was none, or the limit is reached. */
ub_status ub__polish_round(ub__polish *p);
/* The objective; and the sums over the sites of ln P(at most its width) and of
 * ln P(its width), relative to the searched widths. */
double ub__polish_value(const ub__polish *p);
double ub__polish_suffices(const ub__polish *p);
double ub__polish_probability(const ub__polish *p);

/* All rounds from where the run stands; notes and logs each. `widths` is of all
 * sites; changed where the run's are. */
ub_status ub__polish_run(ub__run *run, const ub_search_options *options,
                         const ub_hardware *hardware, const ub_space *space,
                         const int32_t *operators, const ub_supernet *net,
                         int64_t *widths);

/* -- cost ----------------------------------------------------------------- */

/* The cost models of a run and the memory behind them; they point into it, so
 * it must not move. */
typedef struct ub__pricing {
    ub_hardware hardware;
    ub_util_options util;
    ub_systolic_machine machine;
    ub_util_table *table;    /* black box only */
    ub_cost_model simulator; /* which fills it */
    ub_cost_model smooth;    /* for the loss */
    ub_cost_model exact;     /* for reports */
} ub__pricing;

ub_status ub__pricing_open(ub_context *context,
                           const ub_search_options *options,
                           const ub_space *space, ub__pricing *pricing);
void ub__pricing_close(ub__pricing *pricing);
/* A table of the simulator's results for the space's layers; an empty one
 * without a space. */
ub_status ub__table_fill(ub_context *context, const ub_search_options *options,
                         const ub_cost_model *simulator, const ub_space *space,
                         ub_util_table **out);

/* Add what a network's layers cost, so that it can be priced by the table. */
ub_status ub__table_add_network(ub_util_table *table,
                                const ub_cost_model *simulator, int64_t batch,
                                const ub_network *network);

/* What the network costs, into the result. */
ub_status ub__price(const ub_search_options *options,
                    const ub__pricing *pricing, const ub_network *network,
                    ub_search_result *result);
/* Add the run's times and write result.json. */
ub_status ub__report(ub__run *run, const ub_search_options *options,
                     const ub__pricing *pricing, ub_search_result *result);

#endif
