/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_LIB_BASE_H
#define UBOOST_LIB_BASE_H

#include <uboost/base.h>

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>

/* -- errors and log ------------------------------------------------------- */

#define UB__PRINTF(text, first) __attribute__((format(printf, text, first)))

/* Record the sentence and return the status: `return ub__fail(...)`. */
UB__PRINTF(3, 4)
ub_status ub__fail(ub_context *context, ub_status status, const char *format,
                   ...);

/* Put "prefix: " before the last error, to say where it happened. */
UB__PRINTF(3, 4)
ub_status ub__fail_within(ub_context *context, ub_status status,
                          const char *format, ...);

UB__PRINTF(3, 4)
void ub__log(ub_context *context, ub_log_level level, const char *format, ...);

/* 0, or UB_ERR_INTERRUPTED when the callback asks to stop. */
ub_status ub__progress(ub_context *context, ub_progress *progress);

/* Read a sized struct of any age: short ones keep what dst holds (defaults),
 * unknown tails must be zero. v1_size is the size in the first release. A NULL
 * src leaves dst as it is. */
ub_status ub__options_in(ub_context *context, const char *name, void *dst,
                         size_t dst_size, size_t v1_size, const void *src);

/* Fill the first `size` bytes of a sized struct from a full one, zeros beyond
 * src_size; dst says `size` then. */
void ub__options_out(void *dst, size_t size, const void *src, size_t src_size);

/* One of several structs of `size` bytes in a row, by its name among as many
 * that end in NULL, as ub__options_out() gives it to the size that dst says.
 * UB_ERR_INVALID, and nothing changed, without one or without dst. */
ub_status ub__options_preset(void *dst, const void *presets, size_t size,
                             const char *const *names, const char *name);

/* A number of an options struct: its name in errors and in files, and its
 * range. Integers lie within 2^53. */
typedef enum ub__option_kind {
    UB__OPTION_INT32,
    UB__OPTION_INT64,
    UB__OPTION_DOUBLE
} ub__option_kind;

typedef struct ub__option_row {
    const char *name;
    size_t offset;
    ub__option_kind kind;
    double low, high;
} ub__option_row;

#define UB__OPTION_KIND(field)           \
    _Generic((field), int32_t            \
             : UB__OPTION_INT32, int64_t \
             : UB__OPTION_INT64, double  \
             : UB__OPTION_DOUBLE)
#define UB__OPTION_ROW(type, field, low, high)                 \
    {                                                          \
#field, offsetof(type, field),                         \
            UB__OPTION_KIND(((type *) NULL)->field), low, high \
    }

/* Of a row that is an integer; of any row. */
int64_t ub__option_integer(const void *options, const ub__option_row *row);
double ub__option_real(const void *options, const ub__option_row *row);

/* UB_ERR_INVALID for the first of n numbers that is out of its range; `what`
 * begins the error. */
ub_status ub__options_check(ub_context *context, const char *what,
                            const void *options, const ub__option_row *rows,
                            size_t n);
/* Members of an object, in their order. 0, or 1 without memory. */
int ub__options_json(json_t *root, const void *options,
                     const ub__option_row *rows, size_t n);

/* -- memory --------------------------------------------------------------- */

/* Everything here is for the context's own thread: not inside ub__parallel()
 * tasks, not in background jobs. The same holds for ub__fail() and ub__log().
 */

#define UB__ALIGNMENT ((size_t) 64)

/* Uninitialised / zeroed memory; NULL and the error text on failure. n * size
 * is checked for overflow. n == 0 gives a unique pointer. */
void *ub__alloc(ub_context *context, size_t n, size_t size);
void *ub__calloc(ub_context *context, size_t n, size_t size);
/* Grow to n_new elements; on failure the old block is untouched. */
void *ub__realloc(ub_context *context, void *memory, size_t n_old, size_t n_new,
                  size_t size);
void ub__free(ub_context *context, void *memory);
char *ub__strdup(ub_context *context, const char *text);

/* Large short-lived blocks (activations, gradients): freed blocks are kept by
 * size and handed out again, so that a training step does not return pages to
 * the system and fault them in anew. */
void *ub__block_alloc(ub_context *context, size_t bytes);
void ub__block_free(ub_context *context, void *block);
void ub__block_trim(ub_context *context);

/* Checked products and sums of sizes: 0 on overflow or negative input. */
int ub__mul_size(size_t a, size_t b, size_t *out);
int ub__mul_int64(int64_t a, int64_t b, int64_t *out);

/* -- threads -------------------------------------------------------------- */

typedef void (*ub__task_fn)(void *arg, int64_t task, int worker);

/* Run tasks 0 .. n - 1 on the pool, caller included; returns when all are
 * done. Tasks are claimed in any order by any worker (0 .. threads - 1), so
 * whatever is summed must be summed per task, then in task order. Calls do
 * not nest. */
