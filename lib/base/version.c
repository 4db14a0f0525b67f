/* SPDX-License-Identifier: BSD-2-Clause */
#include <uboost/version.h>

int ub_library_version(void)
{
    return UB_VERSION;
}
