/* SPDX-License-Identifier: BSD-2-Clause */
#include "supernet/supernet.h"
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <uboost/systolic.h>
#include <uboost/utilization.h>

/* Networks and supernets of NAS-Bench-201 and FBNet: trained, priced,
 * simulated, searched. */

#define OK(call) assert_int_equal((call), UB_OK)
#define IMAGES   8
#define EXTENT   16

static const int32_t labels[IMAGES] = { 0, 1, 2, 0, 1, 2, 0, 1 };

/* Narrow; of one cell for each width, or all 22. */
static ub_space *tiny(ub_context *context, int fbnet)
{
    ub_space_options o;
    ub_space *space = NULL;

    ub_space_options_init(&o, sizeof(o));
    o.height = o.width = EXTENT;
    o.base_width = 4;
    o.classes = 3;
    if (fbnet)
        OK(ub_space_fbnet(context, &o, UB_FBNET_CIFAR100, &space));
    else
        OK(ub_space_nasbench201(context, &o, 3, &space));
    return space;
}

static ub_tensor *images(ub_context *context)
{
    const int64_t shape[4] = { IMAGES, 3, EXTENT, EXTENT };
    ub_tensor *x = NULL;
    ub_rng rng;

    ub_rng_init(&rng, 5, 0);
    OK(ub_tensor_create(context, 4, shape, &x));
    OK(ub_init_normal(x, &rng, 0.0, 1.0));
    return x;
}

/* Choices worth a look, then random ones. */
static void choose(const ub_space *space, int number, ub_rng *rng,
                   int32_t *choice)
{
    const int64_t n = ub_space_decisions(space);

    ub_space_sample(space, rng, choice);
    for (int64_t d = 0; d < n && number < 2; d++) /* all none or k3_e1; skip */
        choice[d] = (int32_t) (number * (n == 6 ? 1 : 8));
    for (int64_t d = 0; d < n && number == 2; d++)
        choice[d] = (int32_t) (d % ub_space_operators(space));
}

static double loss_of(ub_tape *tape, ub_variable *logits, ub_variable **loss)
{
    OK(ub_op_cross_entropy(tape, logits, labels, 0.0, loss));
    return (double) ub_tensor_data(ub_variable_value(*loss))[0];
}

/* -- networks ------------------------------------------------------------- */

/* Steps on one batch, short enough for the loss to come down. */
static void train(ub_context *context, const ub_network *network)
{
    ub_tensor *x = images(context);
    ub_optimizer_options o;
    ub_optimizer *optimizer = NULL;
    ub_model *model = NULL;
    ub_tape *tape = NULL;
    double first = 0.0, last = 0.0;

    OK(ub_model_create(context, network, 1, &model));
    assert_int_equal(
        ub_parameters_elements(ub_model_parameters(model), UB_PARAMETER_WEIGHT),
        ub_network_parameters(network));
    OK(ub_tape_create(context, &tape));
    ub_optimizer_options_init(&o, sizeof(o));
    OK(ub_optimizer_create_for(ub_model_parameters(model), UB_PARAMETER_WEIGHT,
                               &o, &optimizer));
    for (int step = 0; step < 8; step++) {
        ub_variable *in, *logits, *loss;

        OK(ub_tape_constant(tape, x, &in));
        OK(ub_model_forward(model, tape, in, 1, &logits));
        last = loss_of(tape, logits, &loss);
        first = step == 0 ? last : first;
        OK(ub_tape_backward(tape, loss));
        OK(ub_optimizer_step(optimizer, 0.002, 5.0, NULL));
        ub_parameters_clear_grads(ub_model_parameters(model));
        ub_tape_clear(tape);
    }
    assert_true(isfinite(last) && last < first);
    ub_optimizer_destroy(&optimizer);
    ub_tape_destroy(&tape);
    ub_model_destroy(&model);
    ub_tensor_unref(&x);
}

static void test_trained(void **state)
{
    ub_context *context = test_context(1);
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 1, 1);
    for (int fbnet = 0; fbnet < 2; fbnet++) {
        ub_space *space = tiny(context, fbnet);

        for (int i = 0; i < 6; i++) {
            ub_network *network = NULL;
            int32_t choice[22];

            choose(space, i, &rng, choice);
            OK(ub_space_derive(space, choice, NULL, &network));
            train(context, network);
            ub_network_destroy(&network);
        }
        ub_space_destroy(&space);
    }
    ub_context_destroy(&context);
}

