/* SPDX-License-Identifier: BSD-2-Clause */
#include "hardware/config.h"

#include <string.h>

#define MAX_ADDRESS     ((int64_t) 1 << 60)
#define MAX_KB          ((int64_t) 1 << 34)
#define MAX_COUNT       ((int64_t) 1 << 30)
#define MAX_BANK        ((int64_t) 1 << 50)
#define MAX_BATCH       ((int64_t) 1 << 32)

#define HARDWARE(field) offsetof(ub__config, hardware.field)
#define CONFIG(field)   offsetof(ub__config, config.field)
#define OWN(field)      offsetof(ub__config, field)

static const char *const dataflows[] = { "ws", "os", "is" };
static const char *const modes[] = { "CALC", "USER" };
static const char *const formats[] = { "csr", "csc", "ellpack_block" };
static const char *const interconnects[] = { "crossbar", "benes_copy", "benes",
                                             "banyan", "bus" };
static const char *const compats[] = { "none", "scalesim", "csim" };

#define GENERAL  "general"
#define ARRAY    "architecture_presets"
#define LAYOUT   "layout"
#define SPARSITY "sparsity"
#define RUN      "run_presets"
#define NETWORK  "network_presets"
#define UBOOST   "uboost"

#define INT64(section, key, offset, low, high)                  \
    {                                                           \
        section, key, UB__CONFIG_INT64, offset, low, high, NULL \
    }
#define COUNT(section, key, field) \
    INT64(section, key, CONFIG(field), 1, MAX_COUNT)
#define INT32(section, key, offset, low, high)                  \
    {                                                           \
        section, key, UB__CONFIG_INT32, offset, low, high, NULL \
    }
#define FLAG(section, key, field)                                \
    {                                                            \
        section, key, UB__CONFIG_FLAG, CONFIG(field), 0, 1, NULL \
    }
#define CHOICE(section, key, offset, low, high, choices)            \
    {                                                               \
        section, key, UB__CONFIG_CHOICE, offset, low, high, choices \
    }
#define DOUBLE(key, field, low, high)                                    \
    {                                                                    \
        UBOOST, key, UB__CONFIG_DOUBLE, HARDWARE(field), low, high, NULL \
    }
#define TEXT(section, key, field)                           \
    {                                                       \
        section, key, UB__CONFIG_TEXT, CONFIG(field), 0,    \
            sizeof(((ub_hardware_config *) 0)->field), NULL \
    }

