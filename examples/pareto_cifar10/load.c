/* SPDX-License-Identifier: BSD-2-Clause */
/* All complete runs of a folder. */
#define _POSIX_C_SOURCE 200809L

#include "pareto_cifar10/files.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_SIZE 4608

/* A run that is being read. */
typedef struct entry {
    pareto_run run;
    json_t *config;
    int64_t hw_batch, cost_scale, rows;
} entry;

typedef struct loading {
    ub_context *context;
    const char *folder;
    pareto_results *results;
    int64_t n;
    entry *entries;
} loading;

static int path_of(const loading *l, const char *run, const char *file,
                   char out[PATH_SIZE])
{
    if (snprintf(out, PATH_SIZE, "%s/%s/%s", l->folder, run, file) < PATH_SIZE)
        return 1;
    fprintf(stderr, "%s/%s: the path is too long\n", l->folder, run);
    return 0;
}

/* -- which there are --------------------------------------------------------
 */

/* It goes into tables. */
static int is_name(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "abcdefghijklmnopqrstuvwxyz0123456789._-+";

    return strlen(name) < PARETO_NAME && name[strspn(name, letters)] == '\0';
}

/* 1: complete; 0: not; -1 after a message. */
static int is_complete(const loading *l, const char *name)
{
    char path[PATH_SIZE];

    if (name[0] == '.')
        return 0;
    if (!path_of(l, name, "result.json", path))
        return -1;
    if (access(path, F_OK) != 0)
        return 0;
    if (is_name(name) && l->n < PARETO_RUNS)
        return 1;
    fprintf(stderr, "%s: %s\n", path,
            l->n < PARETO_RUNS ? "the folder's name is not one of a run"
                               : "too many runs");
    return -1;
}

static int add_entry(loading *l, const char *name)
{
    entry *larger = realloc(l->entries, (size_t) (l->n + 1) * sizeof(*larger));

    if (larger == NULL) {
        fputs("out of memory\n", stderr);
        return 0;
    }
    l->entries = larger;
    memset(&larger[l->n], 0, sizeof(*larger));
    memcpy(larger[l->n].run.name, name, strlen(name) + 1);
    l->n++;
    return 1;
}

static int list(loading *l)
{
    DIR *all = opendir(l->folder);
    const struct dirent *at;
    int found = 0;

    if (all == NULL) {
        fprintf(stderr, "%s: cannot be read: %s\n", l->folder, strerror(errno));
        return 0;
    }
    while (found >= 0 && (at = readdir(all)) != NULL) {
        found = is_complete(l, at->d_name);
        if (found == 1 && !add_entry(l, at->d_name))
            found = -1;
    }
    closedir(all);
    if (found >= 0 && l->n == 0)
        fprintf(stderr, "%s: no complete run in it\n", l->folder);
    return found >= 0 && l->n > 0;
}

/* -- their settings ---------------------------------------------------------
 */

static int read_configs(loading *l)
{
    char path[PATH_SIZE];

    for (int64_t i = 0; i < l->n; i++) {
        entry *e = &l->entries[i];

        if (!path_of(l, e->run.name, "config.json", path))
            return 0;
        e->config = pareto_read_json(path);
        if (e->config == NULL ||
            !pareto_read_config(path, e->config, &e->run, &e->hw_batch) ||
            !pareto_read_integer(path, e->config, "cost_scale", 1, 1 << 10,
                                 &e->cost_scale) ||
            !pareto_read_integer(path, e->config, "rows", 1, 1 << 16,
                                 &e->rows) ||
            !pareto_read_integer(path, e->config, "columns", 1, 1 << 16,
                                 &e->run.columns))
            return 0;
    }
    return 1;
}

