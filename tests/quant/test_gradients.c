/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops/scene.h"

#include <math.h>
#include <string.h>
#include <uboost/quant.h>

/*
 * Rounding has no gradient, so that operators claim that of a surrogate. It is
 * computed here, in double, and its central differences are compared: masked,
 * x clamped between z and z + s (2^b - 1), with these constant; for the bits, a
 * mixture of the levels by the softmax of the active logits. Values lie at
 * least 1/100 from each other, so that no step crosses the range's ends. The
 * surrogates are linear or smooth, so that 1e-4 leaves room for float results
 * only.
 */
#define STEP      (1.0 / 1024.0)
#define TOLERANCE 1e-4

static const int32_t widths[] = { 3, 2, 5, 32 };

static ub_bit_choice choice_of(int64_t n, int32_t mode, ub_variable *sample,
                               ub_variable *logits)
{
    ub_bit_choice choice;

    ub_bit_choice_init(&choice, sizeof choice);
    choice.n = n;
    choice.bits = widths;
    choice.mode = mode;
    choice.sample = sample;
    choice.logits = logits;
    return choice;
}

/* x, sample and logits, with values of a probability's size for these two. */
struct operands {
    struct scene scene;
    ub_variable *x, *sample, *logits;
    ub_quant_options options;
    int64_t rows; /* with a range of their own */
};

static void open_operands(struct operands *o, int weight, int32_t levels,
                          int32_t backward)
{
    static const float sample[] = { 0.2f, 0.4f, 0.3f, 0.1f };
    static const float logits[] = { 0.3f, -0.2f, 0.1f, 0.7f };

    scene_open(&o->scene, 2, 0);
    o->x = scene_leaf(&o->scene, 3, 5, 2, 2);
    o->sample = scene_leaf(&o->scene, 4, 0, 0, 0);
    o->logits = scene_leaf(&o->scene, 4, 0, 0, 0);
    memcpy(scene_data(o->sample), sample, sizeof sample);
    memcpy(scene_data(o->logits), logits, sizeof logits);
    ub_quant_options_init(&o->options, sizeof o->options);
    o->options.levels = levels;
    o->options.backward = backward;
    o->rows = weight ? 3 : 1;
}

static ub_variable *quantize(struct operands *o, const ub_bit_choice *choice)
{
    ub_variable *y = NULL;

    if (o->rows > 1)
        scene_ok(&o->scene, ub_op_quantize_weight(o->scene.tape, o->x, choice,
                                                  &o->options, &y));
    else
        scene_ok(&o->scene,
                 ub_op_quantize_input(o->scene.tape, o->x, choice, NULL,
                                      UB_QUANT_RANGE_BATCH, &o->options, &y));
    return y;
}

/* Where clamping begins and ends for row and width. */
static void limits(const struct operands *o, int64_t row, int32_t bits,
                   double *low, double *high)
{
    const int64_t n = scene_count(o->x) / o->rows;
    const float *x = scene_data(o->x) + row * n;
    const double top = ldexp(1.0, bits) - 1.0;

    *low = *high = (double) x[0];
    for (int64_t i = 0; i < n; i++) {
        *low = fmin(*low, (double) x[i]);
        *high = fmax(*high, (double) x[i]);
    }
    if (o->options.levels == UB_QUANT_LEVELS_REFERENCE)
        *high = *low + (*high - *low) * top / (top + 1.0);
}

static double clamped(double x, double low, double high)
{
    return fmin(fmax(x, low), high);
}

/* Of the surrogate by x[i]. At the ends of a range, where clamping has two
 * slopes, the operator gives 0. */
static double slope(const struct operands *o, int64_t i, const double *factors,
                    int64_t n)
{
    const double x = (double) scene_data(o->x)[i];
    double sum = 0.0;

    for (int64_t k = 0; k < n; k++) {
        double low, high;

        if (widths[k] == 32) {
            sum += factors[k];
            continue;
        }
        limits(o, i / (scene_count(o->x) / o->rows), widths[k], &low, &high);
        if (x == low || x == high)
            continue;
        sum += factors[k] *
               (clamped(x + STEP, low, high) - clamped(x - STEP, low, high)) /
               (2.0 * STEP);
    }
    return sum;
}

