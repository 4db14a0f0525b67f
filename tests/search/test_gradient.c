/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cost in the loss, lambda latency - beta utilization, as a run prices it:
 * its gradient by every logit against central differences, for every cost
 * model and both readings.
 */
#include "search/search.h"
#include "supernet/supernet.h"
#include "support.h"

#include <math.h>

enum { CONV3, CONV5, SEP3, SEP5, DIL3, DIL5, IDENTITY, ZERO };

static const int32_t chosen[9] = { CONV3,    ZERO, SEP5, ZERO, ZERO,
                                   IDENTITY, ZERO, DIL3, ZERO };

struct fixture {
    ub_context *context;
    ub_search_options options;
    ub_space *space;
    ub__pricing pricing;
    ub_supernet *net;
};

static void open_fixture(struct fixture *f, int32_t hardware, int32_t reading,
                         int widths)
{
    ub_space_options so;
    ub_supernet_options o;
    ub_rng rng;

    f->context = test_context(1);
    ub_search_options_init(&f->options, sizeof(f->options));
    assert_int_equal(ub_search_preset(&f->options, "quick"), UB_OK);
    f->options.hardware = hardware;
    f->options.rows = 24; /* widths between multiples of the array */
    f->options.columns = 8;
    ub_space_options_init(&so, sizeof(so));
    so.name = "uboost";
    so.base_width = 8;
    assert_int_equal(ub_space_uboost(f->context, &so, 3, &f->space), UB_OK);
    assert_int_equal(
        ub__pricing_open(f->context, &f->options, f->space, &f->pricing),
        UB_OK);
    ub_supernet_options_init(&o, sizeof(o));
    o.reading = reading;
    if (widths) {
        o.operators = chosen;
        o.widths = f->options.widths;
    }
    assert_int_equal(ub_supernet_create(f->context, f->space, &o,
                                        &f->pricing.smooth, 11, &f->net),
                     UB_OK);
    ub_rng_init(&rng, 5, 5);
    assert_int_equal(ub_supernet_sample(f->net, &rng, 1.0), UB_OK);
}

static void close_fixture(struct fixture *f)
{
    ub_supernet_destroy(&f->net);
    ub__pricing_close(&f->pricing);
    ub_space_destroy(&f->space);
    ub_context_destroy(&f->context);
}

static double cost(struct fixture *f, double *by_latency, double *by_use)
{
    ub_supernet_expectation e;

    assert_int_equal(ub_supernet_expect(f->net, &e, by_latency, by_use), UB_OK);
    return f->options.lambda * e.latency_ms - f->options.beta * e.utilization;
}

/*
 * Five-point differences with a step of 2^-9 (the logits are float32, the rest
 * double). The smooth ceiling bends on a scale of rows / (20 taps) channels,
 * some 0.05 logits here, so the fourth-order error (step / scale)^4 is below
 * 1e-5 of the largest gradient.
 */
static void check(int32_t hardware, int32_t reading, int widths)
{
    struct fixture f;
    double t[128], u[128], most = 0.0;
    int64_t n;

    open_fixture(&f, hardware, reading, widths);
    n = ub_supernet_logits(f.net);
    assert_true(n > 0 && n <= 128);
    cost(&f, t, u);
    for (int64_t i = 0; i < n; i++) {
        t[i] = f.options.lambda * t[i] - f.options.beta * u[i];
        most = fmax(most, fabs(t[i]));
    }
    /* A black box has no gradient by widths, anything else has. */
    assert_true((most > 0.0) == !(hardware == UB_SEARCH_BLACKBOX && widths));
    for (int64_t i = 0; i < n; i++) {
        static const int at[4] = { 2, 1, -1, -2 };
        static const double weight[4] = { -1, 8, -8, 1 };
        float *x = test_logit(ub_supernet_parameters(f.net), i);
        const float old = *x;
        double sum = 0.0;

        /* Exact steps: the logit on a grid that float32 can add them to. */
        *x = rintf(old * 0x1p12f) * 0x1p-12f;
        cost(&f, t, u);
        t[i] = f.options.lambda * t[i] - f.options.beta * u[i];
        for (int k = 0; k < 4; k++) {
            const float grid = *x;
            *x = grid + (float) at[k] * 0x1p-9f;
            sum += weight[k] * cost(&f, NULL, NULL);
            *x = grid;
        }
        *x = old;
        assert_close(t[i], sum / (12.0 * 0x1p-9), 1e-5 * most + 1e-10);
    }
    close_fixture(&f);
}

static void test_operators(void **state)
{
    (void) state;
    for (int32_t hw = 0; hw <= UB_SEARCH_ROOFLINE_PUBLISHED; hw++) {
        check(hw, UB_LATENCY_CODE, 0);
        check(hw, UB_LATENCY_PLAIN, 0);
    }
}

static void test_widths(void **state)
{
    (void) state;
    for (int32_t hw = 0; hw <= UB_SEARCH_ROOFLINE_PUBLISHED; hw++)
        check(hw, UB_LATENCY_CODE, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operators),
        cmocka_unit_test(test_widths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
