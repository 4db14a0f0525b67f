/* SPDX-License-Identifier: BSD-2-Clause */
#include "systolic/systolic.h"

#include <math.h>
#include <string.h>

#define PICO           1e-12
#define MOST           1e12 /* any figure of a table */
#define SQUARE_MICRONS 1e6  /* of a square millimetre */

static const ub_energy_table presets[] = {
    {
        .size = sizeof(ub_energy_table),
        .name = "sosa-28nm",
        .source = "SOSA compiler's scripts; HBM2 of O'Connor et al., MICRO "
                  "2017; areas scaled from Horowitz, ISSCC 2014",
        .mac = 0.4,
        .bank_bytes = { 65536.0, 131072.0, 262144.0, 524288.0 },
        .bank_pj = { 1.1, 1.6, 2.7, 4.1 },
        .memory = 8.0 * 3.92,
        .interconnect = 0.02875, /* 28.75 uW at 1 GHz */
        .element_um2 = (282.0 + 137.0) * (28.0 / 45.0) * (28.0 / 45.0),
        .bank_um2 = 8.0 * 0.127,
    },
    {
        .size = sizeof(ub_energy_table),
        .name = "horowitz-45nm",
        .source = "M. Horowitz, Computing's energy problem, ISSCC 2014; cells "
                  "of Intel, IEDM 2007",
        .mac = 0.2 + 0.1,
        .bank_bytes = { 8192.0, 32768.0, 1048576.0 },
        .bank_pj = { 10.0 / 8.0, 20.0 / 8.0, 100.0 / 8.0 },
        .memory = (1300.0 + 2600.0) / 2.0 / 8.0,
        .element_um2 = 282.0 + 137.0,
        .bank_um2 = 8.0 * 0.346,
    },
};

ub_status ub_energy_preset(const char *name, ub_energy_table *out)
{
    if (name == NULL || out == NULL || out->size < sizeof(*out))
        return UB_ERR_INVALID;
    for (size_t i = 0; i < sizeof(presets) / sizeof(presets[0]); i++) {
        if (strcmp(presets[i].name, name) == 0) {
            ub__options_out(out, out->size, &presets[i], sizeof(presets[i]));
            return UB_OK;
        }
    }
    return UB_ERR_INVALID;
}

/* -- reading -------------------------------------------------------------- */

/* Numbers that may be left out, and where they go. */
static const struct {
    const char *key;
    size_t offset;
} numbers[] = {
    { "mac", offsetof(ub_energy_table, mac) },
    { "idle", offsetof(ub_energy_table, idle) },
    { "memory", offsetof(ub_energy_table, memory) },
    { "interconnect", offsetof(ub_energy_table, interconnect) },
    { "leakage", offsetof(ub_energy_table, leakage) },
    { "element_um2", offsetof(ub_energy_table, element_um2) },
    { "bank_um2", offsetof(ub_energy_table, bank_um2) },
};

#define N_NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

static int is_known(const char *key)
{
    static const char *const others[] = { "format", "name", "source", "banks" };

    for (size_t i = 0; i < N_NUMBERS; i++) {
        if (strcmp(numbers[i].key, key) == 0)
            return 1;
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (strcmp(others[i], key) == 0)
            return 1;
    }
    return 0;
}

static void warn_unknown(ub_context *context, const char *path, json_t *root)
{
    const char *key;
    json_t *value;

    json_object_foreach(root, key, value)
    {
        if (!is_known(key))
            ub__log(context, UB_LOG_WARNING, "%s: key '%.60s' is ignored", path,
                    key);
    }
}

static ub_status read_numbers(ub_context *context, const char *path,
                              const json_t *root, ub_energy_table *table)
{
    for (size_t i = 0; i < N_NUMBERS; i++) {
        double *to = (double *) (void *) ((char *) table + numbers[i].offset);
        ub_status status;

        if (i > 0 && json_object_get(root, numbers[i].key) == NULL)
            continue;
        status = ub__json_double(context, path, root, numbers[i].key, 0.0, MOST,
                                 to);
        if (status != UB_OK)
            return status;
    }
    return UB_OK;
}

