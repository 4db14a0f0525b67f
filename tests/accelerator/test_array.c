/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <math.h>
#include <string.h>
#include <uboost/accelerator.h>
#include <uboost/systolic.h>
#include <uboost/utilization.h>

static void add_conv(ub_network *n, const char *name, int64_t out,
                     int64_t kernel, int64_t groups)
{
    const int64_t input = ub_network_layers(n) - 1;
    ub_layer l;

    ub_layer_init(&l, sizeof(l), UB_LAYER_CONV);
    l.out_channels = out;
    l.kernel_height = l.kernel_width = kernel;
    l.pad_height = l.pad_width = kernel / 2;
    l.groups = groups;
    assert_int_equal(ub_network_add(n, name, &l, 1, &input, NULL), UB_OK);
}

static ub_network *convolutions(ub_context *context)
{
    ub_network *n;

    assert_int_equal(ub_network_create(context, "n", 3, 14, 14, &n), UB_OK);
    add_conv(n, "stem", 20, 3, 1);
    add_conv(n, "depthwise", 20, 5, 20);
    add_conv(n, "point", 70, 1, 1);
    add_conv(n, "grouped", 30, 3, 10);
    return n;
}

static void set_field(ub_array_options *o, int field, int64_t n,
                      const int64_t *values)
{
    o->lengths[field] = n;
    memcpy(o->values[field], values, (size_t) n * sizeof(*values));
}

/* Some hundred arrays, from too large to small. */
static void set_reduced(ub_array_options *o, int32_t pricing)
{
    const int64_t sides[] = { 64, 24, 8 }, banks[] = { 1 << 16, 1 << 12, 600 };
    const int64_t bandwidths[] = { (int64_t) 8 << 30, (int64_t) 1 << 29 };
    const int64_t dataflows[] = { UB_DATAFLOW_IS, UB_DATAFLOW_WS,
                                  UB_DATAFLOW_OS };

    ub_array_options_init(o, sizeof(*o));
    o->pricing = pricing;
    o->element_limit = 2000;
    o->sram_limit = 80000;
    set_field(o, UB_ARRAY_ROWS, 3, sides);
    set_field(o, UB_ARRAY_COLUMNS, 3, sides);
    for (int f = UB_ARRAY_INPUT_BANK; f <= UB_ARRAY_OUTPUT_BANK; f++)
        set_field(o, f, 3, banks);
    set_field(o, UB_ARRAY_BANDWIDTH, 2, bandwidths);
    if (pricing == UB_ARRAY_SIMULATED)
        set_field(o, UB_ARRAY_DATAFLOW, 3, dataflows);
}

static ub_array_space *space_of(ub_context *context, const ub_array_options *o)
{
    ub_array_space *space;

    assert_int_equal(ub_array_space_create(context, o, &space), UB_OK);
    return space;
}

/* -- the best of all
 * --------------------------------------------------------------- */

static int better(const ub_array_result *a, const ub_array_result *b,
                  double bandwidth_a, double bandwidth_b)
{
    if (a->cycles != b->cycles)
        return a->cycles < b->cycles;
    if (a->elements != b->elements)
        return a->elements < b->elements;
    if (a->sram != b->sram)
        return a->sram < b->sram;
    return bandwidth_a < bandwidth_b;
}

/* Candidate number i; 0 when there is none. */
static int candidate(const int32_t *lengths, int64_t i, int32_t *choices)
{
    for (int f = 0; f < UB_ARRAY_FIELDS; f++) {
        choices[f] = (int32_t) (i % lengths[f]);
        i /= lengths[f];
    }
    return i == 0;
}

/* Nothing left out, how many there are. */
static int64_t enumerate(const ub_array_space *space, const ub_network *n,
                         ub_array_result *best)
{
    int32_t lengths[UB_ARRAY_FIELDS], choices[UB_ARRAY_FIELDS];
    double bandwidth = 0;
    int64_t i;

    *best = (ub_array_result){ .size = sizeof(*best), .cycles = INFINITY };
    ub_array_decisions(space, lengths, NULL);
    for (i = 0; candidate(lengths, i, choices); i++) {
        ub_array_result r = { .size = sizeof(r) };
        ub_hardware h = { .size = sizeof(h) };

        assert_int_equal(ub_array_evaluate(space, n, choices, &r), UB_OK);
        assert_int_equal(ub_array_decode(space, choices, &h), UB_OK);
        assert_int_equal(r.elements, h.rows * h.columns);
        assert_int_equal(r.excess == UB_ARRAY_FITS, r.violation == 0);
        if (r.excess == UB_ARRAY_FITS &&
            better(&r, best, h.bandwidth, bandwidth)) {
            *best = r;
            bandwidth = h.bandwidth;
        }
    }
    return i;
}

