/* SPDX-License-Identifier: BSD-2-Clause */
#include "hwbench/hwbench.h"

#include "hwbench/pickle.h"

#include <math.h>
#include <string.h>

/*
 * The published file is a mapping:
 * "nasbench201" -> data set -> "config" -> list of { "arch_str": text, ... }
 *                              metric   -> list of numbers
 * "fbnet"       -> metric -> key of a block -> number
 */
typedef struct importer {
    ub_hwbench *bench;
    const char *path;
    const ub__pickle *pickle;
    int checked[UB__HWBENCH_DATASETS]; /* order of the cells */
} importer;

typedef ub__pickle_node node;

/* Some more than there are, so that what is shared costs no hours. */
#define MAX_BLOCKS 256

/* A name for an error: where a dict's pair has it. */
typedef struct label {
    char text[UB_HWBENCH_NAME];
} label;

static ub_status fail_at(const importer *im, int32_t dataset, const char *name,
                         const char *what)
{
    const char *where = ub_hwbench_dataset_name(dataset);

    return ub__fail(im->bench->context, UB_ERR_FORMAT, "%s: %s%s%s %s",
                    im->path, where != NULL ? where : "",
                    where != NULL ? ": " : "", name, what);
}

static int get_label(const importer *im, node key, label *out)
{
    size_t length = 0;
    const char *text = ub__pickle_text(im->pickle, key, &length);

    if (text == NULL || !ub__hwbench_is_name(text, length, sizeof(out->text)))
        return 0;
    memcpy(out->text, text, length);
    out->text[length] = '\0';
    return 1;
}

static int is_dict(const importer *im, node object)
{
    return ub__pickle_kind_of(im->pickle, object) == UB__PICKLE_DICT;
}

/* Numbers, None and NaN; the last two are unknown. */
static int get_number(const importer *im, node value, double *out)
{
    if (ub__pickle_kind_of(im->pickle, value) == UB__PICKLE_NONE) {
        *out = NAN;
        return 1;
    }
    return ub__pickle_double(im->pickle, value, out) == UB_OK && !isinf(*out);
}

static ub_status add_column(const importer *im, int32_t dataset,
                            const char *name, double *owned)
{
    const ub__hwbench_kind *kind = ub__hwbench_kind_of_name(name);
    const ub__hwbench_new column = { .name = name,
                                     .unit = kind->unit,
                                     .dataset = dataset,
                                     .direction = kind->direction,
                                     .source = UB_HWBENCH_TABLE,
                                     .owned = owned };
    ub_status status;

    if (!ub__hwbench_is_free(im->bench, dataset, name))
        return fail_at(im, dataset, name, "is there twice");
    status = ub__hwbench_reserve(im->bench, 1);
    if (status == UB_OK)
        ub__hwbench_add(im->bench, &column);
    return status;
}

/* -- NAS-Bench-201 --------------------------------------------------------- */

static int has_all_cells(const importer *im, node list)
{
    const ub__pickle_kind kind = ub__pickle_kind_of(im->pickle, list);

    return (kind == UB__PICKLE_LIST || kind == UB__PICKLE_TUPLE ||
            (kind == UB__PICKLE_ARRAY &&
             ub__pickle_dimensions(im->pickle, list) == 1)) &&
           ub__pickle_length(im->pickle, list) == UB__HWBENCH_CELLS;
}

/* The tables are only of use in our order, which the published one is. */
static ub_status check_order(importer *im, int32_t dataset, node configs)
{
    if (im->checked[dataset]++)
        return fail_at(im, dataset, "config", "is there twice");
    if (!has_all_cells(im, configs))
        return fail_at(im, dataset, "config", "has not one entry per cell");
    for (int64_t i = 0; i < UB__HWBENCH_CELLS; i++) {
        const node config = ub__pickle_item(im->pickle, configs, (size_t) i);
        const node text = ub__pickle_get(im->pickle, config, "arch_str");
        char cell[UB_NASBENCH201_TEXT];
        int32_t operators[UB_NASBENCH201_EDGES];

        if (ub_nasbench201_get(im->bench->order, i, operators) != UB_OK ||
            ub_nasbench201_write(operators, cell) != UB_OK ||
            !ub__pickle_text_is(im->pickle, text, cell))
            return ub__fail(im->bench->context, UB_ERR_FORMAT,
                            "%s: %s: config %lld is not that of cell %s",
                            im->path, ub_hwbench_dataset_name(dataset),
                            (long long) i, cell);
    }
    return UB_OK;
}

