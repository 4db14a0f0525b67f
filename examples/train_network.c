/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Train the network of a network.json from scratch, by the recipe of the final
 * training of U-Boost NAS, and test it.
 */
#define _POSIX_C_SOURCE 200809L

#include "common/command_line.h"
#include "common/run_in_folder.h"

#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: train_network --network FILE [options]\n"
    "\n"
    "  --network FILE    network.json to train\n"
    "  --data PATH       as for search_cifar10\n"
    "  --epochs N        (30)\n"
    "  --batch N         (64)\n"
    "  --rate F          highest learning rate of the one-cycle (0.1)\n"
    "  --smoothing F     of the labels (0)\n"
    "  --bits N          quantize weights and inputs of all convolutions to N\n"
    "                    bits (1 to 16; 32 for none), but the stem and a "
    "head of\n"
    "                    1x1; the classifier stays float too (as in FILE)\n"
    "  --scale N         train it with N times its widths (1); they are "
    "priced\n"
    "                    with --cost-scale times as many\n"
    "  --train-images N  class-balanced choice of N training images (all)\n"
    "  --array RxC       processing elements that the report is for (16x16)\n"
    "  --cost-scale N    widths are priced times N (1)\n"
    "  --seed N          of everything random (1)\n"
    "  --threads N       (all online processors)\n"
    "  --out DIR         folder for the results (train-out)\n"
    "  --resume          go on with the training in --out\n"
    "  --help            this text\n";

enum {
    NETWORK = 256,
    DATA,
    EPOCHS,
    BATCH,
    RATE,
    SMOOTHING,
    BITS,
    SCALE,
    TRAIN_IMAGES,
    ARRAY,
    COST_SCALE,
    SEED,
    THREADS,
    OUT,
    RESUME,
    HELP
};

static const struct option long_options[] = {
    { "network", required_argument, NULL, NETWORK },
    { "data", required_argument, NULL, DATA },
    { "epochs", required_argument, NULL, EPOCHS },
    { "batch", required_argument, NULL, BATCH },
    { "rate", required_argument, NULL, RATE },
    { "smoothing", required_argument, NULL, SMOOTHING },
    { "bits", required_argument, NULL, BITS },
    { "scale", required_argument, NULL, SCALE },
    { "train-images", required_argument, NULL, TRAIN_IMAGES },
    { "array", required_argument, NULL, ARRAY },
    { "cost-scale", required_argument, NULL, COST_SCALE },
    { "seed", required_argument, NULL, SEED },
    { "threads", required_argument, NULL, THREADS },
    { "out", required_argument, NULL, OUT },
    { "resume", no_argument, NULL, RESUME },
    { "help", no_argument, NULL, HELP },
    { NULL, 0, NULL, 0 },
};

enum { N_OPTIONS = sizeof(long_options) / sizeof(long_options[0]) - 1 };

typedef struct arguments {
    const char *value[N_OPTIONS]; /* NULL: not given */
    ub_search_options options;
    int64_t threads, scale, bits; /* bits 0: as in the network */
} arguments;

static const char *value_of(const arguments *a, int option)
{
    return a->value[option - NETWORK];
}

static int parse_bits(const char *text, int64_t *out)
{
    if (strcmp(text, "32") == 0) {
        *out = 32;
        return 1;
    }
    return parse_integer("--bits", text, 1, UB_NETWORK_MAX_BITS, out);
}

static int apply(arguments *a, int option, const char *text)
{
    ub_search_options *o = &a->options;
    int64_t seed;

    switch (option) {
    case EPOCHS:
        return parse_integer("--epochs", text, 1, 1 << 20, &o->train_epochs);
    case BATCH:
        return parse_integer("--batch", text, 2, 1 << 16, &o->train_batch);
    case RATE: return parse_number("--rate", text, 0, 100, &o->train_rate);
    case SMOOTHING:
        return parse_number("--smoothing", text, 0, 0.999, &o->smoothing);
    case BITS: return parse_bits(text, &a->bits);
    case SCALE: return parse_integer("--scale", text, 1, 1024, &a->scale);
    case TRAIN_IMAGES:
        return parse_integer("--train-images", text, 2, INT32_MAX,
                             &o->train_images);
    case ARRAY: return parse_array("--array", text, &o->rows, &o->columns);
    case COST_SCALE:
        return parse_integer("--cost-scale", text, 1, 1024, &o->cost_scale);
    case SEED:
        if (!parse_integer("--seed", text, 0, INT64_MAX, &seed))
            return 0;
        o->seed = (uint64_t) seed;
        return 1;
    case THREADS: return parse_integer("--threads", text, 1, 1024, &a->threads);
    default: return 1;
    }
}

/* 1, or 0 after a message; exits after --help. */
static int parse(arguments *a, int argc, char **argv)
{
    static const char *const help[] = { usage, NULL };

    memset(a, 0, sizeof(*a));
    ub_search_options_init(&a->options, sizeof(a->options));
    a->scale = 1;
    a->options.preset = "train_network";
    a->options.train_images = 0;
    a->options.micro_epochs = a->options.channel_epochs = 0; /* no search */
    a->options.train_epochs = 30;
    a->options.train_batch = 64;
    if (!parse_command_line(argc, argv, long_options, help, a->value))
        return 0;
    for (int option = NETWORK; option < HELP; option++) {
        const char *text = value_of(a, option);

        if (text != NULL && !apply(a, option, text))
            return 0;
    }
    if (value_of(a, NETWORK) == NULL)
        fputs("--network FILE is needed\n", stderr);
    return value_of(a, NETWORK) != NULL;
}

static const char *folder_of(const arguments *a)
{
    return value_of(a, OUT) ? value_of(a, OUT) : "train-out";
}

static ub_status read_network(const arguments *a, ub_context *context,
                              ub_network **out)
{
    ub_network *read = NULL, *scaled = NULL;
    ub_status status = ub_network_read(context, value_of(a, NETWORK), &read);

    if (status == UB_OK)
        status = ub_network_scaled(read, a->scale, &scaled);
    ub_network_destroy(&read);
    if (status != UB_OK || a->bits == 0) {
        *out = scaled;
        return status;
    }
    status = ub_network_quantized(scaled, (int32_t) a->bits, (int32_t) a->bits,
                                  out);
    ub_network_destroy(&scaled);
    return status;
}

static ub_status run(const void *user, ub_context *context,
                     const ub_dataset *train, const ub_dataset *test)
{
    const arguments *a = user;
    ub_search_result result = { .size = sizeof(result) };
    ub_network *network = NULL;
    ub_status status = read_network(a, context, &network);

    if (status == UB_OK)
        status = ub_search_train(context, &a->options, network, train, test,
                                 folder_of(a), value_of(a, RESUME) != NULL,
                                 &result);
    if (status == UB_OK)
        print_result(&result, &a->options);
    ub_network_destroy(&network);
    return status;
}

int main(int argc, char **argv)
{
    arguments a;

    return parse(&a, argc, argv) ? run_in_folder(folder_of(&a), a.threads,
                                                 value_of(&a, DATA), run, &a)
                                 : 1;
}