/* In full size: both accounts do the network's MACs, in a file and out. */
static void price(ub_context *context, const ub_network *network)
{
    ub_systolic_stats stats = { .size = sizeof(stats) };
    ub_cost cost = { .size = sizeof(cost) };
    ub_cost_model model = { .size = sizeof(model) };
    ub_util_options options;
    ub_systolic_options o;
    ub_network *read = NULL;
    ub_hardware hardware;

    ub_hardware_init(&hardware, sizeof(hardware));
    ub_util_options_init(&options, sizeof(options));
    OK(ub_util_options_from(&hardware, &options));
    for (int kind = UB_UTIL_EXACT; kind <= UB_UTIL_FULL_SMOOTH; kind++) {
        OK(ub_util_model((ub_util_kind) kind, &options, &model));
        OK(ub_network_cost(network, &model, 1, &cost, NULL, 0));
        assert_close(cost.macs, (double) ub_network_macs(network), 0.5);
        assert_true(cost.latency_ms > 0.0 && cost.utilization > 0.0 &&
                    cost.utilization <= 1.0);
    }
    ub_systolic_options_init(&o, sizeof(o));
    for (o.level = 0; o.level < 3; o.level++) {
        OK(ub_systolic_run(network, &hardware, &o, &stats, NULL, 0));
        assert_int_equal(stats.macs, ub_network_macs(network));
        assert_true(stats.cycles > 0);
    }
    OK(ub_network_write(network, test_path("net.json")));
    OK(ub_network_read(context, test_path("net.json"), &read));
    test_same_layers(network, read);
    ub_network_destroy(&read);
}

static void test_priced(void **state)
{
    ub_context *context = test_context(1);
    ub_space *spaces[3] = { NULL };
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 2, 1);
    OK(ub_space_nasbench201(context, NULL, 15, &spaces[0]));
    OK(ub_space_fbnet(context, NULL, UB_FBNET_CIFAR100, &spaces[1]));
    OK(ub_space_fbnet(context, NULL, UB_FBNET_IMAGENET, &spaces[2]));
    for (int s = 0; s < 3; s++) {
        for (int i = 0; i < 4; i++) {
            ub_network *network = NULL;
            int32_t choice[22];

            choose(spaces[s], i, &rng, choice);
            OK(ub_space_derive(spaces[s], choice, NULL, &network));
            price(context, network);
            ub_network_destroy(&network);
        }
        ub_space_destroy(&spaces[s]);
    }
    ub_context_destroy(&context);
}

/* -- supernets ------------------------------------------------------------ */

static ub_supernet *open_net(ub_context *context, const ub_space *space,
                             int sampling, uint64_t seed)
{
    static ub_util_options util; /* the supernet borrows it */
    ub_cost_model model = { .size = sizeof(model) };
    ub_supernet_options o;
    ub_supernet *net = NULL;
    ub_rng rng;

    ub_util_options_init(&util, sizeof(util));
    util.rows = util.columns = 8;
    OK(ub_util_model(UB_UTIL_SMOOTH, &util, &model));
    ub_supernet_options_init(&o, sizeof(o));
    o.sampling = sampling;
    OK(ub_supernet_create(context, space, &o, &model, seed, &net));
    ub_rng_init(&rng, seed, 2);
    OK(ub_supernet_sample(net, &rng, 1.0));
    return net;
}

