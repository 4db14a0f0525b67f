/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef EXAMPLES_COMMON_CONVERT_TABLES_H
#define EXAMPLES_COMMON_CONVERT_TABLES_H

#include <uboost/uboost.h>

/* Write the tables at `path` (a folder, a pickle) into one compact file, of
 * both spaces as far as they are there, and say what it has. 1, or 0 after a
 * message. */
int convert_tables(ub_context *context, const char *path, const char *out);

#endif
