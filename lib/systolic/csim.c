/* SPDX-License-Identifier: BSD-2-Clause */
#include "systolic/csim.h"

#include "hardware/hardware.h"

#include <math.h>

#define MEBIBYTE 1048576.0F

/* -- what passes through the networks -------------------------------------- */

/* The tile that network `kind` carries for an op, UB__CSIM_KINDS being that of
 * partial sums going in; -1: none. */
static int32_t carried(const ub__csim_plan *plan, const ub__csim_op *op,
                       int kind)
{
    switch (kind) {
    case UB__CSIM_X: return op->x;
    case UB__CSIM_W: return op->w;
    case UB__CSIM_P: return op->p;
    default: return op->pin < 0 ? -1 : plan->ops[op->pin].p;
    }
}

/* In single precision, and so in csim's order: a round's networks one after the
 * other. `seen` says in which round a tile was last counted. */
static void count_routed(const ub__csim_plan *plan, int32_t *seen,
                         ub_systolic_csim_stats *out)
{
    float all = 0.0F, once = 0.0F;

    for (int64_t i = 0; i < plan->n_tiles; i++)
        seen[i] = -1;
    for (int64_t k = 0; k < plan->n_rounds * (UB__CSIM_KINDS + 1); k++) {
        const int32_t r = (int32_t) (k / (UB__CSIM_KINDS + 1));
        const int kind = (int) (k % (UB__CSIM_KINDS + 1));

        for (int32_t i = plan->rounds[r].op; i >= 0; i = plan->ops[i].next) {
            const int32_t tile = carried(plan, &plan->ops[i], kind);
            float size;

            if (tile < 0)
                continue;
            size = (float) plan->tiles[tile].bytes / MEBIBYTE;
            all += size;
            if (seen[tile] != r)
                once += size;
            seen[tile] = r;
        }
    }
    out->routed_mebibytes = (double) all;
    out->routed_once_mebibytes = (double) once;
}

static double watts(const ub__csim_machine *machine)
{
    float sum = 0.0F;

    for (int i = 0; i < 7; i++)
        sum += ub__interconnect_watts(&machine->hardware,
                                      machine->hardware.columns);
    return (double) sum;
}

/* -- all of it ------------------------------------------------------------- */

static int countable(const ub__csim_layer *layers, int64_t n, int64_t repeats)
{
    double macs = 0.0;

    for (int64_t i = 0; i < n; i++)
        macs += (double) layers[i].m * (double) layers[i].k *
                (double) layers[i].n * (double) layers[i].count;
    return macs * (double) repeats <= 0x1p61;
}

ub_status ub__csim_simulate(ub_context *context, const ub__csim_layer *layers,
                            int64_t n, const ub__csim_machine *machine,
                            ub_systolic_csim_stats *out, ub__csim_extra *extra)
{
    ub__csim_plan plan = { .context = context, .machine = machine };
    ub__csim_memory memory = { .plan = &plan };
    int32_t *seen = NULL;
    ub_status status;

    *out = (ub_systolic_csim_stats){ .size = sizeof(*out) };
    *extra = (ub__csim_extra){ 0, 0 };
    if (!countable(layers, n, machine->repeats))
        return ub__fail(context, UB_ERR_RANGE,
                        "systolic: too many MACs to count");
    status = ub__csim_plan_make(&plan, layers, n);
    if (status == UB_OK)
        status = ub__csim_memory_make(&memory, &plan);
    if (status == UB_OK)
        status = ub__csim_clock(&memory, out, extra);
    if (status == UB_OK) {
        seen = ub__alloc(context, (size_t) plan.n_tiles, sizeof(*seen));
        status = seen == NULL ? UB_ERR_NOMEM : UB_OK;
    }
    if (status == UB_OK) {
        out->last_round = plan.last_main;
        out->last_adder_round = plan.last_post;
        out->tile_products = plan.n_ops;
        out->input_bytes = (double) memory.moved[UB__CSIM_X];
        out->weight_bytes = (double) memory.moved[UB__CSIM_W];
        out->partial_bytes = (double) memory.moved[UB__CSIM_P];
        out->interconnect_watts = watts(machine);
        count_routed(&plan, seen, out);
    }
    ub__free(context, seen);
    ub__csim_memory_free(&memory);
    ub__csim_plan_free(&plan);
    return status;
}