static int by_place(const void *a, const void *b)
{
    const pareto_run *x = &((const entry *) a)->run;
    const pareto_run *y = &((const entry *) b)->run;
    const int order = pareto_label_order(x->label, y->label);

    if (order != 0)
        return order;
    if (x->method != y->method)
        return x->method < y->method ? -1 : 1;
    if (x->lambda < y->lambda || x->lambda > y->lambda)
        return x->lambda < y->lambda ? -1 : 1;
    if (x->seed != y->seed)
        return x->seed < y->seed ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int sort(loading *l)
{
    qsort(l->entries, (size_t) l->n, sizeof(*l->entries), by_place);
    for (int64_t i = 1; i < l->n; i++) {
        const pareto_run *a = &l->entries[i - 1].run, *b = &l->entries[i].run;

        if (strcmp(a->label, b->label) == 0 && a->method == b->method &&
            a->seed == b->seed && a->lambda >= b->lambda) {
            fprintf(stderr, "%s/%s/config.json: the same run as %s\n",
                    l->folder, b->name, a->name);
            return 0;
        }
    }
    return 1;
}

/* How many there are of each sort. */
static int count(loading *l)
{
    pareto_results *r = l->results;

    for (int64_t i = 0; i < l->n; i++) {
        const char *label = l->entries[i].run.label;

        r->n_main += label[0] == '\0';
        r->n_bases += strcmp(label, PARETO_SHARED_BASE) == 0;
    }
    r->n = l->n - r->n_bases;
    if (r->n == 0)
        fprintf(stderr, "%s: no complete run in it but of shared searches\n",
                l->folder);
    return r->n > 0;
}

/* Those of the first run: a main one of the first method, if there is one. */
static int read_common(loading *l)
{
    const json_t *c = l->entries[0].config;
    pareto_results *r = l->results;
    char path[PATH_SIZE];

    r->hw_batch = l->entries[0].hw_batch;
    r->cost_scale = l->entries[0].cost_scale;
    r->rows = l->entries[0].rows;
    r->columns = l->entries[0].run.columns;
    if (path_of(l, l->entries[0].run.name, "config.json", path) &&
        pareto_read_text(path, c, "preset", r->preset) &&
        pareto_read_text(path, c, "data", r->data) &&
        pareto_read_integer(path, c, "data_images", 1, INT32_MAX,
                            &r->data_images) &&
        pareto_read_integer(path, c, "test_images", 1, INT32_MAX,
                            &r->test_images) &&
        pareto_read_integer(path, c, "train_images", 0, r->data_images,
                            &r->train_images) &&
        pareto_read_integer(path, c, "micro_epochs", 0, 1 << 20,
                            &r->epochs[0]) &&
        pareto_read_integer(path, c, "channel_epochs", 0, 1 << 20,
                            &r->epochs[1]) &&
        pareto_read_integer(path, c, "train_epochs", 1, 1 << 20,
                            &r->epochs[2]) &&
        pareto_read_integer(path, c, "train_batch", 2, 1 << 16,
                            &r->train_batch) &&
        pareto_read_integer(path, c, "widths_low", 1, 1 << 16,
                            &r->widths.low) &&
        pareto_read_integer(path, c, "widths_high", r->widths.low, 1 << 16,
                            &r->widths.high) &&
        pareto_read_integer(path, c, "widths_step", 1, 1 << 16,
                            &r->widths.step) &&
        r->widths.high - r->widths.low <= UB_MASK_MAX_WIDTHS * r->widths.step)
        return 1;
    fprintf(stderr, "%s: not the settings of a run\n", path);
    return 0;
}

/* Whether a judged run has another value of the key than the first run. */
static int differs(const loading *l, const char *key)
{
    for (int64_t i = 1; i < l->results->n_main; i++) {
        const entry *e = &l->entries[i];

        if (e->run.method < PARETO_JUDGED &&
            !pareto_same_option(l->entries[0].config, e->config, key))
            return 1;
    }
    return 0;
}

/* Room for all keys, with values; NULL after a message. */
static char *make_list(json_t *keys, size_t *size)
{
    const char *key;
    const json_t *value;
    char *list;

    *size = 1;
    json_object_foreach(keys, key, value) *size += strlen(key) + PARETO_VALUE;
    list = keys ? calloc(*size, 1) : NULL;
    if (list == NULL)
        fputs("out of memory\n", stderr);
    return list;
}

/* An older library did not write all of them. */
static json_t *judged_keys(const loading *l)
{
    json_t *keys = json_copy(l->entries[0].config);

    for (int64_t i = 1; keys != NULL && i < l->results->n_main; i++) {
        const entry *e = &l->entries[i];

        if (e->run.method < PARETO_JUDGED)
            json_object_update_missing(keys, e->config);
    }
    return keys;
}

static int find_differing(loading *l)
{
    json_t *keys = judged_keys(l);
    size_t size, used = 0;
    const char *key;
    const json_t *value;
    char *list = make_list(keys, &size);

    l->results->differing = list;
    json_object_foreach(list ? keys : NULL, key, value)
    {
        if (!pareto_is_place(key) && differs(l, key))
            used += (size_t) snprintf(list + used, size - used, "%s%s",
                                      used ? ", " : "", key);
    }
    json_decref(keys);
    return list != NULL;
}

/* The main run of the same method, lambda and seed, or else any that is as
 * near to it as can be had. */
static const entry *main_of(const loading *l, const pareto_run *run)
{
    const entry *best = NULL;
    int most = -1;

    for (int64_t i = 0; i < l->results->n_main; i++) {
        const pareto_run *other = &l->entries[i].run;
        const int alike = 2 * (other->method == run->method) +
                          (other->seed == run->seed &&
                           other->lambda <= run->lambda &&
                           other->lambda >= run->lambda);

        if (alike > most) {
            most = alike;
            best = &l->entries[i];
        }
    }
    return best;
}

static void put_options(const entry *e, const entry *main, json_t *keys,
                        char *list, size_t size)
{
    size_t used = 0;
    const char *key;
    const json_t *value;

    json_object_foreach(keys, key, value)
    {
        char text[PARETO_VALUE - 3];

        if (pareto_is_place(key) || strcmp(key, "from") == 0 ||
            pareto_same_option(main->config, e->config, key))
            continue;
        pareto_option_text(key, json_object_get(e->config, key), text,
                           sizeof(text));
        used += (size_t) snprintf(list + used, size - used, "%s%s %s",
                                  used ? ", " : "", key, text);
    }
}

/* Of a run with a label, against a main run. */
static int find_own_options(const loading *l, entry *e)
{
    const entry *main = main_of(l, &e->run);
    json_t *keys = json_copy(e->config);
    size_t size;

    if (keys != NULL && main != NULL)
        json_object_update_missing(keys, main->config);
    e->run.differing = make_list(keys, &size);
    if (e->run.differing != NULL && main != NULL)
        put_options(e, main, keys, e->run.differing, size);
    json_decref(keys);
    return e->run.differing != NULL;
}

static int find_all_options(loading *l)
{
    for (int64_t i = l->results->n_main; i < l->n; i++) {
        if (!find_own_options(l, &l->entries[i]))
            return 0;
    }
    return 1;
}

/* -- their results ----------------------------------------------------------
 */

/* On the array of the run, which is mostly that of the others. */
static int price(const loading *l, const char *path, const ub_network *priced,
                 entry *e, pareto_pricing *common)
{
    pareto_results own = *l->results;
    pareto_pricing pricing;
    int good;

    if (e->rows == own.rows && e->run.columns == own.columns)
        return pareto_price(common, path, priced, e->hw_batch, &e->run);
    own.rows = e->rows;
    own.columns = e->run.columns;
    if (!pareto_pricing_open(l->context, &own, &pricing))
        return 0;
    good = pareto_price(&pricing, path, priced, e->hw_batch, &e->run);
    common->n_changed += pricing.n_changed;
    pareto_pricing_close(&pricing);
    return good;
}

static int read_run(loading *l, entry *e, pareto_pricing *pricing)
{
    ub_network *priced = NULL;
    json_t *result = NULL;
    char path[PATH_SIZE];
    int good;

    if (!path_of(l, e->run.name, "result.json", path))
        return 0;
    result = pareto_read_json(path);
    good = result != NULL && pareto_read_result(path, result, &e->run) &&
           path_of(l, e->run.name, "network.json", path);
    if (good)
        priced = pareto_read_network(l->context, path, e->cost_scale, result);
    good = priced != NULL && pareto_read_widths(priced, &e->run) &&
           price(l, path, priced, e, pricing);
    ub_network_destroy(&priced);
    json_decref(result);
    return good;
}

static int read_runs(loading *l)
{
    pareto_pricing pricing;
    int good = pareto_pricing_open(l->context, l->results, &pricing);

    if (!good)
        return 0;
    good = pareto_price_operators(&pricing, l->results);
    for (int64_t i = 0; i < l->n && good; i++)
        good = read_run(l, &l->entries[i], &pricing);
    if (good && pricing.n_changed > 0)
        fprintf(stderr,
                "%s: this version simulates %lld of %lld networks as faster or "
                "slower than their results say\n",
                l->folder, (long long) pricing.n_changed, (long long) l->n);
    pareto_pricing_close(&pricing);
    return good;
}

/* Hands the runs over. */
static int collect(loading *l)
{
    pareto_results *r = l->results;

    r->runs = calloc((size_t) l->n, sizeof(*r->runs));
    if (r->runs == NULL) {
        fputs("out of memory\n", stderr);
        return 0;
    }
    for (int64_t i = 0; i < l->n; i++) {
        r->runs[i] = l->entries[i].run;
        l->entries[i].run.widths = NULL;
        l->entries[i].run.differing = NULL;
    }
    return 1;
}

int pareto_load(ub_context *context, const char *folder,
                pareto_results *results)
{
    loading l = { .context = context, .folder = folder, .results = results };
    int good;

    memset(results, 0, sizeof(*results));
    good = list(&l) && read_configs(&l) && sort(&l) && count(&l) &&
           read_common(&l) && find_differing(&l) && find_all_options(&l) &&
           read_runs(&l) && collect(&l);
    for (int64_t i = 0; i < l.n; i++) {
        json_decref(l.entries[i].config);
        free(l.entries[i].run.widths);
        free(l.entries[i].run.differing);
    }
    free(l.entries);
    if (!good)
        pareto_results_free(results);
    return good;
}

void pareto_results_free(pareto_results *results)
{
    for (int64_t i = 0;
         results->runs != NULL && i < results->n + results->n_bases; i++) {
        free(results->runs[i].widths);
        free(results->runs[i].differing);
    }
    free(results->runs);
    free(results->differing);
    memset(results, 0, sizeof(*results));
}
