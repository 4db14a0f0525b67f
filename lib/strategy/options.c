/* SPDX-License-Identifier: BSD-2-Clause */
#include "strategy/ask.h"

#include <math.h>

static const ub_strategy_options defaults = {
    .size = sizeof(ub_strategy_options),
    .seed = 1,
    .budget = 1000,
    .objectives = 1,
    .kind = UB_STRATEGY_EVOLUTION,
    .batch = 1,
    .radius = 1,
    .population = 50,
    .tournament = 10,
    .crossover_rate = 0.9,
    .moves = 3,
    .patience = 500,
    .threshold = 0.1,
    .first_temperature = 0.3,
    .last_temperature = 0.005,
    .fit = 300,
    .verify = 20,
    .inner_budget = 20000,
    .samples = 16,
    .least_samples = 2,
    .rate = 0.25,
    .coarse_steps = -1,
    .likelihood_scale = 2.0,
    .architecture_rate = 0.1,
    .temperature = 1.0,
    .temperature_decay = 1.0,
    .temperature_floor = 0.001,
};

void ub_strategy_options_init(ub_strategy_options *options, size_t size)
{
    ub__options_out(options, size, &defaults, sizeof(defaults));
}

void ub_result_init(ub_result *result, size_t size, int64_t id)
{
    const ub_result empty = { .size = sizeof(empty),
                              .id = id,
                              .log_likelihood = NAN };

    ub__options_out(result, size, &empty, sizeof(empty));
}

static const struct kind {
    const char *name;
    const ub__strategy_class *class;
} kinds[] = {
    [UB_STRATEGY_RANDOM] = { "random", &ub__strategy_random },
    [UB_STRATEGY_EXHAUSTIVE] = { "exhaustive", &ub__strategy_exhaustive },
    [UB_STRATEGY_EVOLUTION] = { "evolution", &ub__strategy_evolution },
    [UB_STRATEGY_NSGA2] = { "nsga2", &ub__strategy_nsga2 },
    [UB_STRATEGY_ANNEALING] = { "annealing", &ub__strategy_annealing },
    [UB_STRATEGY_FOX] = { "fox", &ub__strategy_fox },
    [UB_STRATEGY_PARSEC] = { "parsec", &ub__strategy_parsec },
    [UB_STRATEGY_FP_NAS] = { "fp-nas", &ub__strategy_fp_nas },
    [UB_STRATEGY_GUMBEL] = { "gumbel", &ub__strategy_gumbel },
};

#define N_KINDS ((int32_t) (sizeof(kinds) / sizeof(kinds[0])))

const char *ub_strategy_kind_name(int32_t kind)
{
    return kind < 0 || kind >= N_KINDS ? NULL : kinds[kind].name;
}

const ub__strategy_class *ub__strategy_class_of(int32_t kind)
{
    return kind < 0 || kind >= N_KINDS ? NULL : kinds[kind].class;
}

#define ROW(field, low, high) \
    UB__OPTION_ROW(ub_strategy_options, field, low, high)

