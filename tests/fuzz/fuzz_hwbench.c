/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>
#include <uboost/hwbench.h>
#include <zlib.h>

#define HEADER   64
#define CHECKSUM 28

/* Of an even size: a table of NAS-Bench-201. */
static int32_t space;

/* As a binary table or a pickle, and as a text. */
static void read_hwbench(ub_context *context, const char *path)
{
    ub_hwbench *bench = NULL;

    if (ub_hwbench_open(context, path, space, &bench) == UB_OK)
        ub_hwbench_destroy(&bench);
    if (ub_hwbench_open(context, NULL, space, &bench) != UB_OK)
        return;
    if (ub_hwbench_read(bench, UB_HWBENCH_CIFAR100, path) == UB_OK)
        ub_hwbench_metrics(bench);
    ub_hwbench_destroy(&bench);
}

/* Without a right checksum no table would be looked into. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t copy[FUZZ_INPUT];
    const uint64_t length = size;
    uint32_t checksum = 0;

    space = size % 2 == 0 ? UB_HWBENCH_NASBENCH201 : UB_HWBENCH_FBNET;
    if (size > FUZZ_INPUT || size < HEADER || memcmp(data, "UBHWTAB", 8) != 0)
        return fuzz_run(data, size, read_hwbench);
    memcpy(copy, data, size);
    memcpy(copy + 16, &length, sizeof(length));
    memcpy(copy + CHECKSUM, &checksum, sizeof(checksum));
    checksum = (uint32_t) crc32(0, copy, (uInt) size);
    memcpy(copy + CHECKSUM, &checksum, sizeof(checksum));
    return fuzz_run(copy, size, read_hwbench);
}