static void check_x(struct operands *o, const ub_tensor *gy,
                    const double *factors, int64_t n)
{
    int zeros = 0;

    for (int64_t i = 0; i < scene_count(o->x); i++) {
        double expected = slope(o, i, factors, n) *
                          (double) ub_tensor_data(gy)[i];

        assert_close((double) scene_grad(o->x)[i], expected, TOLERANCE);
        zeros += scene_grad(o->x)[i] == 0.0f;
    }
    assert_true(zeros < scene_count(o->x) / 2);
}

static void masked_one(void **state)
{
    static const double one[] = { 1.0 };

    (void) state;
    for (int variant = 0; variant < 4; variant++) {
        ub_bit_choice choice = choice_of(1, UB_BIT_MODE_PROXY_HARD, NULL, NULL);
        struct operands o;
        ub_tensor *gy;

        open_operands(&o, variant % 2, variant / 2, UB_QUANT_BACKWARD_MASKED);
        gy = scene_backward(&o.scene, quantize(&o, &choice));
        check_x(&o, gy, one, 1);
        ub_tensor_unref(&gy);
        scene_close(&o.scene);
    }
}

/* Soft: linear in the sample, so that the operator itself has differences. */
static void masked_soft(void **state)
{
    (void) state;
    for (int variant = 0; variant < 4; variant++) {
        ub_bit_choice choice;
        double factors[4];
        struct operands o;
        ub_tensor *gy;

        open_operands(&o, variant % 2, variant / 2, UB_QUANT_BACKWARD_MASKED);
        choice = choice_of(4, UB_BIT_MODE_SOFT, o.sample, NULL);
        for (int k = 0; k < 4; k++)
            factors[k] = (double) scene_data(o.sample)[k];
        gy = scene_backward(&o.scene, quantize(&o, &choice));
        check_x(&o, gy, factors, 4);
        for (int k = 0; k < 4; k++) {
            double ends[2] = { 0.0, 0.0 };

            for (int end = 0; end < 2; end++) {
                ub_variable *y;

                scene_data(o.sample)[k] = (float) factors[k] +
                                          (end ? 0.0625f : -0.0625f);
                y = quantize(&o, &choice);
                for (int64_t i = 0; i < scene_count(o.x); i++)
                    ends[end] += (double) scene_data(y)[i] *
                                 (double) ub_tensor_data(gy)[i];
                ub_tape_clear(o.scene.tape);
            }
            scene_data(o.sample)[k] = (float) factors[k];
            assert_close((double) scene_grad(o.sample)[k],
                         (ends[1] - ends[0]) * 8.0, 10.0 * TOLERANCE);
        }
        ub_tensor_unref(&gy);
        scene_close(&o.scene);
    }
}

/* <gy, levels of one width> */
static double product(struct operands *o, int64_t width, const ub_tensor *gy)
{
    ub_bit_choice choice = choice_of(1, UB_BIT_MODE_PROXY_HARD, NULL, NULL);
    ub_variable *y;
    double sum = 0.0;

    choice.bits = widths + width;
    y = quantize(o, &choice);
    for (int64_t i = 0; i < scene_count(o->x); i++)
        sum += (double) scene_data(y)[i] * (double) ub_tensor_data(gy)[i];
    ub_tape_clear(o->scene.tape);
    return sum;
}

/* Softmax-weighted sum of d over the active, with logit `moved` moved. */
static double mixture(const float *logits, const int64_t *active, int64_t n,
                      const double *d, int64_t moved, double by)
{
    double sum = 0.0, all = 0.0;

    for (int64_t k = 0; k < n; k++) {
        double e = exp((double) logits[active[k]] +
                       (active[k] == moved ? by : 0.0));

        all += e;
        sum += e * d[k];
    }
    return sum / all;
}

