/* SPDX-License-Identifier: BSD-2-Clause */
#include "systolic/interconnect.h"

#include <math.h>

/* An output of a switch. Taken when its turn is the network's, so that closing
 * all routes costs nothing. */
typedef struct output {
    uint64_t turn;
    int64_t source;
    int64_t input; /* port of the stage that feeds it */
} output;

struct ub__interconnect {
    ub_context *context;
    int32_t kind;
    int32_t stages;    /* banyan */
    int64_t ports;     /* banyan */
    int64_t expansion; /* banyan */
    int64_t source;    /* bus; -1 when it is free */
    uint64_t turn;
    output *outputs; /* banyan: [stages][ports] */
};

static int log2_up(int64_t n)
{
    int bits = 0;

    while (((int64_t) 1 << bits) < n)
        bits++;
    return bits;
}

int64_t ub__interconnect_latency(const ub_hardware *hardware)
{
    const int64_t n = log2_up(hardware->arrays);

    switch (hardware->interconnect) {
    case UB_INTERCONNECT_BENES_COPY: return 4 * n - 1;
    case UB_INTERCONNECT_BENES: return 2 * n - 1;
    case UB_INTERCONNECT_BANYAN: return n + 2 * hardware->expansion;
    default: return 1;
    }
}

float ub__interconnect_watts(const ub_hardware *hardware, int64_t width)
{
    const float byte = 2.875e-5F;
    const int n = log2_up(hardware->arrays) +
                  (hardware->interconnect == UB_INTERCONNECT_BANYAN
                       ? (int) hardware->expansion
                       : 0);
    const float ports = (float) ((int64_t) 1 << n);

    switch (hardware->interconnect) {
    case UB_INTERCONNECT_CROSSBAR: return byte * ports * ports * (float) width;
    case UB_INTERCONNECT_BENES_COPY:
        return (float) ((double) (byte * 4.0F * ports) * n * (double) width);
    case UB_INTERCONNECT_BENES:
        return (float) ((double) (byte * 2.0F * ports) * n * (double) width);
    case UB_INTERCONNECT_BANYAN:
        return (float) ((double) (byte * ports) * n * (double) width);
    default: return byte * (float) width;
    }
}

ub_status ub__interconnect_create(ub_context *context,
                                  const ub_hardware *hardware,
                                  ub__interconnect **out)
{
    ub__interconnect *network;
    ub_status status = UB_OK;
    const int banyan = hardware->interconnect == UB_INTERCONNECT_BANYAN;
    const int n = log2_up(hardware->arrays) + (int) hardware->expansion;

    if (hardware->interconnect == UB_INTERCONNECT_BENES)
        return ub__fail(context, UB_ERR_UNSUPPORTED,
                        "systolic: a Benes network is not simulated");
    if (banyan && n == 0)
        return ub__fail(context, UB_ERR_UNSUPPORTED,
                        "systolic: a banyan for one array needs an expansion "
                        "of at least 1");
    network = ub__calloc(context, 1, sizeof(*network));
    if (network == NULL)
        return UB_ERR_NOMEM;
    network->context = context;
    network->kind = hardware->interconnect;
    network->source = -1;
    network->turn = 1;
    if (banyan) {
        network->stages = n;
        network->ports = (int64_t) 1 << n;
        network->expansion = hardware->expansion;
        network->outputs = ub__calloc(context, (size_t) (n * network->ports),
                                      sizeof(output));
        if (network->outputs == NULL)
            status = UB_ERR_NOMEM;
    }
    if (status == UB_OK)
        *out = network;
    else
        ub__interconnect_destroy(&network);
    return status;
}

void ub__interconnect_destroy(ub__interconnect **network)
{
    ub_context *context;

    if (*network == NULL)
        return;
    context = (*network)->context;
    ub__free(context, (*network)->outputs);
    ub__free(context, *network);
    *network = NULL;
}

int ub__interconnect_open(const ub__interconnect *network)
{
    return network->kind == UB_INTERCONNECT_CROSSBAR ||
           network->kind == UB_INTERCONNECT_BENES_COPY;
}

void ub__interconnect_reset(ub__interconnect *network)
{
    network->source = -1;
    network->turn++;
}

/* Where a port behind stage s leads to. */
static int64_t exchange(const ub__interconnect *network, int stage,
                        int64_t port)
{
    const int64_t block = network->ports >> stage;
    const int64_t half = block / 2;
    const int64_t at = port & (block - 1);

    if (stage + 1 == network->stages)
        return port;
    if (at < half && (at & 1) != 0)
        return port + half - 1;
    if (at >= half && (at & 1) == 0)
        return port - (half - 1);
    return port;
}

/* Follow a route through the stages; take its outputs, or only look. */
static int follow(const ub__interconnect *network, output *outputs,
                  int64_t source, int64_t destination)
{
    const int64_t target = destination << network->expansion;
    const int64_t half = network->ports / 2;
    int64_t port = source < half ? 2 * source : 2 * (source - half) + 1;

    for (int s = 0; s < network->stages; s++) {
        const int64_t bit = target >> (network->stages - 1 - s) & 1;
        const int64_t to = (port & ~(int64_t) 1) | bit;
        const int64_t at = s * network->ports + to;
        const output *now = &network->outputs[at];

        if (now->turn == network->turn &&
            (now->source != source || now->input != port))
            return 0;
        if (outputs != NULL)
            outputs[at] = (output){ network->turn, source, port };
        port = exchange(network, s, to);
    }
    return 1;
}

int ub__interconnect_free(const ub__interconnect *network, int64_t source,
                          int64_t destination)
{
    if (network->kind == UB_INTERCONNECT_BUS)
        return network->source == -1 || network->source == source;
    if (network->kind == UB_INTERCONNECT_BANYAN)
        return follow(network, NULL, source, destination);
    return 1;
}

int ub__interconnect_route(ub__interconnect *network, int64_t source,
                           int64_t destination)
{
    if (!ub__interconnect_free(network, source, destination))
        return 0;
    network->source = source;
    if (network->kind == UB_INTERCONNECT_BANYAN)
        (void) follow(network, network->outputs, source, destination);
    return 1;
}
