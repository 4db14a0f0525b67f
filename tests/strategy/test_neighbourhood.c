/* SPDX-License-Identifier: BSD-2-Clause */
#include "strategy/distribution.h"
#include "support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const int32_t maximize = UB_MAXIMIZE;

/* Those of two, four and six choices are ordered. */
static const int32_t sizes[] = { 3, 1, 4, 2, 5, 6 };
static const int32_t ordered[] = { 0, 0, 1, 1, 0, 1 };
#define DECISIONS  6
#define CANDIDATES (3 * 1 * 4 * 2 * 5 * 6)
#define WEIGHTS    21

static ub_strategy_options options_of(int32_t kind, int64_t neighbours,
                                      int64_t radius)
{
    ub_strategy_options options;

    ub_strategy_options_init(&options, sizeof(options));
    options.kind = kind;
    options.neighbours = neighbours;
    options.radius = radius;
    return options;
}

static ub_strategy *create(ub_context *context,
                           const ub_strategy_options *options)
{
    const ub_decisions decisions = { .size = sizeof(decisions),
                                     .n = DECISIONS,
                                     .choices = sizes,
                                     .ordered = ordered };
    ub_strategy *s = NULL;

    assert_int_equal(ub_strategy_create(context, &decisions, options, &s),
                     UB_OK);
    return s;
}

static int64_t number_of(const int32_t *choices)
{
    int64_t number = 0;

    for (int64_t d = 0; d < DECISIONS; d++)
        number = number * sizes[d] + choices[d];
    return number;
}

static void candidate_of(int64_t number, int32_t *choices)
{
    for (int64_t d = DECISIONS - 1; d >= 0; d--) {
        choices[d] = (int32_t) (number % sizes[d]);
        number /= sizes[d];
    }
}

/* How many decisions differ; many if an ordered one does by more than a level.
 */
static int64_t distance(const int32_t *a, const int32_t *b)
{
    int64_t sum = 0;

    for (int64_t d = 0; d < DECISIONS; d++) {
        const int32_t by = a[d] > b[d] ? a[d] - b[d] : b[d] - a[d];

        sum += by > 0;
        sum += ordered[d] && by > 1 ? 100 : 0;
    }
    return sum;
}

/* All there are within a radius, by enumeration. */
static int64_t there_are(const int32_t *centre, int64_t radius)
{
    int32_t choices[DECISIONS];
    int64_t sum = -1;

    for (int64_t i = 0; i < CANDIDATES; i++) {
        candidate_of(i, choices);
        sum += distance(centre, choices) <= radius;
    }
    return sum;
}

/* Ask for all of a batch, and tell each sin(its number). */
static void run_batch(ub_strategy *s)
{
    ub_candidate candidate = { .size = sizeof(candidate) };
    int64_t n;

    for (;;) {
        ub_result result;
        double value;

        assert_int_equal(ub_strategy_ask(s, 1, &candidate, &n), UB_OK);
        if (n == 0)
            return;
        ub_result_init(&result, sizeof(result), candidate.id);
        value = sin((double) number_of(candidate.choices));
        result.objectives = &value;
        assert_int_equal(ub_strategy_tell(s, 1, &result), UB_OK);
    }
}

/* -- which there are ------------------------------------------------------ */

/* The neighbours of a batch of random centres: different from each other and
 * from the centre, within the radius, as many as are wanted or exist. Counts
 * how often each candidate comes. */
static void check_batch(ub_strategy *s, int64_t *seen)
{
    const ub__batch *b = &s->batch;
    const int32_t *centre = NULL;
    int64_t n = 0, id = -1, wanted = 0;

    for (int64_t i = 0; i < b->n; i++) {
        const int32_t *choices = b->choices + i * DECISIONS;

        if (!ub__is_neighbour(b, i)) {
            assert_int_equal(n, wanted);
            centre = choices;
            id = b->first + i;
            n = 0;
            wanted = there_are(centre, s->options.radius);
            if (wanted > s->options.neighbours)
                wanted = s->options.neighbours;
            assert_int_equal(b->parents[i], -1);
            continue;
        }
        assert_int_equal(b->parents[i], id);
        assert_in_range(distance(centre, choices), 1, s->options.radius);
        for (int64_t k = i - n; k < i; k++)
            assert_true(distance(b->choices + k * DECISIONS, choices) > 0);
        seen[number_of(choices)]++;
        n++;
    }
    assert_int_equal(n, wanted);
}

