/* SPDX-License-Identifier: BSD-2-Clause */
#include "hwbench/hwbench.h"

#include <math.h>
#include <string.h>

#define LAYERS     UB_HWBENCH_FBNET_LAYERS
#define OPERATORS  UB_HWBENCH_FBNET_OPERATORS
#define BLOCKS     UB_HWBENCH_FBNET_BLOCKS

#define MAX_LABELS ((size_t) 1 << 20)
#define BISECTIONS 60
/* Bounds are sums in another order than the values themselves; what is within
 * this of a bound is kept. */
#define SLACK      1e-9

/* The first blocks of a network: what they cost, and their operators. */
typedef struct label {
    double cost, load;
    signed char operators[LAYERS + 2]; /* the last two are 0 */
} label;

/* All costs are minimised; the load must not exceed the limit. */
typedef struct problem {
    double cost[BLOCKS][OPERATORS], load[BLOCKS][OPERATORS];
    double limit;
    double price;     /* of load, in cost: the multiplier of the limit */
    double known;     /* cost of a network within the limit */
    double magnitude; /* of the sums, for the slack */
    /* The least that all blocks from this one on add. */
    double least_cost[BLOCKS + 1], least_load[BLOCKS + 1];
    double least_priced[BLOCKS + 1];
} problem;

static int operators_of(int block)
{
    return block > 0 && block <= LAYERS ? OPERATORS : 1;
}

static int load_values(const ub__column *column, double sign,
                       double values[BLOCKS][OPERATORS])
{
    if (column->values == NULL)
        return 0;
    for (int block = 0; block < BLOCKS; block++) {
        for (int op = 0; op < operators_of(block); op++) {
            const double value = column->values[block * OPERATORS + op];

            if (isnan(value) || ub__hwbench_has_failed(column, value))
                return 0;
            values[block][op] = sign * value;
        }
    }
    return 1;
}

/* No load is beyond it: keeps the slack finite for any limit. */
static double largest_load(const problem *p)
{
    double sum = 1.0;

    for (int block = 0; block < BLOCKS; block++) {
        double most = 0.0;

        for (int op = 0; op < operators_of(block); op++)
            most = fmax(most, fabs(p->load[block][op]));
        sum += 2.0 * most;
    }
    return sum;
}

/* -- the multiplier -------------------------------------------------------- */

/* The network of least cost + price x load, which falls apart into layers. */
static void solve_priced(const problem *p, double price, double *cost,
                         double *load)
{
    *cost = *load = 0.0;
    for (int block = 0; block < BLOCKS; block++) {
        int best = 0;
        double least = INFINITY;

        for (int op = 0; op < operators_of(block); op++) {
            const double priced = p->cost[block][op] +
                                  price * p->load[block][op];

            if (priced < least) {
                least = priced;
                best = op;
            }
        }
        *cost += p->cost[block][best];
        *load += p->load[block][best];
    }
}

/* The least price at which the limit is kept, which gives both a network and
 * the best bound; 0 if nothing keeps it. */
static int find_price(problem *p)
{
    double low = 0.0, high = 1.0, cost, load;

    solve_priced(p, 0.0, &cost, &load);
    if (load <= p->limit) {
        p->price = 0.0;
        p->known = cost;
        return 1;
    }
    for (solve_priced(p, high, &cost, &load); load > p->limit;
         solve_priced(p, high, &cost, &load)) {
        low = high;
        high *= 4.0;
        if (high > 1e30)
            return 0;
    }
    for (int i = 0; i < BISECTIONS; i++) {
        const double middle = low + (high - low) / 2.0;

        solve_priced(p, middle, &cost, &load);
        if (load <= p->limit)
            high = middle;
        else
            low = middle;
    }
    solve_priced(p, high, &cost, &load);
    p->price = high;
    p->known = cost;
    return 1;
}

static double least(const double *values, int n)
{
    double result = values[0];

    for (int i = 1; i < n; i++)
        result = fmin(result, values[i]);
    return result;
}

static void find_bounds(problem *p)
{
    p->magnitude = fabs(p->limit) * p->price + fabs(p->limit);
    p->least_cost[BLOCKS] = p->least_load[BLOCKS] = 0.0;
    p->least_priced[BLOCKS] = 0.0;
    for (int block = BLOCKS - 1; block >= 0; block--) {
        const int n = operators_of(block);
        double priced[OPERATORS];

        for (int op = 0; op < n; op++) {
            priced[op] = p->cost[block][op] + p->price * p->load[block][op];
            p->magnitude += fabs(p->cost[block][op]) +
                            (1.0 + p->price) * fabs(p->load[block][op]);
        }
        p->least_cost[block] = p->least_cost[block + 1] +
                               least(p->cost[block], n);
        p->least_load[block] = p->least_load[block + 1] +
                               least(p->load[block], n);
        p->least_priced[block] = p->least_priced[block + 1] + least(priced, n);
    }
}

/* -- labels ---------------------------------------------------------------- */

/* Whether what begins like this can be within the limit and as good as what is
 * known. */
static int is_promising(const problem *p, int next, const label *l)
{
    const double slack = SLACK * p->magnitude;

    return l->load + p->least_load[next] <= p->limit + slack &&
           l->cost + p->least_cost[next] <= p->known + slack &&
           l->cost + p->price * l->load + p->least_priced[next] <=
               p->known + p->price * p->limit + slack;
}

/* By cost, then by load; of what is equal the first operators come first. */
static int compare_labels(const label *x, const label *y)
{
    if (x->cost != y->cost)
        return x->cost < y->cost ? -1 : 1;
    if (x->load != y->load)
        return x->load < y->load ? -1 : 1;
    return memcmp(x->operators, y->operators, sizeof(x->operators));
}

