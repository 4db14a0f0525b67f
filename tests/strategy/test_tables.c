/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"
#include "tables.h"

#include <stdlib.h>
#include <uboost/strategy.h>

static int64_t best(const double *values)
{
    int64_t at = 0;

    for (int64_t i = 1; i < NB201_CELLS; i++)
        at = values[i] > values[at] ? i : at;
    return at;
}

/* The optima are those published, and the signal ranks the cells as it is known
 * to: Kendall's tau 0.594, 0.645, 0.643. */
static void test_known_facts(void **state)
{
    static const double optima[] = { 94.37, 73.51, 47.31 },
                        of_signal[] = { 94.37, 72.28, 46.48 },
                        taus[] = { 0.594, 0.645, 0.643 };
    ub_context *context = test_context(1);
    struct nb201 *tables = nb201_read();

    (void) state;
    if (tables == NULL) {
        ub_context_destroy(&context);
        skip();
    }
    for (int k = 0; k < NB201_DATASETS; k++) {
        const double *test = tables->test200[k], *val = tables->val12[k];
        double tau;

        assert_close(test[best(test)], optima[k], 0.006);
        assert_close(test[best(val)], of_signal[k], 0.006);
        assert_int_equal(ub_kendall_tau(context, NB201_CELLS, val, test, &tau),
                         UB_OK);
        assert_close(tau, taus[k], 0.001);
    }
    free(tables);
    ub_context_destroy(&context);
}

static void test_codes(void **state)
{
    int32_t choices[NB201_EDGES];

    (void) state;
    for (int64_t code = 0; code < NB201_CELLS; code++) {
        nb201_choices(code, choices);
        assert_int_equal(nb201_code(choices), code);
    }
    assert_close(nb201_macs(choices), 7.78, 0.0); /* all pooling */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes),
        cmocka_unit_test(test_known_facts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