static void check_search(ub_context *context, const ub_array_options *o,
                         const ub_network *n, int prunes)
{
    ub_array_space *space = space_of(context, o);
    ub_array_result best, r = { .size = sizeof(r) };
    ub_array_result again = { .size = sizeof(again) };
    int32_t choices[UB_ARRAY_FIELDS];
    const int64_t all = enumerate(space, n, &best);

    assert_true(isfinite(best.cycles));
    assert_int_equal(
        ub_array_search(space, n, UB_ENGINE_EXACT, 0, NULL, choices, &r),
        UB_OK);
    assert_true(r.cycles == best.cycles);
    assert_int_equal(r.elements, best.elements);
    assert_int_equal(r.sram, best.sram);
    assert_int_equal(ub_array_evaluate(space, n, choices, &again), UB_OK);
    assert_true(again.cycles == r.cycles && again.excess == UB_ARRAY_FITS);
    assert_true(prunes ? r.priced < all / 2 : r.priced <= 2 * all);
    ub_array_space_destroy(&space);
}

static void test_exact(void **state)
{
    ub_context *context = test_context(1);
    ub_network *n = convolutions(context);

    (void) state;
    for (int32_t pricing = 0; pricing < 3; pricing++) {
        ub_array_options o;

        set_reduced(&o, pricing);
        check_search(context, &o, n, 1);
        o.element_limit = 64;
        check_search(context, &o, n, 0);
        o.element_limit = 4096;
        o.sram_limit = 5000;
        check_search(context, &o, n, 0);
        o.sram_limit = 1800;
        o.batch = 3;
        check_search(context, &o, n, 0);
    }
    ub_network_destroy(&n);
    ub_context_destroy(&context);
}

/* The formula is a bound of the closed form and of the simulator, which the
 * exact engine builds upon. */
static void test_bound(void **state)
{
    ub_context *context = test_context(1);
    ub_network *n = convolutions(context);
    int32_t lengths[UB_ARRAY_FIELDS], choices[UB_ARRAY_FIELDS];
    ub_array_space *spaces[3];
    ub_array_options o;
    int unbuildable = 0;

    (void) state;
    set_reduced(&o, UB_ARRAY_IDEAL);
    for (int32_t p = 0; p < 3; p++) {
        o.pricing = p;
        spaces[p] = space_of(context, &o);
    }
    ub_array_decisions(spaces[0], lengths, NULL);
    for (int64_t i = 0; candidate(lengths, i, choices); i++) {
        double cycles[3];

        for (int p = 0; p < 3; p++) {
            ub_array_result r = { .size = sizeof(r) };

            assert_int_equal(ub_array_evaluate(spaces[p], n, choices, &r),
                             UB_OK);
            cycles[p] = r.cycles;
        }
        assert_true(cycles[0] <= cycles[1] && cycles[0] <= cycles[2]);
        unbuildable += isinf(cycles[2]);
    }
    assert_true(unbuildable > 0);
    for (int p = 0; p < 3; p++)
        ub_array_space_destroy(&spaces[p]);
    ub_network_destroy(&n);
    ub_context_destroy(&context);
}

