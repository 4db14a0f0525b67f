/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * U-Boost NAS on CIFAR-10 (or what --data names): micro-architecture search,
 * channel search, final training, test, and the cost of the result.
 */
#define _POSIX_C_SOURCE 200809L

#include "common/command_line.h"
#include "common/run_in_folder.h"
#include "common/search_options.h"

#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: search_cifar10 [options]\n"
    "\n"
    "  --data PATH       CIFAR .tar.gz or folder, IDX files, a folder of\n"
    "                    images by class, or \"synthetic\"; default:\n"
    "                    $UBOOST_DATA, then Debian's Fashion-MNIST, then\n"
    "                    synthetic\n"
    "  --hw NAME         cost model in the loss: systolic, flops, roofline,\n"
    "                    blackbox, systolic-full, blackbox-interp or\n"
    "                    roofline-published\n"
    "                    (systolic)\n"
    "  --lambda F        weight of the latency in ms (0.5)\n"
    "  --seed N          of everything random (1)\n"
    "  --threads N       (all online processors)\n"
    "  --out DIR         folder for the results (search-out)\n"
    "  --resume          go on with the run in --out\n"
    "  --help            this text\n";

enum { DATA = 256, HW, LAMBDA, SEED, THREADS, OUT, RESUME, HELP, SEARCH };

static const struct option own_options[] = {
    { "data", required_argument, NULL, DATA },
    { "hw", required_argument, NULL, HW },
    { "lambda", required_argument, NULL, LAMBDA },
    { "seed", required_argument, NULL, SEED },
    { "threads", required_argument, NULL, THREADS },
    { "out", required_argument, NULL, OUT },
    { "resume", no_argument, NULL, RESUME },
    { "help", no_argument, NULL, HELP },
};

enum { N_OWN = sizeof(own_options) / sizeof(own_options[0]) };

typedef struct arguments {
    const char *value[N_OWN + N_SEARCH_OPTIONS]; /* NULL: not given */
    ub_search_options options;
    int64_t threads;
} arguments;

static const char *value_of(const arguments *a, int option)
{
    return a->value[option - DATA];
}

/* What is this program's own into the settings. */
static int apply(arguments *a)
{
    ub_search_options *o = &a->options;
    const char *hardware = value_of(a, HW), *lambda = value_of(a, LAMBDA),
               *number = value_of(a, SEED), *threads = value_of(a, THREADS);
    int64_t seed;

    if (hardware != NULL &&
        !parse_choice("--hw", hardware, ub_search_hardware_name, &o->hardware))
        return 0;
    if (lambda != NULL && !parse_number("--lambda", lambda, 0, 1e9, &o->lambda))
        return 0;
    if (number != NULL) {
        if (!parse_integer("--seed", number, 0, INT64_MAX, &seed))
            return 0;
        o->seed = (uint64_t) seed;
    }
    return threads == NULL ||
           parse_integer("--threads", threads, 1, 1024, &a->threads);
}

/* 1, or 0 after a message; exits after --help. */
static int parse(arguments *a, int argc, char **argv)
{
    static const char *const help[] = { usage, search_options_usage, NULL };
    struct option options[N_OWN + N_SEARCH_OPTIONS + 1];

    memset(a, 0, sizeof(*a));
    memset(options, 0, sizeof(options));
    memcpy(options, own_options, sizeof(own_options));
    list_search_options(options + N_OWN, SEARCH);
    return parse_command_line(argc, argv, options, help, a->value) &&
           read_search_options(a->value + N_OWN, &a->options) && apply(a);
}

static const char *folder_of(const arguments *a)
{
    return value_of(a, OUT) ? value_of(a, OUT) : "search-out";
}

static ub_status run(const void *user, ub_context *context,
                     const ub_dataset *train, const ub_dataset *test)
{
    const arguments *a = user;
    ub_search_result result = { .size = sizeof(result) };
    const ub_status status = ub_search_run(
        context, &a->options, train, test, folder_of(a),
        value_of(a, RESUME) != NULL, &result);

    if (status == UB_OK)
        print_result(&result, &a->options);
    return status;
}

int main(int argc, char **argv)
{
    arguments a;

    return parse(&a, argc, argv) ? run_in_folder(folder_of(&a), a.threads,
                                                 value_of(&a, DATA), run, &a)
                                 : 1;
}
