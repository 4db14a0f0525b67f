/* SPDX-License-Identifier: BSD-2-Clause */
#include "tiny.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CELLS = 3, OPERATORS = 3, WIDTHS = 2 };

static const int32_t bits[WIDTHS] = { 4, 8 };

struct fixture {
    ub_context *context;
    ub_space *space;
    ub__joint_net *net;
    ub_tape *tape;
    ub_tensor *images;
};

/* As if they had learnt, so that no two operators do the same. */
static void fill_norms(ub_parameters *p)
{
    for (int64_t i = 0; i < ub_parameters_count(p); i++) {
        if (strstr(ub_parameters_name(p, i), ".norm.weight") != NULL)
            ub_tensor_fill(ub_variable_value(ub_parameters_variable(p, i)),
                           1.0f);
    }
}

static void open_fixture(struct fixture *f)
{
    static const int64_t shape[4] = { 6, 3, 16, 16 };
    ub_rng rng;

    f->context = test_context(1);
    assert_int_equal(tiny_space(f->context, &f->space), UB_OK);
    assert_int_equal(
        ub__joint_net_create(f->context, f->space, bits, WIDTHS, 3, &f->net),
        UB_OK);
    assert_int_equal(ub_tape_create(f->context, &f->tape), UB_OK);
    assert_int_equal(ub_tensor_create(f->context, 4, shape, &f->images), UB_OK);
    ub_rng_init(&rng, 7, 0);
    assert_int_equal(ub_init_normal(f->images, &rng, 0.0, 1.0), UB_OK);
    ub__joint_net_sample(f->net, &rng, 1.0, 0.0);
    fill_norms(f->net->parameters);
}

static void close_fixture(struct fixture *f)
{
    ub_tape_destroy(&f->tape);
    ub_tensor_unref(&f->images);
    ub__joint_net_destroy(&f->net);
    ub_space_destroy(&f->space);
    ub_context_destroy(&f->context);
}

/* Forward and backward as a step of `mode`. */
static void backward(struct fixture *f, int mode)
{
    static const int32_t labels[6] = { 0, 1, 2, 0, 1, 2 };
    ub_parameters *p = f->net->parameters;
    ub_variable *x, *logits, *loss;

    ub_parameters_freeze(p, UB_PARAMETER_WEIGHT, mode != UB__JOINT_WEIGHTS);
    ub_parameters_freeze(p, UB_PARAMETER_ARCHITECTURE,
                         mode != UB__JOINT_LOGITS);
    assert_int_equal(ub_tape_constant(f->tape, f->images, &x), UB_OK);
    assert_int_equal(ub__joint_net_forward(f->net, f->tape, x, mode, &logits),
                     UB_OK);
    assert_int_equal(ub_op_cross_entropy(f->tape, logits, labels, 0.0, &loss),
                     UB_OK);
    assert_int_equal(ub_tape_backward(f->tape, loss), UB_OK);
    ub_tape_clear(f->tape);
}

static const float *grad(const ub_variable *variable)
{
    return ub_variable_grad(variable)
               ? ub_tensor_data(ub_variable_grad(variable))
               : NULL;
}

static const ub__joint_cell *cell(const struct fixture *f, int64_t i)
{
    return &f->net->row[1 + i]; /* the stem is before them */
}

/* Of the logits of a cell, those of two operators learn, and of those of bits
 * those of two widths of the operator that ran: a softmax's gradient, whose
 * sum is 0 up to float's rounding. Weights do not learn. */
