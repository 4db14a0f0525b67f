/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * U-Boost NAS on CIFAR-10 (or what --data names): micro-architecture search,
 * channel search, final training, test, and the cost of the result.
 */
#define _POSIX_C_SOURCE 200809L

#include "command_line.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: search_cifar10 [options]\n"
    "\n"
    "  --data PATH       CIFAR .tar.gz or folder, IDX files, a folder of\n"
    "                    images by class, or \"synthetic\"; default:\n"
    "                    $UBOOST_DATA, then Debian's Fashion-MNIST, then\n"
    "                    synthetic\n"
    "  --preset NAME     quick, small, paper8 or paper (small)\n"
    "  --hw NAME         cost model in the loss: systolic, flops, roofline,\n"
    "                    blackbox, systolic-full or blackbox-interp\n"
    "                    (systolic)\n"
    "  --lambda F        weight of the latency in ms (0.5)\n"
    "  --beta F          weight of the utilization (1)\n"
    "  --seed N          of everything random (1)\n"
    "  --threads N       (all online processors)\n"
    "  --epochs M,C,T    of micro search, channel search, final training\n"
    "  --train-images N  class-balanced choice of N training images\n"
    "  --array RxC       processing elements\n"
    "  --cost-scale N    widths are priced times N\n"
    "  --hw-batch N      batch that the cost model assumes (64)\n"
    "  --table-batch N   batch of the blackbox tables (0: as --hw-batch)\n"
    "  --polish          move the widths found to where the simulator says it\n"
    "                    is free or nearly so\n"
    "  --polish-weight F latency, of the whole, that a nat of probability is\n"
    "                    worth (0.02)\n"
    "  --keep-supernet   write supernet.safetensors, for runs to share; its\n"
    "                    weights then learn from widths drawn uniformly\n"
    "  --from DIR        share the micro search and the supernet of the run "
    "in\n"
    "                    DIR; --epochs M,C,T: C learns its widths only\n"
    "  --take WHAT       with --from: supernet, operators (only), or widths\n"
    "                    (both searches) (supernet)\n"
    "  --out DIR         folder for the results (search-out)\n"
    "  --resume          go on with the run in --out\n"
    "  --help            this text\n";

enum {
    DATA = 256,
    PRESET,
    HW,
    LAMBDA,
    BETA,
    SEED,
    THREADS,
    EPOCHS,
    TRAIN_IMAGES,
    ARRAY,
    COST_SCALE,
    HW_BATCH,
    TABLE_BATCH,
    POLISH,
    POLISH_WEIGHT,
    KEEP_SUPERNET,
    FROM,
    TAKE,
    OUT,
    RESUME,
    HELP,
    N_OPTIONS
};

static const struct option long_options[] = {
    { "data", required_argument, NULL, DATA },
    { "preset", required_argument, NULL, PRESET },
    { "hw", required_argument, NULL, HW },
    { "lambda", required_argument, NULL, LAMBDA },
    { "beta", required_argument, NULL, BETA },
    { "seed", required_argument, NULL, SEED },
    { "threads", required_argument, NULL, THREADS },
    { "epochs", required_argument, NULL, EPOCHS },
    { "train-images", required_argument, NULL, TRAIN_IMAGES },
    { "array", required_argument, NULL, ARRAY },
    { "cost-scale", required_argument, NULL, COST_SCALE },
    { "hw-batch", required_argument, NULL, HW_BATCH },
    { "table-batch", required_argument, NULL, TABLE_BATCH },
    { "polish", no_argument, NULL, POLISH },
    { "polish-weight", required_argument, NULL, POLISH_WEIGHT },
    { "keep-supernet", no_argument, NULL, KEEP_SUPERNET },
    { "from", required_argument, NULL, FROM },
    { "take", required_argument, NULL, TAKE },
    { "out", required_argument, NULL, OUT },
    { "resume", no_argument, NULL, RESUME },
    { "help", no_argument, NULL, HELP },
    { NULL, 0, NULL, 0 },
};

/* Of ub_search_take. */
static const char *const takes[] = { "supernet", "operators", "widths", NULL };

typedef struct arguments {
    const char *value[N_OPTIONS - DATA]; /* by option; NULL: not given */
    ub_search_options options;
    int64_t threads;
    const char *out;
} arguments;

static const char *value_of(const arguments *a, int option)
{
    return a->value[option - DATA];
}

/* One of the names, which end in NULL. */
static int parse_name(const char *option, const char *text,
                      const char *const *names, int32_t *out)
{
    for (int32_t i = 0; names[i] != NULL; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = i;
            return 1;
        }
    }
    fprintf(stderr, "%s %s: expected", option, text);
    for (int32_t i = 0; names[i] != NULL; i++)
        fprintf(stderr, "%s %s", i ? "," : "", names[i]);
    fputs("\n", stderr);
    return 0;
}

static int parse_hardware(const char *text, int32_t *hardware)
{
    const char *names[16] = { NULL };

    for (int32_t i = 0; i < 15 && ub_search_hardware_name(i) != NULL; i++)
        names[i] = ub_search_hardware_name(i);
    return parse_name("--hw", text, names, hardware);
}

