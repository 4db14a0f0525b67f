/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of search_cifar10. */
#define _POSIX_C_SOURCE 200809L

#include "search_cifar10.h"

#include <getopt.h>
#include <stddef.h>
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
    "  --out DIR         folder for the results (search-out)\n"
    "  --resume          go on with the run in --out\n"
    "  --help            this text\n"
    "\n"
    "how it searches:\n"
    "  --mask PLACE      mask after or before the normalization (after)\n"
    "  --reading NAME    of the expected latency: code or plain (code)\n"
    "  --node-width NAME of a sum: widest or full (widest)\n"
    "  --splits N        1, or 2: weights and architecture learn from images "
    "of\n"
    "                    their own (1)\n"
    "  --tau F           temperature of the first epoch (1)\n"
    "  --tau-decay F     its factor per epoch (0.95)\n"
    "  --initial-place F where widths begin, 0 narrowest to 1 widest (-1: at\n"
    "                    random)\n"
    "  --initial-height F  how decidedly (1)\n"
    "\n"
    "after it, and from it:\n"
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
    "                    (both searches) (supernet)\n";

enum {
    DATA = 256,
    PRESET,
    SEED,
    THREADS,
    EPOCHS,
    ARRAY,
    KEEP_SUPERNET,
    FROM,
    OUT,
    RESUME,
    HELP,
    SETTINGS /* the first of those in the table below */
};

/* Names of the values 0, 1, ... of an option, as messages and users have them.
 */
static const char *const hardware[] = {
    "systolic",      "flops",           "roofline", "blackbox",
    "systolic-full", "blackbox-interp", NULL
};
static const char *const masks[] = { "after", "before", NULL };
static const char *const readings[] = { "code", "plain", NULL };
static const char *const node_widths[] = { "widest", "full", NULL };
static const char *const takes[] = { "supernet", "operators", "widths", NULL };

/* Options that are a field of the settings: a name from a list (int32_t), a
 * whole number (int32_t, int64_t), a number, or a flag (int32_t). */
typedef enum field_kind { NAME, NARROW, WIDE, REAL, FLAG } field_kind;

typedef struct setting {
    const char *option;
    field_kind kind;
    size_t offset;
    double low, high;
    const char *const *names;
} setting;

#define AT(field) offsetof(ub_search_options, field)

static const setting settings[] = {
    { "--hw", NAME, AT(hardware), 0, 0, hardware },
    { "--lambda", REAL, AT(lambda), 0, 1e9, NULL },
    { "--beta", REAL, AT(beta), 0, 1e9, NULL },
    { "--train-images", WIDE, AT(train_images), 20, INT32_MAX, NULL },
    { "--cost-scale", WIDE, AT(cost_scale), 1, 1024, NULL },
    { "--hw-batch", WIDE, AT(hw_batch), 1, 1 << 20, NULL },
    { "--table-batch", WIDE, AT(table_batch), 0, 1 << 20, NULL },
    { "--mask", NAME, AT(mask_place), 0, 0, masks },
    { "--reading", NAME, AT(reading), 0, 0, readings },
    { "--node-width", NAME, AT(node_width), 0, 0, node_widths },
    { "--splits", NARROW, AT(splits), 1, 2, NULL },
    { "--tau", REAL, AT(tau), 1e-6, 1e6, NULL },
    { "--tau-decay", REAL, AT(tau_decay), 1e-6, 1, NULL },
    { "--initial-place", REAL, AT(initial_place), -1, 1, NULL },
    { "--initial-height", REAL, AT(initial_height), 0, 1e6, NULL },
    { "--polish", FLAG, AT(polish), 0, 0, NULL },
    { "--polish-weight", REAL, AT(polish_weight), 0, 1e9, NULL },
    { "--take", NAME, AT(take), 0, 0, takes },
};

#define N_SETTINGS ((int) (sizeof(settings) / sizeof(settings[0])))

