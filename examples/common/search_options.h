/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef EXAMPLES_COMMON_SEARCH_OPTIONS_H
#define EXAMPLES_COMMON_SEARCH_OPTIONS_H

#include <getopt.h>
#include <uboost/uboost.h>

/* Settings of a search, as --NAME VALUE on the command lines of programs that
 * search. */
enum { N_SEARCH_OPTIONS = 38 };

/* Their lines of a usage text. */
extern const char search_options_usage[];

/* Fill N_SEARCH_OPTIONS entries for getopt_long(), numbered from `first`. */
void list_search_options(struct option *options, int first);

/* The preset's settings with the values given, in the order of the list; NULL:
 * not given. 1, or 0 after a message. */
int read_search_options(const char *const *values, ub_search_options *options);

/* The name of an option's value, "before-norm" of mask_place 1; 0 if values of
 * that option, named as in config.json, have none. */
int name_search_option(const char *key, int64_t value, char *out, size_t size);

#endif
