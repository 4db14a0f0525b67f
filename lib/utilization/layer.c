/* SPDX-License-Identifier: BSD-2-Clause */
#include "utilization/amount.h"

#define MAX_SIDE  ((int64_t) 1 << 16)
#define MAX_BYTES 64

typedef ub__util_part part;
typedef ub__util_part_fn part_fn;

static const ub_util_options defaults = {
    .size = sizeof(ub_util_options),
    .rows = 128,
    .columns = 128,
    .element_bytes = 2,
    .clock_hz = 1e9,
    .bandwidth = 80.0 * 1073741824,
    .input_bank_bytes = 5 << 20,
    .weight_bank_bytes = 5 << 20,
    .output_bank_bytes = 5 << 20,
    .input_bytes = 1,
    .weight_bytes = 1,
    .output_bytes = 1,
    .partial_bytes = 2,
    .charge_inputs = 1,
    .charge_outputs = 1,
};

static double elements(const ub_util_options *o)
{
    return (double) o->rows * (double) o->columns;
}

/* Output pixels; a linear layer makes one per image. */
double ub__util_pixels(const ub_cost_layer *l)
{
    if (l->kind == UB_COST_LINEAR)
        return (double) l->batch;
    return (double) l->out_height * (double) l->out_width * (double) l->batch;
}

double ub__util_taps(const ub_cost_layer *l)
{
    if (l->kind == UB_COST_LINEAR)
        return 1.0;
    return (double) l->kernel_height * (double) l->kernel_width;
}

double ub__util_groups(const ub_cost_layer *l)
{
    return l->kind == UB_COST_CONV ? (double) l->groups : 1.0;
}

amount ub__util_macs(const ub_cost_layer *l)
{
    const double c = l->in_channels, f = l->out_channels;
    const double each = ub__util_pixels(l) * ub__util_taps(l);
    const double g = ub__util_groups(l);

    if (l->kind == UB_COST_DEPTHWISE)
        return (amount){ each * c, each, 0.0 };
    return (amount){ each * c * f / g, each * f / g, each * c / g };
}

/* Of x >= 0, as the functions of <math.h>, without a call. Beyond 2^52 there
 * are no fractions. */
static double round_down(double x)
{
    return x < 4503599627370496.0 ? (double) (int64_t) x : x;
}

static double round_up(double x)
{
    const double down = round_down(x);

    return down < x ? down + 1.0 : down;
}

static part exact_part(const ub_util_options *o, const ub_cost_layer *l)
{
    const double c = fmax(1.0, round_down(l->in_channels + 0.5));
    const double f = fmax(1.0, round_down(l->out_channels + 0.5));
    const double m = ub__util_pixels(l), taps = ub__util_taps(l);
    const double rows = (double) o->rows, columns = (double) o->columns;

    if (l->kind == UB_COST_DEPTHWISE)
        return (part){ { m * taps * c, 0.0, 0.0 },
                       { m * (c * round_up(taps / rows)), 0.0, 0.0 } };
    if (l->kind == UB_COST_CONV && l->groups > 1) {
        const double g = (double) l->groups;
        return (part){
            { m * taps * c * f / g, 0.0, 0.0 },
            { m * (g * round_up(taps * c / (g * rows)) *
                   round_up(f / (g * columns))),
              0.0, 0.0 },
        };
    }
    return (part){ { m * taps * c * f, 0.0, 0.0 },
                   { m * (round_up(taps * c / rows) * round_up(f / columns)),
                     0.0, 0.0 } };
}

static part smooth_part(const ub_util_options *o, const ub_cost_layer *l)
{
    const double m = ub__util_pixels(l);
    part p = { ub__util_macs(l), { 0.0, 0.0, 0.0 } };
    double down, across, down_slope, across_slope;

    if (l->kind == UB_COST_DEPTHWISE) {
        down = ub_util_ceil_smooth(ub__util_taps(l) / (double) o->rows, NULL);
        p.cycles.value = l->in_channels * down * m;
        p.cycles.by_in = down * m;
    } else {
        const double g = ub__util_groups(l);
        const double per_in = ub__util_taps(l) / (g * (double) o->rows);
        const double per_out = 1.0 / (g * (double) o->columns);

        down = ub_util_ceil_smooth(l->in_channels * per_in, &down_slope);
        across = ub_util_ceil_smooth(l->out_channels * per_out, &across_slope);
        p.cycles.value = g * m * down * across;
        p.cycles.by_in = g * m * down_slope * per_in * across;
        p.cycles.by_out = g * m * down * across_slope * per_out;
    }
    return p;
}

