/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_ATTR_H
#define UBOOST_ATTR_H

/*
 * UB_API marks what the library exports; UB_API_CHECK does so for calls
 * whose result must not be dropped.
 */
#if defined(__GNUC__)
#define UB_API       __attribute__((visibility("default")))
#define UB_API_CHECK __attribute__((visibility("default"), warn_unused_result))
#else
#define UB_API
#define UB_API_CHECK
#endif

#ifdef __cplusplus
#define UB_BEGIN_DECLS extern "C" {
#define UB_END_DECLS   }
#else
#define UB_BEGIN_DECLS
#define UB_END_DECLS
#endif

#endif
