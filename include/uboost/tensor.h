/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_TENSOR_H
#define UBOOST_TENSOR_H

#include <uboost/base.h>

/**
 * @file
 * @defgroup tensor tensor
 * float32 arrays, and the safetensors file format.
 * @{
 */

UB_BEGIN_DECLS

/** Highest rank of a tensor. */
#define UB_TENSOR_MAX_RANK 8

/**
 * Dense, contiguous, row-major float32 array; shape[0] is outermost. Images
 * are N, C, H, W. Rank 0 is a scalar. Reference counted; views share storage.
 *
 * Thread-safety: as its context.
 */
typedef struct ub_tensor ub_tensor;

/**
 * Create a tensor of zeros.
 *
 * @param context   where errors go and memory comes from; must outlive it
 * @param rank      0 to UB_TENSOR_MAX_RANK
 * @param shape     rank extents, each at least 1; NULL when rank is 0
 * @param[out] out  the tensor, one reference, owned by the caller
 *
 * @retval UB_ERR_INVALID  a bad rank or extent
 * @retval UB_ERR_RANGE    more than 2^40 elements
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_tensor_create(ub_context *context, int rank, const int64_t *shape,
                           ub_tensor **out);

/**
 * Another shape over the same storage and the same number of elements.
 *
 * @param tensor    its storage lives on in the view
 * @param rank      rank of the view
 * @param shape     extents of the view
 * @param[out] out  the view, one reference, owned by the caller
 *
 * @retval UB_ERR_SHAPE    the number of elements differs
 * @retval UB_ERR_INVALID  a bad rank or extent
 * @retval UB_ERR_RANGE    more than 2^40 elements
 * @retval UB_ERR_NOMEM    out of memory
 */
UB_API_CHECK
ub_status ub_tensor_view(ub_tensor *tensor, int rank, const int64_t *shape,
                         ub_tensor **out);

/** Take one more reference; returns its argument. */
UB_API
ub_tensor *ub_tensor_ref(ub_tensor *tensor);

/** Drop a reference and set the pointer to NULL; NULL is allowed. */
UB_API
void ub_tensor_unref(ub_tensor **tensor);

/** The context it was created in. */
UB_API
ub_context *ub_tensor_context(const ub_tensor *tensor);

/** Number of dimensions. */
UB_API
int ub_tensor_rank(const ub_tensor *tensor);

/** Extents, ub_tensor_rank() of them; owned by the tensor. */
UB_API
const int64_t *ub_tensor_shape(const ub_tensor *tensor);

/** Number of elements. */
UB_API
int64_t ub_tensor_count(const ub_tensor *tensor);

/** First element, 64-byte aligned; writable, owned by the tensor. */
UB_API
float *ub_tensor_data(const ub_tensor *tensor);

/** Set every element. */
UB_API
void ub_tensor_fill(ub_tensor *tensor, float value);

/** Copy all elements from another tensor of the same shape.
 *
 * @param tensor  written
 * @param from    read
 * @retval UB_ERR_SHAPE  the shapes differ; nothing is copied
 */
UB_API_CHECK
ub_status ub_tensor_copy(ub_tensor *tensor, const ub_tensor *from);

/**
 * Named tensors and texts in one file: the safetensors format, F32 only.
 *
 * Thread-safety: as its context.
 */
typedef struct ub_archive ub_archive;

/** Create an empty archive. */
UB_API_CHECK
ub_status ub_archive_create(ub_context *context, ub_archive **out);

/** Destroy an archive and set the pointer to NULL; NULL is allowed. */
UB_API
void ub_archive_destroy(ub_archive **archive);

/**
 * Add a tensor under a name that is not in use (UB_ERR_INVALID otherwise, as
 * for an empty one, "__metadata__" and what is not UTF-8). The archive takes a
 * reference, not a copy.
 */
UB_API_CHECK
ub_status ub_archive_add(ub_archive *archive, const char *name,
                         ub_tensor *tensor);

/** Set a text of the file's metadata, copied; replaces one of the same key.
 * Both are UTF-8 (UB_ERR_INVALID otherwise). */
UB_API_CHECK
ub_status ub_archive_set_text(ub_archive *archive, const char *key,
                              const char *text);

/** Number of tensors. */
UB_API
int64_t ub_archive_count(const ub_archive *archive);

/** Name of tensor number `index` in file order, or NULL. */
UB_API
const char *ub_archive_name(const ub_archive *archive, int64_t index);

/** The tensor of that name, borrowed, or NULL. */
UB_API
ub_tensor *ub_archive_find(const ub_archive *archive, const char *name);

/** The metadata text of that key, borrowed, or NULL. */
UB_API
const char *ub_archive_text(const ub_archive *archive, const char *key);

/**
 * Read a safetensors file. Everything in its header is checked: lengths,
 * offsets (in order, without gaps or overlaps), types, shapes, names.
 *
 * @param context   where the tensors live
 * @param path      the file
 * @param[out] out  the archive, owned by the caller; untouched on failure
 *
 * @retval UB_ERR_IO           the file cannot be read
 * @retval UB_ERR_FORMAT       it is damaged or no safetensors file
 * @retval UB_ERR_UNSUPPORTED  it holds a type other than F32, a tensor without
 *                             elements, or one of more than UB_TENSOR_MAX_RANK
 *                             dimensions
 * @retval UB_ERR_NOMEM        out of memory
 */
UB_API_CHECK
ub_status ub_archive_read(ub_context *context, const char *path,
                          ub_archive **out);

/**
 * Write a safetensors file under a temporary name, then rename. The same
 * content gives the same bytes: tensors in the order they were added, metadata
 * sorted by key. UB_ERR_RANGE for names and texts of more than 64 MiB, which
 * ub_archive_read() would refuse.
 */
UB_API_CHECK
ub_status ub_archive_write(const ub_archive *archive, const char *path);

UB_END_DECLS

/** @} */

#endif