static void test_gradient_of_logits(void **state)
{
    struct fixture f;

    (void) state;
    open_fixture(&f);
    backward(&f, UB__JOINT_LOGITS);
    for (int64_t i = 0; i < CELLS; i++) {
        const ub__joint_cell *c = cell(&f, i);
        const float *g = grad(c->alpha);
        double sum = 0.0, size = 0.0;

        assert_non_null(g);
        for (int64_t k = 0; k < OPERATORS; k++) {
            const int active = k == c->draw.operators[0] ||
                               k == c->draw.operators[1];

            assert_true(active == (g[k] != 0.0f));
            sum += (double) g[k];
            size += fabs((double) g[k]);
        }
        assert_true(size > 0.0 && fabs(sum) < 1e-5 * size);
        for (int64_t k = 0; k < OPERATORS; k++) {
            const float *b = grad(c->beta[k]);

            if (k != c->draw.operators[0]) {
                assert_null(b);
                continue;
            }
            /* the last cell may hand on its input, which has no bits */
            if (b != NULL)
                assert_true(fabsf(b[0] + b[1]) <= 1e-5f * fabsf(b[0]));
        }
    }
    assert_null(
        grad(ub_parameters_find(f.net->parameters, "classifier.weight")));
    close_fixture(&f);
}

/* At first, a cell that adds its input hands it on, whichever operator runs;
 * the first has another width and thus none. */
static void test_begins_at_zero(void **state)
{
    ub_context *context = test_context(1);
    ub_space *space;
    ub__joint_net *net;
    int zeros[CELLS] = { 0 };

    (void) state;
    assert_int_equal(tiny_space(context, &space), UB_OK);
    assert_int_equal(ub__joint_net_create(context, space, bits, 2, 3, &net),
                     UB_OK);
    for (int64_t i = 0; i < ub_parameters_count(net->parameters); i++) {
        const char *name = ub_parameters_name(net->parameters, i);
        const float *values = ub_tensor_data(
            ub_variable_value(ub_parameters_variable(net->parameters, i)));

        if (strstr(name, ".norm.weight") != NULL && values[0] == 0.0f)
            zeros[ub__joint_layer_cell(name)]++;
    }
    for (int i = 0; i < CELLS; i++) {
        const int adds = net->row[1 + i].in_channels ==
                             net->row[1 + i].cell->width &&
                         ub__space_edge_stride(space, 1 + i, 0) == 1;

        assert_true(adds == (zeros[i] > 0));
    }
    ub__joint_net_destroy(&net);
    ub_space_destroy(&space);
    ub_context_destroy(&context);
}

/* How often the first operator stands in for the drawn one, and that its own
 * width runs with it. */
static void test_first_instead(void **state)
{
    static const double chances[] = { 0.0, 0.5, 1.0 };
    enum { DRAWS = 3000 };

    (void) state;
    for (int i = 0; i < 3; i++) {
        /* each of the operators is drawn as often without it */
        const double share = chances[i] + (1.0 - chances[i]) / OPERATORS;
        struct fixture f;
        int first = 0, widest = 0;
        ub_rng rng;

        open_fixture(&f);
        ub_rng_init(&rng, 5, 5);
        for (int64_t c = 0; c < CELLS; c++)
            ub_tensor_data(ub_variable_value(cell(&f, c)->beta[0]))[1] = 50.0f;
        for (int n = 0; n < DRAWS; n++) {
            ub__joint_net_sample(f.net, &rng, 1.0, chances[i]);
            for (int64_t c = 0; c < CELLS; c++) {
                const ub__joint_draw *d = &cell(&f, c)->draw;

                first += d->operators[0] == 0;
                widest += d->operators[0] == 0 && d->widths[0] == 1;
            }
        }
        assert_int_equal(first, widest);
        /* four deviations of a share of one half */
        assert_close((double) first / (DRAWS * CELLS), share,
                     2.0 / sqrt(DRAWS * CELLS));
        close_fixture(&f);
    }
}

