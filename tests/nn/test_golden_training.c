/* SPDX-License-Identifier: BSD-2-Clause */

/*
 * Optimizer and schedule cases of tests/golden/ops.json, or of the file of that
 * name in $UBOOST_GOLDEN, computed in double precision.
 * Everything in a case must be understood: an unknown word, parameter or
 * member is a failure, not something to skip.
 */

#include "fixture.h"

#include "base/base.h"

#include <uboost/nn.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Relative to 1 + |p|. Each step rounds the value once and the update some
 * five times, 2^-24 each; the golden values are printed to nine digits. Errors
 * of up to a dozen steps add up. */
#define VALUE_TOLERANCE 1e-6
/* Schedules are computed in double precision. */
#define RATE_TOLERANCE  1e-12

static const char *const no_words[] = { NULL };

static void assert_members(const json_t *object, const char *const *known)
{
    const char *key;
    json_t *value;

    assert_true(json_is_object(object));
    json_object_foreach((json_t *) object, key, value)
    {
        int found = 0;

        for (int i = 0; known[i] != NULL; i++)
            found |= strcmp(key, known[i]) == 0;
        if (!found)
            fail_msg("unknown member \"%s\"", key);
    }
}

static double number_at(const char *text, const char **end)
{
    char *stop;
    double value = strtod(text, &stop);

    if (stop == text)
        fail_msg("no number: \"%s\"", text);
    *end = stop;
    return value;
}

/* One "key=value" word; two numbers are separated by a comma. */
typedef struct word {
    char key[32];
    char text[32];
    double numbers[2];
    int count;
} word;

/* The next word of *text, which moves behind it; 0 at the end. */
static int next_word(const char **text, word *out)
{
    size_t size;
    const char *equals, *at;

    *text += strspn(*text, " ");
    size = strcspn(*text, " ");
    if (size == 0)
        return 0;
    memset(out, 0, sizeof *out);
    equals = memchr(*text, '=', size);
    assert_true(size < sizeof out->text);
    memcpy(out->key, *text, equals != NULL ? (size_t) (equals - *text) : size);
    if (equals != NULL) {
        memcpy(out->text, equals + 1, size - (size_t) (equals + 1 - *text));
        at = out->text;
        if (strcmp(out->key, "anneal") != 0) {
            out->numbers[out->count++] = number_at(at, &at);
            if (*at == ',')
                out->numbers[out->count++] = number_at(at + 1, &at);
            assert_int_equal(*at, '\0');
        }
    }
    *text += size;
    return 1;
}

static int is_number(const word *w, const char *key)
{
    return strcmp(w->key, key) == 0 && w->count == 1;
}

static int optimizer_word(const word *w, ub_optimizer_options *options,
                          double *rate)
{
    if (is_number(w, "lr"))
        *rate = w->numbers[0];
    else if (is_number(w, "weight_decay"))
        options->weight_decay = w->numbers[0];
    else if (options->kind == UB_OPTIMIZER_SGD && is_number(w, "momentum"))
        options->momentum = w->numbers[0];
    else if (options->kind == UB_OPTIMIZER_SGD &&
             strcmp(w->key, "nesterov") == 0 && w->count == 0)
        options->nesterov = 1;
    else if (options->kind == UB_OPTIMIZER_ADAM && is_number(w, "eps"))
        options->eps = w->numbers[0];
    else if (options->kind == UB_OPTIMIZER_ADAM &&
             strcmp(w->key, "betas") == 0 && w->count == 2) {
        options->beta1 = w->numbers[0];
        options->beta2 = w->numbers[1];
    } else
        return 0;
    return 1;
}

static void parse_optimizer(const char *name, ub_optimizer_options *options,
                            double *rate)
{
    const char *text = name;
    word w;

    ub_optimizer_options_init(options, sizeof *options);
    assert_true(next_word(&text, &w));
    if (strcmp(w.key, "sgd") == 0)
        options->kind = UB_OPTIMIZER_SGD;
    else if (strcmp(w.key, "adam") == 0)
        options->kind = UB_OPTIMIZER_ADAM;
    else
        fail_msg("unknown optimizer \"%s\"", name);
    *rate = (double) NAN;
    while (next_word(&text, &w)) {
        if (!optimizer_word(&w, options, rate))
            fail_msg("unknown word \"%s\" of \"%s\"", w.key, name);
    }
    assert_false(isnan(*rate));
}