const ub__config_key ub__config_keys[] = {
    TEXT(GENERAL, "run_name", run_name),
    INT64(ARRAY, "ArrayHeight", HARDWARE(rows), 1, 65536),
    INT64(ARRAY, "ArrayWidth", HARDWARE(columns), 1, 65536),
    INT64(ARRAY, "IfmapSramSzkB", OWN(input_kb), 1, MAX_KB),
    INT64(ARRAY, "FilterSramSzkB", OWN(weight_kb), 1, MAX_KB),
    INT64(ARRAY, "OfmapSramSzkB", OWN(output_kb), 1, MAX_KB),
    INT64(ARRAY, "IfmapOffset", CONFIG(input_offset), 0, MAX_ADDRESS),
    INT64(ARRAY, "FilterOffset", CONFIG(weight_offset), 0, MAX_ADDRESS),
    INT64(ARRAY, "OfmapOffset", CONFIG(output_offset), 0, MAX_ADDRESS),
    { ARRAY, "Bandwidth", UB__CONFIG_FIRST, CONFIG(bandwidth), 1, MAX_COUNT,
      NULL },
    CHOICE(ARRAY, "Dataflow", HARDWARE(dataflow), 0, 2, dataflows),
    COUNT(ARRAY, "MemoryBanks", memory_banks),
    COUNT(ARRAY, "OnChipMemoryBanks", chip_banks),
    COUNT(ARRAY, "OnChipMemoryBankPorts", chip_bank_ports),
    COUNT(ARRAY, "ReadRequestBuffer", read_buffer),
    COUNT(ARRAY, "WriteRequestBuffer", write_buffer),
    FLAG(LAYOUT, "IfmapCustomLayout", input_layout),
    COUNT(LAYOUT, "IfmapSRAMBankBandwidth", input_bank_bandwidth),
    COUNT(LAYOUT, "IfmapSRAMBankNum", input_banks),
    COUNT(LAYOUT, "IfmapSRAMBankPort", input_bank_ports),
    FLAG(LAYOUT, "FilterCustomLayout", weight_layout),
    COUNT(LAYOUT, "FilterSRAMBankBandwidth", weight_bank_bandwidth),
    COUNT(LAYOUT, "FilterSRAMBankNum", weight_banks),
    COUNT(LAYOUT, "FilterSRAMBankPort", weight_bank_ports),
    FLAG(SPARSITY, "SparsitySupport", sparse),
    CHOICE(SPARSITY, "SparseRep", CONFIG(sparse_format), 1, 3, formats),
    FLAG(SPARSITY, "OptimizedMapping", optimized_mapping),
    COUNT(SPARSITY, "BlockSize", sparse_block_size),
    INT64(SPARSITY, "RandomNumberGeneratorSeed", CONFIG(sparse_seed), 0,
          MAX_ADDRESS),
    CHOICE(RUN, "InterfaceBandwidth", CONFIG(bandwidth_mode), 0, 1, modes),
    FLAG(RUN, "UseRamulatorTrace", ramulator),
    TEXT(NETWORK, "TopologyCsvLoc", topology),
    INT64(UBOOST, "bank_bytes", HARDWARE(bank_bytes), 1, MAX_BANK),
    INT64(UBOOST, "input_bank_bytes", HARDWARE(input_bank_bytes), 0, MAX_BANK),
    INT64(UBOOST, "weight_bank_bytes", HARDWARE(weight_bank_bytes), 0,
          MAX_BANK),
    INT64(UBOOST, "output_bank_bytes", HARDWARE(output_bank_bytes), 0,
          MAX_BANK),
    INT64(UBOOST, "arrays", HARDWARE(arrays), 1, 65536),
    CHOICE(UBOOST, "interconnect", HARDWARE(interconnect), 0, 4, interconnects),
    INT64(UBOOST, "expansion", HARDWARE(expansion), 0, 3),
    INT64(UBOOST, "element_bytes", HARDWARE(element_bytes), 1, 64),
    INT64(UBOOST, "partial_bytes", HARDWARE(partial_bytes), 1, 64),
    INT64(UBOOST, "input_bytes", HARDWARE(input_bytes), 0, 64),
    INT64(UBOOST, "weight_bytes", HARDWARE(weight_bytes), 0, 64),
    INT64(UBOOST, "output_bytes", HARDWARE(output_bytes), 0, 64),
    DOUBLE("clock_hz", clock_hz, 1, 0),
    DOUBLE("bandwidth", bandwidth, 1, 1),
    DOUBLE("input_bandwidth", input_bandwidth, 0, 1),
    DOUBLE("weight_bandwidth", weight_bandwidth, 0, 1),
    DOUBLE("output_bandwidth", output_bandwidth, 0, 1),
    INT64(UBOOST, "memory_latency", HARDWARE(memory_latency), 0, 1 << 20),
    INT64(UBOOST, "burst_bytes", HARDWARE(burst_bytes), 1, 1 << 20),
    INT64(UBOOST, "vector_lanes", HARDWARE(vector_lanes), 0, 1 << 20),
    INT32(UBOOST, "level", CONFIG(level), 0, 3),
    INT32(UBOOST, "prefetch", CONFIG(prefetch), 0, 127),
    FLAG(UBOOST, "charge_inputs", charge_inputs),
    FLAG(UBOOST, "charge_outputs", charge_outputs),
    CHOICE(UBOOST, "compat", CONFIG(compat), 0, 2, compats),
    FLAG(UBOOST, "os_drain", os_drain),
    { UBOOST, "count_memory", UB__CONFIG_FLAG, CONFIG(count_memory), 0, 2,
      NULL },
    INT64(UBOOST, "batch", CONFIG(batch), 1, MAX_BATCH),
    INT64(UBOOST, "tile_m", CONFIG(tile_m), 0, MAX_BATCH),
    INT64(UBOOST, "tile_k", CONFIG(tile_k), 0, MAX_BATCH),
    INT64(UBOOST, "tile_n", CONFIG(tile_n), 0, MAX_BATCH),
    INT64(UBOOST, "seed", CONFIG(seed), 0, INT64_MAX),
    FLAG(UBOOST, "packed", packed),
};

const int ub__config_n_keys = (int) (sizeof(ub__config_keys) /
                                     sizeof(ub__config_keys[0]));

int ub__config_same(const char *a, const char *b)
{
    for (; *a != '\0' && *b != '\0'; a++, b++) {
        const int x = *a >= 'A' && *a <= 'Z' ? *a | 0x20 : *a;
        const int y = *b >= 'A' && *b <= 'Z' ? *b | 0x20 : *b;

        if (x != y)
            return 0;
    }
    return *a == *b;
}

int ub__config_find(const char *section, const char *key)
{
    for (int i = 0; i < ub__config_n_keys; i++) {
        if (strcmp(ub__config_keys[i].section, section) == 0 &&
            ub__config_same(ub__config_keys[i].key, key))
            return i;
    }
    return -1;
}

int ub__config_find_old(const char *section, const char *key)
{
    static const char *const names[][2] = {
        { "IfmapSramSz", "IfmapSramSzkB" },
        { "FilterSramSz", "FilterSramSzkB" },
        { "OfmapSramSz", "OfmapSramSzkB" },
    };

    if (strcmp(section, ARRAY) != 0)
        return -1;
    for (int i = 0; i < 3; i++) {
        if (ub__config_same(names[i][0], key))
            return ub__config_find(ARRAY, names[i][1]);
    }
    return ub__config_find(LAYOUT, key);
}

int ub__config_is_section(const char *section)
{
    for (int i = 0; i < ub__config_n_keys; i++) {
        if (strcmp(ub__config_keys[i].section, section) == 0)
            return 1;
    }
    return 0;
}
