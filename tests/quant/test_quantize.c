/* SPDX-License-Identifier: BSD-2-Clause */
#include "ops/scene.h"

#include <math.h>
#include <stddef.h>
#include <string.h>
#include <uboost/quant.h>

static ub_bit_choice widths(const int32_t *bits, int64_t n)
{
    ub_bit_choice choice;

    ub_bit_choice_init(&choice, sizeof choice);
    choice.n = n;
    choice.bits = bits;
    return choice;
}

static ub_variable *weight(struct scene *s, ub_variable *w, int32_t bits,
                           int32_t levels)
{
    ub_bit_choice choice = widths(&bits, 1);
    ub_quant_options options;
    ub_variable *y = NULL;

    ub_quant_options_init(&options, sizeof options);
    options.levels = levels;
    scene_ok(s, ub_op_quantize_weight(s->tape, w, &choice, &options, &y));
    return y;
}

static int different(const float *x, int64_t n)
{
    int count = 0;

    for (int64_t i = 0; i < n; i++) {
        int seen = 0;

        for (int64_t k = 0; k < i; k++)
            seen |= x[k] == x[i];
        count += !seen;
    }
    return count;
}

/* 2^b levels, both ends among them but for the reference's upper one. */
static void levels(void **state)
{
    (void) state;
    for (int32_t bits = 1; bits <= UB_QUANT_MAX_BITS; bits++) {
        for (int32_t rule = 0; rule < 2; rule++) {
            const double steps = ldexp(1.0, bits) - (rule ? 0.0 : 1.0);
            struct scene s;
            ub_variable *w, *y;

            scene_open(&s, 1, 0);
            w = scene_leaf(&s, 2, 300, 0, 0);
            y = weight(&s, w, bits, rule);
            for (int64_t f = 0; f < 2; f++) {
                const float *x = scene_data(w) + 300 * f;
                const float *q = scene_data(y) + 300 * f;
                double low = 1e9, high = -1e9, step;
                int found = different(q, 300);

                for (int i = 0; i < 300; i++) {
                    low = fmin(low, (double) x[i]);
                    high = fmax(high, (double) x[i]);
                }
                step = (high - low) / steps;
                if (bits <= 6)
                    assert_int_equal(found, 1 << bits);
                for (int i = 0; i < 300; i++) {
                    double most = (double) x[i] == high && rule ? step
                                                                : step / 2.0;

                    if (rule && (double) x[i] > high - step)
                        most = step;
                    assert_close((double) q[i], (double) x[i], most + 1e-6);
                    if ((double) x[i] == low)
                        assert_close((double) q[i], low, 0.0);
                    if ((double) x[i] == high)
                        assert_close((double) q[i], rule ? high - step : high,
                                     1e-6);
                }
            }
            scene_close(&s);
        }
    }
}

/* One value, or none but one in a row: nothing to quantize. */
static void no_range(void **state)
{
    struct scene s;
    ub_variable *w, *y;
    ub_tensor *gy;

    (void) state;
    for (int32_t masked = 0; masked < 2; masked++) {
        int32_t bits = 4;
        ub_bit_choice choice = widths(&bits, 1);
        ub_quant_options options;

        scene_open(&s, 1, 0);
        w = scene_leaf(&s, 5, 1, 0, 0);
        ub_quant_options_init(&options, sizeof options);
        options.backward = masked;
        scene_ok(&s, ub_op_quantize_weight(s.tape, w, &choice, &options, &y));
        assert_memory_equal(scene_data(y), scene_data(w), 5 * sizeof(float));
        gy = scene_backward(&s, y);
        assert_memory_equal(scene_grad(w), ub_tensor_data(gy),
                            5 * sizeof(float));
        ub_tensor_unref(&gy);
        scene_close(&s);
    }
    scene_open(&s, 1, 0);
    w = scene_leaf(&s, 2, 3, 0, 0);
    scene_data(w)[0] = 1.0f;
    scene_data(w)[1] = nextafterf(1.0f, 2.0f); /* as near as can be */
    scene_data(w)[2] = 1.0f;
    scene_data(w)[3] = 0.0f;
    scene_data(w)[4] = 1e-40f; /* steps would be no normal floats */
    scene_data(w)[5] = -1e-40f;
    y = weight(&s, w, 8, UB_QUANT_LEVELS_CORRECTED);
    assert_memory_equal(scene_data(y), scene_data(w), 6 * sizeof(float));
    scene_close(&s);
}

