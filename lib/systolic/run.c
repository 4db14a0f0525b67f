/* SPDX-License-Identifier: BSD-2-Clause */
#include "systolic/csim.h"
#include "systolic/element.h"
#include "systolic/fold.h"
#include "systolic/systolic.h"

#include <math.h>

/* -- network -------------------------------------------------------------- */

/* 0 when the sum overflows. */
static int add_int64(int64_t *to, int64_t value)
{
    if (value > INT64_MAX - *to)
        return 0;
    *to += value;
    return 1;
}

/* Shares become cycles until set_shares(). */
static void add_shares(ub_systolic_stats *to, const ub_systolic_stats *s)
{
    const double cycles = (double) s->cycles;

    to->share_busy += s->share_busy * cycles;
    to->share_unused_rows += s->share_unused_rows * cycles;
    to->share_unused_columns += s->share_unused_columns * cycles;
    to->share_unused_arrays += s->share_unused_arrays * cycles;
    to->share_weight_load += s->share_weight_load * cycles;
    to->share_fill += s->share_fill * cycles;
    to->share_drain += s->share_drain * cycles;
    to->share_wait_weights += s->share_wait_weights * cycles;
    to->share_wait_inputs += s->share_wait_inputs * cycles;
    to->share_wait_outputs += s->share_wait_outputs * cycles;
    to->share_vector += s->share_vector * cycles;
}

static void set_shares(ub_systolic_stats *s)
{
    const double cycles = (double) s->cycles;

    if (s->cycles == 0)
        return;
    s->share_busy /= cycles;
    s->share_unused_rows /= cycles;
    s->share_unused_columns /= cycles;
    s->share_unused_arrays /= cycles;
    s->share_weight_load /= cycles;
    s->share_fill /= cycles;
    s->share_drain /= cycles;
    s->share_wait_weights /= cycles;
    s->share_wait_inputs /= cycles;
    s->share_wait_outputs /= cycles;
    s->share_vector /= cycles;
}

static int add_stats(ub_systolic_stats *to, const ub_systolic_stats *s)
{
    to->latency_ms += s->latency_ms;
    add_shares(to, s);
    return add_int64(&to->cycles, s->cycles) && add_int64(&to->macs, s->macs) &&
           add_int64(&to->rounds, s->rounds) &&
           add_int64(&to->stall_weights, s->stall_weights) &&
           add_int64(&to->stall_inputs, s->stall_inputs) &&
           add_int64(&to->stall_outputs, s->stall_outputs) &&
           add_int64(&to->weight_bytes, s->weight_bytes) &&
           add_int64(&to->input_bytes, s->input_bytes) &&
           add_int64(&to->output_bytes, s->output_bytes) &&
           add_int64(&to->sram_read_bytes, s->sram_read_bytes) &&
           add_int64(&to->sram_write_bytes, s->sram_write_bytes);
}

/* External memory at level 2 takes memory, and so a context. */
static int wants_memory(const ub_systolic_options *options)
{
    ub_systolic_options o;

    return ub__systolic_options_in(options, &o) == UB_OK && o.level == 2 &&
           o.count_memory != 0;
}

static const char *reason(ub_status status, const ub_layer *layer,
                          const ub_hardware *hardware,
                          const ub_systolic_options *options)
{
    ub_systolic_options o;
    const int known = status == UB_ERR_UNSUPPORTED &&
                      ub__systolic_options_in(options, &o) == UB_OK;

    if (status == UB_ERR_RANGE)
        return "takes too many cycles to count";
    if (known && hardware->arrays > 1 && o.level != 1)
        return "does not run: several arrays are for level 1";
    if (known && hardware->dataflow != UB_DATAFLOW_WS && o.level != 1 &&
        layer->sparse_block != 0)
        return "does not run: sparse weights have to be stationary";
    return "does not run: the hardware or the options make no sense, or a bank "
           "holds no tile";
}