static part flops_part(const ub_util_options *o, const ub_cost_layer *l)
{
    const double n = elements(o);
    const amount macs = ub__util_macs(l);

    return (part){ macs, { macs.value / n, macs.by_in / n, macs.by_out / n } };
}

/* Weights, and so many elements of each channel of the input and the output. */
static amount count_bytes(const ub_util_options *o, const ub_cost_layer *l,
                          double in, double out)
{
    const double c = l->in_channels, f = l->out_channels;
    const double bytes = (double) o->element_bytes;
    const double window = ub__util_taps(l) / ub__util_groups(l);

    if (l->kind == UB_COST_DEPTHWISE)
        return (amount){ bytes * (window + in + out) * c,
                         bytes * (window + in + out), 0.0 };
    return (amount){ bytes * (window * c * f + in * c + out * f),
                     bytes * (window * f + in), bytes * (window * c + out) };
}

static part larger_time(const ub_util_options *o, const ub_cost_layer *l,
                        amount bytes)
{
    const double each = o->clock_hz / o->bandwidth; /* cycles per byte */
    part p = flops_part(o, l);

    if (bytes.value * each > p.cycles.value)
        p.cycles = (amount){ bytes.value * each, bytes.by_in * each,
                             bytes.by_out * each };
    return p;
}

static part roofline_part(const ub_util_options *o, const ub_cost_layer *l)
{
    const double in = l->kind == UB_COST_LINEAR
                          ? (double) l->batch
                          : (double) l->in_height * (double) l->in_width *
                                (double) l->batch;

    return larger_time(o, l, count_bytes(o, l, in, ub__util_pixels(l)));
}

static part roofline_published_part(const ub_util_options *o,
                                    const ub_cost_layer *l)
{
    const double out = (double) l->batch * ub__util_taps(l);

    return larger_time(o, l, count_bytes(o, l, ub__util_pixels(l), out));
}

/* -- from parts to costs -------------------------------------------------- */

static amount utilization(const ub_util_options *o, const part *p)
{
    const double u = p->macs.value / (p->cycles.value * elements(o));
    const double by_macs = u / p->macs.value, by_cycles = u / p->cycles.value;

    return (amount){ u, p->macs.by_in * by_macs - p->cycles.by_in * by_cycles,
                     p->macs.by_out * by_macs - p->cycles.by_out * by_cycles };
}

static ub_cost to_cost(const ub_util_options *o, const part *p, amount u)
{
    const double ms = 1e3 / o->clock_hz;

    return (ub_cost){
        .size = sizeof(ub_cost),
        .macs = p->macs.value,
        .cycles = p->cycles.value,
        .latency_ms = p->cycles.value / o->clock_hz * 1e3,
        .utilization = u.value,
        .dcycles_din = p->cycles.by_in,
        .dcycles_dout = p->cycles.by_out,
        .dlatency_din = p->cycles.by_in * ms,
        .dlatency_dout = p->cycles.by_out * ms,
        .dutilization_din = u.by_in,
        .dutilization_dout = u.by_out,
    };
}

void ub__util_halves(const ub_cost_layer *layer, ub_cost_layer *depthwise,
                     ub_cost_layer *pointwise)
{
    *depthwise = *pointwise = *layer;
    depthwise->kind = UB_COST_DEPTHWISE;
    depthwise->groups = 1;
    pointwise->kind = UB_COST_CONV;
    pointwise->groups = 1;
    pointwise->kernel_height = pointwise->kernel_width = 1;
    pointwise->in_height = layer->out_height;
    pointwise->in_width = layer->out_width;
}

