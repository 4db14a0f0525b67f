/* SPDX-License-Identifier: BSD-2-Clause */
#include "golden.h"

#include <math.h>
#include <stdlib.h>

/*
 * How each operator of ops.json is called, and its float32 bound, with u =
 * 2^-24 the rounding unit:
 *
 * A sum of K products in any order, each step rounded, is off by at most K u
 * times the sum of the products' magnitudes (to first order; fused steps round
 * less). Runners give K as "terms"; the sum of magnitudes comes from the
 * operator itself, run on the magnitudes of its inputs and gradients. Where
 * nothing else is said that is the bound, with K = 1 for results that are
 * rounded once.
 *
 * Softmax and its kin are computed in double and rounded once; what is added
 * for them is said where they are.
 */

static int64_t extent(const ub_variable *variable, int i)
{
    return ub_tensor_shape(ub_variable_value(variable))[i];
}

static double count(const ub_variable *variable)
{
    return (double) ub_tensor_count(ub_variable_value(variable));
}

/* -- linear in all inputs ------------------------------------------------- */

static ub_status run_conv2d(struct golden *golden, ub_variable **out)
{
    ub_variable *x = golden_input(golden, "x"), *w = golden_input(golden, "w");
    ub_variable *b = golden_input(golden, "b");
    ub_conv2d_options options;
    int64_t padding[2];
    double taps, outputs;
    ub_status status;

    ub_conv2d_options_init(&options, sizeof options);
    golden_pair(golden, "padding", 0, padding);
    options.pad_height = padding[0];
    options.pad_width = padding[1];
    options.stride = golden_integer(golden, "stride", 1);
    options.dilation = golden_integer(golden, "dilation", 1);
    options.groups = golden_integer(golden, "groups", 1);
    status = ub_op_conv2d(golden->tape, x, w, b, &options, out);
    if (status != UB_OK)
        return status;
    /* A result: the channels of a group times the taps, and the bias. Of x:
     * the filters of a group times the taps. Of the weights: all outputs of a
     * channel. */
    taps = (double) (extent(w, 2) * extent(w, 3));
    outputs = (double) extent(*out, 0) * (double) extent(*out, 2) *
              (double) extent(*out, 3);
    golden_y_terms(golden, (double) extent(w, 1) * taps + 1.0);
    golden_g_terms(golden, x, (double) (extent(w, 0) / options.groups) * taps);
    golden_g_terms(golden, w, outputs);
    golden_g_terms(golden, b, outputs);
    return status;
}

static ub_status run_linear(struct golden *golden, ub_variable **out)
{
    ub_variable *x = golden_input(golden, "x"), *w = golden_input(golden, "w");
    ub_variable *b = golden_input(golden, "b");
    ub_status status = ub_op_linear(golden->tape, x, w, b, out);

    if (status != UB_OK)
        return status;
    golden_y_terms(golden, (double) extent(w, 1) + 1.0);
    golden_g_terms(golden, x, (double) extent(w, 0));
    golden_g_terms(golden, w, (double) extent(x, 0));
    golden_g_terms(golden, b, (double) extent(x, 0));
    return status;
}

static ub_status run_avg_pool2d(struct golden *golden, ub_variable **out)
{
    ub_variable *x = golden_input(golden, "x");
    int64_t kernel = golden_integer(golden, "kernel", 0);
    int64_t stride = golden_integer(golden, "stride", kernel);
    int64_t padding = golden_integer(golden, "padding", 0);
    double taps = (double) (kernel * kernel);

    /* The sum and its division, either way. */
    golden_y_terms(golden, taps + 1.0);
    golden_g_terms(golden, x, taps + 1.0);
    return ub_op_avg_pool2d(
        golden->tape, x, kernel, stride, padding,
        golden_double(golden, "count_include_pad", 1.0) != 0.0, out);
}

static ub_status run_global_avg_pool(struct golden *golden, ub_variable **out)
{
    ub_variable *x = golden_input(golden, "x");

    if (x != NULL)
        golden_y_terms(golden, (double) (extent(x, 2) * extent(x, 3)) + 1.0);
    golden_g_terms(golden, x, 2.0); /* the divisor, the product */
    return ub_op_global_avg_pool(golden->tape, x, out);
}

static ub_status run_add(struct golden *golden, ub_variable **out)
{
    ub_variable *a = golden_input(golden, "a"), *b = golden_input(golden, "b");

    golden_y_terms(golden, 1.0);
    return ub_op_add(golden->tape, a, b, out);
}

