/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_TESTS_COSEARCH_TINY_H
#define UBOOST_TESTS_COSEARCH_TINY_H

#include "cosearch/cosearch.h"
#include "support.h"

/* A stem, cells of 4, 8 and 8 channels, the second with stride 2, a header:
 * "e1", "e2_g2" and "skip". Images of 3 x 16 x 16, 3 classes. */
ub_status tiny_space(ub_context *context, ub_space **out);
/* The cost of latency, one of each epoch, widths of 4 and 8 bits, small
 * batches. */
void tiny_options(ub_cosearch_options *o);
/* A run of few images on a space, NULL: tiny_space(). */
ub_status tiny_run(ub_context *context, const ub_cosearch_options *o,
                   const ub_space *space, const char *folder, int resume,
                   ub_cosearch_result *result);
/* One that is complete, in a new folder of that name. */
void tiny_whole(const ub_cosearch_options *o, const char *name,
                char folder[512], ub_cosearch_result *r);

#endif
