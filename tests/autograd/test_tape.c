/* SPDX-License-Identifier: BSD-2-Clause */
#include "autograd/autograd.h"
#include "support.h"

#include <string.h>

static ub_context *context;
static ub_tape *tape;
static int released;

static int setup(void **state)
{
    (void) state;
    context = test_context(1);
    released = 0;
    return ub_tape_create(context, &tape) == UB_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void) state;
    ub_tape_destroy(&tape);
    ub_context_destroy(&context);
    return 0;
}

/* -- two operators of our own: a product, and a sum that passes gradients -- */

struct product {
    ub_tensor *a, *b;
};

static void release_product(ub_context *ctx, void *state)
{
    struct product *product = state;

    (void) ctx;
    released++;
    ub_tensor_unref(&product->a);
    ub_tensor_unref(&product->b);
}

static ub_status give_product(ub__node *node, int index, const ub_tensor *other)
{
    int64_t n = ub_tensor_count(other);
    float *target;
    int accumulate;
    ub_status status = ub__grad_target(node, index, &target, &accumulate);

    if (status != UB_OK || target == NULL)
        return status;
    for (int64_t i = 0; i < n; i++)
        target[i] = (accumulate ? target[i] : 0.0f) +
                    ub__node_grad(node)[i] * ub_tensor_data(other)[i];
    return UB_OK;
}

static ub_status product_backward(ub__node *node, void *state)
{
    struct product *product = state;
    ub_status status = give_product(node, 0, product->b);

    return status == UB_OK ? give_product(node, 1, product->a) : status;
}

static ub_status op_product(ub_tape *on, ub_variable *a, ub_variable *b,
                            ub_variable **out)
{
    ub_variable *inputs[] = { a, b };
    ub_tensor *x = ub_variable_value(a), *y = ub_variable_value(b), *value;
    struct product *product;
    ub__node *node;
    ub_status status;

    status = ub__node_create(on, 2, inputs, sizeof *product, product_backward,
                             release_product, &node);
    if (status != UB_OK)
        return status;
    status = ub__tensor_create_raw(ub_tape_context(on), ub_tensor_rank(x),
                                   ub_tensor_shape(x), &value);
    if (status != UB_OK)
        return ub__node_abandon(node, status);
    for (int64_t i = 0; i < ub_tensor_count(x); i++)
        ub_tensor_data(value)[i] = ub_tensor_data(x)[i] * ub_tensor_data(y)[i];
    product = ub__node_state(node);
    if (ub__node_recorded(node)) {
        product->a = ub_tensor_ref(x);
        product->b = ub_tensor_ref(y);
    }
    return ub__node_finish(node, value, out);
}

static ub_status pass_backward(ub__node *node, void *state)
{
    ub_status status = ub__grad_pass(node, 0);

    (void) state;
    return status == UB_OK ? ub__grad_pass(node, 1) : status;
}

/* a + b of equal counts, in the shape of a. */
static ub_status op_plus(ub_tape *on, ub_variable *a, ub_variable *b,
                         ub_variable **out)
{
    ub_variable *inputs[] = { a, b };
    ub_tensor *x = ub_variable_value(a), *y = ub_variable_value(b), *value;
    ub__node *node;
    ub_status status;

    status = ub__node_create(on, 2, inputs, 0, pass_backward, NULL, &node);
    if (status != UB_OK)
        return status;
    status = ub__tensor_create_raw(ub_tape_context(on), ub_tensor_rank(x),
                                   ub_tensor_shape(x), &value);
    if (status != UB_OK)
        return ub__node_abandon(node, status);
    for (int64_t i = 0; i < ub_tensor_count(x); i++)
        ub_tensor_data(value)[i] = ub_tensor_data(x)[i] + ub_tensor_data(y)[i];
    return ub__node_finish(node, value, out);
}

/* Asks for both gradients and writes none. */
static ub_status failing_backward(ub__node *node, void *state)
{
    float *target;
    int accumulate;

    (void) state;
    for (int i = 0; i < 2; i++)
        if (ub__grad_target(node, i, &target, &accumulate) != UB_OK)
            return UB_ERR_NOMEM;
    return UB_ERR_NOMEM;
}

static ub_status op_failing(ub_tape *on, ub_variable *a, ub_variable *b,
                            ub_variable **out)
{
    ub_variable *inputs[] = { a, b };
    ub__node *node;
    ub_status status = ub__node_create(on, 2, inputs, 0, failing_backward, NULL,
                                       &node);

    if (status != UB_OK)
        return status;
    return ub__node_finish(node, ub_tensor_ref(ub_variable_value(a)), out);
}

/* ------------------------------------------------------------------------- */

