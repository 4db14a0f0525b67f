/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One step of the channel search: the operators of preset small, every
 * convolution at the top of the widths and masked, the expected cost in the
 * loss, gradients by weights and by masks, clipping, SGD. A JSON line.
 *
 * --channels is the top of the widths, 8, 12, ... up to it.
 */
#include "step.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    bench b = { .name = "channel_step", .runs = 5, .threads = 2 };
    step s;
    int64_t channels = 24;
    const bench_option options[] = {
        { .name = "--channels",
          .value = "N",
          .integer = &channels,
          .low = 8,
          .high = 4096 },
        STEP_OPTIONS(&s, &b),
        { .name = NULL },
    };
    ub_cost_model model = { .size = sizeof(model) };
    ub_supernet_options o;
    char fields[128];
    ub_space *space;
    net_convs convs;

    step_init(&s, &b);
    bench_open(&b, options, argc, argv);
    space = net_space(&b, NET_STEM_WIDTH, 3);
    convs = net_convs_of_channels(&b, space, channels);
    ub_supernet_options_init(&o, sizeof(o));
    o.operators = net_choice;
    o.widths = (ub_width_range){ NET_LOW_WIDTH, channels, NET_WIDTH_STEP };
    bench_check(&b, ub_util_model(UB_UTIL_SMOOTH, NULL, &model));
    bench_check(
        &b, ub_supernet_create(b.context, space, &o, &model, 1, &s.supernet));
    s.priced = 1;
    snprintf(fields, sizeof(fields), "\"channels\": %lld",
             (long long) channels);
    step_run(&s, &convs, fields);
    free(convs.of);
    ub_supernet_destroy(&s.supernet);
    ub_space_destroy(&space);
    bench_close(&b);
    return 0;
}
