/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs that take over what another one has searched. */
#include "runs.h"
#include "search/search.h"
#include "supernet/supernet.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The run that the others take from: made once. */
static char base[512];
static ub_search_result base_result;

static void base_options(ub_search_options *o)
{
    runs_options(o);
    o->widths = (ub_width_range){ 2, 6, 2 };
    o->keep_supernet = o->uniform_widths = 1;
}

static int make_base(void **state)
{
    ub_context *context = test_context(2);
    ub_search_options o;

    (void) state;
    base_options(&o);
    snprintf(base, sizeof(base), "%s", runs_folder("base"));
    assert_int_equal(runs_go(context, &o, base, 0, &base_result), UB_OK);
    ub_context_destroy(&context);
    return 0;
}

static void branch_options(ub_search_options *o, int32_t take)
{
    base_options(o);
    o->keep_supernet = 0;
    o->from = base;
    o->take = take;
}

/* -- what is the same, and what is not ------------------------------------ */

/* With the operators given, the rest of the run is the base's own. */
static void test_take_operators(void **state)
{
    ub_context *context = test_context(2);
    ub_search_options o;
    ub_search_result r;
    const char *folder = runs_folder("operators");

    (void) state;
    branch_options(&o, UB_SEARCH_TAKE_OPERATORS);
    assert_int_equal(runs_go(context, &o, folder, 0, &r), UB_OK);
    runs_same_file(folder, base, "micro.json");
    runs_same_file(folder, base, "channels.json");
    runs_same_file(folder, base, "weights.safetensors");
    assert_true(r.test_accuracy == base_result.test_accuracy);
    assert_true(r.seconds[0] == 0.0 && r.seconds[1] > 0.0);
    ub_context_destroy(&context);
}

/* Both searches: final training, once more; then with polishing. */
static void test_take_widths(void **state)
{
    ub_context *context = test_context(2);
    ub_search_options o;
    ub_search_result r;
    char folder[512];
    json_t *root;

    (void) state;
    branch_options(&o, UB_SEARCH_TAKE_WIDTHS);
    snprintf(folder, sizeof(folder), "%s", runs_folder("widths"));
    assert_int_equal(runs_go(context, &o, folder, 0, &r), UB_OK);
    runs_same_file(folder, base, "micro.json");
    runs_same_file(folder, base, "channels.json");
    runs_same_file(folder, base, "network.json");
    runs_same_file(folder, base, "weights.safetensors");
    assert_true(r.test_accuracy == base_result.test_accuracy);
    assert_true(r.seconds[0] == 0.0 && r.seconds[1] == 0.0);
    root = runs_json(folder, "result.json");
    assert_string_equal(json_string_value(json_object_get(root, "from")),
                        "base");
    json_decref(root);
    o.polish = 1;
    snprintf(folder, sizeof(folder), "%s", runs_folder("polished"));
    assert_int_equal(runs_go(context, &o, folder, 0, &r), UB_OK);
    runs_same_file(folder, base, "channels.json");
    assert_true(r.searched_latency_ms == base_result.simulated_latency_ms);
    assert_true(r.polish_moves > 0);
    ub_context_destroy(&context);
}

/* How many tensors of two archives differ: those of masks, and the rest that
 * training changes. */
static void count_different(ub_context *context, const char *folder,
                            int64_t *masks, int64_t *weights)
{
    ub_archive *a = NULL, *b = NULL;
    char path[600];

    *masks = *weights = 0;
    snprintf(path, sizeof(path), "%s/supernet.safetensors", base);
    assert_int_equal(ub_archive_read(context, path, &a), UB_OK);
    snprintf(path, sizeof(path), "%s/supernet.safetensors", folder);
    assert_int_equal(ub_archive_read(context, path, &b), UB_OK);
    assert_int_equal(ub_archive_count(a), ub_archive_count(b));
    for (int64_t i = 0; i < ub_archive_count(a); i++) {
        const char *name = ub_archive_name(a, i);
        const ub_tensor *x = ub_archive_find(a, name);
        const ub_tensor *y = ub_archive_find(b, name);
        const size_t n = (size_t) ub_tensor_count(x) * sizeof(float);
        const int differ = memcmp(ub_tensor_data(x), ub_tensor_data(y), n) != 0;

        if (strstr(name, ".width") != NULL)
            *masks += differ;
        else if (strstr(name, "running") == NULL)
            *weights += differ;
    }
    ub_archive_destroy(&a);
    ub_archive_destroy(&b);
}

