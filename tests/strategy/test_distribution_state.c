/* SPDX-License-Identifier: BSD-2-Clause */
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uboost/strategy.h>
#include <zlib.h>

/* Strategies that learn distributions, and neighbourhoods of those and others:
 * what they save, and what becomes of it when memory or files fail. */

static const int32_t sizes[] = { 3, 2, 1, 4 };
static const int32_t groups[] = { 0, 0, 1, 1 };
static const int32_t ordered[] = { 0, 0, 0, 1 };
#define DECISIONS 4
#define WEIGHTS   10
#define BUDGET    150

struct variant {
    int32_t kind;
    int32_t aggregate;
    int64_t neighbours, radius, coarse_steps;
};

static const struct variant variants[] = {
    { UB_STRATEGY_PARSEC, UB_AGGREGATE_MEAN, 0, 1, -1 },
    { UB_STRATEGY_PARSEC, UB_AGGREGATE_MEDIAN, 3, 2, -1 },
    { UB_STRATEGY_FP_NAS, UB_AGGREGATE_MEAN, 0, 1, 4 },
    { UB_STRATEGY_FP_NAS, UB_AGGREGATE_WORST, 9, 1, 0 },
    { UB_STRATEGY_GUMBEL, UB_AGGREGATE_MEAN, 0, 1, -1 },
    { UB_STRATEGY_GUMBEL, UB_AGGREGATE_MEAN, 4, 2, -1 },
    { UB_STRATEGY_RANDOM, UB_AGGREGATE_MEAN, 9, 1, -1 },
    { UB_STRATEGY_EVOLUTION, UB_AGGREGATE_WORST, 2, 3, -1 },
};
#define VARIANTS ((int) (sizeof(variants) / sizeof(variants[0])))

static ub_status create(ub_context *context, const struct variant *variant,
                        ub_strategy **out)
{
    const ub_decisions decisions = { .size = sizeof(decisions),
                                     .n = DECISIONS,
                                     .choices = sizes,
                                     .groups = groups,
                                     .ordered = ordered };
    ub_strategy_options options;

    ub_strategy_options_init(&options, sizeof(options));
    options.kind = variant->kind;
    options.budget = BUDGET;
    options.population = 4;
    options.batch = 3;
    options.samples = 7;
    options.cost_weight = 0.1;
    options.neighbours = variant->neighbours;
    options.radius = variant->radius;
    options.aggregate = variant->aggregate;
    options.coarse_steps = variant->coarse_steps;
    return ub_strategy_create(context, &decisions, &options, out);
}

/* What is told depends on nothing but the candidate. */
static ub_status tell(ub_strategy *s, const ub_candidate *candidate)
{
    double value = 0.0, gradient[WEIGHTS];
    ub_result result;

    ub_result_init(&result, sizeof(result), candidate->id);
    for (int d = 0; d < DECISIONS; d++)
        value += sin((double) (candidate->choices[d] * (d + 3)));
    for (int i = 0; i < WEIGHTS && candidate->weights != NULL; i++) {
        value += cos((double) i) * candidate->weights[i];
        gradient[i] = cos((double) i);
    }
    result.objectives = &value;
    result.gradient = candidate->weights != NULL ? gradient : NULL;
    result.violation = value > 1.0 ? value : 0.0;
    result.failed = candidate->id % 11 == 7;
    return ub_strategy_tell(s, 1, &result);
}

/* Up to n candidates, one at a time; each call may be repeated when memory is
 * short, and then goes on as if nothing had been. */
static ub_status go_on(ub_strategy *s, int64_t n)
{
    ub_status status = UB_OK;

    for (int64_t i = 0; i < n && status == UB_OK; i++) {
        ub_candidate candidate = { .size = sizeof(candidate) };
        int64_t given;

        status = ub_strategy_ask(s, 1, &candidate, &given);
        if (status != UB_OK || given == 0)
            break;
        status = tell(s, &candidate);
    }
    return status;
}