static void check_logits(const float *grad, const float *logits,
                         const int64_t *active, int64_t n, const double *d)
{
    for (int64_t i = 0; i < 4; i++)
        assert_close((double) grad[i],
                     (mixture(logits, active, n, d, i, STEP) -
                      mixture(logits, active, n, d, i, -STEP)) /
                         (2.0 * STEP),
                     10.0 * TOLERANCE);
}

static void masked_proxy(void **state)
{
    (void) state;
    for (int variant = 0; variant < 12; variant++) {
        const int64_t n = 1 + variant / 4 * 3 / 2; /* 1, 2, 4 */
        double factors[4] = { 0.0 }, d[4];
        ub_bit_choice choice;
        struct operands o;
        int64_t active[4];
        ub_tensor *gy;

        open_operands(&o, variant % 2, variant / 2 % 2,
                      UB_QUANT_BACKWARD_MASKED);
        choice = choice_of(4, UB_BIT_MODE_PROXY_HARD, o.sample, o.logits);
        choice.active = n;
        gy = scene_backward(&o.scene, quantize(&o, &choice));
        ub_tape_clear(o.scene.tape);
        assert_int_equal(ub_rank_largest(4, scene_data(o.sample), n, active),
                         UB_OK);
        assert_int_equal(active[0], 1);
        factors[1] = 1.0;
        check_x(&o, gy, factors, 4);
        for (int64_t k = 0; k < n; k++)
            d[k] = product(&o, active[k], gy);
        check_logits(scene_grad(o.logits), scene_data(o.logits), active, n, d);
        assert_null(ub_variable_grad(o.sample));
        ub_tensor_unref(&gy);
        scene_close(&o.scene);
    }
}

/* Hard: the active ones as they are; fake_hard: the first, with gradients to
 * the sample as if they all were. */
static void masked_hard(void **state)
{
    (void) state;
    for (int variant = 0; variant < 8; variant++) {
        const int hard = variant / 4;
        const int64_t n = 1 + 2 * (variant / 2 % 2); /* 1, 3 */
        double factors[4] = { 0.0 }, d[4] = { 0.0 };
        ub_bit_choice choice;
        struct operands o;
        int64_t active[4];
        ub_variable *y;
        ub_tensor *gy;
        double sum = 0.0, expected = 0.0;

        open_operands(&o, variant % 2, 0, UB_QUANT_BACKWARD_MASKED);
        choice = choice_of(4, hard ? UB_BIT_MODE_HARD : UB_BIT_MODE_FAKE_HARD,
                           o.sample, o.logits);
        choice.active = n;
        gy = scene_backward(&o.scene, quantize(&o, &choice));
        y = quantize(&o, &choice);
        for (int64_t i = 0; i < scene_count(o.x); i++)
            sum += (double) scene_data(y)[i] * (double) ub_tensor_data(gy)[i];
        ub_tape_clear(o.scene.tape);
        assert_int_equal(ub_rank_largest(4, scene_data(o.sample), n, active),
                         UB_OK);
        for (int64_t k = 0; k < n; k++) {
            factors[active[k]] = hard || k == 0 ? 1.0 : 0.0;
            d[active[k]] = product(&o, active[k], gy);
            expected += factors[active[k]] * d[active[k]];
        }
        assert_close(sum, expected, 10.0 * TOLERANCE);
        check_x(&o, gy, factors, 4);
        for (int k = 0; k < 4; k++)
            assert_close((double) scene_grad(o.sample)[k], d[k],
                         10.0 * TOLERANCE);
        assert_null(ub_variable_grad(o.logits));
        ub_tensor_unref(&gy);
        scene_close(&o.scene);
    }
}