/* What runs in a step of the logits is what was drawn, at any temperature. */
static void test_runs_what_was_drawn(void **state)
{
    static const double tau[] = { 1.0, 1e-6, 1e9 };
    float found[3][6 * 3];
    struct fixture f;
    int widest = 0;

    (void) state;
    open_fixture(&f);
    for (int64_t i = 0; i < CELLS; i++)
        widest += cell(&f, i)->draw.widths[0] == 1;
    assert_in_range(widest, 1, CELLS - 1); /* not all the first or the last */
    for (int i = 0; i < 3; i++) {
        ub_variable *x, *logits;

        f.net->tau = tau[i];
        assert_int_equal(ub_tape_constant(f.tape, f.images, &x), UB_OK);
        assert_int_equal(
            ub__joint_net_forward(f.net, f.tape, x, UB__JOINT_LOGITS, &logits),
            UB_OK);
        memcpy(found[i], ub_tensor_data(ub_variable_value(logits)),
               sizeof(found[i]));
        ub_tape_clear(f.tape);
    }
    assert_memory_equal(found[0], found[1], sizeof(found[0]));
    assert_memory_equal(found[0], found[2], sizeof(found[0]));
    close_fixture(&f);
}

/* Weights of what was drawn learn, of nothing else; logits do not. */
static void test_gradient_of_weights(void **state)
{
    struct fixture f;

    (void) state;
    open_fixture(&f);
    backward(&f, UB__JOINT_WEIGHTS);
    for (int64_t i = 0; i < CELLS; i++) {
        const ub__joint_cell *c = cell(&f, i);

        assert_null(grad(c->alpha));
        for (int64_t k = 0; k < OPERATORS; k++) {
            char name[64];
            const ub_variable *w;

            snprintf(name, sizeof(name), "cell%d.edge0.%s.0.conv.weight",
                     (int) i, c->candidates[k].name);
            w = ub_parameters_find(f.net->parameters, name);
            if (w == NULL) /* a skip that does nothing */
                continue;
            assert_true((grad(w) != NULL) == (k == c->draw.operators[0]));
            assert_null(grad(c->beta[k]));
        }
    }
    assert_non_null(
        grad(ub_parameters_find(f.net->parameters, "classifier.weight")));
    close_fixture(&f);
}

/* -- cost ----------------------------------------------------------------- */

static double time_of(const double *cycles, int64_t at, int64_t op,
                      int64_t width)
{
    return cycles[(at * OPERATORS + op) * WIDTHS + width];
}

static float before[CELLS][OPERATORS], bits_before[CELLS][WIDTHS];

static void keep_gradients(const struct fixture *f)
{
    for (int64_t i = 0; i < CELLS; i++) {
        const ub__joint_cell *c = cell(f, i);
        const float *b = grad(c->beta[c->draw.operators[0]]);

        memcpy(before[i], grad(c->alpha), sizeof(before[i]));
        if (b != NULL)
            memcpy(bits_before[i], b, sizeof(bits_before[i]));
    }
}

/* What the cost added, against the formulas: float32 sums, of numbers near 1.
 */
static void test_cost_gradient(void **state)
{
    double cycles[CELLS * OPERATORS * WIDTHS];
    const double scale = 0.25;

    (void) state;
    for (int i = 0; i < CELLS * OPERATORS * WIDTHS; i++)
        cycles[i] = 1.0 + 0.37 * (double) ((i * 7) % 11);
    for (int32_t mode = 0; mode <= UB_COSEARCH_PUBLISHED; mode++) {
        struct fixture f;

        open_fixture(&f);
        /* unequal logits, so that the softmax counts */
        for (int64_t i = 0; i < CELLS; i++)
            ub_tensor_data(ub_variable_value(cell(&f, i)->alpha))[0] = 0.4f;
        backward(&f, UB__JOINT_LOGITS);
        keep_gradients(&f);
        ub__joint_net_add_cost(f.net, cycles, scale, mode);
        for (int64_t i = 0; i < CELLS; i++) {
            const ub__joint_cell *c = cell(&f, i);
            const ub__joint_draw *d = &c->draw;
            const float *a = grad(c->alpha),
                        *b = grad(c->beta[d->operators[0]]);
            const float *x = ub_tensor_data(ub_variable_value(c->alpha));
            const double t0 = time_of(cycles, i, d->operators[0], d->widths[0]);
            const double t1 = time_of(cycles, i, d->operators[0], d->widths[1]);
            double runner_up = NAN;
            const double p = 1.0 / (1.0 + exp((double) x[d->operators[1]] -
                                              (double) x[d->operators[0]]));

            for (int64_t w = 0; w < WIDTHS; w++) {
                const double *n = c->noise + OPERATORS +
                                  d->operators[1] * WIDTHS;

                if (n[w] > n[1 - w])
                    runner_up = time_of(cycles, i, d->operators[1], w);
            }
            assert_close(
                (double) (a[d->operators[0]] - before[i][d->operators[0]]),
                mode == UB_COSEARCH_PUBLISHED
                    ? scale * t0
                    : scale * p * (1.0 - p) * (t0 - runner_up),
                1e-5);
            assert_close(
                (double) (a[d->operators[1]] - before[i][d->operators[1]]),
                mode == UB_COSEARCH_PUBLISHED
                    ? 0.0
                    : scale * p * (1.0 - p) * (runner_up - t0),
                1e-5);
            if (b == NULL)
                continue;
            assert_close(
                (double) (b[d->widths[0]] - bits_before[i][d->widths[0]]),
                mode == UB_COSEARCH_PUBLISHED ? scale * t0
                                              : scale * 0.25 * (t0 - t1),
                1e-5);
        }
        close_fixture(&f);
    }
}