static ub_status simulate(const ub_network *network, int64_t index,
                          const ub_hardware *hardware,
                          const ub_systolic_options *options,
                          ub_systolic_stats *out)
{
    ub_layer_info info = { .size = sizeof(info) };
    int64_t n_inputs = 0;
    ub_status status = ub_network_layer(network, index, &info);

    *out = (ub_systolic_stats){ .size = sizeof(*out) };
    if (status == UB_OK && wants_memory(options)) {
        status = ub__layer_with_memory(ub_network_context(network), &info,
                                       hardware, options, out);
        return status; /* the text says why */
    }
    if (status == UB_OK && ub__systolic_at_level3(options)) {
        status = ub__systolic_level3(ub_network_context(network), &info,
                                     hardware, options, out);
        return status == UB_OK
                   ? UB_OK
                   : ub__fail_within(ub_network_context(network), status,
                                     "systolic: layer '%.60s'", info.name);
    }
    (void) ub_network_inputs(network, index, &n_inputs);
    if (status == UB_OK)
        status = ub__systolic_layer(&info, n_inputs, hardware, options, out);
    if (status == UB_OK)
        return UB_OK;
    return ub__fail(ub_network_context(network), status,
                    "systolic: layer '%.60s' %s", info.name,
                    reason(status, info.layer, hardware, options));
}

static ub_status check_call(const ub_network *network,
                            const ub_hardware *hardware,
                            const ub_systolic_stats *total,
                            const ub_systolic_stats *layers, int64_t n)
{
    ub_context *context = ub_network_context(network);
    ub_status status = ub_hardware_check(hardware);

    if (status != UB_OK)
        return ub__fail(context, status,
                        "systolic: the hardware description makes no sense");
    if (layers != NULL && n < ub_network_layers(network))
        return ub__fail(context, UB_ERR_INVALID,
                        "systolic: room for %lld of %lld layers", (long long) n,
                        (long long) ub_network_layers(network));
    if (total != NULL && total->size < sizeof(*total))
        return ub__fail(context, UB_ERR_INVALID,
                        "systolic: the size of a ub_systolic_stats is not set");
    for (int64_t i = 0; layers != NULL && i < n; i++) {
        if (layers[i].size != sizeof(*layers))
            return ub__fail(context, UB_ERR_INVALID,
                            "systolic: the size of a ub_systolic_stats is not "
                            "set");
    }
    return UB_OK;
}

ub_status ub_systolic_run(const ub_network *network,
                          const ub_hardware *hardware,
                          const ub_systolic_options *options,
                          ub_systolic_stats *total, ub_systolic_stats *layers,
                          int64_t n)
{
    ub_systolic_stats sum = { .size = sizeof(sum), .utilization = 1.0 };
    ub_systolic_stats *each;
    int64_t count;
    ub_status status;

    if (network == NULL)
        return UB_ERR_INVALID;
    status = check_call(network, hardware, total, layers, n);
    if (status != UB_OK)
        return status;
    if (ub__csim_wanted(options))
        return ub__csim_run(network, hardware, options, total, layers);
    count = ub_network_layers(network);
    each = ub__alloc(ub_network_context(network), (size_t) count,
                     sizeof(*each));
    if (each == NULL)
        return UB_ERR_NOMEM;
    for (int64_t i = 0; i < count && status == UB_OK; i++) {
        status = simulate(network, i, hardware, options, &each[i]);
        if (status == UB_OK && !add_stats(&sum, &each[i]))
            status = ub__fail(ub_network_context(network), UB_ERR_RANGE,
                              "systolic: the network's totals overflow");
    }
    if (sum.cycles > 0)
        sum.utilization = (double) sum.macs /
                          ((double) sum.cycles * (double) hardware->rows *
                           (double) hardware->columns *
                           (double) hardware->arrays);
    set_shares(&sum);
    for (int64_t i = 0; i < count && status == UB_OK && layers != NULL; i++)
        layers[i] = each[i];
    if (status == UB_OK && total != NULL)
        ub__options_out(total, total->size, &sum, sizeof(sum));
    ub__free(ub_network_context(network), each);
    return status;
}

/* -- cost model ----------------------------------------------------------- */

static int64_t rounded(double channels)
{
    return channels < 1.5 ? 1 : (int64_t) floor(channels + 0.5);
}

/* The layer does not tell it. Where windows overlap all of the map is read with
 * any stride, where they do not it is as many times larger as the stride. */
static int64_t stride_of(const ub_cost_layer *l)
{
    const int64_t down = ub__ceil_div(l->in_height, l->out_height);
    const int64_t across = ub__ceil_div(l->in_width, l->out_width);

    return down > across ? down : across;
}

/* A conv, depthwise or linear layer as one of a network, so that there is one
 * account of what a layer is. */