static const struct option others[] = {
    { "data", required_argument, NULL, DATA },
    { "preset", required_argument, NULL, PRESET },
    { "seed", required_argument, NULL, SEED },
    { "threads", required_argument, NULL, THREADS },
    { "epochs", required_argument, NULL, EPOCHS },
    { "array", required_argument, NULL, ARRAY },
    { "keep-supernet", no_argument, NULL, KEEP_SUPERNET },
    { "from", required_argument, NULL, FROM },
    { "out", required_argument, NULL, OUT },
    { "resume", no_argument, NULL, RESUME },
    { "help", no_argument, NULL, HELP },
};

#define N_OTHERS ((int) (sizeof(others) / sizeof(others[0])))

static int parse_name(const setting *s, const char *text, int32_t *out)
{
    for (int32_t i = 0; s->names[i] != NULL; i++) {
        if (strcmp(text, s->names[i]) == 0) {
            *out = i;
            return 1;
        }
    }
    fprintf(stderr, "%s %s: expected", s->option, text);
    for (int32_t i = 0; s->names[i] != NULL; i++)
        fprintf(stderr, "%s %s", i ? "," : "", s->names[i]);
    fputs("\n", stderr);
    return 0;
}

static int parse_setting(const setting *s, const char *text,
                         ub_search_options *o)
{
    void *at = (char *) o + s->offset;
    int64_t number = 1;

    switch (s->kind) {
    case NAME: return parse_name(s, text, at);
    case REAL: return parse_number(s->option, text, s->low, s->high, at);
    case FLAG: break;
    default:
        if (!parse_integer(s->option, text, (int64_t) s->low, (int64_t) s->high,
                           &number))
            return 0;
    }
    if (s->kind == WIDE)
        *(int64_t *) at = number;
    else
        *(int32_t *) at = (int32_t) number;
    return 1;
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
    case SEED:
        if (!parse_integer("--seed", text, 0, INT64_MAX, &seed))
            return 0;
        o->seed = (uint64_t) seed;
        return 1;
    case THREADS: return parse_integer("--threads", text, 1, 1024, &a->threads);
    case EPOCHS: return parse_epochs(text, o);
    case ARRAY: return parse_array("--array", text, &o->rows, &o->columns);
    case KEEP_SUPERNET: o->keep_supernet = o->uniform_widths = 1; return 1;
    case FROM: o->from = text; return 1;
    case OUT: a->out = text; return 1;
    default: break;
    }
    return option < SETTINGS ||
           parse_setting(&settings[option - SETTINGS], text, o);
}

static int set_preset(arguments *a)
{
    const char *name = a->value[PRESET - DATA];

    ub_search_options_init(&a->options, sizeof(a->options));
    if (name == NULL || ub_search_preset(&a->options, name) == UB_OK)
        return 1;
    fprintf(stderr, "--preset %s: expected quick, small, paper8 or paper\n",
            name);
    return 0;
}

static void list_options(struct option *all)
{
    memcpy(all, others, sizeof(others));
    for (int i = 0; i < N_SETTINGS; i++)
        all[N_OTHERS + i] = (struct option){ settings[i].option + 2,
                                             settings[i].kind == FLAG
                                                 ? no_argument
                                                 : required_argument,
                                             NULL, SETTINGS + i };
}

int parse(arguments *a, int argc, char **argv)
{
    struct option all[MAX_OPTIONS] = { { NULL, 0, NULL, 0 } };
    int option;

    memset(a, 0, sizeof(*a));
    list_options(all);
    a->out = "search-out";
    while ((option = getopt_long(argc, argv, "", all, NULL)) != -1) {
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
    for (option = DATA; option < SETTINGS + N_SETTINGS; option++) {
        if (a->value[option - DATA] != NULL &&
            !apply(a, option, a->value[option - DATA]))
            return 0;
    }
    a->data = a->value[0];
    a->resume = a->value[RESUME - DATA] != NULL;
    return 1;
}
