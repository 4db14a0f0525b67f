/* SPDX-License-Identifier: BSD-2-Clause */
#include "supernet/supernet.h"
#include "support.h"

#include "tensor/tensor.h"

#include <math.h>

/* A supernet's step against the same layers one by one, where every operator
 * of a mixed edge is a map of its own before they are summed. */

#define IMAGES 12

static const ub_operator_step conv[] = { { UB_STEP_CONV, 1, 3, 1, 0, 0 } };
static const ub_operator_step linear[] = { { UB_STEP_CONV, 0, 1, 1, 0, 0 } };
static const ub_operator_step depthwise[] = { { UB_STEP_CONV, 1, 1, 1, 2, 0 },
                                              { UB_STEP_CONV, 0, 1, 1, 0, 0 },
                                              { UB_STEP_DEPTHWISE, 1, 3, 2, 0,
                                                0 } };
static const ub_operator_step pooled[] = {
    { UB_STEP_CONV, 1, 3, 1, 0, 0 }, { UB_STEP_MAX_POOL, 0, 3, 1, 0, 0 }
};
static const ub_operator_step average[] = { { UB_STEP_AVG_POOL, 0, 3, 1, 0,
                                              0 } };

#define OPERATOR(name, steps, residual)                                 \
    {                                                                   \
        sizeof(ub_operator), name, steps,                               \
            (int64_t) (sizeof(steps) / sizeof((steps)[0])), 0, residual \
    }

/* Ends in a normalization with ReLU or without, in a pool, in a sum, or does
 * nothing. */
static const ub_operator operators[] = {
    OPERATOR("conv", conv, 0),
    OPERATOR("linear", linear, 0),
    OPERATOR("depthwise", depthwise, 0),
    OPERATOR("pooled", pooled, 0),
    OPERATOR("average", average, 0),
    OPERATOR("residual", conv, 1),
    { sizeof(ub_operator), "identity", NULL, 0, 0, 0 },
    { sizeof(ub_operator), "zero", NULL, 0, 1, 0 },
};
#define OPERATORS ((int64_t) (sizeof operators / sizeof *operators))