static int parse_epochs(const char *text, ub_search_options *o)
{
    char copy[96];
    int64_t *const to[3] = { &o->micro_epochs, &o->channel_epochs,
                             &o->train_epochs };
    char *at = copy;

    snprintf(copy, sizeof(copy), "%s", text);
    for (int i = 0; i < 3; i++) {
        char *comma = strchr(at, ',');
        if ((comma == NULL) != (i == 2)) {
            fprintf(stderr, "--epochs %s: expected three numbers M,C,T\n",
                    text);
            return 0;
        }
        if (comma != NULL)
            *comma = '\0';
        if (!parse_integer("--epochs", at, i == 2, 1 << 20, to[i]))
            return 0;
        if (comma != NULL)
            at = comma + 1;
    }
    return 1;
}

/* One given option into the settings; the preset is there already. */
static int apply(arguments *a, int option, const char *text)
{
    ub_search_options *o = &a->options;
    int64_t seed;

    switch (option) {
    case HW: return parse_hardware(text, &o->hardware);
    case LAMBDA: return parse_number("--lambda", text, 0, 1e9, &o->lambda);
    case BETA: return parse_number("--beta", text, 0, 1e9, &o->beta);
    case SEED:
        if (!parse_integer("--seed", text, 0, INT64_MAX, &seed))
            return 0;
        o->seed = (uint64_t) seed;
        return 1;
    case THREADS: return parse_integer("--threads", text, 1, 1024, &a->threads);
    case EPOCHS: return parse_epochs(text, o);
    case TRAIN_IMAGES:
        return parse_integer("--train-images", text, 20, INT32_MAX,
                             &o->train_images);
    case ARRAY: return parse_array("--array", text, &o->rows, &o->columns);
    case COST_SCALE:
        return parse_integer("--cost-scale", text, 1, 1024, &o->cost_scale);
    case HW_BATCH:
        return parse_integer("--hw-batch", text, 1, 1 << 20, &o->hw_batch);
    case TABLE_BATCH:
        return parse_integer("--table-batch", text, 0, 1 << 20,
                             &o->table_batch);
    case POLISH: o->polish = 1; return 1;
    case POLISH_WEIGHT:
        return parse_number("--polish-weight", text, 0, 1e9, &o->polish_weight);
    case KEEP_SUPERNET: o->keep_supernet = o->uniform_widths = 1; return 1;
    case FROM: o->from = text; return 1;
    case TAKE: return parse_name("--take", text, takes, &o->take);
    case OUT: a->out = text; return 1;
    default: return 1;
    }
}

static int set_preset(arguments *a)
{
    const char *name = value_of(a, PRESET);

    ub_search_options_init(&a->options, sizeof(a->options));
    if (name == NULL || ub_search_preset(&a->options, name) == UB_OK)
        return 1;
    fprintf(stderr, "--preset %s: expected quick, small, paper8 or paper\n",
            name);
    return 0;
}

/* 1, or 0 after a message; exits after --help. */
static int parse(arguments *a, int argc, char **argv)
{
    int option;

    memset(a, 0, sizeof(*a));
    a->out = "search-out";
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == HELP) {
            fputs(usage, stdout);
            exit(0);
        }
        if (option < DATA) {
            fputs("see search_cifar10 --help\n", stderr);
            return 0;
        }
        a->value[option - DATA] = optarg ? optarg : "";
    }
    if (optind < argc) {
        fprintf(stderr, "%s: unexpected argument\n", argv[optind]);
        return 0;
    }
    if (!set_preset(a))
        return 0;
    for (option = DATA; option < N_OPTIONS; option++) {
        if (value_of(a, option) != NULL &&
            !apply(a, option, value_of(a, option)))
            return 0;
    }
    return 1;
}

static int run(const arguments *a, ub_context *context)
{
    ub_dataset *train = NULL, *test = NULL;
    ub_search_result result = { .size = sizeof(result) };
    ub_status status = UB_ERR_IO;

    if (open_data(context, value_of(a, DATA), &train, &test)) {
        status = ub_search_run(context, &a->options, train, test, a->out,
                               value_of(a, RESUME) != NULL, &result);
        if (status == UB_ERR_INTERRUPTED)
            fprintf(stderr,
                    "\nstopped; to go on, repeat the command with --resume\n");
        else if (status != UB_OK)
            fprintf(stderr, "\n%s\n", ub_context_last_error(context));
        else
            print_result(&result, &a->options);
    }
    ub_dataset_destroy(&train);
    ub_dataset_destroy(&test);
    if (status == UB_ERR_INTERRUPTED)
        return 130;
    return status == UB_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
    arguments a;
    ub_context *context;
    int result;

    if (!parse(&a, argc, argv) || !make_folder(a.out))
        return 1;
    catch_interrupt();
    context = open_context(a.threads);
    if (context == NULL)
        return 1;
    result = run(&a, context);
    ub_context_destroy(&context);
    return result;
}