static int get_cell_value(const importer *im, node list, size_t i, double *out)
{
    if (ub__pickle_kind_of(im->pickle, list) == UB__PICKLE_ARRAY)
        return ub__pickle_number(im->pickle, list, i, out) == UB_OK &&
               !isinf(*out);
    return get_number(im, ub__pickle_item(im->pickle, list, i), out);
}

static ub_status import_cells(const importer *im, int32_t dataset,
                              const char *name, node list)
{
    double *values;
    ub_status status = UB_OK;

    if (!has_all_cells(im, list))
        return fail_at(im, dataset, name, "has not one value per cell");
    values = ub__hwbench_unknown_values(im->bench);
    if (values == NULL)
        return UB_ERR_NOMEM;
    for (size_t i = 0; i < UB__HWBENCH_CELLS; i++) {
        if (!get_cell_value(im, list, i, &values[i])) {
            status = fail_at(im, dataset, name,
                             "has a value that is no number");
            break;
        }
    }
    if (status == UB_OK)
        status = add_column(im, dataset, name, values);
    if (status != UB_OK)
        ub__free(im->bench->context, values);
    return status;
}

static ub_status import_dataset(importer *im, int32_t dataset, node metrics)
{
    if (!is_dict(im, metrics))
        return fail_at(im, dataset, "metrics", "are no mapping");
    for (size_t i = 0; i < ub__pickle_length(im->pickle, metrics); i++) {
        const node value = ub__pickle_item(im->pickle, metrics, i);
        label name;
        ub_status status;

        if (!get_label(im, ub__pickle_key(im->pickle, metrics, i), &name))
            return fail_at(im, dataset, "a metric", "has no name");
        status = strcmp(name.text, "config") == 0
                     ? check_order(im, dataset, value)
                     : import_cells(im, dataset, name.text, value);
        if (status != UB_OK)
            return status;
    }
    return UB_OK;
}

static ub_status import_nasbench201(importer *im, node datasets)
{
    for (size_t i = 0; i < ub__pickle_length(im->pickle, datasets); i++) {
        label name;
        int32_t dataset = -1;
        ub_status status;

        if (get_label(im, ub__pickle_key(im->pickle, datasets, i), &name))
            dataset = ub_hwbench_dataset_find(name.text);
        if (!ub__hwbench_has_dataset(im->bench->space, dataset))
            return fail_at(im, -1, "nasbench201", "has an unknown data set");
        status = import_dataset(im, dataset,
                                ub__pickle_item(im->pickle, datasets, i));
        if (status != UB_OK)
            return status;
    }
    return UB_OK;
}

/* -- FBNet ----------------------------------------------------------------- */

static ub_status read_blocks(const importer *im, const char *name, node blocks,
                             ub__block_key *keys, double *values[2])
{
    if (ub__pickle_length(im->pickle, blocks) > MAX_BLOCKS)
        return fail_at(im, -1, name, "has more keys than there are blocks");
    for (size_t i = 0; i < ub__pickle_length(im->pickle, blocks); i++) {
        const node key = ub__pickle_key(im->pickle, blocks, i);
        size_t length = 0;
        const char *text = ub__pickle_text(im->pickle, key, &length);
        double value = NAN;
        int found = 0;

        if (!get_number(im, ub__pickle_item(im->pickle, blocks, i), &value))
            return fail_at(im, -1, name, "has a value that is no number");
        for (size_t k = 0; text != NULL && k < UB__HWBENCH_BLOCK_KEYS; k++) {
            if (!ub__pickle_text_is(im->pickle, key, keys[k].text))
                continue;
            values[keys[k].slot][keys[k].row] = value;
            found = 1;
        }
        if (!found && (text == NULL || !ub__hwbench_is_spare_key(text, length)))
            return fail_at(im, -1, name, "has a key that is no block");
    }
    return UB_OK;
}