static ub_space *create_space(ub_context *context)
{
    static const int64_t edges[][2] = { { 0, 1 }, { 0, 2 }, { 1, 2 } };
    const ub_space_cell cells[] = { { 0, 1, 1 }, { 0, 1, 0 } };
    ub_space_options o;
    ub_space *space = NULL;

    ub_space_options_init(&o, sizeof(o));
    o.height = o.width = 12;
    o.base_width = 5;
    o.classes = 3;
    o.inputs = 1;
    o.nodes = 3;
    o.output = 2;
    assert_int_equal(ub_space_create(context, &o, &space), UB_OK);
    for (int64_t i = 0; i < OPERATORS; i++)
        assert_int_equal(ub_space_add_operator(space, &operators[i]), UB_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ub_space_add_edge(space, edges[i][0], edges[i][1]),
                         UB_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(ub_space_add_cell(space, &cells[i]), UB_OK);
    return space;
}

#define OK(call) assert_int_equal((call), UB_OK)

static ub_variable *layer(const ub_conv_norm *of, ub_tape *tape, ub_variable *x)
{
    OK(ub_conv_norm_forward(of, tape, x, UB_NORM_TRAINING, NULL, UB_MASK_AFTER,
                            &x));
    return x;
}

static ub_variable *one_operator(const ub_supernet *net, ub_tape *tape,
                                 int64_t cell, int64_t edge, int64_t index,
                                 ub_variable *x)
{
    const ub_operator *op = &operators[index];
    ub_variable *y = x;

    for (int64_t s = 0; s < op->n_steps; s++) {
        const ub_operator_step *step = &op->steps[s];

        if (step->kind == UB_STEP_MAX_POOL)
            OK(ub_op_max_pool2d(tape, y, step->kernel, 1, 1, &y));
        else if (step->kind == UB_STEP_AVG_POOL)
            OK(ub_op_avg_pool2d(tape, y, step->kernel, 1, 1, 0, &y));
        else
            y = layer(net->cells[cell].candidates[edge * OPERATORS + index][s],
                      tape, y);
    }
    if (op->residual)
        OK(ub_op_add(tape, x, y, &y));
    return y;
}

/* NULL for zeros, which only a single path can bring about. */
static ub_variable *one_edge(const ub_supernet *net, ub_tape *tape,
                             int64_t cell, int64_t edge, ub_variable *p,
                             ub_variable *x)
{
    const float *chosen = ub_tensor_data(ub_variable_value(p));
    ub_variable *terms[OPERATORS] = { NULL }, *y = NULL;
    int any = 0;

    for (int64_t i = 0; x != NULL && i < OPERATORS; i++) {
        if (operators[i].zero || chosen[i] == 0.0f)
            continue;
        terms[i] = one_operator(net, tape, cell, edge, i, x);
        any = 1;
    }
    if (!any)
        return NULL;
    OK(ub_op_weighted_sum(tape, (int) OPERATORS, terms, p, &y));
    return y;
}

/* As ub_supernet_forward(), layer by layer. */
static ub_variable *forward_apart(const ub_supernet *net, ub_tape *tape,
                                  ub_variable *images)
{
    const int single = net->options.sampling == UB_SAMPLING_SINGLE_PATH;
    ub_variable *p[3], *x = layer(net->stem, tape, images), *logits;

    OK(ub_op_max_pool2d(tape, x, 2, 2, 0, &x));
    for (int64_t i = 0; i < 3; i++)
        OK(ub_op_gumbel_softmax(tape, net->decisions[i],
                                net->noise +
                                    ub__supernet_decision_offset(net, i),
                                net->tau, single, &p[i]));
    for (int64_t cell = 0; cell < 2; cell++) {
        ub_variable *in = layer(net->cells[cell].preprocess[0], tape, x);
        ub_variable *middle = one_edge(net, tape, cell, 0, p[0], in);
        ub_variable *left = one_edge(net, tape, cell, 1, p[1], in);
        ub_variable *right = one_edge(net, tape, cell, 2, p[2], middle);

        x = left != NULL ? left : right;
        if (left != NULL && right != NULL)
            OK(ub_op_add(tape, left, right, &x));
        assert_non_null(x); /* else take another seed */
        if (cell == 0)
            OK(ub_op_max_pool2d(tape, x, 2, 2, 0, &x));
    }
    OK(ub_linear_layer_forward(net->classifier, tape, x, &logits));
    return logits;
}

/* All that differs is the order in which float32 is rounded, which about 20
 * layers magnify; a ReLU that lets another element pass would show as 1e-2. */
static void assert_same(const ub_tensor *a, const ub_tensor *b)
{
    double largest = 1e-3;

    assert_true((a == NULL) == (b == NULL));
    for (int64_t i = 0; a != NULL && i < ub_tensor_count(a); i++)
        largest = fmax(largest, fabs((double) ub_tensor_data(b)[i]));
    for (int64_t i = 0; a != NULL && i < ub_tensor_count(a); i++)
        assert_close((double) ub_tensor_data(a)[i],
                     (double) ub_tensor_data(b)[i], 2e-4 * largest);
}

static void compare(ub_context *context, int sampling, uint64_t seed)
{
    static const int32_t labels[IMAGES] = {
        0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2
    };
    const int64_t shape[] = { IMAGES, 3, 12, 12 };
    ub_space *space = create_space(context);
    ub_variable *logits[2] = { NULL, NULL };
    ub_supernet *net[2];
    ub_parameters *p[2];
    ub_supernet_options o;
    ub_tensor *images;
    ub_tape *tape[2];
    ub_rng rng;

    ub_supernet_options_init(&o, sizeof(o));
    o.sampling = sampling;
    OK(ub_tensor_create(context, 4, shape, &images));
    ub_rng_init(&rng, seed, 1);
    OK(ub_init_normal(images, &rng, 0.0, 1.0));
    for (int i = 0; i < 2; i++) {
        ub_variable *x;

        OK(ub_supernet_create(context, space, &o, NULL, seed, &net[i]));
        OK(ub_tape_create(context, &tape[i]));
        p[i] = ub_supernet_parameters(net[i]);
        ub_rng_init(&rng, seed, 2);
        OK(ub_supernet_sample(net[i], &rng, 1.0));
        OK(ub_tape_constant(tape[i], images, &x));
        if (i == 0)
            OK(ub_supernet_forward(net[i], tape[i], x, UB_SUPERNET_SAMPLE,
                                   &logits[i]));
        else
            logits[i] = forward_apart(net[i], tape[i], x);
    }
    assert_same(ub_variable_value(logits[0]), ub_variable_value(logits[1]));
    for (int i = 0; i < 2; i++) {
        ub_variable *loss;

        OK(ub_op_cross_entropy(tape[i], logits[i], labels, 0.0, &loss));
        OK(ub_tape_backward(tape[i], loss));
    }
    for (int64_t i = 0; i < ub_parameters_count(p[0]); i++) {
        const ub_variable *a = ub_parameters_variable(p[0], i);
        const ub_variable *b = ub_parameters_variable(p[1], i);

        assert_same(ub_variable_value(a), ub_variable_value(b));
        assert_same(ub_variable_grad(a), ub_variable_grad(b));
    }
    for (int i = 0; i < 2; i++) {
        ub_tape_destroy(&tape[i]);
        ub_supernet_destroy(&net[i]);
    }
    ub_tensor_unref(&images);
    ub_space_destroy(&space);
}

static void test_apart(void **state)
{
    (void) state;
    for (int threads = 1; threads <= 2; threads++) {
        ub_context *context = test_context(threads);

        compare(context, UB_SAMPLING_SOFT, 1);
        for (uint64_t seed = 2; seed < 8; seed++)
            compare(context, UB_SAMPLING_SINGLE_PATH, seed);
        ub_context_destroy(&context);
    }
}

/* A step in which any allocation may fail. */
static ub_status scenario(ub_context *context, void *arg)
{
    const int64_t shape[] = { 2, 3, 12, 12 };
    const int32_t labels[] = { 0, 1 };
    ub_supernet *net = NULL;
    ub_tape *tape = NULL;
    ub_tensor *images = NULL;
    ub_variable *x, *loss;
    ub_status status = ub_supernet_create(context, arg, NULL, NULL, 1, &net);

    if (status == UB_OK)
        status = ub_tape_create(context, &tape);
    if (status == UB_OK)
        status = ub_tensor_create(context, 4, shape, &images);
    if (status == UB_OK)
        status = ub_tape_constant(tape, images, &x);
    if (status == UB_OK)
        status = ub_supernet_forward(net, tape, x, UB_SUPERNET_SAMPLE, &x);
    if (status == UB_OK)
        status = ub_op_cross_entropy(tape, x, labels, 0.0, &loss);
    if (status == UB_OK)
        status = ub_tape_backward(tape, loss);
    ub_tape_destroy(&tape);
    ub_tensor_unref(&images);
    ub_supernet_destroy(&net);
    return status;
}

static void test_out_of_memory(void **state)
{
    ub_context *context = test_context(1);
    ub_space *space = create_space(context);

    (void) state;
    assert_survives_oom(scenario, 1, space);
    ub_space_destroy(&space);
    ub_context_destroy(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_apart),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
