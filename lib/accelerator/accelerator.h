/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_ACCELERATOR_H
#define UBOOST_LIB_ACCELERATOR_H

#include "base/base.h"

#include <uboost/accelerator.h>
#include <uboost/strategy.h>

enum {
    UB__MAX_CHUNKS = UB_CHUNK_FAMILIES * UB_CHUNK_MAX_BITS,
    /* A mode, tiles and unrolls of four dimensions. */
    UB__DIMENSIONS = 4
};

struct ub_workload {
    ub_context *context;
    ub_workload_layer *layers;
    int64_t n, capacity, blocks;
};

struct ub_accelerator {
    ub_context *context;
    ub_accelerator_options options;
    int64_t chunks;
};

/* -- geometry ------------------------------------------------------------- */

ub_status ub__workload_layer_check(ub_context *context,
                                   const ub_workload_layer *layer);

/* -- formulas ------------------------------------------------------------- */

/* Price a layer that was checked on a configuration that was. */
void ub__chunk_price(const ub_accelerator_options *options,
                     const int32_t *configuration,
                     const ub_workload_layer *layer, ub_chunk_cost *out);

/* The first field of a configuration that is out of range; UB_CHUNK_FIELDS:
 * none is. */
int ub__chunk_valid(const int32_t *configuration, int depthwise);

/* Sum of p / T - 1 over unrolls that are beyond their tiles. */
double ub__chunk_violation(const int32_t *configuration);

/* -- a workload on its chunks --------------------------------------------- */

/* Layers of one chunk that cost the same, and how many of them there are. */
typedef struct ub__load_layer {
    ub_workload_layer layer; /* with one group */
    int64_t count;
} ub__load_layer;

/* What chunks have to do. Layers of chunk c are start[c] to start[c + 1] - 1.
 */
typedef struct ub__load {
    ub__load_layer *layers;
    int64_t start[UB__MAX_CHUNKS + 1];
} ub__load;

/* UB_ERR_INVALID when there are no layers or one has no chunk. */
ub_status ub__workload_check(const ub_accelerator *accelerator,
                             const ub_workload *workload);
ub_status ub__load_create(const ub_accelerator *accelerator,
                          const ub_workload *workload, ub__load *out);
void ub__load_clear(const ub_accelerator *accelerator, ub__load *load);

/* What a chunk does for its layers, 0 without any. */
typedef struct ub__chunk_use {
    double cycles, dsp, bram;
} ub__chunk_use;
ub__chunk_use ub__load_use(const ub_accelerator *accelerator,
                           const ub__load *load, int64_t chunk,
                           const int32_t *configuration);

/* Price a whole, valid configuration; uses: of each chunk, or NULL. */
void ub__load_evaluate(const ub_accelerator *accelerator, const ub__load *load,
                       const int32_t *configuration, ub__chunk_use *uses,
                       ub_accelerator_result *out);

/* The family and the space of a chunk. */
const ub_chunk_space *ub__chunk_space_of(const ub_accelerator *accelerator,
                                         int64_t chunk);
int ub__chunk_depthwise(int64_t chunk);

/* Modes allowed, in order; how many. */
int ub__chunk_modes(const ub_chunk_space *space, int32_t modes[3]);

/* Chunks without layers become the smallest there are. */
void ub__chunks_fill(const ub_accelerator *accelerator, const ub__load *load,
                     int32_t *configuration);

/* -- engines -------------------------------------------------------------- */

/* A configuration on the Pareto front of a chunk. */
typedef struct ub__chunk_point {
    double cycles, dsp, bram;
    int32_t configuration[UB_CHUNK_FIELDS];
    int32_t reserved;
} ub__chunk_point;

typedef struct ub__chunk_front {
    ub__chunk_point *points; /* by cycles */
    int64_t n;
} ub__chunk_front;

/* All configurations of a chunk within the limits, of which the front stays;
 * configurations that differ in nothing but what costs more are left out.
 * *priced is added to. */
ub_status ub__chunk_front_create(const ub_accelerator *accelerator,
                                 const ub__load *load, int64_t chunk,
                                 ub__chunk_front *out, int64_t *priced);
void ub__chunk_front_clear(const ub_accelerator *accelerator,
                           ub__chunk_front *front);

/* The best configuration that keeps to the limits, and how many points the
 * fronts of all chunks have; UB_ERR_RANGE when there is none. */
ub_status ub__chunks_solve(const ub_accelerator *accelerator,
                           const ub__load *load, int32_t *configuration,
                           int64_t *priced, int64_t *points);

/* A draw of a chunk: uniform tiles, and unrolls uniform up to them. */
void ub__chunk_draw(const ub_chunk_space *space, ub_rng *rng,
                    int32_t *configuration);

/* Gumbel softmax of n logits by n uniform numbers; returns the largest. */
int64_t ub__chunk_gumbel(int64_t n, const double *logits,
                         const double *uniforms, double temperature,
                         double *out);

/* Gradient of a loss times one chosen probability by the n logits. */
void ub__chunk_gradient(int64_t n, const double *y, int64_t chosen, double loss,
                        double temperature, double *out);

/* One step of Adam on n numbers; t counts from 1. */
typedef struct ub__chunk_adam {
    double rate, beta1, beta2, epsilon;
} ub__chunk_adam;
void ub__chunk_adam_step(const ub__chunk_adam *adam, int64_t n, int64_t t,
                         const double *gradient, double *first, double *second,
                         double *values);

/* Most logits of a chunk. */
enum { UB__CHUNK_LOGITS = 3 + 2 * UB__DIMENSIONS * UB_CHUNK_MAX_VALUES };

/* State of the differentiable search. A chunk's logits: modes, tiles, unrolls.
 */
typedef struct ub__chunk_learner {
    double *logits, *first, *second; /* UB__CHUNK_LOGITS of each chunk */
    int64_t steps[UB__MAX_CHUNKS];   /* of Adam */
    double mean;                     /* of the losses so far */
    double chunk_means[UB__MAX_CHUNKS];
    int32_t has_mean;
    int32_t reserved;
} ub__chunk_learner;

struct ub_accelerator_search {
    const ub_accelerator *accelerator;
    ub_accelerator_search_options options;
    ub_rng rng;
    int32_t *best; /* configuration of all chunks, if there is one */
    int32_t has_best;
    int32_t reserved;
    int64_t samples, dropped, points;
    ub__chunk_learner state;
};

/* Take over a configuration that fits, if it is better than `best`, which has a
 * size of 0 as long as there is none. */
void ub__chunks_take(ub_accelerator_search *search, const ub__load *load,
                     const int32_t *configuration,
                     const ub_accelerator_result *result,
                     ub_accelerator_result *best);

ub_status ub__chunk_learner_create(ub_accelerator_search *search);
void ub__chunk_learner_clear(ub_accelerator_search *search);
ub_status ub__chunk_learner_run(ub_accelerator_search *search,
                                const ub__load *load, int64_t samples,
                                ub_accelerator_result *best);
/* Mean over choices of the chunks that have learnt, and that a workload
 * samples unless it is NULL; NaN: there are none. */
double ub__chunk_learner_entropy(const ub_accelerator_search *search,
                                 const ub__load *load);

#endif
