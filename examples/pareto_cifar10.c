/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The comparison of U-Boost NAS, section 5: searches led by several cost models
 * at several weights of the latency, and what they reach.
 */
#include "pareto_cifar10.h"

#include "command_line.h"
#include "pareto_cifar10_grid.h"

int main(int argc, char **argv)
{
    pareto_plan plan;

    if (!pareto_parse(&plan, argc, argv))
        return 1;
    if (plan.summary != NULL) {
        fputs("--summary: not there yet\n", stderr);
        return 1;
    }
    catch_interrupt();
    return pareto_run_grid(&plan);
}
