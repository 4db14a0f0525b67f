/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One training step of a derived network, that of doc/results/cifar10-small
 * unless --network names a file: gradients by weights, clipping, SGD with
 * Nesterov's momentum. A JSON line.
 */
#include "step.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    bench b = { .name = "final_step", .runs = 5, .threads = 2 };
    step s;
    const char *path = NULL;
    const bench_option options[] = {
        { .name = "--network", .value = "FILE", .text = &path },
        STEP_OPTIONS(&s, &b),
        { .name = NULL },
    };
    char fields[128];
    ub_network *network = NULL;
    net_convs convs;

    step_init(&s, &b);
    s.rate = 0.1;
    s.optimizer_options.nesterov = 1;
    s.optimizer_options.weight_decay = 5e-4;
    bench_open(&b, options, argc, argv);
    if (path)
        bench_check(&b, ub_network_read(b.context, path, &network));
    else
        network = net_final(&b);
    convs = net_convs_of_network(&b, network);
    bench_check(&b, ub_model_create(b.context, network, 1, &s.model));
    snprintf(fields, sizeof(fields), "\"network\": \"%s\", \"macs\": %lld",
             path ? "file" : "small", (long long) ub_network_macs(network));
    step_run(&s, &convs, fields);
    free(convs.of);
    ub_model_destroy(&s.model);
    ub_network_destroy(&network);
    bench_close(&b);
    return 0;
}
