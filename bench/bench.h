/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <uboost/uboost.h>

/*
 * What all benchmark programs share: options, repeated runs, one JSON line for
 * each case. What fails ends the program.
 *
 * Every program takes --threads N (unless it uses one anyway), --runs N (the
 * fewest of a case) and --seconds S (the least of a case).
 */

typedef struct bench {
    const char *name; /* "bench" of the lines */
    int64_t runs;     /* the fewest; set by the program, then by --runs */
    double seconds;   /* the least; likewise by --seconds */
    int64_t threads;  /* likewise; 0: all online processors */
    int one_thread;   /* 1: the case has no use for more, no --threads */
    ub_context *context;
} bench;

/* An option of a program's own: exactly one of the pointers is set. A flag
 * takes no value. A name of NULL ends the list. */
typedef struct bench_option {
    const char *name, *value; /* "--batch", "N" */
    int64_t *integer;
    int64_t low, high; /* of the integer */
    const char **text;
    int *flag;
} bench_option;

/* Seconds of a run; the quartiles are those of the runs in order. */
typedef struct bench_times {
    int64_t runs;
    double median, min, max, quartile1, quartile3;
    double peak_mib; /* the process's peak memory after the runs */
} bench_times;

/* Read the command line and create the context. */
void bench_open(bench *b, const bench_option *options, int argc, char **argv);
void bench_close(bench *b);

/* End the program with the context's last error unless all is well. */
void bench_check(bench *b, ub_status status);
void *bench_alloc(size_t n, size_t size);

/* Monotonic. */
double bench_seconds(void);

/* Call until there are enough runs. The first call is not counted: it
 * allocates. Calls too short for the clock are timed by the hundred. */
void bench_measure(bench *b, void (*call)(void *), void *user, bench_times *t);

/* One line: "bench", what the format says, the times in `unit` ("ns", "us",
 * "ms" or "s"), runs, threads, peak memory and processor. The times may be NULL
 * where only the peak is told. */
void bench_report(bench *b, const bench_times *t, const char *unit,
                  const char *format, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 4, 5)))
#endif
    ;

#endif