static void test_neighbours(void **state)
{
    static const int64_t wanted[] = { 1, 3, 9, 40, 1000 };
    ub_context *context = test_context(1);
    int64_t seen[CANDIDATES];

    (void) state;
    for (int64_t radius = 1; radius <= 8; radius += radius < 3 ? 1 : 5) {
        for (int i = 0; i < 5; i++) {
            ub_strategy_options options = options_of(UB_STRATEGY_RANDOM,
                                                     wanted[i], radius);
            ub_candidate candidate = { .size = sizeof(candidate) };
            ub_strategy *s;
            int64_t n;

            options.batch = 20;
            options.budget = 1 << 20;
            s = create(context, &options);
            assert_int_equal(ub_strategy_ask(s, 1, &candidate, &n), UB_OK);
            assert_int_equal(s->inner.n, 20);
            memset(seen, 0, sizeof(seen));
            check_batch(s, seen);
            ub_strategy_destroy(&s);
        }
    }
    ub_context_destroy(&context);
}

/* All neighbours of a centre are as likely, in both ways they are drawn: over
 * 4,000 seeds each comes as often as it should, within five standard
 * deviations. */
static void check_uniform(int64_t neighbours, int64_t radius)
{
    ub_context *context = test_context(1);
    int32_t centre[DECISIONS] = { 1, 0, 1, 0, 2, 3 };
    const int64_t there = there_are(centre, radius);
    const int rounds = 4000;
    int64_t seen[CANDIDATES] = { 0 };
    double p = (double) neighbours / (double) there;

    for (int round = 0; round < rounds; round++) {
        ub_strategy_options options = options_of(UB_STRATEGY_RANDOM, neighbours,
                                                 radius);
        ub_strategy *s;

        options.seed = (uint64_t) round;
        s = create(context, &options);
        assert_int_equal(ub__batch_add(context, &s->inner, centre, NULL, -1),
                         UB_OK);
        assert_int_equal(ub__neighbourhood_expand(s), UB_OK);
        check_batch(s, seen);
        ub_strategy_destroy(&s);
    }
    for (int64_t i = 0; i < CANDIDATES; i++) {
        int32_t choices[DECISIONS];
        int64_t at;

        candidate_of(i, choices);
        at = distance(centre, choices);
        if (at < 1 || at > radius)
            assert_int_equal(seen[i], 0);
        else
            assert_close((double) seen[i], rounds * p,
                         5.0 * sqrt(rounds * p * (1.0 - p)));
    }
    ub_context_destroy(&context);
}

static void test_uniform(void **state)
{
    (void) state;
    check_uniform(1, 1); /* drawn anew when repeated */
    check_uniform(2, 2);
    check_uniform(3, 3);
    check_uniform(5, 1); /* numbered and shuffled */
    check_uniform(20, 2);
}

/* With and without neighbours a random search has the same centres. */
static void test_same_centres(void **state)
{
    ub_context *context = test_context(1);
    ub_strategy_options options = options_of(UB_STRATEGY_RANDOM, 0, 1);
    ub_strategy *alone, *with;

    (void) state;
    options.batch = 30;
    alone = create(context, &options);
    options.neighbours = 4;
    with = create(context, &options);
    run_batch(alone);
    for (int k = 0; k < 5; k++) {
        ub_candidate candidate = { .size = sizeof(candidate) };
        int64_t n;

        assert_int_equal(ub_strategy_ask(with, 1, &candidate, &n), UB_OK);
        assert_int_equal(with->inner.n, 30);
        assert_memory_equal(with->inner.choices,
                            alone->history.choices + 30 * k * DECISIONS,
                            30 * DECISIONS * sizeof(int32_t));
        do {
            const double value = 0.0;
            ub_result result;

            ub_result_init(&result, sizeof(result), candidate.id);
            result.objectives = &value;
            assert_int_equal(ub_strategy_tell(with, 1, &result), UB_OK);
            if (with->batch.told == with->batch.n)
                break;
            assert_int_equal(ub_strategy_ask(with, 1, &candidate, &n), UB_OK);
        } while (n > 0);
    }
    ub_strategy_destroy(&with);
    ub_strategy_destroy(&alone);
    ub_context_destroy(&context);
}