static ub_status read_banks(ub_context *context, const char *path,
                            const json_t *root, ub_energy_table *table)
{
    json_t *banks;
    ub_status status = ub__json_array(context, path, root, "banks",
                                      UB_ENERGY_BANKS, &banks);

    if (status != UB_OK)
        return status;
    for (size_t i = 0; i < json_array_size(banks); i++) {
        const json_t *pair = json_array_get(banks, i);
        const double bytes = json_number_value(json_array_get(pair, 0));
        const double pj = json_number_value(json_array_get(pair, 1));

        if (json_array_size(pair) != 2 || !(bytes >= 1.0) || bytes > MOST ||
            !(pj > 0.0) || pj > MOST ||
            (i > 0 && bytes <= table->bank_bytes[i - 1]))
            return ub__fail(context, UB_ERR_FORMAT,
                            "%s: banks[%zu] must be [bytes, pJ per byte] with "
                            "more bytes than the one before",
                            path, i);
        table->bank_bytes[i] = bytes;
        table->bank_pj[i] = pj;
    }
    if (json_array_size(banks) == 0)
        return ub__fail(context, UB_ERR_FORMAT, "%s: \"banks\" is empty", path);
    return UB_OK;
}

static ub_status read_text(ub_context *context, const char *path,
                           const json_t *root, const char *key, char *to,
                           size_t size)
{
    const char *text;
    ub_status status;

    if (json_object_get(root, key) == NULL)
        return UB_OK;
    status = ub__json_string(context, path, root, key, &text);
    if (status == UB_OK)
        snprintf(to, size, "%.*s", (int) size - 1, text);
    return status;
}

static ub_status read_table(ub_context *context, const char *path, json_t *root,
                            ub_energy_table *table)
{
    const char *format;
    ub_status status = ub__json_string(context, path, root, "format", &format);

    if (status != UB_OK)
        return status;
    if (strcmp(format, "uboost-energy") != 0)
        return ub__fail(context, UB_ERR_FORMAT,
                        "%s: format is '%.40s', not 'uboost-energy'", path,
                        format);
    status = read_text(context, path, root, "name", table->name,
                       sizeof(table->name));
    if (status == UB_OK)
        status = read_text(context, path, root, "source", table->source,
                           sizeof(table->source));
    if (status == UB_OK)
        status = read_numbers(context, path, root, table);
    if (status == UB_OK)
        status = read_banks(context, path, root, table);
    if (status == UB_OK)
        warn_unknown(context, path, root);
    return status;
}

ub_status ub_energy_read(ub_context *context, const char *path,
                         ub_energy_table *out)
{
    ub_energy_table table = { .size = sizeof(table) };
    json_t *root;
    ub_status status;

    if (context == NULL)
        return UB_ERR_INVALID;
    if (path == NULL || out == NULL || out->size < sizeof(*out))
        return ub__fail(context, UB_ERR_INVALID,
                        "energy: no path, or the size of a ub_energy_table is "
                        "not set");
    status = ub__json_read(context, path, &root);
    if (status != UB_OK)
        return status;
    status = read_table(context, path, root, &table);
    json_decref(root);
    if (status == UB_OK)
        ub__options_out(out, out->size, &table, sizeof(table));
    return status;
}

/* -- pricing -------------------------------------------------------------- */

static int table_valid(const ub_energy_table *t)
{
    const double figures[] = { t->mac,          t->idle,    t->memory,
                               t->interconnect, t->leakage, t->element_um2,
                               t->bank_um2 };

    for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
        if (!(figures[i] >= 0.0) || isinf(figures[i]))
            return 0;
    }
    for (int i = 0; i < UB_ENERGY_BANKS && t->bank_bytes[i] > 0.0; i++) {
        if (!(t->bank_pj[i] > 0.0) || isinf(t->bank_pj[i]) ||
            (i > 0 && !(t->bank_bytes[i] > t->bank_bytes[i - 1])))
            return 0;
    }
    return t->bank_bytes[0] > 0.0;
}

