/* SPDX-License-Identifier: BSD-2-Clause */
#include "supernet/supernet.h"
#include "support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CONV3, CONV5, SEP3, SEP5, DIL3, DIL5, IDENTITY, ZERO };

/* Enough for statistics over the last cell's 1x1 maps to be smooth. */
#define IMAGES 24

static const int32_t chosen[9] = { CONV3,    ZERO, SEP5, ZERO, ZERO,
                                   IDENTITY, ZERO, DIL3, ZERO };

/* 8x8 images keep the tests quick: 4, 2, 1 inside the cells. */
static ub_space *tiny_space(ub_context *context)
{
    ub_space_options o;
    ub_space *space = NULL;

    ub_space_options_init(&o, sizeof(o));
    o.name = "tiny";
    o.height = o.width = 16;
    o.base_width = 4;
    o.classes = 3;
    assert_int_equal(ub_space_uboost(context, &o, 3, &space), UB_OK);
    return space;
}

static ub_tensor *tiny_images(ub_context *context, uint64_t seed)
{
    const int64_t shape[4] = { IMAGES, 3, 16, 16 };
    ub_tensor *images;
    ub_rng rng;

    ub_rng_init(&rng, seed, 0);
    assert_int_equal(ub_tensor_create(context, 4, shape, &images), UB_OK);
    assert_int_equal(ub_init_normal(images, &rng, 0.0, 1.0), UB_OK);
    return images;
}

static const int32_t labels[IMAGES] = { 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2,
                                        0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2 };

/* Cross-entropy of the current sample, and gradients if wanted. */
static double loss_of(ub_supernet *net, ub_tape *tape, ub_tensor *images,
                      int backward)
{
    ub_variable *x, *logits, *loss;
    double value;

    assert_int_equal(ub_tape_constant(tape, images, &x), UB_OK);
    assert_int_equal(
        ub_supernet_forward(net, tape, x, UB_SUPERNET_SAMPLE, &logits), UB_OK);
    assert_int_equal(ub_op_cross_entropy(tape, logits, labels, 0.0, &loss),
                     UB_OK);
    value = (double) ub_tensor_data(ub_variable_value(loss))[0];
    if (backward)
        assert_int_equal(ub_tape_backward(tape, loss), UB_OK);
    ub_tape_clear(tape);
    return value;
}

/*
 * Central differences of a float32 loss: rounding leaves about 2^-23 / step =
 * 1e-4 with a step of 2^-10. Where ReLU's or a maximum's kink lies within the
 * step, the difference is that of neither side; so one logit in twenty may be
 * off by more than 3 % of the largest gradient, and none by more than 15 %.
 */
static void check_gradient(ub_supernet *net, ub_tape *tape, ub_tensor *images)
{
    ub_parameters *p = ub_supernet_parameters(net);
    double most = 0.0;
    int n = 0, off = 0;

    ub_parameters_freeze(p, UB_PARAMETER_WEIGHT, 1);
    loss_of(net, tape, images, 1);
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t i = 0; i < ub_parameters_count(p); i++) {
            ub_variable *v = ub_parameters_variable(p, i);
            if (ub_parameters_kind(p, i) != UB_PARAMETER_ARCHITECTURE)
                continue;
            assert_non_null(ub_variable_grad(v));
            for (int64_t k = 0; k < ub_tensor_count(ub_variable_value(v));
                 k++) {
                float *at = ub_tensor_data(ub_variable_value(v)) + k;
                const double g = (double) ub_tensor_data(
                    ub_variable_grad(v))[k];
                const float old = *at;
                double up, down;

                most = fmax(most, fabs(g));
                if (pass == 0)
                    continue;
                *at = old + 0x1p-10f;
                up = loss_of(net, tape, images, 0);
                *at = old - 0x1p-10f;
                down = loss_of(net, tape, images, 0);
                *at = old;
                assert_close(g, (up - down) / 0x1p-9, 0.15 * most + 2e-4);
                n++;
                off += fabs(g - (up - down) / 0x1p-9) > 0.03 * most + 2e-4;
            }
        }
    }
    assert_true(n > 0 && 20 * off <= n);
}

