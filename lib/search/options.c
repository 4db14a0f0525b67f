/* SPDX-License-Identifier: BSD-2-Clause */
#include "search/search.h"

#include <math.h>
#include <string.h>

#define COMMON                                                                 \
    .size = sizeof(ub_search_options), .seed = 1, .cells = 3, .hw_batch = 64,  \
    .splits = 1, .lambda = 0.5, .beta = 1.0, .search_batch = 64,               \
    .search_rate = 0.05, .search_momentum = 0.9, .search_decay = 3e-4,         \
    .search_gamma = 0.5, .search_step = 30, .architecture_rate = 0.1,          \
    .weight_share = 0.8, .tau = 1.0, .tau_decay = 0.95, .tau_floor = 0.001,    \
    .train_rate = 0.1, .train_decay = 5e-4, .train_warmup = 0.1,               \
    .max_grad_norm = 0.5, .crop_padding = 4, .flip = 1, .initial_place = -1.0, \
    .initial_height = 1.0, .polish_weight = 0.02, .polish_limit = 100000

/* A few epochs of few images make too few steps with the paper's training
 * batch of 256, so the small presets take 64. */
static const ub_search_options presets[] = {
    { COMMON, .preset = "quick", .base_width = 8, .widths = { 4, 16, 2 },
      .rows = 8, .columns = 8, .cost_scale = 1, .train_images = 4000,
      .train_batch = 64, .micro_epochs = 1, .channel_epochs = 1,
      .train_epochs = 2 },
    { COMMON, .preset = "small", .base_width = 16, .widths = { 8, 32, 4 },
      .rows = 16, .columns = 16, .cost_scale = 1, .train_images = 20000,
      .train_batch = 64, .micro_epochs = 2, .channel_epochs = 3,
      .train_epochs = 10 },
    { COMMON, .preset = "paper8", .base_width = 16, .widths = { 8, 35, 1 },
      .rows = 128, .columns = 128, .cost_scale = 8, .micro_epochs = 10,
      .channel_epochs = 30, .train_epochs = 100, .train_batch = 256 },
    { COMMON, .preset = "paper", .base_width = 128, .widths = { 64, 280, 8 },
      .rows = 128, .columns = 128, .cost_scale = 1, .micro_epochs = 10,
      .channel_epochs = 30, .train_epochs = 100, .train_batch = 256 },
};

/* In the order of the presets. */
static const char *const preset_names[] = { "quick", "small", "paper8", "paper",
                                            NULL };

static const char *const hardware_names[] = {
    "systolic",      "flops",           "roofline",          "blackbox",
    "systolic-full", "blackbox-interp", "roofline-published"
};

const char *ub_search_hardware_name(int32_t hardware)
{
    if (hardware < 0 || hardware > UB_SEARCH_ROOFLINE_PUBLISHED)
        return NULL;
    return hardware_names[hardware];
}

const char *const *ub_search_presets(void)
{
    return preset_names;
}

void ub_search_options_init(ub_search_options *options, size_t size)
{
    ub__options_out(options, size, &presets[1], sizeof(presets[1]));
}

ub_status ub_search_preset(ub_search_options *options, const char *name)
{
    return ub__options_preset(options, presets, sizeof(presets[0]),
                              preset_names, name);
}

#define ROW(field, low, high) \
    UB__OPTION_ROW(ub_search_options, field, low, high)
#define WIDTH(field)                              \
    {                                             \
        "widths_" #field,                         \
            offsetof(ub_search_options, widths) + \
                offsetof(ub_width_range, field),  \
            UB__OPTION_INT64, 1, 1 << 16          \
    }