static ub_variable *leaf(int rank, const int64_t *shape, float first)
{
    ub_tensor *tensor = NULL;
    ub_variable *variable = NULL;

    assert_int_equal(ub_tensor_create(context, rank, shape, &tensor), UB_OK);
    for (int64_t i = 0; i < ub_tensor_count(tensor); i++)
        ub_tensor_data(tensor)[i] = first + (float) i;
    assert_int_equal(ub_variable_create(tensor, 1, &variable), UB_OK);
    ub_tensor_unref(&tensor);
    return variable;
}

static float grad_at(const ub_variable *variable, int64_t i)
{
    assert_non_null(ub_variable_grad(variable));
    return ub_tensor_data(ub_variable_grad(variable))[i];
}

/* All numbers here are small integers: exact in float. */
static void test_square(void **state)
{
    ub_variable *x = leaf(0, NULL, 3.0f), *y = NULL, *z = NULL;

    (void) state;
    assert_null(ub_variable_grad(x));
    for (int pass = 1; pass <= 2; pass++) {
        assert_int_equal(op_product(tape, x, x, &y), UB_OK);
        assert_int_equal(op_product(tape, y, x, &z), UB_OK);
        assert_true(ub_variable_requires_grad(z));
        assert_true(ub_tensor_data(ub_variable_value(z))[0] == 27.0f);
        assert_int_equal(ub_tape_backward(tape, z), UB_OK);
        assert_true(grad_at(x, 0) == 27.0f * (float) pass); /* adds up */
        assert_null(ub_variable_value(y));
        assert_null(ub_variable_value(z));
        assert_int_equal(released, 2 * pass);
        ub_tape_clear(tape);
    }
    ub_variable_clear_grad(x);
    assert_null(ub_variable_grad(x));
    ub_variable_destroy(&x);
    assert_null(x);
}

/* Whatever shares a gradient must not see what is added to another. */
static void test_shared_gradients(void **state)
{
    const int64_t shape[] = { 4 }, square[] = { 2, 2 };
    ub_variable *p = leaf(1, shape, 1.0f), *q = leaf(2, square, 2.0f);
    ub_variable *a = NULL, *b = NULL, *c = NULL, *s = NULL, *t = NULL;
    ub_tensor *ones = NULL;

    (void) state;
    assert_int_equal(ub_tensor_create(context, 1, shape, &ones), UB_OK);
    ub_tensor_fill(ones, 1.0f);
    /* a = p p, b = q q, c = a b; s = c + (a + b): a and b take the gradient of
     * their sum first, b's as a view, and then get different ones from c. */
    assert_int_equal(op_product(tape, p, p, &a), UB_OK);
    assert_int_equal(op_product(tape, q, q, &b), UB_OK);
    assert_int_equal(op_product(tape, a, b, &c), UB_OK);
    assert_int_equal(op_plus(tape, a, b, &s), UB_OK);
    assert_int_equal(op_plus(tape, s, c, &t), UB_OK);
    assert_int_equal(ub_tape_backward_from(tape, t, ones), UB_OK);
    for (int64_t i = 0; i < 4; i++) {
        float u = 1.0f + (float) i, v = 2.0f + (float) i;

        assert_true(grad_at(p, i) == 2.0f * u * (1.0f + v * v));
        assert_true(grad_at(q, i) == 2.0f * v * (1.0f + u * u));
        assert_true(ub_tensor_data(ones)[i] == 1.0f);
    }
    assert_int_equal(ub_tensor_rank(ub_variable_grad(q)), 2);
    ub_tensor_unref(&ones);
    ub_variable_destroy(&p);
    ub_variable_destroy(&q);
}

/* Leaves get gradients of their own, which may be scaled in place. */
static void test_leaves_do_not_share(void **state)
{
    ub_variable *p = leaf(0, NULL, 1.0f), *q = leaf(0, NULL, 2.0f), *y = NULL;

    (void) state;
    assert_int_equal(op_plus(tape, p, q, &y), UB_OK);
    assert_int_equal(ub_tape_backward(tape, y), UB_OK);
    ub_tensor_fill(ub_variable_grad(p), 5.0f);
    assert_true(grad_at(q, 0) == 1.0f);
    ub_tape_clear(tape);
    assert_int_equal(op_plus(tape, p, p, &y), UB_OK);
    assert_int_equal(ub_tape_backward(tape, y), UB_OK);
    assert_true(grad_at(p, 0) == 7.0f);
    ub_variable_destroy(&p);
    ub_variable_destroy(&q);
}