static void open_net(ub_context *context, ub_space *space,
                     const ub_supernet_options *options, ub_supernet **net)
{
    ub_rng rng;

    assert_int_equal(ub_supernet_create(context, space, options, NULL, 7, net),
                     UB_OK);
    ub_rng_init(&rng, 9, 9);
    assert_int_equal(ub_supernet_sample(*net, &rng, 1.0), UB_OK);
}

static void test_gradient_of_loss(void **state)
{
    ub_context *context = test_context(2);
    ub_space *space = tiny_space(context);
    ub_tensor *images = tiny_images(context, 1);
    ub_supernet_options o;
    ub_supernet *net;
    ub_tape *tape;

    (void) state;
    assert_int_equal(ub_tape_create(context, &tape), UB_OK);
    open_net(context, space, NULL, &net);
    check_gradient(net, tape, images);
    ub_supernet_destroy(&net);
    ub_supernet_options_init(&o, sizeof(o));
    o.operators = chosen;
    o.widths = (ub_width_range){ 2, 6, 2 };
    open_net(context, space, &o, &net);
    check_gradient(net, tape, images);
    ub_supernet_destroy(&net);
    ub_tape_destroy(&tape);
    ub_tensor_unref(&images);
    ub_space_destroy(&space);
    ub_context_destroy(&context);
}

/* At a low temperature the soft sample is one path, the same as single-path
 * mode computes. */
static void test_single_path(void **state)
{
    ub_context *context = test_context(1);
    ub_space *space = tiny_space(context);
    ub_tensor *images = tiny_images(context, 2);
    ub_supernet_options o;
    ub_supernet *soft, *hard;
    ub_tape *tape;
    ub_rng a, b;

    (void) state;
    ub_supernet_options_init(&o, sizeof(o));
    assert_int_equal(ub_tape_create(context, &tape), UB_OK);
    assert_int_equal(ub_supernet_create(context, space, &o, NULL, 7, &soft),
                     UB_OK);
    o.sampling = UB_SAMPLING_SINGLE_PATH;
    assert_int_equal(ub_supernet_create(context, space, &o, NULL, 7, &hard),
                     UB_OK);
    ub_rng_init(&a, 4, 4);
    ub_rng_init(&b, 4, 4);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(ub_supernet_sample(soft, &a, 1e-4), UB_OK);
        assert_int_equal(ub_supernet_sample(hard, &b, 1.0), UB_OK);
        /* sums with terms of weight 0 in between: float32 rounding */
        assert_close(loss_of(hard, tape, images, 1),
                     loss_of(soft, tape, images, 0), 1e-4);
        ub_parameters_clear_grads(ub_supernet_parameters(hard));
    }
    ub_supernet_destroy(&soft);
    ub_supernet_destroy(&hard);
    ub_tape_destroy(&tape);
    ub_tensor_unref(&images);
    ub_space_destroy(&space);
    ub_context_destroy(&context);
}

/* A masked network with hard masks computes what the narrow one would: the
 * channels beyond are zero whatever stands in the weights. */
static void test_masks_cut(void **state)
{
    ub_context *context = test_context(1);
    ub_space *space = tiny_space(context);
    ub_tensor *images = tiny_images(context, 3);
    ub_supernet_options o;
    ub_variable *x, *first, *second;
    ub_supernet *net;
    ub_tape *tape;
    int64_t widths[33];
    float kept[IMAGES * 3];

    (void) state;
    ub_supernet_options_init(&o, sizeof(o));
    o.operators = chosen;
    o.widths = (ub_width_range){ 2, 6, 2 };
    open_net(context, space, &o, &net);
    assert_int_equal(ub_tape_create(context, &tape), UB_OK);
    ub_tape_set_recording(tape, 0);
    assert_int_equal(ub_tape_constant(tape, images, &x), UB_OK);
    assert_int_equal(
        ub_supernet_forward(net, tape, x, UB_SUPERNET_ARGMAX, &first), UB_OK);
    memcpy(kept, ub_tensor_data(ub_variable_value(first)), sizeof(kept));
    ub_supernet_widths(net, widths);
    for (int64_t c = widths[2]; c < 6; c++) {
        ub_variable *w = ub_parameters_find(ub_supernet_parameters(net),
                                            "cell0.edge0.conv3x3.0.norm.bias");
        assert_non_null(w);
        ub_tensor_data(ub_variable_value(w))[c] = 100.0f;
    }
    assert_int_equal(
        ub_supernet_forward(net, tape, x, UB_SUPERNET_ARGMAX, &second), UB_OK);
    assert_memory_equal(kept, ub_tensor_data(ub_variable_value(second)),
                        sizeof(kept));
    ub_tape_destroy(&tape);
    ub_supernet_destroy(&net);
    ub_tensor_unref(&images);
    ub_space_destroy(&space);
    ub_context_destroy(&context);
}

