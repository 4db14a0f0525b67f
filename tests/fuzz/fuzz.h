/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_TESTS_FUZZ_H
#define UBOOST_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include <uboost/base.h>

/*
 * Fuzzers of the readers, one program each. A reader may ask for
 * FUZZ_MEMORY bytes, jansson's included, before it is told that there is no
 * more, and may take FUZZ_SECONDS; an input that takes longer is a finding, and
 * so is memory that is not given back.
 */
#define FUZZ_INPUT   65536 /* longer inputs are not tried */
#define FUZZ_MEMORY  ((size_t) 128 << 20)
#define FUZZ_SECONDS 5.0

/* Call `read` with a context and the path of a file that holds the input. */
typedef void (*fuzz_reader)(ub_context *context, const char *path);
int fuzz_run(const uint8_t *data, size_t size, fuzz_reader read);

/* A reader: of a data set, whose labels it checks. */
void fuzz_read_dataset(ub_context *context, const char *at);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
