/* SPDX-License-Identifier: BSD-2-Clause */
#include "fixture.h"

#include <uboost/nn.h>

#include <math.h>
#include <string.h>

/* A few roundings of double precision. */
#define TOLERANCE 1e-15

static ub_schedule create(ub_schedule_kind kind)
{
    ub_schedule schedule;

    ub_schedule_init(&schedule, sizeof schedule);
    schedule.kind = kind;
    return schedule;
}

static void assert_rate(const ub_schedule *schedule, int64_t step, double rate)
{
    assert_true(fabs(ub_schedule_rate(schedule, step) - rate) <= TOLERANCE);
}

static void test_constant(void **state)
{
    ub_schedule s = create(UB_SCHEDULE_CONSTANT);

    (void) state;
    assert_rate(&s, 0, 0.1);
    assert_rate(&s, INT64_MAX, 0.1);
    assert_rate(&s, -5, 0.1);
}

static void test_step(void **state)
{
    ub_schedule s = create(UB_SCHEDULE_STEP);

    (void) state;
    s.rate = 0.05;
    s.step_size = 30;
    assert_rate(&s, 0, 0.05);
    assert_rate(&s, 29, 0.05);
    assert_rate(&s, 30, 0.025);
    assert_rate(&s, 89, 0.0125);
    assert_rate(&s, 90, 0.00625);
    s.gamma = 0.0;
    assert_rate(&s, 29, 0.05);
    assert_rate(&s, 30, 0.0);
}

static void test_cosine(void **state)
{
    ub_schedule s = create(UB_SCHEDULE_COSINE);

    (void) state;
    s.total_steps = 8;
    s.minimum = 0.02;
    assert_rate(&s, 0, 0.1);
    assert_rate(&s, 4, 0.06);
    assert_rate(&s, 2, 0.02 + 0.04 * (1.0 + sqrt(0.5)));
    assert_rate(&s, 8, 0.02);
    assert_rate(&s, 1000, 0.02);
}

static void test_one_cycle(void **state)
{
    ub_schedule s = create(UB_SCHEDULE_ONE_CYCLE);

    (void) state;
    s.total_steps = 40;
    s.warmup = 0.1;
    assert_rate(&s, -1, 0.004);
    assert_rate(&s, 0, 0.004);
    assert_rate(&s, 3, 0.1);
    assert_rate(&s, 21, 0.5 * (0.1 + 4e-7));
    assert_rate(&s, 39, 4e-7);
    assert_rate(&s, 40, 4e-7);
    for (int i = 1; i < 40; i++)
        assert_true((ub_schedule_rate(&s, i) > ub_schedule_rate(&s, i - 1)) ==
                    (i <= 3));
}

/* The ramps' lengths may come out 0 or negative. */
static void test_one_cycle_ends(void **state)
{
    ub_schedule s = create(UB_SCHEDULE_ONE_CYCLE);
    static const double warmups[] = { 0.0, 0.1, 0.5, 1.0 };

    (void) state;
    for (int w = 0; w < 4; w++) {
        for (int64_t n = 1; n < 12; n++) {
            s.warmup = warmups[w];
            s.total_steps = n;
            for (int64_t i = 0; i < n; i++) {
                double rate = ub_schedule_rate(&s, i);

                assert_true(rate >= 4e-7 - TOLERANCE && rate <= 0.1);
            }
        }
    }
    s.warmup = 1.0;
    s.total_steps = 10;
    assert_rate(&s, 9, 0.1);
}

static void assert_refused(ub_context *context, const ub_schedule *schedule,
                           const char *field)
{
    assert_int_equal(ub_schedule_check(context, schedule), UB_ERR_INVALID);
    assert_non_null(strstr(ub_context_last_error(context), field));
    assert_true(isnan(ub_schedule_rate(schedule, 0)));
}

static void test_refuses(void **state)
{
    ub_schedule s = create((ub_schedule_kind) 17);

    assert_refused(*state, &s, "kind");
    s = create(UB_SCHEDULE_CONSTANT);
    assert_int_equal(ub_schedule_check(*state, &s), UB_OK);
    s.rate = (double) NAN;
    assert_refused(*state, &s, "rate");
    s = create(UB_SCHEDULE_STEP);
    s.step_size = 0;
    assert_refused(*state, &s, "step_size");
    s.step_size = 1;
    s.gamma = -1.0;
    assert_refused(*state, &s, "gamma");
    s = create(UB_SCHEDULE_COSINE);
    s.total_steps = 0;
    assert_refused(*state, &s, "total_steps");
    s.total_steps = 1;
    s.minimum = -1.0;
    assert_refused(*state, &s, "minimum");
    s = create(UB_SCHEDULE_ONE_CYCLE);
    s.warmup = 1.5;
    assert_refused(*state, &s, "warmup");
    s.warmup = 0.1;
    s.div = 0.0;
    assert_refused(*state, &s, "div");
    s.div = 25.0;
    s.final_div = (double) INFINITY;
    assert_refused(*state, &s, "final_div");
    s.final_div = 1.0;
    s.total_steps = -1;
    assert_refused(*state, &s, "total_steps");
    assert_true(isnan(ub_schedule_rate(NULL, 0)));
    assert_int_equal(ub_schedule_check(*state, NULL), UB_ERR_INVALID);
    assert_int_equal(ub_schedule_check(NULL, &s), UB_ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constant),       cmocka_unit_test(test_step),
        cmocka_unit_test(test_cosine),         cmocka_unit_test(test_one_cycle),
        cmocka_unit_test(test_one_cycle_ends), cmocka_unit_test(test_refuses),
    };

    return cmocka_run_group_tests_name("schedule", tests, setup, teardown);
}
