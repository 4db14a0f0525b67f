/* SPDX-License-Identifier: BSD-2-Clause */
#include "strategy/distribution.h"
#include "support.h"
#include "tables.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Neighbourhood-aware search on NAS-Bench-201: every cell has 24 neighbours
 * that differ in one edge. The signal is the validation accuracy after 12
 * epochs, the judge the test accuracy after 200. */

#define NEIGHBOURS 24

static const int32_t five[] = { 5, 5, 5, 5, 5, 5 };
static const int32_t maximize = UB_MAXIMIZE;

static void neighbours_of(int64_t code, int64_t *out)
{
    int64_t place = 1, n = 0;

    for (int e = 0; e < NB201_EDGES; e++, place *= NB201_OPERATORS) {
        const int64_t digit = code / place % NB201_OPERATORS;

        for (int64_t op = 0; op < NB201_OPERATORS; op++) {
            if (op != digit)
                out[n++] = code + (op - digit) * place;
        }
    }
    assert_int_equal(n, NEIGHBOURS);
}

/* (V + sum of V over the neighbours) / 25 */
static void smooth(const double *table, double *out)
{
    for (int64_t code = 0; code < NB201_CELLS; code++) {
        int64_t near[NEIGHBOURS];
        double sum = table[code];

        neighbours_of(code, near);
        for (int i = 0; i < NEIGHBOURS; i++)
            sum += table[near[i]];
        out[code] = sum / (NEIGHBOURS + 1);
    }
}

/* NA-1: the mean of a neighbourhood ranks cells better than the cell alone. */
static void test_ranks(void **state)
{
    struct nb201 *tables = nb201_read();
    double *smoothed = malloc(NB201_CELLS * sizeof(*smoothed));
    ub_context *context;

    (void) state;
    if (tables == NULL) {
        free(smoothed);
        skip();
    }
    context = test_context(1);
    for (int k = 0; k < NB201_DATASETS; k++) {
        double alone, together;

        smooth(tables->val12[k], smoothed);
        assert_int_equal(ub_kendall_tau(context, NB201_CELLS, tables->val12[k],
                                        tables->test200[k], &alone),
                         UB_OK);
        assert_int_equal(ub_kendall_tau(context, NB201_CELLS, smoothed,
                                        tables->test200[k], &together),
                         UB_OK);
        print_message("tau %.4f -> %.4f\n", alone, together);
        assert_true(together >= alone + 0.02);
    }
    ub_context_destroy(&context);
    free(smoothed);
    free(tables);
}

/* An evaluator with normal noise on the signal, the same whenever a cell comes.
 * A standard deviation of 5 points is as unreliable as shared weights. */
struct noisy {
    const double *signal;
    double noise;
    uint64_t seed;
    double value;
};

static ub_status evaluate(void *user, const ub_candidate *candidate,
                          ub_result *result)
{
    struct noisy *noisy = user;
    const int64_t code = nb201_code(candidate->choices);
    ub_rng rng;

    ub_rng_init(&rng, noisy->seed, (uint64_t) code);
    noisy->value = noisy->signal[code] + noisy->noise * ub_rng_normal(&rng);
    result->objectives = &noisy->value;
    return UB_OK;
}

/* The cell a random search answers with. */
static int64_t found(ub_context *context, const double *signal, double noise,
                     uint64_t seed, int64_t centres, int64_t neighbours)
{
    const ub_decisions decisions = { .size = sizeof(decisions),
                                     .n = NB201_EDGES,
                                     .choices = five };
    struct noisy noisy = { .signal = signal,
                           .noise = noise,
                           .seed = seed + 1000000 };
    ub_strategy_options options;
    ub_strategy *strategy = NULL;
    int32_t best[NB201_EDGES];
    int64_t n;

    ub_strategy_options_init(&options, sizeof(options));
    options.kind = UB_STRATEGY_RANDOM;
    options.seed = seed;
    options.directions = &maximize;
    options.neighbours = neighbours;
    options.batch = centres;
    options.budget = centres * (1 + neighbours);
    assert_int_equal(
        ub_strategy_create(context, &decisions, &options, &strategy), UB_OK);
    assert_int_equal(ub_strategy_run(strategy, evaluate, &noisy), UB_OK);
    assert_int_equal(ub_strategy_best(strategy, 1, best, NULL, &n), UB_OK);
    ub_strategy_destroy(&strategy);
    return nb201_code(best);
}