static void same(ub_strategy *a, ub_strategy *b)
{
    ub_strategy_stats x = { .size = sizeof(x) }, y = { .size = sizeof(y) };
    int32_t best[2][DECISIONS];
    double p[2][WEIGHTS];
    int64_t n[2];

    ub_strategy_stats_get(a, &x);
    ub_strategy_stats_get(b, &y);
    assert_memory_equal(&x, &y, offsetof(ub_strategy_stats, entropy));
    assert_int_equal(ub_strategy_best(a, 1, best[0], NULL, &n[0]), UB_OK);
    assert_int_equal(ub_strategy_best(b, 1, best[1], NULL, &n[1]), UB_OK);
    assert_int_equal(n[0], n[1]);
    if (n[0] > 0)
        assert_memory_equal(best[0], best[1], sizeof(best[0]));
    if (!(ub_strategy_caps(a) & UB_CAP_DISTRIBUTION))
        return;
    assert_int_equal(ub_strategy_distribution(a, p[0]), UB_OK);
    assert_int_equal(ub_strategy_distribution(b, p[1]), UB_OK);
    assert_memory_equal(p[0], p[1], sizeof(p[0]));
}

/* Saved after any number of candidates and loaded elsewhere, it goes on to the
 * bit, told in another order. */
static void test_saved(void **state)
{
    ub_context *context = test_context(1);
    const char *path = test_path("state");

    (void) state;
    for (int v = 0; v < VARIANTS; v++) {
        for (int64_t at = 0; at < BUDGET; at += 29) {
            ub_strategy *a = NULL, *b = NULL;
            ub_candidate candidates[20];
            int64_t n = 1;

            assert_int_equal(create(context, &variants[v], &a), UB_OK);
            assert_int_equal(create(context, &variants[v], &b), UB_OK);
            assert_int_equal(go_on(a, at), UB_OK);
            assert_int_equal(ub_strategy_save(a, path), UB_OK);
            assert_int_equal(go_on(a, BUDGET), UB_OK);
            assert_true(ub_strategy_finished(a));
            assert_int_equal(ub_strategy_load(b, path), UB_OK);
            for (int i = 0; i < 20; i++)
                candidates[i].size = sizeof(candidates[i]);
            while (n > 0) {
                assert_int_equal(ub_strategy_ask(b, 20, candidates, &n), UB_OK);
                for (int64_t i = n - 1; i >= 0; i--)
                    assert_int_equal(tell(b, &candidates[i]), UB_OK);
            }
            same(a, b);
            ub_strategy_destroy(&a);
            ub_strategy_destroy(&b);
        }
    }
    ub_context_destroy(&context);
}

/* Set the length and the checksum in the header to those of the rest. */
static void seal(uint8_t *file, size_t size)
{
    const size_t rest = size - 20;
    const uint32_t sum = (uint32_t) crc32_z(crc32_z(0, NULL, 0), file + 20,
                                            rest);

    for (int i = 0; i < 8; i++)
        file[8 + i] = (uint8_t) ((uint64_t) rest >> 8 * i);
    for (int i = 0; i < 4; i++)
        file[16 + i] = (uint8_t) (sum >> 8 * i);
}

/* A file whose numbers are not what they were, but whose checksum is right, is
 * refused, or leaves a strategy that goes on and has probabilities. */
static void check_hostile(ub_context *context, const struct variant *variant,
                          int64_t after)
{
    static const uint8_t bytes[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };
    const char *path = test_path("state"), *damaged = test_path("damaged");
    ub_strategy *s = NULL;
    size_t size = 20;
    char *text;

    assert_int_equal(create(context, variant, &s), UB_OK);
    assert_int_equal(go_on(s, after), UB_OK);
    assert_int_equal(ub_strategy_save(s, path), UB_OK);
    ub_strategy_destroy(&s);
    text = test_file_read(path);
    for (int i = 0; i < 4; i++) /* the length of the rest */
        size += (size_t) (uint8_t) text[8 + i] << 8 * i;
    for (size_t at = 20; at < size; at += 5) {
        const char was = text[at];

        text[at] = (char) bytes[at / 5 % 5];
        seal((uint8_t *) text, size);
        test_file_write(damaged, text, size);
        text[at] = was;
        assert_int_equal(create(context, variant, &s), UB_OK);
        if (ub_strategy_load(s, damaged) == UB_OK && go_on(s, 40) == UB_OK &&
            (ub_strategy_caps(s) & UB_CAP_DISTRIBUTION)) {
            double p[WEIGHTS];

            assert_int_equal(ub_strategy_distribution(s, p), UB_OK);
            for (int i = 0; i < WEIGHTS; i++)
                assert_true(p[i] >= 0.0 && p[i] <= 1.0 + 1e-12);
        }
        ub_strategy_destroy(&s);
    }
    free(text);
}