static void test_unrecorded(void **state)
{
    ub_variable *x = leaf(0, NULL, 3.0f), *y = NULL, *z = NULL, *k = NULL;

    (void) state;
    ub_tape_set_recording(tape, 0);
    assert_int_equal(op_product(tape, x, x, &y), UB_OK);
    assert_int_equal(released, 1);
    assert_false(ub_variable_requires_grad(y));
    assert_true(ub_tensor_data(ub_variable_value(y))[0] == 9.0f);
    ub_tape_set_recording(tape, 1);
    assert_int_equal(ub_tape_constant(tape, ub_variable_value(x), &k), UB_OK);
    assert_int_equal(op_product(tape, k, k, &z), UB_OK);
    assert_false(ub_variable_requires_grad(z));
    assert_int_equal(ub_tape_backward(tape, z), UB_ERR_INVALID);
    assert_string_equal(ub_context_last_error(context),
                        "backward: not the result of a recorded operator of "
                        "this tape");
    assert_null(ub_variable_value(z));
    assert_non_null(ub_variable_value(k)); /* constants stay */
    assert_null(ub_variable_grad(x));
    ub_variable_destroy(&x);
}

static void test_keep(void **state)
{
    ub_variable *x = leaf(0, NULL, 3.0f), *a = NULL, *b = NULL, *c = NULL,
                *d = NULL;

    (void) state;
    ub_tape_set_recording(tape, 0);
    assert_null(ub__tape_newest(tape));
    assert_int_equal(op_product(tape, x, x, &a), UB_OK);
    assert_ptr_equal(ub__tape_newest(tape), a);
    assert_int_equal(op_product(tape, a, x, &b), UB_OK);
    assert_int_equal(op_product(tape, b, x, &c), UB_OK);
    assert_int_equal(op_product(tape, c, x, &d), UB_OK);
    ub_tape_set_recording(tape, 1);
    ub__tape_keep(tape, NULL, 0, NULL); /* a backward pass may come */
    assert_non_null(ub_variable_value(b));
    ub_tape_set_recording(tape, 0);
    ub__tape_keep(tape, a, 1, &c);
    assert_non_null(ub_variable_value(x));
    assert_non_null(ub_variable_value(a)); /* not newer than itself */
    assert_null(ub_variable_value(b));
    assert_true(ub_tensor_data(ub_variable_value(c))[0] == 81.0f);
    assert_null(ub_variable_value(d));
    ub__tape_keep(tape, NULL, 0, NULL);
    assert_null(ub_variable_value(a));
    assert_null(ub_variable_value(c));
    ub_variable_destroy(&x);
}

/* What is frozen counts when the operator runs, not later. */
static void test_frozen(void **state)
{
    ub_variable *x = leaf(0, NULL, 3.0f), *y = leaf(0, NULL, 4.0f), *z = NULL;

    (void) state;
    ub_variable_set_requires_grad(x, 0);
    assert_int_equal(op_product(tape, x, y, &z), UB_OK);
    ub_variable_set_requires_grad(x, 1);
    ub_variable_set_requires_grad(z, 0); /* not a leaf: no effect */
    assert_true(ub_variable_requires_grad(z));
    assert_int_equal(ub_tape_backward(tape, z), UB_OK);
    assert_null(ub_variable_grad(x));
    assert_true(grad_at(y, 0) == 3.0f);
    ub_variable_destroy(&x);
    ub_variable_destroy(&y);
}

/* Branches that do not lead to the loss are skipped, and released. */
static void test_dead_branch(void **state)
{
    ub_variable *x = leaf(0, NULL, 3.0f), *y = leaf(0, NULL, 4.0f);
    ub_variable *z = NULL, *dead = NULL;

    (void) state;
    assert_int_equal(op_product(tape, x, x, &z), UB_OK);
    assert_int_equal(op_product(tape, y, z, &dead), UB_OK);
    assert_int_equal(ub_tape_backward(tape, z), UB_OK);
    assert_true(grad_at(x, 0) == 6.0f);
    assert_null(ub_variable_grad(y));
    assert_null(ub_variable_value(dead));
    assert_int_equal(released, 2);
    ub_variable_destroy(&x);
    ub_variable_destroy(&y);
}

