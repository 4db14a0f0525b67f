/* SPDX-License-Identifier: BSD-2-Clause */
#include "nets.h"

#include <stdlib.h>
#include <string.h>

enum { CONV3 = 0, DILATED3 = 4, IDENTITY = 6, ZERO = 7 };

const int32_t net_choice[NET_DECISIONS] = {
    DILATED3, ZERO, DILATED3, DILATED3, ZERO, DILATED3, ZERO, CONV3, ZERO,
};

ub_space *net_space(bench *b, int64_t width, int64_t cells)
{
    ub_space_options o;
    ub_space *space = NULL;

    ub_space_options_init(&o, sizeof(o));
    o.name = "uboost";
    o.base_width = width;
    bench_check(b, ub_space_uboost(b->context, &o, cells, &space));
    return space;
}

/* Widths that the run chose: of the two inputs, then of the edges; 0 where
 * there is nothing to choose. */
ub_network *net_final(bench *b)
{
    static const int64_t chosen[3 * (2 + NET_DECISIONS)] = {
        8,  12, 16, 0, 16, 16, 0, 16, 0, 16, 0, /* cell 0 */
        16, 16, 32, 0, 16, 16, 0, 16, 0, 16, 0, /* cell 1 */
        16, 16, 16, 0, 32, 16, 0, 16, 0, 16, 0, /* cell 2 */
    };
    ub_space *space = net_space(b, NET_STEM_WIDTH, 3);
    ub_network *network = NULL;

    bench_check(b, ub_space_derive(space, net_choice, chosen, &network));
    ub_space_destroy(&space);
    return network;
}

/* -- convolutions --------------------------------------------------------- */

int net_conv_same(const net_conv *a, const net_conv *b)
{
    net_conv x = *a, y = *b;

    x.count = y.count = 0;
    x.on_images = y.on_images = 0;
    return memcmp(&x, &y, sizeof(x)) == 0;
}

static void add_conv(net_convs *list, const net_conv *c, int64_t count)
{
    net_conv *grown;

    for (int64_t i = 0; i < list->n; i++) {
        if (net_conv_same(&list->of[i], c)) {
            list->of[i].count += count;
            return;
        }
    }
    grown = realloc(list->of, (size_t) (list->n + 1) * sizeof(*list->of));
    if (grown == NULL)
        exit(1);
    list->of = grown;
    list->of[list->n] = *c;
    list->of[list->n++].count = count;
}

/* The convolutions of edges, of everything else, or of both. */
static void add_network(bench *b, net_convs *list, const ub_network *network,
                        int edges, int others)
{
    for (int64_t i = 0; i < ub_network_layers(network); i++) {
        ub_layer_info info = { .size = sizeof(info) };
        const ub_layer *l;
        net_conv c;
        int64_t n;
        int on_edge;

        bench_check(b, ub_network_layer(network, i, &info));
        l = info.layer;
        on_edge = strstr(info.name, ".edge") != NULL;
        if (l->kind != UB_LAYER_CONV || !(on_edge ? edges : others))
            continue;
        memset(&c, 0, sizeof(c)); /* compared by its bytes */
        c.in_channels = info.in_channels;
        c.out_channels = info.out_channels;
        c.in_height = info.in_height;
        c.in_width = info.in_width;
        c.out_height = info.out_height;
        c.out_width = info.out_width;
        c.kernel_height = l->kernel_height;
        c.kernel_width = l->kernel_width;
        c.stride = l->stride;
        c.pad_height = l->pad_height;
        c.pad_width = l->pad_width;
        c.dilation = l->dilation;
        c.groups = l->groups;
        c.on_images = ub_network_inputs(network, i, &n)[0] == 0;
        add_conv(list, &c, 1);
    }
}

net_convs net_convs_of_network(bench *b, const ub_network *network)
{
    net_convs list = { 0 };

    add_network(b, &list, network, 1, 1);
    return list;
}

/* A network for each operator, with it on every edge; what is not on edges is
 * the same in all of them. */
net_convs net_convs_of_space(bench *b, const ub_space *space)
{
    net_convs list = { 0 };

    for (int32_t op = 0; op < ub_space_operators(space); op++) {
        int32_t operators[NET_DECISIONS];
        ub_network *network = NULL;

        if (op == ZERO)
            continue;
        for (int i = 0; i < NET_DECISIONS; i++)
            operators[i] = op;
        bench_check(b, ub_space_derive(space, operators, NULL, &network));
        add_network(b, &list, network, 1, op == IDENTITY);
        ub_network_destroy(&network);
    }
    return list;
}

net_convs net_convs_of_channels(bench *b, const ub_space *space, int64_t top)
{
    const int64_t sites = ub_space_sites(space);
    int64_t *widths = bench_alloc((size_t) sites, sizeof(*widths));
    ub_network *network = NULL;
    net_convs list;

    for (int64_t i = 0; i < sites; i++)
        widths[i] = top;
    bench_check(b, ub_space_derive(space, net_choice, widths, &network));
    list = net_convs_of_network(b, network);
    ub_network_destroy(&network);
    free(widths);
    return list;
}

/* -- arithmetic ----------------------------------------------------------- */

double net_conv_flop(const net_conv *c)
{
    return 2.0 *
           (double) (c->out_height * c->out_width * c->kernel_height *
                     c->kernel_width) *
           (double) (c->out_channels * (c->in_channels / c->groups));
}

/* Pairs of an output and a tap that reads the map. */
static double taps_inside(int64_t in, int64_t out, int64_t kernel,
                          int64_t stride, int64_t pad, int64_t dilation)
{
    int64_t n = 0;

    for (int64_t o = 0; o < out; o++) {
        for (int64_t k = 0; k < kernel; k++) {
            const int64_t at = o * stride - pad + k * dilation;

            n += at >= 0 && at < in;
        }
    }
    return (double) n;
}

double net_conv_flop_inside(const net_conv *c)
{
    return 2.0 *
           taps_inside(c->in_height, c->out_height, c->kernel_height, c->stride,
                       c->pad_height, c->dilation) *
           taps_inside(c->in_width, c->out_width, c->kernel_width, c->stride,
                       c->pad_width, c->dilation) *
           (double) (c->out_channels * (c->in_channels / c->groups));
}

double net_step_flop(const net_convs *convs, int64_t batch,
                     double (*flop)(const net_conv *))
{
    double sum = 0.0;

    for (int64_t i = 0; i < convs->n; i++)
        sum += flop(&convs->of[i]) * (double) convs->of[i].count *
               (convs->of[i].on_images ? 2.0 : 3.0);
    return sum * (double) batch;
}
