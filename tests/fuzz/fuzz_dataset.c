/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzz.h"

/* A file of such a name is an archive of CIFAR, compressed or not. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_run(data, size, fuzz_read_dataset);
}