/* Nothing that is no number gets away as one. */
static void no_numbers(void **state)
{
    struct scene s;
    ub_variable *w, *y;

    (void) state;
    scene_open(&s, 1, 0);
    w = scene_leaf(&s, 4, 3, 0, 0);
    scene_data(w)[0] = INFINITY;
    scene_data(w)[4] = NAN;
    scene_data(w)[6] = -3e38f;
    scene_data(w)[7] = 3e38f;
    scene_data(w)[8] = -INFINITY;
    y = weight(&s, w, 8, UB_QUANT_LEVELS_CORRECTED);
    for (int i = 0; i < 12; i++)
        assert_int_equal(isnan(scene_data(y)[i]) != 0,
                         i < 3 || i == 4 || (i > 5 && i < 9));
    scene_data(w)[8] = 0.0f;
    y = weight(&s, w, 8, UB_QUANT_LEVELS_CORRECTED);
    for (int i = 6; i < 9; i++)
        assert_true(isnan(scene_data(y)[i])); /* the range is no float */
    y = weight(&s, w, 32, UB_QUANT_LEVELS_CORRECTED);
    assert_ptr_equal(y, w);
    scene_close(&s);
}

/* The same bits with any number of threads, and from leaf or result. */
static void threads(void **state)
{
    float expected[64 * 75];
    int32_t bits = 5;

    (void) state;
    for (int n = 1; n <= 4; n++) {
        ub_bit_choice choice = widths(&bits, 1);
        ub_variable *x, *y = NULL;
        struct scene s;

        scene_open(&s, n, 0);
        x = scene_leaf(&s, 64, 75, 0, 0);
        scene_ok(&s, ub_op_quantize_input(s.tape, x, &choice, NULL,
                                          UB_QUANT_RANGE_BATCH, NULL, &y));
        if (n == 1)
            memcpy(expected, scene_data(y), sizeof expected);
        assert_memory_equal(scene_data(y), expected, sizeof expected);
        scene_close(&s);
    }
}

/* Before the first batch there is no range; then it follows. */
static void running(void **state)
{
    const int64_t pair = 2;
    int32_t bits = 8;
    ub_bit_choice choice = widths(&bits, 1);
    ub_quant_options options;
    ub_variable *x, *y = NULL;
    ub_tensor *run = NULL;
    struct scene s;

    (void) state;
    scene_open(&s, 1, 0);
    x = scene_leaf(&s, 8, 0, 0, 0);
    scene_ok(&s, ub_tensor_create(s.context, 1, &pair, &run));
    ub_quant_options_init(&options, sizeof options);
    options.momentum = 0.25;
    scene_ok(&s, ub_op_quantize_input(s.tape, x, &choice, run,
                                      UB_QUANT_RANGE_RUNNING, &options, &y));
    assert_memory_equal(scene_data(y), scene_data(x), 8 * sizeof(float));
    for (int i = 0; i < 8; i++)
        scene_data(x)[i] = (float) i - 1.0f;
    for (int i = 0; i < 2; i++)
        scene_ok(&s,
                 ub_op_quantize_input(s.tape, x, &choice, run,
                                      UB_QUANT_RANGE_TRAINING, &options, &y));
    assert_close((double) ub_tensor_data(run)[0], -0.4375, 0.0);
    assert_close((double) ub_tensor_data(run)[1], 3.0625, 0.0);
    /* what is not finite would stay for ever */
    scene_data(x)[3] = INFINITY;
    scene_ok(&s, ub_op_quantize_input(s.tape, x, &choice, run,
                                      UB_QUANT_RANGE_TRAINING, &options, &y));
    assert_close((double) ub_tensor_data(run)[0], -0.4375, 0.0);
    assert_close((double) ub_tensor_data(run)[1], 3.0625, 0.0);
    scene_data(x)[3] = 2.0f;
    /* floats have no range to follow */
    bits = 0;
    scene_ok(&s, ub_op_quantize_input(s.tape, x, &choice, run,
                                      UB_QUANT_RANGE_TRAINING, &options, &y));
    assert_ptr_equal(y, x);
    assert_close((double) ub_tensor_data(run)[0], -0.4375, 0.0);
    ub_tensor_unref(&run);
    scene_close(&s);
}

