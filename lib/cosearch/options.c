/* SPDX-License-Identifier: BSD-2-Clause */
#include "cosearch/cosearch.h"

#include <string.h>

#define COMMON                                                                 \
    .size = sizeof(ub_cosearch_options), .seed = 1, .bit_widths = 3,           \
    .bits = { 4, 6, 8 }, .cost = UB_COSEARCH_INTERVAL, .samples = 2000,        \
    .lambda = 0.1, .search_rate_last = 0.001, .search_momentum = 0.9,          \
    .search_decay = 5e-4, .search_clip = 5.0, .tau = 5.0, .train_decay = 5e-4, \
    .train_clip = 5.0, .crop_padding = 4, .flip = 1

/* The limits of the small ones are those of a Zynq 7020. Few steps need larger
 * ones on logits, and a temperature that falls to the same value sooner. Random
 * paths learn slowly: one path alone gets a third of the images right after the
 * 280 steps of "quick", with bits or without; drawn from all, the loss leaves
 * ln 10 after some 2500 (measured at half the width and extent), and only then
 * logits have something to learn from. So "small" warms up for 5600 steps, half
 * of its search. */
static const ub_cosearch_options presets[] = {
    { COMMON, .preset = "quick", .base_width = 8, .depth = 1,
      .train_images = 4000, .warmup_epochs = 2, .gradual = 1,
      .search_epochs = 3, .train_epochs = 4, .refresh = 10, .dsp_limit = 220,
      .bram_limit = 280, .search_batch = 32, .search_rate = 0.02,
      .architecture_rate = 0.02, .tau_decay = 0.55, .train_batch = 64,
      .train_rate = 0.1 },
    { COMMON, .preset = "small", .base_width = 8, .depth = 2,
      .train_images = 20000, .warmup_epochs = 20, .gradual = 1,
      .search_epochs = 20, .train_epochs = 30, .refresh = 100, .dsp_limit = 220,
      .bram_limit = 280, .search_batch = 32, .search_rate = 0.025,
      .architecture_rate = 0.003, .tau_decay = 0.927, .train_batch = 64,
      .train_rate = 0.1 },
    { COMMON, .preset = "paper", .base_width = 16, .depth = 4,
      .warmup_epochs = 30, .search_epochs = 90, .train_epochs = 600,
      .refresh = 100, .dsp_limit = 900, .bram_limit = 700, .fps_low = 100,
      .fps_high = 400, .search_batch = 64, .search_rate = 0.025,
      .architecture_rate = 3e-4, .tau_decay = 0.975, .train_batch = 96,
      .train_rate = 0.01 },
};

/* In the order of the presets. */
static const char *const preset_names[] = { "quick", "small", "paper", NULL };

const char *const *ub_cosearch_presets(void)
{
    return preset_names;
}

void ub_cosearch_options_init(ub_cosearch_options *options, size_t size)
{
    ub__options_out(options, size, &presets[1], sizeof(presets[1]));
}

ub_status ub_cosearch_preset(ub_cosearch_options *options, const char *name)
{
    return ub__options_preset(options, presets, sizeof(presets[0]),
                              preset_names, name);
}

#define ROW(field, low, high) \
    UB__OPTION_ROW(ub_cosearch_options, field, low, high)