/* -- machine --------------------------------------------------------------- */

static ub_status options_in(const ub_systolic_options *options,
                            ub_systolic_options *out)
{
    ub_systolic_options full;
    ub_status status;

    ub_systolic_options_init(&full, sizeof(full));
    status = ub__options_in(NULL, "systolic", &full, sizeof(full), sizeof(full),
                            options);
    if (status != UB_OK)
        return status;
    if (full.batch < 1 || full.prefetch < 0 || full.prefetch > 127 ||
        full.charge_inputs < 0 || full.charge_inputs > 1 || full.tile_m < 0 ||
        full.tile_k < 0 || full.tile_n < 0)
        return UB_ERR_INVALID;
    *out = full;
    return full.level == 1 && full.compat != UB_SYSTOLIC_COMPAT_SCALESIM
               ? UB_OK
               : UB_ERR_UNSUPPORTED;
}

int ub__csim_wanted(const ub_systolic_options *options)
{
    ub_systolic_options full;

    ub_systolic_options_init(&full, sizeof(full));
    return ub__options_in(NULL, "systolic", &full, sizeof(full), sizeof(full),
                          options) == UB_OK &&
           full.level == 1 && full.compat == UB_SYSTOLIC_COMPAT_CSIM;
}

static ub_status machine_of(const ub_hardware *hardware,
                            const ub_systolic_options *o, int64_t repeats,
                            ub__csim_machine *out)
{
    ub_hardware h;
    ub_status status = ub__hardware_in(hardware, &h);

    if (status != UB_OK)
        return status;
    if (h.dataflow != UB_DATAFLOW_WS || h.input_bandwidth > 0.0 ||
        h.weight_bandwidth > 0.0 || h.output_bandwidth > 0.0 ||
        h.memory_latency != 0 || h.burst_bytes > 1)
        return UB_ERR_UNSUPPORTED;
    *out = (ub__csim_machine){
        .hardware = h,
        .tile_m = ub__or_else(o->tile_m, h.rows),
        .tile_k = ub__or_else(o->tile_k, h.rows),
        .tile_n = ub__or_else(o->tile_n, h.columns),
        .repeats = repeats,
        .bank = { ub__or_else(h.input_bank_bytes, h.bank_bytes),
                  ub__or_else(h.weight_bank_bytes, h.bank_bytes),
                  ub__or_else(h.output_bank_bytes, h.bank_bytes) },
        .bytes = { ub__or_else(h.input_bytes, h.element_bytes),
                   ub__or_else(h.weight_bytes, h.element_bytes),
                   h.partial_bytes },
        .prefetch = o->prefetch,
    };
    /* in csim's order: GiB/s times cycles of a GiB */
    out->bandwidth = (float) (h.bandwidth / 1073741824.0);
    out->bandwidth *= 1073741824.0F / (float) h.clock_hz;
    return out->bandwidth > 0.0F ? UB_OK : UB_ERR_INVALID;
}

/* -- layers ---------------------------------------------------------------- */

/* csim knows overlapping windows of Conv2D only, not of DepthwiseConv2D. */
static int64_t area_of(const ub_layer_info *info)
{
    const ub_layer *layer = info->layer;

    if (layer->kind != UB_LAYER_CONV ||
        (layer->groups > 1 && layer->groups == info->in_channels))
        return 1;
    return layer->kernel_height * layer->kernel_width;
}

static ub_status layer_of(const ub_layer_info *info,
                          const ub_systolic_options *o, ub__csim_layer *out)
{
    ub_gemm g = { .size = sizeof(g) };
    const ub_status status = ub_layer_gemm(info, o->batch, &g);

    if (status == UB_OK)
        *out = (ub__csim_layer){
            .m = g.m,
            .k = g.k,
            .n = g.n,
            .count = g.count,
            .area = area_of(info),
            .on_chip = info->layer->on_chip || !o->charge_inputs,
        };
    return status;
}

