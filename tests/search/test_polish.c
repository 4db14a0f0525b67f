/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Polishing on cells of one to three convolutions, against all choices of
 * widths, priced here.
 */
#include "runs.h"
#include "search/search.h"
#include "supernet/supernet.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_SITES 3

struct fixture {
    ub_context *context;
    ub_search_options options;
    ub_hardware hardware;
    ub_space *space;
    ub_supernet *net;
    int32_t operators[2];
    int64_t sites;
};

/* A cell of one input, whose preprocessing is one site, and `edges` edges to
 * one node: 3x3 convolutions, or an identity for no edge at all. */
static ub_status create_space(ub_context *context, int edges, ub_space **space)
{
    static const ub_operator_step conv = { UB_STEP_CONV, 1, 3, 1, 0, 0 };
    const ub_operator operators[2] = {
        { sizeof(ub_operator), "conv", &conv, 1, 0, 0 },
        { sizeof(ub_operator), "identity", NULL, 0, 0, 0 },
    };
    const ub_space_cell cell = { 0, 1, 0 };
    ub_space_options o;
    ub_status status;

    ub_space_options_init(&o, sizeof(o));
    o.height = o.width = 8;
    o.base_width = 16;
    o.inputs = 1;
    o.nodes = 2;
    o.output = 1;
    o.global_pool = 1;
    status = ub_space_create(context, &o, space);
    for (int i = 0; i < 2 && status == UB_OK; i++)
        status = ub_space_add_operator(*space, &operators[i]);
    for (int i = 0; i < (edges ? edges : 1) && status == UB_OK; i++)
        status = ub_space_add_edge(*space, 0, 1);
    if (status == UB_OK)
        status = ub_space_add_cell(*space, &cell);
    return status;
}

static ub_status try_open(struct fixture *f, ub_context *context, int edges)
{
    ub_supernet_options o;
    ub_status status;

    memset(f, 0, sizeof(*f));
    f->context = context;
    f->sites = edges + 1;
    f->operators[0] = f->operators[1] = edges == 0;
    ub_search_options_init(&f->options, sizeof(f->options));
    f->options.widths = (ub_width_range){ 2, 16, 2 };
    f->options.cost_scale = 4;
    ub_hardware_init(&f->hardware, sizeof(f->hardware));
    status = ub_hardware_set_array(&f->hardware, 32, 16);
    if (status == UB_OK)
        status = create_space(context, edges, &f->space);
    ub_supernet_options_init(&o, sizeof(o));
    o.operators = f->operators;
    o.widths = f->options.widths;
    if (status == UB_OK)
        status = ub_supernet_create(context, f->space, &o, NULL, 1, &f->net);
    return status;
}

static void open_fixture(struct fixture *f, int edges)
{
    assert_int_equal(try_open(f, test_context(1), edges), UB_OK);
}

static void close_fixture(struct fixture *f)
{
    ub_supernet_destroy(&f->net);
    ub_space_destroy(&f->space);
    ub_context_destroy(&f->context);
}

static void random_logits(struct fixture *f, uint64_t seed, double scale)
{
    ub_rng rng;

    ub_rng_init(&rng, seed, 3);
    for (int64_t i = 0; i < ub_supernet_logits(f->net); i++)
        *test_logit(ub_supernet_parameters(f->net),
                    i) = (float) (scale * (ub_rng_uniform(&rng) - 0.5));
}

static void open_polish(struct fixture *f, ub__polish *p)
{
    assert_int_equal(ub__polish_open(f->context, &f->options, &f->hardware,
                                     f->space, f->operators, f->net, p),
                     UB_OK);
    assert_int_equal(p->n_sites, f->sites);
}

/* -- the same again, in the plainest way ---------------------------------- */

static double simulated(const struct fixture *f, const int64_t *widths)
{
    ub_systolic_stats total = { .size = sizeof(total) };
    ub_network *network = NULL, *priced = NULL;

    assert_int_equal(ub_space_derive(f->space, f->operators, widths, &network),
                     UB_OK);
    assert_int_equal(ub_network_scaled(network, f->options.cost_scale, &priced),
                     UB_OK);
    assert_int_equal(
        ub_systolic_run(priced, &f->hardware, NULL, &total, NULL, 0), UB_OK);
    ub_network_destroy(&network);
    ub_network_destroy(&priced);
    return total.latency_ms;
}

/* ln P(at most this width) */
static double log_suffices(const struct fixture *f, int64_t site, int64_t width)
{
    const ub_width_range *range = &f->options.widths;
    const int64_t n = ub_width_range_count(range);
    double below = 0.0, all = 0.0;

    for (int64_t k = 0; k < n; k++) {
        const double e = exp(
            (double) *test_logit(ub_supernet_parameters(f->net), site * n + k));
        all += e;
        if (range->low + k * range->step <= width)
            below += e;
    }
    return log(below / all);
}

