/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The expected cost against a second account of it, written here with its own
 * loops from the paper's sentences, and its gradient against central
 * differences.
 */
#include "supernet/supernet.h"
#include "support.h"

#include <uboost/utilization.h>

#include <math.h>
#include <string.h>

enum { CONV3, CONV5, SEP3, SEP5, DIL3, DIL5, IDENTITY, ZERO };

/* A smooth, cheap cost that depends on everything a model may depend on. */
static ub_status toy_cost(const void *user, const ub_cost_layer *l,
                          ub_cost *out)
{
    const double area = (double) (l->out_height * l->out_width * l->batch);
    const double taps = (double) (l->kernel_height * l->kernel_width);
    const double c = l->in_channels;
    const double f = l->kind == UB_COST_DEPTHWISE ? 1.0 : l->out_channels;

    (void) user;
    if (l->kind == UB_COST_FREE) {
        *out = (ub_cost){ .size = out->size };
        return UB_OK;
    }
    if (!(c > 0.0))
        return UB_ERR_INVALID;
    out->macs = area * taps * c * f;
    out->latency_ms = 1e-6 * (area * taps * c * f + 100.0 * c + 30.0 * f);
    out->dlatency_din = 1e-6 * (area * taps * f + 100.0);
    out->dlatency_dout = 1e-6 * (area * taps * c + 30.0);
    out->utilization = c / (c + 3.0) * f / (f + taps);
    out->dutilization_din = 3.0 / ((c + 3.0) * (c + 3.0)) * f / (f + taps);
    out->dutilization_dout = c / (c + 3.0) * taps / ((f + taps) * (f + taps));
    if (l->kind == UB_COST_DEPTHWISE)
        out->dlatency_dout = out->dutilization_dout = 0.0;
    return UB_OK;
}

static const ub_cost_model toy = { sizeof(ub_cost_model), "toy", toy_cost,
                                   NULL };

struct fixture {
    ub_context *context;
    ub_space *space;
    ub_supernet *net;
    int64_t n;
};

static void open_fixture(struct fixture *f, const ub_supernet_options *options,
                         const ub_cost_model *model)
{
    ub_space_options o;
    ub_rng rng;

    f->context = test_context(1);
    ub_space_options_init(&o, sizeof(o));
    o.name = "uboost";
    o.base_width = 8;
    assert_int_equal(ub_space_uboost(f->context, &o, 3, &f->space), UB_OK);
    assert_int_equal(
        ub_supernet_create(f->context, f->space, options, model, 11, &f->net),
        UB_OK);
    ub_rng_init(&rng, 5, 5);
    assert_int_equal(ub_supernet_sample(f->net, &rng, 0.7), UB_OK);
    f->n = ub_supernet_logits(f->net);
}

static void close_fixture(struct fixture *f)
{
    ub_supernet_destroy(&f->net);
    ub_space_destroy(&f->space);
    ub_context_destroy(&f->context);
}

/* -- central differences -------------------------------------------------- */

static ub_supernet_expectation expect(const struct fixture *f, double *t,
                                      double *u)
{
    ub_supernet_expectation e;

    assert_int_equal(ub_supernet_expect(f->net, &e, t, u), UB_OK);
    return e;
}

/*
 * Logits are float32, so the step is what the float really moved by; values
 * are double, so with a step of 2^-12 truncation (step^2 times the third
 * derivative, below 1e-6 of the largest gradient here) is the only error that
 * counts.
 */
static void check_gradient(struct fixture *f)
{
    double *t = test_calloc((size_t) f->n, sizeof(*t));
    double *u = test_calloc((size_t) f->n, sizeof(*u));
    double most_t = 0.0, most_u = 0.0;

    expect(f, t, u);
    for (int64_t i = 0; i < f->n; i++) {
        most_t = fmax(most_t, fabs(t[i]));
        most_u = fmax(most_u, fabs(u[i]));
    }
    assert_true(most_u > 0.0);
    for (int64_t i = 0; i < f->n; i++) {
        float *x = test_logit(ub_supernet_parameters(f->net), i);
        const float old = *x;
        ub_supernet_expectation up, down;
        double step;

        *x = old + 0x1p-12f;
        step = (double) *x;
        up = expect(f, NULL, NULL);
        *x = old - 0x1p-12f;
        step -= (double) *x;
        down = expect(f, NULL, NULL);
        *x = old;
        assert_close(t[i], (up.latency_ms - down.latency_ms) / step,
                     2e-6 * most_t + 1e-12);
        assert_close(u[i], (up.utilization - down.utilization) / step,
                     2e-6 * most_u + 1e-12);
    }
    test_free(t);
    test_free(u);
}

/* t3 from t1 (separable) and prevprev (identity); widths of their own */
static const int32_t chosen[9] = { CONV3,    ZERO, SEP5, ZERO, ZERO,
                                   IDENTITY, ZERO, DIL3, ZERO };

