/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_BASE_H
#define UBOOST_BASE_H

#include <stddef.h>
#include <stdint.h>

#include <uboost/attr.h>

/**
 * @file
 * @defgroup base base
 * Context, status, log and progress callbacks, random numbers.
 * @{
 */

UB_BEGIN_DECLS

/**
 * Result of every call that can fail. Zero is success, errors are negative.
 * Values are never renumbered or reused; new ones may be added in a minor
 * release, so a switch over a status needs a default.
 */
typedef enum ub_status {
    UB_OK = 0,
    UB_ERR_INVALID = -1,     /**< an argument breaks its documented contract */
    UB_ERR_NOMEM = -2,       /**< the allocator returned NULL */
    UB_ERR_SHAPE = -3,       /**< operand shapes do not fit each other */
    UB_ERR_RANGE = -4,       /**< a size or count would overflow */
    UB_ERR_IO = -5,          /**< reading or writing a file failed */
    UB_ERR_FORMAT = -6,      /**< a file is not what it claims to be */
    UB_ERR_UNSUPPORTED = -7, /**< valid, but not implemented in this build */
    UB_ERR_NUMERIC = -8,     /**< a NaN or infinity where none may be */
    UB_ERR_INTERRUPTED = -9  /**< the progress callback asked to stop */
} ub_status;

/** The name of a status, such as "UB_ERR_SHAPE"; never NULL. */
UB_API
const char *ub_status_str(ub_status status);

/**
 * Memory functions of a context. Both are called only in the thread that calls
 * the library, never in a worker thread. What jansson, zlib, libpng and libjpeg
 * allocate while a file is read or written, and BLIS for its buffers, comes
 * from malloc() instead.
 */
typedef struct ub_allocator {
    size_t size; /**< sizeof(ub_allocator), set by the caller */

    /** Return bytes of memory at a multiple of alignment (a power of two, at
     * most 64), or NULL. bytes is never 0. */
    void *(*alloc)(void *user, size_t bytes, size_t alignment);

    /** Give back what alloc returned for the same number of bytes. */
    void (*free)(void *user, void *memory, size_t bytes);

    void *user; /**< handed to both */
} ub_allocator;

/** How much is logged. Errors are returned, not logged. */
typedef enum ub_log_level {
    UB_LOG_WARNING = 1, /**< something was ignored or repaired */
    UB_LOG_INFO = 2,    /**< what was chosen, where a choice was open */
    UB_LOG_DEBUG = 3    /**< for the library's authors */
} ub_log_level;

/** Receives one finished line, without a newline. */
typedef void (*ub_log_fn)(void *user, ub_log_level level, const char *line);

/** How far a long call has come. What does not apply is 0 or NULL. */
typedef struct ub_progress {
    size_t size;              /**< sizeof(ub_progress), set by the library */
    const char *stage;        /**< name of the stage, such as "micro" */
    int64_t epoch;            /**< epochs finished in this stage */
    int64_t epochs;           /**< epochs of this stage */
    int64_t step;             /**< batches finished in this epoch */
    int64_t steps;            /**< batches of this epoch */
    double loss;              /**< mean loss of this epoch so far */
    double accuracy;          /**< mean accuracy of this epoch, 0 to 1 */
    double latency_ms;        /**< latency in the loss, last step */
    double utilization;       /**< utilization in the loss, last step: the sum
                                   over the cells, so it may exceed 1 */
    double images_per_second; /**< in this epoch */
    double seconds_left;      /**< until this stage ends; an estimate */
} ub_progress;

/**
 * Called between two steps of a long call, in the calling thread. A result
 * other than 0 asks the call to stop at a point from which it can be resumed;
 * it then returns UB_ERR_INTERRUPTED.
 */
typedef int (*ub_progress_fn)(void *user, const ub_progress *progress);