/* One active width that is float leaves the numbers as they are, but not the
 * sample without its gradient. */
static void float_on_top(void **state)
{
    static const int32_t modes[] = { UB_BIT_MODE_HARD, UB_BIT_MODE_FAKE_HARD };
    const int32_t bits[2] = { 4, 32 };

    (void) state;
    for (int m = 0; m < 2; m++) {
        ub_bit_choice choice = widths(bits, 2);
        ub_quant_options options;
        ub_variable *w, *sample, *y = NULL;
        double sum = 0.0;
        struct scene s;

        scene_open(&s, 1, 0);
        w = scene_leaf(&s, 3, 4, 0, 0);
        sample = scene_leaf(&s, 2, 0, 0, 0);
        scene_data(sample)[0] = 0.25f;
        scene_data(sample)[1] = 0.75f;
        choice.mode = modes[m];
        choice.active = 1;
        choice.sample = sample;
        ub_quant_options_init(&options, sizeof options);
        options.backward = UB_QUANT_BACKWARD_MASKED;
        scene_ok(&s, ub_op_quantize_weight(s.tape, w, &choice, &options, &y));
        for (int i = 0; i < 12; i++) {
            assert_true(scene_data(y)[i] == scene_data(w)[i]);
            sum += (double) scene_data(w)[i] * (double) scene_data(w)[i];
        }
        scene_ok(&s, ub_tape_backward_from(s.tape, y, ub_variable_value(w)));
        assert_non_null(ub_variable_grad(sample));
        /* <g, x>, where g is x */
        assert_close((double) ub_tensor_data(ub_variable_grad(sample))[1], sum,
                     1e-5 * sum);
        assert_true(ub_tensor_data(ub_variable_grad(sample))[0] == 0.0f);
        options.backward = UB_QUANT_BACKWARD_STRAIGHT;
        scene_ok(&s, ub_op_quantize_weight(s.tape, w, &choice, &options, &y));
        assert_ptr_equal(y, w);
        scene_close(&s);
    }
}