static ub_status run_sum(struct golden *golden, ub_variable **out)
{
    ub_variable *x[GOLDEN_OPERANDS];
    int n = golden_inputs(golden, x);

    golden_y_terms(golden, (double) n);
    return ub_op_sum(golden->tape, n, x, out);
}

static ub_status run_mul_channel_mask(struct golden *golden, ub_variable **out)
{
    ub_variable *x = golden_input(golden, "x"), *m = golden_input(golden, "m");
    ub_status status = ub_op_mask_channels(golden->tape, x, m, out);

    golden_y_terms(golden, 1.0);
    golden_g_terms(golden, x, 1.0);
    if (status == UB_OK)
        golden_g_terms(golden, m, count(x) / count(m));
    return status;
}

static ub_status run_weighted_sum(struct golden *golden, ub_variable **out)
{
    ub_variable *x[GOLDEN_OPERANDS];
    int n = golden_inputs(golden, x);
    ub_variable *a = golden_input(golden, "a");

    golden_y_terms(golden, (double) n);
    for (int i = 0; i < n; i++)
        golden_g_terms(golden, x[i], 1.0);
    if (n > 0)
        golden_g_terms(golden, a, count(x[0]));
    return ub_op_weighted_sum(golden->tape, n, x, a, out);
}

/* Copies: exact. */
static ub_status run_concat(struct golden *golden, ub_variable **out)
{
    ub_variable *x[GOLDEN_OPERANDS];
    int n = golden_inputs(golden, x);

    if (golden_integer(golden, "dim", 1) != 1 ||
        golden_integer(golden, "axis", 1) != 1)
        fail_msg("joined along dimension 1 only");
    return ub_op_concat(golden->tape, n, x, out);
}

static ub_status run_reshape(struct golden *golden, ub_variable **out)
{
    ub_variable *x = golden_input(golden, "x");
    int64_t n, shape[UB_TENSOR_MAX_RANK];
    double *list = golden_list(golden, "shape", &n);

    for (int64_t i = 0; i < n && i < UB_TENSOR_MAX_RANK; i++)
        shape[i] = (int64_t) list[i];
    free(list);
    return ub_op_reshape(golden->tape, x, (int) n, shape, out);
}

/* -- linear in the gradient ----------------------------------------------- */

/* A choice: exact, and so is its gradient. */
static ub_status run_relu(struct golden *golden, ub_variable **out)
{
    return ub_op_relu(golden->tape, golden_input(golden, "x"), out);
}

/* Exact; an element may be the maximum of as many windows as have taps. */
static ub_status run_max_pool2d(struct golden *golden, ub_variable **out)
{
    ub_variable *x = golden_input(golden, "x");
    int64_t kernel = golden_integer(golden, "kernel", 0);
    int64_t stride = golden_integer(golden, "stride", kernel);

    golden_g_terms(golden, x, (double) (kernel * kernel));
    return ub_op_max_pool2d(golden->tape, x, kernel, stride,
                            golden_integer(golden, "padding", 0), out);
}

/* -- the rest ------------------------------------------------------------- */

static ub_tensor *statistic(struct golden *golden, const char *name,
                            int64_t channels, float initial)
{
    ub_tensor *tensor = NULL;
    double *list = NULL;
    int64_t n = 0;

    assert_int_equal(ub_tensor_create(golden->context, 1, &channels, &tensor),
                     UB_OK);
    ub_tensor_fill(tensor, initial);
    if (json_object_get(golden->params, name) != NULL)
        list = golden_list(golden, name, &n);
    if (n != 0 && n != channels)
        fail_msg("%s has %lld values", name, (long long) n);
    for (int64_t i = 0; i < n; i++)
        ub_tensor_data(tensor)[i] = (float) list[i];
    free(list);
    return tensor;
}

/* Magnitudes of one channel, for the bound. */
struct channel {
    double deviation, mean, largest; /* largest: of |x - mean| */
};

static struct channel channel_of(const ub_variable *x, const ub_tensor *mean,
                                 const ub_tensor *var, double eps, int64_t c)
{
    int64_t channels = extent(x, 1), area;
    const float *data = ub_tensor_data(ub_variable_value(x));
    double n = count(x) / (double) channels, sum = 0.0, squares = 0.0;
    struct channel out = { 0 };
    double variance;

    area = ub_tensor_count(ub_variable_value(x)) / extent(x, 0) / channels;
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t i = 0; i < extent(x, 0) * area; i++) {
            int64_t at = (i / area * channels + c) * area + i % area;
            double centred = (double) data[at] - out.mean;

            sum += centred;
            squares += centred * centred;
            out.largest = fmax(out.largest, fabs(centred));
        }
        if (pass == 1)
            break;
        out.mean = mean != NULL ? (double) ub_tensor_data(mean)[c] : sum / n;
        squares = out.largest = 0.0;
    }
    variance = var != NULL ? (double) ub_tensor_data(var)[c] : squares / n;
    out.deviation = sqrt(variance + eps);
    return out;
}

