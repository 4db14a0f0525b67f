/* SPDX-License-Identifier: BSD-2-Clause */
#include "hwnas/problem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Points of accuracy that a violation of 1, twice the limit, costs where limits
 * are part of what is optimised. */
#define PENALTY          100.0
/* Points of accuracy that make a candidate e times as likely. */
#define LIKELIHOOD_SCALE 2.0

static int64_t code_of(const int32_t *choices)
{
    int64_t code = 0;

    for (int d = 0; d < UB_NASBENCH201_EDGES; d++)
        code = code * UB_NASBENCH201_OPERATORS + choices[d];
    return code;
}

static void choices_of(int64_t code, int32_t *choices)
{
    for (int d = UB_NASBENCH201_EDGES - 1; d >= 0; d--) {
        choices[d] = (int32_t) (code % UB_NASBENCH201_OPERATORS);
        code /= UB_NASBENCH201_OPERATORS;
    }
}

void problem_values(const problem *p, const int32_t *choices, double *values)
{
    if (p->cells) {
        memcpy(values, p->values + code_of(choices) * p->n_columns,
               (size_t) p->n_columns * sizeof(*values));
        return;
    }
    for (int i = 0; i < p->n_columns; i++) {
        ub_hwbench_value value;
        const ub_status status = ub_hwbench_get_fbnet(
            p->h->bench, p->columns[i], choices, &value);

        values[i] = status == UB_OK && value.state == UB_HWBENCH_KNOWN
                        ? value.value
                        : NAN;
    }
}

/* By how much of the limits a network exceeds them; NaN: not known. */
static double violation_of(const problem *p, const double *values)
{
    double sum = 0.0;

    for (int i = 0; i < p->n_columns; i++) {
        const double limit = p->limits[i], scale = fabs(limit) + 1e-12;
        double beyond = values[i] - limit;

        if (isnan(limit))
            continue;
        if (isnan(values[i]))
            return NAN;
        if (hwnas_metric(p->h, p->columns[i]).direction == UB_MAXIMIZE)
            beyond = -beyond;
        sum += beyond > 0.0 ? beyond / scale : 0.0;
    }
    return sum;
}

/* -- what is looked at ---------------------------------------------------- */

static void add_column(problem *p, int64_t metric)
{
    for (int i = 0; i < p->n_columns; i++) {
        if (p->columns[i] == metric)
            return;
    }
    p->names[p->n_columns] = hwnas_metric_name(p->h, metric);
    p->limits[p->n_columns] = NAN;
    p->columns[p->n_columns++] = metric;
}

/* The latency of a device of that name, or the metric of that name. */
static int find_device(const hwnas *h, int64_t *metric)
{
    char name[UB_HWBENCH_NAME];

    *metric = -1;
    if (snprintf(name, sizeof(name), "%s_latency", h->request->device) <
        (int) sizeof(name))
        *metric = ub_hwbench_find(h->bench, h->request->dataset, name);
    return *metric >= 0 || hwnas_find_metric(h, h->request->device, metric);
}

static int find_columns(problem *p)
{
    const hwnas *h = p->h;
    int64_t device, accuracy, metrics[HWNAS_MAX_METRICS], n = 0;
    double limits[HWNAS_MAX_METRICS];

    if (!find_device(h, &device))
        return 0;
    if (p->cells) {
        if (!hwnas_find_metric(h, "valid_accuracy_12", &accuracy))
            return 0;
        add_column(p, accuracy);
    }
    add_column(p, device);
    if (p->cells && hwnas_find_metric(h, "test_accuracy", &accuracy))
        add_column(p, accuracy);
    if (!hwnas_read_limits(h, metrics, limits, &n))
        return 0;
    for (int64_t i = 0; i < n; i++) {
        add_column(p, metrics[i]);
        for (int k = 0; k < p->n_columns; k++) {
            if (p->columns[k] == metrics[i])
                p->limits[k] = limits[i];
        }
    }
    return 1;
}

