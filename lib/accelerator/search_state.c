/* SPDX-License-Identifier: BSD-2-Clause */
#include "accelerator/accelerator.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* A search as JSON. Numbers have 17 digits and come back to the bit; random
 * states have 64 bits, which JSON's integers need not have, and are texts. */
static const char format[] = "uboost-accelerator-search";

/* -- writing ------------------------------------------------------------------
 */

/* Sixteen hexadecimal digits for each word. */
static json_t *random_state(const ub_rng *rng)
{
    char text[4 * 16 + 1];

    for (int i = 0; i < 4; i++)
        snprintf(text + 16 * i, 17, "%016llx",
                 (unsigned long long) rng->state[i]);
    return json_string(text);
}

/* What the file must fit: the engine and the decisions of all chunks. */
static ub_status describe(const ub_accelerator_search *s, int32_t *choices)
{
    int64_t n;

    return ub_accelerator_decisions(s->accelerator, NULL,
                                    s->accelerator->chunks * UB_CHUNK_FIELDS,
                                    choices, NULL, NULL, &n);
}

static json_t *state_json(const ub_accelerator_search *s,
                          const int32_t *choices)
{
    const int64_t chunks = s->accelerator->chunks;
    const int64_t n = chunks * UB__CHUNK_LOGITS;
    const int64_t fields = chunks * UB_CHUNK_FIELDS;
    const ub__chunk_learner *d = &s->state;

    return json_pack(
        "{s:s, s:i, s:i, s:o, s:o, s:I, s:I, s:I, s:o, s:i, s:f, s:o, s:o, "
        "s:o, s:o, s:o}",
        "format", format, "version", 1, "engine", (int) s->options.engine,
        "choices", ub__json_int32s(choices, fields), "random",
        random_state(&s->rng), "samples", (json_int_t) s->samples, "dropped",
        (json_int_t) s->dropped, "points", (json_int_t) s->points, "best",
        ub__json_int32s(s->best, s->has_best ? fields : 0), "has_mean",
        (int) d->has_mean, "mean", d->mean, "chunk_means",
        ub__json_reals(d->chunk_means, chunks), "steps",
        ub__json_integers(d->steps, chunks), "logits",
        ub__json_reals(d->logits, n), "first", ub__json_reals(d->first, n),
        "second", ub__json_reals(d->second, n));
}

/* -- reading ------------------------------------------------------------------
 */

typedef struct reader {
    ub_context *context;
    const char *path;
    const json_t *root;
} reader;

static ub_status damaged(const reader *r, const char *key)
{
    return ub__fail(r->context, UB_ERR_FORMAT, "%s: '%s' is not as expected",
                    r->path, key);
}

static ub_status read_numbers(const reader *r, const char *key, size_t n,
                              double low, double *out)
{
    const json_t *array = json_object_get(r->root, key);

    if (!json_is_array(array) || json_array_size(array) != n)
        return damaged(r, key);
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_array_get(array, i);

        if (!json_is_number(value))
            return damaged(r, key);
        out[i] = json_number_value(value);
        if (!isfinite(out[i]) || out[i] < low)
            return damaged(r, key);
    }
    return UB_OK;
}

static ub_status read_counts(const reader *r, const char *key, size_t n,
                             int64_t *out)
{
    const json_t *array = json_object_get(r->root, key);

    if (!json_is_array(array) || json_array_size(array) != n)
        return damaged(r, key);
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_array_get(array, i);

        if (!json_is_integer(value) || json_integer_value(value) < 0 ||
            json_integer_value(value) > (json_int_t) 1 << 53)
            return damaged(r, key);
        out[i] = json_integer_value(value);
    }
    return UB_OK;
}

static ub_status read_random(const reader *r, ub_rng *out)
{
    const char *text = json_string_value(json_object_get(r->root, "random"));
    static const char digits[] = "0123456789abcdef";
    ub_rng rng = { { 0 } };

    if (text == NULL || strlen(text) != 64)
        return damaged(r, "random");
    for (int i = 0; i < 64; i++) {
        const char *digit = strchr(digits, text[i]);

        if (digit == NULL)
            return damaged(r, "random");
        rng.state[i / 16] = rng.state[i / 16] << 4 |
                            (uint64_t) (digit - digits);
    }
    if ((rng.state[0] | rng.state[1] | rng.state[2] | rng.state[3]) == 0)
        return damaged(r, "random");
    *out = rng;
    return UB_OK;
}

static ub_status read_best(const reader *r, const ub_accelerator_search *s,
                           ub_accelerator_search *out)
{
    const size_t n = (size_t) s->accelerator->chunks * UB_CHUNK_FIELDS;
    int64_t values[UB__MAX_CHUNKS * UB_CHUNK_FIELDS];
    int32_t choices[UB__MAX_CHUNKS * UB_CHUNK_FIELDS];
    ub_status status;

    out->has_best = json_array_size(json_object_get(r->root, "best")) > 0;
    status = read_counts(r, "best", out->has_best ? n : 0, values);
    for (size_t i = 0; status == UB_OK && out->has_best && i < n; i++) {
        if (values[i] > UB_CHUNK_MAX_TILE)
            return damaged(r, "best");
        out->best[i] = (int32_t) values[i];
    }
    if (status == UB_OK && out->has_best &&
        ub_accelerator_encode(s->accelerator, NULL, out->best, choices) !=
            UB_OK)
        return damaged(r, "best");
    return status;
}

