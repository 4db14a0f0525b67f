/* SPDX-License-Identifier: BSD-2-Clause */
#include "utilization/utilization.h"

#include <math.h>
#include <string.h>

#define MAX_QUANTUM ((int64_t) 1 << 20)
#define MAX_ENTRIES ((int64_t) 1 << 24) /* of one layer */

/* The layer without its widths, and a price for each pair of widths. */
typedef struct block {
    ub_cost_layer key;
    int64_t step; /* between widths; each can be split into the groups */
    int64_t n_in, n_out;
    ub_cost *prices; /* [n_in][n_out] */
} block;

struct ub_util_table {
    ub_context *context;
    int64_t quantum;
    block *blocks;
    size_t n;
};

/* What layers are told apart by; the rest is at its default. */
static ub_cost_layer make_key(const ub_cost_layer *layer)
{
    ub_cost_layer key;

    ub_cost_layer_init(&key, sizeof(key));
    key.kind = layer->kind;
    key.batch = layer->batch;
    if (layer->kind == UB_COST_CONV)
        key.groups = layer->groups;
    if (layer->kind == UB_COST_LINEAR)
        return key;
    key.kernel_height = layer->kernel_height;
    key.kernel_width = layer->kernel_width;
    key.in_height = layer->in_height;
    key.in_width = layer->in_width;
    key.out_height = layer->out_height;
    key.out_width = layer->out_width;
    return key;
}

static int same_key(const ub_cost_layer *a, const ub_cost_layer *b)
{
    return a->kind == b->kind && a->groups == b->groups &&
           a->batch == b->batch && a->kernel_height == b->kernel_height &&
           a->kernel_width == b->kernel_width && a->in_height == b->in_height &&
           a->in_width == b->in_width && a->out_height == b->out_height &&
           a->out_width == b->out_width;
}

static block *find_block(const ub_util_table *table, const ub_cost_layer *layer)
{
    const ub_cost_layer key = make_key(layer);

    for (size_t i = 0; i < table->n; i++) {
        if (same_key(&table->blocks[i].key, &key))
            return &table->blocks[i];
    }
    return NULL;
}

/* Number of widths up to the first that reaches `channels`. */
static int64_t count_widths(int64_t step, double channels)
{
    return (int64_t) fmin(ceil(channels / (double) step), 1e9);
}

/* Index of the nearest width, the lower one on ties. */
static int64_t nearest(int64_t step, double channels, int64_t n)
{
    const double at = ceil(channels / (double) step - 0.5);

    return at < 1.0 ? 0 : at >= (double) n ? n - 1 : (int64_t) at - 1;
}

static ub_status price_block(const ub_util_table *table, block *b,
                             const ub_cost_model *model)
{
    ub_cost_layer layer = b->key;

    for (int64_t i = 0; i < b->n_in; i++) {
        for (int64_t k = 0; k < b->n_out; k++) {
            ub_cost cost = { .size = sizeof(cost) };
            ub_status status;

            layer.in_channels = (double) ((i + 1) * b->step);
            layer.out_channels = b->key.kind == UB_COST_DEPTHWISE
                                     ? layer.in_channels
                                     : (double) ((k + 1) * b->step);
            status = model->evaluate(model->user, &layer, &cost);
            if (status != UB_OK)
                return ub__fail(table->context, status,
                                "look-up table: model '%.40s' refuses %g to %g "
                                "channels",
                                model->name, layer.in_channels,
                                layer.out_channels);
            cost.dcycles_din = cost.dcycles_dout = 0.0;
            cost.dlatency_din = cost.dlatency_dout = 0.0;
            cost.dutilization_din = cost.dutilization_dout = 0.0;
            b->prices[i * b->n_out + k] = cost;
        }
    }
    return UB_OK;
}

/* The layer's block in *b with all its prices; without prices if the table
 * needs none. */