/* The supernet's weights are the base's to the end, its logits are not; every
 * step of an epoch is theirs. */
static void test_take_supernet(void **state)
{
    ub_context *context = test_context(2);
    int64_t masks, weights;
    ub_search_options o;
    ub_search_result r;
    char folder[512];

    (void) state;
    for (int splits = 1; splits <= 2; splits++) {
        branch_options(&o, UB_SEARCH_TAKE_SUPERNET);
        o.lambda = 50.0;
        o.keep_supernet = 1;
        o.splits = splits;
        snprintf(folder, sizeof(folder), "%s",
                 runs_folder(splits == 1 ? "supernet1" : "supernet2"));
        assert_int_equal(runs_go(context, &o, folder, 0, &r), UB_OK);
        runs_same_file(folder, base, "micro.json");
        count_different(context, folder, &masks, &weights);
        assert_int_equal(weights, 0);
        assert_true(masks > 0);
    }
    ub_context_destroy(&context);
}

static void test_stopped(void **state)
{
    ub_search_options o;
    ub_search_result r;
    char a[512], b[512];

    (void) state;
    branch_options(&o, UB_SEARCH_TAKE_SUPERNET);
    o.lambda = 5.0;
    o.polish = 1;
    runs_stopped(&o, "branch", &r);
    base_options(&o);
    runs_stopped(&o, "trunk", &r);
    snprintf(a, sizeof(a), "%s", test_path("trunk-whole"));
    snprintf(b, sizeof(b), "%s", test_path("trunk-parts"));
    runs_same_file(a, b, "supernet.safetensors");
    runs_same_file(a, base, "supernet.safetensors");
    o.uniform_widths = 0;
    o.from = base;
    o.take = UB_SEARCH_TAKE_WIDTHS;
    runs_stopped(&o, "again", &r);
    assert_true(r.test_accuracy == base_result.test_accuracy);
}

/* -- uniform widths ------------------------------------------------------- */

/* The sample of a step does not depend on the logits, and over many steps all
 * widths are as probable. */
static void test_uniform(void **state)
{
    enum { N = 3, STEPS = 4000 };
    ub_context *context = test_context(1);
    const int32_t operators[9] = { 0, 6, 7, 7, 7, 0, 7, 0, 7 };
    double *p, mean[N] = { 0.0 };
    ub_supernet_options o;
    ub_supernet *net = NULL;
    ub_space *space = NULL;
    ub_space_options so;
    ub_rng rng;
    int64_t n;

    (void) state;
    ub_space_options_init(&so, sizeof(so));
    so.base_width = 2;
    assert_int_equal(ub_space_uboost(context, &so, 3, &space), UB_OK);
    ub_supernet_options_init(&o, sizeof(o));
    o.operators = operators;
    o.widths = (ub_width_range){ 2, 6, 2 };
    assert_int_equal(ub_supernet_create(context, space, &o, NULL, 1, &net),
                     UB_OK);
    n = ub_supernet_logits(net);
    p = calloc((size_t) n, sizeof(*p));
    assert_non_null(p);
    *test_logit(ub_supernet_parameters(net), 0) = 30.0f;
    ub_rng_init(&rng, 1, 2);
    for (int s = 0; s < STEPS; s++) {
        assert_int_equal(ub__supernet_sample_uniform(net, &rng, 0.2), UB_OK);
        ub__supernet_probabilities(net, net->noise, 0.2, p);
        for (int i = 0; i < N; i++)
            mean[i] += p[i] / STEPS;
    }
    /* four standard deviations of a mean of 4000 numbers within 0 and 1 */
    for (int i = 0; i < N; i++)
        assert_close(mean[i], 1.0 / N, 4.0 * 0.5 / sqrt(STEPS));
    free(p);
    ub_supernet_destroy(&net);
    ub_space_destroy(&space);
    ub_context_destroy(&context);
}