/* Append in ascending order of cost, and only what is better in load than all
 * before; addition keeps that order, rounded or not, so that no better sum is
 * lost. 0 if there is no room. */
static int keep(label *labels, size_t *n, const label *l)
{
    label *last = *n > 0 ? &labels[*n - 1] : NULL;

    if (last == NULL || (l->cost > last->cost && l->load < last->load)) {
        if (*n == MAX_LABELS)
            return 0;
        labels[(*n)++] = *l;
    } else if (compare_labels(l, last) < 0) {
        *last = *l;
    }
    return 1;
}

/* The labels before a block with one of its operators, one after the other. */
typedef struct sequence {
    int op;
    size_t next; /* of the labels before */
    label label;
} sequence;

/* To the next label that is promising; 0 at the end. */
static int advance(const problem *p, int block, const label *from, size_t n,
                   sequence *s)
{
    while (s->next < n) {
        label *l = &s->label;

        *l = from[s->next++];
        l->cost += p->cost[block][s->op];
        l->load += p->load[block][s->op];
        if (block > 0 && block <= LAYERS)
            l->operators[block - 1] = (signed char) s->op;
        if (is_promising(p, block + 1, l))
            return 1;
    }
    return 0;
}

/* Every label with every operator of the block, merged. `to` has room for
 * MAX_LABELS; 0 if they do not fit. */
static int extend(const problem *p, int block, const label *from, size_t n,
                  label *to, size_t *out_n)
{
    sequence sequences[OPERATORS];
    size_t count = 0;
    int left = 0;

    for (int op = 0; op < operators_of(block); op++) {
        sequences[left] = (sequence){ .op = op };
        left += advance(p, block, from, n, &sequences[left]);
    }
    while (left > 0) {
        sequence *first = sequences;

        for (int i = 1; i < left; i++) {
            if (sequences[i].label.cost < first->label.cost)
                first = &sequences[i];
        }
        if (!keep(to, &count, &first->label))
            return 0;
        if (!advance(p, block, from, n, first))
            *first = sequences[--left];
    }
    *out_n = count;
    return 1;
}

/* The first of the last labels that keeps the limit is the best. */
static ub_status search(ub_context *context, const problem *p, label *from,
                        label *to, label *out)
{
    size_t n = 1;

    memset(from, 0, sizeof(*from));
    for (int block = 0; block < BLOCKS; block++) {
        label *swap = from;

        if (!extend(p, block, from, n, to, &n))
            return ub__fail(context, UB_ERR_RANGE,
                            "hwbench: more than %zu ways to begin a network "
                            "are as good as each other",
                            MAX_LABELS);
        from = to;
        to = swap;
    }
    for (size_t i = 0; i < n; i++) {
        if (from[i].load <= p->limit) {
            *out = from[i];
            return UB_OK;
        }
    }
    return ub__fail(context, UB_ERR_INVALID,
                    "hwbench: no network keeps to the limit");
}

static ub_status solve(ub_context *context, problem *p, label *out)
{
    label *from, *to;
    ub_status status = UB_ERR_NOMEM;

    if (!find_price(p))
        return ub__fail(context, UB_ERR_INVALID,
                        "hwbench: no network keeps to the limit");
    find_bounds(p);
    from = ub__alloc(context, MAX_LABELS, sizeof(*from));
    to = ub__alloc(context, MAX_LABELS, sizeof(*to));
    if (from != NULL && to != NULL)
        status = search(context, p, from, to, out);
    ub__free(context, from);
    ub__free(context, to);
    return status;
}

static int is_usable(const ub_hwbench *bench, int64_t metric)
{
    return metric >= 0 && metric < bench->n_columns &&
           !ub__hwbench_is_product(&bench->columns[metric]);
}

ub_status ub_hwbench_fbnet_best(const ub_hwbench *bench, int64_t metric,
                                int32_t direction, int64_t limited,
                                double limit, int32_t *operators,
                                ub_hwbench_value *out)
{
    problem p;
    label best = { 0.0, 0.0, { 0 } };
    ub_status status;
    double sign, load_sign, most;

    if (bench == NULL)
        return UB_ERR_INVALID;
    if (bench->space != UB_HWBENCH_FBNET || !is_usable(bench, metric) ||
        !is_usable(bench, limited) || isnan(limit) || operators == NULL ||
        (direction != UB_MINIMIZE && direction != UB_MAXIMIZE))
        return ub__fail(bench->context, UB_ERR_INVALID,
                        "hwbench: the best FBNet by metric %lld and %lld: "
                        "no such metrics, limit, or place",
                        (long long) metric, (long long) limited);
    sign = direction == UB_MAXIMIZE ? -1.0 : 1.0;
    load_sign = bench->columns[limited].direction == UB_MAXIMIZE ? -1.0 : 1.0;
    if (!load_values(&bench->columns[metric], sign, p.cost) ||
        !load_values(&bench->columns[limited], load_sign, p.load))
        return ub__fail(bench->context, UB_ERR_INVALID,
                        "hwbench: a block of FBNet is not known, or did not "
                        "compile");
    most = largest_load(&p);
    p.limit = fmax(-most, fmin(most, load_sign * limit));
    status = solve(bench->context, &p, &best);
    if (status != UB_OK)
        return status;
    for (int i = 0; i < LAYERS; i++)
        operators[i] = best.operators[i];
    if (out != NULL)
        *out = ub__hwbench_value_of(&bench->columns[metric],
                                    sign * best.cost + 0.0); /* no -0 */
    return UB_OK;
}
