/* SPDX-License-Identifier: BSD-2-Clause */
#include "supernet/supernet.h"

#include "ops/ops.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/*
 * {"format": "uboost-architecture", "version": 1, "space": NAME,
 *  "decisions": [{"decision", "operator", "logits": {NAME: x},
 *                 "probabilities": {NAME: p}}],   when operators are open
 *  "operators": [NAME ...],                       pruned, one per decision
 *  "repaired": n,
 *  "sites": [{"site", "cell", "slot", "width", "logits": {WIDTH: x},
 *             "probabilities"}]}                  where widths are searched
 */

#define FORMAT_NAME "uboost-architecture"

/* Takes over `value`; NULL anywhere makes the result NULL. */
static int put(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value);
}

/* {KEY: value ...}, the keys being operator names or widths. */
static json_t *values_json(const ub_supernet *net, const ub_mask *mask,
                           int64_t n, const double *values)
{
    json_t *object = json_object();
    char key[32];

    for (int64_t i = 0; object != NULL && i < n; i++) {
        const char *name = key;
        if (mask == NULL)
            name = net->space->operators[i].name;
        else
            snprintf(key, sizeof(key), "%lld",
                     (long long) ub_mask_width(mask, i));
        if (put(object, name, json_real(values[i])) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static json_t *decisions_json(const ub_supernet *net, const double *logits,
                              const double *probability)
{
    const int64_t n = net->space->n_operators;
    json_t *array = json_array();
    int failed = array == NULL;

    for (int64_t d = 0; d < ub_space_decisions(net->space) && !failed; d++) {
        json_t *entry = json_object();
        const char *name = net->space->operators[ub__argmax(logits + d * n, n)]
                               .name;

        failed = put(entry, "decision", json_integer(d)) ||
                 put(entry, "operator", json_string(name)) ||
                 put(entry, "logits",
                     values_json(net, NULL, n, logits + d * n)) ||
                 put(entry, "probabilities",
                     values_json(net, NULL, n, probability + d * n));
        if (json_array_append_new(array, entry) != 0)
            failed = 1;
    }
    if (failed) {
        json_decref(array);
        return NULL;
    }
    return array;
}

static json_t *sites_json(const ub_supernet *net, const double *logits,
                          const double *probability)
{
    const int64_t slots = net->space->options.inputs + net->space->n_edges;
    json_t *array = json_array();
    int failed = array == NULL;

    for (ub__logits g = { 0 }; !failed && ub__supernet_next(net, &g);) {
        json_t *entry;

        if (g.mask == NULL)
            continue;
        entry = json_object();
        failed = put(entry, "site", json_integer(g.index)) ||
                 put(entry, "cell", json_integer(g.index / slots)) ||
                 put(entry, "slot", json_integer(g.index % slots)) ||
                 put(entry, "width",
                     json_integer(
                         ub_mask_width(g.mask, ub_mask_argmax(g.mask)))) ||
                 put(entry, "logits",
                     values_json(net, g.mask, g.n, logits + g.offset)) ||
                 put(entry, "probabilities",
                     values_json(net, g.mask, g.n, probability + g.offset));
        if (json_array_append_new(array, entry) != 0)
            failed = 1;
    }
    if (failed) {
        json_decref(array);
        return NULL;
    }
    return array;
}

static json_t *operators_json(const ub_supernet *net, const int32_t *operators)
{
    json_t *array = json_array();

    for (int64_t d = 0; d < ub_space_decisions(net->space); d++) {
        const char *name = net->space->operators[operators[d]].name;
        if (json_array_append_new(array, json_string(name)) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static ub_status state_json(const ub_supernet *net, const double *logits,
                            const double *probability, const int32_t *operators,
                            int64_t repaired, json_t **out)
{
    json_t *root = json_object();

    if (put(root, "format", json_string(FORMAT_NAME)) ||
        put(root, "version", json_integer(1)) ||
        put(root, "space", json_string(net->space->options.name)) ||
        (net->decisions != NULL &&
         put(root, "decisions", decisions_json(net, logits, probability))) ||
        put(root, "operators", operators_json(net, operators)) ||
        put(root, "repaired", json_integer(repaired)) ||
        put(root, "sites", sites_json(net, logits, probability))) {
        json_decref(root);
        return ub__fail(net->context, UB_ERR_NOMEM,
                        "supernet: no memory for its state");
    }
    *out = root;
    return UB_OK;
}

ub_status ub_supernet_write(const ub_supernet *supernet, const char *path)
{
    ub_context *context;
    double *memory;
    int32_t *operators;
    json_t *root = NULL;
    ub_status status = UB_ERR_NOMEM;
    int64_t repaired;
    size_t n;

    if (supernet == NULL || path == NULL)
        return ub__fail(supernet ? supernet->context : NULL, UB_ERR_INVALID,
                        "supernet: path is NULL");
    context = supernet->context;
    n = (size_t) supernet->n_logits;
    memory = ub__alloc(context, 2 * n, sizeof(*memory));
    operators = ub__alloc(context, (size_t) ub_space_decisions(supernet->space),
                          sizeof(*operators));
    if (memory == NULL || operators == NULL)
        goto out;
    ub__supernet_copy_logits(supernet, memory);
    ub__supernet_probabilities(supernet, NULL, 1.0, memory + n);
    status = ub_supernet_operators(supernet, operators, &repaired);
    if (status == UB_OK)
        status = state_json(supernet, memory, memory + n, operators, repaired,
                            &root);
    if (status == UB_OK)
        status = ub__json_write(context, path, root);
    json_decref(root);
out:
    ub__free(context, memory);
    ub__free(context, operators);
    return status;
}

/* -- reading -------------------------------------------------------------- */

/* Fill `logits` of one decision or mask from an entry. */
static ub_status read_logits(const ub_supernet *net, const char *where,
                             const json_t *entry, const ub_mask *mask,
                             double *logits)
{
    const int64_t n = mask ? ub_mask_count(mask) : net->space->n_operators;
    const json_t *object = json_object_get(entry, "logits");

    if (!json_is_object(object) || json_object_size(object) != (size_t) n)
        return ub__fail(net->context, UB_ERR_FORMAT,
                        "%s: \"logits\" must be an object of %lld numbers",
                        where, (long long) n);
    for (int64_t i = 0; i < n; i++) {
        char key[32];
        const char *name = key;
        ub_status status;

        if (mask == NULL)
            name = net->space->operators[i].name;
        else
            snprintf(key, sizeof(key), "%lld",
                     (long long) ub_mask_width(mask, i));
        status = ub__json_double(net->context, where, object, name, -1e30, 1e30,
                                 &logits[i]);
        if (status != UB_OK)
            return status;
    }
    return UB_OK;
}

static ub_status read_entry(const ub_supernet *net, const char *path,
                            const json_t *root, const char *list,
                            const char *index_key, int64_t place, int64_t index,
                            const ub_mask *mask, double *logits)
{
    char where[512];
    json_t *array;
    int64_t found;
    ub_status status = ub__json_array(net->context, path, root, list, 1 << 16,
                                      &array);

    if (status != UB_OK)
        return status;
    snprintf(where, sizeof(where), "%s: %s[%lld]", path, list,
             (long long) place);
    if (!json_is_object(json_array_get(array, (size_t) place)))
        return ub__fail(net->context, UB_ERR_FORMAT, "%s is missing", where);
    status = ub__json_int(net->context, where,
                          json_array_get(array, (size_t) place), index_key,
                          index, index, &found);
    if (status != UB_OK)
        return status;
    return read_logits(net, where, json_array_get(array, (size_t) place), mask,
                       logits);
}

static ub_status read_groups(const ub_supernet *net, const char *path,
                             const json_t *root, double *logits)
{
    ub_status status = UB_OK;
    int64_t sites = 0;

    for (ub__logits g = { 0 }; status == UB_OK && ub__supernet_next(net, &g);)
        status = g.mask == NULL
                     ? read_entry(net, path, root, "decisions", "decision",
                                  g.index, g.index, NULL, logits + g.offset)
                     : read_entry(net, path, root, "sites", "site", sites++,
                                  g.index, g.mask, logits + g.offset);
    return status;
}

/* A supernet with given operators takes no other ones. */
static ub_status check_operators(const ub_supernet *net, const char *path,
                                 const json_t *root)
{
    json_t *array;
    ub_status status = ub__json_array(net->context, path, root, "operators",
                                      1 << 16, &array);

    if (status != UB_OK || net->operators == NULL)
        return status;
    for (int64_t d = 0; d < ub_space_decisions(net->space); d++) {
        const char *name = json_string_value(json_array_get(array, (size_t) d));
        const char *own = net->space->operators[net->operators[d]].name;
        if (name == NULL || strcmp(name, own) != 0)
            return ub__fail(net->context, UB_ERR_FORMAT,
                            "%s: operators[%lld] is \"%s\", the supernet has "
                            "\"%s\"",
                            path, (long long) d, name ? name : "", own);
    }
    return UB_OK;
}

static ub_status check_head(const ub_supernet *net, const char *path,
                            const json_t *root)
{
    const char *format, *space;
    int64_t version;
    ub_status status = ub__json_string(net->context, path, root, "format",
                                       &format);

    if (status == UB_OK)
        status = ub__json_string(net->context, path, root, "space", &space);
    if (status == UB_OK)
        status = ub__json_int(net->context, path, root, "version", 1, 1,
                              &version);
    if (status != UB_OK)
        return status;
    if (strcmp(format, FORMAT_NAME) != 0 ||
        strcmp(space, net->space->options.name) != 0)
        return ub__fail(net->context, UB_ERR_FORMAT,
                        "%s: format \"%s\" of space \"%s\", expected \"%s\" of "
                        "\"%s\"",
                        path, format, space, FORMAT_NAME,
                        net->space->options.name);
    return check_operators(net, path, root);
}

/* The most probable choice must not leave an output empty. */
static ub_status check_choice(const ub_supernet *net, const double *logits)
{
    const int64_t n = ub_space_decisions(net->space);
    int32_t *operators;
    ub_status status;

    if (net->decisions == NULL)
        return UB_OK;
    operators = ub__alloc(net->context, (size_t) n, sizeof(*operators));
    if (operators == NULL)
        return UB_ERR_NOMEM;
    for (int64_t d = 0; d < n; d++)
        operators[d] = (int32_t) ub__argmax(
            logits + d * net->space->n_operators, net->space->n_operators);
    status = ub_space_prune(net->space, operators, NULL, operators, NULL);
    ub__free(net->context, operators);
    return status;
}

ub_status ub_supernet_read(ub_supernet *supernet, const char *path)
{
    ub_context *context;
    double *logits;
    json_t *root = NULL;
    ub_status status = UB_ERR_NOMEM;

    if (supernet == NULL || path == NULL)
        return ub__fail(supernet ? supernet->context : NULL, UB_ERR_INVALID,
                        "supernet: path is NULL");
    context = supernet->context;
    logits = ub__alloc(context, (size_t) supernet->n_logits, sizeof(*logits));
    if (logits == NULL)
        return status;
    status = ub__json_read(context, path, &root);
    if (status == UB_OK)
        status = check_head(supernet, path, root);
    if (status == UB_OK)
        status = read_groups(supernet, path, root, logits);
    if (status == UB_OK)
        status = check_choice(supernet, logits);
    if (status == UB_OK)
        ub__supernet_set_logits(supernet, logits);
    json_decref(root);
    ub__free(context, logits);
    return status;
}