static ub_status simulate_network(const ub_network *network,
                                  const ub_systolic_options *o,
                                  const ub__csim_machine *machine,
                                  ub_systolic_csim_stats *out,
                                  ub__csim_extra *extra)
{
    ub_context *context = ub_network_context(network);
    const int64_t n = ub_network_layers(network);
    ub__csim_layer *layers = ub__calloc(context, (size_t) n, sizeof(*layers));
    ub_status status = layers == NULL ? UB_ERR_NOMEM : UB_OK;

    for (int64_t i = 0; i < n && status == UB_OK; i++) {
        ub_layer_info info = { .size = sizeof(info) };

        status = ub_network_layer(network, i, &info);
        if (status == UB_OK)
            status = layer_of(&info, o, &layers[i]);
        if (status != UB_OK)
            status = ub__fail(context, status,
                              "systolic: layer '%.60s' cannot be counted",
                              info.name);
        layers[i].inputs = ub_network_inputs(network, i, &layers[i].n_inputs);
    }
    if (status == UB_OK)
        status = ub__csim_simulate(context, layers, n, machine, out, extra);
    ub__free(context, layers);
    return status;
}

ub_status ub_systolic_csim(const ub_network *network,
                           const ub_hardware *hardware,
                           const ub_systolic_options *options, int64_t repeats,
                           ub_systolic_csim_stats *out)
{
    ub__csim_machine machine;
    ub__csim_extra extra;
    ub_systolic_options o;
    ub_systolic_csim_stats stats;
    ub_context *context;
    ub_status status;

    if (network == NULL)
        return UB_ERR_INVALID;
    context = ub_network_context(network);
    if (out == NULL || out->size < sizeof(*out) || repeats < 1)
        return ub__fail(context, UB_ERR_INVALID,
                        "systolic: %lld repetitions, or the size of a "
                        "ub_systolic_csim_stats is not set",
                        (long long) repeats);
    status = options_in(options, &o);
    if (status == UB_OK)
        status = machine_of(hardware, &o, repeats, &machine);
    if (status != UB_OK)
        return ub__fail(context, status,
                        "systolic: csim has no such hardware or options, or "
                        "they make no sense");
    status = simulate_network(network, &o, &machine, &stats, &extra);
    if (status == UB_OK)
        ub__options_out(out, out->size, &stats, sizeof(stats));
    return status;
}

/* -- as level 1 ------------------------------------------------------------ */

static ub_status stats_of(ub_context *context, const ub__csim_machine *machine,
                          const ub_systolic_csim_stats *s,
                          const ub__csim_extra *extra, ub_systolic_stats *out)
{
    const ub_hardware *h = &machine->hardware;
    const double elements = (double) h->rows * (double) h->columns *
                            (double) h->arrays;

    if (s->cycles < 0)
        return ub__fail(context, UB_ERR_RANGE,
                        "systolic: csim gives up after %lld cycles without "
                        "progress",
                        (long long) (100 * h->rows));
    *out = (ub_systolic_stats){
        .size = sizeof(*out),
        .cycles = s->cycles,
        .macs = s->operations / 2,
        .rounds = extra->rounds,
        .stall_weights = extra->stall_weights,
        .stall_inputs = s->stall_cycles - extra->stall_weights,
        .weight_bytes = llround(s->weight_bytes),
        .input_bytes = llround(s->input_bytes),
        .output_bytes = llround(s->partial_bytes),
        .sram_read_bytes = s->sram_read_bytes,
        .sram_write_bytes = s->sram_write_bytes,
        .latency_ms = (double) s->cycles / h->clock_hz * 1e3,
        .utilization = 1.0,
    };
    if (s->cycles > 0)
        out->utilization = (double) out->macs / ((double) s->cycles * elements);
    return UB_OK;
}

/* A layer without any other. */
static ub_status simulate_alone(ub_context *context,
                                const ub__csim_layer *layer,
                                const ub__csim_machine *machine,
                                ub_systolic_stats *out)
{
    ub_systolic_csim_stats stats;
    ub__csim_extra extra;
    ub_status status;

    if (layer->count == 0) {
        *out = (ub_systolic_stats){ .size = sizeof(*out), .utilization = 1.0 };
        return UB_OK;
    }
    status = ub__csim_simulate(context, layer, 1, machine, &stats, &extra);
    if (status == UB_OK)
        status = stats_of(context, machine, &stats, &extra, out);
    return status;
}

