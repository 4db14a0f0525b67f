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

#define N_PRESETS (sizeof(presets) / sizeof(presets[0]))

static const char *const preset_names[] = { "quick", "small", "paper8", "paper",
                                            NULL };

static const char *const hardware_names[] = {
    "systolic", "flops",         "roofline",
    "blackbox", "systolic-full", "blackbox-interp"
};

const char *ub_search_hardware_name(int32_t hardware)
{
    if (hardware < 0 || hardware > UB_SEARCH_BLACKBOX_INTERP)
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
    if (options == NULL)
        return UB_ERR_INVALID;
    for (size_t i = 0; i < N_PRESETS; i++) {
        if (name != NULL && strcmp(presets[i].preset, name) == 0) {
            ub__options_out(options, options->size, &presets[i],
                            sizeof(presets[i]));
            return UB_OK;
        }
    }
    return UB_ERR_INVALID;
}

/* One row per number of the options: its name in config.json and its range. */
typedef struct int_row {
    const char *name;
    size_t offset;
    int wide; /* int64_t, otherwise int32_t */
    int64_t low, high;
} int_row;

typedef struct double_row {
    const char *name;
    size_t offset;
    double low, high;
} double_row;

#define AT(field) offsetof(ub_search_options, field)
#define WIDE(field, low, high)          \
    {                                   \
#field, AT(field), 1, low, high \
    }
#define NARROW(field, low, high)        \
    {                                   \
#field, AT(field), 0, low, high \
    }
#define REAL(field, low, high)       \
    {                                \
#field, AT(field), low, high \
    }

static const int_row int_rows[] = {
    WIDE(cells, 3, 63),
    WIDE(base_width, 1, 1 << 16),
    { "widths_low", AT(widths) + offsetof(ub_width_range, low), 1, 1, 1 << 16 },
    { "widths_high", AT(widths) + offsetof(ub_width_range, high), 1, 1,
      1 << 16 },
    { "widths_step", AT(widths) + offsetof(ub_width_range, step), 1, 1,
      1 << 16 },
    WIDE(train_images, 0, (int64_t) 1 << 40),
    WIDE(micro_epochs, 0, 1 << 20),
    WIDE(channel_epochs, 0, 1 << 20),
    WIDE(train_epochs, 1, 1 << 20),
    WIDE(rows, 1, 1 << 16),
    WIDE(columns, 1, 1 << 16),
    WIDE(cost_scale, 1, 1 << 10),
    WIDE(hw_batch, 1, 1 << 20),
    WIDE(table_batch, 0, 1 << 20),
    NARROW(reading, 0, UB_LATENCY_PLAIN),
    NARROW(node_width, 0, UB_NODE_FULL),
    NARROW(sampling, 0, UB_SAMPLING_SINGLE_PATH),
    NARROW(mask_place, 0, UB_MASK_BEFORE_NORM),
    NARROW(include_ends, 0, 1),
    NARROW(splits, 1, 2),
    WIDE(search_batch, 2, 1 << 16),
    WIDE(search_step, 1, 1 << 20),
    WIDE(train_batch, 2, 1 << 16),
    WIDE(crop_padding, 0, 64),
    NARROW(flip, 0, 1),
    NARROW(polish, 0, 1),
    WIDE(polish_limit, 1, (int64_t) 1 << 40),
    NARROW(take, 0, UB_SEARCH_TAKE_WIDTHS),
    NARROW(keep_supernet, 0, 1),
    NARROW(uniform_widths, 0, 1),
};