static void test_gradient_by_operators(void **state)
{
    (void) state;
    for (int reading = 0; reading < 2; reading++) {
        ub_supernet_options o;
        struct fixture f;

        ub_supernet_options_init(&o, sizeof(o));
        o.reading = reading;
        o.include_ends = reading;
        o.cost_scale = reading ? 8.0 : 1.0;
        open_fixture(&f, &o, &toy);
        assert_int_equal(f.n, 72);
        check_gradient(&f);
        close_fixture(&f);
    }
}

static void test_gradient_by_widths(void **state)
{
    (void) state;
    for (int full = 0; full < 2; full++) {
        ub_supernet_options o;
        struct fixture f;

        ub_supernet_options_init(&o, sizeof(o));
        o.operators = chosen;
        o.widths = (ub_width_range){ 4, 16, 2 };
        o.node_width = full;
        o.include_ends = full;
        o.cost_scale = full ? 3.0 : 1.0;
        open_fixture(&f, &o, &toy);
        /* two inputs, three convolutions, three cells, seven widths */
        assert_int_equal(f.n, 5 * 3 * 7);
        check_gradient(&f);
        close_fixture(&f);
    }
}

/* -- a second account ----------------------------------------------------- */

static ub_cost toy_layer(int depthwise, double k, double side, double c,
                         double f)
{
    const ub_cost_layer l = {
        .kind = depthwise ? UB_COST_DEPTHWISE : UB_COST_CONV,
        .kernel_height = (int64_t) k,
        .kernel_width = (int64_t) k,
        .out_height = (int64_t) side,
        .out_width = (int64_t) side,
        .batch = 64,
        .in_channels = c,
        .out_channels = f,
    };
    ub_cost cost;

    assert_int_equal(toy_cost(NULL, &l, &cost), UB_OK);
    return cost;
}

static double toy_latency(int depthwise, double k, double side, double c,
                          double f)
{
    return toy_layer(depthwise, k, side, c, f).latency_ms;
}

/* An operator of micro search at width 8: its latency, and *u the mean of its
 * layers' utilizations weighted by it. */
static double toy_operator(int op, double side, double *u)
{
    static const double kernel[6] = { 3, 5, 3, 5, 3, 5 };
    const int separable = op == SEP3 || op == SEP5;
    const ub_cost first = toy_layer(separable, kernel[op], side, 8, 8);
    const ub_cost second = toy_layer(0, 1, side, 8, 8);

    *u = first.utilization;
    if (!separable)
        return first.latency_ms;
    *u = (first.utilization * first.latency_ms +
          second.utilization * second.latency_ms) /
         (first.latency_ms + second.latency_ms);
    return first.latency_ms + second.latency_ms;
}

/* Micro search, plain and code reading, every width 8. */
static void test_latency_of_mixed_edges(void **state)
{
    (void) state;
    for (int reading = 0; reading < 2; reading++) {
        double p[72], expected = 0.0, used = 0.0;
        ub_supernet_expectation e;
        ub_supernet_options o;
        struct fixture f;

        ub_supernet_options_init(&o, sizeof(o));
        o.reading = reading;
        open_fixture(&f, &o, &toy);
        ub__supernet_probabilities(f.net, f.net->noise, f.net->tau, p);
        for (int cell = 0; cell < 3; cell++) {
            const double side = 16 >> cell;
            /* eleven elements: two inputs and nine edges */
            expected += 2 * toy_latency(0, 3, side, 8, 8);
            used += 2 * toy_layer(0, 3, side, 8, 8).utilization / 11;
            for (int edge = 0; edge < 9; edge++) {
                double t = 0.0, u = 0.0, all = 0.0;
                for (int i = 0; i < 6; i++) {
                    double ui, ti = toy_operator(i, side, &ui);
                    t += p[8 * edge + i] * ti;
                    u += p[8 * edge + i] * ui;
                    all += p[8 * edge + i];
                }
                expected += reading == UB_LATENCY_CODE ? t / all : t;
                used += u / all / 11;
            }
        }
        e = expect(&f, NULL, NULL);
        /* sums of some 400 terms in double */
        assert_close(e.latency_ms, expected, 1e-13 * expected);
        assert_close(e.utilization, used, 1e-13 * used);
        close_fixture(&f);
    }
}

/* Chosen operators at fixed widths: nodes join the 13 of t1's edge with the
 * identity's 8, which is aligned. */