/* For callers who have no context. */
static ub_status simulate_without(const ub__csim_layer *layer,
                                  const ub__csim_machine *machine,
                                  ub_systolic_stats *out)
{
    ub_context_options options;
    ub_context *context;
    ub_systolic_stats stats;
    ub_status status;

    ub_context_options_init(&options, sizeof(options));
    options.threads = 1;
    status = ub_context_create(&options, &context);
    if (status != UB_OK)
        return status;
    status = simulate_alone(context, layer, machine, &stats);
    ub_context_destroy(&context);
    if (status == UB_OK)
        ub__options_out(out, out->size, &stats, sizeof(stats));
    return status;
}

ub_status ub__csim_gemm(const ub_gemm *gemm, const ub_hardware *hardware,
                        const ub_systolic_options *options,
                        ub_systolic_stats *out)
{
    ub__csim_layer layer = {
        .m = gemm->m,
        .k = gemm->k,
        .n = gemm->n,
        .count = gemm->count,
        .area = 1,
    };
    ub__csim_machine machine;
    ub_systolic_options o;
    ub_status status = options_in(options, &o);

    if (status == UB_OK)
        status = machine_of(hardware, &o, 1, &machine);
    if (status != UB_OK)
        return status;
    layer.on_chip = !o.charge_inputs;
    return simulate_without(&layer, &machine, out);
}

ub_status ub__csim_layer_alone(const ub_layer_info *info,
                               const ub_hardware *hardware,
                               const ub_systolic_options *options,
                               ub_systolic_stats *out)
{
    ub__csim_layer layer;
    ub__csim_machine machine;
    ub_systolic_options o;
    ub_status status = options_in(options, &o);

    if (status == UB_OK)
        status = machine_of(hardware, &o, 1, &machine);
    if (status == UB_OK)
        status = layer_of(info, &o, &layer);
    if (status == UB_OK && (out == NULL || out->size < sizeof(*out)))
        status = UB_ERR_INVALID;
    return status == UB_OK ? simulate_without(&layer, &machine, out) : status;
}

static ub_status run_layers(const ub_network *network,
                            const ub_systolic_options *o,
                            const ub__csim_machine *machine,
                            ub_systolic_stats *each)
{
    ub_context *context = ub_network_context(network);
    ub_status status = UB_OK;

    for (int64_t i = 0; i < ub_network_layers(network) && status == UB_OK;
         i++) {
        ub_layer_info info = { .size = sizeof(info) };
        ub__csim_layer layer;

        status = ub_network_layer(network, i, &info);
        if (status == UB_OK)
            status = layer_of(&info, o, &layer);
        if (status == UB_OK)
            status = simulate_alone(context, &layer, machine, &each[i]);
        if (status != UB_OK)
            status = ub__fail_within(context, status, "layer '%.60s' alone",
                                     info.name);
    }
    return status;
}

ub_status ub__csim_run(const ub_network *network, const ub_hardware *hardware,
                       const ub_systolic_options *options,
                       ub_systolic_stats *total, ub_systolic_stats *layers)
{
    ub_context *context = ub_network_context(network);
    const int64_t n = ub_network_layers(network);
    ub_systolic_csim_stats stats;
    ub_systolic_stats sum = { .size = sizeof(sum) };
    ub_systolic_stats *each;
    ub__csim_machine machine;
    ub__csim_extra extra;
    ub_systolic_options o;
    ub_status status = options_in(options, &o);

    if (status == UB_OK)
        status = machine_of(hardware, &o, 1, &machine);
    if (status != UB_OK)
        return ub__fail(context, status,
                        "systolic: csim has no such hardware or options, or "
                        "they make no sense");
    each = ub__alloc(context, (size_t) n, sizeof(*each));
    if (each == NULL)
        return UB_ERR_NOMEM;
    if (total != NULL) {
        status = simulate_network(network, &o, &machine, &stats, &extra);
        if (status == UB_OK)
            status = stats_of(context, &machine, &stats, &extra, &sum);
    }
    if (status == UB_OK && layers != NULL)
        status = run_layers(network, &o, &machine, each);
    for (int64_t i = 0; i < n && status == UB_OK && layers != NULL; i++)
        layers[i] = each[i];
    if (status == UB_OK && total != NULL)
        ub__options_out(total, total->size, &sum, sizeof(sum));
    ub__free(context, each);
    return status;
}
