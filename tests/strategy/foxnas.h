/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_TESTS_STRATEGY_FOXNAS_H
#define UBOOST_TESTS_STRATEGY_FOXNAS_H

#include <stdint.h>

/* FOX-NAS's space for CPUs. Five stages, each with five variables, all of one
 * kind side by side: depth, expansion and kernel of its blocks, expansion and
 * kernel of its first, reducing block. */
#define FOX_STAGES    5
#define FOX_VARIABLES 25
#define FOX_TERMS     40 /* the most of a predictor */

enum {
    FOX_ACCURACY,    /* 40 terms */
    FOX_LATENCY,     /* 35 terms */
    FOX_MAIN_EFFECTS /* 25 terms */
};

/* The terms of a predictor; how many they are. */
int64_t fox_terms(int predictor, const double *variables, double *terms);

#endif
