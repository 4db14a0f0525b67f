/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_TESTS_QUANT_AUTONBA_H
#define UBOOST_TESTS_QUANT_AUTONBA_H

#include "ops/scene.h"

#include <jansson.h>
#include <uboost/quant.h>

/* autonba.json: what the reference computes, in double. NULL, and the test
 * skipped, without UBOOST_GOLDEN. */
json_t *autonba_open(void);

/* Member of an object; the test fails when there is none. */
const json_t *autonba_get(const json_t *object, const char *name);
const char *autonba_text(const json_t *object, const char *name);
int64_t autonba_integer(const json_t *object, const char *name);

/* A leaf of the numbers in a list, flat or nested, of that shape; of one
 * dimension when rank is 0. It belongs to the scene. */
ub_variable *autonba_leaf(struct scene *scene, const json_t *numbers, int rank,
                          const int64_t *shape);
/* The shape of a list of extents; returns its rank. */
int autonba_shape(const json_t *list, int64_t shape[4]);
/* A gradient of the shape of a result. */
ub_tensor *autonba_grad(const struct scene *scene, const ub_variable *like,
                        const json_t *numbers);

/* |value - expected| <= tolerance (1 + |expected|) for all; null expects no
 * gradient at all. */
void autonba_close(const char *what, const float *values, int64_t n,
                   const json_t *expected, double tolerance);
void autonba_grad_close(const char *what, const ub_variable *variable,
                        const json_t *expected, double tolerance);

/* Bits, sample and logits of a case; the bits stay in `bits`. */
ub_bit_choice autonba_choice(struct scene *scene, const json_t *from,
                             int32_t bits[8]);
/* The reference's levels, with the backward rule of a stage. */
ub_quant_options autonba_options(int masked);

#endif