static ub_status make_block(const ub_util_table *table,
                            const ub_cost_layer *layer,
                            const ub_cost_model *model, block *b)
{
    const block *old = find_block(table, layer);
    ub_status status;

    memset(b, 0, sizeof(*b));
    b->key = make_key(layer);
    b->step = (table->quantum + b->key.groups - 1) / b->key.groups *
              b->key.groups;
    b->n_in = count_widths(b->step, layer->in_channels);
    b->n_out = layer->kind == UB_COST_DEPTHWISE
                   ? 1
                   : count_widths(b->step, layer->out_channels);
    if (old != NULL && old->n_in >= b->n_in && old->n_out >= b->n_out)
        return UB_OK;
    if (old != NULL) {
        b->n_in = b->n_in > old->n_in ? b->n_in : old->n_in;
        b->n_out = b->n_out > old->n_out ? b->n_out : old->n_out;
    }
    if (b->n_in > MAX_ENTRIES / b->n_out)
        return ub__fail(table->context, UB_ERR_RANGE,
                        "look-up table: %lld x %lld widths are too many",
                        (long long) b->n_in, (long long) b->n_out);
    b->prices = ub__alloc(table->context, (size_t) (b->n_in * b->n_out),
                          sizeof(*b->prices));
    if (b->prices == NULL)
        return UB_ERR_NOMEM;
    status = price_block(table, b, model);
    if (status != UB_OK) {
        ub__free(table->context, b->prices);
        b->prices = NULL;
    }
    return status;
}

/* Put a finished block in place of an old one, or behind all others, where
 * there is room. */
static void keep_block(ub_util_table *table, const block *b)
{
    block *old = find_block(table, &b->key);

    if (b->prices == NULL)
        return;
    if (old != NULL) {
        ub__free(table->context, old->prices);
        *old = *b;
    } else {
        table->blocks[table->n++] = *b;
    }
}

/* One layer, or the halves of one: all of them or, on failure, none. */
static ub_status add_layers(ub_util_table *table, const ub_cost_layer *layers,
                            size_t n, const ub_cost_model *model)
{
    block made[2] = { { .prices = NULL }, { .prices = NULL } };
    ub_status status = UB_OK;
    block *blocks = ub__realloc(table->context, table->blocks, table->n,
                                table->n + n, sizeof(*blocks));

    if (blocks == NULL)
        return UB_ERR_NOMEM;
    table->blocks = blocks;
    for (size_t i = 0; i < n && status == UB_OK; i++)
        status = make_block(table, &layers[i], model, &made[i]);
    for (size_t i = 0; i < n; i++) {
        if (status == UB_OK)
            keep_block(table, &made[i]);
        else
            ub__free(table->context, made[i].prices);
    }
    return status;
}

static ub_status look_up(const ub_util_table *table, const ub_cost_layer *layer,
                         ub_cost *out)
{
    const block *b = find_block(table, layer);
    int64_t i, k;

    if (b == NULL)
        return UB_ERR_UNSUPPORTED;
    i = nearest(b->step, layer->in_channels, b->n_in);
    k = layer->kind == UB_COST_DEPTHWISE
            ? 0
            : nearest(b->step, layer->out_channels, b->n_out);
    *out = b->prices[i * b->n_out + k];
    return UB_OK;
}

/* -- interpolation -------------------------------------------------------- */

/* Between two widths of the table: the lower one's index, the share of the
 * other, and how that changes with the channels. */
typedef struct place {
    int64_t low, high;
    double share, slope;
} place;

static place find_place(int64_t step, double channels, int64_t n)
{
    const double at = channels / (double) step - 1.0;
    const double below = floor(at);

    if (at < 0.0)
        return (place){ 0, 0, 0.0, 0.0 };
    if (at >= (double) (n - 1))
        return (place){ n - 1, n - 1, 0.0, 0.0 };
    return (place){ (int64_t) below, (int64_t) below + 1, at - below,
                    1.0 / (double) step };
}

/* Of one quantity, from its values at the corners, in which the output
 * channels change first: the value, its derivatives by input and output. */