/* -- state ---------------------------------------------------------------- */

static void round_trip(ub_context *context, ub_space *space,
                       const ub_supernet_options *options, const char *name)
{
    const char *path = test_path(name);
    ub_supernet *a, *b;
    double *x, *y;
    size_t n;

    assert_int_equal(ub_supernet_create(context, space, options, NULL, 1, &a),
                     UB_OK);
    assert_int_equal(ub_supernet_create(context, space, options, NULL, 2, &b),
                     UB_OK);
    n = (size_t) ub_supernet_logits(a);
    x = test_calloc(n, sizeof(*x));
    y = test_calloc(n, sizeof(*y));
    assert_int_equal(ub_supernet_write(a, path), UB_OK);
    assert_int_equal(ub_supernet_read(b, path), UB_OK);
    ub__supernet_copy_logits(a, x);
    ub__supernet_copy_logits(b, y);
    assert_memory_equal(x, y, n * sizeof(*x));
    test_free(x);
    test_free(y);
    ub_supernet_destroy(&a);
    ub_supernet_destroy(&b);
}

static void test_state(void **state)
{
    ub_context *context = test_context(1);
    ub_space *space = tiny_space(context);
    ub_supernet_options o;

    (void) state;
    ub_supernet_options_init(&o, sizeof(o));
    round_trip(context, space, &o, "micro.json");
    o.operators = chosen;
    o.widths = (ub_width_range){ 2, 6, 2 };
    round_trip(context, space, &o, "channels.json");
    ub_space_destroy(&space);
    ub_context_destroy(&context);
}

static void test_bad_state(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"format\": \"uboost-architecture\", \"version\": 1, "
        "\"space\": \"other\"}",
        "{\"format\": \"uboost-architecture\", \"version\": 2, "
        "\"space\": \"tiny\", \"operators\": []}",
        "{\"format\": \"uboost-architecture\", \"version\": 1, "
        "\"space\": \"tiny\", \"operators\": [], \"decisions\": 7}",
        "{\"format\": \"uboost-architecture\", \"version\": 1, "
        "\"space\": \"tiny\", \"operators\": [], \"decisions\": "
        "[{\"decision\": 0, \"logits\": {\"conv3x3\": 1}}]}",
    };
    ub_context *context = test_context(1);
    ub_space *space = tiny_space(context);
    ub_supernet *net;
    double before[72], after[72];

    (void) state;
    assert_int_equal(ub_supernet_create(context, space, NULL, NULL, 1, &net),
                     UB_OK);
    ub__supernet_copy_logits(net, before);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *path = test_path("bad.json");
        test_file_write(path, bad[i], strlen(bad[i]));
        assert_int_equal(ub_supernet_read(net, path), UB_ERR_FORMAT);
    }
    ub__supernet_copy_logits(net, after);
    assert_memory_equal(before, after, sizeof(before));
    ub_supernet_destroy(&net);
    ub_space_destroy(&space);
    ub_context_destroy(&context);
}

