/* SPDX-License-Identifier: BSD-2-Clause */
/* Which runs a grid has, their folders and their options. */
#include "pareto_cifar10/grid.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* -- the searches that others share ----------------------------------------
 */

static double middle_of(const pareto_plan *p)
{
    double sorted[PARETO_LIST];

    for (int64_t i = 0; i < p->n_lambdas; i++) {
        int64_t k = i;

        for (; k > 0 && sorted[k - 1] > p->lambdas[i]; k--)
            sorted[k] = sorted[k - 1];
        sorted[k] = p->lambdas[i];
    }
    return sorted[(p->n_lambdas - 1) / 2];
}

/* In a shared search all steps are on logits, of which a search of its own has
 * the part that does not train weights: as many are enough, over which tau
 * comes down as far. */
void pareto_default_sharing(pareto_plan *p)
{
    const ub_search_options *o = &p->options;
    const double epochs = (double) o->channel_epochs;
    double all;

    if (p->shared_lambda < 0.0)
        p->shared_lambda = middle_of(p);
    if (p->branch_epochs == 0)
        p->branch_epochs = (int64_t) fmax(
            1.0, ceil(epochs * (1.0 - o->weight_share) - 1e-9));
    if (p->branch_tau_decay > 0.0)
        return;
    /* Rounded: config.json has to be the same wherever the grid goes on. */
    all = pow(o->tau_decay, epochs / (double) p->branch_epochs);
    p->branch_tau_decay = fmax(1e-6, round(1e6 * all) / 1e6);
}

/* -- tasks ------------------------------------------------------------------
 */

enum { MAIN, BASE, POLISHED, BRANCH, KINDS };

static int has(const pareto_plan *p, int kind)
{
    return kind == MAIN || (kind == POLISHED ? p->polished : p->shared);
}

/* Runs of a kind for each seed. */
static int64_t per_seed(const pareto_plan *p, int kind)
{
    if (!has(p, kind))
        return 0;
    return kind == BASE ? p->n_methods : p->n_methods * p->n_lambdas;
}

/* Where a kind's runs begin. */
static int64_t first_of(const pareto_plan *p, int kind)
{
    int64_t first = 0;

    for (int i = 0; i < kind; i++)
        first += p->n_seeds * per_seed(p, i);
    return first;
}

int64_t pareto_count_tasks(const pareto_plan *plan)
{
    return first_of(plan, KINDS);
}

static const char *label_of(const pareto_plan *p, int kind)
{
    if (kind == MAIN)
        return p->label;
    return kind == POLISHED ? PARETO_POLISHED : PARETO_SHARED;
}

static void set_name(const pareto_plan *p, int kind, pareto_task *task)
{
    const ub_search_options *o = &task->options;
    const char *method = ub_search_hardware_name(o->hardware);
    const char *label = label_of(p, kind);

    task->label = label;
    if (kind == BASE)
        snprintf(task->name, sizeof(task->name), "%s-%s-seed%" PRIu64, method,
                 label, o->seed);
    else
        snprintf(task->name, sizeof(task->name), "%s%s%s-lambda%g-seed%" PRIu64,
                 method, label ? "-" : "", label ? label : "", o->lambda,
                 o->seed);
}

/* The result of a base's own lambda is used by nobody: it is not trained any
 * longer than it has to be. */
static void set_base(const pareto_plan *p, ub_search_options *o)
{
    o->lambda = p->shared_lambda;
    o->keep_supernet = 1;
    o->uniform_widths = 1;
    o->train_epochs = 1;
}

static void take_from(const pareto_plan *p, pareto_task *tasks, int64_t other,
                      int32_t take, pareto_task *task)
{
    snprintf(task->from, sizeof(task->from), "%s/%s", p->out,
             tasks[other].name);
    task->options.from = task->from;
    task->options.take = take;
    task->after = other;
}

/* The task of a kind at a seed, lambda and method, by their places. */
static void set_task(const pareto_plan *p, pareto_task *tasks, int kind,
                     int64_t s, int64_t l, int64_t m)
{
    const int64_t place = kind == BASE ? m : l * p->n_methods + m;
    pareto_task
        *task = &tasks[first_of(p, kind) + s * per_seed(p, kind) + place];
    ub_search_options *o = &task->options;

    memset(task, 0, sizeof(*task));
    *o = p->options;
    o->hardware = p->methods[m];
    o->lambda = p->lambdas[l];
    o->seed = (uint64_t) p->seeds[s];
    task->state = PARETO_PENDING;
    task->stage = -1;
    task->after = -1;
    if (kind == BASE)
        set_base(p, o);
    if (kind == POLISHED) {
        o->polish = 1;
        take_from(p, tasks, s * per_seed(p, MAIN) + place,
                  UB_SEARCH_TAKE_WIDTHS, task);
    }
    if (kind == BRANCH) {
        o->channel_epochs = p->branch_epochs;
        o->tau_decay = p->branch_tau_decay;
        take_from(p, tasks, first_of(p, BASE) + s * p->n_methods + m,
                  UB_SEARCH_TAKE_SUPERNET, task);
    }
    set_name(p, kind, task);
}

/* The main runs first. Seeds outermost, so that what is there when it is
 * stopped is comparable. */
void pareto_fill_tasks(const pareto_plan *p, pareto_task *tasks)
{
    for (int kind = 0; kind < KINDS; kind++) {
        const int64_t lambdas = kind == BASE ? 1 : p->n_lambdas;

        for (int64_t s = 0; s < p->n_seeds && has(p, kind); s++) {
            for (int64_t l = 0; l < lambdas; l++) {
                for (int64_t m = 0; m < p->n_methods; m++)
                    set_task(p, tasks, kind, s, l, m);
            }
        }
    }
}
