/* SPDX-License-Identifier: BSD-2-Clause */
#include "scene.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* All operators in one small network: out of memory, and the same on every
 * kind of context. */

#define PARAMETERS 12

struct network {
    ub_context *context;
    ub_tape *tape;
    ub_variable *p[PARAMETERS];
    ub_tensor *image, *mean, *var;
    ub_rng rng;
    float loss;
};

static const int64_t shapes[PARAMETERS][5] = {
    { 4, 8, 3, 3, 3 },                    /* rank, then extents: stem */
    { 1, 8 },                             /* bias */
    { 1, 8 },                             /* norm */
    { 1, 8 },          { 4, 8, 1, 5, 5 }, /* depthwise */
    { 4, 8, 4, 3, 3 },                    /* two groups */
    { 1, 5 },                             /* logits of the branches */
    { 1, 8 },                             /* mask */
    { 2, 10, 16 },                        /* classifier */
    { 1, 10 },         { 1, 16 },         /* last norm */
    { 1, 16 },
};

static ub_status create_leaf(struct network *net, int i)
{
    ub_tensor *tensor = NULL;
    ub_status status = ub_tensor_create(net->context, (int) shapes[i][0],
                                        shapes[i] + 1, &tensor);

    if (status != UB_OK)
        return status;
    for (int64_t j = 0; j < ub_tensor_count(tensor); j++)
        ub_tensor_data(tensor)[j] = (float) ub_rng_normal(&net->rng) * 0.3f;
    status = ub_variable_create(tensor, 1, &net->p[i]);
    ub_tensor_unref(&tensor);
    return status;
}

static ub_status create_network(struct network *net, ub_context *context)
{
    const int64_t image[] = { 3, 3, 13, 11 }, eight[] = { 8 };
    ub_status status;

    memset(net, 0, sizeof *net);
    net->context = context;
    ub_rng_init(&net->rng, 4, 0);
    status = ub_tape_create(context, &net->tape);
    for (int i = 0; i < PARAMETERS && status == UB_OK; i++)
        status = create_leaf(net, i);
    if (status == UB_OK)
        status = ub_tensor_create(context, 4, image, &net->image);
    if (status == UB_OK)
        status = ub_tensor_create(context, 1, eight, &net->mean);
    if (status == UB_OK)
        status = ub_tensor_create(context, 1, eight, &net->var);
    for (int64_t i = 0; i < 3 * 3 * 13 * 11 && status == UB_OK; i++)
        ub_tensor_data(net->image)[i] = (float) ub_rng_normal(&net->rng);
    return status;
}

static void destroy_network(struct network *net)
{
    ub_tape_destroy(&net->tape);
    for (int i = 0; i < PARAMETERS; i++)
        ub_variable_destroy(&net->p[i]);
    ub_tensor_unref(&net->image);
    ub_tensor_unref(&net->mean);
    ub_tensor_unref(&net->var);
}

static ub_status convolve(struct network *net, ub_variable *x, int weight,
                          int bias, int64_t padding, int64_t stride,
                          int64_t groups, ub_variable **out)
{
    ub_conv2d_options options;

    ub_conv2d_options_init(&options, sizeof options);
    options.pad_height = options.pad_width = padding;
    options.stride = stride;
    options.groups = groups;
    return ub_op_conv2d(net->tape, x, net->p[weight],
                        bias >= 0 ? net->p[bias] : NULL, &options, out);
}

/* Stops at the first failure. */
#define TRY(call)                \
    do {                         \
        ub_status try_ = (call); \
        if (try_ != UB_OK)       \
            return try_;         \
    } while (0)

static ub_status run_stem(struct network *net, ub_variable **out)
{
    ub_batch_norm_options norm;
    ub_variable *x;

    ub_batch_norm_options_init(&norm, sizeof norm);
    norm.relu = 1;
    TRY(ub_tape_constant(net->tape, net->image, &x));
    TRY(convolve(net, x, 0, 1, 1, 2, 1, &x));
    return ub_op_batch_norm(net->tape, x, net->p[2], net->p[3], net->mean,
                            net->var, &norm, out);
}

static ub_status run_mixed(struct network *net, ub_variable *x,
                           ub_variable **out)
{
    static const double noise[] = { 0.3, -0.1, 0.9, 0.2, 0.0 };
    ub_variable *branches[5] = { NULL }, *a;

    TRY(convolve(net, x, 4, -1, 2, 1, 8, &branches[0]));
    TRY(convolve(net, x, 5, -1, 1, 1, 2, &branches[1]));
    TRY(ub_op_max_pool2d(net->tape, x, 3, 1, 1, &branches[2]));
    TRY(ub_op_avg_pool2d(net->tape, x, 3, 1, 1, 0, &branches[3]));
    TRY(ub_op_gumbel_softmax(net->tape, net->p[6], noise, 0.8, 0, &a));
    return ub_op_weighted_sum(net->tape, 5, branches, a, out);
}