/* A step on weights and logits. */
static void step(ub_context *context, ub_supernet *net, int soft)
{
    ub_parameters *p = ub_supernet_parameters(net);
    ub_variable *x, *logits, *loss, *cost;
    ub_tensor *batch = images(context);
    ub_tape *tape = NULL;
    int64_t reached = 0;

    OK(ub_tape_create(context, &tape));
    OK(ub_tape_constant(tape, batch, &x));
    OK(ub_supernet_forward(net, tape, x, UB_SUPERNET_SAMPLE, &logits));
    assert_true(isfinite(loss_of(tape, logits, &loss)));
    OK(ub_supernet_cost(net, tape, 1.0, 1.0, NULL, &cost));
    OK(ub_op_add(tape, loss, cost, &loss));
    OK(ub_tape_backward(tape, loss));
    for (int64_t i = 0; i < ub_parameters_count(p); i++) {
        const ub_variable *v = ub_parameters_variable(p, i);
        ub_tensor *g = ub_variable_grad(v);

        for (int64_t k = 0; g != NULL && k < ub_tensor_count(g); k++)
            assert_true(isfinite((double) ub_tensor_data(g)[k]));
        reached += g != NULL;
        if (soft && ub_parameters_kind(p, i) != UB_PARAMETER_BUFFER)
            assert_non_null(g);
    }
    assert_true(reached > 0);
    ub_tape_destroy(&tape);
    ub_tensor_unref(&batch);
}

/* The derivative of the expected cost, against central differences in logits
 * that float32 holds exactly; the cost is computed in double. */
static void check_cost(ub_supernet *net)
{
    const double h = 0x1p-12;
    const int64_t n = ub_supernet_logits(net);
    ub_supernet_expectation e, up, down;
    double t[200], u[200];

    assert_true(n <= 200);
    OK(ub_supernet_expect(net, &e, t, u));
    assert_true(e.latency_ms > 0.0 && e.utilization > 0.0);
    for (int64_t i = 0; i < n; i++) {
        float *at = test_logit(ub_supernet_parameters(net), i);
        const float old = *at = (float) (round((double) *at * 1024) / 1024);

        OK(ub_supernet_expect(net, &e, t, u));
        *at = old + (float) h;
        OK(ub_supernet_expect(net, &up, NULL, NULL));
        *at = old - (float) h;
        OK(ub_supernet_expect(net, &down, NULL, NULL));
        *at = old;
        assert_close(t[i], (up.latency_ms - down.latency_ms) / (2 * h),
                     1e-6 * e.latency_ms);
        assert_close(u[i], (up.utilization - down.utilization) / (2 * h),
                     1e-6 * e.utilization);
    }
}

static void test_searched(void **state)
{
    ub_context *context = test_context(2);

    (void) state;
    for (int fbnet = 0; fbnet < 2; fbnet++) {
        ub_space *space = tiny(context, fbnet);

        for (uint64_t seed = 1; seed < 5; seed++) {
            const int single = seed > 1;
            ub_supernet *net = open_net(context, space, single, seed);

            step(context, net, !single);
            if (!single)
                check_cost(net);
            ub_supernet_destroy(&net);
        }
        ub_space_destroy(&space);
    }
    ub_context_destroy(&context);
}

/* -- from one to the other ------------------------------------------------ */

/* The supernet's name of a weight of the derived network. */
static ub_variable *counterpart(const ub_supernet *net, const char *name)
{
    const ub_parameters *p = ub_supernet_parameters(net);
    ub_variable *same = ub_parameters_find(p, name);
    char text[256];

    if (same != NULL)
        return same;
    snprintf(text, sizeof(text), "%.*s.conv.weight",
             (int) (strlen(name) - strlen(".weight")), name);
    return ub_parameters_find(p, text);
}

/* The derived network with the supernet's weights computes what the supernet's
 * most probable choice does. */
static void compare(ub_context *context, const ub_space *space,
                    ub_supernet *net, const int32_t *choice)
{
    ub_variable *x, *a = NULL, *b = NULL;
    ub_tensor *batch = images(context);
    ub_network *network = NULL;
    ub_model *model = NULL;
    ub_tape *tape = NULL;
    ub_parameters *p;

    OK(ub_space_derive(space, choice, NULL, &network));
    OK(ub_model_create(context, network, 1, &model));
    p = ub_model_parameters(model);
    for (int64_t i = 0; i < ub_parameters_count(p); i++) {
        const char *name = ub_parameters_name(p, i);
        ub_variable *from = counterpart(net, name);
        ub_tensor *to = ub_variable_value(ub_parameters_variable(p, i));

        if (from == NULL)
            fail_msg("the supernet has no %s", name);
        assert_int_equal(ub_tensor_count(to),
                         ub_tensor_count(ub_variable_value(from)));
        memcpy(ub_tensor_data(to), ub_tensor_data(ub_variable_value(from)),
               (size_t) ub_tensor_count(to) * sizeof(float));
    }
    OK(ub_tape_create(context, &tape));
    OK(ub_tape_constant(tape, batch, &x));
    OK(ub_supernet_forward(net, tape, x, UB_SUPERNET_ARGMAX, &a));
    OK(ub_model_forward(model, tape, x, UB_NORM_BATCH, &b));
    for (int64_t i = 0; i < (int64_t) IMAGES * 3; i++) /* the same operators */
        assert_close((double) ub_tensor_data(ub_variable_value(a))[i],
                     (double) ub_tensor_data(ub_variable_value(b))[i], 1e-4);
    ub_tape_destroy(&tape);
    ub_model_destroy(&model);
    ub_network_destroy(&network);
    ub_tensor_unref(&batch);
}

