/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_TESTS_HWBENCH_PICKLE_SHOW_H
#define UBOOST_TESTS_HWBENCH_PICKLE_SHOW_H

#include "hwbench/pickle.h"

/* Parse a copy of the bytes that ends where they end, so that a sanitizer sees
 * who reads on. On success *shown, when not NULL, is the tree as text, to be
 * freed: None, True, 1, 0.5 (all 17 digits), 'text', b(hexadecimal),
 * [list], (tuple,), {key: value}, array(2, 3)[elements]. */
ub_status pickle_read(ub_context *context, const void *bytes, size_t n,
                      const ub__pickle_limits *limits, char **shown);

/* That the bytes are shown as `expected`. */
void pickle_expect(ub_context *context, const void *bytes, size_t n,
                   const char *expected);

/* That they are refused, with a message that has `text` in it. */
void pickle_refuse(ub_context *context, const void *bytes, size_t n,
                   ub_status status, const char *text);

/* A literal and its length, which may hold NUL. */
#define PICKLE(literal) (literal), sizeof(literal) - 1

#endif