/* -- what cannot be taken ------------------------------------------------- */

static void refuse(const ub_search_options *o, const char *name,
                   ub_status expected, const char *text)
{
    ub_context *context = test_context(2);
    ub_search_result r;
    const ub_status status = runs_go(context, o, runs_folder(name), 0, &r);

    if (status != expected ||
        strstr(ub_context_last_error(context), text) == NULL)
        fail_msg("%s: %s, %s", name, ub_status_str(status),
                 ub_context_last_error(context));
    ub_context_destroy(&context);
}

static void test_refused(void **state)
{
    static const char *const bad[] = {
        "{",
        "{}",
        "{\"format\": \"uboost-network\"}",
        "{\"format\": \"uboost-architecture\", \"repaired\": 0}",
        "{\"format\": \"uboost-architecture\", \"repaired\": 0, \"operators\": "
        "[\"zero\"]}",
        "{\"format\": \"uboost-architecture\", \"repaired\": 0, \"operators\": "
        "[\"zero\", \"zero\", \"zero\", \"zero\", \"zero\", \"zero\", "
        "\"zero\", \"zero\", \"zero\"]}",
        "{\"format\": \"uboost-architecture\", \"repaired\": 0, \"operators\": "
        "[1, \"zero\", \"zero\", \"zero\", \"zero\", \"zero\", \"zero\", "
        "\"zero\", \"conv\"]}",
    };
    ub_search_options o;
    char empty[512], path[600], name[16];

    (void) state;
    snprintf(empty, sizeof(empty), "%s", runs_folder("empty"));
    branch_options(&o, UB_SEARCH_TAKE_SUPERNET);
    o.from = empty;
    refuse(&o, "f0", UB_ERR_IO, "config.json");
    o.take = UB_SEARCH_TAKE_OPERATORS;
    refuse(&o, "f4", UB_ERR_IO, "micro.json");
    snprintf(path, sizeof(path), "%s/micro.json", empty);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        test_file_write(path, bad[i], strlen(bad[i]));
        snprintf(name, sizeof(name), "bad%d", (int) i);
        refuse(&o, name, UB_ERR_FORMAT, "micro.json");
    }
    branch_options(&o, UB_SEARCH_TAKE_SUPERNET);
    o.base_width = 4;
    refuse(&o, "f1", UB_ERR_INVALID, "base_width");
    branch_options(&o, UB_SEARCH_TAKE_SUPERNET);
    o.widths.high = 4;
    refuse(&o, "f2", UB_ERR_INVALID, "widths_high");
    branch_options(&o, UB_SEARCH_TAKE_WIDTHS);
    o.cells = 6;
    refuse(&o, "f3", UB_ERR_INVALID, "cells");
    branch_options(&o, UB_SEARCH_TAKE_WIDTHS + 1);
    refuse(&o, "f5", UB_ERR_INVALID, "take");
    branch_options(&o, 0);
    o.uniform_widths = 2;
    refuse(&o, "f6", UB_ERR_INVALID, "uniform_widths");
}