static double value_of(const struct fixture *f, const int64_t *widths)
{
    int64_t searched[MAX_SITES];
    double value;

    ub_supernet_widths(f->net, searched);
    value = simulated(f, widths) / simulated(f, searched);
    for (int64_t i = 0; i < f->sites; i++)
        value -= f->options.polish_weight * (log_suffices(f, i, widths[i]) -
                                             log_suffices(f, i, searched[i]));
    return value;
}

static double best_of_all(const struct fixture *f)
{
    const ub_width_range *range = &f->options.widths;
    int64_t widths[MAX_SITES];
    double best = INFINITY;

    for (int64_t i = 0; i < MAX_SITES; i++)
        widths[i] = range->low;
    for (;;) {
        int64_t i = 0;

        best = fmin(best, value_of(f, widths));
        while (i < f->sites && widths[i] == range->high)
            widths[i++] = range->low;
        if (i == f->sites)
            return best;
        widths[i] += range->step;
    }
}

/* No move gains: one site to any width, or both edges to one. */
static void check_end(const struct fixture *f, const ub__polish *p)
{
    const ub_width_range *range = &f->options.widths;
    const double value = value_of(f, p->widths);

    assert_close(ub__polish_value(p), value, 1e-12);
    assert_close(p->latency_ms, simulated(f, p->widths), 0.0);
    for (int64_t i = 0; i <= f->sites; i++) {
        for (int64_t w = range->low; w <= range->high; w += range->step) {
            int64_t widths[MAX_SITES];

            memcpy(widths, p->widths, (size_t) f->sites * sizeof(*widths));
            if (i < f->sites)
                widths[i] = w;
            else
                for (int64_t k = 1; k < f->sites; k++)
                    widths[k] = w;
            assert_true(value_of(f, widths) > value - 1e-8);
        }
    }
}

/* -- tests ---------------------------------------------------------------- */

/* Down at every round to where no move gains; how often to the best of all,
 * within 1e-8, the gain that is none. */
static int descend(struct fixture *f, double scale, int seeds)
{
    int best = 0;

    for (int seed = 0; seed < seeds; seed++) {
        ub__polish p;
        double last = 1.0;

        random_logits(f, (uint64_t) seed, scale);
        open_polish(f, &p);
        assert_close(ub__polish_value(&p), 1.0, 0.0);
        while (!p.finished) {
            const int64_t moves = p.moves;

            assert_int_equal(ub__polish_round(&p), UB_OK);
            assert_true(ub__polish_value(&p) <= last);
            assert_true((ub__polish_value(&p) < last) == (p.moves > moves));
            last = ub__polish_value(&p);
        }
        check_end(f, &p);
        best += last <= best_of_all(f) + 1e-8;
        ub__polish_close(&p);
    }
    return best;
}

/* One convolution always ends at the best of all; several mostly do. */
static void test_against_all(void **state)
{
    static const double weights[] = { 0.0, 0.02, 0.2 };

    (void) state;
    for (int edges = 0; edges < MAX_SITES; edges++) {
        const int seeds = edges == 2 ? 2 : 6;

        for (int w = 0; w < 3; w++) {
            struct fixture f;
            int best;

            open_fixture(&f, edges);
            f.options.polish_weight = weights[w];
            best = descend(&f, 6.0, seeds);
            /* of two and three, one of the 18 and none of the 6 are not */
            assert_true(best >= seeds - (edges == 1));
            close_fixture(&f);
        }
    }
}

/* Every site's most probable width, of probability near 1 / 2. */
static void prefer(struct fixture *f, int64_t place)
{
    const int64_t n = ub_width_range_count(&f->options.widths);

    for (int64_t i = 0; i < ub_supernet_logits(f->net); i++)
        *test_logit(ub_supernet_parameters(f->net), i) = i % n == place ? 2.0f
                                                                        : 0.0f;
}

static void run_down(ub__polish *p)
{
    while (!p->finished)
        assert_int_equal(ub__polish_round(p), UB_OK);
}

/* Widths of 6 are priced as 24, on an array of 32 x 16. The second one is free
 * up to 8, two tiles of columns; the first one is not, for the second reads 9
 * rows of each of its channels: 6.75 tiles of rows would become 9. */
