/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"
#include "systolic/element.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layers.h"

struct operands {
    int8_t *input, *weights;
    int32_t *output;
};

static void fill(ub_rng *rng, int8_t *to, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = (int8_t) ((int) ub_rng_below(rng, 256) - 128);
}

static void create(struct operands *p, const ub_gemm *g, ub_rng *rng)
{
    p->input = malloc((size_t) (g->m * g->k * g->count));
    p->weights = malloc((size_t) (g->k * g->n * g->count));
    p->output = malloc((size_t) (g->m * g->n * g->count) * sizeof(*p->output));
    assert_non_null(p->input);
    assert_non_null(p->weights);
    assert_non_null(p->output);
    fill(rng, p->input, g->m * g->k * g->count);
    fill(rng, p->weights, g->k * g->n * g->count);
}

static void destroy(struct operands *p)
{
    free(p->input);
    free(p->weights);
    free(p->output);
}

static int32_t expected(const ub_gemm *g, const struct operands *p,
                        int64_t product, int64_t i, int64_t j)
{
    const int8_t *x = p->input + (product * g->m + i) * g->k;
    const int8_t *w = p->weights + product * g->k * g->n + j;
    int32_t sum = 0;

    for (int64_t l = 0; l < g->k; l++)
        sum += x[l] * w[l * g->n];
    return sum;
}

static void compare(const ub_gemm *g, const struct operands *p)
{
    for (int64_t q = 0; q < g->count; q++) {
        for (int64_t i = 0; i < g->m; i++) {
            for (int64_t j = 0; j < g->n; j++)
                assert_int_equal(p->output[(q * g->m + i) * g->n + j],
                                 expected(g, p, q, i, j));
        }
    }
}

static int64_t parts(int64_t extent, int64_t size)
{
    return (extent + size - 1) / size;
}

/* Level 2's. */
static int64_t cycles_of(const ub_gemm *g, const ub_hardware *h, int drain)
{
    const int64_t R = h->rows, C = h->columns;

    switch (h->dataflow) {
    case UB_DATAFLOW_OS:
        return g->count * parts(g->m, R) * parts(g->n, C) *
               (R + C + g->k - 2 + (drain ? R : 0));
    case UB_DATAFLOW_IS:
        return g->count * parts(g->k, R) * parts(g->m, C) *
               (2 * R + C + g->n - 2);
    default:
        return g->count * parts(g->k, R) * parts(g->n, C) *
               (2 * R + C + g->m - 2);
    }
}

static double sum_shares(const ub_systolic_stats *s)
{
    return s->share_busy + s->share_unused_rows + s->share_unused_columns +
           s->share_unused_arrays + s->share_weight_load + s->share_fill +
           s->share_drain + s->share_wait_weights + s->share_wait_inputs +
           s->share_wait_outputs + s->share_vector;
}

static void check_stats(const ub_systolic_stats *s, const ub_gemm *g,
                        const ub_hardware *h, int drain)
{
    assert_int_equal(s->cycles, cycles_of(g, h, drain));
    assert_int_equal(s->macs, g->m * g->k * g->n * g->count);
    assert_close(s->utilization,
                 (double) s->macs / (double) (s->cycles * h->rows * h->columns),
                 1e-12);
    assert_close(s->share_busy, s->utilization, 1e-12);
    assert_close(sum_shares(s), 1.0, 1e-12);
    assert_close(s->latency_ms, (double) s->cycles / h->clock_hz * 1e3, 1e-12);
}

static void set_random(ub_gemm *g, ub_hardware *h, ub_rng *rng, int64_t most)
{
    *g = (ub_gemm){ .size = sizeof(*g) };
    g->m = 1 + (int64_t) ub_rng_below(rng, (uint64_t) most);
    g->k = 1 + (int64_t) ub_rng_below(rng, (uint64_t) most);
    g->n = 1 + (int64_t) ub_rng_below(rng, (uint64_t) most);
    g->count = 1 + (int64_t) ub_rng_below(rng, 2);
    ub_hardware_init(h, sizeof(*h));
    h->rows = 1 + (int64_t) ub_rng_below(rng, 20);
    h->columns = 1 + (int64_t) ub_rng_below(rng, 20);
    if (ub_rng_below(rng, 6) == 0)
        h->rows = 1;
    else if (ub_rng_below(rng, 6) == 0)
        h->columns = 1;
}