static int known(const problem *p, int column)
{
    const ub_hwbench_metric metric = hwnas_metric(p->h, p->columns[column]);

    if (metric.known > 0)
        return 1;
    fprintf(stderr, "hwnas: %s on %s is not known\n", metric.name,
            ub_hwbench_dataset_name(metric.dataset));
    return 0;
}

/* -- NAS-Bench-201 -------------------------------------------------------- */

static ub_status load_cells(problem *p)
{
    const size_t cells = UB_NASBENCH201_CELLS;
    const size_t row = (size_t) p->n_columns * sizeof(double);
    double *by_index = calloc(cells, row);
    ub_status status = UB_ERR_NOMEM;

    p->values = calloc(cells, row);
    if (by_index != NULL && p->values != NULL)
        status = ub_hwbench_values(p->h->bench, p->n_columns, p->columns,
                                   by_index);
    for (int64_t code = 0; code < UB_NASBENCH201_CELLS && status == UB_OK;
         code++) {
        int32_t choices[UB_NASBENCH201_EDGES];
        int64_t index;

        choices_of(code, choices);
        index = ub_nasbench201_index(ub_hwbench_order(p->h->bench), choices);
        memcpy(p->values + code * p->n_columns, by_index + index * p->n_columns,
               row);
    }
    free(by_index);
    return status;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}

/* Without a limit, half of the cells are fast enough. */
static int assume_limit(problem *p)
{
    double *values = calloc(UB_NASBENCH201_CELLS, sizeof(*values));
    size_t n = 0;

    if (values == NULL)
        return 0;
    for (int64_t code = 0; code < UB_NASBENCH201_CELLS; code++) {
        const double value = p->values[code * p->n_columns + 1];

        if (!isnan(value))
            values[n++] = value;
    }
    qsort(values, n, sizeof(*values), compare);
    if (n > 0)
        p->limits[1] = values[n / 2];
    p->assumed_limit = 1;
    free(values);
    return 1;
}

static int any_limit(const problem *p)
{
    for (int i = 0; i < p->n_columns; i++) {
        if (!isnan(p->limits[i]))
            return 1;
    }
    return 0;
}

static void find_best_cell(problem *p)
{
    double best = -1.0;

    p->oracle[0] = ORACLE_NONE;
    for (int64_t code = 0; code < UB_NASBENCH201_CELLS; code++) {
        const double *values = p->values + code * p->n_columns;

        if (values[0] > best && violation_of(p, values) == 0.0) {
            best = values[0];
            choices_of(code, p->oracle);
        }
    }
}

/* What a relaxed candidate is to raise, of each cell; unknown ones are bad. */
static double merit(const problem *p, int64_t code)
{
    const double *values = p->values + code * p->n_columns;
    const double violation = violation_of(p, values);

    if (isnan(values[0]) || isnan(violation))
        return 0.0;
    return values[0] - PENALTY * violation;
}

static int create_cells(problem *p)
{
    ub_status status;

    p->decisions = UB_NASBENCH201_EDGES;
    for (int d = 0; d < UB_NASBENCH201_EDGES; d++)
        p->choices[d] = UB_NASBENCH201_OPERATORS;
    p->objectives = 2;
    p->directions[0] = UB_MAXIMIZE;
    p->directions[1] = hwnas_metric(p->h, p->columns[1]).direction;
    if (!known(p, 0) || !known(p, 1))
        return 0;
    p->relaxed = calloc(UB_NASBENCH201_CELLS, sizeof(*p->relaxed));
    p->merits = calloc(UB_NASBENCH201_CELLS, sizeof(*p->merits));
    status = p->relaxed != NULL && p->merits != NULL ? load_cells(p)
                                                     : UB_ERR_NOMEM;
    if (status != UB_OK)
        return hwnas_failed(p->h, status);
    if (p->h->request->strategy != UB_STRATEGY_NSGA2 && !any_limit(p) &&
        !assume_limit(p))
        return 0;
    for (int64_t code = 0; code < UB_NASBENCH201_CELLS; code++)
        p->merits[code] = merit(p, code);
    find_best_cell(p);
    return 1;
}

/* -- FBNet ---------------------------------------------------------------- */