static void test_free_moves(void **state)
{
    struct fixture f;
    ub__polish p;

    (void) state;
    open_fixture(&f, 1);
    prefer(&f, 2);
    f.options.polish_weight = 0.3; /* these two are nearly all there is */
    open_polish(&f, &p);
    assert_int_equal(p.widths[0], 6);
    assert_int_equal(p.widths[1], 6);
    run_down(&p);
    assert_int_equal(p.widths[0], 6);
    assert_int_equal(p.widths[1], 8);
    assert_true(p.latency_ms < 1.01 * p.searched_ms);
    /* (3 + e^2) / (2 + e^2) is gained, a factor e^2 lost */
    assert_close(ub__polish_suffices(&p),
                 log((3.0 + exp(2.0)) / (2.0 + exp(2.0))), 1e-7);
    assert_close(ub__polish_probability(&p), -2.0, 1e-6);
    ub__polish_close(&p);
    close_fixture(&f);
}

/* Probability alone wants the widest, latency alone what is fastest. */
static void test_weights(void **state)
{
    struct fixture f;
    ub__polish p;

    (void) state;
    open_fixture(&f, 2);
    prefer(&f, 3);
    f.options.polish_weight = 1e6;
    open_polish(&f, &p);
    run_down(&p);
    for (int i = 0; i < 3; i++)
        assert_int_equal(p.widths[i], 16);
    ub__polish_close(&p);
    f.options.polish_weight = 0.0;
    open_polish(&f, &p);
    run_down(&p);
    assert_close(ub__polish_value(&p), best_of_all(&f), 1e-8);
    ub__polish_close(&p);
    close_fixture(&f);
}

/* Differing widths of a sum, which no single site can mend for free. */
static void test_sum(void **state)
{
    struct fixture f;
    ub__polish p;

    (void) state;
    open_fixture(&f, 2);
    prefer(&f, 4); /* 10, priced as 40: three tiles of 16 */
    f.options.polish_weight = 0.1;
    open_polish(&f, &p);
    run_down(&p);
    check_end(&f, &p);
    assert_int_equal(p.widths[1], p.widths[2]);
    assert_true(p.widths[1] == 8 || p.widths[1] == 12);
    ub__polish_close(&p);
    close_fixture(&f);
}

/* Both cells read the one before the last only, so nothing reads the first. */
static void test_unread_cell(void **state)
{
    static const ub_operator_step conv = { UB_STEP_CONV, 1, 3, 1, 0, 0 };
    const ub_operator operators[2] = {
        { sizeof(ub_operator), "conv", &conv, 1, 0, 0 },
        { sizeof(ub_operator), "zero", NULL, 0, 1, 0 },
    };
    const ub_space_cell cell = { 0, 1, 0 };
    struct fixture f;
    ub_space_options so;
    ub_supernet_options o;
    ub__polish p;

    (void) state;
    assert_int_equal(try_open(&f, test_context(1), 0), UB_OK);
    ub_supernet_destroy(&f.net);
    ub_space_destroy(&f.space);
    ub_space_options_init(&so, sizeof(so));
    so.nodes = 3;
    so.output = 2;
    assert_int_equal(ub_space_create(f.context, &so, &f.space), UB_OK);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ub_space_add_operator(f.space, &operators[i]), UB_OK);
        assert_int_equal(ub_space_add_edge(f.space, i, 2), UB_OK);
        assert_int_equal(ub_space_add_cell(f.space, &cell), UB_OK);
    }
    f.operators[0] = 1;
    f.operators[1] = 0;
    ub_supernet_options_init(&o, sizeof(o));
    o.operators = f.operators;
    o.widths = f.options.widths;
    assert_int_equal(
        ub_supernet_create(f.context, f.space, &o, NULL, 1, &f.net), UB_OK);
    f.sites = 2;
    open_polish(&f, &p);
    assert_int_equal(p.sites[0], 5); /* of the second cell: input 1, edge 1 */
    assert_int_equal(p.sites[1], 7);
    ub__polish_close(&p);
    close_fixture(&f);
}

static void test_limit(void **state)
{
    struct fixture f;

    (void) state;
    open_fixture(&f, 1);
    random_logits(&f, 4, 6.0);
    for (int64_t limit = 1; limit < 64; limit += 7) {
        ub__polish p;

        f.options.polish_limit = limit;
        open_polish(&f, &p);
        run_down(&p);
        assert_true(p.evaluations <= limit);
        assert_true(ub__polish_value(&p) <= 1.0);
        assert_close(p.latency_ms, simulated(&f, p.widths), 0.0);
        ub__polish_close(&p);
    }
    close_fixture(&f);
}

