/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef EXAMPLES_PARETO_CIFAR10_MARKDOWN_H
#define EXAMPLES_PARETO_CIFAR10_MARKDOWN_H

#include "pareto_cifar10/pareto_cifar10.h"

/* What the files that write tables in Markdown share. */

/* Latencies are in us there. */
#define PARETO_US(ms) (1e3 * (ms))

/* "12.3 ± 0.4", times `factor`; the deviation is left out for one run. */
void pareto_put_moments(FILE *f, const pareto_moments *m, double factor,
                        int digits, int64_t n);
/* "-" for what is not known. */
void pareto_put_number(FILE *f, const char *format, double x);

/* Polished, shared and other runs with a label beside the main ones; nothing
 * where there are none. */
void pareto_put_variants(FILE *f, const pareto_summary *s);

#endif