static void test_derived(void **state)
{
    ub_context *context = test_context(1);

    (void) state;
    for (int fbnet = 0; fbnet < 2; fbnet++) {
        ub_space *space = tiny(context, fbnet);

        for (uint64_t seed = 1; seed < 6; seed++) {
            ub_supernet *net = open_net(context, space, 0, seed);
            int32_t choice[22];

            if (seed == 1 && !fbnet) /* all none, which is repaired */
                for (int64_t d = 0; d < 6; d++)
                    *test_logit(ub_supernet_parameters(net), 5 * d) = 9.0f;
            OK(ub_supernet_operators(net, choice, NULL));
            compare(context, space, net, choice);
            ub_supernet_destroy(&net);
        }
        ub_space_destroy(&space);
    }
    ub_context_destroy(&context);
}

/* All that a given choice is expected to take is what its network takes, also
 * when both are eight times as wide. */
static void check_latency(ub_context *context, const ub_space *space,
                          const int32_t *choice)
{
    ub_supernet_expectation expected;
    ub_cost_model model = { .size = sizeof(model) };
    ub_cost cost = { .size = sizeof(cost) };
    ub_supernet_options o;
    ub_util_options util;
    ub_network *network = NULL, *wide = NULL;
    ub_supernet *net = NULL;

    ub_util_options_init(&util, sizeof(util));
    OK(ub_util_model(UB_UTIL_EXACT, &util, &model));
    OK(ub_space_derive(space, choice, NULL, &network));
    for (int64_t scale = 1; scale <= 8; scale += 7) {
        OK(ub_network_scaled(network, scale, &wide));
        OK(ub_network_cost(wide, &model, 64, &cost, NULL, 0));
        ub_supernet_options_init(&o, sizeof(o));
        o.operators = choice;
        o.include_ends = 1;
        o.cost_scale = (double) scale;
        OK(ub_supernet_create(context, space, &o, &model, 1, &net));
        OK(ub_supernet_expect(net, &expected, NULL, NULL));
        assert_close(expected.latency_ms, cost.latency_ms,
                     1e-12 * cost.latency_ms);
        ub_supernet_destroy(&net);
        ub_network_destroy(&wide);
    }
    ub_network_destroy(&network);
}

/* A choice that is given, its state written and read. */
static void test_given(void **state)
{
    ub_context *context = test_context(1);
    ub_rng rng;

    (void) state;
    ub_rng_init(&rng, 4, 1);
    for (int fbnet = 0; fbnet < 2; fbnet++) {
        ub_space *space = tiny(context, fbnet);
        ub_supernet_options o;
        ub_supernet *net = NULL;
        int32_t choice[22];
        int64_t widths[154];

        choose(space, 2, &rng, choice);
        OK(ub_space_prune(space, choice, NULL, choice, NULL));
        ub_supernet_options_init(&o, sizeof(o));
        o.operators = choice;
        OK(ub_supernet_create(context, space, &o, NULL, 1, &net));
        compare(context, space, net, choice);
        check_latency(context, space, choice);
        assert_true(ub_space_sites(space) <= 154);
        ub_supernet_widths(net, widths);
        assert_int_equal(widths[ub_space_sites(space) - 1], fbnet ? 88 : 16);
        ub_supernet_destroy(&net);
        o.widths = (ub_width_range){ 2, 6, 2 };
        assert_int_equal(ub_supernet_create(context, space, &o, NULL, 1, &net),
                         UB_ERR_UNSUPPORTED);
        net = open_net(context, space, 0, 3);
        OK(ub_supernet_write(net, test_path("state.json")));
        OK(ub_supernet_read(net, test_path("state.json")));
        ub_supernet_destroy(&net);
        ub_space_destroy(&space);
    }
    ub_context_destroy(&context);
}

