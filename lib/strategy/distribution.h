/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_STRATEGY_DISTRIBUTION_H
#define UBOOST_LIB_STRATEGY_DISTRIBUTION_H

#include "strategy/ask.h"

/* A distribution over candidates: tables that are independent of each other,
 * each the softmax of a logit for every joint choice of decisions in a row, the
 * last of them fastest. */
typedef struct ub__distribution {
    int64_t tables;
    int64_t *starts;       /* tables + 1: the first decision of each */
    int64_t *offsets;      /* tables + 1: its first logit */
    double *logits;        /* finite */
    double *probabilities; /* of the logits */
    double *gradient;      /* memory for ub__distribution_ascend() */
} ub__distribution;

/* All choices alike. A table for each decision, or for each group of them.
 * UB_ERR_UNSUPPORTED: a group has too many joint choices. */
ub_status ub__distribution_create(const ub_strategy *s, int joint,
                                  ub__distribution *out);
void ub__distribution_clear(ub_context *context, ub__distribution *d);

void ub__distribution_draw(const ub_strategy *s, const ub__distribution *d,
                           ub_rng *rng, int32_t *choices);
/* In nats. */
double ub__distribution_entropy(const ub__distribution *d);
/* The likeliest candidate, the first of them. */
void ub__distribution_mode(const ub_strategy *s, const ub__distribution *d,
                           int32_t *choices);
/* Probability of each choice of each decision. */
void ub__distribution_marginals(const ub_strategy *s, const ub__distribution *d,
                                double *probabilities);
/* Add rate x the sum over the batch of weight x the gradient by the logits of
 * the candidate's log-probability. */
void ub__distribution_ascend(const ub_strategy *s, ub__distribution *d,
                             const ub__batch *batch, const double *weights,
                             double rate);
/* Make the joint distribution what the one by decisions is. */
void ub__distribution_join(const ub_strategy *s, const ub__distribution *single,
                           ub__distribution *joint);
void ub__distribution_archive(ub__archive *a, ub__distribution *d);

/* Of each decision the choice of the largest weight, the first of them. */
void ub__likeliest(const ub_strategy *s, const double *weights,
                   int32_t *choices);

/* Of weights = softmax((logits + noise) / temperature): the gradient by the
 * logits, w (g - <g, w>) / temperature, from that by the weights. Kept within
 * 1e100. */
void ub__gumbel_gradient(const double *weights, const double *gradient,
                         int64_t n, double temperature, double *out);

/* -- what PARSEC and FP-NAS share ----------------------------------------- */

/* Add n candidates drawn from a distribution, all or none. */
ub_status ub__parsec_sample(ub_strategy *s, const ub__distribution *d,
                            int64_t n, int32_t *scratch, ub__batch *batch);
/* One step of ascent on the likelihood, less cost_weight times that on the
 * logarithm of the violation. */
ub_status ub__parsec_learn(ub_strategy *s, ub__distribution *d,
                           const ub__batch *batch, double cost_weight);

#endif
