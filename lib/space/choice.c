/* SPDX-License-Identifier: BSD-2-Clause */
#include "space/space.h"

#include <string.h>

void ub_space_sample(const ub_space *space, ub_rng *rng, int32_t *operators)
{
    const int64_t n = ub_space_decisions(space);

    for (int64_t i = 0; i < n; i++)
        operators[i] = (int32_t) ub_rng_below(rng,
                                              (uint64_t) space->n_operators);
}

int64_t ub_space_distance(const ub_space *space, const int32_t *a,
                          const int32_t *b)
{
    const int64_t n = ub_space_decisions(space);
    int64_t distance = 0;

    for (int64_t i = 0; i < n; i++)
        distance += a[i] != b[i];
    return distance;
}

ub_status ub_space_neighbour(const ub_space *space, const int32_t *operators,
                             int64_t index, int32_t *neighbour)
{
    int64_t n, others, decision;
    ub_status status;

    if (space == NULL || operators == NULL || neighbour == NULL)
        return ub__fail(space ? space->context : NULL, UB_ERR_INVALID,
                        "space: a choice is NULL");
    n = ub_space_decisions(space);
    others = space->n_operators - 1;
    if (index < 0 || others < 1 || index >= n * others)
        return ub__fail(space->context, UB_ERR_INVALID,
                        "space: neighbour %lld of %lld", (long long) index,
                        (long long) (n * others));
    status = ub__space_check_choice(space, operators);
    if (status != UB_OK)
        return status;
    decision = index / others;
    memmove(neighbour, operators, (size_t) n * sizeof(*neighbour));
    neighbour[decision] = (int32_t) ((operators[decision] + 1 +
                                      index % others) %
                                     space->n_operators);
    return UB_OK;
}

/* The first of those that are zero; -1 without any. */
static int32_t zero_operator(const ub_space *space)
{
    for (int64_t i = 0; i < space->n_operators; i++) {
        if (space->operators[i].zero)
            return (int32_t) i;
    }
    return -1;
}

static int is_zero(const ub_space *space, int32_t op)
{
    return space->operators[op].zero;
}

/* Make zero every edge whose source is empty, then every edge whose target
 * leads nowhere; both until nothing changes. */
static void prune_cell(const ub_space *space, int32_t zero, int32_t *op)
{
    const ub_space_options *o = &space->options;
    int changed = 1;

    while (changed) {
        int filled[UB_SPACE_MAX_ITEMS] = { 0 },
            useful[UB_SPACE_MAX_ITEMS] = { 0 };

        changed = 0;
        for (int64_t node = 0; node < o->inputs; node++)
            filled[node] = 1;
        useful[o->output] = 1;
        for (int64_t e = 0; e < space->n_edges; e++) {
            if (!is_zero(space, op[e])) {
                filled[space->edges[e].to] = 1;
                useful[space->edges[e].from] = 1;
            }
        }
        for (int64_t e = 0; e < space->n_edges; e++) {
            if (!is_zero(space, op[e]) && (!filled[space->edges[e].from] ||
                                           !useful[space->edges[e].to])) {
                op[e] = zero;
                changed = 1;
            }
        }
    }
}

static int output_empty(const ub_space *space, const int32_t *op)
{
    for (int64_t e = 0; e < space->n_edges; e++) {
        if (!is_zero(space, op[e]) &&
            space->edges[e].to == space->options.output)
            return 0;
    }
    return 1;
}

/* After pruning an empty output leaves only the inputs filled. */
static ub_status repair_cell(const ub_space *space, const double *probability,
                             int32_t *op)
{
    double best = -1.0;
    int64_t edge = -1;
    int32_t taken = -1;

    for (int64_t e = 0; e < space->n_edges; e++) {
        if (space->edges[e].to != space->options.output ||
            space->edges[e].from >= space->options.inputs)
            continue;
        for (int32_t i = 0; i < space->n_operators; i++) {
            const double p = probability[e * space->n_operators + i];
            if (!is_zero(space, i) && p > best) {
                best = p;
                edge = e;
                taken = i;
            }
        }
    }
    if (edge < 0)
        return ub__fail(space->context, UB_ERR_INVALID,
                        "space: no edge leads from an input to the output");
    op[edge] = taken;
    return UB_OK;
}

ub_status ub__space_check_choice(const ub_space *space,
                                 const int32_t *operators)
{
    const int64_t n = ub_space_decisions(space);

    for (int64_t i = 0; i < n; i++) {
        if (operators[i] < 0 || operators[i] >= space->n_operators)
            return ub__fail(space->context, UB_ERR_INVALID,
                            "space: operator %d of %lld in decision %lld",
                            (int) operators[i], (long long) space->n_operators,
                            (long long) i);
    }
    return UB_OK;
}

ub_status ub_space_prune(const ub_space *space, const int32_t *operators,
                         const double *probability, int32_t *pruned,
                         int64_t *repaired)
{
    int64_t n, repairs = 0;
    int32_t zero, *result;
    ub_status status;

    if (space == NULL || operators == NULL || pruned == NULL)
        return ub__fail(space ? space->context : NULL, UB_ERR_INVALID,
                        "space: a choice is NULL");
    status = ub__space_check_choice(space, operators);
    if (status != UB_OK)
        return status;
    n = ub_space_decisions(space);
    zero = zero_operator(space);
    result = ub__alloc(space->context, (size_t) n, sizeof(*result));
    if (result == NULL)
        return UB_ERR_NOMEM;
    memcpy(result, operators, (size_t) n * sizeof(*result));
    for (int64_t d = 0; zero >= 0 && d < n && status == UB_OK;
         d += space->n_edges) {
        prune_cell(space, zero, result + d);
        if (!output_empty(space, result + d))
            continue;
        repairs++;
        if (probability == NULL)
            status = ub__fail(space->context, UB_ERR_INVALID,
                              "space: the choice leaves a cell's output empty");
        else
            status = repair_cell(space, probability + d * space->n_operators,
                                 result + d);
    }
    if (status == UB_OK) {
        memcpy(pruned, result, (size_t) n * sizeof(*result));
        if (repaired != NULL)
            *repaired = repairs;
    }
    ub__free(space->context, result);
    return status;
}