/* The budget counts all, and only whole neighbourhoods are asked for. */
static void test_budget(void **state)
{
    ub_context *context = test_context(1);

    (void) state;
    for (int64_t budget = 1; budget < 60; budget++) {
        ub_strategy_options options = options_of(UB_STRATEGY_RANDOM, 1000, 1);
        ub_strategy_stats stats = { .size = sizeof(stats) };
        int32_t best[DECISIONS];
        ub_strategy *s;
        int64_t n;

        options.budget = budget;
        options.batch = 7;
        s = create(context, &options);
        run_batch(s);
        assert_true(ub_strategy_finished(s));
        ub_strategy_stats_get(s, &stats);
        assert_true(stats.told <= budget);
        assert_true(stats.told > budget - 14 || stats.told == 0);
        assert_int_equal(ub_strategy_best(s, 1, best, NULL, &n), UB_OK);
        assert_int_equal(n, stats.told > 0);
        ub_strategy_destroy(&s);
    }
    ub_context_destroy(&context);
}

/* -- what they say together ----------------------------------------------- */

/* One centre and five neighbours with these results. */
struct story {
    double objectives[6], others[6], violations[6], likelihoods[6];
    int32_t failed[6];
};

static void tell_story(ub_strategy *s, const struct story *story)
{
    ub_candidate candidates[6];
    int64_t n;

    for (int i = 0; i < 6; i++)
        candidates[i].size = sizeof(candidates[i]);
    assert_int_equal(ub_strategy_ask(s, 6, candidates, &n), UB_OK);
    assert_int_equal(n, 6);
    for (int k = 5; k >= 0; k--) {
        const int i = (k * 5 + 3) % 6; /* in some other order */
        const double objectives[] = { story->objectives[i], story->others[i] };
        ub_result result;

        ub_result_init(&result, sizeof(result), candidates[i].id);
        result.objectives = objectives;
        result.violation = story->violations[i];
        result.log_likelihood = story->likelihoods[i];
        result.failed = story->failed[i];
        assert_int_equal(ub_strategy_tell(s, 1, &result), UB_OK);
    }
}

static const struct story example = {
    .objectives = { 5, 1, 8, 2, 100, 4 },
    .others = { 0, -1, -2, -3, -100, -4 },
    .violations = { 0, 0, 1, 0, 100, 4 },
    .likelihoods = { -1, -2, -3, -4, -100, -5 },
    .failed = { 0, 0, 0, 0, 1, 0 },
};

static void check_story(int32_t how, const struct story *story,
                        const double *expected)
{
    static const int32_t directions[] = { UB_MINIMIZE, UB_MAXIMIZE };
    ub_context *context = test_context(1);
    ub_strategy_options options = options_of(UB_STRATEGY_PARSEC, 5, 1);
    int32_t best[DECISIONS];
    ub_strategy *s;
    int64_t n;

    options.objectives = 2;
    options.directions = directions;
    options.samples = 1;
    options.aggregate = how;
    s = create(context, &options);
    tell_story(s, story);
    assert_int_equal(s->inner.n, 1);
    if (story->failed[0]) {
        assert_true(s->inner.flags[0] & UB__FAILED);
        assert_true(s->inner.violations[0] == INFINITY);
        assert_true(isnan(s->inner.objectives[0]));
        assert_true(s->history.violations[0] == INFINITY);
    } else {
        assert_false(s->inner.flags[0] & UB__FAILED);
        assert_close(s->inner.objectives[0], expected[0], 1e-14);
        assert_close(s->inner.objectives[1], expected[1], 1e-14);
        assert_close(s->inner.violations[0], expected[2], 1e-14);
        if (isnan(expected[3]))
            assert_true(isnan(s->inner.likelihoods[0]));
        else
            assert_close(s->inner.likelihoods[0], expected[3], 1e-14);
        assert_true(s->history.violations[0] == s->inner.violations[0]);
        assert_true(s->history.objectives[0] == s->inner.objectives[0]);
    }
    for (int i = 1; i < 6; i++)
        assert_true(s->history.violations[i] == INFINITY);
    assert_int_equal(s->history.n, 6);
    assert_int_equal(ub_strategy_best(s, 1, best, NULL, &n), UB_OK);
    ub_strategy_destroy(&s);
    ub_context_destroy(&context);
}

