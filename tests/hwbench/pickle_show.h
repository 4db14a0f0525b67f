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

/* The same of many. */
struct pickle_sample {
    const char *bytes;
    size_t n;
    const char *shown;
};
struct pickle_refused {
    const char *bytes;
    size_t n;
    ub_status status;
    const char *text;
};
void pickle_expect_all(const struct pickle_sample *samples, size_t n);
void pickle_refuse_all(const struct pickle_refused *samples, size_t n);
#define EXPECT_ALL(samples) \
    pickle_expect_all((samples), sizeof(samples) / sizeof(*(samples)))
#define REFUSE_ALL(samples) \
    pickle_refuse_all((samples), sizeof(samples) / sizeof(*(samples)))

/* A literal and its length, which may hold NUL. */
#define PICKLE(literal) (literal), sizeof(literal) - 1

#endif