static void test_latency_of_widths(void **state)
{
    double w[33], expected = 0.0, p[105];
    ub_supernet_options o;
    struct fixture f;
    double prev = 8, prevprev = 8;
    int at = 0;

    (void) state;
    ub_supernet_options_init(&o, sizeof(o));
    o.operators = chosen;
    o.widths = (ub_width_range){ 4, 16, 2 };
    open_fixture(&f, &o, &toy);
    ub__supernet_probabilities(f.net, f.net->noise, f.net->tau, p);
    for (int s = 0; s < 33; s++) {
        w[s] = 0.0;
        if (f.net->masks[s] == NULL)
            continue;
        for (int i = 0; i < 7; i++)
            w[s] += p[at++] * (4 + 2 * i);
    }
    for (int cell = 0; cell < 3; cell++) {
        const double *c = w + 11 * cell, side = 16 >> cell;
        const double t1 = c[2], sep = c[4], same = c[1], dil = c[9];
        const double t3 = fmax(sep, fmax(same, dil));

        expected += toy_latency(0, 3, side, prev, c[0]) +
                    toy_latency(0, 3, side, prevprev, c[1]) +
                    toy_latency(0, 3, side, c[0], t1) +
                    toy_latency(1, 5, side, c[0], c[0]) +
                    toy_latency(0, 1, side, c[0], sep) +
                    toy_latency(0, 3, side, t1, dil);
        expected += sep < t3 ? toy_latency(0, 1, side, sep, t3) : 0.0;
        expected += same < t3 ? toy_latency(0, 1, side, same, t3) : 0.0;
        expected += dil < t3 ? toy_latency(0, 1, side, dil, t3) : 0.0;
        prevprev = prev;
        prev = t3;
    }
    assert_close(expect(&f, NULL, NULL).latency_ms, expected, 1e-13 * expected);
    close_fixture(&f);
}

/* With all chosen, the whole expected latency is what the derived network
 * costs, also when both are scaled, and with one width for all sites. */
static void test_latency_of_derived(void **state)
{
    (void) state;
    for (int i = 0; i < 4; i++) {
        const int64_t scale = i % 2 ? 8 : 1;
        int64_t widths[33];
        ub_network *network = NULL, *scaled = NULL;
        ub_cost total = { .size = sizeof(total) };
        ub_supernet_options o;
        struct fixture f;

        ub_supernet_options_init(&o, sizeof(o));
        o.operators = chosen;
        o.include_ends = 1;
        o.cost_scale = (double) scale;
        if (i >= 2)
            o.widths = (ub_width_range){ 12, 12, 1 };
        open_fixture(&f, &o, &toy);
        ub_supernet_widths(f.net, widths);
        assert_int_equal(ub_space_derive(f.space, chosen, widths, &network),
                         UB_OK);
        assert_int_equal(ub_network_scaled(network, scale, &scaled), UB_OK);
        assert_int_equal(
            ub_network_cost(scaled, &toy, o.cost_batch, &total, NULL, 0),
            UB_OK);
        /* sums of some 30 terms in double */
        assert_close(expect(&f, NULL, NULL).latency_ms, total.latency_ms,
                     1e-13 * total.latency_ms);
        ub_network_destroy(&scaled);
        ub_network_destroy(&network);
        close_fixture(&f);
    }
}

/* A cell of one kind of layer has that layer's utilization. */
static void test_utilization_is_a_mean(void **state)
{
    static const int32_t one[9] = { ZERO, ZERO, CONV3, ZERO, ZERO,
                                    ZERO, ZERO, ZERO,  ZERO };
    ub_supernet_options o;
    struct fixture f;

    (void) state;
    ub_supernet_options_init(&o, sizeof(o));
    o.operators = one;
    open_fixture(&f, &o, &toy);
    assert_close(expect(&f, NULL, NULL).utilization,
                 3 * (8.0 / 11.0 * 8.0 / 17.0), 1e-14);
    close_fixture(&f);
}

/* The gradient on the tape is lambda times one minus beta times the other. */
static void test_cost_on_tape(void **state)
{
    double t[72], u[72];
    ub_supernet_options o;
    ub_variable *cost;
    struct fixture f;
    ub_tape *tape;
    int64_t at = 0;

    (void) state;
    ub_supernet_options_init(&o, sizeof(o));
    open_fixture(&f, &o, &toy);
    expect(&f, t, u);
    assert_int_equal(ub_tape_create(f.context, &tape), UB_OK);
    assert_int_equal(ub_supernet_cost(f.net, tape, 0.5, 2.0, NULL, &cost),
                     UB_OK);
    assert_int_equal(ub_tape_backward(tape, cost), UB_OK);
    for (int d = 0; d < 9; d++) {
        const ub_tensor *g = ub_variable_grad(f.net->decisions[d]);
        for (int i = 0; i < 8; i++, at++)
            /* rounding to float32 */
            assert_close(ub_tensor_data(g)[i], 0.5 * t[at] - 2.0 * u[at],
                         1e-7 * fabs(0.5 * t[at] - 2.0 * u[at]) + 1e-12);
    }
    ub_tape_destroy(&tape);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradient_by_operators),
        cmocka_unit_test(test_gradient_by_widths),
        cmocka_unit_test(test_latency_of_mixed_edges),
        cmocka_unit_test(test_latency_of_widths),
        cmocka_unit_test(test_latency_of_derived),
        cmocka_unit_test(test_utilization_is_a_mean),
        cmocka_unit_test(test_cost_on_tape),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
