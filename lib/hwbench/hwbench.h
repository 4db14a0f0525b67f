/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_HWBENCH_H
#define UBOOST_LIB_HWBENCH_H

#include "base/base.h"

#include <uboost/hwbench.h>

#define UB__HWBENCH_UNIT      16 /* longest unit, with its NUL */
#define UB__HWBENCH_STANDARDS 18 /* number of ub_hwbench_standard */
#define UB__HWBENCH_DATASETS  4
#define UB__HWBENCH_CELLS     UB_NASBENCH201_CELLS
#define UB__HWBENCH_FBNET_ROWS \
    (UB_HWBENCH_FBNET_BLOCKS * UB_HWBENCH_FBNET_OPERATORS)

/* -- columns --------------------------------------------------------------- */

typedef struct ub__column {
    char name[UB_HWBENCH_NAME];
    char unit[UB__HWBENCH_UNIT];
    int32_t dataset, direction, source;
    int32_t standard; /* -1 for others */
    int64_t known, failed;
    const double *values; /* rows of them; NULL: unknown, or the product */
    double *owned;        /* the same, unless they are mapped */
} ub__column;

struct ub_hwbench {
    ub_context *context;
    int32_t space;
    int32_t reserved;
    int64_t rows;          /* of a column: cells, or blocks x operators */
    ub_nasbench201 *order; /* NULL for FBNet */
    ub__column *columns;
    int64_t n_columns;
    ub__mapping mapping; /* where columns of a binary table are */
    /* Column of a standard metric; -1 where there is none. */
    int64_t standard[UB__HWBENCH_DATASETS][UB__HWBENCH_STANDARDS];
};

/* A value of a row, of a product or of any other column; FBNet's products are
 * of sums and not of rows. */
double ub__hwbench_at(const ub_hwbench *bench, const ub__column *column,
                      int64_t row);
ub_hwbench_value ub__hwbench_value_of(const ub__column *column, double value);
static inline int ub__hwbench_is_product(const ub__column *column)
{
    return column->standard == UB_HWBENCH_AVERAGE_HW_METRIC;
}

/* Whether it is a cost, of which a negative one says that the network, or the
 * block, did not compile. */
int ub__hwbench_can_fail(const ub__column *column);
static inline int ub__hwbench_has_failed(const ub__column *column, double value)
{
    return value < 0.0 && ub__hwbench_can_fail(column);
}

/* Name, unit and direction of a standard metric. */
typedef struct ub__hwbench_kind {
    char name[32];
    char unit[UB__HWBENCH_UNIT];
    int32_t direction;
} ub__hwbench_kind;
const ub__hwbench_kind *ub__hwbench_kind_of(int32_t standard);
/* The same of a column that a file has only a name for: where it is no standard
 * metric's, a latency's. */
const ub__hwbench_kind *ub__hwbench_kind_of_name(const char *name);

int ub__hwbench_has_dataset(int32_t space, int32_t dataset);

/* Printable bytes, at least one and fewer than `size`. */
int ub__hwbench_is_name(const char *text, size_t length, size_t size);

/* A new column, or values for a standard one. Give it owned or mapped values,
 * rows of them; owned ones are the table's from then on, if all goes well. */
typedef struct ub__hwbench_new {
    const char *name, *unit;
    int32_t dataset, direction, source;
    double *owned;
    const double *mapped;
} ub__hwbench_new;

/* All rows unknown, to be filled and given to a new column; NULL: no memory. */
double *ub__hwbench_unknown_values(const ub_hwbench *bench);

/* Make room for n more, so that ub__hwbench_add() of new columns cannot fail
 * for want of memory. */
ub_status ub__hwbench_reserve(ub_hwbench *bench, int64_t n);
/* Whether there may be a column of that name in the data set. */
int ub__hwbench_is_free(const ub_hwbench *bench, int32_t dataset,
                        const char *name);
