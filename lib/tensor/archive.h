/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_TENSOR_ARCHIVE_H
#define UBOOST_LIB_TENSOR_ARCHIVE_H

#include "tensor/tensor.h"

/* Inside of an archive, for the files of this folder. */

#define UB__ARCHIVE_METADATA   "__metadata__"
#define UB__ARCHIVE_HEADER_MAX ((uint64_t) 64 << 20)

struct ub__archive_entry {
    char *name;
    ub_tensor *tensor;
};

struct ub__archive_text {
    char *key;
    char *text;
};

struct ub_archive {
    ub_context *context;
    struct ub__archive_entry *entries; /* in file order */
    size_t entries_n, entries_capacity;
    struct ub__archive_text *texts; /* sorted by key */
    size_t texts_n, texts_capacity;
};

/* Appends; the name is known to be new. Takes a reference. */
ub_status ub__archive_append(ub_archive *archive, const char *name,
                             ub_tensor *tensor);

#endif