static ub_status import_blocks(const importer *im, const char *name,
                               node blocks, ub__block_key *keys)
{
    double *values[2] = { ub__hwbench_unknown_values(im->bench),
                          ub__hwbench_unknown_values(im->bench) };
    ub_status status = UB_OK;

    if (values[0] == NULL || values[1] == NULL)
        status = UB_ERR_NOMEM;
    else
        status = read_blocks(im, name, blocks, keys, values);
    for (int slot = 0; status == UB_OK && slot < 2; slot++) {
        status = add_column(im, ub__hwbench_fbnet_datasets[slot], name,
                            values[slot]);
        if (status == UB_OK)
            values[slot] = NULL;
    }
    ub__free(im->bench->context, values[0]);
    ub__free(im->bench->context, values[1]);
    return status;
}

static ub_status import_fbnet(const importer *im, node metrics)
{
    ub__block_key *keys = ub__alloc(im->bench->context, UB__HWBENCH_BLOCK_KEYS,
                                    sizeof(*keys));
    ub_status status = UB_OK;

    if (keys == NULL)
        return UB_ERR_NOMEM;
    ub__hwbench_block_keys(keys);
    for (size_t i = 0;
         status == UB_OK && i < ub__pickle_length(im->pickle, metrics); i++) {
        const node blocks = ub__pickle_item(im->pickle, metrics, i);
        label name;

        if (!get_label(im, ub__pickle_key(im->pickle, metrics, i), &name))
            status = fail_at(im, -1, "a metric", "has no name");
        else if (!is_dict(im, blocks))
            status = fail_at(im, -1, name.text, "is no mapping");
        else
            status = import_blocks(im, name.text, blocks, keys);
    }
    ub__free(im->bench->context, keys);
    return status;
}

/* -- both ------------------------------------------------------------------ */

static ub_status import_root(importer *im)
{
    const int is_fbnet = im->bench->space == UB_HWBENCH_FBNET;
    const char *name = is_fbnet ? "fbnet" : "nasbench201";
    const node root = ub__pickle_root(im->pickle);
    const node space = ub__pickle_get(im->pickle, root, name);

    if (!is_dict(im, root))
        return fail_at(im, -1, "the pickle", "is no mapping");
    if (space == UB__PICKLE_ABSENT)
        return ub__hwbench_fail_absent(im->bench, im->path);
    if (!is_dict(im, space))
        return fail_at(im, -1, name, "is no mapping");
    if (ub__pickle_length(im->pickle, space) == 0)
        return ub__hwbench_fail_absent(im->bench, im->path);
    return is_fbnet ? import_fbnet(im, space) : import_nasbench201(im, space);
}

/* A protocol from 2 on, or a mapping of one before. */
int ub__hwbench_is_pickle(const void *data, size_t size)
{
    const unsigned char *bytes = data;

    return size > 0 && (bytes[0] == 0x80 || bytes[0] == '(' || bytes[0] == '}');
}

ub_status ub__hwbench_import(ub_hwbench *bench, const char *path)
{
    importer im = { .bench = bench, .path = path };
    ub__pickle *pickle = NULL;
    ub_status status = ub__pickle_parse(bench->context, bench->mapping.data,
                                        bench->mapping.size, NULL, &pickle);

    if (status != UB_OK)
        return ub__fail_within(bench->context, status, "%s", path);
    im.pickle = pickle;
    status = import_root(&im);
    if (status == UB_OK)
        ub__hwbench_count_products(bench);
    ub__pickle_destroy(&pickle);
    return status;
}
