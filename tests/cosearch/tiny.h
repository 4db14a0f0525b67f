/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_TESTS_COSEARCH_TINY_H
#define UBOOST_TESTS_COSEARCH_TINY_H

#include "cosearch/cosearch.h"
#include "support.h"

/* A stem, cells of 4, 8 and 8 channels, the second with stride 2, a header:
 * "e1", "e2_g2" and "skip". Images of 3 x 16 x 16, 3 classes. */
ub_status tiny_space(ub_context *context, ub_space **out);
/* One of each epoch, widths of 4 and 8 bits, small batches. */
void tiny_options(ub_cosearch_options *o);

#endif