/* The paper's array costs here what it costs there. */
static void test_prices(void **state)
{
    ub_context *context = test_context(1);
    ub_network *n = convolutions(context);
    ub_systolic_stats total = { .size = sizeof(total) };
    ub_array_result r = { .size = sizeof(r) };
    ub_cost_model model = { .size = sizeof(model) };
    ub_cost cost = { .size = sizeof(cost) };
    int32_t choices[UB_ARRAY_FIELDS] = { 1, 1, 0, 0, 0, 0, 0 };
    ub_util_options util;
    ub_array_options o;
    ub_array_space *space;
    ub_hardware h;

    (void) state;
    ub_array_options_init(&o, sizeof(o));
    for (int32_t p = 0; p < 3; p++) {
        o.pricing = p;
        space = space_of(context, &o);
        h.size = sizeof(h);
        assert_int_equal(ub_array_decode(space, choices, &h), UB_OK);
        assert_int_equal(h.rows, 128);
        assert_int_equal(h.weight_bank_bytes, 4 << 20);
        assert_int_equal(ub_array_evaluate(space, n, choices, &r), UB_OK);
        if (p == UB_ARRAY_SIMULATED) {
            assert_int_equal(ub_systolic_run(n, &h, NULL, &total, NULL, 0),
                             UB_OK);
            cost.cycles = (double) total.cycles;
        } else {
            ub_util_options_init(&util, sizeof(util));
            assert_int_equal(ub_util_options_from(&h, &util), UB_OK);
            assert_int_equal(
                ub_util_model(p == 0 ? UB_UTIL_EXACT : UB_UTIL_FULL, &util,
                              &model),
                UB_OK);
            assert_int_equal(ub_network_cost(n, &model, 1, &cost, NULL, 0),
                             UB_OK);
        }
        assert_true(r.cycles == cost.cycles);
        assert_close(r.fps, 1e9 / r.cycles, 1e-9 * r.fps);
        assert_close(r.latency_ms, r.cycles / 1e6, 1e-12);
        assert_int_equal(r.excess, UB_ARRAY_EXCESS_SRAM);
        assert_close(r.violation, 12.0 / 6 - 1, 1e-15);
        ub_array_space_destroy(&space);
    }
    ub_network_destroy(&n);
    ub_context_destroy(&context);
}

/* -- the rest
 * ------------------------------------------------------------------------ */

static void test_random(void **state)
{
    ub_context *context = test_context(1);
    ub_network *n = convolutions(context);
    ub_array_result exact = { .size = sizeof(exact) };
    int32_t choices[UB_ARRAY_FIELDS];
    double before = INFINITY;
    ub_array_options o;
    ub_array_space *space;

    (void) state;
    set_reduced(&o, UB_ARRAY_FULL);
    space = space_of(context, &o);
    assert_int_equal(
        ub_array_search(space, n, UB_ENGINE_EXACT, 0, NULL, choices, &exact),
        UB_OK);
    for (int64_t samples = 20; samples <= 3000; samples *= 5) {
        ub_array_result r = { .size = sizeof(r) };
        ub_rng rng;

        ub_rng_init(&rng, 1, 0);
        assert_int_equal(ub_array_search(space, n, UB_ENGINE_RANDOM, samples,
                                         &rng, choices, &r),
                         UB_OK);
        assert_true(r.cycles <= before && r.cycles >= exact.cycles);
        before = r.cycles;
    }
    assert_true(before == exact.cycles);
    ub_array_space_destroy(&space);
    ub_network_destroy(&n);
    ub_context_destroy(&context);
}

static void test_round_trip(void **state)
{
    ub_context *context = test_context(1);
    int32_t lengths[UB_ARRAY_FIELDS], ordered[UB_ARRAY_FIELDS];
    int32_t choices[UB_ARRAY_FIELDS], back[UB_ARRAY_FIELDS];
    ub_hardware h = { .size = sizeof(h) };
    ub_array_options o;
    ub_array_space *space;

    (void) state;
    set_reduced(&o, UB_ARRAY_SIMULATED);
    space = space_of(context, &o);
    ub_array_decisions(space, lengths, ordered);
    assert_true(ordered[UB_ARRAY_ROWS] && !ordered[UB_ARRAY_DATAFLOW]);
    for (int64_t i = 0; candidate(lengths, i, choices); i++) {
        assert_int_equal(ub_array_decode(space, choices, &h), UB_OK);
        assert_int_equal(ub_array_encode(space, &h, back), UB_OK);
        assert_memory_equal(choices, back, sizeof(choices));
    }
    h.rows = 65;
    assert_int_equal(ub_array_encode(space, &h, back), UB_ERR_INVALID);
    choices[3] = lengths[3];
    assert_int_equal(ub_array_decode(space, choices, &h), UB_ERR_INVALID);
    choices[3] = -1;
    assert_int_equal(ub_array_decode(space, choices, &h), UB_ERR_INVALID);
    /* Without its banks it is no hardware of the space. */
    choices[3] = 0;
    assert_int_equal(ub_array_decode(space, choices, &h), UB_OK);
    h.size = offsetof(ub_hardware, input_bank_bytes);
    assert_int_equal(ub_array_decode(space, choices, &h), UB_ERR_INVALID);
    assert_int_equal(ub_array_encode(space, &h, back), UB_ERR_INVALID);
    ub_array_space_destroy(&space);
    ub_context_destroy(&context);
}