/** Settings of a context. Fill with ub_context_options_init() first. */
typedef struct ub_context_options {
    size_t size;                   /**< set by ub_context_options_init() */
    const ub_allocator *allocator; /**< NULL: the C library's; copied */
    ub_log_fn log;                 /**< NULL: silent (default) */
    void *log_user;                /**< handed to log */
    ub_progress_fn progress;       /**< NULL: none (default) */
    void *progress_user;           /**< handed to progress */
    int32_t log_level;             /**< the most verbose ub_log_level passed
                                        on, 0 for none; UB_LOG_INFO by default */
    int32_t threads;          /**< 1 by default; 0: one per online processor */
    int32_t portable_kernels; /**< 1: no vector extensions in kernels of our
                                   own; BLIS still chooses its matrix
                                   product by the processor; default 0 */
    int32_t reserved;         /**< 0 */
} ub_context_options;

/**
 * Context. Holds the allocator, the callbacks, the worker threads and the
 * text of the last error.
 *
 * Thread-safety: a context and all objects created in it belong to one thread
 * at a time. Distinct contexts share nothing and may be used in parallel.
 */
typedef struct ub_context ub_context;

/**
 * Set every option to its default.
 *
 * @param options  options to fill
 * @param size     sizeof(*options) as the caller sees it; no byte beyond is
 *                 touched, so a program built against older headers stays
 *                 correct
 */
UB_API
void ub_context_options_init(ub_context_options *options, size_t size);

/**
 * Create a context.
 *
 * @param options   settings, or NULL for the defaults; not kept
 * @param[out] out  the new context, owned by the caller; untouched on failure
 *
 * @retval UB_ERR_INVALID      an option is out of its range
 * @retval UB_ERR_UNSUPPORTED  options has a field this library does not know
 * @retval UB_ERR_NOMEM        the allocator, or starting a thread, failed
 */
UB_API_CHECK
ub_status ub_context_create(const ub_context_options *options,
                            ub_context **out);

/**
 * Destroy a context and set the pointer to NULL; NULL is allowed. Everything
 * created in the context must have been destroyed before.
 */
UB_API
void ub_context_destroy(ub_context **context);

/** Number of threads that work for the context, the caller's included. */
UB_API
int ub_context_threads(const ub_context *context);

/**
 * One-line English account of the last failed call on this context, or "".
 *
 * Meaningful right after a call that returned an error; a successful call
 * leaves it alone. The string is owned by the context and is valid until the
 * next call that fails on it.
 */
UB_API
const char *ub_context_last_error(const ub_context *context);

/**
 * Random number generator: xoshiro256** seeded by splitmix64. A plain value;
 * copying it copies the sequence, storing it stores the state.
 */
typedef struct ub_rng {
    uint64_t state[4]; /**< not all zero */
} ub_rng;

/**
 * Start a sequence. Different streams of one seed are unrelated sequences, so
 * that one seed can serve initialisation, shuffling and sampling apart.
 */
UB_API
void ub_rng_init(ub_rng *rng, uint64_t seed, uint64_t stream);

/** The next 64 random bits. */
UB_API
uint64_t ub_rng_u64(ub_rng *rng);

/** Uniform over 0 .. n - 1 without bias; 0 when n is 0. */
UB_API
uint64_t ub_rng_below(ub_rng *rng, uint64_t n);

/** Uniform in [0, 1), a multiple of 2^-53. */
UB_API
double ub_rng_uniform(ub_rng *rng);

/** Normal with mean 0 and variance 1 (Box-Muller, one of the pair). */
UB_API
double ub_rng_normal(ub_rng *rng);

/** Standard Gumbel: -log(-log(u)), always finite. */
UB_API
double ub_rng_gumbel(ub_rng *rng);

/** Shuffle n integers in place (Fisher-Yates). */
UB_API
void ub_rng_shuffle(ub_rng *rng, int64_t *items, size_t n);

UB_END_DECLS

/** @} */

#endif
