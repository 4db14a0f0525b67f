/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Network, bit widths and accelerator searched together on CIFAR-10 (or what
 * --data names): joint search, final training with quantization, test, and the
 * best accelerator for the result.
 */
#define _POSIX_C_SOURCE 200809L

#include "common/command_line.h"
#include "common/run_in_folder.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: cosearch_cifar10 [options]\n"
    "\n"
    "  --data PATH       as for search_cifar10; maps are halved three times\n"
    "  --preset NAME     quick, small or paper (small); the options below\n"
    "                    change it\n"
    "  --epochs W,S,T    of warm-up, search, final training\n"
    "  --train-images N  class-balanced choice of N training images\n"
    "  --bits A,B,...    candidates (4,6,8), 1 to 16 or 32 for floats; a "
    "single\n"
    "                    one is uniform\n"
    "  --hardware-once   search the network first, then the accelerator "
    "for it\n"
    "  --lambda F        weight of the cost in ms of what is run, at first "
    "(0.1)\n"
    "  --fps LOW,HIGH    change lambda to keep frames per second in between;\n"
    "                    HIGH 0: no limit\n"
    "  --cost NAME       interval: of the slowest chunk; latency: the sum of "
    "all\n"
    "                    blocks, as published (interval)\n"
    "  --gradient NAME   of the cost: expected, or published, for latency "
    "(expected)\n"
    "  --engine NAME     for the latency: exact, random or differentiable "
    "(exact)\n"
    "  --random-warmup   random paths from the start, as published\n"
    "  --refresh N       steps from one table of costs to the next\n"
    "  --samples N       of each, where the engine draws (2000)\n"
    "  --dsp F, --bram N limits of the accelerator\n"
    "  --base-width N    of the stem; a multiple of 4\n"
    "  --depth N         most cells of a width\n"
    "  --search-batch N, --search-rate F, --architecture-rate F\n"
    "                    batch of the search; rates of weights and logits\n"
    "  --tau F, --tau-decay F\n"
    "                    temperature, its factor per epoch\n"
    "  --train-batch N, --train-rate F\n"
    "                    of final training\n"
    "  --seed N          of everything random (1)\n"
    "  --threads N       (all online processors)\n"
    "  --out DIR         folder for the results (cosearch-out)\n"
    "  --resume          go on with the run in --out\n"
    "  --help            this text\n";

enum {
    DATA = 256,
    PRESET,
    EPOCHS,
    TRAIN_IMAGES,
    BITS,
    HARDWARE_ONCE,
    LAMBDA,
    FPS,
    GRADIENT,
    COST,
    ENGINE,
    RANDOM_WARMUP,
    REFRESH,
    SAMPLES,
    DSP,
    BRAM,
    BASE_WIDTH,
    DEPTH,
    SEARCH_BATCH,
    SEARCH_RATE,
    ARCHITECTURE_RATE,
    TAU,
    TAU_DECAY,
    TRAIN_BATCH,
    TRAIN_RATE,
    SEED,
    THREADS,
    OUT,
    RESUME,
    HELP
};

static const struct option long_options[] = {
    { "data", required_argument, NULL, DATA },
    { "preset", required_argument, NULL, PRESET },
    { "epochs", required_argument, NULL, EPOCHS },
    { "train-images", required_argument, NULL, TRAIN_IMAGES },
    { "bits", required_argument, NULL, BITS },
    { "hardware-once", no_argument, NULL, HARDWARE_ONCE },
    { "lambda", required_argument, NULL, LAMBDA },
    { "fps", required_argument, NULL, FPS },
    { "gradient", required_argument, NULL, GRADIENT },
    { "cost", required_argument, NULL, COST },
    { "engine", required_argument, NULL, ENGINE },
    { "random-warmup", no_argument, NULL, RANDOM_WARMUP },
    { "refresh", required_argument, NULL, REFRESH },
    { "samples", required_argument, NULL, SAMPLES },
    { "dsp", required_argument, NULL, DSP },
    { "bram", required_argument, NULL, BRAM },
    { "base-width", required_argument, NULL, BASE_WIDTH },
    { "depth", required_argument, NULL, DEPTH },
    { "search-batch", required_argument, NULL, SEARCH_BATCH },
    { "search-rate", required_argument, NULL, SEARCH_RATE },
    { "architecture-rate", required_argument, NULL, ARCHITECTURE_RATE },
    { "tau", required_argument, NULL, TAU },
    { "tau-decay", required_argument, NULL, TAU_DECAY },
    { "train-batch", required_argument, NULL, TRAIN_BATCH },
    { "train-rate", required_argument, NULL, TRAIN_RATE },
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
    ub_cosearch_options options;
    int64_t threads;
} arguments;