static void bilinear(const place *in, const place *out, const double at[4],
                     double result[3])
{
    const double low = at[0] + out->share * (at[1] - at[0]);
    const double high = at[2] + out->share * (at[3] - at[2]);

    result[0] = low + in->share * (high - low);
    result[1] = in->slope * (high - low);
    result[2] = out->slope * ((at[1] - at[0]) * (1.0 - in->share) +
                              (at[3] - at[2]) * in->share);
}

static ub_status interpolate(const ub_util_table *table,
                             const ub_cost_layer *layer, ub_cost *out)
{
    const block *b = find_block(table, layer);
    double macs[4], cycles[4], ms[4], use[4], r[4][3];
    place in, across = { 0, 0, 0.0, 0.0 };

    if (b == NULL)
        return UB_ERR_UNSUPPORTED;
    in = find_place(b->step, layer->in_channels, b->n_in);
    if (layer->kind != UB_COST_DEPTHWISE)
        across = find_place(b->step, layer->out_channels, b->n_out);
    for (int i = 0; i < 4; i++) {
        const int64_t row = i / 2 ? in.high : in.low;
        const int64_t column = i % 2 ? across.high : across.low;
        const ub_cost *price = &b->prices[row * b->n_out + column];

        macs[i] = price->macs;
        cycles[i] = price->cycles;
        ms[i] = price->latency_ms;
        use[i] = price->utilization;
    }
    bilinear(&in, &across, macs, r[0]);
    bilinear(&in, &across, cycles, r[1]);
    bilinear(&in, &across, ms, r[2]);
    bilinear(&in, &across, use, r[3]);
    *out = (ub_cost){
        .size = sizeof(*out),
        .macs = r[0][0],
        .cycles = r[1][0],
        .latency_ms = r[2][0],
        .utilization = r[3][0],
        .dcycles_din = r[1][1],
        .dcycles_dout = r[1][2],
        .dlatency_din = r[2][1],
        .dlatency_dout = r[2][2],
        .dutilization_din = r[3][1],
        .dutilization_dout = r[3][2],
    };
    return UB_OK;
}

/* -- the models ----------------------------------------------------------- */

typedef ub_status (*price_fn)(const ub_util_table *, const ub_cost_layer *,
                              ub_cost *);

/* Derivative of the mean of two utilizations, weighted by latency. */
static double mean_slope(const ub_cost *a, const ub_cost *b, double mean,
                         double sum, const double slopes[4])
{
    return (slopes[0] * (a->utilization - mean) + a->latency_ms * slopes[1] +
            slopes[2] * (b->utilization - mean) + b->latency_ms * slopes[3]) /
           sum;
}

/* Both halves after each other. */
static ub_status price_separable(const ub_util_table *table, price_fn price,
                                 const ub_cost_layer *layer, ub_cost *out)
{
    ub_cost_layer first, second;
    ub_cost a, b;
    ub_status status;

    ub__util_halves(layer, &first, &second);
    status = price(table, &first, &a);
    if (status == UB_OK)
        status = price(table, &second, &b);
    if (status != UB_OK)
        return status;
    *out = a;
    out->macs += b.macs;
    out->cycles += b.cycles;
    out->latency_ms += b.latency_ms;
    out->dcycles_din += b.dcycles_din;
    out->dcycles_dout += b.dcycles_dout;
    out->dlatency_din += b.dlatency_din;
    out->dlatency_dout += b.dlatency_dout;
    if (out->latency_ms > 0.0) {
        const double in[4] = { a.dlatency_din, a.dutilization_din,
                               b.dlatency_din, b.dutilization_din };
        const double across[4] = { a.dlatency_dout, a.dutilization_dout,
                                   b.dlatency_dout, b.dutilization_dout };
        const double mean = (a.latency_ms * a.utilization +
                             b.latency_ms * b.utilization) /
                            out->latency_ms;

        out->utilization = mean;
        out->dutilization_din = mean_slope(&a, &b, mean, out->latency_ms, in);
        out->dutilization_dout = mean_slope(&a, &b, mean, out->latency_ms,
                                            across);
    }
    return UB_OK;
}

