/* SPDX-License-Identifier: BSD-2-Clause */
/* What a run was asked for. */
#include "common/search_options.h"
#include "pareto_cifar10/files.h"

#include <string.h>

int pareto_is_place(const char *key)
{
    return strcmp(key, "seed") == 0 || strcmp(key, "hw") == 0 ||
           strcmp(key, "lambda") == 0;
}

/* Options that came after the first runs, with what they are in all presets. */
static json_t *newer_options(void)
{
    ub_search_options o;

    ub_search_options_init(&o, sizeof(o));
    return json_pack(
        "{s:I, s:i, s:f, s:I, s:i, s:i, s:i, s:n, s:f, s:f}", "table_batch",
        (json_int_t) o.table_batch, "polish", (int) o.polish, "polish_weight",
        o.polish_weight, "polish_limit", (json_int_t) o.polish_limit, "take",
        (int) o.take, "keep_supernet", (int) o.keep_supernet, "uniform_widths",
        (int) o.uniform_widths, "from", "initial_place", o.initial_place,
        "initial_height", o.initial_height);
}

int pareto_same_option(const json_t *a, const json_t *b, const char *key)
{
    json_t *newer = newer_options();
    json_t *x = json_object_get(a, key), *y = json_object_get(b, key);
    int same;

    x = x ? x : json_object_get(newer, key);
    y = y ? y : json_object_get(newer, key);
    same = x != NULL && y != NULL && json_equal(x, y);
    json_decref(newer);
    return same;
}

void pareto_option_text(const char *key, const json_t *value, char *out,
                        size_t size)
{
    if (json_is_integer(value) &&
        name_search_option(key, json_integer_value(value), out, size))
        return;
    if (json_is_number(value))
        snprintf(out, size, "%.9g", json_number_value(value));
    else /* some name that an option must not have would go into tables */
        snprintf(out, size, "%s", json_is_string(value) ? "other" : "default");
}

/* Whether the options are such as the label says. */
static int check_label(const char *path, const json_t *config,
                       const pareto_run *run)
{
    const int64_t take = strcmp(run->label, PARETO_POLISHED) == 0
                             ? UB_SEARCH_TAKE_WIDTHS
                             : UB_SEARCH_TAKE_SUPERNET;
    const char *flag = NULL;
    int good = 1;

    if (strcmp(run->label, PARETO_POLISHED) == 0)
        flag = "polish";
    if (strcmp(run->label, PARETO_SHARED_BASE) == 0)
        flag = "keep_supernet";
    if (flag != NULL)
        good = json_integer_value(json_object_get(config, flag)) == 1;
    if (strcmp(run->label, PARETO_POLISHED) == 0 ||
        strcmp(run->label, PARETO_SHARED) == 0)
        good = good && json_is_string(json_object_get(config, "from")) &&
               json_integer_value(json_object_get(config, "take")) == take;
    if (!good)
        fprintf(stderr,
                "%s: from, take, polish or keep_supernet are not as in a "
                "run of that name\n",
                path);
    return good;
}

static int read_method(const char *path, const json_t *config, int32_t *method)
{
    const char *name = json_string_value(json_object_get(config, "hw"));

    for (int32_t i = 0; name != NULL && i < PARETO_METHODS; i++) {
        if (strcmp(name, ub_search_hardware_name(i)) == 0) {
            *method = i;
            return 1;
        }
    }
    fprintf(stderr, "%s: hw is no cost model\n", path);
    return 0;
}

int pareto_read_place(const char *path, const json_t *object, pareto_run *run,
                      int64_t *hw_batch)
{
    return read_method(path, object, &run->method) &&
           pareto_read_number(path, object, "lambda", 0, 1e9, &run->lambda) &&
           pareto_read_integer(path, object, "seed", 0, INT64_MAX,
                               &run->seed) &&
           pareto_read_integer(path, object, "hw_batch", 1, 1 << 20, hw_batch);
}

int pareto_read_config(const char *path, const json_t *config, pareto_run *run,
                       int64_t *hw_batch)
{
    if (!pareto_read_place(path, config, run, hw_batch))
        return 0;
    if (pareto_find_label(run))
        return check_label(path, config, run);
    fprintf(stderr,
            "%s: hw, lambda and seed are not those in the folder's name\n",
            path);
    return 0;
}
