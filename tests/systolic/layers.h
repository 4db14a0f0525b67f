/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef UBOOST_TESTS_SYSTOLIC_LAYERS_H
#define UBOOST_TESTS_SYSTOLIC_LAYERS_H

#include "support.h"

#include <stdlib.h>
#include <string.h>
#include <uboost/systolic.h>

/* A layer without a network, and where its elements lie, by division. */
struct test_layer {
    ub_layer layer;
    ub_layer_info info;
    int64_t batch;
};

static inline void test_conv(struct test_layer *t, int64_t channels,
                             int64_t height, int64_t width, int64_t filters)
{
    ub_layer_init(&t->layer, sizeof(t->layer), UB_LAYER_CONV);
    t->layer.out_channels = filters;
    t->batch = 1;
    t->info = (ub_layer_info){ .size = sizeof(t->info),
                               .name = "layer",
                               .layer = &t->layer,
                               .in_channels = channels,
                               .in_height = height,
                               .in_width = width,
                               .out_channels = filters };
}

static inline int64_t test_extent(const ub_layer *l, int64_t extent,
                                  int64_t kernel, int64_t pad)
{
    const int64_t room = extent + 2 * pad - l->dilation * (kernel - 1) - 1;

    return (room + (l->round_up ? l->stride - 1 : 0)) / l->stride + 1;
}

/* After kernel, stride and so on have been set. */
static inline void test_conv_finish(struct test_layer *t)
{
    t->info.out_height = test_extent(&t->layer, t->info.in_height,
                                     t->layer.kernel_height,
                                     t->layer.pad_height);
    t->info.out_width = test_extent(&t->layer, t->info.in_width,
                                    t->layer.kernel_width, t->layer.pad_width);
}

/* A product of m x k by k x n as a linear layer and a batch of m. */
static inline void test_linear(struct test_layer *t, int64_t m, int64_t k,
                               int64_t n)
{
    test_conv(t, k, 1, 1, n);
    t->layer.kind = UB_LAYER_LINEAR;
    t->info.out_height = t->info.out_width = 1;
    t->batch = m;
}

/* A small layer with all that a layer may have. */
static inline void test_random_layer(struct test_layer *t, ub_rng *rng)
{
    const int64_t groups = 1 + (int64_t) ub_rng_below(rng, 3);
    ub_layer *l = &t->layer;

    if (ub_rng_below(rng, 4) == 0) {
        test_linear(t, 1 + (int64_t) ub_rng_below(rng, 20),
                    1 + (int64_t) ub_rng_below(rng, 20),
                    1 + (int64_t) ub_rng_below(rng, 20));
        return;
    }
    test_conv(t, groups * (1 + (int64_t) ub_rng_below(rng, 4)),
              7 + (int64_t) ub_rng_below(rng, 4),
              7 + (int64_t) ub_rng_below(rng, 4),
              groups * (1 + (int64_t) ub_rng_below(rng, 5)));
    l->groups = groups;
    l->kernel_height = 1 + (int64_t) ub_rng_below(rng, 3);
    l->kernel_width = 1 + (int64_t) ub_rng_below(rng, 3);
    l->stride = 1 + (int64_t) ub_rng_below(rng, 3);
    l->dilation = 1 + (int64_t) ub_rng_below(rng, 3);
    l->pad_height = (int64_t) ub_rng_below(rng, 3);
    l->pad_width = (int64_t) ub_rng_below(rng, 3);
    l->round_up = (int32_t) ub_rng_below(rng, 2);
    t->batch = 1 + (int64_t) ub_rng_below(rng, 2);
    test_conv_finish(t);
}

/* Address of a product's element: inputs m by k, weights k by n, results m by
 * n; -1 outside the map. */
static inline int64_t test_address(const struct test_layer *t, int32_t operand,
                                   int64_t product, int64_t row, int64_t column)
{
    const ub_layer *l = &t->layer;
    const ub_layer_info *i = &t->info;
    const int64_t in = i->in_channels / l->groups;
    const int64_t filters = i->out_channels / l->groups;
    const int64_t window = in * l->kernel_height * l->kernel_width;
    const int64_t area = i->out_height * i->out_width;
    int64_t x, y;

    if (operand == UB_SYSTOLIC_WEIGHTS)
        return (product * filters + column) * window + row;
    if (operand == UB_SYSTOLIC_OUTPUT)
        return row * i->out_channels + product * filters + column;
    y = row % area / i->out_width * l->stride - l->pad_height +
        column / (in * l->kernel_width) * l->dilation;
    x = row % i->out_width * l->stride - l->pad_width +
        column / in % l->kernel_width * l->dilation;
    if (y < 0 || y >= i->in_height || x < 0 || x >= i->in_width)
        return -1;
    return ((row / area * i->in_height + y) * i->in_width + x) *
               i->in_channels +
           product * in + column % in;
}

/* Rows of a trace to be compared with. */
struct test_table {
    int64_t *address; /* [cycles][lanes] */
    int64_t cycles, lanes;
    int64_t seen, wrong; /* rows, and those that differ */
};

static inline void test_table_init(struct test_table *t, int64_t cycles,
                                   int64_t lanes)
{
    t->cycles = cycles;
    t->lanes = lanes;
    t->seen = t->wrong = 0;
    t->address = malloc((size_t) (cycles * lanes) * sizeof(*t->address));
    assert_non_null(t->address);
    for (int64_t i = 0; i < cycles * lanes; i++)
        t->address[i] = -1;
}

static inline void test_table_set(struct test_table *t, int64_t cycle,
                                  int64_t lane, int64_t address)
{
    assert_true(cycle >= 0 && cycle < t->cycles);
    assert_true(lane >= 0 && lane < t->lanes);
    assert_int_equal(t->address[cycle * t->lanes + lane], -1);
    t->address[cycle * t->lanes + lane] = address;
}

/* A ub_systolic_trace_fn. */
static inline int test_table_compare(void *user, int64_t cycle,
                                     int64_t *addresses, int64_t n)
{
    struct test_table *t = user;

    assert_int_equal(cycle, t->seen);
    assert_int_equal(n, t->lanes);
    assert_true(cycle < t->cycles);
    t->wrong += memcmp(addresses, t->address + cycle * n,
                       (size_t) n * sizeof(*addresses)) != 0;
    t->seen++;
    return 0;
}

#endif