/* pJ of a byte: a straight line between two sizes in logarithms. */
static double bank_pj(const ub_energy_table *t, double bytes)
{
    int n = 1, i = 0;
    double slope;

    while (n < UB_ENERGY_BANKS && t->bank_bytes[n] > 0.0)
        n++;
    if (n == 1)
        return t->bank_pj[0];
    while (i + 2 < n && bytes > t->bank_bytes[i + 1])
        i++;
    slope = log(t->bank_pj[i + 1] / t->bank_pj[i]) /
            log(t->bank_bytes[i + 1] / t->bank_bytes[i]);
    return t->bank_pj[i] * pow(bytes / t->bank_bytes[i], slope);
}

/* Ports' worth of a crossbar of one that a byte passes. */
static double hops(const ub_hardware *h)
{
    const double arrays = (double) h->arrays, depth = log2(arrays);

    switch (h->interconnect) {
    case UB_INTERCONNECT_CROSSBAR: return arrays;
    case UB_INTERCONNECT_BENES_COPY: return fmax(1.0, 4.0 * depth);
    case UB_INTERCONNECT_BENES: return fmax(1.0, 2.0 * depth);
    case UB_INTERCONNECT_BANYAN:
        return fmax(1.0, depth * exp2((double) h->expansion));
    default: return 1.0;
    }
}

ub_status ub_energy_of(const ub_energy_table *table,
                       const ub_hardware *hardware,
                       const ub_systolic_stats *stats, ub_energy *out)
{
    ub_energy e = { .size = sizeof(e) };
    double elements, input, weight, output, bytes, element_cycles;
    ub_hardware h;
    ub_status status = ub__hardware_in(hardware, &h);

    if (status != UB_OK)
        return status;
    if (table == NULL || table->size < sizeof(*table) || !table_valid(table) ||
        stats == NULL || stats->size < sizeof(*stats) || out == NULL ||
        out->size < sizeof(*out))
        return UB_ERR_INVALID;
    elements = (double) h.rows * (double) h.columns * (double) h.arrays;
    element_cycles = elements * (double) stats->cycles;
    input = (double) ub__or_else(h.input_bank_bytes, h.bank_bytes);
    weight = (double) ub__or_else(h.weight_bank_bytes, h.bank_bytes);
    output = (double) ub__or_else(h.output_bank_bytes, h.bank_bytes);
    bytes = (double) stats->sram_read_bytes + (double) stats->sram_write_bytes;
    e.mac = (double) stats->macs * table->mac;
    e.idle = fmax(0.0, element_cycles - (double) stats->macs) * table->idle;
    e.banks = bytes * bank_pj(table, fmax(input, fmax(weight, output)));
    e.interconnect = bytes * table->interconnect * hops(&h);
    e.memory = ((double) stats->input_bytes + (double) stats->weight_bytes +
                (double) stats->output_bytes) *
               table->memory;
    /* mW times ms are uJ, which are 1e6 pJ */
    e.leakage = elements * table->leakage * stats->latency_ms * 1e6;
    e.total = e.mac + e.idle + e.banks + e.interconnect + e.memory + e.leakage;
    if (stats->latency_ms > 0.0)
        e.watts = e.total * PICO / (stats->latency_ms * 1e-3);
    if (stats->macs > 0)
        e.pj_per_mac = e.total / (double) stats->macs;
    e.element_mm2 = elements * table->element_um2 / SQUARE_MICRONS;
    e.bank_mm2 = (input + weight + output) * (double) h.arrays *
                 table->bank_um2 / SQUARE_MICRONS;
    ub__options_out(out, out->size, &e, sizeof(e));
    return UB_OK;
}
