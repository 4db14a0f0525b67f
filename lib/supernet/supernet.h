/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_SUPERNET_H
#define UBOOST_LIB_SUPERNET_H

#include "space/space.h"
#include "tensor/tensor.h"

#include <uboost/supernet.h>

/* The layers of one cell; candidates[edge * operators + operator], or of a
 * block candidates[operator], holds the layers of that operator's steps, NULL
 * where the operator is not open. */
typedef struct ub__supernet_cell {
    ub_conv_norm *preprocess[2];
    ub_conv_norm ***candidates;
    int64_t in_channels[2]; /* of its inputs' tensors */
    int64_t channels;       /* of the tensors inside and of its output */
} ub__supernet_cell;

struct ub_supernet {
    ub_context *context;
    const ub_space *space;
    ub_supernet_options options; /* operators is owned */
    int32_t *operators;          /* given choice, or NULL */
    ub_cost_model model;
    int has_model;
    ub_parameters *parameters;
    ub_conv_norm *stem;
    ub_linear_layer *classifier;
    ub__supernet_cell *cells;
    ub_variable **decisions; /* logits per decision; NULL when given */
    ub_mask **masks;         /* per site, NULL where no width is searched */
    int64_t n_logits;
    double *noise;       /* per logit */
    double *probability; /* per logit, of the current sample */
    double tau;
};

/* An operator on an edge of a cell, or of a block, that reads `in` channels
 * and makes `width`. */
typedef struct ub__candidate {
    const ub__operator *op;
    int64_t cell, edge, in, width;
    int quantized; /* its convolutions have ranges of what they read */
} ub__candidate;

/* Layers of the steps that have any, into op->n_steps places of NULL; and the
 * end of an array that was ub__alloc()ed for them. */
ub_status ub__candidate_create(ub_parameters *parameters, const ub_space *space,
                               const ub__candidate *at, ub_rng *rng,
                               ub_conv_norm **layers);
void ub__candidate_destroy(ub_context *context, const ub__operator *op,
                           ub_conv_norm **layers);
/* Tensor channels that operator `op` of an edge reads in a cell. */
int64_t ub__supernet_edge_channels(const ub_supernet *net, int64_t cell,
                                   int64_t edge);
/* How many candidates a cell or block has, open or not, and number `index`. */
int64_t ub__supernet_candidates(const ub_supernet *net, int64_t cell);
const ub__operator *ub__supernet_candidate(const ub_supernet *net, int64_t cell,
                                           int64_t index);
/* First logit of a decision or of a site's mask. */
int64_t ub__supernet_decision_offset(const ub_supernet *net, int64_t decision);
int64_t ub__supernet_mask_offset(const ub_supernet *net, int64_t site);
/* The logits of one decision or one mask. */
typedef struct ub__logits {
    ub_variable *variable;
    const ub_mask *mask; /* NULL: of a decision */
    int64_t index;       /* of the decision or the site */
    int64_t n, offset;   /* how many, behind how many others */
    int64_t next;
} ub__logits;

/* Go on to the next ones, from { 0 } to the first; 0 behind the last. Decisions
 * come before masks. */
int ub__supernet_next(const ub_supernet *net, ub__logits *at);
/* softmax((logits + noise) / tau) in double, for all decisions and masks */
void ub__supernet_probabilities(const ub_supernet *net, const double *noise,
                                double tau, double *out);
/* The logits of all decisions and masks in order. */
void ub__supernet_copy_logits(const ub_supernet *net, double *out);
void ub__supernet_set_logits(const ub_supernet *net, const double *logits);
/* As ub_supernet_sample(), of widths with equal probabilities: the noise makes
 * up for the logits of the masks, until these change. */
ub_status ub__supernet_sample_uniform(ub_supernet *net, ub_rng *rng,
                                      double tau);

#endif