static ub_status run_scenario(ub_context *context, void *arg)
{
    const int64_t shape[4] = { 2, 3, 16, 16 };
    ub_space *space = NULL;
    ub_supernet *net = NULL;
    ub_tape *tape = NULL;
    ub_tensor *images = NULL;
    ub_variable *x, *logits, *loss, *cost;
    ub_space_options so;
    ub_status status;

    ub_space_options_init(&so, sizeof(so));
    so.height = so.width = 16;
    so.base_width = 2;
    so.classes = 3;
    status = ub_space_uboost(context, &so, 3, &space);
    if (status == UB_OK)
        status = ub_supernet_create(context, space, arg, NULL, 1, &net);
    if (status == UB_OK)
        status = ub_tape_create(context, &tape);
    if (status == UB_OK)
        status = ub_tensor_create(context, 4, shape, &images);
    if (status == UB_OK)
        status = ub_tape_constant(tape, images, &x);
    if (status == UB_OK)
        status = ub_supernet_forward(net, tape, x, UB_SUPERNET_SAMPLE, &logits);
    if (status == UB_OK)
        status = ub_op_cross_entropy(tape, logits, labels, 0.0, &loss);
    if (status == UB_OK)
        status = ub_supernet_cost(net, tape, 1.0, 1.0, NULL, &cost);
    if (status == UB_OK)
        status = ub_op_add(tape, loss, cost, &loss);
    if (status == UB_OK)
        status = ub_tape_backward(tape, loss);
    ub_tape_destroy(&tape);
    ub_tensor_unref(&images);
    ub_supernet_destroy(&net);
    ub_space_destroy(&space);
    return status;
}

static void test_out_of_memory(void **state)
{
    ub_supernet_options o;

    (void) state;
    ub_supernet_options_init(&o, sizeof(o));
    o.operators = chosen;
    o.widths = (ub_width_range){ 2, 4, 2 };
    assert_survives_oom(run_scenario, 1, &o);
}

/* Statuses of calls without a supernet. */
static void check_no_supernet(ub_tape *tape, ub_variable *x)
{
    ub_supernet_expectation e;
    ub_variable *y = NULL;
    int32_t operators[9];

    assert_int_equal(ub_supernet_sample(NULL, NULL, 1.0), UB_ERR_INVALID);
    assert_int_equal(ub_supernet_forward(NULL, tape, x, UB_SUPERNET_SAMPLE, &y),
                     UB_ERR_INVALID);
    assert_int_equal(ub_supernet_expect(NULL, &e, NULL, NULL), UB_ERR_INVALID);
    assert_int_equal(ub_supernet_cost(NULL, tape, 1.0, 1.0, NULL, &y),
                     UB_ERR_INVALID);
    assert_int_equal(ub_supernet_operators(NULL, operators, NULL),
                     UB_ERR_INVALID);
    assert_int_equal(ub_supernet_write(NULL, "x"), UB_ERR_INVALID);
    assert_int_equal(ub_supernet_read(NULL, "x"), UB_ERR_INVALID);
    assert_null(y);
}

static void test_null_arguments(void **state)
{
    ub_context *context = test_context(1);
    ub_space *space = tiny_space(context);
    ub_tensor *images = tiny_images(context, 1);
    ub_variable *leaf, *gone, *y = NULL;
    ub_supernet *net;
    ub_tape *tape;

    (void) state;
    assert_int_equal(ub_supernet_create(context, space, NULL, NULL, 1, &net),
                     UB_OK);
    assert_int_equal(ub_tape_create(context, &tape), UB_OK);
    assert_int_equal(ub_variable_create(images, 1, &leaf), UB_OK);
    check_no_supernet(tape, leaf);
    assert_int_equal(ub_op_relu(tape, leaf, &gone), UB_OK);
    assert_int_equal(ub_tape_backward_from(tape, gone, images), UB_OK);
    assert_int_equal(
        ub_supernet_forward(net, tape, gone, UB_SUPERNET_SAMPLE, &y),
        UB_ERR_INVALID);
    assert_non_null(strstr(ub_context_last_error(context), "is gone"));
    assert_int_equal(
        ub_supernet_forward(net, tape, NULL, UB_SUPERNET_SAMPLE, &y),
        UB_ERR_INVALID);
    assert_int_equal(
        ub_supernet_forward(net, NULL, leaf, UB_SUPERNET_SAMPLE, &y),
        UB_ERR_INVALID);
    assert_int_equal(
        ub_supernet_forward(net, tape, leaf, UB_SUPERNET_SAMPLE, NULL),
        UB_ERR_INVALID);
    assert_int_equal(ub_supernet_expect(net, NULL, NULL, NULL), UB_ERR_INVALID);
    assert_int_equal(ub_supernet_cost(net, tape, 1.0, 1.0, NULL, NULL),
                     UB_ERR_INVALID);
    assert_int_equal(ub_supernet_cost(net, NULL, 1.0, 1.0, NULL, &y),
                     UB_ERR_INVALID);
    assert_int_equal(ub_supernet_operators(net, NULL, NULL), UB_ERR_INVALID);
    assert_int_equal(ub_supernet_write(net, NULL), UB_ERR_INVALID);
    assert_int_equal(ub_supernet_read(net, NULL), UB_ERR_INVALID);
    assert_null(y);
    ub_tape_destroy(&tape);
    ub_variable_destroy(&leaf);
    ub_tensor_unref(&images);
    ub_supernet_destroy(&net);
    ub_space_destroy(&space);
    ub_context_destroy(&context);
}

