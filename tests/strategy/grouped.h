/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef TESTS_STRATEGY_GROUPED_H
#define TESTS_STRATEGY_GROUPED_H

#include "strategy/distribution.h"

/* Decisions in groups of 3 x 2, 1 x 4 and 5 choices: 120 candidates, few enough
 * to enumerate. */
#define GROUPED_DECISIONS  5
#define GROUPED_CANDIDATES 120

extern const int32_t grouped_choices[GROUPED_DECISIONS];
extern const int32_t grouped_groups[GROUPED_DECISIONS];

/* A kind's defaults with a budget that no test reaches. */
ub_strategy_options grouped_options(int32_t kind);
/* n decisions and their groups, of these or others. */
ub_status grouped_try_create(ub_context *context, int64_t n,
                             const int32_t *choices, const int32_t *groups,
                             const ub_strategy_options *options,
                             ub_strategy **out);
ub_strategy *grouped_create(ub_context *context,
                            const ub_strategy_options *options);

/* Candidate `number`, the last decision fastest. */
void grouped_candidate(int64_t number, int32_t *choices);

/* The logits anew, and the probabilities that follow, by an ascent of 0. */
void grouped_set_logits(const ub_strategy *s, ub__distribution *d, ub_rng *rng);
double grouped_log_probability(const ub_strategy *s, const ub__distribution *d,
                               const int32_t *choices);

#endif
