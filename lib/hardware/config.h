/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_HARDWARE_CONFIG_H
#define UBOOST_LIB_HARDWARE_CONFIG_H

#include "hardware/hardware.h"

/* What a file says; memories in kB, bandwidths of [uboost] in GiB/s. */
typedef struct ub__config {
    ub_hardware hardware;
    ub_hardware_config config;
    int64_t input_kb, weight_kb, output_kb;
} ub__config;

typedef enum ub__config_type {
    UB__CONFIG_INT64,
    UB__CONFIG_INT32,
    UB__CONFIG_FLAG,   /* int32_t; a number beyond 1 */
    UB__CONFIG_CHOICE, /* int32_t, counted from low */
    UB__CONFIG_FIRST,  /* int64_t, the first of a list */
    UB__CONFIG_DOUBLE, /* low 1: not 0; high 1: may be infinite */
    UB__CONFIG_TEXT    /* char[high] */
} ub__config_type;

typedef struct ub__config_key {
    const char *section, *key;
    ub__config_type type;
    size_t offset; /* in ub__config */
    int64_t low, high;
    const char *const *choices; /* as many as low to high */
} ub__config_key;

/* All keys, by sections. */
extern const ub__config_key ub__config_keys[];
extern const int ub__config_n_keys;

enum { UB__CONFIG_MAX_KEYS = 96 };

/* The key's number, -1 when there is none; without case. */
int ub__config_find(const char *section, const char *key);
/* The same for what older versions called it, and where they had it. */
int ub__config_find_old(const char *section, const char *key);
int ub__config_is_section(const char *section);
/* Whether two words are the same without case. */
int ub__config_same(const char *a, const char *b);

void ub__config_init(ub__config *config);

/* As ub_hardware_read_config() of text in memory, which it changes; there is a
 * NUL behind it. */
ub_status ub__config_parse(ub_context *context, const char *path, char *text,
                           size_t size, ub__config *out);

#endif