/* The only column with a limit; -1: there are more, or none. */
static int limited_column(const problem *p)
{
    int limited = -1, n = 0;

    for (int i = 0; i < p->n_columns; i++) {
        if (!isnan(p->limits[i])) {
            limited = i;
            n++;
        }
    }
    return n == 1 ? limited : -1;
}

/* Where the best without limits does not keep to them, there is an exact
 * solution for one limit alone. */
static ub_status find_best_layers(problem *p)
{
    const ub_hwbench *bench = p->h->bench;
    const int limited = limited_column(p);
    int32_t least[UB_HWBENCH_FBNET_LAYERS];
    double values[PROBLEM_COLUMNS];
    ub_status status = ub_hwbench_fbnet_extreme(bench, p->columns[0],
                                                UB_MINIMIZE, p->oracle, NULL);

    if (status != UB_OK)
        return status;
    problem_values(p, p->oracle, values);
    if (violation_of(p, values) == 0.0)
        return UB_OK;
    p->oracle[0] = ORACLE_UNKNOWN;
    if (limited < 0)
        return UB_OK;
    status = ub_hwbench_fbnet_best(bench, p->columns[0], UB_MINIMIZE,
                                   p->columns[limited], p->limits[limited],
                                   p->oracle, NULL);
    /* Of a metric that has no extreme it only says that it cannot tell. */
    if (status == UB_ERR_INVALID &&
        ub_hwbench_fbnet_extreme(bench, p->columns[limited], UB_MINIMIZE, least,
                                 NULL) == UB_OK)
        p->oracle[0] = ORACLE_NONE;
    return status == UB_ERR_NOMEM ? status : UB_OK;
}

static int create_layers(problem *p)
{
    ub_status status;

    p->decisions = UB_HWBENCH_FBNET_LAYERS;
    for (int d = 0; d < UB_HWBENCH_FBNET_LAYERS; d++)
        p->choices[d] = UB_HWBENCH_FBNET_OPERATORS;
    p->objectives = 1;
    p->directions[0] = UB_MINIMIZE;
    if (!known(p, 0))
        return 0;
    status = find_best_layers(p);
    return status == UB_OK || hwnas_failed(p->h, status);
}

int problem_create(const hwnas *h, problem *p)
{
    int done;

    *p = (problem){ .h = h,
                    .cells = h->request->space == UB_HWBENCH_NASBENCH201 };
    p->oracle[0] = ORACLE_NONE;
    ub_rng_init(&p->rng, (uint64_t) h->request->seed, 1);
    done = find_columns(p) && (p->cells ? create_cells(p) : create_layers(p));
    if (!done)
        problem_destroy(p);
    return done;
}

void problem_destroy(problem *p)
{
    free(p->values);
    free(p->relaxed);
    free(p->merits);
    p->values = p->relaxed = p->merits = NULL;
}

/* -- evaluation ----------------------------------------------------------- */

/* The expectation over the last of the decisions that a table is by. */
static void contract(double *table, int64_t n, const double *weights)
{
    for (int64_t i = 0; i < n / UB_NASBENCH201_OPERATORS; i++) {
        double sum = 0.0;

        for (int c = 0; c < UB_NASBENCH201_OPERATORS; c++)
            sum += weights[c] * table[i * UB_NASBENCH201_OPERATORS + c];
        table[i] = sum;
    }
}

/* The expectation is linear in the weights of each decision: its derivative by
 * them is the expectation over the others. Decision `kept` comes first. */
static void differentiate(problem *p, const double *weights, int kept)
{
    int64_t n = UB_NASBENCH201_CELLS, below = 1;

    for (int d = kept + 1; d < UB_NASBENCH201_EDGES; d++)
        below *= UB_NASBENCH201_OPERATORS;
    for (int64_t code = 0; code < n; code++) {
        const int64_t high = code / below / UB_NASBENCH201_OPERATORS;
        const int64_t choice = code / below % UB_NASBENCH201_OPERATORS;

        p->relaxed[choice * (n / UB_NASBENCH201_OPERATORS) + high * below +
                   code % below] = p->merits[code];
    }
    for (int d = UB_NASBENCH201_EDGES - 1; d >= 0; d--) {
        if (d != kept) {
            contract(p->relaxed, n, weights + d * UB_NASBENCH201_OPERATORS);
            n /= UB_NASBENCH201_OPERATORS;
        }
    }
    memcpy(p->gradient + kept * UB_NASBENCH201_OPERATORS, p->relaxed,
           UB_NASBENCH201_OPERATORS * sizeof(*p->relaxed));
}