/* Nothing fits, nothing to compute, another engine. */
static void test_refused(void **state)
{
    ub_context *context = test_context(1);
    ub_network *n = convolutions(context), *empty;
    ub_array_result r = { .size = sizeof(r), .cycles = -1 };
    int32_t choices[UB_ARRAY_FIELDS] = { -7 };
    ub_array_options o;
    ub_array_space *space;
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 1, 0);
    assert_int_equal(ub_network_create(context, "e", 3, 4, 4, &empty), UB_OK);
    for (int i = 0; i < 2; i++) {
        set_reduced(&o, UB_ARRAY_FULL);
        if (i == 0)
            o.element_limit = 63;
        else
            o.sram_limit = 1799;
        space = space_of(context, &o);
        assert_int_equal(
            ub_array_search(space, n, UB_ENGINE_EXACT, 0, NULL, choices, &r),
            UB_ERR_RANGE);
        assert_int_equal(
            ub_array_search(space, n, UB_ENGINE_RANDOM, 50, &rng, choices, &r),
            UB_ERR_RANGE);
        assert_int_equal(ub_array_search(space, empty, UB_ENGINE_EXACT, 0, NULL,
                                         choices, &r),
                         UB_ERR_INVALID);
        assert_int_equal(
            ub_array_search(space, n, UB_ENGINE_RANDOM, 50, NULL, choices, &r),
            UB_ERR_INVALID);
        assert_int_equal(ub_array_search(space, n, UB_ENGINE_DIFFERENTIABLE, 50,
                                         &rng, choices, &r),
                         UB_ERR_UNSUPPORTED);
        assert_int_equal(ub_array_evaluate(space, NULL, choices, &r),
                         UB_ERR_INVALID);
        assert_int_equal(ub_array_evaluate(space, n, choices, &r),
                         UB_ERR_INVALID);
        ub_array_space_destroy(&space);
    }
    assert_true(choices[0] == -7 && r.cycles == -1);
    ub_network_destroy(&empty);
    ub_network_destroy(&n);
    ub_context_destroy(&context);
}

/* More products than the simulator counts are no fault of the banks. */
static void test_too_many(void **state)
{
    ub_context *context = test_context(1);
    int32_t choices[UB_ARRAY_FIELDS] = { 0 };
    ub_array_result r = { .size = sizeof(r), .cycles = -1 };
    ub_array_options o;
    ub_array_space *space;
    ub_network *n;

    (void) state;
    assert_int_equal(ub_network_create(context, "n", 64, 64, 64, &n), UB_OK);
    add_conv(n, "conv", 64, 3, 1);
    ub_array_options_init(&o, sizeof(o));
    o.pricing = UB_ARRAY_SIMULATED;
    for (int shift = 28; shift <= 32; shift++) {
        o.batch = (int64_t) 1 << shift;
        space = space_of(context, &o);
        assert_int_equal(ub_array_evaluate(space, n, choices, &r),
                         UB_ERR_RANGE);
        assert_int_equal(
            ub_array_search(space, n, UB_ENGINE_EXACT, 0, NULL, choices, &r),
            UB_ERR_RANGE);
        ub_array_space_destroy(&space);
    }
    assert_true(r.cycles == -1);
    ub_network_destroy(&n);
    ub_context_destroy(&context);
}

/* Bytes of all banks that 64 bits do not hold are no few. */
static void test_many_bytes(void **state)
{
    ub_context *context = test_context(1);
    int32_t choices[UB_ARRAY_FIELDS] = { 0 };
    ub_array_result r = { .size = sizeof(r) };
    ub_array_options o;
    ub_array_space *space;
    ub_hardware base;
    ub_network *n;

    (void) state;
    assert_int_equal(ub_network_create(context, "n", 8, 8, 8, &n), UB_OK);
    add_conv(n, "conv", 8, 3, 1);
    ub_hardware_init(&base, sizeof(base));
    base.arrays = 1 << 16;
    ub_array_options_init(&o, sizeof(o));
    o.pricing = UB_ARRAY_SIMULATED;
    o.base = &base;
    o.element_limit = o.sram_limit = INT64_MAX;
    for (int f = UB_ARRAY_INPUT_BANK; f <= UB_ARRAY_OUTPUT_BANK; f++) {
        o.lengths[f] = 1;
        o.values[f][0] = (int64_t) 1 << 50;
    }
    space = space_of(context, &o);
    assert_int_equal(ub_array_evaluate(space, n, choices, &r), UB_OK);
    assert_true(r.sram == INT64_MAX && r.excess == UB_ARRAY_EXCESS_SRAM);
    ub_array_space_destroy(&space);
    ub_network_destroy(&n);
    ub_context_destroy(&context);
}

