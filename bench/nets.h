/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BENCH_NETS_H
#define BENCH_NETS_H

#include "bench.h"

/*
 * The networks that are measured, and their convolutions, which are read off
 * networks that the space derives rather than listed.
 */

/* U-Boost's space at a width. */
ub_space *net_space(bench *b, int64_t width, int64_t cells);

/* The operators that preset small found, doc/results/cifar10-small. */
enum { NET_DECISIONS = 9 };
extern const int32_t net_choice[NET_DECISIONS];

/* Stem and step of the widths of the channel search; its top is a setting. */
enum { NET_STEM_WIDTH = 16, NET_LOW_WIDTH = 8, NET_WIDTH_STEP = 4 };

/* That run's derived network, doc/results/cifar10-small/network.json. */
ub_network *net_final(bench *b);

/* A convolution, and how many of it there are in the network. */
typedef struct net_conv {
    int64_t in_channels, out_channels, in_height, in_width, out_height,
        out_width, kernel_height, kernel_width, stride, pad_height, pad_width,
        dilation, groups;
    int64_t count;
    int on_images; /* reads the images: no gradient by its input */
} net_conv;

/* Distinct convolutions of a network; free() them. */
typedef struct net_convs {
    net_conv *of;
    int64_t n;
} net_convs;

/* Of a network as it is. */
net_convs net_convs_of_network(bench *b, const ub_network *network);
/* Of the supernet over a space, with all operators. */
net_convs net_convs_of_space(bench *b, const ub_space *space);
/* Of the channel search over that choice, run at the widths' top. */
net_convs net_convs_of_channels(bench *b, const ub_space *space, int64_t top);

int net_conv_same(const net_conv *a, const net_conv *b);
/* Multiplications and additions of one image, one pass, count 1: with the taps
 * that fall on the padding, and without. */
double net_conv_flop(const net_conv *c);
double net_conv_flop_inside(const net_conv *c);
/* Of a training step: forward, backward by data and by weights. */
double net_step_flop(const net_convs *convs, int64_t batch,
                     double (*flop)(const net_conv *));

#endif