/* Equal samples: the first; without a sample the logits decide. */
static void ranking(void **state)
{
    static const float equal[] = { 0.25f, 0.25f, 0.25f };
    static const float some[] = { 0.1f, NAN, 0.7f, 0.7f, -1.0f, 0.1f };
    static const int64_t order[] = { 2, 3, 0, 5, 4, 1 };
    static const int32_t bits[] = { 2, 32, 4 };
    ub_bit_choice choice = widths(bits, 3);
    ub_variable *x, *first, *y = NULL;
    int64_t out[6] = { 0 };
    struct scene s;

    (void) state;
    scene_open(&s, 1, 0);
    x = scene_leaf(&s, 1, 40, 0, 0);
    choice.sample = scene_leaf(&s, 3, 0, 0, 0);
    choice.logits = scene_leaf(&s, 3, 0, 0, 0);
    memcpy(scene_data(choice.sample), equal, sizeof equal);
    memcpy(scene_data(choice.logits), some + 1, sizeof equal);
    first = weight(&s, x, 2, UB_QUANT_LEVELS_CORRECTED);
    scene_ok(&s, ub_op_quantize_weight(s.tape, x, &choice, NULL, &y));
    assert_memory_equal(scene_data(y), scene_data(first), 40 * sizeof(float));
    choice.sample = NULL;
    choice.active = 7; /* as many as there are */
    scene_ok(&s, ub_op_quantize_weight(s.tape, x, &choice, NULL, &y));
    assert_memory_equal(scene_data(y), scene_data(x), 40 * sizeof(float));
    for (int64_t k = 1; k <= 6; k++) {
        assert_int_equal(ub_rank_largest(6, some, k, out), UB_OK);
        assert_memory_equal(out, order, (size_t) k * sizeof *out);
    }
    assert_int_equal(ub_rank_largest(6, some, 7, out), UB_ERR_INVALID);
    assert_int_equal(ub_rank_largest(6, some, 0, out), UB_ERR_INVALID);
    assert_int_equal(ub_rank_largest(0, some, 0, out), UB_ERR_INVALID);
    assert_int_equal(ub_rank_largest(6, NULL, 1, out), UB_ERR_INVALID);
    scene_close(&s);
}

static void rebalance(void **state)
{
    const float before[] = { 0.5f, 1.0f, -0.5f };
    float logits[] = { 0.7f, 9.0f, -0.1f };
    const int64_t active[] = { 2, 0 };

    (void) state;
    assert_int_equal(ub_logits_rebalance(before, logits, 2, active), UB_OK);
    assert_close(exp((double) logits[0]) + exp((double) logits[2]),
                 exp(0.5) + exp(-0.5), 1e-6);
    assert_close((double) (logits[0] - logits[2]), 0.8, 1e-6);
    assert_true(logits[1] == 9.0f);
    logits[2] = NAN;
    logits[0] = 3.0f;
    assert_int_equal(ub_logits_rebalance(before, logits, 2, active),
                     UB_ERR_NUMERIC);
    assert_true(logits[0] == 3.0f);
    assert_int_equal(ub_logits_rebalance(before, logits, 0, active),
                     UB_ERR_INVALID);
    assert_int_equal(ub_logits_rebalance(NULL, logits, 2, active),
                     UB_ERR_INVALID);
}

/* -- refused -------------------------------------------------------------- */

static void refuse(struct scene *s, ub_variable *x, const ub_bit_choice *choice,
                   const ub_quant_options *options, const char *text)
{
    ub_variable *y = NULL;

    scene_error(s, ub_op_quantize_weight(s->tape, x, choice, options, &y),
                UB_ERR_INVALID, text);
    assert_null(y);
}