static const char *value_of(const arguments *a, int option)
{
    return a->value[option - DATA];
}

/* -- numbers and names ---------------------------------------------------- */

static int parse_epochs(const char *text, ub_cosearch_options *o)
{
    int64_t *const to[3] = { &o->warmup_epochs, &o->search_epochs,
                             &o->train_epochs };

    return parse_three("--epochs", text, ',', to, 1);
}

static int parse_bits(const char *text, ub_cosearch_options *o)
{
    char part[32];
    int n = 0;

    for (const char *at = text; next_part(&at, ',', part, sizeof(part)); n++) {
        int64_t bits;

        if (n == UB_CHUNK_MAX_BITS) {
            fprintf(stderr, "--bits %s: at most %d\n", text, UB_CHUNK_MAX_BITS);
            return 0;
        }
        if (!parse_integer("--bits", part, 1, 32, &bits))
            return 0;
        o->bits[n] = (int32_t) bits;
    }
    for (int i = n; i < UB_CHUNK_MAX_BITS; i++)
        o->bits[i] = 0;
    o->bit_widths = n;
    return 1;
}

static int parse_fps(const char *text, ub_cosearch_options *o)
{
    double *const to[2] = { &o->fps_low, &o->fps_high };
    const char *at = text;
    char part[32];
    int n = 0;

    for (; n < 2 && next_part(&at, ',', part, sizeof(part)); n++) {
        if (!parse_number("--fps", part, 0, 1e12, to[n]))
            return 0;
    }
    if (n < 2 || at != NULL)
        fprintf(stderr, "--fps %s: expected LOW,HIGH\n", text);
    return n == 2 && at == NULL;
}

static const char *engine_name(int32_t i)
{
    static const char *const names[] = { "exact", "random", "differentiable",
                                         NULL };

    return names[i];
}

static const char *gradient_name(int32_t i)
{
    static const char *const names[] = { "expected", "published", NULL };

    return names[i];
}

static const char *cost_name(int32_t i)
{
    static const char *const names[] = { "latency", "interval", NULL };

    return names[i];
}

/* -- the command line ----------------------------------------------------- */

static int apply_network(ub_cosearch_options *o, int option, const char *text)
{
    int64_t seed;

    switch (option) {
    case EPOCHS: return parse_epochs(text, o);
    case TRAIN_IMAGES:
        return parse_integer("--train-images", text, 20, INT32_MAX,
                             &o->train_images);
    case BITS: return parse_bits(text, o);
    case RANDOM_WARMUP: o->gradual = 0; return 1;
    case BASE_WIDTH:
        return parse_integer("--base-width", text, 4, 1 << 12, &o->base_width);
    case DEPTH: return parse_integer("--depth", text, 1, 4, &o->depth);
    case SEED:
        if (!parse_integer("--seed", text, 0, INT64_MAX, &seed))
            return 0;
        o->seed = (uint64_t) seed;
        return 1;
    default: return 1;
    }
}

static int apply_learning(ub_cosearch_options *o, int option, const char *text)
{
    switch (option) {
    case SEARCH_BATCH:
        return parse_integer("--search-batch", text, 2, 1 << 16,
                             &o->search_batch);
    case SEARCH_RATE:
        return parse_number("--search-rate", text, 0, 1e3, &o->search_rate);
    case ARCHITECTURE_RATE:
        return parse_number("--architecture-rate", text, 0, 1e3,
                            &o->architecture_rate);
    case TAU: return parse_number("--tau", text, 1e-3, 1e6, &o->tau);
    case TAU_DECAY:
        return parse_number("--tau-decay", text, 1e-3, 1, &o->tau_decay);
    case TRAIN_BATCH:
        return parse_integer("--train-batch", text, 2, 1 << 16,
                             &o->train_batch);
    case TRAIN_RATE:
        return parse_number("--train-rate", text, 0, 1e3, &o->train_rate);
    default: return 1;
    }
}

