/* SPDX-License-Identifier: BSD-2-Clause */
#define _POSIX_C_SOURCE 200809L

#include "common/search_options.h"

#include "common/command_line.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

const char search_options_usage[] =
    "  --preset NAME     quick, small, paper8 or paper (small); the options\n"
    "                    below change it\n"
    "  --epochs M,C,T    of micro search, channel search, final training\n"
    "  --train-images N  class-balanced choice of N training images\n"
    "  --array RxC       processing elements\n"
    "  --cost-scale N    widths are priced times N\n"
    "  --hw-batch N      batch that the cost model assumes (64)\n"
    "  --table-batch N   batch of the blackbox tables (0: as --hw-batch)\n"
    "  --beta F          weight of the utilization (1)\n"
    "  --search-batch N, --search-rate F, --search-momentum F,\n"
    "  --search-decay F, --search-gamma F, --search-step N,\n"
    "  --architecture-rate F, --weight-share F\n"
    "                    batch, rate, momentum, weight decay of the searches;\n"
    "                    factor of the rate every so many epochs; rate of the\n"
    "                    architecture; part of an epoch that trains weights\n"
    "  --tau F, --tau-decay F, --tau-floor F\n"
    "                    temperature, its factor per epoch, its least\n"
    "  --train-batch N, --train-rate F, --train-decay F, --smoothing F\n"
    "                    of final training\n"
    "  --base-width N, --widths LOW:HIGH:STEP\n"
    "                    of the stem and the micro search; of the channels\n"
    "  --mask-place NAME after or before-norm (after)\n"
    "  --reading NAME    of the expected latency: code or plain (code)\n"
    "  --node-width NAME widest or full (widest)\n"
    "  --sampling NAME   of the micro search: soft or single-path (soft)\n"
    "  --splits N        2: weights and architecture learn from images of\n"
    "                    their own (1)\n"
    "  --include-ends N  1: stem and classifier count in the loss (0)\n"
    "  --initial-place F where widths begin, 0 narrowest to 1 widest (-1: at\n"
    "                    random)\n"
    "  --initial-height F  how decidedly (1)\n"
    "  --polish          move the widths found to where the simulator says it\n"
    "                    is free or nearly so\n"
    "  --polish-weight F latency, of the whole, that a nat of probability is\n"
    "                    worth (0.02)\n"
    "  --keep-supernet   write supernet.safetensors, for runs to share; its\n"
    "                    weights then learn from widths drawn uniformly\n"
    "  --from DIR        share the micro search and the supernet of the run "
    "in\n"
    "                    DIR; --epochs M,C,T: C learns its widths only\n"
    "  --take NAME       with --from: supernet, operators (only), or widths\n"
    "                    (both searches) (supernet)\n";

/* A number, or a name whose place among `names` is the number. */
typedef struct setting {
    const char *name;
    size_t offset;
    int kind; /* 'i' int64_t, 'w' int32_t, 'd' double, 'f' a flag in an int32_t,
                 's' anything else */
    double low, high;
    const char *names; /* "zero|one" */
} setting;

#define AT(field) offsetof(ub_search_options, field)

enum { PRESET, EPOCHS, ARRAY, WIDTHS, FROM, TAKE };

static const setting settings[N_SEARCH_OPTIONS] = {
    [PRESET] = { "preset", 0, 's', 0, 0, NULL },
    [EPOCHS] = { "epochs", 0, 's', 0, 0, NULL },
    [ARRAY] = { "array", 0, 's', 0, 0, NULL },
    [WIDTHS] = { "widths", 0, 's', 0, 0, NULL },
    [FROM] = { "from", 0, 's', 0, 0, NULL },
    [TAKE] = { "take", AT(take), 'w', 0, 0, "supernet|operators|widths" },
    { "train-images", AT(train_images), 'i', 20, INT32_MAX, NULL },
    { "cost-scale", AT(cost_scale), 'i', 1, 1024, NULL },
    { "hw-batch", AT(hw_batch), 'i', 1, 1 << 20, NULL },
    { "table-batch", AT(table_batch), 'i', 0, 1 << 20, NULL },
    { "beta", AT(beta), 'd', 0, 1e9, NULL },
    { "search-batch", AT(search_batch), 'i', 2, 1 << 16, NULL },
    { "search-rate", AT(search_rate), 'd', 0, 1e3, NULL },
    { "search-momentum", AT(search_momentum), 'd', 0, 1, NULL },
    { "search-decay", AT(search_decay), 'd', 0, 1e3, NULL },
    { "search-gamma", AT(search_gamma), 'd', 0, 1e3, NULL },
    { "search-step", AT(search_step), 'i', 1, 1 << 20, NULL },
    { "architecture-rate", AT(architecture_rate), 'd', 0, 1e3, NULL },
    { "weight-share", AT(weight_share), 'd', 0, 1, NULL },
    { "tau", AT(tau), 'd', 1e-6, 1e6, NULL },
    { "tau-decay", AT(tau_decay), 'd', 1e-6, 1, NULL },
    { "tau-floor", AT(tau_floor), 'd', 1e-6, 1e6, NULL },
    { "train-batch", AT(train_batch), 'i', 2, 1 << 16, NULL },
    { "train-rate", AT(train_rate), 'd', 0, 1e3, NULL },
    { "train-decay", AT(train_decay), 'd', 0, 1e3, NULL },
    { "smoothing", AT(smoothing), 'd', 0, 0.999, NULL },
    { "base-width", AT(base_width), 'i', 1, 1 << 16, NULL },
    { "mask-place", AT(mask_place), 'w', 0, 0, "after|before-norm" },
    { "reading", AT(reading), 'w', 0, 0, "code|plain" },
    { "node-width", AT(node_width), 'w', 0, 0, "widest|full" },
    { "sampling", AT(sampling), 'w', 0, 0, "soft|single-path" },
    { "splits", AT(splits), 'w', 1, 2, NULL },
    { "include-ends", AT(include_ends), 'w', 0, 1, NULL },
    { "initial-place", AT(initial_place), 'd', -1, 1, NULL },
    { "initial-height", AT(initial_height), 'd', 0, 1e6, NULL },
    { "polish", AT(polish), 'f', 0, 0, NULL },
    { "polish-weight", AT(polish_weight), 'd', 0, 1e9, NULL },
    { "keep-supernet", AT(keep_supernet), 'f', 0, 0, NULL },
};