static void bad_choices(void **state)
{
    static const int32_t bits[] = { 4, 8, 17 };
    ub_bit_choice choice = widths(bits, 3);
    ub_quant_options options;
    ub_variable *x, *y = NULL;
    struct scene s;

    (void) state;
    scene_open(&s, 1, 0);
    x = scene_leaf(&s, 2, 3, 0, 0);
    refuse(&s, x, NULL, NULL, "quantize weight: no bit widths");
    refuse(&s, x, &choice, NULL,
           "quantize weight: 17 bits, expected 0 to 16 or 32");
    choice.n = 0;
    refuse(&s, x, &choice, NULL,
           "quantize weight: 0 bit widths, expected 1 to 64");
    choice.n = 2;
    refuse(&s, x, &choice, NULL,
           "quantize weight: 2 bit widths without a "
           "sample");
    choice.logits = scene_leaf(&s, 2, 0, 0, 0);
    choice.mode = UB_BIT_MODE_SOFT;
    refuse(&s, x, &choice, NULL,
           "quantize weight: 2 bit widths without a "
           "sample");
    choice.mode = 4;
    refuse(&s, x, &choice, NULL, "quantize weight: unknown mode 4");
    choice.mode = UB_BIT_MODE_HARD;
    choice.active = 0;
    refuse(&s, x, &choice, NULL, "quantize weight: 0 active bit widths");
    choice.active = 1;
    choice.reserved = 1;
    refuse(&s, x, &choice, NULL, "quantize weight: reserved is not 0");
    choice.reserved = 0;
    choice.sample = scene_leaf(&s, 3, 0, 0, 0);
    scene_error(&s, ub_op_quantize_weight(s.tape, x, &choice, NULL, &y),
                UB_ERR_SHAPE, "quantize weight: sample is [3], expected [2]");
    choice.sample = NULL;
    ub_quant_options_init(&options, sizeof options);
    options.levels = 2;
    refuse(&s, x, &choice, &options,
           "quantize weight: levels is out of its range");
    ub_quant_options_init(&options, sizeof options);
    options.backward = -1;
    refuse(&s, x, &choice, &options,
           "quantize weight: backward is out of its range");
    ub_quant_options_init(&options, sizeof options);
    options.momentum = (double) NAN;
    refuse(&s, x, &choice, &options,
           "quantize weight: momentum is out of its range");
    refuse(&s, NULL, &choice, NULL, "quantize weight: x is NULL");
    scene_error(&s, ub_op_quantize_weight(s.tape, x, &choice, NULL, NULL),
                UB_ERR_INVALID, "quantize weight: result is NULL");
    assert_int_equal(ub_op_quantize_weight(NULL, x, &choice, NULL, &y),
                     UB_ERR_INVALID);
    scene_close(&s);
}

static void bad_ranges(void **state)
{
    const int64_t three = 3;
    int32_t bits = 8;
    ub_bit_choice choice = widths(&bits, 1);
    ub_tensor *run = NULL;
    ub_variable *x, *y = NULL;
    struct scene s;

    (void) state;
    scene_open(&s, 1, 0);
    x = scene_leaf(&s, 2, 3, 0, 0);
    scene_error(&s, ub_op_quantize_input(s.tape, x, &choice, NULL, 3, NULL, &y),
                UB_ERR_INVALID, "quantize input: unknown range 3");
    scene_error(&s, ub_op_quantize_input(s.tape, x, &choice, NULL, 0, NULL, &y),
                UB_ERR_INVALID, "quantize input: no running range");
    scene_ok(&s, ub_tensor_create(s.context, 1, &three, &run));
    scene_error(&s, ub_op_quantize_input(s.tape, x, &choice, run, 1, NULL, &y),
                UB_ERR_SHAPE,
                "quantize input: the running range is [3], expected [2]");
    assert_null(y);
    ub_tensor_unref(&run);
    scene_close(&s);
}

static void bad_paths(void **state)
{
    static const int64_t twice[] = { 1, 1 }, beyond[] = { 0, 2 };
    static const int64_t missing[] = { 0, 1 };
    ub_variable *x[2] = { NULL }, *logits, *y = NULL;
    struct scene s;

    (void) state;
    scene_open(&s, 1, 0);
    x[1] = scene_leaf(&s, 2, 3, 0, 0);
    logits = scene_leaf(&s, 2, 0, 0, 0);
    scene_error(&s, ub_op_single_path(s.tape, 2, x, logits, 3, twice, &y),
                UB_ERR_INVALID, "single path: 3 active paths of 2");
    scene_error(&s, ub_op_single_path(s.tape, 2, x, logits, 2, twice, &y),
                UB_ERR_INVALID,
                "single path: active path 1 is 1, a second "
                "time");
    scene_error(&s, ub_op_single_path(s.tape, 2, x, logits, 2, missing, &y),
                UB_ERR_INVALID, "single path: active path 0 is NULL");
    x[0] = scene_leaf(&s, 3, 2, 0, 0);
    scene_error(&s, ub_op_single_path(s.tape, 2, x, logits, 2, beyond, &y),
                UB_ERR_INVALID,
                "single path: active path 1 is 2, which does "
                "not exist");
    scene_error(&s, ub_op_single_path(s.tape, 2, x, logits, 2, missing, &y),
                UB_ERR_SHAPE,
                "single path: active path 1 is [2, 3], the first "
                "[3, 2]");
    scene_error(&s, ub_op_single_path(s.tape, 2, x, x[0], 1, missing, &y),
                UB_ERR_SHAPE, "single path: logits is [3, 2], expected [2]");
    assert_null(y);
    scene_close(&s);
}