static void test_aggregates(void **state)
{
    const double mean[] = { 4, -2, 1, -3 };
    const double median[] = { 4, -2, 0, -3 };
    const double worst[] = { 8, -4, 4, -5 };
    const double median_of_four[] = { 2, -3, 0, -4 };
    const double unknown[] = { 4, -2, 1, NAN };
    struct story story = example;

    (void) state;
    check_story(UB_AGGREGATE_MEAN, &example, mean);
    check_story(UB_AGGREGATE_MEDIAN, &example, median);
    check_story(UB_AGGREGATE_WORST, &example, worst);
    story.likelihoods[3] = NAN;
    check_story(UB_AGGREGATE_MEAN, &story, unknown);
    story = example;
    story.failed[2] = 1; /* 5 1 2 4; 0 -1 -3 -4; 0 0 0 4; -1 -2 -4 -5 */
    check_story(UB_AGGREGATE_MEDIAN, &story, median_of_four);
    story.failed[0] = 1;
    check_story(UB_AGGREGATE_MEAN, &story, NULL);
}

/* The best is that of the best neighbourhood, not the best of all, and comes
 * with what its neighbourhood says. */
static void test_best(void **state)
{
    ub_context *context = test_context(1);
    ub_strategy_options options = options_of(UB_STRATEGY_RANDOM, 4, 1);
    double best_mean = -INFINITY, objective;
    int32_t best[DECISIONS], expected[DECISIONS];
    ub_strategy *s;
    int64_t n;

    (void) state;
    options.directions = &maximize;
    options.budget = 200;
    s = create(context, &options);
    run_batch(s);
    assert_int_equal(s->history.n, 200);
    for (int64_t i = 0; i < 200; i += 5) {
        double sum = 0.0;

        for (int64_t k = i; k < i + 5; k++)
            sum += sin((double) number_of(s->history.choices + k * DECISIONS)) /
                   5.0;
        if (sum > best_mean) {
            best_mean = sum;
            memcpy(expected, s->history.choices + i * DECISIONS,
                   sizeof(expected));
        }
    }
    assert_int_equal(ub_strategy_best(s, 1, best, &objective, &n), UB_OK);
    assert_int_equal(n, 1);
    assert_memory_equal(best, expected, sizeof(best));
    assert_close(objective, best_mean, 1e-15);
    ub_strategy_destroy(&s);
    ub_context_destroy(&context);
}

/* Two centres with a neighbour each; what is known of the first centre came
 * last, and found no memory; it is told anew, and has failed this time. Whether
 * there was too little memory. */
