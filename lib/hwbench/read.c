/* SPDX-License-Identifier: BSD-2-Clause */
#include "hwbench/hwbench.h"

#include <math.h>
#include <string.h>

#define SHOWN 40 /* bytes of a field in an error */

/* What a column of the file is. FBNet's has values for both data sets. */
typedef enum role {
    ROLE_SKIP,
    ROLE_CELL,  /* index or text of a cell */
    ROLE_BLOCK, /* key of a block of FBNet */
    ROLE_VALUE
} role;

typedef struct target {
    role role;
    char name[UB_HWBENCH_NAME];
    int32_t dataset;
    double *values[2];
} target;

typedef struct reader {
    ub_hwbench *bench;
    ub__csv csv;
    int32_t dataset; /* of columns that do not say */
    ub__field *fields;
    target *targets;
    size_t n;            /* fields of every line */
    ub__block_key *keys; /* of FBNet */
    unsigned char *seen; /* cells */
} reader;

UB__PRINTF(2, 3)
static ub_status fail_line(const reader *r, const char *format, ...)
{
    char text[200];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return ub__fail(r->csv.context, UB_ERR_FORMAT, "%s:%lld: %s", r->csv.path,
                    (long long) r->csv.line, text);
}

static int shown(const ub__field *field)
{
    return field->size < SHOWN ? (int) field->size : SHOWN;
}

static int is_text(const ub__field *field, const char *text)
{
    return field->size == strlen(text) &&
           memcmp(field->text, text, field->size) == 0;
}

/* -- the first line -------------------------------------------------------- */

/* Names in the published tables that have a data set in them. */
typedef struct alias {
    char name[32];
    int32_t dataset, standard;
} alias;

static const alias aliases[] = {
    { "cifar10_test", UB_HWBENCH_CIFAR10, UB_HWBENCH_TEST_ACCURACY },
    { "cifar100_test", UB_HWBENCH_CIFAR100, UB_HWBENCH_TEST_ACCURACY },
    { "imagenet16_120_test", UB_HWBENCH_IMAGENET16_120,
      UB_HWBENCH_TEST_ACCURACY },
    { "cifar10_valid_derived", UB_HWBENCH_CIFAR10, UB_HWBENCH_VALID_ACCURACY },
    { "cifar100_valid_derived", UB_HWBENCH_CIFAR100,
      UB_HWBENCH_VALID_ACCURACY },
    { "imagenet16_120_valid_derived", UB_HWBENCH_IMAGENET16_120,
      UB_HWBENCH_VALID_ACCURACY },
    { "cifar10_train_seconds_per_epoch", UB_HWBENCH_CIFAR10,
      UB_HWBENCH_TRAIN_SECONDS_PER_EPOCH },
    { "cifar10-test", UB_HWBENCH_CIFAR10, UB_HWBENCH_TEST_ACCURACY_12 },
    { "cifar100-test", UB_HWBENCH_CIFAR100, UB_HWBENCH_TEST_ACCURACY_12 },
    { "imagenet-test", UB_HWBENCH_IMAGENET16_120, UB_HWBENCH_TEST_ACCURACY_12 },
    { "cifar10-val", UB_HWBENCH_CIFAR10, UB_HWBENCH_VALID_ACCURACY_12 },
    { "cifar100-val", UB_HWBENCH_CIFAR100, UB_HWBENCH_VALID_ACCURACY_12 },
    { "imagenet-val", UB_HWBENCH_IMAGENET16_120, UB_HWBENCH_VALID_ACCURACY_12 },
};

static int is_cell_name(const ub__field *field)
{
    return is_text(field, "index") || is_text(field, "arch") ||
           is_text(field, "arch_str") || is_text(field, "cellstr");
}

static int is_key_name(const ub__field *field)
{
    return is_text(field, "key");
}

static void set_name(const reader *r, const ub__field *field, target *t)
{
    memcpy(t->name, field->text, field->size);
    t->name[field->size] = '\0';
    t->dataset = r->dataset;
    if (r->bench->space == UB_HWBENCH_FBNET)
        return;
    for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
        if (strcmp(t->name, aliases[i].name) == 0) {
            snprintf(t->name, sizeof(t->name), "%s",
                     ub__hwbench_kind_of(aliases[i].standard)->name);
            t->dataset = aliases[i].dataset;
        }
    }
}

static int is_fbnet(const reader *r)
{
    return r->bench->space == UB_HWBENCH_FBNET;
}

static int32_t dataset_of(const reader *r, const target *t, int slot)
{
    return is_fbnet(r) ? ub__hwbench_fbnet_datasets[slot] : t->dataset;
}

/* Another column of the file, or one of the table. */
static int is_taken(const reader *r, const target *t)
{
    for (const target *other = r->targets; other < t; other++) {
        if (other->role == ROLE_VALUE && other->dataset == t->dataset &&
            strcmp(other->name, t->name) == 0)
            return 1;
    }
    for (int slot = 0; slot < 1 + is_fbnet(r); slot++) {
        if (!ub__hwbench_is_free(r->bench, dataset_of(r, t, slot), t->name))
            return 1;
    }
    return 0;
}

