/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_BASE_FILE_H
#define UBOOST_LIB_BASE_FILE_H

#include "base/base.h"

/* "path: what: reason" with the reason for errno value `error`; the status is
 * UB_ERR_IO. */
ub_status ub__fail_errno(ub_context *context, const char *path,
                         const char *what, int error);

#endif