/* Without memory for the answer the caller's array stays as it is. */
static ub_status operators_scenario(ub_context *context, void *arg)
{
    ub_space *space = NULL;
    ub_supernet *net = NULL;
    int32_t operators[9];
    ub_status status = ub_space_uboost(context, NULL, 3, &space);

    (void) arg;
    for (int i = 0; i < 9; i++)
        operators[i] = -5;
    if (status == UB_OK)
        status = ub_supernet_create(context, space, NULL, NULL, 1, &net);
    if (status == UB_OK)
        status = ub_supernet_operators(net, operators, NULL);
    for (int i = 0; i < 9; i++)
        assert_true((operators[i] == -5) == (status != UB_OK));
    ub_supernet_destroy(&net);
    ub_space_destroy(&space);
    return status;
}

static void test_operators_untouched(void **state)
{
    (void) state;
    assert_survives_oom(operators_scenario, 1, NULL);
}

/* The most probable width of every site at the beginning; the height takes
 * nothing but doubt away. */
static void test_initial_widths(void **state)
{
    static const double places[] = { 0.0, 0.5, 1.0, -1.0, -1.0 };
    static const double bad[][2] = {
        { -0.5, 1 }, { 1.5, 1 }, { (double) NAN, 1 }, { 0, -1 }, { 0, 1e9 }
    };
    const int32_t operators[9] = { 0, 0, 0, 0, 0, 0, 0, 0, 0 };
    ub_context *context = test_context(1);
    int64_t widths[5][33];
    ub_supernet_options o;
    ub_space_options so;
    ub_supernet *net = NULL;
    ub_space *space = NULL;

    (void) state;
    ub_space_options_init(&so, sizeof(so));
    so.base_width = 2;
    assert_int_equal(ub_space_uboost(context, &so, 3, &space), UB_OK);
    ub_supernet_options_init(&o, sizeof(o));
    o.operators = operators;
    o.widths = (ub_width_range){ 2, 10, 2 };
    for (int i = 0; i < 5; i++) {
        o.initial_place = places[i];
        o.initial_height = i == 4 ? 10.0 : 1.0;
        assert_int_equal(ub_supernet_create(context, space, &o, NULL, 1, &net),
                         UB_OK);
        ub_supernet_widths(net, widths[i]);
        for (int s = 0; i < 3 && s < 33; s++)
            assert_int_equal(widths[i][s], 2 + 4 * i);
        ub_supernet_destroy(&net);
    }
    assert_memory_equal(widths[3], widths[4], sizeof(widths[3]));
    assert_memory_not_equal(widths[3], widths[0], sizeof(widths[3]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        o.initial_place = bad[i][0];
        o.initial_height = bad[i][1];
        assert_int_equal(ub_supernet_create(context, space, &o, NULL, 1, &net),
                         UB_ERR_INVALID);
    }
    ub_space_destroy(&space);
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradient_of_loss),
        cmocka_unit_test(test_single_path),
        cmocka_unit_test(test_masks_cut),
        cmocka_unit_test(test_state),
        cmocka_unit_test(test_bad_state),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_null_arguments),
        cmocka_unit_test(test_operators_untouched),
        cmocka_unit_test(test_initial_widths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