/* Standard deviation of the test accuracy among the neighbours of a cell. */
static double spread(const double *test, int64_t code)
{
    int64_t near[NEIGHBOURS];
    double sum = 0.0, squares = 0.0;

    neighbours_of(code, near);
    for (int i = 0; i < NEIGHBOURS; i++)
        sum += test[near[i]] / NEIGHBOURS;
    for (int i = 0; i < NEIGHBOURS; i++)
        squares += (test[near[i]] - sum) * (test[near[i]] - sum);
    return sqrt(squares / NEIGHBOURS);
}

/* Means over seeds 1, 2, 3, ... of random search with 100 candidates, with
 * 1,100, and with 100 and ten neighbours of each. */
struct means {
    double accuracy[3], spread[3];
};

static struct means search(ub_context *context, const struct nb201 *tables,
                           int k, double noise, uint64_t seeds)
{
    static const int64_t centres[] = { 100, 1100, 100 };
    static const int64_t neighbours[] = { 0, 0, 10 };
    struct means of = { { 0.0 }, { 0.0 } };

    for (uint64_t seed = 1; seed <= seeds; seed++) {
        for (int i = 0; i < 3; i++) {
            const int64_t code = found(context, tables->val12[k], noise, seed,
                                       centres[i], neighbours[i]);

            of.accuracy[i] += tables->test200[k][code] / (double) seeds;
            of.spread[i] += spread(tables->test200[k], code) / (double) seeds;
        }
    }
    print_message("accuracy %.3f, %.3f, with neighbours %.3f; spread %.3f, "
                  "%.3f, %.3f\n",
                  of.accuracy[0], of.accuracy[1], of.accuracy[2], of.spread[0],
                  of.spread[1], of.spread[2]);
    return of;
}

/* NA-2: with neighbours no worse at equal evaluations, at as many candidates
 * better by half a point and flatter by a tenth. Without noise it is worse at
 * equal evaluations, which the manual says, too. */
static void test_random_search(void **state)
{
    struct nb201 *tables = nb201_read();
    ub_context *context;
    struct means of;

    (void) state;
    if (tables == NULL)
        skip();
    context = test_context(1);
    for (int k = 0; k < NB201_DATASETS; k++) {
        of = search(context, tables, k, 5.0, 1000);
        assert_true(of.accuracy[2] >= of.accuracy[1]);
        assert_true(of.accuracy[2] >= of.accuracy[0] + 0.5);
        assert_true(of.spread[2] <= 0.9 * of.spread[0]);
    }
    of = search(context, tables, NB201_CIFAR10, 0.0, 200);
    assert_true(of.accuracy[2] < of.accuracy[1]);
    ub_context_destroy(&context);
    free(tables);
}

/* -- NA-3: relaxed candidates -------------------------------------------- */

#define WEIGHTS (NB201_EDGES * NB201_OPERATORS)

/* The expected value of a table over cells whose edges are independent, which
 * is linear in the probabilities of each edge, and its gradient by all of them.
 * rest: the table averaged over the edges behind the first e of a cell; before:
 * the probability of the first e choices. */
static double expectation(const double *table, const double *p,
                          double *gradient)
{
    static double rest[NB201_EDGES + 1][NB201_CELLS];
    static double before[NB201_EDGES + 1][NB201_CELLS];
    int64_t cells = NB201_CELLS;

    memcpy(rest[NB201_EDGES], table, sizeof(rest[0]));
    for (int e = NB201_EDGES - 1; e >= 0; e--) {
        cells /= NB201_OPERATORS;
        for (int64_t i = 0; i < cells; i++) {
            rest[e][i] = 0.0;
            for (int o = 0; o < NB201_OPERATORS; o++)
                rest[e][i] += p[e * NB201_OPERATORS + o] *
                              rest[e + 1][i * NB201_OPERATORS + o];
        }
    }
    before[0][0] = 1.0;
    memset(gradient, 0, WEIGHTS * sizeof(*gradient));
    for (int e = 0; e < NB201_EDGES; e++, cells *= NB201_OPERATORS) {
        for (int64_t i = 0; i < cells * NB201_OPERATORS; i++) {
            const int64_t o = e * NB201_OPERATORS + i % NB201_OPERATORS;

            before[e + 1][i] = before[e][i / NB201_OPERATORS] * p[o];
            gradient[o] += before[e][i / NB201_OPERATORS] * rest[e + 1][i];
        }
    }
    return rest[0][0];
}

/* Ascent by the logits from the uniform distribution; the rank by `test` of
 * the cell it comes to. */