static const ub__option_row rows[] = {
    ROW(cells, 3, 63),
    ROW(base_width, 1, 1 << 16),
    WIDTH(low),
    WIDTH(high),
    WIDTH(step),
    ROW(train_images, 0, (int64_t) 1 << 40),
    ROW(micro_epochs, 0, 1 << 20),
    ROW(channel_epochs, 0, 1 << 20),
    ROW(train_epochs, 1, 1 << 20),
    ROW(rows, 1, 1 << 16),
    ROW(columns, 1, 1 << 16),
    ROW(cost_scale, 1, 1 << 10),
    ROW(hw_batch, 1, 1 << 20),
    ROW(table_batch, 0, 1 << 20),
    ROW(reading, 0, UB_LATENCY_PLAIN),
    ROW(node_width, 0, UB_NODE_FULL),
    ROW(sampling, 0, UB_SAMPLING_SINGLE_PATH),
    ROW(mask_place, 0, UB_MASK_BEFORE_NORM),
    ROW(include_ends, 0, 1),
    ROW(splits, 1, 2),
    ROW(search_batch, 2, 1 << 16),
    ROW(search_step, 1, 1 << 20),
    ROW(train_batch, 2, 1 << 16),
    ROW(crop_padding, 0, 64),
    ROW(flip, 0, 1),
    ROW(polish, 0, 1),
    ROW(polish_limit, 1, (int64_t) 1 << 40),
    ROW(take, 0, UB_SEARCH_TAKE_WIDTHS),
    ROW(keep_supernet, 0, 1),
    ROW(uniform_widths, 0, 1),
    ROW(lambda, 0.0, 1e9),
    ROW(beta, 0.0, 1e9),
    ROW(search_rate, 0.0, 1e3),
    ROW(search_momentum, 0.0, 0.999999),
    ROW(search_decay, 0.0, 1e3),
    ROW(search_gamma, 0.0, 1e3),
    ROW(architecture_rate, 0.0, 1e3),
    ROW(weight_share, 0.0, 1.0),
    ROW(tau, 1e-6, 1e6),
    ROW(tau_decay, 1e-6, 1.0),
    ROW(tau_floor, 1e-6, 1e6),
    ROW(train_rate, 0.0, 1e3),
    ROW(train_decay, 0.0, 1e3),
    ROW(train_warmup, 0.0, 1.0),
    ROW(max_grad_norm, 0.0, 1e9),
    ROW(smoothing, 0.0, 0.999),
    ROW(polish_weight, 0.0, 1e9),
    ROW(initial_place, -1.0, 1.0),
    ROW(initial_height, 0.0, 1e6),
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

int ub__search_by_table(const ub_search_options *options)
{
    return options->hardware == UB_SEARCH_BLACKBOX ||
           options->hardware == UB_SEARCH_BLACKBOX_INTERP;
}

int64_t ub__search_cost_batch(const ub_search_options *options)
{
    return ub__search_by_table(options) && options->table_batch > 0
               ? options->table_batch
               : options->hw_batch;
}

/* A folder's name without its path, for results may move; NULL without one. */
static const char *folder_name(const char *path, size_t *length)
{
    size_t end = path ? strlen(path) : 0, first;

    while (end > 1 && path[end - 1] == '/')
        end--;
    for (first = end; first > 0 && path[first - 1] != '/';)
        first--;
    *length = end - first;
    return path ? path + first : NULL;
}

static ub_status check_texts(ub_context *context,
                             const ub_search_options *options)
{
    size_t length;
    const char *from = folder_name(options->from, &length);
    ub_status status = ub__config_text(context, "the name of the preset",
                                       options->preset,
                                       strlen(options->preset));

    if (status == UB_OK)
        status = ub__config_text(context, "the name of the folder `from`", from,
                                 length);
    return status;
}

ub_status ub__search_options_check(ub_context *context,
                                   const ub_search_options *options)
{
    ub_status status;

    if (options->preset == NULL ||
        ub_search_hardware_name(options->hardware) == NULL)
        return ub__fail(context, UB_ERR_INVALID,
                        "search: no preset, or unknown hardware %d",
                        (int) options->hardware);
    if (options->reserved != 0 || options->reserved_tail != 0 ||
        options->reserved_polish != 0 || options->reserved_from != 0)
        return ub__fail(context, UB_ERR_INVALID,
                        "search: reserved options are not 0");
    status = check_texts(context, options);
    if (status == UB_OK)
        status = ub__options_check(context, "search", options, rows, N_ROWS);
    if (status == UB_OK && options->initial_place < 0.0 &&
        options->initial_place != -1.0)
        status = ub__fail(context, UB_ERR_INVALID,
                          "search: initial_place is %g, expected -1, or 0 to 1",
                          options->initial_place);
    if (status == UB_OK && ub_width_range_count(&options->widths) == 0)
        status = ub__fail(
            context, UB_ERR_INVALID, "search: widths %lld to %lld by %lld",
            (long long) options->widths.low, (long long) options->widths.high,
            (long long) options->widths.step);
    return status;
}

json_t *ub__search_options_json(const ub_search_options *options)
{
    json_t *root = json_object();
    size_t length;
    const char *from = folder_name(options->from, &length);
    int failed = 0;

    failed |= json_object_set_new(root, "preset", json_string(options->preset));
    failed |= json_object_set_new(root, "seed",
                                  json_integer((json_int_t) options->seed));
    failed |= json_object_set_new(
        root, "hw", json_string(hardware_names[options->hardware]));
    failed |= ub__options_json(root, options, rows, N_ROWS);
    failed |= json_object_set_new(
        root, "from", from ? json_stringn(from, length) : json_null());
    if (failed) {
        json_decref(root);
        return NULL;
    }
    return root;
}

json_t *ub__search_defaults_json(const ub_search_options *options)
{
    ub_search_options defaults;

    ub_search_options_init(&defaults, sizeof(defaults));
    /* may have another name */
    (void) !ub_search_preset(&defaults, options->preset);
    return ub__search_options_json(&defaults);
}
