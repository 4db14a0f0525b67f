/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The comparison of U-Boost NAS, section 5: searches led by several cost models
 * at several weights of the latency, and what they reach.
 */
#include "pareto_cifar10/pareto_cifar10.h"

#include "common/command_line.h"
#include "pareto_cifar10/grid.h"

static int write_all(ub_context *context, const pareto_summary *summary,
                     const char *folder, int png)
{
    return pareto_write_json(summary, folder) &&
           pareto_write_csv(summary, folder) &&
           pareto_write_markdown(summary, folder) &&
           pareto_pictures(context, summary, folder, png);
}

static int summarize(ub_context *context, const pareto_plan *plan)
{
    pareto_results results;
    pareto_summary summary;
    int good;

    if (!pareto_load(context, plan->summary, &results))
        return 0;
    good = pareto_summarize(context, &results, plan->n_lambdas, plan->n_seeds,
                            &summary);
    if (good) {
        good = write_all(context, &summary, plan->summary, plan->png);
        if (good && !plan->quiet) {
            pareto_print(&summary, stdout);
            good = finish_output();
        }
        pareto_summary_free(&summary);
    }
    pareto_results_free(&results);
    return good;
}

/* While a grid runs in the folder, too: what is complete stays as it is. */
static int run_summary(const pareto_plan *plan)
{
    ub_context *context = open_context_with(1, NULL, NULL);
    int good;

    if (context == NULL)
        return 1;
    good = summarize(context, plan);
    ub_context_destroy(&context);
    return good ? 0 : 1;
}

int main(int argc, char **argv)
{
    pareto_plan plan;

    if (!pareto_parse(&plan, argc, argv))
        return 1;
    if (plan.summary != NULL)
        return run_summary(&plan);
    catch_interrupt();
    return pareto_run_grid(&plan);
}