static ub_status start_values(const reader *r, const ub__field *field,
                              target *t)
{
    if (!ub__hwbench_is_name(field->text, field->size, UB_HWBENCH_NAME))
        return fail_line(r,
                         "the name of column %d is empty, too long, or not "
                         "printable",
                         (int) (t - r->targets) + 1);
    set_name(r, field, t);
    if (is_taken(r, t))
        return fail_line(r, "there is a metric '%s' already", t->name);
    t->role = ROLE_VALUE;
    for (int slot = 0; slot < 1 + is_fbnet(r); slot++) {
        t->values[slot] = ub__hwbench_unknown_values(r->bench);
        if (t->values[slot] == NULL)
            return UB_ERR_NOMEM;
    }
    return UB_OK;
}

static ub_status start_target(const reader *r, const ub__field *field,
                              target *t, int *located)
{
    const int is_key = is_fbnet(r) ? is_key_name(field) : is_cell_name(field);

    if (is_key && is_fbnet(r) && *located)
        return fail_line(r, "there are two columns 'key'");
    if (is_key) {
        t->role = is_fbnet(r) ? ROLE_BLOCK : ROLE_CELL;
        *located = 1;
    } else if (is_text(field, "measured_source")) {
        t->role = ROLE_SKIP;
    } else {
        return start_values(r, field, t);
    }
    return UB_OK;
}

static ub_status read_header(reader *r)
{
    ub_context *context = r->csv.context;
    int located = 0;
    ub_status status = ub__csv_next(&r->csv, UB_HWBENCH_MAX_METRICS, r->fields,
                                    &r->n);

    if (status != UB_OK)
        return status;
    if (r->n == 0)
        return ub__fail(context, UB_ERR_FORMAT, "%s: empty", r->csv.path);
    r->targets = ub__calloc(context, r->n, sizeof(*r->targets));
    if (r->targets == NULL)
        return UB_ERR_NOMEM;
    for (size_t i = 0; status == UB_OK && i < r->n; i++)
        status = start_target(r, &r->fields[i], &r->targets[i], &located);
    if (status == UB_OK && !located)
        return fail_line(r, "no column is called %s",
                         is_fbnet(r) ? "'key'" : "'index' or 'arch_str'");
    return status;
}

/* -- the other lines ------------------------------------------------------- */

/* An index, or the text of a cell; -1 if it is neither. */
static int64_t find_cell(const reader *r, const ub__field *field)
{
    char text[UB_NASBENCH201_TEXT];
    int64_t index = 0;

    if (field->size == 0 || field->size >= sizeof(text))
        return -1;
    if (field->text[0] == '|') {
        memcpy(text, field->text, field->size);
        text[field->size] = '\0';
        return strlen(text) == field->size
                   ? ub_nasbench201_find(r->bench->order, text)
                   : -1;
    }
    for (size_t i = 0; i < field->size; i++) {
        const char c = field->text[i];

        if (c < '0' || c > '9' || index >= UB__HWBENCH_CELLS)
            return -1;
        index = index * 10 + (c - '0');
    }
    return index < UB__HWBENCH_CELLS ? index : -1;
}

static ub_status locate_cell(const reader *r, int64_t *out)
{
    int64_t row = -1;

    for (size_t i = 0; i < r->n; i++) {
        const ub__field *field = &r->fields[i];
        int64_t cell;

        if (r->targets[i].role != ROLE_CELL)
            continue;
        cell = find_cell(r, field);
        if (cell < 0)
            return fail_line(r, "'%.*s' is no cell", shown(field), field->text);
        if (row >= 0 && row != cell)
            return fail_line(r, "cell %lld is not cell %lld", (long long) row,
                             (long long) cell);
        row = cell;
    }
    if (r->seen[row])
        return fail_line(r, "cell %lld was in a line before", (long long) row);
    r->seen[row] = 1;
    *out = row;
    return UB_OK;
}

/* Empty, or "nan" in any case: unknown. */
static int is_unknown(const ub__field *field)
{
    const char *t = field->text;

    return field->size == 0 || (field->size == 3 && (t[0] | 32) == 'n' &&
                                (t[1] | 32) == 'a' && (t[2] | 32) == 'n');
}

static ub_status parse_value(const reader *r, size_t i, double *out)
{
    const ub__field *field = &r->fields[i];

    *out = NAN;
    if (is_unknown(field))
        return UB_OK;
    if (ub__parse_double(field->text, field->size, out) != field->size)
        return fail_line(r, "'%.*s' of '%s' is no number", shown(field),
                         field->text, r->targets[i].name);
    if (isinf(*out))
        return fail_line(r, "'%.*s' of '%s' is too large", shown(field),
                         field->text, r->targets[i].name);
    return UB_OK;
}

