/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_TESTS_SEARCH_RUNS_H
#define UBOOST_TESTS_SEARCH_RUNS_H

#include "base/base.h"
#include "support.h"

#include <uboost/search.h>

/* Whole runs on a few small images. */

ub_status runs_data(ub_context *context, uint64_t seed, ub_dataset **out);
/* Few steps, widths of 2 and 4, an array of 16 x 16. */
void runs_options(ub_search_options *o);
/* A new folder under the test's, named in one buffer. */
const char *runs_folder(const char *name);
ub_status runs_go(ub_context *context, const ub_search_options *o,
                  const char *folder, int resume, ub_search_result *result);

/* A context that is stopped at step `after`; 0: never. */
struct runs_stop {
    int64_t after, seen;
};
ub_context *runs_context(struct runs_stop *s, int threads);

int runs_has(const char *folder, const char *name);
void runs_read(const char *folder, const char *name, char *out, size_t room,
               size_t *size);
/* A file of one folder is the same in the other. */
void runs_same_file(const char *folder, const char *other, const char *name);
json_t *runs_json(const char *folder, const char *name);

/* Stopped after every single step and resumed, a run ends with the same bits
 * as one that nobody stopped, whose result is given back. */
void runs_stopped(const ub_search_options *o, const char *name,
                  ub_search_result *result);

#endif
