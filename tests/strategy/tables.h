/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_TESTS_STRATEGY_TABLES_H
#define UBOOST_TESTS_STRATEGY_TABLES_H

#include <stdint.h>

/* NAS-Bench-201 as a problem for strategies: accuracies in percent of all
 * cells. A cell is six choices among five operators (0 none, 1 skip_connect,
 * 2 nor_conv_1x1, 3 nor_conv_3x3, 4 avg_pool_3x3), one for each of the edges
 * 0->1, 0->2, 1->2, 0->3, 1->3, 2->3; its code is the base-5 number of these
 * digits, the first one being the highest. */
#define NB201_EDGES     6
#define NB201_OPERATORS 5
#define NB201_CELLS     15625

/* Data sets. */
enum { NB201_CIFAR10, NB201_CIFAR100, NB201_IMAGENET, NB201_DATASETS };

struct nb201 {
    double val12[NB201_DATASETS][NB201_CELLS];   /* validation, 12 epochs */
    double test200[NB201_DATASETS][NB201_CELLS]; /* test, 200 epochs */
};

/* Both tables of $UBOOST_DATA/hwnas, to be freed; NULL when there is no such
 * variable: the test then calls skip(). */
struct nb201 *nb201_read(void);

int64_t nb201_code(const int32_t *choices);
void nb201_choices(int64_t code, int32_t *choices);

/* Millions of multiply-accumulates: a fit to the published end points. */
double nb201_macs(const int32_t *choices);

#endif