/* -- memory --------------------------------------------------------------- */

static ub_status leaf(ub_context *context, int64_t a, int64_t b,
                      ub_variable **out)
{
    const int64_t shape[] = { a, b };
    ub_tensor *value = NULL;
    ub_status status = ub_tensor_create(context, b > 0 ? 2 : 1, shape, &value);

    for (int64_t i = 0; status == UB_OK && i < ub_tensor_count(value); i++)
        ub_tensor_data(value)[i] = (float) (i % 7);
    if (status == UB_OK)
        status = ub_variable_create(value, 1, out);
    ub_tensor_unref(&value);
    return status;
}

static ub_status run(ub_tape *tape, ub_variable *const *leaves,
                     ub_tensor *running, int32_t mode)
{
    static const int32_t bits[] = { 4, 6, 8 };
    static const int64_t active[] = { 1, 2 };
    ub_bit_choice choice = widths(bits, 3);
    ub_quant_options options;
    ub_variable *w = NULL, *x = NULL, *y = NULL, *paths[3] = { NULL };
    ub_status status;

    ub_quant_options_init(&options, sizeof options);
    options.backward = UB_QUANT_BACKWARD_MASKED;
    choice.mode = mode;
    choice.sample = leaves[1];
    choice.logits = leaves[2];
    status = ub_op_quantize_weight(tape, leaves[0], &choice, &options, &w);
    if (status == UB_OK)
        status = ub_op_quantize_input(tape, leaves[0], &choice, running,
                                      UB_QUANT_RANGE_TRAINING, &options, &x);
    paths[1] = w;
    paths[2] = x;
    if (status == UB_OK)
        status = ub_op_single_path(tape, 3, paths, leaves[2], 2, active, &y);
    if (status == UB_OK)
        status = ub_tape_backward_from(tape, y, ub_variable_value(leaves[0]));
    return status;
}

static ub_status train(ub_context *context, void *arg)
{
    const int64_t pair = 2;
    ub_variable *leaves[3] = { NULL };
    ub_tensor *running = NULL;
    ub_tape *tape = NULL;
    ub_status status = ub_tape_create(context, &tape);

    for (int i = 0; i < 3 && status == UB_OK; i++)
        status = leaf(context, 3, i == 0 ? 10 : 0, &leaves[i]);
    if (status == UB_OK)
        status = ub_tensor_create(context, 1, &pair, &running);
    if (status == UB_OK)
        status = run(tape, leaves, running, *(const int32_t *) arg);
    ub_tape_destroy(&tape);
    ub_tensor_unref(&running);
    for (int i = 0; i < 3; i++)
        ub_variable_destroy(&leaves[i]);
    return status;
}

static void memory(void **state)
{
    (void) state;
    for (int32_t mode = UB_BIT_MODE_SOFT; mode <= UB_BIT_MODE_FAKE_HARD; mode++)
        assert_survives_oom(train, 2, &mode);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels),     cmocka_unit_test(no_range),
        cmocka_unit_test(no_numbers), cmocka_unit_test(threads),
        cmocka_unit_test(running),    cmocka_unit_test(ranking),
        cmocka_unit_test(rebalance),  cmocka_unit_test(bad_choices),
        cmocka_unit_test(bad_ranges), cmocka_unit_test(bad_paths),
        cmocka_unit_test(memory),     cmocka_unit_test(float_on_top),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
