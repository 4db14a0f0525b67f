/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_TESTS_HWBENCH_PICKLE_WRITTEN_H
#define UBOOST_TESTS_HWBENCH_PICKLE_WRITTEN_H

#include "pickle_show.h"

/* Pickles as Python wrote them: a dict with NumPy scalars and an array. */
enum { PICKLE_WRITTEN = 9 };
extern const struct pickle_sample pickle_written[PICKLE_WRITTEN];

#endif