/* Going on from the widths of any round leads to the same end. */
static void test_going_on(void **state)
{
    struct fixture f;
    ub__polish p, q;
    int64_t widths[MAX_SITES] = { 2, 16, 5 };

    (void) state;
    open_fixture(&f, 2);
    random_logits(&f, 1, 6.0);
    open_polish(&f, &p);
    open_polish(&f, &q);
    assert_int_equal(ub__polish_move_to(&q, widths), UB_ERR_FORMAT);
    assert_int_equal(ub__polish_round(&p), UB_OK);
    assert_true(p.moves > 0);
    memcpy(widths, p.widths, sizeof(widths));
    assert_int_equal(ub__polish_move_to(&q, widths), UB_OK);
    assert_close(ub__polish_value(&q), ub__polish_value(&p), 0.0);
    run_down(&p);
    run_down(&q);
    assert_memory_equal(p.widths, q.widths, sizeof(widths));
    ub__polish_close(&p);
    ub__polish_close(&q);
    close_fixture(&f);
}

/* -- as a part of a run ---------------------------------------------------- */

/* What polishing says it did: result.json, the result, and the network whose
 * widths and latency these are. */
static void test_run(void **state)
{
    ub_context *context = test_context(2);
    ub_systolic_stats total = { .size = sizeof(total) };
    ub_network *network = NULL;
    ub_search_options o;
    ub_search_result r;
    ub_hardware h;
    json_t *root, *note;
    char folder[512], path[600];
    int different = 0;

    (void) state;
    runs_options(&o);
    o.polish = 1;
    o.polish_weight = 0.001;
    snprintf(folder, sizeof(folder), "%s", runs_folder("polish"));
    assert_int_equal(runs_go(context, &o, folder, 0, &r), UB_OK);
    root = runs_json(folder, "result.json");
    note = json_object_get(root, "polish");
    assert_true(json_is_true(json_object_get(note, "finished")));
    assert_true(r.polish_moves > 0 && r.polish_evaluations > r.polish_moves);
    assert_int_equal(json_integer_value(json_object_get(note, "moves")),
                     r.polish_moves);
    assert_true(json_real_value(
                    json_array_get(json_object_get(note, "latency_ms"), 0)) ==
                r.searched_latency_ms);
    assert_true(json_real_value(json_object_get(note, "objective")) < 1.0);
    for (size_t i = 0; i < json_array_size(json_object_get(root, "widths"));
         i++)
        different += !json_equal(
            json_array_get(json_object_get(root, "widths"), i),
            json_array_get(json_object_get(note, "searched_widths"), i));
    assert_true(different > 0);
    json_decref(root);
    snprintf(path, sizeof(path), "%s/network.json", folder);
    assert_int_equal(ub_network_read(context, path, &network), UB_OK);
    ub_hardware_init(&h, sizeof(h));
    assert_int_equal(ub_hardware_set_array(&h, o.rows, o.columns), UB_OK);
    assert_int_equal(ub_systolic_run(network, &h, NULL, &total, NULL, 0),
                     UB_OK);
    assert_true(total.latency_ms == r.simulated_latency_ms);
    ub_network_destroy(&network);
    o.polish_weight = 0.002;
    assert_int_equal(runs_go(context, &o, folder, 1, &r), UB_ERR_INVALID);
    assert_non_null(strstr(ub_context_last_error(context), "other options"));
    ub_context_destroy(&context);
}

static void test_stopped(void **state)
{
    ub_search_options o;
    ub_search_result r;

    (void) state;
    runs_options(&o);
    o.polish = 1;
    runs_stopped(&o, "stopped", &r);
    assert_true(r.polish_moves > 0);
}

static void clear_folder(const char *folder)
{
    static const char *const names[] = { "checkpoint.safetensors",
                                         "config.json", "log.jsonl" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[600];
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        remove(path);
    }
}

static ub_status scenario(ub_context *context, void *arg)
{
    struct fixture f;
    ub__run run;
    int64_t widths[MAX_SITES];
    ub_status status = try_open(&f, context, 1);

    clear_folder(arg);
    f.options.polish_limit = 4;
    if (status == UB_OK)
        status = ub__run_open(context, json_object(), json_object(), arg, 0,
                              &run);
    if (status == UB_OK) {
        status = ub__run_note(&run, "widths", json_array());
        if (status == UB_OK)
            status = ub__polish_run(&run, &f.options, &f.hardware, f.space,
                                    f.operators, f.net, widths);
        ub__run_close(&run);
    }
    ub_supernet_destroy(&f.net);
    ub_space_destroy(&f.space);
    return status;
}

static void test_out_of_memory(void **state)
{
    char folder[512];

    (void) state;
    snprintf(folder, sizeof(folder), "%s", test_path("oom"));
    assert_int_equal(mkdir(folder, 0777), 0);
    assert_survives_oom(scenario, 1, folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_all),
        cmocka_unit_test(test_free_moves),
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_sum),
        cmocka_unit_test(test_unread_cell),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_going_on),
        cmocka_unit_test(test_run),
        cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
