/* SPDX-License-Identifier: BSD-2-Clause */
#include "search/search.h"

#include "supernet/supernet.h"

#include <string.h>

#define SUPERNET      "supernet.safetensors"
#define FORMAT_NAME   "uboost-supernet"
#define MICRO         "micro.json"
#define STATE_NAME    "uboost-architecture"
#define MAX_DECISIONS (UB_SPACE_MAX_ITEMS * UB_SPACE_MAX_ITEMS)

int ub__search_weights_given(const ub_search_options *options)
{
    return options->from != NULL && options->take == UB_SEARCH_TAKE_SUPERNET;
}

/* -- whether it fits ------------------------------------------------------ */

static ub_status compare(const ub__run *run, const char *path,
                         const json_t *config)
{
    static const char *const keys[] = { "cells", "base_width", "widths_low",
                                        "widths_high", "widths_step" };

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        int64_t found, own;
        ub_status status = ub__json_int(run->context, path, config, keys[i],
                                        INT64_MIN, INT64_MAX, &found);

        if (status == UB_OK)
            status = ub__json_int(run->context, "search", run->config, keys[i],
                                  INT64_MIN, INT64_MAX, &own);
        if (status != UB_OK)
            return status;
        if (found != own)
            return ub__fail(run->context, UB_ERR_INVALID,
                            "%s: %s is %lld, that of this run %lld", path,
                            keys[i], (long long) found, (long long) own);
    }
    return UB_OK;
}

ub_status ub__take_check(const ub__run *run, const char *from)
{
    char *path = ub__path_join(run->context, from, "config.json");
    json_t *config = NULL;
    ub_status status = UB_ERR_NOMEM;

    if (path != NULL)
        status = ub__json_read(run->context, path, &config);
    if (status == UB_OK)
        status = compare(run, path, config);
    json_decref(config);
    ub__free(run->context, path);
    return status;
}

/* -- operators ------------------------------------------------------------ */

static int64_t find_operator(const ub_space *space, const char *name)
{
    for (int64_t i = 0; name != NULL && i < ub_space_operators(space); i++) {
        if (strcmp(name, ub_space_operator_name(space, i)) == 0)
            return i;
    }
    return -1;
}

/* The list is of a choice that is pruned and repaired already. */
static ub_status parse_operators(ub_context *context, const char *path,
                                 const json_t *root, const ub_space *space,
                                 int32_t *operators)
{
    const int64_t n = ub_space_decisions(space);
    json_t *array;
    ub_status status = ub__json_array(context, path, root, "operators",
                                      MAX_DECISIONS, &array);

    if (status != UB_OK)
        return status;
    if (json_array_size(array) != (size_t) n)
        return ub__fail(context, UB_ERR_FORMAT,
                        "%s: %zu operators, the space has %lld decisions", path,
                        json_array_size(array), (long long) n);
    for (int64_t i = 0; i < n; i++) {
        const char *name = json_string_value(json_array_get(array, (size_t) i));
        const int64_t found = find_operator(space, name);

        if (found < 0)
            return ub__fail(context, UB_ERR_FORMAT,
                            "%s: operators[%lld] is none of the space's", path,
                            (long long) i);
        operators[i] = (int32_t) found;
    }
    status = ub_space_prune(space, operators, NULL, operators, NULL);
    /* whoever called has given no operators */
    return status == UB_ERR_INVALID
               ? ub__fail(context, UB_ERR_FORMAT,
                          "%s: the operators leave a cell's output empty", path)
               : status;
}

static ub_status parse_micro(ub_context *context, const char *path,
                             const json_t *root, const ub_space *space,
                             int32_t *operators, int64_t *repaired)
{
    const char *format;
    ub_status status = ub__json_string(context, path, root, "format", &format);

    if (status == UB_OK && strcmp(format, STATE_NAME) != 0)
        status = ub__fail(context, UB_ERR_FORMAT,
                          "%s: format \"%s\", expected \"%s\"", path, format,
                          STATE_NAME);
    if (status == UB_OK)
        status = ub__json_int(context, path, root, "repaired", 0, MAX_DECISIONS,
                              repaired);
    if (status == UB_OK)
        status = parse_operators(context, path, root, space, operators);
    return status;
}

ub_status ub__take_operators(ub__run *run, const char *from,
                             const ub_space *space, int32_t *operators,
                             int64_t *repaired)
{
    char *path = ub__path_join(run->context, from, MICRO);
    char *own = ub__run_path(run, MICRO);
    json_t *root = NULL;
    ub_status status = UB_ERR_NOMEM;

    if (path != NULL && own != NULL)
        status = ub__json_read(run->context, path, &root);
    if (status == UB_OK)
        status = parse_micro(run->context, path, root, space, operators,
                             repaired);
    if (status == UB_OK)
        status = ub__json_write(run->context, own, root);
    json_decref(root);
    ub__free(run->context, path);
    ub__free(run->context, own);
    return status;
}

/* -- the supernet --------------------------------------------------------- */

ub_status ub__supernet_keep(const ub__run *run, const ub_supernet *net)
{
    char *path = ub__run_path(run, SUPERNET);
    ub_archive *archive = NULL;
    ub_status status = UB_ERR_NOMEM;

    if (path != NULL)
        status = ub_archive_create(run->context, &archive);
    if (status == UB_OK)
        status = ub_archive_set_text(archive, "format", FORMAT_NAME);
    if (status == UB_OK)
        status = ub_parameters_save(ub_supernet_parameters(net), archive, NULL);
    if (status == UB_OK)
        status = ub_archive_write(archive, path);
    ub_archive_destroy(&archive);
    ub__free(run->context, path);
    return status;
}

static ub_status load(ub_context *context, const char *path,
                      const ub_archive *archive, ub_supernet *net)
{
    const char *format = ub_archive_text(archive, "format");
    double *logits;
    ub_status status;

    if (format == NULL || strcmp(format, FORMAT_NAME) != 0)
        return ub__fail(context, UB_ERR_FORMAT, "%s: no supernet in it", path);
    logits = ub__alloc(context, (size_t) ub_supernet_logits(net),
                       sizeof(*logits));
    if (logits == NULL)
        return UB_ERR_NOMEM;
    ub__supernet_copy_logits(net, logits);
    status = ub_parameters_load(ub_supernet_parameters(net), archive, NULL);
    if (status == UB_OK)
        ub__supernet_set_logits(net, logits);
    else
        status = ub__fail_within(context, status, "%s", path);
    ub__free(context, logits);
    return status;
}

ub_status ub__supernet_take(ub_context *context, const char *from,
                            ub_supernet *net)
{
    char *path = ub__path_join(context, from, SUPERNET);
    ub_archive *archive = NULL;
    ub_status status = UB_ERR_NOMEM;

    if (path != NULL)
        status = ub_archive_read(context, path, &archive);
    if (status == UB_OK)
        status = load(context, path, archive, net);
    ub_archive_destroy(&archive);
    ub__free(context, path);
    return status;
}