void ub__parallel(ub_context *context, int64_t n, ub__task_fn fn, void *arg);

/* Scratch memory for each worker, and for all of them together, kept until the
 * context goes. Reserve before ub__parallel(), fetch inside; contents are
 * undefined. */
typedef struct ub__scratch_size {
    size_t worker, shared; /* bytes */
} ub__scratch_size;

ub_status ub__scratch_reserve(ub_context *context, ub__scratch_size size);
void *ub__scratch(ub_context *context, int worker);
void *ub__scratch_shared(ub_context *context);

/* Elements [*begin, *end) of part `part` of `parts` of n, in whole multiples
 * of `grain`. Depends on nothing else. */
void ub__split(int64_t n, int64_t grain, int64_t parts, int64_t part,
               int64_t *begin, int64_t *end);

/* One background thread that runs a job at a time (prefetch); start waits for
 * the job before. The job must not touch the context. */
typedef struct ub__background ub__background;
ub_status ub__background_create(ub_context *context, ub__background **out);
void ub__background_destroy(ub__background **background); /* waits */
void ub__background_start(ub__background *background, void (*fn)(void *),
                          void *arg);
void ub__background_wait(ub__background *background);

/* Monotonic seconds. For progress and reports, never for decisions. */
double ub__seconds(void);

int ub__context_portable(const ub_context *context);

/* -- files ---------------------------------------------------------------- */

/* A whole file of at most `limit` bytes (UB_ERR_RANGE beyond); the buffer is
 * ub__alloc()ed and has a NUL behind it. */
ub_status ub__file_read(ub_context *context, const char *path, size_t limit,
                        void **out_data, size_t *out_size);
/* Written to a temporary name beside it, synced, renamed. A symbolic link
 * stays, and what it points to is written. */
ub_status ub__file_write(ub_context *context, const char *path,
                         const void *data, size_t size);
/* The same, streamed; a device or a pipe is written to as it is. commit or
 * abort ends it. */
typedef struct ub__writer ub__writer;
ub_status ub__writer_open(ub_context *context, const char *path,
                          ub__writer **out);
ub_status ub__writer_put(ub__writer *writer, const void *data, size_t size);
ub_status ub__writer_commit(ub__writer **writer);
void ub__writer_abort(ub__writer **writer);
int ub__file_exists(const char *path);
int ub__is_folder(const char *path);
/* Names of a folder's entries (not . and ..), sorted by bytes; freed in one
 * ub__free(). */
ub_status ub__folder_list(ub_context *context, const char *path,
                          char ***out_names, size_t *out_n);
/* "folder/name", ub__alloc()ed. */
char *ub__path_join(ub_context *context, const char *folder, const char *name);

/* A regular file of at most `limit` bytes, mapped for reading: pages come from
 * the file when they are touched, so it must not be cut meanwhile. An empty
 * file has no data. */
typedef struct ub__mapping {
    const void *data;
    size_t size;
} ub__mapping;
ub_status ub__file_map(ub_context *context, const char *path, size_t limit,
                       ub__mapping *out);
void ub__file_unmap(ub__mapping *map);

/* -- numbers -------------------------------------------------------------- */

/* The decimal number that a text begins with ("-1.5e-3"; no blanks, hex, inf
 * or nan), rounded to the nearest double in every locale; infinite beyond the
 * largest. Returns its length, 0 if there is none. */
size_t ub__parse_double(const char *text, size_t size, double *out);

/* -- JSON (jansson) ------------------------------------------------------- */

/* Duplicate keys, NaN, trailing text and files over 64 MiB are refused. The
 * error names file and line. */
ub_status ub__json_read(ub_context *context, const char *path, json_t **out);
ub_status ub__json_parse(ub_context *context, const char *name,
                         const char *text, size_t size, json_t **out);
/* Indented, keys in insertion order, 17 digits, newline at the end. */
ub_status ub__json_write(ub_context *context, const char *path,
                         const json_t *root);

/* Arrays of numbers; NULL without memory, or when one is not finite. */
json_t *ub__json_integers(const int64_t *values, int64_t n);
json_t *ub__json_int32s(const int32_t *values, int64_t n);
json_t *ub__json_reals(const double *values, int64_t n);

/* Typed access to a required member; `where` names the object in the error,
 * such as "network.json: layers[3]". Numbers must lie in [low, high]. */
ub_status ub__json_int(ub_context *context, const char *where,
                       const json_t *object, const char *key, int64_t low,
                       int64_t high, int64_t *out);
ub_status ub__json_double(ub_context *context, const char *where,
                          const json_t *object, const char *key, double low,
                          double high, double *out);
ub_status ub__json_string(ub_context *context, const char *where,
                          const json_t *object, const char *key,
                          const char **out);
ub_status ub__json_array(ub_context *context, const char *where,
                         const json_t *object, const char *key, size_t limit,
                         json_t **out);

#endif