static part separable(const ub_util_options *o, const ub_cost_layer *layer,
                      part_fn fn, amount *u)
{
    ub_cost_layer depthwise, pointwise;
    part first, second, both;

    ub__util_halves(layer, &depthwise, &pointwise);
    first = fn(o, &depthwise);
    second = fn(o, &pointwise);
    both.macs = add(first.macs, second.macs);
    both.cycles = add(first.cycles, second.cycles);
    *u = utilization(o, &both);
    if (o->average) {
        *u = scale(add(utilization(o, &first), utilization(o, &second)), 0.5);
    }
    return both;
}

static int bytes_valid(int64_t bytes)
{
    return bytes >= 1 && bytes <= MAX_BYTES;
}

static int memory_valid(const ub_util_options *o)
{
    return o->input_bank_bytes >= 1 && o->weight_bank_bytes >= 1 &&
           o->output_bank_bytes >= 1 && bytes_valid(o->input_bytes) &&
           bytes_valid(o->weight_bytes) && bytes_valid(o->output_bytes) &&
           bytes_valid(o->partial_bytes) && o->charge_inputs >= 0 &&
           o->charge_inputs <= 1 && o->charge_outputs >= 0 &&
           o->charge_outputs <= 1;
}

static int options_valid(const ub_util_options *o)
{
    return o->rows >= 1 && o->rows <= MAX_SIDE && o->columns >= 1 &&
           o->columns <= MAX_SIDE && bytes_valid(o->element_bytes) &&
           o->clock_hz > 0.0 && isfinite(o->clock_hz) && o->bandwidth > 0.0 &&
           o->average >= 0 && o->average <= 1 && o->reserved == 0 &&
           memory_valid(o);
}

/* `out` are the options themselves when they are of this version. */
static ub_status options_in(const ub_util_options *options,
                            ub_util_options *copy, const ub_util_options **out)
{
    const ub_util_options *full = options;
    ub_status status = UB_OK;

    if (options == NULL) {
        full = &defaults;
    } else if (options->size != sizeof(*options)) {
        *copy = defaults;
        status = ub__options_in(NULL, "utilization", copy, sizeof(*copy),
                                sizeof(*copy), options);
        full = copy;
    }
    if (status != UB_OK)
        return status;
    if (full != &defaults && !options_valid(full))
        return UB_ERR_INVALID;
    *out = full;
    return UB_OK;
}

ub_status ub__util_evaluate(const ub_util_options *options,
                            const ub_cost_layer *layer, part_fn fn,
                            ub_cost *out)
{
    ub_util_options options_copy;
    ub_cost_layer layer_copy;
    const ub_util_options *o;
    const ub_cost_layer *l;
    ub_cost cost;
    amount u;
    part p;
    ub_status status = options_in(options, &options_copy, &o);

    if (status == UB_OK)
        status = ub__cost_layer_in(layer, &layer_copy, &l);
    if (status != UB_OK)
        return status;
    if (l->kind == UB_COST_FREE)
        return ub__cost_out(out, &ub__cost_free);
    if (l->kind == UB_COST_SEPARABLE) {
        p = separable(o, l, fn, &u);
    } else {
        p = fn(o, l);
        u = utilization(o, &p);
    }
    if (fn == flops_part)
        u = (amount){ 1.0, 0.0, 0.0 };
    cost = to_cost(o, &p, u);
    return ub__cost_out(out, &cost);
}

/* -- public --------------------------------------------------------------- */

void ub_util_options_init(ub_util_options *options, size_t size)
{
    ub__options_out(options, size, &defaults, sizeof(defaults));
}