static void random_products(void **state)
{
    ub_context *context = test_context(1);
    ub_systolic_options o;
    ub_rng rng;

    (void) state;
    ub_systolic_options_init(&o, sizeof(o));
    ub_rng_init(&rng, 5, 0);
    for (int i = 0; i < 400; i++) {
        struct operands p;
        ub_hardware h;
        ub_gemm g;

        set_random(&g, &h, &rng, i < 350 ? 45 : 90);
        o.os_drain = i & 1;
        create(&p, &g, &rng);
        for (h.dataflow = 0; h.dataflow < 3; h.dataflow++) {
            ub_systolic_stats s = { .size = sizeof(s) };

            memset(p.output, 0x55,
                   (size_t) (g.m * g.n * g.count) * sizeof(*p.output));
            assert_int_equal(ub_systolic_multiply(context, &g, &h, &o, p.input,
                                                  p.weights, p.output, &s),
                             UB_OK);
            compare(&g, &p);
            check_stats(&s, &g, &h, o.os_drain);
        }
        destroy(&p);
    }
    ub_context_destroy(&context);
}

/* The largest operands, in a sum as long as it may be. */
static void longest_sum(void **state)
{
    ub_context *context = test_context(1);
    ub_gemm g = { sizeof(g), 1, 131071, 1, 1, 131071 };
    struct operands p;
    ub_hardware h;
    ub_rng rng;

    (void) state;
    ub_hardware_init(&h, sizeof(h));
    h.rows = h.columns = 4;
    ub_rng_init(&rng, 1, 0);
    create(&p, &g, &rng);
    memset(p.input, -128, (size_t) g.k);
    memset(p.weights, -128, (size_t) g.k);
    for (h.dataflow = 0; h.dataflow < 3; h.dataflow++) {
        assert_int_equal(ub_systolic_multiply(context, &g, &h, NULL, p.input,
                                              p.weights, p.output, NULL),
                         UB_OK);
        assert_int_equal(p.output[0], 131071 * 16384);
    }
    h.dataflow = UB_DATAFLOW_WS;
    g.k++;
    assert_int_equal(ub_systolic_multiply(context, &g, &h, NULL, p.input,
                                          p.weights, p.output, NULL),
                     UB_ERR_RANGE);
    destroy(&p);
    ub_context_destroy(&context);
}

/* -- with the trace ------------------------------------------------------- */

/* What the array touched, as rows of a trace. */
struct touched {
    const struct test_layer *layer;
    int64_t product;
    int64_t first_cycle; /* of the product */
    struct test_table table[3];
};

static void note(void *user, int64_t cycle, int32_t operand, int64_t lane,
                 int64_t row, int64_t column)
{
    struct touched *t = user;

    test_table_set(&t->table[operand], t->first_cycle + cycle, lane,
                   test_address(t->layer, operand, t->product, row, column));
}

static void step_product(ub_context *context, const ub_gemm *g,
                         const ub_hardware *h, const ub_systolic_options *o,
                         struct touched *t, ub_rng *rng)
{
    const ub__element_watch watch = { note, t };
    ub_systolic_stats s = { .size = sizeof(s) };
    struct operands p;

    create(&p, g, rng);
    assert_int_equal(ub__element_multiply(context, g, h, o, p.input, p.weights,
                                          p.output, &watch, &s),
                     UB_OK);
    compare(g, &p);
    destroy(&p);
    t->first_cycle += s.cycles;
}

static void watch_layer(ub_context *context, const struct test_layer *layer,
                        const ub_hardware *h, const ub_systolic_options *o,
                        struct touched *t, ub_rng *rng)
{
    ub_gemm g = { .size = sizeof(g) };
    const int is = h->dataflow == UB_DATAFLOW_IS;
    int64_t cycles;

    assert_int_equal(ub_layer_gemm(&layer->info, o->batch, &g), UB_OK);
    cycles = cycles_of(&g, h, o->os_drain);
    *t = (struct touched){ .layer = layer };
    test_table_init(&t->table[0], cycles, is ? h->columns : h->rows);
    test_table_init(&t->table[1], cycles, is ? h->rows : h->columns);
    test_table_init(&t->table[2], cycles, h->columns);
    t->product = 0;
    for (int64_t n = g.count; t->product < n; t->product++) {
        g.count = 1;
        step_product(context, &g, h, o, t, rng);
    }
    assert_int_equal(t->first_cycle, cycles);
}