static void test_bad_options(void **state)
{
    ub_context *context = test_context(1);
    ub_array_space *space = NULL;
    ub_hardware base;

    (void) state;
    for (int i = 0; i < 12; i++) {
        ub_status expected = UB_ERR_INVALID;
        ub_array_options o;

        ub_array_options_init(&o, sizeof(o));
        ub_hardware_init(&base, sizeof(base));
        switch (i) {
        case 0: o.element_limit = 0; break;
        case 1: o.batch = 0; break;
        case 2: o.pricing = 3; break;
        case 3: o.lengths[UB_ARRAY_ROWS] = UB_ARRAY_MAX_VALUES + 1; break;
        case 4: o.lengths[UB_ARRAY_BANDWIDTH] = 0; break;
        case 5: o.values[UB_ARRAY_COLUMNS][0] = (1 << 16) + 1; break;
        case 6: o.values[UB_ARRAY_INPUT_BANK][1] = 1; break;
        case 7: o.values[UB_ARRAY_DATAFLOW][0] = 3; break;
        case 8: base.clock_hz = 0; break;
        case 9: o.reserved = 1; break;
        case 10: base.arrays = 2; break;
        default: o.values[UB_ARRAY_DATAFLOW][0] = UB_DATAFLOW_OS; break;
        }
        o.base = &base;
        if (i >= 10)
            expected = UB_ERR_UNSUPPORTED;
        assert_int_equal(ub_array_space_create(context, &o, &space), expected);
        assert_null(space);
    }
    ub_context_destroy(&context);
}

static int stop(void *user, const ub_progress *progress)
{
    (void) progress;
    return ++*(int *) user >= 3;
}

static void test_interrupted(void **state)
{
    ub_context_options context_options;
    int32_t choices[UB_ARRAY_FIELDS];
    ub_array_result r = { .size = sizeof(r) };
    ub_context *context;
    ub_array_options o;
    ub_array_space *space;
    ub_network *n;
    int calls = 0;

    (void) state;
    ub_context_options_init(&context_options, sizeof(context_options));
    context_options.progress = stop;
    context_options.progress_user = &calls;
    assert_int_equal(ub_context_create(&context_options, &context), UB_OK);
    n = convolutions(context);
    set_reduced(&o, UB_ARRAY_SIMULATED);
    space = space_of(context, &o);
    assert_int_equal(
        ub_array_search(space, n, UB_ENGINE_EXACT, 0, NULL, choices, &r),
        UB_ERR_INTERRUPTED);
    assert_int_equal(calls, 3);
    ub_array_space_destroy(&space);
    ub_network_destroy(&n);
    ub_context_destroy(&context);
}

static ub_status scenario(ub_context *context, void *arg)
{
    const int64_t input = 0;
    ub_array_result r = { .size = sizeof(r) };
    int32_t choices[UB_ARRAY_FIELDS];
    ub_array_space *space = NULL;
    ub_network *n = NULL;
    ub_array_options o;
    ub_layer l;
    ub_status status = ub_network_create(context, "n", 3, 6, 6, &n);

    ub_layer_init(&l, sizeof(l), UB_LAYER_CONV);
    l.out_channels = 4;
    set_reduced(&o, *(const int32_t *) arg);
    if (status == UB_OK)
        status = ub_network_add(n, "conv", &l, 1, &input, NULL);
    if (status == UB_OK)
        status = ub_array_space_create(context, &o, &space);
    if (status == UB_OK)
        status = ub_array_search(space, n, UB_ENGINE_EXACT, 0, NULL, choices,
                                 &r);
    ub_array_space_destroy(&space);
    ub_network_destroy(&n);
    return status;
}

static void test_oom(void **state)
{
    (void) state;
    for (int32_t pricing = 1; pricing < 3; pricing++)
        assert_survives_oom(scenario, 1, &pricing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact),       cmocka_unit_test(test_bound),
        cmocka_unit_test(test_prices),      cmocka_unit_test(test_random),
        cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_refused),
        cmocka_unit_test(test_too_many),    cmocka_unit_test(test_many_bytes),
        cmocka_unit_test(test_bad_options), cmocka_unit_test(test_interrupted),
        cmocka_unit_test(test_oom),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
