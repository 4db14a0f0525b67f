/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether a run that is found is the one that is asked for. */
#include "search/search.h"

#include <stdio.h>
#include <stdlib.h>

ub_status ub__config_text(ub_context *context, const char *what,
                          const char *text, size_t length)
{
    json_t *valid = json_stringn(text, length);
    json_t *any = json_stringn_nocheck(text, length);
    const int bad = valid == NULL && any != NULL;

    json_decref(valid);
    json_decref(any);
    return bad ? ub__fail(context, UB_ERR_INVALID, "search: %s is not UTF-8",
                          what)
               : UB_OK;
}

json_t *ub__config_complete(json_t *config, ub_context *context,
                            const ub_dataset *train, const ub_dataset *test)
{
    if (json_object_set_new(config, "data",
                            json_string(ub_dataset_name(train))) ||
        json_object_set_new(config, "data_images",
                            json_integer(ub_dataset_count(train))) ||
        json_object_set_new(config, "test_images",
                            json_integer(ub_dataset_count(test))) ||
        json_object_set_new(config, "threads",
                            json_integer(ub_context_threads(context))) ||
        json_object_set_new(config, "portable_kernels",
                            json_integer(ub__context_portable(context)))) {
        json_decref(config);
        return NULL;
    }
    return config;
}

static void print_value(const json_t *value, char *out, size_t size)
{
    char *text = value ? json_dumps(value,
                                    JSON_ENCODE_ANY | JSON_REAL_PRECISION(9))
                       : NULL;

    snprintf(out, size, "%s", text ? text : "missing");
    free(text);
}

static ub_status refuse(ub_context *context, const char *path, const char *key,
                        const json_t *found, const json_t *wanted)
{
    char there[64], here[64];

    print_value(found, there, sizeof(there));
    print_value(wanted, here, sizeof(here));
    return ub__fail(context, UB_ERR_INVALID,
                    "%s belongs to a run with other options, data, threads or "
                    "kernels: its %s is %s, not %s",
                    path, key, there, here);
}

ub_status ub__config_check(ub_context *context, const char *path, json_t *found,
                           json_t *wanted, const json_t *defaults)
{
    const char *key;
    json_t *value;

    json_object_foreach(wanted, key, value)
    {
        json_t *there = json_object_get(found, key);
        const json_t *in = there ? there : json_object_get(defaults, key);

        if (in == NULL || !json_equal((json_t *) in, value))
            return refuse(context, path, key, there, value);
    }
    json_object_foreach(found, key, value)
    {
        if (json_object_get(wanted, key) == NULL)
            return refuse(context, path, key, value, NULL);
    }
    return UB_OK;
}