static ub_status to_layer(const ub_cost_layer *l, int32_t kind,
                          int64_t kernel_height, int64_t kernel_width,
                          ub_layer *layer, ub_layer_info *info)
{
    const int64_t in = rounded(l->in_channels);

    ub_layer_init(layer, sizeof(*layer),
                  kind == UB_COST_LINEAR ? UB_LAYER_LINEAR : UB_LAYER_CONV);
    *info = (ub_layer_info){ .size = sizeof(*info), .layer = layer };
    info->in_channels = in;
    info->out_channels = kind == UB_COST_DEPTHWISE ? in
                                                   : rounded(l->out_channels);
    info->in_height = info->in_width = 1;
    info->out_height = info->out_width = 1;
    if (kind == UB_COST_DEPTHWISE)
        layer->groups = in;
    if (kind == UB_COST_CONV && l->kind == UB_COST_CONV)
        layer->groups = l->groups;
    if (kind != UB_COST_LINEAR) {
        layer->kernel_height = kernel_height;
        layer->kernel_width = kernel_width;
        layer->stride = stride_of(l);
        info->in_height = l->in_height;
        info->in_width = l->in_width;
        info->out_height = l->out_height;
        info->out_width = l->out_width;
    }
    return info->in_channels < layer->groups ||
                   info->out_channels < layer->groups
               ? UB_ERR_INVALID
               : UB_OK;
}

static ub_status price(const ub_systolic_machine *machine,
                       const ub_cost_layer *l, int32_t kind,
                       int64_t kernel_height, int64_t kernel_width,
                       ub_systolic_stats *sum)
{
    ub_layer layer;
    ub_layer_info info;
    ub_systolic_options o;
    ub_systolic_stats stats = { .size = sizeof(stats) };
    ub_status status = ub__systolic_options_in(machine->options, &o);

    if (status == UB_OK)
        status = to_layer(l, kind, kernel_height, kernel_width, &layer, &info);
    if (status != UB_OK)
        return status;
    o.batch = l->batch;
    status = ub_systolic_layer(&info, machine->hardware, &o, &stats);
    if (status == UB_OK && !add_stats(sum, &stats))
        status = UB_ERR_RANGE;
    return status;
}

static ub_status evaluate(const void *user, const ub_cost_layer *layer,
                          ub_cost *out)
{
    const ub_systolic_machine *machine = user;
    ub_systolic_stats sum = { .size = sizeof(sum) };
    ub_cost cost = ub__cost_free;
    ub_cost_layer copy, second;
    const ub_cost_layer *l;
    ub_status status = ub__cost_layer_in(layer, &copy, &l);

    if (status != UB_OK)
        return status;
    if (l->kind == UB_COST_FREE)
        return ub__cost_out(out, &cost);
    status = price(machine, l,
                   l->kind == UB_COST_SEPARABLE ? UB_COST_DEPTHWISE : l->kind,
                   l->kernel_height, l->kernel_width, &sum);
    if (status == UB_OK && l->kind == UB_COST_SEPARABLE) {
        second = *l;
        second.in_height = l->out_height;
        second.in_width = l->out_width;
        status = price(machine, &second, UB_COST_CONV, 1, 1, &sum);
    }
    if (status != UB_OK)
        return status;
    cost.macs = (double) sum.macs;
    cost.cycles = (double) sum.cycles;
    cost.latency_ms = sum.latency_ms;
    cost.utilization = (double) sum.macs /
                       ((double) sum.cycles * (double) machine->hardware->rows *
                        (double) machine->hardware->columns *
                        (double) machine->hardware->arrays);
    return ub__cost_out(out, &cost);
}

ub_status ub_systolic_model(const ub_systolic_machine *machine,
                            ub_cost_model *out)
{
    const ub_cost_model model = { sizeof(model), "simulator", evaluate,
                                  machine };
    const ub_gemm none = { .size = sizeof(none) };
    ub_systolic_stats stats = { .size = sizeof(stats) };
    ub_status status;

    if (machine == NULL || machine->size < sizeof(*machine) || out == NULL ||
        out->size < sizeof(*out))
        return UB_ERR_INVALID;
    status = ub_systolic_gemm(&none, machine->hardware, machine->options,
                              &stats);
    if (status == UB_OK)
        ub__options_out(out, out->size, &model, sizeof(model));
    return status;
}