ub_status ub_util_options_from(const ub_hardware *hardware,
                               ub_util_options *options)
{
    ub_hardware h;
    ub_util_options full;
    const ub_util_options *given;
    ub_status status = ub__hardware_in(hardware, &h);

    if (status == UB_OK && options == NULL)
        status = UB_ERR_INVALID;
    if (status == UB_OK && (h.arrays != 1 || h.dataflow != UB_DATAFLOW_WS))
        status = UB_ERR_UNSUPPORTED;
    if (status == UB_OK)
        status = options_in(options, &full, &given);
    if (status != UB_OK)
        return status;
    full = *given;
    full.rows = h.rows;
    full.columns = h.columns;
    full.clock_hz = h.clock_hz;
    full.bandwidth = h.bandwidth;
    full.input_bank_bytes = ub__or_else(h.input_bank_bytes, h.bank_bytes);
    full.weight_bank_bytes = ub__or_else(h.weight_bank_bytes, h.bank_bytes);
    full.output_bank_bytes = ub__or_else(h.output_bank_bytes, h.bank_bytes);
    full.input_bytes = ub__or_else(h.input_bytes, h.element_bytes);
    full.weight_bytes = ub__or_else(h.weight_bytes, h.element_bytes);
    full.output_bytes = ub__or_else(h.output_bytes, h.element_bytes);
    full.partial_bytes = h.partial_bytes;
    ub__options_out(options, options->size, &full, sizeof(full));
    return UB_OK;
}

ub_status ub_util_latency(const ub_util_options *options,
                          const ub_cost_layer *layer, ub_cost *out)
{
    return ub__util_evaluate(options, layer, exact_part, out);
}

ub_status ub_util_latency_smooth(const ub_util_options *options,
                                 const ub_cost_layer *layer, ub_cost *out)
{
    return ub__util_evaluate(options, layer, smooth_part, out);
}

ub_status ub_util_flops(const ub_util_options *options,
                        const ub_cost_layer *layer, ub_cost *out)
{
    return ub__util_evaluate(options, layer, flops_part, out);
}

ub_status ub_util_roofline(const ub_util_options *options,
                           const ub_cost_layer *layer, ub_cost *out)
{
    return ub__util_evaluate(options, layer, roofline_part, out);
}

ub_status ub_util_roofline_published(const ub_util_options *options,
                                     const ub_cost_layer *layer, ub_cost *out)
{
    return ub__util_evaluate(options, layer, roofline_published_part, out);
}

/* -- as cost models ------------------------------------------------------- */

#define MODEL(name, function)                                           \
    static ub_status name(const void *user, const ub_cost_layer *layer, \
                          ub_cost *out)                                 \
    {                                                                   \
        return function(user, layer, out);                              \
    }

MODEL(exact_model, ub_util_latency)
MODEL(smooth_model, ub_util_latency_smooth)
MODEL(flops_model, ub_util_flops)
MODEL(roofline_model, ub_util_roofline)
MODEL(full_model, ub_util_full)
MODEL(full_smooth_model, ub_util_full_smooth)
MODEL(roofline_published_model, ub_util_roofline_published)

static const struct {
    const char *name;
    ub_status (*evaluate)(const void *user, const ub_cost_layer *layer,
                          ub_cost *out);
} models[] = {
    [UB_UTIL_EXACT] = { "systolic", exact_model },
    [UB_UTIL_SMOOTH] = { "systolic-smooth", smooth_model },
    [UB_UTIL_FLOPS] = { "flops", flops_model },
    [UB_UTIL_ROOFLINE] = { "roofline", roofline_model },
    [UB_UTIL_FULL] = { "systolic-full", full_model },
    [UB_UTIL_FULL_SMOOTH] = { "systolic-full-smooth", full_smooth_model },
    [UB_UTIL_ROOFLINE_PUBLISHED] = { "roofline-published",
                                     roofline_published_model },
};

ub_status ub_util_model(ub_util_kind kind, const ub_util_options *options,
                        ub_cost_model *out)
{
    ub_cost_model model = { .size = sizeof(model), .user = options };
    ub_util_options copy;
    const ub_util_options *full;
    const ub_status status = options_in(options, &copy, &full);

    if (status != UB_OK)
        return status;
    if ((size_t) kind >= sizeof(models) / sizeof(models[0]))
        return UB_ERR_INVALID;
    model.name = models[kind].name;
    model.evaluate = models[kind].evaluate;
    if (out == NULL || out->size < sizeof(*out))
        return UB_ERR_INVALID;
    ub__options_out(out, out->size, &model, sizeof(model));
    return UB_OK;
}
