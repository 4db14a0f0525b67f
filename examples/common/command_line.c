/* SPDX-License-Identifier: BSD-2-Clause */
#define _POSIX_C_SOURCE 200809L

#include "common/command_line.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FASHION_MNIST "/usr/share/datasets/fashion-mnist"

int parse_integer(const char *option, const char *text, int64_t low,
                  int64_t high, int64_t *out)
{
    char *end;
    long long value;

    errno = 0;
    value = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || value < low ||
        value > high) {
        fprintf(stderr,
                "%s %s: expected a whole number from %" PRId64 " to %" PRId64
                "\n",
                option, text, low, high);
        return 0;
    }
    *out = value;
    return 1;
}

int parse_number(const char *option, const char *text, double low, double high,
                 double *out)
{
    char *end;
    const double value = strtod(text, &end);

    if (end == text || *end != '\0' || !(value >= low && value <= high)) {
        fprintf(stderr, "%s %s: expected a number from %g to %g\n", option,
                text, low, high);
        return 0;
    }
    *out = value + 0.0; /* folders and lists know one zero: -0 is 0 */
    return 1;
}

int parse_choice(const char *option, const char *text,
                 const char *(*name)(int32_t), int32_t *out)
{
    for (int32_t i = 0; name(i) != NULL; i++) {
        if (strcmp(text, name(i)) == 0) {
            *out = i;
            return 1;
        }
    }
    fprintf(stderr, "%s %s: expected %s", option, text, name(0));
    for (int32_t i = 1; name(i) != NULL; i++)
        fprintf(stderr, "%s%s", name(i + 1) == NULL ? " or " : ", ", name(i));
    fputc('\n', stderr);
    return 0;
}

int next_part(const char **text, char between, char *out, size_t size)
{
    const char *begin = *text, *end;
    size_t n;

    if (begin == NULL)
        return 0;
    end = strchr(begin, between);
    n = end ? (size_t) (end - begin) : strlen(begin);
    *text = end ? end + 1 : NULL;
    if (n >= size) {
        begin = "...";
        n = 3;
    }
    memcpy(out, begin, n);
    out[n] = '\0';
    return 1;
}

int parse_three(const char *option, const char *text, char between,
                int64_t *const to[3], int64_t least_last)
{
    const char *at = text;
    char item[32];
    int n = 0;

    for (; n < 3 && next_part(&at, between, item, sizeof(item)); n++) {
        if (!parse_integer(option, item, n == 2 ? least_last : 0, 1 << 20,
                           to[n]))
            return 0;
    }
    if (n == 3 && at == NULL)
        return 1;
    fprintf(stderr, "%s %s: expected three numbers A%cB%cC\n", option, text,
            between, between);
    return 0;
}

int parse_array(const char *option, const char *text, int64_t *rows,
                int64_t *columns)
{
    char first[32];
    const char *cross = strchr(text, 'x');

    if (cross == NULL || cross == text ||
        (size_t) (cross - text) >= sizeof(first)) {
        fprintf(stderr, "%s %s: expected rows and columns, such as 16x32\n",
                option, text);
        return 0;
    }
    memcpy(first, text, (size_t) (cross - text));
    first[cross - text] = '\0';
    return parse_integer(option, first, 1, 1 << 16, rows) &&
           parse_integer(option, cross + 1, 1, 1 << 16, columns);
}

int finish_output(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 1;
    fprintf(stderr, "standard output: %s\n",
            errno ? strerror(errno) : "cannot be written");
    return 0;
}

int parse_command_line(int argc, char **argv, const struct option *options,
                       const char *const *help, const char **values)
{
    const int first = options[0].val;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option < first) {
            const char *slash = strrchr(argv[0], '/');

            fprintf(stderr, "see %s --help\n", slash ? slash + 1 : argv[0]);
            return 0;
        }
        if (strcmp(options[option - first].name, "help") == 0) {
            for (; *help != NULL; help++)
                fputs(*help, stdout);
            exit(finish_output() ? 0 : 1);
        }
        values[option - first] = optarg ? optarg : "";
    }
    if (optind < argc) {
        fprintf(stderr, "%s: unexpected argument\n", argv[optind]);
        return 0;
    }
    return 1;
}

/* -- progress ------------------------------------------------------------- */

/* Several threads may ask, and the signal may come in any. */
static atomic_int stop;

static void on_interrupt(int number)
{
    (void) number;
    stop = 1;
}

int interrupted(void)
{
    return stop != 0;
}