static ub_status evaluate_by(const ub_util_table *table, price_fn price,
                             const ub_cost_layer *layer, ub_cost *out)
{
    ub_cost cost = ub__cost_free;
    ub_cost_layer copy;
    const ub_cost_layer *l;
    ub_status status = ub__cost_layer_in(layer, &copy, &l);

    if (status == UB_OK && l->kind == UB_COST_SEPARABLE)
        status = price_separable(table, price, l, &cost);
    else if (status == UB_OK && l->kind != UB_COST_FREE)
        status = price(table, l, &cost);
    return status == UB_OK ? ub__cost_out(out, &cost) : status;
}

static ub_status nearest_model(const void *user, const ub_cost_layer *layer,
                               ub_cost *out)
{
    return evaluate_by(user, look_up, layer, out);
}

static ub_status interpolated_model(const void *user,
                                    const ub_cost_layer *layer, ub_cost *out)
{
    return evaluate_by(user, interpolate, layer, out);
}

/* -- public --------------------------------------------------------------- */

ub_status ub_util_table_create(ub_context *context, int64_t quantum,
                               ub_util_table **out)
{
    ub_util_table *table;

    if (context == NULL)
        return UB_ERR_INVALID;
    if (out == NULL || quantum < 1 || quantum > MAX_QUANTUM)
        return ub__fail(context, UB_ERR_INVALID,
                        "look-up table: quantum %lld, must be 1 to %lld",
                        (long long) quantum, (long long) MAX_QUANTUM);
    table = ub__calloc(context, 1, sizeof(*table));
    if (table == NULL)
        return UB_ERR_NOMEM;
    table->context = context;
    table->quantum = quantum;
    *out = table;
    return UB_OK;
}

void ub_util_table_destroy(ub_util_table **table)
{
    ub_util_table *t;

    if (table == NULL || *table == NULL)
        return;
    t = *table;
    for (size_t i = 0; i < t->n; i++)
        ub__free(t->context, t->blocks[i].prices);
    ub__free(t->context, t->blocks);
    ub__free(t->context, t);
    *table = NULL;
}

ub_status ub_util_table_add(ub_util_table *table, const ub_cost_layer *layer,
                            const ub_cost_model *model)
{
    ub_cost_layer copy, halves[2];
    const ub_cost_layer *l;
    ub_status status;

    if (table == NULL)
        return UB_ERR_INVALID;
    if (model == NULL || model->size < sizeof(*model) ||
        model->evaluate == NULL)
        return ub__fail(table->context, UB_ERR_INVALID,
                        "look-up table: no model");
    status = ub__cost_layer_in(layer, &copy, &l);
    if (status != UB_OK)
        return ub__fail(table->context, status,
                        "look-up table: the layer makes no sense");
    if (l->kind == UB_COST_FREE)
        return UB_OK;
    if (l->kind != UB_COST_SEPARABLE)
        return add_layers(table, l, 1, model);
    ub__util_halves(l, &halves[0], &halves[1]);
    return add_layers(table, halves, 2, model);
}

int64_t ub_util_table_entries(const ub_util_table *table)
{
    int64_t entries = 0;

    for (size_t i = 0; i < table->n; i++)
        entries += table->blocks[i].n_in * table->blocks[i].n_out;
    return entries;
}

static ub_status give_model(const ub_util_table *table, ub_cost_model model,
                            ub_cost_model *out)
{
    if (table == NULL || out == NULL || out->size < sizeof(*out))
        return UB_ERR_INVALID;
    ub__options_out(out, out->size, &model, sizeof(model));
    return UB_OK;
}

ub_status ub_util_table_model(const ub_util_table *table, ub_cost_model *out)
{
    const ub_cost_model model = { sizeof(model), "blackbox", nearest_model,
                                  table };

    return give_model(table, model, out);
}

ub_status ub_util_table_interpolated(const ub_util_table *table,
                                     ub_cost_model *out)
{
    const ub_cost_model model = { sizeof(model), "blackbox-interp",
                                  interpolated_model, table };

    return give_model(table, model, out);
}