/* Where is_free(), after reserve(). */
int64_t ub__hwbench_add(ub_hwbench *bench, const ub__hwbench_new *column);
/* Count again what is known of average_hw_metric. */
void ub__hwbench_count_products(ub_hwbench *bench);

/* -- what needs no file ---------------------------------------------------- */

/* A standard metric of a cell; NaN where there is no closed form. */
double ub__hwbench_closed_form(int32_t standard, int32_t dataset,
                               const int32_t *operators);
/* The same of a block of FBNet: parameters and FLOPs. */
double ub__hwbench_fbnet_form(int32_t standard, int32_t dataset, int64_t block,
                              int32_t op);
/* Whether a block has the operator. */
int ub__hwbench_has_block(int64_t block, int32_t op);

/* All blocks of FBNet with the keys they have in tables; a key can be that of
 * many. Slots are numbers of ub__hwbench_fbnet_datasets. */
typedef struct ub__block_key {
    char text[UB_HWBENCH_KEY];
    int64_t row;
    int32_t slot;
    int32_t seen; /* 0; for readers */
} ub__block_key;
#define UB__HWBENCH_BLOCK_KEYS                                   \
    (2 * (UB_HWBENCH_FBNET_LAYERS * UB_HWBENCH_FBNET_OPERATORS + \
          UB_HWBENCH_FBNET_BLOCKS - UB_HWBENCH_FBNET_LAYERS))
static const int32_t ub__hwbench_fbnet_datasets[2] = { UB_HWBENCH_CIFAR100,
                                                       UB_HWBENCH_IMAGENET };
void ub__hwbench_block_keys(ub__block_key keys[UB__HWBENCH_BLOCK_KEYS]);
/* Whether a table may have it though no network uses it. */
int ub__hwbench_is_spare_key(const char *text, size_t size);

/* Standard metrics that average_hw_metric multiplies, in this order. */
static const signed char ub__hwbench_factors[] = {
    UB_HWBENCH_EDGEGPU_LATENCY, UB_HWBENCH_EDGEGPU_ENERGY,
    UB_HWBENCH_RASPI4_LATENCY,  UB_HWBENCH_EDGETPU_LATENCY,
    UB_HWBENCH_PIXEL3_LATENCY,  UB_HWBENCH_EYERISS_LATENCY,
    UB_HWBENCH_EYERISS_ENERGY,  UB_HWBENCH_FPGA_LATENCY,
    UB_HWBENCH_FPGA_ENERGY
};
#define UB__HWBENCH_FACTORS  9

/* -- files ----------------------------------------------------------------- */

#define UB__HWBENCH_MAX_FILE ((size_t) 1 << 30)

/* Whether data begins as a table of ours does. */
int ub__hwbench_is_table(const void *data, size_t size);
/* Columns of the mapped binary table, which stays mapped. */
ub_status ub__hwbench_read_table(ub_hwbench *bench, const char *path);
/* Columns of the mapped pickle, copied. */
int ub__hwbench_is_pickle(const void *data, size_t size);
ub_status ub__hwbench_import(ub_hwbench *bench, const char *path);
/* All files of a folder. */
ub_status ub__hwbench_read_folder(ub_hwbench *bench, const char *path);

/* What was opened is sound, but has nothing of the space. */
ub_status ub__hwbench_fail_absent(const ub_hwbench *bench, const char *path);

/* Text in lines of fields. */
typedef struct ub__field {
    const char *text;
    size_t size;
} ub__field;

typedef struct ub__csv {
    ub_context *context;
    const char *path;
    void *data;
    size_t size, at;
    int64_t line; /* the one read last, from 1 */
    char separator;
} ub__csv;

ub_status ub__csv_open(ub_context *context, const char *path, ub__csv *out);
void ub__csv_close(ub__csv *csv);
/* The fields of the next line that is not empty; *out_n is 0 at the end. More
 * than `max` are an error. */
ub_status ub__csv_next(ub__csv *csv, size_t max, ub__field *out_fields,
                       size_t *out_n);

#endif
