/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_VERSION_H
#define UBOOST_VERSION_H

#include <uboost/attr.h>

UB_BEGIN_DECLS

/** Version of the headers. The build takes the library's version from here. */
#define UB_VERSION_MAJOR 0
#define UB_VERSION_MINOR 1
#define UB_VERSION_PATCH 0

/** A version as one number that can be compared. */
#define UB_VERSION_NUM(major, minor, patch) \
    (10000 * (major) + 100 * (minor) + (patch))

/** Version of the headers as one number. */
#define UB_VERSION \
    UB_VERSION_NUM(UB_VERSION_MAJOR, UB_VERSION_MINOR, UB_VERSION_PATCH)

/** Version of the library that is running, comparable with UB_VERSION. */
UB_API
int ub_library_version(void);

UB_END_DECLS

#endif