static int schedule_word(const word *w, ub_schedule *s)
{
    if (is_number(w, "lr") || is_number(w, "max_lr"))
        s->rate = w->numbers[0];
    else if (s->kind == UB_SCHEDULE_STEP && is_number(w, "step_size"))
        s->step_size = (int64_t) w->numbers[0];
    else if (s->kind == UB_SCHEDULE_STEP && is_number(w, "gamma"))
        s->gamma = w->numbers[0];
    else if (s->kind == UB_SCHEDULE_COSINE && is_number(w, "eta_min"))
        s->minimum = w->numbers[0];
    else if (s->kind == UB_SCHEDULE_COSINE && is_number(w, "T_max"))
        s->total_steps = (int64_t) w->numbers[0];
    else if (s->kind != UB_SCHEDULE_STEP && is_number(w, "total_steps"))
        s->total_steps = (int64_t) w->numbers[0];
    else if (s->kind != UB_SCHEDULE_ONE_CYCLE)
        return 0;
    else if (is_number(w, "pct_start"))
        s->warmup = w->numbers[0];
    else if (is_number(w, "div"))
        s->div = w->numbers[0];
    else if (is_number(w, "final_div"))
        s->final_div = w->numbers[0];
    else
        return strcmp(w->key, "anneal") == 0 && strcmp(w->text, "cos") == 0;
    return 1;
}

static void parse_schedule(const char *name, ub_schedule *schedule)
{
    static const struct {
        const char *word;
        ub_schedule_kind kind;
    } kinds[] = {
        { "constant", UB_SCHEDULE_CONSTANT },
        { "step", UB_SCHEDULE_STEP },
        { "cosine", UB_SCHEDULE_COSINE },
        { "one_cycle", UB_SCHEDULE_ONE_CYCLE },
    };
    const char *text = name;
    size_t i = 0;
    word w;

    ub_schedule_init(schedule, sizeof *schedule);
    assert_true(next_word(&text, &w));
    while (i < 4 && strcmp(w.key, kinds[i].word) != 0)
        i++;
    if (i == 4)
        fail_msg("unknown schedule \"%s\"", name);
    schedule->kind = kinds[i].kind;
    while (next_word(&text, &w)) {
        if (!schedule_word(&w, schedule))
            fail_msg("unknown word \"%s\" of \"%s\"", w.key, name);
    }
}

/* A {"shape", "data"} object as a new tensor. */
static ub_tensor *read_tensor(ub_context *context, const json_t *object)
{
    static const char *const known[] = { "shape", "data", NULL };
    const json_t *shape = json_object_get(object, "shape");
    const json_t *data = json_object_get(object, "data");
    int64_t extents[UB_TENSOR_MAX_RANK];
    ub_tensor *tensor = NULL;

    assert_members(object, known);
    assert_true(json_array_size(shape) <= UB_TENSOR_MAX_RANK);
    for (size_t i = 0; i < json_array_size(shape); i++)
        extents[i] = json_integer_value(json_array_get(shape, i));
    assert_int_equal(ub_tensor_create(context, (int) json_array_size(shape),
                                      extents, &tensor),
                     UB_OK);
    assert_int_equal(ub_tensor_count(tensor), json_array_size(data));
    for (size_t i = 0; i < json_array_size(data); i++)
        ub_tensor_data(tensor)[i] = (float) json_number_value(
            json_array_get(data, i));
    return tensor;
}

static double largest_error(const ub_tensor *have, const json_t *want)
{
    const json_t *data = json_object_get(want, "data");
    double largest = 0.0;

    assert_int_equal(ub_tensor_count(have), json_array_size(data));
    for (size_t i = 0; i < json_array_size(data); i++) {
        double w = json_number_value(json_array_get(data, i));
        double error = fabs((double) ub_tensor_data(have)[i] - w);

        error /= 1.0 + fabs(w);
        largest = error > largest || isnan(error) ? error : largest;
    }
    return largest;
}

static void follow_trajectory(ub_context *context, const json_t *test,
                              ub_optimizer *optimizer, ub_variable *p,
                              double rate)
{
    const json_t *gradients = json_object_get(test, "gradients");
    const json_t *trajectory = json_object_get(test, "trajectory");
    const json_t *clip = json_object_get(json_object_get(test, "params"),
                                         "clip_grad_norm");

    assert_true(clip == NULL || json_is_null(clip) || json_is_number(clip));
    assert_true(json_array_size(gradients) > 0);
    assert_int_equal(json_array_size(gradients), json_array_size(trajectory));
    for (size_t i = 0; i < json_array_size(gradients); i++) {
        ub_tensor *grad = read_tensor(context, json_array_get(gradients, i));
        double error;

        ub_variable_clear_grad(p);
        assert_int_equal(add_gradient(p, ub_tensor_data(grad)), UB_OK);
        ub_tensor_unref(&grad);
        assert_int_equal(
            ub_optimizer_step(optimizer, rate, json_number_value(clip), NULL),
            UB_OK);
        error = largest_error(ub_variable_value(p),
                              json_array_get(trajectory, i));
        if (!(error <= VALUE_TOLERANCE))
            fail_msg("step %zu is off by %g", i, error);
    }
}

