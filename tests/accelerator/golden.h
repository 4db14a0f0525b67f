/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_TESTS_ACCELERATOR_GOLDEN_H
#define UBOOST_TESTS_ACCELERATOR_GOLDEN_H

#include "support.h"

#include <jansson.h>
#include <uboost/accelerator.h>

/* What the public code of Auto-NBA printed (autonba.json): double precision,
 * the same formulas in another order of operations. */
#define GOLDEN_TOLERANCE 1e-11

/* The file; the test is skipped without it. */
json_t *golden_open(void);

/* |actual - expected| within GOLDEN_TOLERANCE, relative. */
void golden_close(double actual, double expected);

double golden_number(const json_t *object, const char *key);
void golden_integers(const json_t *array, int32_t *out);

/* A network's operators and bits as the reference's workload or the true one.
 */
ub_workload *golden_workload(ub_context *context, const json_t *net,
                             int32_t setting);

/* The reference's space for a network, with one mode or, by -1, any. */
ub_accelerator *golden_accelerator(ub_context *context, const json_t *net,
                                   int32_t mode);

/* A set of vectors, one for each chunk by its name, as a configuration. */
void golden_configuration(const ub_accelerator *accelerator, const json_t *set,
                          int32_t *configuration);

#endif
