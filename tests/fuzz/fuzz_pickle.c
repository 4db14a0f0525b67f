/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzz.h"

#include "base/base.h"
#include "hwbench/pickle.h"

#include <stdlib.h>

enum { VISITS = 20000, DEPTH = 16 };

/* All that can be asked of a node. */
static void ask(const ub__pickle *p, ub__pickle_node node)
{
    const size_t n = ub__pickle_length(p, node);
    int64_t count = 1, integer;
    size_t length;
    double real;

    for (int i = 0; i < ub__pickle_dimensions(p, node); i++)
        count *= ub__pickle_extent(p, node, i);
    if (ub__pickle_kind_of(p, node) == UB__PICKLE_ARRAY && count != (int64_t) n)
        abort();
    if (ub__pickle_text(p, node, &length) != NULL && length != n)
        abort();
    if (ub__pickle_double(p, node, &real) == UB_OK &&
        ub__pickle_number(p, node, 0, &real) == UB_OK && n != 1)
        abort();
    (void) !ub__pickle_int(p, node, &integer);
    (void) !ub__pickle_number(p, node, n > 0 ? n - 1 : 0, &real);
    if (ub__pickle_number(p, node, n, &real) == UB_OK)
        abort();
    ub__pickle_get(p, node, "fbnet");
}

/* The graph may have loops and be shared: so many nodes of it, so deep. */
static void walk(const ub__pickle *p, ub__pickle_node node, int depth,
                 int *visits)
{
    const size_t n = ub__pickle_length(p, node);

    if (++*visits > VISITS || depth > DEPTH)
        return;
    ask(p, node);
    for (size_t i = 0; i < n && *visits <= VISITS; i++) {
        const ub__pickle_node item = ub__pickle_item(p, node, i);

        if (item == UB__PICKLE_ABSENT)
            return;
        if (ub__pickle_key(p, node, i) != UB__PICKLE_ABSENT)
            walk(p, ub__pickle_key(p, node, i), depth + 1, visits);
        walk(p, item, depth + 1, visits);
    }
}

/* Within the memory that the reader promises to keep to. */
static void read_pickle(ub_context *context, const char *path)
{
    ub__pickle_limits limits;
    ub__pickle *p = NULL;
    size_t size;
    void *bytes;
    int visits = 0;
    ub_status status;

    if (ub__file_read(context, path, FUZZ_INPUT, &bytes, &size) != UB_OK)
        abort();
    limits.memory = UB__PICKLE_MEMORY_BASE + UB__PICKLE_MEMORY_FACTOR * size;
    status = ub__pickle_parse(context, bytes, size, &limits, &p);
    if (status == UB_OK)
        walk(p, ub__pickle_root(p), 0, &visits);
    else if (status != UB_ERR_FORMAT && status != UB_ERR_UNSUPPORTED)
        abort();
    ub__pickle_destroy(&p);
    ub__free(context, bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_run(data, size, read_pickle);
}