/* After a step, what was not active has the probability it had, as far as Adam,
 * which starts here, leaves its logit alone. */
static void test_rebalanced(void **state)
{
    struct fixture f;
    ub_optimizer_options o;
    ub_optimizer *adam;

    (void) state;
    open_fixture(&f);
    ub_optimizer_options_init(&o, sizeof(o));
    o.kind = UB_OPTIMIZER_ADAM;
    assert_int_equal(ub_optimizer_create_for(f.net->parameters,
                                             UB_PARAMETER_ARCHITECTURE, &o,
                                             &adam),
                     UB_OK);
    backward(&f, UB__JOINT_LOGITS);
    assert_int_equal(ub__joint_net_learn(f.net, adam, 0.5), UB_OK);
    for (int64_t i = 0; i < CELLS; i++) {
        const ub__joint_cell *c = cell(&f, i);
        const float *x = ub_tensor_data(ub_variable_value(c->alpha));
        const int64_t other = 3 - c->draw.operators[0] - c->draw.operators[1];
        double sum = 0.0;

        for (int64_t k = 0; k < OPERATORS; k++)
            sum += exp((double) x[k]);
        assert_close(exp((double) x[other]) / sum, 1.0 / 3.0, 1e-6);
        assert_true(fabsf(x[c->draw.operators[0]] - x[c->draw.operators[1]]) >
                    0.5f);
    }
    ub_optimizer_destroy(&adam);
    close_fixture(&f);
}

/* -- the accelerator ------------------------------------------------------ */

/* The table's times of a path are those of the whole path's workload. */
static void test_price(void **state)
{
    ub_context *context = test_context(1);
    ub_accelerator_result r = { .size = sizeof(r) }, q = { .size = sizeof(q) };
    ub__joint_path path = { { 1, 0, 1 }, { 0, 1, 1 } };
    ub_workload *workload = NULL;
    ub_cosearch_options o;
    ub__joint_price price;
    int32_t best[8 * UB_CHUNK_FIELDS];
    ub_space *space;

    (void) state;
    tiny_options(&o);
    assert_int_equal(tiny_space(context, &space), UB_OK);
    assert_int_equal(ub__joint_price_open(context, space, &o, &price), UB_OK);
    assert_int_equal(price.n_fields, 8 * UB_CHUNK_FIELDS);
    assert_int_equal(ub__joint_price_best(&price, &path, UB_ENGINE_EXACT, 1,
                                          &workload, best, &r),
                     UB_OK);
    assert_true(r.fps > 0.0 && r.dsp <= o.dsp_limit);
    assert_int_equal(ub__joint_price_refresh(&price, &path, 1), UB_OK);
    assert_int_equal(ub_accelerator_evaluate(price.accelerator, workload,
                                             price.configuration, NULL, &q),
                     UB_OK);
    assert_true(q.fps == r.fps);
    /* sums of the same numbers in another order */
    assert_close(ub__joint_price_cycles(&price, &path), q.cycles,
                 1e-12 * q.cycles);
    ub_workload_destroy(&workload);
    /* a network of one skip without and two with convolutions */
    for (int i = 0; i < 3; i++)
        path.operators[i] = 2;
    assert_int_equal(ub__joint_price_refresh(&price, &path, 1), UB_OK);
    assert_true(price.cycles[2 * WIDTHS] == 0.0);
    assert_true(price.cycles[(OPERATORS + 2) * WIDTHS] > 0.0);
    assert_true(price.cycles[(2 * OPERATORS + 2) * WIDTHS] == 0.0);
    ub__joint_price_close(&price);
    ub_space_destroy(&space);
    ub_context_destroy(&context);
}