static int check_told_anew(int64_t fail_at)
{
    const double good = 0.0, bad = 1.0;
    struct test_allocator memory;
    ub_allocator allocator;
    ub_context_options context_options;
    ub_context *context = NULL;
    ub_strategy_options options = options_of(UB_STRATEGY_NSGA2, 1, 1);
    ub_candidate c[4];
    ub_result result;
    int32_t best[DECISIONS];
    double objective;
    ub_status status;
    ub_strategy *s;
    int64_t n;

    test_allocator_init(&memory, -1, &allocator);
    ub_context_options_init(&context_options, sizeof(context_options));
    context_options.allocator = &allocator;
    assert_int_equal(ub_context_create(&context_options, &context), UB_OK);
    options.population = 2;
    s = create(context, &options);
    for (int i = 0; i < 4; i++)
        c[i].size = sizeof(c[i]);
    assert_int_equal(ub_strategy_ask(s, 4, c, &n), UB_OK);
    assert_int_equal(n, 4);
    for (int i = 3; i > 0; i--) {
        ub_result_init(&result, sizeof(result), c[i].id);
        result.objectives = &bad;
        assert_int_equal(ub_strategy_tell(s, 1, &result), UB_OK);
    }
    ub_result_init(&result, sizeof(result), c[0].id);
    result.objectives = &good;
    memory.fail_at = memory.count + fail_at;
    status = ub_strategy_tell(s, 1, &result);
    memory.fail_at = -1;
    if (status != UB_OK) {
        assert_int_equal(status, UB_ERR_NOMEM);
        result.failed = 1;
        assert_int_equal(ub_strategy_tell(s, 1, &result), UB_OK);
        assert_int_equal(ub_strategy_best(s, 1, best, &objective, &n), UB_OK);
        assert_close(objective, bad, 0.0);
    }
    ub_strategy_destroy(&s);
    ub_context_destroy(&context);
    return status != UB_OK;
}

static void test_told_anew(void **state)
{
    int64_t fail_at = 0;

    (void) state;
    while (check_told_anew(fail_at))
        fail_at++;
    assert_true(fail_at > 10); /* so many allocations there are */
}

/* -- relaxed candidates --------------------------------------------------- */

/* One-hot weights become one-hot neighbours within the radius, or themselves
 * at the end of an ordered decision; any weights stay weights; and the gradient
 * that comes back is the mean of the transposed maps: with a linear function
 * of gradients g_i of candidate i's weights A_i w its value at w is the sum of
 * the values over how many there are. */
static void test_relaxed(void **state)
{
    ub_context *context = test_context(1);
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 5, 0);
    for (int64_t round = 0; round < 30; round++) {
        ub_strategy_options options = options_of(
            UB_STRATEGY_GUMBEL, 2 + 5 * (round % 3), 1 + round % 4);
        ub_candidate candidate = { .size = sizeof(candidate) };
        double values = 0.0, told = 0.0, value = 0.0;
        ub_strategy *s;
        int64_t n;

        options.seed = (uint64_t) round;
        options.temperature_floor = 1e-9;
        options.temperature = round % 2 ? 1e-9 : 1.0;
        s = create(context, &options);
        for (int64_t i = 0; s->batch.told < s->batch.n || i == 0; i++) {
            double gradient[WEIGHTS];
            ub_result result;

            assert_int_equal(ub_strategy_ask(s, 1, &candidate, &n), UB_OK);
            assert_int_equal(n, 1);
            ub_result_init(&result, sizeof(result), candidate.id);
            for (int k = 0; k < WEIGHTS; k++) {
                gradient[k] = ub_rng_normal(&rng);
                value += gradient[k] * candidate.weights[k];
            }
            if (i > 0)
                assert_int_equal(candidate.parent, 0);
            if (round % 2) /* the weights are 0 and 1 */
                assert_true(distance(candidate.choices, s->batch.choices) <=
                            options.radius);
            result.objectives = &value;
            result.gradient = gradient;
            result.failed = i % 4 == 2;
            if (!result.failed) {
                for (int k = 0; k < WEIGHTS; k++)
                    values += gradient[k] * candidate.weights[k];
                told += 1.0;
            }
            assert_int_equal(ub_strategy_tell(s, 1, &result), UB_OK);
        }
        value = 0.0;
        for (int k = 0; k < WEIGHTS; k++)
            value += s->inner.gradients[k] * s->inner.weights[k];
        assert_close(value, values / told, 1e-13);
        ub_strategy_destroy(&s);
    }
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_neighbours),   cmocka_unit_test(test_uniform),
        cmocka_unit_test(test_same_centres), cmocka_unit_test(test_budget),
        cmocka_unit_test(test_aggregates),   cmocka_unit_test(test_best),
        cmocka_unit_test(test_told_anew),    cmocka_unit_test(test_relaxed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
