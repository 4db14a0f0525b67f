/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_STEP_H
#define BENCH_STEP_H

#include "nets.h"

/*
 * One training step, as the searches and the final training do it: images
 * (the same ones every time, or the next batch of a data loader), forward,
 * loss, backward to all that learns, clipping, SGD.
 */

typedef struct step {
    bench *bench;

    /* Settings. */
    int64_t batch;
    int use_loader;   /* --loader */
    const char *data; /* --data; NULL: synthetic images */
    double rate;
    ub_optimizer_options optimizer_options;

    /* What is trained: one of the two, owned by the caller. */
    ub_supernet *supernet;
    ub_model *model;
    int priced; /* adds the supernet's expected cost to the loss */

    ub_parameters *parameters;
    ub_optimizer *optimizer;
    ub_tape *tape;
    ub_tensor *images;
    int32_t *labels;
    ub_rng rng;
    ub_loader *loader;
    const char *loader_name;
    int64_t epoch;
    int checked;    /* whether the first step's gradients were looked at */
    double waiting; /* seconds in the loader */
    int64_t taken;  /* batches from it */
} step;

/* The options that all programs of steps take, for their tables. */
#define STEP_OPTIONS(s, b)                                    \
    { .name = "--batch",                                      \
      .value = "N",                                           \
      .integer = &(s)->batch,                                 \
      .low = 1,                                               \
      .high = 4096 },                                         \
        { .name = "--steps",                                  \
          .value = "N",                                       \
          .integer = &(b)->runs,                              \
          .low = 1,                                           \
          .high = 4096 },                                     \
        { .name = "--loader", .flag = &(s)->use_loader },     \
    {                                                         \
        .name = "--data", .value = "PATH", .text = &(s)->data \
    }

/* Defaults: batch 64; SGD as in the searches. */
void step_init(step *s, bench *b);

/* Measure steps of s->supernet or s->model and print the line: `fields` (JSON
 * members) first, then the arithmetic of the convolutions and its share of
 * what BLIS reaches. */
void step_run(step *s, const net_convs *convs, const char *fields);

#endif
