/* SPDX-License-Identifier: BSD-2-Clause */
#include "grouped.h"

#include "support.h"

#include <math.h>

const int32_t grouped_choices[GROUPED_DECISIONS] = { 3, 2, 1, 4, 5 };
const int32_t grouped_groups[GROUPED_DECISIONS] = { 0, 0, 1, 1, 2 };

ub_strategy_options grouped_options(int32_t kind)
{
    ub_strategy_options options;

    ub_strategy_options_init(&options, sizeof(options));
    options.kind = kind;
    options.budget = 1 << 20;
    return options;
}

ub_status grouped_try_create(ub_context *context, int64_t n,
                             const int32_t *choices, const int32_t *of,
                             const ub_strategy_options *options,
                             ub_strategy **out)
{
    const ub_decisions decisions = {
        .size = sizeof(decisions), .n = n, .choices = choices, .groups = of
    };

    return ub_strategy_create(context, &decisions, options, out);
}

ub_strategy *grouped_create(ub_context *context,
                            const ub_strategy_options *options)
{
    ub_strategy *s = NULL;

    assert_int_equal(grouped_try_create(context, GROUPED_DECISIONS,
                                        grouped_choices, grouped_groups,
                                        options, &s),
                     UB_OK);
    return s;
}

void grouped_candidate(int64_t number, int32_t *choices)
{
    for (int64_t d = GROUPED_DECISIONS - 1; d >= 0; d--) {
        choices[d] = (int32_t) (number % grouped_choices[d]);
        number /= grouped_choices[d];
    }
}

void grouped_set_logits(const ub_strategy *s, ub__distribution *d, ub_rng *rng)
{
    const ub__batch nothing = { .n = 0 };

    for (int64_t i = 0; i < d->offsets[d->tables]; i++)
        d->logits[i] = 2.0 * ub_rng_normal(rng);
    ub__distribution_ascend(s, d, &nothing, NULL, 0.0);
}

double grouped_log_probability(const ub_strategy *s, const ub__distribution *d,
                               const int32_t *choices)
{
    double sum = 0.0;

    for (int64_t t = 0; t < d->tables; t++) {
        int64_t number = 0;

        for (int64_t i = d->starts[t]; i < d->starts[t + 1]; i++)
            number = number * s->choices[i] + choices[i];
        sum += log(d->probabilities[d->offsets[t] + number]);
    }
    return sum;
}
