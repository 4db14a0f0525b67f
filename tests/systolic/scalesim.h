/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_TESTS_SCALESIM_H
#define UBOOST_TESTS_SCALESIM_H

#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uboost/systolic.h>

/* Rows of SCALE-Sim's golden tables, read by the names of their columns. */

#define TABLE_COLUMNS 48

typedef struct table {
    FILE *file;
    int columns;
    char head[2048], row[2048];
    char *names[TABLE_COLUMNS], *fields[TABLE_COLUMNS];
} table;

static inline int table_split(char *line, char **out)
{
    int n = 0;

    line[strcspn(line, "\r\n")] = '\0';
    for (char *c = line; c != NULL; n++) {
        assert_true(n < TABLE_COLUMNS);
        out[n] = c;
        c = strchr(c, ',');
        if (c != NULL)
            *c++ = '\0';
    }
    return n;
}

/* Skips the test without golden data. */
static inline void table_open(table *t, const char *name)
{
    const char *path = test_golden(name);

    if (path == NULL)
        skip();
    t->file = fopen(path, "r");
    assert_non_null(t->file);
    assert_non_null(fgets(t->head, sizeof(t->head), t->file));
    t->columns = table_split(t->head, t->names);
}

/* 0 at the end, and the file is closed then. */
static inline int table_next(table *t)
{
    if (fgets(t->row, sizeof(t->row), t->file) == NULL) {
        assert_true(feof(t->file));
        fclose(t->file);
        return 0;
    }
    assert_int_equal(table_split(t->row, t->fields), t->columns);
    return 1;
}

/* "" when the tool left it out. */
static inline const char *table_text(const table *t, const char *name)
{
    for (int i = 0; i < t->columns; i++) {
        if (strcmp(t->names[i], name) == 0)
            return t->fields[i];
    }
    fail_msg("no column '%s'", name);
    return "";
}

static inline int64_t table_int(const table *t, const char *name)
{
    const char *text = table_text(t, name);
    char *end;
    const long long value = strtoll(text, &end, 10);

    if (end == text || *end != '\0')
        fail_msg("'%s' of column '%s' is no integer", text, name);
    return value;
}

/* -- layers --------------------------------------------------------------- */

typedef struct test_layer {
    ub_layer layer;
    ub_layer_info info;
} test_layer;

/* A convolution without padding, its output rounded up. Not to be copied. */
static inline void conv_layer(test_layer *l, int64_t height, int64_t width,
                              int64_t kernel_height, int64_t kernel_width,
                              int64_t channels, int64_t filters, int64_t stride)
{
    ub_layer_init(&l->layer, sizeof(l->layer), UB_LAYER_CONV);
    l->layer.out_channels = filters;
    l->layer.kernel_height = kernel_height;
    l->layer.kernel_width = kernel_width;
    l->layer.stride = stride;
    l->layer.round_up = 1;
    l->info = (ub_layer_info){ .size = sizeof(l->info), .layer = &l->layer };
    l->info.name = "conv";
    l->info.in_channels = channels;
    l->info.in_height = height;
    l->info.in_width = width;
    l->info.out_channels = filters;
    l->info.out_height = (height - kernel_height + stride - 1) / stride + 1;
    l->info.out_width = (width - kernel_width + stride - 1) / stride + 1;
}

static inline void table_layer(const table *t, test_layer *l)
{
    conv_layer(l, table_int(t, "ifmap_h"), table_int(t, "ifmap_w"),
               table_int(t, "filt_h"), table_int(t, "filt_w"),
               table_int(t, "ch"), table_int(t, "nfilt"),
               table_int(t, "stride"));
    assert_int_equal(l->info.out_height, table_int(t, "ofmap_h"));
    assert_int_equal(l->info.out_width, table_int(t, "ofmap_w"));
}

/* -- configurations ------------------------------------------------------- */

static inline int32_t dataflow_of(const char *text)
{
    if (strcmp(text, "ws") == 0)
        return UB_DATAFLOW_WS;
    if (strcmp(text, "os") == 0)
        return UB_DATAFLOW_OS;
    assert_string_equal(text, "is");
    return UB_DATAFLOW_IS;
}

static inline ub_hardware hardware_of(int64_t rows, int64_t columns,
                                      int32_t dataflow, int64_t words)
{
    ub_hardware h;

    ub_hardware_init(&h, sizeof(h));
    h.rows = rows;
    h.columns = columns;
    h.dataflow = dataflow;
    h.input_bank_bytes = h.weight_bank_bytes = h.output_bank_bytes = words;
    return h;
}

static inline ub_systolic_options compat_options(void)
{
    ub_systolic_options o;

    ub_systolic_options_init(&o, sizeof(o));
    o.level = 2;
    o.compat = UB_SYSTOLIC_COMPAT_SCALESIM;
    o.count_memory = 1;
    return o;
}

/* -- reports -------------------------------------------------------------- */

static inline ub_systolic_report report(ub_context *context,
                                        const ub_layer_info *info,
                                        const ub_hardware *h,
                                        const ub_systolic_options *o)
{
    ub_systolic_report r = { .size = sizeof(r) };

    if (ub_systolic_report_layer(context, info, h, o, &r) != UB_OK)
        fail_msg("%s", ub_context_last_error(context));
    return r;
}

static inline char *read_text(const char *path)
{
    FILE *f = fopen(path, "rb");
    char *text = calloc(1, 65536);

    assert_non_null(text);
    if (f == NULL)
        fail_msg("%s is not there", path);
    assert_true(fread(text, 1, 65535, f) > 0);
    fclose(f);
    return text;
}

#endif