/*
 * y = x s + t, with s = weight / deviation and t = bias - mean s. s has three
 * roundings, mean one, t two, y two: 8 u (|x| + |mean|) |s| + 2 u |bias|.
 *
 * gx = s (gy - m1 - xhat m2) with the means m1 of gy and m2 of gy xhat, both
 * at most max |gy| (xhat has mean square 1), and xhat off by u M, M = |mean| /
 * deviation, in m2 as well: 8 u s max |gy| (2 + |xhat| + (1 + |xhat|) M).
 *
 * gweight = sum gy xhat, summed in double: its rounding, and that of mean and
 * deviation in xhat: 4 u n max |gy| (|x - mean| + |mean|) / deviation. gbias:
 * rounded once, and max |gy| is at hand: u n max |gy|.
 *
 * max |gy| is not known here: bounds of gradients are multiplied by it later.
 */
static void norm_bounds(struct golden *golden, ub_variable *x, ub_variable *w,
                        ub_variable *b, const ub_tensor *mean,
                        const ub_tensor *var, double eps)
{
    double gx = 0.0, gw = 0.0, n = count(x) / count(w);

    golden->y_bound = 0.0;
    for (int64_t c = 0; c < extent(x, 1); c++) {
        struct channel channel = channel_of(x, mean, var, eps, c);
        double weight = (double) ub_tensor_data(ub_variable_value(w))[c];
        double scale = fabs(weight) / channel.deviation;
        double xhat = channel.largest / channel.deviation;
        double offset = fabs(channel.mean) / channel.deviation;
        double y = 8.0 * (channel.largest + 2.0 * fabs(channel.mean)) * scale;

        golden->y_bound = fmax(golden->y_bound, GOLDEN_UNIT * y);
        gx = fmax(gx, 8.0 * scale * (2.0 + xhat + (1.0 + xhat) * offset));
        gw = fmax(gw, 4.0 * n * (xhat + offset));
    }
    golden->y_bound += 2.0 * GOLDEN_UNIT * golden_largest(ub_variable_value(b));
    golden_g_bound(golden, x, GOLDEN_UNIT * gx);
    golden_g_bound(golden, w, GOLDEN_UNIT * gw);
    golden_g_bound(golden, b, GOLDEN_UNIT * n);
}

static ub_status run_batch_norm(struct golden *golden, int training,
                                ub_variable **out)
{
    ub_variable *x = golden_input(golden, "x");
    ub_variable *w = golden_input(golden, "weight");
    ub_variable *b = golden_input(golden, "bias");
    ub_batch_norm_options options;

    if (x == NULL || w == NULL || b == NULL)
        fail_msg("batch norm without x, weight or bias");
    ub_batch_norm_options_init(&options, sizeof options);
    options.training = training;
    options.eps = golden_double(golden, "eps", 1e-5);
    options.momentum = golden_double(golden, "momentum", 0.1);
    golden->running_mean = statistic(golden, "running_mean", extent(x, 1), 0);
    golden->running_var = statistic(golden, "running_var", extent(x, 1), 1);
    norm_bounds(golden, x, w, b, training ? NULL : golden->running_mean,
                training ? NULL : golden->running_var, options.eps);
    return ub_op_batch_norm(golden->tape, x, w, b, golden->running_mean,
                            golden->running_var, &options, out);
}

static ub_status run_batch_norm_train(struct golden *golden, ub_variable **out)
{
    return run_batch_norm(golden, 1, out);
}

static ub_status run_batch_norm_eval(struct golden *golden, ub_variable **out)
{
    return run_batch_norm(golden, 0, out);
}

/* Only the last dimension. */
static void check_dimension(struct golden *golden, const ub_variable *x)
{
    int64_t rank = x != NULL ? ub_tensor_rank(ub_variable_value(x)) : 0;
    int64_t dim = golden_integer(golden, "dim", -1);

    if (dim != -1 && dim != rank - 1)
        fail_msg("softmax over dimension %lld", (long long) dim);
}

/* gx = y (gy - <gy, y>) from y rounded: 4 u |y| (|gy| + max |gy|), with y at
 * most 1. Times max |gy| later. */
