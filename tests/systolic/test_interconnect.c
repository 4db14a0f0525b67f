/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include "systolic/interconnect.h"

#include <limits.h>

#define MAX_PORTS 16

static ub_hardware with(int32_t kind, int64_t arrays, int64_t expansion)
{
    ub_hardware h;

    ub_hardware_init(&h, sizeof(h));
    h.interconnect = kind;
    h.arrays = arrays;
    h.expansion = expansion;
    return h;
}

static ub__interconnect *network_of(ub_context *context, const ub_hardware *h)
{
    ub__interconnect *network = NULL;

    assert_int_equal(ub__interconnect_create(context, h, &network), UB_OK);
    return network;
}

static void latencies(void **state)
{
    static const struct {
        int32_t kind;
        int64_t arrays, expansion, latency;
    } cases[] = {
        { UB_INTERCONNECT_CROSSBAR, 64, 0, 1 },
        { UB_INTERCONNECT_BUS, 64, 0, 1 },
        { UB_INTERCONNECT_BENES, 5, 0, 5 },
        { UB_INTERCONNECT_BENES_COPY, 1, 0, -1 },
        { UB_INTERCONNECT_BENES_COPY, 16, 0, 15 },
        { UB_INTERCONNECT_BANYAN, 16, 0, 4 },
        { UB_INTERCONNECT_BANYAN, 9, 3, 10 },
    };

    (void) state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const ub_hardware h = with(cases[i].kind, cases[i].arrays,
                                   cases[i].expansion);

        assert_int_equal(ub__interconnect_latency(&h), cases[i].latency);
    }
}

/* The outputs of the switches on a way, by the words of the description: the
 * ports are written down as lists that are shuffled and exchanged. */
static void way(int64_t n, int64_t expansion, int64_t source,
                int64_t destination, int64_t *outputs)
{
    const int64_t ports = (int64_t) 1 << n;
    int64_t at = -1;

    for (int64_t j = 0; j < ports / 2; j++) {
        if (source == j)
            at = 2 * j;
        if (source == j + ports / 2)
            at = 2 * j + 1;
    }
    for (int64_t s = 0; s < n; s++) {
        const int64_t block = ports / ((int64_t) 1 << s);
        const int64_t target = destination * ((int64_t) 1 << expansion);
        int64_t first;

        at = at / 2 * 2 + target / ((int64_t) 1 << (n - 1 - s)) % 2;
        outputs[s] = at;
        first = at / block * block;
        for (int64_t p = first + 1; p < first + block / 2; p += 2) {
            if (at == p) {
                at = p + block / 2 - 1;
                break;
            }
            if (at == p + block / 2 - 1) {
                at = p;
                break;
            }
        }
    }
    /* it must arrive, in the first of the copies */
    assert_int_equal(at, destination * ((int64_t) 1 << expansion));
}

static int share_output(int64_t n, int64_t expansion, int64_t from_a,
                        int64_t to_a, int64_t from_b, int64_t to_b)
{
    int64_t a[8], b[8];

    way(n, expansion, from_a, to_a, a);
    way(n, expansion, from_b, to_b, b);
    for (int64_t s = 0; s < n; s++) {
        if (a[s] == b[s])
            return 1;
    }
    return 0;
}

/* All pairs of routes: the second is free when no output is shared or the
 * source is the same. Returns how many are refused. */
static int check_pairs(ub_context *context, int64_t arrays, int64_t bits,
                       int64_t expansion)
{
    const ub_hardware h = with(UB_INTERCONNECT_BANYAN, arrays, expansion);
    ub__interconnect *network = network_of(context, &h);
    int refused = 0;

    for (int64_t i = 0; i < arrays * arrays; i++) {
        for (int64_t j = 0; j < arrays * arrays; j++) {
            const int64_t a = i / arrays, b = j / arrays;
            const int expected = a == b ||
                                 !share_output(bits + expansion, expansion, a,
                                               i % arrays, b, j % arrays);

            ub__interconnect_reset(network);
            assert_true(ub__interconnect_route(network, a, i % arrays));
            assert_int_equal(ub__interconnect_free(network, b, j % arrays),
                             expected);
            assert_int_equal(ub__interconnect_route(network, b, j % arrays),
                             expected);
            /* a refused route leaves nothing behind */
            if (!expected)
                assert_true(ub__interconnect_route(network, a, i % arrays));
            refused += !expected;
        }
    }
    ub__interconnect_destroy(&network);
    return refused;
}

static void banyan_pairs(void **state)
{
    ub_context *context = test_context(1);
    int before = INT_MAX;

    (void) state;
    for (int64_t expansion = 0; expansion <= 3; expansion++) {
        const int refused = check_pairs(context, 8, 3, expansion);

        assert_true(refused <= before);
        assert_true(expansion != 1 || refused < before);
        before = refused;
        (void) check_pairs(context, 5, 3, expansion);
        (void) check_pairs(context, 2, 1, expansion);
    }
    ub_context_destroy(&context);
}

/* One source reaches all. */
static void multicast(void **state)
{
    static const int32_t kinds[] = { UB_INTERCONNECT_CROSSBAR,
                                     UB_INTERCONNECT_BENES_COPY,
                                     UB_INTERCONNECT_BANYAN,
                                     UB_INTERCONNECT_BUS };
    ub_context *context = test_context(1);

    (void) state;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const ub_hardware h = with(kinds[i], MAX_PORTS, 0);
        ub__interconnect *network = network_of(context, &h);

        for (int64_t source = 0; source < MAX_PORTS; source++) {
            ub__interconnect_reset(network);
            for (int64_t to = 0; to < MAX_PORTS; to++)
                assert_true(ub__interconnect_route(network, source, to));
            assert_int_equal(
                ub__interconnect_free(network, (source + 1) % MAX_PORTS, 0),
                ub__interconnect_open(network));
        }
        ub__interconnect_destroy(&network);
    }
    ub_context_destroy(&context);
}

static void refusals(void **state)
{
    ub_context *context = test_context(1);
    const ub_hardware benes = with(UB_INTERCONNECT_BENES, 4, 0);
    const ub_hardware wire = with(UB_INTERCONNECT_BANYAN, 1, 0);
    ub__interconnect *network = NULL;

    (void) state;
    assert_int_equal(ub__interconnect_create(context, &benes, &network),
                     UB_ERR_UNSUPPORTED);
    assert_int_equal(ub__interconnect_create(context, &wire, &network),
                     UB_ERR_UNSUPPORTED);
    assert_null(network);
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(latencies),
        cmocka_unit_test(banyan_pairs),
        cmocka_unit_test(multicast),
        cmocka_unit_test(refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
