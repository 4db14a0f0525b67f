/* SPDX-License-Identifier: BSD-2-Clause */
#define _POSIX_C_SOURCE 200809L

#include "command_line.h"
#include "pareto_cifar10_grid.h"
#include "search_options.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: pareto_cifar10 --out DIR [options]\n"
    "       pareto_cifar10 --summary DIR\n"
    "\n"
    "The first form runs searches with every method, weight of the latency "
    "and\n"
    "seed, each in DIR/METHOD-lambdaF-seedN. Runs that are complete are not\n"
    "repeated, half ones are gone on with. The second makes tables and "
    "pictures\n"
    "of all runs that are complete.\n"
    "\n"
    "  --data PATH       as for search_cifar10\n"
    "  --hw NAME,...     cost models in the loss, as for search_cifar10\n"
    "                    (systolic,flops,roofline,blackbox)\n"
    "  --lambda F,...    weights of the latency in ms (0.1,0.5,1,5)\n"
    "  --seeds N,...     of everything random (1,2)\n"
    "  --jobs N          runs side by side (all online processors)\n"
    "  --threads N       of each run (1)\n"
    "  --out DIR         folder for the results\n"
    "  --summary DIR     folder with results; needs no data\n"
    "  --png             pictures as PNG, too\n"
    "  --quiet           no progress, no table\n"
    "  --help            this text\n";

enum {
    DATA = 256,
    HW,
    LAMBDA,
    SEEDS,
    JOBS,
    THREADS,
    OUT,
    SUMMARY,
    PNG,
    QUIET,
    HELP,
    SEARCH
};

static const struct option own_options[] = {
    { "data", required_argument, NULL, DATA },
    { "hw", required_argument, NULL, HW },
    { "lambda", required_argument, NULL, LAMBDA },
    { "seeds", required_argument, NULL, SEEDS },
    { "jobs", required_argument, NULL, JOBS },
    { "threads", required_argument, NULL, THREADS },
    { "out", required_argument, NULL, OUT },
    { "summary", required_argument, NULL, SUMMARY },
    { "png", no_argument, NULL, PNG },
    { "quiet", no_argument, NULL, QUIET },
    { "help", no_argument, NULL, HELP },
};

enum { N_OWN = sizeof(own_options) / sizeof(own_options[0]) };

static int read_method(pareto_plan *p, const char *text)
{
    int32_t method = 0;

    if (p->n_methods == PARETO_METHODS) {
        fputs("--hw: too many\n", stderr);
        return 0;
    }
    if (!parse_hardware("--hw", text, &method))
        return 0;
    for (int64_t i = 0; i < p->n_methods; i++) {
        if (p->methods[i] == method) {
            fprintf(stderr, "--hw: %s is there twice\n", text);
            return 0;
        }
    }
    p->methods[p->n_methods++] = method;
    return 1;
}

static int read_lambda(pareto_plan *p, const char *text)
{
    double lambda = 0.0;

    if (p->n_lambdas == PARETO_LIST) {
        fputs("--lambda: too many\n", stderr);
        return 0;
    }
    if (!parse_number("--lambda", text, 0, 1e9, &lambda))
        return 0;
    for (int64_t i = 0; i < p->n_lambdas; i++) {
        char mine[32], other[32]; /* as in the names of folders */

        snprintf(mine, sizeof(mine), "%g", lambda);
        snprintf(other, sizeof(other), "%g", p->lambdas[i]);
        if (strcmp(mine, other) == 0) {
            fprintf(stderr, "--lambda: %s is there twice\n", mine);
            return 0;
        }
    }
    p->lambdas[p->n_lambdas++] = lambda;
    return 1;
}

static int read_seed(pareto_plan *p, const char *text)
{
    int64_t seed = 0;

    if (p->n_seeds == PARETO_LIST) {
        fputs("--seeds: too many\n", stderr);
        return 0;
    }
    if (!parse_integer("--seeds", text, 0, (int64_t) 9e15, &seed))
        return 0;
    for (int64_t i = 0; i < p->n_seeds; i++) {
        if (p->seeds[i] == seed) {
            fprintf(stderr, "--seeds: %" PRId64 " is there twice\n", seed);
            return 0;
        }
    }
    p->seeds[p->n_seeds++] = seed;
    return 1;
}

/* Every item between commas. */
static int read_list(pareto_plan *p, const char *text,
                     int (*read)(pareto_plan *, const char *))
{
    char item[64];

    for (;;) {
        const size_t n = strcspn(text, ",");

        snprintf(item, sizeof(item), "%.*s", n < 60 ? (int) n : 60, text);
        if (!read(p, item))
            return 0;
        if (text[n] == '\0')
            return 1;
        text += n + 1;
    }
}

static const char *given(const char *value, const char *otherwise)
{
    return value ? value : otherwise;
}

static int read_own(pareto_plan *p, const char *const *value)
{
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    int64_t runs;

    p->data = value[DATA - DATA];
    p->out = value[OUT - DATA];
    p->summary = value[SUMMARY - DATA];
    p->quiet = value[QUIET - DATA] != NULL;
    p->png = value[PNG - DATA] != NULL;
    p->jobs = online > 0 ? online : 1;
    p->threads = 1;
    if (!read_list(p,
                   given(value[HW - DATA], "systolic,flops,roofline,blackbox"),
                   read_method) ||
        !read_list(p, given(value[LAMBDA - DATA], "0.1,0.5,1,5"),
                   read_lambda) ||
        !read_list(p, given(value[SEEDS - DATA], "1,2"), read_seed))
        return 0;
    if (value[JOBS - DATA] != NULL &&
        !parse_integer("--jobs", value[JOBS - DATA], 1, 1024, &p->jobs))
        return 0;
    if (value[THREADS - DATA] != NULL &&
        !parse_integer("--threads", value[THREADS - DATA], 1, 1024,
                       &p->threads))
        return 0;
    runs = p->n_methods * p->n_lambdas * p->n_seeds;
    if (p->jobs > runs)
        p->jobs = runs;
    return 1;
}

static int check(const pareto_plan *p, const char *const *value)
{
    if ((p->out != NULL) == (p->summary != NULL)) {
        fputs("one of --out DIR and --summary DIR is needed\n", stderr);
        return 0;
    }
    for (int i = 0; p->summary != NULL && i < N_OWN + N_SEARCH_OPTIONS; i++) {
        if (value[i] != NULL && i != SUMMARY - DATA && i != QUIET - DATA &&
            i != PNG - DATA) {
            fputs("--summary takes no other options than --png and --quiet\n",
                  stderr);
            return 0;
        }
    }
    return 1;
}

int pareto_parse(pareto_plan *plan, int argc, char **argv)
{
    const char *value[N_OWN + N_SEARCH_OPTIONS] = { NULL };
    struct option options[N_OWN + N_SEARCH_OPTIONS + 1];
    int option;

    memset(plan, 0, sizeof(*plan));
    memset(options, 0, sizeof(options));
    memcpy(options, own_options, sizeof(own_options));
    list_search_options(options + N_OWN, SEARCH);
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == HELP) {
            fputs(usage, stdout);
            fputs(search_options_usage, stdout);
            exit(0);
        }
        if (option < DATA) {
            fputs("see pareto_cifar10 --help\n", stderr);
            return 0;
        }
        value[option - DATA] = optarg ? optarg : "";
    }
    if (optind < argc) {
        fprintf(stderr, "%s: unexpected argument\n", argv[optind]);
        return 0;
    }
    return read_own(plan, value) && check(plan, value) &&
           read_search_options(value + N_OWN, &plan->options);
}