void catch_interrupt(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = on_interrupt;
    /* A second one ends the program the usual way. */
    action.sa_flags = (int) SA_RESETHAND;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* Without what does not apply: polishing sees no images. */
static void print_line(const ub_progress *p, const char *end)
{
    const int left = (int) fmin(p->seconds_left, 359999.0);
    const int images = p->images_per_second > 0.0;

    fprintf(stderr,
            "%-8s epoch %" PRId64 "/%" PRId64 " step %" PRId64 "/%" PRId64
            "  loss %.3f",
            p->stage, p->epoch + 1, p->epochs, p->step, p->steps, p->loss);
    if (images)
        fprintf(stderr, "  accuracy %.3f", p->accuracy);
    if (p->latency_ms > 0.0)
        fprintf(stderr, "  latency %.4g ms", p->latency_ms);
    if (p->utilization > 0.0)
        fprintf(stderr, "  sum of utilizations %.3f", p->utilization);
    if (images)
        fprintf(stderr, "  %.0f images/s  %d:%02d:%02d left",
                p->images_per_second, left / 3600, left / 60 % 60, left % 60);
    fputs(end, stderr);
}

int print_progress(void *user, const ub_progress *progress)
{
    const int last = progress->step == progress->steps;

    (void) user;
    if (isatty(STDERR_FILENO))
        print_line(progress, last ? "\033[K\n" : "\033[K\r");
    else if (last)
        print_line(progress, "\n");
    return interrupted();
}

static void print_warning(void *user, ub_log_level level, const char *line)
{
    (void) user;
    (void) level;
    fprintf(stderr, "warning: %s\n", line);
}

ub_context *open_context_with(int64_t threads, ub_progress_fn progress,
                              void *user)
{
    ub_context_options options;
    ub_context *context = NULL;
    ub_status status;

    ub_context_options_init(&options, sizeof(options));
    options.threads = (int32_t) threads;
    options.progress = progress;
    options.progress_user = user;
    options.log = print_warning;
    options.log_level = UB_LOG_WARNING;
    status = ub_context_create(&options, &context);
    if (status != UB_OK)
        fprintf(stderr, "cannot start: %s\n", ub_status_str(status));
    return context;
}

ub_context *open_context(int64_t threads)
{
    return open_context_with(threads, print_progress, NULL);
}

/* -- data and files ------------------------------------------------------- */

static const char *default_data(void)
{
    const char *path = getenv("UBOOST_DATA");

    if (path != NULL && *path != '\0')
        return path;
    return access(FASHION_MNIST, R_OK) == 0 ? FASHION_MNIST : "synthetic";
}

int open_data_quietly(ub_context *context, const char *path, ub_dataset **train,
                      ub_dataset **test)
{
    if (path == NULL)
        path = default_data();
    if (ub_dataset_open(context, path, NULL, train, test) == UB_OK)
        return 1;
    fprintf(stderr, "%s\n", ub_context_last_error(context));
    return 0;
}

int open_data(ub_context *context, const char *path, ub_dataset **train,
              ub_dataset **test)
{
    if (!open_data_quietly(context, path, train, test))
        return 0;
    fprintf(stderr, "data: %s from %s, %" PRId64 " + %" PRId64 " images\n",
            ub_dataset_name(*train), path ? path : default_data(),
            ub_dataset_count(*train), ub_dataset_count(*test));
    return 1;
}

int make_folder(const char *path)
{
    struct stat s;

    if (mkdir(path, 0777) == 0 ||
        (errno == EEXIST && stat(path, &s) == 0 && S_ISDIR(s.st_mode)))
        return 1;
    fprintf(stderr, "%s: cannot create the folder: %s\n", path,
            strerror(errno));
    return 0;
}

ub_status fill_table(const ub_network *network, int64_t batch,
                     const ub_cost_model *simulator, ub_util_table *table)
{
    ub_status status = UB_OK;

    for (int64_t i = 0; i < ub_network_layers(network) && status == UB_OK;
         i++) {
        ub_layer_info info = { .size = sizeof(info) };
        ub_cost_layer layer = { .size = sizeof(layer) };

        status = ub_network_layer(network, i, &info);
        if (status == UB_OK)
            status = ub_cost_layer_from(&info, batch, &layer);
        if (status == UB_OK)
            status = ub_util_table_add(table, &layer, simulator);
    }
    return status;
}

void print_result(const ub_search_result *r, const ub_search_options *o)
{
    const int by_table = o->hardware == UB_SEARCH_BLACKBOX ||
                         o->hardware == UB_SEARCH_BLACKBOX_INTERP;
    const int64_t model_batch = by_table && o->table_batch > 0 ? o->table_batch
                                                               : o->hw_batch;

    printf("%-24s %.4f\n", "test accuracy", r->test_accuracy);
    printf("%-24s %" PRId64 "\n", "parameters", r->parameters);
    printf("%-24s %" PRId64 "\n", "MACs per image", r->macs);
    printf("%-24s %.6g ms, utilization %.3f (batch %" PRId64 ")\n", "model",
           r->model_latency_ms, r->model_utilization, model_batch);
    printf("%-24s %.0f cycles, %.6g ms, utilization %.3f (batch 1)\n",
           "simulated", r->simulated_cycles, r->simulated_latency_ms,
           r->simulated_utilization);
    printf("%-24s %.0f cycles, %.6g ms, utilization %.3f (batch %" PRId64 ")\n",
           "simulated", r->simulated_cycles_hw_batch,
           r->simulated_latency_ms_hw_batch, r->simulated_utilization_hw_batch,
           o->hw_batch);
    if (o->polish)
        printf("%-24s %.6g ms, %" PRId64 " moves\n", "before polishing",
               r->searched_latency_ms, r->polish_moves);
    printf("%-24s %.1f + %.1f + %.1f\n", "seconds", r->seconds[0],
           r->seconds[1], r->seconds[2]);
}
