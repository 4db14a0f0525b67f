/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_COSEARCH_H
#define UBOOST_LIB_COSEARCH_H

#include "search/search.h"
#include "space/space.h"

#include <uboost/cosearch.h>

/* -- options -------------------------------------------------------------- */

ub_status ub__cosearch_options_check(ub_context *context,
                                     const ub_cosearch_options *options);
/* Everything that decides what a run computes, as config.json holds it. */
json_t *ub__cosearch_options_json(const ub_cosearch_options *options);
/* The same of the options' preset. */
json_t *ub__cosearch_defaults_json(const ub_cosearch_options *options);
/* What data and training of `search` need to know. */
void ub__cosearch_search_options(const ub_cosearch_options *options,
                                 ub_search_options *out);

/* -- paths ---------------------------------------------------------------- */

/* An operator and which of the bit widths, for each cell. */
typedef struct ub__joint_path {
    int32_t operators[UB_SPACE_MAX_ITEMS];
    int32_t widths[UB_SPACE_MAX_ITEMS];
} ub__joint_path;

/* Whether a space is of the kind that is searched here. */
ub_status ub__joint_space_check(ub_context *context, const ub_space *space);

/* The network of a path, with bits. */
ub_status ub__joint_derive(const ub_space *space, const int32_t *bits,
                           const ub__joint_path *path, ub_network **out);
/* The cell that a layer of a derived network belongs to; -1: none. */
int64_t ub__joint_layer_cell(const char *name);

/* -- the network of all paths --------------------------------------------- */

enum { UB__JOINT_ACTIVE = 2 };

/* What was active in a cell: operators, and widths of the first of them, those
 * that ran first. */
typedef struct ub__joint_draw {
    int64_t operators[UB__JOINT_ACTIVE];
    int64_t widths[UB__JOINT_ACTIVE];
} ub__joint_draw;

typedef struct ub__joint_cell {
    const ub__cell *cell;
    const ub__operator *candidates;
    ub_conv_norm ***layers; /* by candidate, by step; NULL: no convolution */
    ub_variable *alpha;     /* of the operators; NULL: a block */
    ub_variable **beta;     /* of the widths, by operator; NULL: one width */
    double *noise;          /* of alpha, then of all beta */
    int64_t n_candidates, in_channels;
    ub__joint_draw draw;
} ub__joint_cell;

typedef struct ub__joint_net {
    ub_context *context;
    const ub_space *space; /* borrowed */
    int32_t bits[UB_CHUNK_MAX_BITS];
    int64_t n_bits, n_active, n_active_bits;
    ub_parameters *parameters;
    ub__joint_cell *row; /* cells and blocks */
    ub_linear_layer *classifier;
    double tau;
} ub__joint_net;

enum {
    UB__JOINT_LOGITS,  /* two operators, two widths, logits learn */
    UB__JOINT_WEIGHTS, /* one operator, a mixture of widths, weights learn */
    UB__JOINT_ARGMAX   /* the most probable path */
};

ub_status ub__joint_net_create(ub_context *context, const ub_space *space,
                               const int32_t *bits, int64_t n_bits,
                               uint64_t seed, ub__joint_net **out);
void ub__joint_net_destroy(ub__joint_net **net);
/* Draw the noise of a step, and what is active: in each cell, with the chance
 * `first`, the first operator instead. */
void ub__joint_net_sample(ub__joint_net *net, ub_rng *rng, double tau,
                          double first);
/* The path drawn last, and its runners-up where there are any. */
void ub__joint_net_drawn(const ub__joint_net *net, ub__joint_path *out);
void ub__joint_net_argmax(const ub__joint_net *net, ub__joint_path *out);
ub_status ub__joint_net_forward(ub__joint_net *net, ub_tape *tape,
                                ub_variable *x, int mode, ub_variable **logits);
/* Add `scale` times the gradient of the time of what was drawn, where
 * cycles[cell][operator][width] is what each block costs. */
void ub__joint_net_add_cost(ub__joint_net *net, const double *cycles,
                            double scale, int32_t gradient);
/* Step of the logits, after which those of what was not active have the
 * probability they had. */
ub_status ub__joint_net_learn(ub__joint_net *net, ub_optimizer *optimizer,
                              double rate);

/* -- the accelerator ------------------------------------------------------ */

typedef struct ub__joint_price {
    ub_context *context;
    const ub_space *space;              /* borrowed */
    const ub_cosearch_options *options; /* borrowed */
    ub_accelerator *accelerator;
    ub_workload **uniform; /* [operator][width]: that in each cell */
    int64_t n_cells, n_operators, n_bits, n_fields;
    int32_t *configuration; /* n_fields, of all chunks */
    ub__joint_path path;    /* for the interval: around which it changes */
    int has_path;
    double *cycles; /* [cell][operator][width]: cost.c */
    double clock_hz;
} ub__joint_price;

/* With what is best for networks of one bit width as the configuration. */
ub_status ub__joint_price_open(ub_context *context, const ub_space *space,
                               const ub_cosearch_options *options,
                               ub__joint_price *price);
void ub__joint_price_close(ub__joint_price *price);
/* The best accelerator for a path; all of its result is 0 when there is nothing
 * to compute. UB_ERR_RANGE: none is within the limits; the workload is there
 * none the less. The seed is of engines that draw. */
ub_status ub__joint_price_best(const ub__joint_price *price,
                               const ub__joint_path *path, int32_t engine,
                               uint64_t seed, ub_workload **workload,
                               int32_t *configuration,
                               ub_accelerator_result *out);
/* Costs from now on: by the chunks that a path uses of the best accelerator for
 * it, or by the interval around it; as they were where none is within the
 * limits. */
ub_status ub__joint_price_refresh(ub__joint_price *price,
                                  const ub__joint_path *path, uint64_t seed);
/* The layers of an operator and a width in all cells. */
ub_workload **ub__joint_price_uniform(const ub__joint_price *price, int64_t op,
                                      int64_t width);
/* Of any operator in all cells, and the first that has so many. */
int64_t ub__joint_price_most_layers(const ub__joint_price *price, int64_t *op);
/* Fill in `cycles`, by the configuration or, once there is one, by the path;
 * UB_ERR_RANGE: it has no accelerator within the limits, nothing is changed. */
ub_status ub__joint_price_table(ub__joint_price *price);
/* Cycles of a path, the sum of its cells; and as milliseconds. */
double ub__joint_price_cycles(const ub__joint_price *price,
                              const ub__joint_path *path);
double ub__joint_price_ms(const ub__joint_price *price, double cycles);

/* -- the search ----------------------------------------------------------- */

/* All epochs; the path that is most probable after them, and more, is noted in
 * the run. */
ub_status ub__joint_search(ub__run *run, const ub_cosearch_options *options,
                           const ub__data *data, const ub_space *space,
                           ub__joint_price *price);

#endif