static void straight(void **state)
{
    (void) state;
    for (int32_t mode = UB_BIT_MODE_SOFT; mode <= UB_BIT_MODE_FAKE_HARD;
         mode++) {
        ub_bit_choice choice;
        struct operands o;
        ub_tensor *gy;

        open_operands(&o, mode % 2, 0, UB_QUANT_BACKWARD_STRAIGHT);
        choice = choice_of(4, mode, o.sample, o.logits);
        gy = scene_backward(&o.scene, quantize(&o, &choice));
        assert_memory_equal(scene_grad(o.x), ub_tensor_data(gy),
                            (size_t) scene_count(o.x) * sizeof(float));
        assert_null(ub_variable_grad(o.sample));
        assert_null(ub_variable_grad(o.logits));
        ub_tensor_unref(&gy);
        scene_close(&o.scene);
    }
}

/* A running range that part of x lies outside of; two passes add up. */
static void running(void **state)
{
    static const float range[] = { -0.7f, 1.5f };
    const int64_t pair = 2;
    ub_bit_choice choice = choice_of(1, UB_BIT_MODE_PROXY_HARD, NULL, NULL);
    struct operands o;
    ub_tensor *gy, *run = NULL;
    ub_variable *y = NULL;
    int inside = 0;

    (void) state;
    open_operands(&o, 0, 0, UB_QUANT_BACKWARD_MASKED);
    scene_ok(&o.scene, ub_tensor_create(o.scene.context, 1, &pair, &run));
    memcpy(ub_tensor_data(run), range, sizeof range);
    for (int pass = 1; pass <= 2; pass++) {
        scene_ok(&o.scene,
                 ub_op_quantize_input(o.scene.tape, o.x, &choice, run,
                                      UB_QUANT_RANGE_RUNNING, &o.options, &y));
        gy = scene_backward(&o.scene, y);
        for (int64_t i = 0; i < scene_count(o.x); i++) {
            int in = scene_data(o.x)[i] > -0.7f && scene_data(o.x)[i] < 0.8f;

            assert_close((double) scene_grad(o.x)[i],
                         in ? pass * (double) ub_tensor_data(gy)[i] : 0.0,
                         TOLERANCE);
            inside += in;
        }
        ub_tensor_unref(&gy);
    }
    assert_true(inside > 20 && inside < 2 * scene_count(o.x) - 20);
    assert_memory_equal(ub_tensor_data(run), range, sizeof range);
    ub_tensor_unref(&run);
    scene_close(&o.scene);
}

/* x[active[0]] gets the gradient as it is, the logits that of the mixture. */
static void single_path(void **state)
{
    static const int64_t order[] = { 2, 0, 3 };

    (void) state;
    for (int64_t n = 1; n <= 3; n++) {
        ub_variable *x[4] = { NULL }, *logits, *y = NULL;
        struct scene scene;
        ub_tensor *gy;
        double d[3];

        scene_open(&scene, 2, 0);
        for (int64_t k = 0; k < n; k++)
            x[order[k]] = scene_leaf(&scene, 2, 3, 5, 0);
        logits = scene_leaf(&scene, 4, 0, 0, 0);
        scene_ok(&scene,
                 ub_op_single_path(scene.tape, 4, x, logits, n, order, &y));
        assert_memory_equal(scene_data(y), scene_data(x[2]),
                            30 * sizeof(float));
        gy = scene_backward(&scene, y);
        assert_memory_equal(scene_grad(x[2]), ub_tensor_data(gy),
                            30 * sizeof(float));
        for (int64_t k = 0; k < n; k++) {
            d[k] = 0.0;
            for (int i = 0; i < 30; i++)
                d[k] += (double) scene_data(x[order[k]])[i] *
                        (double) ub_tensor_data(gy)[i];
            if (k > 0)
                assert_null(ub_variable_grad(x[order[k]]));
        }
        check_logits(scene_grad(logits), scene_data(logits), order, n, d);
        ub_tensor_unref(&gy);
        scene_close(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masked_one),   cmocka_unit_test(masked_soft),
        cmocka_unit_test(masked_proxy), cmocka_unit_test(masked_hard),
        cmocka_unit_test(straight),     cmocka_unit_test(running),
        cmocka_unit_test(single_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
