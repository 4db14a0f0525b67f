/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef EXAMPLES_PARETO_CIFAR10_FILES_H
#define EXAMPLES_PARETO_CIFAR10_FILES_H

#include "pareto_cifar10/pareto_cifar10.h"

#include <jansson.h>

/* Reading the files of complete runs. Functions return 1, or 0 after a message
 * that names the file. */

/* An object, or NULL after a message. */
json_t *pareto_read_json(const char *path);
int pareto_read_number(const char *path, const json_t *object, const char *key,
                       double low, double high, double *out);
int pareto_read_integer(const char *path, const json_t *object, const char *key,
                        int64_t low, int64_t high, int64_t *out);
/* A word without blanks and what tables and pictures are marked up with. */
int pareto_read_text(const char *path, const json_t *object, const char *key,
                     char out[PARETO_NAME]);

/* -- config.json ----------------------------------------------------------- */

enum { PARETO_VALUE = 64 }; /* the text of an option, with what is around it */

/* What the folder's name says, too: seed, method, lambda. */
int pareto_is_place(const char *key);
/* Whether two have the same value of an option. One that an older library did
 * not write is as a search has it by default. */
int pareto_same_option(const json_t *a, const json_t *b, const char *key);
/* "0.5", or a name as on the command line. */
void pareto_option_text(const char *key, const json_t *value, char *out,
                        size_t size);

/* Method, lambda and seed, of result.json, too. */
int pareto_read_place(const char *path, const json_t *object, pareto_run *run,
                      int64_t *hw_batch);
/* With the label; the folder's name must be theirs. */
int pareto_read_config(const char *path, const json_t *config, pareto_run *run,
                       int64_t *hw_batch);
/* All of result.json, which must be of the same run. */
int pareto_read_result(const char *path, const json_t *result, pareto_run *run);
/* The run's network as it is priced, or NULL; it must have the result's MACs
 * and parameters. */
ub_network *pareto_read_network(ub_context *context, const char *path,
                                int64_t cost_scale, const json_t *result);
/* Of the network as it is priced. */
int pareto_read_widths(const ub_network *priced, pareto_run *run);

/* -- the models' predictions ----------------------------------------------- */

/* The models of predicted_ms and the simulator, on the machine of the runs. */
typedef struct pareto_pricing {
    ub_hardware hardware;
    ub_util_options options;
    ub_systolic_machine machine;
    ub_cost_model models[PARETO_MODELS];
    ub_cost_model simulator;
    ub_util_table *table;
    int64_t batches[PARETO_BATCHES];
    int64_t n_changed; /* results that the simulator would not repeat */
} pareto_pricing;

/* The models point into it, so it must not move. */
int pareto_pricing_open(ub_context *context, const pareto_results *results,
                        pareto_pricing *pricing);
void pareto_pricing_close(pareto_pricing *pricing);
/* What all models say of a network, where the simulator's cycles go, and, where
 * the run had another hw_batch than the others, what it says at theirs. */
int pareto_price(pareto_pricing *pricing, const char *path,
                 const ub_network *priced, int64_t hw_batch, pareto_run *run);
/* Fill in operator_ms. */
int pareto_price_operators(const pareto_pricing *pricing,
                           pareto_results *results);

#endif