static void test_errors(void **state)
{
    const int64_t shape[] = { 2 };
    ub_variable *x = leaf(1, shape, 3.0f), *y = NULL, *z = NULL;
    ub_tensor *one = NULL;
    ub_tape *other = NULL;

    (void) state;
    assert_int_equal(ub_tensor_create(context, 0, NULL, &one), UB_OK);
    assert_int_equal(ub_tape_create(context, &other), UB_OK);
    assert_int_equal(op_product(tape, x, x, &y), UB_OK);
    assert_int_equal(op_product(other, y, x, &z), UB_ERR_INVALID);
    assert_string_equal(ub_context_last_error(context),
                        "operand 0 is a result of another tape");
    assert_null(z);
    assert_int_equal(ub_tape_backward(other, y), UB_ERR_INVALID);
    assert_non_null(ub_variable_value(y));
    assert_int_equal(ub_tape_backward(tape, y), UB_ERR_SHAPE);
    assert_string_equal(ub_context_last_error(context),
                        "backward: the loss has 2 elements, expected 1");
    assert_null(ub_variable_value(y)); /* consumed all the same */
    assert_int_equal(ub_tape_backward(tape, y), UB_ERR_INVALID);
    assert_int_equal(op_product(tape, x, x, &y), UB_OK);
    assert_int_equal(ub_tape_backward_from(tape, y, one), UB_ERR_SHAPE);
    assert_int_equal(op_product(tape, x, x, &y), UB_OK);
    assert_int_equal(ub_tape_backward_from(tape, y, NULL), UB_ERR_INVALID);
    assert_int_equal(ub_tape_backward(tape, x), UB_ERR_INVALID);
    assert_int_equal(ub_tape_backward(tape, NULL), UB_ERR_INVALID);
    assert_int_equal(ub_tape_backward(NULL, x), UB_ERR_INVALID);
    assert_int_equal(ub_variable_create(NULL, 1, &z), UB_ERR_INVALID);
    assert_int_equal(ub_tape_constant(tape, NULL, &z), UB_ERR_INVALID);
    assert_int_equal(ub_tape_create(NULL, &other), UB_ERR_INVALID);
    assert_null(ub_variable_grad(x));
    ub_tape_destroy(&other);
    ub_tape_destroy(&other);
    ub_tensor_unref(&one);
    ub_variable_destroy(&x);
    ub_variable_destroy(&x);
}

/* A gradient that a failed operator began to make is nobody's; one that was
 * there before stays. */
static void test_failed_backward(void **state)
{
    const int64_t shape[] = { 2 };
    ub_variable *x = leaf(1, shape, 3.0f), *y = leaf(1, shape, 4.0f);
    ub_variable *z = NULL;

    (void) state;
    for (int pass = 0; pass < 2; pass++) {
        assert_int_equal(op_failing(tape, x, y, &z), UB_OK);
        assert_int_equal(ub_tape_backward_from(tape, z, ub_variable_value(x)),
                         UB_ERR_NOMEM);
        assert_null(ub_variable_grad(y));
        assert_null(ub_variable_value(z));
        ub_tape_clear(tape);
        if (pass == 1)
            continue;
        assert_null(ub_variable_grad(x));
        assert_int_equal(op_product(tape, x, x, &z), UB_OK);
        assert_int_equal(ub_tape_backward_from(tape, z, ub_variable_value(x)),
                         UB_OK);
        ub_tape_clear(tape);
    }
    assert_true(grad_at(x, 0) == 18.0f && grad_at(x, 1) == 32.0f);
    ub_variable_destroy(&x);
    ub_variable_destroy(&y);
}

/* Cleared without a backward pass, nodes release what they keep. */
static void test_clear(void **state)
{
    ub_variable *x = leaf(0, NULL, 3.0f), *y = NULL;

    (void) state;
    assert_int_equal(op_product(tape, x, x, &y), UB_OK);
    assert_int_equal(op_product(tape, y, x, &y), UB_OK);
    ub_tape_clear(tape);
    assert_int_equal(released, 2);
    assert_false(ub__tensor_shared(ub_variable_value(x)));
    ub_variable_destroy(&x);
}

static ub_status run_small(ub_context *oom, void *arg)
{
    const int64_t shape[] = { 5 };
    ub_variable *x = NULL, *y = NULL, *z = NULL, *s = NULL;
    ub_tensor *value = NULL;
    ub_tape *on = NULL;
    ub_status status = ub_tape_create(oom, &on);

    (void) arg;
    if (status == UB_OK)
        status = ub_tensor_create(oom, 1, shape, &value);
    if (status == UB_OK)
        status = ub_variable_create(value, 1, &x);
    if (status == UB_OK)
        status = op_product(on, x, x, &y);
    if (status == UB_OK)
        status = op_product(on, y, x, &z);
    if (status == UB_OK)
        status = op_plus(on, y, z, &s);
    if (status == UB_OK)
        status = ub_tape_backward_from(on, s, value);
    ub_tape_destroy(&on);
    ub_variable_destroy(&x);
    ub_tensor_unref(&value);
    return status;
}

static void test_oom(void **state)
{
    (void) state;
    assert_survives_oom(run_small, 1, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_square),
        TEST(test_shared_gradients),
        TEST(test_leaves_do_not_share),
        TEST(test_unrecorded),
        TEST(test_keep),
        TEST(test_frozen),
        TEST(test_dead_branch),
        TEST(test_errors),
        TEST(test_failed_backward),
        TEST(test_clear),
        cmocka_unit_test(test_oom),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