static void evaluate_relaxed_cell(problem *p, const double *weights)
{
    for (int d = 0; d < UB_NASBENCH201_EDGES; d++)
        differentiate(p, weights, d);
    p->objective[0] = p->objective[1] = 0.0;
    for (int c = 0; c < UB_NASBENCH201_OPERATORS; c++)
        p->objective[0] += weights[c] * p->gradient[c];
}

static ub_status evaluate_relaxed_layers(problem *p, const double *weights)
{
    p->objective[0] = 0.0;
    for (int d = 0; d < UB_HWBENCH_FBNET_LAYERS; d++) {
        for (int32_t c = 0; c < UB_HWBENCH_FBNET_OPERATORS; c++) {
            const int at = d * UB_HWBENCH_FBNET_OPERATORS + c;
            ub_hwbench_value value;
            const ub_status status = ub_hwbench_get_block(
                p->h->bench, p->columns[0], d + 1, c, &value);

            if (status != UB_OK)
                return status;
            p->gradient[at] = value.value;
            p->objective[0] += weights[at] * value.value;
        }
    }
    return UB_OK;
}

ub_status problem_evaluate(void *user, const ub_candidate *candidate,
                           ub_result *result)
{
    problem *p = user;
    double values[PROBLEM_COLUMNS];
    ub_status status = UB_OK;

    result->objectives = p->objective;
    if (candidate->weights != NULL) {
        result->gradient = p->gradient;
        if (p->cells)
            evaluate_relaxed_cell(p, candidate->weights);
        else
            status = evaluate_relaxed_layers(p, candidate->weights);
        return status;
    }
    problem_values(p, candidate->choices, values);
    p->objective[0] = values[0];
    p->objective[1] = values[1];
    if (p->cells && p->h->request->noise > 0.0)
        p->objective[0] += p->h->request->noise * ub_rng_normal(&p->rng);
    result->violation = violation_of(p, values);
    /* A likelihood knows no limits: so it has a penalty in it. */
    if (p->cells)
        result->log_likelihood = (p->objective[0] -
                                  PENALTY * result->violation) /
                                 LIKELIHOOD_SCALE;
    result->failed = isnan(result->violation) || isnan(p->objective[0]) ||
                     (p->cells && isnan(p->objective[1]));
    if (result->failed)
        result->violation = 0.0;
    return UB_OK;
}

/* -- report --------------------------------------------------------------- */

void problem_print_limits(const problem *p)
{
    for (int i = 0; i < p->n_columns; i++) {
        const ub_hwbench_metric metric = hwnas_metric(p->h, p->columns[i]);

        if (!isnan(p->limits[i]))
            printf("limit: %s %s %.8g %s%s\n", metric.name,
                   metric.direction == UB_MAXIMIZE ? "at least" : "at most",
                   p->limits[i], metric.unit,
                   p->assumed_limit ? ", the median (--limits sets another)"
                                    : "");
    }
}

void problem_print_oracle(const problem *p)
{
    double values[PROBLEM_COLUMNS];

    if (p->oracle[0] < 0) {
        fputs(p->oracle[0] == ORACLE_NONE
                  ? "\nno network keeps to the limits\n"
                  : "\nthe best that keeps to the limits is not known\n",
              stdout);
        return;
    }
    problem_values(p, p->oracle, values);
    printf("\nbest there is: %s %.8g", p->names[0], values[0]);
    for (int i = 1; i < p->n_columns; i++)
        printf(", %s %.8g", p->names[i], values[i]);
    printf("\n");
}
