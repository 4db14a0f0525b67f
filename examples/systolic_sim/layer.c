/* SPDX-License-Identifier: BSD-2-Clause */
/* One layer of what systolic_sim has read. */
#include "systolic_sim/systolic_sim.h"

static int64_t bytes_of(int64_t own, const ub_hardware *h)
{
    return own > 0 ? own : h->element_bytes;
}

/* What a report counted of external memory. */
static void add_memory(const simulation *s, const ub_layer *layer,
                       const ub_systolic_report *r, ub_systolic_stats *out)
{
    const ub_hardware *h = &s->hardware;

    if (s->options.charge_inputs && !layer->on_chip)
        out->input_bytes = r->dram_input.count * bytes_of(h->input_bytes, h);
    out->weight_bytes = r->dram_weight.count * bytes_of(h->weight_bytes, h);
    if (s->options.charge_outputs)
        out->output_bytes = r->dram_output.count * bytes_of(h->output_bytes, h);
    out->sram_write_bytes += out->input_bytes + out->weight_bytes;
}

/* SCALE-Sim's USER mode is no account of a memory once banks overflow; what
 * passes through it is still counted, and *without_stalls set. */
static ub_status report_layer(ub_context *context, const ub_layer_info *info,
                              const ub_hardware *hardware,
                              ub_systolic_options *options,
                              ub_systolic_report *out, char *without_stalls)
{
    ub_status status = ub_systolic_report_layer(context, info, hardware,
                                                options, out);

    if (status != UB_ERR_UNSUPPORTED || options->count_memory != 2)
        return status;
    options->count_memory = 1;
    status = ub_systolic_report_layer(context, info, hardware, options, out);
    *without_stalls = status == UB_OK;
    return status;
}

ub_status simulate_layer(simulation *s, ub_context *context, int64_t i)
{
    ub_layer_info info = { .size = sizeof(info) };
    ub_systolic_options o = s->options;
    ub_hardware h = s->hardware;
    ub_status status = ub_network_layer(s->network, i, &info);
    ub_status found = UB_ERR_UNSUPPORTED;

    o.count_memory = 0; /* the report has it */
    for (int32_t flow = 0; flow < 3 && status == UB_OK; flow++) {
        ub_systolic_stats stats = { .size = sizeof(stats) };
        ub_status one;

        if (!s->best_dataflow && flow != s->hardware.dataflow)
            continue;
        h.dataflow = flow;
        one = ub_systolic_layer(&info, &h, &o, &stats);
        if (one == UB_OK &&
            (found != UB_OK || stats.cycles < s->stats[i].cycles)) {
            s->stats[i] = stats;
            s->dataflows[i] = flow;
        }
        if (found != UB_OK)
            found = one;
    }
    if (status == UB_OK)
        status = found;
    if (status != UB_OK && is_csim(s)) {
        s->stats[i].cycles = -1;
        return UB_OK;
    }
    if (status != UB_OK || o.level != 2)
        return status;
    h.dataflow = s->dataflows[i];
    o.count_memory = s->options.count_memory;
    status = report_layer(context, &info, &h, &o, &s->reports[i],
                          &s->without_stalls[i]);
    if (status == UB_OK && info.macs > 0)
        add_memory(s, info.layer, &s->reports[i], &s->stats[i]);
    return status;
}