static void check_optimizer(ub_context *context, const json_t *test)
{
    static const char *const members[] = { "op",        "params",     "inputs",
                                           "gradients", "trajectory", NULL };
    static const char *const parameters[] = { "name", "clip_grad_norm", NULL };
    static const char *const inputs[] = { "p", NULL };
    const json_t *params = json_object_get(test, "params");
    const json_t *start = json_object_get(test, "inputs");
    ub_optimizer_options options;
    ub_optimizer *optimizer = NULL;
    ub_tensor *value;
    ub_variable *p = NULL;
    double rate;

    assert_members(test, members);
    assert_members(params, parameters);
    assert_members(start, inputs);
    parse_optimizer(json_string_value(json_object_get(params, "name")),
                    &options, &rate);
    value = read_tensor(context, json_object_get(start, "p"));
    assert_int_equal(ub_variable_create(value, 1, &p), UB_OK);
    ub_tensor_unref(&value);
    assert_int_equal(ub_optimizer_create(context, &options, 1, &p, &optimizer),
                     UB_OK);
    follow_trajectory(context, test, optimizer, p, rate);
    ub_optimizer_destroy(&optimizer);
    ub_variable_destroy(&p);
}

static void check_schedule(ub_context *context, const json_t *test)
{
    static const char *const members[] = { "op", "params", "inputs", "lr",
                                           NULL };
    static const char *const parameters[] = { "name", NULL };
    const json_t *params = json_object_get(test, "params");
    const json_t *inputs = json_object_get(test, "inputs");
    const json_t *rates = json_object_get(test, "lr");
    const char *name = json_string_value(json_object_get(params, "name"));
    ub_schedule schedule;

    assert_members(test, members);
    assert_members(params, parameters);
    if (inputs != NULL)
        assert_members(inputs, no_words);
    parse_schedule(name, &schedule);
    assert_int_equal(ub_schedule_check(context, &schedule), UB_OK);
    assert_true(json_array_size(rates) > 0);
    for (size_t i = 0; i < json_array_size(rates); i++) {
        double want = json_number_value(json_array_get(rates, i));
        double have = ub_schedule_rate(&schedule, (int64_t) i);

        if (!(fabs(have - want) <= RATE_TOLERANCE))
            fail_msg("%s: step %zu has %.17g, %.17g expected", name, i, have,
                     want);
    }
}

static const char *golden_path(void)
{
    static char path[1024];
    const char *folder = getenv("UBOOST_TESTS");

    if (test_golden("ops.json") != NULL)
        return test_golden("ops.json");
    if (folder == NULL)
        return NULL;
    snprintf(path, sizeof path, "%s/golden/ops.json", folder);
    return path;
}

typedef void (*check_fn)(ub_context *context, const json_t *test);

static void run_cases(ub_context *context, const char *op, check_fn check)
{
    const char *path = golden_path();
    json_t *root = NULL, *cases, *test;
    size_t i;
    int count = 0;

    if (path == NULL)
        skip();
    assert_int_equal(ub__json_read(context, path, &root), UB_OK);
    cases = json_object_get(root, "cases");
    json_array_foreach(cases, i, test)
    {
        const char *name = json_string_value(json_object_get(test, "op"));

        assert_non_null(name);
        if (strcmp(name, op) == 0) {
            check(context, test);
            count++;
        }
    }
    assert_true(count > 0);
    json_decref(root);
}

static void test_optimizers(void **state)
{
    run_cases(*state, "optimizer", check_optimizer);
}

static void test_schedules(void **state)
{
    run_cases(*state, "schedule", check_schedule);
}

/* What the committed cases do not say, in the same words. */
static void test_words(void **state)
{
    ub_schedule s;

    (void) state;
    parse_schedule("step lr=.05 step_size=30 gamma=.5", &s);
    assert_true(s.rate == 0.05 && s.step_size == 30 && s.gamma == 0.5);
    parse_schedule("cosine lr=.1 T_max=20 eta_min=.01", &s);
    assert_true(s.rate == 0.1 && s.total_steps == 20 && s.minimum == 0.01);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_optimizers),
        cmocka_unit_test(test_schedules),
        cmocka_unit_test(test_words),
    };

    return cmocka_run_group_tests_name("golden_training", tests, setup,
                                       teardown);
}