static const ub__option_row rows[] = {
    ROW(base_width, 1, 1 << 16),
    ROW(depth, 1, UB_SPACE_MAX_ITEMS),
    ROW(train_images, 0, 1e12),
    ROW(warmup_epochs, 0, 1 << 20),
    ROW(search_epochs, 0, 1 << 20),
    ROW(train_epochs, 1, 1 << 20),
    ROW(engine, 0, UB_ENGINE_DIFFERENTIABLE),
    ROW(hardware_once, 0, 1),
    ROW(gradient, 0, UB_COSEARCH_PUBLISHED),
    ROW(cost, 0, UB_COSEARCH_INTERVAL),
    ROW(refresh, 1, 1e12),
    ROW(samples, 1, 1e9),
    ROW(lambda, 0, 1e9),
    ROW(fps_low, 0, 1e12),
    ROW(fps_high, 0, 1e12),
    ROW(dsp_limit, 1, 1e9),
    ROW(bram_limit, 1, 1 << 16),
    ROW(search_batch, 2, 1 << 16),
    ROW(search_rate, 0, 1e3),
    ROW(search_rate_last, 0, 1e3),
    ROW(search_momentum, 0, 0.999999),
    ROW(search_decay, 0, 1e3),
    ROW(search_clip, 0, 1e9),
    ROW(architecture_rate, 0, 1e3),
    ROW(tau, 1e-3, 1e6),
    ROW(tau_decay, 1e-3, 1),
    ROW(train_batch, 2, 1 << 16),
    ROW(train_rate, 0, 1e3),
    ROW(train_decay, 0, 1e3),
    ROW(train_clip, 0, 1e9),
    ROW(crop_padding, 0, 64),
    ROW(flip, 0, 1),
    ROW(gradual, 0, 1),
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static ub_status check_bits(ub_context *context, const ub_cosearch_options *o)
{
    if (o->bit_widths < 1 || o->bit_widths > UB_CHUNK_MAX_BITS)
        return ub__fail(context, UB_ERR_INVALID,
                        "cosearch: %d bit widths, expected 1 to %d",
                        (int) o->bit_widths, UB_CHUNK_MAX_BITS);
    for (int i = 0; i < o->bit_widths; i++) {
        const int32_t bits = o->bits[i];
        int twice = 0;

        for (int k = 0; k < i; k++)
            twice |= o->bits[k] == bits;
        if (twice || ((bits < 1 || bits > UB_QUANT_MAX_BITS) && bits != 32))
            return ub__fail(context, UB_ERR_INVALID,
                            "cosearch: a bit width of %d%s", (int) bits,
                            twice ? ", twice" : "");
    }
    return UB_OK;
}

ub_status ub__cosearch_options_check(ub_context *context,
                                     const ub_cosearch_options *options)
{
    ub_status status;

    if (options->preset == NULL)
        return ub__fail(context, UB_ERR_INVALID, "cosearch: no preset");
    status = ub__config_text(context, "the name of the preset", options->preset,
                             strlen(options->preset));
    if (status == UB_OK)
        status = ub__options_check(context, "cosearch", options, rows, N_ROWS);
    if (status != UB_OK)
        return status;
    if (options->fps_high > 0.0 && options->fps_high < options->fps_low)
        return ub__fail(context, UB_ERR_INVALID,
                        "cosearch: at least %g frames per second, at most %g",
                        options->fps_low, options->fps_high);
    if (options->reserved != 0)
        return ub__fail(context, UB_ERR_INVALID, "cosearch: reserved is not 0");
    if (options->cost == UB_COSEARCH_INTERVAL &&
        options->gradient == UB_COSEARCH_PUBLISHED)
        return ub__fail(context, UB_ERR_INVALID,
                        "cosearch: the published gradient is one of the time "
                        "of each block, not of the interval");
    return check_bits(context, options);
}

json_t *ub__cosearch_options_json(const ub_cosearch_options *options)
{
    json_t *root = json_object(), *bits = json_array();
    int failed = root == NULL || bits == NULL;

    failed |= json_object_set_new(root, "preset", json_string(options->preset));
    failed |= json_object_set_new(root, "seed",
                                  json_integer((json_int_t) options->seed));
    for (int i = 0; i < options->bit_widths; i++)
        failed |= json_array_append_new(bits, json_integer(options->bits[i]));
    failed |= json_object_set_new(root, "bits", bits);
    failed |= ub__options_json(root, options, rows, N_ROWS);
    if (!failed)
        return root;
    json_decref(root);
    return NULL;
}

json_t *ub__cosearch_defaults_json(const ub_cosearch_options *options)
{
    ub_cosearch_options defaults;

    ub_cosearch_options_init(&defaults, sizeof(defaults));
    /* may have another name */
    (void) !ub_cosearch_preset(&defaults, options->preset);
    return ub__cosearch_options_json(&defaults);
}

void ub__cosearch_search_options(const ub_cosearch_options *options,
                                 ub_search_options *out)
{
    ub_search_options_init(out, sizeof(*out));
    out->preset = options->preset;
    out->seed = options->seed;
    out->train_images = options->train_images;
    out->train_epochs = options->train_epochs;
    out->search_batch = options->search_batch;
    out->splits = 2;
    out->weight_share = 0.5;
    out->train_batch = options->train_batch;
    out->train_rate = options->train_rate;
    out->train_decay = options->train_decay;
    out->max_grad_norm = options->train_clip;
    out->crop_padding = options->crop_padding;
    out->flip = options->flip;
}
