/* SPDX-License-Identifier: BSD-2-Clause */
#include "hwnas/hwnas.h"

#include "hwnas/problem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What a search has found. */
typedef struct outcome {
    int64_t n;        /* candidates */
    int32_t *choices; /* n x decisions */
    ub_strategy_stats stats;
    double seconds;
} outcome;

static void describe(const hwnas *h, const problem *p, ub_decisions *decisions,
                     ub_strategy_options *options)
{
    const hwnas_request *r = h->request;

    *decisions = (ub_decisions){ .size = sizeof(*decisions),
                                 .n = p->decisions,
                                 .choices = p->choices };
    ub_strategy_options_init(options, sizeof(*options));
    options->kind = r->strategy;
    options->seed = (uint64_t) r->seed;
    options->budget = r->budget;
    options->neighbours = r->neighbours;
    options->objectives = p->objectives;
    options->directions = p->directions;
    /* What is not fitted to is verified. */
    if (options->fit > r->budget / 2)
        options->fit = r->budget / 2 > 2 ? r->budget / 2 : 2;
    if (r->budget > options->fit)
        options->verify = r->budget - options->fit;
    /* The defaults are for points of accuracy; costs have any scale. */
    if (!p->cells) {
        const int32_t zeros[UB_HWBENCH_FBNET_LAYERS] = { 0 };
        double values[PROBLEM_COLUMNS];

        problem_values(p, zeros, values);
        if (values[0] > 0.0) {
            options->first_temperature = 0.1 * values[0];
            options->last_temperature = 0.001 * values[0];
            options->likelihood_scale = 0.02 * values[0];
        }
    }
}

static ub_status run(const hwnas *h, problem *p, outcome *o)
{
    const int64_t room = h->request->strategy == UB_STRATEGY_NSGA2
                             ? (int64_t) UB_NASBENCH201_CELLS
                             : 1;
    ub_strategy_options options;
    ub_decisions decisions;
    ub_strategy *strategy = NULL;
    struct timespec from, to;
    ub_status status;

    describe(h, p, &decisions, &options);
    o->choices = calloc((size_t) (room * p->decisions), sizeof(*o->choices));
    if (o->choices == NULL)
        return UB_ERR_NOMEM;
    timespec_get(&from, TIME_UTC);
    status = ub_strategy_create(h->context, &decisions, &options, &strategy);
    if (status == UB_OK)
        status = ub_strategy_run(strategy, problem_evaluate, p);
    if (status == UB_OK)
        status = ub_strategy_best(strategy, room, o->choices, NULL, &o->n);
    timespec_get(&to, TIME_UTC);
    o->n = o->n < room ? o->n : room;
    o->seconds = (double) (to.tv_sec - from.tv_sec) +
                 1e-9 * (double) (to.tv_nsec - from.tv_nsec);
    o->stats.size = sizeof(o->stats);
    if (strategy != NULL)
        ub_strategy_stats_get(strategy, &o->stats);
    ub_strategy_destroy(&strategy);
    return status;
}

static void print_found(const hwnas *h, const problem *p, const outcome *o)
{
    char digits[32], text[UB_NASBENCH201_TEXT];

    for (int i = 0; i < p->n_columns; i++)
        printf("%s%24s", i > 0 ? " " : "", p->names[i]);
    printf("  network\n");
    for (int64_t k = 0; k < o->n; k++) {
        const int32_t *choices = o->choices + k * p->decisions;
        double values[PROBLEM_COLUMNS];

        problem_values(p, choices, values);
        for (int i = 0; i < p->n_columns; i++)
            printf("%s%24.8g", i > 0 ? " " : "", values[i]);
        hwnas_digits(h, choices, digits);
        if (p->cells && ub_nasbench201_write(choices, text) == UB_OK)
            printf("  %s\n", text);
        else
            printf("  %s\n", digits);
    }
}

static int print_outcome(const hwnas *h, const problem *p, const outcome *o)
{
    const hwnas_request *r = h->request;

    printf("%s on %s, seed %lld: %lld evaluations, %lld different networks, "
           "%.2f ms\n",
           ub_strategy_kind_name(r->strategy),
           ub_hwbench_dataset_name(r->dataset), (long long) r->seed,
           (long long) o->stats.told, (long long) o->stats.unique,
           1e3 * o->seconds);
    problem_print_limits(p);
    printf("\n");
    print_found(h, p, o);
    problem_print_oracle(p);
    return 1;
}

static json_t *found_json(const hwnas *h, const problem *p,
                          const int32_t *choices)
{
    char digits[32], text[UB_NASBENCH201_TEXT];
    double values[PROBLEM_COLUMNS];
    json_t *object = json_object();

    problem_values(p, choices, values);
    hwnas_digits(h, choices, digits);
    json_object_set_new(object, "ops", json_string(digits));
    if (p->cells) {
        json_object_set_new(object, "index",
                            json_integer(ub_nasbench201_index(
                                ub_hwbench_order(h->bench), choices)));
        if (ub_nasbench201_write(choices, text) == UB_OK)
            json_object_set_new(object, "arch", json_string(text));
    }
    for (int i = 0; i < p->n_columns; i++)
        json_object_set_new(object, p->names[i], hwnas_number(values[i]));
    return object;
}

static int print_outcome_json(const hwnas *h, const problem *p,
                              const outcome *o)
{
    const hwnas_request *r = h->request;
    json_t *root = json_object(), *found = json_array();

    json_object_set_new(root, "strategy",
                        json_string(ub_strategy_kind_name(r->strategy)));
    json_object_set_new(root, "dataset",
                        json_string(ub_hwbench_dataset_name(r->dataset)));
    json_object_set_new(root, "seed", json_integer(r->seed));
    json_object_set_new(root, "evaluations", json_integer(o->stats.told));
    json_object_set_new(root, "unique", json_integer(o->stats.unique));
    json_object_set_new(root, "seconds", json_real(o->seconds));
    for (int64_t k = 0; k < o->n; k++)
        json_array_append_new(found,
                              found_json(h, p, o->choices + k * p->decisions));
    json_object_set_new(root, "found", found);
    json_object_set_new(root, "best_possible",
                        p->oracle[0] >= 0 ? found_json(h, p, p->oracle)
                                          : json_null());
    return hwnas_print_json(root);
}

int hwnas_search(const hwnas *h)
{
    problem p;
    outcome o = { .n = 0 };
    ub_status status;
    int done;

    if (!problem_create(h, &p))
        return 0;
    status = run(h, &p, &o);
    done = status == UB_OK || hwnas_failed(h, status);
    if (done)
        done = h->request->json ? print_outcome_json(h, &p, &o)
                                : print_outcome(h, &p, &o);
    free(o.choices);
    problem_destroy(&p);
    return done;
}