/* Rows in which the trace of an operand asks for something else. */
static int64_t differences(ub_context *context, struct touched *t,
                           const ub_hardware *h, const ub_systolic_options *o,
                           int32_t operand)
{
    struct test_table *table = &t->table[operand];

    table->seen = table->wrong = 0;
    assert_int_equal(ub_systolic_trace(context, &t->layer->info, h, o, operand,
                                       0, test_table_compare, table),
                     UB_OK);
    assert_int_equal(table->seen, table->cycles);
    return table->wrong;
}

static void trace_agrees(void **state)
{
    ub_context *context = test_context(1);
    ub_systolic_options o;
    int64_t early = 0;
    ub_rng rng;

    (void) state;
    ub_systolic_options_init(&o, sizeof(o));
    ub_rng_init(&rng, 11, 0);
    for (int i = 0; i < 100; i++) {
        struct test_layer layer;
        ub_hardware h;
        ub_gemm g;

        set_random(&g, &h, &rng, 9);
        test_random_layer(&layer, &rng);
        o.batch = layer.batch;
        o.os_drain = i & 1;
        for (h.dataflow = 0; h.dataflow < 3; h.dataflow++) {
            struct touched t;

            o.compat = UB_SYSTOLIC_COMPAT_NONE;
            watch_layer(context, &layer, &h, &o, &t, &rng);
            for (int32_t operand = 0; operand < 3; operand++)
                assert_int_equal(differences(context, &t, &h, &o, operand), 0);
            /* SCALE-Sim's order of stationary outputs is found out */
            o.compat = UB_SYSTOLIC_COMPAT_SCALESIM;
            if (h.dataflow == UB_DATAFLOW_OS && !o.os_drain)
                early += differences(context, &t, &h, &o, UB_SYSTOLIC_OUTPUT);
            for (int operand = 0; operand < 3; operand++)
                free(t.table[operand].address);
        }
    }
    assert_true(early > 1000);
    ub_context_destroy(&context);
}

/* -- networks ------------------------------------------------------------- */

static ub_network *small_network(ub_context *context)
{
    ub_network *network;
    ub_layer layer;
    int64_t last = 0;

    assert_int_equal(ub_network_create(context, "small", 4, 9, 9, &network),
                     UB_OK);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_CONV);
    layer.out_channels = 6;
    layer.kernel_height = layer.kernel_width = 3;
    layer.pad_height = layer.pad_width = 1;
    layer.groups = 2;
    assert_int_equal(ub_network_add(network, "conv", &layer, 1, &last, &last),
                     UB_OK);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_GLOBAL_POOL);
    assert_int_equal(ub_network_add(network, "pool", &layer, 1, &last, &last),
                     UB_OK);
    ub_layer_init(&layer, sizeof(layer), UB_LAYER_LINEAR);
    layer.out_channels = 10;
    assert_int_equal(ub_network_add(network, "fc", &layer, 1, &last, &last),
                     UB_OK);
    return network;
}

static void whole_network(void **state)
{
    ub_context *context = test_context(1);
    ub_network *network = small_network(context);
    ub_systolic_stats total = { .size = sizeof(total) }, each[4];
    ub_systolic_options o;
    ub_hardware h;

    (void) state;
    ub_hardware_init(&h, sizeof(h));
    ub_systolic_options_init(&o, sizeof(o));
    h.rows = 7;
    h.columns = 5;
    o.level = 3;
    o.batch = 2;
    for (int i = 0; i < 4; i++)
        each[i] = (ub_systolic_stats){ .size = sizeof(each[i]) };
    for (h.dataflow = 0; h.dataflow < 3; h.dataflow++) {
        int64_t cycles = 0;

        assert_int_equal(ub_systolic_run(network, &h, &o, &total, each, 4),
                         UB_OK);
        for (int i = 0; i < 4; i++) {
            ub_layer_info info = { .size = sizeof(info) };
            ub_gemm g = { .size = sizeof(g) };

            assert_int_equal(ub_network_layer(network, i, &info), UB_OK);
            assert_int_equal(ub_layer_gemm(&info, 2, &g), UB_OK);
            if (g.count > 0)
                check_stats(&each[i], &g, &h, 0);
            else
                assert_int_equal(each[i].cycles, 0);
            cycles += each[i].cycles;
        }
        assert_int_equal(total.cycles, cycles);
    }
    h.dataflow = UB_DATAFLOW_WS;
    o.batch = 0;
    assert_int_equal(ub_systolic_run(network, &h, &o, &total, each, 4),
                     UB_ERR_INVALID);
    o.batch = (int64_t) 1 << 40;
    assert_int_equal(ub_systolic_run(network, &h, &o, &total, each, 4),
                     UB_ERR_RANGE);
    assert_non_null(strstr(ub_context_last_error(context), "'conv'"));
    ub_network_destroy(&network);
    ub_context_destroy(&context);
}

