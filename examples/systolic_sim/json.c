/* SPDX-License-Identifier: BSD-2-Clause */
/* result.json of systolic_sim. */
#define _POSIX_C_SOURCE 200809L

#include "systolic_sim/systolic_sim.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define I(type, name)                    \
    {                                    \
#name, offsetof(type, name), 'i' \
    }
#define W(type, name)                    \
    {                                    \
#name, offsetof(type, name), 'w' \
    }
#define D(type, name)                    \
    {                                    \
#name, offsetof(type, name), 'd' \
    }
#define END        \
    {              \
        NULL, 0, 0 \
    }

#define S ub_systolic_stats
const field stats_fields[] = {
    I(S, cycles),
    I(S, macs),
    I(S, rounds),
    I(S, stall_weights),
    I(S, stall_inputs),
    I(S, stall_outputs),
    I(S, weight_bytes),
    I(S, input_bytes),
    I(S, output_bytes),
    I(S, sram_read_bytes),
    I(S, sram_write_bytes),
    D(S, latency_ms),
    D(S, utilization),
    D(S, share_busy),
    D(S, share_unused_rows),
    D(S, share_unused_columns),
    D(S, share_unused_arrays),
    D(S, share_weight_load),
    D(S, share_fill),
    D(S, share_drain),
    D(S, share_wait_weights),
    D(S, share_wait_inputs),
    D(S, share_wait_outputs),
    D(S, share_vector),
    END,
};

#define H ub_hardware
static const field hardware_fields[] = {
    I(H, rows),
    I(H, columns),
    I(H, arrays),
    I(H, bank_bytes),
    I(H, element_bytes),
    I(H, partial_bytes),
    D(H, clock_hz),
    D(H, bandwidth),
    I(H, expansion),
    I(H, input_bank_bytes),
    I(H, weight_bank_bytes),
    I(H, output_bank_bytes),
    I(H, input_bytes),
    I(H, weight_bytes),
    I(H, output_bytes),
    D(H, input_bandwidth),
    D(H, weight_bandwidth),
    D(H, output_bandwidth),
    I(H, memory_latency),
    I(H, burst_bytes),
    I(H, vector_lanes),
    END,
};

#define O ub_systolic_options
static const field options_fields[] = {
    I(O, batch),
    W(O, level),
    W(O, prefetch),
    W(O, charge_inputs),
    W(O, charge_outputs),
    W(O, os_drain),
    W(O, count_memory),
    I(O, tile_m),
    I(O, tile_k),
    I(O, tile_n),
    I(O, seed),
    W(O, packed),
    END,
};

#define R ub_systolic_report
static const field report_fields[] = {
    I(R, cycles),
    I(R, cycles_with_prefetch),
    I(R, stall_cycles),
    I(R, products),
    D(R, utilization),
    D(R, mapping_efficiency),
    D(R, compute_utilization),
    I(R, partial_writes),
    I(R, partial_reads),
    D(R, input_reads),
    I(R, dense_words),
    D(R, stored_words),
    D(R, index_words),
    D(R, index_rate),
    END,
};

#define A ub_systolic_accesses
static const field access_fields[] = {
    I(A, start), I(A, stop), I(A, count), D(A, rate), END,
};

static const field memory_fields[] = {
    I(R, sram_input),
    I(R, sram_weight),
    I(R, sram_output),
    I(R, dram_input),
    I(R, dram_weight),
    I(R, dram_output),
    END,
};

#define C ub_systolic_csim_stats
static const field csim_fields[] = {
    I(C, cycles),
    I(C, stall_cycles),
    I(C, last_round),
    I(C, last_adder_round),
    I(C, operations),
    I(C, additions),
    I(C, sram_read_bytes),
    I(C, sram_write_bytes),
    I(C, tile_products),
    D(C, input_bytes),
    D(C, weight_bytes),
    D(C, partial_bytes),
    D(C, interconnect_watts),
    D(C, routed_mebibytes),
    D(C, routed_once_mebibytes),
    END,
};

/* The same under csim's names. */
static const char *const csim_names[] = {
    "no_cycles",
    "memory_stall_cycles",
    "no_main_rounds",
    "no_post_rounds",
    "no_ops",
    "no_post_ops",
    "total_sram_read_bytes",
    "total_sram_write_bytes",
    "total_no_gemm_ops",
    "x_tiles_bw_usage",
    "w_tiles_bw_usage",
    "p_tiles_bw_usage",
    "interconnect_tdp",
    "interconn_total_mbytes",
    "interconn_total_mbytes_with_multicast",
};

/* Infinity, which JSON lacks, is null. */
static json_t *value_of(const void *base, const field *f)
{
    const void *at = (const char *) base + f->offset;

    if (f->kind == 'i')
        return json_integer(*(const int64_t *) at);
    if (f->kind == 'w')
        return json_integer(*(const int32_t *) at);
    return isfinite(*(const double *) at) ? json_real(*(const double *) at)
                                          : json_null();
}

static json_t *object_of(const void *base, const field *fields,
                         const char *const *names)
{
    json_t *out = json_object();

    for (int i = 0; fields[i].name != NULL; i++)
        json_object_set_new(out, names != NULL ? names[i] : fields[i].name,
                            value_of(base, &fields[i]));
    return out;
}

