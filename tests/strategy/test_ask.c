/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <uboost/strategy.h>

/* Every candidate of an exhaustive search comes once, in order, whatever the
 * number asked for at a time; the best is the first of the best. */
static void test_exhaustive(void **state)
{
    ub_context *context = test_context(1);
    const int32_t choices[] = { 2, 3 };
    const ub_decisions decisions = { .size = sizeof(decisions),
                                     .n = 2,
                                     .choices = choices };
    ub_strategy_options options;
    ub_strategy *strategy = NULL;
    ub_candidate candidates[4];
    int32_t best[2];
    int64_t n, count = 0;

    (void) state;
    ub_strategy_options_init(&options, sizeof(options));
    options.kind = UB_STRATEGY_EXHAUSTIVE;
    options.batch = 4;
    assert_int_equal(
        ub_strategy_create(context, &decisions, &options, &strategy), UB_OK);
    for (int i = 0; i < 4; i++)
        candidates[i].size = sizeof(candidates[i]);
    while (!ub_strategy_finished(strategy)) {
        assert_int_equal(ub_strategy_ask(strategy, 3, candidates, &n), UB_OK);
        for (int64_t i = 0; i < n; i++, count++) {
            const double cost = count == 2 || count == 4 ? 1.0 : 2.0;
            ub_result result;

            assert_int_equal(candidates[i].id, count);
            assert_int_equal(candidates[i].choices[0], count / 3);
            assert_int_equal(candidates[i].choices[1], count % 3);
            ub_result_init(&result, sizeof(result), candidates[i].id);
            result.objectives = &cost;
            assert_int_equal(ub_strategy_tell(strategy, 1, &result), UB_OK);
        }
    }
    assert_int_equal(count, 6);
    assert_int_equal(ub_strategy_best(strategy, 1, best, NULL, &n), UB_OK);
    assert_int_equal(n, 1);
    assert_int_equal(best[0], 0);
    assert_int_equal(best[1], 2);
    ub_strategy_destroy(&strategy);
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exhaustive),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