/* A supernet in name only, and one damaged anywhere. */
static void test_damaged_supernet(void **state)
{
    static char bytes[1 << 20];
    static const char *const names[] = { "config.json", "micro.json" };
    char folder[512], path[600], name[16];
    ub_search_options o;
    ub_rng rng;
    size_t size;

    (void) state;
    snprintf(folder, sizeof(folder), "%s", runs_folder("damaged"));
    for (int i = 0; i < 2; i++) {
        runs_read(base, names[i], bytes, sizeof(bytes), &size);
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        test_file_write(path, bytes, size);
    }
    branch_options(&o, UB_SEARCH_TAKE_SUPERNET);
    o.from = folder;
    refuse(&o, "d0", UB_ERR_IO, "supernet.safetensors");
    snprintf(path, sizeof(path), "%s/supernet.safetensors", folder);
    runs_read(base, "weights.safetensors", bytes, sizeof(bytes), &size);
    test_file_write(path, bytes, size);
    refuse(&o, "d1", UB_ERR_FORMAT, "no supernet");
    runs_read(base, "supernet.safetensors", bytes, sizeof(bytes), &size);
    ub_rng_init(&rng, 3, 3);
    for (int i = 0; i < 6; i++) {
        snprintf(name, sizeof(name), "cut%d", i);
        test_file_write(path, bytes, (size_t) ub_rng_below(&rng, size));
        refuse(&o, name, UB_ERR_FORMAT, "");
    }
}

/* -- out of memory -------------------------------------------------------- */

static ub_status open_space(ub_context *context, ub_space **space)
{
    ub_space_options o;

    ub_space_options_init(&o, sizeof(o));
    o.name = "uboost";
    o.base_width = 2;
    o.height = o.width = 16;
    o.classes = 3;
    return ub_space_uboost(context, &o, 3, space);
}

/* Apart from the other, for it writes a file each time. */
static ub_status take_operators(ub_context *context, void *arg)
{
    ub__run run = { .context = context, .folder = arg };
    ub_search_options o;
    ub_space *space = NULL;
    int32_t operators[9];
    int64_t repaired;
    ub_status status = open_space(context, &space);

    base_options(&o);
    run.config = ub__search_options_json(&o);
    if (status == UB_OK && run.config == NULL)
        status = UB_ERR_NOMEM;
    if (status == UB_OK)
        status = ub__take_check(&run, base);
    if (status == UB_OK)
        status = ub__take_operators(&run, base, space, operators, &repaired);
    json_decref(run.config);
    ub_space_destroy(&space);
    return status;
}

struct supernet_scenario {
    const char *folder;
    int32_t operators[9];
};

static ub_status take_supernet(ub_context *context, void *arg)
{
    const struct supernet_scenario *s = arg;
    const ub__run run = { .context = context, .folder = s->folder };
    ub_supernet_options o;
    ub_supernet *net = NULL;
    ub_space *space = NULL;
    ub_status status = open_space(context, &space);

    ub_supernet_options_init(&o, sizeof(o));
    o.operators = s->operators;
    o.widths = (ub_width_range){ 2, 6, 2 };
    if (status == UB_OK)
        status = ub_supernet_create(context, space, &o, NULL, 1, &net);
    if (status == UB_OK)
        status = ub__supernet_take(context, base, net);
    if (status == UB_OK)
        status = ub__supernet_keep(&run, net);
    ub_supernet_destroy(&net);
    ub_space_destroy(&space);
    return status;
}

static void test_out_of_memory(void **state)
{
    ub_context *context = test_context(1);
    struct supernet_scenario s;
    ub_space *space = NULL;
    ub__run run = { .context = context };
    char folder[512];
    int64_t repaired;

    (void) state;
    snprintf(folder, sizeof(folder), "%s", runs_folder("oom"));
    assert_survives_oom(take_operators, 1, folder);
    run.folder = s.folder = folder;
    assert_int_equal(open_space(context, &space), UB_OK);
    assert_int_equal(
        ub__take_operators(&run, base, space, s.operators, &repaired), UB_OK);
    ub_space_destroy(&space);
    ub_context_destroy(&context);
    assert_survives_oom(take_supernet, 1, &s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take_operators),
        cmocka_unit_test(test_take_widths),
        cmocka_unit_test(test_take_supernet),
        cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_uniform),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_damaged_supernet),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, make_base, NULL);
}