static json_t *report_of(const ub_systolic_report *r)
{
    static const char *const formats[] = { "dense", "csr", "csc", "ellpack" };
    json_t *out = object_of(r, report_fields, NULL);

    json_object_set_new(out, "sparsity", json_string(formats[r->sparsity & 3]));
    for (const field *f = memory_fields; f->name != NULL; f++)
        json_object_set_new(
            out, f->name,
            object_of((const char *) r + f->offset, access_fields, NULL));
    return out;
}

#define E ub_energy
const field energy_fields[] = {
    D(E, mac),    D(E, idle),    D(E, banks), D(E, interconnect),
    D(E, memory), D(E, leakage), END,
};

static const field energy_sums[] = {
    D(E, total),
    D(E, watts),
    D(E, pj_per_mac),
    END,
};

static const field area_fields[] = {
    D(E, element_mm2),
    D(E, bank_mm2),
    END,
};

/* In pJ. */
static json_t *energy_of(const ub_energy *energy)
{
    json_t *out = object_of(energy, energy_fields, NULL);

    json_object_update_new(out, object_of(energy, energy_sums, NULL));
    return out;
}

static json_t *layer_of(const simulation *s, int64_t index)
{
    const ub_systolic_stats *stats = &s->stats[index];
    const char *name = "";
    const int product = computes(s, index, &name);
    json_t *out = stats->cycles < 0 ? json_object()
                                    : object_of(stats, stats_fields, NULL);

    if (stats->cycles < 0)
        json_object_set_new(out, "cycles", json_integer(-1));
    json_object_set_new(out, "name", json_string(name));
    json_object_set_new(out, "dataflow",
                        json_string(dataflow_names[s->dataflows[index]]));
    if (s->options.level == 2 && product)
        json_object_set_new(out, "report", report_of(&s->reports[index]));
    if (s->energies != NULL && stats->cycles >= 0)
        json_object_set_new(out, "energy", energy_of(&s->energies[index]));
    return out;
}

static json_t *result_of(const simulation *s)
{
    json_t *out = json_object(), *layers = json_array();
    json_t *machine = object_of(&s->hardware, hardware_fields, NULL);
    json_t *options = object_of(&s->options, options_fields, NULL);

    json_object_set_new(machine, "dataflow",
                        json_string(dataflow_names[s->hardware.dataflow]));
    json_object_set_new(
        machine, "interconnect",
        json_string(interconnect_names[s->hardware.interconnect]));
    json_object_set_new(options, "compat",
                        json_string(compat_names[s->options.compat]));
    json_object_set_new(options, "sparsity", json_integer(s->options.sparsity));
    json_object_set_new(options, "best_dataflow",
                        json_boolean(s->best_dataflow));
    json_object_set_new(out, "network",
                        json_string(ub_network_name(s->network)));
    json_object_set_new(out, "machine", machine);
    json_object_set_new(out, "options", options);
    json_object_set_new(out, "total", object_of(&s->total, stats_fields, NULL));
    if (s->energies != NULL) {
        json_t *energy = json_object();

        json_object_set_new(energy, "table", json_string(s->table.name));
        json_object_set_new(energy, "source", json_string(s->table.source));
        json_object_set_new(energy, "unit", json_string("pJ"));
        if (s->total.cycles >= 0)
            json_object_set_new(energy, "total", energy_of(&s->energy));
        json_object_set_new(energy, "area",
                            object_of(&s->energy, area_fields, NULL));
        json_object_set_new(out, "energy", energy);
    }
    if (is_csim(s)) {
        json_t *csim = object_of(&s->csim, csim_fields, NULL);

        json_object_set_new(csim, "repeats", json_integer(s->repeats));
        json_object_set_new(csim, "output",
                            object_of(&s->csim, csim_fields, csim_names));
        json_object_set_new(out, "csim", csim);
    }
    for (int64_t i = 0; i < s->n; i++)
        json_array_append_new(layers, layer_of(s, i));
    json_object_set_new(out, "layers", layers);
    return out;
}

/* In full and on the disk, or nothing. */
static int dump(const json_t *result, const char *path)
{
    FILE *file = fopen(path, "w");
    int good;

    if (file == NULL)
        return 0;
    good = json_dumpf(result, file, JSON_INDENT(1)) == 0 &&
           fputc('\n', file) != EOF && fflush(file) == 0 &&
           fsync(fileno(file)) == 0;
    return fclose(file) == 0 && good;
}

int write_json(const simulation *s)
{
    char path[sizeof(s->folder) + 32], temporary[sizeof(s->folder) + 32];
    json_t *result = result_of(s);
    int good;

    snprintf(path, sizeof(path), "%s/result.json", s->folder);
    snprintf(temporary, sizeof(temporary), "%s/result.json.tmp", s->folder);
    errno = 0;
    good = dump(result, temporary) && rename(temporary, path) == 0;
    json_decref(result);
    if (!good) {
        fprintf(stderr, "%s: cannot be written: %s\n", path,
                errno != 0 ? strerror(errno) : "out of memory");
        remove(temporary);
    }
    return good;
}