/* The network has the bits of the path, but for its ends. */
static void test_derive(void **state)
{
    ub_context *context = test_context(1);
    const ub__joint_path path = { { 1, 0, 0 }, { 0, 1, 0 } };
    ub_network *network;
    ub_space *space;

    (void) state;
    assert_int_equal(tiny_space(context, &space), UB_OK);
    assert_int_equal(ub__joint_derive(space, bits, &path, &network), UB_OK);
    for (int64_t i = 1; i < ub_network_layers(network); i++) {
        const ub_layer_info info = test_info(network, i);
        const int64_t at = ub__joint_layer_cell(info.name);
        const int is_conv = info.layer->kind == UB_LAYER_CONV && at >= 0;

        assert_int_equal(info.layer->weight_bits,
                         is_conv ? bits[path.widths[at]] : 0);
        assert_int_equal(info.layer->input_bits, info.layer->weight_bits);
    }
    ub_network_destroy(&network);
    ub_space_destroy(&space);
    ub_context_destroy(&context);
}

/* Floats: a network knows them by 0 bits, an accelerator by 32. */
static void test_floats(void **state)
{
    static const int32_t some[WIDTHS] = { 4, 32 };
    ub_context *context = test_context(1);
    const ub__joint_path path = { { 1, 0, 0 }, { 0, 1, 0 } };
    ub_accelerator_result r = { .size = sizeof(r) };
    ub_workload *workload = NULL;
    int32_t best[2 * UB_CHUNK_FAMILIES * UB_CHUNK_FIELDS];
    ub_cosearch_options o;
    ub__joint_price price;
    ub_network *network;
    ub_space *space;

    (void) state;
    tiny_options(&o);
    memcpy(o.bits, some, sizeof(some));
    assert_int_equal(tiny_space(context, &space), UB_OK);
    assert_int_equal(ub__joint_derive(space, o.bits, &path, &network), UB_OK);
    for (int64_t i = 1; i < ub_network_layers(network); i++) {
        const ub_layer_info info = test_info(network, i);
        const int64_t at = ub__joint_layer_cell(info.name);
        const int quantized = info.layer->kind == UB_LAYER_CONV && at >= 0 &&
                              path.widths[at] == 0;

        assert_int_equal(info.layer->weight_bits, quantized ? 4 : 0);
        assert_int_equal(info.layer->input_bits, quantized ? 4 : 0);
    }
    ub_network_destroy(&network);
    assert_int_equal(ub__joint_price_open(context, space, &o, &price), UB_OK);
    assert_int_equal(ub__joint_price_best(&price, &path, UB_ENGINE_EXACT, 1,
                                          &workload, best, &r),
                     UB_OK);
    assert_true(ub_workload_layers(workload) > 0);
    for (int64_t i = 0; i < ub_workload_layers(workload); i++) {
        ub_workload_layer l = { .size = sizeof(l) };

        assert_int_equal(ub_workload_layer_get(workload, i, &l), UB_OK);
        assert_int_equal(l.bits, some[path.widths[l.block]]);
    }
    ub_workload_destroy(&workload);
    ub__joint_price_close(&price);
    ub_space_destroy(&space);
    ub_context_destroy(&context);
}

