/* SPDX-License-Identifier: BSD-2-Clause */
#define _POSIX_C_SOURCE 200809L

#include "common/command_line.h"
#include "common/search_options.h"
#include "pareto_cifar10/grid.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: pareto_cifar10 --out DIR [options]\n"
    "       pareto_cifar10 --summary DIR [--lambda F,...] [--seeds N,...]\n"
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
    "  --variants NAME,...  more runs of each, after all others: polished,\n"
    "                    in DIR/METHOD-polished-lambdaF-seedN, has the run's\n"
    "                    widths polished and trained; shared, in\n"
    "                    DIR/METHOD-shared-lambdaF-seedN, learns the widths "
    "on\n"
    "                    one micro search and supernet for all lambdas, "
    "those\n"
    "                    of DIR/METHOD-shared-seedN\n"
    "  --shared-lambda F weight with which these are searched (the middle of\n"
    "                    --lambda)\n"
    "  --shared-epochs N of the widths on a shared supernet, all on logits "
    "(as\n"
    "                    many steps on logits as in a run of its own)\n"
    "  --shared-tau-decay F  per epoch of these (so that tau ends as low)\n"
    "  --label NAME      for runs with other options beside those of the same\n"
    "                    DIR: in DIR/METHOD-NAME-lambdaF-seedN\n"
    "  --out DIR         folder for the results\n"
    "  --summary DIR     folder with results; needs no data; without runs of "
    "as\n"
    "                    many lambdas and seeds as --lambda and --seeds name\n"
    "                    there are no verdicts\n"
    "  --png             pictures as PNG, too\n"
    "  --quiet           no progress, no table\n"
    "  --help            this text\n";

enum {
    DATA = 256,
    HW,
    LAMBDA,
    SEEDS,
    VARIANTS,
    SHARED_LAMBDA,
    SHARED_EPOCHS,
    SHARED_TAU_DECAY,
    LABEL,
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
    { "variants", required_argument, NULL, VARIANTS },
    { "shared-lambda", required_argument, NULL, SHARED_LAMBDA },
    { "shared-epochs", required_argument, NULL, SHARED_EPOCHS },
    { "shared-tau-decay", required_argument, NULL, SHARED_TAU_DECAY },
    { "label", required_argument, NULL, LABEL },
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
    if (!parse_choice("--hw", text, ub_search_hardware_name, &method))
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

static int read_variant(pareto_plan *p, const char *text)
{
    int *const variant = strcmp(text, PARETO_POLISHED) == 0 ? &p->polished
                         : strcmp(text, PARETO_SHARED) == 0 ? &p->shared
                                                            : NULL;

    if (variant == NULL || *variant) {
        fprintf(stderr, "--variants %s: %s\n", text,
                variant ? "is there twice" : "expected polished, shared");
        return 0;
    }
    *variant = 1;
    return 1;
}

static int read_list(pareto_plan *p, const char *text,
                     int (*read)(pareto_plan *, const char *))
{
    char item[64];

    while (next_part(&text, ',', item, sizeof(item))) {
        if (!read(p, item))
            return 0;
    }
    return 1;
}

static const char *given(const char *value, const char *otherwise)
{
    return value ? value : otherwise;
}

static int read_lists(pareto_plan *p, const char *const *value)
{
    const char *variants = value[VARIANTS - DATA];

    return read_list(
               p, given(value[HW - DATA], "systolic,flops,roofline,blackbox"),
               read_method) &&
           read_list(p, given(value[LAMBDA - DATA], "0.1,0.5,1,5"),
                     read_lambda) &&
           read_list(p, given(value[SEEDS - DATA], "1,2"), read_seed) &&
           (variants == NULL || read_list(p, variants, read_variant));
}

static int read_counts(pareto_plan *p, const char *const *value)
{
    const char *jobs = value[JOBS - DATA], *threads = value[THREADS - DATA];
    const long online = sysconf(_SC_NPROCESSORS_ONLN);

    p->jobs = online > 0 ? online : 1;
    p->threads = 1;
    return (jobs == NULL || parse_integer("--jobs", jobs, 1, 1024, &p->jobs)) &&
           (threads == NULL ||
            parse_integer("--threads", threads, 1, 1024, &p->threads));
}

static int read_sharing(pareto_plan *p, const char *const *value)
{
    const char *lambda = value[SHARED_LAMBDA - DATA],
               *epochs = value[SHARED_EPOCHS - DATA],
               *decay = value[SHARED_TAU_DECAY - DATA];

    p->shared_lambda = -1.0;
    if (!p->shared && (lambda || epochs || decay)) {
        fputs("--shared-lambda, -epochs and -tau-decay are for --variants "
              "shared\n",
              stderr);
        return 0;
    }
    if ((lambda != NULL &&
         !parse_number("--shared-lambda", lambda, 0, 1e9, &p->shared_lambda)) ||
        (epochs != NULL && !parse_integer("--shared-epochs", epochs, 1, 1 << 20,
                                          &p->branch_epochs)) ||
        (decay != NULL && !parse_number("--shared-tau-decay", decay, 1e-6, 1,
                                        &p->branch_tau_decay)))
        return 0;
    pareto_default_sharing(p);
    return 1;
}

static int read_label(pareto_plan *p, const char *const *value)
{
    const int variants = p->polished || p->shared;

    p->label = value[LABEL - DATA];
    if (p->label != NULL && !pareto_label_fits(p->label)) {
        fprintf(stderr,
                "--label %s: expected at most %d small letters, digits, dots "
                "and dashes, and no name that a run has already\n",
                p->label, PARETO_LABEL - 1);
        return 0;
    }
    if (!variants || (p->label == NULL && p->options.from == NULL &&
                      !p->options.polish && !p->options.keep_supernet))
        return 1;
    fputs("--variants are of main runs as they are: without --label, --from, "
          "--polish and --keep-supernet\n",
          stderr);
    return 0;
}

static int read_own(pareto_plan *p, const char *const *value)
{
    int64_t runs;

    p->data = value[DATA - DATA];
    p->out = value[OUT - DATA];
    p->summary = value[SUMMARY - DATA];
    p->quiet = value[QUIET - DATA] != NULL;
    p->png = value[PNG - DATA] != NULL;
    if (!read_lists(p, value) || !read_counts(p, value) ||
        !read_sharing(p, value) || !read_label(p, value))
        return 0;
    runs = pareto_count_tasks(p);
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
            i != PNG - DATA && i != LAMBDA - DATA && i != SEEDS - DATA) {
            fputs("--summary takes no other options than --lambda, --seeds, "
                  "--png and --quiet\n",
                  stderr);
            return 0;
        }
    }
    return 1;
}

int pareto_parse(pareto_plan *plan, int argc, char **argv)
{
    static const char *const help[] = { usage, search_options_usage, NULL };
    const char *value[N_OWN + N_SEARCH_OPTIONS] = { NULL };
    struct option options[N_OWN + N_SEARCH_OPTIONS + 1];

    memset(plan, 0, sizeof(*plan));
    memset(options, 0, sizeof(options));
    memcpy(options, own_options, sizeof(own_options));
    list_search_options(options + N_OWN, SEARCH);
    return parse_command_line(argc, argv, options, help, value) &&
           read_search_options(value + N_OWN, &plan->options) &&
           read_own(plan, value) && check(plan, value);
}