static ub_status read_cell(const reader *r)
{
    int64_t row = 0;
    ub_status status = locate_cell(r, &row);

    for (size_t i = 0; status == UB_OK && i < r->n; i++) {
        if (r->targets[i].role == ROLE_VALUE)
            status = parse_value(r, i, &r->targets[i].values[0][row]);
    }
    return status;
}

/* One key can be that of many blocks: layers are repeated. */
static ub_status read_block(const reader *r)
{
    const ub__field *name = NULL;
    int found = 0;

    for (size_t i = 0; i < r->n; i++) {
        if (r->targets[i].role == ROLE_BLOCK)
            name = &r->fields[i];
    }
    for (size_t k = 0; k < UB__HWBENCH_BLOCK_KEYS; k++) {
        ub__block_key *key = &r->keys[k];

        if (!is_text(name, key->text))
            continue;
        if (!found && key->seen)
            return fail_line(r, "'%s' was in a line before", key->text);
        found = 1;
        key->seen = 1;
        for (size_t i = 0; i < r->n; i++) {
            target *t = &r->targets[i];
            ub_status status;

            if (t->role != ROLE_VALUE)
                continue;
            status = parse_value(r, i, &t->values[key->slot][key->row]);
            if (status != UB_OK)
                return status;
        }
    }
    if (!found && !ub__hwbench_is_spare_key(name->text, name->size))
        return fail_line(r, "'%.*s' is no block of FBNet", shown(name),
                         name->text);
    return UB_OK;
}

static ub_status read_lines(reader *r)
{
    for (;;) {
        size_t n;
        ub_status status = ub__csv_next(&r->csv, r->n, r->fields, &n);

        if (status != UB_OK || n == 0)
            return status;
        if (n < r->n)
            return fail_line(r, "%zu fields, the first line has %zu", n, r->n);
        status = is_fbnet(r) ? read_block(r) : read_cell(r);
        if (status != UB_OK)
            return status;
    }
}

/* -- all of it ------------------------------------------------------------- */

static ub_status start(reader *r)
{
    ub_context *context = r->csv.context;

    r->fields = ub__alloc(context, UB_HWBENCH_MAX_METRICS, sizeof(*r->fields));
    r->seen = ub__calloc(context, UB__HWBENCH_CELLS, 1);
    r->keys = ub__alloc(context, UB__HWBENCH_BLOCK_KEYS, sizeof(*r->keys));
    if (r->fields == NULL || r->seen == NULL || r->keys == NULL)
        return UB_ERR_NOMEM;
    ub__hwbench_block_keys(r->keys);
    return UB_OK;
}

static int64_t new_columns(const reader *r)
{
    int64_t n = 0;

    for (size_t i = 0; i < r->n; i++) {
        const target *t = &r->targets[i];

        for (int slot = 0; slot < 2 && t->values[slot] != NULL; slot++)
            n += ub_hwbench_find(r->bench, dataset_of(r, t, slot), t->name) < 0;
    }
    return n;
}

/* Nothing fails from here on. */
static void keep(reader *r)
{
    for (size_t i = 0; i < r->n; i++) {
        target *t = &r->targets[i];
        const ub__hwbench_kind *kind = ub__hwbench_kind_of_name(t->name);

        for (int slot = 0; slot < 2 && t->values[slot] != NULL; slot++) {
            const ub__hwbench_new column = { .name = t->name,
                                             .unit = kind->unit,
                                             .dataset = dataset_of(r, t, slot),
                                             .direction = kind->direction,
                                             .source = UB_HWBENCH_TABLE,
                                             .owned = t->values[slot] };

            ub__hwbench_add(r->bench, &column);
            t->values[slot] = NULL;
        }
    }
    ub__hwbench_count_products(r->bench);
}

static void end(reader *r)
{
    ub_context *context = r->csv.context;

    for (size_t i = 0; r->targets != NULL && i < r->n; i++) {
        ub__free(context, r->targets[i].values[0]);
        ub__free(context, r->targets[i].values[1]);
    }
    ub__free(context, r->targets);
    ub__free(context, r->fields);
    ub__free(context, r->keys);
    ub__free(context, r->seen);
    ub__csv_close(&r->csv);
}

ub_status ub_hwbench_read(ub_hwbench *bench, int32_t dataset, const char *path)
{
    reader r = { .bench = bench, .dataset = dataset };
    ub_status status;

    if (bench == NULL)
        return UB_ERR_INVALID;
    if (path == NULL || (bench->space == UB_HWBENCH_NASBENCH201 &&
                         !ub__hwbench_has_dataset(bench->space, dataset)))
        return ub__fail(bench->context, UB_ERR_INVALID,
                        "hwbench: no path, or the space has no data set %d",
                        (int) dataset);
    status = ub__csv_open(bench->context, path, &r.csv);
    if (status != UB_OK)
        return status;
    status = start(&r);
    if (status == UB_OK)
        status = read_header(&r);
    if (status == UB_OK)
        status = read_lines(&r);
    if (status == UB_OK)
        status = ub__hwbench_reserve(bench, new_columns(&r));
    if (status == UB_OK)
        keep(&r);
    end(&r);
    return status;
}