static const double_row double_rows[] = {
    REAL(lambda, 0.0, 1e9),
    REAL(beta, 0.0, 1e9),
    REAL(search_rate, 0.0, 1e3),
    REAL(search_momentum, 0.0, 1.0),
    REAL(search_decay, 0.0, 1e3),
    REAL(search_gamma, 0.0, 1e3),
    REAL(architecture_rate, 0.0, 1e3),
    REAL(weight_share, 0.0, 1.0),
    REAL(tau, 1e-6, 1e6),
    REAL(tau_decay, 1e-6, 1.0),
    REAL(tau_floor, 1e-6, 1e6),
    REAL(train_rate, 0.0, 1e3),
    REAL(train_decay, 0.0, 1e3),
    REAL(train_warmup, 0.0, 1.0),
    REAL(max_grad_norm, 0.0, 1e9),
    REAL(smoothing, 0.0, 0.999),
    REAL(polish_weight, 0.0, 1e9),
    REAL(initial_place, -1.0, 1.0),
    REAL(initial_height, 0.0, 1e6),
};

#define N_INTS    (sizeof(int_rows) / sizeof(int_rows[0]))
#define N_DOUBLES (sizeof(double_rows) / sizeof(double_rows[0]))

static int64_t int_value(const ub_search_options *o, const int_row *row)
{
    const char *at = (const char *) o + row->offset;
    int32_t narrow;
    int64_t wide;

    if (row->wide) {
        memcpy(&wide, at, sizeof(wide));
        return wide;
    }
    memcpy(&narrow, at, sizeof(narrow));
    return narrow;
}

static double double_value(const ub_search_options *o, const double_row *row)
{
    double value;

    memcpy(&value, (const char *) o + row->offset, sizeof(value));
    return value;
}

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

static ub_status check_ints(ub_context *context, const ub_search_options *o,
                            const int_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const int64_t value = int_value(o, &rows[i]);
        if (value < rows[i].low || value > rows[i].high)
            return ub__fail(context, UB_ERR_INVALID,
                            "search: %s is %lld, expected %lld to %lld",
                            rows[i].name, (long long) value,
                            (long long) rows[i].low, (long long) rows[i].high);
    }
    return UB_OK;
}

static ub_status check_doubles(ub_context *context, const ub_search_options *o,
                               const double_row *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const double value = double_value(o, &rows[i]);
        if (!(value >= rows[i].low && value <= rows[i].high))
            return ub__fail(context, UB_ERR_INVALID,
                            "search: %s is %g, expected %g to %g", rows[i].name,
                            value, rows[i].low, rows[i].high);
    }
    return UB_OK;
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

/* It goes into config.json. */
static ub_status check_text(ub_context *context, const char *what,
                            const char *text, size_t length)
{
    json_t *valid = json_stringn(text, length);
    json_t *any = json_stringn_nocheck(text, length);
    const int bad = valid == NULL && any != NULL;

    json_decref(valid);
    json_decref(any);
    return bad ? ub__fail(context, UB_ERR_INVALID, "search: %s is not UTF-8",
                          what)
               : UB_OK;
}

static ub_status check_texts(ub_context *context,
                             const ub_search_options *options)
{
    size_t length;
    const char *from = folder_name(options->from, &length);
    ub_status status = check_text(context, "the name of the preset",
                                  options->preset, strlen(options->preset));

    if (status == UB_OK)
        status = check_text(context, "the name of the folder `from`", from,
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
        status = check_ints(context, options, int_rows, N_INTS);
    if (status == UB_OK)
        status = check_doubles(context, options, double_rows, N_DOUBLES);
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

static int add_int(json_t *root, const ub_search_options *o, const int_row *row)
{
    return json_object_set_new(root, row->name,
                               json_integer(int_value(o, row)));
}

static int add_double(json_t *root, const ub_search_options *o,
                      const double_row *row)
{
    return json_object_set_new(root, row->name,
                               json_real(double_value(o, row)));
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
    for (size_t i = 0; i < N_INTS; i++)
        failed |= add_int(root, options, &int_rows[i]);
    for (size_t i = 0; i < N_DOUBLES; i++)
        failed |= add_double(root, options, &double_rows[i]);
    failed |= json_object_set_new(
        root, "from", from ? json_stringn(from, length) : json_null());
    if (failed) {
        json_decref(root);
        return NULL;
    }
    return root;
}