static int apply_hardware(ub_cosearch_options *o, int option, const char *text)
{
    switch (option) {
    case HARDWARE_ONCE: o->hardware_once = 1; return 1;
    case LAMBDA: return parse_number("--lambda", text, 0, 1e9, &o->lambda);
    case FPS: return parse_fps(text, o);
    case GRADIENT:
        return parse_choice("--gradient", text, gradient_name, &o->gradient);
    case COST: return parse_choice("--cost", text, cost_name, &o->cost);
    case ENGINE: return parse_choice("--engine", text, engine_name, &o->engine);
    case REFRESH:
        return parse_integer("--refresh", text, 1, 1 << 30, &o->refresh);
    case SAMPLES:
        return parse_integer("--samples", text, 1, 1000000000, &o->samples);
    case DSP: return parse_number("--dsp", text, 1, 1e9, &o->dsp_limit);
    case BRAM:
        return parse_integer("--bram", text, 1, UB_ACCELERATOR_MAX_BRAM,
                             &o->bram_limit);
    default: return 1;
    }
}

/* 1, or 0 after a message; exits after --help. */
static int parse(arguments *a, int argc, char **argv)
{
    static const char *const help[] = { usage, NULL };
    const char *preset, *threads;

    memset(a, 0, sizeof(*a));
    ub_cosearch_options_init(&a->options, sizeof(a->options));
    if (!parse_command_line(argc, argv, long_options, help, a->value))
        return 0;
    preset = value_of(a, PRESET);
    if (preset != NULL && ub_cosearch_preset(&a->options, preset) != UB_OK) {
        fprintf(stderr, "--preset %s: expected quick, small or paper\n",
                preset);
        return 0;
    }
    for (int option = DATA; option < HELP; option++) {
        const char *text = value_of(a, option);

        if (text != NULL && (!apply_network(&a->options, option, text) ||
                             !apply_learning(&a->options, option, text) ||
                             !apply_hardware(&a->options, option, text)))
            return 0;
    }
    threads = value_of(a, THREADS);
    return threads == NULL ||
           parse_integer("--threads", threads, 1, 1024, &a->threads);
}

/* -- the run -------------------------------------------------------------- */

static void print_found(const ub_cosearch_result *r)
{
    printf("%-24s %.4f\n", "test accuracy", r->test_accuracy);
    printf("%-24s %.2f (bottleneck %.0f cycles)\n", "frames per second", r->fps,
           r->bottleneck);
    printf("%-24s %.0f DSPs, %.0f blocks of memory\n", "accelerator", r->dsp,
           r->bram);
    printf("%-24s %.2f\n", "mean bits by MACs", r->mean_bits);
    printf("%-24s %" PRId64 " parameters, %" PRId64 " MACs\n", "network",
           r->parameters, r->macs);
    printf("%-24s %.1f search, %.1f training\n", "seconds", r->seconds[0],
           r->seconds[1]);
}

static const char *folder_of(const arguments *a)
{
    return value_of(a, OUT) ? value_of(a, OUT) : "cosearch-out";
}

static ub_status run(const void *user, ub_context *context,
                     const ub_dataset *train, const ub_dataset *test)
{
    const arguments *a = user;
    ub_cosearch_result result = { .size = sizeof(result) };
    const ub_status status = ub_cosearch_run(
        context, &a->options, NULL, train, test, folder_of(a),
        value_of(a, RESUME) != NULL, &result);

    if (status == UB_OK)
        print_found(&result);
    return status;
}

int main(int argc, char **argv)
{
    arguments a;

    return parse(&a, argc, argv) ? run_in_folder(folder_of(&a), a.threads,
                                                 value_of(&a, DATA), run, &a)
                                 : 1;
}