static int rank_of_ascent(const double *table, const double *test, double rate,
                          int steps)
{
    double logits[WEIGHTS] = { 0.0 }, p[WEIGHTS], gradient[WEIGHTS];
    int64_t code = 0;
    int rank = 1;

    for (int step = 0; step < steps; step++) {
        for (int e = 0; e < NB201_EDGES; e++)
            ub__softmax(logits + e * NB201_OPERATORS, NB201_OPERATORS,
                        p + e * NB201_OPERATORS);
        expectation(table, p, gradient);
        for (int i = 0; i < WEIGHTS; i++) {
            const int first = i - i % NB201_OPERATORS;
            double mean = 0.0;

            for (int k = first; k < first + NB201_OPERATORS; k++)
                mean += p[k] * gradient[k];
            logits[i] += rate * p[i] * (gradient[i] - mean);
        }
    }
    for (int e = 0; e < NB201_EDGES; e++) {
        const double *of = logits + e * NB201_OPERATORS;
        int best = 0;

        for (int o = 1; o < NB201_OPERATORS; o++)
            best = of[o] > of[best] ? o : best;
        code = code * NB201_OPERATORS + best;
    }
    for (int64_t i = 0; i < NB201_CELLS; i++)
        rank += test[i] > test[code];
    return rank;
}

/* Plain ascent and that with neighbours; what came out in a prototype. */
static void test_ascent(void **state)
{
    static const int plain[] = { 1, 7, 18 }, together[] = { 1, 1, 26 };
    struct nb201 *tables = nb201_read();
    double *smoothed = malloc(NB201_CELLS * sizeof(*smoothed));

    (void) state;
    if (tables == NULL) {
        free(smoothed);
        skip();
    }
    for (int k = 0; k < NB201_DATASETS; k++) {
        const double *test = tables->test200[k];

        smooth(tables->val12[k], smoothed);
        assert_int_equal(rank_of_ascent(tables->val12[k], test, 0.25, 200),
                         plain[k]);
        assert_int_equal(rank_of_ascent(smoothed, test, 0.25, 200),
                         together[k]);
    }
    free(smoothed);
    free(tables);
}

/* The table if it is there, otherwise one of random numbers. */
static void read_or_draw(double *table)
{
    struct nb201 *tables = nb201_read();
    ub_rng rng;

    ub_rng_init(&rng, 1, 0);
    for (int64_t code = 0; code < NB201_CELLS; code++)
        table[code] = tables != NULL ? tables->val12[0][code]
                                     : 100.0 * ub_rng_uniform(&rng);
    free(tables);
}

/* What all neighbours say together of a relaxed cell is what the smoothed table
 * says: value and gradient, up to the rounding of numbers below 100. */
static void test_identity(void **state)
{
    const ub_decisions decisions = { .size = sizeof(decisions),
                                     .n = NB201_EDGES,
                                     .choices = five };
    ub_context *context = test_context(1);
    double *table = malloc(2 * NB201_CELLS * sizeof(*table));
    double *smoothed = table + NB201_CELLS, value, gradient[WEIGHTS];
    ub_candidate candidate = { .size = sizeof(candidate) };
    ub_strategy_options options;
    ub_strategy *s = NULL;
    int64_t n;

    (void) state;
    read_or_draw(table);
    smooth(table, smoothed);
    ub_strategy_options_init(&options, sizeof(options));
    options.kind = UB_STRATEGY_GUMBEL;
    options.directions = &maximize;
    options.neighbours = NEIGHBOURS;
    assert_int_equal(ub_strategy_create(context, &decisions, &options, &s),
                     UB_OK);
    for (int step = 0; step < 5; step++) {
        for (int i = 0; i <= NEIGHBOURS; i++) {
            ub_result result;

            assert_int_equal(ub_strategy_ask(s, 1, &candidate, &n), UB_OK);
            assert_int_equal(n, 1);
            ub_result_init(&result, sizeof(result), candidate.id);
            value = expectation(table, candidate.weights, gradient);
            result.objectives = &value;
            result.gradient = gradient;
            assert_int_equal(ub_strategy_tell(s, 1, &result), UB_OK);
        }
        assert_int_equal(s->inner.n, 1);
        value = expectation(smoothed, s->inner.weights, gradient);
        assert_close(s->inner.objectives[0], value, 1e-12);
        for (int i = 0; i < WEIGHTS; i++)
            assert_close(s->inner.gradients[i], gradient[i], 1e-12);
    }
    ub_strategy_destroy(&s);
    ub_context_destroy(&context);
    free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ranks),
        cmocka_unit_test(test_random_search),
        cmocka_unit_test(test_ascent),
        cmocka_unit_test(test_identity),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
