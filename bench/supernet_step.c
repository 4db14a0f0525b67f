/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One weight step of U-Boost's full supernet: 8 operators, 9 edges, 3 cells
 * (or more), gradients by weights and by logits, clipping, SGD. A JSON line.
 *
 * The work is that of bench/compare.sh's peer, which draws a Gumbel-softmax
 * sample per step too, keeps the gradients by weights and by logits, clips
 * those of the weights to 0.5 and moves the weights by SGD with momentum 0.9
 * and decay 3e-4; neither side moves the logits. The first step fails if any
 * weight or logit has no gradient.
 */
#include "step.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    bench b = { .name = "supernet_step", .runs = 5, .threads = 2 };
    step s;
    int64_t channels = 32, cells = 3;
    const bench_option options[] = {
        { .name = "--channels",
          .value = "N",
          .integer = &channels,
          .low = 1,
          .high = 4096 },
        { .name = "--cells",
          .value = "N",
          .integer = &cells,
          .low = 3,
          .high = 63 },
        STEP_OPTIONS(&s, &b),
        { .name = NULL },
    };
    char fields[128];
    ub_space *space;
    net_convs convs;

    step_init(&s, &b);
    bench_open(&b, options, argc, argv);
    space = net_space(&b, channels, cells);
    convs = net_convs_of_space(&b, space);
    bench_check(
        &b, ub_supernet_create(b.context, space, NULL, NULL, 1, &s.supernet));
    snprintf(fields, sizeof(fields), "\"channels\": %lld, \"cells\": %lld",
             (long long) channels, (long long) cells);
    step_run(&s, &convs, fields);
    free(convs.of);
    ub_supernet_destroy(&s.supernet);
    ub_space_destroy(&space);
    bench_close(&b);
    return 0;
}