static ub_status run_softmax(struct golden *golden, ub_variable **out)
{
    ub_variable *x = golden_input(golden, "x");

    check_dimension(golden, x);
    golden->y_bound = GOLDEN_UNIT;
    golden_g_bound(golden, x, 8.0 * GOLDEN_UNIT);
    return ub_op_softmax(golden->tape, x, out);
}

/* gx = gy - exp(y) sum(gy) from y rounded, which makes exp(y) wrong by u |y|
 * exp(y), at most u / e: 2 u (|gy| + width max |gy|). */
static ub_status run_log_softmax(struct golden *golden, ub_variable **out)
{
    ub_variable *x = golden_input(golden, "x");
    ub_status status;

    check_dimension(golden, x);
    status = ub_op_log_softmax(golden->tape, x, out);
    if (status != UB_OK)
        return status;
    golden->y_bound = GOLDEN_UNIT * golden_largest(ub_variable_value(*out));
    golden_g_bound(
        golden, x,
        2.0 * GOLDEN_UNIT *
            (1.0 +
             (double) extent(x, ub_tensor_rank(ub_variable_value(x)) - 1)));
    return status;
}

/* All in double: one rounding, of values of at most 1, or max |gy| / tau. */
static ub_status run_gumbel_softmax(struct golden *golden, ub_variable **out)
{
    ub_variable *x = golden_input(golden, "x");
    double tau = golden_double(golden, "tau", 1.0);
    int64_t n;
    double *noise = golden_list(golden, "gumbel_noise", &n);
    int hard = golden_double(golden, "hard", 0.0) != 0.0;
    ub_status status;

    check_dimension(golden, x);
    if (x == NULL || (double) n != count(x))
        fail_msg("%lld values of noise", (long long) n);
    golden->y_bound = GOLDEN_UNIT;
    golden_g_bound(golden, x, GOLDEN_UNIT / tau);
    status = ub_op_gumbel_softmax(golden->tape, x, noise, tau, hard, out);
    free(noise);
    return status;
}

/* All in double: one rounding; gradients are at most 1. */
static ub_status run_cross_entropy(struct golden *golden, ub_variable **out)
{
    ub_variable *x = golden_input(golden, "x");
    double smoothing = golden_double(golden, "label_smoothing", 0.0);
    int64_t n;
    double *targets = golden_list(golden, "targets", &n);
    int32_t *labels = calloc((size_t) n + 1, sizeof *labels);
    ub_status status;

    golden_text(golden, "reduction", "mean");
    if (x == NULL || n != extent(x, 0))
        fail_msg("%lld targets", (long long) n);
    for (int64_t i = 0; i < n; i++)
        labels[i] = (int32_t) targets[i];
    golden_g_bound(golden, x, GOLDEN_UNIT);
    status = ub_op_cross_entropy(golden->tape, x, labels, smoothing, out);
    if (status == UB_OK)
        golden->y_bound = GOLDEN_UNIT * golden_largest(ub_variable_value(*out));
    free(targets);
    free(labels);
    return status;
}

const struct golden_operator golden_operators[] = {
    { "conv2d", MAGNITUDE_ALL, run_conv2d },
    { "linear", MAGNITUDE_ALL, run_linear },
    { "avg_pool2d", MAGNITUDE_ALL, run_avg_pool2d },
    { "global_avg_pool", MAGNITUDE_ALL, run_global_avg_pool },
    { "add", MAGNITUDE_ALL, run_add },
    { "sum", MAGNITUDE_ALL, run_sum },
    { "mul_channel_mask", MAGNITUDE_ALL, run_mul_channel_mask },
    { "weighted_sum", MAGNITUDE_ALL, run_weighted_sum },
    { "concat", MAGNITUDE_ALL, run_concat },
    { "reshape", MAGNITUDE_ALL, run_reshape },
    { "relu", MAGNITUDE_GRAD, run_relu },
    { "max_pool2d", MAGNITUDE_GRAD, run_max_pool2d },
    { "batch_norm_train", MAGNITUDE_NONE, run_batch_norm_train },
    { "batch_norm_eval", MAGNITUDE_NONE, run_batch_norm_eval },
    { "softmax", MAGNITUDE_NONE, run_softmax },
    { "log_softmax", MAGNITUDE_NONE, run_log_softmax },
    { "gumbel_softmax", MAGNITUDE_NONE, run_gumbel_softmax },
    { "cross_entropy", MAGNITUDE_NONE, run_cross_entropy },
};

const size_t golden_operators_n = sizeof golden_operators /
                                  sizeof golden_operators[0];