static void test_hostile(void **state)
{
    ub_context *context = test_context(1);

    (void) state;
    for (int v = 0; v < VARIANTS; v++) {
        check_hostile(context, &variants[v], 0);
        check_hostile(context, &variants[v], 23);
    }
    ub_context_destroy(&context);
}

/* -- out of memory -------------------------------------------------------- */

/* Saves take their time: one variant stands for all in that. */
#define SAVED (&variants[3])

static ub_status scenario(ub_context *context, void *arg)
{
    const char *path = test_path("state");
    ub_strategy *s = NULL;
    ub_status status = create(context, arg, &s);

    if (status == UB_OK)
        status = go_on(s, 40);
    if (status == UB_OK && arg == (void *) SAVED)
        status = ub_strategy_save(s, path);
    if (status == UB_OK)
        status = ub_strategy_load(s, path);
    if (status == UB_OK)
        status = go_on(s, 20);
    ub_strategy_destroy(&s);
    return status;
}

static void test_out_of_memory(void **state)
{
    ub_context *context = test_context(1);

    (void) state;
    for (int v = 0; v < VARIANTS; v++) {
        ub_strategy *s = NULL;

        assert_int_equal(create(context, &variants[v], &s), UB_OK);
        assert_int_equal(go_on(s, 40), UB_OK);
        assert_int_equal(ub_strategy_save(s, test_path("state")), UB_OK);
        ub_strategy_destroy(&s);
        assert_survives_oom(scenario, 1, (void *) &variants[v]);
    }
    ub_context_destroy(&context);
}

/* A call that ran out of memory is repeated, and everything is as if it had
 * not: the same strategy with memory enough is asked and told alongside. */
static void check_repeated(const struct variant *variant, int64_t spare)
{
    struct test_allocator failing;
    ub_allocator allocator;
    ub_context_options options;
    ub_context *context = NULL, *plenty = test_context(1);
    ub_strategy *a = NULL, *b = NULL;

    test_allocator_init(&failing, -1, &allocator);
    ub_context_options_init(&options, sizeof(options));
    options.allocator = &allocator;
    options.threads = 1;
    assert_int_equal(ub_context_create(&options, &context), UB_OK);
    assert_int_equal(create(context, variant, &a), UB_OK);
    assert_int_equal(create(plenty, variant, &b), UB_OK);
    for (int64_t i = 0; i < BUDGET; i++) {
        ub_candidate candidate = { .size = sizeof(candidate) };
        int64_t n;
        ub_status status;

        failing.fail_at = failing.count + i % spare;
        status = ub_strategy_ask(a, 1, &candidate, &n);
        failing.fail_at = -1;
        if (status != UB_OK) {
            assert_int_equal(status, UB_ERR_NOMEM);
            assert_int_equal(ub_strategy_ask(a, 1, &candidate, &n), UB_OK);
        }
        if (n > 0) {
            failing.fail_at = failing.count + i % spare;
            status = tell(a, &candidate);
            failing.fail_at = -1;
            if (status != UB_OK) {
                assert_int_equal(status, UB_ERR_NOMEM);
                assert_int_equal(tell(a, &candidate), UB_OK);
            }
        }
        assert_int_equal(go_on(b, 1), UB_OK);
        same(a, b);
    }
    assert_true(failing.count > 0);
    ub_strategy_destroy(&a);
    ub_strategy_destroy(&b);
    ub_context_destroy(&context);
    ub_context_destroy(&plenty);
}

static void test_repeated(void **state)
{
    (void) state;
    for (int v = 0; v < VARIANTS; v++)
        for (int64_t spare = 1; spare < 12; spare++)
            check_repeated(&variants[v], spare);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_saved),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_repeated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
