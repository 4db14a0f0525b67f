/* SPDX-License-Identifier: BSD-2-Clause */
#define _POSIX_C_SOURCE 200809L

#include "bench.h"

#include "common/command_line.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define MOST_RUNS   10000
/* A run is to last so long; shorter calls are repeated in it. */
#define RUN_SECONDS 1e-3

double bench_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double) now.tv_sec + 1e-9 * (double) now.tv_nsec;
}

void bench_check(bench *b, ub_status status)
{
    if (status == UB_OK)
        return;
    fprintf(stderr, "%s: %s: %s\n", b->name, ub_status_str(status),
            b->context ? ub_context_last_error(b->context) : "");
    exit(1);
}

void *bench_alloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size);

    if (p == NULL) {
        fputs("out of memory\n", stderr);
        exit(1);
    }
    return p;
}

/* -- options -------------------------------------------------------------- */

static void usage(const bench *b, const bench_option *options)
{
    fprintf(stderr, "usage: %s%s [--runs N] [--seconds S]", b->name,
            b->one_thread ? "" : " [--threads N]");
    for (; options && options->name; options++)
        fprintf(stderr, " [%s%s%s]", options->name, options->flag ? "" : " ",
                options->flag ? "" : options->value);
    fputc('\n', stderr);
    exit(1);
}

/* Whether the option is one of all programs, or takes the value. */
static int parse_common(bench *b, const char *name, const char *value)
{
    if (strcmp(name, "--threads") == 0 && !b->one_thread)
        return parse_integer(name, value, 0, 1024, &b->threads);
    if (strcmp(name, "--runs") == 0)
        return parse_integer(name, value, 1, MOST_RUNS, &b->runs);
    if (strcmp(name, "--seconds") == 0)
        return parse_number(name, value, 0.0, 3600.0, &b->seconds);
    return 0;
}

static const bench_option *find_option(const bench_option *options,
                                       const char *name)
{
    for (; options && options->name; options++) {
        if (strcmp(options->name, name) == 0)
            return options;
    }
    return NULL;
}

void bench_open(bench *b, const bench_option *options, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const bench_option *o = find_option(options, argv[i]);
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        int good = 1;

        if (o && o->flag) {
            *o->flag = 1;
            continue;
        }
        if (value == NULL)
            usage(b, options);
        if (o && o->text)
            *o->text = value;
        else if (o)
            good = parse_integer(o->name, value, o->low, o->high, o->integer);
        else
            good = parse_common(b, argv[i], value);
        if (!good)
            usage(b, options);
        i++;
    }
    b->context = open_context(b->one_thread ? 1 : b->threads);
    if (b->context == NULL)
        exit(1);
    b->threads = ub_context_threads(b->context);
}

void bench_close(bench *b)
{
    ub_context_destroy(&b->context);
}

/* -- measuring ------------------------------------------------------------ */

static double time_calls(void (*call)(void *), void *user, int64_t n)
{
    const double begin = bench_seconds();

    for (int64_t i = 0; i < n; i++)
        call(user);
    return (bench_seconds() - begin) / (double) n;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}

/* Between neighbours where it falls between them. */
static double quantile(const double *sorted, int64_t n, double q)
{
    const double at = q * (double) (n - 1);
    const int64_t i = (int64_t) at;

    if (i + 1 >= n)
        return sorted[n - 1];
    return sorted[i] + (at - (double) i) * (sorted[i + 1] - sorted[i]);
}

static double peak_mib(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double) usage.ru_maxrss / 1024.0; /* Linux counts in KiB */
}

void bench_measure(bench *b, void (*call)(void *), void *user, bench_times *t)
{
    double *times = bench_alloc(MOST_RUNS, sizeof(*times));
    double begin = time_calls(call, user, 1);
    int64_t calls = 1, n = 0;

    if (begin < 10.0 * RUN_SECONDS) {
        const double once = time_calls(call, user, 1);

        if (once < RUN_SECONDS)
            calls = (int64_t) (RUN_SECONDS / (once > 1e-9 ? once : 1e-9)) + 1;
    }
    begin = bench_seconds();
    while (n < MOST_RUNS &&
           (n < b->runs || bench_seconds() - begin < b->seconds))
        times[n++] = time_calls(call, user, calls);
    qsort(times, (size_t) n, sizeof(*times), by_value);
    t->runs = n;
    t->median = quantile(times, n, 0.5);
    t->min = times[0];
    t->max = times[n - 1];
    t->quartile1 = quantile(times, n, 0.25);
    t->quartile3 = quantile(times, n, 0.75);
    t->peak_mib = peak_mib();
    free(times);
}

/* -- lines ---------------------------------------------------------------- */

/* As a JSON string without its quotes; elsewhere than on Linux "unknown". */
static void processor(char *name, size_t size)
{
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[512];

    snprintf(name, size, "unknown");
    while (file && fgets(line, sizeof(line), file)) {
        const char *colon = strchr(line, ':');

        if (strncmp(line, "model name", 10) != 0 || colon == NULL)
            continue;
        colon += 1 + (colon[1] == ' ');
        snprintf(name, size, "%.*s", (int) strcspn(colon, "\n"), colon);
        break;
    }
    if (file)
        fclose(file);
    for (char *c = name; *c; c++) {
        if (*c == '"' || *c == '\\' || (unsigned char) *c < ' ')
            *c = ' ';
    }
}

static double in_unit(const char *unit)
{
    return strcmp(unit, "ns") == 0   ? 1e9
           : strcmp(unit, "us") == 0 ? 1e6
           : strcmp(unit, "ms") == 0 ? 1e3
                                     : 1.0;
}

void bench_report(bench *b, const bench_times *t, const char *unit,
                  const char *format, ...)
{
    static char cpu[128];
    va_list list;

    if (cpu[0] == '\0')
        processor(cpu, sizeof(cpu));
    printf("{\"bench\": \"%s\", ", b->name);
    va_start(list, format);
    vprintf(format, list);
    va_end(list);
    if (t) {
        const double f = in_unit(unit);

        printf(", \"median_%s\": %.4g, \"min_%s\": %.4g, \"max_%s\": %.4g, "
               "\"quartile1_%s\": %.4g, \"quartile3_%s\": %.4g, \"runs\": %lld",
               unit, f * t->median, unit, f * t->min, unit, f * t->max, unit,
               f * t->quartile1, unit, f * t->quartile3, (long long) t->runs);
    }
    printf(", \"threads\": %lld, \"peak_rss_mib\": %.0f, \"cpu\": \"%s\"}\n",
           (long long) b->threads, t ? t->peak_mib : peak_mib(), cpu);
    fflush(stdout);
}