static ub_status check_space(const reader *r, const ub_accelerator_search *s)
{
    const size_t n = (size_t) s->accelerator->chunks * UB_CHUNK_FIELDS;
    int32_t choices[UB__MAX_CHUNKS * UB_CHUNK_FIELDS];
    int64_t values[UB__MAX_CHUNKS * UB_CHUNK_FIELDS];
    const char *text = json_string_value(json_object_get(r->root, "format"));
    ub_status status = describe(s, choices);

    if (text == NULL || strcmp(text, format) != 0)
        return damaged(r, "format");
    if (status == UB_OK)
        status = read_counts(r, "choices", n, values);
    for (size_t i = 0; status == UB_OK && i < n; i++) {
        if (values[i] != choices[i])
            return damaged(r, "choices");
    }
    return status;
}

static ub_status read_totals(const reader *r, const ub_accelerator_search *s,
                             ub_accelerator_search *out)
{
    int64_t version, engine, has_mean;
    const int64_t most = (int64_t) 1 << 53;
    ub_status status = ub__json_int(r->context, r->path, r->root, "version", 1,
                                    1, &version);

    if (status == UB_OK)
        status = ub__json_int(r->context, r->path, r->root, "engine",
                              s->options.engine, s->options.engine, &engine);
    if (status == UB_OK)
        status = ub__json_int(r->context, r->path, r->root, "samples", 0, most,
                              &out->samples);
    if (status == UB_OK)
        status = ub__json_int(r->context, r->path, r->root, "dropped", 0, most,
                              &out->dropped);
    if (status == UB_OK)
        status = ub__json_int(r->context, r->path, r->root, "points", 0, most,
                              &out->points);
    if (status == UB_OK)
        status = ub__json_int(r->context, r->path, r->root, "has_mean", 0, 1,
                              &has_mean);
    if (status == UB_OK)
        status = ub__json_double(r->context, r->path, r->root, "mean", -1e300,
                                 1e300, &out->state.mean);
    if (status == UB_OK)
        out->state.has_mean = (int32_t) has_mean;
    return status;
}

static ub_status read_state(const reader *r, const ub_accelerator_search *s,
                            ub_accelerator_search *out)
{
    const size_t chunks = (size_t) s->accelerator->chunks;
    const size_t n = chunks * UB__CHUNK_LOGITS;
    ub__chunk_learner *d = &out->state;
    ub_status status = check_space(r, s);

    if (status == UB_OK)
        status = read_totals(r, s, out);
    if (status == UB_OK)
        status = read_random(r, &out->rng);
    if (status == UB_OK)
        status = read_best(r, s, out);
    if (status == UB_OK)
        status = read_numbers(r, "chunk_means", chunks, -1e300, d->chunk_means);
    if (status == UB_OK)
        status = read_counts(r, "steps", chunks, d->steps);
    if (status == UB_OK)
        status = read_numbers(r, "logits", n, -1e300, d->logits);
    if (status == UB_OK)
        status = read_numbers(r, "first", n, -1e300, d->first);
    if (status == UB_OK)
        status = read_numbers(r, "second", n, 0, d->second);
    return status;
}

/* -- public --------------------------------------------------------------- */

ub_status ub_accelerator_search_save(const ub_accelerator_search *search,
                                     const char *path)
{
    int32_t choices[UB__MAX_CHUNKS * UB_CHUNK_FIELDS];
    ub_context *context;
    json_t *root;
    ub_status status;

    if (search == NULL)
        return UB_ERR_INVALID;
    context = search->accelerator->context;
    if (path == NULL)
        return ub__fail(context, UB_ERR_INVALID,
                        "accelerator search: path is NULL");
    status = describe(search, choices);
    if (status != UB_OK)
        return status;
    root = state_json(search, choices);
    if (root == NULL)
        return ub__fail(context, UB_ERR_NOMEM,
                        "accelerator search: out of memory");
    status = ub__json_write(context, path, root);
    json_decref(root);
    return status;
}

ub_status ub_accelerator_search_load(ub_accelerator_search *search,
                                     const char *path)
{
    ub_accelerator_search *loaded = NULL;
    reader r = { NULL, path, NULL };
    json_t *root = NULL;
    ub_status status;

    if (search == NULL)
        return UB_ERR_INVALID;
    r.context = search->accelerator->context;
    if (path == NULL)
        return ub__fail(r.context, UB_ERR_INVALID,
                        "accelerator search: path is NULL");
    status = ub__json_read(r.context, path, &root);
    if (status != UB_OK)
        return status;
    r.root = root;
    status = ub_accelerator_search_create(search->accelerator, &search->options,
                                          &loaded);
    if (status == UB_OK)
        status = read_state(&r, search, loaded);
    if (status == UB_OK) {
        const ub_accelerator_search before = *search;

        *search = *loaded;
        *loaded = before;
    }
    ub_accelerator_search_destroy(&loaded);
    json_decref(root);
    return status;
}