/* -- out of memory -------------------------------------------------------- */

static ub_status add_parts(ub_space *space)
{
    static const ub_operator_step steps[] = {
        { UB_STEP_CONV, 1, 1, 1, 2, 1 },
        { UB_STEP_CHANNEL_SHUFFLE, 0, 1, 1, 0, 2 },
        { UB_STEP_RELU, 0, 1, 1, 0, 1 },
        { UB_STEP_NORM, 1, 1, 1, 0, 1 },
        { UB_STEP_PLAIN_CONV, 0, 3, 1, 0, 2 },
    };
    static const ub_operator_step shortcut[] = {
        { UB_STEP_AVG_POOL, 0, 0, 1, 0, 1 }, { UB_STEP_CONV, 0, 1, 1, 0, 1 }
    };
    const ub_operator all = { sizeof(ub_operator), "all", steps, 5, 0,
                              UB_RESIDUAL_ADD };
    const ub_operator skip = { sizeof(ub_operator), "skip", shortcut, 2, 0,
                               UB_RESIDUAL_ONLY };
    const ub_operator block[2] = { all, skip };
    const ub_space_cell reduction = { 8, 2, 0 }, cell = { 8, 1, 0 };
    const ub_space_cell first = { 4, 1, 0 };
    ub_status status = ub_space_add_operator(space, &all);

    if (status == UB_OK)
        status = ub_space_add_operator(space, &skip);
    if (status == UB_OK)
        status = ub_space_add_edge(space, 0, 1);
    if (status == UB_OK)
        status = ub_space_add_cell(space, &first);
    if (status == UB_OK)
        status = ub_space_add_block(space, &reduction, block, 2);
    return status == UB_OK ? ub_space_add_cell(space, &cell) : status;
}

/* A step in which any allocation may fail. */
static ub_status scenario(ub_context *context, void *arg)
{
    const int64_t shape[] = { 2, 3, 8, 8 };
    const int32_t two[] = { 0, 1 };
    ub_space_options o;
    ub_space *space = NULL;
    ub_supernet *net = NULL;
    ub_tape *tape = NULL;
    ub_tensor *batch = NULL;
    ub_variable *x;
    ub_status status;

    (void) arg;
    ub_space_options_init(&o, sizeof(o));
    o.height = o.width = 8;
    o.base_width = 4;
    o.inputs = o.output = 1;
    o.nodes = 2;
    o.preprocess = o.stem_pool = 0;
    o.global_pool = 1;
    status = ub_space_create(context, &o, &space);
    if (status == UB_OK)
        status = add_parts(space);
    if (status == UB_OK)
        status = ub_supernet_create(context, space, NULL, NULL, 1, &net);
    if (status == UB_OK)
        status = ub_tape_create(context, &tape);
    if (status == UB_OK)
        status = ub_tensor_create(context, 4, shape, &batch);
    if (status == UB_OK)
        status = ub_tape_constant(tape, batch, &x);
    if (status == UB_OK)
        status = ub_supernet_forward(net, tape, x, UB_SUPERNET_SAMPLE, &x);
    if (status == UB_OK)
        status = ub_op_cross_entropy(tape, x, two, 0.0, &x);
    if (status == UB_OK)
        status = ub_tape_backward(tape, x);
    ub_tape_destroy(&tape);
    ub_tensor_unref(&batch);
    ub_supernet_destroy(&net);
    ub_space_destroy(&space);
    return status;
}

static void test_out_of_memory(void **state)
{
    (void) state;
    assert_survives_oom(scenario, 1, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trained),  cmocka_unit_test(test_priced),
        cmocka_unit_test(test_searched), cmocka_unit_test(test_derived),
        cmocka_unit_test(test_given),    cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