static void hostile_calls(void **state)
{
    ub_context *context = test_context(1);
    ub_gemm g = { sizeof(g), 2, 2, 2, 1, 4 };
    const int8_t x[4] = { 1, 2, 3, 4 };
    int32_t y[4] = { 7, 7, 7, 7 };
    ub_systolic_stats s = { .size = sizeof(s) };
    ub_systolic_options o;
    ub_hardware h;

    (void) state;
    ub_hardware_init(&h, sizeof(h));
    ub_systolic_options_init(&o, sizeof(o));
    assert_int_equal(ub_systolic_multiply(NULL, &g, &h, &o, x, x, y, &s),
                     UB_ERR_INVALID);
    assert_int_equal(ub_systolic_multiply(context, NULL, &h, &o, x, x, y, &s),
                     UB_ERR_INVALID);
    assert_int_equal(ub_systolic_multiply(context, &g, NULL, &o, x, x, y, &s),
                     UB_ERR_INVALID);
    assert_int_equal(ub_systolic_multiply(context, &g, &h, &o, NULL, x, y, &s),
                     UB_ERR_INVALID);
    o.os_drain = 2;
    assert_int_equal(ub_systolic_multiply(context, &g, &h, &o, x, x, y, &s),
                     UB_ERR_INVALID);
    o.os_drain = 0;
    o.compat = UB_SYSTOLIC_COMPAT_SCALESIM;
    assert_int_equal(ub_systolic_multiply(context, &g, &h, &o, x, x, y, &s),
                     UB_ERR_UNSUPPORTED);
    o.compat = 0;
    h.arrays = 2;
    assert_int_equal(ub_systolic_multiply(context, &g, &h, &o, x, x, y, &s),
                     UB_ERR_UNSUPPORTED);
    h.arrays = 1;
    g.m = (int64_t) 1 << 40;
    assert_int_equal(ub_systolic_multiply(context, &g, &h, &o, x, x, y, &s),
                     UB_ERR_RANGE);
    g.m = INT64_MAX;
    g.n = INT64_MAX;
    assert_int_equal(ub_systolic_multiply(context, &g, &h, &o, x, x, y, &s),
                     UB_ERR_RANGE);
    g.m = 0;
    assert_int_equal(ub_systolic_multiply(context, &g, &h, &o, x, x, y, &s),
                     UB_ERR_INVALID);
    assert_int_equal(y[0], 7);
    g.count = 0;
    assert_int_equal(
        ub_systolic_multiply(context, &g, &h, &o, NULL, NULL, NULL, &s), UB_OK);
    assert_int_equal(s.cycles, 0);
    o.level = 3;
    assert_int_equal(ub_systolic_gemm(&g, &h, &o, &s), UB_ERR_UNSUPPORTED);
    ub_context_destroy(&context);
}

static ub_status element_scenario(ub_context *context, void *arg)
{
    const ub_gemm g = { sizeof(g), 2, 2, 2, 1, 4 };
    const int8_t x[4] = { 1, 2, 3, 4 };
    ub_systolic_options o;
    ub_systolic_stats s = { .size = sizeof(s) };
    ub_hardware h;
    ub_status status;
    struct test_layer layer;
    int32_t y[4];

    (void) arg;
    ub_hardware_init(&h, sizeof(h));
    ub_systolic_options_init(&o, sizeof(o));
    test_linear(&layer, 3, 4, 5);
    status = ub_systolic_multiply(context, &g, &h, &o, x, x, y, &s);
    if (status == UB_OK)
        status = ub__systolic_level3(context, &layer.info, &h, &o, &s);
    return status;
}

static void failing_allocations(void **state)
{
    (void) state;
    assert_survives_oom(element_scenario, 1, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_products),
        cmocka_unit_test(longest_sum),
        cmocka_unit_test(trace_agrees),
        cmocka_unit_test(whole_network),
        cmocka_unit_test(hostile_calls),
        cmocka_unit_test(failing_allocations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