void list_search_options(struct option *options, int first)
{
    for (int i = 0; i < N_SEARCH_OPTIONS; i++)
        options[i] = (struct option){ settings[i].name,
                                      settings[i].kind == 'f'
                                          ? no_argument
                                          : required_argument,
                                      NULL, first + i };
}

/* The place of a name in "zero|one", -1 if it is none of them. */
static int place_of(const char *text, const char *names)
{
    const size_t length = strlen(text);

    for (int i = 0; names != NULL; i++) {
        const char *end = strchr(names, '|');
        const size_t n = end ? (size_t) (end - names) : strlen(names);

        if (n == length && strncmp(text, names, n) == 0)
            return i;
        names = end ? end + 1 : NULL;
    }
    return -1;
}

static int is_called(const setting *s, const char *key)
{
    const char *name = s->name;

    for (; *name != '\0' && *key != '\0'; name++, key++) {
        if (*name != *key && !(*name == '-' && *key == '_'))
            return 0;
    }
    return *name == *key;
}

int name_search_option(const char *key, int64_t value, char *out, size_t size)
{
    const char *at = NULL;

    for (int i = 0; i < N_SEARCH_OPTIONS; i++) {
        if (settings[i].names != NULL && is_called(&settings[i], key))
            at = settings[i].names;
    }
    for (; at != NULL && value > 0; value--) {
        at = strchr(at, '|');
        at = at ? at + 1 : NULL;
    }
    if (at == NULL || value < 0)
        return 0;
    snprintf(out, size, "%.*s", (int) strcspn(at, "|"), at);
    return 1;
}

static int read_other(int index, const char *text, ub_search_options *o)
{
    int64_t *const epochs[3] = { &o->micro_epochs, &o->channel_epochs,
                                 &o->train_epochs };
    int64_t *const widths[3] = { &o->widths.low, &o->widths.high,
                                 &o->widths.step };

    switch (index) {
    case EPOCHS: return parse_three("--epochs", text, ',', epochs, 1);
    case ARRAY: return parse_array("--array", text, &o->rows, &o->columns);
    case WIDTHS: return parse_three("--widths", text, ':', widths, 1);
    case FROM: o->from = text; return 1;
    default: return 1; /* the preset */
    }
}

static int read_name(const setting *s, const char *option, const char *text,
                     int32_t *to)
{
    const int place = place_of(text, s->names);

    if (place < 0) {
        fprintf(stderr, "%s %s: expected %s\n", option, text, s->names);
        return 0;
    }
    *to = place;
    return 1;
}

static int read_setting(int index, const char *text, ub_search_options *o)
{
    const setting *s = &settings[index];
    char *at = (char *) o + s->offset;
    char option[64];
    int64_t wide;
    int32_t narrow;
    double real;

    snprintf(option, sizeof(option), "--%s", s->name);
    if (s->kind == 's')
        return read_other(index, text, o);
    if (s->kind == 'd') {
        if (!parse_number(option, text, s->low, s->high, &real))
            return 0;
        memcpy(at, &real, sizeof(real));
        return 1;
    }
    if (s->kind == 'f') {
        narrow = 1;
        memcpy(at, &narrow, sizeof(narrow));
        return 1;
    }
    if (s->names != NULL) {
        if (!read_name(s, option, text, &narrow))
            return 0;
        memcpy(at, &narrow, sizeof(narrow));
        return 1;
    }
    if (!parse_integer(option, text, (int64_t) s->low, (int64_t) s->high,
                       &wide))
        return 0;
    narrow = (int32_t) wide;
    if (s->kind == 'w')
        memcpy(at, &narrow, sizeof(narrow));
    else
        memcpy(at, &wide, sizeof(wide));
    return 1;
}

int read_search_options(const char *const *values, ub_search_options *options)
{
    const char *preset = values[PRESET];

    ub_search_options_init(options, sizeof(*options));
    if (preset != NULL && ub_search_preset(options, preset) != UB_OK) {
        fprintf(stderr, "--preset %s: expected quick, small, paper8 or paper\n",
                preset);
        return 0;
    }
    for (int i = 0; i < N_SEARCH_OPTIONS; i++) {
        if (values[i] != NULL && !read_setting(i, values[i], options))
            return 0;
    }
    if (values[TAKE] != NULL && options->from == NULL) {
        fputs("--take is for --from DIR\n", stderr);
        return 0;
    }
    /* One supernet serves all widths only if it has learned from all. */
    options->uniform_widths = options->keep_supernet;
    return 1;
}