static void test_other_spaces(void **state)
{
    ub_context *context = test_context(1);
    ub__joint_net *net = NULL;
    ub_space *space;

    (void) state;
    assert_int_equal(ub_space_uboost(context, NULL, 3, &space), UB_OK);
    assert_int_equal(ub__joint_net_create(context, space, bits, 2, 1, &net),
                     UB_ERR_UNSUPPORTED);
    ub_space_destroy(&space);
    assert_int_equal(ub_space_nasbench201(context, NULL, 3, &space), UB_OK);
    assert_int_equal(ub__joint_net_create(context, space, bits, 2, 1, &net),
                     UB_ERR_UNSUPPORTED);
    ub_space_destroy(&space);
    assert_null(net);
    ub_context_destroy(&context);
}

/* -- memory --------------------------------------------------------------- */

static ub_status one_step(ub_context *context, void *arg)
{
    static const int64_t shape[4] = { 2, 3, 16, 16 };
    static const int32_t labels[2] = { 0, 1 };
    ub_space *space = NULL;
    ub__joint_net *net = NULL;
    ub_tape *tape = NULL;
    ub_tensor *images = NULL;
    ub_variable *x, *logits, *loss;
    ub_rng rng;
    ub_status status = tiny_space(context, &space);

    (void) arg;
    ub_rng_init(&rng, 1, 1);
    if (status == UB_OK)
        status = ub__joint_net_create(context, space, bits, 2, 1, &net);
    if (status == UB_OK)
        status = ub_tape_create(context, &tape);
    if (status == UB_OK)
        status = ub_tensor_create(context, 4, shape, &images);
    if (status == UB_OK) {
        ub_tensor_fill(images, 0.5f);
        ub__joint_net_sample(net, &rng, 1.0, 0.0);
        status = ub_tape_constant(tape, images, &x);
    }
    if (status == UB_OK)
        status = ub__joint_net_forward(net, tape, x, UB__JOINT_LOGITS, &logits);
    if (status == UB_OK)
        status = ub_op_cross_entropy(tape, logits, labels, 0.0, &loss);
    if (status == UB_OK)
        status = ub_tape_backward(tape, loss);
    ub_tape_destroy(&tape);
    ub_tensor_unref(&images);
    if (net != NULL)
        ub__joint_net_destroy(&net);
    ub_space_destroy(&space);
    return status;
}

static ub_status one_refresh(ub_context *context, void *arg)
{
    const ub__joint_path path = { { 1, 0, 1 }, { 0, 1, 1 } };
    ub_space *space = NULL;
    ub__joint_price price = { 0 };
    ub_status status = tiny_space(context, &space);

    if (status == UB_OK)
        status = ub__joint_price_open(context, space, arg, &price);
    if (status == UB_OK)
        status = ub__joint_price_refresh(&price, &path, 1);
    ub__joint_price_close(&price);
    ub_space_destroy(&space);
    return status;
}

static void test_out_of_memory(void **state)
{
    ub_cosearch_options o;

    (void) state;
    assert_survives_oom(one_step, 1, NULL);
    tiny_options(&o);
    o.engine = UB_ENGINE_RANDOM; /* the exact one's memory has a sweep */
    o.samples = 2;
    assert_survives_oom(one_refresh, 1, &o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradient_of_logits),
        cmocka_unit_test(test_begins_at_zero),
        cmocka_unit_test(test_first_instead),
        cmocka_unit_test(test_runs_what_was_drawn),
        cmocka_unit_test(test_gradient_of_weights),
        cmocka_unit_test(test_cost_gradient),
        cmocka_unit_test(test_rebalanced),
        cmocka_unit_test(test_price),
        cmocka_unit_test(test_derive),
        cmocka_unit_test(test_floats),
        cmocka_unit_test(test_other_spaces),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