static const ub__option_row rows[] = {
    ROW(aggregate, 0, UB_AGGREGATE_WORST),
    ROW(accept, 0, UB_ACCEPT_THRESHOLD),
    ROW(budget, 1, UB_STRATEGY_MAX_BUDGET),
    ROW(objectives, 1, UB_STRATEGY_MAX_OBJECTIVES),
    ROW(batch, 1, UB_STRATEGY_MAX_BUDGET),
    ROW(neighbours, 0, UB_STRATEGY_MAX_CHOICES),
    ROW(radius, 1, UB_STRATEGY_MAX_DECISIONS),
    ROW(population, 2, 1 << 24),
    ROW(tournament, 1, 1 << 24),
    ROW(moves, 1, UB_STRATEGY_MAX_DECISIONS),
    ROW(patience, 1, UB_STRATEGY_MAX_BUDGET),
    ROW(fit, 2, 1 << 24),
    ROW(verify, 1, 1 << 24),
    ROW(inner_budget, 1, UB_STRATEGY_MAX_BUDGET),
    ROW(features, 0, UB_STRATEGY_MAX_CHOICES),
    ROW(samples, 1, 1 << 24),
    ROW(least_samples, 1, 1 << 24),
    ROW(steps, 0, UB_STRATEGY_MAX_BUDGET),
    ROW(coarse_steps, -1, UB_STRATEGY_MAX_BUDGET),
    ROW(crossover_rate, 0, 1),
    ROW(mutation_rate, 0, 1),
    ROW(threshold, 0, 1e300),
    ROW(first_temperature, 1e-300, 1e300),
    ROW(last_temperature, 1e-300, 1e300),
    ROW(samples_per_nat, 0, 1e9),
    ROW(rate, 0, 1e9),
    ROW(likelihood_scale, 1e-300, 1e300),
    ROW(cost_weight, 0, 1e300),
    ROW(architecture_rate, 0, 1e9),
    ROW(temperature, 1e-9, 1e9),
    ROW(temperature_decay, 1e-9, 1),
    ROW(temperature_floor, 1e-9, 1e9),
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

int ub__strategy_options_archive(ub__archive *a,
                                 const ub_strategy_options *options)
{
    int same = 1;

    for (size_t i = 0; i < N_ROWS; i++) {
        const double given = ub__option_real(options, &rows[i]);
        double value = given;

        ub__archive_doubles(a, &value, 1);
        same &= value == given;
    }
    return same;
}

static ub_status check_kind(ub_context *context,
                            const ub_strategy_options *options)
{
    if (ub__strategy_class_of(options->kind) == NULL)
        return ub__fail(context, UB_ERR_INVALID,
                        "strategy: there is no kind %d", (int) options->kind);
    if (options->reserved != 0)
        return ub__fail(context, UB_ERR_INVALID, "strategy: reserved is not 0");
    if ((options->features > 0) != (options->features_fn != NULL))
        return ub__fail(context, UB_ERR_INVALID,
                        "strategy: features need a number and a function");
    if (options->neighbours > 0 && options->kind == UB_STRATEGY_EXHAUSTIVE)
        return ub__fail(context, UB_ERR_UNSUPPORTED,
                        "strategy: an exhaustive search has all neighbours");
    if (options->neighbours > 0 && options->kind == UB_STRATEGY_GUMBEL &&
        options->aggregate != UB_AGGREGATE_MEAN)
        return ub__fail(context, UB_ERR_UNSUPPORTED,
                        "strategy: of gradients there is only the mean");
    for (int64_t k = 0; options->directions != NULL && k < options->objectives;
         k++) {
        if (options->directions[k] != UB_MINIMIZE &&
            options->directions[k] != UB_MAXIMIZE)
            return ub__fail(context, UB_ERR_INVALID,
                            "strategy: direction %lld is %d", (long long) k,
                            (int) options->directions[k]);
    }
    return UB_OK;
}

/* Groups are in order and without gaps. */
static int group_fits(const ub_decisions *decisions, int64_t d)
{
    const int32_t before = d > 0 ? decisions->groups[d - 1] : -1;
    const int32_t group = decisions->groups[d];

    return group == before + 1 || (d > 0 && group == before);
}

static ub_status check_decisions(ub_context *context,
                                 const ub_decisions *decisions)
{
    if (decisions->n < 1 || decisions->n > UB_STRATEGY_MAX_DECISIONS ||
        decisions->choices == NULL)
        return ub__fail(context, UB_ERR_INVALID,
                        "strategy: %lld decisions; 1 to %lld can be",
                        (long long) decisions->n,
                        (long long) UB_STRATEGY_MAX_DECISIONS);
    for (int64_t d = 0; d < decisions->n; d++) {
        if (decisions->choices[d] < 1 ||
            decisions->choices[d] > UB_STRATEGY_MAX_CHOICES)
            return ub__fail(context, UB_ERR_INVALID,
                            "strategy: decision %lld has %d choices",
                            (long long) d, (int) decisions->choices[d]);
        if (decisions->groups != NULL && !group_fits(decisions, d))
            return ub__fail(context, UB_ERR_INVALID,
                            "strategy: decision %lld is of group %d",
                            (long long) d, (int) decisions->groups[d]);
        if (decisions->ordered != NULL && (decisions->ordered[d] & ~1) != 0)
            return ub__fail(context, UB_ERR_INVALID,
                            "strategy: decision %lld has order %d",
                            (long long) d, (int) decisions->ordered[d]);
    }
    return UB_OK;
}

ub_status ub__strategy_check(ub_context *context, const ub_decisions *decisions,
                             const ub_strategy_options *options)
{
    ub_status status = ub__options_check(context, "strategy", options, rows,
                                         N_ROWS);

    if (status == UB_OK)
        status = check_kind(context, options);
    if (status == UB_OK)
        status = check_decisions(context, decisions);
    return status;
}