static ub_status run_head(struct network *net, ub_variable *x, ub_variable *y,
                          ub_variable **out)
{
    const int32_t labels[] = { 4, 0, 9 };
    const int64_t flat[] = { 3, 16 };
    ub_batch_norm_options norm;
    ub_variable *pair[2], *z;

    ub_batch_norm_options_init(&norm, sizeof norm);
    TRY(ub_op_mask_channels(net->tape, y, net->p[7], &pair[0]));
    TRY(ub_op_drop_path(net->tape, pair[0], 0.3, &net->rng, &pair[1]));
    TRY(ub_op_add(net->tape, x, pair[1], &pair[1]));
    TRY(ub_op_relu(net->tape, pair[1], &pair[1]));
    TRY(ub_op_concat(net->tape, 2, pair, &z));
    TRY(ub_op_global_avg_pool(net->tape, z, &z));
    TRY(ub_op_reshape(net->tape, z, 2, flat, &z));
    TRY(ub_op_batch_norm(net->tape, z, net->p[10], net->p[11], NULL, NULL,
                         &norm, &z));
    TRY(ub_op_dropout(net->tape, z, 0.2, &net->rng, &z));
    TRY(ub_op_linear(net->tape, z, net->p[8], net->p[9], &z));
    TRY(ub_op_log_softmax(net->tape, z, &z));
    TRY(ub_op_softmax(net->tape, z, &z));
    return ub_op_cross_entropy(net->tape, z, labels, 0.1, out);
}

static ub_status step(struct network *net)
{
    ub_variable *x, *y, *loss;

    TRY(run_stem(net, &x));
    TRY(run_mixed(net, x, &y));
    TRY(run_head(net, x, y, &loss));
    net->loss = scene_data(loss)[0];
    TRY(ub_tape_backward(net->tape, loss));
    ub_tape_clear(net->tape);
    return UB_OK;
}

static ub_status create_and_step(ub_context *context, void *arg)
{
    struct network net;
    ub_status status = create_network(&net, context);

    (void) arg;
    if (status == UB_OK)
        status = step(&net);
    if (status == UB_OK)
        status = step(&net);
    destroy_network(&net);
    return status;
}

static void test_oom(void **state)
{
    (void) state;
    assert_survives_oom(create_and_step, 1, NULL);
}

/* The context's blocks have been used, for NaN. */
static void use_blocks(ub_context *context)
{
    enum { BLOCKS = 64 };
    ub_tensor *tensors[BLOCKS];

    for (int64_t i = 0; i < BLOCKS; i++) {
        const int64_t shape[] = { 1 + i % 8 * 1024 };

        assert_int_equal(ub_tensor_create(context, 1, shape, &tensors[i]),
                         UB_OK);
        ub_tensor_fill(tensors[i], NAN);
    }
    for (int i = 0; i < BLOCKS; i++)
        ub_tensor_unref(&tensors[i]);
}

static void open_network(struct network *net, int threads, int portable,
                         int used)
{
    ub_context_options options;
    ub_context *context = NULL;

    ub_context_options_init(&options, sizeof options);
    options.threads = threads;
    options.portable_kernels = portable;
    assert_int_equal(ub_context_create(&options, &context), UB_OK);
    if (used)
        use_blocks(context);
    if (create_network(net, context) != UB_OK || step(net) != UB_OK)
        fail_msg("%s", ub_context_last_error(context));
}

static void close_network(struct network *net)
{
    ub_context *context = net->context;

    destroy_network(net);
    ub_context_destroy(&context);
}

/* Of each gradient, 2e-5 of its largest element: sums of up to 3 * 7 * 6 * 25
 * products in other orders, through seven layers. The convolution's bias
 * before a norm has gradient 0, of which rounding remains: against 1 then. */
static void compare(const struct network *a, const struct network *b,
                    double tolerance)
{
    assert_close((double) a->loss, (double) b->loss, tolerance);
    for (int i = 0; i < PARAMETERS; i++) {
        const ub_tensor *x = ub_variable_grad(a->p[i]);
        double largest = 0.0;

        assert_non_null(x);
        for (int64_t j = 0; j < ub_tensor_count(x); j++)
            largest = fmax(largest, fabs((double) ub_tensor_data(x)[j]));
        if (i == 1)
            largest = 1.0;
        for (int64_t j = 0; j < ub_tensor_count(x); j++)
            assert_close((double) ub_tensor_data(x)[j],
                         (double) scene_grad(b->p[i])[j], tolerance * largest);
    }
}

static void test_contexts_agree(void **state)
{
    struct network reference, other;

    (void) state;
    open_network(&reference, 1, 1, 0);
    for (int variant = 1; variant < 4; variant++) {
        open_network(&other, variant / 2 ? 3 : 1, variant % 2 == 0, 0);
        compare(&reference, &other, 2e-5);
        close_network(&other);
    }
    close_network(&reference);
}

/* Two contexts of a kind: the same bits, with blocks used before too. */
static void test_repeats(void **state)
{
    for (int threads = 1; threads <= 3; threads += 2) {
        struct network first, second;

        (void) state;
        open_network(&first, threads, 0, 0);
        open_network(&second, threads, 0, 1);
        compare(&first, &second, 0.0);
        close_network(&first);
        close_network(&second);
    }
}

/* Inference takes the same values and keeps nothing for later. */
static void test_inference(void **state)
{
    struct network net;
    ub_variable *x = NULL, *y = NULL;
    float kept;

    (void) state;
    open_network(&net, 1, 0, 0);
    assert_int_equal(run_stem(&net, &x), UB_OK);
    assert_int_equal(run_mixed(&net, x, &y), UB_OK);
    kept = scene_data(y)[5];
    ub_tape_clear(net.tape);
    ub_tape_set_recording(net.tape, 0);
    assert_int_equal(run_stem(&net, &x), UB_OK);
    assert_int_equal(run_mixed(&net, x, &y), UB_OK);
    assert_true(scene_data(y)[5] == kept);
    assert_false(ub_variable_requires_grad(y));
    assert_int_equal(ub_tape_backward_from(net.tape, y, ub_variable_value(y)),
                     UB_ERR_INVALID);
    close_network(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_oom),
        cmocka_unit_test(test_contexts_agree),
        cmocka_unit_test(test_repeats),
        cmocka_unit_test(test_inference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
